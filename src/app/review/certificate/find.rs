//! Finds the landing behind what is to be certified, and what speaks for it.
//!
//! Where a policy protected the branch, the shared log says that it landed and by what: the difference is that
//! of its entry, and the approvals are those that counted at it. Elsewhere the branch's own commit says so.

use crate::app::common::evidence::RepositoryEvidence;
use crate::app::common::guard::trust;
use crate::app::common::locate::locate;
use crate::app::error::AppError;
use crate::app::review::certificate::Subject;
use crate::app::review::certificate::chain::{self, FoundLink};
use crate::app::review::error::ReviewError;
use crate::app::review::keys::ReviewKeys;
use crate::app::review::log::{Reading, Standing, submission_of};
use crate::app::review::transitions::transitions_between;
use crate::base::id::{ActionId, LogEntryId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::action::{Action, Audience};
use crate::object::approval::{Approval, Judgement, MetadataRule, TransitionIds};
use crate::object::log_entry::{LogDeed, LogEntry, RefMoved, SignedEntry, Why};
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::signature::{KeyClass, PublicKey, Verified};
use crate::object::source::ObjectSource;
use crate::object::transition::{Held, Transition, TransitionList};
use crate::object::tree::TreeNode;
use crate::repo::review_log::ActionRecord;
use crate::repo::shared_log::LogHead;
use crate::repo::{RepoError, Repository, View};
use crate::review::submission::{Landed, Submission};
use crate::rules::approval::Received;
use crate::rules::keyring::{Keyring, KnownKey};
use crate::rules::policy::Policy;
use crate::trust::chain::{Entries, Evidence as _, LogSource, verify};
use crate::trust::judge::{Proposal, approvals};
use std::collections::{BTreeMap, BTreeSet};

/// What is certified, with its evidence.
pub struct Found {
    pub submission: ActionId,
    pub branch: String,
    pub landed: Landed,
    /// What somebody approved.
    pub transitions: TransitionList,
    /// What landed with it, and no approval speaks for.
    pub unapproved: Vec<AssetPath>,
    pub approvals: Vec<FoundApproval>,
    pub link: Option<FoundPolicy>,
    /// The policies up to that one.
    pub chain: Vec<FoundLink>,
    pub entry: Option<FoundEntry>,
    pub keyring: Keyring,
}

/// The policy in force at the landing.
pub struct FoundPolicy {
    pub signed: Signed,
    pub number: u64,
}

/// The entry of the shared log that records the landing.
pub struct FoundEntry {
    pub signed: SignedEntry,
    pub entry: LogEntry,
}

/// One approval of what is certified.
pub struct FoundApproval {
    pub record: ActionRecord,
    pub action: ActionId,
    pub key: PublicKey,
    pub class: KeyClass,
    pub time: Timestamp,
    /// When the shared log had it; `None` where no log says so.
    pub received: Option<Timestamp>,
    pub list: TransitionList,
    /// What of the certified transitions it is about, by their places.
    pub speaks_for: BTreeSet<usize>,
}

/// Where to look.
pub struct Place<'a> {
    pub repository: &'a Repository,
    pub reading: &'a Reading,
    pub keys: &'a ReviewKeys,
    pub now: Timestamp,
    pub monitor: &'a dyn Monitor,
}

/// A landing: what it changed, and the approvals that speak for each change.
struct Landing<'l> {
    submission: &'l Submission,
    landed: Landed,
    changes: Vec<(Transition, BTreeSet<ActionId>)>,
    received: BTreeMap<ActionId, Timestamp>,
    link: Option<FoundPolicy>,
    entry: Option<FoundEntry>,
}

pub fn find(place: &Place<'_>, subject: &Subject) -> Result<Found, AppError> {
    let view = &place.reading.view;
    let landing = match subject {
        Subject::Asset(path) => {
            let located = locate(view, None, path, place.now)?;
            if located.entry.content.is_directory() {
                return Err(AppError::IsFolder { path: path.clone() });
            }
            let held = Held::from(&located.entry.content);
            let fits = |transition: &Transition| {
                let after = transition.after.as_ref();
                after.is_some_and(|after| after.asset == located.entry.asset && after.content == held)
            };
            let refuse = || ReviewError::NotCertified { name: path.to_string() };
            let mut landing = place.newest(&fits)?.ok_or_else(refuse)?;
            landing.changes.retain(|(transition, _)| fits(transition));
            landing
        }
        Subject::Revision(text) => {
            let refuse = || ReviewError::NotCertified { name: text.clone() };
            let commit = view.resolve(text, place.now)?.commit;
            let submission = submission_of(&view.commit(commit)?).ok_or_else(refuse)?;
            let submission = place.reading.log.state.submissions.get(&submission).ok_or_else(refuse)?;
            match place.reading.log.standing(view, submission)? {
                Standing::Landed(landed) if landed.commit == commit => place.landing(submission, landed)?,
                _ => return Err(refuse().into()),
            }
        }
    };
    place.found(landing)
}

/// The log up to an entry.
struct Until<'a> {
    view: &'a View,
    head: LogHead,
}

