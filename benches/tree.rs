//! What trees cost: building, walking, looking up, editing a folder structure of 100,000 files.
//!
//! `cargo bench --bench tree`. Objects are held in memory, so the figures are those of the codec,
//! the hash and the walk.

// A benchmark that cannot go on has failed.
#![allow(clippy::expect_used)]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use pentimento::base::id::{AssetId, FileId, TreeId};
use pentimento::base::path::AssetPath;
use pentimento::object::memory::MemoryObjects;
use pentimento::object::tree::{Content, TreeEntry, TreeNode};
use pentimento::object::tree_edit::{TreeEdit, edit_tree};
use pentimento::object::tree_walk::{TreeWalk, entry_at};
use std::convert::Infallible;

const FOLDERS: u32 = 100;
const FILES: u32 = 1000;

fn main() {
    divan::main();
}

fn file(folder: u32, number: u32, seed: u8) -> TreeEntry {
    let mut id = [seed; 32];
    id[..8].copy_from_slice(&(u64::from(folder) << 32 | u64::from(number)).to_le_bytes());
    TreeEntry {
        name: format!("asset-{number:04}.psd").into_bytes(),
        asset: Some(AssetId::from_bytes([7; 16])),
        metadata: None,
        content: Content::File { id: FileId::from_bytes(id), size: 1 << 20, executable: false },
    }
}

fn build(objects: &mut MemoryObjects) -> TreeId {
    let folders: Vec<TreeEntry> = (0..FOLDERS)
        .map(|folder| {
            let id = objects.put_directory((0..FILES).map(|number| file(folder, number, 1)));
            let name = format!("set-{folder:03}").into_bytes();
            TreeEntry { name, asset: None, metadata: None, content: Content::Directory { id } }
        })
        .collect();
    objects.put_directory(folders)
}

fn all() -> ItemsCount {
    ItemsCount::new(FOLDERS * FILES)
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn build_all(bencher: Bencher<'_, '_>) {
    bencher.counter(all()).bench_local(|| build(&mut MemoryObjects::default()));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn walk_all(bencher: Bencher<'_, '_>) {
    let mut objects = MemoryObjects::default();
    let tree = build(&mut objects);
    bencher.counter(all()).bench_local(|| {
        let mut bytes = 0;
        for item in TreeWalk::new(&objects, tree, AssetPath::root()) {
            bytes += item.expect("an entry").1.content.size().unwrap_or_default();
        }
        bytes
    });
}

/// One path after the other from the top: what a walk, or the remembered state, saves.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn look_up(bencher: Bencher<'_, '_>) {
    let mut objects = MemoryObjects::default();
    let tree = build(&mut objects);
    let path = |number: u32| {
        let text = format!("set-{:03}/asset-{:04}.psd", number % FOLDERS, number % FILES);
        AssetPath::from_bytes(text).expect("a path")
    };
    let paths: Vec<AssetPath> = (0..1000).map(|number| path(number * 7)).collect();
    bencher.counter(ItemsCount::new(paths.len())).bench_local(|| {
        paths.iter().filter(|path| entry_at(&objects, tree, path).expect("a tree").is_some()).count()
    });
}

/// One file of a hundred thousand changes.
#[divan::bench]
fn edit_one(bencher: Bencher<'_, '_>) {
    let mut objects = MemoryObjects::default();
    let tree = build(&mut objects);
    let path = AssetPath::from_bytes("set-042/asset-0500.psd").expect("a path");
    let edit = TreeEdit { path, value: Some(file(42, 500, 2).into()) };
    bencher.bench_local(|| {
        let mut bytes = 0;
        let mut emit = |_, node: Vec<u8>| {
            bytes += node.len();
            Ok::<(), Infallible>(())
        };
        edit_tree(&objects, tree, [edit.clone()], &mut emit).expect("an edited tree");
        bytes
    });
}

/// A full leaf: what reading one stored node costs.
#[divan::bench]
fn decode_leaf(bencher: Bencher<'_, '_>) {
    let bytes = TreeNode::Leaf((0..15).map(|number| file(0, number, 1)).collect()).encode();
    bencher.counter(ItemsCount::new(15u32)).bench_local(|| TreeNode::decode(black_box(&bytes)));
}
