//! Reads directories across their nodes: in order, by name, by path, and all the way down.
//!
//! Nodes are read when they are reached and dropped when they are passed, so a directory of a
//! million files costs no more memory than a small one. What a node claims about the nodes below it
//! is checked, so that a tree from a stranger can neither loop nor hide names out of order.

use crate::base::id::TreeId;
use crate::base::path::{AssetPath, PATH_DEPTH_MAX, PathError};
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, NODE_LEVELS_MAX, TreeChild, TreeEntry, TreeNode};
use std::cmp::Ordering;

/// Why a tree could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WalkError<E: std::error::Error + 'static> {
    /// A node or other object could not be had.
    #[error(transparent)]
    Source(E),
    /// A node does not fit what the node above says of it.
    #[error("tree node {node} does not fit the node above it")]
    Malformed { node: TreeId },
    /// A path in the tree is too long or too deep.
    #[error("a path in the tree cannot be used")]
    Path(#[source] PathError),
}

/// Compares paths in the order in which a walk meets them: a folder, what lies in it, what follows it.
///
/// That is the order of the lists of names, not of the bytes: `a/b` comes before `a-b`.
pub fn tree_order(left: &AssetPath, right: &AssetPath) -> Ordering {
    tree_order_bytes(left.as_bytes(), right.as_bytes())
}

/// The same for the bytes of paths.
pub fn tree_order_bytes(left: &[u8], right: &[u8]) -> Ordering {
    // No name holds NUL, so a slash that counts as NUL ends a name before any longer one.
    let order = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    left.iter().map(order).cmp(right.iter().map(order))
}

/// What a [`DirectoryCursor`] stands before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CursorItem {
    /// A node that was not looked into yet.
    Node(CursorNode),
    /// An entry.
    Entry(TreeEntry),
}

impl CursorItem {
    /// The first name found in it. The top node of a directory does not know it and says an empty one.
    pub fn first_name(&self) -> &[u8] {
        match self {
            Self::Node(node) => &node.child.first_name,
            Self::Entry(entry) => &entry.name,
        }
    }
}

/// A node that a [`DirectoryCursor`] stands before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorNode {
    /// The pointer to it.
    pub child: TreeChild,
    /// Its level at most; exactly, when it is not `last`. 0 is a leaf.
    pub level: u8,
    /// The first name that follows it in the directory.
    pub until: Option<Vec<u8>>,
    /// Whether nothing follows it in the directory.
    pub last: bool,
}

/// A position in a directory from which nodes can be passed over unread.
pub struct DirectoryCursor<'a, S> {
    source: &'a S,
    /// What is still to come, nearest last.
    ahead: Vec<CursorItem>,
    last_name: Vec<u8>,
}

impl<'a, S: ObjectSource> DirectoryCursor<'a, S> {
    /// Stands before the top node of a directory. Nothing is read yet.
    pub fn new(source: &'a S, directory: TreeId) -> Self {
        let child = TreeChild { first_name: Vec::new(), id: directory, entries: 0 };
        let top = CursorNode { child, level: NODE_LEVELS_MAX + 1, until: None, last: true };
        Self { source, ahead: vec![CursorItem::Node(top)], last_name: Vec::new() }
    }

    /// What comes next; `None` at the end.
    pub fn peek(&self) -> Option<&CursorItem> {
        self.ahead.last()
    }

    /// Takes what comes next as it is: an entry is consumed, a node is passed over unread.
    pub fn take_item(&mut self) -> Option<CursorItem> {
        self.ahead.pop()
    }

