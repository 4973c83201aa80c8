//! The names of the OCI distribution specification: repository, tag and reference.
//!
//! Names are ASCII. There is no default host and no default tag, and each thing has one spelling.

use std::str::FromStr;

use super::{Digest, invalid, parse_name, serde_text, text_value};
use crate::error::{Error, Result};

/// A repository with its registry: `host[:port]/path`, at most 255 bytes.
///
/// - The host is lower case and has a dot, a port, or is `localhost`; it is never left out.
/// - Ports 80 and 443 are never written: they are the defaults of `http` and `https`.
/// - The path is one or more components `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` separated by `/`
///   (OCI distribution specification, *Pulling manifests*).
///
/// ```
/// use tagwarden::Repository;
/// let repository: Repository = "registry.example.com:5000/acme/shop".parse().unwrap();
/// assert_eq!((repository.registry(), repository.path()), ("registry.example.com:5000", "acme/shop"));
/// assert!("app".parse::<Repository>().is_err(), "no default host");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository(Box<str>);

impl Repository {
    /// `host` or `host:port`.
    pub fn registry(&self) -> &str {
        self.0.split_once('/').map_or("", |(registry, _)| registry)
    }

    /// The repository's name inside the registry.
    pub fn path(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, path)| path)
    }

    /// The reference of `tag` in this repository.
    pub fn tag(&self, tag: Tag) -> Reference {
        Reference { repository: self.clone(), target: Target::Tag(tag) }
    }

    /// The reference of `digest` in this repository.
    pub fn digest(&self, digest: Digest) -> Reference {
        Reference { repository: self.clone(), target: Target::Digest(digest) }
    }
}

impl FromStr for Repository {
    type Err = Error;

    fn from_str(text: &str) -> Result<Repository> {
        const MAX: usize = 255;
        let what = "repository";
        if text.len() > MAX {
            return Err(invalid(what, format!("{} bytes, the most is {MAX}", text.len()), None));
        }
        check_no_scheme(text)?;
        let Some((host, path)) = text.split_once('/') else {
            return Err(invalid(what, "no '/' after the registry's host", Some(text.len())));
        };
        check_host(host)?;
        let mut at = host.len() + 1;
        for component in path.split('/') {
            check_component(component, at)?;
            at += component.len() + 1;
        }
        Ok(Repository(text.into()))
    }
}

/// The text may have a user and a password, so only the scheme is shown.
fn check_no_scheme(text: &str) -> Result<()> {
    let Some((scheme, _)) = text.split_once("://") else { return Ok(()) };
    let scheme = match scheme {
        scheme if !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => scheme,
        _ => "",
    };
    let plain = if scheme == "http" { "; for plain HTTP give --insecure HOST" } else { "" };
    let why = format!("{scheme}:// is not part of a name: begin with the registry's host{plain}");
    Err(invalid("repository", why, None))
}

