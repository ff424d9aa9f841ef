//! What a commit changed: its tree beside that of its first parent, folder by folder, with equal
//! folders left unread.

use crate::base::id::GitId;
use crate::base::path::{AssetPath, PATH_DEPTH_MAX};
use crate::import::error::ImportError;
use crate::import::git::objects::{Kind, Reader};
use crate::import::git::parse::{self, EntryKind, GitEntry};
use crate::rules::portable::check_entry_name;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// Most changed files of one commit.
pub const CHANGES_MAX: usize = 2_000_000;
/// Most entries of folders that are looked at for one commit: a folder counts as often as it stands
/// somewhere.
pub const ENTRIES_MAX: usize = 20_000_000;
/// Most entries of one commit that are left out and told.
const SKIPPED_MAX: usize = 10_000;
/// The tree without entries.
pub(super) const EMPTY_TREE: [u8; 20] = [
    0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88, 0xfb,
    0xee, 0x49, 0x04,
];

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: AssetPath,
    /// Whether something that is no folder stood there.
    pub was_there: bool,
    /// What stands there now; never a folder.
    pub now: Option<(EntryKind, GitId)>,
}

/// A tree that was read on the side of the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenTree {
    /// Its id.
    pub id: GitId,
    /// What is taken over of it, in the order of names: what it is and names. Folders that were not looked
    /// into are among them, though nothing may stand in them.
    pub kept: Vec<(EntryKind, GitId)>,
    /// Its bytes, when they do not follow from what is taken over.
    pub verbatim: Option<Vec<u8>>,
}

/// An entry of a tree that is taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    name: Vec<u8>,
    kind: EntryKind,
    id: GitId,
}

/// An entry that is not taken over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// The folder in which it stood, and its name, as bytes.
    pub path: Vec<u8>,
    /// Why.
    pub reason: &'static str,
}

/// What a commit changed.
#[derive(Debug, Default)]
pub struct Changes {
    /// Changed paths.
    pub changes: Vec<Change>,
    /// Whether these are all paths of the commit, since what stood before is not at hand: what is not among
    /// them is gone.
    pub whole: bool,
    /// Trees that were read, those of folders before those that hold them.
    pub trees: Vec<SeenTree>,
    /// Entries that are not taken over.
    pub skipped: Vec<Skipped>,
    /// How many entries of trees are in memory for it.
    pub weight: usize,
}

/// The tree of the first parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// There is no parent.
    Nothing,
    /// This one.
    Tree(GitId),
    /// The parent is known, and its tree is not.
    Gone,
}

/// Compares two trees. Only what lies at or below one of `paths` counts; everything when there are none.
pub fn changes(
    reader: &mut Reader,
    commit: GitId,
    before: Before,
    after: GitId,
    paths: &[AssetPath],
) -> Result<Changes, ImportError> {
    let (known, whole) = match before {
        Before::Tree(id) if id == after => return Ok(Changes::default()),
        Before::Tree(id) => (Some(id), false),
        Before::Nothing => (None, false),
        Before::Gone => (None, true),
    };
    let mut differ = Differ::new(reader, commit, paths);
    let compared = differ.folder(&AssetPath::root(), 0, known, Some(after));
    match compared {
        // Git has removed what stood before: then all that stands now is listed.
        Err(ImportError::Missing { .. }) if known.is_some() => {
            changes(reader, commit, Before::Gone, after, paths)
        }
        Err(error) => Err(error),
        Ok(_) => {
            let mut found = differ.out;
            found.whole = whole;
            found.weight =
                found.changes.len() + found.trees.iter().map(|tree| tree.kept.len()).sum::<usize>();
            Ok(found)
        }
    }
}

/// Two folders under one name.
type Pair = (Option<GitId>, Option<GitId>);

struct Differ<'a> {
    reader: &'a mut Reader,
    commit: GitId,
    paths: &'a [AssetPath],
    out: Changes,
    /// Folders between which nothing differs, with whether anything stands in them.
    blank: HashMap<Pair, bool>,
    /// Trees that are among those read already, with whether their bytes are.
    seen: HashSet<(GitId, bool)>,
    entries: usize,
}

struct Listed {
    kept: Vec<Kept>,
    bytes: Vec<u8>,
    /// Whether the bytes follow from what is kept.
    regular: bool,
}

