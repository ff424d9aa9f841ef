//! What speaks for a move, found in the repository: the difference between the two commits, who made
//! it, and the verdicts that the shared log had received by then.
//!
//! What is judged is fixed by the log alone: the heads that the entry names, and whatever entries before it
//! named. So a verdict that the log has received cannot be unseen by whoever lands.

use crate::app::common::brought::brought;
use crate::app::common::changes::changes_between;
use crate::app::error::AppError;
use crate::app::review::error::ReviewError;
use crate::app::review::transitions::holds;
use crate::base::id::{ActionId, CommitId, PersonId, RepositoryId, TreeId};
use crate::base::monitor::{Monitor, SilentMonitor};
use crate::object::action::{Audience, Deed, ListRef};
use crate::object::log_entry::{RefMoved, Why};
use crate::object::signature::PublicKey;
use crate::object::source::ObjectSource;
use crate::object::transition::{Transition, TransitionList};
use crate::object::tree::TreeNode;
use crate::repo::history::{is_ancestor, only_in};
use crate::repo::outlines::Outline;
use crate::repo::review_log::ActionRecord;
use crate::repo::{RepoError, View};
use crate::review::entry::Entry;
use crate::review::fold::{Keys, fold_only};
use crate::review::landing::{Mismatch, compare};
use crate::review::order::Order;
use crate::review::submission::Submission;
use crate::rules::approval::{Change, Missing, Paths, Received, TakenBack, Vote, speaker};
use crate::rules::policy::{Handle, Member};
use crate::trust::chain::{Evidence, VerifiedLog};
use crate::trust::judge::MoveEvidence;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Keys as all policies so far have them: a known key speaks only as its own person, and a person
/// whose keys are known only by these. Only people of the policy in force are known.
pub struct LogKeys<'a>(pub &'a VerifiedLog);

impl Keys for LogKeys<'_> {
    fn belongs(&self, key: &PublicKey, person: PersonId) -> bool {
        match self.0.owner(&key.fingerprint()) {
            Some(owner) => owner == person,
            None => !self.0.knows(person),
        }
    }

    fn knows(&self, person: PersonId) -> bool {
        self.0.in_force().is_none_or(|in_force| in_force.policy.person(person).is_some())
    }

    fn landing(&self, submission: ActionId) -> Option<u64> {
        self.0.landing(submission)
    }

    fn roll(&self) -> Option<HashMap<PersonId, String>> {
        let people = &self.0.in_force()?.policy.people;
        Some(people.iter().map(|(handle, member)| (member.id, called(handle, member))).collect())
    }
}

/// What to call somebody whom a policy names: `Anna Lind (anna)`.
pub fn called(handle: &Handle, member: &Member) -> String {
    let name = member.name.as_ref().map(|name| format!("{name} ({handle})"));
    name.unwrap_or_else(|| handle.to_string())
}

/// The review log in its order, by submission; the actions themselves are read when they are asked for.
struct Review {
    order: Order,
    by_submission: HashMap<ActionId, Vec<usize>>,
    read: Mutex<Read>,
    arrivals: Mutex<Arrivals>,
}

/// The actions that were read so far. One whose signature does not hold, or that is not here, is `None`.
#[derive(Default)]
struct Read {
    entries: HashMap<ActionId, Option<Arc<Entry>>>,
    is_all: bool,
}

/// When which action had arrived, as far as the shared log was looked at.
#[derive(Default)]
struct Arrivals {
    receptions: usize,
    first: HashMap<ActionId, Received>,
}

/// So many actions are read one by one; whoever needs more reads all of them at once, on all cores.
const READ_ONE_BY_ONE: usize = 256;

/// Finds what speaks for moves in one state of a repository.
pub struct RepositoryEvidence<'a> {
    view: &'a View,
    repository: RepositoryId,
    review: Arc<OnceLock<Review>>,
    all_here: bool,
}

impl<'a> RepositoryEvidence<'a> {
    /// Prepares to look; the review log is read when a landing first asks for it.
    pub fn new(view: &'a View, repository: RepositoryId) -> Self {
        Self { view, repository, review: Arc::default(), all_here: false }
    }

    /// The same, with everything that is here, whether or not an entry of the shared log names it.
    pub fn of_all_here(view: &'a View, repository: RepositoryId) -> Self {
        Self { all_here: true, ..Self::new(view, repository) }
    }

    /// The same with everything that is here, sharing what was read.
    #[must_use]
    pub fn with_all_here(&self) -> Self {
        let Self { view, repository, ref review, .. } = *self;
        Self { view, repository, review: Arc::clone(review), all_here: true }
    }

