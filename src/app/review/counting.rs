//! Which approvals of a submission count, where a policy protects its branch: by the same judgement as its landing.

use crate::app::common::evidence::{Landing, RepositoryEvidence};
use crate::app::common::guard::{is_protected, verified_log};
use crate::app::error::AppError;
use crate::app::review::describe::transitions_of;
use crate::app::review::log::{Lists, ReviewLog};
use crate::base::id::ActionId;
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
use crate::object::approval::Judgement;
use crate::object::transition::Transition;
use crate::repo::refs::RefName;
use crate::repo::{Repository, View};
use crate::review::submission::Submission;
use crate::rules::approval::{Change, Received};
use crate::rules::pattern::Pattern;
use crate::rules::policy::{Handle, Policy, Protection};
use crate::trust::chain::VerifiedLog;
use crate::trust::judge::{MoveEvidence, Proposal, approvals, ignored};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Said of an approval that holds, and that no rule asks for.
pub const NOT_ASKED: &str = "no rule of the branch asks them";

/// Asks which approvals count, in one state of a repository.
pub struct Counting<'a> {
    view: &'a View,
    verified: VerifiedLog,
    evidence: RepositoryEvidence<'a>,
    now: Timestamp,
}

/// What counts of a submission.
#[derive(Debug, Default)]
pub struct Counted {
    /// For each transition that a rule of the branch is about, the approvals that count for it.
    by_transition: HashMap<Transition, BTreeSet<ActionId>>,
    /// Approvals that count for nothing, and why.
    ignored: BTreeMap<ActionId, String>,
}

impl Counted {
    /// The approvals that count for a transition; `None` when no rule is about it.
    pub fn of(&self, transition: &Transition) -> Option<&BTreeSet<ActionId>> {
        self.by_transition.get(transition)
    }

    /// Why a verdict counts for nothing, as a clause, where it does.
    pub fn ignored(&self, verdict: ActionId) -> Option<&str> {
        self.ignored.get(&verdict).map(String::as_str)
    }
}

impl<'a> Counting<'a> {
    /// Prepares to ask.
    pub fn of(
        repository: &Repository,
        view: &'a View,
        now: Timestamp,
        monitor: &dyn Monitor,
    ) -> Result<Self, AppError> {
        let verified = verified_log(repository, view, now, monitor)?;
        Ok(Self { view, verified, evidence: RepositoryEvidence::new(view, repository.id()), now })
    }

    /// Which approvals of a submission count now; nothing where no policy protects its branch, or where what is
    /// said of it is not all here, so that nobody can tell.
    pub fn counted(
        &self,
        log: &ReviewLog,
        submission: &Submission,
        lists: &Lists,
    ) -> Result<Counted, AppError> {
        let (Ok(branch), Some(round)) = (RefName::branch(submission.branch()), submission.current()) else {
            return Ok(Counted::default());
        };
        let Some(in_force) = self.verified.in_force() else { return Ok(Counted::default()) };
        let tip = self.view.reference(&branch)?.map(|target| target.commit);
        let is_open = log.standing(self.view, submission)?.over().is_none();
        if tip.is_none() || !is_open || !is_protected(self.view, &branch)? {
            return Ok(Counted::default());
        }
        let transitions = transitions_of(submission, lists);
        let change = |transition: &Transition| Change { transition: transition.clone(), fields: Vec::new() };
        let heads = log.heads_for(Some(submission.id));
        let unix_ms = self.now.unix_ms.max(self.verified.received_ms());
        let landing = Landing {
            submission: submission.id,
            heads: &heads,
            as_of: Received { sequence: u64::MAX, unix_ms },
            from: tip,
            tips: vec![round.proposal.head],
            merge: None,
            changes: transitions.iter().map(change).collect(),
        };
        let Ok(found) = self.evidence.of_landing(&self.verified, landing, &|_| Ok(true)) else {
            return Ok(Counted::default());
        };
        let proposal = Proposal {
            reference: branch.as_str(),
            from: tip,
            to: Some(round.proposal.head),
            actor: None,
            at_ms: unix_ms,
            submission: Some(submission.id),
            evidence: &found,
        };
        Ok(self.sums(&in_force.policy, branch.name(), transitions, &found, &proposal))
    }

    /// Adds up what counts: of an approval that holds, only what somebody gave whom a rule asks.
    fn sums(
        &self,
        policy: &Policy,
        branch: &str,
        transitions: &[Transition],
        found: &MoveEvidence,
        proposal: &Proposal<'_>,
    ) -> Counted {
        let action = |place: usize| found.votes[place].approval.value().action;
        let speaker = |place: usize| {
            policy.person(found.votes[place].approval.value().person).map(|(handle, _)| handle)
        };
        let rules: Vec<_> = policy.branch_rules(branch).collect();
        let mut counted = Counted::default();
        let mut asked: BTreeSet<Handle> = BTreeSet::new();
        for (transition, votes) in transitions.iter().zip(approvals(&self.verified, proposal)) {
            let touched = |paths: &Pattern| transition.paths().any(|path| paths.matches_path(path));
            let ruling: Vec<&Protection> =
                rules.iter().filter(|(_, paths)| touched(paths)).map(|(rule, _)| *rule).collect();
            if ruling.is_empty() {
                continue;
            }
            let these = ruling.iter().flat_map(|rule| &rule.approvals);
            let these: BTreeSet<Handle> =
                these.flat_map(|requirement| policy.people_of(&requirement.of)).collect();
            let counting =
                votes.into_iter().filter(|place| speaker(*place).is_some_and(|who| these.contains(who)));
            counted.by_transition.insert(transition.clone(), counting.map(action).collect());
            asked.extend(these);
        }
        let all_ruled = transitions.iter().all(|transition| counted.of(transition).is_some());
        for (place, vote) in found.votes.iter().enumerate() {
            let approves = vote.approval.value().judgement == Judgement::Approve;
            if all_ruled && approves && !speaker(place).is_some_and(|who| asked.contains(who)) {
                counted.ignored.insert(action(place), NOT_ASKED.to_owned());
            }
        }
        for (place, why) in ignored(&self.verified, proposal) {
            counted.ignored.insert(action(place), why.to_string());
        }
        counted
    }
}
