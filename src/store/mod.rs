//! Bytes at rest: one redb database that is the authority, and pack files that hold the bulk.
//!
//! ```text
//! ChunkWriter -> pack bytes -> fsync -> Staged -> Transaction::publish -> commit -> success
//! ChunkReader <- pack bytes <- chunk index <- Snapshot
//! ```
//!
//! The order of writes is the promise: a row in the database never points to bytes that are not
//! durable, and what the database does not record is not there. What it records besides the chunk index
//! is written a second time, into the transaction log. All file operations go through the seam
//! [`disk::Disk`], so that a crash can be rehearsed at each of them.

pub mod bucket;
mod chunk_reader;
mod chunk_writer;
mod compress;
mod database;
mod direct;
pub mod disk;
mod error;
pub mod fault;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod guard;
mod identity;
mod lock;
mod open_packs;
mod overlay;
pub mod pack;
mod pack_check;
mod pack_walk;
mod pack_writer;
mod page_scan;
pub mod parcel;
mod reindex;
mod rewrite;
mod settings;
mod snapshot;
mod space;
#[cfg(test)]
mod tests;
mod transaction;
mod txlog;
mod upkeep;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{ReadableTableMetadata, TableHandle};

use crate::base::id::PackId;
use crate::base::monitor::{Monitor, SilentMonitor};
use crate::store::chunk_reader::PackView;
use crate::store::database::DatabaseHandle;
use crate::store::disk::{Disk, DiskFile, RealDisk};
use crate::store::error::{DatabaseContext, IoContext};
use crate::store::guard::guarded;
use crate::store::space::{SETTINGS_KEY, STORE};
use crate::store::txlog::{LOG_DIR, OpenLog};

pub use chunk_reader::ChunkReader;
pub use chunk_writer::{ChunkWriter, GroupHint, Put, Staged, WriterTotals};
pub use database::Extent;
pub use disk::DiskSpace;
pub use error::{Damage, Result, StoreError};
pub use guard::quiet_guarded_panics;
pub use identity::StoreIdentity;
pub use lock::{SweepLock, WorktreeLock, WritersLock};
pub use pack_check::PackCheck;
pub use pack_walk::Salvage;
pub use page_scan::scan_pages;
pub use reindex::Reindexed;
pub use rewrite::Rewritten;
pub use settings::{FORMAT, FormatFile, KNOWN_FEATURES, StoreSettings};
pub use snapshot::{ChunkScan, Scan, Snapshot};
pub use space::{ChunkLocation, PackRecord, Space};
pub use transaction::Transaction;
pub use txlog::{LogCheck, LogFault, REPAIR_MARKER, Recorded as LogRecord, SurvivingLog};
pub use upkeep::{CheckedChunk, PackFile, PackInspector, PackUsage, places as chunk_places};

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading and writing.
    ReadWrite,
    /// Reading; works without the right to write.
    ReadOnly,
}

/// How a store behaves, apart from what lies in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// Whether a repository of another user may be opened.
    pub foreign_owner_allowed: bool,
    /// Length at which a pack is sealed in bytes.
    pub pack_seal_bytes: u64,
    /// Number of rows that a writer gathers before it publishes them by itself.
    pub pending_rows_max: usize,
    /// Raw bytes of chunks that a writer gathers before it publishes them by itself: no more than that
    /// is to be stored again after a break.
    pub pending_bytes_max: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            foreign_owner_allowed: false,
            pack_seal_bytes: pack::PACK_SEAL_BYTES,
            pending_rows_max: 512 * 1024,
            pending_bytes_max: 16 << 30,
        }
    }
}

/// A repository's bytes. Cheap to clone; clones share everything. Callable from several threads.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    access: Access,
    options: StoreOptions,
    settings: StoreSettings,
    database: DatabaseHandle,
    views: Mutex<HashMap<PackId, Arc<PackView>>>,
    log: Mutex<OpenLog>,
}

const FORMAT_FILE: &str = "format";
const DATABASE_FILE: &str = "db.redb";
/// The first bytes of every redb file.
const DATABASE_MAGIC: &[u8; 9] = b"redb\x1a\x0a\xa9\x0d\x0a";
const FOLDERS: [&str; 4] = ["packs", "tmp", "locks", LOG_DIR];

impl Store {
    /// Creates a store in `dir`, the `.pent` folder, making the folder when it is missing.
    pub fn create(dir: &Path, settings: &StoreSettings) -> Result<Self> {
        Self::create_on(Arc::new(RealDisk), dir, settings, StoreOptions::default())
    }

