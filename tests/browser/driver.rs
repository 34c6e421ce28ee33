//! A small WebDriver client. It starts chromedriver on a free port, and headless Chromium as a
//! phone of 360 by 640 points.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Request, eventually, real_program, send_raw, temp_dir};

/// How often the start of chromedriver is tried.
const STARTS_MAX: usize = 3;
/// The key of an element in WebDriver's answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// The Enter key as typed text.
const ENTER: &str = "\u{E007}";
/// Without BackForwardCache, because a page that was shown before could come back from memory
/// without a request, whatever its headers say. Without HttpsUpgrades, because it changes http
/// addresses to https.
const FEATURES: &str = "--disable-features=BackForwardCache,HttpsUpgrades";
/// A host with a name of its own. Chromium does not trust it over http, as it does localhost.
const HOSTS: &str = "--host-resolver-rules=MAP www.example.com 127.0.0.1";
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,800",
    FEATURES,
    HOSTS,
];

/// An element of the page.
pub struct Element(String);

/// A window of Chromium.
pub struct Browser {
    driver: SocketAddr,
    process: Child,
    /// The standard output of chromedriver. If it were closed, the next line would end
    /// chromedriver.
    _output: BufReader<ChildStdout>,
    _profile: TempDir,
    /// `/session/…`; empty before a session exists.
    session: String,
    scripts: bool,
}

/// Starts chromedriver. Returns the process, its standard output and its port, or `None` if it has
/// ended.
fn start(chromedriver: &Path) -> Option<(Child, BufReader<ChildStdout>, u16)> {
    let mut process = Command::new(chromedriver)
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            let port = port.trim().trim_end_matches('.').parse().unwrap();
            return Some((process, output, port));
        }
        line.clear();
    }
    process.wait().unwrap();
    None
}

impl Browser {
    /// Opens a browser without cookies, with JavaScript or without it. `None` if Chromium is not
    /// installed.
    pub fn open(scripts: bool) -> Option<Self> {
        let prefs = if scripts {
            json!({})
        } else {
            json!({ "profile.managed_default_content_settings.javascript": 2 })
        };
        Self::open_with(scripts, &prefs, true)
    }

    /// Opens a browser on a desktop, in place of a phone.
    pub fn open_on_desktop() -> Option<Self> {
        Self::open_with(true, &json!({}), false)
    }

    /// Opens a browser that lets no site keep cookies.
    pub fn open_without_cookies() -> Option<Self> {
        let prefs = json!({ "profile.managed_default_content_settings.cookies": 2 });
        Self::open_with(true, &prefs, true)
    }

