//! The one write transaction: all of it becomes durable at once, or nothing does.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use redb::{ReadableTable, WriteTransaction};

use crate::base::id::ChunkId;
use crate::store::Store;
use crate::store::chunk_writer::Staged;
use crate::store::error::{DatabaseContext, Result};
use crate::store::guard::guarded;
use crate::store::pack_writer::{Batch, PackUpdate};
use crate::store::snapshot::after_prefix;
use crate::store::space::{CHUNKS, ChunkLocation, PACKS, PackRecord, STORE, Space};
use crate::store::txlog::{self, LogState, OldLogs};

/// What the smallest transaction may take in bytes.
const COMMIT_BYTES: u64 = 64 * 1024;

/// Key of the next free pack number in [`STORE`].
const NEXT_PACK_KEY: &str = "next-pack";

/// Changes that become visible and durable together on [`Transaction::commit`]. Dropped without
/// it, nothing happened.
pub struct Transaction {
    store: Store,
    inner: WriteTransaction,
    /// Locks on packs whose rows are part of this transaction.
    held: Vec<Staged>,
    log: LogState,
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}

impl Transaction {
    pub(crate) fn new(store: Store, inner: WriteTransaction) -> Self {
        Self { store, inner, held: Vec::new(), log: LogState::Untouched }
    }

    /// Finds out how changes of a space are logged, before the first.
    fn ready_log(&mut self, space: Space) -> Result<()> {
        if space.is_logged() && matches!(self.log, LogState::Untouched) {
            self.log = LogState::begin(&self.store, &self.inner)?;
        }
        Ok(())
    }

    /// Has the transaction log written anew, with only what there is when this transaction commits: what
    /// was taken away before is then in it no more.
    pub fn renew_log(&mut self) -> Result<()> {
        if matches!(self.log, LogState::Untouched) {
            self.log = LogState::begin(&self.store, &self.inner)?;
        }
        if matches!(self.log, LogState::Appending(_)) {
            self.log = LogState::Anew(OldLogs::Remove);
        }
        Ok(())
    }

    /// Like [`Transaction::renew_log`], whatever the log is; the old one is kept in `quarantine`. For a
    /// repair, of a transaction that changed nothing so far.
    pub fn replace_log(&mut self) {
        self.log = LogState::Anew(OldLogs::Quarantine);
    }

    /// Leaves the log alone: for a repair that fills a new database step by step, and ends with a
    /// transaction that replaces the log.
    pub fn leave_log(&mut self) {
        self.log = LogState::Silent;
    }

