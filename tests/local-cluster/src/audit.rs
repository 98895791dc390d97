//! Counting what the API server was asked, by whom, from its audit log.
//!
//! ```no_run
//! # fn f(cluster: &local_cluster::ControlPlane) -> Result<(), local_cluster::Error> {
//! use local_cluster::audit;
//!
//! let before = audit::read(cluster.audit_log(), 0)?;
//! // … something happens …
//! let after = audit::read(cluster.audit_log(), before.end)?;
//! let operator = after.counts.of("system:serviceaccount:csp-operator:csp-operator");
//! assert_eq!(operator.writes().total(), 0, "a converged cluster is left alone:\n{operator}");
//! # Ok(()) }
//! ```
//!
//! A line is written when its request has been answered, a moment after the client has the answer: whoever reads right
//! after a request may have to read again.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use crate::Error;
use crate::error::file;

/// What is counted apart: two requests that agree in all of this are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// Who asked; with impersonation (`kubectl --as`), as whom.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; `get` or `post` for a path.
    pub verb: String,
    /// `resource.group` or `resource.group/subresource`, without the group for the core one, such as `secrets` and
    /// `customers.csp-operator.dev/status`; for a request of no resource, its path, such as `/readyz`.
    pub resource: String,
    /// The namespace; empty for what has none, and for a list of all namespaces.
    pub namespace: String,
    /// The HTTP status answered; 0 when there was none.
    pub code: u16,
}

/// How often each kind of request was made. `Display` is a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    requests: BTreeMap<Request, u64>,
}

/// What was read of an audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The requests of the part that was read.
    pub counts: Counts,
    /// Where the next reading begins, in bytes from the start of the file: after the last complete line.
    pub end: u64,
}

/// Reads an audit log from `start` (bytes; 0, or the [`Reading::end`] of an earlier reading) to its last complete line.
///
/// # Errors
/// [`Error::File`] when it cannot be read, [`Error::AuditLine`] when a complete line is not an audit event.
pub fn read(path: impl AsRef<Path>, start: u64) -> Result<Reading, Error> {
    let path = path.as_ref();
    let log = File::open(path).map_err(file("open", path))?;
    let mut lines = BufReader::new(log);
    lines.seek(SeekFrom::Start(start)).map_err(file("read", path))?;
    let (mut counts, mut end, mut line) = (Counts::default(), start, Vec::new());
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line).map_err(file("read", path))?;
        if line.last() != Some(&b'\n') {
            return Ok(Reading { counts, end });
        }
        let event: Event = serde_json::from_slice(&line).map_err(|source| Error::AuditLine {
            path: path.to_owned(),
            offset: end,
            source,
        })?;
        if !event.is_end_of_watch() {
            counts.add(event.into_request(), 1);
        }
        end += length as u64;
    }
}

impl Counts {
    /// The requests of one user, by its full name, such as `system:serviceaccount:<namespace>:<name>`.
    #[must_use]
    pub fn of(&self, user: &str) -> Self {
        self.only(|request| request.user == user)
    }

    /// The requests that change something, refused ones too.
    #[must_use]
    pub fn writes(&self) -> Self {
        let verbs = ["create", "update", "patch", "delete", "deletecollection"];
        self.only(|request| verbs.contains(&request.verb.as_str()))
    }

    /// The requests that were answered with 403.
    #[must_use]
    pub fn forbidden(&self) -> Self {
        self.only(|request| request.code == 403)
    }

    /// The requests for which `keep` holds.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&Request) -> bool) -> Self {
        let requests = self.requests.iter().filter(|(request, _)| keep(request));
        Self { requests: requests.map(|(request, count)| (request.clone(), *count)).collect() }
    }

    /// How many requests there are in all.
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }

    /// How many requests there are of each verb.
    pub fn by_verb(&self) -> BTreeMap<&str, u64> {
        let mut verbs = BTreeMap::new();
        for (request, count) in self.iter() {
            *verbs.entry(request.verb.as_str()).or_default() += count;
        }
        verbs
    }

    /// Every kind of request with its count, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&Request, u64)> {
        self.requests.iter().map(|(request, count)| (request, *count))
    }

    fn add(&mut self, request: Request, count: u64) {
        *self.requests.entry(request).or_default() += count;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = ["COUNT", "USER", "VERB", "RESOURCE", "NAMESPACE", "CODE"].map(str::to_owned);
        let rows: Vec<_> = [titles].into_iter().chain(self.iter().map(row)).collect();
        let widths: [usize; 6] = std::array::from_fn(|column| {
            rows.iter().map(|cells| cells[column].chars().count()).max().unwrap_or_default()
        });
        for cells in &rows {
            let padded: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(f, "{}", padded.join("  ").trim_end())?;
        }
        Ok(())
    }
}

fn row((request, count): (&Request, u64)) -> [String; 6] {
    let Request { user, verb, resource, namespace, code } = request.clone();
    let namespace = if namespace.is_empty() { "-".to_owned() } else { namespace };
    [count.to_string(), user, verb, resource, namespace, code.to_string()]
}

/// One line: the fields of `audit.k8s.io/v1` `Event` that are counted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: User,
    impersonated_user: Option<User>,
    object_ref: Option<ObjectRef>,
    response_status: Option<ResponseStatus>,
}

