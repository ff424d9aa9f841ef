//! What one caller may do with one repository.

use crate::app::common::guard::verified_log;
use crate::app::error::AppError;
use crate::app::serve::tokens::Token;
use crate::base::id::PersonId;
use crate::base::monitor::SilentMonitor;
use crate::base::time::Timestamp;
use crate::object::signature::PublicKey;
use crate::repo::Repository;
use crate::rules::access::Permission;
use crate::rules::pattern::Pattern;
use crate::rules::policy::{Handle, Policy};
use crate::trust::chain::VerifiedLog;
use std::collections::BTreeSet;

/// What a caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Tells callers apart: letters, digits and `-`.
    pub name: String,
    /// What they may do.
    pub may: BTreeSet<Permission>,
    /// Paths whose content is withheld from them.
    pub hidden: Vec<Pattern>,
    /// Most bytes that they may have sent and not published; with `None`, as many as are left free.
    pub pending_max: Option<u64>,
}

impl Rights {
    /// Nothing at all.
    pub fn none(name: &str) -> Self {
        Self { name: name.to_owned(), may: BTreeSet::new(), hidden: Vec::new(), pending_max: None }
    }

    /// Everything: whoever reaches the repository's folder anyway.
    pub fn local() -> Self {
        Self { name: "local".to_owned(), may: Permission::ALL.into(), hidden: Vec::new(), pending_max: None }
    }

    fn by_policy(name: String, policy: &Policy, handle: &Handle) -> Self {
        let may = Permission::ALL.into_iter().filter(|one| policy.permits(handle, *one)).collect();
        Self { name, may, hidden: policy.hidden_from(Some(handle)), pending_max: None }
    }
}

/// Somebody who signed in: holds a key, and says to be a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The key that was proven.
    pub key: PublicKey,
    /// The person that was claimed; only a policy says whether the key is theirs.
    pub person: PersonId,
}

fn log_of(repository: &Repository, now: Timestamp) -> Result<VerifiedLog, AppError> {
    verified_log(repository, &repository.view()?, now, &SilentMonitor)
}

/// What somebody who signed in may do. Without a policy, whom the server lists may read and push.
pub fn of_person(
    repository: &Repository,
    who: &SignedIn,
    listed: &[PublicKey],
    now: Timestamp,
) -> Result<Rights, AppError> {
    let name = who.person.to_string();
    let log = log_of(repository, now)?;
    let Some(in_force) = log.in_force() else {
        return Ok(if log.root().is_none() { of_listed(who, listed) } else { Rights::none(&name) });
    };
    let held = in_force.policy.holder(&who.key).filter(|(_, member, key)| {
        let is_revoked = log.revocation(&who.key.fingerprint()).is_some();
        member.id == who.person && key.is_valid_at(now.unix_ms) && !is_revoked
    });
    Ok(match held {
        Some((handle, _, _)) => Rights::by_policy(name, &in_force.policy, handle),
        None => Rights::none(&name),
    })
}

/// What somebody may do where there is no policy, or no repository yet.
pub fn of_listed(who: &SignedIn, listed: &[PublicKey]) -> Rights {
    // Nobody has said whose the key is, so the person that is claimed tells nobody apart.
    let name = format!("key-{}", blake3::hash(who.key.blob()).to_hex());
    if !listed.contains(&who.key) {
        return Rights::none(&name);
    }
    let may = [Permission::Read, Permission::Push, Permission::Lock, Permission::Begin];
    Rights { name, may: may.into(), hidden: Vec::new(), pending_max: None }
}

/// What a person may do of whom somebody else made sure who it is.
pub fn of_handle(repository: &Repository, handle: &Handle, now: Timestamp) -> Result<Rights, AppError> {
    let log = log_of(repository, now)?;
    let name = format!("person-{handle}");
    Ok(match log.in_force() {
        Some(in_force) => Rights::by_policy(name, &in_force.policy, handle),
        None => Rights::none(&name),
    })
}

/// What a machine may do: what its token says, and of that no more than the person for whom it works. A
/// token that works for nobody reads nothing that not everybody may.
pub fn of_token(
    repository: &Repository,
    token: &Token,
    place: &str,
    now: Timestamp,
) -> Result<Rights, AppError> {
    let mut rights = of_token_alone(token, place);
    let log = log_of(repository, now)?;
    match (log.in_force(), &token.works_for) {
        (Some(in_force), Some(handle)) => {
            let theirs = Rights::by_policy(String::new(), &in_force.policy, handle);
            rights.may = rights.may.intersection(&theirs.may).copied().collect();
            rights.hidden = theirs.hidden;
        }
        (Some(in_force), None) => rights.hidden = in_force.policy.hidden_from(None),
        (None, Some(_)) => rights.may.clear(),
        (None, None) if log.root().is_some() => rights.may.clear(),
        (None, None) => {}
    }
    Ok(rights)
}

/// The same where there is no repository yet.
pub fn of_token_alone(token: &Token, place: &str) -> Rights {
    let name = format!("token-{}", token.id);
    if !token.covers(place) {
        return Rights::none(&name);
    }
    Rights { name, may: token.may.clone(), hidden: Vec::new(), pending_max: None }
}
