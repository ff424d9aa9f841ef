//! A shared log that arrives: read together with what is here of it, and told about.

use crate::base::id::{ActionId, LogEntryId};
use crate::object::action::Audience;
use crate::object::log_entry::{LogDeed, LogEntry, RefMoved, SignedEntry};
use crate::repo::shared_log::LogHead;
use crate::repo::{RepoError, View};
use crate::sync::error::SyncResult;
use crate::trust::chain::{ChainError, Entries, LogSource};

/// Entries that are here up to a number, and then others.
pub struct Joined<'a> {
    /// The repository.
    pub view: &'a View,
    /// The newest entry of the whole.
    pub head: LogHead,
    /// The last entry that is here.
    pub common: u64,
    /// Those that follow it.
    pub entries: &'a [SignedEntry],
}

impl LogSource for Joined<'_> {
    fn head(&self) -> Result<Option<LogHead>, RepoError> {
        Ok(Some(self.head))
    }

    fn id_at(&self, sequence: u64) -> Result<Option<LogEntryId>, RepoError> {
        match sequence.checked_sub(self.common + 1) {
            None => Ok(self.view.log_entry(sequence)?.map(|entry| entry.id())),
            Some(place) => {
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                Ok(self.entries.get(place).map(SignedEntry::id))
            }
        }
    }

    fn entries(&self, from: u64) -> Result<Entries<'_>, RepoError> {
        let here = usize::try_from((self.common + 1).saturating_sub(from)).unwrap_or(usize::MAX);
        let skipped = usize::try_from(from.saturating_sub(self.common + 1)).unwrap_or(usize::MAX);
        let ours = self.view.log_entries(from)?.take(here);
        Ok(Box::new(ours.chain(self.entries.iter().skip(skipped).cloned().map(Ok))))
    }
}

/// What is told of a log that verifies, although something is here that its entries leave out.
pub fn told_of_left_out(error: &ChainError) -> String {
    format!(
        "something of a review is here that whoever landed did not know of, or left out; with it, {error}. `pent review` \
         shows what was said"
    )
}

/// Why a log does not verify, and what of the review log that it rests on did not come.
pub fn told(view: &View, error: &ChainError, entries: &[SignedEntry]) -> SyncResult<String> {
    let mut missing: Vec<ActionId> = Vec::new();
    for signed in entries {
        let Ok(entry) = LogEntry::decode(&signed.statement) else { continue };
        if let LogDeed::Move(RefMoved { heads, .. }) = entry.deed {
            for head in heads {
                let is_here = view.review_action(Audience::Team, head)?.is_some()
                    || view.review_action(Audience::Guests, head)?.is_some();
                if !is_here && !missing.contains(&head) {
                    missing.push(head);
                }
            }
        }
    }
    let withheld = match missing.as_slice() {
        [] => String::new(),
        [first, rest @ ..] => format!(
            "; {} of the review log that it rests on did not come, action {} first",
            if rest.is_empty() { "1 action".to_owned() } else { format!("{} actions", missing.len()) },
            first.short()
        ),
    };
    Ok(format!("{error}{withheld}"))
}
