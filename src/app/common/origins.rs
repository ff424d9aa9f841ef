//! Finds where new files came from when only a part of the worktree was looked at.
//!
//! Whoever commits the new place of a moved file alone means the move: its old place, where nothing
//! stands any more, goes along. Else the asset would end and another begin.

use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::base::candidates::{Candidates, Likeness};
use crate::base::id::FileId;
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::worktree::index::Folder;
use crate::worktree::scan::Tracked;
use crate::worktree::stat::NodeKind;
use crate::worktree::status::{Change, What};
use std::collections::HashSet;

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

    /// Whether nothing stands at a path where something should.
    fn is_gone(&self, path: &AssetPath) -> bool {
        let state = &self.session.state;
        let is_spoken_for = self.spoken_for.contains(path);
        let stands = self.session.worktree.look(path);
        state.shows(path)
            && !is_spoken_for
            && stands.is_ok_and(|found| found.is_none_or(|node| node.kind == NodeKind::Directory))
    }
}
