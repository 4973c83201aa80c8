//! Concludes from a read of the tag for the move that this worker holds: the rules of *Reads that lag* in
//! `docs/internals/protocol.md`.

#[cfg(test)]
use super::Rule;
use super::{Digest, Holding, Ms, Next, Op, Part, TagRead, Why};

impl Holding {
    /// *old-proves-nothing*: a read that was sent before this time may be older than a put of the move. A put that may
    /// still land after its answer was lost counts until its quiet time is over.
    fn proves_from(&self) -> Ms {
        let resolved = self.sent.accepted && !self.sent.unknown;
        let quiet_ms = if resolved { 0 } else { self.open.quiet_ms };
        let settle_ms = self.open.settle_ms.max(self.log.settle_ms);
        let from = self.sent.last.map_or(0, |at| at.saturating_add(quiet_ms).saturating_add(settle_ms));
        #[cfg(test)]
        let from = if self.worker.left_out == Some(Rule::OldProvesNothing) { self.sent.quiet } else { from };
        from
    }

    /// *foreign*: the value is neither live nor target nor past, nor the value that the tag had before the move.
    pub(super) fn is_foreign(&self, read: &TagRead) -> bool {
        let value = read.value;
        let known = [self.open.previous, Some(self.open.target), self.open.before()].contains(&value);
        !known && !self.log.is_past(value, read)
    }

    /// *target-proves-once*: a read of the target proves the move only if the tag can have this value by no other way,
    /// or if the registry accepted a put of this worker.
    fn is_proved_by(&self, read: &TagRead) -> bool {
        let target = Some(self.open.target);
        if read.value != target {
            return false;
        }
        match self.open.op {
            // This move takes the tag as it is.
            Op::Bootstrap if self.part == Part::Begun && self.sent.all == 0 => !self.log.is_unsettled(read),
            Op::Bootstrap | Op::Adopt if !self.puts => !self.log.is_unsettled(read),
            _ if !self.puts => !self.log.has_past(read),
            _ => {
                let had = self.open.previous == target
                    || self.log.is_past(target, read)
                    || self.log.state.trail.may_be(target).is_some();
                #[cfg(test)]
                let had = had && self.worker.left_out != Some(Rule::TargetProvesOnce);
                !had || self.sent.accepted
            }
        }
    }

    /// Concludes from a read after the last put, or after the takeover.
    pub(super) fn conclude(&mut self, read: TagRead, now: Ms) -> Next {
        let value = read.value;
        (self.looked, self.seen) = (read.sent, true);
        if self.is_proved_by(&read) {
            return self.outcome(value, None);
        }
        let (settled, foreign) = (!self.log.is_unsettled(&read), self.is_foreign(&read));
        let refused = self.sent.all > 0 && self.sent.all == self.sent.refused && self.open.epoch == 0;
        #[cfg(test)]
        let refused = refused || (self.worker.left_out == Some(Rule::FailedAlone) && self.sent.refused > 0);
        if refused {
            return self.outcome(value, Some(Why::PutRefused));
        }
        if self.is_untouched() && (!self.puts || value.is_some()) {
            return self.conclude_without_put(&read, settled, now);
        }
        if self.stop.is_some() || !self.puts {
            return self.conclude_closing(&read, settled && foreign, now);
        }
        // The tag is absent after an unknown put: a registry may delete the tag when it cleans up after its own error.
        let vanished = value.is_none() && self.sent.unknown && !self.sent.accepted;
        let foreign = foreign && !vanished;
        if foreign && self.sent.all == 0 {
            // A move that was taken over, and the tag is neither at its target nor at the value before it: send no put.
            self.stop = Some(Why::Overwritten(value));
            return self.conclude_closing(&read, settled, now);
        }
        let (proves_from, proves) = (self.proves_from(), read.sent >= self.proves_from());
        if self.sent.accepted || foreign {
            return match foreign {
                true if proves => self.overwritten(value),
                _ if proves || now >= self.deadline() => self.in_doubt(Why::StillOld(value)),
                _ => self.read_again(proves_from, now),
            };
        }
        // *old-proves-nothing* delays outcomes, not puts: the same target is put again after the quiet time.
        match now <= self.not_after() {
            true => self.guard(now),
            false if proves => self.outcome(value, Some(Why::Late)),
            false if now >= self.deadline() => self.in_doubt(Why::Unknown),
            false => self.read_again(proves_from, now),
        }
    }

    /// No worker has sent a put, and the tag is not proved to be at the target.
    fn conclude_without_put(&mut self, read: &TagRead, settled: bool, now: Ms) -> Next {
        match settled {
            true if read.value != Some(self.open.target) => self.overwritten(read.value),
            _ if now >= self.until() => self.outcome(read.value, Some(Why::Late)),
            _ => self.read_again(self.log.settled_at(read, now), now),
        }
    }

    /// *closing*: sends no put; reads until *old-proves-nothing* is over, but not beyond this worker's own ttl.
    fn conclude_closing(&mut self, read: &TagRead, foreign: bool, now: Ms) -> Next {
        let over = match self.part {
            Part::Abandon { at_once: true } => 0,
            _ => self.proves_from().min(self.until()),
        };
        #[cfg(test)]
        let over = if self.worker.left_out == Some(Rule::ClosingWaits) { 0 } else { over };
        match read.sent >= over || now >= self.until() {
            // Nothing is observed while the channel is unsettled.
            true if foreign => self.overwritten(read.value),
            true => self.outcome(read.value, Some(self.stop.unwrap_or(Why::Abandoned))),
            false => self.read_again(over, now),
        }
    }

    /// A foreign value is sure. A keyed `unchanged` puts nothing, so nothing of it was overwritten: the value is drift.
    fn overwritten(&mut self, value: Option<Digest>) -> Next {
        let drifted = !self.puts && !self.open.as_it_is;
        self.foreign(value, if drifted { Why::Drifted(value) } else { Why::Overwritten(value) })
    }
}
