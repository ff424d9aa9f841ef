//! One submission: its rounds, the verdicts on it, and which transitions they approve.

use crate::base::id::{ActionId, BodyId, CommitId, PersonId};
use crate::base::time::Timestamp;
use crate::object::action::{Comment, ListRef, Proposal, Verdict};
use crate::object::approval::{Approval, Coverage, Judgement};
use crate::object::signature::Verified;
use crate::object::transition::{Transition, TransitionList};
use std::collections::BTreeSet;

/// A request to land transitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The id of the action that made it.
    pub id: ActionId,
    /// Who asks.
    pub by: PersonId,
    /// What stood behind it, round by round.
    pub rounds: Vec<Round>,
    /// All verdicts, in causal order.
    pub verdicts: Vec<Given>,
    /// What was said, in causal order.
    pub comments: Vec<Said>,
    /// The action that took it back.
    pub withdrawn: Option<ActionId>,
    /// Where it is said to have landed.
    pub landings: Vec<Landed>,
    /// Actions that something about it names and that are not here.
    pub gaps: BTreeSet<ActionId>,
}

/// One round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// The action that began it.
    pub action: ActionId,
    /// When, by the clock of whoever submitted.
    pub time: Timestamp,
    /// The words that came with it.
    pub body: BodyId,
    /// What would land.
    pub proposal: Proposal,
}

/// A verdict as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The action.
    pub action: ActionId,
    /// Who gave it.
    pub by: PersonId,
    /// When, by their clock.
    pub time: Timestamp,
    /// The words that came with it.
    pub body: BodyId,
    /// Which way it goes.
    pub judgement: Judgement,
    /// What it is about, under its signer's seal.
    pub verdict: Verified<Verdict>,
    /// Earlier verdicts of the same person on this submission which they had seen: this one takes
    /// their place where both speak of the same transition.
    pub replaces: BTreeSet<ActionId>,
    /// The action that took it back.
    pub taken_back: Option<ActionId>,
}

/// Somebody's word that a submission landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    /// The action.
    pub action: ActionId,
    /// Who tells it.
    pub by: PersonId,
    /// When, by their clock.
    pub time: Timestamp,
    /// The commit by which the branch has it.
    pub commit: CommitId,
}

/// Words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The action.
    pub action: ActionId,
    /// Who spoke.
    pub by: PersonId,
    /// When, by their clock.
    pub time: Timestamp,
    /// The words.
    pub body: BodyId,
    /// What they are about.
    pub about: Comment,
}

/// Gives the lists that actions name.
pub trait Lists {
    /// The list that is in every respect what this names; `None` when it is not here.
    fn list(&self, reference: ListRef) -> Option<&TransitionList>;
}

/// A map of lists by what names them, their check lists included.
impl Lists for std::collections::HashMap<ListRef, TransitionList> {
    fn list(&self, reference: ListRef) -> Option<&TransitionList> {
        self.get(&reference)
    }
}

impl Submission {
    /// What stands behind it now.
    pub fn current(&self) -> Option<&Round> {
        self.rounds.last()
    }

    /// The branch that it is to land on.
    pub fn branch(&self) -> &str {
        self.rounds.first().map_or("", |round| &round.proposal.branch)
    }

    /// Every list that something about it names.
    pub fn lists(&self) -> impl Iterator<Item = ListRef> + '_ {
        let rounds = self.rounds.iter().map(|round| round.proposal.list);
        rounds.chain(self.verdicts.iter().map(|given| given.verdict.value().list))
    }

    /// The verdicts that stand, each with the transitions that it still speaks of.
    ///
    /// Of two verdicts of one person on the same transition the later holds, when that person had
    /// seen the earlier; else both stand, and whoever judges lets the one that objects win. A verdict
    /// whose list is not here says nothing.
    pub fn approvals(&self, lists: &impl Lists) -> Vec<Verified<Approval>> {
        let standing = |given: &&Given| given.taken_back.is_none();
        self.verdicts.iter().filter(standing).filter_map(|given| self.approval(given, lists)).collect()
    }

    fn approval(&self, given: &Given, lists: &impl Lists) -> Option<Verified<Approval>> {
        let list = lists.list(given.verdict.value().list)?;
        let mut replaced = Coverage::default();
        for later in &self.verdicts {
            if later.taken_back.is_none() && later.replaces.contains(&given.action) {
                replaced.extend(lists.list(later.verdict.value().list)?);
            }
        }
        let left = list.as_slice().iter().filter(|transition| !replaced.covers_content(transition));
        let coverage = Coverage::of(&TransitionList::new(left.cloned()));
        Some(given.verdict.clone().map(|verdict| Approval {
            action: given.action,
            submission: self.id,
            branch: verdict.branch,
            person: given.by,
            policy: verdict.policy,
            unix_ms: given.time.unix_ms,
            judgement: given.judgement,
            coverage,
        }))
    }

    /// What somebody judged of an asset that is another now: the transition as they saw it.
    pub fn judged_before<'l>(
        &self,
        person: PersonId,
        now: &Transition,
        lists: &'l impl Lists,
    ) -> Option<(&Given, &'l Transition)> {
        let same = |other: &Transition| match (other.asset(), now.asset()) {
            (Some(other), Some(asset)) => other == asset,
            _ => other.path() == now.path(),
        };
        self.verdicts.iter().rev().filter(|given| given.by == person && given.taken_back.is_none()).find_map(
            |given| {
                let list = lists.list(given.verdict.value().list)?;
                let found = list.as_slice().iter().find(|other| same(other))?;
                (found != now).then_some((given, found))
            },
        )
    }
}
