//! Reads everything that a bucket has, and has a clone give back what is damaged or lost.

use crate::base::id::{ChunkId, PackId};
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::repo::{Repository, View};
use crate::store::bucket::head::{Head, Token};
use crate::store::bucket::index::{IndexKey, IndexedPack};
use crate::store::parcel::{OpenBlock, pack_blocks};
use crate::sync::bucket::{BucketRemote, LIMITS, parcel_key};
use crate::sync::bundle::open_bundle;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::{for_each, patiently};
use crate::sync::push::candidates::object_bytes;
use crate::sync::push::{build_bundle, build_pack};
use crate::sync::remote::{Kind, ObjectKey, ParcelKind, ParcelRecord, Proposal, Remote as _};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// Longest parcel that is read, in bytes.
const PARCEL_BYTES_MAX: u64 = 256 << 20;
/// Chunks of one pack that is given back, and objects of one bundle.
const GIVEN_AT_A_TIME: usize = 256;

/// How much of a bucket is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// How much of the packs and bundles, in percent, chosen anew each time.
    pub percent: f64,
    /// What was published after this mark is read in any case.
    pub since: u64,
    /// Chooses: random bytes.
    pub nonce: Token,
}

impl Reading {
    /// All of it.
    pub const EVERYTHING: Self = Self { percent: 100.0, since: 0, nonce: [0; 16] };

    fn takes(&self, pack: &IndexedPack) -> bool {
        if self.percent >= 100.0 || pack.generation > self.since {
            return true;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.nonce).update(pack.id.as_bytes());
        let drawn =
            hasher.finalize().as_bytes()[..4].iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
        f64::from(drawn) < f64::from(u32::MAX) * self.percent / 100.0
    }
}

/// What was found, and given back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Packs and bundles that were read.
    pub parcels: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packs and bundles that were not read this time.
    pub parcels_left_out: u64,
    /// Packs and bundles that are damaged or lost.
    pub damaged: Vec<PackId>,
    /// Objects in them that are needed.
    pub objects: u64,
    /// Of these, objects that this clone gave back.
    pub repaired: u64,
}

impl BucketRemote {
    /// Reads packs and bundles, and compares all hashes.
    pub fn verify(&self, reading: &Reading, monitor: &dyn Monitor) -> SyncResult<Verified> {
        let head = self.read_head()?.head;
        let (verified, _) = self.verify_parcels(&head, reading, monitor)?;
        Ok(verified)
    }

    /// Verifies, and gives back what is damaged or lost, as far as this clone has it.
    pub fn repair(
        &self,
        repository: &Repository,
        token: Token,
        monitor: &dyn Monitor,
    ) -> SyncResult<Verified> {
        let head = self.read_head()?.head;
        let (mut verified, lost) = self.verify_parcels(&head, &Reading::EVERYTHING, monitor)?;
        if lost.is_empty() {
            return Ok(verified);
        }
        let view = repository.view()?;
        let mut parcels = Vec::new();
        for keys in lost.chunks(GIVEN_AT_A_TIME) {
            verified.repaired += self.give_back(repository, &view, keys, &token, &mut parcels)?;
        }
        if !parcels.is_empty() {
            let proposal =
                Proposal { epoch: head.epoch, token, parcels, changes: Vec::new(), logs: Vec::new() };
            self.publish(&proposal)?;
        }
        Ok(verified)
    }

