//! The known words of Git and of servers, and their meaning.

use super::super::commit::COMMITTER;
use super::advice::Scene;
use super::{At, Call};
use crate::error::ErrorKind;
use crate::error::ErrorKind::{LedgerAbsent, LedgerDenied, LedgerUnsupported};

/// The meaning of a text.
pub(super) enum Ruling {
    /// A person must change something.
    Refused(ErrorKind, Option<String>),
    /// The same command may succeed later.
    Unclear(Option<&'static str>),
}

/// If a text contains one of `words` (in lower case), `means` gives its meaning.
struct Rule {
    words: &'static [&'static str],
    means: fn(&Scene<'_>) -> Ruling,
}

/// The meaning of a text in lower case; none if no rule fits.
pub(super) fn judge(text: &str, call: Call, at: &At<'_>) -> Option<Ruling> {
    let rule = RULES.iter().find(|rule| rule.words.iter().any(|words| text.contains(words)))?;
    Some((rule.means)(&Scene { text, call, at }))
}

/// The first rule that fits counts. So the server's own words come before the HTTP status that Git reports, and
/// temporary failures before refusals.
static RULES: &[Rule] = &[
    Rule { words: &["archived"], means: |_| denied("unarchive the repository, or keep the ledger in another one") },
    Rule {
        words: &[
            "no space left on device",
            "internal server error",
            "internal api",
            "try again later",
            "temporarily",
            "maintenance mode",
            "read-only gitlab instance",
            "rate limit",
            "too many requests",
            "error: 429",
            "error: 50",
            "http 50",
            "proxy",
            "could not resolve host",
            "failed to connect",
            "couldn't connect",
            "connection refused",
            "connection reset",
            "timed out",
            "empty reply",
            "early eof",
            "rpc failed; curl",
            "handshake",
        ],
        means: |scene| Ruling::Unclear(passing(scene.text)),
    },
    Rule {
        words: &["size limit", "exceeded the allocated storage", "quota"],
        means: |_| denied("make room in the repository, or raise its limit"),
    },
    Rule { words: &["gh013", "repository rule violations"], means: |scene| denied(&scene.repository_rule()) },
    Rule {
        words: &[
            "follow the pattern",
            "is not a member of team",
            "verified email",
            "must be signed",
            "unsigned",
            "gh007",
            "committer is not",
            "you cannot push commits for",
        ],
        means: |scene| {
            denied(&format!(
                "take the branch `{}` out of the rules about authors, committers, messages and signatures: its commits \
                 are by the actor and by {} <{}>, and they are not signed",
                scene.at.branch, COMMITTER.0, COMMITTER.1
            ))
        },
    },
    Rule { words: &["gh006", "protected branch", "protected ref"], means: |scene| denied(&scene.protected()) },
    Rule {
        words: &["pull request", "tf402455", "merge request"],
        means: |scene| {
            denied(&format!("take the branch `{}` out of the rule that demands pull requests", scene.at.branch))
        },
    },
    Rule { words: &["dubious ownership", "unsafe repository"], means: |scene| denied(&scene.safe_directory()) },
    Rule {
        words: &["saml sso"],
        means: |_| denied("authorize the token for the organization, in the token's settings"),
    },
    Rule {
        words: &[
            "denied to deploy key",
            "marked as read only",
            "marked as read-only",
            "write access to repository not granted",
            "not allowed to push code",
            "not allowed to upload code",
            "not permitted to push",
            "permission denied for writing",
            "genericcontribute",
            "not accessible by integration",
            "receive-pack",
        ],
        means: |scene| denied(&scene.right_to_push()),
    },
    Rule {
        words: &["permission denied (publickey", "host key verification failed", "host identification has changed"],
        means: |scene| denied(scene.ssh()),
    },
    Rule {
        words: &[
            "authentication failed",
            "could not read username",
            "could not read password",
            "invalid username or",
            "invalid credentials",
            "http basic: access denied",
            "error: 401",
            "http 401",
        ],
        means: |scene| denied(&scene.credential()),
    },
    Rule {
        words: &[
            "error: 301",
            "error: 302",
            "error: 303",
            "error: 307",
            "error: 308",
            "http 301",
            "http 302",
            "http 307",
            "http 308",
            "redirect",
        ],
        means: |_| {
            denied(
                "the server redirects, and tagwarden never sends a credential to another address: use the URL that the \
                 server redirects to (GitLab's URLs end in .git)",
            )
        },
    },
    Rule {
        words: &["does not appear to be a git repository"],
        means: |scene| Ruling::Refused(LedgerAbsent, Some(scene.make())),
    },
    Rule {
        words: &["repository not found", "' not found", "could not be found", "tf401019", "error: 404", "http 404"],
        means: |scene| {
            let who = match scene.at.credential {
                Some(credential) => format!("{} may not see it", credential.source().as_str()),
                None => "no credential was found for it".to_owned(),
            };
            denied(&format!("there is no such repository, or {who}"))
        },
    },
    Rule {
        words: &["permission to", "error: 403", "http 403", "forbidden", "permission denied", "access denied"],
        means: |scene| match scene.call {
            Call::Push => denied(&scene.right_to_push()),
            Call::Fetch => denied("the account needs the right to read the repository"),
        },
    },
    Rule {
        words: &["is not a git command", "unable to find remote helper"],
        means: |_| unsupported("install the part of Git that speaks HTTP (the package is often named git or git-core)"),
    },
    Rule {
        words: &["cannot run ssh", "cannot exec 'ssh'"],
        means: |_| unsupported("install an SSH client (openssh-client), or use git+https://"),
    },
    Rule {
        words: &["transport '"],
        means: |_| unsupported("allow the protocol: protocol.<name>.allow in Git's configuration, GIT_ALLOW_PROTOCOL"),
    },
    Rule {
        words: &["dumb http", "shallow update not allowed", "unsupported object format"],
        means: |_| unsupported("use a Git server with the smart protocol and the object format of this Git"),
    },
    Rule {
        words: &["currently checked out", "refusing to update checked out branch"],
        means: |_| denied("keep the ledger in a bare repository: git init --bare"),
    },
    Rule {
        words: &[
            "insufficient permission",
            "unable to create temporary object directory",
            "unable to create temporary file",
        ],
        means: |_| denied("let the account write into the repository's directory"),
    },
    // The other reasons for which a server rejects a push come from its hooks.
    Rule {
        words: &["hook declined", "[remote rejected]"],
        means: |scene| denied(&format!("let the server's hook accept the branch `{}`", scene.at.branch)),
    },
    Rule {
        words: &["certificate", "ssl"],
        means: |_| {
            Ruling::Unclear(Some("Git trusts the certificates of http.sslCAInfo, GIT_SSL_CAINFO and of the system"))
        },
    },
];

fn denied(advice: &str) -> Ruling {
    Ruling::Refused(LedgerDenied, Some(advice.to_owned()))
}

fn unsupported(advice: &str) -> Ruling {
    Ruling::Refused(LedgerUnsupported, Some(advice.to_owned()))
}

fn passing(text: &str) -> Option<&'static str> {
    if text.contains("no space left") {
        return Some("make room on the disk");
    }
    text.contains("proxy").then_some("Git takes the proxy from http.proxy, https_proxy and no_proxy")
}
