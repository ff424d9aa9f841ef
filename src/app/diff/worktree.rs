//! The worktree as one side of a comparison.
//!
//! What is on disk is known by how it differs from the newest commit. To compare it with another
//! commit, these differences are laid over those between the two commits.

use crate::app::common::probe::IngestProbe;
use crate::app::common::problem::ProblemLine;
use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::app::status::problems_of;
use crate::base::id::{FileId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::diff::DiffError;
use crate::diff::tree::{Difference, PathSet, compare_trees};
use crate::object::tree::Content;
use crate::object::tree_edit::EntryValue;
use crate::object::tree_walk::entry_at;
use crate::repo::View;
use crate::repo::ingest::Ingester;
use crate::repo::state::PendingEdits;
use crate::worktree::stat::NodeKind;
use crate::worktree::status::{Change, Measure, What};
use std::collections::{BTreeMap, HashMap};

/// Stands for the content of a file on disk that nobody has read: nothing has this id.
pub const UNREAD: FileId = FileId::from_bytes([0; 32]);

/// A file or a link on disk that is not as committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnDisk {
    /// What it is.
    pub kind: NodeKind,
    /// Its length in bytes; of a link, of its target.
    pub size: u64,
    /// Its file id, when it was read.
    pub file: Option<FileId>,
}

/// The worktree laid over a tree.
#[derive(Debug, Default)]
pub struct Overlay {
    /// What differs, in no particular order of meaning: moves are still to be found.
    pub differences: Vec<Difference>,
    /// The files on disk among what is there after.
    pub files: HashMap<AssetPath, OnDisk>,
}

/// What one path held in the newest commit and holds in the worktree.
struct Held {
    head: Option<EntryValue>,
    now: Option<EntryValue>,
}

/// Finds what differs between `before` and the worktree, which is `head` with `changes` and pending
/// edits of metadata and identity.
pub fn overlay(
    view: &View,
    (before, head): (TreeId, TreeId),
    changes: &[Change],
    pending: &PendingEdits,
    monitor: &dyn Monitor,
) -> Result<Overlay, DiffError> {
    let mut overlay = Overlay::default();
    let mut held = BTreeMap::new();
    for change in changes.iter().filter(|change| change.is_committable()) {
        lay(view, head, change, &mut held, &mut overlay.files)?;
    }
    lay_pending(view, head, pending, &mut held)?;
    compare_trees(view, before, head, &PathSet::everything(), monitor, &mut |difference| {
        let Difference { path, before, after } = difference;
        let after = match held.remove(&path) {
            Some(Held { now, .. }) => now,
            None => after,
        };
        if before != after {
            overlay.differences.push(Difference { path, before, after });
        }
        Ok(())
    })?;
    let rest = held.into_iter().filter(|(_, held)| held.head != held.now);
    let rest = rest.map(|(path, held)| Difference { path, before: held.head, after: held.now });
    overlay.differences.extend(rest);
    Ok(overlay)
}

/// Takes over one change that status found.
fn lay(
    view: &View,
    head: TreeId,
    change: &Change,
    held: &mut BTreeMap<AssetPath, Held>,
    files: &mut HashMap<AssetPath, OnDisk>,
) -> Result<(), DiffError> {
    let base = change.base.as_deref().map(|base| EntryValue {
        asset: base.asset,
        metadata: base.metadata,
        content: base.content.clone(),
    });
    let now = change.node.filter(|_| change.what != What::Removed).and_then(|node| {
        let on_disk = OnDisk { kind: node.kind, size: node.stat.size, file: change.file_id };
        let content = content_of(&on_disk)?;
        files.insert(change.path.clone(), on_disk);
        let (asset, metadata) = base.as_ref().map_or((None, None), |base| (base.asset, base.metadata));
        Some(EntryValue { asset, metadata, content })
    });
    match &change.what {
        What::Moved { from, .. } => {
            // Something new may stand where it was moved away from.
            held.entry(from.clone()).or_insert(Held { head: None, now: None }).head = base;
            let head = value_at(view, head, &change.path)?;
            held.insert(change.path.clone(), Held { head, now });
        }
        What::New => held.entry(change.path.clone()).or_insert(Held { head: None, now: None }).now = now,
        _ => drop(held.insert(change.path.clone(), Held { head: base, now })),
    }
    Ok(())
}

/// Takes over edits that are not in the files' bytes.
fn lay_pending(
    view: &View,
    head: TreeId,
    pending: &PendingEdits,
    held: &mut BTreeMap<AssetPath, Held>,
) -> Result<(), DiffError> {
    let mut edit = |path: &AssetPath, edit: &dyn Fn(&mut EntryValue)| -> Result<(), DiffError> {
        if !held.contains_key(path) {
            let value = value_at(view, head, path)?;
            held.insert(path.clone(), Held { head: value.clone(), now: value });
        }
        if let Some(now) = held.get_mut(path).and_then(|held| held.now.as_mut()) {
            edit(now);
        }
        Ok(())
    };
    for (path, metadata) in &pending.metadata {
        edit(path, &|value| value.metadata = *metadata)?;
    }
    for (path, asset) in &pending.assets {
        edit(path, &|value| value.asset = Some(*asset))?;
    }
    Ok(())
}

fn value_at(view: &View, tree: TreeId, path: &AssetPath) -> Result<Option<EntryValue>, DiffError> {
    Ok(entry_at(view, tree, path)?.map(EntryValue::from))
}

fn content_of(on_disk: &OnDisk) -> Option<Content> {
    let (id, size) = (on_disk.file.unwrap_or(UNREAD), on_disk.size);
    match on_disk.kind {
        NodeKind::File { executable } => Some(Content::File { id, size, executable }),
        NodeKind::Symlink => Some(Content::Symlink { id, size }),
        NodeKind::Directory | NodeKind::Special(_) => None,
    }
}

/// What was seen of the worktree.
pub struct Looked {
    /// How the files differ from the newest commit.
    pub changes: Vec<Change>,
    /// Edits that are not in the files' bytes, at or below the paths of interest.
    pub pending: PendingEdits,
    /// Paths that could not be looked at.
    pub problems: Vec<ProblemLine>,
}

/// Looks at the worktree, at or below some paths.
pub fn look(session: &Session<'_>, within: &[AssetPath], monitor: &dyn Monitor) -> Result<Looked, AppError> {
    let parameters = session.repository.store().settings().chunker;
    let measuring = Ingester::measuring(&session.view, &parameters, monitor);
    let probe = IngestProbe::looking(measuring, Ingester::hashing(monitor));
    let status = session.status(within, &probe, Measure::Needed, monitor)?;
    let asked = PathSet::new(within.iter().cloned());
    let mut pending = session.state.pending.clone();
    pending.metadata.retain(|path, _| asked.includes(path));
    pending.assets.retain(|path, _| asked.includes(path));
    Ok(Looked { problems: problems_of(&session.view, &status.changes)?, changes: status.changes, pending })
}
