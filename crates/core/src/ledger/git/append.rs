//! One append: a commit with one more line, pushed if the branch still is where it was read; and after anything but
//! success, the look at the branch that says what became of it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::branch::{Attempt, BACKOFF, Trouble};
use super::cache::Head;
use super::commit::{COMMITTER, Commit};
use super::layout::{ATTRIBUTES, LogDir, file_name, readme};
use super::refusal::{Call, Fault};
use super::tree::Tree;
use super::turn::{Known, Turn};
use super::view::{LogFile, View, leaf, text};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Appended, OpenMode};
use crate::log::Entry;
use crate::value::Channel;

/// The longest time for which an append is tried again while other writers come first.
const PATIENCE: Duration = Duration::from_secs(120);

/// The longest time for which the tip is read after a push whose result is not known.
const SETTLE: Duration = Duration::from_secs(45);

/// The number of pushes of one commit that the server does not accept although the branch did not move.
const TRIES: u32 = 5;

/// The pause in a crowd of writers is at most the time of the last append times two to the power of this.
pub(super) const STEPS: u32 = 3;

/// The least time that an append is taken to last.
const SHORTEST: Duration = Duration::from_millis(20);

/// An append that was built on a tip.
struct Built {
    commit: String,
    view: View,
}

/// The answer to one push.
enum Pushed {
    Done(Appended),
    /// The log was read anew, and is longer than before.
    Behind,
    /// Git does not say that the branch was moved from `base` to our commit.
    Failed {
        base: Option<String>,
        fault: Fault,
    },
}

/// The result of a push that failed, by the branch.
enum Settled {
    Done(Appended),
    /// Another channel's entry came first.
    Behind,
    Unmoved,
}

