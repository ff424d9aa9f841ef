//! Finds the landing behind what is to be certified, and what speaks for it.

use crate::app::common::locate::locate;
use crate::app::error::AppError;
use crate::app::review::certificate::Subject;
use crate::app::review::error::ReviewError;
use crate::app::review::keys::ReviewKeys;
use crate::app::review::land::SUBMISSION_FIELD;
use crate::app::review::log::{Lists, ReviewLog, Standing, standing};
use crate::base::id::{ActionId, CommitId};
use crate::base::time::Timestamp;
use crate::object::action::{Audience, ListRef};
use crate::object::approval::{Judgement, MetadataRule};
use crate::object::log_entry::{LogDeed, LogEntry, SignedEntry};
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::signature::{KeyClass, PublicKey};
use crate::object::source::ObjectSource;
use crate::object::transition::{Held, Transition, TransitionList};
use crate::repo::View;
use crate::repo::review_log::ActionRecord;
use crate::review::submission::{Landed, Submission};
use crate::rules::keyring::{Keyring, KnownKey};
use crate::rules::policy::Policy;

/// What is certified, with its evidence.
pub struct Found {
    pub submission: ActionId,
    pub branch: String,
    pub landed: Landed,
    pub transitions: TransitionList,
    pub approvals: Vec<FoundApproval>,
    pub link: Option<FoundPolicy>,
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
    pub list: TransitionList,
}

pub fn find(
    view: &View,
    log: &ReviewLog,
    keys: &ReviewKeys,
    subject: &Subject,
    now: Timestamp,
) -> Result<Found, AppError> {
    let (submission, landed, transitions, lists) = match subject {
        Subject::Asset(path) => {
            let located = locate(view, None, path, now)?;
            let held = Held::from(&located.entry.content);
            let fits = |transition: &Transition| {
                transition
                    .after
                    .as_ref()
                    .is_some_and(|after| after.asset == located.entry.asset && after.content == held)
            };
            if located.entry.content.is_directory() {
                return Err(AppError::IsFolder { path: path.clone() });
            }
            let name = path.to_string();
            newest(view, log, &fits)?.ok_or(ReviewError::NotCertified { name })?
        }
        Subject::Revision(text) => {
            let commit = view.resolve(text, now)?.commit;
            by_commit(view, log, commit)?.ok_or_else(|| ReviewError::NotCertified { name: text.clone() })?
        }
    };
    let (link, entry) = shared_log(view, keys, submission.id)?;
    let policy = match &link {
        Some(found) => Some(policy_of(&found.signed)?),
        None => None,
    };
    let keyring = policy.as_ref().map_or_else(|| keys.keyring(), |policy| keys.keyring_of(policy));
    let approvals = approvals(view, submission, &lists, &transitions, link.as_ref(), policy.as_ref())?;
    Ok(Found {
        submission: submission.id,
        branch: submission.branch().to_owned(),
        landed,
        transitions,
        approvals,
        link,
        entry,
        keyring: with_strangers(keyring, log, submission),
    })
}

type Candidate<'l> = (&'l Submission, Landed, TransitionList, Lists);

/// The submission that landed last with a transition like that, and only such transitions of it.
fn newest<'l>(
    view: &View,
    log: &'l ReviewLog,
    fits: &dyn Fn(&Transition) -> bool,
) -> Result<Option<Candidate<'l>>, AppError> {
    for entry in log.causal.entries().iter().rev() {
        let Some(submission) = log.state.submissions.get(&entry.id()) else { continue };
        let Standing::Landed(landed) = standing(view, submission)? else { continue };
        let lists = log.lists(view, submission)?;
        let list = submission.current().and_then(|round| lists.get(&round.proposal.list));
        let wanted: Vec<Transition> =
            list.into_iter().flat_map(TransitionList::as_slice).filter(|one| fits(one)).cloned().collect();
        if !wanted.is_empty() {
            return Ok(Some((submission, landed, TransitionList::new(wanted), lists)));
        }
    }
    Ok(None)
}

/// The submission that a commit landed, with all that it changed.
fn by_commit<'l>(view: &View, log: &'l ReviewLog, id: CommitId) -> Result<Option<Candidate<'l>>, AppError> {
    let commit = view.commit(id)?;
    let named = commit.extensions.iter().find(|(key, _)| key == SUBMISSION_FIELD);
    let Some(submission) = named
        .and_then(|(_, bytes)| ActionId::from_slice(bytes))
        .and_then(|submission| log.state.submissions.get(&submission))
    else {
        return Ok(None);
    };
    let lists = log.lists(view, submission)?;
    let list = submission.current().and_then(|round| lists.get(&round.proposal.list)).cloned();
    let landed = submission.landings.iter().find(|landed| landed.commit == id).cloned();
    Ok(list.zip(landed).map(|(list, landed)| (submission, landed, list, lists)))
}

/// What the shared log says of a landing: the entry, and the policy in force at it.
fn shared_log(
    view: &View,
    keys: &ReviewKeys,
    submission: ActionId,
) -> Result<(Option<FoundPolicy>, Option<FoundEntry>), AppError> {
    let Some(sequence) = keys.log().landing(submission) else { return Ok((None, None)) };
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
fn with_strangers(mut ring: Keyring, log: &ReviewLog, submission: &Submission) -> Keyring {
    for given in &submission.verdicts {
        let Some(entry) = log.causal.get(given.action) else { continue };
        if ring.holder(entry.key()).is_none() {
            ring.add(KnownKey {
                key: entry.key().clone(),
                person: given.by,
                handle: format!("unknown-{}", given.by.short()),
                name: None,
                from: None,
                until: None,
                revoked: None,
                note: None,
            });
        }
    }
    ring
}

/// The approvals that speak for the certified transitions. Under a policy: those that were given under
/// it, with a key that it knows as that person's.
fn approvals(
    view: &View,
    submission: &Submission,
    lists: &Lists,
    transitions: &TransitionList,
    link: Option<&FoundPolicy>,
    policy: Option<&Policy>,
) -> Result<Vec<FoundApproval>, AppError> {
    let records = view.review_actions(Audience::Team)?;
    let in_force = link.map(|found| PolicyLink::id_of(&found.signed.statement));
    let mut found = Vec::new();
    for sealed in submission.approvals(lists) {
        let approval = sealed.value();
        let speaks = transitions
            .as_slice()
            .iter()
            .any(|transition| approval.coverage.covers(transition, MetadataRule::Keeps));
        let is_known = policy.is_none_or(|policy| {
            policy.holder(sealed.key()).is_some_and(|(_, member, _)| member.id == approval.person)
        });
        let counts = approval.judgement == Judgement::Approve && approval.policy == in_force && is_known;
        let given = submission.verdicts.iter().find(|given| given.action == approval.action);
        let record = records.iter().find(|record| record.id() == approval.action);
        let (Some(given), Some(record)) = (given.filter(|_| speaks && counts), record) else { continue };
        let reference: ListRef = given.verdict.value().list;
        let Some(list) = lists.get(&reference) else { continue };
        found.push(FoundApproval {
            record: record.clone(),
            action: given.action,
            key: sealed.key().clone(),
            class: sealed.key().class(),
            time: given.time,
            list: list.clone(),
        });
    }
    if found.is_empty() {
        let name = transitions.as_slice().first().map_or_else(String::new, |one| one.path().to_string());
        return Err(ReviewError::NotCertified { name }.into());
    }
    Ok(found)
}
