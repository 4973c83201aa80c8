//! A rule of your own beside the standard policy: nothing is promoted to `prod` from 16:00 UTC on.
//! `cargo run -p tagwarden --example custom_guardrail -- LEDGER CHANNEL RELEASE`.

use serde_json::{Value, json};
use tagwarden::log::Op;
use tagwarden::policy::{Facts, Finding, Guardrail, Policy};
use tagwarden::{Channel, Promoter, Provenance, Receipt, Result, open_ledger};

/// Refuses promotions to `prod` from an hour of the day on, in UTC.
#[derive(Debug)]
pub struct OfficeHours {
    /// The first hour without promotions, from 0 to 23.
    pub until: i64,
}

impl Guardrail for OfficeHours {
    fn name(&self) -> &str {
        "office-hours"
    }

    fn settings(&self) -> Value {
        json!({ "until": self.until })
    }

    fn judge(&self, facts: &Facts) -> Finding {
        // The time is a fact: a guardrail reads no clock, so that a decision can be judged again later.
        let hour = facts.at.unix_ms() / 3_600_000 % 24;
        if facts.op == Op::Promote && facts.channel.tag().as_str() == "prod" && hour >= self.until {
            let why = format!("it is {hour}:00 UTC or later, and prod is not moved from {}:00 on", self.until);
            return Finding::refuse(self.name(), "OUTSIDE_OFFICE_HOURS", why).later();
        }
        Finding::pass(self.name(), "within office hours, or not a promotion to prod")
    }
}

/// Promotes under the standard policy and the rule.
pub async fn promote(ledger: &str, channel: &str, release: &str, rule: OfficeHours) -> Result<Receipt> {
    let policy = Policy::standard().with(rule)?;
    let promoter = Promoter::builder().ledger(open_ledger(ledger).await?).policy(policy).build()?;
    let channel: Channel = channel.parse()?;
    promoter.promote(&channel, release).provenance(Provenance::manual("ada")?).await
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ledger, channel, release] = arguments.as_slice() else {
        eprintln!("usage: custom_guardrail LEDGER CHANNEL RELEASE");
        std::process::exit(2);
    };
    let receipt = promote(ledger, channel, release, OfficeHours { until: 16 }).await?;
    println!("{channel}: {:?} -> {}", receipt.previous_digest, receipt.digest);
    Ok(())
}
