//! Every page, light and dark, narrow and wide: pictures for people in `target/screenshots`, and what a program can see
//! by itself: complaints of the browser, things that stick out at the side, and the findings of axe-core.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{in_ci, run};
use crate::driver::{Browser, Looks, Page, Scheme};
use crate::house::{House, address_of, upload};
use crate::office::Office;

/// A phone and a desk, in pixels.
const WIDTHS: [u32; 2] = [390, 1280];

/// Where `cargo xtask test` puts axe-core, from the root of the repository.
const AXE: &str = "target/axe-core/node_modules/axe-core/axe.min.js";

/// Asks axe-core for what is wrong, in one line for each element. Frames of others are theirs.
const FINDINGS: &str = r#"axe.run(document, { resultTypes: ["violations"], iframes: false }).then(({ violations }) =>
  violations.flatMap(({ id, impact, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => [impact, `${id} (${help}) at ${target.join(" ")}: ${failureSummary ?? ""}`])))"#;

/// The impacts that fail the test; smaller ones are printed.
const SERIOUS: [&str; 2] = ["serious", "critical"];

/// Looks at pages and remembers what is wrong with them.
struct Gallery {
    pictures: PathBuf,
    axe: Option<String>,
    wrong: Vec<String>,
}

impl Gallery {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let pictures = root.join("target/screenshots");
        std::fs::create_dir_all(&pictures).expect("a folder for pictures");
        let axe = std::fs::read_to_string(root.join(AXE)).ok();
        if axe.is_none() {
            assert!(!in_ci(), "{AXE} is missing, and CI must look with it\nhint: `cargo xtask test` fetches it");
            eprintln!("SKIPPED: accessibility, because {AXE} is missing (`cargo xtask test` fetches it from npm)");
        }
        Self { pictures, axe, wrong: Vec::new() }
    }

    /// Looks at what the page shows now, in all four ways.
    fn looks_at(&mut self, page: &Page, name: &str) {
        for width in WIDTHS {
            for scheme in [Scheme::Light, Scheme::Dark] {
                page.looks(Looks { width, scheme });
                page.picture(&self.pictures.join(format!("{name}-{}-{width}.png", scheme.name())));
                let place = format!("{name}, {}, {width}", scheme.name());
                let over = page.evaluate("document.documentElement.scrollWidth - innerWidth").as_i64().unwrap_or(0);
                if over > 0 {
                    self.wrong.push(format!("{place}: {over} pixels stick out at the side"));
                }
                self.ask_axe(page, &place);
            }
        }
        let troubles = page.takes_troubles();
        self.wrong.extend(troubles.iter().map(|trouble| format!("{name}: {} ({})", trouble.text, trouble.url)));
    }

    fn ask_axe(&mut self, page: &Page, place: &str) {
        let Some(axe) = &self.axe else { return };
        if page.evaluate("typeof axe") == "undefined" {
            page.evaluate(&format!("{axe};void 0"));
        }
        let Value::Array(findings) = page.evaluate(FINDINGS) else { panic!("axe-core answers with a list") };
        for finding in findings {
            let [impact, text] = [0, 1].map(|at| finding[at].as_str().unwrap_or_default());
            let line = format!("{place}: {impact}: {text}");
            if SERIOUS.contains(&impact) { self.wrong.push(line) } else { println!("{line}") }
        }
    }

    /// Fails with everything that was found, so that it can be put right at once.
    fn closes(self) {
        assert!(self.wrong.is_empty(), "{} things are wrong:\n{}", self.wrong.len(), self.wrong.join("\n"));
    }
}

/// A PDF of one empty page.
const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n\
    2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>endobj\n\
    trailer<</Root 1 0 R>>\n";

const SVG: &[u8] = br##"<svg xmlns="http://www.w3.org/2000/svg" width="640" height="360" viewBox="0 0 640 360">
    <rect width="640" height="360" fill="#8fb3d9"/><path d="M0 360 220 120l120 130 90-80 210 190z" fill="#3c6e47"/>
    <circle cx="520" cy="80" r="40" fill="#f5d76e"/></svg>"##;

