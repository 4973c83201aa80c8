use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use tempfile::TempDir;

use super::super::MAX_SOURCE;
use super::*;

const FILES: [(&str, &str); 4] = [
    ("deployment.yaml", "kind: Deployment\n"),
    ("base/service.yaml", "kind: Service\n"),
    ("base/.hidden", "x"),
    ("kustomization.yaml", "resources: [deployment.yaml, base/service.yaml]\n"),
];

fn meta() -> ArtifactMeta {
    ArtifactMeta {
        source: "https://ada:canary@git.example.com/acme/shop".parse().unwrap(),
        revision: "main@sha1:0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
        created: "2026-11-23T06:12:31.999Z".parse().unwrap(),
    }
}

fn write(dir: &TempDir, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    write(&dir, files);
    dir
}

fn pack(dir: &TempDir) -> Artifact {
    Artifact::pack(dir.path(), &meta(), &PackOptions::default()).unwrap().artifact
}

/// The error, with the path of the directory replaced by `DIR`.
fn refused(dir: &TempDir) -> String {
    let error = Artifact::pack(dir.path(), &meta(), &PackOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SourceInvalid);
    error.to_string().replace(&dir.path().display().to_string(), "DIR")
}

fn paths(artifact: &Artifact) -> Vec<String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(artifact.layer().as_ref()));
    let entries = archive.entries().unwrap();
    entries.map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
}

#[test]
fn the_manifest_is_what_flux_looks_for() {
    let artifact = pack(&directory(&FILES));
    let manifest: serde_json::Value = serde_json::from_slice(artifact.manifest().bytes()).unwrap();
    assert_eq!(artifact.manifest().media_type().as_str(), "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(
        manifest,
        serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.cncf.flux.config.v1+json",
                "digest": Digest::of(artifact.config()),
                "size": artifact.config().len(),
            },
            "layers": [{
                "mediaType": "application/vnd.cncf.flux.content.v1.tar+gzip",
                "digest": Digest::of(artifact.layer()),
                "size": artifact.layer().len(),
            }],
            "annotations": {
                "org.opencontainers.image.created": "2026-11-23T06:12:31Z",
                "org.opencontainers.image.source": "https://git.example.com/acme/shop",
                "org.opencontainers.image.revision": "main@sha1:0123456789abcdef0123456789abcdef01234567",
            },
        })
    );
    let config: serde_json::Value = serde_json::from_slice(artifact.config()).unwrap();
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(artifact.layer().as_ref()), &mut tar).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"], serde_json::json!([Digest::of(&tar)]));
}

/// A fixed digest: an update of the compressor or the archiver must not change the digest of a release unnoticed.
#[test]
fn the_digest_does_not_change_between_builds() {
    let digest = pack(&directory(&FILES)).manifest().digest().to_string();
    assert_eq!(digest, "sha256:6273e0972a8da314528383b0dd8102fcd2dd0328dab253388e3419f82ef37af8");
}

