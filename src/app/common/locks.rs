//! Locks on assets, as the shared log has them: who holds which, and whether a move of a branch breaks
//! one.
//!
//! A lock says by which commits its holder had the newest version. What leads up to these was there
//! before the lock; a change of the asset after them breaks the lock, unless the holder made it.

use crate::app::common::describe::TimeLine;
use crate::app::common::guard::{remember, verified_log};
use crate::app::error::AppError;
use crate::base::id::{AssetId, CommitId, PersonId, TreeId};
use crate::base::monitor::{Monitor, SilentMonitor};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::diff::tree::{ChangeKinds, Difference, PathSet, compare_trees};
use crate::object::commit::Commit;
use crate::object::log_entry::{LogDeed, LogEntry};
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::object::tree_edit::EntryValue;
use crate::repo::{RepoError, Repository, View};
use crate::store::Space;
use crate::sync::remote::Remote;
use crate::sync::walk::commits_between;
use crate::trust::chain::{CLOCK_SKEW_MS_MAX, Lock, VerifiedLog};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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

/// What is noted of a log where looking at it costs little: for `status`, and for files that may not be
/// written without a lock.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LockNotes {
    /// The locks that were not given back.
    #[serde(default)]
    pub locks: BTreeMap<AssetId, Lock>,
    /// The policy's patterns of files that should be locked before they are changed.
    #[serde(default)]
    pub lockable: Vec<String>,
}

impl LockNotes {
    /// What there is to note of a log; `None` when that is nothing.
    pub fn of(log: &VerifiedLog) -> Option<Vec<u8>> {
        let patterns = log.in_force().map(|in_force| in_force.policy.access.lockable.as_slice());
        let lockable = patterns.unwrap_or_default().iter().map(ToString::to_string).collect();
        let notes = Self { locks: log.locks().clone(), lockable };
        let is_empty = notes.locks.is_empty() && notes.lockable.is_empty();
        // What has no form in JSON is looked up in the log itself.
        if is_empty { None } else { serde_json::to_vec(&notes).ok() }
    }

    /// Reads them. What cannot be read is as good as nothing: the log has it.
    pub fn read(view: &View) -> Result<Self, AppError> {
        let bytes = view.lock_notes()?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }
}

/// All locks that were not given back, by path.
pub fn lines(log: &VerifiedLog, person: Option<PersonId>, now: Timestamp) -> Vec<LockLine> {
    sorted(log.locks().iter().map(|(asset, lock)| {
        line(*asset, lock, person == Some(lock.person), !lasts(lock, log.received_ms(), now))
    }))
}

