//! Requests: what is asked of a remote, as bytes.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::{ChunkId, CommitId, FileId, PackId, RepositoryId};
use crate::object::chunker::{ChunkerId, ChunkerParameters};
use crate::repo::refs::{RefKind, RefName, RefTarget};
use crate::store::bucket::head::Token;
use crate::sync::entries::Entries;
use crate::sync::keep::{self, CloneId};
use crate::sync::remote::{
    HistoryWants, Kind, LogChange, ObjectKey, Parcel, ParcelKind, ParcelRecord, Proposal, RefChange,
};
use std::collections::BTreeMap;

const VERSION: u8 = 1;
/// Most keys, chunks or parcels of one question.
pub const KEYS_MAX: usize = 1 << 16;
/// Most commits that somebody says to have or to want.
pub const COMMITS_MAX: usize = 1 << 16;
/// Most names that move at once.
pub const CHANGES_MAX: usize = 1 << 14;
/// Most parcels of one publication.
pub const PARCELS_MAX: usize = 1 << 20;
/// Longest name of a branch or tag as it is stored, in bytes.
pub const NAME_BYTES_MAX: usize = 512;
/// Longest place that a name points to, with the words of a tag, in bytes.
pub const TARGET_BYTES_MAX: usize = 1 << 17;
/// Most heads of logs, and the longest name and value of one, in bytes.
pub const LOGS_MAX: usize = 1 << 8;
const LOG_NAME_BYTES_MAX: usize = 256;
const LOG_HEAD_BYTES_MAX: usize = 1 << 10;
/// Longest parcel in bytes.
pub const PARCEL_BYTES_MAX: usize = 33 << 20;

/// What a request is about; each needs one permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// What the remote is and where its names point.
    Describe,
    /// Which objects it has.
    Have,
    /// The objects that lead from what is had to what is wanted.
    History,
    /// Objects by key.
    Objects,
    /// Chunks by id.
    Chunks,
    /// Takes a parcel.
    Put,
    /// Which parcels it has from earlier attempts.
    Holds,
    /// Makes parcels part of it and moves names and heads of logs.
    Publish,
    /// Begins a repository where none is.
    Begin,
    /// Has what a clone relies on stay.
    Keep,
    /// What time it is there.
    Clock,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Describe,
        Self::Have,
        Self::History,
        Self::Objects,
        Self::Chunks,
        Self::Put,
        Self::Holds,
        Self::Publish,
        Self::Begin,
        Self::Keep,
        Self::Clock,
    ];

    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Describe => 1,
            Self::Have => 2,
            Self::History => 3,
            Self::Objects => 4,
            Self::Chunks => 5,
            Self::Put => 6,
            Self::Holds => 7,
            Self::Publish => 8,
            Self::Begin => 9,
            Self::Keep => 10,
            Self::Clock => 11,
        }
    }

    /// The verb with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.number() == number)
    }

    /// Its word, as it stands in the paths of HTTP.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Have => "have",
            Self::History => "history",
            Self::Objects => "objects",
            Self::Chunks => "chunks",
            Self::Put => "put",
            Self::Holds => "holds",
            Self::Publish => "publish",
            Self::Begin => "begin",
            Self::Keep => "keep",
            Self::Clock => "clock",
        }
    }

    /// Longest request in bytes, its frame's header left out.
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Describe | Self::Begin | Self::Clock => 256,
            Self::Have | Self::Objects => 16 + KEYS_MAX * 33,
            Self::Holds => 16 + KEYS_MAX * 17,
            Self::Chunks => 32 + 2 * KEYS_MAX * 32,
            Self::History => {
                64 + 2 * COMMITS_MAX * 32 + LOGS_MAX * (LOG_NAME_BYTES_MAX + LOG_HEAD_BYTES_MAX + 8)
            }
            Self::Keep => 64 + keep::COMMITS_MAX * 32,
            Self::Put => PARCEL_BYTES_MAX + 64,
            Self::Publish => 32 << 20,
        }
    }
}

