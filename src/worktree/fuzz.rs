//! Fuzz targets of what is remembered of the worktree.

use super::displaced::fuzz_manifest;
use super::index::{Folder, Fresh, Index, IndexBuild, build_index, empty_path_set, fuzz_mend};
use super::seen::{self, Seen, SeenFile, write_seen};
use super::stat::FileStat;
use crate::base::fuzz::{Numbers, Target, Verdict};
use crate::base::id::{AssetId, FileId, MetadataId, TreeId};
use crate::base::monitor::SilentMonitor;
use crate::base::path::AssetPath;
use crate::object::memory::MemoryObjects;
use crate::object::tree::{Content, ForeignAlgorithm, TreeEntry};
use std::fs;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new(
        "worktree: index",
        &["worktree/index.rs", "worktree/index/format.rs"],
        index_seeds,
        run_index,
    )
    .mended_by(fuzz_mend),
    Target::new("worktree: seen files", &["worktree/seen.rs"], seen_seeds, run_seen)
        .mended_by(seen::fuzz_mend),
    Target::new(
        "worktree: list of what was put aside",
        &["worktree/displaced/manifest.rs"],
        fuzz_manifest::seeds,
        fuzz_manifest::run,
    ),
];

/// Shows bytes under a name in the file system without writing them to a disk.
fn as_file(bytes: &[u8], look: impl FnOnce(&Path) -> Verdict) -> Verdict {
    let Ok(handle) = rustix::fs::memfd_create("pent-fuzz", rustix::fs::MemfdFlags::CLOEXEC) else {
        return Verdict::Wrong("there is no file in memory to be had".to_owned());
    };
    let mut file = fs::File::from(handle);
    if file.write_all(bytes).is_err() {
        return Verdict::Wrong("a file in memory cannot be written".to_owned());
    }
    look(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())))
}

/// Lets something be written to a file, and gives its bytes.
fn written(write: impl FnOnce(&Path)) -> Vec<u8> {
    let folder: PathBuf =
        std::env::temp_dir().join(format!("pent-fuzz-{:016x}", getrandom::u64().unwrap_or(0)));
    let path = folder.join("file");
    let _ = fs::create_dir_all(&folder);
    write(&path);
    let bytes = fs::read(&path).unwrap_or_default();
    let _ = fs::remove_dir_all(&folder);
    bytes
}

/// Entries of every kind, some of them folders with entries of their own.
fn directory(objects: &mut MemoryObjects, numbers: &mut Numbers, depth: usize) -> TreeId {
    let count = numbers.below(8);
    let mut entries: Vec<TreeEntry> = Vec::new();
    for index in 0..count {
        let size = numbers.any_size();
        let content = match numbers.below(6) {
            0 | 1 if depth > 0 => Content::Directory { id: directory(objects, numbers, depth - 1) },
            2 => Content::Symlink { id: FileId::from_bytes(numbers.array()), size },
            3 => Content::Foreign {
                algorithm: ForeignAlgorithm::GitBlobSha1,
                digest: numbers.bytes(20),
                size,
                executable: false,
            },
            _ => Content::File {
                id: FileId::from_bytes(numbers.array()),
                size,
                executable: numbers.once_in(3),
            },
        };
        let asset = (!content.is_directory()).then(|| AssetId::from_bytes(numbers.array()));
        let metadata = numbers.once_in(3).then(|| MetadataId::from_bytes(numbers.array()));
        entries.push(TreeEntry { name: format!("entry {index}").into_bytes(), asset, metadata, content });
    }
    objects.put_directory(entries)
}

fn stat(numbers: &mut Numbers) -> FileStat {
    let time = numbers.any_size() as i64;
    FileStat { size: numbers.any_size(), mtime_ns: time, ctime_ns: time, inode: numbers.any_size() }
}

fn index_seeds() -> Vec<Vec<u8>> {
    let one = |seed| {
        let numbers = &mut Numbers::new(seed);
        let mut objects = MemoryObjects::default();
        let tree = directory(&mut objects, numbers, 3);
        let path = AssetPath::root().join(b"entry 0").unwrap_or_default();
        let id = FileId::from_bytes(numbers.array());
        let fresh = [Fresh { path, id, stat: stat(numbers), settled: true }];
        let build = IndexBuild {
            source: &objects,
            tree,
            previous: None,
            fresh: &fresh,
            path_set: empty_path_set(),
            is_expected: &|path| path.len() % 3 > 0,
        };
        written(|path| drop(build_index(&build, path, &SilentMonitor)))
    };
    (0..8).map(one).collect()
}

/// Reads all that an index says, as a scan and a checkout do.
fn run_index(bytes: &[u8]) -> Verdict {
    as_file(bytes, |path| {
        let Some(index) = Index::open(path) else { return Verdict::Refused };
        let (_, _, sound) = (index.base(), index.written_at(), index.check().is_ok());
        let Ok(root) = index.root() else { return Verdict::Refused };
        let mut pending = vec![root];
        // Folders that name the same one twice are no tree: a bound keeps the walk short.
        for _ in 0..500 {
            let Some(folder) = pending.pop() else { break };
            read_folder(folder, &mut pending);
        }
        let _ = index.find(&AssetPath::from_bytes("entry 1/entry 2").unwrap_or_default());
        if sound { Verdict::Understood } else { Verdict::Refused }
    })
}

fn read_folder<'a>(folder: Folder<'a>, pending: &mut Vec<Folder<'a>>) {
    let _ = (folder.tree(), folder.files_below(), folder.bytes_below(), folder.any_expected());
    for position in 0..folder.len().min(500) {
        let Some(record) = folder.record(position) else { return };
        let _ = (record.asset(), record.metadata(), record.stat(), record.content(), record.is_expected());
        let _ = folder.find(record.name());
        if record.is_directory() {
            pending.extend(folder.child(&record));
        }
    }
}

fn seen_seeds() -> Vec<Vec<u8>> {
    let one = |seed| {
        let numbers = &mut Numbers::new(seed);
        let file = |numbers: &mut Numbers| SeenFile {
            path: AssetPath::root().join(&numbers.name()).unwrap_or_default(),
            stat: stat(numbers),
            id: FileId::from_bytes(numbers.array()),
            new_bytes: numbers.once_in(2).then(|| numbers.any_size()),
        };
        let files = (0..numbers.below(12)).map(|_| file(numbers)).collect();
        let base = TreeId::from_bytes(numbers.array());
        written(|path| drop(write_seen(path, base, files)))
    };
    (0..8).map(one).collect()
}

fn run_seen(bytes: &[u8]) -> Verdict {
    as_file(bytes, |path| {
        let Some(seen) = Seen::open(path) else { return Verdict::Refused };
        for file in seen.files() {
            let _ = seen.find(&file.path, &file.stat);
        }
        Verdict::Understood
    })
}
