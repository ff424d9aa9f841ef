//! A repository as a remote: what a server does with what it is asked, whatever carries the questions.
//!
//! It believes nobody: packs and bundles are hashed when they are put, a publication is looked
//! through until nothing is missing, files are hashed, and the rules are asked, before a name moves.

mod answers;
mod published;

use crate::base::id::{ChunkId, CommitId, FileId, LogEntryId, PackId};
use crate::base::monitor::SilentMonitor;
use crate::base::time::Timestamp;
use crate::object::set_node::Member;
use crate::repo::partial::KeptRecord;
use crate::repo::refs::{RefKind, RefName, RefTarget};
use crate::repo::sets::{LogSet, SHARED_LOG};
use crate::repo::{Edit, RepoError, Repository};
use crate::store::Space;
use crate::store::parcel::{PackBuilder, pack_blocks};
use crate::sync::accept::{Case, Judge, insist, move_name};
use crate::sync::allowance::unneeded;
use crate::sync::bundle::open_counted;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::incoming::Incoming;
use crate::sync::keep::CloneId;
use crate::sync::listed::Listed;
use crate::sync::logs::{Inbox, LogFound, Nowhere, find_log, take_later, take_sets};
use crate::sync::possession::insist_on_possession;
use crate::sync::push::candidates::{Candidates, Step};
use crate::sync::push::{Care, Gathering};
use crate::sync::readable::Readable;
use crate::sync::receive::Receiver;
use crate::sync::remote::{
    BlockSink, BundleSink, Description, HistoryWants, Kind, Limits, ObjectKey, Parcel, ParcelKind, Proposal,
    Published, RefChange, Remote,
};
use crate::sync::walk::{Found, NewFile, find_new};
use answers::{Answer, add_actor, add_entries_before, add_logs, has, have_of, readable_chunks};
use published::{MARK_KEY, count, note_publication, published_before};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// How much is asked for at a time. Parcels are taken apart: four that are under way come to one pack.
const LIMITS: Limits =
    Limits { keys_max: 1 << 16, chunks_max: 1 << 16, parcel_bytes_max: 8 << 20, connections: 4 };
/// Longest parcel that is taken all the same, in bytes.
const PARCEL_BYTES_MAX: u64 = 32 << 20;
/// Raw length at which an answer is sent on, in bytes.
const ANSWER_BYTES: usize = 8 << 20;
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
    /// When they ask.
    pub now: Timestamp,
    /// Most bytes that they may have put and not published; with `None`, as many as are left free.
    pub pending_max: Option<u64>,
}

impl Caller {
    /// Whoever has the repository's folder at hand anyway.
    pub fn local(now: Timestamp) -> Self {
        Self { name: "local".to_owned(), readable: None, now, pending_max: None }
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
    pub fn new(repository: &'a Repository, judge: &'a dyn Judge, now: Timestamp) -> Self {
        Self::for_caller(repository, judge, Caller::local(now))
    }

    /// The same for somebody in particular.
    pub const fn for_caller(repository: &'a Repository, judge: &'a dyn Judge, caller: Caller) -> Self {
        Self { repository, judge, caller }
    }

    fn incoming(&self) -> Incoming {
        Incoming::of(self.repository.pent_dir(), &self.caller.name, self.caller.pending_max)
    }

    /// Removes what was put long ago and never published; whoever put it has forgotten it by now.
    pub fn forget_old(&self) {
        self.incoming().forget_old();
    }

    fn receiver(&self) -> SyncResult<Receiver<'_>> {
        let inbox = Inbox::for_publication(&self.repository.pent_dir().join("tmp"));
        Receiver::new(self.repository, inbox, &SilentMonitor)
    }

