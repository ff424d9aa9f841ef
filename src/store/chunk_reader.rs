//! Gives chunks back, each verified by its hash.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::base::id::{ChunkId, PackId};
use crate::store::Store;
use crate::store::compress;
use crate::store::disk::{DiskFile, Mapping};
use crate::store::error::{Damage, IoContext, Result, StoreError};
use crate::store::pack::block::{BlockHeader, Codec, checked_records};
use crate::store::parcel::OpenBlock;
use crate::store::snapshot::Snapshot;
use crate::store::space::{ChunkLocation, PackRecord};

/// Unpacked blocks that are kept at hand.
const BLOCKS_KEPT: usize = 32;

/// One pack open for reading.
#[derive(Debug)]
pub(crate) struct PackView {
    record: PackRecord,
    file: Arc<dyn DiskFile>,
    map: Option<Mapping>,
}

type BlockKey = (PackId, u32);

/// What is looked at before a chunk is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Its place and length.
    Place,
    /// These and its hash.
    Hash,
}

/// Reads chunks; callable from several threads.
pub struct ChunkReader {
    store: Store,
    view: RwLock<Arc<View>>,
    blocks: Mutex<Vec<(BlockKey, Arc<Vec<u8>>)>>,
}

struct View {
    snapshot: Snapshot,
    packs: Mutex<HashMap<u32, Arc<PackView>>>,
}

impl fmt::Debug for ChunkReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkReader").finish_non_exhaustive()
    }
}

impl ChunkReader {
    pub(crate) fn new(store: Store) -> Result<Self> {
        let view = View { snapshot: store.snapshot()?, packs: Mutex::default() };
        Ok(Self { store, view: RwLock::new(Arc::new(view)), blocks: Mutex::default() })
    }

    /// Puts the bytes of a chunk into `into`, replacing what it held.
    pub fn read(&self, id: ChunkId, into: &mut Vec<u8>) -> Result<()> {
        self.with(id, |bytes| {
            into.clear();
            into.extend_from_slice(bytes);
        })
    }

    /// Shows the bytes of a chunk, straight from the mapped pack where they lie there as they are.
    pub fn with<R>(&self, id: ChunkId, look: impl FnOnce(&[u8]) -> R) -> Result<R> {
        self.with_bytes(id, Check::Hash, look)
    }

    /// Shows bytes that have the place and the length of a chunk and may be damaged: for whoever
    /// checks them by another hash before giving them out, and asks again by [`ChunkReader::with`]
    /// when that does not fit.
    pub fn with_unverified<R>(&self, id: ChunkId, look: impl FnOnce(&[u8]) -> R) -> Result<R> {
        self.with_bytes(id, Check::Place, look)
    }

    fn with_bytes<R>(&self, id: ChunkId, check: Check, look: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let (place, pack) = self.locate(id)?;
        if let Some(raw) = self.kept((pack.record.id, place.block_offset)) {
            return checked(&raw, id, check, &place, &pack).map(look);
        }
        let block = self.block(id, &place, &pack)?;
        self.show((id, check), &place, &pack, &block, look)
    }

