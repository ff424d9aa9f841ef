//! Stores chunks: looks whether they are known, groups small ones, packs, writes, and publishes by
//! itself before its memory grows.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::base::id::ChunkId;
use crate::base::memory::{MANY, give_back};
use crate::base::monitor::Monitor;
use crate::store::Store;
use crate::store::compress::{self, Effort, Outlook};
use crate::store::error::{Result, StoreError};
use crate::store::lock::{self, SweepLock, WritersLock};
use crate::store::open_packs::OpenPacks;
use crate::store::pack::CHUNK_BYTES_MAX;
use crate::store::pack::block::{BlockHeader, Codec, Record};
use crate::store::pack_check::PackCheck;
use crate::store::pack_writer::{Batch, OpenPack, PendingObject, PendingRow};
use crate::store::parcel::OpenBlock;
use crate::store::snapshot::Snapshot;
use crate::store::space::{ChunkLocation, Space};

/// Chunks below this length in bytes share blocks.
const SMALL_BYTES: usize = 16 * 1024;
/// Raw length at which a shared block is closed, in bytes.
const GROUP_BYTES: usize = 96 * 1024;
/// Kinds of small chunks gathered at a time.
const GROUPS_MAX: usize = 64;
/// Bytes of objects that are gathered before they are published.
const OBJECT_BYTES_MAX: usize = 16 << 20;
const SHARDS: usize = 16;

/// Which small chunks are alike, so that they go into one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct GroupHint(u32);

impl GroupHint {
    /// Nothing is known about the chunk.
    pub const NONE: Self = Self(0);

    /// By the extension of a file name, upper and lower case alike.
    pub fn of_name(name: &[u8]) -> Self {
        let Some(dot) = name.iter().rposition(|byte| *byte == b'.') else { return Self::NONE };
        // FNV-1a, 32 bits: only has to tell extensions apart within one run.
        let hash = name[dot + 1..].iter().fold(0x811c_9dc5u32, |hash, byte| {
            (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
        });
        Self(hash)
    }
}

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was in the store, or was put before.
    Known,
    /// It is new. A small chunk counts with its raw length, since it shares a block with others;
    /// [`WriterTotals`] is exact.
    New {
        /// Bytes that it takes in a pack.
        stored_bytes: u64,
    },
}

/// What a writer has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriterTotals {
    /// Chunks that were new.
    pub chunks: u64,
    /// Their raw bytes.
    pub raw_bytes: u64,
    /// Bytes written to packs for them, block headers included.
    pub stored_bytes: u64,
}

/// Chunk ids are hashes: eight of their bytes serve as the hash.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }
}

type IdSet = HashSet<ChunkId, BuildHasherDefault<IdHasher>>;

/// Small chunks of one kind on their way into a block.
#[derive(Debug, Default)]
struct Group {
    raw: Vec<u8>,
    records: Vec<Record>,
}

/// Takes chunks from several threads. What it wrote counts once [`ChunkWriter::finish`] and a
/// transaction have published it; until then nobody sees it and nobody needs to clean up after it.
pub struct ChunkWriter<'m> {
    store: Store,
    monitor: &'m dyn Monitor,
    /// `None` for a rewrite, which runs under the sweep lock.
    lock: Option<WritersLock>,
    /// Held shared by every put, exclusively while publishing.
    ///
    /// `None` while publishing: a snapshot that is kept keeps the database from reusing pages.
    gate: RwLock<Option<Snapshot>>,
    seen: [Mutex<IdSet>; SHARDS],
    groups: Mutex<HashMap<GroupHint, Group>>,
    outlook: Outlook<GroupHint>,
    packs: OpenPacks,
    /// What is recorded in packs that have lost their bytes is not known: it is stored anew.
    stored: PackCheck,
    rows: Mutex<Vec<PendingRow>>,
    objects: Mutex<Vec<PendingObject>>,
    object_bytes: AtomicUsize,
    failed: AtomicBool,
    chunks: AtomicU64,
    raw_bytes: AtomicU64,
    /// Of these, bytes of chunks that the writer has published by itself.
    raw_published: AtomicU64,
    stored_bytes: AtomicU64,
}

impl fmt::Debug for ChunkWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkWriter").field("totals", &self.totals()).finish_non_exhaustive()
    }
}

/// Everything written and durable, waiting for [`Transaction::publish`](crate::store::Transaction::publish).
#[derive(Debug)]
pub struct Staged {
    pub(crate) batch: Batch,
    totals: WriterTotals,
    /// Keep others from appending to the packs until the rows are published.
    _packs: Vec<Arc<OpenPack>>,
    _lock: Option<WritersLock>,
}

impl Staged {
    /// What the writer has done, all that it published by itself included.
    pub fn totals(&self) -> WriterTotals {
        self.totals
    }

