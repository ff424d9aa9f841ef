//! What of a state is not in this clone, for whoever left content on a remote.

use crate::app::common::on_demand::file_of;
use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::path::AssetPath;
use crate::object::path_set::PathSet;
use crate::object::tree_walk::TreeWalk;
use crate::repo::at_hand::AtHand;
use crate::repo::{RepoError, View};
use serde::Serialize;

/// Most entries that are looked at without being asked to: a fraction of a second.
const ENTRIES_MAX: u64 = 50_000;

/// Files of a state whose content is not here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NotHere {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether everything was looked at; else there may be more.
    pub whole: bool,
    /// Where they stand, when that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<AssetPath>,
}

impl NotHere {
    /// Looks for them at or below some paths of a tree, everywhere when no path is given. With `list` all are
    /// found and named, however many.
    pub fn of(view: &View, tree: TreeId, within: &[AssetPath], list: bool) -> Result<Self, AppError> {
        let asked = PathSet::new(within.iter().cloned());
        let source = AtHand(view);
        let mut found = Self { whole: true, ..Self::default() };
        let mut looked_at = 0u64;
        for item in TreeWalk::new(&source, tree, AssetPath::root()) {
            let (path, entry) = item.map_err(RepoError::from)?;
            looked_at += 1;
            if looked_at > ENTRIES_MAX && !list {
                found.whole = false;
                break;
            }
            let Some((file, size)) = file_of(&entry.content).filter(|_| asked.includes(&path)) else {
                continue;
            };
            if view.has_content(file, size)? || view.is_excused(file)? {
                continue;
            }
            found.files += 1;
            found.bytes += size;
            if list {
                found.paths.push(path);
            }
        }
        Ok(found)
    }
}
