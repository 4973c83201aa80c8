//! The records of both bindings: the answers of the core. Those with the fields of a struct or an enum of the core are
//! generated from it, by `generate.py`; the others are described here.
//!
//! Each binding includes this directory as its module `records`. Before that it defines, in its module `host`,
//! - the types of fields that are its own: `Channel`, `Count`, `Digest`, `Environment`, `List`, `OrderValue`,
//!   `Provenance`, `Reference`, `Repository`, `Tag` and `Time`;
//! - the macro `record!`, which makes a struct a record of its language;
//! - the macro `word!`, which makes an enum of words a value of its language.
//!
//! The fields are those of the core's JSON, so that a record that is written as JSON is what the command line prints.

mod generated;

pub use generated::*;

use tagwarden::{ErrorKind, config, diff, drift, log, policy, promotion, retention};
use tagwarden_bind::convert::{FromCore, to};
use tagwarden_bind::records;

use crate::host::{Channel, Count, Digest, Environment, List, Repository, Time};

records! {
    /// A kind of error.
    pub struct ErrorInfo {
        /// The stable code, `AREA_STATE`.
        pub code: String,
        /// The caller's next step.
        pub retry: Retry,
        /// The kind of the error; the exit code of the command line follows from it.
        pub class: ErrorClass,
        /// The code in one sentence.
        pub meaning: String,
    }

    /// The order of releases.
    pub struct Order {
        /// The kind of value by which releases are ordered.
        ///
        /// One of `semver`, `created`, `build-number`, `none`.
        pub by: OrderBy,
        /// True if a release without a value is refused.
        pub required: bool,
    }

    /// The platforms that only one of two releases has, such as `linux/arm64`.
    pub struct PlatformDifference {
        /// Those that only the release that is compared has.
        pub added: List<String>,
        /// Those that only the release that is compared with has.
        pub gone: List<String>,
        /// The number of those that both have.
        pub same: Count,
    }

    /// The layers that only one of two releases has.
    pub struct LayerDifference {
        /// Those that only the release that is compared has.
        pub added: List<Layer>,
        /// Those that only the release that is compared with has.
        pub gone: List<Layer>,
        /// The number of those that both have.
        pub same: Count,
    }

    /// A channel, and the hold on it.
    pub struct HeldChannel {
        /// The channel.
        pub channel: Channel,
        /// The hold's id, its position in the channel's log.
        pub hold: Count,
    }

    /// The result of a block.
    pub struct BlockResult {
        /// The channel whose log has the block; it counts there and in every later environment.
        pub channel: Channel,
        /// The digest that is blocked.
        pub digest: Digest,
        /// The position of the block in that log.
        pub block: Count,
        /// True if the log had this block already: the new one is not recorded, and one unblock ends both. `blocks` says
        /// whose it is.
        pub already: bool,
    }

    /// A guardrail of a policy.
    pub struct GuardrailUse {
        /// Its name.
        pub name: String,
        /// Its mode.
        ///
        /// One of `off`, `warn`, `refuse`.
        pub mode: Mode,
        /// The operations that it judges.
        pub ops: List<Op>,
    }

    /// The limits on overrides.
    pub struct OverrideRule {
        /// The only guardrails that may be overridden; absent if there is no such limit.
        pub allowed: Option<List<String>>,
        /// The only actors who may override, `PROVIDER:ID`; absent if there is no such limit.
        pub by: Option<List<String>>,
    }

    /// An environment of a `tagwarden.toml`.
    pub struct EnvironmentConfig {
        /// Its name.
        pub environment: Environment,
        /// The channel that it consumes.
        pub channel: Channel,
        /// The name and the digest of the policy of its moves, as they are recorded with each move.
        pub policy: RecordedPolicy,
        /// The guardrails of the policy.
        pub guardrails: List<GuardrailUse>,
        /// The limits on overrides.
        pub r#override: OverrideRule,
        /// The step that each rollback takes before it waits for another move or writes its intent.
        ///
        /// One of `none`, `hold`.
        pub after_rollback: AfterRollback,
    }

    /// The settings of a registry in a `tagwarden.toml`.
    pub struct RegistryConfig {
        /// Its `host[:port]`.
        pub host: String,
        /// How long it may answer an older value of a tag, in milliseconds; none if the file does not say.
        pub settle_ms: Option<Count>,
        /// The environment variable that has the user of its login; none if the file does not say.
        pub user_env: Option<String>,
        /// The environment variable that has the password of its login; none if the file does not say.
        pub password_env: Option<String>,
        /// The token servers that it may name though they are on another site; absent if the file does not say.
        pub token_servers: Option<List<String>>,
        /// The file of certificates to trust; none if the file does not say.
        pub ca_file: Option<String>,
        /// The file of the client certificate; none if the file does not say.
        pub client_cert: Option<String>,
        /// The file of the client certificate's key; none if the file does not say.
        pub client_key: Option<String>,
        /// How long a failed request is tried again, in milliseconds; none if the file does not say.
        pub retry_for_ms: Option<Count>,
        /// True for TLS, false for plain HTTP; none if the file does not say.
        pub tls: Option<bool>,
    }

    /// The result of an audit.
    pub struct AuditReport {
        /// When it ran.
        pub at: Time,
        /// The worst that was found: `defect` (of a log), `drift`, `unknown` or `indeterminate` (a move is open), in
        /// this order; none if nothing is wrong.
        pub worst: Option<ErrorClass>,
        /// Each channel, in their order.
        pub channels: List<ChannelAudit>,
    }

    /// A log that a retention plan was made from. If it is longer now, the plan is void.
    pub struct LogSize {
        /// The channel of the log.
        pub channel: Channel,
        /// The number of its entries.
        pub size: Count,
    }

    /// The rule of a retention plan. A digest inside either window is kept.
    pub struct RetentionWindow {
        /// How many distinct digests are kept on each channel.
        pub keep_last: u32,
        /// How long a digest is kept after it stopped being live, in seconds.
        pub keep_for_s: Count,
    }

    /// The digests of a repository that must stay, and those that may go.
    pub struct RetentionPlan {
        /// The repository.
        pub repository: Repository,
        /// The time for which it was made.
        pub at: Time,
        /// The rule.
        pub rule: RetentionWindow,
        /// The logs that it was made from.
        pub logs: List<LogSize>,
        /// The log or tag that could not be read, so that nothing expires; none if all were read.
        pub blocked: Option<String>,
        /// Every known digest, kept or not.
        pub digests: List<DigestRetention>,
    }
}

