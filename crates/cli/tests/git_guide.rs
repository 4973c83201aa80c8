//! The commands of docs/guides/git-ledger.md, in their order, from an empty directory, with stand-ins of the host and of the
//! registry.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]
#![allow(dead_code, unreachable_pub, reason = "the typed pages use the rest")]

mod common;
#[path = "typed/documents.rs"]
mod documents;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::git::{bare, git};
use common::{Said, World, said};
use documents::{Form, Line, blocks, of_markdown, read};
use serde_json::Value;
use tagwarden_tests::git_http::GitServer;

const GUIDE: &str = "docs/guides/git-ledger.md";
const TOKEN: &str = "canary-ghs-17";

/// The token with the user that GitHub expects, and with that of a job's token in GitLab.
const GITHUB: &str = "Basic eC1hY2Nlc3MtdG9rZW46Y2FuYXJ5LWdocy0xNw==";
const GITLAB: &str = "Basic Z2l0bGFiLWNpLXRva2VuOmNhbmFyeS1naHMtMTc=";

/// The reader's directory, the host and the registry.
struct Reader {
    world: World,
    host: GitServer,
    /// The URL of the host.
    url: String,
    /// The repository `acme/shop` of the host.
    repository: PathBuf,
    /// The working directory of the reader's shell.
    dir: PathBuf,
}

impl Reader {
    fn new() -> Reader {
        let world = World::new();
        std::fs::remove_file(world.dir.path().join("tagwarden.toml")).unwrap();
        // As minutes later, so that `current` does not wait until reads are settled.
        world.server.date_offset_ms(6 * 60 * 1000);
        let host = GitServer::start();
        let url = format!("http://{}", host.host());
        let repository = bare(&host.repository().parent().unwrap().join("acme/shop.git"));
        for setting in ["http.receivepack", "uploadpack.allowFilter"] {
            git(&repository, &["config", setting, "true"]);
        }
        let tree = git(&repository, &["hash-object", "-t", "tree", "-w", "--stdin"]);
        let commit = git(&repository, &["commit-tree", &tree, "-m", "Begin"]);
        git(&repository, &["update-ref", "refs/heads/main", &commit]);
        host.expect(GITHUB);
        // The login of the reader's machine.
        let settings = format!(
            "[user]\n\tname = ada\n\temail = ada@example.com\n\
             [http \"{url}/\"]\n\textraHeader = \"Authorization: {GITHUB}\"\n"
        );
        std::fs::write(world.dir.path().join("gitconfig"), settings).unwrap();
        let dir = world.dir.path().join("empty");
        std::fs::create_dir(&dir).unwrap();
        Reader { world, host, url, repository, dir }
    }

    /// A text of the guide with the real names.
    fn here(&self, text: &str) -> String {
        let registry = self.world.server.host();
        text.replace("ledger/ghcr.io/", &format!("ledger/{}/", registry.replace(':', "%3a")))
            .replace("https://github.com", &self.url)
            .replace("ghcr.io", registry)
            .replace("registry.example.com", registry)
            .replace("/srv/git", &self.world.dir.path().join("srv").display().to_string())
    }

