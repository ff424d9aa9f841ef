//! The contract of all remotes.
//!
//! A remote holds history and content of one repository, and the names that point into it. What it
//! promises, whatever its form:
//!
//! 1. **Complete.** Everything that a name reaches is there, and so is, until the epoch changes, whatever
//!    [`Remote::have`] says it has; a commit with all that it reaches.
//! 2. **Content first, names last.** [`Remote::put`] makes a parcel durable and shows it to nobody.
//!    [`Remote::publish`] makes the parcels' objects part of the remote and moves names and heads of
//!    logs, all of it at once or nothing, each only if it still is where the caller believes.
//! 3. **Repeatable.** Every method may be called again after an error. A parcel that was put twice is
//!    there once; a proposal that was published and whose answer was lost is not published twice.
//! 4. **Bounded.** Questions and answers keep to [`Limits`]; whoever sends more is refused.
//! 5. **Believed by nobody.** The caller hashes what comes; a remote with a program of its own hashes
//!    what it is sent, and judges names by the rules that hold there.
//!
//! What a remote need not do: keep order among parcels, find *every* object that it has (saying "no"
//! costs bytes only), or know more than one caller.
//!
//! `docs/protocol.md` has the bytes; `tests/suite/remote_contract` is the contract as a program.

use crate::base::id::{ChunkId, CommitId, FileId, PackId, RepositoryId};
use crate::object::chunker::ChunkerParameters;
use crate::repo::refs::{RefName, RefTarget};
use crate::repo::sets::member_kind;
use crate::rules::pattern::Pattern;
use crate::store::bucket::head::Token;
use crate::store::bucket::index::IndexKey;
use crate::sync::entries::Entries;
use crate::sync::error::SyncResult;
use crate::sync::keep::CloneId;
use std::collections::BTreeMap;

/// Kinds of objects. The numbers stand in bundles and index files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A chunk of content.
    Chunk,
    /// A commit.
    Commit,
    /// A directory or a node of a large one.
    Tree,
    /// An asset's metadata.
    Metadata,
    /// A node of a manifest.
    ManifestNode,
    /// A manifest, by file id.
    Manifest,
    /// A person's record.
    Person,
    /// An entry of the shared log with its signature.
    LogEntry,
    /// A node of a set.
    SetNode,
    /// A signed header of the review log.
    Action,
    /// The words of an action.
    ActionBody,
    /// A list of transitions.
    TransitionList,
    /// A signed permission to erase the words of an action.
    WordsErasure,
    /// A signature of a commit.
    CommitSignature,
    /// A policy link that waits for signatures.
    PolicyProposal,
    /// The Git commit that a commit was made from.
    GitCommit,
    /// A Git tag, or a Git blob that nothing else tells.
    GitObject,
    /// What of a Git tree does not follow from the tree here.
    GitTreeForm,
    /// The hash by which Git LFS knows a file.
    LfsDigest,
    /// The file that foreign content was found to be.
    Tie,
    /// That a file was erased before anybody else had it, and why.
    Tombstone,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 21] = [
        Self::Chunk,
        Self::Commit,
        Self::Tree,
        Self::Metadata,
        Self::ManifestNode,
        Self::Manifest,
        Self::Person,
        Self::LogEntry,
        Self::SetNode,
        Self::Action,
        Self::ActionBody,
        Self::TransitionList,
        Self::WordsErasure,
        Self::CommitSignature,
        Self::PolicyProposal,
        Self::GitCommit,
        Self::GitObject,
        Self::GitTreeForm,
        Self::LfsDigest,
        Self::Tie,
        Self::Tombstone,
    ];

    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Chunk => 0,
            Self::Commit => 1,
            Self::Tree => 2,
            Self::Metadata => 3,
            Self::ManifestNode => 4,
            Self::Manifest => 5,
            Self::Person => 6,
            Self::LogEntry => 7,
            Self::SetNode => 8,
            Self::Action => member_kind::ACTION,
            Self::ActionBody => 10,
            Self::TransitionList => 11,
            Self::WordsErasure => member_kind::WORDS_ERASURE,
            Self::CommitSignature => member_kind::COMMIT_SIGNATURE,
            Self::PolicyProposal => member_kind::POLICY_PROPOSAL,
            Self::GitCommit => 16,
            Self::GitObject => 17,
            Self::GitTreeForm => 18,
            Self::LfsDigest => 19,
            Self::Tie => 20,
            Self::Tombstone => 21,
        }
    }

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// Whether it is part of a log: kept apart until it was looked at as what it is.
    pub const fn is_of_logs(self) -> bool {
        self.number() >= Self::LogEntry.number() && self.number() < Self::GitCommit.number()
    }

    /// What it is called in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chunk => "chunk",
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Metadata => "metadata",
            Self::ManifestNode => "manifest node",
            Self::Manifest => "manifest",
            Self::Person => "person",
            Self::LogEntry => "entry of the shared log",
            Self::SetNode => "node of a set",
            Self::Action => "action of the review log",
            Self::ActionBody => "the words of an action",
            Self::TransitionList => "list of transitions",
            Self::WordsErasure => "permission to erase words",
            Self::CommitSignature => "signature of a commit",
            Self::PolicyProposal => "proposed policy",
            Self::GitCommit => "Git commit",
            Self::GitObject => "Git object",
            Self::GitTreeForm => "Git tree form",
            Self::LfsDigest => "Git LFS digest",
            Self::Tie => "tie of foreign content",
            Self::Tombstone => "tombstone",
        }
    }
}

