//! Any number of states side by side: the history of one asset, or several assets.

use super::page;
use super::shelf::{Shelf, Written};
use super::state::{Opener, StateLine, Subject};
use crate::app::common::describe::EntryLine;
use crate::app::common::locate::{Word, locate, locate_version};
use crate::app::common::problem::ProblemLine;
use crate::app::error::AppError;
use crate::app::info::Opened;
use crate::base::monitor::{Advance, Monitor, Phase, Problem};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::media::worker::Workers;
use crate::repo::versions::asset_line;
use crate::repo::{RepoError, Repository};
use serde::Serialize;
use std::path::PathBuf;

/// What stands side by side.
#[derive(Debug, Clone)]
pub enum Subjects {
    /// The versions of one asset, oldest first.
    History {
        /// Where it stands or last stood.
        path: AssetPath,
        /// The revision at which its history ends; the current branch when `None`.
        revision: Option<String>,
        /// At most so many, the newest.
        limit: usize,
    },
    /// Files and versions, in the order given.
    Named(Vec<Word>),
}

/// What to show, and where to put it.
#[derive(Debug, Clone)]
pub struct LineupOptions {
    /// What.
    pub subjects: Subjects,
    /// The longest side of a picture, in pixels.
    pub edge: u32,
    /// The page that is written; none when `None`.
    pub page: Option<PathBuf>,
}

/// States side by side.
#[derive(Debug, Clone, Serialize)]
pub struct Lineup {
    /// The states, in the order in which they are shown.
    pub states: Vec<StateLine>,
    /// How many older versions there are that are not shown.
    pub more: u64,
    /// What could not be looked at, each with the reason.
    pub without_picture: Vec<ProblemLine>,
    /// The page or folder that was written.
    pub written: Option<Written>,
}

/// Most states of one page whose exposure can be chosen.
const LIGHTS_MAX: usize = 6;

/// Puts states side by side.
pub fn lineup(
    repository: &Repository,
    options: &LineupOptions,
    workers: &Workers,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Lineup, AppError> {
    let view = repository.view()?;
    let mut opener = Opener::new(repository, &view, monitor)?;
    let mut line = Lineup { states: Vec::new(), more: 0, without_picture: Vec::new(), written: None };
    let found = find(&mut opener, options, clock, &mut line)?;
    let (name, kind) = match &options.subjects {
        Subjects::History { path, .. } => (path.clone(), "log"),
        Subjects::Named(_) => (AssetPath::root(), "together"),
    };
    let files_total = Some(found.len() as u64);
    monitor.phase(Phase { name: "Looking", files_total, bytes_total: None });
    let mut states = Vec::new();
    let with_light = options.page.is_some() && found.len() <= LIGHTS_MAX;
    for (path, opened, made) in found {
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        let looked = match opened {
            Ok(opened) => Subject::look(opened, made, workers)?,
            Err(reason) => Err(reason),
        };
        let drawn = match looked {
            Ok(subject) => subject.picture(workers, options.edge)?.map(|picture| (subject, picture)),
            Err(reason) => Err(reason),
        };
        match drawn {
            Ok((subject, picture)) => {
                if options.page.is_some() {
                    let light = if with_light { subject.light(workers)? } else { None };
                    let state = page::State::new(&subject.line, Some(&picture));
                    let state = state.and_then(|state| state.with_light(light.as_ref()));
                    states.push(state.map_err(|error| AppError::NotDrawn { reason: error.to_string() })?);
                }
                line.states.push(subject.line);
            }
            Err(message) => line.without_picture.push(Problem { path, message }.into()),
        }
        monitor.advance(Advance { files: 1, ..Advance::default() });
    }
    if options.page.is_some() && !states.is_empty() {
        let title = if kind == "log" { name.to_string() } else { String::new() };
        let mut shelf = Shelf::new(options.page.clone(), kind, title);
        shelf.add(&page::Asset::new(&name, states))?;
        line.written = shelf.finish()?;
    }
    Ok(line)
}

type Made = (Option<u64>, Option<crate::app::common::describe::CommitLine>);
type Found = (AssetPath, Result<Opened, String>, Made);

fn find(
    opener: &mut Opener<'_>,
    options: &LineupOptions,
    clock: &dyn Clock,
    line: &mut Lineup,
) -> Result<Vec<Found>, AppError> {
    let view = opener.view();
    let mut found = Vec::new();
    match &options.subjects {
        Subjects::History { path, revision, limit } => {
            let tip = view.resolve(revision.as_deref().unwrap_or("@"), clock.now())?.commit;
            let changes = asset_line(view, tip, path).map_err(RepoError::from)?;
            if changes.is_empty() {
                return Err(AppError::NotInRevision { path: path.clone() });
            }
            // Moves and metadata make no other picture: each version is shown once, as it began.
            let mut versions: Vec<_> = changes.iter().filter(|change| change.version > 0).collect();
            versions.reverse();
            let mut newest = 0;
            versions.retain(|change| {
                let is_new = change.version > newest;
                newest = newest.max(change.version);
                is_new
            });
            let left_out = versions.len().saturating_sub(*limit);
            line.more = left_out as u64;
            for change in versions.into_iter().skip(left_out) {
                let Some(placed) = &change.after else { continue };
                let entry = EntryLine::new(&placed.path, &placed.entry);
                let opened = opener.stored(&entry, change.id)?;
                let made = opener.made(change)?;
                found.push((placed.path.clone(), opened, made));
            }
        }
        Subjects::Named(words) => {
            for word in words {
                found.push(find_named(opener, word, clock)?);
            }
        }
    }
    Ok(found)
}

/// A path means the file on disk, or the committed one when it is not there.
fn find_named(opener: &mut Opener<'_>, word: &Word, clock: &dyn Clock) -> Result<Found, AppError> {
    let view = opener.view();
    let located = match word {
        Word::Revision(text) => return Err(AppError::NamesNothing { text: text.clone() }),
        Word::Version { path, version } => locate_version(view, path, *version)?,
        Word::Path(path) => {
            if let Ok(opened) = opener.on_disk(path)? {
                return Ok((path.clone(), Ok(opened), (None, None)));
            }
            locate(view, None, path, clock.now())?
        }
    };
    let entry = EntryLine::new(&located.path, &located.entry);
    let opened = opener.stored(&entry, located.commit)?;
    let made = opener.made_by(located.commit, &located.path)?;
    Ok((located.path, opened, made))
}
