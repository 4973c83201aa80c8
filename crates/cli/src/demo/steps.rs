//! The steps of the demonstration, in order.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tagwarden::flux::Packed;
use tagwarden::registry::{Manifest, Put, Registry};
use tagwarden::{Error, ErrorClass, ErrorKind, Provenance, Receipt, Reference, Result};

use super::narrator::{Narrator, refusal};
use super::place::Place;
use super::release::{RELEASES, Release};
use crate::commands::say_left_out;
use crate::render::{self, Answer, Fields, Style};

#[derive(Debug)]
pub(super) struct Demo<'d> {
    pub(super) place: &'d Place,
    pub(super) source: Option<&'d Path>,
    pub(super) style: Style,
}

impl Demo<'_> {
    pub(super) async fn run(&self, tell: &mut Narrator) -> Result<()> {
        let place = if self.place.embedded() { "a registry inside this process" } else { "a real registry" };
        let ledger = self.place.ledger.as_ref().map_or("a directory".to_owned(), ToString::to_string);
        tell.chapter(
            "What you will see",
            &format!(
                "An environment tag (dev, preprod, prod) is a handle that moves. tagwarden moves it under a policy, one \
                 move\nat a time, and records every move with the digests, the run and the actor in a ledger.\nThe \
                 repository is {} on {place}; the ledger is {ledger}.\nEach step shows the command that does it, \
                 where tagwarden.toml names the channels, and what it answers.\nIn a pipeline the run, the actor and the \
                 commit are read from the CI; by hand they are --run-id, --actor and --commit.",
                self.place.repository
            ),
        );
        let [first, second, third] = RELEASES;
        let hotfix = self.releases(tell).await?;
        self.bootstrap(tell, first).await?;
        self.promote(tell, second, third).await?;
        self.look(tell).await?;
        self.roll_back(tell).await?;
        self.go_around(tell, &hotfix).await?;
        self.verify(tell).await
    }

    /// Packs and pushes the releases. Returns the manifest of the last one.
    async fn releases(&self, tell: &mut Narrator) -> Result<Manifest> {
        tell.chapter(
            "1. Three releases",
            "A release is a directory of Kubernetes manifests, packed as a Flux artifact: the same files and revision \
             give the\nsame digest on every machine. Its version tag never moves.",
        );
        let mut last = None;
        for release in RELEASES {
            let Packed { artifact, left_out, .. } = release.pack(self.source, self.place.scratch.path()).await?;
            // All releases are packed from the same directory, so print this once.
            if last.is_none() {
                say_left_out(&left_out);
            }
            let digest = artifact.push(&self.place.registry, &self.place.repository, &release.tag()?).await?;
            let reference = format!("{}:{}", self.place.repository, release.version);
            let text = Fields::under(format!("pushed {reference}")).field("digest", digest).text();
            let answer = Answer::done(&json!({ "reference": reference, "digest": digest }), text)?;
            let dir = self.source.map_or("./deploy".to_owned(), |dir| dir.display().to_string());
            tell.did(&format!("tagwarden artifact push {reference} --path {dir} …"), &answer);
            last = Some(artifact.manifest().clone());
        }
        last.ok_or_else(|| Error::new(ErrorKind::InternalFault, "the demonstration has no release"))
    }

    async fn bootstrap(&self, tell: &mut Narrator, first: Release) -> Result<()> {
        tell.chapter(
            "2. Three environments",
            "Bootstrap takes a channel's first state into the ledger. From here on, every move is on the record.",
        );
        for stage in &self.place.stages {
            let receipt = self
                .place
                .promoter
                .bootstrap(&stage.channel)
                .source(self.version(first)?)
                .provenance(self.who(first)?)
                .await?;
            self.told(
                tell,
                &format!("tagwarden bootstrap {} --source {}", stage.environment, first.version),
                &receipt,
            )?;
        }
        Ok(())
    }

    async fn promote(&self, tell: &mut Narrator, second: Release, third: Release) -> Result<()> {
        tell.chapter(
            "3. A release goes up the pipeline",
            "From dev on, the source is the environment before: what goes to prod is, to the byte, what was live in \
             preprod.",
        );
        let dev = self.place.channel("dev")?;
        let receipt = self.place.promoter.promote(dev, self.version(second)?).provenance(self.who(second)?).await?;
        self.told(tell, &format!("tagwarden promote dev --source {0} --release {0}", second.version), &receipt)?;
        for (from, to) in [("dev", "preprod"), ("preprod", "prod")] {
            let (from_channel, to_channel) = (self.place.channel(from)?, self.place.channel(to)?);
            let request = self.place.promoter.promote(to_channel, from_channel);
            let receipt = request.provenance(self.who(second)?).await?;
            self.told(tell, &format!("tagwarden promote {to} --source {from} --release {}", second.version), &receipt)?;
        }
        tell.chapter(
            "4. A shortcut is refused",
            "Release 1.4.2 was never live in preprod, so the policy says no. Nothing is written; exit code 3 is a \
             decision, not\na fault.",
        );
        let prod = self.place.channel("prod")?;
        let error =
            refusal(self.place.promoter.promote(prod, self.version(third)?).provenance(self.who(third)?).await)?;
        tell.refused(&format!("tagwarden promote prod --source {}", third.version), &error);
        Ok(())
    }

    async fn look(&self, tell: &mut Narrator) -> Result<()> {
        tell.chapter(
            "5. What is prod, what was it before, who moved it?",
            "From the ledger alone, at once; `current` also asks the registry whether it agrees.",
        );
        let (promoter, prod) = (&self.place.promoter, self.place.channel("prod")?);
        let report = promoter.audit(std::slice::from_ref(prod)).await?;
        let current = promoter.current(prod).await?;
        tell.did("tagwarden current prod", &render::current(&current, report.channels().first(), None, self.style)?);
        let missing = || Error::new(ErrorKind::InternalFault, "the demonstration's prod has no previous digest");
        let previous = promoter.previous(prod).await?.ok_or_else(missing)?;
        tell.did("tagwarden previous prod", &render::previous(prod, previous)?);
        self.history(tell).await
    }

    async fn history(&self, tell: &mut Narrator) -> Result<()> {
        let prod = self.place.channel("prod")?;
        let promoter = &self.place.promoter;
        let (now, page) = (promoter.current(prod).await?, promoter.history_page(prod, None, 20).await?);
        tell.did("tagwarden history prod", &render::history(&now, &page, |digest| digest.short(), self.style)?);
        Ok(())
    }

    async fn roll_back(&self, tell: &mut Narrator) -> Result<()> {
        tell.chapter(
            "6. Roll back",
            "The same governed path: the target was live before, everything it is made of is checked to be there, and \
             a move is\nadded to the record. Nothing is rewritten.",
        );
        let [first, ..] = RELEASES;
        let request = self.place.promoter.rollback(self.place.channel("prod")?).reason("error rate after 1.4.1");
        let receipt = request.provenance(self.who(first)?).await?;
        self.told(tell, "tagwarden rollback prod --reason 'error rate after 1.4.1'", &receipt)
    }

    /// Pushes by hand, finds the drift with an audit, and repairs it.
    async fn go_around(&self, tell: &mut Narrator, hotfix: &Manifest) -> Result<()> {
        let (promoter, prod) = (&self.place.promoter, self.place.channel("prod")?);
        tell.chapter(
            "7. A hotfix is pushed to prod by hand",
            "tagwarden cannot prevent that (the registry's access control can), but it does not stay unseen: exit code \
             4 is drift.",
        );
        match self.place.registry.put(prod.repository(), prod.tag(), hotfix, Duration::from_secs(15)).await {
            Put::Applied => {}
            Put::Refused(error) | Put::Unknown(error) => return Err(error),
        }
        let text = format!("{prod} now points at {}, around the ledger", hotfix.digest());
        let by_hand = Answer::done(&json!({ "channel": prod, "digest": hotfix.digest() }), text)?;
        tell.did(&format!("skopeo copy docker://…:1.4.2 docker://{prod}      # not tagwarden"), &by_hand);
        let report = promoter.audit(&self.place.channels()).await?;
        tell.did(&self.all("tagwarden audit"), &render::audit(&report, self.style)?);
        if report.class() != Some(ErrorClass::Drift) {
            return Err(Error::new(ErrorKind::InternalFault, "the audit did not see the drift"));
        }
        tell.chapter(
            "8. Put it right",
            "Repair puts the live digest back and records what it replaced. (To keep the hotfix instead: tagwarden \
             adopt prod\n--reason …)",
        );
        let [first, ..] = RELEASES;
        let request = promoter.repair(prod).reason("hand-pushed hotfix undone");
        let receipt = request.provenance(self.who(first)?).await?;
        self.told(tell, "tagwarden repair prod --reason 'hand-pushed hotfix undone'", &receipt)?;
        let report = promoter.audit(&self.place.channels()).await?;
        tell.did(&self.all("tagwarden audit"), &render::audit(&report, self.style)?);
        match report.class() {
            None => self.history(tell).await,
            Some(_) => Err(Error::new(ErrorKind::InternalFault, "the repair did not end the drift")),
        }
    }

    async fn verify(&self, tell: &mut Narrator) -> Result<()> {
        tell.chapter(
            "9. Prove the record",
            "Every entry holds the hash of the one before. One changed, removed or reordered entry would be named here \
             (exit 7).",
        );
        let mut reports = Vec::new();
        for channel in self.place.channels() {
            reports.push(self.place.promoter.verify(&channel).await?);
        }
        let answer = render::verified(&reports, self.style)?;
        tell.did(&self.all("tagwarden verify"), &answer);
        match answer.exit {
            0 => {
                tell.chapter("The end", "");
                Ok(())
            }
            _ => Err(Error::new(ErrorKind::LedgerCorrupt, "the demonstration's own ledger has a defect")),
        }
    }

    /// A command for every channel of the demonstration. A shared ledger has other channels too, so they are named
    /// there.
    fn all(&self, command: &str) -> String {
        match self.place.ledger {
            Some(_) => format!("{command} dev preprod prod"),
            None => command.to_owned(),
        }
    }

    fn told(&self, tell: &mut Narrator, command: &str, receipt: &Receipt) -> Result<()> {
        tell.did(command, &render::receipt(receipt, self.style)?);
        Ok(())
    }

    fn version(&self, release: Release) -> Result<Reference> {
        Ok(self.place.repository.tag(release.tag()?))
    }

    fn who(&self, release: Release) -> Result<Provenance> {
        let mut provenance = Provenance::new("manual", "demo-1", "ada")?;
        provenance.commit = Some(release.commit()?);
        provenance.release = Some(release.version.parse()?);
        Ok(provenance)
    }
}
