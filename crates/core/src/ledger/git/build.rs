//! The commit of an append: the file of the log with one more line.

use bytes::Bytes;

use super::branch::Attempt;
use super::cache::BUILT;
use super::commit::{COMMITTER, Commit};
use super::layout::{TOP_FILES, directory, file_name};
use super::refusal::Fault;
use super::turn::Turn;
use super::view::{LogFile, View, text};
use crate::log::Entry;
use crate::value::Channel;

/// An append that was built on a tip.
pub(super) struct Built {
    pub(super) commit: String,
    pub(super) view: View,
}

/// The path and the content of a file.
type File<'a> = (&'a str, &'a [u8]);

impl Turn<'_> {
    /// Makes the commit with the entry, on the tip that was read last.
    pub(super) fn build(&self, channel: &Channel, view: &View, bytes: &Bytes, entry: &Entry) -> Attempt<Built> {
        let (first, tail) = view.with(bytes);
        let directory = directory(channel);
        let path = format!("{directory}/{}", file_name(first));
        let content = text(&tail);
        let mut written: Vec<File<'_>> = vec![(&path, &content)];
        if self.known.tip.is_none() {
            written.extend(TOP_FILES.map(|(path, text)| (path, text.as_bytes())));
        }
        let [blob, tree, commit] = self.commit(&Commit::of(entry), &written, [&path, &directory])?;
        let mut files = view.files.clone();
        files.retain(|file| file.first != first);
        files.push(LogFile { first, id: blob });
        Ok(Built { commit, view: View { tree: Some(tree), files, tail } })
    }

    /// Makes a commit with these files on the tip that was read last. Returns the ids of the objects at the `asked`
    /// paths, and that of the commit after them.
    ///
    /// The same files and the same commit on the same tip always have the same id, so that pushing them again is
    /// harmless.
    pub(super) fn commit<const A: usize, const I: usize>(
        &self,
        commit: &Commit,
        files: &[File<'_>],
        asked: [&str; A],
    ) -> Attempt<[String; I]> {
        let input = import(commit, self.known.tip.as_deref(), files, &asked);
        // One process makes every object. `--force`: the ref may be at a commit that was never pushed.
        let arguments = ["fast-import", "--quiet", "--force", "--done", "--date-format=raw"];
        let answer = String::from_utf8_lossy(&self.branch.local(&arguments, Some(input))?).into_owned();
        let ids: Vec<String> = answer.lines().filter_map(id).map(str::to_owned).collect();
        ids.try_into().map_err(|_| Fault::Cache(format!("git fast-import did not name the objects: {answer:?}")).into())
    }
}

/// The input of `git fast-import` for a commit on `tip`.
fn import(commit: &Commit, tip: Option<&str>, files: &[File<'_>], asked: &[&str]) -> Vec<u8> {
    let Commit { message, author, email, seconds } = commit;
    let (committer, address) = COMMITTER;
    let mut input = format!(
        "commit {BUILT}\nmark :1\nauthor {author} <{email}> {seconds} +0000\n\
         committer {committer} <{address}> {seconds} +0000\ndata {}\n{message}\n",
        message.len()
    )
    .into_bytes();
    if let Some(tip) = tip {
        input.extend_from_slice(format!("from {tip}\n").as_bytes());
    }
    for (path, content) in files {
        input.extend_from_slice(format!("M 100644 inline {path}\ndata {}\n", content.len()).as_bytes());
        input.extend_from_slice(content);
        input.push(b'\n');
    }
    for path in asked {
        input.extend_from_slice(format!("ls \"{path}\"\n").as_bytes());
    }
    input.extend_from_slice(b"get-mark :1\ndone\n");
    input
}

/// The id in an answer: `<id>` of a mark, or `<mode> <type> <id>\t<path>` of a path.
fn id(line: &str) -> Option<&str> {
    let id = line.split('\t').next()?.rsplit(' ').next()?;
    (matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_found_in_each_kind_of_answer() {
        let hex = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(id(hex), Some(hex));
        assert_eq!(id(&format!("040000 tree {hex}\treg.io/a b/@prod")), Some(hex));
        assert_eq!(id(&format!("100644 blob {hex}{}\tx", &hex[..24])), Some(format!("{hex}{}", &hex[..24]).as_str()));
        for line in ["missing reg.io/shop", "", &hex[1..], &hex.replace('0', "g")] {
            assert_eq!(id(line), None, "{line}");
        }
    }
}
