//! The head of a bucket: the one cell on which all writers agree.
//!
//! It says where every name points, which index files there are, and so which objects and chunks
//! the bucket has. Whoever pushes writes packs and an index file first, and then replaces the head
//! by compare-and-set: an object is there exactly when an index file that the head names has it. A
//! head that drops objects has another *epoch*, so that nobody who saw them under the old one can
//! publish what relies on them.

use std::collections::BTreeMap;

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::{PackId, RepositoryId};
use crate::object::chunker::{ChunkerId, ChunkerParameters};

/// Key of the cell.
pub const HEAD_KEY: &str = "head";
/// Longest head in bytes.
pub const HEAD_BYTES_MAX: u64 = 64 << 20;
/// Publications that a head remembers, so that whoever did not hear the answer finds its own.
pub const TOKENS_KEPT: usize = 256;

const VERSION: u8 = 1;
const MAGIC: &[u8; 8] = b"PENTHEAD";
const NAMES_MAX: usize = 1 << 20;
const NAME_BYTES_MAX: usize = 512;
const VALUE_BYTES_MAX: usize = 1 << 17;
/// Most index files that a head names: with some million keys in each of the large ones, a petabyte.
const INDEXES_MAX: usize = 1 << 14;
const FEATURES_MAX: usize = 64;
/// Blobs that wait for their removal at a time: packs of eight terabytes.
pub const CONDEMNED_MAX: usize = 1 << 18;

/// Names one publication: random bytes.
pub type Token = [u8; 16];

/// An index file that the head names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexRecord {
    /// Names the file.
    pub id: PackId,
    /// Its length in bytes.
    pub length: u64,
    /// How many keys it has.
    pub entries: u64,
    /// The first and the last generation whose packs are in it.
    pub generations: (u64, u64),
}

/// A blob that nothing refers to any more and that is removed after a grace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CondemnedBlob {
    /// Its key.
    pub key: String,
    /// When it was condemned: milliseconds since 1970.
    pub since_ms: i64,
}

/// More than a head can hold: nobody could read it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a remote without a program of its own cannot have more than {limit} {what}")]
pub struct HeadLimit {
    /// Of what.
    pub what: &'static str,
    /// How many there may be.
    pub limit: u64,
}

/// What the head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Names the repository and all its clones.
    pub repository: RepositoryId,
    /// How content is cut.
    pub chunker: ChunkerParameters,
    /// Features without which the bucket may not be used.
    pub requires: Vec<String>,
    /// Rises whenever objects are dropped.
    pub epoch: u64,
    /// Rises with every publication and every collection.
    pub generation: u64,
    /// Where names point, as bytes of the floors above.
    pub refs: BTreeMap<String, Vec<u8>>,
    /// Heads of logs, as bytes of the floors above.
    pub logs: BTreeMap<String, Vec<u8>>,
    /// The index files. All that they say counts alike, whatever their order.
    pub indexes: Vec<IndexRecord>,
    /// The last publications, oldest first.
    pub tokens: Vec<Token>,
    /// Blobs that wait for their removal.
    pub condemned: Vec<CondemnedBlob>,
}

impl Head {
    /// The head of a bucket with nothing in it.
    pub fn new(repository: RepositoryId, chunker: ChunkerParameters) -> Self {
        Self {
            repository,
            chunker,
            requires: Vec::new(),
            epoch: 0,
            generation: 0,
            refs: BTreeMap::new(),
            logs: BTreeMap::new(),
            indexes: Vec::new(),
            tokens: Vec::new(),
            condemned: Vec::new(),
        }
    }

    /// Notes a publication.
    pub fn note(&mut self, token: Token) {
        self.generation += 1;
        self.tokens.push(token);
        let surplus = self.tokens.len().saturating_sub(TOKENS_KEPT);
        self.tokens.drain(..surplus);
    }

