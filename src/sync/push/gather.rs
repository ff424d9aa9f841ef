//! Puts blocks into packs and answers as they are stored.

use crate::base::id::ChunkId;
use crate::store::ChunkReader;
use crate::store::parcel::PackBuilder;
use crate::sync::error::SyncResult;
use std::collections::HashSet;

/// What is looked at of a block before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sync) enum Care {
    /// Every chunk is compared with its id: nobody else does before it is kept.
    Chunks,
    /// What it says about itself: a program at the other end compares every chunk before it keeps any.
    Header,
}

/// Puts the blocks of chunks into packs as they are stored.
pub(in crate::sync) struct Gathering<'a> {
    pub(in crate::sync) reader: &'a ChunkReader,
    pub(in crate::sync) care: Care,
    /// Of a block whose other chunks are not among them, those that are get blocks of their own.
    pub(in crate::sync) wanted: &'a HashSet<ChunkId>,
    /// The chunks that are in already.
    pub(in crate::sync) done: HashSet<ChunkId>,
}

impl Gathering<'_> {
    /// Goes on until the pack is `bytes_max` long; gives how many of the chunks were looked at.
    pub(in crate::sync) fn gather(
        &mut self,
        chunks: &[ChunkId],
        builder: &mut PackBuilder,
        bytes_max: usize,
    ) -> SyncResult<usize> {
        for (position, id) in chunks.iter().enumerate() {
            if builder.len() >= bytes_max {
                return Ok(position);
            }
            if self.done.contains(id) || (self.care == Care::Header && self.take_as_stored(*id, builder)?) {
                continue;
            }
            self.take(*id, builder)?;
        }
        Ok(chunks.len())
    }

    /// Takes the block of a chunk as it is, if all of it is wanted.
    fn take_as_stored(&mut self, id: ChunkId, builder: &mut PackBuilder) -> SyncResult<bool> {
        Ok(self.reader.with_stored_block(id, |header, payload| {
            let is_wanted = header.records.iter().all(|record| self.wanted.contains(&record.id));
            if is_wanted {
                builder.push_block(header.clone(), payload);
                self.done.extend(header.records.iter().map(|record| record.id));
            }
            is_wanted
        })?)
    }

    fn take(&mut self, id: ChunkId, builder: &mut PackBuilder) -> SyncResult<()> {
        Ok(self.reader.with_block(id, |block| {
            if block.is_wholly(self.wanted) {
                builder.push_block(block.header.clone(), block.payload);
                self.done.extend(block.header.records.iter().map(|record| record.id));
            } else if let Some((id, raw)) = block.chunks().find(|(found, _)| *found == id) {
                builder.push_chunk(id, raw);
                self.done.insert(id);
            }
        })?)
    }
}
