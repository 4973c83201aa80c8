//! `Digest`: the hash of exact bytes, which is the audit record of what a tag pointed at.

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;

use super::{invalid, serde_text};
use crate::error::{Error, Result, words};

words! {
    /// The hash algorithm of a digest. The OCI image specification registers both; registries must support sha256.
    pub enum Algorithm {
        /// SHA-256: 64 hex digits.
        Sha256 => "sha256",
        /// SHA-512: 128 hex digits.
        Sha512 => "sha512",
    }
}

impl Algorithm {
    /// The digest of `bytes`.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        match self {
            Algorithm::Sha256 => Digest::Sha256(sha2::Sha256::digest(bytes).into()),
            Algorithm::Sha512 => Digest::Sha512(sha2::Sha512::digest(bytes).into()),
        }
    }
}

/// The digest of some bytes, `sha256:<64 hex>` or `sha512:<128 hex>`, lower case (OCI image specification, *Digests*).
///
/// ```
/// use tagwarden::Digest;
/// let digest = Digest::of(b"hello");
/// assert_eq!(digest.to_string(), "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
/// assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
/// assert!(digest.verify(b"hello"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    /// A SHA-256 value.
    Sha256([u8; 32]),
    /// A SHA-512 value.
    Sha512([u8; 64]),
}

impl Digest {
    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        Algorithm::Sha256.digest(bytes)
    }

    /// True if `bytes` have this digest.
    pub fn verify(&self, bytes: &[u8]) -> bool {
        self.algorithm().digest(bytes) == *self
    }

    /// The hash algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Digest::Sha256(_) => Algorithm::Sha256,
            Digest::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The hash value: 32 or 64 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Digest::Sha256(value) => value,
            Digest::Sha512(value) => value,
        }
    }

    /// The first 12 hex digits, for tables that people read. They do not identify a digest.
    pub fn short(&self) -> String {
        self.as_bytes().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The digest that a tag points at, for people; `nothing` for none.
pub(crate) fn or_nothing(digest: Option<Digest>) -> String {
    digest.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string())
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Digest> {
        match text.split_once(':') {
            Some(("sha256", digits)) => decode(digits).map(Digest::Sha256),
            Some(("sha512", digits)) => decode(digits).map(Digest::Sha512),
            Some(_) => Err(invalid("digest", "the algorithm is neither sha256 nor sha512", Some(0))),
            None => Err(invalid("digest", "no ':' after the algorithm", Some(text.len()))),
        }
    }
}

/// The value of exactly `2 * N` lower-case hex digits, which begin at byte 7 of the digest.
fn decode<const N: usize>(digits: &str) -> Result<[u8; N]> {
    let bad = |why: String, at: usize| Err(invalid("digest", why, Some("sha256:".len() + at)));
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if let Some(at) = digits.bytes().take(2 * N).position(|byte| !is_digit(byte)) {
        return bad("not a lower-case hex digit".to_owned(), at);
    }
    if digits.len() < 2 * N {
        return bad(format!("{} hex digits instead of {}", digits.len(), 2 * N), digits.len());
    }
    if digits.len() > 2 * N {
        return bad(format!("more than {} hex digits", 2 * N), 2 * N);
    }
    let mut value = [0; N];
    for (byte, pair) in value.iter_mut().zip(digits.as_bytes().as_chunks::<2>().0) {
        let [high, low] = pair.map(|digit| (digit & 15) + 9 * (digit >> 6));
        *byte = high << 4 | low;
    }
    Ok(value)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(7 + 2 * self.as_bytes().len());
        text.push_str(self.algorithm().as_str());
        text.push(':');
        for byte in self.as_bytes() {
            for nibble in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(nibble.into(), 16));
            }
        }
        f.pad(&text)
    }
}

serde_text!(Digest);

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<Digest>().unwrap_err().to_string()
    }

    #[test]
    fn errors_say_what_why_and_where() {
        let hex = "0".repeat(64);
        assert_eq!(error(""), "digest: no ':' after the algorithm at byte 0");
        assert_eq!(error(&hex), "digest: no ':' after the algorithm at byte 64");
        assert_eq!(error("sha1:00"), "digest: the algorithm is neither sha256 nor sha512 at byte 0");
        assert_eq!(error("sha256:../"), "digest: not a lower-case hex digit at byte 7");
        assert_eq!(error(&format!("sha256:{}G0", &hex[..62])), "digest: not a lower-case hex digit at byte 69");
        assert_eq!(error(&format!("sha256:{}", &hex[..63])), "digest: 63 hex digits instead of 64 at byte 70");
        assert_eq!(error(&format!("sha256:{hex}0")), "digest: more than 64 hex digits at byte 71");
        assert_eq!(error(&format!("sha512:{hex}")), "digest: 64 hex digits instead of 128 at byte 71");
    }

    #[test]
    fn serde_goes_through_the_same_door() {
        let digest = Digest::of(b"");
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        assert!(serde_json::from_str::<Digest>(r#""sha256:AA""#).is_err());
    }
}
