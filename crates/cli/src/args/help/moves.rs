//! The long texts of `--help` of the moves, and of `recover`.

pub(in crate::args) const BOOTSTRAP: &str = "\
Without --source the tag is taken as it is; with it the tag is made if it is absent. The release of a new tag must \
have been live in the environment before, if tagwarden.toml names one.

Examples:
  tagwarden bootstrap 127.0.0.1:5000/acme/shop:prod
  tagwarden bootstrap 127.0.0.1:5000/acme/shop:prod --source 1.4.1";

pub(in crate::args) const PROMOTE: &str = "\
What --source means: `sha256:…` is a digest of the channel's repository; a word with a `/` is a whole reference; a \
bare word is the environment of that name in tagwarden.toml, or a channel of the same repository if the ledger has a \
log of it, and a tag of the same repository otherwise. From a channel, its live digest is taken, as the ledger says \
it; preprod~1, preprod#42 and preprod@{2 hours ago} are what was live there before.

Examples:
  tagwarden promote 127.0.0.1:5000/acme/shop:prod --source 1.4.2
  tagwarden promote prod --source preprod --release v1.4.2 --expected sha256:…
  tagwarden promote prod --source 1.4.2 --dry-run";

pub(in crate::args) const ROLLBACK: &str = "\
The manifest, its index children, configs and layers must all still be in the registry (finding TARGET_INCOMPLETE), \
unless --override parts-present says otherwise; a part that cannot be looked at is a warning. A rollback appends a \
move; it never rewrites the record. In a terminal it shows what it changes and asks first; --yes, --json and a CI do \
not ask.

Examples:
  tagwarden rollback prod
  tagwarden history prod                       # which releases were live
  tagwarden rollback prod --to 1.4.1 --reason 'incident 7'
  tagwarden rollback prod --to prod~2 --dry-run
  tagwarden rollback prod --to prod#42 --yes
  tagwarden rollback prod --to sha256:…";

pub(in crate::args) const REPAIR: &str = "\
After drift (exit 4): the ledger's live digest replaces the digest that was pushed by hand, and both are recorded. To \
keep the pushed digest instead: `adopt`.

Example:
  tagwarden repair prod --reason 'hand-pushed hotfix undone'";

pub(in crate::args) const ADOPT: &str = "\
After drift (exit 4): nothing is put; the digest that the tag points at becomes live, with your reason on the record. \
To undo the push instead: `repair`.

Example:
  tagwarden adopt prod --reason 'hotfix for incident 7, reviewed by ada'";

pub(in crate::args) const RECOVER: &str = "\
Waits until the open move may be taken over (its ttl and grace, as the log says), then its quiet time, so that no \
earlier put can still land; then it is closed by what the registry shows. It says on standard error what it waits for, \
and how long.

Examples:
  tagwarden recover prod
  tagwarden recover prod --abort --timeout 5m";