impl FromCore<ErrorKind> for ErrorInfo {
    fn from_core(core: ErrorKind) -> ErrorInfo {
        let (code, meaning) = (core.code().to_owned(), core.meaning().to_owned());
        ErrorInfo { code, retry: to(core.retry()), class: to(core.class()), meaning }
    }
}

impl FromCore<policy::Order> for Order {
    fn from_core(core: policy::Order) -> Order {
        Order { by: to(core.by()), required: core.is_required() }
    }
}

impl FromCore<diff::Difference<tagwarden::Line>> for PlatformDifference {
    fn from_core(core: diff::Difference<tagwarden::Line>) -> PlatformDifference {
        let diff::Difference { added, gone, same, .. } = core;
        PlatformDifference { added: to(added), gone: to(gone), same: to(same) }
    }
}

impl FromCore<diff::Difference<diff::Layer>> for LayerDifference {
    fn from_core(core: diff::Difference<diff::Layer>) -> LayerDifference {
        let diff::Difference { added, gone, same, .. } = core;
        LayerDifference { added: to(added), gone: to(gone), same: to(same) }
    }
}

impl FromCore<(tagwarden::Channel, u64)> for HeldChannel {
    fn from_core((channel, hold): (tagwarden::Channel, u64)) -> HeldChannel {
        HeldChannel { channel: to(channel), hold: to(hold) }
    }
}

