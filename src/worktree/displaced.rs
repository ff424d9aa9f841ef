//! Keeps what a restore, switch, merge or undo replaces, so that it can be brought back.
//!
//! What was modified, untracked or ignored is renamed aside into `.pent/displaced/<id>/<number>`,
//! neither copied nor chunked, so it costs nothing. A list beside it says where each thing was; its
//! line is synced before the thing is moved. Sets are kept for thirty days and never removed
//! earlier, however full the disk is.

mod manifest;

use super::error::{During, Result, WorktreeError};
use super::moving::{move_new, remove_bare_folder};
use super::root::Worktree;
use super::stat::{Node, NodeKind};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
#[cfg(any(test, fuzzing))]
pub(in crate::worktree) use manifest::fuzz as fuzz_manifest;
use manifest::{Continued, Heading, Line, MANIFEST_FILE, MANIFEST_NEW};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Folder inside `.pent`.
pub const DISPLACED_FOLDER: &str = "displaced";
/// How long sets are kept, in days.
pub const KEPT_DAYS: i64 = 30;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Puts things aside for one command. Nothing is made on disk until there is something to keep.
#[derive(Debug)]
pub struct Displacer {
    folder: PathBuf,
    id: String,
    heading: Heading,
    set: Mutex<Option<OpenSet>>,
}

#[derive(Debug)]
struct OpenSet {
    folder: Arc<OwnedFd>,
    manifest: File,
    lines: Vec<Line>,
    /// The number of the next line.
    next: u64,
}

/// A name for a set that nobody else has: the time and eight random digits.
pub fn new_set_id(now: Timestamp) -> String {
    let (year, month, day, hour, minute, second) = now.civil();
    let random = getrandom::u32().unwrap_or_else(|_| std::process::id());
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}-{random:08x}")
}

/// A place made ready for one thing: its line is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(u64);

impl Slot {
    /// The number under which the thing lies.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl Displacer {
    /// For a command called `reason`, in the repository folder `pent_dir`.
    pub fn new(pent_dir: &Path, reason: &str, now: Timestamp) -> Self {
        Self::in_set(pent_dir, new_set_id(now), reason, now)
    }

