//! A repository as a remote: what a server does with what it is asked, whatever carries the questions.
//!
//! It believes nobody: packs and bundles are hashed when they are put, a publication is looked
//! through until nothing is missing, files are hashed, and the rules are asked, before a name moves.

use crate::base::id::{ChunkId, CommitId, FileId, PackId, PersonId};
use crate::base::monitor::SilentMonitor;
use crate::object::manifest::verified_key;
use crate::repo::refs::{RefKind, RefName, RefTarget};
use crate::repo::{Edit, RepoError, Repository, View};
use crate::store::Space;
use crate::store::parcel::{PackBuilder, pack_blocks};
use crate::sync::accept::{Judge, insist};
use crate::sync::bundle::{BundleBuilder, open_bundle};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::possession::insist_on_possession;
use crate::sync::push::candidates::{Candidates, Step, object_bytes};
use crate::sync::push::gather_blocks;
use crate::sync::readable::{Readable, chunks_of};
use crate::sync::receive::{Receiver, space_of};
use crate::sync::remote::{
    BlockSink, BundleSink, Description, HistoryWants, Kind, Limits, ObjectKey, Parcel, ParcelKind, Proposal,
    Published, RefChange, Remote,
};
use crate::sync::walk::find_new;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How much is taken at a time.
const LIMITS: Limits =
    Limits { keys_max: 1 << 16, chunks_max: 1 << 12, parcel_bytes_max: 32 << 20, connections: 4 };
/// Raw length at which an answer is sent on, in bytes.
const ANSWER_BYTES: usize = 8 << 20;
/// Folder of parcels that were put and not published yet, inside `.pent`: one folder for each caller.
/// Of a pack only the ids of its chunks are there: the chunks themselves are stored.
const INCOMING_DIR: &str = "incoming";
/// Age at which a parcel that nobody published is removed: twice what clients remember.
const AGE_MAX: Duration = Duration::from_secs(6 * 24 * 3600);
/// Prefix of the records of publications in the settings.
const PUBLISHED_PREFIX: &str = "published/";
/// Key of the count of publications in the settings.
const MARK_KEY: &[u8] = b"publications";
/// Key under which gc counts its sweeps.
const EPOCH_KEY: &[u8] = b"gc/epoch";

/// Who asks, as far as it makes a difference to the answers.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Tells callers apart: what one of them put and did not publish is nobody else's. Letters, digits
    /// and `-`.
    pub name: String,
    /// What they may read; everything when `None`.
    pub readable: Option<Arc<Readable>>,
}

impl Caller {
    /// Whoever has the repository's folder at hand anyway.
    pub fn local() -> Self {
        Self { name: "local".to_owned(), readable: None }
    }
}

/// A repository that others push to and fetch from.
pub struct ServedRemote<'a> {
    repository: &'a Repository,
    judge: &'a dyn Judge,
    caller: Caller,
}

impl<'a> ServedRemote<'a> {
    /// Serves a repository whose names move by the rules that `judge` knows.
    pub fn new(repository: &'a Repository, judge: &'a dyn Judge) -> Self {
        Self::for_caller(repository, judge, Caller::local())
    }

    /// The same for somebody in particular.
    pub const fn for_caller(repository: &'a Repository, judge: &'a dyn Judge, caller: Caller) -> Self {
        Self { repository, judge, caller }
    }

    fn incoming_dir(&self) -> PathBuf {
        self.repository.pent_dir().join(INCOMING_DIR).join(&self.caller.name)
    }

    /// Removes what was put long ago and never published; whoever put it has forgotten it by now.
    pub fn forget_old(&self) {
        let Ok(callers) = fs::read_dir(self.repository.pent_dir().join(INCOMING_DIR)) else { return };
        for file in
            callers.flatten().filter_map(|caller| fs::read_dir(caller.path()).ok()).flatten().flatten()
        {
            let age = file.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
            if age.is_some_and(|age| age > AGE_MAX) {
                // One that stays is removed the next time.
                let _ = fs::remove_file(file.path());
            }
        }
    }

