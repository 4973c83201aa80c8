//! The file ledger on a real file system.

use std::fs;

use super::*;

fn channel() -> Channel {
    "reg.io/a:prod".parse().unwrap()
}

fn entry(seq: u64, filler: usize) -> Bytes {
    entry_of(&channel(), seq, filler)
}

fn entry_of(channel: &Channel, seq: u64, filler: usize) -> Bytes {
    let reason = "x".repeat(filler);
    format!(r#"{{"body":{{"reason":"{reason}"}},"channel":"{channel}","kind":"hold","seq":{seq},"v":1}}"#).into()
}

fn file_of(entries: impl IntoIterator<Item = Bytes>) -> Vec<u8> {
    entries.into_iter().flat_map(|entry| entry.into_iter().chain([b'\n'])).collect()
}

/// A ledger whose log has these bytes.
fn with_log(bytes: &[u8]) -> (tempfile::TempDir, FileLedger) {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap();
    fs::write(&ledger.log(&channel()).path, bytes).unwrap();
    (dir, ledger)
}

fn code<T: fmt::Debug>(result: Result<T>) -> (&'static str, String) {
    let error = result.unwrap_err();
    (error.code(), error.to_string())
}

#[tokio::test]
async fn any_position_of_a_long_log_is_found_whatever_the_lengths_of_its_lines() {
    // Short lines first, then long ones, so that a proportional guess is wrong by far.
    let entries: Vec<_> =
        (0..6000).map(|seq| entry(seq, if seq < 4000 { 10 } else { (seq as usize * 37) % 3000 })).collect();
    let (_dir, ledger) = with_log(&file_of(entries.clone()));
    let size = entries.len() as u64;
    assert_eq!(ledger.size(&channel()).await.unwrap(), size);
    for from in (0..size).step_by(173).chain([size - 64, size - 1, 3999, 4000, 1]) {
        let fresh = FileLedger::open(ledger.dir()).unwrap();
        for ledger in [&ledger, &fresh] {
            let read = ledger.read(&channel(), from, 64).await.unwrap();
            let there = &entries[from as usize..(from as usize + 64).min(entries.len())];
            assert!(!read.is_empty() && there.starts_with(&read), "from {from}: {}", read.len());
        }
    }
    let mut all = Vec::new();
    while (all.len() as u64) < size {
        all.extend(ledger.read(&channel(), all.len() as u64, usize::MAX).await.unwrap());
    }
    assert_eq!(all, entries);
}

#[tokio::test]
async fn damage_in_the_middle_is_found_at_its_position_and_nothing_is_dropped() {
    let good: Vec<_> = (0..4).map(|seq| entry(seq, 5)).collect();
    let [a, b, c, d] = [0, 1, 2, 3].map(|seq: usize| good[seq].clone());
    let cases = [
        ("a gap", vec![a.clone(), b.clone(), d.clone()], 2, "seq 2: SEQUENCE: the entry says that its seq is 3"),
        (
            "a swap",
            vec![a.clone(), c.clone(), b.clone(), d.clone()],
            1,
            "seq 1: SEQUENCE: the entry says that its seq is 2",
        ),
        (
            "a repeat",
            vec![a.clone(), b.clone(), b.clone()],
            2,
            "seq 2: SEQUENCE: a line after the entry that says it is the last",
        ),
        ("an empty line", vec![a.clone(), Bytes::new(), b.clone(), c.clone()], 1, "seq 1: NOT_JSON: an empty line"),
    ];
    for (what, entries, seq, said) in cases {
        let bytes = file_of(entries);
        let (_dir, ledger) = with_log(&bytes);
        let mut from = 0;
        let error = loop {
            match ledger.read(&channel(), from, usize::MAX).await {
                Ok(read) if read.is_empty() => panic!("{what}: not found"),
                Ok(read) => from += read.len() as u64,
                Err(error) => break error,
            }
        };
        assert_eq!((error.code(), error.to_string().as_str()), ("LEDGER_CORRUPT", said), "{what}");
        let context: Vec<_> = error.context().map(|(name, value)| (name, value.to_owned())).collect();
        assert!(context.contains(&("seq", seq.to_string())), "{what}: {context:?}");
        assert!(context.contains(&("channel", channel().to_string())), "{what}: {context:?}");
        let _ = ledger.append(&channel(), 4, entry(4, 5)).await;
        assert!(fs::read(&ledger.log(&channel()).path).unwrap().starts_with(&bytes), "{what}: something was dropped");
    }
}

#[tokio::test]
async fn a_bad_line_is_given_as_it_is_for_the_fold_to_name() {
    let bytes = file_of([entry(0, 5), Bytes::from_static(b"{\"half\":"), entry(2, 5)]);
    let (_dir, ledger) = with_log(&bytes);
    assert_eq!(ledger.read(&channel(), 0, 9).await.unwrap()[1], "{\"half\":");
    assert_eq!(ledger.append(&channel(), 3, entry(3, 5)).await.unwrap(), Appended::Stored);
    assert!(fs::read(&ledger.log(&channel()).path).unwrap().starts_with(&bytes));
}

#[tokio::test]
async fn a_log_of_another_channel_is_corrupt() {
    let other: Channel = "reg.io/b:prod".parse().unwrap();
    let (_dir, ledger) = with_log(&file_of([entry_of(&other, 0, 5)]));
    let said = ("LEDGER_CORRUPT", "seq 0: CHANNEL: the entry is of reg.io/b:prod".to_owned());
    assert_eq!(code(ledger.size(&channel()).await), said);
    assert_eq!(code(ledger.append(&channel(), 1, entry(1, 5)).await), said);
    assert_eq!(code(ledger.channels().await), said);
}

#[tokio::test]
async fn a_log_that_got_shorter_or_went_away_is_truncated() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap();
    for seq in 0..3 {
        ledger.append(&channel(), seq, entry(seq, 5)).await.unwrap();
    }
    let path = ledger.log(&channel()).path.clone();
    let whole = fs::read(&path).unwrap();
    for round in 0..2 {
        match round {
            0 => fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(whole.len() as u64 * 2 / 3).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        let fresh = FileLedger::open(dir.path()).unwrap();
        for ledger in [&ledger, &fresh] {
            assert_eq!(code(ledger.size(&channel()).await).0, "LEDGER_TRUNCATED");
            assert_eq!(code(ledger.append(&channel(), 2, entry(2, 9)).await).0, "LEDGER_TRUNCATED");
            // Every later read gives the same error.
            let (code, said) = code(ledger.read(&channel(), 0, 1).await);
            assert_eq!(code, "LEDGER_TRUNCATED");
            assert!(said.contains(&format!("but there were {} before", whole.len())), "{said}");
        }
    }
    assert!(!path.exists(), "nothing was begun in its place");
}

#[tokio::test]
async fn symbolic_links_and_what_is_no_file_are_refused() {
    let (dir, ledger) = with_log(b"");
    let path = ledger.log(&channel()).path.clone();
    fs::remove_file(&path).unwrap();
    let target = dir.path().join("elsewhere");
    fs::write(&target, file_of([entry(0, 5)])).unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    let said = format!("{}: cannot open: it is a symbolic link, which is refused", path.display());
    assert_eq!(code(ledger.size(&channel()).await), ("LEDGER_UNAVAILABLE", said.clone()));
    assert_eq!(code(ledger.append(&channel(), 0, entry(0, 5)).await), ("LEDGER_UNAVAILABLE", said));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let (code, said) = code(ledger.size(&channel()).await);
    assert_eq!((code, said.ends_with("it is not a regular file")), ("LEDGER_UNAVAILABLE", true), "{said}");
}

#[tokio::test]
async fn an_append_waits_for_another_holder_of_the_lock_but_not_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap().lock_wait(Duration::from_millis(50));
    ledger.append(&channel(), 0, entry(0, 5)).await.unwrap();
    let other = fs::File::open(&ledger.log(&channel()).lock).unwrap();
    other.lock().unwrap();
    let (code, said) = code(ledger.append(&channel(), 1, entry(1, 5)).await);
    assert_eq!(code, "LEDGER_UNAVAILABLE");
    assert!(said.ends_with("another process holds the lock on the log"), "{said}");
    assert_eq!(ledger.size(&channel()).await.unwrap(), 1, "readers do not wait");
    let patient = ledger.clone().lock_wait(Duration::from_secs(60));
    let waiting = tokio::spawn(async move { patient.append(&channel(), 1, entry(1, 5)).await });
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!waiting.is_finished());
    other.unlock().unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), Appended::Stored);
}

