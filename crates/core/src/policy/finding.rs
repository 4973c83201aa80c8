//! `Finding`: the verdict of one guardrail about a move.

use std::fmt;

use serde::Serialize;

use super::way::Way;
use crate::error::Retry;
use crate::log::{RecordedFinding, Verdict};
use crate::value::Line;

/// The verdict of one guardrail about a move, with its reason.
///
/// The constructors make every text a valid [`Line`]: control characters become `�`, and a text is cut after 1,024
/// characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The guardrail's name.
    pub guardrail: Line,
    /// The verdict. Every verdict but a pass or a warning stops the move.
    pub verdict: Verdict,
    /// The code of a warning or refusal, `AREA_STATE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Line>,
    /// The reason, with names, numbers and units.
    pub why: Line,
    /// Tells if the same move may pass later; only in a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// True if it refuses also in the mode `warn`.
    #[serde(skip)]
    pub(super) in_every_mode: bool,
    /// The ways to go on, which the policy adds to the reason.
    #[serde(skip)]
    pub(super) ways: Vec<Way>,
}

impl Finding {
    /// A pass: the guardrail has nothing against the move.
    pub fn pass(guardrail: &str, why: impl AsRef<str>) -> Finding {
        let (guardrail, why) = (Line::lossy(guardrail), Line::lossy(why));
        let (verdict, code, retry) = (Verdict::Pass, None, None);
        Finding { guardrail, verdict, code, why, retry, in_every_mode: false, ways: Vec::new() }
    }

    /// A warning: it does not stop the move.
    pub fn warn(guardrail: &str, code: &str, why: impl AsRef<str>) -> Finding {
        Finding { verdict: Verdict::Warn, code: Some(Line::lossy(code)), ..Finding::pass(guardrail, why) }
    }

    /// A refusal: it stops the move, and the same move does not pass later. See [`Finding::later`].
    pub fn refuse(guardrail: &str, code: &str, why: impl AsRef<str>) -> Finding {
        let (code, retry) = (Some(Line::lossy(code)), Some(Retry::Never));
        Finding { verdict: Verdict::Refuse, code, retry, ..Finding::pass(guardrail, why) }
    }

    /// The same refusal, but time or a person can lift it: the same move may pass later.
    #[must_use]
    pub fn later(self) -> Finding {
        Finding { retry: Some(Retry::Later), ..self }
    }

    /// The same refusal, which the mode `warn` does not turn into a warning.
    pub(super) fn in_every_mode(self) -> Finding {
        Finding { in_every_mode: true, ..self }
    }

    /// The same finding as a warning, with a note why it does not stop the move.
    pub(super) fn into_warning(self, note: &str) -> Finding {
        let why = Line::lossy(format!("{} ({note})", self.why));
        Finding { verdict: Verdict::Warn, retry: None, why, ..self }
    }

    /// True if it stops the move: a refusal, or a verdict that this version does not know.
    pub fn refuses(&self) -> bool {
        !matches!(self.verdict, Verdict::Pass | Verdict::Warn)
    }

    /// The code's text.
    pub fn code(&self) -> Option<&str> {
        self.code.as_ref().map(Line::as_str)
    }
}

impl fmt::Display for Finding {
    /// `parts-present TARGET_UNKNOWN: sha256:… may lack parts: …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code().map(|code| format!(" {code}")).unwrap_or_default();
        write!(f, "{}{code}: {}", self.guardrail, self.why)
    }
}

impl From<Finding> for RecordedFinding {
    /// The finding as the log records it.
    fn from(finding: Finding) -> RecordedFinding {
        let Finding { guardrail, verdict, code, why, .. } = finding;
        RecordedFinding { guardrail, verdict, code, why }
    }
}
