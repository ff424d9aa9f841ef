//! What commands set aside: lists it, and brings any of it back.
//!
//! `undo` and `redo` bring back what the command replaced that they take back or do again. This reaches
//! the rest too: what was set aside in another folder, while a change was finished that had been cut off,
//! or under an entry of the journal that nobody wants to take back.

use crate::app::common::problem::ProblemLine;
use crate::app::common::session::Session;
use crate::app::common::target::refuse_repository;
use crate::app::error::AppError;
use crate::base::local_path::LocalPath;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::repo::Repository;
use crate::worktree::displaced::{self, DisplacedSet};
use crate::worktree::root::Worktree;
use serde::Serialize;
use std::path::PathBuf;

/// What to bring back.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The name under which it was set aside.
    pub id: String,
    /// Only what stood at or below these paths; everything when empty.
    pub paths: Vec<AssetPath>,
    /// Into this folder instead of where it stood.
    pub to: Option<PathBuf>,
}

/// What is set aside.
#[derive(Debug, Clone, Serialize)]
pub struct ListReport {
    /// One for each command that set something aside, the latest first.
    pub sets: Vec<DisplacedSet>,
}

/// What was brought back.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The name under which it was set aside.
    pub id: String,
    /// Into which folder; `None` for the worktree.
    pub to: Option<LocalPath>,
    /// What stands in its place again.
    pub brought_back: Vec<AssetPath>,
    /// What is still set aside, each with its reason.
    pub problems: Vec<ProblemLine>,
}

/// Lists what is set aside.
pub fn list(repository: &Repository) -> Result<ListReport, AppError> {
    Ok(ListReport { sets: displaced::list(repository.pent_dir())? })
}

/// Brings things back to where they stood, or into another folder. Nothing is replaced: a thing whose
/// place is taken stays where it is.
///
/// # Errors
/// When nothing was set aside under that name, or nothing of it stood at the paths.
pub fn bring_back(
    repository: &Repository,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    // Others who change files here wait, and so does whoever removes sets that are old.
    let session = Session::begin(repository, monitor)?;
    let pent_dir = repository.pent_dir();
    let mut set = displaced::find(pent_dir, &options.id)?;
    let is_wanted = |path: &AssetPath| {
        options.paths.is_empty() || options.paths.iter().any(|folder| path.is_within(folder))
    };
    let unplaced = set.items.iter().filter(|item| item.path.is_none() && options.paths.is_empty()).count();
    set.items.retain(|item| item.path.as_ref().is_some_and(is_wanted));
    if let (true, Some(path)) = (set.items.is_empty(), options.paths.first()) {
        return Err(AppError::NotInRevision { path: path.clone() });
    }
    let elsewhere = match &options.to {
        None => None,
        Some(folder) => {
            refuse_repository(folder)?;
            std::fs::create_dir_all(folder).map_err(AppError::io("making", folder))?;
            Some(Worktree::open(folder)?)
        }
    };
    let back = displaced::restore_all(pent_dir, &set, elsewhere.as_ref().unwrap_or(&session.worktree))?;
    let failed = back.failed.into_iter();
    let mut problems: Vec<ProblemLine> =
        failed.map(|(path, error)| ProblemLine { path, message: error.to_string() }).collect();
    if unplaced > 0 {
        let message = format!("where {unplaced} of it stood is not known; `pent repair` gives it names");
        problems.push(ProblemLine { path: AssetPath::root(), message });
    }
    let to = options.to.clone().map(LocalPath::from);
    Ok(Report { id: options.id.clone(), to, brought_back: back.paths, problems })
}
