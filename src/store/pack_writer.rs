//! Writes blocks into packs: places are reserved under a lock, bytes are written outside it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::id::{ChunkId, PackId};
use crate::store::disk::{Disk, DiskFile};
use crate::store::error::{IoContext, Result};
use crate::store::pack::block::{BlockHeader, Codec, Record};
use crate::store::pack::footer::{self, BlockEntry};
use crate::store::pack::header::{self, HEADER_BYTES};
use crate::store::space::{ChunkLocation, PackRecord, Space};

/// A chunk that was written and waits for its row. Its `place.pack` means nothing yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingRow {
    pub id: ChunkId,
    /// Position of the pack in [`Batch::packs`].
    pub pack: usize,
    pub place: ChunkLocation,
}

/// A pack whose record is to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackUpdate {
    /// `None` for a pack that the database does not know yet.
    pub number: Option<u32>,
    pub record: PackRecord,
}

/// An object that waits for its row.
pub(crate) type PendingObject = (Space, Box<[u8]>, Box<[u8]>);

/// All that one transaction has to insert.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub rows: Vec<PendingRow>,
    pub packs: Vec<PackUpdate>,
    pub objects: Vec<PendingObject>,
}

/// A pack being written. Its file is locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct OpenPack {
    pub path: PathBuf,
    pub file: Arc<dyn DiskFile>,
    pub state: Mutex<PackState>,
}

#[derive(Debug)]
pub(crate) struct PackState {
    pub update: PackUpdate,
    /// Whether bytes were written since the last sync.
    pub dirty: bool,
    /// Writes that have their place but not their bytes yet.
    outstanding: usize,
    /// Whether no further place will be given out.
    closed: bool,
    /// Blocks written by this process.
    blocks: Vec<BlockEntry>,
}

impl OpenPack {
    /// Begins a new pack.
    pub(crate) fn create(disk: &dyn Disk, path: PathBuf, id: PackId) -> Result<Self> {
        let file = disk.create(&path).during("creating", &path)?;
        file.try_lock_exclusive().during("locking", &path)?;
        file.write_all_at(&[&header::encode(id)], 0).during("writing", &path)?;
        let length = HEADER_BYTES as u64;
        let record = PackRecord { id, length, raw_bytes: 0, blocks: 0, chunks: 0, sealed: false };
        Ok(Self::new(path, file, PackUpdate { number: None, record }))
    }

    pub(crate) fn new(path: PathBuf, file: Arc<dyn DiskFile>, update: PackUpdate) -> Self {
        let state = PackState { update, dirty: true, outstanding: 0, closed: false, blocks: Vec::new() };
        Self { path, file, state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, PackState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out the place for a block of `length` bytes.
    pub(crate) fn reserve(&self, length: u64) -> u64 {
        let mut state = self.state();
        let offset = state.update.record.length;
        state.update.record.length += length;
        state.outstanding += 1;
        state.dirty = true;
        offset
    }

    /// Writes a block to its place.
    pub(crate) fn write(&self, offset: u64, header: BlockHeader, payload: &[u8]) -> Result<()> {
        let mut bytes = Vec::with_capacity(header.header_length());
        header.encode(&mut bytes);
        let written = self.file.write_all_at(&[&bytes, payload], offset).during("writing", &self.path);
        let mut state = self.state();
        state.outstanding -= 1;
        written?;
        state.update.record.blocks += 1;
        state.update.record.chunks += header.records.len() as u32;
        state.update.record.raw_bytes += header.raw_length();
        state.blocks.push(BlockEntry { offset, header });
        self.seal_if_done(&mut state)
    }

    /// Gives out no further place; the footer follows as soon as every block is written.
    pub(crate) fn close(&self) -> Result<()> {
        let mut state = self.state();
        state.closed = true;
        self.seal_if_done(&mut state)
    }

    fn seal_if_done(&self, state: &mut PackState) -> Result<()> {
        if !state.closed || state.outstanding > 0 || state.update.record.sealed {
            return Ok(());
        }
        let end = state.update.record.length;
        let first_own = state.blocks.iter().map(|block| block.offset).min().unwrap_or(end);
        let mut blocks = walk(&*self.file, HEADER_BYTES as u64, first_own)
            .map_err(|(offset, kind)| kind.at(state.update.record.id, offset, &self.path))?;
        blocks.append(&mut state.blocks);
        blocks.sort_unstable_by_key(|block| block.offset);
        let bytes = footer::encode(&blocks);
        self.file.write_all_at(&[&bytes], end).during("writing", &self.path)?;
        state.update.record.length += bytes.len() as u64;
        state.update.record.sealed = true;
        state.dirty = true;
        Ok(())
    }

    /// Makes what was written durable.
    pub(crate) fn sync(&self) -> Result<()> {
        // Cleared first: a block written meanwhile makes it dirty again.
        if !std::mem::take(&mut self.state().dirty) {
            return Ok(());
        }
        let synced = self.file.sync().during("syncing", &self.path);
        if synced.is_err() {
            self.state().dirty = true;
        }
        synced
    }
}

/// Why a pack could not be walked.
#[derive(Debug)]
pub(crate) enum WalkError {
    Io(std::io::Error),
    Damage(crate::store::error::Damage),
}

impl WalkError {
    pub(crate) fn at(self, pack: PackId, offset: u64, path: &std::path::Path) -> crate::store::StoreError {
        match self {
            Self::Io(source) => {
                crate::store::StoreError::Io { action: "reading", path: path.to_owned(), source }
            }
            Self::Damage(damage) => {
                crate::store::StoreError::PackDamaged { pack, offset, chunk: None, damage }
            }
        }
    }
}

/// Reads block headers from `start` to `end`, without the payloads.
pub(crate) fn walk(file: &dyn DiskFile, start: u64, end: u64) -> Result<Vec<BlockEntry>, (u64, WalkError)> {
    use crate::store::error::Damage;
    use crate::store::pack::block::{PREFIX_BYTES, Prefix};
    let mut blocks = Vec::new();
    let mut offset = start;
    while offset < end {
        let fail = |kind| (offset, kind);
        let mut bytes = vec![0; PREFIX_BYTES];
        file.read_exact_at(&mut bytes, offset).map_err(|error| fail(WalkError::Io(error)))?;
        let prefix = Prefix::decode(&bytes).map_err(|damage| fail(WalkError::Damage(damage)))?;
        if prefix.block_length() > end - offset {
            return Err(fail(WalkError::Damage(Damage::BlockLength)));
        }
        bytes.resize(prefix.header_length(), 0);
        file.read_exact_at(&mut bytes, offset).map_err(|error| fail(WalkError::Io(error)))?;
        let header = BlockHeader::decode(&bytes).map_err(|damage| fail(WalkError::Damage(damage)))?;
        blocks.push(BlockEntry { offset, header });
        offset += prefix.block_length();
    }
    Ok(blocks)
}

/// A header for a block of these chunks.
pub(crate) fn block_header(records: Vec<Record>, codec: Codec, stored: usize) -> BlockHeader {
    BlockHeader { codec, stored_length: stored as u32, records }
}
