//! What is in a parcel: at hand, or in the note that tells that a remote has taken it. A push of terabytes has tens of
//! millions of entries, and needs them once more only when it publishes.

use crate::sync::error::SyncResult;
use crate::sync::push::noted_entries;
use crate::sync::remote::ObjectKey;
use std::borrow::Cow;
use std::path::PathBuf;

/// An object, and offset and length in bytes of the block or frame that has it.
pub type Entry = (ObjectKey, u32, u32);

/// The objects of a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entries {
    /// At hand.
    Here(Vec<Entry>),
    /// In a note beside the repository.
    Noted(PathBuf),
}

impl Entries {
    /// All of them.
    ///
    /// # Errors
    /// [`SyncError::Io`](crate::sync::SyncError::Io) when the note cannot be read any more.
    pub fn load(&self) -> SyncResult<Cow<'_, [Entry]>> {
        match self {
            Self::Here(entries) => Ok(Cow::Borrowed(entries)),
            Self::Noted(path) => Ok(Cow::Owned(noted_entries(path)?)),
        }
    }
}

impl Default for Entries {
    fn default() -> Self {
        Self::Here(Vec::new())
    }
}

impl From<Vec<Entry>> for Entries {
    fn from(entries: Vec<Entry>) -> Self {
        Self::Here(entries)
    }
}
