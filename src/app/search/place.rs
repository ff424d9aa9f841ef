//! Where what is kept for finding lies, and who may write it.

use crate::app::error::AppError;
use crate::base::monitor::{Monitor, Phase};
use crate::catalog::CatalogError;
use crate::catalog::likeness::Prints;
use crate::repo::Repository;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Folder of what is kept for finding, inside `.pent`.
pub const CATALOG_DIR: &str = "catalog";
/// How long a wait is kept to oneself.
const QUIET: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(10);

/// The folder of a repository's catalog.
#[derive(Debug, Clone)]
pub struct CatalogPlace {
    folder: PathBuf,
}

/// Held by the one process that writes; ends with it, however it ends.
#[derive(Debug)]
pub struct CatalogLock {
    _file: File,
}

impl CatalogPlace {
    /// That of a repository.
    pub fn of(repository: &Repository) -> Self {
        Self { folder: repository.pent_dir().join(CATALOG_DIR) }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The index.
    pub fn index(&self) -> PathBuf {
        self.folder.join("index")
    }

    /// What decoders said.
    pub fn findings(&self) -> PathBuf {
        self.folder.join("findings")
    }

    /// The fingerprints.
    pub fn prints(&self) -> Prints {
        Prints::at(&self.folder.join("prints"))
    }

    /// The same without waiting: `None`, too, while somebody else writes.
    pub fn try_lock(&self) -> Result<Option<CatalogLock>, AppError> {
        let path = self.folder.join("lock");
        let opened = std::fs::create_dir_all(&self.folder).and_then(|()| {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)
        });
        match opened {
            Ok(file) => Ok(file.try_lock().is_ok().then_some(CatalogLock { _file: file })),
            Err(error) if may_not(&error) => Ok(None),
            Err(source) => Err(CatalogError::Io { action: "locking", path, source }.into()),
        }
    }

    /// Waits until nobody else writes. `None` where nothing may be written.
    pub fn lock(&self, monitor: &dyn Monitor) -> Result<Option<CatalogLock>, AppError> {
        let path = self.folder.join("lock");
        let opened = std::fs::create_dir_all(&self.folder).and_then(|()| {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)
        });
        let file = match opened {
            Ok(file) => file,
            Err(error) if may_not(&error) => return Ok(None),
            Err(source) => {
                return Err(CatalogError::Io { action: "locking", path, source }.into());
            }
        };
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(CatalogLock { _file: file })),
                Err(TryLockError::Error(source)) => {
                    return Err(CatalogError::Io { action: "locking", path, source }.into());
                }
                Err(TryLockError::WouldBlock) => {}
            }
            if monitor.is_cancelled() {
                return Err(AppError::Cancelled);
            }
            if waited == QUIET {
                let name = "Waiting for another search that brings the index up to date";
                monitor.phase(Phase { name, files_total: None, bytes_total: None });
            }
            std::thread::sleep(STEP);
            waited += STEP;
        }
    }
}

/// Whether an error says that nothing may be written there.
pub(super) fn may_not(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}