    /// The stored bytes.
    ///
    /// # Errors
    /// When there is more than a reader takes.
    pub fn encode(&self) -> Result<Vec<u8>, HeadLimit> {
        self.check_limits()?;
        let mut out = Encoder::default();
        out.raw(MAGIC).u8(VERSION);
        out.uint(self.requires.len() as u64);
        for feature in &self.requires {
            out.bytes(feature.as_bytes());
        }
        out.raw(self.repository.as_bytes()).raw(self.chunker.id().as_bytes());
        out.uint(self.epoch).uint(self.generation);
        for map in [&self.refs, &self.logs] {
            out.uint(map.len() as u64);
            for (name, value) in map {
                out.bytes(name.as_bytes()).bytes(value);
            }
        }
        out.uint(self.indexes.len() as u64);
        for index in &self.indexes {
            out.raw(index.id.as_bytes()).uint(index.length).uint(index.entries);
            out.uint(index.generations.0).uint(index.generations.1);
        }
        out.uint(self.tokens.len() as u64);
        for token in &self.tokens {
            out.raw(token);
        }
        out.uint(self.condemned.len() as u64);
        for blob in &self.condemned {
            out.bytes(blob.key.as_bytes()).int(blob.since_ms);
        }
        let sum = blake3::derive_key("pentimento bucket head v1", &out.clone().finish());
        out.raw(&sum);
        let bytes = out.finish();
        at_most("bytes of names and lists", bytes.len(), HEAD_BYTES_MAX as usize).map(|()| bytes)
    }

    fn check_limits(&self) -> Result<(), HeadLimit> {
        at_most("features", self.requires.len(), FEATURES_MAX)?;
        for map in [&self.refs, &self.logs] {
            at_most("branches, drafts and tags", map.len(), NAMES_MAX)?;
            for (name, value) in map {
                at_most("bytes in a name", name.len(), NAME_BYTES_MAX)?;
                at_most("bytes of what a name says", value.len(), VALUE_BYTES_MAX)?;
            }
        }
        at_most("index files", self.indexes.len(), INDEXES_MAX)?;
        at_most("packs and bundles to remove at a time", self.condemned.len(), CONDEMNED_MAX)
    }

    /// Reads stored bytes. Features are for the caller to look at.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let split = bytes.len().saturating_sub(32);
        let (body, sum) = bytes.split_at(split);
        let mut input = Decoder::new("bucket head", body);
        if blake3::derive_key("pentimento bucket head v1", body) != *sum || input.raw(8)? != MAGIC {
            return Err(input.error(DecodeErrorKind::Value));
        }
        input.version(VERSION)?;
        let mut requires = Vec::new();
        for _ in 0..input.count(FEATURES_MAX)? {
            requires.push(input.text(NAME_BYTES_MAX)?.to_owned());
        }
        let repository = RepositoryId::from_bytes(input.array()?);
        let chunker = ChunkerParameters::decode(input.raw(ChunkerId::SIZE)?)?;
        let (epoch, generation) = (input.uint()?, input.uint()?);
        let (refs, logs) = (decode_map(&mut input)?, decode_map(&mut input)?);
        let mut indexes = Vec::new();
        for _ in 0..input.count(INDEXES_MAX)? {
            let id = PackId::from_bytes(input.array()?);
            let (length, entries) = (input.uint()?, input.uint()?);
            indexes.push(IndexRecord { id, length, entries, generations: (input.uint()?, input.uint()?) });
        }
        let mut tokens = Vec::new();
        for _ in 0..input.count(TOKENS_KEPT)? {
            tokens.push(input.array()?);
        }
        let mut condemned = Vec::new();
        for _ in 0..input.count(CONDEMNED_MAX)? {
            let key = input.text(NAME_BYTES_MAX)?.to_owned();
            condemned.push(CondemnedBlob { key, since_ms: input.int()? });
        }
        input.finish()?;
        Ok(Self { repository, chunker, requires, epoch, generation, refs, logs, indexes, tokens, condemned })
    }
}

