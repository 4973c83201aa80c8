//! Tests of a transfer: its rules with random logs, and every fault that can occur during it.

mod refused;

use std::sync::Mutex;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::ledger::{Appended, MemoryLedger};
use crate::log::proptests::{self, channel, logs};
use crate::log::{ChannelState, EncodedEntry, Hold, HoldScope, LogReport, Op, Unhold, Verifier};
use crate::testing::{Fault, FaultyLedger, LedgerCall};
use crate::value::Provenance;

const NAME: &str = "postgres://ci@db/audit";

fn name(text: &str) -> Line {
    text.parse().unwrap()
}

fn hold(reason: String) -> Body {
    Body::Hold(Hold { scope: HoldScope::All, reason: reason.parse().unwrap(), provenance: author(), until: None })
}

fn author() -> Provenance {
    Provenance::new("manual", "run", "ada").unwrap()
}

/// A log of this many entries, each of kind hold.
pub(in crate::ledger) fn holds(entries: u64) -> Vec<Bytes> {
    let mut state = ChannelState::empty(channel());
    (0..entries).map(|seq| next(&mut state, hold(format!("entry {seq}")))).collect()
}

fn next(state: &mut ChannelState, body: Body) -> Bytes {
    let at = crate::value::Timestamp::from_unix_ms(1_800_000_000_000);
    let sealed = state.next(body, Uuid::now_v7(), at).seal().unwrap();
    state.take(sealed.bytes()).unwrap();
    sealed.bytes().clone()
}

pub(in crate::ledger) async fn ledger(log: &[Bytes]) -> Arc<MemoryLedger> {
    let ledger = Arc::new(MemoryLedger::new());
    write(ledger.as_ref(), log).await;
    ledger
}

pub(in crate::ledger) async fn write(ledger: &dyn Ledger, log: &[Bytes]) {
    for bytes in log {
        let size = ledger.size(&channel()).await.unwrap();
        assert_eq!(ledger.append(&channel(), size, bytes.clone()).await.unwrap(), Appended::Stored);
    }
}

pub(in crate::ledger) async fn whole(ledger: &dyn Ledger) -> Vec<Bytes> {
    ledger.read(&channel(), 0, usize::MAX).await.unwrap()
}

pub(in crate::ledger) fn report(log: &[Bytes]) -> LogReport {
    let mut verifier = Verifier::new(Some(channel()));
    verifier.feed(log);
    verifier.finish()
}

async fn run(transfer: &Migration) -> Result<MigrationResult> {
    transfer.run(transfer.survey(&channel()).await?).await
}

/// Checks that the target has the log, and that the source has it and one more entry `migrated`.
async fn moved(from: &dyn Ledger, to: &dyn Ledger, log: &[Bytes]) {
    assert_eq!(whole(to).await, log);
    let source = whole(from).await;
    assert_eq!(&source[..log.len()], log);
    let report = report(&source);
    assert_eq!((report.defect, report.entries), (None, log.len() as u64 + 1));
    assert_eq!((report.migrated, report.migrated_to.unwrap().as_str()), (Some(log.len() as u64), NAME));
}

#[tokio::test]
async fn a_log_that_moves_is_the_same_in_the_target_and_closed_in_the_source() {
    let log = holds(2500);
    let (from, to) = (ledger(&log).await, ledger(&[]).await);
    let told: Arc<Mutex<Vec<(u64, u64)>>> = Arc::default();
    let tell = told.clone();
    let transfer = Migration::migrating(from.clone(), to.clone(), name(NAME), author())
        .with_watch(Arc::new(move |_, done, of| tell.lock().unwrap().push((done, of))));
    let survey = transfer.survey(&channel()).await.unwrap();
    assert_eq!((survey.size, survey.there, survey.root), (2500, 0, report(&log).root));
    assert_eq!(to.size(&channel()).await.unwrap(), 0, "a survey writes nothing");
    let done = transfer.run(survey).await.unwrap();
    assert_eq!((done.size, done.root, done.copied), (2500, report(&log).root, 2500));
    assert_eq!(done.ending, Ending::Migrated { seq: 2500 });
    assert_eq!(*told.lock().unwrap(), [(1024, 2500), (2048, 2500), (2500, 2500)]);
    moved(from.as_ref(), to.as_ref(), &log).await;

    // A second run has nothing to do, also after the target's log has grown.
    write(to.as_ref(), &[next(&mut state(&log), hold("later".to_owned()))]).await;
    let again = run(&transfer).await.unwrap();
    assert_eq!((again.copied, again.ending), (0, Ending::MigratedBefore { seq: 2500 }));
    let json = serde_json::to_value(run(&transfer).await.unwrap()).unwrap();
    assert_eq!((&json["result"], &json["seq"]), (&"migrated_before".into(), &2500.into()));
}

