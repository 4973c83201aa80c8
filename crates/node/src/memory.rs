//! `MemoryRegistry`: a registry in memory, for tests.

use napi_derive::napi;
use tagwarden::registry::Fault;
use tagwarden::{Digest, Error, Repository, Result, Tag, registry};

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

    /// `{faults: [fault, …]}`: the next puts meet them, in order, one each.
    #[napi(catch_unwind)]
    pub fn script(&self, request: String) -> napi::Result<()> {
        let faults = || {
            let mut asked = Fields::parse("script", &request)?;
            let faults = asked.list("faults")?.into_iter().map(fault).collect::<Result<Vec<_>>>()?;
            asked.end()?;
            self.core.script(faults);
            Ok(())
        };
        faults().map_err(|error: Error| thrown(&error))
    }

    /// How many scripted faults no call has met yet.
    #[napi(catch_unwind)]
    pub fn faults_left(&self) -> u32 {
        u32::try_from(self.core.faults_left()).unwrap_or(u32::MAX)
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

/// A fault of a put: `{fault, ms?, reads?}`.
fn fault(mut given: Fields) -> Result<Fault> {
    let name: String = given.need("fault")?;
    let time = |given: &mut Fields| given.ms("ms")?.ok_or_else(|| given.wrong("ms", "it is missing"));
    let fault = match name.as_str() {
        "pass" => Fault::Pass,
        "before" => Fault::Before,
        "after" => Fault::After,
        "refused" => Fault::Refused("DENIED"),
        "denied" => Fault::Denied,
        "late" => Fault::Late(time(&mut given)?),
        "twice" => Fault::Twice(time(&mut given)?),
        "slow" => Fault::Slow(time(&mut given)?),
        "stale" => Fault::Stale(given.need("reads")?),
        "gone" => Fault::Gone,
        "ignored" => Fault::Ignored,
        other => return Err(given.wrong("fault", format!("{other:?} is not known"))),
    };
    given.end()?;
    Ok(fault)
}
