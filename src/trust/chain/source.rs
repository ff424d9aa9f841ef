//! Where entries of a log come from: a repository, or whatever somebody sent.

use crate::base::id::LogEntryId;
use crate::object::log_entry::SignedEntry;
use crate::repo::shared_log::LogHead;
use crate::repo::{RepoError, View};

/// Entries in the order in which they lie there.
pub type Entries<'a> = Box<dyn Iterator<Item = Result<SignedEntry, RepoError>> + 'a>;

/// Gives the entries of a log as they lie there, unverified.
pub trait LogSource {
    /// Its newest entry, as it says itself.
    fn head(&self) -> Result<Option<LogHead>, RepoError>;

    /// The id of an entry; `None` when it is not there.
    fn id_at(&self, sequence: u64) -> Result<Option<LogEntryId>, RepoError>;

    /// The entries from a number on.
    fn entries(&self, from: u64) -> Result<Entries<'_>, RepoError>;
}

impl LogSource for View {
    fn head(&self) -> Result<Option<LogHead>, RepoError> {
        self.log_head()
    }

    fn id_at(&self, sequence: u64) -> Result<Option<LogEntryId>, RepoError> {
        Ok(self.log_entry(sequence)?.map(|entry| entry.id()))
    }

    fn entries(&self, from: u64) -> Result<Entries<'_>, RepoError> {
        Ok(Box::new(self.log_entries(from)?))
    }
}

/// Entries in memory: what was received and is to be verified before it is kept.
impl LogSource for [SignedEntry] {
    fn head(&self) -> Result<Option<LogHead>, RepoError> {
        Ok(self.last().map(|entry| LogHead { sequence: self.len() as u64, id: entry.id() }))
    }

    fn id_at(&self, sequence: u64) -> Result<Option<LogEntryId>, RepoError> {
        let index = sequence.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        Ok(index.and_then(|index| self.get(index)).map(SignedEntry::id))
    }

    fn entries(&self, from: u64) -> Result<Entries<'_>, RepoError> {
        let skipped = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(Box::new(self.iter().skip(skipped).cloned().map(Ok)))
    }
}
