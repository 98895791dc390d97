//! YAML as kubectl reads it, and where everything in it stands.
//!
//! kubectl reads YAML 1.1: `yes` and `on` are `true` there, `0o17` is text and `017` a number. A reader of YAML 1.2 would
//! take `acceptBillingResponsibility: yes` for text, and say so of a manifest that the API server takes.

use std::collections::{BTreeMap, HashMap};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::{Map, Number, Value};

/// Most values of one file, those that an alias repeats counted each time.
const VALUES_MAX: usize = 1_000_000;

/// Deepest nesting; a manifest of ours needs some eight.
const DEPTH_MAX: usize = 100;

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Yaml {
    pub(in crate::cli) value: Value,
    /// Where each value stands, by its JSON pointer; counted from 1. That of an entry is the line of its key.
    pub(in crate::cli) lines: BTreeMap<String, usize>,
    /// Keys that stand in the same mapping twice, with their lines.
    pub(in crate::cli) repeated: Vec<(String, usize)>,
}

/// What is wrong with the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub(in crate::cli) struct Malformed {
    pub(in crate::cli) line: usize,
    what: String,
}

impl From<ScanError> for Malformed {
    fn from(error: ScanError) -> Self {
        Self { line: error.marker().line(), what: error.info().clone() }
    }
}

/// The documents in `text` that hold anything.
pub(in crate::cli) fn documents(text: &str) -> Result<Vec<Yaml>, Malformed> {
    let mut reader = Reader { parser: Parser::new_from_str(text), values: 0 };
    let mut found = Vec::new();
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(found),
            Event::DocumentStart(..) => {
                let mut document = Document::default();
                let first = reader.next()?;
                if matches!(first.0, Event::DocumentEnd) {
                    continue;
                }
                let value = reader.value(first, "", 0, &mut document)?;
                if !value.is_null() {
                    let Document { lines, repeated, .. } = document;
                    found.push(Yaml { value, lines, repeated });
                }
            }
            Event::StreamStart | Event::DocumentEnd | Event::Comment(..) => {}
            other => return Err(wrong(span, format!("unexpected {other:?}"))),
        }
    }
}

#[derive(Default)]
struct Document {
    lines: BTreeMap<String, usize>,
    repeated: Vec<(String, usize)>,
    anchors: HashMap<usize, Value>,
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    values: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Malformed> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(found) => return Ok(found?),
                None => return Err(Malformed { line: 1, what: "the text ends too early".to_owned() }),
            }
        }
    }

    fn value(
        &mut self,
        (event, span): (Event<'a>, Span),
        pointer: &str,
        depth: usize,
        document: &mut Document,
    ) -> Result<Value, Malformed> {
        self.count(1, span)?;
        if depth > DEPTH_MAX {
            return Err(wrong(span, format!("nested more than {DEPTH_MAX} deep")));
        }
        document.lines.entry(pointer.to_owned()).or_insert_with(|| span.start.line());
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (scalar(&text, style, tag.as_deref()), anchor),
            Event::Alias(id) => {
                let value = document.anchors.get(&id).cloned();
                let value =
                    value.ok_or_else(|| wrong(span, "an alias to nothing, or to what it stands in".to_owned()))?;
                self.count(size(&value), span)?;
                (value, 0)
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let next = self.next()?;
                    if matches!(next.0, Event::SequenceEnd) {
                        break (Value::Array(items), anchor);
                    }
                    let pointer = format!("{pointer}/{}", items.len());
                    items.push(self.value(next, &pointer, depth + 1, document)?);
                }
            }
            Event::MappingStart(_, anchor, _) => (self.mapping(pointer, depth, document)?, anchor),
            other => return Err(wrong(span, format!("unexpected {other:?}"))),
        };
        if anchor != 0 {
            document.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn mapping(&mut self, pointer: &str, depth: usize, document: &mut Document) -> Result<Value, Malformed> {
        let (mut entries, mut merged) = (Map::new(), Vec::new());
        loop {
            let (event, span) = self.next()?;
            let (key, is_plain) = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, style, ..) => (text.into_owned(), style == ScalarStyle::Plain),
                _ => return Err(wrong(span, "a key that is no text".to_owned())),
            };
            let below = format!("{pointer}/{}", escaped(&key));
            let next = self.next()?;
            if key == "<<" && is_plain {
                match self.value(next, &below, depth + 1, document)? {
                    Value::Object(one) => merged.push(one),
                    Value::Array(all) => merged.extend(all.into_iter().filter_map(|one| match one {
                        Value::Object(one) => Some(one),
                        _ => None,
                    })),
                    _ => return Err(wrong(span, "<< must be given a mapping".to_owned())),
                }
                continue;
            }
            document.lines.insert(below.clone(), span.start.line());
            let value = self.value(next, &below, depth + 1, document)?;
            if entries.insert(key.clone(), value).is_some() {
                document.repeated.push((below, span.start.line()));
            }
        }
        for (key, value) in merged.into_iter().flatten() {
            entries.entry(key).or_insert(value);
        }
        Ok(Value::Object(entries))
    }

    fn count(&mut self, values: usize, span: Span) -> Result<(), Malformed> {
        self.values = self.values.saturating_add(values);
        if self.values > VALUES_MAX {
            return Err(wrong(span, format!("more than {VALUES_MAX} values")));
        }
        Ok(())
    }
}

