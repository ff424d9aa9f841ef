//! `approve`, `request-changes` and `reject`: a verdict on a submission, a folder or single assets.

use crate::app::common::describe::Describer;
use crate::app::error::AppError;
use crate::app::review::act::Actor;
use crate::app::review::describe::{SubmissionLine, VerdictLine, line_of, transitions_of};
use crate::app::review::error::ReviewError;
use crate::app::review::log::{ReviewLog, draft_of, standing};
use crate::base::id::{ActionId, PolicyId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::action::{Deed, ListRef, Verdict};
use crate::object::approval::Judgement;
use crate::object::transition::TransitionList;
use crate::repo::edit::JournalNote;
use crate::repo::refs::RefName;
use crate::repo::{Repository, View};
use crate::review::fold::Keys;
use crate::review::submission::Submission;
use serde::Serialize;

/// What to say of what.
#[derive(Debug, Clone)]
pub struct Options {
    /// The submission, by its draft or the beginning of its id; the only open one when `None`.
    pub submission: Option<String>,
    /// Folders and assets; the whole submission when empty.
    pub paths: Vec<AssetPath>,
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
pub fn run(
    repository: &Repository,
    options: &Options,
    actor: Actor<'_>,
    keys: &dyn Keys,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let words = options.message.trim();
    if options.judgement.objects() && words.is_empty() {
        return Err(ReviewError::NoWords.into());
    }
    let view = repository.view()?;
    let log = ReviewLog::read(&view, repository.id(), keys, monitor)?;
    let submission = log.find(&view, options.submission.as_deref())?;
    refuse_over(&view, submission)?;
    let lists = log.lists(&view, submission)?;
    let list = named(submission, transitions_of(submission, &lists), &options.paths)?;
    let verdict = Verdict {
        submission: submission.id,
        branch: submission.branch().to_owned(),
        policy: options.policy,
        list: ListRef::of(&list),
        paths: options.paths.clone(),
    };
    let (deed, verb) = match options.judgement {
        Judgement::Approve => (Deed::Approve(verdict), "approve"),
        Judgement::RequestChanges => (Deed::RequestChanges(verdict), "request-changes"),
        Judgement::Reject => (Deed::Reject(verdict), "reject"),
    };
    let signed = actor.sign(repository.id(), &log, deed, words, clock)?;
    let mut edit = repository.edit()?;
    let action = signed.keep(&mut edit, actor.identity, &[&list])?;
    let summary = format!("judged {} assets of {}", list.len(), draft_of(submission));
    edit.record(JournalNote { verb, summary, ..JournalNote::default() }, clock.now())?;
    edit.commit()?;
    report(repository, submission.id, action, keys, monitor)
}

/// Refuses what is about a submission that is over.
pub(super) fn refuse_over(view: &View, submission: &Submission) -> Result<(), AppError> {
    match standing(view, submission)?.over() {
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
    repository: &Repository,
    submission: ActionId,
    action: ActionId,
    keys: &dyn Keys,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let view = repository.view()?;
    let log = ReviewLog::read(&view, repository.id(), keys, monitor)?;
    let submission = log.find(&view, Some(&submission.to_string()))?;
    let lists = log.lists(&view, submission)?;
    let mut describer = Describer::new(&view)?;
    let given = submission.verdicts.iter().find(|given| given.action == action);
    let given = given.ok_or_else(|| ReviewError::NoVerdict { draft: draft_of(submission).to_owned() })?;
    Ok(Report {
        verdict: VerdictLine::of(&view, given, &mut describer)?,
        own: given.by == submission.by,
        draft_went_on: draft_went_on(&view, submission)?,
        submission: line_of(&view, submission, &lists, &mut describer)?,
    })
}

/// Whether the draft has commits that are not submitted.
pub(super) fn draft_went_on(view: &View, submission: &Submission) -> Result<bool, AppError> {
    let Some(round) = submission.current() else { return Ok(false) };
    let Ok(draft) = RefName::branch(&round.proposal.draft) else { return Ok(false) };
    Ok(view.reference(&draft)?.is_some_and(|target| target.commit != round.proposal.head))
}
