//! The packs that one writer appends to: it takes up an unsealed one where nobody else does, begins
//! new ones, and has sealed ones made durable in the background.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::base::id::PackId;
use crate::store::Store;
use crate::store::error::{IoContext, Result, StoreError};
use crate::store::pack::PACK_BYTES_MAX;
use crate::store::pack_walk;
use crate::store::pack_writer::{OpenPack, PackUpdate};

/// Unsealed packs that are tried before a new one is begun.
const ADOPT_TRIES: usize = 4;

/// The packs of one writer, in the order of [`PendingRow::pack`](crate::store::pack_writer::PendingRow).
#[derive(Debug)]
pub(crate) struct OpenPacks {
    store: Store,
    state: Mutex<State>,
    /// Why a sync in the background failed.
    failed: Failure,
}

/// The first failure of the background thread.
type Failure = Arc<Mutex<Option<StoreError>>>;

#[derive(Debug, Default)]
struct State {
    open: Vec<Arc<OpenPack>>,
    /// Whether the folder has names that are not durable yet.
    created: bool,
    /// Whether an unsealed pack was looked for already.
    adopted: bool,
    syncer: Option<(Sender<Arc<OpenPack>>, JoinHandle<()>)>,
}

/// Where a block is to be written.
#[derive(Debug)]
pub(crate) struct Place {
    pub pack: Arc<OpenPack>,
    /// Position of the pack among those of the writer.
    pub position: usize,
    /// Offset in the pack in bytes.
    pub offset: u64,
}

