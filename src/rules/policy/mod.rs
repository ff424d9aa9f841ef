//! The policy of a repository: who is who, which branches and paths are protected, what a change of
//! them needs, and what a change of the policy itself needs.
//!
//! A policy is a TOML text (`docs/format/policy.md`). [`Policy::parse`] takes exactly what is
//! understood and refuses the rest, with the line and what to write instead: a rule that is
//! misspelt must not be a rule that is not there.

mod check;
mod error;
mod names;
mod parse;
mod table;
mod template;
mod words;

pub use error::{PolicyError, Problem};
pub use names::{Handle, NameError, Role};
pub use template::{Founder, first_policy};
pub use words::{describe_duration, parse_duration, parse_requirement};

pub use crate::object::approval::MetadataRule;

use crate::base::id::PersonId;
use crate::object::signature::{Fingerprint, PublicKey};
use crate::rules::pattern::Pattern;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Longest text of a policy, in bytes.
pub const POLICY_BYTES_MAX: usize = 256 << 10;
/// Most people.
pub const PEOPLE_MAX: usize = 10_000;
/// Most keys of one person.
pub const KEYS_MAX: usize = 64;
/// Most rules of protection, and of access by path.
pub const RULES_MAX: usize = 256;
/// Most requirements of one rule, and the most people that one of them may ask for.
pub const REQUIREMENTS_MAX: usize = 16;
/// Most approvals that one requirement may ask for.
pub const COUNT_MAX: u32 = 32;

/// A policy that was read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// People by handle.
    pub people: BTreeMap<Handle, Member>,
    /// Who is in which role.
    pub roles: BTreeMap<Role, BTreeSet<Handle>>,
    /// What is protected, in the order of the text.
    pub protect: Vec<Protection>,
    /// Who may read, push, lock and administer.
    pub access: Access,
    /// What a change of the policy needs.
    pub change: Vec<Requirement>,
    /// What removing a file's bytes for good needs.
    pub erase: Vec<Requirement>,
    /// Who may write entries of the shared log; everyone with a key when `None`.
    pub keepers: Option<Vec<Who>>,
    /// How a policy is replaced when its quorum is lost.
    pub recovery: Option<Recovery>,
    people_by_id: BTreeMap<PersonId, Handle>,
    people_by_key: BTreeMap<PublicKey, Handle>,
    fingerprints: BTreeSet<Fingerprint>,
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The opaque id that history knows the person by.
    pub id: PersonId,
    /// A name for readers of the policy.
    pub name: Option<String>,
    /// The keys that speak for the person.
    pub keys: Vec<MemberKey>,
}

/// One key of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberKey {
    /// The key.
    pub key: PublicKey,
    /// From when on it counts, in milliseconds since 1970; always when `None`.
    pub from: Option<i64>,
    /// Until when it counts, that moment excluded; for ever when `None`.
    pub until: Option<i64>,
    /// What it is, for readers of the policy.
    pub note: Option<String>,
}

impl MemberKey {
    /// Whether it counts at a moment.
    pub fn is_valid_at(&self, unix_ms: i64) -> bool {
        self.from.is_none_or(|from| from <= unix_ms) && self.until.is_none_or(|until| unix_ms < until)
    }
}

/// Somebody whom a rule names: a role or a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Whoever is in the role.
    Role(Role),
    /// That person.
    Person(Handle),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => role.fmt(f),
            Self::Person(handle) => handle.fmt(f),
        }
    }
}

/// So many different people of these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    /// How many people, at least one.
    pub count: u32,
    /// Of whom.
    pub of: Vec<Who>,
}

/// As it is written: `2 editor`, `1 of anna, ben`.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [Who::Role(role)] = self.of.as_slice() {
            return write!(f, "{} {role}", self.count);
        }
        write!(f, "{} of ", self.count)?;
        for (index, who) in self.of.iter().enumerate() {
            write!(f, "{}{who}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// What a rule protects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protected {
    /// Changes of branches, as far as they touch the paths.
    Branch {
        /// Names of branches.
        branch: Pattern,
        /// Paths.
        paths: Pattern,
    },
    /// Setting and removing tags.
    Tag {
        /// Names of tags.
        tag: Pattern,
        /// Who may.
        set: Vec<Who>,
    },
}

/// One rule of protection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// The line of the text at which it begins, from 1.
    pub line: usize,
    /// What it protects.
    pub protected: Protected,
    /// Who must approve; each of these must be met.
    pub approvals: Vec<Requirement>,
    /// Whether one person may fill several of these.
    pub share: bool,
    /// Whether people may approve what they made themselves.
    pub own: bool,
    /// How long an approval lasts, in milliseconds; for ever when `None`.
    pub valid_ms: Option<i64>,
    /// What a change of metadata does to an approval.
    pub metadata: MetadataRule,
    /// Classes of metadata fields, and who may change these without approval.
    pub direct: BTreeMap<String, Vec<Who>>,
    /// Whether approvals, and signatures of commits, by keys kept in a browser count.
    pub browser_keys: bool,
    /// Whether the branch takes only commits that a key of somebody whom the policy names signed.
    pub signed: bool,
    /// Whether only what fits the metadata schema of the branch may be submitted.
    pub schema: bool,
}

