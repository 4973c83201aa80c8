//! Reads the values of a `tagwarden.toml`. Each error has the line and the column of its value.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::keys::Key;
use super::nearest::unknown;
use crate::error::{Error, ErrorKind, Result};
use crate::value::parse_duration;

/// The text of a file, with its name for errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// CONFIG_INVALID at this byte: `file:line:column: why`.
    pub(super) fn bad(self, at: usize, why: impl Display) -> Error {
        let (line, column) = place(self.text, at);
        let why = why.to_string();
        // Some messages of the TOML parser have several lines. The first line is enough.
        let why = why.lines().next().unwrap_or_default();
        let message = format!("{}:{line}:{column}: {why}", self.file.display());
        Error::new(ErrorKind::ConfigInvalid, message).with_context("line", line).with_context("column", column)
    }
}

/// Line and column, both from 1, counted in characters.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).map_or(0, |line| line.chars().count()) + 1;
    (before.matches('\n').count() + 1, column)
}

/// A table of which every key is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    source: Source<'a>,
    at: usize,
    entries: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    /// The table at this byte. CONFIG_INVALID, with the nearest known key, at its first unknown key.
    pub(super) fn new(source: Source<'a>, at: usize, entries: &'a DeTable<'a>, keys: &[Key]) -> Result<Table<'a>> {
        let is_known = |name: &str| keys.iter().any(|key| key.name == name);
        let others = entries.keys().filter(|key| !is_known(key.get_ref()));
        match others.min_by_key(|key| key.span().start) {
            Some(other) => {
                let names = keys.iter().map(|key| key.name.as_str());
                Err(source.bad(other.span().start, unknown("key", other.get_ref(), names)))
            }
            None => Ok(Table { source, at, entries }),
        }
    }

    /// The value of a key; none if the table lacks it.
    pub(super) fn get(self, key: &str) -> Option<Item<'a>> {
        self.entries.get(key).map(|value| Item { source: self.source, value })
    }

    /// The value of a key that must be there.
    pub(super) fn needed(self, key: &str) -> Result<Item<'a>> {
        self.get(key).ok_or_else(|| self.bad(format!("`{key}` is missing")))
    }

    /// CONFIG_INVALID at the place of the table.
    pub(super) fn bad(self, why: impl Display) -> Error {
        self.source.bad(self.at, why)
    }
}

/// A value of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    source: Source<'a>,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Item<'a> {
    /// CONFIG_INVALID at the place of the value.
    pub(super) fn bad(self, why: impl Display) -> Error {
        self.source.bad(self.value.span().start, why)
    }

    fn expected(self, what: &str) -> Error {
        let kind = self.value.get_ref().type_str();
        let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
        self.bad(format!("expected {what}, got {article} {kind}"))
    }

    /// A string that no message may show: it may contain a password.
    pub(super) fn secret(self) -> Result<&'a str> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    /// A string that is not a URL. A URL is refused and not shown: it may be a ledger's, with a password.
    pub(super) fn text(self) -> Result<&'a str> {
        let text = self.secret()?;
        match text.strip_prefix("oci://").unwrap_or(text).split_once("://") {
            Some(("http" | "https" | "docker", _)) => {
                Err(self.bad("a URL is not expected here: a channel and a repository begin with the registry's host"))
            }
            Some(_) => Err(self.bad("a URL is not expected here")),
            None => Ok(text),
        }
    }

    /// A string that `T` parses.
    pub(super) fn parsed<T: FromStr<Err = Error>>(self) -> Result<T> {
        self.with(self.text()?.parse())
    }

    /// The same result; an error gets the place of this value.
    pub(super) fn with<T>(self, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.bad(error.message()))
    }

    /// A string that is the name of one of these values.
    pub(super) fn word<'n, T: Copy>(self, all: &[T], name: impl Fn(T) -> &'n str) -> Result<T> {
        let text = self.text()?;
        let found = all.iter().copied().find(|value| name(*value) == text);
        found.ok_or_else(|| self.bad(unknown("value", text, all.iter().map(|value| name(*value)))))
    }

    /// A duration, such as `30s`.
    pub(super) fn duration(self) -> Result<Duration> {
        self.with(parse_duration(self.text()?))
    }

    /// `true` or `false`.
    pub(super) fn truth(self) -> Result<bool> {
        self.value.get_ref().as_bool().ok_or_else(|| self.expected("true or false"))
    }

    /// A whole number from 1 to 4,294,967,295.
    pub(super) fn number(self) -> Result<NonZeroU32> {
        let wanted = "a whole number from 1 to 4294967295";
        let Some(written) = self.value.get_ref().as_integer() else { return Err(self.expected(wanted)) };
        let number = u32::from_str_radix(written.as_str(), written.radix()).ok().and_then(NonZeroU32::new);
        number.ok_or_else(|| self.bad(format!("expected {wanted}")))
    }

    /// The values of a list.
    pub(super) fn list(self) -> Result<Vec<Item<'a>>> {
        match self.value.get_ref() {
            DeValue::Array(values) => Ok(values.iter().map(|value| Item { value, ..self }).collect()),
            _ => Err(self.expected("a list")),
        }
    }

    /// The values of a list that are all different.
    pub(super) fn set<T: Ord>(self, read: impl Fn(Item<'a>) -> Result<T>) -> Result<BTreeSet<T>> {
        let mut set = BTreeSet::new();
        for item in self.list()? {
            if !set.insert(read(item)?) {
                return Err(item.bad("it is in the list twice"));
            }
        }
        Ok(set)
    }

    /// A table with these keys.
    pub(super) fn table(self, keys: &[Key]) -> Result<Table<'a>> {
        Table::new(self.source, self.value.span().start, self.entries()?, keys)
    }

    /// The values of a table whose keys are names, each with its name.
    pub(super) fn named(self) -> Result<Vec<(Name<'a>, Item<'a>)>> {
        let entries = self.entries()?.iter();
        Ok(entries.map(|(key, value)| (Name { source: self.source, key }, Item { value, ..self })).collect())
    }

    fn entries(self) -> Result<&'a DeTable<'a>> {
        self.value.get_ref().as_table().ok_or_else(|| self.expected("a table"))
    }

    /// True if it is a table.
    pub(super) fn is_table(self) -> bool {
        self.value.get_ref().is_table()
    }
}

/// A key that the author of the file chose, such as the host of a registry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'a> {
    source: Source<'a>,
    key: &'a Spanned<DeString<'a>>,
}

impl<'a> Name<'a> {
    pub(super) fn text(self) -> &'a str {
        self.key.get_ref()
    }

    /// CONFIG_INVALID at the place of the name.
    pub(super) fn bad(self, why: impl Display) -> Error {
        self.source.bad(self.key.span().start, why)
    }
}
