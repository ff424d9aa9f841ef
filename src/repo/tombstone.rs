//! Tombstones: that the bytes of a file were removed for good, when, by whom and why.
//!
//! History, ids and signatures stay as they are; only the bytes are gone, and nothing brings them
//! back. Beside the tombstone stands the list of the chunks that went with it, so that a rebuilt
//! index leaves them out.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::{ChunkId, FileId, PersonId};
use crate::base::time::Timestamp;

/// Version of the encoding.
const VERSION: u8 = 1;
/// Longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 1 << 14;
/// Longest signed statement, in bytes.
const STATEMENT_BYTES_MAX: usize = 1 << 20;
/// Chunk ids of one page of the list beside a tombstone.
pub const PAGE_CHUNKS: usize = 1024;

/// Last byte of the key of an excuse.
const EXCUSE_TAG: u8 = b'e';

/// What stands beside tombstones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TombstoneRow {
    /// A file was erased here.
    Tombstone,
    /// The same was said elsewhere: it excuses that the content never came.
    Excuse,
    /// Chunks that went with a file.
    Page,
}

/// The permission to remove the bytes of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The file.
    pub file: FileId,
    /// Its length in bytes.
    pub size: u64,
    /// Who gave it.
    pub person: PersonId,
    /// When.
    pub time: Timestamp,
    /// Why.
    pub reason: String,
    /// The signed statement that permits it, as it was signed; empty for one of this clone alone.
    pub statement: Vec<u8>,
}

impl Tombstone {
    /// The stored bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        out.raw(self.file.as_bytes())
            .uint(self.size)
            .raw(self.person.as_bytes())
            .int(self.time.unix_ms)
            .int(i64::from(self.time.offset_minutes))
            .bytes(self.reason.as_bytes())
            .bytes(&self.statement);
        out.finish()
    }

    /// Reads stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("tombstone", bytes);
        input.version(VERSION)?;
        let file = FileId::from_bytes(input.array()?);
        let size = input.uint()?;
        let person = PersonId::from_bytes(input.array()?);
        let unix_ms = input.int()?;
        let offset_minutes = i16::try_from(input.int()?).map_err(|_| input.error(DecodeErrorKind::Value))?;
        let reason = input.text(REASON_BYTES_MAX)?.to_owned();
        let statement = input.bytes(STATEMENT_BYTES_MAX)?.to_vec();
        input.finish()?;
        Ok(Self { file, size, person, time: Timestamp { unix_ms, offset_minutes }, reason, statement })
    }

    /// The key of page `number` of the chunks that went with a file.
    pub fn page_key(file: FileId, number: u32) -> [u8; FileId::SIZE + 4] {
        let mut key = [0; FileId::SIZE + 4];
        key[..FileId::SIZE].copy_from_slice(file.as_bytes());
        key[FileId::SIZE..].copy_from_slice(&number.to_be_bytes());
        key
    }

    /// The key of what a tombstone that came from elsewhere says of a file: an excuse for its absence.
    pub fn excuse_key(file: FileId) -> [u8; FileId::SIZE + 1] {
        let mut key = [0; FileId::SIZE + 1];
        key[..FileId::SIZE].copy_from_slice(file.as_bytes());
        key[FileId::SIZE] = EXCUSE_TAG;
        key
    }

    /// What the row of a key in this space is.
    pub fn row_of(key: &[u8]) -> TombstoneRow {
        match key.len() {
            FileId::SIZE => TombstoneRow::Tombstone,
            length if length == FileId::SIZE + 1 && key.ends_with(&[EXCUSE_TAG]) => TombstoneRow::Excuse,
            _ => TombstoneRow::Page,
        }
    }

    /// The bytes of a page: chunk ids one after the other.
    pub fn encode_page(chunks: &[ChunkId]) -> Vec<u8> {
        chunks.iter().flat_map(|chunk| *chunk.as_bytes()).collect()
    }

    /// Reads the bytes of a page.
    pub fn decode_page(bytes: &[u8]) -> Result<Vec<ChunkId>, DecodeError> {
        let mut input = Decoder::new("page of a tombstone", bytes);
        if bytes.len() > PAGE_CHUNKS * ChunkId::SIZE {
            return Err(input.error(DecodeErrorKind::Limit));
        }
        let mut chunks = Vec::with_capacity(bytes.len() / ChunkId::SIZE);
        while input.remaining() > 0 {
            chunks.push(ChunkId::from_bytes(input.array()?));
        }
        Ok(chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tombstones_decode_to_themselves_and_their_bytes_are_pinned() {
        let tombstone = Tombstone {
            file: FileId::from_bytes([1; 32]),
            size: 300,
            person: PersonId::from_bytes([2; 16]),
            time: Timestamp { unix_ms: 1_000, offset_minutes: 60 },
            reason: "court order".into(),
            statement: Vec::new(),
        };
        let bytes = tombstone.encode();
        assert_eq!(Tombstone::decode(&bytes), Ok(tombstone));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected =
            format!("01{}ac02{}d00f780b{}00", "01".repeat(32), "02".repeat(16), "636f757274206f72646572");
        assert_eq!(hex, expected);
        for length in 0..bytes.len() {
            assert!(Tombstone::decode(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn every_row_is_told_by_its_key() {
        let file = FileId::from_bytes([b'e'; 32]);
        assert_eq!(Tombstone::row_of(file.as_bytes()), TombstoneRow::Tombstone);
        assert_eq!(Tombstone::row_of(&Tombstone::excuse_key(file)), TombstoneRow::Excuse);
        assert_eq!(Tombstone::row_of(&Tombstone::page_key(file, 0x6565_6565)), TombstoneRow::Page);
    }

    #[test]
    fn pages_hold_chunks_in_order() {
        let chunks = [ChunkId::of(b"a"), ChunkId::of(b"b")];
        let bytes = Tombstone::encode_page(&chunks);
        assert_eq!(Tombstone::decode_page(&bytes), Ok(chunks.to_vec()));
        assert!(Tombstone::decode_page(&bytes[1..]).is_err());
    }
}
