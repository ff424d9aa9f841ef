//! What this clone remembers of the shared log beside its entries: how far each remote was seen to have
//! it, which remote it is at home at, and entries of its own that others were quicker than.
//!
//! All of it is this clone's own and never leaves it. Keys are in `docs/format/shared-log.md`.

use crate::base::id::PersonId;
use crate::base::id::PolicyId;
use crate::object::log_entry::SignedEntry;
use crate::repo::error::RepoError;
use crate::repo::shared_log::LogHead;
use crate::repo::{Edit, View};
use crate::store::Space;

pub const SEEN_PREFIX: &str = "trust/seen/";
pub const SEEN_AT_PREFIX: &str = "trust/seen-at/";
const EXPECTED_KEY: &[u8] = b"trust/expected";
const REFUSED_PREFIX: &[u8] = b"trust/refused/";
const CONFIRMED_KEY: &[u8] = b"trust/confirmed";
const HOME_KEY: &[u8] = b"trust/home";
const LOCKS_KEY: &[u8] = b"trust/locks";
const LOCK_PERSON_KEY: &[u8] = b"locks/person";
const LOCK_GROUND_KEY: &[u8] = b"locks/applied";
const WAITING_PREFIX: &[u8] = b"trust/waiting/";

fn seen_key(remote: &str) -> Vec<u8> {
    format!("{SEEN_PREFIX}{remote}").into_bytes()
}

fn seen_at_key(remote: &str) -> Vec<u8> {
    format!("{SEEN_AT_PREFIX}{remote}").into_bytes()
}

fn refused_key(proposal: PolicyId) -> Vec<u8> {
    [REFUSED_PREFIX, proposal.as_bytes()].concat()
}

impl View {
    /// When that was, by this clone's own clock, in milliseconds since 1970: whatever came later was not there.
    pub fn seen_log_at(&self, remote: &str) -> Result<Option<i64>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::Settings, &seen_at_key(remote))?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(i64::from_le_bytes))
    }

    /// The first policy that its owner said this clone may take over from elsewhere.
    pub fn expected_root(&self) -> Result<Option<PolicyId>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::Settings, EXPECTED_KEY)?;
        Ok(bytes.and_then(|bytes| PolicyId::from_slice(&bytes)))
    }

    /// Whether a proposed policy was withdrawn here: it is not taken in again.
    pub fn is_refused_proposal(&self, proposal: PolicyId) -> Result<bool, RepoError> {
        Ok(self.snapshot().contains(Space::Settings, &refused_key(proposal))?)
    }

    /// The newest entry that a remote was seen to have.
    pub fn seen_log(&self, remote: &str) -> Result<Option<LogHead>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::Settings, &seen_key(remote))?;
        bytes.map(|bytes| LogHead::decode(&bytes)).transpose()
    }

    /// What the verification of the log left at the newest entry that any remote was seen to have.
    pub fn confirmed_log(&self) -> Result<Option<Vec<u8>>, RepoError> {
        Ok(self.snapshot().get(Space::Settings, CONFIRMED_KEY)?)
    }

    /// The remote at which the shared log is at home; `None` while it is at home here.
    pub fn home_remote(&self) -> Result<Option<String>, RepoError> {
        let bytes = self.snapshot().get(Space::Settings, HOME_KEY)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Whose locks let files of this worktree be written: whoever locked something here last.
    pub fn lock_person(&self) -> Result<Option<PersonId>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::Settings, LOCK_PERSON_KEY)?;
        Ok(bytes.and_then(|bytes| PersonId::from_slice(&bytes)))
    }

    /// What the modes of this worktree's files followed from when they were set last, as JSON.
    pub fn lock_ground(&self) -> Result<Option<Vec<u8>>, RepoError> {
        Ok(self.snapshot().get(Space::Settings, LOCK_GROUND_KEY)?)
    }

    /// The locks and lockable files of the log as it was verified last, as JSON; `None` without any.
    pub fn lock_notes(&self) -> Result<Option<Vec<u8>>, RepoError> {
        Ok(self.snapshot().get(Space::Settings, LOCKS_KEY)?)
    }

    /// Entries of this clone's own that the log went on without, oldest first.
    pub fn waiting_entries(&self) -> Result<Vec<SignedEntry>, RepoError> {
        let mut waiting = Vec::new();
        for row in self.snapshot().scan_prefix(Space::Settings, WAITING_PREFIX)? {
            let (_, bytes) = row?;
            let sequence = waiting.len() as u64 + 1;
            let entry = SignedEntry::decode(&bytes);
            waiting.push(entry.map_err(|source| RepoError::LogEntry { sequence, source })?);
        }
        Ok(waiting)
    }
}

