//! `init`: makes a repository in a folder that may already hold any amount of work.

use crate::app::error::AppError;
use crate::base::id::RepositoryId;
use crate::base::local_path::LocalPath;
use crate::repo::Repository;
use crate::store::StoreSettings;
use serde::Serialize;
use std::fs;
use std::path::PathBuf;

/// What to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder; made when it does not exist.
    pub folder: PathBuf,
    /// Sixteen random bytes that name the repository and all its clones.
    pub id: RepositoryId,
}

/// What was made.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The worktree's folder.
    pub root: LocalPath,
    /// The id of the repository.
    pub id: RepositoryId,
    /// The branch that the first commit will go to.
    pub branch: String,
    /// Whether the folder holds anything that could be committed.
    pub has_work: bool,
}

/// Makes the repository.
pub fn run(options: &Options) -> Result<Report, AppError> {
    let folder = &options.folder;
    fs::create_dir_all(folder).map_err(AppError::io("making", folder))?;
    let root = folder.canonicalize().map_err(AppError::io("finding", folder))?;
    let has_work = fs::read_dir(&root).map_err(AppError::io("reading", &root))?.next().is_some();
    let settings = StoreSettings::new(options.id);
    let repository = Repository::create(&root, &settings)?;
    let branch = repository.view()?.branch()?.clone().name().to_owned();
    Ok(Report { root: root.into(), id: options.id, branch, has_work })
}
