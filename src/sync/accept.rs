//! Who decides whether a name may move: the rules of a repository, asked in one place for pushes,
//! for fetches, and by servers for what they are sent.

use crate::base::id::CommitId;
use crate::repo::View;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::remote::RefChange;

/// Decides whether names may move as proposed.
///
/// It is asked when everything that the names would reach is in the repository and sound, and before
/// any of them moves.
pub trait Judge: Send + Sync {
    /// Why a name may not move so; nothing when it may. `view` has the commits of both ends.
    fn judge(&self, view: &View, change: &RefChange) -> SyncResult<Vec<String>>;
}

/// Lets every name move: what holds in a repository without rules.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoRules;

impl Judge for NoRules {
    fn judge(&self, _: &View, _: &RefChange) -> SyncResult<Vec<String>> {
        Ok(Vec::new())
    }
}

/// Refuses with the judge's reasons, if it has any.
pub fn insist(judge: &dyn Judge, view: &View, change: &RefChange) -> SyncResult<()> {
    let reasons = judge.judge(view, change)?;
    if reasons.is_empty() { Ok(()) } else { Err(SyncError::Refused { name: change.name.clone(), reasons }) }
}

/// Whether moving a name from `from` to `to` keeps all commits that it had.
pub fn is_forward(view: &View, from: Option<CommitId>, to: Option<CommitId>) -> SyncResult<bool> {
    match (from, to) {
        (None, _) => Ok(true),
        (Some(_), None) => Ok(false),
        (Some(from), Some(to)) => Ok(crate::repo::history::is_ancestor(view, from, to)?),
    }
}
