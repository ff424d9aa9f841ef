//! `fsck`: reads everything again and says what is damaged.

use crate::app::common::session::{INDEX_FILE, STATE_DIR};
use crate::app::error::AppError;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::care::fsck::{self, AffectedLine, Checked, Finding, FindingKind, last_checked};
use crate::repo::Repository;
use crate::repo::config::{ConfigPaths, Settings};
use crate::worktree::displaced;
use crate::worktree::index::Index;
use crate::worktree::seen::Seen;
use serde::Serialize;
use std::path::Path;

/// What to check.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// How much of the content is read, in percent; all of it when `None`.
    pub sample_percent: Option<f64>,
    /// Only content that was not checked before.
    pub since_last: bool,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether nothing is wrong.
    pub sound: bool,
    /// What was looked at.
    pub checked: Checked,
    /// What is wrong, at most ten thousand lines.
    pub findings: Vec<Finding>,
    /// How many things are wrong.
    pub findings_total: u64,
    /// Which paths of which commits that concerns, at most ten thousand.
    pub affected: Vec<AffectedLine>,
    /// When everything was found sound the last time before, in milliseconds since 1970.
    pub last_sound_ms: Option<i64>,
}

/// Checks.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let sample = options.sample_percent.map_or(10_000, |percent| (percent.clamp(0.0, 100.0) * 100.0) as u16);
    let how = fsck::Options { now: clock.now(), sample, since_last: options.since_last };
    let last_sound_ms = repository.view().ok().and_then(|view| last_checked(&view).ok().flatten());
    let mut outcome = fsck::check(repository, &how, monitor)?;
    for finding in sidecars(repository.pent_dir()) {
        outcome.findings.add(finding);
    }
    Ok(Report {
        sound: outcome.findings.is_empty(),
        checked: outcome.checked,
        findings: outcome.findings.lines().to_vec(),
        findings_total: outcome.findings.total(),
        affected: outcome.affected,
        last_sound_ms,
    })
}

/// What is wrong with the files beside the database.
pub(crate) fn sidecars(pent_dir: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut note = |kind, message: String| found.push(Finding::of(kind, message));
    let index = pent_dir.join(STATE_DIR).join(INDEX_FILE);
    if index.exists() && Index::open(&index).is_none_or(|index| index.check().is_err()) {
        note(FindingKind::Sidecar, "what is remembered of your files (worktree/index) is damaged".into());
    }
    let seen = pent_dir.join(STATE_DIR).join(crate::worktree::status::SEEN_FILE);
    if seen.exists() && Seen::open(&seen).is_none() {
        note(FindingKind::Sidecar, "what is remembered of changed files (worktree/seen) is damaged".into());
    }
    let config = ConfigPaths { person: None, repository: Some(pent_dir.join("config.toml")) };
    if let Err(error) = Settings::read(&config) {
        note(FindingKind::Settings, format!("the settings of this repository: {error}"));
    }
    for (id, _) in displaced::folders(pent_dir).unwrap_or_default() {
        match displaced::find(pent_dir, &id) {
            Ok(set) if set.is_whole() => {}
            Ok(_) => note(
                FindingKind::Sidecar,
                format!("the list of files that were set aside as {id} is damaged"),
            ),
            Err(error) => note(FindingKind::Sidecar, format!("files that were set aside as {id}: {error}")),
        }
    }
    found
}