fn state(log: &[Bytes]) -> ChannelState {
    let mut state = ChannelState::empty(channel());
    for bytes in log {
        state.take(bytes).unwrap();
    }
    state
}

/// A ledger over `inner` whose appends meet these faults, one each, in this order.
fn scripted(inner: &Arc<MemoryLedger>, faults: impl IntoIterator<Item = Fault>) -> Arc<FaultyLedger> {
    let ledger = FaultyLedger::over(inner.clone());
    ledger.script_when(LedgerCall::appends, faults);
    Arc::new(ledger)
}

fn nth(n: usize, fault: Fault) -> Vec<Fault> {
    std::iter::repeat_with(Fault::pass).take(n).chain([fault]).collect()
}

/// Another writer appends its own entry first.
fn overtaken(inner: &Arc<MemoryLedger>) -> Fault {
    let inner = inner.clone();
    Fault::pass().first(async move {
        let log = whole(inner.as_ref()).await;
        let other = next(&mut state(&log), hold(format!("overtakes {}", log.len())));
        write(inner.as_ref(), &[other]).await;
    })
}

/// After a crash or a lost answer at any append, in the target or in the source, another run finishes the transfer.
#[tokio::test(start_paused = true)]
async fn it_goes_on_where_it_stopped() {
    let log = holds(6);
    let (dies, lost) = (ErrorKind::LedgerUnavailable, ErrorKind::LedgerAmbiguous);
    let [before, after]: [fn(Error) -> Fault; 2] = [Fault::before, Fault::after];
    for (kind, fault) in [(dies, before), (dies, after), (lost, before), (lost, after)] {
        for at in 0..=log.len() {
            let fault = fault(Error::new(kind, "no answer"));
            let what = format!("{fault:?} at {at}");
            let (from, to) = (ledger(&log).await, ledger(&[]).await);
            let (source, target) = match at < log.len() {
                true => (vec![], nth(at, fault)),
                false => (vec![fault], vec![]),
            };
            let first = Migration::migrating(scripted(&from, source), scripted(&to, target), name(NAME), author());
            let ended = run(&first).await;
            if kind == dies {
                let error = ended.unwrap_err();
                assert_eq!(error.kind(), dies, "{what}");
                assert!(error.context().any(|(name, _)| name == "channel"), "{error:?}");
            } else {
                // The same run recovers from a lost answer.
                assert_eq!(ended.unwrap().copied, 6, "{what}");
            }
            let again =
                run(&Migration::migrating(from.clone(), to.clone(), name(NAME), author()).resumed()).await.unwrap();
            assert_eq!((again.size, again.root), (6, report(&log).root), "{what}");
            moved(from.as_ref(), to.as_ref(), &log).await;
        }
    }
}

/// An append whose answers are all lost is LEDGER_AMBIGUOUS, and the source is not closed.
#[tokio::test(start_paused = true)]
async fn what_stays_unknown_is_said() {
    let log = holds(2);
    let (from, to) = (ledger(&log).await, ledger(&[]).await);
    let deaf = scripted(&to, [(); 4].map(|()| Fault::before(Error::new(ErrorKind::LedgerAmbiguous, "no answer"))));
    let error = run(&Migration::migrating(from.clone(), deaf, name(NAME), author())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LedgerAmbiguous);
    assert!(error.to_string().ends_with("; run this again: it compares the entry that is stored there"), "{error}");
    assert_eq!(whole(from.as_ref()).await, log);
}