#[test]
fn order_times_and_permissions_on_disk_do_not_matter() {
    let first = pack(&directory(&FILES));
    let mut reversed = FILES;
    reversed.reverse();
    let other = directory(&reversed);
    fs::create_dir_all(other.path().join("empty/also-empty")).unwrap();
    fs::create_dir_all(other.path().join(".git/objects")).unwrap();
    fs::write(other.path().join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(other.path().join(".gitignore"), "x\n").unwrap();
    for (path, _) in FILES {
        let path = other.path().join(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    assert_eq!(pack(&other), first);
    assert_eq!(paths(&first), ["base/", "base/.hidden", "base/service.yaml", "deployment.yaml", "kustomization.yaml"]);
}

#[test]
fn content_paths_and_meta_do_matter() {
    let dir = directory(&FILES);
    let first = pack(&dir).manifest().digest();
    for change in [
        &|meta: &mut ArtifactMeta| meta.source = "https://git.example.com/acme/other".parse().unwrap(),
        &|meta: &mut ArtifactMeta| meta.created = meta.created.plus(std::time::Duration::from_secs(1)),
        &|meta: &mut ArtifactMeta| meta.revision = format!("main@sha1:{}", "0".repeat(40)).parse().unwrap(),
    ] as [&dyn Fn(&mut ArtifactMeta); 3]
    {
        let mut meta = meta();
        change(&mut meta);
        assert_ne!(
            Artifact::pack(dir.path(), &meta, &PackOptions::default()).unwrap().artifact.manifest().digest(),
            first
        );
    }
    write(&dir, &[("deployment.yaml", "kind: DaemonSet\n")]);
    let changed = pack(&dir);
    assert_ne!(changed.manifest().digest(), first);
    fs::rename(dir.path().join("deployment.yaml"), dir.path().join("daemonset.yaml")).unwrap();
    assert_ne!(pack(&dir).layer(), changed.layer());
}

#[test]
fn plain_tar_unpacks_it() {
    let long = format!("{0}/{0}/{0}.yaml", "long-name-".repeat(9));
    let mut files = FILES.to_vec();
    files.push((&long, "kind: ConfigMap\n"));
    let artifact = pack(&directory(&files));
    let out = TempDir::new().unwrap();
    fs::write(out.path().join("layer.tar.gz"), artifact.layer()).unwrap();
    let status = Command::new("tar").args(["-xzf", "layer.tar.gz"]).current_dir(out.path()).status().unwrap();
    assert!(status.success());
    for (path, content) in files {
        assert_eq!(fs::read_to_string(out.path().join(path)).unwrap(), content);
    }
    let listed = Command::new("tar")
        .args(["-tvzf", "layer.tar.gz", "--numeric-owner"])
        .current_dir(out.path())
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.lines().any(|line| line.starts_with("drwxr-xr-x 0/0") && line.ends_with(" base/")), "{listed}");
    assert!(listed.lines().any(|line| line.starts_with("-rw-r--r-- 0/0") && line.ends_with(" deployment.yaml")));
}

#[test]
fn what_cannot_be_packed_is_refused_by_its_path() {
    assert_eq!(refused(&directory(&[])), "DIR has no file to pack");
    let only_empty = directory(&[(".gitignore", "x")]);
    fs::create_dir(only_empty.path().join("empty")).unwrap();
    assert_eq!(refused(&only_empty), "DIR has no file to pack; left out: .gitignore");
    let error = Artifact::pack(Path::new("/nowhere/at/all"), &meta(), &PackOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "/nowhere/at/all cannot be read: No such file or directory (os error 2)");
    let file = directory(&FILES);
    let error = Artifact::pack(&file.path().join("deployment.yaml"), &meta(), &PackOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("deployment.yaml is not a directory"), "{error}");
}

#[test]
fn a_link_is_packed_as_the_file_inside_that_it_leads_to_or_refused() {
    let plain = directory(&[("a.yaml", "kind: A\n"), ("b/link.yaml", "kind: A\n")]);
    let dir = directory(&[("a.yaml", "kind: A\n")]);
    fs::create_dir(dir.path().join("b")).unwrap();
    let link = dir.path().join("b/link.yaml");
    symlink("../a.yaml", &link).unwrap();
    assert_eq!(pack(&dir).layer(), pack(&plain).layer());

    let outside = directory(&[("secret", "canary")]);
    fs::create_dir_all(dir.path().join(".git")).unwrap();
    fs::write(dir.path().join(".git/config"), "token = canary").unwrap();
    for (target, why) in [
        (outside.path().join("secret"), "is a symbolic link that leaves the directory"),
        ("../../../../../../etc/hostname".into(), "is a symbolic link that leaves the directory"),
        ("../.git/config".into(), "is a symbolic link into what is not packed; it can be included by its name"),
        ("..".into(), "is a symbolic link to something else than a file; Flux would not follow it"),
        ("missing".into(), "is a symbolic link that leads nowhere: No such file or directory (os error 2)"),
        ("link.yaml".into(), "is a symbolic link that leads nowhere: Too many levels of symbolic links (os error 40)"),
    ] {
        fs::remove_file(&link).unwrap();
        symlink(target, &link).unwrap();
        assert_eq!(refused(&dir), format!("DIR/b/link.yaml {why}"));
    }
}

#[test]
fn a_socket_is_refused() {
    let dir = directory(&FILES);
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    assert_eq!(refused(&dir), "DIR/socket is neither a file nor a directory");
}

#[test]
fn more_than_the_most_is_refused_without_reading_it_all() {
    let dir = directory(&FILES);
    let file = fs::File::create(dir.path().join("z")).unwrap();
    // A sparse file: it takes no space on the disk.
    file.set_len(1 << 40).unwrap();
    assert_eq!(refused(&dir), format!("DIR/z makes it more than {MAX_SOURCE} bytes"));
}

#[test]
fn source_date_epoch_is_seconds() {
    let time = |value| ArtifactMeta::source_date_epoch(value).map(|time| time.to_string());
    assert_eq!(time("1700000000").unwrap(), "2023-11-14T22:13:20.000Z");
    assert_eq!(time("0").unwrap(), "1970-01-01T00:00:00.000Z");
    for odd in ["", "-1", "1.5", "now", "253402300800", "99999999999999999999"] {
        let error = time(odd).unwrap_err().to_string();
        assert_eq!(error, "SOURCE_DATE_EPOCH: not a whole number of seconds since 1970", "{odd}");
    }
}
