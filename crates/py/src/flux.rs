//! Flux artifacts: packed from a directory, pushed under a version tag.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use pyo3::prelude::*;
use tagwarden::flux;
use tagwarden_bind::artifact::PackArgs;
use tagwarden_bind::convert::to;

use crate::args::{Text, text};
use crate::error::Raises;
use crate::host::{List, Time};
use crate::provenance::texts;
use crate::registry::{Manifest, OciRegistry};
use crate::value::{Digest, Repository, Tag};

/// A packed Flux artifact: a manifest, its config and its layer; and the paths that were left out.
#[pyclass(frozen, weakref, module = "tagwarden")]
pub(crate) struct Artifact {
    artifact: Arc<flux::Artifact>,
    /// The paths inside the directory that were left out; a directory as a whole, with ``/`` at its end.
    #[pyo3(get)]
    left_out: List<String>,
    /// Warnings for people: the directory differs from its commit, or ``created`` is the clock's time.
    #[pyo3(get)]
    warnings: List<String>,
}

#[pymethods]
impl Artifact {
    /// The digest of its manifest.
    #[getter]
    fn digest(&self) -> Digest {
        Digest(self.artifact.manifest().digest())
    }

    /// Its manifest.
    #[getter]
    fn manifest(&self) -> Manifest {
        Manifest::of(self.artifact.manifest())
    }

    /// Its config and its layer.
    #[getter]
    fn blobs(&self) -> (Bytes, Bytes) {
        let [config, layer] = self.artifact.blobs().map(Clone::clone);
        (config, layer)
    }
}

functions! {
    /// Packs the files of a directory, 64 MiB at most. Equal files, source, revision and time give an equal digest.
    ///
    /// - ``source``: the URL of the source repository; a user or password in it is left out. By default that of git's
    ///   remote ``origin``, else the CI's.
    /// - ``revision``: ``<branch or tag>@sha1:<40 hex>``, or ``@sha256:<64 hex>``: the whole commit. By default git's
    ///   branch (else the CI's branch or tag, else a tag of the commit) and commit; outside of a git repository the
    ///   CI's.
    /// - ``created``: when the content was made, an aware datetime, written in whole seconds; releases are put in order
    ///   by it. By default the time in SOURCE_DATE_EPOCH, else that of the commit, else now.
    /// - ``ignore_paths``: patterns of paths to leave out, as in a ``.gitignore``. By default, as ``flux push
    ///   artifact``: ``.git/``, ``.gitignore``, ``.gitmodules``, ``.gitattributes``, ``*.jpg``, ``*.jpeg``, ``*.gif``,
    ///   ``*.png``, ``*.wmv``, ``*.flv``, ``*.tar.gz``, ``*.zip``; patterns of your own replace these.
    /// - ``include``: paths inside the directory that are always packed, even if a pattern matches them.
    ///
    /// Also left out are the paths that a ``.sourceignore`` matches, in its directory and below; and, unless
    /// ``include`` names them, ``.env`` and ``.env.*``, private keys (by their name or their content), ``*.pem``,
    /// ``.git``, ``.hg``, ``.svn`` and ``.jj``. ``Artifact.left_out`` lists them.
    ///
    /// InvalidValueError SOURCE_INVALID for a file that cannot be packed, with its path; VALUE_INVALID for an invalid
    /// argument, or if neither git nor a CI names the source or the revision.
    fn packing of pack_artifact, pack_artifact_async(
        directory: PathBuf,
        source: Option<Text>,
        revision: Option<Text>,
        created: Option<Time>,
        ignore_paths: Option<List<Text>>,
        include: Option<List<Text>>
    ) as (
        directory, *, source = None, revision = None, created = None, ignore_paths = None, include = None
    ) -> Artifact {
        let environment = Python::attach(|py| texts(&py.import("os")?.getattr("environ")?))?;
        let args = PackArgs {
            directory,
            source: text(source),
            revision: text(revision),
            created: created.map(|Time(time)| time),
            ignore_paths: ignore_paths.map(|paths| paths.texts().collect()),
            include: include.into_iter().flat_map(List::texts).collect(),
            environment,
        };
        Ok(Box::pin(async move {
            let (flux::Packed { artifact, left_out, .. }, warnings) = args.pack().await?;
            Ok(Artifact { artifact: Arc::new(artifact), left_out: List(left_out), warnings: to(warnings) })
        }))
    }

    /// Pushes it and points a version tag at it. Returns the digest that was read back. Safe to repeat.
    ///
    /// RegistryError REGISTRY_REFUSED if the tag points at another digest: a version tag never moves. The other errors
    /// are those of ``OciRegistry``. TypeError for a registry that is no ``OciRegistry``.
    fn pushing of push_artifact, push_artifact_async(
        artifact: &Bound<'_, Artifact>,
        registry: &Bound<'_, OciRegistry>,
        repository: Repository,
        tag: Tag
    ) as (artifact, registry, repository, tag) -> Digest {
        registry.as_super().get().check()?;
        let (artifact, registry) = (Arc::clone(&artifact.get().artifact), registry.get().0.clone());
        Ok(Box::pin(async move { Ok(Digest(artifact.push(&registry, &repository.0, &tag.0).await?)) }))
    }
}
