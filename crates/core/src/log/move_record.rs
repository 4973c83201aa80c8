//! `MoveRecord`: a move as history shows it, made from its intent, its takeovers and its outcome.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::body::{Outcome, Status, Takeover, TakeoverOp};
use super::entry::{Body, Entry};
use super::intent::Intent;
use crate::error::words;
use crate::value::{Channel, Line, Provenance, Timestamp};

/// A move of a channel, from its intent to its outcome.
///
/// # JSON
/// Stable; fields are only ever added. `intent` and `outcome` hold the fields of the entries' bodies
/// (`docs/reference/ledger-format.md`); `outcome` is left out while the move is open.
/// ```json
/// {"channel":"registry.example.com/acme/shop:prod","seq":10,"at":"2026-11-23T06:12:31.123Z","status":"committed",
///  "intent":{"op":"promote","previous":"sha256:…","target":{"digest":"sha256:…","media_type":"…","size":497}},
///  "takeovers":[{"seq":11,"at":"2026-11-23T06:14:02.000Z","op":"recover","owner":"…","previous_owner":"…",
///                "epoch":1,"provenance":{"actor":{"id":"bob","kind":"human"},"pipeline":{"provider":"manual","run_id":"7"}}}],
///  "outcome":{"seq":12,"at":"2026-11-23T06:14:33.000Z","status":"committed","observed":"sha256:…"}}
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MoveRecord {
    /// The channel that the move is of.
    pub channel: Channel,
    /// The position of the intent.
    pub seq: u64,
    /// The time at which the intent was written, by the writer's clock.
    pub at: Timestamp,
    /// The intent.
    pub intent: Box<Intent>,
    /// The takeovers of the move, in order.
    pub takeovers: Vec<TakeoverRecord>,
    /// The end of the move; absent while it is open.
    pub outcome: Option<OutcomeRecord>,
}

/// A takeover of a move.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TakeoverRecord {
    /// Its position.
    pub seq: u64,
    /// The time at which it was written, by the writer's clock.
    pub at: Timestamp,
    /// The operation that the new worker was asked for.
    pub op: TakeoverOp,
    /// The new worker.
    pub owner: Line,
    /// The worker that held the move before.
    pub previous_owner: Line,
    /// One more than the epoch before; the epoch of the intent is 0.
    pub epoch: u64,
    /// The actor and the pipeline run of the takeover.
    pub provenance: Provenance,
}

/// The end of a move.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutcomeRecord {
    /// The position of the outcome.
    pub seq: u64,
    /// The time at which it was written, by the writer's clock.
    pub at: Timestamp,
    /// The outcome itself.
    #[serde(flatten)]
    pub outcome: Outcome,
}

words! {
    /// The status of a move in history.
    pub enum MoveStatus {
        /// It has an intent and no outcome yet.
        Open => "open",
        /// The tag was seen to point at the target.
        Committed => "committed",
        /// Every put was refused, or none was sent; the tag did not move.
        Failed => "failed",
        /// Closed without a result: it is not known that the move changed the tag.
        Aborted => "aborted",
    }
}

impl MoveRecord {
    /// The status of the move.
    pub fn status(&self) -> MoveStatus {
        match self.outcome.as_ref().map(|closing| closing.outcome.status) {
            None => MoveStatus::Open,
            Some(Status::Committed) => MoveStatus::Committed,
            Some(Status::Failed) => MoveStatus::Failed,
            Some(Status::Aborted) => MoveStatus::Aborted,
        }
    }
}

impl Serialize for MoveRecord {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = to.serialize_struct("MoveRecord", 7)?;
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

/// Collects the moves that begin in a range of one log's entries, oldest first and without gaps. The last one may be
/// open only because the range ends before its outcome.
///
/// The entries must have been checked ([`ChannelState::take`](super::ChannelState::take)), because no rule is checked
/// here. Entries that belong to no move (observations, holds, …) are skipped.
pub fn events<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Vec<MoveRecord> {
    let mut events: Vec<MoveRecord> = Vec::new();
    for Entry { channel, seq, at, body, .. } in entries {
        let (seq, at) = (*seq, *at);
        match body {
            Body::Intent(intent) => {
                let (channel, mut intent) = (channel.clone(), intent.clone());
                intent.target.hide_credentials();
                events.push(MoveRecord { channel, seq, at, intent, takeovers: Vec::new(), outcome: None });
            }
            Body::Takeover(takeover) => {
                let Takeover { op, owner, previous_owner, epoch, provenance, .. } = takeover.clone();
                if let Some(event) = last_at(&mut events, takeover.intent_seq) {
                    event.takeovers.push(TakeoverRecord { seq, at, op, owner, previous_owner, epoch, provenance });
                }
            }
            Body::Outcome(outcome) => {
                if let Some(event) = last_at(&mut events, outcome.intent_seq) {
                    event.outcome = Some(OutcomeRecord { seq, at, outcome: outcome.clone() });
                }
            }
            _ => {}
        }
    }
    events
}

/// The move whose intent is at `seq`; none if the intent is before the range.
fn last_at(events: &mut [MoveRecord], seq: u64) -> Option<&mut MoveRecord> {
    events.last_mut().filter(|event| event.seq == seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::PutStatus;

    /// The JSON that `MoveRecord` documents.
    #[test]
    fn the_json_is_as_documented() {
        let text = |text: &str| text.parse::<Line>().unwrap();
        let intent: Intent = serde_json::from_str(
            r#"{"op":"promote","move_id":"m","key":"k","request":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "target":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","media_type":"a/b","size":0},
                "source":{"reference":"reg.io/a:1"},"provenance":{"actor":{"id":"ada","kind":"human"},
                "pipeline":{"provider":"manual","run_id":"1"}},"decision":{"at":"1970-01-01T00:00:00.000Z","policy":{"name":"p","digest":
                "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"findings":[]},
                "owner":"w","epoch":0,"ttl_ms":1,"grace_ms":1,"quiet_ms":1,"settle_ms":1}"#,
        )
        .unwrap();
        let mut event = MoveRecord {
            channel: "reg.io/a:prod".parse().unwrap(),
            seq: 10,
            at: Timestamp::from_unix_ms(0),
            intent: Box::new(intent),
            takeovers: vec![TakeoverRecord {
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
        event.outcome = Some(OutcomeRecord {
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
