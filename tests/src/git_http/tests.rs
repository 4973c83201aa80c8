use super::*;
use crate::proxy::{Fault, Proxy};

/// A clone of a server's repository, with a commit to push.
struct Clone {
    directory: TempDir,
}

impl Clone {
    fn of(server: &GitServer) -> Clone {
        let directory = tempfile::tempdir().unwrap();
        let clone = Clone { directory };
        clone.run(&["init", "--quiet", "--initial-branch=tagwarden"]).unwrap();
        clone.run(&["remote", "add", "origin", &server.url()]).unwrap();
        clone.commit("first");
        clone
    }

    fn commit(&self, text: &str) {
        let who = ["-c", "user.name=a", "-c", "user.email=a@localhost.invalid"];
        self.run(&[&who[..], &["commit", "--quiet", "--allow-empty", "-m", text]].concat()).unwrap();
    }

    fn push(&self) -> Result<String, String> {
        self.run(&["push", "--porcelain", "origin", "tagwarden"])
    }

    /// The output, or the errors.
    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("git");
        backend::surroundings(&mut command, self.directory.path());
        command.env("GIT_TERMINAL_PROMPT", "0").arg("-C").arg(self.directory.path());
        let run = command.args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if run.status.success() { Ok(text(&run.stdout)) } else { Err(text(&run.stdout) + &text(&run.stderr)) }
    }
}

#[test]
fn pushed_commits_are_stored_and_fetched() {
    let server = GitServer::start();
    assert_eq!(server.commits("tagwarden"), [""; 0]);
    let clone = Clone::of(&server);
    clone.push().unwrap();
    assert_eq!(server.commits("tagwarden").len(), 1);
    clone.run(&["fetch", "--quiet", "--filter=blob:none", "origin", "tagwarden"]).unwrap();
    let seen = server.requests();
    assert_eq!(seen[0].path, "/info/refs?service=git-receive-pack");
    assert_eq!((seen[1].method.as_str(), seen[1].path.as_str(), seen[1].status), ("POST", "/git-receive-pack", 200));
    server.clear_requests();
    assert!(server.requests().is_empty());
    clone.commit("second");
    clone.commit("third");
    clone.push().unwrap();
    server.force_back("tagwarden", 2);
    assert_eq!(server.commits("tagwarden").len(), 1);
    server.delete_branch("tagwarden");
    assert_eq!(server.commits("tagwarden"), [""; 0]);
}

#[test]
fn branch_of_given_files_has_their_bytes() {
    let server = GitServer::start();
    server.commit("tagwarden", &[("a/b.txt", b"one\r\n"), ("c", b"")]);
    assert_eq!(server.git(&["ls-tree", "-r", "--name-only", "tagwarden"]), "a/b.txt\nc");
    assert_eq!(server.git(&["show", "tagwarden:a/b.txt"]), "one\r");
    assert_eq!(server.commits("tagwarden").len(), 1);
}

#[test]
fn hook_refuses_with_its_words() {
    let server = GitServer::start();
    server.hook("pre-receive", "echo no pushes on Fridays; exit 1");
    let clone = Clone::of(&server);
    let error = clone.push().unwrap_err();
    assert!(error.contains("remote: no pushes on Fridays") && error.contains("(pre-receive hook declined)"), "{error}");
    server.remove_hook("pre-receive");
    clone.push().unwrap();
}

#[test]
fn status_is_answered_as_often_as_told() {
    let server = GitServer::start();
    let clone = Clone::of(&server);
    server.answer(403, "not for you\n", 2);
    for _ in 0..2 {
        let error = clone.push().unwrap_err();
        assert!(error.contains("remote: not for you") && error.contains("error: 403"), "{error}");
    }
    clone.push().unwrap();
}

#[test]
fn only_the_expected_login_is_served() {
    let server = GitServer::start();
    let clone = Clone::of(&server);
    server.expect("Basic eDp5");
    assert!(clone.push().unwrap_err().contains("could not read Username"));
    let header = |text: &str| format!("http.extraHeader=Authorization: {text}");
    assert!(clone.run(&["-c", &header("Basic eDp6"), "push", "origin", "tagwarden"]).is_err());
    let right = header("basic eDp5");
    assert!(clone.run(&["-c", &right, "-c", &right, "push", "origin", "tagwarden"]).is_err(), "two headers");
    clone.run(&["-c", &right, "push", "origin", "tagwarden"]).unwrap();
    server.calm();
    clone.commit("second");
    clone.push().unwrap();
    assert_eq!(server.commits("tagwarden").len(), 2);
}

#[test]
fn redirect_leads_to_the_other_server() {
    let (server, other) = (GitServer::start(), GitServer::start());
    server.redirect_to(&format!("http://{}", other.host()));
    Clone::of(&server).push().unwrap();
    assert_eq!(other.commits("tagwarden").len(), 1);
    assert_eq!(server.requests()[0].status, 302);
}

#[test]
fn lost_answer_of_a_push_leaves_the_commit() {
    let server = GitServer::start();
    let proxy = Proxy::http(server.host());
    let clone = Clone::of(&server);
    clone.run(&["remote", "set-url", "origin", &server.url_at(&proxy.host())]).unwrap();
    let is_push = |head: &[u8]| head.starts_with(b"POST ") && head.windows(16).any(|text| text == b"git-receive-pack");
    proxy.script(is_push, [Fault::LoseAnswer, Fault::LoseAnswer]);
    assert!(clone.push().is_err());
    assert_eq!(server.commits("tagwarden").len(), 1);
}

#[test]
fn protocol_0_and_no_filters_are_what_an_old_server_does() {
    let server = GitServer::start();
    let clone = Clone::of(&server);
    clone.push().unwrap();
    server.protocol_0();
    server.without_filters();
    let fetched = clone.run(&["fetch", "--filter=blob:none", "origin", "tagwarden"]);
    assert!(fetched.is_ok(), "{fetched:?}");
    assert!(!server.requests().iter().any(|seen| seen.path == "/git-upload-pack"), "version 0 lists the refs at once");
}
