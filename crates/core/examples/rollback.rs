//! Points a channel back at what was live before: `cargo run -p tagwarden --example rollback -- LEDGER CHANNEL [TARGET]`.
//! The target may be a digest, a release such as `1.4.1`, or a move such as `prod#42`.

use tagwarden::{Channel, Promoter, Provenance, Receipt, Result, open_ledger};

/// Rolls back, and says how the channel came to its present state.
pub async fn rollback(ledger: &str, channel: &str, target: Option<&str>) -> Result<Receipt> {
    let promoter = Promoter::builder().ledger(open_ledger(ledger).await?).build()?;
    let channel: Channel = channel.parse()?;
    let who = Provenance::from_ci().or_else(|_| Provenance::manual("ada"))?;

    let request = promoter.rollback(&channel).provenance(&who).reason("error rate after the release");
    let receipt = match target {
        Some(target) => request.to(target).await?,
        None => request.await?,
    };
    let mut history = promoter.history(&channel);
    while let Some(moved) = history.next().await? {
        println!("#{} {} -> {}", moved.seq, moved.intent.op.as_str(), moved.intent.target.digest);
    }
    Ok(receipt)
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (ledger, channel, target) = match arguments.as_slice() {
        [ledger, channel] => (ledger, channel, None),
        [ledger, channel, target] => (ledger, channel, Some(target.as_str())),
        _ => {
            eprintln!("usage: rollback LEDGER CHANNEL [TARGET]");
            std::process::exit(2);
        }
    };
    let receipt = rollback(ledger, channel, target).await?;
    println!("{channel}: {:?} -> {}", receipt.previous_digest, receipt.digest);
    Ok(())
}
