//! Registries and ledgers that are objects of JavaScript, called from the core's threads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use napi::Status;
use napi::bindgen_prelude::{
    Buffer, FnArgs, FromNapiValue, Function, JsObjectValue as _, JsValuesTupleIntoVec, Object, Promise, Unknown, sys,
};
use napi::threadsafe_function::ThreadsafeFunction;
use serde::de::DeserializeOwned;
use tagwarden::{Channel, Digest, Reference, Repository, Tag, ledger, registry};
use tagwarden_bind::convert::to;
use tagwarden_bind::foreign::{
    Answer, ForeignError, ForeignLedger, ForeignManifest, ForeignRegistry, LedgerPort, RegistryPort,
};

use crate::args::{Wrong, instance};
use crate::call::{host_of, sync};
use crate::given::Uint8Array;
use crate::js::Js;
use crate::ledger::OpenedLedger;
use crate::memory::MemoryRegistry;
use crate::registry::{GivenManifest, Manifest, OciRegistry};

/// The wrapped methods of a user's object.
pub struct Host {
    methods: Object<'static>,
    pub name: String,
    /// The timeout of a call, in seconds.
    pub timeout: Option<f64>,
}

impl Host {
    /// `what` names the object in an error.
    pub fn of(what: &str, object: &Unknown<'_>, methods: &[&'static str]) -> napi::Result<Host> {
        let methods = host_of(what, object, methods)?;
        let timeout = methods.get::<f64>("timeoutMs")?.map(|ms| ms / 1000.0);
        Ok(Host { methods, name: methods.get("name")?.unwrap_or_default(), timeout })
    }

    /// True for an object of the core that has no method of the user: then the core calls its own, without JavaScript.
    fn is_untouched(&self) -> napi::Result<bool> {
        Ok(self.methods.get("untouched")?.unwrap_or(false))
    }

    /// A method, which answers an `R`. `gave` says what it gave if it did not.
    pub fn method<A, R>(&self, name: &str, gave: &'static str) -> napi::Result<Method<A, R>>
    where
        A: JsValuesTupleIntoVec + Send + 'static,
        R: FromAnswer,
    {
        let function: Function<'_, A, Promise<Answered<R>>> = self.methods.get_named_property_unchecked(name)?;
        Ok(Method { function: function.build_threadsafe_function().weak::<true>().build()?, gave })
    }
}

/// A method of a user's object. It does not keep the process alive.
pub struct Method<A: JsValuesTupleIntoVec + 'static, R: FromAnswer> {
    function: ThreadsafeFunction<A, Promise<Answered<R>>, A, Status, false, true>,
    gave: &'static str,
}

impl<A: JsValuesTupleIntoVec + Send + 'static, R: FromAnswer> Method<A, R> {
    /// Calls the method, on the thread of its environment.
    pub async fn ask(&self, args: A) -> Answer<R> {
        let answered = async { self.function.call_async_catch(args).await?.await };
        match answered.await {
            Ok(Answered::Gave(value)) => Ok(value),
            Ok(Answered::Wrong(wrong)) => Err(ForeignError::broken(format!("it gave {}: {wrong}", self.gave))),
            Ok(Answered::Raised(raised)) => Err(raised),
            Err(gone) => Err(ForeignError::broken(format!("it cannot be asked any more: {gone}"))),
        }
    }
}

/// A value that a method answers.
pub trait FromAnswer: Send + Sized + 'static {
    /// Reads the value, on the thread of its environment.
    fn from_answer(value: Unknown<'_>) -> Result<Self, Wrong>;
}

impl<T: DeserializeOwned + Send + 'static> FromAnswer for T {
    fn from_answer(value: Unknown<'_>) -> Result<T, Wrong> {
        T::deserialize(Js(value))
    }
}

/// The answer of a wrapped method: `{given}`, or `{exception, message, code}`.
pub enum Answered<R> {
    Gave(R),
    Wrong(Wrong),
    Raised(ForeignError),
}

impl<R: FromAnswer> FromNapiValue for Answered<R> {
    #[allow(unsafe_code, reason = "every conversion of napi is an unsafe function")]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let answer = unsafe { Object::from_napi_value(env, value) }?;
        if let Some(message) = answer.get::<String>("message")? {
            let exception = napi::Error::from_unknown_without_coercion(answer.get_named_property("exception")?);
            let code: Option<String> = answer.get("code")?;
            return Ok(Answered::Raised(ForeignError::raised(code.as_deref(), message, exception)));
        }
        let given = R::from_answer(answer.get_named_property("given")?);
        Ok(given.map_or_else(Answered::Wrong, Answered::Gave))
    }
}

/// An answer of another type.
pub const TYPE: &str = "what it must not";

