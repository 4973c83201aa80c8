use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::super::{Artifact, ArtifactMeta, Packed};
use super::*;

const KEY: &str = "-----BEGIN PRIVATE KEY-----\ncanary\n";

/// A directory with `app.yaml` and these files, each with the content `x`.
fn directory(files: &[&str]) -> TempDir {
    let files: Vec<_> = files.iter().map(|path| (*path, "x")).collect();
    holding(&files)
}

fn holding(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (path, content) in files.iter().chain(&[("app.yaml", "kind: ConfigMap\n")]) {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

fn options(ignore_paths: Option<&[&str]>, include: &[&str]) -> PackOptions {
    let texts = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    PackOptions { ignore_paths: ignore_paths.map(texts), include: texts(include) }
}

fn pack(dir: &TempDir, options: &PackOptions) -> Result<Packed> {
    let meta = ArtifactMeta {
        source: "https://git.example.com/acme/shop".parse().unwrap(),
        revision: "main@sha1:0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
        created: "2026-11-23T06:12:31Z".parse().unwrap(),
    };
    Artifact::pack(dir.path(), &meta, options)
}

/// The packed files besides `app.yaml`, and the paths that are left out.
fn split(dir: &TempDir, options: &PackOptions) -> (Vec<String>, Vec<String>) {
    let packed = pack(dir, options).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed.artifact.layer().as_ref()));
    let entries = archive.entries().unwrap().map(Result::unwrap);
    let paths = entries.filter(|entry| entry.header().entry_type().is_file());
    let paths = paths.map(|entry| entry.path().unwrap().display().to_string());
    (paths.filter(|path| path != "app.yaml").collect(), packed.left_out)
}

fn error(dir: &TempDir, options: &PackOptions) -> String {
    let error = pack(dir, options).unwrap_err();
    format!("{} {error}", error.code()).replace(&dir.path().display().to_string(), "DIR")
}

#[test]
fn each_default_pattern_leaves_its_files_out_in_every_directory() {
    for (pattern, name, listed) in [
        (".git/", ".git/HEAD", ".git/"),
        (".gitignore", ".gitignore", ".gitignore"),
        (".gitmodules", ".gitmodules", ".gitmodules"),
        (".gitattributes", ".gitattributes", ".gitattributes"),
        ("*.jpg", "a.jpg", "a.jpg"),
        ("*.jpeg", "a.jpeg", "a.jpeg"),
        ("*.gif", "a.gif", "a.gif"),
        ("*.png", "a.png", "a.png"),
        ("*.wmv", "a.wmv", "a.wmv"),
        ("*.flv", "a.flv", "a.flv"),
        ("*.tar.gz", "a.tar.gz", "a.tar.gz"),
        ("*.zip", "a.zip", "a.zip"),
    ] {
        assert!(DEFAULT_IGNORE_PATHS.contains(&pattern));
        let dir = directory(&[name, &format!("base/{name}"), "base/b.yaml"]);
        let (packed, left_out) = split(&dir, &PackOptions::default());
        assert_eq!(packed, ["base/b.yaml"], "{pattern}");
        let mut want = [listed.to_owned(), format!("base/{listed}")];
        want.sort();
        assert_eq!(left_out, want, "{pattern}");
    }
    let dir = directory(&["a.tgz", "a.yaml", "jpg", "x.gz"]);
    assert_eq!(split(&dir, &PackOptions::default()).1, [""; 0]);
}

#[test]
fn given_patterns_take_the_place_of_the_default() {
    let dir = directory(&[".gitignore", "a.png", "docs/a.md", "b.md", ".git/HEAD", ".env"]);
    let (packed, left_out) = split(&dir, &options(Some(&["docs/", "/b.md", "# a comment", ""]), &[]));
    assert_eq!(packed, [".gitignore", "a.png"]);
    assert_eq!(left_out, [".env", ".git/", "b.md", "docs/"], "no pattern brings secrets back");
    let (packed, left_out) = split(&dir, &options(Some(&["!.env", "!.git/"]), &[]));
    assert_eq!(packed, [".gitignore", "a.png", "b.md", "docs/a.md"]);
    assert_eq!(left_out, [".env", ".git/"]);
    assert!(error(&dir, &options(Some(&["a[z-b]"]), &[])).starts_with("VALUE_INVALID ignore paths: "));
}

#[test]
fn sourceignore_is_obeyed_in_its_directory_and_below_and_the_nearest_first() {
    let dir = holding(&[
        (".sourceignore", "\u{feff}node_modules\r\n# comment\n*.md\n/top.txt\n!logo.png\n"),
        ("node_modules/a/index.js", "x"),
        ("base/node_modules/index.js", "x"),
        ("top.txt", "x"),
        ("base/top.txt", "x"),
        ("a.md", "x"),
        ("logo.png", "x"),
        ("base/.sourceignore", "!kept.md\n/own\n"),
        ("base/kept.md", "x"),
        ("base/other.md", "x"),
        ("base/own", "x"),
        ("base/deep/own", "x"),
        ("own", "x"),
    ]);
    let (packed, left_out) = split(&dir, &PackOptions::default());
    let want =
        [".sourceignore", "base/.sourceignore", "base/deep/own", "base/kept.md", "base/top.txt", "logo.png", "own"];
    assert_eq!(packed, want);
    assert_eq!(left_out, ["a.md", "base/node_modules/", "base/other.md", "base/own", "node_modules/", "top.txt"]);
    let (packed, _) = split(&dir, &options(Some(&["*.png", "kept.md"]), &[]));
    assert!(!packed.iter().any(|path| path == "logo.png" || path == "base/kept.md"), "what is given goes before");
}

