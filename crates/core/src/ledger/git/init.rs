//! The beginning of a branch: its `README.md` and `.gitattributes`.

use std::thread;

use super::append::TRIES;
use super::branch::{Attempt, BACKOFF, Trouble};
use super::commit::{COMMITTER, Commit};
use super::layout::TOP_FILES;
use super::refusal::{Call, Fault};
use super::turn::Turn;
use crate::error::Result;
use crate::value::{Clock, SystemClock};

impl Turn<'_> {
    /// Makes the branch with its `README.md`, or adds what it lacks of it; then tries a push that writes nothing.
    pub(super) fn start(&mut self) -> Result<()> {
        let mut tries = 1;
        loop {
            let _lock = self.branch.lock()?;
            self.look_now()?;
            let commit = self.patiently("make the branch", |turn| turn.top_files_commit())?;
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
                (Err(Trouble::Fault(Fault::Stale(_) | Fault::Unclear(_))), _) if tries < TRIES => {
                    thread::sleep(BACKOFF.pause(tries));
                    tries += 1;
                }
                (Err(Trouble::Fault(fault)), _) if tries < TRIES && self.branch.renew(&fault)? => tries += 1,
                (Err(trouble), _) => return Err(self.branch.error(trouble, "make the branch")),
            }
        }
    }

    /// The commit that adds the notes to the tip; none if they are there.
    fn top_files_commit(&self) -> Attempt<Option<String>> {
        let found = match &self.known.tip {
            Some(tip) => self.branch.names(tip, TOP_FILES.map(|(name, _)| name).as_slice())?,
            None => Vec::new(),
        };
        let missing = TOP_FILES.iter().filter(|(name, _)| !found.iter().any(|found| found == name));
        let missing: Vec<_> = missing.map(|(name, text)| (*name, text.as_bytes())).collect();
        if missing.is_empty() {
            return Ok(None);
        }
        let now = SystemClock.now().unix_ms() / 1000;
        let message = "begin the ledger\n\nREADME.md says how to read this branch.\n\n[skip ci]\n".to_owned();
        let (author, email) = COMMITTER;
        let commit = Commit { message, author: author.to_owned(), email: email.to_owned(), seconds: now };
        let [commit] = self.commit(&commit, &missing, [])?;
        Ok(Some(commit))
    }
}
