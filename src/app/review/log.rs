//! The review log as a use case needs it: verified, put in order, folded.

use crate::app::common::describe::Describer;
use crate::app::error::AppError;
use crate::app::review::error::ReviewError;
use crate::app::review::land::SUBMISSION_FIELD;
use crate::base::id::{ActionId, PersonId, RepositoryId};
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
use crate::object::action::{Audience, HEADS_MAX, ListRef};
use crate::object::commit::Commit;
use crate::object::log_entry::{LogDeed, LogEntry, RefMoved};
use crate::object::source::ObjectSource as _;
use crate::object::transition::TransitionList;
use crate::repo::history::is_ancestor;
use crate::repo::refs::RefName;
use crate::repo::review_log::ActionRecord;
use crate::repo::{RepoError, Repository, View};
use crate::review::causal::Causal;
use crate::review::entry::Entry;
use crate::review::fold::{Keys, ReviewState, fold};
use crate::review::submission::{Landed, Submission};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// Fewest characters by which a submission may be called by its id.
const ID_CHARACTERS_MIN: usize = 8;

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
    /// Landings that the shared log records, by submission.
    recorded: BTreeMap<ActionId, Landed>,
    /// What was verified now and not before, each with what that rests on.
    fresh: Vec<(ActionId, [u8; 32])>,
    roll: Option<HashMap<PersonId, String>>,
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
        log.keep_verified(repository);
        Ok(Self { view, log })
    }

    /// Reads it again, after something was added: what this process verified before is not verified again.
    pub fn again_of(
        &self,
        repository: &Repository,
        keys: &dyn Keys,
        monitor: &dyn Monitor,
    ) -> Result<Self, AppError> {
        let view = repository.view()?;
        let log = ReviewLog::read_after(&view, repository.id(), keys, Some(&self.log.causal), monitor)?;
        log.keep_verified(repository);
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

/// All actions that were verified, now or before.
struct Known {
    entries: Vec<Entry>,
    spoilt: Vec<Spoilt>,
    fresh: Vec<(ActionId, [u8; 32])>,
}

impl Known {
    /// Verifies what was not verified before: by this process, or by this clone as far as it remembers that of the
    /// very record.
    fn of(view: &View, known: Option<&Causal>) -> Result<Self, AppError> {
        let records = view.review_actions(Audience::Team)?;
        let remembered = view.verified_actions(Audience::Team)?;
        let verified = |record: &ActionRecord| {
            let id = record.id();
            let before = known.and_then(|known| known.get(id)).cloned();
            let before = before.or_else(|| Entry::remembered(record, remembered.get(&id)?));
            let spoilt = |reason: String| Spoilt { id, reason };
            let is_fresh = before.is_none();
            let entry = before.map_or_else(|| Entry::verify(record), Ok);
            let entry = entry.map_err(|error| spoilt(error.to_string()))?;
            if entry.action().audience != Audience::Team {
                return Err(spoilt("it was signed for another audience".to_owned()));
            }
            Ok((entry, is_fresh.then(|| record.basis())))
        };
        let all: Vec<Result<_, Spoilt>> = records.par_iter().map(verified).collect();
        let mut found = Self { entries: Vec::new(), spoilt: Vec::new(), fresh: Vec::new() };
        for result in all {
            match result {
                Ok((entry, basis)) => {
                    found.fresh.extend(basis.map(|basis| (entry.id(), basis)));
                    found.entries.push(entry);
                }
                Err(bad) => found.spoilt.push(bad),
            }
        }
        Ok(found)
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
        Self::read_after(view, repository, keys, None, monitor)
    }

    /// The same; `known` are actions that this process verified, whose ids are the hashes of what was signed.
    fn read_after(
        view: &View,
        repository: RepositoryId,
        keys: &dyn Keys,
        known: Option<&Causal>,
        monitor: &dyn Monitor,
    ) -> Result<Self, AppError> {
        let Known { entries, spoilt, fresh } = Known::of(view, known)?;
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        let causal = Causal::new(entries);
        let state = fold(repository, &causal, keys);
        let mut recorded = BTreeMap::new();
        for id in state.submissions.keys() {
            if let Some(sequence) = keys.landing(*id)
                && let Some(landed) = recorded_landing(view, sequence)?
            {
                recorded.insert(*id, landed);
            }
        }
        Ok(Self { causal, state, spoilt, recorded, fresh, roll: keys.roll() })
    }

    /// Remembers what was verified, so that the next command does not do so again. Where the repository cannot be
    /// written it just does.
    fn keep_verified(&self, repository: &Repository) {
        let keep = || -> Result<(), RepoError> {
            let mut edit = repository.edit()?;
            for (id, basis) in &self.fresh {
                edit.remember_action(Audience::Team, *id, basis)?;
            }
            edit.commit()
        };
        if !self.fresh.is_empty() {
            let _ = keep();
        }
    }

    /// Describes people as the policy calls them.
    pub fn describer<'v>(&self, view: &'v View) -> Result<Describer<'v>, AppError> {
        Ok(Describer::new(view)?.with_roll(self.roll.clone()))
    }

    /// The newest actions, as many as one action or entry may name: those about a submission before the
    /// others, then the youngest. Sorted.
    pub fn heads_for(&self, submission: Option<ActionId>) -> Vec<ActionId> {
        let rank = |id: &ActionId| {
            let about = self.causal.get(*id).and_then(|entry| match entry.action().deed.submission() {
                None => Some(entry.id()),
                about => about,
            });
            (about == submission, self.causal.place(*id))
        };
        let mut heads = self.state.heads.clone();
        heads.sort_by_key(|id| std::cmp::Reverse(rank(id)));
        heads.truncate(HEADS_MAX);
        heads.sort_unstable();
        heads
    }

    /// Actions about a submission, of people who count, that somebody who had seen all of `heads` would not
    /// have seen.
    pub fn unseen_by(&self, heads: &[ActionId], submission: &Submission) -> usize {
        let past = self.causal.past(heads.iter().copied(), &|_| false);
        let judged = submission.verdicts.iter().filter(|given| !given.stranger);
        let judged = judged.flat_map(|given| given.taken_back.iter().copied().chain([given.action]));
        let rounds = submission.rounds.iter().map(|round| round.action);
        let all = rounds.chain(judged).chain(submission.withdrawn);
        all.filter(|id| self.causal.place(*id).is_none_or(|place| !past.contains(&place))).count()
    }

    /// Where a submission stands. Of a branch that a policy protects the shared log says what landed;
    /// elsewhere it has landed when the branch has a commit that is said to have done it and says so itself.
    pub fn standing(&self, view: &View, submission: &Submission) -> Result<Standing, AppError> {
        if let Some(landed) = self.landed(view, submission)? {
            return Ok(Standing::Landed(landed));
        }
        Ok(if submission.withdrawn.is_some() { Standing::Withdrawn } else { Standing::Open })
    }

    fn landed(&self, view: &View, submission: &Submission) -> Result<Option<Landed>, AppError> {
        if let Some(landed) = self.recorded.get(&submission.id) {
            return Ok(Some(landed.clone()));
        }
        let Ok(branch) = RefName::branch(submission.branch()) else { return Ok(None) };
        if submission.landings.is_empty() || view.protected_names()?.covers(&branch) {
            return Ok(None);
        }
        let Some(target) = view.reference(&branch)? else { return Ok(None) };
        for landed in &submission.landings {
            let consumed = match view.commit(landed.commit) {
                Ok(commit) => submission_of(&commit),
                Err(RepoError::Missing { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            if consumed == Some(submission.id) && is_ancestor(view, landed.commit, target.commit)? {
                return Ok(Some(landed.clone()));
            }
        }
        Ok(None)
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
        for submission in self.state.submissions.values().filter(|submission| !submission.stranger) {
            if self.standing(view, submission)? == Standing::Open {
                open.push(submission);
            }
        }
        match open.as_slice() {
            [] => Err(ReviewError::NothingOpen.into()),
            [one] => Ok(one),
            several => Err(self.ambiguous(view, several)?),
        }
    }

    /// A draft's open submission comes before its others and before any id; what strangers say that their
    /// drafts are called finds nothing.
    fn named(&self, view: &View, name: &str) -> Result<&Submission, AppError> {
        let whole = self.state.submissions.values().find(|submission| submission.id.to_string() == name);
        if let Some(submission) = whole {
            return Ok(submission);
        }
        let draft = RefName::draft(name).map(|draft| draft.name().to_owned()).unwrap_or_default();
        let (mut open, mut newest) = (Vec::new(), None);
        for entry in self.causal.entries() {
            let Some(submission) = self.state.submissions.get(&entry.id()) else { continue };
            let own = draft_of(submission);
            if submission.stranger || (own != name && own != draft) {
                continue;
            }
            if self.standing(view, submission)? == Standing::Open {
                open.push(submission);
            }
            newest = Some(submission);
        }
        match (open.as_slice(), newest) {
            ([], Some(newest)) => return Ok(newest),
            ([one], _) => return Ok(one),
            ([], None) => {}
            (several, _) => return Err(self.ambiguous(view, several)?),
        }
        let is_id = name.len() >= ID_CHARACTERS_MIN && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let starts = |submission: &&Submission| is_id && submission.id.to_string().starts_with(name);
        let found: Vec<&Submission> = self.state.submissions.values().filter(starts).collect();
        match found.as_slice() {
            [] => Err(ReviewError::NoSubmission { name: name.to_owned() }.into()),
            [one] => Ok(one),
            several => Err(self.ambiguous(view, several)?),
        }
    }

    fn ambiguous(&self, view: &View, several: &[&Submission]) -> Result<AppError, AppError> {
        let mut describer = self.describer(view)?;
        let mut names = Vec::new();
        for submission in several {
            let by = describer.person(submission.by)?;
            let by = by.name.unwrap_or_else(|| by.id.short());
            let assets = submission.current().map_or(0, |round| round.proposal.list.count);
            let assets = if assets == 1 { "1 asset".to_owned() } else { format!("{assets} assets") };
            let id = submission.id.short();
            names.push(format!("{id} ({} by {by}, {assets})", draft_of(submission)));
        }
        Ok(ReviewError::Ambiguous { names }.into())
    }
}

/// The draft that a submission comes from, as it is called now.
pub fn draft_of(submission: &Submission) -> &str {
    submission.current().map_or("", |round| &round.proposal.draft)
}

/// The submission that a commit says it consumed.
pub fn submission_of(commit: &Commit) -> Option<ActionId> {
    let field = commit.extensions.iter().find(|(name, _)| name == SUBMISSION_FIELD);
    field.and_then(|(_, bytes)| ActionId::from_slice(bytes))
}

/// What an entry of the shared log, which was verified, says of a landing.
pub fn recorded_landing(view: &View, sequence: u64) -> Result<Option<Landed>, AppError> {
    let Some(signed) = view.log_entry(sequence)? else { return Ok(None) };
    let Ok(entry) = LogEntry::decode(&signed.statement) else { return Ok(None) };
    let LogDeed::Move(RefMoved { to: Some(commit), .. }) = entry.deed else { return Ok(None) };
    Ok(Some(Landed { by: entry.actor, time: Timestamp::utc(entry.received_ms), commit }))
}
