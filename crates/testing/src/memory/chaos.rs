//! Chaos: faults drawn from a seed, so that the same calls in the same order meet the same faults.

use std::time::Duration;

use super::{Call, InjectedFault, ReadFault};
use tagwarden::Target;
use tagwarden::registry::pinned;

/// Random faults and latencies for every call without a scripted fault. The same seed draws the same faults.
///
/// ```
/// use std::time::Duration;
/// use tagwarden_testing::{RandomFaults, InjectedFault, TestImage};
/// let mut chaos = RandomFaults::new(7, 20);
/// chaos.puts.push(InjectedFault::ForeignAfter(TestImage::image(666).manifest));
/// assert_eq!(chaos.latency, Duration::from_millis(100));
/// ```
#[derive(Clone, Debug)]
pub struct RandomFaults {
    /// The seed of the random numbers.
    pub seed: u64,
    /// The percentage of calls that meet a fault: 0 to 100; a larger number counts as 100.
    pub percent: u8,
    /// The faults of puts, each equally likely; a duration or count is the largest that is drawn. The default is every
    /// fault except `Denied` and the foreign ones, with up to 10 s.
    pub puts: Vec<InjectedFault>,
    /// The faults of puts of pins, in the same way. The default is that of `puts`.
    pub pins: Vec<InjectedFault>,
    /// The faults of reads, in the same way; foreign writers never change pins. The default is `Unavailable`, `Busy`,
    /// `Stale` and `Slow`, with up to 10 s. `Lag` with a window makes some reads answer any value of the window;
    /// [`MemoryRegistry::lag`](super::MemoryRegistry::lag) makes all reads do so, with values drawn from this seed.
    pub reads: Vec<ReadFault>,
    /// The time after a change of a tag during which a `Stale` read, scripted or drawn, answers the earlier value;
    /// later it answers the current one. The default is 2 s.
    pub lag: Duration,
    /// The longest duration of a request, and of an answer; each is drawn separately. The default is 100 ms.
    pub latency: Duration,
}

impl RandomFaults {
    /// The longest delay of a late put or a slow read in the default lists.
    pub const LONGEST: Duration = Duration::from_secs(10);

    /// Chaos from `seed` for `percent` of all calls.
    pub fn new(seed: u64, percent: u8) -> RandomFaults {
        let most = RandomFaults::LONGEST;
        let puts = vec![
            InjectedFault::Before,
            InjectedFault::After,
            InjectedFault::refused("TOOMANYREQUESTS"),
            InjectedFault::Late(most),
            InjectedFault::Twice(most),
            InjectedFault::Slow(most),
            InjectedFault::Stale(3),
            InjectedFault::Gone,
            InjectedFault::Ignored,
        ];
        let reads = vec![ReadFault::Unavailable, ReadFault::Busy, ReadFault::Stale, ReadFault::Slow(most)];
        let pins = puts.clone();
        RandomFaults {
            seed,
            percent,
            puts,
            pins,
            reads,
            lag: Duration::from_secs(2),
            latency: Duration::from_millis(100),
        }
    }
}

/// Chaos with the current state of its random numbers.
#[derive(Debug)]
pub(super) struct Dice {
    chaos: RandomFaults,
    random: Random,
}

impl Dice {
    pub(super) fn new(chaos: RandomFaults) -> Dice {
        Dice { random: Random::new(chaos.seed), chaos }
    }

    pub(super) fn latency(&mut self) -> Duration {
        self.up_to(self.chaos.latency)
    }

    pub(super) fn put(&mut self, call: &Call) -> Option<InjectedFault> {
        let of_pin = is_of_pin(call);
        match self.draw(|chaos| if of_pin { &chaos.pins } else { &chaos.puts })? {
            InjectedFault::Late(most) => Some(InjectedFault::Late(self.up_to(most))),
            InjectedFault::Twice(most) => Some(InjectedFault::Twice(self.up_to(most))),
            InjectedFault::Slow(most) => Some(InjectedFault::Slow(self.up_to(most))),
            InjectedFault::Stale(most) => {
                Some(InjectedFault::Stale(1 + u32::try_from(self.random.below(most.into())).unwrap_or(0)))
            }
            other => Some(other),
        }
    }

    pub(super) fn read(&mut self, call: &Call) -> Option<ReadFault> {
        match self.draw(|chaos| &chaos.reads)? {
            ReadFault::ForeignBefore(_) | ReadFault::ForeignAfter(_) if is_of_pin(call) => None,
            ReadFault::Slow(most) => Some(ReadFault::Slow(self.up_to(most))),
            ReadFault::Past(most) => Some(ReadFault::Past(self.random.index(most.saturating_add(1)))),
            other => Some(other),
        }
    }

    /// The fault of the call, if it meets one.
    fn draw<T: Clone>(&mut self, list: impl Fn(&RandomFaults) -> &Vec<T>) -> Option<T> {
        if self.random.below(100) >= self.chaos.percent.into() {
            return None;
        }
        let list = list(&self.chaos);
        list.get(self.random.index(list.len())).cloned()
    }

    /// A random duration in whole milliseconds, so that people can read a history.
    fn up_to(&mut self, most: Duration) -> Duration {
        let most_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.random.below(most_ms.saturating_add(1)))
    }
}

/// Random numbers from a seed.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A random index into a list of this length; 0 if the list is empty.
    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// A random number below `bound`, 0 if `bound` is 0: splitmix64 (Steele, Lea, Flood 2014), with a bias below 2^-40
    /// here.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).checked_rem(bound).unwrap_or(0)
    }
}

fn is_of_pin(call: &Call) -> bool {
    let tag = match call {
        Call::Put { tag, .. } | Call::Resolve { tag, .. } => Some(tag),
        Call::Fetch { reference } => match reference.target() {
            Target::Tag(tag) => Some(tag),
            Target::Digest(_) => None,
        },
        Call::Tags { .. } | Call::HasBlob { .. } => None,
    };
    tag.is_some_and(|tag| pinned(tag).is_some())
}
