//! A disk in memory that can stop at any operation, lose what was not synced, or be full.
//!
//! This is how the store's promise is tried out: every write, sync, rename, removal and change of
//! length is a numbered operation. [`FaultDisk::stop_at`] names the one at which the machine stops;
//! from then on everything fails. [`FaultDisk::restart`] gives the disk that a reboot would find:
//! synced bytes and names are there, of the others whatever [`Loss`] says survived, in any order,
//! torn at sectors. Folders are durable as soon as they are made.
//!
//! It is part of the library, not of its tests alone, so that floors above can rehearse crashes of
//! whole commands over it.

mod file;
mod image;
mod locks;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use crate::store::disk::{DatabaseAccess, Disk, DiskFile, DiskLock, DiskSpace, LockKind};
use file::{FaultFile, FileState};
pub use image::Loss;
use image::NameOp;
use locks::{FaultBackend, FaultLock, Locks};

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct FaultDisk {
    world: Arc<World>,
}

#[derive(Debug)]
struct World {
    state: Mutex<State>,
    /// Told whenever a lock is let go or the machine stops.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What each path names now.
    names: BTreeMap<PathBuf, u64>,
    /// What each path names after a reboot, whatever happens.
    durable_names: BTreeMap<PathBuf, u64>,
    /// Changes of names since their folder was synced.
    name_ops: Vec<NameOp>,
    files: HashMap<u64, FileState>,
    inode_last: u64,
    owner_last: u64,
    operations: u64,
    stop_at: Option<u64>,
    stopped: bool,
    capacity_bytes: Option<u64>,
    read_only: bool,
    owner: Option<(u32, u32)>,
    locks: Locks,
    /// Bytes of files that the disk cannot read any more.
    bad: HashMap<u64, Vec<Range<usize>>>,
}

fn machine_stopped() -> io::Error {
    io::Error::other("the machine stopped")
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of a running machine.
    fn running(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.stopped { Err(machine_stopped()) } else { Ok(state) }
    }
}

impl State {
    fn check_writable(&self) -> io::Result<()> {
        if self.read_only { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }

    /// Counts an operation. `true` when the machine stops with it: what it changes is then on its
    /// way to the disk, like everything that was not synced.
    fn stops_now(&mut self) -> bool {
        self.operations += 1;
        self.stopped |= self.stop_at == Some(self.operations);
        self.stopped
    }

    /// Counts an operation that changes a name.
    fn change_name(&mut self, op: NameOp) -> io::Result<()> {
        self.check_writable()?;
        op.apply(&mut self.names);
        self.name_ops.push(op);
        if self.stops_now() { Err(machine_stopped()) } else { Ok(()) }
    }

    fn inode(&self, path: &Path) -> io::Result<u64> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn used_bytes(&self) -> u64 {
        self.names
            .values()
            .filter_map(|inode| self.files.get(inode))
            .map(|file| file.current.len() as u64)
            .sum()
    }

    /// Refuses to grow past the capacity.
    fn check_growth(&self, growth: u64) -> io::Result<()> {
        match self.capacity_bytes {
            Some(capacity) if growth > 0 && self.used_bytes() + growth > capacity => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }

    fn new_owner(&mut self) -> u64 {
        self.owner_last += 1;
        self.owner_last
    }

    fn create_file(&mut self, path: &Path) -> io::Result<u64> {
        self.check_writable()?;
        self.inode_last += 1;
        let inode = self.inode_last;
        self.files.insert(inode, FileState::default());
        self.change_name(NameOp::Name { path: path.to_owned(), inode })?;
        Ok(inode)
    }
}

impl FaultDisk {
    /// An empty disk that works until told otherwise.
    pub fn new() -> Self {
        Self::with_state(State::default())
    }

    fn with_state(state: State) -> Self {
        Self { world: Arc::new(World { state: Mutex::new(state), changed: Condvar::new() }) }
    }

    /// Operations counted so far: writes, syncs, renames, removals, changes of length, new files.
    pub fn operations(&self) -> u64 {
        self.world.state().operations
    }

    /// Stops the machine at the given operation, counted from the first one ever.
    pub fn stop_at(&self, operation: u64) {
        self.world.state().stop_at = Some(operation);
    }

    /// Whether the machine has stopped.
    pub fn is_stopped(&self) -> bool {
        self.world.state().stopped
    }

    /// Lets files take up to `bytes` in all; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world.state().capacity_bytes = bytes;
    }

    /// Refuses, or allows again, everything that needs the right to write.
    pub fn set_read_only(&self, read_only: bool) {
        self.world.state().read_only = read_only;
    }

    /// Says which user owns everything, and as which one this process acts.
    pub fn set_owner(&self, owner: u32, user: u32) {
        self.world.state().owner = Some((owner, user));
    }

    /// Bytes that all files take.
    pub fn used_bytes(&self) -> u64 {
        self.world.state().used_bytes()
    }

    /// The disk as it is found after a reboot.
    pub fn restart(&self, loss: Loss) -> Self {
        Self::with_state(image::after_reboot(&self.world.state(), loss))
    }

    /// Changes the bytes of a file behind everybody's back, as a failing disk would.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut state = self.world.state();
        let inode = state.inode(path)?;
        if let Some(file) = state.files.get_mut(&inode) {
            change(&mut file.current);
            file.settle();
        }
        Ok(())
    }

