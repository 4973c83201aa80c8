//! Pins: one tag for each digest, which keeps a rollback target alive in the registry.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::value::{Algorithm, Digest, Tag};

const SHA256: &str = "tw-pin.sha256.";
const SHA512: &str = "tw-pin.sha512.";

/// The pin of a digest: `tw-pin.sha256.<64 hex>`, or `tw-pin.sha512.<86 base64url>` (RFC 4648, section 5, without
/// padding). The latter is base64url because 128 hex digits would not fit into the 128 characters of a tag.
///
/// A pin differs from `sha256-<hex>`, which the referrers fallback and cosign use.
///
/// ```
/// use tagwarden::Digest;
/// use tagwarden::registry::{pin_tag, pinned};
/// let pin = pin_tag(&Digest::of(b"hello"));
/// assert_eq!(pin.as_str(), "tw-pin.sha256.2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
/// assert_eq!(pinned(&pin), Some(Digest::of(b"hello")));
/// assert_eq!(pinned(&"1.4.2".parse().unwrap()), None);
/// ```
pub fn pin_tag(digest: &Digest) -> Tag {
    Tag::trusted(match digest.algorithm() {
        Algorithm::Sha256 => digest.to_string().replacen("sha256:", SHA256, 1),
        Algorithm::Sha512 => format!("{SHA512}{}", URL_SAFE_NO_PAD.encode(digest.as_bytes())),
    })
}

/// The digest that a tag pins; none if the tag is not a pin as [`pin_tag`] writes it.
pub fn pinned(tag: &Tag) -> Option<Digest> {
    let digest = match tag.as_str().strip_prefix(SHA512) {
        None => format!("sha256:{}", tag.as_str().strip_prefix(SHA256)?),
        Some(base64) => {
            let value = URL_SAFE_NO_PAD.decode(base64).ok()?;
            format!("sha512:{}", value.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
    };
    digest.parse().ok().filter(|digest| pin_tag(digest) == *tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha512(bytes: &[u8]) -> Digest {
        Algorithm::Sha512.digest(bytes)
    }

    #[test]
    fn every_digest_has_one_pin_that_is_a_tag() {
        for n in 0..200_u32 {
            for digest in [Digest::of(&n.to_be_bytes()), sha512(&n.to_be_bytes())] {
                let pin = pin_tag(&digest);
                assert_eq!(pin.as_str().parse::<Tag>().unwrap(), pin);
                assert_eq!(pinned(&pin), Some(digest));
            }
        }
        assert_eq!(pin_tag(&sha512(b"")).as_str().len(), 14 + 86);
    }

    #[test]
    fn what_only_looks_like_a_pin_is_none() {
        let sha512_pin = pin_tag(&sha512(b"")).to_string();
        let other_bits = format!("{}{}", &sha512_pin[..99], if sha512_pin.ends_with('g') { 'h' } else { 'z' });
        for text in [
            "tw-pin.sha256.".to_owned() + &"0".repeat(63),
            "tw-pin.sha256.".to_owned() + &"A".repeat(64),
            format!("{sha512_pin}A"),
            other_bits,
            format!("sha256-{}", "0".repeat(64)),
            "tw-pin.md5.00".to_owned(),
        ] {
            assert_eq!(pinned(&text.parse().unwrap()), None, "{text}");
        }
    }
}
