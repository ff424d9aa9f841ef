//! What speaks for a move, found in the repository: the difference between the two commits, who made
//! it, and the verdicts that the shared log had received by then.

use crate::app::common::changes::changes_between;
use crate::app::error::AppError;
use crate::base::id::{ActionId, CommitId, PersonId, RepositoryId, TreeId};
use crate::base::monitor::{Monitor, SilentMonitor};
use crate::object::action::{Audience, HEADS_MAX, ListRef};
use crate::object::log_entry::{RefMoved, Why};
use crate::object::signature::PublicKey;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::repo::history::{Walk, is_ancestor};
use crate::repo::{RepoError, View};
use crate::review::causal::Causal;
use crate::review::entry::Entry;
use crate::review::fold::{Keys, fold_only};
use crate::review::submission::Submission;
use crate::rules::approval::{Received, Vote};
use crate::trust::chain::{Evidence, VerifiedLog};
use crate::trust::judge::MoveEvidence;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Keys as all policies so far have them: a known key speaks only as its own person, and a person
/// whose keys are known only by these.
pub struct LogKeys<'a>(pub &'a VerifiedLog);

impl Keys for LogKeys<'_> {
    fn belongs(&self, key: &PublicKey, person: PersonId) -> bool {
        match self.0.owner(&key.fingerprint()) {
            Some(owner) => owner == person,
            None => !self.0.knows(person),
        }
    }
}

/// The review log, read once, by submission.
struct Review {
    causal: Causal,
    by_submission: HashMap<ActionId, Vec<usize>>,
    arrivals: Mutex<Arrivals>,
}

/// When which action had arrived, as far as the shared log was looked at.
#[derive(Default)]
struct Arrivals {
    receptions: usize,
    first: HashMap<ActionId, Received>,
}

/// Finds what speaks for moves in one state of a repository.
pub struct RepositoryEvidence<'a> {
    view: &'a View,
    repository: RepositoryId,
    review: OnceLock<Review>,
}

impl<'a> RepositoryEvidence<'a> {
    /// Prepares to look; the review log is read when a landing first asks for it.
    pub const fn new(view: &'a View, repository: RepositoryId) -> Self {
        Self { view, repository, review: OnceLock::new() }
    }

    /// What speaks for landing a submission, given the heads of the review log that are judged.
    ///
    /// `to` is the commit that lands, if it is in the repository already.
    pub fn of_landing(
        &self,
        log: &VerifiedLog,
        landing: &Landing<'_>,
    ) -> Result<(Vec<Vote>, BTreeSet<PersonId>), AppError> {
        let review = self.review()?;
        let Some(submission) = review.submission(self.repository, log, landing) else {
            return Ok((Vec::new(), BTreeSet::new()));
        };
        let mut lists = HashMap::new();
        for reference in submission.lists() {
            let list = self.view.review_list(reference.transitions)?;
            if let Some(list) = list.filter(|list| ListRef::of(list) == reference) {
                lists.insert(reference, list);
            }
        }
        let votes = submission.approvals(&lists).into_iter().map(|approval| {
            let received = review.arrival(log, approval.value().action);
            Vote { approval, received }
        });
        let votes = votes.collect();
        let mut authors = self.authors(landing)?;
        authors.insert(submission.by);
        Ok((votes, authors))
    }

    /// The newest actions of the review log, as far as one entry names them.
    pub fn heads(&self) -> Result<Vec<ActionId>, AppError> {
        let mut heads = self.review()?.causal.heads();
        heads.truncate(HEADS_MAX);
        Ok(heads)
    }

    fn review(&self) -> Result<&Review, AppError> {
        if let Some(review) = self.review.get() {
            return Ok(review);
        }
        let records = self.view.review_actions(Audience::Team)?;
        // A record that does not verify says nothing; what counts is what is left.
        let entries: Vec<Entry> =
            records.par_iter().filter_map(|record| Entry::verify(record).ok()).collect();
        let team = entries.into_iter().filter(|entry| entry.action().audience == Audience::Team);
        Ok(self.review.get_or_init(|| Review::of(Causal::new(team))))
    }

    /// Whoever made commits that land. A merge made by landing holds nothing of its own: it is judged
    /// by what it changes.
    fn authors(&self, landing: &Landing<'_>) -> Result<BTreeSet<PersonId>, AppError> {
        let mut authors = BTreeSet::new();
        let mut walk = Walk::from(self.view, landing.tips.iter().copied())?;
        if let Some(from) = landing.from {
            walk.hide(from)?;
        }
        for item in walk {
            let (id, commit) = item?;
            if Some(id) != landing.merge {
                authors.extend([commit.author.person, commit.committer.person]);
            }
        }
        Ok(authors)
    }

