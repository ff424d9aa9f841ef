//! Reads everything again and says what is damaged, and whom it concerns.
//!
//! ```text
//! database   every page against its checksum
//! log        every piece against its checksum, every record against the database
//! packs      every block header, every chunk hashed again, every row of the index
//! objects    every record hashed again under its kind; manifests must merge to their file ids
//! logs       every row of the review log and the shared log, signatures and the chain
//! roots      everything that names, journal and worktree reach is there
//! affected   which paths of which commits need what is damaged
//! ```
//!
//! Packs are read with plain reads, never through a mapping, in bounded pieces.

mod affected;
mod findings;
mod logs;
mod objects;
mod packs;
mod progress;

pub use affected::{AffectedLine, affected};
pub use findings::{Finding, FindingKind, Findings};
pub(in crate::care) use logs::RULES as LOG_RULES;
pub use progress::last_checked;

use crate::base::id::{CommitId, FileId};
use crate::base::monitor::{Monitor, Phase};
use crate::base::time::Timestamp;
use crate::care::error::CareError;
use crate::repo::reach::{Roots, reach_around_damage};
use crate::repo::refs::RefKind;
use crate::repo::{Repository, View};
use crate::store::StoreError;
use serde::Serialize;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What to check.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The present moment.
    pub now: Timestamp,
    /// How much of the content is hashed again, in hundredths of a percent.
    pub sample: u16,
    /// Only content that was not checked before.
    pub since_last: bool,
}

impl Options {
    /// Everything.
    pub const fn everything(now: Timestamp) -> Self {
        Self { now, sample: 10_000, since_last: false }
    }
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Packs.
    pub packs: u64,
    /// Chunks whose bytes were hashed again.
    pub chunks: u64,
    /// Their raw bytes.
    pub bytes: u64,
    /// Chunks that were left out, because of a sample or since they were checked before.
    pub chunks_left_out: u64,
    /// Commits, folders, descriptions and file records.
    pub objects: u64,
    /// Files whose content is on a remote and not in this clone.
    pub files_elsewhere: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was looked at.
    pub checked: Checked,
    /// What is wrong.
    pub findings: Findings,
    /// Which paths of which commits that concerns.
    pub affected: Vec<AffectedLine>,
}

/// Checks a repository.
pub fn check(
    repository: &Repository,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Outcome, CareError> {
    let mut outcome = Outcome::default();
    monitor.phase(Phase { name: "Checking the database", files_total: None, bytes_total: None });
    let sound = match repository.store().verify_database(monitor) {
        Ok(()) => true,
        Err(StoreError::DatabaseDamaged { detail }) => {
            outcome.findings.add(Finding::of(FindingKind::Database, format!("the database: {detail}")));
            false
        }
        Err(error) => return Err(error.into()),
    };
    if sound {
        check_log(repository, &mut outcome, monitor)?;
        check_content(repository, options, &mut outcome, monitor)?;
        if outcome.findings.is_empty() {
            progress::remember_moment(repository, options)?;
        }
        return Ok(outcome);
    }
    // A damaged database can do anything to whoever reads it; what it says up to then counts.
    match catch_unwind(AssertUnwindSafe(|| check_content(repository, options, &mut outcome, monitor))) {
        Ok(Err(CareError::Cancelled)) => Err(CareError::Cancelled),
        Ok(_) | Err(_) => Ok(outcome),
    }
}

/// The second copy of the records must be whole, and say what the database says.
fn check_log(repository: &Repository, outcome: &mut Outcome, monitor: &dyn Monitor) -> Result<(), CareError> {
    let check = repository.store().check_log(monitor)?;
    if check.missing > 0 {
        let error = StoreError::DatabaseBehind { transactions: check.missing };
        outcome.findings.add(Finding::of(FindingKind::Database, error.to_string()));
    }
    for fault in check.faults {
        outcome
            .findings
            .add(Finding::of(FindingKind::TransactionLog, format!("the transaction log: {fault}")));
    }
    Ok(())
}

fn check_content(
    repository: &Repository,
    options: &Options,
    outcome: &mut Outcome,
    monitor: &dyn Monitor,
) -> Result<(), CareError> {
    // Packs must not be rewritten while they are compared with what the index says of them.
    let _no_sweeps = match repository.store().lock_against_sweeps(monitor) {
        Ok(lock) => Some(lock),
        // Where nothing can be written nobody sweeps either.
        Err(StoreError::ReadOnly | StoreError::Io { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let view = repository.view()?;
    packs::check(repository, &view, options, outcome, monitor)?;
    objects::check(&view, outcome, monitor)?;
    logs::check(repository, &view, outcome)?;
    check_roots(&view, options, outcome, monitor)?;
    if outcome.findings.concerns_content() {
        outcome.affected = affected(&view, &outcome.findings, options.now, monitor)?;
    }
    Ok(())
}

/// The files that are not here and that remotes have, by what was seen of them and what they were told.
fn elsewhere(view: &View, monitor: &dyn Monitor) -> Result<HashSet<FileId>, CareError> {
    let names = view.references()?.into_iter().filter(|(name, _)| name.kind() == RefKind::Remote);
    let mut commits: Vec<CommitId> = names.map(|(_, target)| target.commit).collect();
    commits.extend(view.kept_elsewhere()?);
    let roots = Roots { commits, ..Roots::default() };
    Ok(reach_around_damage(view, &roots, monitor)?.missing_files)
}

/// Everything that is needed is there.
fn check_roots(
    view: &View,
    options: &Options,
    outcome: &mut Outcome,
    monitor: &dyn Monitor,
) -> Result<(), CareError> {
    monitor.phase(Phase { name: "Checking what is needed", files_total: None, bytes_total: None });
    // What of the roots cannot be read was found before.
    let Ok(roots) = Roots::of(view, options.now) else { return Ok(()) };
    let reached = reach_around_damage(view, &roots, monitor)?;
    for missing in &reached.missing {
        outcome.findings.add(Finding::missing(missing));
    }
    let mut elsewhere = if view.is_lazy()? { elsewhere(view, monitor)? } else { HashSet::new() };
    let withheld = view.withheld()?;
    if !withheld.is_empty() && !reached.missing_files.is_empty() {
        let files = view.files_ever_at(reached.commits.iter().copied(), &|path| withheld.covers(path))?;
        elsewhere.extend(files.into_keys());
    }
    for file in &reached.missing_files {
        if elsewhere.contains(file) {
            outcome.checked.files_elsewhere += 1;
        } else {
            outcome.findings.add_missing_file(*file);
        }
    }
    let snapshot = view.snapshot();
    for id in &reached.metadata {
        if !snapshot.contains(crate::store::Space::Metadata, id.as_bytes())? {
            outcome.findings.add_missing_metadata(*id);
        }
    }
    Ok(())
}
