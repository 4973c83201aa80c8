//! Lists tags, page by page: each page names the next one in its `Link` header (RFC 8288).

use std::collections::BTreeSet;

use reqwest::header::LINK;
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use super::answer::Answer;
use super::attempts::CallTime;
use super::cursor::{self, Cursor, Unquoted};
use super::endpoint::Endpoint;
use super::get::Read;
use super::http::Http;
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Repository, Tag};

/// The number of tags that a page is requested to have. A registry may send fewer, or all of them at once.
const PAGE: usize = 1000;
/// The longest page that is read, in bytes: some registries send all tags in one page, and a tag has at most 128 bytes.
const MAX_PAGE_BYTES: usize = 32 * 1024 * 1024;
/// The largest numbers of pages and of tags that are read.
const MAX_PAGES: usize = 10_000;
const MAX_TAGS: usize = 1_000_000;

/// Every tag of a repository, each once. `Link` targets are followed as given; credentials are sent only to the
/// registry.
pub(super) async fn list(http: &Http, repository: &Repository) -> Result<Vec<Tag>> {
    let listed = listed(&Endpoint::of(http, repository)?, None).await?;
    Ok(listed.into_iter().flatten().collect())
}

/// Every tag of a repository; none if the repository is proven absent. Without `time`, each page has its own time.
pub(super) async fn listed(endpoint: &Endpoint<'_>, time: Option<CallTime>) -> Result<Option<BTreeSet<Tag>>> {
    let mut url = endpoint.url(&format!("tags/list?n={PAGE}"))?;
    let mut seen = BTreeSet::new();
    let mut tags = BTreeSet::new();
    loop {
        if !seen.insert(url.clone()) || seen.len() > MAX_PAGES {
            return Err(unusable(format!("page {} was listed before, or there are too many", seen.len())));
        }
        let mut answer = page(endpoint, &url, time).await?;
        if seen.len() == 1 && answer.status == StatusCode::BAD_REQUEST {
            // The registry refused this page size (PAGINATION_NUMBER_INVALID), so let it choose one.
            url = endpoint.url("tags/list")?;
            answer = page(endpoint, &url, time).await?;
        }
        match answer.status {
            StatusCode::OK => tags.extend(tags_of(&answer)?),
            // Only a 404 on page 1 proves that the repository does not exist.
            _ if seen.len() == 1 && answer.proves_absence(&["NAME_UNKNOWN", "NOT_FOUND"]) => return Ok(None),
            _ => return Err(answer.unusable(&endpoint.http.secrets())),
        }
        if tags.len() > MAX_TAGS {
            return Err(unusable(format!("more than {MAX_TAGS} tags")));
        }
        let Some(target) = next(&answer)? else { return Ok(Some(tags)) };
        let following = url.join(&target).map_err(|e| unusable(format!("its Link is not a URL: {e}")))?;
        url = endpoint.allowed(&url, following).await?;
    }
}

async fn page(endpoint: &Endpoint<'_>, url: &Url, time: Option<CallTime>) -> Result<Answer> {
    let mut read = Read { endpoint, method: Method::GET, url: url.clone(), accept: "*/*", limit: Some(MAX_PAGE_BYTES) };
    read.answer(time.unwrap_or_else(|| endpoint.time(endpoint.http.options.total_timeout))).await
}

fn tags_of(answer: &Answer) -> Result<Vec<Tag>> {
    #[derive(Deserialize)]
    struct List {
        // `tags` is null or missing if there are none.
        tags: Option<Vec<String>>,
    }
    let list: List =
        serde_json::from_slice(&answer.body).map_err(|e| unusable(format!("it is not JSON of a list: {e}")))?;
    let parse = |tag: String| tag.parse().map_err(|e| unusable(format!("it has an invalid tag: {e}")));
    list.tags.unwrap_or_default().into_iter().map(parse).collect()
}

fn next(answer: &Answer) -> Result<Option<String>> {
    let mut next = None;
    for value in answer.headers.get_all(LINK) {
        let text = value.to_str().map_err(|_| unusable("its Link has characters beyond ASCII"))?;
        next = next.or(next_page(text)?);
    }
    Ok(next)
}

fn unusable(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::RegistryUnavailable, format!("the tag list cannot be used: {why}"))
}

/// The target of the link whose `rel` contains `next`, verbatim (it may be relative); none if there is no such link.
///
/// REGISTRY_UNAVAILABLE with the byte at which the grammar is broken: a malformed header must not count as the last
/// page.
pub(super) fn next_page(header: &str) -> Result<Option<String>> {
    let mut cursor = Cursor::new("Link", header)?;
    let mut found = None;
    while cursor.next_member() {
        let (target, rel) = link(&mut cursor)?;
        if rel.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next")) {
            if found.as_ref().is_some_and(|known| *known != target) {
                return Err(cursor::unusable("Link", "two different next pages"));
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
    while cursor.take(';') {
        cursor.spaces();
        let (name, value) = cursor.parameter(Unquoted::Token)?;
        rel = rel.or((name == "rel").then_some(value));
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
        let found = |header: &str| next_page(header).unwrap();
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
        let error = |header: &str| next_page(header).unwrap_err().to_string();
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
            let _ = next_page(&text);
        }
    }
}
