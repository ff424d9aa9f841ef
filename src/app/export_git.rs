//! `export git`: history as a Git repository.

use crate::app::error::AppError;
use crate::app::import_git::LFS_KEY;
use crate::base::local_path::LocalPath;
use crate::base::monitor::Monitor;
use crate::import::git::export::{ExportWish, Exported, export};
use crate::import::git::settings::patterns_of;
use crate::repo::Repository;
use crate::repo::config::{Scope, SettingsFile, find_key};
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
        // A name is all that is looked at: patterns with folders in them do not hold here.
        wish.lfs.native = patterns_of(&line).into_iter().filter(|pattern| !pattern.contains('/')).collect();
    }
    let exported = export(repository, &options.target, &wish, monitor)?;
    Ok(Report { target: options.target.as_path().into(), exported })
}
