//! A real PostgreSQL for tests: Debian's, on loopback. Its data is in a temporary directory, and is synced to disk as
//! in production.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The password of the superuser and of every role that [`Postgres::role`] creates.
pub const PASSWORD: &str = "pw-of-postgres";

/// A running PostgreSQL. It is stopped, and its data removed, when this value is dropped.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    user: u32,
    directory: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Postgres {
    /// Starts a server on a free port of 127.0.0.1, with `settings` (such as `ssl=on`), and waits until it answers.
    ///
    /// If PostgreSQL is not installed: returns none, and prints a line with the name of `test` on standard error. With
    /// `CI=true` that is a panic, so that no test is skipped silently.
    pub fn start(test: &str, settings: &[&str]) -> Option<Postgres> {
        let Some(programs) = programs() else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: PostgreSQL is not installed");
            eprintln!("SKIPPED {test}: PostgreSQL is not installed");
            return None;
        };
        let directory = tempfile::Builder::new().prefix("pg").tempdir().expect("a temporary directory");
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).expect("its mode");
        let mut postgres = Postgres { programs, user: unprivileged(), directory, port: 0, child: None };
        postgres.make_cluster();
        // Another process may take the port after it was chosen: try again.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
            postgres.port = free.port();
            if postgres.try_start(settings) {
                return Some(postgres);
            }
        }
        panic!("{test}: PostgreSQL did not start, five times: {}", postgres.log());
    }

    fn make_cluster(&self) {
        let (data, password) = (self.data(), self.directory.path().join("password"));
        std::fs::create_dir(&data).expect("a directory");
        std::fs::write(&password, PASSWORD).expect("a password");
        for path in [self.directory.path(), &data, &password] {
            chown(path, Some(self.user), None).expect("another owner");
        }
        let arguments = ["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"];
        let mut initdb = self.program("initdb");
        initdb.args(arguments).arg(format!("--pwfile={}", password.display())).arg("-D").arg(&data);
        let output = initdb.output().expect("initdb");
        assert!(output.status.success(), "initdb: {}", text(&output));
        for name in ["server.pem", "server.key", "own.pem", "own.key"] {
            let bytes = std::fs::read(crate::file("data/tls").join(name)).expect("a certificate and its key");
            let file = data.join(name);
            std::fs::write(&file, bytes).expect("a copy");
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("its mode");
            chown(&file, Some(self.user), None).expect("another owner");
        }
    }

    fn try_start(&mut self, settings: &[&str]) -> bool {
        let log = std::fs::File::options().create(true).append(true).open(self.directory.path().join("log"));
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string()).arg("-k").arg(self.directory.path());
        server.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=on", "-c", "shared_buffers=32MB"]);
        server.args(["-c", "ssl_cert_file=server.pem", "-c", "ssl_key_file=server.key"]);
        for setting in settings {
            server.args(["-c", setting]);
        }
        server.stdout(Stdio::null()).stderr(log.expect("a log"));
        self.child = Some(server.spawn().expect("postgres"));
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if self.psql("postgres", "SELECT 1").is_ok() {
                return true;
            }
            if self.child.as_mut().is_none_or(|child| child.try_wait().expect("its state").is_some()) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Kills the server's first process with SIGKILL, to simulate a loss of power.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("its end");
        }
    }

    /// Starts the server again, with the same data and port.
    pub fn start_again(&mut self, settings: &[&str]) {
        assert!((0..5).any(|_| self.try_start(settings)), "PostgreSQL did not start again: {}", self.log());
    }

    /// `127.0.0.1:port`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The directory of the server's Unix socket.
    pub fn socket_directory(&self) -> &Path {
        self.directory.path()
    }

    /// Creates a database of this name. Returns its URL for the superuser.
    pub fn database(&self, name: &str) -> String {
        self.psql("postgres", &format!("CREATE DATABASE {name}")).expect("a database");
        self.url("postgres", name)
    }

    /// The URL of a database for a role.
    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}:{PASSWORD}@{}/{database}", self.host())
    }

    /// Creates a role whose only right is to log in.
    pub fn role(&self, name: &str) {
        let sql = format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'");
        self.psql("postgres", &sql).expect("a role");
    }

    /// Runs SQL as the superuser. Returns the output of psql, one row a line and columns separated by `|`, or its
    /// errors.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        self.psql_as("postgres", database, sql)
    }

    /// Runs SQL as another role.
    pub fn psql_as(&self, role: &str, database: &str, sql: &str) -> Result<String, String> {
        let mut psql = self.program("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.url(role, database)]);
        let output = psql.output().expect("psql");
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(text(&output)),
        }
    }

    /// A program of PostgreSQL, run as the server's user.
    pub fn program(&self, name: &str) -> Command {
        let mut program = Command::new(self.programs.join(name));
        program.current_dir(self.directory.path()).env_remove("PGOPTIONS").env("LC_ALL", "C");
        if is_root() {
            program.uid(self.user);
        }
        program
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // With SIGQUIT the server ends its children first. After SIGKILL they would end later, after their data was
        // removed.
        if let Some(child) = &mut self.child {
            let quit = Command::new("kill").arg("-QUIT").arg(child.id().to_string()).status();
            if quit.is_err() {
                let _ = child.kill();
            }
            let _ = child.wait();
        }
    }
}

/// The directory of the newest PostgreSQL that Debian has installed.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut versions: Vec<_> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    versions.retain(|programs| programs.join("initdb").exists() && programs.join("psql").exists());
    versions.sort();
    versions.pop()
}

fn is_root() -> bool {
    unprivileged() != own_id()
}

/// The user that the server runs as: it refuses to run as root.
fn unprivileged() -> u32 {
    match own_id() {
        0 => 65534,
        own => own,
    }
}

fn own_id() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    // /proc/self belongs to the user that this process runs as.
    std::fs::metadata("/proc/self").map_or(0, |metadata| metadata.uid())
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