impl<'a> Differ<'a> {
    fn new(reader: &'a mut Reader, commit: GitId, paths: &'a [AssetPath]) -> Self {
        let (blank, seen) = (HashMap::new(), HashSet::new());
        Self { reader, commit, paths, out: Changes::default(), blank, seen, entries: 0 }
    }

    /// Compares one folder; says whether anything stands in it on the side of the commit. Where the same
    /// folders stand many times and nothing differs in them, they are compared once.
    fn folder(
        &mut self,
        path: &AssetPath,
        depth: usize,
        before: Option<GitId>,
        after: Option<GitId>,
    ) -> Result<bool, ImportError> {
        if let Some(stands) = self.blank.get(&(before, after)) {
            return Ok(*stands);
        }
        let found = (self.out.changes.len(), self.out.skipped.len());
        let stands = self.compare(path, depth, before, after)?;
        if found == (self.out.changes.len(), self.out.skipped.len()) {
            self.blank.insert((before, after), stands);
        }
        Ok(stands)
    }

    fn compare(
        &mut self,
        path: &AssetPath,
        depth: usize,
        before: Option<GitId>,
        after: Option<GitId>,
    ) -> Result<bool, ImportError> {
        let old = before.map(|id| self.list(id, path, depth, false)).transpose()?;
        let new = after.map(|id| self.list(id, path, depth, true)).transpose()?;
        let (old, new) = (old.map_or(Vec::new(), |listed| listed.kept), new);
        let (kept, bytes, mut regular) =
            new.map_or((Vec::new(), Vec::new(), true), |listed| (listed.kept, listed.bytes, listed.regular));
        let mut standing = Vec::with_capacity(kept.len());
        let mut old = old.into_iter().peekable();
        for entry in kept {
            while let Some(gone) = old.next_if(|gone| gone.name < entry.name) {
                self.entry(path, depth, Some(&gone), None)?;
            }
            let was = old.next_if(|was| was.name == entry.name);
            if self.entry(path, depth, was.as_ref(), Some(&entry))? {
                standing.push((entry.kind, entry.id));
            } else {
                regular = false;
            }
        }
        for gone in old {
            self.entry(path, depth, Some(&gone), None)?;
        }
        let any = !standing.is_empty();
        if let Some(id) = after.filter(|_| self.paths.is_empty())
            && self.seen.insert((id, regular))
        {
            let verbatim = (!regular).then_some(bytes);
            self.out.trees.push(SeenTree { id, kept: standing, verbatim });
        }
        Ok(any)
    }

    /// Compares what stands under one name; says whether anything stands there on the side of the commit.
    fn entry(
        &mut self,
        folder: &AssetPath,
        depth: usize,
        was: Option<&Kept>,
        now: Option<&Kept>,
    ) -> Result<bool, ImportError> {
        let equal = was.zip(now).is_some_and(|(was, now)| was.id == now.id && was.kind == now.kind);
        if equal {
            return Ok(true);
        }
        let Some(name) = was.or(now).map(|entry| &entry.name) else { return Ok(false) };
        // Names were checked when the folder was listed.
        let Ok(path) = folder.join(name) else { return Ok(false) };
        if !self.is_wanted(&path) {
            return Ok(false);
        }
        let inner = |entry: Option<&Kept>| {
            entry.filter(|entry| entry.kind == EntryKind::Directory).map(|entry| entry.id)
        };
        let leaf = |entry: Option<&Kept>| {
            entry.filter(|entry| entry.kind != EntryKind::Directory).map(|entry| (entry.kind, entry.id))
        };
        let (was_there, now_leaf) = (leaf(was).is_some(), leaf(now));
        if (was_there || now_leaf.is_some()) && self.is_in_scope(&path) {
            if self.out.changes.len() >= CHANGES_MAX {
                return Err(ImportError::TooManyFiles { commit: self.commit, limit: CHANGES_MAX });
            }
            self.out.changes.push(Change { path: path.clone(), was_there, now: now_leaf });
        }
        let mut stands = now_leaf.is_some();
        if inner(was).is_some() || inner(now).is_some() {
            stands |= self.folder(&path, depth + 1, inner(was), inner(now))?;
        }
        Ok(stands)
    }

