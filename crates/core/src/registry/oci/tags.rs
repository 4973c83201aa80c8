//! Lists tags, page by page.

use std::collections::BTreeSet;

use reqwest::header::LINK;
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use tokio::time::Instant;

use super::answer::Answer;
use super::endpoint::Endpoint;
use super::http::{Http, Read};
use super::link;
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

/// Every tag of a repository; none if the repository is proven absent. Without `end`, each page has its own deadline.
pub(super) async fn listed(endpoint: &Endpoint<'_>, end: Option<Instant>) -> Result<Option<BTreeSet<Tag>>> {
    let mut url = endpoint.url(&format!("tags/list?n={PAGE}"))?;
    let mut seen = BTreeSet::new();
    let mut tags = BTreeSet::new();
    loop {
        if !seen.insert(url.clone()) || seen.len() > MAX_PAGES {
            return Err(unusable(format!("page {} was listed before, or there is no end", seen.len())));
        }
        let mut answer = page(endpoint, &url, end).await?;
        if seen.len() == 1 && answer.status == StatusCode::BAD_REQUEST {
            // The registry refused this page size (PAGINATION_NUMBER_INVALID), so let it choose one.
            url = endpoint.url("tags/list")?;
            answer = page(endpoint, &url, end).await?;
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

async fn page(endpoint: &Endpoint<'_>, url: &Url, end: Option<Instant>) -> Result<Answer> {
    let mut read = Read { endpoint, method: Method::GET, url: url.clone(), accept: "*/*", limit: Some(MAX_PAGE_BYTES) };
    read.answer(end.unwrap_or_else(|| endpoint.http.deadline())).await
}

fn tags_of(answer: &Answer) -> Result<Vec<Tag>> {
    #[derive(Deserialize)]
    struct List {
        // `tags` is null or missing if there are none.
        tags: Option<Vec<String>>,
    }
    let list: List =
        serde_json::from_slice(&answer.body).map_err(|e| unusable(format!("it is not JSON of a list: {e}")))?;
    let parse = |tag: String| tag.parse().map_err(|e| unusable(format!("it names what is no tag: {e}")));
    list.tags.unwrap_or_default().into_iter().map(parse).collect()
}

fn next(answer: &Answer) -> Result<Option<String>> {
    let mut next = None;
    for value in answer.headers.get_all(LINK) {
        let text = value.to_str().map_err(|_| unusable("its Link has characters beyond ASCII"))?;
        next = next.or(link::next(text)?);
    }
    Ok(next)
}

fn unusable(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::RegistryUnavailable, format!("the tag list cannot be used: {why}"))
}