    /// Stores the chunks of a pack and gives their ids. Nothing refers to them before they are published.
    fn take_pack(&self, parcel: &Parcel) -> SyncResult<Vec<ChunkId>> {
        let (id, blocks) = pack_blocks(&parcel.bytes)?;
        if id != parcel.record.id {
            return Err(SyncError::Invalid { what: "a pack", detail: "it is another one".to_owned() });
        }
        let mut receiver = self.receiver()?;
        let mut ids = Vec::new();
        for block in blocks {
            let wanted: HashSet<ChunkId> = block.header.records.iter().map(|record| record.id).collect();
            ids.extend(wanted.iter().copied());
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
        packs.flat_map(|pack| self.incoming().chunks(pack.id)).collect()
    }

    /// Takes in what the parcels have, and insists that nothing is missing or wrong. Gives what came of logs.
    fn receive(&self, proposal: &Proposal) -> SyncResult<Arrived> {
        let mut receiver = self.receiver()?;
        for (number, parcel) in (0..).zip(&proposal.parcels) {
            if parcel.kind == ParcelKind::Bundle {
                // One that is gone has to be sent again, and so has what relied on it.
                let bytes = self.incoming().bundle(parcel.id).map_err(|_| SyncError::Outdated)?;
                receiver.take_parcel(number, &bytes)?;
            }
        }
        let brought = receiver.take_brought();
        receiver.settle()?;
        let named = proposal.changes.iter().filter_map(|change| Some(change.target.as_ref()?.commit));
        let wants: Vec<CommitId> = named.chain(receiver.judged_commits()).collect();
        let found = receiver.find_new(&wants)?;
        if let Some(key) = found.missing.first() {
            return Err(SyncError::Missing { kind: key.kind.name(), id: key.id_text() });
        }
        if let Some(readable) = &self.caller.readable {
            insist_on_possession(&receiver, &found, &self.sent_chunks(proposal), readable)?;
        }
        let files = self.take_files(&mut receiver, &found, proposal)?;
        let view = self.repository.view()?;
        let unneeded = unneeded(&view, &self.incoming(), (&found, &files), (proposal, &brought))?;
        receiver.keep_only(&found.commits);
        let mut edit = self.repository.edit()?;
        receiver.store_commits(&mut edit)?;
        receiver.store_ties(&mut edit, &found)?;
        edit.commit()?;
        let mut inbox = receiver.into_inbox();
        let view = self.repository.view()?;
        let log = match proposal.logs.iter().find(|change| change.name == SHARED_LOG) {
            None => LogFound::Nothing,
            Some(change) => find_log(&view, self.repository.id(), &change.target, &Nowhere, &mut inbox)?,
        };
        let known = self.judge.known(&view, &log)?;
        let sets = (proposal.logs.as_slice(), known.as_ref());
        let later = take_sets(self.repository, self.judge, sets, &mut inbox)?;
        Ok(Arrived { log, later, inbox, unneeded })
    }

    /// Insists that the files of what was found are here and are what they are said to be; gives those whose content
    /// is. What is new is gone through block by block.
    fn take_files(
        &self,
        receiver: &mut Receiver<'_>,
        found: &Found,
        proposal: &Proposal,
    ) -> SyncResult<Listed<NewFile>> {
        let tied = receiver.tied_files(found)?;
        let blocks = || found.files.blocks().chain([Ok(Cow::Borrowed(tied.as_slice()))]);
        let mut erased = Vec::new();
        for files in blocks() {
            let files = files?;
            receiver.check_sizes(&files)?;
            receiver.insist_on_unerased(&files, &|| self.sent_chunks(proposal))?;
            erased.extend(receiver.erased_elsewhere(&files)?);
        }
        receiver.excuse(erased)?;
        let mut taken = Listed::new(Some(&self.repository.pent_dir().join("tmp")));
        for files in blocks() {
            let mut files = files?.into_owned();
            receiver.leave_out_excused(&mut files)?;
            let needed = receiver.needed(&files)?;
            if let Some(key) = needed.objects.first() {
                return Err(SyncError::Missing { kind: key.kind.name(), id: key.id_text() });
            }
            if let Some(chunk) = needed.chunks.block(0)?.and_then(|chunks| chunks.first().copied()) {
                return Err(SyncError::Missing { kind: "chunk", id: chunk.to_string() });
            }
            if let Some(file) = receiver.confirm(&files)?.first() {
                let detail = format!("its chunks are not file {}", file.id);
                return Err(SyncError::Invalid { what: "a manifest", detail });
            }
            files.into_iter().for_each(|file| taken.push(file));
        }
        Ok(taken)
    }

    fn move_names(&self, proposal: &Proposal, arrived: &Arrived) -> SyncResult<Published> {
        let log = &arrived.log;
        let view = self.repository.view()?;
        let case = Case { remote: None, changes: &proposal.changes, log };
        let decision = self.judge.judge(&view, &case)?;
        if let Some(problem) = decision.problem {
            return Err(SyncError::LogRefused(problem));
        }
        insist(&decision)?;
        let mut edit = self.repository.edit()?;
        // Whoever begins to write is alone: what was judged has to be what is there now.
        let now = self.repository.view()?;
        if let Some(published) = published_before(&now, &proposal.token)? {
            return Ok(published);
        }
        if now.log_head()? != view.log_head()? {
            return Err(SyncError::LogMoved { name: SHARED_LOG.to_owned() });
        }
        let before = count(&now, MARK_KEY)?;
        if let Some(keep) = decision.keep {
            keep(&mut edit).map_err(log_moved)?;
        }
        for change in &proposal.changes {
            insist_on_no_worktree(&edit, change)?;
            let (expected, target) = (change.expected, change.target.clone());
            let moved = move_name(&mut edit, decision.recorded.as_ref(), &change.name, expected, target);
            moved.map_err(|error| refusal(error, &change.name))?;
        }
        let mark = before + 1;
        note_publication(&mut edit, &proposal.token, mark)?;
        edit.commit()?;
        for parcel in &proposal.parcels {
            if arrived.unneeded.contains(&parcel.id) {
                self.incoming().empty(parcel.id, parcel.kind);
            } else {
                self.incoming().forget(parcel.id, parcel.kind);
            }
        }
        Ok(Published { mark, follows: Some(before) })
    }
}

/// What a publication brought beside content and history.
struct Arrived {
    log: LogFound,
    /// Members of sets that the policy has a say in.
    later: Vec<(LogSet, Vec<Member>)>,
    inbox: Inbox,
    /// Parcels that brought nothing to speak of.
    unneeded: HashSet<PackId>,
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

fn refusal(error: RepoError, name: &RefName) -> SyncError {
    match error {
        RepoError::RefMoved { name, expected, actual } => SyncError::Moved { name, expected, actual },
        RepoError::Protected { .. } | RepoError::NotAuthorised { .. } => {
            SyncError::Refused { name: name.clone(), reasons: vec![error.to_string()] }
        }
        error => error.into(),
    }
}

fn log_moved(error: RepoError) -> SyncError {
    match error {
        RepoError::LogMoved => SyncError::LogMoved { name: SHARED_LOG.to_owned() },
        error => error.into(),
    }
}

impl Remote for ServedRemote<'_> {
    fn describe(&self) -> SyncResult<Description> {
        self.repository.settle_sets()?;
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
            logs: view.log_heads()?,
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
        let folder = self.repository.pent_dir().join("tmp");
        let found = find_new(&view, &wants.wants, &wants.haves, Some(&folder), &|| false)?;
        let mut answer = Answer::new(&view, sink);
        for step in Candidates::new(&view, &found) {
            if let Step::Candidate(candidate) = step?
                && candidate.key.kind != Kind::Chunk
            {
                answer.add(candidate.key)?;
            }
        }
        add_logs(&view, wants, &mut answer)?;
        answer.send()
    }

