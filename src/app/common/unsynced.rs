//! Files that a finished change wrote and that may not be on the disk yet.
//!
//! A change of files does not wait until they are: their content is in the repository. It leaves a note
//! instead, and the next command that changes anything pays for what the system has not brought to the
//! disk by then, which is little or nothing. When the system went down in between, the files are looked at:
//! what is torn or gone is written again, what came back goes. Whatever was done to them later stays.

use crate::app::common::files_change::targets_between;
use crate::app::common::session::Session;
use crate::app::common::underway::{Carried, carry_out, is_content, is_there, task};
use crate::app::error::AppError;
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::tree_walk::entry_at;
use crate::repo::journal::FilesChange;
use crate::repo::state::{Unsynced, WorktreeState};
use crate::worktree::checkout::Wanted;
use crate::worktree::durable;
use crate::worktree::root::Worktree;
use crate::worktree::stat::FsTime;
use rayon::prelude::*;

/// Takes note of a change whose files were just written; syncs them where no later command could tell
/// that the system went down.
pub fn note(
    session: &Session<'_>,
    state: &mut WorktreeState,
    files: FilesChange,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    if let Some(earlier) = state.unsynced.take() {
        sync(session, earlier.files, monitor)?;
    }
    match (durable::boot(), FsTime::now_in(&session.state_dir())) {
        (Some(boot), Ok(FsTime(until_ns))) => state.unsynced = Some(Unsynced { files, boot, until_ns }),
        _ => sync(session, files, monitor)?,
    }
    Ok(())
}

/// Makes sure of the files of the last change, before anything is built on them.
pub fn make_sure(
    session: &mut Session<'_>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    let Some(unsynced) = session.state.unsynced.clone() else { return Ok(()) };
    if durable::boot().as_ref() != Some(&unsynced.boot) {
        mend(session, &unsynced, clock, monitor)?;
    }
    sync(session, unsynced.files, monitor)?;
    let mut edit = session.repository.edit()?;
    let state = WorktreeState { unsynced: None, ..session.state_in(&edit)? };
    edit.put_state(&state)?;
    edit.commit()?;
    session.state = state;
    Ok(())
}

fn sync(session: &Session<'_>, files: FilesChange, monitor: &dyn Monitor) -> Result<(), AppError> {
    let view = session.repository.view()?;
    let targets = targets_between(session, &view, files, session.base, monitor)?;
    let paths: Vec<AssetPath> = targets.into_iter().map(|target| target.path).collect();
    Ok(durable::sync(&session.worktree, &paths)?)
}

/// Writes again what did not reach the disk before the system went down.
fn mend(
    session: &mut Session<'_>,
    unsynced: &Unsynced,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    monitor.phase(Phase {
        name: "Looking at what was written before the system went down",
        files_total: None,
        bytes_total: None,
    });
    let files = unsynced.files;
    let targets = targets_between(session, &session.view, files, session.base, monitor)?;
    let before = |path: &AssetPath| entry_at(&session.view, files.before, path).ok().flatten();
    let torn: Vec<bool> = targets
        .par_iter()
        .map(|target| {
            !is_there(&session.worktree, target)
                && match is_older(&session.worktree, target, unsynced.until_ns) {
                    // What should be gone came back only if it is what was there.
                    true if target.content.is_none() => {
                        let node = session.worktree.look(&target.path).ok().flatten();
                        before(&target.path).zip(node).is_some_and(|(entry, node)| {
                            is_content(&session.worktree, &target.path, &entry.content, &node)
                        })
                    }
                    is_older => is_older,
                }
        })
        .collect();
    let open: Vec<Wanted> =
        targets.into_iter().zip(torn).filter_map(|(target, torn)| torn.then_some(target)).collect();
    if open.is_empty() {
        return Ok(());
    }
    let task = task(session, files, open.into(), None, monitor)?;
    let Carried { fresh, .. } = carry_out(session, None, &task.plan, "recovery", clock, monitor)?;
    session.remember(fresh, monitor)
}

/// Whether nobody has touched a path since a moment: neither the file that stands there, nor, where none
/// does, the folder that it would be in.
fn is_older(worktree: &Worktree, target: &Wanted, until_ns: i64) -> bool {
    let mut at = Some(target.path.clone());
    while let Some(path) = at {
        match worktree.look(&path) {
            Ok(Some(node)) => return node.stat.mtime_ns <= until_ns,
            Ok(None) => at = path.parent(),
            Err(_) => return false,
        }
    }
    false
}
