//! The methods of the records.

use std::fmt::Write as _;

use pyo3::prelude::*;
use serde_json::Value;

use crate::args::{Number, Text};
use crate::error::Raises;
use crate::host::{Json, List, Reduced, from_dict, shown, to_dict};
use crate::records::*;
use crate::value::{Channel, Digest};

/// The methods that each record has, with methods of its own.
macro_rules! methods {
    ($($name:ident $({ $($own:tt)* })?)+) => {$(
        #[pymethods]
        impl $name {
            /// The JSON of the core, to which fields are only ever added. What is None is left out.
            fn to_dict(&self, py: Python<'_>) -> PyResult<Json> {
                to_dict(py, self)
            }

            /// The record of what ``to_dict`` gave. KeyError if a field is missing, InvalidValueError if one is
            /// invalid.
            #[staticmethod]
            fn from_dict(py: Python<'_>, json: Json) -> Raises<$name> {
                from_dict(py, json)
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                shown(py, stringify!($name), self)
            }

            fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
                Ok((py.get_type::<$name>().getattr("from_dict")?, (to_dict(py, self)?,)))
            }

            $($($own)*)?
        }
    )+};
}
pub(crate) use methods;

methods! {
    ActiveHold AuditReport Because BlockResult BlockedOn ChannelAudit ChannelStatus DeadMove Deadlines Decision Defect
    DeleteAllowed DeleteRefused DriftSeen EnvironmentConfig Facts FileDiff GuardrailUse HeldChannel HistoryPage Layer
    LayerDifference LeftBy Live LiveAt LiveMove LogSize MadeLive MigratedTo MoveBetween MoveRecord MoveSet
    MovesBetween OpenMove Order Outcome OverrideRule PlatformDifference PossiblyOpen Receipt RecordedCheck
    RecordedError RecordedOverride RecordedPolicy RecoveryResult RegistryConfig ReleaseDiff ReleaseFacts ReleaseOrder
    RetentionPlan RetentionWindow Source Tagged TakeoverRecord TargetManifest Upstream UpstreamLog

    DigestRetention {
        /// True if it must stay.
        #[getter]
        fn kept(&self) -> bool {
            self.keep.is_some()
        }

        /// The reason, for people.
        #[getter]
        fn because(&self) -> String {
            self.keep.as_ref().or(self.expire.as_ref()).map_or_else(String::new, said)
        }
    }

    Finding {
        /// The guardrail has no objection.
        #[staticmethod]
        fn passes(why: Text) -> Finding {
            found(Verdict::Pass, None, why, None)
        }

        /// A warning, which does not stop the move.
        #[staticmethod]
        fn warns(code: Text, why: Text) -> Finding {
            found(Verdict::Warn, Some(code.0), why, None)
        }

        /// A refusal, which stops the move; ``retry`` says whether the same move may pass later.
        #[staticmethod]
        #[pyo3(signature = (code, why, *, retry = None))]
        fn refuses(code: Text, why: Text, retry: Option<Retry>) -> Finding {
            found(Verdict::Refuse, Some(code.0), why, Some(retry.unwrap_or(Retry::Never)))
        }
    }

    Intent {
        /// The findings of the guardrails, as recorded in the log.
        #[getter]
        fn findings(&self) -> List<Finding> {
            self.decision.findings.clone()
        }
    }

    LogReport {
        /// True if no rule is broken.
        #[getter]
        fn valid(&self) -> bool {
            self.defect.is_none()
        }
    }

    MayDelete {
        /// True if it may be deleted.
        #[getter]
        fn allowed(&self) -> bool {
            self.yes.is_some()
        }

        /// The reason, for people.
        #[getter]
        fn because(&self) -> String {
            let yes = self.yes.as_ref().map(|yes| &yes.because);
            yes.or(self.no.as_ref().map(|no| &no.because)).map_or_else(String::new, said)
        }
    }

    Predecessor {
        #[new]
        fn new(channel: Channel, size: Number, root: Digest) -> Raises<Predecessor> {
            Ok(Predecessor { channel, size: size.get("size")?, root })
        }
    }
}

fn found(verdict: Verdict, code: Option<String>, why: Text, retry: Option<Retry>) -> Finding {
    Finding { guardrail: String::new(), verdict, code, why: why.0, retry }
}

/// A reason for people: `live (channel reg.io/acme/shop:prod)`.
fn said(because: &Because) -> String {
    let Ok(Value::Object(fields)) = serde_json::to_value(because) else { return String::new() };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut said = fields.get("reason").map(text).unwrap_or_default();
    let parts = fields.iter().filter(|(name, value)| *name != "reason" && !value.is_null());
    for (at, (name, value)) in parts.enumerate() {
        _ = write!(said, "{}{name} {}", if at == 0 { " (" } else { ", " }, text(value));
    }
    if said.contains('(') { said + ")" } else { said }
}