    /// What speaks for landing a submission. `holds` says whether the state that would land has what a
    /// transition asks for.
    pub fn of_landing(
        &self,
        log: &VerifiedLog,
        landing: Landing<'_>,
        holds: &dyn Fn(&Transition) -> Result<bool, RepoError>,
    ) -> Result<MoveEvidence, AppError> {
        let review = self.review()?;
        let submission = match review.submission(self, log, &landing)? {
            Some(submission) if submission.withdrawn.is_none() => submission,
            _ => {
                let faults = vec![Missing::NotSubmitted { submission: landing.submission }];
                return Ok(MoveEvidence { changes: landing.changes, faults, ..MoveEvidence::default() });
            }
        };
        let lists = self.lists(&submission)?;
        let current = submission.current().map(|round| round.proposal.list);
        let current = current.and_then(|reference| lists.get(&reference)).ok_or_else(|| no_list(&landing))?;
        let faults = differences(current, &landing.changes, holds)?;
        let received = |action: ActionId| review.arrival(log, &landing, action);
        let mut votes = Vec::with_capacity(submission.verdicts.len());
        for (approval, given) in submission.approvals(&lists).into_iter().zip(&submission.verdicts) {
            let mut taken_back = Vec::new();
            for action in &given.taken_back {
                if let Some(entry) = review.entry(self.view, *action)? {
                    taken_back.push(TakenBack { key: entry.key().clone(), received: received(*action) });
                }
            }
            votes.push(Vote { approval, received: received(given.action), taken_back });
        }
        let mut authors = self.authors(&landing)?;
        authors.insert(submission.by);
        let changes = landing.changes;
        Ok(MoveEvidence { changes, votes, authors, faults, ..MoveEvidence::default() })
    }

    /// The lists that a submission names and that are what their names say. One that is not here at all
    /// is an error: whoever names it may object to what is in it.
    fn lists(&self, submission: &Submission) -> Result<HashMap<ListRef, TransitionList>, AppError> {
        let mut lists = HashMap::new();
        for reference in submission.lists() {
            if lists.contains_key(&reference) {
                continue;
            }
            let list = self.view.review_list(reference.transitions)?;
            let list = list.ok_or_else(|| ReviewError::NoList { draft: submission.id.short() })?;
            if ListRef::of(&list) == reference {
                lists.insert(reference, list);
            }
        }
        Ok(lists)
    }

    fn review(&self) -> Result<&Review, AppError> {
        if let Some(review) = self.review.get() {
            return Ok(review);
        }
        let review = Review::of(self.view)?;
        Ok(self.review.get_or_init(|| review))
    }

