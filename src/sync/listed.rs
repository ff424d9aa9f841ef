//! Lists that may be longer than memory has room for: all but their ends lie in a file.

use crate::base::id::{ChunkId, FileId, MetadataId, TreeId};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::spill::{Spill, Spilled};
use crate::sync::walk::NewFile;
use std::borrow::Cow;
use std::path::Path;

/// Records of one block.
pub(super) const BLOCK_RECORDS: usize = 1 << 14;

/// What such a list is made of: records of one length.
pub trait Record: Copy {
    /// Their length in bytes.
    const BYTES: usize;
    /// Writes one.
    fn write(&self, out: &mut Vec<u8>);
    /// Reads one of exactly that length.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// A list that grows at its end and is gone through from its beginning.
#[derive(Debug)]
pub struct Listed<T> {
    blocks: Vec<Block<T>>,
    open: Vec<T>,
    spill: Option<Spill>,
}

#[derive(Debug)]
enum Block<T> {
    Here(Vec<T>),
    InFile(Spilled),
}

impl<T: Record> Listed<T> {
    /// An empty one. What is more than a block goes to a file in a folder; without one, it all stays in memory.
    pub fn new(folder: Option<&Path>) -> Self {
        Self { blocks: Vec::new(), open: Vec::new(), spill: folder.map(Spill::into_folder) }
    }

    /// An empty one of something else, whose file would be in the same folder.
    pub fn beside<U: Record>(&self) -> Listed<U> {
        Listed::new(self.spill.as_ref().map(Spill::folder))
    }

    /// Adds a record.
    pub fn push(&mut self, record: T) {
        self.open.push(record);
        if self.open.len() < BLOCK_RECORDS {
            return;
        }
        let block = std::mem::take(&mut self.open);
        let mut bytes = Vec::with_capacity(BLOCK_RECORDS * T::BYTES);
        block.iter().for_each(|record| record.write(&mut bytes));
        // A disk that has no room, or that nobody may write to, is no reason to give up.
        let place = self.spill.as_ref().and_then(|spill| spill.push(&bytes).ok());
        self.blocks.push(place.map_or(Block::Here(block), Block::InFile));
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.blocks.len() * BLOCK_RECORDS + self.open.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The records in their order, some thousand at a time.
    pub fn blocks(&self) -> impl Iterator<Item = SyncResult<Cow<'_, [T]>>> {
        (0..).map_while(|number| self.block(number).transpose())
    }

    /// The records in their order, so many at a time; the last group may be smaller.
    pub fn groups(&self, size: usize) -> impl Iterator<Item = SyncResult<Vec<T>>> {
        let (mut number, mut left) = (0, Vec::new());
        std::iter::from_fn(move || {
            while left.len() < size.max(1) {
                match self.block(number) {
                    Ok(Some(block)) => left.extend_from_slice(&block),
                    Ok(None) => break,
                    Err(error) => return Some(Err(error)),
                }
                number += 1;
            }
            let rest = left.split_off(size.max(1).min(left.len()));
            let group = std::mem::replace(&mut left, rest);
            (!group.is_empty()).then_some(Ok(group))
        })
    }

    /// The records of one block; `None` after the last.
    pub fn block(&self, number: usize) -> SyncResult<Option<Cow<'_, [T]>>> {
        let is_there = number < self.blocks.len() || number == self.blocks.len() && !self.open.is_empty();
        if is_there { self.part(number, 0, BLOCK_RECORDS).map(Some) } else { Ok(None) }
    }

    /// Some records of one block, of which fewer may be there.
    pub fn part(&self, number: usize, start: usize, count: usize) -> SyncResult<Cow<'_, [T]>> {
        let of = |block: &'_ [T]| start.min(block.len())..start.saturating_add(count).min(block.len());
        let place = match self.blocks.get(number) {
            None if number == self.blocks.len() => return Ok(Cow::Borrowed(&self.open[of(&self.open)])),
            None => return Ok(Cow::Borrowed(&[])),
            Some(Block::Here(block)) => return Ok(Cow::Borrowed(&block[of(block)])),
            Some(Block::InFile(place)) => place.part(start * T::BYTES, count.saturating_mul(T::BYTES)),
        };
        let Some(spill) = &self.spill else { return Ok(Cow::Borrowed(&[])) };
        let io = |source| SyncError::Io { action: "reading", path: spill.folder().to_owned(), source };
        let bytes = spill.read(place).map_err(io)?;
        Ok(Cow::Owned(bytes.chunks_exact(T::BYTES).filter_map(T::read).collect()))
    }
}

impl Record for TreeId {
    const BYTES: usize = Self::SIZE;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes)
    }
}

impl Record for ChunkId {
    const BYTES: usize = Self::SIZE;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes)
    }
}

impl Record for MetadataId {
    const BYTES: usize = Self::SIZE;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes)
    }
}

impl Record for NewFile {
    const BYTES: usize = 2 * FileId::SIZE + 9;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.push(u8::from(self.before.is_some()));
        out.extend_from_slice(self.before.unwrap_or(self.id).as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk::<{ FileId::SIZE }>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (has_before, before) = rest.split_first()?;
        let before = FileId::from_slice(before)?;
        Some(Self {
            id: FileId::from_bytes(*id),
            size: u64::from_le_bytes(*size),
            before: (*has_before == 1).then_some(before),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: u64) -> NewFile {
        let id = |number: u64| FileId::of(&number.to_le_bytes());
        NewFile { id: id(number), size: number * 7, before: number.is_multiple_of(3).then(|| id(number + 1)) }
    }

    fn listed(folder: Option<&Path>, count: u64) -> Listed<NewFile> {
        let mut list = Listed::new(folder);
        (0..count).for_each(|number| list.push(file(number)));
        list
    }

    fn insist_on_all(list: &Listed<NewFile>, count: u64) {
        assert_eq!((list.len() as u64, list.is_empty()), (count, count == 0));
        let mut number = 0;
        for block in list.blocks() {
            let block = block.expect("a block");
            assert!(block.len() <= BLOCK_RECORDS);
            for found in block.iter() {
                assert_eq!(*found, file(number));
                number += 1;
            }
        }
        assert_eq!(number, count);
        for size in [1000, BLOCK_RECORDS, BLOCK_RECORDS + 7] {
            let groups: Vec<Vec<NewFile>> = list.groups(size).map(|group| group.expect("a group")).collect();
            assert!(groups.iter().rev().skip(1).all(|group| group.len() == size));
            assert!(groups.concat().iter().copied().eq((0..count).map(file)), "{size}");
        }
    }

    #[test]
    fn a_list_comes_back_in_its_order_wherever_it_lies() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let block = BLOCK_RECORDS as u64;
        for count in [0, 1, block - 1, block, block + 1, 3 * block + 5] {
            insist_on_all(&listed(Some(&folder.path().join("tmp")), count), count);
            insist_on_all(&listed(None, count), count);
        }
        let list = listed(Some(folder.path()), 3 * block);
        assert!(list.blocks.iter().all(|block| matches!(block, Block::InFile(_))) && list.open.is_empty());
        // Where there is no room for a file there is memory.
        let nowhere = folder.path().join("a file");
        std::fs::write(&nowhere, b"no folder").expect("written");
        insist_on_all(&listed(Some(&nowhere), 2 * block + 9), 2 * block + 9);
    }
}
