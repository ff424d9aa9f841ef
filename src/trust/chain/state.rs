//! What a verified log says: the fold of its entries.

use crate::base::id::{ActionId, AssetId, CommitId, FileId, PersonId, PolicyId, RepositoryId};
use crate::base::path::AssetPath;
use crate::object::signature::Fingerprint;
use crate::repo::shared_log::LogHead;
use crate::rules::approval::{Received, Recorded, Revocations};
use crate::rules::policy::{Handle, Policy};
use crate::trust::chain::error::ChainError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Version of the stored form.
const VERSION: u32 = 2;

/// A policy that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Its link.
    pub id: PolicyId,
    /// Its number in the chain.
    pub number: u64,
    /// The links that it followed.
    pub parents: Vec<PolicyId>,
    /// The policy.
    pub policy: Policy,
    /// Its text.
    pub text: String,
    /// When the log received it.
    pub received: Received,
}

/// Two or more policies that follow the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// The last policy that nobody disputes: its quorum settles the matter.
    pub parent: Arc<InForce>,
    /// The links that follow it, sorted.
    pub rivals: Vec<PolicyId>,
    /// The highest of their numbers.
    pub number: u64,
}

/// A policy that was announced by the recovery rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Its link.
    pub link: PolicyId,
    /// When the log received it.
    pub received: Received,
}

/// Heads of the review log that had arrived at some moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reception {
    /// When.
    pub received: Received,
    /// The heads.
    pub heads: Vec<ActionId>,
}

/// A lock that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Who, as the policy called them.
    pub holder: String,
    /// The person.
    pub person: PersonId,
    /// Where the asset stood.
    pub path: Option<AssetPath>,
    /// The newest shared commits that they had then.
    pub commits: Vec<CommitId>,
    /// Since when; the number of the entry tells this grant from others of the asset.
    pub received: Received,
    /// When it ends by itself, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// Why, in words.
    pub reason: String,
}

/// What a log says, every entry verified. Only [`verify`](super::verify) makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLog {
    pub(super) repository: RepositoryId,
    pub(super) head: Option<LogHead>,
    pub(super) received_ms: i64,
    pub(super) root: Option<PolicyId>,
    pub(super) in_force: Option<Arc<InForce>>,
    pub(super) before: Option<Arc<InForce>>,
    pub(super) links: BTreeMap<PolicyId, u64>,
    pub(super) dispute: Option<Dispute>,
    pub(super) announced: Option<Announced>,
    pub(super) refs: BTreeMap<String, CommitId>,
    pub(super) revoked: Revocations,
    pub(super) landed: BTreeMap<ActionId, u64>,
    pub(super) receptions: Vec<Reception>,
    pub(super) locks: BTreeMap<AssetId, Lock>,
    pub(super) erased: BTreeMap<FileId, u64>,
    pub(super) owners: BTreeMap<Fingerprint, PersonId>,
    pub(super) policies: Vec<u64>,
    pub(super) unknown: u64,
}

impl VerifiedLog {
    /// A log without entries, which is how every log begins.
    pub(in crate::trust) fn empty(repository: RepositoryId) -> Self {
        Self {
            repository,
            head: None,
            received_ms: i64::MIN,
            root: None,
            in_force: None,
            before: None,
            links: BTreeMap::new(),
            dispute: None,
            announced: None,
            refs: BTreeMap::new(),
            revoked: BTreeMap::new(),
            landed: BTreeMap::new(),
            receptions: Vec::new(),
            locks: BTreeMap::new(),
            erased: BTreeMap::new(),
            owners: BTreeMap::new(),
            policies: Vec::new(),
            unknown: 0,
        }
    }

    /// The repository.
    pub const fn repository(&self) -> RepositoryId {
        self.repository
    }

    /// The newest entry; `None` when there is none.
    pub const fn head(&self) -> Option<LogHead> {
        self.head
    }

    /// When the newest entry was received, in milliseconds since 1970.
    pub const fn received_ms(&self) -> i64 {
        self.received_ms
    }

