//! Begins a repository that others push to: one without files of its own.

use crate::app::error::AppError;
use crate::base::id::RepositoryId;
use crate::object::chunker::ChunkerParameters;
use crate::repo::{PENT_DIR, RepoError, Repository};
use crate::store::{Access, StoreSettings};
use crate::sync::SyncError;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Whether a repository is at a place.
pub fn is_there(root: &Path) -> bool {
    root.join(PENT_DIR).join("format").exists()
}

/// Opens the repository at a place; `None` when none is there.
pub fn open_at(root: &Path) -> Result<Option<Repository>, AppError> {
    if is_there(root) { Ok(Some(Repository::open(root, Access::ReadWrite)?)) } else { Ok(None) }
}

/// Begins a repository in a folder that is new or empty. One of the same id that is there already is
/// taken for one that was begun before.
pub fn begin_at(
    root: &Path,
    repository: RepositoryId,
    chunker: ChunkerParameters,
) -> Result<Repository, AppError> {
    if let Some(found) = open_at(root)? {
        if found.id() != repository {
            return Err(SyncError::OtherRepository { expected: found.id(), found: repository }.into());
        }
        show_nothing(&found)?;
        return Ok(found);
    }
    let io = |source| AppError::Io { action: "making", path: root.to_owned(), source };
    fs::create_dir_all(root).map_err(io)?;
    let mut others = fs::read_dir(root).map_err(io)?.flatten().filter(|entry| entry.file_name() != PENT_DIR);
    if others.next().is_some() {
        return Err(SyncError::NotOurs { address: "that place".to_owned() }.into());
    }
    let made = match Repository::create(root, &StoreSettings { repository, chunker }) {
        // Somebody else began it at the same moment.
        Err(RepoError::Exists { .. }) => return begin_at_once_more(root, repository),
        made => made?,
    };
    show_nothing(&made)?;
    Ok(made)
}

fn begin_at_once_more(root: &Path, repository: RepositoryId) -> Result<Repository, AppError> {
    match open_at(root)? {
        Some(found) if found.id() == repository => Ok(found),
        Some(found) => Err(SyncError::OtherRepository { expected: found.id(), found: repository }.into()),
        None => Err(SyncError::Busy { attempts: 1 }.into()),
    }
}

/// A repository in which nobody has worked yet shows no files, so that branches move freely.
fn show_nothing(repository: &Repository) -> Result<(), AppError> {
    let mut edit = repository.edit()?;
    let mut state = edit.state()?;
    if state.sparse.is_none() && repository.view()?.references()?.is_empty() {
        state.sparse = Some(BTreeSet::new());
        edit.put_state(&state)?;
        edit.commit()?;
    }
    Ok(())
}