/// Names an object whose kind this program need not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireKey {
    /// The number of its kind.
    pub kind: u8,
    /// Its id.
    pub id: [u8; 32],
}

impl WireKey {
    /// The key, if the kind is known here.
    pub fn known(&self) -> Option<ObjectKey> {
        Kind::from_number(self.kind).map(|kind| ObjectKey::new(kind, self.id))
    }
}

impl From<ObjectKey> for WireKey {
    fn from(key: ObjectKey) -> Self {
        Self { kind: key.kind.number(), id: key.id }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub enum Request {
    /// What the remote is and where its names point.
    Describe,
    /// Which of these objects it has.
    Have { keys: Vec<WireKey> },
    /// Objects that lead from what is had to what is wanted.
    History { wants: HistoryWants },
    /// These objects.
    Objects { keys: Vec<WireKey> },
    /// These chunks, of these files.
    Chunks { files: Vec<FileId>, ids: Vec<ChunkId> },
    /// Takes a parcel.
    Put { kind: ParcelKind, id: PackId, bytes: Vec<u8> },
    /// Which of these parcels it has.
    Holds { parcels: Vec<(PackId, ParcelKind)> },
    /// Makes parcels part of it and moves names and heads of logs.
    Publish { proposal: Proposal },
    /// Begins a repository.
    Begin { repository: RepositoryId, chunker: ChunkerParameters },
    /// Has what these commits reach stay, for a clone.
    Keep { clone: CloneId, commits: Vec<CommitId> },
    /// What time it is there.
    Clock,
}

impl Request {
    /// What it is about.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Describe => Verb::Describe,
            Self::Have { .. } => Verb::Have,
            Self::History { .. } => Verb::History,
            Self::Objects { .. } => Verb::Objects,
            Self::Chunks { .. } => Verb::Chunks,
            Self::Put { .. } => Verb::Put,
            Self::Holds { .. } => Verb::Holds,
            Self::Publish { .. } => Verb::Publish,
            Self::Begin { .. } => Verb::Begin,
            Self::Keep { .. } => Verb::Keep,
            Self::Clock => Verb::Clock,
        }
    }

    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Describe => begin(Verb::Describe).finish(),
            Self::Clock => begin(Verb::Clock).finish(),
            Self::Have { keys } => encode_keys(Verb::Have, keys),
            Self::Objects { keys } => encode_keys(Verb::Objects, keys),
            Self::History { wants } => encode_history(wants),
            Self::Chunks { files, ids } => encode_chunks(files, ids),
            Self::Put { kind, id, bytes } => encode_put(*kind, *id, bytes),
            Self::Holds { parcels } => {
                let mut out = begin(Verb::Holds);
                out.uint(parcels.len() as u64);
                for (id, kind) in parcels {
                    out.raw(id.as_bytes()).u8(kind.number());
                }
                out.finish()
            }
            Self::Publish { proposal } => encode_publish(proposal),
            Self::Begin { repository, chunker } => {
                let mut out = begin(Verb::Begin);
                out.raw(repository.as_bytes()).raw(chunker.id().as_bytes());
                out.finish()
            }
            Self::Keep { clone, commits } => encode_keep(clone, commits),
        }
    }

    /// Reads a request that begins at `start`. A parcel stays in the memory in which it came: copying it costs as
    /// much as hashing it.
    pub fn take(mut bytes: Vec<u8>, start: usize) -> Result<Self, DecodeError> {
        let request = bytes.get(start..).unwrap_or_default();
        if verb_of(request) != Some(Verb::Put) {
            return Self::decode(request);
        }
        let mut input = Decoder::new("request", request);
        input.version(VERSION)?;
        input.u8()?;
        let (kind, id, parcel) = decode_put(&mut input)?;
        let length = parcel.len();
        input.finish()?;
        bytes.drain(..bytes.len() - length);
        Ok(Self::Put { kind, id, bytes })
    }

    /// Reads exactly what [`Request::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("request", bytes);
        input.version(VERSION)?;
        let number = input.u8()?;
        let verb = Verb::from_number(number).ok_or_else(|| input.error(DecodeErrorKind::Tag))?;
        let request = match verb {
            Verb::Describe => Self::Describe,
            Verb::Clock => Self::Clock,
            Verb::Have => Self::Have { keys: decode_keys(&mut input)? },
            Verb::Objects => Self::Objects { keys: decode_keys(&mut input)? },
            Verb::History => Self::History { wants: decode_history(&mut input)? },
            Verb::Chunks => {
                let files = decode_ids(&mut input, KEYS_MAX)?.into_iter().map(FileId::from_bytes);
                let ids = decode_ids(&mut input, KEYS_MAX)?.into_iter().map(ChunkId::from_bytes);
                Self::Chunks { files: files.collect(), ids: ids.collect() }
            }
            Verb::Put => {
                let (kind, id, bytes) = decode_put(&mut input)?;
                Self::Put { kind, id, bytes: bytes.to_vec() }
            }
            Verb::Holds => {
                let mut parcels = Vec::new();
                for _ in 0..input.count(KEYS_MAX)? {
                    let id = PackId::from_bytes(input.array()?);
                    parcels.push((id, parcel_kind(&mut input)?));
                }
                Self::Holds { parcels }
            }
            Verb::Publish => Self::Publish { proposal: decode_publish(&mut input)? },
            Verb::Begin => {
                let repository = RepositoryId::from_bytes(input.array()?);
                let chunker = ChunkerParameters::decode(input.raw(ChunkerId::SIZE)?)?;
                Self::Begin { repository, chunker }
            }
            Verb::Keep => {
                let clone = input.array()?;
                let commits = decode_ids(&mut input, keep::COMMITS_MAX)?;
                Self::Keep { clone, commits: commits.into_iter().map(CommitId::from_bytes).collect() }
            }
        };
        input.finish()?;
        Ok(request)
    }
}

