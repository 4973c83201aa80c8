//! Calls: their promises, how they are aborted, and their errors.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::future::{AbortHandle, AbortRegistration, Abortable, Aborted};
use napi::bindgen_prelude::{FnArgs, Function, FunctionRef, Object, ToNapiValue, Unknown};
use napi::{Env, JsValue as _, Status, sys};
use napi_derive::napi;
use tagwarden::{Error, ErrorKind};
use tagwarden_bind::convert::to;
use tagwarden_bind::failure::{self, Cause};

use crate::records::{ErrorInfo, Finding};

/// The functions of `lib/error.js` that native code calls.
struct Hooks {
    env: Env,
    error: ErrorOf,
    host: HostOf,
}

/// Makes the exception of errors, the outermost first, and of the exception that caused them.
type ErrorOf = FunctionRef<FnArgs<(Vec<Described>, Option<napi::Error>)>, Unknown<'static>>;

/// An error: its code, retry, message, context and findings. An error of another library has only a message.
type Described = (Option<&'static str>, Option<&'static str>, String, BTreeMap<String, String>, Vec<Finding>);

/// The wrapped methods of a user's object: its name in an error, the object, and the names of its methods.
type HostOf = FunctionRef<FnArgs<(String, Unknown<'static>, Vec<&'static str>)>, Object<'static>>;

thread_local! {
    /// The functions of this thread's environment.
    static HOOKS: RefCell<Option<Hooks>> = const { RefCell::new(None) };
}

/// Takes the functions of `lib/error.js`, which is loaded before any other call.
#[napi(skip_typescript)]
pub fn install(env: Env, error: ErrorOf, host: HostOf) {
    HOOKS.set(Some(Hooks { env, error, host }));
}

fn hooks<T>(call: impl FnOnce(&Hooks) -> napi::Result<T>) -> napi::Result<T> {
    HOOKS.with_borrow(|hooks| match hooks {
        Some(hooks) => call(hooks),
        None => Err(napi::Error::from_reason("lib/error.js is not loaded")),
    })
}

/// This thread's environment.
pub fn env() -> napi::Result<Env> {
    hooks(|hooks| Ok(hooks.env))
}

/// The methods of a user's object, each wrapped so that it never throws, with the object's `name` and `timeoutMs`.
/// `untouched` is true for an object of the core that has no method of the user. TypeError for a missing method.
pub fn host_of(what: &str, object: &Unknown<'_>, methods: &[&'static str]) -> napi::Result<Object<'static>> {
    let args = (what.to_owned(), lasting(object), methods.to_vec());
    hooks(|hooks| hooks.host.borrow_back(&hooks.env)?.call(args.into()))
}

/// The same value, for a type without a lifetime. It is used at once.
pub fn lasting(value: &Unknown<'_>) -> Unknown<'static> {
    Object::from_raw(value.value().env, value.value().value).to_unknown()
}

/// The error of a call.
#[derive(Debug)]
pub struct Failure(failure::Failure);

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure(error.into())
    }
}

impl From<failure::Failure> for Failure {
    fn from(failure: failure::Failure) -> Failure {
        Failure(failure)
    }
}

/// The exception, on the thread of its environment.
impl From<Failure> for napi::Error {
    fn from(Failure(failure): Failure) -> napi::Error {
        let mut errors = vec![described(failure.error())];
        let mut last: &(dyn StdError + 'static) = failure.error();
        while let Some(cause) = failure::cause(last) {
            match cause {
                Cause::Error(error) => {
                    errors.push(described(error));
                    last = error;
                }
                Cause::Other(error) => {
                    errors.push((None, None, error.to_string(), BTreeMap::new(), Vec::new()));
                    last = error;
                }
            }
        }
        let exception = failure.exception::<napi::Error>().and_then(|exception| exception.try_clone().ok());
        let made = hooks(|hooks| hooks.error.borrow_back(&hooks.env)?.call((errors, exception).into()));
        made.map_or_else(|error| error, napi::Error::from_unknown_without_coercion)
    }
}

fn described(error: &Error) -> Described {
    let context = error.context().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let findings = to(failure::findings(error).to_vec());
    (Some(error.code()), Some(error.retry().as_str()), error.message().to_owned(), context, findings)
}

/// The result of a synchronous call.
pub fn sync<T>(result: Result<T, impl Into<failure::Failure>>) -> napi::Result<T> {
    result.map_err(|error| Failure(error.into()).into())
}

/// The result of a constructor. The error of an invalid argument names the class.
pub fn constructed<T>(class: &str, result: tagwarden::Result<T>) -> napi::Result<T> {
    sync(result.map_err(|error| match error.kind() {
        ErrorKind::ValueInvalid => Error::new(ErrorKind::ValueInvalid, format!("{class}: {}", error.message())),
        _ => error,
    }))
}

/// The end of a call that was aborted.
pub struct Abort(AbortRegistration);

impl Abort {
    /// The abort of a signal: `listen` takes the function to abort with.
    pub fn when(env: &Env, listen: Function<'_, Unknown<'static>, ()>) -> napi::Result<Abort> {
        let (handle, aborted) = AbortHandle::new_pair();
        let abort = env.create_function_from_closure::<(), (), _>("abort", move |_| {
            handle.abort();
            Ok(())
        })?;
        listen.call(lasting(&abort.to_unknown()))?;
        Ok(Abort(aborted))
    }
}

/// A promise of a value.
pub struct Promise<V>(napi::Result<sys::napi_value>, PhantomData<V>);

impl<V> ToNapiValue for Promise<V> {
    #[allow(unsafe_code, reason = "every conversion of napi is an unsafe function")]
    unsafe fn to_napi_value(_env: sys::napi_env, promise: Promise<V>) -> napi::Result<sys::napi_value> {
        promise.0
    }
}

/// Runs a call. If it is aborted, the core's future is dropped; a move that may have an intent in the log is still
/// completed, in a task of its own. A panic becomes an error that asks the user to report it.
pub fn run<V, F>(abort: Option<Abort>, work: F) -> Promise<V>
where
    V: ToNapiValue + Send + 'static,
    F: Future<Output = Result<V, Failure>> + Send + 'static,
{
    let Abort(aborted) = abort.unwrap_or_else(|| Abort(AbortHandle::new_pair().1));
    let work = AssertUnwindSafe(work).catch_unwind();
    let work = work.map(|ended| ended.unwrap_or_else(|_panic| Err(failure::Failure::panic().into())));
    let work = Abortable::new(work, aborted);
    let promise = env().and_then(|env| {
        let promise = env.spawn_future_with_callback(async move { Ok(work.await) }, |_env, ended| match ended {
            Ok(result) => Ok(result?),
            Err(Aborted) => Err(napi::Error::new(Status::Cancelled, "the call was aborted")),
        });
        promise.map(|promise| promise.raw())
    });
    Promise(promise, PhantomData)
}

/// Every error code, in the order of `docs/reference/errors.md`.
#[napi(catch_unwind)]
pub fn error_kinds() -> Vec<ErrorInfo> {
    tagwarden::ErrorKind::ALL.iter().copied().map(to).collect()
}

/// Panics, in a call or synchronously, to test that a panic never ends the process. `index.js` does not export it.
#[napi(catch_unwind, skip_typescript)]
pub fn inject_panic(in_a_call: bool) -> napi::Result<Promise<()>> {
    #[allow(clippy::panic, reason = "that is what it is for")]
    fn injected<T>() -> Result<T, Failure> {
        panic!("injected")
    }
    if in_a_call { Ok(run(None, async { injected() })) } else { Ok(injected()?) }
}
