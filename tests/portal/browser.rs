//! Chromium, operated through chromedriver: the few commands of `WebDriver` (<https://www.w3.org/TR/webdriver2/>) that the
//! tests need.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// What chromedriver says once it can be used, before its port.
const STARTED: &str = "started successfully on port ";

/// Longest wait for a page.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks whether it is there.
const POLL: Duration = Duration::from_millis(20);

/// The key of an element's id in answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that are no letters, as `WebDriver` writes them.
pub(crate) const TAB: char = '\u{e004}';
pub(crate) const ENTER: char = '\u{e007}';
pub(crate) const SPACE: char = ' ';
const SHIFT: char = '\u{e008}';

/// The number of the next browser of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Whether pages may run scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scripts {
    Forbidden,
    Allowed,
}

/// A browser with one window. Dropping it ends the browser.
pub(crate) struct Browser {
    http: Client,
    /// Address of the session at chromedriver.
    session: String,
    driver: Child,
    /// Where Chromium and chromedriver leave their files.
    scratch: PathBuf,
}

/// Part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element(String);

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its session, and takes its files along. Whatever goes wrong, it ends with its group.
        let _ = end(&self.session);
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

impl Browser {
    pub(crate) async fn start(scripts: Scripts) -> Self {
        // Another test of this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().build().unwrap();
        // Short, since sockets in it have names of at most a hundred bytes.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let scratch = std::env::temp_dir().join(format!("csp-portal-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&scratch).unwrap();
        let (driver, port) = driver(&scratch);
        let mut browser = Self { http, session: format!("http://127.0.0.1:{port}"), driver, scratch };
        let mut arguments = vec![
            "--headless=new",
            "--disable-dev-shm-usage",
            "--window-size=1280,900",
            "--lang=en-US",
            // Nothing but the simulator is asked for anything.
            "--proxy-server=direct://",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ];
        if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
            // Chromium's sandbox does not start for root.
            arguments.push("--no-sandbox");
        }
        let mut options = json!({ "args": arguments });
        if scripts == Scripts::Forbidden {
            options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
        }
        let capabilities = json!({ "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": options } });
        let session = browser.call(Method::POST, "/session", json!({ "capabilities": capabilities })).await;
        browser.session = format!("{}/session/{}", browser.session, session["sessionId"].as_str().unwrap());
        browser
    }

    /// Sends a command; its value.
    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        self.attempt(method, path, body).await.unwrap_or_else(|refusal| panic!("{path}: {refusal}"))
    }

    async fn attempt(&self, method: Method, path: &str, body: Value) -> Result<Value, Value> {
        let request = self.http.request(method.clone(), format!("{}{path}", self.session));
        let request = if method == Method::POST { request.json(&body) } else { request };
        let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
        let value = answer["value"].take();
        if value["error"].is_string() { Err(value) } else { Ok(value) }
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, Value::Null).await
    }

    async fn get_text(&self, path: &str) -> String {
        self.get(path).await.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn go(&self, address: &str) {
        self.call(Method::POST, "/url", json!({ "url": address })).await;
    }

    pub(crate) async fn address(&self) -> String {
        self.get_text("/url").await
    }

    pub(crate) async fn title(&self) -> String {
        self.get_text("/title").await
    }

    /// The element that a CSS selector finds first.
    pub(crate) async fn find(&self, css: &str) -> Element {
        let found = self.call(Method::POST, "/element", by_css(css)).await;
        element(&found)
    }

    pub(crate) async fn has(&self, css: &str) -> bool {
        let found = self.call(Method::POST, "/elements", by_css(css)).await;
        !found.as_array().unwrap().is_empty()
    }

    /// The element that has the focus.
    pub(crate) async fn active(&self) -> Element {
        element(&self.get("/element/active").await)
    }

    /// Waits until an element has the focus, which the browser gives when it first draws the page.
    pub(crate) async fn until_active(&self, expected: &Element) {
        let deadline = Instant::now() + PATIENCE;
        while self.active().await != *expected {
            assert!(Instant::now() < deadline, "something else has the focus");
            tokio::time::sleep(POLL).await;
        }
    }

    pub(crate) async fn click(&self, on: &Element) {
        self.call(Method::POST, &format!("/element/{}/click", on.0), json!({})).await;
    }

    /// Does what leads to another page, such as pressing a button, and waits until that is there.
    pub(crate) async fn follow(&self, act: impl Future<Output = ()>) {
        let before = self.find("html").await;
        act.await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let root = self.attempt(Method::POST, "/element", by_css("html")).await;
            // Every page ends in its footer.
            if root.is_ok_and(|root| element(&root) != before) && self.has("footer").await {
                return;
            }
            assert!(Instant::now() < deadline, "still waiting for another page than {}", self.address().await);
            tokio::time::sleep(POLL).await;
        }
    }

    /// Presses the button that a CSS selector finds, which sends its form.
    pub(crate) async fn submit(&self, css: &str) {
        let button = self.find(css).await;
        self.follow(self.click(&button)).await;
    }

    /// Follows the link with these words.
    pub(crate) async fn follow_link(&self, words: &str) {
        let link = self.call(Method::POST, "/element", json!({ "using": "link text", "value": words })).await;
        self.follow(self.click(&element(&link))).await;
    }

    /// Types into an element what replaces what is there.
    pub(crate) async fn fill(&self, into: &Element, text: &str) {
        self.call(Method::POST, &format!("/element/{}/clear", into.0), json!({})).await;
        self.call(Method::POST, &format!("/element/{}/value", into.0), json!({ "text": text })).await;
    }

    /// Picks an option of the element that a CSS selector finds, by its value.
    pub(crate) async fn pick(&self, css: &str, value: &str) {
        let option = self.find(&format!("{css} option[value=\"{value}\"]")).await;
        self.click(&option).await;
    }

    pub(crate) async fn text(&self, of: &Element) -> String {
        self.get_text(&format!("/element/{}/text", of.0)).await
    }

    /// The text of what a CSS selector finds first.
    pub(crate) async fn text_at(&self, css: &str) -> String {
        let found = self.find(css).await;
        self.text(&found).await
    }

    pub(crate) async fn attribute(&self, of: &Element, name: &str) -> Option<String> {
        self.get(&format!("/element/{}/attribute/{name}", of.0)).await.as_str().map(str::to_owned)
    }

    /// Role and name, as assistive technology is told them.
    pub(crate) async fn told(&self, of: &Element) -> (String, String) {
        let role = self.get_text(&format!("/element/{}/computedrole", of.0)).await;
        (role, self.get_text(&format!("/element/{}/computedlabel", of.0)).await)
    }

    /// Presses keys, one after the other.
    pub(crate) async fn press(&self, keys: &str) {
        self.strike(keys.chars().flat_map(|key| [stroke("keyDown", key), stroke("keyUp", key)]).collect()).await;
    }

    /// Presses Tab with Shift, which leads to the stop before.
    pub(crate) async fn press_back(&self) {
        self.strike(vec![
            stroke("keyDown", SHIFT),
            stroke("keyDown", TAB),
            stroke("keyUp", TAB),
            stroke("keyUp", SHIFT),
        ])
        .await;
    }

    async fn strike(&self, strokes: Vec<Value>) {
        let source = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.call(Method::POST, "/actions", json!({ "actions": [source] })).await;
    }

    /// Runs a script in the page and gives what it returns, or what its promise becomes.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.call(Method::POST, "/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// Runs a script about an element, `arguments[0]`, as [`Browser::run`] does. The debugger may, even where pages may not.
    pub(crate) async fn run_on(&self, element: &Element, script: &str) -> Value {
        let element = json!({ ELEMENT: element.0 });
        self.call(Method::POST, "/execute/sync", json!({ "script": script, "args": [element] })).await
    }

    /// A command of Chromium's own protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.call(Method::POST, "/goog/cdp/execute", body).await;
    }
}

