//! `export git`: history as a Git repository.

use crate::app::common::on_demand::{files_of_history, have_content};
use crate::app::error::AppError;
use crate::app::import_git::LFS_KEY;
use crate::base::id::CommitId;
use crate::base::local_path::LocalPath;
use crate::base::monitor::Monitor;
use crate::import::git::export::{ExportWish, Exported, export};
use crate::import::git::settings::patterns_of;
use crate::repo::Repository;
use crate::repo::config::{Scope, SettingsFile, find_key};
use crate::repo::refs::RefKind;
use serde::Serialize;
use std::path::PathBuf;

/// What to export.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that becomes a bare Git repository; new or empty.
    pub target: PathBuf,
    /// Which names, and which files as Git LFS pointers.
    pub wish: ExportWish,
}

/// What was exported.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The repository.
    pub target: LocalPath,
    /// What is in it.
    #[serde(flatten)]
    pub exported: Exported,
}

/// Exports.
pub fn run(repository: &Repository, options: &Options, monitor: &dyn Monitor) -> Result<Report, AppError> {
    let mut wish = options.wish.clone();
    let settings = SettingsFile::read(&repository.pent_dir().join("config.toml"), Scope::Repository)?;
    if let Some(key) = find_key(LFS_KEY)
        && let Some(line) = settings.get(key)?
    {
        wish.lfs.native = patterns_of(&line);
    }
    let view = repository.view()?;
    if view.is_partial()? {
        // Git has no word for content that is elsewhere.
        let names = view.references()?.into_iter().filter(|(name, _)| name.kind() != RefKind::Remote);
        let tips: Vec<CommitId> = names.map(|(_, target)| target.commit).collect();
        have_content(repository, &view, files_of_history(&view, tips, &[], monitor)?, monitor)?;
    }
    let exported = export(repository, &options.target, &wish, monitor)?;
    Ok(Report { target: options.target.as_path().into(), exported })
}
