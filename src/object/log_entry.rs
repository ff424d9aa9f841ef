//! Entries of the shared log: what happened to what everybody shares, in one order.
//!
//! An entry is a JSON text, signed as exactly these bytes by whoever wrote it into the log; it names
//! the entry before it by its hash (`docs/format/shared-log.md`). A reader takes only what a writer
//! would have written, byte for byte. Kinds that this program does not know are kept and relayed.

use crate::base::codec::{DecodeError, Decoder, Encoder};
use crate::base::id::{ActionId, AssetId, CommitId, LogEntryId, PersonId, RepositoryId};
use crate::base::ref_name::is_branch_or_tag;
use crate::object::policy_link::Signed;
use crate::object::signature::{
    Fingerprint, Namespace, SIGNATURE_BYTES_MAX, Signature, SignatureError, Verified, verify,
};
use crate::object::{ObjectKind, hash_object};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the statement calls itself.
const SCHEMA: &str = "pentimento log entry v1";
/// Longest statement, in bytes: room for a policy link and its signatures.
pub const ENTRY_BYTES_MAX: usize = 1 << 20;
/// Most heads of the review log that one entry names.
pub const HEADS_MAX: usize = 256;
/// Longest words of an entry, in bytes.
pub const WORDS_BYTES_MAX: usize = 4096;
/// Version of the record of an entry with its signature.
const RECORD_VERSION: u8 = 1;

/// Why bytes are no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("it is longer than it may be")]
    TooLong,
    #[error("it is no log entry: {reason}")]
    NotAnEntry { reason: String },
    #[error("it is not written in its one form")]
    Form,
    #[error("its record cannot be read")]
    Record(#[from] DecodeError),
    #[error("its signature is none or does not hold")]
    Signature(#[from] SignatureError),
}

/// By what right a protected branch or tag moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Why {
    /// The submission whose transitions landed.
    Landing { submission: ActionId },
    /// Nothing that needs an approval changed, or only fields that the actor's role may change.
    Direct {},
}

/// What became of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockDeed {
    /// Somebody took it.
    Grant,
    /// Its owner gave it back.
    Release,
    /// Somebody else ended it.
    Break,
}

/// What an entry records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogDeed {
    /// A link of the chain of policies takes effect.
    Policy(PolicyTaken),
    /// A link is announced that is to take effect by the recovery rule.
    Recovery(RecoveryAnnounced),
    /// A protected branch or tag moves.
    Move(RefMoved),
    /// A lock is taken or ends.
    Lock(LockChanged),
    /// The bytes of a file may be removed for good.
    Erase(ErasePermitted),
    /// A key no longer counts for what the log has not received yet.
    Revoke(KeyRevoked),
    /// The review log had these heads by now.
    Received(ActionsReceived),
    /// Something that a later program knows.
    Unknown { kind: String },
}

/// A policy link with its signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyTaken {
    /// The link.
    pub link: Signed,
    /// Whether it takes effect by the recovery rule, having been announced.
    pub recovery: bool,
}

/// A policy link that is to replace a policy whose quorum is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryAnnounced {
    /// The link.
    pub link: Signed,
}

/// A move of a protected branch or tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefMoved {
    /// Its stored name: `branch/main`, `tag/v1`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Where it stood; `None` when it did not exist.
    pub from: Option<CommitId>,
    /// Where it stands; `None` when it is gone.
    pub to: Option<CommitId>,
    /// By what right.
    pub why: Why,
    /// The heads of the review log that were judged, sorted. By this they are received.
    pub heads: Vec<ActionId>,
}

/// A change of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockChanged {
    /// The asset.
    pub asset: AssetId,
    /// What became of its lock.
    pub deed: LockDeed,
    /// When it ends by itself, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// Why, in words.
    pub reason: String,
}

/// The signed permission to remove a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasePermitted {
    /// The statement (see `object/erasure.rs`) and who signed it.
    pub erasure: Signed,
}

/// The end of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRevoked {
    /// The key.
    pub key: Fingerprint,
    /// Why, in words.
    pub reason: String,
}

/// What of the review log had arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionsReceived {
    /// Its heads, sorted.
    pub heads: Vec<ActionId>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The repository whose log it is in.
    pub repository: RepositoryId,
    /// Its place in the log, from 1.
    pub sequence: u64,
    /// The entry before it; `None` for the first.
    pub previous: Option<LogEntryId>,
    /// When the log received it, in milliseconds since 1970; never before the entry before it.
    pub received_ms: i64,
    /// Who wrote it.
    pub actor: PersonId,
    /// The key that signed it.
    pub key: Fingerprint,
    /// What it records.
    pub deed: LogDeed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement<B> {
    schema: String,
    repository: RepositoryId,
    sequence: u64,
    previous: Option<LogEntryId>,
    received_ms: i64,
    actor: PersonId,
    key: Fingerprint,
    kind: String,
    body: B,
}

