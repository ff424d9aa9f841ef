//! `comment`: words on a submission, on a folder or on single assets.

use crate::app::common::describe::{Describer, PersonLine, TimeLine};
use crate::app::error::AppError;
use crate::app::review::act::Actor;
use crate::app::review::describe::{Words, transitions_of};
use crate::app::review::error::ReviewError;
use crate::app::review::log::{ReviewLog, draft_of};
use crate::base::id::{ActionId, AssetId, FileId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::action::{About, Comment, Deed, NAMES_MAX};
use crate::object::transition::Transition;
use crate::repo::edit::JournalNote;
use crate::repo::{Repository, View};
use crate::review::fold::Keys;
use crate::review::submission::Said;
use serde::Serialize;

/// What to say.
#[derive(Debug, Clone)]
pub struct Options {
    /// The submission, by its draft or the beginning of its id; the only open one when `None`.
    pub submission: Option<String>,
    /// Folders and assets; the whole submission when empty.
    pub paths: Vec<AssetPath>,
    /// The words.
    pub message: String,
}

/// What was said.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The draft.
    pub draft: String,
    /// The comment.
    pub comment: CommentLine,
}

/// A comment as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct CommentLine {
    /// The action.
    pub action: ActionId,
    /// Who.
    pub by: PersonLine,
    /// When.
    pub time: TimeLine,
    /// The folders and assets that were named; empty for the whole submission.
    pub paths: Vec<AssetPath>,
    /// The single assets among them, each with the version that was there.
    pub about: Vec<AboutLine>,
    /// What was said.
    pub words: Words,
}

/// An asset that a comment is about.
#[derive(Debug, Clone, Serialize)]
pub struct AboutLine {
    /// The asset.
    pub asset: AssetId,
    /// The version.
    pub file: Option<FileId>,
}

impl CommentLine {
    /// Describes a comment.
    pub fn of(view: &View, said: &Said, describer: &mut Describer<'_>) -> Result<Self, AppError> {
        let about = said.about.about.iter();
        Ok(Self {
            action: said.action,
            by: describer.person(said.by)?,
            time: said.time.into(),
            paths: said.about.paths.clone(),
            about: about.map(|about| AboutLine { asset: about.asset, file: about.file }).collect(),
            words: Words::of(view, said.body)?,
        })
    }
}

/// Says something.
pub fn run(
    repository: &Repository,
    options: &Options,
    actor: Actor<'_>,
    keys: &dyn Keys,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let words = options.message.trim();
    if words.is_empty() {
        return Err(ReviewError::NoWords.into());
    }
    let view = repository.view()?;
    let log = ReviewLog::read(&view, repository.id(), keys, monitor)?;
    let submission = log.find(&view, options.submission.as_deref())?;
    let lists = log.lists(&view, submission)?;
    let draft = draft_of(submission).to_owned();
    let about = about(transitions_of(submission, &lists), &options.paths, &draft)?;
    let comment =
        Comment { submission: Some(submission.id), reply: None, paths: options.paths.clone(), about };
    let signed = actor.sign(repository.id(), &log, Deed::Comment(comment), words, clock)?;
    let mut edit = repository.edit()?;
    let action = signed.keep(&mut edit, actor.identity, &[])?;
    let summary = format!("commented on {draft}");
    edit.record(JournalNote { verb: "comment", summary, ..JournalNote::default() }, clock.now())?;
    edit.commit()?;
    let view = repository.view()?;
    let log = ReviewLog::read(&view, repository.id(), keys, monitor)?;
    let submission = log.find(&view, Some(&submission.id.to_string()))?;
    let said = submission.comments.iter().find(|said| said.action == action);
    let said = said.ok_or(ReviewError::NoSubmission { name: draft.clone() })?;
    Ok(Report { draft, comment: CommentLine::of(&view, said, &mut Describer::new(&view)?)? })
}

/// The single assets among paths. Every path must name something that the submission changes.
fn about(all: &[Transition], paths: &[AssetPath], draft: &str) -> Result<Vec<About>, AppError> {
    let mut about = Vec::new();
    let mut stray = Vec::new();
    for path in paths {
        if let Some(transition) = all.iter().find(|transition| transition.path() == path) {
            let file = transition.after.as_ref().and_then(|placed| placed.content.file());
            about.extend(transition.asset().map(|asset| About { asset, file }));
        } else if !all.iter().any(|transition| transition.touches(path)) {
            stray.push(path.clone());
        }
    }
    if !stray.is_empty() {
        return Err(ReviewError::NotInIt { draft: draft.to_owned(), paths: stray }.into());
    }
    about.truncate(NAMES_MAX);
    Ok(about)
}
