//! The receiving side, shared by fetches and by remotes with a program of their own: hashes what
//! comes, stores it where nobody sees it, finds out what is still missing, and confirms files.
//!
//! The order makes every stop harmless. Chunks, trees, metadata and manifests are stored as they
//! come: nothing refers to them yet. Commits are kept back until all that they reach is here, so a
//! commit that is in the repository is whole. Names move last.

mod confirm;
mod erased;
mod foreign;
mod kept;

use crate::base::id::{ChunkId, CommitId, FileId, GitId, ManifestNodeId, MetadataId, PersonId, TreeId};
use crate::base::monitor::Monitor;
use crate::object::chunker::CHUNK_BYTES_MAX;
use crate::object::commit::Commit;
use crate::object::manifest::{Manifest, claim_key, verified_key};
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::tree::{ForeignAlgorithm, TreeNode};
use crate::repo::extract::Extractor;
use crate::repo::imports;
use crate::repo::people::Person;
use crate::repo::shared_log::commits_judged_by;
use crate::repo::tombstone::Tombstone;
use crate::repo::{Edit, RepoError, Repository, View};
use crate::store::parcel::OpenBlock;
use crate::store::{ChunkWriter, Space};
use crate::sync::allowance::Brought;
use crate::sync::bundle::{Received, decode_person, open_bundle};
use crate::sync::content::{NodesOf, Parts, new_parts};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::listed::Listed;
use crate::sync::logs::Inbox;
use crate::sync::origins::{Tie, identify as identify_origin, split_commit, split_digest, split_form};
use crate::sync::remote::{Kind, ObjectKey};
use crate::sync::room::{Held, Room};
use crate::sync::walk::{Found, NewFile, find_new, is_first};
use erased::Tombstones;
use foreign::foreign_digest;
use kept::KeptCommits;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of content after which what has come is made durable. With what is on its way in at a time, a break costs
/// no more than one pack.
const PUBLISH_BYTES: u64 = 16 << 20;

/// The space in which objects of a kind are kept; chunks, manifests and people have ways of their own.
pub fn space_of(kind: Kind) -> Option<Space> {
    match kind {
        Kind::Commit => Some(Space::Commits),
        Kind::Tree => Some(Space::Trees),
        Kind::Metadata => Some(Space::Metadata),
        Kind::ManifestNode => Some(Space::ManifestNodes),
        _ => None,
    }
}

/// Takes in what comes from elsewhere.
pub struct Receiver<'a> {
    repository: &'a Repository,
    monitor: &'a dyn Monitor,
    writer: ChunkWriter<'a>,
    view: View,
    commits: KeptCommits,
    people: HashMap<PersonId, Person>,
    claims: HashSet<FileId>,
    /// Files of which manifests came although they were erased here.
    unwelcome: HashSet<FileId>,
    originals: HashMap<CommitId, Vec<u8>>,
    ties: Vec<Tie>,
    tombstones: Tombstones,
    unpublished_bytes: AtomicU64,
    objects: u64,
    held: Held,
    /// What the bundles had, where somebody wants to know, and which of them is being taken.
    brought: Option<(u32, Listed<Brought>)>,
    inbox: Inbox,
    room: Room,
}

/// What a repository would be with commits that are still kept back.
pub(in crate::sync) struct Beside<'a> {
    view: &'a View,
    commits: &'a KeptCommits,
}

impl ObjectSource for Beside<'_> {
    type Error = RepoError;

    fn tree_node(&self, id: TreeId) -> Result<TreeNode, RepoError> {
        self.view.tree_node(id)
    }

    fn metadata(&self, id: MetadataId) -> Result<Metadata, RepoError> {
        self.view.metadata(id)
    }

    fn commit(&self, id: CommitId) -> Result<Commit, RepoError> {
        self.commits.commit(id)?.map_or_else(|| self.view.commit(id), Ok)
    }
}

