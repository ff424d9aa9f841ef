//! One submission: its rounds, the verdicts on it, and which transitions they approve.

use crate::base::id::{ActionId, BodyId, CommitId, PersonId};
use crate::base::time::Timestamp;
use crate::object::action::{Comment, ListRef, Proposal, Verdict};
use crate::object::approval::{Approval, Coverage, Judgement, TransitionIds, standing};
use crate::object::signature::Verified;
use crate::object::transition::{Transition, TransitionList};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A request to land transitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The id of the action that made it.
    pub id: ActionId,
    /// Who asks.
    pub by: PersonId,
    /// Whether the policy does not know who asks: then nothing lands by it.
    pub stranger: bool,
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
    /// Places of this person's verdicts that this one came right after, having seen them: it takes their
    /// place, and that of those before them, where both speak of the same transition.
    pub before: Vec<usize>,
    /// The actions that take it back.
    pub taken_back: Vec<ActionId>,
    /// Whether the policy does not know whoever gave it: then it is an opinion.
    pub stranger: bool,
}

/// Somebody's word that a submission landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
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

    /// All verdicts, in causal order, each with the transitions that it is about. A verdict whose list is
    /// not here says nothing.
    pub fn approvals(&self, lists: &impl Lists) -> Vec<Verified<Approval>> {
        let mut shared: HashMap<ListRef, Arc<Coverage>> = HashMap::new();
        let approvals = self.verdicts.iter().map(|given| {
            let reference = given.verdict.value().list;
            let coverage = shared.entry(reference).or_insert_with(|| {
                let list = lists.list(reference);
                Arc::new(list.map(Coverage::of).unwrap_or_default())
            });
            let coverage = Arc::clone(coverage);
            given.verdict.clone().map(|verdict| Approval {
                action: given.action,
                submission: self.id,
                branch: verdict.branch,
                person: given.by,
                policy: verdict.policy,
                unix_ms: given.time.unix_ms,
                judgement: given.judgement,
                coverage,
                before: given.before.clone(),
            })
        });
        approvals.collect()
    }

    /// The verdicts among `approvals` (all of this submission) that stand on a transition, as far as they
    /// are not taken back; those of people whom no policy knows only when `strangers` are asked for.
    pub fn standing<'v>(
        &self,
        approvals: &'v [Verified<Approval>],
        transition: &TransitionIds,
        strangers: bool,
    ) -> Vec<&'v Approval> {
        let speaks = |place: usize| {
            self.verdicts
                .get(place)
                .is_some_and(|given| given.taken_back.is_empty() && given.stranger == strangers)
        };
        let places = standing(approvals.iter().map(Verified::value), transition, &speaks);
        places.into_iter().map(|place| approvals[place].value()).collect()
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
        self.verdicts.iter().rev().filter(|given| given.by == person && given.taken_back.is_empty()).find_map(
            |given| {
                let list = lists.list(given.verdict.value().list)?;
                let found = list.as_slice().iter().find(|other| same(other))?;
                (found != now).then_some((given, found))
            },
        )
    }
}
