//! Answers that are no refusal by the server: temporary failures, missing features, lost races and broken caches.

use super::*;

#[test]
fn temporary_failure_is_unavailable() {
    for (said, words) in [
        (unable("", 503), "returned error: 503"),
        (unable("remote: slow down", 429), "slow down"),
        (said("fatal: unable to access 'https://h/x/': Could not resolve host: h\n"), "Could not resolve host: h"),
        (
            said(
                "fatal: unable to access 'https://h/x/': Failed to connect to h port 443 after 2 ms: Connection refused\n",
            ),
            "Connection refused",
        ),
        (
            said(
                "error: RPC failed; curl 56 GnuTLS recv error (-9)\nsend-pack: unexpected disconnect while reading \
                 sideband packet\nfatal: the remote end hung up unexpectedly\n",
            ),
            "cannot append: RPC failed; curl 56 GnuTLS recv error (-9)",
        ),
        (rejected("", "Internal Server Error"), "remote rejected: Internal Server Error"),
        (
            rejected(
                "GitLab: The repository is temporarily read-only. Please try again later.",
                "pre-receive hook declined",
            ),
            "temporarily read-only",
        ),
        (
            said("fatal: unable to access 'https://h/x/': Received HTTP code 407 from proxy after CONNECT\n"),
            "Git takes the proxy from http.proxy",
        ),
        (
            said(
                "fatal: unable to access 'https://h/x/': SSL certificate problem: unable to get local issuer certificate\n",
            ),
            "GIT_SSL_CAINFO",
        ),
        (said("error: remote unpack failed: No space left on device\n"), "make room on the disk"),
        (
            rejected(
                "error: Unable to create '/srv/l/refs/heads/tagwarden.lock': File exists.",
                "failed to update ref",
            ),
            "the server does not update the branch: Unable to create '/srv/l/refs/heads/tagwarden.lock': File exists",
        ),
        (
            said("remote: fatal: bad object 1a2b\nfatal: the remote end hung up unexpectedly\n"),
            "cannot append: bad object 1a2b",
        ),
        (said(""), "git ended with exit code 1 and printed nothing"),
        (Said { code: None, ..said("") }, "git was ended by a signal"),
    ] {
        let (kind, text) = error(&said, &at());
        assert_eq!(kind, ErrorKind::LedgerUnavailable, "{text}");
        assert!(text.contains(words), "{text}\nlacks {words}");
    }
}

#[test]
fn missing_feature_of_git_or_server_is_unsupported() {
    for (err, advice) in [
        ("git: 'remote-https' is not a git command. See 'git --help'.\n", "install the part of Git that speaks HTTP"),
        ("error: cannot run ssh: No such file or directory\nfatal: unable to fork\n", "install an SSH client"),
        ("fatal: transport 'file' not allowed\n", "GIT_ALLOW_PROTOCOL"),
        ("fatal: dumb http transport does not support shallow capabilities\n", "smart protocol"),
        ("fatal: mismatched algorithms: client sha1; server sha256\n", "object format"),
    ] {
        let (kind, text) = error(&said(err), &at());
        assert_eq!(kind, ErrorKind::LedgerUnsupported, "{text}");
        assert!(text.contains(advice), "{text}\nlacks {advice}");
    }
}

#[test]
fn path_without_a_repository_is_absent() {
    let at = At { remote: "file:///srv/ledger.git", ..at() };
    let words = "fatal: '/srv/ledger.git' does not appear to be a git repository\n\
                 fatal: Could not read from remote repository.\n";
    let (kind, text) = error(&said(words), &at);
    assert_eq!(kind, ErrorKind::LedgerAbsent);
    assert!(text.ends_with("make it: git init --bare /srv/ledger.git"), "{text}");
    let owned = error(&said("fatal: unsafe repository ('/srv/ledger.git' is owned by someone else)\n"), &at);
    assert!(owned.1.ends_with("git config --global --add safe.directory /srv/ledger.git"), "{}", owned.1);
    let words = "fatal: detected dubious ownership in repository at '/srv/ledger.git'\nTo add an exception for this \
                 directory, call:\n\n\tgit config --global --add safe.directory /srv/ledger.git\n";
    let (_, text) = error(&said(words), &at);
    assert!(
        text.ends_with(
            "detected dubious ownership in repository at '/srv/ledger.git'; if you trust the directory's owner: git config \
             --global --add safe.directory /srv/ledger.git"
        ),
        "{text}"
    );
}