    /// Whoever made commits that land, as they say. A merge made by landing holds nothing of its own: what
    /// it changes is what was submitted.
    fn authors(&self, landing: &Landing<'_>) -> Result<BTreeSet<PersonId>, AppError> {
        let mut authors = BTreeSet::new();
        for (id, commit) in only_in(self.view, landing.tips.iter().copied(), landing.from)? {
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
        as_of: Received,
        moved: &RefMoved,
        monitor: &dyn Monitor,
    ) -> Result<MoveEvidence, AppError> {
        let Some(to) = moved.to.filter(|_| moved.reference.starts_with("branch/")) else {
            return Ok(MoveEvidence::default());
        };
        let (before, after) = (self.tree(moved.from)?, self.tree(Some(to))?);
        let changes = changes_between(self.view, before, after, monitor)?;
        let mut evidence = match moved.why {
            Why::Direct {} => MoveEvidence { changes, ..MoveEvidence::default() },
            Why::Landing { submission } => {
                let made_here = self.view.commit(to)?.parents.len() > 1;
                let (heads, tips, merge) = (moved.heads.as_slice(), vec![to], made_here.then_some(to));
                let landing = Landing { submission, heads, as_of, from: moved.from, tips, merge, changes };
                self.of_landing(log, landing, &|transition| holds(self.view, after, transition))?
            }
        };
        judge_steps(self.view, moved.from, to, &mut evidence)?;
        let policy = log.in_force().map(|in_force| &in_force.policy);
        let (name, from) = (moved.reference.as_str(), moved.from);
        evidence.commits = brought(self.view, self.repository, policy, name, from, &[to])?;
        Ok(evidence)
    }
}

/// Says of a branch's move whether it goes on by one commit from where the branch stands. Several at once
/// would make states its own that nobody judged.
pub fn judge_steps(
    view: &View,
    from: Option<CommitId>,
    to: CommitId,
    evidence: &mut MoveEvidence,
) -> Result<(), AppError> {
    match from {
        None if evidence.changes.is_empty() => evidence.faults.push(Missing::BeginsEmpty),
        Some(from) if view.commit(to)?.parents.first() != Some(&from) => {
            evidence.goes_back = !is_ancestor(view, from, to)?;
            if !evidence.goes_back {
                evidence.faults.push(Missing::SkipsStates);
            }
        }
        _ => {}
    }
    Ok(())
}

/// In what a landing is another than what was submitted last. Metadata alone is for the rules to judge.
fn differences(
    submitted: &TransitionList,
    changes: &[Change],
    holds: &dyn Fn(&Transition) -> Result<bool, RepoError>,
) -> Result<Vec<Missing>, AppError> {
    let lands = TransitionList::new(changes.iter().map(|change| change.transition.clone()));
    let mut trouble: Option<RepoError> = None;
    let found = compare(submitted, &lands, &mut |transition| {
        holds(transition).unwrap_or_else(|error| {
            trouble = Some(error);
            false
        })
    });
    if let Some(error) = trouble {
        return Err(error.into());
    }
    let (mut other, mut left_out) = (Paths::default(), Paths::default());
    for mismatch in found.iter().filter(|mismatch| !mismatch.is_metadata_alone()) {
        let paths = if matches!(mismatch, Mismatch::LeftOut { .. }) { &mut left_out } else { &mut other };
        paths.add(mismatch.transition().path());
    }
    let other = (other.total > 0).then_some(Missing::Unsubmitted { paths: other });
    let left_out = (left_out.total > 0).then_some(Missing::LeftOut { paths: left_out });
    Ok(other.into_iter().chain(left_out).collect())
}

fn no_list(landing: &Landing<'_>) -> AppError {
    ReviewError::NoList { draft: landing.submission.short() }.into()
}

/// A landing, as far as its verdicts and authors are asked for.
pub struct Landing<'a> {
    /// The submission.
    pub submission: ActionId,
    /// The heads of the review log that are judged.
    pub heads: &'a [ActionId],
    /// The entry that records it: what entries before it received is judged as well.
    pub as_of: Received,
    /// Where the branch stands.
    pub from: Option<CommitId>,
    /// The commits that land.
    pub tips: Vec<CommitId>,
    /// The merge that the landing made, which is nobody's work.
    pub merge: Option<CommitId>,
    /// What it changes.
    pub changes: Vec<Change>,
}

impl Review {
    /// Reads what the order follows from. Where no outlines are kept, all actions are read for that.
    fn of(view: &View) -> Result<Self, AppError> {
        let mut read = Read::default();
        let outlines = match view.review_outlines(Audience::Team)? {
            Some(outlines) => outlines,
            None => {
                read.all(view)?;
                let entries = read.entries.values().flatten();
                entries.map(|entry| (entry.id(), Outline::of(&entry.sealed()))).collect()
            }
        };
        let about: HashMap<ActionId, ActionId> =
            outlines.iter().map(|(id, outline)| (*id, outline.submission.unwrap_or(*id))).collect();
        let order = Order::new(outlines.into_iter().map(|(id, outline)| (id, outline.parents)));
        let mut by_submission: HashMap<ActionId, Vec<usize>> = HashMap::new();
        for (place, id) in order.ids().iter().enumerate() {
            by_submission.entry(about.get(id).copied().unwrap_or(*id)).or_default().push(place);
        }
        Ok(Self { order, by_submission, read: Mutex::new(read), arrivals: Mutex::default() })
    }

