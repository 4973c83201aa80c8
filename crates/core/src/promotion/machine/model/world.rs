//! The world of a check: the log, the tag and the values it had, puts on their way, workers.

use super::*;
use crate::record::{ActiveHold, Closed, HoldScope};
use crate::value::Provenance;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) now: Ms,
    pub(super) log: Arc<ChannelState>,
    pub(super) committed: Vec<(IdempotencyKey, Replay)>,
    pub(super) tag: Option<Digest>,
    /// The values that the tag has no more and that a read may still answer, each with the time of its end.
    pub(super) window: Vec<(Option<Digest>, Ms)>,
    pub(super) flying: Vec<Flying>,
    /// Appends whose answer was lost, and that may still land.
    pub(super) late: Vec<(u64, Step)>,
    pub(super) workers: Vec<Slot>,
    pub(super) left: Left,
    pub(super) went_around: bool,
    /// True if a put of the open move landed.
    pub(super) landed: bool,
    pub(super) broken: Option<&'static str>,
}

/// What may still happen from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Left {
    pub(super) crashes: u8,
    pub(super) notes: u8,
    pub(super) holds: u8,
    pub(super) foreign: usize,
    pub(super) flaws: u8,
    pub(super) refusals: u8,
    pub(super) losses: u8,
}

/// A put whose answer was lost, on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flying {
    pub(super) move_id: Text,
    pub(super) to: Digest,
    pub(super) sent: Ms,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "most slots run")]
pub(super) enum Slot {
    Running { machine: Box<Machine>, todo: Todo, first_read: FirstRead },
    Ended,
    Crashed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "most machines move")]
pub(super) enum Machine {
    Move(Moving),
    Recovery(Clearing),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Todo {
    Do(Effect),
    /// Half of a look: the tag was resolved, the log is still to be read; or the other way round.
    ReadAfter(TagRead),
    ResolveAfter(LogRead),
    /// Asleep until then, or until the log has grown past this size.
    Asleep(Ms, u64),
}

impl World {
    pub(super) fn new(channel: Channel, left: Left) -> World {
        World {
            now: 0,
            log: Arc::new(ChannelState::empty(channel)),
            committed: vec![],
            tag: None,
            window: vec![],
            flying: vec![],
            late: vec![],
            workers: vec![],
            left,
            went_around: false,
            landed: false,
            broken: None,
        }
    }

    pub(super) fn breaks(&mut self, rule: &'static str) {
        self.broken.get_or_insert(rule);
    }

    pub(super) fn tick(&mut self, lag: Ms, longest: Ms) {
        self.now += 1;
        let now = self.now;
        self.window.retain(|(_, ended)| now < ended + lag);
        for slot in &mut self.workers {
            if let Slot::Running { first_read, .. } = slot {
                first_read.note_within(0, now, longest);
            }
        }
    }

    /// Appends a step, and holds it against the world.
    pub(super) fn append(&mut self, step: Step) {
        let mut log = ChannelState::clone(&self.log);
        let (size, open) = (log.size, log.open.clone());
        if let (Step::Outcome { status, put, .. }, Some(open)) = (&step, &open) {
            let committed = *status == Status::Committed;
            if committed && *put != PutStatus::None && !self.landed && !self.went_around {
                self.breaks("committed-was-put");
            }
            let closed = *status == Status::Failed || (*status == Status::Aborted && *put == PutStatus::None);
            let left_behind = self.landed || self.flying.iter().any(|put| put.move_id == open.move_id);
            if closed && left_behind {
                self.breaks("closed-is-closed");
            }
        }
        if matches!(step, Step::Observation { .. }) && !self.went_around && self.tag == self.log.live && open.is_none()
        {
            self.breaks("no-false-word");
        }
        if matches!(step, Step::Intent { .. }) {
            self.landed = false;
        }
        if log.fold(digest(&format!("{size}")), step).is_err() {
            self.breaks("no-interleaving");
        }
        if let (Some(open), Some(Closed { status: Status::Committed, .. }), None) = (open, &log.closed, &log.open) {
            if self.committed.iter().any(|(key, _)| *key == open.key) {
                self.breaks("key-once");
            }
            self.committed.push((open.key, Replay { seq: open.seq, request: open.request, target: open.target }));
        }
        self.log = Arc::new(log);
    }

    pub(super) fn write(&mut self, to: Option<Digest>, lag: Ms) {
        let (before, now) = (self.tag, self.now);
        if before != to && lag > 0 {
            self.window.retain(|(value, _)| *value != before);
            self.window.push((before, now));
            self.window.sort_unstable();
        }
        self.tag = to;
    }

    pub(super) fn land(&mut self, move_id: &Text, to: Digest, lag: Ms) {
        match self.log.open.as_ref().is_some_and(|open| open.move_id == *move_id) {
            true => self.landed = true,
            false => self.breaks("intent-before-put: a put landed outside of its move"),
        }
        self.write(Some(to), lag);
    }

    pub(super) fn hold(&mut self) {
        self.left.holds -= 1;
        let (seq, provenance) = (self.log.size, Provenance::new("manual", "1", "b").unwrap());
        let hold = ActiveHold { seq, scope: HoldScope::All, reason: text("r"), provenance, until: None };
        self.append(Step::Hold(Box::new(hold)));
    }

    /// The log, as the worker at `at` reads it now.
    pub(super) fn read(&mut self, setup: &Setup, at: usize) -> LogRead {
        let (goal, deadlines) = &setup.goals[at];
        let key = match goal {
            Goal::Move(ask) => Some(&ask.key),
            Goal::Recover(_) => None,
        };
        let replay = self.committed.iter().find(|(known, _)| Some(known) == key).map(|(_, replay)| *replay);
        let (size, now) = (self.log.size, self.now);
        let first_read = match &mut self.workers[at] {
            Slot::Running { first_read, .. } => {
                first_read.note_within(size, now, setup.longest());
                first_read.clone()
            }
            _ => FirstRead::default(),
        };
        let (state, held) = (Arc::clone(&self.log), !self.log.holds.is_empty());
        LogRead { state, replay, held, first_read, settle_ms: deadlines.settle_ms }
    }
}
