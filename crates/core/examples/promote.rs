//! Points a channel at a release: `cargo run -p tagwarden --example promote -- LEDGER CHANNEL RELEASE`, such as
//! `ledger registry.example.com/acme/shop:prod registry.example.com/acme/shop:1.4.2`.
//!
//! In a CI job the run and the actor are those of the job; elsewhere the actor is `ada`.

use tagwarden::{Channel, Promoter, Provenance, Receipt, Result, open_ledger};

/// Shows the plan, then executes the move.
pub async fn promote(ledger: &str, channel: &str, release: &str) -> Result<Receipt> {
    let promoter = Promoter::builder().ledger(open_ledger(ledger).await?).build()?;
    let channel: Channel = channel.parse()?;
    let who = Provenance::from_ci().or_else(|_| Provenance::manual("ada"))?;

    let plan = promoter.promote(&channel, release).provenance(&who).plan().await?;
    for finding in plan.findings() {
        println!("{}: {}", finding.guardrail, finding.why);
    }
    promoter.promote(&channel, release).provenance(&who).reason("release day").await
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ledger, channel, release] = arguments.as_slice() else {
        eprintln!("usage: promote LEDGER CHANNEL RELEASE");
        std::process::exit(2);
    };
    let receipt = promote(ledger, channel, release).await?;
    println!("{channel}: {:?} -> {}", receipt.previous_digest, receipt.digest);
    Ok(())
}
