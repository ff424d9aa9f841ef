//! Pack files: append-only files that hold the bytes of chunks.
//!
//! A pack is a [header], then [blocks](block), each with one chunk or many small ones, and, once it
//! is sealed, a [footer]. `docs/format/store.md` has every byte of it. What the database does not
//! record of a pack is not there.

pub mod block;
pub mod footer;
pub mod header;

/// Most bytes of one chunk in format 1.
pub const CHUNK_BYTES_MAX: usize = 4 << 20;

/// Most raw bytes of one block in format 1: what a reader must be ready to unpack.
pub const BLOCK_RAW_BYTES_MAX: usize = CHUNK_BYTES_MAX;

/// Most chunks of one block in format 1.
pub const BLOCK_RECORDS_MAX: usize = 4096;

/// Length at which a pack is sealed and another begun, in bytes.
pub const PACK_SEAL_BYTES: u64 = 64 << 20;

/// Most bytes of a pack in format 1, so that offsets fit 32 bits.
pub const PACK_BYTES_MAX: u64 = 1 << 31;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::block::{BlockHeader, Codec, Prefix, Record};
    use super::footer::{self, BlockEntry};
    use super::header;
    use crate::base::id::{ChunkId, PackId};

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let record = (any::<[u8; 32]>(), 1u32..1000);
        let record = record.prop_map(|(id, length)| Record { id: ChunkId::from_bytes(id), length });
        proptest::collection::vec(record, 1..30)
    }

    fn headers() -> impl Strategy<Value = BlockHeader> {
        (records(), any::<bool>()).prop_map(|(records, packed)| {
            let raw: u32 = records.iter().map(|record| record.length).sum();
            let (codec, stored_length) = if packed { (Codec::Zstd, raw - 1) } else { (Codec::Raw, raw) };
            BlockHeader { codec, stored_length, records }
        })
    }

    fn blocks() -> impl Strategy<Value = Vec<BlockEntry>> {
        proptest::collection::vec((any::<u64>(), headers()), 0..6)
            .prop_map(|list| list.into_iter().map(|(offset, header)| BlockEntry { offset, header }).collect())
    }

    proptest! {
        #[test]
        fn a_block_header_comes_back_and_every_change_is_noticed(block in headers(), at: usize, bit in 0u8..8) {
            let mut bytes = Vec::new();
            block.encode(&mut bytes);
            prop_assert_eq!(bytes.len(), block.header_length());
            prop_assert_eq!(BlockHeader::decode(&bytes), Ok(block));
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(BlockHeader::decode(&bytes).is_err());
        }

        #[test]
        fn a_footer_comes_back_and_every_change_is_noticed(blocks in blocks(), at: usize, bit in 0u8..8) {
            let mut bytes = footer::encode(&blocks);
            prop_assert_eq!(footer::decode(&bytes), Ok(blocks));
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(footer::decode(&bytes).is_err());
        }

        #[test]
        fn a_pack_header_comes_back_and_every_change_is_noticed(id: [u8; 16], at in 0..header::HEADER_BYTES, bit in 0u8..8) {
            let mut bytes = header::encode(PackId::from_bytes(id));
            prop_assert_eq!(header::decode(&bytes), Ok(PackId::from_bytes(id)));
            bytes[at] ^= 1 << bit;
            prop_assert!(header::decode(&bytes).is_err());
        }

        #[test]
        fn decoding_anything_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = header::decode(&bytes);
            let _ = footer::decode(&bytes);
            let _ = BlockHeader::decode(&bytes);
            // Past the magic numbers too.
            if bytes.len() >= 60 {
                bytes[..6].copy_from_slice(b"PBLK\x01\x00");
                let _ = Prefix::decode(&bytes).map(|prefix| prefix.block_length());
                let _ = BlockHeader::decode(&bytes);
                let end = bytes.len();
                bytes[end - 8..].copy_from_slice(b"PENTFOOT");
                let _ = footer::decode(&bytes);
            }
        }
    }

    #[test]
    fn a_header_with_a_reserved_field_in_use_is_said_to_be_unknown() {
        for at in [8, 10, 12, 14, 32, 48] {
            let mut bytes = header::encode(PackId::from_bytes([1; 16]));
            bytes[at] ^= 0x40;
            let sum = blake3::hash(&bytes[..56]);
            bytes[56..].copy_from_slice(&sum.as_bytes()[..8]);
            assert_eq!(header::decode(&bytes), Err(header::HeaderError::Unknown));
        }
    }

    #[test]
    fn the_bytes_of_a_block_header_are_pinned() {
        let record = Record { id: ChunkId::of(b"abc"), length: 3 };
        let mut bytes = Vec::new();
        BlockHeader { codec: Codec::Raw, stored_length: 3, records: vec![record] }.encode(&mut bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "50424c4b000001000300000003000000\
             6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d8503000000\
             94ac00099291e6af"
        );
    }
}