    fn open_with(scripts: bool, prefs: &Value, is_phone: bool) -> Option<Self> {
        let (chromium, chromedriver) = (real_program("chromium")?, real_program("chromedriver")?);
        // On a busy machine it sometimes ends, because its port was taken meanwhile.
        let (process, output, port) = (0..STARTS_MAX)
            .find_map(|_| start(&chromedriver))
            .expect("chromedriver ends each time");
        let profile = temp_dir();
        let driver = SocketAddr::from(([127, 0, 0, 1], port));
        let mut browser = Self {
            driver,
            process,
            _output: output,
            _profile: profile,
            session: String::new(),
            scripts,
        };
        let home = format!("--user-data-dir={}", browser._profile.path().display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([home.as_str()]).collect();
        let mut options = json!({ "binary": chromium, "args": flags, "prefs": prefs });
        if is_phone {
            let size = json!({ "width": 360, "height": 640, "pixelRatio": 2 });
            options["mobileEmulation"] = json!({ "deviceMetrics": size });
        }
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "WARNING" },
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
        let opened = browser.call("POST", "/session", &wanted).unwrap();
        browser.session = format!("/session/{}", opened["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// Opens an address and waits for the page.
    pub fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Presses the back button.
    pub fn back(&self) {
        self.post("/back", &json!({}));
    }

    /// The page's address and its title.
    pub fn place(&self) -> (String, String) {
        let text = |path| self.get(path).as_str().unwrap().to_owned();
        (text("/url"), text("/title"))
    }

    /// Waits until the page with this title is shown and its address has this end.
    pub fn comes_to(&self, address: &str, title: &str) {
        let is_there = |(url, name): (String, String)| url.ends_with(address) && name == title;
        let what = format!("the page {address} \"{title}\"");
        eventually(&what, || is_there(self.place()));
    }

    /// The elements that match a CSS selector.
    pub fn all(&self, selector: &str) -> Vec<Element> {
        let found = self.post("/elements", &json!({ "using": "css selector", "value": selector }));
        found
            .as_array()
            .unwrap()
            .iter()
            .map(|element| Element(element[ELEMENT].as_str().unwrap().to_owned()))
            .collect()
    }

    /// The only element that matches a CSS selector.
    pub fn the(&self, selector: &str) -> Element {
        let mut found = self.all(selector);
        assert_eq!(found.len(), 1, "{selector}");
        found.remove(0)
    }

    /// A field or button by its accessible name, which a screen reader says.
    pub fn called(&self, label: &str) -> Element {
        let found = self
            .all("input:not([type=hidden]), button, textarea, select")
            .into_iter()
            .find(|element| self.label(element) == label);
        found.unwrap_or_else(|| panic!("nothing on the page is called {label:?}"))
    }

    /// The accessible name of an element.
    pub fn label(&self, element: &Element) -> String {
        self.about(element, "computedlabel")
    }

    /// The role of an element, which a screen reader says.
    pub fn role(&self, element: &Element) -> String {
        self.about(element, "computedrole")
    }

    /// The displayed text of an element.
    pub fn text(&self, element: &Element) -> String {
        self.about(element, "text")
    }

    /// An attribute of an element, or an empty text.
    pub fn attribute(&self, element: &Element, name: &str) -> String {
        self.about(element, &format!("attribute/{name}"))
    }

    /// The element that has the keyboard focus.
    pub fn focused(&self) -> Element {
        Element(self.get("/element/active")[ELEMENT].as_str().unwrap().to_owned())
    }

    /// Types a text into the field with this name.
    pub fn type_into(&self, label: &str, text: &str) {
        let Element(id) = self.called(label);
        self.post(&format!("/element/{id}/value"), &json!({ "text": text }));
    }

    /// Presses the button with this name. The caller waits for the effect. Without JavaScript it
    /// uses the keyboard, because chromedriver finds the place to click by a script.
    pub fn press(&self, label: &str) {
        if !self.scripts {
            return self.type_into(label, ENTER);
        }
        let Element(id) = self.called(label);
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Clicks an element, such as a link. The caller waits for the effect.
    pub fn click(&self, Element(id): &Element) {
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Follows a link with the keyboard. The caller waits for the page.
    pub fn follow(&self, Element(id): &Element) {
        self.post(&format!("/element/{id}/value"), &json!({ "text": ENTER }));
    }

    /// The errors and warnings that the browser has logged since the last call.
    pub fn logged(&self) -> Vec<String> {
        let lines = self.post("/se/log", &json!({ "type": "browser" }));
        let text = |line: &Value| format!("{} {}", line["level"], line["message"]);
        lines.as_array().unwrap().iter().map(text).collect()
    }

    /// What the window shows, as a PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        let picture = self.get("/screenshot");
        STANDARD.decode(picture.as_str().unwrap()).unwrap()
    }

    /// The result of a script in the page.
    pub fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The result of a script that calls its last argument when it is done.
    pub fn script_that_waits(&self, script: &str) -> Value {
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Shows pages in light or dark mode.
    pub fn set_mode(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        let params = json!({ "features": [feature] });
        let command = json!({ "cmd": "Emulation.setEmulatedMedia", "params": params });
        self.post("/goog/cdp/execute", &command);
    }

    /// The cookies for this page, including those that scripts cannot see.
    pub fn cookies(&self) -> Vec<Value> {
        self.get("/cookie").as_array().unwrap().clone()
    }

    fn about(&self, Element(id): &Element, what: &str) -> String {
        self.get(&format!("/element/{id}/{what}")).as_str().unwrap_or_default().to_owned()
    }

    fn get(&self, path: &str) -> Value {
        self.call("GET", &format!("{}{path}", self.session), &Value::Null).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("{}{path}", self.session), body).unwrap()
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::new(method, path).host(&self.driver.to_string()).body(body);
        let response =
            send_raw(self.driver, request).map_err(|error| format!("{method} {path}: {error}"))?;
        if response.status != 200 {
            return Err(format!("{method} {path}: {}", response.body));
        }
        let mut answer: Value = serde_json::from_str(&response.body)
            .map_err(|error| format!("{method} {path}: {error}"))?;
        Ok(answer["value"].take())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // This ends Chromium too. A killed chromedriver would leave it running.
        if !self.session.is_empty() {
            let _ = self.call("DELETE", &self.session, &Value::Null);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
