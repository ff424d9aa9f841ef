//! The judgement itself.

use crate::base::id::{CommitId, PersonId};
use crate::object::approval::{Judgement, MetadataRule, TransitionIds, standing};
use crate::object::signature::{KeyClass, PublicKey};
use crate::rules::approval::quorum::{could, fitting, unmet};
use crate::rules::approval::{
    Actor, Authorised, Brought, Case, Change, Ignored, Missing, NotSigned, Paths, Received, Refusal,
    Revocations, TakenBack, UnsignedCommits, Vote,
};
use crate::rules::pattern::Pattern;
use crate::rules::policy::{Handle, Policy, Protection};
use std::collections::{BTreeMap, BTreeSet};

/// Prefixes of stored names.
const BRANCH: &str = "branch/";
const TAG: &str = "tag/";

/// Judges a move by the policy in force.
pub fn judge(case: &Case<'_>) -> Result<Authorised, Refusal> {
    let mut missing = Vec::new();
    let actor = case.actor.and_then(|actor| check_actor(case, actor, &mut missing));
    if let Some(name) = case.reference.strip_prefix(BRANCH) {
        judge_branch(case, name, actor.as_ref(), &mut missing);
    } else if let Some(name) = case.reference.strip_prefix(TAG) {
        judge_tag(case, name, actor.as_ref(), &mut missing);
    }
    let Some(signer) = case.actor.filter(|_| missing.is_empty()) else {
        if case.actor.is_none() {
            missing.push(Missing::Unsigned);
        }
        let name = case.reference.split_once('/').map_or(case.reference, |(_, name)| name);
        return Err(Refusal { name: name.to_owned(), landing: case.submission.is_some(), missing });
    };
    Ok(Authorised {
        reference: case.reference.to_owned(),
        from: case.from,
        to: case.to,
        submission: case.submission,
        actor: signer.person,
        policy: case.policy_id,
        log_head: case.log_head,
    })
}

/// The approvals that count for each change, by their places among the verdicts, where a rule of the branch
/// asks for any; in the order of the changes.
pub fn approvals(case: &Case<'_>) -> Vec<BTreeSet<usize>> {
    let ids: Vec<TransitionIds> =
        case.changes.iter().map(|change| TransitionIds::of(&change.transition)).collect();
    let mut found = vec![BTreeSet::new(); ids.len()];
    let Some(name) = case.reference.strip_prefix(BRANCH) else { return found };
    for (rule, paths) in case.policy.branch_rules(name) {
        let judged = RuleCase::new(case, name, rule);
        for ((change, ids), found) in case.changes.iter().zip(&ids).zip(&mut found) {
            if change.transition.paths().any(|path| paths.matches_path(path)) {
                let counting = judged.counting(ids).into_iter().map(|(place, _)| place);
                let approves =
                    |place: &usize| case.votes[*place].approval.value().judgement == Judgement::Approve;
                found.extend(counting.filter(approves));
            }
        }
    }
    found
}

/// The verdicts that count for no rule of the branch, by their places, and why.
pub fn ignored(case: &Case<'_>) -> BTreeMap<usize, Ignored> {
    let (mut found, mut counting) = (BTreeMap::new(), BTreeSet::new());
    let Some(name) = case.reference.strip_prefix(BRANCH) else { return found };
    for (rule, _) in case.policy.branch_rules(name) {
        for (place, worth) in RuleCase::new(case, name, rule).worth.iter().enumerate() {
            match worth.ignored {
                Some(why) => {
                    found.entry(place).or_insert(why);
                }
                None => {
                    counting.insert(place);
                }
            }
        }
    }
    found.retain(|place, _| !counting.contains(place));
    found
}

/// Whoever moves a name must be somebody, with a key that counts now, who may send changes.
fn check_actor(case: &Case<'_>, actor: &Actor, missing: &mut Vec<Missing>) -> Option<Handle> {
    let key = actor.key.fingerprint();
    let Some((handle, member, held)) = case.policy.holder(&actor.key) else {
        missing.push(Missing::UnknownKey { key });
        return None;
    };
    if member.id != actor.person {
        missing.push(Missing::OtherPersonsKey { key, holder: handle.clone() });
        return None;
    }
    if case.revoked.contains_key(&key) {
        missing.push(Missing::KeyRevoked { key });
    } else if !held.is_valid_at(case.at_ms) {
        missing.push(Missing::KeyNotValid { key });
    }
    let may_push = case.policy.access.push.as_ref().is_none_or(|who| case.policy.is_one_of(handle, who));
    if !may_push {
        missing.push(Missing::MayNotPush { person: handle.clone() });
    }
    Some(handle.clone())
}

