//! Prints on standard error the reason why a move waits, once for each change of the reason, and that a registry does not
//! answer, once for each registry.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tagwarden::promotion::{ProgressObserver, WaitReason};
use tagwarden::registry::oci::RetryObserver;
use tagwarden::{Channel, human_duration};

use crate::render::shown;

#[derive(Debug, Default)]
pub(crate) struct Progress {
    last: Mutex<Option<WaitReason>>,
}

impl ProgressObserver for Progress {
    fn waits(&self, channel: &Channel, what: WaitReason, remaining: Option<Duration>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() == Some(&what) {
            return;
        }
        let line = line(channel, &what, remaining);
        *last = Some(what);
        say(&line);
    }
}

/// Prints one line for each registry that has not given a usable answer for two seconds.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    named: Mutex<BTreeSet<String>>,
}

impl RetryObserver for Retries {
    fn still_trying(&self, registry: &str, why: &str, remaining: Duration) {
        if self.named.lock().unwrap_or_else(PoisonError::into_inner).insert(registry.to_owned()) {
            say(&trying(registry, why, remaining));
        }
    }
}

fn trying(registry: &str, why: &str, remaining: Duration) -> String {
    let left = seconds(remaining);
    // Most errors begin with the host.
    let why = why.strip_prefix(&format!("{registry}: ")).unwrap_or(why);
    format!("{registry}: still trying, for {left} at most; --retry-for TIME gives up sooner: {why}")
}

/// A time in whole seconds, rounded up, so that a wait does not end later than shown.
fn seconds(time: Duration) -> String {
    human_duration(Duration::from_secs(time.as_millis().div_ceil(1000) as u64))
}

/// Prints one line on standard error. Write errors are ignored: stderr may be closed.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", shown(line));
}

fn line(channel: &Channel, what: &WaitReason, remaining: Option<Duration>) -> String {
    let left = |more: &str| match remaining {
        Some(left) => format!(" (at most {}{more})", seconds(left)),
        None => String::new(),
    };
    match what {
        WaitReason::OtherMove { move_id } => {
            format!("{channel}: waiting for move {move_id}, until it is closed{}", left(", then it may be taken over"))
        }
        WaitReason::QuietTime => {
            format!("{channel}: waiting until no earlier put can land any more{}", left(""))
        }
        WaitReason::Settle => format!("{channel}: reading the tag again until reads are settled{}", left("")),
        WaitReason::Answer { why } => format!("{channel}: asking again{}: {why}", left("")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_waited_for_and_how_long() {
        let prod = "reg.io/a:prod".parse().unwrap();
        let other = WaitReason::OtherMove { move_id: "m1".to_owned() };
        assert_eq!(
            line(&prod, &other, Some(Duration::from_millis(89_400))),
            "reg.io/a:prod: waiting for move m1, until it is closed (at most 90s, then it may be taken over)"
        );
        assert_eq!(
            line(&prod, &WaitReason::QuietTime, Some(Duration::from_secs(30))),
            "reg.io/a:prod: waiting until no earlier put can land any more (at most 30s)"
        );
        for why in ["the registry answered 503", "reg.io: the registry answered 503"] {
            assert_eq!(
                trying("reg.io", why, Duration::from_millis(27_100)),
                "reg.io: still trying, for 28s at most; --retry-for TIME gives up sooner: the registry answered 503"
            );
        }
    }
}
