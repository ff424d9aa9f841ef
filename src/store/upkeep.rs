//! What care needs: looking at packs without the database, checking their bytes, and putting away
//! what nobody refers to.
//!
//! Everything here reads with plain reads, never through a mapping, so that damage is an error with
//! a name.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use crate::base::id::{ChunkId, PackId};
use crate::base::monitor::Monitor;
use crate::store::Store;
use crate::store::compress;
use crate::store::database::Extent;
use crate::store::disk::{Disk, DiskFile, read_around};
use crate::store::error::{Damage, IoContext, Result, StoreError};
use crate::store::lock::SweepLock;
use crate::store::pack::block::Codec;
use crate::store::pack::footer::BlockEntry;
use crate::store::pack_walk::{self, Salvage};
use crate::store::space::{ChunkLocation, PackRecord};

/// A file in the folder of packs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackFile {
    /// Its path.
    pub path: PathBuf,
    /// Length in bytes.
    pub length: u64,
    /// The pack that its name says; `None` for a file that is named like no pack.
    pub id: Option<PackId>,
}

/// How much of a pack is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackUsage {
    /// Local number.
    pub number: u32,
    /// What is recorded of it.
    pub record: PackRecord,
    /// Chunks that the index places in it.
    pub indexed_chunks: u64,
    /// Their raw bytes.
    pub indexed_raw_bytes: u64,
}

/// A chunk of a block that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedChunk {
    /// The chunk.
    pub id: ChunkId,
    /// Its raw length in bytes.
    pub length: u32,
    /// What is wrong with it, if anything.
    pub damage: Option<Damage>,
}

/// A pack opened for being looked at.
#[derive(Debug)]
pub struct PackInspector {
    id: PackId,
    path: PathBuf,
    file: std::sync::Arc<dyn DiskFile>,
    /// Bytes of it that count.
    length: u64,
}

