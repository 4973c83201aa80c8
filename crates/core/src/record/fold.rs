//! The fold of a channel's log: what is live, what was before, which move is open.
//!
//! The fold works on [`Step`]s, which are entries reduced to what it needs. The protocol's model check folds the same
//! steps, so that what is checked is what runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::entry::{Body, Hold, Leaf, Status};
use super::intent::{Deadlines, Intent, Op, Source};
use crate::error::{Error, ErrorKind};
use crate::value::{Channel, Digest, IdempotencyKey, Text, Timestamp};

/// A channel's log, folded up to some position.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChannelState {
    /// The channel.
    pub channel: Channel,
    /// How many entries were folded; the next one has this position.
    pub size: u64,
    /// The leaf hash of the last entry; absent in an empty log.
    pub leaf: Option<Leaf>,
    /// What the last committed move made the channel point at.
    pub live: Option<Digest>,
    /// The live digest before the last committed move that changed it.
    pub previous: Option<Digest>,
    /// The last committed move that changed the live digest.
    pub changed_by: Option<Op>,
    /// The move that is open, if one is.
    pub open: Option<OpenMove>,
    /// The last move that was closed.
    pub closed: Option<Closed>,
    /// Where the last intent stands.
    pub last_intent: Option<u64>,
    /// How many moves were committed.
    pub committed: u64,
    /// The last hold that was not released. It may have ended by itself: see [`ChannelState::held_at`].
    pub hold: Option<Standing>,
    /// Where the log goes on, if it was closed because it moved.
    pub moved: Option<GoesOn>,
}

/// A hold that was not released.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Standing {
    /// Where it stands.
    pub seq: u64,
    /// Why.
    pub reason: Text,
    /// Who.
    pub by: Text,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Where a log goes on, as its last entry says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GoesOn {
    /// Where that entry stands.
    pub seq: u64,
    /// The ledger.
    pub to: Text,
}

impl GoesOn {
    /// LEDGER_MIGRATED: nothing more can be written into the log of `channel`.
    pub fn error(&self, channel: &Channel) -> Error {
        let GoesOn { seq, to } = self;
        let message = format!("the log of {channel} was closed at seq {seq}: it goes on in {to}; use that ledger");
        Error::new(ErrorKind::LedgerMigrated, message).with("channel", channel).with("seq", seq).with("ledger", to)
    }
}

/// The move that holds a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpenMove {
    /// Where its intent stands.
    pub seq: u64,
    /// What it does.
    pub op: Op,
    /// Its id.
    pub move_id: Text,
    /// Its idempotency key.
    pub key: IdempotencyKey,
    /// The SHA-256 of its request.
    pub request: Digest,
    /// The live digest before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
    /// The digest it points the channel at.
    pub to: Digest,
    /// What the tag pointed at instead of the live digest, in a repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Digest>,
    /// True if it takes the tag as it is and never puts: an adoption, or a bootstrap without a target.
    pub as_it_is: bool,
    /// The worker that holds it.
    pub owner: Text,
    /// How often it was taken over.
    pub epoch: u64,
    /// The worker's times.
    pub deadlines: Deadlines,
    /// The longest quiet time of all workers that held it, in milliseconds.
    pub quiet_ms: u64,
}

impl OpenMove {
    /// The move that `intent` at `seq` opens.
    pub fn of(seq: u64, channel: &Channel, intent: &Intent) -> OpenMove {
        let itself = matches!(&intent.source, Source::Reference(source) if *source == channel.reference());
        OpenMove {
            seq,
            op: intent.op,
            move_id: intent.move_id.clone(),
            key: intent.key.clone(),
            request: intent.request,
            from: intent.from,
            to: intent.to.digest,
            replaced: intent.replaced,
            as_it_is: OpenMove::takes_as_it_is(intent.op, itself),
            owner: intent.owner.clone(),
            epoch: intent.epoch,
            deadlines: intent.deadlines,
            quiet_ms: intent.deadlines.quiet_ms,
        }
    }

