//! Gives back what nothing in a bucket needs any more, while others go on pushing.
//!
//! First the head: index files without the objects that no name reaches, under a new epoch, by
//! compare-and-set. Whoever pushes meanwhile either was first, and then the collection looks again; or
//! finds the new epoch, and asks again what is there. Blobs go later, when a grace has passed in which
//! somebody may still be reading them. A blob that was removed never comes back under its name, since
//! names are salted.

use crate::base::id::PackId;
use crate::base::id::{BodyId, ChunkId, CommitId, FileId, ManifestNodeId, MetadataId, TreeId};
use crate::base::monitor::{Monitor, Phase};
use crate::object::manifest::{ChunkList, Manifest, ManifestNode, ValueList, verified_key};
use crate::object::manifest_read::ManifestSource as _;
use crate::repo::reach::{Reached, Roots, reach};
use crate::repo::review_log::BodyState;
use crate::repo::sets::LogSet;
use crate::repo::{RepoError, View};
use crate::store::Space;
use crate::store::bucket::head::{CONDEMNED_MAX, CondemnedBlob, Head, IndexRecord, Token};
use crate::store::bucket::index::{IndexKey, IndexPlace};
use crate::sync::bucket::publish::IndexWriter;
use crate::sync::bucket::{BucketRemote, decode_refs, index_file_key, parcel_key};
use crate::sync::bundle::open_bundle;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::{patiently, pause};
use crate::sync::remote::{Kind, ObjectKey, ParcelKind};
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

