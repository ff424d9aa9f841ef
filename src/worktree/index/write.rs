//! Builds the index from a tree, keeping from the one before what is still true.
//!
//! What the file system said about a file with certain content stays true whatever the commit says,
//! so a record keeps its times as long as path and content stay. A folder whose tree did not change
//! is copied as it lies there, with everything below it: the cost follows the change.

use super::format::{self, HEADER_BYTES, Header, RECORD_BYTES, ROW_BYTES, Row};
use super::{Folder, Index, PathSetId, Record};
use crate::base::id::{FileId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::{AssetPath, PATH_DEPTH_MAX};
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeEntry};
use crate::object::tree_walk::{DirectoryCursor, tree_order};
use crate::worktree::error::{During, Result, WorktreeError};
use crate::worktree::stat::{FileStat, FsTime};
use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What was seen of a file whose content is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// The file.
    pub path: AssetPath,
    /// Its content.
    pub id: FileId,
    /// What the file system said when the content was read or written.
    pub stat: FileStat,
    /// Whether that can be trusted: see [`FileStat::is_settled`].
    pub settled: bool,
}

/// What an index is built from.
pub struct IndexBuild<'a, S> {
    /// Where trees come from.
    pub source: &'a S,
    /// The tree that the index shall hold.
    pub tree: TreeId,
    /// The index before, when there is one.
    pub previous: Option<&'a Index>,
    /// What was seen since, in tree order (see [`tree_order`]).
    pub fresh: &'a [Fresh],
    /// Fingerprint of the set of paths expected on disk.
    pub path_set: PathSetId,
    /// Whether a file at this path is expected on disk.
    pub is_expected: &'a (dyn Fn(&[u8]) -> bool + Sync),
}

/// The fingerprint of "everything is expected on disk".
pub const fn empty_path_set() -> PathSetId {
    [0; 16]
}

/// Builds the index and puts it at `path`, replacing what is there in one step.
///
/// It is not synced: after a power loss it may be missing or damaged, which is noticed when it is
/// opened or used, and then it is built again.
pub fn build_index<S: ObjectSource>(
    build: &IndexBuild<'_, S>,
    path: &Path,
    monitor: &dyn Monitor,
) -> Result<Index> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).during("creating", folder)?;
    let written_at = FsTime::now_in(folder).during("asking the clock of", folder)?;
    let temporary = temporary_beside(path);
    let file = File::create_new(&temporary).during("creating", &temporary);
    let outcome = file.and_then(|file| write_to(build, file, &temporary, written_at, monitor));
    let renamed = outcome.and_then(|()| fs::rename(&temporary, path).during("renaming", &temporary));
    if renamed.is_err() {
        // Nothing refers to it; should removing fail too, the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    renamed?;
    Index::open(path).ok_or(WorktreeError::IndexDamaged)
}

/// Builds the index in memory, for whoever may look but not write. What is seen of files in it is as
/// good as in any other; it is gone with the process.
pub fn build_index_in_memory<S: ObjectSource>(
    build: &IndexBuild<'_, S>,
    monitor: &dyn Monitor,
) -> Result<Index> {
    let place = Path::new("memory");
    let file = memory_file().during("asking for", place)?;
    let reading = file.try_clone().during("opening", place)?;
    write_to(build, file, place, FsTime::NEVER, monitor)?;
    Index::map(&reading).ok_or(WorktreeError::IndexDamaged)
}

/// A file that has no name and no place on any disk.
#[cfg(target_os = "linux")]
fn memory_file() -> std::io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(File::from(memfd_create("pent-index", MemfdFlags::CLOEXEC)?))
}

#[cfg(not(target_os = "linux"))]
fn memory_file() -> std::io::Result<File> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// A name of its own for each writer, so that two at once do not disturb each other.
pub(in crate::worktree) fn temporary_beside(path: &Path) -> PathBuf {
    let number = getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{number:016x}.new"));
    path.with_file_name(name)
}

