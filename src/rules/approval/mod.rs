//! Whether a move of a protected branch or tag may happen: pure, the same for everyone who asks.
//!
//! [`judge`] is given what the policy in force says, what would change, and who approved what. It
//! makes an [`Authorised`], or says what is missing, each thing in a sentence. Nothing else makes an
//! `Authorised`, and a repository moves a protected name for nothing less.
//!
//! Every rule that matches is judged by itself, with the people whom it names: a rule for everything
//! never stands in for a narrower one (as it once did in gittuf, CVE-2026-128037). People are
//! counted, not keys and not signatures (TUF, GHSA-pwqf-9h7j-7mv8).

mod judge;
mod quorum;
mod sentences;

pub use judge::{approvals, ignored, judge, speaker};
pub use quorum::{can_sign, check_quorum, unmet};
pub use sentences::{asked, listed};

use crate::base::id::{ActionId, CommitId, LogEntryId, PersonId, PolicyId};
use crate::base::path::AssetPath;
use crate::object::approval::{Approval, Judgement};
use crate::object::commit_signature::CommitStatement;
use crate::object::metadata::FieldName;
use crate::object::signature::{Fingerprint, PublicKey, Verified};
use crate::object::transition::Transition;
use crate::rules::policy::{Handle, Policy, Requirement};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where in the shared log something was received, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Received {
    /// The entry's number.
    pub sequence: u64,
    /// The entry's moment, in milliseconds since 1970.
    pub unix_ms: i64,
}

/// Keys that no longer count, and since when.
pub type Revocations = BTreeMap<Fingerprint, Received>;

/// A verdict under its signer's seal, and when the shared log received it.
#[derive(Debug, Clone)]
pub struct Vote {
    /// The verdict.
    pub approval: Verified<Approval>,
    /// When the log received it; `None` while it is here only.
    pub received: Option<Received>,
    /// What takes it back.
    pub taken_back: Vec<TakenBack>,
}

/// That somebody takes a verdict of theirs back. Whether the key counts is still to be asked.
#[derive(Debug, Clone)]
pub struct TakenBack {
    /// The key that signed it.
    pub key: PublicKey,
    /// When the log received it; `None` while it is here only.
    pub received: Option<Received>,
}

/// One asset that would change.
#[derive(Debug, Clone)]
pub struct Change {
    /// From what to what.
    pub transition: Transition,
    /// The metadata fields that differ.
    pub fields: Vec<FieldName>,
}

/// A commit that a branch would take, and those signatures of it that hold: by whomever.
#[derive(Debug, Clone)]
pub struct Brought {
    /// The commit.
    pub commit: CommitId,
    /// Its signatures, each by another key.
    pub signatures: Vec<Verified<CommitStatement>>,
}

/// Who moves a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person, as they say.
    pub person: PersonId,
    /// The key that they sign with.
    pub key: PublicKey,
}

/// A move that is to be judged, and all that counts in it.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// Its link.
    pub policy_id: PolicyId,
    /// Keys that were revoked.
    pub revoked: &'a Revocations,
    /// The newest entry of the shared log.
    pub log_head: LogEntryId,
    /// The name, as it is stored: `branch/main`.
    pub reference: &'a str,
    /// Where it stands.
    pub from: Option<CommitId>,
    /// Where it is to stand.
    pub to: Option<CommitId>,
    /// Who moves it, and signs that.
    pub actor: Option<&'a Actor>,
    /// When, by the shared log, in milliseconds since 1970.
    pub at_ms: i64,
    /// The submission that lands.
    pub submission: Option<ActionId>,
    /// What would change: everything that differs between the two commits, and nothing else.
    pub changes: &'a [Change],
    /// All verdicts on the submission, in causal order: those that do not count as well.
    pub votes: &'a [Vote],
    /// Whoever made what is in it, or submitted it.
    pub authors: &'a BTreeSet<PersonId>,
    /// All commits that a branch would take which it does not have, where a rule of it asks for signatures.
    pub commits: &'a [Brought],
    /// Whether a branch would not go on from where it stands.
    pub goes_back: bool,
    /// What else was found to be wrong with it.
    pub faults: &'a [Missing],
}

