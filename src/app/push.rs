//! `push`: gives one's work to a remote.

use crate::app::common::keep;
use crate::app::common::remotes::{OpenRemote, Reach, new_token, open_remote, sent_dir};
use crate::app::draft::find_branch;
use crate::app::error::AppError;
use crate::base::id::CommitId;
use crate::base::monitor::Monitor;
use crate::repo::refs::{RefKind, RefName, RefTarget};
use crate::repo::{Repository, View};
use crate::sync::SyncError;
use crate::sync::accept::{Judge, NoRules, insist, is_forward};
use crate::sync::push::{Moved, Push};
use crate::sync::remote::{Description, Published, RefChange};
use crate::sync::tracking::{RemoteRecord, put_remote_record, remote_record};
use serde::Serialize;

/// What to push.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The remote; the one that is meant when `None`.
    pub remote: Option<String>,
    /// Branches, drafts and tags; the branch that one is on when empty.
    pub names: Vec<String>,
    /// All branches, drafts and tags.
    pub all: bool,
    /// Remove the names from the remote instead.
    pub delete: bool,
    /// Move names even when that takes commits off them, as long as nobody else moved them meanwhile.
    pub force: bool,
    /// Only say what would be sent.
    pub dry_run: bool,
}

/// What was pushed, or would be.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The remote.
    pub remote: String,
    /// Whether nothing was sent because only a preview was asked for.
    pub dry_run: bool,
    /// What was moved.
    #[serde(flatten)]
    pub moved: Moved,
    /// The names.
    pub names: Vec<NameLine>,
}

/// A name that moved on the remote.
#[derive(Debug, Clone, Serialize)]
pub struct NameLine {
    /// The name.
    pub name: String,
    /// `branch`, `draft` or `tag`.
    pub kind: &'static str,
    /// Where it pointed.
    pub before: Option<CommitId>,
    /// Where it points.
    pub after: Option<CommitId>,
}

/// Pushes. `say_first` is told what will move before anything does.
pub fn run(
    repository: &Repository,
    options: &Options,
    reach: &Reach,
    say_first: &mut dyn FnMut(&Moved),
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let opened = open_remote(repository, options.remote.as_deref(), reach)?;
    let description = opened.remote.describe()?;
    if description.repository != repository.id() {
        let (expected, found) = (repository.id(), description.repository);
        return Err(SyncError::OtherRepository { expected, found }.into());
    }
    let view = repository.view()?;
    let changes = changes(&view, &opened, options, &description)?;
    judge_all(&view, &changes, options, &NoRules)?;
    let names = changes.iter().map(name_line).collect();
    let push = Push {
        repository,
        remote: &*opened.remote,
        known: known(&view, &opened.name)?,
        changes,
        notes: sent_dir(repository.pent_dir(), &opened.name),
        token: new_token()?,
    };
    let moved = if push.changes.is_empty() {
        Moved::default()
    } else if options.dry_run {
        push.measure(&description, monitor)?
    } else {
        let (moved, published) = push.run_saying(description, say_first, monitor)?;
        note_pushed(repository, &opened, &push.changes, published)?;
        keep::renew(repository, &opened)?;
        moved
    };
    Ok(Report { remote: opened.name, dry_run: options.dry_run, moved, names })
}

/// The names that have to move on the remote.
fn changes(
    view: &View,
    opened: &OpenRemote,
    options: &Options,
    description: &Description,
) -> Result<Vec<RefChange>, AppError> {
    let mut changes = Vec::new();
    for (name, target) in wanted(view, options, description)? {
        let seen = view.reference(&seen_as(&opened.name, &name)?)?.map(|target| target.commit);
        let actual = description.refs.get(&name);
        if actual == target.as_ref() {
            continue;
        }
        // With force, a name moves only from where it was when its owner last looked.
        let expected = if options.force { seen } else { actual.map(|target| target.commit) };
        changes.push(RefChange { name, expected, target });
    }
    Ok(changes)
}

