//! Links of the chain of policies: a policy's text, what it follows, and who signed it.
//!
//! A link is a JSON text that is signed as exactly these bytes (`docs/format/policy.md`). It says
//! which link it follows and has the next number, so an older policy can be signed by nobody's
//! leave but by a new link only: going back is a step forward that the quorum takes again.

use crate::base::id::{CommitId, PolicyId, RepositoryId};
use crate::base::ref_name::is_branch_or_tag;
use crate::object::signature::{Namespace, Signature, SignatureError, Verified, verify};
use crate::object::statement::{self, Statement, StatementError};
use crate::object::{ObjectKind, hash_object};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest statement, in bytes: room for a policy of 256 KiB as JSON writes it.
pub const LINK_BYTES_MAX: usize = 640 << 10;
/// Most links that one link follows: it settles that many rivals.
pub const PARENTS_MAX: usize = 16;
/// Most branches and tags whose start one link states.
pub const STARTS_MAX: usize = 1024;
/// Longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 4096;
/// Most signatures under one statement.
pub const SIGNATURES_MAX: usize = 128;

/// Why bytes are no link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("it is longer than {LINK_BYTES_MAX} bytes")]
    TooLong,
    #[error("it is no policy link: {reason}")]
    NotALink { reason: String },
    #[error("it is not written in its one form")]
    Form,
    #[error("it names too many {what}")]
    TooMany { what: &'static str },
    #[error("one of its signatures is none")]
    Signature(#[from] SignatureError),
}

impl From<StatementError> for LinkError {
    fn from(error: StatementError) -> Self {
        match error {
            StatementError::TooLong { .. } => Self::TooLong,
            StatementError::SomethingElse { reason, .. } => Self::NotALink { reason },
            StatementError::Form => Self::Form,
        }
    }
}

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLink {
    /// The repository that it belongs to.
    pub repository: RepositoryId,
    /// One more than the highest number of the links that it follows; 1 for the first.
    pub number: u64,
    /// The link that it follows; none for the first, several when it settles which of these holds.
    pub parents: Vec<PolicyId>,
    /// Where branches and tags stand from which on they are protected, by their stored names.
    pub starts: BTreeMap<String, CommitId>,
    /// When it was written, by the writer's clock, in milliseconds since 1970: for display only.
    pub made_ms: i64,
    /// Why, in words.
    pub reason: String,
    /// The policy.
    pub policy: String,
}

impl Statement for PolicyLink {
    const SCHEMA: &'static str = "pentimento policy link v1";
    const WHAT: &'static str = "policy link";
    const BYTES_MAX: usize = LINK_BYTES_MAX;
}

impl PolicyLink {
    /// The exact bytes to be signed.
    pub fn encode(&self) -> Result<String, LinkError> {
        self.check()?;
        Ok(statement::encode(self)?)
    }

    /// Reads signed bytes; refuses whatever [`encode`](Self::encode) would not have written.
    pub fn decode(text: &str) -> Result<Self, LinkError> {
        let link: Self = statement::decode(text)?;
        link.check()?;
        Ok(link)
    }

    /// The id of a link with these bytes. A signature is no part of it.
    pub fn id_of(statement: &str) -> PolicyId {
        PolicyId::from_bytes(hash_object(ObjectKind::PolicyLink, statement.as_bytes()))
    }

    fn check(&self) -> Result<(), LinkError> {
        if self.parents.len() > PARENTS_MAX {
            return Err(LinkError::TooMany { what: "parents" });
        }
        if self.starts.len() > STARTS_MAX {
            return Err(LinkError::TooMany { what: "starts" });
        }
        if self.reason.len() > REASON_BYTES_MAX {
            return Err(LinkError::TooLong);
        }
        if !self.starts.keys().all(|name| is_branch_or_tag(name)) {
            return Err(LinkError::Form);
        }
        let sorted = self.parents.windows(2).all(|pair| pair[0] < pair[1]);
        let first = self.parents.is_empty() == (self.number == 1) && self.number > 0;
        if sorted && first { Ok(()) } else { Err(LinkError::Form) }
    }
}

/// A statement with the signatures under it, as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The exact bytes that were signed.
    pub statement: String,
    /// Signatures in their armoured form, each by a key of its own, in the order of the keys.
    pub signatures: Vec<String>,
}