    /// The same under a name that was chosen before. A set of that name is continued.
    pub fn in_set(pent_dir: &Path, id: String, reason: &str, now: Timestamp) -> Self {
        let heading = Heading { created: now, reason: reason.to_owned(), continued: None };
        Self { folder: pent_dir.join(DISPLACED_FOLDER), id, heading, set: Mutex::new(None) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<OpenSet>> {
        // The state behind the lock is whole after every statement, so a panic elsewhere leaves it usable.
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of the set, when anything was put aside.
    pub fn id(&self) -> Option<String> {
        self.lock().as_ref().map(|_| self.id.clone())
    }

    /// What was announced, by number.
    pub fn announced(&self) -> Vec<(u64, AssetPath)> {
        let set = self.lock();
        let lines = set.as_ref().map(|set| set.lines.as_slice());
        lines.unwrap_or_default().iter().map(|line| (line.number, line.path.clone())).collect()
    }

    /// Writes durably where things are that will be put aside, and makes room for them.
    pub fn announce(&self, paths: &[AssetPath]) -> Result<Vec<Slot>> {
        let mut guard = self.lock();
        if guard.is_none() && !paths.is_empty() {
            *guard = Some(self.open_set().during("creating", &self.folder)?);
        }
        let Some(set) = guard.as_mut() else { return Ok(Vec::new()) };
        set.announce(paths).during("writing", &self.folder)
    }

    /// Moves a thing out of an open folder into its place. It is durable once [`Displacer::sync`] was called.
    pub fn take(&self, slot: Slot, folder: &OwnedFd, name: &[u8]) -> io::Result<()> {
        let to = {
            let guard = self.lock();
            let set = guard.as_ref().ok_or_else(|| io::Error::other("nothing was announced"))?;
            Arc::clone(&set.folder)
        };
        move_new(folder, name, &to, slot.0.to_string().as_bytes())
    }

    /// Makes durable what was put aside.
    pub fn sync(&self) -> Result<()> {
        let guard = self.lock();
        guard.as_ref().map_or(Ok(()), |set| rustix::fs::fsync(&set.folder).during("syncing", &self.folder))
    }

    fn open_set(&self) -> io::Result<OpenSet> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(&self.id);
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let set = OpenSet::open(&path, &self.heading)?;
        File::open(&self.folder)?.sync_all()?;
        Ok(set)
    }
}

impl OpenSet {
    /// Opens the list of a set to add to it; begins it where there is none, and cuts a torn last line
    /// off, which names nothing that was moved.
    fn open(path: &Path, heading: &Heading) -> io::Result<Self> {
        let mut options = File::options();
        let place = path.join(MANIFEST_FILE);
        let mut manifest = options.create(true).read(true).append(true).open(place)?;
        let mut bytes = Vec::new();
        manifest.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < bytes.len() {
            manifest.set_len(whole as u64)?;
        }
        if whole == 0 {
            manifest.write_all(&manifest::line(heading))?;
        } else {
            // What is put aside from here on is no older than this moment.
            manifest.write_all(&manifest::line(&Continued { continued: heading.created }))?;
        }
        let listed = manifest::read(&bytes).map(|(_, lines)| lines).unwrap_or_default();
        let mut last = listed.iter().map(|line| line.number).max().unwrap_or(0);
        for entry in fs::read_dir(path)? {
            last = last.max(entry?.file_name().to_str().and_then(|name| name.parse().ok()).unwrap_or(0));
        }
        let folder = Arc::new(open_folder(path)?);
        rustix::fs::fsync(&folder)?;
        Ok(Self { folder, manifest, lines: Vec::new(), next: last + 1 })
    }

    fn announce(&mut self, paths: &[AssetPath]) -> io::Result<Vec<Slot>> {
        let lines: Vec<_> =
            (self.next..).zip(paths).map(|(number, path)| Line { number, path: path.clone() }).collect();
        let bytes: Vec<u8> = lines.iter().flat_map(manifest::line).collect();
        self.manifest.write_all(&bytes)?;
        self.manifest.sync_data()?;
        self.next += lines.len() as u64;
        let slots = lines.iter().map(|line| Slot(line.number)).collect();
        self.lines.extend(lines);
        Ok(slots)
    }
}

/// One thing that was put aside.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DisplacedItem {
    /// Its number in the set.
    pub number: u64,
    /// Where it was; `None` when the list does not say (it was damaged).
    pub path: Option<AssetPath>,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Size in bytes; 0 for a folder.
    pub size: u64,
}

/// What one command put aside.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DisplacedSet {
    /// Its id.
    pub id: String,
    /// When; `None` when the list is damaged.
    pub created: Option<Timestamp>,
    /// When it was gone on with last, after a stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continued: Option<Timestamp>,
    /// The command.
    pub reason: String,
    /// What is still there, by number.
    pub items: Vec<DisplacedItem>,
}

impl DisplacedSet {
    /// Whether its list tells when it was made and where everything in it was.
    pub fn is_whole(&self) -> bool {
        self.created.is_some() && self.items.iter().all(|item| item.path.is_some())
    }
}

/// The ids of all sets and where they lie, the oldest first.
pub fn folders(pent_dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let folder = pent_dir.join(DISPLACED_FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).during("reading", &folder),
    };
    let mut sets = Vec::new();
    for entry in entries {
        let entry = entry.during("reading", &folder)?;
        if let Ok(id) = entry.file_name().into_string()
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
        {
            sets.push((id, entry.path()));
        }
    }
    sets.sort();
    Ok(sets)
}

/// Writes the list of a set anew from what can be read of it and from what lies there; gives the old
/// list. A thing whose line is lost gets a place named after its number.
pub fn mend(pent_dir: &Path, id: &str) -> Result<Vec<u8>> {
    let set = find(pent_dir, id)?;
    let path = pent_dir.join(DISPLACED_FOLDER).join(id);
    let place = path.join(MANIFEST_FILE);
    let old = fs::read(&place).unwrap_or_default();
    let modified = fs::metadata(&path).and_then(|data| data.modified()).ok();
    let age = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified_ms = age.and_then(|age| i64::try_from(age.as_millis()).ok()).unwrap_or(0);
    let created = set.created.unwrap_or_else(|| Timestamp::utc(modified_ms));
    let mut list = manifest::line(&Heading { created, reason: set.reason, continued: set.continued });
    for DisplacedItem { number, path, .. } in set.items {
        let path = path.or_else(|| AssetPath::from_bytes(format!("set-aside-{number}")).ok());
        list.extend(path.map(|path| manifest::line(&Line { number, path })).unwrap_or_default());
    }
    let write = || -> io::Result<()> {
        let fresh = path.join(MANIFEST_NEW);
        let mut file = File::create(&fresh)?;
        file.write_all(&list)?;
        file.sync_all()?;
        fs::rename(&fresh, &place)?;
        File::open(&path)?.sync_all()
    };
    write().during("writing", &place)?;
    Ok(old)
}

