//! A headless Chromium, driven over its DevTools protocol.
//!
//! The protocol goes through a pipe (`--remote-debugging-pipe`: JSON messages ended by NUL), so that neither a port nor a
//! crate is needed. What the page asked for, printed or wanted to say is kept as events.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long one answer may take; a busy machine paints slowly.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    next: u64,
    session: String,
    /// Everything that the page caused since it was opened.
    pub events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Where Chromium is; null where there is none. `REGRANT_CHROMIUM` names it, `REGRANT_REQUIRE_CHROMIUM` insists.
#[allow(clippy::disallowed_methods, reason = "a test asks the machine what it has")]
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("REGRANT_CHROMIUM").map(PathBuf::from);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = named.or_else(|| {
        let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
        std::env::split_paths(&paths).flat_map(|p| names.map(|n| p.join(n))).find(|p| p.is_file())
    });
    if found.is_none() {
        assert!(std::env::var_os("REGRANT_REQUIRE_CHROMIUM").is_none(), "Chromium is required and not found");
        println!("skipped: Chromium is not installed");
    }
    found
}

impl Browser {
    /// Starts one; null where there is no Chromium, which is said.
    pub fn start() -> Option<Browser> {
        let program = program()?;
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1"])
            .arg(program)
            .args(["--headless", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check"])
            // A container has no user namespaces; the pages are our own.
            .args(["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let to = child.stdin.take().expect("piped");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, from) = mpsc::channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while out.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { break };
                if sender.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let events = Vec::new();
        let mut browser = Browser { child, to, from, next: 0, session: String::new(), events, _profile: profile };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        browser.session = browser.call("Target.attachToTarget", attach)["sessionId"].as_str().expect("text").to_owned();
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// One command and its answer; what happens meanwhile is kept.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = serde_json::to_vec(&message).expect("JSON");
        bytes.push(0);
        self.to.write_all(&bytes).and_then(|()| self.to.flush()).expect("Chromium listens");
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let value = self.from.recv_timeout(left).unwrap_or_else(|e| panic!("{method}: no answer: {e}"));
            if value["id"] == json!(id) {
                assert!(value.get("error").is_none(), "{method}: {}", value["error"]);
                return value["result"].clone();
            }
            // A page that waits for somebody to answer a dialog answers nothing else.
            assert_ne!(
                value["method"], "Page.javascriptDialogOpening",
                "the page opened a dialog: {}",
                value["params"]
            );
            if value.get("method").is_some() {
                self.events.push(value);
            }
        }
    }

    /// The value of an expression in the page; promises are awaited.
    pub fn eval(&mut self, expression: &str) -> Value {
        let params =
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true});
        let result = self.call("Runtime.evaluate", params);
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    pub fn text(&mut self, expression: &str) -> String {
        let value = self.eval(expression);
        value.as_str().unwrap_or_else(|| panic!("{expression} is {value}, not a text")).to_owned()
    }

    pub fn number(&mut self, expression: &str) -> f64 {
        let value = self.eval(expression);
        value.as_f64().unwrap_or_else(|| panic!("{expression} is {value}, not a number"))
    }

    /// Waits until an expression is true.
    pub fn until(&mut self, expression: &str) {
        let end = Instant::now() + PATIENCE;
        while self.eval(expression) != json!(true) {
            assert!(Instant::now() < end, "never true: {expression}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The size of the window, in CSS pixels.
    pub fn size(&mut self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Opens a page of the disk, `file#fragment`, anew.
    pub fn open(&mut self, file: &Path, fragment: &str) -> String {
        // Without this a new fragment would only scroll.
        self.call("Page.navigate", json!({"url": "about:blank"}));
        self.until("location.href === 'about:blank' && document.readyState === 'complete'");
        self.events.clear();
        let url = format!("file://{}{fragment}", file.canonicalize().expect("it was written").display());
        self.call("Page.navigate", json!({"url": url}));
        self.until("location.protocol === 'file:' && document.readyState === 'complete'");
        url
    }

    /// As [`Browser::open`], and waits until every finding is there.
    pub fn open_ready(&mut self, file: &Path, fragment: &str) {
        self.open(file, fragment);
        self.until("document.documentElement.dataset.ready !== undefined");
        assert_eq!(self.text("document.documentElement.dataset.ready"), "yes", "the page could not read its data");
    }

    /// Addresses that the page asked for beside its own.
    pub fn requests(&self) -> Vec<String> {
        let of = |method: &'static str| self.events.iter().filter(move |e| e["method"] == method);
        let asked = of("Network.requestWillBeSent").filter(|e| e["params"]["type"] != "Document");
        let sockets = of("Network.webSocketCreated");
        asked.chain(sockets).map(|e| e["params"].to_string()).collect()
    }

    /// What the console complained about: refused styles, scripts and loads among it.
    pub fn complaints(&self) -> Vec<String> {
        let of = |method: &'static str| self.events.iter().filter(move |e| e["method"] == method);
        of("Log.entryAdded").chain(of("Runtime.exceptionThrown")).map(|e| e["params"].to_string()).collect()
    }
}
