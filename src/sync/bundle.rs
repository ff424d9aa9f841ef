//! Bundles: objects on their way, in frames that are compressed and checked one by one.
//!
//! ```text
//! header | frame | frame ...
//! ```
//!
//! A bundle says which kind each object is, never which id: whoever receives one finds the id by
//! hashing. `docs/protocol.md` has the bytes.

use crate::base::codec::{Decoder, Encoder};
use crate::base::id::{FileId, PersonId};
use crate::object::action::{Action, Body};
use crate::object::commit::Commit;
use crate::object::commit_signature::CommitSignature;
use crate::object::log_entry::{LogEntry, SignedEntry};
use crate::object::manifest::{Manifest, ManifestNode};
use crate::object::metadata::Metadata;
use crate::object::policy_link::{LinkError, PolicyLink, Signed};
use crate::object::set_node::SetNode;
use crate::object::transition::TransitionList;
use crate::object::tree::TreeNode;
use crate::object::{ObjectKind, hash_object, words_erasure};
use crate::repo::people::Person;
use crate::repo::review_log::ActionRecord;
use crate::repo::tombstone::Tombstone;
use crate::store::parcel::salted_id;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::origins;
use crate::sync::remote::{Kind, ObjectKey, Parcel, ParcelKind, ParcelRecord};

const HEADER: &[u8; 16] = b"PENTBNDL\x01\0\0\0\0\0\0\0";
/// Length of a frame's header in bytes.
const FRAME_HEADER_BYTES: usize = 20;
const FRAME_MAGIC: &[u8; 4] = b"PFRM";
/// Raw length at which a frame is closed, in bytes.
const FRAME_BYTES: usize = 256 << 10;
/// Longest object that travels, in bytes.
pub const OBJECT_BYTES_MAX: usize = 64 << 20;
/// Most raw bytes of one frame.
const FRAME_BYTES_MAX: usize = OBJECT_BYTES_MAX + FRAME_BYTES;
/// Most raw bytes of one bundle: what unpacks to more is a bomb.
pub const RAW_BYTES_MAX: u64 = 256 << 20;
/// Longest commit that travels, in bytes: half a million notes on where its assets come from.
const COMMIT_BYTES_MAX: usize = 16 << 20;
/// Compression level of frames.
const LEVEL: i32 = 6;
/// Longest policy link with its signatures, in bytes.
const PROPOSAL_BYTES_MAX: usize = 1 << 20;
/// Longest record of a person in bytes.
const PERSON_BYTES_MAX: usize = 4096;

/// Puts a bundle together.
#[derive(Debug)]
pub struct BundleBuilder {
    bytes: Vec<u8>,
    frame: Encoder,
    waiting: Vec<ObjectKey>,
    entries: Vec<(ObjectKey, u32, u32)>,
}

impl Default for BundleBuilder {
    fn default() -> Self {
        Self { bytes: HEADER.to_vec(), frame: Encoder::default(), waiting: Vec::new(), entries: Vec::new() }
    }
}

impl BundleBuilder {
    /// Length so far in bytes, what is not compressed yet counted as it is.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.frame.len()
    }

    /// Whether no object was added.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.waiting.is_empty()
    }

    /// Adds an object.
    pub fn push(&mut self, key: ObjectKey, bytes: &[u8]) -> SyncResult<()> {
        if bytes.len() > OBJECT_BYTES_MAX {
            return Err(SyncError::Invalid {
                what: "an object",
                detail: format!("{} {} has {} bytes", key.kind.name(), key.id_text(), bytes.len()),
            });
        }
        self.frame.u8(key.kind.number()).bytes(bytes);
        self.waiting.push(key);
        if self.frame.len() >= FRAME_BYTES { self.close_frame() } else { Ok(()) }
    }

    fn close_frame(&mut self) -> SyncResult<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let raw = std::mem::take(&mut self.frame).finish();
        let packed = zstd::bulk::compress(&raw, LEVEL)
            .map_err(|source| SyncError::Invalid { what: "a bundle", detail: source.to_string() })?;
        let offset = self.bytes.len() as u32;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(FRAME_MAGIC);
        self.bytes.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&(raw.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&blake3::hash(&packed).as_bytes()[..8]);
        self.bytes.extend_from_slice(&packed);
        let length = (self.bytes.len() - start) as u32;
        self.entries.extend(self.waiting.drain(..).map(|key| (key, offset, length)));
        Ok(())
    }

    /// Ends the bundle; its id follows from its bytes and from `salt`.
    pub fn finish(mut self, salt: &[u8; 16]) -> SyncResult<Parcel> {
        self.close_frame()?;
        let record = ParcelRecord {
            id: salted_id("pentimento bundle name v1", &self.bytes, salt),
            kind: ParcelKind::Bundle,
            length: self.bytes.len() as u64,
            entries: self.entries.into(),
        };
        Ok(Parcel { record, bytes: self.bytes })
    }
}

