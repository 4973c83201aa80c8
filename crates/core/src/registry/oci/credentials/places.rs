//! `Place`: a file, or a variable, in which docker, podman, skopeo, buildah or helm store logins.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Read};
use std::path::{Path, PathBuf};

use super::file::LoginFile;
use super::login::invalid;
use super::variables::Variables;
use crate::error::{Error, ErrorKind, Result};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// The variable that has the logins themselves, in the format of the file (docker 28.3, GitLab).
const TEXT: &str = "DOCKER_AUTH_CONFIG";

/// A place of stored logins.
pub(super) enum Place {
    File(PathBuf),
    /// The value of the variable [`TEXT`].
    Text(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Text(_) => f.write_str(TEXT),
        }
    }
}

impl Place {
    /// Every place, in the order in which they are looked at: the ones that a variable names, then those of podman,
    /// skopeo and buildah, of docker, and of helm. `containers` is the directory that podman uses without a runtime
    /// directory.
    pub(super) fn all(variables: &Variables, containers: Option<&Path>) -> Vec<Place> {
        let home = variables.path("HOME").or_else(|| variables.path("USERPROFILE"));
        let under = |dir: &Option<PathBuf>, rest: &str| dir.as_ref().map(|dir| dir.join(rest));
        let config = variables.path("XDG_CONFIG_HOME").or_else(|| under(&home, ".config"));
        let runtime = variables.path("XDG_RUNTIME_DIR").map(|dir| dir.join("containers"));
        let runtime = runtime.or_else(|| containers.map(Path::to_owned));
        let docker = variables.path("DOCKER_CONFIG").or_else(|| under(&home, ".docker"));
        // On macOS helm has a directory of its own.
        let library = if cfg!(target_os = "macos") { under(&home, "Library/Preferences/helm") } else { None };
        let helm = variables.path("HELM_CONFIG_HOME").or(library).or_else(|| under(&config, "helm"));
        let helm = variables.path("HELM_REGISTRY_CONFIG").or_else(|| under(&helm, "registry/config.json"));
        let rest =
            [under(&runtime, "auth.json"), under(&config, "containers/auth.json"), under(&docker, "config.json"), helm];

        let mut places = Vec::new();
        let mut seen = BTreeSet::new();
        let mut add = |places: &mut Vec<Place>, file: Option<PathBuf>| {
            places.extend(file.filter(|file| seen.insert(file.clone())).map(Place::File));
        };
        add(&mut places, variables.path("REGISTRY_AUTH_FILE"));
        places.extend(variables.get(TEXT).map(|text| Place::Text(text.to_owned())));
        rest.into_iter().for_each(|file| add(&mut places, file));
        places
    }

    /// The logins; none if the file does not exist. CONFIG_INVALID, with its name, if it cannot be read or is broken.
    pub(super) fn read(&self) -> Result<Option<LoginFile>> {
        let parse = |text: &[u8]| LoginFile::parse(text).map(Some).map_err(|error| self.about(&error));
        let path = match self {
            Place::File(path) => path,
            Place::Text(text) => return parse(text.as_bytes()),
        };
        let mut text = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut text));
        match read {
            Ok(length) if length as u64 > MAX_FILE => {
                Err(self.about(&invalid(format!("it has over {MAX_FILE} bytes"))))
            }
            Ok(_) => parse(&text),
            // A path through a file, such as a home directory /dev/null, has no file either.
            Err(e) if matches!(e.kind(), IoErrorKind::NotFound | IoErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(self.about(&invalid(format!("it cannot be read: {e}")))),
        }
    }

    /// The error, with the name of the place.
    pub(super) fn about(&self, error: &Error) -> Error {
        Error::new(ErrorKind::ConfigInvalid, format!("{self}: {error}"))
    }
}

/// The directory in which podman, skopeo and buildah store logins if there is no runtime directory.
pub(super) fn containers() -> Option<PathBuf> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt;
        // The directory of a process belongs to its user.
        let user = std::fs::metadata("/proc/self").ok()?.uid();
        Some(PathBuf::from(format!("/run/containers/{user}")))
    }
    #[cfg(not(target_os = "linux"))]
    None
}
