//! From the first link to a document that was edited, shared and taken back.

use crate::common::run;
use crate::driver::Browser;
use crate::editors::{is_open, open, says};
use crate::house::{House, address_of, upload};
use crate::office::Office;

#[test]
fn a_document_is_uploaded_edited_renamed_restored_shared_and_taken_back() {
    let Some(browser) = Browser::start() else { return };
    run(180, async {
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();

        // The first link makes an administrator, once.
        let link = house.first_link();
        let page = house.first_person(&alice, "Alice");
        let late = browser.person().opens(&link);
        assert_eq!(late.evaluate("document.querySelectorAll('input[type=password]').length"), 0);
        late.closes();

        // A document is uploaded and edited: loaded, locked, saved, kept, renamed.
        upload(&page, &[&house.file_outside("Report.docx", b"first draft")]);
        let list = page.path();
        let frame = open(&page, "Report.docx");
        assert_eq!(frame.text_of("document.getElementById('text').value"), "first draft");
        frame.fill("#text", "second draft");
        frame.click("#save");
        says(&frame, "save 200");
        frame.click("#refresh");
        says(&frame, "refresh 200");
        frame.fill("#name", "Annual report");
        frame.click("#rename");
        page.until("the title follows", "document.title === 'Annual report.docx'");
        let on_disk = || std::fs::read_to_string(house.folder().join("Annual report.docx")).expect("it is there");
        assert_eq!(on_disk(), "second draft");

        // It is closed: the lock is let go, and the list has the new name.
        frame.click("#close");
        page.until("the list is back", &format!("location.pathname === '{list}'"));
        page.shows("Annual report.docx");
        page.is_content();
        let operations = ["CheckFileInfo", "GetFile", "Lock", "PutFile", "RefreshLock", "RenameFile", "Unlock"];
        let expected = operations.map(|operation| (operation, 200));
        let asked: Vec<_> = office.asked().iter().map(|asked| (asked.operation, asked.status)).collect();
        assert_eq!(asked, expected);

        // The history shows the save, and brings back what it replaced.
        let document = address_of(&page, "Annual report.docx");
        let details = document.replace("/open/", "/details/").replace("/edit", "");
        page.goes_to(&details);
        page.click("[aria-labelledby=history] li:nth-child(2) summary");
        page.arrives(|page| page.click_at("[aria-labelledby=history] button", "Make it the present version"));
        assert_eq!(on_disk(), "first draft");
        let versions = "document.querySelectorAll('[aria-labelledby=history] li').length";
        page.until("all three versions are listed", &format!("{versions} === 3"));

        // It is shared with somebody who saw nothing before.
        house.add_person("Bob", "member");
        let bob = browser.person();
        let his = house.signs_in(&bob, "Bob");
        his.goes_to(&house.url("/shared"));
        assert!(!his.text_of("document.body.innerText").contains("Annual report"));
        his.goes_to(&document);
        his.shows("There is nothing here");
        his.takes_troubles();
        page.fill("form[action*='/share/'] input[name=to]", "Bob");
        page.arrives(|page| page.click_at("form[action*='/share/'] button", "Share"));
        page.shows("It is shared.");
        his.goes_to(&house.url("/shared"));
        let frame = open(&his, "Annual report.docx");
        frame.fill("#text", "what Bob makes of it");
        frame.click("#save");
        says(&frame, "save 200");
        assert_eq!(on_disk(), "what Bob makes of it");
        his.is_content();

        // It is taken back: the session that he has open stops at its next request, and so do his pages.
        page.arrives(|page| page.click_at("form[action$='/end'] button", "End"));
        frame.fill("#text", "what Bob may not any more");
        frame.click("#save");
        says(&frame, "save 404");
        assert_eq!(on_disk(), "what Bob makes of it");
        his.goes_to(&document);
        his.shows("There is nothing here");
        his.goes_to(&house.url("/shared"));
        his.shows("Nothing is shared with you yet");
        page.is_content();
    });
}

