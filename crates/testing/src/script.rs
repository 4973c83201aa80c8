//! Scripts: the calls of a port, or the requests to a server, that meet a fault, and the fault of each.

use std::collections::VecDeque;
use std::fmt;

/// The faults of calls of the type `C`. A call meets the first scripted fault that applies to it, or else the fault of
/// the first rule that has one for it.
pub(crate) struct Script<C, F> {
    scripted: Vec<Scripted<C, F>>,
    rules: Vec<Rule<C, F>>,
}

type Rule<C, F> = Box<dyn FnMut(&C) -> Option<F> + Send>;

/// Faults of the calls for which `when` is true, one each, in this order.
struct Scripted<C, F> {
    when: Box<dyn Fn(&C) -> bool + Send>,
    faults: VecDeque<F>,
}

impl<C, F> Script<C, F> {
    pub(crate) fn push(&mut self, when: impl Fn(&C) -> bool + Send + 'static, faults: impl IntoIterator<Item = F>) {
        self.scripted.push(Scripted { when: Box::new(when), faults: faults.into_iter().collect() });
    }

    pub(crate) fn rule(&mut self, rule: impl FnMut(&C) -> Option<F> + Send + 'static) {
        self.rules.push(Box::new(rule));
    }

    pub(crate) fn take(&mut self, call: &C) -> Option<F> {
        let applies = |scripted: &&mut Scripted<C, F>| !scripted.faults.is_empty() && (scripted.when)(call);
        match self.scripted.iter_mut().find(applies) {
            Some(scripted) => scripted.faults.pop_front(),
            None => self.rules.iter_mut().find_map(|rule| rule(call)),
        }
    }

    /// The number of scripted faults that no call has met yet. Those of rules do not count.
    pub(crate) fn left(&self) -> usize {
        self.scripted.iter().map(|scripted| scripted.faults.len()).sum()
    }

    pub(crate) fn clear(&mut self) {
        *self = Script::default();
    }
}

impl<C, F> Default for Script<C, F> {
    fn default() -> Script<C, F> {
        Script { scripted: Vec::new(), rules: Vec::new() }
    }
}

impl<C, F: fmt::Debug> fmt::Debug for Script<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.scripted.iter().flat_map(|scripted| &scripted.faults)).finish()
    }
}
