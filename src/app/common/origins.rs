//! Finds the other ends of moves when only a part of the worktree was asked for.
//!
//! Whoever commits one end of a moved file means the move, which is what status shows: the other end
//! goes along. Else the asset would end and another begin.

use crate::app::common::probe::IngestProbe;
use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::base::candidates::{Candidates, Likeness};
use crate::base::id::FileId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::object::path_set::PathSet;
use crate::object::tree::Content;
use crate::repo::ingest::Ingester;
use crate::worktree::index::{Folder, Index};
use crate::worktree::scan::Tracked;
use crate::worktree::stat::NodeKind;
use crate::worktree::status::{Change, Measure, What};
use std::collections::HashSet;

/// What was asked for, with the other ends of moves of which one end was asked for: one end alone would leave the
/// asset at both places or at none. Everything when nothing was named.
pub struct Asked {
    paths: Vec<AssetPath>,
    /// Old places that folders have taken since. Of what lies there only the end of the asset was asked for.
    taken: Vec<AssetPath>,
    /// The others.
    whole: PathSet,
}

impl Asked {
    /// Finds the other ends of moves by command and by hand.
    pub fn of(session: &Session<'_>, within: &[AssetPath], monitor: &dyn Monitor) -> Result<Self, AppError> {
        let mut paths = with_other_ends(session, within);
        paths.extend(new_places(session, &paths, monitor)?);
        let paths = with_other_ends(session, &paths);
        let (named, ends) = paths.split_at(within.len());
        let (taken, free): (Vec<_>, Vec<_>) = ends.iter().cloned().partition(|end| is_folder(session, end));
        let whole = PathSet::new(named.iter().cloned().chain(free));
        Ok(Self { paths, taken, whole })
    }

    /// All that was asked for, each with what lies below it.
    pub fn paths(&self) -> &[AssetPath] {
        &self.paths
    }

    /// Whether a path was asked for.
    pub fn includes(&self, path: &AssetPath) -> bool {
        self.whole.includes(path) || self.taken.contains(path)
    }

    /// Whether a path lies in the folder that took an old place, and was not asked for.
    pub fn is_beneath_end(&self, path: &AssetPath) -> bool {
        let is_below = |end: &AssetPath| path != end && path.is_within(end);
        self.taken.iter().any(is_below) && !self.whole.includes(path)
    }
}

/// Adds the other ends of moves. Who asks for something in a folder asks for the end of the file that stood in the
/// folder's place, too.
fn with_other_ends(session: &Session<'_>, within: &[AssetPath]) -> Vec<AssetPath> {
    let mut all = within.to_vec();
    if within.is_empty() {
        return all;
    }
    let wanted = PathSet::new(within.iter().cloned());
    for (to, from) in &session.state.pending.moves {
        match (wanted.includes(to), is_asked(session, &wanted, from)) {
            (true, false) => all.push(from.clone()),
            (false, true) => all.push(to.clone()),
            _ => {}
        }
    }
    all
}

/// Where files went that stood within the paths that were asked for, as status finds it.
fn new_places(
    session: &Session<'_>,
    within: &[AssetPath],
    monitor: &dyn Monitor,
) -> Result<Vec<AssetPath>, AppError> {
    let Some(index) = session.index.as_ref().filter(|_| !within.is_empty()) else { return Ok(Vec::new()) };
    let mut is_any_gone = false;
    for path in within {
        is_any_gone =
            is_any_gone || is_gone_below(session, index, path)? || is_gone_above(session, index, path)?;
    }
    // Only then is it worth looking at everything.
    if !is_any_gone {
        return Ok(Vec::new());
    }
    let parameters = session.repository.store().settings().chunker;
    let measuring = Ingester::measuring(&session.view, &parameters, monitor);
    let probe = IngestProbe::looking(measuring, Ingester::hashing(monitor));
    let status = session.status(&[], &probe, Measure::Needed, monitor)?;
    let asked = PathSet::new(within.iter().cloned());
    let went = status.changes.into_iter().filter_map(|change| match &change.what {
        What::Moved { from, .. } if is_asked(session, &asked, from) && !asked.includes(&change.path) => {
            Some(change.path)
        }
        _ => None,
    });
    Ok(went.collect())
}

/// Whether the old place of a moved file was asked for: itself, or something in a folder that took its place.
fn is_asked(session: &Session<'_>, asked: &PathSet, from: &AssetPath) -> bool {
    asked.includes(from) || (asked.leads_to(from) && is_folder(session, from))
}

/// Whether a folder stands at a path.
pub fn is_folder(session: &Session<'_>, path: &AssetPath) -> bool {
    let stands = session.worktree.look(path).ok().flatten();
    stands.is_some_and(|node| node.kind == NodeKind::Directory)
}

