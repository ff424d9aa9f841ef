//! Whether there is anything in a history at the paths to which an import is narrowed: a mistyped path would
//! bring commits with nothing in them.

use crate::base::id::GitId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::import::error::ImportError;
use crate::import::git::objects::{Kind, Objects, Reader};
use crate::import::git::order::Planned;
use crate::import::git::parse::raw_tree;
use rayon::prelude::*;
use std::collections::HashSet;

/// Trees that are looked into before it is asked whether that was enough, at most.
const LOOKS_AT_ONCE_MAX: usize = 1_024;

/// Insists that something stood at each path in some commit. The newest are looked at first, so usually one is
/// enough.
pub(super) fn check(
    objects: &Objects,
    paths: &[AssetPath],
    commits: &[Planned],
    monitor: &dyn Monitor,
) -> Result<(), ImportError> {
    let mut wanted: Vec<AssetPath> = paths.iter().filter(|path| !path.is_root()).cloned().collect();
    let (mut rest, mut at_once, mut seen) = (commits, 1, HashSet::new());
    while !wanted.is_empty() && !rest.is_empty() {
        if monitor.is_cancelled() {
            return Err(ImportError::Cancelled);
        }
        let (earlier, next) = rest.split_at(rest.len() - at_once.min(rest.len()));
        rest = earlier;
        let trees: Vec<GitId> =
            next.iter().map(|planned| planned.tree).filter(|tree| seen.insert(*tree)).collect();
        let stands = |path: &AssetPath| -> Result<bool, ImportError> {
            let found =
                trees.par_iter().map(|tree| objects.with_reader(|reader| stands_at(reader, *tree, path)));
            found.try_reduce(|| false, |one, other| Ok(one || other))
        };
        let found = wanted.iter().map(stands).collect::<Result<Vec<bool>, _>>()?;
        let mut found = found.into_iter();
        wanted.retain(|_| !found.next().unwrap_or(false));
        at_once = (at_once * 4).min(LOOKS_AT_ONCE_MAX);
    }
    if wanted.is_empty() { Ok(()) } else { Err(ImportError::NothingAtPaths { paths: wanted }) }
}

/// Whether something stands at a path. What cannot be read may have it.
fn stands_at(reader: &mut Reader, tree: GitId, path: &AssetPath) -> Result<bool, ImportError> {
    let (mut next, mut bytes) = (tree, Vec::new());
    for name in path.names() {
        match reader.find_kind(next, Kind::Tree, &mut bytes) {
            Ok(true) => {}
            Ok(false) | Err(ImportError::TooLarge { .. }) => return Ok(true),
            // A file stands where the path has a folder.
            Err(ImportError::Object { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        let entries = raw_tree(&bytes).unwrap_or_default();
        match entries.iter().find(|entry| entry.name == name) {
            Some(entry) => next = entry.id,
            None => return Ok(false),
        }
    }
    Ok(true)
}
