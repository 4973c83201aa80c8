//! `Fault`: the failure of a statement or a connection, its meaning for an append, and its error.

use std::error::Error as _;
use std::time::Duration;

use tokio_postgres::error::{DbError, SqlState};

use crate::error::{Error, ErrorKind};

/// A failure of a statement or a connection.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server or the driver reported an error.
    Said(tokio_postgres::Error),
    /// There was no answer within this time.
    Silence(Duration),
}

impl Fault {
    /// True if the server answered and did not end the session: the connection can be used again.
    pub(super) fn answered(&self) -> bool {
        self.said().is_some_and(|said| !is_end_of_session(said.code()))
    }

    /// True if it is certain that the statement changed nothing, and never will.
    pub(super) fn is_without_effect(&self) -> bool {
        self.said().is_some_and(|said| is_certain(said.code()))
    }

    /// True if another transaction was first.
    pub(super) fn is_lost(&self) -> bool {
        let lost = [SqlState::UNIQUE_VIOLATION, SqlState::T_R_SERIALIZATION_FAILURE];
        self.said().is_some_and(|said| lost.contains(said.code()))
    }

    fn said(&self) -> Option<&DbError> {
        match self {
            Fault::Said(error) => error.as_db_error(),
            Fault::Silence(_) => None,
        }
    }

    /// The error for people: the failed operation, its place, the cause and advice.
    pub(super) fn error(self, place: &str, what: &str) -> Error {
        let (kind, why, advice) = match &self {
            Fault::Silence(time) => {
                (ErrorKind::LedgerUnavailable, format!("no answer within {} s", time.as_secs()), "")
            }
            Fault::Said(error) => match error.as_db_error() {
                Some(said) => {
                    let why = format!("{} (SQLSTATE {})", said.message(), said.code().code());
                    (kind(said.code()), why, advice(said.code()))
                }
                None => (ErrorKind::LedgerUnavailable, chain(error), ""),
            },
        };
        let error = Error::new(kind, format!("{place}: cannot {what}: {why}{advice}"));
        match self {
            Fault::Said(source) => error.with_source(source),
            Fault::Silence(_) => error,
        }
    }
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

fn kind(code: &SqlState) -> ErrorKind {
    match *code {
        SqlState::INVALID_CATALOG_NAME | SqlState::INVALID_SCHEMA_NAME | SqlState::UNDEFINED_TABLE => {
            ErrorKind::LedgerAbsent
        }
        SqlState::INSUFFICIENT_PRIVILEGE => ErrorKind::LedgerDenied,
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => ErrorKind::LedgerCorrupt,
        _ if class(code) == "28" => ErrorKind::LedgerDenied,
        _ => ErrorKind::LedgerUnavailable,
    }
}

/// Advice for the operator.
fn advice(code: &SqlState) -> &'static str {
    match *code {
        SqlState::INVALID_CATALOG_NAME => "; create the database, then run `tagwarden ledger init` with this URL",
        SqlState::INVALID_SCHEMA_NAME | SqlState::UNDEFINED_TABLE => "; run `tagwarden ledger init` with this URL",
        SqlState::INSUFFICIENT_PRIVILEGE => {
            "; the rights that a reader and a writer need are in docs/reference/ledger-urls.md"
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            "; the server is a standby, or default_transaction_read_only is on: use the primary's address"
        }
        SqlState::DISK_FULL => "; make room on the server's disk",
        SqlState::TOO_MANY_CONNECTIONS => "; raise max_connections, or put a pooler in session mode before the server",
        _ if class(code) == "28" => "; check user, password and pg_hba.conf (a rule may want sslmode=verify-full)",
        _ => "",
    }
}

/// The driver's error and its sources, in one line.
fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_says_nothing_of_a_statement() {
        let silence = || Fault::Silence(Duration::from_secs(15));
        assert!(!silence().answered() && !silence().is_without_effect() && !silence().is_lost());
        let error = silence().error("postgres://h:1/d (schema s)", "append");
        assert_eq!(error.kind(), ErrorKind::LedgerUnavailable);
        assert_eq!(error.to_string(), "postgres://h:1/d (schema s): cannot append: no answer within 15 s");
    }

    #[test]
    fn codes_are_told_apart() {
        let kind = |code: &str| kind(&SqlState::from_code(code));
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