/// Ends a session, without a runtime: a test that has failed has none any more.
fn end(session: &str) -> std::io::Result<()> {
    let (address, path) = session.trim_start_matches("http://").split_once('/').unwrap_or_default();
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(connection, "DELETE /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    connection.read_to_end(&mut Vec::new()).map(drop)
}

fn stroke(kind: &str, key: char) -> Value {
    json!({ "type": kind, "value": key.to_string() })
}

fn by_css(css: &str) -> Value {
    json!({ "using": "css selector", "value": css })
}

fn element(found: &Value) -> Element {
    Element(found[ELEMENT].as_str().unwrap().to_owned())
}

/// chromedriver on a port of its choice.
fn driver(scratch: &Path) -> (Child, u16) {
    let started = Command::new("chromedriver")
        .arg("--port=0")
        .env("TMPDIR", scratch)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    let mut driver = started.unwrap_or_else(|error| {
        panic!(
            "chromedriver cannot be started ({error}). This test needs Chromium and chromedriver: \
             `apt-get install chromium chromium-driver` on Debian"
        )
    });
    let output = BufReader::new(driver.stdout.take().unwrap());
    let port = output.lines().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once(STARTED)?;
        rest.trim_end_matches('.').parse().ok()
    });
    (driver, port.expect("chromedriver says its port"))
}
