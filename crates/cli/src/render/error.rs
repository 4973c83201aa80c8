//! Errors: the failure, its cause, and the next step.

use serde_json::{Value, json};
use tagwarden::policy::Refusal;
use tagwarden::{Error, ErrorClass, ErrorKind};

use super::{Style, shown};

/// `{"error": {code, class, retry, message, context, findings?}}`.
pub(crate) fn error_json(error: &Error) -> Value {
    json!({ "error": error_fields(error) })
}

pub(super) fn error_fields(error: &Error) -> Value {
    let context: serde_json::Map<String, Value> =
        error.context().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let mut body = json!({
        "code": error.code(),
        "class": error.kind().class().as_str(),
        "retry": error.retry().as_str(),
        "message": error.message(),
        "context": context,
    });
    if let (Some(refusal), Some(fields)) = (error.source_as::<Refusal>(), body.as_object_mut()) {
        fields.insert("findings".to_owned(), json!(refusal.findings()));
    }
    body
}

/// An error for people: the failure and its cause on the first line, one line for each refusing finding, and a hint.
pub(crate) fn error_text(error: &Error, style: Style) -> String {
    let word = match error.kind().class() {
        ErrorClass::Refused => style.doubtful("refused:"),
        _ => style.bad("error:"),
    };
    let mut lines = Vec::new();
    match error.source_as::<Refusal>() {
        Some(refusal) => {
            let (refused, all) = (refusal.refusals().count(), refusal.findings().len());
            let what = format!("{}: the policy refuses the move, by {refused} of {all} guardrails", refusal.channel());
            lines.push(format!("{word} {} [{}]", shown(&what), error.code()));
            for finding in refusal.refusals() {
                let code = finding.code().unwrap_or("REFUSED");
                lines.push(format!("  {}", shown(&format!("{} {code}: {}", finding.guardrail, finding.why))));
            }
        }
        None => lines.push(format!("{word} {} [{}]", shown(error.message()), error.code())),
    }
    if let Some(hint) = hint(error) {
        lines.push(format!("{} {}", style.bold("hint:"), shown(&hint)));
    }
    lines.join("\n")
}

/// The command that helps after this error.
fn hint(error: &Error) -> Option<String> {
    let channel = error.context().find(|(name, _)| *name == "channel").map_or("CHANNEL", |(_, channel)| channel);
    // Where a block is in the way, the message has the commands.
    let has = |part: &str| error.context().any(|(name, _)| name == part);
    let blocked = has("blocked");
    Some(match error.kind() {
        ErrorKind::ChannelDrifted if blocked => return None,
        ErrorKind::ChannelDrifted | ErrorKind::ChannelOverwritten => format!(
            "`tagwarden repair {channel}` puts the live digest back; `tagwarden adopt {channel} --reason …` keeps what \
             is there"
        ),
        ErrorKind::ChannelChanged => {
            format!(
                "look at `tagwarden current {channel}`, then ask again; --on-conflict requeue moves after the other one"
            )
        }
        ErrorKind::ChannelBusy => format!(
            "leave out --on-conflict fail, or wait longer with --timeout TIME; if the run of the open move is dead: `tagwarden \
             recover {channel}`"
        ),
        ErrorKind::PolicyRefused if refused_by(error, "TARGET_INCOMPLETE") => {
            "push the missing parts again, or name another target; --override parts-present with --reason goes there all the \
             same, where the policy lets it be overridden"
                .to_owned()
        }
        ErrorKind::PolicyRefused if refused_by(error, "CHANNEL_HELD") => {
            format!("`tagwarden holds {channel}` lists the holds; `tagwarden unhold {channel} ID --reason …` ends one")
        }
        // The message says that the copy is to be read anew.
        ErrorKind::LedgerAbsent | ErrorKind::LedgerUnavailable if has("cache") => return None,
        _ if has("copy") => format!(
            "commands that only read answer from this machine's copy of the branch with --offline, such as `tagwarden \
             history {channel} --offline`"
        ),
        ErrorKind::ChannelNotBootstrapped if has("as_of") => {
            "the copy may be older than the log: run the command without --offline".to_owned()
        }
        ErrorKind::ChannelNotBootstrapped => {
            format!(
                "check the channel's name and the ledger; for a new channel `tagwarden bootstrap {channel}` takes the tag \
                 as it is, and --source RELEASE makes it"
            )
        }
        ErrorKind::RollbackNoTarget => {
            format!("`tagwarden history {channel}` shows what was live; name the release with --to")
        }
        ErrorKind::ReleaseUnknown => format!("`tagwarden history {channel}` has every move with its sequence number"),
        ErrorKind::MoveIndeterminate | ErrorKind::MoveTakenOver | ErrorKind::LedgerAmbiguous => {
            format!("`tagwarden recover {channel}` brings it to rest, from any machine")
        }
        // The message has the line that allows the token server.
        ErrorKind::RegistryDenied if error.context().any(|(name, _)| name == "token_server") => return None,
        ErrorKind::RegistryDenied => {
            "log in with `docker login`, set TAGWARDEN_USERNAME and TAGWARDEN_PASSWORD, or give --username with \
             --password-stdin"
                .to_owned()
        }
        ErrorKind::LedgerAbsent => {
            "check the ledger's URL first; `tagwarden ledger init URL` makes a new, empty ledger".to_owned()
        },
        ErrorKind::LedgerMigrated => {
            let to = error.context().find(|(name, _)| *name == "ledger").map_or("the other ledger", |(_, to)| to);
            format!("name {to} in --ledger, TAGWARDEN_LEDGER or tagwarden.toml")
        }
        ErrorKind::LedgerForeign => {
            "use the other ledger, or bring its logs here with `tagwarden ledger migrate`; if it is lost, `tagwarden bootstrap` \
             with --override ledger-complete and --reason, where the policy lets it be overridden"
                .to_owned()
        }
        ErrorKind::LedgerCorrupt => {
            format!("`tagwarden verify {channel}` names every defect; do not edit the log")
        }
        ErrorKind::LedgerTruncated | ErrorKind::LedgerForked => {
            format!("move nothing on {channel} and do not edit the log, until it is known who changed it")
        }
        ErrorKind::InternalFault => "this is a defect of tagwarden; please report it".to_owned(),
        _ => return None,
    })
}

/// True if one of the refusing findings has this code.
fn refused_by(error: &Error, code: &str) -> bool {
    let refusal = error.source_as::<Refusal>();
    refusal.is_some_and(|refusal| refusal.refusals().any(|finding| finding.code() == Some(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_and_what_to_do_next() {
        let error = Error::new(ErrorKind::ChannelNotBootstrapped, "x:prod has no move\u{1b}[2J")
            .with_context("channel", "x:prod");
        assert_eq!(
            error_text(&error, Style::Plain),
            "refused: x:prod has no move\\u{1b}[2J [CHANNEL_NOT_BOOTSTRAPPED]\n\
             hint: check the channel's name and the ledger; for a new channel `tagwarden bootstrap x:prod` takes the tag \
             as it is, and --source RELEASE makes it"
        );
        assert_eq!(
            error_json(&error).to_string(),
            r#"{"error":{"class":"refused","code":"CHANNEL_NOT_BOOTSTRAPPED","context":{"channel":"x:prod"},"message":"x:prod has no move\u001b[2J","retry":"never"}}"#
        );
    }
}
