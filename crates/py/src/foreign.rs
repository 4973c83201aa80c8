//! Registries, ledgers and guardrails that are written in Python.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pyo3::conversion::FromPyObjectOwned;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};
use pyo3::{IntoPyObjectExt as _, PyTypeInfo};
use tagwarden::policy;
use tagwarden_bind::convert::to;
use tagwarden_bind::foreign::{
    Answer, ForeignError, ForeignGuardrail, ForeignLedger, ForeignManifest, ForeignRegistry, Judgement,
};

use crate::args::Seconds;
use crate::error::{Raised, mistaken};
use crate::records::{Facts, Finding};
use crate::registry::Manifest;
use crate::value::{Channel, Digest, Reference, Repository, Tag};

/// An object of Python. Its methods run on a thread of Python, and its coroutines in the event loop that is given, or
/// in the package's own: see `tagwarden._run`.
#[derive(Clone)]
pub(crate) struct Backend {
    object: Arc<Py<PyAny>>,
    name: String,
    event_loop: Option<Arc<Py<PyAny>>>,
}

impl Backend {
    /// A backend, named by its class.
    pub(crate) fn of(object: &Bound<'_, PyAny>, event_loop: Option<&Bound<'_, PyAny>>) -> PyResult<Backend> {
        let class = object.get_type();
        Ok(Backend::named(object, format!("{}.{}", class.module()?, class.qualname()?), event_loop))
    }

    /// A backend with a name of its own.
    pub(crate) fn named(object: &Bound<'_, PyAny>, name: String, event_loop: Option<&Bound<'_, PyAny>>) -> Backend {
        let event_loop = event_loop.map(|event_loop| Arc::new(event_loop.clone().unbind()));
        Backend { object: Arc::new(object.clone().unbind()), name, event_loop }
    }

