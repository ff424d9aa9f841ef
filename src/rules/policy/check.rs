//! What must hold across a whole policy: names are known, and whoever must sign can.

use crate::rules::policy::error::{PolicyError, Problem};
use crate::rules::policy::names::{Handle, Role};
use crate::rules::policy::table::{Reader, nearest};
use crate::rules::policy::{Member, Policy, Requirement, Who};
use std::collections::{BTreeMap, BTreeSet};

/// The names of people and roles.
pub(super) struct Names<'a> {
    people: &'a BTreeMap<Handle, Member>,
    roles: &'a BTreeMap<Role, BTreeSet<Handle>>,
}

impl<'a> Names<'a> {
    pub(super) const fn new(
        people: &'a BTreeMap<Handle, Member>,
        roles: &'a BTreeMap<Role, BTreeSet<Handle>>,
    ) -> Self {
        Self { people, roles }
    }

    /// The role or person of a name.
    pub(super) fn find(&self, name: &str) -> Result<Who, Problem> {
        if let Some((role, _)) = self.roles.iter().find(|(role, _)| role.as_str() == name) {
            return Ok(Who::Role(role.clone()));
        }
        if let Some((handle, _)) = self.people.iter().find(|(handle, _)| handle.as_str() == name) {
            return Ok(Who::Person(handle.clone()));
        }
        let known = self.roles.keys().map(Role::as_str).chain(self.people.keys().map(Handle::as_str));
        Err(Problem::UnknownWho { name: name.to_owned(), near: nearest(name, known).map(str::to_owned) })
    }

    pub(super) fn people_of(&self, these: &[Who]) -> BTreeSet<&'a Handle> {
        let mut found = BTreeSet::new();
        for who in these {
            match who {
                Who::Person(handle) => {
                    found.extend(self.people.get_key_value(handle).map(|(known, _)| known));
                }
                Who::Role(role) => found.extend(self.roles.get(role).into_iter().flatten()),
            }
        }
        found
    }
}

/// The role or person of a name in a finished policy.
pub(super) fn find_who(policy: &Policy, name: &str) -> Result<Who, Problem> {
    Names::new(&policy.people, &policy.roles).find(name)
}

/// Refuses a policy that nobody could ever change again, or whose recovery nobody could sign.
pub(super) fn check(policy: &Policy, top: &Reader<'_>, section: &Reader<'_>) -> Result<(), PolicyError> {
    let recovery = policy.recovery.iter().flat_map(|recovery| &recovery.by);
    for requirement in policy.change.iter().chain(recovery).chain(&policy.erase) {
        let people = signers(policy, requirement);
        if people < requirement.count as usize {
            let text = requirement.to_string();
            return Err(section.refuse(Problem::Unmeetable { text, people, keys: true }));
        }
    }
    let keeps = |handle: &Handle| policy.may_keep_log(handle) && has_key(policy, handle);
    if !policy.people.keys().any(keeps) {
        let text = "keepers".to_owned();
        return Err(top.refuse(Problem::Unmeetable { text, people: 0, keys: true }));
    }
    Ok(())
}

/// How many of the people whom a requirement names have a key.
fn signers(policy: &Policy, requirement: &Requirement) -> usize {
    policy.people_of(&requirement.of).iter().filter(|handle| has_key(policy, handle)).count()
}

fn has_key(policy: &Policy, handle: &Handle) -> bool {
    policy.people.get(handle).is_some_and(|member| !member.keys.is_empty())
}