/// The verb of an encoded request.
pub fn verb_of(bytes: &[u8]) -> Option<Verb> {
    match bytes {
        [VERSION, number, ..] => Verb::from_number(*number),
        _ => None,
    }
}

fn begin(verb: Verb) -> Encoder {
    let mut out = Encoder::with_version(VERSION);
    out.u8(verb.number());
    out
}

fn encode_keys(verb: Verb, keys: &[WireKey]) -> Vec<u8> {
    let mut out = begin(verb);
    out.uint(keys.len() as u64);
    for key in keys {
        out.u8(key.kind).raw(&key.id);
    }
    out.finish()
}

fn decode_keys(input: &mut Decoder<'_>) -> Result<Vec<WireKey>, DecodeError> {
    let mut keys = Vec::new();
    for _ in 0..input.count(KEYS_MAX)? {
        keys.push(WireKey { kind: input.u8()?, id: input.array()? });
    }
    Ok(keys)
}

fn decode_ids(input: &mut Decoder<'_>, max: usize) -> Result<Vec<[u8; 32]>, DecodeError> {
    let mut ids = Vec::new();
    for _ in 0..input.count(max)? {
        ids.push(input.array()?);
    }
    Ok(ids)
}

fn encode_history(wants: &HistoryWants) -> Vec<u8> {
    let mut out = begin(Verb::History);
    for list in [&wants.wants, &wants.haves] {
        out.uint(list.len() as u64);
        for id in list {
            out.raw(id.as_bytes());
        }
    }
    match wants.since {
        None => out.u8(0),
        Some(mark) => out.u8(1).uint(mark),
    };
    encode_logs(&mut out, &wants.logs);
    out.finish()
}

fn decode_history(input: &mut Decoder<'_>) -> Result<HistoryWants, DecodeError> {
    let commits = |ids: Vec<[u8; 32]>| ids.into_iter().map(CommitId::from_bytes).collect();
    let wants = commits(decode_ids(input, COMMITS_MAX)?);
    let haves = commits(decode_ids(input, COMMITS_MAX)?);
    let since = if flag(input)? { Some(input.uint()?) } else { None };
    let logs = decode_logs(input)?;
    Ok(HistoryWants { wants, haves, since, logs })
}