impl Signed {
    /// A statement that nobody has signed yet.
    pub const fn unsigned(statement: String) -> Self {
        Self { statement, signatures: Vec::new() }
    }

    /// Adds a signature; one of the same key is replaced.
    pub fn add(&mut self, signature: &Signature) -> Result<(), LinkError> {
        let mut all = self.parsed()?;
        all.retain(|other| other.public_key() != signature.public_key());
        all.push(signature.clone());
        if all.len() > SIGNATURES_MAX {
            return Err(LinkError::TooMany { what: "signatures" });
        }
        all.sort_by(|left, right| left.public_key().cmp(right.public_key()));
        self.signatures = all.iter().map(Signature::armored).collect();
        Ok(())
    }

    /// The signatures. Refuses two by one key and any other order than that of the keys.
    pub fn parsed(&self) -> Result<Vec<Signature>, LinkError> {
        if self.signatures.len() > SIGNATURES_MAX {
            return Err(LinkError::TooMany { what: "signatures" });
        }
        let mut all: Vec<Signature> = Vec::with_capacity(self.signatures.len());
        for text in &self.signatures {
            let signature = Signature::parse_armored(text)?;
            if all.last().is_some_and(|last| last.public_key() >= signature.public_key()) {
                return Err(LinkError::Form);
            }
            all.push(signature);
        }
        Ok(all)
    }

    /// The signatures that hold, each as the statement under its key's seal. One that does not hold
    /// makes the whole be refused: a careless or hostile copier is to be noticed.
    pub fn verified(&self, namespace: Namespace) -> Result<Vec<Verified<&[u8]>>, LinkError> {
        let statement = self.statement.as_bytes();
        let all = self.parsed()?;
        all.iter().map(|signature| Ok(verify(statement, signature, namespace)?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> PolicyLink {
        PolicyLink {
            repository: RepositoryId::from_bytes([1; 16]),
            number: 2,
            parents: vec![PolicyId::from_bytes([2; 32])],
            starts: BTreeMap::from([("branch/main".to_owned(), CommitId::from_bytes([3; 32]))]),
            made_ms: 5,
            reason: "a second editor".into(),
            policy: "version = 1\n".into(),
        }
    }

    #[test]
    fn the_bytes_of_a_link_and_its_id_are_pinned() {
        let text = sample().encode().expect("a link");
        let expected = format!(
            "{{\"schema\":\"pentimento policy link v1\",\"repository\":\"{}\",\"number\":2,\"parents\":[\"{}\"],\
             \"starts\":{{\"branch/main\":\"{}\"}},\"made_ms\":5,\"reason\":\"a second editor\",\
             \"policy\":\"version = 1\\n\"}}",
            "01".repeat(16),
            "02".repeat(32),
            "03".repeat(32)
        );
        assert_eq!(text, expected);
        assert_eq!(PolicyLink::decode(&text), Ok(sample()));
        let context = "pentimento policy link v1";
        assert_eq!(*PolicyLink::id_of(&text).as_bytes(), blake3::derive_key(context, text.as_bytes()));
    }

    #[test]
    fn what_no_writer_would_write_is_refused() {
        let good = sample().encode().expect("a link");
        for (from, to) in [
            ("\"number\":2", "\"number\": 2"),
            ("\"number\":2", "\"number\":1"),
            ("\"number\":2", "\"number\":2,\"extra\":1"),
            ("\"reason\"", "\"reason\":\"x\",\"reason\""),
            ("link v1", "link v2"),
        ] {
            assert!(PolicyLink::decode(&good.replacen(from, to, 1)).is_err(), "{from} -> {to}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(at in 0usize..400, put in ".{0,6}") {
            let mut text = sample().encode().expect("a link");
            let at = at.min(text.len());
            if text.is_char_boundary(at) {
                text.insert_str(at, &put);
            }
            if let Ok(link) = PolicyLink::decode(&text) {
                prop_assert_eq!(link.encode(), Ok(text));
            }
        }
    }
}
