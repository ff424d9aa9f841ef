//! `comment`: words on a submission, on a folder or on single assets.

use crate::app::common::describe::{Describer, PersonLine, TimeLine};
use crate::app::error::AppError;
use crate::app::review::act::{Acting, Doing, Subject};
use crate::app::review::describe::{Words, transitions_of};
use crate::app::review::error::ReviewError;
use crate::app::review::log::draft_of;
use crate::base::id::{ActionId, AssetId, FileId};
use crate::base::path::AssetPath;
use crate::object::action::{About, Comment, Deed, NAMES_MAX};
use crate::object::transition::Transition;
use crate::repo::View;
use crate::repo::edit::JournalNote;
use crate::review::submission::Said;
use serde::Serialize;

/// What to say.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of what.
    pub subject: Subject,
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
            words: Words::of(view, said.body, said.by)?,
        })
    }
}

/// Says something.
pub fn run(acting: &Acting<'_>, options: &Options) -> Result<Report, AppError> {
    let words = options.message.trim();
    if words.is_empty() {
        return Err(ReviewError::NoWords.into());
    }
    let Subject { submission, paths } = &options.subject;
    let reading = acting.read()?;
    let (submission, lists) = reading.find(submission.as_deref())?;
    let draft = draft_of(submission).to_owned();
    let about = about(transitions_of(submission, &lists), paths, &draft)?;
    let comment = Comment { submission: Some(submission.id), reply: None, paths: paths.clone(), about };
    let summary = format!("commented on {draft}");
    let note = JournalNote { verb: "comment", summary, ..JournalNote::default() };
    let doing = Doing { deed: Deed::Comment(comment), words, lists: &[], note };
    let action = acting.perform(&reading.log, doing)?;
    let after = acting.read_after(&reading)?;
    let (submission, _) = after.again(submission.id)?;
    let said = submission.comments.iter().find(|said| said.action == action);
    let said = said.ok_or_else(|| ReviewError::NoSubmission { name: draft.clone() })?;
    let comment = CommentLine::of(&after.view, said, &mut after.log.describer(&after.view)?)?;
    Ok(Report { draft, comment })
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