impl LogSource for Until<'_> {
    fn head(&self) -> Result<Option<LogHead>, RepoError> {
        Ok(Some(self.head))
    }

    fn id_at(&self, sequence: u64) -> Result<Option<LogEntryId>, RepoError> {
        self.view.id_at(sequence)
    }

    fn entries(&self, from: u64) -> Result<Entries<'_>, RepoError> {
        let count = usize::try_from((self.head.sequence + 1).saturating_sub(from)).unwrap_or(usize::MAX);
        Ok(Box::new(self.view.log_entries(from)?.take(count)))
    }
}

impl Place<'_> {
    /// The landing that brought something last.
    fn newest(&self, fits: &dyn Fn(&Transition) -> bool) -> Result<Option<Landing<'_>>, AppError> {
        let Reading { view, log } = self.reading;
        for entry in log.causal.entries().iter().rev() {
            let Some(submission) = log.state.submissions.get(&entry.id()) else { continue };
            let Standing::Landed(landed) = log.standing(view, submission)? else { continue };
            if self.difference(&landed)?.as_slice().iter().any(fits) {
                return self.landing(submission, landed).map(Some);
            }
        }
        Ok(None)
    }

    /// What the commit of a landing changed on its branch.
    fn difference(&self, landed: &Landed) -> Result<TransitionList, AppError> {
        let view = &self.reading.view;
        let commit = view.commit(landed.commit)?;
        let before = match commit.parents.first() {
            Some(parent) => view.commit(*parent)?.tree,
            None => TreeNode::empty_id(),
        };
        transitions_between(view, before, commit.tree, self.monitor)
    }

    fn landing<'l>(&self, submission: &'l Submission, landed: Landed) -> Result<Landing<'l>, AppError> {
        match self.keys.log().landing(submission.id) {
            Some(sequence) => self.recorded(submission, landed, sequence),
            None => self.unrecorded(submission, landed),
        }
    }

    /// A landing that the shared log has, judged as it was judged then.
    fn recorded<'l>(
        &self,
        submission: &'l Submission,
        landed: Landed,
        sequence: u64,
    ) -> Result<Landing<'l>, AppError> {
        let view = &self.reading.view;
        let refuse = || ReviewError::NotCertified { name: submission.id.short() };
        let (link, found) = shared_log(view, sequence)?;
        let (link, found) = link.zip(found).ok_or_else(refuse)?;
        let (LogDeed::Move(moved), Some(previous)) = (&found.entry.deed, found.entry.previous) else {
            return Err(refuse().into());
        };
        let before = Until { view, head: LogHead { sequence: sequence - 1, id: previous } };
        let evidence = RepositoryEvidence::new(view, self.repository.id());
        let trust = trust(self.repository, view, self.now)?;
        let log = verify(&before, &trust, None, &evidence, self.monitor)?;
        let received = Received { sequence, unix_ms: found.entry.received_ms };
        let judged = evidence.of_move(&log, received, moved).map_err(|_| refuse())?;
        let RefMoved { reference, from, to, .. } = moved;
        let counted = approvals(
            &log,
            &Proposal {
                reference,
                from: *from,
                to: *to,
                actor: None,
                at_ms: received.unix_ms,
                submission: matches!(moved.why, Why::Landing { .. }).then_some(submission.id),
                evidence: &judged,
            },
        );
        let action = |place: &usize| judged.votes[*place].approval.value().action;
        let changes = judged.changes.iter().zip(&counted);
        let changes = changes.map(|(change, votes)| {
            (change.transition.clone(), votes.iter().map(action).collect::<BTreeSet<ActionId>>())
        });
        let moments = judged.votes.iter().map(|vote| {
            let moment = vote.received.map_or(received.unix_ms, |received| received.unix_ms);
            (vote.approval.value().action, Timestamp::utc(moment))
        });
        let (changes, received) = (changes.collect(), moments.collect());
        Ok(Landing { submission, landed, changes, received, link: Some(link), entry: Some(found) })
    }

    /// A landing where no policy asked for anything: whoever approves it now, and is no stranger to the
    /// policy where there is one.
    fn unrecorded<'l>(&self, submission: &'l Submission, landed: Landed) -> Result<Landing<'l>, AppError> {
        let lists = self.reading.log.lists(&self.reading.view, submission)?;
        let all: Vec<Verified<Approval>> = submission.approvals(&lists);
        let changes = self.difference(&landed)?;
        let changes = changes.as_slice().iter().map(|transition| {
            let ids = TransitionIds::of(transition);
            let standing = submission.standing(&all, &ids, false).into_iter().filter(|approval| {
                approval.judgement == Judgement::Approve
                    && approval.coverage.covers(&ids, MetadataRule::Keeps)
            });
            (transition.clone(), standing.map(|approval| approval.action).collect())
        });
        let (changes, received) = (changes.collect(), BTreeMap::new());
        Ok(Landing { submission, landed, changes, received, link: None, entry: None })
    }

    fn found(&self, landing: Landing<'_>) -> Result<Found, AppError> {
        let Landing { submission, landed, changes, received, link, entry } = landing;
        let lists = self.reading.log.lists(&self.reading.view, submission)?;
        let names = |action: &ActionId, transition: &Transition| {
            let given = submission.verdicts.iter().find(|given| given.action == *action);
            let list = given.and_then(|given| lists.get(&given.verdict.value().list));
            list.is_some_and(|list| list.as_slice().contains(transition))
        };
        let (approved, others): (Vec<_>, Vec<_>) = changes.into_iter().partition(|(one, approvals)| {
            // Of a change of labels alone nothing is left to certify when those that landed are others.
            approvals.iter().any(|action| !one.is_metadata_only() || names(action, one))
        });
        let unapproved: Vec<AssetPath> = others.iter().map(|(one, _)| one.path().clone()).collect();
        if approved.is_empty() {
            let name = unapproved.first().map_or_else(|| submission.id.short(), ToString::to_string);
            return Err(ReviewError::NotCertified { name }.into());
        }
        let transitions = TransitionList::new(approved.iter().map(|(transition, _)| transition.clone()));
        let mut spoken: BTreeMap<ActionId, BTreeSet<usize>> = BTreeMap::new();
        for (transition, approvals) in &approved {
            let Some(place) = transitions.as_slice().iter().position(|other| other == transition) else {
                continue;
            };
            for approval in approvals {
                spoken.entry(*approval).or_default().insert(place);
            }
        }
        let approvals = self.approvals(submission, spoken, &received)?;
        let keyring = match &link {
            Some(found) => self.keys.keyring_of(&policy_of(&found.signed)?),
            None => with_strangers(self.keys.keyring(), &approvals, &self.reading.view)?,
        };
        let chain = match &entry {
            Some(found) => chain::links(&self.reading.view, self.keys, found.entry.sequence)?,
            None => Vec::new(),
        };
        let branch = submission.branch().to_owned();
        let submission = submission.id;
        Ok(Found {
            submission,
            branch,
            landed,
            transitions,
            unapproved,
            approvals,
            link,
            chain,
            entry,
            keyring,
        })
    }

    fn approvals(
        &self,
        submission: &Submission,
        mut spoken: BTreeMap<ActionId, BTreeSet<usize>>,
        received: &BTreeMap<ActionId, Timestamp>,
    ) -> Result<Vec<FoundApproval>, AppError> {
        let Reading { view, log } = self.reading;
        let lists = log.lists(view, submission)?;
        let mut found = Vec::new();
        for given in &submission.verdicts {
            let Some(speaks_for) = spoken.remove(&given.action) else { continue };
            let record = view.review_action(Audience::Team, given.action)?;
            let list = lists.get(&given.verdict.value().list);
            let (Some(record), Some(list), Some(entry)) = (record, list, log.causal.get(given.action)) else {
                continue;
            };
            found.push(FoundApproval {
                record,
                action: given.action,
                key: entry.key().clone(),
                class: entry.key().class(),
                time: given.time,
                received: received.get(&given.action).copied(),
                list: list.clone(),
                speaks_for,
            });
        }
        Ok(found)
    }
}

