//! A browser that does what a person does, by way of the DevTools protocol: its messages
//! go through two pipes, each ended by a zero byte (`--remote-debugging-pipe`).

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};

use super::programs::{self, PATIENCE, Program};

/// What is needed to run it in a test, whoever runs that.
pub(crate) const FLAGS: [&str; 9] = [
    "--headless",
    // It may run as root, and it opens no page but ours.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// The browser reads from file 3 and writes to file 4.
const WITH_PIPES: &str = r#"exec "$@" 3<in 4>out"#;

/// A browser with one page.
pub(crate) struct Browser {
    _program: Program,
    to: File,
    messages: mpsc::Receiver<Value>,
    page: Option<String>,
    last_id: u64,
}

impl Browser {
    /// Starts one, where it is installed.
    pub(crate) fn start() -> Option<Self> {
        let chromium = programs::find("chromium")?;
        let (mut to, mut from) = (None, None);
        let program = Program::start(|directory| {
            let pipe = |name: &str| open_pipe(&directory.join(name));
            (to, from) = (Some(pipe("in")), Some(pipe("out")));
            let mut command = Command::new("sh");
            command.current_dir(directory);
            command
                .args(["-c", WITH_PIPES, "sh"])
                .arg(chromium)
                .args(FLAGS);
            command.arg("--remote-debugging-pipe");
            let profile = directory.join("profile");
            command.arg(format!("--user-data-dir={}", profile.display()));
            command
        });
        let mut browser = Self {
            _program: program,
            to: to?,
            messages: read(from?),
            page: None,
            last_id: 0,
        };
        let target = browser.ask("Target.createTarget", &json!({"url": "about:blank"}));
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.ask("Target.attachToTarget", &target);
        browser.page = session["sessionId"].as_str().map(str::to_owned);
        browser.ask("Page.enable", &json!({}));
        browser.ask("Page.setLifecycleEventsEnabled", &json!({"enabled": true}));
        Some(browser)
    }

    /// Opens a page, and waits until all of it is there.
    pub(crate) fn go_to(&mut self, url: &str) {
        let loader = self.ask("Page.navigate", &json!({"url": url}))["loaderId"].take();
        loop {
            let event = self.message();
            let parameters = &event["params"];
            if parameters["name"] == "load" && parameters["loaderId"] == loader {
                return;
            }
        }
    }

    /// Types a text into the first element that the selector finds, behind what it holds.
    pub(crate) fn type_into(&mut self, selector: &str, text: &str) {
        let document = self.ask("DOM.getDocument", &json!({}));
        let of = json!({"nodeId": document["root"]["nodeId"], "selector": selector});
        let found = self.ask("DOM.querySelector", &of);
        self.ask("DOM.focus", &json!({"nodeId": found["nodeId"]}));
        self.ask("Input.insertText", &json!({"text": text}));
    }

    /// Presses Enter, which submits the form that has the focus.
    pub(crate) fn press_enter(&mut self) {
        for kind in ["keyDown", "keyUp"] {
            let key = json!({
                "type": kind, "key": "Enter", "code": "Enter", "text": "\r",
                "windowsVirtualKeyCode": 13,
            });
            self.ask("Input.dispatchKeyEvent", &key);
        }
    }

    /// What the page has of this, without a script of its own.
    pub(crate) fn look(&mut self, expression: &str) -> Value {
        let expression = json!({"expression": expression, "returnByValue": true});
        self.ask("Runtime.evaluate", &expression)["result"]["value"].take()
    }

    /// Asks for something to be done, and waits until it is.
    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": parameters});
        if let Some(page) = &self.page {
            message["sessionId"] = json!(page);
        }
        write!(self.to, "{message}\0").unwrap();
        loop {
            let mut message = self.message();
            if message["id"] == self.last_id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
        }
    }

    fn message(&self) -> Value {
        self.messages.recv_timeout(PATIENCE).unwrap()
    }
}

/// Makes a pipe with this name. Opened to be read and written, neither side of it waits for
/// the other (Linux, fifo(7)).
fn open_pipe(path: &Path) -> File {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
    let mut options = OpenOptions::new();
    options.read(true).write(true).open(path).unwrap()
}

/// The messages that come through a pipe.
fn read(pipe: File) -> mpsc::Receiver<Value> {
    let (sender, messages) = mpsc::channel();
    thread::spawn(move || {
        for message in BufReader::new(pipe).split(0).map_while(Result::ok) {
            let message = serde_json::from_slice(&message).unwrap();
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    messages
}
