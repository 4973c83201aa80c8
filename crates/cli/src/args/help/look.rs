//! The long texts of `--help` of the commands that only look.

pub(in crate::args) const CURRENT_OFFLINE: &str = "\
Do not ask the registry, and read a ledger in a Git branch from this machine's copy, without its server; say how old the \
copy is. Default: ask both, and exit with 4 if the registry shows something else";

pub(in crate::args) const CURRENT: &str = "\
Exit 0: in sync. Exit 4: drift, see `tagwarden repair --help` and `tagwarden adopt --help`. Exit 5: a move is open. \
Exit 6: the registry could not be asked.

Examples:
  tagwarden current prod
  tagwarden current prod --offline --json";

pub(in crate::args) const HISTORY: &str = "\
Examples:
  tagwarden history prod
  tagwarden history prod --limit 5 --before 42 --full
  tagwarden history prod --all --json
  tagwarden history prod --entries             # holds and blocks, too
  tagwarden history prod --offline             # the Git server is down";

pub(in crate::args) const DIFF: &str = "\
A release is named as everywhere: a tag (1.4.2), a digest, a whole reference, a channel (preprod), or what was live on \
one: prod~1 (a change ago), prod#42 (by the move with this sequence number), prod@{2 hours ago}. A release that is \
gone from the registry is compared by the record of its move, and a note says so.

Examples:
  tagwarden diff preprod..prod
  tagwarden diff prod~1 prod --unified
  tagwarden diff prod@{2026-11-23T06:00:00Z} prod
  tagwarden diff 1.4.1 1.4.2 --channel prod --json";

pub(in crate::args) const AT: &str = "\
It shows the last committed move, in the order of the log, that was closed at or before this time. The times are those \
of the machines that wrote the entries.

Example:
  tagwarden at prod 2026-11-23T06:00:00Z";

pub(in crate::args) const AUDIT: &str = "\
With --offline the registry is asked as always; a move that was made after the copy was read looks like drift. \
Exit 0: every channel is in sync. Otherwise the worst, in this order: 7 the log has a defect, 4 drift, 6 unknown (a \
channel that could not be read is never in sync), 5 a move is open.

Examples:
  tagwarden audit
  tagwarden audit prod preprod --json";

pub(in crate::args) const RETENTION: &str = "\
A digest is kept if it is live, if an open move names it, or if it is inside a rollback window; also if a tag names \
it, if an index that is kept needs it, or if its manifest is not understood.

Example:
  tagwarden retention registry.example.com/acme/shop --keep-last 10 \\
    --keep-for 30d";

pub(in crate::args) const VERIFY: &str = "\
Every entry's bytes, its place and its link to the one before are checked. A defect is named with its seq and code, \
and the exit code is 7. \"Unanchored\" means that the check had no checkpoint: without one that is kept elsewhere, a log \
that lost its last entries looks whole.

Examples:
  tagwarden verify
  tagwarden verify --log prod.jsonl";
