use std::process::Command;

use tempfile::TempDir;

use super::*;

const TIME: &str = "1700000000";

fn git(dir: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(dir).args(["-c", "user.name=ada", "-c", "user.email=ada@example.com"]).args(args);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = git.env("GIT_COMMITTER_DATE", format!("{TIME} +0100")).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with one commit on `main`.
fn repository() -> (TempDir, String) {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("deploy")).unwrap();
    std::fs::write(dir.path().join("deploy/app.yaml"), "kind: ConfigMap\n").unwrap();
    git(dir.path(), &["init", "--quiet", "--initial-branch=main"]);
    git(dir.path(), &["add", "."]);
    git(dir.path(), &["commit", "--quiet", "--message=one"]);
    let commit = git(dir.path(), &["rev-parse", "HEAD"]);
    (dir, commit)
}

fn with_origin(url: &str) -> (TempDir, String) {
    let (dir, commit) = repository();
    git(dir.path(), &["remote", "add", "origin", url]);
    (dir, commit)
}

fn fill(dir: &Path, env: &[(&str, &str)]) -> Result<FilledMeta> {
    MetaParts::default().fill(dir, of(env))
}

fn of<'a>(env: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| env.iter().find(|(there, _)| *there == name).map(|(_, value)| (*value).to_owned())
}

/// GitHub's variables of a run of this commit.
fn github(commit: &str) -> [(&str, &str); 5] {
    [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_REF_NAME", "release/1.4"),
        ("GITHUB_SHA", commit),
    ]
}

fn texts(found: &FilledMeta) -> [String; 3] {
    [found.meta.source.to_string(), found.meta.revision.to_string(), found.meta.created.to_string()]
}

#[test]
fn git_says_source_revision_and_time() {
    let (dir, commit) = with_origin("https://ci:canary@git.example.com/acme/shop.git");
    let found = fill(&dir.path().join("deploy"), &[]).unwrap();
    let want = ["https://git.example.com/acme/shop.git", &format!("main@sha1:{commit}"), "2023-11-14T22:13:20.000Z"];
    assert_eq!(texts(&found), want);
    assert_eq!(found.warnings, []);
}

#[test]
fn what_is_given_goes_before_git() {
    let (dir, commit) = with_origin("git@git.example.com:acme/shop.git");
    let parts = MetaParts { source: Some("https://a:b@example.com".parse().unwrap()), ..MetaParts::default() };
    let found = parts.fill(dir.path(), of(&[("SOURCE_DATE_EPOCH", "1600000000")])).unwrap();
    assert_eq!(texts(&found), ["https://example.com", &format!("main@sha1:{commit}"), "2020-09-13T12:26:40.000Z"]);
    let parts = MetaParts {
        revision: Some(format!("v1@sha1:{}", "0".repeat(40)).parse().unwrap()),
        created: Some("2026-11-23T06:12:31Z".parse().unwrap()),
        ..MetaParts::default()
    };
    let found = parts.fill(dir.path(), of(&[("SOURCE_DATE_EPOCH", "1600000000")])).unwrap();
    assert_eq!(texts(&found)[0], "git@git.example.com:acme/shop.git");
    assert_eq!(texts(&found)[2], "2026-11-23T06:12:31.000Z");
    let odd = fill(dir.path(), &[("SOURCE_DATE_EPOCH", "now")]).unwrap_err();
    assert_eq!(odd.to_string(), "SOURCE_DATE_EPOCH: not a whole number of seconds since 1970");
}

#[test]
fn detached_commit_has_the_name_of_the_ci_else_of_its_highest_tag() {
    let (dir, commit) = with_origin("https://git.example.com/acme/shop");
    git(dir.path(), &["checkout", "--quiet", "--detach"]);
    let error = fill(dir.path(), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ValueInvalid);
    let message = error.to_string();
    assert!(message.contains("no branch is checked out there, and no tag points at the commit; no CI was found"));
    assert!(message.ends_with("give --source and --revision"), "{message}");
    for tag in ["v1.9.0", "v1.10.0"] {
        git(dir.path(), &["tag", tag]);
    }
    let name = |env: &[_]| fill(dir.path(), env).unwrap().meta.revision.name().to_string();
    assert_eq!(name(&[]), "v1.10.0");
    assert_eq!(name(&github(&commit)), "release/1.4");
    assert_eq!(name(&github(&"0".repeat(40))), "v1.10.0", "the CI speaks of another commit");
}

