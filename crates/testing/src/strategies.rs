//! Proptest strategies for values and for the bodies of entries.
//!
//! Each strategy covers the whole grammar of its value and shrinks to a short value. Test your own backend with these
//! and the [requirements](crate::conformance).

mod moves;
mod values;

use proptest::option;
use proptest::prelude::*;

use tagwarden::Digest;
use tagwarden::log::{
    Approval, Approver, Block, Body, Check, CheckName, CheckVerdict, Deployment, Hold, HoldScope, Migrated,
    Observation, ObservationCause, PolicyEntry, Unblock, Unhold,
};

pub use self::moves::{deadlines, intent, outcome};
use self::moves::{op, takeover};
pub use self::values::{
    channel, commit, digest, environment, key, provenance, reference, release, repository, sha256, tag, text, timestamp,
};
use self::values::{count, parsed};

/// The body of an entry of any kind. Each body is valid by itself, but several of them are not a valid log.
pub fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        intent().prop_map(|intent| Body::Intent(Box::new(intent))),
        outcome().prop_map(Body::Outcome),
        takeover().prop_map(Body::Takeover),
        observation().prop_map(Body::Observation),
        approval().prop_map(Body::Approval),
        hold().prop_map(Body::Hold),
        (count(), text(), provenance()).prop_map(|(hold, reason, provenance)| Body::Unhold(Unhold {
            hold,
            reason,
            provenance
        })),
        check().prop_map(Body::Check),
        (digest(), text(), provenance(), option::of(text()))
            .prop_map(|(digest, reason, provenance, url)| Body::Block(Block { digest, reason, provenance, url })),
        (digest(), text(), provenance()).prop_map(|(digest, reason, provenance)| Body::Unblock(Unblock {
            digest,
            reason,
            provenance
        })),
        policy().prop_map(Body::Policy),
        (text(), text(), any::<bool>(), timestamp())
            .prop_map(|(cluster, revision, ready, at)| Body::Deployment(Deployment { cluster, revision, ready, at })),
        migrated().prop_map(Body::Migrated),
    ]
}

fn approval() -> impl Strategy<Value = Approval> {
    let approver = (text(), text(), option::of(text())).prop_map(|(id, provider, url)| Approver { id, provider, url });
    let what = (op(), digest(), option::of(digest()), sha256());
    let who = (provenance(), option::of(approver), option::of(timestamp()), option::of(text()));
    (what, who).prop_map(|((op, target, previous, policy), (provenance, approver, expires_at, comment))| Approval {
        op,
        target,
        previous,
        policy,
        provenance,
        approver,
        expires_at,
        comment,
    })
}

fn hold() -> impl Strategy<Value = Hold> {
    let scope = prop_oneof![Just(HoldScope::Promotions), Just(HoldScope::All)];
    (scope, text(), provenance(), option::of(timestamp())).prop_map(|(scope, reason, provenance, until)| Hold {
        scope,
        reason,
        provenance,
        until,
    })
}

fn check() -> impl Strategy<Value = Check> {
    let verdict = prop_oneof![Just(CheckVerdict::Pass), Just(CheckVerdict::Fail)];
    let name = parsed::<CheckName>("[a-z0-9][a-z0-9._-]{0,63}");
    (name, verdict, digest(), provenance(), option::of(text()), option::of(timestamp())).prop_map(
        |(name, verdict, digest, provenance, url, expires_at)| Check {
            name,
            verdict,
            digest,
            provenance,
            url,
            expires_at,
        },
    )
}

fn policy() -> impl Strategy<Value = PolicyEntry> {
    (text(), text(), any::<bool>(), provenance()).prop_map(|(name, text, binding, provenance)| {
        let text = text.to_string();
        PolicyEntry { name, digest: Digest::of(text.as_bytes()), text, binding, provenance }
    })
}

fn migrated() -> impl Strategy<Value = Migrated> {
    (text(), count(), sha256(), provenance(), option::of(text()))
        .prop_map(|(ledger, size, root, provenance, reason)| Migrated { ledger, size, root, provenance, reason })
}

fn observation() -> impl Strategy<Value = Observation> {
    (option::of(digest()), option::of(digest()))
        .prop_filter("nothing differs", |(expected, observed)| expected != observed)
        .prop_map(|(expected, observed)| Observation { expected, observed, cause: ObservationCause::Drift })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tagwarden::log::Entry;
    use tagwarden::{Channel, Environment, Reference, Timestamp};

    proptest! {
        #[test]
        fn values_come_back_through_their_own_door(
            reference in reference(),
            channel in channel(),
            environment in environment(),
            timestamp in timestamp(),
        ) {
            prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
            prop_assert_eq!(channel.to_string().parse::<Channel>().unwrap(), channel);
            prop_assert_eq!(environment.to_string().parse::<Environment>().unwrap(), environment);
            prop_assert_eq!(timestamp.to_string().parse::<Timestamp>().unwrap(), timestamp);
        }

        #[test]
        fn an_entry_of_any_body_is_read_as_it_was_sealed(
            channel in channel(), seq in count(), at in timestamp(), body in body()
        ) {
            let parent = (seq > 0).then(|| Digest::of(b"parent"));
            let entry = Entry { channel, seq, id: uuid::Uuid::now_v7(), at, parent, body };
            let sealed = entry.seal().unwrap();
            prop_assert_eq!(Entry::open(sealed.bytes()).unwrap(), entry);
        }
    }
}
