//! Gives every result of a merge a path of its own.
//!
//! Our tree is the ground: what stands there and was not moved or removed keeps its path. What comes
//! from their side and finds its path taken - by another asset, by a folder where it is a file, by a
//! file where it needs a folder - is put beside it under a name that says so, and listed.

use crate::base::id::TreeId;
use crate::base::path::{AssetPath, NAME_BYTES_MAX};
use crate::diff::DiffError;
use crate::diff::merge::assets::Wanted;
use crate::diff::merge::{Conflict, ConflictKind, TreeMerge};
use crate::diff::tree::{Located, stands_by_itself};
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeNode};
use crate::object::tree_edit::{EntryValue, TreeEdit};
use crate::object::tree_walk::{TreeWalk, entry_at, tree_order};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What is added to the name of something whose path is taken.
const SUFFIX: &str = "theirs";
/// Longest extension that is kept apart from the rest of a name, in bytes with its dot.
const EXTENSION_BYTES_MAX: usize = 32;

/// Our tree with what a merge takes out of it and puts into it.
pub(super) struct Places<'a, S> {
    source: &'a S,
    ours: TreeId,
    /// Paths of our tree whose assets went elsewhere.
    vacated: HashSet<AssetPath>,
    /// What was put so far, by bytes in tree order.
    claimed: BTreeMap<Vec<u8>, bool>,
    /// Entries of our tree asked for before.
    known: HashMap<AssetPath, Option<EntryValue>>,
}

impl<'a, S: ObjectSource> Places<'a, S> {
    pub(super) fn new(source: &'a S, ours: TreeId, wanted: &[Wanted]) -> Self {
        let vacated = wanted
            .iter()
            .filter(|wanted| !wanted.stays())
            .filter_map(|wanted| wanted.ours.as_ref().map(|ours| ours.path.clone()))
            .collect();
        Self { source, ours, vacated, claimed: BTreeMap::new(), known: HashMap::new() }
    }

    /// Turns results into edits of our tree and lists what found its path taken.
    pub(super) fn assign(mut self, mut wanted: Vec<Wanted>, merge: &mut TreeMerge) -> Result<(), DiffError> {
        wanted.retain(|wanted| !wanted.is_settled());
        wanted.sort_by(|left, right| match (&left.result, &right.result) {
            (Some(left), Some(right)) => tree_order(&left.path, &right.path),
            (left, right) => left.is_some().cmp(&right.is_some()),
        });
        let mut edits: HashMap<AssetPath, Option<EntryValue>> = HashMap::new();
        for wanted in &wanted {
            let Some(result) = &wanted.result else { continue };
            let path = if wanted.stays() { result.path.clone() } else { self.place(wanted, result, merge)? };
            self.claimed.insert(key(&path), result.value.content.is_directory());
            let value = self.on_our_ground(&path, result.value.clone())?;
            edits.insert(path, Some(value));
        }
        for path in std::mem::take(&mut self.vacated) {
            if let Entry::Vacant(place) = edits.entry(path) {
                let left = self.what_is_left(place.key())?;
                place.insert(left);
            }
        }
        merge.edits.extend(edits.into_iter().map(|(path, value)| TreeEdit { path, value }));
        merge.edits.sort_by(|left, right| tree_order(&left.path, &right.path));
        Ok(())
    }

    /// A folder keeps what our tree holds in it; what theirs adds comes by edits of its own.
    fn on_our_ground(&mut self, path: &AssetPath, mut value: EntryValue) -> Result<EntryValue, DiffError> {
        if value.content.is_directory() {
            let id = match self.occupant(path)?.map(|occupant| occupant.content) {
                Some(Content::Directory { id }) => id,
                _ => TreeNode::empty_id(),
            };
            value.content = Content::Directory { id };
        }
        Ok(value)
    }

    /// What stands at a vacated path: nothing, or a folder that is no asset any more but may hold some.
    fn what_is_left(&mut self, path: &AssetPath) -> Result<Option<EntryValue>, DiffError> {
        let content = self.occupant(path)?.map(|occupant| occupant.content);
        Ok(content
            .filter(|content| {
                content.is_directory() && *content != Content::Directory { id: TreeNode::empty_id() }
            })
            .map(|content| EntryValue { asset: None, metadata: None, content }))
    }

    /// Finds a path for something that is not in our tree or stands elsewhere there.
    fn place(
        &mut self,
        wanted: &Wanted,
        result: &Located,
        merge: &mut TreeMerge,
    ) -> Result<AssetPath, DiffError> {
        let is_folder = result.value.content.is_directory();
        let Some(blocker) = self.blocker(&result.path, is_folder)? else { return Ok(result.path.clone()) };
        let placed = self.place_beside(&result.path, &blocker, is_folder)?;
        let occupant = self.occupant(&blocker)?.filter(stands_by_itself);
        merge.conflicts.push(Conflict {
            path: result.path.clone(),
            asset: result.value.asset,
            kind: ConflictKind::PathTaken { placed: placed.clone() },
            base: wanted.base.clone(),
            ours: occupant.map(|value| Box::new(Located { path: blocker, value })),
            theirs: wanted.theirs.clone(),
        });
        Ok(placed)
    }

