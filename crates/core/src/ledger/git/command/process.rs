//! A process that is ended whole when its time is over.

use std::io::{self, ErrorKind as IoErrorKind, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::lock::lock;

/// The pause between two looks at a process that may have ended without closing its output.
const GLANCE: Duration = Duration::from_millis(20);

/// The time for which output is awaited after the end of a process. A process that git left behind, such as a shared
/// SSH connection, can keep the output open. On a busy machine the threads that read the output can be late.
const LEFT: Duration = Duration::from_secs(5);

/// The output of a call of git, and how it ended.
#[derive(Debug)]
pub(in crate::ledger::git) struct Output {
    /// The exit code; none if the process was ended, because its time was over or by a signal.
    pub(in crate::ledger::git) code: Option<i32>,
    pub(in crate::ledger::git) out: Vec<u8>,
    pub(in crate::ledger::git) err: Vec<u8>,
    /// False if the process was ended because its time was over.
    pub(in crate::ledger::git) in_time: bool,
}

impl Output {
    pub(in crate::ledger::git) fn is_ok(&self) -> bool {
        self.code == Some(0)
    }

    /// The standard output as text, without white space at its ends.
    pub(in crate::ledger::git) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).trim().to_owned()
    }
}

/// Runs a command, with `input` as its standard input, until it ends or `limit` is over. An error if it cannot be
/// started: nothing was run.
pub(super) fn run(mut command: Command, input: Option<Vec<u8>>, limit: Duration) -> io::Result<Output> {
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let deadline = Instant::now() + limit;
    let mut child = command.spawn()?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // Git reads all of its input, or it has failed and says so.
        thread::spawn(move || drop(pipe.write_all(&input)));
    }
    let (ended, ends) = channel();
    let out = collect(child.stdout.take(), ended.clone());
    let err = collect(child.stderr.take(), ended);
    let ended = wait(&mut child, &ends, deadline);
    let take = |bytes: Arc<Mutex<Vec<u8>>>| std::mem::take(&mut *lock(&bytes));
    let (out, mut err) = (take(out), take(err));
    if let Some(Err(e)) = &ended {
        err.extend_from_slice(format!("fatal: the exit code of git is lost: {e}\n").as_bytes());
    }
    let code = ended.as_ref().and_then(|ended| ended.as_ref().ok()?.code());
    Ok(Output { code, out, err, in_time: ended.is_some() })
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
/// ended, because `git push` leaves its helpers running when it is ended alone. An error if the process has ended and its
/// status is lost: another part of this program waited for it, or SIGCHLD is ignored.
fn wait(child: &mut Child, ends: &Receiver<()>, deadline: Instant) -> Option<io::Result<ExitStatus>> {
    let mut open: u8 = 2;
    let mut exited: Option<(io::Result<ExitStatus>, Instant)> = None;
    loop {
        let now = Instant::now();
        if exited.is_none() {
            exited = child.try_wait().transpose().map(|status| (status, now));
        }
        match exited {
            Some((status, since)) if open == 0 || now - since > LEFT => return Some(status),
            None if now >= deadline => {
                end(child);
                let _ = child.wait();
                return None;
            }
            // Most often a process ends at once after its output.
            None if open == 0 => thread::sleep(Duration::from_micros(100)),
            _ => match ends.recv_timeout(GLANCE) {
                Ok(()) => open -= 1,
                Err(RecvTimeoutError::Disconnected) => open = 0,
                Err(RecvTimeoutError::Timeout) => {}
            },
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