    /// Creates a store in `dir` that is not one before `begin` has put its first records in.
    pub fn create_with<E: From<StoreError>>(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: &StoreSettings,
        begin: impl FnOnce(&Self) -> std::result::Result<(), E>,
    ) -> std::result::Result<Self, E> {
        let store = Self::prepare_on(disk, dir, settings, StoreOptions::default())?;
        begin(&store)?;
        store.declare()?;
        Ok(store)
    }

    /// Whether a folder holds nothing but what a creation that was cut short leaves: it has no
    /// `format` file, and nobody put anything else there.
    pub fn is_unborn(dir: &Path) -> Result<bool> {
        for entry in std::fs::read_dir(dir).during("reading", dir)? {
            let name = entry.during("reading", dir)?.file_name();
            let is_ours = FOLDERS.iter().any(|folder| name == *folder) || name == DATABASE_FILE;
            if !is_ours {
                return Ok(false);
            }
        }
        let packs = dir.join("packs");
        Ok(!packs.exists() || std::fs::read_dir(&packs).during("reading", &packs)?.next().is_none())
    }

    /// Creates a store on the given disk.
    ///
    /// The `format` file comes last: without it there is no repository, and a creation that was cut
    /// short can be made again.
    pub fn create_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: &StoreSettings,
        options: StoreOptions,
    ) -> Result<Self> {
        let store = Self::prepare_on(disk, dir, settings, options)?;
        store.declare()?;
        Ok(store)
    }

    /// Makes everything of a store but the `format` file.
    fn prepare_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: &StoreSettings,
        options: StoreOptions,
    ) -> Result<Self> {
        let format = dir.join(FORMAT_FILE);
        if disk.exists(&format).during("looking for", &format)? {
            return Err(StoreError::AlreadyExists { path: dir.to_owned() });
        }
        for folder in FOLDERS {
            let path = dir.join(folder);
            disk.create_dir_all(&path).during("creating", &path)?;
        }
        Self::create_database_on(disk, dir, settings, options)
    }

    /// Makes a repository of what was prepared.
    fn declare(&self) -> Result<()> {
        let dir = self.dir();
        write_new_file(self.disk(), dir, FORMAT_FILE, FormatFile::new().encode().as_bytes())?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            self.disk().sync_dir(parent).during("syncing", parent)?;
        }
        Ok(())
    }

    /// Creates the database of a store and makes its settings durable.
    fn create_database_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: &StoreSettings,
        options: StoreOptions,
    ) -> Result<Self> {
        let path = dir.join(DATABASE_FILE);
        remove_stub(&*disk, &path)?;
        let database = DatabaseHandle::create(disk.clone(), path)?;
        write_settings(&database, dir, settings)?;
        disk.sync_dir(dir).during("syncing", dir)?;
        let inner = Inner {
            disk,
            dir: dir.to_owned(),
            access: Access::ReadWrite,
            options,
            settings: settings.clone(),
            database,
            views: Mutex::default(),
            log: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Opens the store in `dir`, the `.pent` folder.
    pub fn open(dir: &Path, access: Access) -> Result<Self> {
        Self::open_on(Arc::new(RealDisk), dir, access, StoreOptions::default())
    }

    /// Opens a store on the given disk.
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path, access: Access, options: StoreOptions) -> Result<Self> {
        check_format(&*disk, dir)?;
        if !options.foreign_owner_allowed
            && let Some((owner, user)) = disk.owner(dir).during("looking at", dir)?
            && owner != user
        {
            return Err(StoreError::ForeignOwner { path: dir.to_owned(), owner });
        }
        let writable = access == Access::ReadWrite;
        let database = DatabaseHandle::open(disk.clone(), dir.join(DATABASE_FILE), writable)?;
        let settings = read_settings(&database)?;
        let dir = dir.to_owned();
        let (views, log) = (Mutex::default(), Mutex::default());
        let inner = Inner { disk, dir, access, options, settings, database, views, log };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Settings that the repository was born with.
    pub fn settings(&self) -> &StoreSettings {
        &self.inner.settings
    }

    /// The `.pent` folder.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// What the store was opened for.
    pub fn access(&self) -> Access {
        self.inner.access
    }

    /// The state of this moment.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Ok(Snapshot::new(self.inner.database.begin_read()?))
    }

    /// Begins the one write transaction, waiting while another is going on, here or elsewhere.
    ///
    /// A thread that holds a [`Transaction`] must not call [`ChunkWriter::put`]: the writer may have
    /// to publish and would wait for it for ever.
    pub fn begin(&self) -> Result<Transaction> {
        self.begin_watched(&SilentMonitor)
    }

    /// Like [`Store::begin`]; says so when the wait is long, stops when the user asks.
    pub fn begin_watched(&self, monitor: &dyn Monitor) -> Result<Transaction> {
        self.writable()?;
        let ask = || self.inner.database.try_begin_write();
        let transaction = lock::wait_for(monitor, "Waiting for another process", ask)?;
        Ok(Transaction::new(self.clone(), transaction))
    }

    /// Begins the write transaction unless somebody has one.
    pub(crate) fn try_begin(&self) -> Result<Option<Transaction>> {
        self.writable()?;
        let begun = self.inner.database.try_begin_write()?;
        Ok(begun.map(|transaction| Transaction::new(self.clone(), transaction)))
    }

    /// Begins to store content.
    pub fn chunk_writer<'m>(&self, monitor: &'m dyn Monitor) -> Result<ChunkWriter<'m>> {
        self.writable()?;
        ChunkWriter::new(self.clone(), monitor)
    }

    /// Reads content as of this moment.
    pub fn chunk_reader(&self) -> Result<ChunkReader> {
        ChunkReader::new(self.clone())
    }

    /// Keeps everybody from storing content until the lock is dropped; waits for those who do.
    pub fn lock_sweep(&self, monitor: &dyn Monitor) -> Result<SweepLock> {
        self.writable()?;
        lock::lock_sweep(self.disk(), &self.lock_path("writers"), monitor)
    }

    /// Keeps other commands from changing the worktree until the lock is dropped; waits for those that do.
    pub fn lock_worktree(&self, monitor: &dyn Monitor) -> Result<WorktreeLock> {
        self.writable()?;
        lock::lock_worktree(self.disk(), &self.lock_path("worktree"), monitor)
    }

    /// Both locks that a sweep needs, in the order in which every command takes them.
    ///
    /// While somebody stores content, nothing is held: a long fetch keeps the sweep waiting, and the
    /// sweep keeps nobody from working in the worktree.
    pub fn lock_for_sweep(&self, monitor: &dyn Monitor) -> Result<(WorktreeLock, SweepLock)> {
        self.writable()?;
        lock::lock_for_sweep(self.disk(), &self.lock_path("worktree"), &self.lock_path("writers"), monitor)
    }

    /// Keeps sweeps away for as long as the lock lives, as whoever stores content does.
    pub fn lock_against_sweeps(&self, monitor: &dyn Monitor) -> Result<WritersLock> {
        self.writable()?;
        lock::lock_writers(self.disk(), &self.lock_path("writers"), monitor)
    }

    /// Space of the file system that holds the store.
    pub fn disk_space(&self) -> Result<DiskSpace> {
        self.inner.disk.space(&self.inner.dir).during("asking for the space of", &self.inner.dir)
    }

    /// Says how much was needed, at least, and how much there is, when the disk is full.
    pub(crate) fn explain<T>(&self, result: Result<T>, needed: u64) -> Result<T> {
        result.map_err(|error| match error {
            StoreError::DiskFull { path, needed: 0, .. } => {
                let available = self.disk_space().map_or(0, |space| space.available);
                StoreError::DiskFull { path, needed, available }
            }
            error => error,
        })
    }

    fn writable(&self) -> Result<()> {
        if self.inner.access == Access::ReadOnly { Err(StoreError::ReadOnly) } else { Ok(()) }
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.inner.disk
    }

    pub(crate) fn options(&self) -> &StoreOptions {
        &self.inner.options
    }

    /// The log file that was last written to.
    pub(crate) fn open_log(&self) -> &Mutex<OpenLog> {
        &self.inner.log
    }

    pub(crate) fn sync_along(&self, file: Arc<dyn DiskFile>) {
        self.inner.database.sync_along(file);
    }

    /// Lets go of the mapping of a pack that is about to be removed.
    pub(crate) fn forget_view(&self, pack: PackId) {
        self.inner.views.lock().unwrap_or_else(PoisonError::into_inner).remove(&pack);
    }

    pub(crate) fn packs_dir(&self) -> PathBuf {
        self.inner.dir.join("packs")
    }

    pub(crate) fn pack_path(&self, id: PackId) -> PathBuf {
        self.packs_dir().join(format!("{id}.pack"))
    }

    pub(crate) fn lock_path(&self, name: &str) -> PathBuf {
        self.inner.dir.join("locks").join(name)
    }
}

