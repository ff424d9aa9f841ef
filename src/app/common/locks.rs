//! Locks on assets, as the shared log has them: who holds which, and whether a move of a branch breaks
//! one.
//!
//! A lock says at which commit its holder had the newest version. What leads up to that commit was there
//! before the lock; a change of the asset after it breaks the lock, unless the holder made it.

use crate::app::common::describe::TimeLine;
use crate::app::error::AppError;
use crate::base::id::{AssetId, CommitId, PersonId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeEntry;
use crate::object::tree_walk::entry_at;
use crate::repo::{RepoError, View};
use crate::store::Space;
use crate::sync::walk::commits_between;
use crate::trust::chain::{Lock, VerifiedLog};
use serde::Serialize;
use std::collections::BTreeMap;

/// Commits of one move that are looked at for every lock: more is more than anybody pushes at once.
const COMMITS_MAX: usize = 20_000;

/// A lock, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockLine {
    /// Where the asset stood when it was locked.
    pub path: AssetPath,
    /// The asset.
    pub asset: AssetId,
    /// Who holds it, as the policy calls them.
    pub holder: String,
    /// Whether that is whoever asks.
    pub mine: bool,
    /// Why, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Since when, by the log.
    pub since: TimeLine,
    /// When it ends by itself.
    pub until: Option<TimeLine>,
    /// Which grant of the log it is: the number of its entry.
    pub generation: u64,
    /// Whether its time has passed, so that others may take it.
    pub expired: bool,
}

/// All locks that were not given back, by path.
pub fn lines(log: &VerifiedLog, person: Option<PersonId>, now: Timestamp) -> Vec<LockLine> {
    let all = log.locks().iter();
    let shown = |(asset, lock): (&AssetId, &Lock)| {
        line(*asset, lock, person == Some(lock.person), !lasts(lock, log, now))
    };
    let mut lines: Vec<LockLine> = all.map(shown).collect();
    lines.sort_by(|left, right| left.path.cmp(&right.path).then(left.asset.cmp(&right.asset)));
    lines
}

fn line(asset: AssetId, lock: &Lock, mine: bool, expired: bool) -> LockLine {
    LockLine {
        path: lock.path.clone().unwrap_or_default(),
        asset,
        holder: lock.holder.clone(),
        mine,
        reason: lock.reason.clone(),
        since: Timestamp::utc(lock.received.unix_ms).into(),
        until: lock.until_ms.map(|until| Timestamp::utc(until).into()),
        generation: lock.received.sequence,
        expired,
    }
}

/// The locks of a log as they are noted where looking at them costs little.
pub fn notes(log: &VerifiedLog) -> Option<Vec<u8>> {
    // What has no form in JSON is looked up in the log itself.
    if log.locks().is_empty() { None } else { serde_json::to_vec(log.locks()).ok() }
}

/// Locks that others hold, as they were noted with the last verification of the log.
pub fn of_others(view: &View, person: Option<PersonId>, now: Timestamp) -> Result<Vec<LockLine>, AppError> {
    let Some(bytes) = view.lock_notes()? else { return Ok(Vec::new()) };
    let Ok(locks) = serde_json::from_slice::<BTreeMap<AssetId, Lock>>(&bytes) else { return Ok(Vec::new()) };
    let lasts = |lock: &Lock| lock.until_ms.is_none_or(|until| until > now.unix_ms);
    let others = locks.iter().filter(|(_, lock)| person != Some(lock.person) && lasts(lock));
    let mut lines: Vec<LockLine> = others.map(|(asset, lock)| line(*asset, lock, false, false)).collect();
    lines.sort_by(|left, right| left.path.cmp(&right.path).then(left.asset.cmp(&right.asset)));
    Ok(lines)
}

