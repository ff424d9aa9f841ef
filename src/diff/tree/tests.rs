use super::*;
use crate::base::id::{FileId, MetadataId};
use crate::base::monitor::SilentMonitor;
use crate::object::memory::MemoryObjects;
use crate::object::tree::{TreeEntry, TreeNode};
use crate::object::tree_edit::{TreeEdit, edit_tree};
use crate::object::tree_walk::{TreeWalk, tree_order};
use proptest::prelude::*;
use std::convert::Infallible;

fn path(text: &str) -> AssetPath {
    AssetPath::from_bytes(text).expect("a valid path")
}

fn file(asset: u8, content: u8) -> EntryValue {
    let id = FileId::from_bytes([content; 32]);
    EntryValue {
        asset: Some(AssetId::from_bytes([asset; 16])),
        metadata: None,
        content: Content::File { id, size: 1, executable: false },
    }
}

fn tree(objects: &mut MemoryObjects, files: &[(&str, EntryValue)]) -> TreeId {
    let mut edits: Vec<_> =
        files.iter().map(|(at, value)| TreeEdit { path: path(at), value: Some(value.clone()) }).collect();
    edits.sort_by(|a, b| tree_order(&a.path, &b.path));
    let mut new = Vec::new();
    let root = edit_tree(objects, TreeNode::empty_id(), edits, &mut |_, bytes| {
        new.push(bytes);
        Ok::<(), Infallible>(())
    });
    new.iter().for_each(|bytes| objects.put_encoded(bytes));
    root.expect("paths that fit")
}

fn diff_with(
    objects: &MemoryObjects,
    before: TreeId,
    after: TreeId,
    paths: &PathSet,
    moves: MoveMatching,
    aliases: &Aliases,
) -> Vec<Change> {
    let options = TreeDiffOptions { paths, moves, aliases };
    diff_trees(objects, before, after, options, &SilentMonitor).expect("readable trees")
}

fn diff(objects: &MemoryObjects, before: TreeId, after: TreeId) -> Vec<Change> {
    diff_with(objects, before, after, &PathSet::everything(), MoveMatching::Asset, &Aliases::default())
}