    /// The first policy: the root of trust.
    pub const fn root(&self) -> Option<PolicyId> {
        self.root
    }

    /// The policy in force; while a dispute lasts, the one that was so when it arose.
    pub fn in_force(&self) -> Option<&InForce> {
        self.in_force.as_deref()
    }

    /// Policies that follow the same one, until that is settled.
    pub const fn dispute(&self) -> Option<&Dispute> {
        self.dispute.as_ref()
    }

    /// A policy that waits for the recovery rule's time.
    pub const fn announced(&self) -> Option<&Announced> {
        self.announced.as_ref()
    }

    /// Where a protected name stands, by its stored form.
    pub fn reference(&self, name: &str) -> Option<CommitId> {
        self.refs.get(name).copied()
    }

    /// All protected names that exist, by their stored form.
    pub const fn references(&self) -> &BTreeMap<String, CommitId> {
        &self.refs
    }

    /// Where protected names stand, for a repository that follows this log; `None` without entries.
    pub fn recorded(&self) -> Option<Recorded> {
        self.head.map(|head| Recorded::verified(head.sequence, head.id, self.refs.clone()))
    }

    /// Whether the policy in force protects a name, by its stored form.
    pub fn protects(&self, name: &str) -> bool {
        self.in_force.as_ref().is_some_and(|in_force| protects(&in_force.policy, name))
    }

    /// Keys that no longer count.
    pub const fn revoked(&self) -> &Revocations {
        &self.revoked
    }

    /// When a key was revoked.
    pub fn revocation(&self, key: &Fingerprint) -> Option<Received> {
        self.revoked.get(key).copied()
    }

    /// Whether a submission has landed.
    pub fn has_landed(&self, submission: ActionId) -> bool {
        self.landed.contains_key(&submission)
    }

    /// The entry by which a submission landed.
    pub fn landing(&self, submission: ActionId) -> Option<u64> {
        self.landed.get(&submission).copied()
    }

    /// When which heads of the review log had arrived, in order.
    pub fn receptions(&self) -> &[Reception] {
        &self.receptions
    }

    /// Locks that were not given back, expired ones included.
    pub const fn locks(&self) -> &BTreeMap<AssetId, Lock> {
        &self.locks
    }

    /// Files whose bytes may be removed, each with the entry that permits it.
    pub fn erasures(&self) -> impl Iterator<Item = (&FileId, &u64)> {
        self.erased.iter()
    }

    /// Whether the removal of a file's bytes is permitted.
    pub fn may_erase(&self, file: FileId) -> bool {
        self.erased.contains_key(&file)
    }

    /// How many entries are of a kind that this program does not know.
    pub const fn unknown_entries(&self) -> u64 {
        self.unknown
    }

    /// Who is who, as the policy in force has it.
    pub fn handle(&self, person: PersonId) -> Option<&Handle> {
        self.in_force.as_ref()?.policy.person(person).map(|(handle, _)| handle)
    }

    /// The person for whom a key speaks by the newest policy that names it, whether it still counts or not.
    pub fn owner(&self, key: &Fingerprint) -> Option<PersonId> {
        self.owners.get(key).copied()
    }

    /// Whose keys are whose, by the newest policy that names each.
    pub const fn owners(&self) -> &BTreeMap<Fingerprint, PersonId> {
        &self.owners
    }

    /// The entries that brought policies, in order.
    pub fn policies(&self) -> &[u64] {
        &self.policies
    }

    /// Whether any policy so far named a person.
    pub fn knows(&self, person: PersonId) -> bool {
        self.owners.values().any(|owner| *owner == person)
    }

    /// The bytes from which [`restore`](Self::restore) goes on.
    pub fn checkpoint(&self) -> Result<Vec<u8>, ChainError> {
        serde_json::to_vec(&Record::of(self)).map_err(ChainError::Checkpoint)
    }

    /// Takes up a verification where an earlier one of this same clone ended.
    ///
    /// The bytes must come from where only this clone writes: nothing in them is verified again.
    pub fn restore(bytes: &[u8]) -> Result<Option<Self>, ChainError> {
        let record: Record = serde_json::from_slice(bytes).map_err(ChainError::Checkpoint)?;
        Ok(if record.version == VERSION { record.into_log() } else { None })
    }
}

