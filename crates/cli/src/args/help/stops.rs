//! The long texts of `--help` of blocks and holds.

pub(in crate::args) const BLOCK: &str = "\
A blocked release is refused by promote and rollback, and no override changes that; `audit` finds where it is live \
(exit 4). Without --only it counts in every environment of the pipeline; with it, from that channel on. For a digest, \
the registry is not asked. A block counts by digest, and does not cover a channel that is not in the pipeline, even if \
it has the same release. `current` lists the blocks, and `unblock` ends one.

Examples:
  tagwarden block 1.4.2 --reason 'it loses orders' \\
    --url https://issues.example.com/7
  tagwarden block sha256:… --only prod --reason 'not for prod'";

pub(in crate::args) const UNBLOCK: &str = "\
Examples:
  tagwarden current prod                                  # the blocks in force
  tagwarden unblock sha256:… --reason 'it was the database'
  tagwarden unblock sha256:… --only prod --reason 'fixed by a setting'";

pub(in crate::args) const HOLD: &str = "\
By default promote and bootstrap are stopped, and rollback, repair and adopt pass, so that an incident can still be \
ended. With --scope all every move is stopped. A move that has its intent but has not put yet is stopped, too. Several \
holds can be in force; each has an id, and `unhold` ends one of them. The registry is asked only for the tag of a \
channel that has no log yet: a channel with neither a log nor a tag is refused, and if the registry does not answer, \
the hold is recorded all the same.

Examples:
  tagwarden hold prod --reason 'incident 7' --for 2h
  tagwarden hold prod --reason 'legal freeze' --scope all
  tagwarden hold --pipeline --reason 'incident 7'            # every environment";

pub(in crate::args) const UNHOLD: &str = "\
Examples:
  tagwarden holds prod                                       # the ids
  tagwarden unhold prod 17 --reason 'incident 7 is over'
  tagwarden unhold prod --mine --reason 'incident 7 is over'
  tagwarden unhold --pipeline --mine --reason 'incident 7 is over'";
