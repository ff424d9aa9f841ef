//! The signed permission to remove a file's bytes for good.

use crate::base::id::{FileId, RepositoryId};
use serde::{Deserialize, Serialize};

/// What the statement calls itself.
const SCHEMA: &str = "pentimento erasure v1";
/// Longest statement, in bytes.
pub const ERASURE_BYTES_MAX: usize = 20 << 10;

/// Why bytes are no such permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErasureError {
    #[error("it is longer than {ERASURE_BYTES_MAX} bytes")]
    TooLong,
    #[error("it is no permission to erase a file: {reason}")]
    NotAnErasure { reason: String },
    #[error("it is not written in its one form")]
    Form,
}

/// What the permission says.
#[derive(Debug, Clone, PartialEq, Eq)]
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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    schema: String,
    repository: RepositoryId,
    file: FileId,
    size: u64,
    made_ms: i64,
    reason: String,
}

impl Erasure {
    /// The exact bytes to be signed.
    pub fn encode(&self) -> Result<String, ErasureError> {
        let statement = Statement {
            schema: SCHEMA.to_owned(),
            repository: self.repository,
            file: self.file,
            size: self.size,
            made_ms: self.made_ms,
            reason: self.reason.clone(),
        };
        let text = serde_json::to_string(&statement)
            .map_err(|error| ErasureError::NotAnErasure { reason: error.to_string() })?;
        if text.len() > ERASURE_BYTES_MAX { Err(ErasureError::TooLong) } else { Ok(text) }
    }

    /// Reads signed bytes; refuses whatever [`encode`](Self::encode) would not have written.
    pub fn decode(text: &str) -> Result<Self, ErasureError> {
        if text.len() > ERASURE_BYTES_MAX {
            return Err(ErasureError::TooLong);
        }
        let statement: Statement = serde_json::from_str(text)
            .map_err(|error| ErasureError::NotAnErasure { reason: error.to_string() })?;
        if statement.schema != SCHEMA {
            let reason = format!("it calls itself {:?}", statement.schema);
            return Err(ErasureError::NotAnErasure { reason });
        }
        let Statement { repository, file, size, made_ms, reason, .. } = statement;
        let erasure = Self { repository, file, size, made_ms, reason };
        if erasure.encode()? == text { Ok(erasure) } else { Err(ErasureError::Form) }
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
        assert_eq!(Erasure::decode(&text.replace("\":3", "\": 3")), Err(ErasureError::Form));
    }
}
