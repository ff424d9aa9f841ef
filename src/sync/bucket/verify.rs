//! Reads everything that a bucket has, and compares it with what its index files say and with what its
//! names need.

use crate::base::id::PackId;
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::repo::View;
use crate::store::bucket::head::{IndexRecord, Token};
use crate::store::bucket::index::{IndexKey, IndexPlace, IndexedPack};
use crate::store::parcel::{OpenBlock, pack_blocks};
use crate::sync::bucket::{BucketRemote, LIMITS, parcel_key};
use crate::sync::bundle::{open_bundle, wrap_frame};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::{for_each, patiently};
use crate::sync::remote::{Kind, ObjectKey, ParcelKind};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Longest parcel that is read, in bytes.
pub(super) const PARCEL_BYTES_MAX: u64 = 256 << 20;

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
        pack.generation > self.since || self.draws(pack.id.as_bytes())
    }

    /// The one that is read when a sample draws none: as good as drawn by lot.
    pub(in crate::sync) fn one_of<T>(
        &self,
        all: impl Iterator<Item = T>,
        name: impl Fn(&T) -> &[u8],
    ) -> Option<T> {
        all.min_by_key(|item| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&self.nonce).update(name(item));
            *hasher.finalize().as_bytes()
        })
    }

    /// Whether something is among what is read, by its name alone.
    pub(in crate::sync) fn draws(&self, name: &[u8]) -> bool {
        if self.percent >= 100.0 {
            return true;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.nonce).update(name);
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
    /// Objects that were asked for one by one and came: where a program keeps the packs to itself.
    pub objects_read: u64,
    /// Objects that were not asked for this time.
    pub objects_left_out: u64,
    /// Packs and bundles that are damaged or lost, or that have not what is said of them.
    pub damaged: Vec<PackId>,
    /// Index files that are damaged or lost.
    pub indexes_damaged: Vec<PackId>,
    /// Whether the head could not be read, and another one stands in its place now.
    pub head_restored: bool,
    /// Objects that the names need and that no index file has.
    pub missing: u64,
    /// Whether all that the names need was looked for; only a clone that has everything knows what that is.
    pub complete: bool,
    /// Objects that are missing, or in packs and bundles that are damaged or lost.
    pub objects: u64,
    /// Of these, objects that this clone gave back.
    pub repaired: u64,
}

impl Verified {
    /// How much was left out this time: packs, bundles and objects.
    pub const fn left_out(&self) -> u64 {
        self.parcels_left_out + self.objects_left_out
    }

    /// Whether nothing is amiss, as far as it was looked at.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.indexes_damaged.is_empty() && self.missing == 0
    }
}

/// What reading packs and bundles found.
#[derive(Debug, Default)]
pub(super) struct Inspection {
    pub verified: Verified,
    /// Packs and bundles that are damaged or lost.
    pub damaged: HashSet<PackId>,
    /// Of what is said to lie in them, what does not.
    pub unsound: HashSet<(IndexKey, PackId)>,
}

/// What an index file says of one pack or bundle.
type Entries = Vec<(IndexKey, u32, u32)>;

impl BucketRemote {
    /// Reads packs and bundles, and compares all hashes with what the index files say. Who reads all of
    /// it with a clone that has everything also finds out whether all that the names need is there.
    pub fn verify(
        &self,
        view: Option<&View>,
        reading: &Reading,
        monitor: &dyn Monitor,
    ) -> SyncResult<Verified> {
        let head = self.read_head()?.head;
        let (sound, damaged) = self.indexes.sort_out(&head.indexes)?;
        let Inspection { mut verified, damaged: packs, .. } = self.inspect(&sound, reading, monitor)?;
        verified.objects = self.lost_with(&sound, &packs)?.len() as u64;
        // Whoever reads a part of it wants it cheap: this goes through all history.
        if let Some(view) = view.filter(|_| reading.percent >= 100.0) {
            let lacking = self.lacking(view, &head, &sound, monitor)?;
            verified.complete = lacking.complete;
            verified.missing = lacking.keys.len() as u64;
            verified.objects += verified.missing;
        }
        verified.indexes_damaged = damaged.iter().map(|record| record.id).collect();
        Ok(verified)
    }

