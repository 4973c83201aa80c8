//! Arguments, as people write them. An error names the argument, and quotes no more of the value than the core would.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tagwarden::registry::Put;
use tagwarden::registry::oci::Credentials;
use tagwarden::retention::RetentionRule;
use tagwarden::{Error, ErrorKind, Result, Times};

/// The error of a wrong argument.
pub fn wrong(name: &str, why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::ValueInvalid, format!("{name}: {why}"))
}

/// The value of an argument that is given as text.
pub fn parse<T: FromStr<Err = Error>>(name: &str, text: &str) -> Result<T> {
    text.parse().map_err(|error| wrong(name, error))
}

/// A duration of so many of this unit; fractions are allowed. VALUE_INVALID, with the name, for another number.
pub fn duration(name: &str, number: f64, unit: Unit) -> Result<Duration> {
    let invalid = || Error::new(ErrorKind::ValueInvalid, format!("invalid {name}: {number} is not {unit}"));
    unit.duration(number).ok_or_else(invalid)
}

/// The unit in which a binding takes durations. As text it says which numbers it takes: `a number of seconds from 0 to
/// …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Python's.
    Seconds,
    /// Node's.
    Milliseconds,
}

/// The longest duration in milliseconds, 2^53 − 1: the largest number that both languages count exactly.
const MAX_MS: u64 = 9_007_199_254_740_991;

impl Unit {
    /// The duration of so many of this unit; fractions are allowed. None for another number.
    pub fn duration(self, number: f64) -> Option<Duration> {
        let seconds = match self {
            Unit::Seconds => number,
            Unit::Milliseconds => number / 1000.0,
        };
        Duration::try_from_secs_f64(seconds).ok().filter(|duration| *duration <= Duration::from_millis(MAX_MS))
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unit::Seconds => write!(f, "a number of seconds from 0 to {}", MAX_MS / 1000),
            Unit::Milliseconds => write!(f, "a number of milliseconds from 0 to {MAX_MS}"),
        }
    }
}

/// The times of a promoter. A time that is none has its default.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimesArgs {
    /// The time to live of a move.
    pub ttl: Option<Duration>,
    /// The time after that until another worker may take the move over.
    pub grace: Option<Duration>,
    /// The time in which a put whose answer was lost may still land.
    pub quiet: Option<Duration>,
    /// The timeout of one put.
    pub put: Option<Duration>,
    /// The time in which a read may answer an older value.
    pub settle: Option<Duration>,
}

impl TimesArgs {
    /// The times. CONFIG_INVALID if they contradict each other.
    pub fn times(self) -> Result<Times> {
        let default = Times::default();
        let times = Times::new(
            self.ttl.unwrap_or(default.ttl()),
            self.grace.unwrap_or(default.grace()),
            self.quiet.unwrap_or(default.quiet()),
            self.put.unwrap_or(default.put()),
        )?;
        match self.settle {
            Some(settle) => times.with_settle(settle),
            None => Ok(times),
        }
    }
}

/// A retention rule. A part that is none has its default.
pub fn rule(keep_last: Option<u32>, keep_for: Option<Duration>) -> Result<RetentionRule> {
    let default = RetentionRule::default();
    let keep_last = match keep_last {
        Some(number) => NonZeroU32::new(number).ok_or_else(|| wrong("keep_last", "it is 0, and at least 1 is kept"))?,
        None => default.keep_last,
    };
    Ok(RetentionRule { keep_last, keep_for: keep_for.unwrap_or(default.keep_for) })
}

/// The credentials of a registry: none, a user and a password, an identity token or a registry token. CONFIG_INVALID
/// for a mixture. An error shows no secret.
pub fn credentials(
    user: Option<String>,
    password: Option<String>,
    identity_token: Option<String>,
    registry_token: Option<String>,
) -> Result<Credentials> {
    match (user, password, identity_token, registry_token) {
        (None, None, None, None) => Ok(Credentials::Anonymous),
        (Some(user), Some(password), None, None) => Ok(Credentials::password(user, password)),
        (None, None, Some(token), None) => Ok(Credentials::IdentityToken(token.into())),
        (None, None, None, Some(token)) => Ok(Credentials::RegistryToken(token.into())),
        _ => {
            let message = "credentials: give user and password, an identity token, a registry token, or nothing";
            Err(Error::new(ErrorKind::ConfigInvalid, message))
        }
    }
}

/// The result of a put as a result. A put that was not applied is an error: after REGISTRY_REFUSED and REGISTRY_DENIED
/// nothing was moved, and nothing will land later; after any other error it is unknown whether the put was applied.
pub fn applied(put: Put) -> Result<()> {
    let moved_nothing = |error: &Error| matches!(error.kind(), ErrorKind::RegistryRefused | ErrorKind::RegistryDenied);
    let as_kind = |kind, error: Error| Error::new(kind, error.message()).with_source(error);
    match put {
        Put::Applied => Ok(()),
        Put::Refused(error) if !moved_nothing(&error) => Err(as_kind(ErrorKind::RegistryRefused, error)),
        Put::Unknown(error) if moved_nothing(&error) => Err(as_kind(ErrorKind::RegistryAmbiguous, error)),
        Put::Refused(error) | Put::Unknown(error) => Err(error),
    }
}

/// The options with this one set, if it was given.
pub fn set<T, O>(options: O, value: Option<T>, set: impl FnOnce(O, T) -> O) -> O {
    match value {
        Some(value) => set(options, value),
        None => options,
    }
}

/// A value that can be used once, such as a plan that can be approved once.
#[derive(Debug)]
pub struct Once<T> {
    value: Mutex<Option<T>>,
    used: &'static str,
}

impl<T> Once<T> {
    /// `used` says what happened to a value that was used: `the plan was approved`.
    pub fn new(value: T, used: &'static str) -> Once<T> {
        Once { value: Mutex::new(Some(value)), used }
    }

    /// The value. VALUE_INVALID after the first call.
    pub fn take(&self) -> Result<T> {
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner).take();
        let used = || Error::new(ErrorKind::ValueInvalid, format!("{} already: plan again", self.used));
        value.ok_or_else(used)
    }
}