    /// Calls a method, or the object itself if `method` is empty, and reads its answer. A sequence is given as a tuple.
    pub(crate) async fn ask<A, T>(
        &self,
        method: &'static str,
        arguments: A,
        read: fn(&Bound<'_, PyAny>) -> PyResult<T>,
    ) -> Answer<T>
    where
        A: for<'py> IntoPyObject<'py> + Send + 'static,
        T: Send + 'static,
    {
        let backend = self.clone();
        let call = move || {
            let answer = Python::try_attach(|py| {
                let answer = backend.call(py, method, arguments).map_err(|error| raised(error, py))?;
                read(&answer).map_err(|error| ForeignError::broken(format!("it gave what it must not: {error}")))
            });
            answer.unwrap_or_else(|| Err(ForeignError::broken(ENDED)))
        };
        // Use a blocking thread: Python may be slow, and must not block other tasks.
        let asked = tokio::task::spawn_blocking(call);
        asked.await.unwrap_or_else(|_| Err(ForeignError::broken(ENDED)))
    }

    fn call<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        arguments: impl IntoPyObject<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let object = self.object.bind(py);
        let callable = if method.is_empty() { object.clone() } else { object.getattr(method)? };
        let event_loop = self.event_loop.as_ref().map(|event_loop| event_loop.bind(py));
        let asked = (callable, arguments.into_bound_py_any(py)?, event_loop, &self.name);
        py.import("tagwarden._run")?.call_method1("ask", asked)
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The backend, if it is of a class of the core and overrides none of its methods: then no Python is called. TypeError
/// for an object without these methods.
pub(crate) fn native<'a, 'py, T: PyTypeInfo>(
    backend: &'a Bound<'py, PyAny>,
    expected: &str,
    methods: &[&str],
) -> PyResult<Option<&'a Bound<'py, T>>> {
    let (class, core) = (backend.get_type(), T::type_object(backend.py()));
    for method in methods {
        if !backend.hasattr(*method)? {
            return Err(mistaken(expected, backend));
        }
    }
    let Ok(native) = backend.cast::<T>() else { return Ok(None) };
    let own = backend.getattr("__dict__")?;
    for method in methods {
        if !class.getattr(*method)?.is(&core.getattr(*method)?) || own.contains(*method)? {
            return Ok(None);
        }
    }
    Ok(Some(native))
}

/// The `timeout` of a backend in seconds, if it has one.
pub(crate) fn timeout(object: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    let Some(timeout) = object.getattr_opt("timeout")?.filter(|timeout| !timeout.is_none()) else { return Ok(None) };
    timeout.extract().map(|Seconds(seconds)| Some(seconds))
}

/// The message for a call that was interrupted by the end of the interpreter.
const ENDED: &str = "the Python interpreter is ending";

/// Converts an exception. The message of any exception but an error of tagwarden starts with its class.
fn raised(error: PyErr, py: Python<'_>) -> ForeignError {
    let value = error.value(py);
    let text = |name: &str| value.getattr(name).ok()?.cast_into::<PyString>().ok().map(|text| text.to_string());
    let (code, own) = (text("code"), text("message"));
    let message = match (&code, own) {
        (Some(_), Some(message)) => message,
        _ => {
            let class = value.get_type().name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
            let said = value.str().map_or_else(|_| String::new(), |said| said.to_string_lossy().into_owned());
            if said.is_empty() { class } else { format!("{class}: {said}") }
        }
    };
    ForeignError::raised(code.as_deref(), message, Raised(error))
}

/// Reads an answer of this type.
fn is<T: for<'py> FromPyObjectOwned<'py>>(given: &Bound<'_, PyAny>) -> PyResult<T> {
    given.extract().map_err(Into::into)
}

#[async_trait]
impl ForeignRegistry for Backend {
    async fn resolve(
        &self,
        repository: &tagwarden::Repository,
        tag: &tagwarden::Tag,
    ) -> Answer<Option<tagwarden::Digest>> {
        let place = (Repository(repository.clone()), Tag(tag.clone()));
        let found = self.ask("resolve", place, is::<Option<Digest>>).await?;
        Ok(found.map(|Digest(digest)| digest))
    }

    async fn fetch(&self, reference: &tagwarden::Reference) -> Answer<Option<ForeignManifest>> {
        let found = self.ask("fetch", (Reference(reference.clone()),), is::<Option<Manifest>>).await?;
        Ok(found.map(|Manifest { data: bytes, media_type }| ForeignManifest { bytes, media_type }))
    }

    async fn put(
        &self,
        repository: &tagwarden::Repository,
        tag: &tagwarden::Tag,
        manifest: &tagwarden::registry::Manifest,
        timeout: Duration,
    ) -> Answer<()> {
        let nothing = |given: &Bound<'_, PyAny>| {
            if given.is_none() { Ok(()) } else { Err(mistaken("nothing", given)) }
        };
        let (repository, tag) = (Repository(repository.clone()), Tag(tag.clone()));
        self.ask("put", (repository, tag, Manifest::of(manifest), timeout.as_secs_f64()), nothing).await
    }

    async fn tags(&self, repository: &tagwarden::Repository) -> Answer<Vec<tagwarden::Tag>> {
        let tags = self.ask("tags", (Repository(repository.clone()),), is::<Vec<Tag>>).await?;
        Ok(tags.into_iter().map(|Tag(tag)| tag).collect())
    }

    async fn has_blob(&self, repository: &tagwarden::Repository, digest: &tagwarden::Digest) -> Answer<bool> {
        self.ask("has_blob", (Repository(repository.clone()), Digest(*digest)), is::<bool>).await
    }
}

#[async_trait]
impl ForeignLedger for Backend {
    async fn size(&self, channel: &tagwarden::Channel) -> Answer<u64> {
        let size = |given: &Bound<'_, PyAny>| match given.cast::<PyBool>() {
            Ok(_) => Err(mistaken("an int", given)),
            Err(_) => given.extract(),
        };
        self.ask("size", (Channel(channel.clone()),), size).await
    }

    async fn read(&self, channel: &tagwarden::Channel, from: u64, limit: usize) -> Answer<Vec<Bytes>> {
        self.ask("read", (Channel(channel.clone()), from, limit), is::<Vec<Bytes>>).await
    }

    async fn append(&self, channel: &tagwarden::Channel, seq: u64, entry: Bytes) -> Answer<bool> {
        self.ask("append", (Channel(channel.clone()), seq, entry), is::<bool>).await
    }

    async fn channels(&self) -> Answer<Vec<tagwarden::Channel>> {
        let channels = self.ask("channels", (), is::<Vec<Channel>>).await?;
        Ok(channels.into_iter().map(|Channel(channel)| channel).collect())
    }
}

#[async_trait]
impl ForeignGuardrail for Backend {
    async fn judge(&self, facts: &policy::Facts) -> Answer<Judgement> {
        let judgement = |given: &Bound<'_, PyAny>| {
            let found = given.cast::<Finding>().map_err(|_| mistaken("a Finding", given))?;
            let Finding { guardrail: _, verdict, code, why, retry } = found.get().clone();
            Ok(Judgement { verdict: verdict.into(), code, why, retry: retry.map(Into::into) })
        };
        self.ask("judge", (to::<_, Facts>(facts.clone()),), judgement).await
    }
}
