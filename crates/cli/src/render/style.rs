//! Colours, used on a terminal only, and escaping of untrusted text.

use std::io::IsTerminal;

use tagwarden::Line;

/// The style of words in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Coloured,
}

impl Style {
    /// Coloured if `stream` is a terminal that knows colours and NO_COLOR (no-color.org) is not set.
    pub(crate) fn of(stream: &impl IsTerminal) -> Style {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match stream.is_terminal() && !set("NO_COLOR") && !dumb {
            true => Style::Coloured,
            false => Style::Plain,
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.code("2", text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.code("32", text)
    }

    pub(crate) fn doubtful(self, text: &str) -> String {
        self.code("33", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.code("31", text)
    }

    fn code(self, code: &str, text: &str) -> String {
        match self {
            Style::Plain => text.to_owned(),
            Style::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// One line of untrusted text, safe to print: control characters, characters that change the direction of text, and
/// invisible ones are escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            char if Line::forbids(char) => safe.extend(char.escape_default()),
            char => safe.push(char),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_drive_a_terminal() {
        assert_eq!(shown("a\u{1b}[31m\r\nb\u{202e}é"), "a\\u{1b}[31m\\r\\nb\\u{202e}é");
        assert_eq!(shown("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(shown("a\u{200b}b\u{e0041}\u{2060}"), "a\\u{200b}b\\u{e0041}\\u{2060}");
        assert_eq!(shown("می\u{200c}خواهم"), "می\u{200c}خواهم", "some scripts need it");
    }

    #[test]
    fn plain_is_plain() {
        assert_eq!(Style::Plain.bad("x"), "x");
        assert_eq!(Style::Coloured.bad("x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