struct JsRegistry {
    name: String,
    resolve: Method<FnArgs<(String, String)>, Option<Digest>>,
    fetch: Method<FnArgs<(String,)>, Option<Manifest>>,
    put: Method<FnArgs<(String, String, GivenManifest, PutTimeout)>, ()>,
    tags: Method<FnArgs<(String,)>, Vec<Tag>>,
    has_blob: Method<FnArgs<(String, String)>, bool>,
}

record! {
    /// The options of a registry's put.
    pub struct PutTimeout {
        /// After this many milliseconds the put gives up.
        pub timeout_ms: f64,
    }
}

/// The registry's port: the core's own, or one that calls the object.
pub fn registry_port(registry: Unknown<'_>) -> napi::Result<Arc<dyn registry::Registry>> {
    let host = Host::of("registry", &registry, &["resolve", "fetch", "put", "tags", "hasBlob"])?;
    if host.is_untouched()? {
        if let Some(memory) = instance::<MemoryRegistry>(&registry) {
            return Ok(Arc::new(memory.core.clone()));
        }
        if let Some(oci) = instance::<OciRegistry>(&registry) {
            return Ok(Arc::new(oci.core.clone()));
        }
    }
    let registry = JsRegistry {
        resolve: host.method("resolve", TYPE)?,
        fetch: host.method("fetch", TYPE)?,
        put: host.method("put", TYPE)?,
        tags: host.method("tags", TYPE)?,
        has_blob: host.method("hasBlob", TYPE)?,
        name: host.name,
    };
    Ok(Arc::new(sync(RegistryPort::new(registry, host.timeout))?))
}

#[async_trait]
impl ForeignRegistry for JsRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Answer<Option<Digest>> {
        self.resolve.ask((repository.to_string(), tag.to_string()).into()).await
    }

    async fn fetch(&self, reference: &Reference) -> Answer<Option<ForeignManifest>> {
        let found = self.fetch.ask((reference.to_string(),).into()).await?;
        let manifest = |Manifest { bytes, media_type, .. }| ForeignManifest { bytes: bytes.0.into(), media_type };
        Ok(found.map(manifest))
    }

    async fn put(
        &self,
        repository: &Repository,
        tag: &Tag,
        manifest: &registry::Manifest,
        timeout: Duration,
    ) -> Answer<()> {
        let timeout = PutTimeout { timeout_ms: timeout.as_secs_f64() * 1000.0 };
        self.put.ask((repository.to_string(), tag.to_string(), to(manifest.clone()), timeout).into()).await
    }

    async fn tags(&self, repository: &Repository) -> Answer<Vec<Tag>> {
        self.tags.ask((repository.to_string(),).into()).await
    }

    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Answer<bool> {
        self.has_blob.ask((repository.to_string(), digest.to_string()).into()).await
    }
}

impl fmt::Debug for JsRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

struct JsLedger {
    name: String,
    size: Method<FnArgs<(String,)>, u64>,
    read: Method<FnArgs<(String, i64, i64)>, Vec<Uint8Array>>,
    append: Method<FnArgs<(String, i64, Buffer)>, Stored>,
    channels: Method<(), Vec<Channel>>,
}

word! {
    /// The result of an append: `lost` if the position is not the next one.
    pub enum Stored {
        Stored = "stored",
        Lost = "lost",
    }
}

/// The ledger's port: the core's own, or one that calls the object.
pub fn ledger_port(ledger: Unknown<'_>) -> napi::Result<Arc<dyn ledger::Ledger>> {
    let host = Host::of("ledger", &ledger, &["size", "read", "append", "channels"])?;
    if let Some(native) = instance::<OpenedLedger>(&ledger)
        && host.is_untouched()?
    {
        return Ok(Arc::clone(&native.core));
    }
    let ledger = JsLedger {
        size: host.method("size", TYPE)?,
        read: host.method("read", TYPE)?,
        append: host.method("append", TYPE)?,
        channels: host.method("channels", TYPE)?,
        name: host.name,
    };
    Ok(Arc::new(sync(LedgerPort::new(ledger, host.timeout))?))
}

#[async_trait]
impl ForeignLedger for JsLedger {
    async fn size(&self, channel: &Channel) -> Answer<u64> {
        self.size.ask((channel.to_string(),).into()).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Answer<Vec<Bytes>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let entries = self.read.ask((channel.to_string(), to(from), limit).into()).await?;
        Ok(entries.into_iter().map(|Uint8Array(bytes)| bytes).collect())
    }

    async fn append(&self, channel: &Channel, seq: u64, entry: Bytes) -> Answer<bool> {
        let stored = self.append.ask((channel.to_string(), to(seq), entry.to_vec().into()).into()).await?;
        Ok(matches!(stored, Stored::Stored))
    }

    async fn channels(&self) -> Answer<Vec<Channel>> {
        self.channels.ask(()).await
    }
}

impl fmt::Debug for JsLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