fn sorted(lines: impl Iterator<Item = LockLine>) -> Vec<LockLine> {
    let mut lines: Vec<LockLine> = lines.collect();
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

/// Locks that others hold, as they were noted with the last verification of the log.
pub fn of_others(view: &View, person: Option<PersonId>, now: Timestamp) -> Result<Vec<LockLine>, AppError> {
    let notes = LockNotes::read(view)?;
    let others = notes.locks.iter().filter(|(_, lock)| person != Some(lock.person));
    let lasting = others.filter(|(_, lock)| lasts(lock, i64::MIN, now));
    Ok(sorted(lasting.map(|(asset, lock)| line(*asset, lock, false, false))))
}

/// Whether a lock holds: by the log's own moments and by a clock, whichever is later.
pub fn lasts(lock: &Lock, received_ms: i64, now: Timestamp) -> bool {
    lock.until_ms.is_none_or(|until| until > now.unix_ms.max(received_ms))
}

/// The moment by which locks are judged: that of the clock at the log's home where it can say, at most a day
/// from one's own. Nobody is asked while nothing is locked.
pub fn moment_at(remote: &dyn Remote, view: &View, now: Timestamp) -> Result<Timestamp, AppError> {
    Ok(if LockNotes::read(view)?.locks.is_empty() { now } else { there(remote, now) })
}

/// What time it is at a remote, at most a day from one's own clock; that where nobody can say.
pub fn there(remote: &dyn Remote, now: Timestamp) -> Timestamp {
    let (earliest, latest) = (now.unix_ms - CLOCK_SKEW_MS_MAX, now.unix_ms + CLOCK_SKEW_MS_MAX);
    // Whoever may only read a folder cannot ask it for the time.
    let there = remote.clock_ms().ok().flatten().map(|there| there.clamp(earliest, latest));
    Timestamp { unix_ms: there.unwrap_or(now.unix_ms), ..now }
}

/// Assets that a person holds locks of and that a move gives new versions.
pub fn changed_of(
    view: &View,
    log: &VerifiedLog,
    person: PersonId,
    (from, to): (Option<CommitId>, CommitId),
) -> Result<Vec<AssetId>, AppError> {
    let mut changed = Vec::new();
    let mine = log.locks().iter().filter(|(_, lock)| lock.person == person);
    for (commits, held) in by_commits(mine) {
        let mut known = from.into_iter().chain(commits.iter().copied()).map(|commit| at_hand(view, commit));
        let Some(known) = known.find_map(Result::transpose).transpose()? else { continue };
        let before = view.commit(known)?.tree;
        changed.extend(touched(view, before, view.commit(to)?.tree, &held)?);
    }
    Ok(changed)
}

fn at_hand(view: &View, commit: CommitId) -> Result<Option<CommitId>, AppError> {
    Ok(view.snapshot().contains(Space::Commits, commit.as_bytes())?.then_some(commit))
}

/// Locks by what their holders had: those that one command granted have it in common.
fn by_commits<'a>(
    locks: impl Iterator<Item = (&'a AssetId, &'a Lock)>,
) -> BTreeMap<&'a [CommitId], BTreeMap<AssetId, &'a Lock>> {
    let mut groups: BTreeMap<&[CommitId], BTreeMap<AssetId, &Lock>> = BTreeMap::new();
    for (asset, lock) in locks {
        groups.entry(lock.commits.as_slice()).or_default().insert(*asset, lock);
    }
    groups
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
    let from = from.map(|from| at_hand(view, from)).transpose()?.flatten();
    let lasting = log.locks().iter().filter(|(_, lock)| lasts(lock, log.received_ms(), now));
    let mut reasons = Vec::new();
    for (commits, mut held) in by_commits(lasting) {
        if let Some(from) = from {
            let (before, after) = (view.commit(from)?.tree, view.commit(to)?.tree);
            let changed = touched(view, before, after, &held)?;
            held.retain(|asset, _| changed.contains(asset));
        }
        if !held.is_empty() {
            breaches(view, commits, held, (from, to), &mut reasons)?;
        }
    }
    reasons.sort();
    Ok(reasons)
}

/// Looks among the commits that a move brings for those by which somebody else than its holder changed a
/// locked asset.
fn breaches(
    view: &View,
    had: &[CommitId],
    mut held: BTreeMap<AssetId, &Lock>,
    (from, to): (Option<CommitId>, CommitId),
    reasons: &mut Vec<String>,
) -> Result<(), AppError> {
    let known: Vec<CommitId> = from.into_iter().chain(had.iter().copied()).collect();
    let (commits, _) = commits_between(view, &[to], &known)?;
    for (seen, id) in commits.into_iter().enumerate() {
        if seen == COMMITS_MAX {
            reasons.extend(held.values().map(|lock| {
                format!("{}, and more than {COMMITS_MAX} commits may change it", locked_by(lock))
            }));
            return Ok(());
        }
        let commit = view.commit(id)?;
        let others = held.iter().filter(|(_, lock)| lock.person != commit.committer.person);
        let others: BTreeMap<AssetId, &Lock> = others.map(|(asset, lock)| (*asset, *lock)).collect();
        if others.is_empty() {
            continue;
        }
        for asset in changed_in(view, &commit, &others)? {
            if let Some(lock) = held.remove(&asset) {
                let id = id.short();
                reasons.push(format!("{}, and commit {id} of somebody else changes it", locked_by(lock)));
            }
        }
    }
    Ok(())
}

