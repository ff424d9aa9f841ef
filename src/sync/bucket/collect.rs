//! Gives back what nothing in a bucket needs any more, while others go on pushing.
//!
//! First the head: index files without the objects that no name reaches, under a new epoch, by
//! compare-and-set. Whoever pushes meanwhile either was first, and then the collection looks again; or
//! finds the new epoch, and asks again what is there. Blobs go later, when a grace has passed in which
//! somebody may still be reading them. A blob that was removed never comes back under its name, since
//! names are salted.

use crate::base::id::PackId;
use crate::base::id::{BodyId, ChunkId, CommitId, FileId, ManifestNodeId, MetadataId, TreeId};
use crate::base::monitor::Monitor;
use crate::repo::View;
use crate::repo::reach::{Reached, Roots, reach};
use crate::repo::review_log::BodyState;
use crate::repo::sets::LogSet;
use crate::store::bucket::Write;
use crate::store::bucket::head::{CondemnedBlob, HEAD_KEY, Head, IndexRecord, Token};
use crate::store::bucket::index::{IndexBuilder, IndexKey};
use crate::sync::bucket::{BucketRemote, decode_refs, index_file_key, parcel_key};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::{patiently, pause};
use crate::sync::remote::{Kind, ObjectKey, ParcelKind};
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

/// How often a head that others change is tried.
const ATTEMPTS: u32 = 50;
/// Most keys of one index file.
const INDEX_ENTRIES_MAX: usize = 2 << 20;
const DAY_MS: i64 = 86_400_000;

/// What a collection did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Objects that nothing reaches.
    pub objects: u64,
    /// Blobs that wait for their removal.
    pub condemned: u64,
    /// Blobs that were removed.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
}

/// How to collect.
#[derive(Debug, Clone, Copy)]
pub struct Collect {
    /// How long blobs stay after nothing needs them any more.
    pub grace: Duration,
    /// The moment that it is: milliseconds since 1970.
    pub now_ms: i64,
    /// Names the new head: random bytes.
    pub token: Token,
    /// Only find out.
    pub dry_run: bool,
}

impl BucketRemote {
    /// Collects. `view` is a clone that has everything that the names reach; when it has not, the
    /// collection refuses with [`SyncError::Outdated`], and the caller fetches first.
    pub fn collect(&self, view: &View, how: &Collect, monitor: &dyn Monitor) -> SyncResult<Collected> {
        for attempt in 0..ATTEMPTS {
            let seen = self.read_head()?;
            let (head, mut collected) = self.without_garbage(&seen.head, view, how, monitor)?;
            collected.condemned = head.condemned.len() as u64;
            if how.dry_run {
                return Ok(collected);
            }
            if head != *seen.head {
                let bytes = head.encode();
                match patiently(|| self.bucket.write_cell(HEAD_KEY, &bytes, Some(&seen.version)))? {
                    Write::Done(_) => {}
                    Write::Conflict | Write::Unknown => {
                        pause(attempt.min(4));
                        continue;
                    }
                }
            }
            self.remove_blobs(&head, how, &mut collected)?;
            return Ok(collected);
        }
        Err(SyncError::Busy { attempts: ATTEMPTS })
    }

    /// The head as it would be without what nothing reaches.
    fn without_garbage(
        &self,
        before: &Head,
        view: &View,
        how: &Collect,
        monitor: &dyn Monitor,
    ) -> SyncResult<(Head, Collected)> {
        let mut commits: Vec<CommitId> =
            decode_refs(before)?.into_values().map(|target| target.commit).collect();
        commits.extend(self.kept_here(before)?);
        commits.extend(view.log_commits()?);
        let reached = reach(view, &Roots { commits, ..Roots::default() }, monitor)?;
        if !reached.missing.is_empty() || !reached.missing_files.is_empty() {
            return Err(SyncError::Outdated);
        }
        let mut head = before.clone();
        for blob in head.condemned.iter_mut().filter(|blob| blob.since_ms == 0) {
            blob.since_ms = how.now_ms;
        }
        let ours = view.log_heads()?;
        let sets_agree = LogSet::ALL.iter().all(|set| ours.get(set.name()) == before.logs.get(set.name()));
        let mut collected = Collected::default();
        self.indexes.load(&before.indexes)?;
        let mut kept = Kept::default();
        for record in before.indexes.iter().rev() {
            self.indexes.each(record, |key, mut place| {
                kept.packs_before.insert((place.pack.id, place.pack.kind));
                if !is_reached(&reached, &key) || is_spent(view, &key, sets_agree) {
                    collected.objects += 1;
                    return;
                }
                if place.pack.generation == 0 {
                    place.pack.generation = record.generations.1;
                }
                if kept.keys.insert(key) {
                    kept.packs.insert((place.pack.id, place.pack.kind));
                    kept.places.push((key, place));
                }
            })?;
        }
        if collected.objects == 0 {
            return Ok((head, collected));
        }
        head.note(how.token);
        head.epoch += 1;
        let condemn = |key: String| CondemnedBlob { key, since_ms: how.now_ms };
        head.condemned.extend(before.indexes.iter().map(|record| condemn(index_file_key(record.id))));
        for (id, kind) in kept.packs_before.difference(&kept.packs) {
            if let Some(kind) = ParcelKind::from_number(*kind) {
                head.condemned.push(condemn(parcel_key(*id, kind)));
            }
        }
        head.indexes = if how.dry_run { Vec::new() } else { self.write_kept(&kept, before)? };
        // An index file that is written anew under its old name is in use.
        let used: HashSet<String> = head.indexes.iter().map(|record| index_file_key(record.id)).collect();
        head.condemned.retain(|blob| !used.contains(&blob.key));
        Ok((head, collected))
    }

