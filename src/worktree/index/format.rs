//! Where things stand in the index file; all numbers are little-endian.

use crate::base::id::TreeId;
use crate::object::tree::ForeignAlgorithm;

/// First bytes of the file.
const MAGIC: &[u8; 8] = b"pentwtix";
/// Version of the layout. Another version is treated like a missing file.
const VERSION: u32 = 1;
/// Length of the header.
pub const HEADER_BYTES: usize = 144;
/// The part of the header that its checksum covers.
const HEADER_CHECKED: usize = 128;
/// Length of a checksum: the first bytes of a BLAKE3 hash.
pub const CHECKSUM_BYTES: usize = 16;
/// Length of a row of the table of folders.
pub const ROW_BYTES: usize = 96;
/// Length of a record.
pub const RECORD_BYTES: usize = 96;

pub const NAME_OFFSET: usize = 0;
pub const NAME_BYTES: usize = 4;
pub const KIND: usize = 6;
pub const FLAGS: usize = 7;
pub const METADATA: usize = 8;
pub const EXTRA: usize = 12;
pub const ASSET: usize = 16;
pub const ID: usize = 32;
pub const SIZE: usize = 64;
pub const MTIME: usize = 72;
pub const CTIME: usize = 80;
pub const INODE: usize = 88;

pub const KIND_FILE: u8 = 1;
pub const KIND_EXECUTABLE: u8 = 2;
pub const KIND_DIRECTORY: u8 = 3;
pub const KIND_SYMLINK: u8 = 4;
pub const KIND_FOREIGN: u8 = 5;
pub const KIND_FOREIGN_EXECUTABLE: u8 = 6;

/// The record has an asset id.
pub const RECORD_ASSET: u8 = 1;
/// The record's times and inode can be trusted.
pub const RECORD_STAT: u8 = 2;
/// The file is expected on disk.
pub const RECORD_EXPECTED: u8 = 4;
/// Some file in the folder or below is expected on disk.
pub const ROW_ANY_EXPECTED: u32 = 1;

/// The header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub base: TreeId,
    pub path_set: [u8; 16],
    pub written_ns: i64,
    pub rows: u64,
    pub records: u64,
    pub table_offset: u64,
    pub table_checksum: [u8; CHECKSUM_BYTES],
}

impl Header {
    /// Reads and checks the header and the table of folders; `None` when anything is amiss.
    pub fn read(file: &[u8]) -> Option<Self> {
        let bytes = file.get(..HEADER_BYTES)?;
        if &bytes[..8] != MAGIC || u32_at(bytes, 8) != VERSION {
            return None;
        }
        if checksum(&bytes[..HEADER_CHECKED]).as_slice() != &bytes[HEADER_CHECKED..] {
            return None;
        }
        let header = Self {
            base: TreeId::from_slice(&bytes[16..48])?,
            path_set: bytes[48..64].try_into().ok()?,
            written_ns: u64_at(bytes, 64) as i64,
            rows: u64_at(bytes, 72),
            records: u64_at(bytes, 80),
            table_offset: u64_at(bytes, 88),
            table_checksum: bytes[104..120].try_into().ok()?,
        };
        let table_bytes = header.rows.checked_mul(ROW_BYTES as u64)?;
        let end = header.table_offset.checked_add(table_bytes)?;
        let table = file.get(usize::try_from(header.table_offset).ok()?..)?;
        let fits = header.rows > 0 && end == file.len() as u64 && u64_at(bytes, 96) == end;
        (fits && checksum(table) == header.table_checksum).then_some(header)
    }

    /// The header's bytes.
    pub fn write(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..48].copy_from_slice(self.base.as_bytes());
        bytes[48..64].copy_from_slice(&self.path_set);
        bytes[64..72].copy_from_slice(&self.written_ns.to_le_bytes());
        bytes[72..80].copy_from_slice(&self.rows.to_le_bytes());
        bytes[80..88].copy_from_slice(&self.records.to_le_bytes());
        bytes[88..96].copy_from_slice(&self.table_offset.to_le_bytes());
        let end = self.table_offset + self.rows * ROW_BYTES as u64;
        bytes[96..104].copy_from_slice(&end.to_le_bytes());
        bytes[104..120].copy_from_slice(&self.table_checksum);
        let sum = checksum(&bytes[..HEADER_CHECKED]);
        bytes[HEADER_CHECKED..].copy_from_slice(&sum);
        bytes
    }
}

