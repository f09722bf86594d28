//! Every page, in every state that looks different: without errors, accessible, and in its place on phones and desks, by
//! day and by night.

use std::path::{Path, PathBuf};

use crate::common::run;
use crate::driver::{Browser, Page};
use crate::editors::{is_open, open};
use crate::gallery::Gallery;
use crate::house::{House, address_of, upload};
use crate::office::Office;

/// A PDF of one empty page.
const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n\
    2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>endobj\n\
    trailer<</Root 1 0 R>>\n";

const SVG: &[u8] = br##"<svg xmlns="http://www.w3.org/2000/svg" width="640" height="360" viewBox="0 0 640 360">
    <rect width="640" height="360" fill="#8fb3d9"/><path d="M0 360 220 120l120 130 90-80 210 190z" fill="#3c6e47"/>
    <circle cx="520" cy="80" r="40" fill="#f5d76e"/></svg>"##;

/// Files of every kind that has a page of its own, and one whose name is longer than any page.
fn files(house: &House) -> Vec<PathBuf> {
    let long = format!("{}.txt", "A name as long as people make them when nothing stops them ".repeat(3).trim());
    let names = [
        "Annual report 2026.docx",
        "Notes.odt",
        "plan.txt",
        "Landscape.svg",
        "Manual.pdf",
        "Slides.pptx",
        "archive.zip",
        &long,
    ];
    let file = |name: &&str| {
        let bytes = match name.rsplit('.').next() {
            Some("svg") => SVG,
            Some("pdf") => PDF,
            _ => b"Some words, and some more of them.\n",
        };
        house.file_outside(name, bytes)
    };
    names.iter().map(file).collect()
}

fn upload_all(house: &House, page: &Page) {
    let files = files(house);
    upload(page, &files.iter().map(PathBuf::as_path).collect::<Vec<_>>());
}

/// The page about a file that the list shows.
fn details_of(page: &Page, name: &str) -> String {
    let address = address_of(page, name);
    let end = address.rfind('/').expect("an address has a path");
    address[..end].replace("/open/", "/details/")
}

/// Goes somewhere, and does not mind what a browser says about the status of the answer.
fn stumbles_to(page: &Page, address: &str) {
    page.goes_to(address);
    page.takes_troubles();
}

#[test]
fn the_pages_before_one_is_signed_in_look_well() {
    let Some(browser) = Browser::start() else { return };
    run(300, async {
        let mut gallery = Gallery::new();
        let house = House::opens(None).await;
        let stranger = browser.person();
        let page = stranger.opens(&house.first_link());
        gallery.looks_at(&page, "welcome");
        page.fill("input[name=name]", "Alice");
        page.fill("input[name=password]", "one password");
        page.fill("input[name=again]", "another password");
        page.arrives(|page| page.click("main form button.primary"));
        page.takes_troubles();
        gallery.looks_at(&page, "welcome-refused");
        page.goes_to(&house.url("/sign-in"));
        gallery.looks_at(&page, "sign-in");
        page.fill("input[name=name]", "Nobody");
        page.fill("input[name=password]", "wrong");
        page.arrives(|page| page.click("main form button.primary"));
        page.takes_troubles();
        gallery.looks_at(&page, "sign-in-refused");
        stumbles_to(&page, &house.url("/welcome/spent"));
        gallery.looks_at(&page, "welcome-spent");
        gallery.closes();
    });
}

#[test]
fn the_pages_of_containers_look_well() {
    let Some(browser) = Browser::start() else { return };
    run(300, async {
        let mut gallery = Gallery::new();
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        gallery.looks_at(&page, "files-empty");
        upload_all(&house, &page);
        let list = page.text_of("location.href");
        page.click("button[popovertarget=new]");
        page.until("the dialog is open", "document.querySelector('#new').matches(':popover-open')");
        gallery.looks_at(&page, "new");
        page.fill("#new form.fields input[name=name]", "Projects");
        page.arrives(|page| page.click("#new form.fields button"));
        gallery.looks_at(&page, "files-below");
        let below = page.text_of("location.href");
        page.goes_to(&list);
        gallery.looks_at(&page, "files");
        page.click("tr[data-row]:nth-child(3) a.more");
        gallery.looks_at(&page, "files-menu");
        page.click("header details summary");
        gallery.looks_at(&page, "person-menu");
        page.goes_to(&list);
        page.click("button[popovertarget=new]");
        page.fill("#new form.fields input[name=name]", "con");
        page.arrives(|page| page.click("#new form.fields button"));
        page.takes_troubles();
        gallery.looks_at(&page, "files-refused");
        page.goes_to(&house.url("/search?q=an"));
        gallery.looks_at(&page, "search");
        page.goes_to(&house.url("/search?q=nothing-has-this-name"));
        gallery.looks_at(&page, "search-nothing");
        page.goes_to(&below);
        page.fill("input[name=q]", "an");
        page.arrives(|page| page.presses("Enter"));
        gallery.looks_at(&page, "search-below");
        page.goes_to(&house.url("/account"));
        gallery.looks_at(&page, "account");
        stumbles_to(&page, &house.url("/no-such-page"));
        gallery.looks_at(&page, "not-found");
        gallery.closes();
    });
}

