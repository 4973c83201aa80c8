//! The programs that people use today: `skopeo copy` and `crane tag`.

use std::process::{Child, Command, Stdio};

use tagwarden::Digest;

/// A program that points a tag at a release, without a ledger. It has a repository of its own.
#[derive(Clone, Debug)]
pub struct Other {
    program: &'static str,
    /// The repository, through the proxy.
    repository: String,
}

/// True if a program is installed. If it is not, says so with the name of the test; with `CI=true` that is a panic.
pub fn is_installed(test: &str, program: &str) -> bool {
    if answers(program) {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: {program} is not installed");
    eprintln!("SKIPPED {test}: {program} is not installed");
    false
}

fn answers(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--help").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}

impl Other {
    /// The programs that are installed, each with its repository under `host`. `crane` may be missing.
    pub fn installed(host: &str) -> Vec<Other> {
        let programs = ["skopeo", "crane"].into_iter().filter(|program| answers(program));
        programs.map(|program| Other { program, repository: format!("{host}/{program}/shop") }).collect()
    }

    pub fn name(&self) -> &'static str {
        self.program
    }

    /// The path of its repository.
    pub fn path(&self) -> String {
        format!("{}/shop", self.program)
    }

    /// Points `prod` at a release, named by its tag or its digest. True if the program says that it did.
    pub fn promotes(&self, release: &str) -> bool {
        self.begins(release).wait_with_output().unwrap().status.success()
    }

    /// Begins to point `prod` at a release.
    pub fn begins(&self, release: &str) -> Child {
        self.begins_on("prod", release)
    }

    /// Points another tag at a release.
    pub fn points(&self, tag: &str, release: &str) {
        assert!(self.begins_on(tag, release).wait_with_output().unwrap().status.success(), "{} {tag}", self.program);
    }

    fn begins_on(&self, tag: &str, release: &str) -> Child {
        let separator = if release.starts_with("sha256:") { '@' } else { ':' };
        let source = format!("{}{separator}{release}", self.repository);
        let mut command = Command::new(self.program);
        match self.program {
            "skopeo" => {
                // On a runner for linux/amd64, whatever this machine is.
                command.args(["--override-os=linux", "--override-arch=amd64", "copy", "--quiet"]);
                command.args(["--src-tls-verify=false", "--dest-tls-verify=false"]);
                command.args([format!("docker://{source}"), format!("docker://{}:{tag}", self.repository)]);
            }
            _ => {
                command.args(["tag", &source, tag]);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// True if the program can look at `prod`, as a script asks before it makes a tag that is missing.
    pub fn sees_prod(&self) -> bool {
        let prod = format!("{}:prod", self.repository);
        let mut command = Command::new(self.program);
        match self.program {
            "skopeo" => command.args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{prod}")]),
            _ => command.args(["digest", &prod]),
        };
        command.output().unwrap().status.success()
    }
}

/// The digest of a tag as `skopeo inspect` fetches it, without the proxy; none if there is no such tag.
pub fn inspected(reference: &str) -> Option<Digest> {
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{reference}")]);
    let output = skopeo.output().unwrap();
    output.status.success().then(|| Digest::of(&output.stdout))
}
