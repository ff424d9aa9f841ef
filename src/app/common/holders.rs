//! Which remotes hold the content that is not here: before one is forgotten, somebody else has to.

use crate::app::common::on_demand::files_of_history;
use crate::app::error::AppError;
use crate::base::id::{CommitId, FileId};
use crate::base::monitor::Monitor;
use crate::repo::View;
use crate::store::Space;
use crate::sync::remote::{Kind, ObjectKey, Remote};
use crate::sync::tracking::remote_records;
use std::collections::HashMap;

/// Insists that a remote is not the only one that is known to hold content which is not here, and which something
/// here leads to.
///
/// # Errors
/// [`AppError::OnlyHolder`] when it is.
pub fn insist_on_others(view: &View, remote: &str, monitor: &dyn Monitor) -> Result<(), AppError> {
    let mut absent = absent_without(view, remote, monitor)?;
    for (other, _) in remote_records(view)? {
        if absent.is_empty() {
            return Ok(());
        }
        if other != remote {
            let told = told(view, &other)?;
            let held = files_of_history(view, told, &[], monitor)?;
            absent.retain(|file, _| !held.contains_key(file));
        }
    }
    refuse(remote, &absent)
}

/// Insists that the remote that is to take the place of another has what that one was told to keep, if any content
/// is not here.
///
/// # Errors
/// [`AppError::OnlyHolder`] when it has not.
pub fn insist_on_successor(
    view: &View,
    remote: &str,
    successor: &dyn Remote,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    let absent = absent_without(view, remote, monitor)?;
    if absent.is_empty() {
        return Ok(());
    }
    let limits = successor.describe()?.limits;
    let mut there = Vec::new();
    for group in told(view, remote)?.chunks(limits.keys()) {
        let keys: Vec<ObjectKey> =
            group.iter().map(|commit| ObjectKey::new(Kind::Commit, *commit.as_bytes())).collect();
        let had = successor.have(&keys)?.into_iter().zip(group);
        there.extend(had.filter_map(|(had, commit)| had.then_some(*commit)));
    }
    // A commit that is there is there with all that it reaches.
    let held = files_of_history(view, there, &[], monitor)?;
    let lacking: HashMap<FileId, u64> =
        absent.into_iter().filter(|(file, _)| !held.contains_key(file)).collect();
    if lacking.is_empty() { Ok(()) } else { insist_on_others(view, remote, monitor) }
}

/// The files, with their sizes in bytes, that are not here and that something leads to when a remote is forgotten.
fn absent_without(
    view: &View,
    remote: &str,
    monitor: &dyn Monitor,
) -> Result<HashMap<FileId, u64>, AppError> {
    if !view.is_lazy()? {
        return Ok(HashMap::new());
    }
    let is_its =
        |name: &crate::repo::refs::RefName| name.remote_parts().is_some_and(|(other, _)| other == remote);
    let names = view.references()?.into_iter().filter(|(name, _)| !is_its(name));
    let tips: Vec<CommitId> = names.map(|(_, target)| target.commit).collect();
    let mut absent = HashMap::new();
    for (file, size) in files_of_history(view, tips, &[], monitor)? {
        if !view.has_content(file, size)? && !view.is_excused(file)? {
            absent.insert(file, size);
        }
    }
    Ok(absent)
}

/// The commits that a remote was told to keep and that are known here.
fn told(view: &View, remote: &str) -> Result<Vec<CommitId>, AppError> {
    let mut told = Vec::new();
    for commit in view.keep_record(remote)?.commits {
        if view.snapshot().contains(Space::Commits, commit.as_bytes())? {
            told.push(commit);
        }
    }
    Ok(told)
}

fn refuse(remote: &str, absent: &HashMap<FileId, u64>) -> Result<(), AppError> {
    if absent.is_empty() {
        return Ok(());
    }
    let (files, bytes) = (absent.len() as u64, absent.values().sum());
    Err(AppError::OnlyHolder { name: remote.to_owned(), files, bytes })
}
