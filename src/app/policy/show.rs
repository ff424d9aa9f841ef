//! Shows the policy in force, what it rests on, and what is not as it says.

use crate::app::common::describe::TimeLine;
use crate::app::common::guard::{Stray, strays};
use crate::app::error::AppError;
use crate::app::policy::{fingerprint, in_force, verified};
use crate::base::id::PolicyId;
use crate::base::monitor::Monitor;
use crate::base::time::{Clock, Timestamp};
use crate::object::signature::Fingerprint;
use crate::repo::Repository;
use crate::rules::policy::{Handle, Role};
use serde::Serialize;

/// The policy in force.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Its link.
    pub id: PolicyId,
    /// Its number in the chain.
    pub number: u64,
    /// Since when it is in force.
    pub since: TimeLine,
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

/// Shows the policy.
pub fn run(repository: &Repository, clock: &dyn Clock, monitor: &dyn Monitor) -> Result<Report, AppError> {
    let (view, log) = verified(repository, clock, monitor)?;
    let current = in_force(&log)?;
    let now_ms = clock.now().unix_ms;
    let people = current.policy.people.iter().map(|(handle, member)| MemberLine {
        handle: handle.clone(),
        name: member.name.clone(),
        roles: current.policy.roles_of(handle).cloned().collect(),
        keys: member
            .keys
            .iter()
            .map(|held| {
                let fingerprint = held.key.fingerprint();
                let revoked_by = log.revocation(&fingerprint).map(|received| received.sequence);
                let counts = revoked_by.is_none() && held.is_valid_at(now_ms);
                let moment = |unix_ms| TimeLine::from(Timestamp::utc(unix_ms));
                let (from, until) = (held.from.map(moment), held.until.map(moment));
                KeyLine { fingerprint, note: held.note.clone(), from, until, counts, revoked_by }
            })
            .collect(),
    });
    Ok(Report {
        id: current.id,
        number: current.number,
        since: Timestamp::utc(current.received.unix_ms).into(),
        root: log.root().map(fingerprint).unwrap_or_default(),
        policy: current.text.clone(),
        people: people.collect(),
        rivals: log.dispute().map(|dispute| dispute.rivals.clone()).unwrap_or_default(),
        strays: strays(&view, &log)?,
    })
}
