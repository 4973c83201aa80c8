//! The page of a forge that compares two commits.

use crate::value::{Commit, Line, host_and_path};

/// The kind of a forge; it decides the path of its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forge {
    GitHub,
    GitLab,
    /// Gitea or Forgejo.
    Gitea,
}

impl Forge {
    /// The forge of a CI that runs on it.
    pub(crate) fn of_ci(provider: &str) -> Option<Forge> {
        match provider {
            "github-actions" => Some(Forge::GitHub),
            "gitlab-ci" => Some(Forge::GitLab),
            "gitea-actions" | "forgejo-actions" => Some(Forge::Gitea),
            _ => None,
        }
    }

    fn of_host(host: &str) -> Option<Forge> {
        let has = |word| host.split('.').any(|label| label == word);
        match host {
            "codeberg.org" => Some(Forge::Gitea),
            _ if has("github") => Some(Forge::GitHub),
            _ if has("gitlab") => Some(Forge::GitLab),
            _ if has("gitea") || has("forgejo") => Some(Forge::Gitea),
            _ => None,
        }
    }
}

/// The page that compares two revisions of the source repository `source`. `ci` is the forge of the CI that brought the
/// release from this repository, for hosts that do not say it by their name.
///
/// None if a revision has no commit, if both have the same one, or if the forge is not known.
pub(crate) fn compare_url(source: &Line, from: &Line, to: &Line, ci: Option<Forge>) -> Option<String> {
    let (host, path) = repository(source.as_str())?;
    let (from, to) = (commit(from)?, commit(to)?);
    if from == to {
        return None;
    }
    let between = match Forge::of_host(host).or(ci)? {
        Forge::GitHub | Forge::Gitea => "compare",
        Forge::GitLab => "-/compare",
    };
    Some(format!("https://{host}/{path}/{between}/{from}...{to}"))
}

/// True if both URLs are of one repository.
pub(crate) fn is_same_repository(one: &Line, other: &Line) -> bool {
    matches!((repository(one.as_str()), repository(other.as_str())), (Some(one), Some(other)) if one == other)
}

/// True if both URLs are of repositories on one host.
pub(crate) fn same_host(one: &Line, other: &Line) -> bool {
    matches!((repository(one.as_str()), repository(other.as_str())), (Some((one, _)), Some((other, _))) if one == other)
}

/// Host and path of a repository's URL.
fn repository(url: &str) -> Option<(&str, &str)> {
    let (host, path) = host_and_path(url)?;
    // The URL is shown to people, so it has nothing but what a repository needs.
    let plain = |text: &str, more: &str| text.chars().all(|char| char.is_ascii_alphanumeric() || more.contains(char));
    let fits = !host.is_empty() && path.contains('/') && plain(host, ".-:") && plain(path, "._-/~");
    fits.then_some((host, path))
}

/// The commit of a revision: `main@sha1:<commit>`, `main/<commit>` or the commit alone.
fn commit(revision: &Line) -> Option<Commit> {
    revision.as_str().rsplit(['@', ':', '/']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "0123456789abcdef0123456789abcdef01234567";
    const NEW: &str = "89abcdef0123456789abcdef0123456789abcdef";

    fn url(source: &str, from: &str, to: &str, ci: Option<Forge>) -> Option<String> {
        let line = |text: &str| text.parse::<Line>().unwrap();
        compare_url(&line(source), &line(from), &line(to), ci)
    }

    #[test]
    fn page_of_each_forge_compares_both_commits() {
        let between = format!("{OLD}...{NEW}");
        for (source, ci, page) in [
            ("https://github.com/acme/shop", None, "https://github.com/acme/shop/compare"),
            ("git@github.com:acme/shop.git", None, "https://github.com/acme/shop/compare"),
            ("ssh://git@gitlab.com/acme/web/shop.git", None, "https://gitlab.com/acme/web/shop/-/compare"),
            ("https://gitlab.example.com/acme/shop/", None, "https://gitlab.example.com/acme/shop/-/compare"),
            ("https://ci:pw@gitea.example.com:3000/a/b", None, "https://gitea.example.com:3000/a/b/compare"),
            ("https://codeberg.org/acme/shop", None, "https://codeberg.org/acme/shop/compare"),
            ("https://git.example.com/a/b", Forge::of_ci("gitlab-ci"), "https://git.example.com/a/b/-/compare"),
            ("https://git.example.com/a/b", Forge::of_ci("forgejo-actions"), "https://git.example.com/a/b/compare"),
        ] {
            for (from, to) in [(OLD.to_owned(), NEW.to_owned()), (format!("1.0@sha1:{OLD}"), format!("main/{NEW}"))] {
                assert_eq!(url(source, &from, &to, ci), Some(format!("{page}/{between}")), "{source}");
            }
        }
    }

    #[test]
    fn there_is_no_page_for_what_is_not_known() {
        let github = "https://github.com/acme/shop";
        for (source, from, to) in [
            (github, OLD, OLD),
            (github, "main", NEW),
            (github, OLD, "v1.2"),
            ("https://git.example.com/acme/shop", OLD, NEW),
            ("https://notgithub.com/acme/shop", OLD, NEW),
            ("https://github.com", OLD, NEW),
            ("https://github.com/acme/shop?x=1", OLD, NEW),
            ("https://github.com/acme/sh op", OLD, NEW),
            ("shop", OLD, NEW),
        ] {
            assert_eq!(url(source, from, to, None), None, "{source} {from} {to}");
        }
        assert_eq!(Forge::of_ci("jenkins"), None);
    }
}
