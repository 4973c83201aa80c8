//! Flux artifacts: packed from a directory, pushed under a version tag.

use std::collections::HashMap;
use std::sync::Arc;

use napi::bindgen_prelude::{Buffer, JsObjectValue as _, Object, Unknown};
use napi_derive::napi;
use tagwarden::flux;
use tagwarden::{Repository, Tag};
use tagwarden_bind::artifact::PackArgs;
use tagwarden_bind::convert::to;

use crate::args::{Options, class};
use crate::call::{Promise, env, run};
use crate::given::{Many, Text, When};
use crate::host::List;
use crate::registry::{GivenManifest, OciRegistry};

options! {
    /// The origin of a directory of Kubernetes manifests, and the files of it to pack.
    #[derive(Default)]
    pub struct PackOptions {
        /// The URL of the source repository; a user or password in it is left out. By default git's remote `origin`, else
        /// the CI's.
        pub source: Option<String>,
        /// `branch@sha1:<40 hex>`: the branch or tag, and its whole commit. By default git's branch (else the CI's branch
        /// or tag, else a tag of the commit) and commit; outside of a git repository the CI's.
        pub revision: Option<String>,
        /// When the content was made, written in whole seconds; releases are put in order by it. By default the time in
        /// SOURCE_DATE_EPOCH, else that of the commit, else now.
        pub created: Option<When>,
        /// Patterns of paths to leave out, as in a `.gitignore`. By default those of `flux push artifact`: `.git/`,
        /// `.gitignore`, `.gitmodules`, `.gitattributes`, `*.jpg`, `*.jpeg`, `*.gif`, `*.png`, `*.wmv`, `*.flv`,
        /// `*.tar.gz`, `*.zip`; patterns of your own replace these.
        pub ignore_paths: Option<Many<String>>,
        /// Paths inside the directory that are always packed, even if a pattern matches them. By default none.
        pub include: Option<Many<String>>,
    }
}

/// A directory packed as Flux consumes it.
#[napi]
pub struct Artifact {
    core: Arc<flux::Packed>,
    warnings: List<String>,
}

#[napi]
impl Artifact {
    /// The manifest.
    #[napi(getter, catch_unwind)]
    pub fn manifest(&self) -> GivenManifest {
        to(self.core.artifact.manifest().clone())
    }

    /// Its config and its layer.
    #[napi(getter, catch_unwind)]
    pub fn blobs(&self) -> List<Buffer> {
        self.core.artifact.blobs().iter().map(|blob| blob.to_vec().into()).collect()
    }

    /// The digest of the manifest.
    #[napi(getter, catch_unwind)]
    pub fn digest(&self) -> String {
        to(self.core.artifact.manifest().digest())
    }

    /// The paths inside the directory that were left out; a directory as a whole, with `/` at its end.
    #[napi(getter, catch_unwind)]
    pub fn left_out(&self) -> List<String> {
        self.core.left_out.iter().map(ToString::to_string).collect()
    }

    /// Warnings for people: the directory differs from its commit, or `created` is the clock's time.
    #[napi(getter, catch_unwind)]
    pub fn warnings(&self) -> List<String> {
        self.warnings.clone()
    }
}

/// Packs a directory as an artifact that Flux consumes. The same files, source, revision and time give the same digest.
///
/// Also left out are the paths that a `.sourceignore` matches, in its directory and below; and, unless `include` names
/// them, `.env` and `.env.*`, private keys (by their name or their content), `*.pem`, `.git`, `.hg`, `.svn` and `.jj`.
///
/// SOURCE_INVALID for a file that cannot be packed; VALUE_INVALID for an invalid option, or if neither git nor a CI names
/// the source or the revision.
#[napi(catch_unwind)]
pub fn pack_artifact(directory: String, options: Option<Options<PackOptions>>) -> napi::Result<Promise<Artifact>> {
    let process: Object<'_> = env()?.get_global()?.get_named_property("process")?;
    let environment: HashMap<String, String> = process.get_named_property_unchecked("env")?;
    let Options { rest, abort } = options.unwrap_or_default();
    let PackOptions { source, revision, created, ignore_paths, include } = rest;
    let (directory, created) = (directory.into(), created.map(|Text(created)| created));
    let (ignore_paths, include) =
        (ignore_paths.map(|Many(paths)| paths), include.map_or(Vec::new(), |Many(paths)| paths));
    let packed = PackArgs { directory, source, revision, created, ignore_paths, include, environment };
    Ok(run(abort, async move {
        let (core, warnings) = packed.pack().await?;
        Ok(Artifact { core: Arc::new(core), warnings: to(warnings) })
    }))
}

/// Pushes an artifact and points a version tag at it. Returns the digest that was read back. Safe to repeat.
/// REGISTRY_REFUSED if the tag points at another digest: a version tag never moves.
#[napi(catch_unwind)]
pub fn push_artifact(
    #[napi(ts_arg_type = "Artifact")] artifact: Unknown<'_>,
    #[napi(ts_arg_type = "OciRegistry")] registry: Unknown<'_>,
    repository: Text<Repository>,
    tag: Text<Tag>,
    options: Option<Options>,
) -> napi::Result<Promise<String>> {
    let packed = class::<Artifact>(&artifact, "what is pushed is what packArtifact returned")?;
    let registry = class::<OciRegistry>(&registry, "an artifact is pushed to an OciRegistry")?;
    let (packed, registry) = (Arc::clone(&packed.core), registry.core.clone());
    Ok(run(options.unwrap_or_default().abort, async move {
        Ok(to(packed.artifact.push(&registry, &repository, &tag).await?))
    }))
}
