//! Blocks: the runs of chunks that a pack is made of.

use crate::base::id::ChunkId;
use crate::store::error::Damage;
use crate::store::pack::{BLOCK_RAW_BYTES_MAX, BLOCK_RECORDS_MAX};

/// Length of a block header without its records, checksum included, in bytes.
pub const FIXED_BYTES: usize = PREFIX_BYTES + CHECKSUM_BYTES;
/// Length of what stands before the records.
pub const PREFIX_BYTES: usize = 16;
/// Length of one record.
pub const RECORD_BYTES: usize = 36;
const CHECKSUM_BYTES: usize = 8;
/// The first bytes of every block.
pub const MARKER: &[u8; 4] = b"PBLK";

/// How the bytes of a block are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// As they are.
    Raw,
    /// One zstd frame.
    Zstd,
}

impl Codec {
    const fn code(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Zstd => 1,
        }
    }
}

/// One chunk of a block; chunks follow one another in the raw bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The chunk.
    pub id: ChunkId,
    /// Its raw length in bytes.
    pub length: u32,
}

/// What a block says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockHeader {
    /// How the payload is packed.
    pub codec: Codec,
    /// Length of the payload in bytes.
    pub stored_length: u32,
    /// The chunks, in the order of their bytes.
    pub records: Vec<Record>,
}

/// The first bytes of a block header: enough to know how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// How the payload is packed.
    pub codec: Codec,
    /// Number of chunks.
    pub records: u16,
    /// Unpacked length in bytes.
    pub raw_length: u32,
    /// Length of the payload in bytes.
    pub stored_length: u32,
}

impl Prefix {
    /// Reads the first 16 bytes of a block.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let bytes: &[u8; PREFIX_BYTES] =
            bytes.get(..PREFIX_BYTES).and_then(|b| b.try_into().ok()).ok_or(Damage::BlockLength)?;
        if &bytes[..4] != MARKER {
            return Err(Damage::Marker);
        }
        let codec = match bytes[4] {
            0 => Codec::Raw,
            1 => Codec::Zstd,
            _ => return Err(Damage::Codec),
        };
        let prefix = Self {
            codec,
            records: u16::from_le_bytes([bytes[6], bytes[7]]),
            raw_length: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            stored_length: u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]),
        };
        let fits = bytes[5] == 0
            && (1..=BLOCK_RECORDS_MAX).contains(&usize::from(prefix.records))
            && prefix.raw_length as usize <= BLOCK_RAW_BYTES_MAX
            && match codec {
                Codec::Raw => prefix.stored_length == prefix.raw_length,
                Codec::Zstd => prefix.stored_length < prefix.raw_length,
            };
        if fits { Ok(prefix) } else { Err(Damage::Lengths) }
    }

    /// Length of the whole header in bytes.
    pub fn header_length(&self) -> usize {
        FIXED_BYTES + usize::from(self.records) * RECORD_BYTES
    }

    /// Length of header and payload in bytes.
    pub fn block_length(&self) -> u64 {
        self.header_length() as u64 + u64::from(self.stored_length)
    }
}

impl BlockHeader {
    /// Length of the header in bytes.
    pub fn header_length(&self) -> usize {
        FIXED_BYTES + self.records.len() * RECORD_BYTES
    }

    /// Length of header and payload in bytes.
    pub fn block_length(&self) -> u64 {
        self.header_length() as u64 + u64::from(self.stored_length)
    }

    /// Unpacked length in bytes.
    pub fn raw_length(&self) -> u64 {
        self.records.iter().map(|record| u64::from(record.length)).sum()
    }

    /// Appends the header to `into`.
    ///
    /// The caller keeps to the limits of format 1: 1 to 4096 records, 4 MiB of raw bytes.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let start = into.len();
        into.extend_from_slice(MARKER);
        into.extend_from_slice(&[self.codec.code(), 0]);
        into.extend_from_slice(&(self.records.len() as u16).to_le_bytes());
        into.extend_from_slice(&(self.raw_length() as u32).to_le_bytes());
        into.extend_from_slice(&self.stored_length.to_le_bytes());
        for record in &self.records {
            into.extend_from_slice(record.id.as_bytes());
            into.extend_from_slice(&record.length.to_le_bytes());
        }
        let sum = blake3::hash(&into[start..]);
        into.extend_from_slice(&sum.as_bytes()[..CHECKSUM_BYTES]);
    }

    /// Reads a header from the front of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let (prefix, records) = checked_records(bytes)?;
        let records = records.collect();
        Ok(Self { codec: prefix.codec, stored_length: prefix.stored_length, records })
    }
}

/// Checks a header at the front of `bytes` and gives its records without allocating.
pub fn checked_records(bytes: &[u8]) -> Result<(Prefix, impl Iterator<Item = Record> + '_), Damage> {
    let prefix = Prefix::decode(bytes)?;
    let length = prefix.header_length();
    let header = bytes.get(..length).ok_or(Damage::BlockLength)?;
    let (summed, sum) = header.split_at(length - CHECKSUM_BYTES);
    if blake3::hash(summed).as_bytes()[..CHECKSUM_BYTES] != *sum {
        return Err(Damage::HeaderChecksum);
    }
    let records = summed[PREFIX_BYTES..].chunks_exact(RECORD_BYTES).map(|bytes| {
        let (mut id, mut length) = ([0u8; ChunkId::SIZE], [0u8; 4]);
        id.copy_from_slice(&bytes[..ChunkId::SIZE]);
        length.copy_from_slice(&bytes[ChunkId::SIZE..]);
        Record { id: ChunkId::from_bytes(id), length: u32::from_le_bytes(length) }
    });
    let raw: u64 = records.clone().map(|record| u64::from(record.length)).sum();
    if raw != u64::from(prefix.raw_length) || records.clone().any(|record| record.length == 0) {
        return Err(Damage::Lengths);
    }
    Ok((prefix, records))
}
