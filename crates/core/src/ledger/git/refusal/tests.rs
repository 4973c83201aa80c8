mod passing;

use super::*;
use crate::ledger::url::remote::Remote;
use crate::secret::Secret;

const CANARY: &str = "c4n4ry-token";

fn at() -> At<'static> {
    At {
        place: "git+https://git.example.com/acme/shop",
        remote: "https://git.example.com/acme/shop",
        branch: "tagwarden",
        credential: None,
        ci: None,
    }
}

fn said(err: &str) -> Said {
    Said { code: Some(1), out: String::new(), err: err.to_owned() }
}

/// The words of a server that rejects a push, as Git 2.39 prints them with `--porcelain`.
fn rejected(remote: &str, reason: &str) -> Said {
    let err = remote.lines().map(|line| format!("remote: {line}        \n")).collect::<String>()
        + "error: failed to push some refs to 'https://git.example.com/acme/shop'\n";
    let out = format!(
        "To https://git.example.com/acme/shop\n!\t1a2b3c4:refs/heads/tagwarden\t[remote rejected] ({reason})\nDone\n"
    );
    Said { code: Some(1), out, err }
}

fn unable(remote: &str, status: u16) -> Said {
    let url = "https://git.example.com/acme/shop/";
    let text = format!("{remote}\nfatal: unable to access '{url}': The requested URL returned error: {status}\n");
    Said { code: Some(128), ..said(&text) }
}

/// The kind and the text of the error of a push.
fn error(said: &Said, at: &At<'_>) -> (ErrorKind, String) {
    let error = Fault::of(Call::Push, said, at).into_error("append", at);
    (error.kind(), error.message().to_owned())
}

