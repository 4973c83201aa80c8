//! The state of the git repository that a directory is in. git is run as a program, without a shell.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::value::{Commit, Line, Timestamp};

/// Variables that make git use a repository other than that of the directory. git sets them for its hooks.
const ELSEWHERE: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
];

/// A directory in a git repository that has a commit checked out.
#[derive(Debug)]
pub(super) struct Git {
    dir: PathBuf,
    /// The commit that is checked out.
    pub(super) commit: Commit,
}

impl Git {
    /// The repository of `dir`, or the reason why git cannot read it.
    pub(super) fn of(dir: &Path) -> Result<Git, String> {
        let commit = run(dir, &["log", "-1", "--no-show-signature", "--format=%H", "HEAD", "--"])?;
        let commit = commit.parse().map_err(|error| format!("git: {error}"))?;
        Ok(Git { dir: dir.to_owned(), commit })
    }

    /// The URL of the remote `origin`.
    pub(super) fn origin(&self) -> Option<String> {
        origin(&self.dir)
    }

    /// The branch that is checked out.
    pub(super) fn branch(&self) -> Option<String> {
        let name = self.said(&["symbolic-ref", "--quiet", "HEAD"])?;
        name.strip_prefix("refs/heads/").map(str::to_owned)
    }

    /// The tag that points at the commit. Of several tags, the highest version.
    pub(super) fn tag(&self) -> Option<String> {
        let format = "--format=%(refname:lstrip=2)";
        let tags = self.said(&["for-each-ref", "--points-at=HEAD", "--sort=-version:refname", format, "refs/tags"])?;
        tags.lines().next().map(str::to_owned)
    }

    /// The time of a commit; none if the commit is not in the repository.
    pub(super) fn time(&self, commit: &Commit) -> Option<Timestamp> {
        let time = self.said(&["log", "-1", "--no-show-signature", "--format=%ct", commit.as_str(), "--"])?;
        time.parse::<i64>().ok()?.checked_mul(1000).map(Timestamp::from_unix_ms)
    }

    /// True if the directory differs from the commit. Untracked files count.
    pub(super) fn is_changed(&self) -> bool {
        self.said(&["status", "--porcelain", "--untracked-files=normal", "--", "."]).is_some()
    }

    /// The output of git; none if it is empty, or if git fails.
    fn said(&self, args: &[&str]) -> Option<String> {
        run(&self.dir, args).ok().filter(|said| !said.is_empty())
    }
}

/// The URL of the remote `origin` of the repository that `dir` is in.
pub(crate) fn origin(dir: &Path) -> Option<String> {
    run(dir, &["config", "--get", "remote.origin.url"]).ok().filter(|url| !url.is_empty())
}

/// The output of git, or its own error message.
fn run(dir: &Path, args: &[&str]) -> Result<String, String> {
    let mut git = Command::new("git");
    // `core.fsmonitor` could make git run a program that the repository chooses.
    git.arg("-C").arg(dir).args(["--no-optional-locks", "-c", "core.fsmonitor=false"]).args(args);
    for name in ELSEWHERE {
        git.env_remove(name);
    }
    let output = git.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null()).output();
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "git is not installed".to_owned(),
        _ => format!("git cannot be run: {error}"),
    })?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        let why = why.lines().next().unwrap_or("").trim_start_matches("fatal: ");
        return Err(format!("git: {}", Line::lossy(why)));
    }
    let said = String::from_utf8(output.stdout).map_err(|_| "git: its answer is not UTF-8".to_owned())?;
    Ok(said.trim_end().to_owned())
}
