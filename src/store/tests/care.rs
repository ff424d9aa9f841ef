//! Tests of what care needs: looking at packs, damage, rewriting, rebuilding.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::store::fault::FaultDisk;

const DIR: &str = "/r/.pent";

fn contents() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (0..40).map(|n| noise(n, 500 + n as usize * 900)).collect();
    all.extend((1..30).map(|n| "all work and no play ".repeat(n * 20).into_bytes()));
    all
}

fn options() -> StoreOptions {
    StoreOptions { pack_seal_bytes: 200 * 1024, ..StoreOptions::default() }
}

fn filled(disk: &FaultDisk) -> Store {
    let store = Store::create_on(Arc::new(disk.clone()), Path::new(DIR), &settings(), options()).unwrap();
    let writer = store.chunk_writer(&SilentMonitor).unwrap();
    for bytes in contents() {
        writer.put(ChunkId::of(&bytes), &bytes, GroupHint::NONE).unwrap();
    }
    let staged = writer.finish().unwrap();
    let mut transaction = store.begin().unwrap();
    transaction.publish(staged).unwrap();
    transaction.commit().unwrap();
    store
}

fn assert_all(store: &Store) {
    let reader = store.chunk_reader().unwrap();
    let mut bytes = Vec::new();
    for expected in contents() {
        reader.read(ChunkId::of(&expected), &mut bytes).unwrap();
        assert_eq!(bytes, expected);
    }
}

fn pack_paths(disk: &FaultDisk) -> Vec<PathBuf> {
    let named = disk.files().into_iter().map(|(path, _)| path);
    named.filter(|path| path.extension().is_some_and(|extension| extension == "pack")).collect()
}

#[test]
fn a_pack_tells_all_its_chunks_without_the_database() {
    let disk = FaultDisk::new();
    let store = filled(&disk);
    let mut found = HashSet::new();
    for (_, record) in store.snapshot().unwrap().packs().unwrap() {
        let pack = store.inspect_pack(record.id, Some(record.length)).unwrap();
        pack.check_header().unwrap();
        let (blocks, by_footer) = pack.blocks().unwrap();
        assert_eq!(by_footer, record.sealed);
        assert_eq!(pack.salvage().unwrap().blocks, blocks);
        for block in &blocks {
            assert!(pack.check(block).unwrap().iter().all(|chunk| chunk.damage.is_none()));
            found.extend(block.header.records.iter().map(|record| record.id));
        }
    }
    assert_eq!(found, contents().iter().map(|bytes| ChunkId::of(bytes)).collect());
}

#[test]
fn every_flipped_byte_of_a_pack_is_noticed_and_named() {
    let disk = FaultDisk::new();
    let store = filled(&disk);
    let packs = store.snapshot().unwrap().packs().unwrap();
    let record = packs.into_iter().map(|(_, record)| record).find(|record| record.sealed).unwrap();
    let (id, length) = (record.id, record.length as usize);
    let path = store.pack_path(id);
    let sound = |store: &Store| -> bool {
        let pack = store.inspect_pack(id, Some(record.length)).unwrap();
        let blocks = match pack.footer() {
            Ok(blocks) => blocks,
            Err(StoreError::PackDamaged { damage: Damage::Footer, .. }) => return false,
            Err(error) => panic!("{error:?}"),
        };
        let header = pack.check_header().is_ok();
        let walked =
            blocks.iter().all(|block| pack.block_at(block.offset).is_ok_and(|found| found == *block));
        let checked =
            blocks.iter().all(|block| pack.check(block).unwrap().iter().all(|c| c.damage.is_none()));
        header && walked && checked
    };
    assert!(sound(&store));
    for at in (0..length).step_by(997).chain(0..64).chain(length - 60..length) {
        disk.damage(&path, |bytes| bytes[at] ^= 0x10).unwrap();
        assert!(!sound(&store), "byte {at} of {length}");
        // Reading never panics: it gives the right bytes or a named error.
        let reader = store.chunk_reader().unwrap();
        for bytes in contents() {
            let read = reader.with(ChunkId::of(&bytes), |found| assert_eq!(found, bytes));
            assert!(matches!(read, Ok(()) | Err(StoreError::PackDamaged { .. })), "{read:?}");
        }
        disk.damage(&path, |bytes| bytes[at] ^= 0x10).unwrap();
    }
}

