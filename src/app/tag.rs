//! `tag`: names that stay where they are put.

use crate::app::common::describe::{Describer, PersonLine, TimeLine};
use crate::app::error::AppError;
use crate::base::id::CommitId;
use crate::base::time::Clock;
use crate::object::commit::Signature;
use crate::repo::Repository;
use crate::repo::edit::JournalNote;
use crate::repo::people::Identity;
use crate::repo::refs::{Annotation, RefKind, RefName, RefTarget};
use serde::Serialize;

/// What to do with tags.
#[derive(Debug, Clone)]
pub enum Options {
    /// List them.
    List,
    /// Set a new one.
    Set { name: String, revision: Option<String>, message: Option<String>, identity: Option<Identity> },
    /// Remove one.
    Delete { name: String },
}

/// Tags after the deed.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The tag that was set or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<RefName>,
    /// All tags, by name.
    pub tags: Vec<TagLine>,
}

/// One tag.
#[derive(Debug, Clone, Serialize)]
pub struct TagLine {
    /// Its name.
    pub name: String,
    /// Where it points.
    pub commit: CommitId,
    /// Who set it; `None` when it was set without words.
    pub by: Option<PersonLine>,
    /// When it was set.
    pub time: Option<TimeLine>,
    /// Why.
    pub message: Option<String>,
}

impl TagLine {
    /// Describes a tag.
    pub fn of(name: &RefName, target: RefTarget, describer: &mut Describer<'_>) -> Result<Self, AppError> {
        let RefTarget { commit, annotation } = target;
        let by = annotation.as_ref().map(|note| describer.person(note.signature.person)).transpose()?;
        Ok(Self {
            name: name.name().to_owned(),
            commit,
            by,
            time: annotation.as_ref().map(|note| note.signature.time.into()),
            message: annotation.map(|note| note.message),
        })
    }
}

/// Lists, sets or removes tags.
pub fn run(repository: &Repository, options: Options, clock: &dyn Clock) -> Result<Report, AppError> {
    let changed = match options {
        Options::List => None,
        Options::Set { name, revision, message, identity } => {
            let revision = revision.unwrap_or_else(|| "@".to_owned());
            Some(set(repository, &name, &revision, message, identity, clock)?)
        }
        Options::Delete { name } => Some(delete(repository, &name, clock)?),
    };
    Ok(Report { changed, tags: list(repository)? })
}

fn set(
    repository: &Repository,
    name: &str,
    revision: &str,
    message: Option<String>,
    identity: Option<Identity>,
    clock: &dyn Clock,
) -> Result<RefName, AppError> {
    let name = RefName::tag(name)?;
    let view = repository.view()?;
    let commit = view.resolve(revision, clock.now())?.commit;
    if view.reference(&name)?.is_some() {
        return Err(AppError::NameTaken { name });
    }
    let mut edit = repository.edit()?;
    let annotation = match message {
        Some(message) => {
            let identity = identity.ok_or(AppError::NoIdentity)?;
            edit.put_person(identity.id, &identity.person)?;
            Some(Annotation { signature: Signature { person: identity.id, time: clock.now() }, message })
        }
        None => None,
    };
    edit.set_reference(&name, None, Some(RefTarget { commit, annotation }))?;
    let summary = format!("set tag {name} on {}", commit.short());
    edit.record(JournalNote { verb: "tag", summary, ..JournalNote::default() }, clock.now())?;
    edit.commit()?;
    Ok(name)
}

fn delete(repository: &Repository, name: &str, clock: &dyn Clock) -> Result<RefName, AppError> {
    let name = RefName::tag(name)?;
    let mut edit = repository.edit()?;
    let Some(target) = edit.reference(&name)? else {
        return Err(AppError::NameUnknown { kind: "tag", name: name.name().to_owned() });
    };
    edit.set_reference(&name, Some(target.commit), None)?;
    let summary = format!("removed tag {name}, which was on {}", target.commit.short());
    edit.record(JournalNote { verb: "tag", summary, ..JournalNote::default() }, clock.now())?;
    edit.commit()?;
    Ok(name)
}

fn list(repository: &Repository) -> Result<Vec<TagLine>, AppError> {
    let view = repository.view()?;
    let mut describer = Describer::new(&view)?;
    let mut tags = Vec::new();
    for (name, target) in view.references()? {
        if name.kind() != RefKind::Tag {
            continue;
        }
        tags.push(TagLine::of(&name, target, &mut describer)?);
    }
    Ok(tags)
}