#[test]
fn the_gallery_sees_what_is_wrong_with_a_page() {
    let Some(browser) = Browser::start() else { return };
    let mut gallery = Gallery::new();
    gallery.pictures = std::env::temp_dir();
    let page = browser.person().opens(
        "data:text/html,<title>x</title><input><p style='width:2000px;color:%23eee;background:white'>pale</p>\
         <script>console.error('oh'); undefined.x</script>",
    );
    gallery.looks_at(&page, "lectern-wrong");
    for scheme in [Scheme::Light, Scheme::Dark] {
        for width in WIDTHS {
            let picture = gallery.pictures.join(format!("lectern-wrong-{}-{width}.png", scheme.name()));
            assert!(std::fs::metadata(&picture).is_ok_and(|picture| picture.len() > 1000), "{}", picture.display());
            std::fs::remove_file(picture).expect("it is there");
        }
    }
    let wrong = gallery.wrong.join("\n");
    let mut expected = vec!["stick out at the side", "oh", "TypeError"];
    if gallery.axe.is_some() {
        expected.extend(["color-contrast", "(Form elements must have labels)"]);
    }
    for expected in expected {
        assert!(wrong.contains(expected), "it does not see {expected:?}: {wrong}");
    }
}

#[test]
fn every_page_is_without_errors_accessible_and_fits_phones_and_desks_light_and_dark() {
    let Some(browser) = Browser::start() else { return };
    run(400, async {
        let mut gallery = Gallery::new();
        let office = Office::start().await;
        let house = House::opens(Some(&office)).await;

        // Before anybody is signed in.
        let stranger = browser.person();
        let page = stranger.opens(&house.first_link());
        gallery.looks_at(&page, "welcome");
        page.goes_to(&house.url("/sign-in"));
        gallery.looks_at(&page, "sign-in");
        page.fill("input[name=name]", "Nobody");
        page.fill("input[name=password]", "wrong");
        page.arrives(|page| page.click("main form button.primary"));
        page.takes_troubles();
        gallery.looks_at(&page, "sign-in-refused");
        page.closes();

        let alice = browser.person();
        let page = house.first_person(&alice, "Alice");
        gallery.looks_at(&page, "files-empty");
        let names = [
            "Annual report 2026.docx",
            "Notes.odt",
            "plan.txt",
            "Landscape.svg",
            "Manual.pdf",
            "Slides.pptx",
            "archive.zip",
        ];
        let files: Vec<PathBuf> = names
            .iter()
            .map(|name| {
                let bytes: &[u8] = match name.rsplit('.').next() {
                    Some("svg") => SVG,
                    Some("pdf") => PDF,
                    _ => b"Some words, and some more of them.\n",
                };
                house.file_outside(name, bytes)
            })
            .collect();
        let long = format!("{}.txt", "A name as long as people make them when nothing stops them ".repeat(3).trim());
        let long = house.file_outside(&long, b"long");
        let mut files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        files.push(&long);
        upload(&page, &files);
        let list = page.text_of("location.href");
        page.click("button[popovertarget=new]");
        page.until("the dialog is open", "document.querySelector('#new').matches(':popover-open')");
        gallery.looks_at(&page, "new");
        page.fill("#new form.fields input[name=name]", "Projects");
        page.arrives(|page| page.click("#new form.fields button"));
        page.goes_to(&list);
        gallery.looks_at(&page, "files");
        page.click("tr[data-row]:nth-child(3) summary");
        gallery.looks_at(&page, "files-menu");
        let address = |name: &str| address_of(&page, name);
        let shown = ["plan.txt", "Landscape.svg", "Manual.pdf", "archive.zip", "Annual report 2026.docx"].map(address);
        page.click("header details summary");
        gallery.looks_at(&page, "person-menu");
        page.goes_to(&house.url("/search?q=an"));
        gallery.looks_at(&page, "search");
        page.goes_to(&house.url("/search?q=nothing-has-this-name"));
        gallery.looks_at(&page, "search-nothing");
        page.goes_to(&house.url("/account"));
        gallery.looks_at(&page, "account");
        page.goes_to(&house.url("/no-such-page"));
        page.takes_troubles();
        gallery.looks_at(&page, "not-found");

        let [text, picture, pdf, archive, document] = shown;
        for (address, name) in [(text, "text"), (picture, "picture"), (pdf, "pdf"), (archive, "no-client")] {
            page.goes_to(&address);
            if name == "text" {
                page.until("the text can be edited", "!document.getElementById('text').readOnly");
            }
            gallery.looks_at(&page, name);
        }
        page.goes_to(&document);
        let frame = crate::editors::is_open(&page);
        gallery.looks_at(&page, "editor");
        frame.click("#share");
        page.until("the dialog is open", "document.getElementById('sharing').open");
        gallery.looks_at(&page, "editor-sharing");
        page.goes_to(&list);
        gallery.closes();
    });
}