    /// Whether a move takes the tag as it is; `itself` says that its source is the channel's own tag.
    pub(super) fn takes_as_it_is(op: Op, itself: bool) -> bool {
        op == Op::Adopt || (op == Op::Bootstrap && itself)
    }

    /// What the tag points at while this move has not landed.
    pub fn before(&self) -> Option<Digest> {
        match self.op {
            Op::Repair => self.replaced,
            _ => self.from,
        }
    }
}

/// A move that was closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Closed {
    /// Where its intent stands.
    pub seq: u64,
    /// Its id.
    pub move_id: Text,
    /// Who closed it.
    pub owner: Text,
    /// How it ended.
    pub status: Status,
    /// What it had made the tag point at, or was to.
    pub to: Digest,
}

/// An entry, reduced to what the fold needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A move begins; its `seq` is set by the fold.
    Intent(Box<OpenMove>),
    /// Another worker takes it over.
    Takeover {
        /// Where the intent stands.
        intent_seq: u64,
        /// The move.
        move_id: Text,
        /// The new worker.
        owner: Text,
        /// One more than before.
        epoch: u64,
        /// The worker before.
        previous_owner: Text,
        /// The new worker's times.
        deadlines: Deadlines,
    },
    /// It ends.
    Outcome {
        /// Where the intent stands.
        intent_seq: u64,
        /// The move.
        move_id: Text,
        /// Who closes it.
        owner: Text,
        /// The owner's epoch.
        epoch: u64,
        /// How.
        status: Status,
        /// What the tag pointed at last.
        observed: Option<Digest>,
    },
    /// An emergency stop.
    Hold(Standing),
    /// Its end.
    Release,
    /// The log goes on elsewhere.
    Moved(GoesOn),
    /// Anything that moves nothing: an observation, an approval, an adoption.
    Other,
}

impl Step {
    /// The step of an entry of `channel` at `seq`.
    pub fn of(seq: u64, channel: &Channel, body: &Body) -> Step {
        match body {
            Body::Intent(intent) => Step::Intent(Box::new(OpenMove::of(seq, channel, intent))),
            Body::Takeover(takeover) => Step::Takeover {
                intent_seq: takeover.intent_seq,
                move_id: takeover.move_id.clone(),
                owner: takeover.owner.clone(),
                epoch: takeover.epoch,
                previous_owner: takeover.previous_owner.clone(),
                deadlines: takeover.deadlines,
            },
            Body::Outcome(outcome) => Step::Outcome {
                intent_seq: outcome.intent_seq,
                move_id: outcome.move_id.clone(),
                owner: outcome.owner.clone(),
                epoch: outcome.epoch,
                status: outcome.status,
                observed: outcome.observed,
            },
            Body::Hold(Hold { reason, by, until }) => {
                Step::Hold(Standing { seq, reason: reason.clone(), by: by.clone(), until: *until })
            }
            Body::Release(_) => Step::Release,
            Body::Moved(moved) => Step::Moved(GoesOn { seq, to: moved.to.clone() }),
            Body::Observation(_) | Body::Approval(_) | Body::Adoption(_) => Step::Other,
        }
    }
}

