//! `Order`: the kind of value that says which of two releases is newer, and the values.

use std::cmp::Ordering;

use semver::Version;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::log::{OrderValue, ReleaseOrder};
use crate::value::{Line, Timestamp, without_credentials};

crate::error::words! {
    /// The kind of value by which releases are ordered.
    pub enum OrderBy {
        /// The semantic version of the source tag, else of the version annotation.
        Semver => "semver",
        /// The time at which the release was made.
        Created => "created",
        /// The number of the pipeline run that built the release.
        BuildNumber => "build-number",
        /// Releases have no order.
        Unordered => "none",
    }
}

/// The order of releases, as a policy sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Order {
    by: OrderBy,
    #[serde(skip_serializing_if = "is_false")]
    required: bool,
}

fn is_false(required: &bool) -> bool {
    !required
}

impl Order {
    /// An order by this kind of value. If it is required, a release without a value is refused. CONFIG_INVALID if a
    /// value is required and releases have no order.
    pub fn new(by: OrderBy, required: bool) -> Result<Order> {
        match (by, required) {
            (OrderBy::Unordered, true) => {
                let message = "order: a value is required, and releases have no order (by = \"none\")";
                Err(Error::new(ErrorKind::ConfigInvalid, message))
            }
            _ => Ok(Order { by, required }),
        }
    }

    /// The kind of value.
    pub fn by(self) -> OrderBy {
        self.by
    }

    /// True if a release without a value is refused.
    pub fn is_required(self) -> bool {
        self.required
    }

    /// The value in `text`, in the form in which it is recorded, of this series:
    ///
    /// - `semver`: a semantic version without a leading `v`. The last number may be left out (`1.4`).
    /// - `created`: an RFC 3339 time, in UTC.
    /// - `build-number`: a whole number from 0 to 2^53 − 1.
    ///
    /// VALUE_INVALID if the text is no such value, or if releases have no order.
    pub fn value(self, text: &str, series: Option<Line>) -> Result<ReleaseOrder> {
        let (value, wanted) = match self.by {
            OrderBy::Semver => (version(text).map(|(text, _)| text_of(&text)), "a semantic version, such as 1.4.2"),
            OrderBy::Created => (
                text.parse::<Timestamp>().ok().map(|time| text_of(&time.to_string())),
                "an RFC 3339 time, such as 2026-11-23T06:00:00Z",
            ),
            OrderBy::BuildNumber => (number(text).map(OrderValue::Number), "a whole number from 0 to 9007199254740991"),
            OrderBy::Unordered => {
                let message = "order: releases have no order (by = \"none\"), so none has a value";
                return Err(Error::new(ErrorKind::ValueInvalid, message));
            }
        };
        match value {
            Some(value) => Ok(ReleaseOrder { by: Line::lossy(self.by.as_str()), value, series }),
            None => {
                let (text, by) = (without_credentials(text), self.by.as_str());
                let message = format!("order: {text:?} is not {wanted} (by = {by:?})");
                Err(Error::new(ErrorKind::ValueInvalid, message))
            }
        }
    }
}

/// Compares two releases; none if their values are of different kinds or series, or not understood.
pub(super) fn compare(one: &ReleaseOrder, other: &ReleaseOrder) -> Option<Ordering> {
    if one.by != other.by || one.series != other.series {
        return None;
    }
    match OrderBy::ALL.iter().find(|by| by.as_str() == one.by.as_str())? {
        OrderBy::Semver => Some(version_in(one)?.cmp_precedence(&version_in(other)?)),
        OrderBy::Created => Some(time_in(one)?.cmp(&time_in(other)?)),
        OrderBy::BuildNumber => match (&one.value, &other.value) {
            (OrderValue::Number(one), OrderValue::Number(other)) => Some(one.cmp(other)),
            _ => None,
        },
        OrderBy::Unordered => None,
    }
}

/// The text without a leading `v`, and the version that it names. A version without its last number is completed.
fn version(text: &str) -> Option<(String, Version)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (numbers, rest) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
    let whole = if numbers.matches('.').count() == 1 { format!("{numbers}.0{rest}") } else { text.to_owned() };
    Some((text.to_owned(), whole.parse().ok()?))
}

