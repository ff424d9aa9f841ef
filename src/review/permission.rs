//! Who may do what to a submission: one exhaustive match, so that a new kind of action does not compile
//! until someone has decided.

use crate::base::id::PersonId;
use crate::object::action::{Deed, Verdict};
use crate::review::submission::Submission;
use serde::Serialize;

/// Why an action does nothing. It stays in the log all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refused {
    /// It was signed for another repository.
    #[error("it was signed for another repository")]
    OtherRepository,
    /// The key that signed it is not a key of whom it names.
    #[error("the key that signed it does not belong to whoever it names")]
    NotTheirKey,
    /// The submission is not in the log.
    #[error("the submission that it is about is not here")]
    UnknownSubmission,
    /// It was signed for another branch than that of the submission.
    #[error("it was signed for another branch")]
    OtherBranch,
    /// Only whoever submitted may do this.
    #[error("only whoever submitted may do this")]
    NotTheSubmitter,
    /// The verdict that it takes back is not in the log.
    #[error("the verdict that it takes back is not here")]
    UnknownVerdict,
    /// A verdict is taken back by whoever gave it.
    #[error("only whoever gave a verdict may take it back")]
    NotTheirVerdict,
}

/// Says whether `actor` may do this to the submission that it is about.
pub fn check(deed: &Deed, actor: PersonId, submission: Option<&Submission>) -> Result<(), Refused> {
    let known = submission.ok_or(Refused::UnknownSubmission);
    match deed {
        // Anybody may ask.
        Deed::Submit(_) => Ok(()),
        Deed::Update { proposal, .. } => {
            let known = known?;
            if actor != known.by {
                return Err(Refused::NotTheSubmitter);
            }
            same_branch(known, &proposal.branch)
        }
        // Anybody may judge; whether it counts is for the policy to say.
        Deed::Approve(verdict) | Deed::RequestChanges(verdict) | Deed::Reject(verdict) => {
            let Verdict { branch, .. } = verdict;
            same_branch(known?, branch)
        }
        Deed::Withdraw { .. } => {
            if actor == known?.by {
                Ok(())
            } else {
                Err(Refused::NotTheSubmitter)
            }
        }
        Deed::WithdrawVerdict { verdict, .. } => {
            let given = known?.verdicts.iter().find(|given| given.action == *verdict);
            match given {
                None => Err(Refused::UnknownVerdict),
                Some(given) if given.by != actor => Err(Refused::NotTheirVerdict),
                Some(_) => Ok(()),
            }
        }
        // Anybody may tell it; whether it did is looked up.
        Deed::Land { branch, .. } => same_branch(known?, branch),
        // Anybody may speak; of a submission only when it is there.
        Deed::Comment(comment) => match comment.submission {
            Some(_) => known.map(|_| ()),
            None => Ok(()),
        },
        // What a later program knows does nothing here.
        Deed::Unknown { .. } => Ok(()),
    }
}

fn same_branch(submission: &Submission, branch: &str) -> Result<(), Refused> {
    if submission.branch() == branch { Ok(()) } else { Err(Refused::OtherBranch) }
}
