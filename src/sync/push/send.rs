//! Asks what the remote has, groups the rest into parcels and sends several of them at a time.

use super::Push;
use super::begun::{forget_begun, note_begun};
use super::candidates::{Candidate, Candidates, Step, object_bytes, object_length};
use super::gather::{Care, Gathering};
use super::records::{SentParcels, write_note};
use crate::base::id::ChunkId;
use crate::base::monitor::{Advance, Monitor};
use crate::object::chunker::CHUNK_BYTES_MAX;
use crate::repo::View;
use crate::store::ChunkReader;
use crate::store::bucket::head::Token;
use crate::store::parcel::{BuiltPack, OpenBlock, PackBuilder};
use crate::sync::bundle::{BundleBuilder, open_bundle};
use crate::sync::entries::Entries;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::for_each;
use crate::sync::push::Moved;
use crate::sync::push::survey::{Answers, Estimate};
use crate::sync::push::under_way::UnderWay;
use crate::sync::remote::{Description, Kind, ObjectKey, Parcel, ParcelKind, ParcelRecord, Remote};
use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keys of objects that go into one bundle.
const BUNDLE_OBJECTS_MAX: usize = 1 << 14;
/// Raw length at which a bundle is closed, in bytes: half of the longest parcel where that is less.
const BUNDLE_BYTES: usize = 8 << 20;
/// Most chunks of one pack.
const PACK_CHUNKS_MAX: usize = 1 << 16;
/// What a pack is going to be at most as a rule, in bytes.
const PACK_BYTES_EXPECTED: usize = 32 << 20;
/// Chunks that are kept in mind so that none is sent twice.
const SENT_MAX: usize = 4 << 20;
/// Candidates that are asked about at a time: what 10 GB of content have.
const QUESTION_KEYS: usize = 1 << 16;
/// Candidates that are gone through at a time where nothing is, and nothing is asked: the first pack sets out early.
const UNASKED_KEYS: usize = 1 << 10;

/// A parcel that is to be made and sent.
pub(super) enum Job {
    /// Bytes are those of the content, and as they are stored.
    Pack { chunks: Vec<ChunkId>, raw_bytes: u64, stored_bytes: u64 },
    /// A pack that had set out and was cut off: made with the same salt it is the same.
    Again { chunks: Vec<ChunkId>, salt: Token, stored_bytes: u64 },
    /// Bytes are those of the objects.
    Bundle { keys: Vec<ObjectKey>, raw_bytes: usize },
}

/// What became of a job.
struct JobDone {
    record: ParcelRecord,
    raw_bytes: u64,
}

/// Sends parcels, or only counts what they would be.
pub(super) struct Sender<'a> {
    remote: &'a dyn Remote,
    view: &'a View,
    reader: ChunkReader,
    description: &'a Description,
    /// Where parcels that were taken are noted; `None` when nothing is sent.
    notes: Option<&'a Path>,
    salt: Token,
    monitor: &'a dyn Monitor,
    under_way: UnderWay,
    /// Memory of packs that were sent, for the next ones: at most as many as are made at a time.
    spare: Mutex<Vec<Vec<u8>>>,
}

impl<'a> Sender<'a> {
    pub(super) fn new(
        push: &Push<'a>,
        view: &'a View,
        description: &'a Description,
        notes: Option<&'a Path>,
        monitor: &'a dyn Monitor,
    ) -> SyncResult<Self> {
        let reader = push.repository.store().chunk_reader()?;
        let (remote, salt, under_way) = (push.remote, push.token, UnderWay::default());
        let spare = Mutex::default();
        Ok(Self { remote, view, reader, description, notes, salt, monitor, under_way, spare })
    }

    /// Sends what the remote lacks; gives all parcels that are to be published.
    pub(super) fn run(
        &self,
        candidates: Candidates<'_>,
        sent: &mut SentParcels,
        moved: &mut Moved,
        answers: &mut Answers,
    ) -> SyncResult<Vec<ParcelRecord>> {
        let mut parcels = Vec::new();
        {
            let jobs = Jobs::new(self, candidates, &mut *sent, moved, answers);
            let mut totals = (0, 0);
            let work = |job: SyncResult<Job>| self.work(job?);
            let moved_parcels = for_each(jobs, self.description.limits.connections(), work, |done| {
                self.monitor.advance(Advance { bytes: done.raw_bytes, ..Advance::default() });
                totals = (totals.0 + done.record.length, totals.1 + 1);
                parcels.push(done.record);
                Ok(())
            });
            moved_parcels?;
            moved.bytes_sent += totals.0;
            moved.parcels += totals.1;
        }
        parcels.extend(sent.used());
        Ok(parcels)
    }

