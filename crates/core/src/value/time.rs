//! Time: the timestamps of entries, and the clock for deadlines.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{invalid, quoted, serde_text};
use crate::error::{Error, Result};

/// A moment in UTC, to the millisecond, written as RFC 3339: `2026-11-23T06:12:31.123Z`.
///
/// Parsing accepts any RFC 3339 text with an offset, and cuts off fractions of a millisecond. The range is from the
/// year 0 to 9999-12-30T22:00:00.000Z, so that the year has four digits in every time zone.
///
/// ```
/// use tagwarden::Timestamp;
/// let time: Timestamp = "2026-11-23T07:12:31.1239+01:00".parse().unwrap();
/// assert_eq!(time.to_string(), "2026-11-23T06:12:31.123Z");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    const RANGE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_207_200_000;

    /// The moment `ms` milliseconds after 1970-01-01T00:00:00Z, clamped to the range of the type.
    pub fn from_unix_ms(ms: i64) -> Timestamp {
        Timestamp(ms.clamp(*Self::RANGE.start(), *Self::RANGE.end()))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_ms(self) -> i64 {
        self.0
    }

    /// The moment in `text` if it has the form in which timestamps are written, `2026-11-23T06:12:31.123Z`; none for
    /// any other spelling.
    pub(crate) fn of_written(text: &str) -> Option<Timestamp> {
        let time: Timestamp = text.parse().ok()?;
        (time.to_string() == text).then_some(time)
    }

    /// This moment plus `duration`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Timestamp {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_unix_ms(self.0.saturating_add(ms))
    }

    /// This moment minus `duration`.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Timestamp {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_unix_ms(self.0.saturating_sub(ms))
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Timestamp> {
        let time = text.parse::<jiff::Timestamp>().map_err(|_| {
            let why = match is_too_late(text) {
                true => "is later than 9999-12-30T22:00:00Z, the last time that can be recorded",
                false => "is not RFC 3339, such as 2026-11-23T06:12:31Z",
            };
            invalid("time", format!("{} {why}", quoted(text)), None)
        })?;
        let ms = time.as_nanosecond().div_euclid(1_000_000);
        match i64::try_from(ms) {
            Ok(ms) if Self::RANGE.contains(&ms) => Ok(Timestamp(ms)),
            _ => Err(invalid("time", format!("{} is not from the year 0 to 9999-12-30T22:00:00Z", quoted(text)), None)),
        }
    }
}

/// True for a time of the year's last two days in 9999, with an offset.
fn is_too_late(text: &str) -> bool {
    let day = text.get(..10).filter(|day| *day == "9999-12-30" || *day == "9999-12-31");
    let rest = text.get(19..).unwrap_or_default();
    day.is_some() && rest.contains(['Z', 'z', '+', '-']) && text.get(..19).is_some_and(is_civil)
}

fn is_civil(text: &str) -> bool {
    text.parse::<jiff::civil::DateTime>().is_ok()
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{time:.3}")
    }
}

serde_text!(Timestamp);

/// The source of time: a wall clock for the timestamps of entries, and a monotonic clock for deadlines.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock's time. It may jump, so nothing is ordered by it.
    fn now(&self) -> Timestamp;

    /// The time since some fixed moment. It never goes back, and it includes time during which the machine was
    /// suspended.
    fn monotonic(&self) -> Duration;
}

/// The clock of the machine. On Linux the monotonic clock is `CLOCK_BOOTTIME`, which continues during suspend.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(jiff::Timestamp::now().as_millisecond())
    }

    #[cfg(target_os = "linux")]
    fn monotonic(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    #[cfg(not(target_os = "linux"))]
    fn monotonic(&self) -> Duration {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_rfc_3339_in_utc_with_milliseconds() {
        for (text, want) in [
            ("2026-11-23T06:12:31Z", "2026-11-23T06:12:31.000Z"),
            ("2026-11-23T06:12:31.9999Z", "2026-11-23T06:12:31.999Z"),
            ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), want);
        }
        let error = "yesterday".parse::<Timestamp>().unwrap_err().to_string();
        assert_eq!(error, "time: \"yesterday\" is not RFC 3339, such as 2026-11-23T06:12:31Z");
        assert!("2026-11-23T06:12:31".parse::<Timestamp>().is_err(), "no default zone");
        let error = |text: &str| text.parse::<Timestamp>().unwrap_err().to_string();
        let late =
            "time: \"9999-12-31T23:59:59Z\" is later than 9999-12-30T22:00:00Z, the last time that can be recorded";
        assert_eq!(error("9999-12-31T23:59:59Z"), late);
        for text in ["9999-12-31T23:59:59", "9999-12-31", "9999-12-31T25:00:00Z"] {
            assert!(error(text).contains("is not RFC 3339"), "{text}");
        }
        assert!("9999-12-30T22:00:00Z".parse::<Timestamp>().is_ok());
    }

    #[test]
    fn the_written_form_is_read_as_rfc_3339_reads_it() {
        let start = *Timestamp::RANGE.start();
        let steps = (0..3_652_425).step_by(97).map(|day| Timestamp::from_unix_ms(start + day * 86_400_000 + day));
        for time in steps.chain([Timestamp::from_unix_ms(i64::MAX), Timestamp::from_unix_ms(i64::MIN)]) {
            assert_eq!(Timestamp::of_written(&time.to_string()), Some(time));
        }
        for text in [
            "2026-02-29T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-01-01T24:00:00.000Z",
            "2026-01-01T00:00:60.000Z",
            "2026-01-01T00:00:00.00Z",
            "2026-01-01t00:00:00.000Z",
            "2026-01-01T00:00:00.0x0Z",
        ] {
            assert_eq!(Timestamp::of_written(text), None, "{text}");
        }
    }

    #[test]
    fn the_monotonic_clock_does_not_go_back() {
        let first = SystemClock.monotonic();
        assert!(SystemClock.monotonic() >= first);
    }
}