/// Whether nothing stands where a committed file at or below a path should.
fn is_gone_below(session: &Session<'_>, index: &Index, path: &AssetPath) -> Result<bool, AppError> {
    match index.find_folder(path)? {
        Some(folder) => is_gone_in(session, folder, path),
        None => Ok(index.find(path)?.is_some() && is_gone(session, path)),
    }
}

/// Whether a path is in a folder that took the place of a committed file.
fn is_gone_above(session: &Session<'_>, index: &Index, path: &AssetPath) -> Result<bool, AppError> {
    let mut above = path.parent();
    while let Some(folder) = above {
        if index.find(&folder)?.is_some_and(|record| !record.is_directory()) {
            return Ok(is_folder(session, &folder));
        }
        above = folder.parent();
    }
    Ok(false)
}

fn is_gone_in(session: &Session<'_>, folder: Folder<'_>, path: &AssetPath) -> Result<bool, AppError> {
    for position in 0..folder.len() {
        let Some(record) = folder.record(position) else { continue };
        // Names in an index come from a checked tree.
        let Ok(at) = path.join(record.name()) else { continue };
        let is_gone = if record.is_directory() {
            is_gone_in(session, folder.child(&record)?, &at)?
        } else {
            is_gone(session, &at)
        };
        if is_gone {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether nothing stands at a path where something should.
fn is_gone(session: &Session<'_>, path: &AssetPath) -> bool {
    let stands = session.worktree.look(path);
    session.state.shows(path)
        && stands.is_ok_and(|found| found.is_none_or(|node| node.kind == NodeKind::Directory))
}

/// Turns new files into moved ones whose content is that of a committed file which stands nowhere.
pub fn adopt(session: &Session<'_>, changes: &mut [Change]) -> Result<(), AppError> {
    let wanted: HashSet<FileId> = changes.iter().filter_map(new_content).collect();
    let Some(index) = session.index.as_ref().filter(|_| !wanted.is_empty()) else { return Ok(()) };
    let spoken_for = session.state.pending.moves.values().collect();
    let mut origins = Origins { session, wanted, spoken_for, found: Vec::new() };
    origins.collect(index.root()?, &AssetPath::root())?;
    let mut candidates = Candidates::default();
    for (number, (id, _, base)) in origins.found.iter().enumerate() {
        candidates.add((*id, matches!(base.content, Content::Symlink { .. })), number);
    }
    let told: HashSet<AssetPath> = changes.iter().map(|change| change.path.clone()).collect();
    let taken: HashSet<AssetPath> = changes.iter().filter_map(origin_of).collect();
    let path_of = |number: usize| {
        let path = origins.found.get(number).map(|(_, path, _)| path);
        path.filter(|path| !taken.contains(*path) && !told.contains(*path))
    };
    for likeness in [Likeness::Name, Likeness::Any] {
        for change in changes.iter_mut() {
            let Some(id) = new_content(change) else { continue };
            let is_spoken_for = session.state.pending.assets.contains_key(&change.path);
            // Empty files are all alike: only the name tells a move from a coincidence.
            if is_spoken_for || (likeness == Likeness::Any && id == FileId::empty()) {
                continue;
            }
            let is_link = change.node.is_some_and(|node| node.kind == NodeKind::Symlink);
            let number = candidates.take(&(id, is_link), &change.path, likeness, &path_of);
            if let Some((_, from, base)) = number.and_then(|number| origins.found.get(number)) {
                change.what = What::Moved { from: from.clone(), edited: false };
                change.base = Some(Box::new(base.clone()));
            }
        }
    }
    Ok(())
}

/// The content of a new file that was read.
fn new_content(change: &Change) -> Option<FileId> {
    change.file_id.filter(|_| change.what == What::New)
}

fn origin_of(change: &Change) -> Option<AssetPath> {
    match &change.what {
        What::Moved { from, .. } => Some(from.clone()),
        _ => None,
    }
}

/// Committed files of some content that stand nowhere.
struct Origins<'s, 'r> {
    session: &'s Session<'r>,
    wanted: HashSet<FileId>,
    /// Where something was moved away from by command.
    spoken_for: HashSet<&'s AssetPath>,
    found: Vec<(FileId, AssetPath, Tracked)>,
}

impl Origins<'_, '_> {
    fn collect(&mut self, folder: Folder<'_>, path: &AssetPath) -> Result<(), AppError> {
        for position in 0..folder.len() {
            let Some(record) = folder.record(position) else { continue };
            // Names in an index come from a checked tree.
            let Ok(at) = path.join(record.name()) else { continue };
            if record.is_directory() {
                self.collect(folder.child(&record)?, &at)?;
            } else if let Some(id) = record.file_id().filter(|id| self.wanted.contains(id))
                && self.is_gone(&at)
            {
                self.found.push((id, at, Tracked::of(&record)?));
            }
        }
        Ok(())
    }

    /// The same, for what no command moved.
    fn is_gone(&self, path: &AssetPath) -> bool {
        !self.spoken_for.contains(path) && is_gone(self.session, path)
    }
}
