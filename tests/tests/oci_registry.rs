//! `OciRegistry` against a real `docker-registry`.

use std::time::Duration;

use bytes::Bytes;
use tagwarden::registry::oci::{CredentialSource, Credentials, OciOptions, OciRegistry, Scheme};
use tagwarden::registry::{Manifest, Put, Registry};
use tagwarden::{Digest, ErrorKind, Repository, Tag};
use tagwarden_tests::docker_registry::{Access, CA_PEM, DockerRegistry, PASSWORD, Transport, USER};

const TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const TIMEOUT: Duration = Duration::from_secs(15);

fn options() -> OciOptions {
    OciOptions::new().lookup(CredentialSource::Nowhere)
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

/// Pushes the blobs of a manifest that is not canonical JSON. Returns the manifest.
async fn push(registry: &OciRegistry, repository: &Repository, content: &str) -> Manifest {
    let config = registry.push_blob(repository, Bytes::from_static(b"{}")).await.unwrap();
    let layer = registry.push_blob(repository, Bytes::copy_from_slice(content.as_bytes())).await.unwrap();
    let json = format!(
        "{{ \"schemaVersion\": 2,\n  \"mediaType\": \"{TYPE}\",\n  \"config\": {{\"mediaType\": \
         \"application/vnd.cncf.flux.config.v1+json\", \"digest\": \"{config}\", \"size\": 2}},\n  \"layers\": \
         [{{\"size\": {}, \"digest\": \"{layer}\", \"mediaType\": \
         \"application/vnd.cncf.flux.content.v1.tar+gzip\"}}] }}\n",
        content.len()
    );
    Manifest::new(json, TYPE).unwrap()
}

async fn applied(registry: &OciRegistry, repository: &Repository, name: &str, manifest: &Manifest) {
    let put = registry.put(repository, &tag(name), manifest, TIMEOUT).await;
    assert!(matches!(put, Put::Applied), "{put:?}");
}

/// The operations that must work with every transport and every access control.
async fn moves_a_tag(registry: &OciRegistry, repository: &Repository) {
    assert_eq!(registry.resolve(repository, &tag("prod")).await.unwrap(), None, "no repository yet");
    assert_eq!(registry.tags(repository).await.unwrap(), []);
    assert!(!registry.has_blob(repository, &Digest::of(b"x")).await.unwrap());

    let one = push(registry, repository, "one").await;
    let two = push(registry, repository, "two").await;
    assert_ne!(one.digest(), two.digest());
    for (name, manifest) in [("1.0.0", &one), ("prod", &one), ("2.0.0", &two), ("prod", &two), ("prod", &one)] {
        applied(registry, repository, name, manifest).await;
        assert_eq!(registry.resolve(repository, &tag(name)).await.unwrap(), Some(manifest.digest()));
    }
    assert_eq!(registry.resolve(repository, &tag("absent")).await.unwrap(), None);
    for reference in [repository.tag(tag("prod")), repository.digest(one.digest())] {
        assert_eq!(registry.fetch(&reference).await.unwrap().unwrap(), one, "bytes and type, exactly");
    }
    assert_eq!(registry.fetch(&repository.digest(Digest::of(b"none"))).await.unwrap(), None);
    let names: Vec<String> = registry.tags(repository).await.unwrap().iter().map(Tag::to_string).collect();
    assert_eq!(names, ["1.0.0", "2.0.0", "prod"]);

    let layer = Digest::of(b"two");
    assert!(registry.has_blob(repository, &layer).await.unwrap());
    assert_eq!(registry.fetch_blob(repository, &layer, 3).await.unwrap().unwrap(), "two");
    assert_eq!(registry.fetch_blob(repository, &Digest::of(b"none"), 3).await.unwrap(), None);

    let orphan = String::from_utf8(one.bytes().to_vec())
        .unwrap()
        .replace(&Digest::of(b"one").to_string(), &Digest::of(b"never pushed").to_string());
    let put = registry.put(repository, &tag("prod"), &Manifest::new(orphan, TYPE).unwrap(), TIMEOUT).await;
    let Put::Refused(error) = put else { panic!("{put:?}") };
    assert_eq!(error.kind(), ErrorKind::RegistryRefused);
    assert!(error.to_string().contains("400 MANIFEST_BLOB_UNKNOWN: "), "{error}");
    assert_eq!(registry.resolve(repository, &tag("prod")).await.unwrap(), Some(one.digest()), "not moved");
}

fn repository(registry: &DockerRegistry) -> Repository {
    format!("{}/acme/shop", registry.host()).parse().unwrap()
}

#[tokio::test]
async fn tag_moves_without_login() {
    let Some(server) = DockerRegistry::start("tag_moves_without_login", Access::Open, Transport::Http) else { return };
    let registry = OciRegistry::new(options()).unwrap();
    moves_a_tag(&registry, &repository(&server)).await;
}

#[tokio::test]
async fn tag_moves_with_passwords() {
    let test = "tag_moves_with_passwords";
    let Some(server) = DockerRegistry::start(test, Access::Htpasswd, Transport::Http) else { return };
    let given = options().credentials(server.host(), Credentials::password(USER, PASSWORD));
    moves_a_tag(&OciRegistry::new(given).unwrap(), &repository(&server)).await;

    for (credentials, why) in [
        (Credentials::Anonymous, "it wants a user and a password, and there are none for it"),
        (Credentials::password(USER, "wrong-canary"), "the registry answered 401"),
    ] {
        let registry = OciRegistry::new(options().credentials(server.host(), credentials)).unwrap();
        let error = registry.resolve(&repository(&server), &tag("prod")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryDenied);
        assert!(error.to_string().contains(why), "{error}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        let error = registry.push_blob(&repository(&server), Bytes::from_static(b"x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryDenied);
    }
}

#[tokio::test]
async fn tag_moves_with_docker_login_credentials() {
    let test = "tag_moves_with_docker_login_credentials";
    let Some(server) = DockerRegistry::start(test, Access::Htpasswd, Transport::Http) else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.json");
    let host = server.host();
    std::fs::write(&file, format!(r#"{{"auths":{{"{host}":{{"username":"{USER}","password":"{PASSWORD}"}}}}}}"#))
        .unwrap();
    let registry = OciRegistry::new(OciOptions::new().lookup(CredentialSource::Docker).docker_config(&file)).unwrap();
    assert_eq!(registry.resolve(&repository(&server), &tag("prod")).await.unwrap(), None);
}

#[tokio::test]
async fn tag_moves_over_tls_with_a_private_root() {
    let test = "tag_moves_over_tls_with_a_private_root";
    let Some(server) = DockerRegistry::start(test, Access::Htpasswd, Transport::Tls) else { return };
    let secure = options()
        .scheme(server.host(), Scheme::Https)
        .credentials(server.host(), Credentials::password(USER, PASSWORD));
    let registry = OciRegistry::new(secure.clone().ca_pem(CA_PEM)).unwrap();
    moves_a_tag(&registry, &repository(&server)).await;

    let untrusting = OciRegistry::new(secure.retry_for(Duration::ZERO)).unwrap();
    let error = untrusting.resolve(&repository(&server), &tag("prod")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
    assert!(error.to_string().contains("invalid peer certificate: UnknownIssuer"), "{error}");
}

#[tokio::test]
async fn reads_succeed_while_a_tag_is_overwritten_constantly() {
    let test = "reads_succeed_while_a_tag_is_overwritten_constantly";
    let Some(server) = DockerRegistry::start(test, Access::Open, Transport::Http) else { return };
    let (registry, repository) = (OciRegistry::new(options()).unwrap(), repository(&server));
    let one = push(&registry, &repository, "one").await;
    let two = push(&registry, &repository, "two").await;
    applied(&registry, &repository, "prod", &one).await;
    let (writer, place) = (registry.clone(), repository.clone());
    let digests = [one.digest(), two.digest()];
    let writing = tokio::spawn(async move {
        for _ in 0..30 {
            applied(&writer, &place, "prod", &two).await;
            applied(&writer, &place, "prod", &one).await;
        }
    });
    let mut reads = 0;
    while !writing.is_finished() {
        let found = registry.resolve(&repository, &tag("prod")).await.unwrap();
        assert!(found.is_some_and(|digest| digests.contains(&digest)), "{found:?}");
        reads += 1;
    }
    writing.await.unwrap();
    assert!(reads > 10, "{reads}");
}
