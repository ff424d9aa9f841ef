//! Reading from a bucket: bundles by generation or by key, chunks by runs of neighbouring blocks.

use crate::base::id::{ChunkId, PackId};
use crate::store::bucket::BucketError;
use crate::store::bucket::index::IndexPlace;
use crate::store::parcel::block_length;
use crate::sync::bucket::{BucketRemote, LIMITS, parcel_key};
use crate::sync::bundle::{open_bundle, wrap_frame};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::{for_each, patiently};
use crate::sync::remote::{BlockSink, BundleSink, HistoryWants, ObjectKey, ParcelKind};
use std::collections::{BTreeMap, BTreeSet};

/// Longest gap between two wanted blocks that is read along with them, in bytes: what another
/// request would cost in time.
const GAP_BYTES_MAX: u64 = 64 << 10;
/// Longest run that one request reads, in bytes. All that is on its way and what has come since it was last made
/// durable are together no more than one pack: that much a kill costs.
const RUN_BYTES_MAX: u64 = 4 << 20;
/// Longest block or frame, in bytes: an index that says more lies.
const PART_BYTES_MAX: u32 = 80 << 20;
/// Longest bundle that is read at once, in bytes.
const BUNDLE_BYTES_MAX: u64 = 256 << 20;

/// Blocks or frames of one parcel that are read together.
struct Run {
    parcel: PackId,
    kind: ParcelKind,
    /// Offset and length of each wanted part, in rising order.
    parts: Vec<(u64, u64)>,
}

impl Run {
    fn start(&self) -> u64 {
        self.parts.first().map_or(0, |(offset, _)| *offset)
    }

    fn end(&self) -> u64 {
        self.parts.last().map_or(0, |(offset, length)| offset + length)
    }
}

impl BucketRemote {
    /// Sends the bundles of all generations after the one that the caller knows.
    pub(super) fn read_history(&self, wants: &HistoryWants, sink: &mut BundleSink<'_>) -> SyncResult<()> {
        let head = self.head()?;
        let since = wants.since.unwrap_or(0);
        let newer: Vec<_> =
            head.indexes.iter().filter(|record| record.generations.1 > since).copied().collect();
        self.indexes.load(&head.indexes)?;
        let mut bundles = BTreeMap::new();
        for record in &newer {
            for pack in self.indexes.file(record)?.packs() {
                let generation = if pack.generation == 0 { record.generations.1 } else { pack.generation };
                if pack.kind == ParcelKind::Bundle.number() && generation > since {
                    bundles.insert((generation, pack.id), pack.length);
                }
            }
        }
        let read = |(_, id): (u64, PackId)| self.read_bundle(id);
        for_each(bundles.into_keys(), LIMITS.connections, read, |bundle| match bundle {
            Some(bytes) => sink(&bytes),
            None => Ok(()),
        })
    }

    /// A bundle; `None` when it is gone or damaged. Whoever needs what was in it asks by key, and finds
    /// it where it was given back, or hears what is wrong.
    fn read_bundle(&self, id: PackId) -> SyncResult<Option<Vec<u8>>> {
        let bytes = match patiently(|| self.bucket.get(&parcel_key(id, ParcelKind::Bundle), BUNDLE_BYTES_MAX))
        {
            // One that is longer than any is no bundle.
            Err(BucketError::Failed { .. }) => None,
            bytes => bytes?,
        };
        Ok(bytes.filter(|bytes| open_bundle(bytes, &mut |_, _, _| Ok(())).is_ok()))
    }

    pub(super) fn read_objects(&self, keys: &[ObjectKey], sink: &mut BundleSink<'_>) -> SyncResult<()> {
        self.read_places(self.places(keys)?, sink)
    }

    /// Sends the frames at some places.
    pub(super) fn read_places(&self, places: Vec<IndexPlace>, sink: &mut BundleSink<'_>) -> SyncResult<()> {
        let runs = runs_of(places, ParcelKind::Bundle);
        let read = |run: Run| Ok((self.read_run(&run)?, run));
        for_each(runs, LIMITS.connections, read, |(bytes, run)| {
            for part in parts_of(&bytes, &run) {
                sink(&wrap_frame(part))?;
            }
            Ok(())
        })
    }

