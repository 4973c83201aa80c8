//! Requirements of the OCI distribution specification.

use super::*;
use serde_json::json;
use tagwarden::Digest;
use tagwarden::registry::{Manifest, Registry};

#[tokio::test]
async fn an_image_is_pushed_in_every_way_and_pulled_byte_by_byte() {
    let server = server().await;
    let sample = TestImage::image(1);
    let path = "/v2/acme/shop/manifests/prod";
    assert_eq!(get(&server, "/v2/").await.status, 200);

    let refused = put_manifest(&server, path, &sample).await;
    assert_eq!(refused.status, 400);
    let codes: Vec<_> = refused.json()["errors"].as_array().unwrap().iter().map(|e| e["code"].clone()).collect();
    assert_eq!(codes, ["MANIFEST_BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN"], "one for each blob");

    let [config, layer] = &sample.blobs[..] else { panic!("two blobs") };
    let digest = Digest::of(config);
    let upload = format!("/v2/acme/shop/blobs/uploads/?digest={}", digest.to_string().replace(':', "%3A"));
    let whole = send(server.addr(), &format!("POST {upload}"), &[], config.to_vec()).await;
    assert_eq!(whole.header("location"), Some(format!("/v2/acme/shop/blobs/{digest}").as_str()));

    let begun = send(server.addr(), "POST /v2/acme/shop/blobs/uploads/", &[], "").await;
    assert_eq!(begun.status, 202);
    let upload = begun.header("location").unwrap().to_owned();
    let (first, second) = layer.split_at(10);
    let part = send(server.addr(), &format!("PATCH {upload}"), &["Content-Range: 0-9"], first).await;
    assert_eq!((part.status, part.header("range")), (202, Some("0-9")));
    let again = send(server.addr(), &format!("PATCH {upload}"), &["Content-Range: 0-9"], first).await;
    assert_eq!(again.status, 416, "a part out of order");
    let so_far = send(server.addr(), &format!("GET {upload}"), &[], "").await;
    assert_eq!((so_far.status, so_far.header("range")), (204, Some("0-9")));
    let digest = Digest::of(layer);
    let wrong = send(server.addr(), &format!("PUT {upload}?digest={}", Digest::of(b"")), &[], second).await;
    assert!(wrong.status == 400 && wrong.text().contains("DIGEST_INVALID"), "{wrong:?}");
    assert_eq!(send(server.addr(), &format!("PUT {upload}?digest={digest}"), &[], second).await.status, 201);
    assert_eq!(send(server.addr(), &format!("GET {upload}"), &[], "").await.status, 404, "it has ended");

    let put = put_manifest(&server, path, &sample).await;
    let want = sample.digest().to_string();
    assert_eq!((put.status, put.header("docker-content-digest")), (201, Some(want.as_str())));
    for path in [path.to_owned(), format!("/v2/acme/shop/manifests/{want}")] {
        let got = get(&server, &path).await;
        assert_eq!((got.status, &got.body[..]), (200, &sample.manifest.bytes()[..]));
        assert_eq!((got.header("content-type"), got.header("docker-content-digest")), (Some(IMAGE), Some(&*want)));
        let head = send(server.addr(), &format!("HEAD {path}"), &[&format!("Accept: {IMAGE}")], "").await;
        assert_eq!((head.status, head.body.len(), head.header("docker-content-digest")), (200, 0, Some(&*want)));
        assert_eq!(head.header("content-length"), Some(sample.manifest.bytes().len().to_string().as_str()));
    }
    let repository = server.repository("acme/shop");
    let resolved = server.memory().resolve(&repository, &"prod".parse().unwrap()).await.unwrap();
    assert_eq!(resolved, Some(sample.digest()), "the memory is the same registry");
}

#[tokio::test]
async fn manifest_is_sent_only_if_its_media_type_is_accepted() {
    let server = server().await;
    let prod = "prod".parse().unwrap();
    let manifest = server.memory().push_image(&server.repository("shop"), &prod, 1);
    let ask = |method: &'static str, headers: Vec<String>| {
        let address = server.addr();
        async move {
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            send(address, &format!("{method} /v2/shop/manifests/prod"), &headers, "").await
        }
    };
    for headers in [vec![], vec!["Accept: */*".to_owned()], vec![format!("Accept: {}", MANIFEST_TYPES[1])]] {
        let answer = ask("GET", headers).await;
        assert!(answer.status == 404 && answer.text().contains("MANIFEST_UNKNOWN"), "{answer:?}");
    }
    let two = vec![format!("Accept: {}", MANIFEST_TYPES[1]), format!("Accept: text/plain,{IMAGE};q=0.5")];
    assert_eq!(ask("HEAD", two).await.status, 200);

    let etag = format!("If-None-Match: \"{}\"", manifest.digest());
    for method in ["GET", "HEAD"] {
        let same = ask(method, vec![format!("Accept: {IMAGE}"), etag.clone()]).await;
        assert_eq!((same.status, same.body.len()), (304, 0));
        let other = vec![format!("Accept: {IMAGE}"), format!("If-None-Match: \"{}\"", Digest::of(b""))];
        assert_eq!(ask(method, other).await.status, 200);
    }
}

