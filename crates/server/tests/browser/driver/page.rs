//! A tab, or a frame of another site in it, and what a person does there.
//!
//! Clicks and keys go through the browser's input, so what is covered cannot be clicked and what has no focus is not
//! typed into. Everything waits until it can be done, for at most [`WAIT_MAX`].

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

use super::wire::{Trouble, Wire};

/// How long a page may take for anything.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(30);
/// How often a condition is looked at: pages have no other way to tell.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Tallest picture of a page, in pixels.
const PICTURE_HEIGHT_MAX: f64 = 4000.0;

/// The Ctrl key, as the protocol counts modifiers.
const CONTROL: u32 = 2;

/// Finds what a person would: the first element that matches, can be seen, and has these words on it (or in its label).
const FIND: &str = r#"(selector, words) => [...document.querySelectorAll(selector)].find((element) => {
  const said = `${element.getAttribute("aria-label") ?? ""} ${element.textContent}`;
  return element.checkVisibility({ visibilityProperty: true }) && said.includes(words);
})"#;

/// Which colours the person's system asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    /// As stylesheets call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// What the page is seen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Looks {
    pub(crate) width: u32,
    pub(crate) scheme: Scheme,
}

/// A tab, or a frame in one.
pub(crate) struct Page {
    wire: Arc<Wire>,
    /// Where scripts run.
    session: String,
    /// The tab: input, pictures and complaints are its.
    tab: String,
    /// The tab's own name; empty for a frame.
    target: String,
}

impl Page {
    pub(super) fn new(wire: Arc<Wire>, context: &str) -> Self {
        // In a window of its own: one behind another would not be drawn.
        let wanted = json!({
            "url": "about:blank", "browserContextId": context, "newWindow": true, "width": 1280, "height": 900,
        });
        let created = wire.must("", "Target.createTarget", wanted);
        let target = created["targetId"].as_str().expect("a tab has an id").to_owned();
        let attached = wire.must("", "Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        let session = attached["sessionId"].as_str().expect("a session has an id").to_owned();
        for (method, parameters) in [
            ("Page.enable", json!({})),
            ("Runtime.enable", json!({})),
            ("Log.enable", json!({})),
            ("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })),
            ("Page.setInterceptFileChooserDialog", json!({ "enabled": true })),
            ("Target.setAutoAttach", json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true })),
        ] {
            wire.must(&session, method, parameters);
        }
        Self { wire, tab: session.clone(), session, target }
    }

    // ── going somewhere ──

    /// Types an address and waits until the page is there.
    pub(crate) fn goes_to(&self, url: &str) {
        let gone = self.wire.must(&self.session, "Page.navigate", json!({ "url": url }));
        if let Some(error) = gone["errorText"].as_str() {
            panic!("cannot go to {url}: {error}");
        }
        self.is_loaded();
    }

    /// Does something that leads to another page, and waits until that is there.
    pub(crate) fn arrives(&self, act: impl FnOnce(&Self)) {
        self.evaluate("void (window.leaving = true)");
        act(self);
        self.until("another page is there", "window.leaving === undefined && document.readyState === 'complete'");
    }

    fn is_loaded(&self) {
        self.until("the page is loaded", "document.readyState === 'complete'");
    }

    /// The path at which the tab is.
    pub(crate) fn path(&self) -> String {
        self.text_of("location.pathname")
    }