/// Heads of logs, sorted by name.
pub(super) fn encode_logs(out: &mut Encoder, logs: &BTreeMap<String, Vec<u8>>) {
    out.uint(logs.len() as u64);
    for (name, head) in logs {
        out.bytes(name.as_bytes()).bytes(head);
    }
}

pub(super) fn decode_logs(input: &mut Decoder<'_>) -> Result<BTreeMap<String, Vec<u8>>, DecodeError> {
    let mut logs = BTreeMap::new();
    for _ in 0..input.count(LOGS_MAX)? {
        let (name, head) = (decode_log_name(input)?, decode_head(input)?);
        insert_next(input, &mut logs, name, head)?;
    }
    Ok(logs)
}

pub(super) fn decode_log_name(input: &mut Decoder<'_>) -> Result<String, DecodeError> {
    input.text(LOG_NAME_BYTES_MAX).map(str::to_owned)
}

fn decode_head(input: &mut Decoder<'_>) -> Result<Vec<u8>, DecodeError> {
    input.bytes(LOG_HEAD_BYTES_MAX).map(<[u8]>::to_vec)
}

/// Entries stand in their order, each once.
pub(super) fn insert_next<K: Ord, V>(
    input: &Decoder<'_>,
    map: &mut BTreeMap<K, V>,
    key: K,
    value: V,
) -> Result<(), DecodeError> {
    if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
        return Err(input.error(DecodeErrorKind::Order));
    }
    map.insert(key, value);
    Ok(())
}

/// The bytes of a request that says what a clone relies on.
pub fn encode_keep(clone: &CloneId, commits: &[CommitId]) -> Vec<u8> {
    let mut out = begin(Verb::Keep);
    out.raw(clone).uint(commits.len() as u64);
    for commit in commits {
        out.raw(commit.as_bytes());
    }
    out.finish()
}

/// The bytes of a question for chunks.
pub fn encode_chunks(files: &[FileId], ids: &[ChunkId]) -> Vec<u8> {
    let mut out = begin(Verb::Chunks);
    out.uint(files.len() as u64);
    for file in files {
        out.raw(file.as_bytes());
    }
    out.uint(ids.len() as u64);
    for id in ids {
        out.raw(id.as_bytes());
    }
    out.finish()
}

/// The bytes of a request that takes a parcel.
pub fn encode_put(kind: ParcelKind, id: PackId, bytes: &[u8]) -> Vec<u8> {
    [&encode_put_head(kind, id, bytes.len()), bytes].concat()
}

/// The bytes of a request that takes a parcel of so many bytes, up to these.
pub fn encode_put_head(kind: ParcelKind, id: PackId, length: usize) -> Vec<u8> {
    let mut out = begin(Verb::Put);
    out.u8(kind.number()).raw(id.as_bytes()).uint(length as u64);
    out.finish()
}

fn decode_put<'a>(input: &mut Decoder<'a>) -> Result<(ParcelKind, PackId, &'a [u8]), DecodeError> {
    let kind = parcel_kind(input)?;
    let id = PackId::from_bytes(input.array()?);
    Ok((kind, id, input.bytes(PARCEL_BYTES_MAX)?))
}

/// The bytes of a publication: what is in the parcels the remote has seen itself.
pub fn encode_publish(proposal: &Proposal) -> Vec<u8> {
    let mut out = begin(Verb::Publish);
    out.uint(proposal.epoch).raw(&proposal.token).uint(proposal.parcels.len() as u64);
    for parcel in &proposal.parcels {
        out.raw(parcel.id.as_bytes()).u8(parcel.kind.number()).uint(parcel.length);
    }
    out.uint(proposal.changes.len() as u64);
    for change in &proposal.changes {
        out.bytes(change.name.as_str().as_bytes());
        encode_commit(&mut out, change.expected);
        match &change.target {
            None => out.u8(0),
            Some(target) => out.u8(1).bytes(&target.encode()),
        };
    }
    out.uint(proposal.logs.len() as u64);
    for LogChange { name, expected, target } in &proposal.logs {
        out.bytes(name.as_bytes());
        match expected {
            None => out.u8(0),
            Some(head) => out.u8(1).bytes(head),
        };
        out.bytes(target);
    }
    out.finish()
}