impl FromCore<(tagwarden::Channel, tagwarden::Digest, promotion::BlockResult)> for BlockResult {
    fn from_core(
        (channel, digest, result): (tagwarden::Channel, tagwarden::Digest, promotion::BlockResult),
    ) -> BlockResult {
        let already = matches!(result, promotion::BlockResult::Already(_));
        BlockResult { channel: to(channel), digest: to(digest), block: to(result.seq()), already }
    }
}

impl FromCore<(&policy::Policy, &dyn policy::Guardrail)> for GuardrailUse {
    fn from_core((policy, guardrail): (&policy::Policy, &dyn policy::Guardrail)) -> GuardrailUse {
        let (mode, ops) = (policy.mode(guardrail), policy.ops(guardrail));
        GuardrailUse { name: guardrail.name().to_owned(), mode: to(mode), ops: to(ops) }
    }
}

impl FromCore<policy::OverrideRule> for OverrideRule {
    fn from_core(core: policy::OverrideRule) -> OverrideRule {
        let policy::OverrideRule { allowed, by } = core;
        OverrideRule { allowed: to(allowed.map(Vec::from_iter)), by: to(by.map(Vec::from_iter)) }
    }
}

impl FromCore<config::EnvironmentConfig> for EnvironmentConfig {
    fn from_core(core: config::EnvironmentConfig) -> EnvironmentConfig {
        let config::EnvironmentConfig { environment, channel, policy, after_rollback, .. } = core;
        let guardrails = policy.guardrails().iter().map(|guardrail| (&policy, &**guardrail));
        EnvironmentConfig {
            environment: to(environment),
            channel: to(channel),
            policy: to(policy.note()),
            guardrails: to(Vec::from_iter(guardrails)),
            r#override: to(policy.overrides().clone()),
            after_rollback: to(after_rollback),
        }
    }
}

impl FromCore<(String, config::RegistryConfig)> for RegistryConfig {
    fn from_core((host, core): (String, config::RegistryConfig)) -> RegistryConfig {
        let ms = |settle: std::time::Duration| u64::try_from(settle.as_millis()).unwrap_or(u64::MAX);
        let path = |file: std::path::PathBuf| file.display().to_string();
        let config::RegistryConfig { settle, user_env, password_env, token_servers, ca_file, retry_for, tls, .. } =
            core;
        let token_servers = (!token_servers.is_empty()).then(|| Vec::from_iter(token_servers));
        RegistryConfig {
            host,
            settle_ms: to(settle.map(ms)),
            user_env,
            password_env,
            token_servers: to(token_servers),
            ca_file: ca_file.map(path),
            client_cert: core.client_cert.map(path),
            client_key: core.client_key.map(path),
            retry_for_ms: to(retry_for.map(ms)),
            tls,
        }
    }
}

impl FromCore<drift::AuditReport> for AuditReport {
    fn from_core(core: drift::AuditReport) -> AuditReport {
        AuditReport { at: to(core.at), worst: to(core.class()), channels: to(core.channels().to_vec()) }
    }
}

impl FromCore<(tagwarden::Channel, u64)> for LogSize {
    fn from_core((channel, size): (tagwarden::Channel, u64)) -> LogSize {
        LogSize { channel: to(channel), size: to(size) }
    }
}

impl FromCore<retention::RetentionPlan> for RetentionPlan {
    fn from_core(core: retention::RetentionPlan) -> RetentionPlan {
        let retention::RetentionRule { keep_last, keep_for } = core.rule;
        let (blocked, digests) = (core.blocked().map(str::to_owned), to(core.digests()));
        let rule = RetentionWindow { keep_last: keep_last.get(), keep_for_s: to(keep_for.as_secs()) };
        RetentionPlan { repository: to(core.repository), at: to(core.at), rule, logs: to(core.logs), blocked, digests }
    }
}

impl FromCore<log::RecordedFinding> for Finding {
    fn from_core(core: log::RecordedFinding) -> Finding {
        let log::RecordedFinding { guardrail, verdict, code, why } = core;
        Finding { guardrail: to(guardrail), verdict: to(verdict), code: to(code), why: to(why), retry: None }
    }
}