    fn incoming(&self, id: PackId, kind: ParcelKind) -> PathBuf {
        let end = match kind {
            ParcelKind::Pack => "pack",
            ParcelKind::Bundle => "bundle",
        };
        self.incoming_dir().join(format!("{id}.{end}"))
    }

    /// Keeps bytes under a name of their own until they are published.
    fn keep(&self, id: PackId, kind: ParcelKind, bytes: &[u8]) -> SyncResult<()> {
        let path = self.incoming(id, kind);
        let mut nonce = [0u8; 16];
        // Two that put the same parcel at once write the same bytes.
        let _ = getrandom::fill(&mut nonce);
        let temporary = path.with_extension(PackId::from_bytes(nonce).to_string());
        let write = || -> std::io::Result<()> {
            let folder = path.parent().unwrap_or(&path);
            fs::create_dir_all(folder)?;
            let mut file = fs::File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            fs::File::open(folder)?.sync_all()
        };
        write().map_err(|source| SyncError::Io { action: "writing", path: path.clone(), source })
    }

    /// Stores the chunks of a pack and gives their ids. Nothing refers to them before they are published.
    fn take_pack(&self, parcel: &Parcel) -> SyncResult<Vec<u8>> {
        let (id, blocks) = pack_blocks(&parcel.bytes)?;
        if id != parcel.record.id {
            return Err(SyncError::Invalid { what: "a pack", detail: "it is another one".to_owned() });
        }
        let mut receiver = Receiver::new(self.repository, &SilentMonitor)?;
        let mut ids = Vec::new();
        for block in blocks {
            for record in &block.header.records {
                ids.extend_from_slice(record.id.as_bytes());
            }
            let wanted: HashSet<ChunkId> = block.header.records.iter().map(|record| record.id).collect();
            let start = block.offset as usize;
            let end = start + block.header.block_length() as usize;
            receiver.take_block(parcel.bytes.get(start..end).unwrap_or_default(), &wanted)?;
        }
        receiver.settle()?;
        Ok(ids)
    }

    /// The chunks that the packs of a proposal brought.
    fn sent_chunks(&self, proposal: &Proposal) -> HashSet<ChunkId> {
        let packs = proposal.parcels.iter().filter(|parcel| parcel.kind == ParcelKind::Pack);
        let lists = packs.filter_map(|pack| fs::read(self.incoming(pack.id, pack.kind)).ok());
        let ids = |list: Vec<u8>| list.chunks_exact(32).filter_map(ChunkId::from_slice).collect::<Vec<_>>();
        lists.flat_map(ids).collect()
    }

    /// Takes in what the parcels have, and insists that nothing is missing or wrong.
    fn receive(&self, proposal: &Proposal) -> SyncResult<()> {
        let mut receiver = Receiver::new(self.repository, &SilentMonitor)?;
        for parcel in proposal.parcels.iter().filter(|parcel| parcel.kind == ParcelKind::Bundle) {
            let bytes = fs::read(self.incoming(parcel.id, parcel.kind));
            // One that is gone has to be sent again, and so has what relied on it.
            receiver.take_bundle(&bytes.map_err(|_| SyncError::Outdated)?)?;
        }
        receiver.settle()?;
        let wants: Vec<CommitId> =
            proposal.changes.iter().filter_map(|change| Some(change.target.as_ref()?.commit)).collect();
        let found = receiver.find_new(&wants)?;
        if let Some(key) = found.missing.first() {
            return Err(SyncError::Missing { kind: key.kind.name(), id: key.id_text() });
        }
        if let Some(readable) = &self.caller.readable {
            insist_on_possession(&receiver, &found, &self.sent_chunks(proposal), readable)?;
        }
        let needed = receiver.needed(&found.files)?;
        if let Some(key) = needed.objects.first() {
            return Err(SyncError::Missing { kind: key.kind.name(), id: key.id_text() });
        }
        if let Some(chunk) = needed.chunks.first() {
            return Err(SyncError::Missing { kind: "chunk", id: chunk.to_string() });
        }
        if let Some(file) = receiver.confirm(&found.files)?.first() {
            let detail = format!("its chunks are not file {}", file.id);
            return Err(SyncError::Invalid { what: "a manifest", detail });
        }
        receiver.keep_only(&found.commits);
        let mut edit = self.repository.edit()?;
        receiver.store_commits(&mut edit)?;
        Ok(edit.commit()?)
    }

