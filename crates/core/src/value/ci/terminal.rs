//! `Terminal`: the terminal in which a program was started.

use super::super::{Clock, Line};
use crate::error::{Error, ErrorKind, Result};

/// The terminal in which the program was started. The caller must check that standard input or standard error is a
/// terminal; this type does not.
///
/// ```
/// use tagwarden::{ActorKind, ProvenanceParts, SystemClock, Terminal};
/// let mut given = ProvenanceParts::default();
/// given.terminal = Some(Terminal::of(Some("ada".to_owned()), &SystemClock).unwrap());
/// let provenance = given.fill(|_| None).unwrap().build().unwrap();
/// assert_eq!(provenance.pipeline.provider.as_str(), "manual");
/// assert_eq!((provenance.actor.id.as_str(), provenance.actor.kind), ("ada", ActorKind::Human));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// The system's login name; none if there is none.
    pub login: Option<String>,
    /// The id of the run that is started in the terminal.
    pub run_id: Line,
}

impl Terminal {
    /// The terminal of the user who is logged in as `login`, with a new run id: a UUIDv7 with the time of `clock`.
    ///
    /// INTERNAL_FAULT if the system gives no random bytes.
    pub fn of(login: Option<String>, clock: &dyn Clock) -> Result<Terminal> {
        let mut random = [0_u8; 10];
        getrandom::fill(&mut random)
            .map_err(|e| Error::new(ErrorKind::InternalFault, "the system gave no random bytes").with_source(e))?;
        let ms = u64::try_from(clock.now().unix_ms()).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid();
        Ok(Terminal { login, run_id: id.to_string().parse()? })
    }
}
