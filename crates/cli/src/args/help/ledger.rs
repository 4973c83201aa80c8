//! The long texts of `--help` of `ledger`.

pub(in crate::args) const LEDGER_INIT: &str = "\
It makes a directory, the tables of a PostgreSQL schema, or the branch of a Git repository with its README, and may be \
run again. It makes no bucket and no repository, but tests if the store can keep a ledger. docs/guides/ledgers.md \
says which ledger to choose, docs/reference/ledger-urls.md which rights each one needs.

Without a URL it is the ledger of --ledger, TAGWARDEN_LEDGER or tagwarden.toml.

Examples (the second one needs a PostgreSQL, the third one needs a repository):
  tagwarden ledger init
  tagwarden ledger init postgres://tagwarden@db.example.com/audit
  tagwarden ledger init git+https://github.com/acme/shop";

pub(in crate::args) const LEDGER_MIGRATE: &str = "\
Each log is verified in FROM, copied byte for byte, read back from TO, and then closed in FROM by an entry that names \
TO. Nothing is appended to a closed log, so no log goes on in two places; it stays readable. A log with an open move \
is not closed: CHANNEL_BUSY. Run an interrupted migration again: it continues where it stopped. If TO has every entry \
already, the command asks for --resume, because TO might be FROM under another name. To copy without closing FROM, use \
`ledger export`.

Examples (s3:// needs a bucket):
  tagwarden ledger migrate ./ledger s3://acme-audit/shop --dry-run
  tagwarden ledger migrate ./ledger s3://acme-audit/shop
  tagwarden ledger migrate ./ledger \"$LEDGER_URL\" preprod   # this channel";

pub(in crate::args) const LEDGER_EXPORT: &str = "\
One file for each log, CHANNEL.jsonl, an entry a line, as the file ledger names and writes it: `verify --log FILE` \
checks it, and `ledger import` brings it back. An earlier export in DIR is replaced only by a log that begins with the \
same entries, so that a damaged ledger never overwrites its backup.

Examples (s3:// needs a bucket):
  tagwarden ledger export ./backup
  tagwarden ledger export ./backup --ledger s3://acme-audit/shop";

pub(in crate::args) const LEDGER_IMPORT: &str = "\
Each log is verified before its first entry is written; entries that are there already are compared. A last entry that \
says the log goes on in another ledger is left out: an imported log is open. Import a backup, never a ledger in use \
(for that use `ledger migrate`).

Examples (postgres:// needs a PostgreSQL):
  tagwarden ledger import ./backup --ledger ./restored
  tagwarden ledger import ./backup --ledger postgres://ci@db.example.com/audit";