    /// The block that a chunk lies in: mapped where the pack is, else read.
    fn block<'p>(&self, id: ChunkId, place: &ChunkLocation, pack: &'p PackView) -> Result<Cow<'p, [u8]>> {
        match &pack.map {
            Some(map) => {
                let block = block_of_map(map, place);
                block.map(Cow::Borrowed).ok_or_else(|| pack.damaged(place, id, Damage::BlockLength))
            }
            None => pack.read_block(&self.store, place).map(Cow::Owned),
        }
    }

    /// Positions of `ids` in the order in which their bytes lie in the packs; unknown ids come last.
    pub fn location_order(&self, ids: &[ChunkId]) -> Result<Vec<usize>> {
        let view = self.view();
        let mut keyed = Vec::with_capacity(ids.len());
        for (position, id) in ids.iter().enumerate() {
            let place = view.snapshot.chunk_location(*id)?;
            let key =
                place.map_or((u32::MAX, u32::MAX, u32::MAX), |p| (p.pack, p.block_offset, p.raw_offset));
            keyed.push((key, position));
        }
        keyed.sort_unstable();
        Ok(keyed.into_iter().map(|(_, position)| position).collect())
    }

    /// Shows the block that a chunk lies in, as it is stored, with every chunk of it compared with
    /// its id.
    pub fn with_block<R>(&self, id: ChunkId, look: impl FnOnce(&OpenBlock<'_>) -> R) -> Result<R> {
        let (place, pack) = self.locate(id)?;
        let block = self.block(id, &place, &pack)?;
        let opened = OpenBlock::open(&block).map_err(|damage| pack.damaged(&place, id, damage))?;
        Ok(look(&opened))
    }

    /// Shows the block that a chunk lies in, as it is stored: what it says about itself, and its payload, which may
    /// be damaged. For whoever gives it to somebody who compares every chunk with its id.
    pub fn with_stored_block<R>(
        &self,
        id: ChunkId,
        look: impl FnOnce(&BlockHeader, &[u8]) -> R,
    ) -> Result<R> {
        let (place, pack) = self.locate(id)?;
        let block = self.block(id, &place, &pack)?;
        let damaged = |damage| pack.damaged(&place, id, damage);
        let (prefix, records) = checked_records(&block).map_err(damaged)?;
        let header = BlockHeader {
            codec: prefix.codec,
            stored_length: prefix.stored_length,
            records: records.collect(),
        };
        let payload = &block[prefix.header_length()..];
        if payload.len() != prefix.stored_length as usize || header.records.iter().all(|found| found.id != id)
        {
            return Err(damaged(Damage::Index));
        }
        Ok(look(&header, payload))
    }

    fn view(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Finds a chunk; looks again at the present state when it, or its pack, is gone: it may have
    /// been stored or moved since.
    fn locate(&self, id: ChunkId) -> Result<(ChunkLocation, Arc<PackView>)> {
        match self.locate_in(&self.view(), id) {
            Err(StoreError::MissingChunk { .. } | StoreError::MissingPack { .. }) => {
                let fresh = Arc::new(View { snapshot: self.store.snapshot()?, packs: Mutex::default() });
                *self.view.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
                self.locate_in(&fresh, id)
            }
            found => found,
        }
    }

    fn locate_in(&self, view: &View, id: ChunkId) -> Result<(ChunkLocation, Arc<PackView>)> {
        let place = view.snapshot.chunk_location(id)?.ok_or(StoreError::MissingChunk { chunk: id })?;
        let mut packs = view.packs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pack) = packs.get(&place.pack) {
            return Ok((place, pack.clone()));
        }
        let record = view.snapshot.pack(place.pack)?.ok_or_else(|| StoreError::DatabaseDamaged {
            detail: format!("chunk {id} lies in pack number {}, which is not recorded", place.pack),
        })?;
        let pack = PackView::open(&self.store, record)?;
        packs.insert(place.pack, pack.clone());
        Ok((place, pack))
    }

    fn show<R>(
        &self,
        (id, check): (ChunkId, Check),
        place: &ChunkLocation,
        pack: &PackView,
        block: &[u8],
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        let damaged = |damage| pack.damaged(place, id, damage);
        let (prefix, _) = checked_records(block).map_err(damaged)?;
        let payload = &block[prefix.header_length()..];
        if payload.len() != prefix.stored_length as usize {
            return Err(damaged(Damage::Index));
        }
        match prefix.codec {
            Codec::Raw => checked(payload, id, check, place, pack).map(look),
            Codec::Zstd => {
                let mut raw = Vec::new();
                compress::unpack(payload, prefix.raw_length as usize, &mut raw).map_err(damaged)?;
                let shown = checked(&raw, id, check, place, pack).map(look)?;
                if prefix.records > 1 {
                    self.keep((pack.record.id, place.block_offset), raw);
                }
                Ok(shown)
            }
        }
    }

    /// An unpacked block, if it was among those asked for lately.
    fn kept(&self, key: BlockKey) -> Option<Arc<Vec<u8>>> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let position = blocks.iter().rposition(|(kept, _)| *kept == key)?;
        // The one asked for last stands last.
        blocks[position..].rotate_left(1);
        blocks.last().map(|(_, raw)| raw.clone())
    }

    /// Keeps an unpacked block that others may ask for too.
    fn keep(&self, key: BlockKey, raw: Vec<u8>) {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() >= BLOCKS_KEPT {
            blocks.remove(0);
        }
        blocks.push((key, Arc::new(raw)));
    }
}

/// The bytes of a chunk among the raw bytes of its block, checked as asked for.
fn checked<'a>(
    raw: &'a [u8],
    id: ChunkId,
    check: Check,
    place: &ChunkLocation,
    pack: &PackView,
) -> Result<&'a [u8]> {
    let start = place.raw_offset as usize;
    let bytes = raw.get(start..start + place.length as usize);
    let bytes = bytes.ok_or_else(|| pack.damaged(place, id, Damage::Index))?;
    if check == Check::Place || ChunkId::of(bytes) == id {
        Ok(bytes)
    } else {
        Err(pack.damaged(place, id, Damage::Content))
    }
}

fn block_of_map<'a>(map: &'a [u8], place: &ChunkLocation) -> Option<&'a [u8]> {
    let start = place.block_offset as usize;
    map.get(start..start.checked_add(place.block_length as usize)?)
}

impl PackView {
    /// Opens a pack, checks its length, and maps what the database records of it.
    fn open(store: &Store, record: PackRecord) -> Result<Arc<Self>> {
        let views = &store.inner.views;
        if let Some(view) = views.lock().unwrap_or_else(PoisonError::into_inner).get(&record.id)
            && view.record.length >= record.length
        {
            return Ok(view.clone());
        }
        let path = store.pack_path(record.id);
        let file = match store.disk().open(&path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::MissingPack { pack: record.id });
            }
            Err(error) => return Err(error).during("opening", &path),
        };
        let actual = file.len().during("reading", &path)?;
        if actual < record.length {
            return Err(StoreError::PackTruncated { pack: record.id, expected: record.length, actual });
        }
        let map = file.map(record.length).unwrap_or_default();
        let view = Arc::new(Self { record, file, map });
        views.lock().unwrap_or_else(PoisonError::into_inner).insert(record.id, view.clone());
        Ok(view)
    }

    fn read_block(&self, store: &Store, place: &ChunkLocation) -> Result<Vec<u8>> {
        let path = store.pack_path(self.record.id);
        let mut block = vec![0; place.block_length as usize];
        self.file.read_exact_at(&mut block, u64::from(place.block_offset)).during("reading", &path)?;
        Ok(block)
    }

    fn damaged(&self, place: &ChunkLocation, chunk: ChunkId, damage: Damage) -> StoreError {
        StoreError::PackDamaged {
            pack: self.record.id,
            offset: u64::from(place.block_offset),
            chunk: Some(chunk),
            damage,
        }
    }
}