impl Store {
    /// The files in the folder of packs.
    pub fn pack_files(&self) -> Result<Vec<PackFile>> {
        let dir = self.packs_dir();
        let mut files = Vec::new();
        for (path, length) in self.disk().list(&dir).during("listing", &dir)? {
            let stem =
                path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".pack"));
            let id = stem.and_then(|stem| stem.parse().ok());
            files.push(PackFile { path, length, id });
        }
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// How much of each pack the index uses. Goes through the whole index.
    pub fn pack_usage(&self) -> Result<Vec<PackUsage>> {
        let snapshot = self.snapshot()?;
        let mut usage: BTreeMap<u32, PackUsage> = BTreeMap::new();
        for (number, record) in snapshot.packs()? {
            usage.insert(number, PackUsage { number, record, indexed_chunks: 0, indexed_raw_bytes: 0 });
        }
        for row in snapshot.scan_chunks()? {
            let (_, place) = row?;
            if let Some(pack) = usage.get_mut(&place.pack) {
                pack.indexed_chunks += 1;
                pack.indexed_raw_bytes += u64::from(place.length);
            }
        }
        Ok(usage.into_values().collect())
    }

    /// Opens a pack for being looked at. `length` is how much of it counts: what the database records,
    /// or all of the file when `None`.
    pub fn inspect_pack(&self, id: PackId, length: Option<u64>) -> Result<PackInspector> {
        let path = self.pack_path(id);
        let file = match self.disk().open(&path, false) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::MissingPack { pack: id });
            }
            opened => opened.during("opening", &path)?,
        };
        let actual = file.len().during("reading", &path)?;
        let length = length.unwrap_or(actual);
        if actual < length {
            return Err(StoreError::PackTruncated { pack: id, expected: length, actual });
        }
        Ok(PackInspector { id, path, file, length })
    }

    /// Reads every page of the database and compares it with its checksum. Others wait with writing
    /// meanwhile, where this process may write at all.
    pub fn verify_database(&self, monitor: &dyn Monitor) -> Result<()> {
        let pause = match self.begin_watched(monitor) {
            Ok(transaction) => Some(transaction),
            Err(StoreError::ReadOnly | StoreError::Io { .. }) => None,
            Err(error) => return Err(error),
        };
        let verified = self.inner.database.verify();
        drop(pause);
        verified
    }

    /// How large the database file is and how much of it is in use; `None` while somebody writes.
    pub fn database_extent(&self) -> Result<Option<Extent>> {
        self.writable()?;
        self.inner.database.extent()
    }

    /// Gives back to the file system what the database file holds without need. Does nothing, and says
    /// so with `false`, while anybody reads or writes the database.
    pub fn compact_database(&self, _: &SweepLock) -> Result<bool> {
        self.writable()?;
        self.inner.database.compact()
    }

    /// Writes the transaction log anew when more than half of it may be out of date; tells whether it did.
    pub fn tidy_log(&self, _: &SweepLock) -> Result<bool> {
        /// Bytes by which a log may grow whatever it began with.
        const GROWTH_BYTES: u64 = 8 << 20;
        let Some(recorded) = self.snapshot()?.log_recorded()? else { return Ok(false) };
        if recorded.length <= 2 * recorded.base_length + GROWTH_BYTES {
            return Ok(false);
        }
        let mut transaction = self.begin()?;
        transaction.renew_log()?;
        transaction.commit()?;
        Ok(true)
    }

    /// Whether there is a file of that pack.
    pub fn has_pack_file(&self, id: PackId) -> bool {
        self.disk().exists(&self.pack_path(id)).unwrap_or(true)
    }

    /// Removes pack files that the database does not know and `unwanted` does not want: left by
    /// writers that did not get to publish. Gives their number and bytes.
    pub fn remove_orphan_packs(
        &self,
        unwanted: &dyn Fn(PackId) -> bool,
        _: &SweepLock,
    ) -> Result<(u64, u64)> {
        let recorded: HashSet<PackId> =
            self.snapshot()?.packs()?.into_iter().map(|(_, record)| record.id).collect();
        let (mut count, mut bytes) = (0, 0);
        for file in self.pack_files()? {
            if file.id.is_some_and(|id| !recorded.contains(&id) && unwanted(id)) {
                self.disk().remove(&file.path).during("removing", &file.path)?;
                count += 1;
                bytes += file.length;
            }
        }
        let dir = self.packs_dir();
        self.disk().sync_dir(&dir).during("syncing", &dir)?;
        Ok((count, bytes))
    }

    /// Cuts pack files to what the database records of them: what follows was never published.
    pub fn cut_tails(&self, _: &SweepLock) -> Result<()> {
        for (_, record) in self.snapshot()?.packs()? {
            let path = self.pack_path(record.id);
            let Ok(file) = self.disk().open(&path, true) else { continue };
            if file.len().during("reading", &path)? > record.length {
                file.set_len(record.length).during("cutting", &path)?;
                file.sync().during("syncing", &path)?;
            }
        }
        Ok(())
    }

    /// Overwrites the blocks that hold any of the chunks in pack files that the database does not
    /// know: left ones and those that were put aside. Gives the number of files.
    pub fn blank_chunks(&self, chunks: &HashSet<ChunkId>, _: &SweepLock) -> Result<u64> {
        let recorded: HashSet<PackId> =
            self.snapshot()?.packs()?.into_iter().map(|(_, record)| record.id).collect();
        let unknown = self.pack_files()?.into_iter();
        let unknown = unknown.filter(|file| file.id.is_none_or(|id| !recorded.contains(&id)));
        let mut paths: Vec<PathBuf> = unknown.map(|file| file.path).collect();
        let quarantine = self.dir().join("quarantine");
        if self.disk().exists(&quarantine).during("looking for", &quarantine)? {
            let kept = self.disk().list(&quarantine).during("listing", &quarantine)?;
            paths.extend(kept.into_iter().map(|(path, _)| path));
        }
        let mut blanked = 0;
        for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "pack")) {
            blanked += u64::from(self.blank_chunks_in(path, chunks)?);
        }
        Ok(blanked)
    }

    fn blank_chunks_in(&self, path: &Path, chunks: &HashSet<ChunkId>) -> Result<bool> {
        let file = self.disk().open(path, true).during("opening", path)?;
        let length = file.len().during("reading", path)?;
        let inspector =
            PackInspector { id: PackId::from_bytes([0; 16]), path: path.to_owned(), file, length };
        let mut blanked = false;
        for block in inspector.whatever_blocks()? {
            if block.header.records.iter().any(|record| chunks.contains(&record.id)) {
                let start = block.offset + block.header.header_length() as u64;
                let zeros = vec![0; block.header.stored_length as usize];
                inspector.file.write_all_at(&[&zeros], start).during("writing", path)?;
                blanked = true;
            }
        }
        if blanked {
            inspector.file.sync().during("syncing", path)?;
        }
        Ok(blanked)
    }

    /// Copies a pack file into the `quarantine` folder, where nothing looks for packs; gives the path of
    /// the copy, or `None` when there is no such file.
    pub fn set_pack_aside(&self, id: PackId) -> Result<Option<PathBuf>> {
        let path = self.pack_path(id);
        if !self.disk().exists(&path).during("looking for", &path)? {
            return Ok(None);
        }
        self.set_file_aside(&path).map(Some)
    }

    /// Copies a file of the store into the `quarantine` folder under a name that is not taken there.
    /// Zeros stand for what the disk cannot read.
    pub fn set_file_aside(&self, from: &Path) -> Result<PathBuf> {
        const PIECE_BYTES: u64 = 1 << 20;
        let to = free_name(self.disk(), self.dir(), from)?;
        let source = self.disk().open(from, false).during("opening", from)?;
        let target = self.disk().create(&to).during("creating", &to)?;
        let length = source.len().during("reading", from)?;
        let mut offset = 0;
        while offset < length {
            let mut piece = vec![0; PIECE_BYTES.min(length - offset) as usize];
            read_around(&*source, &mut piece, offset).during("reading", from)?;
            target.write_all_at(&[&piece], offset).during("writing", &to)?;
            offset += piece.len() as u64;
        }
        target.sync().during("syncing", &to)?;
        if let Some(folder) = to.parent() {
            self.disk().sync_dir(folder).during("syncing", folder)?;
        }
        Ok(to)
    }

    /// Moves a pack file into the `quarantine` folder, where nothing looks for packs.
    pub fn quarantine_pack(&self, id: PackId, _: &SweepLock) -> Result<PathBuf> {
        let (from, folder) = (self.pack_path(id), self.dir().join("quarantine"));
        self.disk().create_dir_all(&folder).during("creating", &folder)?;
        let to = folder.join(format!("{id}.pack"));
        self.disk().rename(&from, &to).during("moving", &from)?;
        let dir = self.packs_dir();
        self.disk().sync_dir(&folder).during("syncing", &folder)?;
        self.disk().sync_dir(&dir).during("syncing", &dir)?;
        Ok(to)
    }
}