/// Words that refuse, and no answer to the push: the server may still move the branch.
#[test]
fn push_whose_connection_was_cut_is_not_refused() {
    let cut = "send-pack: unexpected disconnect while reading sideband packet\n\
               fatal: the remote end hung up unexpectedly\n";
    for words in ["checking the rules of protected branches", "error: cannot lock ref, trying again", "archived"] {
        let words = said(&format!("remote: {words}\n{cut}"));
        assert!(matches!(Fault::of(Call::Push, &words, &at()), Fault::Unclear(_)), "{words:?}");
    }
    let ended = Said { code: None, ..said("remote: protected branch\n") };
    assert!(matches!(Fault::of(Call::Push, &ended, &at()), Fault::Unclear(_)));
    for words in [
        "error: RPC failed; HTTP 403 curl 22 The requested URL returned error: 403",
        "error: RPC failed; HTTP 302 curl 22 The requested URL returned error: 302",
        "fatal: could not read Username for 'http://127.0.0.1:8080': terminal prompts disabled",
    ] {
        let answered = said(&format!("{words}\n{cut}"));
        assert!(matches!(Fault::of(Call::Push, &answered, &at()), Fault::Refused(..)), "{words}");
    }
    let rejected = rejected("protected branch", "pre-receive hook declined");
    let late = Said { err: rejected.err.clone() + cut, ..rejected };
    assert!(matches!(Fault::of(Call::Push, &late, &at()), Fault::Refused(..)));
}

#[test]
fn branch_that_the_server_cannot_write_is_denied_and_no_lost_race() {
    for reason in [
        "cannot lock ref 'refs/heads/tagwarden': 'refs/heads/tagwarden/x' exists; cannot create 'refs/heads/tagwarden'",
        "refname conflict",
    ] {
        let (kind, text) = error(&rejected("", reason), &at());
        assert_eq!(kind, ErrorKind::LedgerDenied, "{text}");
        assert!(text.contains("remote rejected") && !text.contains("hook"), "{text}");
    }
}

#[test]
fn lost_race_is_stale_in_the_words_of_every_version() {
    for out in [
        "!\tx:refs/heads/tagwarden\t[rejected] (stale info)\n",
        "!\tx:refs/heads/tagwarden\t[rejected] (fetch first)\n",
        "!\tx:refs/heads/tagwarden\t[remote rejected] (failed to update ref)\n",
        "!\tx:refs/heads/tagwarden\t[remote rejected] (cannot lock ref 'refs/heads/tagwarden': is at 1 but expected 2)\n",
        "!\tx:refs/heads/tagwarden\t[remote rejected] (incorrect old value provided)\n",
        "!\tx:refs/heads/tagwarden\t[remote rejected] (reference already exists)\n",
    ] {
        let said = Said { out: out.to_owned(), ..said("error: failed to push some refs to 'https://h/x'\n") };
        let fault = Fault::of(Call::Push, &said, &at());
        assert!(matches!(fault, Fault::Stale(_)), "{out}: {fault:?}");
    }
}

#[test]
fn failed_fetch_has_the_fault_that_its_words_name() {
    let fetch = |err: &str| Fault::of(Call::Fetch, &said(err), &at());
    assert_eq!(fetch("fatal: couldn't find remote ref refs/heads/tagwarden\n"), Fault::NoBranch);
    assert_eq!(fetch(" ! [rejected]        tagwarden  -> tagwarden  (non-fast-forward)\n"), Fault::Forced);
    for words in [
        "fatal: shallow file has changed since we read it\n",
        "fatal: Unable to create '/c/shallow.lock': File exists.\n\nAnother git process seems to be running\n",
        "error: object file objects/1a/2b is empty\nfatal: loose object 1a2b is corrupt\n",
        "fatal: not a git repository: '/c/cache'\n",
    ] {
        assert!(matches!(fetch(words), Fault::Cache(_)), "{words}");
    }
    for words in [
        "fatal: remote error: upload-pack: not our ref 1a2b\n",
        "error: Server does not allow request for unadvertised object 1a2b\n",
    ] {
        assert!(matches!(fetch(words), Fault::NoFilter(_)), "{words}");
    }
    for words in ["The requested URL returned error: 503", "Could not resolve host: h"] {
        let words = format!(
            "fatal: unable to access 'https://h/x/': {words}\nfatal: could not fetch 1a2b from promisor remote\n"
        );
        assert!(matches!(fetch(&words), Fault::Unclear(_)), "{words}");
    }
}
