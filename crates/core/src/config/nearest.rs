//! The nearest known name, for an error about an unknown one.

/// The reason of an error about an unknown name: ``unknown key `leger`; did you mean `ledger`?``. If no known name is
/// near, it lists them all.
///
/// The name itself is shown only if it is a plain word: a ledger's URL in its place may have a password.
pub(super) fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let plain = name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let known: Vec<&str> = known.collect();
    let all = || known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if !plain {
        return format!("unknown {what}; known are {}", all());
    }
    let nearest = known.iter().map(|known| (distance(name, known), *known)).min();
    match nearest.filter(|(distance, nearest)| *distance <= (nearest.len() / 3).max(1)) {
        Some((_, nearest)) => format!("unknown {what} `{name}`; did you mean `{nearest}`?"),
        None => format!("unknown {what} `{name}`; known are {}", all()),
    }
}

/// The number of characters to insert, remove or replace, to make one text the other (Levenshtein distance).
fn distance(one: &str, other: &str) -> usize {
    let mut above: Vec<usize> = (0..=other.chars().count()).collect();
    for (at, left) in one.chars().enumerate() {
        let mut last = at + 1;
        let mut row = vec![last];
        for ((diagonal, above), right) in above.iter().zip(above.iter().skip(1)).zip(other.chars()) {
            let replaced = diagonal + usize::from(left != right);
            last = replaced.min(above + 1).min(last + 1);
            row.push(last);
        }
        above = row;
    }
    above.last().copied().unwrap_or_default()
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

    #[test]
    fn distance_counts_changed_characters() {
        for (one, other, changes) in [("", "", 0), ("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3)] {
            assert_eq!((distance(one, other), distance(other, one)), (changes, changes), "{one} {other}");
        }
    }
}
