//! Names, people and documents that would like to be scripts.
//!
//! Each of these sets `pwned` if it is ever run. The policy of the pages would stop most of them even if they were not
//! escaped, and complain; so no complaint is taken either.

use crate::common::run;
use crate::driver::{Browser, Page};
use crate::house::House;

/// What would run inside of a text, an attribute in either kind of quotes, a script's text, or an address.
const WORDS: [&str; 5] = [
    "<img src=x onerror=pwned=1>",
    r#""onfocus=pwned=1 autofocus x=""#,
    "'onfocus=pwned=1 autofocus x='",
    "${pwned=1}`+(pwned=1)+`",
    "javascript:pwned=1",
];

/// A picture that brings a script.
const SVG: &[u8] =
    br#"<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="pwned=1"><script>pwned=1</script></svg>"#;

/// Nothing has run, and nothing has tried to.
fn is_harmless(page: &Page, words: &str) {
    assert_eq!(page.evaluate("typeof pwned"), "undefined", "{words} ran on {}", page.path());
    page.is_content();
}

#[test]
fn names_of_files_and_people_run_nothing_on_any_page() {
    let Some(browser) = Browser::start() else { return };
    run(180, async {
        let house = House::opens(None).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        for words in WORDS {
            // By another program, which may use names that we would refuse.
            std::fs::write(house.folder().join(format!("{words}.txt")), words).expect("a file");
            std::fs::create_dir(house.folder().join(format!("{words} below"))).expect("a folder");
        }
        for (number, words) in WORDS.iter().enumerate() {
            house.add_person_shown_as(&format!("person{number}"), words);
        }
        page.goes_to(&house.url("/"));
        for words in WORDS {
            page.shows(&format!("{words}.txt"));
            page.shows(&format!("{words} below"));
        }
        is_harmless(&page, "a name in the list");
        let rows = page.evaluate("[...document.querySelectorAll('a.entry')].map((entry) => entry.href)");
        let rows = rows.as_array().expect("a list").clone();
        assert_eq!(rows.len(), 2 * WORDS.len());
        for address in rows.iter().filter_map(|address| address.as_str()) {
            page.goes_to(address);
            if address.contains("/open/") {
                page.until("the text can be edited", "!document.getElementById('text').readOnly");
                is_harmless(&page, address);
                page.goes_to(&address.replace("/open/", "/details/").replace("/edit", ""));
            }
            is_harmless(&page, address);
        }
        for words in WORDS {
            let query: String = url::form_urlencoded::byte_serialize(words.as_bytes()).collect();
            page.goes_to(&house.url(&format!("/search?q={query}")));
            page.shows(&format!("{words}.txt"));
            is_harmless(&page, words);
        }
        page.goes_to(&house.url("/admin/people"));
        for words in WORDS {
            page.shows(words);
        }
        is_harmless(&page, "the name of a person");

        // What would have been seen if one of them had got through.
        let through =
            format!("document.body.insertAdjacentHTML('beforeend', {})", crate::driver::page::quoted(WORDS[0]));
        page.evaluate(&through);
        page.until("the picture has failed", "document.querySelector('img[src=x]').complete");
        assert!(!page.takes_troubles().is_empty());
    });
}

#[test]
fn documents_that_are_scripts_run_nothing_where_they_are_shown() {
    let Some(browser) = Browser::start() else { return };
    run(120, async {
        let house = House::opens(None).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        let html: &[u8] = b"<!doctype html><title>x</title><script>pwned=1</script><img src=x onerror=pwned=1>";
        for (name, bytes) in [("Cat.svg", SVG), ("Page.html", html), ("Page.txt", html), ("Page.md", html)] {
            std::fs::write(house.folder().join(name), bytes).expect("a file");
        }
        page.goes_to(&house.url("/"));
        for name in ["Cat.svg", "Page.html", "Page.txt", "Page.md"] {
            page.goes_to(&house.url("/"));
            let address = crate::house::address_of(&page, name);
            page.goes_to(&address);
            page.shows(name);
            is_harmless(&page, name);

            // By itself, as somebody who was sent the address would see it. An answer that is not shown is saved.
            let id = address.rsplit('/').nth(1).expect("an address of a file").to_owned();
            for way in ["show", "download"] {
                let path = house.url(&format!("/{way}/{id}"));
                let asked = format!(
                    "fetch('{path}').then((a) => [a.status, a.headers.get('content-disposition') ?? '', \
                     a.headers.get('content-type') ?? '', a.headers.get('content-security-policy') ?? '', \
                     a.headers.get('x-content-type-options') ?? ''])"
                );
                let told = page.evaluate(&asked);
                let [saved, kind, policy, sniffed] =
                    [1, 2, 3, 4].map(|at| told[at].as_str().unwrap_or_default().to_owned());
                let is_shown = told[0] == 200 && !saved.starts_with("attachment");
                assert!(way == "show" || !is_shown, "{name}: {told}");
                assert!(sniffed == "nosniff", "{name}: {told}");
                if is_shown {
                    assert!(policy.contains("default-src 'none'") && !kind.contains("html"), "{name}: {told}");
                    page.goes_to(&path);
                    assert_eq!(page.evaluate("typeof pwned"), "undefined", "{name} ran");
                    page.takes_troubles();
                    page.goes_to(&address);
                }
            }
            page.takes_troubles();
        }
    });
}
