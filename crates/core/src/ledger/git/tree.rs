//! `Tree`: the raw tree objects of Git, and answers of `git cat-file --batch`.

use super::refusal::Fault;

/// The mode of a directory, and of a file.
const DIRECTORY: &str = "40000";
const FILE: &str = "100644";

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) id: String,
    pub(super) bytes: Vec<u8>,
}

/// The content of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree(Vec<TreeEntry>);

/// A file or directory in a directory. A name that tagwarden did not write need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TreeEntry {
    mode: String,
    name: Vec<u8>,
    id: String,
}

impl Tree {
    /// The tree in the bytes of an object, whose id has `digits` digits. A broken one is a fault of the cache.
    pub(super) fn parse(bytes: &[u8], digits: usize) -> Result<Tree, Fault> {
        let broken = || Fault::Cache("a tree object is broken".to_owned());
        let (mut tree, mut rest) = (Tree::default(), bytes);
        while !rest.is_empty() {
            let zero = memchr::memchr(0, rest).ok_or_else(broken)?;
            let (head, after) = rest.split_at_checked(zero).ok_or_else(broken)?;
            let space = memchr::memchr(b' ', head).ok_or_else(broken)?;
            let (mode, name) = head.split_at_checked(space).ok_or_else(broken)?;
            let (id, next) = after.split_at_checked(1 + digits / 2).ok_or_else(broken)?;
            tree.0.push(TreeEntry {
                mode: String::from_utf8_lossy(mode).into_owned(),
                name: name.get(1..).unwrap_or_default().to_owned(),
                id: id.iter().skip(1).map(|byte| format!("{byte:02x}")).collect(),
            });
            rest = next;
        }
        Ok(tree)
    }

    /// The names and ids of the files whose names are UTF-8.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.0.iter().filter(|entry| entry.mode != DIRECTORY);
        files.filter_map(|entry| Some((std::str::from_utf8(&entry.name).ok()?, entry.id.as_str())))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|entry| entry.name == name.as_bytes())
    }

    pub(super) fn set_file(&mut self, name: &str, id: &str) {
        self.set(FILE, name, id);
    }

    pub(super) fn set_directory(&mut self, name: &str, id: &str) {
        self.set(DIRECTORY, name, id);
    }

    fn set(&mut self, mode: &str, name: &str, id: &str) {
        self.0.retain(|entry| entry.name != name.as_bytes());
        self.0.push(TreeEntry { mode: mode.to_owned(), name: name.as_bytes().to_owned(), id: id.to_owned() });
    }

    /// The input of `git mktree -z`, which sorts it.
    pub(super) fn input(&self) -> Vec<u8> {
        let mut input = Vec::new();
        for TreeEntry { mode, name, id } in &self.0 {
            let kind = match mode.as_str() {
                DIRECTORY => "tree",
                "160000" => "commit",
                _ => "blob",
            };
            input.extend_from_slice(format!("{mode} {kind} {id}\t").as_bytes());
            input.extend_from_slice(name);
            input.push(0);
        }
        input
    }
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
    fn tree_is_read_and_written_with_names_of_any_bytes() {
        let bytes = raw(&[("100644", b"README.md"), ("40000", b"reg.io"), ("100644", b"a b\xff")]);
        let mut tree = Tree::parse(&bytes, 40).unwrap();
        assert_eq!(tree.files().collect::<Vec<_>>(), [("README.md", ID)]);
        assert!(tree.has("reg.io") && !tree.has("reg"));
        tree.set_directory("reg.io", &"1".repeat(40));
        tree.set_file("new", &"2".repeat(40));
        let want = format!(
            "100644 blob {ID}\tREADME.md\0100644 blob {ID}\ta b\u{1}\040000 tree {}\treg.io\0100644 blob {}\tnew\0",
            "1".repeat(40),
            "2".repeat(40)
        );
        let mut want = want.into_bytes();
        let odd = want.iter().position(|byte| *byte == 1).unwrap();
        want[odd] = 0xff;
        assert_eq!(tree.input(), want);
        assert!(Tree::parse(&bytes[..bytes.len() - 1], 40).is_err());
        assert!(Tree::parse(b"100644", 40).is_err());
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
