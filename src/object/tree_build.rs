//! Cuts the entries of a directory into nodes, level by level.
//!
//! Where a node ends depends on the names around it only, so that an edit, an insertion or a
//! removal changes the nodes it touches and their parents, and no others. The idea is that of
//! prolly trees (Noms) and of content-defined chunking.

use crate::base::id::TreeId;
use crate::object::tree::{NODE_ENTRIES_MAX, NODE_ENTRIES_MIN, TreeChild, TreeEntry, TreeNode, ends_node};

/// Builds all nodes of one directory from its entries, which must be sorted by name and unique.
///
/// Hands each node's id and canonical bytes to `emit`, lowest level first, and returns the id of
/// the topmost: the directory's id.
pub fn build_tree<E>(
    entries: impl IntoIterator<Item = TreeEntry>,
    mut emit: impl FnMut(TreeId, Vec<u8>) -> Result<(), E>,
) -> Result<TreeId, E> {
    let mut children = Vec::new();
    let mut pending: Vec<TreeEntry> = Vec::new();
    for entry in entries {
        debug_assert!(pending.last().is_none_or(|last| last.name < entry.name), "entries must be sorted");
        let full = is_full(pending.len() + 1, &entry.name, 0);
        pending.push(entry);
        if full {
            children.push(finish_leaf(std::mem::take(&mut pending), &mut emit)?);
        }
    }
    if !pending.is_empty() || children.is_empty() {
        children.push(finish_leaf(pending, &mut emit)?);
    }
    let mut level = 1;
    while children.len() > 1 {
        children = build_level(children, level, &mut emit)?;
        level += 1;
    }
    Ok(children.remove(0).id)
}

/// Whether a node of `count` entries that ends with `name` is complete.
fn is_full(count: usize, name: &[u8], level: u8) -> bool {
    count >= NODE_ENTRIES_MAX || (count >= NODE_ENTRIES_MIN && ends_node(name, level))
}

fn finish_leaf<E>(
    entries: Vec<TreeEntry>,
    emit: &mut impl FnMut(TreeId, Vec<u8>) -> Result<(), E>,
) -> Result<TreeChild, E> {
    let first_name = entries.first().map(|entry| entry.name.clone()).unwrap_or_default();
    let count = entries.len() as u64;
    let bytes = TreeNode::Leaf(entries).encode();
    let id = TreeNode::id_of(&bytes);
    emit(id, bytes)?;
    Ok(TreeChild { first_name, id, entries: count })
}

fn build_level<E>(
    below: Vec<TreeChild>,
    level: u8,
    emit: &mut impl FnMut(TreeId, Vec<u8>) -> Result<(), E>,
) -> Result<Vec<TreeChild>, E> {
    let mut groups: Vec<Vec<TreeChild>> = vec![Vec::new()];
    for child in below {
        // A new Vec was pushed whenever the last became full, so there always is a last one.
        let Some(group) = groups.last_mut() else { break };
        let full = is_full(group.len() + 1, &child.first_name, level);
        group.push(child);
        if full {
            groups.push(Vec::new());
        }
    }
    groups.retain(|group| !group.is_empty());
    let mut children = Vec::with_capacity(groups.len());
    for mut group in groups {
        // A node with one child would say nothing that the child does not say.
        if group.len() == 1 {
            children.append(&mut group);
            continue;
        }
        let first_name = group[0].first_name.clone();
        let entries = group.iter().map(|child| child.entries).sum();
        let bytes = TreeNode::Inner { level, children: group }.encode();
        let id = TreeNode::id_of(&bytes);
        emit(id, bytes)?;
        children.push(TreeChild { first_name, id, entries });
    }
    Ok(children)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{AssetId, FileId};
    use crate::object::tree::Content;
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    fn entry(number: u32) -> TreeEntry {
        TreeEntry {
            name: format!("frame-{number:07}.exr").into_bytes(),
            asset: Some(AssetId::from_bytes([1; 16])),
            metadata: None,
            content: Content::File { id: FileId::from_bytes([2; 32]), size: 1, executable: false },
        }
    }

    fn build(numbers: impl Iterator<Item = u32>) -> (TreeId, BTreeMap<TreeId, Vec<u8>>) {
        let mut nodes = BTreeMap::new();
        let root = build_tree(numbers.map(entry), |id, bytes| {
            nodes.insert(id, bytes);
            Ok::<(), Infallible>(())
        });
        (root.unwrap_or_else(|never| match never {}), nodes)
    }

    fn names_below(id: TreeId, nodes: &BTreeMap<TreeId, Vec<u8>>, into: &mut Vec<Vec<u8>>) {
        match TreeNode::decode(&nodes[&id]).expect("a node that the writer wrote") {
            TreeNode::Leaf(entries) => into.extend(entries.into_iter().map(|entry| entry.name)),
            TreeNode::Inner { children, .. } => {
                for child in children {
                    let before = into.len();
                    names_below(child.id, nodes, into);
                    assert_eq!(into[before], child.first_name);
                    assert_eq!((into.len() - before) as u64, child.entries);
                }
            }
        }
    }

    #[test]
    fn every_entry_of_a_large_directory_is_found_again_in_order() {
        let (root, nodes) = build(0..20_000);
        let mut names = Vec::new();
        names_below(root, &nodes, &mut names);
        assert_eq!(names, (0..20_000).map(|number| entry(number).name).collect::<Vec<_>>());
    }

    #[test]
    fn one_more_entry_among_many_rewrites_a_handful_of_nodes() {
        let (_, before) = build((0..20_000).filter(|number| *number != 9_999));
        let (_, after) = build(0..20_000);
        let new = after.keys().filter(|id| !before.contains_key(id)).count();
        assert!(new <= 8, "{new} of {} nodes are new", after.len());
    }

    #[test]
    fn an_empty_directory_is_one_empty_leaf() {
        let (root, nodes) = build(0..0);
        assert_eq!(nodes.len(), 1);
        assert_eq!(root, TreeNode::empty_id());
    }
}
