//! Arguments that several commands share.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tagwarden::log::HoldScope;
use tagwarden::policy::ExpectedDigest;
use tagwarden::{
    Commit, Error, ErrorKind, IdempotencyKey, Line, ReleaseLabel, Repository, Result, Times, parse_duration,
};

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Global {
    /// Where the ledger is: a directory of this host, `git` (a branch of the CI job's repository, else of origin),
    /// git+https://HOST/PATH#BRANCH, git+http://HOST/PATH, git+ssh://USER@HOST/PATH, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX,
    /// az://CONTAINER/PREFIX, postgres://USER@HOST/DATABASE, or file:///DIR (a directory in the layout of an object
    /// store). Default: TAGWARDEN_LEDGER, then `ledger` of tagwarden.toml
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) ledger: Option<String>,
    /// Print one JSON object on standard output, for success and for failure (docs/reference/cli.md says its fields)
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The channel that a command is about.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlaceArgs {
    /// The channel: HOST/REPOSITORY:TAG, such as registry.example.com/acme/shop:prod, or its environment's name in
    /// tagwarden.toml, such as prod
    #[arg(value_name = "CHANNEL")]
    pub(crate) channel: String,
}

/// How a command that does not write to the ledger reads it.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ReadArgs {
    /// Read a ledger in a Git branch from this machine's copy, without its server, and say how old the copy is. Default:
    /// read the branch on the server
    #[arg(long)]
    pub(crate) offline: bool,
}

/// How the registry is reached.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Registry")]
pub(crate) struct RegistryArgs {
    /// Log in as this user, with the password from --password-stdin. Default: TAGWARDEN_USERNAME and
    /// TAGWARDEN_PASSWORD (or TAGWARDEN_IDENTITY_TOKEN), for the registry of TAGWARDEN_REGISTRY, or the one that all channels
    /// of the command are on; then `user-env` and `password-env` of tagwarden.toml; then what docker, podman, skopeo, buildah
    /// or helm stored; then the CI's token: GITHUB_TOKEN for ghcr.io, CI_JOB_TOKEN for GitLab's registry
    #[arg(long, value_name = "USER", requires = "password_stdin")]
    pub(crate) username: Option<String>,
    /// Read the password from standard input, to its end (one line break at the end is left out)
    #[arg(long, requires = "username")]
    pub(crate) password_stdin: bool,
    /// Trust the certificates in this PEM file besides the platform's own: authorities', or the server's own. Those of
    /// /etc/docker/certs.d/HOST and of ~/.config/containers/certs.d/HOST are used without it, client certificates too
    #[arg(long, value_name = "FILE", value_parser = super::path)]
    pub(crate) ca_file: Option<PathBuf>,
    /// Speak TLS to this registry, HOST[:PORT], although it is a loopback host; may be given more than once. A certificate
    /// for the host, or --ca-file, says it as well. All other hosts speak TLS by default
    #[arg(long, value_name = "HOST", value_parser = host)]
    pub(crate) tls: Vec<String>,
    /// Speak plain HTTP to this registry, HOST[:PORT]; may be given more than once. Loopback hosts do by default
    #[arg(long, value_name = "HOST", value_parser = host)]
    pub(crate) insecure: Vec<String>,
    /// Let the registry name a token server on this host, HOST[:PORT], though it is on another site; may be given more
    /// than once. Also: TAGWARDEN_TOKEN_SERVERS, separated by commas or spaces, and `token-servers` of the registry in
    /// tagwarden.toml
    #[arg(long, value_name = "HOST")]
    pub(crate) token_server: Vec<String>,
    /// How long a request is tried again that the registry did not answer, or answered with 408, 429 or 5xx; 0s tries once. An
    /// answer about a tag or a manifest is awaited no longer than this either, but for 1s at least. Default: TAGWARDEN_RETRY_FOR, else 30s for a read, 300s for an upload, and the timeout of a put, which is never longer
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) retry_for: Option<Duration>,
}

/// The host in `HOST[:PORT]`, or in the URL of a registry.
fn host(text: &str) -> Result<String> {
    let host = text.strip_prefix("https://").or(text.strip_prefix("http://")).unwrap_or(text).trim_end_matches('/');
    // A host is checked as a part of a repository.
    match format!("{host}/path").parse::<Repository>() {
        Ok(repository) if repository.registry() == host => Ok(host.to_owned()),
        Ok(_) => Err(Error::new(ErrorKind::ValueInvalid, format!("{host:?} is not HOST[:PORT] of a registry"))),
        Err(error) => Err(error),
    }
}