#[tokio::test]
async fn a_wrong_if_match_is_ignored_and_the_tag_moves() {
    let server = server().await;
    let (repository, prod) = (server.repository("shop"), "prod".parse().unwrap());
    server.memory().push_image(&repository, &prod, 1);
    let second = TestImage::image(2);
    server.memory().store(&repository, &second);
    let headers = [&format!("Content-Type: {IMAGE}"), "If-Match: \"sha256:0\"", "If-None-Match: *"];
    let put = send(server.addr(), "PUT /v2/shop/manifests/prod", &headers, second.manifest.bytes().to_vec()).await;
    assert_eq!((put.status, server.memory().peek(&repository, &prod)), (201, Some(second.digest())));
}

#[tokio::test]
async fn invalid_manifest_is_refused_with_the_reason() {
    let server = server().await;
    let content_type = format!("Content-Type: {IMAGE}");
    for (body, headers, status, code) in [
        (b"<html>".to_vec(), vec![&*content_type], 400, "MANIFEST_INVALID"),
        (b"{}".to_vec(), vec![], 400, "MANIFEST_INVALID"),
        (vec![b' '; 4 * 1024 * 1024 + 1], vec![&*content_type], 413, "SIZE_INVALID"),
    ] {
        let put = send(server.addr(), "PUT /v2/shop/manifests/prod", &headers, body).await;
        assert!(put.status == status && put.text().contains(code), "{put:?}");
    }
    let by_digest = format!("PUT /v2/shop/manifests/{}", Digest::of(b""));
    let put = send(server.addr(), &by_digest, &[&content_type], TestImage::image(1).manifest.bytes().to_vec()).await;
    assert!(put.status == 400 && put.text().contains("DIGEST_INVALID"), "{put:?}");
    let post = send(server.addr(), "POST /v2/shop/manifests/prod", &[], "").await;
    assert!(post.status == 405 && post.text().contains("UNSUPPORTED"), "{post:?}");
}

#[tokio::test]
async fn tags_are_listed_in_pages() {
    let server = server().await;
    let repository = server.repository("acme/shop");
    let missing = get(&server, "/v2/acme/shop/tags/list").await;
    assert!(missing.status == 404 && missing.text().contains("NAME_UNKNOWN"), "{missing:?}");
    for tag in ["c", "a", "B", "b"] {
        server.memory().push_image(&repository, &tag.parse().unwrap(), 1);
    }
    let whole = get(&server, "/v2/acme/shop/tags/list").await;
    assert_eq!(whole.json(), json!({ "name": "acme/shop", "tags": ["B", "a", "b", "c"] }));
    assert_eq!(whole.header("link"), None);
    let first = get(&server, "/v2/acme/shop/tags/list?n=2").await;
    assert_eq!(first.json()["tags"], json!(["B", "a"]));
    assert_eq!(first.header("link"), Some("</v2/acme/shop/tags/list?n=2&last=a>; rel=\"next\""));
    let second = get(&server, "/v2/acme/shop/tags/list?n=2&last=a").await;
    assert_eq!((second.json()["tags"].clone(), second.header("link")), (json!(["b", "c"]), None));
    assert_eq!(get(&server, "/v2/acme/shop/tags/list?n=x").await.status, 400);
}

