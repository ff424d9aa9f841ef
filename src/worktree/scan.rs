//! Compares the folders on disk with the index, without reading any file.
//!
//! Each folder is one task: list it, sort the names, walk them side by side with the index, look at
//! each file once. Very large folders are cut into several tasks. Unchanged files leave nothing
//! behind but a count; everything else becomes a [`ScanItem`]. Links are never followed, pipes and
//! devices never opened, and a folder that cannot be read does not stop the rest.

mod listing;
mod merge;

pub(in crate::worktree) use listing::Listing;

use super::error::{Result, WorktreeError};
use super::index::{Folder, Index, Record};
use super::root::Worktree;
use super::stat::{Node, SpecialKind};
use crate::base::id::{AssetId, MetadataId};
use crate::base::memory::{MANY, give_back};
use crate::base::monitor::{Advance, Monitor};
use crate::base::path::AssetPath;
use crate::object::path_set::PathSet;
use crate::object::tree::Content;
use crate::object::tree_walk::tree_order;
use crate::rules::ignore::IgnoreStack;
use crate::rules::portable::NameHazard;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashSet};
use std::io;
use std::ops::Bound;
use std::sync::Mutex;

/// What to compare.
#[derive(Debug)]
pub struct ScanInput<'a> {
    /// The user's folder.
    pub worktree: &'a Worktree,
    /// The remembered state; `None` when nothing was ever committed.
    pub index: Option<&'a Index>,
    /// The rules that hold in the top folder, without its own `.pentignore`.
    pub ignore: &'a IgnoreStack,
    /// Look at these paths and what lies below them only; empty means everything.
    pub within: &'a [AssetPath],
    /// Moves, old place and new place, that were asked for and are not committed: no rule leaves out
    /// what somebody moved somewhere. What stands in an old place is always told: it is another asset, even where it
    /// looks as what is committed there.
    pub moves: &'a [(AssetPath, AssetPath)],
}

/// What the commit says stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    /// What it is.
    pub content: Content,
    /// Which asset it is.
    pub asset: Option<AssetId>,
    /// Its metadata.
    pub metadata: Option<MetadataId>,
}

impl Tracked {
    /// Takes what the index has.
    pub fn of(record: &Record<'_>) -> Result<Self> {
        Ok(Self { content: record.content()?, asset: record.asset(), metadata: record.metadata() })
    }
}

/// How a path differs from the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file or link that the commit does not have.
    New { node: Node },
    /// A tracked file or link that may have changed: its content is to be compared.
    Suspect { node: Node, base: Box<Tracked> },
    /// A tracked file or link that is not there any more.
    Removed { base: Box<Tracked> },
    /// A pipe, socket or device.
    Special { kind: SpecialKind, base: Option<Box<Tracked>> },
    /// A file or folder that could not be looked at. What is tracked in such a folder is unknown,
    /// not removed.
    Unreadable { error: io::ErrorKind },
    /// What a command could not bring to its state, as it left it: nobody has changed it since.
    Unwritten { base: Option<Box<Tracked>> },
    /// A name that may not be taken into a repository.
    Refused { hazard: NameHazard },
}

/// One path that is not as the index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanItem {
    /// The path.
    pub path: AssetPath,
    /// What is with it.
    pub found: Found,
}

/// What a scan counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tallies {
    /// Tracked files and links that are as they were.
    pub unchanged_files: u64,
    /// Their sizes together, in bytes.
    pub unchanged_bytes: u64,
    /// Untracked files and folders that were left out by rules. What lies in such a folder is not counted.
    pub ignored: u64,
    /// Folders looked into.
    pub folders: u64,
}

impl std::ops::AddAssign for Tallies {
    fn add_assign(&mut self, other: Self) {
        self.unchanged_files += other.unchanged_files;
        self.unchanged_bytes = self.unchanged_bytes.saturating_add(other.unchanged_bytes);
        self.ignored += other.ignored;
        self.folders += other.folders;
    }
}

/// What a scan found.
#[derive(Debug, Default)]
pub struct Scan {
    /// Everything that is not as the index has it, in tree order.
    pub items: Vec<ScanItem>,
    /// What was counted.
    pub tallies: Tallies,
    /// Folders that hold repositories of their own and were not looked into, or only for their
    /// tracked files.
    pub nested: Vec<AssetPath>,
    /// Half-written files of a checkout that was cut off.
    pub leftovers: Vec<AssetPath>,
}

