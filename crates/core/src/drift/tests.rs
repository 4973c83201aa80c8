use super::*;
use crate::log::{Deadlines, Op};

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn state(live: Option<&str>) -> ChannelState {
    let mut state = ChannelState::empty("reg.io/acme/shop:prod".parse().unwrap());
    state.live = live.map(digest);
    state
}

fn open(op: Op, from: Option<&str>, to: &str, replaced: Option<&str>) -> ChannelState {
    let mut state = state(from);
    state.open = Some(OpenMove {
        seq: 7,
        op,
        move_id: Line::lossy("m"),
        key: "k".parse().unwrap(),
        request: digest("r"),
        previous: from.map(digest),
        target: digest(to),
        replaced: replaced.map(digest),
        as_it_is: op == Op::Adopt,
        owner: Line::lossy("o"),
        epoch: 0,
        deadlines: Deadlines::default(),
        quiet_ms: 1,
        settle_ms: 1,
        given_up: None,
        set: None,
    });
    state
}

/// Each row: the log, the registry's answer, that digest's history here → the state in JSON, the exit code.
#[test]
fn every_state_of_log_and_tag_has_its_word_and_exit_code() {
    use LiveHistory::{Earlier, Never};
    let moved = |live| {
        let mut state = state(live);
        state.migrated = Some(MigratedTo { seq: 3, ledger: Line::lossy("s3://bucket") });
        state
    };
    let table = [
        (state(Some("a")), Some("a"), LiveHistory::Live, "in_sync", None),
        (state(Some("a")), Some("b"), Never, "moved_outside", Some(4)),
        (state(Some("a")), Some("b"), Earlier, "moved_back", Some(4)),
        (state(Some("a")), None, Never, "missing", Some(4)),
        (state(None), Some("b"), Never, "never_recorded", None),
        (state(None), None, Never, "never_recorded", None),
        (moved(Some("a")), Some("a"), LiveHistory::Live, "unknown", Some(6)),
        (open(Op::Promote, Some("a"), "b", None), Some("a"), LiveHistory::Live, "not_landed", Some(5)),
        (open(Op::Promote, Some("a"), "b", None), Some("b"), Never, "landed", Some(5)),
        (open(Op::Promote, Some("a"), "b", None), Some("c"), Never, "elsewhere", Some(5)),
        (open(Op::Promote, Some("a"), "b", None), None, Never, "elsewhere", Some(5)),
        (open(Op::Bootstrap, None, "b", None), None, Never, "not_landed", Some(5)),
        (open(Op::Bootstrap, None, "b", None), Some("b"), Never, "landed", Some(5)),
        (open(Op::Repair, Some("a"), "a", Some("x")), Some("x"), Never, "not_landed", Some(5)),
        (open(Op::Repair, Some("a"), "a", Some("x")), Some("a"), LiveHistory::Live, "landed", Some(5)),
        (open(Op::Repair, Some("a"), "a", None), None, Never, "not_landed", Some(5)),
        (open(Op::Adopt, Some("a"), "x", None), Some("x"), Never, "landed", Some(5)),
    ];
    for (state, observed, here, word, exit) in table {
        let drift = Drift::judge(&state, &Ok(observed.map(digest)), here);
        let json = serde_json::to_value(&drift).unwrap();
        let found = json.get("landing").unwrap_or(&json["state"]).as_str().unwrap();
        assert_eq!((found, drift.class().map(ErrorClass::exit_code)), (word, exit), "{drift}");
    }
}

#[test]
fn a_failure_to_look_is_unknown_whatever_the_log_says() {
    let failed = || Err(Error::new(ErrorKind::RegistryUnavailable, "503 after 3 tries\u{1b}[31m"));
    for state in [state(Some("a")), state(None), open(Op::Promote, Some("a"), "b", None)] {
        let drift = Drift::judge(&state, &failed(), LiveHistory::Live);
        assert_eq!(drift.to_string(), "unknown: REGISTRY_UNAVAILABLE: 503 after 3 tries\u{fffd}[31m");
        assert_eq!(drift.class(), Some(ErrorClass::Unknown));
    }
}

#[test]
fn a_log_with_a_defect_has_a_state_of_its_own() {
    for (kind, word) in [
        (ErrorKind::LedgerCorrupt, "corrupt"),
        (ErrorKind::LedgerTruncated, "truncated"),
        (ErrorKind::LedgerForked, "forked"),
    ] {
        let drift = Drift::judge(&state(Some("a")), &Err(Error::new(kind, "seq 1")), LiveHistory::Live);
        assert_eq!(drift.to_string(), format!("{word}: {}: seq 1", kind.code()));
        assert_eq!(serde_json::to_value(&drift).unwrap()["state"], word);
        assert_eq!(drift.class().map(ErrorClass::exit_code), Some(7));
    }
}

#[test]
fn a_report_is_one_line_a_channel_and_ends_with_the_worst() {
    let audited = |tag: &str, drift| ChannelAudit::new(format!("reg.io/acme/shop:{tag}").parse().unwrap(), 2, drift);
    let (a, b) = (digest("a"), digest("b"));
    let unknown = || Drift::Unknown { why: Line::lossy("429") };
    let landed = || Drift::MoveInProgress { seq: 7, target: b, observed: Some(b), landing: Landing::Landed };
    let report = |drifts: Vec<Drift>| {
        let tags = ["prod", "dev", "preprod"];
        let channels = tags.into_iter().zip(drifts).map(|(tag, drift)| audited(tag, drift));
        AuditReport::new(Timestamp::from_unix_ms(0), channels.collect())
    };
    let all = report(vec![Drift::MovedBack { expected: a, observed: b }, unknown(), landed()]);
    assert_eq!(
        all.to_string(),
        format!(
            "reg.io/acme/shop:dev  unknown: 429\n\
             reg.io/acme/shop:preprod  move in progress (seq 7) to {b} has landed: the tag points at {b}\n\
             reg.io/acme/shop:prod  moved back: {a} is live, the tag points at {b}, which was live here earlier"
        )
    );
    assert_eq!(all.class(), Some(ErrorClass::Drift));
    let corrupt = || Drift::Corrupt { why: Line::lossy("seq 1") };
    assert_eq!(report(vec![Drift::Missing { expected: a }, corrupt()]).class(), Some(ErrorClass::Defect));
    assert_eq!(report(vec![unknown(), landed()]).class(), Some(ErrorClass::Unknown));
    assert_eq!(report(vec![landed(), Drift::InSync { live: a }]).class(), Some(ErrorClass::Indeterminate));
    assert_eq!(report(vec![unknown(), Drift::InSync { live: a }]).class(), Some(ErrorClass::Unknown));
    assert_eq!(report(vec![Drift::InSync { live: a }]).class(), None);
    assert_eq!(
        serde_json::to_value(report(vec![Drift::Missing { expected: a }])).unwrap(),
        serde_json::json!({
            "at": "1970-01-01T00:00:00.000Z",
            "worst": "drift",
            "channels": [{"channel": "reg.io/acme/shop:prod", "size": 2, "state": "missing", "expected": a}],
        })
    );
}
