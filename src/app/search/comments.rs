//! Comments on assets, as the review log has them.

use crate::app::error::AppError;
use crate::app::review::describe::Words;
use crate::app::review::keys::ReviewKeys;
use crate::app::review::log::ReviewLog;
use crate::app::search::describe::Comments;
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
use crate::repo::sets::LogSet;
use crate::repo::{Repository, View};
use crate::review::submission::Said;
use crate::rules::keyring::Keyring;

/// A mark of the review log: another one when something was said or erased, or came along late.
pub fn mark(view: &View) -> Result<String, AppError> {
    let mut hasher = blake3::Hasher::new_derive_key("pentimento catalog review log v1");
    for (member, _) in view.review_members(LogSet::Team)? {
        hasher.update(&member.id);
    }
    hasher.update(&view.erasures()?.to_le_bytes());
    hasher.update(&(view.missing_words(0)?.len() as u64).to_le_bytes());
    Ok(hasher.finalize().to_hex().to_string())
}

/// What was said about single assets.
pub fn read(
    repository: &Repository,
    view: &View,
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<Comments, AppError> {
    let mut comments = Comments::new();
    if view.review_members(LogSet::Team)?.is_empty() {
        return Ok(comments);
    }
    let keys = ReviewKeys::of(repository, Keyring::default(), now, monitor)?;
    let log = ReviewLog::read(view, repository.id(), &keys, monitor)?;
    let in_submissions = log.state.submissions.values().flat_map(|submission| &submission.comments);
    for said in in_submissions.chain(&log.state.comments) {
        add(view, said, &mut comments)?;
    }
    Ok(comments)
}

fn add(view: &View, said: &Said, comments: &mut Comments) -> Result<(), AppError> {
    if said.about.about.is_empty() {
        return Ok(());
    }
    if let Some(text) = Words::of(view, said.body, said.by)?.text {
        for about in &said.about.about {
            comments.entry(about.asset).or_default().push(text.clone());
        }
    }
    Ok(())
}
