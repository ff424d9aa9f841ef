//! An action whose signature was verified.

use crate::base::id::ActionId;
use crate::object::action::{Action, ActionError};
use crate::object::signature::{Namespace, PublicKey, Signature, SignatureError, Verified, verify};
use crate::repo::review_log::ActionRecord;

/// Why a record of the log is no action that counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The signature is none, or not one over this header for this purpose.
    #[error("its signature does not hold: {0}")]
    Signature(#[from] SignatureError),
    /// The header cannot be read.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// The header names another key than the one that signed it.
    #[error("it names another key than the one that signed it")]
    OtherKey,
}

/// An action of the log. One exists only where a signature by the key that the action names verified
/// over exactly its bytes, for the purpose of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    id: ActionId,
    action: Verified<Action>,
}

impl Entry {
    /// Verifies a record.
    pub fn verify(record: &ActionRecord) -> Result<Self, EntryError> {
        let signature = Signature::from_bytes(&record.signature)?;
        Self::new(verify(&record.statement, &signature, Namespace::Action)?)
    }

    /// Reads a header that was verified.
    pub fn new(header: Verified<&[u8]>) -> Result<Self, EntryError> {
        if header.namespace() != Namespace::Action {
            let found = header.namespace().as_str().to_owned();
            return Err(SignatureError::Namespace { expected: Namespace::Action, found }.into());
        }
        let id = Action::id_of(header.value());
        let action = header.try_map(Action::decode)?;
        if action.value().key != action.key().fingerprint() {
            return Err(EntryError::OtherKey);
        }
        Ok(Self { id, action })
    }

    /// The action's id.
    pub const fn id(&self) -> ActionId {
        self.id
    }

    /// What it says.
    pub fn action(&self) -> &Action {
        self.action.value()
    }

    /// The key that signed it.
    pub fn key(&self) -> &PublicKey {
        self.action.key()
    }

    /// What it says, under its signer's seal.
    pub fn sealed(&self) -> Verified<Action> {
        self.action.clone()
    }
}
