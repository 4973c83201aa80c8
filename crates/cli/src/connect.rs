//! Makes the registry client, the ledger and the promoter from arguments and configuration.

use std::env::VarError;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use tagwarden::config::Config;
use tagwarden::ledger::{Ledger, LedgerUrl, OpenMode};
use tagwarden::registry::Registry;
use tagwarden::registry::oci::{Credentials, OciOptions, OciRegistry, Scheme, Secret};
use tagwarden::{Channel, Error, ErrorKind, Promoter, Result, Times, Timestamp, parse_duration};

use crate::args::{Global, ReadArgs, RegistryArgs};
use crate::offline::Offline;
use crate::progress::{Progress, Retries, say};

/// The settings that every command starts with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    /// True if the answer is for a program.
    pub(crate) json: bool,
    ledger: Option<String>,
    /// The ledgers that this command opened for writing.
    opened: Mutex<Vec<Arc<dyn Ledger>>>,
    /// The ledger that this command reads from this machine's copy.
    copy: OnceLock<Arc<dyn Ledger>>,
}

impl Setup {
    pub(crate) fn new(global: &Global) -> Result<Setup> {
        let ledger = match (&global.ledger, std::env::var("TAGWARDEN_LEDGER")) {
            (Some(given), _) => Some(given.clone()),
            (None, Ok(set)) => Some(set),
            (None, Err(VarError::NotPresent)) => None,
            (None, Err(VarError::NotUnicode(_))) => {
                return Err(Error::new(ErrorKind::ConfigInvalid, "TAGWARDEN_LEDGER: not UTF-8"));
            }
        };
        let (opened, copy) = (Mutex::default(), OnceLock::new());
        Ok(Setup { config: Config::find(&here()?)?, json: global.json, ledger, opened, copy })
    }

    /// The ledger, opened for writing.
    pub(crate) async fn ledger(&self) -> Result<Arc<dyn Ledger>> {
        self.open(&self.ledger_url()?).await
    }

    /// The ledger at this address, opened for writing.
    pub(crate) async fn open(&self, url: &LedgerUrl) -> Result<Arc<dyn Ledger>> {
        let ledger = url.open(OpenMode::Write).await?;
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&ledger));
        Ok(ledger)
    }

    /// Prints on standard error what the ledgers repaired by themselves.
    pub(crate) fn say_repairs(&self) {
        for ledger in &*self.opened.lock().unwrap_or_else(PoisonError::into_inner) {
            ledger.notices().iter().for_each(|notice| say(&notice.to_string()));
        }
    }

    /// The ledger, opened for reading: read permission is enough, and nothing is created. With `--offline`, what this
    /// machine has of it.
    pub(crate) async fn ledger_to_read(&self, how: ReadArgs) -> Result<Arc<dyn Ledger>> {
        let url = self.ledger_url()?;
        if !how.offline {
            return url.open(OpenMode::Read).await;
        }
        let ledger = url.open(OpenMode::Offline).await?;
        Ok(Arc::clone(self.copy.get_or_init(|| ledger)))
    }

    /// The time of the copy that this command read, if it read one.
    pub(crate) fn copy_of(&self) -> Option<Timestamp> {
        self.copy.get()?.as_of()
    }

    /// A promoter that moves this channel, under the policy of its environment and with its step after a rollback.
    pub(crate) fn promoter_of(
        &self,
        channel: &Channel,
        registry: Arc<dyn Registry>,
        ledger: Arc<dyn Ledger>,
        times: Times,
    ) -> Result<Promoter> {
        let promoter = self.promoter(registry, ledger, times)?.to_builder().policy(self.config.policy(channel));
        promoter.after_rollback(self.config.after_rollback(channel)).build()
    }

    /// A promoter that moves no channel.
    pub(crate) fn promoter(
        &self,
        registry: Arc<dyn Registry>,
        ledger: Arc<dyn Ledger>,
        times: Times,
    ) -> Result<Promoter> {
        let (times, progress) = (self.config.times(times)?, Arc::new(Progress::default()));
        let promoter = Promoter::builder().registry(registry).ledger(ledger).times(times).observer(progress);
        match &self.config.pipeline {
            Some(pipeline) => promoter.pipeline(pipeline.clone()).build(),
            None => promoter.build(),
        }
    }

    /// A promoter that uses only the ledger, opened for reading.
    pub(crate) async fn reader(&self, how: ReadArgs) -> Result<Promoter> {
        let ledger = self.ledger_to_read(how).await?;
        Ok(self.promoter(Arc::new(Offline), ledger, Times::default())?.since(Instant::now()))
    }

    /// The URL of the ledger.
    pub(crate) fn ledger_url(&self) -> Result<LedgerUrl> {
        match (&self.ledger, &self.config.ledger) {
            (Some(given), _) => given.parse(),
            (None, Some(written)) => Ok(written.clone()),
            (None, None) => Err(Error::new(
                ErrorKind::ConfigInvalid,
                "no ledger was named: give --ledger URL, set TAGWARDEN_LEDGER, or write ledger = \"URL\" into \
                 tagwarden.toml; a URL is a directory's path, too",
            )),
        }
    }
}

/// The working directory.
pub(crate) fn here() -> Result<PathBuf> {
    std::env::current_dir()
        .map_err(|e| Error::new(ErrorKind::ConfigInvalid, format!("the working directory cannot be read: {e}")))
}

