//! `ImmutableTags`: the tags that a put may not move.

use tagwarden::Tag;

/// The tags that are immutable once they exist.
#[derive(Clone, Debug, Default)]
pub(super) struct ImmutableTags {
    /// Patterns of tags.
    pub(super) matching: Vec<String>,
    /// Patterns of tags that are mutable all the same.
    pub(super) excluding: Vec<String>,
}

impl ImmutableTags {
    pub(super) fn include(&self, tag: &Tag) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern, tag.as_str()));
        any(&self.matching) && !any(&self.excluding)
    }
}

/// True if the pattern fits the whole tag. A `*` stands for any characters, or none.
fn fits(pattern: &str, tag: &str) -> bool {
    let mut parts: Vec<&str> = pattern.split('*').collect();
    let Some(last) = parts.pop() else { return false };
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return tag == last };
    let Some(mut rest) = tag.strip_prefix(first) else { return false };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_fits_the_whole_tag() {
        for (pattern, tag, expected) in [
            ("prod", "prod", true),
            ("prod", "prod-eu", false),
            ("*", "prod", true),
            ("1.*", "1.4.2", true),
            ("1.*", "11.4", false),
            ("*-eu", "prod-eu", true),
            ("*-eu", "prod-eu-1", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("aa*a", "aa", false),
            ("", "prod", false),
        ] {
            assert_eq!(fits(pattern, tag), expected, "{pattern} {tag}");
        }
    }
}