/// Compares the folders on disk with the index.
///
/// # Errors
/// When the top folder cannot be read, when the index is damaged ([`WorktreeError::IndexDamaged`]:
/// build it anew), or when the user asked to stop.
pub fn scan(input: &ScanInput<'_>, monitor: &dyn Monitor) -> Result<Scan> {
    let wanted = PathSet::new(input.within.iter().cloned());
    let moved = input.moves.iter().map(|(_, to)| to.as_bytes()).collect();
    let left = input.moves.iter().map(|(from, _)| from.as_bytes()).collect();
    let walk =
        Walk { input, monitor, wanted, moved, left, gathered: Mutex::default(), failure: Mutex::default() };
    let base = input.index.map(Index::root).transpose()?;
    let top = Visit { path: Vec::new(), base, ignore: input.ignore.clone(), depth: 0 };
    rayon::scope(|scope| walk.visit(top, scope));
    if let Some(failure) = walk.failure.into_inner().unwrap_or_default() {
        return Err(failure);
    }
    let gathered = walk.gathered.into_inner().unwrap_or_default();
    Ok(gathered.into_scan())
}

/// One folder to be looked into.
struct Visit<'a> {
    path: Vec<u8>,
    base: Option<Folder<'a>>,
    /// The rules that hold where the folder lies.
    ignore: IgnoreStack,
    depth: usize,
}

/// What all tasks share.
struct Walk<'a, 'm> {
    input: &'a ScanInput<'a>,
    monitor: &'m dyn Monitor,
    /// What was asked for.
    wanted: PathSet,
    /// Where moved files stand that are not committed there.
    moved: BTreeSet<&'a [u8]>,
    /// Where moved files stood.
    left: HashSet<&'a [u8]>,
    gathered: Mutex<Gathered>,
    /// The first failure; once there is one, no more folders are looked into.
    failure: Mutex<Option<WorktreeError>>,
}

/// What tasks have found so far.
#[derive(Default)]
struct Gathered {
    groups: Vec<Vec<ScanItem>>,
    tallies: Tallies,
    nested: Vec<AssetPath>,
    leftovers: Vec<AssetPath>,
}

impl Gathered {
    fn add(&mut self, part: Part) {
        if !part.items.is_empty() {
            self.groups.push(part.items);
        }
        self.tallies += part.tallies;
        self.nested.extend(part.nested);
        self.leftovers.extend(part.leftovers);
    }

    fn into_scan(mut self) -> Scan {
        let mut items = Vec::with_capacity(self.groups.iter().map(Vec::len).sum());
        // Groups are sorted in themselves; in this order the whole is nearly so.
        self.groups.sort_by(|left, right| by_first_path(left, right));
        items.extend(self.groups.into_iter().flatten());
        if !items.is_sorted_by(|left, right| tree_order(&left.path, &right.path).is_le()) {
            // Paths are unique; a stable sort would need the room of all items once more.
            items.par_sort_unstable_by(|left, right| tree_order(&left.path, &right.path));
        }
        if items.len() >= MANY {
            give_back();
        }
        self.nested.sort();
        self.leftovers.sort();
        Scan { items, tallies: self.tallies, nested: self.nested, leftovers: self.leftovers }
    }
}

fn by_first_path(left: &[ScanItem], right: &[ScanItem]) -> std::cmp::Ordering {
    match (left.first(), right.first()) {
        (Some(left), Some(right)) => tree_order(&left.path, &right.path),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

/// What one task has found.
#[derive(Default)]
struct Part {
    items: Vec<ScanItem>,
    tallies: Tallies,
    nested: Vec<AssetPath>,
    leftovers: Vec<AssetPath>,
}

impl Part {
    fn push(&mut self, path: &[u8], found: Found) {
        // Paths too long for a repository are caught where their folder is entered.
        if let Ok(path) = AssetPath::from_bytes(path) {
            self.items.push(ScanItem { path, found });
        }
    }
}

impl Walk<'_, '_> {
    fn gather(&self, part: Part) {
        self.monitor.advance(Advance { files: part.tallies.unchanged_files, ..Advance::default() });
        if let Ok(mut gathered) = self.gathered.lock() {
            gathered.add(part);
        }
    }

    fn fail(&self, error: WorktreeError) {
        if let Ok(mut failure) = self.failure.lock() {
            failure.get_or_insert(error);
        }
    }

    fn must_stop(&self) -> bool {
        if self.monitor.is_cancelled() {
            self.fail(WorktreeError::Cancelled);
        }
        self.failure.lock().is_ok_and(|failure| failure.is_some())
    }

    /// Whether a path, or for a folder anything below it, was moved there and is not committed yet.
    fn is_moved(&self, path: &[u8], is_dir: bool) -> bool {
        if self.moved.is_empty() {
            return false;
        }
        if !is_dir {
            return self.moved.contains(path);
        }
        let below = [path, b"/"].concat();
        let from = (Bound::Included(below.as_slice()), Bound::Unbounded);
        self.moved.range::<[u8], _>(from).next().is_some_and(|moved| moved.starts_with(&below))
    }

    /// Whether a path, or for a folder anything below it, was asked for.
    fn is_wanted(&self, path: &[u8], is_dir: bool) -> bool {
        if is_dir { self.wanted.leads_to_bytes(path) } else { self.wanted.includes_bytes(path) }
    }
}