#[test]
fn a_guest_comes_in_by_a_link_with_a_password_and_is_out_when_it_is_revoked() {
    let Some(browser) = Browser::start() else { return };
    run(120, async {
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        upload(&page, &[&house.file_outside("Letter.docx", b"dear guest")]);
        let document = address_of(&page, "Letter.docx");
        page.goes_to(&document.replace("/open/", "/details/").replace("/edit", ""));
        page.fill("form[action$='/link'] input[name=label]", "For everybody");
        page.fill("form[action$='/link'] input[name=password]", "speak, friend");
        page.evaluate("document.querySelector(\"form[action$='/link'] select[name=right]\").value = 'edit'");
        page.arrives(|page| page.click("form[action$='/link'] button"));
        let link = page.text_of("document.querySelector('input.mono').value");
        assert!(link.starts_with(&house.url("/link/")), "{link}");

        let guest = browser.person();
        let theirs = guest.opens(&link);
        theirs.fill("input[name=name]", "Grace");
        theirs.fill("input[name=password]", "wrong");
        theirs.arrives(|page| page.click("main form button.primary"));
        theirs.shows("That is not the password");
        theirs.takes_troubles();
        theirs.fill("input[name=password]", "speak, friend");
        theirs.arrives(|page| page.click("main form button.primary"));
        theirs.goes_to(&document);
        let frame = is_open(&theirs);
        assert_eq!(frame.evaluate("window.info.IsAnonymousUser"), true);
        assert!(frame.text_of("window.info.UserFriendlyName").contains("Grace"));
        frame.fill("#text", "dear host");
        frame.click("#save");
        says(&frame, "save 200");
        theirs.is_content();

        page.arrives(|page| page.click("form[action$='/revoke'] button"));
        frame.click("#save");
        frame.until("the save is refused", "/^save 40[14]$/.test(document.getElementById('state').textContent)");
        let late = guest.opens(&link);
        assert!(!late.text_of("document.body.innerText").contains("dear"));
        assert_eq!(late.evaluate("document.querySelectorAll('main form').length"), 0);
        page.is_content();
    });
}

#[test]
fn a_save_that_was_refused_because_the_file_was_released_comes_back_as_a_copy() {
    let Some(browser) = Browser::start() else { return };
    run(120, async {
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        upload(&page, &[&house.file_outside("Report.docx", b"first draft")]);
        let document = address_of(&page, "Report.docx");
        house.add_person("Bob", "editor");
        let bob = browser.person();
        let his = house.signs_in(&bob, "Bob");
        his.goes_to(&document);
        let frame = is_open(&his);

        // Alice sees who has it, and takes it from him.
        page.goes_to(&document.replace("/open/", "/details/").replace("/edit", ""));
        assert!(page.text_of("document.querySelector('[aria-labelledby=holders]').innerText").contains("Bob"));
        page.arrives(|page| page.click("form[action$='/release'] button"));
        page.shows("The file is free.");
        assert_eq!(page.evaluate("document.querySelector('[aria-labelledby=holders]')"), serde_json::Value::Null);

        // What he saves after that is refused, and not lost.
        frame.fill("#text", "what Bob had not saved");
        frame.click("#save");
        says(&frame, "save 409");
        let on_disk = |name: &str| std::fs::read_to_string(house.folder().join(name)).expect("it is there");
        assert_eq!(on_disk("Report.docx"), "first draft");
        page.goes_to(&house.url("/rescued"));
        page.shows("No save of yours was refused");
        his.goes_to(&house.url("/rescued"));
        his.shows("Report.docx");
        his.arrives(|page| page.click_at("main button", "Put back as a copy"));
        let beside: Vec<String> = std::fs::read_dir(house.folder())
            .expect("the folder can be read")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".docx") && name != "Report.docx")
            .collect();
        assert_eq!(beside.len(), 1, "{beside:?}");
        assert_eq!(on_disk(&beside[0]), "what Bob had not saved");
        assert_eq!(on_disk("Report.docx"), "first draft");
        his.is_content();
        page.is_content();
    });
}

#[test]
fn an_editor_stops_at_its_next_request_when_its_person_ends_all_sessions_elsewhere() {
    let Some(browser) = Browser::start() else { return };
    run(120, async {
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        upload(&page, &[&house.file_outside("Report.docx", b"first draft")]);
        let frame = open(&page, "Report.docx");

        let elsewhere = browser.person();
        let account = house.signs_in(&elsewhere, "Alice");
        account.goes_to(&house.url("/account"));
        account.arrives(|account| account.click("form[action$='end-all'] button"));
        assert_eq!(account.path(), "/sign-in");

        frame.fill("#text", "second draft");
        frame.click("#save");
        says(&frame, "save 401");
        let on_disk = std::fs::read_to_string(house.folder().join("Report.docx")).expect("it is there");
        assert_eq!(on_disk, "first draft");
        page.goes_to(&house.url("/"));
        assert_eq!(page.path(), "/sign-in");
    });
}