    /// An action; `None` when it is not here, or its signature does not hold: then it says nothing.
    fn entry(&self, view: &View, id: ActionId) -> Result<Option<Arc<Entry>>, AppError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = read.entries.get(&id) {
            return Ok(entry.clone());
        }
        if read.is_all {
            return Ok(None);
        }
        if read.entries.len() >= READ_ONE_BY_ONE {
            read.all(view)?;
            return Ok(read.entries.get(&id).cloned().flatten());
        }
        let record = view.review_action(Audience::Team, id)?.filter(|record| record.id() == id);
        let entry = record.and_then(|record| of_the_team(&record));
        read.entries.insert(id, entry.clone());
        Ok(entry)
    }

    /// A submission as it stands for a landing. Nobody's word is in it whom the policy does not know; and
    /// what stands behind it, and that it was taken back, says only a key that counts.
    fn submission(
        &self,
        evidence: &RepositoryEvidence<'_>,
        log: &VerifiedLog,
        landing: &Landing<'_>,
    ) -> Result<Option<Submission>, AppError> {
        let Some(in_force) = log.in_force() else { return Ok(None) };
        let Some(places) = self.by_submission.get(&landing.submission) else { return Ok(None) };
        let keys = LogKeys(log);
        let has_arrived = |action: ActionId| self.arrival(log, landing, action).is_some();
        let past = self.order.past(landing.heads.iter().copied(), &has_arrived);
        let mut entries = Vec::new();
        for place in places {
            let id = self.order.ids()[*place];
            if !(evidence.all_here || past.contains(place) || has_arrived(id)) {
                continue;
            }
            let entry = self.entry(evidence.view, id)?;
            entries.extend(entry.filter(|entry| keys.knows(entry.action().actor)));
        }
        self.refuse_gaps(evidence.view, &keys, landing, &entries)?;
        let counts = |entry: &&Entry| match entry.action().deed {
            Deed::Submit(_) | Deed::Update { .. } | Deed::Withdraw { .. } => {
                let who = (entry.key(), entry.action().actor);
                let received = self.arrival(log, landing, entry.id());
                let (policy, revoked) = (&in_force.policy, log.revoked());
                speaker(policy, revoked, landing.as_of.unix_ms, who, received).is_ok()
            }
            _ => true,
        };
        let counting = entries.iter().map(|entry| &**entry).filter(counts);
        let mut state = fold_only(evidence.repository, &self.order, counting, &keys);
        Ok(state.submissions.remove(&landing.submission))
    }

    /// Refuses to judge when something is missing that people of the policy had seen when they spoke: it
    /// may be an objection that somebody withholds.
    fn refuse_gaps(
        &self,
        view: &View,
        keys: &LogKeys<'_>,
        landing: &Landing<'_>,
        entries: &[Arc<Entry>],
    ) -> Result<(), AppError> {
        let absent = landing.heads.iter().filter(|head| self.order.place(**head).is_none());
        let mut missing: BTreeSet<ActionId> = absent.copied().collect();
        // Whoever names something that is missing, and is known.
        let mut known: HashSet<ActionId> = HashSet::new();
        for namer in self.order.missing().values().flatten() {
            if let Some(entry) = self.entry(view, *namer)? {
                let actor = entry.action().actor;
                if keys.knows(actor) && keys.belongs(entry.key(), actor) {
                    known.insert(*namer);
                }
            }
        }
        if !known.is_empty() {
            let named = entries.iter().map(|entry| entry.id()).chain(landing.heads.iter().copied());
            missing.extend(self.order.gaps_before(named, &|id| known.contains(&id)));
        }
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.into_iter().collect();
        Err(ReviewError::Gaps { draft: landing.submission.short(), missing }.into())
    }

    /// When the shared log had an action, by entries before the one that lands. Every action is looked at
    /// once, by the first entry that names it or something after it.
    fn arrival(&self, log: &VerifiedLog, landing: &Landing<'_>, action: ActionId) -> Option<Received> {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        for reception in log.receptions().iter().skip(arrivals.receptions) {
            let mut waiting = reception.heads.clone();
            let mut seen: HashSet<ActionId> = HashSet::new();
            while let Some(id) = waiting.pop() {
                if arrivals.first.contains_key(&id) || !seen.insert(id) {
                    continue;
                }
                if self.order.place(id).is_some() {
                    waiting.extend(self.order.parents(id));
                    arrivals.first.insert(id, reception.received);
                }
            }
        }
        arrivals.receptions = log.receptions().len();
        arrivals.first.get(&action).copied().filter(|received| received.sequence < landing.as_of.sequence)
    }
}

impl Evidence for RepositoryEvidence<'_> {
    fn of_move(
        &self,
        log: &VerifiedLog,
        received: Received,
        moved: &RefMoved,
    ) -> Result<MoveEvidence, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.moved(log, received, moved, &SilentMonitor)?)
    }
}

impl Read {
    /// Reads all actions of the team.
    fn all(&mut self, view: &View) -> Result<(), RepoError> {
        let records = view.review_actions(Audience::Team)?;
        let entries: Vec<(ActionId, Option<Arc<Entry>>)> =
            records.par_iter().map(|record| (record.id(), of_the_team(record))).collect();
        self.entries.extend(entries);
        self.is_all = true;
        Ok(())
    }
}

/// A verified action of the team; a record that does not verify says nothing.
fn of_the_team(record: &ActionRecord) -> Option<Arc<Entry>> {
    let entry = Entry::verify(record).ok()?;
    (entry.action().audience == Audience::Team).then(|| Arc::new(entry))
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