impl LogEntry {
    /// The exact bytes to be signed. An unknown kind cannot be written.
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        self.check()?;
        let bytes = match &self.deed {
            LogDeed::Policy(body) => self.statement("policy", body),
            LogDeed::Recovery(body) => self.statement("recovery", body),
            LogDeed::Move(body) => self.statement("move", body),
            LogDeed::Lock(body) => self.statement("lock", body),
            LogDeed::Erase(body) => self.statement("erase", body),
            LogDeed::Revoke(body) => self.statement("revoke", body),
            LogDeed::Received(body) => self.statement("received", body),
            LogDeed::Unknown { .. } => Err(EntryError::Form),
        }?;
        if bytes.len() > ENTRY_BYTES_MAX { Err(EntryError::TooLong) } else { Ok(bytes) }
    }

    fn statement<B: Serialize>(&self, kind: &str, body: &B) -> Result<Vec<u8>, EntryError> {
        let statement = Statement {
            schema: SCHEMA.to_owned(),
            repository: self.repository,
            sequence: self.sequence,
            previous: self.previous,
            received_ms: self.received_ms,
            actor: self.actor,
            key: self.key,
            kind: kind.to_owned(),
            body,
        };
        serde_json::to_vec(&statement).map_err(|error| EntryError::NotAnEntry { reason: error.to_string() })
    }

    /// Reads signed bytes. Refuses a known kind that is not written as [`encode`](Self::encode)
    /// writes it.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLong);
        }
        let statement: Statement<Value> = serde_json::from_slice(bytes).map_err(refuse)?;
        if statement.schema != SCHEMA {
            let reason = format!("it calls itself {:?}", statement.schema);
            return Err(EntryError::NotAnEntry { reason });
        }
        let Statement { repository, sequence, previous, received_ms, actor, key, kind, body, .. } = statement;
        let deed = read_deed(kind, body)?;
        let entry = Self { repository, sequence, previous, received_ms, actor, key, deed };
        if !matches!(entry.deed, LogDeed::Unknown { .. }) && entry.encode()? != bytes {
            return Err(EntryError::Form);
        }
        Ok(entry)
    }

    /// The id of an entry with these bytes. The signature beside it is no part of it, so that the
    /// chain does not depend on which of several good signatures stands there.
    pub fn id_of(statement: &[u8]) -> LogEntryId {
        LogEntryId::from_bytes(hash_object(ObjectKind::LogEntry, statement))
    }

    fn check(&self) -> Result<(), EntryError> {
        if (self.sequence == 1) != self.previous.is_none() || self.sequence == 0 {
            return Err(EntryError::Form);
        }
        let heads: &[ActionId] = match &self.deed {
            LogDeed::Move(body) => &body.heads,
            LogDeed::Received(body) => &body.heads,
            _ => &[],
        };
        if heads.len() > HEADS_MAX {
            return Err(EntryError::TooLong);
        }
        if heads.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(EntryError::Form);
        }
        let (words, name) = match &self.deed {
            LogDeed::Lock(body) => (body.reason.as_str(), ""),
            LogDeed::Revoke(body) => (body.reason.as_str(), ""),
            LogDeed::Move(body) if body.reference.is_empty() => return Err(EntryError::Form),
            LogDeed::Move(body) => ("", body.reference.as_str()),
            _ => ("", ""),
        };
        if words.len() > WORDS_BYTES_MAX {
            return Err(EntryError::TooLong);
        }
        // A name that no reader could take over would stop everybody for good.
        if !name.is_empty() && !is_branch_or_tag(name) {
            return Err(EntryError::Form);
        }
        Ok(())
    }
}

fn refuse(error: serde_json::Error) -> EntryError {
    EntryError::NotAnEntry { reason: error.to_string() }
}

fn read_deed(kind: String, body: Value) -> Result<LogDeed, EntryError> {
    Ok(match kind.as_str() {
        "policy" => LogDeed::Policy(serde_json::from_value(body).map_err(refuse)?),
        "recovery" => LogDeed::Recovery(serde_json::from_value(body).map_err(refuse)?),
        "move" => LogDeed::Move(serde_json::from_value(body).map_err(refuse)?),
        "lock" => LogDeed::Lock(serde_json::from_value(body).map_err(refuse)?),
        "erase" => LogDeed::Erase(serde_json::from_value(body).map_err(refuse)?),
        "revoke" => LogDeed::Revoke(serde_json::from_value(body).map_err(refuse)?),
        "received" => LogDeed::Received(serde_json::from_value(body).map_err(refuse)?),
        _ if kind.len() <= 64 => LogDeed::Unknown { kind },
        _ => return Err(EntryError::TooLong),
    })
}

