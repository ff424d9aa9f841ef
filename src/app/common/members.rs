//! Who has a say in what comes from elsewhere: people whom policies name, and how many proposed policies one of
//! them may have waiting.

use crate::base::id::{PersonId, PolicyId};
use crate::object::log_entry::{LogDeed, LogEntry, PolicyTaken, SignedEntry};
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::signature::{Fingerprint, Namespace, PublicKey};
use crate::rules::approval::{Revocations, check_quorum};
use crate::rules::policy::{Handle, Policy, Requirement};
use crate::sync::accept::Known;
use crate::trust::chain::VerifiedLog;
use std::collections::{BTreeSet, HashMap};

/// Most proposed policies with one person's signature that wait at one time, unless others signed them as well:
/// nobody fills all places there are.
pub const PLACES_MAX: usize = 16;
/// How the kind of an entry with a policy stands in its statement.
const POLICY_KIND: &str = "\"kind\":\"policy\"";

/// Everybody whom a policy names that was in force, or that comes with new entries and is signed by those who must.
/// `None` where there is no policy. `begins` says whether a first policy may be taken over.
pub fn known_people(
    ours: &VerifiedLog,
    arriving: &[SignedEntry],
    begins: &dyn Fn(PolicyId) -> bool,
) -> Option<Known> {
    let mut owners: HashMap<Fingerprint, PersonId> =
        ours.owners().iter().map(|(key, who)| (*key, *who)).collect();
    let mut current: Option<Policy> = ours.in_force().map(|in_force| in_force.policy.clone());
    let is_policy = |signed: &&SignedEntry| {
        std::str::from_utf8(&signed.statement).is_ok_and(|text| text.contains(POLICY_KIND))
    };
    for signed in arriving.iter().filter(is_policy) {
        let Ok(entry) = LogEntry::decode(&signed.statement) else { continue };
        let LogDeed::Policy(taken) = &entry.deed else { continue };
        let is_first = current.is_none();
        if is_first && !begins(PolicyLink::id_of(&taken.link.statement)) {
            continue;
        }
        let Some(policy) = taking_effect(taken, current.as_ref(), ours.revoked(), entry.received_ms) else {
            continue;
        };
        for member in policy.people.values() {
            owners.extend(member.keys.iter().map(|held| (held.key.fingerprint(), member.id)));
        }
        current = Some(policy);
    }
    current.map(|_| Known::new(owners))
}

/// The policy of a link, if those signed it whom the one before it names, or for the first one it itself.
fn taking_effect(
    taken: &PolicyTaken,
    before: Option<&Policy>,
    revoked: &Revocations,
    at_ms: i64,
) -> Option<Policy> {
    let link = PolicyLink::decode(&taken.link.statement).ok()?;
    let policy = Policy::parse(&link.policy).ok()?;
    let keys: Vec<PublicKey> =
        taken.link.verified(Namespace::Policy).ok()?.iter().map(|sealed| sealed.key().clone()).collect();
    let judge = before.unwrap_or(&policy);
    let asked: &[Requirement] = match (taken.recovery, &judge.recovery) {
        (false, _) => &judge.change,
        (true, Some(recovery)) => &recovery.by,
        (true, None) => return None,
    };
    check_quorum(judge, asked, &keys, at_ms, revoked).is_ok().then_some(policy)
}

/// Whether a proposed policy finds a place among those that wait: it has one already, or one of the people who
/// signed it, with keys that count now, has not as many waiting as one may.
pub fn has_place(
    policy: &Policy,
    (revoked, now_ms): (&Revocations, i64),
    (id, proposed): (PolicyId, &Signed),
    waiting: &[(PolicyId, Signed)],
) -> bool {
    let signers = |signed: &Signed| -> BTreeSet<Handle> {
        let all = signed.parsed().unwrap_or_default();
        let held = all.iter().filter_map(|signature| {
            let key = signature.public_key();
            let (handle, _, held) = policy.holder(key)?;
            let counts = !revoked.contains_key(&key.fingerprint()) && held.is_valid_at(now_ms);
            counts.then(|| handle.clone())
        });
        held.collect()
    };
    if waiting.iter().any(|(other, _)| *other == id) {
        return true;
    }
    let waiting: Vec<BTreeSet<Handle>> = waiting.iter().map(|(_, signed)| signers(signed)).collect();
    let taken = |who: &Handle| waiting.iter().filter(|signers| signers.contains(who)).count();
    signers(proposed).iter().any(|who| taken(who) < PLACES_MAX)
}

/// Whether a proposed policy follows the one in force, or settles the dispute that is open.
pub fn is_timely(log: &VerifiedLog, link: &PolicyLink) -> bool {
    match (log.dispute(), log.in_force()) {
        (Some(dispute), _) => link.parents == dispute.rivals,
        (None, Some(in_force)) => link.parents == [in_force.id],
        (None, None) => false,
    }
}
