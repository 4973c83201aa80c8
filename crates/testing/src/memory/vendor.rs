//! `Vendor`: the registries of vendors, as a `MemoryRegistry` imitates them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::ErrorAnswer;
use tagwarden::{Error, ErrorKind, Repository, Tag, Target};

/// A vendor's registry. [`MemoryRegistry::of_vendor`](super::MemoryRegistry::of_vendor) imitates its differences from
/// distribution: the answers for an absent thing, the refusals, the answers to DELETE, the lag, the token server, and
/// referrers. Everything else is answered as by distribution. No imitation was compared with the vendor's own registry.
/// Each variant names its sources and its guesses. None of the five registries can limit a tag to one identity.
///
/// ```
/// use tagwarden_testing::Vendor;
/// assert_eq!("ghcr".parse::<Vendor>().unwrap(), Vendor::Ghcr);
/// assert_eq!(
///     "nexus".parse::<Vendor>().unwrap_err().message(),
///     "invalid vendor: \"nexus\" is none of ghcr, ecr, quay, harbor, acr"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Vendor {
    /// GitHub's registry, `ghcr.io`.
    ///
    /// Reads of a tag lag. DELETE is 405 UNSUPPORTED (containers/skopeo#1880). There are no referrers, and no
    /// `OCI-Subject` (actions/attest-build-provenance#91). Tokens come from `/token`. GHCR has no immutable tags: those
    /// of [`immutable_tags`](super::MemoryRegistry::immutable_tags) are answered as in a registry without a vendor.
    ///
    /// A guess: the 404 of an absent referrers API has the text of Go's server.
    Ghcr,
    /// Amazon ECR.
    ///
    /// A push to a repository that was not created is 404 NAME_UNKNOWN. A put to an immutable tag is 400 TAG_INVALID;
    /// DELETE works all the same. Every request has Basic authentication, a wrong login is a 401 with plain text
    /// (NVIDIA/enroot#59, google/go-containerregistry#861), and an expired password a 403
    /// ([`end_tokens`](crate::RegistryServer::end_tokens)). DELETE is 202 (aws/containers-roadmap#1229).
    ///
    /// A guess: DELETE by tag deletes only the tag.
    Ecr,
    /// Quay.
    ///
    /// A tag that was deleted is 404 TAG_EXPIRED, an unknown repository 404 NAME_UNKNOWN, and DELETE works by tag and
    /// by digest (the source of Quay, `endpoints/v2`). A put to an immutable tag is 409 TAG_IMMUTABLE. Tokens come from
    /// `/v2/auth`.
    ///
    /// A guess: DELETE of an immutable tag is the same 409.
    Quay,
    /// Harbor.
    ///
    /// An absent tag is 404 NOT_FOUND (goharbor/harbor#16515). A put to an immutable tag, and DELETE of the digest that
    /// it points at, is 412 PRECONDITION; DELETE by tag is 400 UNSUPPORTED (the source of Harbor, `src/server`). Tokens
    /// come from `/service/token` for the service `harbor-registry`. [`hide`](super::MemoryRegistry::hide) imitates the
    /// policy that blocks vulnerable images.
    Harbor,
    /// Azure Container Registry.
    ///
    /// Reads of a tag lag. A locked tag is an immutable one: a put is 405 REGISTRY_DISALLOWED_OPERATION. DELETE works
    /// by digest, and not by tag (fluxcd/pkg#328). Tokens come from `/oauth2/token`.
    ///
    /// A guess: DELETE by tag is 405 UNSUPPORTED.
    Acr,
}

impl Vendor {
    /// Every vendor.
    pub const ALL: [Vendor; 5] = [Vendor::Ghcr, Vendor::Ecr, Vendor::Quay, Vendor::Harbor, Vendor::Acr];

