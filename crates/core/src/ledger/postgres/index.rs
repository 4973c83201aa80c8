//! The index of a log: a row in `folds` and rows in `terms`.
//!
//! A channel's terms are valid only while its marker row (term 0, seq -1) is among them. So emptying one of the tables,
//! or deleting a channel from it, removes that channel's index, and never makes an indexed term look absent.

use async_trait::async_trait;
use tokio_postgres::types::Type;

use super::PostgresLedger;
use super::pool::Parameter;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Index, Ledger as _, OpenMode, Term};
use crate::log::{ChannelState, EncodedEntry};
use crate::value::Channel;

#[async_trait]
impl Index for PostgresLedger {
    async fn state(&self, channel: &Channel) -> Result<Option<ChannelState>> {
        let sql = self.sql(
            "SELECT state FROM @.folds f WHERE channel = $1
             AND EXISTS (SELECT FROM @.terms t WHERE t.channel = f.channel AND t.term = 0 AND t.seq = -1)",
        );
        let channel = channel.to_string();
        let rows = match self.pool.try_read(&sql, &[(&channel, Type::TEXT)]).await? {
            Ok(rows) => rows,
            // A reader may have no right to the index, and its tables may have been dropped: treat the index as
            // missing.
            Err(fault) if fault.is_absent_or_denied() => return Ok(None),
            Err(fault) => return Err(self.pool.error(fault, "read the index")),
        };
        let Some(row) = rows.first() else { return Ok(None) };
        let state: String = self.column(row, 0)?;
        Ok(serde_json::from_str(&state).ok())
    }

    async fn find(&self, channel: &Channel, term: Term) -> Result<Vec<u64>> {
        let sql = self.sql(
            "SELECT t.seq FROM @.folds f
             JOIN @.terms mark ON mark.channel = f.channel AND mark.term = 0 AND mark.seq = -1
             LEFT JOIN @.terms t ON t.channel = f.channel AND t.term = $2 AND t.seq >= 0 AND t.seq < f.size
             WHERE f.channel = $1 ORDER BY t.seq DESC",
        );
        let (name, term) = (channel.to_string(), term.0.cast_signed());
        let rows = self.pool.read("look up in the index", &sql, &[(&name, Type::TEXT), (&term, Type::INT8)]).await?;
        if rows.is_empty() {
            let message = format!("{}: the index of {channel} is gone", self.pool.address().place);
            return Err(Error::new(ErrorKind::LedgerUnavailable, message).with_context("channel", channel));
        }
        let mut found = Vec::new();
        for row in &rows {
            found.extend(self.column::<Option<i64>>(row, 0)?.and_then(|seq| u64::try_from(seq).ok()));
        }
        Ok(found)
    }

    async fn extend(&self, channel: &Channel, from: u64, state: &ChannelState, terms: &[(Term, u64)]) -> Result<()> {
        if self.access == OpenMode::Read || state.size <= from || state.channel != *channel {
            return Ok(());
        }
        if terms.iter().any(|(_, seq)| *seq < from || *seq >= state.size) {
            let message = format!("a term of an entry that is not from {from} to {}", state.size);
            return Err(Error::new(ErrorKind::InternalFault, message).with_context("channel", channel));
        }
        if from == 0 && !self.begin_anew(channel).await? {
            return Ok(());
        }
        self.move_on(channel, from, state, terms).await
    }
}

impl PostgresLedger {
    /// Removes an index of another log. False, without a change, if the index is of this log.
    async fn begin_anew(&self, channel: &Channel) -> Result<bool> {
        if let Some(state) = self.state(channel).await?
            && let Some(last) = state.size.checked_sub(1)
            && let Some(entry) = self.read(channel, last, 1).await?.first()
            && Some(EncodedEntry::of(entry.clone()).leaf()) == state.leaf
        {
            return Ok(false);
        }
        let sql =
            self.sql("WITH fold AS (DELETE FROM @.folds WHERE channel = $1) DELETE FROM @.terms WHERE channel = $1");
        self.change(&sql, &[(&channel.to_string(), Type::TEXT)]).await?;
        Ok(true)
    }

    /// Compare and set: nothing happens if the index does not cover exactly `from` entries any more. One statement
    /// writes the state, the marker row and the terms, so that there is no state without its terms.
    async fn move_on(&self, channel: &Channel, from: u64, state: &ChannelState, terms: &[(Term, u64)]) -> Result<()> {
        let set = match from {
            0 => "INSERT INTO @.folds SELECT $1, $3, $4 WHERE $2 = 0 ON CONFLICT DO NOTHING RETURNING channel",
            _ => "UPDATE @.folds SET size = $3, state = $4 WHERE channel = $1 AND size = $2 RETURNING channel",
        };
        let sql = self.sql(&format!(
            "WITH moved AS ({set})
             INSERT INTO @.terms SELECT channel, term, seq FROM moved,
                 LATERAL (SELECT term, seq FROM unnest($5, $6) AS u (term, seq)
                          UNION ALL SELECT 0, -1 WHERE $2 = 0) AS new
             ON CONFLICT DO NOTHING"
        ));
        let json = serde_json::to_string(state).map_err(|e| {
            Error::new(ErrorKind::InternalFault, format!("a fold that cannot be written: {e}")).with_source(e)
        })?;
        let (hashes, seqs) = columns(terms);
        let (channel, from, size) = (channel.to_string(), from.cast_signed(), state.size.cast_signed());
        let parameters: [Parameter<'_>; 6] = [
            (&channel, Type::TEXT),
            (&from, Type::INT8),
            (&size, Type::INT8),
            (&json, Type::TEXT),
            (&hashes, Type::INT8_ARRAY),
            (&seqs, Type::INT8_ARRAY),
        ];
        self.change(&sql, &parameters).await
    }

    async fn change(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<()> {
        let changed = self.pool.lease().await?.execute(sql, parameters).await;
        changed.map(drop).map_err(|fault| self.pool.error(fault, "write the index"))
    }
}

fn columns(terms: &[(Term, u64)]) -> (Vec<i64>, Vec<i64>) {
    terms.iter().map(|(term, seq)| (term.0.cast_signed(), seq.cast_signed())).unzip()
}
