//! Many repositories below one folder, by names that come from strangers.

use crate::app::error::AppError;
use crate::app::serve::begin::open_at;
use crate::app::serve::tokens::TOKENS_DIR;
use crate::object::signature::PublicKey;
use crate::repo::Repository;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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

/// The repositories below a folder.
#[derive(Default)]
pub struct Places {
    folder: PathBuf,
    open: Mutex<HashMap<String, Arc<Repository>>>,
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
            if path != self.folder && path.join(crate::repo::PENT_DIR).exists() {
                return None;
            }
            path.push(part);
            if path.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
                return None;
            }
        }
        Some(path)
    }

    /// Opens a repository; `None` when there is none of that name.
    pub fn open(&self, name: &str) -> Result<Option<Arc<Repository>>, AppError> {
        let Some(path) = self.path(name) else { return Ok(None) };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = open.get(name)
            && path.join(crate::repo::PENT_DIR).exists()
        {
            return Ok(Some(found.clone()));
        }
        let Some(repository) = open_at(&path)? else {
            open.remove(name);
            return Ok(None);
        };
        if open.len() >= OPEN_MAX {
            open.clear();
        }
        let repository = Arc::new(repository);
        open.insert(name.to_owned(), repository.clone());
        Ok(Some(repository))
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
