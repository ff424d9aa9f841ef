//! `erase --words`: removes what somebody said with an action of the review log. That it was said stays, with who
//! said it and when, and every signature still verifies; the permission travels with the log, so that the words
//! go everywhere.

use crate::app::common::rules::Rules;
use crate::app::common::signing::SigningAs;
use crate::app::error::AppError;
use crate::app::review::ReviewError;
use crate::app::review::describe::Words;
use crate::base::id::{ActionId, PersonId};
use crate::base::time::Clock;
use crate::object::action::{Action, Audience};
use crate::object::policy_link::Signed;
use crate::object::statement::StatementError;
use crate::object::words_erasure::WordsErasure;
use crate::repo::edit::JournalNote;
use crate::repo::review_log::BodyState;
use crate::repo::{RepoError, Repository, View};
use crate::sync::accept::{Judge as _, Said};
use serde::Serialize;

/// Fewest characters by which an action may be called.
const ID_CHARACTERS_MIN: usize = 8;

/// Which words, and why.
#[derive(Debug, Clone)]
pub struct Options {
    /// The action, by the beginning of its id.
    pub action: String,
    /// Why, for whoever asks.
    pub reason: String,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What went, or would.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether nothing was done and this is what would be.
    pub dry_run: bool,
    /// The action.
    pub action: ActionId,
    /// Who signed it.
    pub by: PersonId,
    /// The words, for a last look; `None` when they are not here.
    pub text: Option<String>,
    /// Whether they were gone already.
    pub already: bool,
}

/// Erases.
///
/// # Errors
/// [`ReviewError::NotYourWords`] when they are another's and the policy does not let this person erase.
pub fn run(
    repository: &Repository,
    options: &Options,
    signing: &dyn Fn() -> Result<SigningAs, AppError>,
    clock: &dyn Clock,
) -> Result<Report, AppError> {
    let view = repository.view()?;
    let (audience, id, action) = find(&view, &options.action)?;
    if let BodyState::Here(body) = view.review_body(action.body)?
        && body.actor != action.actor
    {
        // It passes another's words off as its own.
        return Err(ReviewError::NotYourWords.into());
    }
    let words = Words::of(&view, action.body, action.actor)?;
    let report = Report {
        dry_run: options.dry_run,
        action: id,
        by: action.actor,
        text: words.text,
        already: words.erased,
    };
    if options.dry_run || words.erased {
        return Ok(report);
    }
    let (signing, now) = (signing()?, clock.now());
    let statement = WordsErasure {
        repository: repository.id(),
        audience,
        action: id,
        body: action.body,
        made_ms: now.unix_ms,
        reason: options.reason.clone(),
    };
    let refuse = |error: StatementError| RepoError::Structure { message: error.to_string() };
    let mut signed = Signed::unsigned(statement.encode().map_err(refuse)?);
    signing.writer().sign_erasure(&mut signed)?;
    let keys = [signing.signer.public_key().clone()];
    let said = Said::Erasure { action: &action, keys: &keys };
    if !Rules::of(repository, now).accepts(&view, &said)? {
        return Err(ReviewError::NotYourWords.into());
    }
    let mut edit = repository.edit()?;
    edit.erase_review_body(action.body, Some(&signed))?;
    let summary = format!("erased the words of action {}", id.short());
    edit.record(JournalNote { verb: "erase", summary, ..JournalNote::default() }, now)?;
    edit.commit()?;
    Ok(report)
}

/// The action whose id begins so.
fn find(view: &View, text: &str) -> Result<(Audience, ActionId, Action), AppError> {
    let unknown = || AppError::NameUnknown { kind: "action", name: text.to_owned() };
    let is_id = text.len() >= ID_CHARACTERS_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        return Err(unknown());
    }
    let mut found = None;
    for audience in [Audience::Team, Audience::Guests] {
        for record in view.review_actions(audience)? {
            let id = record.id();
            if !id.to_string().starts_with(text) {
                continue;
            }
            if found.is_some() {
                return Err(unknown());
            }
            let action = Action::decode(&record.statement).map_err(ReviewError::from)?;
            found = Some((audience, id, action));
        }
    }
    found.ok_or_else(unknown)
}
