//! Compares two trees.
//!
//! Both are read side by side in order; a folder or a node of a large folder that both share is
//! passed over by its id, so the cost follows the difference. [`compare_trees`] hands out what
//! differs path by path as it is found; [`diff_trees`] gathers it and recognises moves by asset id.

mod matching;

pub use crate::object::path_set::PathSet;

use crate::base::id::{AssetId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::{AssetPath, PATH_DEPTH_MAX, PathError};
use crate::diff::DiffError;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeEntry};
use crate::object::tree_edit::EntryValue;
use crate::object::tree_walk::{CursorItem, DirectoryCursor};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// An entry and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Located {
    /// Where.
    pub path: AssetPath,
    /// What.
    #[serde(flatten)]
    pub value: EntryValue,
}

/// What one path held before and after, where that differs.
///
/// Folders count only when they are assets or have metadata; others exist through what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub path: AssetPath,
    /// What stood there.
    pub before: Option<EntryValue>,
    /// What stands there now.
    pub after: Option<EntryValue>,
}

/// What happened to an asset. Several may hold at once: moved and edited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ChangeKinds {
    /// It was not there before.
    pub added: bool,
    /// It is there no more.
    pub removed: bool,
    /// It stands at another path.
    pub moved: bool,
    /// Another asset took its path.
    pub replaced: bool,
    /// Its bytes are others; of a folder: what it holds.
    pub content: bool,
    /// Its metadata is another.
    pub metadata: bool,
    /// Its executable bit was set or cleared.
    pub mode: bool,
    /// It became a file, a folder, a link or foreign from something else.
    pub kind: bool,
}

impl ChangeKinds {
    /// The names of those that hold, as `--json` has them.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [
            (self.added, "added"),
            (self.removed, "removed"),
            (self.moved, "moved"),
            (self.replaced, "replaced"),
            (self.content, "content"),
            (self.metadata, "metadata"),
            (self.mode, "mode"),
            (self.kind, "kind"),
        ]
        .into_iter()
        .filter_map(|(holds, name)| holds.then_some(name))
    }

    /// What differs between two values of one asset, whatever their paths.
    pub fn between(before: &EntryValue, after: &EntryValue) -> Self {
        let kind = std::mem::discriminant(&before.content) != std::mem::discriminant(&after.content);
        Self {
            kind,
            content: kind || !has_same_bytes(&before.content, &after.content),
            mode: !kind && before.content.is_executable() != after.content.is_executable(),
            metadata: before.metadata != after.metadata,
            ..Self::default()
        }
    }

    /// Whether nothing holds.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Serialize for ChangeKinds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

/// Whether two contents say the same about the bytes, whatever the executable bit.
fn has_same_bytes(before: &Content, after: &Content) -> bool {
    match (before, after) {
        (Content::File { id, .. }, Content::File { id: other, .. }) => id == other,
        (
            Content::Foreign { algorithm, digest, .. },
            Content::Foreign { algorithm: other_algorithm, digest: other, .. },
        ) => algorithm == other_algorithm && digest == other,
        _ => before == after,
    }
}

/// What happened to one asset between two trees.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Change {
    /// Which asset: as it is called after, or before when it was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<AssetId>,
    /// What happened.
    pub kinds: ChangeKinds,
    /// Where it stood and what it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<Located>>,
    /// Where it stands and what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Box<Located>>,
}

impl Change {
    /// Makes a change of two sides and says what happened. `None` when both sides are missing.
    pub fn of(before: Option<Located>, after: Option<Located>) -> Option<Self> {
        let kinds = match (&before, &after) {
            (None, None) => return None,
            (None, Some(_)) => ChangeKinds { added: true, ..ChangeKinds::default() },
            (Some(_), None) => ChangeKinds { removed: true, ..ChangeKinds::default() },
            (Some(before), Some(after)) => ChangeKinds {
                moved: before.path != after.path,
                replaced: before.path == after.path && before.value.asset != after.value.asset,
                ..ChangeKinds::between(&before.value, &after.value)
            },
        };
        let asset = after.as_ref().or(before.as_ref()).and_then(|located| located.value.asset);
        Some(Self { asset, kinds, before: before.map(Box::new), after: after.map(Box::new) })
    }

    /// Where it is listed: where it stands, or stood when it was removed.
    pub fn path(&self) -> &AssetPath {
        static ROOT: AssetPath = AssetPath::root();
        self.after.as_ref().or(self.before.as_ref()).map_or(&ROOT, |located| &located.path)
    }
}