#[test]
fn a_short_or_missing_pack_is_named() {
    let disk = FaultDisk::new();
    drop(filled(&disk));
    let open =
        || Store::open_on(Arc::new(disk.clone()), Path::new(DIR), Access::ReadWrite, options()).unwrap();
    let path = pack_paths(&disk).remove(0);
    disk.damage(&path, |bytes| bytes.truncate(bytes.len() / 2)).unwrap();
    let errors = |store: &Store| -> Vec<StoreError> {
        let reader = store.chunk_reader().unwrap();
        contents().iter().filter_map(|bytes| reader.with(ChunkId::of(bytes), |_| ()).err()).collect()
    };
    let found = errors(&open());
    assert!(!found.is_empty());
    assert!(found.iter().all(|error| matches!(error, StoreError::PackTruncated { .. })), "{found:?}");
    disk::Disk::remove(&disk, &path).unwrap();
    let found = errors(&open());
    assert!(found.iter().all(|error| matches!(error, StoreError::MissingPack { .. })), "{found:?}");
}

#[test]
fn a_lost_index_comes_back_from_the_packs_but_what_was_removed_does_not() {
    let disk = FaultDisk::new();
    drop(filled(&disk));
    disk.damage(&Path::new(DIR).join("db.redb"), |bytes| bytes.fill(0x5a)).unwrap();
    let shared: Arc<dyn disk::Disk> = Arc::new(disk.clone());
    let opened = Store::open_on(shared.clone(), Path::new(DIR), Access::ReadWrite, options());
    assert!(opened.is_err());
    let (store, kept) = Store::replace_database(shared, Path::new(DIR), &settings(), options()).unwrap();
    assert!(disk::Disk::exists(&disk, &kept.unwrap()).unwrap());
    let removed = ChunkId::of(&contents()[3]);
    let sweep = store.lock_sweep(&SilentMonitor).unwrap();
    let found = store.reindex(&|id| id != removed, &sweep, &SilentMonitor).unwrap();
    assert!(found.refused.is_empty());
    assert_eq!(found.rows_written, contents().len() as u64 - 1);
    assert!(!store.snapshot().unwrap().has_chunk(removed).unwrap());
    store.reindex(&|_| true, &sweep, &SilentMonitor).unwrap();
    assert_all(&store);
    let again = store.reindex(&|_| true, &sweep, &SilentMonitor).unwrap();
    assert_eq!(again.rows_written, 0);
}

#[test]
fn a_rewritten_pack_keeps_what_is_wanted_and_nothing_else() {
    let disk = FaultDisk::new();
    let store = filled(&disk);
    let gone: HashSet<ChunkId> = contents().iter().step_by(3).map(|bytes| ChunkId::of(bytes)).collect();
    let before = disk.used_bytes();
    let sweep = store.lock_sweep(&SilentMonitor).unwrap();
    assert!(store.erase_chunks(&gone, &sweep, &SilentMonitor).unwrap() > 1);
    assert!(disk.used_bytes() < before);
    let reader = store.chunk_reader().unwrap();
    for bytes in contents() {
        let id = ChunkId::of(&bytes);
        let read = reader.with(id, |found| assert_eq!(found, bytes));
        assert_eq!(read.is_ok(), !gone.contains(&id));
    }
    for path in pack_paths(&disk) {
        let pack =
            store.inspect_pack(path.file_stem().unwrap().to_str().unwrap().parse().unwrap(), None).unwrap();
        let records = pack.blocks().unwrap().0.into_iter().flat_map(|block| block.header.records);
        assert!(records.into_iter().all(|record| !gone.contains(&record.id)));
    }
}