/// A bundle of exactly one frame, for a frame that was read by its place.
pub fn wrap_frame(frame: &[u8]) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    bytes.extend_from_slice(frame);
    bytes
}

fn invalid(detail: &str) -> SyncError {
    SyncError::Invalid { what: "a bundle", detail: detail.to_owned() }
}

/// An object that was hashed and decodes.
#[derive(Debug)]
pub struct Received<'a> {
    /// Its key, found from its bytes.
    pub key: ObjectKey,
    /// Its canonical bytes.
    pub bytes: &'a [u8],
}

/// Takes a bundle apart: every object is checked to be one of its kind, and its id is found.
///
/// A manifest is only known to be one and to name a file; whether it is that file's is not looked at.
pub fn open_bundle(
    bytes: &[u8],
    each: &mut dyn FnMut(Received<'_>, usize, usize) -> SyncResult<()>,
) -> SyncResult<()> {
    open_counted(bytes, each).map(drop)
}

/// The same; gives how many bytes it has unpacked.
pub fn open_counted(
    bytes: &[u8],
    each: &mut dyn FnMut(Received<'_>, usize, usize) -> SyncResult<()>,
) -> SyncResult<u64> {
    let mut raw_bytes = 0;
    if bytes.get(..HEADER.len()) != Some(HEADER) {
        return Err(invalid("it does not begin like one"));
    }
    let mut offset = HEADER.len();
    while offset < bytes.len() {
        let header =
            bytes.get(offset..offset + FRAME_HEADER_BYTES).ok_or_else(|| invalid("it ends early"))?;
        let number =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (stored, raw_length) = (number(4) as usize, number(8) as usize);
        if &header[..4] != FRAME_MAGIC || raw_length > FRAME_BYTES_MAX {
            return Err(invalid("a frame has lengths that no writer writes"));
        }
        raw_bytes += raw_length as u64;
        if raw_bytes > RAW_BYTES_MAX {
            return Err(invalid("it unpacks to more than any writer puts into one"));
        }
        let start = offset + FRAME_HEADER_BYTES;
        let packed = bytes.get(start..start + stored).ok_or_else(|| invalid("it ends early"))?;
        if blake3::hash(packed).as_bytes()[..8] != header[12..20] {
            return Err(invalid("a frame has another checksum"));
        }
        // The buffer bounds what comes out, whatever the frame says.
        let raw =
            zstd::bulk::decompress(packed, raw_length).map_err(|_| invalid("a frame cannot be unpacked"))?;
        if raw.len() != raw_length {
            return Err(invalid("a frame unpacks to another length"));
        }
        open_frame(&raw, &mut |received| each(received, offset, FRAME_HEADER_BYTES + stored))?;
        offset = start + stored;
    }
    Ok(raw_bytes)
}

fn open_frame(raw: &[u8], each: &mut dyn FnMut(Received<'_>) -> SyncResult<()>) -> SyncResult<()> {
    let mut input = Decoder::new("bundle", raw);
    let broken = |error: crate::base::codec::DecodeError| invalid(&error.to_string());
    while input.remaining() > 0 {
        let kind = Kind::from_number(input.u8().map_err(broken)?);
        let bytes = input.bytes(OBJECT_BYTES_MAX).map_err(broken)?;
        // Kinds that this program does not know are for others.
        let Some(kind) = kind else { continue };
        let key = identify(kind, bytes)?;
        each(Received { key, bytes })?;
    }
    Ok(())
}

/// Finds the key of an object from its bytes, which must be canonical.
pub fn identify(kind: Kind, bytes: &[u8]) -> SyncResult<ObjectKey> {
    let wrong = |error: &dyn std::fmt::Display| SyncError::Invalid {
        what: "an object",
        detail: format!("{}: {error}", kind.name()),
    };
    let id = match kind {
        Kind::Chunk => return Err(wrong(&"chunks travel in packs")),
        Kind::Commit => {
            if bytes.len() > COMMIT_BYTES_MAX {
                return Err(wrong(&"it is longer than commits are that travel"));
            }
            Commit::decode(bytes).map_err(|error| wrong(&error))?;
            hash_object(ObjectKind::Commit, bytes)
        }
        Kind::Tree => {
            TreeNode::decode(bytes).map_err(|error| wrong(&error))?;
            hash_object(ObjectKind::Tree, bytes)
        }
        Kind::Metadata => {
            Metadata::decode(bytes).map_err(|error| wrong(&error))?;
            hash_object(ObjectKind::Metadata, bytes)
        }
        Kind::ManifestNode => {
            ManifestNode::decode(bytes).map_err(|error| wrong(&error))?;
            hash_object(ObjectKind::ManifestNode, bytes)
        }
        Kind::Manifest => *Manifest::decode(bytes).map_err(|error| wrong(&error))?.file.as_bytes(),
        Kind::GitCommit | Kind::GitObject | Kind::GitTreeForm | Kind::LfsDigest | Kind::Tie => {
            origins::identify(kind, bytes).ok_or_else(|| wrong(&"it is none"))?
        }
        Kind::Tombstone => *Tombstone::decode(bytes).map_err(|error| wrong(&error))?.file.as_bytes(),
        Kind::Person => *person_key(bytes).ok_or_else(|| wrong(&"it is no record"))?.as_bytes(),
        kind => identify_of_logs(kind, bytes).map_err(|error| wrong(&error))?,
    };
    Ok(ObjectKey { kind, id })
}

/// Finds the id of what is part of a log. Signatures are read here, and verified by whoever takes the
/// thing in.
fn identify_of_logs(kind: Kind, bytes: &[u8]) -> Result<[u8; 32], Box<dyn std::error::Error + Send + Sync>> {
    Ok(match kind {
        Kind::LogEntry => {
            let signed = SignedEntry::decode(bytes)?;
            LogEntry::decode(&signed.statement)?;
            *signed.id().as_bytes()
        }
        Kind::SetNode => {
            SetNode::decode(bytes)?;
            SetNode::id_of(bytes)
        }
        Kind::Action => {
            let record = ActionRecord::decode(bytes)?;
            Action::decode(&record.statement)?;
            *record.id().as_bytes()
        }
        Kind::ActionBody => {
            Body::decode(bytes)?;
            *Body::id_of(bytes).as_bytes()
        }
        Kind::TransitionList => {
            TransitionList::decode(bytes)?;
            *FileId::of(bytes).as_bytes()
        }
        Kind::WordsErasure => {
            words_erasure::decode_record(bytes)?;
            words_erasure::record_id(bytes)
        }
        Kind::CommitSignature => {
            CommitSignature::decode(bytes)?.claim()?;
            hash_object(ObjectKind::CommitSignature, bytes)
        }
        Kind::PolicyProposal => {
            decode_proposal(bytes)?;
            hash_object(ObjectKind::PolicyProposal, bytes)
        }
        Kind::Chunk
        | Kind::GitCommit
        | Kind::GitObject
        | Kind::GitTreeForm
        | Kind::LfsDigest
        | Kind::Tie
        | Kind::Commit
        | Kind::Tree
        | Kind::Metadata
        | Kind::ManifestNode
        | Kind::Manifest
        | Kind::Tombstone
        | Kind::Person => return Err("it is part of no log".into()),
    })
}

/// Reads a policy link that waits for signatures; whether these hold is not looked at.
pub fn decode_proposal(bytes: &[u8]) -> Result<(PolicyLink, Signed), LinkError> {
    let none = |reason: String| LinkError::NotALink { reason };
    if bytes.len() > PROPOSAL_BYTES_MAX {
        return Err(LinkError::TooLong);
    }
    let signed: Signed = serde_json::from_slice(bytes).map_err(|error| none(error.to_string()))?;
    signed.parsed()?;
    let written = serde_json::to_vec(&signed).map_err(|error| none(error.to_string()))?;
    if written != bytes {
        return Err(LinkError::Form);
    }
    Ok((PolicyLink::decode(&signed.statement)?, signed))
}

/// The bytes under which a person's record travels: the id, then the record as JSON.
pub fn encode_person(id: PersonId, person: &Person) -> SyncResult<Vec<u8>> {
    let mut bytes = id.as_bytes().to_vec();
    let record = serde_json::to_vec(person);
    bytes.extend(record.map_err(|error| SyncError::Invalid { what: "a person", detail: error.to_string() })?);
    Ok(bytes)
}

/// Reads a person's record; `None` when it is none.
pub fn decode_person(bytes: &[u8]) -> Option<(PersonId, Person)> {
    let (id, record) = bytes.split_at_checked(PersonId::SIZE)?;
    if record.len() > PERSON_BYTES_MAX {
        return None;
    }
    Some((PersonId::from_slice(id)?, serde_json::from_slice(record).ok()?))
}

/// The key of a person's record: half of it says whose it is, half what it says.
fn person_key(bytes: &[u8]) -> Option<FileId> {
    let (id, _) = decode_person(bytes)?;
    let mut key = [0; 32];
    key[..16].copy_from_slice(id.as_bytes());
    key[16..].copy_from_slice(&blake3::hash(&bytes[16..]).as_bytes()[..16]);
    Some(FileId::from_bytes(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Parcel {
        let mut builder = BundleBuilder::default();
        let leaf = TreeNode::Leaf(Vec::new()).encode();
        builder.push(identify(Kind::Tree, &leaf).expect("a tree"), &leaf).expect("room");
        let anna = Person { name: "Anna".into(), email: String::new() };
        let person = encode_person(PersonId::from_bytes([1; 16]), &anna).expect("a record");
        builder.push(identify(Kind::Person, &person).expect("a person"), &person).expect("room");
        builder.finish(&[0; 16]).expect("a bundle")
    }

    #[test]
    fn objects_come_back_under_their_keys_at_the_places_recorded() {
        let parcel = sample();
        let mut found = Vec::new();
        open_bundle(&parcel.bytes, &mut |received, offset, length| {
            found.push((received.key, offset as u32, length as u32));
            Ok(())
        })
        .expect("a sound bundle");
        assert_eq!(found, *parcel.record.entries.load().expect("entries"));
    }

    #[test]
    fn a_bundle_that_unpacks_to_more_than_anybody_sends_is_refused_at_once() {
        // One object of an unknown kind, 60 MiB of zeros, again and again.
        let mut frame = Encoder::default();
        frame.u8(250).bytes(&vec![0; 60 << 20]);
        let raw = frame.finish();
        let packed = zstd::bulk::compress(&raw, 3).expect("packed zeros");
        let mut one = FRAME_MAGIC.to_vec();
        one.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        one.extend_from_slice(&(raw.len() as u32).to_le_bytes());
        one.extend_from_slice(&blake3::hash(&packed).as_bytes()[..8]);
        one.extend_from_slice(&packed);
        let of = |count: usize| [HEADER.to_vec(), one.repeat(count)].concat();
        let bomb = of(5);
        assert!(bomb.len() < 100_000, "{} bytes", bomb.len());
        assert!(open_bundle(&bomb, &mut |_, _, _| Ok(())).is_err());
        assert_eq!(open_counted(&of(4), &mut |_, _, _| Ok(())).expect("within limits"), 4 * raw.len() as u64);
    }

    #[test]
    fn a_frame_that_unpacks_to_more_than_it_says_is_refused() {
        let packed = zstd::bulk::compress(&vec![0u8; 1 << 20], 19).expect("packed zeros");
        let mut bytes = HEADER.to_vec();
        bytes.extend_from_slice(FRAME_MAGIC);
        bytes.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&1000u32.to_le_bytes());
        bytes.extend_from_slice(&blake3::hash(&packed).as_bytes()[..8]);
        bytes.extend_from_slice(&packed);
        assert!(open_bundle(&bytes, &mut |_, _, _| Ok(())).is_err());
    }

    proptest! {
        #[test]
        fn every_change_of_a_bundle_is_noticed(at: usize, bit in 0u8..8) {
            let mut bytes = sample().bytes;
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(open_bundle(&bytes, &mut |_, _, _| Ok(())).is_err());
        }

        #[test]
        fn opening_anything_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut framed = HEADER.to_vec();
            framed.extend(&bytes);
            let _ = open_bundle(&framed, &mut |_, _, _| Ok(()));
            let _ = open_frame(&bytes, &mut |_| Ok(()));
        }
    }
}
