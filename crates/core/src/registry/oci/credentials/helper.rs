//! `Helper`: a program `docker-credential-NAME`, which keeps logins (the protocol of docker-credential-helpers).

use std::fmt;
use std::io::{ErrorKind as IoErrorKind, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::login::{Credentials, TOKEN_USER, invalid};
use super::variables::Variables;
use crate::error::Result;

/// The longest time of one run. Some helpers ask a server, or wait for a person.
const LONGEST: Duration = Duration::from_secs(30);

/// The pause between two checks if a helper still runs.
const PAUSE: Duration = Duration::from_millis(5);

/// The longest time for the rest of the output after a helper has ended.
const REST: Duration = Duration::from_secs(1);

/// The longest output that is read, in bytes.
const MAX_OUTPUT: u64 = 256 * 1024;

/// A credential helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Helper(String);

/// The answer of a helper.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Login(Credentials),
    /// It has no login under this name.
    Nothing,
    /// The program does not exist.
    NoProgram,
}

/// The output of a run. Nothing of it may be shown, because it may contain passwords.
struct Output {
    status: ExitStatus,
    out: Vec<u8>,
    err: Vec<u8>,
}

impl fmt::Display for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "docker-credential-{}", self.0)
    }
}

impl Helper {
    /// The helper that a file names. CONFIG_INVALID if the name cannot be that of a program in a directory of `PATH`.
    pub(super) fn new(name: &str) -> Result<Helper> {
        match name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            true => Ok(Helper(name.to_owned())),
            false => {
                Err(invalid("the name of a credential helper has other characters than letters, digits, '-', '_', '.'"))
            }
        }
    }

    /// Asks for the login under this name. CONFIG_INVALID if the helper fails, or if its answer is not understood.
    pub(super) fn ask(&self, server: &str, variables: &Variables) -> Result<Kept> {
        let Some(output) = self.run(server, variables)? else { return Ok(Kept::NoProgram) };
        let says =
            |stream: &[u8]| String::from_utf8_lossy(stream).to_ascii_lowercase().contains("credentials not found");
        if says(&output.out) || says(&output.err) {
            return Ok(Kept::Nothing);
        }
        if !output.status.success() {
            return Err(invalid(format!("{self} failed ({}); its output is not shown", output.status)));
        }
        if output.out.trim_ascii().is_empty() {
            return Ok(Kept::Nothing);
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            username: Option<String>,
            secret: Option<String>,
        }
        // The parser's own error is not used, because it would quote the answer.
        let answer: Answer = serde_json::from_slice(&output.out)
            .map_err(|_| invalid(format!("the answer of {self} is not understood; the answer is not shown")))?;
        let secret = answer.secret.unwrap_or_default();
        Ok(match answer.username.unwrap_or_default() {
            _ if secret.is_empty() => Kept::Nothing,
            user if user == TOKEN_USER => Kept::Login(Credentials::IdentityToken(secret.into())),
            user => Kept::Login(Credentials::password(user, secret)),
        })
    }

    /// Runs the helper; none if the program does not exist.
    fn run(&self, server: &str, variables: &Variables) -> Result<Option<Output>> {
        let mut command = Command::new(self.to_string());
        command.arg("get").env_clear().envs(variables.all());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(e) if e.kind() == IoErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(invalid(format!("{self} cannot be run: {e}"))),
        };
        let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that needs no name may have closed its input.
            let _ = stdin.write_all(server.as_bytes());
        }
        let status = self.wait(&mut child)?;
        let read = |stream: Receiver<Vec<u8>>| stream.recv_timeout(REST).unwrap_or_default();
        Ok(Some(Output { status, out: read(out), err: read(err) }))
    }

    /// Waits for the end of the program. CONFIG_INVALID if it does not end in time.
    fn wait(&self, child: &mut Child) -> Result<ExitStatus> {
        let end = Instant::now() + LONGEST;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if Instant::now() < end => std::thread::sleep(PAUSE),
                Ok(None) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(invalid(format!("{self} gave no answer within {} s", LONGEST.as_secs())));
                }
                Err(e) => return Err(invalid(format!("{self} cannot be waited for: {e}"))),
            }
        }
    }
}

/// Reads a stream in a thread, so that a full pipe never stops the helper.
fn reader(stream: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            let _ = stream.take(MAX_OUTPUT).read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}
