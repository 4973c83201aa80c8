//! `Digest`: the hash of exact bytes, which is the audit record of what a tag pointed at.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::{JsonText, invalid};
use crate::error::{Error, Result};

/// The hash algorithm of a digest. The OCI image specification registers both; registries must support sha256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256: 64 hex digits.
    Sha256,
    /// SHA-512: 128 hex digits.
    Sha512,
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
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "JsonText<'de>", into = "String")]
pub struct Digest(Bytes);

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Bytes {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

impl Digest {
    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Bytes::Sha256(sha2::Sha256::digest(bytes).into()))
    }

    /// The digest with this SHA-256 value.
    pub fn from_sha256(value: [u8; 32]) -> Digest {
        Digest(Bytes::Sha256(value))
    }

    /// True if `bytes` have this digest.
    pub fn verify(&self, bytes: &[u8]) -> bool {
        let mut hasher = Hasher::new(self.algorithm());
        hasher.update(bytes);
        hasher.finish() == *self
    }

    /// The hash algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Bytes::Sha256(_) => Algorithm::Sha256,
            Bytes::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The hash value: 32 or 64 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Sha256(value) => value,
            Bytes::Sha512(value) => value,
        }
    }

    /// The first 12 hex digits, for tables that people read. They do not identify a digest.
    pub fn short(&self) -> String {
        self.as_bytes().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Computes a digest over bytes that arrive in parts.
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// A hasher that has read no bytes yet.
    pub fn new(algorithm: Algorithm) -> Hasher {
        Hasher(match algorithm {
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => State::Sha512(sha2::Sha512::new()),
        })
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of all bytes added.
    pub fn finish(self) -> Digest {
        Digest(match self.0 {
            State::Sha256(state) => Bytes::Sha256(state.finalize().into()),
            State::Sha512(state) => Bytes::Sha512(state.finalize().into()),
        })
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Digest> {
        if let Some(digits) = text.strip_prefix("sha256:") {
            return Ok(Digest(Bytes::Sha256(decode(digits)?)));
        }
        let Some((algorithm, hex)) = text.split_once(':') else {
            return Err(invalid("digest", "no ':' after the algorithm", Some(text.len())));
        };
        match algorithm {
            "sha512" => Ok(Digest(Bytes::Sha512(decode(hex)?))),
            _ => Err(invalid("digest", "the algorithm is neither sha256 nor sha512", Some(0))),
        }
    }
}

/// The value of exactly `2 * N` lower-case hex digits, where `N` is at most 64; none for any other text.
pub(crate) fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.len() != 2 * N {
        return None;
    }
    // The two loops have no branches, so that the compiler can use SIMD instructions.
    let mut nibbles = [0; 128];
    let mut bad = 0;
    for (nibble, c) in nibbles.iter_mut().zip(digits) {
        bad |= u8::from((c.wrapping_sub(b'0') >= 10) & (c.wrapping_sub(b'a') >= 6));
        *nibble = (c & 15) + 9 * (c >> 6);
    }
    let mut value = [0; N];
    for (byte, pair) in value.iter_mut().zip(nibbles.as_chunks::<2>().0) {
        let pair = u16::from_be_bytes(*pair);
        *byte = (pair >> 4 | pair) as u8;
    }
    (bad == 0).then_some(value)
}

/// The value of exactly `2 * N` lower-case hex digits. In errors, the digits begin at byte 7 of the digest.
fn decode<const N: usize>(digits: &str) -> Result<[u8; N]> {
    hex(digits.as_bytes()).ok_or_else(|| why_not::<N>(digits))
}

/// The error of digits that cannot be decoded.
fn why_not<const N: usize>(hex: &str) -> Error {
    const START: usize = "sha256:".len();
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match hex.bytes().take(2 * N).position(|byte| !digit(byte)) {
        Some(at) => invalid("digest", "not a lower-case hex digit", Some(START + at)),
        None if hex.len() < 2 * N => {
            let why = format!("{} hex digits instead of {}", hex.len(), 2 * N);
            invalid("digest", why, Some(START + hex.len()))
        }
        None => invalid("digest", format!("more than {} hex digits", 2 * N), Some(START + 2 * N)),
    }
}

impl TryFrom<JsonText<'_>> for Digest {
    type Error = Error;
    fn try_from(text: JsonText<'_>) -> Result<Digest> {
        text.0.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        let mut text = String::with_capacity(7 + 2 * self.as_bytes().len());
        text.push_str(match self.algorithm() {
            Algorithm::Sha256 => "sha256:",
            Algorithm::Sha512 => "sha512:",
        });
        for byte in self.as_bytes() {
            for nibble in [byte >> 4, byte & 15] {
                text.extend(HEX.get(usize::from(nibble)));
            }
        }
        f.pad(&text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

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
