//! Packs on their way to another place: built in memory from blocks as they lie here, and taken
//! apart there block by block.
//!
//! A block travels as it is stored, so nothing is packed a second time. Whoever sends has compared
//! the hash of every chunk; whoever receives does so again.

use std::collections::HashSet;

use crate::base::id::{ChunkId, PackId};
use crate::store::compress::{self, Effort};
use crate::store::error::{Damage, Result, StoreError};
use crate::store::pack::block::{BlockHeader, Codec, Prefix, Record, checked_records};
use crate::store::pack::footer::{self, BlockEntry};
use crate::store::pack::header::{self, HEADER_BYTES};

/// Raw length at which a block of small chunks is closed, in bytes.
const GROUP_BYTES: usize = 96 * 1024;

/// A sealed pack in memory.
#[derive(Debug, Clone)]
pub struct BuiltPack {
    /// Its id.
    pub id: PackId,
    /// All of it.
    pub bytes: Vec<u8>,
    /// Its blocks, in order.
    pub blocks: Vec<BlockEntry>,
}

/// Puts a pack together in memory. The caller bounds its length by looking at [`PackBuilder::len`].
#[derive(Debug)]
pub struct PackBuilder {
    bytes: Vec<u8>,
    blocks: Vec<BlockEntry>,
    small: Vec<u8>,
    small_records: Vec<Record>,
}

impl PackBuilder {
    /// An empty pack; `bytes_expected` is how long it will probably become.
    pub fn new(bytes_expected: usize) -> Self {
        Self::reusing(Vec::with_capacity(bytes_expected + HEADER_BYTES))
    }

    /// An empty pack in the memory of an earlier one: fresh memory costs as much time as what is put into it.
    pub fn reusing(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        bytes.resize(HEADER_BYTES, 0);
        Self { bytes, blocks: Vec::new(), small: Vec::new(), small_records: Vec::new() }
    }

    /// Length so far in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.small.len()
    }

    /// Whether nothing was put into it.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.small_records.is_empty()
    }

    /// Adds a block as it was stored.
    pub fn push_block(&mut self, header: BlockHeader, payload: &[u8]) {
        let offset = self.bytes.len() as u64;
        header.encode(&mut self.bytes);
        self.bytes.extend_from_slice(payload);
        self.blocks.push(BlockEntry { offset, header });
    }

    /// Adds one chunk of a block whose others do not come along; such chunks share blocks again.
    pub fn push_chunk(&mut self, id: ChunkId, raw: &[u8]) {
        self.small.extend_from_slice(raw);
        self.small_records.push(Record { id, length: raw.len() as u32 });
        if self.small.len() >= GROUP_BYTES || self.small_records.len() >= 1024 {
            self.close_group();
        }
    }

    fn close_group(&mut self) {
        if self.small_records.is_empty() {
            return;
        }
        let (raw, records) = (std::mem::take(&mut self.small), std::mem::take(&mut self.small_records));
        let mut packed = Vec::new();
        let codec = compress::pack(&raw, Effort::Full, &mut packed);
        let payload = if codec == Codec::Raw { &raw } else { &packed };
        self.push_block(BlockHeader { codec, stored_length: payload.len() as u32, records }, payload);
    }

    /// The blocks alone, for an answer that is no pack: where each lies in the bytes.
    pub fn into_blocks(mut self) -> (Vec<u8>, Vec<BlockEntry>) {
        self.close_group();
        (self.bytes, self.blocks)
    }

    /// Seals the pack. Its id follows from what is in it and from `salt`: built again with the same one
    /// it is the same pack, and with another one it never is.
    ///
    /// The footer has the hashes of all chunks, so what is stored as it is need not be hashed once more.
    pub fn finish(mut self, salt: &[u8; 16]) -> BuiltPack {
        self.close_group();
        let mut bytes = self.bytes;
        let mut hasher = blake3::Hasher::new_derive_key("pentimento pack name v2");
        for block in self.blocks.iter().filter(|block| block.header.codec != Codec::Raw) {
            let start = block.offset as usize;
            let length = block.header.block_length() as usize;
            hasher.update(&bytes[start..start + length]);
        }
        let footer = footer::encode(&self.blocks);
        let id = named(hasher.update(&footer).update(salt));
        bytes.extend_from_slice(&footer);
        bytes[..HEADER_BYTES].copy_from_slice(&header::encode(id));
        BuiltPack { id, bytes, blocks: self.blocks }
    }
}

/// The id of a parcel of these bytes: of them and of `salt`, so that what was removed once never comes
/// back under its name.
pub fn salted_id(context: &'static str, bytes: &[u8], salt: &[u8; 16]) -> PackId {
    named(blake3::Hasher::new_derive_key(context).update(bytes).update(salt))
}

fn named(hasher: &blake3::Hasher) -> PackId {
    let mut id = [0u8; PackId::SIZE];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..PackId::SIZE]);
    PackId::from_bytes(id)
}

/// A block with its chunks unpacked and compared with their ids.
#[derive(Debug)]
pub struct OpenBlock<'a> {
    /// What it says about itself.
    pub header: BlockHeader,
    /// The payload as it is stored.
    pub payload: &'a [u8],
    raw: Option<Vec<u8>>,
}

