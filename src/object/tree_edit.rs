//! Applies a list of changed paths to a tree and rebuilds only what they touch.
//!
//! Folders without a change keep their id unread. Inside a large folder only the nodes around a
//! change are read and written, because nodes end where names say so (see `tree_build`): once a cut
//! of the new state falls on a cut of the old one, the nodes that follow are taken over whole.
//! Memory is bounded by the depth of the tree, not by the number of changes, which are a stream.

use crate::base::id::{AssetId, MetadataId, TreeId};
use crate::base::path::AssetPath;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeChild, TreeEntry, TreeNode};
use crate::object::tree_build::TreeBuilder;
use crate::object::tree_walk::{CursorItem, DirectoryCursor, WalkError, tree_order};
use std::cell::RefCell;
use std::collections::HashSet;

/// What stands at a path: an entry without its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct EntryValue {
    /// Which asset it is; a directory has one only when it is an asset itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<AssetId>,
    /// Its metadata, when it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<MetadataId>,
    /// What it is.
    #[serde(flatten)]
    pub content: Content,
}

impl EntryValue {
    /// The entry that has this value under a name.
    pub fn named(self, name: &[u8]) -> TreeEntry {
        TreeEntry { name: name.to_vec(), asset: self.asset, metadata: self.metadata, content: self.content }
    }
}

impl From<TreeEntry> for EntryValue {
    fn from(entry: TreeEntry) -> Self {
        Self { asset: entry.asset, metadata: entry.metadata, content: entry.content }
    }
}

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEdit {
    /// Where.
    pub path: AssetPath,
    /// What stands there from now on; `None` removes what is there, with everything below it.
    pub value: Option<EntryValue>,
}

/// Why a tree could not be edited.
#[derive(Debug, thiserror::Error)]
pub enum EditError<S: std::error::Error + 'static, W: std::error::Error + 'static> {
    /// The old tree could not be read.
    #[error(transparent)]
    Walk(#[from] WalkError<S>),
    /// A new node could not be kept.
    #[error("a tree node could not be kept")]
    Emit(#[source] W),
    /// The changes are not in [`tree_order`], or one path comes twice, or the top itself is changed.
    #[error("the change of {path} is out of order")]
    Order { path: AssetPath },
    /// Something is to be put below what is no folder.
    #[error("{path} is no folder, yet something is to be put into it")]
    NotAFolder { path: AssetPath },
}

/// Applies `edits`, which must be in [`tree_order`] with every path at most once, to the tree `root`.
///
/// Folders are made as needed. A folder that the edits inside it leave empty disappears, unless it
/// is an asset or has metadata. A change of a folder comes before the changes inside it, and these
/// apply to what it put there. Removing what is not there does
/// nothing. New nodes go to `emit` with their canonical bytes, parts before what they are part of;
/// nodes that the old tree has are not repeated. Returns the id of the new top.
pub fn edit_tree<S: ObjectSource, W: std::error::Error + 'static>(
    source: &S,
    root: TreeId,
    edits: impl IntoIterator<Item = TreeEdit>,
    emit: &mut dyn FnMut(TreeId, Vec<u8>) -> Result<(), W>,
) -> Result<TreeId, EditError<S::Error, W>> {
    let mut edits = edits.into_iter();
    let edits = Edits::new(&mut edits).map_err(|path| EditError::Order { path })?;
    let emit = RefCell::new(emit);
    let mut editor = Editor { source, edits, emit: &emit };
    match editor.folder(root, &AssetPath::root())? {
        Some(top) => Ok(top.id),
        None if root == TreeNode::empty_id() => Ok(root),
        None => editor.emit_empty(),
    }
}

/// The changes still to come, checked for their order.
struct Edits<'a> {
    rest: &'a mut dyn Iterator<Item = TreeEdit>,
    next: Option<TreeEdit>,
}

impl<'a> Edits<'a> {
    /// Fails with the path when the first change is one of the top.
    fn new(rest: &'a mut dyn Iterator<Item = TreeEdit>) -> Result<Self, AssetPath> {
        let next = rest.next();
        match next {
            Some(edit) if edit.path.is_root() => Err(edit.path),
            next => Ok(Self { rest, next }),
        }
    }

    /// Takes the next change; fails with the path of the one after it when that is out of order.
    fn take(&mut self) -> Result<Option<TreeEdit>, AssetPath> {
        let Some(taken) = self.next.take() else { return Ok(None) };
        self.next = self.rest.next();
        match &self.next {
            Some(next) if tree_order(&taken.path, &next.path).is_ge() => Err(next.path.clone()),
            _ => Ok(Some(taken)),
        }
    }

    /// The name inside `folder` that the next change is about or lies below.
    fn name_in(&self, folder: &AssetPath) -> Option<&[u8]> {
        let path = &self.next.as_ref()?.path;
        if !path.is_within(folder) {
            return None;
        }
        let start = folder.as_bytes().len() + usize::from(!folder.is_root());
        path.as_bytes().get(start..)?.split(|byte| *byte == b'/').next()
    }

    /// Whether the next change is of this very path.
    fn is_at(&self, path: &AssetPath) -> bool {
        self.next.as_ref().is_some_and(|edit| edit.path == *path)
    }
}

type Emit<'a, W> = &'a mut dyn FnMut(TreeId, Vec<u8>) -> Result<(), W>;

