//! Makes anew what a bucket's packs and bundles were found by: index files that are lost, and the head.
//!
//! Packs and bundles say themselves what is in them. What nobody's index file names may also be part of a
//! push that is under way, or be left over from one that was given up; such commits are not whole, and a
//! remote that has a commit has all that it reaches. So commits count when names lead to them, and the
//! rest by itself.

use crate::base::id::{CommitId, PackId};
use crate::base::monitor::{Monitor, Phase};
use crate::object::commit::Commit;
use crate::object::source::ObjectSource as _;
use crate::repo::refs::{RefKind, RefName};
use crate::repo::{RepoError, Repository, View};
use crate::store::bucket::Write;
use crate::store::bucket::head::{HEAD_BYTES_MAX, HEAD_KEY, Head, IndexRecord, Token};
use crate::store::bucket::index::{IndexKey, IndexPlace, IndexedPack};
use crate::store::parcel::{OpenBlock, pack_blocks};
use crate::sync::bucket::publish::IndexWriter;
use crate::sync::bucket::verify::PARCEL_BYTES_MAX;
use crate::sync::bucket::{BucketRemote, LIMITS, decode_refs, parcel_key};
use crate::sync::bundle::open_bundle;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::{for_each, patiently};
use crate::sync::remote::{Kind, ObjectKey, ParcelKind};
use crate::sync::tracking::remote_record;
use std::collections::{HashMap, HashSet};

/// By how much a head that stands for a lost one counts on: more than a folder keeps of older ones.
const GENERATIONS_AHEAD: u64 = 1024;

/// What a pack or bundle has: keys with offset and length, and of commits their parents.
struct Contents {
    pack: IndexedPack,
    entries: Vec<(IndexKey, u32, u32)>,
    parents: Vec<(CommitId, Vec<CommitId>)>,
}

impl BucketRemote {
    /// Index files of all packs and bundles that the sound ones do not name.
    pub(super) fn rebuild(
        &self,
        view: &View,
        head: &Head,
        sound: &[IndexRecord],
        monitor: &dyn Monitor,
    ) -> SyncResult<Vec<IndexRecord>> {
        monitor.phase(Phase { name: "Reading what is not listed", files_total: None, bytes_total: None });
        let mut named = HashSet::new();
        for record in sound {
            named.extend(self.parcels_of(record)?);
        }
        let mut left = Vec::new();
        for (prefix, kind) in [("packs/", ParcelKind::Pack), ("bundles/", ParcelKind::Bundle)] {
            self.bucket.list(prefix, &mut |listed| {
                let id = listed.key.rsplit('/').next().and_then(|name| name.split('.').next()?.parse().ok());
                if let Some(id) = id.filter(|id| parcel_key(*id, kind) == listed.key)
                    && !named.contains(&listed.key)
                {
                    left.push((id, kind));
                }
            })?;
        }
        let mut writer = IndexWriter::new(self);
        let mut commits: Vec<(IndexKey, IndexPlace)> = Vec::new();
        let mut parents: HashMap<CommitId, Vec<CommitId>> = HashMap::new();
        let read = |(id, kind): (PackId, ParcelKind)| {
            if monitor.is_cancelled() { Err(SyncError::Cancelled) } else { self.contents(id, kind) }
        };
        for_each(left, LIMITS.connections, read, |contents| {
            let Some(contents) = contents else { return Ok(()) };
            for (key, offset, length) in contents.entries {
                let place = IndexPlace { pack: contents.pack, offset, length };
                if key.kind == Kind::Commit.number() {
                    commits.push((key, place));
                } else {
                    writer.push(key, place)?;
                }
            }
            parents.extend(contents.parents);
            Ok(())
        })?;
        let reached = self.reached_commits(view, head, sound, &parents)?;
        for (key, place) in commits {
            if reached.contains(&CommitId::from_bytes(key.id)) {
                writer.push(key, place)?;
            }
        }
        writer.finish()
    }

    /// What a pack or bundle says that it has, as far as that is so; `None` when it cannot be read.
    fn contents(&self, id: PackId, kind: ParcelKind) -> SyncResult<Option<Contents>> {
        let read = patiently(|| self.bucket.get(&parcel_key(id, kind), PARCEL_BYTES_MAX))?;
        let Some(bytes) = read else { return Ok(None) };
        let pack = IndexedPack { id, kind: kind.number(), length: bytes.len() as u64, generation: 0 };
        let mut contents = Contents { pack, entries: Vec::new(), parents: Vec::new() };
        match kind {
            ParcelKind::Pack => {
                let Ok((found, blocks)) = pack_blocks(&bytes) else { return Ok(None) };
                if found != id {
                    return Ok(None);
                }
                for block in blocks {
                    let length = block.header.block_length() as u32;
                    let start = block.offset as usize;
                    let part = bytes.get(start..start + length as usize).unwrap_or_default();
                    let Ok(opened) = OpenBlock::open(part) else { continue };
                    let keys = opened.chunks().map(|(id, _)| ObjectKey::chunk(id).index_key());
                    contents.entries.extend(keys.map(|key| (key, block.offset as u32, length)));
                }
            }
            ParcelKind::Bundle => {
                let opened = open_bundle(&bytes, &mut |received, offset, length| {
                    let key = received.key;
                    contents.entries.push((key.index_key(), offset as u32, length as u32));
                    if key.kind == Kind::Commit
                        && let Ok(commit) = Commit::decode(received.bytes)
                    {
                        contents.parents.push((CommitId::from_bytes(key.id), commit.parents));
                    }
                    Ok(())
                });
                if opened.is_err() {
                    return Ok(None);
                }
            }
        }
        Ok(Some(contents))
    }

