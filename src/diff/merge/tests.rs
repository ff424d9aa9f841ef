use super::*;
use crate::base::id::{ChunkId, MetadataId};
use crate::base::monitor::SilentMonitor;
use crate::object::memory::MemoryObjects;
use crate::object::metadata::FieldValue;
use crate::object::tree::{Content, TreeNode};
use crate::object::tree_edit::{EntryValue, edit_tree};
use crate::object::tree_walk::TreeWalk;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

/// A small world: files by path, content by id.
#[derive(Default)]
struct World {
    objects: MemoryObjects,
    files: BTreeMap<FileId, Vec<u8>>,
}

impl MergeContent for BTreeMap<FileId, Vec<u8>> {
    fn read(&mut self, id: FileId, _: u64) -> Result<Option<Vec<u8>>, DiffError> {
        Ok(self.get(&id).cloned())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<FileId, DiffError> {
        let id = FileId::from(ChunkId::of(bytes));
        self.insert(id, bytes.to_vec());
        Ok(id)
    }
}

fn path(text: &str) -> AssetPath {
    AssetPath::from_bytes(text).expect("a valid path")
}

fn asset(number: u8) -> Option<AssetId> {
    Some(AssetId::from_bytes([number; 16]))
}

/// A state of files: path, asset and content.
type State<'a> = &'a [(&'a str, u8, &'a str)];

impl World {
    fn file(&mut self, number: u8, text: &str) -> EntryValue {
        let id = self.files.keep(text.as_bytes()).expect("memory takes it");
        EntryValue {
            asset: asset(number),
            metadata: None,
            content: Content::File { id, size: text.len() as u64, executable: false },
        }
    }

    fn edit(&mut self, root: TreeId, mut edits: Vec<TreeEdit>) -> TreeId {
        edits.sort_by(|a, b| tree_order(&a.path, &b.path));
        let mut new = Vec::new();
        let edited = edit_tree(&self.objects, root, edits, &mut |_, bytes| {
            new.push(bytes);
            Ok::<(), Infallible>(())
        });
        new.iter().for_each(|bytes| self.objects.put_encoded(bytes));
        edited.expect("edits that fit")
    }

    fn values(&mut self, list: Vec<(&str, EntryValue)>) -> TreeId {
        let edits = list.into_iter().map(|(at, value)| TreeEdit { path: path(at), value: Some(value) });
        self.edit(TreeNode::empty_id(), edits.collect())
    }

    fn tree(&mut self, state: State<'_>) -> TreeId {
        let list = state.iter().map(|(at, number, text)| (*at, self.file(*number, text))).collect();
        self.values(list)
    }

    fn merge_ids(&mut self, base: TreeId, ours: TreeId, theirs: TreeId) -> (TreeId, TreeMerge) {
        let aliases = Aliases::default();
        let trees = MergeTrees { base, ours, theirs, aliases: &aliases };
        let merge =
            merge_trees(&self.objects, trees, &mut self.files, &SilentMonitor).expect("readable trees");
        for metadata in &merge.metadata {
            self.objects.put_metadata(metadata.clone());
        }
        (self.edit(ours, merge.edits.clone()), merge)
    }

    fn merge(&mut self, base: State<'_>, ours: State<'_>, theirs: State<'_>) -> (TreeId, TreeMerge) {
        let (base, ours, theirs) = (self.tree(base), self.tree(ours), self.tree(theirs));
        self.merge_ids(base, ours, theirs)
    }

    /// Path, first byte of the asset id, and text of every file.
    fn list(&self, root: TreeId) -> Vec<(String, u8, String)> {
        TreeWalk::new(&self.objects, root, AssetPath::root())
            .map(|item| item.expect("a readable tree"))
            .filter_map(|(at, entry)| {
                let Content::File { id, .. } = entry.content else { return None };
                let text = String::from_utf8_lossy(&self.files[&id]).into_owned();
                Some((at.to_string(), entry.asset.expect("files are assets").as_bytes()[0], text))
            })
            .collect()
    }

