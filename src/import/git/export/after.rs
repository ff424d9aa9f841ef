//! Git trees of commits that Git has never seen: what was not touched stands there as it stands in the
//! Git tree of the parent, with its mode, its form of pointer, and with entries that have no place here.

use crate::base::id::{GitId, TreeId};
use crate::base::path::AssetPath;
use crate::import::error::ImportError;
use crate::import::git::export::trees::{Made, Origin, below, encode};
use crate::import::git::export::{Exporter, hash_of};
use crate::import::git::lfs::{parse_pointer, pointer_text};
use crate::import::git::objects::Kind;
use crate::import::git::parse::{self, EntryKind, RawEntry};
use crate::object::tree::{Content, TreeEntry};
use std::collections::HashMap;

/// A folder of a parent: as it is here, and what was written for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    /// The tree here.
    pub tree: TreeId,
    /// The Git tree.
    pub git: GitId,
}

/// A folder of a parent, read.
struct Side<'a> {
    here: HashMap<Vec<u8>, TreeEntry>,
    raw: Vec<RawEntry<'a>>,
    by_name: HashMap<&'a [u8], usize>,
}

impl<'a> Side<'a> {
    /// The entry of Git under a name; of several the first, which is the one that stands here.
    fn raw(&self, name: &[u8]) -> Option<&RawEntry<'a>> {
        self.raw.get(*self.by_name.get(name)?)
    }

    /// The same, when what stands here is this.
    fn untouched(&self, entry: &TreeEntry) -> Option<&RawEntry<'a>> {
        let was = self.here.get(&entry.name)?;
        if was.content == entry.content { self.raw(&entry.name) } else { None }
    }
}

impl Exporter<'_> {
    /// Writes the tree of a commit of which nothing is known but its parents, whose trees were written.
    pub(super) fn tree_after(
        &mut self,
        path: &AssetPath,
        tree: TreeId,
        bases: &[Base],
    ) -> Result<GitId, ImportError> {
        if let Some(base) = bases.iter().find(|base| base.tree == tree) {
            return Ok(base.git);
        }
        self.check_cancelled()?;
        let entries = self.entries(tree)?;
        let written = bases.iter().map(|base| self.pack.read(base.git)).collect::<Result<Vec<_>, _>>()?;
        let mut sides = Vec::with_capacity(bases.len());
        for (base, bytes) in bases.iter().zip(&written) {
            let here =
                self.entries(base.tree)?.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
            let raw = parse::raw_tree(bytes).unwrap_or_default();
            let by_name = raw.iter().enumerate().rev().map(|(at, entry)| (entry.name, at)).collect();
            sides.push(Side { here, raw, by_name });
        }
        let mut made: HashMap<&[u8], Made> = HashMap::with_capacity(entries.len());
        for entry in &entries {
            made.insert(&entry.name, self.entry_after(path, entry, &sides)?);
        }
        let bytes = arranged(made, sides.first());
        self.pack.put(Kind::Tree, &bytes)
    }

    fn entry_after(
        &mut self,
        folder: &AssetPath,
        entry: &TreeEntry,
        sides: &[Side<'_>],
    ) -> Result<Made, ImportError> {
        if let Some(raw) = sides.iter().find_map(|side| side.untouched(entry)) {
            return Ok(Made::raw(raw));
        }
        let path = below(folder, entry)?;
        let Content::Directory { id: tree } = entry.content else {
            let pointer = self.goes_on_as_pointer(&path, entry, sides)?;
            return self.entry(&path, entry, pointer, None, Origin::None);
        };
        let base = |side: &Side<'_>| {
            let Content::Directory { id } = side.here.get(&entry.name)?.content else { return None };
            Some(Base { tree: id, git: side.raw(&entry.name)?.id })
        };
        let bases: Vec<Base> = sides.iter().filter_map(base).collect();
        if bases.is_empty() {
            return self.entry(&path, entry, false, None, Origin::None);
        }
        let id = self.tree_after(&path, tree, &bases)?;
        Ok(Made::new(&entry.name, EntryKind::Directory, id))
    }

    /// Whether a file that is new or was changed stands as a Git LFS pointer: it did before, the settings
    /// say so, or Git LFS knows the content.
    fn goes_on_as_pointer(
        &self,
        path: &AssetPath,
        entry: &TreeEntry,
        sides: &[Side<'_>],
    ) -> Result<bool, ImportError> {
        let Content::File { id, .. } = entry.content else { return Ok(false) };
        if self.lfs.takes_native(path) || self.view.lfs_digest(id)?.is_some() {
            return Ok(true);
        }
        for side in sides {
            let (Some(was), Some(raw)) = (side.here.get(&entry.name), side.raw(&entry.name)) else {
                continue;
            };
            let was_pointer = match &was.content {
                Content::File { id, size, .. } => {
                    let digest = self.view.lfs_digest(*id)?;
                    let plain = digest.map(|sha256| hash_of(Kind::Blob, &pointer_text(&sha256, *size)));
                    let odd = self.view.git_object(raw.id)?;
                    plain.transpose()? == Some(raw.id)
                        || odd.is_some_and(|bytes| parse_pointer(&bytes).is_some())
                }
                Content::Foreign { algorithm, .. } => {
                    *algorithm == crate::object::tree::ForeignAlgorithm::Sha256
                }
                Content::Directory { .. } | Content::Symlink { .. } => false,
            };
            // The first parent that has the path says it.
            return Ok(was_pointer);
        }
        Ok(false)
    }
}

/// The bytes of a tree: entries in the order of the first parent's, with what has no place here.
fn arranged(mut made: HashMap<&[u8], Made>, first: Option<&Side<'_>>) -> Vec<u8> {
    let Some(side) = first else { return encode(made.into_values().collect()) };
    let kind = |mode: &[u8]| EntryKind::of_mode(mode) == Some(EntryKind::Directory);
    let is_sorted = side.raw.windows(2).all(|pair| {
        parse::git_order((pair[0].name, kind(pair[0].mode)), (pair[1].name, kind(pair[1].mode))).is_lt()
    });
    let mut all: Vec<Made> = Vec::with_capacity(made.len());
    // Names that were met, with whether what stands there was touched.
    let mut met: HashMap<&[u8], bool> = HashMap::with_capacity(side.raw.len());
    for raw in &side.raw {
        match (made.remove(raw.name), met.get(raw.name)) {
            (Some(entry), _) => {
                met.insert(raw.name, !entry.is(raw));
                all.push(entry);
            }
            // Another entry under the same name stays for as long as the first does.
            (None, Some(false)) => all.push(Made::raw(raw)),
            (None, None) if !side.here.contains_key(raw.name) => all.push(Made::raw(raw)),
            (None, _) => {}
        }
    }
    let mut new: Vec<Made> = made.into_values().collect();
    new.sort_by(|left, right| left.name.cmp(&right.name));
    all.extend(new);
    if is_sorted { encode(all) } else { Made::bytes(&all) }
}
