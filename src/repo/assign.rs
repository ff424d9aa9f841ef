//! Decides which asset every changed path is, and so what a commit says about names and descent.
//!
//! A path that stays keeps its asset. A new path continues an asset when the user said so, or when
//! exactly its content disappeared elsewhere (a move). Otherwise it begins an asset of its own, with
//! a note of where it was copied from when that is known.

use crate::base::candidates::{Candidates, Likeness};
use crate::base::id::{AssetId, CommitId, FileId, MetadataId};
use crate::base::path::AssetPath;
use crate::object::asset::derive_asset_id;
use crate::object::commit::AssetNote;
use crate::object::tree::Content;
use crate::object::tree_edit::{EntryValue, TreeEdit};
use crate::object::tree_walk::tree_order;
use crate::repo::state::PendingEdits;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem::{Discriminant, discriminant};

/// What differs between the base tree and what is to be committed.
#[derive(Debug, Default)]
pub struct Differences {
    /// Paths that are gone, with what the base had there.
    pub removed: Vec<(AssetPath, EntryValue)>,
    /// Paths that stay with other content, with what the base had there.
    pub changed: Vec<(AssetPath, EntryValue, Content)>,
    /// New paths.
    pub added: Vec<(AssetPath, Content)>,
    /// Paths whose bytes stay and whose metadata or asset is pending, with what the base has there.
    pub described: Vec<(AssetPath, EntryValue)>,
}

/// One asset that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Where it was.
    pub from: AssetPath,
    /// Where it is.
    pub to: AssetPath,
}

/// The decision.
#[derive(Debug, Default)]
pub struct Assignment {
    /// What to change in the base tree, in tree order.
    pub edits: Vec<TreeEdit>,
    /// Descent that the commit records, sorted.
    pub notes: Vec<AssetNote>,
    /// Assets that moved.
    pub moves: Vec<Move>,
}

/// Assigns assets to all differences.
///
/// `sources` knows, for content of new paths, an asset in the base that has the same content.
pub fn assign(
    parents: &[CommitId],
    differences: Differences,
    pending: &PendingEdits,
    sources: &HashMap<FileId, AssetId>,
) -> Assignment {
    let mut assignment = Assignment::default();
    let mut removed = RemovedAssets::new(&differences.removed);
    let mut notes = Vec::new();
    for (path, base, content) in differences.changed {
        let (asset, metadata) = assignment.identity(&path, &base, pending, &mut removed);
        assignment.edits.push(TreeEdit { path, value: Some(EntryValue { asset, metadata, content }) });
    }
    for (path, base) in differences.described {
        let (asset, metadata) = assignment.identity(&path, &base, pending, &mut removed);
        assignment.edits.push(TreeEdit { path, value: Some(EntryValue { asset, metadata, ..base }) });
    }
    // Decisions of the user come first, so that no guess takes an asset that was spoken for.
    let (spoken_for, waiting) = split_added(differences.added, pending);
    for (path, content) in spoken_for {
        if let Some(asset) = pending.assets.get(&path) {
            let origin = removed.take_asset(*asset);
            assignment.continue_asset(path, content, *asset, origin);
        }
    }
    let waiting = assignment.assign_moves(waiting, &mut removed);
    let taken: HashSet<AssetId> = pending.assets.values().copied().collect();
    assignment.edits.reserve(waiting.len() + differences.removed.len());
    for (path, content) in waiting {
        let asset = new_asset(parents, &path, &taken);
        let source = content.file_id().and_then(|id| sources.get(&id)).filter(|source| **source != asset);
        if let Some(source) = source {
            notes.push(AssetNote::CopiedFrom { asset, source: *source });
        }
        let value = EntryValue { asset: Some(asset), metadata: None, content };
        assignment.edits.push(TreeEdit { path, value: Some(value) });
    }
    let mut gone: HashSet<AssetPath> = differences.removed.into_iter().map(|(path, _)| path).collect();
    // A new asset may stand where another one went away from.
    for edit in &assignment.edits {
        gone.remove(&edit.path);
    }
    assignment.edits.extend(gone.into_iter().map(|path| TreeEdit { path, value: None }));
    apply_metadata(&mut assignment.edits, &pending.metadata);
    assignment.edits.sort_unstable_by(|left, right| tree_order(&left.path, &right.path));
    notes.sort_unstable();
    notes.dedup();
    assignment.notes = notes;
    assignment
}

