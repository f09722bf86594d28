//! From the first link to a document that was edited, shared and taken back.

use crate::common::run;
use crate::driver::Browser;
use crate::editors::{open, says};
use crate::house::{House, upload};
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
