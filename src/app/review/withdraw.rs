//! `withdraw`: takes back a submission, or one's own verdicts on it: all of them, or as far as they are about some
//! folders and assets.

use crate::app::error::AppError;
use crate::app::review::act::{Acting, Actor, Doing};
use crate::app::review::counting::Counting;
use crate::app::review::describe::{SubmissionLine, line_of, transitions_of};
use crate::app::review::error::ReviewError;
use crate::app::review::log::{Lists, draft_of};
use crate::app::review::verdict::refuse_over;
use crate::base::id::ActionId;
use crate::base::path::AssetPath;
use crate::object::action::{Deed, ListRef, NAMES_MAX, Verdict};
use crate::object::approval::Judgement;
use crate::object::transition::{Transition, TransitionList};
use crate::repo::edit::JournalNote;
use crate::review::submission::{Given, Submission};
use serde::Serialize;

/// What to take back.
#[derive(Debug, Clone)]
pub struct Options {
    /// The submission, by its draft or the beginning of its id; the only open one when `None`.
    pub submission: Option<String>,
    /// Folders and assets: one's own word on these alone is taken back. All of it when empty.
    pub paths: Vec<AssetPath>,
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
    /// Assets on which one's word stands, given anew: those of the same verdicts that were not named.
    pub renewed: u64,
}

/// Takes back.
pub fn run(acting: &Acting<'_>, options: &Options) -> Result<Report, AppError> {
    let mut reading = acting.read()?;
    let (submission, lists) = reading.find(options.submission.as_deref())?;
    refuse_over(&reading.view, &reading.log, submission)?;
    let (id, draft) = (submission.id, draft_of(submission).to_owned());
    let steps = if options.paths.is_empty() {
        whole(submission, options, acting.actor)?
    } else {
        parts(submission, &lists, options, acting.actor)?
    };
    let (mut verdicts, mut renewed) = (Vec::new(), 0);
    for Step { deed, list } in steps {
        match (&deed, &list) {
            (Deed::WithdrawVerdict { verdict, .. }, _) => verdicts.push(*verdict),
            (_, Some(list)) => renewed += list.len() as u64,
            _ => {}
        }
        let summary = format!("took back something of the review of {draft}");
        let note = JournalNote { verb: "withdraw", summary, ..JournalNote::default() };
        let (words, lists) = (options.message.trim(), list.as_ref());
        let lists: Vec<&TransitionList> = lists.into_iter().collect();
        acting.perform(&reading.log, Doing { deed, words, lists: &lists, note })?;
        // The next one has seen this one.
        reading = acting.read_after(&reading)?;
    }
    let (submission, lists) = reading.again(id)?;
    let counting = Counting::of(acting.repository, &reading.view, acting.clock.now(), acting.monitor)?;
    let counted = counting.counted(&reading.log, submission, &lists)?;
    let mut describer = reading.log.describer(&reading.view)?;
    let line = line_of(&reading, (submission, &lists), &counted, &mut describer)?;
    Ok(Report { submission: line, verdicts, renewed })
}

/// One thing that is done, with the list that it names.
struct Step {
    deed: Deed,
    list: Option<TransitionList>,
}

/// A submission, or all that one said of it.
fn whole(submission: &Submission, options: &Options, actor: Actor<'_>) -> Result<Vec<Step>, AppError> {
    let me = actor.identity.id;
    let draft = draft_of(submission).to_owned();
    if !options.verdict && submission.by == me {
        return Ok(vec![Step { deed: Deed::Withdraw { submission: submission.id }, list: None }]);
    }
    let own = submission.verdicts.iter().filter(|given| given.by == me && given.taken_back.is_empty());
    let steps: Vec<Step> = own.map(|given| taking_back(submission, given)).collect();
    match (steps.is_empty(), options.verdict) {
        (false, _) => Ok(steps),
        (true, true) => Err(ReviewError::NoVerdict { draft }.into()),
        (true, false) => Err(ReviewError::NotYours { draft }.into()),
    }
}

fn taking_back(submission: &Submission, given: &Given) -> Step {
    let deed = Deed::WithdrawVerdict { submission: submission.id, verdict: given.action };
    Step { deed, list: None }
}

/// What one said of some assets: a verdict that is about others as well is given anew for these, under the policy
/// under which it was given, so that it is worth no more than before. First it is taken back: whatever comes
/// between leaves less standing, and never more.
fn parts(
    submission: &Submission,
    lists: &Lists,
    options: &Options,
    actor: Actor<'_>,
) -> Result<Vec<Step>, AppError> {
    let draft = draft_of(submission).to_owned();
    let touches = |transition: &Transition| options.paths.iter().any(|path| transition.touches(path));
    let current = transitions_of(submission, lists);
    let stray = |path: &&AssetPath| !current.iter().any(|transition| transition.touches(path));
    let stray: Vec<AssetPath> = options.paths.iter().filter(stray).cloned().collect();
    if !stray.is_empty() {
        return Err(ReviewError::NotInIt { draft, paths: stray }.into());
    }
    let me = actor.identity.id;
    let mut steps = Vec::new();
    for given in submission.verdicts.iter().filter(|given| given.by == me && given.taken_back.is_empty()) {
        let verdict = given.verdict.value();
        let Some(list) = lists.get(&verdict.list) else { continue };
        if !list.as_slice().iter().any(touches) {
            continue;
        }
        steps.push(taking_back(submission, given));
        let rest: Vec<Transition> =
            list.as_slice().iter().filter(|transition| !touches(transition)).cloned().collect();
        if rest.is_empty() {
            continue;
        }
        if rest.len() > NAMES_MAX {
            return Err(ReviewError::TooManyLeft { draft, left: rest.len() }.into());
        }
        let list = TransitionList::new(rest);
        let paths = list.as_slice().iter().map(|transition| transition.path().clone()).collect();
        let anew = Verdict { list: ListRef::of(&list), paths, ..verdict.clone() };
        let deed = match given.judgement {
            Judgement::Approve => Deed::Approve(anew),
            Judgement::RequestChanges => Deed::RequestChanges(anew),
            Judgement::Reject => Deed::Reject(anew),
        };
        steps.push(Step { deed, list: Some(list) });
    }
    match (steps.is_empty(), submission.by == me) {
        (false, _) => Ok(steps),
        (true, true) => Err(ReviewError::WholeOnly { draft }.into()),
        (true, false) => Err(ReviewError::NoVerdict { draft }.into()),
    }
}
