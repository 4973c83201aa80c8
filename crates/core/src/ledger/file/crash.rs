//! Tests of the ledger on every disk image that a crash may leave.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::sim::{Keeps, Lie, SimDisk};
use super::*;
use crate::ledger::journal::index;
use crate::log::{ChannelState, EncodedEntry};
use crate::value::Digest;

/// A channel's log as the workload wrote it.
#[derive(Default)]
struct Written {
    /// Each entry that was appended, in order, with the number of disk changes before its append.
    tried: Vec<(usize, Bytes)>,
    /// The number of disk changes when each append was acknowledged.
    acknowledged: Vec<usize>,
}

type Logs = BTreeMap<Channel, Written>;

/// Polls once. Outside a runtime the ledger does not spawn threads, so that every future is ready at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("not ready"),
    }
}

fn ledger(disk: &SimDisk) -> FileLedger {
    FileLedger::on(Arc::new(disk.clone()), Path::new("ledger"), OpenMode::Write)
}

fn channels() -> [Channel; 2] {
    ["reg.io/a:prod".parse().unwrap(), "reg.io/a:dev".parse().unwrap()]
}

fn entry(channel: &Channel, seq: u64, filler: usize) -> Bytes {
    let reason = char::from(b'a' + (seq % 26) as u8).to_string().repeat(filler);
    format!(r#"{{"body":{{"reason":"{reason}"}},"channel":"{channel}","kind":"hold","seq":{seq},"v":1}}"#).into()
}

/// An index blob of several sectors, for the first `size` entries.
fn blob(channel: &Channel, size: u64, last: &Bytes) -> Bytes {
    let policies = (0..20).map(|nth: u64| Digest::of(&(size + nth).to_be_bytes())).collect();
    let state = ChannelState { size, policies, ..ChannelState::empty(channel.clone()) };
    index::encode(&ChannelState { leaf: Some(EncodedEntry::of(last.clone()).leaf()), ..state }, &[]).unwrap()
}

/// Appends to two logs, with entries that fill one sector, a few sectors and several pages, and stores the index of one
/// log.
fn workload(disk: &SimDisk) -> Logs {
    let ledger = ledger(disk);
    let mut logs = Logs::new();
    for seq in 0..12 {
        for (nth, channel) in channels().iter().enumerate() {
            let bytes = entry(channel, seq, [40, 700, 333, 4500, 1][(seq as usize + nth) % 5]);
            let log = logs.entry(channel.clone()).or_default();
            log.tried.push((disk.changes(), bytes.clone()));
            assert_eq!(now(ledger.append(channel, seq, bytes.clone())).unwrap(), Appended::Stored);
            log.acknowledged.push(disk.changes());
            if nth == 0 && seq % 4 == 3 {
                now(ledger.put(channel, "state", blob(channel, seq + 1, &bytes))).unwrap();
            }
        }
    }
    assert_eq!(ledger.notices(), []);
    logs
}

/// Checks the ledger on `image`, the disk after a crash behind the first `changes` of a workload. The error is the
/// first violation.
fn judge(image: &SimDisk, logs: &Logs, changes: usize, thorough: bool) -> Result<(), String> {
    let ledger = ledger(image);
    let listed = now(ledger.channels()).map_err(|e| format!("{e:?}"))?;
    for (channel, log) in logs {
        let acknowledged = log.acknowledged.iter().filter(|at| **at <= changes).count();
        let tried: Vec<Bytes> =
            log.tried.iter().filter(|(at, _)| *at <= changes).map(|(_, bytes)| bytes.clone()).collect();
        let size = now(ledger.size(channel)).map_err(|e| format!("{e:?}"))?;
        let read = now(ledger.read(channel, 0, 100)).map_err(|e| format!("{e:?}"))?;
        if read.len() as u64 != size || !tried.starts_with(&read) {
            return Err(format!("{channel}: {size} entries, {} read, not what was tried", read.len()));
        }
        if read.len() < acknowledged {
            return Err(format!("{channel}: {} entries, {acknowledged} were acknowledged", read.len()));
        }
        if listed.contains(channel) != (size > 0) {
            return Err(format!("{channel} with {size} entries, listed: {listed:?}"));
        }
        // Entries that a reader has seen must survive another crash.
        let again = self::ledger(&image.crash(image.changes(), Keeps::Nothing));
        if now(again.read(channel, 0, 100)).map_err(|e| format!("{e:?}"))? != read {
            return Err(format!("{channel}: what was read is gone after another crash"));
        }
        judge_index(&ledger, channel, &read)?;
        let next = entry(channel, size, 600);
        match now(ledger.append(channel, size, next.clone())) {
            Ok(Appended::Stored) => {}
            other => return Err(format!("{channel}: the next append said {other:?}")),
        }
        let mut whole = read.clone();
        whole.push(next);
        if now(ledger.read(channel, 0, 100)).map_err(|e| format!("{e:?}"))? != whole {
            return Err(format!("{channel}: not whole after the next append"));
        }
        let path = ledger.log(channel).path.clone();
        let lines: Vec<u8> = whole.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect();
        if image.bytes(&path).as_ref() != Some(&lines) {
            return Err(format!("{channel}: the file is not its entries, one a line"));
        }
        if thorough {
            judge_again(image, channel, acknowledged, &whole)?;
        }
    }
    Ok(())
}

/// Checks the log after a second crash during the repair of the first one.
fn judge_again(image: &SimDisk, channel: &Channel, acknowledged: usize, whole: &[Bytes]) -> Result<(), String> {
    for changes in 0..=image.changes() {
        for keeps in [Keeps::Everything, Keeps::Lengths].into_iter().chain((0..8).map(Keeps::Some)) {
            let ledger = ledger(&image.crash(changes, keeps));
            let said = |what: String| format!("{channel}: a crash after {changes} repairs, keeping {keeps:?}: {what}");
            let read = now(ledger.read(channel, 0, 100)).map_err(|e| said(format!("{e:?}")))?;
            if !whole.starts_with(&read) || read.len() < acknowledged {
                return Err(said(format!("{} entries of {}, not what was tried", read.len(), whole.len())));
            }
        }
    }
    Ok(())
}

/// A blob that a crash tore is not decoded, and every other one is of entries that survived.
fn judge_index(ledger: &FileLedger, channel: &Channel, read: &[Bytes]) -> Result<(), String> {
    let blob = now(ledger.get(channel, "state")).map_err(|e| format!("{e:?}"))?;
    let Some((state, _)) = blob.and_then(|blob| index::decode(channel, &blob)) else { return Ok(()) };
    let last = read.get(state.size as usize - 1).map(|last| EncodedEntry::of(last.clone()).leaf());
    match last.is_some() && last == state.leaf {
        true => Ok(()),
        false => Err(format!("{channel}: the index is at {}, the log at {}", state.size, read.len())),
    }
}

/// Checks every image of a workload. Returns the number of images, and the first violation.
fn crash_everywhere(disk: &SimDisk, logs: &Logs) -> (usize, Option<String>) {
    let mut images = 0;
    for changes in 0..=disk.changes() {
        let chosen = [Keeps::Nothing, Keeps::Everything, Keeps::Lengths].into_iter().chain((0..19).map(Keeps::Some));
        for keeps in chosen {
            images += 1;
            let image = disk.crash(changes, keeps);
            if let Err(wrong) = judge(&image, logs, changes, matches!(keeps, Keeps::Some(0..3))) {
                return (images, Some(format!("after {changes} changes, keeping {keeps:?}: {wrong}")));
            }
        }
    }
    (images, None)
}

#[test]
fn no_crash_loses_an_acknowledged_entry_or_counts_half_of_one() {
    let disk = SimDisk::new(Lie::Nothing);
    let logs = workload(&disk);
    let (images, wrong) = crash_everywhere(&disk, &logs);
    assert_eq!(wrong, None);
    assert!(images >= 2000, "{images} images");
    println!("{images} crash images");
}

#[test]
fn a_disk_that_acknowledges_before_it_syncs_is_caught() {
    for lie in [Lie::SyncsLate, Lie::SyncsNothing, Lie::SyncsNoNames] {
        let disk = SimDisk::new(lie);
        let logs = workload(&disk);
        let (_, wrong) = crash_everywhere(&disk, &logs);
        let wrong = wrong.unwrap_or_else(|| panic!("{lie:?} went unseen"));
        assert!(wrong.contains("were acknowledged"), "{lie:?}: {wrong}");
    }
}

/// Appends until `upto` entries are acknowledged. After an error it reads the log and tries again, as a caller would.
fn persist(disk: &SimDisk, ledger: &FileLedger, upto: u64) -> (Vec<Bytes>, Vec<Error>) {
    let [channel, _] = channels();
    let (mut acknowledged, mut errors) = (Vec::new(), Vec::new());
    while (acknowledged.len() as u64) < upto {
        let seq = acknowledged.len() as u64;
        let bytes = entry(&channel, seq, 900);
        match now(ledger.append(&channel, seq, bytes.clone())) {
            Ok(Appended::Stored) => acknowledged.push(bytes),
            Ok(Appended::Conflict) => {
                assert_eq!(now(ledger.read(&channel, seq, 1)).unwrap(), std::slice::from_ref(&bytes), "ours, or none");
                acknowledged.push(bytes);
            }
            Err(error) => {
                errors.push(error);
                // An entry that was not acknowledged is either not shown or durable.
                let shown = now(ledger.read(&channel, 0, 100)).unwrap();
                let kept = disk.crash(disk.changes(), Keeps::Nothing);
                let kept = now(self::ledger(&kept).read(&channel, 0, 100)).unwrap();
                assert!(kept.starts_with(&shown) && shown.len() >= acknowledged.len(), "{shown:?}");
            }
        }
        let kept = disk.crash(disk.changes(), Keeps::Nothing);
        let kept = now(self::ledger(&kept).read(&channel, 0, 100)).unwrap();
        assert!(kept.starts_with(&acknowledged), "{} kept of {}", kept.len(), acknowledged.len());
    }
    (acknowledged, errors)
}

#[test]
fn a_failed_sync_poisons_what_it_was_to_write() {
    let undisturbed = SimDisk::new(Lie::Nothing);
    persist(&undisturbed, &ledger(&undisturbed), 6);
    let mut ambiguous = 0;
    for nth in 0..undisturbed.syncs() {
        let disk = SimDisk::new(Lie::Nothing);
        disk.fail_sync(nth);
        let ledger = ledger(&disk);
        let (_, errors) = persist(&disk, &ledger, 6);
        let [error] = errors.as_slice() else { panic!("sync {nth}: {errors:?}") };
        if error.kind() == ErrorKind::LedgerAmbiguous {
            ambiguous += 1;
            assert!(error.to_string().contains("not known whether the entry was stored (cannot sync"), "{error}");
            // Without the rewrite, a second sync would have acknowledged bytes that never reached the disk.
            assert!(matches!(ledger.notices()[..], [RepairNotice { repair: Repair::WrittenAgain { .. }, .. }]));
        }
    }
    assert_eq!(ambiguous, 6, "one for each append");
}

#[test]
fn a_full_disk_stores_nothing_and_counts_nothing() {
    let [channel, _] = channels();
    let disk = SimDisk::new(Lie::Nothing);
    let ledger = ledger(&disk);
    persist(&disk, &ledger, 2);
    let before = disk.bytes(&ledger.log(&channel).path).unwrap();
    for space in [0, 1, 511, 900] {
        disk.space(Some(space));
        let error = now(ledger.append(&channel, 2, entry(&channel, 2, 900))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerUnavailable);
        assert_eq!(now(ledger.size(&channel)).unwrap(), 2);
        assert_eq!(disk.bytes(&ledger.log(&channel).path).unwrap(), before, "with {space} bytes left");
    }
    disk.space(None);
    assert_eq!(now(ledger.append(&channel, 2, entry(&channel, 2, 900))).unwrap(), Appended::Stored);
}

#[test]
fn a_torn_last_line_is_cut_and_said() {
    let [channel, _] = channels();
    let disk = SimDisk::new(Lie::Nothing);
    let path = ledger(&disk).log(&channel).path.clone();
    let whole = entry(&channel, 0, 2000);
    let mut bytes = whole.to_vec();
    bytes.push(b'\n');
    for end in [1, 700, whole.len()] {
        let torn = entry(&channel, 1, 2000);
        disk.put(&path, &[&bytes, &torn[..end.min(torn.len())]].concat());
        let ledger = ledger(&disk);
        assert_eq!(now(ledger.size(&channel)).unwrap(), 1);
        assert_eq!(now(ledger.append(&channel, 1, entry(&channel, 1, 5))).unwrap(), Appended::Stored);
        let notices: Vec<_> = ledger.notices().iter().map(ToString::to_string).collect();
        let said = format!("reg.io/a:prod: cut {end} bytes at byte {}: an append that never returned", bytes.len());
        assert_eq!(notices, [said]);
        disk.put(&ledger.log(&channel).lock, b"");
    }
}

#[test]
fn a_whole_last_line_that_is_not_known_to_be_synced_is_written_again_before_it_counts() {
    let [channel, _] = channels();
    let disk = SimDisk::new(Lie::Nothing);
    let ledger = ledger(&disk);
    persist(&disk, &ledger, 1);
    // Another process wrote its line, and was killed before the sync.
    let path = ledger.log(&channel).path.clone();
    let mut bytes = disk.bytes(&path).unwrap();
    let synced = bytes.len() as u64;
    bytes.extend_from_slice(&entry(&channel, 1, 10));
    bytes.push(b'\n');
    disk.open(&path, FileMode::Write).unwrap().write_at(&bytes[synced as usize..], synced).unwrap();

    assert_eq!(now(ledger.read(&channel, 1, 9)).unwrap(), Vec::<Bytes>::new(), "it was not acknowledged");
    assert_eq!(now(ledger.append(&channel, 1, entry(&channel, 1, 99))).unwrap(), Appended::Conflict);
    assert_eq!(now(ledger.read(&channel, 1, 9)).unwrap(), [entry(&channel, 1, 10)]);
    let again = Repair::WrittenAgain { offset: synced, bytes: bytes.len() as u64 - synced };
    assert_eq!(ledger.notices(), [RepairNotice { channel: channel.clone(), repair: again }]);
    let after = disk.crash(disk.changes(), Keeps::Nothing);
    assert_eq!(now(self::ledger(&after).size(&channel)).unwrap(), 2);
}

#[test]
fn a_log_without_a_mark_is_synced_before_it_counts() {
    let [channel, _] = channels();
    let line = |seq| [entry(&channel, seq, 900).as_ref(), b"\n"].concat();
    for reader in [true, false] {
        let disk = SimDisk::new(Lie::Nothing);
        let ledger = ledger(&disk);
        disk.put(&ledger.log(&channel).path, &[line(0), line(1)].concat());
        disk.sync_dir(Path::new("ledger")).unwrap();
        match reader {
            true => assert_eq!(now(ledger.size(&channel)).unwrap(), 2),
            false => assert_eq!(now(ledger.append(&channel, 1, entry(&channel, 1, 5))).unwrap(), Appended::Conflict),
        }
        let after = disk.crash(disk.changes(), Keeps::Nothing);
        assert_eq!(now(self::ledger(&after).size(&channel)).unwrap(), 2);
    }
}
