//! `Branch`: the branch on the server, its copy in the cache, and the calls of git between them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::address::{Address, SHORT};
use super::cache::Cache;
use super::command::{Git, Output};
use super::credential::{self, Credential};
use super::refusal::{At, Call, Fault, Said};
use super::tree::{self, Object};
use crate::backoff::Backoff;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::file::disk::DiskFile;
use crate::secret::Secret;

/// The longest time of a call of git that asks the server, unless [`super::GitLedger::timeout`] sets another.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);

/// The pauses between two fetches after an error that may pass.
pub(super) const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(2) };

/// The result of a call of git.
pub(super) type Attempt<T> = Result<T, Trouble>;

/// The reason why something did not succeed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Git or the server refused, or the cache is broken.
    Fault(Fault),
    /// Everything else.
    Error(Error),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        Trouble::Fault(fault)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Error(error)
    }
}

/// The branch of a ledger.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) address: Address,
    pub(super) cache: Cache,
    /// The token that the caller gave.
    pub(super) token: Option<Secret>,
    pub(super) timeout: Duration,
    /// True if only the cache is read.
    pub(super) is_offline: bool,
    /// True after the server did not give an object that it had left out: then nothing is left out any more.
    pub(super) takes_all: AtomicBool,
    /// The hash algorithm of the server's repository, if it was found to be another one than that of the cache.
    pub(super) format: OnceLock<&'static str>,
    credential: OnceLock<Option<Credential>>,
    /// True if SSH is started with its own settings alone.
    has_plain_ssh: OnceLock<bool>,
}

impl Branch {
    pub(super) fn new(address: Address, cache: Cache) -> Branch {
        Branch {
            address,
            cache,
            token: None,
            timeout: TIMEOUT,
            is_offline: false,
            takes_all: AtomicBool::new(false),
            format: OnceLock::new(),
            credential: OnceLock::new(),
            has_plain_ssh: OnceLock::new(),
        }
    }

    /// The same branch, with nothing known of it.
    pub(super) fn anew(&self) -> Branch {
        let Branch { address, cache, token, timeout, is_offline, .. } = self;
        let anew = Branch::new(address.clone(), cache.clone());
        Branch { token: token.clone(), timeout: *timeout, is_offline: *is_offline, ..anew }
    }

    /// Locks the cache against the other processes of this host.
    pub(super) fn lock(&self) -> Result<Box<dyn DiskFile>> {
        self.cache.make()?;
        self.cache.lock(Instant::now() + 2 * self.timeout)
    }

    /// The objects of these names (`<commit>:<path>` or ids), none for a name that is no object. A blob that is not in
    /// the cache is fetched.
    pub(super) fn objects(&self, names: &[String]) -> Attempt<Vec<Option<Object>>> {
        let git = self.git(self.timeout)?.args(["cat-file", "--batch"]);
        let output = git.input(names.iter().map(|name| format!("{name}\n")).collect::<String>()).run()?;
        self.check(Call::Fetch, &output)?;
        let found = tree::objects(&output.out, names.len());
        let found = found.ok_or_else(|| Fault::Cache("git cat-file gave no answer for some objects".to_owned()))?;
        let said = said(&output);
        let is_error = said.err.lines().any(|line| line.starts_with("error: ") || line.starts_with("fatal: "));
        if is_error && found.iter().any(Option::is_none) {
            // An object that git cannot read, or before 2.39 cannot fetch, is missing to it: it says so, and ends with 0.
            return Err(Fault::of(Call::Fetch, &said, &self.at()).into());
        }
        Ok(found)
    }

    /// The objects at these paths in the commit `tip`, none where there is none.
    pub(super) fn objects_at(
        &self,
        tip: &str,
        paths: impl IntoIterator<Item = String>,
    ) -> Attempt<Vec<Option<Object>>> {
        let paths = paths.into_iter().map(|path| format!("{tip}:{path}"));
        // Without the commit, every path would be missing.
        let mut found = self.objects(&std::iter::once(tip.to_owned()).chain(paths).collect::<Vec<_>>())?;
        match found.first() {
            Some(Some(_)) => Ok(found.split_off(1)),
            _ => Err(Fault::Cache(format!("it does not have the commit {tip}")).into()),
        }
    }

    /// The names of all files at `tip`.
    pub(super) fn files(&self, tip: &str) -> Attempt<Vec<String>> {
        self.listed(&["-r", tip])
    }

    /// Those of the `names` at the top that the commit `tip` has.
    pub(super) fn names(&self, tip: &str, names: &[&str]) -> Attempt<Vec<String>> {
        self.listed(&[&[tip, "--"], names].concat())
    }

    fn listed(&self, what: &[&str]) -> Attempt<Vec<String>> {
        let arguments = [&["ls-tree", "-z", "--name-only", "--full-tree"], what].concat();
        let listed = self.local(&arguments, None)?;
        Ok(listed.split(|byte| *byte == 0).filter_map(|name| String::from_utf8(name.to_owned()).ok()).collect())
    }

    /// The output of a call that asks no server. If it fails, the cache is broken.
    pub(super) fn local(&self, arguments: &[&str], input: Option<Vec<u8>>) -> Attempt<Vec<u8>> {
        let mut git = self.git(self.timeout)?.args(arguments);
        if let Some(input) = input {
            git = git.input(input);
        }
        let output = git.run()?;
        match output.is_ok() {
            true => Ok(output.out),
            false => Err(Fault::Cache(self.words(&output)).into()),
        }
    }

    /// Pushes `commit`, if the branch on the server still is at `base`; none if there must be no branch.
    pub(super) fn push(&self, base: Option<&str>, commit: &str) -> Attempt<Output> {
        self.push_with(base, commit, &[])
    }

