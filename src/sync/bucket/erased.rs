//! What makes an erasure one for everybody: tombstones that explain it, and packs without the bytes.

use crate::base::id::{ChunkId, FileId, PackId};
use crate::repo::View;
use crate::store::bucket::head::Token;
use crate::store::bucket::index::{IndexKey, IndexPlace, IndexedPack};
use crate::store::parcel::{OpenBlock, PackBuilder};
use crate::sync::bucket::collect::{Collect, Kept};
use crate::sync::bucket::verify::PARCEL_BYTES_MAX;
use crate::sync::bucket::{BucketRemote, parcel_key};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::patiently;
use crate::sync::push::{build_bundle, parcel_of};
use crate::sync::remote::{Kind, ObjectKey, ParcelKind, Proposal, Remote as _};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Tombstones of one bundle.
const TOMBSTONES_AT_A_TIME: usize = 256;

impl BucketRemote {
    /// Publishes the tombstones of files that are not there yet.
    pub(super) fn give_tombstones(
        &self,
        view: &View,
        how: &Collect,
        erased: &HashSet<FileId>,
    ) -> SyncResult<()> {
        let head = self.read_head()?.head;
        let mut keys: Vec<ObjectKey> =
            erased.iter().map(|file| ObjectKey::new(Kind::Tombstone, *file.as_bytes())).collect();
        keys.sort_unstable();
        let places = self.indexes.find(&head, &keys)?;
        let open = keys.into_iter().zip(places).filter_map(|(key, place)| place.is_none().then_some(key));
        let open: Vec<ObjectKey> = open.collect();
        let mut parcels = Vec::new();
        for keys in open.chunks(TOMBSTONES_AT_A_TIME) {
            let parcel = build_bundle(view, keys, &how.token)?;
            self.put(&parcel)?;
            parcels.push(parcel.record);
        }
        if parcels.is_empty() {
            return Ok(());
        }
        // A publication of its own: the collection after it must not take its token for its own.
        let mut token = how.token;
        token[0] ^= 0x80;
        let (changes, logs) = (Vec::new(), Vec::new());
        self.publish(&Proposal { epoch: head.epoch, token, parcels, changes, logs }).map(drop)
    }

    /// Writes packs anew of which some chunks go and some stay, without those that go.
    pub(super) fn cut_out(&self, kept: &mut Kept, salt: &Token) -> SyncResult<()> {
        let pack = ParcelKind::Pack.number();
        let cut: BTreeSet<PackId> =
            kept.cut.iter().filter(|id| kept.packs.contains(&(**id, pack))).copied().collect();
        let mut stay: BTreeMap<PackId, Vec<usize>> = BTreeMap::new();
        for (position, (_, place)) in kept.places.iter().enumerate() {
            if cut.contains(&place.pack.id) {
                stay.entry(place.pack.id).or_default().push(position);
            }
        }
        for (id, positions) in stay {
            let of_pack: Vec<(IndexKey, IndexPlace)> =
                positions.iter().map(|position| kept.places[*position]).collect();
            let (new, places) = self.without_the_rest(id, &of_pack, salt)?;
            for (position, place) in positions.into_iter().zip(places) {
                kept.places[position].1 = place;
            }
            kept.packs.remove(&(id, pack));
            kept.packs.insert((new, pack));
        }
        Ok(())
    }

    /// A pack with these chunks of another one; gives its id, and where they lie in it.
    fn without_the_rest(
        &self,
        id: PackId,
        chunks: &[(IndexKey, IndexPlace)],
        salt: &Token,
    ) -> SyncResult<(PackId, Vec<IndexPlace>)> {
        let damaged = || SyncError::Damaged { what: "pack", id };
        let read = patiently(|| self.bucket.get(&parcel_key(id, ParcelKind::Pack), PARCEL_BYTES_MAX))?;
        let bytes = read.ok_or_else(|| SyncError::Missing { kind: "pack", id: id.to_string() })?;
        let wanted: HashSet<ChunkId> = chunks.iter().map(|(key, _)| ChunkId::from_bytes(key.id)).collect();
        let blocks: BTreeSet<(u32, u32)> =
            chunks.iter().map(|(_, place)| (place.offset, place.length)).collect();
        let mut builder = PackBuilder::new(bytes.len());
        for (offset, length) in blocks {
            let start = offset as usize;
            let part = bytes.get(start..start.saturating_add(length as usize)).ok_or_else(damaged)?;
            let block = OpenBlock::open(part).map_err(|_| damaged())?;
            if block.is_wholly(&wanted) {
                builder.push_block(block.header.clone(), block.payload);
            } else {
                block
                    .chunks()
                    .filter(|(id, _)| wanted.contains(id))
                    .for_each(|(id, raw)| builder.push_chunk(id, raw));
            }
        }
        let parcel = parcel_of(builder.finish(salt));
        self.put(&parcel)?;
        let (new, length) = (parcel.record.id, parcel.record.length);
        let places: HashMap<ObjectKey, (u32, u32)> = parcel
            .record
            .entries
            .load()?
            .iter()
            .map(|(key, offset, length)| (*key, (*offset, *length)))
            .collect();
        let place = |(key, before): &(IndexKey, IndexPlace)| {
            let key = ObjectKey::chunk(ChunkId::from_bytes(key.id));
            let (offset, block_length) = places.get(&key).copied().ok_or_else(damaged)?;
            let pack = IndexedPack { id: new, length, ..before.pack };
            Ok(IndexPlace { pack, offset, length: block_length })
        };
        let places: SyncResult<Vec<IndexPlace>> = chunks.iter().map(place).collect();
        Ok((new, places?))
    }
}
