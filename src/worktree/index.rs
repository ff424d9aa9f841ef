//! The index: what the commit says each file should be, and what the file system said of it when it
//! was last seen to be so.
//!
//! One memory-mapped file holds every folder as a block of fixed-size records sorted by name, so a
//! scan walks it side by side with the disk and a million files cost no memory of our own. Each
//! block carries a checksum that is checked when the block is first used; a table of folders stands
//! at the end, the header at the start. The file can always be built again from the commit: whoever
//! finds it missing, cut short, damaged or foreign does that. `docs/format/worktree-index.md` has
//! the bytes.

mod format;
mod write;

#[cfg(any(test, fuzzing))]
pub(in crate::worktree) use format::fuzz_mend;
pub(in crate::worktree) use write::temporary_beside;
pub use write::{Fresh, IndexBuild, build_index, build_index_in_memory, empty_path_set};

use super::error::{Result, WorktreeError};
use super::stat::{FileStat, FsTime, Node, NodeKind};
use crate::base::id::{AssetId, FileId, MetadataId, TreeId};
use crate::base::path::AssetPath;
use crate::object::tree::{Content, ForeignAlgorithm};
use format::{HEADER_BYTES, Header, RECORD_BYTES, ROW_BYTES, Row};
use memmap2::Mmap;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Fingerprint of the set of paths that are expected on disk.
pub type PathSetId = [u8; 16];

/// The remembered state, mapped into memory.
#[derive(Debug)]
pub struct Index {
    map: Mmap,
    header: Header,
    /// Which folders' checksums were found right.
    checked: Vec<AtomicBool>,
}

impl Index {
    /// Opens the file. `None` when it is missing, cut short, damaged or of another version: the
    /// remedy is the same for all of them.
    pub fn open(path: &Path) -> Option<Self> {
        Self::map(&File::open(path).ok()?)
    }

    /// Takes the index that a file holds.
    fn map(file: &File) -> Option<Self> {
        // SAFETY: the mapping is read as plain bytes whose meaning is checked on use. The file is
        // never written in place: a new one is renamed over it, which leaves this mapping whole.
        let map = unsafe { Mmap::map(file) }.ok()?;
        let header = Header::read(&map)?;
        let rows = usize::try_from(header.rows).ok()?;
        let checked = std::iter::repeat_with(AtomicBool::default).take(rows).collect();
        Some(Self { map, header, checked })
    }

    /// The tree that it holds.
    pub fn base(&self) -> TreeId {
        self.header.base
    }

    /// Which paths it expects on disk.
    pub fn path_set(&self) -> PathSetId {
        self.header.path_set
    }

    /// When it was written, on the clock of the file system.
    pub fn written_at(&self) -> FsTime {
        FsTime(self.header.written_ns)
    }

    /// The top folder.
    pub fn root(&self) -> Result<Folder<'_>> {
        self.folder(0)
    }

    /// Looks up one path; `None` for the top folder and for what is not there.
    pub fn find(&self, path: &AssetPath) -> Result<Option<Record<'_>>> {
        let mut folder = self.root()?;
        let mut names = path.names().peekable();
        while let Some(name) = names.next() {
            let Some(record) = folder.find(name) else { return Ok(None) };
            if names.peek().is_none() {
                return Ok(Some(record));
            }
            if !record.is_directory() {
                return Ok(None);
            }
            folder = folder.child(&record)?;
        }
        Ok(None)
    }

    /// Looks up a folder.
    pub fn find_folder(&self, path: &AssetPath) -> Result<Option<Folder<'_>>> {
        if path.is_root() {
            return self.root().map(Some);
        }
        match self.find(path)? {
            Some(record) if record.is_directory() => record.folder.child(&record).map(Some),
            _ => Ok(None),
        }
    }

    /// Checks every block.
    pub fn check(&self) -> Result<()> {
        (0..self.header.rows as u32).try_for_each(|number| self.folder(number).map(drop))
    }

    fn row(&self, number: u32) -> Option<Row> {
        let start = self.header.table_offset as usize + number as usize * ROW_BYTES;
        Row::read(self.map.get(start..start + ROW_BYTES)?)
    }

    fn folder(&self, number: u32) -> Result<Folder<'_>> {
        let row = self.row(number).ok_or(WorktreeError::IndexDamaged)?;
        let start = row.block_offset as usize;
        let end = start.checked_add(row.block_bytes()).ok_or(WorktreeError::IndexDamaged)?;
        let block = self.map.get(start..end).ok_or(WorktreeError::IndexDamaged)?;
        let checked = self.checked.get(number as usize).ok_or(WorktreeError::IndexDamaged)?;
        if !checked.load(Ordering::Relaxed) {
            if format::checksum(block) != row.checksum {
                return Err(WorktreeError::IndexDamaged);
            }
            checked.store(true, Ordering::Relaxed);
        }
        Ok(Folder { index: self, number, row, block })
    }
}

