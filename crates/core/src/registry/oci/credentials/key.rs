//! `Key`: the name of a registry, or of a part of it, in a file of logins.

/// The spellings of Docker Hub. `docker login` writes the first one, with `https://` and `/v1/`.
const HUB: [&str; 5] =
    ["index.docker.io", "docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com"];

/// The key under which docker stores the login of Docker Hub.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// The one spelling of a registry's host, for comparisons: in lower case, without a scheme, a slash at the end or the
/// port 443, and with one name for Docker Hub.
pub(super) fn host(registry: &str) -> String {
    Key::of(registry).host
}

/// True if two names are of the same registry.
pub(in super::super) fn same_host(one: &str, other: &str) -> bool {
    host(one) == host(other)
}

/// The names under which a credential helper may have the login of a registry. Docker Hub has several; docker's own
/// spelling comes first.
pub(super) fn names(registry: &str) -> Vec<String> {
    match host(registry) {
        hub if hub == HUB[0] => std::iter::once(HUB_KEY).chain(HUB).map(str::to_owned).collect(),
        _ => vec![registry.to_owned()],
    }
}

/// A key, such as `quay.io/acme`, `https://index.docker.io/v1/` or `reg.io:5000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    host: String,
    /// The beginning of the paths of repositories; empty for all of the registry.
    path: String,
}

impl Key {
    pub(super) fn of(text: &str) -> Key {
        let text = text.trim().to_ascii_lowercase();
        let (text, plain) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => (text.as_str(), false),
        };
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        let host = host.strip_suffix(if plain { ":80" } else { ":443" }).unwrap_or(host);
        let host = if HUB.contains(&host) { HUB[0] } else { host };
        // These are paths of the registry's API, not repositories.
        let path = match path.trim_matches('/') {
            "v1" | "v2" => "",
            path => path,
        };
        Key { host: host.to_owned(), path: path.to_owned() }
    }

    /// True if it is a key of the registry with this [`host`].
    pub(super) fn is_of(&self, host: &str) -> bool {
        self.host == host
    }

    /// True if it is a key for a part of the registry's repositories.
    pub(super) fn has_path(&self) -> bool {
        !self.path.is_empty()
    }

    /// The rank of this key for the repository `path` of the registry with this [`host`]: lower for a longer path. None
    /// if the key is for another repository or registry.
    pub(super) fn rank(&self, host: &str, path: &str) -> Option<usize> {
        let rest = path.strip_prefix(self.path.as_str())?;
        let covers = self.path.is_empty() || rest.is_empty() || rest.starts_with('/');
        (self.is_of(host) && covers).then(|| usize::MAX - self.path.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_host_is_the_same() {
        for spelling in [
            "https://index.docker.io/v1/",
            "docker.io",
            "index.docker.io",
            "https://registry-1.docker.io/v2/",
            "https://docker.io/",
            "http://index.docker.io/v1",
        ] {
            assert!(same_host(spelling, "docker.io"), "{spelling}");
        }
        for spelling in ["https://reg.io", "http://reg.io/", "REG.io", "reg.io:443", "https://reg.io/v2/", "reg.io/v1"]
        {
            assert!(same_host(spelling, "reg.io"), "{spelling}");
        }
        for other in ["reg.io:5000", "a.reg.io", "reg.io.example.com", "docker.io"] {
            assert!(!same_host(other, "reg.io"), "{other}");
        }
        assert!(same_host("http://reg.io:80/", "reg.io") && !same_host("reg.io:80", "reg.io"));
        assert_eq!(names("docker.io")[..2], [HUB_KEY, "index.docker.io"]);
        assert_eq!(names("reg.io:5000"), ["reg.io:5000"]);
    }

    #[test]
    fn longest_path_of_a_key_comes_first_and_is_whole_segments() {
        let rank = |key: &str| Key::of(key).rank("quay.io", "acme/shop");
        let ranks = ["quay.io/acme/shop/", "quay.io/acme", "https://quay.io/v2/"].map(|key| rank(key).unwrap());
        assert!(ranks[0] < ranks[1] && ranks[1] < ranks[2], "{ranks:?}");
        for other in ["quay.io/ac", "quay.io/acme/shop/api", "quay.io/other", "reg.io/acme", "quay.io:444"] {
            assert_eq!(rank(other), None, "{other}");
        }
        // Tokens of docker's own log-in to its web site. They are no login of the registry.
        assert_eq!(Key::of("https://index.docker.io/v1/access-token").rank(HUB[0], "library/alpine"), None);
    }
}
