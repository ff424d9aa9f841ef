//! A remote in a bucket: a folder on a shared disk, or an object store. No program runs there.
//!
//! ```text
//! head                    where names point, which index files there are   (the one cell)
//! indexes/<id>.index      which object lies where
//! packs/<xx>/<id>.pack    chunks
//! bundles/<xx>/<id>.bundle  everything else
//! keeps/<clone>.keep      what a clone relies on that does not have everything
//! ```
//!
//! Nothing is listed on the way: the head names the index files, these name the packs and bundles.
//! What no index file names is not there. `docs/format/bucket.md` has the bytes and the reasons.

mod collect;
mod erased;
mod indexes;
mod keeps;
mod lacking;
mod publish;
mod read;
mod rebuild;
mod repair;
mod verify;

pub use collect::{Collect, Collected};
pub(in crate::sync) use lacking::{is_certain, needed_of_logs};
pub use verify::{Reading, Verified};

use crate::base::id::{ChunkId, CommitId, PackId, RepositoryId};
use crate::object::chunker::ChunkerParameters;
use crate::repo::refs::{RefName, RefTarget};
use crate::store::bucket::head::{HEAD_BYTES_MAX, HEAD_KEY, Head};
use crate::store::bucket::index::ENTRIES_MAX;
use crate::store::bucket::probe::probe_conditions;
use crate::store::bucket::{Bucket, Version, Write};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::keep::CloneId;
use crate::sync::parallel::{for_each, patiently};
use crate::sync::remote::{
    BlockSink, BundleSink, Description, HistoryWants, Limits, ObjectKey, Parcel, ParcelKind, Proposal,
    Published, Remote,
};
use indexes::Indexes;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much is asked of a bucket at a time. A question for chunks costs nothing by itself: with all that is
/// wanted in one, neighbours come in one piece, and a block that many files share comes once.
const LIMITS: Limits =
    Limits { keys_max: 1 << 16, chunks_max: 1 << 16, parcel_bytes_max: 32 << 20, connections: 4 };

/// Features that this program knows of buckets.
const KNOWN_FEATURES: &[&str] = &[];

/// A remote in a bucket.
#[derive(Debug)]
pub struct BucketRemote {
    bucket: Arc<dyn Bucket>,
    /// As a person would write it.
    address: String,
    seen: Mutex<Option<Seen>>,
    indexes: Indexes,
    /// Most keys of an index file that is written.
    index_entries_max: u64,
    /// Whether it was there before: then a place with nothing in it is one that cannot be reached.
    is_expected: bool,
}

/// The head as it was read last.
#[derive(Debug, Clone)]
struct Seen {
    head: Arc<Head>,
    version: Version,
}

/// Key of a parcel.
pub(super) fn parcel_key(id: PackId, kind: ParcelKind) -> String {
    let text = id.to_string();
    match kind {
        ParcelKind::Pack => format!("packs/{}/{text}.pack", &text[..2]),
        ParcelKind::Bundle => format!("bundles/{}/{text}.bundle", &text[..2]),
    }
}

/// Key of an index file.
pub(super) fn index_file_key(id: PackId) -> String {
    format!("indexes/{id}.index")
}

impl BucketRemote {
    /// Uses a bucket. Index files are kept in `cache`, when given: they never change.
    pub fn new(bucket: Arc<dyn Bucket>, address: String, cache: Option<PathBuf>) -> Self {
        let indexes = Indexes::new(bucket.clone(), cache);
        Self {
            bucket,
            address,
            seen: Mutex::default(),
            indexes,
            index_entries_max: ENTRIES_MAX,
            is_expected: false,
        }
    }

    /// The same, of which it is known that it was there before: where nothing is now, a disk or a share is not
    /// mounted, or somebody took it away.
    #[must_use]
    pub fn expected(self) -> Self {
        Self { is_expected: true, ..self }
    }

    /// The same, with index files of at most so many keys: 2 at least. What others wrote stays as it is.
    #[must_use]
    pub fn with_index_entries(self, entries_max: u64) -> Self {
        Self { index_entries_max: entries_max.clamp(2, ENTRIES_MAX), ..self }
    }

    /// Makes the bucket a remote of a repository, after finding out that it keeps conditions.
    /// `nonce` names the probe: random letters and digits.
    pub fn create(
        &self,
        repository: RepositoryId,
        chunker: ChunkerParameters,
        nonce: &str,
    ) -> SyncResult<()> {
        probe_conditions(&*self.bucket, nonce)?;
        let head = Head::new(repository, chunker);
        let bytes = head.encode()?;
        match patiently(|| self.bucket.write_cell(HEAD_KEY, &bytes, None))? {
            Write::Done(version) => {
                *self.seen() = Some(Seen { head: Arc::new(head), version });
                Ok(())
            }
            // Somebody else was quicker, or the answer was lost: what is there decides.
            Write::Conflict | Write::Unknown => {
                let found = self.read_head()?;
                if found.head.repository == repository {
                    return Ok(());
                }
                Err(SyncError::OtherRepository { expected: repository, found: found.head.repository })
            }
        }
    }

