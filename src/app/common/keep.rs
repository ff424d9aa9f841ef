//! Tells a remote what this clone relies on, when it does not have everything itself.

use crate::app::common::remotes::{OpenRemote, new_token};
use crate::app::error::AppError;
use crate::base::id::{CommitId, PackId};
use crate::repo::partial::KeepRecord;
use crate::repo::refs::{RefKind, RefName};
use crate::repo::{Repository, View};
use crate::sync::keep::CloneId;
use crate::sync::remote::Description;
use crate::sync::walk::commits_between;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

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
    let place = place(repository.pent_dir());
    let clone = clone_id(&before, &place)?;
    let seen = seen(&view, &opened.name, &opened.remote.describe()?)?;
    let mut commits: BTreeSet<CommitId> = seen.iter().map(|(_, commit)| *commit).collect();
    // What names here lead to and none of those does has to be said apart.
    let names: Vec<CommitId> = view.references()?.into_iter().map(|(_, target)| target.commit).collect();
    let told: Vec<CommitId> = commits.iter().copied().collect();
    let beyond: HashSet<CommitId> = commits_between(&view, &names, &told)?.0.into_iter().collect();
    commits.extend(before.commits.iter().filter(|commit| beyond.contains(commit)).take(OLD_MAX));
    let told: Vec<CommitId> = commits.iter().copied().collect();
    opened.remote.keep(&clone, &told)?;
    let after = KeepRecord { clone: PackId::from_bytes(clone).to_string(), place, commits };
    if after != before {
        let mut edit = repository.edit()?;
        edit.put_keep_record(&opened.name, &after)?;
        edit.commit()?;
    }
    let refs = opened.remote.describe()?.refs;
    Ok(seen.iter().all(|(name, commit)| refs.get(name).is_some_and(|target| target.commit == *commit)))
}

/// The commits that a remote is told of: what leads to content that may go here.
pub fn relied_on(view: &View, remote: &str, description: &Description) -> Result<Vec<CommitId>, AppError> {
    Ok(seen(view, remote, description)?.into_iter().map(|(_, commit)| commit).collect())
}

/// Where the names of the remote were when it was fetched from last: its branches, and those of our tags
/// that it has.
fn seen(view: &View, remote: &str, description: &Description) -> Result<Vec<(RefName, CommitId)>, AppError> {
    let mut seen = Vec::new();
    for (name, target) in view.references()? {
        match name.remote_parts() {
            Some((other, branch)) if other == remote => {
                seen.push((RefName::branch(branch)?, target.commit));
            }
            None if name.kind() == RefKind::Tag && description.refs.get(&name) == Some(&target) => {
                seen.push((name, target.commit));
            }
            _ => {}
        }
    }
    Ok(seen)
}

/// What this clone is called there. A copy of its folder gets a name of its own: under one name each would take back
/// what the other relies on. What was said under the old name counts on until its time has passed.
fn clone_id(record: &KeepRecord, place: &str) -> Result<CloneId, AppError> {
    let is_copied = !record.place.is_empty() && record.place != place;
    match record.clone.parse::<PackId>() {
        Ok(id) if !is_copied => Ok(*id.as_bytes()),
        _ => new_token(),
    }
}

/// Names a folder so that a copy of it has another name.
fn place(pent_dir: &Path) -> String {
    let real = pent_dir.canonicalize().unwrap_or_else(|_| pent_dir.to_owned());
    let mut hasher = blake3::Hasher::new();
    hasher.update(real.as_os_str().as_encoded_bytes());
    #[cfg(unix)]
    if let Ok(meta) = std::fs::metadata(&real) {
        use std::os::unix::fs::MetadataExt as _;
        hasher.update(&meta.ino().to_le_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