/// Writes a small file durably under a temporary name, then gives it its own.
fn write_new_file(disk: &dyn Disk, dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let temporary = dir.join("tmp").join(name);
    if disk.exists(&temporary).during("looking for", &temporary)? {
        disk.remove(&temporary).during("removing", &temporary)?;
    }
    let file = disk.create(&temporary).during("creating", &temporary)?;
    file.write_all_at(&[bytes], 0).during("writing", &temporary)?;
    file.sync().during("syncing", &temporary)?;
    let path = dir.join(name);
    disk.rename(&temporary, &path).during("renaming", &path)?;
    disk.sync_dir(dir).during("syncing", dir)
}

/// Removes what a creation that was cut short left of a database file: it lacks the first bytes of
/// one, which are written last.
fn remove_stub(disk: &dyn Disk, path: &Path) -> Result<()> {
    if !disk.exists(path).during("looking for", path)? {
        return Ok(());
    }
    let file = disk.open(path, false).during("opening", path)?;
    let mut magic = [0; DATABASE_MAGIC.len()];
    let is_database = match file.read_exact_at(&mut magic, 0) {
        Ok(()) => &magic == DATABASE_MAGIC,
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(error).during("reading", path),
    };
    if is_database { Ok(()) } else { disk.remove(path).during("removing", path) }
}