/// The entry of a landing, and the policy in force at it.
fn shared_log(view: &View, sequence: u64) -> Result<(Option<FoundPolicy>, Option<FoundEntry>), AppError> {
    let (mut link, mut found) = (None, None);
    for number in 1..=sequence {
        let Some(signed) = view.log_entry(number)? else { continue };
        // The log was verified, so its entries can be read.
        let Ok(entry) = LogEntry::decode(&signed.statement) else { continue };
        match &entry.deed {
            LogDeed::Policy(taken) => {
                let number = PolicyLink::decode(&taken.link.statement).map_or(0, |link| link.number);
                link = Some(FoundPolicy { signed: taken.link.clone(), number });
            }
            _ if number == sequence => found = Some(FoundEntry { signed, entry }),
            _ => {}
        }
    }
    Ok((link, found))
}

fn policy_of(signed: &Signed) -> Result<Policy, AppError> {
    let refuse = |reason: String| crate::repo::RepoError::PolicyText { reason };
    let link = PolicyLink::decode(&signed.statement).map_err(|error| refuse(error.to_string()))?;
    Ok(Policy::parse(&link.policy).map_err(|error| refuse(error.to_string()))?)
}

/// Keys that nobody vouches for get a name that says so: where no policy holds, the certificate shows
/// what was signed, and whose key it is has to be asked.
fn with_strangers(mut ring: Keyring, approvals: &[FoundApproval], view: &View) -> Result<Keyring, AppError> {
    for approval in approvals {
        if ring.holder(&approval.key).is_some() {
            continue;
        }
        let Some(record) = view.review_action(Audience::Team, approval.action)? else { continue };
        let Ok(action) = Action::decode(&record.statement) else { continue };
        ring.add(KnownKey {
            key: approval.key.clone(),
            person: action.actor,
            handle: format!("unknown-{}", action.actor.short()),
            name: None,
            from: None,
            until: None,
            revoked: None,
            note: None,
        });
    }
    Ok(ring)
}
