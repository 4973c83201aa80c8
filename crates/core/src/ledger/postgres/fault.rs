//! The errors of statements and connections, and their meaning for an append.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::error::{Error, ErrorKind};

/// The advice after a certificate that is not accepted.
const CERTIFICATE: &str = "; if the server is the right one, name its authority's certificate, or its own, with \
     sslrootcert=FILE in the URL";

/// The error that the server or the driver reported. `what` failed at `place`.
pub(super) fn said(place: &str, what: &str, said: tokio_postgres::Error) -> Error {
    let (kind, why) = match said.as_db_error() {
        Some(said) => {
            let (kind, advice) = meaning(said.code());
            (kind, format!("{} (SQLSTATE {}){advice}", said.message(), said.code().code()))
        }
        None => {
            let why = chain(&said);
            let advice = if why.contains("invalid peer certificate") { CERTIFICATE } else { "" };
            (ErrorKind::LedgerUnavailable, why + advice)
        }
    };
    Error::new(kind, format!("{place}: cannot {what}: {why}")).with_source(said)
}

/// There was no answer within `time`.
pub(super) fn silence(place: &str, what: &str, time: Duration) -> Error {
    let message = format!("{place}: cannot {what}: no answer within {} s", time.as_secs());
    Error::new(ErrorKind::LedgerUnavailable, message)
}

/// The code of the server's error; none if the server did not answer.
fn code(error: &Error) -> Option<&SqlState> {
    error.source_as::<tokio_postgres::Error>()?.code()
}

/// True if the server answered and did not end the session: the connection can be used again.
pub(super) fn is_answer(error: &Error) -> bool {
    code(error).is_some_and(|code| !is_end_of_session(code))
}

/// True if it is certain that the statement changed nothing, and never will.
pub(super) fn is_without_effect(error: &Error) -> bool {
    code(error).is_some_and(is_certain)
}

/// True if another transaction was first.
pub(super) fn is_lost(error: &Error) -> bool {
    let lost = [SqlState::UNIQUE_VIOLATION, SqlState::T_R_SERIALIZATION_FAILURE];
    code(error).is_some_and(|code| lost.contains(code))
}

/// The first two characters of a code.
fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
}

/// True for 57P01 to 57P05: shutdown by the administrator, crash, start-up, dropped database, idle session.
fn is_end_of_session(code: &SqlState) -> bool {
    code.code().starts_with("57P")
}

/// True if the server reported the error while it ran the statement. The end of a session, a cancelled statement and a
/// system error are not certain: they may come during the commit or after it.
fn is_certain(code: &SqlState) -> bool {
    let unknown = [SqlState::QUERY_CANCELED, SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN];
    !is_end_of_session(code) && !unknown.contains(code) && !["08", "58", "XX"].contains(&class(code))
}

/// The kind of the error, and advice for the operator.
fn meaning(code: &SqlState) -> (ErrorKind, &'static str) {
    use ErrorKind::{LedgerAbsent, LedgerCorrupt, LedgerDenied, LedgerUnavailable};
    match *code {
        SqlState::INVALID_CATALOG_NAME => {
            (LedgerAbsent, "; create the database, then run `tagwarden ledger init` with this URL")
        }
        SqlState::INVALID_SCHEMA_NAME | SqlState::UNDEFINED_TABLE => {
            (LedgerAbsent, "; run `tagwarden ledger init` with this URL")
        }
        SqlState::INSUFFICIENT_PRIVILEGE => {
            (LedgerDenied, "; the rights that a reader and a writer need are in docs/reference/ledger-urls.md")
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            let advice = "; the server is a standby, or default_transaction_read_only is on: use the primary's address";
            (LedgerUnavailable, advice)
        }
        SqlState::DISK_FULL => (LedgerUnavailable, "; make room on the server's disk"),
        SqlState::TOO_MANY_CONNECTIONS => {
            (LedgerUnavailable, "; raise max_connections, or put a pooler in session mode before the server")
        }
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => (LedgerCorrupt, ""),
        _ if class(code) == "28" => {
            (LedgerDenied, "; check user, password and pg_hba.conf (a rule may want sslmode=verify-full)")
        }
        _ => (LedgerUnavailable, ""),
    }
}

/// The driver's error and its sources, in one line.
fn chain(error: &tokio_postgres::Error) -> String {
    let errors = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    errors.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_says_nothing_of_a_statement() {
        let error = silence("postgres://h:1/d (schema s)", "append", Duration::from_secs(15));
        assert!(!is_answer(&error) && !is_without_effect(&error) && !is_lost(&error));
        assert_eq!(error.kind(), ErrorKind::LedgerUnavailable);
        assert_eq!(error.to_string(), "postgres://h:1/d (schema s): cannot append: no answer within 15 s");
    }

    #[test]
    fn codes_are_told_apart() {
        let kind = |code: &str| meaning(&SqlState::from_code(code)).0;
        for code in ["28P01", "28000", "42501"] {
            assert_eq!(kind(code), ErrorKind::LedgerDenied, "{code}");
        }
        for code in ["3D000", "3F000", "42P01"] {
            assert_eq!(kind(code), ErrorKind::LedgerAbsent, "{code}");
        }
        for code in ["53100", "53300", "57P03", "57014", "55P03", "25006", "40P01"] {
            assert_eq!(kind(code), ErrorKind::LedgerUnavailable, "{code}");
        }
        assert_eq!(kind("XX001"), ErrorKind::LedgerCorrupt);
    }

    /// An error that may come during a commit or after it is not certain.
    #[test]
    fn only_what_the_server_says_of_a_statement_is_certain() {
        for code in ["57P01", "57P02", "57014", "40003", "08006", "58030", "XX000"] {
            assert!(!is_certain(&SqlState::from_code(code)), "{code}");
        }
        for code in ["42501", "25006", "53100", "55P03", "40P01", "23514"] {
            assert!(is_certain(&SqlState::from_code(code)), "{code}");
        }
    }
}
