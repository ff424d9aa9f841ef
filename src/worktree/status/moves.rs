//! Recognises that a removed asset and a new file are one that was moved.

use super::model::{Change, What, size_of};
use crate::base::candidates::{Candidates, Likeness};
use crate::base::id::FileId;
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::worktree::stat::NodeKind;
use std::collections::{HashMap, HashSet};

/// Turns pairs of removed and new into moved: first those that the user made by command, then those
/// with the same content. Among several candidates the one with the same name wins, then the one in
/// the same folder, then the first. Empty files are too alike to tell.
pub fn find_moves(changes: &mut Vec<Change>, commanded: &[(AssetPath, AssetPath)]) {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    let positions = || changes.iter().enumerate().map(|(at, change)| (&change.path, at));
    let position: HashMap<&AssetPath, usize> =
        if commanded.is_empty() { HashMap::new() } else { positions().collect() };
    for (from, to) in commanded {
        if let (Some(from), Some(to)) = (position.get(from), position.get(to))
            && changes[*from].what == What::Removed
            && changes[*to].what == What::New
        {
            pairs.push((*from, *to));
        }
    }
    let moved = same_content(changes, &pairs);
    pairs.extend(moved);
    for (from, to) in &pairs {
        let base = changes[*from].base.take();
        let edited = base.as_ref().is_none_or(|base| content_id(&base.content) != changes[*to].file_id);
        changes[*to].what = What::Moved { from: changes[*from].path.clone(), edited };
        changes[*to].base = base;
    }
    // What was removed without a base left has been told as moved.
    changes.retain(|change| change.what != What::Removed || change.base.is_some());
}

/// Pairs of removed and new with the same content.
fn same_content(changes: &[Change], taken: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut removed: Candidates<(FileId, bool)> = Candidates::default();
    let gone: HashSet<usize> = taken.iter().map(|(from, _)| *from).collect();
    let mut found: HashSet<usize> = taken.iter().map(|(_, to)| *to).collect();
    for (at, change) in changes.iter().enumerate() {
        if let (What::Removed, false, Some(base)) = (&change.what, gone.contains(&at), &change.base)
            && size_of(&base.content).is_some_and(|size| size > 0)
            && let Some(id) = content_id(&base.content)
        {
            let is_link = matches!(base.content, Content::Symlink { .. });
            removed.add((id, is_link), at);
        }
    }
    if removed.is_empty() {
        return Vec::new();
    }
    let mut pairs = Vec::new();
    let path_of = |at: usize| Some(&changes[at].path);
    for likeness in [Likeness::Name, Likeness::Folder, Likeness::Any] {
        for (at, change) in changes.iter().enumerate() {
            let (What::New, false, Some(id)) = (&change.what, found.contains(&at), change.file_id) else {
                continue;
            };
            let is_link = change.node.is_some_and(|node| node.kind == NodeKind::Symlink);
            if let Some(from) = removed.take(&(id, is_link), &change.path, likeness, &path_of) {
                pairs.push((from, at));
                found.insert(at);
            }
        }
    }
    pairs
}

fn content_id(content: &Content) -> Option<FileId> {
    match content {
        Content::File { id, .. } | Content::Symlink { id, .. } => Some(*id),
        _ => None,
    }
}
