//! Shared by the engines under test: their directory, and the start and stop of their servers.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server on loopback. It is stopped when this value is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts `program`, a path in the engines' directory, on a free port and waits until it listens.
    ///
    /// If it is not installed: returns none, and prints a line with the name of `test` on standard error. With
    /// `CI=true` that is a panic, so that no test is skipped silently.
    pub(crate) fn start(test: &str, program: &str, arguments: impl Fn(&mut Command, u16)) -> Option<Server> {
        let path = directory().join(program);
        if !path.exists() {
            let missing = format!("{test}: {} is not installed (tests/engines installs it)", path.display());
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
            eprintln!("SKIPPED {missing}");
            return None;
        }
        // Another process may take the port after it was chosen: try again.
        let started = (0..5).find_map(|_| {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
            let mut command = Command::new(&path);
            arguments(&mut command, port);
            let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            Server { child: child.expect("the engine"), port }.listening()
        });
        Some(started.unwrap_or_else(|| panic!("{test}: {program} did not start, five times")))
    }

    fn listening(mut self) -> Option<Server> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline && self.child.try_wait().expect("its state").is_none() {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Some(self);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The directory into which `tests/engines` installs the engines.
fn directory() -> PathBuf {
    std::env::var_os("TAGWARDEN_ENGINES").map_or_else(|| crate::file("../target/engines"), PathBuf::from)
}

/// Runs a Python script that prepares an engine.
pub(crate) fn python(lines: &str, arguments: &[&str]) {
    let run = Command::new("python3").args(["-c", lines]).args(arguments).output().expect("python3");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}