/// Path before, path after and what happened, for short comparisons.
fn brief(changes: &[Change]) -> Vec<(String, String, String)> {
    let text =
        |side: &Option<Box<Located>>| side.as_ref().map_or(String::new(), |located| located.path.to_string());
    changes
        .iter()
        .map(|change| {
            (text(&change.before), text(&change.after), change.kinds.names().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

fn told(list: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    list.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

#[test]
fn additions_removals_edits_and_moves_are_told_apart() {
    let mut objects = MemoryObjects::default();
    let mut executable = file(4, 4);
    executable.content = Content::File { id: FileId::from_bytes([4; 32]), size: 1, executable: true };
    let mut tagged = file(5, 5);
    tagged.metadata = Some(MetadataId::from_bytes([5; 32]));
    let before = tree(
        &mut objects,
        &[("a", file(1, 1)), ("d/b", file(2, 2)), ("d/c", file(3, 3)), ("m", file(4, 4)), ("t", file(5, 5))],
    );
    let after = tree(
        &mut objects,
        &[("e/b", file(2, 9)), ("d/c", file(3, 8)), ("m", executable), ("n", file(6, 6)), ("t", tagged)],
    );
    let expected = [
        ("a", "", "removed"),
        ("d/c", "d/c", "content"),
        ("d/b", "e/b", "moved content"),
        ("m", "m", "mode"),
        ("", "n", "added"),
        ("t", "t", "metadata"),
    ];
    assert_eq!(brief(&diff(&objects, before, after)), told(&expected));
}

#[test]
fn two_assets_that_trade_places_are_two_moves() {
    let mut objects = MemoryObjects::default();
    let before = tree(&mut objects, &[("a", file(1, 1)), ("b", file(2, 2))]);
    let after = tree(&mut objects, &[("a", file(2, 2)), ("b", file(1, 1))]);
    assert_eq!(brief(&diff(&objects, before, after)), told(&[("b", "a", "moved"), ("a", "b", "moved")]));
}

#[test]
fn another_asset_at_the_same_path_is_a_replacement() {
    let mut objects = MemoryObjects::default();
    let before = tree(&mut objects, &[("a", file(1, 1))]);
    let after = tree(&mut objects, &[("a", file(2, 1))]);
    assert_eq!(brief(&diff(&objects, before, after)), told(&[("a", "a", "replaced")]));
    let aliases = Aliases::new([(AssetId::from_bytes([2; 16]), AssetId::from_bytes([1; 16]))]);
    let everything = PathSet::everything();
    let changes = diff_with(&objects, before, after, &everything, MoveMatching::Asset, &aliases);
    assert_eq!(brief(&changes), told(&[("a", "a", "replaced")]));
    let moved = tree(&mut objects, &[("b", file(2, 3))]);
    let changes = diff_with(&objects, before, moved, &everything, MoveMatching::Asset, &aliases);
    assert_eq!(brief(&changes), told(&[("a", "b", "moved content")]));
}

#[test]
fn equal_content_tells_a_move_only_when_asked() {
    let mut objects = MemoryObjects::default();
    let before = tree(&mut objects, &[("a/x", file(1, 1)), ("a/y", file(2, 1)), ("z", file(4, 4))]);
    let after = tree(&mut objects, &[("b/y", file(9, 1)), ("b/x", file(8, 1)), ("z", file(4, 4))]);
    assert!(diff(&objects, before, after).iter().all(|change| !change.kinds.moved));
    let by_content = MoveMatching::AssetOrContent;
    let changes = diff_with(&objects, before, after, &PathSet::everything(), by_content, &Aliases::default());
    assert_eq!(brief(&changes), told(&[("a/x", "b/x", "moved"), ("a/y", "b/y", "moved")]));
}

#[test]
fn a_folder_is_told_only_when_it_is_an_asset() {
    let mut objects = MemoryObjects::default();
    let folder = EntryValue {
        asset: Some(AssetId::from_bytes([7; 16])),
        metadata: None,
        content: Content::Directory { id: TreeNode::empty_id() },
    };
    let before =
        tree(&mut objects, &[("plain/x", file(1, 1)), ("shot", folder.clone()), ("shot/1", file(2, 2))]);
    let after = tree(&mut objects, &[("plain/x", file(1, 3)), ("reel", folder), ("reel/1", file(2, 4))]);
    let expected = [
        ("plain/x", "plain/x", "content"),
        ("shot", "reel", "moved content"),
        ("shot/1", "reel/1", "moved content"),
    ];
    assert_eq!(brief(&diff(&objects, before, after)), told(&expected));
}

#[test]
fn a_move_across_the_border_of_a_path_set_is_still_a_move() {
    let mut objects = MemoryObjects::default();
    let before = tree(&mut objects, &[("in/a", file(1, 1)), ("out/b", file(2, 2)), ("out/c", file(3, 3))]);
    let after = tree(&mut objects, &[("out/a", file(1, 1)), ("in/b", file(2, 2)), ("out/c", file(3, 4))]);
    let set = PathSet::new([path("in")]);
    let changes = diff_with(&objects, before, after, &set, MoveMatching::Asset, &Aliases::default());
    assert_eq!(brief(&changes), told(&[("out/b", "in/b", "moved"), ("in/a", "out/a", "moved")]));
}

#[test]
fn a_file_that_became_a_folder_is_removed_and_what_lies_there_added() {
    let mut objects = MemoryObjects::default();
    let before = tree(&mut objects, &[("a", file(1, 1)), ("b/x", file(2, 2))]);
    let after = tree(&mut objects, &[("a/x", file(3, 3)), ("b", file(4, 4))]);
    let expected = [("a", "", "removed"), ("", "a/x", "added"), ("", "b", "added"), ("b/x", "", "removed")];
    assert_eq!(brief(&diff(&objects, before, after)), told(&expected));
}

#[test]
fn one_difference_among_a_hundred_thousand_reads_a_handful_of_nodes() {
    let mut objects = MemoryObjects::default();
    let frames = |skip: Option<u32>| {
        (0..100_000).filter(move |n| Some(*n) != skip).map(|n| file(1, 1).named(format!("{n:07}").as_bytes()))
    };
    let before = objects.put_directory(frames(None));
    let after = objects.put_directory(frames(Some(50_000)));
    let start = objects.nodes_read();
    let mut found = Vec::new();
    compare_trees(&objects, before, after, &PathSet::everything(), &SilentMonitor, &mut |difference| {
        found.push(difference.path);
        Ok(())
    })
    .expect("readable trees");
    assert_eq!(found, [path("0050000")]);
    let read = objects.nodes_read() - start;
    assert!(read <= 14, "{read} nodes read");
}

#[test]
fn equal_folders_are_not_read() {
    let mut objects = MemoryObjects::default();
    let before = tree(&mut objects, &[("a/x", file(1, 1)), ("b", file(2, 2))]);
    let after = tree(&mut objects, &[("a/x", file(1, 1)), ("b", file(2, 3))]);
    let start = objects.nodes_read();
    assert_eq!(diff(&objects, before, after).len(), 1);
    assert_eq!(objects.nodes_read() - start, 2);
}

type Model = std::collections::BTreeMap<Vec<u8>, (u8, u8)>;

fn put_model(objects: &mut MemoryObjects, model: &Model) -> TreeId {
    let entries: Vec<TreeEntry> =
        model.iter().map(|(name, (asset, content))| file(*asset, *content).named(name)).collect();
    objects.put_directory(entries)
}

proptest! {
    #[test]
    fn applying_what_differs_turns_one_tree_into_the_other(
        before in prop::collection::btree_map(0u16..400, (0u8..9, 0u8..3), 0..400),
        after in prop::collection::btree_map(0u16..400, (0u8..9, 0u8..3), 0..400),
        keep in 0u16..400,
    ) {
        // Both share everything below `keep`, so that whole nodes are equal.
        let name = |n: &u16| format!("{n:05}").into_bytes();
        let before: Model = before.iter().map(|(n, value)| (name(n), *value)).collect();
        let mut after: Model = after.iter().filter(|(n, _)| **n >= keep).map(|(n, value)| (name(n), *value)).collect();
        after.extend(before.iter().filter(|(n, _)| **n < name(&keep)).map(|(n, value)| (n.clone(), *value)));
        let mut objects = MemoryObjects::default();
        let (old, new) = (put_model(&mut objects, &before), put_model(&mut objects, &after));
        let mut edits = Vec::new();
        compare_trees(&objects, old, new, &PathSet::everything(), &SilentMonitor, &mut |difference| {
            edits.push(TreeEdit { path: difference.path, value: difference.after });
            Ok(())
        }).expect("readable trees");
        let differing = before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>()
            .into_iter().filter(|n| before.get(*n) != after.get(*n)).count();
        prop_assert_eq!(edits.len(), differing);
        let mut ignore = |_, _| Ok::<(), Infallible>(());
        prop_assert_eq!(edit_tree(&objects, old, edits, &mut ignore).expect("edits that fit"), new);
    }

    #[test]
    fn every_differing_asset_is_told_exactly_once(
        before in prop::collection::btree_map(0u8..12, 0u8..4, 0..12),
        after in prop::collection::btree_map(0u8..12, 0u8..4, 0..12),
        places in prop::collection::vec(0u8..12, 12),
    ) {
        // Asset n stands at its own place before and at places[n] after, unless that is taken.
        let mut objects = MemoryObjects::default();
        let at = |n: u8| format!("{n:02}").into_bytes();
        let old: Model = before.iter().map(|(asset, content)| (at(*asset), (*asset, *content))).collect();
        let mut new = Model::new();
        for (asset, content) in &after {
            new.entry(at(places[usize::from(*asset)])).or_insert((*asset, *content));
        }
        let (before, after) = (put_model(&mut objects, &old), put_model(&mut objects, &new));
        let changes = diff(&objects, before, after);
        let place = |model: &Model, asset: u8| {
            model.iter().find(|(_, value)| value.0 == asset).map(|(name, value)| (name.clone(), value.1))
        };
        for asset in 0..12u8 {
            let id = Some(AssetId::from_bytes([asset; 16]));
            let mentions = changes.iter().filter(|change| {
                change.before.as_ref().is_some_and(|located| located.value.asset == id)
                    || change.after.as_ref().is_some_and(|located| located.value.asset == id)
            }).count();
            let differs = place(&old, asset) != place(&new, asset);
            prop_assert_eq!(mentions, usize::from(differs), "asset {}", asset);
        }
        let walked = TreeWalk::new(&objects, after, AssetPath::root()).count();
        prop_assert_eq!(walked, new.len());
    }
}
