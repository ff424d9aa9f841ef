//! What commands set aside when something else takes its place: `.pent/displaced`.
//!
//! Each command that replaces files has a set of its own: a folder with the files under numbers and
//! a list that says what each was. A file is moved, not copied, where the file system allows; the
//! line in the list is written before the move, so no file is ever there without its name.

use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::worktree::error::WorktreeError;
use crate::worktree::root::Worktree;
use crate::worktree::stat::{Node, NodeKind};
use rustix::fs::{CWD, renameat};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// For how long set-aside files are kept, in days.
pub const KEPT_DAYS: i64 = 30;
const LIST_NAME: &str = "list.jsonl";

/// One file or folder that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisplacedItem {
    /// Its number in the set, which is also its name there.
    pub item: u64,
    /// Where it stood.
    pub path: AssetPath,
    /// `file`, `symlink`, `directory` or `special`.
    pub kind: String,
    /// Size in bytes.
    pub size: u64,
}

/// One set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DisplacedSummary {
    /// Its name, which begins with the moment it was made.
    pub id: String,
    /// Which verb made it.
    pub verb: String,
    /// When, in milliseconds since 1970.
    pub unix_ms: i64,
    /// What it holds.
    pub items: Vec<DisplacedItem>,
}

/// The first line of a list.
#[derive(Debug, Serialize, Deserialize)]
struct Heading {
    verb: String,
    unix_ms: i64,
}

/// All sets of a repository.
#[derive(Debug, Clone)]
pub struct Displaced {
    folder: PathBuf,
}

impl Displaced {
    /// The sets below `.pent`.
    pub fn of(pent_dir: &Path) -> Self {
        Self { folder: pent_dir.join("displaced") }
    }

    /// Prepares a set; nothing is written before something is kept in it.
    pub fn begin(&self, verb: &str, now: Timestamp) -> DisplacedSet {
        let (year, month, day, hour, minute, second) = now.civil();
        let stem = format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}-{verb}");
        let heading = Heading { verb: verb.to_owned(), unix_ms: now.unix_ms };
        DisplacedSet { parent: self.folder.clone(), stem, heading, open: Mutex::new(None) }
    }

    /// All sets, oldest first.
    pub fn list(&self) -> Result<Vec<DisplacedSummary>, WorktreeError> {
        self.ids()?.iter().map(|id| self.read(id)).collect()
    }

    /// One set.
    pub fn read(&self, id: &str) -> Result<DisplacedSummary, WorktreeError> {
        if id.is_empty() || id.contains(['/', '\\']) || id.starts_with('.') {
            return Err(WorktreeError::DisplacedUnknown { id: id.to_owned() });
        }
        let path = self.folder.join(id).join(LIST_NAME);
        let text =
            fs::read_to_string(&path).map_err(|_| WorktreeError::DisplacedUnknown { id: id.to_owned() })?;
        let mut lines = text.lines();
        let broken = || WorktreeError::DisplacedRecord { path: path.clone() };
        let heading: Heading =
            lines.next().and_then(|line| serde_json::from_str(line).ok()).ok_or_else(broken)?;
        let mut items = Vec::new();
        for line in lines {
            // The last line may be torn by a crash; its file was then never moved.
            let Ok(item) = serde_json::from_str::<DisplacedItem>(line) else { continue };
            if self.path_of(id, item.item).symlink_metadata().is_ok() {
                items.push(item);
            }
        }
        Ok(DisplacedSummary { id: id.to_owned(), verb: heading.verb, unix_ms: heading.unix_ms, items })
    }

    /// Where an item lies.
    pub fn path_of(&self, id: &str, item: u64) -> PathBuf {
        self.folder.join(id).join(item.to_string())
    }

    /// Writes the list of a set anew from what can be read of it and from the files that lie there; gives
    /// the old list. A file whose line is lost gets a name after its number.
    pub fn mend(&self, id: &str) -> Result<Vec<u8>, WorktreeError> {
        let folder = self.folder.join(id);
        let path = folder.join(LIST_NAME);
        let old = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&old);
        let known: Vec<DisplacedItem> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let heading = text.lines().next().and_then(|line| serde_json::from_str::<Heading>(line).ok());
        let modified = fs::metadata(&folder).and_then(|found| found.modified()).ok();
        let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let heading = heading.unwrap_or_else(|| Heading {
            verb: id.splitn(3, '-').nth(2).unwrap_or("unknown").to_owned(),
            unix_ms: since.map_or(0, |since| since.as_millis() as i64),
        });
        let write = || -> std::io::Result<()> {
            let mut text = serde_json::to_vec(&heading)?;
            text.push(b'\n');
            let mut items = known.clone();
            items.extend(unlisted(&folder, &known)?);
            items.sort_by_key(|item| item.item);
            for item in items {
                serde_json::to_writer(&mut text, &item)?;
                text.push(b'\n');
            }
            let fresh = folder.join("list.new");
            let mut file = File::create(&fresh)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)
        };
        write().map_err(|source| own_io("writing", &path, source))?;
        Ok(old)
    }

    /// Where a set lies.
    pub fn folder_of(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    /// Moves an item back to where it stood. Nothing may stand there.
    pub fn bring_back(
        &self,
        id: &str,
        item: &DisplacedItem,
        worktree: &Worktree,
    ) -> Result<(), WorktreeError> {
        let from = self.path_of(id, item.item);
        let folder = worktree.make_dir(&item.path.parent().unwrap_or_default())?;
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(CWD, &from, &folder, item.path.name(), flags) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::EXIST) => Err(WorktreeError::Occupied { path: item.path.clone() }),
            Err(rustix::io::Errno::XDEV) => copy_back(&from, &worktree.full_path(&item.path)),
            Err(errno) => Err(own_io("bringing back", &from, errno.into())),
        }
    }

    /// Names of all sets, oldest first.
    pub fn ids(&self) -> Result<Vec<String>, WorktreeError> {
        let mut ids = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(own_io("reading", &self.folder, source)),
        };
        for entry in entries {
            let entry = entry.map_err(|source| own_io("reading", &self.folder, source))?;
            ids.extend(entry.file_name().into_string());
        }
        ids.sort();
        Ok(ids)
    }

    /// Sets that are older than [`KEPT_DAYS`]. One whose list cannot be read is never old.
    pub fn old(&self, now: Timestamp) -> Result<Vec<DisplacedSummary>, WorktreeError> {
        let oldest_ms = now.unix_ms - KEPT_DAYS * 86_400_000;
        let sets = self.ids()?.into_iter().filter_map(|id| self.read(&id).ok());
        Ok(sets.filter(|set| set.unix_ms < oldest_ms).collect())
    }

    /// Removes a set for good.
    pub fn remove(&self, id: &str) -> Result<(), WorktreeError> {
        let folder = self.folder.join(id);
        fs::remove_dir_all(&folder).map_err(|source| own_io("removing", &folder, source))
    }
}