    /// Reads parcels; gives the objects that are only in damaged ones.
    fn verify_parcels(
        &self,
        head: &Head,
        reading: &Reading,
        monitor: &dyn Monitor,
    ) -> SyncResult<(Verified, Vec<ObjectKey>)> {
        self.indexes.load(&head.indexes)?;
        let mut packs: BTreeMap<PackId, IndexedPack> = BTreeMap::new();
        for record in &head.indexes {
            for pack in self.indexes.file(record)?.packs() {
                let generation = if pack.generation == 0 { record.generations.1 } else { pack.generation };
                // The oldest place says since when it is there.
                let known = packs.entry(pack.id).or_insert(IndexedPack { generation, ..*pack });
                known.generation = known.generation.min(generation);
            }
        }
        let (packs, left_out): (Vec<IndexedPack>, Vec<IndexedPack>) =
            packs.into_values().partition(|pack| reading.takes(pack));
        let bytes_total = Some(packs.iter().map(|pack| pack.length).sum());
        monitor.phase(Phase { name: "Checking the remote", files_total: None, bytes_total });
        let mut verified = Verified { parcels_left_out: left_out.len() as u64, ..Verified::default() };
        let mut damaged: HashSet<PackId> = HashSet::new();
        let check = |pack: IndexedPack| {
            if monitor.is_cancelled() {
                return Err(SyncError::Cancelled);
            }
            Ok((pack, self.is_sound(&pack)?))
        };
        for_each(packs, LIMITS.connections, check, |(pack, is_sound)| {
            verified.parcels += 1;
            verified.bytes += pack.length;
            monitor.advance(Advance { bytes: pack.length, ..Advance::default() });
            if !is_sound {
                damaged.insert(pack.id);
                verified.damaged.push(pack.id);
            }
            Ok(())
        })?;
        let lost = self.lost_with(head, &damaged)?;
        verified.objects = lost.len() as u64;
        Ok((verified, lost))
    }

    fn is_sound(&self, pack: &IndexedPack) -> SyncResult<bool> {
        let Some(kind) = ParcelKind::from_number(pack.kind) else { return Ok(true) };
        let Some(bytes) = patiently(|| self.bucket.get(&parcel_key(pack.id, kind), PARCEL_BYTES_MAX))? else {
            return Ok(false);
        };
        Ok(match kind {
            ParcelKind::Bundle => open_bundle(&bytes, &mut |_, _, _| Ok(())).is_ok(),
            ParcelKind::Pack => pack_blocks(&bytes).is_ok_and(|(id, blocks)| {
                id == pack.id
                    && blocks.iter().all(|block| {
                        let start = block.offset as usize;
                        let end = start + block.header.block_length() as usize;
                        OpenBlock::open(&bytes[start..end]).is_ok()
                    })
            }),
        } && bytes.len() as u64 == pack.length)
    }

    /// The objects whose newest place is in one of these parcels.
    fn lost_with(&self, head: &Head, damaged: &HashSet<PackId>) -> SyncResult<Vec<ObjectKey>> {
        let (mut seen, mut lost): (HashSet<IndexKey>, Vec<ObjectKey>) = (HashSet::new(), Vec::new());
        if damaged.is_empty() {
            return Ok(lost);
        }
        for record in head.indexes.iter().rev() {
            self.indexes.each(record, |key, place| {
                if seen.insert(key)
                    && damaged.contains(&place.pack.id)
                    && let Some(kind) = Kind::from_number(key.kind)
                {
                    lost.push(ObjectKey::new(kind, key.id));
                }
            })?;
        }
        Ok(lost)
    }

    /// Puts what this clone has of some objects into parcels of their own; gives how many that were.
    fn give_back(
        &self,
        repository: &Repository,
        view: &View,
        keys: &[ObjectKey],
        salt: &Token,
        parcels: &mut Vec<ParcelRecord>,
    ) -> SyncResult<u64> {
        let mut chunks = Vec::new();
        let mut objects = Vec::new();
        for key in keys {
            if key.kind == Kind::Chunk {
                let id = ChunkId::from_bytes(key.id);
                let mut bytes = Vec::new();
                let reader = repository.store().chunk_reader()?;
                if view.snapshot().has_chunk(id)? && reader.read(id, &mut bytes).is_ok() {
                    chunks.push(id);
                }
            } else if object_bytes(view, *key).is_ok() {
                objects.push(*key);
            }
        }
        if !chunks.is_empty() {
            let parcel = build_pack(&repository.store().chunk_reader()?, &chunks, salt)?;
            self.put(&parcel)?;
            parcels.push(parcel.record);
        }
        if !objects.is_empty() {
            let parcel = build_bundle(view, &objects, salt)?;
            self.put(&parcel)?;
            parcels.push(parcel.record);
        }
        Ok((chunks.len() + objects.len()) as u64)
    }
}
