//! `PromotionEvent`: a move as history shows it, the fold of its intent, its takeovers and its outcome.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::body::{Outcome, Status, Takeover, TakeoverOp};
use super::entry::{Body, Entry};
use super::intent::Intent;
use crate::value::{Channel, Provenance, Text, Timestamp};

/// A move of a channel, from its intent to its outcome.
///
/// # JSON
/// Stable; fields are only ever added. `intent` and `outcome` hold the fields of the entries' bodies
/// (`docs/ledger-format.md`); `outcome` is left out while the move is open.
/// ```json
/// {"channel":"registry.example.com/acme/shop:prod","seq":10,"at":"2026-11-23T06:12:31.123Z","status":"committed",
///  "intent":{"op":"promote","previous":"sha256:…","target":{"digest":"sha256:…","media_type":"…","size":497}},
///  "takeovers":[{"seq":11,"at":"2026-11-23T06:14:02.000Z","op":"recover","owner":"…","previous_owner":"…",
///                "epoch":1,"provenance":{"actor":{"id":"bob","kind":"human"},"pipeline":{"provider":"manual","run_id":"7"}}}],
///  "outcome":{"seq":12,"at":"2026-11-23T06:14:33.000Z","status":"committed","observed":"sha256:…"}}
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PromotionEvent {
    /// What moved.
    pub channel: Channel,
    /// Where the intent stands.
    pub seq: u64,
    /// When the intent was written.
    pub at: Timestamp,
    /// The intent.
    pub intent: Box<Intent>,
    /// The workers that took the move over, in order.
    pub takeovers: Vec<TakenOver>,
    /// How it ended; absent while it is open.
    pub outcome: Option<Closing>,
}

/// A takeover of a move.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TakenOver {
    /// Its position.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What the new worker was asked for.
    pub op: TakeoverOp,
    /// The new worker.
    pub owner: Text,
    /// The worker before.
    pub previous_owner: Text,
    /// One more than before; the intent's own is 0.
    pub epoch: u64,
    /// Who took it over.
    pub provenance: Provenance,
}

/// The end of a move.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Closing {
    /// Where the outcome stands.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a move stands in history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventStatus {
    /// It has an intent and no outcome yet.
    Open,
    /// The tag was seen to point at the target.
    Committed,
    /// The registry refused; nothing moved.
    Failed,
    /// Closed without effect.
    Aborted,
}

impl EventStatus {
    /// The word used in JSON: `open`, `committed`, `failed` or `aborted`.
    pub fn as_str(self) -> &'static str {
        match self {
            EventStatus::Open => "open",
            EventStatus::Committed => "committed",
            EventStatus::Failed => "failed",
            EventStatus::Aborted => "aborted",
        }
    }
}

impl PromotionEvent {
    /// How the move stands.
    pub fn status(&self) -> EventStatus {
        match self.outcome.as_ref().map(|closing| closing.outcome.status) {
            None => EventStatus::Open,
            Some(Status::Committed) => EventStatus::Committed,
            Some(Status::Failed) => EventStatus::Failed,
            Some(Status::Aborted) => EventStatus::Aborted,
        }
    }
}

impl Serialize for PromotionEvent {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = to.serialize_struct("PromotionEvent", 7)?;
        fields.serialize_field("channel", &self.channel)?;
        fields.serialize_field("seq", &self.seq)?;
        fields.serialize_field("at", &self.at)?;
        fields.serialize_field("status", &self.status())?;
        fields.serialize_field("intent", &self.intent)?;
        fields.serialize_field("takeovers", &self.takeovers)?;
        match &self.outcome {
            Some(outcome) => fields.serialize_field("outcome", outcome)?,
            None => fields.skip_field("outcome")?,
        }
        fields.end()
    }
}

/// The moves of a run of entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// Those whose intents are in the run, oldest first. The last one may be open only because the run ends there.
    pub events: Vec<PromotionEvent>,
    /// Where the intent stands that the run has only the end of: a pager that reads from there on, instead of from where
    /// the run begins, has that move whole. At most one can be, since moves do not interleave.
    pub cut: Option<u64>,
}

