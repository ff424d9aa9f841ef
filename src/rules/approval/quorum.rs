//! Counting people against requirements.

use crate::object::signature::PublicKey;
use crate::rules::approval::{Missing, Revocations};
use crate::rules::policy::{Handle, MemberKey, Policy, Requirement};
use std::collections::BTreeSet;

/// What each requirement lacks, given who stands for it.
///
/// A person fills one place of one requirement, unless they are `shared` among requirements. Who
/// fills which place is found by augmenting paths (Kuhn's algorithm), so that the order in which
/// people appear never matters.
pub fn unmet<'r>(
    policy: &Policy,
    requirements: &'r [Requirement],
    people: &BTreeSet<Handle>,
    shared: bool,
) -> Vec<(&'r Requirement, u32)> {
    let fits: Vec<Vec<usize>> = requirements
        .iter()
        .map(|requirement| {
            let fitting = people.iter().enumerate();
            fitting
                .filter(|(_, person)| policy.is_one_of(person, &requirement.of))
                .map(|(index, _)| index)
                .collect()
        })
        .collect();
    let filled: Vec<usize> =
        if shared { fits.iter().map(Vec::len).collect() } else { assign(requirements, &fits, people.len()) };
    let lacking = requirements.iter().zip(filled);
    lacking
        .map(|(requirement, filled)| (requirement, requirement.count.saturating_sub(filled as u32)))
        .filter(|(_, lacking)| *lacking > 0)
        .collect()
}

/// How many places of each requirement can be filled at the same time.
fn assign(requirements: &[Requirement], fits: &[Vec<usize>], people: usize) -> Vec<usize> {
    let places: Vec<usize> = requirements
        .iter()
        .enumerate()
        .flat_map(|(index, requirement)| std::iter::repeat_n(index, requirement.count as usize))
        .collect();
    let mut place_of: Vec<Option<usize>> = vec![None; people];
    for place in 0..places.len() {
        let mut seen = vec![false; people];
        seat(place, &places, fits, &mut place_of, &mut seen);
    }
    let mut filled = vec![0; requirements.len()];
    for place in place_of.into_iter().flatten() {
        filled[places[place]] += 1;
    }
    filled
}

/// Finds somebody for a place, moving others to places that suit them as well.
///
/// Recursion goes no deeper than there are people whom a requirement can ask for.
fn seat(
    place: usize,
    places: &[usize],
    fits: &[Vec<usize>],
    place_of: &mut [Option<usize>],
    seen: &mut [bool],
) -> bool {
    for &person in &fits[places[place]] {
        if std::mem::replace(&mut seen[person], true) {
            continue;
        }
        let is_free = match place_of[person] {
            None => true,
            Some(other) => seat(other, places, fits, place_of, seen),
        };
        if is_free {
            place_of[person] = Some(place);
            return true;
        }
    }
    false
}

/// Checks that keys which signed a statement stand for enough people.
///
/// A key counts if the policy knows it, it is valid at `at_ms` and has not been revoked.
pub fn check_quorum(
    policy: &Policy,
    requirements: &[Requirement],
    keys: &[PublicKey],
    at_ms: i64,
    revoked: &Revocations,
) -> Result<BTreeSet<Handle>, Vec<Missing>> {
    let signers: BTreeSet<Handle> = keys
        .iter()
        .filter(|key| !revoked.contains_key(&key.fingerprint()))
        .filter_map(|key| policy.holder(key))
        .filter(|(_, _, held)| held.is_valid_at(at_ms))
        .map(|(handle, _, _)| handle.clone())
        .collect();
    let lacking = unmet(policy, requirements, &signers, false);
    if lacking.is_empty() {
        return Ok(signers);
    }
    let missing = lacking.into_iter().map(|(requirement, lacking)| Missing::Signatures {
        requirement: requirement.clone(),
        lacking,
        have: fitting(policy, requirement, &signers),
        could: could(policy, requirement, &signers, (at_ms, revoked)),
    });
    Err(missing.collect())
}

/// Those of `people` whom a requirement names.
pub(super) fn fitting(policy: &Policy, requirement: &Requirement, people: &BTreeSet<Handle>) -> Vec<Handle> {
    people.iter().filter(|person| policy.is_one_of(person, &requirement.of)).cloned().collect()
}

/// Who else could stand for a requirement: whoever has a key that counts.
pub(super) fn could(
    policy: &Policy,
    requirement: &Requirement,
    already: &BTreeSet<Handle>,
    (at_ms, revoked): (i64, &Revocations),
) -> Vec<Handle> {
    let named = policy.people_of(&requirement.of);
    let able = named.into_iter().filter(|person| !already.contains(person));
    able.filter(|person| can_sign(policy, person, at_ms, revoked)).collect()
}

/// Whether somebody has a key that counts at a moment.
pub fn can_sign(policy: &Policy, person: &Handle, at_ms: i64, revoked: &Revocations) -> bool {
    let counts = |held: &MemberKey| held.is_valid_at(at_ms) && !revoked.contains_key(&held.key.fingerprint());
    policy.people.get(person).is_some_and(|member| member.keys.iter().any(counts))
}
