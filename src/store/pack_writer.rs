//! Writes blocks into packs: places are reserved under a lock, bytes are written outside it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::id::{ChunkId, PackId};
use crate::store::disk::{Disk, DiskFile};
use crate::store::error::{IoContext, Result};
use crate::store::pack::block::BlockHeader;
use crate::store::pack::footer::{self, BlockEntry};
use crate::store::pack::header::{self, HEADER_BYTES};
use crate::store::pack_walk as walk;
use crate::store::space::{ChunkLocation, PackRecord, Space};

/// Bytes gathered before the system is asked to write them out: large enough for large requests,
/// small enough that the disk never waits for us.
const WRITEBACK_BYTES: u64 = 4 << 20;

/// Chunks after which a writer begins another pack, so that what it remembers for the footer stays
/// bounded: a few MiB.
const PACK_CHUNKS_MAX: usize = 64 * 1024;

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
    /// Numbers of packs that lost their bytes: a row that points into one makes room for a new one.
    pub lost: Vec<u32>,
}

impl Batch {
    /// Bytes that the rows and objects take in the database, at least.
    pub(crate) fn rows_bytes(&self) -> u64 {
        let objects: usize = self.objects.iter().map(|(_, key, value)| key.len() + value.len()).sum();
        (self.rows.len() * size_of::<PendingRow>() + objects) as u64
    }
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
    /// End of the bytes that the system was asked to write out.
    kicked: u64,
    /// Blocks written by this process.
    blocks: Vec<BlockEntry>,
    /// Chunks in them.
    blocks_chunks: usize,
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
        let kicked = update.record.length;
        let state = PackState {
            update,
            dirty: true,
            outstanding: 0,
            closed: false,
            kicked,
            blocks: Vec::new(),
            blocks_chunks: 0,
        };
        Self { path, file, state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, PackState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a block of `length` bytes may still go into this pack.
    pub(crate) fn fits(&self, length: u64, limit: u64) -> bool {
        let state = self.state();
        let empty = state.update.record.length <= HEADER_BYTES as u64;
        let full = state.update.record.length + length > limit || state.blocks_chunks >= PACK_CHUNKS_MAX;
        !state.closed && (empty || !full)
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

    /// Writes a block to its place; tells whether that sealed the pack.
    pub(crate) fn write(&self, offset: u64, header: BlockHeader, payload: &[u8]) -> Result<bool> {
        let mut bytes = Vec::with_capacity(header.header_length());
        header.encode(&mut bytes);
        let written = self.file.write_all_at(&[&bytes, payload], offset).during("writing", &self.path);
        let mut state = self.state();
        state.outstanding -= 1;
        written?;
        state.update.record.blocks += 1;
        state.update.record.chunks += header.records.len() as u32;
        state.update.record.raw_bytes += header.raw_length();
        let end = offset + header.block_length();
        state.blocks_chunks += header.records.len();
        state.blocks.push(BlockEntry { offset, header });
        if end >= state.kicked + WRITEBACK_BYTES {
            self.file.start_writeback(state.kicked, end - state.kicked);
            state.kicked = end;
        }
        self.seal_if_done(&mut state)
    }

    /// Gives out no further place; the footer follows as soon as every block is written. Tells
    /// whether that was at once.
    pub(crate) fn close(&self) -> Result<bool> {
        let mut state = self.state();
        state.closed = true;
        self.seal_if_done(&mut state)
    }

    fn seal_if_done(&self, state: &mut PackState) -> Result<bool> {
        if !state.closed || state.outstanding > 0 || state.update.record.sealed {
            return Ok(false);
        }
        let end = state.update.record.length;
        let first_own = state.blocks.iter().map(|block| block.offset).min().unwrap_or(end);
        let walked = walk::blocks(&*self.file, &self.path, state.update.record.id, first_own);
        let Ok(mut blocks) = walked else {
            // Blocks of an earlier writer are damaged. The pack stays without a footer: care finds
            // and names the damage, and what is stored now does not depend on it.
            return Ok(false);
        };
        // Nothing is kept of a sealed pack that waits to be published: there may be hundreds.
        blocks.append(&mut std::mem::take(&mut state.blocks));
        blocks.sort_unstable_by_key(|block| block.offset);
        let bytes = footer::encode(&blocks);
        self.file.write_all_at(&[&bytes], end).during("writing", &self.path)?;
        state.update.record.length += bytes.len() as u64;
        state.update.record.sealed = true;
        state.dirty = true;
        Ok(true)
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
