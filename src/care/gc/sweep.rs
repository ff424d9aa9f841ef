//! Lists what was not reached, and drops what was listed long enough ago.

use crate::base::id::{ChunkId, CommitId, FileId, TreeId};
use crate::base::monitor::{Monitor, Phase};
use crate::care::condemned::{self, Kind, decode_key, decode_moment, encode_moment, is_reached, pack_of};
use crate::care::error::CareError;
use crate::care::gc::Options;
use crate::care::gc::plan::{PackAction, Plan, Survey, check_cancelled, mark, pack_line};
use crate::care::repair_marker;
use crate::object::tree::Content;
use crate::repo::journal::JournalEntry;
use crate::repo::reach::{Reached, Roots, reach, reach_further};
use crate::repo::sets::{self, LogSet};
use crate::repo::{RepoError, Repository, View};
use crate::store::{Space, Store, StoreError, SweepLock, Transaction};
use serde::Serialize;
use std::collections::HashSet;

/// Entries of the list that are written or dropped at a time.
const BATCH: usize = 16 * 1024;
/// Dropped rows from which on the database is asked to give space back.
const COMPACT_ROWS: u64 = 10_000;
/// Size of the database file from which on it is, when more than half of it is empty.
const COMPACT_BYTES: u64 = 16 << 20;
/// Key of the number of sweeps so far, in the settings kept by the repository.
const EPOCH_KEY: &[u8] = b"gc/epoch";

/// What was done. The shape of `pent gc --json`, beside its plan.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Done {
    /// How many sweeps this repository has seen.
    pub epoch: u64,
    /// Objects that went.
    pub objects: u64,
    /// Chunks that went.
    pub chunks: u64,
    /// Journal entries that went.
    pub journal_entries: u64,
    /// Packs that went.
    pub packs_removed: u64,
    /// Packs that were rewritten.
    pub packs_rewritten: u64,
    /// Bytes by which the packs are smaller.
    pub bytes_freed: u64,
    /// Packs that could not be rewritten because they are damaged, each with what is wrong.
    pub problems: Vec<String>,
}

