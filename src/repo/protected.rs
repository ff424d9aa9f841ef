//! Which names a policy protects, as the repository itself keeps it in mind.
//!
//! The record is made of the policy when its link enters the shared log, in the same transaction. It
//! only says which names may not move without an [`Authorised`](crate::rules::approval::Authorised);
//! whether one may is judged from the verified log.

use crate::repo::refs::{RefKind, RefName};
use crate::rules::pattern::Pattern;
use crate::rules::policy::{Policy, Protected};
use serde::{Deserialize, Serialize};

/// Patterns of protected names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectedNames {
    branches: Vec<String>,
    tags: Vec<String>,
}

impl ProtectedNames {
    /// The names that a policy protects.
    pub fn of(policy: &Policy) -> Self {
        let mut names = Self::default();
        for rule in &policy.protect {
            match &rule.protected {
                Protected::Branch { branch, .. } => names.branches.push(branch.as_str().to_owned()),
                Protected::Tag { tag, .. } => names.tags.push(tag.as_str().to_owned()),
            }
        }
        names
    }

    /// Whether a name is among them. A pattern that cannot be read matches everything: a damaged
    /// record must not set anything free.
    pub fn covers(&self, name: &RefName) -> bool {
        let patterns = match name.kind() {
            RefKind::Branch => &self.branches,
            RefKind::Tag => &self.tags,
            // Where a remote's branch was seen is a memory of this clone.
            RefKind::Remote => return false,
        };
        patterns
            .iter()
            .any(|text| Pattern::new(text).map_or(true, |pattern| pattern.matches_name(name.name())))
    }

    /// Whether nothing is protected.
    pub fn is_empty(&self) -> bool {
        self.branches.is_empty() && self.tags.is_empty()
    }
}
