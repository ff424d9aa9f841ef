//! Remembers the hashes of files that are not as committed, so that asking for the status twice
//! reads them once.
//!
//! It stands beside the index rather than in it: it changes with every save of a file, the index
//! with every commit. A row says: at this path, a file with this size, these times and this inode
//! has this content. That stays true for ever; how many of its bytes are new to the repository
//! holds for one base tree only. Like the index it may vanish or be damaged at no loss.

use super::error::{During, Result};
use super::index::temporary_beside;
use super::stat::FileStat;
use crate::base::id::{FileId, TreeId};
use crate::base::path::AssetPath;
use memmap2::Mmap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

const MAGIC: &[u8; 8] = b"pentseen";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 80;
const CHECKSUM_AT: usize = 64;
const ROW_BYTES: usize = 88;
const HAS_NEW_BYTES: u32 = 1;

/// What is remembered of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFile {
    /// The file.
    pub path: AssetPath,
    /// What the file system said of it; settled.
    pub stat: FileStat,
    /// Its content.
    pub id: FileId,
    /// How many of its bytes the repository did not have.
    pub new_bytes: Option<u64>,
}

/// The remembered hashes, mapped into memory.
#[derive(Debug)]
pub struct Seen {
    map: Mmap,
    rows: usize,
    base: TreeId,
}

impl Seen {
    /// Opens the file. `None` when it is missing, damaged or of another version.
    pub fn open(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        // SAFETY: read as plain bytes whose meaning is checked; the file is replaced by renaming and
        // never written in place.
        let map = unsafe { Mmap::map(&file) }.ok()?;
        let header = map.get(..HEADER_BYTES)?;
        if &header[..8] != MAGIC || number_at(header, 8, 4) != u64::from(VERSION) {
            return None;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&map[..CHECKSUM_AT]).update(&map[HEADER_BYTES..]);
        if hasher.finalize().as_bytes()[..16] != header[CHECKSUM_AT..] {
            return None;
        }
        let rows = usize::try_from(number_at(header, 16, 8)).ok()?;
        let heap = rows.checked_mul(ROW_BYTES)?.checked_add(HEADER_BYTES)?;
        let base = TreeId::from_slice(&header[24..56])?;
        (heap <= map.len()).then_some(Self { map, rows, base })
    }

    /// The tree that was the base when the numbers of new bytes were found.
    pub fn base(&self) -> TreeId {
        self.base
    }

    /// How many files are remembered.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// What is known of a file that looks like this.
    pub fn find(&self, path: &AssetPath, stat: &FileStat) -> Option<SeenFile> {
        let (mut low, mut high) = (0, self.rows);
        while low < high {
            let middle = usize::midpoint(low, high);
            let row = self.row(middle)?;
            match self.path_of(row).cmp(path.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return read_row(row, path).filter(|seen| seen.stat == *stat),
            }
        }
        None
    }

    /// Everything that is remembered, by path.
    pub fn files(&self) -> impl Iterator<Item = SeenFile> + '_ {
        (0..self.rows).filter_map(|position| {
            let row = self.row(position)?;
            let path = AssetPath::from_bytes(self.path_of(row)).ok()?;
            read_row(row, &path)
        })
    }

    fn row(&self, position: usize) -> Option<&[u8]> {
        let start = HEADER_BYTES + position * ROW_BYTES;
        self.map.get(start..start + ROW_BYTES)
    }

    fn path_of(&self, row: &[u8]) -> &[u8] {
        let heap = HEADER_BYTES + self.rows * ROW_BYTES;
        let start = usize::try_from(number_at(row, 0, 8)).unwrap_or(usize::MAX).saturating_add(heap);
        let end = start.saturating_add(number_at(row, 8, 4) as usize);
        self.map.get(start..end).unwrap_or_default()
    }
}

fn read_row(row: &[u8], path: &AssetPath) -> Option<SeenFile> {
    let has_new_bytes = number_at(row, 12, 4) & u64::from(HAS_NEW_BYTES) != 0;
    Some(SeenFile {
        path: path.clone(),
        stat: FileStat {
            size: number_at(row, 16, 8),
            mtime_ns: number_at(row, 24, 8) as i64,
            ctime_ns: number_at(row, 32, 8) as i64,
            inode: number_at(row, 40, 8),
        },
        new_bytes: has_new_bytes.then(|| number_at(row, 48, 8)),
        id: FileId::from_slice(row.get(56..ROW_BYTES)?)?,
    })
}

