//! `GitLedger`: a ledger in a branch of a Git repository that many machines share.

mod address;
mod append;
mod branch;
mod build;
mod cache;
mod command;
mod commit;
mod credential;
mod crowd;
mod fetch;
mod init;
mod layout;
mod refusal;
mod repository;
mod seen;
mod tree;
mod turn;
mod view;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;

pub(super) use self::address::resolve;
use self::address::{Address, Env};
use self::branch::Branch;
use self::cache::Cache;
use self::turn::{Known, Turn};
use super::file::blocking;
use super::url::LedgerUrl;
use super::{Appended, IndexStore, Ledger, OpenMode};
use crate::error::{ErrorKind, Result};
use crate::secret::Secret;
use crate::value::{Channel, Timestamp};

/// A ledger in a branch of a Git repository, for any number of machines. It uses the `git` of this machine, 2.31 or
/// later.
///
/// - A log is the files `<registry>/<repository>/@<tag>/<first position>.jsonl`, one after the other: one entry a line,
///   100 entries a file. An append is a commit with one more line.
/// - A push succeeds only if the branch still points at the commit that was read (`--force-with-lease`). After every
///   failed push the branch is read again: the entries in it decide if the append succeeded, never the text of git or
///   of the server. If the branch cannot be read, the append is LEDGER_AMBIGUOUS.
/// - A read of the head fetches the tip of the branch alone, and files only when they are read. Appends to all channels
///   of one branch run one after the other, three to five a second.
/// - The cache (`$XDG_CACHE_HOME/tagwarden/git`, or `~/.cache/tagwarden/git`) has the head of each log that this
///   machine has read. If the log is shorter now, or the branch is gone, that is LEDGER_TRUNCATED; if another entry has
///   the position of the head, LEDGER_FORKED. A machine without a cache cannot detect that the branch lost entries:
///   protect the branch.
/// - An entry is as durable as the Git server makes it. A repository on this host (`git+file://`) is pushed to with
///   `core.fsync=all`, which git knows from 2.36 on.
/// - The repository, the index and the configuration of the working directory are never changed.
///
/// # URL
/// `git+https://host/path`, `git+http://host/path`, `git+ssh://git@host/path`, `git+file:///path`, or `git`: the
/// repository of the CI's job (GitHub, Gitea, Forgejo, GitLab), else `origin` of the working directory. `#branch` names another
/// branch than `tagwarden`.
///
/// # Credentials
/// The first of: [`GitLedger::token`], the password in the URL, TAGWARDEN_GIT_TOKEN, the header that Git in the working
/// directory sends (as after `actions/checkout`), CI_JOB_TOKEN for the job's own GitLab, and Git's own helpers and
/// keys.
///
/// Git runs on the blocking threads of the caller's tokio runtime. Dropping the future does not stop an append that has
/// begun.
#[derive(Clone)]
pub struct GitLedger {
    branch: Arc<Branch>,
    access: OpenMode,
    known: Arc<tokio::sync::Mutex<Known>>,
}

impl GitLedger {
    /// The ledger at `url`. No request is sent yet.
    ///
    /// CONFIG_INVALID if the URL is not that of a Git ledger, or if it is `git` and this process finds no repository;
    /// LEDGER_UNSUPPORTED if this machine has no git, or a git older than 2.31. If the branch does not exist, the first
    /// append makes it; with [`OpenMode::Read`], the first read is LEDGER_ABSENT. With [`OpenMode::Offline`] only the
    /// cache is read.
    pub async fn open(url: &str, access: OpenMode) -> Result<GitLedger> {
        GitLedger::at(&url.parse()?, access).await
    }

    /// As [`GitLedger::open`], at a URL that was parsed before.
    pub(super) async fn at(url: &LedgerUrl, access: OpenMode) -> Result<GitLedger> {
        let url = url.clone();
        blocking(ErrorKind::LedgerUnavailable, move || {
            command::check_version()?;
            let env: Env = &|name| std::env::var(name).ok();
            let address = Address::of(&url, env)?;
            // If no cache directory is known, the caller may still set one.
            let root = cache::root(env).unwrap_or_default();
            let cache = Cache::of(&root, &address.remote.url, &address.branch);
            let mut branch = Branch::new(address, cache);
            branch.is_offline = access == OpenMode::Offline;
            Ok(GitLedger { branch: Arc::new(branch), access, known: Arc::default() })
        })
        .await
    }