/// The client of real registries, for a command whose channels are on these hosts. A login of the command line or of
/// the environment is for the only one of them; CONFIG_INVALID if there are several, since it must not go to all of
/// them.
pub(crate) fn registry<'h>(
    config: &Config,
    args: &RegistryArgs,
    hosts: impl IntoIterator<Item = &'h str>,
) -> Result<OciRegistry> {
    let hosts: Vec<&str> = hosts.into_iter().collect();
    let mut options = reached(config.oci_options()?, args)?.retry_observer(Arc::new(Retries::default()));
    for host in args.token_server.iter().cloned().chain(token_servers(std::env::var("TAGWARDEN_TOKEN_SERVERS"))?) {
        options = options.token_server(host);
    }
    if let Some(user) = &args.username {
        let host = one_host(&hosts)?;
        options = options.credentials(host, Credentials::password(user, password(&mut std::io::stdin().lock())?));
    }
    OciRegistry::new(options.for_registries(hosts)?)
}

/// The token servers in TAGWARDEN_TOKEN_SERVERS, separated by commas or white space.
fn token_servers(set: Result<String, VarError>) -> Result<Vec<String>> {
    let text = match set {
        Ok(text) => text,
        Err(VarError::NotPresent) => String::new(),
        Err(VarError::NotUnicode(_)) => {
            return Err(Error::new(ErrorKind::ConfigInvalid, "TAGWARDEN_TOKEN_SERVERS: not UTF-8"));
        }
    };
    let hosts = text.split(|char: char| char == ',' || char.is_whitespace());
    Ok(hosts.filter(|host| !host.is_empty()).map(str::to_owned).collect())
}

/// The options with what the command line and the environment say of the connection.
fn reached(mut options: OciOptions, args: &RegistryArgs) -> Result<OciOptions> {
    for (hosts, scheme) in [(&args.tls, Scheme::Https), (&args.insecure, Scheme::Http)] {
        options = hosts.iter().fold(options, |options, host| options.scheme(host, scheme));
    }
    if let Some(host) = args.tls.iter().find(|host| args.insecure.contains(host)) {
        let message = format!("{host} is given with --tls and with --insecure: choose one");
        return Err(Error::new(ErrorKind::ConfigInvalid, message));
    }
    if let Some(file) = &args.ca_file {
        options = options.ca_file(file);
    }
    let retry_for = match (args.retry_for, std::env::var("TAGWARDEN_RETRY_FOR")) {
        (Some(given), _) => Some(given),
        (None, Ok(set)) => Some(
            parse_duration(&set)
                .map_err(|error| Error::new(ErrorKind::ConfigInvalid, format!("TAGWARDEN_RETRY_FOR: {error}")))?,
        ),
        (None, Err(_)) => None,
    };
    Ok(match retry_for {
        Some(time) => options.retry_for(time),
        None => options,
    })
}

/// The only host of a command with a password; CONFIG_INVALID if there are two.
fn one_host<'h>(hosts: &[&'h str]) -> Result<&'h str> {
    let first = hosts.first().copied().unwrap_or_default();
    match hosts.iter().find(|host| **host != first) {
        Some(other) => Err(Error::new(
            ErrorKind::ConfigInvalid,
            format!("one password cannot be for {first} and for {other}: name the channels of one registry"),
        )),
        None => Ok(first),
    }
}

/// The largest password, in bytes.
const MAX_PASSWORD: u64 = 64 * 1024;

fn password(from: &mut impl Read) -> Result<Secret> {
    let bad = |why: String| Error::new(ErrorKind::ConfigInvalid, format!("--password-stdin: {why}"));
    let mut text = String::new();
    let read = from.take(MAX_PASSWORD + 1).read_to_string(&mut text);
    // An error of the standard library does not quote the input.
    read.map_err(|e| bad(format!("standard input cannot be read: {e}")))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    match text.len() {
        0 => Err(bad("standard input is empty".to_owned())),
        length if length as u64 > MAX_PASSWORD => Err(bad(format!("over {MAX_PASSWORD} bytes"))),
        _ => Ok(Secret::new(text)),
    }
}

/// Opens a file that was named on the command line. SOURCE_INVALID, with its name, if it cannot be opened.
pub(crate) fn open(file: &Path) -> Result<File> {
    File::open(file).map_err(|e| Error::new(ErrorKind::SourceInvalid, format!("{}: {e}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_loses_one_line_break_and_is_never_shown() {
        for given in ["canary\n", "canary\r\n", "canary"] {
            assert_eq!(password(&mut given.as_bytes()).unwrap(), Secret::new("canary"));
        }
        assert_eq!(
            password(&mut "\n".as_bytes()).unwrap_err().to_string(),
            "--password-stdin: standard input is empty"
        );
        let error = password(&mut &b"canary\xff"[..]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }

    #[test]
    fn token_servers_of_the_environment_are_separated_by_commas_or_spaces() {
        let given = |text: &str| token_servers(Ok(text.to_owned())).unwrap();
        assert_eq!(given("a.io, b.io:5001\nc.io,"), ["a.io", "b.io:5001", "c.io"]);
        assert_eq!((given(" "), token_servers(Err(VarError::NotPresent)).unwrap()), (vec![], vec![]));
    }

    #[test]
    fn a_password_is_for_one_registry() {
        assert_eq!(one_host(&["a.io", "a.io"]).unwrap(), "a.io");
        assert_eq!(
            one_host(&["a.io", "b.io"]).unwrap_err().to_string(),
            "one password cannot be for a.io and for b.io: name the channels of one registry"
        );
    }
}