#[tokio::test]
async fn a_source_that_is_written_meanwhile_loses_nothing() {
    let (from, to) = (ledger(&holds(3)).await, ledger(&[]).await);
    let source = scripted(&from, [overtaken(&from), overtaken(&from)]);
    let done = run(&Migration::migrating(source, to.clone(), name(NAME), author())).await.unwrap();
    assert_eq!((done.size, done.copied, done.ending), (5, 5, Ending::Migrated { seq: 5 }));
    let log = whole(to.as_ref()).await;
    assert_eq!(log.len(), 5);
    moved(from.as_ref(), to.as_ref(), &log).await;

    let (from, to) = (ledger(&holds(3)).await, ledger(&[]).await);
    let source = scripted(&from, std::iter::repeat_with(|| overtaken(&from)).take(100));
    let error = run(&Migration::migrating(source, to, name(NAME), author())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelBusy, "it does not run for ever");
    assert!(error.to_string().contains("others wrote into the log 32 times while it was to be closed"), "{error}");
}

/// A ledger that is both source and target is not closed.
#[tokio::test]
async fn a_ledger_does_not_move_to_itself() {
    let log = holds(3);
    let one = ledger(&log).await;
    let error = run(&Migration::migrating(one.clone(), one.clone(), name(NAME), author())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    assert!(error.to_string().contains("the target had all 3 entries before this run"), "{error}");
    assert_eq!(whole(one.as_ref()).await, log, "nothing was written");
}

/// Two concurrent runs of one transfer close the source once.
#[tokio::test]
async fn two_at_once_are_one() {
    let log = holds(300);
    let (from, to) = (ledger(&log).await, ledger(&[]).await);
    let transfer = Migration::migrating(from.clone(), to.clone(), name(NAME), author());
    let (one, other) = tokio::join!(run(&transfer), run(&transfer));
    let endings = [one.unwrap().ending, other.unwrap().ending];
    assert!(endings.contains(&Ending::Migrated { seq: 300 }), "{endings:?}");
    moved(from.as_ref(), to.as_ref(), &log).await;
}

#[tokio::test]
async fn an_open_move_is_closed_first() {
    let mut log = vec![next(&mut ChannelState::empty(channel()), proptests::policy())];
    let intent = intent(&state(&log));
    log.push(next(&mut state(&log), intent));
    let (from, to) = (ledger(&log).await, ledger(&[]).await);
    let error = run(&Migration::migrating(from.clone(), to.clone(), name(NAME), author())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelBusy);
    assert_eq!(
        error.to_string(),
        format!(
            "{}: move move-1 is open in the source (seq 1), and its outcome must stand there: wait for it, or recover the \
             channel first, then run this again",
            channel()
        )
    );
    assert_eq!(error.context().find(|(name, _)| *name == "move_id"), Some(("move_id", "move-1")));
    assert_eq!((whole(from.as_ref()).await, whole(to.as_ref()).await), (log.clone(), vec![]), "nothing was written");

    // A log with an open move can be copied at any time.
    assert_eq!(run(&Migration::copying(from, to.clone())).await.unwrap().ending, Ending::Copied);
    assert_eq!(whole(to.as_ref()).await, log);
}

fn intent(state: &ChannelState) -> Body {
    Body::Intent(Box::new(proptests::intent(1, Op::Bootstrap, state.live, Digest::of(b"x"))))
}

proptest! {
    // Few cases, because each entry is synced.
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Any log keeps its bytes and its root through any chain of ledgers and back.
    #[test]
    fn a_log_keeps_its_root_wherever_it_goes(log in logs(), files in proptest::collection::vec(any::<bool>(), 3)) {
        let log: Vec<Bytes> = log.iter().map(|sealed| sealed.bytes().clone()).collect();
        prop_assume!(!log.is_empty());
        let open = state(&log).open.is_some();
        let home = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut from: Arc<dyn Ledger> = ledger(&log).await;
            for file in &files {
                let to: Arc<dyn Ledger> = match file {
                    #[cfg(all(feature = "file", unix))]
                    true => Arc::new(crate::ledger::FileLedger::open(tempfile::tempdir_in(&home).unwrap().keep()).unwrap()),
                    _ => ledger(&[]).await,
                };
                let transfer = match open {
                    true => Migration::copying(from.clone(), to.clone()),
                    false => Migration::migrating(from.clone(), to.clone(), name(NAME), author()),
                };
                let done = run(&transfer).await.unwrap();
                assert_eq!((done.size, done.root), (log.len() as u64, report(&log).root));
                assert_eq!(whole(to.as_ref()).await, log);
                assert_eq!(report(&whole(from.as_ref()).await).migrated.is_some(), !open);
                from = to;
            }
        });
        drop(home);
    }
}
