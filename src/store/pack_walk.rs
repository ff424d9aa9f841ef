//! Reads what a pack says about itself, without the database: its header, its footer, and its
//! block headers one after the other.

use std::io;
use std::path::Path;

use crate::base::id::PackId;
use crate::store::disk::{DiskFile, is_unreadable, read_around};
use crate::store::error::{Damage, IoContext, Result, StoreError};
use crate::store::pack::block::{BlockHeader, MARKER, PREFIX_BYTES, Prefix};
use crate::store::pack::footer::{self, BlockEntry, TRAILER_BYTES};
use crate::store::pack::header::{self, HEADER_BYTES, HeaderError};

/// Bytes read at a time while walking: enough for most headers with their records.
const READ_BYTES: u64 = 512;

/// Reads the header of a pack and checks that it is the pack that its name says.
pub(crate) fn check_header(file: &dyn DiskFile, path: &Path, pack: PackId) -> Result<()> {
    let damaged = |damage| StoreError::PackDamaged { pack, offset: 0, chunk: None, damage };
    let mut bytes = [0; HEADER_BYTES];
    read(file, path, &mut bytes, 0).map_err(|error| as_damage(error, pack, 0, HEADER_BYTES as u64, file))?;
    match header::decode(&bytes) {
        Ok(id) if id == pack => Ok(()),
        Ok(_) => Err(damaged(Damage::PackName)),
        Err(HeaderError::Damaged(damage)) => Err(damaged(damage)),
        Err(HeaderError::Unknown) => Err(StoreError::PackFeature { pack }),
    }
}

/// Reads the block headers between the pack's header and `end`, without the payloads.
pub(crate) fn blocks(file: &dyn DiskFile, path: &Path, pack: PackId, end: u64) -> Result<Vec<BlockEntry>> {
    let mut blocks = Vec::new();
    let mut offset = HEADER_BYTES as u64;
    while offset < end {
        let block = block_at(file, path, pack, offset, end)?;
        offset += block.header.block_length();
        blocks.push(block);
    }
    Ok(blocks)
}

/// Reads the header of the block at `offset`, which has to end at `end` or before.
pub(crate) fn block_at(
    file: &dyn DiskFile,
    path: &Path,
    pack: PackId,
    offset: u64,
    end: u64,
) -> Result<BlockEntry> {
    let damaged = |damage| StoreError::PackDamaged { pack, offset, chunk: None, damage };
    let mut bytes = vec![0; READ_BYTES.min(end.saturating_sub(offset)) as usize];
    read(file, path, &mut bytes, offset).map_err(|error| as_damage(error, pack, offset, end, file))?;
    let prefix = Prefix::decode(&bytes).map_err(damaged)?;
    if prefix.block_length() > end - offset {
        return Err(damaged(Damage::BlockLength));
    }
    let length = prefix.header_length();
    if length > bytes.len() {
        let known = bytes.len().max(PREFIX_BYTES);
        bytes.resize(length, 0);
        read(file, path, &mut bytes[known..], offset + known as u64)
            .map_err(|error| as_damage(error, pack, offset, end, file))?;
    }
    let header = BlockHeader::decode(&bytes).map_err(damaged)?;
    Ok(BlockEntry { offset, header })
}

/// Reads the footer of a sealed pack of `length` bytes: all its blocks.
pub(crate) fn footer(file: &dyn DiskFile, path: &Path, pack: PackId, length: u64) -> Result<Vec<BlockEntry>> {
    let damaged = || StoreError::PackDamaged {
        pack,
        offset: length.saturating_sub(TRAILER_BYTES as u64),
        chunk: None,
        damage: Damage::Footer,
    };
    let mut trailer = [0; TRAILER_BYTES];
    let end = length.checked_sub(TRAILER_BYTES as u64).ok_or_else(damaged)?;
    read(file, path, &mut trailer, end).map_err(|error| as_damage(error, pack, end, length, file))?;
    let footer_length = footer::footer_length(&trailer).map_err(|_| damaged())?;
    let start =
        end.checked_sub(footer_length).filter(|start| *start >= HEADER_BYTES as u64).ok_or_else(damaged)?;
    let mut bytes = vec![0; (length - start) as usize];
    read(file, path, &mut bytes, start).map_err(|error| as_damage(error, pack, start, length, file))?;
    let blocks = footer::decode(&bytes).map_err(|_| damaged())?;
    if footer::contiguous(&blocks, HEADER_BYTES as u64, start) { Ok(blocks) } else { Err(damaged()) }
}

fn read(file: &dyn DiskFile, path: &Path, bytes: &mut [u8], offset: u64) -> Result<()> {
    file.read_exact_at(bytes, offset).during("reading", path)
}

/// Says "cut short" where the file ended before it should, and "damaged" where the disk cannot read.
pub(crate) fn as_damage(
    error: StoreError,
    pack: PackId,
    offset: u64,
    expected: u64,
    file: &dyn DiskFile,
) -> StoreError {
    match error {
        StoreError::Io { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof => {
            StoreError::PackTruncated { pack, expected, actual: file.len().unwrap_or_default() }
        }
        StoreError::Io { source, .. } if is_unreadable(&source) => {
            StoreError::PackDamaged { pack, offset, chunk: None, damage: Damage::Unreadable }
        }
        other => other,
    }
}

/// What was found in a pack that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvage {
    /// Blocks whose headers are whole, in the order of their places.
    pub blocks: Vec<BlockEntry>,
    /// Runs of bytes that belong to no block: offset and length.
    pub gaps: Vec<(u64, u64)>,
}

/// Finds all blocks of a pack up to `end`, looking for the next one wherever one is damaged.
///
/// A footer counts as a gap. Works in a bounded window, whatever the length of the pack.
pub(crate) fn salvage(file: &dyn DiskFile, path: &Path, pack: PackId, end: u64) -> Result<Salvage> {
    let mut found = Salvage { blocks: Vec::new(), gaps: Vec::new() };
    let mut offset = (HEADER_BYTES as u64).min(end);
    while offset < end {
        match block_at(file, path, pack, offset, end) {
            Ok(block) => {
                offset += block.header.block_length();
                found.blocks.push(block);
            }
            Err(StoreError::PackDamaged { .. } | StoreError::PackTruncated { .. }) => {
                let next = next_block(file, path, pack, offset + 1, end)?;
                found.gaps.push((offset, next - offset));
                offset = next;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Offset of the next whole block header at `start` or after, or `end`.
fn next_block(file: &dyn DiskFile, path: &Path, pack: PackId, start: u64, end: u64) -> Result<u64> {
    const WINDOW_BYTES: u64 = 1 << 20;
    let mut window_start = start;
    while window_start < end {
        let length = WINDOW_BYTES.min(end - window_start);
        let mut window = vec![0; length as usize];
        read_around(file, &mut window, window_start)
            .during("reading", path)
            .map_err(|error| as_damage(error, pack, window_start, end, file))?;
        for (position, marker) in window.windows(MARKER.len()).enumerate() {
            let offset = window_start + position as u64;
            if marker == MARKER && block_at(file, path, pack, offset, end).is_ok() {
                return Ok(offset);
            }
        }
        // A marker may lie across the border of two windows.
        let overlap = MARKER.len() as u64 - 1;
        window_start += if length == WINDOW_BYTES { length - overlap } else { length };
    }
    Ok(end)
}