fn judge_tag(case: &Case<'_>, name: &str, actor: Option<&Handle>, missing: &mut Vec<Missing>) {
    for set in case.policy.tag_rules(name) {
        if !actor.is_some_and(|actor| case.policy.is_one_of(actor, set)) {
            missing.push(Missing::TagSetter { set: set.iter().map(ToString::to_string).collect() });
        }
    }
}

fn judge_branch(case: &Case<'_>, name: &str, actor: Option<&Handle>, missing: &mut Vec<Missing>) {
    if case.to.is_none() && case.policy.protects_branch(name) {
        missing.push(Missing::Removal);
        return;
    }
    if case.goes_back {
        missing.push(Missing::GoesBack);
    }
    missing.extend(case.faults.iter().cloned());
    let ids: Vec<TransitionIds> =
        case.changes.iter().map(|change| TransitionIds::of(&change.transition)).collect();
    for (rule, paths) in case.policy.branch_rules(name) {
        RuleCase::new(case, name, rule).judge(paths, &ids, actor, missing);
        if rule.signed && !case.goes_back && concerns_move(case, paths) {
            let found = unsigned_commits(case, rule).map(|commits| Missing::NotSigned { commits });
            missing.extend(found.filter(|found| !missing.contains(found)));
        }
    }
}

/// Whether a rule is about a move: one of everything always is.
fn concerns_move(case: &Case<'_>, paths: &Pattern) -> bool {
    let mut touched = case.changes.iter().flat_map(|change| change.transition.paths());
    paths.is_everything() || touched.any(|path| paths.matches_path(path))
}

/// The commits that the branch would take and that nobody signed whose key counts at the moment at which it
/// takes them.
///
/// That the commit which the branch would stand at is not even among those that were looked at is no way around
/// this: it counts as unsigned.
fn unsigned_commits(case: &Case<'_>, rule: &Protection) -> Option<UnsignedCommits> {
    let mut found = UnsignedCommits::default();
    for brought in case.commits {
        if let Some(because) = not_signed(case, rule, brought) {
            found.add(brought.commit, because);
        }
    }
    let looked_at = |commit: &CommitId| case.commits.iter().any(|brought| brought.commit == *commit);
    if let Some(to) = case.to.filter(|to| !looked_at(to)) {
        found.add(to, NotSigned::Nobody);
    }
    (found.total > 0).then_some(found)
}

/// Why a commit does not count as signed; of several signatures that do not count, what is worst.
///
/// Whose key it is says the policy alone: what the statement says of its signer and its moment is not asked, so
/// that nobody takes a signature's worth away by another that says something else.
fn not_signed(case: &Case<'_>, rule: &Protection, brought: &Brought) -> Option<NotSigned> {
    let judged = brought.signatures.iter().map(|signature| {
        let key = signature.key();
        let Some((_, _, held)) = case.policy.holder(key) else { return Some(NotSigned::UnknownKey) };
        if case.revoked.contains_key(&key.fingerprint()) {
            return Some(NotSigned::KeyRevoked);
        }
        if !held.is_valid_at(case.at_ms) {
            return Some(NotSigned::KeyNotValid);
        }
        let in_browser = key.class() == KeyClass::Browser && !rule.browser_keys;
        in_browser.then_some(NotSigned::BrowserKey)
    });
    // `None` goes before every reason.
    match judged.min_by_key(|because| (because.is_some(), std::cmp::Reverse(*because))) {
        None => Some(NotSigned::Nobody),
        Some(because) => because,
    }
}

/// One rule, and what each verdict is worth for it.
struct RuleCase<'a> {
    case: &'a Case<'a>,
    rule: &'a Protection,
    worth: Vec<Worth>,
    ignored: Vec<(String, Ignored)>,
}

