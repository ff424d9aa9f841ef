//! Who may do what with a repository as a whole, by its policy.

use crate::rules::pattern::Pattern;
use crate::rules::policy::{Handle, Policy, Who};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What somebody may be permitted to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Fetch what is there.
    Read,
    /// Send changes and move names, as far as the rules of protection allow.
    Push,
    /// Lock assets.
    Lock,
    /// Revoke others' keys and break their locks.
    Administer,
    /// Begin a repository where none is. No policy gives this, since there is none yet.
    Begin,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Read, Self::Push, Self::Lock, Self::Administer, Self::Begin];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Push => "push",
            Self::Lock => "lock",
            Self::Administer => "administer",
            Self::Begin => "begin",
        }
    }

    /// The permission of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.word() == word)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Policy {
    /// Whether a person whom the policy names may do something. Whoever sends changes has to read what is
    /// there, so `push` without `read` permits nothing.
    pub fn permits(&self, handle: &Handle, permission: Permission) -> bool {
        if !self.people.contains_key(handle) {
            return false;
        }
        let one_of =
            |these: &Option<Vec<Who>>| these.as_ref().is_none_or(|these| self.is_one_of(handle, these));
        let reads = one_of(&self.access.read);
        match permission {
            Permission::Read => reads,
            Permission::Push => reads && one_of(&self.access.push),
            Permission::Lock => reads && one_of(&self.access.lock),
            Permission::Administer => reads && self.may_administer(handle),
            Permission::Begin => false,
        }
    }

    /// The paths whose content a person may not read; with `None`, those that not everybody may.
    pub fn hidden_from(&self, handle: Option<&Handle>) -> Vec<Pattern> {
        let rules = self.access.paths.iter();
        let hidden = rules.filter(|rule| !handle.is_some_and(|handle| self.is_one_of(handle, &rule.read)));
        hidden.map(|rule| rule.paths.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key made for tests; nobody has its private half.
    const TEXT: &str = r#"
version = 1

[people.anna]
id = "01010101010101010101010101010101"
keys = [{ key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHuwVVqILg6Yuji+LGGsSUWSnatdn/Jl3thuE3mEmLED" }]

[people.ben]
id = "02020202020202020202020202020202"

[people.eve]
id = "03030303030303030303030303030303"

[roles]
editor = ["anna"]
designer = ["ben"]

[access]
read = ["editor", "designer"]
push = ["editor"]

[[access.paths]]
paths = "contracts/**"
read = ["editor"]

[policy]
change = ["1 of anna"]
"#;

    #[test]
    fn permissions_follow_the_roles_and_strangers_have_none() {
        let policy = Policy::parse(TEXT).expect("a policy");
        let may = |name: &str, permission| policy.permits(&Handle::new(name).expect("a handle"), permission);
        assert!(may("anna", Permission::Push) && may("anna", Permission::Administer));
        assert!(may("ben", Permission::Read) && !may("ben", Permission::Push));
        assert!(may("ben", Permission::Lock), "nobody said who may lock, so everybody who reads may");
        for permission in Permission::ALL {
            assert!(!may("eve", permission), "{permission}");
            assert!(!may("mallory", permission), "{permission}");
        }
        let hidden = |name: Option<&str>| {
            let handle = name.map(|name| Handle::new(name).expect("a handle"));
            policy.hidden_from(handle.as_ref()).len()
        };
        assert_eq!((hidden(Some("anna")), hidden(Some("ben")), hidden(None)), (0, 1, 1));
    }
}
