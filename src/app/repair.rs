//! `repair`: brings back what the repository still says about itself, and what the user's own files
//! still have.

use crate::app::common::session::{INDEX_FILE, STATE_DIR};
use crate::app::error::AppError;
use crate::app::fsck::sidecars;
use crate::base::id::RepositoryId;
use crate::base::local_path::LocalPath;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::care::fsck::{self, AffectedLine, Checked, Finding, FindingKind, Outcome};
use crate::care::repair::{self, Opened, Step, Steps};
use crate::repo::Repository;
use crate::worktree::displaced;
use crate::worktree::status::SEEN_FILE;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// How to repair.
#[derive(Debug, Clone)]
pub struct Options {
    /// The worktree's folder.
    pub root: PathBuf,
    /// More folders that may hold lost content: a backup, an export.
    pub search: Vec<PathBuf>,
    /// Sixteen random bytes: the repository's id when nothing says what it was.
    pub new_id: RepositoryId,
}

/// What was done, and what is lost.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether nothing is wrong now.
    pub sound: bool,
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// Files in which lost content was found.
    pub found_in: Vec<LocalPath>,
    /// What was looked at in the end.
    pub checked: Checked,
    /// What is still wrong, at most ten thousand lines.
    pub findings: Vec<Finding>,
    /// How many things are still wrong.
    pub findings_total: u64,
    /// What is lost: paths of commits whose content is nowhere.
    pub lost: Vec<AffectedLine>,
}

/// Repairs.
pub fn run(options: &Options, clock: &dyn Clock, monitor: &dyn Monitor) -> Result<Report, AppError> {
    let how = repair::Options { now: clock.now(), new_id: options.new_id };
    let mut steps = Steps::default();
    let Opened { repository, lock, sound } = repair::mend(&options.root, &how, &mut steps, monitor)?;
    put_sidecars_aside(&repository, &mut steps)?;
    mend_set_aside(&repository, &mut steps)?;
    let everything = fsck::Options::everything(how.now);
    let mut found_in = Vec::new();
    let mut outcome = match sound {
        Some(outcome) => outcome,
        None => fsck::check(&repository, &everything, monitor)?,
    };
    if !outcome.findings.is_empty() {
        found_in = look_in_files(&repository, options, &outcome, &mut steps, monitor)?;
        if !found_in.is_empty() {
            outcome = fsck::check(&repository, &everything, monitor)?;
        }
    }
    repair::finish(&repository)?;
    drop(lock);
    for finding in sidecars(repository.pent_dir()) {
        outcome.findings.add(finding);
    }
    Ok(Report {
        sound: outcome.findings.is_empty(),
        steps: steps.0,
        found_in,
        checked: outcome.checked,
        findings: outcome.findings.lines().to_vec(),
        findings_total: outcome.findings.total(),
        lost: outcome.affected,
    })
}

fn look_in_files(
    repository: &Repository,
    options: &Options,
    outcome: &Outcome,
    steps: &mut Steps,
    monitor: &dyn Monitor,
) -> Result<Vec<LocalPath>, AppError> {
    let mut folders = vec![repository.root().to_owned()];
    folders.extend(displaced::folders(repository.pent_dir())?.into_iter().map(|(_, folder)| folder));
    folders.extend(options.search.iter().cloned());
    let found = repair::restore_from_files(repository, &folders, outcome, steps, monitor)?;
    Ok(found.into_iter().map(LocalPath::from).collect())
}

/// Writes lists of set-aside files anew that cannot be read; the old list is kept.
fn mend_set_aside(repository: &Repository, steps: &mut Steps) -> Result<(), AppError> {
    let pent_dir = repository.pent_dir();
    for (id, _) in displaced::folders(pent_dir)? {
        if displaced::find(pent_dir, &id)?.is_whole() {
            continue;
        }
        let old = displaced::mend(pent_dir, &id)?;
        let folder = pent_dir.join("quarantine");
        let kept = folder.join(format!("{id}-manifest"));
        let write = || fs::create_dir_all(&folder).and_then(|()| fs::write(&kept, &old));
        write().map_err(|source| AppError::Io { action: "writing", path: kept.clone(), source })?;
        steps.add("sidecar", format!("the list of the files set aside as {id} was written anew"), Some(kept));
    }
    Ok(())
}

/// Puts damaged files aside that are made anew when they are missing.
fn put_sidecars_aside(repository: &Repository, steps: &mut Steps) -> Result<(), AppError> {
    let pent_dir = repository.pent_dir();
    let state = pent_dir.join(STATE_DIR);
    let mut places = Vec::new();
    for finding in sidecars(pent_dir) {
        match finding.kind {
            FindingKind::Settings => {
                places.push((pent_dir.join("config.toml"), "the settings of this repository"));
            }
            FindingKind::Sidecar if finding.message.contains("worktree/index") => {
                places.push((state.join(INDEX_FILE), "what was remembered of your files"));
            }
            FindingKind::Sidecar if finding.message.contains("worktree/seen") => {
                places.push((state.join(SEEN_FILE), "what was remembered of changed files"));
            }
            _ => {}
        }
    }
    for (place, what) in places {
        let kept = put_aside(pent_dir, &place)?;
        steps.add("sidecar", format!("{what} could not be read and was put aside"), Some(kept));
    }
    Ok(())
}

fn put_aside(pent_dir: &Path, place: &Path) -> Result<PathBuf, AppError> {
    let folder = pent_dir.join("quarantine");
    fs::create_dir_all(&folder).map_err(AppError::io("making", &folder))?;
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut number = 1;
    let mut kept = folder.join(format!("{name}-{number}"));
    while kept.exists() {
        number += 1;
        kept = folder.join(format!("{name}-{number}"));
    }
    fs::rename(place, &kept).map_err(AppError::io("moving", place))?;
    Ok(kept)
}