/// What a verdict is worth for one rule.
struct Worth {
    /// Whose word it is, when its key counts and it was not taken back: it takes the place of what that
    /// person said before, whether or not it counts itself.
    speaks: Option<Handle>,
    /// Why it does not count; `None` when it does.
    ignored: Option<Ignored>,
}

impl<'a> RuleCase<'a> {
    fn new(case: &'a Case<'a>, branch: &str, rule: &'a Protection) -> Self {
        let mut found = Self { case, rule, worth: Vec::with_capacity(case.votes.len()), ignored: Vec::new() };
        for vote in case.votes {
            let approval = vote.approval.value();
            let who = speaks(case, rule, vote.approval.key(), approval.person, vote.received);
            let is_over = vote.taken_back.iter().any(|taken| takes_back(case, rule, approval.person, taken));
            let weighed = match &who {
                Ok(handle) => weigh(case, branch, rule, vote, handle),
                Err(why) => Err(*why),
            };
            if let (Err(why), false) = (&weighed, is_over) {
                let claimed = case.policy.person(approval.person).map(|(handle, _)| handle.to_string());
                let who = claimed.unwrap_or_else(|| vote.approval.key().fingerprint().to_string());
                found.ignored.push((who, *why));
            }
            found.worth.push(Worth { speaks: who.ok().filter(|_| !is_over), ignored: weighed.err() });
        }
        found.ignored.sort();
        found.ignored.dedup();
        found
    }

    /// Looks at every change that the rule is about. Changes with the same approvers are judged as one.
    fn judge(
        &self,
        paths: &Pattern,
        ids: &[TransitionIds],
        actor: Option<&Handle>,
        missing: &mut Vec<Missing>,
    ) {
        let mut groups: BTreeMap<BTreeSet<Handle>, Paths> = BTreeMap::new();
        let mut objections: BTreeMap<(Handle, Judgement), Paths> = BTreeMap::new();
        for (change, ids) in self.case.changes.iter().zip(ids) {
            // A move counts where it comes from and where it goes to.
            let concerns = change.transition.paths().any(|path| paths.matches_path(path));
            if !concerns || self.is_direct(change, actor) {
                continue;
            }
            let mut approvers = BTreeSet::new();
            for (place, handle) in self.counting(ids) {
                let judgement = self.case.votes[place].approval.value().judgement;
                if judgement == Judgement::Approve {
                    approvers.insert(handle.clone());
                } else if self.is_asked(handle) {
                    let key = (handle.clone(), judgement);
                    objections.entry(key).or_default().add(change.transition.path());
                }
            }
            groups.entry(approvers).or_default().add(change.transition.path());
        }
        for ((by, judgement), paths) in objections {
            missing.push(Missing::Objection { by, judgement, paths });
        }
        for (approvers, paths) in groups {
            self.require(&approvers, &paths, missing);
        }
    }

    /// The verdicts that count for a transition, by their places, and whose they are.
    fn counting(&self, ids: &TransitionIds) -> Vec<(usize, &Handle)> {
        let votes = self.case.votes;
        let verdicts = votes.iter().map(|vote| vote.approval.value());
        let places = standing(verdicts, ids, &|place| self.worth[place].speaks.is_some());
        let counting = places.into_iter().filter_map(|place| {
            let (approval, worth) = (votes[place].approval.value(), &self.worth[place]);
            let exact = approval.judgement.objects();
            let rule = if exact { MetadataRule::default() } else { self.rule.metadata };
            let handle = worth.speaks.as_ref().filter(|_| worth.ignored.is_none())?;
            approval.coverage.covers(ids, rule).then_some((place, handle))
        });
        counting.collect()
    }

    /// Whether the actor may make this change of metadata without anybody's approval.
    fn is_direct(&self, change: &Change, actor: Option<&Handle>) -> bool {
        let Some(actor) = actor else { return false };
        let permitted = |class: &str| {
            let who = self.rule.direct.get(class);
            who.is_some_and(|who| self.case.policy.is_one_of(actor, who))
        };
        let class = |name: &str| name.split('.').next().is_some_and(permitted);
        change.transition.is_metadata_only()
            && !change.fields.is_empty()
            && change.fields.iter().all(|field| class(field.as_str()))
    }

