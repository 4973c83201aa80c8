//! `MemoryRegistry`: a registry in memory, for tests.

use napi_derive::napi;
use tagwarden::{Digest, Repository, Result, Tag, registry};

use crate::call::text;
use crate::error::thrown;
use crate::fields::Fields;
use crate::registry::{Registry, manifest};

/// A registry in memory. What is done to it here goes around its port: no call, no fault.
#[napi]
pub struct MemoryRegistry {
    core: registry::MemoryRegistry,
}

impl MemoryRegistry {
    pub(crate) fn of(core: registry::MemoryRegistry) -> MemoryRegistry {
        MemoryRegistry { core }
    }
}

#[napi]
impl MemoryRegistry {
    #[napi(constructor, catch_unwind)]
    pub fn new() -> MemoryRegistry {
        MemoryRegistry::of(registry::MemoryRegistry::new())
    }

    #[napi(catch_unwind)]
    pub fn port(&self) -> Registry {
        Registry::of(self.core.clone())
    }

    /// `{repository, tag, number}`: the manifest's digest.
    #[napi(catch_unwind)]
    pub fn push_image(&self, request: String) -> napi::Result<String> {
        self.set("pushImage", &request, |core, asked, repository, tag| {
            Ok(core.push_image(repository, tag, asked.need("number")?).digest())
        })
    }

    /// `{repository, tag, bytes, mediaType}`: the manifest's digest.
    #[napi(catch_unwind)]
    pub fn push(&self, request: String) -> napi::Result<String> {
        self.set("push", &request, |core, asked, repository, tag| Ok(core.push(repository, tag, &manifest(asked)?)))
    }

    /// `{repository, tag}`: whether it was there.
    #[napi(catch_unwind)]
    pub fn delete_tag(&self, request: String) -> napi::Result<String> {
        self.set("deleteTag", &request, |core, _, repository, tag| Ok(core.delete_tag(repository, tag)))
    }

    /// `{repository, tag}`: the digest, or null.
    #[napi(catch_unwind)]
    pub fn peek(&self, request: String) -> napi::Result<String> {
        self.set("peek", &request, |core, _, repository, tag| Ok::<Option<Digest>, _>(core.peek(repository, tag)))
    }
}

impl MemoryRegistry {
    fn set<T: serde::Serialize>(
        &self,
        call: &str,
        request: &str,
        act: impl FnOnce(&registry::MemoryRegistry, &mut Fields, &Repository, &Tag) -> Result<T>,
    ) -> napi::Result<String> {
        let done = || {
            let mut asked = Fields::parse(call, request)?;
            let (repository, tag) = (asked.need("repository")?, asked.need("tag")?);
            let done = act(&self.core, &mut asked, &repository, &tag)?;
            asked.end()?;
            text(&done)
        };
        done().map_err(|error| thrown(&error))
    }
}
