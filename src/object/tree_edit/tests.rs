use super::*;
use crate::base::id::{AssetId, FileId};
use crate::object::memory::MemoryObjects;
use crate::object::tree_walk::{TreeWalk, entry_at};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::convert::Infallible;

fn path(text: &str) -> AssetPath {
    AssetPath::from_bytes(text).expect("a valid path")
}

fn file(seed: u8) -> EntryValue {
    let id = FileId::from_bytes([seed; 32]);
    EntryValue {
        asset: Some(AssetId::from_bytes([1; 16])),
        metadata: None,
        content: Content::File { id, size: 1, executable: false },
    }
}

fn put(text: &str, seed: u8) -> TreeEdit {
    TreeEdit { path: path(text), value: Some(file(seed)) }
}

fn remove(text: &str) -> TreeEdit {
    TreeEdit { path: path(text), value: None }
}

/// Applies edits, keeps the new nodes, and says how many there were.
fn apply(objects: &mut MemoryObjects, root: TreeId, mut edits: Vec<TreeEdit>) -> (TreeId, usize) {
    edits.sort_by(|a, b| tree_order(&a.path, &b.path));
    let mut new = Vec::new();
    let mut emit = |_, bytes| {
        new.push(bytes);
        Ok::<(), Infallible>(())
    };
    let root = edit_tree(objects, root, edits, &mut emit).expect("edits that fit");
    for bytes in &new {
        objects.put_encoded(bytes);
    }
    (root, new.len())
}

fn files(objects: &MemoryObjects, root: TreeId) -> BTreeMap<AssetPath, EntryValue> {
    TreeWalk::new(objects, root, AssetPath::root())
        .map(|item| item.expect("a readable tree"))
        .filter(|(_, entry)| !matches!(entry.content, Content::Directory { .. }))
        .map(|(path, entry)| (path, entry.into()))
        .collect()
}

/// The tree that follows from nothing but these files.
fn tree_of(objects: &mut MemoryObjects, files: &BTreeMap<AssetPath, EntryValue>) -> TreeId {
    let edits = files.iter().map(|(path, value)| TreeEdit { path: path.clone(), value: Some(value.clone()) });
    apply(objects, TreeNode::empty_id(), edits.collect()).0
}

fn frames(numbers: impl Iterator<Item = u32>) -> Vec<TreeEntry> {
    numbers.map(|number| file(2).named(format!("frame-{number:07}.exr").as_bytes())).collect()
}

#[test]
fn folders_come_and_go_with_their_content() {
    let mut objects = MemoryObjects::default();
    let (root, _) =
        apply(&mut objects, TreeNode::empty_id(), vec![put("a/b/c", 1), put("a-b", 2), put("z", 3)]);
    assert!(entry_at(&objects, root, &path("a/b")).expect("readable").is_some());
    assert_eq!(files(&objects, root).len(), 3);
    let (root, _) = apply(&mut objects, root, vec![remove("a/b/c")]);
    assert_eq!(entry_at(&objects, root, &path("a")).expect("readable"), None);
    let (root, _) = apply(&mut objects, root, vec![remove("a-b"), remove("z"), remove("never/was")]);
    assert_eq!(root, TreeNode::empty_id());
}

#[test]
fn a_folder_that_is_an_asset_stays_when_it_is_empty() {
    let mut objects = MemoryObjects::default();
    let folder = EntryValue {
        asset: Some(AssetId::from_bytes([9; 16])),
        metadata: None,
        content: Content::Directory { id: TreeNode::empty_id() },
    };
    let edits =
        vec![TreeEdit { path: path("shot"), value: Some(folder.clone()) }, put("shot/1.exr", 1), put("x", 1)];
    let (root, _) = apply(&mut objects, TreeNode::empty_id(), edits);
    let (root, _) = apply(&mut objects, root, vec![remove("shot/1.exr")]);
    assert_eq!(
        entry_at(&objects, root, &path("shot")).expect("readable").map(EntryValue::from),
        Some(folder)
    );
}

#[test]
fn a_file_takes_the_place_of_a_folder_and_back() {
    let mut objects = MemoryObjects::default();
    let (root, _) = apply(&mut objects, TreeNode::empty_id(), vec![put("a/b", 1), put("a/c", 1)]);
    let (root, _) = apply(&mut objects, root, vec![put("a", 2), remove("a/b"), remove("a/c")]);
    assert_eq!(files(&objects, root).into_keys().collect::<Vec<_>>(), [path("a")]);
    let mut ignore = |_, _| Ok::<(), Infallible>(());
    let refused = edit_tree(&objects, root, vec![put("a/b", 1)], &mut ignore);
    assert!(matches!(refused, Err(EditError::NotAFolder { path: at }) if at == path("a")));
    let (root, _) = apply(&mut objects, root, vec![remove("a"), put("a/b", 3)]);
    assert_eq!(files(&objects, root).into_keys().collect::<Vec<_>>(), [path("a/b")]);
}