#[tokio::test]
async fn what_a_dead_process_left_is_finished_by_the_next_look() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap();
    for seq in 0..2 {
        ledger.append(&channel(), seq, entry(seq, 5)).await.unwrap();
    }
    let path = ledger.log(&channel()).path.clone();
    // One process was killed after its write and before its sync, and another one during its write.
    let left = [fs::read(&path).unwrap(), file_of([entry(2, 5)]), b"{\"at\":".to_vec()].concat();
    fs::write(&path, &left).unwrap();
    let reader = FileLedger::open_read_only(dir.path()).unwrap();
    assert_eq!(reader.size(&channel()).await.unwrap(), 2, "it does not count yet");
    let holder = fs::File::open(&ledger.log(&channel()).lock).unwrap();
    holder.lock().unwrap();
    assert_eq!(ledger.size(&channel()).await.unwrap(), 2, "another process may be at it");
    holder.unlock().unwrap();
    assert_eq!(ledger.size(&channel()).await.unwrap(), 3);
    let repairs: Vec<_> = ledger.notices().into_iter().map(|notice| notice.repair).collect();
    assert!(matches!(repairs[..], [Repair::Cut { bytes: 6, .. }, Repair::WrittenAgain { .. }]), "{repairs:?}");
    assert_eq!(fs::read(&path).unwrap(), left[..left.len() - 6]);
    assert_eq!(reader.size(&channel()).await.unwrap(), 3, "now everybody may");
}