/// A move that the policy in force permits, at one head of the shared log and from one place.
///
/// Only [`judge`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorised {
    reference: String,
    from: Option<CommitId>,
    to: Option<CommitId>,
    submission: Option<ActionId>,
    actor: PersonId,
    policy: PolicyId,
    log_head: LogEntryId,
}

impl Authorised {
    /// The name that may move, as it is stored.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// From where.
    pub const fn from(&self) -> Option<CommitId> {
        self.from
    }

    /// To where.
    pub const fn to(&self) -> Option<CommitId> {
        self.to
    }

    /// The submission that lands by it.
    pub const fn submission(&self) -> Option<ActionId> {
        self.submission
    }

    /// Who may move it.
    pub const fn actor(&self) -> PersonId {
        self.actor
    }

    /// The policy under which it was judged.
    pub const fn policy(&self) -> PolicyId {
        self.policy
    }

    /// The newest entry of the shared log when it was judged: the move must be the next.
    pub const fn log_head(&self) -> LogEntryId {
        self.log_head
    }
}

/// Where protected names stand by a shared log that was verified up to one entry.
///
/// Only the verification of a log makes one: a repository that takes over a log follows it by this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    sequence: u64,
    log_head: LogEntryId,
    references: BTreeMap<String, CommitId>,
}

impl Recorded {
    pub(crate) const fn verified(
        sequence: u64,
        log_head: LogEntryId,
        references: BTreeMap<String, CommitId>,
    ) -> Self {
        Self { sequence, log_head, references }
    }

    /// The number of the newest entry that was verified.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Its id.
    pub const fn log_head(&self) -> LogEntryId {
        self.log_head
    }

    /// Where a protected name stands, by its stored form.
    pub fn reference(&self, name: &str) -> Option<CommitId> {
        self.references.get(name).copied()
    }

    /// All protected names that exist, by their stored form.
    pub const fn references(&self) -> &BTreeMap<String, CommitId> {
        &self.references
    }
}

/// Why a verdict does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Ignored {
    #[error("it was given for another branch")]
    OtherBranch,
    #[error("it was given under another policy")]
    OtherPolicy,
    #[error("it is about another submission")]
    OtherSubmission,
    #[error("its key is not one of theirs")]
    OtherKey,
    #[error("its key did not count at that time")]
    KeyNotValid,
    #[error("its key was revoked before it arrived")]
    KeyRevoked,
    #[error("keys kept in a browser do not count here")]
    BrowserKey,
    #[error("they made part of it themselves")]
    OwnWork,
    #[error("it has lapsed")]
    Lapsed,
}

/// Why a commit does not count as signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum NotSigned {
    #[error("nobody signed it")]
    Nobody,
    #[error("the policy does not know the key that signed it")]
    UnknownKey,
    #[error("it was signed in a browser, which does not count here")]
    BrowserKey,
    #[error("the key that signed it does not count at this time")]
    KeyNotValid,
    #[error("the key that signed it was revoked")]
    KeyRevoked,
}

/// Commits that are not signed as they must be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UnsignedCommits {
    /// The first few, each with its reason.
    pub first: Vec<(CommitId, NotSigned)>,
    /// How many there are.
    pub total: usize,
}

impl UnsignedCommits {
    /// How many are named.
    const NAMED_MAX: usize = 3;

    /// Takes one more.
    fn add(&mut self, commit: CommitId, because: NotSigned) {
        if self.first.len() < Self::NAMED_MAX {
            self.first.push((commit, because));
        }
        self.total += 1;
    }
}

/// Some of the paths that something is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Paths {
    /// The first few.
    pub first: Vec<AssetPath>,
    /// How many there are.
    pub total: usize,
}

impl Paths {
    /// How many are named.
    const NAMED_MAX: usize = 3;

    /// Takes one more.
    pub fn add(&mut self, path: &AssetPath) {
        if self.first.len() < Self::NAMED_MAX {
            self.first.push(path.clone());
        }
        self.total += 1;
    }
}