/// Plans, lists, and drops what is due.
pub fn execute(
    repository: &Repository,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<(Plan, Done), CareError> {
    repair_marker::refuse(repository.pent_dir())?;
    let (plan, roots, reached) = condemn(repository, options, monitor)?;
    // The long walk is taken before anybody has to wait for it.
    let reached = protect(repository, options, reached, monitor)?;
    let store = repository.store();
    let (worktree, sweep) = store.lock_for_sweep(monitor)?;
    // What was stored meanwhile may rest on what is about to go, although no name leads to it yet.
    let reached = protect(repository, options, reached, monitor)?;
    let mut done = drop_due(repository, options, roots, reached, monitor)?;
    drop(worktree);
    rewrite_packs(store, &sweep, &mut done, monitor)?;
    drop_orphans(store, options, &sweep, &mut done)?;
    store.tidy_log(&sweep)?;
    if done.objects + done.chunks >= COMPACT_ROWS || is_loose(store)? {
        store.compact_database(&sweep)?;
    }
    Ok((plan, done))
}

/// Whether the database file is large and mostly empty, as after many commits of many files.
fn is_loose(store: &Store) -> Result<bool, CareError> {
    let extent = store.database_extent()?;
    Ok(extent.is_some_and(|extent| {
        extent.file_bytes >= COMPACT_BYTES && extent.used_bytes <= extent.file_bytes / 2
    }))
}

/// Phase 1: puts what was not reached on the list and takes off it what was.
fn condemn(
    repository: &Repository,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<(Plan, Roots, Reached), CareError> {
    let view = repository.view()?;
    let (roots, reached) = mark(&view, options, monitor)?;
    if !reached.missing.is_empty() && !options.accept_losses {
        return Err(CareError::Incomplete { missing: reached.missing });
    }
    let store = repository.store();
    let mut batch: Vec<Vec<u8>> = Vec::new();
    let mut survey = Survey::new(&view, options, &reached);
    survey.look(monitor, &mut |kind, key| {
        batch.push(kind.key(key));
        if batch.len() >= BATCH { put_on_list(store, &mut batch, options) } else { Ok(()) }
    })?;
    let plan = survey.finish(repository)?;
    let known: HashSet<_> = view.snapshot().packs()?.into_iter().map(|(_, record)| record.id).collect();
    for id in store.pack_files()?.into_iter().filter_map(|file| file.id) {
        let key = Kind::Pack.key(id.as_bytes());
        if !known.contains(&id) && !view.snapshot().contains(Space::Condemned, &key)? {
            batch.push(key);
        }
    }
    put_on_list(store, &mut batch, options)?;
    take_off_list(store, &view, &reached)?;
    Ok((plan, roots, reached))
}

/// Adds what everything reaches that nothing reached and that stays for now: what is on the list and
/// not due, and what came after the list was made, such as the commits of a fetch whose names follow.
///
/// So whatever is there has all that it reaches, and a name may be pointed at it.
fn protect(
    repository: &Repository,
    options: &Options,
    reached: Reached,
    monitor: &dyn Monitor,
) -> Result<Reached, CareError> {
    let view = repository.view()?;
    let mut roots = Roots::default();
    for kind in [Kind::Commit, Kind::Tree, Kind::Manifest] {
        let Some(space) = kind.space() else { continue };
        for row in view.snapshot().scan_prefix(space, b"")? {
            let (key, _) = row?;
            check_cancelled(monitor)?;
            let stays = || Ok::<_, StoreError>(!is_due(&view, options, kind, &key)?);
            if !is_reached(&reached, kind, &key) && stays()? {
                add_root(&mut roots, kind, &key);
            }
        }
    }
    if roots == Roots::default() {
        return Ok(reached);
    }
    let (missing, missing_files) = (reached.missing.clone(), reached.missing_files.clone());
    let mut reached = reach_further(&view, &roots, reached, monitor)?;
    // What a commit that nothing needs lacks is nobody's loss.
    reached.missing = missing;
    reached.missing_files = missing_files;
    Ok(reached)
}

/// Whether something is on the list, and has been for so long that it goes now.
fn is_due(view: &View, options: &Options, kind: Kind, key: &[u8]) -> Result<bool, StoreError> {
    let since = condemned::since(view.snapshot(), kind, key)?;
    Ok(since.is_some_and(|since| options.is_due(since)))
}

fn add_root(roots: &mut Roots, kind: Kind, key: &[u8]) {
    match kind {
        Kind::Commit => roots.commits.extend(CommitId::from_slice(key)),
        Kind::Tree => roots.trees.extend(TreeId::from_slice(key)),
        Kind::Manifest => {
            // The size says only that it is not the empty file.
            let file = FileId::from_slice(key);
            roots.content.extend(file.map(|id| Content::File { id, size: 1, executable: false }));
        }
        Kind::Metadata | Kind::ManifestNode | Kind::Chunk | Kind::Pack => {}
    }
}

fn put_on_list(store: &Store, batch: &mut Vec<Vec<u8>>, options: &Options) -> Result<(), CareError> {
    if batch.is_empty() {
        return Ok(());
    }
    batch.sort_unstable();
    let moment = encode_moment(options.now.unix_ms);
    let mut transaction = store.begin()?;
    transaction.put_all(Space::Condemned, batch.iter().map(|key| (key.as_slice(), moment.as_slice())))?;
    transaction.commit()?;
    batch.clear();
    Ok(())
}

/// Takes off the list what is reached, and what is not here any more.
fn take_off_list(store: &Store, view: &View, reached: &Reached) -> Result<(), CareError> {
    let mut batch: Vec<Vec<u8>> = Vec::new();
    for row in view.snapshot().scan_prefix(Space::Condemned, b"")? {
        let (key, _) = row?;
        let stays = match decode_key(&key) {
            Some((kind, id)) => !is_reached(reached, kind, id) && is_here(view, store, kind, id)?,
            None => false,
        };
        if !stays {
            batch.push(key);
        }
        if batch.len() >= BATCH {
            forget(store, &mut batch)?;
        }
    }
    forget(store, &mut batch)
}

fn forget(store: &Store, batch: &mut Vec<Vec<u8>>) -> Result<(), CareError> {
    if batch.is_empty() {
        return Ok(());
    }
    let mut transaction = store.begin()?;
    transaction.delete_all(Space::Condemned, batch.iter().map(Vec::as_slice))?;
    transaction.commit()?;
    batch.clear();
    Ok(())
}

fn is_here(view: &View, store: &Store, kind: Kind, id: &[u8]) -> Result<bool, CareError> {
    Ok(match (kind.space(), kind) {
        (Some(space), _) => view.snapshot().contains(space, id)?,
        (None, Kind::Chunk) => match ChunkId::from_slice(id) {
            Some(id) => view.snapshot().has_chunk(id)?,
            None => false,
        },
        (None, _) => pack_of(id).is_some_and(|id| store.has_pack_file(id)),
    })
}

/// Phase 2: drops what is due and still not reached, in one transaction.
///
/// Names may move until the transaction begins, so what they reach now is added first.
fn drop_due(
    repository: &Repository,
    options: &Options,
    mut roots: Roots,
    mut reached: Reached,
    monitor: &dyn Monitor,
) -> Result<Done, CareError> {
    let store = repository.store();
    loop {
        let mut transaction = store.begin_watched(monitor)?;
        // Whoever begins a write transaction is alone: this is the state that it will change.
        let view = repository.view()?;
        let present = Roots::of(&view, options.now)?.normalised();
        if present == roots {
            let done = drop_in(&mut transaction, &view, options, &reached, monitor)?;
            transaction.commit()?;
            return Ok(done);
        }
        drop(transaction);
        reached = if reached.missing.is_empty() && reached.missing_files.is_empty() {
            reach_further(&view, &present, reached, monitor)?
        } else {
            protect(repository, options, reach(&view, &present, monitor)?, monitor)?
        };
        if !reached.missing.is_empty() && !options.accept_losses {
            return Err(CareError::Incomplete { missing: reached.missing });
        }
        roots = present;
    }
}

fn drop_in(
    transaction: &mut Transaction,
    view: &View,
    options: &Options,
    reached: &Reached,
    monitor: &dyn Monitor,
) -> Result<Done, CareError> {
    monitor.phase(Phase { name: "Removing what nothing needs", files_total: None, bytes_total: None });
    let mut done = Done::default();
    let mut batch = Vec::new();
    for row in view.snapshot().scan_prefix(Space::Condemned, b"")? {
        let (key, value) = row?;
        check_cancelled(monitor)?;
        let Some((kind, id)) = decode_key(&key) else { continue };
        let due = decode_moment(&value).is_some_and(|since| options.is_due(since));
        if due && kind != Kind::Pack && !is_reached(reached, kind, id) {
            batch.push(key);
        }
        if batch.len() >= BATCH {
            drop_batch(transaction, &mut batch, &mut done)?;
        }
    }
    drop_batch(transaction, &mut batch, &mut done)?;
    done.journal_entries = prune_journal(transaction, view, options)?;
    done.epoch = next_epoch(transaction)?;
    Ok(done)
}

/// Drops objects and chunks with their entries on the list. The list is in order, so each batch is.
fn drop_batch(
    transaction: &mut Transaction,
    batch: &mut Vec<Vec<u8>>,
    done: &mut Done,
) -> Result<(), StoreError> {
    for group in batch.chunk_by(|a, b| a.first() == b.first()) {
        let Some((kind, _)) = decode_key(&group[0]) else { continue };
        let ids = group.iter().map(|key| &key[1..]);
        if kind == Kind::Commit {
            drop_signatures(transaction, ids.clone())?;
        }
        match kind.space() {
            Some(space) => done.objects += transaction.delete_all(space, ids)?,
            None => {
                let chunks: Vec<ChunkId> = ids.filter_map(ChunkId::from_slice).collect();
                done.chunks += transaction.drop_chunks(&chunks)?;
            }
        }
    }
    transaction.delete_all(Space::Condemned, batch.iter().map(Vec::as_slice))?;
    batch.clear();
    Ok(())
}

/// Drops the signatures of commits that go.
fn drop_signatures<'a>(
    transaction: &mut Transaction,
    commits: impl Iterator<Item = &'a [u8]>,
) -> Result<(), StoreError> {
    let mut dropped = 0;
    for commit in commits {
        let rows = transaction.scan_prefix(Space::CommitSignatures, commit)?;
        dropped +=
            transaction.delete_all(Space::CommitSignatures, rows.iter().map(|(key, _)| key.as_slice()))?;
    }
    if dropped > 0 {
        sets::forget(transaction, LogSet::Signatures)?;
    }
    Ok(())
}

fn prune_journal(transaction: &mut Transaction, view: &View, options: &Options) -> Result<u64, CareError> {
    let Some(first) = view.journal_extent(options.now)?.first else { return Ok(0) };
    let old = view.snapshot().scan(Space::Journal, ..&JournalEntry::key(first)[..])?;
    let keys: Vec<Vec<u8>> = old.map(|row| row.map(|(key, _)| key)).collect::<Result<_, _>>()?;
    Ok(transaction.delete_all(Space::Journal, keys.iter().map(Vec::as_slice))?)
}

/// Counts the sweep. What was agreed upon with another clone under an earlier number is to be
/// agreed upon again.
pub(super) fn next_epoch(transaction: &mut Transaction) -> Result<u64, CareError> {
    let recorded = transaction.get(Space::Settings, EPOCH_KEY)?;
    let epoch = recorded.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes) + 1;
    transaction.put(Space::Settings, EPOCH_KEY, &epoch.to_le_bytes())?;
    Ok(epoch)
}