/// Lists what was put aside, the latest first.
pub fn list(pent_dir: &Path) -> Result<Vec<DisplacedSet>> {
    let mut sets = Vec::new();
    for (id, folder) in folders(pent_dir)? {
        sets.push(read_set(&folder, id)?);
    }
    sets.sort_by(|left, right| (&right.created, &right.id).cmp(&(&left.created, &left.id)));
    Ok(sets)
}

/// Whether there is a set of that name.
pub fn exists(pent_dir: &Path, id: &str) -> bool {
    find(pent_dir, id).is_ok()
}

/// Looks up one set.
pub fn find(pent_dir: &Path, id: &str) -> Result<DisplacedSet> {
    let path = pent_dir.join(DISPLACED_FOLDER).join(id);
    if id.is_empty() || id.starts_with('.') || id.contains(['/', '\\']) || !path.is_dir() {
        return Err(WorktreeError::DisplacedUnknown { id: id.to_owned() });
    }
    read_set(&path, id.to_owned())
}

fn read_set(path: &Path, id: String) -> Result<DisplacedSet> {
    let list = fs::read(path.join(MANIFEST_FILE)).unwrap_or_default();
    let (heading, lines) =
        manifest::read(&list).map_or((None, Vec::new()), |(heading, lines)| (Some(heading), lines));
    let paths: BTreeMap<u64, AssetPath> = lines.into_iter().map(|line| (line.number, line.path)).collect();
    let mut items = Vec::new();
    for entry in fs::read_dir(path).during("reading", path)? {
        let entry = entry.during("reading", path)?;
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let data = entry.metadata().during("looking at", path)?;
        let size = if data.is_dir() { 0 } else { data.len() };
        items.push(DisplacedItem {
            number,
            path: paths.get(&number).cloned(),
            is_folder: data.is_dir(),
            size,
        });
    }
    items.sort_by_key(|item| item.number);
    let created = heading.as_ref().map(|heading| heading.created);
    let continued = heading.as_ref().and_then(|heading| heading.continued);
    let reason = heading.map(|heading| heading.reason).unwrap_or_default();
    Ok(DisplacedSet { id, created, continued, reason, items })
}

/// Brings one thing back to `to`, which must be free; missing folders on the way are made.
/// A set from which everything was brought back is removed.
pub fn restore(pent_dir: &Path, id: &str, number: u64, worktree: &Worktree, to: &AssetPath) -> Result<()> {
    let set = find(pent_dir, id)?;
    if !set.items.iter().any(|item| item.number == number) {
        return Err(WorktreeError::DisplacedUnknown { id: format!("{id}/{number}") });
    }
    let from = OpenedSet::open(pent_dir, id)?;
    from.bring_back(number, worktree, to)?;
    from.remove_if_empty()
}

/// Things of a set that stand in their place again, and things that do not, each with its reason.
#[derive(Debug, Default)]
pub struct BroughtBack {
    /// Paths that are as they were.
    pub paths: Vec<AssetPath>,
    /// Things that are still in the set.
    pub failed: Vec<(AssetPath, WorktreeError)>,
}

/// Brings back everything in a set whose place is known, each thing to its own, which must be free or a folder without
/// any file.
/// One that cannot be brought back stays in the set and does not stop the rest.
pub fn restore_all(pent_dir: &Path, set: &DisplacedSet, worktree: &Worktree) -> Result<BroughtBack> {
    let mut back = BroughtBack::default();
    let from = OpenedSet::open(pent_dir, &set.id)?;
    // A folder comes back before what was taken out of it by itself; of two things that stood in one
    // place the earlier one.
    let mut items: Vec<&DisplacedItem> = set.items.iter().collect();
    items.sort_by(|left, right| (&left.path, left.number).cmp(&(&right.path, right.number)));
    for item in items {
        let Some(path) = &item.path else { continue };
        match from.bring_back(item.number, worktree, path) {
            Ok(()) => back.paths.push(path.clone()),
            Err(error) => back.failed.push((path.clone(), error)),
        }
    }
    from.remove_if_empty()?;
    Ok(back)
}