/// The example of Flux's documentation.
#[test]
fn sourceignore_that_leaves_everything_out_can_bring_a_directory_back() {
    let dir = holding(&[
        (
            ".sourceignore",
            "# exclude all\n/*\n# include deploy dir\n!/deploy\n# exclude file extensions\n/deploy/**/*.md\n",
        ),
        ("deploy/a.yaml", "x"),
        ("deploy/base/b.yaml", "x"),
        ("deploy/base/b.md", "x"),
        ("docs/c.yaml", "x"),
    ]);
    let (packed, left_out) = split(&dir, &PackOptions::default());
    assert_eq!(packed, ["deploy/a.yaml", "deploy/base/b.yaml"]);
    assert_eq!(left_out, [".sourceignore", "app.yaml", "deploy/base/b.md", "docs/"]);
}

#[test]
fn sourceignore_that_cannot_be_read_is_refused_by_its_line() {
    let dir = holding(&[(".sourceignore", "a\nb[z-a]\n")]);
    assert!(
        error(&dir, &PackOptions::default()).starts_with("SOURCE_INVALID DIR/.sourceignore cannot be read at line 2: ")
    );
    fs::write(dir.path().join(".sourceignore"), b"a\xff").unwrap();
    assert_eq!(error(&dir, &PackOptions::default()), "SOURCE_INVALID DIR/.sourceignore is not UTF-8");
    let directory = directory(&[".sourceignore/a.yaml"]);
    assert_eq!(split(&directory, &PackOptions::default()).0, [".sourceignore/a.yaml"]);
}

#[test]
fn secrets_and_repositories_are_left_out_unless_they_are_named() {
    let secrets = [".env", ".env.local", "base/id_rsa", "base/tls.key", "ca.pem"];
    let dir = holding(&[&secrets.map(|path| (path, "x"))[..], &[("key.txt", KEY), (".hg/store", "x")]].concat());
    let (packed, left_out) = split(&dir, &PackOptions::default());
    assert_eq!(packed, [""; 0]);
    assert_eq!(left_out, [".env", ".env.local", ".hg/", "base/id_rsa", "base/tls.key", "ca.pem", "key.txt"]);
    let (packed, left_out) = split(&dir, &options(None, &["./base//tls.key", "key.txt", ".env", ".hg/"]));
    assert_eq!(packed, [".env", ".hg/store", "base/tls.key", "key.txt"]);
    assert_eq!(left_out, [".env.local", "base/id_rsa", "ca.pem"]);
}

#[test]
fn included_directory_is_packed_without_its_secrets() {
    let dir = holding(&[
        (".sourceignore", "node_modules\n"),
        ("node_modules/a/index.js", "x"),
        ("node_modules/a/.env", "x"),
        ("node_modules/b/index.js", "x"),
        ("a.png", "x"),
    ]);
    let (packed, left_out) = split(&dir, &options(None, &["node_modules/a", "a.png"]));
    assert_eq!(packed, [".sourceignore", "a.png", "node_modules/a/index.js"]);
    assert_eq!(left_out, ["node_modules/a/.env", "node_modules/b/"]);
    let (packed, left_out) = split(&dir, &options(None, &["node_modules/a/.env"]));
    assert_eq!(packed, [".sourceignore", "node_modules/a/.env"]);
    assert_eq!(left_out, ["a.png", "node_modules/a/index.js", "node_modules/b/"]);
}

#[test]
fn include_that_leads_nowhere_is_refused() {
    let dir = directory(&[]);
    let wrong = |path| error(&dir, &options(None, &[path]));
    assert_eq!(
        wrong("deploy/.env"),
        "SOURCE_INVALID DIR has no deploy/.env, which was to be included; a path inside the directory is needed"
    );
    for path in ["", ".", "/etc/passwd", "../x", "a/../../x"] {
        let want = format!("VALUE_INVALID include: {path:?} is no path inside the directory that is packed");
        assert_eq!(wrong(path), want);
    }
}

#[test]
fn link_to_a_secret_is_refused_unless_the_link_is_named() {
    let dir = holding(&[(".env", "x"), ("base/key.txt", KEY)]);
    symlink("../.env", dir.path().join("base/config.txt")).unwrap();
    let why = "is a symbolic link into what is not packed; it can be included by its name";
    assert_eq!(error(&dir, &PackOptions::default()), format!("SOURCE_INVALID DIR/base/config.txt {why}"));
    let (packed, left_out) = split(&dir, &options(None, &["base/config.txt"]));
    assert_eq!((packed, left_out), (vec!["base/config.txt".to_owned()], vec![".env".into(), "base/key.txt".into()]));
    fs::remove_file(dir.path().join("base/config.txt")).unwrap();
    symlink("base/key.txt", dir.path().join("other.txt")).unwrap();
    assert_eq!(split(&dir, &PackOptions::default()).1, [".env", "base/key.txt", "other.txt"]);
}

#[test]
fn what_is_left_out_is_not_read() {
    let dir = directory(&[]);
    symlink("/nowhere/at/all", dir.path().join("a.png")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("b.png")).unwrap();
    fs::File::create(dir.path().join("c.png")).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(split(&dir, &PackOptions::default()).1, ["a.png", "b.png", "c.png"]);
}