/// What is needed of files and not here.
#[derive(Debug)]
pub struct Needed {
    /// Chunks in the order of the files, each once unless they are a great many. One long file has millions of them.
    pub chunks: Listed<ChunkId>,
    /// Bytes of them.
    pub chunk_bytes: u64,
    /// Bytes of the files that are here already.
    pub shared_bytes: u64,
    /// Manifest nodes and manifests.
    pub objects: Vec<ObjectKey>,
}

impl<'a> Receiver<'a> {
    /// Begins to receive. Nothing that is stored is swept meanwhile.
    ///
    /// `inbox` takes what is part of logs; it is for others to look at.
    pub fn new(repository: &'a Repository, inbox: Inbox, monitor: &'a dyn Monitor) -> SyncResult<Self> {
        let writer = repository.store().chunk_writer(monitor)?;
        Ok(Self {
            repository,
            monitor,
            writer,
            view: repository.view()?,
            commits: KeptCommits::new(&repository.pent_dir().join("tmp")),
            people: HashMap::new(),
            claims: HashSet::new(),
            unwelcome: HashSet::new(),
            originals: HashMap::new(),
            ties: Vec::new(),
            tombstones: Tombstones::default(),
            unpublished_bytes: AtomicU64::new(0),
            objects: 0,
            held: Held::default(),
            brought: None,
            inbox,
            room: Room::of(repository.pent_dir()),
        })
    }

    /// How many objects have come that were not here.
    pub fn objects(&self) -> u64 {
        self.objects
    }

    /// Takes a bundle.
    pub fn take_bundle(&mut self, bytes: &[u8]) -> SyncResult<()> {
        if self.monitor.is_cancelled() {
            return Err(SyncError::Cancelled);
        }
        open_bundle(bytes, &mut |received, _, _| {
            if let Some((parcel, brought)) = &mut self.brought {
                let length = received.bytes.len() as u32;
                brought.push(Brought { parcel: *parcel, key: received.key, length });
            }
            self.take_object(&received)
        })
    }

    /// Takes the bundle at a position among the parcels of a publication, and notes what it brings.
    pub(in crate::sync) fn take_parcel(&mut self, parcel: u32, bytes: &[u8]) -> SyncResult<()> {
        let folder = || self.repository.pent_dir().join("tmp");
        let (_, brought) = self.brought.take().unwrap_or_else(|| (parcel, Listed::new(Some(&folder()))));
        self.brought = Some((parcel, brought));
        self.take_bundle(bytes)
    }

    /// What the parcels brought.
    pub(in crate::sync) fn take_brought(&mut self) -> Listed<Brought> {
        self.brought.take().map_or_else(|| Listed::new(None), |(_, brought)| brought)
    }

    fn take_object(&mut self, received: &Received<'_>) -> SyncResult<()> {
        let (key, bytes) = (received.key, received.bytes);
        self.room.insist(bytes.len() as u64)?;
        let broken = |error: &dyn std::fmt::Display| SyncError::Invalid {
            what: key.kind.name(),
            detail: error.to_string(),
        };
        match key.kind {
            Kind::Chunk => {}
            Kind::Commit => {
                let id = CommitId::from_bytes(key.id);
                if !self.view.snapshot().contains(Space::Commits, &key.id)? && !self.commits.contains(&id) {
                    Commit::decode(bytes).map_err(|error| broken(&error))?;
                    self.commits.insert(id, bytes)?;
                    self.objects += 1;
                }
            }
            Kind::Manifest => {
                let file = FileId::from_bytes(key.id);
                let stored = self.view.snapshot().contains(Space::Manifests, &verified_key(file))?;
                if self.view.is_erased(file)? {
                    self.unwelcome.insert(file);
                } else if !stored {
                    self.writer.put_object(Space::Manifests, &claim_key(file, bytes), bytes)?;
                    self.claims.insert(file);
                    self.objects += 1;
                }
            }
            Kind::GitCommit => {
                if let Some((id, original)) = split_commit(bytes)
                    && self.view.git_original(id)?.is_none()
                {
                    self.held.add(bytes)?;
                    self.originals.insert(id, original.to_vec());
                }
            }
            Kind::GitObject | Kind::GitTreeForm | Kind::LfsDigest => self.take_record(key.kind, bytes)?,
            Kind::Tie => {
                self.held.add(bytes)?;
                self.ties.extend(Tie::decode(bytes));
            }
            Kind::Tombstone => {
                self.held.add(bytes)?;
                let tombstone = Tombstone::decode(bytes).map_err(|error| broken(&error))?;
                self.tombstones.put(tombstone);
            }
            Kind::Person => {
                let (id, person) = decode_person(bytes).ok_or_else(|| broken(&"it is no record"))?;
                self.held.add(bytes)?;
                self.people.insert(id, person);
                self.inbox.put(key, bytes)?;
            }
            kind if kind.is_of_logs() => self.inbox.put(key, bytes)?,
            kind => {
                if let Some(space) = space_of(kind)
                    && !self.view.snapshot().contains(space, &key.id)?
                {
                    self.writer.put_object(space, &key.id, bytes)?;
                    self.objects += 1;
                }
            }
        }
        Ok(())
    }

