//! The long texts of `--help`.

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

Environment: TAGWARDEN_LEDGER; TAGWARDEN_USERNAME and TAGWARDEN_PASSWORD or TAGWARDEN_IDENTITY_TOKEN, for the registry \
that TAGWARDEN_REGISTRY names; DOCKER_CONFIG; NO_COLOR; and, for who moves, what the CI sets, or in a terminal \
TAGWARDEN_ACTOR, LOGNAME and USER.

Durations are a whole number and a unit: 500ms, 60s, 5m, 1h, 30d.

Exit codes:
  0  done
  1  failed: something that should have worked did not, and nothing was moved
  2  usage: the command line, the configuration or a value is wrong
  3  refused: policy, a hold or another move stands against it; nothing was moved
  4  drift: the tag does not point at what the ledger says
  5  indeterminate: a move was begun and its end is not known; `tagwarden recover` is due
  6  unknown: a question could not be answered
  7  defect: the ledger's bytes break a rule of its format";

pub(super) const DEMO: &str = "\
It packs three releases of a small Kubernetes application, promotes them through dev, preprod and prod, shows the record, \
rolls back, pushes behind tagwarden's back, finds that, repairs it, and verifies the ledger. Each step is shown with the \
command that does it.

Examples (the last one needs a PostgreSQL, and `tagwarden ledger init` before it):
  tagwarden demo
  tagwarden demo --source ./deploy --keep ./demo-ledger
  tagwarden demo --registry 127.0.0.1:5000/acme/demo
  tagwarden demo --ledger postgres://tagwarden@db.example.com/audit";

pub(super) const INIT: &str = "\
It looks at git's remote `origin` and at the CI's files of the working directory, and at nothing else; what it could not find \
out is said, to be changed. A file that is there already is never overwritten. --ledger names the ledger; a password in it \
is not written.

Example:
  tagwarden init";

pub(super) const CONFIG_VALIDATE: &str = "\
For each environment: its policy with the digest that the log has of it, and each guardrail with its mode. An invalid file is \
CONFIG_INVALID (exit code 2) with line, column and the nearest known key.

Example:
  tagwarden config validate";

pub(super) const PUSH: &str = "\
What is left out is said in one line, and listed in `left_out` with --json: what --ignore-paths matches; what a \
.sourceignore matches, in its directory and below (it may bring back what the default patterns leave out); and, unless \
--include names it, .env and .env.*, private keys (id_rsa and the like, *.key, *.p12, *.pfx, *.ppk, *.jks, *.keystore, and \
what begins as one), *.pem, .git, .hg, .svn and .jj. A secret in a directory that is included is named by itself.

A version tag never moves. To push the same release again, in a job that is repeated for one, the time must be the same, \
too: that of a commit is.

Examples (the first one in a git repository):
  tagwarden artifact push registry.example.com/acme/shop:1.4.2 --path ./deploy
  tagwarden artifact push registry.example.com/acme/shop:1.4.2 --path ./deploy \\
    --source https://github.com/acme/shop \\
    --revision main@sha1:0123456789abcdef0123456789abcdef01234567 \\
    --created 2026-11-23T06:00:00Z";

pub(super) const BOOTSTRAP: &str = "\
Without --source the tag is taken as it is; with it the tag is made if it is absent.

Examples:
  tagwarden bootstrap 127.0.0.1:5000/acme/shop:prod
  tagwarden bootstrap 127.0.0.1:5000/acme/shop:prod --source 1.4.1";

pub(super) const PROMOTE: &str = "\
What --source means: `sha256:…` is a digest of the channel's repository; a word with a `/` is a whole reference; a bare \
word is the environment of that name in tagwarden.toml, or a channel of the same repository if the ledger has a log of \
it, and a tag of the same repository otherwise. From a channel, its live digest is taken, as the ledger says it; preprod~1, \
preprod#42 and preprod@{2 hours ago} are what was live there before.