/// Whether a policy protects a name, by its stored form.
pub(super) fn protects(policy: &Policy, name: &str) -> bool {
    match name.split_once('/') {
        Some(("branch", name)) => policy.protects_branch(name),
        Some(("tag", name)) => policy.protects_tag(name),
        _ => false,
    }
}

#[derive(Serialize, Deserialize)]
struct InForceRecord {
    id: PolicyId,
    number: u64,
    parents: Vec<PolicyId>,
    text: String,
    received: Received,
}

impl InForceRecord {
    fn of(in_force: &Arc<InForce>) -> Self {
        let InForce { id, number, parents, text, received, .. } = &**in_force;
        Self { id: *id, number: *number, parents: parents.clone(), text: text.clone(), received: *received }
    }

    fn read(self) -> Option<Arc<InForce>> {
        let policy = Policy::parse(&self.text).ok()?;
        let Self { id, number, parents, text, received } = self;
        Some(Arc::new(InForce { id, number, parents, policy, text, received }))
    }
}

#[derive(Serialize, Deserialize)]
struct DisputeRecord {
    parent: InForceRecord,
    rivals: Vec<PolicyId>,
    number: u64,
}

#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    repository: RepositoryId,
    head: Option<LogHead>,
    received_ms: i64,
    root: Option<PolicyId>,
    in_force: Option<InForceRecord>,
    before: Option<InForceRecord>,
    links: BTreeMap<PolicyId, u64>,
    dispute: Option<DisputeRecord>,
    announced: Option<Announced>,
    refs: BTreeMap<String, CommitId>,
    revoked: Revocations,
    landed: BTreeMap<ActionId, u64>,
    receptions: Vec<Reception>,
    locks: BTreeMap<AssetId, Lock>,
    erased: BTreeMap<FileId, u64>,
    owners: BTreeMap<Fingerprint, PersonId>,
    policies: Vec<u64>,
    unknown: u64,
}

impl Record {
    fn of(log: &VerifiedLog) -> Self {
        let dispute = log.dispute.as_ref().map(|dispute| DisputeRecord {
            parent: InForceRecord::of(&dispute.parent),
            rivals: dispute.rivals.clone(),
            number: dispute.number,
        });
        Self {
            version: VERSION,
            repository: log.repository,
            head: log.head,
            received_ms: log.received_ms,
            root: log.root,
            in_force: log.in_force.as_ref().map(InForceRecord::of),
            before: log.before.as_ref().map(InForceRecord::of),
            links: log.links.clone(),
            dispute,
            announced: log.announced.clone(),
            refs: log.refs.clone(),
            revoked: log.revoked.clone(),
            landed: log.landed.clone(),
            receptions: log.receptions.clone(),
            locks: log.locks.clone(),
            erased: log.erased.clone(),
            owners: log.owners.clone(),
            policies: log.policies.clone(),
            unknown: log.unknown,
        }
    }

    /// `None` when a policy in it cannot be read any more: verification then begins anew.
    fn into_log(self) -> Option<VerifiedLog> {
        let read = |record: Option<InForceRecord>| record.map(InForceRecord::read);
        let dispute = match self.dispute {
            None => None,
            Some(record) => {
                Some(Dispute { parent: record.parent.read()?, rivals: record.rivals, number: record.number })
            }
        };
        Some(VerifiedLog {
            repository: self.repository,
            head: self.head,
            received_ms: self.received_ms,
            root: self.root,
            in_force: match read(self.in_force) {
                Some(found) => Some(found?),
                None => None,
            },
            before: match read(self.before) {
                Some(found) => Some(found?),
                None => None,
            },
            links: self.links,
            dispute,
            announced: self.announced,
            refs: self.refs,
            revoked: self.revoked,
            landed: self.landed,
            receptions: self.receptions,
            locks: self.locks,
            erased: self.erased,
            owners: self.owners,
            policies: self.policies,
            unknown: self.unknown,
        })
    }
}