#[derive(Debug, Deserialize)]
struct User {
    /// Absent when the request was refused before anyone was recognised.
    #[serde(default)]
    username: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    resource: String,
    namespace: String,
    api_group: String,
    subresource: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

impl Event {
    /// A watch that was granted has two lines: one when it starts, which is counted, and one when it ends, which may be
    /// long after. A refused one has only the second.
    fn is_end_of_watch(&self) -> bool {
        self.verb == "watch" && self.stage == "ResponseComplete" && self.code() < 400
    }

    fn code(&self) -> u16 {
        self.response_status.as_ref().map_or(0, |status| status.code)
    }

    fn into_request(self) -> Request {
        let code = self.code();
        let (resource, namespace) = match self.object_ref {
            Some(object) => (object.full_name(), object.namespace),
            None => (self.request_uri.split('?').next().unwrap_or_default().to_owned(), String::new()),
        };
        let user = self.impersonated_user.unwrap_or(self.user).username;
        Request { user, verb: self.verb, resource, namespace, code }
    }
}

impl ObjectRef {
    fn full_name(&self) -> String {
        let Self { resource, api_group, subresource, .. } = self;
        let mut name = resource.clone();
        for (separator, part) in [('.', api_group), ('/', subresource)] {
            if !part.is_empty() {
                name.push(separator);
                name.push_str(part);
            }
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;
    use crate::directory::for_test;

    fn event(user: &str, verb: &str, object: &Value, code: u16) -> Value {
        json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
            "requestURI": "/readyz?verbose", "verb": verb, "user": {"username": user, "groups": ["some"]},
            "objectRef": object, "responseStatus": {"metadata": {}, "code": code},
        })
    }

    fn customer(namespace: &str, subresource: &str) -> Value {
        json!({"resource": "customers", "apiGroup": "csp-operator.dev", "apiVersion": "v1alpha1",
            "namespace": namespace, "name": "contoso", "subresource": subresource})
    }

    /// Reads a log of these events, followed by `rest`.
    fn reading(events: &[Value], rest: &str) -> Result<Reading, Error> {
        let root = for_test();
        let log = root.path().join("log");
        let lines = events.iter().map(Value::to_string).chain([rest.to_owned()]).collect::<Vec<_>>();
        fs::write(&log, lines.join("\n")).unwrap();
        read(log, 0)
    }

    #[test]
    fn counts_by_user_verb_resource_namespace_and_code() {
        let events = [
            event("operator", "patch", &customer("a", "status"), 200),
            event("operator", "patch", &customer("a", "status"), 200),
            event("operator", "patch", &customer("a", "status"), 409),
            event("operator", "list", &customer("", ""), 200),
            event("admin", "delete", &json!({"resource": "secrets", "namespace": "b"}), 403),
            event("admin", "get", &Value::Null, 200),
        ];
        let counts = reading(&events, "").unwrap().counts;
        assert_eq!(counts.total(), 6);
        assert_eq!(counts.of("operator").total(), 4);
        assert_eq!(counts.of("operator").writes().total(), 3);
        assert_eq!(counts.of("operator").by_verb(), [("list", 1), ("patch", 3)].into());
        assert_eq!(counts.forbidden().writes().total(), 1);
        assert_eq!(
            counts.to_string(),
            "\
COUNT  USER      VERB    RESOURCE                           NAMESPACE  CODE
1      admin     delete  secrets                            b          403
1      admin     get     /readyz                            -          200
1      operator  list    customers.csp-operator.dev         -          200
2      operator  patch   customers.csp-operator.dev/status  a          200
1      operator  patch   customers.csp-operator.dev/status  a          409
"
        );
    }

    #[test]
    fn a_watch_counts_once_and_when_it_starts() {
        let stage = |stage: &str, code: u16| {
            let mut event = event("operator", "watch", &customer("", ""), code);
            event["stage"] = stage.into();
            event
        };
        let events = [stage("ResponseStarted", 200), stage("ResponseComplete", 200), stage("ResponseComplete", 403)];
        let counts = reading(&events, "").unwrap().counts;
        assert_eq!((counts.total(), counts.forbidden().total()), (2, 1));
    }

    #[test]
    fn an_impersonator_counts_as_whom_it_impersonates() {
        let mut event = event("admin", "get", &customer("a", ""), 200);
        event["impersonatedUser"] = json!({"username": "operator"});
        assert_eq!(reading(&[event], "").unwrap().counts.of("operator").total(), 1);
    }

    #[test]
    fn a_line_still_being_written_is_left_for_the_next_reading() {
        let event = event("operator", "get", &customer("a", ""), 200);
        let reading = reading(std::slice::from_ref(&event), r#"{"kind": "Ev"#).unwrap();
        assert_eq!(reading.counts.total(), 1);
        assert_eq!(reading.end, event.to_string().len() as u64 + 1);
    }

    #[test]
    fn a_later_reading_begins_where_the_last_one_ended() {
        let root = for_test();
        let log = root.path().join("log");
        let line = |user| format!("{}\n", event(user, "get", &customer("a", ""), 200));
        fs::write(&log, line("first")).unwrap();
        let end = read(&log, 0).unwrap().end;
        fs::write(&log, line("first") + &line("second")).unwrap();
        let counts = read(&log, end).unwrap().counts;
        assert_eq!((counts.total(), counts.of("second").total()), (1, 1));
    }

    #[test]
    fn a_complete_line_that_is_no_event_is_an_error_that_says_where() {
        let error = reading(&[], "nonsense\n").unwrap_err();
        assert!(matches!(error, Error::AuditLine { offset: 0, .. }), "{error}");
    }
}