    /// How many recorded packs were asked for chunks and are missing or too short: these chunks were
    /// stored anew.
    pub fn lost_packs(&self) -> u64 {
        self.batch.lost.len() as u64
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'m> ChunkWriter<'m> {
    pub(crate) fn new(store: Store, monitor: &'m dyn Monitor) -> Result<Self> {
        let lock = lock::lock_writers(store.disk(), &store.lock_path("writers"), monitor)?;
        Self::with_lock(store, Some(lock), monitor, true)
    }

    /// A writer for moving chunks while nobody else stores. It always begins a new pack, and
    /// publishes nothing by itself.
    pub(crate) fn for_rewrite(store: Store, _: &SweepLock, monitor: &'m dyn Monitor) -> Result<Self> {
        Self::with_lock(store, None, monitor, false)
    }

    fn with_lock(
        store: Store,
        lock: Option<WritersLock>,
        monitor: &'m dyn Monitor,
        adopt: bool,
    ) -> Result<Self> {
        let snapshot = store.snapshot()?;
        let packs = OpenPacks::new(store.clone(), adopt);
        let stored = PackCheck::of(&store);
        Ok(Self {
            store,
            monitor,
            lock,
            gate: RwLock::new(Some(snapshot)),
            seen: Default::default(),
            groups: Mutex::default(),
            outlook: Outlook::default(),
            packs,
            stored,
            rows: Mutex::default(),
            objects: Mutex::default(),
            object_bytes: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            chunks: AtomicU64::new(0),
            raw_bytes: AtomicU64::new(0),
            raw_published: AtomicU64::new(0),
            stored_bytes: AtomicU64::new(0),
        })
    }

    /// What was done so far.
    pub fn totals(&self) -> WriterTotals {
        WriterTotals {
            chunks: self.chunks.load(Ordering::Relaxed),
            raw_bytes: self.raw_bytes.load(Ordering::Relaxed),
            stored_bytes: self.stored_bytes.load(Ordering::Relaxed),
        }
    }

    /// Stores a chunk unless it is known. The caller vouches that `id` is the hash of `bytes`.
    ///
    /// An empty chunk is always known. After an error the writer takes nothing more.
    pub fn put(&self, id: ChunkId, bytes: &[u8], hint: GroupHint) -> Result<Put> {
        if bytes.is_empty() {
            return Ok(Put::Known);
        }
        if bytes.len() > CHUNK_BYTES_MAX {
            return Err(StoreError::ChunkTooLarge { length: bytes.len(), limit: CHUNK_BYTES_MAX });
        }
        let put = self.store.explain(self.put_gated(id, bytes, hint), bytes.len() as u64)?;
        if self.has_enough_pending() {
            self.publish_pending(false)?;
        }
        Ok(put)
    }

    /// Whether so much was gathered that it is to be published.
    fn has_enough_pending(&self) -> bool {
        let options = self.store.options();
        let raw_bytes = self.raw_bytes.load(Ordering::Relaxed) - self.raw_published.load(Ordering::Relaxed);
        raw_bytes >= options.pending_bytes_max || locked(&self.rows).len() >= options.pending_rows_max
    }

    /// Stores the chunks of a block that came from elsewhere, as far as they are `wanted` and not
    /// known. A block whose chunks are all new is stored as it came; nothing is packed again.
    ///
    /// Gives the raw bytes that were new.
    pub fn put_block(&self, block: &OpenBlock<'_>, wanted: &dyn Fn(ChunkId) -> bool) -> Result<u64> {
        let records = &block.header.records;
        if !records.iter().all(|record| wanted(record.id)) || !self.claim_all(records)? {
            let mut new_bytes = 0;
            for (id, raw) in block.chunks().filter(|(id, _)| wanted(*id)) {
                if matches!(self.put(id, raw, GroupHint::NONE)?, Put::New { .. }) {
                    new_bytes += raw.len() as u64;
                }
            }
            return Ok(new_bytes);
        }
        let raw_bytes = block.header.raw_length();
        let outcome = {
            let _gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
            self.chunks.fetch_add(records.len() as u64, Ordering::Relaxed);
            self.raw_bytes.fetch_add(raw_bytes, Ordering::Relaxed);
            let written = self.write_stored(block.header.clone(), block.payload);
            written.inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
        };
        self.store.explain(outcome, u64::from(block.header.stored_length))?;
        if self.has_enough_pending() {
            self.publish_pending(false)?;
        }
        Ok(raw_bytes)
    }

    /// Takes all chunks of a block as this writer's own when none of them is known; else none.
    fn claim_all(&self, records: &[Record]) -> Result<bool> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let snapshot = gate.as_ref().ok_or(StoreError::WriterFailed)?;
        if self.failed.load(Ordering::Relaxed) {
            return Err(StoreError::WriterFailed);
        }
        if self.monitor.is_cancelled() {
            return Err(StoreError::Cancelled);
        }
        for (position, record) in records.iter().enumerate() {
            if !locked(self.shard(record.id)).insert(record.id) {
                self.unclaim(&records[..position]);
                return Ok(false);
            }
            if self.has_bytes(snapshot, record.id)? {
                self.unclaim(&records[..=position]);
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn unclaim(&self, records: &[Record]) {
        for record in records {
            locked(self.shard(record.id)).remove(&record.id);
        }
    }

    /// Makes everything put so far durable and part of the store, so that it stays when the process
    /// ends. What nothing refers to yet does no harm.
    pub fn publish(&self) -> Result<()> {
        self.publish_pending(true)
    }

    /// Whether a chunk is in the store, in a pack that has its bytes, or was put before.
    pub fn has(&self, id: ChunkId) -> Result<bool> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        if locked(self.shard(id)).contains(&id) {
            return Ok(true);
        }
        self.has_bytes(gate.as_ref().ok_or(StoreError::WriterFailed)?, id)
    }

    /// Whether a chunk is recorded in a pack whose file is there and long enough.
    fn has_bytes(&self, snapshot: &Snapshot, id: ChunkId) -> Result<bool> {
        match snapshot.chunk_location(id)? {
            Some(place) => self.stored.is_whole(snapshot, place.pack),
            None => Ok(false),
        }
    }

    /// Stores an object beside the chunks that it refers to, which were put before. It is published
    /// with them or after them, never before.
    pub fn put_object(&self, space: Space, key: &[u8], value: &[u8]) -> Result<()> {
        {
            let _gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
            locked(&self.objects).push((space, key.into(), value.into()));
        }
        let added = key.len() + value.len() + 64;
        if self.object_bytes.fetch_add(added, Ordering::Relaxed) + added >= OBJECT_BYTES_MAX {
            self.publish_pending(false)?;
        }
        Ok(())
    }

    /// The value of a key in the store as of the writer's last look at it.
    pub fn stored_object(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        gate.as_ref().ok_or(StoreError::WriterFailed)?.get(space, key)
    }

    fn shard(&self, id: ChunkId) -> &Mutex<IdSet> {
        // The first bytes choose the bucket within a set, so the last one chooses the set.
        &self.seen[usize::from(id.as_bytes()[31]) % SHARDS]
    }

    fn put_gated(&self, id: ChunkId, bytes: &[u8], hint: GroupHint) -> Result<Put> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let snapshot = gate.as_ref().ok_or(StoreError::WriterFailed)?;
        if self.failed.load(Ordering::Relaxed) {
            return Err(StoreError::WriterFailed);
        }
        if self.monitor.is_cancelled() {
            return Err(StoreError::Cancelled);
        }
        if !locked(self.shard(id)).insert(id) {
            return Ok(Put::Known);
        }
        if self.has_bytes(snapshot, id)? {
            locked(self.shard(id)).remove(&id);
            return Ok(Put::Known);
        }
        // Noted while the gate is held: nobody publishes a pack with a hole in it.
        self.store_new(id, bytes, hint).inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
    }

    /// Writes a chunk although it is in the store, for a rewrite.
    pub(crate) fn put_again(&self, id: ChunkId, bytes: &[u8], hint: GroupHint) -> Result<()> {
        self.store_new(id, bytes, hint).map(|_| ())
    }

    fn store_new(&self, id: ChunkId, bytes: &[u8], hint: GroupHint) -> Result<Put> {
        self.chunks.fetch_add(1, Ordering::Relaxed);
        self.raw_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let record = Record { id, length: bytes.len() as u32 };
        let stored_bytes = if bytes.len() >= SMALL_BYTES {
            self.write_large(record, bytes, hint)?
        } else {
            self.put_small(record, bytes, hint)?;
            bytes.len() as u64
        };
        Ok(Put::New { stored_bytes })
    }

    fn put_small(&self, record: Record, bytes: &[u8], hint: GroupHint) -> Result<()> {
        let full = {
            let mut groups = locked(&self.groups);
            let group = groups.entry(hint).or_default();
            group.raw.extend_from_slice(bytes);
            group.records.push(record);
            if group.raw.len() >= GROUP_BYTES || group.records.len() >= 1024 {
                groups.remove(&hint)
            } else if groups.len() > GROUPS_MAX {
                let largest = groups.iter().max_by_key(|(_, group)| group.raw.len()).map(|(hint, _)| *hint);
                largest.and_then(|hint| groups.remove(&hint))
            } else {
                None
            }
        };
        match full {
            Some(group) => self.write_group(&group).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Writes a chunk as a block of its own.
    fn write_large(&self, record: Record, raw: &[u8], hint: GroupHint) -> Result<u64> {
        let mut packed = Vec::new();
        let codec = compress::pack(raw, self.outlook.effort(&hint), &mut packed);
        self.outlook.note(hint, codec);
        self.write_block(vec![record], codec, raw, &packed)
    }

    /// Writes small chunks as one block. Alike as they are, they are always tried in earnest.
    fn write_group(&self, group: &Group) -> Result<u64> {
        let mut packed = Vec::new();
        let codec = compress::pack(&group.raw, Effort::Full, &mut packed);
        self.write_block(group.records.clone(), codec, &group.raw, &packed)
    }

    /// Writes one block; gives its length in the pack in bytes.
    fn write_block(&self, records: Vec<Record>, codec: Codec, raw: &[u8], packed: &[u8]) -> Result<u64> {
        let payload = if codec == Codec::Raw { raw } else { packed };
        self.write_stored(BlockHeader { codec, stored_length: payload.len() as u32, records }, payload)
    }

    /// Writes a block that is packed already; gives its length in the pack in bytes.
    fn write_stored(&self, header: BlockHeader, payload: &[u8]) -> Result<u64> {
        let block_length = header.block_length();
        let place = self.packs.reserve(block_length)?;
        let rows = rows_of(&header.records, place.position, place.offset, block_length);
        self.packs.write(&place, header, payload)?;
        self.stored_bytes.fetch_add(block_length, Ordering::Relaxed);
        locked(&self.rows).extend(rows);
        Ok(block_length)
    }

    /// Writes what is still gathered.
    fn flush_groups(&self) -> Result<()> {
        let groups = std::mem::take(&mut *locked(&self.groups));
        for group in groups.into_values() {
            self.write_group(&group)?;
        }
        Ok(())
    }

    /// Writes what is still gathered, and makes all packs durable.
    fn settle(&self) -> Result<()> {
        self.flush_groups()?;
        self.packs.settle()
    }

    fn take_batch(&self) -> Batch {
        Batch {
            rows: std::mem::take(&mut *locked(&self.rows)),
            packs: self.packs.updates(),
            objects: std::mem::take(&mut *locked(&self.objects)),
            lost: self.stored.lost(),
        }
    }

    /// Publishes what was gathered, so that memory stays bounded and a break costs little. Chunks
    /// and manifests that nothing refers to yet do no harm.
    fn publish_pending(&self, always: bool) -> Result<()> {
        let mut gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let enough = always
            || self.has_enough_pending()
            || self.object_bytes.load(Ordering::Relaxed) >= OBJECT_BYTES_MAX;
        if !enough {
            // Another thread was quicker.
            return Ok(());
        }
        if self.failed.load(Ordering::Relaxed) {
            return Err(StoreError::WriterFailed);
        }
        *gate = None;
        let published = self.publish_gated();
        if published.is_err() {
            self.failed.store(true, Ordering::Relaxed);
            return published;
        }
        *gate = Some(self.store.snapshot()?);
        Ok(())
    }

    fn publish_gated(&self) -> Result<()> {
        self.settle()?;
        let mut batch = self.take_batch();
        let mut transaction = self.store.begin_watched(self.monitor)?;
        transaction.apply(&mut batch)?;
        let Batch { rows, packs, .. } = std::mem::take(&mut batch);
        let is_large = rows.len() >= MANY;
        // The commit needs room of its own.
        drop(rows);
        transaction.commit()?;
        self.object_bytes.store(0, Ordering::Relaxed);
        self.raw_published.store(self.raw_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        for shard in &self.seen {
            locked(shard).clear();
        }
        self.packs.published(&packs);
        if is_large {
            // Any of the threads may be the one that publishes, and the allocator keeps for each what
            // its turn took: without this a file grows the process by its length.
            give_back();
        }
        Ok(())
    }

    /// Ends a rewrite: like [`ChunkWriter::finish`], with the pack sealed, since nobody will add to it.
    pub(crate) fn finish_rewrite(self) -> Result<Staged> {
        self.flush_groups()?;
        self.packs.close_all()?;
        self.finish()
    }

    /// Writes and syncs everything; what comes back waits for its transaction.
    pub fn finish(self) -> Result<Staged> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(StoreError::WriterFailed);
        }
        self.store.explain(self.settle(), GROUP_BYTES as u64)?;
        let batch = self.take_batch();
        let totals = self.totals();
        Ok(Staged { batch, totals, _packs: self.packs.into_held(), _lock: self.lock })
    }
}

/// Rows of the chunks of one block.
fn rows_of(records: &[Record], pack: usize, offset: u64, block_length: u64) -> Vec<PendingRow> {
    let mut raw_offset = 0;
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        let place = ChunkLocation {
            pack: 0,
            block_offset: offset as u32,
            raw_offset,
            length: record.length,
            block_length: block_length as u32,
        };
        rows.push(PendingRow { id: record.id, pack, place });
        raw_offset += record.length;
    }
    rows
}