    fn fetch_objects(&self, keys: &[ObjectKey], sink: &mut BundleSink<'_>) -> SyncResult<()> {
        let view = self.repository.view()?;
        let mut answer = Answer::new(&view, sink);
        for key in keys.iter().filter(|key| key.kind != Kind::Chunk) {
            if has(&view, key)? {
                answer.add(*key)?;
                add_actor(&view, *key, &mut answer)?;
            }
        }
        if let [ObjectKey { kind: Kind::LogEntry, id }] = keys {
            add_entries_before(&view, LogEntryId::from_bytes(*id), &mut answer)?;
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
        // Whoever asked compares every chunk that comes.
        let mut gathering =
            Gathering { reader: &reader, care: Care::Header, wanted: &wanted, done: HashSet::new() };
        let mut rest = known.as_slice();
        let mut memory = Vec::new();
        while !rest.is_empty() {
            let mut builder = PackBuilder::reusing(memory);
            let taken = gathering.gather(rest, &mut builder, ANSWER_BYTES)?;
            rest = &rest[taken..];
            let (bytes, blocks) = builder.into_blocks();
            for block in &blocks {
                let start = block.offset as usize;
                sink(&bytes[start..start + block.header.block_length() as usize])?;
            }
            memory = bytes;
        }
        Ok(())
    }

    fn put(&self, parcel: &Parcel) -> SyncResult<()> {
        if parcel.bytes.len() as u64 > PARCEL_BYTES_MAX {
            let detail = format!("it has {} bytes", parcel.bytes.len());
            return Err(SyncError::Invalid { what: "a parcel", detail });
        }
        let (incoming, id, length) = (self.incoming(), parcel.record.id, parcel.bytes.len() as u64);
        if incoming.has(id, parcel.record.kind) {
            return Ok(());
        }
        match parcel.record.kind {
            ParcelKind::Pack => {
                incoming.insist_on_room(length)?;
                let chunks = self.take_pack(parcel)?;
                incoming.hold_pack(id, &chunks, length)
            }
            ParcelKind::Bundle => {
                // What it unpacks to is what it costs.
                let raw = open_counted(&parcel.bytes, &mut |_, _, _| Ok(()))?;
                incoming.insist_on_room(raw.max(length))?;
                incoming.hold_bundle(id, &parcel.bytes, raw)
            }
        }
    }

    fn holds(&self, parcels: &[(PackId, ParcelKind)]) -> SyncResult<Vec<bool>> {
        let incoming = self.incoming();
        Ok(parcels.iter().map(|(id, kind)| incoming.has(*id, *kind)).collect())
    }

    fn clock_ms(&self) -> SyncResult<Option<i64>> {
        Ok(Some(self.caller.now.unix_ms))
    }

    fn publish(&self, proposal: &Proposal) -> SyncResult<Published> {
        let view = self.repository.view()?;
        if let Some(change) = proposal.changes.iter().find(|change| change.name.kind() == RefKind::Remote) {
            let detail = format!("{} is nobody else's to move", change.name);
            return Err(SyncError::Invalid { what: "a proposal", detail });
        }
        if let Some(published) = published_before(&view, &proposal.token)? {
            return Ok(published);
        }
        if count(&view, EPOCH_KEY)? != proposal.epoch {
            return Err(SyncError::Outdated);
        }
        let heads = view.log_heads()?;
        let is_known = |name: &str| name == SHARED_LOG || LogSet::named(name).is_some();
        if let Some(change) = proposal.logs.iter().find(|change| !is_known(&change.name)) {
            let detail = format!("there is no log called {:?}", change.name);
            return Err(SyncError::Invalid { what: "a publication", detail });
        }
        if let Some(change) = proposal.logs.iter().find(|log| heads.get(&log.name) != log.expected.as_ref()) {
            return Err(SyncError::LogMoved { name: change.name.clone() });
        }
        for change in &proposal.changes {
            let actual = view.reference(&change.name)?.map(|target| target.commit);
            if actual != change.expected {
                let (name, expected) = (change.name.clone(), change.expected);
                return Err(SyncError::Moved { name, expected, actual });
            }
        }
        let mut arrived = match self.receive(proposal) {
            // What was promised is gone, or has what is not taken: have it all sent again.
            Err(error @ (SyncError::Missing { .. } | SyncError::TurnedDown { .. })) => {
                for parcel in &proposal.parcels {
                    self.incoming().empty(parcel.id, parcel.kind);
                }
                return Err(error);
            }
            received => received?,
        };
        let published = self.move_names(proposal, &arrived)?;
        take_later(self.repository, self.judge, &arrived.later, &mut arrived.inbox)?;
        Ok(published)
    }

    fn keep(&self, clone: &CloneId, commits: &[CommitId]) -> SyncResult<()> {
        let view = self.repository.view()?;
        let mut known = BTreeSet::new();
        for commit in commits {
            if view.snapshot().contains(Space::Commits, commit.as_bytes())? {
                known.insert(*commit);
            }
        }
        let record = KeptRecord { commits: known, told_ms: self.caller.now.unix_ms };
        let mut edit = self.repository.edit()?;
        if !edit.keep_for_clone(&self.caller.name, clone, &record)? {
            let detail = "it keeps what a great many clones of yours rely on already".to_owned();
            return Err(SyncError::TurnedDown { what: "one clone more".to_owned(), detail });
        }
        Ok(edit.commit()?)
    }
}
