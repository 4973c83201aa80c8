//! `Seen`: the names that git and the CI's files of a directory have.

use std::io::Read;
use std::path::Path;

use crate::flux::origin;
use crate::value::{Environment, Repository, host_and_path};

/// The names that were found, each with the place where.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The repository of the releases.
    pub(super) repository: Option<(Repository, String)>,
    /// The environments, in the order in which a release usually goes through them.
    pub(super) environments: Option<(Vec<Environment>, String)>,
    /// A file of a CI.
    pub(super) ci: Option<String>,
}

/// Files of CI systems.
const FILES: [&str; 5] =
    [".gitlab-ci.yml", ".circleci/config.yml", "azure-pipelines.yml", ".buildkite/pipeline.yml", "Jenkinsfile"];

/// Directories whose YAML files are a CI's.
const FOLDERS: [&str; 3] = [".github/workflows", ".gitea/workflows", ".forgejo/workflows"];

/// The most files that are read, and the most bytes of one.
const MOST_FILES: usize = 64;
const MOST_BYTES: u64 = 1 << 20;

/// Registries that are known by their host or by its last labels. A reference to another host counts only with `oci://`.
const REGISTRIES: [&str; 7] =
    ["ghcr.io", "quay.io", "docker.io", "registry.gitlab.com", "azurecr.io", "pkg.dev", "amazonaws.com"];

impl Seen {
    /// The names in `dir`. A file that cannot be read counts as absent.
    pub(super) fn in_dir(dir: &Path) -> Seen {
        let files = files(dir);
        let origin = origin(dir);
        let project = origin.as_deref().and_then(path_of).map(|(_, path)| path);
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let name = project.as_deref().map(last).filter(|name| !name.is_empty());
        let mut references = Vec::new();
        let (mut environments, mut from) = (Vec::new(), Vec::new());
        for (file, text) in &files {
            references.extend(words(text).filter_map(reference).map(|(repository, sure)| (repository, sure, file)));
            let named = environments_of(text);
            if !named.is_empty() {
                from.push(file.as_str());
            }
            for environment in named {
                if !environments.contains(&environment) {
                    environments.push(environment);
                }
            }
        }
        environments.sort_by_key(|environment: &Environment| rank(environment.as_str()));
        // A reference to the project itself says more than one to another artifact.
        let is_own = |repository: &Repository| name.as_ref().is_some_and(|name| repository.path().contains(name));
        let own = references.iter().find(|(repository, ..)| is_own(repository));
        let referred = own.or_else(|| references.iter().find(|(_, sure, _)| *sure));
        let referred = referred.map(|(repository, _, file)| (repository.clone(), (*file).clone()));
        let of_git = || Some((repository_of(origin.as_deref()?)?, "git's remote origin".to_owned()));
        Seen {
            repository: referred.or_else(of_git),
            environments: (!environments.is_empty()).then(|| (environments, from.join(", "))),
            ci: files.first().map(|(file, _)| file.clone()),
        }
    }
}

/// The CI's files of a directory, with their names and texts.
fn files(dir: &Path) -> Vec<(String, String)> {
    let mut names = Vec::from(FILES.map(str::to_owned));
    for folder in FOLDERS {
        let Ok(entries) = std::fs::read_dir(dir.join(folder)) else { continue };
        let mut found: Vec<String> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.to_owned()))
            .filter(|name| name.ends_with(".yml") || name.ends_with(".yaml"))
            .map(|name| format!("{folder}/{name}"))
            .collect();
        found.sort();
        names.extend(found);
    }
    let text = |name: &String| {
        let mut text = String::new();
        let file = std::fs::File::open(dir.join(name)).ok()?;
        file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        Some((name.clone(), text))
    };
    names.iter().filter_map(text).take(MOST_FILES).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "\"'`,;()[]|<>=".contains(c))
}

/// The repository that a word refers to, and true if the word says that it is one (`oci://`). A name with a variable in
/// it is none.
fn reference(word: &str) -> Option<(Repository, bool)> {
    let bare = word.strip_prefix("oci://");
    let (host, rest) = bare.unwrap_or(word).split_once('/')?;
    let path = rest.split([':', '@']).next()?.trim_end_matches('/');
    let known = |registry: &str| host == registry || host.ends_with(&format!(".{registry}"));
    if bare.is_none() && !REGISTRIES.into_iter().any(known) {
        return None;
    }
    Some((format!("{host}/{path}").parse().ok()?, bare.is_some()))
}

