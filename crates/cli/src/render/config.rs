//! Answers of `init` and `config validate`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tagwarden::config::{Config, Draft, EnvironmentConfig};
use tagwarden::log::Op;
use tagwarden::policy::{Guardrail, Mode, OrderBy, OverrideRule};
use tagwarden::promotion::AfterRollback;
use tagwarden::{Result, human_duration};

use super::{Answer, Fields, Style, shown};

/// A first file that was written.
pub(crate) fn drafted(file: &Path, draft: &Draft) -> Result<Answer> {
    let mut lines = vec![shown(&format!("wrote {}", file.display()))];
    lines.extend(draft.notes.iter().map(|note| format!("  {}", shown(note))));
    lines.push("  next: change what is wrong, then `tagwarden config validate`".to_owned());
    let json = json!({ "file": file.display().to_string(), "result": "written", "notes": draft.notes });
    Answer::done(&json, lines.join("\n"))
}

/// The meaning of a file, for each environment.
pub(crate) fn config(file: &Path, config: &Config, style: Style) -> Result<Answer> {
    let mut blocks = vec![whole(file, config, style)];
    let mut environments = Vec::new();
    for environment in &config.environments {
        blocks.push(words(config, environment, style));
        environments.push(described(environment));
    }
    let registries = config.registries.iter().map(|(host, registry)| {
        let token_servers = Some(&registry.token_servers).filter(|servers| !servers.is_empty());
        let ms = |time: Option<Duration>| time.map(|time| time.as_millis() as u64);
        let path = |file: &Option<PathBuf>| file.as_ref().map(|file| file.display().to_string());
        let json = json!({
            "settle_ms": ms(registry.settle),
            "user_env": registry.user_env,
            "password_env": registry.password_env,
            "token_servers": token_servers,
            "ca_file": path(&registry.ca_file),
            "client_cert": path(&registry.client_cert),
            "client_key": path(&registry.client_key),
            "retry_for_ms": ms(registry.retry_for),
            "tls": registry.tls,
        });
        (host.clone(), json)
    });
    let json = json!({
        "file": file.display().to_string(),
        "result": "valid",
        "ledger": config.ledger,
        "order": config.order,
        "retention": config.retention,
        "registries": Value::from_iter(registries),
        "environments": environments,
    });
    Answer::done(&json, blocks.join("\n"))
}

fn whole(file: &Path, config: &Config, style: Style) -> String {
    let order = config.order.map(|order| {
        let by = match order.by() {
            OrderBy::Unordered => "none: no release is newer than another".to_owned(),
            by => format!("by {}", by.as_str()),
        };
        let required = if order.is_required() { "; a release without a value is refused" } else { "" };
        format!("{by}{required}")
    });
    let (keep_last, keep_for) = (config.retention.keep_last, human_duration(config.retention.keep_for));
    let mut fields = Fields::under(format!("{} {}", style.good("valid"), shown(&file.display().to_string())))
        .field("ledger", config.ledger.as_ref().map_or("none".to_owned(), ToString::to_string))
        .maybe("order", order)
        .field("retention", format!("{keep_last} digests, and what was live in the last {keep_for}"));
    for (host, registry) in &config.registries {
        if let Some(settle) = registry.settle {
            fields = fields
                .field("registry", format!("{host} may answer an older value of a tag for {}", human_duration(settle)));
        }
        if let (Some(user), Some(password)) = (&registry.user_env, &registry.password_env) {
            fields = fields.field("login", format!("{host} by the variables {user} and {password}"));
        }
        if !registry.token_servers.is_empty() {
            let servers: Vec<&str> = registry.token_servers.iter().map(String::as_str).collect();
            fields = fields.field("tokens", format!("{host} by {}", servers.join(", ")));
        }
        if let Some(tls) = registry.tls {
            fields = fields.field("tls", format!("{host} speaks {}", if tls { "TLS" } else { "plain HTTP" }));
        }
        if let Some(file) = &registry.ca_file {
            fields = fields.field("trust", format!("{host} by {}", shown(&file.display().to_string())));
        }
        if let Some(file) = &registry.client_cert {
            fields = fields.field("client", format!("{host} gets {}", shown(&file.display().to_string())));
        }
        if let Some(time) = registry.retry_for {
            fields = fields.field("retries", format!("{host} is asked again for {}", human_duration(time)));
        }
    }
    if config.environments.is_empty() {
        fields = fields.line("  no environment is named; `[[pipeline]]` names one".to_owned());
    }
    fields.text()
}

/// One environment in words: its policy, its place in the pipeline, and each guardrail.
fn words(config: &Config, environment: &EnvironmentConfig, style: Style) -> String {
    let policy = &environment.policy;
    let note = policy.note();
    let before = config.pipeline.as_ref().and_then(|pipeline| pipeline.before(&environment.channel));
    let mut fields = Fields::under(format!("{} {}", style.bold(environment.environment.as_str()), environment.channel))
        .field("policy", format!("{} {}", note.name, note.digest))
        .field("after", before.map_or("nothing: it is the first environment", |stage| stage.environment.as_str()));
    for guardrail in policy.guardrails() {
        fields = fields.line(judging(environment, &**guardrail, style));
    }
    fields = fields.maybe("override", overrides(policy.overrides()));
    if environment.after_rollback == AfterRollback::Hold {
        fields = fields.field("rollback", "each one first appends a hold of promotions");
    }
    fields.text()
}

fn judging(environment: &EnvironmentConfig, guardrail: &dyn Guardrail, style: Style) -> String {
    let (mode, info) = (environment.policy.mode(guardrail), guardrail.info());
    let word = match mode {
        Mode::Off => style.dim("off      "),
        Mode::Warn => style.doubtful("warns    "),
        Mode::Refuse => style.good("refuses  "),
    };
    let ops = environment.policy.ops(guardrail);
    let only = match ops.len() == Op::ALL.len() {
        true => String::new(),
        false => format!(" ({})", ops.into_iter().map(Op::as_str).collect::<Vec<_>>().join(", ")),
    };
    let refuses = if mode == Mode::Off { "would refuse if" } else { "if" };
    format!("  {word} {}{only}: {refuses} {}", shown(guardrail.name()), info.refuses_if)
}

/// The limits on overrides in words; none if there are none.
fn overrides(rule: &OverrideRule) -> Option<String> {
    let list = |all: Vec<String>| all.join(", ");
    let allowed = rule.allowed.as_ref().map(|all| list(all.iter().map(ToString::to_string).collect()));
    let by = rule.by.as_ref().map(|all| list(all.iter().map(ToString::to_string).collect()));
    Some(match (allowed.as_deref(), by) {
        (None, None) => return None,
        (Some(""), _) => "no guardrail may be overridden".to_owned(),
        (Some(allowed), None) => format!("{allowed} alone, by everyone"),
        (Some(allowed), Some(by)) => format!("{allowed} alone, by {by} alone"),
        (None, Some(by)) => format!("by {by} alone"),
    })
}

fn described(environment: &EnvironmentConfig) -> Value {
    let policy = &environment.policy;
    let guardrails: Vec<_> = policy
        .guardrails()
        .iter()
        .map(|guardrail| {
            let (mode, ops) = (policy.mode(&**guardrail), policy.ops(&**guardrail));
            json!({ "name": guardrail.name(), "mode": mode, "ops": ops })
        })
        .collect();
    json!({
        "environment": environment.environment,
        "channel": environment.channel,
        "policy": policy.note(),
        "text": policy.text(),
        "guardrails": guardrails,
        "override": policy.overrides(),
        "after_rollback": environment.after_rollback,
    })
}
