//! The Python side of the records: the types of their fields, and the macros that make them classes.

use std::collections::BTreeMap;

use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDateTime, PyDelta, PyDeltaAccess as _, PyString, PyTuple, PyTzInfo};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tagwarden::log;
use tagwarden_bind::convert::{FromCore, to};

use crate::error::{Raises, mistaken};
pub(crate) use crate::provenance::Provenance;
pub(crate) use crate::value::{Channel, Digest, Environment, Reference, Repository, Tag};

/// A number of things, or a position.
pub(crate) type Count = u64;

/// A type in the generated stubs, written with the macros of PyO3.
#[cfg(feature = "stubs")]
macro_rules! hint {
    ($hint:expr) => {{
        #[allow(unused_imports, reason = "few need all of them")]
        use pyo3::{type_hint_identifier, type_hint_subscript, type_hint_union};
        $hint
    }};
}

/// The type of an argument in the generated stubs.
macro_rules! input {
    ($hint:expr) => {
        #[cfg(feature = "stubs")]
        const INPUT_TYPE: pyo3::inspect::PyStaticExpr = hint!($hint);
    };
}

/// The type of a result in the generated stubs.
macro_rules! output {
    ($hint:expr) => {
        #[cfg(feature = "stubs")]
        const OUTPUT_TYPE: pyo3::inspect::PyStaticExpr = hint!($hint);
    };
}

/// Makes a struct a record: a frozen class with an attribute for each field.
macro_rules! record {
    ($(#[$($about:tt)*])* pub struct $name:ident { $($fields:tt)* }) => {
        $(#[$($about)*])*
        #[pyo3::pyclass(frozen, get_all, eq, hash, from_py_object, module = "tagwarden")]
        #[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $name { $($fields)* }
    };
}

/// Makes an enum a word: a string in Python.
macro_rules! word {
    ($(#[$($about:tt)*])* pub enum $name:ident { $($variant:ident = $word:literal,)+ }) => {
        $(#[$($about)*])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $(#[serde(rename = $word)] $variant,)+ }

        impl<'py> pyo3::IntoPyObject<'py> for $name {
            type Target = pyo3::types::PyString;
            type Output = pyo3::Bound<'py, Self::Target>;
            type Error = std::convert::Infallible;

            output!(word!(@hint $($word)+));

            fn into_pyobject(self, py: pyo3::Python<'py>) -> Result<Self::Output, Self::Error> {
                let text = match self { $($name::$variant => pyo3::intern!(py, $word),)+ };
                Ok(text.clone())
            }
        }

        impl<'py> pyo3::FromPyObject<'_, 'py> for $name {
            type Error = pyo3::PyErr;

            input!(word!(@hint $($word)+));

            fn extract(given: pyo3::Borrowed<'_, 'py, pyo3::PyAny>) -> pyo3::PyResult<$name> {
                crate::args::one_of(given, stringify!($name), &[$(($word, $name::$variant)),+])
            }
        }
    };
    (@hint $($word:literal)+) => {
        type_hint_subscript!(
            type_hint_identifier!("typing", "Literal"),
            $(pyo3::inspect::PyStaticExpr::Constant { value: pyo3::inspect::PyStaticConstant::Str($word) }),+
        )
    };
}

/// A list in a record: a tuple in Python.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct List<T>(pub(crate) Vec<T>);

impl<T> List<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for List<T> {
    fn default() -> List<T> {
        List(Vec::new())
    }
}

impl<T, U: FromCore<T>> FromCore<Vec<T>> for List<U> {
    fn from_core(core: Vec<T>) -> List<U> {
        List(to(core))
    }
}

impl<'py, T: IntoPyObject<'py>> IntoPyObject<'py> for List<T> {
    type Target = PyTuple;
    type Output = Bound<'py, PyTuple>;
    type Error = PyErr;

    output!(type_hint_subscript!(
        type_hint_identifier!("builtins", "tuple"),
        T::OUTPUT_TYPE,
        pyo3::inspect::PyStaticExpr::Constant { value: pyo3::inspect::PyStaticConstant::Ellipsis }
    ));

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0)
    }
}

