//! Git, as the tests use it: without the settings of the machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Said, World, said};

/// A `git` in a directory, with an identity and without the settings of the machine.
pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(dir).args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    git.envs(SETTINGS.iter().copied()).env("HOME", dir);
    git
}

/// The variables that hide the settings of the machine and name a person.
pub const SETTINGS: &[(&str, &str)] = &[
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_AUTHOR_NAME", "ada"),
    ("GIT_AUTHOR_EMAIL", "ada@example.com"),
    ("GIT_COMMITTER_NAME", "ada"),
    ("GIT_COMMITTER_EMAIL", "ada@example.com"),
];

/// Runs it; its output without the last line break.
pub fn git(dir: &Path, args: &[&str]) -> String {
    let Said { exit, out, err } = said(command(dir, args).output().unwrap());
    assert_eq!(exit, 0, "git {args:?}\n{out}\n{err}");
    out.trim_end().to_owned()
}

/// An empty bare repository.
pub fn bare(dir: &Path) -> PathBuf {
    std::fs::create_dir_all(dir).unwrap();
    git(dir, &["init", "--quiet", "--bare", "--initial-branch=main", "."]);
    dir.to_owned()
}

/// The URL of a ledger in a repository of this host.
pub fn ledger(repository: &Path) -> String {
    format!("git+file://{}", repository.display())
}

/// Every file below a directory, with its bytes; links by their targets.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                open.push(path.clone());
                found.insert(path, Vec::new());
            } else if kind.is_symlink() {
                let target = std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes();
                found.insert(path, target);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// The world with a ledger in a Git branch instead of a directory, in the repository `ledger.git`.
pub fn ledger_of(world: World) -> World {
    let repository = bare(&world.dir.path().join("ledger.git"));
    let file = world.dir.path().join("tagwarden.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    world.config(&text.replacen("ledger = 'ledger'", &format!("ledger = '{}'", ledger(&repository)), 1));
    world
}

/// The server of `ledger_of` goes away.
pub fn stop(world: &World) {
    std::fs::rename(world.dir.path().join("ledger.git"), world.dir.path().join("stopped.git")).unwrap();
}

/// Makes a hook of the server of `ledger_of` from the lines of a shell script.
#[cfg(unix)]
pub fn hook(world: &World, name: &str, lines: &str) {
    use std::os::unix::fs::PermissionsExt;
    let file = world.dir.path().join("ledger.git/hooks").join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}
