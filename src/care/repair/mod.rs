//! Brings back what a repository still says about itself.
//!
//! ```text
//! format       written anew
//! database     a new one from the transaction log, else from the pages of the old, which is kept aside
//! log          a new one from the database
//! packs        what is sound of a damaged one moves to another; a copy is kept aside
//! index        from the packs
//! content      chunks that are lost everywhere else, from the user's own files
//! names        from the journal
//! ```
//!
//! Nothing is changed before a copy of it lies in `.pent/quarantine`, and nothing that was removed
//! for good comes back.

mod content;
mod database;
mod logs;
mod packs;
mod records;
mod rows;

pub use content::restore_from_files;

use crate::base::id::{ChunkId, RepositoryId};
use crate::base::local_path::LocalPath;
use crate::base::monitor::Monitor;
use crate::base::size::count;
use crate::base::time::Timestamp;
use crate::care::error::CareError;
use crate::care::fsck::{self, FindingKind, Outcome};
use crate::care::repair_marker;
use crate::repo::reach::{Roots, reach_around_damage};
use crate::repo::tombstone::{Tombstone, TombstoneRow};
use crate::repo::{PENT_DIR, Repository, View};
use crate::store::disk::RealDisk;
use crate::store::{Space, Store, StoreError, SweepLock, WorktreeLock};
use serde::Serialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// How to repair.
#[derive(Debug, Clone)]
pub struct Options {
    /// The present moment.
    pub now: Timestamp,
    /// The id that the repository gets when nothing says what it was.
    pub new_id: RepositoryId,
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `format`, `database`, `log`, `pack`, `index`, `record`, `name`, `content` or `sidecar`.
    pub what: &'static str,
    /// What was done, as a sentence without its full stop.
    pub message: String,
    /// Where what was there before is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<LocalPath>,
}

/// What was done so far.
#[derive(Debug, Default)]
pub struct Steps(pub Vec<Step>);

impl Steps {
    /// Takes note of something that was done.
    pub fn add(&mut self, what: &'static str, message: impl Into<String>, kept: Option<PathBuf>) {
        self.0.push(Step { what, message: message.into(), kept: kept.map(LocalPath::from) });
    }
}

/// A repository that opens again, and what is left to be mended.
pub struct Opened {
    /// The repository.
    pub repository: Repository,
    /// Keeps other commands from changing the worktree until the repair has ended.
    pub lock: WorktreeLock,
    /// What was checked, when nothing was wrong at all.
    pub sound: Option<Outcome>,
}

/// Makes the repository whose worktree is `root` one that opens, and mends what can be mended from the
/// repository alone.
pub fn mend(
    root: &Path,
    options: &Options,
    steps: &mut Steps,
    monitor: &dyn Monitor,
) -> Result<Opened, CareError> {
    let pent_dir = root.join(PENT_DIR);
    if !pent_dir.is_dir() {
        return Err(CareError::BeyondRepair { path: root.to_owned() });
    }
    Store::make_folders(&RealDisk, &pent_dir)?;
    let unfinished = repair_marker::is_set(&pent_dir);
    let (repository, is_new) = database::open(root, options, steps, unfinished, monitor)?;
    let lock = repository.store().lock_worktree(monitor)?;
    if is_new || unfinished {
        // A new database knows no chunk yet: without this all would be missed, and named by path.
        let sweep = repository.store().lock_sweep(monitor)?;
        reindex(&repository, options, &sweep, steps, monitor)?;
    }
    records::mend(&repository, steps, monitor)?;
    logs::mend(&repository, steps)?;
    let outcome = fsck::check(&repository, &fsck::Options::everything(options.now), monitor)?;
    if !outcome.findings.is_empty() || unfinished {
        repair_marker::set(&pent_dir)?;
        mend_findings(&repository, options, &outcome, steps, monitor)?;
        return Ok(Opened { repository, lock, sound: None });
    }
    Ok(Opened { repository, lock, sound: Some(outcome) })
}

fn mend_findings(
    repository: &Repository,
    options: &Options,
    outcome: &Outcome,
    steps: &mut Steps,
    monitor: &dyn Monitor,
) -> Result<(), CareError> {
    records::replace_damaged_objects(repository, &outcome.findings, steps)?;
    renew_log(repository, outcome, steps)?;
    let sweep = repository.store().lock_sweep(monitor)?;
    packs::mend(repository, outcome, &sweep, steps, monitor)?;
    reindex(repository, options, &sweep, steps, monitor)
}

/// Brings the index of chunks back from the packs.
fn reindex(
    repository: &Repository,
    options: &Options,
    sweep: &SweepLock,
    steps: &mut Steps,
    monitor: &dyn Monitor,
) -> Result<(), CareError> {
    let allowed = Allowed::of(repository, options.now, monitor)?;
    let found = repository.store().reindex(&|chunk| allowed.is_allowed(chunk), sweep, monitor)?;
    if found.rows_written > 0 {
        let message =
            format!("the index has {} back from the packs", count(found.rows_written, "chunk", "chunks"));
        steps.add("index", message, None);
    }
    Ok(())
}

/// Writes the transaction log anew where it is damaged; the old one is kept.
fn renew_log(repository: &Repository, outcome: &Outcome, steps: &mut Steps) -> Result<(), CareError> {
    if !outcome.findings.lines().iter().any(|line| line.kind == FindingKind::TransactionLog) {
        return Ok(());
    }
    let mut transaction = repository.store().begin()?;
    transaction.replace_log();
    transaction.commit()?;
    steps.add("log", "the transaction log was written anew from the database", None);
    Ok(())
}

/// Says that a repair has ended, whatever is left.
pub fn finish(repository: &Repository) -> Result<(), CareError> {
    repair_marker::clear(repository.pent_dir())
}

/// Which chunks may come back: all but those that went with an erased file and that no other needs.
struct Allowed {
    erased: HashSet<ChunkId>,
    needed: Option<crate::repo::reach::Reached>,
}

impl Allowed {
    fn of(repository: &Repository, now: Timestamp, monitor: &dyn Monitor) -> Result<Self, CareError> {
        let view = repository.view()?;
        let erased = erased_chunks(&view)?;
        if erased.is_empty() {
            return Ok(Self { erased, needed: None });
        }
        let roots = Roots::of(&view, now)?;
        Ok(Self { erased, needed: Some(reach_around_damage(&view, &roots, monitor)?) })
    }

    fn is_allowed(&self, chunk: ChunkId) -> bool {
        !self.erased.contains(&chunk) || self.needed.as_ref().is_some_and(|needed| needed.has_chunk(chunk))
    }
}

/// Every chunk that went with an erased file.
pub(super) fn erased_chunks(view: &View) -> Result<HashSet<ChunkId>, StoreError> {
    let mut chunks = HashSet::new();
    for row in view.snapshot().scan_prefix(Space::Tombstones, b"")? {
        let (key, value) = row?;
        if Tombstone::row_of(&key) == TombstoneRow::Page {
            // A page that cannot be read names nothing; fsck says that it is damaged.
            chunks.extend(Tombstone::decode_page(&value).into_iter().flatten());
        }
    }
    Ok(chunks)
}