    /// Reads the node that comes next, so that its parts come next instead. Does nothing before an entry.
    pub fn open(&mut self) -> Result<(), WalkError<S::Error>> {
        match self.ahead.pop() {
            Some(CursorItem::Node(node)) => self.open_node(node),
            Some(entry) => {
                self.ahead.push(entry);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The next entry, opening nodes as needed.
    pub fn next_entry(&mut self) -> Result<Option<TreeEntry>, WalkError<S::Error>> {
        while let Some(CursorItem::Node(_)) = self.peek() {
            self.open()?;
        }
        match self.ahead.pop() {
            Some(CursorItem::Entry(entry)) => Ok(Some(entry)),
            _ => Ok(None),
        }
    }

    fn open_node(&mut self, node: CursorNode) -> Result<(), WalkError<S::Error>> {
        let is_top = node.level > NODE_LEVELS_MAX;
        let items = read_items(self.source, &node, is_top)?;
        let malformed = WalkError::Malformed { node: node.child.id };
        let Some(first) = items.first() else {
            return if is_top { Ok(()) } else { Err(malformed) };
        };
        let rises = is_top || first.first_name() == node.child.first_name;
        let fits = node
            .until
            .as_ref()
            .zip(items.last())
            .is_none_or(|(until, last)| last.first_name() < until.as_slice());
        let follows = self.last_name.is_empty() || self.last_name.as_slice() < first.first_name();
        if !rises || !fits || !follows {
            return Err(malformed);
        }
        if let Some(CursorItem::Entry(last)) = items.last() {
            self.last_name.clone_from(&last.name);
        }
        self.ahead.extend(items.into_iter().rev());
        Ok(())
    }
}

/// The parts of a node, with what is known about those that are nodes themselves.
fn read_items<S: ObjectSource>(
    source: &S,
    node: &CursorNode,
    is_top: bool,
) -> Result<Vec<CursorItem>, WalkError<S::Error>> {
    let malformed = WalkError::Malformed { node: node.child.id };
    let (level, children) = match read_node(source, node.child.id)? {
        TreeNode::Leaf(entries) => {
            let fits = is_top || entries.len() as u64 == node.child.entries;
            return if fits {
                Ok(entries.into_iter().map(CursorItem::Entry).collect())
            } else {
                Err(malformed)
            };
        }
        TreeNode::Inner { level, children } => (level, children),
    };
    let entries = children.iter().try_fold(0u64, |sum, child| sum.checked_add(child.entries));
    if level > node.level || level == 0 || entries.is_none_or(|sum| !is_top && sum != node.child.entries) {
        return Err(malformed);
    }
    let mut until = node.until.clone();
    let mut last = node.last;
    let mut items = Vec::with_capacity(children.len());
    for child in children.into_iter().rev() {
        let first_name = child.first_name.clone();
        items.push(CursorItem::Node(CursorNode { child, level: level - 1, until, last }));
        until = Some(first_name);
        last = false;
    }
    items.reverse();
    Ok(items)
}

/// Reads a node; the empty directory need not be stored anywhere.
pub(super) fn read_node<S: ObjectSource>(source: &S, id: TreeId) -> Result<TreeNode, WalkError<S::Error>> {
    if id == TreeNode::empty_id() {
        return Ok(TreeNode::Leaf(Vec::new()));
    }
    source.tree_node(id).map_err(WalkError::Source)
}

/// The entries of one directory in order.
impl<S: ObjectSource> Iterator for DirectoryCursor<'_, S> {
    type Item = Result<TreeEntry, WalkError<S::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_entry().transpose();
        if matches!(next, Some(Err(_))) {
            self.ahead.clear();
        }
        next
    }
}

/// Looks up one name in a directory; reads one node of each level.
pub fn entry_in<S: ObjectSource>(
    source: &S,
    directory: TreeId,
    name: &[u8],
) -> Result<Option<TreeEntry>, WalkError<S::Error>> {
    let mut id = directory;
    let mut above = NODE_LEVELS_MAX + 1;
    loop {
        match read_node(source, id)? {
            TreeNode::Leaf(mut entries) => {
                let found = entries.binary_search_by(|entry| entry.name.as_slice().cmp(name));
                return Ok(found.ok().map(|index| entries.swap_remove(index)));
            }
            TreeNode::Inner { level, children } => {
                if level >= above {
                    return Err(WalkError::Malformed { node: id });
                }
                above = level;
                let after = children.partition_point(|child| child.first_name.as_slice() <= name);
                let Some(child) = after.checked_sub(1).and_then(|index| children.get(index)) else {
                    return Ok(None);
                };
                id = child.id;
            }
        }
    }
}

/// Looks up one path below a directory. The directory itself (the root path) has no entry.
pub fn entry_at<S: ObjectSource>(
    source: &S,
    root: TreeId,
    path: &AssetPath,
) -> Result<Option<TreeEntry>, WalkError<S::Error>> {
    let mut directory = root;
    let mut names = path.names().peekable();
    while let Some(name) = names.next() {
        let found = entry_in(source, directory, name)?;
        if names.peek().is_none() {
            return Ok(found);
        }
        match found.map(|entry| entry.content) {
            Some(Content::Directory { id }) => directory = id,
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Everything below a directory, each folder before what lies in it, in [`tree_order`].
pub struct TreeWalk<'a, S> {
    source: &'a S,
    open: Vec<(AssetPath, DirectoryCursor<'a, S>)>,
    /// The folder given out last, not entered yet.
    entering: Option<(AssetPath, TreeId)>,
}

impl<'a, S: ObjectSource> TreeWalk<'a, S> {
    /// Starts at a directory whose entries get paths below `prefix`.
    pub fn new(source: &'a S, directory: TreeId, prefix: AssetPath) -> Self {
        Self { source, open: vec![(prefix, DirectoryCursor::new(source, directory))], entering: None }
    }

    /// Leaves out what lies in the folder that was given out last.
    pub fn skip_folder(&mut self) {
        self.entering = None;
    }

    fn step(&mut self) -> Result<Option<(AssetPath, TreeEntry)>, WalkError<S::Error>> {
        if let Some((path, directory)) = self.entering.take() {
            if self.open.len() >= PATH_DEPTH_MAX {
                return Err(WalkError::Path(PathError::TooLong));
            }
            self.open.push((path, DirectoryCursor::new(self.source, directory)));
        }
        while let Some((folder, cursor)) = self.open.last_mut() {
            let Some(entry) = cursor.next_entry()? else {
                self.open.pop();
                continue;
            };
            let path = folder.join(&entry.name).map_err(WalkError::Path)?;
            if let Content::Directory { id } = entry.content {
                self.entering = Some((path.clone(), id));
            }
            return Ok(Some((path, entry)));
        }
        Ok(None)
    }
}

impl<S: ObjectSource> Iterator for TreeWalk<'_, S> {
    type Item = Result<(AssetPath, TreeEntry), WalkError<S::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.step().transpose();
        if matches!(next, Some(Err(_))) {
            self.open.clear();
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{AssetId, FileId};
    use crate::object::memory::MemoryObjects;

    fn file(name: &str) -> TreeEntry {
        TreeEntry {
            name: name.into(),
            asset: Some(AssetId::from_bytes([1; 16])),
            metadata: None,
            content: Content::File { id: FileId::from_bytes([2; 32]), size: 1, executable: false },
        }
    }

    fn folder(name: &str, id: TreeId) -> TreeEntry {
        TreeEntry { name: name.into(), asset: None, metadata: None, content: Content::Directory { id } }
    }

    fn path(text: &str) -> AssetPath {
        AssetPath::from_bytes(text).expect("a valid path")
    }

    fn frames(count: u32) -> Vec<TreeEntry> {
        (0..count).map(|number| file(&format!("{number:06}"))).collect()
    }

    #[test]
    fn a_walk_gives_everything_in_tree_order_with_each_folder_before_its_content() {
        let mut objects = MemoryObjects::default();
        let inner = objects.put_directory([file("b"), file("c")]);
        let root =
            objects.put_directory([folder("a", inner), file("a-b"), folder("e", TreeNode::empty_id())]);
        let walk = TreeWalk::new(&objects, root, path("top"));
        let paths: Vec<_> = walk.map(|item| item.expect("readable").0).collect();
        assert_eq!(paths, ["top/a", "top/a/b", "top/a/c", "top/a-b", "top/e"].map(path));
        assert!(paths.is_sorted_by(|a, b| tree_order(a, b).is_lt()));
        let mut walk = TreeWalk::new(&objects, root, AssetPath::root());
        assert!(walk.next().is_some());
        walk.skip_folder();
        assert_eq!(walk.next().map(|item| item.expect("readable").0), Some(path("a-b")));
    }

    #[test]
    fn a_name_among_a_hundred_thousand_is_found_by_reading_one_node_of_each_level() {
        let mut objects = MemoryObjects::default();
        let root = objects.put_directory(frames(100_000));
        let before = objects.nodes_read();
        assert_eq!(entry_in(&objects, root, b"077777").expect("readable"), Some(file("077777")));
        assert!(objects.nodes_read() - before <= 4);
        assert_eq!(entry_in(&objects, root, b"077777x").expect("readable"), None);
        assert_eq!(entry_in(&objects, root, b"").expect("readable"), None);
    }

    #[test]
    fn a_path_through_what_is_no_folder_leads_nowhere() {
        let mut objects = MemoryObjects::default();
        let inner = objects.put_directory([file("b")]);
        let root = objects.put_directory([folder("a", inner), file("f")]);
        assert_eq!(entry_at(&objects, root, &path("a/b")).expect("readable"), Some(file("b")));
        assert_eq!(entry_at(&objects, root, &path("f/b")).expect("readable"), None);
        assert_eq!(entry_at(&objects, root, &path("a/b/c")).expect("readable"), None);
    }

    #[test]
    fn a_missing_node_is_an_error_and_ends_the_walk() {
        let mut objects = MemoryObjects::default();
        let root = objects.put_directory([file("a"), folder("b", TreeId::from_bytes([9; 32])), file("c")]);
        let results: Vec<_> = TreeWalk::new(&objects, root, AssetPath::root()).collect();
        assert_eq!(results.len(), 3);
        assert!(matches!(results.last(), Some(Err(WalkError::Source(_)))));
    }

    #[test]
    fn nodes_that_do_not_fit_together_are_refused() {
        let mut objects = MemoryObjects::default();
        let low = objects.put_directory(frames(20));
        let child = |name: &str, id, entries| TreeChild { first_name: name.into(), id, entries };
        let wrong = [
            // The second node repeats the names of the first.
            vec![child("000000", low, 20), child("000001", low, 20)],
            // The count is not what lies there.
            vec![child("000000", low, 21), child("1", TreeNode::empty_id(), 1)],
            // Names reach past the first name of the next node.
            vec![child("000000", low, 20), child("000010", low, 20)],
        ];
        for children in wrong {
            let root = objects.put_node(TreeNode::Inner { level: 1, children });
            let last = DirectoryCursor::new(&objects, root).last();
            assert!(matches!(last, Some(Err(WalkError::Malformed { .. }))), "{last:?}");
        }
        let looping = TreeNode::Inner { level: 1, children: vec![child("a", low, 1), child("b", low, 1)] };
        let same_level = objects.put_node(looping);
        let children = vec![child("a", same_level, 2), child("c", low, 20)];
        let root = objects.put_node(TreeNode::Inner { level: 1, children });
        assert!(matches!(entry_in(&objects, root, b"a"), Err(WalkError::Malformed { .. })));
    }
}
