//! The database handle: opened for reading as long as nobody writes, for writing from then on.

use std::fmt;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redb::{
    BackendError, Builder, CompactionError, ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase,
    ReadTransaction, ReadableDatabase, StorageBackend, StorageError, TransactionError, WriteTransaction,
};

use crate::store::disk::{DatabaseAccess, Disk, DiskFile};
use crate::store::error::{DatabaseContext, IoContext, Result, StoreError, database_error};
use crate::store::guard::guarded;
use crate::store::overlay::Overlay;

/// Memory that the database may use for pages, in bytes.
const CACHE_BYTES: usize = 32 << 20;

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_concurrency_mode(ConcurrencyMode::MultiWriter);
    builder
}

enum Handle {
    Reader(ReadOnlyDatabase),
    Writer(Database),
    /// Put in order in memory, because the file may not be written.
    Overlay {
        database: Database,
        _pin: ReadTransaction,
    },
}

impl Handle {
    fn begin_read(&self) -> std::result::Result<ReadTransaction, TransactionError> {
        match self {
            Self::Reader(database) => database.begin_read(),
            Self::Writer(database) | Self::Overlay { database, .. } => database.begin_read(),
        }
    }
}

/// How large the database file is, and how much of it is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The length of the file, in bytes.
    pub file_bytes: u64,
    /// Bytes of pages that hold something.
    pub used_bytes: u64,
}

/// A file that the next sync of the database takes along.
type Beside = Arc<Mutex<Option<Arc<dyn DiskFile>>>>;

/// The one database of a store.
pub(crate) struct DatabaseHandle {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    writable: bool,
    handle: RwLock<Handle>,
    beside: Beside,
}

impl fmt::Debug for DatabaseHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseHandle").field("path", &self.path).finish_non_exhaustive()
    }
}

impl DatabaseHandle {
    /// Creates the database and hands it out for its first transaction.
    pub(crate) fn create(disk: Arc<dyn Disk>, path: PathBuf) -> Result<Self> {
        let backend = disk.database(&path, DatabaseAccess::Create).during("creating", &path)?;
        let beside = Beside::default();
        let seam = Seam { backend, beside: beside.clone() };
        let database = guarded(|| builder().create_with_backend(seam))?.stored()?;
        Ok(Self { path, disk, writable: true, handle: RwLock::new(Handle::Writer(database)), beside })
    }

    /// Opens an existing database for reading; it turns to writing when first asked to.
    ///
    /// A database that a crash left is put in order first, which needs the right to write.
    pub(crate) fn open(disk: Arc<dyn Disk>, path: PathBuf, writable: bool) -> Result<Self> {
        let beside = Beside::default();
        let handle = open_reader(&*disk, &path, &beside)?;
        Ok(Self { path, disk, writable, handle: RwLock::new(handle), beside })
    }

    /// Has a file synced together with the database: both at once, before the commit that is about to
    /// be made counts. (Of its syncs, the first is that of the pages, before the header names them.)
    pub(crate) fn sync_along(&self, file: Arc<dyn DiskFile>) {
        *self.beside.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    }

    pub(crate) fn begin_read(&self) -> Result<ReadTransaction> {
        let handle = self.handle.read().unwrap_or_else(PoisonError::into_inner);
        let begun = guarded(|| handle.begin_read())?;
        drop(handle);
        match begun {
            Err(TransactionError::Storage(StorageError::PreviousIo)) => {
                self.reopen()?;
                self.handle.read().unwrap_or_else(PoisonError::into_inner).begin_read().stored()
            }
            begun => begun.stored(),
        }
    }

    /// Begins a write transaction unless somebody else is in one.
    pub(crate) fn try_begin_write(&self) -> Result<Option<WriteTransaction>> {
        if !self.writable {
            return Err(StoreError::ReadOnly);
        }
        let begun = match &*self.handle.read().unwrap_or_else(PoisonError::into_inner) {
            Handle::Reader(_) | Handle::Overlay { .. } => None,
            Handle::Writer(database) => Some(guarded(|| database.try_begin_write())?),
        };
        match begun {
            Some(Ok(transaction)) => return Ok(Some(transaction)),
            Some(Err(TransactionError::WouldBlock)) => return Ok(None),
            Some(Err(TransactionError::Storage(StorageError::PreviousIo))) | None => self.reopen()?,
            Some(Err(error)) => return Err(database_error(error)),
        }
        match &*self.handle.read().unwrap_or_else(PoisonError::into_inner) {
            Handle::Reader(_) | Handle::Overlay { .. } => Err(StoreError::ReadOnly),
            Handle::Writer(database) => match guarded(|| database.try_begin_write())? {
                Err(TransactionError::WouldBlock) => Ok(None),
                begun => begun.stored().map(Some),
            },
        }
    }

