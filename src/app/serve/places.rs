//! Many repositories below one folder, by names that come from strangers.

use crate::app::error::AppError;
use crate::app::serve::answer::Readers;
use crate::app::serve::begin::{is_there, open_at};
use crate::app::serve::tokens::TOKENS_DIR;
use crate::object::signature::PublicKey;
use crate::repo::{PENT_DIR, Repository};
use crate::store::StoreIdentity;
use crate::sync::error::SyncError;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The server's own folder among the repositories: their names do not begin with a dot.
pub const OWN_DIR: &str = ".pent-server";
/// People whom the server lets read and push where there is no policy, one public key a line.
pub const PEOPLE_FILE: &str = "people";
/// Longest name of a repository, in bytes, and its most parts.
const NAME_BYTES_MAX: usize = 255;
const PARTS_MAX: usize = 8;
/// Repositories that are kept open at a time.
const OPEN_MAX: usize = 64;
/// Longest list of people, in bytes.
const PEOPLE_BYTES_MAX: u64 = 1 << 20;

/// How often a repository is opened that changes under way.
const ATTEMPTS: u32 = 3;

/// A repository that is open, with what was worked out of it. Whoever puts another one in its place, even a
/// copy of it, gets nothing of either.
pub struct Opened {
    /// The repository.
    pub repository: Repository,
    /// What callers may read of it from whom paths are withheld.
    pub readers: Readers,
    identity: Option<StoreIdentity>,
}

impl Opened {
    /// Opens what is at a place; `None` when no repository is there.
    pub fn at(root: &Path) -> Result<Option<Self>, AppError> {
        let pent_dir = root.join(PENT_DIR);
        for _ in 0..ATTEMPTS {
            let identity = StoreIdentity::of(&pent_dir);
            let Some(repository) = open_at(root)? else { return Ok(None) };
            if identity == StoreIdentity::of(&pent_dir) {
                return Ok(Some(Self { repository, readers: Readers::default(), identity }));
            }
        }
        Err(SyncError::Busy { attempts: ATTEMPTS }.into())
    }

    /// Whether it is still what its folder holds: a backup may have been put back, or a repair may have
    /// written the database anew.
    pub fn is_in_place(&self) -> bool {
        self.identity.is_some() && self.identity == StoreIdentity::of(self.repository.pent_dir())
    }
}

/// One place, locked while it is opened: others are not held up meanwhile.
type Cell = Arc<Mutex<Option<Arc<Opened>>>>;

/// The repositories below a folder.
#[derive(Default)]
pub struct Places {
    folder: PathBuf,
    open: Mutex<HashMap<String, Cell>>,
}

/// Whether text can be the name of a repository: parts of plain letters, none of which begins with a dot
/// or is `-`.
pub fn is_place_name(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part != "-"
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
    };
    name.len() <= NAME_BYTES_MAX && name.split('/').count() <= PARTS_MAX && name.split('/').all(part)
}

impl Places {
    /// The repositories below a folder, which must exist.
    pub fn new(folder: &Path) -> Result<Self, AppError> {
        let io = |source| AppError::Io { action: "finding", path: folder.to_owned(), source };
        let folder = folder.canonicalize().map_err(io)?;
        if !folder.is_dir() {
            return Err(io(std::io::Error::from(std::io::ErrorKind::NotADirectory)));
        }
        Ok(Self { folder, open: Mutex::new(HashMap::new()) })
    }

    /// The server's own folder.
    pub fn own_dir(&self) -> PathBuf {
        self.folder.join(OWN_DIR)
    }

