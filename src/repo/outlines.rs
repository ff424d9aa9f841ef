//! What of each action of a review log says where it belongs: which submission it is about, and what its signer
//! had seen. From this follows the order of all actions, and which of them have to be looked at, without reading
//! and verifying all of them each time.
//!
//! An outline is kept only of an action whose signature was verified. Rows follow from the actions: they can be
//! dropped at any time and are then made again. `docs/format/sets.md` has them.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::ActionId;
use crate::object::action::{Action, Audience, HEADS_MAX};
use crate::object::signature::Verified;
use crate::repo::error::RepoError;
use crate::repo::sets::LogSet;
use crate::repo::{Edit, Repository, View};
use crate::store::{Space, StoreError, Transaction};
use rayon::prelude::*;

const VERSION: u8 = 1;
const OUTLINE_ROW: u8 = b'a';
/// Key of the row that says that all actions of an audience have their outlines.
const MADE_ROW: u8 = b'A';
/// Most actions that one names: heads, its actor's last, a submission and another action.
const PARENTS_MAX: u64 = HEADS_MAX as u64 + 3;

/// What is kept of one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The submission that it is about; `None` for one that begins a submission, and for words on assets alone.
    pub submission: Option<ActionId>,
    /// The actions that it comes after, sorted.
    pub parents: Vec<ActionId>,
}

impl Outline {
    /// The outline of an action.
    pub fn of(action: &Verified<Action>) -> Self {
        let action = action.value();
        Self { submission: action.deed.submission(), parents: action.parents() }
    }

    /// The stored bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        out.uint(u64::from(self.submission.is_some()));
        if let Some(submission) = self.submission {
            out.raw(submission.as_bytes());
        }
        out.uint(self.parents.len() as u64);
        for parent in &self.parents {
            out.raw(parent.as_bytes());
        }
        out.finish()
    }

    /// Reads stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("outline of an action", bytes);
        input.version(VERSION)?;
        let submission = match input.uint()? {
            0 => None,
            1 => Some(ActionId::from_bytes(input.array()?)),
            _ => return Err(input.error(DecodeErrorKind::Value)),
        };
        let count = input.uint()?;
        if count > PARENTS_MAX {
            return Err(input.error(DecodeErrorKind::Value));
        }
        let mut parents = Vec::new();
        for _ in 0..count {
            parents.push(ActionId::from_bytes(input.array()?));
        }
        if parents.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(input.error(DecodeErrorKind::Value));
        }
        input.finish()?;
        Ok(Self { submission, parents })
    }
}

const fn tag(audience: Audience) -> u8 {
    match audience {
        Audience::Team => b't',
        Audience::Guests => b'g',
    }
}

fn row(audience: Audience, id: ActionId) -> Vec<u8> {
    [[OUTLINE_ROW, tag(audience)].as_slice(), id.as_bytes()].concat()
}

impl View {
    /// The outlines of all actions of an audience whose signatures hold; `None` where they are not made yet or
    /// cannot be read.
    pub fn review_outlines(&self, audience: Audience) -> Result<Option<Vec<(ActionId, Outline)>>, RepoError> {
        if !self.snapshot().contains(Space::Sets, &[MADE_ROW, tag(audience)])? {
            return Ok(None);
        }
        let mut all = Vec::new();
        for found in self.snapshot().scan_prefix(Space::Sets, &[OUTLINE_ROW, tag(audience)])? {
            let (key, bytes) = found?;
            let id = ActionId::from_slice(key.get(2..).unwrap_or_default());
            // Whoever asks reads the actions themselves then.
            let (Some(id), Ok(outline)) = (id, Outline::decode(&bytes)) else { return Ok(None) };
            all.push((id, outline));
        }
        Ok(Some(all))
    }
}

impl Edit {
    /// Keeps the outline of an action that is added, where those of all others are kept.
    pub(super) fn put_outline(
        &mut self,
        audience: Audience,
        id: ActionId,
        action: &Verified<Action>,
    ) -> Result<(), RepoError> {
        if self.transaction().get(Space::Sets, &[MADE_ROW, tag(audience)])?.is_some() {
            let outline = Outline::of(action).encode();
            self.transaction().put(Space::Sets, &row(audience, id), &outline)?;
        }
        Ok(())
    }
}

impl Repository {
    /// Makes the outlines of an audience's actions where they are not made yet; signatures are verified for that.
    pub fn settle_outlines(&self, audience: Audience) -> Result<(), RepoError> {
        let made = [MADE_ROW, tag(audience)];
        if self.view()?.snapshot().contains(Space::Sets, &made)? {
            return Ok(());
        }
        let mut edit = self.edit()?;
        let records = self.view()?.review_actions(audience)?;
        let outlines: Vec<(ActionId, Outline)> = records
            .par_iter()
            .filter_map(|record| Some((record.id(), Outline::of(&record.verified().ok()?))))
            .collect();
        forget(edit.transaction(), audience)?;
        for (id, outline) in outlines {
            edit.transaction().put(Space::Sets, &row(audience, id), &outline.encode())?;
        }
        edit.transaction().put(Space::Sets, &made, &[])?;
        edit.commit()
    }
}

/// Forgets the outlines of a set's actions, because these were changed in other ways.
pub(super) fn forget_of(transaction: &mut Transaction, set: LogSet) -> Result<(), StoreError> {
    set.audience().map_or(Ok(()), |audience| forget(transaction, audience))
}

fn forget(transaction: &mut Transaction, audience: Audience) -> Result<(), StoreError> {
    transaction.delete(Space::Sets, &[MADE_ROW, tag(audience)])?;
    for (key, _) in transaction.scan_prefix(Space::Sets, &[OUTLINE_ROW, tag(audience)])? {
        transaction.delete(Space::Sets, &key)?;
    }
    Ok(())
}
