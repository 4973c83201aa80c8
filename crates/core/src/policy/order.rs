//! `Order`: the kind of value that says which of two releases is newer.

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

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

    #[test]
    fn order_is_written_without_its_defaults() {
        let json = |by, required| serde_json::to_string(&Order::new(by, required).unwrap()).unwrap();
        assert_eq!(json(OrderBy::Semver, false), r#"{"by":"semver"}"#);
        assert_eq!(json(OrderBy::BuildNumber, true), r#"{"by":"build-number","required":true}"#);
    }
}