    /// Whether the rule asks this person at all: others' objections are opinions.
    fn is_asked(&self, handle: &Handle) -> bool {
        self.rule.approvals.iter().any(|requirement| self.case.policy.is_one_of(handle, &requirement.of))
    }

    fn require(&self, approvers: &BTreeSet<Handle>, paths: &Paths, missing: &mut Vec<Missing>) {
        let policy = self.case.policy;
        for (requirement, lacking) in unmet(policy, &self.rule.approvals, approvers, self.rule.share) {
            let mut able = could(policy, requirement, approvers, (self.case.at_ms, self.case.revoked));
            if !self.rule.own {
                able.retain(|handle| !is_author(self.case, handle));
            }
            missing.push(Missing::Approvals {
                line: self.rule.line,
                requirement: requirement.clone(),
                lacking,
                have: fitting(policy, requirement, approvers),
                could: able,
                paths: paths.clone(),
                ignored: self.ignored.clone(),
            });
        }
    }
}

fn is_author(case: &Case<'_>, handle: &Handle) -> bool {
    case.policy.people.get(handle).is_some_and(|member| case.authors.contains(&member.id))
}

/// Whose word something is that a key signed, or why it is nobody's: the policy must name the key as that
/// person's, and the key must have counted when the log received it.
///
/// What an action says of its own moment is not asked.
pub fn speaker(
    policy: &Policy,
    revoked: &Revocations,
    at_ms: i64,
    (key, person): (&PublicKey, PersonId),
    received: Option<Received>,
) -> Result<Handle, Ignored> {
    let Some((handle, member, held)) = policy.holder(key) else { return Err(Ignored::OtherKey) };
    if member.id != person {
        return Err(Ignored::OtherKey);
    }
    if let Some(revoked) = revoked.get(&key.fingerprint())
        && received.is_none_or(|received| received.sequence >= revoked.sequence)
    {
        return Err(Ignored::KeyRevoked);
    }
    if !held.is_valid_at(received.map_or(at_ms, |received| received.unix_ms)) {
        return Err(Ignored::KeyNotValid);
    }
    Ok(handle.clone())
}

/// Whose word something is for one rule.
fn speaks(
    case: &Case<'_>,
    rule: &Protection,
    key: &PublicKey,
    person: PersonId,
    received: Option<Received>,
) -> Result<Handle, Ignored> {
    let handle = speaker(case.policy, case.revoked, case.at_ms, (key, person), received)?;
    if key.class() == KeyClass::Browser && !rule.browser_keys {
        return Err(Ignored::BrowserKey);
    }
    Ok(handle)
}

fn takes_back(case: &Case<'_>, rule: &Protection, person: PersonId, taken: &TakenBack) -> bool {
    speaks(case, rule, &taken.key, person, taken.received).is_ok()
}

/// Whether a verdict of this person counts. An objection does not go away by itself: neither with time nor
/// with another policy, nor because whoever objects made part of it.
fn weigh(
    case: &Case<'_>,
    branch: &str,
    rule: &Protection,
    vote: &Vote,
    handle: &Handle,
) -> Result<(), Ignored> {
    let approval = vote.approval.value();
    if approval.branch != branch {
        return Err(Ignored::OtherBranch);
    }
    if case.submission.is_some_and(|submission| submission != approval.submission) {
        return Err(Ignored::OtherSubmission);
    }
    if approval.judgement.objects() {
        return Ok(());
    }
    if approval.policy != Some(case.policy_id) {
        return Err(Ignored::OtherPolicy);
    }
    // A verdict's own moment can make it lapse sooner, but never count for longer.
    let received_ms = vote.received.map_or(case.at_ms, |received| received.unix_ms);
    let given_ms = approval.unix_ms.min(received_ms);
    if rule.valid_ms.is_some_and(|valid| case.at_ms.saturating_sub(given_ms) > valid) {
        return Err(Ignored::Lapsed);
    }
    if !rule.own && is_author(case, handle) {
        return Err(Ignored::OwnWork);
    }
    Ok(())
}
