//! The nearest known name, for an error about an unknown one.

use crate::value::{joined, nearest};

/// The reason of an error about an unknown name: ``unknown key `leger`; did you mean `ledger`?``. If no known name is
/// near, it lists them all.
///
/// The name itself is shown only if it is a plain word: a ledger's URL in its place may have a password.
pub(super) fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let plain = name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let known: Vec<&str> = known.collect();
    let all = || joined(known.iter().map(|name| format!("`{name}`")), ", ");
    if !plain {
        return format!("unknown {what}; known are {}", all());
    }
    match nearest(name, &known) {
        Some(nearest) => format!("unknown {what} `{name}`; did you mean `{nearest}`?"),
        None => format!("unknown {what} `{name}`; known are {}", all()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_name_gets_the_nearest_known_one_or_all() {
        let said = |name: &str| unknown("key", name, ["ledger", "pipeline", "by"].into_iter());
        assert_eq!(said("leger"), "unknown key `leger`; did you mean `ledger`?");
        assert_eq!(said("pipelines"), "unknown key `pipelines`; did you mean `pipeline`?");
        assert_eq!(said("bye"), "unknown key `bye`; did you mean `by`?");
        assert_eq!(said("soak"), "unknown key `soak`; known are `ledger`, `pipeline`, `by`");
        assert_eq!(said("postgres://ci:canary@h"), "unknown key; known are `ledger`, `pipeline`, `by`");
    }
}
