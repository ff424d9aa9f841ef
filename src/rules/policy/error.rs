//! What can be wrong with the text of a policy, where, and what to write instead.

use crate::rules::pattern::PatternError;
use crate::rules::policy::names::NameError;
use crate::rules::policy::{COUNT_MAX, KEYS_MAX, PEOPLE_MAX, POLICY_BYTES_MAX, REQUIREMENTS_MAX, RULES_MAX};

/// Why text is no policy, and at which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {problem}")]
pub struct PolicyError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// The ways in which text fails to be a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("{0}")]
    Syntax(String),
    #[error("a policy has at most {} KiB", POLICY_BYTES_MAX / 1024)]
    TooLong,
    #[error("this is version {found:?} of the format; version 1 is known here")]
    Version { found: String },
    #[error("{place} has no {key:?}")]
    UnknownKey { place: String, key: String, near: Option<&'static str> },
    #[error("{place} needs {key:?}")]
    MissingKey { place: String, key: &'static str },
    #[error("{key} is {expected}")]
    Kind { key: String, expected: &'static str },
    #[error("{text:?} cannot be the name of a person or role: {reason}")]
    Name { text: String, reason: NameError },
    #[error("{text:?} is no person's id: it has 32 lower-case hexadecimal digits")]
    Id { text: String },
    #[error("{text:?} is no public key: {reason}")]
    Key { text: String, reason: String },
    #[error("this key is {other}'s already: a key speaks for one person")]
    KeyTwice { other: String },
    #[error("{other} has this id already: an id names one person")]
    IdTwice { other: String },
    #[error("{name:?} is a person and a role: one of the two needs another name")]
    NameTwice { name: String },
    #[error("{name:?} is listed twice")]
    Twice { name: String },
    #[error("nobody and no role is called {name:?}")]
    UnknownWho { name: String, near: Option<String> },
    #[error("{text:?} is no requirement")]
    Requirement { text: String },
    #[error("{text:?} asks for nobody: a requirement that anything meets protects nothing")]
    NoCount { text: String },
    #[error("{text:?} asks for more than {COUNT_MAX} people")]
    LargeCount { text: String },
    #[error("{text:?} can never be met: these are {people} people{}", if *.keys { " with a key" } else { "" })]
    Unmeetable { text: String, people: usize, keys: bool },
    #[error("{text:?} cannot be a pattern: {reason}")]
    Pattern { text: String, reason: PatternError },
    #[error("{text:?} is no length of time")]
    Duration { text: String },
    #[error("{text:?} is no moment")]
    Moment { text: String },
    #[error("it ends before it begins")]
    EndsFirst,
    #[error("a rule protects either a branch or a tag")]
    BranchOrTag,
    #[error("this rule asks for nothing")]
    AsksNothing,
    #[error("{key} means nothing for a tag")]
    NotForTags { key: &'static str },
    #[error("{text:?} is no class of metadata fields")]
    FieldClass { text: String },
    #[error("there are more than {max} {what}")]
    TooMany { what: &'static str, max: usize },
    #[error("{key} has characters that cannot be seen, or is too long")]
    Text { key: &'static str },
}

impl Problem {
    /// What to write instead, as a sentence without its full stop.
    pub fn proposal(&self) -> Option<String> {
        let fixed = match self {
            Self::UnknownKey { near, .. } => return near.map(|near| format!("did you mean {near:?}?")),
            Self::UnknownWho { near: Some(near), .. } => return Some(format!("did you mean {near:?}?")),
            Self::UnknownWho { name, near: None } => {
                return Some(format!(
                    "add [people.{name}] with an id, or list people under [roles] as {name} = [...]"
                ));
            }
            Self::MissingKey { key, .. } => return Some(missing(key).to_owned()),
            Self::Requirement { .. } | Self::NoCount { .. } => {
                "write it like \"2 editor\" or \"1 of anna, ben\""
            }
            Self::Unmeetable { keys: true, .. } => "ask for fewer, or give more of them a key first",
            Self::Unmeetable { .. } | Self::LargeCount { .. } => "ask for fewer, or name more people",
            Self::Duration { .. } => "write it like \"90 days\", \"2 weeks\" or \"12 hours\"",
            Self::Moment { .. } => "write it like 2026-03-01T09:00:00Z or 2026-03-01",
            Self::Version { .. } => "write version = 1; a newer Pentimento may know more",
            Self::BranchOrTag => "write branch = \"main\", or tag = \"print-*\"",
            Self::AsksNothing => "add approvals = [\"1 editor\"] or signed = true, or leave the rule out",
            Self::NotForTags { .. } => "for tags, write only tag = \"print-*\" and set = [\"publisher\"]",
            Self::Key { .. } => "paste a line of a .pub file, such as \"ssh-ed25519 AAAA...\"",
            Self::KeyTwice { .. } => "take it out of one of the two places",
            Self::FieldClass { .. } => "it is the first part of a field's name: labels, rights, title",
            _ => return None,
        };
        Some(fixed.to_owned())
    }
}

fn missing(key: &str) -> &'static str {
    match key {
        "version" => "begin with version = 1",
        "id" => "write id = \"<32 hexadecimal digits>\"; `pent config user.person` shows yours",
        "change" => "write change = [\"1 administrator\"] under [policy]",
        "set" => "write set = [\"publisher\"]",
        "key" => "write { key = \"ssh-ed25519 AAAA...\" }",
        "by" => "write by = [\"1 recovery\"]",
        "after" => "write after = \"30 days\"",
        "paths" => "write paths = \"contracts/**\"",
        "read" => "write read = [\"legal\"]",
        _ => "add it",
    }
}

/// The limits of lists, by what they hold.
pub(super) const fn limit(what: &str) -> usize {
    match what.as_bytes() {
        b"people" => PEOPLE_MAX,
        b"keys" => KEYS_MAX,
        b"requirements" => REQUIREMENTS_MAX,
        _ => RULES_MAX,
    }
}
