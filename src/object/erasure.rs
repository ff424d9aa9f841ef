//! The signed permission to remove a file's bytes for good.

use crate::base::id::{FileId, RepositoryId};
use crate::object::statement::{self, Statement, StatementError};
use serde::{Deserialize, Serialize};

/// Longest statement, in bytes.
pub const ERASURE_BYTES_MAX: usize = 20 << 10;

/// What the permission says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The repository in which it holds.
    pub repository: RepositoryId,
    /// The file.
    pub file: FileId,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, in milliseconds since 1970: for display only.
    pub made_ms: i64,
    /// Why, in words.
    pub reason: String,
}

impl Statement for Erasure {
    const SCHEMA: &'static str = "pentimento erasure v1";
    const WHAT: &'static str = "permission to erase a file";
    const BYTES_MAX: usize = ERASURE_BYTES_MAX;
}

impl Erasure {
    /// The exact bytes to be signed.
    pub fn encode(&self) -> Result<String, StatementError> {
        statement::encode(self)
    }

    /// Reads signed bytes; refuses whatever [`encode`](Self::encode) would not have written.
    pub fn decode(text: &str) -> Result<Self, StatementError> {
        statement::decode(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_pinned_and_nothing_else_is_read() {
        let erasure = Erasure {
            repository: RepositoryId::from_bytes([1; 16]),
            file: FileId::from_bytes([2; 32]),
            size: 3,
            made_ms: 4,
            reason: "court order".into(),
        };
        let text = erasure.encode().expect("a statement");
        let expected = format!(
            "{{\"schema\":\"pentimento erasure v1\",\"repository\":\"{}\",\"file\":\"{}\",\"size\":3,\"made_ms\":4,\"reason\":\"court order\"}}",
            "01".repeat(16),
            "02".repeat(32)
        );
        assert_eq!(text, expected);
        assert_eq!(Erasure::decode(&text), Ok(erasure));
        for end in 0..text.len() {
            assert!(Erasure::decode(&text[..end]).is_err());
        }
        assert_eq!(Erasure::decode(&text.replace("\":3", "\": 3")), Err(StatementError::Form));
    }
}
