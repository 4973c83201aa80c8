//! skopeo, an independent client, against the server.

use std::path::Path;
use std::process::Command;

use super::*;
use tagwarden::Digest;

/// Runs skopeo; prints a message if it is not installed. With `CI=true` a missing skopeo fails the test.
async fn skopeo(arguments: Vec<String>) -> Option<String> {
    let run = tokio::task::spawn_blocking(move || Command::new("skopeo").args(arguments).output()).await.unwrap();
    match run {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "skopeo is not installed");
            eprintln!("skipped: skopeo is not installed");
            None
        }
        Err(error) => panic!("{error}"),
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8(output.stdout).unwrap())
        }
    }
}

fn arguments(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}

/// Writes a sample in the layout of skopeo's `dir:` transport.
fn write(directory: &Path, sample: &TestImage) {
    std::fs::write(directory.join("version"), "Directory Transport Version: 1.1\n").unwrap();
    std::fs::write(directory.join("manifest.json"), sample.manifest.bytes()).unwrap();
    for blob in &sample.blobs {
        let digest = Digest::of(blob).to_string();
        std::fs::write(directory.join(digest.trim_start_matches("sha256:")), blob).unwrap();
    }
}

#[tokio::test]
async fn skopeo_pushes_inspects_lists_mounts_pulls_and_deletes() {
    let server = server().await;
    server.access(AuthMode::Bearer(Bearer::new(Login::new("ci", "s3cret"))));
    let (host, sample) = (server.host().to_owned(), TestImage::image(1));
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &sample);
    let from = directory.path().display();
    let shop = format!("docker://{host}/acme/shop");

    let copy = "copy --insecure-policy --dest-tls-verify=false --dest-creds ci:s3cret";
    let Some(_) = skopeo(arguments(&format!("{copy} dir:{from} {shop}:1.0"))).await else { return };
    let one = "1.0".parse().unwrap();
    assert_eq!(server.memory().peek(&server.repository("acme/shop"), &one), Some(sample.digest()));

    let inspect = "inspect --tls-verify=false --creds ci:s3cret";
    let inspected = skopeo(arguments(&format!("{inspect} {shop}:1.0"))).await.unwrap();
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected["Digest"], sample.digest().to_string());
    assert_eq!(inspected["Labels"]["release"], "1");
    let raw = skopeo(arguments(&format!("{inspect} --raw {shop}@{}", sample.digest()))).await.unwrap();
    assert_eq!(raw.as_bytes(), &sample.manifest.bytes()[..]);

    let both = "copy --insecure-policy --src-tls-verify=false --dest-tls-verify=false --src-creds ci:s3cret --dest-creds ci:s3cret";
    skopeo(arguments(&format!("{both} {shop}:1.0 {shop}:prod"))).await.unwrap();
    skopeo(arguments(&format!("{both} {shop}:1.0 docker://{host}/acme/mirror:1.0"))).await.unwrap();
    let mirrored = server.memory().peek(&server.repository("acme/mirror"), &one);
    assert_eq!(mirrored, Some(sample.digest()));
    let mounts = server.requests().into_iter().filter(|seen| seen.path.contains("mount=") && seen.status == Some(201));
    assert!(mounts.count() > 0, "{:?}", server.requests());

    let tags = skopeo(arguments(&format!("list-tags --tls-verify=false --creds ci:s3cret {shop}"))).await.unwrap();
    let tags: serde_json::Value = serde_json::from_str(&tags).unwrap();
    assert_eq!(tags["Tags"], serde_json::json!(["1.0", "prod"]));

    let back = tempfile::tempdir().unwrap();
    let pull = "copy --insecure-policy --src-tls-verify=false --src-creds ci:s3cret";
    skopeo(arguments(&format!("{pull} {shop}:prod dir:{}", back.path().display()))).await.unwrap();
    assert_eq!(std::fs::read(back.path().join("manifest.json")).unwrap(), &sample.manifest.bytes()[..]);

    skopeo(arguments(&format!("delete --tls-verify=false --creds ci:s3cret {shop}:prod"))).await.unwrap();
    assert_eq!(server.memory().peek(&server.repository("acme/shop"), &one), None, "a delete by digest takes every tag");
}

#[tokio::test]
async fn skopeo_copies_an_index_with_its_children() {
    let server = server().await;
    let index = TestImage::index([TestImage::image(1), TestImage::image(2)]);
    let repository = server.repository("acme/shop");
    let one = "1.0".parse().unwrap();
    server.memory().store(&repository, &index);
    server.memory().push(&repository, &one, &index.manifest);
    let shop = format!("docker://{}/acme/shop:1.0", server.host());
    let mirror = format!("docker://{}/acme/mirror:1.0", server.host());
    let copy = "copy --all --insecure-policy --src-tls-verify=false --dest-tls-verify=false";
    let Some(_) = skopeo(arguments(&format!("{copy} {shop} {mirror}"))).await else { return };
    let mirrored = server.repository("acme/mirror");
    assert_eq!(server.memory().peek(&mirrored, &one), Some(index.digest()));
    for child in &index.children {
        assert!(server.memory().holds(&mirrored, &child.digest()));
    }
}
