//! The nearest known name, for a message about an unknown one.

use similar::get_close_matches;

/// The part of the characters that a near name has in common with the unknown one, from 0 to 1. Two letters of three
/// count as near: `dve` is likely to mean `dev`.
const NEAR: f32 = 0.65;

/// The known name that is nearest to `name`; none if no known name is near.
pub(crate) fn nearest<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    get_close_matches(name, known, 1, NEAR).first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_name_gets_the_nearest_known_one_or_none() {
        let known = ["prod", "preprod", "dev"];
        for (name, near) in [
            ("prdo", Some("prod")),
            ("prd", Some("prod")),
            ("dve", Some("dev")),
            ("pre-prod", Some("preprod")),
            ("qa", None),
            ("canary", None),
        ] {
            assert_eq!(nearest(name, &known), near, "{name}");
        }
    }
}