#[test]
fn repository_without_origin_takes_the_source_of_the_ci_of_its_commit() {
    let (dir, commit) = repository();
    let error = fill(dir.path(), &[]).unwrap_err().to_string();
    assert!(error.contains("its git repository has no remote `origin`; no CI was found; give --source"), "{error}");
    assert_eq!(texts(&fill(dir.path(), &github(&commit)).unwrap())[0], "https://github.com/acme/shop");
    assert!(fill(dir.path(), &github(&"0".repeat(40))).is_err());
}

#[test]
fn outside_of_a_repository_the_ci_says_it_and_the_clock_the_time() {
    let dir = TempDir::new().unwrap();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let before = SystemClock.now();
    let found = fill(dir.path(), &github(commit)).unwrap();
    assert_eq!(texts(&found)[..2], ["https://github.com/acme/shop", &format!("release/1.4@sha1:{commit}")]);
    assert!(before <= found.meta.created && found.meta.created <= SystemClock.now());
    assert_eq!(found.warnings, [BY_THE_CLOCK.parse().unwrap()]);
    let gitlab = [
        ("GITLAB_CI", "true"),
        ("CI_PROJECT_URL", "https://user:canary@gitlab.example.com/acme/shop"),
        ("CI_COMMIT_REF_NAME", "main"),
        ("CI_COMMIT_SHA", commit),
        ("SOURCE_DATE_EPOCH", TIME),
    ];
    let found = fill(dir.path(), &gitlab).unwrap();
    let want = ["https://gitlab.example.com/acme/shop", &format!("main@sha1:{commit}"), "2023-11-14T22:13:20.000Z"];
    assert_eq!(texts(&found), want);
    assert_eq!(found.warnings, []);
}

#[test]
fn no_repository_and_no_ci_is_an_error_that_names_the_flags() {
    let dir = TempDir::new().unwrap();
    let error = fill(dir.path(), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ValueInvalid);
    let error = error.to_string().replace(&dir.path().display().to_string(), "DIR");
    assert_eq!(
        error,
        "DIR: its source or revision is not known: git: not a git repository (or any of the parent directories): .git; no \
         CI was found; give --source and --revision"
    );
}

#[test]
fn changes_that_are_not_committed_are_a_warning() {
    let (dir, commit) = with_origin("https://git.example.com/acme/shop");
    let deploy = dir.path().join("deploy");
    std::fs::write(dir.path().join("elsewhere"), "x").unwrap();
    assert_eq!(fill(&deploy, &[]).unwrap().warnings, [], "what is not packed does not matter");
    std::fs::write(deploy.join("new.yaml"), "x").unwrap();
    let warnings = fill(&deploy, &[]).unwrap().warnings;
    let want = format!(
        "{} has changes that are not committed: its files are not those of main@sha1:{commit}",
        deploy.display()
    );
    assert_eq!(warnings, [want.parse().unwrap()]);
}

#[test]
fn settings_of_the_repository_run_no_program() {
    let (dir, _) = with_origin("https://git.example.com/acme/shop");
    let canary = dir.path().join(".git/canary");
    git(dir.path(), &["config", "core.fsmonitor", &format!("touch {}", canary.display())]);
    fill(dir.path(), &[]).unwrap();
    assert!(!canary.exists());
}

#[test]
fn revision_of_another_commit_has_the_time_of_that_commit() {
    let (dir, first) = with_origin("https://git.example.com/acme/shop");
    let later = Command::new("git")
        .arg("-C")
        .arg(dir.path())
        .args(["-c", "user.name=a", "-c", "user.email=a@b.c"])
        .args(["commit", "--quiet", "--allow-empty", "--message=two"])
        .env("GIT_COMMITTER_DATE", "1800000000 +0000")
        .status()
        .unwrap();
    assert!(later.success());
    let created = |revision: Option<String>| {
        let parts = MetaParts { revision: revision.map(|text| text.parse().unwrap()), ..MetaParts::default() };
        parts.fill(dir.path(), of(&[])).unwrap().meta.created.to_string()
    };
    assert_eq!(created(None), "2027-01-15T08:00:00.000Z");
    assert_eq!(created(Some(format!("main@sha1:{first}"))), "2023-11-14T22:13:20.000Z");
}
