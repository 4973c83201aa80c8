//! Look-ups of committed moves, and the index blobs: rows in `derived`.

use async_trait::async_trait;
use bytes::Bytes;
use tokio_postgres::types::Type;

use super::PostgresLedger;
use super::pool::Parameter;
use crate::error::Result;
use crate::ledger::{IndexStore, OpenMode, Term};
use crate::value::Channel;

impl PostgresLedger {
    /// The positions of the intents of the committed moves with this value, among the first `size` entries, newest
    /// first.
    pub(super) async fn search(&self, channel: &Channel, term: Term<'_>, size: u64) -> Result<Vec<u64>> {
        let (column, value) = match term {
            Term::Key(key) => ("key", key.as_str().to_owned()),
            Term::Target(digest) => ("target", digest.to_string()),
        };
        // Moves do not overlap: the first outcome after an intent is the intent's own.
        let sql = self.sql(&format!(
            "SELECT i.seq FROM @.entries i WHERE i.channel = $1 AND i.{column} = $2 AND 'committed' = (
                SELECT o.status FROM @.entries o
                WHERE o.channel = $1 AND o.seq > i.seq AND o.seq < $3 AND o.status IS NOT NULL ORDER BY o.seq LIMIT 1
             ) ORDER BY i.seq DESC"
        ));
        let (name, size) = (channel.to_string(), i64::try_from(size).unwrap_or(i64::MAX));
        let parameters: [Parameter<'_>; 3] = [(&name, Type::TEXT), (&value, Type::TEXT), (&size, Type::INT8)];
        let rows = self.pool.read("look up a move", &sql, &parameters).await?;
        rows.iter().map(|row| Ok(self.column::<i64>(row, 0)?.cast_unsigned())).collect()
    }
}

#[async_trait]
impl IndexStore for PostgresLedger {
    async fn get(&self, channel: &Channel, name: &str) -> Result<Option<Bytes>> {
        let sql = self.sql("SELECT bytes FROM @.derived WHERE channel = $1 AND name = $2");
        let parameters: [Parameter<'_>; 2] = [(&channel.to_string(), Type::TEXT), (&name, Type::TEXT)];
        let rows = self.pool.read("read the index", &sql, &parameters).await?;
        rows.first().map(|row| Ok(Bytes::copy_from_slice(self.column(row, 0)?))).transpose()
    }

    async fn put(&self, channel: &Channel, name: &str, blob: Bytes) -> Result<()> {
        if self.access == OpenMode::Read {
            return Ok(());
        }
        let sql = self.sql(
            "INSERT INTO @.derived (channel, name, bytes) VALUES ($1, $2, $3)
             ON CONFLICT (channel, name) DO UPDATE SET bytes = excluded.bytes",
        );
        let (channel, blob) = (channel.to_string(), blob.as_ref());
        let parameters: [Parameter<'_>; 3] = [(&channel, Type::TEXT), (&name, Type::TEXT), (&blob, Type::BYTEA)];
        let written = self.pool.lease().await?.execute(&sql, &parameters).await;
        written.map(drop).map_err(|fault| self.pool.error(fault, "write the index"))
    }
}
