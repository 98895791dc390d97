//! The simulator as a process, and its control API.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use local_cluster::Process;
use reqwest::Method;
use serde_json::{Value, json};

use super::Error;

pub(crate) const PARTNER_TENANT: &str = "aaaa0000-2222-4b22-9b22-000000000002";
pub(crate) const CLIENT_ID: &str = "11112222-3333-4444-8555-666677778888";
pub(crate) const CLIENT_SECRET: &str = "simulated-client-secret";
pub(crate) const SEED_REFRESH_TOKEN: &str = "simulated-refresh-token";

/// Who is there when it starts.
#[derive(Debug, Clone)]
pub enum World {
    /// The partner and customers of a YAML file.
    File(PathBuf),
    /// That many generated customers with everything in order.
    Customers(u32),
}

/// A running simulator. It is used through its [`Control`].
#[derive(Debug)]
pub struct Simulator {
    control: Control,
    process: Process,
}

/// The simulator's control API.
#[derive(Debug, Clone)]
pub struct Control {
    url: String,
    http: reqwest::Client,
}

impl Deref for Simulator {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl Simulator {
    pub(crate) fn start(program: &Path, world: &World, directory: &Path) -> Result<Self, Error> {
        let mut command = Command::new(program);
        match world {
            World::File(path) => command.arg("--world").arg(path),
            World::Customers(count) => command.args(["--customers", &count.to_string()]),
        };
        let mut process = Process::spawn(command, directory.join("simulator.log"))?;
        let url = wait_for(&mut process, "csp-simulator", "csp-simulator: listening on ")?;
        Ok(Self { control: Control::at(url), process })
    }

    /// Its log.
    pub fn log(&self) -> &Path {
        self.process.log()
    }
}

impl Control {
    /// The control API of the simulator at this base URL.
    pub(crate) fn at(url: String) -> Self {
        Self { url, http: reqwest::Client::new() }
    }

    /// Base URL of everything it serves.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls its control API below `/simulator/`.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Error> {
        let failed = |source| Error::Simulator { path: path.to_owned(), source };
        let mut request = self.http.request(method, format!("{}/simulator/{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(failed)?;
        let is_success = answer.status().is_success();
        let text = answer.text().await.map_err(failed)?;
        if !is_success {
            return Err(Error::Refused { path: path.to_owned(), said: text });
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Does something from outside: `POST`.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value, Error> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Looks at something: `GET`.
    pub async fn get(&self, path: &str) -> Result<Value, Error> {
        self.call(Method::GET, path, None).await
    }

    /// Changes settings.
    pub async fn set(&self, settings: Value) -> Result<Value, Error> {
        self.call(Method::PATCH, "settings", Some(settings)).await
    }

    /// Somebody turns a switch in the portal.
    pub async fn portal(&self, customer: &str, resource: &str, allow: bool, user: &str) -> Result<Value, Error> {
        let body = json!({ "customer": customer, "resource": resource, "allow": allow, "user": user });
        self.post("portal/permission", body).await
    }

    /// The resources that a customer may buy itself.
    pub async fn permissions(&self, customer: &str) -> Result<Vec<String>, Error> {
        let state = self.get(&format!("state/{customer}")).await?;
        let entries = state["permissions"].as_array().cloned().unwrap_or_default();
        Ok(entries.iter().filter_map(|entry| entry["resource"].as_str().map(str::to_owned)).collect())
    }

    /// The writes to policies since the log was last forgotten: operation, customer, and whether it changed anything.
    pub async fn writes(&self) -> Result<Vec<(String, String, bool)>, Error> {
        let log = self.get("requests").await?;
        let requests = log["requests"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(requests
            .iter()
            .filter(|request| {
                ["create_self_serve_policy", "update_self_serve_policy", "delete_self_serve_policy"]
                    .contains(&request["operation"].as_str().unwrap_or_default())
            })
            .map(|request| {
                (
                    text(&request["operation"]),
                    text(&request["customer"]),
                    request["effective"].as_bool().unwrap_or_default(),
                )
            })
            .collect())
    }

    /// Requests since the log was last forgotten, by operation.
    pub async fn counts(&self) -> Result<Vec<(String, u64)>, Error> {
        let counts = self.get("requests/counts").await?;
        let counts = counts.as_object().cloned().unwrap_or_default();
        Ok(counts
            .iter()
            .map(|(operation, count)| (operation.clone(), count["total"].as_u64().unwrap_or_default()))
            .filter(|(_, total)| *total > 0)
            .collect())
    }

    /// Forgets the request log.
    pub async fn forget_requests(&self) -> Result<(), Error> {
        self.call(Method::DELETE, "requests", None).await.map(|_| ())
    }
}

/// Waits until a line of the log begins with `announcement`; gives the rest of that line.
pub(crate) fn wait_for(process: &mut Process, program: &'static str, announcement: &str) -> Result<String, Error> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let path = process.log().to_owned();
        let log = match std::fs::read_to_string(&path) {
            Ok(log) => log,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(Error::Log { path, source }),
        };
        // Only whole lines: the rest may still be on its way.
        let complete = log.rsplit_once('\n').map_or("", |(complete, _)| complete);
        if let Some(rest) = complete.lines().find_map(|line| line.strip_prefix(announcement)) {
            return Ok(rest.trim().to_owned());
        }
        if !process.is_running()? || Instant::now() > deadline {
            return Err(Error::NotReady { program, said: process.log_tail(20) });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
