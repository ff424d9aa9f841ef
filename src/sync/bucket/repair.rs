//! Has a clone give back what a bucket lost, and takes out of its index files what is not true.
//!
//! An index file is believed, so one that leads to damage must not stay: whoever asks for the object
//! would be led there, and whoever has it would not send it again. What cannot be given back now is
//! therefore no longer said to be there, under a new epoch, and the next push of somebody who has it
//! brings it.

use crate::base::id::{ChunkId, PackId};
use crate::base::monitor::Monitor;
use crate::repo::{Repository, View};
use crate::store::bucket::head::{CondemnedBlob, Head, IndexRecord, Token};
use crate::store::bucket::index::{IndexKey, IndexPlace};
use crate::sync::bucket::publish::IndexWriter;
use crate::sync::bucket::verify::{Inspection, Reading, Verified};
use crate::sync::bucket::{BucketRemote, index_file_key, parcel_key};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::pause;
use crate::sync::push::candidates::object_bytes;
use crate::sync::push::{build_bundle, build_pack};
use crate::sync::remote::{Kind, ObjectKey, ParcelKind, ParcelRecord, Remote as _};
use std::collections::HashSet;

/// Chunks of one pack that is given back, and objects of one bundle.
const GIVEN_AT_A_TIME: usize = 256;
/// How often a head that others change is tried.
const ATTEMPTS: u32 = 50;

/// What a repair changes.
struct Mending {
    /// Index files that cannot be read.
    unreadable: HashSet<PackId>,
    /// Index files of what was found, and of what was given back.
    added: Vec<IndexRecord>,
    /// What was given back.
    given: HashSet<IndexKey>,
    inspection: Inspection,
}

impl Mending {
    fn is_nothing(&self) -> bool {
        self.unreadable.is_empty() && self.added.is_empty() && self.inspection.damaged.is_empty()
    }

    /// Whether an index file may no longer say this.
    fn drops(&self, key: &IndexKey, place: &IndexPlace) -> bool {
        let pack = place.pack.id;
        self.inspection.damaged.contains(&pack)
            && (self.given.contains(key) || self.inspection.unsound.contains(&(*key, pack)))
    }
}

impl BucketRemote {
    /// Verifies, and mends what can be mended: a head or an index file that cannot be read is made anew from
    /// what lies there, and what is damaged or missing is given back, as far as this clone has it. `name` is
    /// what the clone calls the remote: where it saw its names last.
    pub fn repair(
        &self,
        repository: &Repository,
        name: &str,
        token: Token,
        monitor: &dyn Monitor,
    ) -> SyncResult<Verified> {
        let view = repository.view()?;
        let head_restored = self.restore_head(repository, &view, name, token)?;
        let head = self.read_head()?.head;
        let (mut indexes, unreadable) = self.indexes.sort_out(&head.indexes)?;
        let mut added = Vec::new();
        if head_restored || !unreadable.is_empty() {
            added = self.rebuild(&view, &head, &indexes, monitor)?;
            indexes.extend(added.iter().copied());
        }
        let mut inspection = self.inspect(&indexes, &Reading::EVERYTHING, monitor)?;
        let lost = self.lost_with(&indexes, &inspection.damaged)?;
        let lacking = self.lacking(&view, &head, &indexes, monitor)?;
        let mut verified = std::mem::take(&mut inspection.verified);
        verified.head_restored = head_restored;
        verified.indexes_damaged = unreadable.iter().map(|record| record.id).collect();
        (verified.complete, verified.missing) = (lacking.complete, lacking.keys.len() as u64);
        verified.objects = lost.len() as u64 + verified.missing;
        let (mut parcels, mut given) = (Vec::new(), HashSet::new());
        let wanted: Vec<ObjectKey> = lost.into_iter().chain(lacking.keys).collect();
        for keys in wanted.chunks(GIVEN_AT_A_TIME) {
            let keys = self.give_back(repository, &view, keys, &token, &mut parcels)?;
            given.extend(keys.iter().map(ObjectKey::index_key));
        }
        verified.repaired = given.len() as u64;
        added.extend(self.write_indexes(&parcels)?);
        let unreadable = unreadable.iter().map(|record| record.id).collect();
        self.publish_mending(&Mending { unreadable, added, given, inspection }, token)?;
        Ok(verified)
    }

