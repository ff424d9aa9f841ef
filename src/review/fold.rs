//! The state of all submissions, as a pure function of a set of actions.
//!
//! An action that may not be done is kept apart with its reason and changes nothing: it spoils
//! neither the submission nor what comes after it.

use crate::base::id::{ActionId, PersonId, RepositoryId};
use crate::object::action::{Comment, Deed, Proposal, Verdict};
use crate::object::approval::Judgement;
use crate::object::signature::PublicKey;
use crate::review::causal::Causal;
use crate::review::entry::Entry;
use crate::review::order::Order;
use crate::review::permission::{Refused, check};
use crate::review::submission::{Given, Landed, Round, Said, Submission};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Says whose a key is.
pub trait Keys {
    /// Whether `key` may speak as `person`.
    fn belongs(&self, key: &PublicKey, person: PersonId) -> bool;

    /// Whether whoever lays down who counts knows a person. Others may speak, but nothing rests on it.
    fn knows(&self, person: PersonId) -> bool {
        let _ = person;
        true
    }

    /// The entry of the shared log by which a submission landed.
    fn landing(&self, submission: ActionId) -> Option<u64> {
        let _ = submission;
        None
    }

    /// What to call the people who are known; `None` where everybody is who they say.
    fn roll(&self) -> Option<HashMap<PersonId, String>> {
        None
    }
}

/// Where nobody has said whose keys are whose, everybody is who they say.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnyKey;

impl Keys for AnyKey {
    fn belongs(&self, _: &PublicKey, _: PersonId) -> bool {
        true
    }
}

/// What the actions add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewState {
    /// All submissions.
    pub submissions: BTreeMap<ActionId, Submission>,
    /// Words on assets outside of submissions, in causal order.
    pub comments: Vec<Said>,
    /// Actions that do nothing, with the reason.
    pub refused: BTreeMap<ActionId, Refused>,
    /// Actions of kinds that this program does not know.
    pub unknown: BTreeSet<ActionId>,
    /// The newest actions of people who count.
    pub heads: Vec<ActionId>,
    /// Actions that others name and that are not here.
    pub missing: BTreeSet<ActionId>,
}

/// Folds actions.
pub fn fold(repository: RepositoryId, causal: &Causal, keys: &dyn Keys) -> ReviewState {
    let counts = |entry: &Entry| {
        let actor = entry.action().actor;
        keys.knows(actor) && keys.belongs(entry.key(), actor)
    };
    let mut state = ReviewState {
        heads: causal.heads(&counts),
        missing: causal.missing().keys().copied().collect(),
        ..ReviewState::default()
    };
    for entry in causal.entries() {
        if let Err(refused) = state.apply(repository, entry, causal.order(), keys) {
            state.refused.insert(entry.id(), refused);
        }
    }
    for submission in state.submissions.values_mut() {
        submission.gaps = causal.gaps_before(actions_of(submission), &counts);
    }
    state
}

/// Folds some of the actions, in their order: those of one submission, as far as somebody had seen.
pub fn fold_only<'e>(
    repository: RepositoryId,
    order: &Order,
    entries: impl IntoIterator<Item = &'e Entry>,
    keys: &dyn Keys,
) -> ReviewState {
    let mut state = ReviewState::default();
    for entry in entries {
        if let Err(refused) = state.apply(repository, entry, order, keys) {
            state.refused.insert(entry.id(), refused);
        }
    }
    state
}

/// The actions that a submission's state rests on.
fn actions_of(submission: &Submission) -> Vec<ActionId> {
    let rounds = submission.rounds.iter().map(|round| round.action);
    let verdicts = submission.verdicts.iter().filter(|given| !given.stranger);
    let verdicts = verdicts.flat_map(|given| given.taken_back.iter().copied().chain([given.action]));
    rounds.chain(verdicts).chain(submission.withdrawn).collect()
}