Examples:
  tagwarden promote 127.0.0.1:5000/acme/shop:prod --source 1.4.2
  tagwarden promote prod --source preprod --release v1.4.2 --expected sha256:…
  tagwarden promote prod --source 1.4.2 --dry-run";

pub(super) const ROLLBACK: &str = "\
The manifest, its index children, configs and layers must all still be in the registry (finding TARGET_INCOMPLETE), unless \
--override parts-present says otherwise; a part that cannot be looked at is a warning. A rollback appends a move; it never rewrites the record. \
In a terminal it shows what it changes and asks first; --yes, --json and a CI do not ask.

Examples:
  tagwarden rollback prod
  tagwarden history prod                       # which releases were live
  tagwarden rollback prod --to 1.4.1 --reason 'incident 7'
  tagwarden rollback prod --to prod~2 --dry-run
  tagwarden rollback prod --to prod#42 --yes
  tagwarden rollback prod --to sha256:…";

pub(super) const REPAIR: &str = "\
After drift (exit 4): what was pushed by hand is replaced by what the ledger says is live, and both are recorded. To \
keep what was pushed instead: `adopt`.

Example:
  tagwarden repair prod --reason 'hand-pushed hotfix undone'";

pub(super) const ADOPT: &str = "\
After drift (exit 4): nothing is put; the digest that the tag points at becomes live, with your reason on the record. To \
undo what was pushed instead: `repair`.

Example:
  tagwarden adopt prod --reason 'hotfix for incident 7, reviewed by ada'";

pub(super) const RECOVER: &str = "\
Waits until the open move may be taken over (its ttl and grace, as the log says), then its quiet time, so that no earlier \
put can still land; then it is closed by what the registry shows. What it waits for, and how long, is said on standard \
error.

Examples:
  tagwarden recover prod
  tagwarden recover prod --abort --timeout 5m";

pub(super) const BLOCK: &str = "\
A blocked release is refused by promote and rollback, and no override changes that; `audit` finds where it is live \
(exit 4). Without --only it counts in every environment of the pipeline; with it, from that channel on. A digest needs no \
registry. It is listed by `current`, and ended by `unblock`.

Examples:
  tagwarden block 1.4.2 --reason 'it loses orders' \\
    --url https://issues.example.com/7
  tagwarden block sha256:… --only prod --reason 'not for prod'";

pub(super) const UNBLOCK: &str = "\
Examples:
  tagwarden current prod                                  # the blocks in force
  tagwarden unblock sha256:… --reason 'it was the database'
  tagwarden unblock sha256:… --only prod --reason 'fixed by a setting'";

pub(super) const HOLD: &str = "\
By default promote and bootstrap are stopped, and rollback, repair and adopt pass: an incident can still be ended. With \
--scope all every move is stopped. A move that has its intent but has not put yet is stopped, too. Several holds can be in \
force; each has an id and is ended by itself. The registry is asked only for the tag of a channel that has no log yet: a \
channel with neither a log nor a tag is refused, and a registry that does not answer stops no hold.

Examples:
  tagwarden hold prod --reason 'incident 7' --for 2h
  tagwarden hold prod --reason 'legal freeze' --scope all
  tagwarden hold --pipeline --reason 'incident 7'            # every environment";

pub(super) const UNHOLD: &str = "\
Examples:
  tagwarden holds prod                                       # the ids
  tagwarden unhold prod 17 --reason 'incident 7 is over'
  tagwarden unhold prod --mine --reason 'incident 7 is over'
  tagwarden unhold --pipeline --mine --reason 'incident 7 is over'";

pub(super) const CURRENT: &str = "\
Exit 0: in sync. Exit 4: drift, see `tagwarden repair --help` and `tagwarden adopt --help`. Exit 5: a move is open. \
Exit 6: the registry could not be asked.

Examples:
  tagwarden current prod
  tagwarden current prod --offline --json";

pub(super) const HISTORY: &str = "\
Examples:
  tagwarden history prod
  tagwarden history prod --limit 5 --before 42 --full
  tagwarden history prod --all --json";

