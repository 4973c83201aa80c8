//! The test stories shared with Python and Node have the same results here: receipts, errors, findings, audits,
//! retention plans.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tagwarden::ledger::MemoryLedger;
use tagwarden::log::{Hold, HoldScope, Source, Unhold};
use tagwarden::policy::{ExpectedDigest, Refusal};
use tagwarden::promotion::BootstrapOptions;
use tagwarden::retention::RetentionRule;
use tagwarden::{
    Channel, Digest, Error, MoveOptions, Operation, Pipeline, Promoter, Provenance, ProvenanceParts, Receipt,
    ReleaseExpression, Repository, Result, Tag, Times,
};
use tagwarden_testing::{MemoryRegistry, ReadFault, TestImage};

const SHOP: &str = "registry.example.com/acme/shop";

#[tokio::test]
async fn stories_give_the_listed_results() {
    let stories: Vec<Value> = serde_json::from_str(include_str!("../vectors/stories.json")).unwrap();
    let steps: Vec<&Value> = stories.iter().flat_map(|story| story["steps"].as_array().unwrap()).collect();
    assert!(stories.len() >= 6 && steps.len() >= 60, "{} stories", stories.len());
    for story in &stories {
        tell(story).await;
    }
}

async fn tell(story: &Value) {
    let registry = MemoryRegistry::new();
    let shop: Repository = SHOP.parse().unwrap();
    for (tag, number) in story["images"].as_object().unwrap() {
        registry.push_image(&shop, &tag.parse().unwrap(), number.as_u64().unwrap());
    }
    let short = Duration::from_millis(200);
    let default = Times::default();
    let times = Times::new(default.ttl(), default.grace(), short, short).unwrap().with_settle(short).unwrap();
    let mut promoter = Promoter::builder()
        .registry(Arc::new(registry.clone()))
        .ledger(Arc::new(MemoryLedger::new()))
        .times(times)
        .build()
        .unwrap();
    if let Some(stages) = story.get("pipeline") {
        let names = stages.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        let stages = names.map(|name| json!({ "environment": name, "channel": format!("{SHOP}:{name}") }));
        promoter = promoter
            .to_builder()
            .pipeline(serde_json::from_value::<Pipeline>(stages.collect()).unwrap())
            .build()
            .unwrap();
    }
    for step in story["steps"].as_array().unwrap() {
        let ended = Step { step, shop: &shop, registry: &registry, promoter: &promoter }.told().await;
        let ended = ended.unwrap_or_else(|error| {
            let findings = error.source_as::<Refusal>().map_or(&[][..], Refusal::findings);
            json!({ "code": error.code(), "retry": error.retry().as_str(), "findings": findings })
        });
        assert_eq!(timeless(&ended), step["is"], "{}: {step}", story["name"]);
    }
}

struct Step<'a> {
    step: &'a Value,
    shop: &'a Repository,
    registry: &'a MemoryRegistry,
    promoter: &'a Promoter,
}