    /// Reads every page of the file and compares it with its checksum. Nobody may be writing.
    ///
    /// What putting the file in order would write stays in memory.
    pub(crate) fn verify(&self) -> Result<()> {
        let backend = self.disk.database(&self.path, DatabaseAccess::Read).during("opening", &self.path)?;
        let overlay = Overlay::new(backend).during("reading", &self.path)?;
        let checked = guarded(|| -> std::result::Result<bool, DatabaseError> {
            builder().create_with_backend(Seam::alone(Box::new(overlay)))?.check_integrity()
        })?;
        match checked {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(StoreError::DatabaseDamaged { detail: "its pages and their checksums differ".to_owned() })
            }
            Err(error) => Err(database_error(error)),
        }
    }

    /// Bytes of the file and, of these, bytes of pages that hold something. Nobody may be writing.
    pub(crate) fn extent(&self) -> Result<Option<Extent>> {
        let Some(transaction) = self.try_begin_write()? else { return Ok(None) };
        let stats = guarded(|| transaction.stats())?.stored()?;
        guarded(|| transaction.abort())?.stored()?;
        let backend = self.disk.database(&self.path, DatabaseAccess::Read).during("opening", &self.path)?;
        let file_bytes = backend.len().during("looking at", &self.path)?;
        Ok(Some(Extent { file_bytes, used_bytes: stats.allocated_pages() * stats.page_size() as u64 }))
    }

    /// Moves the pages of the database together and gives the rest back to the file system, unless
    /// somebody is reading or writing. Tells whether anything was gained.
    pub(crate) fn compact(&self) -> Result<bool> {
        self.reopen()?;
        let mut handle = self.handle.write().unwrap_or_else(PoisonError::into_inner);
        let Handle::Writer(database) = &mut *handle else { return Err(StoreError::ReadOnly) };
        match database.compact() {
            Err(CompactionError::TransactionInProgress) => Ok(false),
            compacted => compacted.stored(),
        }
    }

    /// Opens the database again: for writing where that is allowed, and after a failed write, which
    /// leaves a handle that refuses everything.
    fn reopen(&self) -> Result<()> {
        let mut handle = self.handle.write().unwrap_or_else(PoisonError::into_inner);
        if let Handle::Writer(database) = &*handle
            && database.begin_read().is_ok()
        {
            // Another thread was quicker.
            return Ok(());
        }
        *handle = if self.writable {
            Handle::Writer(open_writer(&*self.disk, &self.path, &self.beside)?)
        } else {
            open_reader(&*self.disk, &self.path, &self.beside)?
        };
        Ok(())
    }
}

/// Opens the database for reading. One that a crash left is put in order first: in its file where
/// that may be written, else in memory.
fn open_reader(disk: &dyn Disk, path: &Path, beside: &Beside) -> Result<Handle> {
    let backend = disk.database(path, DatabaseAccess::Read).during("opening", path)?;
    let opened = guarded(|| builder().open_read_only_with_backend(Seam::alone(backend)))?;
    match opened {
        Ok(reader) => Ok(Handle::Reader(reader)),
        Err(DatabaseError::RepairAborted | DatabaseError::Storage(StorageError::Unsupported)) => {
            match open_writer(disk, path, beside) {
                Ok(writer) => Ok(Handle::Writer(writer)),
                Err(StoreError::Io { source, .. }) if may_not_write(&source) => open_in_memory(disk, path),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(database_error(error)),
    }
}

fn may_not_write(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Opens a database that cannot be written, keeping in memory what putting it in order writes.
fn open_in_memory(disk: &dyn Disk, path: &Path) -> Result<Handle> {
    let backend = disk.database(path, DatabaseAccess::Read).during("opening", path)?;
    let overlay = Overlay::new(backend).during("reading", path)?;
    let database = guarded(|| builder().create_with_backend(Seam::alone(Box::new(overlay))))?.stored()?;
    // A read transaction for as long as the handle lives: whoever writes the file meanwhile leaves
    // the pages of this state alone.
    let pin = database.begin_read().stored()?;
    Ok(Handle::Overlay { database, _pin: pin })
}

fn open_writer(disk: &dyn Disk, path: &Path, beside: &Beside) -> Result<Database> {
    let backend = disk.database(path, DatabaseAccess::Write).during("opening", path)?;
    if backend.len().during("opening", path)? == 0 {
        return Err(StoreError::DatabaseDamaged { detail: "the file is empty".to_owned() });
    }
    let seam = Seam { backend, beside: beside.clone() };
    guarded(|| builder().create_with_backend(seam))?.stored()
}

/// Gives the database a backend whose type the seam keeps to itself, and takes another file along when
/// it is synced.
#[derive(Debug)]
struct Seam {
    backend: Box<dyn StorageBackend>,
    beside: Beside,
}

impl Seam {
    fn alone(backend: Box<dyn StorageBackend>) -> Self {
        Self { backend, beside: Beside::default() }
    }
}

impl StorageBackend for Seam {
    fn len(&self) -> Result<u64, io::Error> {
        self.backend.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.backend.read(offset, out)
    }
    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.backend.set_len(len)
    }
    fn sync_data(&self) -> Result<(), io::Error> {
        let along = self.beside.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(file) = along else { return self.backend.sync_data() };
        std::thread::scope(|scope| {
            let other = scope.spawn(move || file.sync());
            let own = self.backend.sync_data();
            let other = other.join().unwrap_or_else(|_| Err(io::Error::other("a sync ended early")));
            own.and(other)
        })
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.backend.write(offset, data)
    }
    fn close(&self) -> Result<(), io::Error> {
        self.backend.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_range(start, end)
    }
    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_shared_range(start, end)
    }
    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_range(start, end)
    }
    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_shared_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.unlock_range(start, end)
    }
    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.query_lock_range(start, end)
    }
}