    /// Finds out what would be sent, and sends nothing.
    pub(super) fn measure(
        &self,
        candidates: Candidates<'_>,
        sent: &mut SentParcels,
        moved: &mut Moved,
        answers: &mut Answers,
    ) -> SyncResult<()> {
        let (mut estimate, mut parcels) = (Estimate::default(), 0);
        for job in Jobs::new(self, candidates, sent, moved, answers) {
            if self.monitor.is_cancelled() {
                return Err(SyncError::Cancelled);
            }
            estimate.add(self, job?)?;
            parcels += 1;
        }
        moved.bytes_sent += estimate.bytes();
        moved.parcels += parcels;
        Ok(())
    }

    /// How long a parcel is.
    pub(super) fn length_of(&self, job: Job) -> SyncResult<u64> {
        Ok(self.build(job)?.0.record.length)
    }

    /// Makes a parcel; gives what of its content nobody counted yet, and what its id was made with.
    fn build(&self, job: Job) -> SyncResult<(Parcel, u64, Token)> {
        Ok(match job {
            Job::Pack { chunks, raw_bytes, .. } => {
                (self.build_pack(&chunks, &self.salt, self.care())?, raw_bytes, self.salt)
            }
            Job::Again { chunks, salt, .. } => (self.build_pack(&chunks, &salt, self.care())?, 0, salt),
            Job::Bundle { keys, .. } => (build_bundle(self.view, &keys, &self.salt)?, 0, self.salt),
        })
    }

    fn care(&self) -> Care {
        if self.remote.compares_chunks() { Care::Header } else { Care::Chunks }
    }

    fn build_pack(&self, chunks: &[ChunkId], salt: &Token, care: Care) -> SyncResult<Parcel> {
        let spare = self.spare().pop();
        let builder = spare.map_or_else(|| PackBuilder::new(PACK_BYTES_EXPECTED), PackBuilder::reusing);
        fill_pack(builder, &self.reader, chunks, (salt, care))
    }

    fn work(&self, job: Job) -> SyncResult<JobDone> {
        if self.monitor.is_cancelled() {
            return Err(SyncError::Cancelled);
        }
        let (mut parcel, raw_bytes, salt) = self.build(job)?;
        if let Some(notes) = self.notes {
            self.send(&mut parcel, &salt, notes)?;
        }
        if parcel.record.kind == ParcelKind::Pack {
            self.spare().push(parcel.bytes);
        }
        Ok(JobDone { record: parcel.record, raw_bytes })
    }

    fn send(&self, parcel: &mut Parcel, salt: &Token, notes: &Path) -> SyncResult<()> {
        let (id, length) = (parcel.record.id, parcel.record.length);
        let goes_on = parcel.record.kind == ParcelKind::Pack && self.remote.goes_on(length);
        // Where there is no room for a note, what it would have told is kept in mind, and a kill costs more.
        let is_noted = goes_on && note_begun(notes, &parcel.record, salt).is_ok();
        // Others are made meanwhile.
        let travelling = self.under_way.set_out(if is_noted { 0 } else { length });
        self.remote.put(parcel).map_err(|error| self.blame(parcel, salt, error))?;
        if let Ok(path) = write_note(notes, &parcel.record) {
            parcel.record.entries = Entries::Noted(path);
        }
        drop(travelling);
        if is_noted {
            forget_begun(notes, id);
        }
        Ok(())
    }

