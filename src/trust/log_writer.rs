//! Makes entries of the shared log and policy links, and signs them.

use crate::base::id::PersonId;
use crate::object::log_entry::{EntryError, LogDeed, LogEntry, SignedEntry};
use crate::object::policy_link::{LinkError, Signed};
use crate::object::signature::Namespace;
use crate::rules::approval::Actor;
use crate::trust::chain::VerifiedLog;
use crate::trust::{Signer, TrustError};

/// Why an entry or a link could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The key did not sign.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The entry cannot be written.
    #[error("the entry of the shared log cannot be written: {0}")]
    Entry(#[from] EntryError),
    /// The link cannot be written.
    #[error("the policy link cannot be written: {0}")]
    Link(#[from] LinkError),
}

/// A person who writes into the shared log, with the key that signs.
#[derive(Clone, Copy)]
pub struct LogWriter<'a> {
    /// The person.
    pub person: PersonId,
    /// The key.
    pub signer: &'a dyn Signer,
}

impl LogWriter<'_> {
    /// The person and key, as a judgement asks for them.
    pub fn actor(&self) -> Actor {
        Actor { person: self.person, key: self.signer.public_key().clone() }
    }

    /// Signs the entry that comes next.
    ///
    /// It is received at `now_ms`, or with the entry before it if that one's clock was ahead.
    pub fn entry(&self, log: &VerifiedLog, deed: LogDeed, now_ms: i64) -> Result<SignedEntry, WriteError> {
        let head = log.head();
        let entry = LogEntry {
            repository: log.repository(),
            sequence: head.map_or(1, |head| head.sequence + 1),
            previous: head.map(|head| head.id),
            received_ms: now_ms.max(log.received_ms()),
            actor: self.person,
            key: self.signer.public_key().fingerprint(),
            deed,
        };
        let statement = entry.encode()?;
        let signature = self.signer.sign(Namespace::Log, &statement)?;
        Ok(SignedEntry { statement, signature })
    }

    /// Puts this person's signature under a policy link.
    pub fn sign_link(&self, link: &mut Signed) -> Result<(), WriteError> {
        self.sign(link, Namespace::Policy)
    }

    /// Puts this person's signature under a permission to erase a file.
    pub fn sign_erasure(&self, erasure: &mut Signed) -> Result<(), WriteError> {
        self.sign(erasure, Namespace::Erase)
    }

    fn sign(&self, signed: &mut Signed, namespace: Namespace) -> Result<(), WriteError> {
        let signature = self.signer.sign(namespace, signed.statement.as_bytes())?;
        Ok(signed.add(&signature)?)
    }
}
