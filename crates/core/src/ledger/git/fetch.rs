//! Reads of the branch on the server, into the repository of the cache.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use super::address::{Address, SHORT};
use super::branch::{Attempt, BACKOFF, Branch, Trouble};
use super::cache::{FORCED, TIP};
use super::command::{Git, Output};
use super::refusal::{Call, Fault};
use crate::error::{Error, ErrorKind, Result};

/// The number of times that the tip is fetched before its error is reported, within the time of one call.
const TRIES: u32 = 3;

impl Branch {
    /// The commit at the tip of the branch now; none if the server has no such branch. The caller has locked
    /// the cache.
    ///
    /// Costs two requests over HTTP, three if the tip moved or was never read. LEDGER_TRUNCATED if there was a branch
    /// before, and LEDGER_FORKED if it was forced back.
    pub(super) fn fetch(&self) -> Result<Option<String>> {
        let (begun, mut tries, mut is_renewed) = (Instant::now(), 1, false);
        loop {
            match self.try_fetch() {
                Ok(tip) => {
                    self.cache.see_tip(&tip)?;
                    return Ok(Some(tip));
                }
                Err(Trouble::Fault(Fault::NoBranch)) => return self.no_branch(),
                Err(Trouble::Fault(Fault::Forced)) => return Err(self.forced()),
                Err(Trouble::Fault(Fault::Cache(_))) if !is_renewed => {
                    is_renewed = true;
                    self.cache.clear()?;
                }
                // The server has no filters, or does not give the objects that it left out; or it has another format.
                Err(Trouble::Fault(ref fault @ (Fault::NoFilter(_) | Fault::Format(_)))) if self.renew(fault)? => {}
                Err(Trouble::Fault(Fault::Unclear(_))) if tries < TRIES && begun.elapsed() < self.timeout => {
                    thread::sleep(BACKOFF.pause(tries));
                    tries += 1;
                }
                Err(trouble) => {
                    let error = self.error(trouble, "read the branch");
                    return Err(match self.cache.tip() {
                        Ok(Some(tip)) => error.with_context("copy", tip),
                        _ => error,
                    });
                }
            }
        }
    }

    fn try_fetch(&self) -> Attempt<String> {
        if self.cache.is_large() {
            self.cache.clear()?;
        }
        self.cache.remove_locks();
        self.make_repository(self.format.get().unwrap_or(&"sha1"))?;
        let is_cold = self.cache.tip()?.is_none();
        let how: &[&str] = match (is_cold, self.takes_all.load(Ordering::Relaxed)) {
            (true, false) => &["--depth=1", "--filter=blob:none"],
            (true, true) => &["--depth=1"],
            // With the filter of the first fetch, each new entry would be a fetch of its own.
            (false, _) => &["--no-filter"],
        };
        let output = self.fetch_ref(how, &format!("{}:{TIP}", self.address.branch_ref()))?;
        self.check(Call::Fetch, &output)?;
        self.cache.tip()?.ok_or_else(|| Fault::Cache("the ref of the tip is not there".to_owned()).into())
    }

    fn fetch_ref(&self, how: &[&str], refspec: &str) -> Attempt<Output> {
        let git = self.git(self.timeout)?.args(["fetch", "--no-tags", "--no-write-fetch-head"]).args(how);
        Ok(git.args([self.address.remote.url.as_str(), refspec]).run()?)
    }

    /// Makes the repository of the cache if there is none.
    fn make_repository(&self, format: &str) -> Attempt<()> {
        let (repository, anew) = (self.cache.repository(), self.cache.dir().join("repository.new"));
        if repository.join("HEAD").exists() {
            return Ok(());
        }
        self.cache.clear()?;
        let made = Git::outside(self.cache.dir(), SHORT)
            .args(["init", "--quiet", "--bare", "--template=", &format!("--object-format={format}")])
            .args([anew.as_os_str()])
            .run()?;
        self.check(Call::Fetch, &made)?;
        // A repository that was half made has another name.
        std::fs::rename(&anew, &repository).map_err(|e| self.cache.io("make the repository", e))?;
        Ok(())
    }

    /// The answer if the server has no such branch.
    fn no_branch(&self) -> Result<Option<String>> {
        let seen = self.cache.seen_tip()?;
        if self.cache.tip()?.is_none() && seen.is_none() {
            return Ok(None);
        }
        let Address { place, branch, remote, .. } = &self.address;
        let (seen, push) = match seen {
            None => Default::default(),
            Some((tip, at)) => (
                format!(", and was at {tip} when it was read at {at}"),
                format!(" that has this commit: git push {} {tip}:refs/heads/{branch}", remote.url),
            ),
        };
        let message = format!(
            "{place}: the branch {branch} is gone{seen}: someone has deleted or renamed it. Restore it from a clone{push}. If \
             it is meant to begin anew, remove {}",
            self.cache.dir().display()
        );
        Err(Error::new(ErrorKind::LedgerTruncated, message))
    }

    /// LEDGER_FORKED: the branch has another history than before. `Turn::of_logs` says which logs it changed.
    fn forced(&self) -> Error {
        // The commit is fetched for the message, and for the comparison of the logs.
        let fetched = self.fetch_ref(&["--no-filter"], &format!("+{}:{FORCED}", self.address.branch_ref()));
        let now = fetched.ok().filter(Output::is_ok).and_then(|_| self.forced_tip()).unwrap_or_default();
        let before = self.cache.tip().ok().flatten().unwrap_or_default();
        let Address { place, branch, .. } = &self.address;
        let (repository, dir) = (self.cache.repository(), self.cache.dir());
        let message = format!(
            "{place}: the branch {branch} was force-pushed, from {before} to {now}, which does not contain it. To restore \
             it: git --git-dir={} push --force-with-lease={branch}:{now} {} {before}:refs/heads/{branch}. If Git answers \
             `shallow update not allowed`, this machine does not have the older commits: push {before} from a full clone. \
             If the new history is the right one, remove {}",
            repository.display(),
            self.address.remote.url,
            dir.display()
        );
        Error::new(ErrorKind::LedgerForked, message)
    }

    /// The tip that a forced push left, as far as [`Branch::forced`] could fetch it.
    pub(super) fn forced_tip(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.cache.repository().join(FORCED)).ok()?;
        Some(text.trim().to_owned())
    }

    /// Fetches the blobs of this tree that are not in the cache, with one request for all of them.
    pub(super) fn fetch_blobs(&self, tree: &str, wanted: &[&str]) -> Attempt<()> {
        let listed = self.local(&["rev-list", "--objects", "--missing=print", "--no-walk", tree], None)?;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        let missing = listed.lines().filter_map(|line| line.strip_prefix('?')).filter(|id| wanted.contains(id));
        let missing: String = missing.map(|id| format!("{id}\n")).collect();
        if missing.is_empty() {
            return Ok(());
        }
        // A long log can take longer than a request.
        // If the server heard what is here, it would leave out what belongs to it.
        let git = self.git(10 * self.timeout)?.args(["-c", "fetch.negotiationAlgorithm=noop"]);
        let git = git.args(["fetch", "--no-tags", "--no-write-fetch-head"]);
        let git =
            git.args(["--filter=blob:none", "--recurse-submodules=no", "--stdin", self.address.remote.url.as_str()]);
        self.check(Call::Fetch, &git.input(missing).run()?)
    }
}