    /// Why a pack was not taken that nobody looked at here: perhaps it is damaged where it lies.
    fn blame(&self, parcel: &Parcel, salt: &Token, error: SyncError) -> SyncError {
        let passes = matches!(error, SyncError::Unreachable { .. } | SyncError::Cancelled);
        if passes || parcel.record.kind != ParcelKind::Pack || self.care() == Care::Chunks {
            return error;
        }
        let Ok(entries) = parcel.record.entries.load() else { return error };
        let chunks: Vec<ChunkId> = entries.iter().map(|(key, _, _)| ChunkId::from_bytes(key.id)).collect();
        self.build_pack(&chunks, salt, Care::Chunks).err().unwrap_or(error)
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts objects into a bundle.
pub(in crate::sync) fn build_bundle(view: &View, keys: &[ObjectKey], salt: &Token) -> SyncResult<Parcel> {
    let mut builder = BundleBuilder::default();
    for key in keys {
        builder.push(*key, &object_bytes(view, *key)?)?;
    }
    builder.finish(salt)
}

/// Puts chunks into a pack.
pub(in crate::sync) fn build_pack(
    reader: &ChunkReader,
    chunks: &[ChunkId],
    salt: &Token,
) -> SyncResult<Parcel> {
    fill_pack(PackBuilder::new(PACK_BYTES_EXPECTED), reader, chunks, (salt, Care::Chunks))
}

fn fill_pack(
    mut builder: PackBuilder,
    reader: &ChunkReader,
    chunks: &[ChunkId],
    (salt, care): (&Token, Care),
) -> SyncResult<Parcel> {
    let wanted: HashSet<ChunkId> = chunks.iter().copied().collect();
    let mut gathering = Gathering { reader, care, wanted: &wanted, done: HashSet::new() };
    gathering.gather(chunks, &mut builder, usize::MAX)?;
    Ok(parcel_of(builder.finish(salt)))
}

/// A pack as a parcel.
pub(in crate::sync) fn parcel_of(pack: BuiltPack) -> Parcel {
    let mut entries = Vec::new();
    for block in &pack.blocks {
        let length = block.header.block_length() as u32;
        let records = block.header.records.iter();
        entries.extend(records.map(|record| (ObjectKey::chunk(record.id), block.offset as u32, length)));
    }
    let length = pack.bytes.len() as u64;
    let record = ParcelRecord { id: pack.id, kind: ParcelKind::Pack, length, entries: entries.into() };
    Parcel { record, bytes: pack.bytes }
}

/// Makes jobs out of candidates.
struct Jobs<'s, 'a> {
    sender: &'s Sender<'a>,
    candidates: Candidates<'s>,
    sent: &'s mut SentParcels,
    moved: &'s mut Moved,
    answers: &'s mut Answers,
    ready: VecDeque<Job>,
    chunks: Vec<ChunkId>,
    /// Stored and raw bytes of `chunks`.
    chunk_bytes: (u64, u64),
    keys: Vec<ObjectKey>,
    /// Their raw bytes.
    key_bytes: usize,
    chosen: HashSet<ChunkId>,
    is_over: bool,
}

impl<'s, 'a> Jobs<'s, 'a> {
    fn new(
        sender: &'s Sender<'a>,
        candidates: Candidates<'s>,
        sent: &'s mut SentParcels,
        moved: &'s mut Moved,
        answers: &'s mut Answers,
    ) -> Self {
        Self {
            sender,
            candidates,
            sent,
            moved,
            answers,
            ready: VecDeque::new(),
            chunks: Vec::new(),
            chunk_bytes: (0, 0),
            keys: Vec::new(),
            key_bytes: 0,
            chosen: HashSet::new(),
            is_over: false,
        }
    }

    /// Takes candidates up to the size of a question and makes jobs of those that the remote lacks.
    fn fill(&mut self) -> SyncResult<()> {
        let description = self.sender.description;
        let keys_max =
            if description.is_empty() { UNASKED_KEYS } else { description.limits.keys().min(QUESTION_KEYS) };
        let mut asked: Vec<Candidate> = Vec::new();
        let mut not_here = Vec::new();
        while asked.len() < keys_max {
            match self.candidates.next().transpose()? {
                None => {
                    self.is_over = true;
                    break;
                }
                Some(Step::Candidate(candidate)) => {
                    if self.is_first(&candidate) {
                        asked.push(candidate);
                    }
                }
                Some(Step::FileDone { shared_bytes }) => self.note_shared(1, shared_bytes),
                Some(Step::NotHere(file)) => not_here.push(file),
            }
        }
        self.ask(&asked)?;
        self.check_not_here(&not_here)?;
        while let Some(pack) = self.sent.next_begun() {
            let job = pack.job()?;
            self.ready.push_back(job);
        }
        if self.is_over {
            self.close_pack();
            self.close_bundle();
        }
        Ok(())
    }

    /// Whether a candidate was not met before.
    fn is_first(&mut self, candidate: &Candidate) -> bool {
        if candidate.key.kind != Kind::Chunk {
            return true;
        }
        if self.chosen.len() >= SENT_MAX {
            self.chosen.clear();
        }
        let is_first = self.chosen.insert(ChunkId::from_bytes(candidate.key.id));
        if !is_first {
            self.note_shared(0, u64::from(candidate.chunk_bytes));
        }
        is_first
    }

    fn note_shared(&mut self, files: u64, bytes: u64) {
        self.moved.bytes_shared += bytes;
        self.sender.monitor.advance(Advance { files, bytes, bytes_shared: bytes });
    }

    fn ask(&mut self, asked: &[Candidate]) -> SyncResult<()> {
        let mut open = Vec::new();
        for candidate in asked {
            match self.sent.use_object(&candidate.key)? {
                Some(bytes) => {
                    self.moved.bytes_resumed += bytes;
                    self.note_shared(0, u64::from(candidate.chunk_bytes));
                }
                None => open.push(*candidate),
            }
        }
        let had = if self.sender.description.is_empty() || open.is_empty() {
            vec![false; open.len()]
        } else {
            let keys: Vec<ObjectKey> = open.iter().map(|candidate| candidate.key).collect();
            self.answers.have(self.sender.remote, &keys)?
        };
        for (candidate, had) in open.into_iter().zip(had) {
            if had {
                self.note_shared(0, u64::from(candidate.chunk_bytes));
            } else {
                self.choose(candidate)?;
            }
        }
        Ok(())
    }

    fn choose(&mut self, candidate: Candidate) -> SyncResult<()> {
        if candidate.key.kind != Kind::Chunk {
            self.keys.push(candidate.key);
            self.key_bytes += object_length(self.sender.view, candidate.key)?;
            let bytes_max = BUNDLE_BYTES.min(self.sender.description.limits.parcel_bytes() as usize / 2);
            if self.keys.len() >= BUNDLE_OBJECTS_MAX || self.key_bytes >= bytes_max {
                self.close_bundle();
            }
            return Ok(());
        }
        let id = ChunkId::from_bytes(candidate.key.id);
        let place = self.sender.view.snapshot().chunk_location(id)?;
        let place = place.ok_or(SyncError::NotHere { files: 1 })?;
        // A chunk that shares its block counts with what it would take alone.
        let stored = u64::from(place.block_length.min(place.length + 256));
        let bytes_max = self.sender.description.limits.parcel_bytes() - (1 << 20);
        if self.chunk_bytes.0 + stored > bytes_max || self.chunks.len() >= PACK_CHUNKS_MAX {
            self.close_pack();
        }
        self.chunks.push(id);
        self.chunk_bytes = (self.chunk_bytes.0 + stored, self.chunk_bytes.1 + u64::from(place.length));
        Ok(())
    }

    /// Files whose content is not here are no obstacle when the remote has them.
    fn check_not_here(&self, files: &[crate::sync::walk::NewFile]) -> SyncResult<()> {
        if !self.sender.description.hidden.is_empty() {
            // What is withheld the remote does not own up to. It finds out itself what is missing.
            return Ok(());
        }
        let mut lacking = 0;
        for group in files.chunks(self.sender.description.limits.keys() / 2) {
            let chunk = |file: &crate::sync::walk::NewFile| ObjectKey::chunk(file.id.into());
            let manifest =
                |file: &crate::sync::walk::NewFile| ObjectKey::new(Kind::Manifest, *file.id.as_bytes());
            let keys: Vec<ObjectKey> = group.iter().map(chunk).chain(group.iter().map(manifest)).collect();
            let had = self.sender.remote.have(&keys)?;
            let (chunks, manifests) = had.split_at(group.len());
            let answers = chunks.iter().zip(manifests);
            let open = group.iter().zip(answers).filter(|(_, (chunk, manifest))| !**chunk && !**manifest);
            for (file, _) in open {
                lacking += usize::from(!self.can_be_had(file)?);
            }
        }
        if lacking == 0 { Ok(()) } else { Err(SyncError::NotHere { files: lacking as u64 }) }
    }

    /// Whether the remote gives what a file is put together from, or the file itself where it is one chunk: it
    /// may have what it did not find.
    fn can_be_had(&self, file: &crate::sync::walk::NewFile) -> SyncResult<bool> {
        let remote = self.sender.remote;
        let manifest = ObjectKey::new(Kind::Manifest, *file.id.as_bytes());
        let mut found = false;
        remote.fetch_objects(&[manifest], &mut |bundle| {
            open_bundle(bundle, &mut |received, _, _| {
                found |= received.key == manifest;
                Ok(())
            })
        })?;
        if found || file.size > CHUNK_BYTES_MAX as u64 {
            return Ok(found);
        }
        let came = AtomicBool::new(false);
        remote.fetch_chunks(&[file.id.into()], &|block| {
            let block = OpenBlock::open(block)
                .map_err(|damage| SyncError::Invalid { what: "a block", detail: damage.to_string() })?;
            if block.chunks().any(|(id, _)| id == ChunkId::from(file.id)) {
                came.store(true, Ordering::Relaxed);
            }
            Ok(())
        })?;
        Ok(came.into_inner())
    }

    fn close_pack(&mut self) {
        if !self.chunks.is_empty() {
            let chunks = std::mem::take(&mut self.chunks);
            let (stored_bytes, raw_bytes) = std::mem::take(&mut self.chunk_bytes);
            self.ready.push_back(Job::Pack { chunks, raw_bytes, stored_bytes });
        }
    }

    fn close_bundle(&mut self) {
        if !self.keys.is_empty() {
            let raw_bytes = std::mem::take(&mut self.key_bytes);
            self.ready.push_back(Job::Bundle { keys: std::mem::take(&mut self.keys), raw_bytes });
        }
    }
}

impl Iterator for Jobs<'_, '_> {
    type Item = SyncResult<Job>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(job) = self.ready.pop_front() {
                return Some(Ok(job));
            }
            if self.is_over {
                return None;
            }
            if let Err(error) = self.fill() {
                self.is_over = true;
                return Some(Err(error));
            }
        }
    }
}
