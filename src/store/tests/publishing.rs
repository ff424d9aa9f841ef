//! What a writer publishes by itself while others go on storing.

use super::*;
use crate::store::disk::{DatabaseAccess, Disk, DiskFile, DiskLock, DiskSpace, LockKind, Mapping};
use redb::StorageBackend;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// Long enough for a thread that could go on to have done so.
const A_WHILE: Duration = Duration::from_millis(200);

/// What happens to a sync of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syncs {
    Pass,
    Wait,
    Fail,
}

/// The machine's disk, on which syncs of packs wait, or fail, as told.
#[derive(Debug)]
struct Held {
    syncs: Mutex<Syncs>,
    changed: Condvar,
    begun: AtomicU64,
}

#[derive(Debug, Clone)]
struct HeldDisk(Arc<Held>);

#[derive(Debug)]
struct HeldFile(Arc<dyn DiskFile>, Option<Arc<Held>>);

impl HeldDisk {
    fn new() -> Self {
        let syncs = Mutex::new(Syncs::Pass);
        Self(Arc::new(Held { syncs, changed: Condvar::new(), begun: AtomicU64::new(0) }))
    }

    fn set(&self, syncs: Syncs) {
        *self.0.syncs.lock().unwrap() = syncs;
        self.0.changed.notify_all();
    }

    fn wait_for_a_sync(&self) {
        while self.0.begun.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
    }

    fn wrap(&self, path: &Path, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let is_pack = path.extension().is_some_and(|end| end == "pack");
        Arc::new(HeldFile(file, is_pack.then(|| self.0.clone())))
    }
}

impl Disk for HeldDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        RealDisk.list(dir)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        RealDisk.exists(path)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrap(path, RealDisk.create(path)?))
    }
    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrap(path, RealDisk.open(path, writable)?))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
    fn database(&self, path: &Path, access: DatabaseAccess) -> io::Result<Box<dyn StorageBackend>> {
        RealDisk.database(path, access)
    }
    fn try_lock(&self, path: &Path, kind: LockKind) -> io::Result<Option<Box<dyn DiskLock>>> {
        RealDisk.try_lock(path, kind)
    }
    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        RealDisk.space(path)
    }
    fn owner(&self, path: &Path) -> io::Result<Option<(u32, u32)>> {
        RealDisk.owner(path)
    }
}

impl DiskFile for HeldFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
    fn write_all_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        self.0.write_all_at(parts, offset)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
    fn sync(&self) -> io::Result<()> {
        if let Some(held) = &self.1 {
            held.begun.fetch_add(1, Ordering::SeqCst);
            let waits = |syncs: &mut Syncs| *syncs == Syncs::Wait;
            let syncs = held.changed.wait_while(held.syncs.lock().unwrap(), waits).unwrap();
            if *syncs == Syncs::Fail {
                return Err(io::Error::other("the disk is ill"));
            }
        }
        self.0.sync()
    }
    fn try_lock_exclusive(&self) -> io::Result<bool> {
        self.0.try_lock_exclusive()
    }
    fn map(&self, length: u64) -> io::Result<Option<Mapping>> {
        self.0.map(length)
    }
}

fn store_on(disk: &HeldDisk, folder: &Path, options: StoreOptions) -> Store {
    Store::create_on(Arc::new(disk.clone()), &folder.join(".pent"), &settings(), options).unwrap()
}

fn put(writer: &ChunkWriter<'_>, bytes: &[u8]) -> Put {
    writer.put(ChunkId::of(bytes), bytes, GroupHint::NONE).unwrap()
}