    /// Takes what an import left and what stands by itself. What is here already stays.
    fn take_record(&mut self, kind: Kind, bytes: &[u8]) -> SyncResult<()> {
        let (space, key, value) = match kind {
            Kind::GitObject => {
                let Some((_, object)) = bytes.split_first() else { return Ok(()) };
                let Some(id) = identify_origin(kind, bytes).and_then(|id| GitId::from_slice(&id[..20]))
                else {
                    return Ok(());
                };
                (Space::Origins, imports::key::original(id), object.to_vec())
            }
            Kind::GitTreeForm => {
                let Some((id, form)) = split_form(bytes) else { return Ok(()) };
                (Space::Imports, imports::key::tree(id), form.to_vec())
            }
            _ => {
                let Some((file, digest)) = split_digest(bytes) else { return Ok(()) };
                (Space::Imports, imports::key::lfs(file), digest.to_vec())
            }
        };
        if !self.view.snapshot().contains(space, &key)? {
            self.writer.put_object(space, &key, &value)?;
        }
        Ok(())
    }

    /// The files that foreign content is, by what came and is not known here yet.
    pub fn tied_files(&self, found: &Found) -> SyncResult<Vec<NewFile>> {
        let foreign: HashSet<&(ForeignAlgorithm, Vec<u8>)> = found.foreign.iter().collect();
        let mut files = Vec::new();
        for tie in &self.ties {
            let is_known = self.view.tie(tie.algorithm, &tie.digest)?.is_some();
            if !is_known && foreign.contains(&(tie.algorithm, tie.digest.clone())) {
                files.push(NewFile { id: tie.file, size: tie.size, before: None });
            }
        }
        Ok(files)
    }

    /// Ties foreign content to files that are here, after hashing these as the other system does.
    pub fn store_ties(&self, edit: &mut Edit, found: &Found) -> SyncResult<()> {
        let foreign: HashSet<&(ForeignAlgorithm, Vec<u8>)> = found.foreign.iter().collect();
        let view = self.repository.view()?;
        let reader = self.repository.store().chunk_reader()?;
        let extractor = Extractor::new(&reader, &view, self.monitor);
        for tie in &self.ties {
            let is_wanted = foreign.contains(&(tie.algorithm, tie.digest.clone()));
            if !is_wanted
                || view.tie(tie.algorithm, &tie.digest)?.is_some()
                || !view.has_content(tie.file, tie.size)?
            {
                continue;
            }
            let digest = foreign_digest(&extractor, tie)?;
            if digest.as_deref() == Some(&tie.digest[..]) {
                let key = imports::key::tie(tie.algorithm, &tie.digest);
                edit.transaction().put(Space::Foreign, &key, &imports::encode_tie(tie.file, tie.size))?;
            }
        }
        Ok(())
    }