#[test]
fn the_pages_in_which_files_are_opened_look_well() {
    let Some(browser) = Browser::start() else { return };
    run(300, async {
        let mut gallery = Gallery::new();
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        upload_all(&house, &page);
        let shown = [
            ("plan.txt", "text"),
            ("Landscape.svg", "picture"),
            ("Manual.pdf", "pdf"),
            ("archive.zip", "no-client"),
            ("Annual report 2026.docx", "editor"),
            ("Slides.pptx", "editor-silent"),
        ];
        let shown = shown.map(|(file, name)| (address_of(&page, file), name));
        page.is_impatient(10);
        for (address, name) in shown {
            page.goes_to(&address);
            match name {
                "text" => {
                    page.until("the text can be edited", "!document.getElementById('text').readOnly");
                }
                "editor" => {
                    is_open(&page);
                }
                "editor-silent" => page.shows("does not answer"),
                _ => {}
            }
            gallery.looks_at(&page, name);
            if name == "editor" {
                page.frame().click("#share");
                page.until("the dialog is open", "document.getElementById('sharing').open");
                gallery.looks_at(&page, "editor-sharing");
            }
        }
        gallery.closes();
    });
}

#[test]
fn the_pages_about_a_file_its_history_and_whom_it_is_shared_with_look_well() {
    let Some(browser) = Browser::start() else { return };
    run(300, async {
        let mut gallery = Gallery::new();
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        upload(&page, &[&house.file_outside("Report.docx", b"first draft")]);
        let list = page.text_of("location.href");
        let details = details_of(&page, "Report.docx");
        page.goes_to(&details);
        gallery.looks_at(&page, "details-new");

        // Three versions, and somebody has it open.
        page.goes_to(&list);
        let frame = open(&page, "Report.docx");
        for text in ["second draft", "third draft"] {
            frame.fill("#text", text);
            frame.click("#save");
            crate::editors::says(&frame, "save 200");
        }
        let other = alice.opens(&details);
        house.add_person("Bob", "member");
        other.fill("form[action*='/share/'] input[name=to]", "Bob");
        other.arrives(|page| page.click_at("form[action*='/share/'] button", "Share"));
        other.fill("form[action$='/link'] input[name=label]", "For the board");
        other.fill("form[action$='/link'] input[name=password]", "speak, friend");
        other.arrives(|page| page.click("form[action$='/link'] button"));
        let link = other.text_of("document.querySelector('input.mono').value");
        gallery.looks_at(&other, "details-link-made");
        other.click("[aria-labelledby=history] li:nth-child(2) summary");
        gallery.looks_at(&other, "details-version-menu");
        other.fill("form[action*='/share/'] input[name=to]", "Nobody known");
        other.arrives(|page| page.click_at("form[action*='/share/'] button", "Share"));
        other.takes_troubles();
        gallery.looks_at(&other, "details-refused");
        other.goes_to(&list);
        gallery.looks_at(&other, "files-held");
        other.goes_to(&list.replace("/browse/", "/sharing/"));
        gallery.looks_at(&other, "sharing-container");
        other.goes_to(&house.url("/rescued"));
        gallery.looks_at(&other, "rescued-empty");
        other.goes_to(&details);
        other.arrives(|page| page.click("form[action$='/release'] button"));
        frame.fill("#text", "fourth draft");
        frame.click("#save");
        crate::editors::says(&frame, "save 409");
        other.goes_to(&house.url("/rescued"));
        other.shows("Report.docx");
        gallery.looks_at(&other, "rescued");

        let bob = browser.person();
        let his = house.signs_in(&bob, "Bob");
        gallery.looks_at(&his, "member-home");
        his.goes_to(&house.url("/shared"));
        gallery.looks_at(&his, "shared");
        page.goes_to(&house.url("/shared"));
        gallery.looks_at(&page, "shared-empty");

        let guest = browser.person();
        let theirs = guest.opens(&link);
        gallery.looks_at(&theirs, "link");
        theirs.fill("input[name=name]", "Grace");
        theirs.fill("input[name=password]", "wrong");
        theirs.arrives(|page| page.click("main form button.primary"));
        theirs.takes_troubles();
        gallery.looks_at(&theirs, "link-refused");
        theirs.fill("input[name=password]", "speak, friend");
        theirs.arrives(|page| page.click("main form button.primary"));
        crate::editors::says(&theirs.frame(), "reading");
        gallery.looks_at(&theirs, "link-guest");
        stumbles_to(&theirs, &house.url("/link/spent"));
        gallery.looks_at(&theirs, "link-spent");
        gallery.closes();
    });
}