struct Editor<'a, 'w, S, W> {
    source: &'a S,
    edits: Edits<'a>,
    /// Shared by the builders of nested folders, of which one writes at a time.
    emit: &'a RefCell<Emit<'w, W>>,
}

impl<S: ObjectSource, W: std::error::Error + 'static> Editor<'_, '_, S, W> {
    /// Rebuilds one folder with all changes that lie in it; `None` when nothing is left in it.
    fn folder(&mut self, old: TreeId, path: &AssetPath) -> Result<Option<TreeChild>, EditError<S::Error, W>> {
        let emit = self.emit;
        // Nodes that come out as they were read are known to the store already.
        let opened = RefCell::new(HashSet::new());
        let mut builder = TreeBuilder::new(|id, bytes| {
            if opened.borrow().contains(&id) { Ok(()) } else { (emit.borrow_mut())(id, bytes) }
        });
        let mut cursor = DirectoryCursor::new(self.source, old);
        while let Some(item) = cursor.peek() {
            if let CursorItem::Node(node) = item {
                let changed = self.changes_before(path, node.until.as_deref());
                if changed || node.last || !builder.takes_node(node.level) {
                    opened.borrow_mut().insert(node.child.id);
                    cursor.open()?;
                    continue;
                }
            }
            match cursor.take_item() {
                Some(CursorItem::Node(node)) => builder.push_node(node.level, node.child),
                Some(CursorItem::Entry(entry)) => {
                    self.add_before(Some(&entry.name), path, &mut builder)?;
                    let changed = self.edits.name_in(path) == Some(&entry.name);
                    let entry = if changed { self.next_name(path, Some(entry))? } else { Some(entry) };
                    entry.map_or(Ok(()), |entry| builder.push(entry))
                }
                None => break,
            }
            .map_err(EditError::Emit)?;
        }
        self.add_before(None, path, &mut builder)?;
        if builder.is_empty() { Ok(None) } else { builder.finish().map(Some).map_err(EditError::Emit) }
    }

    /// Applies all changes in `folder` at names before `until` where nothing stands yet.
    fn add_before<F: FnMut(TreeId, Vec<u8>) -> Result<(), W>>(
        &mut self,
        until: Option<&[u8]>,
        folder: &AssetPath,
        builder: &mut TreeBuilder<F>,
    ) -> Result<(), EditError<S::Error, W>> {
        while self.changes_before(folder, until) {
            if let Some(entry) = self.next_name(folder, None)? {
                builder.push(entry).map_err(EditError::Emit)?;
            }
        }
        Ok(())
    }

    /// Whether a change lies in `folder` at a name before `until`, or anywhere in it.
    fn changes_before(&self, folder: &AssetPath, until: Option<&[u8]>) -> bool {
        self.edits.name_in(folder).is_some_and(|name| until.is_none_or(|until| name < until))
    }

    /// Takes all changes at and below the next changed name of `folder`, where `old` stands now.
    fn next_name(
        &mut self,
        folder: &AssetPath,
        old: Option<TreeEntry>,
    ) -> Result<Option<TreeEntry>, EditError<S::Error, W>> {
        let Some(name) = self.edits.name_in(folder).map(<[u8]>::to_vec) else { return Ok(old) };
        let path = folder.join(&name).map_err(WalkError::Path)?;
        let mut value = old.map(EntryValue::from);
        if self.edits.is_at(&path) {
            value = self.take_edit()?.and_then(|edit| edit.value);
        }
        if self.edits.name_in(&path).is_some() {
            value = self.inside(&path, value)?;
        }
        Ok(value.map(|value| value.named(&name)))
    }

    /// Applies the changes below `path`, where `value` stands.
    fn inside(
        &mut self,
        path: &AssetPath,
        value: Option<EntryValue>,
    ) -> Result<Option<EntryValue>, EditError<S::Error, W>> {
        let (asset, metadata, old) = match value {
            None => (None, None, TreeNode::empty_id()),
            Some(EntryValue { asset, metadata, content: Content::Directory { id } }) => (asset, metadata, id),
            Some(other) => {
                self.skip_removals(path)?;
                return Ok(Some(other));
            }
        };
        let id = match self.folder(old, path)? {
            Some(child) => child.id,
            None if asset.is_some() || metadata.is_some() => self.emit_empty()?,
            None => return Ok(None),
        };
        Ok(Some(EntryValue { asset, metadata, content: Content::Directory { id } }))
    }

    /// Passes over removals below what is no folder any more: it took everything below with it.
    fn skip_removals(&mut self, path: &AssetPath) -> Result<(), EditError<S::Error, W>> {
        while self.edits.name_in(path).is_some() {
            if self.take_edit()?.is_some_and(|edit| edit.value.is_some()) {
                return Err(EditError::NotAFolder { path: path.clone() });
            }
        }
        Ok(())
    }

    fn take_edit(&mut self) -> Result<Option<TreeEdit>, EditError<S::Error, W>> {
        self.edits.take().map_err(|path| EditError::Order { path })
    }

    fn emit_empty(&mut self) -> Result<TreeId, EditError<S::Error, W>> {
        let id = TreeNode::empty_id();
        let bytes = TreeNode::Leaf(Vec::new()).encode();
        (self.emit.borrow_mut())(id, bytes).map_err(EditError::Emit)?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests;