/// Assets that a person holds locks of and that a move gives new versions.
pub fn changed_of(
    view: &View,
    log: &VerifiedLog,
    person: PersonId,
    (from, to): (Option<CommitId>, CommitId),
) -> Result<Vec<AssetId>, AppError> {
    let mut changed = Vec::new();
    for (asset, lock) in log.locks().iter().filter(|(_, lock)| lock.person == person) {
        let Some(path) = &lock.path else { continue };
        let before = match from {
            Some(from) if view.snapshot().contains(Space::Commits, from.as_bytes())? => {
                asset_at(view, from, path, *asset)?
            }
            _ => None,
        };
        let after = asset_at(view, to, path, *asset)?;
        // A branch that begins with the version that was locked brings nothing new.
        let locked = match lock.commit {
            Some(commit) if view.snapshot().contains(Space::Commits, commit.as_bytes())? => {
                asset_at(view, commit, path, *asset)?
            }
            _ => None,
        };
        if after != before && after != locked {
            changed.push(*asset);
        }
    }
    Ok(changed)
}

/// Whether a lock holds: by the log's own moments and by this clock, whichever is later.
pub fn lasts(lock: &Lock, log: &VerifiedLog, now: Timestamp) -> bool {
    lock.until_ms.is_none_or(|until| until > now.unix_ms.max(log.received_ms()))
}

/// Why a move of a branch breaks locks; nothing when it breaks none. `log` is the log as it is with the
/// move.
pub fn broken_by(
    view: &View,
    log: &VerifiedLog,
    (from, to): (Option<CommitId>, Option<CommitId>),
    now: Timestamp,
) -> Result<Vec<String>, AppError> {
    let Some(to) = to else { return Ok(Vec::new()) };
    let mut reasons = Vec::new();
    for (asset, lock) in log.locks().iter().filter(|(_, lock)| lasts(lock, log, now)) {
        let Some(path) = &lock.path else { continue };
        let before = from.map(|from| asset_at(view, from, path, *asset)).transpose()?.flatten();
        if before == asset_at(view, to, path, *asset)? {
            continue;
        }
        if let Some(commit) = breaking_commit(view, lock, *asset, path, (from, to))? {
            let until = lock.until_ms.map(|until| format!(" until {}", Timestamp::utc(until).rfc3339()));
            let reason = if lock.reason.is_empty() { String::new() } else { format!(" ({})", lock.reason) };
            reasons.push(format!(
                "{path} is locked by {}{reason}{}, and commit {} of somebody else changes it",
                lock.holder,
                until.unwrap_or_default(),
                commit.short()
            ));
        }
    }
    Ok(reasons)
}

/// A commit by which somebody else than the holder changed a locked asset, among those that a move brings.
fn breaking_commit(
    view: &View,
    lock: &Lock,
    asset: AssetId,
    path: &AssetPath,
    (from, to): (Option<CommitId>, CommitId),
) -> Result<Option<CommitId>, AppError> {
    let known: Vec<CommitId> = [from, lock.commit].into_iter().flatten().collect();
    let (commits, _) = commits_between(view, &[to], &known)?;
    for (seen, id) in commits.into_iter().enumerate() {
        let commit = view.commit(id)?;
        if seen == COMMITS_MAX {
            return Ok(Some(id));
        }
        if commit.committer.person == lock.person {
            continue;
        }
        let after = content_at(view, commit.tree, path, asset)?;
        let mut is_of_a_parent = false;
        for parent in &commit.parents {
            is_of_a_parent |= asset_at(view, *parent, path, asset)? == after;
        }
        if !is_of_a_parent {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

fn asset_at(
    view: &View,
    commit: CommitId,
    path: &AssetPath,
    asset: AssetId,
) -> Result<Option<TreeEntry>, AppError> {
    content_at(view, view.commit(commit)?.tree, path, asset)
}

/// What stands at a path, if it is that asset.
fn content_at(
    view: &View,
    tree: crate::base::id::TreeId,
    path: &AssetPath,
    asset: AssetId,
) -> Result<Option<TreeEntry>, AppError> {
    let found = entry_at(view, tree, path).map_err(RepoError::from)?;
    Ok(found.filter(|entry| entry.asset == Some(asset)))
}
