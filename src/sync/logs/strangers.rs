//! What is kept of people whom no policy names.
//!
//! Anybody who can write into a folder, and anybody whose work somebody else pushes, can make keys and sign with
//! each. Nothing of what they say counts; that they may say it at all is so that somebody who is named later is
//! heard from the beginning. So little of it is kept, and of whoever is named everything: what was left out is
//! taken in by the next fetch after the policy names them.

use crate::base::id::{ActionId, CommitId};
use crate::object::action::{Action, Audience};
use crate::object::commit_signature::CommitSignature;
use crate::object::signature::{Fingerprint, Verified};
use crate::repo::review_log::ActionRecord;
use crate::repo::{Edit, View};
use crate::store::Space;
use crate::sync::accept::Known;
use crate::sync::error::SyncResult;
use crate::sync::logs::Inbox;
use crate::sync::remote::{Kind, ObjectKey};
use std::collections::HashSet;

/// Most actions of strangers that are kept, of all audiences together.
pub const ACTIONS_MAX: usize = 1000;
/// Longest header of a stranger's action, in bytes.
pub const HEADER_BYTES_MAX: usize = 8 << 10;
/// Longest words of a stranger's action, in bytes.
pub const WORDS_BYTES_MAX: usize = 16 << 10;
/// Longest list of transitions that only strangers name, in bytes: some hundred assets.
pub const LIST_BYTES_MAX: usize = 64 << 10;
/// Most signatures of one commit by keys that no policy names.
pub const SIGNATURES_MAX: usize = 16;

/// Tells strangers apart. Where there is no policy, nobody is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strangers<'a> {
    pub known: Option<&'a Known>,
}

impl Strangers<'_> {
    /// Whether whoever signed an action is one: a key that no policy names, or that is another's.
    pub fn is_of_one(self, action: &Verified<Action>) -> bool {
        let key = action.key().fingerprint();
        self.known.is_some_and(|known| !known.holds(&key, action.value().actor))
    }

    fn is_one(self, key: &Fingerprint) -> bool {
        self.known.is_some_and(|known| !known.names(key))
    }

    /// Of these actions of strangers those that are kept: as many as there is room for, short ones only. What
    /// lies here already of people who were strangers once and are none any more takes no room.
    pub fn kept(
        self,
        view: &View,
        strangers: &[(&ActionRecord, &Verified<Action>)],
        inbox: &Inbox,
    ) -> SyncResult<HashSet<ActionId>> {
        if strangers.is_empty() {
            return Ok(HashSet::new());
        }
        let mut here = 0;
        for audience in [Audience::Team, Audience::Guests] {
            for record in view.review_actions(audience)? {
                let Ok(action) = Action::decode(&record.statement) else { continue };
                let is_known = self.known.is_some_and(|known| known.holds(&action.key, action.actor));
                here += usize::from(!is_known);
            }
        }
        let is_short = |(record, action): &(&ActionRecord, &Verified<Action>)| {
            let words = inbox.length(&ObjectKey::new(Kind::ActionBody, *action.value().body.as_bytes()));
            record.statement.len() <= HEADER_BYTES_MAX && words.is_none_or(|length| length <= WORDS_BYTES_MAX)
        };
        let mut short: Vec<ActionId> =
            strangers.iter().filter(|action| is_short(action)).map(|(record, _)| record.id()).collect();
        // Which ones it is does not depend on the order in which they came.
        short.sort_unstable();
        short.truncate(ACTIONS_MAX.saturating_sub(here));
        Ok(short.into_iter().collect())
    }

    /// Whether there is room for a signature of a commit: for those of known keys always, for others if the
    /// commit is here and has few of them.
    pub fn have_room_for(
        self,
        edit: &mut Edit,
        commit: CommitId,
        record: &CommitSignature,
    ) -> SyncResult<bool> {
        let key = record.fingerprint();
        if !self.is_one(&key) {
            return Ok(true);
        }
        if edit.transaction().get(Space::Commits, commit.as_bytes())?.is_none() {
            return Ok(false);
        }
        let rows = edit.transaction().scan_prefix(Space::CommitSignatures, commit.as_bytes())?;
        let keys = rows.iter().filter_map(|(row, _)| row.get(32..)?.try_into().ok());
        let others: Vec<Fingerprint> =
            keys.map(Fingerprint::from_bytes).filter(|other| self.is_one(other)).collect();
        Ok(others.len() < SIGNATURES_MAX || others.contains(&key))
    }
}