    fn move_names(&self, proposal: &Proposal) -> SyncResult<Published> {
        let view = self.repository.view()?;
        for change in &proposal.changes {
            insist(self.judge, &view, change)?;
        }
        let before = count(&view, MARK_KEY)?;
        let mut edit = self.repository.edit()?;
        for change in &proposal.changes {
            insist_on_no_worktree(&edit, change)?;
            let moved = edit.set_reference(&change.name, change.expected, change.target.clone());
            moved.map_err(|error| refusal(error, &change.name))?;
        }
        let mark = before + 1;
        edit.transaction().put(Space::Settings, MARK_KEY, &mark.to_le_bytes())?;
        edit.transaction().put(Space::Settings, &published_key(proposal), &mark.to_le_bytes())?;
        edit.commit()?;
        for parcel in &proposal.parcels {
            // What stays is removed with everything else that is old.
            let _ = fs::remove_file(self.incoming(parcel.id, parcel.kind));
        }
        Ok(Published { mark, follows: Some(before) })
    }
}

/// A branch that somebody works on in this very folder does not move under their files: what they see
/// would be compared with what they never had.
fn insist_on_no_worktree(edit: &Edit, change: &RefChange) -> SyncResult<()> {
    let state = match edit.state() {
        Err(RepoError::Missing { .. }) => return Ok(()),
        state => state?,
    };
    let shows_nothing = state.sparse.as_ref().is_some_and(BTreeSet::is_empty);
    if state.branch != change.name || shows_nothing {
        return Ok(());
    }
    let reason = "it is checked out there, and the files would not fit it any more; push to a draft, or serve a \
                  repository without files of its own (`pent sparse none`, there)";
    Err(SyncError::Refused { name: change.name.clone(), reasons: vec![reason.to_owned()] })
}

fn count(view: &View, key: &[u8]) -> SyncResult<u64> {
    let bytes = view.snapshot().get(Space::Settings, key)?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes))
}

fn published_key(proposal: &Proposal) -> Vec<u8> {
    let mut key = PUBLISHED_PREFIX.as_bytes().to_vec();
    key.extend_from_slice(&proposal.token);
    key
}

fn refusal(error: RepoError, name: &RefName) -> SyncError {
    match error {
        RepoError::RefMoved { name, expected, actual } => SyncError::Moved { name, expected, actual },
        RepoError::Protected { .. } => {
            SyncError::Refused { name: name.clone(), reasons: vec![error.to_string()] }
        }
        error => error.into(),
    }
}

/// Whether a repository has an object.
fn has(view: &View, key: &ObjectKey) -> SyncResult<bool> {
    Ok(match key.kind {
        Kind::Chunk => view.snapshot().has_chunk(ChunkId::from_bytes(key.id))?,
        Kind::Manifest => {
            view.snapshot().contains(Space::Manifests, &verified_key(FileId::from_bytes(key.id)))?
        }
        Kind::Person => {
            let id = PersonId::from_slice(&key.id[..PersonId::SIZE]);
            let known = id.map(|id| view.person(id)).transpose()?.flatten();
            known.is_some() && object_bytes(view, *key).is_ok()
        }
        kind => match space_of(kind) {
            Some(space) => view.snapshot().contains(space, &key.id)?,
            None => false,
        },
    })
}