fn wrong(span: Span, what: String) -> Malformed {
    Malformed { line: span.start.line(), what }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// One step of a JSON pointer.
pub(in crate::cli) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What a scalar means.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix() == "str");
    if style != ScalarStyle::Plain || is_text {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return None;
    }
    let plain = text.replace('_', "");
    let (is_negative, digits) = match plain.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let radix = |prefix: &str, radix| {
        let digits = digits.strip_prefix(prefix)?;
        i64::from_str_radix(digits, radix).ok()
    };
    let is_octal = digits.len() > 1 && digits.starts_with('0');
    let octal = || i64::from_str_radix(digits, 8).ok().filter(|_| is_octal);
    if let Some(value) = radix("0x", 16).or_else(|| radix("0b", 2)).or_else(octal) {
        return Some(Number::from(if is_negative { -value } else { value }));
    }
    if digits.is_empty() || !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let whole = plain.strip_prefix('+').unwrap_or(&plain);
    if let Ok(value) = whole.parse::<i64>() {
        return Some(Number::from(value));
    }
    let is_float = whole.chars().all(|letter| letter.is_ascii_digit() || "+-.eE".contains(letter));
    whole.parse::<f64>().ok().filter(|_| is_float).and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "as json! gives it")]
    fn check(text: &str, expected: Value) {
        let found: Vec<_> = documents(text).unwrap().into_iter().map(|found| found.value).collect();
        assert_eq!(Value::Array(found), expected, "{text}");
    }

    #[test]
    fn scalars_mean_what_they_mean_to_kubectl() {
        check("a: yes\nb: 'yes'\nc: off\nd: No", json!([{ "a": true, "b": "yes", "c": false, "d": false }]));
        check(
            "a: 017\nb: 0x1F\nc: -3\nd: 1.5\ne: 1e3\nf: 1_000",
            json!([{
                "a": 15, "b": 31, "c": -3, "d": 1.5, "e": 1000.0, "f": 1000,
            }]),
        );
        check(
            "a: 2026-01-01T00:00:00Z\nb: 1.2.3\nc: +\nd: .\ne: 0o17",
            json!([{
                "a": "2026-01-01T00:00:00Z", "b": "1.2.3", "c": "+", "d": ".", "e": "0o17",
            }]),
        );
        check("a: ~\nb:\nc: ''\nd: !!str 5", json!([{ "a": null, "b": null, "c": "", "d": "5" }]));
    }

    #[test]
    fn documents_anchors_and_merges_are_read_and_what_is_empty_is_none() {
        check("---\n---\n# nothing\n---\na: 1\n---\n[b]\n", json!([{ "a": 1 }, ["b"]]));
        check(
            "a: &x {b: 1, c: 2}\nd: *x\ne: {<<: *x, c: 3}",
            json!([{
                "a": { "b": 1, "c": 2 }, "d": { "b": 1, "c": 2 }, "e": { "c": 3, "b": 1 },
            }]),
        );
        check("", json!([]));
    }

    #[test]
    fn everything_has_its_line_and_what_stands_twice_is_noticed() {
        let text = "a: 1\nb:\n  - x\n  - c/d: 2\n    e: 3\na: 4\n";
        let found = documents(text).unwrap().remove(0);
        let line = |pointer: &str| found.lines[pointer];
        assert_eq!([line("/b"), line("/b/0"), line("/b/1/c~1d"), line("/b/1/e")], [2, 3, 4, 5]);
        assert_eq!((found.value["a"].clone(), found.repeated), (json!(4), vec![("/a".to_owned(), 6)]));
    }

    #[test]
    fn what_cannot_be_read_says_in_which_line() {
        for (text, line) in [("a: 1\nb: [\n", 2), ("a: *nobody", 1), ("a: 1\n b: 2\n", 2)] {
            assert_eq!(documents(text).unwrap_err().line, line, "{text}");
        }
        let bomb = (1..12).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
            let before = format!("*a{}", level - 1);
            format!("{text}a{level}: &a{level} [{}]\n", vec![before; 10].join(", "))
        });
        assert!(documents(&bomb).unwrap_err().to_string().contains("more than 1000000 values"));
    }
}
