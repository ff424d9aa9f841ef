//! Which files commits bring, and at which paths: for those who may not read all of them.
//!
//! Unlike [`find_new`](crate::sync::walk::find_new) this visits a folder as often as it stands
//! somewhere, since who may read it depends on where it stands.

use crate::base::id::{CommitId, FileId, TreeId};
use crate::base::path::AssetPath;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeEntry};
use crate::object::tree_walk::{CursorItem, DirectoryCursor, entry_at};
use crate::repo::RepoError;
use crate::rules::pattern::Pattern;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::walk::{Step, open_old, step};

/// A file that a commit brings to a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedFile {
    /// Where.
    pub path: AssetPath,
    /// Which.
    pub file: FileId,
    /// Its length in bytes.
    pub size: u64,
    /// The file that stood there in the first parent.
    pub before: Option<FileId>,
}

/// Whether one of the patterns covers a path.
pub fn is_hidden(hidden: &[Pattern], path: &AssetPath) -> bool {
    hidden.iter().any(|pattern| pattern.matches_path(path))
}

/// Visits the files that a commit brings: those that stand at their path in none of its parents.
///
/// A few small folders can stand at more paths than anybody can visit: `enter` is asked before each.
pub fn each_file<S: ObjectSource<Error = RepoError>>(
    source: &S,
    id: CommitId,
    enter: &mut dyn FnMut() -> SyncResult<()>,
    visit: &mut dyn FnMut(PlacedFile) -> SyncResult<()>,
) -> SyncResult<()> {
    let commit = source.commit(id)?;
    let mut parents = Vec::new();
    for parent in &commit.parents {
        match source.commit(*parent) {
            Ok(parent) => parents.push(parent.tree),
            Err(RepoError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let first = parents.first().copied();
    let others = parents.get(1..).unwrap_or_default();
    let mut waiting = vec![(AssetPath::root(), commit.tree, first)];
    while let Some((folder, after, before)) = waiting.pop() {
        if before == Some(after) {
            continue;
        }
        enter()?;
        let mut walk = Walk { source, others, folder, waiting: &mut waiting, visit: &mut *visit };
        walk.directory(after, before)?;
    }
    Ok(())
}

struct Walk<'a, S> {
    source: &'a S,
    others: &'a [TreeId],
    folder: AssetPath,
    waiting: &'a mut Vec<(AssetPath, TreeId, Option<TreeId>)>,
    visit: &'a mut dyn FnMut(PlacedFile) -> SyncResult<()>,
}

impl<S: ObjectSource<Error = RepoError>> Walk<'_, S> {
    fn directory(&mut self, after: TreeId, before: Option<TreeId>) -> SyncResult<()> {
        let mut new = DirectoryCursor::new(self.source, after);
        let mut old = before.map(|before| DirectoryCursor::new(self.source, before));
        loop {
            let next = match (new.peek(), old.as_ref().and_then(DirectoryCursor::peek)) {
                (None, _) => return Ok(()),
                (Some(item), other) => step(item, other),
            };
            match next {
                Step::PassBoth => {
                    new.take_item();
                    old.as_mut().and_then(DirectoryCursor::take_item);
                }
                Step::OpenNew => new.open()?,
                Step::OpenOld => open_old(&mut old),
                Step::OpenBoth => {
                    new.open()?;
                    open_old(&mut old);
                }
                Step::PassOld => drop(old.as_mut().and_then(DirectoryCursor::take_item)),
                Step::TakeNew => {
                    if let Some(CursorItem::Entry(entry)) = new.take_item() {
                        self.entry(&entry, None)?;
                    }
                }
                Step::Compare => {
                    let before = old.as_mut().and_then(DirectoryCursor::take_item);
                    if let (Some(CursorItem::Entry(entry)), Some(CursorItem::Entry(before))) =
                        (new.take_item(), before)
                    {
                        self.entry(&entry, Some(&before))?;
                    }
                }
            }
        }
    }

    fn entry(&mut self, entry: &TreeEntry, before: Option<&TreeEntry>) -> SyncResult<()> {
        let path = self
            .folder
            .join(&entry.name)
            .map_err(|error| SyncError::Invalid { what: "a tree", detail: error.to_string() })?;
        let old = before.map(|before| &before.content);
        match (&entry.content, old) {
            (Content::Directory { id }, Some(Content::Directory { id: before })) => {
                self.waiting.push((path, *id, Some(*before)));
            }
            (Content::Directory { id }, _) => self.waiting.push((path, *id, None)),
            (Content::File { id, size, .. } | Content::Symlink { id, size }, old) => {
                let before = old.and_then(Content::file_id);
                if before != Some(*id) && !self.stands_elsewhere(&path, *id)? {
                    (self.visit)(PlacedFile { path, file: *id, size: *size, before })?;
                }
            }
            (Content::Foreign { .. }, _) => {}
        }
        Ok(())
    }

    /// Whether a parent other than the first has the file at that path.
    fn stands_elsewhere(&self, path: &AssetPath, file: FileId) -> SyncResult<bool> {
        for tree in self.others {
            let found = entry_at(self.source, *tree, path)?;
            if found.is_some_and(|entry| entry.content.file_id() == Some(file)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