    /// The name in lower case, such as `ghcr`.
    pub fn name(self) -> &'static str {
        match self {
            Vendor::Ghcr => "ghcr",
            Vendor::Ecr => "ecr",
            Vendor::Quay => "quay",
            Vendor::Harbor => "harbor",
            Vendor::Acr => "acr",
        }
    }

    /// The lag of reads that [`MemoryRegistry::of_vendor`](super::MemoryRegistry::of_vendor) begins with: 2 s for GHCR
    /// and 1 s for ACR, 0 for the others.
    ///
    /// GHCR has lagged for minutes. A test cannot wait for that; [`lag`](super::MemoryRegistry::lag) sets any other
    /// window.
    pub fn lag(self) -> Duration {
        Duration::from_secs(match self {
            Vendor::Ghcr => 2,
            Vendor::Acr => 1,
            Vendor::Ecr | Vendor::Quay | Vendor::Harbor => 0,
        })
    }

    /// True if clients get tokens for a login; false if they send it with every request.
    pub fn gives_tokens(self) -> bool {
        self != Vendor::Ecr
    }

    /// The path of the token server.
    pub(crate) fn token_path(self) -> &'static str {
        match self {
            Vendor::Ghcr | Vendor::Ecr => "/token",
            Vendor::Quay => "/v2/auth",
            Vendor::Harbor => "/service/token",
            Vendor::Acr => "/oauth2/token",
        }
    }

    /// The `service` of its challenges, if it is not the host.
    pub(crate) fn service(self) -> Option<&'static str> {
        match self {
            Vendor::Ecr => Some("ecr.amazonaws.com"),
            Vendor::Harbor => Some("harbor-registry"),
            Vendor::Ghcr | Vendor::Quay | Vendor::Acr => None,
        }
    }

    /// True if it lists the manifests that refer to another.
    pub(crate) fn has_referrers(self) -> bool {
        self != Vendor::Ghcr
    }

    /// The answer to a push to a repository that does not exist; none if the push creates it.
    pub(crate) fn unknown_repository(self, repository: &Repository) -> Option<ErrorAnswer> {
        (self == Vendor::Ecr).then(|| self.absent_repository(repository))
    }

    /// The answer to a read of a manifest in a repository that does not exist.
    pub(crate) fn absent_repository(self, repository: &Repository) -> ErrorAnswer {
        let path = repository.path();
        let (code, message) = match self {
            Vendor::Ecr => (
                "NAME_UNKNOWN",
                format!("The repository with name '{path}' does not exist in the registry with id '{REGISTRY_ID}'"),
            ),
            Vendor::Quay => ("NAME_UNKNOWN", "repository name not known to registry".to_owned()),
            Vendor::Harbor => ("NOT_FOUND", format!("repository {path} not found")),
            Vendor::Acr => ("NAME_UNKNOWN", format!("repository \"{path}\" is not found")),
            Vendor::Ghcr => ("MANIFEST_UNKNOWN", "manifest unknown".to_owned()),
        };
        ErrorAnswer::new(404, code, message)
    }

    /// The answer to a read of a manifest that does not exist. `was_deleted` says that the tag existed before.
    pub(crate) fn absent_manifest(self, repository: &Repository, target: &Target, was_deleted: bool) -> ErrorAnswer {
        let path = repository.path();
        let (code, message) = match (self, target) {
            (Vendor::Quay, Target::Tag(tag)) if was_deleted => {
                ("TAG_EXPIRED", format!("Tag {tag} was deleted or has expired. To pull, revive via time machine"))
            }
            (Vendor::Ecr, _) => ("MANIFEST_UNKNOWN", "Requested image not found".to_owned()),
            (Vendor::Harbor, Target::Tag(tag)) => ("NOT_FOUND", format!("artifact {path}:{tag} not found")),
            (Vendor::Harbor, Target::Digest(digest)) => ("NOT_FOUND", format!("artifact {path}@{digest} not found")),
            (Vendor::Acr, Target::Tag(tag)) => {
                ("MANIFEST_UNKNOWN", format!("manifest tagged by \"{tag}\" is not found"))
            }
            (Vendor::Acr, Target::Digest(digest)) => ("MANIFEST_UNKNOWN", format!("manifest {digest} is not found")),
            (Vendor::Ghcr | Vendor::Quay, _) => ("MANIFEST_UNKNOWN", "manifest unknown".to_owned()),
        };
        ErrorAnswer::new(404, code, message)
    }

    /// The answer to a DELETE that the vendor does not offer; none if it does.
    pub(crate) fn refused_delete(self, target: &Target) -> Option<ErrorAnswer> {
        let unsupported = "The operation is unsupported.";
        match (self, target) {
            (Vendor::Ghcr, _) | (Vendor::Acr, Target::Tag(_)) => {
                Some(ErrorAnswer::new(405, "UNSUPPORTED", unsupported))
            }
            (Vendor::Harbor, Target::Tag(tag)) => {
                Some(ErrorAnswer::new(400, "UNSUPPORTED", format!("unsupported digest {tag}")))
            }
            (Vendor::Ecr | Vendor::Quay, _) | (Vendor::Harbor | Vendor::Acr, Target::Digest(_)) => None,
        }
    }

    /// True if an immutable tag may be deleted.
    pub(crate) fn deletes_immutable(self) -> bool {
        self == Vendor::Ecr
    }

    /// The answer to a put to an immutable tag.
    pub(crate) fn immutable_tag(self, repository: &Repository, tag: &Tag) -> Option<ErrorAnswer> {
        let (status, code, message) = match self {
            Vendor::Ghcr => return None,
            Vendor::Ecr => (
                400,
                "TAG_INVALID",
                format!(
                    "The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the \
                     repository is immutable.",
                    repository.path()
                ),
            ),
            Vendor::Quay => (409, "TAG_IMMUTABLE", "tag is immutable".to_owned()),
            Vendor::Harbor => (
                412,
                "PRECONDITION",
                format!("Failed to process request due to '{}:{tag}' configured as immutable.", repository.path()),
            ),
            Vendor::Acr => (
                405,
                "REGISTRY_DISALLOWED_OPERATION",
                "The operation is disallowed on this registry, repository or image".to_owned(),
            ),
        };
        Some(ErrorAnswer::new(status, code, message))
    }
}

/// The account in ECR's messages; Amazon's own example.
const REGISTRY_ID: &str = "111122223333";

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Vendor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Vendor, Error> {
        let names = Vendor::ALL.map(Vendor::name).join(", ");
        let wrong = || Error::new(ErrorKind::ValueInvalid, format!("invalid vendor: {text:?} is none of {names}"));
        Vendor::ALL.into_iter().find(|vendor| vendor.name() == text).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_back() {
        for vendor in Vendor::ALL {
            assert_eq!(vendor.to_string().parse::<Vendor>().unwrap(), vendor);
        }
    }

    #[test]
    fn every_answer_is_an_error_of_the_client() {
        let (repository, tag): (Repository, Tag) = ("reg.io/acme/shop".parse().unwrap(), "prod".parse().unwrap());
        for vendor in Vendor::ALL {
            let target = Target::Tag(tag.clone());
            let answers = [
                Some(vendor.absent_repository(&repository)),
                Some(vendor.absent_manifest(&repository, &target, true)),
                Some(vendor.absent_manifest(&repository, &target, false)),
                vendor.refused_delete(&target),
                vendor.immutable_tag(&repository, &tag),
                vendor.unknown_repository(&repository),
            ];
            for answer in answers.into_iter().flatten() {
                assert!((400..=499).contains(&answer.status) && !answer.code.is_empty(), "{vendor}: {answer}");
            }
        }
    }
}
