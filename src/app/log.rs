//! `log`: what happened, newest first; of everything or of one asset through its moves.

use crate::app::common::describe::{CommitLine, Describer, EntryLine};
use crate::app::common::lineage::{CopyLine, copies};
use crate::app::common::signatures::SignatureJudge;
use crate::app::error::AppError;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::repo::date::parse_date;
use crate::repo::history::Walk;
use crate::repo::versions::{AssetChange, Placed, asset_line};
use crate::repo::{Repository, View};
use crate::rules::keyring::Keyring;
use serde::Serialize;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where to begin; the current branch's newest commit when `None`.
    pub revision: Option<String>,
    /// Leave out what this revision can reach.
    pub except: Option<String>,
    /// Only this asset's own changes.
    pub path: Option<AssetPath>,
    /// At most so many commits.
    pub limit: Option<usize>,
    /// Only commits of people whose name or address contains this.
    pub author: Option<String>,
    /// Only commits whose message contains this.
    pub message: Option<String>,
    /// Only commits that are not older than a date in words.
    pub since: Option<String>,
    /// Only commits that are not younger than a date in words.
    pub until: Option<String>,
    /// Every branch, not only the current one.
    pub all: bool,
    /// Only the branch's own line.
    pub first_parent: bool,
    /// Say who signed, by these keys.
    pub keyring: Option<Keyring>,
}

/// Commits, newest first.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The asset that the list is about, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<AssetPath>,
    /// The commits.
    pub commits: Vec<LogEntry>,
    /// Whether more would follow.
    pub more: bool,
}

/// One commit of the list.
#[derive(Debug, Clone, Serialize)]
pub struct LogEntry {
    /// The commit.
    #[serde(flatten)]
    pub commit: CommitLine,
    /// What it did to the asset, when the list is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeLine>,
}

/// What a commit did to one asset.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeLine {
    /// `added`, `changed`, `moved`, `metadata`, `mode` or `removed`.
    pub what: &'static str,
    /// The version since; `None` after a removal.
    pub version: Option<u64>,
    /// What it was copied from, when the commit added it as a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copied_from: Option<CopyLine>,
    /// As it was.
    pub before: Option<EntryLine>,
    /// As it is since.
    pub after: Option<EntryLine>,
}

/// Lists commits.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let view = repository.view()?;
    let filter = Filter::new(options, clock)?;
    let limit = options.limit.unwrap_or(usize::MAX);
    let mut describer = Describer::new(&view)?;
    if let Some(keyring) = &options.keyring {
        describer = describer.with_signatures(SignatureJudge::new(repository.id(), keyring));
    }
    if let Some(path) = &options.path {
        let tip = match &options.revision {
            Some(text) => view.resolve(text, clock.now())?.commit,
            None => view.head()?.ok_or(crate::repo::RepoError::NoCommits)?,
        };
        let line = asset_line(&view, tip, path).map_err(crate::repo::RepoError::from)?;
        if line.is_empty() {
            return Err(AppError::NotInRevision { path: path.clone() });
        }
        return asset_report(&view, path, &line, &filter, limit, &mut describer);
    }
    let tips = match (&options.revision, options.all) {
        (Some(text), _) => vec![view.resolve(text, clock.now())?.commit],
        (None, true) => view.references()?.into_iter().map(|(_, target)| target.commit).collect(),
        (None, false) => view.head()?.into_iter().collect(),
    };
    let mut walk = Walk::from(&view, tips)?;
    if options.first_parent {
        walk = walk.first_parents_only();
    }
    if let Some(except) = &options.except {
        walk.hide(view.resolve(except, clock.now())?.commit)?;
    }
    let mut commits = Vec::new();
    for item in walk {
        let (id, commit) = item?;
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        let line = describer.commit(id, &commit)?;
        if !filter.accepts(&line) {
            continue;
        }
        if commits.len() == limit {
            return Ok(Report { path: None, commits, more: true });
        }
        commits.push(LogEntry { commit: line, change: None });
    }
    Ok(Report { path: None, commits, more: false })
}

fn asset_report(
    view: &View,
    path: &AssetPath,
    line: &[AssetChange],
    filter: &Filter,
    limit: usize,
    describer: &mut Describer<'_>,
) -> Result<Report, AppError> {
    let mut commits = Vec::new();
    for change in line {
        let commit = describer.commit(change.id, &change.commit)?;
        if !filter.accepts(&commit) {
            continue;
        }
        if commits.len() == limit {
            return Ok(Report { path: Some(path.clone()), commits, more: true });
        }
        let mut said = ChangeLine::of(change);
        if let (None, Some(after)) = (&change.before, &change.after) {
            let mut copied = copies(view, &change.commit)?;
            said.copied_from = after.entry.asset.and_then(|asset| copied.remove(&asset));
        }
        commits.push(LogEntry { commit, change: Some(said) });
    }
    Ok(Report { path: Some(path.clone()), commits, more: false })
}

impl ChangeLine {
    /// Describes one change of an asset.
    pub fn of(change: &AssetChange) -> Self {
        let line = |placed: &Placed| EntryLine::new(&placed.path, &placed.entry);
        let what = match (&change.before, &change.after) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(before), Some(after)) => what_changed(before, after),
        };
        Self {
            what,
            copied_from: None,
            version: change.after.as_ref().map(|_| change.version).filter(|version| *version > 0),
            before: change.before.as_ref().map(line),
            after: change.after.as_ref().map(line),
        }
    }
}

fn what_changed(before: &Placed, after: &Placed) -> &'static str {
    let (old, new) = (&before.entry, &after.entry);
    if old.content.file_id() != new.content.file_id() {
        "changed"
    } else if before.path != after.path {
        "moved"
    } else if old.content != new.content {
        "mode"
    } else if old.metadata != new.metadata {
        "metadata"
    } else {
        "changed"
    }
}

/// Which commits of the walk are listed.
struct Filter {
    author: Option<String>,
    message: Option<String>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
}

impl Filter {
    fn new(options: &Options, clock: &dyn Clock) -> Result<Self, AppError> {
        let date = |text: &Option<String>| -> Result<Option<i64>, AppError> {
            Ok(text.as_ref().map(|text| parse_date(text, clock.now())).transpose()?.map(|time| time.unix_ms))
        };
        let day_ms = 86_400_000;
        let since_ms = date(&options.since)?.map(|end| {
            // A bare day is read as its end; "since" means from its beginning.
            let is_bare_day = options.since.as_ref().is_some_and(|text| crate::repo::date::is_bare_day(text));
            if is_bare_day { end - day_ms + 1 } else { end }
        });
        Ok(Self {
            author: options.author.as_ref().map(|text| text.to_lowercase()),
            message: options.message.as_ref().map(|text| text.to_lowercase()),
            since_ms,
            until_ms: date(&options.until)?,
        })
    }

    fn accepts(&self, line: &CommitLine) -> bool {
        let contains = |text: &Option<String>, part: &String| {
            text.as_ref().is_some_and(|text| text.to_lowercase().contains(part))
        };
        self.author
            .as_ref()
            .is_none_or(|part| contains(&line.author.name, part) || contains(&line.author.email, part))
            && self.message.as_ref().is_none_or(|part| line.message.to_lowercase().contains(part))
            && self.since_ms.is_none_or(|since| line.time.unix_ms >= since)
            && self.until_ms.is_none_or(|until| line.time.unix_ms <= until)
    }
}