    /// The first free path that differs from `path` in the name of what is in its way.
    fn place_beside(
        &mut self,
        path: &AssetPath,
        blocker: &AssetPath,
        is_folder: bool,
    ) -> Result<AssetPath, DiffError> {
        let folder = blocker.parent().unwrap_or_default();
        let below = path.below(blocker).unwrap_or_default();
        let mut number = 1u64;
        loop {
            let mut candidate = folder.join(&name_beside(blocker.name(), number))?;
            for name in below.names() {
                candidate = candidate.join(name)?;
            }
            if self.blocker(&candidate, is_folder)?.is_none() {
                return Ok(candidate);
            }
            number += 1;
        }
    }

    /// The path at which something is in the way of putting a file or folder at `path`.
    fn blocker(&mut self, path: &AssetPath, is_folder: bool) -> Result<Option<AssetPath>, DiffError> {
        let mut folder = AssetPath::root();
        for name in path.names() {
            folder = folder.join(name)?;
            let is_end = folder == *path;
            let blocked = match self.claimed.get(&key(&folder)) {
                // Two folders that are assets cannot be one, a folder is a way for everything else.
                Some(claimed_folder) => is_end || !claimed_folder,
                None => self.is_taken(&folder, is_end, is_folder)?,
            };
            if blocked {
                return Ok(Some(folder));
            }
        }
        Ok(None)
    }

    /// Whether our tree has something at `path` that stays and cannot be there together with what comes.
    fn is_taken(&mut self, path: &AssetPath, is_end: bool, is_folder: bool) -> Result<bool, DiffError> {
        let Some(occupant) = self.occupant(path)? else {
            return Ok(is_end && !is_folder && self.holds_claims(path));
        };
        let stays = !self.vacated.contains(path);
        let Content::Directory { id } = occupant.content else { return Ok(stays) };
        if !is_end {
            return Ok(false);
        }
        if is_folder {
            return Ok(stays && stands_by_itself(&occupant));
        }
        if self.holds_claims(path) || (stays && stands_by_itself(&occupant)) {
            return Ok(true);
        }
        self.holds_what_stays(path, id)
    }

    /// Whether something was put below `path`.
    fn holds_claims(&self, path: &AssetPath) -> bool {
        let mut start = key(path);
        start.push(0);
        self.claimed.range(start.clone()..).next().is_some_and(|(claimed, _)| claimed.starts_with(&start))
    }

    /// Whether anything in a folder of our tree stays there.
    fn holds_what_stays(&self, path: &AssetPath, folder: TreeId) -> Result<bool, DiffError> {
        for item in TreeWalk::new(self.source, folder, path.clone()) {
            let (path, entry) = item?;
            if stands_by_itself(&entry.into()) && !self.vacated.contains(&path) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn occupant(&mut self, path: &AssetPath) -> Result<Option<EntryValue>, DiffError> {
        if let Some(known) = self.known.get(path) {
            return Ok(known.clone());
        }
        let found = entry_at(self.source, self.ours, path)?.map(EntryValue::from);
        self.known.insert(path.clone(), found.clone());
        Ok(found)
    }
}

/// Bytes that sort in tree order: a slash counts as NUL, which no name holds.
fn key(path: &AssetPath) -> Vec<u8> {
    path.as_bytes().iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect()
}

/// A name beside one that is taken: `logo (theirs).psd`, `logo (theirs 2).psd`.
fn name_beside(name: &[u8], number: u64) -> Vec<u8> {
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0);
    let end = dot.filter(|dot| name.len() - dot <= EXTENSION_BYTES_MAX).unwrap_or(name.len());
    let (stem, extension) = name.split_at(end);
    let suffix = if number == 1 { format!(" ({SUFFIX})") } else { format!(" ({SUFFIX} {number})") };
    let room = NAME_BYTES_MAX.saturating_sub(suffix.len() + extension.len());
    let mut kept = stem.len().min(room);
    // A character of UTF-8 is not cut in two.
    while kept > 0 && kept < stem.len() && stem[kept] & 0xc0 == 0x80 {
        kept -= 1;
    }
    [&stem[..kept], suffix.as_bytes(), extension].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beside_keep_their_extension_and_fit() {
        assert_eq!(name_beside(b"logo.psd", 1), b"logo (theirs).psd");
        assert_eq!(name_beside(b"logo.psd", 2), b"logo (theirs 2).psd");
        assert_eq!(name_beside(b".hidden", 1), b".hidden (theirs)");
        let long = [&[b'x'; 700][..], "ß".repeat(32).as_bytes()].concat();
        let beside = name_beside(&long, 12);
        assert!(beside.len() <= NAME_BYTES_MAX && std::str::from_utf8(&beside).is_ok());
    }
}