/// The environments of lines such as `environment: prod`, or `environment:` with `name: prod` below it.
fn environments_of(text: &str) -> Vec<Environment> {
    let mut lines = text.lines().map(|line| line.trim().trim_start_matches("- "));
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some(value) = line.strip_prefix("environment:") else { continue };
        let value = match value.trim() {
            "" => lines.next().and_then(|below| below.strip_prefix("name:")).unwrap_or_default(),
            value => value,
        };
        let name = value.split_whitespace().next().unwrap_or_default().trim_matches(['"', '\'']);
        found.extend(name.parse::<Environment>().ok().filter(|name| name.as_str() != "github-pages"));
    }
    found
}

/// The place of an environment in a usual pipeline.
fn rank(environment: &str) -> u8 {
    match environment {
        "dev" | "develop" | "development" => 0,
        "test" | "testing" | "qa" | "ci" => 1,
        "int" | "integration" | "uat" => 2,
        "staging" | "stage" | "preprod" | "pre-prod" | "preproduction" => 4,
        "prod" | "production" | "live" => 5,
        _ => 3,
    }
}

/// Host and path of a git URL, or of an scp-like address (`git@github.com:acme/shop.git`).
fn path_of(url: &str) -> Option<(&str, String)> {
    let (host, path) = host_and_path(url)?;
    Some((host.split(':').next()?, path.trim_start_matches('/').to_ascii_lowercase()))
}

/// The repository in the registry that belongs to a git host.
fn repository_of(origin: &str) -> Option<Repository> {
    let (host, path) = path_of(origin)?;
    let registry = match host {
        "github.com" => "ghcr.io",
        "gitlab.com" => "registry.gitlab.com",
        "codeberg.org" => "codeberg.org",
        _ => return None,
    };
    format!("{registry}/{path}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_of_a_known_git_host_is_a_repository_of_its_registry() {
        let repository = |origin: &str| repository_of(origin).map(|repository| repository.to_string());
        for (origin, want) in [
            ("https://github.com/Acme/Shop.git", Some("ghcr.io/acme/shop")),
            ("git@github.com:acme/shop.git", Some("ghcr.io/acme/shop")),
            ("ssh://git@gitlab.com:22/group/sub/shop.git", Some("registry.gitlab.com/group/sub/shop")),
            ("https://user:c4n4ry@codeberg.org/acme/shop", Some("codeberg.org/acme/shop")),
            ("https://git.example.com/acme/shop", None),
            ("/srv/git/shop.git", None),
        ] {
            assert_eq!(repository(origin).as_deref(), want, "{origin}");
        }
    }

    #[test]
    fn word_of_a_ci_file_is_a_reference_if_its_host_is_a_registry() {
        let found = |word: &str| reference(word).map(|(repository, sure)| (repository.to_string(), sure));
        let shop = |sure| Some(("ghcr.io/acme/shop".to_owned(), sure));
        assert_eq!(found("ghcr.io/acme/shop:${{"), shop(false));
        assert_eq!(found("oci://ghcr.io/acme/shop@sha256:00"), shop(true));
        assert_eq!(found("oci://reg.io/acme/shop").unwrap().0, "reg.io/acme/shop");
        assert_eq!(found("acme.azurecr.io/shop:1").unwrap().0, "acme.azurecr.io/shop");
        for word in ["actions/checkout@v4", "ghcr.io/${{", "ghcr.io/$OWNER/shop", "https://ghcr.io/acme", "./deploy"] {
            assert_eq!(found(word), None, "{word}");
        }
    }

    #[test]
    fn environments_of_a_ci_file_are_read_in_both_forms() {
        let text = "jobs:\n  a:\n    environment: \"staging\"\n  b:\n    environment:\n      name: prod\n  c:\n    \
                    environment: ${{ inputs.env }}\n  d:\n    environment: github-pages\n";
        let names: Vec<_> = environments_of(text).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["staging", "prod"]);
    }

    #[test]
    fn directory_with_workflows_has_their_names_in_the_usual_order() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(".github/workflows");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("b.yml"), "run: flux push oci://ghcr.io/acme/shop:$TAG\n").unwrap();
        std::fs::write(folder.join("a.yml"), "environment: prod\n---\nenvironment: dev\n").unwrap();
        std::fs::write(folder.join("notes.txt"), "environment: other\n").unwrap();
        let seen = Seen::in_dir(dir.path());
        let (repository, from) = seen.repository.unwrap();
        assert_eq!((repository.as_str(), from.as_str()), ("ghcr.io/acme/shop", ".github/workflows/b.yml"));
        let (environments, from) = seen.environments.unwrap();
        let names: Vec<_> = environments.iter().map(Environment::as_str).collect();
        assert_eq!((names, from.as_str()), (vec!["dev", "prod"], ".github/workflows/a.yml"));
        assert_eq!(seen.ci.as_deref(), Some(".github/workflows/a.yml"));
    }
}
