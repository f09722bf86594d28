//! Pages without a mouse, and what a browser does by itself: reload, go back.

use crate::common::run;
use crate::driver::Browser;
use crate::house::{House, upload};

#[test]
fn the_menu_of_a_row_is_used_by_keys_alone() {
    let Some(browser) = Browser::start() else { return };
    run(300, async {
        let house = House::opens(None).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        upload(&page, &[&house.file_outside("a.txt", b"words"), &house.file_outside("b.txt", b"words")]);
        let focused = || page.text_of("document.activeElement.textContent.trim()");
        let expanded = || page.text_of("document.querySelector('a.more').getAttribute('aria-expanded')");
        page.evaluate("document.querySelector('a.more').focus()");
        page.presses("Enter");
        page.until("the menu is open", "document.activeElement.closest('.menu-items') !== null");
        assert_eq!((focused().as_str(), expanded().as_str()), ("Open", "true"));
        page.presses("ArrowDown");
        assert_eq!(focused(), "Download");
        page.presses("Escape");
        page.until("the menu is closed", "document.querySelector('tbody .menu-items') === null");
        assert_eq!(page.text_of("document.activeElement.className"), "more");
        assert_eq!(expanded(), "false");
        page.presses(" ");
        page.until("the menu is open", "document.activeElement.closest('.menu-items') !== null");
        page.evaluate("document.querySelector('tbody .menu-items input[name=name]').select()");
        page.types("c.txt");
        page.arrives(|page| page.presses("Enter"));
        page.shows("c.txt");
        // Whoever has no scripts goes to the page of the file, which has the same.
        let details = page.text_of("document.querySelector('tr:last-child a.more').href");
        page.goes_to(&details);
        page.shows("c.txt");
        assert!(page.evaluate("!!document.querySelector('form[action$=\"/delete\"]')").as_bool().unwrap_or_default());
        page.is_content();
    });
}

#[test]
fn the_answer_to_a_refused_form_can_be_reloaded() {
    let Some(browser) = Browser::start() else { return };
    run(300, async {
        let house = House::opens(None).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        upload(&page, &[&house.file_outside("a.txt", b"words")]);
        let details = page.text_of("document.querySelector('a.more').href");
        page.goes_to(&details);
        page.fill("form[action$='/link'] input[name=password]", "short");
        page.arrives(|page| page.click("form[action$='/link'] button"));
        page.takes_troubles();
        page.shows("The password is too short.");
        assert_eq!(page.text_of("location.href"), details);
        page.goes_to(&page.text_of("location.href"));
        page.shows("Versions");
        assert_eq!(page.evaluate("document.querySelector('.trouble') === null"), true);
        // A link that was made is not made once more by looking at its page again.
        page.arrives(|page| page.click("form[action$='/link'] button"));
        page.shows("cannot be shown again");
        assert_eq!(page.text_of("location.href"), details);
        page.goes_to(&page.text_of("location.href"));
        assert_eq!(page.evaluate("document.querySelectorAll('button[name=link]').length"), 1);
        page.is_content();
    });
}