    /// Finds out again whether the bucket keeps conditions.
    pub fn probe(&self, nonce: &str) -> SyncResult<()> {
        Ok(probe_conditions(&*self.bucket, nonce)?)
    }

    /// The bucket.
    pub fn bucket(&self) -> &Arc<dyn Bucket> {
        &self.bucket
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nothing(&self) -> SyncError {
        let address = self.address.clone();
        if self.is_expected {
            return SyncError::NotMounted { address };
        }
        SyncError::Nothing { address }
    }

    /// Reads the head anew.
    fn read_head(&self) -> SyncResult<Seen> {
        let read = patiently(|| self.bucket.read_cell(HEAD_KEY, HEAD_BYTES_MAX))?;
        let (bytes, version) = read.ok_or_else(|| self.nothing())?;
        let head = Head::decode(&bytes).map_err(|_| SyncError::NotOurs { address: self.address.clone() })?;
        let known = |feature: &&String| !KNOWN_FEATURES.contains(&feature.as_str());
        if let Some(feature) = head.requires.iter().find(known) {
            return Err(SyncError::UnknownFeature { feature: feature.clone() });
        }
        let seen = Seen { head: Arc::new(head), version };
        *self.seen() = Some(seen.clone());
        Ok(seen)
    }

    /// The head as it was read last; reads it when it was not yet.
    fn head(&self) -> SyncResult<Arc<Head>> {
        let seen = self.seen().clone();
        match seen {
            Some(seen) => Ok(seen.head),
            None => Ok(self.read_head()?.head),
        }
    }
}

fn decode_refs(head: &Head) -> SyncResult<BTreeMap<RefName, RefTarget>> {
    let mut refs = BTreeMap::new();
    for (name, bytes) in &head.refs {
        let broken = |detail: String| SyncError::Invalid { what: "a name", detail };
        let parsed = RefName::parse(name).map_err(|error| broken(error.to_string()))?;
        let target = RefTarget::decode(bytes).map_err(|error| broken(error.to_string()))?;
        refs.insert(parsed, target);
    }
    Ok(refs)
}

impl Remote for BucketRemote {
    fn describe(&self) -> SyncResult<Description> {
        let head = self.read_head()?.head;
        Ok(Description {
            repository: head.repository,
            chunker: head.chunker,
            epoch: head.epoch,
            mark: head.generation,
            refs: decode_refs(&head)?,
            logs: head.logs.clone(),
            limits: LIMITS,
            hidden: Vec::new(),
        })
    }

    fn have(&self, keys: &[ObjectKey]) -> SyncResult<Vec<bool>> {
        let places = self.indexes.find_most(&*self.head()?, keys)?;
        Ok(places.into_iter().map(|place| place.is_some()).collect())
    }

    fn fetch_history(&self, wants: &HistoryWants, sink: &mut BundleSink<'_>) -> SyncResult<()> {
        self.read_history(wants, sink)
    }

    fn fetch_objects(&self, keys: &[ObjectKey], sink: &mut BundleSink<'_>) -> SyncResult<()> {
        self.read_objects(keys, sink)
    }

    fn fetch_chunks(&self, chunks: &[ChunkId], sink: &BlockSink<'_>) -> SyncResult<()> {
        self.read_chunks(chunks, sink)
    }

    fn put(&self, parcel: &Parcel) -> SyncResult<()> {
        let key = parcel_key(parcel.record.id, parcel.record.kind);
        Ok(patiently(|| self.bucket.put(&key, &parcel.bytes))?)
    }

    fn goes_on(&self, length: u64) -> bool {
        self.bucket.goes_on(length)
    }

    fn holds(&self, parcels: &[(PackId, ParcelKind)]) -> SyncResult<Vec<bool>> {
        let mut held = vec![false; parcels.len()];
        let ask = |(position, (id, kind)): (usize, &(PackId, ParcelKind))| {
            let length = patiently(|| self.bucket.length(&parcel_key(*id, *kind)))?;
            Ok((position, length.is_some()))
        };
        for_each(parcels.iter().enumerate(), LIMITS.connections, ask, |(position, found)| {
            held[position] = found;
            Ok(())
        })?;
        Ok(held)
    }

    fn clock_ms(&self) -> SyncResult<Option<i64>> {
        Ok(patiently(|| self.bucket.clock_ms())?)
    }

    fn publish(&self, proposal: &Proposal) -> SyncResult<Published> {
        self.publish_proposal(proposal)
    }

    fn keep(&self, clone: &CloneId, commits: &[CommitId]) -> SyncResult<()> {
        self.write_keep(clone, commits)
    }
}
