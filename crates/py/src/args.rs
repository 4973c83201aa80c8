//! Arguments. Each is of the type that it is read as; PyO3 adds its name to an error.

use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::time::Duration;

use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyString};
use tagwarden::policy::ExpectedDigest;
use tagwarden::promotion::{ReleaseSource, RollbackTarget};
use tagwarden::{Error, Result};
use tagwarden_bind::args;

use crate::error::{Raise, mistaken};
use crate::host::List;
use crate::value::{Channel, Digest, Reference};

/// A string that UTF-8 can carry.
#[derive(Clone, Debug)]
pub(crate) struct Text(pub(crate) String);

impl<'py> FromPyObject<'_, 'py> for Text {
    type Error = PyErr;

    input!(type_hint_identifier!("builtins", "str"));

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Text> {
        parsed(given, "a str", |text| Ok(Text(text.to_owned())))
    }
}

/// Several values. A single string is a mistake: its letters are no values.
impl<'py, T: FromPyObjectOwned<'py>> FromPyObject<'_, 'py> for List<T> {
    type Error = PyErr;

    input!(type_hint_subscript!(type_hint_identifier!("collections.abc", "Iterable"), T::INPUT_TYPE));

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<List<T>> {
        let several = || mistaken("several values", &given);
        if given.is_instance_of::<PyString>() {
            return Err(several());
        }
        let values = given.try_iter().map_err(|_| several())?.map(|value| value?.extract::<T>().map_err(Into::into));
        values.collect::<PyResult<_>>().map(List)
    }
}

impl List<Text> {
    /// The texts.
    pub(crate) fn texts(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|Text(text)| text)
    }
}

/// The text of an optional argument.
pub(crate) fn text(given: Option<Text>) -> Option<String> {
    given.map(|Text(text)| text)
}

/// The value of a text.
pub(crate) fn parsed<T>(given: Borrowed<'_, '_, PyAny>, expected: &str, parse: fn(&str) -> Result<T>) -> PyResult<T> {
    let text = given.cast::<PyString>().map_err(|_| mistaken(expected, &given))?;
    Ok(parse(text_of(&text)?).map_err(Raise::from)?)
}

/// The text of a string.
fn text_of<'a>(text: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    text.to_str().map_err(|_| PyValueError::new_err("a string with a lone surrogate is no text"))
}

/// One of a few words.
pub(crate) fn one_of<T: Copy>(given: Borrowed<'_, '_, PyAny>, kind: &str, words: &[(&str, T)]) -> PyResult<T> {
    let Text(text) = given.extract()?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    let unknown = || {
        let argument = match kind {
            "ActorKind" => "actor_kind",
            "CredentialSource" => "lookup",
            "HoldScope" => "scope",
            "OnConflict" => "on_conflict",
            "Op" => "operation",
            "OpenMode" | "TokenScope" => "access",
            _ => kind,
        };
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        args::wrong(argument, format!("{text:?} is none of {}", words.join(", ")))
    };
    Ok(found.ok_or_else(unknown).map_err(Raise::from)?)
}

/// A whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoPyObject)]
pub(crate) struct Number(i128);

impl Number {
    /// The number. VALUE_INVALID if it is negative or too large.
    pub(crate) fn get<T: TryFrom<i128>>(self, name: &str) -> Result<T> {
        T::try_from(self.0).map_err(|_| args::wrong(name, format!("{} is negative or too large", self.0)))
    }
}

impl<'py> FromPyObject<'_, 'py> for Number {
    type Error = PyErr;

    input!(type_hint_identifier!("builtins", "int"));

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Number> {
        match given.extract::<i128>() {
            Err(error) if error.is_instance_of::<PyOverflowError>(given.py()) => Ok(Number(i128::MAX)),
            number => number.map(Number),
        }
    }
}

/// The number of an optional argument.
pub(crate) fn number<T: TryFrom<i128>>(name: &str, given: Option<Number>) -> Result<Option<T>> {
    given.map(|number| number.get(name)).transpose()
}

/// A duration: seconds, or a timedelta.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seconds(pub(crate) f64);

impl Eq for Seconds {}

impl Hash for Seconds {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl Seconds {
    /// The duration. VALUE_INVALID if it is negative or not finite.
    pub(crate) fn get(self, name: &str) -> Result<Duration> {
        args::duration(name, self.0, "s")
    }
}

impl<'py> FromPyObject<'_, 'py> for Seconds {
    type Error = PyErr;

    input!(type_hint_union!(
        type_hint_identifier!("builtins", "float"),
        type_hint_identifier!("datetime", "timedelta")
    ));

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Seconds> {
        match given.cast::<PyDelta>() {
            Ok(delta) => delta.call_method0("total_seconds")?.extract().map(Seconds),
            Err(_) => given.extract().map(Seconds).map_err(|_| mistaken("seconds or a timedelta", &given)),
        }
    }
}

impl<'py> IntoPyObject<'py> for Seconds {
    type Target = pyo3::types::PyFloat;
    type Output = Bound<'py, Self::Target>;
    type Error = std::convert::Infallible;

    output!(type_hint_identifier!("builtins", "float"));

    fn into_pyobject(self, py: Python<'py>) -> std::result::Result<Self::Output, Self::Error> {
        self.0.into_pyobject(py)
    }
}

/// The duration of an optional argument.
pub(crate) fn duration(name: &str, given: Option<Seconds>) -> Result<Option<Duration>> {
    given.map(|seconds| seconds.get(name)).transpose()
}

/// The digest or the state that a channel must have before a move.
pub(crate) type Expected = DigestOr<ExpectedDigest>;

/// The target of a rollback.
pub(crate) type To = DigestOr<RollbackTarget>;

/// A digest, or a text with a meaning of its own.
pub(crate) struct DigestOr<T>(pub(crate) T);

impl<'py, T: From<tagwarden::Digest> + FromStr<Err = Error>> FromPyObject<'_, 'py> for DigestOr<T> {
    type Error = PyErr;

    input!(<Digest as FromPyObject>::INPUT_TYPE);

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<DigestOr<T>> {
        match given.cast::<Digest>() {
            Ok(digest) => Ok(DigestOr(digest.get().0.into())),
            Err(_) => parsed(given, "a str or Digest", str::parse).map(DigestOr),
        }
    }
}

/// The source of a move: the name of a release, or, as a `Channel`, the live digest of that channel.
pub(crate) struct Source(pub(crate) ReleaseSource);

impl<'py> FromPyObject<'_, 'py> for Source {
    type Error = PyErr;

    input!(type_hint_union!(<Reference as FromPyObject>::INPUT_TYPE, <Channel as pyo3::PyTypeInfo>::TYPE_HINT));

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Source> {
        if let Ok(channel) = given.cast::<Channel>() {
            return Ok(Source((&channel.get().0).into()));
        }
        match given.cast::<Reference>() {
            Ok(reference) => Ok(Source(reference.get().0.clone().into())),
            Err(_) => parsed(given, "a str, Reference or Channel", |text| text.try_into()).map(Source),
        }
    }
}
