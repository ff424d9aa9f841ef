//! Ends a key: from the entry on that says so, nothing counts that the log receives from it.

use crate::app::common::evidence::RepositoryEvidence;
use crate::app::common::guard::{remember, trust};
use crate::app::error::AppError;
use crate::app::policy::links::asked_of;
use crate::app::policy::{Acting, PolicyFailure, in_force, not_permitted};
use crate::object::log_entry::{KeyRevoked, LogDeed};
use crate::object::signature::Fingerprint;
use crate::repo::edit::JournalNote;
use crate::rules::approval::{Received, Revocations, can_sign, unmet};
use crate::rules::policy::{Handle, Policy, Requirement};
use serde::Serialize;
use std::collections::BTreeSet;

/// A key that was ended.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The key.
    pub key: Fingerprint,
    /// Whose it was.
    pub person: Handle,
    /// The entry of the shared log that ends it.
    pub entry: u64,
}

/// A key that is to be ended, and what that would mean.
#[derive(Debug, Clone, Serialize)]
pub struct Foresight {
    /// The key.
    pub key: Fingerprint,
    /// Whose it is.
    pub person: Handle,
    /// What nobody could do any more, each a sentence without its full stop.
    pub lost: Vec<String>,
}

/// Says what the end of a key would take away from everybody, before it is ended.
pub fn foresee(acting: &Acting<'_>, name: &str) -> Result<Foresight, AppError> {
    let log = acting.log(&acting.repository.view()?)?;
    let policy = &in_force(&log)?.policy;
    let (person, key) = find(policy, name)?;
    let now = acting.clock.now();
    let mut revoked = log.revoked().clone();
    let first = Received { sequence: u64::MAX, unix_ms: now.unix_ms };
    let lacks = |requirements: &[Requirement], revoked: &Revocations| {
        let able = policy.people.keys().filter(|who| can_sign(policy, who, now.unix_ms, revoked));
        let able: BTreeSet<Handle> = able.cloned().collect();
        !unmet(policy, requirements, &able, false).is_empty()
    };
    let (can_change, can_recover) = (
        !lacks(&policy.change, &revoked),
        policy.recovery.as_ref().is_some_and(|recovery| !lacks(&recovery.by, &revoked)),
    );
    revoked.entry(key).or_insert(first);
    let mut lost = Vec::new();
    if can_change && lacks(&policy.change, &revoked) {
        lost.push(format!(
            "nobody could change the policy any more: that takes {}, and too few would have a key that counts",
            asked_of(&policy.change)
        ));
    }
    match &policy.recovery {
        None if !lost.is_empty() => lost.push("the policy has no recovery rule".to_owned()),
        Some(recovery) if can_recover && lacks(&recovery.by, &revoked) => {
            lost.push(format!(
                "the policy could not be recovered either: that takes {}",
                asked_of(&recovery.by)
            ));
        }
        _ => {}
    }
    Ok(Foresight { key, person, lost })
}

/// The key of that fingerprint, or the only one of a person.
fn find(policy: &Policy, name: &str) -> Result<(Handle, Fingerprint), AppError> {
    let all = policy
        .people
        .iter()
        .flat_map(|(handle, member)| member.keys.iter().map(move |held| (handle, held.key.fingerprint())));
    let mut fitting = all.filter(|(handle, key)| handle.as_str() == name || key.to_string() == name);
    match (fitting.next(), fitting.next()) {
        (Some((person, key)), None) => Ok((person.clone(), key)),
        _ => Err(PolicyFailure::NoKey { name: name.to_owned() }.into()),
    }
}

/// Revokes a key: by its fingerprint, or the only one of a person.
pub fn revoke(acting: &Acting<'_>, name: &str, reason: &str) -> Result<Report, AppError> {
    let view = acting.repository.view()?;
    let log = acting.log(&view)?;
    let (person, key) = find(&in_force(&log)?.policy, name)?;
    let now = acting.clock.now();
    let deed = LogDeed::Revoke(KeyRevoked { key, reason: reason.to_owned() });
    let entry = acting.writer.entry(&log, deed, now.unix_ms)?;
    let evidence = RepositoryEvidence::new(&view, acting.repository.id());
    let after = log
        .clone()
        .extended(&entry, &trust(acting.repository, &view, now)?, &evidence)
        .map_err(not_permitted)?;
    let mut edit = acting.repository.edit()?;
    let head = edit.append_log(&entry)?;
    remember(&mut edit, &after)?;
    let summary = format!("revoked the key {key} of {person}");
    edit.record(JournalNote { verb: "policy revoke", summary, ..JournalNote::default() }, now)?;
    edit.commit()?;
    Ok(Report { key, person, entry: head.sequence })
}
