//! The DevTools protocol on the wire: JSON messages that end with a NUL, over two pipes of the browser's process.
//!
//! One thread reads. It keeps answers until somebody takes them, and what pages complain about until somebody asks. All
//! waiting is for a condition, with an end.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long the browser may take to carry out a command.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(60);

/// Something that a page should not have to say: an error on its console, a failed request, a script that threw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What was said.
    pub(crate) text: String,
    /// What it is about, if that was told.
    pub(crate) url: String,
}

/// The browser's end of both pipes.
pub(crate) struct Wire {
    commands: Mutex<ChildStdin>,
    next: AtomicU64,
    heard: Mutex<Heard>,
    more: Condvar,
}

/// What the reading thread has put down.
#[derive(Default)]
struct Heard {
    answers: HashMap<u64, Value>,
    /// Frames that live in a process of their own: their session, and the session they were attached to.
    parents: HashMap<String, String>,
    /// The same by the session of the page, the latest last.
    frames: HashMap<String, Vec<String>>,
    troubles: HashMap<String, Vec<Trouble>>,
    /// The input that wants files to be chosen, by the session of the page.
    choosers: HashMap<String, Value>,
    crashed: HashSet<String>,
    over: bool,
}

impl Heard {
    /// The session of the page in which this session's frame is.
    fn page_of(&self, session: &str) -> String {
        let mut session = session;
        while let Some(parent) = self.parents.get(session) {
            session = parent;
        }
        session.to_owned()
    }
}