/// The same for somebody from whom content is withheld: of content, what they may read is there. The
/// chunks of a file that is asked about along with them count too.
fn have_of(view: &View, keys: &[ObjectKey], readable: &Readable) -> SyncResult<Vec<bool>> {
    let files = keys.iter().filter(|key| key.kind == Kind::Manifest).map(|key| FileId::from_bytes(key.id));
    let files: Vec<FileId> = files.collect();
    let ids = keys.iter().filter(|key| key.kind == Kind::Chunk).map(|key| ChunkId::from_bytes(key.id));
    let chunks = readable_chunks(view, &files, &ids.collect::<Vec<_>>(), readable)?;
    let files = readable.of(view, files)?;
    let answer = |key: &ObjectKey| {
        let may = match key.kind {
            Kind::Chunk => chunks.contains(&ChunkId::from_bytes(key.id)),
            Kind::Manifest => files.contains(&FileId::from_bytes(key.id)),
            // Parts of a manifest say no more than that it is here.
            Kind::ManifestNode => false,
            _ => true,
        };
        Ok(may && has(view, key)?)
    };
    keys.iter().map(answer).collect()
}

/// Of these chunks, and of the chunks of these files, what may be read.
fn readable_chunks(
    view: &View,
    files: &[FileId],
    chunks: &[ChunkId],
    readable: &Readable,
) -> SyncResult<HashSet<ChunkId>> {
    let alone = readable.of(view, chunks.iter().map(|id| FileId::from_bytes(*id.as_bytes())))?;
    let mut found: HashSet<ChunkId> = alone.into_iter().map(ChunkId::from).collect();
    let asked: HashSet<ChunkId> = chunks.iter().copied().collect();
    for file in readable.of(view, files.iter().copied())? {
        found.extend(chunks_of(view, file, &asked)?);
    }
    Ok(found)
}

/// Puts objects into bundles and sends these on.
struct Answer<'s, 'b> {
    view: &'s View,
    builder: BundleBuilder,
    sink: &'s mut BundleSink<'b>,
}