    /// Takes a block, and of its chunks those that are wanted; gives the raw bytes that were new.
    pub fn take_block(&self, block: &[u8], wanted: &HashSet<ChunkId>) -> SyncResult<u64> {
        let opened = OpenBlock::open(block)
            .map_err(|damage| SyncError::Invalid { what: "a block", detail: damage.to_string() })?;
        self.room.insist(block.len() as u64)?;
        let bytes = self.writer.put_block(&opened, &|id| wanted.contains(&id))?;
        let before = self.unpublished_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before / PUBLISH_BYTES != (before + bytes) / PUBLISH_BYTES {
            self.writer.publish()?;
        }
        Ok(bytes)
    }

    /// Whether a chunk has come or was here.
    pub fn has_chunk(&self, id: ChunkId) -> SyncResult<bool> {
        Ok(self.writer.has(id)?)
    }

    /// Makes what has come durable and looks at it.
    pub fn settle(&mut self) -> SyncResult<()> {
        self.writer.publish()?;
        self.view = self.repository.view()?;
        Ok(())
    }

    /// What `wants` bring beyond the commits that are here, and what of it is missing.
    pub fn find_new(&self, wants: &[CommitId]) -> SyncResult<Found> {
        let source = Beside { view: &self.view, commits: &self.commits };
        let mut haves: Vec<CommitId> = self.view.references()?.into_iter().map(|(_, at)| at.commit).collect();
        // A commit that is in the repository is there with all that it reaches, named or not.
        for id in self.commits.ids() {
            for parent in &self.source().commit(id)?.parents {
                if self.view.snapshot().contains(Space::Commits, parent.as_bytes())? {
                    haves.push(*parent);
                }
            }
        }
        for want in wants {
            if self.view.snapshot().contains(Space::Commits, want.as_bytes())? {
                haves.push(*want);
            }
        }
        let folder = self.repository.pent_dir().join("tmp");
        let mut found = find_new(&source, wants, &haves, Some(&folder), &|| self.monitor.is_cancelled())?;
        for number in 0.. {
            let Some(block) = found.metadata.block(number)?.map(Cow::into_owned) else { break };
            for id in block {
                if !self.view.snapshot().contains(Space::Metadata, id.as_bytes())? {
                    found.lacks(ObjectKey::new(Kind::Metadata, *id.as_bytes()));
                }
            }
        }
        Ok(found)
    }

    /// What of files is not here. The manifest nodes that are not come first: with them, ask again.
    pub fn needed(&self, files: &[NewFile]) -> SyncResult<Needed> {
        let chunks = Listed::new(Some(&self.repository.pent_dir().join("tmp")));
        let mut needed = Needed { chunks, chunk_bytes: 0, shared_bytes: 0, objects: Vec::new() };
        let mut seen = HashSet::new();
        for file in files {
            if self.monitor.is_cancelled() {
                return Err(SyncError::Cancelled);
            }
            self.needed_of(file, &mut needed, &mut seen)?;
        }
        Ok(needed)
    }

    fn needed_of(&self, file: &NewFile, needed: &mut Needed, seen: &mut HashSet<ChunkId>) -> SyncResult<()> {
        if file.size == 0 || self.view.is_erased(file.id)? {
            return Ok(());
        }
        if self.view.snapshot().has_chunk(file.id.into())? || self.view.manifest(file.id)?.is_some() {
            needed.shared_bytes += file.size;
            return Ok(());
        }
        let claims = self.fitting_claims(file)?;
        if claims.is_empty() {
            let longest = self.repository.store().settings().chunker.max() as u64;
            if file.size > longest {
                needed.objects.push(ObjectKey::new(Kind::Manifest, *file.id.as_bytes()));
            }
            // What was cut by other parameters may be one chunk all the same.
            if file.size <= CHUNK_BYTES_MAX as u64 && is_first(seen, file.id.into()) {
                needed.chunks.push(file.id.into());
                needed.chunk_bytes += file.size;
            }
            return Ok(());
        }
        let before = match file.before {
            Some(before) => self.view.manifest(before)?,
            None => None,
        };
        let nodes = manifest_nodes(&self.view);
        let mut wanted_bytes = 0;
        for claim in &claims {
            let mut parts = Lacking { view: &self.view, needed, seen, bytes: 0 };
            new_parts(&nodes, claim, before.as_ref(), &mut parts)?;
            wanted_bytes += parts.bytes;
        }
        needed.shared_bytes += file.size.saturating_sub(wanted_bytes);
        Ok(())
    }