/// The id of a new asset. An asset of a commit that was taken back may have had the same id and live
/// on at another path; then the next one is taken.
fn new_asset(parents: &[CommitId], path: &AssetPath, taken: &HashSet<AssetId>) -> AssetId {
    let mut basis = parents.to_vec();
    loop {
        let asset = derive_asset_id(&basis, path);
        if !taken.contains(&asset) {
            return asset;
        }
        basis.push(CommitId::from_bytes([0; 32]));
    }
}

/// New paths with their content.
type Added = Vec<(AssetPath, Content)>;

/// New paths of which the user said what they are, and all others. Copies no list that is whole.
fn split_added(added: Added, pending: &PendingEdits) -> (Added, Added) {
    if pending.assets.is_empty() {
        return (Vec::new(), added);
    }
    added.into_iter().partition(|(path, _)| pending.assets.contains_key(path))
}

impl Assignment {
    /// Which asset a path of the base is now, and its metadata: another one when the user moved that
    /// one here.
    fn identity(
        &mut self,
        path: &AssetPath,
        base: &EntryValue,
        pending: &PendingEdits,
        removed: &mut RemovedAssets<'_>,
    ) -> (Option<AssetId>, Option<MetadataId>) {
        let asset = pending.assets.get(path).copied().filter(|asset| base.asset != Some(*asset));
        let Some(asset) = asset else { return (base.asset, base.metadata) };
        let Some((from, metadata)) = removed.take_asset(asset) else { return (Some(asset), base.metadata) };
        self.moves.push(Move { from, to: path.clone() });
        (Some(asset), metadata)
    }

    /// Lets a new path continue an asset that was elsewhere before.
    fn continue_asset(
        &mut self,
        path: AssetPath,
        content: Content,
        asset: AssetId,
        origin: Option<(AssetPath, Option<MetadataId>)>,
    ) {
        let metadata = origin.as_ref().and_then(|(_, metadata)| *metadata);
        if let Some((from, _)) = origin {
            self.moves.push(Move { from, to: path.clone() });
        }
        self.edits.push(TreeEdit { path, value: Some(EntryValue { asset: Some(asset), metadata, content }) });
    }

    /// Matches new paths with content that disappeared elsewhere: those of the same name first, then
    /// the rest in order. Returns the paths that are no moves.
    fn assign_moves(
        &mut self,
        added: Vec<(AssetPath, Content)>,
        removed: &mut RemovedAssets<'_>,
    ) -> Vec<(AssetPath, Content)> {
        let mut rest = added;
        if removed.entries.is_empty() {
            return rest;
        }
        for same_name in [true, false] {
            let mut unmatched = Vec::with_capacity(rest.len());
            for (path, content) in rest {
                match removed.take_content(&path, &content, same_name) {
                    Some((asset, origin)) => self.continue_asset(path, content, asset, Some(origin)),
                    None => unmatched.push((path, content)),
                }
            }
            rest = unmatched;
        }
        rest
    }
}

/// Assets whose path is gone, to be found by content or by id, each once.
struct RemovedAssets<'a> {
    by_content: Candidates<(FileId, Discriminant<Content>)>,
    by_asset: HashMap<AssetId, usize>,
    entries: &'a [(AssetPath, EntryValue)],
    taken: HashSet<usize>,
}

impl<'a> RemovedAssets<'a> {
    fn new(entries: &'a [(AssetPath, EntryValue)]) -> Self {
        let mut by_content = Candidates::default();
        let mut by_asset = HashMap::new();
        for (index, (_, value)) in entries.iter().enumerate() {
            if let Some(asset) = value.asset {
                by_asset.insert(asset, index);
            }
            if let Some(id) = value.content.file_id() {
                by_content.add((id, discriminant(&value.content)), index);
            }
        }
        Self { by_content, by_asset, entries, taken: HashSet::new() }
    }

    fn take(&mut self, index: usize) -> (AssetPath, Option<MetadataId>) {
        self.taken.insert(index);
        (self.entries[index].0.clone(), self.entries[index].1.metadata)
    }

    fn take_asset(&mut self, asset: AssetId) -> Option<(AssetPath, Option<MetadataId>)> {
        let index = self.by_asset.get(&asset).copied().filter(|index| !self.taken.contains(index))?;
        Some(self.take(index))
    }