fn decode_publish(input: &mut Decoder<'_>) -> Result<Proposal, DecodeError> {
    let epoch = input.uint()?;
    let token: Token = input.array()?;
    let mut parcels = Vec::new();
    for _ in 0..input.count(PARCELS_MAX)? {
        let id = PackId::from_bytes(input.array()?);
        let kind = parcel_kind(input)?;
        parcels.push(ParcelRecord { id, kind, length: input.uint()?, entries: Entries::default() });
    }
    let mut changes = Vec::new();
    for _ in 0..input.count(CHANGES_MAX)? {
        let name = decode_name(input)?;
        let expected = decode_commit(input)?;
        let target = if flag(input)? { Some(decode_target(input)?) } else { None };
        changes.push(RefChange { name, expected, target });
    }
    let mut logs = Vec::new();
    for _ in 0..input.count(LOGS_MAX)? {
        let name = decode_log_name(input)?;
        let expected = if flag(input)? { Some(decode_head(input)?) } else { None };
        logs.push(LogChange { name, expected, target: decode_head(input)? });
    }
    Ok(Proposal { epoch, token, parcels, changes, logs })
}

pub(super) fn encode_commit(out: &mut Encoder, id: Option<CommitId>) {
    match id {
        None => out.u8(0),
        Some(id) => out.u8(1).raw(id.as_bytes()),
    };
}

pub(super) fn decode_commit(input: &mut Decoder<'_>) -> Result<Option<CommitId>, DecodeError> {
    Ok(if flag(input)? { Some(CommitId::from_bytes(input.array()?)) } else { None })
}

pub(super) fn flag(input: &mut Decoder<'_>) -> Result<bool, DecodeError> {
    match input.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(input.error(DecodeErrorKind::Tag)),
    }
}

/// The name of a branch or tag; where other remotes' branches were is nobody else's business.
pub(super) fn decode_name(input: &mut Decoder<'_>) -> Result<RefName, DecodeError> {
    let name = RefName::parse(input.text(NAME_BYTES_MAX)?).ok();
    let name = name.filter(|name| name.kind() != RefKind::Remote);
    name.ok_or_else(|| input.error(DecodeErrorKind::Name))
}

pub(super) fn decode_target(input: &mut Decoder<'_>) -> Result<RefTarget, DecodeError> {
    RefTarget::decode(input.bytes(TARGET_BYTES_MAX)?)
}

fn parcel_kind(input: &mut Decoder<'_>) -> Result<ParcelKind, DecodeError> {
    ParcelKind::from_number(input.u8()?).ok_or_else(|| input.error(DecodeErrorKind::Tag))
}

