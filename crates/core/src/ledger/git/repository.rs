//! The repository of the ledger URL `git`: that of the CI's job, else `origin` of the working directory.

use crate::error::Result;
use crate::ledger::url::text::bad;
use crate::value::ProvenanceParts;

/// The repository of the CI's job; none outside of GitHub, Gitea and Forgejo Actions and GitLab CI. CONFIG_INVALID if
/// more than one CI is found.
pub(super) fn of_job(env: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>> {
    let parts = ProvenanceParts::default().fill(env);
    let parts =
        parts.map_err(|e| bad(format!("git: {}; name the repository: git+https://HOST/REPOSITORY", e.message())))?;
    let provider = parts.provider.as_ref().map_or("", |provider| provider.as_str());
    let url = parts.repository_url.map(|url| url.to_string());
    Ok(match provider {
        "github-actions" | "gitea-actions" | "forgejo-actions" => url,
        // GitLab redirects from the project's page to the repository, and no redirect is followed.
        "gitlab-ci" => url.map(|url| format!("{}.git", url.trim_end_matches('/'))),
        _ => None,
    })
}

/// The repository in the output of `git remote get-url origin`; none if Git found no such remote.
pub(super) fn of_origin(output: Option<&str>) -> Result<String> {
    let origin = output.map(str::trim).filter(|origin| !origin.is_empty());
    origin.map(str::to_owned).ok_or_else(|| {
        let why = "git: no job of GitHub, Gitea or GitLab, and no remote `origin` in the working directory";
        bad(format!("{why}; name the repository: git+https://HOST/REPOSITORY"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn job(set: &[(&str, &str)]) -> Result<Option<String>> {
        of_job(&|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    const GITHUB: [(&str, &str); 3] =
        [("GITHUB_ACTIONS", "true"), ("GITHUB_SERVER_URL", "https://github.com"), ("GITHUB_REPOSITORY", "acme/shop")];
    const GITLAB: [(&str, &str); 2] = [("GITLAB_CI", "true"), ("CI_PROJECT_URL", "https://gitlab.com/acme/shop")];

    #[test]
    fn job_names_its_repository() {
        assert_eq!(job(&GITHUB).unwrap().as_deref(), Some("https://github.com/acme/shop"));
        let gitea = [
            &GITHUB[..1],
            &[("GITEA_ACTIONS", "true")],
            &[("GITHUB_SERVER_URL", "https://git.example.com/")],
            &GITHUB[2..],
        ];
        assert_eq!(job(&gitea.concat()).unwrap().as_deref(), Some("https://git.example.com/acme/shop"));
        assert_eq!(job(&GITLAB).unwrap().as_deref(), Some("https://gitlab.com/acme/shop.git"));
        for other in [&[][..], &[("CI", "true")], &[("JENKINS_URL", "https://ci"), ("GIT_URL", "https://h/x")]] {
            assert_eq!(job(other).unwrap(), None, "{other:?}");
        }
    }

    #[test]
    fn job_of_two_systems_asks_for_the_repository() {
        let error = job(&[&GITHUB[..], &GITLAB].concat()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
        assert!(error.message().contains("several CI systems"), "{error}");
        assert!(error.message().ends_with("name the repository: git+https://HOST/REPOSITORY"), "{error}");
    }

    #[test]
    fn origin_is_trimmed_and_its_absence_says_what_to_write() {
        assert_eq!(of_origin(Some("git@github.com:acme/shop.git\n")).unwrap(), "git@github.com:acme/shop.git");
        for none in [None, Some(""), Some("\n")] {
            let error = of_origin(none).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
            assert!(error.message().contains("no remote `origin`"), "{error}");
        }
    }
}
