//! Looks at pages, light and dark, narrow and wide: pictures for people in `target/screenshots`, and what a program can
//! see by itself: complaints of the browser, things that stick out at the side, and the findings of axe-core.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::in_ci;
use crate::driver::{Browser, Looks, Page, Scheme};

/// A phone and a desk, in pixels.
const WIDTHS: [u32; 2] = [390, 1280];

/// Where `cargo xtask test` puts axe-core, from the root of the repository.
const AXE: &str = "target/axe-core/node_modules/axe-core/axe.min.js";

/// Asks axe-core for what is wrong, in one line for each element. Frames of others are theirs.
const FINDINGS: &str = r#"axe.run(document, { resultTypes: ["violations"], iframes: false }).then(({ violations }) =>
  violations.flatMap(({ id, impact, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => [impact, `${id} (${help}) at ${target.join(" ")}: ${failureSummary ?? ""}`])))"#;

/// Words that stand in a column of single letters, and fields in which nobody sees what they type.
const SQUEEZED: &str = r#"(() => {
  const words = (element) => [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
  const fields = "input:not([type=checkbox], [type=radio], [type=hidden]), select, textarea";
  const range = document.createRange();
  // Those are for screen readers only.
  const is_clipped = (element) => element !== null && (getComputedStyle(element).clipPath !== "none" || is_clipped(element.parentElement));
  const is_squeezed = (element) => {
    const style = getComputedStyle(element);
    if (element.matches(fields)) {
      return element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) < 90;
    }
    return parseFloat(style.fontSize) > 0 && words(element).some((text) => {
      range.selectNodeContents(text);
      const lines = range.getClientRects().length;
      return lines > 3 && text.data.trim().length / lines < 8;
    });
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !is_clipped(element))
    .filter(is_squeezed)
    .map((element) => `${element.tagName.toLowerCase()}.${element.className} ${(element.name ?? element.textContent).trim().slice(0, 30)}`);
})()"#;

/// The impacts that fail the test; smaller ones are printed.
const SERIOUS: [&str; 2] = ["serious", "critical"];

/// Looks at pages and remembers what is wrong with them.
pub(crate) struct Gallery {
    pictures: PathBuf,
    axe: Option<String>,
    wrong: Vec<String>,
}

impl Gallery {
    pub(crate) fn new() -> Self {
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
    pub(crate) fn looks_at(&mut self, page: &Page, name: &str) {
        for width in WIDTHS {
            for scheme in [Scheme::Light, Scheme::Dark] {
                self.looks_once(page, name, Looks { width, scheme });
            }
        }
    }

    /// The same on a phone in daylight only.
    pub(crate) fn looks_narrowly_at(&mut self, page: &Page, name: &str) {
        self.looks_once(page, name, Looks { width: WIDTHS[0], scheme: Scheme::Light });
    }

    fn looks_once(&mut self, page: &Page, name: &str, looks: Looks) {
        page.looks(looks);
        let Looks { width, scheme } = looks;
        page.picture(&self.pictures.join(format!("{name}-{}-{width}.png", scheme.name())));
        let place = format!("{name}, {}, {width}", scheme.name());
        let over = page.evaluate("document.documentElement.scrollWidth - innerWidth").as_i64().unwrap_or(0);
        if over > 0 {
            self.wrong.push(format!("{place}: {over} pixels stick out at the side"));
        }
        for squeezed in page.evaluate(SQUEEZED).as_array().expect("a list") {
            self.wrong.push(format!("{place}: no room for {squeezed}"));
        }
        self.ask_axe(page, &place);
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
    pub(crate) fn closes(self) {
        assert!(self.wrong.is_empty(), "{} things are wrong:\n{}", self.wrong.len(), self.wrong.join("\n"));
    }
}

#[test]
fn the_gallery_sees_what_is_wrong_with_a_page() {
    let Some(browser) = Browser::start() else { return };
    let mut gallery = Gallery::new();
    gallery.pictures = std::env::temp_dir();
    let page = browser.person().opens(
        "data:text/html,<title>x</title><input><p style='width:2000px;color:%23eee;background:white'>pale</p>\
         <p style='width:9px;overflow-wrap:anywhere'>letters</p><input style='width:40px' aria-label=y>\
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
    let mut expected =
        vec!["stick out at the side", "oh", "TypeError", "no room for \"p. letters", "no room for \"input."];
    if gallery.axe.is_some() {
        expected.extend(["color-contrast", "(Form elements must have labels)"]);
    }
    for expected in expected {
        assert!(wrong.contains(expected), "it does not see {expected:?}: {wrong}");
    }
}
