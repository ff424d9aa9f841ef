//! `cat`: the bytes of one file of any revision.

use crate::app::common::content::StoredContent;
use crate::app::common::locate::locate;
use crate::app::common::on_demand::{file_of, view_with};
use crate::app::error::AppError;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::tree::Content;
use crate::repo::Repository;
use crate::repo::state::ConflictSide;
use std::io::Write;

/// What to give out.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file; may end in `@n` for its version n.
    pub path: AssetPath,
    /// Of which revision; the newest commit of the current branch when `None`.
    pub revision: Option<String>,
    /// Which side of an undecided conflict instead.
    pub side: Option<Side>,
}

/// A side of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// As it was where both began.
    Base,
    /// As this branch has it.
    Ours,
    /// As the other branch has it.
    Theirs,
}

/// Writes the file's bytes to `out`, verified as they go.
pub fn run(
    repository: &Repository,
    options: &Options,
    out: &mut dyn Write,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    let view = repository.view()?;
    let content = match options.side {
        Some(side) => conflict_side(&view.state()?, &options.path, side)?,
        None => locate(&view, options.revision.as_deref(), &options.path, clock.now())?.entry.content,
    };
    let content = view.at_hand(content)?;
    let view = view_with(repository, view, file_of(&content), monitor)?;
    let stored = StoredContent::new(repository, &view, monitor)?;
    match content {
        Content::File { id, size, .. } | Content::Symlink { id, size } => {
            Ok(stored.extractor().write_file(id, size, out)?)
        }
        Content::Directory { .. } => Err(AppError::IsFolder { path: options.path.clone() }),
        Content::Foreign { algorithm, digest, .. } => {
            Err(AppError::foreign(options.path.clone(), algorithm, &digest))
        }
    }
}

fn conflict_side(
    state: &crate::repo::state::WorktreeState,
    path: &AssetPath,
    side: Side,
) -> Result<Content, AppError> {
    let merge = state.merge.as_ref().ok_or(AppError::NoMerge)?;
    let conflict = merge.conflicts.iter().find(|conflict| conflict.path == *path);
    let found = conflict.and_then(|conflict| match side {
        Side::Base => conflict.base.as_ref(),
        Side::Ours => conflict.ours.as_ref(),
        Side::Theirs => conflict.theirs.as_ref(),
    });
    found
        .map(|ConflictSide { content, .. }| content.clone())
        .ok_or_else(|| AppError::NotInRevision { path: path.clone() })
}
