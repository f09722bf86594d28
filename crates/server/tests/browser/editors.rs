//! What the pages around editors and the editors tell each other.

use crate::common::run;
use crate::driver::{Browser, Page};
use crate::house::{House, address_of, upload};
use crate::office::Office;

/// Opens a document from the list and waits until its editor has it.
pub(crate) fn open(page: &Page, name: &str) -> Page {
    let address = address_of(page, name);
    page.goes_to(&address);
    is_open(page)
}

/// Waits until the editor in this page has its document and may change it.
pub(crate) fn is_open(page: &Page) -> Page {
    let frame = page.frame();
    says(&frame, "open, lock 200");
    frame.until("the page around it is ready", "window.ready");
    frame
}

/// Waits until the editor says this.
pub(crate) fn says(frame: &Page, state: &str) {
    let script = format!("document.getElementById('state').textContent === '{state}'");
    frame.until(&format!("the editor says {state:?}"), &script);
}

/// How often the editor was told this.
fn was_told(frame: &Page, message: &str) -> u64 {
    frame.evaluate(&format!("window.heard.filter((m) => m.MessageId === '{message}').length")).as_u64().unwrap_or(0)
}

#[test]
fn an_editor_of_either_family_is_opened_told_that_the_page_is_ready_and_left_again() {
    let Some(browser) = Browser::start() else { return };
    run(120, async {
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        let files = ["Letter.docx", "Notes.odt"].map(|name| house.file_outside(name, b"some words"));
        upload(&page, &[&files[0], &files[1]]);
        let list = page.path();
        for name in ["Letter.docx", "Notes.odt"] {
            let frame = open(&page, name);
            page.until("the curtain is gone", "document.getElementById('loading').hidden");
            assert_eq!(frame.text_of("window.info.PostMessageOrigin"), house.url(""), "{name}");
            assert_eq!(page.text_of("document.title"), name);
            frame.click("#close");
            page.until("the list is back", &format!("location.pathname === '{list}'"));
            page.is_content();
        }
        let steps = ["CheckFileInfo", "GetFile", "Lock", "Unlock"].map(|operation| (operation, 200));
        let asked: Vec<_> = office.asked().iter().map(|asked| (asked.operation, asked.status)).collect();
        assert_eq!(asked, [steps, steps].concat());
    });
}

#[test]
fn the_page_answers_what_editors_ask_for_and_hears_nobody_else() {
    let Some(browser) = Browser::start() else { return };
    run(120, async {
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        let files = ["Notes.odt", "Cat.svg"]
            .map(|name| house.file_outside(name, br#"<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>"#));
        upload(&page, &[&files[0], &files[1]]);
        let frame = open(&page, "Notes.odt");

        // Sharing and history: a dialog of the page, and the editor leaves the keyboard alone meanwhile.
        for (number, (button, dialog)) in (1..).zip([("#share", "sharing"), ("#versions", "history")]) {
            frame.click(button);
            page.until("the dialog is open", &format!("document.getElementById('{dialog}').open"));
            frame.until(
                "it was told",
                &format!("window.heard.filter((m) => m.MessageId === 'Blur_Focus').length === {number}"),
            );
            page.click(&format!("#{dialog} form button"));
            frame.until(
                "it was told",
                &format!("window.heard.filter((m) => m.MessageId === 'Grab_Focus').length === {number}"),
            );
        }

        // A copy gets the name that the person chooses.
        frame.click("#save-as");
        page.until("the dialog is open", "document.getElementById('save-as').open");
        page.fill("#save-as input", "Copy of notes.odt");
        page.click("#save-as button.primary");
        page.shows("Copy of notes.odt");
        assert_eq!(
            frame.text_of("window.heard.find((m) => m.MessageId === 'Action_SaveAs').Values.Filename"),
            "Copy of notes.odt"
        );
        page.click("#bar [data-dismiss]");

        // A picture of ours goes into the document by an address that brings its own authorization.
        frame.click("#picture");
        page.click_at("#pictures button.picture", "Cat.svg");
        frame.until("it has the picture", "window.heard.some((m) => m.MessageId === 'Action_InsertGraphic')");
        let picture = frame.text_of("window.heard.find((m) => m.MessageId === 'Action_InsertGraphic').Values.url");
        let shown = format!(
            "new Promise((done) => {{ const i = new Image(); i.onload = () => done(i.width); i.onerror = () => done(0); i.src = '{picture}' }})"
        );
        assert_eq!(frame.evaluate(&shown), 9, "{picture}");

        // Another window with the same words is not heard, and neither is the right window with unknown ones.
        let told = was_told(&frame, "Blur_Focus");
        page.evaluate(r#"postMessage('{"MessageId":"UI_Share","Values":{}}', "*")"#);
        page.evaluate(r#"postMessage('{"MessageId":"UI_Close","Values":{}}', "*")"#);
        frame.evaluate(
            r#"["no JSON", "null", "7", '{"MessageId":7}', '{"MessageId":"constructor"}', '{"MessageId":"Nothing_Known"}']
                 .forEach((text) => parent.postMessage(text, "*"))"#,
        );
        frame.evaluate("parent.postMessage({ MessageId: 'App_IsFrameTrusted' }, '*')");
        frame.until("the last one was heard", "window.heard.some((m) => m.MessageId === 'Host_IsFrameTrusted')");
        assert_eq!(page.evaluate("document.querySelectorAll('dialog[open]').length"), 0);
        assert_eq!(was_told(&frame, "Blur_Focus"), told);
        assert_eq!(frame.evaluate("window.refused"), 0);

        // The token is nowhere where somebody could find it later.
        let token = "document.querySelector('input[name=access_token]').value";
        assert_eq!(page.text_of(token), "");
        assert!(!page.text_of("location.href + JSON.stringify(history.state) + document.cookie").contains("v4.local"));
        assert!(!frame.text_of("document.referrer + location.href").contains("v4.local"));
        page.is_content();
    });
}

#[test]
fn who_only_reads_is_sent_to_the_editor_by_its_button() {
    let Some(browser) = Browser::start() else { return };
    run(120, async {
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        upload(&page, &[&house.file_outside("Letter.docx", b"some words")]);
        let edit = address_of(&page, "Letter.docx");
        let view = edit.replace("/edit", "/view");
        page.goes_to(&view);
        let frame = page.frame();
        says(&frame, "reading");
        page.arrives(|_| frame.click("#edit"));
        assert_eq!(page.text_of("location.href"), edit);
        is_open(&page);
        assert!(office.asked().iter().filter(|asked| asked.operation == "Lock").count() == 1);
        page.is_content();
    });
}

#[test]
fn an_editor_that_says_nothing_is_given_up_with_a_page_that_says_what_to_do() {
    let Some(browser) = Browser::start() else { return };
    run(120, async {
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        upload(&page, &[&house.file_outside("Slides.pptx", b"some slides")]);
        page.is_impatient(10);
        let list = page.path();
        let address = address_of(&page, "Slides.pptx");
        page.goes_to(&address);
        page.shows("office does not answer");
        page.is_content();
        page.arrives(|page| page.click_at("#failed a", "Back"));
        assert_eq!(page.path(), list);
    });
}
