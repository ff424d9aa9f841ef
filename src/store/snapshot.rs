//! Consistent reads: everything that one [`Snapshot`] says was true at one moment.

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::OnceLock;

use redb::{OwnedRange, ReadOnlyTable, ReadTransaction, ReadableTable, TableError};

use crate::base::id::ChunkId;
use crate::store::error::{DatabaseContext, Result, database_error};
use crate::store::guard::guarded;
use crate::store::space::{CHUNKS, ChunkLocation, PACKS, PackRecord, STORE, Space};
use crate::store::txlog::{self, Recorded};

type BytesTable = ReadOnlyTable<&'static [u8], &'static [u8]>;
type ChunkTable = ReadOnlyTable<&'static [u8; 32], &'static [u8; 20]>;

/// The state of the store at one moment. Callable from several threads.
///
/// A snapshot that is kept keeps the database from reusing space, so let go of it.
pub struct Snapshot {
    transaction: ReadTransaction,
    spaces: [OnceLock<Option<BytesTable>>; Space::ALL.len()],
    chunks: OnceLock<Option<ChunkTable>>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

/// `None` for a table that nobody has written to yet.
fn opened<T>(result: std::result::Result<T, TableError>) -> Result<Option<T>> {
    match result {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(database_error(error)),
    }
}

impl Snapshot {
    pub(crate) fn new(transaction: ReadTransaction) -> Self {
        Self { transaction, spaces: Default::default(), chunks: OnceLock::new() }
    }

    fn space(&self, space: Space) -> Result<Option<&BytesTable>> {
        let slot = &self.spaces[space.index()];
        if slot.get().is_none() {
            let table = opened(guarded(|| self.transaction.open_table(space.table()))?)?;
            // Another thread may have been quicker; its table is the same.
            let _ = slot.set(table);
        }
        Ok(slot.get().and_then(Option::as_ref))
    }

    fn chunks(&self) -> Result<Option<&ChunkTable>> {
        if self.chunks.get().is_none() {
            let table = opened(guarded(|| self.transaction.open_table(CHUNKS))?)?;
            let _ = self.chunks.set(table);
        }
        Ok(self.chunks.get().and_then(Option::as_ref))
    }

    /// The value of a key, if it has one.
    pub fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.with(space, key, <[u8]>::to_vec)
    }

    /// Shows the value of a key without copying it.
    pub fn with<R>(&self, space: Space, key: &[u8], look: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        let Some(table) = self.space(space)? else { return Ok(None) };
        Ok(guarded(|| table.get(key))?.stored()?.map(|value| look(value.value())))
    }

    /// Whether a key has a value.
    pub fn contains(&self, space: Space, key: &[u8]) -> Result<bool> {
        self.with(space, key, |_| ()).map(|found| found.is_some())
    }

    /// Number of keys in a space.
    pub fn count(&self, space: Space) -> Result<u64> {
        use redb::ReadableTableMetadata;
        self.space(space)?.map_or(Ok(0), |table| table.len().stored())
    }