macro_rules! defect_codes {
    ($($(#[doc = $doc:literal])+ $code:ident => $text:literal;)+) => {
        /// Which rule of the format an entry breaks. The table in `docs/ledger-format.md` is held to this enum by a test.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum DefectCode {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $code,)+
        }

        impl DefectCode {
            /// Every code, in the order in which an entry is checked.
            pub const ALL: &'static [DefectCode] = &[$(DefectCode::$code),+];

            /// The stable code.
            pub fn as_str(self) -> &'static str {
                match self { $(DefectCode::$code => $text,)+ }
            }

            /// The rule that is broken, in one sentence, as in `docs/ledger-format.md`.
            pub fn meaning(self) -> &'static str {
                match self { $(DefectCode::$code => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

defect_codes! {
    /// More than 32 KiB.
    TooLarge => "TOO_LARGE";
    /// Not a JSON object in UTF-8, deeper than 64 levels, or a key stands twice in one object.
    NotJson => "NOT_JSON";
    /// Another version than 1.
    TooNew => "TOO_NEW";
    /// Not the canonical bytes of what it says.
    NotCanonical => "NOT_CANONICAL";
    /// A control or bidirectional-override character in a key or string.
    ControlCharacter => "CONTROL_CHARACTER";
    /// A field is missing or not of its form, or the id stands in the log twice.
    Field => "FIELD";
    /// The position in the entry is not its position in the log.
    Sequence => "SEQUENCE";
    /// An entry of another channel.
    Channel => "CHANNEL";
    /// Something stands after the entry that says the log goes on elsewhere.
    AfterMoved => "AFTER_MOVED";
    /// The parent is not the hash of the entry before.
    Parent => "PARENT";
    /// A kind that this version does not know.
    Kind => "KIND";
    /// An intent, or the log's end, while a move is open.
    Interleaved => "INTERLEAVED";
    /// A bootstrap of a channel that has a live digest, or another move of one that has none.
    Bootstrap => "BOOTSTRAP";
    /// The move does not start from the live digest, or a repair does not lead to it.
    From => "FROM";
    /// No pipeline run or no actor.
    Provenance => "PROVENANCE";
    /// The key has moved the channel before.
    KeyReused => "KEY_REUSED";
    /// The takeover does not fit the open move.
    Takeover => "TAKEOVER";
    /// The outcome does not fit the open move.
    Outcome => "OUTCOME";
}

/// A rule that an entry breaks, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Defect {
    /// The entry's position in its log.
    pub seq: u64,
    /// Which rule.
    pub code: DefectCode,
    /// Why, for people.
    pub why: String,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seq {}: {}: {}", self.seq, self.code.as_str(), self.why)
    }
}

impl std::error::Error for Defect {}

impl From<Defect> for Error {
    /// LEDGER_TOO_NEW for what a later version may have written, otherwise LEDGER_CORRUPT.
    fn from(defect: Defect) -> Error {
        let kind = match defect.code {
            DefectCode::TooNew | DefectCode::Kind => ErrorKind::LedgerTooNew,
            _ => ErrorKind::LedgerCorrupt,
        };
        Error::new(kind, defect.to_string()).with("seq", defect.seq).with("defect", defect.code.as_str())
    }
}

/// Collects the first rule that is broken.
#[derive(Default)]
struct First(Option<(DefectCode, String)>);

impl First {
    fn bad(&mut self, code: DefectCode, why: impl FnOnce() -> String) {
        if self.0.is_none() {
            self.0 = Some((code, why()));
        }
    }
}

fn or_none(digest: Option<Digest>) -> String {
    digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string())
}

impl ChannelState {
    /// The state of a log without entries.
    pub fn empty(channel: Channel) -> ChannelState {
        ChannelState {
            channel,
            size: 0,
            leaf: None,
            live: None,
            previous: None,
            changed_by: None,
            open: None,
            closed: None,
            last_intent: None,
            committed: 0,
            hold: None,
            moved: None,
        }
    }

    /// The hold that stands at `now`.
    pub fn held_at(&self, now: Timestamp) -> Option<&Standing> {
        self.hold.as_ref().filter(|hold| hold.until.is_none_or(|until| now < until))
    }

    /// Takes the next entry in: its leaf hash and its step. The first rule that it breaks is the error; what it says
    /// has been taken in then as well, as far as it could be, so that a report can show the state.
    ///
    /// What needs the whole log (ids and keys that stand in it twice) is checked by the verifier, not here.
    pub fn fold(&mut self, leaf: Leaf, step: Step) -> Result<(), Defect> {
        let seq = self.size;
        let mut first = First::default();
        if let Some(GoesOn { seq: at, .. }) = self.moved {
            let why = format!("the log went on elsewhere at {at}");
            return Err(Defect { seq, code: DefectCode::AfterMoved, why });
        }
        self.size += 1;
        self.leaf = Some(leaf);
        match step {
            Step::Intent(next) => self.fold_intent(seq, *next, &mut first),
            Step::Takeover { intent_seq, move_id, owner, epoch, previous_owner, deadlines } => {
                match self.open.as_mut().filter(|open| open.seq == intent_seq && open.move_id == move_id) {
                    None => first.bad(DefectCode::Takeover, || "of an intent that is not open".to_owned()),
                    Some(open) => {
                        if epoch != open.epoch + 1 || previous_owner != open.owner {
                            first.bad(DefectCode::Takeover, || {
                                format!("epoch {epoch} from {previous_owner} after {} of {}", open.epoch, open.owner)
                            });
                        }
                        open.owner = owner;
                        open.epoch = epoch;
                        open.deadlines = deadlines;
                        open.quiet_ms = open.quiet_ms.max(deadlines.quiet_ms);
                    }
                }
            }
            Step::Outcome { intent_seq, move_id, owner, epoch, status, observed } => {
                match self.open.take_if(|open| open.seq == intent_seq && open.move_id == move_id) {
                    None => first.bad(DefectCode::Outcome, || "of an intent that is not open".to_owned()),
                    Some(open) if open.owner != owner || open.epoch != epoch => {
                        first.bad(DefectCode::Outcome, || {
                            format!("by {owner} at epoch {epoch}, but {} holds it at {}", open.owner, open.epoch)
                        });
                        self.open = Some(open);
                    }
                    Some(open) => self.fold_outcome(&open, status, observed, &mut first),
                }
            }
            Step::Hold(hold) => self.hold = Some(hold),
            Step::Release => self.hold = None,
            Step::Moved(goes_on) => {
                if let Some(open) = &self.open {
                    first.bad(DefectCode::Interleaved, || format!("moved while {} is open", open.seq));
                }
                self.moved = Some(goes_on);
            }
            Step::Other => {}
        }
        first.0.map_or(Ok(()), |(code, why)| Err(Defect { seq, code, why }))
    }

    fn fold_intent(&mut self, seq: u64, mut next: OpenMove, first: &mut First) {
        if let Some(open) = &self.open {
            return first.bad(DefectCode::Interleaved, || format!("intent while {} is open", open.seq));
        }
        let live = self.live;
        if (next.op == Op::Bootstrap) != live.is_none() {
            first.bad(DefectCode::Bootstrap, || {
                format!("{} in a log whose live digest is {}", next.op.as_str(), or_none(live))
            });
        } else if next.from != live {
            first.bad(DefectCode::From, || format!("from {} but live is {}", or_none(next.from), or_none(live)));
        } else if next.op == Op::Repair && Some(next.to) != live {
            first.bad(DefectCode::From, || "a repair to something other than the live digest".to_owned());
        }
        next.seq = seq;
        self.last_intent = Some(seq);
        self.open = Some(next);
    }

    fn fold_outcome(&mut self, open: &OpenMove, status: Status, observed: Option<Digest>, first: &mut First) {
        if status == Status::Committed {
            if observed != Some(open.to) {
                first.bad(DefectCode::Outcome, || format!("committed {} but observed {}", open.to, or_none(observed)));
            }
            if open.from != Some(open.to) {
                self.previous = open.from;
                self.changed_by = Some(open.op);
            }
            self.live = Some(open.to);
            self.committed += 1;
        }
        self.closed = Some(Closed {
            seq: open.seq,
            move_id: open.move_id.clone(),
            owner: open.owner.clone(),
            status,
            to: open.to,
        });
    }
}