fn version_in(order: &ReleaseOrder) -> Option<Version> {
    match &order.value {
        OrderValue::Text(text) => version(text.as_str()).map(|(_, version)| version),
        OrderValue::Number(_) => None,
    }
}

fn time_in(order: &ReleaseOrder) -> Option<Timestamp> {
    match &order.value {
        OrderValue::Text(text) => text.as_str().parse().ok(),
        OrderValue::Number(_) => None,
    }
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // The log has no larger numbers.
    text.parse().ok().filter(|number| digits && *number < 1 << 53)
}

fn text_of(text: &str) -> OrderValue {
    OrderValue::Text(Line::lossy(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_that_needs_a_value_of_no_kind_is_invalid() {
        let error = Order::new(OrderBy::Unordered, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
        assert_eq!(error.to_string(), "order: a value is required, and releases have no order (by = \"none\")");
    }

    fn order(by: OrderBy, text: &str, series: Option<&str>) -> ReleaseOrder {
        Order::new(by, false).unwrap().value(text, series.map(Line::lossy)).unwrap()
    }

    #[test]
    fn values_of_one_kind_and_series_are_compared() {
        use Ordering::{Equal, Greater, Less};
        let semver = |one: &str, other: &str| {
            compare(&order(OrderBy::Semver, one, None), &order(OrderBy::Semver, other, None)).unwrap()
        };
        for (one, other, is) in [
            ("1.1.0", "1.2.0", Less),
            ("v1.10.0", "1.9.9", Greater),
            ("1.4", "1.4.0", Equal),
            ("1.4-rc.1", "v1.4.0", Less),
            ("1.4.0-rc.10", "1.4.0-rc.9", Greater),
            ("1.4.0+7", "1.4.0+8", Equal),
        ] {
            assert_eq!(semver(one, other), is, "{one} and {other}");
        }
        let created = |text| order(OrderBy::Created, text, None);
        let (early, late) = (created("2026-11-23T07:00:00+02:00"), created("2026-11-23T06:00:00Z"));
        assert_eq!(compare(&early, &late), Some(Less));
        let build = |text, series| order(OrderBy::BuildNumber, text, series);
        assert_eq!(compare(&build("9", Some("a")), &build("10", Some("a"))), Some(Less));
        assert_eq!(compare(&build("9", Some("a")), &build("10", Some("b"))), None, "another series");
        assert_eq!(compare(&build("9", None), &order(OrderBy::Semver, "1.0.0", None)), None, "another kind");
    }

    #[test]
    fn value_is_recorded_in_one_form() {
        let value = |by, text| order(by, text, None).value;
        assert_eq!(value(OrderBy::Semver, "v1.4.2"), text_of("1.4.2"));
        assert_eq!(value(OrderBy::Created, "2026-11-23T07:12:31.5+01:00"), text_of("2026-11-23T06:12:31.500Z"));
        assert_eq!(value(OrderBy::BuildNumber, "042"), OrderValue::Number(42));
    }

    #[test]
    fn text_that_is_no_value_is_invalid() {
        let error = |by, text| Order::new(by, false).unwrap().value(text, None).unwrap_err().to_string();
        assert_eq!(
            error(OrderBy::Semver, "latest"),
            "order: \"latest\" is not a semantic version, such as 1.4.2 (by = \"semver\")"
        );
        // A commit of digits alone would be a large major version.
        for text in ["20261123", "1.4.2.1", "01.2.3", "1.", ""] {
            assert!(error(OrderBy::Semver, text).contains("is not a semantic version"), "{text}");
        }
        assert!(error(OrderBy::Created, "yesterday").contains("is not an RFC 3339 time"));
        for text in ["-1", "+1", "1e3", "9007199254740992", ""] {
            assert!(error(OrderBy::BuildNumber, text).contains("is not a whole number"), "{text}");
        }
        assert!(error(OrderBy::Unordered, "1").contains("releases have no order"));
    }

    #[test]
    fn order_is_written_without_its_defaults() {
        let json = |by, required| serde_json::to_string(&Order::new(by, required).unwrap()).unwrap();
        assert_eq!(json(OrderBy::Semver, false), r#"{"by":"semver"}"#);
        assert_eq!(json(OrderBy::BuildNumber, true), r#"{"by":"build-number","required":true}"#);
    }
}
