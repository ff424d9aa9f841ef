//! Removes the bytes of one file for good: from packs, from what was put aside, and from whatever the
//! journal protects. History, ids and signatures stay as they are.
//!
//! First one transaction sets the tombstone with the list of the chunks that go and drops their rows:
//! from then on nothing gives the bytes out or brings them back. Then the packs that hold them are
//! rewritten. A stop in between is made good by doing it again.

use crate::base::id::{ChunkId, FileId};
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::base::time::Timestamp;
use crate::care::error::CareError;
use crate::care::fsck::{AffectedLine, Findings, affected};
use crate::care::repair_marker;
use crate::object::chunker::CHUNK_BYTES_MAX;
use crate::object::manifest::{Manifest, verified_key};
use crate::object::manifest_read::ChunkCursor;
use crate::object::tree::{Content, TreeNode};
use crate::repo::edit::JournalNote;
use crate::repo::people::Identity;
use crate::repo::tombstone::{PAGE_CHUNKS, REASON_BYTES_MAX, Tombstone, TombstoneRow};
use crate::repo::{Edit, RepoError, Repository, View};
use crate::store::{Space, SweepLock};
use serde::Serialize;
use std::collections::HashSet;

/// What to erase, and why.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file.
    pub file: FileId,
    /// Who says so.
    pub identity: Identity,
    /// Why.
    pub reason: String,
    /// The present moment.
    pub now: Timestamp,
}

/// What goes, and what stays because others need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// The file.
    pub file: FileId,
    /// Its length in bytes.
    pub size: u64,
    /// Whether it was erased before.
    pub already: bool,
    /// Bytes that go.
    pub bytes_erased: u64,
    /// Bytes that stay because other files have the same ones.
    pub bytes_shared: u64,
    /// Where history has it: the path stays, the bytes do not.
    pub paths: Vec<AffectedLine>,
}