    /// Merges and says the files and the kinds of conflict.
    fn outcome(
        &mut self,
        base: State<'_>,
        ours: State<'_>,
        theirs: State<'_>,
    ) -> (Vec<(String, u8, String)>, Vec<String>) {
        let (root, merge) = self.merge(base, ours, theirs);
        (self.list(root), kinds(&merge))
    }
}

fn kinds(merge: &TreeMerge) -> Vec<String> {
    merge
        .conflicts
        .iter()
        .map(|conflict| {
            let json = serde_json::to_value(conflict).expect("serialisable");
            format!("{} {}", json["conflict"].as_str().expect("a kind"), conflict.path)
        })
        .collect()
}

fn files(state: State<'_>) -> Vec<(String, u8, String)> {
    state.iter().map(|(at, number, text)| ((*at).to_owned(), *number, (*text).to_owned())).collect()
}

fn check(base: State<'_>, ours: State<'_>, theirs: State<'_>, merged: State<'_>, conflicts: &[&str]) {
    let mut world = World::default();
    let (list, kinds) = world.outcome(base, ours, theirs);
    assert_eq!(list, files(merged));
    assert_eq!(kinds, conflicts);
}

#[test]
fn work_on_different_assets_merges() {
    check(
        &[("a", 1, "1"), ("b", 2, "2"), ("c", 3, "3")],
        &[("a", 1, "1x"), ("b", 2, "2"), ("d", 4, "4")],
        &[("a", 1, "1"), ("b", 2, "2y"), ("c", 3, "3"), ("e/f", 5, "5")],
        &[("a", 1, "1x"), ("b", 2, "2y"), ("d", 4, "4"), ("e/f", 5, "5")],
        &[],
    );
}

#[test]
fn a_rename_on_one_side_and_an_edit_on_the_other_meet() {
    let (base, renamed, edited) = (&[("a", 1, "1")], &[("sub/b", 1, "1")], &[("a", 1, "2")]);
    let merged = &[("sub/b", 1, "2")];
    check(base, renamed, edited, merged, &[]);
    check(base, edited, renamed, merged, &[]);
}

#[test]
fn two_edits_of_a_binary_stop_nothing_else() {
    check(
        &[("a.psd", 1, "\0base"), ("b", 2, "2")],
        &[("a.psd", 1, "\0ours"), ("b", 2, "2")],
        &[("a.psd", 1, "\0theirs"), ("b", 2, "new")],
        &[("a.psd", 1, "\0ours"), ("b", 2, "new")],
        &["both-edited a.psd"],
    );
}

#[test]
fn two_edits_of_a_text_merge_by_line_even_across_a_rename() {
    check(
        &[("a.svg", 1, "1\n2\n3\n4\n")],
        &[("a.svg", 1, "x\n2\n3\n4\n")],
        &[("b.svg", 1, "1\n2\n3\ny\n")],
        &[("b.svg", 1, "x\n2\n3\ny\n")],
        &[],
    );
    let overlap: (State<'_>, State<'_>, State<'_>) =
        (&[("a", 1, "1\n")], &[("a", 1, "2\n")], &[("a", 1, "3\n")]);
    check(overlap.0, overlap.1, overlap.2, overlap.1, &["both-edited a"]);
}

#[test]
fn an_edit_outlives_a_removal_on_either_side() {
    let (base, edited, removed) =
        (&[("a", 1, "1"), ("z", 9, "")], &[("a", 1, "2"), ("z", 9, "")], &[("z", 9, "")]);
    check(base, edited, removed, edited, &["edited-and-removed a"]);
    check(base, removed, edited, edited, &["edited-and-removed a"]);
    check(base, base, removed, removed, &[]);
    check(base, removed, base, removed, &[]);
}

#[test]
fn the_same_path_added_twice_is_one_asset_with_the_smaller_id() {
    let mut world = World::default();
    let (root, merge) = world.merge(&[], &[("a", 7, "same")], &[("a", 3, "same")]);
    assert_eq!(world.list(root), files(&[("a", 3, "same")]));
    let (kept, other) = (AssetId::from_bytes([3; 16]), AssetId::from_bytes([7; 16]));
    assert_eq!(merge.notes, [AssetNote::AliasOf { asset: kept, other }]);
    assert!(merge.conflicts.is_empty());
    check(&[], &[("a", 3, "ours")], &[("a", 7, "theirs")], &[("a", 3, "ours")], &["both-added a"]);
    check(&[], &[("a", 7, "ours")], &[("a", 3, "theirs")], &[("a", 3, "ours")], &["both-added a"]);
}

#[test]
fn an_asset_moved_to_two_places_stays_at_ours() {
    let base: State<'_> = &[("a", 1, "1")];
    check(base, &[("b", 1, "1")], &[("c", 1, "2")], &[("b", 1, "2")], &["moved-apart b"]);
    check(base, &[("b", 1, "1")], &[("b", 1, "1")], &[("b", 1, "1")], &[]);
}

#[test]
fn a_path_that_two_assets_want_is_ours_and_theirs_stands_beside_it() {
    check(
        &[("a", 1, "1"), ("b", 2, "2")],
        &[("c.psd", 1, "1"), ("b", 2, "2")],
        &[("a", 1, "1"), ("c.psd", 2, "2")],
        &[("c (theirs).psd", 2, "2"), ("c.psd", 1, "1")],
        &["path-taken c.psd"],
    );
}

#[test]
fn a_file_and_a_folder_at_one_path_stand_side_by_side() {
    let (file, folder): (State<'_>, State<'_>) = (&[("a", 1, "1")], &[("a/x", 2, "2"), ("a/y", 3, "3")]);
    let beside: State<'_> = &[("a", 1, "1"), ("a (theirs)/x", 2, "2"), ("a (theirs)/y", 3, "3")];
    check(&[], file, folder, beside, &["path-taken a/x", "path-taken a/y"]);
    let beside: State<'_> = &[("a/x", 2, "2"), ("a/y", 3, "3"), ("a (theirs)", 1, "1")];
    check(&[], folder, file, beside, &["path-taken a"]);
}

#[test]
fn a_folder_that_theirs_made_a_file_gives_way_to_what_ours_still_edits_there() {
    check(
        &[("a/x", 1, "1"), ("a/y", 2, "2")],
        &[("a/x", 1, "new"), ("a/y", 2, "2")],
        &[("a", 3, "3")],
        &[("a/x", 1, "new"), ("a (theirs)", 3, "3")],
        &["path-taken a", "edited-and-removed a/x"],
    );
    check(&[("a/x", 1, "1")], &[("a/x", 1, "1")], &[("a", 3, "3")], &[("a", 3, "3")], &[]);
}

#[test]
fn assets_that_trade_places_on_their_side_trade_places() {
    let (base, traded): (State<'_>, State<'_>) =
        (&[("a", 1, "1"), ("b", 2, "2")], &[("a", 2, "2"), ("b", 1, "1")]);
    check(base, base, traded, traded, &[]);
    check(base, &[("a", 1, "x"), ("b", 2, "2")], traded, &[("a", 2, "2"), ("b", 1, "x")], &[]);
}

#[test]
fn a_file_added_to_a_folder_that_was_renamed_stays_where_it_was_added() {
    check(
        &[("old/a", 1, "1")],
        &[("new/a", 1, "1")],
        &[("old/a", 1, "1"), ("old/b", 2, "2")],
        &[("new/a", 1, "1"), ("old/b", 2, "2")],
        &[],
    );
}

#[test]
fn another_asset_in_the_same_place_counts_as_the_same_line_of_content() {
    check(&[("a", 5, "1")], &[("a", 2, "1")], &[("a", 5, "new")], &[("a", 2, "new")], &[]);
}

#[test]
fn metadata_merges_by_field_and_its_conflicts_name_the_field() {
    let mut world = World::default();
    let mut tagged = |title: &str, labels: &[&str]| {
        let mut metadata = Metadata::default();
        metadata.set_labels(labels.iter().map(|label| (*label).to_owned()).collect());
        let name = FieldName::new("title").expect("a valid name");
        metadata.fields.insert(name, FieldValue::Text(title.to_owned()));
        let id = world.objects.put_metadata(metadata);
        let value = EntryValue { metadata: Some(id), ..world.file(1, "1") };
        world.values(vec![("a", value)])
    };
    let base = tagged("Sea", &["draft"]);
    let (ours, theirs) = (tagged("Harbour", &["draft", "blue"]), tagged("Port", &[]));
    let expected = tagged("Harbour", &["blue"]);
    let (root, merge) = world.merge_ids(base, ours, theirs);
    assert_eq!(kinds(&merge), ["metadata a"]);
    assert_eq!(root, expected);
}

#[test]
fn executable_bits_merge_apart_from_bytes() {
    let mut world = World::default();
    let plain = world.file(1, "1");
    let edited = world.file(1, "2");
    let runnable = |value: &EntryValue| {
        let Content::File { id, size, .. } = value.content else { unreachable!("it is a file") };
        EntryValue { content: Content::File { id, size, executable: true }, ..value.clone() }
    };
    let expected = runnable(&edited);
    let (base, ours) =
        (world.values(vec![("a", plain.clone())]), world.values(vec![("a", runnable(&plain))]));
    let (theirs, expected) = (world.values(vec![("a", edited)]), world.values(vec![("a", expected)]));
    assert_eq!(world.merge_ids(base, ours, theirs).0, expected);
    assert_eq!(world.merge_ids(base, theirs, ours).0, expected);
}

#[test]
fn a_link_here_and_an_edit_there_are_a_change_of_type() {
    let mut world = World::default();
    let (plain, edited) = (world.file(1, "1"), world.file(1, "2"));
    let link = EntryValue { content: Content::Symlink { id: FileId::empty(), size: 0 }, ..plain.clone() };
    let base = world.values(vec![("a", plain)]);
    let (ours, theirs) = (world.values(vec![("a", link)]), world.values(vec![("a", edited)]));
    let (root, merge) = world.merge_ids(base, ours, theirs);
    assert_eq!((root, kinds(&merge)), (ours, vec!["type-changed a".to_owned()]));
}

fn folder(number: u8, metadata: Option<MetadataId>) -> EntryValue {
    EntryValue { asset: asset(number), metadata, content: Content::Directory { id: TreeNode::empty_id() } }
}

#[test]
fn a_folder_that_is_an_asset_is_moved_and_tagged_at_once() {
    let mut world = World::default();
    let tag = world.objects.put_metadata(Metadata::default());
    let frames = |world: &mut World, at: &str, metadata, extra: &[&str]| {
        let mut list = vec![(at.to_owned(), folder(9, metadata)), (format!("{at}/1"), world.file(1, "1"))];
        list.extend(extra.iter().map(|name| ((*name).to_owned(), world.file(7, "new"))));
        world.values(list.iter().map(|(at, value)| (at.as_str(), value.clone())).collect())
    };
    let base = frames(&mut world, "shot", None, &[]);
    let ours = frames(&mut world, "shot", Some(tag), &[]);
    let theirs = frames(&mut world, "reel", None, &[]);
    let expected = frames(&mut world, "reel", Some(tag), &[]);
    for (ours, theirs) in [(ours, theirs), (theirs, ours)] {
        let (root, merge) = world.merge_ids(base, ours, theirs);
        assert_eq!((root, kinds(&merge)), (expected, vec![]));
    }
    // A frame that ours added stays in the old folder, which is no asset any more.
    let ours = frames(&mut world, "shot", None, &["shot/2"]);
    let (root, merge) = world.merge_ids(base, ours, theirs);
    assert_eq!((root, kinds(&merge)), (frames(&mut world, "reel", None, &["shot/2"]), vec![]));
}

#[test]
fn an_alias_of_an_asset_is_followed_through_a_rename() {
    let mut world = World::default();
    let (base, ours) = (world.tree(&[("a", 5, "1")]), world.tree(&[("b", 2, "1")]));
    let theirs = world.tree(&[("a", 5, "new")]);
    let aliases = Aliases::new([(AssetId::from_bytes([5; 16]), AssetId::from_bytes([2; 16]))]);
    let trees = MergeTrees { base, ours, theirs, aliases: &aliases };
    let merge = merge_trees(&world.objects, trees, &mut world.files, &SilentMonitor).expect("readable trees");
    let root = world.edit(ours, merge.edits);
    assert_eq!(world.list(root), files(&[("b", 2, "new")]));
}

/// A random state: each asset at one of a few paths, which may lie in each other's way.
type Model = BTreeMap<String, (u8, u8)>;

fn any_state() -> impl Strategy<Value = Model> {
    let places = vec!["a", "b", "c", "d", "a/x", "b/x", "b/y", "a-b", "c/x/y"];
    let file = (prop::sample::select(places), 0u8..4);
    prop::collection::vec(prop::option::of(file), 8).prop_map(|list| {
        let mut state = Model::new();
        for (number, file) in list.into_iter().enumerate() {
            let Some((place, content)) = file else { continue };
            let in_the_way = |other: &String| {
                other == place
                    || other.starts_with(&format!("{place}/"))
                    || place.starts_with(&format!("{other}/"))
            };
            if !state.keys().any(in_the_way) {
                state.insert(place.to_owned(), (number as u8 + 1, content));
            }
        }
        state
    })
}

fn put(world: &mut World, state: &Model) -> TreeId {
    let list: Vec<_> =
        state.iter().map(|(at, (number, content))| (at.as_str(), *number, content.to_string())).collect();
    let list: Vec<_> = list.iter().map(|(at, number, text)| (*at, *number, text.as_str())).collect();
    world.tree(&list)
}

proptest! {
    #[test]
    fn one_changed_side_wins_and_equal_sides_agree(base in any_state(), side in any_state()) {
        let mut world = World::default();
        let (base, side) = (put(&mut world, &base), put(&mut world, &side));
        for (ours, theirs) in [(side, base), (base, side), (side, side)] {
            let (root, merge) = world.merge_ids(base, ours, theirs);
            prop_assert_eq!(kinds(&merge), Vec::<String>::new());
            prop_assert_eq!(world.list(root), world.list(side));
            prop_assert_eq!(root, side);
        }
    }

    #[test]
    fn without_conflict_the_order_of_the_sides_does_not_matter(
        base in any_state(), ours in any_state(), theirs in any_state()
    ) {
        let mut world = World::default();
        let (base, ours, theirs) = (put(&mut world, &base), put(&mut world, &ours), put(&mut world, &theirs));
        let (one, merge) = world.merge_ids(base, ours, theirs);
        let (other, reverse) = world.merge_ids(base, theirs, ours);
        if merge.conflicts.is_empty() && reverse.conflicts.is_empty() {
            prop_assert_eq!(world.list(one), world.list(other));
            prop_assert_eq!(merge.notes, reverse.notes);
        }
        prop_assert_eq!(merge.conflicts.is_empty(), reverse.conflicts.is_empty());
    }

    #[test]
    fn every_asset_that_either_side_worked_on_is_in_the_result_once(
        base in any_state(), ours in any_state(), theirs in any_state()
    ) {
        let mut world = World::default();
        let ids = (put(&mut world, &base), put(&mut world, &ours), put(&mut world, &theirs));
        let (root, merge) = world.merge_ids(ids.0, ids.1, ids.2);
        let result = world.list(root);
        let alias: BTreeMap<u8, u8> = merge.notes.iter().filter_map(|note| match note {
            AssetNote::AliasOf { asset, other } => Some((other.as_bytes()[0], asset.as_bytes()[0])),
            AssetNote::CopiedFrom { .. } => None,
        }).collect();
        let present: Vec<u8> = result.iter().map(|(_, number, _)| *number).collect();
        let distinct: BTreeSet<u8> = present.iter().copied().collect();
        prop_assert_eq!(present.len(), distinct.len(), "an asset stands twice: {:?}", result);
        let at = |state: &Model, number: u8| state.iter().find(|(_, value)| value.0 == number).map(|(at, value)| (at.clone(), value.1));
        let same_line = |number: u8| {
            // Another asset that took the place of this one carries its line on.
            let place = at(&base, number).map(|(at, _)| at);
            place.iter().flat_map(|place| [ours.get(place), theirs.get(place)]).flatten().map(|value| value.0).collect::<Vec<_>>()
        };
        for number in 1..=8 {
            let (b, o, t) = (at(&base, number), at(&ours, number), at(&theirs, number));
            let worked_on = (o.is_some() && o != b) || (t.is_some() && t != b) || (o.is_some() && t.is_some());
            let mut names = vec![number];
            names.extend(alias.get(&number));
            names.extend(same_line(number));
            if worked_on {
                prop_assert!(names.iter().any(|name| distinct.contains(name)), "asset {} is lost: {:?}", number, result);
            }
        }
    }

    #[test]
    fn edits_of_separate_assets_always_merge(base in any_state(), mine in prop::collection::vec(any::<bool>(), 9)) {
        let mut world = World::default();
        let is_mine = |number: u8| mine[usize::from(number)];
        let edited = |ours: bool| -> Model {
            base.iter().map(|(at, (number, content))| {
                let content = if is_mine(*number) == ours { content + 10 } else { *content };
                (at.clone(), (*number, content))
            }).collect()
        };
        let both: Model = base.iter().map(|(at, value)| (at.clone(), (value.0, value.1 + 10))).collect();
        let ids = (put(&mut world, &base), put(&mut world, &edited(true)), put(&mut world, &edited(false)));
        let (root, merge) = world.merge_ids(ids.0, ids.1, ids.2);
        prop_assert!(merge.conflicts.is_empty());
        prop_assert_eq!(root, put(&mut world, &both));
    }
}