/// Names one object: its kind and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The kind.
    pub kind: Kind,
    /// The id.
    pub id: [u8; 32],
}

impl ObjectKey {
    /// Names an object.
    pub const fn new(kind: Kind, id: [u8; 32]) -> Self {
        Self { kind, id }
    }

    /// Names a chunk.
    pub const fn chunk(id: ChunkId) -> Self {
        Self { kind: Kind::Chunk, id: *id.as_bytes() }
    }

    /// As it stands in an index file.
    pub const fn index_key(&self) -> IndexKey {
        IndexKey { id: self.id, kind: self.kind.number() }
    }

    /// The id as text.
    pub fn id_text(&self) -> String {
        ChunkId::from_bytes(self.id).to_string()
    }
}

/// How much a remote takes at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most keys of one question.
    pub keys_max: usize,
    /// Most chunks of one request.
    pub chunks_max: usize,
    /// Longest parcel in bytes.
    pub parcel_bytes_max: u64,
    /// Requests that may run at a time.
    pub connections: usize,
}

impl Limits {
    /// Keys of one question, of a remote that may say anything: two at least.
    pub fn keys(&self) -> usize {
        self.keys_max.clamp(2, 1 << 20)
    }

    /// Chunks of one request, likewise.
    pub fn chunks(&self) -> usize {
        self.chunks_max.clamp(1, 1 << 20)
    }

    /// Bytes of a parcel, likewise: what the longest block takes at least, and no more than a pack has as a rule. Several
    /// are in memory at a time.
    pub fn parcel_bytes(&self) -> u64 {
        self.parcel_bytes_max.clamp(4 << 20, 32 << 20)
    }

    /// Requests at a time, likewise.
    pub fn connections(&self) -> usize {
        self.connections.clamp(1, 64)
    }
}

/// What a remote says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Names the repository and all its clones.
    pub repository: RepositoryId,
    /// How content is cut there.
    pub chunker: ChunkerParameters,
    /// Rises whenever the remote drops objects.
    pub epoch: u64,
    /// A place in the remote's own past; given back with the next fetch, it says what is known.
    pub mark: u64,
    /// Where names point.
    pub refs: BTreeMap<RefName, RefTarget>,
    /// Heads of logs by name: `shared` for the shared log, then those of the sets
    /// ([`LogSet`](crate::repo::sets::LogSet)). A log with nothing in it has none.
    pub logs: BTreeMap<String, Vec<u8>>,
    /// How much it takes at a time.
    pub limits: Limits,
    /// Paths whose content is withheld from whoever asks; their names and ids are not.
    pub hidden: Vec<Pattern>,
}

impl Description {
    /// Whether nothing was ever published there.
    pub fn is_empty(&self) -> bool {
        self.mark == 0
    }
}

/// What history a fetch wants. A remote may send more; what it does not send is asked for by key.
#[derive(Debug, Clone, Default)]
pub struct HistoryWants {
    /// Commits that are wanted with all that they reach, content left out.
    pub wants: Vec<CommitId>,
    /// Commits that the caller has with all that they reach.
    pub haves: Vec<CommitId>,
    /// The mark of the description that the caller saw when it last fetched everything.
    pub since: Option<u64>,
    /// Heads of logs that the caller has all of. What a remote has beyond them may come along.
    pub logs: BTreeMap<String, Vec<u8>>,
}

/// What a parcel holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParcelKind {
    /// A sealed pack of chunks.
    Pack,
    /// A bundle of objects.
    Bundle,
}

impl ParcelKind {
    /// Its number in index files.
    pub const fn number(self) -> u8 {
        match self {
            Self::Pack => 0,
            Self::Bundle => 1,
        }
    }

    /// The kind with this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Pack),
            1 => Some(Self::Bundle),
            _ => None,
        }
    }
}

/// What is in a parcel, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParcelRecord {
    /// Names it; follows from its content.
    pub id: PackId,
    /// What it holds.
    pub kind: ParcelKind,
    /// Its length in bytes.
    pub length: u64,
    /// Its objects.
    pub entries: Entries,
}

/// A parcel on its way.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// What is in it.
    pub record: ParcelRecord,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A name that is to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefChange {
    /// The name.
    pub name: RefName,
    /// Where the caller believes that it points.
    pub expected: Option<CommitId>,
    /// Where it is to point; `None` removes it.
    pub target: Option<RefTarget>,
}

