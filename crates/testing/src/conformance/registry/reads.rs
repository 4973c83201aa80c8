//! The requirements of reads: of manifests, of blobs, and of the list of tags.

use std::collections::BTreeSet;

use super::case::{Case, TIMEOUT, Verdict, tag};
use crate::TestImage;
use tagwarden::registry::{MANIFEST_TYPES, Manifest, Put, pin_tag};
use tagwarden::{Digest, ErrorKind, Tag};

pub(super) async fn check_absent(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    let nothing = Digest::of(b"this was never pushed");
    let listed = case.answered(case.registry.tags(&repository).await, "tags of an unknown repository")?;
    case.holds(listed.is_empty(), || format!("an unknown repository has the tags {listed:?}"))?;
    for round in ["in an unknown repository", "beside what is there"] {
        case.points_at(&repository, &tag("absent"), None).await?;
        for reference in [repository.tag(tag("absent")), repository.digest(nothing)] {
            let fetched = case.answered(case.registry.fetch(&reference).await, round)?;
            case.holds(fetched.is_none(), || format!("{reference} was fetched {round}"))?;
        }
        let blob = case.answered(case.registry.has_blob(&repository, &nothing).await, round)?;
        case.holds(!blob, || format!("a blob that was never pushed is there {round}"))?;
        case.pushed(&repository, &tag("there"), 1).await?;
    }
    Ok(())
}

pub(super) async fn check_failure(case: &Case<'_>) -> Verdict {
    let (registry, repository) = case.fixture.broken().await;
    let reference = repository.tag(tag("prod"));
    let by_digest = repository.digest(Digest::of(b""));
    let answers = [
        ("resolve", registry.resolve(&repository, &tag("prod")).await.err()),
        ("fetch by tag", registry.fetch(&reference).await.err()),
        ("fetch by digest", registry.fetch(&by_digest).await.err()),
        ("tags", registry.tags(&repository).await.err()),
        ("has_blob", registry.has_blob(&repository, &Digest::of(b"")).await.err()),
    ];
    for (call, error) in answers {
        match error.map(|error| error.kind()) {
            None => return case.broken(format!("{call} answered, though nothing could")),
            Some(ErrorKind::RegistryAbsent) => return case.broken(format!("{call} said REGISTRY_ABSENT")),
            Some(_) => {}
        }
    }
    match registry.put(&repository, &tag("prod"), &TestImage::image(1).manifest, TIMEOUT).await {
        Put::Applied => case.broken("a put was applied, though nothing could"),
        Put::Refused(_) | Put::Unknown(_) => Ok(()),
    }
}

pub(super) async fn check_bytes(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    for (number, (what, sample)) in variants().into_iter().enumerate() {
        case.store_parts(&repository, &sample).await?;
        let (tag, want) = (tag(&format!("variant-{number}")), &sample.manifest);
        match case.put(&repository, &tag, want).await {
            Put::Refused(_) if number > 0 => continue,
            Put::Applied => case.points_at(&repository, &tag, Some(want.digest())).await?,
            other => return case.broken(format!("a put of {what}: {other:?}")),
        }
        let by_tag = case.fetches(&repository, &tag, want.digest()).await?;
        let by_digest = case.fetched(repository.digest(want.digest())).await?;
        for got in [by_tag, by_digest] {
            case.holds(got.bytes() == want.bytes(), || format!("{what}: other bytes: {:?}", got.bytes()))?;
            case.holds(got.digest() == want.digest(), || format!("{what}: the digest {}", got.digest()))?;
            let media_type = got.media_type();
            case.holds(media_type == want.media_type(), || format!("{what}: the media type {media_type}"))?;
        }
    }
    Ok(())
}

