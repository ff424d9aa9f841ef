//! The end of a sealed pack: every block header again, so that the index can be rebuilt without
//! reading the payloads.

use crate::store::error::Damage;
use crate::store::pack::block::BlockHeader;

/// Length of the trailer at the very end in bytes.
pub const TRAILER_BYTES: usize = 56;

const MAGIC: &[u8; 8] = b"PENTFOOT";

/// Where a block stands and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockEntry {
    /// Offset of its header from the start of the pack in bytes.
    pub offset: u64,
    /// Its header.
    pub header: BlockHeader,
}

/// Writes footer and trailer.
pub fn encode(blocks: &[BlockEntry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in blocks {
        bytes.extend_from_slice(&block.offset.to_le_bytes());
        block.header.encode(&mut bytes);
    }
    let length = bytes.len() as u64;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&(blocks.len() as u64).to_le_bytes());
    hasher.update(&bytes[length as usize..]);
    bytes.extend_from_slice(hasher.finalize().as_bytes());
    bytes.extend_from_slice(MAGIC);
    bytes
}

/// Reads the trailer: the length of the footer before it in bytes.
pub fn footer_length(trailer: &[u8]) -> Result<u64, Damage> {
    let trailer: &[u8; TRAILER_BYTES] = trailer.try_into().map_err(|_| Damage::Footer)?;
    if &trailer[48..] != MAGIC {
        return Err(Damage::Footer);
    }
    Ok(u64::from_le_bytes(first8(trailer)))
}

fn first8(bytes: &[u8]) -> [u8; 8] {
    let mut array = [0u8; 8];
    array.copy_from_slice(&bytes[..8]);
    array
}

/// Reads footer and trailer, which `bytes` hold exactly.
pub fn decode(bytes: &[u8]) -> Result<Vec<BlockEntry>, Damage> {
    let split = bytes.len().checked_sub(TRAILER_BYTES).ok_or(Damage::Footer)?;
    let (mut rest, trailer) = bytes.split_at(split);
    if footer_length(trailer)? != split as u64
        || blake3::hash(&bytes[..split + 16]).as_bytes() != &trailer[16..48]
    {
        return Err(Damage::Footer);
    }
    let count = u64::from_le_bytes(first8(&trailer[8..]));
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        if rest.len() < 8 {
            return Err(Damage::Footer);
        }
        let offset = u64::from_le_bytes(first8(rest));
        let header = BlockHeader::decode(&rest[8..])?;
        rest = &rest[8 + header.header_length()..];
        blocks.push(BlockEntry { offset, header });
    }
    if blocks.len() as u64 == count { Ok(blocks) } else { Err(Damage::Footer) }
}

/// Whether the blocks follow one another without a gap from `start` to `end`.
pub fn contiguous(blocks: &[BlockEntry], start: u64, end: u64) -> bool {
    let mut offset = start;
    for block in blocks {
        if block.offset != offset {
            return false;
        }
        offset += block.header.block_length();
    }
    offset == end
}