    fn publish_mending(&self, mending: &Mending, token: Token) -> SyncResult<()> {
        if mending.is_nothing() {
            return Ok(());
        }
        for attempt in 0..ATTEMPTS {
            let seen = self.read_head()?;
            if seen.head.tokens.contains(&token) {
                return Ok(());
            }
            let head = self.mended(&seen.head, mending, token)?;
            if self.replace_head(&seen, head)?.is_some() {
                return Ok(());
            }
            pause(attempt.min(4));
        }
        Err(SyncError::Busy { attempts: ATTEMPTS })
    }

    /// The head without what is not true, and with what was found and given back.
    fn mended(&self, before: &Head, mending: &Mending, token: Token) -> SyncResult<Head> {
        let mut head = before.clone();
        head.note(token);
        let (mut replaced, mut packs_before) = (Vec::new(), HashSet::new());
        for record in std::mem::take(&mut head.indexes) {
            if mending.unreadable.contains(&record.id) {
                replaced.push(record.id);
                continue;
            }
            packs_before.extend(self.parcels_of(&record)?);
            match self.without(&record, mending)? {
                None => head.indexes.push(record),
                Some(rest) => {
                    replaced.push(record.id);
                    head.indexes.extend(rest);
                }
            }
        }
        let now = (head.generation, head.generation);
        head.indexes.extend(mending.added.iter().map(|record| IndexRecord { generations: now, ..*record }));
        if !replaced.is_empty() {
            head.epoch += 1;
        }
        let mut used: HashSet<String> = head.indexes.iter().map(|record| index_file_key(record.id)).collect();
        for record in &head.indexes {
            used.extend(self.parcels_of(record)?);
        }
        let gone = replaced.into_iter().map(index_file_key).chain(packs_before);
        head.condemned.extend(gone.map(|key| CondemnedBlob { key, since_ms: 0 }));
        head.condemned.retain(|blob| !used.contains(&blob.key));
        Ok(head)
    }

    /// Keys of the packs and bundles that an index file speaks of.
    pub(super) fn parcels_of(&self, record: &IndexRecord) -> SyncResult<Vec<String>> {
        let file = self.indexes.file(record)?;
        let key = |kind, id| ParcelKind::from_number(kind).map(|kind| parcel_key(id, kind));
        Ok(file.packs().iter().filter_map(|pack| key(pack.kind, pack.id)).collect())
    }

    /// An index file without what is not true; `None` when all of it is.
    fn without(&self, record: &IndexRecord, mending: &Mending) -> SyncResult<Option<Vec<IndexRecord>>> {
        let file = self.indexes.file(record)?;
        if !file.packs().iter().any(|pack| mending.inspection.damaged.contains(&pack.id)) {
            return Ok(None);
        }
        let mut rest = Vec::new();
        let mut dropped = false;
        self.indexes.each(record, |key, mut place| {
            if mending.drops(&key, &place) {
                dropped = true;
                return;
            }
            if place.pack.generation == 0 {
                place.pack.generation = record.generations.1;
            }
            rest.push((key, place));
        })?;
        if !dropped {
            return Ok(None);
        }
        let mut writer = IndexWriter::new(self);
        for (key, place) in rest {
            writer.push(key, place)?;
        }
        let records = writer.finish()?.into_iter();
        Ok(Some(records.map(|new| IndexRecord { generations: record.generations, ..new }).collect()))
    }

    /// Puts what this clone has of some objects into parcels of their own; gives which that were.
    fn give_back(
        &self,
        repository: &Repository,
        view: &View,
        keys: &[ObjectKey],
        salt: &Token,
        parcels: &mut Vec<ParcelRecord>,
    ) -> SyncResult<Vec<ObjectKey>> {
        let (mut chunks, mut objects) = (Vec::new(), Vec::new());
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
        Ok(chunks.into_iter().map(ObjectKey::chunk).chain(objects).collect())
    }
}
