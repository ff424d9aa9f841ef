//! What a merge says about assets. Two branches that added the same path made two assets of it: the
//! merge keeps the one with the smaller id and records the other as its alias, as a merge made here
//! does. Which paths those are follows from the trees of the parents and of their common ancestors, so
//! every import of the same history finds the same.

use crate::base::id::{AssetId, CommitId, TreeId};
use crate::base::path::AssetPath;
use crate::import::error::ImportError;
use crate::object::commit::AssetNote;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeEntry, TreeNode};
use crate::object::tree_edit::EntryValue;
use crate::object::tree_walk::{CursorItem, DirectoryCursor, WalkError, entry_at};
use crate::repo::RepoError;
use crate::repo::assign::Differences;
use crate::repo::history::common_ancestors;
use crate::repo::state::PendingEdits;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A commit and its tree.
pub(super) type Parent = (CommitId, TreeId);

/// Decides which assets the paths of a merge are: those that the first parent has and another parent
/// has as another asset, and those that only other parents have. `differences` and `pending` are what
/// the merge changes against its first parent; both get what was decided.
pub(super) fn join<S: ObjectSource<Error = RepoError>>(
    source: &S,
    parents: &[Parent],
    differences: &mut Differences,
    pending: &mut PendingEdits,
) -> Result<Vec<AssetNote>, ImportError> {
    let mut notes = Vec::new();
    let Some(([first], others)) = parents.split_first_chunk::<1>() else { return Ok(notes) };
    if others.is_empty() {
        return Ok(notes);
    }
    let removed: HashSet<AssetPath> = differences.removed.iter().map(|(path, _)| path.clone()).collect();
    let mut standing: BTreeMap<AssetPath, Standing> = BTreeMap::new();
    let mut elsewhere = HashSet::new();
    for other in others {
        let found = compare_sides(source, *first, *other, !differences.added.is_empty(), &removed)?;
        elsewhere.extend(found.only_ours);
        for apart in added_by_both(source, *first, *other, found.apart)? {
            let Apart { path, ours, theirs } = apart;
            let Some(asset) = ours.asset else { continue };
            let names = standing.entry(path).or_insert_with(|| (ours, BTreeSet::from([asset])));
            names.1.insert(theirs);
        }
    }
    if !standing.is_empty() && differences.added.is_empty() {
        // Only now it matters where else ours has assets.
        for other in others {
            elsewhere.extend(compare_sides(source, *first, *other, true, &removed)?.only_ours);
        }
    }
    keep_smallest(standing, &mut elsewhere, &removed, differences, pending, &mut notes);
    for (path, _) in &differences.added {
        if let Some(asset) = brought(source, others, path, &elsewhere, &mut notes)? {
            // An asset stands at one path only.
            elsewhere.insert(asset);
            pending.assets.insert(path.clone(), asset);
        }
    }
    Ok(notes)
}

/// What the first parent has at a path, and all assets that the path is.
type Standing = (EntryValue, BTreeSet<AssetId>);

/// Lets the smallest asset stay at each path, with the others on record. One that stands `elsewhere` stays there: an asset
/// stands at one path only.
fn keep_smallest(
    standing: BTreeMap<AssetPath, Standing>,
    elsewhere: &mut HashSet<AssetId>,
    removed: &HashSet<AssetPath>,
    differences: &mut Differences,
    pending: &mut PendingEdits,
    notes: &mut Vec<AssetNote>,
) {
    if standing.is_empty() {
        return;
    }
    let changed: HashSet<AssetPath> = differences.changed.iter().map(|(path, ..)| path.clone()).collect();
    for (path, (ours, mut assets)) in standing {
        assets.retain(|asset| ours.asset == Some(*asset) || !elsewhere.contains(asset));
        let Some(asset) = note_aliases(&assets, notes).filter(|_| !removed.contains(&path)) else { continue };
        if ours.asset == Some(asset) {
            continue;
        }
        elsewhere.insert(asset);
        if !changed.contains(&path) {
            differences.described.push((path.clone(), ours));
        }
        pending.assets.insert(path, asset);
    }
}

/// Says which of several assets stays, and puts the others on record.
fn note_aliases(assets: &BTreeSet<AssetId>, notes: &mut Vec<AssetNote>) -> Option<AssetId> {
    let asset = *assets.first()?;
    notes.extend(assets.iter().skip(1).map(|other| AssetNote::AliasOf { asset, other: *other }));
    Some(asset)
}

