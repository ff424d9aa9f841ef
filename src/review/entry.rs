//! An action whose signature was verified.

use crate::base::id::ActionId;
use crate::object::action::Action;
use crate::object::signature::{Namespace, PublicKey, SignatureError, Verified};
use crate::repo::review_log::ActionRecord;
pub use crate::repo::review_log::ActionRecordError as EntryError;

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
        Ok(Self { id: record.id(), action: record.verified()? })
    }

    /// Takes up a record of which this clone remembers that it verified it; `None` when that was another.
    pub(crate) fn remembered(record: &ActionRecord, basis: &[u8; 32]) -> Option<Self> {
        Some(Self { id: record.id(), action: record.remembered(basis)? })
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