/// Stops as soon as it is asked.
struct Impatient;
impl Monitor for Impatient {
    fn phase(&self, _: crate::base::monitor::Phase) {}
    fn advance(&self, _: crate::base::monitor::Advance) {}
    fn problem(&self, _: crate::base::monitor::Problem) {}
    fn is_cancelled(&self) -> bool {
        true
    }
}

#[test]
fn nobody_stores_while_sweeping_and_orphans_go() {
    let disk = FaultDisk::new();
    let store = filled(&disk);
    let packs = pack_paths(&disk).len();
    let writer = store.chunk_writer(&SilentMonitor).unwrap();
    let bytes = noise(999, 300_000);
    writer.put(ChunkId::of(&bytes), &bytes, GroupHint::NONE).unwrap();
    assert!(matches!(store.lock_sweep(&Impatient), Err(StoreError::Cancelled)));
    drop(writer.finish().unwrap());
    assert_eq!(pack_paths(&disk).len(), packs + 1);
    let sweep = store.lock_sweep(&SilentMonitor).unwrap();
    assert_eq!(store.remove_orphan_packs(&|_| true, &sweep).unwrap().0, 1);
    assert_eq!(pack_paths(&disk).len(), packs);
    assert!(matches!(store.chunk_writer(&Impatient), Err(StoreError::Cancelled)));
    assert_all(&store);
}

#[test]
fn a_full_disk_is_said_and_leaves_the_store_as_it_was() {
    let disk = FaultDisk::new();
    let store = filled(&disk);
    for spare in [0, 1000, 50_000, 200_000, 300_000] {
        disk.set_capacity(Some(disk.used_bytes() + spare));
        let store_some = || -> Result<()> {
            let writer = store.chunk_writer(&SilentMonitor)?;
            for seed in 0..8 {
                let bytes = noise(5000 + spare + seed, 60_000);
                writer.put(ChunkId::of(&bytes), &bytes, GroupHint::NONE)?;
            }
            let staged = writer.finish()?;
            let mut transaction = store.begin()?;
            for key in 0..3000u32 {
                transaction.put(Space::Refs, &key.to_be_bytes(), &[7; 100])?;
            }
            transaction.publish(staged)?;
            transaction.commit()
        };
        let stored = store_some();
        assert!(matches!(stored, Err(StoreError::DiskFull { .. })), "{spare}: {stored:?}");
        assert_all(&store);
        disk.set_capacity(None);
        let sweep = store.lock_sweep(&SilentMonitor).unwrap();
        store.remove_orphan_packs(&|_| true, &sweep).unwrap();
        drop(sweep);
        // With room again, work goes on.
        let mut transaction = store.begin().unwrap();
        transaction.put(Space::Refs, b"main", b"x").unwrap();
        transaction.commit().unwrap();
        assert_all(&store);
    }
}

#[test]
fn a_store_that_a_crash_left_can_be_read_without_the_right_to_write() {
    let disk = FaultDisk::new();
    let store = filled(&disk);
    let mut transaction = store.begin().unwrap();
    transaction.put(Space::Refs, b"main", b"x").unwrap();
    transaction.commit().unwrap();
    let found = disk.restart(fault::Loss::Everything);
    found.set_read_only(true);
    let open = |access| Store::open_on(Arc::new(found.clone()), Path::new(DIR), access, options());
    let (read, also) = (open(Access::ReadOnly).unwrap(), open(Access::ReadOnly).unwrap());
    assert_eq!(read.snapshot().unwrap().get(Space::Refs, b"main").unwrap(), Some(b"x".to_vec()));
    assert_all(&read);
    assert!(matches!(read.chunk_writer(&SilentMonitor), Err(StoreError::ReadOnly)));
    // Somebody who may write goes on meanwhile; what was opened before keeps its state.
    found.set_read_only(false);
    let writer = open(Access::ReadWrite).unwrap();
    for value in 0..200u32 {
        let mut transaction = writer.begin().unwrap();
        transaction.put(Space::Refs, b"main", &value.to_be_bytes().repeat(300)).unwrap();
        transaction.commit().unwrap();
    }
    assert_eq!(read.snapshot().unwrap().get(Space::Refs, b"main").unwrap(), Some(b"x".to_vec()));
    assert_all(&read);
    let followed = also.snapshot().unwrap().get(Space::Refs, b"main").unwrap().unwrap();
    assert!(followed == b"x" || followed == 199u32.to_be_bytes().repeat(300));
    assert_all(&also);
}

