//! Files of the disk in memory: what they hold now, what is durable, and what lies between.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::store::disk::{DiskFile, LockKind, Mapping};

use super::{World, machine_stopped};

/// A change of a file that was not synced yet.
#[derive(Debug, Clone)]
pub(super) enum FileOp {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Debug, Clone, Default)]
pub(super) struct FileState {
    pub current: Vec<u8>,
    pub durable: Vec<u8>,
    pub pending: Vec<FileOp>,
}

impl FileState {
    /// Everything so far is durable.
    pub(super) fn settle(&mut self) {
        if !self.pending.is_empty() || self.durable != self.current {
            self.durable.clone_from(&self.current);
            self.pending.clear();
        }
    }
}

/// Puts bytes into a file, which grows as needed.
pub(super) fn write_into(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if content.len() < offset + bytes.len() {
        content.resize(offset + bytes.len(), 0);
    }
    content[offset..offset + bytes.len()].copy_from_slice(bytes);
}

/// An open file.
#[derive(Debug)]
pub(super) struct FaultFile {
    pub world: Arc<World>,
    pub inode: u64,
    pub owner: u64,
}

impl FaultFile {
    /// Stands for the file itself among the paths that can be locked.
    fn lock_name(&self) -> PathBuf {
        PathBuf::from(format!("inode {}", self.inode))
    }
}

impl Drop for FaultFile {
    fn drop(&mut self) {
        self.world.state().locks.release(self.owner);
        self.world.changed.notify_all();
    }
}

impl DiskFile for FaultFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.world.running()?;
        Ok(state.files.get(&self.inode).map_or(0, |file| file.current.len() as u64))
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.world.running()?;
        let content = state.files.get(&self.inode).map_or(&[][..], |file| &file.current);
        let start = offset as usize;
        let mut bad = state.bad.get(&self.inode).into_iter().flatten();
        if bad.any(|bad| bad.start < start + buffer.len() && start < bad.end) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        match content.get(start..start + buffer.len()) {
            Some(bytes) => buffer.copy_from_slice(bytes),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    fn write_all_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        let mut state = self.world.running()?;
        let (offset, bytes) = (offset as usize, parts.concat());
        let length = state.files.get(&self.inode).map_or(0, |file| file.current.len());
        state.check_growth((offset + bytes.len()).saturating_sub(length) as u64)?;
        let stops = state.stops_now();
        if let Some(file) = state.files.get_mut(&self.inode) {
            write_into(&mut file.current, offset, &bytes);
            file.pending.push(FileOp::Write { offset, bytes });
        }
        if stops { Err(machine_stopped()) } else { Ok(()) }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.world.running()?;
        let current = state.files.get(&self.inode).map_or(0, |file| file.current.len() as u64);
        state.check_growth(length.saturating_sub(current))?;
        let stops = state.stops_now();
        if let Some(file) = state.files.get_mut(&self.inode) {
            file.current.resize(length as usize, 0);
            file.pending.push(FileOp::SetLen(length as usize));
        }
        if stops { Err(machine_stopped()) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.world.running()?;
        if state.stops_now() {
            return Err(machine_stopped());
        }
        if let Some(file) = state.files.get_mut(&self.inode) {
            file.settle();
        }
        Ok(())
    }

    fn try_lock_exclusive(&self) -> io::Result<bool> {
        let mut state = self.world.running()?;
        Ok(state.locks.try_file(&self.lock_name(), self.owner, LockKind::Exclusive))
    }

    fn map(&self, _: u64) -> io::Result<Option<Mapping>> {
        Ok(None)
    }
}
