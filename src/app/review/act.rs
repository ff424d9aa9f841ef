//! Writes an action: names what was seen, signs, and keeps header, words and lists together.
//!
//! Every verb about submissions takes an [`Acting`]: who is at work, and on what.

use crate::app::error::AppError;
use crate::app::review::error::ReviewError;
use crate::app::review::log::{Reading, ReviewLog};
use crate::base::id::{ActionId, RepositoryId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::action::{Action, Audience, Body, Deed};
use crate::object::signature::Namespace;
use crate::object::transition::TransitionList;
use crate::repo::config::ConfigError;
use crate::repo::edit::JournalNote;
use crate::repo::people::Identity;
use crate::repo::review_log::ActionRecord;
use crate::repo::{Edit, Repository};
use crate::review::entry::Entry;
use crate::review::fold::Keys;
use crate::trust::Signer;

/// Who acts, and what they sign with.
#[derive(Clone, Copy)]
pub struct Actor<'a> {
    /// Who.
    pub identity: &'a Identity,
    /// With what.
    pub signer: &'a dyn Signer,
}

/// A person at work on the submissions of a repository.
#[derive(Clone, Copy)]
pub struct Acting<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// Who, and what they sign with.
    pub actor: Actor<'a>,
    /// Whose keys are whose.
    pub keys: &'a dyn Keys,
    /// The clock to go by.
    pub clock: &'a dyn Clock,
    /// Where long work reports to.
    pub monitor: &'a dyn Monitor,
}

/// What of a review is meant.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// The submission, by its draft or the beginning of its id; the only open one when `None`.
    pub submission: Option<String>,
    /// Folders and assets; the whole submission when empty.
    pub paths: Vec<AssetPath>,
}

/// A deed, and what is kept with it.
pub struct Doing<'a> {
    /// What is done.
    pub deed: Deed,
    /// The words that come with it.
    pub words: &'a str,
    /// The lists that it names.
    pub lists: &'a [&'a TransitionList],
    /// What the journal says of it.
    pub note: JournalNote,
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
        let person = self.identity.id;
        let body = Body::new(person, salt, words);
        let heads = log.heads_for(deed.submission());
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

impl Acting<'_> {
    /// Reads the review log as it stands now.
    pub fn read(&self) -> Result<Reading, AppError> {
        Reading::of(self.repository, self.keys, self.monitor)
    }

    /// Reads the review log again, after something was added.
    pub fn read_after(&self, before: &Reading) -> Result<Reading, AppError> {
        before.again_of(self.repository, self.keys, self.monitor)
    }

    /// Signs an action that has seen all of `log`, and keeps it in a change of its own.
    pub fn perform(&self, log: &ReviewLog, doing: Doing<'_>) -> Result<ActionId, AppError> {
        let Doing { deed, words, lists, note } = doing;
        let signed = self.actor.sign(self.repository.id(), log, deed, words, self.clock)?;
        let mut edit = self.repository.edit()?;
        let action = signed.keep(&mut edit, self.actor.identity, lists)?;
        edit.record(note, self.clock.now())?;
        edit.commit()?;
        Ok(action)
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