fn check_host(host: &str) -> Result<()> {
    let bad = |why: &str, at: usize| Err(invalid("repository", why, Some(at)));
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' => {}
            b'A'..=b'Z' => return bad("the host is written in lower case", at),
            b'[' => return bad("an IPv6 address cannot be a host here; give it a name", at),
            _ => return bad("not a host character (a-z, 0-9, '.', '-')", at),
        }
    }
    if name.split('.').any(|label| label.is_empty() || label.starts_with('-') || label.ends_with('-')) {
        return bad("the host is not a host name", 0);
    }
    match port {
        None if name.contains('.') || name == "localhost" => Ok(()),
        None => bad(&format!("\"{name}\" is not a registry's host; no default host is assumed"), 0),
        Some("80" | "443") => bad("ports 80 and 443 are never written; leave the port out", name.len()),
        Some(port) if port.parse::<u16>().is_ok_and(|n| n > 0 && n.to_string() == port) => Ok(()),
        Some(_) => bad("the port is not a number from 1 to 65535", name.len() + 1),
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, which begins at byte `start` of the repository.
fn check_component(component: &str, start: usize) -> Result<()> {
    let bad = |why: &str, at: usize| Err(invalid("repository", why, Some(start + at)));
    if component.is_empty() {
        return bad("a component of the path is empty", 0);
    }
    // The end of the letters and digits so far: a separator begins there.
    let mut end = 0;
    for (at, char) in component.char_indices() {
        match char {
            'a'..='z' | '0'..='9' => {
                let separator = component.get(end..at).unwrap_or_default();
                let fits = matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-');
                if !fits || (end == 0 && at > 0) {
                    return bad("a separator stands alone or is doubled", end);
                }
                end = at + 1;
            }
            '.' | '_' | '-' => {}
            'A'..='Z' => return bad("the path is lower case", at),
            _ => return bad("not a path character (a-z, 0-9, '.', '_', '-')", at),
        }
    }
    if component.len() == end { Ok(()) } else { bad("a component ends in a separator", end) }
}

text_value!(Repository);

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (OCI distribution specification).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Box<str>);

impl Tag {
    /// The tag `text`, which this crate made and which must follow the grammar.
    pub(crate) fn trusted(text: String) -> Tag {
        debug_assert!(text.parse::<Tag>().is_ok(), "{text}");
        Tag(text.into())
    }
}

impl FromStr for Tag {
    type Err = Error;

    fn from_str(text: &str) -> Result<Tag> {
        let flaw = |at, char| match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => None,
            '.' | '-' if at > 0 => None,
            '.' | '-' => Some(format!("it begins with '{char}'")),
            _ => Some("not a tag character (a-z, A-Z, 0-9, '_', '.', '-')".to_owned()),
        };
        parse_name("tag", text, 128, flaw).map(Tag)
    }
}

text_value!(Tag);

/// The part of a reference that selects the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A tag, which may move.
    Tag(Tag),
    /// A digest, which cannot move.
    Digest(Digest),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Tag(tag) => tag.fmt(f),
            Target::Digest(digest) => digest.fmt(f),
        }
    }
}

/// The name of one manifest: `repository:tag` or `repository@digest`. It never has both, so that it can be read in only
/// one way.
///
/// ```
/// use tagwarden::Reference;
/// let reference: Reference = "registry.example.com/acme/shop:1.4.2".parse().unwrap();
/// assert_eq!(reference.repository().path(), "acme/shop");
/// assert!("registry.example.com/acme/shop".parse::<Reference>().is_err(), "no default tag");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    repository: Repository,
    target: Target,
}

impl Reference {
    /// The repository of the manifest.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag or digest.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The tag; none if the manifest is named by its digest.
    pub(crate) fn tag(&self) -> Option<&Tag> {
        match &self.target {
            Target::Tag(tag) => Some(tag),
            Target::Digest(_) => None,
        }
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Reference> {
        check_no_scheme(text)?;
        if let Some((repository, digest)) = text.split_once('@') {
            if repository.rsplit_once('/').is_some_and(|(_, last)| last.contains(':')) {
                let why = "a tag and a digest together; name one of them";
                return Err(invalid("reference", why, Some(repository.len())));
            }
            let repository = repository.parse()?;
            let digest = digest.parse::<Digest>().map_err(|e| invalid("reference", e, None))?;
            return Ok(Reference { repository, target: Target::Digest(digest) });
        }
        let slash = text.rfind('/').unwrap_or(0);
        let colon = text.get(slash..).and_then(|last| last.find(':')).map(|at| slash + at);
        let Some((repository, tag)) = colon.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?))) else {
            // If the repository is invalid too, its own error is more precise.
            text.parse::<Repository>()?;
            return Err(invalid("reference", "no tag and no digest; no default is assumed", Some(text.len())));
        };
        Ok(Reference { repository: repository.parse()?, target: Target::Tag(tag.parse()?) })
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.target {
            Target::Tag(tag) => write!(f, "{}:{tag}", self.repository),
            Target::Digest(digest) => write!(f, "{}@{digest}", self.repository),
        }
    }
}