/// The folder of one set, held open.
struct OpenedSet {
    path: PathBuf,
    folder: OwnedFd,
}

impl OpenedSet {
    fn open(pent_dir: &Path, id: &str) -> Result<Self> {
        let path = pent_dir.join(DISPLACED_FOLDER).join(id);
        let folder = open_folder(&path).during("opening", &path)?;
        Ok(Self { path, folder })
    }

    fn bring_back(&self, number: u64, worktree: &Worktree, to: &AssetPath) -> Result<()> {
        let refused = |hazard| WorktreeError::Refused { path: to.clone(), hazard };
        super::checkout::check_path(to).map_err(refused)?;
        let parent = worktree.make_dir(&to.parent().unwrap_or_default())?;
        let place = || move_new(&self.folder, number.to_string().as_bytes(), &parent, to.name());
        let is_taken = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
        let outcome = match place() {
            // Nobody loses anything with a folder in which there is no file.
            Err(error) if is_taken(&error) && remove_bare_folder(&parent, to.name()).unwrap_or(false) => {
                place()
            }
            outcome => outcome,
        };
        match outcome {
            Err(error) if is_taken(&error) => Err(WorktreeError::Occupied { path: to.clone() }),
            outcome => outcome.during("bringing back", &worktree.full_path(to)),
        }
    }

    /// Removes the set when nothing but its list is left in it.
    fn remove_if_empty(&self) -> Result<()> {
        let entries = fs::read_dir(&self.path).during("reading", &self.path)?;
        for entry in entries {
            if entry.during("reading", &self.path)?.file_name() != MANIFEST_FILE {
                return Ok(());
            }
        }
        fs::remove_dir_all(&self.path).during("removing", &self.path)
    }
}

/// Whether a moment is more than [`KEPT_DAYS`] ago. One in the future is not.
pub fn is_long_ago(then: Timestamp, now: Timestamp) -> bool {
    now.unix_ms.saturating_sub(then.unix_ms) > KEPT_DAYS * DAY_MS
}

/// Sets that nothing was put into for [`KEPT_DAYS`]. One whose age is unknown or in the future is not
/// among them.
pub fn old(pent_dir: &Path, now: Timestamp) -> Result<Vec<DisplacedSet>> {
    let is_old = |set: &DisplacedSet| {
        let times = [set.created, set.continued];
        set.created.is_some() && times.into_iter().flatten().all(|time| is_long_ago(time, now))
    };
    Ok(list(pent_dir)?.into_iter().filter(is_old).collect())
}

/// Removes a set for good.
pub fn remove(pent_dir: &Path, set: &DisplacedSet) -> Result<()> {
    let path = pent_dir.join(DISPLACED_FOLDER).join(&set.id);
    fs::remove_dir_all(&path).during("removing", &path)
}

fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

/// Half-written files of a cut-off checkout that lie in some folders.
pub fn leftovers_in(worktree: &Worktree, folders: &BTreeSet<AssetPath>) -> Vec<AssetPath> {
    let mut found = Vec::new();
    for folder in folders {
        // A folder that is not there or cannot be read has nothing that could be taken from it.
        let Ok(entries) = fs::read_dir(worktree.full_path(folder)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            if crate::rules::portable::is_temporary_name(name) {
                found.extend(folder.join(name).ok());
            }
        }
    }
    found.sort();
    found
}

/// Moves half-written files that a cut-off checkout left behind out of the way. They are put aside
/// rather than removed: in rare cases one holds what a checkout was replacing.
pub fn sweep_leftovers(worktree: &Worktree, leftovers: &[AssetPath], displacer: &Displacer) -> Result<u64> {
    let slots = displacer.announce(leftovers)?;
    let mut swept = 0;
    for (path, slot) in leftovers.iter().zip(slots) {
        let full = worktree.full_path(path);
        let Some(folder) = worktree.open_parent(path).during("opening the folder of", &full)? else {
            continue;
        };
        let is_ours = crate::rules::portable::is_temporary_name(path.name());
        let found = Node::at(&folder, path.name()).is_ok_and(|node| node.kind != NodeKind::Directory);
        if is_ours && found {
            displacer.take(slot, &folder, path.name()).during("putting aside", &full)?;
            swept += 1;
        }
    }
    displacer.sync()?;
    Ok(swept)
}
