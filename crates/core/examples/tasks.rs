//! Ten everyday tasks. `docs/guides/three-languages.md` shows them beside Python and Node.

use std::sync::Arc;

use tagwarden::log::{Hold, HoldScope, Unhold};
use tagwarden::promotion::RecoveryMode;
use tagwarden::registry::Registry;
use tagwarden::retention::RetentionRule;
use tagwarden::{Channel, ErrorKind, MoveOptions, Promoter, Provenance, Repository, Result, open_ledger};

/// Does the ten tasks in a repository that has the releases 1.4.1 and 1.4.2.
pub async fn tasks(registry: Arc<dyn Registry>, url: &str, shop: &Repository) -> Result<()> {
    // task: open
    let promoter = Promoter::builder().registry(registry).ledger(open_ledger(url).await?).build()?;
    let prod: Channel = format!("{shop}:prod").parse()?;
    let who = Provenance::manual("ada")?; // in a pipeline: Provenance::from_ci()?

    // task: promote
    promoter.promote(&prod, format!("{shop}:1.4.1")).provenance(&who).await?;
    let request = promoter.promote(&prod, format!("{shop}:1.4.2")).provenance(&who);
    let receipt = request.idempotency_key("4711-1").reason("release day").await?;
    println!("{:?} -> {}", receipt.previous_digest, receipt.digest);

    // task: plan
    let plan = promoter.promote(&prod, format!("{shop}:1.4.1")).provenance(&who).plan().await?;
    for finding in plan.findings() {
        println!("{}: {}", finding.guardrail, finding.why);
    }

    // task: rollback
    promoter.rollback(&prod).provenance(&who).reason("error rate").await?;
    promoter.rollback(&prod).to("1.4.2").provenance(&who).await?;

    // task: current
    let current = promoter.current(&prod).await?;
    println!("live {:?}, before {:?}", current.live, current.previous);

    // task: history
    let mut history = promoter.history(&prod);
    while let Some(moved) = history.next().await? {
        println!("#{} {} {}", moved.seq, moved.intent.op.as_str(), moved.intent.target.digest);
    }

    // task: hold
    let (reason, provenance) = ("incident 7".parse()?, who.clone());
    let hold = Hold { scope: HoldScope::Promotions, reason, provenance, until: None };
    let id = promoter.hold(&prod, hold).await?;
    match promoter.promote(&prod, format!("{shop}:1.4.1")).provenance(&who).await {
        Err(error) if error.kind() == ErrorKind::PolicyRefused => println!("{error}"),
        ended => println!("not refused: {ended:?}"),
    }
    promoter.unhold(&prod, Unhold { hold: id, reason: "solved".parse()?, provenance: who.clone() }).await?;

    // task: audit
    let report = promoter.audit(std::slice::from_ref(&prod)).await?;
    println!("worst: {:?}", report.class());

    // task: recover
    let recovered = promoter.recover(&prod, RecoveryMode::RollForward, who.clone(), MoveOptions::TIMEOUT).await?;
    println!("{recovered:?}");

    // task: retention
    let judged = promoter.may_delete(shop, &RetentionRule::default(), &receipt.digest).await?;
    println!("{judged:?}");
    // task: end
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ledger, repository] = arguments.as_slice() else {
        eprintln!("usage: tasks LEDGER REPOSITORY");
        std::process::exit(2);
    };
    let registry = tagwarden::registry::oci::OciRegistry::new(tagwarden::registry::oci::OciOptions::new())?;
    tasks(Arc::new(registry), ledger, &repository.parse()?).await
}
