//! `Git`: one call of the `git` of this machine, in surroundings where nothing of the user's settings but the
//! credentials, the proxies and the SSH settings counts.

use std::ffi::OsString;
use std::io::{self, ErrorKind as IoErrorKind, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::credential::TOKEN;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::lock;

/// The oldest version of git with all that is used here: GIT_CONFIG_COUNT.
const OLDEST: (u32, u32) = (2, 31);

/// The pause between two looks at a process that may have ended without closing its output.
const GLANCE: Duration = Duration::from_millis(20);

/// The time for which output is awaited after the end of a process. A process that git left behind, such as a shared
/// SSH connection, can keep the output open. On a busy machine the threads that read the output can be late.
const LEFT: Duration = Duration::from_secs(5);

/// Variables that bind git to a repository, or that change its output (`git rev-parse --local-env-vars` and others).
/// GIT_CONFIG_COUNT and GIT_CONFIG_PARAMETERS stay: they may hold the user's credentials.
const UNSET: [&str; 24] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CURL_VERBOSE",
    "GIT_DEFAULT_HASH",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_LAZY_FETCH",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_DATE",
    "LANGUAGE",
    "SSH_ASKPASS",
];

/// Variables that are set for every call.
const SET: [(&str, &str); 6] = [
    ("LC_ALL", "C"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_DEFAULT_REF_FORMAT", "files"),
    ("GIT_TRACE2", "0"),
    ("GIT_TRACE2_EVENT", "0"),
    ("GIT_TRACE2_PERF", "0"),
];

/// Settings that are given on the command line, where they win over all others.
const SETTINGS: [&str; 13] = [
    "core.hooksPath=/dev/null",
    "core.askPass=",
    "fetch.prune=false",
    "fetch.showForcedUpdates=true",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "i18n.commitEncoding=UTF-8",
    "maintenance.auto=false",
    "protocol.version=2",
    "push.followTags=false",
    "push.gpgSign=false",
    "push.pushOption=",
    "push.recurseSubmodules=no",
];

/// A call of git.
#[derive(Debug)]
pub(super) struct Git {
    arguments: Vec<OsString>,
    input: Option<Vec<u8>>,
    variables: Vec<(String, String)>,
    directory: Option<PathBuf>,
    /// True for a question to the user's own repository, whose settings then count.
    is_users: bool,
    limit: Duration,
}

/// The output of a call of git, and how it ended.
#[derive(Debug)]
pub(super) struct Output {
    /// The exit code; none if the process was ended, because its time was over or by a signal.
    pub(super) code: Option<i32>,
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
    /// False if the process was ended because its time was over.
    pub(super) in_time: bool,
}

impl Output {
    pub(super) fn is_ok(&self) -> bool {
        self.code == Some(0)
    }

    /// The standard output as text, without white space at its ends.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).trim().to_owned()
    }
}

impl Git {
    /// A call in the bare repository at `repository`.
    pub(super) fn within(repository: &Path, limit: Duration) -> Git {
        Git::new(Some(repository), limit).args([OsString::from("--git-dir"), repository.into()]).settings()
    }

    /// A call outside of every repository, in the directory `dir`.
    pub(super) fn outside(dir: &Path, limit: Duration) -> Git {
        Git::new(Some(dir), limit).settings()
    }

    /// A question to git where the user is: the working directory, with the user's own settings.
    pub(super) fn asked(limit: Duration) -> Git {
        Git { is_users: true, ..Git::new(None, limit) }
    }

    fn new(directory: Option<&Path>, limit: Duration) -> Git {
        let directory = directory.map(Path::to_owned);
        Git { arguments: Vec::new(), input: None, variables: Vec::new(), directory, is_users: false, limit }
    }

    fn settings(self) -> Git {
        self.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
    }

    /// Adds arguments.
    pub(super) fn args<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Git {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets the standard input; without it there is none.
    pub(super) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Git {
        self.input = Some(bytes.into());
        self
    }

    /// Sets a variable of the environment.
    pub(super) fn variable(mut self, name: &str, value: impl Into<String>) -> Git {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Sets variables of the environment, where no other user of the machine can read them.
    pub(super) fn variables(mut self, variables: &[(String, String)]) -> Git {
        self.variables.extend_from_slice(variables);
        self
    }

    /// Runs git until it ends or its time is over. LEDGER_UNSUPPORTED if there is no git; LEDGER_UNAVAILABLE if it
    /// cannot be started.
    pub(super) fn run(self) -> Result<Output> {
        let mut command = Command::new("git");
        command.args(&self.arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        if !self.is_users {
            for name in UNSET {
                command.env_remove(name);
            }
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_TRACE") {
                command.env_remove(name);
            }
        }
        command.env_remove("GIT_CURL_VERBOSE").env_remove(TOKEN).envs(SET).envs(self.variables);
        let deadline = Instant::now() + self.limit;
        let mut child = command.spawn().map_err(|e| match &self.directory {
            // The error does not say if the program is missing or the directory.
            Some(directory) if !directory.is_dir() => {
                Error::new(ErrorKind::LedgerUnavailable, format!("cannot run git in {}: {e}", directory.display()))
            }
            _ => cannot_start(e),
        })?;
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), self.input) {
            // Git reads all of its input, or it has failed and says so.
            thread::spawn(move || drop(pipe.write_all(&input)));
        }
        let (ended, ends) = channel();
        let out = collect(child.stdout.take(), ended.clone());
        let err = collect(child.stderr.take(), ended);
        let status = wait(&mut child, &ends, deadline);
        let take = |bytes: Arc<Mutex<Vec<u8>>>| std::mem::take(&mut *lock(&bytes));
        let (out, err) = (take(out), take(err));
        match status {
            Ok(Some(status)) => Ok(Output { code: status.code(), out, err, in_time: true }),
            Ok(None) => Ok(Output { code: None, out, err, in_time: false }),
            Err(e) => Err(cannot_start(e)),
        }
    }
}