fn write_to<S: ObjectSource>(
    build: &IndexBuild<'_, S>,
    file: File,
    path: &Path,
    written_at: FsTime,
    monitor: &dyn Monitor,
) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, file);
    out.write_all(&[0; HEADER_BYTES]).during("writing", path)?;
    let mut writer = Writer {
        build,
        monitor,
        path,
        out,
        offset: HEADER_BYTES as u64,
        rows: Vec::new(),
        records: 0,
        fresh: build.fresh,
    };
    let previous = build.previous.map(Index::root).transpose().unwrap_or_default();
    writer.folder(build.tree, previous, &mut Vec::new(), 0)?;
    writer.finish(written_at)
}

struct Writer<'a, 'b, S> {
    build: &'b IndexBuild<'a, S>,
    monitor: &'b dyn Monitor,
    path: &'b Path,
    out: BufWriter<File>,
    offset: u64,
    rows: Vec<Row>,
    records: u64,
    /// What was seen of files that are still to come.
    fresh: &'a [Fresh],
}

/// A folder's block while it grows.
#[derive(Default)]
struct Block {
    records: Vec<u8>,
    names: Vec<u8>,
    metadata: Vec<u8>,
    files: u64,
    bytes: u64,
    flags: u32,
}

impl<'a, S: ObjectSource> Writer<'a, '_, S> {
    /// Writes a folder and everything below it; returns the number of its row.
    fn folder(
        &mut self,
        tree: TreeId,
        previous: Option<Folder<'_>>,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<usize> {
        if self.monitor.is_cancelled() {
            return Err(WorktreeError::Cancelled);
        }
        if let Some(same) = previous.filter(|folder| folder.tree() == tree && self.can_copy(path)) {
            return self.copy(&same);
        }
        if depth > PATH_DEPTH_MAX {
            return Err(WorktreeError::Source { source: "the tree is too deep".into() });
        }
        let number = self.rows.len();
        self.rows.push(Row { tree, ..empty_row() });
        let mut block = Block::default();
        let mut cursor = DirectoryCursor::new(self.build.source, tree);
        while let Some(entry) =
            cursor.next_entry().map_err(|error| WorktreeError::Source { source: error.into() })?
        {
            let length = path.len();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(&entry.name);
            let before = previous.and_then(|folder| folder.find(&entry.name));
            self.entry(&mut block, number, &entry, before, path, depth)?;
            path.truncate(length);
        }
        self.finish_folder(number, &block, path)?;
        Ok(number)
    }

    fn can_copy(&mut self, path: &[u8]) -> bool {
        let same_set = self.build.previous.is_some_and(|index| index.path_set() == self.build.path_set);
        same_set && !self.any_fresh_below(path)
    }

    /// Copies a folder of the index before and all below it as they lie there.
    fn copy(&mut self, folder: &Folder<'_>) -> Result<usize> {
        let first = folder.number;
        let rows: Option<Vec<Row>> =
            (first..first.saturating_add(folder.row.span)).map(|number| folder.index.row(number)).collect();
        let rows = rows.ok_or(WorktreeError::IndexDamaged)?;
        // Blocks of one subtree lie together, its top folder's block last.
        let start = rows.iter().map(|row| row.block_offset).min().unwrap_or(0);
        let end = folder.row.block_offset + folder.row.block_bytes() as u64;
        let bytes = folder.index.map.get(start as usize..end as usize).ok_or(WorktreeError::IndexDamaged)?;
        self.out.write_all(bytes).during("writing", self.path)?;
        let number = self.rows.len();
        for mut row in rows {
            row.block_offset = row.block_offset - start + self.offset;
            self.records += u64::from(row.entries);
            self.rows.push(row);
        }
        self.offset += bytes.len() as u64;
        Ok(number)
    }

    fn entry(
        &mut self,
        block: &mut Block,
        parent: usize,
        entry: &TreeEntry,
        before: Option<Record<'_>>,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<()> {
        let mut record = start_record(block, entry, path)?;
        match &entry.content {
            Content::Directory { id } => {
                let previous = before.filter(Record::is_directory).and_then(|at| at.folder.child(&at).ok());
                let child = self.folder(*id, previous, path, depth + 1)?;
                record[format::EXTRA..format::EXTRA + 4]
                    .copy_from_slice(&((child - parent) as u32).to_le_bytes());
                let row = self.rows[child];
                block.files += row.files;
                block.bytes = block.bytes.saturating_add(row.bytes);
                block.flags |= row.flags;
            }
            Content::Foreign { size, .. } => block.count(*size),
            Content::File { id, size, .. } | Content::Symlink { id, size } => {
                block.count(*size);
                if (self.build.is_expected)(path) {
                    record[format::FLAGS] |= format::RECORD_EXPECTED;
                    block.flags |= format::ROW_ANY_EXPECTED;
                }
                let known = self.take_fresh(path).filter(|fresh| fresh.id == *id);
                let stat = match known {
                    Some(fresh) => fresh.settled.then_some(fresh.stat),
                    None => before.filter(|record| record.file_id() == Some(*id)).and_then(|at| at.stat()),
                };
                if let Some(stat) = stat.filter(|stat| stat.size == *size) {
                    record[format::FLAGS] |= format::RECORD_STAT;
                    record[format::MTIME..format::MTIME + 8].copy_from_slice(&stat.mtime_ns.to_le_bytes());
                    record[format::CTIME..format::CTIME + 8].copy_from_slice(&stat.ctime_ns.to_le_bytes());
                    record[format::INODE..format::INODE + 8].copy_from_slice(&stat.inode.to_le_bytes());
                }
            }
        }
        block.records.extend_from_slice(&record);
        Ok(())
    }

    fn finish_folder(&mut self, number: usize, block: &Block, path: &[u8]) -> Result<()> {
        let too_large =
            || WorktreeError::IndexTooLarge { folder: AssetPath::from_bytes(path).unwrap_or_default() };
        let mut hasher = blake3::Hasher::new();
        for part in [&block.records, &block.names, &block.metadata] {
            hasher.update(part);
            self.out.write_all(part).during("writing", self.path)?;
        }
        let mut checksum = [0; format::CHECKSUM_BYTES];
        checksum.copy_from_slice(&hasher.finalize().as_bytes()[..format::CHECKSUM_BYTES]);
        let row = Row {
            block_offset: self.offset,
            entries: u32::try_from(block.records.len() / RECORD_BYTES).map_err(|_| too_large())?,
            names_bytes: u32::try_from(block.names.len()).map_err(|_| too_large())?,
            metadata_count: u32::try_from(block.metadata.len() / 32).map_err(|_| too_large())?,
            flags: block.flags,
            span: u32::try_from(self.rows.len() - number).map_err(|_| too_large())?,
            tree: self.rows[number].tree,
            checksum,
            files: block.files,
            bytes: block.bytes,
        };
        self.offset += row.block_bytes() as u64;
        self.records += u64::from(row.entries);
        self.rows[number] = row;
        Ok(())
    }

    fn finish(mut self, written_at: FsTime) -> Result<()> {
        let mut table = Vec::with_capacity(self.rows.len() * ROW_BYTES);
        self.rows.iter().for_each(|row| table.extend_from_slice(&row.write()));
        self.out.write_all(&table).during("writing", self.path)?;
        let header = Header {
            base: self.build.tree,
            path_set: self.build.path_set,
            written_ns: written_at.0,
            rows: self.rows.len() as u64,
            records: self.records,
            table_offset: self.offset,
            table_checksum: format::checksum(&table),
        };
        self.out.seek(SeekFrom::Start(0)).during("writing", self.path)?;
        self.out.write_all(&header.write()).during("writing", self.path)?;
        self.out.flush().during("writing", self.path)
    }

    /// Whether anything was seen in a folder; passes over what lies before it.
    fn any_fresh_below(&mut self, path: &[u8]) -> bool {
        self.skip_fresh_before(path);
        let Some(next) = self.fresh.first() else { return false };
        let next = next.path.as_bytes();
        path.is_empty() || next.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    /// What was seen at a path; passes over what lies before it.
    fn take_fresh(&mut self, path: &[u8]) -> Option<&'a Fresh> {
        self.skip_fresh_before(path);
        let (first, rest) = self.fresh.split_first()?;
        if first.path.as_bytes() != path {
            return None;
        }
        self.fresh = rest;
        Some(first)
    }

    fn skip_fresh_before(&mut self, path: &[u8]) {
        if self.fresh.is_empty() || path.is_empty() {
            return;
        }
        let Ok(here) = AssetPath::from_bytes(path) else { return };
        while let Some((first, rest)) = self.fresh.split_first() {
            if tree_order(&first.path, &here).is_ge() {
                break;
            }
            self.fresh = rest;
        }
    }
}

