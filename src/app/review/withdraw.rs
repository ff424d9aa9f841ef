//! `withdraw`: takes back a submission, or one's own verdicts on it.

use crate::app::common::describe::Describer;
use crate::app::error::AppError;
use crate::app::review::act::Actor;
use crate::app::review::describe::{SubmissionLine, line_of};
use crate::app::review::error::ReviewError;
use crate::app::review::log::{ReviewLog, draft_of};
use crate::app::review::verdict::refuse_over;
use crate::base::id::ActionId;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::object::action::Deed;
use crate::repo::Repository;
use crate::repo::edit::JournalNote;
use crate::review::fold::Keys;
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
pub fn run(
    repository: &Repository,
    options: &Options,
    actor: Actor<'_>,
    keys: &dyn Keys,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let view = repository.view()?;
    let mut log = ReviewLog::read(&view, repository.id(), keys, monitor)?;
    let submission = log.find(&view, options.submission.as_deref())?.clone();
    refuse_over(&view, &submission)?;
    let deeds = deeds(&submission, options, actor)?;
    let mut verdicts = Vec::new();
    for deed in deeds {
        if let Deed::WithdrawVerdict { verdict, .. } = &deed {
            verdicts.push(*verdict);
        }
        let signed = actor.sign(repository.id(), &log, deed, options.message.trim(), clock)?;
        let mut edit = repository.edit()?;
        signed.keep(&mut edit, actor.identity, &[])?;
        let summary = format!("took back something of the review of {}", draft_of(&submission));
        edit.record(JournalNote { verb: "withdraw", summary, ..JournalNote::default() }, clock.now())?;
        edit.commit()?;
        // The next one has seen this one.
        log = ReviewLog::read(&repository.view()?, repository.id(), keys, monitor)?;
    }
    let view = repository.view()?;
    let submission = log.find(&view, Some(&submission.id.to_string()))?;
    let lists = log.lists(&view, submission)?;
    let line = line_of(&view, submission, &lists, &mut Describer::new(&view)?)?;
    Ok(Report { submission: line, verdicts })
}

fn deeds(submission: &Submission, options: &Options, actor: Actor<'_>) -> Result<Vec<Deed>, AppError> {
    let me = actor.identity.id;
    let draft = draft_of(submission).to_owned();
    if !options.verdict && submission.by == me {
        return Ok(vec![Deed::Withdraw { submission: submission.id }]);
    }
    let own = submission.verdicts.iter().filter(|given| given.by == me && given.taken_back.is_none());
    let deeds: Vec<Deed> =
        own.map(|given| Deed::WithdrawVerdict { submission: submission.id, verdict: given.action }).collect();
    match (deeds.is_empty(), options.verdict) {
        (false, _) => Ok(deeds),
        (true, true) => Err(ReviewError::NoVerdict { draft }.into()),
        (true, false) => Err(ReviewError::NotYours { draft }.into()),
    }
}
