//! A Git server over HTTP for tests: `git http-backend` behind a small server on loopback, with one bare repository in
//! a temporary directory. It refuses, redirects and breaks on request. To lose an answer, put a
//! [`crate::proxy::Proxy`] in front of it.

mod backend;
mod behaviour;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::behaviour::{Behaviour, Status};

/// The name of the repository's directory.
const REPOSITORY: &str = "ledger.git";

/// A running server. It is stopped, and its repository removed, when this value is dropped.
#[derive(Debug)]
pub struct GitServer {
    port: u16,
    root: TempDir,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `GET` or `POST`.
    pub method: String,
    /// The path after the repository, with the query, such as `/info/refs?service=git-upload-pack`.
    pub path: String,
    /// The values of all `Authorization` headers.
    pub authorization: Vec<String>,
    /// The status of the answer; 0 before the answer.
    pub status: u16,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    state: Mutex<Behaviour>,
}

impl GitServer {
    /// Starts a server with an empty bare repository. Everybody may push; the server filters objects, as hosted servers
    /// do.
    pub fn start() -> GitServer {
        let root = tempfile::tempdir().expect("a temporary directory");
        let repository = root.path().join(REPOSITORY);
        git(root.path(), &["init", "--quiet", "--bare", "--initial-branch=main", &repository.display().to_string()]);
        for (key, value) in [("http.receivepack", "true"), ("uploadpack.allowFilter", "true"), ("gc.auto", "0")] {
            git(&repository, &["config", key, value]);
        }
        let (stop, stopped) = oneshot::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared { root: root.path().to_owned(), state: Mutex::default() });
        let app = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                listener.set_nonblocking(true).expect("a socket that does not block");
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    served = axum::serve(listener, app) => served.expect("it serves until it is stopped"),
                    _ = stopped => {}
                }
            });
        });
        GitServer { port, root, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// `127.0.0.1:port`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The repository's address: `http://127.0.0.1:port/ledger.git`.
    pub fn url(&self) -> String {
        self.url_at(&self.host())
    }

    /// The repository's address on another host, such as that of a proxy.
    pub fn url_at(&self, host: &str) -> String {
        format!("http://{host}/{REPOSITORY}")
    }

    /// The ledger in the repository: `git+http://127.0.0.1:port/ledger.git`.
    pub fn ledger(&self) -> String {
        format!("git+{}", self.url())
    }

    /// The repository's directory.
    pub fn repository(&self) -> PathBuf {
        self.root.path().join(REPOSITORY)
    }

    /// Runs Git in the repository. Returns its output without the last line feed.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.repository(), arguments)
    }

    /// The commits of a branch, oldest first; none if there is no such branch.
    pub fn commits(&self, branch: &str) -> Vec<String> {
        let reference = format!("refs/heads/{branch}");
        match self.git(&["for-each-ref", "--format=%(objectname)", &reference]).as_str() {
            "" => Vec::new(),
            _ => self.git(&["rev-list", "--reverse", &reference]).lines().map(str::to_owned).collect(),
        }
    }

    /// Makes a branch of one commit with these files, each with its path and its content.
    pub fn commit(&self, branch: &str, files: &[(&str, &[u8])]) {
        let work = tempfile::tempdir().expect("a temporary directory");
        for (path, content) in files {
            let path = work.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            std::fs::write(path, content).expect("a file");
        }
        let repository = format!("--git-dir={}", self.repository().display());
        let tree = format!("--work-tree={}", work.path().display());
        git(work.path(), &[&repository, &tree, "-c", "core.autocrlf=false", "add", "--all"]);
        let tree = self.git(&["write-tree"]);
        let who = ["-c", "user.name=ada", "-c", "user.email=ada@localhost.invalid"];
        let commit = self.git(&[&who[..], &["commit-tree", "-m", "files", &tree]].concat());
        self.git(&["update-ref", &format!("refs/heads/{branch}"), &commit]);
    }

    /// Takes the last `commits` of a branch away, as a force push does.
    pub fn force_back(&self, branch: &str, commits: usize) {
        self.git(&["update-ref", &format!("refs/heads/{branch}"), &format!("refs/heads/{branch}~{commits}")]);
    }

    /// Deletes a branch.
    pub fn delete_branch(&self, branch: &str) {
        self.git(&["update-ref", "-d", &format!("refs/heads/{branch}")]);
    }

    /// Installs a hook, such as `pre-receive`, with these lines of shell.
    pub fn hook(&self, name: &str, lines: &str) {
        let hooks = self.repository().join("hooks");
        std::fs::create_dir_all(&hooks).expect("a directory");
        let hook = hooks.join(name);
        std::fs::write(&hook, format!("#!/bin/sh\n{lines}\n")).expect("a hook");
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("an executable hook");
    }

    /// Removes a hook.
    pub fn remove_hook(&self, name: &str) {
        std::fs::remove_file(self.repository().join("hooks").join(name)).expect("the hook");
    }

    /// From now on the server sends whole commits only, as Debian's default configuration does.
    pub fn without_filters(&self) {
        self.git(&["config", "uploadpack.allowFilter", "false"]);
    }

    /// From now on the server speaks version 0 of the protocol only.
    pub fn protocol_0(&self) {
        self.shared.state.lock().unwrap().protocol_0 = true;
    }

    /// The next `requests` requests get this status, and these words as text, as hosted servers answer.
    pub fn answer(&self, status: u16, words: &str, requests: usize) {
        self.answer_to("", status, words, requests);
    }

    /// As [`GitServer::answer`], for pushes only.
    pub fn answer_pushes(&self, status: u16, words: &str, requests: usize) {
        self.answer_to("git-receive-pack", status, words, requests);
    }

    /// The next update of a branch is stored, but answered with this status, as is every request after it.
    pub fn break_after_update(&self, status: u16) {
        self.shared.state.lock().unwrap().after_update = Some(status);
    }

    fn answer_to(&self, requests: &'static str, status: u16, words: &str, left: usize) {
        let status = Status { status, words: words.to_owned(), requests, left };
        self.shared.state.lock().unwrap().status = Some(status);
    }

    /// From now on every request needs this `Authorization`, such as `Basic eDp5`; others get 401.
    pub fn expect(&self, authorization: &str) {
        self.shared.state.lock().unwrap().login = Some(authorization.to_owned());
    }

    /// From now on every request is redirected to the same path of another server, such as `http://127.0.0.1:80`.
    pub fn redirect_to(&self, server: &str) {
        self.shared.state.lock().unwrap().redirect = Some(server.to_owned());
    }

    /// Answers every request again, for everybody. Hooks and the repository's configuration stay.
    pub fn calm(&self) {
        let mut state = self.shared.state.lock().unwrap();
        *state = Behaviour { seen: std::mem::take(&mut state.seen), ..Behaviour::default() };
    }

    /// The requests so far, in the order in which they arrived.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.state.lock().unwrap().seen.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.state.lock().unwrap().seen.clear();
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the Git server panicked");
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let values = parts.headers.get_all(header::AUTHORIZATION).iter();
    let seen = Seen {
        method: parts.method.to_string(),
        path: target.strip_prefix(&format!("/{REPOSITORY}")).unwrap_or(&target).to_owned(),
        authorization: values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect(),
        status: 0,
    };
    let body = to_bytes(body, usize::MAX).await.expect("the whole body");
    let (number, refused, protocol_0) = {
        let mut state = shared.state.lock().unwrap();
        state.seen.push(seen.clone());
        (state.seen.len() - 1, state.refuse(&seen, &target), state.protocol_0)
    };
    let mut answer = match refused {
        Some(answer) => answer,
        None => {
            let root = shared.root.clone();
            let run = move || backend::run(&root, &parts, &body, protocol_0);
            tokio::task::spawn_blocking(run).await.expect("git http-backend")
        }
    };
    let mut state = shared.state.lock().unwrap();
    if seen.method == "POST"
        && seen.path == "/git-receive-pack"
        && let Some(status) = state.after_update.take()
    {
        state.status = Some(Status { status, words: String::new(), requests: "", left: usize::MAX });
        *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
    }
    // The log may have been cleared in the meantime.
    if let Some(seen) = state.seen.get_mut(number) {
        seen.status = answer.status().as_u16();
    }
    answer
}

/// Runs Git, and panics if it fails.
fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    backend::surroundings(&mut command, directory);
    let run = command.arg("-C").arg(directory).args(arguments).output().expect("git");
    assert!(run.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).trim_end_matches('\n').to_owned()
}

#[cfg(test)]
mod tests;
