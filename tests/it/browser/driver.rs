//! A small WebDriver client: chromedriver on a free port, and headless Chromium as a phone of 360
//! by 640 points.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Request, eventually, real_program, send_raw};

/// How often chromedriver is started until it runs.
const STARTS_MAX: usize = 3;
/// How WebDriver names an element in its answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// The Enter key in what is typed.
const ENTER: &str = "\u{E007}";
/// A page that was shown a moment ago may come back from the tab's memory without any request,
/// whatever its headers say; without that the back button shows what the headers allow. Nor is an
/// address with http changed to https.
const FEATURES: &str = "--disable-features=BackForwardCache,HttpsUpgrades";
/// A host with a name of its own, to which http is not what it is to localhost.
const HOSTS: &str = "--host-resolver-rules=MAP www.example.com 127.0.0.1";
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    FEATURES,
    HOSTS,
];

/// An element of the page.
pub struct Element(String);

/// A window of Chromium.
pub struct Browser {
    driver: SocketAddr,
    process: Child,
    /// Its standard output: closed, the next line would end chromedriver.
    _output: BufReader<ChildStdout>,
    _profile: TempDir,
    /// `/session/…`, empty before there is one.
    session: String,
    scripts: bool,
}

/// Starts chromedriver: the process, its standard output, and its port; none where it ended
/// instead.
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
    /// A fresh one without any cookie, with JavaScript or without; none where Chromium is not
    /// installed.
    pub fn open(scripts: bool) -> Option<Self> {
        let prefs = if scripts {
            json!({})
        } else {
            json!({ "profile.managed_default_content_settings.javascript": 2 })
        };
        Self::open_with(scripts, &prefs)
    }

    /// Opens a browser that lets no site keep cookies.
    pub fn open_without_cookies() -> Option<Self> {
        Self::open_with(true, &json!({ "profile.managed_default_content_settings.cookies": 2 }))
    }

    fn open_with(scripts: bool, prefs: &Value) -> Option<Self> {
        let (chromium, chromedriver) = (real_program("chromium")?, real_program("chromedriver")?);
        // On a busy machine it ends now and then, where the port that it drew was taken meanwhile.
        let (process, output, port) = (0..STARTS_MAX)
            .find_map(|_| start(&chromedriver))
            .expect("chromedriver ends each time");
        let profile = TempDir::new().unwrap();
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
        let options = json!({
            "binary": chromium,
            "args": flags,
            "mobileEmulation": { "deviceMetric\
                s": { "width": 360, "height": 640, "pixelRatio": 2 } },
            "prefs": prefs,
        });
        let wanted = json!({ "capabilitie\
            s": { "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": options } } });
        let opened = browser.call("POST", "/session", &wanted).unwrap();
        browser.session = format!("/session/{}", opened["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// Opens an address and waits for the page.
    pub fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// The back button.
    pub fn back(&self) {
        self.post("/back", &json!({}));
    }

    /// The page's address and its title.
    pub fn place(&self) -> (String, String) {
        let text = |path| self.get(path).as_str().unwrap().to_owned();
        (text("/url"), text("/title"))
    }

    /// Waits until this page is shown: an address ends so, and a title.
    pub fn comes_to(&self, address: &str, title: &str) {
        let is_there = |(url, name): (String, String)| url.ends_with(address) && name == title;
        eventually(&format!("the page {address} \"{title}\""), || is_there(self.place()));
    }

    /// The elements that a CSS selector names.
    pub fn all(&self, selector: &str) -> Vec<Element> {
        let found = self.post("/elements", &json!({ "using": "css selector", "value": selector }));
        found
            .as_array()
            .unwrap()
            .iter()
            .map(|element| Element(element[ELEMENT].as_str().unwrap().to_owned()))
            .collect()
    }

    /// The only element that a CSS selector names.
    pub fn the(&self, selector: &str) -> Element {
        let mut found = self.all(selector);
        assert_eq!(found.len(), 1, "{selector}");
        found.remove(0)
    }

    /// What is typed into or pressed, found as people find it: by the name that a screen reader
    /// says.
    pub fn called(&self, label: &str) -> Element {
        let found = self
            .all("input:not([type=hidden]), button")
            .into_iter()
            .find(|element| self.label(element) == label);
        found.unwrap_or_else(|| panic!("nothing on the page is called {label:?}"))
    }

    /// The name that a screen reader says.
    pub fn label(&self, element: &Element) -> String {
        self.about(element, "computedlabel")
    }

    /// What a screen reader says that it is.
    pub fn role(&self, element: &Element) -> String {
        self.about(element, "computedrole")
    }

    /// Its text as shown.
    pub fn text(&self, element: &Element) -> String {
        self.about(element, "text")
    }

    /// An attribute of it, or nothing.
    pub fn attribute(&self, element: &Element, name: &str) -> String {
        self.about(element, &format!("attribute/{name}"))
    }

    /// The element that has the keyboard.
    pub fn focused(&self) -> Element {
        Element(self.get("/element/active")[ELEMENT].as_str().unwrap().to_owned())
    }

    /// Types into what is called so.
    pub fn type_into(&self, label: &str, text: &str) {
        let Element(id) = self.called(label);
        self.post(&format!("/element/{id}/value"), &json!({ "text": text }));
    }

    /// Presses what is called so; what comes of it is to be waited for. Without JavaScript by the
    /// keyboard, because chromedriver looks by a script where to click.
    pub fn press(&self, label: &str) {
        if !self.scripts {
            return self.type_into(label, ENTER);
        }
        let Element(id) = self.called(label);
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// What a script in the page returns.
    pub fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The cookies that go to this page, those that no script sees too.
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
        // Ends Chromium too; killed, chromedriver would leave it behind.
        if !self.session.is_empty() {
            let _ = self.call("DELETE", &self.session, &Value::Null);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