fn finish(store: &Store, writer: ChunkWriter<'_>) {
    let staged = writer.finish().unwrap();
    let mut transaction = store.begin().unwrap();
    transaction.publish(staged).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn others_go_on_storing_while_what_came_before_becomes_durable_but_only_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let disk = HeldDisk::new();
    let store = store_on(&disk, folder.path(), StoreOptions::default());
    let contents: Vec<Vec<u8>> = (0..9).map(|seed| noise(seed, 30_000)).collect();
    let writer = store.chunk_writer(&SilentMonitor).unwrap();
    contents[..4].iter().for_each(|bytes| assert!(matches!(put(&writer, bytes), Put::New { .. })));
    disk.set(Syncs::Wait);
    let (second_is_over, third_is_stored) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| writer.publish().unwrap());
        disk.wait_for_a_sync();
        // Neither of these waits for the disk.
        assert_eq!(put(&writer, &contents[1]), Put::Known, "it is on its way into the store");
        contents[4..7].iter().for_each(|bytes| assert!(matches!(put(&writer, bytes), Put::New { .. })));
        assert!(writer.has(ChunkId::of(&contents[0])).unwrap());
        let known = |bytes: &Vec<u8>| store.snapshot().unwrap().has_chunk(ChunkId::of(bytes)).unwrap();
        assert!(!contents.iter().any(known), "nothing counts before it is durable");
        // Who would publish once more waits, and who would store more then does too: no more is lost with a crash.
        scope.spawn(|| {
            writer.publish().unwrap();
            second_is_over.store(true, Ordering::SeqCst);
        });
        std::thread::sleep(A_WHILE);
        scope.spawn(|| {
            put(&writer, &contents[7]);
            third_is_stored.store(true, Ordering::SeqCst);
        });
        std::thread::sleep(A_WHILE);
        assert!(!second_is_over.load(Ordering::SeqCst) && !third_is_stored.load(Ordering::SeqCst));
        disk.set(Syncs::Pass);
    });
    assert!(
        contents[..7].iter().all(|bytes| store.snapshot().unwrap().has_chunk(ChunkId::of(bytes)).unwrap())
    );
    put(&writer, &contents[8]);
    finish(&store, writer);
    assert_all(&store, &contents);
    let packs = store.snapshot().unwrap().packs().unwrap();
    assert_eq!(packs.iter().map(|(_, pack)| pack.chunks).sum::<u32>(), 9, "each was written once");
}

#[test]
fn after_a_sync_that_failed_nothing_is_taken_and_nothing_of_it_counts() {
    let folder = tempfile::tempdir().unwrap();
    let disk = HeldDisk::new();
    let store = store_on(&disk, folder.path(), StoreOptions::default());
    let writer = store.chunk_writer(&SilentMonitor).unwrap();
    let (one, two) = (noise(1, 30_000), noise(2, 30_000));
    put(&writer, &one);
    disk.set(Syncs::Fail);
    assert!(writer.publish().is_err());
    // A disk that is well again does not say what it lost.
    disk.set(Syncs::Pass);
    assert!(matches!(writer.put(ChunkId::of(&two), &two, GroupHint::NONE), Err(StoreError::WriterFailed)));
    assert!(writer.publish().is_err() && writer.finish().is_err());
    assert!(!store.snapshot().unwrap().has_chunk(ChunkId::of(&one)).unwrap());
    put_all(&store, &[one.clone(), two.clone()]);
    assert_all(&store, &[one, two]);
}

#[test]
fn many_threads_that_store_and_publish_leave_each_chunk_once_in_packs_that_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { pack_seal_bytes: 200_000, ..StoreOptions::default() };
    let store = store_on(&HeldDisk::new(), folder.path(), options);
    let contents: Vec<Vec<u8>> =
        (0..240).map(|seed| noise(seed, 1000 + 400 * (seed as usize % 70))).collect();
    let writer = store.chunk_writer(&SilentMonitor).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (writer, contents) = (&writer, &contents);
            scope.spawn(move || {
                // Each has half of what the next one has.
                for at in (0..120).map(|at| (at + 60 * thread) % 240) {
                    put(writer, &contents[at]);
                    if at % 7 == 0 {
                        writer.publish().unwrap();
                    }
                }
            });
        }
    });
    finish(&store, writer);
    assert_all(&store, &contents);
    let packs = store.snapshot().unwrap().packs().unwrap();
    assert_eq!(packs.iter().map(|(_, pack)| pack.chunks).sum::<u32>(), 240, "each was written once");
    assert!(packs.iter().filter(|(_, pack)| pack.sealed).count() >= 8, "{packs:?}");
    for (_, pack) in &packs {
        let length = store.disk().open(&store.pack_path(pack.id), false).unwrap().len().unwrap();
        assert_eq!(length, pack.length, "what is recorded is what is there");
    }
}