    /// A shell in the reader's directory. A CI's runner has another home, so that it has neither the login nor the cache.
    fn shell(&self, script: &str, ci: &[(&str, &str)]) -> Said {
        let program = Path::new(env!("CARGO_BIN_EXE_tagwarden")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let path = std::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdin(Stdio::null()).env_clear().env("PATH", std::env::join_paths(path).unwrap());
        shell.env("GIT_CONFIG_NOSYSTEM", "1");
        if ci.is_empty() {
            shell.current_dir(&self.dir).env("HOME", self.world.dir.path());
            shell.env("GIT_CONFIG_GLOBAL", self.world.dir.path().join("gitconfig"));
        } else {
            let home = tempfile::tempdir().unwrap();
            shell.current_dir(home.path()).env("HOME", home.path()).env("GIT_CONFIG_GLOBAL", "/dev/null");
            return said(shell.envs(ci.iter().copied()).output().unwrap());
        }
        said(shell.output().unwrap())
    }

    /// A run of the workflow on a runner that has nothing: the Action's command with the inputs of its `with`.
    fn workflow(&self, release: &str) -> Said {
        let workflow = std::fs::read_to_string(self.dir.join(".github/workflows/promote.yml")).unwrap();
        assert!(workflow.contains("contents: write") && workflow.contains("packages: write"));
        let input = |name: &str| {
            let line = workflow.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}: ")));
            line.unwrap_or_else(|| panic!("no {name}")).to_owned()
        };
        assert_eq!(input("source"), "${{ inputs.release }}");
        let script = format!("tagwarden {} {} --source {release} --ledger git", input("command"), input("channel"));
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SERVER_URL", self.url.as_str()),
            ("GITHUB_REPOSITORY", "acme/shop"),
            ("GITHUB_RUN_ID", "4711"),
            ("GITHUB_ACTOR", "ada"),
            ("TAGWARDEN_GIT_TOKEN", TOKEN),
        ];
        self.shell(&script, &variables)
    }

    /// A run of the job of `.gitlab-ci.yml`.
    fn gitlab(&self, script: &str, release: &str) -> Said {
        let project = format!("{}/acme/shop", self.url);
        let repository = project.replace("://", &format!("://gitlab-ci-token:{TOKEN}@"));
        let host = self.host.host();
        let (name, port) = host.split_once(':').unwrap();
        self.host.expect(GITLAB);
        let variables = [
            ("GITLAB_CI", "true"),
            ("CI_SERVER_URL", self.url.as_str()),
            ("CI_SERVER_PROTOCOL", "http"),
            ("CI_SERVER_HOST", name),
            ("CI_SERVER_PORT", port),
            ("CI_PROJECT_PATH", "acme/shop"),
            ("CI_PROJECT_URL", &project),
            ("CI_REPOSITORY_URL", &format!("{repository}.git")),
            ("CI_JOB_TOKEN", TOKEN),
            ("CI_JOB_ID", "17"),
            ("CI_PIPELINE_ID", "4712"),
            ("CI_PIPELINE_SOURCE", "web"),
            ("GITLAB_USER_LOGIN", "ben"),
            ("CI_REGISTRY", self.world.server.host()),
            ("CI_REGISTRY_USER", "ci"),
            ("CI_REGISTRY_PASSWORD", "canary-4f1c"),
            ("RELEASE", release),
        ];
        let ended = self.shell(script, &variables);
        self.host.expect(GITHUB);
        ended
    }

    /// Does what a line of the guide says.
    fn line(&mut self, line: &Line) {
        let text = self.here(&line.text);
        let ended = if let Some(dir) = text.strip_prefix("cd ") {
            self.dir = self.dir.join(dir);
            assert!(self.dir.is_dir(), "{text}");
            return;
        } else if let Some(release) = text.strip_prefix("gh workflow run promote.yml --field release=") {
            self.workflow(release)
        } else if text.starts_with("gh api repos/acme/shop/rulesets --method POST --input ruleset.json") {
            return self.ruleset();
        } else if text.starts_with("glab api --method POST 'projects/acme%2Fshop/protected_branches?name=tagwarden&") {
            assert!(text.contains("&allow_force_push=false'"));
            return self.protect();
        } else if text.starts_with("glab api --method PUT projects/acme%2Fshop ") {
            assert!(text.ends_with(" ci_push_repository_for_job_token_allowed=true"));
            return;
        } else {
            self.shell(&text, &[])
        };
        assert_eq!(ended.exit, line.exit, "{text}\n{}\n{}", ended.out, ended.err);
        assert!(!format!("{ended:?}").contains("canary"), "{ended:?}");
        if text.contains("--numstat") {
            assert_eq!(ended.out, "", "no line was deleted");
        }
    }

    /// Applies the ruleset of the guide, as far as Git's own server can.
    fn ruleset(&self) {
        let rules: Value = serde_json::from_slice(&std::fs::read(self.dir.join("ruleset.json")).unwrap()).unwrap();
        assert_eq!(rules["conditions"]["ref_name"]["include"][0], "refs/heads/tagwarden");
        assert_eq!((&rules["target"], &rules["enforcement"]), (&"branch".into(), &"active".into()));
        let types: Vec<&str> =
            rules["rules"].as_array().unwrap().iter().map(|rule| rule["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["deletion", "non_fast_forward"]);
        self.protect();
    }

    fn protect(&self) {
        for setting in ["receive.denyDeletes", "receive.denyNonFastForwards"] {
            git(&self.repository, &["config", setting, "true"]);
        }
    }
}

/// The name of the file that a block is to be written to: the first code after the last `Write` before it.
fn file_of(text: &str, line: usize) -> String {
    let before: Vec<&str> = text.lines().take(line - 1).collect();
    let before = before.join("\n");
    let (_, after) = before.rsplit_once("Write ").unwrap();
    after.split('`').nth(1).unwrap().to_owned()
}

#[test]
fn commands_of_the_guide_lead_from_an_empty_directory_to_a_promotion() {
    let (mut reader, text) = (Reader::new(), read(GUIDE));
    let mut parts: Vec<(usize, &str, String)> = Vec::new();
    for language in ["console", "yaml", "json"] {
        parts.extend(blocks(&text, language).into_iter().map(|(at, block)| (at, language, block)));
    }
    parts.sort();
    let sessions = of_markdown(GUIDE);
    let mut typed = 0;
    for (at, language, block) in parts {
        if language != "console" {
            let file = reader.dir.join(file_of(&text, at));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, reader.here(&block)).unwrap();
        }
        let session = sessions.iter().find(|session| session.place == format!("{GUIDE}:{at}"));
        match session.map(|session| session.form) {
            Some(Form::Typed) => {
                for line in &session.unwrap().lines {
                    reader.line(line);
                    typed += 1;
                }
            }
            Some(Form::Step) => {
                let script: Vec<String> = session.unwrap().lines.iter().map(|line| reader.here(&line.text)).collect();
                let ended = reader.gitlab(&script.join("\n"), "1.4.3");
                assert_eq!(ended.exit, 0, "{}\n{}", ended.out, ended.err);
                assert_eq!(reader.world.digest("prod"), reader.world.digest("1.4.3"));
                typed += 1;
            }
            _ => assert_ne!(language, "console", "{at}: nothing is typed"),
        }
        if block.contains("gh workflow run") {
            assert_eq!(reader.world.digest("prod"), reader.world.digest("1.4.2"));
        }
    }
    assert!(typed >= 20, "{typed}");
    let messages = git(&reader.repository, &["log", "--format=%an: %B", "tagwarden"]);
    for want in [
        "ada: bootstrap acme/shop:prod to 1.4.2 (sha256:",
        "ben: promote acme/shop:prod to 1.4.3 (sha256:",
        "[skip ci]",
    ] {
        assert!(messages.contains(want), "{want}: {messages}");
    }
    assert!(!messages.contains("canary"));
}

/// The commands that the guide names in its text.
#[test]
fn commands_in_the_text_of_the_guide_are_commands() {
    let world = World::new();
    for code in documents::code(&read(GUIDE)) {
        if let Some(verb) = ["ledger init", "ledger export", "ledger import", "recover", "verify"]
            .iter()
            .find(|verb| code.starts_with(**verb))
        {
            world.does(&[&verb.split(' ').collect::<Vec<_>>()[..], &["--help"]].concat(), 0);
        }
    }
}
