//! `MemoryRegistry`, by name: what is done to it here goes around its port.

use serde_json::{Value, json};
use tagwarden::registry::{Call, Chaos, MemoryRegistry};
use tagwarden::{Error, ErrorKind, Repository, Result, Tag};

use crate::fields::Fields;
use crate::registry::{manifest, manifest_json};
use crate::{faults, promoter::Given};

/// Calls the registry's method of this name: `push`, `push_image`, `store_blob`, `overwrite`, `delete_tag`,
/// `delete_manifest`, `delete_blob`, `peek`, `holds`, `script`, `script_reads`, `chaos`, `calm`, `latency`, `faults_left`,
/// `calls`, `clear_calls` or `changes`.
pub fn memory(core: &MemoryRegistry, method: &str, mut asked: Fields) -> Result<Given> {
    let given = match method {
        "push" => {
            let (repository, tag) = place(&mut asked)?;
            let manifest = manifest(&mut asked)?;
            json!(core.push(&repository, &tag, &manifest))
        }
        "push_image" => {
            let (repository, tag) = place(&mut asked)?;
            manifest_json(&core.push_image(&repository, &tag, asked.need("number")?))
        }
        "store_blob" => {
            let repository: Repository = asked.need("repository")?;
            json!(core.store_blob(&repository, asked.bytes("bytes")?))
        }
        "overwrite" => {
            let (repository, tag) = place(&mut asked)?;
            let manifest = manifest(&mut asked)?;
            json!(core.overwrite(&repository, &tag, &manifest))
        }
        "delete_tag" => {
            let (repository, tag) = place(&mut asked)?;
            json!(core.delete_tag(&repository, &tag))
        }
        "delete_manifest" => json!(core.delete_manifest(&asked.need("repository")?, &asked.need("digest")?)),
        "delete_blob" => json!(core.delete_blob(&asked.need("repository")?, &asked.need("digest")?)),
        "peek" => {
            let (repository, tag) = place(&mut asked)?;
            json!(core.peek(&repository, &tag))
        }
        "holds" => json!(core.holds(&asked.need("repository")?, &asked.need("digest")?)),
        "script" => {
            let faults: Vec<_> = asked.items("faults")?.into_iter().map(faults::put).collect::<Result<_>>()?;
            match asked.take::<Tag>("tag")? {
                Some(tag) => core.script_when(move |call| call.puts(&tag), faults),
                None => core.script(faults),
            }
            Value::Null
        }
        "script_reads" => {
            let faults: Vec<_> = asked.items("faults")?.into_iter().map(faults::read).collect::<Result<_>>()?;
            match asked.take::<Tag>("tag")? {
                Some(tag) => core.script_reads_when(move |call| call.resolves(&tag), faults),
                None => core.script_reads(faults),
            }
            Value::Null
        }
        "chaos" => {
            let mut chaos = Chaos::new(asked.need("seed")?, asked.need("percent")?);
            chaos.latency = asked.ms("latency")?.unwrap_or(chaos.latency);
            chaos.lag = asked.ms("lag")?.unwrap_or(chaos.lag);
            core.chaos(chaos);
            Value::Null
        }
        "calm" => {
            core.calm();
            Value::Null
        }
        "latency" => {
            let latency = asked.ms("latency")?;
            core.latency(latency.unwrap_or_default());
            Value::Null
        }
        "faults_left" => json!(core.faults_left()),
        "calls" => core.calls().iter().map(call_json).collect(),
        "clear_calls" => {
            core.clear_calls();
            Value::Null
        }
        "changes" => core
            .changes()
            .iter()
            .map(|change| json!({ "repository": change.repository, "tag": change.tag, "to": change.to }))
            .collect(),
        other => return Err(Error::new(ErrorKind::InternalFault, format!("a memory registry has no method {other}"))),
    };
    asked.end()?;
    Given::json(&given)
}

fn place(asked: &mut Fields) -> Result<(Repository, Tag)> {
    Ok((asked.need("repository")?, asked.need("tag")?))
}

fn call_json(call: &Call) -> Value {
    match call {
        Call::Resolve { repository, tag } => json!({ "call": "resolve", "repository": repository, "tag": tag }),
        Call::Fetch { reference } => json!({ "call": "fetch", "reference": reference }),
        Call::Put { repository, tag, digest } => {
            json!({ "call": "put", "repository": repository, "tag": tag, "digest": digest })
        }
        Call::Tags { repository } => json!({ "call": "tags", "repository": repository }),
        Call::HasBlob { repository, digest } => {
            json!({ "call": "has_blob", "repository": repository, "digest": digest })
        }
    }
}
