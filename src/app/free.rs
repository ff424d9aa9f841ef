//! `free`: drops content of this clone that a remote holds, after reading it there.

use crate::app::common::keep;
use crate::app::common::on_demand::{WantedFile, file_of, files_of_history};
use crate::app::common::remotes::{OpenRemote, Reach, open_remote};
use crate::app::error::AppError;
use crate::app::fetch;
use crate::base::id::{ChunkId, CommitId, FileId};
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::care::CareError;
use crate::care::gc::{self, Freed};
use crate::object::manifest_read::ChunkCursor;
use crate::object::path_set::PathSet;
use crate::object::source::ObjectSource as _;
use crate::object::tree_walk::{TreeWalk, entry_at};
use crate::repo::at_hand::AtHand;
use crate::repo::{RepoError, Repository, View};
use crate::store::parcel::OpenBlock;
use crate::sync::SyncError;
use crate::sync::remote::{Description, Kind, ObjectKey};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// Files whose chunks are read at the remote together.
const GROUP_FILES: usize = 1 << 12;
/// Bytes of such files; one that is longer goes alone.
const GROUP_BYTES: u64 = 1 << 30;

/// What to drop.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The remote that holds it; the one that is meant when `None`.
    pub remote: Option<String>,
    /// Files and folders, every version of them.
    pub paths: Vec<AssetPath>,
    /// Only say what could go; what the remote holds is not read.
    pub dry_run: bool,
}

/// What was dropped, and what stays.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The remote.
    pub remote: String,
    /// Whether nothing was dropped because only a preview was asked for.
    pub dry_run: bool,
    /// What went, or could go.
    #[serde(flatten)]
    pub freed: Freed,
    /// What stays because no branch or tag of the remote leads to it yet.
    pub not_pushed: Stays,
    /// What stays because it stands at other paths too.
    pub shared: Stays,
    /// What stays because the remote could not give it, or gave something else.
    pub not_held: Stays,
}

/// Files that stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stays {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Stays {
    fn add(&mut self, size: u64) {
        self.files += 1;
        self.bytes += size;
    }
}

/// Drops content.
pub fn run(
    repository: &Repository,
    options: &Options,
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let was_partial = repository.view()?.is_lazy()?;
    if !options.dry_run {
        // From here on the clone says what it relies on, before it does.
        set_partial(repository, true)?;
    }
    let freed = free_all(repository, options, reach, clock, monitor);
    // What was dropped is elsewhere now, even if the packs could not be rewritten after that.
    let is_needed = freed.as_ref().is_ok_and(|(report, _)| report.freed.files > 0);
    if !options.dry_run && !was_partial && !is_needed {
        set_partial(repository, false)?;
    }
    let (report, rewritten) = freed?;
    rewritten?;
    Ok(report)
}

fn set_partial(repository: &Repository, is_partial: bool) -> Result<(), AppError> {
    let mut edit = repository.edit()?;
    edit.set_partial(is_partial)?;
    Ok(edit.commit()?)
}