/// Who may do what with the repository as a whole. `None`: everyone whom the policy names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Who may read.
    pub read: Option<Vec<Who>>,
    /// Who may send changes.
    pub push: Option<Vec<Who>>,
    /// Who may lock assets.
    pub lock: Option<Vec<Who>>,
    /// Files that one person at a time should change: without a lock they are read-only in worktrees.
    pub lockable: Vec<Pattern>,
    /// Who may revoke other people's keys and break their locks; whoever may change the policy when
    /// `None`.
    pub administer: Option<Vec<Who>>,
    /// Paths that fewer people may read, in the order of the text.
    pub paths: Vec<PathAccess>,
}

/// Who may read some paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathAccess {
    /// The paths.
    pub paths: Pattern,
    /// Who may read them.
    pub read: Vec<Who>,
}

/// How a policy is replaced when the people who may change it can no longer sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Who must sign.
    pub by: Vec<Requirement>,
    /// How long it must have been announced, in milliseconds.
    pub after_ms: i64,
}

impl Policy {
    /// Reads a policy.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        parse::parse(text)
    }

    fn index(&mut self) {
        for (handle, member) in &self.people {
            self.people_by_id.insert(member.id, handle.clone());
            for key in &member.keys {
                self.people_by_key.insert(key.key.clone(), handle.clone());
                self.fingerprints.insert(key.key.fingerprint());
            }
        }
    }

    /// The person of an id.
    pub fn person(&self, id: PersonId) -> Option<(&Handle, &Member)> {
        self.people.get_key_value(self.people_by_id.get(&id)?)
    }

    /// The person for whom a key speaks, and since when until when.
    pub fn holder(&self, key: &PublicKey) -> Option<(&Handle, &Member, &MemberKey)> {
        let (handle, member) = self.people.get_key_value(self.people_by_key.get(key)?)?;
        let key = member.keys.iter().find(|other| other.key == *key)?;
        Some((handle, member, key))
    }

    /// Whether a key of this fingerprint is somebody's.
    pub fn names_key(&self, fingerprint: &Fingerprint) -> bool {
        self.fingerprints.contains(fingerprint)
    }

    /// Whether a person is one of these.
    pub fn is_one_of(&self, handle: &Handle, these: &[Who]) -> bool {
        these.iter().any(|who| match who {
            Who::Person(person) => person == handle,
            Who::Role(role) => self.roles.get(role).is_some_and(|people| people.contains(handle)),
        })
    }

    /// The people whom a list of roles and people comes to.
    pub fn people_of(&self, these: &[Who]) -> BTreeSet<Handle> {
        let mut people = BTreeSet::new();
        for who in these {
            match who {
                Who::Person(person) => {
                    people.insert(person.clone());
                }
                Who::Role(role) => people.extend(self.roles.get(role).into_iter().flatten().cloned()),
            }
        }
        people
    }

    /// The roles that a person is in.
    pub fn roles_of<'a>(&'a self, handle: &'a Handle) -> impl Iterator<Item = &'a Role> {
        self.roles.iter().filter(move |(_, people)| people.contains(handle)).map(|(role, _)| role)
    }

    /// Whether a person may write entries of the shared log.
    pub fn may_keep_log(&self, handle: &Handle) -> bool {
        self.keepers.as_ref().is_none_or(|keepers| self.is_one_of(handle, keepers))
    }

    /// Whether a person may revoke other people's keys and break their locks.
    pub fn may_administer(&self, handle: &Handle) -> bool {
        match &self.access.administer {
            Some(these) => self.is_one_of(handle, these),
            None => self.change.iter().any(|requirement| self.is_one_of(handle, &requirement.of)),
        }
    }

    /// Whether some rule protects a branch.
    pub fn protects_branch(&self, name: &str) -> bool {
        self.branch_rules(name).next().is_some()
    }

    /// Whether some rule protects a tag.
    pub fn protects_tag(&self, name: &str) -> bool {
        self.tag_rules(name).next().is_some()
    }

    /// The rules that protect a branch, with the paths that they protect.
    pub fn branch_rules<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Protection, &'a Pattern)> {
        self.protect.iter().filter_map(move |rule| match &rule.protected {
            Protected::Branch { branch, paths } if branch.matches_name(name) => Some((rule, paths)),
            _ => None,
        })
    }

    /// Whether some rule of a branch asks for signed commits.
    pub fn asks_for_signed_commits(&self, branch: &str) -> bool {
        self.branch_rules(branch).any(|(rule, _)| rule.signed)
    }

    /// Who may set and remove a tag, one list for each rule that protects it.
    pub fn tag_rules<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [Who]> {
        self.protect.iter().filter_map(move |rule| match &rule.protected {
            Protected::Tag { tag, set } if tag.matches_name(name) => Some(set.as_slice()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
