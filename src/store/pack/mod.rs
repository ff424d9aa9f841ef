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