impl Block {
    fn count(&mut self, size: u64) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(size);
    }
}

/// Fills in what every record has and adds the name and metadata to the block.
fn start_record(block: &mut Block, entry: &TreeEntry, path: &[u8]) -> Result<[u8; RECORD_BYTES]> {
    let too_large =
        || WorktreeError::IndexTooLarge { folder: AssetPath::from_bytes(path).unwrap_or_default() };
    let mut record = [0; RECORD_BYTES];
    let name_offset = u32::try_from(block.names.len()).map_err(|_| too_large())?;
    let name_bytes = u16::try_from(entry.name.len()).map_err(|_| too_large())?;
    record[..4].copy_from_slice(&name_offset.to_le_bytes());
    record[format::NAME_BYTES..format::NAME_BYTES + 2].copy_from_slice(&name_bytes.to_le_bytes());
    block.names.extend_from_slice(&entry.name);
    if let Some(asset) = &entry.asset {
        record[format::FLAGS] |= format::RECORD_ASSET;
        record[format::ASSET..format::ASSET + 16].copy_from_slice(asset.as_bytes());
    }
    if let Some(metadata) = &entry.metadata {
        block.metadata.extend_from_slice(metadata.as_bytes());
        let number = u32::try_from(block.metadata.len() / 32).map_err(|_| too_large())?;
        record[format::METADATA..format::METADATA + 4].copy_from_slice(&number.to_le_bytes());
    }
    let (kind, id, size) = match &entry.content {
        Content::File { id, size, executable: false } => (format::KIND_FILE, id.as_bytes().as_slice(), *size),
        Content::File { id, size, executable: true } => {
            (format::KIND_EXECUTABLE, id.as_bytes().as_slice(), *size)
        }
        Content::Symlink { id, size } => (format::KIND_SYMLINK, id.as_bytes().as_slice(), *size),
        Content::Directory { .. } => (format::KIND_DIRECTORY, [].as_slice(), 0),
        Content::Foreign { algorithm, digest, size, executable } => {
            let number = format::algorithm_number(*algorithm);
            record[format::EXTRA..format::EXTRA + 4].copy_from_slice(&number.to_le_bytes());
            let kind = if *executable { format::KIND_FOREIGN_EXECUTABLE } else { format::KIND_FOREIGN };
            (kind, digest.get(..digest.len().min(32)).unwrap_or_default(), *size)
        }
    };
    record[format::KIND] = kind;
    record[format::ID..format::ID + id.len()].copy_from_slice(id);
    record[format::SIZE..format::SIZE + 8].copy_from_slice(&size.to_le_bytes());
    Ok(record)
}

fn empty_row() -> Row {
    Row {
        block_offset: 0,
        entries: 0,
        names_bytes: 0,
        metadata_count: 0,
        flags: 0,
        span: 1,
        tree: TreeId::from_bytes([0; 32]),
        checksum: [0; format::CHECKSUM_BYTES],
        files: 0,
        bytes: 0,
    }
}
