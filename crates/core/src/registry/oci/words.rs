//! The text of a registry's errors, for people.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind};
use crate::value::joined;

/// One error of the registry (OCI distribution specification, *Error codes*). Missing parts are empty: Artifactory
/// sends no code, and Nexus puts its reason into the detail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) detail: String,
}

impl Said {
    /// The errors in a body; empty if the body is not the registry's JSON.
    pub(super) fn all(body: &[u8]) -> Vec<Said> {
        #[derive(Deserialize)]
        struct Envelope {
            errors: Vec<Map<String, Value>>,
        }
        let Ok(Envelope { errors }) = serde_json::from_slice(body) else { return Vec::new() };
        errors.iter().map(Said::of).filter(|said| *said != Said::default()).collect()
    }

    /// The error of a body that is one error in place of a list, such as zot's 401. None if the body has other keys,
    /// which would not be shown. Gateways send such bodies, too, so they prove no absence.
    pub(super) fn alone(body: &[u8]) -> Option<Said> {
        let error: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let is_known = error.keys().all(|name| matches!(name.as_str(), "code" | "message" | "detail"));
        Some(Said::of(&error)).filter(|said| is_known && !said.code.is_empty() && !said.message.is_empty())
    }

    fn of(error: &Map<String, Value>) -> Said {
        let part = |name| error.get(name).map_or_else(String::new, plain);
        Said { code: part("code"), message: part("message"), detail: part("detail") }
    }
}

impl std::fmt::Display for Said {
    /// `CODE: message (detail)`, without the empty parts, and without a detail that repeats the message.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Said { code, message, detail } = self;
        let between = if code.is_empty() || message.is_empty() { "" } else { ": " };
        let words = format!("{code}{between}{message}");
        match detail.as_str() {
            detail if detail.is_empty() || detail == message => f.write_str(&words),
            detail if words.is_empty() => f.write_str(detail),
            detail => write!(f, "{words} ({detail})"),
        }
    }
}

/// A JSON value without quotes and escapes, so that redaction finds a secret in it:
/// `Type: repository, Name: acme/shop`.
fn plain(value: &Value) -> String {
    let parts: Vec<(&str, String)> = match value {
        Value::Null => return String::new(),
        Value::Bool(_) | Value::Number(_) => return value.to_string(),
        Value::String(text) => return text.trim().to_owned(),
        Value::Array(items) => items.iter().map(|item| ("", plain(item))).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.as_str(), plain(value))).collect(),
    };
    let parts = parts.into_iter().filter(|(_, part)| !part.is_empty());
    joined(parts.map(|(name, part)| if name.is_empty() { part } else { format!("{name}: {part}") }), ", ")
}

/// The text of a body that is not the registry's JSON: of a page the visible text, of any other body the whole text.
pub(super) fn text_of(body: &str) -> String {
    let body = body.trim();
    let text = if body.starts_with('<') { without_tags(body) } else { String::new() };
    if text.is_empty() { body.to_owned() } else { text }
}

/// The text of HTML or XML without tags, on one line.
fn without_tags(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        if !tag.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '!' | '?')) {
            text.push('<');
            rest = tag;
            continue;
        }
        text.push(' ');
        let lower = tag.to_ascii_lowercase();
        let ends = [("!--", "-->"), ("script", "</script>"), ("style", "</style>")];
        let end = ends.into_iter().find(|(start, _)| lower.starts_with(start)).map_or(">", |(_, end)| end);
        // If the end is missing, the rest of the page is part of the tag, as in a browser.
        rest = lower.find(end).and_then(|at| tag.get(at + end.len()..)).unwrap_or("");
    }
    text.push_str(rest);
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")];
    let text = entities.into_iter().fold(text, |text, (entity, char)| text.replace(entity, char));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An error of `kind` with the message and the context of `error`, and with `more` added to the message.
pub(super) fn and(kind: ErrorKind, error: &Error, more: &str) -> Error {
    let longer = Error::new(kind, format!("{error}; {more}"));
    let longer = if kind == error.kind() { longer.with_retry(error.retry()) } else { longer };
    error.context().fold(longer, |longer, (name, value)| longer.with_context(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(body: &str) -> Vec<String> {
        Said::all(body.as_bytes()).iter().map(Said::to_string).collect()
    }

    #[test]
    fn every_error_of_a_body_is_shown_with_code_message_and_detail() {
        for (errors, want) in [
            (r#"[{"code":"A","message":"m","detail":"d"},{"code":"B","message":"n"}]"#, &["A: m (d)", "B: n"][..]),
            (r#"[{"status":403,"message":"Not enough permissions"}]"#, &["Not enough permissions"]),
            (r#"[{"code":"A"},{"message":"m","detail":"m"},{"detail":"d"}]"#, &["A", "m", "d"]),
            (r#"[{"code":7,"message":null,"detail":{}}]"#, &["7"]),
            (r#"[{"code":"","message":"","detail":[]},{}]"#, &[]),
            (
                r#"[{"code":"A","message":"m","detail":[{"Type":"repository","Name":"a","Tags":["x","y"],"No":null}]}]"#,
                &["A: m (Name: a, Tags: x, y, Type: repository)"],
            ),
        ] {
            assert_eq!(all(&format!("{{\"errors\":{errors}}}")), want, "{errors}");
        }
        for body in ["", "{}", r#"{"errors":null}"#, r#"{"errors":["no"]}"#, "<html>", r#"{"errors":[{"code":"A"}"#] {
            assert_eq!(all(body), [""; 0], "{body}");
        }
    }

    #[test]
    fn error_without_a_list_is_read_if_all_of_it_is_shown() {
        let alone = |body: &str| Said::alone(body.as_bytes()).map(|said| said.to_string());
        let zot = r#"{"code":"UNAUTHORIZED","message":"authentication required","detail":{"description":"no"}}"#;
        assert_eq!(alone(zot).as_deref(), Some("UNAUTHORIZED: authentication required (description: no)"));
        for other in [
            "",
            "{}",
            "[]",
            r#""no""#,
            r#"{"code":"DENIED"}"#,
            r#"{"message":"no"}"#,
            r#"{"code":"DENIED","message":"no","trace":"7"}"#,
            r#"{"errors":[{"code":"DENIED","message":"no"}]}"#,
        ] {
            assert_eq!(alone(other), None, "{other}");
        }
        assert_eq!(all(zot), [""; 0], "it proves nothing");
    }

    #[test]
    fn a_page_is_shown_as_its_text() {
        for (page, want) in [
            (
                "<html><head><title>403 Forbidden</title></head><body>blocked by administrative rules</body></html>",
                "403 Forbidden blocked by administrative rules",
            ),
            (
                "<!DOCTYPE HTML>\n<SCRIPT>a < b</SCRIPT><style>p{}</style><!-- > --><p>a &lt;b&gt; &amp;lt;\n 1 < 2</p>",
                "a <b> &lt; 1 < 2",
            ),
            ("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
            ("<p>cut <b", "cut"),
            ("<p>cut <script>x", "cut"),
            ("<br>", "<br>"),
            ("not found\n", "not found"),
            ("a <b> c", "a <b> c"),
            ("", ""),
        ] {
            assert_eq!(text_of(page), want, "{page}");
        }
    }
}