    /// Makes the branch at `url` with a `README.md` that says how to read it. If the branch exists, this adds the
    /// `README.md` and the `.gitattributes` that it lacks, and tries a push that writes nothing.
    ///
    /// Errors as in [`GitLedger::open`], and LEDGER_DENIED if the credential may not push.
    pub async fn init(url: &str) -> Result<()> {
        GitLedger::open(url, OpenMode::Write).await?.start().await
    }

    pub(super) async fn start(&self) -> Result<()> {
        self.with_turn(ErrorKind::LedgerUnavailable, |turn| turn.start()).await
    }

    /// Sets the directory of the cache; tagwarden makes the directory `git` in it. The default is
    /// `$XDG_CACHE_HOME/tagwarden`, or else `~/.cache/tagwarden`. If no directory is set and neither variable is, every
    /// read and append is CONFIG_INVALID.
    #[must_use]
    pub fn cache(self, dir: impl Into<PathBuf>) -> GitLedger {
        let Address { remote, branch, .. } = &self.branch.address;
        let cache = Cache::of(&dir.into(), &remote.url, branch);
        self.change(|branch| branch.cache = cache)
    }

    /// Sets the token for the server, which comes before every other credential. It is sent over `http` and `https`
    /// only.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> GitLedger {
        self.change(|branch| branch.token = Some(Secret::new(token)))
    }

    /// Sets the longest time of one fetch or push; 60 s by default. Then git and all its child processes are ended.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> GitLedger {
        self.change(|branch| branch.timeout = timeout)
    }

    fn change(self, change: impl FnOnce(&mut Branch)) -> GitLedger {
        let mut branch = self.branch.anew();
        change(&mut branch);
        GitLedger { branch: Arc::new(branch), known: Arc::default(), ..self }
    }

    /// Does `work` on a blocking thread, while no other task of this process uses the branch.
    async fn with_turn<T: Send + 'static>(
        &self,
        cut_short: ErrorKind,
        work: impl FnOnce(&mut Turn<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (branch, access) = (Arc::clone(&self.branch), self.access);
        let mut known = Arc::clone(&self.known).lock_owned().await;
        blocking(cut_short, move || work(&mut Turn { branch: &branch, known: &mut known, access })).await
    }

    /// As `with_turn`, for a read: no other process of this host uses the cache either. A read offline does not wait for
    /// another process, which may wait for a server that does not answer.
    async fn read_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Turn<'_>, Instant) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let asked = Instant::now();
        self.with_turn(ErrorKind::LedgerUnavailable, move |turn| {
            let _host = if turn.branch.is_offline { None } else { Some(turn.branch.lock()?) };
            work(turn, asked)
        })
        .await
    }
}

impl fmt::Debug for GitLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = format_args!("{}", self.branch.address.place);
        f.debug_struct("GitLedger").field("place", &place).field("access", &self.access).finish_non_exhaustive()
    }
}

#[async_trait]
impl Ledger for GitLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        self.size_since(channel, Instant::now()).await
    }

    async fn size_since(&self, channel: &Channel, since: Instant) -> Result<u64> {
        let channel = channel.clone();
        self.read_turn(move |turn, _| turn.size(&channel, since)).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let channel = channel.clone();
        self.read_turn(move |turn, asked| turn.read(&channel, from, limit, asked)).await
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let channel = channel.clone();
        self.with_turn(ErrorKind::LedgerAmbiguous, move |turn| turn.append(&channel, seq, &bytes)).await
    }

    fn as_of(&self) -> Option<Timestamp> {
        let seen = || self.branch.cache.seen_tip().ok().flatten().map(|(_, at)| at);
        if self.branch.is_offline { seen() } else { None }
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        self.read_turn(|turn, asked| turn.channels(asked)).await
    }

    fn index(&self) -> Option<&dyn IndexStore> {
        Some(self)
    }
}

/// A blob is a file in the cache of this machine.
#[async_trait]
impl IndexStore for GitLedger {
    async fn get(&self, channel: &Channel, name: &str) -> Result<Option<Bytes>> {
        let (branch, channel, name) = (Arc::clone(&self.branch), channel.clone(), name.to_owned());
        blocking(ErrorKind::LedgerUnavailable, move || branch.cache.blob(&channel, &name)).await
    }

    async fn put(&self, channel: &Channel, name: &str, blob: Bytes) -> Result<()> {
        if self.branch.is_offline {
            return Ok(());
        }
        let (branch, channel, name) = (Arc::clone(&self.branch), channel.clone(), name.to_owned());
        blocking(ErrorKind::LedgerUnavailable, move || branch.cache.put_blob(&channel, &name, &blob)).await
    }
}