    /// The value of a key as this transaction left it.
    pub fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        guarded(|| {
            let table = self.inner.open_table(space.table()).stored()?;
            Ok(table.get(key).stored()?.map(|value| value.value().to_vec()))
        })?
    }

    /// Gives a key a value.
    pub fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<()> {
        self.put_all(space, [(key, value)])
    }

    /// Gives many keys their values; fastest when they come sorted.
    pub fn put_all<'a>(
        &mut self,
        space: Space,
        entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<()> {
        self.ready_log(space)?;
        guarded(|| {
            let mut table = self.inner.open_table(space.table()).stored()?;
            for (key, value) in entries {
                table.insert(key, value).stored()?;
                if space.is_logged() {
                    self.log.put(space, key, value)?;
                }
            }
            Ok(())
        })?
    }

    /// Takes a key away; tells whether it had a value.
    pub fn delete(&mut self, space: Space, key: &[u8]) -> Result<bool> {
        Ok(self.delete_all(space, [key])? > 0)
    }

    /// Takes many keys away; gives how many had a value.
    pub fn delete_all<'a>(&mut self, space: Space, keys: impl IntoIterator<Item = &'a [u8]>) -> Result<u64> {
        self.ready_log(space)?;
        guarded(|| {
            let mut table = self.inner.open_table(space.table()).stored()?;
            let mut deleted = 0;
            for key in keys {
                let is_there = table.remove(key).stored()?.is_some();
                deleted += u64::from(is_there);
                if is_there && space.is_logged() {
                    self.log.delete(space, key)?;
                }
            }
            Ok(deleted)
        })?
    }

    /// Keys and values in a range as this transaction left them, in the order of their bytes.
    pub fn scan<'k>(
        &self,
        space: Space,
        range: impl RangeBounds<&'k [u8]> + 'k,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        guarded(|| {
            let table = self.inner.open_table(space.table()).stored()?;
            let mut rows = Vec::new();
            for row in table.range::<&[u8]>(range).stored()? {
                let (key, value) = row.stored()?;
                rows.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(rows)
        })?
    }

    /// Keys and values whose key begins with `prefix`, as this transaction left them.
    pub fn scan_prefix(&self, space: Space, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let after = after_prefix(prefix);
        let end = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.scan(space, (Bound::Included(prefix), end))
    }

    /// The last key of a space as this transaction left it.
    pub fn last_key(&self, space: Space) -> Result<Option<Vec<u8>>> {
        let table = self.inner.open_table(space.table()).stored()?;
        Ok(table.last().stored()?.map(|(key, _)| key.value().to_vec()))
    }

    /// Makes what a [`ChunkWriter`](crate::store::ChunkWriter) wrote part of this transaction.
    pub fn publish(&mut self, mut staged: Staged) -> Result<()> {
        let needed = staged.batch.rows_bytes();
        let applied = self.apply(&mut staged.batch);
        self.store.explain(applied, needed)?;
        self.held.push(staged);
        Ok(())
    }

    /// Like [`Transaction::publish`], but the new places replace those that the chunks have.
    pub(crate) fn publish_over(&mut self, mut staged: Staged) -> Result<()> {
        let rows = std::mem::take(&mut staged.batch.rows);
        self.apply(&mut staged.batch)?;
        let mut placed: Vec<_> = rows
            .iter()
            .map(|row| {
                let pack = staged.batch.packs[row.pack].number.unwrap_or_default();
                (row.id, ChunkLocation { pack, ..row.place })
            })
            .collect();
        placed.sort_unstable();
        self.set_chunks(&placed)?;
        self.held.push(staged);
        Ok(())
    }

    /// Gives chunks their places, whatever they had. Fastest when sorted.
    pub(crate) fn set_chunks(&mut self, rows: &[(ChunkId, ChunkLocation)]) -> Result<()> {
        guarded(|| {
            let mut table = self.inner.open_table(CHUNKS).stored()?;
            for (id, place) in rows {
                table.insert(id.as_bytes(), &place.encode()).stored()?;
            }
            Ok(())
        })?
    }

    /// Takes chunks out of the index; gives how many were there. Their bytes stay in their packs
    /// until these are rewritten.
    pub fn drop_chunks(&mut self, chunks: &[ChunkId]) -> Result<u64> {
        guarded(|| {
            let mut table = self.inner.open_table(CHUNKS).stored()?;
            let mut dropped = 0;
            for id in chunks {
                dropped += u64::from(table.remove(id.as_bytes()).stored()?.is_some());
            }
            Ok(dropped)
        })?
    }

    /// Records a pack under its number, or under the next free one, which is given back.
    pub(crate) fn record_pack(&mut self, number: Option<u32>, record: &PackRecord) -> Result<u32> {
        let update = PackUpdate { number, record: *record };
        let mut batch = Batch { packs: vec![update], ..Batch::default() };
        self.apply_packs(&mut batch)?;
        Ok(batch.packs[0].number.unwrap_or_default())
    }

    /// What is recorded of a pack.
    pub(crate) fn pack(&self, number: u32) -> Result<Option<PackRecord>> {
        guarded(|| {
            let table = self.inner.open_table(PACKS).stored()?;
            table.get(number).stored()?.map(|value| PackRecord::decode(value.value())).transpose()
        })?
    }

    /// Takes a pack out of the records.
    pub(crate) fn forget_pack(&mut self, number: u32) -> Result<()> {
        guarded(|| {
            self.inner.open_table(PACKS).stored()?.remove(number).stored()?;
            Ok(())
        })?
    }

    /// Inserts the rows of a batch and gives its new packs their numbers.
    pub(crate) fn apply(&mut self, batch: &mut Batch) -> Result<()> {
        self.apply_packs(batch)?;
        self.apply_rows(batch)?;
        batch.objects.sort_unstable_by(|a, b| (a.0.index(), &a.1).cmp(&(b.0.index(), &b.1)));
        for group in batch.objects.chunk_by(|a, b| a.0 == b.0) {
            self.put_all(group[0].0, group.iter().map(|(_, key, value)| (&**key, &**value)))?;
        }
        Ok(())
    }

    fn apply_rows(&mut self, batch: &mut Batch) -> Result<()> {
        guarded(|| {
            batch.rows.sort_unstable_by_key(|row| row.id);
            {
                let mut table = self.inner.open_table(CHUNKS).stored()?;
                for row in &batch.rows {
                    let found = table.get(row.id.as_bytes()).stored()?;
                    let found = found.map(|place| ChunkLocation::decode(place.value()));
                    // Somebody else may have stored the same chunk meanwhile; that place stands.
                    if found.is_some_and(|place| !batch.lost.contains(&place.pack)) {
                        continue;
                    }
                    let pack = batch.packs[row.pack].number.unwrap_or_default();
                    let place = ChunkLocation { pack, ..row.place };
                    table.insert(row.id.as_bytes(), &place.encode()).stored()?;
                }
            }
            Ok(())
        })?
    }

    fn apply_packs(&mut self, batch: &mut Batch) -> Result<()> {
        guarded(|| {
            let mut store = self.inner.open_table(STORE).stored()?;
            let mut packs = self.inner.open_table(PACKS).stored()?;
            let recorded = store.get(NEXT_PACK_KEY).stored()?.and_then(|value| value.value().try_into().ok());
            let mut next = recorded.map_or(0, u32::from_le_bytes);
            for pack in &mut batch.packs {
                let number = *pack.number.get_or_insert_with(|| {
                    next += 1;
                    next
                });
                packs.insert(number, &pack.record.encode()).stored()?;
            }
            store.insert(NEXT_PACK_KEY, next.to_le_bytes().as_slice()).stored()?;
            Ok(())
        })?
    }

    /// Makes everything durable and visible. When this returns, it survives a power loss.
    pub fn commit(self) -> Result<()> {
        let Self { store, inner, held, log } = self;
        let needed = held.iter().map(|staged| staged.batch.rows_bytes()).sum::<u64>();
        let finished = store.explain(txlog::finish(&store, &inner, log), needed + COMMIT_BYTES)?;
        if let Some(file) = &finished.sync {
            store.sync_along(file.clone());
        }
        let committed = guarded(|| inner.commit()).and_then(DatabaseContext::stored);
        store.explain(committed, needed + COMMIT_BYTES)?;
        finished.tidy(store.disk(), store.dir());
        Ok(())
    }
}
