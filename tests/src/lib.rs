//! Cross-crate tests of tagwarden. The tests are in `tests/`; this library has the code that they share.

pub mod azurite;
pub mod connect;
pub mod docker_registry;
mod engine;
pub mod gcs;
#[cfg(unix)]
pub mod git_http;
pub mod moto;
#[cfg(unix)]
pub mod postgres;
pub mod proxy;
pub mod random;
#[cfg(unix)]
pub mod terminal;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The path of a file in this directory, such as `vectors/merkle.json`.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs the independent verifier (`tools/verify_ledger.py`, Python 3) on the log of one channel, a file with one entry
/// a line.
///
/// `Ok` is its result for a valid log. `Err` is its output for an invalid log, or the reason why it could not run.
pub fn verify_ledger(log: &Path) -> Result<serde_json::Value, String> {
    let run = Command::new("python3")
        .arg(file("tools/verify_ledger.py"))
        .arg(log)
        .arg("--json")
        .output()
        .map_err(|e| format!("python3: {e}"))?;
    let text = String::from_utf8_lossy(&run.stdout);
    match run.status.success() {
        true => serde_json::from_str(&text).map_err(|e| format!("{e} in {text}")),
        false => Err(format!("{}: {text}{}", log.display(), String::from_utf8_lossy(&run.stderr))),
    }
}

/// Runs the independent verifier on every file of a directory, in one Python process. Returns the number of valid logs,
/// or the output for the invalid ones.
pub fn verify_ledgers(logs: &Path) -> Result<usize, String> {
    const ALL: &str = "import os, sys, verify_ledger\n\
        logs = [os.path.join(sys.argv[1], name) for name in sorted(os.listdir(sys.argv[1]))]\n\
        bad = [log for log in logs if verify_ledger.main([log]) != 0]\n\
        print(*bad, sep='\\n', file=sys.stderr)\n\
        sys.exit(1 if bad else 0)";
    let run = Command::new("python3")
        .args(["-c", ALL])
        .arg(logs)
        .env("PYTHONPATH", file("tools"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .map_err(|e| format!("python3: {e}"))?;
    let text = String::from_utf8_lossy(&run.stdout);
    match run.status.success() {
        true => Ok(text.lines().count()),
        false => Err(format!("{text}{}", String::from_utf8_lossy(&run.stderr))),
    }
}

/// The number in an environment variable that sets the size of a test; `None` without the variable.
pub fn number_of(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}
