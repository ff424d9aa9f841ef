//! The signed permission to erase the words of one action for good. The action's header stays.
//!
//! Whoever said something may take it back; so may those whom the policy lets erase. Anybody else's
//! permission is none: it removes nothing and is not handed on.

use crate::base::id::{ActionId, BodyId, RepositoryId};
use crate::object::action::Audience;
use crate::object::policy_link::{LinkError, Signed};
use crate::object::statement::{self, Statement, StatementError};
use crate::object::{ObjectKind, hash_object};
use serde::{Deserialize, Serialize};

/// Longest statement, in bytes.
pub const WORDS_ERASURE_BYTES_MAX: usize = 8 << 10;
/// Longest record, signatures included, in bytes.
pub const RECORD_BYTES_MAX: usize = 64 << 10;

/// Why bytes are no such permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsErasureError {
    /// The permission, or the record that it stands in.
    #[error(transparent)]
    Statement(#[from] StatementError),
    #[error(transparent)]
    Signatures(#[from] LinkError),
}

/// What the permission says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordsErasure {
    /// The repository in which it holds.
    pub repository: RepositoryId,
    /// The log that the action is in.
    pub audience: Audience,
    /// The action.
    pub action: ActionId,
    /// Its words.
    pub body: BodyId,
    /// When it was written, in milliseconds since 1970: for display only.
    pub made_ms: i64,
    /// Why, in words.
    pub reason: String,
}

impl Statement for WordsErasure {
    const SCHEMA: &'static str = "pentimento words erasure v1";
    const WHAT: &'static str = "permission to erase words";
    const BYTES_MAX: usize = WORDS_ERASURE_BYTES_MAX;
}

impl WordsErasure {
    /// The exact bytes to be signed.
    pub fn encode(&self) -> Result<String, StatementError> {
        statement::encode(self)
    }

    /// Reads signed bytes; refuses whatever [`encode`](Self::encode) would not have written.
    pub fn decode(text: &str) -> Result<Self, StatementError> {
        statement::decode(text)
    }
}

/// Reads a permission with its signatures, which must be written in their one form; whether they hold
/// is not looked at.
pub fn decode_record(bytes: &[u8]) -> Result<(WordsErasure, Signed), WordsErasureError> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(StatementError::TooLong { bytes_max: RECORD_BYTES_MAX }.into());
    }
    let what = WordsErasure::WHAT;
    let signed: Signed = serde_json::from_slice(bytes)
        .map_err(|error| StatementError::SomethingElse { what, reason: error.to_string() })?;
    signed.parsed()?;
    if encode_record(&signed) != bytes {
        return Err(StatementError::Form.into());
    }
    Ok((WordsErasure::decode(&signed.statement)?, signed))
}

/// The bytes of a permission with its signatures.
pub fn encode_record(signed: &Signed) -> Vec<u8> {
    // Texts always have a form in JSON.
    serde_json::to_vec(signed).unwrap_or_default()
}

/// The id of such a record.
pub fn record_id(bytes: &[u8]) -> [u8; 32] {
    hash_object(ObjectKind::WordsErasure, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_pinned_and_nothing_else_is_read() {
        let erasure = WordsErasure {
            repository: RepositoryId::from_bytes([1; 16]),
            audience: Audience::Team,
            action: ActionId::from_bytes([2; 32]),
            body: BodyId::from_bytes([3; 32]),
            made_ms: 4,
            reason: "said in anger".into(),
        };
        let text = erasure.encode().expect("a statement");
        let expected = format!(
            "{{\"schema\":\"pentimento words erasure v1\",\"repository\":\"{}\",\"audience\":\"team\",\
             \"action\":\"{}\",\"body\":\"{}\",\"made_ms\":4,\"reason\":\"said in anger\"}}",
            "01".repeat(16),
            "02".repeat(32),
            "03".repeat(32)
        );
        assert_eq!(text, expected);
        assert_eq!(WordsErasure::decode(&text), Ok(erasure));
        for end in 0..text.len() {
            assert!(WordsErasure::decode(&text[..end]).is_err());
        }
        assert_eq!(WordsErasure::decode(&text.replace("\":4", "\": 4")), Err(StatementError::Form));
        let record = encode_record(&Signed::unsigned(text));
        assert!(decode_record(&record).is_ok());
        assert!(decode_record(&[record.as_slice(), b" "].concat()).is_err());
    }
}
