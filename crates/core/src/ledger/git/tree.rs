//! `Object`: the raw objects of Git, as `git cat-file --batch` answers them, and the files in a tree.

use super::refusal::Fault;

/// The mode of a directory.
const DIRECTORY: &[u8] = b"40000";

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) id: String,
    pub(super) bytes: Vec<u8>,
}

/// The names and ids of the files in a tree, whose ids have `digits` digits; without those whose names are not UTF-8,
/// which tagwarden did not write. A broken one is a fault of the cache.
pub(super) fn files(tree: &[u8], digits: usize) -> Result<Vec<(&str, String)>, Fault> {
    let broken = || Fault::Cache("a tree object is broken".to_owned());
    let (mut files, mut rest) = (Vec::new(), tree);
    while !rest.is_empty() {
        let zero = memchr::memchr(0, rest).ok_or_else(broken)?;
        let (head, after) = rest.split_at_checked(zero).ok_or_else(broken)?;
        let space = memchr::memchr(b' ', head).ok_or_else(broken)?;
        let (mode, name) = head.split_at_checked(space).ok_or_else(broken)?;
        let (id, next) = after.split_at_checked(1 + digits / 2).ok_or_else(broken)?;
        if let (true, Some(Ok(name))) = (mode != DIRECTORY, name.get(1..).map(std::str::from_utf8)) {
            files.push((name, id.iter().skip(1).map(|byte| format!("{byte:02x}")).collect()));
        }
        rest = next;
    }
    Ok(files)
}

/// The objects in the answer of `git cat-file --batch` to `asked` names, each none if there is no such object. None if
/// the answer is malformed.
pub(super) fn objects(answer: &[u8], asked: usize) -> Option<Vec<Option<Object>>> {
    let (mut found, mut rest) = (Vec::with_capacity(asked), answer);
    for _ in 0..asked {
        let (line, after) = rest.split_at_checked(memchr::memchr(b'\n', rest)?)?;
        let after = after.get(1..)?;
        let line = std::str::from_utf8(line).ok()?;
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            [id, _, length] if length.parse::<usize>().is_ok() => {
                let length = length.parse().ok()?;
                let (bytes, next) = after.split_at_checked(length)?;
                found.push(Some(Object { id: (*id).to_owned(), bytes: bytes.to_owned() }));
                rest = next.get(1..)?;
            }
            [.., "missing"] => {
                found.push(None);
                rest = after;
            }
            _ => return None,
        }
    }
    rest.is_empty().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff00112233";

    fn raw(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let id: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&ID[2 * at..2 * at + 2], 16).unwrap()).collect();
        let entry = |(mode, name): &(&str, &[u8])| [mode.as_bytes(), b" ", name, b"\0", &id].concat();
        entries.iter().flat_map(entry).collect()
    }

    #[test]
    fn files_are_read_from_a_tree_with_names_of_any_bytes() {
        let bytes = raw(&[("100644", b"README.md"), ("40000", b"reg.io"), ("100644", b"a b\xff")]);
        assert_eq!(files(&bytes, 40).unwrap(), [("README.md", ID.to_owned())]);
        assert!(files(&bytes[..bytes.len() - 1], 40).is_err());
        assert!(files(b"100644", 40).is_err());
    }

    #[test]
    fn answers_are_split_by_their_lengths() {
        let answer = format!("{ID} blob 4\na\nb\n\nHEAD:x y missing\n{ID} tree 0\n\n");
        let found = objects(answer.as_bytes(), 3).unwrap();
        let object = |bytes: &[u8]| Some(Object { id: ID.to_owned(), bytes: bytes.to_owned() });
        assert_eq!(found, [object(b"a\nb\n"), None, object(b"")]);
        assert_eq!(objects(&answer.as_bytes()[..answer.len() - 2], 3), None);
        assert_eq!(objects(b"fatal: x\n", 1), None);
    }
}