    pub(super) fn read_chunks(&self, chunks: &[ChunkId], sink: &BlockSink<'_>) -> SyncResult<()> {
        let keys: Vec<ObjectKey> = chunks.iter().map(|id| ObjectKey::chunk(*id)).collect();
        let runs = runs_of(self.places(&keys)?, ParcelKind::Pack);
        let read = |run: Run| {
            let bytes = self.read_run(&run)?;
            for part in parts_of(&bytes, &run) {
                let whole = block_length(part).ok().flatten() == Some(part.len());
                if !whole {
                    return Err(SyncError::Damaged { what: "pack", id: run.parcel });
                }
                sink(part)?;
            }
            Ok(())
        };
        for_each(runs, LIMITS.connections, read, Ok)
    }

    fn places(&self, keys: &[ObjectKey]) -> SyncResult<Vec<IndexPlace>> {
        Ok(self.indexes.find(&*self.head()?, keys)?.into_iter().flatten().collect())
    }

    fn read_run(&self, run: &Run) -> SyncResult<Vec<u8>> {
        let key = parcel_key(run.parcel, run.kind);
        let what = match run.kind {
            ParcelKind::Pack => "pack",
            ParcelKind::Bundle => "bundle",
        };
        match patiently(|| self.bucket.get_range(&key, run.start()..run.end())) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(SyncError::Missing { kind: what, id: run.parcel.to_string() }),
            Err(BucketError::CutShort { .. }) => Err(SyncError::Damaged { what, id: run.parcel }),
            Err(error) => Err(error.into()),
        }
    }
}

/// The wanted parts of what a run read.
fn parts_of<'a>(bytes: &'a [u8], run: &'a Run) -> impl Iterator<Item = &'a [u8]> {
    run.parts.iter().map(move |(offset, length)| {
        let start = (offset - run.start()) as usize;
        bytes.get(start..start + *length as usize).unwrap_or_default()
    })
}

/// Puts neighbouring parts together.
fn runs_of(places: Vec<IndexPlace>, kind: ParcelKind) -> Vec<Run> {
    let parts: BTreeSet<(PackId, u64, u64)> = places
        .into_iter()
        .filter(|place| place.pack.kind == kind.number() && place.length <= PART_BYTES_MAX)
        .map(|place| (place.pack.id, u64::from(place.offset), u64::from(place.length)))
        .collect();
    let mut runs: Vec<Run> = Vec::new();
    for (parcel, offset, length) in parts {
        match runs.last_mut() {
            Some(run)
                if run.parcel == parcel
                    && offset <= run.end() + GAP_BYTES_MAX
                    && offset + length - run.start() <= RUN_BYTES_MAX =>
            {
                run.parts.push((offset, length));
            }
            _ => runs.push(Run { parcel, kind, parts: vec![(offset, length)] }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bucket::index::IndexedPack;

    fn place(pack: u8, offset: u32, length: u32) -> IndexPlace {
        let pack = IndexedPack { id: PackId::from_bytes([pack; 16]), kind: 0, length: 0, generation: 1 };
        IndexPlace { pack, offset, length }
    }

    #[test]
    fn neighbours_are_read_together_and_strangers_apart() {
        let far = 1 << 20;
        let places =
            vec![place(1, 100, 50), place(1, 64, 36), place(1, far, 10), place(2, 64, 5), place(1, 64, 36)];
        let runs = runs_of(places, ParcelKind::Pack);
        let shape: Vec<(u64, u64, usize)> =
            runs.iter().map(|run| (run.start(), run.end(), run.parts.len())).collect();
        let far = u64::from(far);
        assert_eq!(shape, [(64, 150, 2), (far, far + 10, 1), (64, 69, 1)]);
    }
}