/// Says what erasing a file would remove.
pub fn plan(
    repository: &Repository,
    file: FileId,
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<Erasure, CareError> {
    let view = repository.view()?;
    Ok(Removal::of(&view, file, now, monitor)?.erasure)
}

/// Erases.
pub fn erase(
    repository: &Repository,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Erasure, CareError> {
    if options.reason.trim().is_empty() || options.reason.len() > REASON_BYTES_MAX {
        return Err(CareError::Reason { limit: REASON_BYTES_MAX });
    }
    repair_marker::refuse(repository.pent_dir())?;
    let store = repository.store();
    let (worktree, sweep) = store.lock_for_sweep(monitor)?;
    let view = repository.view()?;
    let removal = Removal::of(&view, options.file, options.now, monitor)?;
    drop(view);
    let mut edit = repository.edit()?;
    if !removal.erasure.already {
        set_tombstone(&mut edit, options, &removal)?;
    }
    let transaction = edit.transaction();
    transaction.delete_all(Space::Manifests, removal.manifests.iter().map(Vec::as_slice))?;
    transaction.drop_chunks(&removal.chunks)?;
    edit.commit()?;
    drop(worktree);
    remove_bytes(repository, &removal.chunks, &sweep, monitor)?;
    Ok(removal.erasure)
}

/// What an erasure removes.
struct Removal {
    erasure: Erasure,
    /// The chunks that go, in order.
    chunks: Vec<ChunkId>,
    /// Keys of the file's manifest and of what claimed to be one.
    manifests: Vec<Vec<u8>>,
}

impl Removal {
    fn of(view: &View, file: FileId, now: Timestamp, monitor: &dyn Monitor) -> Result<Self, CareError> {
        let mut findings = Findings::default();
        findings.add_missing_file(file);
        let paths = affected(view, &findings, now, monitor)?;
        let rows = view.snapshot().scan_prefix(Space::Manifests, file.as_bytes())?;
        let manifests = rows.map(|row| row.map(|(key, _)| key)).collect::<Result<_, _>>()?;
        if let Some(tombstone) = view.tombstone(file)? {
            let erasure = Erasure {
                file,
                size: tombstone.size,
                already: true,
                bytes_erased: 0,
                bytes_shared: 0,
                paths,
            };
            // An import, or an older program, may have stored the same bytes again meanwhile.
            let wanted: HashSet<ChunkId> = pages(view, file)?.into_iter().collect();
            let shared = shared_chunks(view, file, &wanted, monitor)?;
            let chunks = wanted.difference(&shared).copied().collect();
            return Ok(Self { erasure, chunks, manifests });
        }
        let own = own_chunks(view, file)?;
        let known = !own.is_empty() || !paths.is_empty();
        let size = match paths.first() {
            Some(line) => line.size,
            None => own.iter().map(|(_, length)| u64::from(*length)).sum(),
        };
        if !known || size == 0 {
            return Err(CareError::NothingToErase { file });
        }
        let wanted: HashSet<ChunkId> = own.iter().map(|(chunk, _)| *chunk).collect();
        let shared = shared_chunks(view, file, &wanted, monitor)?;
        let bytes = |is_shared: bool| -> u64 {
            let mine = own.iter().filter(|(chunk, _)| shared.contains(chunk) == is_shared);
            mine.map(|(_, length)| u64::from(*length)).sum()
        };
        let (bytes_erased, bytes_shared) = (bytes(false), bytes(true));
        let mut chunks: Vec<ChunkId> = wanted.difference(&shared).copied().collect();
        chunks.sort_unstable();
        let erasure = Erasure { file, size, already: false, bytes_erased, bytes_shared, paths };
        Ok(Self { erasure, chunks, manifests })
    }
}

/// The chunks of a file, each with its length, as often as it has them.
fn own_chunks(view: &View, file: FileId) -> Result<Vec<(ChunkId, u32)>, CareError> {
    if let Some(manifest) = view.manifest(file)? {
        let mut chunks = Vec::new();
        for span in ChunkCursor::new(&manifest, view) {
            let span = span.map_err(|error| RepoError::Structure { message: error.to_string() })?;
            chunks.push((span.id, span.length));
        }
        return Ok(chunks);
    }
    let place = view.snapshot().chunk_location(file.into())?;
    Ok(place.map(|place| (ChunkId::from(file), place.length)).into_iter().collect())
}

/// Which of these chunks other files have that were not erased, whatever needs them.
fn shared_chunks(
    view: &View,
    file: FileId,
    wanted: &HashSet<ChunkId>,
    monitor: &dyn Monitor,
) -> Result<HashSet<ChunkId>, CareError> {
    monitor.phase(Phase { name: "Looking who shares it", files_total: None, bytes_total: None });
    let mut shared = HashSet::new();
    for row in view.snapshot().scan_prefix(Space::Manifests, b"")? {
        let (key, bytes) = row?;
        step(monitor)?;
        // A manifest that cannot be read shares nothing that could still be put together.
        let Ok(manifest) = Manifest::decode(&bytes) else { continue };
        if key != verified_key(manifest.file) || manifest.file == file || view.is_erased(manifest.file)? {
            continue;
        }
        let spans = ChunkCursor::new(&manifest, view).filter_map(Result::ok);
        shared.extend(spans.map(|span| span.id).filter(|chunk| wanted.contains(chunk)));
    }
    for row in view.snapshot().scan_prefix(Space::Trees, b"")? {
        step(monitor)?;
        let Ok(TreeNode::Leaf(entries)) = TreeNode::decode(&row?.1) else { continue };
        for entry in entries {
            let (Content::File { id, size, .. } | Content::Symlink { id, size }) = entry.content else {
                continue;
            };
            // A file that is one chunk, and that chunk is also one of this file's.
            let whole = size <= CHUNK_BYTES_MAX as u64 && wanted.contains(&id.into());
            if whole && id != file && !view.is_erased(id)? {
                shared.insert(id.into());
            }
        }
    }
    Ok(shared)
}

fn step(monitor: &dyn Monitor) -> Result<(), CareError> {
    monitor.advance(Advance { files: 1, ..Advance::default() });
    if monitor.is_cancelled() { Err(CareError::Cancelled) } else { Ok(()) }
}

/// The chunks that went with a file that was erased.
fn pages(view: &View, file: FileId) -> Result<Vec<ChunkId>, CareError> {
    let mut chunks = Vec::new();
    for row in view.snapshot().scan_prefix(Space::Tombstones, file.as_bytes())? {
        let (key, value) = row?;
        if Tombstone::row_of(&key) == TombstoneRow::Page {
            let damaged = |source| RepoError::Damaged { kind: "tombstone", id: file.to_string(), source };
            chunks.extend(Tombstone::decode_page(&value).map_err(damaged)?);
        }
    }
    Ok(chunks)
}

fn set_tombstone(edit: &mut Edit, options: &Options, removal: &Removal) -> Result<(), CareError> {
    let tombstone = Tombstone {
        file: options.file,
        size: removal.erasure.size,
        person: options.identity.id,
        time: options.now,
        reason: options.reason.trim().to_owned(),
        statement: Vec::new(),
    };
    edit.put_person(options.identity.id, &options.identity.person)?;
    let transaction = edit.transaction();
    transaction.put(Space::Tombstones, options.file.as_bytes(), &tombstone.encode())?;
    transaction.delete(Space::Tombstones, &Tombstone::excuse_key(options.file))?;
    for (number, page) in removal.chunks.chunks(PAGE_CHUNKS).enumerate() {
        let key = Tombstone::page_key(options.file, number as u32);
        transaction.put(Space::Tombstones, &key, &Tombstone::encode_page(page))?;
    }
    let note = JournalNote {
        verb: "erase",
        summary: format!("erased the bytes of file {}: {}", options.file.short(), tombstone.reason),
        ..JournalNote::default()
    };
    edit.record(note, options.now)?;
    Ok(())
}

fn remove_bytes(
    repository: &Repository,
    chunks: &[ChunkId],
    sweep: &SweepLock,
    monitor: &dyn Monitor,
) -> Result<(), CareError> {
    monitor.phase(Phase { name: "Removing the bytes", files_total: None, bytes_total: None });
    let store = repository.store();
    let chunks: HashSet<ChunkId> = chunks.iter().copied().collect();
    store.cut_tails(sweep)?;
    store.erase_chunks(&chunks, sweep, monitor)?;
    store.blank_chunks(&chunks, sweep)?;
    Ok(())
}