impl PackInspector {
    /// Over a file that lies anywhere.
    #[cfg(any(test, fuzzing))]
    pub(super) fn over(id: PackId, path: &Path, file: std::sync::Arc<dyn DiskFile>, length: u64) -> Self {
        Self { id, path: path.to_owned(), file, length }
    }

    /// The pack.
    pub fn id(&self) -> PackId {
        self.id
    }

    /// Bytes of it that count.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Checks the header: that this is the pack it is named for.
    pub fn check_header(&self) -> Result<()> {
        pack_walk::check_header(&*self.file, &self.path, self.id)
    }

    /// The blocks as the footer of a sealed pack lists them.
    pub fn footer(&self) -> Result<Vec<BlockEntry>> {
        pack_walk::footer(&*self.file, &self.path, self.id, self.length)
    }

    /// The blocks of a pack without a footer, one header after the other.
    pub fn walk(&self) -> Result<Vec<BlockEntry>> {
        pack_walk::blocks(&*self.file, &self.path, self.id, self.length)
    }

    /// All blocks that can still be found, whatever is damaged.
    pub fn salvage(&self) -> Result<Salvage> {
        pack_walk::salvage(&*self.file, &self.path, self.id, self.length)
    }

    /// All blocks, by the footer or else one after the other; an error when some cannot be found.
    pub fn whole_blocks(&self) -> Result<Vec<BlockEntry>> {
        self.footer().or_else(|_| self.walk())
    }