/// A parcel as it came: what is in it is for the receiver to find out.
pub fn parcel_of(kind: ParcelKind, id: PackId, bytes: Vec<u8>) -> Parcel {
    let length = bytes.len() as u64;
    Parcel { record: ParcelRecord { id, kind, length, entries: Entries::default() }, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_number_and_a_word_of_its_own() {
        let mut words: Vec<&str> = Verb::ALL.iter().map(|verb| verb.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Verb::ALL.len());
        for verb in Verb::ALL {
            assert_eq!(Verb::from_number(verb.number()), Some(verb));
        }
    }

    #[test]
    fn requests_have_their_frozen_bytes() {
        assert_eq!(Request::Describe.encode(), [1, 1]);
        let key = WireKey { kind: 2, id: [7; 32] };
        let have = Request::Have { keys: vec![key] }.encode();
        assert_eq!(have, [&[1, 2, 1, 2][..], &[7; 32]].concat());
        let id = PackId::from_bytes([9; 16]);
        let put = encode_put(ParcelKind::Bundle, id, b"abc");
        assert_eq!(put, [&[1, 6, 1][..], &[9; 16], &[3], b"abc"].concat());
        let wants = HistoryWants {
            wants: vec![CommitId::from_bytes([1; 32])],
            since: Some(300),
            ..Default::default()
        };
        let history = Request::History { wants }.encode();
        assert_eq!(history, [&[1, 3, 1][..], &[1; 32], &[0, 1, 0xac, 2, 0]].concat());
        let change = RefChange {
            name: RefName::branch("main").expect("a name"),
            expected: Some(CommitId::from_bytes([2; 32])),
            target: None,
        };
        let log = LogChange { name: "shared".to_owned(), expected: None, target: vec![7, 8] };
        let (parcels, changes, logs) = (vec![], vec![change], vec![log]);
        let proposal = Proposal { epoch: 4, token: [5; 16], parcels, changes, logs };
        let publish = Request::Publish { proposal }.encode();
        let expected = [&[1, 8, 4][..], &[5; 16], &[0, 1, 11], b"branch/main", &[1], &[2; 32], &[0]].concat();
        assert_eq!(publish, [&expected[..], &[1, 6], b"shared", &[0, 2, 7, 8]].concat());
        let keep = Request::Keep { clone: [6; 16], commits: vec![CommitId::from_bytes([1; 32])] };
        assert_eq!(keep.encode(), [&[1, 10][..], &[6; 16], &[1], &[1; 32]].concat());
    }

    #[test]
    fn a_parcel_keeps_its_memory_and_is_refused_when_it_is_cut_short_or_something_follows() {
        let (kind, id) = (ParcelKind::Pack, PackId::from_bytes([3; 16]));
        let parcel: Vec<u8> = (0..70_000u32).map(|at| at as u8).collect();
        let request = Request::Put { kind, id, bytes: parcel.clone() };
        let encoded = request.encode();
        assert_eq!(encoded, [encode_put_head(kind, id, parcel.len()), parcel].concat());
        for before in [0, 5] {
            let came = [vec![9; before], encoded.clone()].concat();
            let place = came.as_ptr();
            let taken = Request::take(came.clone(), before).expect("a request");
            assert_eq!(taken.encode(), encoded);
            let Ok(Request::Put { bytes, .. }) = Request::take(came, before) else {
                panic!("another request")
            };
            assert_eq!(bytes.as_ptr(), place, "nothing was copied elsewhere");
            let longer = [vec![9; before], encoded.clone(), vec![1]].concat();
            assert!(Request::take(longer, before).is_err());
            for length in [0, 1, 2, 18, 19, 20, encoded.len() - 1] {
                let cut = [vec![9; before], encoded[..length].to_vec()].concat();
                assert!(Request::take(cut, before).is_err(), "{length}");
            }
        }
        let other = Request::Have { keys: vec![WireKey { kind: 1, id: [1; 32] }] };
        let taken = Request::take([vec![0; 5], other.encode()].concat(), 5).expect("a request");
        assert_eq!(taken.encode(), other.encode());
        assert!(Request::take(Vec::new(), 5).is_err());
    }

    #[test]
    fn kinds_that_are_not_known_here_pass_through() {
        let keys = vec![WireKey { kind: 200, id: [1; 32] }];
        let bytes = Request::Have { keys }.encode();
        let Ok(Request::Have { keys }) = Request::decode(&bytes) else { panic!("another request") };
        assert_eq!((keys[0].kind, keys[0].known()), (200, None));
        assert!(Request::decode(&Request::Objects { keys }.encode()).is_ok());
    }

    #[test]
    fn names_of_other_remotes_and_too_many_keys_are_refused() {
        let mut out = begin(Verb::Publish);
        out.uint(0).raw(&[0; 16]).uint(0).uint(1).bytes(b"remote/origin/main").u8(0).u8(0);
        assert!(Request::decode(&out.finish()).is_err());
        let mut out = begin(Verb::Chunks);
        out.uint(KEYS_MAX as u64 + 1);
        assert!(Request::decode(&out.finish()).is_err());
    }
}
