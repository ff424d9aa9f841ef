//! Commits: one state of everything, who made it, from what, and why.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::{AssetId, CommitId, PersonId, TreeId};
use crate::base::time::Timestamp;
use crate::object::{ObjectKind, hash_object};

/// Version of the encoding.
const VERSION: u8 = 1;
/// Most parents one commit may have.
pub const PARENTS_MAX: usize = 65_535;
/// Longest message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Most asset notes of one commit.
pub const NOTES_MAX: usize = 1 << 24;
/// Most extension fields and the longest value of one, in bytes.
pub const EXTENSIONS_MAX: usize = 256;
pub const EXTENSION_BYTES_MAX: usize = 1 << 22;

/// What a commit says about the descent of an asset beyond its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssetNote {
    /// `asset` began as a copy of `source`.
    CopiedFrom { asset: AssetId, source: AssetId },
    /// Two branches added the same path; `asset` stays, `other` is another name of it.
    AliasOf { asset: AssetId, other: AssetId },
}

/// A person and the moment they acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Who; the name stands in an erasable record.
    pub person: PersonId,
    /// When.
    pub time: Timestamp,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The state of everything.
    pub tree: TreeId,
    /// What it was made from; the first is the branch's own line.
    pub parents: Vec<CommitId>,
    /// Who made the change, and when.
    pub author: Signature,
    /// Who put it on record, and when.
    pub committer: Signature,
    /// Why, in words.
    pub message: String,
    /// Descent of assets, sorted and unique.
    pub notes: Vec<AssetNote>,
    /// Fields that later features add, sorted by key: kept by programs that do not know them.
    pub extensions: Vec<(String, Vec<u8>)>,
}

impl Commit {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        out.raw(self.tree.as_bytes()).uint(self.parents.len() as u64);
        for parent in &self.parents {
            out.raw(parent.as_bytes());
        }
        encode_signature(&mut out, &self.author);
        encode_signature(&mut out, &self.committer);
        out.bytes(self.message.as_bytes()).uint(self.notes.len() as u64);
        for note in &self.notes {
            let (tag, first, second) = match note {
                AssetNote::CopiedFrom { asset, source } => (1, asset, source),
                AssetNote::AliasOf { asset, other } => (2, asset, other),
            };
            out.u8(tag).raw(first.as_bytes()).raw(second.as_bytes());
        }
        out.uint(self.extensions.len() as u64);
        for (key, value) in &self.extensions {
            out.bytes(key.as_bytes()).bytes(value);
        }
        out.finish()
    }

    /// Reads canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("commit", bytes);
        input.version(VERSION)?;
        let tree = TreeId::from_bytes(input.array()?);
        let mut parents = Vec::new();
        for _ in 0..input.count(PARENTS_MAX)? {
            parents.push(CommitId::from_bytes(input.array()?));
        }
        let author = decode_signature(&mut input)?;
        let committer = decode_signature(&mut input)?;
        let message = input.text(MESSAGE_BYTES_MAX)?.to_owned();
        let notes = decode_notes(&mut input)?;
        let mut extensions: Vec<(String, Vec<u8>)> = Vec::new();
        for _ in 0..input.count(EXTENSIONS_MAX)? {
            let key = input.text(128)?.to_owned();
            if extensions.last().is_some_and(|(last, _)| *last >= key) {
                return Err(input.error(DecodeErrorKind::Order));
            }
            extensions.push((key, input.bytes(EXTENSION_BYTES_MAX)?.to_vec()));
        }
        input.finish()?;
        Ok(Self { tree, parents, author, committer, message, notes, extensions })
    }

    /// The id that follows from the canonical bytes.
    pub fn id(&self) -> CommitId {
        CommitId::from_bytes(hash_object(ObjectKind::Commit, &self.encode()))
    }

    /// The message's first line.
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or("")
    }
}

fn encode_signature(out: &mut Encoder, signature: &Signature) {
    out.raw(signature.person.as_bytes())
        .int(signature.time.unix_ms)
        .int(i64::from(signature.time.offset_minutes));
}

fn decode_signature(input: &mut Decoder<'_>) -> Result<Signature, DecodeError> {
    let person = PersonId::from_bytes(input.array()?);
    let unix_ms = input.int()?;
    let offset = input.int()?;
    if !(-1439..=1439).contains(&offset) {
        return Err(input.error(DecodeErrorKind::Value));
    }
    Ok(Signature { person, time: Timestamp { unix_ms, offset_minutes: offset as i16 } })
}

fn decode_notes(input: &mut Decoder<'_>) -> Result<Vec<AssetNote>, DecodeError> {
    let mut notes: Vec<AssetNote> = Vec::new();
    for _ in 0..input.count(NOTES_MAX)? {
        let tag = input.u8()?;
        let asset = AssetId::from_bytes(input.array()?);
        let second = AssetId::from_bytes(input.array()?);
        let note = match tag {
            1 => AssetNote::CopiedFrom { asset, source: second },
            2 => AssetNote::AliasOf { asset, other: second },
            _ => return Err(input.error(DecodeErrorKind::Tag)),
        };
        if notes.last().is_some_and(|last| *last >= note) {
            return Err(input.error(DecodeErrorKind::Order));
        }
        notes.push(note);
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn sample() -> Commit {
        let signature = Signature {
            person: PersonId::from_bytes([9; 16]),
            time: Timestamp { unix_ms: 1_772_381_999_123, offset_minutes: -90 },
        };
        Commit {
            tree: TreeId::from_bytes([1; 32]),
            parents: vec![CommitId::from_bytes([2; 32])],
            author: signature,
            committer: signature,
            message: "Warmer sky\n\nAs agreed on Tuesday.".into(),
            notes: vec![AssetNote::CopiedFrom {
                asset: AssetId::from_bytes([3; 16]),
                source: AssetId::from_bytes([4; 16]),
            }],
            extensions: vec![("x-test".into(), vec![1, 2])],
        }
    }

    #[test]
    fn a_commit_decodes_to_itself_and_has_its_frozen_id() {
        let commit = sample();
        assert_eq!(Commit::decode(&commit.encode()), Ok(commit.clone()));
        assert_eq!(
            commit.id().to_string(),
            "ba5ec0de7e97dc017a2f2ebd404681d2b8799e27004c85504d1c6f5ccd72e6c9"
        );
    }

    #[test]
    fn unordered_extensions_are_refused() {
        let mut commit = sample();
        commit.extensions.push(("a".into(), vec![]));
        assert_eq!(Commit::decode(&commit.encode()).map_err(|e| e.kind), Err(DecodeErrorKind::Order));
    }
}