    /// Reads packs and bundles, index file by index file.
    pub(super) fn inspect(
        &self,
        indexes: &[IndexRecord],
        reading: &Reading,
        monitor: &dyn Monitor,
    ) -> SyncResult<Inspection> {
        let packs = self.packs_of(indexes)?;
        let mut taken: HashMap<PackId, IndexedPack> =
            packs.iter().filter(|(_, pack)| reading.takes(pack)).map(|(id, pack)| (*id, *pack)).collect();
        if taken.is_empty() && reading.percent > 0.0 {
            // Of few packs a small sample draws none, and a sample of nothing says nothing.
            taken
                .extend(reading.one_of(packs.iter(), |(id, _)| id.as_bytes()).map(|(id, pack)| (*id, *pack)));
        }
        let bytes_total = Some(taken.values().map(|pack| pack.length).sum());
        monitor.phase(Phase { name: "Checking the remote", files_total: None, bytes_total });
        let mut found = Inspection::default();
        found.verified.parcels_left_out = (packs.len() - taken.len()) as u64;
        let mut read = HashSet::new();
        for record in indexes {
            let mut entries: BTreeMap<PackId, (IndexedPack, Entries)> = BTreeMap::new();
            self.indexes.each(record, |key, place| {
                if taken.contains_key(&place.pack.id) {
                    let of_pack = entries.entry(place.pack.id).or_insert((place.pack, Vec::new()));
                    of_pack.1.push((key, place.offset, place.length));
                }
            })?;
            let check = |(pack, entries): (IndexedPack, Entries)| {
                if monitor.is_cancelled() {
                    return Err(SyncError::Cancelled);
                }
                Ok((pack, self.unsound_in(&pack, &entries)?))
            };
            for_each(entries.into_values(), LIMITS.connections, check, |(pack, unsound)| {
                if read.insert(pack.id) {
                    found.verified.parcels += 1;
                    found.verified.bytes += pack.length;
                    monitor.advance(Advance { bytes: pack.length, ..Advance::default() });
                }
                if let Some(unsound) = unsound {
                    if found.damaged.insert(pack.id) {
                        found.verified.damaged.push(pack.id);
                    }
                    found.unsound.extend(unsound.into_iter().map(|key| (key, pack.id)));
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// The packs and bundles of index files; the oldest place says since when one is there.
    fn packs_of(&self, indexes: &[IndexRecord]) -> SyncResult<BTreeMap<PackId, IndexedPack>> {
        let mut packs: BTreeMap<PackId, IndexedPack> = BTreeMap::new();
        for record in indexes {
            for pack in self.indexes.file(record)?.packs() {
                let generation = if pack.generation == 0 { record.generations.1 } else { pack.generation };
                let known = packs.entry(pack.id).or_insert(IndexedPack { generation, ..*pack });
                known.generation = known.generation.min(generation);
            }
        }
        Ok(packs)
    }

    /// What of a pack or bundle is not as an index file says; `None` when all of it is sound.
    fn unsound_in(&self, pack: &IndexedPack, entries: &Entries) -> SyncResult<Option<Vec<IndexKey>>> {
        let Some(kind) = ParcelKind::from_number(pack.kind) else { return Ok(None) };
        let Some(bytes) = patiently(|| self.bucket.get(&parcel_key(pack.id, kind), PARCEL_BYTES_MAX))? else {
            return Ok(Some(entries.iter().map(|(key, _, _)| *key).collect()));
        };
        let is_whole = bytes.len() as u64 == pack.length
            && match kind {
                ParcelKind::Bundle => open_bundle(&bytes, &mut |_, _, _| Ok(())).is_ok(),
                ParcelKind::Pack => pack_blocks(&bytes).is_ok_and(|(id, _)| id == pack.id),
            };
        let mut there: HashMap<(u32, u32), Option<HashSet<IndexKey>>> = HashMap::new();
        let mut unsound = Vec::new();
        for (key, offset, length) in entries {
            let keys =
                there.entry((*offset, *length)).or_insert_with(|| keys_at(&bytes, kind, *offset, *length));
            let is_there = keys.as_ref().is_some_and(|keys| {
                // What a later program put there is for later programs.
                keys.contains(key) || Kind::from_number(key.kind).is_none()
            });
            if !is_there {
                unsound.push(*key);
            }
        }
        Ok((!is_whole || !unsound.is_empty()).then_some(unsound))
    }

    /// The objects that lie in these packs and bundles and nowhere else.
    pub(super) fn lost_with(
        &self,
        indexes: &[IndexRecord],
        damaged: &HashSet<PackId>,
    ) -> SyncResult<Vec<ObjectKey>> {
        let mut lost: HashSet<IndexKey> = HashSet::new();
        if damaged.is_empty() {
            return Ok(Vec::new());
        }
        let is_lost = |place: &IndexPlace| damaged.contains(&place.pack.id);
        for record in indexes {
            self.indexes.each(record, |key, place| {
                if is_lost(&place) {
                    lost.insert(key);
                }
            })?;
        }
        for record in indexes {
            self.indexes.each(record, |key, place| {
                if !is_lost(&place) {
                    lost.remove(&key);
                }
            })?;
        }
        let keys = lost.into_iter();
        let mut keys: Vec<ObjectKey> =
            keys.filter_map(|key| Some(ObjectKey::new(Kind::from_number(key.kind)?, key.id))).collect();
        keys.sort_unstable();
        Ok(keys)
    }
}

/// What lies in a block or frame; `None` when it cannot be read.
pub(super) fn keys_at(bytes: &[u8], kind: ParcelKind, offset: u32, length: u32) -> Option<HashSet<IndexKey>> {
    let start = offset as usize;
    let part = bytes.get(start..start.checked_add(length as usize)?)?;
    match kind {
        ParcelKind::Pack => {
            let block = OpenBlock::open(part).ok()?;
            Some(block.chunks().map(|(id, _)| ObjectKey::chunk(id).index_key()).collect())
        }
        ParcelKind::Bundle => {
            let mut keys = HashSet::new();
            let opened = open_bundle(&wrap_frame(part), &mut |received, _, _| {
                keys.insert(received.key.index_key());
                Ok(())
            });
            opened.ok().map(|()| keys)
        }
    }
}
