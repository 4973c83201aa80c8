//! The address of the next page: the `Link` header (RFC 8288).

use super::cursor::{Cursor, unusable};
use crate::error::Result;

/// The target of the link whose `rel` contains `next`, verbatim (it may be relative); none if there is no such link.
///
/// REGISTRY_UNAVAILABLE with the byte at which the grammar is broken: a malformed header must not count as the last
/// page.
pub(super) fn next(header: &str) -> Result<Option<String>> {
    let mut cursor = Cursor::new("Link", header)?;
    let mut found = None;
    while cursor.next_member() {
        let (target, rel) = link(&mut cursor)?;
        if rel.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next")) {
            if found.as_ref().is_some_and(|known| *known != target) {
                return Err(unusable("Link", "two different next pages"));
            }
            found = Some(target);
        }
    }
    Ok(found)
}

/// One link: its target, and its `rel`, which is empty if there is none. The first `rel` counts (RFC 8288).
fn link(cursor: &mut Cursor<'_>) -> Result<(String, String)> {
    let start = cursor.at();
    if !cursor.take('<') {
        return Err(cursor.broken("no '<' before the target", start));
    }
    let target = cursor.run(|char| char != '>').to_owned();
    if !cursor.take('>') {
        return Err(cursor.broken("no '>' after the target", cursor.at()));
    }
    if target.is_empty() {
        return Err(cursor.broken("the target is empty", start + 1));
    }
    let mut rel = None;
    cursor.spaces();
    while cursor.take(';') {
        cursor.spaces();
        let (name, value) = cursor.parameter()?;
        rel = rel.or((name == "rel").then_some(value));
        cursor.spaces();
    }
    if !cursor.ends() {
        return Err(cursor.broken("no ';' or ',' after a link", cursor.at()));
    }
    Ok((target, rel.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_verbatim() {
        let found = |header: &str| next(header).unwrap();
        assert_eq!(found(r#"</v2/a/tags/list?n=2&last=b>; rel="next""#).unwrap(), "/v2/a/tags/list?n=2&last=b");
        assert_eq!(found("<?last=b>; rel=next").unwrap(), "?last=b");
        assert_eq!(found(r#"<a>; rel="prev", <b>; title="x, y; <z>"; REL="last NEXT""#).unwrap(), "b");
        assert_eq!(found("<https://other/x>;rel=next,").unwrap(), "https://other/x");
        assert_eq!(found(""), None);
        assert_eq!(found("<a>; rel=prev; rel=next"), None, "the first rel counts");
        assert_eq!(found("<a>; crossorigin"), None);
    }

    #[test]
    fn a_header_that_cannot_be_read_is_not_the_last_page() {
        let error = |header: &str| next(header).unwrap_err().to_string();
        assert_eq!(error("/v2/x; rel=next"), "Link: no '<' before the target at byte 0");
        assert_eq!(error("</v2/x; rel=next"), "Link: no '>' after the target at byte 16");
        assert_eq!(error("<>; rel=next"), "Link: the target is empty at byte 1");
        assert_eq!(error("<a> rel=next"), "Link: no ';' or ',' after a link at byte 4");
        assert_eq!(error("<a>; rel=\"next"), "Link: a quoted string has no end; it begins at byte 9");
        assert_eq!(error("<a>; rel=next, <b>; rel=next"), "Link: two different next pages");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[ -~é<>;,\"\\\\]{0,80}") {
            let _ = next(&text);
        }
    }
}