    /// Claims about a file that are as long as the tree says.
    fn fitting_claims(&self, file: &NewFile) -> SyncResult<Vec<Manifest>> {
        let mut claims = self.view.claims(file.id)?;
        claims.retain(|claim| claim.file == file.id && claim.size == file.size);
        Ok(claims)
    }

    /// Stores the commits that were kept back, and the people who are not known here. Whatever the
    /// commits reach must be here.
    pub fn store_commits(&self, edit: &mut Edit) -> SyncResult<()> {
        for id in self.commits.ids() {
            if let Some(bytes) = self.commits.bytes(id)? {
                edit.transaction().put(Space::Commits, id.as_bytes(), &bytes)?;
            }
        }
        for (id, original) in &self.originals {
            let commit = self.source().commit(*id).ok();
            let git = commit.as_ref().and_then(imports::git_commit_of);
            // Whoever sends another original sends none.
            if git.is_some() && imports::object_id(gix::objs::Kind::Commit, original) == git {
                edit.transaction().put(Space::Origins, id.as_bytes(), original)?;
            }
        }
        if !self.originals.is_empty() {
            // Which Git object became what here, the next import finds out by itself.
            edit.transaction().put(Space::Imports, imports::STALE_KEY, imports::STALE)?;
        }
        for (id, person) in &self.people {
            if self.view.person(*id)?.is_none() {
                edit.put_person(*id, person)?;
            }
        }
        Ok(())
    }

    /// Leaves out commits that nothing wanted reaches: a remote may send more than was asked.
    pub fn keep_only(&mut self, commits: &[CommitId]) {
        let kept: HashSet<CommitId> = commits.iter().copied().collect();
        self.commits.retain(|id| kept.contains(&id));
    }

    /// The commits that have come and that entries of the shared log, come with them, speak of.
    pub fn judged_commits(&self) -> Vec<CommitId> {
        let named = commits_judged_by(&self.inbox.entries());
        named.into_iter().filter(|commit| self.commits.contains(commit)).collect()
    }

    /// What came of logs.
    pub fn into_inbox(self) -> Inbox {
        self.inbox
    }

    /// The repository as it would be with the commits that are kept back.
    pub(in crate::sync) fn source(&self) -> Beside<'_> {
        Beside { view: &self.view, commits: &self.commits }
    }

    /// The state of the repository as it was looked at last.
    pub fn view(&self) -> &View {
        &self.view
    }
}

/// Collects the parts of a manifest that are not here.
struct Lacking<'a> {
    view: &'a View,
    needed: &'a mut Needed,
    seen: &'a mut HashSet<ChunkId>,
    bytes: u64,
}

impl Parts<RepoError> for Lacking<'_> {
    fn node(&mut self, _: ManifestNodeId) -> Result<(), RepoError> {
        Ok(())
    }

    fn chunk(&mut self, entry: crate::object::manifest::ChunkEntry) -> Result<(), RepoError> {
        if !self.view.snapshot().has_chunk(entry.id)? {
            self.bytes += u64::from(entry.length);
            if is_first(self.seen, entry.id) {
                self.needed.chunks.push(entry.id);
                self.needed.chunk_bytes += u64::from(entry.length);
            }
        }
        Ok(())
    }

    fn absent(&mut self, id: ManifestNodeId) -> Result<(), RepoError> {
        self.needed.objects.push(ObjectKey::new(Kind::ManifestNode, *id.as_bytes()));
        Ok(())
    }
}

/// Manifest nodes as a view has them; named so that others need not know how missing ones show.
pub fn manifest_nodes(view: &View) -> NodesOf<'_, View, impl Fn(&RepoError) -> bool> {
    NodesOf { source: view, is_missing: |error: &RepoError| matches!(error, RepoError::Missing { .. }) }
}
