//! What landing one state on another would change, as transitions.

use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::monitor::Monitor;
use crate::diff::tree::{Aliases, Located, MoveMatching, PathSet, TreeDiffOptions, diff_trees};
use crate::object::source::ObjectSource;
use crate::object::transition::{Placed, Transition, TransitionList};
use crate::object::tree_edit::EntryValue;
use crate::object::tree_walk::entry_at;
use crate::repo::RepoError;

/// Everything that differs between two trees: content, metadata, mode, additions, deletions, moves.
///
/// Applied to `before` the transitions give `after`, except for what folders hold, which their own
/// contents tell.
pub fn transitions_between<S: ObjectSource>(
    source: &S,
    before: TreeId,
    after: TreeId,
    monitor: &dyn Monitor,
) -> Result<TransitionList, AppError> {
    let (everything, aliases) = (PathSet::everything(), Aliases::default());
    let options = TreeDiffOptions { paths: &everything, moves: MoveMatching::Asset, aliases: &aliases };
    let changes = diff_trees(source, before, after, options, monitor)?;
    let placed = |side: Option<Box<Located>>| side.map(|located| Placed::new(&located.path, &located.value));
    Ok(TransitionList::new(
        changes.into_iter().filter_map(|change| Transition::of(placed(change.before), placed(change.after))),
    ))
}

/// Whether a state has what a transition asks for.
pub fn holds<S: ObjectSource<Error = RepoError>>(
    source: &S,
    tree: TreeId,
    transition: &Transition,
) -> Result<bool, RepoError> {
    let stands = |placed: &Placed| -> Result<bool, RepoError> {
        let found = entry_at(source, tree, &placed.path).map_err(RepoError::from)?;
        Ok(found.is_some_and(|entry| Placed::new(&placed.path, &EntryValue::from(entry)) == *placed))
    };
    let left = match &transition.before {
        Some(before) if transition.after.as_ref().is_none_or(|after| after.path != before.path) => {
            !stands(before)?
        }
        _ => true,
    };
    Ok(left && transition.after.as_ref().map_or(Ok(true), stands)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{AssetId, FileId, MetadataId};
    use crate::base::monitor::SilentMonitor;
    use crate::base::path::AssetPath;
    use crate::object::memory::MemoryObjects;
    use crate::object::tree::{Content, TreeEntry};
    use crate::object::tree_edit::{TreeEdit, edit_tree};
    use crate::object::tree_walk::tree_order;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Model = BTreeMap<u8, (u8, u8, u8, bool)>;

    fn value((asset, content, metadata, executable): (u8, u8, u8, bool)) -> EntryValue {
        EntryValue {
            asset: Some(AssetId::from_bytes([asset; 16])),
            metadata: (metadata > 0).then(|| MetadataId::from_bytes([metadata; 32])),
            content: Content::File { id: FileId::from_bytes([content; 32]), size: 1, executable },
        }
    }

    fn put(objects: &mut MemoryObjects, model: &Model) -> TreeId {
        let entries: Vec<TreeEntry> =
            model.iter().map(|(name, held)| value(*held).named(format!("{name:03}").as_bytes())).collect();
        objects.put_directory(entries)
    }

    /// The tree that transitions make of another.
    fn apply(objects: &MemoryObjects, tree: TreeId, list: &TransitionList) -> TreeId {
        let mut values: BTreeMap<AssetPath, Option<EntryValue>> = BTreeMap::new();
        for transition in list.as_slice() {
            for path in transition.paths() {
                values.entry(path.clone()).or_default();
            }
        }
        for placed in list.as_slice().iter().filter_map(|transition| transition.after.as_ref()) {
            let crate::object::transition::Held::File { id, size, executable } = placed.content else {
                continue;
            };
            let content = Content::File { id, size, executable };
            let value = EntryValue { asset: placed.asset, metadata: placed.metadata, content };
            values.insert(placed.path.clone(), Some(value));
        }
        let mut edits: Vec<TreeEdit> =
            values.into_iter().map(|(path, value)| TreeEdit { path, value }).collect();
        edits.sort_by(|left, right| tree_order(&left.path, &right.path));
        let mut ignore = |_, _| Ok::<(), std::convert::Infallible>(());
        edit_tree(objects, tree, edits, &mut ignore).expect("edits that fit")
    }

    fn model() -> impl Strategy<Value = Model> {
        // Assets in a set of their own, so that one stands at one place only.
        prop::collection::btree_map(0u8..8, (0u8..3, 0u8..2, any::<bool>()), 0..8).prop_flat_map(|assets| {
            let count = assets.len();
            prop::sample::subsequence((0u8..10).collect::<Vec<_>>(), count).prop_map(move |places| {
                let held = assets.iter().map(|(asset, (c, m, x))| (*asset, *c, *m, *x));
                places.into_iter().zip(held).collect()
            })
        })
    }

    proptest! {
        #[test]
        fn transitions_say_all_that_differs_and_their_bytes_read_back(before in model(), after in model()) {
            let mut objects = MemoryObjects::default();
            let (old, new) = (put(&mut objects, &before), put(&mut objects, &after));
            let list = transitions_between(&objects, old, new, &SilentMonitor).expect("readable trees");
            prop_assert_eq!(apply(&objects, old, &list), new);
            prop_assert_eq!(list.is_empty(), old == new);
            prop_assert_eq!(TransitionList::decode(&list.encode()), Ok(list));
        }
    }

    #[test]
    fn a_folder_that_is_an_asset_changes_only_by_what_it_holds() {
        let mut objects = MemoryObjects::default();
        let inner = |objects: &mut MemoryObjects, content| {
            objects.put_directory(vec![value((1, content, 0, false)).named(b"frame")])
        };
        let outer = |objects: &mut MemoryObjects, id: TreeId| {
            let shot = EntryValue {
                asset: Some(AssetId::from_bytes([9; 16])),
                metadata: None,
                content: Content::Directory { id },
            };
            objects.put_directory(vec![shot.named(b"shot")])
        };
        let (before, after) = (inner(&mut objects, 1), inner(&mut objects, 2));
        let (before, after) = (outer(&mut objects, before), outer(&mut objects, after));
        let list = transitions_between(&objects, before, after, &SilentMonitor).expect("readable trees");
        let paths: Vec<String> = list.as_slice().iter().map(|t| t.path().to_string()).collect();
        assert_eq!(paths, ["shot/frame"]);
    }
}
