//! What every object has: its name and the rest of its metadata, as the API server checks it.

use serde_json::Value;

use super::super::manifests::escaped;

/// A pointer, and what is wrong there.
pub(super) type Found = (String, String);

/// The fields of `ObjectMeta`, and what each holds.
const FIELDS: [(&str, &str); 15] = [
    ("annotations", "map"),
    ("creationTimestamp", "any"),
    ("deletionGracePeriodSeconds", "any"),
    ("deletionTimestamp", "any"),
    ("finalizers", "list"),
    ("generateName", "string"),
    ("generation", "any"),
    ("labels", "map"),
    ("managedFields", "any"),
    ("name", "string"),
    ("namespace", "string"),
    ("ownerReferences", "any"),
    ("resourceVersion", "string"),
    ("selfLink", "string"),
    ("uid", "string"),
];

/// What is wrong with the metadata of `object`.
pub(super) fn check(object: &Value) -> Vec<Found> {
    let mut found = Vec::new();
    let Some(metadata) = object["metadata"].as_object() else {
        return vec![("/metadata".to_owned(), "metadata.name is required".to_owned())];
    };
    for (field, value) in metadata {
        let pointer = format!("/metadata/{}", escaped(field));
        let Some((_, holds)) = FIELDS.iter().find(|(known, _)| known == field) else {
            found.push((pointer, "there is no such field".to_owned()));
            continue;
        };
        let is_right = value.is_null()
            || match *holds {
                "string" => value.is_string(),
                "list" => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
                "map" => value.as_object().is_some_and(|entries| entries.values().all(Value::is_string)),
                _ => true,
            };
        if !is_right {
            let holds =
                if *holds == "string" { "text" } else { "texts only; put quotes around numbers, true and false" };
            found.push((pointer, format!("must hold {holds}")));
        }
    }
    match metadata.get("name").and_then(Value::as_str) {
        None | Some("") => found.push(("/metadata".to_owned(), "metadata.name is required".to_owned())),
        Some(name) if !is_subdomain(name) => found.push(("/metadata/name".to_owned(), NAME.to_owned())),
        Some(_) => {}
    }
    if let Some(namespace) = metadata.get("namespace").and_then(Value::as_str).filter(|name| !name.is_empty())
        && !(namespace.len() <= 63 && is_label(namespace))
    {
        found.push((
            "/metadata/namespace".to_owned(),
            "must be the name of a namespace: at most 63 lower-case letters, digits and hyphens".to_owned(),
        ));
    }
    found.extend(keys(&metadata.get("annotations").cloned().unwrap_or_default(), "annotations", |_| true));
    found.extend(keys(&metadata.get("labels").cloned().unwrap_or_default(), "labels", |value| {
        value.is_empty() || is_qualified_part(value)
    }));
    found
}

const NAME: &str =
    "must be at most 253 lower-case letters, digits, hyphens and dots, and begin and end with a letter or a digit";

fn is_label(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_digit() || letter.is_ascii_lowercase();
    !text.is_empty()
        && text.starts_with(is_letter)
        && text.ends_with(is_letter)
        && text.chars().all(|letter| is_letter(letter) || letter == '-')
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_qualified_part(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric();
    (1..=63).contains(&text.len())
        && text.starts_with(is_letter)
        && text.ends_with(is_letter)
        && text.chars().all(|letter| is_letter(letter) || "-_.".contains(letter))
}

/// The keys of annotations and labels, and their values.
fn keys(entries: &Value, field: &str, is_value: impl Fn(&str) -> bool) -> Vec<Found> {
    let mut found = Vec::new();
    for (key, value) in entries.as_object().into_iter().flatten() {
        let is_key = match key.split_once('/') {
            Some((prefix, name)) => is_subdomain(&prefix.to_lowercase()) && is_qualified_part(name),
            None => is_qualified_part(key),
        };
        let pointer = format!("/metadata/{field}/{}", escaped(key));
        if !is_key {
            found.push((pointer, "is no name that an annotation or a label can have".to_owned()));
        } else if value.as_str().is_some_and(|value| !is_value(value)) {
            found.push((pointer, "must be at most 63 letters, digits, hyphens, underscores and dots, and begin and end with a letter or a digit".to_owned()));
        }
    }
    found
}
