//! Looks many paths up in one tree, at the cost of a walk when they come in tree order.

use crate::base::id::TreeId;
use crate::base::path::AssetPath;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, NODE_LEVELS_MAX, TreeEntry, TreeNode};
use crate::object::tree_walk::{WalkError, read_node};

/// A tree whose nodes on the way to the last path are kept.
pub struct TreeLookup<'s, S> {
    source: &'s S,
    /// The folders on the way to the last path, the top one first.
    open: Vec<OpenFolder>,
}

struct OpenFolder {
    id: TreeId,
    /// Entries that follow each other in the folder.
    leaf: Vec<TreeEntry>,
    /// The first name that follows them; `None` at the end of the folder, or before anything was read.
    until: Option<Vec<u8>>,
    is_read: bool,
}

impl OpenFolder {
    const fn new(id: TreeId) -> Self {
        Self { id, leaf: Vec::new(), until: None, is_read: false }
    }

    /// Whether the entries at hand say if the folder has a name.
    fn covers(&self, name: &[u8]) -> bool {
        let begins = self.leaf.first().is_some_and(|first| first.name.as_slice() <= name);
        self.is_read && begins && self.until.as_ref().is_none_or(|until| name < until.as_slice())
    }

    fn find<S: ObjectSource>(
        &mut self,
        source: &S,
        name: &[u8],
    ) -> Result<Option<&TreeEntry>, WalkError<S::Error>> {
        if !self.covers(name) {
            self.read(source, name)?;
        }
        let found = self.leaf.binary_search_by(|entry| entry.name.as_slice().cmp(name));
        Ok(found.ok().and_then(|index| self.leaf.get(index)))
    }

    /// Reads the entries among which a name would be.
    fn read<S: ObjectSource>(&mut self, source: &S, name: &[u8]) -> Result<(), WalkError<S::Error>> {
        let mut id = self.id;
        let mut above = NODE_LEVELS_MAX + 1;
        self.until = None;
        loop {
            match read_node(source, id)? {
                TreeNode::Leaf(entries) => {
                    self.leaf = entries;
                    self.is_read = true;
                    return Ok(());
                }
                TreeNode::Inner { level, .. } if level >= above => {
                    return Err(WalkError::Malformed { node: id });
                }
                TreeNode::Inner { level, children } => {
                    above = level;
                    let after = children.partition_point(|child| child.first_name.as_slice() <= name);
                    if let Some(next) = children.get(after) {
                        self.until = Some(next.first_name.clone());
                    }
                    // A name before the first one is in no node; the first one says so as well.
                    let Some(child) = children.get(after.saturating_sub(1)) else {
                        return Err(WalkError::Malformed { node: id });
                    };
                    id = child.id;
                }
            }
        }
    }
}

impl<'s, S: ObjectSource> TreeLookup<'s, S> {
    /// Over the tree of a directory.
    pub fn new(source: &'s S, root: TreeId) -> Self {
        Self { source, open: vec![OpenFolder::new(root)] }
    }

    /// What stands at a path. The directory itself (the root path) has no entry.
    pub fn find(&mut self, path: &AssetPath) -> Result<Option<TreeEntry>, WalkError<S::Error>> {
        let mut names = path.names().peekable();
        let mut depth = 0;
        while let Some(name) = names.next() {
            let Some(folder) = self.open.get_mut(depth) else { return Ok(None) };
            let found = folder.find(self.source, name)?;
            if names.peek().is_none() {
                return Ok(found.cloned());
            }
            let Some(Content::Directory { id }) = found.map(|entry| &entry.content) else {
                return Ok(None);
            };
            let id = *id;
            depth += 1;
            if self.open.get(depth).is_none_or(|below| below.id != id) {
                self.open.truncate(depth);
                self.open.push(OpenFolder::new(id));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{AssetId, FileId};
    use crate::object::memory::MemoryObjects;
    use crate::object::tree_edit::{EntryValue, TreeEdit, edit_tree};
    use crate::object::tree_walk::{TreeWalk, entry_at, tree_order};

    fn path(text: &str) -> AssetPath {
        AssetPath::from_bytes(text).expect("a path")
    }

    #[test]
    fn every_path_is_found_as_by_itself_in_any_order() {
        let mut objects = MemoryObjects::default();
        let mut paths: Vec<AssetPath> = (0..3000).map(|number| path(&format!("a/{number:05}.png"))).collect();
        paths.extend((0..300).map(|number| path(&format!("a/{number:05}.dir/x/y"))));
        paths.extend(["b", "c/d/e/f", "c/d/g", "z"].map(path));
        paths.sort_by(tree_order);
        let value = |number: u8| EntryValue {
            asset: Some(AssetId::from_bytes([number; 16])),
            metadata: None,
            content: Content::File { id: FileId::from_bytes([number; 32]), size: 1, executable: false },
        };
        let edits: Vec<TreeEdit> = paths
            .iter()
            .enumerate()
            .map(|(number, path)| TreeEdit { path: path.clone(), value: Some(value(number as u8)) })
            .collect();
        let mut made = Vec::new();
        let root = edit_tree(&objects, TreeNode::empty_id(), edits, &mut |id, bytes: Vec<u8>| {
            made.push((id, bytes));
            Ok::<(), std::convert::Infallible>(())
        })
        .expect("a tree");
        for (_, bytes) in made {
            objects.put_encoded(&bytes);
        }
        let mut asked = paths.clone();
        asked.extend(
            ["a", "a/", "0", "a/0", "a/99999", "c/d", "zz", "b/no", ""]
                .iter()
                .filter_map(|text| AssetPath::from_bytes(*text).ok()),
        );
        let mut lookup = TreeLookup::new(&objects, root);
        for path in asked.iter().chain(asked.iter().rev()) {
            let alone = entry_at(&objects, root, path).expect("an answer");
            assert_eq!(lookup.find(path).expect("an answer"), alone, "{path}");
        }
        assert!(TreeWalk::new(&objects, root, AssetPath::root()).count() > 3300);
        let mut empty = TreeLookup::new(&objects, TreeNode::empty_id());
        assert_eq!(empty.find(&path("a")).expect("an answer"), None);
    }
}