    /// Makes bytes of a file unreadable, as a bad sector does.
    pub fn spoil(&self, path: &Path, bytes: Range<usize>) -> io::Result<()> {
        let mut state = self.world.state();
        let inode = state.inode(path)?;
        state.bad.entry(inode).or_default().push(bytes);
        Ok(())
    }

    /// All paths, with the lengths of their files.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = self.world.state();
        let length = |inode: &u64| state.files.get(inode).map_or(0, |file| file.current.len() as u64);
        state.names.iter().map(|(path, inode)| (path.clone(), length(inode))).collect()
    }

    fn handle(&self, state: &mut State, inode: u64) -> FaultFile {
        FaultFile { world: self.world.clone(), inode, owner: state.new_owner() }
    }
}

impl Default for FaultDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk for FaultDisk {
    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        self.world.running().map(|_| ())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        drop(self.world.running()?);
        Ok(self.files().into_iter().filter(|(path, _)| path.parent() == Some(dir)).collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let state = self.world.running()?;
        Ok(state.names.keys().any(|name| name.starts_with(path)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.world.running()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = state.create_file(path)?;
        Ok(Arc::new(self.handle(&mut state, inode)))
    }

    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.world.running()?;
        if writable {
            state.check_writable()?;
        }
        let inode = state.inode(path)?;
        Ok(Arc::new(self.handle(&mut state, inode)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.world.running()?;
        let inode = state.inode(from)?;
        state.change_name(NameOp::Rename { from: from.to_owned(), to: to.to_owned(), inode })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.world.running()?;
        state.inode(path)?;
        state.change_name(NameOp::Remove { path: path.to_owned() })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.world.running()?;
        if state.stops_now() {
            return Err(machine_stopped());
        }
        let ops = std::mem::take(&mut state.name_ops);
        for op in ops {
            if op.is_in(dir) {
                op.apply(&mut state.durable_names);
            } else {
                state.name_ops.push(op);
            }
        }
        Ok(())
    }

    fn database(&self, path: &Path, access: DatabaseAccess) -> io::Result<Box<dyn StorageBackend>> {
        let mut state = self.world.running()?;
        if access != DatabaseAccess::Read {
            state.check_writable()?;
        }
        let inode = match state.inode(path) {
            Err(_) if access == DatabaseAccess::Create => state.create_file(path)?,
            found => found?,
        };
        Ok(Box::new(FaultBackend { file: self.handle(&mut state, inode) }))
    }

    fn try_lock(&self, path: &Path, kind: LockKind) -> io::Result<Option<Box<dyn DiskLock>>> {
        let mut state = self.world.running()?;
        state.check_writable()?;
        let owner = state.new_owner();
        let taken = state.locks.try_file(path, owner, kind);
        let world = self.world.clone();
        Ok(taken.then(|| Box::new(FaultLock { world, owner }) as Box<dyn DiskLock>))
    }

    fn space(&self, _: &Path) -> io::Result<DiskSpace> {
        let state = self.world.running()?;
        let total = state.capacity_bytes.unwrap_or(1 << 40);
        Ok(DiskSpace { available: total.saturating_sub(state.used_bytes()), total })
    }

    fn owner(&self, _: &Path) -> io::Result<Option<(u32, u32)>> {
        Ok(self.world.running()?.owner)
    }
}