/// The asset of a path that the first parent lacks. An asset that the first parent has `elsewhere`
/// stays there, and the path begins another.
fn brought<S: ObjectSource<Error = RepoError>>(
    source: &S,
    others: &[Parent],
    path: &AssetPath,
    elsewhere: &HashSet<AssetId>,
    notes: &mut Vec<AssetNote>,
) -> Result<Option<AssetId>, ImportError> {
    let mut found: Vec<(Parent, EntryValue, AssetId)> = Vec::new();
    for other in others {
        let Some(value) = file_at(source, other.1, path)? else { continue };
        if let Some(asset) = value.asset.filter(|asset| !elsewhere.contains(asset))
            && found.iter().all(|(.., known)| *known != asset)
        {
            found.push((*other, value, asset));
        }
    }
    let mut found = found.into_iter();
    let Some((parent, value, asset)) = found.next() else { return Ok(None) };
    let mut assets = BTreeSet::from([asset]);
    for (other, _, theirs) in found {
        let apart = vec![Apart { path: path.clone(), ours: value.clone(), theirs }];
        assets.extend(added_by_both(source, parent, other, apart)?.into_iter().map(|apart| apart.theirs));
    }
    Ok(note_aliases(&assets, notes))
}

fn file_at<S: ObjectSource<Error = RepoError>>(
    source: &S,
    tree: TreeId,
    path: &AssetPath,
) -> Result<Option<EntryValue>, ImportError> {
    let found = entry_at(source, tree, path).map_err(RepoError::from)?;
    Ok(found.map(EntryValue::from).filter(|value| !value.content.is_directory()))
}

/// A path that two commits have as two assets.
#[derive(Debug, Clone)]
struct Apart {
    path: AssetPath,
    ours: EntryValue,
    theirs: AssetId,
}

/// What two trees say about assets.
#[derive(Debug, Default)]
struct Found {
    apart: Vec<Apart>,
    /// Assets that ours has at a path where theirs has nothing or another.
    only_ours: Vec<AssetId>,
}

fn compare_sides<S: ObjectSource<Error = RepoError>>(
    source: &S,
    ours: Parent,
    theirs: Parent,
    whole: bool,
    removed: &HashSet<AssetPath>,
) -> Result<Found, ImportError> {
    let mut found = Found::default();
    let mut see = |path: &AssetPath, ours: &TreeEntry, theirs: Option<&TreeEntry>| {
        let Some(asset) = ours.asset else { return };
        match theirs.and_then(|theirs| theirs.asset) {
            Some(theirs) if theirs != asset => {
                found.apart.push(Apart { path: path.clone(), ours: ours.clone().into(), theirs });
            }
            Some(_) => return,
            None => {}
        }
        if whole && !removed.contains(path) {
            found.only_ours.push(asset);
        }
    };
    compare(source, &AssetPath::root(), (ours.1, theirs.1), whole, &mut see).map_err(RepoError::from)?;
    Ok(found)
}

/// Of paths that two commits have as two assets, those that both sides added since their histories parted:
/// no common ancestor has the path, and neither asset came to it by a move.
fn added_by_both<S: ObjectSource<Error = RepoError>>(
    source: &S,
    ours: Parent,
    theirs: Parent,
    mut apart: Vec<Apart>,
) -> Result<Vec<Apart>, ImportError> {
    if apart.is_empty() {
        return Ok(apart);
    }
    let mut bases = Vec::new();
    for id in common_ancestors(source, ours.0, theirs.0)? {
        bases.push(source.commit(id)?.tree);
    }
    for base in &bases {
        let mut new = Vec::with_capacity(apart.len());
        for entry in apart {
            if file_at(source, *base, &entry.path)?.is_none() {
                new.push(entry);
            }
        }
        apart = new;
    }
    for base in &bases {
        if apart.is_empty() {
            break;
        }
        let (left, there) = (moved_away(source, *base, ours.1)?, moved_away(source, *base, theirs.1)?);
        apart.retain(|entry| {
            !entry.ours.asset.is_some_and(|asset| left.contains(&asset)) && !there.contains(&entry.theirs)
        });
    }
    Ok(apart)
}

