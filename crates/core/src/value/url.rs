//! URLs without credentials, for a ledger and for people.

/// Parts of the names of options whose values are secrets, without the characters between words.
const SECRET: [&str; 8] = ["token", "secret", "passw", "pwd", "signature", "credential", "apikey", "accesskey"];

/// A URL without its user, its password and the options that hold a token, because no credential may be stored in a
/// ledger. The `git@` of an scp-like address is no credential and is kept.
pub(crate) fn public(url: &str) -> String {
    let (address, rest) = split(url, &['?', '#']);
    let (query, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let mut public = without_user(address);
    for (mark, options) in [('?', query.strip_prefix('?').unwrap_or(query)), ('#', fragment)] {
        let harmless: Vec<&str> = options.split('&').filter(|option| !is_secret(option)).collect();
        let harmless = harmless.join("&");
        if !harmless.is_empty() {
            public.push(mark);
            public.push_str(&harmless);
        }
    }
    public
}

/// A text that could not be read, for an error about it: without what may be credentials, also if it is no URL. Of
/// `user:password@host` the part before the `@` becomes `…`.
///
/// ```
/// use tagwarden::without_credentials;
/// assert_eq!(without_credentials("ci:hunter2@db.example.com"), "…@db.example.com");
/// assert_eq!(without_credentials("https://h/x?token=hunter2"), "https://h/x");
/// assert_eq!(without_credentials("1.4.2"), "1.4.2");
/// ```
pub fn without_credentials(text: &str) -> String {
    let (before, after) = text.rsplit_once('@').unwrap_or(("", text));
    // A password may have a '/' in it that is not escaped, so the text is hidden up to the last '@'.
    let is_login = before.split_once(':').is_some_and(|(start, _)| !start.contains('/'));
    if is_login { format!("…@{}", public(after)) } else { public(text) }
}

/// A URL without its query and its fragment.
pub(super) fn without_query(url: &str) -> &str {
    split(url, &['?', '#']).0
}

fn without_user(address: &str) -> String {
    let start = address.find("://").map(|at| at + 3);
    let (scheme, rest) = address.split_at_checked(start.unwrap_or(0)).unwrap_or(("", address));
    let (authority, path) = split(rest, &['/']);
    let host = match authority.rsplit_once('@') {
        Some((user, host)) if start.is_some() || user.contains(':') => host,
        _ => authority,
    };
    format!("{scheme}{host}{path}")
}

fn is_secret(option: &str) -> bool {
    let Some((name, _)) = option.split_once('=') else { return false };
    let mut name = name.to_ascii_lowercase();
    name.retain(|char| char.is_ascii_alphanumeric());
    name == "sig" || name == "auth" || SECRET.iter().any(|secret| name.contains(secret))
}

/// Host, without a user, and path, without `.git`, of a repository's URL: `https://host/path`, `ssh://git@host/path` or
/// `git@host:path`.
pub(crate) fn host_and_path(url: &str) -> Option<(&str, &str)> {
    let (host, path) = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?,
        None => url.split_once(':')?,
    };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let path = path.trim_end_matches('/');
    Some((host, path.strip_suffix(".git").unwrap_or(path)))
}

/// The text before the first of these characters, and the rest.
pub(super) fn split<'a>(text: &'a str, at: &[char]) -> (&'a str, &'a str) {
    text.split_at_checked(text.find(at).unwrap_or(text.len())).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_left_out_and_nothing_else() {
        for (url, want) in [
            ("https://u:c4n4ry@h:8443/x?page=1#top", "https://h:8443/x?page=1#top"),
            ("https://c4n4ry@h", "https://h"),
            ("ssh://git:c4n4ry@github.com/acme/shop.git", "ssh://github.com/acme/shop.git"),
            ("u:c4n4ry@h/x", "h/x"),
            ("git@github.com:acme/shop.git", "git@github.com:acme/shop.git"),
            ("https://h/x?token=c4n4ry", "https://h/x"),
            ("https://h/x?a=1&access_token=c4n4ry&b=2", "https://h/x?a=1&b=2"),
            ("https://h/x?X-Amz-Signature=c4n4ry&api-key=c4n4ry#private_token=c4n4ry", "https://h/x"),
            ("https://h/x?tab=1#token-rotation", "https://h/x?tab=1#token-rotation"),
            ("https://h/@ada/7", "https://h/@ada/7"),
            ("/srv/shop", "/srv/shop"),
        ] {
            assert_eq!(public(url), want);
        }
    }

    #[test]
    fn text_of_an_error_shows_no_credentials() {
        for (text, want) in [
            ("u:c4n4ry@h", "…@h"),
            ("~https://u:c4n4ry@h/x", "…@h/x"),
            ("https://u:c4n4ry/c4n4ry@h/x?token=c4n4ry", "…@h/x"),
            ("x?access_token=c4n4ry", "x"),
            ("git@github.com:acme/shop", "git@github.com:acme/shop"),
            ("/srv/a:b@c", "/srv/a:b@c"),
            ("prod@{2h ago}", "prod@{2h ago}"),
            ("reg.io/a@sha256:00", "reg.io/a@sha256:00"),
        ] {
            assert_eq!(without_credentials(text), want);
        }
    }
}