/// A set that files are being put into. Usable from several threads.
#[derive(Debug)]
pub struct DisplacedSet {
    parent: PathBuf,
    stem: String,
    heading: Heading,
    open: Mutex<Option<OpenSet>>,
}

#[derive(Debug)]
struct OpenSet {
    id: String,
    folder: PathBuf,
    list: File,
    items: u64,
}

impl DisplacedSet {
    /// The set's name; `None` when nothing was put into it.
    pub fn id(&self) -> Option<String> {
        self.lock().as_ref().map(|open| open.id.clone())
    }

    /// How many items were put into it.
    pub fn count(&self) -> u64 {
        self.lock().as_ref().map_or(0, |open| open.items)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<OpenSet>> {
        // The state behind the lock is whole after every statement, so a panic elsewhere leaves it usable.
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Gives numbers to things that are about to be moved in. Their lines are on disk when this
    /// returns, so that whatever stops the moves, nothing lies in the set without its name.
    pub fn announce(&self, things: &[(&AssetPath, Node)]) -> Result<Vec<u64>, WorktreeError> {
        if things.is_empty() {
            return Ok(Vec::new());
        }
        let mut guard = self.lock();
        let open = match &mut *guard {
            Some(open) => open,
            empty => empty.insert(self.make()?),
        };
        let mut text = Vec::new();
        let mut numbers = Vec::with_capacity(things.len());
        for (path, node) in things {
            let item = open.items;
            let line = DisplacedItem {
                item,
                path: (*path).clone(),
                kind: kind_name(node.kind).into(),
                size: node.stat.size,
            };
            serde_json::to_writer(&mut text, &line)
                .map_err(|error| own_io("writing", &open.folder, error.into()))?;
            text.push(b'\n');
            numbers.push(item);
            open.items += 1;
        }
        open.list
            .write_all(&text)
            .and_then(|()| open.list.sync_data())
            .map_err(|source| own_io("writing", &open.folder, source))?;
        Ok(numbers)
    }

    /// Moves what stands at `name` in `folder` into the set under a number that was announced for it.
    pub fn take(
        &self,
        item: u64,
        folder: impl AsFd,
        name: &[u8],
        path: &AssetPath,
        node: &Node,
    ) -> Result<(), WorktreeError> {
        let Some(target) = self.lock().as_ref().map(|open| open.folder.join(item.to_string())) else {
            return Err(own_io("finding", &self.parent, std::io::ErrorKind::NotFound.into()));
        };
        match renameat(&folder, name, CWD, &target) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::XDEV) => move_across(folder, name, path, node, &target),
            Err(errno) => Err(WorktreeError::Aside { path: path.clone(), source: errno.into() }),
        }
    }