/// By what an asset is recognised at another path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MoveMatching {
    /// By its asset id.
    #[default]
    Asset,
    /// By its asset id, else by equal content: for trees that know no asset ids yet, as one made of
    /// files on disk.
    AssetOrContent,
}

/// Other names of assets: what `AssetNote::AliasOf` recorded, from the other id to the one kept.
#[derive(Debug, Clone, Default)]
pub struct Aliases {
    kept: BTreeMap<AssetId, AssetId>,
}

impl Aliases {
    /// Takes pairs of (other, kept).
    pub fn new(pairs: impl IntoIterator<Item = (AssetId, AssetId)>) -> Self {
        Self { kept: pairs.into_iter().collect() }
    }

    /// The id that was kept for `asset` in the end.
    pub fn resolve(&self, asset: AssetId) -> AssetId {
        let mut resolved = asset;
        // An alias names a smaller id, so a chain ends; a forged ring ends by the count.
        for _ in 0..=self.kept.len() {
            match self.kept.get(&resolved) {
                Some(next) => resolved = *next,
                None => break,
            }
        }
        resolved
    }
}

/// What to compare, and how.
#[derive(Debug, Clone, Copy)]
pub struct TreeDiffOptions<'a> {
    /// Paths of interest.
    pub paths: &'a PathSet,
    /// By what moves are recognised.
    pub moves: MoveMatching,
    /// Other names of assets.
    pub aliases: &'a Aliases,
}

/// Finds what happened to each asset between two trees, in tree order of where they are listed.
///
/// With a path set, a move across its border is still told as a move, with one side outside.
pub fn diff_trees<S: ObjectSource>(
    source: &S,
    before: TreeId,
    after: TreeId,
    options: TreeDiffOptions<'_>,
    monitor: &dyn Monitor,
) -> Result<Vec<Change>, DiffError> {
    let mut found = matching::Matcher::new(options);
    compare_trees(source, before, after, options.paths, monitor, &mut |difference| {
        found.add(difference);
        Ok(())
    })?;
    if !options.paths.is_everything() && found.has_loose_ends() {
        compare_trees(source, before, after, &PathSet::everything(), monitor, &mut |difference| {
            found.add_from_outside(difference);
            Ok(())
        })?;
    }
    Ok(found.finish())
}

/// Recognises moves among differences that were found in another way, as [`diff_trees`] does.
///
/// Differences outside the path set count only as the other side of a move.
pub fn match_differences(
    differences: impl IntoIterator<Item = Difference>,
    options: TreeDiffOptions<'_>,
) -> Vec<Change> {
    let mut found = matching::Matcher::new(options);
    for difference in differences {
        if options.paths.includes(&difference.path) {
            found.add(difference);
        } else {
            found.add_from_outside(difference);
        }
    }
    found.finish()
}

/// Hands out every path below `paths` at which two trees differ, in tree order, without regard to moves.
pub fn compare_trees<S: ObjectSource>(
    source: &S,
    before: TreeId,
    after: TreeId,
    paths: &PathSet,
    monitor: &dyn Monitor,
    visit: &mut dyn FnMut(Difference) -> Result<(), DiffError>,
) -> Result<(), DiffError> {
    if before == after {
        return Ok(());
    }
    Comparison { source, paths, monitor, visit, depth: 0 }.folders(
        &AssetPath::root(),
        Some(before),
        Some(after),
    )
}

struct Comparison<'a, S> {
    source: &'a S,
    paths: &'a PathSet,
    monitor: &'a dyn Monitor,
    visit: &'a mut dyn FnMut(Difference) -> Result<(), DiffError>,
    depth: usize,
}

/// Which side of a comparison comes next.
enum Step {
    /// Both stand before the same node.
    SkipBoth,
    OpenBefore,
    OpenAfter,
    OpenBoth,
    TakeBefore,
    TakeAfter,
    TakeBoth,
}