    /// The blocks by the footer, else one after the other, else whatever can be found. Tells whether
    /// it was the footer.
    pub fn blocks(&self) -> Result<(Vec<BlockEntry>, bool)> {
        if let Ok(blocks) = self.footer() {
            return Ok((blocks, true));
        }
        match self.walk() {
            Ok(blocks) => Ok((blocks, false)),
            Err(_) => Ok((self.salvage()?.blocks, false)),
        }
    }

    /// Every block that anything still tells of: the footer, or a header wherever it lies.
    pub fn whatever_blocks(&self) -> Result<Vec<BlockEntry>> {
        let mut blocks = self.salvage()?.blocks;
        if let Ok(listed) = self.footer() {
            blocks.extend(listed);
        }
        blocks.sort_unstable_by_key(|block| block.offset);
        blocks.dedup();
        Ok(blocks)
    }

    /// Reads the header of the block at `offset`.
    pub fn block_at(&self, offset: u64) -> Result<BlockEntry> {
        pack_walk::block_at(&*self.file, &self.path, self.id, offset, self.length)
    }

    /// Reads the payload of a block as it is stored.
    pub fn payload(&self, block: &BlockEntry) -> Result<Vec<u8>> {
        let start = block.offset + block.header.header_length() as u64;
        let mut payload = vec![0; block.header.stored_length as usize];
        let read = self.file.read_exact_at(&mut payload, start).during("reading", &self.path);
        read.map_err(|error| pack_walk::as_damage(error, self.id, block.offset, self.length, &*self.file))?;
        Ok(payload)
    }

    /// Reads a block and gives its raw bytes, chunks one after the other.
    pub fn raw(&self, block: &BlockEntry) -> Result<Vec<u8>> {
        let payload = self.payload(block)?;
        match block.header.codec {
            Codec::Raw => Ok(payload),
            Codec::Zstd => {
                let mut raw = Vec::new();
                compress::unpack(&payload, block.header.raw_length() as usize, &mut raw)
                    .map_err(|damage| self.damaged(block.offset, None, damage))?;
                Ok(raw)
            }
        }
    }

    /// Reads a block and hashes every chunk of it. A block that cannot be read or unpacked counts as
    /// damage of each.
    pub fn check(&self, block: &BlockEntry) -> Result<Vec<CheckedChunk>> {
        let raw = match self.raw(block) {
            Ok(raw) => Ok(raw),
            Err(StoreError::PackDamaged { damage, .. }) => Err(damage),
            Err(error) => return Err(error),
        };
        let mut start = 0;
        let mut checked = Vec::with_capacity(block.header.records.len());
        for record in &block.header.records {
            let end = start + record.length as usize;
            let damage = match &raw {
                Ok(raw) if ChunkId::of(&raw[start..end]) == record.id => None,
                Ok(_) => Some(Damage::Content),
                Err(damage) => Some(*damage),
            };
            checked.push(CheckedChunk { id: record.id, length: record.length, damage });
            start = end;
        }
        Ok(checked)
    }

    pub(crate) fn damaged(&self, offset: u64, chunk: Option<ChunkId>, damage: Damage) -> StoreError {
        StoreError::PackDamaged { pack: self.id, offset, chunk, damage }
    }
}

/// A name in the `quarantine` folder of `dir` that is not taken, like that of a file.
pub(crate) fn free_name(disk: &dyn Disk, dir: &Path, like: &Path) -> Result<PathBuf> {
    let folder = dir.join("quarantine");
    disk.create_dir_all(&folder).during("creating", &folder)?;
    let stem = like.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let extension = like.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    let mut number = 1u32;
    loop {
        let to = folder.join(format!("{stem}-{number}{extension}"));
        if !disk.exists(&to).during("looking for", &to)? {
            return Ok(to);
        }
        number += 1;
    }
}

/// Places of the chunks of a block, in their order.
pub fn places(pack: u32, block: &BlockEntry) -> impl Iterator<Item = (ChunkId, ChunkLocation)> + '_ {
    let (block_offset, block_length) = (block.offset as u32, block.header.block_length() as u32);
    let mut raw_offset = 0;
    block.header.records.iter().map(move |record| {
        let place = ChunkLocation { pack, block_offset, raw_offset, length: record.length, block_length };
        raw_offset += record.length;
        (record.id, place)
    })
}