    /// Whether a path lies in what is wanted, or leads there.
    fn is_wanted(&self, path: &AssetPath) -> bool {
        self.is_in_scope(path) || self.paths.iter().any(|wanted| wanted.is_within(path))
    }

    fn is_in_scope(&self, path: &AssetPath) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|wanted| path.is_within(wanted))
    }

    /// Reads a tree and leaves out what cannot be taken over. Tells of it only when asked.
    fn list(&mut self, id: GitId, path: &AssetPath, depth: usize, tell: bool) -> Result<Listed, ImportError> {
        if id.as_bytes() == &EMPTY_TREE {
            return Ok(Listed { kept: Vec::new(), bytes: Vec::new(), regular: true });
        }
        let mut bytes = Vec::new();
        if !self.reader.find_kind(id, Kind::Tree, &mut bytes)? {
            return Err(ImportError::Missing { id });
        }
        let entries = parse::tree(&bytes).ok_or(ImportError::Object { id, source: None })?;
        self.entries += entries.len() + 1;
        if self.entries > ENTRIES_MAX {
            return Err(ImportError::TooManyFiles { commit: self.commit, limit: ENTRIES_MAX });
        }
        let mut regular = entries.iter().all(|entry| entry.usual) && is_sorted(&entries);
        let mut kept: Vec<Kept> = Vec::with_capacity(entries.len());
        for entry in entries {
            match check(&entry, path, depth) {
                Ok(kind) => kept.push(Kept { name: entry.name, kind, id: entry.id }),
                Err(reason) => {
                    regular = false;
                    self.skip(path, &entry.name, reason, tell);
                }
            }
        }
        kept.sort_by(|left, right| left.name.cmp(&right.name));
        let mut twins = Vec::new();
        kept.dedup_by(|later, first| {
            let is_twin = later.name == first.name;
            if is_twin {
                twins.push(std::mem::take(&mut later.name));
            }
            is_twin
        });
        for name in twins {
            regular = false;
            self.skip(path, &name, "the name stands there twice", tell);
        }
        Ok(Listed { kept, bytes, regular })
    }

    fn skip(&mut self, folder: &AssetPath, name: &[u8], reason: &'static str, tell: bool) {
        if tell && self.out.skipped.len() < SKIPPED_MAX {
            let mut path = folder.as_bytes().to_vec();
            if !folder.is_root() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            self.out.skipped.push(Skipped { path, reason });
        }
    }
}

/// Whether nothing can stand in a tree of which this is known: entries that cannot be taken over, and folders
/// in which nothing stands.
pub(super) fn is_hollow(tree: &[u8], hollow: &dyn Fn(GitId) -> bool) -> bool {
    let entries = parse::tree(tree).unwrap_or_default();
    entries.iter().all(|entry| match check(entry, &AssetPath::root(), 0) {
        Ok(EntryKind::Directory) => hollow(entry.id),
        Ok(_) => false,
        Err(_) => true,
    })
}

/// Whether an entry can be taken over, as what; or why not.
fn check(entry: &GitEntry, folder: &AssetPath, depth: usize) -> Result<EntryKind, &'static str> {
    let kind = entry.kind.ok_or("its mode means nothing")?;
    check_entry_name(&entry.name).map_err(|_| "no file may be called so")?;
    let options = gix::validate::path::component::Options {
        protect_windows: false,
        protect_hfs: true,
        protect_ntfs: true,
    };
    let mode = (kind == EntryKind::Symlink).then_some(gix::validate::path::component::Mode::Symlink);
    gix::validate::path::component(entry.name.as_slice().into(), mode, options)
        .map_err(|_| "it could be taken for the folder of a Git repository")?;
    folder.join(&entry.name).map_err(|_| "its path is too long")?;
    if depth >= PATH_DEPTH_MAX { Err("it lies too deep") } else { Ok(kind) }
}

/// Whether entries stand in Git's order, each name once.
fn is_sorted(entries: &[GitEntry]) -> bool {
    let key = |entry: &GitEntry| entry.kind == Some(EntryKind::Directory);
    entries.windows(2).all(|pair| {
        let order = parse::git_order((&pair[0].name, key(&pair[0])), (&pair[1].name, key(&pair[1])));
        order == Ordering::Less
    })
}