/// Manifests with an unusual property that an adapter may handle wrongly; the first one is plain.
fn variants() -> Vec<(&'static str, TestImage)> {
    let [image, index, docker_image, docker_list] = MANIFEST_TYPES;
    let plain = TestImage::image(1);
    let list = TestImage::index([TestImage::image(2), TestImage::image(3)]);
    let rewritten = |of: &TestImage, media_type: &str, rewrite: &dyn Fn(&str) -> String| {
        let text = rewrite(&String::from_utf8_lossy(of.manifest.bytes()));
        Manifest::new(text, media_type).map(|manifest| TestImage { manifest, ..of.clone() })
    };
    let spaced =
        |json: &str| format!("{}\n", json.replace(',', " ,\n\t").replace("application/", "application\\u002F"));
    let untyped = |of: &str| of.replacen(&format!("\"mediaType\":\"{image}\","), "", 1);
    let untyped_index = |of: &str| of.replace(&format!(",\"mediaType\":\"{index}\""), "");
    let docker = |of: &str| {
        of.replace(image, docker_image)
            .replace("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
            .replace("vnd.oci.image.layer.v1.tar+gzip", "vnd.docker.image.rootfs.diff.tar.gzip")
    };
    let docker_index = |of: &str| of.replace(index, docker_list);
    let odd = |_: &str| "{\"anything\": [1.50, \"\\u00e9\"]}".to_owned();
    let made = [
        ("JSON that is not canonical", rewritten(&plain, image, &spaced)),
        ("an image without mediaType", rewritten(&plain, image, &untyped)),
        ("an OCI index", Ok(list.clone())),
        ("an index without mediaType", rewritten(&list, index, &untyped_index)),
        ("a Docker image", rewritten(&plain, docker_image, &docker)),
        ("a Docker list", rewritten(&list, docker_list, &docker_index)),
        ("a media type of its own", rewritten(&plain, "application/vnd.example.thing.v1+json", &odd)),
    ];
    let made = made.into_iter().filter_map(|(what, sample)| Some((what, sample.ok()?)));
    [("an OCI image", plain.clone())].into_iter().chain(made).collect()
}

pub(super) async fn check_tags(case: &Case<'_>) -> Verdict {
    /// More than the 100 that registries put on a page.
    const MANY: usize = 120;
    let repository = case.fixture.repository().await;
    let sample = TestImage::image(1);
    case.store_parts(&repository, &sample).await?;
    let mut put: BTreeSet<Tag> = (0..MANY).map(|number| tag(&format!("v{number}"))).collect();
    put.extend([pin_tag(&sample.digest()), tag("_x"), tag("X.y-Z")]);
    // Do not wait for each tag in turn: where reads lag, that would take more than a hundred times the lag.
    for tag in &put {
        case.accepted(&repository, tag, &sample.manifest).await?;
    }
    case.settled().await;
    let listed = case.answered(case.registry.tags(&repository).await, "tags")?;
    let as_set: BTreeSet<Tag> = listed.iter().cloned().collect();
    case.holds(as_set.len() == listed.len(), || "a tag is listed twice".to_owned())?;
    case.holds(as_set == put, || {
        let missing: Vec<_> = put.difference(&as_set).collect();
        let more: Vec<_> = as_set.difference(&put).collect();
        format!("of {} tags these are missing: {missing:?}, these are too many: {more:?}", put.len())
    })
}

pub(super) async fn check_agree(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    for number in 1..=3 {
        let resolved = case.pushed(&repository, &tag("prod"), number).await?.digest();
        let by_tag = case.fetches(&repository, &tag("prod"), resolved).await?;
        let by_digest = case.fetched(repository.digest(resolved)).await?;
        case.holds(by_tag == by_digest, || format!("by tag {by_tag:?}, by digest {by_digest:?}"))?;
    }
    Ok(())
}

pub(super) async fn check_found(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    let index = TestImage::index([TestImage::image(1), TestImage::image(2)]);
    case.store_parts(&repository, &index).await?;
    case.applied(&repository, &tag("1.0"), &index.manifest).await?;
    for child in &index.children {
        let fetched = case.fetched(repository.digest(child.digest())).await?;
        case.holds(fetched == child.manifest, || format!("the child {} came as {fetched:?}", child.digest()))?;
        for blob in &child.blobs {
            let digest = Digest::of(blob);
            let found = case.answered(case.registry.has_blob(&repository, &digest).await, "has_blob")?;
            case.holds(found, || format!("the blob {digest} is not found"))?;
        }
    }
    let missing = Digest::of(b"no blob");
    let found = case.answered(case.registry.has_blob(&repository, &missing).await, "has_blob")?;
    case.holds(!found, || "a blob that was never pushed is found".to_owned())
}
