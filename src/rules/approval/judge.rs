//! The judgement itself.

use crate::object::approval::{Approval, Judgement, MetadataRule};
use crate::object::signature::KeyClass;
use crate::rules::approval::quorum::{could, fitting, unmet};
use crate::rules::approval::{Authorised, Case, Change, Ignored, Missing, Paths, Refusal, Vote};
use crate::rules::pattern::Pattern;
use crate::rules::policy::{Handle, Protection};
use std::collections::{BTreeMap, BTreeSet};

/// Prefixes of stored names.
const BRANCH: &str = "branch/";
const TAG: &str = "tag/";

/// Judges a move by the policy in force.
pub fn judge(case: &Case<'_>) -> Result<Authorised, Refusal> {
    let mut missing = Vec::new();
    let actor = check_actor(case, &mut missing);
    if let Some(name) = case.reference.strip_prefix(BRANCH) {
        judge_branch(case, name, actor.as_ref(), &mut missing);
    } else if let Some(name) = case.reference.strip_prefix(TAG) {
        judge_tag(case, name, actor.as_ref(), &mut missing);
    }
    if !missing.is_empty() {
        let name = case.reference.split_once('/').map_or(case.reference, |(_, name)| name);
        return Err(Refusal { name: name.to_owned(), landing: case.submission.is_some(), missing });
    }
    Ok(Authorised {
        reference: case.reference.to_owned(),
        from: case.from,
        to: case.to,
        submission: case.submission,
        actor: case.actor.person,
        policy: case.policy_id,
        log_head: case.log_head,
    })
}

/// Whoever moves a name must be somebody, with a key that counts now, who may send changes.
fn check_actor(case: &Case<'_>, missing: &mut Vec<Missing>) -> Option<Handle> {
    let key = case.actor.key.fingerprint();
    let Some((handle, member, held)) = case.policy.holder(&case.actor.key) else {
        missing.push(Missing::UnknownKey { key });
        return None;
    };
    if member.id != case.actor.person {
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
    for (rule, paths) in case.policy.branch_rules(name) {
        RuleCase::new(case, name, rule).judge(paths, actor, missing);
    }
}

/// One rule and the verdicts that count for it.
struct RuleCase<'a> {
    case: &'a Case<'a>,
    rule: &'a Protection,
    counting: Vec<(Handle, &'a Approval)>,
    ignored: Vec<(String, Ignored)>,
}

impl<'a> RuleCase<'a> {
    fn new(case: &'a Case<'a>, branch: &str, rule: &'a Protection) -> Self {
        let mut found = Self { case, rule, counting: Vec::new(), ignored: Vec::new() };
        for vote in case.votes {
            match weigh(case, branch, rule, vote) {
                Ok(handle) => found.counting.push((handle, vote.approval.value())),
                Err((who, why)) => found.ignored.push((who, why)),
            }
        }
        found.ignored.sort();
        found.ignored.dedup();
        found
    }

    /// Looks at every change that the rule is about. Changes with the same approvers are judged as one.
    fn judge(&self, paths: &Pattern, actor: Option<&Handle>, missing: &mut Vec<Missing>) {
        let mut groups: BTreeMap<BTreeSet<Handle>, Paths> = BTreeMap::new();
        let mut objections: BTreeMap<(Handle, Judgement), Paths> = BTreeMap::new();
        for change in self.case.changes {
            // A move counts where it comes from and where it goes to.
            let concerns = change.transition.paths().any(|path| paths.matches_path(path));
            if !concerns || self.is_direct(change, actor) {
                continue;
            }
            let covering = self.counting.iter().filter(|(_, approval)| {
                let exact = approval.judgement.objects();
                let rule = if exact { MetadataRule::default() } else { self.rule.metadata };
                approval.coverage.covers(&change.transition, rule)
            });
            let mut approvers = BTreeSet::new();
            for (handle, approval) in covering {
                if approval.judgement == Judgement::Approve {
                    approvers.insert(handle.clone());
                } else if self.is_asked(handle) {
                    let key = (handle.clone(), approval.judgement);
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
            let mut able = could(policy, requirement, approvers, self.case.at_ms);
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

/// Says whose verdict this is, or why it counts for nobody.
fn weigh(case: &Case<'_>, branch: &str, rule: &Protection, vote: &Vote) -> Result<Handle, (String, Ignored)> {
    let approval = vote.approval.value();
    let key = vote.approval.key();
    let claimed = case.policy.person(approval.person).map(|(handle, _)| handle.to_string());
    let refuse = |why| (claimed.clone().unwrap_or_else(|| key.fingerprint().to_string()), why);
    let Some((handle, member, held)) = case.policy.holder(key) else {
        return Err(refuse(Ignored::OtherKey));
    };
    if member.id != approval.person {
        return Err(refuse(Ignored::OtherKey));
    }
    if approval.branch != branch {
        return Err(refuse(Ignored::OtherBranch));
    }
    if case.submission.is_some_and(|submission| submission != approval.submission) {
        return Err(refuse(Ignored::OtherSubmission));
    }
    if approval.policy != Some(case.policy_id) {
        return Err(refuse(Ignored::OtherPolicy));
    }
    check_moment(case, rule, vote, held).map_err(&refuse)?;
    if key.class() == KeyClass::Browser && !rule.browser_keys {
        return Err(refuse(Ignored::BrowserKey));
    }
    // Whoever made something may object to it, but not wave it through.
    if !rule.own && approval.judgement == Judgement::Approve && is_author(case, handle) {
        return Err(refuse(Ignored::OwnWork));
    }
    Ok(handle.clone())
}

/// Judges a verdict by the moment at which the log received it, never by what it says itself: that
/// can make it lapse sooner, but never count for longer.
fn check_moment(
    case: &Case<'_>,
    rule: &Protection,
    vote: &Vote,
    held: &crate::rules::policy::MemberKey,
) -> Result<(), Ignored> {
    let received_ms = vote.received.map_or(case.at_ms, |received| received.unix_ms);
    if let Some(revoked) = case.revoked.get(&vote.approval.key().fingerprint())
        && vote.received.is_none_or(|received| received.sequence >= revoked.sequence)
    {
        return Err(Ignored::KeyRevoked);
    }
    if !held.is_valid_at(received_ms) {
        return Err(Ignored::KeyNotValid);
    }
    let given_ms = vote.approval.value().unix_ms.min(received_ms);
    let lapsed = rule.valid_ms.is_some_and(|valid| case.at_ms.saturating_sub(given_ms) > valid);
    // An objection does not go away by itself.
    if lapsed && vote.approval.value().judgement == Judgement::Approve {
        return Err(Ignored::Lapsed);
    }
    Ok(())
}
