//! Logs in files with one entry a line: their export, as a backup and for other programs, and their verification.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use uuid::Uuid;

use super::Ledger;
use super::file::disk::{Disk, HostDisk};
use super::file::open::PART;
use super::file::{FileLedger, blocking, parent, unavailable};
use super::name::{FILE, log_file};
use super::transfer::entries::{entry, located, read_page};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{LogReport, Verifier};
use crate::value::{Channel, Digest};

/// The result of an export of one channel's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExportedLog {
    /// The channel.
    pub channel: Channel,
    /// The number of entries in the file.
    pub size: u64,
    /// The RFC 6962 root over the entries.
    pub root: Digest,
    /// The file.
    pub file: PathBuf,
}

/// Writes the complete log of a channel to a file in `dir`, which must exist: the bytes unchanged, one entry a line.
/// The file has the same name as in a file ledger, so that [`FileLedger::open_read_only`] reads the directory. A
/// transfer imports it again ([`Migration::copying`](super::Migration::copying)).
///
/// The log is verified as it is read. The file is written completely, or stays as it was. An earlier export is replaced
/// only by a log that begins with it, so that a damaged ledger does not destroy its backup: LEDGER_TRUNCATED if the
/// ledger has fewer entries than the file, LEDGER_FORKED if it has others, LEDGER_CORRUPT if an entry of the ledger has
/// broken bytes, position or parent. CONFIG_INVALID if `dir` is a ledger that is being written.
pub async fn export(ledger: &dyn Ledger, channel: &Channel, dir: &Path) -> Result<ExportedLog> {
    let name = log_file(channel);
    let (file, lock) = (dir.join(&name), dir.join(&name).with_extension("lock"));
    if lock.exists() {
        let message = format!("export: {} is a ledger that is being written; name another directory", dir.display());
        return Err(Error::new(ErrorKind::ConfigInvalid, message).with_context("file", lock.display()));
    }
    let size = ledger.size(channel).await?;
    if size == 0 {
        let message = format!("the ledger has no log of {channel}");
        return Err(Error::new(ErrorKind::ChannelNotBootstrapped, message).with_context("channel", channel));
    }
    check_earlier(ledger, channel, size, dir, &file).await?;
    let part = Part(dir.join(format!("{name}.{}.part", Uuid::now_v7().simple())));
    let mut written = File::create_new(&part.0).map_err(|e| unavailable("make", &part.0, e))?;
    let mut verifier = Verifier::new(Some(channel.clone()));
    let mut seq = 0;
    while seq < size {
        let page = read_page(ledger, channel, seq, size).await?;
        seq += page.len() as u64;
        verifier.feed(&page);
        // An entry with broken bytes, position or parent is an error. An entry that breaks another rule is exported as
        // it is.
        if let Some(defect) = verifier.report().defects.into_iter().find(|defect| defect.code.ends_reading()) {
            return Err(located(defect, channel, "ledger"));
        }
        let lines: Vec<&[u8]> = page.iter().flat_map(|entry| [&entry[..], b"\n"]).collect();
        written.write_all(&lines.concat()).map_err(|e| unavailable("write", &part.0, e))?;
    }
    let (home, end) = (dir.to_owned(), file.clone());
    blocking(ErrorKind::LedgerUnavailable, move || {
        written.sync_all().map_err(|e| unavailable("sync", &part.0, e))?;
        fs::rename(&part.0, &end).map_err(|e| unavailable("make", &end, e))?;
        File::open(&home).and_then(|home| home.sync_all()).map_err(|e| unavailable("sync", &home, e))
    })
    .await?;
    Ok(ExportedLog { channel: channel.clone(), size, root: verifier.finish().root, file })
}

/// Opens the exports in `dir` for reading. CONFIG_INVALID if `dir` is a ledger that is being written: its logs must be
/// migrated, not copied, so that nothing is written there any more.
pub fn exports(dir: &Path) -> Result<FileLedger> {
    let ledger = FileLedger::open_read_only(dir)?;
    let names = HostDisk.names(dir).map_err(|e| unavailable("read", dir, e))?;
    if names.iter().any(|name| name.ends_with(".lock")) {
        let message =
            format!("import: {} is a ledger that is being written, not an export; use `ledger migrate`", dir.display());
        return Err(Error::new(ErrorKind::ConfigInvalid, message).with_context("file", dir.display()));
    }
    Ok(ledger)
}

/// Checks one log in a file with one entry a line: a file of a ledger's directory, an export, or a copy of either.
/// LEDGER_UNAVAILABLE if it cannot be read.
///
/// If the lock file of a ledger in use is in the same directory, only acknowledged entries count, as in the ledger
/// itself; the remaining bytes are [`LogReport::torn_bytes`].
pub async fn verify_file(file: &Path) -> Result<LogReport> {
    if let Some(channel) = channel_of(file) {
        return FileLedger::open_read_only(parent(file))?.verify(&channel).await;
    }
    let file = file.to_owned();
    blocking(ErrorKind::LedgerUnavailable, move || {
        let failed = |e| unavailable("read", &file, e);
        let mut from = File::open(&file).map_err(failed)?;
        let mut verifier = Verifier::new(None);
        let mut part = vec![0; PART as usize];
        loop {
            match from.read(&mut part).map_err(failed)? {
                0 => return Ok(verifier.finish()),
                length => verifier.feed_jsonl(part.get(..length).unwrap_or_default()),
            }
        }
    })
    .await
}