#[test]
fn changes_out_of_order_are_refused() {
    let objects = MemoryObjects::default();
    let mut ignore = |_, _| Ok::<(), Infallible>(());
    for edits in
        [vec![put("b", 1), put("a", 1)], vec![put("a", 1), put("a", 2)], vec![put("a-b", 1), put("a/b", 1)]]
    {
        let refused = edit_tree(&objects, TreeNode::empty_id(), edits, &mut ignore);
        assert!(matches!(refused, Err(EditError::Order { .. })));
    }
}

#[test]
fn one_change_among_a_hundred_thousand_reads_and_writes_a_handful_of_nodes() {
    let mut objects = MemoryObjects::default();
    let inner = objects.put_directory(frames(0..100_000));
    let other = objects.put_directory(frames(0..3));
    let folder = |id| EntryValue { asset: None, metadata: None, content: Content::Directory { id } };
    let root = objects.put_directory([folder(other).named(b"a"), folder(inner).named(b"b")]);
    for edit in
        [put("b/frame-0050000.exr", 7), put("b/frame-0050000-x.exr", 7), remove("b/frame-0050000.exr")]
    {
        let before = objects.nodes_read();
        let (_, written) = apply(&mut objects, root, vec![edit.clone()]);
        let read = objects.nodes_read() - before;
        assert!(written <= 10 && read <= 16, "{edit:?}: {read} nodes read, {written} written");
    }
    let (same, written) = apply(&mut objects, root, vec![put("b/frame-0050000.exr", 2)]);
    assert_eq!((same, written), (root, 0));
}

#[test]
fn untouched_folders_are_not_read() {
    let mut objects = MemoryObjects::default();
    let (root, _) = apply(&mut objects, TreeNode::empty_id(), vec![put("a/x", 1), put("b/x", 3)]);
    let Some(Content::Directory { id }) =
        entry_at(&objects, root, &path("a")).expect("readable").map(|e| e.content)
    else {
        panic!("a is a folder")
    };
    objects.forget_node(id);
    let (after, _) = apply(&mut objects, root, vec![put("b/x", 2)]);
    assert_ne!(after, root);
}

/// Few names that often meet, one of them a neighbour of the slash in byte order.
fn any_path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "a-b", "b", "c", "d.psd"]);
    prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"))
}

/// Sets or removes a file in the naive model, as an edit would; edits that do not fit are left out.
fn edit_model(
    model: &mut BTreeMap<AssetPath, EntryValue>,
    at: &AssetPath,
    value: Option<EntryValue>,
) -> bool {
    let below_a_file = model.keys().any(|path| path != at && at.is_within(path));
    if below_a_file {
        return false;
    }
    model.retain(|path, _| !path.is_within(at));
    if let Some(value) = value {
        model.insert(at.clone(), value);
    }
    true
}

proptest! {
    #[test]
    fn an_edited_tree_equals_the_tree_made_from_nothing(
        rounds in prop::collection::vec(prop::collection::btree_map(any_path(), prop::option::of(0u8..4), 0..8), 1..6)
    ) {
        let mut objects = MemoryObjects::default();
        let mut model = BTreeMap::new();
        let mut root = TreeNode::empty_id();
        for round in rounds {
            let mut edits = Vec::new();
            let mut wanted: Vec<_> = round.into_iter().map(|(text, seed)| (path(&text), seed)).collect();
            wanted.sort_by(|a, b| tree_order(&a.0, &b.0));
            for (at, seed) in wanted {
                let value = seed.map(file);
                if edit_model(&mut model, &at, value.clone()) {
                    edits.push(TreeEdit { path: at, value });
                }
            }
            root = apply(&mut objects, root, edits).0;
            prop_assert_eq!(&files(&objects, root), &model);
            prop_assert_eq!(root, tree_of(&mut objects, &model));
        }
    }

    #[test]
    fn a_large_folder_edited_anywhere_equals_the_folder_built_anew(
        size in 0u32..3_000,
        edits in prop::collection::btree_map(0u32..3_200, prop::option::of(0u8..4), 0..40),
        run in (0u32..3_000, 0u32..1_000),
    ) {
        let mut objects = MemoryObjects::default();
        let root = objects.put_directory(frames(0..size));
        let mut model: BTreeMap<Vec<u8>, TreeEntry> =
            frames(0..size).into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        let mut all: BTreeMap<u32, Option<u8>> = edits;
        all.extend((run.0..run.0 + run.1).map(|number| (number, None)));
        let mut list = Vec::new();
        for (number, seed) in all {
            let name = format!("frame-{number:07}.exr");
            model.remove(name.as_bytes());
            if let Some(seed) = seed {
                model.insert(name.clone().into_bytes(), file(seed).named(name.as_bytes()));
            }
            list.push(TreeEdit { path: path(&name), value: seed.map(file) });
        }
        let edited = apply(&mut objects, root, list).0;
        prop_assert_eq!(edited, objects.put_directory(model.into_values()));
    }
}