impl Wire {
    /// Starts reading.
    pub(crate) fn new(commands: ChildStdin, messages: ChildStdout) -> Arc<Self> {
        let wire = Arc::new(Self {
            commands: Mutex::new(commands),
            next: AtomicU64::new(1),
            heard: Mutex::default(),
            more: Condvar::new(),
        });
        let reading = Arc::clone(&wire);
        std::thread::spawn(move || {
            let mut messages = BufReader::new(messages);
            let mut message = Vec::new();
            while messages.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                if let Ok(value) = serde_json::from_slice(&message) {
                    reading.hear(value);
                }
                message.clear();
            }
            reading.heard().over = true;
            reading.more.notify_all();
        });
        wire
    }

    /// Carries out a command of a session (an empty one is the browser itself).
    pub(crate) fn ask(&self, session: &str, method: &str, parameters: Value) -> Result<Value, String> {
        let number = self.send(session, method, parameters)?;
        let answer = self.wait(COMMAND_TIME_MAX, |heard| heard.answers.remove(&number));
        let mut answer = answer.ok_or_else(|| format!("{method} was not answered"))?;
        match answer["error"]["message"].as_str() {
            Some(error) => Err(format!("{method}: {error}")),
            None => Ok(answer["result"].take()),
        }
    }

    /// The same where failing means that the test or the browser is wrong.
    pub(crate) fn must(&self, session: &str, method: &str, parameters: Value) -> Value {
        self.ask(session, method, parameters).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Gives a command whose answer nobody will hear.
    pub(crate) fn shout(&self, session: &str, method: &str) {
        self.send(session, method, json!({})).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits for a page to crash.
    pub(crate) fn wait_for_crash(&self, page: &str) -> bool {
        self.wait(COMMAND_TIME_MAX, |heard| heard.crashed.remove(page).then_some(())).is_some()
    }

    /// The latest frame of a page that lives in a process of its own.
    pub(crate) fn frame_of(&self, page: &str) -> Option<String> {
        self.heard().frames.get(page)?.last().cloned()
    }

    /// What this page and its frames have complained about since somebody asked.
    pub(crate) fn take_troubles(&self, page: &str) -> Vec<Trouble> {
        self.heard().troubles.remove(page).unwrap_or_default()
    }

    /// Waits for a page to ask for files.
    pub(crate) fn wait_for_chooser(&self, page: &str) -> Value {
        let chooser = self.wait(COMMAND_TIME_MAX, |heard| heard.choosers.remove(page));
        chooser.expect("the page asks for files")
    }

    fn send(&self, session: &str, method: &str, parameters: Value) -> Result<u64, String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut command = json!({ "id": number, "method": method });
        command["params"] = parameters;
        if !session.is_empty() {
            command["sessionId"] = session.into();
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        let mut pipe = self.commands.lock().expect("no writer panics");
        pipe.write_all(&bytes).and_then(|()| pipe.flush()).map_err(|error| format!("{method}: {error}"))?;
        Ok(number)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("no reader panics")
    }

    fn wait<T>(&self, limit: Duration, mut wanted: impl FnMut(&mut Heard) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        let mut heard = self.heard();
        loop {
            if let Some(found) = wanted(&mut heard) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            if heard.over {
                return None;
            }
            heard = self.more.wait_timeout(heard, left).expect("no reader panics").0;
        }
    }

    fn hear(&self, mut message: Value) {
        let mut heard = self.heard();
        if let Some(number) = message["id"].as_u64() {
            heard.answers.insert(number, message);
            self.more.notify_all();
            return;
        }
        let session = message["sessionId"].as_str().unwrap_or_default().to_owned();
        let page = heard.page_of(&session);
        let told = message["params"].take();
        let mut trouble = |text: String, url: &Value| {
            let url = url.as_str().unwrap_or_default().to_owned();
            heard.troubles.entry(page.clone()).or_default().push(Trouble { text, url });
        };
        let mut orders = Vec::new();
        match message["method"].as_str().unwrap_or_default() {
            "Runtime.consoleAPICalled" if matches!(told["type"].as_str(), Some("error" | "assert")) => {
                let words: Vec<String> = told["args"].as_array().into_iter().flatten().map(shown).collect();
                trouble(words.join(" "), &told["stackTrace"]["callFrames"][0]["url"]);
            }
            "Runtime.exceptionThrown" => {
                let details = &told["exceptionDetails"];
                let text = details["exception"]["description"].as_str().or(details["text"].as_str());
                trouble(text.unwrap_or("an exception").to_owned(), &details["url"]);
            }
            // Failed requests are among these, and what a policy of the page forbids.
            "Log.entryAdded" if told["entry"]["level"] == "error" => {
                trouble(told["entry"]["text"].as_str().unwrap_or_default().to_owned(), &told["entry"]["url"]);
            }
            "Page.fileChooserOpened" => {
                heard.choosers.insert(page, told["backendNodeId"].clone());
            }
            "Inspector.targetCrashed" => {
                heard.crashed.insert(page);
            }
            // Leaving a page with something unsaved is always meant so here.
            "Page.javascriptDialogOpening" => {
                orders.push((session, "Page.handleJavaScriptDialog", json!({ "accept": true })));
            }
            "Target.attachedToTarget" if !session.is_empty() => {
                if let Some(frame) = told["sessionId"].as_str() {
                    heard.parents.insert(frame.to_owned(), session);
                    if told["targetInfo"]["type"] == "iframe" {
                        heard.frames.entry(page).or_default().push(frame.to_owned());
                    }
                    for method in ["Runtime.enable", "Log.enable"] {
                        orders.push((frame.to_owned(), method, json!({})));
                    }
                }
            }
            "Target.detachedFromTarget" => {
                if let Some(frames) = heard.frames.get_mut(&page) {
                    frames.retain(|frame| told["sessionId"] != frame.as_str());
                }
            }
            _ => {}
        }
        drop(heard);
        self.more.notify_all();
        for (session, method, parameters) in orders {
            // Whom it was for may be gone by now; nobody waits for these answers.
            let _ = self.send(&session, method, parameters);
        }
    }
}

/// An argument of a console message, for people.
fn shown(argument: &Value) -> String {
    let text = argument["value"].as_str().or(argument["description"].as_str());
    text.map_or_else(|| argument["value"].to_string(), str::to_owned)
}