#[test]
fn a_pack_is_shared_by_small_commits_and_never_by_two_writers_at_once() {
    let disk = FaultDisk::new();
    let store = filled(&disk);
    let count = || pack_paths(&disk).len();
    let before = count();
    let store_one = |seed: u64| {
        let writer = store.chunk_writer(&SilentMonitor).unwrap();
        let bytes = noise(seed, 2000);
        writer.put(ChunkId::of(&bytes), &bytes, GroupHint::NONE).unwrap();
        writer.finish().unwrap()
    };
    for seed in 7000..7010 {
        let mut transaction = store.begin().unwrap();
        transaction.publish(store_one(seed)).unwrap();
        transaction.commit().unwrap();
    }
    assert_eq!(count(), before);
    let (first, second) = (store_one(8000), store_one(8001));
    assert_eq!(count(), before + 1);
    let mut transaction = store.begin().unwrap();
    transaction.publish(second).unwrap();
    transaction.publish(first).unwrap();
    transaction.commit().unwrap();
    let reader = store.chunk_reader().unwrap();
    for seed in (7000..7010).chain(8000..8002) {
        let bytes = noise(seed, 2000);
        reader.with(ChunkId::of(&bytes), |found| assert_eq!(found, bytes)).unwrap();
    }
}

#[test]
fn a_compacted_database_is_smaller_and_holds_the_same() {
    let disk = FaultDisk::new();
    let store = filled(&disk);
    for round in 0..20u8 {
        let mut transaction = store.begin().unwrap();
        for key in 0..400u32 {
            transaction.put(Space::Trees, &key.to_be_bytes(), &[round; 200]).unwrap();
        }
        transaction.commit().unwrap();
    }
    let mut transaction = store.begin().unwrap();
    for key in 10..400u32 {
        transaction.delete(Space::Trees, &key.to_be_bytes()).unwrap();
    }
    transaction.commit().unwrap();
    let sweep = store.lock_sweep(&SilentMonitor).unwrap();
    let before = disk.used_bytes();
    let reading = store.snapshot().unwrap();
    assert!(!store.compact_database(&sweep).unwrap());
    drop(reading);
    let loose = store.database_extent().unwrap().unwrap();
    assert!(loose.used_bytes <= loose.file_bytes / 2, "{loose:?}");
    assert!(store.compact_database(&sweep).unwrap());
    let tight = store.database_extent().unwrap().unwrap();
    assert!(tight.file_bytes < loose.file_bytes && tight.used_bytes <= tight.file_bytes, "{tight:?}");
    assert!(disk.used_bytes() < before);
    assert_eq!(store.snapshot().unwrap().count(Space::Trees).unwrap(), 10);
    assert_all(&store);
}

#[test]
fn a_store_that_belongs_to_somebody_else_is_opened_only_on_purpose() {
    let disk = FaultDisk::new();
    drop(filled(&disk));
    disk.set_owner(1001, 1000);
    let open = |options| Store::open_on(Arc::new(disk.clone()), Path::new(DIR), Access::ReadOnly, options);
    assert!(matches!(open(options()), Err(StoreError::ForeignOwner { owner: 1001, .. })));
    assert_all(&open(StoreOptions { foreign_owner_allowed: true, ..options() }).unwrap());
}