/// Folds a run of one log's entries, oldest first and without gaps, into the moves that begin in it.
///
/// The entries must have been checked ([`ChannelState::take`](super::ChannelState::take)): nothing is judged here, and
/// what belongs to no move (observations, holds, …) is passed over.
pub fn events<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Window {
    let mut window = Window::default();
    for entry in entries {
        match &entry.body {
            Body::Intent(intent) => window.events.push(PromotionEvent {
                channel: entry.channel.clone(),
                seq: entry.seq,
                at: entry.at,
                intent: intent.clone(),
                takeovers: Vec::new(),
                outcome: None,
            }),
            Body::Takeover(takeover) => {
                let (seq, at) = (entry.seq, entry.at);
                let Takeover { op, owner, previous_owner, epoch, provenance, .. } = takeover.clone();
                if let Some(event) = window.of(takeover.intent_seq) {
                    event.takeovers.push(TakenOver { seq, at, op, owner, previous_owner, epoch, provenance });
                }
            }
            Body::Outcome(outcome) => {
                if let Some(event) = window.of(outcome.intent_seq) {
                    event.outcome = Some(Closing { seq: entry.seq, at: entry.at, outcome: outcome.clone() });
                }
            }
            _ => {}
        }
    }
    window
}

impl Window {
    /// The move whose intent stands at `seq`; if that is before the run, it is noted.
    fn of(&mut self, seq: u64) -> Option<&mut PromotionEvent> {
        let last = self.events.last_mut().filter(|event| event.seq == seq);
        if last.is_none() {
            self.cut = Some(seq);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PutStatus;

    /// The shape that `PromotionEvent` documents.
    #[test]
    fn the_json_is_as_documented() {
        let text = |text: &str| text.parse::<Text>().unwrap();
        let intent: Intent = serde_json::from_str(
            r#"{"op":"promote","move_id":"m","key":"k","request":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "target":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","media_type":"a/b","size":0},
                "source":{"reference":"reg.io/a:1"},"provenance":{"actor":{"id":"ada","kind":"human"},
                "pipeline":{"provider":"manual","run_id":"1"}},"decision":{"at":"1970-01-01T00:00:00.000Z","policy":{"name":"p","digest":
                "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"findings":[]},
                "owner":"w","epoch":0,"ttl_ms":1,"grace_ms":1,"quiet_ms":1,"settle_ms":1}"#,
        )
        .unwrap();
        let mut event = PromotionEvent {
            channel: "reg.io/a:prod".parse().unwrap(),
            seq: 10,
            at: Timestamp::from_unix_ms(0),
            intent: Box::new(intent),
            takeovers: vec![TakenOver {
                seq: 11,
                at: Timestamp::from_unix_ms(1),
                op: TakeoverOp::Recover,
                owner: text("x"),
                previous_owner: text("w"),
                epoch: 1,
                provenance: Provenance::new("manual", "1", "bob").unwrap(),
            }],
            outcome: None,
        };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["status"], "open");
        assert_eq!(json["intent"]["target"]["media_type"], "a/b");
        assert!(json.get("outcome").is_none());
        assert_eq!(
            json["takeovers"][0].to_string(),
            concat!(
                r#"{"at":"1970-01-01T00:00:00.001Z","epoch":1,"op":"recover","owner":"x","previous_owner":"w","#,
                r#""provenance":{"actor":{"id":"bob","kind":"human"},"pipeline":{"provider":"manual","run_id":"1"}},"seq":11}"#
            )
        );
        event.outcome = Some(Closing {
            seq: 12,
            at: Timestamp::from_unix_ms(2),
            outcome: Outcome {
                move_id: text("m"),
                intent_seq: 10,
                owner: text("x"),
                epoch: 1,
                status: Status::Aborted,
                observed: None,
                attempts: 0,
                put: PutStatus::Unknown,
                recovered: true,
                error: None,
            },
        });
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!((&json["status"], &json["outcome"]["status"]), (&"aborted".into(), &"aborted".into()));
        assert_eq!((&json["outcome"]["seq"], &json["outcome"]["at"]), (&12.into(), &"1970-01-01T00:00:00.002Z".into()));
    }
}
