//! `PastStep`: a step into the past of a channel, and `PastTime`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Timestamp, human_duration, invalid, parse_duration, quoted};
use crate::error::{Error, Result};

/// A step into the past of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PastStep {
    /// `~2`: this number of changes of the live digest ago. A rollback is a change, too.
    Back(u64),
    /// `#42`: the committed move at this position of the log.
    Move(u64),
    /// `@{…}`: at this time.
    At(PastTime),
}

/// A time in the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PastTime {
    /// This moment.
    Moment(Timestamp),
    /// This long before now.
    Ago(Duration),
}

impl FromStr for PastStep {
    type Err = Error;

    fn from_str(text: &str) -> Result<PastStep> {
        let bad = |why: String| invalid("release", why, None);
        if let Some(changes) = text.strip_prefix('~') {
            let why = || bad(format!("{} after '~' is not a number of changes", quoted(changes)));
            return changes.parse().map(PastStep::Back).map_err(|_| why());
        }
        if let Some(seq) = text.strip_prefix('#') {
            let why = || bad(format!("{} after '#' is not the sequence number of a move", quoted(seq)));
            return seq.parse().map(PastStep::Move).map_err(|_| why());
        }
        match text.strip_prefix("@{").and_then(|time| time.strip_suffix('}')) {
            Some(time) => time.parse().map(PastStep::At),
            None => Err(bad(format!("{} is none of ~2, #42 and @{{2 hours ago}}", quoted(text)))),
        }
    }
}

impl fmt::Display for PastStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PastStep::Back(changes) => write!(f, "~{changes}"),
            PastStep::Move(seq) => write!(f, "#{seq}"),
            PastStep::At(PastTime::Moment(moment)) => write!(f, "@{{{moment}}}"),
            PastStep::At(PastTime::Ago(ago)) => write!(f, "@{{{} ago}}", human_duration(*ago)),
        }
    }
}

impl FromStr for PastTime {
    type Err = Error;

    fn from_str(text: &str) -> Result<PastTime> {
        let bad =
            || invalid("time", format!("{} is neither RFC 3339 nor a time such as 2 hours ago", quoted(text)), None);
        let Some(ago) = text.strip_suffix("ago").map(str::trim) else {
            return text.parse().map(PastTime::Moment).map_err(|_| bad());
        };
        let digits = ago.len() - ago.trim_start_matches(|char: char| char.is_ascii_digit()).len();
        let (number, unit) = ago.split_at(digits);
        let unit = match unit.trim() {
            "s" | "second" | "seconds" => "s",
            "m" | "minute" | "minutes" => "m",
            "h" | "hour" | "hours" => "h",
            "d" | "day" | "days" => "d",
            _ => return Err(bad()),
        };
        parse_duration(&format!("{number}{unit}")).map(PastTime::Ago).map_err(|_| bad())
    }
}

impl PastTime {
    /// The moment, where it is `now`.
    pub fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            PastTime::Moment(moment) => moment,
            PastTime::Ago(ago) => now.minus(ago),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_an_expression_is_before_now() {
        let now: Timestamp = "2026-11-23T06:00:00Z".parse().unwrap();
        assert_eq!("2h ago".parse::<PastTime>().unwrap().moment(now).to_string(), "2026-11-23T04:00:00.000Z");
    }
}