    /// As [`Branch::push`], but nothing is written.
    pub(super) fn try_push(&self, base: Option<&str>, commit: &str) -> Attempt<Output> {
        self.push_with(base, commit, &["--dry-run"])
    }

    fn push_with(&self, base: Option<&str>, commit: &str, how: &[&str]) -> Attempt<Output> {
        let head = self.address.branch_ref();
        let lease = format!("--force-with-lease={head}:{}", base.unwrap_or_default());
        let mut git = self.git(self.timeout)?.args(["push", "--porcelain", lease.as_str()]).args(how);
        if self.address.remote.url.starts_with("file://") {
            git = git.args(["--receive-pack=git -c core.fsync=all receive-pack"]);
        }
        Ok(git.args([self.address.remote.url.clone(), format!("{commit}:{head}")]).run()?)
    }

    /// Makes the cache anew after `fault`. False if that does not help against it.
    pub(super) fn renew(&self, fault: &Fault) -> Result<bool> {
        let helps = match fault {
            Fault::Cache(_) => true,
            Fault::NoFilter(_) => !self.takes_all.swap(true, Ordering::Relaxed),
            Fault::Format(_) => self.format.set(self.cache.other_format()).is_ok(),
            _ => false,
        };
        if helps && !self.is_offline {
            self.cache.clear()?;
        }
        Ok(helps && !self.is_offline)
    }

    /// Notes that the branch is at `commit`, after this process pushed it.
    pub(super) fn moved(&self, commit: &str) -> Result<()> {
        self.cache.set_tip(commit)?;
        self.cache.see_tip(commit)
    }

    /// The meaning of a call that did not succeed.
    pub(super) fn check(&self, call: Call, output: &Output) -> Attempt<()> {
        if output.is_ok() {
            return Ok(());
        }
        if !output.in_time {
            let seconds = self.timeout.as_secs_f64();
            return Err(Fault::Unclear(format!("no answer within {seconds} s")).into());
        }
        Err(Fault::of(call, &said(output), &self.at()).into())
    }

    /// The words of git and the server.
    fn words(&self, output: &Output) -> String {
        super::refusal::shown(&said(output), self.at().credential)
    }

    fn at(&self) -> At<'_> {
        let Address { place, remote, branch, ci } = &self.address;
        let credential = self.credential.get().and_then(Option::as_ref);
        At { place, remote: &remote.url, branch, credential, ci: ci.as_deref() }
    }

    /// The error of the operation `what`.
    pub(super) fn error(&self, trouble: Trouble, what: &str) -> Error {
        match trouble {
            Trouble::Fault(_) if self.is_offline => {
                let (place, dir) = (&self.address.place, self.cache.dir().display());
                let why = "this machine's copy does not have every file that is needed: run the command once online";
                let message = format!("{place}: cannot {what}: {why}");
                Error::new(ErrorKind::LedgerUnavailable, message).with_context("cache", dir)
            }
            Trouble::Fault(fault) => fault.into_error(what, &self.at()),
            Trouble::Error(error) => error,
        }
    }

    /// A call of git in the repository of the cache, with the credential for the server.
    pub(super) fn git(&self, limit: Duration) -> Attempt<Git> {
        let repository = self.cache.repository();
        if !repository.join("HEAD").exists() {
            return Err(Fault::Cache("it has no repository".to_owned()).into());
        }
        let git = Git::within(&repository, limit);
        if self.is_offline {
            // An object that is not in the cache must not be fetched.
            return Ok(git.variable("GIT_ALLOW_PROTOCOL", "none"));
        }
        let remote = &self.address.remote;
        let credential = self.credential()?;
        let env = |name: &str| std::env::var(name).ok();
        let settings = credential::appended(&env, &credential::settings(remote, credential))?;
        let others = credential::environment(credential).iter();
        let others: Vec<_> = others.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let git = git.variables(&settings).variables(&others);
        // SSH would ask a person for a password, on the terminal of the process.
        Ok(if self.has_plain_ssh() { git.variable("GIT_SSH_COMMAND", "ssh -o BatchMode=yes") } else { git })
    }

    /// True if the remote may be reached by SSH, and the user did not say how to start it. A setting of the user
    /// (`url.….insteadOf`) can make an SSH address of any other.
    fn has_plain_ssh(&self) -> bool {
        if self.address.remote.url.starts_with("file://") {
            return false;
        }
        *self.has_plain_ssh.get_or_init(|| {
            let is_set = |name| std::env::var_os(name).is_some();
            let asked = || Git::asked(SHORT).args(["config", "core.sshCommand"]).run();
            !is_set("GIT_SSH_COMMAND") && !is_set("GIT_SSH") && asked().is_ok_and(|said| said.text().is_empty())
        })
    }

    /// The credential for the server; none if git finds one itself. It is found once.
    fn credential(&self) -> Result<Option<&Credential>> {
        if self.credential.get().is_none() {
            let asked = || {
                let question = ["config", "--get-urlmatch", "http.extraheader", self.address.remote.url.as_str()];
                let answer = Git::asked(SHORT).args(question).run().ok()?;
                Some(answer.text()).filter(|text| answer.is_ok() && !text.is_empty())
            };
            let env = |name: &str| std::env::var(name).ok();
            let found = Credential::find(&self.address.remote, self.token.as_ref(), &env, &asked)?;
            let _ = self.credential.set(found);
        }
        Ok(self.credential.get().and_then(Option::as_ref))
    }
}

/// The output of git, as text.
pub(super) fn said(output: &Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.code, out: text(&output.out), err: text(&output.err) }
}
