//! `approve`, `request-changes` and `reject`: a verdict on a submission, a folder or single assets.

use crate::app::common::on_demand::have_content;
use crate::app::error::AppError;
use crate::app::review::act::{Acting, Doing, Subject};
use crate::app::review::counting::Counting;
use crate::app::review::describe::{SubmissionLine, VerdictLine, line_of, transitions_of};
use crate::app::review::error::ReviewError;
use crate::app::review::log::{Reading, ReviewLog, draft_of};
use crate::base::id::{ActionId, PolicyId};
use crate::base::path::AssetPath;
use crate::object::action::{Deed, ListRef, Verdict};
use crate::object::approval::Judgement;
use crate::object::transition::TransitionList;
use crate::repo::View;
use crate::repo::edit::JournalNote;
use crate::repo::refs::RefName;
use crate::review::submission::Submission;
use serde::Serialize;

/// What to say of what.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of what.
    pub subject: Subject,
    /// Which way.
    pub judgement: Judgement,
    /// Why.
    pub message: String,
    /// The policy in force.
    pub policy: Option<PolicyId>,
}

/// What was said.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The verdict.
    pub verdict: VerdictLine,
    /// The submission after it.
    pub submission: SubmissionLine,
    /// Whether whoever judges is whoever submitted.
    pub own: bool,
    /// Whether the draft went on since it was submitted; the verdict is about what was submitted.
    pub draft_went_on: bool,
}

/// Gives a verdict.
pub fn run(acting: &Acting<'_>, options: &Options) -> Result<Report, AppError> {
    let words = options.message.trim();
    if options.judgement.objects() && words.is_empty() {
        return Err(ReviewError::NoWords.into());
    }
    let Subject { submission, paths } = &options.subject;
    let reading = acting.read()?;
    let (submission, lists) = reading.find(submission.as_deref())?;
    refuse_over(&reading.view, &reading.log, submission)?;
    let list = named(submission, transitions_of(submission, &lists), paths)?;
    if options.judgement == Judgement::Approve {
        bring_content(acting, &reading.view, &list)?;
    }
    let verdict = Verdict {
        submission: submission.id,
        branch: submission.branch().to_owned(),
        policy: options.policy,
        list: ListRef::of(&list),
        paths: paths.clone(),
    };
    let (deed, verb) = match options.judgement {
        Judgement::Approve => (Deed::Approve(verdict), "approve"),
        Judgement::RequestChanges => (Deed::RequestChanges(verdict), "request-changes"),
        Judgement::Reject => (Deed::Reject(verdict), "reject"),
    };
    let summary = format!("judged {} assets of {}", list.len(), draft_of(submission));
    let note = JournalNote { verb, summary, ..JournalNote::default() };
    let action = acting.perform(&reading.log, Doing { deed, words, lists: &[&list], note })?;
    report(acting, &reading, submission.id, action)
}

/// Nobody answers for content that they do not have: what a manifest says of it is a claim until it was checked.
/// Brings what is not here, or refuses.
fn bring_content(acting: &Acting<'_>, view: &View, list: &TransitionList) -> Result<(), AppError> {
    let after = list.as_slice().iter().filter_map(|transition| transition.after.as_ref());
    let files = after.filter_map(|placed| placed.content.file().zip(placed.content.size()));
    have_content(acting.repository, view, files, acting.monitor).map(drop)
}

/// Refuses what is about a submission that is over.
pub(super) fn refuse_over(view: &View, log: &ReviewLog, submission: &Submission) -> Result<(), AppError> {
    match log.standing(view, submission)?.over() {
        None => Ok(()),
        Some(how) => {
            let (draft, branch) = (draft_of(submission).to_owned(), submission.branch().to_owned());
            Err(ReviewError::Over { draft, branch, how }.into())
        }
    }
}

/// The transitions of a submission at or below some paths, of which each must name something.
fn named(
    submission: &Submission,
    all: &[crate::object::transition::Transition],
    paths: &[AssetPath],
) -> Result<TransitionList, AppError> {
    let draft = draft_of(submission).to_owned();
    if all.is_empty() {
        return Err(ReviewError::NoList { draft }.into());
    }
    let touches = |path: &&AssetPath| !all.iter().any(|transition| transition.touches(path));
    let stray: Vec<AssetPath> = paths.iter().filter(touches).cloned().collect();
    if !stray.is_empty() {
        return Err(ReviewError::NotInIt { draft, paths: stray }.into());
    }
    Ok(TransitionList::new(all.iter().cloned()).within(paths))
}

fn report(
    acting: &Acting<'_>,
    before: &Reading,
    submission: ActionId,
    action: ActionId,
) -> Result<Report, AppError> {
    let after = acting.read_after(before)?;
    let (submission, lists) = after.again(submission)?;
    let counting = Counting::of(acting.repository, &after.view, acting.clock.now(), acting.monitor)?;
    let counted = counting.counted(&after.log, submission, &lists)?;
    let mut describer = after.log.describer(&after.view)?;
    let given = submission.verdicts.iter().find(|given| given.action == action);
    let given = given.ok_or_else(|| ReviewError::NoVerdict { draft: draft_of(submission).to_owned() })?;
    Ok(Report {
        verdict: VerdictLine::of(&after.view, given, &counted, &mut describer)?,
        own: given.by == submission.by,
        draft_went_on: draft_went_on(&after.view, submission)?,
        submission: line_of(&after, (submission, &lists), &counted, &mut describer)?,
    })
}

/// Whether the draft has commits that are not submitted.
pub(super) fn draft_went_on(view: &View, submission: &Submission) -> Result<bool, AppError> {
    let Some(round) = submission.current() else { return Ok(false) };
    let Ok(draft) = RefName::branch(&round.proposal.draft) else { return Ok(false) };
    Ok(view.reference(&draft)?.is_some_and(|target| target.commit != round.proposal.head))
}
