//! Writes an action: names what was seen, signs, and keeps header, words and lists together.

use crate::app::error::AppError;
use crate::app::review::error::ReviewError;
use crate::app::review::log::ReviewLog;
use crate::base::id::{ActionId, RepositoryId};
use crate::base::time::Clock;
use crate::object::action::{Action, Audience, Body, Deed, HEADS_MAX};
use crate::object::signature::Namespace;
use crate::object::transition::TransitionList;
use crate::repo::Edit;
use crate::repo::config::ConfigError;
use crate::repo::people::Identity;
use crate::repo::review_log::ActionRecord;
use crate::review::entry::Entry;
use crate::trust::Signer;

/// Who acts, and what they sign with.
#[derive(Clone, Copy)]
pub struct Actor<'a> {
    /// Who.
    pub identity: &'a Identity,
    /// With what.
    pub signer: &'a dyn Signer,
}

/// An action that was signed and is not kept yet.
pub struct Signed {
    /// The verified action.
    pub entry: Entry,
    record: ActionRecord,
    body: Body,
}

impl Actor<'_> {
    /// Signs an action that has seen all of `log`. May wait for a person to type or touch.
    pub fn sign(
        self,
        repository: RepositoryId,
        log: &ReviewLog,
        deed: Deed,
        words: &str,
        clock: &dyn Clock,
    ) -> Result<Signed, AppError> {
        let mut salt = [0u8; 16];
        getrandom::fill(&mut salt).map_err(|_| ConfigError::Random)?;
        let body = Body::new(salt, words);
        let person = self.identity.id;
        let mut heads = log.state.heads.clone();
        heads.truncate(HEADS_MAX);
        let action = Action {
            repository,
            audience: Audience::Team,
            actor: person,
            key: self.signer.public_key().fingerprint(),
            previous: log.causal.newest_of(person),
            heads,
            time: clock.now(),
            body: body.id(),
            deed,
        };
        let statement = action.encode().map_err(ReviewError::from)?;
        let signature =
            self.signer.sign(Namespace::Action, &statement).map_err(ReviewError::from)?.as_bytes().to_vec();
        let record = ActionRecord { statement, signature };
        let entry =
            Entry::verify(&record).map_err(|error| ReviewError::Unsigned { reason: error.to_string() })?;
        Ok(Signed { entry, record, body })
    }
}

impl Signed {
    /// Keeps it, with the lists that it names and its signer's name, as part of a change.
    pub fn keep(
        &self,
        edit: &mut Edit,
        identity: &Identity,
        lists: &[&TransitionList],
    ) -> Result<ActionId, AppError> {
        for list in lists {
            edit.put_review_list(list)?;
        }
        edit.put_review_body(&self.body)?;
        edit.put_person(identity.id, &identity.person)?;
        Ok(edit.put_review_action(Audience::Team, &self.record)?)
    }
}