    fn tree(&self, commit: Option<CommitId>) -> Result<TreeId, RepoError> {
        commit.map_or_else(|| Ok(TreeNode::empty_id()), |commit| Ok(self.view.commit(commit)?.tree))
    }

    fn moved(
        &self,
        log: &VerifiedLog,
        moved: &RefMoved,
        monitor: &dyn Monitor,
    ) -> Result<MoveEvidence, AppError> {
        let Some(to) = moved.to.filter(|_| moved.reference.starts_with("branch/")) else {
            return Ok(MoveEvidence::default());
        };
        let (before, after) = (self.tree(moved.from)?, self.tree(Some(to))?);
        let changes = changes_between(self.view, before, after, monitor)?;
        let goes_back = match moved.from {
            Some(from) => !is_ancestor(self.view, from, to)?,
            None => false,
        };
        let (votes, authors) = match moved.why {
            Why::Direct {} => (Vec::new(), BTreeSet::new()),
            Why::Landing { submission } => {
                let made_here = self.view.commit(to)?.parents.len() > 1;
                let merge = made_here.then_some(to);
                let (heads, tips) = (moved.heads.as_slice(), vec![to]);
                self.of_landing(log, &Landing { submission, heads, from: moved.from, tips, merge })?
            }
        };
        Ok(MoveEvidence { changes, votes, authors, goes_back })
    }
}

/// A landing, as far as its verdicts and authors are asked for.
pub struct Landing<'a> {
    /// The submission.
    pub submission: ActionId,
    /// The heads of the review log that are judged.
    pub heads: &'a [ActionId],
    /// Where the branch stands.
    pub from: Option<CommitId>,
    /// The commits that land.
    pub tips: Vec<CommitId>,
    /// The merge that the landing made, which is nobody's work.
    pub merge: Option<CommitId>,
}

impl Review {
    fn of(causal: Causal) -> Self {
        let mut by_submission: HashMap<ActionId, Vec<usize>> = HashMap::new();
        for (place, entry) in causal.entries().iter().enumerate() {
            let about = entry.action().deed.submission().unwrap_or_else(|| entry.id());
            by_submission.entry(about).or_default().push(place);
        }
        Self { causal, by_submission, arrivals: Mutex::default() }
    }

    /// A submission as it stood at some heads.
    fn submission(
        &self,
        repository: RepositoryId,
        log: &VerifiedLog,
        landing: &Landing<'_>,
    ) -> Option<Submission> {
        let had_arrived = |entry: &&Entry| {
            landing.heads.iter().any(|head| *head == entry.id() || self.causal.had_seen(*head, entry.id()))
        };
        let places = self.by_submission.get(&landing.submission)?;
        let entries = places.iter().map(|place| &self.causal.entries()[*place]).filter(had_arrived);
        let mut state = fold_only(repository, &self.causal, entries, &LogKeys(log));
        let submission = state.submissions.remove(&landing.submission)?;
        submission.withdrawn.is_none().then_some(submission)
    }

    /// When the shared log had an action. Every action is looked at once, by the first entry that
    /// names it or something after it.
    fn arrival(&self, log: &VerifiedLog, action: ActionId) -> Option<Received> {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        for reception in log.receptions().iter().skip(arrivals.receptions) {
            let mut waiting = reception.heads.clone();
            let mut seen: HashSet<ActionId> = HashSet::new();
            while let Some(id) = waiting.pop() {
                if arrivals.first.contains_key(&id) || !seen.insert(id) {
                    continue;
                }
                if let Some(entry) = self.causal.get(id) {
                    waiting.extend(entry.action().parents());
                    arrivals.first.insert(id, reception.received);
                }
            }
        }
        arrivals.receptions = log.receptions().len();
        arrivals.first.get(&action).copied()
    }
}

impl Evidence for RepositoryEvidence<'_> {
    fn of_move(
        &self,
        log: &VerifiedLog,
        _: Received,
        moved: &RefMoved,
    ) -> Result<MoveEvidence, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.moved(log, moved, &SilentMonitor)?)
    }
}

/// What was judged a moment ago, for the entry that records it.
pub struct JustJudged<'a>(pub &'a MoveEvidence);

impl Evidence for JustJudged<'_> {
    fn of_move(
        &self,
        _: &VerifiedLog,
        _: Received,
        _: &RefMoved,
    ) -> Result<MoveEvidence, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.clone())
    }
}