fn locked_by(lock: &Lock) -> String {
    let until = lock.until_ms.map(|until| format!(" until {}", Timestamp::utc(until).rfc3339()));
    let reason = if lock.reason.is_empty() { String::new() } else { format!(" ({})", lock.reason) };
    let path = lock.path.clone().unwrap_or_default();
    format!("{path} is locked by {}{reason}{}", lock.holder, until.unwrap_or_default())
}

/// Which of some assets a commit has otherwise than each of its parents.
fn changed_in(
    view: &View,
    commit: &Commit,
    of: &BTreeMap<AssetId, &Lock>,
) -> Result<BTreeSet<AssetId>, AppError> {
    let mut parents = commit.parents.iter();
    let Some(first) = parents.next() else {
        return touched(view, TreeNode::empty_id(), commit.tree, of);
    };
    let mut changed = touched(view, view.commit(*first)?.tree, commit.tree, of)?;
    for parent in parents {
        if changed.is_empty() {
            break;
        }
        let here = touched(view, view.commit(*parent)?.tree, commit.tree, of)?;
        changed.retain(|asset| here.contains(asset));
    }
    Ok(changed)
}

/// Which of some assets have other bytes or stand elsewhere in another tree. Their metadata is no matter of
/// locks: it is merged field by field.
fn touched(
    view: &View,
    before: TreeId,
    after: TreeId,
    of: &BTreeMap<AssetId, &Lock>,
) -> Result<BTreeSet<AssetId>, AppError> {
    let mut touched = BTreeSet::new();
    let wanted = |value: &Option<EntryValue>| {
        value.as_ref().and_then(|value| value.asset).filter(|asset| of.contains_key(asset))
    };
    compare_trees(view, before, after, &PathSet::everything(), &SilentMonitor, &mut |difference| {
        let Difference { before, after, .. } = difference;
        let (left, right) = (wanted(&before), wanted(&after));
        let is_same = match (&before, &after) {
            (Some(before), Some(after)) if left == right => {
                let kinds = ChangeKinds::between(before, after);
                !kinds.content && !kinds.kind
            }
            _ => false,
        };
        if !is_same {
            touched.extend(left.into_iter().chain(right));
        }
        Ok(())
    })?;
    Ok(touched)
}

/// Takes back changes of locks that this clone wrote at the end of the log and its home does not have:
/// what did not get there does not hold. `before` is the log without them.
pub fn take_back(
    repository: &Repository,
    before: &VerifiedLog,
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    let view = repository.view()?;
    let confirmed = view.confirmed_log()?.map(|bytes| VerifiedLog::restore(&bytes)).transpose()?.flatten();
    let number = |log: &VerifiedLog| log.head().map_or(0, |head| head.sequence);
    let known = confirmed.filter(|log| number(log) > number(before));
    let known = known.as_ref().unwrap_or(before);
    let Some(head) = view.log_head()?.filter(|head| head.sequence > number(known)) else { return Ok(()) };
    let mut kept = head.sequence;
    while kept > number(known) {
        let Some(signed) = view.log_entry(kept)? else { break };
        let entry = LogEntry::decode(&signed.statement)
            .map_err(|source| RepoError::LogEntry { sequence: kept, source })?;
        if !matches!(entry.deed, LogDeed::Lock(_)) {
            break;
        }
        kept -= 1;
    }
    let mut edit = repository.edit()?;
    edit.take_back_log(kept)?;
    edit.put_log_checkpoint(&known.checkpoint()?)?;
    edit.commit()?;
    let log = verified_log(repository, &repository.view()?, now, monitor)?;
    let mut edit = repository.edit()?;
    remember(&mut edit, &log)?;
    Ok(edit.commit()?)
}