    /// Empty files are all alike, so for them only the name tells a move from a coincidence.
    fn take_content(
        &mut self,
        path: &AssetPath,
        content: &Content,
        same_name: bool,
    ) -> Option<(AssetId, (AssetPath, Option<MetadataId>))> {
        let id = content.file_id()?;
        if !same_name && id == FileId::empty() {
            return None;
        }
        let likeness = if same_name { Likeness::Name } else { Likeness::Any };
        let (entries, taken) = (self.entries, &self.taken);
        let path_of =
            |index: usize| entries.get(index).filter(|_| !taken.contains(&index)).map(|(path, _)| path);
        let index = self.by_content.take(&(id, discriminant(content)), path, likeness, &path_of)?;
        let asset = self.entries[index].1.asset?;
        Some((asset, self.take(index)))
    }
}

fn apply_metadata(edits: &mut [TreeEdit], metadata: &BTreeMap<AssetPath, Option<MetadataId>>) {
    if metadata.is_empty() {
        return;
    }
    for edit in edits {
        if let (Some(value), Some(new)) = (&mut edit.value, metadata.get(&edit.path)) {
            value.metadata = *new;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> AssetPath {
        AssetPath::from_bytes(text).expect("a path")
    }

    fn file(byte: u8) -> Content {
        Content::File { id: FileId::from_bytes([byte; 32]), size: 1, executable: false }
    }

    fn entry(byte: u8, asset: u8) -> EntryValue {
        EntryValue { asset: Some(AssetId::from_bytes([asset; 16])), metadata: None, content: file(byte) }
    }

    fn run(differences: Differences, pending: &PendingEdits) -> Assignment {
        assign(&[], differences, pending, &HashMap::new())
    }

    fn asset_at(assignment: &Assignment, at: &str) -> Option<AssetId> {
        let edit = assignment.edits.iter().find(|edit| edit.path == path(at))?;
        edit.value.as_ref()?.asset
    }

    #[test]
    fn content_that_disappears_here_and_appears_there_has_moved() {
        let removed = vec![(path("a/x.png"), entry(1, 7)), (path("b/y.png"), entry(1, 8))];
        let added = vec![(path("c/y.png"), file(1)), (path("c/z.png"), file(1))];
        let assignment =
            run(Differences { removed, added, ..Differences::default() }, &PendingEdits::default());
        assert_eq!(asset_at(&assignment, "c/y.png"), Some(AssetId::from_bytes([8; 16])), "same name first");
        assert_eq!(asset_at(&assignment, "c/z.png"), Some(AssetId::from_bytes([7; 16])));
        assert_eq!(assignment.moves.len(), 2);
    }

    #[test]
    fn what_the_user_says_goes_before_what_content_suggests() {
        let removed = vec![(path("old.png"), entry(1, 7))];
        let added = vec![(path("edited.png"), file(2)), (path("twin.png"), file(1))];
        let mut pending = PendingEdits::default();
        pending.assets.insert(path("edited.png"), AssetId::from_bytes([7; 16]));
        let assignment = run(Differences { removed, added, ..Differences::default() }, &pending);
        assert_eq!(asset_at(&assignment, "edited.png"), Some(AssetId::from_bytes([7; 16])));
        assert_eq!(asset_at(&assignment, "twin.png"), Some(derive_asset_id(&[], &path("twin.png"))));
    }

    #[test]
    fn empty_files_move_only_under_the_same_name() {
        let empty = Content::File { id: FileId::empty(), size: 0, executable: false };
        let old =
            EntryValue { asset: Some(AssetId::from_bytes([7; 16])), metadata: None, content: empty.clone() };
        let removed = vec![(path("a"), old)];
        let added = vec![(path("b"), empty)];
        let assignment =
            run(Differences { removed, added, ..Differences::default() }, &PendingEdits::default());
        assert!(assignment.moves.is_empty());
    }

    #[test]
    fn a_copy_begins_an_asset_of_its_own_and_names_its_source() {
        let source = AssetId::from_bytes([7; 16]);
        let sources = HashMap::from([(FileId::from_bytes([1; 32]), source)]);
        let differences = Differences { added: vec![(path("copy.png"), file(1))], ..Differences::default() };
        let assignment = assign(&[], differences, &PendingEdits::default(), &sources);
        let asset = derive_asset_id(&[], &path("copy.png"));
        assert_eq!(assignment.notes, [AssetNote::CopiedFrom { asset, source }]);
    }
}