/// One thing that keeps a move from happening. Shown, it is a sentence without its full stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "missing", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Missing {
    /// The name would go, but it is protected.
    Removal,
    /// The branch would leave commits behind that it has.
    GoesBack,
    /// The branch would go over several states at once, of which only the last is judged.
    SkipsStates,
    /// The branch would begin with nothing in it.
    BeginsEmpty,
    /// Nobody whom the policy knows submitted what is to land, or it was taken back.
    NotSubmitted { submission: ActionId },
    /// It would change what the submission, as it is now, does not ask for.
    Unsubmitted { paths: Paths },
    /// It would leave out what the submission, as it is now, asks for.
    LeftOut { paths: Paths },
    /// Nobody signs the move.
    Unsigned,
    /// Too few people approved.
    Approvals {
        /// The line of the policy at which the rule begins.
        line: usize,
        /// What it asks for.
        #[serde(serialize_with = "as_text")]
        requirement: Requirement,
        /// How many more it takes.
        lacking: u32,
        /// Who approved.
        have: Vec<Handle>,
        /// Who could approve.
        could: Vec<Handle>,
        /// What they have to approve.
        paths: Paths,
        /// Verdicts that do not count, by whom and why.
        ignored: Vec<(String, Ignored)>,
    },
    /// Somebody who could approve objects.
    Objection {
        /// Who.
        by: Handle,
        /// How.
        judgement: Judgement,
        /// To what.
        paths: Paths,
    },
    /// The branch takes signed commits only.
    NotSigned { commits: UnsignedCommits },
    /// The tag is for others to set.
    TagSetter {
        /// Whom the rule names.
        set: Vec<String>,
    },
    /// The key of whoever moves it is nobody's.
    UnknownKey { key: Fingerprint },
    /// The key is another person's.
    OtherPersonsKey { key: Fingerprint, holder: Handle },
    /// The key does not count now.
    KeyNotValid { key: Fingerprint },
    /// The key was revoked.
    KeyRevoked { key: Fingerprint },
    /// The person may not send changes.
    MayNotPush { person: Handle },
    /// No policy protects the name.
    Unprotected,
    /// The submission has landed already.
    Landed { submission: ActionId },
    /// Two policies claim to follow the same one.
    Disputed { rivals: Vec<PolicyId> },
    /// The name stands elsewhere by the shared log.
    Elsewhere { log: Option<CommitId>, from: Option<CommitId> },
    /// Signatures under a statement are too few.
    Signatures {
        #[serde(serialize_with = "as_text")]
        requirement: Requirement,
        /// How many more it takes.
        lacking: u32,
        /// Who signed.
        have: Vec<Handle>,
        /// Who could sign.
        could: Vec<Handle>,
    },
}

fn as_text<S: serde::Serializer>(requirement: &Requirement, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(requirement)
}

/// A move that the policy does not permit, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The name, as people say it.
    pub name: String,
    /// Whether a submission was to land; else somebody moved the name directly.
    pub landing: bool,
    /// What is missing.
    pub missing: Vec<Missing>,
}

impl Refusal {
    /// Whether all would be in order if this commit, which is being made, were signed.
    pub fn asks_only_for_a_signature_of(&self, commit: CommitId) -> bool {
        let is_that = |missing: &Missing| {
            let Missing::NotSigned { commits } = missing else { return false };
            commits.total == 1 && commits.first == [(commit, NotSigned::Nobody)]
        };
        !self.missing.is_empty() && self.missing.iter().all(is_that)
    }

    /// The same without a word about a commit that is signed when everything else is in order.
    #[must_use]
    pub fn without_signature_of(mut self, commit: CommitId) -> Self {
        self.missing.retain_mut(|missing| {
            let Missing::NotSigned { commits } = missing else { return true };
            // It comes last, after all that the branch would take: unnamed, it is one of those that are counted.
            commits.first.retain(|(other, _)| *other != commit);
            commits.total = commits.total.saturating_sub(1);
            commits.total > 0
        });
        self
    }
}

#[cfg(test)]
mod tests;
