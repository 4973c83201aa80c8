//! Prints on standard error the reason why a move waits, once for each change of the reason.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tagwarden::promotion::{ProgressObserver, WaitReason};
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

/// Prints one line on standard error. Write errors are ignored: stderr may be closed.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", shown(line));
}

fn line(channel: &Channel, what: &WaitReason, remaining: Option<Duration>) -> String {
    let left = |more: &str| match remaining {
        // Round up to whole seconds, so that the wait does not end later than shown.
        Some(left) => {
            format!(" (at most {}{more})", human_duration(Duration::from_secs(left.as_millis().div_ceil(1000) as u64)))
        }
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
    }
}
