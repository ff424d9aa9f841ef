//! Locks taken for what has been changed and one person at a time should change: by a commit (`lock.auto`), and as
//! soon as a change is noticed.

use crate::app::common::locks::LockNotes;
use crate::app::common::read_only::lockable;
use crate::app::error::AppError;
use crate::app::lock::{LockFailure, Locking, Options, Report};
use crate::app::status::{self, ChangeLine};
use crate::base::id::{AssetId, PersonId};
use crate::base::path::AssetPath;
use crate::repo::Repository;

/// Locks the assets that a commit of some paths (all when empty) would change and that nobody else should
/// change meanwhile. `None` when all of them are locked already, or there is none.
///
/// # Errors
/// [`LockFailure::Held`] when somebody else holds one; nothing is to be committed then.
pub fn before_commit(
    locking: &Locking<'_>,
    paths: &[AssetPath],
    person: PersonId,
    lease_ms: i64,
) -> Result<Option<Report>, AppError> {
    let options = Options { paths: paths.to_vec(), lease_ms: Some(lease_ms), ..Options::default() };
    let Some(report) = changed(locking, options, person)? else { return Ok(None) };
    match report.refused.first() {
        Some(refused) => {
            let (path, why) = (refused.path.clone(), refused.why.clone());
            Err(LockFailure::Held { path, why }.into())
        }
        None => Ok(Some(report)),
    }
}

/// Locks the assets at or below some paths (everywhere when there are none) that are changed here and that nobody
/// else should change meanwhile. `None` when all of them are locked already, or there is none. What somebody else
/// holds is among what was refused.
pub fn changed(
    locking: &Locking<'_>,
    options: Options,
    person: PersonId,
) -> Result<Option<Report>, AppError> {
    let look = status::Options { paths: options.paths.clone(), ..status::Options::default() };
    let report = status::run(locking.repository, &look, locking.monitor)?;
    let paths = unlocked(locking.repository, &report.changes, Some(person))?;
    if paths.is_empty() {
        return Ok(None);
    }
    locking.lock(&Options { paths, ..options }).map(Some)
}

/// Of what is changed here, where that was which one person at a time should change and which this person has not
/// locked.
pub fn unlocked(
    repository: &Repository,
    changes: &[ChangeLine],
    person: Option<PersonId>,
) -> Result<Vec<AssetPath>, AppError> {
    let view = repository.view()?;
    let lockable = lockable(repository, &view)?;
    if lockable.is_empty() {
        return Ok(Vec::new());
    }
    let notes = LockNotes::read(&view)?;
    let is_mine = |asset: AssetId| notes.locks.get(&asset).is_some_and(|lock| Some(lock.person) == person);
    let before = |line: &ChangeLine| line.from.clone().unwrap_or_else(|| line.path.clone());
    let changed = changes.iter().filter(|line| line.what != "metadata");
    let open = changed.filter(|line| line.asset.is_some_and(|asset| !is_mine(asset))).map(before);
    Ok(open.filter(|path| lockable.covers(path)).collect())
}