/// Every text is one that a server sent (public issues and manuals), with the part of the error that helps.
#[test]
fn refusal_of_a_push_is_denied_and_says_which_setting_helps() {
    for (said, words, advice) in [
        (
            rejected(
                "error: GH013: Repository rule violations found for refs/heads/tagwarden.\nReview all repository rules at \
                 https://github.com/acme/shop/rules?ref=refs%2Fheads%2Ftagwarden\n\n- Changes must be made through a pull \
                 request.\n",
                "push declined due to repository rule violations",
            ),
            "GH013: Repository rule violations found for refs/heads/tagwarden. Review all repository rules at \
             https://github.com/acme/shop/rules?ref=refs%2Fheads%2Ftagwarden - Changes must be made through a pull request; \
             remote rejected: push declined due to repository rule violations",
            "exclude the branch `tagwarden` from the ruleset",
        ),
        (
            rejected(
                "error: GH006: Protected branch update failed for refs/heads/tagwarden.\nerror: Changes must be made through \
                 a pull request.",
                "protected branch hook declined",
            ),
            "GH006: Protected branch update failed for refs/heads/tagwarden. Changes must be made through a pull request; \
             remote rejected: protected branch hook declined",
            "let this account push to the branch `tagwarden` without a pull request",
        ),
        (
            rejected(
                "GitLab: You are not allowed to push code to protected branches on this project.",
                "pre-receive hook declined",
            ),
            "GitLab: You are not allowed to push code to protected branches on this project; \
             remote rejected: pre-receive hook declined",
            "in Settings > Repository > Protected branches allow this user to push to the branch `tagwarden`",
        ),
        (
            rejected("Gitea: Not allowed to push to protected branch tagwarden", "pre-receive hook declined"),
            "Gitea: Not allowed to push to protected branch tagwarden",
            "let this account push to the branch `tagwarden`",
        ),
        (
            rejected(
                "Branch refs/heads/tagwarden can only be modified through pull requests.",
                "pre-receive hook declined",
            ),
            "can only be modified through pull requests",
            "take the branch `tagwarden` out of the rule",
        ),
        (
            rejected(
                "GitLab: Committer's email 'x' does not follow the pattern '@acme.com$'",
                "pre-receive hook declined",
            ),
            "does not follow the pattern '@acme.com$'",
            "take the branch `tagwarden` out of the rules about authors",
        ),
        (
            rejected(
                "GitLab: Author 'tagwarden@localhost.invalid' is not a member of team",
                "pre-receive hook declined",
            ),
            "is not a member of team",
            "by the actor and by tagwarden <tagwarden@localhost.invalid>",
        ),
        (
            rejected("GitLab: Commit must be signed with a GPG key", "pre-receive hook declined"),
            "must be signed",
            "they are not signed",
        ),
        (
            rejected("no entries on Fridays", "pre-receive hook declined"),
            "no entries on Fridays; remote rejected: pre-receive hook declined",
            "let the server's hook accept the branch `tagwarden`",
        ),
        (rejected("", "hook declined"), "remote rejected: hook declined", "let the server's hook accept"),
        (
            rejected(
                "GitLab: Your push has been rejected, because this repository has exceeded its size limit of 10 GB",
                "pre-receive hook declined",
            ),
            "has exceeded its size limit of 10 GB",
            "make room in the repository",
        ),
        (rejected("", "branch is currently checked out"), "branch is currently checked out", "git init --bare"),
        (
            unable("remote: This repository was archived so it is read-only.", 403),
            "This repository was archived so it is read-only; unable to access",
            "unarchive the repository",
        ),
        (
            unable("remote: Permission to acme/shop.git denied to github-actions[bot].", 403),
            "Permission to acme/shop.git denied to github-actions[bot]; unable to access \
             'https://git.example.com/acme/shop/': The requested URL returned error: 403",
            "the account needs the right to push to the branch `tagwarden`",
        ),
        (
            unable("remote: Write access to repository not granted.", 403),
            "Write access to repository not granted",
            "a token with write access to the repository's contents",
        ),
        (unable("", 403), "returned error: 403", "needs the right to push"),
        (
            unable("remote: User permission denied for writing.", 403),
            "User permission denied for writing",
            "the right to push",
        ),
        (
            said(
                "ERROR: Permission to acme/shop.git denied to deploy key\nfatal: Could not read from remote repository.\n\n\
                  Please make sure you have the correct access rights\nand the repository exists.\n",
            ),
            "cannot append: Permission to acme/shop.git denied to deploy key; give",
            "give the deploy key write access",
        ),
        (
            said("remote: Repository not found.\nfatal: repository 'https://github.com/acme/shop/' not found\n"),
            "Repository not found; repository 'https://github.com/acme/shop/' not found",
            "there is no such repository, or no credential was found for it",
        ),
        (
            said(
                "remote: Invalid username or token. Password authentication is not supported for Git operations.\n\
                  fatal: Authentication failed for 'https://github.com/acme/shop/'\n",
            ),
            "Password authentication is not supported",
            "give a token (TAGWARDEN_GIT_TOKEN)",
        ),
        (
            said("fatal: could not read Username for 'https://github.com': terminal prompts disabled\n"),
            "terminal prompts disabled",
            "set up a credential helper of Git",
        ),
        (
            said("git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.\n"),
            "cannot append: git@github.com: Permission denied (publickey); give",
            "give the host the public key of this account",
        ),
        (
            said("Host key verification failed.\nfatal: Could not read from remote repository.\n"),
            "Host key verification failed",
            "known_hosts",
        ),
        (unable("", 301), "returned error: 301", "use the URL that the server redirects to"),
        (
            said(
                "fatal: detected dubious ownership in repository at '/srv/ledger.git'\nTo add an exception for this \
                  directory, call:\n\n\tgit config --global --add safe.directory /srv/ledger.git\n",
            ),
            "detected dubious ownership in repository at '/srv/ledger.git'",
            "git config --global --add safe.directory",
        ),
        (
            said(
                "remote: The 'acme' organization has enabled or enforced SAML SSO.\nfatal: unable to access \
                  'https://github.com/acme/shop/': The requested URL returned error: 403\n",
            ),
            "SAML SSO",
            "authorize the token for the organization",
        ),
        (
            said("error: remote unpack failed: unable to create temporary object directory\n"),
            "remote unpack failed",
            "let the account write into the repository's directory",
        ),
    ] {
        let (kind, text) = error(&said, &at());
        assert_eq!(kind, ErrorKind::LedgerDenied, "{text}");
        assert!(text.starts_with("git+https://git.example.com/acme/shop: cannot append: "), "{text}");
        assert!(text.contains(words), "{text}\nlacks {words}");
        assert!(text.contains(advice), "{text}\nlacks {advice}");
    }
}

