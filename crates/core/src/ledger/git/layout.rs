//! The files of a branch: `<registry>/<repository>/@<tag>/<first position, 12 digits>.jsonl`, one entry a line, 100
//! entries a file. The files of a directory, one after the other, are the log of its channel.

use crate::ledger::name::FILE;
use crate::value::Channel;

/// The number of entries in one file. Each append writes one whole file, and one tree with the names of all files of
/// the log. A larger number makes appends and reads slower; a smaller number makes the tree larger.
pub(super) const ENTRIES: u64 = 100;

/// The files at the top of a branch, and their texts. Without `.gitattributes`, `core.autocrlf` would change the bytes of
/// entries in a clone.
pub(super) const TOP_FILES: [(&str, &str); 2] =
    [("README.md", include_str!("README.md")), (".gitattributes", "* -text\n")];

/// The directory of a channel's log: its path from the top of the branch.
///
/// No component of a repository begins with `@`, so a log's directory is never a part of another repository's path.
pub(super) fn directory(channel: &Channel) -> String {
    let repository = channel.repository();
    let names = [repository.registry()].into_iter().chain(repository.path().split('/'));
    let parts: String = names.map(|name| format!("{}/", FILE.encode_text(name))).collect();
    format!("{parts}@{}", FILE.encode_text(channel.tag().as_str()))
}

/// The position of the first entry in the file that has, or will have, the entry at `seq`.
pub(super) fn first_of(seq: u64) -> u64 {
    seq - seq % ENTRIES
}

/// The name of the file whose first entry is at `first`.
pub(super) fn file_name(first: u64) -> String {
    format!("{first:012}.jsonl")
}

/// The position of the first entry in the file of this name; none if no file of a log has this name.
pub(super) fn first_in(name: &str) -> Option<u64> {
    let first = name.strip_suffix(".jsonl")?.parse().ok()?;
    (first % ENTRIES == 0 && file_name(first) == name).then_some(first)
}

/// The meaning of a file in the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A file of this channel's log.
    Log(Channel),
    /// A file of a log whose directory has a shortened name. Its entries name the channel.
    Shortened,
    /// Another file.
    Other,
}

/// The meaning of the file at this path, from the top of the branch.
pub(super) fn channel_of(path: &str) -> Found {
    let file = path.rsplit_once('/').filter(|(_, file)| first_in(file).is_some());
    match file.and_then(|(directory, _)| Some((directory, directory.rsplit_once("/@")?))) {
        None => Found::Other,
        Some((directory, _)) if FILE.is_cut(directory) => Found::Shortened,
        Some((directory, (repository, tag))) => match decoded(repository, tag) {
            Some(channel) if self::directory(&channel) == directory => Found::Log(channel),
            _ => Found::Other,
        },
    }
}

fn decoded(repository: &str, tag: &str) -> Option<Channel> {
    format!("{}:{}", FILE.unescape(repository)?, FILE.unescape(tag)?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(text: &str) -> Channel {
        text.parse().unwrap()
    }

    #[test]
    fn directory_is_the_repository_and_the_tag_and_comes_back() {
        for (text, path) in [
            ("registry.example.com/acme/shop:prod", "registry.example.com/acme/shop/@prod"),
            ("localhost:5000/shop:Prod-1.2_x", "localhost%3a5000/shop/@%50rod-1.2_x"),
            ("reg.io/a__b/c-d/e.f:prod", "reg.io/a__b/c-d/e.f/@prod"),
        ] {
            assert_eq!(directory(&channel(text)), path);
            assert_eq!(channel_of(&format!("{path}/000000000100.jsonl")), Found::Log(channel(text)));
        }
    }

    #[test]
    fn long_tag_is_shortened_and_keeps_its_own_directory() {
        let long = |last: char| channel(&format!("reg.io/a:{}{last}", "P".repeat(127)));
        let (one, two) = (directory(&long('A')), directory(&long('B')));
        assert_ne!(one, two);
        assert!(one.split('/').all(|part| part.len() < 255), "{one:?}");
        assert_eq!(channel_of(&format!("{}/{}", one, file_name(0))), Found::Shortened);
    }

    #[test]
    fn file_has_the_position_of_its_first_entry_as_its_name() {
        for (seq, name) in [
            (0, "000000000000.jsonl"),
            (99, "000000000000.jsonl"),
            (100, "000000000100.jsonl"),
            (1_234_567_890_199, "1234567890100.jsonl"),
        ] {
            assert_eq!(file_name(first_of(seq)), name);
            assert_eq!(first_in(name), Some(first_of(seq)));
        }
        for name in ["000000000001.jsonl", "0.jsonl", "+00000000100.jsonl", "0000000000100.jsonl", "000000000100", ""] {
            assert_eq!(first_in(name), None, "{name}");
        }
    }

    #[test]
    fn file_that_is_no_part_of_a_log_is_other() {
        for path in [
            "README.md",
            ".gitattributes",
            "reg.io/acme/shop/prod/000000000000.jsonl",
            "reg.io/acme/shop/@prod/notes.md",
            "reg.io/acme/shop/@prod/000000000001.jsonl",
            "reg.io/Acme/shop/@prod/000000000000.jsonl",
            "reg.io/acme/shop/@Prod/000000000000.jsonl",
            "reg.io/acme/shop/@%70rod/000000000000.jsonl",
            "reg.io/@prod/000000000000.jsonl",
            "@prod/000000000000.jsonl",
            "reg.io/acme//@prod/000000000000.jsonl",
            "reg.io/acme%2fshop/@prod/000000000000.jsonl",
            "reg.io/acme/shop/@tw-pin.sha256-0/000000000000.jsonl",
            "",
        ] {
            assert_eq!(channel_of(path), Found::Other, "{path}");
        }
    }

    #[test]
    fn readme_names_the_layout() {
        let [(_, readme), _] = TOP_FILES;
        for part in ["`<registry>/<repository>/@<tag>/", "12 digits", "tagwarden verify", "Do not edit"] {
            assert!(readme.contains(part), "{part}");
        }
        assert!(ENTRIES == 100 && readme.contains("100 entries"), "the README says how many");
    }
}
