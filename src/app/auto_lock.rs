//! Locks taken by a commit (`lock.auto`): whatever it is about to change that one person at a time should.

use crate::app::common::locks::LockNotes;
use crate::app::common::read_only::lockable;
use crate::app::error::AppError;
use crate::app::lock::{LockFailure, Locking, Options, Report};
use crate::app::status::{self, ChangeLine};
use crate::base::id::{AssetId, PersonId};
use crate::base::path::AssetPath;

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
    let view = locking.repository.view()?;
    let lockable = lockable(locking.repository, &view)?;
    if lockable.is_empty() {
        return Ok(None);
    }
    let notes = LockNotes::read(&view)?;
    let is_mine = |asset: AssetId| notes.locks.get(&asset).is_some_and(|lock| lock.person == person);
    let look = status::Options { paths: paths.to_vec(), ..status::Options::default() };
    let report = status::run(locking.repository, &look, locking.monitor)?;
    let before = |line: &ChangeLine| line.from.clone().unwrap_or_else(|| line.path.clone());
    let changed = report.changes.iter().filter(|line| line.what != "metadata");
    let wanted: Vec<AssetPath> = changed
        .filter(|line| line.asset.is_some_and(|asset| !is_mine(asset)))
        .map(before)
        .filter(|path| lockable.covers(path))
        .collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let options = Options { paths: wanted, lease_ms: Some(lease_ms), ..Options::default() };
    let report = locking.lock(&options)?;
    match report.refused.first() {
        Some(refused) => {
            let (path, why) = (refused.path.clone(), refused.why.clone());
            Err(LockFailure::Held { path, why }.into())
        }
        None => Ok(Some(report)),
    }
}