/// Reads a pipe to its end in a thread of its own.
fn collect(pipe: Option<impl Read + Send + 'static>, ended: Sender<()>) -> Arc<Mutex<Vec<u8>>> {
    let bytes: Arc<Mutex<Vec<u8>>> = Arc::default();
    let all = Arc::clone(&bytes);
    thread::spawn(move || {
        let mut part = vec![0; 64 * 1024];
        if let Some(mut pipe) = pipe {
            loop {
                match pipe.read(&mut part) {
                    Ok(0) => break,
                    Ok(length) => lock(&all).extend_from_slice(part.get(..length).unwrap_or_default()),
                    Err(e) if e.kind() == IoErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        }
        // The receiver is gone if no caller waits any more.
        let _ = ended.send(());
    });
    bytes
}

/// Waits for the end of a process and of its two outputs. None if the time was over: then the whole process group is
/// ended, because `git push` leaves its helpers running when it is ended alone.
fn wait(child: &mut Child, ends: &Receiver<()>, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let mut open: u8 = 2;
    let mut exited: Option<(ExitStatus, Instant)> = None;
    loop {
        let now = Instant::now();
        match exited {
            Some((status, since)) if open == 0 || now - since > LEFT => return Ok(Some(status)),
            None if now >= deadline => {
                end(child);
                child.wait()?;
                return Ok(None);
            }
            _ => {}
        }
        if open > 0 {
            match ends.recv_timeout(if exited.is_some() {
                GLANCE
            } else {
                GLANCE.min(deadline.saturating_duration_since(now))
            }) {
                Ok(()) => open -= 1,
                Err(RecvTimeoutError::Disconnected) => open = 0,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if open > 0 && exited.is_none() {
                exited = child.try_wait()?.map(|status| (status, Instant::now()));
            }
        } else if exited.is_none() {
            match child.try_wait()? {
                Some(status) => exited = Some((status, Instant::now())),
                // Most often a process ends at once after its output.
                None => thread::sleep(Duration::from_micros(100)),
            }
        }
    }
}

/// Ends the process group of a child that was not waited for, so that its id is not another process's yet.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if group.is_none_or(|group| kill_process_group(group, Signal::KILL).is_err()) {
        let _ = child.kill();
    }
}

fn cannot_start(e: io::Error) -> Error {
    let (oldest, _) = needed();
    match e.kind() {
        IoErrorKind::NotFound => {
            let message = format!("{oldest}, and there is none on the PATH: install it, or name another ledger");
            Error::new(ErrorKind::LedgerUnsupported, message)
        }
        _ => Error::new(ErrorKind::LedgerUnavailable, format!("cannot run git: {e}")).with_source(e),
    }
}

fn needed() -> (String, (u32, u32)) {
    let (major, minor) = OLDEST;
    (format!("a ledger in a Git branch needs git {major}.{minor} or later"), OLDEST)
}

/// LEDGER_UNSUPPORTED unless there is a git that is new enough.
pub(super) fn check_version() -> Result<()> {
    let said = Git::asked(Duration::from_secs(10)).args(["version"]).run()?.text();
    let (needed, oldest) = needed();
    match version(&said) {
        Some(found) if found >= oldest => Ok(()),
        _ => {
            let said: String = said.chars().filter(|c| !c.is_control()).take(60).collect();
            Err(Error::new(ErrorKind::LedgerUnsupported, format!("{needed}, and this machine has `{said}`")))
        }
    }
}

/// The version in the answer of `git version`.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_read_from_the_answer_of_every_build() {
        for (said, want) in [
            ("git version 2.39.5", Some((2, 39))),
            ("git version 2.39.5 (Apple Git-154)", Some((2, 39))),
            ("git version 2.31.0-rc1", Some((2, 31))),
            ("git version 3.0", Some((3, 0))),
            ("git: command", None),
            ("", None),
        ] {
            assert_eq!(version(said), want, "{said}");
        }
        assert!(version("git version 2.30.2").unwrap() < OLDEST);
    }

    #[test]
    fn call_over_its_time_ends_with_all_its_processes() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let alias = format!("alias.wait=!sleep 60 & echo $! > {}; wait", pid.display());
        let begun = Instant::now();
        let said = Git::asked(Duration::from_millis(500)).args(["-c", &alias, "wait"]).run().unwrap();
        assert!(!said.in_time && said.code.is_none());
        assert!(begun.elapsed() < Duration::from_secs(30));
        let pid: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        let is_gone = || {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        };
        for _ in 0..500 {
            if is_gone() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{pid} still runs");
    }

    #[test]
    fn process_that_keeps_the_output_open_is_not_waited_for() {
        let begun = Instant::now();
        let said = Git::asked(Duration::from_secs(60)).args(["-c", "alias.leave=!sleep 30 & echo done", "leave"]).run();
        let said = said.unwrap();
        assert_eq!((said.is_ok(), said.text().as_str()), (true, "done"));
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn input_and_output_larger_than_a_pipe_arrive_whole() {
        let input = vec![b'x'; 3 << 20];
        let said =
            Git::asked(Duration::from_secs(60)).args(["-c", "alias.copy=!cat", "copy"]).input(input.clone()).run();
        assert!(said.unwrap().out == input);
    }
}