#[test]
fn advice_for_a_refused_push_names_the_setting_of_the_ci() {
    let job = Secret::new(CANARY);
    let remote = Remote::of(at().remote).unwrap();
    let env = |name: &str| match name {
        "CI_JOB_TOKEN" => Some(CANARY.to_owned()),
        "CI_SERVER_HOST" => Some("git.example.com".to_owned()),
        _ => None,
    };
    let job_token = Credential::find(&remote, None, &env, &|| None).unwrap();
    let given = Credential::find(&remote, Some(&job), &|_| None, &|| None).unwrap();
    for (ci, credential, advice) in [
        (Some("github-actions"), &None, "permissions: contents: write"),
        (Some("gitea-actions"), &given, "permissions: contents: write"),
        (Some("gitlab-ci"), &job_token, "*Allow Git push requests to the repository* (GitLab 17.2 or later)"),
        (Some("gitlab-ci"), &given, "a token with write access"),
        (None, &None, "a token with write access"),
    ] {
        let at = At { ci, credential: credential.as_ref(), ..at() };
        let (kind, text) = error(&unable("remote: You are not allowed to push code to this project.", 403), &at);
        assert_eq!(kind, ErrorKind::LedgerDenied);
        assert!(text.contains(advice), "{text}\nlacks {advice}");
    }
}

#[test]
fn credential_that_is_not_accepted_is_named_by_its_source() {
    let remote = Remote::of(at().remote).unwrap();
    let given = Credential::find(&remote, Some(&Secret::new(CANARY)), &|_| None, &|| None).unwrap();
    let prompt = said("fatal: could not read Username for 'https://git.example.com': terminal prompts disabled\n");
    for (ci, credential, advice) in [
        (None, &given, "the server did not accept the token that was given"),
        (Some("github-actions"), &None, "run after actions/checkout in the same directory"),
        (Some("gitlab-ci"), &None, "CI_JOB_TOKEN is for the server of the job only"),
    ] {
        let at = At { ci, credential: credential.as_ref(), ..at() };
        let (kind, text) = error(&prompt, &at);
        assert_eq!(kind, ErrorKind::LedgerDenied);
        assert!(text.contains(advice), "{text}\nlacks {advice}");
    }
}

/// A repository's name may contain the words of a rule.
#[test]
fn name_of_a_repository_is_no_reason() {
    let remote = "https://h/quota/archived-proxy";
    let words = format!("fatal: unable to access '{remote}/': The requested URL returned error: 403\n");
    let (kind, text) = error(&said(&words), &At { remote, ..at() });
    assert_eq!(kind, ErrorKind::LedgerDenied);
    assert!(text.contains("needs the right to push"), "{text}");
}

#[test]
fn words_are_one_short_line_without_secrets() {
    let remote = Remote::of(at().remote).unwrap();
    let credential = Credential::find(&remote, Some(&Secret::new(CANARY)), &|_| None, &|| None).unwrap().unwrap();
    let basic = credential.secrets()[1].clone();
    let echo = format!(
        "remote: ========\nremote: you sent {CANARY} and {}\u{1b}[31m\u{202e}\nfatal: unable to access \
         'https://ada:{CANARY}@h/x?private_token=c4n4ry': no\n",
        basic.reveal()
    );
    let words = shown(&said(&echo), Some(&credential));
    assert_eq!(words, "you sent *** and ***\\u{1b}[31m\\u{202e}; unable to access 'https://h/x': no");
    let long = shown(&said(&format!("remote: {}\n", "é".repeat(4000))), None);
    assert!(long.len() < 1100 && long.ends_with('…'), "{}", long.len());
}
