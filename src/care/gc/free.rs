//! Drops the content of files that is needed and that a remote was seen to hold. What the files are put
//! together from stays known, so that the content can come back.
//!
//! A chunk goes when nothing else here needs it. What needs a chunk is found out in the simplest way that
//! cannot err: every confirmed manifest and every folder here counts, reached or not. Nobody stores content
//! meanwhile that may rest on what is here.

use crate::base::id::{ChunkId, FileId};
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::care::error::CareError;
use crate::care::gc::plan::check_cancelled;
use crate::care::gc::sweep::{Done, next_epoch, rewrite_packs};
use crate::care::repair_marker;
use crate::object::manifest::{Manifest, claim_key, verified_key};
use crate::object::manifest_read::ChunkCursor;
use crate::object::tree::{Content, TreeNode};
use crate::repo::tombstone::Tombstone;
use crate::repo::{RepoError, Repository, View};
use crate::store::Space;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// Chunks that are dropped at a time.
const BATCH: usize = 16 * 1024;

/// What was dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Freed {
    /// Files whose content went.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Chunks that went; the others are part of files that stay.
    pub chunks: u64,
    /// Bytes by which the packs are smaller.
    pub bytes_freed: u64,
}

/// Drops the content of files, each with its size. The caller has seen all of it elsewhere, and has seen to it
/// that it stays there.
///
/// Once the content is dropped it is, whatever becomes of the packs: how rewriting these ended is told
/// beside what was dropped, and gc does what is left of it.
pub fn free(
    repository: &Repository,
    files: &HashMap<FileId, u64>,
    monitor: &dyn Monitor,
) -> Result<(Freed, Result<(), CareError>), CareError> {
    repair_marker::refuse(repository.pent_dir())?;
    let store = repository.store();
    // In the order in which every command takes them.
    let worktree = store.lock_worktree(monitor)?;
    let sweep = store.lock_sweep(monitor)?;
    let mut done = Done::default();
    let mut freed = Freed::default();
    {
        // Whoever begins a write transaction is alone: the view is the state that it will change.
        let mut edit = repository.edit()?;
        let view = repository.view()?;
        let chunks = chunks_of(&view, files, &mut freed)?;
        let needed = needed_by_others(&view, files, &chunks, monitor)?;
        edit.set_partial(true)?;
        for file in files.keys() {
            edit.transaction().delete(Space::Tombstones, &Tombstone::excuse_key(*file))?;
            if let Some(manifest) = view.manifest(*file)? {
                let bytes = manifest.encode();
                edit.transaction().put(Space::Manifests, &claim_key(*file, &bytes), &bytes)?;
                edit.transaction().delete(Space::Manifests, &verified_key(*file))?;
            }
        }
        let mut gone: Vec<ChunkId> = chunks.difference(&needed).copied().collect();
        gone.sort_unstable();
        for batch in gone.chunks(BATCH) {
            freed.chunks += edit.transaction().drop_chunks(batch)?;
        }
        next_epoch(edit.transaction())?;
        edit.commit()?;
    }
    drop(worktree);
    let rewritten = rewrite_packs(store, &sweep, &mut done, monitor);
    freed.bytes_freed = done.bytes_freed;
    Ok((freed, rewritten.map(drop)))
}

/// The chunks that the files are put together from, as far as they are here.
fn chunks_of(
    view: &View,
    files: &HashMap<FileId, u64>,
    freed: &mut Freed,
) -> Result<HashSet<ChunkId>, CareError> {
    let mut chunks = HashSet::new();
    for (file, size) in files {
        let is_here = match view.manifest(*file)? {
            Some(manifest) => {
                chunks.extend(list(view, &manifest)?);
                true
            }
            None => {
                let is_here = view.snapshot().has_chunk((*file).into())?;
                chunks.extend(is_here.then_some(ChunkId::from(*file)));
                is_here
            }
        };
        freed.files += u64::from(is_here);
        freed.bytes += if is_here { *size } else { 0 };
    }
    Ok(chunks)
}

fn list(view: &View, manifest: &Manifest) -> Result<Vec<ChunkId>, CareError> {
    let mut chunks = Vec::new();
    for span in ChunkCursor::new(manifest, view) {
        let span = span.map_err(|error| RepoError::Structure { message: error.to_string() })?;
        chunks.push(span.id);
    }
    Ok(chunks)
}

/// Of some chunks those that other files need.
fn needed_by_others(
    view: &View,
    files: &HashMap<FileId, u64>,
    chunks: &HashSet<ChunkId>,
    monitor: &dyn Monitor,
) -> Result<HashSet<ChunkId>, CareError> {
    monitor.phase(Phase { name: "Looking what others need", files_total: None, bytes_total: None });
    let mut needed = HashSet::new();
    for row in view.snapshot().scan_prefix(Space::Manifests, b"")? {
        let (key, bytes) = row?;
        check_cancelled(monitor)?;
        let Some(file) = FileId::from_slice(&key).filter(|file| !files.contains_key(file)) else { continue };
        let manifest = Manifest::decode(&bytes).map_err(|source| RepoError::Damaged {
            kind: "manifest",
            id: file.to_string(),
            source,
        })?;
        needed.extend(list(view, &manifest)?.into_iter().filter(|chunk| chunks.contains(chunk)));
    }
    for row in view.snapshot().scan_prefix(Space::Trees, b"")? {
        let (_, bytes) = row?;
        check_cancelled(monitor)?;
        // One that cannot be read is found by fsck; what it named is not known to anybody.
        let Ok(TreeNode::Leaf(entries)) = TreeNode::decode(&bytes) else { continue };
        monitor.advance(Advance { files: entries.len() as u64, ..Advance::default() });
        for entry in entries {
            let (Content::File { id, .. } | Content::Symlink { id, .. }) = entry.content else { continue };
            if !files.contains_key(&id) && chunks.contains(&id.into()) {
                needed.insert(id.into());
            }
        }
    }
    for row in view.snapshot().scan_prefix(Space::Foreign, b"")? {
        let (key, _) = row?;
        let Some((id, _)) = view.tie_at(&key)? else { continue };
        if !files.contains_key(&id) && chunks.contains(&id.into()) {
            needed.insert(id.into());
        }
    }
    Ok(needed)
}
