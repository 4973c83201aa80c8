//! The long texts of `--help`.

mod ledger;
mod look;
mod moves;
mod stops;

pub(super) use ledger::*;
pub(super) use look::*;
pub(super) use moves::*;
pub(super) use stops::*;

pub(super) const ABOUT: &str = "\
Moves floating OCI environment tags (dev, preprod, prod) as governed release events: a policy judges each move, one \
move of a channel runs at a time, and an append-only ledger holds who moved what, from which digest to which.

A channel is the alias HOST/REPOSITORY:TAG that an environment consumes. Its live digest is what the last recorded move \
made it point at. When the registry shows something else, the tag was moved around the ledger: that is drift.";

pub(super) const AFTER_SHORT: &str = "\
Exit codes: 0 done, 1 failed, 2 usage, 3 refused, 4 drift, 5 indeterminate, 6 unknown, 7 defect in the ledger. \
`tagwarden --help` says more: the questions of an incident, what is guaranteed, the configuration.";

pub(super) const AFTER: &str = "\
Questions and answers (prod stands for a channel or its name in tagwarden.toml):
  What is prod, what was it before, who moved it?
    tagwarden current prod
  What was it at six o'clock?
    tagwarden at prod 2026-11-23T06:00:00Z
  Every move, newest first
    tagwarden history prod
  Ship a release
    tagwarden promote prod --source 1.4.2
  Would it be let through?
    tagwarden promote prod --source 1.4.2 --dry-run
  What would a promotion bring?
    tagwarden diff prod..preprod --unified
  Roll back
    tagwarden rollback prod
    tagwarden rollback prod --to 1.4.1     # to a release that was live earlier
  Was the tag pushed by hand?
    tagwarden audit                        # exit 4: drift
  Undo that hotfix; or keep it, on the record
    tagwarden repair prod
    tagwarden adopt prod --reason 'hotfix 7'
  A run died in the middle (exit 5)
    tagwarden recover prod
  Stop promotions now
    tagwarden hold prod --reason 'incident 7'
  Never that release again
    tagwarden block 1.4.2 --reason 'it loses orders'
  Was the record edited?
    tagwarden verify                       # exit 7: it was

Guaranteed:
  No channel is moved by tagwarden without a durable record before it; moves of one channel never interleave; a crash at \
  any step is brought to rest by any machine (recover); the digests of a move are pinned before the tag moves; entries \
  that were changed, removed or reordered are found (verify).
Only detected, not prevented:
  A push around tagwarden is seen by current, audit and the next move, and a push in the middle of a move \
  may be overwritten: prevention is the registry's own access control. A tail cut off the ledger shows only against a \
  checkpoint kept elsewhere.

Configuration, tagwarden.toml, found upwards from the working directory:
  ledger = \"ledger\"     # a URL, or a directory relative to this file
  [[pipeline]]          # in order: what is live in one may go to the next
  environment = \"preprod\"
  channel = \"registry.example.com/acme/shop:preprod\"
  [[pipeline]]
  environment = \"prod\"
  channel = \"registry.example.com/acme/shop:prod\"
  [retention]
  keep-last = 10
  keep-for = \"30d\"
  `tagwarden init` writes a first one, docs/reference/configuration.md has every key.

Environment: TAGWARDEN_LEDGER; TAGWARDEN_GIT_TOKEN, for a ledger in a Git branch; TAGWARDEN_USERNAME and TAGWARDEN_PASSWORD or TAGWARDEN_IDENTITY_TOKEN, for the registry \
that TAGWARDEN_REGISTRY names, or the only one of the command; TAGWARDEN_TOKEN_SERVERS; TAGWARDEN_RETRY_FOR; HTTPS_PROXY, HTTP_PROXY, NO_PROXY; REGISTRY_AUTH_FILE, \
DOCKER_AUTH_CONFIG, DOCKER_CONFIG; NO_COLOR; and, for who moves, what the CI sets, or in a terminal \
TAGWARDEN_ACTOR, LOGNAME and USER.

Durations are a whole number and a unit: 500ms, 60s, 5m, 1h, 30d.

Exit codes:
  0  done
  1  failed: something that should have worked did not, and nothing was moved
  2  usage: the command line, the configuration or a value is wrong
  3  refused by the policy, a hold or another move; nothing was moved
  4  drift: the tag does not point at what the ledger says
  5  indeterminate: a move was begun and its end is not known; `tagwarden recover` is due
  6  unknown: a question could not be answered
  7  defect: the ledger's bytes break a rule of its format";

pub(super) const DEMO: &str = "\
It packs three releases of a small Kubernetes application, promotes them through dev, preprod and prod, shows the record, \
rolls back, pushes the tag by hand, finds that, repairs the tag, and verifies the ledger. Each step is shown with the \
command that does it.

Examples (the last one needs a PostgreSQL, and `tagwarden ledger init` before it):
  tagwarden demo
  tagwarden demo --source ./deploy --keep ./demo-ledger
  tagwarden demo --registry 127.0.0.1:5000/acme/demo
  tagwarden demo --ledger postgres://tagwarden@db.example.com/audit";

pub(super) const INIT: &str = "\
It looks at git's remote `origin` and at the CI's files of the working directory, and at nothing else, and says what it could not \
find out, so that you can change it. A file that is there already is never overwritten. --ledger names the ledger; a password in it \
is not written.

Example:
  tagwarden init";

pub(super) const CONFIG_VALIDATE: &str = "\
It prints for each environment the policy, with the digest by which the log names it, and each guardrail with its mode. An invalid file is \
CONFIG_INVALID (exit code 2) with line, column and the nearest known key.

Example:
  tagwarden config validate";

pub(super) const PUSH: &str = "\
What is left out is said in one line, and listed in `left_out` with --json: what --ignore-paths matches; what a \
.sourceignore matches, in its directory and below (it may bring back what the default patterns leave out); and, unless \
--include names it, .env and .env.*, private keys (id_rsa and the like, *.key, *.p12, *.pfx, *.ppk, *.jks, *.keystore, and \
what begins as one), *.pem, .git, .hg, .svn and .jj. To pack a secret, --include must name the file itself: its directory is not enough.

A version tag never moves. To push the same release again, as a job that is repeated does, the time must be the same, \
too. The time of a commit is always the same.

Examples (the first one in a git repository):
  tagwarden artifact push registry.example.com/acme/shop:1.4.2 --path ./deploy
  tagwarden artifact push registry.example.com/acme/shop:1.4.2 --path ./deploy \\
    --source https://github.com/acme/shop \\
    --revision main@sha1:0123456789abcdef0123456789abcdef01234567 \\
    --created 2026-11-23T06:00:00Z";

pub(super) const DEV_REGISTRY: &str = "\
It answers plain HTTP on 127.0.0.1 alone, and prints its address and how to push to it. docs/guides/registries.md says in \
what each vendor's registry is imitated, and from which source. None was compared with the vendor's own.

Examples:
  tagwarden dev registry --vendor ghcr --port 5000
  tagwarden dev registry --vendor ecr --login --repository acme/shop \\
    --immutable '*' --excluding prod";
