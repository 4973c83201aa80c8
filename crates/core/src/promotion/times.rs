//! `Times`: the deadlines that a promoter writes into the log, and the timeout of one put.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::log::Deadlines;

/// The times of a promoter: the deadlines that it writes into the log, and the timeout of one put.
///
/// Each is from 1 ms to 1 h. A put's timeout is shorter than the ttl and not longer than grace and quiet time; the quiet
/// time is not longer than the settle time; ttl and quiet time together are at most 1 h. CONFIG_INVALID otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    pub(super) deadlines: Deadlines,
    /// True if the settle time was given for every registry; otherwise it depends on the registry.
    settle_given: bool,
    /// The settle times that were given for one registry, in milliseconds.
    settle_ms_on: BTreeMap<String, u64>,
    pub(super) put: Duration,
}

impl Times {
    /// Time to live, grace, quiet time, and timeout of one put; the settle time is the registry's.
    pub fn new(ttl: Duration, grace: Duration, quiet: Duration, put: Duration) -> Result<Times> {
        let quiet_ms = ms(quiet);
        let settle_ms = Deadlines::default().settle_ms.max(quiet_ms);
        let deadlines = Deadlines { ttl_ms: ms(ttl), grace_ms: ms(grace), quiet_ms, settle_ms };
        Times { deadlines, settle_given: false, settle_ms_on: BTreeMap::new(), put }.checked()
    }

    /// With a settle time: the time after a write in which a read of the tag may still answer an older value. By
    /// default it is 30 s, 10 min for `ghcr.io` and 2 min for `*.azurecr.io`, and never shorter than the quiet time.
    pub fn with_settle(self, settle: Duration) -> Result<Times> {
        let deadlines = Deadlines { settle_ms: ms(settle), ..self.deadlines };
        Times { deadlines, settle_given: true, ..self }.checked()
    }

    /// With a settle time for one registry, `host[:port]`, from 1 ms to 1 h. It counts unless
    /// [`with_settle`](Times::with_settle) gave one for every registry, and is never shorter than the quiet time.
    pub fn with_settle_on(mut self, registry: &str, settle: Duration) -> Result<Times> {
        let settle_ms = ms(settle);
        if !(1..=Deadlines::MAX_MS).contains(&settle_ms) {
            let why = format!("the settle time of {registry} is {settle_ms} ms; it must be from 1 ms to 1 h");
            return Err(Error::new(ErrorKind::ConfigInvalid, why));
        }
        self.settle_ms_on.insert(registry.to_owned(), settle_ms);
        Ok(self)
    }

    /// Checks the relations between the times. The message names the one that is broken.
    fn checked(self) -> Result<Times> {
        let (Deadlines { ttl_ms, grace_ms, quiet_ms, settle_ms }, put_ms) = (self.deadlines, ms(self.put));
        let (grace, quiet, put) = (("grace", grace_ms), ("quiet time", quiet_ms), ("put timeout", put_ms));
        let (ttl, settle) = (("ttl", ttl_ms), ("settle time", settle_ms));
        let beyond = [ttl, grace, quiet, settle, put].into_iter().find(|(_, ms)| !(1..=Deadlines::MAX_MS).contains(ms));
        let longer = [(put, grace), (put, quiet), (quiet, settle)].into_iter().find(|((_, one), (_, most))| one > most);
        let why = if let Some((name, ms)) = beyond {
            format!("the {name} is {ms} ms; it must be from 1 ms to 1 h")
        } else if put_ms >= ttl_ms {
            format!("the put timeout ({put_ms} ms) must be shorter than the ttl ({ttl_ms} ms)")
        } else if let Some(((name, ms), (other, most))) = longer {
            format!("the {name} ({ms} ms) must not be longer than the {other} ({most} ms)")
        } else if ttl_ms.saturating_add(quiet_ms) > Deadlines::MAX_MS {
            // A takeover's ttl is the ttl plus the quiet time, and it must be at most 1 h too.
            format!("ttl ({ttl_ms} ms) and quiet time ({quiet_ms} ms) together must be at most 1 h")
        } else {
            return Ok(self);
        };
        Err(Error::new(ErrorKind::ConfigInvalid, why))
    }

    /// The times for a channel on this registry.
    pub(super) fn deadlines_for(&self, registry: &str) -> Deadlines {
        let settle_ms = match self.settle_ms_on.get(registry) {
            _ if self.settle_given => self.deadlines.settle_ms,
            Some(settle_ms) => self.deadlines.quiet_ms.max(*settle_ms),
            None if registry == "ghcr.io" => self.deadlines.settle_ms.max(600_000),
            None if registry.ends_with(".azurecr.io") => self.deadlines.settle_ms.max(120_000),
            None => self.deadlines.settle_ms,
        };
        Deadlines { settle_ms, ..self.deadlines }
    }

    /// The time to live.
    pub fn ttl(&self) -> Duration {
        Duration::from_millis(self.deadlines.ttl_ms)
    }

    /// The time after the time to live until another worker may take the move over.
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.deadlines.grace_ms)
    }

    /// The time in which a put whose answer was lost may still land.
    pub fn quiet(&self) -> Duration {
        Duration::from_millis(self.deadlines.quiet_ms)
    }

    /// The time after a write in which a read of a tag on `registry` may still answer an older value.
    pub fn settle(&self, registry: &str) -> Duration {
        Duration::from_millis(self.deadlines_for(registry).settle_ms)
    }

    /// The timeout of one put.
    pub fn put(&self) -> Duration {
        self.put
    }
}

/// The milliseconds of a duration.
pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Default for Times {
    /// Time to live 60 s, grace 30 s, quiet time 30 s, put timeout 15 s.
    fn default() -> Times {
        let (deadlines, put) = (Deadlines::default(), Duration::from_secs(15));
        Times { deadlines, settle_given: false, settle_ms_on: BTreeMap::new(), put }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settle_time_is_that_of_the_caller_then_of_the_registry_then_the_known_one() {
        let seconds = Duration::from_secs;
        let times = Times::default();
        let known = ["ghcr.io", "acme.azurecr.io", "reg.io"].map(|registry| times.settle(registry));
        assert_eq!(known, [600, 120, 30].map(seconds));
        let times = times.with_settle_on("ghcr.io", seconds(90)).unwrap().with_settle_on("reg.io", seconds(5)).unwrap();
        let on = ["ghcr.io", "acme.azurecr.io", "reg.io"].map(|registry| times.settle(registry));
        assert_eq!(on, [90, 120, 30].map(seconds), "never shorter than the quiet time");
        let given = times.with_settle(seconds(45)).unwrap();
        assert_eq!(["ghcr.io", "reg.io"].map(|registry| given.settle(registry)), [45, 45].map(seconds));
    }

    #[test]
    fn settle_time_of_a_registry_is_from_1_ms_to_1_h() {
        for settle in [Duration::ZERO, Duration::from_millis(3_600_001)] {
            let error = Times::default().with_settle_on("ghcr.io", settle).unwrap_err();
            let ms = settle.as_millis();
            assert_eq!(
                (error.kind(), error.to_string()),
                (
                    ErrorKind::ConfigInvalid,
                    format!("the settle time of ghcr.io is {ms} ms; it must be from 1 ms to 1 h")
                )
            );
        }
    }
}