/// How often a head that others change is tried.
const ATTEMPTS: u32 = 50;
/// Keys that are looked up at a time.
const KEYS_AT_A_TIME: usize = 1 << 14;
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
        self.collect_erased(view, how, &HashSet::new(), monitor)
    }

    /// The same, and takes these files for needed no more: they were erased in this clone. Their tombstones
    /// go there first, so that others can still fetch what names them.
    pub fn collect_erased(
        &self,
        view: &View,
        how: &Collect,
        erased: &HashSet<FileId>,
        monitor: &dyn Monitor,
    ) -> SyncResult<Collected> {
        if !how.dry_run {
            self.give_tombstones(view, how, erased)?;
        }
        for attempt in 0..ATTEMPTS {
            let seen = self.read_head()?;
            let (head, mut collected) = self.without_garbage(&seen.head, view, how, erased, monitor)?;
            collected.condemned = head.condemned.len() as u64;
            if how.dry_run {
                return Ok(collected);
            }
            if head != *seen.head && self.replace_head(&seen, head.clone())?.is_none() {
                pause(attempt.min(4));
                continue;
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
        erased: &HashSet<FileId>,
        monitor: &dyn Monitor,
    ) -> SyncResult<(Head, Collected)> {
        let mut commits: Vec<CommitId> =
            decode_refs(before)?.into_values().map(|target| target.commit).collect();
        commits.extend(self.kept_here(before)?);
        commits.extend(view.log_commits()?);
        let mut reached = reach(view, &Roots { commits, ..Roots::default() }, monitor)?;
        reached.erased.retain(|file| !erased.contains(file));
        if !reached.missing.is_empty() || !reached.missing_files.is_empty() {
            return Err(SyncError::Outdated);
        }
        let mut head = before.clone();
        for blob in head.condemned.iter_mut().filter(|blob| blob.since_ms == 0) {
            blob.since_ms = how.now_ms;
        }
        let ours = view.log_heads()?;
        let sets_agree = LogSet::ALL.iter().all(|set| ours.get(set.name()) == before.logs.get(set.name()));
        self.indexes.load(&before.indexes)?;
        let mut listed = Listed::default();
        let is_needed = |key: &IndexKey, listed: &Listed| {
            is_reached(&reached, key) && !is_spent(view, key, sets_agree) || listed.has(key)
        };
        let mut kept = self.sort(before, &|key| is_needed(key, &listed))?;
        if kept.drops_content {
            listed = self.listed_there(view, &reached, &before.indexes, monitor)?;
            kept = self.sort(before, &|key| is_needed(key, &listed))?;
        }
        let collected = Collected { objects: kept.dropped, ..Collected::default() };
        if collected.objects == 0 {
            return Ok((head, collected));
        }
        head.note(how.token);
        head.epoch += 1;
        let room = CONDEMNED_MAX.saturating_sub(head.condemned.len() + before.indexes.len());
        self.spare_what_is_too_much(before, room, &mut kept)?;
        if !erased.is_empty() && !how.dry_run {
            self.cut_out(&mut kept, &how.token)?;
        }
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

    /// Parts what index files have into what stays, each key once, and what goes.
    fn sort(&self, before: &Head, is_needed: &dyn Fn(&IndexKey) -> bool) -> SyncResult<Kept> {
        let mut kept = Kept::default();
        for record in before.indexes.iter().rev() {
            self.indexes.each(record, |key, mut place| {
                kept.packs_before.insert((place.pack.id, place.pack.kind));
                if !is_needed(&key) {
                    kept.dropped += 1;
                    kept.drops_content |= is_content(&key);
                    if key.kind == Kind::Chunk.number() {
                        kept.cut.insert(place.pack.id);
                    }
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
        Ok(kept)
    }

    /// More packs than a head can list stay for the next collection, with what index files say of them.
    fn spare_what_is_too_much(&self, before: &Head, room: usize, kept: &mut Kept) -> SyncResult<()> {
        let garbage = kept.packs_before.difference(&kept.packs);
        let spared: BTreeSet<(PackId, u8)> = garbage.skip(room).copied().collect();
        if spared.is_empty() {
            return Ok(());
        }
        for record in &before.indexes {
            self.indexes.each(record, |key, place| {
                let is_spared = spared.contains(&(place.pack.id, place.pack.kind));
                // A commit that no name reaches may rest on what goes.
                if is_spared && key.kind != Kind::Commit.number() && kept.keys.insert(key) {
                    kept.places.push((key, place));
                }
            })?;
        }
        kept.packs.extend(spared);
        Ok(())
    }

    /// What the manifests of the bucket list that are not those of this clone. A file can be put together
    /// in several ways; whoever fetches it gets the bucket's, and that must be whole.
    fn listed_there(
        &self,
        view: &View,
        reached: &Reached,
        indexes: &[IndexRecord],
        monitor: &dyn Monitor,
    ) -> SyncResult<Listed> {
        monitor.phase(Phase { name: "Reading manifests there", files_total: None, bytes_total: None });
        let mut listed = Listed::default();
        let mut waiting = Vec::new();
        for record in indexes {
            let mut places = Vec::new();
            self.indexes.each(record, |key, place| {
                if key.kind == Kind::Manifest.number() && is_reached(reached, &key) {
                    places.push(place);
                }
            })?;
            self.read_places(places, &mut |bundle| {
                if monitor.is_cancelled() {
                    return Err(SyncError::Cancelled);
                }
                open_bundle(bundle, &mut |received, _, _| {
                    let key = received.key;
                    if key.kind != Kind::Manifest || !is_reached(reached, &key.index_key()) {
                        return Ok(());
                    }
                    let ours = verified_key(FileId::from_bytes(key.id));
                    let is_ours =
                        view.snapshot().with(Space::Manifests, &ours, |ours| ours == received.bytes)?;
                    if is_ours != Some(true)
                        && let Ok(manifest) = Manifest::decode(received.bytes)
                    {
                        listed.add(&manifest, &mut waiting);
                    }
                    Ok(())
                })
            })?;
        }
        self.follow_nodes(view, indexes, waiting, &mut listed)?;
        Ok(listed)
    }

    /// Follows the nodes of manifests down to their chunks.
    pub(super) fn follow_nodes(
        &self,
        view: &View,
        indexes: &[IndexRecord],
        mut waiting: Vec<ManifestNodeId>,
        listed: &mut Listed,
    ) -> SyncResult<()> {
        let head = Head { indexes: indexes.to_vec(), ..(*self.head()?).clone() };
        while !waiting.is_empty() {
            let (mut below, mut elsewhere) = (Vec::new(), Vec::new());
            for id in std::mem::take(&mut waiting) {
                if !listed.nodes.insert(id) {
                    continue;
                }
                match view.manifest_node(id) {
                    Ok(node) => listed.open(node, &mut below),
                    Err(RepoError::Missing { .. }) => {
                        elsewhere.push(ObjectKey::new(Kind::ManifestNode, *id.as_bytes()));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            for keys in elsewhere.chunks(KEYS_AT_A_TIME) {
                let wanted: HashSet<ObjectKey> = keys.iter().copied().collect();
                let places = self.indexes.find(&head, keys)?.into_iter().flatten().collect();
                self.read_places(places, &mut |bundle| {
                    open_bundle(bundle, &mut |received, _, _| {
                        if wanted.contains(&received.key)
                            && let Ok(node) = ManifestNode::decode(received.bytes)
                        {
                            listed.open(node, &mut below);
                        }
                        Ok(())
                    })
                })?;
            }
            waiting = below;
        }
        Ok(())
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
        let mut writer = IndexWriter::new(self);
        for (key, place) in &kept.places {
            writer.push(*key, *place)?;
        }
        let generations = (first, before.generation);
        Ok(writer.finish()?.into_iter().map(|record| IndexRecord { generations, ..record }).collect())
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
        // The last two are left by writers that were stopped.
        for prefix in ["packs/", "bundles/", "indexes/", "tmp/", "probe/"] {
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
        self.replace_head(&seen, head)?;
        Ok(())
    }
}

/// What stays.
#[derive(Default)]
pub(super) struct Kept {
    /// Keys that go.
    dropped: u64,
    /// Whether chunks or lists of chunks are among them.
    drops_content: bool,
    /// Packs that have chunks among them.
    pub cut: BTreeSet<PackId>,
    keys: HashSet<IndexKey>,
    pub places: Vec<(IndexKey, IndexPlace)>,
    pub packs: BTreeSet<(PackId, u8)>,
    packs_before: BTreeSet<(PackId, u8)>,
}

/// What manifests of the bucket list beyond those of this clone.
#[derive(Default)]
pub(super) struct Listed {
    chunks: HashSet<ChunkId>,
    nodes: HashSet<ManifestNodeId>,
}

impl Listed {
    fn has(&self, key: &IndexKey) -> bool {
        match Kind::from_number(key.kind) {
            Some(Kind::Chunk) => self.chunks.contains(&ChunkId::from_bytes(key.id)),
            Some(Kind::ManifestNode) => self.nodes.contains(&ManifestNodeId::from_bytes(key.id)),
            _ => false,
        }
    }

    /// All of it.
    pub(super) fn keys(&self) -> Vec<ObjectKey> {
        let nodes = self.nodes.iter().map(|id| ObjectKey::new(Kind::ManifestNode, *id.as_bytes()));
        self.chunks.iter().map(|id| ObjectKey::chunk(*id)).chain(nodes).collect()
    }

    /// Takes a manifest; its nodes are for the caller to follow.
    pub(super) fn add(&mut self, manifest: &Manifest, waiting: &mut Vec<ManifestNodeId>) {
        match &manifest.chunks {
            ChunkList::Here(entries) => self.chunks.extend(entries.iter().map(|entry| entry.id)),
            ChunkList::InNodes { root, .. } => waiting.push(*root),
        }
        if let ValueList::InNodes { root } = &manifest.values {
            waiting.push(*root);
        }
    }

    fn open(&mut self, node: ManifestNode, below: &mut Vec<ManifestNodeId>) {
        match node {
            ManifestNode::Chunks(entries) => self.chunks.extend(entries.iter().map(|entry| entry.id)),
            ManifestNode::ChunkNodes { children, .. } => below.extend(children.iter().map(|child| child.id)),
            ManifestNode::ValueNodes { children, .. } => below.extend(children.iter().map(|child| child.id)),
            ManifestNode::Values(_) => {}
        }
    }
}

const fn is_content(key: &IndexKey) -> bool {
    key.kind == Kind::Chunk.number()
        || key.kind == Kind::Manifest.number()
        || key.kind == Kind::ManifestNode.number()
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
        // What was erased in this clone was not erased there by that: others may have it from nowhere else.
        Some(Kind::Chunk) => {
            reached.has_chunk(ChunkId::from_bytes(key.id))
                || reached.erased.contains(&FileId::from_bytes(key.id))
        }
        Some(Kind::Commit) => reached.commits.contains(&CommitId::from_bytes(key.id)),
        Some(Kind::Tree) => reached.trees.contains(&TreeId::from_bytes(key.id)),
        Some(Kind::Metadata) => reached.metadata.contains(&MetadataId::from_bytes(key.id)),
        Some(Kind::ManifestNode) => reached.manifest_nodes.contains(&ManifestNodeId::from_bytes(key.id)),
        Some(Kind::Manifest) => {
            let file = FileId::from_bytes(key.id);
            reached.manifests.contains(&file) || reached.erased.contains(&file)
        }
        Some(Kind::GitCommit) => reached.commits.contains(&CommitId::from_bytes(key.id)),
        // Signed things, and what imports left, stay; what later programs know is not for this one to judge.
        Some(_) | None => true,
    }
}
