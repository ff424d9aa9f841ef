//! `init`: makes a repository in a folder that may already hold any amount of work.

use crate::app::error::AppError;
use crate::base::id::RepositoryId;
use crate::repo::Repository;
use crate::rules::ignore::DEFAULT_IGNORE_FILE;
use crate::store::StoreSettings;
use serde::Serialize;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Name of the file with the ignore rules of a folder.
pub const IGNORE_FILE: &str = ".pentignore";

/// What to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder; made when it does not exist.
    pub folder: PathBuf,
    /// Sixteen random bytes that name the repository and all its clones.
    pub id: RepositoryId,
    /// Whether to write a `.pentignore` with the usual rules when there is none.
    pub ignore_file: bool,
}

/// What was made.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The worktree's folder.
    pub root: PathBuf,
    /// The id of the repository.
    pub id: RepositoryId,
    /// The branch that the first commit will go to.
    pub branch: String,
    /// Whether a `.pentignore` was written.
    pub ignore_file: bool,
    /// Whether the folder holds anything that could be committed.
    pub has_work: bool,
}

/// Makes the repository.
pub fn run(options: &Options) -> Result<Report, AppError> {
    let folder = &options.folder;
    let io = |action: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| AppError::Io { action, path, source }
    };
    fs::create_dir_all(folder).map_err(io("making", folder))?;
    let root = folder.canonicalize().map_err(io("finding", folder))?;
    let has_work = fs::read_dir(&root).map_err(io("reading", &root))?.next().is_some();
    let settings = StoreSettings::new(options.id);
    let repository = Repository::create(&root, &settings)?;
    let ignore_path = root.join(IGNORE_FILE);
    let mut ignore_file = false;
    if options.ignore_file {
        ignore_file = write_new(&ignore_path, DEFAULT_IGNORE_FILE).map_err(io("writing", &ignore_path))?;
    }
    let branch = repository.view()?.state()?.branch.name().to_owned();
    Ok(Report { root, id: options.id, branch, ignore_file, has_work })
}

/// Writes a file unless something of that name is there already.
fn write_new(path: &Path, text: &str) -> std::io::Result<bool> {
    match fs::File::options().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