#[tokio::test]
async fn what_is_read_only_is_read_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    assert_eq!(code(FileLedger::open_read_only(&missing)).0, "LEDGER_ABSENT");
    assert!(!missing.exists());
    let path = dir.path().join("ledger");
    let writer = FileLedger::open(&path).unwrap();
    for seq in 0..3 {
        writer.append(&channel(), seq, entry(seq, 5)).await.unwrap();
    }
    // A copy of the log without its lock file, and with a line that is incomplete.
    fs::remove_file(&writer.log(&channel()).lock).unwrap();
    let log = writer.log(&channel()).path.clone();
    let torn = [fs::read(&log).unwrap(), b"{\"at\":".to_vec()].concat();
    fs::write(&log, &torn).unwrap();
    let reader = FileLedger::open_read_only(&path).unwrap();
    assert_eq!(reader.size(&channel()).await.unwrap(), 3);
    assert_eq!(reader.read(&channel(), 2, 9).await.unwrap(), [entry(2, 5)]);
    assert_eq!(reader.channels().await.unwrap(), [channel()]);
    reader.put(&channel(), "state", Bytes::from_static(b"blob")).await.unwrap();
    assert_eq!(reader.get(&channel(), "state").await.unwrap(), None);
    let (code, said) = code(reader.append(&channel(), 3, entry(3, 5)).await);
    assert_eq!(code, "LEDGER_UNAVAILABLE");
    assert!(said.ends_with("the ledger was opened read-only"), "{said}");
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    assert_eq!(fs::read(&log).unwrap(), torn);
}

#[tokio::test]
async fn an_entry_that_would_not_be_found_again_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap();
    let other: Channel = "reg.io/b:prod".parse().unwrap();
    let long = Bytes::from(vec![b'x'; crate::log::MAX_ENTRY + 1]);
    for (bytes, code_said, said) in [
        (entry(1, 5), "INTERNAL_FAULT", "the entry does not say that it stands at this position"),
        (entry_of(&other, 0, 5), "INTERNAL_FAULT", "the entry does not say that it belongs to this channel"),
        (Bytes::from_static(b"{}\n"), "INTERNAL_FAULT", "an entry with a newline or a zero byte is not canonical"),
        (long, "ENTRY_TOO_LARGE", "an entry of 32769 bytes; the most is 32768"),
    ] {
        assert_eq!(code(ledger.append(&channel(), 0, bytes).await), (code_said, said.to_owned()));
    }
    assert_eq!(ledger.size(&channel()).await.unwrap(), 0);
}

#[tokio::test]
async fn channels_come_from_names_or_from_what_a_file_says() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap();
    let long: Channel = format!("reg.io/{}:prod", "a/".repeat(110) + "z").parse().unwrap();
    for channel in [&long, &channel()] {
        ledger.append(channel, 0, entry_of(channel, 0, 5)).await.unwrap();
    }
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    assert_eq!(ledger.channels().await.unwrap(), [channel(), long.clone()]);
    fs::rename(&ledger.log(&long).path, dir.path().join("long.jsonl")).unwrap();
    let (code, said) = code(ledger.channels().await);
    assert_eq!(code, "LEDGER_CORRUPT");
    assert!(said.ends_with(&format!("long.jsonl: the entries are of {long}")), "{said}");
}

#[tokio::test]
async fn more_channels_than_are_remembered_are_no_matter() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FileLedger::open(dir.path()).unwrap();
    let channels: Vec<Channel> = (0..MAX_LOGS * 3).map(|n| format!("reg.io/a{n}:prod").parse().unwrap()).collect();
    for seq in 0..2 {
        for channel in &channels {
            assert_eq!(ledger.append(channel, seq, entry_of(channel, seq, 5)).await.unwrap(), Appended::Stored);
        }
    }
    assert_eq!(ledger.channels().await.unwrap().len(), channels.len());
}