impl<'a, S: ObjectSource> Comparison<'a, S> {
    fn folders(
        &mut self,
        path: &AssetPath,
        before: Option<TreeId>,
        after: Option<TreeId>,
    ) -> Result<(), DiffError> {
        if self.monitor.is_cancelled() {
            return Err(DiffError::Cancelled);
        }
        if self.depth > PATH_DEPTH_MAX {
            return Err(DiffError::Path(PathError::TooLong));
        }
        self.depth += 1;
        let source: &'a S = self.source;
        let mut before = before.map(|id| DirectoryCursor::new(source, id));
        let mut after = after.map(|id| DirectoryCursor::new(source, id));
        loop {
            let heads = (
                before.as_ref().and_then(DirectoryCursor::peek),
                after.as_ref().and_then(DirectoryCursor::peek),
            );
            let Some(step) = next_step(heads.0, heads.1) else { break };
            match step {
                Step::SkipBoth => {
                    take(&mut before);
                    take(&mut after);
                }
                Step::OpenBefore => open(&mut before)?,
                Step::OpenAfter => open(&mut after)?,
                Step::OpenBoth => {
                    open(&mut before)?;
                    open(&mut after)?;
                }
                Step::TakeBefore => self.entries(path, take(&mut before), None)?,
                Step::TakeAfter => self.entries(path, None, take(&mut after))?,
                Step::TakeBoth => self.entries(path, take(&mut before), take(&mut after))?,
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Compares what one name held before and holds after.
    fn entries(
        &mut self,
        folder: &AssetPath,
        before: Option<TreeEntry>,
        after: Option<TreeEntry>,
    ) -> Result<(), DiffError> {
        if before == after {
            return Ok(());
        }
        let Some(name) = before.as_ref().or(after.as_ref()).map(|entry| &entry.name) else { return Ok(()) };
        let path = folder.join(name)?;
        if !self.paths.leads_to(&path) {
            return Ok(());
        }
        let directories = (directory_of(before.as_ref()), directory_of(after.as_ref()));
        if self.paths.includes(&path) {
            let before = before.map(EntryValue::from).filter(stands_by_itself);
            let after = after.map(EntryValue::from).filter(stands_by_itself);
            if before.is_some() || after.is_some() {
                (self.visit)(Difference { path: path.clone(), before, after })?;
            }
        }
        match directories {
            (None, None) => Ok(()),
            (before, after) if before == after => Ok(()),
            (before, after) => self.folders(&path, before, after),
        }
    }
}

fn directory_of(entry: Option<&TreeEntry>) -> Option<TreeId> {
    match entry?.content {
        Content::Directory { id } => Some(id),
        _ => None,
    }
}

/// Whether an entry is more than a way to what it holds.
pub(crate) fn stands_by_itself(value: &EntryValue) -> bool {
    !value.content.is_directory() || value.asset.is_some() || value.metadata.is_some()
}

fn take<S: ObjectSource>(cursor: &mut Option<DirectoryCursor<'_, S>>) -> Option<TreeEntry> {
    match cursor.as_mut()?.take_item()? {
        CursorItem::Entry(entry) => Some(entry),
        CursorItem::Node(_) => None,
    }
}

fn open<S: ObjectSource>(cursor: &mut Option<DirectoryCursor<'_, S>>) -> Result<(), DiffError> {
    cursor.as_mut().map_or(Ok(()), DirectoryCursor::open).map_err(DiffError::from)
}

/// Decides what to do with what stands next on both sides.
///
/// A node is opened no sooner than its names are reached, so that both sides stand before a node
/// that they share at the same time and it is passed over unread.
fn next_step(before: Option<&CursorItem>, after: Option<&CursorItem>) -> Option<Step> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let (before, after) = match (before, after) {
        (None, None) => return None,
        (Some(CursorItem::Node(_)), None) => return Some(Step::OpenBefore),
        (Some(CursorItem::Entry(_)), None) => return Some(Step::TakeBefore),
        (None, Some(CursorItem::Node(_))) => return Some(Step::OpenAfter),
        (None, Some(CursorItem::Entry(_))) => return Some(Step::TakeAfter),
        (Some(before), Some(after)) => (before, after),
    };
    let order = before.first_name().cmp(after.first_name());
    Some(match (before, after) {
        (CursorItem::Node(before), CursorItem::Node(after)) => {
            match (before.child.id == after.child.id, before.level.cmp(&after.level), order) {
                (true, _, _) => Step::SkipBoth,
                (false, Greater, _) | (false, Equal, Less) => Step::OpenBefore,
                (false, Less, _) | (false, Equal, Greater) => Step::OpenAfter,
                (false, Equal, Equal) => Step::OpenBoth,
            }
        }
        (CursorItem::Node(_), CursorItem::Entry(_)) if order != Greater => Step::OpenBefore,
        (CursorItem::Entry(_), CursorItem::Node(_)) if order != Less => Step::OpenAfter,
        _ => match order {
            Less => Step::TakeBefore,
            Greater => Step::TakeAfter,
            Equal => Step::TakeBoth,
        },
    })
}

#[cfg(test)]
mod tests;
