//! Takes the worktree's changes into the store and says what they make of the base tree: the part
//! that a commit and a switch have in common.

use crate::app::common::claims::settle_claims;
use crate::app::common::origins::{self, Asked};
use crate::app::common::probe::IngestProbe;
use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::base::id::{AssetId, CommitId, FileId, MetadataId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::diff::merge::merge_metadata;
use crate::object::metadata::Metadata;
use crate::object::path_set::PathSet;
use crate::object::source::ObjectSource as _;
use crate::object::tree::Content;
use crate::object::tree_edit::EntryValue;
use crate::object::tree_walk::entry_at;
use crate::repo::RepoError;
use crate::repo::assign::{Assignment, Differences, assign};
use crate::repo::erased::ErasedFiles;
use crate::repo::ingest::Ingester;
use crate::repo::state::PendingEdits;
use crate::store::Staged;
use crate::worktree::WorktreeError;
use crate::worktree::index::{Folder, Fresh};
use crate::worktree::scan::Tracked;
use crate::worktree::stat::NodeKind;
use crate::worktree::status::{Change, Measure, Status, What};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Room left free beside new content, in bytes: rows, trees, and the database's own growth.
const SPACE_MARGIN_BYTES: u64 = 4 << 20;

/// Changes that were taken in.
pub struct Snapshot {
    /// What they make of the base tree, with the assets they are.
    pub assignment: Assignment,
    /// The content, on disk, to be published with whatever refers to it.
    pub staged: Staged,
    /// Files that looked changed and are not, for the index.
    pub refreshed: Vec<Fresh>,
    /// What happened, for people.
    pub changes: Vec<Change>,
    /// Bytes by which the packs grew.
    pub bytes_stored: u64,
    /// Pending edits of paths that were not asked for, which stay pending.
    pub still_pending: PendingEdits,
}

/// Takes in what changed at or below `within` (everywhere when empty).
///
/// `parents` are the commits that the result will stand on: ids of new assets follow from them.
pub fn take(
    session: &mut Session<'_>,
    within: &[AssetPath],
    parents: &[CommitId],
    monitor: &dyn Monitor,
) -> Result<Snapshot, AppError> {
    let asked = Asked::of(session, within, monitor)?;
    let within = asked.paths();
    let writer = session.repository.store().chunk_writer(monitor)?;
    let parameters = session.repository.store().settings().chunker;
    let store = |room: Option<u64>| -> Result<Status, AppError> {
        let full = Ingester::storing(&writer, &parameters, monitor);
        let erased = (ErasedFiles::of(&session.view), Ingester::hashing(monitor));
        let is_spared = |path: &AssetPath| asked.is_beneath_end(path);
        let probe = IngestProbe::storing(full, erased, room).sparing(&is_spared);
        session.status(within, &probe, Measure::Store, monitor)
    };
    let available = bytes_available(session)?;
    let taken = match store(Some(available.saturating_sub(SPACE_MARGIN_BYTES))) {
        Err(AppError::Worktree(WorktreeError::DiskFull { .. })) => {
            check_space(session, within, available, monitor)?;
            store(None)
        }
        taken => taken,
    };
    let mut status = taken?;
    if !within.is_empty() {
        origins::adopt(session, &mut status.changes)?;
        status.changes.retain(|change| !asked.is_beneath_end(&change.path));
    }
    if monitor.is_cancelled() {
        return Err(AppError::Cancelled);
    }
    let staged = writer.finish()?;
    let bytes_stored = staged.totals().stored_bytes;
    let (mut pending, mut still_pending) = split_pending(&session.state.pending, &asked);
    let Status { changes, refreshed, .. } = status;
    // What was said of the old place of something that was moved by hand goes with it.
    for change in &changes {
        if let What::Moved { from, .. } = &change.what {
            pending.metadata.extend(still_pending.metadata.remove_entry(from));
            pending.assets.extend(still_pending.assets.remove_entry(from));
        }
    }
    forget_replaced(session, within, &changes, &mut still_pending);
    keep_waiting(session, &changes, &mut pending, &mut still_pending)?;
    let Sorted { differences, mut pending, joined } = differences(session, &changes, pending)?;
    keep_joined(session, &joined)?;
    settle_claims(session.index.as_ref(), &differences, &mut pending.assets, &pending.moves)?;
    let sources = copy_sources(session, &differences)?;
    let assignment = assign(parents, differences, &pending, &sources);
    Ok(Snapshot { assignment, staged, refreshed, changes, bytes_stored, still_pending })
}

fn bytes_available(session: &Session<'_>) -> Result<u64, AppError> {
    session.worktree.bytes_available().map_err(|source| AppError::Io {
        action: "asking for the space of",
        path: session.worktree.root().to_owned(),
        source,
    })
}

/// When all that is to be read would not fit, finds out how much of it is new before anything is
/// written.
fn check_space(
    session: &Session<'_>,
    within: &[AssetPath],
    available: u64,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    let parameters = session.repository.store().settings().chunker;
    let measuring = Ingester::measuring(&session.view, &parameters, monitor);
    let probe = IngestProbe::looking(measuring, Ingester::hashing(monitor));
    let status = session.status(within, &probe, Measure::All, monitor)?;
    let new: u64 = status.changes.iter().filter_map(|change| change.new_bytes).sum();
    let needed = new.saturating_add(SPACE_MARGIN_BYTES);
    if needed > available { Err(WorktreeError::DiskFull { needed, available }.into()) } else { Ok(()) }
}

/// Forgets what waits to be said of files that made room for a folder in which something was asked for.
fn forget_replaced(
    session: &Session<'_>,
    within: &[AssetPath],
    changes: &[Change],
    still_pending: &mut PendingEdits,
) {
    let mut replaced: Vec<AssetPath> = changes
        .iter()
        .filter(|change| change.what == What::Removed)
        .map(|change| change.path.clone())
        .collect();
    // No commit ever had these; what was moved there by command and is elsewhere by now takes along what was said.
    let asked = PathSet::new(within.iter().cloned());
    let above = still_pending.metadata.keys().filter(|path| !asked.is_everything() && asked.leads_to(path));
    let is_folder = |path: &&AssetPath| origins::is_folder(session, path);
    let above = above.filter(|path| !still_pending.moves.contains_key(*path));
    replaced.extend(above.filter(is_folder).cloned());
    for path in replaced {
        still_pending.metadata.remove(&path);
        still_pending.assets.remove(&path);
        still_pending.moves.remove(&path);
    }
}

/// The entries of a map whose path is to be kept.
fn part<V: Clone>(map: &BTreeMap<AssetPath, V>, keep: impl Fn(&AssetPath) -> bool) -> BTreeMap<AssetPath, V> {
    map.iter().filter(|(path, _)| keep(path)).map(|(path, value)| (path.clone(), value.clone())).collect()
}

/// Pending edits of paths that were asked for, and of others.
fn split_pending(pending: &PendingEdits, wanted: &Asked) -> (PendingEdits, PendingEdits) {
    let split = |inside: bool| PendingEdits {
        metadata: part(&pending.metadata, |path| wanted.includes(path) == inside),
        assets: part(&pending.assets, |path| wanted.includes(path) == inside),
        moves: part(&pending.moves, |path| wanted.includes(path) == inside),
    };
    (split(true), split(false))
}

/// Lets what was said of a path wait on when nothing is committed there: its file could not be taken.
fn keep_waiting(
    session: &Session<'_>,
    changes: &[Change],
    pending: &mut PendingEdits,
    still_pending: &mut PendingEdits,
) -> Result<(), AppError> {
    for Change { path, what, .. } in changes {
        let is_left = matches!(what, What::Erased | What::Unreadable { .. } | What::Busy);
        if !is_left || pending.is_empty() || session.base_entry(path)?.is_some() {
            continue;
        }
        still_pending.metadata.extend(pending.metadata.remove_entry(path));
        still_pending.assets.extend(pending.assets.remove_entry(path));
        still_pending.moves.extend(pending.moves.remove_entry(path));
    }
    Ok(())
}

/// What was seen of files, for the index: of those that turned out unchanged, and of those that were
/// taken in.
pub fn fresh_files(refreshed: Vec<Fresh>, changes: &[Change]) -> Vec<Fresh> {
    let mut fresh = refreshed;
    fresh.extend(changes.iter().filter_map(seen));
    fresh
}

/// What was seen of a file that was read.
fn seen(change: &Change) -> Option<Fresh> {
    let (node, id) = (change.node?, change.file_id?);
    change.is_committable().then(|| Fresh {
        path: change.path.clone(),
        id,
        stat: node.stat,
        settled: change.settled,
    })
}

/// The content of a file or link that was read.
pub fn content_of(change: &Change) -> Option<Content> {
    let (node, id) = (change.node?, change.file_id?);
    let size = node.stat.size;
    match node.kind {
        NodeKind::File { executable } => Some(Content::File { id, size, executable }),
        NodeKind::Symlink => Some(Content::Symlink { id, size }),
        NodeKind::Directory | NodeKind::Special(_) => None,
    }
}

fn value_of(tracked: &Tracked) -> EntryValue {
    EntryValue { asset: tracked.asset, metadata: tracked.metadata, content: tracked.content.clone() }
}

/// What changes mean for the tree.
struct Sorted {
    differences: Differences,
    /// What waits to be said, at the places where its assets are now.
    pending: PendingEdits,
    /// Metadata among it that is not stored yet.
    joined: Vec<Metadata>,
}

/// Stores metadata, and looks at the repository anew: what is planned reads it.
fn keep_joined(session: &mut Session<'_>, joined: &[Metadata]) -> Result<(), AppError> {
    if joined.is_empty() {
        return Ok(());
    }
    let mut edit = session.repository.edit()?;
    for metadata in joined {
        edit.put_metadata(metadata)?;
    }
    edit.commit()?;
    session.view = session.repository.view()?;
    Ok(())
}

/// What was said of a new place, joined with what is said of the asset that turns out to stand there: nobody who
/// labels a file that was moved by hand means to take its labels away. What was said of the new place holds where
/// both differ. `None` when there are not two.
fn joined(
    session: &Session<'_>,
    said_here: Option<MetadataId>,
    said_before: Option<MetadataId>,
) -> Result<Option<Metadata>, AppError> {
    let (Some(here), Some(before)) = (said_here, said_before) else { return Ok(None) };
    let (here, before) = (session.view.metadata(here)?, session.view.metadata(before)?);
    Ok(Some(merge_metadata(&Metadata::default(), &here, &before).metadata))
}

/// Sorts changes by what they mean for the tree. What status took for a move is told to the
/// assignment as the user's own word, so that both always agree.
fn differences(
    session: &Session<'_>,
    changes: &[Change],
    mut pending: PendingEdits,
) -> Result<Sorted, AppError> {
    let mut differences = Differences::default();
    let mut newly_joined = Vec::new();
    let any_described = !pending.metadata.is_empty() || !pending.assets.is_empty();
    let mut touched: HashSet<&AssetPath> = HashSet::new();
    let taken = taken_old_places(changes);
    let moved_on = moved_on(session, changes, &pending)?;
    let moved_away: HashSet<&AssetPath> = session.state.pending.moves.values().collect();
    for change in changes.iter().filter(|change| change.is_committable()) {
        if any_described {
            touched.insert(&change.path);
        }
        let base = change.base.as_deref().map(value_of);
        match (&change.what, base, content_of(change)) {
            (What::Removed, Some(base), _) => differences.removed.push((change.path.clone(), base)),
            (What::Moved { from, .. }, Some(base), Some(content)) => {
                touched.insert(from);
                // What waits to be said of the old place is said of what stands there now, if anything.
                let at_from = Some(from).filter(|from| {
                    // Nor where it was said of what came there after the asset was moved away by command.
                    let is_of_another = moved_away.contains(*from)
                        || pending.assets.get(*from).is_some_and(|said| Some(*said) != base.asset);
                    !taken.contains(from) && !is_of_another
                });
                let places = moved_on.get(from).into_iter().chain(at_from);
                if session.state.pending.moves.get(&change.path) != Some(from) {
                    let waiting = places.clone().find_map(|place| pending.metadata.get(place).copied());
                    let here = pending.metadata.get(&change.path).copied().flatten();
                    if let Some(metadata) = joined(session, here, waiting.unwrap_or(base.metadata))? {
                        pending.metadata.insert(change.path.clone(), Some(metadata.id()));
                        newly_joined.push(metadata);
                    }
                }
                places.for_each(|place| follow_move(&mut pending, place, &change.path));
                if let Some(asset) = base.asset {
                    pending.assets.entry(change.path.clone()).or_insert(asset);
                }
                differences.removed.push((from.clone(), base));
                differences.added.push((change.path.clone(), content));
            }
            (_, Some(base), Some(content)) => {
                differences.changed.push((change.path.clone(), base, content));
            }
            (_, None, Some(content)) => differences.added.push((change.path.clone(), content)),
            // A file that was not read has a problem, which status tells.
            _ => {}
        }
    }
    if !any_described {
        return Ok(Sorted { differences, pending, joined: newly_joined });
    }
    let described = pending.metadata.keys().chain(pending.assets.keys()).cloned();
    let mut described: Vec<AssetPath> = described.filter(|path| !touched.contains(path)).collect();
    described.sort();
    described.dedup();
    for path in described {
        let entry = entry_at(&session.view, session.base, &path).map_err(RepoError::from)?;
        if let Some(entry) = entry.filter(|entry| is_meant(session, &path, &entry.content, entry.asset)) {
            differences.described.push((path, entry.into()));
        }
    }
    Ok(Sorted { differences, pending, joined: newly_joined })
}

/// Whether what waits to be said of a path is said of what the commit has there. Of a folder it is not when it was said
/// of a file that had come to the place of the folder and is gone.
fn is_meant(session: &Session<'_>, path: &AssetPath, content: &Content, asset: Option<AssetId>) -> bool {
    let pending = &session.state.pending;
    let is_of_file = pending.moves.contains_key(path)
        || pending.assets.get(path).is_some_and(|claimed| Some(*claimed) != asset);
    let is_hidden = !session.state.shows(path);
    !content.is_directory() || (!is_of_file && (is_hidden || origins::is_folder(session, path)))
}

/// The old places of moved assets in which something else stands.
fn taken_old_places(changes: &[Change]) -> HashSet<&AssetPath> {
    let left = changes.iter().filter_map(|change| match &change.what {
        What::Moved { from, .. } => Some(from),
        _ => None,
    });
    let left: HashSet<&AssetPath> = left.collect();
    if left.is_empty() {
        return left;
    }
    let came = changes.iter().filter(|change| matches!(change.what, What::New | What::Moved { .. }));
    came.map(|change| &change.path).filter(|path| left.contains(path)).collect()
}

/// Where assets, by their committed places, were moved by command and are no longer: somebody has moved them on by
/// hand.
fn moved_on(
    session: &Session<'_>,
    changes: &[Change],
    pending: &PendingEdits,
) -> Result<HashMap<AssetPath, AssetPath>, AppError> {
    let mut between = HashMap::new();
    if pending.moves.is_empty() {
        return Ok(between);
    }
    let changed: HashMap<&AssetPath, &What> =
        changes.iter().map(|change| (&change.path, &change.what)).collect();
    for (to, from) in &pending.moves {
        let is_gone = match changed.get(to) {
            Some(what) => **what == What::Removed,
            None => session.base_entry(to)?.is_none(),
        };
        if is_gone {
            between.insert(from.clone(), to.clone());
        }
    }
    Ok(between)
}

/// Lets what waits to be said of an asset go with it to its new place.
fn follow_move(pending: &mut PendingEdits, from: &AssetPath, to: &AssetPath) {
    if let Some(metadata) = pending.metadata.remove(from) {
        pending.metadata.entry(to.clone()).or_insert(metadata);
    }
    if let Some(asset) = pending.assets.remove(from) {
        pending.assets.entry(to.clone()).or_insert(asset);
    }
}

/// For content of new paths: an asset that has the same content in the base.
fn copy_sources(
    session: &Session<'_>,
    differences: &Differences,
) -> Result<HashMap<FileId, AssetId>, AppError> {
    let mut sources = HashMap::new();
    let Some(index) = &session.index else { return Ok(sources) };
    let wanted = known_content(session, differences)?;
    if !wanted.is_empty() {
        collect_sources(index.root()?, &wanted, &mut sources)?;
    }
    Ok(sources)
}

/// Which content of new paths the base may have already, sorted. What the repository did not have before this
/// command is a copy of nothing, so the files of the base are not looked through for it: as a rule, for none.
fn known_content(session: &Session<'_>, differences: &Differences) -> Result<Vec<FileId>, AppError> {
    let view = &session.view;
    // Where content may be elsewhere, or is another program's, what is not here says nothing.
    let is_complete = !view.is_partial()? && !view.has_ties()?;
    let mut known = Vec::new();
    for (_, content) in &differences.added {
        let (Some(id), size) = (content.file_id(), content.size().unwrap_or_default()) else { continue };
        if id == FileId::empty() {
            continue;
        }
        if !is_complete || view.has_content(id, size)? {
            known.push(id);
        }
    }
    known.sort_unstable();
    known.dedup();
    Ok(known)
}

fn collect_sources(
    folder: Folder<'_>,
    wanted: &[FileId],
    sources: &mut HashMap<FileId, AssetId>,
) -> Result<(), AppError> {
    for position in 0..folder.len() {
        let Some(record) = folder.record(position) else { continue };
        if record.is_directory() {
            collect_sources(folder.child(&record)?, wanted, sources)?;
        } else if let (Some(id), Some(asset)) = (record.file_id(), record.asset())
            && wanted.binary_search(&id).is_ok()
        {
            sources.entry(id).or_insert(asset);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::commit;
    use crate::base::id::{PersonId, RepositoryId};
    use crate::base::monitor::SilentMonitor;
    use crate::base::time::{FixedClock, Timestamp};
    use crate::repo::Repository;
    use crate::repo::people::{Identity, Person};
    use crate::store::StoreSettings;
    use std::fs;

    #[test]
    fn the_base_is_looked_through_for_content_that_was_here_and_for_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = StoreSettings::new(RepositoryId::from_bytes([1; 16]));
        let repository = Repository::create(folder.path(), &settings).expect("a repository");
        fs::write(folder.path().join("a"), "known").expect("a file");
        fs::write(folder.path().join("big"), vec![7; 1 << 20]).expect("a file");
        let person = Person { name: "Anna".into(), email: "anna@example.org".into() };
        let options = commit::Options {
            message: Some("First".to_owned()),
            paths: Vec::new(),
            identity: Some(Identity { id: PersonId::from_bytes([7; 16]), person }),
            author: None,
            date: None,
            signing: None,
        };
        commit::run(&repository, &options, &FixedClock(Timestamp::utc(0)), &SilentMonitor).expect("a commit");
        let session = Session::look(&repository, &SilentMonitor).expect("a session");
        let added = |name: &str, bytes: &[u8]| {
            let id = FileId::from_bytes(*blake3::hash(bytes).as_bytes());
            let path = AssetPath::from_bytes(name).expect("a path");
            (path, Content::File { id, size: bytes.len() as u64, executable: false })
        };
        let known = |added: Vec<(AssetPath, Content)>| {
            known_content(&session, &Differences { added, ..Differences::default() }).expect("content")
        };
        assert!(known(vec![added("new", b"never seen"), added("empty", b"")]).is_empty());
        let copies = vec![added("c", &[7; 1 << 20]), added("b", b"known"), added("new", b"never seen")];
        let mut expected: Vec<FileId> =
            copies[..2].iter().filter_map(|(_, content)| content.file_id()).collect();
        expected.sort_unstable();
        assert_eq!(known(copies), expected);
    }
}