/// How many sweeps a repository has seen.
pub fn epoch(view: &View) -> Result<u64, RepoError> {
    let recorded = view.snapshot().get(Space::Settings, EPOCH_KEY)?;
    Ok(recorded.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes))
}

/// Removes empty packs and rewrites those that are wasteful.
pub(super) fn rewrite_packs(
    store: &Store,
    sweep: &SweepLock,
    done: &mut Done,
    monitor: &dyn Monitor,
) -> Result<(), CareError> {
    monitor.phase(Phase { name: "Rewriting packs", files_total: None, bytes_total: None });
    for usage in store.pack_usage()? {
        check_cancelled(monitor)?;
        let action = pack_line(&usage.record, usage.indexed_raw_bytes).action;
        if action == PackAction::Keep {
            continue;
        }
        match store.rewrite_pack(usage.number, usage.indexed_chunks, &|_| true, sweep, monitor) {
            Ok(outcome) => {
                done.bytes_freed += outcome.bytes_before.saturating_sub(outcome.bytes_after);
                match action {
                    PackAction::Remove => done.packs_removed += 1,
                    PackAction::Rewrite | PackAction::Keep => done.packs_rewritten += 1,
                }
            }
            Err(
                error @ (StoreError::PackDamaged { .. }
                | StoreError::PackTruncated { .. }
                | StoreError::MissingPack { .. }
                | StoreError::PackFeature { .. }),
            ) => done.problems.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Removes pack files that were unknown long enough.
fn drop_orphans(
    store: &Store,
    options: &Options,
    sweep: &SweepLock,
    done: &mut Done,
) -> Result<(), CareError> {
    let mut due = HashSet::new();
    for row in store.snapshot()?.scan_prefix(Space::Condemned, &[Kind::Pack.tag()])? {
        let (key, value) = row?;
        if decode_moment(&value).is_some_and(|since| options.is_due(since)) {
            due.extend(pack_of(&key[1..]));
        }
    }
    let (packs, bytes) = store.remove_orphan_packs(&|id| due.contains(&id), sweep)?;
    done.packs_removed += packs;
    done.bytes_freed += bytes;
    Ok(())
}
