//! The text editor, with two people and a server that dies.

use crate::common::run;
use crate::driver::{Browser, Page, Trouble};
use crate::house::{House, address_of, upload};

/// What the area has in it.
fn text(page: &Page) -> String {
    page.text_of("document.getElementById('text').value")
}

fn types_at_the_end(page: &Page, words: &str) {
    page.click("#text");
    page.evaluate(
        "(({ value }) => document.activeElement.setSelectionRange(value.length, value.length))(document.activeElement)",
    );
    page.types(words);
}

fn is_editable(page: &Page) {
    page.until("the text can be edited", "!document.getElementById('text').readOnly");
}

fn is_saved(page: &Page) {
    page.until(
        "the text is saved",
        "document.getElementById('status').textContent === document.getElementById('text').dataset.saySaved",
    );
}

/// A lock that another one has is told by a 409, which browsers put on the console; so is a server that is away.
fn is_expected(trouble: &Trouble) -> bool {
    let told = &trouble.text;
    trouble.url.contains("/wopi/files/") && (told.contains("409") || told.contains("ERR_CONNECTION_REFUSED"))
}

#[test]
fn two_people_and_a_server_that_dies_lose_nothing_that_was_typed() {
    let Some(browser) = Browser::start() else { return };
    run(180, async {
        let mut house = House::opens(None).await;
        let (alice, bob) = (browser.person(), browser.person());
        let list = house.first_person(&alice, "Alice");
        house.add_person("Bob", "editor");
        let file = house.file_outside("plan.txt", b"Monday\r\nTuesday\r\n");
        upload(&list, &[&file]);
        let address = address_of(&list, "plan.txt");
        list.closes();
        let on_disk = || std::fs::read_to_string(house.folder().join("plan.txt")).expect("it is there");

        // The first one has it; the second one is told who that is, and reads.
        let first = alice.opens(&address);
        is_editable(&first);
        let second = house.signs_in(&bob, "Bob");
        second.goes_to(&address);
        second.shows("Alice");
        assert_eq!(text(&second), "Monday\nTuesday\n");
        assert_eq!(second.evaluate("document.getElementById('text').readOnly"), true);

        // A save, with the line ends that the file had.
        types_at_the_end(&first, "Wednesday\n");
        first.control('s');
        is_saved(&first);
        assert_eq!(on_disk(), "Monday\r\nTuesday\r\nWednesday\r\n");

        // The server dies under what is being typed. It is said, and typing goes on.
        types_at_the_end(&first, "Thursday\n");
        house.dies();
        first.control('s');
        first.shows("Lectern cannot be reached");
        types_at_the_end(&first, "Friday\n");
        house.comes_back().await;
        first.click_at("#notices button", "Try again");
        is_saved(&first);
        let on_disk = || std::fs::read_to_string(house.folder().join("plan.txt")).expect("it is there");
        assert_eq!(on_disk(), "Monday\r\nTuesday\r\nWednesday\r\nThursday\r\nFriday\r\n");
        first.complains_only(is_expected);

        // The first one's browser dies with something unsaved. It comes back, and so does the text, under the same lock.
        types_at_the_end(&first, "Saturday\n");
        let kept = "Object.entries(localStorage).some(([, draft]) => draft.includes('Saturday'))";
        first.until("the draft is kept", kept);
        first.dies();
        let first = alice.opens(&address);
        is_editable(&first);
        first.until("the draft is back", "document.getElementById('text').value.includes('Saturday')");
        first.click("#save");
        is_saved(&first);
        assert!(on_disk().ends_with("Friday\r\nSaturday\r\n"), "{}", on_disk());
        first.complains_only(is_expected);

        // The first one goes; the second one is told, and goes on from there.
        first.closes();
        second.shows("The file is free now");
        second.click_at("#notices button", "Edit");
        is_editable(&second);
        assert!(text(&second).ends_with("Friday\nSaturday\n"), "{}", text(&second));
        types_at_the_end(&second, "Sunday\n");
        second.click("#save");
        is_saved(&second);
        assert!(on_disk().ends_with("Saturday\r\nSunday\r\n"), "{}", on_disk());
        second.complains_only(is_expected);
    });
}
