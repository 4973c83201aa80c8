//! `Remote`: the address of a Git repository, apart from the user and the password that stood in it.

use super::text::{bad, decode, parts};
use crate::error::Result;
use crate::secret::Secret;
use crate::value::Line;

/// A repository that Git can fetch from and push to. Git gets `url` as an argument, which every user of the machine can
/// read; so no part of it is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::ledger) struct Remote {
    pub(in crate::ledger) url: String,
    /// The user of an `http` or `https` URL. It is secret because hosts accept a token in its place.
    pub(in crate::ledger) user: Option<Secret>,
    /// The password of an `http` or `https` URL.
    pub(in crate::ledger) password: Option<Secret>,
}

impl Remote {
    /// Parses a URL, `user@host:path`, or the absolute path of a directory. CONFIG_INVALID for anything else, also for
    /// the other forms that Git knows: with `ext::` an address is a command. An error shows no part of the text that
    /// may be a password.
    pub(in crate::ledger) fn of(text: &str) -> Result<Remote> {
        let remote = match text.split_once("://") {
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                scheme @ ("http" | "https") => Remote::web(scheme, rest)?,
                "ssh" | "git+ssh" | "ssh+git" => Remote::ssh(rest)?,
                "file" if rest.starts_with('/') => Remote::open(format!("file://{rest}")),
                "file" => return Err(bad("git: a file URL names a whole path: git+file:///its/path".to_owned())),
                _ => return Err(bad(format!("git: {KINDS}"))),
            },
            None if text.starts_with('/') => Remote::open(format!("file://{}", text.replace('%', "%25"))),
            None => match text.split_once(':') {
                // `host::address` names a helper of Git.
                Some((host, path)) if is_host(host) && !path.is_empty() && !path.starts_with(':') => {
                    Remote::open(text.to_owned())
                }
                _ => return Err(bad(format!("git: {KINDS}"))),
            },
        };
        remote.url.parse::<Line>().map_err(|e| bad(format!("git: {}", e.message())))?;
        Ok(remote)
    }

    /// True for `http` and `https`, where a credential is sent in a header.
    #[cfg(all(feature = "git", unix))]
    pub(in crate::ledger) fn is_web(&self) -> bool {
        self.url.starts_with("http://") || self.url.starts_with("https://")
    }

    fn open(url: String) -> Remote {
        Remote { url, user: None, password: None }
    }

    fn web(scheme: &str, rest: &str) -> Result<Remote> {
        let (login, host, path) = parsed(scheme, rest)?;
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let secret = |text: &str| match text {
            "" => Ok(None),
            text => decode(scheme, text).map(|text| Some(Secret::new(text))),
        };
        let url = format!("{scheme}://{}{path}", host.to_ascii_lowercase());
        Ok(Remote { url, user: secret(user)?, password: secret(password)? })
    }

    fn ssh(rest: &str) -> Result<Remote> {
        let (login, host, path) = parsed("ssh", rest)?;
        // SSH sends no password from a URL.
        match login.split_once(':').map_or(login, |(user, _)| user) {
            "" => Ok(Remote::open(format!("ssh://{host}{path}"))),
            user if is_host(user) => Ok(Remote::open(format!("ssh://{user}@{host}{path}"))),
            _ => Err(bad("git: ssh://: this is not the name of a user".to_owned())),
        }
    }
}

/// The addresses that a ledger can have.
const KINDS: &str = "the repository is no http://, https://, ssh:// or file:// URL, no HOST:PATH and no absolute \
                     path; write git+https://HOST/REPOSITORY";

/// The login, the host with its port, and the path.
fn parsed<'a>(scheme: &str, rest: &'a str) -> Result<(&'a str, &'a str, &'a str)> {
    let (authority, path, query) = parts(scheme, rest)?;
    let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (name, port) = host.rsplit_once(':').filter(|_| !host.ends_with(']')).unwrap_or((host, "1"));
    // The text is not shown: a part of a password may be taken for a host or a port.
    if !is_host(name) || !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Err(bad(format!("git: {scheme}://: no host, or a port that is not from 1 to 65535")));
    }
    if path.trim_matches('/').is_empty() || !query.is_empty() {
        return Err(bad(format!("git: {scheme}://: no repository after the host, or a ? (write it as %3F)")));
    }
    Ok((login, host, path))
}

/// True for a host with or without a user. A name that begins with `-` would be an option of the SSH client.
fn is_host(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | '[' | ']' | ':' | '~' | '+');
    !text.is_empty() && text.chars().all(plain) && !text.split('@').any(|part| part.is_empty() || part.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn remote(text: &str) -> Remote {
        Remote::of(text).unwrap()
    }

    #[test]
    fn user_and_password_are_taken_out_of_a_web_address() {
        for (text, url, user, password) in [
            ("https://github.com/acme/shop", "https://github.com/acme/shop", None, None),
            ("HTTPS://GitHub.com/Acme/shop.git", "https://github.com/Acme/shop.git", None, None),
            ("https://ada@git.example.com:8443/x", "https://git.example.com:8443/x", Some("ada"), None),
            ("http://u:p%40w@[::1]:80/x", "http://[::1]:80/x", Some("u"), Some("p@w")),
            ("https://:c4n4ry@h/x", "https://h/x", None, Some("c4n4ry")),
            ("https://u:@h/x", "https://h/x", Some("u"), None),
        ] {
            let (user, password) = (user.map(Secret::new), password.map(Secret::new));
            assert_eq!(remote(text), Remote { url: url.to_owned(), user, password }, "{text}");
            #[cfg(all(feature = "git", unix))]
            assert!(remote(text).is_web());
        }
    }

    #[test]
    fn other_addresses_are_kept() {
        for (text, url) in [
            ("ssh://git@github.com/acme/shop", "ssh://git@github.com/acme/shop"),
            ("git+ssh://git@github.com:22/acme/shop", "ssh://git@github.com:22/acme/shop"),
            ("ssh://git:c4n4ry@h/x", "ssh://git@h/x"),
            ("git@github.com:acme/shop.git", "git@github.com:acme/shop.git"),
            ("file:///srv/my%20ledger.git", "file:///srv/my%20ledger.git"),
            ("/srv/100%", "file:///srv/100%25"),
        ] {
            assert_eq!(remote(text), Remote::open(url.to_owned()), "{text}");
            #[cfg(all(feature = "git", unix))]
            assert!(!remote(text).is_web());
        }
    }

    #[test]
    fn address_that_is_no_repository_is_refused_and_not_shown() {
        for text in [
            "",
            "ledger.git",
            "../ledger.git",
            "ext::sh -c c4n4ry",
            "git://h/c4n4ry",
            "--upload-pack=c4n4ry:x",
            "-c4n4ry:x",
            "ssh://-c4n4ry/x",
            "ssh://-c4n4ry@h/x",
            "https://h",
            "https://h/?token=c4n4ry",
            "https://u:c4n4ry/c4n4ry@h/x",
            "https://u:c4n4ry#x@h/x",
            "https://u:c4n4ry%@h/x",
            "https://h:c4n4ry/x",
            "https://h:0/x",
            "https:///x",
            "file://h/x",
            "https://h/a\u{1b}[2J",
            "C4n4ry:c4n4ry://x",
        ] {
            let error = Remote::of(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{text}");
            assert!(!format!("{error:?}").contains("4n4ry"), "{error:?}");
        }
        assert!(!format!("{:?}", remote("https://c4n4ry:c4n4ry@h/x")).contains("c4n4ry"));
    }
}
