//! The app under a driver of web views: its windows are found by their labels, its parts as a person would name them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::desktop::{Desktop, PATIENCE};
use crate::process::{Running, free_address};

/// How WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Longest time that the driver takes for an answer. One that never comes, as of a page that went while it was asked, is
/// asked for again by whoever waits.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// Longest time that something is waited for: a few such answers.
const WAIT: Duration = Duration::from_secs(150);

/// A session with the app.
pub struct Driver {
    /// Ends the app, too, when it goes.
    _process: Running,
    address: SocketAddr,
    session: String,
}

impl Driver {
    /// Starts the app on a desktop through WebKitWebDriver, and waits until it has shown a window.
    ///
    /// # Errors
    /// When there is no driver (package webkit2gtk-driver), or the app shows no window.
    pub fn start(desktop: &Desktop, app: &Command, log: &std::fs::File) -> Result<Self> {
        let address = free_address()?;
        let mut driver = desktop.command("WebKitWebDriver");
        driver
            .arg(format!("--port={}", address.port()))
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?);
        // The driver hands its environment to the app.
        for (name, value) in app.get_envs() {
            match value {
                Some(value) => driver.env(name, value),
                None => driver.env_remove(name),
            };
        }
        let process = Running(driver.spawn().context("WebKitWebDriver")?);
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(begin.elapsed() < PATIENCE, "the driver doesn't listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        let arguments: Vec<_> = app.get_args().map(|a| a.to_string_lossy()).collect();
        let mut this = Self {
            _process: process,
            address,
            session: String::new(),
        };
        let options = json!({"binary": app.get_program().to_string_lossy(), "args": arguments});
        let answer = this.request(
            "POST",
            "/session",
            &json!({"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}),
        )?;
        this.session = answer["sessionId"]
            .as_str()
            .with_context(|| format!("no session: {answer}"))?
            .to_owned();
        Ok(this)
    }

    /// The labels of the windows that are open; the last one is gone to.
    ///
    /// # Errors
    /// When the app is gone.
    pub fn labels(&self) -> Result<Vec<String>> {
        let handles = self.get("/window/handles")?;
        let mut labels = Vec::new();
        for handle in handles.as_array().into_iter().flatten() {
            if self.post("/window", &json!({"handle": handle})).is_err() {
                continue; // It closed meanwhile.
            }
            if let Ok(Value::String(url)) = self.get("/url")
                && let Some((_, label)) = url.split_once("#/")
            {
                labels.push(label.to_owned());
            }
        }
        Ok(labels)
    }

    /// Goes to the window of this label among several.
    ///
    /// # Errors
    /// When it isn't there in time.
    pub fn go_to(&self, label: &str) -> Result<()> {
        self.until(&format!("the window {label}"), || {
            let handles = self.get("/window/handles")?;
            for handle in handles.as_array().into_iter().flatten() {
                if self.post("/window", &json!({"handle": handle})).is_err() {
                    continue;
                }
                let here = self.get("/url").is_ok_and(|url| {
                    url.as_str()
                        .is_some_and(|url| url.ends_with(&format!("#/{label}")))
                });
                let drawn = "return document.querySelector('#root > *') !== null";
                if here && self.eval(drawn)? == true {
                    return Ok(Some(()));
                }
            }
            Ok(None)
        })
    }

    /// What a script in the window returns.
    ///
    /// # Errors
    /// When it throws.
    pub fn eval(&self, script: &str) -> Result<Value> {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until a script's expression is true of the window.
    ///
    /// # Errors
    /// When it never is.
    pub fn is_so(&self, expression: &str) -> Result<()> {
        let script = format!("return {expression}");
        self.until(expression, || {
            Ok((self.eval(&script)? == true).then_some(()))
        })
    }

    /// What the app answers the window, as its own scripts would ask.
    ///
    /// # Errors
    /// When it refuses: the sentence is part of the message.
    pub fn invoke(&self, command: &str, arguments: &Value) -> Result<Value> {
        let answer = self.eval(&format!(
            "return window.__TAURI_INTERNALS__.invoke('{command}', {arguments})\
               .then((answer) => ({{answer}}), (refused) => ({{refused}}))"
        ))?;
        let refused = &answer["refused"];
        ensure!(refused.is_null(), "{command}: {refused}");
        Ok(answer["answer"].clone())
    }

    /// Clicks what an XPath finds, once it is there.
    ///
    /// # Errors
    /// When it isn't, or can't be clicked.
    pub fn click(&self, xpath: &str) -> Result<()> {
        let element = self.find(xpath)?;
        self.post(&format!("/element/{element}/click"), &json!({}))
            .map(drop)
    }

    /// Chooses a tab, counted from 1: again where a click came while the window was being laid out.
    ///
    /// # Errors
    /// When it isn't there.
    pub fn choose_tab(&self, number: usize) -> Result<()> {
        let tab = format!("(//button[@role='tab'])[{number}]");
        self.until(&tab, || {
            self.click(&tab)?;
            let script = format!(
                "return document.querySelectorAll('[role=tab]')[{}].getAttribute('aria-selected')",
                number - 1
            );
            Ok((self.eval(&script)? == "true").then_some(()))
        })
    }

    /// Clicks what closes the window, which may be gone before the driver says that it has clicked: whether it was is
    /// for the caller to see.
    ///
    /// # Errors
    /// When it isn't there.
    pub fn click_away(&self, xpath: &str) -> Result<()> {
        let element = self.find(xpath)?;
        let _ = self.post(&format!("/element/{element}/click"), &json!({}));
        Ok(())
    }

    /// Types into what an XPath finds.
    ///
    /// # Errors
    /// When it isn't there.
    pub fn type_into(&self, xpath: &str, text: &str) -> Result<()> {
        let element = self.find(xpath)?;
        self.post(&format!("/element/{element}/value"), &json!({"text": text}))
            .map(drop)
    }

    /// Draws a line with the pointer: from one point of the window to another, in CSS pixels.
    ///
    /// # Errors
    /// When the driver doesn't.
    pub fn drag(&self, from: (i64, i64), to: (i64, i64)) -> Result<()> {
        let go =
            |(x, y): (i64, i64)| json!({"type": "pointerMove", "x": x, "y": y, "duration": 60});
        let middle = (i64::midpoint(from.0, to.0), i64::midpoint(from.1, to.1));
        self.post(
            "/actions",
            &json!({"actions": [{"type": "pointer", "id": "hand", "parameters": {"pointerType": "mouse"}, "actions": [
                go(from), {"type": "pointerDown", "button": 0}, go(middle), go(to), {"type": "pointerUp", "button": 0},
            ]}]}),
        )
        .map(drop)
    }

    /// Gives the window another size, and lets it draw.
    ///
    /// # Errors
    /// When the driver doesn't.
    pub fn resize(&self, width: u32, height: u32) -> Result<()> {
        self.post("/window/rect", &json!({"width": width, "height": height}))?;
        // Two frames of one size: what was still on its way has been drawn.
        self.eval(
            "cancelAnimationFrame(window.looking); window.steady = 0; let was = ''; const look = () => { const now = `${innerWidth}x${innerHeight}`; \
             window.steady = now === was ? window.steady + 1 : 0; was = now; window.looking = requestAnimationFrame(look); }; look()",
        )?;
        self.until("the window to have its size", || {
            let script = format!(
                "return window.steady > 5 && Math.abs(innerWidth - {width}) < 60 && Math.abs(innerHeight - {height}) < 60"
            );
            Ok((self.eval(&script)? == true).then_some(()))
        })
    }

    /// The window as a PNG.
    ///
    /// # Errors
    /// When the driver gives none.
    pub fn picture(&self) -> Result<Vec<u8>> {
        let picture = self.get("/screenshot")?;
        Ok(STANDARD.decode(picture.as_str().context("a picture")?)?)
    }

    /// Waits until an XPath finds something, and gives its id.
    ///
    /// # Errors
    /// When it doesn't.
    pub fn find(&self, xpath: &str) -> Result<String> {
        self.until(xpath, || {
            let found = self.post("/element", &json!({"using": "xpath", "value": xpath}));
            Ok(found
                .ok()
                .and_then(|element| Some(element[ELEMENT].as_str()?.to_owned())))
        })
    }

    /// Waits until `get` gives something.
    ///
    /// # Errors
    /// When it doesn't in time; what the window shows is part of the message.
    pub fn until<T>(&self, what: &str, get: impl Fn() -> Result<Option<T>>) -> Result<T> {
        let begin = Instant::now();
        loop {
            if let Ok(Some(found)) = get() {
                return Ok(found);
            }
            if begin.elapsed() > WAIT {
                let shown = self.eval("return document.body.innerText");
                bail!("waited in vain for {what}; the window shows {shown:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn get(&self, path: &str) -> Result<Value> {
        self.request(
            "GET",
            &format!("/session/{}{path}", self.session),
            &Value::Null,
        )
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.request("POST", &format!("/session/{}{path}", self.session), body)
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(self.address)?;
        // The first starts the app.
        let deadline = match self.session.is_empty() {
            true => WAIT,
            false => ANSWER_DEADLINE,
        };
        stream.set_read_timeout(Some(deadline))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = Vec::new();
        stream
            .read_to_end(&mut answer)
            .with_context(|| format!("{method} {path}"))?;
        let split = answer
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .context("an answer without a head")?;
        let ok = answer.starts_with(b"HTTP/1.1 200");
        let answer: Value = serde_json::from_slice(&answer[split + 4..])?;
        ensure!(ok, "{method} {path}: {}", answer["value"]);
        Ok(answer["value"].clone())
    }
}
