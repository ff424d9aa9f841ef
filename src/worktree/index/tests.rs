use super::*;
use crate::base::id::MetadataId;
use crate::base::monitor::SilentMonitor;
use crate::object::memory::MemoryObjects;
use crate::object::tree::TreeEntry;
use std::fs;

fn entry(name: &str, content: Content) -> TreeEntry {
    let asset = match content {
        Content::Directory { .. } => None,
        _ => Some(AssetId::from_bytes([7; 16])),
    };
    TreeEntry { name: name.into(), asset, metadata: None, content }
}

fn file(name: &str, seed: u8) -> TreeEntry {
    entry(
        name,
        Content::File { id: FileId::from_bytes([seed; 32]), size: u64::from(seed), executable: false },
    )
}

fn folder(name: &str, id: TreeId) -> TreeEntry {
    entry(name, Content::Directory { id })
}

fn path(text: &str) -> AssetPath {
    AssetPath::from_bytes(text).expect("a valid path")
}

fn fresh(text: &str, seed: u8, ctime_ns: i64) -> Fresh {
    let stat = FileStat { size: u64::from(seed), mtime_ns: 1, ctime_ns, inode: 3 };
    Fresh { path: path(text), id: FileId::from_bytes([seed; 32]), stat, settled: true }
}

struct World {
    place: tempfile::TempDir,
    objects: MemoryObjects,
}

impl World {
    fn new() -> Self {
        Self { place: tempfile::tempdir().expect("a folder"), objects: MemoryObjects::default() }
    }

    fn file(&self) -> std::path::PathBuf {
        self.place.path().join("worktree/index")
    }

    fn build(&self, tree: TreeId, previous: Option<&Index>, fresh: &[Fresh]) -> Index {
        let build = IndexBuild {
            source: &self.objects,
            tree,
            previous,
            fresh,
            path_set: empty_path_set(),
            is_expected: &|_| true,
        };
        build_index(&build, &self.file(), &SilentMonitor).expect("built")
    }

    fn tree(&mut self, changed: u8) -> TreeId {
        let deep = self.objects.put_directory([file("x", 4), file("y", changed)]);
        let inner = self.objects.put_directory([folder("deep", deep), file("z", 6)]);
        let other = self.objects.put_directory([file("p", 8), file("q", 9)]);
        self.objects.put_directory([file("a", 1), folder("inner", inner), folder("other", other)])
    }
}

fn ctime(index: &Index, text: &str) -> Option<i64> {
    let record = index.find(&path(text)).expect("readable").expect("there");
    record.stat().map(|stat| stat.ctime_ns)
}

#[test]
fn every_kind_of_entry_comes_back_as_the_tree_has_it() {
    let mut world = World::new();
    let inner = world.objects.put_directory([file("b", 5)]);
    let foreign = Content::Foreign {
        algorithm: ForeignAlgorithm::GitBlobSha1,
        digest: vec![9; 20],
        size: 77,
        executable: true,
    };
    let mut tagged = file("tagged", 3);
    tagged.metadata = Some(MetadataId::from_bytes([8; 32]));
    let entries = [
        entry("exec", Content::File { id: FileId::from_bytes([1; 32]), size: 1 << 40, executable: true }),
        entry("foreign", foreign),
        folder("inner", inner),
        entry("link", Content::Symlink { id: FileId::from_bytes([2; 32]), size: 6 }),
        tagged,
    ];
    let tree = world.objects.put_directory(entries.clone());
    let index = world.build(tree, None, &[]);
    assert_eq!(index.base(), tree);
    for expected in entries {
        let name = String::from_utf8_lossy(&expected.name).into_owned();
        let record = index.find(&path(&name)).expect("readable").expect("there");
        assert_eq!(record.content().expect("readable"), expected.content, "{name}");
        assert_eq!(record.asset(), expected.asset, "{name}");
        assert_eq!(record.metadata(), expected.metadata, "{name}");
        assert_eq!(record.stat(), None, "{name}");
    }
    assert!(!index.find(&path("foreign")).expect("readable").expect("there").is_expected());
    assert!(index.find(&path("inner/b")).expect("readable").is_some());
    assert!(index.find(&path("inner/c")).expect("readable").is_none());
    assert!(index.find(&path("exec/c")).expect("readable").is_none());
}

