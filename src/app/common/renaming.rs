//! Gives a file or folder another place as every change of files is made: first the journal entry, the
//! state that holds afterwards and a note are real, then the thing is renamed, then the note goes. What
//! cannot be renamed leaves nothing behind in the records.

use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::repo::edit::JournalNote;
use crate::repo::journal::{FilesChange, JournalEntry};
use crate::repo::state::{Renaming, Underway, WorktreeState};
use crate::repo::{Edit, Repository};
use crate::store::Space;
use crate::worktree::displaced;
use crate::worktree::moving::{move_new, rename_new, temporary_name};
use crate::worktree::stat::Node;
use rustix::fd::OwnedFd;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;

/// Writes down that something is about to get another place: the journal entry, and the state that
/// holds when it has. Nothing is real before the edit is committed.
///
/// # Errors
/// When the records cannot be written.
pub fn announce_renaming(
    session: &Session<'_>,
    edit: &mut Edit,
    note: JournalNote,
    state: WorktreeState,
    renaming: Renaming,
    now: Timestamp,
) -> Result<Underway, AppError> {
    let sequence = edit.record(note, now)?;
    let underway = Underway {
        files: FilesChange::between(session.base, session.base),
        sequence,
        set_aside: None,
        brings_back: None,
        is_cleared: false,
        renaming: Some(renaming),
    };
    edit.put_state(&WorktreeState { underway: Some(underway.clone()), ..state })?;
    Ok(underway)
}

/// Does what was announced, unless it was done already: by hand, or by a command that was cut off.
///
/// # Errors
/// When it cannot be done; then it is as if it had never been announced. Where not even that could be
/// written down, the next command tries again.
pub fn rename_announced(session: &Session<'_>, underway: &Underway) -> Result<(), AppError> {
    let Some(Renaming { from, to, .. }) = &underway.renaming else { return Ok(()) };
    let renamed = if is_done(session, from, to) { Ok(()) } else { rename_in_worktree(session, from, to) };
    match renamed {
        Ok(()) => {
            // It is done and recorded. Where the disk has no room for this, the next command does it.
            let _ = forget_note(session.repository, underway, None);
            Ok(())
        }
        Err(error) => {
            let _ = forget_note(session.repository, underway, underway.renaming.as_ref());
            Err(error)
        }
    }
}

/// Goes on with a move that was cut off, or lets it be where it cannot be done any more: nothing was
/// lost by it, and what was to be moved stands where it stood.
///
/// # Errors
/// When what became of it cannot be written down.
pub fn finish_renaming(
    session: &mut Session<'_>,
    underway: &Underway,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    let Some(renaming) = &underway.renaming else { return Ok(()) };
    let Renaming { from, to, .. } = renaming;
    let is_done = if is_half_copied(session, from, to) {
        false
    } else {
        is_done(session, from, to) || rename_in_worktree(session, from, to).is_ok()
    };
    forget_note(session.repository, underway, (!is_done).then_some(renaming))?;
    session.remember(Vec::new(), monitor)
}

/// Takes the note away; with a renaming that was not done, what it said, too.
fn forget_note(
    repository: &Repository,
    underway: &Underway,
    undone: Option<&Renaming>,
) -> Result<(), AppError> {
    let mut edit = repository.edit()?;
    let mut state = edit.state()?;
    if state.underway.as_ref() != Some(underway) {
        return Ok(());
    }
    state.underway = None;
    if let Some(renaming) = undone {
        state.pending = renaming.before.clone();
        edit.transaction()
            .delete(Space::Journal, &JournalEntry::key(underway.sequence))
            .map_err(crate::repo::RepoError::from)?;
    }
    edit.put_state(&state)?;
    Ok(edit.commit()?)
}

fn is_done(session: &Session<'_>, from: &AssetPath, to: &AssetPath) -> bool {
    let stands = |path: &AssetPath| session.worktree.look(path).is_ok_and(|found| found.is_some());
    !stands(from) && stands(to)
}

/// Whether a copy to another file system may have been cut off: the original then waits in its folder
/// under a name of our own.
fn is_half_copied(session: &Session<'_>, from: &AssetPath, to: &AssetPath) -> bool {
    let folder = |path: &AssetPath| path.parent().unwrap_or_default();
    let device = |path: &AssetPath| {
        let place = session.worktree.full_path(&folder(path));
        std::fs::metadata(place).ok().map(|found| found.dev())
    };
    device(from) != device(to)
        && !displaced::leftovers_in(&session.worktree, &BTreeSet::from([folder(from)])).is_empty()
}

/// Whether two names in one folder differ by case alone. Where a file system folds case they are one.
pub fn is_recased(from: &AssetPath, to: &AssetPath) -> bool {
    let folded = |path: &AssetPath| String::from_utf8_lossy(path.name()).to_lowercase();
    from != to && from.parent() == to.parent() && folded(from) == folded(to)
}

/// Whether two looks were at one file.
pub fn is_same_file(one: &Node, other: &Node) -> bool {
    (one.kind, one.stat.inode) == (other.kind, other.stat.inode)
}

/// Changes the case of a name: by a third name, since the new one is taken by itself where case folds.
fn recase(folder: &OwnedFd, from: &[u8], to: &[u8]) -> io::Result<()> {
    let aside = temporary_name();
    rename_new(folder, from, folder, &aside)?;
    rename_new(folder, &aside, folder, to).map_err(|error| {
        // Back as it was. Should that fail too, it stays among the leftovers, which are kept.
        let _ = rename_new(folder, &aside, folder, from);
        error.into()
    })
}

/// Renames in the file system, copying where it lies on another one; never replaces anything and follows no link.
fn rename_in_worktree(session: &Session<'_>, from: &AssetPath, to: &AssetPath) -> Result<(), AppError> {
    let io = |path: &AssetPath, source: io::Error| AppError::Io {
        action: "moving",
        path: session.worktree.full_path(path),
        source,
    };
    let source = session.worktree.open_parent(from).map_err(|error| io(from, error))?;
    let source = source.ok_or_else(|| AppError::NotInRevision { path: from.clone() })?;
    let target = session.worktree.make_dir(&to.parent().unwrap_or_default())?;
    let moved = if is_recased(from, to) {
        recase(&source, from.name(), to.name())
    } else {
        move_new(&source, from.name(), &target, to.name())
    };
    match moved {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(AppError::PathTaken { path: to.clone() });
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(AppError::NotInRevision { path: from.clone() });
        }
        Err(error) => return Err(io(from, error)),
    }
    // The note goes after this: a power loss must not take the new name back once it has gone. Where a
    // file system cannot sync a folder, nothing better is to be had.
    let _ = rustix::fs::fsync(&target);
    let _ = rustix::fs::fsync(&source);
    session.worktree.remove_empty(&from.parent().unwrap_or_default());
    Ok(())
}
