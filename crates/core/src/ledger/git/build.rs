//! The objects of an append: the file with one more line, the directories above it, and the commit.

use bytes::Bytes;

use super::branch::Attempt;
use super::commit::{COMMITTER, Commit};
use super::layout::{ATTRIBUTES, LogDir, file_name, readme};
use super::refusal::Fault;
use super::tree::{Object, Tree};
use super::turn::Turn;
use super::view::{LogFile, View, text};
use crate::log::Entry;
use crate::value::Channel;

/// An append that was built on a tip.
pub(super) struct Built {
    pub(super) commit: String,
    pub(super) view: View,
}

impl Turn<'_> {
    /// Makes the commit with the entry, on the tip that was read last.
    pub(super) fn build(&self, channel: &Channel, view: &View, bytes: &Bytes, entry: &Entry) -> Attempt<Built> {
        let (first, tail) = view.with(bytes);
        let blob = self.write_blob(text(&tail))?;
        let directory = LogDir::of(channel);
        let mut trees = self.trees(directory.parts())?;
        let (mut name, mut id) = (file_name(first), blob.clone());
        let mut log = None;
        // From the directory of the log up to the top.
        for depth in (0..trees.len()).rev() {
            let Some(tree) = trees.get_mut(depth) else { break };
            match depth == directory.parts().len() {
                true => tree.set_file(&name, &id),
                false => tree.set_directory(&name, &id),
            }
            if depth == 0 && self.known.tip.is_none() {
                self.add_notes(tree)?;
            }
            id = self.write_tree(tree)?;
            log.get_or_insert_with(|| id.clone());
            name = depth.checked_sub(1).and_then(|above| directory.parts().get(above)).cloned().unwrap_or_default();
        }
        let commit = self.write_commit(&id, &Commit::of(entry))?;
        let mut files = view.files.clone();
        files.retain(|file| file.first != first);
        files.push(LogFile { first, id: blob });
        Ok(Built { commit, view: View { tree: log, files, tail } })
    }

    /// The trees along a path at the tip, from the top on; empty ones where there are none.
    pub(super) fn trees(&self, path: &[String]) -> Attempt<Vec<Tree>> {
        let Some(tip) = &self.known.tip else { return Ok(vec![Tree::default(); path.len() + 1]) };
        let paths = (0..=path.len()).map(|depth| path.get(..depth).unwrap_or_default().join("/"));
        let parse = |object: Option<Object>| match object {
            Some(object) => Ok(Tree::parse(&object.bytes, object.id.len())?),
            None => Ok(Tree::default()),
        };
        self.branch.objects_at(tip, paths)?.into_iter().map(parse).collect()
    }

    /// Adds `README.md` and `.gitattributes` where there are none. True if one was added.
    pub(super) fn add_notes(&self, top: &mut Tree) -> Attempt<bool> {
        let mut is_changed = false;
        for (name, text) in [("README.md", readme()), (".gitattributes", ATTRIBUTES)] {
            if !top.has(name) {
                top.set_file(name, &self.write_blob(text.into())?);
                is_changed = true;
            }
        }
        Ok(is_changed)
    }

    fn write_blob(&self, text: Vec<u8>) -> Attempt<String> {
        self.write(&[], &["hash-object", "-w", "--stdin"], text)
    }

    pub(super) fn write_tree(&self, tree: &Tree) -> Attempt<String> {
        self.write(&[], &["mktree", "--missing", "-z"], tree.input())
    }

    /// The same commit for the same entry on the same tip, so that pushing it again is harmless.
    pub(super) fn write_commit(&self, tree: &str, commit: &Commit) -> Attempt<String> {
        let mut arguments = vec!["commit-tree", tree];
        if let Some(tip) = &self.known.tip {
            arguments.extend(["-p", tip]);
        }
        let date = format!("@{} +0000", commit.seconds);
        let variables = [
            ("GIT_AUTHOR_NAME", commit.author.as_str()),
            ("GIT_AUTHOR_EMAIL", &commit.email),
            ("GIT_AUTHOR_DATE", &date),
            ("GIT_COMMITTER_NAME", COMMITTER.0),
            ("GIT_COMMITTER_EMAIL", COMMITTER.1),
            ("GIT_COMMITTER_DATE", &date),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.write(&variables, &arguments, commit.message.clone().into_bytes())
    }

    /// The id of the object that a call of git writes.
    fn write(&self, variables: &[(String, String)], arguments: &[&str], input: Vec<u8>) -> Attempt<String> {
        let id = self.branch.local_with(variables, arguments, Some(input))?;
        let id = String::from_utf8_lossy(&id).trim().to_owned();
        match matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => Ok(id),
            false => Err(Fault::Cache("git wrote an object and did not say its id".to_owned()).into()),
        }
    }
}
