//! Finds where new files came from when only a part of the worktree was looked at.
//!
//! Whoever commits the new place of a moved file alone means the move: its old place, where nothing
//! stands any more, goes along. Else the asset would end and another begin.

use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::base::id::FileId;
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::worktree::index::Folder;
use crate::worktree::scan::Tracked;
use crate::worktree::stat::NodeKind;
use crate::worktree::status::{Change, What};
use std::collections::{HashMap, HashSet};

/// Turns new files into moved ones whose content is that of a committed file which stands nowhere.
pub fn adopt(session: &Session<'_>, changes: &mut [Change]) -> Result<(), AppError> {
    let wanted: HashSet<FileId> = changes.iter().filter_map(new_content).collect();
    let Some(index) = session.index.as_ref().filter(|_| !wanted.is_empty()) else { return Ok(()) };
    let mut origins = Origins { session, wanted, found: HashMap::new() };
    origins.collect(index.root()?, &AssetPath::root())?;
    let told: HashSet<AssetPath> = changes.iter().map(|change| change.path.clone()).collect();
    let mut taken: HashSet<AssetPath> = changes.iter().filter_map(origin_of).collect();
    for same_name in [true, false] {
        for change in changes.iter_mut() {
            let Some(id) = new_content(change) else { continue };
            let is_spoken_for = session.state.pending.assets.contains_key(&change.path);
            // Empty files are all alike: only the name tells a move from a coincidence.
            if is_spoken_for || (!same_name && id == FileId::empty()) {
                continue;
            }
            let candidates = origins.found.get(&id).into_iter().flatten();
            let origin = candidates.into_iter().find(|(from, base)| {
                !taken.contains(from)
                    && !told.contains(from)
                    && (!same_name || from.name() == change.path.name())
                    && is_same_kind(change, base)
            });
            if let Some((from, base)) = origin {
                taken.insert(from.clone());
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

fn is_same_kind(change: &Change, base: &Tracked) -> bool {
    let is_link = change.node.is_some_and(|node| node.kind == NodeKind::Symlink);
    is_link == matches!(base.content, Content::Symlink { .. })
}

/// Committed files of some content that stand nowhere.
struct Origins<'s, 'r> {
    session: &'s Session<'r>,
    wanted: HashSet<FileId>,
    found: HashMap<FileId, Vec<(AssetPath, Tracked)>>,
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
                self.found.entry(id).or_default().push((at, Tracked::of(&record)?));
            }
        }
        Ok(())
    }

    /// Whether nothing stands at a path where something should.
    fn is_gone(&self, path: &AssetPath) -> bool {
        let state = &self.session.state;
        let is_spoken_for = state.pending.moves.values().any(|from| from == path);
        let stands = self.session.worktree.look(path);
        state.shows(path)
            && !is_spoken_for
            && stands.is_ok_and(|found| found.is_none_or(|node| node.kind == NodeKind::Directory))
    }
}