    /// The commits that names, and the words of clones, lead to.
    fn reached_commits(
        &self,
        view: &View,
        head: &Head,
        sound: &[IndexRecord],
        parents: &HashMap<CommitId, Vec<CommitId>>,
    ) -> SyncResult<HashSet<CommitId>> {
        let known = Head { indexes: sound.to_vec(), ..head.clone() };
        let mut level: Vec<CommitId> = decode_refs(head)?.into_values().map(|target| target.commit).collect();
        level.extend(self.read_keeps()?.commits);
        let mut reached = HashSet::new();
        while !level.is_empty() {
            let (mut next, mut unknown) = (Vec::new(), Vec::new());
            for id in level {
                if !reached.insert(id) {
                    continue;
                }
                match (parents.get(&id), view.commit(id)) {
                    (Some(parents), _) => next.extend(parents),
                    (None, Ok(commit)) => next.extend(commit.parents),
                    (None, Err(RepoError::Missing { .. })) => {
                        unknown.push(ObjectKey::new(Kind::Commit, *id.as_bytes()));
                    }
                    (None, Err(error)) => return Err(error.into()),
                }
            }
            for keys in unknown.chunks(LIMITS.keys_max) {
                let places = self.indexes.find(&known, keys)?.into_iter().flatten().collect();
                self.read_places(places, &mut |bundle| {
                    open_bundle(bundle, &mut |received, _, _| {
                        if received.key.kind == Kind::Commit && keys.contains(&received.key) {
                            next.extend(
                                Commit::decode(received.bytes)
                                    .map(|commit| commit.parents)
                                    .unwrap_or_default(),
                            );
                        }
                        Ok(())
                    })
                })?;
            }
            level = next;
        }
        Ok(reached)
    }

    /// Puts a head in the place of one that is lost or cannot be read: an older one where the place keeps
    /// such, or else one with the names as this clone saw them last. Says whether it did.
    pub(super) fn restore_head(
        &self,
        repository: &Repository,
        view: &View,
        name: &str,
        token: Token,
    ) -> SyncResult<bool> {
        let read = patiently(|| self.bucket.read_cell(HEAD_KEY, HEAD_BYTES_MAX))?;
        if read.as_ref().is_some_and(|(bytes, _)| Head::decode(bytes).is_ok()) {
            return Ok(false);
        }
        if read.is_none() && !self.has_parcels()? {
            // Nothing was ever here, or the disk is not there.
            return Err(self.nothing());
        }
        let earlier = patiently(|| self.bucket.earlier_cells(HEAD_KEY, HEAD_BYTES_MAX))?;
        let earlier = earlier.iter().find_map(|bytes| Head::decode(bytes).ok());
        let mut head = match earlier.filter(|head| head.repository == repository.id()) {
            Some(head) => head,
            None => head_as_seen(repository, view, name)?,
        };
        // Whoever saw the lost one asks again what is there.
        head.epoch += 1;
        head.generation += GENERATIONS_AHEAD;
        head.note(token_of(&token));
        let bytes = head.encode()?;
        let version = read.map(|(_, version)| version);
        match patiently(|| self.bucket.write_cell(HEAD_KEY, &bytes, version.as_ref()))? {
            Write::Done(_) => Ok(true),
            Write::Conflict | Write::Unknown => Err(SyncError::Busy { attempts: 1 }),
        }
    }

    fn has_parcels(&self) -> SyncResult<bool> {
        let mut found = false;
        for prefix in ["packs/", "bundles/"] {
            self.bucket.list(prefix, &mut |_| found = true)?;
        }
        Ok(found)
    }
}

/// The token of the restoring of a head, which the mending after it must not take for its own.
fn token_of(token: &Token) -> Token {
    let mut restoring = *token;
    restoring[0] ^= 0x80;
    restoring
}

/// A head with the names as this clone saw them last, and without index files.
fn head_as_seen(repository: &Repository, view: &View, name: &str) -> SyncResult<Head> {
    let mut head = Head::new(repository.id(), repository.store().settings().chunker);
    for (here, target) in view.references()? {
        let there = match here.remote_parts() {
            Some((remote, branch)) if remote == name => RefName::branch(branch)?,
            None if here.kind() == RefKind::Tag => here.clone(),
            _ => continue,
        };
        head.refs.insert(there.as_str().to_owned(), target.encode());
    }
    head.logs = view.log_heads()?;
    if let Some(record) = remote_record(view, name)? {
        head.epoch = record.epoch;
        head.generation = record.mark.unwrap_or_default();
    }
    Ok(head)
}
