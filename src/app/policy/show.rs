//! Shows a policy: the one in force, what it rests on and what is not as it says; or another one, that was in
//! force before or waits for signatures, with what it changes.

use crate::app::common::describe::TimeLine;
use crate::app::common::guard::{Stray, strays};
use crate::app::error::AppError;
use crate::app::policy::links::{self, Link, LinkState};
use crate::app::policy::{PolicyFailure, fingerprint, in_force, verified};
use crate::base::id::PolicyId;
use crate::base::monitor::Monitor;
use crate::base::time::{Clock, Timestamp};
use crate::diff::text::TextDiff;
use crate::object::signature::Fingerprint;
use crate::repo::Repository;
use crate::rules::policy::{Handle, Member, MemberKey, Policy, Role};
use crate::trust::chain::VerifiedLog;
use serde::Serialize;

/// A policy.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Its link.
    pub id: PolicyId,
    /// Its number in the chain.
    pub number: u64,
    /// Where it stands.
    pub state: LinkState,
    /// When the shared log received it; of one that waits, when it was written.
    pub since: TimeLine,
    /// Who signed it.
    pub signed: Vec<String>,
    /// Why, in words.
    pub reason: String,
    /// What is missing before it takes effect, as sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// From when on it may take effect, when it was announced by the recovery rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announced_until: Option<TimeLine>,
    /// What it changes of the one before it, where it was asked for by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<TextDiff>,
    /// Policies that wait for signatures or for their time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<PolicyId>,
    /// The first policy, in the form in which people compare it.
    pub root: String,
    /// Its text.
    pub policy: String,
    /// Everybody whom it names.
    pub people: Vec<MemberLine>,
    /// Policies that follow the same one, until that is settled.
    pub rivals: Vec<PolicyId>,
    /// Names that do not stand where the shared log says.
    pub strays: Vec<Stray>,
}

/// Somebody whom a policy names.
#[derive(Debug, Clone, Serialize)]
pub struct MemberLine {
    /// What it calls them.
    pub handle: Handle,
    /// Their name.
    pub name: Option<String>,
    /// Their roles.
    pub roles: Vec<Role>,
    /// Their keys.
    pub keys: Vec<KeyLine>,
}

/// A key of somebody.
#[derive(Debug, Clone, Serialize)]
pub struct KeyLine {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// What it is.
    pub note: Option<String>,
    /// From when on it counts; always when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<TimeLine>,
    /// Until when it counts; for ever when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<TimeLine>,
    /// Whether it counts now.
    pub counts: bool,
    /// The entry of the shared log that revoked it.
    pub revoked_by: Option<u64>,
}

/// Shows the policy in force, or the one of that number or id.
pub fn run(
    repository: &Repository,
    name: Option<&str>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let (view, log) = verified(repository, clock, monitor)?;
    let current = in_force(&log)?;
    let all = links::all(&view, &log)?;
    let link = links::find(&all, name.unwrap_or(&current.id.to_string()))?;
    let parsed;
    let policy = if link.id == current.id {
        &current.policy
    } else {
        parsed = Policy::parse(&link.link.policy).map_err(PolicyFailure::from)?;
        &parsed
    };
    let since = link.received.map_or(link.link.made_ms, |received| received.unix_ms);
    let waits = |link: &&Link| matches!(link.state(&log), LinkState::Proposed | LinkState::Announced);
    Ok(Report {
        id: link.id,
        number: link.link.number,
        state: link.state(&log),
        since: Timestamp::utc(since).into(),
        signed: link.signers(&all),
        reason: link.link.reason.clone(),
        missing: link.missing(&log, clock.now().unix_ms),
        announced_until: link.ripe_ms(&log).map(|ripe| Timestamp::utc(ripe).into()),
        changes: name.map(|_| link.changes(&all)),
        waiting: all.iter().filter(waits).map(|link| link.id).collect(),
        root: log.root().map(fingerprint).unwrap_or_default(),
        policy: link.link.policy.clone(),
        people: people(policy, &log, clock.now().unix_ms),
        rivals: log.dispute().map(|dispute| dispute.rivals.clone()).unwrap_or_default(),
        strays: strays(&view, &log)?,
    })
}

/// Everybody whom a policy names, with their keys and whether these count now.
fn people(policy: &Policy, log: &VerifiedLog, now_ms: i64) -> Vec<MemberLine> {
    let key = |held: &MemberKey| {
        let fingerprint = held.key.fingerprint();
        let revoked_by = log.revocation(&fingerprint).map(|received| received.sequence);
        let counts = revoked_by.is_none() && held.is_valid_at(now_ms);
        let moment = |unix_ms| TimeLine::from(Timestamp::utc(unix_ms));
        let (from, until) = (held.from.map(moment), held.until.map(moment));
        KeyLine { fingerprint, note: held.note.clone(), from, until, counts, revoked_by }
    };
    let member = |(handle, member): (&Handle, &Member)| MemberLine {
        handle: handle.clone(),
        name: member.name.clone(),
        roles: policy.roles_of(handle).cloned().collect(),
        keys: member.keys.iter().map(key).collect(),
    };
    policy.people.iter().map(member).collect()
}