fn wanted(
    view: &View,
    options: &Options,
    description: &Description,
) -> Result<Vec<(RefName, Option<RefTarget>)>, AppError> {
    if options.all {
        let all = view.references()?.into_iter().filter(|(name, _)| name.kind() != RefKind::Remote);
        return Ok(all.map(|(name, target)| (name, Some(target))).collect());
    }
    if options.names.is_empty() {
        let branch = view.state()?.branch;
        let target = view.reference(&branch)?.ok_or(crate::repo::RepoError::NoCommits)?;
        return Ok(vec![(branch, Some(target))]);
    }
    let mut wanted = Vec::new();
    for text in &options.names {
        let name = if options.delete { name_there(description, text)? } else { name_here(view, text)? };
        let target = if options.delete { None } else { view.reference(&name)? };
        if target.is_some() || options.delete {
            wanted.push((name, target));
        }
    }
    Ok(wanted)
}

fn name_here(view: &View, text: &str) -> Result<RefName, AppError> {
    let tag = RefName::tag(text)?;
    match find_branch(view, text) {
        Err(AppError::NameUnknown { .. }) if view.reference(&tag)?.is_some() => Ok(tag),
        found => found,
    }
}

fn name_there(description: &Description, text: &str) -> Result<RefName, AppError> {
    let candidates = [RefName::branch(text)?, RefName::draft(text)?, RefName::tag(text)?];
    let found = candidates.into_iter().find(|name| description.refs.contains_key(name));
    found.ok_or_else(|| AppError::NameUnknown { kind: "branch or draft", name: text.to_owned() })
}

/// Where a name of the remote is kept here.
fn seen_as(remote: &str, name: &RefName) -> Result<RefName, AppError> {
    if name.kind() == RefKind::Branch { Ok(RefName::remote(remote, name)?) } else { Ok(name.clone()) }
}

/// Insists that no name loses commits, and that the rules allow every move.
fn judge_all(
    view: &View,
    changes: &[RefChange],
    options: &Options,
    judge: &dyn Judge,
) -> Result<(), AppError> {
    for change in changes {
        let after = change.target.as_ref().map(|target| target.commit);
        let is_known = match change.expected {
            Some(before) => view.snapshot().contains(crate::store::Space::Commits, before.as_bytes())?,
            None => true,
        };
        let moves_forward = is_known && is_forward(view, change.expected, after)?;
        if !moves_forward && !options.force && !options.delete {
            return Err(SyncError::NotForward { name: change.name.clone() }.into());
        }
        insist(judge, view, change)?;
    }
    Ok(())
}

/// Commits that the remote had when it was seen last.
fn known(view: &View, remote: &str) -> Result<Vec<CommitId>, AppError> {
    let all = view.references()?.into_iter();
    let of_remote = all.filter(|(name, _)| name.remote_parts().is_some_and(|(other, _)| other == remote));
    Ok(of_remote.map(|(_, target)| target.commit).collect())
}

fn name_line(change: &RefChange) -> NameLine {
    let kind = match change.name.kind() {
        RefKind::Tag => "tag",
        _ if change.name.is_draft() => "draft",
        _ => "branch",
    };
    NameLine {
        name: change.name.name().to_owned(),
        kind,
        before: change.expected,
        after: change.target.as_ref().map(|target| target.commit),
    }
}

/// Notes where the remote's names are now.
fn note_pushed(
    repository: &Repository,
    opened: &OpenRemote,
    changes: &[RefChange],
    published: Published,
) -> Result<(), AppError> {
    let mut edit = repository.edit()?;
    for change in changes.iter().filter(|change| change.name.kind() == RefKind::Branch) {
        let here = RefName::remote(&opened.name, &change.name)?;
        let before = edit.reference(&here)?.map(|target| target.commit);
        let target = change.target.as_ref().map(|target| RefTarget::plain(target.commit));
        edit.set_reference(&here, before, target)?;
    }
    if let Some(record) = remote_record(&repository.view()?, &opened.name)? {
        // When nobody else published since everything was fetched, the mark moves along.
        if published.follows.is_some_and(|before| before == record.mark.unwrap_or(0)) {
            let record = RemoteRecord { mark: Some(published.mark), ..record };
            put_remote_record(&mut edit, &opened.name, Some(&record))?;
        }
    }
    Ok(edit.commit()?)
}