impl Step<'_> {
    /// The result of the step.
    async fn told(&self) -> Result<Value> {
        let promoter = self.promoter;
        match self.text("do").unwrap() {
            "push" => {
                self.registry.push_image(self.shop, &self.tag("tag"), self.step["image"].as_u64().unwrap());
                Ok(Value::Null)
            }
            "untag" => Ok(json!(self.registry.delete_tag(self.shop, &self.tag("tag")))),
            "fail_reads" => {
                let times = usize::try_from(self.step["times"].as_u64().unwrap()).unwrap();
                self.registry.script_reads(vec![ReadFault::Unavailable; times]);
                Ok(Value::Null)
            }
            "hold" => {
                let given = self.step.get("scope").cloned();
                let scope = given.map_or(HoldScope::Promotions, |scope| serde_json::from_value(scope).unwrap());
                let hold = Hold { scope, reason: self.reason(), provenance: who(), until: None };
                Ok(json!(promoter.hold(&self.channel(), hold).await?))
            }
            "unhold" => {
                let hold = self.step["hold"].as_u64().unwrap();
                let unhold = Unhold { hold, reason: self.reason(), provenance: who() };
                Ok(json!(promoter.unhold(&self.channel(), unhold).await?))
            }
            "plan" => {
                let plan =
                    promoter.plan(&self.channel(), self.operation(self.text("op").unwrap()), self.terms()).await?;
                let (previous, digest) = plan.change().unwrap();
                Ok(json!({ "change": { "previous_digest": previous, "digest": digest }, "findings": plan.findings() }))
            }
            "audit" => {
                let tags = self.step["channels"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap());
                let channels: Vec<Channel> = tags.map(|tag| format!("{SHOP}:{tag}").parse().unwrap()).collect();
                Ok(json!(promoter.audit(&channels).await?))
            }
            "retention_plan" => Ok(json!(promoter.retention_plan(self.shop, &self.rule()).await?)),
            "may_delete" => {
                let digest = image(self.text("digest").unwrap()).unwrap();
                Ok(json!(promoter.may_delete(self.shop, &self.rule(), &digest).await?))
            }
            op => receipt(promoter.run(&self.channel(), self.operation(op), self.terms()).await),
        }
    }

    fn operation(&self, op: &str) -> Operation {
        let source = self.text("source").map(|tag| Source::Reference(format!("{SHOP}:{tag}").parse().unwrap()));
        let live = self.text("source_channel").map(|tag| Source::Channel(format!("{SHOP}:{tag}").parse().unwrap()));
        let source = source.or(live).map(ReleaseExpression::from);
        match op {
            "bootstrap" => Operation::Bootstrap(BootstrapOptions { source, ..BootstrapOptions::default() }),
            "promote" => Operation::Promote(source.unwrap()),
            "rollback" => Operation::Rollback(self.text("to").and_then(image).map(ReleaseExpression::from)),
            "repair" => Operation::Repair,
            "adopt" => Operation::Adopt,
            other => panic!("{other} is not known"),
        }
    }

    fn terms(&self) -> MoveOptions {
        let mut terms = MoveOptions::new(who());
        terms.idempotency_key = self.text("idempotency_key").map(|key| key.parse().unwrap());
        terms.reason = self.text("reason").map(|reason| reason.parse().unwrap());
        terms.expected = match self.text("expected") {
            None => ExpectedDigest::Any,
            Some("absent") => ExpectedDigest::Absent,
            Some(at) => ExpectedDigest::At(image(at).unwrap()),
        };
        terms
    }

    fn rule(&self) -> RetentionRule {
        let Some(rule) = self.step.get("rule") else { return RetentionRule::default() };
        RetentionRule {
            keep_last: serde_json::from_value(rule["keep_last"].clone()).unwrap(),
            keep_for: Duration::from_secs(rule["keep_for_s"].as_u64().unwrap()),
        }
    }

    fn channel(&self) -> Channel {
        format!("{SHOP}:{}", self.text("channel").unwrap()).parse().unwrap()
    }

    fn reason(&self) -> tagwarden::Line {
        self.text("reason").unwrap().parse().unwrap()
    }

    fn tag(&self, name: &str) -> Tag {
        self.text(name).unwrap().parse().unwrap()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.step.get(name).map(|text| text.as_str().unwrap())
    }
}

fn who() -> Provenance {
    let mut parts = ProvenanceParts::default();
    parts.provider = Some("manual".parse().unwrap());
    parts.run_id = Some("run-1".parse().unwrap());
    parts.actor = Some("ada".parse().unwrap());
    parts.commit = Some("f0b6723".parse().unwrap());
    parts.release = Some("v1".parse().unwrap());
    parts.build().unwrap()
}

fn receipt(given: Result<Receipt, Error>) -> Result<Value> {
    let json = json!(given?);
    let parts = ["result", "previous_digest", "digest"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), json.get(name)?.clone())));
    Ok(Value::Object(parts.collect()))
}

/// The digest of an image: `image 3` is image number 3.
fn image(text: &str) -> Option<Digest> {
    let number = text.strip_prefix("image ")?.parse().unwrap();
    Some(TestImage::image(number).digest())
}

/// The value with every time replaced by the same one.
fn timeless(ended: &Value) -> Value {
    match ended {
        Value::String(text) => {
            let words =
                text.split(' ').map(|word| if word.parse::<tagwarden::Timestamp>().is_ok() { "TIME" } else { word });
            Value::String(words.collect::<Vec<_>>().join(" "))
        }
        Value::Array(items) => items.iter().map(timeless).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), timeless(value))).collect(),
        other => other.clone(),
    }
}