pub(super) const DIFF: &str = "\
A release is named as everywhere: a tag (1.4.2), a digest, a whole reference, a channel (preprod), or what was live on one: \
prod~1 (a change ago), prod#42 (by the move with this sequence number), prod@{2 hours ago}. What is gone from the registry is \
compared by what its move recorded, and a note says so.

Examples:
  tagwarden diff preprod..prod
  tagwarden diff prod~1 prod --unified
  tagwarden diff prod@{2026-11-23T06:00:00Z} prod
  tagwarden diff 1.4.1 1.4.2 --channel prod --json";

pub(super) const AT: &str = "\
Order in the log decides; the time of an entry informs: shown is the last committed move that was closed at or before the \
time.

Example:
  tagwarden at prod 2026-11-23T06:00:00Z";

pub(super) const AUDIT: &str = "\
Exit 0: every channel is in sync. Otherwise the worst, in this order: 7 the log has a defect, 4 drift, 6 unknown (a \
failure to look is never in sync), 5 a move is open.

Examples:
  tagwarden audit
  tagwarden audit prod preprod --json";

pub(super) const RETENTION: &str = "\
What is live, named by an open move or inside a rollback window is kept, and so is what a tag names, what a kept index \
needs, and what is not understood.

Example:
  tagwarden retention registry.example.com/acme/shop --keep-last 10 \\
    --keep-for 30d";

pub(super) const VERIFY: &str = "\
Every entry's bytes, its place and its link to the one before are checked. A defect is named with its seq and code, and \
the exit code is 7. Unanchored: a cut tail cannot be seen without a checkpoint kept elsewhere.

Examples:
  tagwarden verify
  tagwarden verify --log prod.jsonl";

pub(super) const LEDGER_INIT: &str = "\
It makes what can be made, and may be run again: a directory, or the tables of a PostgreSQL schema. A bucket is not made; \
that the store can keep a ledger is tried out. docs/guides/ledgers.md says which ledger to \
choose, docs/reference/ledger-urls.md which rights each one needs.

Without a URL it is the ledger of --ledger, TAGWARDEN_LEDGER or tagwarden.toml.

Examples (the second one needs a PostgreSQL):
  tagwarden ledger init
  tagwarden ledger init postgres://tagwarden@db.example.com/audit";

pub(super) const LEDGER_MIGRATE: &str = "\
Each log is verified in FROM, copied byte for byte, read back from TO, and then closed in FROM by an entry that says where \
it went: nothing can be written there any more, so that no log goes on in two places. It stays readable. A log with an \
open move is not closed: CHANNEL_BUSY. What is interrupted is run again, and goes on where it stopped; only if TO had \
everything already, it asks for --resume, because TO might be FROM under another name. A copy that leaves FROM as it is: \
`ledger export`.

Examples (s3:// needs a bucket):
  tagwarden ledger migrate ./ledger s3://acme-audit/shop --dry-run
  tagwarden ledger migrate ./ledger s3://acme-audit/shop
  tagwarden ledger migrate ./ledger \"$LEDGER_URL\" preprod   # this channel";

pub(super) const LEDGER_EXPORT: &str = "\
One file for each log, CHANNEL.jsonl, an entry a line, as the file ledger names and writes it: `verify --log FILE` checks \
it, and `ledger import` brings it back. An earlier export in DIR is replaced only by a log that begins with it, so that a \
damaged ledger does not take its backup with it.

Examples (s3:// needs a bucket):
  tagwarden ledger export ./backup
  tagwarden ledger export ./backup --ledger s3://acme-audit/shop";

pub(super) const LEDGER_IMPORT: &str = "\
Each log is verified before its first entry is written; what is there already is compared. A last entry that says the log \
goes on in another ledger is left out: an imported log is open. Import what is not written any more: a backup, not a ledger \
in use (that is `ledger migrate`).

Examples (postgres:// needs a PostgreSQL):
  tagwarden ledger import ./backup --ledger ./restored
  tagwarden ledger import ./backup --ledger postgres://ci@db.example.com/audit";