impl<'a> OpenBlock<'a> {
    /// Takes exactly one block and checks everything about it.
    pub fn open(block: &'a [u8]) -> Result<Self, Damage> {
        let (prefix, records) = checked_records(block)?;
        let header = BlockHeader {
            codec: prefix.codec,
            stored_length: prefix.stored_length,
            records: records.collect(),
        };
        let payload = &block[prefix.header_length()..];
        if payload.len() != prefix.stored_length as usize {
            return Err(Damage::BlockLength);
        }
        let raw = match prefix.codec {
            Codec::Raw => None,
            Codec::Zstd => {
                let mut raw = Vec::new();
                compress::unpack(payload, prefix.raw_length as usize, &mut raw)?;
                Some(raw)
            }
        };
        let block = Self { header, payload, raw };
        if block.chunks().all(|(id, raw)| ChunkId::of(raw) == id) { Ok(block) } else { Err(Damage::Content) }
    }

    /// Its chunks with their raw bytes.
    pub fn chunks(&self) -> impl Iterator<Item = (ChunkId, &[u8])> {
        let raw = self.raw.as_deref().unwrap_or(self.payload);
        let mut offset = 0;
        self.header.records.iter().map(move |record| {
            let start = offset;
            offset += record.length as usize;
            (record.id, raw.get(start..offset).unwrap_or_default())
        })
    }

    /// Whether every chunk is among `wanted`.
    pub fn is_wholly(&self, wanted: &HashSet<ChunkId>) -> bool {
        self.header.records.iter().all(|record| wanted.contains(&record.id))
    }
}

/// Length of the block that begins `bytes`; `None` when there are too few bytes to tell.
pub fn block_length(bytes: &[u8]) -> Result<Option<usize>, Damage> {
    if bytes.len() < crate::store::pack::block::PREFIX_BYTES {
        return Ok(None);
    }
    Prefix::decode(bytes).map(|prefix| Some(prefix.block_length() as usize))
}

/// The chunks that a block says it has; none of one that says nothing sensible.
pub fn block_chunks(block: &[u8]) -> impl Iterator<Item = ChunkId> {
    let records = checked_records(block).ok().map(|(_, records)| records);
    records.into_iter().flatten().map(|record| record.id)
}

/// The blocks of a whole sealed pack. Its header, its footer and their agreement are checked; what
/// is in the blocks is for [`OpenBlock::open`].
pub fn pack_blocks(bytes: &[u8]) -> Result<(PackId, Vec<BlockEntry>)> {
    let unnamed = PackId::from_bytes([0; 16]);
    let damaged = |pack, damage| StoreError::PackDamaged { pack, offset: 0, chunk: None, damage };
    let id = header::decode(bytes).map_err(|error| match error {
        header::HeaderError::Damaged(damage) => damaged(unnamed, damage),
        header::HeaderError::Unknown => StoreError::PackFeature { pack: unnamed },
    })?;
    let footer = || -> Result<Vec<BlockEntry>, Damage> {
        let end = bytes.len().checked_sub(footer::TRAILER_BYTES).ok_or(Damage::Footer)?;
        let length = usize::try_from(footer::footer_length(&bytes[end..])?).map_err(|_| Damage::Footer)?;
        let start = end.checked_sub(length).filter(|start| *start >= HEADER_BYTES).ok_or(Damage::Footer)?;
        let blocks = footer::decode(&bytes[start..])?;
        let fits = footer::contiguous(&blocks, HEADER_BYTES as u64, start as u64);
        let same = fits && blocks.iter().all(|block| is_as_in_footer(bytes, block));
        if same { Ok(blocks) } else { Err(Damage::Footer) }
    };
    footer().map(|blocks| (id, blocks)).map_err(|damage| damaged(id, damage))
}

fn is_as_in_footer(bytes: &[u8], block: &BlockEntry) -> bool {
    let start = block.offset as usize;
    bytes
        .get(start..)
        .and_then(|rest| BlockHeader::decode(rest).ok())
        .is_some_and(|found| found == block.header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(seed: u8, length: usize) -> (ChunkId, Vec<u8>) {
        let bytes: Vec<u8> = (0..length).map(|at| (at as u8).wrapping_mul(seed)).collect();
        (ChunkId::of(&bytes), bytes)
    }

    #[test]
    fn a_built_pack_gives_every_chunk_back_and_is_named_by_its_content() {
        let build = || {
            let mut builder = PackBuilder::new(0);
            for seed in 1..200u8 {
                let (id, raw) = chunk(seed, 3000);
                builder.push_chunk(id, &raw);
            }
            builder.finish(&[0; 16])
        };
        let (pack, again) = (build(), build());
        assert_eq!((pack.id, &pack.bytes), (again.id, &again.bytes));
        let (id, blocks) = pack_blocks(&pack.bytes).expect("a sound pack");
        assert_eq!((id, &blocks), (pack.id, &pack.blocks));
        let mut found = 0;
        for block in &blocks {
            let start = block.offset as usize;
            let bytes = &pack.bytes[start..start + block.header.block_length() as usize];
            found += OpenBlock::open(bytes).expect("a sound block").chunks().count();
        }
        assert_eq!(found, 199);
    }

    #[test]
    fn a_block_with_another_content_is_refused() {
        let mut builder = PackBuilder::new(0);
        let (id, _) = chunk(1, 100);
        let other = vec![7u8; 100];
        let header =
            BlockHeader { codec: Codec::Raw, stored_length: 100, records: vec![Record { id, length: 100 }] };
        builder.push_block(header, &other);
        let pack = builder.finish(&[0; 16]);
        let (_, blocks) = pack_blocks(&pack.bytes).expect("a pack whose headers agree");
        let start = blocks[0].offset as usize;
        let bytes = &pack.bytes[start..start + blocks[0].header.block_length() as usize];
        assert_eq!(OpenBlock::open(bytes).err(), Some(Damage::Content));
    }
}
