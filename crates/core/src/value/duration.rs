//! Durations as people write them: `500ms`, `60s`, `5m`, `1h`, `30d`.

use std::time::Duration;

use super::quoted;
use crate::error::{Error, ErrorKind, Result};

/// Parses a whole number with a unit: `ms`, `s`, `m`, `h` or `d`. VALUE_INVALID for anything else.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(tagwarden::parse_duration("5m").unwrap(), Duration::from_secs(300));
/// assert!(tagwarden::parse_duration("5").is_err());
/// ```
pub fn parse_duration(text: &str) -> Result<Duration> {
    let bad = |why: &str| {
        let message = format!("duration: {}: {why}; write 500ms, 60s, 5m, 1h or 30d", quoted(text));
        Error::new(ErrorKind::ValueInvalid, message)
    };
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u64 = match number.parse() {
        Ok(number) => number,
        Err(_) if number.is_empty() => return Err(bad("no whole number at byte 0")),
        Err(_) => return Err(bad("the number is too large")),
    };
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" => return Err(bad(&format!("no unit at byte {end}"))),
        _ => return Err(bad(&format!("no such unit at byte {end}"))),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(|| bad("the number is too large"))
}

/// A duration for people: `1.5s`, `90s`, `5m`, `2h`, `30d`, in the largest unit that shows it without loss.
pub fn human_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    for (unit_ms, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
        if ms >= unit_ms && ms.is_multiple_of(unit_ms) {
            return format!("{}{unit}", ms / unit_ms);
        }
    }
    match ms {
        1_000.. => format!("{:.1}s", duration.as_secs_f64()),
        _ => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (text, ms) in [("500ms", 500), ("60s", 60_000), ("5m", 300_000), ("1h", 3_600_000), ("0s", 0)] {
            assert_eq!(parse_duration(text).unwrap(), Duration::from_millis(ms));
        }
        for text in ["500ms", "90s", "5m", "1h", "30d"] {
            assert_eq!(human_duration(parse_duration(text).unwrap()), text);
        }
        assert_eq!(human_duration(Duration::from_millis(1_500)), "1.5s");
    }

    #[test]
    fn errors_say_what_why_and_where() {
        let error = |text: &str| parse_duration(text).unwrap_err().to_string();
        let write = "write 500ms, 60s, 5m, 1h or 30d";
        assert_eq!(error("60"), format!("duration: \"60\": no unit at byte 2; {write}"));
        assert_eq!(error("s"), format!("duration: \"s\": no whole number at byte 0; {write}"));
        assert_eq!(error("-1s"), format!("duration: \"-1s\": no whole number at byte 0; {write}"));
        assert_eq!(error("1w"), format!("duration: \"1w\": no such unit at byte 1; {write}"));
        assert_eq!(
            error("99999999999999999d"),
            format!("duration: \"99999999999999999d\": the number is too large; {write}")
        );
    }
}
