//! A browser without a window, driven over a pipe (Chrome DevTools Protocol). It has a profile
//! folder of its own and finds no address.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long an answer may take before something must be broken.
const PATIENCE: Duration = Duration::from_secs(90);

/// How the page is looked at.
#[derive(Clone, Copy)]
pub struct View {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    pub calm: bool,
}

pub const DESK: View = View { width: 1440, height: 900, dark: true, calm: true };
pub const PHONE: View = View { width: 390, height: 780, dark: true, calm: true };

pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    number: u64,
    session: String,
    /// What went wrong on the page, and every address that it asked for.
    pub troubles: Vec<String>,
    pub requests: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one; Debian's package is called `chromium`.
    pub fn start() -> Self {
        let profile = tempfile::tempdir().expect("a profile folder");
        let mut command = Command::new("sh");
        // Descriptors 3 and 4 are the protocol's; what the program says itself is of no interest.
        command.args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "chromium"]);
        command.args(["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--disable-default-apps", "--hide-scrollbars", "--force-color-profile=srgb"]);
        command.arg("--host-resolver-rules=MAP * ~NOTFOUND");
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        if rustix::process::getuid().is_root() {
            command.arg("--no-sandbox");
        }
        command.env("HOME", profile.path());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program chromium, which tests of pages need");
        let to = child.stdin.take().expect("a pipe");
        let pipe = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, from) = channel();
        std::thread::spawn(move || {
            for message in pipe.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { continue };
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let (troubles, requests, session) = (Vec::new(), Vec::new(), String::new());
        let mut browser = Self { child, to, from, number: 0, session, troubles, requests, _profile: profile };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let id = target["targetId"].as_str().expect("a target").to_owned();
        let attached = browser.ask("Target.attachToTarget", json!({ "targetId": id, "flatten": true }));
        browser.session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Asks and waits for the answer; hears what happens meanwhile.
    pub fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let number = self.number;
        let mut message = json!({ "id": number, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).expect("a browser that listens");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer =
                self.from.recv_timeout(left).unwrap_or_else(|error| panic!("no answer to {method}: {error}"));
            if answer["id"] == json!(number) {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.hear(&answer);
        }
    }

    fn hear(&mut self, event: &Value) {
        let said = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => self.troubles.push(said["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" if said["type"] == "error" || said["type"] == "warning" => {
                self.troubles.push(said["args"].to_string());
            }
            "Log.entryAdded" if said["entry"]["level"] == "error" => {
                self.troubles.push(said["entry"].to_string());
            }
            "Network.requestWillBeSent" => {
                self.requests.push(said["request"]["url"].as_str().unwrap_or_default().to_owned());
            }
            _ => {}
        }
    }

    /// Opens a page and waits until it says that it is ready.
    pub fn open(&mut self, page: &Path, fragment: &str, view: View) {
        let screen = json!({ "width": view.width, "height": view.height, "deviceScaleFactor": 1, "mobile": view.width < 600 });
        self.ask("Emulation.setDeviceMetricsOverride", screen);
        let wish = |name: &str, value: &str| json!({ "name": name, "value": value });
        let features = [
            wish("prefers-color-scheme", if view.dark { "dark" } else { "light" }),
            wish("prefers-reduced-motion", if view.calm { "reduce" } else { "no-preference" }),
        ];
        self.ask("Emulation.setEmulatedMedia", json!({ "features": features }));
        // Another fragment alone would not load the page again.
        self.ask("Page.navigate", json!({ "url": "about:blank" }));
        self.ask("Page.navigate", json!({ "url": format!("file://{}{fragment}", page.display()) }));
        self.until("document.documentElement && document.documentElement.dataset.ready === 'yes'");
    }

    /// What an expression is on the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.ask("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression holds.
    pub fn until(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.value(&format!("Boolean({expression})")) != json!(true) {
            if Instant::now() >= deadline {
                let text = self.value("document.body && document.body.innerText");
                panic!("it never came about: {expression}; {:?}; {text}", self.troubles);
            }
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    /// Presses a key and lets it go.
    pub fn key(&mut self, key: &str) {
        self.key_down(key);
        self.key_up(key);
    }

    pub fn key_down(&mut self, key: &str) {
        let mut pressed = json!({ "type": "keyDown", "key": key });
        if key.chars().count() == 1 {
            pressed["text"] = json!(key);
        }
        self.ask("Input.dispatchKeyEvent", pressed);
    }

    pub fn key_up(&mut self, key: &str) {
        self.ask("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key }));
    }

    /// Moves the pointer, or presses and lets go of its button.
    pub fn mouse(&mut self, kind: &str, x: f64, y: f64) {
        let buttons = i32::from(kind != "mouseReleased" && kind != "mouseMoved");
        let button = if kind == "mouseMoved" { "none" } else { "left" };
        let event =
            json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1 });
        self.ask("Input.dispatchMouseEvent", event);
    }

    pub fn drag(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.mouse("mousePressed", from.0, from.1);
        let moved = json!({ "type": "mouseMoved", "x": to.0, "y": to.1, "button": "left", "buttons": 1 });
        self.ask("Input.dispatchMouseEvent", moved);
        self.mouse("mouseReleased", to.0, to.1);
    }

    /// The colour of a place of the stage, given as parts of its width and height, once drawn.
    pub fn pixel(&mut self, x: f64, y: f64) -> [u8; 3] {
        let script = format!(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {{
                const surface = document.querySelector('.surface');
                const place = [{x} * surface.width, {y} * surface.height].map(Math.floor);
                done([...surface.getContext('2d').getImageData(...place, 1, 1).data]);
            }})))"
        );
        let colour = self.value(&script);
        [0, 1, 2].map(|channel| colour[channel].as_u64().expect("a channel") as u8)
    }

    /// Waits until a place of the stage has about that colour.
    pub fn shows(&mut self, x: f64, y: f64, wanted: [u8; 3]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.pixel(x, y);
            if found.iter().zip(wanted).all(|(one, other)| one.abs_diff(other) <= 3) {
                return;
            }
            assert!(Instant::now() < deadline, "{found:?} at {x}, {y}, not {wanted:?}; {:?}", self.troubles);
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    /// Keeps a picture of the page where the variable `PENT_SCREENSHOTS` names a folder.
    pub fn screenshot(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("PENT_SCREENSHOTS") else { return };
        // What is still to be decoded and drawn gets its time.
        self.value("new Promise((done) => setTimeout(done, 400))");
        let shot = self.ask("Page.captureScreenshot", json!({ "format": "png" }));
        let text = shot["data"].as_str().expect("a picture");
        let bytes = <base64ct::Base64 as base64ct::Encoding>::decode_vec(text).expect("Base64");
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).expect("written");
    }

    /// Nothing went wrong, and nothing but the page itself was asked for.
    pub fn assert_quiet(&mut self) {
        // Whatever is on its way is heard before an answer.
        self.value("1");
        assert_eq!(self.troubles, Vec::<String>::new());
        let strange: Vec<&String> = self
            .requests
            .iter()
            .filter(|url| {
                !["file://", "data:", "blob:", "about:blank"].iter().any(|prefix| url.starts_with(prefix))
            })
            .collect();
        assert!(strange.is_empty(), "{strange:?}");
        let files: std::collections::BTreeSet<&str> = self
            .requests
            .iter()
            .filter(|url| url.starts_with("file://"))
            .map(|url| url.split('#').next().unwrap_or(""))
            .collect();
        assert!(files.iter().all(|url| url.ends_with(".html")), "{files:?}");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The program ends when nobody holds the other end of its pipe; it is not waited for in vain.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