impl OpenPacks {
    /// With `adopt`, an unsealed pack of an earlier writer is taken up first.
    pub(crate) fn new(store: Store, adopt: bool) -> Self {
        let state = State { adopted: !adopt, ..State::default() };
        Self { store, state: Mutex::new(state), failed: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the place for a block of `length` bytes, in another pack when the last one is full.
    pub(crate) fn reserve(&self, length: u64) -> Result<Place> {
        let limit = self.store.options().pack_seal_bytes.min(PACK_BYTES_MAX);
        let mut state = self.state();
        if let Some(pack) = state.open.last()
            && !pack.fits(length, limit)
        {
            let pack = pack.clone();
            if pack.close()? {
                state.sync_in_background(&pack, &self.failed);
            }
        }
        if state.open.last().is_none_or(|pack| !pack.fits(length, limit)) {
            let adopted = if state.adopted { None } else { self.adopt(length, limit)? };
            state.adopted = true;
            let pack = match adopted {
                Some(pack) => pack,
                None => {
                    state.created = true;
                    self.begin()?
                }
            };
            state.open.push(Arc::new(pack));
        }
        let position = state.open.len() - 1;
        let pack = state.open[position].clone();
        let offset = pack.reserve(length);
        Ok(Place { pack, position, offset })
    }

    /// Writes a block to its place; the pack is sealed by whoever writes its last block.
    pub(crate) fn write(
        &self,
        place: &Place,
        header: crate::store::pack::block::BlockHeader,
        payload: &[u8],
    ) -> Result<()> {
        if place.pack.write(place.offset, header, payload)? {
            self.state().sync_in_background(&place.pack, &self.failed);
        }
        Ok(())
    }

    fn begin(&self) -> Result<OpenPack> {
        let id = new_pack_id(&self.store)?;
        OpenPack::create(self.store.disk(), self.store.pack_path(id), id)
    }

    /// Takes up the youngest unsealed pack that nobody else is writing to.
    ///
    /// The record is read again once the lock is held: whoever held it before may just have
    /// published. What lies past the record was never published and is cut off.
    ///
    /// Bytes past the record were left by a writer that died or gave up. It may have died after its
    /// commit was durable and before readers were told of it; only who writes next to the database
    /// finds that out. So such a pack's record is read within a write transaction, and while
    /// somebody else has one, the pack is left alone.
    fn adopt(&self, length: u64, limit: u64) -> Result<Option<OpenPack>> {
        let unsealed = self.store.snapshot()?.unsealed_packs(ADOPT_TRIES)?;
        for (number, seen) in unsealed {
            if seen.length + length > limit {
                continue;
            }
            let path = self.store.pack_path(seen.id);
            let Ok(file) = self.store.disk().open(&path, true) else { continue };
            if !file.try_lock_exclusive().during("locking", &path)? {
                continue;
            }
            let Some(record) = self.store.snapshot()?.pack(number)? else { continue };
            let actual = file.len().during("reading", &path)?;
            let usable = record.id == seen.id
                && !record.sealed
                && record.length + length <= limit
                && actual >= record.length
                && pack_walk::check_header(&*file, &path, record.id).is_ok();
            if !usable {
                continue;
            }
            if actual > record.length {
                let Some(transaction) = self.store.try_begin()? else { continue };
                if transaction.pack(number)? != Some(record) {
                    continue;
                }
                drop(transaction);
                file.set_len(record.length).during("cutting", &path)?;
            }
            return Ok(Some(OpenPack::new(path, file, PackUpdate { number: Some(number), record })));
        }
        Ok(None)
    }

    /// Seals every pack. Nobody is writing meanwhile.
    pub(crate) fn close_all(&self) -> Result<()> {
        self.state().open.iter().try_for_each(|pack| pack.close().map(|_| ()))
    }

    /// Makes all packs and their names durable. Nobody is writing meanwhile.
    pub(crate) fn settle(&self) -> Result<()> {
        let mut state = self.state();
        if let Some((sender, thread)) = state.syncer.take() {
            drop(sender);
            let joined = thread.join().map_err(|_| StoreError::WriterFailed);
            match self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(error) => return Err(error),
                None => joined?,
            }
        }
        for pack in &state.open {
            pack.sync()?;
        }
        if std::mem::take(&mut state.created) {
            let dir = self.store.packs_dir();
            self.store.disk().sync_dir(&dir).during("syncing", &dir)?;
        }
        Ok(())
    }

    /// What is to be recorded of the packs.
    pub(crate) fn updates(&self) -> Vec<PackUpdate> {
        self.state().open.iter().map(|pack| pack.state().update).collect()
    }

    /// Notes what was recorded, and lets go of the packs that are done.
    pub(crate) fn published(&self, updates: &[PackUpdate]) {
        let mut state = self.state();
        for (pack, update) in state.open.iter().zip(updates) {
            pack.state().update.number = update.number;
        }
        state.open.retain(|pack| !pack.state().update.record.sealed);
    }

    /// Hands over the packs, which stay locked as long as the caller keeps them.
    pub(crate) fn into_held(self) -> Vec<Arc<OpenPack>> {
        std::mem::take(&mut self.state().open)
    }
}

impl State {
    /// Has a sealed pack made durable while others are being written.
    fn sync_in_background(&mut self, pack: &Arc<OpenPack>, failed: &Failure) {
        let (sender, _) = self.syncer.get_or_insert_with(|| {
            let (sender, receiver) = channel::<Arc<OpenPack>>();
            let failed = failed.clone();
            let thread = std::thread::spawn(move || {
                for pack in receiver {
                    if let Err(error) = pack.sync() {
                        // A failed sync may have lost pages that a second one calls clean.
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    }
                }
            });
            (sender, thread)
        });
        // Without its thread the pack stays dirty and is synced when all are.
        let _ = sender.send(pack.clone());
    }
}

/// A name that no other pack has.
pub(crate) fn new_pack_id(store: &Store) -> Result<PackId> {
    let mut id = [0u8; PackId::SIZE];
    getrandom::fill(&mut id)
        .map_err(|error| std::io::Error::other(error.to_string()))
        .during("naming a pack in", store.dir())?;
    Ok(PackId::from_bytes(id))
}