/// One folder of the index.
#[derive(Debug, Clone, Copy)]
pub struct Folder<'a> {
    index: &'a Index,
    number: u32,
    row: Row,
    block: &'a [u8],
}

impl<'a> Folder<'a> {
    /// The folder's tree in the commit.
    pub fn tree(&self) -> TreeId {
        self.row.tree
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.row.entries as usize
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.row.entries == 0
    }

    /// Files and links in it and below.
    pub fn files_below(&self) -> u64 {
        self.row.files
    }

    /// Their sizes together.
    pub fn bytes_below(&self) -> u64 {
        self.row.bytes
    }

    /// Whether any file in it or below is expected on disk.
    pub fn any_expected(&self) -> bool {
        self.row.flags & format::ROW_ANY_EXPECTED != 0
    }

    /// An entry by its position; entries are sorted by name.
    pub fn record(&self, position: usize) -> Option<Record<'a>> {
        let start = position.checked_mul(RECORD_BYTES)?;
        if position >= self.len() {
            return None;
        }
        let bytes: &'a [u8; RECORD_BYTES] = self.block.get(start..start + RECORD_BYTES)?.try_into().ok()?;
        Some(Record { folder: *self, bytes })
    }

    /// An entry by its name.
    pub fn find(&self, name: &[u8]) -> Option<Record<'a>> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let record = self.record(middle)?;
            match record.name().cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(record),
            }
        }
        None
    }

    /// The folder that a record of this folder names.
    pub fn child(&self, record: &Record<'a>) -> Result<Folder<'a>> {
        let below = record.child().filter(|below| *below > 0 && *below < self.row.span);
        let number = below.and_then(|below| self.number.checked_add(below));
        self.index.folder(number.ok_or(WorktreeError::IndexDamaged)?)
    }

    fn names(&self) -> &'a [u8] {
        let start = self.len() * RECORD_BYTES;
        self.block.get(start..start + self.row.names_bytes as usize).unwrap_or_default()
    }

    fn metadata(&self, number: u32) -> Option<MetadataId> {
        let start = self.len() * RECORD_BYTES + self.row.names_bytes as usize;
        let start = start + number.checked_sub(1)? as usize * MetadataId::SIZE;
        MetadataId::from_slice(self.block.get(start..start + MetadataId::SIZE)?)
    }
}

/// What the commit says stands at one name, with what the file system said of it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    folder: Folder<'a>,
    bytes: &'a [u8; RECORD_BYTES],
}