    /// Keys and values in a range, in the order of their bytes.
    pub fn scan<'k>(&self, space: Space, range: impl RangeBounds<&'k [u8]>) -> Result<Scan> {
        let inner = match self.space(space)? {
            Some(table) => Some(guarded(|| table.range_owned::<&[u8]>(range))?.stored()?),
            None => None,
        };
        Ok(Scan { inner })
    }

    /// Keys and values whose key begins with `prefix`, in the order of their bytes.
    pub fn scan_prefix(&self, space: Space, prefix: &[u8]) -> Result<Scan> {
        let after = after_prefix(prefix);
        let end = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.scan(space, (Bound::Included(prefix), end))
    }

    /// Whether a chunk is in the store.
    pub fn has_chunk(&self, id: ChunkId) -> Result<bool> {
        self.chunk_location(id).map(|found| found.is_some())
    }

    /// Where a chunk lies.
    pub fn chunk_location(&self, id: ChunkId) -> Result<Option<ChunkLocation>> {
        let Some(table) = self.chunks()? else { return Ok(None) };
        Ok(guarded(|| table.get(id.as_bytes()))?.stored()?.map(|value| ChunkLocation::decode(value.value())))
    }

    /// Number of chunks in the store.
    pub fn chunk_count(&self) -> Result<u64> {
        use redb::ReadableTableMetadata;
        self.chunks()?.map_or(Ok(0), |table| table.len().stored())
    }

    /// All chunks with their places, in the order of their ids.
    pub fn scan_chunks(&self) -> Result<ChunkScan> {
        let inner = match self.chunks()? {
            Some(table) => Some(guarded(|| table.range_owned::<&[u8; 32]>(..))?.stored()?),
            None => None,
        };
        Ok(ChunkScan { inner })
    }

    /// What is recorded of the transaction log; `None` where there is none yet.
    pub(crate) fn log_recorded(&self) -> Result<Option<Recorded>> {
        match opened(guarded(|| self.transaction.open_table(STORE))?)? {
            Some(table) => guarded(|| txlog::recorded(&table))?,
            None => Ok(None),
        }
    }

    /// What is recorded of a pack.
    pub fn pack(&self, number: u32) -> Result<Option<PackRecord>> {
        let Some(table) = opened(guarded(|| self.transaction.open_table(PACKS))?)? else { return Ok(None) };
        guarded(|| table.get(number))?.stored()?.map(|value| PackRecord::decode(value.value())).transpose()
    }

    /// All packs with their local numbers, in their order.
    pub fn packs(&self) -> Result<Vec<(u32, PackRecord)>> {
        let Some(table) = opened(guarded(|| self.transaction.open_table(PACKS))?)? else {
            return Ok(Vec::new());
        };
        guarded(|| {
            let rows = table.iter().stored()?;
            rows.map(|row| {
                let (number, record) = row.stored()?;
                Ok((number.value(), PackRecord::decode(record.value())?))
            })
            .collect()
        })?
    }

    /// The youngest packs that are not sealed, at most `limit`, youngest first.
    ///
    /// Only the last few packs are looked at: unsealed packs are being filled, so they are young.
    pub(crate) fn unsealed_packs(&self, limit: usize) -> Result<Vec<(u32, PackRecord)>> {
        const LOOKED_AT: usize = 64;
        let Some(table) = opened(guarded(|| self.transaction.open_table(PACKS))?)? else {
            return Ok(Vec::new());
        };
        guarded(|| {
            let mut packs = Vec::new();
            for row in table.iter().stored()?.rev().take(LOOKED_AT) {
                let (number, record) = row.stored()?;
                let record = PackRecord::decode(record.value())?;
                if !record.sealed && packs.len() < limit {
                    packs.push((number.value(), record));
                }
            }
            Ok(packs)
        })?
    }
}

/// The smallest key that is larger than every key with this prefix; `None` when there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut key = prefix[..=last].to_vec();
    key[last] += 1;
    Some(key)
}

/// Goes one row on; a damaged page ends the walk with an error.
fn step<I, T>(rows: &mut Option<I>, go: impl FnOnce(&mut I) -> Option<redb::Result<T>>) -> Option<Result<T>> {
    let inner = rows.as_mut()?;
    match guarded(|| go(inner)) {
        Ok(row) => row.map(DatabaseContext::stored),
        Err(error) => {
            *rows = None;
            Some(Err(error))
        }
    }
}

/// Goes through keys and values.
pub struct Scan {
    inner: Option<OwnedRange<&'static [u8], &'static [u8]>>,
}

impl Iterator for Scan {
    type Item = Result<(Vec<u8>, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = step(&mut self.inner, Iterator::next)?;
        Some(row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
    }
}

impl DoubleEndedIterator for Scan {
    fn next_back(&mut self) -> Option<Self::Item> {
        let row = step(&mut self.inner, DoubleEndedIterator::next_back)?;
        Some(row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
    }
}

/// Goes through the chunk index.
pub struct ChunkScan {
    inner: Option<OwnedRange<&'static [u8; 32], &'static [u8; 20]>>,
}

impl Iterator for ChunkScan {
    type Item = Result<(ChunkId, ChunkLocation)>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = step(&mut self.inner, Iterator::next)?;
        Some(row.map(|(id, place)| (ChunkId::from_bytes(*id.value()), ChunkLocation::decode(place.value()))))
    }
}