/// Reads a little-endian number of 4 or 8 bytes; 0 past the end, which no caller reaches.
fn number_at(bytes: &[u8], at: usize, length: usize) -> u64 {
    let mut wide = [0; 8];
    if let Some(part) = bytes.get(at..at + length) {
        wide[..length].copy_from_slice(part);
    }
    u64::from_le_bytes(wide)
}

/// Replaces what is remembered at `path`. Not synced: losing it costs reading some files again.
pub fn write_seen(path: &Path, base: TreeId, mut files: Vec<SeenFile>) -> Result<()> {
    files.sort_by(|left, right| left.path.cmp(&right.path));
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&(files.len() as u64).to_le_bytes());
    header[24..56].copy_from_slice(base.as_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header[..CHECKSUM_AT]);
    let mut heap = 0u64;
    for file in &files {
        hasher.update(&write_row(file, heap));
        heap += file.path.as_bytes().len() as u64;
    }
    for file in &files {
        hasher.update(file.path.as_bytes());
    }
    header[CHECKSUM_AT..].copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    let temporary = temporary_beside(path);
    let written = write_file(&temporary, &header, &files);
    let outcome = written.and_then(|()| fs::rename(&temporary, path)).during("writing", path);
    if outcome.is_err() {
        // Nothing refers to it; the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    outcome
}

fn write_file(path: &Path, header: &[u8], files: &[SeenFile]) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 18, File::create_new(path)?);
    out.write_all(header)?;
    let mut heap = 0u64;
    for file in files {
        out.write_all(&write_row(file, heap))?;
        heap += file.path.as_bytes().len() as u64;
    }
    files.iter().try_for_each(|file| out.write_all(file.path.as_bytes()))?;
    out.flush()
}

fn write_row(file: &SeenFile, heap: u64) -> [u8; ROW_BYTES] {
    let mut row = [0; ROW_BYTES];
    let flags = if file.new_bytes.is_some() { HAS_NEW_BYTES } else { 0 };
    row[0..8].copy_from_slice(&heap.to_le_bytes());
    row[8..12].copy_from_slice(&(file.path.as_bytes().len() as u32).to_le_bytes());
    row[12..16].copy_from_slice(&flags.to_le_bytes());
    row[16..24].copy_from_slice(&file.stat.size.to_le_bytes());
    row[24..32].copy_from_slice(&file.stat.mtime_ns.to_le_bytes());
    row[32..40].copy_from_slice(&file.stat.ctime_ns.to_le_bytes());
    row[40..48].copy_from_slice(&file.stat.inode.to_le_bytes());
    row[48..56].copy_from_slice(&file.new_bytes.unwrap_or(0).to_le_bytes());
    row[56..88].copy_from_slice(file.id.as_bytes());
    row
}

/// Puts the checksum of changed bytes right, so that their content is looked at.
#[cfg(any(test, fuzzing))]
pub(in crate::worktree) fn fuzz_mend(bytes: &mut [u8]) {
    if bytes.len() >= HEADER_BYTES {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes[..CHECKSUM_AT]).update(&bytes[HEADER_BYTES..]);
        bytes[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, seed: u8) -> SeenFile {
        SeenFile {
            path: AssetPath::from_bytes(text).expect("a valid path"),
            stat: FileStat { size: u64::from(seed), mtime_ns: -1, ctime_ns: 2, inode: 3 },
            id: FileId::from_bytes([seed; 32]),
            new_bytes: seed.is_multiple_of(2).then_some(7),
        }
    }

    #[test]
    fn what_was_written_is_found_by_path_and_looks() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("seen");
        let files = vec![seen("b", 2), seen("a/c", 3), seen("a", 4)];
        write_seen(&path, TreeId::from_bytes([9; 32]), files.clone()).expect("written");
        let read = Seen::open(&path).expect("opened");
        assert_eq!((read.len(), read.base()), (3, TreeId::from_bytes([9; 32])));
        for file in &files {
            assert_eq!(read.find(&file.path, &file.stat).as_ref(), Some(file));
            let other = FileStat { ctime_ns: 99, ..file.stat };
            assert_eq!(read.find(&file.path, &other), None);
        }
        assert_eq!(read.find(&seen("aa", 1).path, &files[0].stat), None);
    }

    #[test]
    fn damage_anywhere_makes_it_vanish() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("seen");
        write_seen(&path, TreeId::from_bytes([9; 32]), vec![seen("a", 1), seen("b", 2)]).expect("written");
        let good = fs::read(&path).expect("read");
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 1;
            fs::write(&path, &bad).expect("written");
            assert!(Seen::open(&path).is_none(), "byte {position}");
        }
        fs::write(&path, &good[..good.len() - 1]).expect("written");
        assert!(Seen::open(&path).is_none());
    }
}