#[test]
fn the_pages_of_the_bin_and_of_moving_look_well() {
    let Some(browser) = Browser::start() else { return };
    run(300, async {
        let mut gallery = Gallery::new();
        let house = House::opens(None).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        page.goes_to(&house.url("/bin"));
        gallery.looks_at(&page, "bin-empty");
        page.goes_to(&house.url("/"));
        let files = ["old.txt", "older.txt"].map(|name| house.file_outside(name, b"words"));
        upload(&page, &files.each_ref().map(PathBuf::as_path) as &[&Path]);
        page.click("button[popovertarget=new]");
        page.fill("#new form.fields input[name=name]", "Projects");
        page.arrives(|page| page.click("#new form.fields button"));
        page.goes_to(&house.url("/"));
        page.click("tr[data-row]:nth-child(2) a.more");
        page.arrives(|page| page.click_at("tr[data-row] .menu-items a", "Move"));
        gallery.looks_at(&page, "move");
        page.arrives(|page| page.click_at("main a.entry", "Projects"));
        gallery.looks_at(&page, "move-below");
        page.arrives(|page| page.click("main form button.primary"));
        page.shows("old.txt");
        gallery.looks_at(&page, "moved");
        page.click("tr[data-row]:nth-child(1) a.more");
        page.arrives(|page| page.click_at("tr[data-row] .menu-items button", "Delete"));
        gallery.looks_at(&page, "deleted");
        page.goes_to(&house.url("/bin"));
        page.shows("old.txt");
        gallery.looks_at(&page, "bin");
        page.arrives(|page| page.click_at("main button", "Put back"));
        gallery.looks_at(&page, "put-back");
        gallery.closes();
    });
}

#[test]
fn the_pages_of_the_administration_look_well() {
    let Some(browser) = Browser::start() else { return };
    run(300, async {
        let mut gallery = Gallery::new();
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        house.add_person("Bob", "member");
        page.goes_to(&house.url("/admin/people"));
        gallery.looks_at(&page, "admin-people");
        page.click("main li:nth-child(1) summary");
        gallery.looks_at(&page, "admin-people-menu");
        page.goes_to(&house.url("/admin/groups"));
        gallery.looks_at(&page, "admin-groups-none");
        page.fill("form[action$='/groups'] input", "Board");
        page.arrives(|page| page.click("form[action$='/groups'] button"));
        page.fill("form[action$='/add'] input", "Bob");
        page.arrives(|page| page.click("form[action$='/add'] button"));
        gallery.looks_at(&page, "admin-groups");
        page.goes_to(&house.url("/admin/clients"));
        gallery.looks_at(&page, "admin-clients");
        page.arrives(|page| page.click("form[action$='/try'] button"));
        gallery.looks_at(&page, "admin-clients-tried");

        // A request that is refused, for the list of those.
        page.goes_to(&house.url("/"));
        upload(&page, &[&house.file_outside("Report.docx", b"first draft")]);
        let frame = open(&page, "Report.docx");
        frame.evaluate(
            "operateForTest = fetch(`/session/${facts.session}/token`, { method: 'POST', body: 'v4.local.none' })",
        );
        frame.evaluate("operateForTest.then(() => 1)");
        frame.click("#save");
        crate::editors::says(&frame, "save 401");
        page.goes_to(&house.url("/admin/diagnostics"));
        page.shows("401");
        gallery.looks_at(&page, "admin-diagnostics");
        page.goes_to(&house.url("/admin/storage"));
        gallery.looks_at(&page, "admin-storage");
        page.goes_to(&house.url("/admin/settings"));
        gallery.looks_at(&page, "admin-settings");
        gallery.closes();
    });
}

#[test]
fn the_pages_in_german_fit_a_phone() {
    let Some(browser) = Browser::start() else { return };
    run(300, async {
        let mut gallery = Gallery::new();
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;
        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        upload_all(&house, &page);
        page.arrives(|page| page.click_at("footer button", "Deutsch"));
        assert_eq!(page.text_of("document.documentElement.lang"), "de");
        gallery.looks_narrowly_at(&page, "de-files");
        let details = details_of(&page, "Annual report 2026.docx");
        let [text, archive] = ["plan.txt", "archive.zip"].map(|name| address_of(&page, name));
        for (address, name) in [(details, "details"), (text, "text"), (archive, "no-client")] {
            page.goes_to(&address);
            gallery.looks_narrowly_at(&page, &format!("de-{name}"));
        }
        let paths = [
            "account",
            "bin",
            "shared",
            "rescued",
            "search?q=an",
            "admin/people",
            "admin/groups",
            "admin/clients",
            "admin/diagnostics",
            "admin/storage",
            "admin/settings",
            "sign-in",
        ];
        for path in paths {
            page.goes_to(&house.url(&format!("/{path}")));
            let name = path.split('?').next().unwrap_or_default().replace('/', "-");
            gallery.looks_narrowly_at(&page, &format!("de-{name}"));
        }
        gallery.closes();
    });
}