/// The channel whose log a ledger stores under this file name.
fn channel_of(file: &Path) -> Option<Channel> {
    FILE.decode(file.file_name()?.to_str()?.strip_suffix(".jsonl")?)
}

/// Checks that the log begins with the earlier export, if there is one.
async fn check_earlier(ledger: &dyn Ledger, channel: &Channel, size: u64, dir: &Path, file: &Path) -> Result<()> {
    let earlier = FileLedger::open_read_only(dir)?;
    let there = earlier.size(channel).await?;
    let Some(last) = there.checked_sub(1) else { return Ok(()) };
    let wrong = |kind, why: String| {
        let message = format!("{}: {why}; the file was left as it is", file.display());
        Err(Error::new(kind, message)
            .with_context("channel", channel)
            .with_context("seq", last)
            .with_context("file", file.display()))
    };
    if there > size {
        let why = format!("it has {there} entries, and the ledger's log of {channel} has {size}");
        return wrong(ErrorKind::LedgerTruncated, why);
    }
    if entry(&earlier, channel, last).await? != entry(ledger, channel, last).await? {
        let why = format!("its last entry is another one than the ledger has at seq {last}");
        return wrong(ErrorKind::LedgerForked, why);
    }
    Ok(())
}

/// The temporary name of a file that is being written.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // A complete file has its final name, and this removes nothing. Otherwise the file is useless, and harmless if
        // it stays.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ledger::transfer::tests::{holds, ledger, report, whole, write};
    use crate::ledger::{Ending, Migration};
    use crate::log::proptests::channel;

    async fn exported(ledger: &dyn Ledger, dir: &Path) -> Result<ExportedLog> {
        export(ledger, &channel(), dir).await
    }

    #[tokio::test]
    async fn an_export_is_the_log_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let log = holds(1500);
        let from = ledger(&log[..700]).await;
        for size in [700, 1500] {
            write(from.as_ref(), &log[whole(from.as_ref()).await.len()..size]).await;
            let done = exported(from.as_ref(), dir.path()).await.unwrap();
            assert_eq!((done.size, done.root), (size as u64, report(&log[..size]).root));
            let lines = fs::read(&done.file).unwrap();
            assert_eq!(LogReport::of_jsonl(Some(channel()), &lines), report(&log[..size]));
            assert_eq!(done.file.file_name().unwrap(), "registry.example.com%2facme%2fshop%3aprod.jsonl");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        let files: Arc<dyn Ledger> = Arc::new(exports(dir.path()).unwrap());
        assert_eq!(files.channels().await.unwrap(), [channel()]);
        let to = ledger(&[]).await;
        let transfer = Migration::copying(files, to.clone());
        let done = transfer.run(transfer.survey(&channel()).await.unwrap()).await.unwrap();
        assert_eq!((done.root, done.ending), (report(&log).root, Ending::Copied));
        assert_eq!(whole(to.as_ref()).await, log);
    }

    /// A damaged ledger does not replace its backup.
    #[tokio::test]
    async fn an_earlier_export_is_replaced_by_what_begins_with_it_only() {
        let dir = tempfile::tempdir().unwrap();
        let log = holds(5);
        let done = exported(ledger(&log).await.as_ref(), dir.path()).await.unwrap();
        let before = fs::read(&done.file).unwrap();
        let mut broken = log.clone();
        broken.push(log[0].clone());
        for (log, kind, why) in [
            (log[..3].to_vec(), ErrorKind::LedgerTruncated, "it has 5 entries, and the ledger's log of "),
            (holds(6), ErrorKind::LedgerForked, "its last entry is another one than the ledger has at seq 4"),
            (broken, ErrorKind::LedgerCorrupt, "seq 5: SEQUENCE"),
        ] {
            let error = exported(ledger(&log).await.as_ref(), dir.path()).await.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(fs::read(&done.file).unwrap(), before);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing half-written stays");
    }

    #[tokio::test]
    async fn a_ledger_that_is_being_written_is_no_place_for_an_export() {
        let dir = tempfile::tempdir().unwrap();
        let files = FileLedger::open(dir.path()).unwrap();
        write(&files, &holds(2)).await;
        let error = exported(ledger(&holds(3)).await.as_ref(), dir.path()).await.unwrap_err();
        assert!(error.to_string().ends_with("is a ledger that is being written; name another directory"), "{error}");
        let error = exports(dir.path()).unwrap_err();
        assert!(error.to_string().ends_with("not an export; use `ledger migrate`"), "{error}");
        let error = exported(&files, &dir.path().join("none")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerAbsent);
    }
}