#[test]
fn a_store_of_another_format_or_with_an_unknown_feature_is_refused_by_name() {
    let disk = FaultDisk::new();
    drop(filled(&disk));
    let path = Path::new(DIR).join("format");
    let opened_with = |text: &str| {
        disk.damage(&path, |bytes| *bytes = text.as_bytes().to_vec()).unwrap();
        Store::open_on(Arc::new(disk.clone()), Path::new(DIR), Access::ReadOnly, options())
    };
    let features = opened_with("pentimento repository\nformat 1\noffers speed\nrequires magic\n");
    assert!(matches!(features, Err(StoreError::UnknownFeature { feature }) if feature == "magic"));
    let format = opened_with("pentimento repository\nformat 9\n");
    assert!(matches!(format, Err(StoreError::UnknownFormat { found, .. }) if found == "9"));
    let broken = opened_with("pentimento repository\nformat 1\nneeds magic\n");
    assert!(matches!(broken, Err(StoreError::FormatFile { line: 3, .. })));
    assert!(opened_with("pentimento repository\nformat 1\noffers speed\n").is_ok());
}

#[test]
fn a_damaged_database_never_gives_wrong_bytes_and_never_panics() {
    let disk = FaultDisk::new();
    drop(filled(&disk));
    let path = Path::new(DIR).join("db.redb");
    let length = disk.files().into_iter().find(|(name, _)| *name == path).unwrap().1 as usize;
    for at in (0..400).chain((400..length).step_by(101)) {
        disk.damage(&path, |bytes| bytes[at] ^= 0x21).unwrap();
        let read = || -> Result<()> {
            let store = Store::open_on(Arc::new(disk.clone()), Path::new(DIR), Access::ReadOnly, options())?;
            let reader = store.chunk_reader()?;
            for bytes in contents() {
                // A row that cannot be found or points astray is an error, never other bytes.
                let read = reader.with(ChunkId::of(&bytes), <[u8]>::to_vec);
                assert!(read.is_err() || read.is_ok_and(|found| found == bytes));
            }
            for space in Space::ALL {
                store.snapshot()?.scan_prefix(space, b"")?.for_each(drop);
            }
            store.snapshot()?.scan_chunks()?.for_each(drop);
            store.snapshot()?.packs().map(drop)
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
        assert!(outcome.is_ok(), "panic over byte {at} of {length}");
        disk.damage(&path, |bytes| bytes[at] ^= 0x21).unwrap();
    }
}

/// The first sealed pack with several blocks: its local number, its path, and its blocks.
fn some_pack(store: &Store, disk: &FaultDisk) -> (u32, PathBuf, Vec<super::pack::footer::BlockEntry>) {
    let packs = store.snapshot().unwrap().packs().unwrap();
    let found = packs.iter().filter(|(_, record)| record.sealed).find_map(|(number, record)| {
        let blocks = store.inspect_pack(record.id, None).unwrap().footer().unwrap();
        (blocks.len() > 4).then_some((*number, record.id, blocks))
    });
    let (number, id, blocks) = found.unwrap();
    let named = |path: &PathBuf| path.to_string_lossy().contains(&id.to_string());
    (number, pack_paths(disk).into_iter().find(named).unwrap(), blocks)
}

#[test]
fn a_pack_whose_blocks_cannot_all_be_found_is_not_rewritten() {
    let disk = FaultDisk::new();
    let store = filled(&disk);
    let (number, path, blocks) = some_pack(&store, &disk);
    // The footer and the header of one block in the middle: what a salvage finds is not all.
    let at = blocks[2].offset as usize;
    disk.damage(&path, |bytes| {
        bytes[at + 1] ^= 0xff;
        let end = bytes.len();
        bytes[end - 10..].fill(0);
    })
    .unwrap();
    let before = disk.files();
    let usage = store.pack_usage().unwrap().into_iter().find(|usage| usage.number == number).unwrap();
    let sweep = store.lock_sweep(&SilentMonitor).unwrap();
    let rewritten = store.rewrite_pack(number, usage.indexed_chunks, &|_| true, &sweep, &SilentMonitor);
    assert!(matches!(rewritten, Err(StoreError::PackDamaged { .. })), "{rewritten:?}");
    assert!(disk.files().iter().any(|file| file.0 == path), "the file stays: {before:?}");
    // An erasure says so, too, after it has seen to the packs that can be read.
    let gone: HashSet<ChunkId> = contents().iter().map(|bytes| ChunkId::of(bytes)).collect();
    let erased = store.erase_chunks(&gone, &sweep, &SilentMonitor);
    assert!(matches!(erased, Err(StoreError::PackDamaged { .. })), "{erased:?}");
    assert_eq!(store.snapshot().unwrap().packs().unwrap().len(), 1);
    // Rows that say more than the pack's blocks hold stop a rewrite as well.
    let other = FaultDisk::new();
    let store = filled(&other);
    let (number, ..) = some_pack(&store, &other);
    let usage = store.pack_usage().unwrap().into_iter().find(|usage| usage.number == number).unwrap();
    let sweep = store.lock_sweep(&SilentMonitor).unwrap();
    let more = usage.indexed_chunks + 1;
    assert!(store.rewrite_pack(number, more, &|_| true, &sweep, &SilentMonitor).is_err());
    assert_all(&store);
}

#[test]
fn a_sector_that_cannot_be_read_is_damage_of_its_block_and_of_no_other() {
    let disk = FaultDisk::new();
    let store = filled(&disk);
    let (number, path, blocks) = some_pack(&store, &disk);
    let bad = &blocks[2];
    let payload = bad.offset as usize + bad.header.header_length();
    disk.spoil(&path, payload..payload + 1).unwrap();
    let id = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let inspector = store.inspect_pack(id, None).unwrap();
    for block in &blocks {
        let damages = inspector.check(block).unwrap().into_iter().map(|chunk| chunk.damage);
        let expected = (block == bad).then_some(Damage::Unreadable);
        assert!(damages.into_iter().all(|damage| damage == expected), "{block:?}");
    }
    // Even with its header gone as well, everything else is found, copied and rescued.
    disk.spoil(&path, bad.offset as usize..payload).unwrap();
    let found = inspector.salvage().unwrap().blocks;
    assert_eq!(found.len(), blocks.len() - 1);
    assert!(store.set_pack_aside(id).unwrap().is_some());
    let sweep = store.lock_sweep(&SilentMonitor).unwrap();
    let (rescued, lost) = store.rescue_pack(number, &sweep, &SilentMonitor).unwrap();
    let expected: Vec<ChunkId> = bad.header.records.iter().map(|record| record.id).collect();
    assert_eq!(lost.iter().collect::<HashSet<_>>(), expected.iter().collect::<HashSet<_>>());
    assert!(rescued.chunks_kept > 0);
    let reader = store.chunk_reader().unwrap();
    for bytes in contents() {
        let id = ChunkId::of(&bytes);
        assert_eq!(reader.with(id, |found| assert_eq!(found, bytes)).is_ok(), !expected.contains(&id));
    }
}

#[test]
fn nobody_waits_for_a_sweep_that_waits() {
    let disk = FaultDisk::new();
    let store = filled(&disk);
    let writer = store.chunk_writer(&SilentMonitor).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sweeper = scope.spawn(|| {
            let locks = store.lock_for_sweep(&SilentMonitor).unwrap();
            assert!(done.load(std::sync::atomic::Ordering::SeqCst), "while somebody stores");
            drop(locks);
        });
        // Again and again: each would hang if the one that waits held it.
        for _ in 0..20 {
            drop(store.lock_worktree(&SilentMonitor).unwrap());
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        drop(writer);
        sweeper.join().unwrap();
    });
}