serde_text!(Reference);

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(text: &str) -> String {
        text.parse::<Repository>().unwrap_err().to_string()
    }

    fn reference(text: &str) -> String {
        text.parse::<Reference>().unwrap_err().to_string()
    }

    #[test]
    fn what_is_good_comes_back_as_it_was() {
        for text in [
            "localhost/a",
            "127.0.0.1:5000/acme/shop",
            "registry.example.com/a.b/c_d/e__f/g---h/0",
            "xn--nxasmq6b.example/app",
        ] {
            assert_eq!(text.parse::<Repository>().unwrap().to_string(), text);
            let digest = Digest::of(b"x");
            for reference in [format!("{text}:v1.0_-"), format!("{text}@{digest}")] {
                assert_eq!(reference.parse::<Reference>().unwrap().to_string(), reference);
            }
        }
    }

    #[test]
    fn repository_errors_say_what_why_and_where() {
        assert_eq!(repository("app"), "repository: no '/' after the registry's host at byte 3");
        assert_eq!(
            repository("acme/app"),
            "repository: \"acme\" is not a registry's host; no default host is assumed at byte 0"
        );
        assert_eq!(repository("Reg.io/a"), "repository: the host is written in lower case at byte 0");
        assert_eq!(
            repository("reg.io:443/a"),
            "repository: ports 80 and 443 are never written; leave the port out at byte 6"
        );
        assert_eq!(repository("reg.io:05/a"), "repository: the port is not a number from 1 to 65535 at byte 7");
        for (scheme, plain) in
            [("https", ""), ("docker", ""), ("http", "; for plain HTTP give --insecure HOST"), ("", "")]
        {
            let want = format!("repository: {scheme}:// is not part of a name: begin with the registry's host{plain}");
            for name in ["reg.io/a", "ci:canary@reg.io/a"] {
                assert_eq!(repository(&format!("{scheme}://{name}")), want);
                assert_eq!(reference(&format!("{scheme}://{name}:prod")), want);
            }
        }
        assert_eq!(repository("reg..io/a"), "repository: the host is not a host name at byte 0");
        assert_eq!(repository("reg.io/a//b"), "repository: a component of the path is empty at byte 9");
        assert_eq!(repository("reg.io/a/../b"), "repository: a component ends in a separator at byte 9");
        assert_eq!(repository("reg.io/a___b"), "repository: a separator stands alone or is doubled at byte 8");
        assert_eq!(repository("reg.io/-a"), "repository: a separator stands alone or is doubled at byte 7");
        assert_eq!(repository("reg.io/äpp"), "repository: not a path character (a-z, 0-9, '.', '_', '-') at byte 7");
        assert_eq!(repository(&format!("reg.io/{}", "a".repeat(249))), "repository: 256 bytes, the most is 255");
    }

    #[test]
    fn reference_errors_say_what_why_and_where() {
        assert_eq!(reference("reg.io/app"), "reference: no tag and no digest; no default is assumed at byte 10");
        assert_eq!(reference("reg.io/app:prød"), "tag: not a tag character (a-z, A-Z, 0-9, '_', '.', '-') at byte 2");
        assert_eq!(reference("reg.io/app:.x"), "tag: it begins with '.' at byte 0");
        assert_eq!(reference("reg.io/app:"), "tag: it is empty at byte 0");
        assert_eq!(reference(&format!("reg.io/app:{}", "x".repeat(129))), "tag: 129 bytes, the most is 128");
        assert_eq!(
            reference(&format!("reg.io/app:v1@{}", Digest::of(b""))),
            "reference: a tag and a digest together; name one of them at byte 13"
        );
        assert_eq!(reference("reg.io/app@sha256:zz"), "reference: digest: not a lower-case hex digit at byte 7");
    }
}
