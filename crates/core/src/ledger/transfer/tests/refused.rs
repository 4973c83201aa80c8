//! Logs that are not transferred, or not closed.

use super::*;

#[tokio::test]
async fn two_histories_are_not_mixed() {
    let log = holds(1500);
    for at in [0, 7, 1499] {
        let mut other = log[..at].to_vec();
        other.push(next(&mut state(&other), hold("another history".to_owned())));
        other.push(next(&mut state(&other), hold("and on".to_owned())));
        let (from, to) = (ledger(&log).await, ledger(&other).await);
        let error = run(&Migration::migrating(from.clone(), to.clone(), name(NAME), author())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerForked);
        let seq = at.to_string();
        assert_eq!(error.context().find(|(name, _)| *name == "seq"), Some(("seq", seq.as_str())));
        assert!(error.to_string().starts_with(&format!("{}: seq {at}: source and target have", channel())), "{error}");
        assert_eq!((whole(from.as_ref()).await, whole(to.as_ref()).await), (log.clone(), other), "nothing was written");
    }
}

#[tokio::test]
async fn nothing_is_appended_after_the_entry_that_closed_a_log() {
    let log = holds(3);
    let (a, b) = (ledger(&log).await, ledger(&[]).await);
    run(&Migration::migrating(a.clone(), b.clone(), name(NAME), author())).await.unwrap();
    // Migrate back to the first ledger, without and with new entries.
    for more in 0..2 {
        let error = run(&Migration::migrating(b.clone(), a.clone(), name("/srv/ledger"), author())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerMigrated, "{more}");
        assert_eq!(
            error.to_string(),
            format!(
                "{}: the target's log was closed at seq 3 when it was migrated to {NAME}, and nothing is appended after that; \
                 name a target that has no log of this channel, such as another directory, prefix or schema",
                channel()
            )
        );
        write(b.as_ref(), &[next(&mut state(&whole(b.as_ref()).await), hold("new".to_owned()))]).await;
    }
    // Refuse to migrate the closed log to a third ledger: the log would have two continuations.
    let c = ledger(&[]).await;
    let error = run(&Migration::migrating(a.clone(), c.clone(), name("s3://bucket"), author())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the log of {} was migrated at seq 3: it goes on in {NAME}; use that ledger", channel())
    );
    assert_eq!(whole(c.as_ref()).await, Vec::<Bytes>::new());
    // The closed log can still be copied, for example after its new ledger was lost. The copy is open again.
    let done = run(&Migration::copying(a, c.clone())).await.unwrap();
    assert_eq!((done.size, done.ending), (3, Ending::Copied));
    assert_eq!(whole(c.as_ref()).await, log);
}

#[tokio::test]
async fn what_does_not_hold_is_not_taken() {
    let mut log = holds(1200);
    log[1100] = log[1099].clone();
    let (from, to) = (ledger(&log).await, ledger(&[]).await);
    let error = run(&Migration::migrating(from, to.clone(), name(NAME), author())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerCorrupt);
    assert!(
        error.to_string().contains("the source's log: seq 1100: SEQUENCE: it says 1099 and stands at 1100"),
        "{error}"
    );
    assert_eq!(error.context().find(|(name, _)| *name == "seq"), Some(("seq", "1100")));
    assert_eq!(to.size(&channel()).await.unwrap(), 0, "nothing was appended before the defect was found");

    let none = run(&Migration::migrating(ledger(&[]).await, to, name(NAME), author())).await.unwrap_err();
    assert_eq!(none.to_string(), format!("the source has no log of {}", channel()));
}

#[tokio::test]
async fn a_log_with_a_rule_of_meaning_broken_is_migrated_to_its_end() {
    let mut log = holds(3);
    let append = |log: &mut Vec<Bytes>, body: Body| {
        let (seq, parent) = (log.len() as u64, log.last().map(|bytes| EncodedEntry::of(bytes.clone()).leaf()));
        let at = crate::value::Timestamp::from_unix_ms(1_800_000_000_000);
        let entry = crate::log::Entry { channel: channel(), seq, id: Uuid::now_v7(), at, parent, body };
        log.push(entry.seal().unwrap().bytes().clone());
    };
    let unhold = Unhold { hold: 17, reason: name("over"), provenance: author() };
    append(&mut log, Body::Unhold(unhold));
    append(&mut log, hold("after it".to_owned()));
    let report_of = report(&log);
    let codes: Vec<_> = report_of.defects.iter().map(|defect| (defect.seq, defect.code)).collect();
    assert_eq!((codes, report_of.entries), (vec![(3, crate::log::DefectCode::Hold)], 5));
    let (from, to) = (ledger(&log).await, ledger(&[]).await);
    let done = run(&Migration::migrating(from.clone(), to.clone(), name(NAME), author())).await.unwrap();
    assert_eq!((done.size, done.root, done.ending), (5, report_of.root, Ending::Migrated { seq: 5 }));
    assert_eq!(whole(to.as_ref()).await, log);
    #[cfg(all(feature = "file", unix))]
    {
        let dir = tempfile::tempdir().unwrap();
        let exported = crate::ledger::export(to.as_ref(), &channel(), dir.path()).await.unwrap();
        assert_eq!((exported.size, exported.root), (5, report_of.root));
    }
}

#[tokio::test]
async fn an_entry_that_closes_a_log_wrongly_is_a_defect() {
    let mut log = holds(3);
    let body = Body::Migrated(Migrated {
        ledger: name(NAME),
        size: 2,
        root: report(&log).root,
        provenance: author(),
        reason: None,
    });
    let at = crate::value::Timestamp::from_unix_ms(1_800_000_000_000);
    log.push(state(&log).next(body, Uuid::now_v7(), at).seal().unwrap().bytes().clone());
    let error = run(&Migration::copying(ledger(&log).await, ledger(&[]).await)).await.unwrap_err();
    assert!(error.to_string().contains("seq 3: MIGRATED: it names 2 entries, and 3 are before it"), "{error}");
}

#[tokio::test]
async fn the_source_is_not_closed_before_the_target_was_read_back() {
    let log = holds(3);
    let from = ledger(&log).await;
    let to = ledger(&[]).await;
    let broken = FaultyLedger::over(to.clone());
    // It stores other bytes than it was given.
    broken.rule(move |call| {
        let LedgerCall::Append { channel, seq: 1, .. } = call.clone() else { return None };
        let to = to.clone();
        let first = async move { drop(to.append(&channel, 1, Bytes::from_static(b"{}")).await) };
        Some(Fault::pass().first(first).edit(|appended: &mut Appended| *appended = Appended::Stored))
    });
    let error = run(&Migration::migrating(from.clone(), Arc::new(broken), name(NAME), author())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerForked);
    assert!(error.to_string().contains(": seq 1: "), "{error}");
    assert_eq!(whole(from.as_ref()).await, log);
}