/// The settings record is the database's first transaction: with it the database is a store.
///
/// A database with settings but nothing else is left from a creation that was cut short before the
/// `format` file; one with content is a repository whose `format` file was lost, and stays as it is.
fn write_settings(database: &DatabaseHandle, dir: &Path, settings: &StoreSettings) -> Result<()> {
    let begun = lock::wait_for(&SilentMonitor, "Waiting for another process", || database.try_begin_write())?;
    {
        if has_content(&begun)? {
            return Err(StoreError::AlreadyExists { path: dir.to_owned() });
        }
        let mut table = begun.open_table(STORE).stored()?;
        table.insert(SETTINGS_KEY, settings.encode().as_slice()).stored()?;
    }
    begun.commit().stored()
}

/// Whether any table has rows besides the store's own record and the state of a worktree, which a
/// repository is born with.
fn has_content(transaction: &redb::WriteTransaction) -> Result<bool> {
    for table in transaction.list_tables().stored()? {
        if table.name() == STORE.name() || table.name() == Space::WorktreeState.table_name() {
            continue;
        }
        let space = Space::ALL.into_iter().find(|space| space.table_name() == table.name());
        let empty = match space {
            Some(space) => transaction.open_table(space.table()).stored()?.is_empty().stored()?,
            None => false,
        };
        if !empty {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read_settings(database: &DatabaseHandle) -> Result<StoreSettings> {
    guarded(|| read_settings_row(&database.begin_read()?))?
}

fn read_settings_row(transaction: &redb::ReadTransaction) -> Result<StoreSettings> {
    let table = transaction.open_table(STORE).stored()?;
    let missing = || StoreError::DatabaseDamaged { detail: "it has no settings".to_owned() };
    let value = table.get(SETTINGS_KEY).stored()?.ok_or_else(missing)?;
    StoreSettings::decode(value.value()).map_err(|source| StoreError::Settings { source })
}

/// Reads the `format` file and refuses what this program does not know.
fn check_format(disk: &dyn Disk, dir: &Path) -> Result<()> {
    let path = dir.join(FORMAT_FILE);
    if !disk.exists(&path).during("looking for", &path)? {
        return Err(StoreError::NotARepository { path: dir.to_owned() });
    }
    let file = disk.open(&path, false).during("opening", &path)?;
    let length = file.len().during("reading", &path)?.min(64 * 1024);
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, 0).during("reading", &path)?;
    let text = String::from_utf8_lossy(&bytes);
    let format = FormatFile::decode(&text).map_err(|line| StoreError::FormatFile { path, line })?;
    if format.version != FORMAT.to_string() {
        return Err(StoreError::UnknownFormat { found: format.version, known: FORMAT });
    }
    match format.requires.into_iter().find(|feature| !KNOWN_FEATURES.contains(&feature.as_str())) {
        Some(feature) => Err(StoreError::UnknownFeature { feature }),
        None => Ok(()),
    }
}
