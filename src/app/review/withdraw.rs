//! `withdraw`: takes back a submission, or one's own verdicts on it.

use crate::app::error::AppError;
use crate::app::review::act::{Acting, Actor, Doing};
use crate::app::review::describe::{SubmissionLine, line_of};
use crate::app::review::error::ReviewError;
use crate::app::review::log::draft_of;
use crate::app::review::verdict::refuse_over;
use crate::base::id::ActionId;
use crate::object::action::Deed;
use crate::repo::edit::JournalNote;
use crate::review::submission::Submission;
use serde::Serialize;

/// What to take back.
#[derive(Debug, Clone)]
pub struct Options {
    /// The submission, by its draft or the beginning of its id; the only open one when `None`.
    pub submission: Option<String>,
    /// Whether one's own verdicts are meant, and not the submission.
    pub verdict: bool,
    /// Why.
    pub message: String,
}

/// What was taken back.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The submission.
    pub submission: SubmissionLine,
    /// The verdicts that were taken back; none when it was the submission.
    pub verdicts: Vec<ActionId>,
}

/// Takes back.
pub fn run(acting: &Acting<'_>, options: &Options) -> Result<Report, AppError> {
    let mut reading = acting.read()?;
    let (submission, _) = reading.find(options.submission.as_deref())?;
    refuse_over(&reading.view, &reading.log, submission)?;
    let (id, draft) = (submission.id, draft_of(submission).to_owned());
    let mut verdicts = Vec::new();
    for deed in deeds(submission, options, acting.actor)? {
        if let Deed::WithdrawVerdict { verdict, .. } = &deed {
            verdicts.push(*verdict);
        }
        let summary = format!("took back something of the review of {draft}");
        let note = JournalNote { verb: "withdraw", summary, ..JournalNote::default() };
        let words = options.message.trim();
        acting.perform(&reading.log, Doing { deed, words, lists: &[], note })?;
        // The next one has seen this one.
        reading = acting.read()?;
    }
    let (submission, lists) = reading.again(id)?;
    let line = line_of(&reading, submission, &lists, &mut reading.log.describer(&reading.view)?)?;
    Ok(Report { submission: line, verdicts })
}

fn deeds(submission: &Submission, options: &Options, actor: Actor<'_>) -> Result<Vec<Deed>, AppError> {
    let me = actor.identity.id;
    let draft = draft_of(submission).to_owned();
    if !options.verdict && submission.by == me {
        return Ok(vec![Deed::Withdraw { submission: submission.id }]);
    }
    let own = submission.verdicts.iter().filter(|given| given.by == me && given.taken_back.is_empty());
    let deeds: Vec<Deed> =
        own.map(|given| Deed::WithdrawVerdict { submission: submission.id, verdict: given.action }).collect();
    match (deeds.is_empty(), options.verdict) {
        (false, _) => Ok(deeds),
        (true, true) => Err(ReviewError::NoVerdict { draft }.into()),
        (true, false) => Err(ReviewError::NotYours { draft }.into()),
    }
}