fn free_all(
    repository: &Repository,
    options: &Options,
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<(Report, Result<(), CareError>), AppError> {
    if !options.dry_run {
        fetch::run(repository, options.remote.as_deref(), reach, clock, monitor)?;
    }
    let opened = open_remote(repository, options.remote.as_deref(), reach)?;
    let description = opened.remote.describe()?;
    if description.repository != repository.id() {
        let (expected, found) = (repository.id(), description.repository);
        return Err(SyncError::OtherRepository { expected, found }.into());
    }
    let view = repository.view()?;
    let mut report = Report {
        remote: opened.name.clone(),
        dry_run: options.dry_run,
        freed: Freed::default(),
        not_pushed: Stays::default(),
        shared: Stays::default(),
        not_held: Stays::default(),
    };
    refuse_unknown(&view, &options.paths, monitor)?;
    let theirs = keep::relied_on(&view, &opened.name, &description)?;
    let candidates = candidates(&view, theirs, &options.paths, &mut report, monitor)?;
    if options.dry_run {
        report.freed.files = candidates.len() as u64;
        report.freed.bytes = candidates.iter().map(|(_, size)| size).sum();
        return Ok((report, Ok(())));
    }
    let held = held(&opened, &description, &view, &candidates, monitor)?;
    for (id, size) in &candidates {
        if !held.contains_key(id) {
            report.not_held.add(*size);
        }
    }
    drop(view);
    if held.is_empty() {
        return Ok((report, Ok(())));
    }
    if !keep::renew(repository, &opened)? {
        // Names moved while the content was read: what they led to may be on its way out.
        return Err(SyncError::Outdated.into());
    }
    let rewritten;
    (report.freed, rewritten) = gc::free(repository, &held, monitor)?;
    Ok((report, rewritten))
}

/// Insists that something stood at every path, in one commit or another.
fn refuse_unknown(view: &View, paths: &[AssetPath], monitor: &dyn Monitor) -> Result<(), AppError> {
    let Some(head) = view.head()? else { return Ok(()) };
    let (tree, source) = (view.commit(head)?.tree, AtHand(view));
    for path in paths.iter().filter(|path| !path.is_root()) {
        if entry_at(&source, tree, path).map_err(RepoError::from)?.is_some() {
            continue;
        }
        let tips = view.references()?.into_iter().map(|(_, target)| target.commit);
        if files_of_history(view, tips, std::slice::from_ref(path), monitor)?.is_empty() {
            return Err(AppError::NotInRevision { path: path.clone() });
        }
    }
    Ok(())
}

/// The files that are here and that the commits lead to which the remote is told of.
fn candidates(
    view: &View,
    theirs: Vec<CommitId>,
    paths: &[AssetPath],
    report: &mut Report,
    monitor: &dyn Monitor,
) -> Result<Vec<WantedFile>, AppError> {
    let ours: Vec<CommitId> = view.references()?.into_iter().map(|(_, target)| target.commit).collect();
    let held = files_of_history(view, theirs, paths, monitor)?;
    let others = others(view, paths)?;
    let mut candidates = Vec::new();
    for (id, size) in files_of_history(view, ours, paths, monitor)? {
        if size == 0 || view.is_erased(id)? || !view.has_content(id, size)? {
            continue;
        }
        if !held.contains_key(&id) {
            report.not_pushed.add(size);
        } else if others.contains(&id) {
            report.shared.add(size);
        } else {
            candidates.push((id, size));
        }
    }
    candidates.sort_unstable();
    Ok(candidates)
}

/// The files that stand at other paths of the current branch.
fn others(view: &View, paths: &[AssetPath]) -> Result<HashSet<FileId>, AppError> {
    let mut others = HashSet::new();
    let Some(head) = view.head()? else { return Ok(others) };
    let source = AtHand(view);
    let meant = PathSet::new(paths.iter().cloned());
    let mut walk = TreeWalk::new(&source, view.commit(head)?.tree, AssetPath::root());
    while let Some(item) = walk.next() {
        let (path, entry) = item.map_err(RepoError::from)?;
        let is_meant = !paths.is_empty() && meant.includes(&path);
        if is_meant && entry.content.is_directory() {
            walk.skip_folder();
        } else if !is_meant {
            others.extend(file_of(&entry.content).map(|(id, _)| id));
        }
    }
    Ok(others)
}

/// The files all of whose content the remote gave, byte for byte.
fn held(
    opened: &OpenRemote,
    description: &Description,
    view: &View,
    candidates: &[WantedFile],
    monitor: &dyn Monitor,
) -> Result<HashMap<FileId, u64>, AppError> {
    let bytes_total = Some(candidates.iter().map(|(_, size)| size).sum());
    let files_total = Some(candidates.len() as u64);
    monitor.phase(Phase { name: "Reading it on the remote", files_total, bytes_total });
    let mut held = HashMap::new();
    let mut rest = candidates;
    while !rest.is_empty() {
        let mut bytes = 0u64;
        let fits = |(_, size): &&WantedFile| {
            bytes = bytes.saturating_add(*size);
            bytes <= GROUP_BYTES
        };
        let length = rest.iter().take(GROUP_FILES).take_while(fits).count().max(1);
        let (group, others) = rest.split_at(length);
        rest = others;
        match held_of(opened, description, view, group, monitor) {
            // Something is lost or damaged there: which of the files that concerns shows one by one.
            Err(AppError::Sync(
                SyncError::Missing { .. } | SyncError::Damaged { .. } | SyncError::Invalid { .. },
            )) => {
                for file in group {
                    match held_of(opened, description, view, std::slice::from_ref(file), monitor) {
                        Err(AppError::Sync(
                            SyncError::Missing { .. } | SyncError::Damaged { .. } | SyncError::Invalid { .. },
                        )) => {}
                        found => held.extend(found?),
                    }
                }
            }
            found => held.extend(found?),
        }
    }
    Ok(held)
}

fn held_of(
    opened: &OpenRemote,
    description: &Description,
    view: &View,
    files: &[WantedFile],
    monitor: &dyn Monitor,
) -> Result<Vec<WantedFile>, AppError> {
    let mut chunks_of: Vec<(WantedFile, Vec<ChunkId>)> = Vec::new();
    let mut wanted: HashSet<ChunkId> = HashSet::new();
    for (id, size) in files {
        let mut chunks = Vec::new();
        match view.manifest(*id)? {
            Some(manifest) => {
                for span in ChunkCursor::new(&manifest, view) {
                    let span = span.map_err(|error| RepoError::Structure { message: error.to_string() })?;
                    chunks.push(span.id);
                }
            }
            None => chunks.push((*id).into()),
        }
        wanted.extend(chunks.iter().copied());
        chunks_of.push(((*id, *size), chunks));
    }
    let seen: Mutex<HashSet<ChunkId>> = Mutex::default();
    let all: Vec<ChunkId> = wanted.iter().copied().collect();
    for chunks in all.chunks(description.limits.chunks_max) {
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        opened.remote.fetch_chunks(chunks, &|block| {
            let block = OpenBlock::open(block)
                .map_err(|damage| SyncError::Invalid { what: "a block", detail: damage.to_string() })?;
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            for (id, bytes) in block.chunks().filter(|(id, _)| wanted.contains(id)) {
                if seen.insert(id) {
                    monitor.advance(Advance { bytes: bytes.len() as u64, ..Advance::default() });
                }
            }
            Ok(())
        })?;
    }
    let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    let whole = chunks_of.into_iter().filter(|(_, chunks)| chunks.iter().all(|id| seen.contains(id)));
    given_as_files(opened, description, view, whole.map(|(file, _)| file).collect())
}

/// Of files whose chunks are there, those that the remote also gives as files: chunks that only happen to lie
/// there go with its next collection.
fn given_as_files(
    opened: &OpenRemote,
    description: &Description,
    view: &View,
    files: Vec<WantedFile>,
) -> Result<Vec<WantedFile>, AppError> {
    let mut given = Vec::with_capacity(files.len());
    for group in files.chunks(description.limits.keys()) {
        let (mut keys, mut expected) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        for (id, _) in group {
            let has_manifest = view.manifest(*id)?.is_some();
            // A file that is one chunk is that chunk, unless it was erased there.
            let kind = if has_manifest { Kind::Manifest } else { Kind::Tombstone };
            keys.push(ObjectKey::new(kind, *id.as_bytes()));
            expected.push(has_manifest);
        }
        let answers = opened.remote.have(&keys)?.into_iter().zip(expected);
        let fits =
            |(file, (answer, expected)): (&WantedFile, (bool, bool))| (answer == expected).then_some(*file);
        given.extend(group.iter().zip(answers).filter_map(fits));
    }
    Ok(given)
}