    /// Where a repository of that name is or would be; `None` for what is no name, and where a link leads
    /// out of the folder.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        if !is_place_name(name) {
            return None;
        }
        let mut path = self.folder.clone();
        for part in name.split('/') {
            // A repository inside another one would be part of its files.
            if path != self.folder && path.join(PENT_DIR).exists() {
                return None;
            }
            path.push(part);
            if path.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
                return None;
            }
        }
        Some(path)
    }

    /// Opens a repository; `None` when there is none of that name. One that was put in the place of what was
    /// open is opened anew.
    pub fn open(&self, name: &str) -> Result<Option<Arc<Opened>>, AppError> {
        let Some(path) = self.path(name) else { return Ok(None) };
        if !is_there(&path) {
            self.cells().remove(name);
            return Ok(None);
        }
        let cell = self.cell(name);
        let mut open = cell.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = open.as_ref().filter(|found| found.is_in_place()) {
            return Ok(Some(found.clone()));
        }
        *open = None;
        *open = Opened::at(&path)?.map(Arc::new);
        Ok(open.clone())
    }

    fn cells(&self) -> MutexGuard<'_, HashMap<String, Cell>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cell(&self, name: &str) -> Cell {
        let mut cells = self.cells();
        if cells.len() >= OPEN_MAX && !cells.contains_key(name) {
            // Those that nobody is at work with; in a pinch all, which costs no more than opening them anew.
            let is_idle = |cell: &Cell| {
                cell.try_lock()
                    .is_ok_and(|open| open.as_ref().is_none_or(|open| Arc::strong_count(open) == 1))
            };
            cells.retain(|_, cell| !is_idle(cell));
            if cells.len() >= OPEN_MAX {
                cells.clear();
            }
        }
        cells.entry(name.to_owned()).or_default().clone()
    }

    /// Whether nobody is listed and no token was ever made: then nobody can begin a repository.
    pub fn is_closed(&self) -> bool {
        let has_tokens =
            || fs::read_dir(self.own_dir().join(TOKENS_DIR)).is_ok_and(|mut files| files.next().is_some());
        self.people().is_empty() && !has_tokens()
    }

    /// The keys that the server lists; lines that are none are left out.
    pub fn people(&self) -> Vec<PublicKey> {
        let path = self.own_dir().join(PEOPLE_FILE);
        if fs::metadata(&path).map_or(true, |found| found.len() > PEOPLE_BYTES_MAX) {
            return Vec::new();
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.filter_map(|line| PublicKey::parse_line(line).ok()).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_folders_below_and_nowhere_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(folder.path().join("inside")).expect("a folder");
        let places = Places::new(&folder.path().join("inside")).expect("places");
        assert!(places.path("brand").is_some() && places.path("clients/harbour-2").is_some());
        for bad in [
            "",
            "/",
            "..",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            "/a",
            ".pent-server",
            "a/.pent",
            "-",
            "a/-/b",
            "a b",
            "a\\b",
            "a%2e",
            "a\0b",
            "é",
        ] {
            assert!(places.path(bad).is_none(), "{bad:?}");
        }
        assert!(places.path(&"a/".repeat(300)).is_none());
    }

    #[test]
    fn a_repository_that_was_put_in_the_place_of_another_is_opened_anew() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let places = Places::new(folder.path()).expect("places");
        let settings = |number| crate::store::StoreSettings {
            repository: crate::base::id::RepositoryId::from_bytes([number; 16]),
            chunker: crate::object::chunker::ChunkerParameters::default(),
        };
        let (root, other) = (folder.path().join("brand"), folder.path().join("other"));
        drop(Repository::create(&root, &settings(1)).expect("a repository"));
        drop(Repository::create(&other, &settings(2)).expect("another"));
        let first = places.open("brand").expect("it opens").expect("it is there");
        let again = places.open("brand").expect("it opens").expect("it is there");
        assert!(Arc::ptr_eq(&first, &again) && first.is_in_place());
        fs::rename(&root, folder.path().join("aside")).expect("moved");
        fs::rename(&other, &root).expect("moved");
        assert!(!first.is_in_place());
        let second = places.open("brand").expect("it opens").expect("it is there");
        assert_eq!(
            (first.repository.id(), second.repository.id()),
            (settings(1).repository, settings(2).repository)
        );
        fs::remove_dir_all(&root).expect("removed");
        assert!(places.open("brand").expect("an answer").is_none());
    }

    #[test]
    fn a_place_that_is_being_opened_holds_no_other_up() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let places = Places::new(folder.path()).expect("places");
        let settings = crate::store::StoreSettings {
            repository: crate::base::id::RepositoryId::from_bytes([1; 16]),
            chunker: crate::object::chunker::ChunkerParameters::default(),
        };
        drop(Repository::create(&folder.path().join("brand"), &settings).expect("a repository"));
        let slow = places.cell("slow");
        let _under_way = slow.lock().expect("a lock");
        assert!(places.open("brand").expect("it opens").is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_out_is_no_repository() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
        fs::create_dir_all(&inside).expect("a folder");
        fs::create_dir_all(outside.join("x")).expect("a folder");
        std::os::unix::fs::symlink(&outside, inside.join("link")).expect("a link");
        let places = Places::new(&inside).expect("places");
        assert!(places.path("link").is_none() && places.path("link/x").is_none());
    }
}