/// An entry's exact bytes and the signature beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEntry {
    /// The exact bytes that were signed.
    pub statement: Vec<u8>,
    /// The signature of whoever wrote the entry.
    pub signature: Signature,
}

impl SignedEntry {
    /// Its id.
    pub fn id(&self) -> LogEntryId {
        LogEntry::id_of(&self.statement)
    }

    /// The stored bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(RECORD_VERSION);
        out.bytes(&self.statement).bytes(self.signature.as_bytes());
        out.finish()
    }

    /// Reads stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let mut input = Decoder::new("log entry", bytes);
        input.version(RECORD_VERSION)?;
        let statement = input.bytes(ENTRY_BYTES_MAX)?.to_vec();
        let signature = Signature::from_bytes(input.bytes(SIGNATURE_BYTES_MAX)?)?;
        input.finish()?;
        Ok(Self { statement, signature })
    }

    /// Checks the signature and reads the entry; insists that it names the key that signed.
    pub fn verified(&self) -> Result<Verified<LogEntry>, EntryError> {
        let sealed = verify(&self.statement, &self.signature, Namespace::Log)?;
        let fingerprint = sealed.key().fingerprint();
        let entry = sealed.try_map(LogEntry::decode)?;
        if entry.value().key != fingerprint {
            return Err(EntryError::NotAnEntry {
                reason: "it names another key than the one that signed".into(),
            });
        }
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> LogEntry {
        LogEntry {
            repository: RepositoryId::from_bytes([1; 16]),
            sequence: 7,
            previous: Some(LogEntryId::from_bytes([2; 32])),
            received_ms: 1_772_381_999_000,
            actor: PersonId::from_bytes([3; 16]),
            key: Fingerprint::from_bytes([4; 32]),
            deed: LogDeed::Move(RefMoved {
                reference: "branch/main".into(),
                from: None,
                to: Some(CommitId::from_bytes([5; 32])),
                why: Why::Landing { submission: ActionId::from_bytes([6; 32]) },
                heads: vec![ActionId::from_bytes([6; 32])],
            }),
        }
    }

    #[test]
    fn the_bytes_of_an_entry_are_pinned() {
        let bytes = sample().encode().expect("an entry");
        let expected = format!(
            "{{\"schema\":\"pentimento log entry v1\",\"repository\":\"{}\",\"sequence\":7,\"previous\":\"{}\",\
             \"received_ms\":1772381999000,\"actor\":\"{}\",\"key\":\"SHA256:BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ\",\
             \"kind\":\"move\",\"body\":{{\"ref\":\"branch/main\",\"from\":null,\"to\":\"{}\",\
             \"why\":{{\"by\":\"landing\",\"submission\":\"{}\"}},\"heads\":[\"{}\"]}}}}",
            "01".repeat(16),
            "02".repeat(32),
            "03".repeat(16),
            "05".repeat(32),
            "06".repeat(32),
            "06".repeat(32)
        );
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
        assert_eq!(LogEntry::decode(&bytes), Ok(sample()));
    }

    #[test]
    fn a_kind_of_a_later_program_is_kept_and_a_known_one_is_strict() {
        let text = String::from_utf8(sample().encode().expect("an entry")).expect("text");
        let later = text.replacen("\"move\"", "\"seal\"", 1);
        let entry = LogEntry::decode(later.as_bytes()).expect("an entry");
        assert_eq!(entry.deed, LogDeed::Unknown { kind: "seal".into() });
        for (from, to) in [
            ("\"sequence\":7", "\"sequence\":7.0"),
            ("\"sequence\":7", "\"sequence\":0"),
            ("\"ref\"", "\"more\":1,\"ref\""),
            ("\"from\":null,", ""),
            ("\"kind\"", " \"kind\""),
            ("entry v1", "entry v9"),
        ] {
            assert!(LogEntry::decode(text.replacen(from, to, 1).as_bytes()).is_err(), "{from} -> {to}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = LogEntry::decode(&bytes);
            let _ = SignedEntry::decode(&bytes);
        }

        #[test]
        fn a_changed_byte_is_refused_or_means_something_else(at in 0usize..600, byte in any::<u8>()) {
            let good = sample().encode().expect("an entry");
            let mut bytes = good.clone();
            let at = at % bytes.len();
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            if let Ok(other) = LogEntry::decode(&bytes) {
                prop_assert_ne!(other, sample());
            }
        }
    }
}