    /// The editor in the page: its frame of another site, when that has answered.
    pub(crate) fn frame(&self) -> Page {
        let end = Instant::now() + WAIT_MAX;
        loop {
            if let Some(session) = self.wire.frame_of(&self.tab) {
                let frame =
                    Page { wire: Arc::clone(&self.wire), session, tab: self.tab.clone(), target: String::new() };
                let there = "location.href !== 'about:blank' && document.readyState === 'complete'";
                if frame.try_evaluate(there).is_ok_and(|there| there == true) {
                    return frame;
                }
            }
            assert!(Instant::now() < end, "there is no frame: {}", self.describe());
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Closes the tab as its person would.
    pub(crate) fn closes(self) {
        self.wire.must(&self.tab, "Page.close", json!({}));
        let end = Instant::now() + WAIT_MAX;
        while self.wire.ask("", "Target.getTargetInfo", json!({ "targetId": self.target })).is_ok() {
            assert!(Instant::now() < end, "the tab does not close");
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// The tab is gone at once, as when a browser or a machine dies: the page is told nothing.
    pub(crate) fn dies(self) {
        self.wire.must(&self.tab, "Inspector.enable", json!({}));
        self.wire.shout(&self.tab, "Page.crash");
        assert!(self.wire.wait_for_crash(&self.tab), "the tab does not crash");
        self.wire.must("", "Target.closeTarget", json!({ "targetId": self.target }));
    }

    /// Timers of more than this many seconds run out at once, on every page that is loaded from now on.
    pub(crate) fn is_impatient(&self, seconds: u32) {
        let script = format!(
            "(() => {{ const wait = window.setTimeout; \
             window.setTimeout = (act, after, ...rest) => wait(act, after > {seconds}000 ? 0 : after, ...rest); }})()"
        );
        self.wire.must(&self.session, "Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }));
    }

    // ── scripts ──

    /// The value of an expression, or what it threw.
    pub(crate) fn try_evaluate(&self, script: &str) -> Result<Value, String> {
        let asked = json!({ "expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let mut answer = self.wire.ask(&self.session, "Runtime.evaluate", asked)?;
        let thrown = &answer["exceptionDetails"];
        if thrown.is_object() {
            let text = thrown["exception"]["description"].as_str().or(thrown["text"].as_str());
            return Err(text.unwrap_or("an exception").to_owned());
        }
        Ok(answer["result"]["value"].take())
    }

    /// The value of an expression.
    pub(crate) fn evaluate(&self, script: &str) -> Value {
        self.try_evaluate(script).unwrap_or_else(|error| panic!("{error}\nin {script}\n{}", self.describe()))
    }

    /// The same, as a text.
    pub(crate) fn text_of(&self, script: &str) -> String {
        self.evaluate(script).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true, in whatever page is there by then, and returns what it is.
    pub(crate) fn until(&self, what: &str, script: &str) -> Value {
        let end = Instant::now() + WAIT_MAX;
        loop {
            // What fails now fails because one page goes and another one comes, or for good, which the end tells.
            let found = self.try_evaluate(script);
            match found {
                Ok(value) if truthy(&value) => return value,
                found => assert!(
                    Instant::now() < end,
                    "waited in vain until {what}: {script} is {found:?}; {}",
                    self.describe()
                ),
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Waits until the page shows these words.
    pub(crate) fn shows(&self, words: &str) {
        let script = format!("document.body !== null && document.body.innerText.includes({})", quoted(words));
        self.until(&format!("the page shows {words:?}"), &script);
    }

    // ── hands ──

    /// Clicks the first such element that can be seen.
    pub(crate) fn click(&self, selector: &str) {
        self.click_at(selector, "");
    }

    /// The same with these words on it.
    pub(crate) fn click_at(&self, selector: &str, words: &str) {
        let script = format!(
            r#"(async () => {{
              const element = ({FIND})({selector}, {words});
              if (!element) return null;
              element.scrollIntoView({{ block: "nearest", inline: "nearest", behavior: "instant" }});
              const before = element.getBoundingClientRect();
              await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
              const box = element.getBoundingClientRect();
              if (box.x !== before.x || box.y !== before.y) return null;
              const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
              const hit = document.elementFromPoint(x, y);
              return hit !== null && (element.contains(hit) || hit.closest("label")?.control === element) ? [x, y] : null;
            }})()"#,
            selector = quoted(selector),
            words = quoted(words),
        );
        let place = self.until(&format!("{selector} {words:?} can be clicked"), &script);
        if self.session != self.tab {
            // Whom a press in the tab hits is looked up in what the tab has drawn: a dialog that has just closed may still be
            // in the way of the frame there.
            let drawn = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))";
            let drawn = json!({ "expression": drawn, "awaitPromise": true });
            let _ = self.wire.ask(&self.tab, "Runtime.evaluate", drawn);
        }
        let number = |value: &Value| value.as_f64().unwrap_or_default();
        let (left, top) = self.corner();
        let (x, y) = (left + number(&place[0]), top + number(&place[1]));
        for (kind, buttons) in [("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1 });
            // A press that leads away may take the page with it before it is answered.
            let _ = self.wire.ask(&self.tab, "Input.dispatchMouseEvent", event);
        }
    }

    /// Where the frame is in its tab.
    fn corner(&self) -> (f64, f64) {
        if self.session == self.tab {
            return (0.0, 0.0);
        }
        let tab = Self {
            wire: Arc::clone(&self.wire),
            session: self.tab.clone(),
            tab: self.tab.clone(),
            target: String::new(),
        };
        let place = tab.evaluate("(({ x, y }) => [x, y])(document.querySelector('iframe').getBoundingClientRect())");
        (place[0].as_f64().unwrap_or_default(), place[1].as_f64().unwrap_or_default())
    }

    /// Replaces what is in a field.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        self.click(selector);
        let focused = format!("document.activeElement.matches({})", quoted(selector));
        self.until(&format!("{selector} has the focus"), &focused);
        self.evaluate("document.activeElement.select()");
        self.types(text);
    }

    /// Types where the focus is.
    pub(crate) fn types(&self, text: &str) {
        self.wire.must(&self.tab, "Input.insertText", json!({ "text": text }));
    }

    /// Presses a key that is no letter: `Enter`, `Escape`, `Tab`, `ArrowDown`, ` `.
    pub(crate) fn presses(&self, key: &str) {
        let number = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            "ArrowDown" => 40,
            " " => 32,
            other => panic!("nobody knows the number of {other}"),
        };
        let text = match key {
            "Enter" => "\r",
            " " => " ",
            _ => "",
        };
        let code = if key == " " { "Space" } else { key };
        let down = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        for kind in [down, "keyUp"] {
            let text = if kind == "keyUp" { "" } else { text };
            let event =
                json!({ "type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number, "text": text });
            self.wire.must(&self.tab, "Input.dispatchKeyEvent", event);
        }
    }

    /// Presses Ctrl and a letter.
    pub(crate) fn control(&self, letter: char) {
        let upper = letter.to_ascii_uppercase();
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": letter.to_string(), "code": format!("Key{upper}"),
                "windowsVirtualKeyCode": u32::from(upper), "modifiers": CONTROL,
            });
            self.wire.must(&self.tab, "Input.dispatchKeyEvent", event);
        }
    }

    /// Does something that asks for files, and chooses these.
    pub(crate) fn chooses(&self, files: &[&Path], act: impl FnOnce(&Self)) {
        act(self);
        let input = self.wire.wait_for_chooser(&self.tab);
        self.wire.must(&self.tab, "DOM.setFileInputFiles", json!({ "files": files, "backendNodeId": input }));
    }

    // ── eyes ──

    /// Looks at it on another screen.
    pub(crate) fn looks(&self, looks: Looks) {
        let narrow = looks.width < 600;
        let height = if narrow { 844 } else { 900 };
        let screen = json!({ "width": looks.width, "height": height, "deviceScaleFactor": 1, "mobile": narrow });
        self.wire.must(&self.tab, "Emulation.setDeviceMetricsOverride", screen);
        let scheme = json!([
            { "name": "prefers-color-scheme", "value": looks.scheme.name() },
            // A picture of something that moves would be another one each time.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.wire.must(&self.tab, "Emulation.setEmulatedMedia", json!({ "features": scheme }));
        let there = format!("innerWidth === {} || innerWidth > {0}", looks.width);
        self.until("the page has its width", &there);
        // Two pictures later what has changed is drawn.
        self.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(1))))");
    }

    /// A picture of the whole page.
    pub(crate) fn picture(&self, path: &Path) {
        let metrics = self.wire.must(&self.tab, "Page.getLayoutMetrics", json!({}));
        let size = |name: &str| metrics["cssContentSize"][name].as_f64().unwrap_or(800.0);
        let (width, height) = (size("width"), size("height").min(PICTURE_HEIGHT_MAX));
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let asked = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.wire.must(&self.tab, "Page.captureScreenshot", asked);
        let picture = picture["data"].as_str().expect("a picture has data");
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture).expect("the picture is base64");
        std::fs::write(path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// What the tab and its frames have complained about since this was asked last.
    pub(crate) fn takes_troubles(&self) -> Vec<Trouble> {
        // An answer comes behind everything that was said before it.
        let _ = self.try_evaluate("1");
        self.wire.take_troubles(&self.tab)
    }

    /// Nothing went wrong since this was asked last.
    pub(crate) fn is_content(&self) {
        self.complains_only(|_| false);
    }

    /// The same, but for what is expected.
    pub(crate) fn complains_only(&self, expected: impl Fn(&Trouble) -> bool) {
        let troubles: Vec<_> = self.takes_troubles().into_iter().filter(|trouble| !expected(trouble)).collect();
        assert!(troubles.is_empty(), "{} complained: {troubles:#?}", self.path());
    }

    /// For people: what is there.
    fn describe(&self) -> String {
        let text = "`${location.href}\n${(document.body?.innerText ?? '').slice(0, 1500)}`";
        let shown = self.try_evaluate(text).map_or_else(|error| error, |text| text.as_str().unwrap_or_default().into());
        format!("the page is {shown}\ncomplaints: {:#?}", self.wire.take_troubles(&self.tab))
    }
}

/// A text as scripts write it.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}