/// Assets of a tree that another tree has no longer where they were.
fn moved_away<S: ObjectSource<Error = RepoError>>(
    source: &S,
    base: TreeId,
    side: TreeId,
) -> Result<HashSet<AssetId>, ImportError> {
    let mut gone = HashSet::new();
    let mut see = |_: &AssetPath, was: &TreeEntry, now: Option<&TreeEntry>| {
        if now.and_then(|now| now.asset) != was.asset {
            gone.extend(was.asset);
        }
    };
    compare(source, &AssetPath::root(), (base, side), true, &mut see).map_err(RepoError::from)?;
    Ok(gone)
}

/// Hears of a file of ours that differs, with what stands at the same path on the other side.
pub(super) type See<'s> = dyn FnMut(&AssetPath, &TreeEntry, Option<&TreeEntry>) + 's;

/// Compares two folders; what is equal stays unread. Folders that only ours has are looked into when
/// the comparison is `whole`; what only theirs has is passed over.
pub(super) fn compare<S: ObjectSource>(
    source: &S,
    path: &AssetPath,
    (ours, theirs): (TreeId, TreeId),
    whole: bool,
    see: &mut See<'_>,
) -> Result<(), WalkError<S::Error>> {
    if ours == theirs {
        return Ok(());
    }
    let mut pairs =
        Pairs { ours: DirectoryCursor::new(source, ours), theirs: DirectoryCursor::new(source, theirs) };
    while let Some((mine, other)) = pairs.next()? {
        let Some(mine) = mine.filter(|mine| Some(mine) != other.as_ref()) else { continue };
        let inner = path.join(&mine.name).map_err(WalkError::Path)?;
        let Content::Directory { id } = mine.content else {
            let other = other.filter(|other| !other.content.is_directory());
            if whole || other.is_some() {
                see(&inner, &mine, other.as_ref());
            }
            continue;
        };
        match other.map(|other| other.content) {
            Some(Content::Directory { id: other }) => compare(source, &inner, (id, other), whole, see)?,
            _ if whole => compare(source, &inner, (id, TreeNode::empty_id()), whole, see)?,
            _ => {}
        }
    }
    Ok(())
}

/// Goes through two folders side by side; nodes that both have stay unread.
struct Pairs<'a, S> {
    ours: DirectoryCursor<'a, S>,
    theirs: DirectoryCursor<'a, S>,
}

/// What to do next with two folders.
enum Next {
    Pass,
    Open { ours: bool, theirs: bool },
    Take { ours: bool, theirs: bool },
}

/// Entries under one name.
type Pair = (Option<TreeEntry>, Option<TreeEntry>);

impl<S: ObjectSource> Pairs<'_, S> {
    /// The entries under the next name; `None` at the end of both folders.
    fn next(&mut self) -> Result<Option<Pair>, WalkError<S::Error>> {
        loop {
            match self.decide() {
                None => return Ok(None),
                Some(Next::Pass) => {
                    self.ours.take_item();
                    self.theirs.take_item();
                }
                Some(Next::Open { ours, theirs }) => {
                    if ours {
                        self.ours.open()?;
                    }
                    if theirs {
                        self.theirs.open()?;
                    }
                }
                Some(Next::Take { ours, theirs }) => {
                    let mine = if ours { self.ours.next_entry()? } else { None };
                    let other = if theirs { self.theirs.next_entry()? } else { None };
                    return Ok(Some((mine, other)));
                }
            }
        }
    }

    fn decide(&self) -> Option<Next> {
        let (ours, theirs) = (self.ours.peek(), self.theirs.peek());
        let is_node = |item: Option<&CursorItem>| matches!(item, Some(CursorItem::Node(_)));
        if let (Some(CursorItem::Node(mine)), Some(CursorItem::Node(other))) = (ours, theirs)
            && mine.child.id == other.child.id
        {
            return Some(Next::Pass);
        }
        let order = match (ours, theirs) {
            (None, None) => return None,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(mine), Some(other)) => mine.first_name().cmp(other.first_name()),
        };
        let (first, second) = (order.is_le(), order.is_ge());
        let (open_ours, open_theirs) = (first && is_node(ours), second && is_node(theirs));
        Some(if open_ours || open_theirs {
            Next::Open { ours: open_ours, theirs: open_theirs }
        } else {
            Next::Take { ours: first, theirs: second }
        })
    }
}
