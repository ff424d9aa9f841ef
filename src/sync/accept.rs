//! Who decides whether names and logs may move: the rules of a repository, asked in one place for
//! pushes, for fetches, and by servers for what they are sent.

use crate::base::id::{CommitId, PersonId, PolicyId};
use crate::object::action::Action;
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::signature::{Fingerprint, PublicKey};
use crate::repo::refs::{RefName, RefTarget};
use crate::repo::{Edit, RepoError, View};
use crate::rules::approval::Recorded;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::logs::LogFound;
use crate::sync::remote::RefChange;
use std::collections::{BTreeMap, HashMap};

/// What is to be decided on.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The remote that it comes from, as this repository calls it; `None` for what is sent here.
    pub remote: Option<&'a str>,
    /// Names that are to move.
    pub changes: &'a [RefChange],
    /// The shared log that comes with them.
    pub log: &'a LogFound,
}

/// Has something remembered together with what is decided.
pub type Keep = Box<dyn FnOnce(&mut Edit) -> Result<(), RepoError> + Send>;

/// What was decided.
#[derive(Default)]
pub struct Decision {
    /// Names that may not move so, and why.
    pub refused: BTreeMap<RefName, Vec<String>>,
    /// Where protected names stand, by the shared log as it will be here.
    pub recorded: Option<Recorded>,
    /// Takes the log over, and remembers what was verified.
    pub keep: Option<Keep>,
    /// How many entries that takes over.
    pub entries: u64,
    /// Why the log is not taken over, when it is not.
    pub problem: Option<String>,
    /// What people should know of a log that is taken over.
    pub note: Option<String>,
}

/// Something that is taken in only from those who may say it. Its signatures hold.
#[derive(Debug, Clone, Copy)]
pub enum Said<'a> {
    /// The words of an action are to be erased, say the holders of these keys.
    Erasure { action: &'a Action, keys: &'a [PublicKey] },
    /// A policy waits for signatures, beside those that do so already.
    Proposal { link: &'a PolicyLink, signed: &'a Signed, waiting: &'a [(PolicyId, Signed)] },
}

/// Whose word may count in a repository: whoever any policy so far named, by their keys. All others are strangers,
/// of whom little is kept.
#[derive(Debug, Clone, Default)]
pub struct Known {
    owners: HashMap<Fingerprint, PersonId>,
}

impl Known {
    /// Whose keys are whose.
    pub fn new(owners: HashMap<Fingerprint, PersonId>) -> Self {
        Self { owners }
    }

    /// Whether a key is this person's.
    pub fn holds(&self, key: &Fingerprint, person: PersonId) -> bool {
        self.owners.get(key) == Some(&person)
    }

    /// Whether a key is anybody's.
    pub fn names(&self, key: &Fingerprint) -> bool {
        self.owners.contains_key(key)
    }
}

/// Decides whether names and logs may move as proposed.
///
/// It is asked when everything that the names would reach is in the repository and sound, and so is
/// the review log; and before anything moves.
pub trait Judge: Send + Sync {
    /// Decides. `view` has everything that has come.
    fn judge(&self, view: &View, case: &Case<'_>) -> SyncResult<Decision>;

    /// Drops signatures under a proposed policy by keys that have no say in it: nobody fills its place with
    /// them.
    fn trim(&self, view: &View, signed: &mut Signed) -> SyncResult<()> {
        let _ = (view, signed);
        Ok(())
    }

    /// Who is no stranger, by the policies that are here and by those that come with a log and are signed as
    /// they must be; `None` where there is no policy, and everybody is who they say.
    fn known(&self, view: &View, log: &LogFound) -> SyncResult<Option<Known>> {
        let _ = (view, log);
        Ok(None)
    }

    /// Whether something counts that was said.
    fn accepts(&self, view: &View, said: &Said<'_>) -> SyncResult<bool>;
}

/// Lets every name move: what holds in a repository without rules. Logs it leaves alone.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoRules;

impl Judge for NoRules {
    fn judge(&self, _: &View, case: &Case<'_>) -> SyncResult<Decision> {
        let problem = match case.log {
            LogFound::Log(arrival) if !arrival.entries.is_empty() => {
                Some("nobody here can judge a shared log".to_owned())
            }
            LogFound::Broken(reason) => Some(reason.clone()),
            LogFound::Log(_) | LogFound::Nothing => None,
        };
        Ok(Decision { problem, ..Decision::default() })
    }

    fn accepts(&self, _: &View, said: &Said<'_>) -> SyncResult<bool> {
        Ok(match said {
            Said::Erasure { action, keys } => keys.iter().any(|key| key.fingerprint() == action.key),
            Said::Proposal { .. } => false,
        })
    }
}

/// Refuses with the first name that may not move, if there is one.
pub fn insist(decision: &Decision) -> SyncResult<()> {
    match decision.refused.iter().next() {
        Some((name, reasons)) => Err(SyncError::Refused { name: name.clone(), reasons: reasons.clone() }),
        None => Ok(()),
    }
}

/// Points a name somewhere: where the shared log says when it is protected.
pub fn move_name(
    edit: &mut Edit,
    recorded: Option<&Recorded>,
    name: &RefName,
    expected: Option<CommitId>,
    target: Option<RefTarget>,
) -> Result<(), RepoError> {
    match recorded {
        Some(recorded) if edit.protected_names()?.covers(name) => {
            let before = edit.follow_log(recorded, name, target)?;
            if before == expected {
                Ok(())
            } else {
                Err(RepoError::RefMoved { name: name.clone(), expected, actual: before })
            }
        }
        _ => edit.set_reference(name, expected, target),
    }
}

/// Whether moving a name from `from` to `to` keeps all commits that it had.
pub fn is_forward(view: &View, from: Option<CommitId>, to: Option<CommitId>) -> SyncResult<bool> {
    match (from, to) {
        (None, _) => Ok(true),
        (Some(_), None) => Ok(false),
        (Some(from), Some(to)) => Ok(crate::repo::history::is_ancestor(view, from, to)?),
    }
}
