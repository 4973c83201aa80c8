//! Names as people write them; a ledger stores one spelling of each.

use std::str::FromStr;

use serde::Deserialize;

use super::{Digest, Reference, Repository, Tag, invalid, serde_text};
use crate::error::{Error, Result};

/// A channel, a reference or a repository as people write it. A prefix `oci://`, as Flux and Helm write it, is dropped.
///
/// Use it for input from people only: a ledger stores the name without the prefix, and reads it from the log in that
/// one spelling.
///
/// ```
/// use tagwarden::{AsWritten, Channel};
/// let AsWritten(prod) = "oci://registry.example.com/acme/shop:prod".parse::<AsWritten<Channel>>()?;
/// assert_eq!(prod.to_string(), "registry.example.com/acme/shop:prod");
/// # Ok::<(), tagwarden::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String", bound = "T: FromStr<Err = Error>")]
pub struct AsWritten<T>(pub T);

impl<T: FromStr<Err = Error>> FromStr for AsWritten<T> {
    type Err = Error;

    fn from_str(text: &str) -> Result<AsWritten<T>> {
        text.strip_prefix("oci://").unwrap_or(text).parse().map(AsWritten)
    }
}

impl<T: FromStr<Err = Error>> TryFrom<String> for AsWritten<T> {
    type Error = Error;

    fn try_from(text: String) -> Result<AsWritten<T>> {
        text.parse()
    }
}

/// A release as people name it: by its tag, by its digest, or by both, `HOST/REPOSITORY:TAG@DIGEST`, as ko and skaffold
/// write it. If both are given, the digest is promoted and the tag is for people only.
///
/// ```
/// use tagwarden::ReleaseName;
/// let digest = format!("sha256:{}", "0".repeat(64));
/// let name: ReleaseName = format!("oci://registry.example.com/acme/shop:1.4.2@{digest}").parse()?;
/// assert_eq!(name.reference.to_string(), format!("registry.example.com/acme/shop@{digest}"));
/// assert_eq!(name.tag.unwrap().as_str(), "1.4.2");
/// # Ok::<(), tagwarden::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ReleaseName {
    /// The reference that is promoted: a tag or a digest.
    pub reference: Reference,
    /// The tag that was written before the digest.
    pub tag: Option<Tag>,
}

impl FromStr for ReleaseName {
    type Err = Error;

    fn from_str(text: &str) -> Result<ReleaseName> {
        let text = text.strip_prefix("oci://").unwrap_or(text);
        let tagged = text.split_once('@').and_then(|(name, digest)| Some((name.rsplit_once(':')?, digest)));
        match tagged {
            // If a '/' follows the colon, the colon belongs to a port.
            Some(((repository, tag), digest)) if !tag.contains('/') => {
                let repository: Repository = repository.parse()?;
                let digest = digest.parse::<Digest>().map_err(|e| invalid("reference", e, None))?;
                Ok(ReleaseName { reference: repository.digest(digest), tag: Some(tag.parse()?) })
            }
            _ => Ok(ReleaseName { reference: text.parse()?, tag: None }),
        }
    }
}

impl From<Reference> for ReleaseName {
    fn from(reference: Reference) -> ReleaseName {
        ReleaseName { reference, tag: None }
    }
}

impl std::fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.tag {
            Some(tag) => write!(f, "{}:{tag}@{}", self.reference.repository(), self.reference.target()),
            None => self.reference.fmt(f),
        }
    }
}

serde_text!(ReleaseName);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Channel;

    const DIGEST: &str = "sha256:0aca8b7f1c2a25556ae7a5c4059c4610beeee84aaa65d298faff4549293c1e75";

    #[test]
    fn scheme_before_a_name_is_dropped_once_where_people_write_it() {
        let written = |text: &str| text.parse::<AsWritten<Channel>>().map(|AsWritten(channel)| channel.to_string());
        assert_eq!(written("oci://reg.io/a:prod").unwrap(), "reg.io/a:prod");
        assert_eq!(written("reg.io/a:prod").unwrap(), "reg.io/a:prod");
        assert!(written("oci://oci://reg.io/a:prod").is_err());
        assert!(written("https://reg.io/a:prod").is_err());
        let repository: AsWritten<Repository> = serde_json::from_str(r#""oci://reg.io/a""#).unwrap();
        assert_eq!(repository.0.as_str(), "reg.io/a");
        assert!("oci://reg.io/a:prod".parse::<Channel>().is_err(), "a ledger has one spelling");
        assert!(serde_json::from_str::<Reference>(r#""oci://reg.io/a:1""#).is_err(), "a ledger has one spelling");
    }

    #[test]
    fn release_named_by_tag_and_digest_is_its_digest() {
        for (text, reference, tag) in [
            (format!("reg.io/a:1.4.2@{DIGEST}"), format!("reg.io/a@{DIGEST}"), Some("1.4.2")),
            (format!("oci://reg.io:5000/a:1@{DIGEST}"), format!("reg.io:5000/a@{DIGEST}"), Some("1")),
            (format!("reg.io:5000/a@{DIGEST}"), format!("reg.io:5000/a@{DIGEST}"), None),
            (format!("reg.io/a@{DIGEST}"), format!("reg.io/a@{DIGEST}"), None),
            ("oci://reg.io:5000/a:1".to_owned(), "reg.io:5000/a:1".to_owned(), None),
        ] {
            let name: ReleaseName = text.parse().unwrap();
            assert_eq!(name.reference.to_string(), reference);
            assert_eq!(name.tag.as_ref().map(Tag::as_str), tag);
            assert_eq!(name.to_string(), text.trim_start_matches("oci://"));
        }
    }

    #[test]
    fn errors_say_what_and_why() {
        let error = |text: &str| text.parse::<ReleaseName>().unwrap_err().to_string();
        assert_eq!(error("reg.io/a:1@sha256:zz"), "reference: digest: not a lower-case hex digit at byte 7");
        assert_eq!(error(&format!("reg.io/a:.x@{DIGEST}")), "tag: it begins with '.' at byte 0");
        assert_eq!(error(&format!("a:1@{DIGEST}")), "repository: no '/' after the registry's host at byte 1");
    }
}
