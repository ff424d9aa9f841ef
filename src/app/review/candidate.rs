//! A submission as a candidate for landing: what would land, whether that is what was submitted, and
//! what speaks for it.

use crate::app::common::brought::brought;
use crate::app::common::changes::changes_between;
use crate::app::common::evidence::{Landing, RepositoryEvidence};
use crate::app::common::guard::{is_protected, verified_log};
use crate::app::error::AppError;
use crate::app::review::error::ReviewError;
use crate::app::review::log::{Lists, ReviewLog, draft_of};
use crate::app::review::prospect::Prospect;
use crate::app::review::verdict::refuse_over;
use crate::base::id::{ActionId, CommitId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::transition::Transition;
use crate::repo::history::is_ancestor;
use crate::repo::refs::RefName;
use crate::repo::{RepoError, Repository, View};
use crate::review::landing::{Mismatch, compare};
use crate::review::submission::{Round, Submission};
use crate::rules::approval::{Missing, Received, Refusal};
use crate::trust::judge::{MoveEvidence, Proposal, judge};

/// A submission that could land.
pub struct Candidate<'a> {
    view: &'a View,
    /// The submission.
    pub submission: &'a Submission,
    /// Its current round.
    pub round: &'a Round,
    /// The branch.
    pub branch: RefName,
    /// The branch's newest commit.
    pub tip: CommitId,
    /// The newest actions of the review log, by which it is judged.
    pub heads: Vec<ActionId>,
}

impl<'a> Candidate<'a> {
    /// Takes a submission that is open and wholly here.
    pub fn of(
        view: &'a View,
        log: &ReviewLog,
        submission: &'a Submission,
        lists: &Lists,
    ) -> Result<Self, AppError> {
        refuse_over(view, log, submission)?;
        let draft = draft_of(submission).to_owned();
        if !submission.gaps.is_empty() {
            let missing = submission.gaps.iter().copied().collect();
            return Err(ReviewError::Gaps { draft, missing }.into());
        }
        let round = submission.current().ok_or_else(|| ReviewError::NoList { draft: draft.clone() })?;
        if !lists.contains_key(&round.proposal.list) {
            return Err(ReviewError::NoList { draft }.into());
        }
        let branch = RefName::branch(submission.branch())?;
        let unknown = || AppError::NameUnknown { kind: "branch", name: branch.name().to_owned() };
        let tip = view.reference(&branch)?.ok_or_else(unknown)?.commit;
        if is_ancestor(view, round.proposal.head, tip)? {
            let branch = branch.name().to_owned();
            return Err(ReviewError::NothingToSubmit { draft, branch }.into());
        }
        let heads = log.heads_for(Some(submission.id));
        let unseen = log.unseen_by(&heads, submission);
        if unseen > 0 {
            return Err(ReviewError::LooseEnds { draft, unseen }.into());
        }
        Ok(Self { view, submission, round, branch, tip, heads })
    }

    /// The names of the draft and the branch.
    pub fn names(&self) -> (String, String) {
        (draft_of(self.submission).to_owned(), self.branch.name().to_owned())
    }

    /// Works out what would land.
    pub fn prospect(&self, repository: &Repository, monitor: &dyn Monitor) -> Result<Prospect<'a>, AppError> {
        Prospect::of(repository, self.view, self.tip, self.round.proposal.head, monitor)
    }

    /// Refuses a state that is not the branch as it stands with exactly what was submitted.
    pub fn refuse_other(&self, prospect: &Prospect<'_>, lists: &Lists) -> Result<(), AppError> {
        let (draft, branch) = self.names();
        if !prospect.merge.conflicts.is_empty() {
            let mut paths: Vec<AssetPath> =
                prospect.merge.conflicts.iter().map(|conflict| conflict.path.clone()).collect();
            paths.dedup();
            return Err(ReviewError::BothChanged { draft, branch, paths }.into());
        }
        let Some(submitted) = lists.get(&self.round.proposal.list) else {
            return Err(ReviewError::NoList { draft }.into());
        };
        let mut trouble: Option<RepoError> = None;
        let mut holds = |transition: &Transition| {
            prospect.holds(transition).unwrap_or_else(|error| {
                trouble = Some(error);
                false
            })
        };
        let found = compare(submitted, &prospect.list, &mut holds);
        if let Some(error) = trouble {
            return Err(error.into());
        }
        let differences: Vec<String> = found
            .iter()
            .filter(|other| !other.is_metadata_alone())
            .map(|other| say(other, &branch))
            .collect();
        if differences.is_empty() {
            Ok(())
        } else {
            Err(ReviewError::Different { draft, branch, differences }.into())
        }
    }

    /// What speaks for the landing, where a policy protects the branch.
    pub fn evidence(
        &self,
        repository: &Repository,
        prospect: &Prospect<'_>,
        now: Timestamp,
        monitor: &dyn Monitor,
    ) -> Result<Option<MoveEvidence>, AppError> {
        if !is_protected(self.view, &self.branch)? {
            return Ok(None);
        }
        let verified = verified_log(repository, self.view, now, monitor)?;
        let landing = Landing {
            submission: self.submission.id,
            heads: &self.heads,
            as_of: Received { sequence: u64::MAX, unix_ms: now.unix_ms.max(verified.received_ms()) },
            from: Some(self.tip),
            tips: vec![self.round.proposal.head],
            merge: None,
            changes: changes_between(prospect, prospect.before, prospect.tree, monitor)?,
        };
        let evidence = RepositoryEvidence::new(self.view, repository.id());
        let holds = |transition: &Transition| prospect.holds(transition);
        let mut found = evidence.of_landing(&verified, landing, &holds)?;
        let policy = verified.in_force().map(|in_force| &in_force.policy);
        let (name, from, head) = (self.branch.as_str(), Some(self.tip), self.round.proposal.head);
        found.commits = brought(self.view, repository.id(), policy, name, from, &[head])?;
        Ok(Some(found))
    }

    /// What the policy still asks for, whoever lands it. Nothing where no policy protects the branch.
    pub fn missing(
        &self,
        repository: &Repository,
        prospect: &Prospect<'_>,
        now: Timestamp,
        monitor: &dyn Monitor,
    ) -> Result<Vec<Missing>, AppError> {
        let Some(evidence) = self.evidence(repository, prospect, now, monitor)? else {
            return Ok(Vec::new());
        };
        let verified = verified_log(repository, self.view, now, monitor)?;
        let proposal = Proposal {
            reference: self.branch.as_str(),
            from: Some(self.tip),
            to: Some(self.round.proposal.head),
            actor: None,
            at_ms: now.unix_ms,
            submission: Some(self.submission.id),
            evidence: &evidence,
        };
        Ok(match judge(&verified, &proposal) {
            Ok(_) => Vec::new(),
            Err(Refusal { missing, .. }) => {
                missing.into_iter().filter(|missing| !matches!(missing, Missing::Unsigned)).collect()
            }
        })
    }
}

fn say(mismatch: &Mismatch, branch: &str) -> String {
    let path = mismatch.transition().path();
    match mismatch {
        Mismatch::Other { submitted, landing } if submitted.before != landing.before => {
            format!("{path} is another on {branch} since it was submitted")
        }
        Mismatch::Other { .. } => format!("{path} would become something that nobody submitted"),
        Mismatch::Extra { landing } if landing.after.is_none() => {
            format!("{path} would be removed, which nobody submitted")
        }
        Mismatch::Extra { .. } => format!("{path} would change, which nobody submitted"),
        Mismatch::LeftOut { .. } => format!("{path} would be left out"),
    }
}
