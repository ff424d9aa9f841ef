//! Tells a remote what this clone relies on, when it does not have everything itself.

use crate::app::common::remotes::{OpenRemote, new_token};
use crate::app::error::AppError;
use crate::base::id::{CommitId, PackId};
use crate::repo::history::is_ancestor;
use crate::repo::partial::KeepRecord;
use crate::repo::refs::{RefKind, RefName};
use crate::repo::{Repository, View};
use crate::sync::keep::CloneId;
use std::collections::BTreeSet;

/// Commits that no name of the remote leads to any more and that are still told.
const OLD_MAX: usize = 1000;

/// Tells the remote what this clone relies on there. Does nothing in a clone that has everything.
///
/// Gives whether the names of the remote still are where this clone saw them: if not, what they led to
/// may have been on its way out before the remote heard of it, and the caller fetches again.
pub fn renew(repository: &Repository, opened: &OpenRemote) -> Result<bool, AppError> {
    let view = repository.view()?;
    if !view.is_partial()? {
        return Ok(true);
    }
    let before = view.keep_record(&opened.name)?;
    let clone = clone_id(&before)?;
    let seen = seen(&view, opened)?;
    let mut commits: BTreeSet<CommitId> = seen.iter().map(|(_, commit)| *commit).collect();
    let old: Vec<CommitId> = before.commits.difference(&commits).copied().take(OLD_MAX).collect();
    for commit in old {
        if is_needed(&view, commit)? {
            commits.insert(commit);
        }
    }
    let told: Vec<CommitId> = commits.iter().copied().collect();
    opened.remote.keep(&clone, &told)?;
    let after = KeepRecord { clone: PackId::from_bytes(clone).to_string(), commits };
    if after != before {
        let mut edit = repository.edit()?;
        edit.put_keep_record(&opened.name, &after)?;
        edit.commit()?;
    }
    let refs = opened.remote.describe()?.refs;
    Ok(seen.iter().all(|(name, commit)| refs.get(name).is_some_and(|target| target.commit == *commit)))
}

/// Where the names of the remote were when it was fetched from last: its branches, and those of our tags
/// that it has.
fn seen(view: &View, opened: &OpenRemote) -> Result<Vec<(RefName, CommitId)>, AppError> {
    let theirs = opened.remote.describe()?.refs;
    let mut seen = Vec::new();
    for (name, target) in view.references()? {
        match name.remote_parts() {
            Some((remote, branch)) if remote == opened.name => {
                seen.push((RefName::branch(branch)?, target.commit));
            }
            None if name.kind() == RefKind::Tag && theirs.get(&name) == Some(&target) => {
                seen.push((name, target.commit));
            }
            _ => {}
        }
    }
    Ok(seen)
}

/// Whether a name here leads to a commit.
fn is_needed(view: &View, commit: CommitId) -> Result<bool, AppError> {
    for (_, target) in view.references()? {
        if is_ancestor(view, commit, target.commit)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn clone_id(record: &KeepRecord) -> Result<CloneId, AppError> {
    match record.clone.parse::<PackId>() {
        Ok(id) => Ok(*id.as_bytes()),
        Err(_) => new_token(),
    }
}
