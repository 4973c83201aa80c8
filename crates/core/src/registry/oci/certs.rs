//! `Certificates`: the certificates for one registry, from directories that docker and podman use as well.

use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;

use crate::error::{Error, ErrorKind, Result};
use crate::tls::{self, Identity};

/// The roots to trust for one registry, and the client's own certificate for it.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    pub(super) roots: Vec<CertificateDer<'static>>,
    pub(super) identity: Option<Identity>,
}

impl Certificates {
    /// The certificates in `<directory>/<registry>`, for the first of the directories that has them; none if no
    /// directory has them. CONFIG_INVALID, with the file, if they cannot be used.
    ///
    /// As in docker's instructions, each `*.crt` has roots, and each `*.cert` a client certificate whose key is the
    /// `*.key` of the same name. Of several client certificates the first by name is used.
    pub(super) fn of(registry: &str, directories: &[PathBuf]) -> Result<Option<Certificates>> {
        // A name cannot have a colon on Windows; docker leaves it out there.
        let name = if cfg!(windows) { registry.replace(':', "") } else { registry.to_owned() };
        for directory in directories {
            let directory = directory.join(&name);
            let files = match std::fs::read_dir(&directory) {
                Ok(files) => files,
                Err(e) if is_absent(e.kind()) => continue,
                Err(e) => return Err(unusable(&directory, &e)),
            };
            let files: Result<Vec<_>, _> = files.map(|file| file.map(|file| file.path())).collect();
            let mut files = files.map_err(|e| unusable(&directory, &e))?;
            files.sort();
            return Certificates::of_files(&files).map(Some);
        }
        Ok(None)
    }

    fn of_files(files: &[PathBuf]) -> Result<Certificates> {
        let mut found = Certificates::default();
        for file in files {
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => found.roots.extend(roots(file)?),
                Some("cert") => {
                    let identity = identity(file, &file.with_extension("key"))?;
                    found.identity.get_or_insert(identity);
                }
                Some("key") if !files.contains(&file.with_extension("cert")) => {
                    return Err(unusable(file, &"its client certificate, the .cert of the same name, is missing"));
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The roots in a PEM file. CONFIG_INVALID, with the file, if it has none.
pub(super) fn roots(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    tls::certificates(&file.display().to_string(), &read(file)?)
}

/// The client certificate in one PEM file with its key in another. CONFIG_INVALID, with the file, if they cannot be
/// used.
pub(super) fn identity(chain: &Path, key: &Path) -> Result<Identity> {
    let (chain_text, key_text) = (read(chain)?, read(key)?);
    Identity::of((&chain.display().to_string(), &chain_text), (&key.display().to_string(), &key_text))
}

/// The directories that are searched by default: those of podman and skopeo, then docker's own, each the user's first.
pub(super) fn default_directories() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let own = home.into_iter().flat_map(|home| {
        [".config/containers/certs.d", ".config/docker/certs.d"].map(|directory| home.join(directory))
    });
    own.chain(["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from)).collect()
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|e| unusable(file, &e))
}

/// True if a directory counts as absent. Docker's own directory can often be read by root alone.
fn is_absent(kind: IoErrorKind) -> bool {
    matches!(kind, IoErrorKind::NotFound | IoErrorKind::NotADirectory | IoErrorKind::PermissionDenied)
}

fn unusable(file: &Path, why: &dyn std::fmt::Display) -> Error {
    let message = format!("{} cannot be used: {why}", file.display());
    Error::new(ErrorKind::ConfigInvalid, message).with_context("file", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = include_str!("../../../../../tests/data/tls/own.pem");
    const CLIENT: &str = include_str!("../../../../../tests/data/tls/client.pem");
    const KEY: &str = include_str!("../../../../../tests/data/tls/client.key");

    /// A directory with these files for `reg.io:5000`.
    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("reg.io:5000");
        std::fs::create_dir(&own).unwrap();
        files.iter().for_each(|(name, text)| std::fs::write(own.join(name), text).unwrap());
        directory
    }

    #[test]
    fn roots_and_client_certificate_are_read_by_the_names_of_files() {
        let other = tempfile::tempdir().unwrap();
        let files = [("ca.crt", ROOT), ("more.crt", ROOT), ("client.cert", CLIENT), ("client.key", KEY), ("note", "x")];
        let directory = directory(&files);
        let directories = [other.path().to_owned(), directory.path().to_owned()];
        let found = Certificates::of("reg.io:5000", &directories).unwrap().unwrap();
        assert_eq!((found.roots.len(), found.identity.is_some()), (2, true));
        for absent in ["reg.io", "reg.io:5001"] {
            assert!(Certificates::of(absent, &directories).unwrap().is_none(), "{absent}");
        }
        assert!(!format!("{found:?}").contains(KEY.lines().nth(1).unwrap()));
    }

    #[test]
    fn unusable_file_is_config_invalid_with_its_name() {
        for (files, want) in [
            (&[("ca.crt", "x")][..], "ca.crt cannot be used: no PEM certificate in the text"),
            (&[("a.cert", CLIENT)], "a.key cannot be used: No such file"),
            (&[("a.cert", "x"), ("a.key", KEY)], "a.cert cannot be used: no PEM certificate in the text"),
            (&[("a.cert", CLIENT), ("a.key", "canary")], "a.key cannot be used: no PEM private key"),
            (&[("a.key", KEY)], "a.key cannot be used: its client certificate"),
        ] {
            let directory = directory(files);
            let error = Certificates::of("reg.io:5000", &[directory.path().to_owned()]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
            assert!(error.to_string().contains(want), "{error}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }
}
