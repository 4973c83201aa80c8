//! The pause before the next attempt: back-off with jitter, and `Retry-After`.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use tokio::time::Instant;

use super::options::OciOptions;
use super::words::and;
use crate::backoff::Backoff;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Timestamp;

/// The back-off between two attempts of one request.
pub(super) const BACKOFF: Backoff = Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) };

/// Waits before the next attempt, or returns the error of the last one if there are no more retries or no more time.
pub(super) async fn retry(
    options: &OciOptions,
    error: Error,
    asked: Option<Duration>,
    failed: u32,
    deadline: Instant,
) -> Result<()> {
    if failed > options.retries {
        return Err(error);
    }
    wait(options, error, asked, failed, deadline).await
}

/// As [`retry`], for any number of attempts.
pub(super) async fn wait(
    options: &OciOptions,
    error: Error,
    asked: Option<Duration>,
    failed: u32,
    deadline: Instant,
) -> Result<()> {
    let time = asked.unwrap_or_else(|| BACKOFF.pause(failed));
    let left = deadline.saturating_duration_since(Instant::now());
    if time < left && time <= options.max_retry_after {
        tokio::time::sleep(time).await;
        return Ok(());
    }
    let Some(asked) = asked else { return Err(error) };
    let most = left.min(options.max_retry_after).as_secs_f64();
    let why = format!("at most {most:.1} s may be waited, and it asks to wait for {} s", asked.as_secs_f64());
    Err(and(ErrorKind::RegistryBusy, &error, &why))
}

/// The wait that an answer requests: `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3), or the
/// `retry-after: 44.5ms` in the message of GHCR.
pub(super) fn asked(header: Option<&str>, message: &str, now: Timestamp) -> Option<Duration> {
    header.and_then(|value| of_header(value.trim(), now)).or_else(|| of_message(message))
}

fn of_header(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(value).ok()?;
    let ms = date.as_millisecond().saturating_sub(now.unix_ms()).max(0);
    Some(Duration::from_millis(u64::try_from(ms).ok()?))
}

fn of_message(message: &str) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let (_, after) = lower.split_once("retry-after:")?;
    let after = after.trim_start();
    let end = after.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(after.len());
    let (number, unit) = after.split_at_checked(end)?;
    let number = number.parse::<f64>().ok()?;
    let seconds = match unit {
        _ if unit.starts_with("ms") => number / 1e3,
        _ if unit.starts_with("µs") || unit.starts_with("us") => number / 1e6,
        _ if unit.starts_with('s') => number,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_dates_and_milliseconds_are_read() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        let header = |value| asked(Some(value), "", now);
        assert_eq!(header("7"), Some(Duration::from_secs(7)));
        assert_eq!(header("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(header("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(header("soon"), None);
        let message = |text| asked(None, text, now);
        assert_eq!(message("Retry-After: 44.5ms, allowed: 2000/minute"), Some(Duration::from_micros(44_500)));
        assert_eq!(message("retry-after: 3s"), Some(Duration::from_secs(3)));
        assert_eq!(message("retry-after: 1e999s"), None);
        assert_eq!(message("slow down"), None);
    }
}
