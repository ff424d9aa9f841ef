//! Reads what a pack says about itself, without the database: its header, its footer, and its
//! block headers one after the other.

use std::io;
use std::path::Path;

use crate::base::id::PackId;
use crate::store::disk::DiskFile;
use crate::store::error::{Damage, IoContext, Result, StoreError};
use crate::store::pack::block::{BlockHeader, PREFIX_BYTES, Prefix};
use crate::store::pack::footer::{self, BlockEntry, TRAILER_BYTES};
use crate::store::pack::header::{self, HEADER_BYTES, HeaderError};

/// Bytes read at a time while walking: enough for most headers with their records.
const READ_BYTES: u64 = 512;

/// Reads the header of a pack and checks that it is the pack that its name says.
pub(crate) fn check_header(file: &dyn DiskFile, path: &Path, pack: PackId) -> Result<()> {
    let damaged = |damage| StoreError::PackDamaged { pack, offset: 0, chunk: None, damage };
    let mut bytes = [0; HEADER_BYTES];
    read(file, path, &mut bytes, 0).map_err(|error| cut_short(error, pack, HEADER_BYTES as u64, file))?;
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
    read(file, path, &mut bytes, offset).map_err(|error| cut_short(error, pack, end, file))?;
    let prefix = Prefix::decode(&bytes).map_err(damaged)?;
    if prefix.block_length() > end - offset {
        return Err(damaged(Damage::BlockLength));
    }
    let length = prefix.header_length();
    if length > bytes.len() {
        let known = bytes.len().max(PREFIX_BYTES);
        bytes.resize(length, 0);
        read(file, path, &mut bytes[known..], offset + known as u64)
            .map_err(|error| cut_short(error, pack, end, file))?;
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
    read(file, path, &mut trailer, end).map_err(|error| cut_short(error, pack, length, file))?;
    let footer_length = footer::footer_length(&trailer).map_err(|_| damaged())?;
    let start =
        end.checked_sub(footer_length).filter(|start| *start >= HEADER_BYTES as u64).ok_or_else(damaged)?;
    let mut bytes = vec![0; (length - start) as usize];
    read(file, path, &mut bytes, start).map_err(|error| cut_short(error, pack, length, file))?;
    let blocks = footer::decode(&bytes).map_err(|_| damaged())?;
    if footer::contiguous(&blocks, HEADER_BYTES as u64, start) { Ok(blocks) } else { Err(damaged()) }
}

fn read(file: &dyn DiskFile, path: &Path, bytes: &mut [u8], offset: u64) -> Result<()> {
    file.read_exact_at(bytes, offset).during("reading", path)
}

/// Says "cut short" where the file ended before it should.
fn cut_short(error: StoreError, pack: PackId, expected: u64, file: &dyn DiskFile) -> StoreError {
    match error {
        StoreError::Io { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof => {
            StoreError::PackTruncated { pack, expected, actual: file.len().unwrap_or_default() }
        }
        other => other,
    }
}
