//! The right answer, altered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::headers::{self, Headers};
use crate::simulator::exchange::{Answer, Request};

/// What is altered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Edit {
    /// New values by JSON pointer; a last segment `-` appends to an array.
    #[serde(default)]
    set: BTreeMap<String, Value>,
    /// JSON pointers of what is left out.
    #[serde(default)]
    remove: Vec<String>,
    /// Headers to add, or to have instead.
    #[serde(default)]
    headers: Headers,
    /// Whether a byte order mark stands before the JSON.
    #[serde(default)]
    byte_order_mark: bool,
}

/// Where the link of a page leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum NextLink {
    /// `/v1/customers…`
    Versioned,
    /// `customers…`
    Bare,
    /// The whole address, with the version.
    Absolute,
    /// To this same page again. A list without a next page gets one.
    Loop,
    /// To another server.
    Elsewhere,
}

impl Edit {
    /// Whether it can be carried out, on an answer that has what it names; else a sentence with the field in the way.
    pub(super) fn check(&self) -> Result<(), String> {
        let remove = self.remove.iter().map(|pointer| ("remove", pointer));
        let set = self.set.keys().map(|pointer| ("set", pointer));
        for (field, pointer) in remove.chain(set) {
            if !is_pointer(pointer) {
                return Err(format!(
                    "{field}: `{pointer}` is no JSON pointer, which has a slash before each part, such as /items/0/id, with ~0 for ~ and ~1 for /"
                ));
            }
        }
        if self.remove.iter().any(String::is_empty) {
            return Err("remove: the whole body cannot be left out; name a field, such as /items/0/id".to_owned());
        }
        headers::check(&self.headers)
    }

    /// Alters `answer`. What cannot be done is logged: the world may not be as the fault's author thinks.
    pub(crate) fn apply(&self, answer: Answer) -> Answer {
        let mut answer = if self.set.is_empty() && self.remove.is_empty() {
            answer
        } else {
            with_json(answer, |body| {
                for pointer in &self.remove {
                    if !remove(body, pointer) {
                        tracing::warn!(pointer, "a fault removes what the answer does not have");
                    }
                }
                for (pointer, value) in &self.set {
                    if !set(body, pointer, value) {
                        tracing::warn!(pointer, "a fault sets what has no place in the answer");
                    }
                }
            })
        };
        if self.byte_order_mark {
            answer.body = answer.body.map(|body| format!("\u{feff}{body}"));
        }
        for (name, value) in &self.headers {
            let name = name.to_lowercase();
            answer.headers.retain(|(known, _)| *known != name);
            answer = answer.with_header(name, value);
        }
        answer
    }
}

impl NextLink {
    /// Bends the link of the page `answer`, which was the answer to `request`.
    pub(crate) fn apply(self, request: &Request, answer: Answer) -> Answer {
        with_json(answer, |body| {
            if body.get("value").is_some() {
                self.bend_azure(request, body);
            } else {
                self.bend(request, body);
            }
        })
    }

    fn bend(self, request: &Request, body: &mut Value) {
        if self == Self::Loop {
            let token = request.header("MS-ContinuationToken");
            let headers: Vec<Value> =
                token.iter().map(|token| json!({ "key": "MS-ContinuationToken", "value": token })).collect();
            let uri = request.path_and_query();
            let uri = uri.trim_start_matches("/v1");
            body["links"]["next"] = json!({ "uri": uri, "method": "GET", "headers": headers });
            return;
        }
        let Some(uri) = body.pointer_mut("/links/next/uri") else { return };
        let path = uri.as_str().unwrap_or_default().trim_start_matches('/').to_owned();
        *uri = match self {
            Self::Versioned => format!("/v1/{path}"),
            Self::Bare => path,
            Self::Absolute => format!("{}/v1/{path}", request.base_url()),
            Self::Elsewhere | Self::Loop => format!("http://127.0.0.2:9/v1/{path}"),
        }
        .into();
    }

    /// Azure's links are whole addresses by themselves.
    fn bend_azure(self, request: &Request, body: &mut Value) {
        let link = match self {
            Self::Loop => format!("{}{}", request.base_url(), request.path_and_query()),
            Self::Elsewhere => "http://127.0.0.2:9/".to_owned(),
            Self::Versioned | Self::Bare | Self::Absolute => return,
        };
        body["nextLink"] = link.into();
    }
}

fn with_json(mut answer: Answer, change: impl FnOnce(&mut Value)) -> Answer {
    if let Some(Ok(mut body)) = answer.body.as_deref().map(serde_json::from_str::<Value>) {
        change(&mut body);
        answer.body = Some(body.to_string());
    } else {
        tracing::warn!("a fault alters an answer that has no JSON");
    }
    answer
}

/// A JSON pointer, as RFC 6901 has it.
fn is_pointer(text: &str) -> bool {
    let escapes_well = |part: &str| part.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    text.is_empty() || (text.starts_with('/') && escapes_well(text))
}

fn remove(body: &mut Value, pointer: &str) -> bool {
    match parent(body, pointer) {
        Some((Value::Object(fields), key)) => fields.remove(&key).is_some(),
        Some((Value::Array(items), key)) => {
            let index = key.parse().ok().filter(|index| *index < items.len());
            index.map(|index: usize| items.remove(index)).is_some()
        }
        _ => false,
    }
}

fn set(body: &mut Value, pointer: &str, value: &Value) -> bool {
    if pointer.is_empty() {
        *body = value.clone();
        return true;
    }
    match parent(body, pointer) {
        Some((Value::Object(fields), key)) => {
            fields.insert(key, value.clone());
            true
        }
        Some((Value::Array(items), key)) if key == "-" => {
            items.push(value.clone());
            true
        }
        Some((Value::Array(items), key)) => {
            let place = key.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            place.map(|place| *place = value.clone()).is_some()
        }
        _ => false,
    }
}

/// What holds the pointer's last segment, and that segment.
fn parent<'a>(body: &'a mut Value, pointer: &str) -> Option<(&'a mut Value, String)> {
    let (parent, key) = pointer.rsplit_once('/')?;
    Some((body.pointer_mut(parent)?, key.replace("~1", "/").replace("~0", "~")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_name_fields_and_places() {
        let mut body = json!({ "items": [{ "a/b": 1 }, { "c": 2 }], "n": null });
        assert!(set(&mut body, "/items/0/a~1b", &json!("x")));
        assert!(set(&mut body, "/items/-", &json!(3)));
        assert!(set(&mut body, "/items/1", &json!([])));
        assert!(set(&mut body, "/new", &json!({})));
        assert!(remove(&mut body, "/n"));
        assert_eq!(body, json!({ "items": [{ "a/b": "x" }, [], 3], "new": {} }));
        assert!(remove(&mut body, "/items/1"));
        for pointer in ["/items/7", "/nothing/x", "items", "/n"] {
            assert!(!remove(&mut body, pointer), "{pointer}");
        }
        for pointer in ["/items/7", "/nothing/x", "items"] {
            assert!(!set(&mut body, pointer, &json!(1)), "{pointer}");
        }
        assert!(set(&mut body, "", &json!([])));
        assert_eq!(body, json!([]));
    }
}
