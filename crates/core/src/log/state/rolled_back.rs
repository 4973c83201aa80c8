//! `RolledBack`: a digest that a rollback left. The guardrail not-rolled-back judges by it.

use serde::{Deserialize, Serialize};

use super::{ChannelState, OpenMove};
use crate::log::{Op, Status};
use crate::value::Digest;

/// A digest that a rollback left, or whose promotion was aborted on purpose, and that was not live since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RolledBack {
    /// The digest.
    pub digest: Digest,
    /// The position of the entry that says who did it: the rollback's intent, or the takeover that aborted the promotion.
    pub seq: u64,
    /// The kind of the entry at `seq`.
    pub cause: RolledBackCause,
}

/// The reason why a digest counts as rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolledBackCause {
    /// A rollback left it.
    Rollback,
    /// A promotion or bootstrap of it was aborted after a takeover by a rollback, or by a recovery that was to abort it.
    Aborted,
}

impl ChannelState {
    /// The entry by which a digest counts as rolled back; none if it does not.
    pub fn rolled_back(&self, digest: &Digest) -> Option<&RolledBack> {
        self.rolled_back.iter().find(|left| left.digest == *digest)
    }

    /// Applies the end of `open`, before the live digest changes.
    pub(super) fn note_return(&mut self, open: &OpenMove, status: Status) {
        let OpenMove { seq, op, target, given_up, .. } = *open;
        match (status, self.live, given_up) {
            (Status::Committed, live, _) => {
                self.rolled_back.retain(|left| left.digest != target);
                let left = live.filter(|live| op == Op::Rollback && *live != target);
                // The restore of a set undoes the set's own move: that says nothing about the release.
                if let Some(digest) = left.filter(|_| open.set.is_none() || open.set != self.changed_in) {
                    self.leave(RolledBack { digest, seq, cause: RolledBackCause::Rollback });
                }
            }
            (Status::Aborted, live, Some(seq)) if matches!(op, Op::Promote | Op::Bootstrap) && live != Some(target) => {
                self.leave(RolledBack { digest: target, seq, cause: RolledBackCause::Aborted });
            }
            _ => {}
        }
    }

    fn leave(&mut self, left: RolledBack) {
        self.rolled_back.retain(|known| known.digest != left.digest);
        self.rolled_back.push(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::proptests::{intent_of, outcome_of, policy_of, takeover};
    use crate::log::{Body, Deadlines, PutStatus, TakeoverOp};
    use crate::value::{Line, Timestamp};

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    struct Log(ChannelState);

    impl Log {
        /// `a` is live.
        fn at_a() -> Log {
            let mut log = Log(ChannelState::empty("reg.io/app:prod".parse().unwrap()));
            log.add(policy_of(digest("policy")));
            log.moves(Op::Bootstrap, "a");
            log
        }

        fn add(&mut self, body: Body) {
            self.0.fold(digest("entry"), Timestamp::from_unix_ms(0), &body).unwrap();
        }

        fn begin(&mut self, op: Op, to: &str, set: Option<&str>) {
            let open = OpenMove {
                seq: 0,
                op,
                move_id: Line::lossy("m"),
                key: "k".parse().unwrap(),
                request: digest("r"),
                previous: self.0.live,
                target: digest(to),
                replaced: None,
                as_it_is: false,
                owner: Line::lossy("w"),
                epoch: 0,
                deadlines: Deadlines::default(),
                quiet_ms: 1,
                settle_ms: 1,
                given_up: None,
                set: set.map(Line::lossy),
            };
            self.add(intent_of(open, &self.0.channel, digest("policy")));
        }

        fn end(&mut self, status: Status) {
            let open = self.0.open.clone().unwrap();
            let put = if status == Status::Aborted { PutStatus::Unknown } else { PutStatus::Accepted };
            self.add(outcome_of(&open, status, put, Some(open.target)));
        }

        fn moves(&mut self, op: Op, to: &str) {
            self.begin(op, to, None);
            self.end(Status::Committed);
        }

        fn take_over(&mut self, op: TakeoverOp) {
            let open = self.0.open.clone().unwrap();
            self.add(takeover(&open, op, Line::lossy("other"), Deadlines::default()));
        }

        /// The names among these that count as rolled back.
        fn left(&self) -> Vec<&'static str> {
            ["a", "b", "c"].into_iter().filter(|name| self.0.rolled_back(&digest(name)).is_some()).collect()
        }
    }

    #[test]
    fn digest_that_a_rollback_left_counts_until_it_is_live_again() {
        let mut log = Log::at_a();
        log.moves(Op::Promote, "b");
        assert_eq!(log.left(), [""; 0]);
        log.moves(Op::Rollback, "a");
        let left = *log.0.rolled_back(&digest("b")).unwrap();
        assert_eq!((left.seq, left.cause, log.left()), (5, RolledBackCause::Rollback, vec!["b"]));
        log.moves(Op::Promote, "c");
        assert_eq!(log.left(), ["b"], "a newer release changes nothing");
        log.moves(Op::Promote, "b");
        assert_eq!(log.left(), [""; 0]);
        log.moves(Op::Promote, "c");
        assert_eq!(log.left(), [""; 0], "a promotion left it this time");
        log.moves(Op::Rollback, "c");
        assert_eq!(log.left(), [""; 0], "a rollback that puts the live digest again leaves nothing");
    }

    #[test]
    fn promotion_that_is_aborted_on_purpose_counts() {
        for (op, counts) in [
            (TakeoverOp::Rollback, true),
            (TakeoverOp::Abort, true),
            (TakeoverOp::Promote, false),
            (TakeoverOp::Recover, false),
        ] {
            let mut log = Log::at_a();
            log.begin(Op::Promote, "b", None);
            log.take_over(op);
            log.take_over(TakeoverOp::Promote);
            log.end(Status::Aborted);
            assert_eq!(log.left(), vec!["b"; usize::from(counts)], "{op:?}");
        }
        let mut log = Log::at_a();
        log.begin(Op::Promote, "b", None);
        log.end(Status::Aborted);
        assert_eq!(log.left(), [""; 0], "without a takeover it was not on purpose");
        log.begin(Op::Rollback, "c", None);
        log.take_over(TakeoverOp::Abort);
        log.end(Status::Aborted);
        assert_eq!(log.left(), [""; 0], "a rollback that was aborted says nothing about its target");
        log.begin(Op::Promote, "b", None);
        log.take_over(TakeoverOp::Rollback);
        log.end(Status::Committed);
        assert_eq!(log.left(), [""; 0], "it had landed");
    }

    #[test]
    fn restore_of_a_set_is_no_rollback() {
        let mut log = Log::at_a();
        for (op, to) in [(Op::Promote, "b"), (Op::Rollback, "a")] {
            log.begin(op, to, Some("set 1"));
            log.end(Status::Committed);
        }
        assert_eq!(log.left(), [""; 0]);
        log.moves(Op::Promote, "b");
        log.begin(Op::Rollback, "a", Some("set 2"));
        log.end(Status::Committed);
        assert_eq!(log.left(), ["b"], "the rollback of another set is one");
    }
}
