//! The store survives a stop of the machine at any operation, whatever becomes of unsynced bytes.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use pentimento::base::id::{ChunkId, RepositoryId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::store::fault::{FaultDisk, Loss};
use pentimento::store::{
    Access, GroupHint, Result, Space, Store, StoreError, StoreOptions, StoreSettings, SurvivingLog,
};

const DIR: &str = "/studio/.pent";
const COMMITS: usize = 5;

/// What a store is expected to hold: refs, each naming a chunk.
type Refs = BTreeMap<Vec<u8>, ChunkId>;

fn options() -> StoreOptions {
    // Small packs and few rows, so that sealing, beginning and publishing on the way all happen.
    StoreOptions { pack_seal_bytes: 100 * 1024, pending_rows_max: 12, ..StoreOptions::default() }
}

fn noise(seed: usize, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// The chunks of one commit: some large, some small, some that pack well.
fn contents(commit: usize) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = (0..9).map(|n| noise(commit * 100 + n, 700 + n * 2900)).collect();
    all.extend((0..6).map(|n| format!("commit {commit} line {n}\n").repeat(90 + n).into_bytes()));
    all
}

fn create(disk: &FaultDisk) -> Result<Store> {
    let settings = StoreSettings::new(RepositoryId::from_bytes([3; 16]));
    Store::create_on(Arc::new(disk.clone()), Path::new(DIR), &settings, options())
}

fn open(disk: &FaultDisk) -> Result<Store> {
    Store::open_on(Arc::new(disk.clone()), Path::new(DIR), Access::ReadWrite, options())
}

/// Stores one commit and makes its refs; on success `refs` is what the store now holds.
fn commit(store: &Store, number: usize, refs: &mut Refs) -> Result<()> {
    let mut wanted = refs.clone();
    let writer = store.chunk_writer(&SilentMonitor)?;
    for (index, bytes) in contents(number).iter().enumerate() {
        let id = ChunkId::of(bytes);
        writer.put(id, bytes, GroupHint::of_name(b"a.bin"))?;
        wanted.insert(format!("{number}/{index}").into_bytes(), id);
    }
    let staged = writer.finish()?;
    let mut transaction = store.begin()?;
    transaction.publish(staged)?;
    for (name, id) in &wanted {
        transaction.put(Space::Refs, name, id.as_bytes())?;
    }
    // Every other commit also takes the oldest ref away.
    if number % 2 == 1
        && let Some((name, _)) = wanted.pop_first()
    {
        transaction.delete(Space::Refs, &name)?;
    }
    transaction.commit()?;
    *refs = wanted;
    Ok(())
}

/// The state after each reported commit, and the state that the commit under way would have made.
struct History {
    reported: Refs,
    under_way: Option<Refs>,
    created: bool,
}

/// What a commit would make of the refs, worked out without a store.
fn expected_after(number: usize, refs: &Refs) -> Refs {
    let mut wanted = refs.clone();
    for (index, bytes) in contents(number).iter().enumerate() {
        wanted.insert(format!("{number}/{index}").into_bytes(), ChunkId::of(bytes));
    }
    if number % 2 == 1 {
        wanted.pop_first();
    }
    wanted
}

fn run(disk: &FaultDisk) -> History {
    let mut history = History { reported: Refs::new(), under_way: None, created: false };
    let Ok(mut store) = create(disk) else { return history };
    history.created = true;
    for number in 0..COMMITS {
        history.under_way = Some(expected_after(number, &history.reported));
        if commit(&store, number, &mut history.reported).is_err() {
            return history;
        }
        history.under_way = None;
        // A process of its own for every other commit.
        if number % 2 == 0 {
            drop(store);
            match open(disk) {
                Ok(opened) => store = opened,
                Err(_) => return history,
            }
        }
    }
    history
}

fn refs_of(store: &Store) -> Refs {
    let rows = store.snapshot().unwrap().scan_prefix(Space::Refs, b"").unwrap();
    rows.map(|row| row.unwrap()).map(|(name, id)| (name, ChunkId::from_slice(&id).unwrap())).collect()
}

/// Every chunk that the index names can be read.
fn assert_whole_index(store: &Store, context: &str) {
    let reader = store.chunk_reader().unwrap();
    for row in store.snapshot().unwrap().scan_chunks().unwrap() {
        let (id, _) = row.unwrap();
        reader.with(id, |_| ()).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    }
}

/// The index is whole, and every ref names a chunk that it has.
fn assert_whole(store: &Store, context: &str) {
    assert_whole_index(store, context);
    let snapshot = store.snapshot().unwrap();
    for (name, id) in refs_of(store) {
        assert!(snapshot.has_chunk(id).unwrap(), "{context}: {name:?} names nothing");
    }
}

/// The transaction log alone gives the same state, and one that holds together.
fn assert_log_has_it(disk: &FaultDisk, history: &History, context: &str) {
    let copy = disk.restart(Loss::Nothing);
    let logs = SurvivingLog::all(&copy, Path::new(DIR)).unwrap();
    let found = logs.first().map_or_else(Refs::new, |log| {
        let settings = StoreSettings::new(RepositoryId::from_bytes([3; 16]));
        let disk = Arc::new(copy.clone());
        let (store, _) = Store::replace_database(disk, Path::new(DIR), &settings, options()).unwrap();
        let mut transaction = store.begin().unwrap();
        transaction.replace_log();
        log.replay(&mut transaction, false).unwrap();
        transaction.commit().unwrap();
        let check = store.check_log(&SilentMonitor).unwrap();
        assert!(check.faults.is_empty(), "{context}: {check:?}");
        refs_of(&store)
    });
    let as_under_way = history.under_way.as_ref() == Some(&found);
    assert!(found == history.reported || as_under_way, "{context}: the log has another state");
}