impl ReviewState {
    fn apply(
        &mut self,
        repository: RepositoryId,
        entry: &Entry,
        order: &Order,
        keys: &dyn Keys,
    ) -> Result<(), Refused> {
        let action = entry.action();
        if action.repository != repository {
            return Err(Refused::OtherRepository);
        }
        if !keys.belongs(entry.key(), action.actor) {
            return Err(Refused::NotTheirKey);
        }
        let submission = action.deed.submission().and_then(|id| self.submissions.get_mut(&id));
        check(&action.deed, action.actor, submission.as_deref())?;
        match (&action.deed, submission) {
            (Deed::Submit(proposal), _) => {
                self.submissions.insert(entry.id(), begun(entry, proposal, keys));
            }
            (Deed::Update { proposal, .. }, Some(submission)) => {
                submission.rounds.push(round(entry, proposal));
            }
            (Deed::Approve(verdict), Some(submission)) => {
                give(submission, entry, Judgement::Approve, verdict, order, keys);
            }
            (Deed::RequestChanges(verdict), Some(submission)) => {
                give(submission, entry, Judgement::RequestChanges, verdict, order, keys);
            }
            (Deed::Reject(verdict), Some(submission)) => {
                give(submission, entry, Judgement::Reject, verdict, order, keys);
            }
            (Deed::Withdraw { .. }, Some(submission)) => {
                submission.withdrawn.get_or_insert(entry.id());
            }
            (Deed::WithdrawVerdict { verdict, .. }, Some(submission)) => {
                let given = submission.verdicts.iter_mut().find(|given| given.action == *verdict);
                if let Some(given) = given {
                    given.taken_back.push(entry.id());
                }
            }
            (Deed::Land { commit, .. }, Some(submission)) => {
                let (by, time) = (action.actor, action.time);
                submission.landings.push(Landed { by, time, commit: *commit });
            }
            (Deed::Comment(comment), Some(submission)) => submission.comments.push(said(entry, comment)),
            (Deed::Comment(comment), None) => self.comments.push(said(entry, comment)),
            (Deed::Unknown { .. }, _) => {
                self.unknown.insert(entry.id());
            }
            // `check` has refused what is about no submission.
            (
                Deed::Update { .. }
                | Deed::Approve(_)
                | Deed::RequestChanges(_)
                | Deed::Reject(_)
                | Deed::Withdraw { .. }
                | Deed::Land { .. }
                | Deed::WithdrawVerdict { .. },
                None,
            ) => return Err(Refused::UnknownSubmission),
        }
        Ok(())
    }
}

fn begun(entry: &Entry, proposal: &Proposal, keys: &dyn Keys) -> Submission {
    Submission {
        id: entry.id(),
        by: entry.action().actor,
        stranger: !keys.knows(entry.action().actor),
        rounds: vec![round(entry, proposal)],
        verdicts: Vec::new(),
        comments: Vec::new(),
        withdrawn: None,
        landings: Vec::new(),
        gaps: BTreeSet::new(),
    }
}

fn round(entry: &Entry, proposal: &Proposal) -> Round {
    let action = entry.action();
    Round { action: entry.id(), time: action.time, body: action.body, proposal: proposal.clone() }
}

fn said(entry: &Entry, comment: &Comment) -> Said {
    let action = entry.action();
    Said {
        action: entry.id(),
        by: action.actor,
        time: action.time,
        body: action.body,
        about: comment.clone(),
    }
}

fn give(
    submission: &mut Submission,
    entry: &Entry,
    judgement: Judgement,
    verdict: &Verdict,
    order: &Order,
    keys: &dyn Keys,
) {
    let action = entry.action();
    let stranger = !keys.knows(action.actor);
    // Of strangers' verdicts none takes another's place: they count for nothing, and anybody may add more.
    let before = if stranger {
        Vec::new()
    } else {
        let earlier = submission.verdicts.iter().enumerate();
        let earlier = earlier.filter(|(_, given)| given.by == action.actor);
        order.right_before(entry.id(), &earlier.map(|(place, given)| (given.action, place)).collect())
    };
    submission.verdicts.push(Given {
        action: entry.id(),
        by: action.actor,
        time: action.time,
        body: action.body,
        judgement,
        verdict: entry.sealed().map(|_| verdict.clone()),
        before,
        taken_back: Vec::new(),
        stranger,
    });
}

#[cfg(test)]
mod tests;