/// The value of a release's order: a number or a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, IntoPyObject)]
#[serde(untagged)]
pub enum OrderValue {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

impl FromCore<log::OrderValue> for OrderValue {
    fn from_core(core: log::OrderValue) -> OrderValue {
        match core {
            log::OrderValue::Number(number) => OrderValue::Number(number),
            log::OrderValue::Text(text) => OrderValue::Text(to(text)),
        }
    }
}

/// A time: an aware datetime in Python, in UTC and whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub(crate) tagwarden::Timestamp);

impl FromCore<tagwarden::Timestamp> for Time {
    fn from_core(core: tagwarden::Timestamp) -> Time {
        Time(core)
    }
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn epoch(py: Python<'_>) -> PyResult<&Bound<'_, PyDateTime>> {
    static EPOCH: PyOnceLock<Py<PyDateTime>> = PyOnceLock::new();
    let utc = || PyTzInfo::utc(py).map(|utc| utc.to_owned());
    let epoch = || Ok::<_, PyErr>(PyDateTime::new(py, 1970, 1, 1, 0, 0, 0, 0, Some(&utc()?))?.unbind());
    EPOCH.get_or_try_init(py, epoch).map(|epoch| epoch.bind(py))
}

impl<'py> IntoPyObject<'py> for Time {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    output!(type_hint_identifier!("datetime", "datetime"));

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (days, ms) = (self.0.unix_ms().div_euclid(DAY_MS), self.0.unix_ms().rem_euclid(DAY_MS));
        let part = |number| i32::try_from(number).map_err(|_| PyValueError::new_err("the time is out of range"));
        let since = PyDelta::new(py, part(days)?, part(ms / 1000)?, part(ms % 1000 * 1000)?, false)?;
        epoch(py)?.add(since)
    }
}

impl<'py> FromPyObject<'_, 'py> for Time {
    type Error = PyErr;

    input!(type_hint_identifier!("datetime", "datetime"));

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Time> {
        let at = given.cast::<PyDateTime>().map_err(|_| mistaken("a datetime", &given))?;
        if at.getattr("tzinfo")?.is_none() {
            return Err(PyValueError::new_err("a datetime without a time zone is no point in time"));
        }
        let since = at.sub(epoch(given.py())?)?;
        let since = since.cast::<PyDelta>()?;
        let ms = i64::from(since.get_seconds()) * 1000 + i64::from(since.get_microseconds()) / 1000;
        Ok(Time(tagwarden::Timestamp::from_unix_ms(i64::from(since.get_days()) * DAY_MS + ms)))
    }
}

/// A JSON object of Python.
pub(crate) type Json = BTreeMap<String, Py<PyAny>>;

/// A record as JSON, as a `dict`. What is none is left out.
pub(crate) fn to_dict(py: Python<'_>, record: &impl Serialize) -> PyResult<Json> {
    let mut value = serde_json::to_value(record).map_err(|e| PyValueError::new_err(e.to_string()))?;
    prune(&mut value);
    py.import("json")?.call_method1("loads", (value.to_string(),))?.extract()
}

fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(prune);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

/// A record for people: `Name({…})`.
pub(crate) fn shown(py: Python<'_>, name: &str, record: &impl Serialize) -> PyResult<String> {
    Ok(format!("{name}({})", to_dict(py, record)?.into_pyobject(py)?.repr()?))
}

/// JSON of Python: what `json.dumps` takes.
pub(crate) fn json(given: &Bound<'_, PyAny>) -> PyResult<Value> {
    let text = given.py().import("json")?.call_method1("dumps", (given,))?;
    serde_json::from_str(text.cast::<PyString>()?.to_str()?).map_err(|e| PyValueError::new_err(e.to_string()))
}

/// The record of a `dict` that `to_dict` gave. KeyError if a field is missing, VALUE_INVALID if one is invalid.
pub(crate) fn from_dict<T: DeserializeOwned>(py: Python<'_>, given: Json) -> Raises<T> {
    serde_json::from_value(json(&given.into_bound_py_any(py)?)?).map_err(|error| {
        let why = error.to_string();
        match why.strip_prefix("missing field ") {
            Some(field) => PyKeyError::new_err(field.trim_matches('`').to_owned()).into(),
            None => tagwarden_bind::args::wrong("from_dict", why).into(),
        }
    })
}

/// The function that pickle calls to make an object again, and its argument.
pub(crate) type Reduced<'py> = (Bound<'py, PyAny>, (Json,));
