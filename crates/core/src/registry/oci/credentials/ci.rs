//! The token of the CI, as a login of the registry that belongs to the same service.

use super::key::same_host;
use super::login::Credentials;
use super::variables::Variables;

/// The token of this CI's run, if it is a login of `registry`, with the name of its variable.
///
/// - ghcr.io: `GITHUB_TOKEN` in GitHub Actions of github.com. Gitea, Forgejo and GitHub's own servers for companies set
///   variables of the same names, and their tokens must not go to ghcr.io.
/// - GitLab's registry, `CI_REGISTRY`: `CI_JOB_TOKEN` in GitLab CI.
pub(super) fn login(registry: &str, variables: &Variables) -> Option<(&'static str, Credentials)> {
    let is = |name: &str| variables.get(name).is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0");
    let at_github = is("GITHUB_ACTIONS")
        && !is("GITEA_ACTIONS")
        && !is("FORGEJO_ACTIONS")
        && variables.get("GITHUB_SERVER_URL").is_none_or(|server| same_host(server, "github.com"));
    let password = |user, variable| Some((variable, Credentials::password(user, variables.get(variable)?)));
    if at_github && same_host(registry, "ghcr.io") {
        // ghcr.io takes every user with such a token.
        let user = variables.get("GITHUB_ACTOR").filter(|user| !user.contains(':')).unwrap_or("github-actions");
        return password(user, "GITHUB_TOKEN");
    }
    if is("GITLAB_CI") && variables.get("CI_REGISTRY").is_some_and(|own| same_host(own, registry)) {
        return password("gitlab-ci-token", "CI_JOB_TOKEN");
    }
    None
}