#[tokio::test]
async fn blobs_are_mounted_ranged_and_deleted() {
    let server = server().await;
    let digest = server.memory().store_blob(&server.repository("from"), "0123456789");
    let mount = |from: &str| format!("POST /v2/to/blobs/uploads/?mount={digest}&from={from}");
    assert_eq!(send(server.addr(), &mount("elsewhere"), &[], "").await.status, 202, "it has to be uploaded");
    assert_eq!(send(server.addr(), &mount("from"), &[], "").await.status, 201);

    let blob = format!("/v2/to/blobs/{digest}");
    let head = send(server.addr(), &format!("HEAD {blob}"), &[], "").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("10")));
    let part = send(server.addr(), &format!("GET {blob}"), &["Range: bytes=3-5"], "").await;
    assert_eq!((part.status, part.text().as_str(), part.header("content-range")), (206, "345", Some("bytes 3-5/10")));
    let rest = send(server.addr(), &format!("GET {blob}"), &["Range: bytes=8-"], "").await;
    assert_eq!(rest.text(), "89");
    for (range, rest) in [("-2", "89"), ("-500", "0123456789")] {
        let last = send(server.addr(), &format!("GET {blob}"), &[&format!("Range: bytes={range}")], "").await;
        let first = 10 - rest.len();
        assert_eq!((last.status, last.text().as_str()), (206, rest));
        assert_eq!(last.header("content-range"), Some(format!("bytes {first}-9/10").as_str()));
    }
    for range in ["10-", "-0", "-"] {
        let range = format!("Range: bytes={range}");
        assert_eq!(send(server.addr(), &format!("GET {blob}"), &[&range], "").await.status, 416, "{range}");
    }

    assert_eq!(send(server.addr(), &format!("DELETE {blob}"), &[], "").await.status, 202);
    let gone = get(&server, &blob).await;
    assert!(gone.status == 404 && gone.text().contains("BLOB_UNKNOWN"), "{gone:?}");

    let begun = send(server.addr(), "POST /v2/to/blobs/uploads/", &[], "").await;
    let upload = begun.header("location").unwrap().to_owned();
    assert_eq!(send(server.addr(), &format!("DELETE {upload}"), &[], "").await.status, 204);
    let cancelled = get(&server, &upload).await;
    assert!(cancelled.status == 404 && cancelled.text().contains("BLOB_UPLOAD_UNKNOWN"), "{cancelled:?}");
}

#[tokio::test]
async fn deleting_a_tag_leaves_the_manifest_and_deleting_a_digest_takes_every_tag() {
    let server = server().await;
    let repository = server.repository("shop");
    let [one, two, three] = ["1", "2", "3"].map(|tag| tag.parse().unwrap());
    let manifest = server.memory().push_image(&repository, &one, 1);
    server.memory().push(&repository, &two, &manifest);
    server.memory().push_image(&repository, &three, 3);
    let delete = |what: String| {
        let address = server.addr();
        async move { send(address, &format!("DELETE /v2/shop/manifests/{what}"), &[], "").await.status }
    };
    assert_eq!(delete("1".to_owned()).await, 202);
    assert_eq!(delete("1".to_owned()).await, 404);
    assert!(server.memory().holds(&repository, &manifest.digest()));
    assert_eq!(delete(manifest.digest().to_string()).await, 202);
    assert_eq!(server.memory().peek(&repository, &two), None);
    assert!(server.memory().peek(&repository, &three).is_some());
}

#[tokio::test]
async fn referrers_are_listed_and_filtered() {
    let server = server().await;
    let repository = server.repository("shop");
    let subject = server.memory().push_image(&repository, &"1.0".parse().unwrap(), 1);
    let empty = server.memory().store_blob(&repository, "{}");
    let descriptor = |media_type: &str, digest: Digest, size: usize| json!({ "mediaType": media_type, "digest": digest, "size": size });
    let mut digests = Vec::new();
    for (kind, own) in [("application/vnd.a", true), ("application/vnd.b", false)] {
        let mut body = json!({
            "schemaVersion": 2,
            "config": descriptor(if own { "application/vnd.oci.empty.v1+json" } else { kind }, empty, 2),
            "layers": [],
            "subject": descriptor(IMAGE, subject.digest(), subject.bytes().len()),
            "annotations": { "kind": kind },
        });
        if own {
            body["artifactType"] = json!(kind);
        }
        let manifest = Manifest::new(body.to_string(), IMAGE).unwrap();
        let sample = TestImage { manifest, blobs: vec![], children: vec![] };
        let put = put_manifest(&server, &format!("/v2/shop/manifests/{}", sample.digest()), &sample).await;
        assert_eq!((put.status, put.header("oci-subject")), (201, Some(subject.digest().to_string().as_str())));
        digests.push(sample.digest());
    }
    let path = format!("/v2/shop/referrers/{}", subject.digest());
    let all = get(&server, &path).await;
    assert_eq!((all.header("content-type"), all.header("oci-filters-applied")), (Some(MANIFEST_TYPES[1]), None));
    assert_eq!(all.json()["manifests"].as_array().unwrap().len(), 2);
    let some = get(&server, &format!("{path}?artifactType=application%2Fvnd.b")).await;
    assert_eq!(some.header("oci-filters-applied"), Some("artifactType"));
    let listed = some.json();
    let [only] = &listed["manifests"].as_array().unwrap()[..] else { panic!("one of two") };
    assert_eq!((&only["digest"], &only["artifactType"]), (&json!(digests[1]), &json!("application/vnd.b")));
    assert_eq!(only["annotations"], json!({ "kind": "application/vnd.b" }));
    let none = get(&server, &format!("/v2/other/referrers/{}", subject.digest())).await;
    assert_eq!((none.status, none.json()["manifests"].clone()), (200, json!([])));
}
