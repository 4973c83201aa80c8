//! The probe: a test that a store honours conditional creates, on one object, before any entry is written.
//!
//! The object is created once and never changed. Every later open tries to create it again, and must be refused. So
//! each process tests the store again, for two requests, and a store that stops honouring conditions later is detected.

use bytes::Bytes;
use uuid::Uuid;

use super::bucket::{BACKOFF, Bucket};
use super::fault::Fault;
use super::keys;
use crate::error::{Error, ErrorKind, Result};

/// The number of creates that are sent until one is refused. The attempts last longer than one second, because some
/// stores (Google Cloud Storage) allow only one change of an object per second.
const TRIES: u32 = 8;

/// LEDGER_UNSUPPORTED if the store lets two creates of one key succeed.
pub(super) async fn probe(bucket: &Bucket) -> Result<()> {
    let key = keys::probe(&bucket.prefix);
    let mut mine: Option<Bytes> = None;
    let mut fault = Fault::Taken;
    for tries in 1..=TRIES {
        let bytes = Bytes::from(format!("{{\"probe\":\"{}\"}}", Uuid::now_v7()));
        let created = bucket.create(&key, bytes.clone()).await;
        if matches!(&created, Err(fault @ Fault::Refused(..)) if !fault.passes()) {
            return created.map_err(|fault| bucket.error(fault, "create", &key));
        }
        let there = bucket.get(&key).await?;
        let stored = created.is_ok() || there.as_ref() == Some(&bytes);
        match (stored, there) {
            (true, None) if mine.is_none() => return Err(unsupported(bucket, FORGETS)),
            (true, Some(there)) if mine.is_none() && there == bytes => mine = Some(there),
            (false, None) => {}
            (false, Some(there)) if mine.as_ref().is_none_or(|mine| *mine == there) => {
                if created == Err(Fault::Taken) {
                    return Ok(());
                }
            }
            _ => return Err(unsupported(bucket, IGNORES)),
        }
        if let Err(why) = created {
            fault = why;
            tokio::time::sleep(BACKOFF.pause(tries)).await;
        }
    }
    Err(bucket.error(fault, "create", &key))
}

const IGNORES: &str = "this store does not honour conditional writes: two creates of one key (PUT with If-None-Match: *) both succeeded, \
     so two writers could each believe that their entry stands. Nothing but the probe was written. Use a store that \
     honours them (Amazon S3, Google Cloud Storage, Azure Blob Storage and current versions of most compatible stores \
     do), take away the proxy that strips the header, or use a postgres:// ledger";

const FORGETS: &str = "an object that was created is not there when it is read: a ledger needs a store whose reads see every write that \
     returned before. Nothing but the probe was written";

fn unsupported(bucket: &Bucket, why: &str) -> Error {
    Error::new(ErrorKind::LedgerUnsupported, format!("{}: {why}", bucket.place))
}