impl Answer<'_, '_> {
    fn add(&mut self, key: ObjectKey) -> SyncResult<()> {
        self.builder.push(key, &object_bytes(self.view, key)?)?;
        if self.builder.len() >= ANSWER_BYTES { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> SyncResult<()> {
        let builder = std::mem::take(&mut self.builder);
        if builder.is_empty() { Ok(()) } else { (self.sink)(&builder.finish(&[0; 16])?.bytes) }
    }
}

impl Remote for ServedRemote<'_> {
    fn describe(&self) -> SyncResult<Description> {
        let view = self.repository.view()?;
        let settings = self.repository.store().settings();
        let refs: BTreeMap<RefName, RefTarget> =
            view.references()?.into_iter().filter(|(name, _)| name.kind() != RefKind::Remote).collect();
        // What was committed here counts as something published.
        let mark = count(&view, MARK_KEY)?.max(u64::from(!refs.is_empty()));
        Ok(Description {
            repository: settings.repository,
            chunker: settings.chunker,
            epoch: count(&view, EPOCH_KEY)?,
            mark,
            refs,
            logs: BTreeMap::new(),
            limits: LIMITS,
            hidden: self.caller.readable.as_ref().map_or_else(Vec::new, |known| known.hidden().to_vec()),
        })
    }

    fn have(&self, keys: &[ObjectKey]) -> SyncResult<Vec<bool>> {
        let view = self.repository.view()?;
        match &self.caller.readable {
            None => keys.iter().map(|key| has(&view, key)).collect(),
            Some(readable) => have_of(&view, keys, readable),
        }
    }

    fn fetch_history(&self, wants: &HistoryWants, sink: &mut BundleSink<'_>) -> SyncResult<()> {
        let view = self.repository.view()?;
        let found = find_new(&view, &wants.wants, &wants.haves, &|| false)?;
        let mut answer = Answer { view: &view, builder: BundleBuilder::default(), sink };
        for step in Candidates::new(&view, &found) {
            if let Step::Candidate(candidate) = step?
                && candidate.key.kind != Kind::Chunk
            {
                answer.add(candidate.key)?;
            }
        }
        answer.send()
    }

    fn fetch_objects(&self, keys: &[ObjectKey], sink: &mut BundleSink<'_>) -> SyncResult<()> {
        let view = self.repository.view()?;
        let mut answer = Answer { view: &view, builder: BundleBuilder::default(), sink };
        for key in keys.iter().filter(|key| key.kind != Kind::Chunk) {
            if has(&view, key)? {
                answer.add(*key)?;
            }
        }
        answer.send()
    }

    fn fetch_chunks(&self, chunks: &[ChunkId], sink: &BlockSink<'_>) -> SyncResult<()> {
        self.fetch_chunks_of(&[], chunks, sink)
    }

    fn fetch_chunks_of(&self, files: &[FileId], chunks: &[ChunkId], sink: &BlockSink<'_>) -> SyncResult<()> {
        let view = self.repository.view()?;
        let reader = self.repository.store().chunk_reader()?;
        let may_read = match &self.caller.readable {
            None => None,
            Some(readable) => Some(readable_chunks(&view, files, chunks, readable)?),
        };
        let mut known = Vec::new();
        for id in chunks {
            if may_read.as_ref().is_none_or(|chunks| chunks.contains(id)) && view.snapshot().has_chunk(*id)? {
                known.push(*id);
            }
        }
        let wanted: HashSet<ChunkId> = known.iter().copied().collect();
        let mut done = HashSet::new();
        let mut rest = known.as_slice();
        while !rest.is_empty() {
            let mut builder = PackBuilder::new(ANSWER_BYTES);
            let taken = gather_blocks(&reader, rest, &wanted, &mut done, &mut builder, ANSWER_BYTES)?;
            rest = &rest[taken..];
            let pack = builder.finish(&[0; 16]);
            for block in &pack.blocks {
                let start = block.offset as usize;
                sink(&pack.bytes[start..start + block.header.block_length() as usize])?;
            }
        }
        Ok(())
    }

    fn put(&self, parcel: &Parcel) -> SyncResult<()> {
        if parcel.bytes.len() as u64 > LIMITS.parcel_bytes_max {
            let detail = format!("it has {} bytes", parcel.bytes.len());
            return Err(SyncError::Invalid { what: "a parcel", detail });
        }
        match parcel.record.kind {
            ParcelKind::Pack => {
                let ids = self.take_pack(parcel)?;
                self.keep(parcel.record.id, ParcelKind::Pack, &ids)
            }
            ParcelKind::Bundle => {
                open_bundle(&parcel.bytes, &mut |_, _, _| Ok(()))?;
                self.keep(parcel.record.id, ParcelKind::Bundle, &parcel.bytes)
            }
        }
    }

    fn holds(&self, parcels: &[(PackId, ParcelKind)]) -> SyncResult<Vec<bool>> {
        Ok(parcels.iter().map(|(id, kind)| self.incoming(*id, *kind).exists()).collect())
    }

    fn publish(&self, proposal: &Proposal) -> SyncResult<Published> {
        let view = self.repository.view()?;
        if let Some(change) = proposal.changes.iter().find(|change| change.name.kind() == RefKind::Remote) {
            let detail = format!("{} is nobody else's to move", change.name);
            return Err(SyncError::Invalid { what: "a proposal", detail });
        }
        if let Some(bytes) = view.snapshot().get(Space::Settings, &published_key(proposal))? {
            let mark = bytes.try_into().map_or(0, u64::from_le_bytes);
            return Ok(Published { mark, follows: None });
        }
        if count(&view, EPOCH_KEY)? != proposal.epoch {
            return Err(SyncError::Outdated);
        }
        for change in &proposal.changes {
            let actual = view.reference(&change.name)?.map(|target| target.commit);
            if actual != change.expected {
                let (name, expected) = (change.name.clone(), change.expected);
                return Err(SyncError::Moved { name, expected, actual });
            }
        }
        match self.receive(proposal) {
            // What was promised is gone: have it all sent again.
            Err(error @ SyncError::Missing { .. }) => {
                for parcel in &proposal.parcels {
                    let _ = fs::remove_file(self.incoming(parcel.id, parcel.kind));
                }
                return Err(error);
            }
            received => received?,
        }
        self.move_names(proposal)
    }
}