/// One row of the table of folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub block_offset: u64,
    pub entries: u32,
    pub names_bytes: u32,
    pub metadata_count: u32,
    pub flags: u32,
    /// How many rows this folder and those below it take.
    pub span: u32,
    pub tree: TreeId,
    pub checksum: [u8; CHECKSUM_BYTES],
    /// Files and links in it and below.
    pub files: u64,
    /// Their sizes together.
    pub bytes: u64,
}

impl Row {
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; ROW_BYTES] = bytes.try_into().ok()?;
        Some(Self {
            block_offset: u64_at(bytes, 0),
            entries: u32_at(bytes, 8),
            names_bytes: u32_at(bytes, 12),
            metadata_count: u32_at(bytes, 16),
            flags: u32_at(bytes, 20),
            span: u32_at(bytes, 24),
            tree: TreeId::from_slice(&bytes[32..64])?,
            checksum: bytes[64..80].try_into().ok()?,
            files: u64_at(bytes, 80),
            bytes: u64_at(bytes, 88),
        })
    }

    pub fn write(&self) -> [u8; ROW_BYTES] {
        let mut bytes = [0; ROW_BYTES];
        bytes[0..8].copy_from_slice(&self.block_offset.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.entries.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.names_bytes.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.metadata_count.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.flags.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.span.to_le_bytes());
        bytes[32..64].copy_from_slice(self.tree.as_bytes());
        bytes[64..80].copy_from_slice(&self.checksum);
        bytes[80..88].copy_from_slice(&self.files.to_le_bytes());
        bytes[88..96].copy_from_slice(&self.bytes.to_le_bytes());
        bytes
    }

    /// Length of the folder's block: records, names, metadata ids.
    pub fn block_bytes(&self) -> usize {
        self.entries as usize * RECORD_BYTES + self.names_bytes as usize + self.metadata_count as usize * 32
    }
}

/// The first bytes of the BLAKE3 hash.
pub fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut short = [0; CHECKSUM_BYTES];
    short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..CHECKSUM_BYTES]);
    short
}

/// Number for a foreign hash, in the field `EXTRA`.
pub fn algorithm_number(algorithm: ForeignAlgorithm) -> u32 {
    match algorithm {
        ForeignAlgorithm::Sha256 => 1,
        ForeignAlgorithm::GitBlobSha1 => 2,
        ForeignAlgorithm::GitBlobSha256 => 3,
    }
}

/// Reverses [`algorithm_number`].
pub fn algorithm_of(number: u32) -> Option<ForeignAlgorithm> {
    match number {
        1 => Some(ForeignAlgorithm::Sha256),
        2 => Some(ForeignAlgorithm::GitBlobSha1),
        3 => Some(ForeignAlgorithm::GitBlobSha256),
        _ => None,
    }
}

/// Reads a number; 0 past the end, which no caller reaches.
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|part| part.try_into().ok()).map_or(0, u64::from_le_bytes)
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_le_bytes)
}

pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|part| part.try_into().ok()).map_or(0, u16::from_le_bytes)
}

/// Puts the checksums of a changed index right, so that its content is looked at.
#[cfg(any(test, fuzzing))]
pub fn fuzz_mend(bytes: &mut [u8]) {
    if bytes.len() < HEADER_BYTES {
        return;
    }
    let table = usize::try_from(u64_at(bytes, 88)).unwrap_or(usize::MAX).min(bytes.len());
    for start in (table..bytes.len().saturating_sub(ROW_BYTES - 1)).step_by(ROW_BYTES) {
        let Some(row) = Row::read(&bytes[start..start + ROW_BYTES]) else { continue };
        let block = usize::try_from(row.block_offset).unwrap_or(usize::MAX);
        let Some(block) = bytes.get(block..).and_then(|rest| rest.get(..row.block_bytes())) else { continue };
        let sum = checksum(block);
        bytes[start + 64..start + 80].copy_from_slice(&sum);
    }
    let length = (bytes.len() as u64).to_le_bytes();
    bytes[96..104].copy_from_slice(&length);
    let rows = (bytes.len() - table) / ROW_BYTES;
    bytes[72..80].copy_from_slice(&(rows as u64).to_le_bytes());
    let sum = checksum(&bytes[table..]);
    bytes[104..120].copy_from_slice(&sum);
    let sum = checksum(&bytes[..HEADER_CHECKED]);
    bytes[HEADER_CHECKED..HEADER_BYTES].copy_from_slice(&sum);
}