    /// Makes the set's folder under a name that no other set has.
    fn make(&self) -> Result<OpenSet, WorktreeError> {
        fs::create_dir_all(&self.parent).map_err(|source| own_io("making", &self.parent, source))?;
        for attempt in 0u32.. {
            let id = if attempt == 0 { self.stem.clone() } else { format!("{}-{attempt}", self.stem) };
            let folder = self.parent.join(&id);
            match fs::create_dir(&folder) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(source) => return Err(own_io("making", &folder, source)),
            }
            let path = folder.join(LIST_NAME);
            let begin = || -> std::io::Result<File> {
                let mut list = File::options().append(true).create_new(true).open(&path)?;
                serde_json::to_writer(&mut list, &self.heading)?;
                list.write_all(b"\n")?;
                list.sync_data()?;
                File::open(&self.parent)?.sync_all()?;
                Ok(list)
            };
            let list = begin().map_err(|source| own_io("writing", &path, source))?;
            return Ok(OpenSet { id, folder, list, items: 0 });
        }
        Err(own_io("making", &self.parent, std::io::ErrorKind::AlreadyExists.into()))
    }
}

/// Files of a set that its list does not name.
fn unlisted(folder: &Path, known: &[DisplacedItem]) -> std::io::Result<Vec<DisplacedItem>> {
    let mut items = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok());
        let Some(item) = number.filter(|number| known.iter().all(|line| line.item != *number)) else {
            continue;
        };
        let found = entry.metadata()?;
        let kind = if found.is_dir() {
            "directory"
        } else if found.is_symlink() {
            "symlink"
        } else {
            "file"
        };
        let Ok(path) = AssetPath::from_bytes(format!("set-aside-{item}")) else { continue };
        items.push(DisplacedItem { item, path, kind: kind.to_owned(), size: found.len() });
    }
    Ok(items)
}

const fn kind_name(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::File { .. } => "file",
        NodeKind::Symlink => "symlink",
        NodeKind::Directory => "directory",
        NodeKind::Special(_) => "special",
    }
}

/// Moves a file to another file system: copy, sync, then remove. Folders are moved only within one.
fn move_across(
    folder: impl AsFd,
    name: &[u8],
    path: &AssetPath,
    node: &Node,
    target: &Path,
) -> Result<(), WorktreeError> {
    use rustix::fs::{AtFlags, Mode, OFlags, openat, readlinkat, unlinkat};
    let io = |source: std::io::Error| WorktreeError::Aside { path: path.clone(), source };
    match node.kind {
        NodeKind::File { .. } => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut from = File::from(openat(&folder, name, flags, Mode::empty()).map_err(|e| io(e.into()))?);
            let mut to = File::create_new(target).map_err(io)?;
            std::io::copy(&mut from, &mut to).and_then(|_| to.sync_all()).map_err(io)?;
        }
        NodeKind::Symlink => {
            let link = readlinkat(&folder, name, Vec::new()).map_err(|e| io(e.into()))?;
            rustix::fs::symlinkat(&link, CWD, target).map_err(|e| io(e.into()))?;
        }
        NodeKind::Directory | NodeKind::Special(_) => {
            return Err(io(std::io::ErrorKind::CrossesDevices.into()));
        }
    }
    unlinkat(&folder, name, AtFlags::empty()).map_err(|e| io(e.into()))
}

/// Brings a file back from another file system.
fn copy_back(from: &Path, to: &Path) -> Result<(), WorktreeError> {
    let copy = || -> std::io::Result<()> {
        let mut source = File::open(from)?;
        let mut target = File::create_new(to)?;
        std::io::copy(&mut source, &mut target)?;
        target.sync_all()?;
        fs::remove_file(from)
    };
    copy().map_err(|source| own_io("bringing back", from, source))
}

fn own_io(action: &'static str, path: &Path, source: std::io::Error) -> WorktreeError {
    WorktreeError::Io { action, path: path.to_owned(), source }
}