    /// The commits that clones rely on and that the bucket has.
    fn kept_here(&self, head: &Head) -> SyncResult<Vec<CommitId>> {
        let kept = self.read_keeps()?.commits;
        let key = |id: &CommitId| ObjectKey::new(Kind::Commit, *id.as_bytes());
        let keys: Vec<ObjectKey> = kept.iter().map(key).collect();
        let places = self.indexes.find(head, &keys)?;
        Ok(kept.into_iter().zip(places).filter_map(|(id, place)| place.map(|_| id)).collect())
    }

    fn write_kept(&self, kept: &Kept, before: &Head) -> SyncResult<Vec<IndexRecord>> {
        let first = before.indexes.iter().map(|record| record.generations.0).min().unwrap_or_default();
        let mut records = Vec::new();
        for places in kept.places.chunks(INDEX_ENTRIES_MAX) {
            let mut builder = IndexBuilder::default();
            places.iter().for_each(|(key, place)| builder.push(*key, *place));
            let mut record = self.put_index(builder)?;
            record.generations = (first, before.generation);
            records.push(record);
        }
        Ok(records)
    }

    /// Removes what was condemned long enough ago, and what was written long ago and that no head ever
    /// named: left by pushes that were given up.
    fn remove_blobs(&self, head: &Head, how: &Collect, collected: &mut Collected) -> SyncResult<()> {
        let grace_ms = i64::try_from(how.grace.as_millis()).unwrap_or(i64::MAX).min(DAY_MS * 3650);
        let due = |blob: &&CondemnedBlob| how.now_ms - blob.since_ms >= grace_ms;
        let due: BTreeSet<&str> = head.condemned.iter().filter(due).map(|blob| blob.key.as_str()).collect();
        let waiting: HashSet<&str> = head.condemned.iter().map(|blob| blob.key.as_str()).collect();
        let mut live: HashSet<String> = head.indexes.iter().map(|record| index_file_key(record.id)).collect();
        self.indexes.load(&head.indexes)?;
        for record in &head.indexes {
            for pack in self.indexes.file(record)?.packs() {
                live.extend(ParcelKind::from_number(pack.kind).map(|kind| parcel_key(pack.id, kind)));
            }
        }
        let mut gone = Vec::new();
        for prefix in ["packs/", "bundles/", "indexes/"] {
            self.bucket.list(prefix, &mut |listed| {
                let key = listed.key.as_str();
                let is_left = !live.contains(key) && !waiting.contains(key) && listed.age >= how.grace;
                if due.contains(key) || is_left {
                    gone.push(listed);
                }
            })?;
        }
        for listed in gone.iter().filter(|listed| !live.contains(&listed.key)) {
            patiently(|| self.bucket.delete(&listed.key))?;
            collected.removed += 1;
            collected.removed_bytes += listed.length;
        }
        // Whoever gives such a word again writes it anew.
        for key in self.read_keeps()?.expired {
            patiently(|| self.bucket.delete(&key))?;
        }
        self.forget_removed(&due, how)
    }

    /// Takes blobs that are gone off the list. When somebody else is quicker, the next collection does.
    fn forget_removed(&self, due: &BTreeSet<&str>, how: &Collect) -> SyncResult<()> {
        if due.is_empty() {
            return Ok(());
        }
        let seen = self.read_head()?;
        let mut head = (*seen.head).clone();
        head.condemned.retain(|blob| !due.contains(blob.key.as_str()));
        head.note(how.token);
        patiently(|| self.bucket.write_cell(HEAD_KEY, &head.encode(), Some(&seen.version)))?;
        Ok(())
    }
}

/// What stays.
#[derive(Default)]
struct Kept {
    keys: HashSet<IndexKey>,
    places: Vec<(IndexKey, crate::store::bucket::index::IndexPlace)>,
    packs: BTreeSet<(PackId, u8)>,
    packs_before: BTreeSet<(PackId, u8)>,
}

/// Whether a part of the logs is of no more use: a node of a tree as a set was once, when the sets here
/// are those of the bucket; words that were erased.
fn is_spent(view: &View, key: &IndexKey, sets_agree: bool) -> bool {
    match Kind::from_number(key.kind) {
        Some(Kind::SetNode) => sets_agree && view.set_node_bytes(&key.id).is_ok_and(|node| node.is_none()),
        Some(Kind::ActionBody) => {
            view.review_body(BodyId::from_bytes(key.id)).is_ok_and(|body| body == BodyState::Erased)
        }
        _ => false,
    }
}

/// Whether something that a name leads to needs the object. What is not known is needed.
fn is_reached(reached: &Reached, key: &IndexKey) -> bool {
    match Kind::from_number(key.kind) {
        Some(Kind::Chunk) => reached.has_chunk(ChunkId::from_bytes(key.id)),
        Some(Kind::Commit) => reached.commits.contains(&CommitId::from_bytes(key.id)),
        Some(Kind::Tree) => reached.trees.contains(&TreeId::from_bytes(key.id)),
        Some(Kind::Metadata) => reached.metadata.contains(&MetadataId::from_bytes(key.id)),
        Some(Kind::ManifestNode) => reached.manifest_nodes.contains(&ManifestNodeId::from_bytes(key.id)),
        Some(Kind::Manifest) => reached.manifests.contains(&FileId::from_bytes(key.id)),
        Some(Kind::GitCommit) => reached.commits.contains(&CommitId::from_bytes(key.id)),
        // Signed things, and what imports left, stay; what later programs know is not for this one to judge.
        Some(_) | None => true,
    }
}