impl<'a> Record<'a> {
    /// Its name.
    pub fn name(&self) -> &'a [u8] {
        let start = format::u32_at(self.bytes, format::NAME_OFFSET) as usize;
        let length = usize::from(format::u16_at(self.bytes, format::NAME_BYTES));
        self.folder.names().get(start..start + length).unwrap_or_default()
    }

    /// Whether it is a folder.
    pub fn is_directory(&self) -> bool {
        self.kind() == format::KIND_DIRECTORY
    }

    /// Whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.kind() == format::KIND_SYMLINK
    }

    /// Whether it is a file or a foreign file that the owner may run.
    pub fn is_executable(&self) -> bool {
        matches!(self.kind(), format::KIND_EXECUTABLE | format::KIND_FOREIGN_EXECUTABLE)
    }

    /// Whether it is a file whose content this repository knows.
    pub fn is_file(&self) -> bool {
        matches!(self.kind(), format::KIND_FILE | format::KIND_EXECUTABLE)
    }

    /// Whether it should be on disk: it is in the set of chosen paths, and its content can be had.
    pub fn is_expected(&self) -> bool {
        self.flags() & format::RECORD_EXPECTED != 0
    }

    /// Size in bytes; 0 for a folder.
    pub fn size(&self) -> u64 {
        format::u64_at(self.bytes, format::SIZE)
    }

    /// Id of the content of a file or link.
    pub fn file_id(&self) -> Option<FileId> {
        let known = self.is_file() || self.is_symlink();
        if known { FileId::from_slice(self.id_bytes()) } else { None }
    }

    /// Which asset it is.
    pub fn asset(&self) -> Option<AssetId> {
        let bytes = self.bytes.get(format::ASSET..format::ASSET + AssetId::SIZE)?;
        if self.flags() & format::RECORD_ASSET != 0 { AssetId::from_slice(bytes) } else { None }
    }

    /// Its metadata.
    pub fn metadata(&self) -> Option<MetadataId> {
        self.folder.metadata(format::u32_at(self.bytes, format::METADATA))
    }

    /// What the file system said when it was last seen to be as committed; `None` when that was
    /// never seen or could not be trusted.
    pub fn stat(&self) -> Option<FileStat> {
        if self.flags() & format::RECORD_STAT == 0 {
            return None;
        }
        Some(FileStat {
            size: self.size(),
            mtime_ns: format::u64_at(self.bytes, format::MTIME) as i64,
            ctime_ns: format::u64_at(self.bytes, format::CTIME) as i64,
            inode: format::u64_at(self.bytes, format::INODE),
        })
    }

    /// Whether what stands there is of its kind and as it was last seen to be as committed.
    ///
    /// What was seen is kept with the bytes: another commit may have the same bytes under another mode.
    pub fn is_unchanged(&self, node: &Node) -> bool {
        let same_kind = match node.kind {
            NodeKind::File { executable } => self.is_file() && executable == self.is_executable(),
            NodeKind::Symlink => self.is_symlink(),
            NodeKind::Directory | NodeKind::Special(_) => false,
        };
        same_kind && self.stat() == Some(node.stat)
    }

    /// What it is, as a tree says it. A folder gives the id of its tree.
    pub fn content(&self) -> Result<Content> {
        let size = self.size();
        let executable = self.is_executable();
        match self.kind() {
            format::KIND_FILE | format::KIND_EXECUTABLE => {
                self.file_id().map(|id| Content::File { id, size, executable })
            }
            format::KIND_SYMLINK => self.file_id().map(|id| Content::Symlink { id, size }),
            format::KIND_DIRECTORY => Some(Content::Directory { id: self.folder.child(self)?.tree() }),
            format::KIND_FOREIGN | format::KIND_FOREIGN_EXECUTABLE => {
                format::algorithm_of(format::u32_at(self.bytes, format::EXTRA)).map(|algorithm| {
                    let digest = self.foreign_digest(algorithm);
                    Content::Foreign { algorithm, digest, size, executable }
                })
            }
            _ => None,
        }
        .ok_or(WorktreeError::IndexDamaged)
    }

    fn foreign_digest(&self, algorithm: ForeignAlgorithm) -> Vec<u8> {
        self.id_bytes().iter().copied().take(algorithm.digest_bytes()).collect()
    }

    fn id_bytes(&self) -> &'a [u8] {
        self.bytes.get(format::ID..format::ID + FileId::SIZE).unwrap_or_default()
    }

    fn kind(&self) -> u8 {
        self.bytes[format::KIND]
    }

    fn flags(&self) -> u8 {
        self.bytes[format::FLAGS]
    }

    fn child(&self) -> Option<u32> {
        self.is_directory().then(|| format::u32_at(self.bytes, format::EXTRA))
    }
}

/// Length of the header, for readers that skip it.
pub const INDEX_HEADER_BYTES: usize = HEADER_BYTES;

#[cfg(test)]
mod tests;