impl Edit {
    /// Remembers the newest entry that a remote has at a moment by this clone's clock.
    pub fn put_seen_log(&mut self, remote: &str, head: LogHead, now_ms: i64) -> Result<(), RepoError> {
        self.transaction().put(Space::Settings, &seen_key(remote), &head.encode())?;
        Ok(self.transaction().put(Space::Settings, &seen_at_key(remote), &now_ms.to_le_bytes())?)
    }

    /// Forgets what a remote had.
    pub fn forget_seen_log(&mut self, remote: &str) -> Result<(), RepoError> {
        self.transaction().delete(Space::Settings, &seen_key(remote))?;
        self.transaction().delete(Space::Settings, &seen_at_key(remote))?;
        Ok(())
    }

    /// Lets this clone take a first policy over from elsewhere.
    pub fn expect_root(&mut self, root: PolicyId) -> Result<(), RepoError> {
        Ok(self.transaction().put(Space::Settings, EXPECTED_KEY, root.as_bytes())?)
    }

    /// Withdraws a proposed policy for good: it is not taken in again from elsewhere.
    pub fn refuse_proposal(&mut self, proposal: PolicyId) -> Result<(), RepoError> {
        self.withdraw_proposal(proposal)?;
        Ok(self.transaction().put(Space::Settings, &refused_key(proposal), &[])?)
    }

    /// Remembers the verification at the newest entry that any remote has.
    pub fn put_confirmed_log(&mut self, checkpoint: &[u8]) -> Result<(), RepoError> {
        Ok(self.transaction().put(Space::Settings, CONFIRMED_KEY, checkpoint)?)
    }

    /// Lets the locks of a person decide which files of this worktree may be written.
    pub fn put_lock_person(&mut self, person: PersonId) -> Result<(), RepoError> {
        Ok(self.transaction().put(Space::Settings, LOCK_PERSON_KEY, person.as_bytes())?)
    }

    /// Keeps what the modes of this worktree's files follow from.
    pub fn put_lock_ground(&mut self, ground: &[u8]) -> Result<(), RepoError> {
        Ok(self.transaction().put(Space::Settings, LOCK_GROUND_KEY, ground)?)
    }

    /// Notes the locks of the log, where looking at them costs little.
    pub fn put_lock_notes(&mut self, locks: Option<&[u8]>) -> Result<(), RepoError> {
        match locks {
            Some(locks) => self.transaction().put(Space::Settings, LOCKS_KEY, locks)?,
            None => drop(self.transaction().delete(Space::Settings, LOCKS_KEY)?),
        }
        Ok(())
    }

    /// Says at which remote the shared log is at home.
    pub fn put_home_remote(&mut self, remote: Option<&str>) -> Result<(), RepoError> {
        match remote {
            Some(remote) => self.transaction().put(Space::Settings, HOME_KEY, remote.as_bytes())?,
            None => drop(self.transaction().delete(Space::Settings, HOME_KEY)?),
        }
        Ok(())
    }

    /// Sets entries aside that the log went on without, after those that wait already.
    pub fn put_waiting(&mut self, entries: &[SignedEntry]) -> Result<(), RepoError> {
        let rows = self.transaction().scan_prefix(Space::Settings, WAITING_PREFIX)?;
        let last = rows.last().and_then(|(key, _)| key.get(WAITING_PREFIX.len()..)?.try_into().ok());
        let mut number = last.map_or(0, u64::from_be_bytes);
        for entry in entries {
            number += 1;
            let key = [WAITING_PREFIX, &number.to_be_bytes()].concat();
            self.transaction().put(Space::Settings, &key, &entry.encode())?;
        }
        Ok(())
    }

    /// Forgets the entries that wait: they were written anew, or are given up.
    pub fn clear_waiting(&mut self) -> Result<(), RepoError> {
        for (key, _) in self.transaction().scan_prefix(Space::Settings, WAITING_PREFIX)? {
            self.transaction().delete(Space::Settings, &key)?;
        }
        Ok(())
    }
}