impl Turn<'_> {
    /// Stores the entry at `seq`, if that is the next position.
    pub(super) fn append(&mut self, channel: &Channel, seq: u64, bytes: &Bytes) -> Result<Appended> {
        let located = |e: Error| e.with_context("channel", channel).with_context("seq", seq);
        if self.access == OpenMode::Read {
            let message = format!("{}: the ledger was opened to be read only", self.branch.address.place);
            return Err(located(Error::new(ErrorKind::LedgerDenied, message)));
        }
        let entry = Entry::open(bytes).map_err(located)?;
        if entry.channel != *channel || entry.seq != seq {
            let message = "the entry does not say that it stands at this position of this channel";
            return Err(located(Error::new(ErrorKind::InternalFault, message)));
        }
        let begun = Instant::now();
        // The winner of the last race waits as long as the others, which may be as far as this now.
        let is_late = self.let_others_go_first();
        if is_late {
            let _turn = self.branch.turn()?;
            self.look_now().map_err(|e| located(self.of_channel(channel, e)))?;
        }
        let (mut behind, mut unmoved, mut in_doubt) = (0_u32, 0, false);
        loop {
            let pushed = {
                let _turn = self.branch.turn()?;
                self.push_once(channel, seq, bytes, &entry, begun).map_err(located)?
            };
            let settled = match pushed {
                Pushed::Done(appended) => Settled::Done(appended),
                Pushed::Behind => Settled::Behind,
                Pushed::Failed { base, fault } => {
                    if fault == Fault::Stale {
                        // The pause comes before the look: what is read before a pause is out of date after it.
                        self.known.crowd = STEPS.min(self.known.crowd + 1);
                        self.let_others_go_first();
                    }
                    // A refusal is an answer; after a lost answer, the push may still arrive.
                    in_doubt |= !matches!(fault, Fault::Refused(..) | Fault::Stale);
                    let settled = {
                        let _turn = self.branch.turn().map_err(ambiguous).map_err(located)?;
                        self.settle(channel, seq, bytes, &fault, base.as_ref()).map_err(located)?
                    };
                    if matches!(settled, Settled::Unmoved) {
                        unmoved += 1;
                        let is_final = matches!(fault, Fault::Refused(..));
                        if is_final || unmoved >= TRIES {
                            let error = self.branch.error(fault.into(), "append");
                            return Err(located(if in_doubt { ambiguous(error) } else { error }));
                        }
                        thread::sleep(BACKOFF.pause(unmoved));
                    }
                    settled
                }
            };
            match settled {
                Settled::Done(appended) => {
                    self.known.crowd = match (appended, behind) {
                        (Appended::Stored, 0) => self.known.crowd.saturating_sub(1),
                        (Appended::Stored, _) => self.known.crowd,
                        (Appended::Conflict, _) => STEPS.min(self.known.crowd + 1),
                    };
                    return Ok(appended);
                }
                Settled::Behind if begun.elapsed() < PATIENCE => {
                    behind += 1;
                    (in_doubt, unmoved) = (false, 0);
                }
                Settled::Behind => {
                    let place = &self.branch.address.place;
                    let seconds = PATIENCE.as_secs();
                    let message = format!("{place}: other writers came first {behind} times in {seconds} s");
                    return Err(located(Error::new(ErrorKind::LedgerUnavailable, message)));
                }
                Settled::Unmoved => {}
            }
        }
    }

    /// Waits for a random time if there are other writers. False if there are none.
    fn let_others_go_first(&self) -> bool {
        let Known { crowd, lasted, .. } = *self.known;
        if crowd > 0 {
            thread::sleep((lasted.max(SHORTEST) * (1 << crowd)).mul_f64(random()));
        }
        crowd > 0
    }

    /// Builds the append on the tip that was read last, and pushes it once.
    fn push_once(
        &mut self,
        channel: &Channel,
        seq: u64,
        bytes: &Bytes,
        entry: &Entry,
        since: Instant,
    ) -> Result<Pushed> {
        self.catch_up()?;
        let mut view = self.patiently("append", |turn| turn.view(channel))?;
        if seq > view.size() {
            // The entries before may be newer than the last look.
            self.look(since).map_err(|e| self.of_channel(channel, e))?;
            view = self.patiently("append", |turn| turn.view(channel))?;
        }
        if seq != view.size() {
            return self.taken(channel, &view, seq, bytes).map(Pushed::Done);
        }
        let begun = Instant::now();
        let built = self.patiently("append", |turn| {
            let view = turn.view(channel)?;
            // If the cache was made anew, the log may be longer than before.
            if view.size() == seq { turn.build(channel, &view, bytes, entry).map(Some) } else { Ok(None) }
        })?;
        let Some(built) = built else { return Ok(Pushed::Behind) };
        let base = self.known.tip.clone();
        let output = match self.branch.push(base.as_deref(), &built.commit) {
            Ok(output) => output,
            // Nothing was run.
            Err(trouble) => return Err(self.branch.error(trouble, "append")),
        };
        self.known.lasted = begun.elapsed();
        if output.is_ok() {
            self.stored(channel, begun, built)?;
            return Ok(Pushed::Done(Appended::Stored));
        }
        match self.branch.check(Call::Push, &output) {
            Err(Trouble::Fault(fault)) => Ok(Pushed::Failed { base, fault }),
            Err(Trouble::Error(error)) => Err(ambiguous(error)),
            Ok(()) => Ok(Pushed::Done(Appended::Stored)),
        }
    }

    /// Finds out what became of a push on `base` that failed. Only the branch says if the entry was stored. The words of
    /// git and the server are for people.
    fn settle(
        &mut self,
        channel: &Channel,
        seq: u64,
        bytes: &Bytes,
        fault: &Fault,
        base: Option<&String>,
    ) -> Result<Settled> {
        self.look_until_read(channel, fault)?;
        if self.known.tip.as_ref() == base {
            if self.branch.renew(fault)? {
                self.look_now()?;
            }
            return Ok(Settled::Unmoved);
        }
        // The lease does not fit any more, so that our commit can never arrive later.
        let view = self.patiently("append", |turn| turn.view(channel)).map_err(ambiguous)?;
        match view.size() > seq {
            true => self.taken(channel, &view, seq, bytes).map(Settled::Done).map_err(ambiguous),
            false => Ok(Settled::Behind),
        }
    }

    /// Takes the tip that another process of this host has read or pushed, and looks if none has.
    fn catch_up(&mut self) -> Result<()> {
        // An import appends many entries without a look between them.
        if self.branch.cache.is_large() {
            self.branch.cache.clear()?;
        }
        match self.branch.cache.tip()? {
            Some(tip) => self.known.tip = Some(tip),
            None if self.known.looked.is_none() => self.look_now()?,
            // The cache was removed, or there is no branch yet.
            None if self.known.tip.is_some() => self.look_now()?,
            None => {}
        }
        Ok(())
    }

    /// The result of an append at a position that is not the next one.
    fn taken(&self, channel: &Channel, view: &View, seq: u64, bytes: &Bytes) -> Result<Appended> {
        if seq > view.size() {
            return Ok(Appended::Conflict);
        }
        let there = match view.in_tail(seq) {
            Some(there) => Some(there.clone()),
            None => {
                let read = self.entries(channel, view, seq, 1).map_err(|e| self.branch.error(e, "read"))?;
                read.into_iter().next()
            }
        };
        Ok(if there.as_ref() == Some(bytes) { Appended::Stored } else { Appended::Conflict })
    }

    /// Reads the tip after a push without success, and again for as long as the server may be away.
    fn look_until_read(&mut self, channel: &Channel, fault: &Fault) -> Result<()> {
        let begun = Instant::now();
        let mut failed = 0;
        loop {
            let Err(error) = self.look_now() else { return Ok(()) };
            failed += 1;
            if error.kind() != ErrorKind::LedgerUnavailable || begun.elapsed() > SETTLE {
                let error = self.of_channel(channel, error);
                let said = self.branch.error(fault.clone().into(), "append");
                let message = format!("{}; and the branch cannot be read: {}", said.message(), error.message());
                return Err(ambiguous(Error::new(error.kind(), message)));
            }
            thread::sleep(BACKOFF.pause(failed));
        }
    }

    /// Records that our commit is the tip.
    fn stored(&mut self, channel: &Channel, begun: Instant, Built { commit, view }: Built) -> Result<()> {
        // The entry is stored, whatever happens to the cache now: the next look reads the branch again.
        let moved = self.branch.moved(&commit);
        if let Some(last) = view.tail.last() {
            let head = Head { channel: channel.clone(), leaf: leaf(last), size: view.size() };
            let _ = self.branch.cache.see(&head);
        }
        self.known.tip = Some(commit.clone());
        // If the cache has the tip from before, only a look may say what the log has now.
        self.known.looked = moved.is_ok().then_some(begun);
        self.keep(channel, commit, &Arc::new(view));
        Ok(())
    }

    /// Makes the commit with the entry, on the tip that was read last.
    fn build(&self, channel: &Channel, view: &View, bytes: &Bytes, entry: &Entry) -> Attempt<Built> {
        let (first, tail) = view.with(bytes);
        let blob = self.write_blob(text(&tail))?;
        let directory = LogDir::of(channel);
        let mut trees = self.trees(directory.parts())?;
        let (mut name, mut id) = (file_name(first), blob.clone());
        let mut log = None;
        // From the directory of the log up to the top.
        for depth in (0..trees.len()).rev() {
            let Some(tree) = trees.get_mut(depth) else { break };
            match depth == directory.parts().len() {
                true => tree.set_file(&name, &id),
                false => tree.set_directory(&name, &id),
            }
            if depth == 0 && self.known.tip.is_none() {
                self.add_notes(tree)?;
            }
            id = self.write_tree(tree)?;
            log.get_or_insert_with(|| id.clone());
            name = depth.checked_sub(1).and_then(|above| directory.parts().get(above)).cloned().unwrap_or_default();
        }
        let commit = self.write_commit(&id, &Commit::of(entry))?;
        let mut files = view.files.clone();
        files.retain(|file| file.first != first);
        files.push(LogFile { first, id: blob });
        Ok(Built { commit, view: View { tree: log, files, tail } })
    }

    /// The trees along a path at the tip, from the top on; empty ones where there are none.
    fn trees(&self, path: &[String]) -> Attempt<Vec<Tree>> {
        let Some(tip) = &self.known.tip else { return Ok(vec![Tree::default(); path.len() + 1]) };
        let paths = (0..=path.len()).map(|depth| path.get(..depth).unwrap_or_default().join("/"));
        let parse = |object: Option<super::tree::Object>| match object {
            Some(object) => Ok(Tree::parse(&object.bytes, object.id.len())?),
            None => Ok(Tree::default()),
        };
        self.branch.objects_at(tip, paths)?.into_iter().map(parse).collect()
    }

    /// Adds `README.md` and `.gitattributes` where there are none. True if one was added.
    fn add_notes(&self, top: &mut Tree) -> Attempt<bool> {
        let mut is_changed = false;
        for (name, text) in [("README.md", readme()), (".gitattributes", ATTRIBUTES)] {
            if !top.has(name) {
                top.set_file(name, &self.write_blob(text.into())?);
                is_changed = true;
            }
        }
        Ok(is_changed)
    }

    fn write_blob(&self, text: Vec<u8>) -> Attempt<String> {
        self.write(&[], &["hash-object", "-w", "--stdin"], text)
    }

    fn write_tree(&self, tree: &Tree) -> Attempt<String> {
        self.write(&[], &["mktree", "--missing", "-z"], tree.input())
    }

    /// The same commit for the same entry on the same tip, so that pushing it again is harmless.
    fn write_commit(&self, tree: &str, commit: &Commit) -> Attempt<String> {
        let mut arguments = vec!["commit-tree", tree];
        if let Some(tip) = &self.known.tip {
            arguments.extend(["-p", tip]);
        }
        let date = format!("@{} +0000", commit.seconds);
        let variables = [
            ("GIT_AUTHOR_NAME", commit.author.as_str()),
            ("GIT_AUTHOR_EMAIL", &commit.email),
            ("GIT_AUTHOR_DATE", &date),
            ("GIT_COMMITTER_NAME", COMMITTER.0),
            ("GIT_COMMITTER_EMAIL", COMMITTER.1),
            ("GIT_COMMITTER_DATE", &date),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.write(&variables, &arguments, commit.message.clone().into_bytes())
    }

    /// The id of the object that a call of git writes.
    fn write(&self, variables: &[(String, String)], arguments: &[&str], input: Vec<u8>) -> Attempt<String> {
        let id = self.branch.local_with(variables, arguments, Some(input))?;
        let id = String::from_utf8_lossy(&id).trim().to_owned();
        match matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => Ok(id),
            false => Err(Fault::Cache("git wrote an object and did not say its id".to_owned()).into()),
        }
    }

    /// Makes the branch with its `README.md`, or adds what it lacks of it; then tries a push that writes nothing.
    pub(super) fn start(&mut self) -> Result<()> {
        let mut tries = 1;
        loop {
            let _turn = self.branch.turn()?;
            self.look_now()?;
            let commit = self.patiently("make the branch", |turn| turn.notes_commit())?;
            let base = self.known.tip.clone();
            let output = match &commit {
                Some(commit) => self.branch.push(base.as_deref(), commit),
                None => self.branch.try_push(base.as_deref(), base.as_deref().unwrap_or_default()),
            };
            let output = output.map_err(|trouble| self.branch.error(trouble, "make the branch"))?;
            match (self.branch.check(Call::Push, &output), commit) {
                (Ok(()), Some(commit)) => {
                    let _ = self.branch.moved(&commit);
                    self.known.tip = Some(commit);
                    return Ok(());
                }
                (Ok(()), None) => return Ok(()),
                (Err(Trouble::Fault(Fault::Stale | Fault::Unclear(_))), _) if tries < TRIES => {
                    thread::sleep(BACKOFF.pause(tries));
                    tries += 1;
                }
                (Err(trouble), _) => return Err(self.branch.error(trouble, "make the branch")),
            }
        }
    }

    /// The commit that adds the notes to the tip; none if they are there.
    fn notes_commit(&self) -> Attempt<Option<String>> {
        let mut top = self.trees(&[])?.pop().unwrap_or_default();
        if !self.add_notes(&mut top)? {
            return Ok(None);
        }
        let tree = self.write_tree(&top)?;
        let now = crate::value::Clock::now(&crate::value::SystemClock).unix_ms() / 1000;
        let message = "begin the ledger\n\nREADME.md says how to read this branch.\n\n[skip ci]\n".to_owned();
        let (author, email) = COMMITTER;
        let commit = Commit { message, author: author.to_owned(), email: email.to_owned(), seconds: now };
        Ok(Some(self.write_commit(&tree, &commit)?))
    }
}

/// LEDGER_AMBIGUOUS because of `error`.
fn ambiguous(error: Error) -> Error {
    let message = format!("it is not known whether the entry was stored: {}", error.message());
    Error::new(ErrorKind::LedgerAmbiguous, message).with_source(error)
}

/// A random number from 0 to 1.
fn random() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}
