//! Comments on assets and on whole submissions, as the review log has them.

use crate::app::error::AppError;
use crate::app::review::describe::{Words, transitions_of};
use crate::app::review::keys::ReviewKeys;
use crate::app::review::log::{Lists, ReviewLog};
use crate::app::search::describe::Comments;
use crate::base::id::AssetId;
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
use crate::object::transition::Transition;
use crate::repo::sets::LogSet;
use crate::repo::{Repository, View};
use crate::review::submission::Said;
use crate::rules::keyring::Keyring;
use std::collections::BTreeSet;

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

/// What was said about assets, alone or with all of a submission.
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
    for submission in log.state.submissions.values() {
        // What is said of a submission as a whole is said of everything in it.
        let of_all = submission.comments.iter().any(|said| said.about.about.is_empty());
        let lists = if of_all { log.lists(view, submission)? } else { Lists::new() };
        let transitions = transitions_of(submission, &lists);
        let all: BTreeSet<AssetId> = transitions.iter().filter_map(Transition::asset).collect();
        for said in &submission.comments {
            add(view, said, &all, &mut comments)?;
        }
    }
    for said in &log.state.comments {
        add(view, said, &BTreeSet::new(), &mut comments)?;
    }
    Ok(comments)
}

/// Adds what was said to the assets that it names, or to `all` when it names none.
fn add(view: &View, said: &Said, all: &BTreeSet<AssetId>, comments: &mut Comments) -> Result<(), AppError> {
    let named: BTreeSet<AssetId> = said.about.about.iter().map(|about| about.asset).collect();
    let assets = if named.is_empty() { all } else { &named };
    if assets.is_empty() {
        return Ok(());
    }
    if let Some(text) = Words::of(view, said.body, said.by)?.text {
        for asset in assets {
            comments.entry(*asset).or_default().push(text.clone());
        }
    }
    Ok(())
}