fn assert_log_is_sound(store: &Store, context: &str) {
    let check = store.check_log(&SilentMonitor).unwrap();
    assert!(check.faults.is_empty() && check.missing == 0, "{context}: {check:?}");
}

fn check(disk: &FaultDisk, history: &History, context: &str) {
    assert_log_has_it(disk, history, context);
    let store = match open(disk) {
        Ok(store) => store,
        Err(StoreError::NotARepository { .. }) => {
            assert!(!history.created, "{context}: a created repository is gone");
            create(disk).unwrap_or_else(|error| panic!("{context}: cannot be made again: {error:?}"))
        }
        Err(error) => panic!("{context}: does not open: {error:?}"),
    };
    let mut found = refs_of(&store);
    let as_reported = found == history.reported;
    let as_under_way = history.under_way.as_ref() == Some(&found);
    assert!(as_reported || as_under_way, "{context}: neither the reported state nor the next one");
    assert_whole(&store, context);
    assert_log_is_sound(&store, context);
    // Work goes on as if nothing had been.
    commit(&store, 77, &mut found).unwrap_or_else(|error| panic!("{context}: cannot go on: {error:?}"));
    drop(store);
    let store = open(disk).unwrap_or_else(|error| panic!("{context}: does not open again: {error:?}"));
    assert_eq!(refs_of(&store), found, "{context}");
    assert_whole(&store, context);
    assert_log_is_sound(&store, context);
}

/// Every `step`-th operation from `first`, with every loss.
fn crash_everywhere(first: u64, step: u64, seeds: u64) {
    let undisturbed = FaultDisk::new();
    let history = run(&undisturbed);
    assert_eq!(history.under_way, None);
    let operations = undisturbed.operations();
    let mut losses = vec![Loss::Everything, Loss::Nothing];
    losses.extend((0..seeds).map(|seed| Loss::Some { seed }));
    for stop in (first..=operations).step_by(step as usize) {
        let disk = FaultDisk::new();
        disk.stop_at(stop);
        let history = run(&disk);
        for loss in &losses {
            let loss = match loss {
                Loss::Some { seed } => Loss::Some { seed: seed * 7919 + stop },
                other => *other,
            };
            check(&disk.restart(loss), &history, &format!("stop at {stop} of {operations}, {loss:?}"));
        }
    }
}

/// Every third operation; with `PENT_CI=long` every one, with many losses, for minutes.
#[test]
fn a_stop_at_any_operation_leaves_the_reported_state() {
    let is_long = std::env::var("PENT_CI").is_ok_and(|mode| mode == "long");
    let (step, seeds) = if is_long { (1, 40) } else { (3, 2) };
    crash_everywhere(1, step, seeds);
}

/// What the rewrite test removes: every fourth chunk that the index has.
fn doomed(store: &Store) -> HashSet<ChunkId> {
    let rows = store.snapshot().unwrap().scan_chunks().unwrap();
    rows.map(|row| row.unwrap().0).step_by(4).collect()
}

fn erase(disk: &FaultDisk, gone: &HashSet<ChunkId>) -> Result<()> {
    let store = open(disk)?;
    let sweep = store.lock_sweep(&SilentMonitor)?;
    store.erase_chunks(gone, &sweep, &SilentMonitor)?;
    store.remove_orphan_packs(&|_| true, &sweep)?;
    Ok(())
}

#[test]
fn a_stop_while_packs_are_rewritten_loses_nothing_that_stays() {
    let filled = FaultDisk::new();
    run(&filled);
    let filled = filled.restart(Loss::Nothing);
    let (gone, all) = {
        let store = open(&filled).unwrap();
        let rows = store.snapshot().unwrap().scan_chunks().unwrap();
        (doomed(&store), rows.map(|row| row.unwrap().0).collect::<Vec<_>>())
    };
    let undisturbed = filled.restart(Loss::Nothing);
    erase(&undisturbed, &gone).unwrap();
    let operations = undisturbed.operations();
    assert!(operations > 50);
    for stop in (1..=operations).step_by(3) {
        let disk = filled.restart(Loss::Nothing);
        disk.stop_at(stop);
        // A stop while the database is being closed comes after the success.
        let reported = erase(&disk, &gone).is_ok();
        for loss in [Loss::Everything, Loss::Nothing, Loss::Some { seed: stop }] {
            let context = format!("stop at {stop} of {operations}, {loss:?}");
            let found = disk.restart(loss);
            let assert_kept = || {
                let store = open(&found).unwrap_or_else(|error| panic!("{context}: {error:?}"));
                let reader = store.chunk_reader().unwrap();
                for id in all.iter().filter(|id| !gone.contains(id)) {
                    reader.with(*id, |_| ()).unwrap_or_else(|error| panic!("{context}: {error:?}"));
                }
                assert_whole_index(&store, &context);
            };
            assert_kept();
            if reported {
                let snapshot = open(&found).unwrap().snapshot().unwrap();
                assert!(gone.iter().all(|id| !snapshot.has_chunk(*id).unwrap()), "{context}");
            }
            // Doing it again ends it.
            erase(&found, &gone).unwrap_or_else(|error| panic!("{context}: {error:?}"));
            assert_kept();
            let store = open(&found).unwrap();
            let snapshot = store.snapshot().unwrap();
            assert!(gone.iter().all(|id| !snapshot.has_chunk(*id).unwrap()), "{context}");
            let files = store.pack_files().unwrap();
            assert_eq!(files.len(), snapshot.packs().unwrap().len(), "{context}");
        }
    }
}
