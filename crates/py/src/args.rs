//! Arguments. Each is of the type that it is read as; PyO3 adds its name to an error.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyString};
use tagwarden::policy::ExpectedDigest;
use tagwarden::{ReleaseExpression, Result};
use tagwarden_bind::args::{self, Unit};

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

impl From<u32> for Number {
    fn from(number: u32) -> Number {
        Number(number.into())
    }
}

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
    /// The duration. VALUE_INVALID if it is negative, over 2^53 − 1 ms or not a number.
    pub(crate) fn get(self, name: &str) -> Result<Duration> {
        args::duration(name, self.0, Unit::Seconds)
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
pub(crate) struct Expected(pub(crate) ExpectedDigest);

impl<'py> FromPyObject<'_, 'py> for Expected {
    type Error = PyErr;

    input!(<Digest as FromPyObject>::INPUT_TYPE);

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Expected> {
        match given.cast::<Digest>() {
            Ok(digest) => Ok(Expected(digest.get().0.into())),
            Err(_) => parsed(given, "a str or Digest", str::parse).map(Expected),
        }
    }
}

/// A release by its name; as a `Channel`, the live digest of that channel; as a `Reference`, never a channel.
pub(crate) struct Release(pub(crate) ReleaseExpression);

impl<'py> FromPyObject<'_, 'py> for Release {
    type Error = PyErr;

    input!(type_hint_union!(
        <Reference as FromPyObject>::INPUT_TYPE,
        <Digest as pyo3::PyTypeInfo>::TYPE_HINT,
        <Channel as pyo3::PyTypeInfo>::TYPE_HINT
    ));

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Release> {
        if let Ok(channel) = given.cast::<Channel>() {
            return Ok(Release((&channel.get().0).into()));
        }
        if let Ok(digest) = given.cast::<Digest>() {
            return Ok(Release(digest.get().0.into()));
        }
        match given.cast::<Reference>() {
            Ok(reference) => Ok(Release(reference.get().0.clone().into())),
            Err(_) => parsed(given, "a str, Digest, Reference or Channel", str::parse).map(Release),
        }
    }
}

/// A release's value in the order of releases: a text, or a whole number.
pub(crate) struct OrderText(pub(crate) String);

impl<'py> FromPyObject<'_, 'py> for OrderText {
    type Error = PyErr;

    input!(type_hint_union!(type_hint_identifier!("builtins", "str"), type_hint_identifier!("builtins", "int")));

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<OrderText> {
        match given.extract::<Number>() {
            Ok(Number(number)) => Ok(OrderText(number.to_string())),
            Err(_) => parsed(given, "a str or int", |text| Ok(OrderText(text.to_owned()))),
        }
    }
}