#[test]
fn what_was_seen_is_kept_while_the_content_stays_and_dropped_when_it_changes() {
    let mut world = World::new();
    let before = world.tree(5);
    let seen = [
        fresh("a", 1, 10),
        fresh("inner/deep/x", 4, 11),
        fresh("inner/deep/y", 5, 12),
        fresh("other/q", 9, 13),
    ];
    let first = world.build(before, None, &seen);
    assert_eq!(ctime(&first, "inner/deep/y"), Some(12));
    assert_eq!(ctime(&first, "inner/z"), None);
    let after = world.tree(55);
    let second = world.build(after, Some(&first), &[fresh("inner/z", 6, 20)]);
    for (name, expected) in [
        ("a", Some(10)),
        ("inner/deep/x", Some(11)),
        ("inner/deep/y", None),
        ("inner/z", Some(20)),
        ("other/q", Some(13)),
        ("other/p", None),
    ] {
        assert_eq!(ctime(&second, name), expected, "{name}");
    }
    second.check().expect("whole");
    let third = world.build(before, Some(&second), &[]);
    assert_eq!(ctime(&third, "inner/z"), Some(20));
    assert_eq!(third.root().expect("readable").files_below(), 6);
    third.check().expect("whole");
}

#[test]
fn folders_that_did_not_change_are_copied_without_reading_their_trees() {
    let mut world = World::new();
    let before = world.tree(5);
    let first = world.build(before, None, &[]);
    let after = world.tree(6);
    let read = world.objects.nodes_read();
    let second = world.build(after, Some(&first), &[]);
    assert_eq!(world.objects.nodes_read() - read, 3);
    assert!(second.find(&path("other/q")).expect("readable").is_some());
}

#[test]
fn what_is_not_settled_or_not_the_content_is_not_believed() {
    let mut world = World::new();
    let tree = world.tree(5);
    let racy = Fresh { settled: false, ..fresh("a", 1, 10) };
    let index = world.build(tree, None, &[racy, fresh("inner/z", 99, 10)]);
    assert_eq!(ctime(&index, "a"), None);
    assert_eq!(ctime(&index, "inner/z"), None);
}

#[test]
fn paths_outside_the_chosen_set_are_remembered_but_not_expected() {
    let mut world = World::new();
    let tree = world.tree(5);
    let build = IndexBuild {
        source: &world.objects,
        tree,
        previous: None,
        fresh: &[],
        path_set: [1; 16],
        is_expected: &|path| path.starts_with(b"other/"),
    };
    let index = build_index(&build, &world.file(), &SilentMonitor).expect("built");
    let expected = |text: &str| index.find(&path(text)).expect("readable").expect("there").is_expected();
    assert!(expected("other/p") && !expected("inner/z") && !expected("a"));
    assert!(!index.find_folder(&path("inner")).expect("readable").expect("there").any_expected());
    assert!(index.find_folder(&path("other")).expect("readable").expect("there").any_expected());
    let all = world.build(tree, Some(&index), &[]);
    assert!(all.find(&path("inner/z")).expect("readable").expect("there").is_expected());
}

#[test]
fn a_cut_or_flipped_index_is_noticed_wherever_it_was_damaged() {
    let mut world = World::new();
    let tree = world.tree(5);
    drop(world.build(tree, None, &[fresh("a", 1, 10)]));
    let good = fs::read(world.file()).expect("read");
    for length in [0, 10, INDEX_HEADER_BYTES, good.len() - 1] {
        fs::write(world.file(), &good[..length]).expect("written");
        assert!(Index::open(&world.file()).is_none(), "cut to {length}");
    }
    for position in (0..good.len()).step_by(5) {
        let mut bad = good.clone();
        bad[position] ^= 0x40;
        fs::write(world.file(), &bad).expect("written");
        let noticed = Index::open(&world.file()).is_none_or(|index| index.check().is_err());
        assert!(noticed, "byte {position} of {}", good.len());
    }
    fs::write(world.file(), b"something else entirely").expect("written");
    assert!(Index::open(&world.file()).is_none());
    fs::remove_file(world.file()).expect("removed");
    assert!(Index::open(&world.file()).is_none());
}

#[test]
fn an_index_in_memory_holds_the_same_and_leaves_nothing_behind() {
    let mut world = World::new();
    let inner = world.objects.put_directory([file("b.txt", 2)]);
    let top = world.objects.put_directory([file("a.txt", 1), folder("sub", inner)]);
    let before = world.build(top, None, &[fresh("a.txt", 1, 5)]);
    fs::remove_file(world.file()).expect("a removed index");
    let build = IndexBuild {
        source: &world.objects,
        tree: top,
        previous: Some(&before),
        fresh: &[],
        path_set: empty_path_set(),
        is_expected: &|_| true,
    };
    let index = build_index_in_memory(&build, &SilentMonitor).expect("built");
    assert_eq!(index.base(), top);
    let stat = |text| index.find(&path(text)).expect("sound").expect("there").stat();
    assert_eq!(stat("a.txt").map(|stat| stat.ctime_ns), Some(5));
    assert_eq!(stat("sub/b.txt"), None);
    assert!(!world.file().exists());
}