fn at_most(what: &'static str, number: usize, limit: usize) -> Result<(), HeadLimit> {
    if number <= limit { Ok(()) } else { Err(HeadLimit { what, limit: limit as u64 }) }
}

fn decode_map(input: &mut Decoder<'_>) -> Result<BTreeMap<String, Vec<u8>>, DecodeError> {
    let mut map: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for _ in 0..input.count(NAMES_MAX)? {
        let name = input.text(NAME_BYTES_MAX)?.to_owned();
        if map.last_key_value().is_some_and(|(last, _)| *last >= name) {
            return Err(input.error(DecodeErrorKind::Order));
        }
        map.insert(name, input.bytes(VALUE_BYTES_MAX)?.to_vec());
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head() -> Head {
        let mut head = Head::new(RepositoryId::from_bytes([3; 16]), ChunkerParameters::default());
        head.refs.insert("branch/main".into(), vec![1, 2, 3]);
        head.logs.insert("shared".into(), vec![4]);
        head.indexes.push(IndexRecord {
            id: PackId::from_bytes([5; 16]),
            length: 1000,
            entries: 10,
            generations: (1, 4),
        });
        head.note([6; 16]);
        head.condemned.push(CondemnedBlob { key: "packs/aa".into(), since_ms: 17 });
        head
    }

    #[test]
    fn a_head_comes_back_and_remembers_a_bounded_number_of_publications() {
        let mut head = head();
        assert_eq!(Head::decode(&bytes(&head)), Ok(head.clone()));
        for number in 0..1000u32 {
            let mut token = [0; 16];
            token[..4].copy_from_slice(&number.to_le_bytes());
            head.note(token);
        }
        assert_eq!((head.tokens.len(), head.generation), (TOKENS_KEPT, 1001));
        assert_eq!(Head::decode(&bytes(&head)), Ok(head));
    }

    fn bytes(head: &Head) -> Vec<u8> {
        head.encode().expect("a head within its limits")
    }

    /// A change to a head, with what the refusal names when it has one too many.
    type Grow = (&'static str, usize, fn(&mut Head, usize));

    #[test]
    fn a_head_that_nobody_could_read_is_never_made() {
        let grow: [Grow; 5] = [
            ("branches, drafts and tags", NAMES_MAX, |head, number| {
                head.refs = (0..number).map(|number| (format!("b{number:07}"), vec![])).collect();
            }),
            ("bytes in a name", NAME_BYTES_MAX, |head, number| {
                head.refs.insert("n".repeat(number), vec![]);
            }),
            ("bytes of what a name says", VALUE_BYTES_MAX, |head, number| {
                head.refs.insert("n".into(), vec![0; number]);
            }),
            ("index files", INDEXES_MAX, |head, number| {
                head.indexes = vec![head.indexes[0]; number];
            }),
            ("packs and bundles to remove at a time", CONDEMNED_MAX, |head, number| {
                head.condemned = vec![CondemnedBlob { key: "packs/aa".into(), since_ms: 1 }; number];
            }),
        ];
        for (what, limit, change) in grow {
            let mut fits = head();
            change(&mut fits, limit);
            assert_eq!(Head::decode(&bytes(&fits)).as_ref(), Ok(&fits), "{what}");
            change(&mut fits, limit + 1);
            let refused = fits.encode().expect_err(what);
            assert_eq!((refused.what, refused.limit), (what, limit as u64));
        }
        let mut long = head();
        long.refs = (0..600).map(|number| (format!("{number}"), vec![0; VALUE_BYTES_MAX])).collect();
        assert_eq!(long.encode().expect_err("too long").limit, HEAD_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn every_change_of_a_head_is_noticed(at: usize, bit in 0u8..8) {
            let mut bytes = bytes(&head());
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(Head::decode(&bytes).is_err());
        }

        #[test]
        fn decoding_anything_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Head::decode(&bytes).is_err());
        }
    }
}
