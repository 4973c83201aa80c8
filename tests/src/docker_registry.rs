//! A real registry for tests: Debian's `docker-registry` on loopback, with its storage in a temporary directory.
//! `TAGWARDEN_DOCKER_REGISTRY` names another program that takes the same configuration, such as distribution 3.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The user that [`Access::Htpasswd`] knows.
pub const USER: &str = "ci";
/// The user's password.
pub const PASSWORD: &str = "pw-of-ci";
/// The root certificate that signed the certificate of [`Transport::Tls`], as PEM. Its private key is public, so
/// nothing but a test may trust either certificate.
pub const CA_PEM: &str = include_str!("../data/tls/ca.pem");

/// A certificate of [`CA_PEM`] for `localhost`, 127.0.0.1, and the names of real registries and their token servers.
pub(crate) const SERVER_PEM: &str = include_str!("../data/tls/server.pem");
/// The private key of [`SERVER_PEM`].
pub(crate) const SERVER_KEY_PEM: &str = include_str!("../data/tls/server.key");

const HTPASSWD: &str = "ci:$2y$05$abcdefghijklmnopqrstuuTeiDDVIrhuVee8E83J1XskIn0Hh3KDq\n";

/// Access control of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Every client may use it.
    Open,
    /// Only [`USER`] with [`PASSWORD`], by Basic authentication.
    Htpasswd,
}

/// Transport of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Plain HTTP.
    Http,
    /// TLS, with a certificate for `localhost` and 127.0.0.1. Its only trust root is [`CA_PEM`].
    Tls,
}

/// A running `docker-registry`. It is stopped, and its storage removed, when this value is dropped.
#[derive(Debug)]
pub struct DockerRegistry {
    child: Child,
    port: u16,
    directory: TempDir,
}

impl DockerRegistry {
    /// Starts a registry on a free port of 127.0.0.1 and waits until it listens.
    ///
    /// If `docker-registry` is not installed: returns none, and prints a line with the name of `test` on standard
    /// error. With `CI=true` that is a panic, so that no test is skipped silently.
    pub fn start(test: &str, access: Access, transport: Transport) -> Option<DockerRegistry> {
        if Command::new(program()).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: docker-registry is not installed");
            eprintln!("SKIPPED {test}: docker-registry is not installed");
            return None;
        }
        // Another process may take the port after it was chosen: try again.
        let started = (0..5).find_map(|_| DockerRegistry::try_start(access, transport));
        Some(started.unwrap_or_else(|| panic!("{test}: docker-registry did not start, five times")))
    }

    fn try_start(access: Access, transport: Transport) -> Option<DockerRegistry> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let config = directory.path().join("config.yml");
        std::fs::write(&config, configuration(directory.path(), port, access, transport)).expect("a configuration");
        let log = directory.path().join("log");
        let output = std::fs::File::create(&log).expect("a log");
        let child = Command::new(program())
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .expect("docker-registry");
        let mut registry = DockerRegistry { child, port, directory };
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if text.contains("listening on") && std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(registry);
            }
            if registry.child.try_wait().expect("its state").is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// `127.0.0.1:port`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Removes what no tag names, with the registry's own collector.
    pub fn collect_garbage(&self) {
        let config = self.directory.path().join("config.yml");
        let collected =
            Command::new(program()).args(["garbage-collect", "-m"]).arg(config).output().expect("a collector");
        assert!(collected.status.success(), "{}", String::from_utf8_lossy(&collected.stderr));
    }

    /// The directory of its storage, with `docker/registry/v2/…` in it.
    pub fn storage(&self) -> std::path::PathBuf {
        self.directory.path().join("storage")
    }
}

fn program() -> std::ffi::OsString {
    std::env::var_os("TAGWARDEN_DOCKER_REGISTRY").unwrap_or_else(|| "docker-registry".into())
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(directory: &Path, port: u16, access: Access, transport: Transport) -> String {
    let storage = directory.join("storage");
    let mut text = format!(
        "version: 0.1\nlog:\n  level: info\n  accesslog:\n    disabled: true\n\
         storage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n\
         http:\n  addr: 127.0.0.1:{port}\n",
        storage.display()
    );
    if transport == Transport::Tls {
        let (certificate, key) = (directory.join("server.pem"), directory.join("server.key"));
        std::fs::write(&certificate, SERVER_PEM).expect("a certificate");
        std::fs::write(&key, SERVER_KEY_PEM).expect("a key");
        text += &format!("  tls:\n    certificate: {}\n    key: {}\n", certificate.display(), key.display());
    }
    if access == Access::Htpasswd {
        let file = directory.join("htpasswd");
        std::fs::write(&file, HTPASSWD).expect("a password file");
        text += &format!("auth:\n  htpasswd:\n    realm: tagwarden\n    path: {}\n", file.display());
    }
    text
}
