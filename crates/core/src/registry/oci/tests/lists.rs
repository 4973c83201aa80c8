//! Tag lists.

use super::super::script::{refusal, reply};
use super::*;
use crate::error::ErrorKind;

async fn tags(script: &Script) -> Result<Vec<String>> {
    let tags = registry(options()).tags(&repository(script)).await?;
    Ok(tags.iter().map(Tag::to_string).collect())
}

fn page(link: Option<&str>, tags: &str) -> super::super::script::Reply {
    let headers: Vec<(&str, &str)> = link.iter().map(|link| ("link", *link)).collect();
    reply(200, &headers, format!(r#"{{"name":"acme/shop","tags":{tags}}}"#))
}

#[tokio::test]
async fn pages_are_followed_by_relative_and_absolute_links() {
    let script = Script::start(|request, number| match number {
        0 => page(Some("</v2/acme/shop/tags/list?n=2&last=b>; rel=\"next\""), r#"["b","a"]"#),
        1 => page(Some("<?last=c>; rel=next"), r#"["c","b"]"#),
        2 => {
            let absolute =
                format!("<http://{}/v2/acme/shop/tags/list?last=d>; rel=next", request.header("host").unwrap());
            page(Some(&absolute), "null")
        }
        _ => page(None, r#"["d"]"#),
    })
    .await;
    assert_eq!(tags(&script).await.unwrap(), ["a", "b", "c", "d"]);
    let list = "GET /v2/acme/shop/tags/list";
    let want = ["?n=1000", "?n=2&last=b", "?last=c", "?last=d"].map(|query| format!("{list}{query}"));
    assert_eq!(script.lines(), want);
}

#[tokio::test]
async fn no_tags_and_no_repository_are_empty_lists() {
    for body in [r#"{"tags":null}"#, r#"{"tags":[]}"#, "{}"] {
        let script = Script::start(move |_, _| reply(200, &[], body)).await;
        assert_eq!(tags(&script).await.unwrap(), [""; 0], "{body}");
    }
    let script = Script::start(|_, _| refusal(404, "NAME_UNKNOWN")).await;
    assert_eq!(tags(&script).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn page_size_that_is_refused_is_left_out() {
    let script = Script::start(|request, _| match request.is("GET /v2/acme/shop/tags/list?n=") {
        true => refusal(400, "PAGINATION_NUMBER_INVALID"),
        false => page(None, r#"["a"]"#),
    })
    .await;
    assert_eq!(tags(&script).await.unwrap(), ["a"]);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_whole_is_an_error() {
    let cases: [(&str, &str, &str); 5] = [
        ("</v2/acme/shop/tags/list?n=1000>; rel=next", r#"["a"]"#, "page 1 was listed before, or there are too many"),
        ("/v2/x; rel=next", r#"["a"]"#, "Link: no '<' before the target at byte 0"),
        ("<http://169.254.169.254/>; rel=next", r#"["a"]"#, "its address is link-local, or of a metadata service"),
        (
            "<a>; rel=prev",
            r#"["not a tag"]"#,
            "it has an invalid tag: tag: not a tag character (a-z, A-Z, 0-9, '_', '.', '-') at byte 3",
        ),
        (
            "<a>; rel=prev",
            r#""a""#,
            "it is not JSON of a list: invalid type: string \"a\", expected a sequence at line 1 column 30",
        ),
    ];
    for (link, list, why) in cases {
        let script = Script::start(move |_, _| page(Some(link), list)).await;
        let error = tags(&script).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
        assert!(error.to_string().ends_with(why), "{error}");
    }
    let script = Script::start(|_, _| reply(404, &[], "<html>")).await;
    assert_eq!(tags(&script).await.unwrap_err().kind(), ErrorKind::RegistryUnavailable);
}

#[tokio::test]
async fn a_repository_that_vanishes_between_pages_is_not_a_short_list() {
    let script = Script::start(|_, number| match number {
        0 => page(Some("<?last=a>; rel=next"), r#"["a"]"#),
        _ => refusal(404, "NAME_UNKNOWN"),
    })
    .await;
    assert_eq!(tags(&script).await.unwrap_err().kind(), ErrorKind::RegistryUnavailable);
}

#[tokio::test]
async fn credentials_do_not_follow_a_link_to_another_host() {
    let other = Script::start(|_, _| page(None, r#"["b"]"#)).await;
    let link = format!("<http://{}/more>; rel=next", other.host());
    let script = Script::start(move |request, _| match request.header("authorization") {
        None => reply(401, &[("www-authenticate", "Basic")], ""),
        Some(_) => page(Some(&link), r#"["a"]"#),
    })
    .await;
    let options = options().credentials(script.host(), Credentials::password("ci", "canary"));
    let tags = registry(options).tags(&repository(&script)).await.unwrap();
    assert_eq!(tags.len(), 2);
    assert_eq!(other.requests()[0].header("authorization"), None);
}