/// The head of a log that is to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChange {
    /// The log.
    pub name: String,
    /// The head that the caller believes it has; `None` where there is nothing.
    pub expected: Option<Vec<u8>>,
    /// The head that it is to have.
    pub target: Vec<u8>,
}

/// What is to become part of the remote.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The epoch in which the remote was asked what it has.
    pub epoch: u64,
    /// Names this publication: random bytes, the same in every attempt.
    pub token: Token,
    /// The parcels, which were put before.
    pub parcels: Vec<ParcelRecord>,
    /// The names.
    pub changes: Vec<RefChange>,
    /// The heads of logs, which move together with the names.
    pub logs: Vec<LogChange>,
}

/// What was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The remote's mark afterwards.
    pub mark: u64,
    /// The mark before, if nobody else published in between.
    pub follows: Option<u64>,
}

/// Takes bundles as they arrive.
pub type BundleSink<'a> = dyn FnMut(&[u8]) -> SyncResult<()> + 'a;
/// Takes blocks of packs as they arrive, from several threads.
pub type BlockSink<'a> = dyn Fn(&[u8]) -> SyncResult<()> + Sync + 'a;

/// A place that others can push to and fetch from. See the promises at the top of this module.
/// Callable from several threads.
pub trait Remote: Send + Sync {
    /// What the remote is and where its names point: one round trip.
    fn describe(&self) -> SyncResult<Description>;

    /// Which of these objects it has, in their order: at most [`Limits::keys_max`]. One round trip, or
    /// none. "Yes" holds as long as the epoch stays; for a commit, it holds for all that it reaches.
    fn have(&self, keys: &[ObjectKey]) -> SyncResult<Vec<bool>>;

    /// Sends bundles with the objects, chunks apart, that lead to what is wanted: round trips in
    /// proportion to the publications since, at most.
    fn fetch_history(&self, wants: &HistoryWants, sink: &mut BundleSink<'_>) -> SyncResult<()>;

    /// Sends bundles that have these objects: at most [`Limits::keys_max`]. Others may come along;
    /// an object that is not there is left out.
    fn fetch_objects(&self, keys: &[ObjectKey], sink: &mut BundleSink<'_>) -> SyncResult<()>;

    /// Sends blocks that have these chunks: at most [`Limits::chunks_max`]. Others may come along;
    /// a chunk that is not there is left out.
    fn fetch_chunks(&self, chunks: &[ChunkId], sink: &BlockSink<'_>) -> SyncResult<()>;

    /// The same, for chunks that belong to these files: a remote that withholds the content of some
    /// paths hands out chunks of files only that are named and may be read.
    fn fetch_chunks_of(&self, files: &[FileId], chunks: &[ChunkId], sink: &BlockSink<'_>) -> SyncResult<()> {
        let _ = files;
        self.fetch_chunks(chunks, sink)
    }

    /// Takes a parcel and makes it durable; nobody sees it before it is published.
    fn put(&self, parcel: &Parcel) -> SyncResult<()>;

    /// Whether a program at the other end compares every chunk of a pack with its id before it keeps any of it.
    fn compares_chunks(&self) -> bool {
        false
    }

    /// Whether a pack of so many bytes that was cut off on its way there is gone on with when it is put again.
    fn goes_on(&self, length: u64) -> bool {
        let _ = length;
        false
    }

    /// Which of these parcels it still has from earlier attempts, in their order.
    fn holds(&self, parcels: &[(PackId, ParcelKind)]) -> SyncResult<Vec<bool>>;

    /// What time it is there, in milliseconds since 1970; `None` where nobody can say.
    fn clock_ms(&self) -> SyncResult<Option<i64>> {
        Ok(None)
    }

    /// Makes parcels part of the remote and moves names and heads of logs: all or nothing.
    ///
    /// # Errors
    /// [`SyncError::Moved`](crate::sync::SyncError::Moved) when a name points elsewhere,
    /// [`SyncError::LogMoved`](crate::sync::SyncError::LogMoved) when a log has another head,
    /// [`SyncError::Outdated`](crate::sync::SyncError::Outdated) when the epoch changed,
    /// [`SyncError::Refused`](crate::sync::SyncError::Refused) when the rules there forbid it.
    fn publish(&self, proposal: &Proposal) -> SyncResult<Published>;

    /// Has all that these commits reach stay for [`KEPT_FOR`](crate::sync::keep::KEPT_FOR), whatever
    /// becomes of names: the clone relies on it and does not have it. Takes the place of what the clone
    /// said before. A remote that keeps all it ever had need not take note.
    fn keep(&self, clone: &CloneId, commits: &[CommitId]) -> SyncResult<()> {
        let _ = (clone, commits);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_number_of_its_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind.number()), Some(kind));
        }
        assert_eq!(Kind::from_number(200), None);
    }
}
