//! `MemoryRegistry`, called by method name. These calls do not go through its port.

use serde_json::{Value, json};
use tagwarden::{Digest, Error, ErrorKind, Repository, Result, Tag};
use tagwarden_testing::{Call, Change, MemoryRegistry, RandomFaults};

use crate::fields::Fields;
use crate::registry::{manifest, manifest_json};
use crate::{faults, promoter::Given};

/// The action of a call, after all of its arguments were read.
type Act = Box<dyn FnOnce(&MemoryRegistry) -> Value>;

/// Calls the registry's method of this name: `push`, `push_image`, `store_blob`, `overwrite`, `delete_tag`,
/// `delete_manifest`, `delete_blob`, `peek`, `holds`, `hide`, `unhide`, `script`, `script_reads`, `lag`, `chaos`,
/// `calm`, `latency`, `faults_left`, `calls`, `clear_calls` or `changes`. If an argument is wrong, nothing is changed.
pub fn memory(core: &MemoryRegistry, method: &str, mut asked: Fields) -> Result<Given> {
    let act = read(method, &mut asked)?;
    asked.end()?;
    Given::json(&act(core))
}

fn read(method: &str, asked: &mut Fields) -> Result<Act> {
    Ok(match method {
        "push" => {
            let ((repository, tag), manifest) = (place(asked)?, manifest(asked)?);
            act(move |core| json!(core.push(&repository, &tag, &manifest)))
        }
        "push_image" => {
            let ((repository, tag), number) = (place(asked)?, asked.need("number")?);
            act(move |core| manifest_json(&core.push_image(&repository, &tag, number)))
        }
        "store_blob" => {
            let (repository, bytes): (Repository, _) = (asked.written("repository")?, asked.bytes("bytes")?);
            act(move |core| json!(core.store_blob(&repository, bytes)))
        }
        "overwrite" => {
            let ((repository, tag), manifest) = (place(asked)?, manifest(asked)?);
            act(move |core| json!(core.overwrite(&repository, &tag, &manifest)))
        }
        "delete_tag" => {
            let (repository, tag) = place(asked)?;
            act(move |core| json!(core.delete_tag(&repository, &tag)))
        }
        "delete_manifest" => {
            let (repository, digest) = kept(asked)?;
            act(move |core| json!(core.delete_manifest(&repository, &digest)))
        }
        "delete_blob" => {
            let (repository, digest) = kept(asked)?;
            act(move |core| json!(core.delete_blob(&repository, &digest)))
        }
        "peek" => {
            let (repository, tag) = place(asked)?;
            act(move |core| json!(core.peek(&repository, &tag)))
        }
        "holds" => {
            let (repository, digest) = kept(asked)?;
            act(move |core| json!(core.holds(&repository, &digest)))
        }
        "script" => {
            let faults: Vec<_> = asked.items("faults")?.into_iter().map(faults::put).collect::<Result<_>>()?;
            match asked.take::<Tag>("tag")? {
                Some(tag) => set(move |core| core.script_when(move |call| call.puts(&tag), faults)),
                None => set(move |core| core.script(faults)),
            }
        }
        "script_reads" => {
            let faults: Vec<_> = asked.items("faults")?.into_iter().map(faults::read).collect::<Result<_>>()?;
            match asked.take::<Tag>("tag")? {
                Some(tag) => set(move |core| core.script_reads_when(move |call| call.resolves(&tag), faults)),
                None => set(move |core| core.script_reads(faults)),
            }
        }
        "chaos" => {
            let mut chaos = RandomFaults::new(asked.need("seed")?, asked.need("percent")?);
            chaos.latency = asked.ms("latency")?.unwrap_or(chaos.latency);
            chaos.lag = asked.ms("lag")?.unwrap_or(chaos.lag);
            set(move |core| core.chaos(chaos))
        }
        "lag" => {
            let window = asked.need_ms("window")?;
            set(move |core| core.lag(window))
        }
        "hide" => {
            let ((repository, digest), answer) = (kept(asked)?, faults::error_answer(asked)?);
            set(move |core| core.hide(&repository, &digest, answer))
        }
        "unhide" => {
            let (repository, digest) = kept(asked)?;
            act(move |core| json!(core.unhide(&repository, &digest)))
        }
        "calm" => set(MemoryRegistry::calm),
        "latency" => {
            let latency = asked.ms("latency")?.unwrap_or_default();
            set(move |core| core.latency(latency))
        }
        "faults_left" => act(|core| json!(core.faults_left())),
        "calls" => act(|core| core.calls().iter().map(call_json).collect()),
        "clear_calls" => set(MemoryRegistry::clear_calls),
        "changes" => act(|core| core.changes().iter().map(change_json).collect()),
        other => return Err(Error::new(ErrorKind::InternalFault, format!("a memory registry has no method {other}"))),
    })
}

/// An action that returns a value.
fn act(act: impl FnOnce(&MemoryRegistry) -> Value + 'static) -> Act {
    Box::new(act)
}

/// An action that returns nothing.
fn set(set: impl FnOnce(&MemoryRegistry) + 'static) -> Act {
    act(|core| {
        set(core);
        Value::Null
    })
}

fn place(asked: &mut Fields) -> Result<(Repository, Tag)> {
    Ok((asked.written("repository")?, asked.need("tag")?))
}

fn kept(asked: &mut Fields) -> Result<(Repository, Digest)> {
    Ok((asked.written("repository")?, asked.need("digest")?))
}

fn change_json(change: &Change) -> Value {
    json!({ "repository": change.repository, "tag": change.tag, "digest": change.digest })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Style;

    #[test]
    fn where_anything_is_wrong_nothing_is_done() {
        let core = MemoryRegistry::new();
        let call = |method: &str, text: &str| memory(&core, method, Fields::parse(Style::Camel, method, text).unwrap());
        let error = call("script", r#"{"faults": [{"fault": "after"}], "tagg": "prod"}"#).unwrap_err();
        assert_eq!(error.message(), "script: tagg: it is not known here");
        assert_eq!(core.faults_left(), 0);
        call("push_image", r#"{"repository": "reg.io/shop", "tag": "prod", "number": 1, "platform": "arm"}"#)
            .unwrap_err();
        assert_eq!(core.peek(&"reg.io/shop".parse().unwrap(), &"prod".parse().unwrap()), None);
        call("script", r#"{"faults": [{"fault": "after"}], "tag": "prod"}"#).unwrap();
        assert_eq!(core.faults_left(), 1);
    }

    #[test]
    fn error_of_a_registry_needs_a_code_or_a_status() {
        let core = MemoryRegistry::new();
        let script = |fault: &str| {
            let text = format!(r#"{{"faults": [{fault}]}}"#);
            memory(&core, "script", Fields::parse(Style::Camel, "script", &text).unwrap())
        };
        for (fault, why) in [
            (r#"{"fault": "refused", "message": "no"}"#, "code: it is missing, and there is no status either"),
            (r#"{"fault": "refused", "status": 201}"#, "status: 201 is not from 400 to 499"),
            (r#"{"fault": "refused", "code": "DENIED", "status": 500}"#, "status: 500 is not from 400 to 499"),
        ] {
            let error = script(fault).unwrap_err();
            assert!(error.message().ends_with(why), "{}", error.message());
        }
        for fault in [
            r#"{"fault": "refused", "code": "DENIED"}"#,
            r#"{"fault": "refused", "status": 423}"#,
            r#"{"fault": "refused", "code": "X", "status": 409, "message": "frozen"}"#,
        ] {
            script(fault).unwrap();
        }
        assert_eq!(core.faults_left(), 3);
    }
}
