//! Rebuilds the chunk index from the packs, which say everything about themselves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::id::{ChunkId, PackId};
use crate::base::monitor::Monitor;
use crate::store::disk::Disk;
use crate::store::error::{IoContext, Result, StoreError};
use crate::store::lock::SweepLock;
use crate::store::space::PackRecord;
use crate::store::upkeep::{free_name, places};
use crate::store::{
    DATABASE_FILE, FOLDERS, FORMAT_FILE, FormatFile, Store, StoreOptions, StoreSettings, write_new_file,
};

/// What a rebuild found.
#[derive(Debug, Default)]
pub struct Reindexed {
    /// Packs that are in the index now.
    pub packs: u64,
    /// Rows that were missing or wrong.
    pub rows_written: u64,
    /// Packs that could not be taken, and why.
    pub refused: Vec<(PackId, StoreError)>,
}

impl Store {
    /// Puts an empty database with the given settings in the place of one that cannot be opened; the
    /// old file is kept in `quarantine`. [`Store::reindex`] then brings back the chunk index; what
    /// else the database held is gone with it.
    pub fn replace_database(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: &StoreSettings,
        options: StoreOptions,
    ) -> Result<(Self, Option<PathBuf>)> {
        let from = dir.join(DATABASE_FILE);
        let mut kept = None;
        if disk.exists(&from).during("looking for", &from)? {
            let to = free_name(&*disk, dir, &from)?;
            disk.rename(&from, &to).during("moving", &from)?;
            if let Some(folder) = to.parent() {
                disk.sync_dir(folder).during("syncing", folder)?;
            }
            kept = Some(to);
        }
        let store = Self::create_database_on(disk, dir, settings, options)?;
        Ok((store, kept))
    }

    /// Makes the folders of a store that are missing.
    pub fn make_folders(disk: &dyn Disk, dir: &Path) -> Result<()> {
        for folder in FOLDERS {
            let path = dir.join(folder);
            disk.create_dir_all(&path).during("creating", &path)?;
        }
        Ok(())
    }

    /// Writes the `format` file anew; one that is there is kept in `quarantine`.
    pub fn rewrite_format(disk: &dyn Disk, dir: &Path) -> Result<Option<PathBuf>> {
        Self::make_folders(disk, dir)?;
        let from = dir.join(FORMAT_FILE);
        let mut kept = None;
        if disk.exists(&from).during("looking for", &from)? {
            let to = free_name(disk, dir, &from)?;
            disk.rename(&from, &to).during("moving", &from)?;
            kept = Some(to);
        }
        write_new_file(disk, dir, FORMAT_FILE, FormatFile::new().encode().as_bytes())?;
        Ok(kept)
    }

    /// Brings the index in line with the packs in the folder: every chunk of every pack gets a row
    /// unless it has one that names a whole pack and block, or `allowed` says that it was removed on
    /// purpose. One transaction per pack.
    pub fn reindex(
        &self,
        allowed: &dyn Fn(ChunkId) -> bool,
        _: &SweepLock,
        monitor: &dyn Monitor,
    ) -> Result<Reindexed> {
        let mut found = Reindexed::default();
        for file in self.pack_files()? {
            if monitor.is_cancelled() {
                return Err(StoreError::Cancelled);
            }
            let Some(id) = file.id else { continue };
            match self.reindex_pack(id, allowed) {
                Ok(rows) => {
                    found.packs += 1;
                    found.rows_written += rows;
                }
                Err(
                    error @ (StoreError::PackDamaged { .. }
                    | StoreError::PackTruncated { .. }
                    | StoreError::PackFeature { .. }
                    | StoreError::MissingPack { .. }),
                ) => found.refused.push((id, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn reindex_pack(&self, id: PackId, allowed: &dyn Fn(ChunkId) -> bool) -> Result<u64> {
        let inspector = self.inspect_pack(id, None)?;
        inspector.check_header()?;
        let (blocks, footer) = inspector.blocks()?;
        let snapshot = self.snapshot()?;
        let known = snapshot.packs()?.into_iter().find(|(_, record)| record.id == id);
        let record = PackRecord {
            id,
            length: inspector.length(),
            raw_bytes: blocks.iter().map(|block| block.header.raw_length()).sum(),
            blocks: blocks.len() as u32,
            chunks: blocks.iter().map(|block| block.header.records.len() as u32).sum(),
            // A pack whose end is not clear is never appended to: nothing of it may be cut off.
            sealed: true,
        };
        let mut transaction = self.begin()?;
        let number = match known {
            // A pack that the database knows as growing stays as it is recorded.
            Some((number, known)) if footer == known.sealed => number,
            Some((number, _)) => transaction.record_pack(Some(number), &record)?,
            None => transaction.record_pack(None, &record)?,
        };
        let limit = known
            .filter(|(_, known)| footer == known.sealed)
            .map_or(record.length, |(_, known)| known.length);
        let mut rows = Vec::new();
        for block in blocks.iter().filter(|block| block.offset + block.header.block_length() <= limit) {
            let mut missing = Vec::new();
            for (chunk, place) in places(number, block) {
                let stands = match snapshot.chunk_location(chunk)? {
                    Some(row) if row == place => true,
                    // Elsewhere, and that place is sound by what its own pack says.
                    Some(row) => row.pack != number && self.is_sound(&snapshot, chunk, &row),
                    None => false,
                };
                if !stands && allowed(chunk) {
                    missing.push((chunk, place));
                }
            }
            if !missing.is_empty() {
                // Nobody vouches for these bytes: the pack may have been on its way to the disk.
                let checked = inspector.check(block)?;
                let whole = |id: &ChunkId| checked.iter().any(|c| c.id == *id && c.damage.is_none());
                rows.extend(missing.into_iter().filter(|(id, _)| whole(id)));
            }
        }
        rows.sort_unstable();
        transaction.set_chunks(&rows)?;
        transaction.commit()?;
        Ok(rows.len() as u64)
    }

    /// Whether a row points to a block header that names the chunk at that place.
    fn is_sound(
        &self,
        snapshot: &crate::store::Snapshot,
        chunk: ChunkId,
        row: &crate::store::ChunkLocation,
    ) -> bool {
        let Ok(Some(record)) = snapshot.pack(row.pack) else { return false };
        let Ok(inspector) = self.inspect_pack(record.id, Some(record.length)) else { return false };
        inspector
            .block_at(u64::from(row.block_offset))
            .is_ok_and(|block| places(row.pack, &block).any(|(id, place)| id == chunk && place == *row))
    }
}