/// The pipeline run and the actor. A part that is not given is read from the CI's environment, or from the terminal.
#[derive(Clone, Debug, Default, Args)]
#[command(
    next_help_heading = "Who and what for (default: what the CI's environment says; a person in a terminal needs none)"
)]
pub(crate) struct WhoArgs {
    /// The pipeline run's id. Default: read from GitHub, Gitea and Forgejo Actions, GitLab CI, CircleCI, Azure Pipelines,
    /// Buildkite and Jenkins; a new one in a terminal. Required elsewhere
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: Option<Line>,
    /// The person or workload that asks. Default: what the CI says; in a terminal TAGWARDEN_ACTOR, then the login
    /// name. Required elsewhere
    #[arg(long, value_name = "WHO")]
    pub(crate) actor: Option<Line>,
    /// The kind of the actor. Default: a person, where the CI says that a person started this run, or at a terminal; else
    /// a workload
    #[arg(long, value_name = "KIND", value_enum)]
    pub(crate) actor_kind: Option<Kind>,
    /// The pipeline's provider, such as github-actions; also says which CI to read where several are found. Default: the
    /// CI that was found, else manual
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<Line>,
    /// The source commit: 7 to 64 lower-case hex digits
    #[arg(long, value_name = "HEX")]
    pub(crate) commit: Option<Commit>,
    /// The name of the release for people, such as v1.4.2. No CI says it
    #[arg(long, value_name = "LABEL")]
    pub(crate) release: Option<ReleaseLabel>,
    /// Where people can read about the run
    #[arg(long, value_name = "URL")]
    pub(crate) pipeline_url: Option<Line>,
}

/// The kind of an actor.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    Human,
    Workload,
}

/// On what terms a move is asked for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Terms of the move")]
pub(crate) struct TermsArgs {
    /// Idempotency key, 1 to 128 characters: the same request with the same key moves the channel once. Default: a
    /// random one
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<IdempotencyKey>,
    /// Why, in one line of at most 1,024 characters
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<Line>,
    /// The value that the tag must have for the move to start: a digest, `absent` or `any`. Default: any
    #[arg(long, value_name = "DIGEST")]
    pub(crate) expected: Option<ExpectedDigest>,
    /// A guardrail whose refusal does not count, recorded with the move; needs --reason; may be given more than once:
    /// ledger-complete in a bootstrap or a repair, where another ledger governs the repository; parts-present in a rollback
    /// or a repair, where the registry does not have all of the target; forward-only in a promotion to an older release;
    /// not-rolled-back in a promotion or a bootstrap to one that a rollback left. `override` of tagwarden.toml may limit it
    #[arg(long = "override", value_name = "GUARDRAIL", requires = "reason")]
    pub(crate) overrides: Vec<Line>,
    /// The longest to wait for another's move of the channel; not with --on-conflict fail. Default: 3m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// The answer to another move of the channel that comes first
    #[arg(long, value_name = "WHAT", default_value = "wait")]
    pub(crate) on_conflict: OnConflictArg,
}

/// The answer to another move that comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnConflictArg {
    /// Wait for it, and go on only if the channel still is what it was (else CHANNEL_CHANGED), so that a stale run never wins
    Wait,
    /// Wait for it, then look and judge again, and move whatever it did
    Requeue,
    /// Give up at once (CHANNEL_BUSY)
    Fail,
}

/// Which moves a hold stops.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ScopeArg {
    /// Promote and bootstrap
    Promotions,
    /// Every move
    All,
}

impl From<ScopeArg> for HoldScope {
    fn from(scope: ScopeArg) -> HoldScope {
        match scope {
            ScopeArg::Promotions => HoldScope::Promotions,
            ScopeArg::All => HoldScope::All,
        }
    }
}

/// The deadlines of the protocol. They are written into the log, and every worker obeys them.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Deadlines (each 1ms to 1h; contradictions are refused)")]
pub(crate) struct TimesArgs {
    /// After this, counted from its intent, a move sends no put
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub(crate) ttl: Duration,
    /// After ttl and this, others may take the move over; not shorter than --put-timeout
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    pub(crate) grace: Duration,
    /// How long a put whose answer was lost may still land; not shorter than --put-timeout
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    pub(crate) quiet: Duration,
    /// Timeout of one put; shorter than --ttl
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = parse_duration)]
    pub(crate) put_timeout: Duration,
    #[command(flatten)]
    pub(crate) settle: SettleArgs,
}

/// How long reads may lag.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct SettleArgs {
    /// How long after a write the registry may answer an older value of the tag; in a move and in `recover` not shorter than
    /// the quiet time (30s by default). Default: `settle` of the registry in tagwarden.toml, else 30s; 10m for ghcr.io, 2m for *.azurecr.io
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) settle: Option<Duration>,
}

impl SettleArgs {
    /// The times of a command that does not move a channel.
    pub(crate) fn times(self) -> Result<Times> {
        self.with(match self.settle {
            // Such a command writes no quiet time, so settle may be shorter than the default quiet time.
            Some(settle) if settle < Times::default().quiet() => {
                Times::new(Duration::from_secs(60), Duration::from_secs(30), settle, settle)?
            }
            _ => Times::default(),
        })
    }

    /// These times, with the settle time of `--settle` if it was given.
    pub(crate) fn with(self, times: Times) -> Result<Times> {
        match self.settle {
            Some(settle) => times.with_settle(settle),
            None => Ok(times),
        }
    }
}

/// The rollback window.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Rollback window (a digest inside either one is kept)")]
pub(crate) struct KeepArgs {
    /// Distinct digests kept for rollback on each channel, the live one included; at least 1. Default: `keep-last` of
    /// tagwarden.toml, else 10
    #[arg(long, value_name = "N")]
    pub(crate) keep_last: Option<NonZeroU32>,
    /// How long a digest is kept after it stopped being live; 0s keeps by number alone. Default: `keep-for` of
    /// tagwarden.toml, else 30d
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) keep_for: Option<Duration>,
}
