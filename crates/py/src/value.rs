//! Values, parsed by the core: an invalid one cannot exist.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::str::FromStr;

use pyo3::IntoPyObjectExt as _;
use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::types::{PyNotImplemented, PyString};
use serde::{Deserialize, Serialize};
use tagwarden::{Algorithm, AsWritten, Error, Result, Target};
use tagwarden_bind::convert::FromCore;

use crate::args::parsed;

/// Defines the class of a value of the core. It is made of its text, which `$parse` reads.
macro_rules! value {
    ($(#[$($about:tt)*])* $name:ident by $parse:path { $($own:tt)* }) => {
        $(#[$($about)*])*
        ///
        /// InvalidValueError VALUE_INVALID for another text: it says what, why and at which byte.
        #[pyclass(frozen, subclass, module = "tagwarden")]
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub(crate) tagwarden::$name);

        impl FromCore<tagwarden::$name> for $name {
            fn from_core(core: tagwarden::$name) -> $name {
                $name(core)
            }
        }

        impl<'py> FromPyObject<'_, 'py> for $name {
            type Error = PyErr;

            input!(type_hint_union!(
                type_hint_identifier!("builtins", "str"),
                <$name as pyo3::PyTypeInfo>::TYPE_HINT
            ));

            fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<$name> {
                if let Ok(value) = given.cast::<$name>() {
                    return Ok(value.get().clone());
                }
                let parse: fn(&str) -> Result<tagwarden::$name> = $parse;
                parsed(given, concat!("a str or ", stringify!($name)), parse).map($name)
            }
        }

        #[pymethods]
        impl $name {
            #[new]
            fn new(text: $name) -> $name {
                text
            }

            fn __str__(&self) -> String {
                self.0.to_string()
            }

            fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
                let text = PyString::new(slf.py(), &slf.get().0.to_string());
                Ok(format!("{}({})", slf.get_type().name()?, text.repr()?))
            }

            fn __hash__(&self) -> u64 {
                let mut hasher = DefaultHasher::new();
                self.hash(&mut hasher);
                hasher.finish()
            }

            fn __richcmp__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>, op: CompareOp) -> Compared {
                let same = other.cast::<Self>().ok().filter(|other| other.get_type().is(slf.get_type()));
                Compared(same.map(|other| op.matches(slf.get().cmp(other.get()))))
            }

            fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (String,)) {
                (slf.get_type().into_any(), (slf.get().0.to_string(),))
            }

            $($own)*
        }
    };
}

/// Reads a name as people write it: a prefix `oci://` is dropped.
fn written<T: FromStr<Err = Error>>(text: &str) -> Result<T> {
    text.parse().map(|AsWritten(name)| name)
}

/// The result of a comparison: none for two classes, which are never equal and have no order.
struct Compared(Option<bool>);

impl<'py> IntoPyObject<'py> for Compared {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    output!(type_hint_identifier!("builtins", "bool"));

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.0 {
            Some(result) => result.into_bound_py_any(py),
            None => PyNotImplemented::get(py).into_bound_py_any(py),
        }
    }
}

value! {
    /// The digest of some bytes: ``sha256:<64 hex>`` or ``sha512:<128 hex>``, in lower case.
    Digest by str::parse {
        /// The SHA-256 of these bytes.
        #[staticmethod]
        fn of(data: &[u8]) -> Digest {
            Digest(tagwarden::Digest::of(data))
        }

        /// ``sha256`` or ``sha512``.
        #[getter]
        fn algorithm(&self) -> &'static str {
            match self.0.algorithm() {
                Algorithm::Sha256 => "sha256",
                Algorithm::Sha512 => "sha512",
            }
        }
    }
}

value! {
    /// ``registry/path``, such as ``registry.example.com/acme/shop``. There is no default registry.
    Repository by written {
        /// ``host`` or ``host:port``.
        #[getter]
        fn registry(&self) -> &str {
            self.0.registry()
        }

        /// The path after the registry.
        #[getter]
        fn path(&self) -> &str {
            self.0.path()
        }
    }
}

value! {
    /// 1 to 128 characters of ``[A-Za-z0-9_.-]`` that do not begin with ``.`` or ``-``.
    Tag by str::parse {}
}

value! {
    /// ``repository:tag`` or ``repository@digest``.
    Reference by written {
        /// The repository.
        #[getter]
        fn repository(&self) -> Repository {
            Repository(self.0.repository().clone())
        }

        /// The tag, unless it names a digest.
        #[getter]
        fn tag(&self) -> Option<Tag> {
            match self.0.target() {
                Target::Tag(tag) => Some(Tag(tag.clone())),
                Target::Digest(_) => None,
            }
        }

        /// The digest, unless it names a tag.
        #[getter]
        fn digest(&self) -> Option<Digest> {
            match self.0.target() {
                Target::Digest(digest) => Some(Digest(*digest)),
                Target::Tag(_) => None,
            }
        }
    }
}

value! {
    /// A tag of a repository that is moved, such as ``registry.example.com/acme/shop:prod``.
    Channel by written {
        /// The repository.
        #[getter]
        fn repository(&self) -> Repository {
            Repository(self.0.repository().clone())
        }

        /// The tag.
        #[getter]
        fn tag(&self) -> Tag {
            Tag(self.0.tag().clone())
        }
    }
}

value! {
    /// The name of an environment: lower case letters, digits and dashes.
    Environment by str::parse {}
}

value! {
    /// An idempotency key: the same request with the same key moves a channel once.
    IdempotencyKey by str::parse {}
}

value! {
    /// The hash of a commit, in hex.
    Commit by str::parse {}
}

value! {
    /// The name of a release.
    ReleaseLabel by str::parse {}
}
