//! The review log as a use case needs it: verified, put in order, folded.

use crate::app::error::AppError;
use crate::app::review::error::ReviewError;
use crate::base::id::{ActionId, RepositoryId};
use crate::base::monitor::Monitor;
use crate::object::action::{Audience, ListRef};
use crate::object::transition::TransitionList;
use crate::repo::history::is_ancestor;
use crate::repo::refs::RefName;
use crate::repo::{RepoError, Repository, View};
use crate::review::causal::Causal;
use crate::review::entry::Entry;
use crate::review::fold::{Keys, ReviewState, fold};
use crate::review::submission::{Landed, Submission};
use rayon::prelude::*;
use std::collections::HashMap;

/// Fewest characters by which a submission may be called by its id.
const ID_CHARACTERS_MIN: usize = 4;

/// The lists that a submission names.
pub type Lists = HashMap<ListRef, TransitionList>;

/// A record that is no action.
#[derive(Debug, Clone)]
pub struct Spoilt {
    /// Its id.
    pub id: ActionId,
    /// What is wrong with it.
    pub reason: String,
}

/// The log of the team.
pub struct ReviewLog {
    /// The actions in their order.
    pub causal: Causal,
    /// What they add up to.
    pub state: ReviewState,
    /// Records whose signatures do not hold or that cannot be read.
    pub spoilt: Vec<Spoilt>,
}

/// The log, with the state of the repository that it was read from.
pub struct Reading {
    /// The repository then.
    pub view: View,
    /// The log then.
    pub log: ReviewLog,
}

impl Reading {
    /// Reads the log as it stands now.
    pub fn of(repository: &Repository, keys: &dyn Keys, monitor: &dyn Monitor) -> Result<Self, AppError> {
        let view = repository.view()?;
        let log = ReviewLog::read(&view, repository.id(), keys, monitor)?;
        Ok(Self { view, log })
    }

    /// Finds the submission that people mean by `name`, as [`ReviewLog::find`] does, with the lists
    /// that it names.
    pub fn find(&self, name: Option<&str>) -> Result<(&Submission, Lists), AppError> {
        let submission = self.log.find(&self.view, name)?;
        let lists = self.log.lists(&self.view, submission)?;
        Ok((submission, lists))
    }

    /// Finds the submission of that id.
    pub fn again(&self, id: ActionId) -> Result<(&Submission, Lists), AppError> {
        self.find(Some(&id.to_string()))
    }
}

/// Where a submission stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It waits for verdicts or for its landing.
    Open,
    /// It was taken back.
    Withdrawn,
    /// It landed.
    Landed(Landed),
}

impl Standing {
    /// How a sentence says that it is over; `None` while it is open.
    pub const fn over(&self) -> Option<&'static str> {
        match self {
            Self::Open => None,
            Self::Withdrawn => Some("was taken back"),
            Self::Landed(_) => Some("has landed"),
        }
    }
}

impl ReviewLog {
    /// Reads and verifies the log of the team.
    pub fn read(
        view: &View,
        repository: RepositoryId,
        keys: &dyn Keys,
        monitor: &dyn Monitor,
    ) -> Result<Self, AppError> {
        let records = view.review_actions(Audience::Team)?;
        let verified: Vec<Result<Entry, Spoilt>> = records
            .par_iter()
            .map(|record| {
                let spoilt = |reason: String| Spoilt { id: record.id(), reason };
                let entry = Entry::verify(record).map_err(|error| spoilt(error.to_string()))?;
                if entry.action().audience != Audience::Team {
                    return Err(spoilt("it was signed for another audience".to_owned()));
                }
                Ok(entry)
            })
            .collect();
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        let (mut entries, mut spoilt) = (Vec::new(), Vec::new());
        for result in verified {
            match result {
                Ok(entry) => entries.push(entry),
                Err(bad) => spoilt.push(bad),
            }
        }
        let causal = Causal::new(entries);
        let state = fold(repository, &causal, keys);
        Ok(Self { causal, state, spoilt })
    }

    /// The lists that a submission names, as far as they are here and are what their names say.
    pub fn lists(&self, view: &View, submission: &Submission) -> Result<Lists, AppError> {
        let mut lists = Lists::new();
        for reference in submission.lists() {
            if lists.contains_key(&reference) {
                continue;
            }
            let list = view.review_list(reference.transitions)?;
            if let Some(list) = list.filter(|list| ListRef::of(list) == reference) {
                lists.insert(reference, list);
            }
        }
        Ok(lists)
    }

    /// Finds the submission that people mean by `name`: that of a draft, or by the beginning of its
    /// id; the only open one when there is no name.
    pub fn find(&self, view: &View, name: Option<&str>) -> Result<&Submission, AppError> {
        match name {
            None => self.only_open(view),
            Some(name) => self.named(view, name),
        }
    }

    fn only_open(&self, view: &View) -> Result<&Submission, AppError> {
        let mut open = Vec::new();
        for submission in self.state.submissions.values() {
            if standing(view, submission)? == Standing::Open {
                open.push(submission);
            }
        }
        match open.as_slice() {
            [] => Err(ReviewError::NothingOpen.into()),
            [one] => Ok(one),
            several => {
                let names = several.iter().map(|submission| draft_of(submission).to_owned()).collect();
                Err(ReviewError::Ambiguous { names }.into())
            }
        }
    }

    fn named(&self, view: &View, name: &str) -> Result<&Submission, AppError> {
        let draft = RefName::draft(name).map(|draft| draft.name().to_owned()).unwrap_or_default();
        let is_id = name.len() >= ID_CHARACTERS_MIN && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut best: Option<(bool, usize, &Submission)> = None;
        for (place, entry) in self.causal.entries().iter().enumerate() {
            let Some(submission) = self.state.submissions.get(&entry.id()) else { continue };
            if is_id && submission.id.to_string().starts_with(name) {
                return Ok(submission);
            }
            let own = draft_of(submission);
            if own != name && own != draft {
                continue;
            }
            // The open one before those that are over, then the newest.
            let rank = (standing(view, submission)? == Standing::Open, place);
            if best.is_none_or(|(open, place, _)| (open, place) < rank) {
                best = Some((rank.0, rank.1, submission));
            }
        }
        let unknown = || ReviewError::NoSubmission { name: name.to_owned() }.into();
        best.map(|(_, _, submission)| submission).ok_or_else(unknown)
    }
}

/// The draft that a submission comes from, as it is called now.
pub fn draft_of(submission: &Submission) -> &str {
    submission.current().map_or("", |round| &round.proposal.draft)
}

/// Where a submission stands. It has landed when the branch has the commit by which it is said to.
pub fn standing(view: &View, submission: &Submission) -> Result<Standing, AppError> {
    if let Some(landed) = landed(view, submission)? {
        return Ok(Standing::Landed(landed));
    }
    Ok(if submission.withdrawn.is_some() { Standing::Withdrawn } else { Standing::Open })
}

fn landed(view: &View, submission: &Submission) -> Result<Option<Landed>, AppError> {
    if submission.landings.is_empty() {
        return Ok(None);
    }
    let Ok(branch) = RefName::branch(submission.branch()) else { return Ok(None) };
    let Some(target) = view.reference(&branch)? else { return Ok(None) };
    for landed in &submission.landings {
        match is_ancestor(view, landed.commit, target.commit) {
            Ok(true) => return Ok(Some(landed.clone())),
            Ok(false) | Err(RepoError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}
