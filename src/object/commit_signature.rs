//! Signatures of commits: statements beside the commit, so that its id says nothing of who signed.
//!
//! What is signed is a small JSON text in the style of an in-toto statement. Its subject is the
//! commit, named by its id, which `b3sum --derive-key` computes from the commit's bytes; its
//! predicate says in whose name, in which repository and when. Several people can sign one commit,
//! at any time. Exact bytes: `docs/format/signatures.md`.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::{CommitId, PersonId, RepositoryId};
use crate::base::time::Timestamp;
use crate::object::signature::{
    Fingerprint, Namespace, SIGNATURE_BYTES_MAX, Signature, SignatureError, Verified, verify,
};
use serde::{Deserialize, Serialize};

/// Version of the record that holds a statement and its signature.
const VERSION: u8 = 1;
/// Longest statement, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 1024;
/// What an in-toto statement calls itself.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// What the predicate calls itself.
const PREDICATE_TYPE: &str = "urn:pentimento:commit-signature:v1";
/// Name of the commit's bytes when they are exported.
const SUBJECT_NAME: &str = "commit.bin";

/// Why a record is no signature of a commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitSignatureError {
    /// The record's bytes are not what a writer would write.
    #[error(transparent)]
    Record(#[from] DecodeError),
    /// The signature is none, or does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The statement is none of this kind.
    #[error("the statement is none about a commit: {reason}")]
    Statement { reason: String },
    /// The statement says it in other bytes than a writer would.
    #[error("the statement is not written in its one form")]
    Form,
    /// The statement is about another commit.
    #[error("the statement is about another commit, {found}")]
    Commit { found: CommitId },
    /// The statement is about another repository.
    #[error("the statement is about another repository, {found}")]
    Repository { found: RepositoryId },
}

/// What a signer of a commit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitStatement {
    /// The commit.
    pub commit: CommitId,
    /// The repository: a signature does not count in another.
    pub repository: RepositoryId,
    /// In whose name.
    pub signer: PersonId,
    /// When, by the signer's clock.
    pub time: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: [Subject; 1],
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digest {
    #[serde(rename = "blake3:pentimento commit v1")]
    commit: CommitId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate {
    repository: RepositoryId,
    signer: PersonId,
    time: Timestamp,
}

impl CommitStatement {
    /// The exact bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        let form = Form {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: [Subject { name: SUBJECT_NAME.to_owned(), digest: Digest { commit: self.commit } }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: Predicate { repository: self.repository, signer: self.signer, time: self.time },
        };
        // Texts and numbers always have a form in JSON.
        serde_json::to_vec(&form).unwrap_or_default()
    }

    /// Reads exact bytes; takes only what [`CommitStatement::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CommitSignatureError> {
        let refuse = |reason: String| CommitSignatureError::Statement { reason };
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(refuse(format!("it is longer than {STATEMENT_BYTES_MAX} bytes")));
        }
        let form: Form = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
        let [subject] = form.subject;
        let Predicate { repository, signer, time } = form.predicate;
        let statement = Self { commit: subject.digest.commit, repository, signer, time };
        if statement.encode() == bytes { Ok(statement) } else { Err(CommitSignatureError::Form) }
    }
}

/// A statement about a commit with its signature, not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSignature {
    statement: Vec<u8>,
    signature: Signature,
}

impl CommitSignature {
    /// Puts a statement and its signature together.
    pub fn new(statement: &CommitStatement, signature: Signature) -> Self {
        Self { statement: statement.encode(), signature }
    }

    /// The exact bytes that were signed.
    pub fn statement(&self) -> &[u8] {
        &self.statement
    }

    /// The signature.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The key that is said to have signed.
    pub fn fingerprint(&self) -> Fingerprint {
        self.signature.public_key().fingerprint()
    }

    /// The canonical bytes of the record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        out.bytes(&self.statement).bytes(self.signature.as_bytes());
        out.finish()
    }

    /// Reads canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CommitSignatureError> {
        let mut input = Decoder::new("commit signature", bytes);
        input.version(VERSION)?;
        let statement = input.bytes(STATEMENT_BYTES_MAX)?.to_vec();
        let signature =
            Signature::from_bytes(input.bytes(SIGNATURE_BYTES_MAX)?).map_err(|error| match error {
                SignatureError::Encoding => input.error(DecodeErrorKind::Value).into(),
                other => CommitSignatureError::Signature(other),
            })?;
        input.finish()?;
        Ok(Self { statement, signature })
    }

    /// What is claimed, before anything is checked: to find the record's place by.
    pub fn claim(&self) -> Result<CommitStatement, CommitSignatureError> {
        CommitStatement::decode(&self.statement)
    }

    /// Checks that the key's holder signed this very commit in this very repository.
    pub fn verify(
        &self,
        repository: RepositoryId,
        commit: CommitId,
    ) -> Result<Verified<CommitStatement>, CommitSignatureError> {
        let statement =
            verify(&self.statement, &self.signature, Namespace::Commit)?.try_map(CommitStatement::decode)?;
        let said = statement.value();
        if said.commit != commit {
            return Err(CommitSignatureError::Commit { found: said.commit });
        }
        if said.repository != repository {
            return Err(CommitSignatureError::Repository { found: said.repository });
        }
        Ok(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATEMENT: CommitStatement = CommitStatement {
        commit: CommitId::from_bytes([0xab; 32]),
        repository: RepositoryId::from_bytes([2; 16]),
        signer: PersonId::from_bytes([3; 16]),
        time: Timestamp { unix_ms: 1_772_381_999_123, offset_minutes: 60 },
    };

    #[test]
    fn a_statement_has_its_frozen_bytes_and_no_others() {
        let text = String::from_utf8(STATEMENT.encode()).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"commit.bin","digest":"#,
                r#"{"blake3:pentimento commit v1":"#,
                r#""abababababababababababababababababababababababababababababababab"}}],"#,
                r#""predicateType":"urn:pentimento:commit-signature:v1","predicate":"#,
                r#"{"repository":"02020202020202020202020202020202","#,
                r#""signer":"03030303030303030303030303030303","#,
                r#""time":{"unix_ms":1772381999123,"offset_minutes":60}}}"#
            )
        );
        assert_eq!(CommitStatement::decode(text.as_bytes()), Ok(STATEMENT));
        for other in [
            text.replace("}],\"pred", "}] ,\"pred"),
            text.replace("commit.bin", "commit.txt"),
            text.replace("signature:v1", "signature:v2"),
            text.replace("\"time\"", "\"extra\":1,\"time\""),
            text.replace("abab", "ABAB"),
            format!("{text}\n"),
        ] {
            assert!(CommitStatement::decode(other.as_bytes()).is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_bring_the_readers_down(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = CommitSignature::decode(&bytes);
            let _ = CommitStatement::decode(&bytes);
            let mut record = vec![VERSION];
            record.extend(&bytes);
            let _ = CommitSignature::decode(&record);
        }
    }
}
