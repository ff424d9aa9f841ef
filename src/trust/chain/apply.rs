//! What one entry does to what the log says so far.

use crate::base::id::{LogEntryId, PersonId};
use crate::object::erasure::Erasure;
use crate::object::log_entry::{
    ErasePermitted, KeyRevoked, LockChanged, LockDeed, LogDeed, LogEntry, PolicyTaken, RefMoved, Why,
};
use crate::object::policy_link::PolicyLink;
use crate::object::signature::{Namespace, PublicKey, Verified};
use crate::repo::shared_log::LogHead;
use crate::rules::approval::{Actor, Received, check_quorum};
use crate::rules::policy::{Handle, Policy, describe_duration};
use crate::trust::chain::error::Fault;
use crate::trust::chain::state::{Lock, Reception, VerifiedLog};
use crate::trust::chain::{CLOCK_SKEW_MS_MAX, Evidence, Trust};
use crate::trust::judge::{Proposal, judge};

impl VerifiedLog {
    /// Takes the next entry, or says why it may not stand there. After a fault the log is used no more.
    pub(super) fn apply(
        &mut self,
        id: LogEntryId,
        entry: &Verified<LogEntry>,
        trust: &Trust,
        evidence: &dyn Evidence,
    ) -> Result<(), Fault> {
        let (key, entry) = (entry.key(), entry.value());
        self.check_place(entry, trust)?;
        let received = Received { sequence: entry.sequence, unix_ms: entry.received_ms };
        let signer = self.check_signer(entry, key)?;
        self.check_dispute(&entry.deed)?;
        match &entry.deed {
            LogDeed::Policy(taken) => {
                self.take_policy(taken, received)?;
                self.policies.push(received.sequence);
            }
            LogDeed::Recovery(announced) => self.announce(&announced.link, received)?,
            LogDeed::Move(moved) => {
                let actor = Actor { person: entry.actor, key: key.clone() };
                self.move_reference(moved, &actor, received, evidence)?;
            }
            LogDeed::Lock(lock) => self.change_lock(lock, entry.actor, &signer, received)?,
            LogDeed::Erase(permitted) => self.permit_erasing(permitted, received)?,
            LogDeed::Revoke(revoked) => self.revoke(revoked, &signer, entry.actor, received)?,
            LogDeed::Received(arrived) => self.receive(received, &arrived.heads),
            LogDeed::Unknown { .. } => self.unknown += 1,
        }
        self.head = Some(LogHead { sequence: entry.sequence, id });
        self.received_ms = entry.received_ms;
        Ok(())
    }

    fn check_place(&self, entry: &LogEntry, trust: &Trust) -> Result<(), Fault> {
        if entry.repository != self.repository {
            return Err(Fault::OtherRepository);
        }
        let expected = self.head.map_or(1, |head| head.sequence + 1);
        if entry.sequence != expected {
            return Err(Fault::Number { expected, found: entry.sequence });
        }
        if entry.previous != self.head.map(|head| head.id) {
            return Err(Fault::Previous);
        }
        if entry.received_ms < self.received_ms {
            return Err(Fault::Earlier);
        }
        let ahead = entry.received_ms.saturating_sub(trust.now_ms);
        if ahead > CLOCK_SKEW_MS_MAX {
            let minutes = ahead - ahead % 60_000;
            return Err(Fault::FromFuture { ahead: describe_duration(minutes) });
        }
        Ok(())
    }

    /// Whoever wrote the entry must be known to the policy in force, or to the first policy itself.
    fn check_signer(&self, entry: &LogEntry, key: &PublicKey) -> Result<Handle, Fault> {
        let first;
        let policy: &Policy = match (&self.in_force, &self.dispute, &entry.deed) {
            (_, Some(dispute), _) => &dispute.parent.policy,
            (Some(in_force), None, _) => &in_force.policy,
            (None, None, LogDeed::Policy(PolicyTaken { link, .. })) => {
                first = Policy::parse(&PolicyLink::decode(&link.statement)?.policy)?;
                &first
            }
            (None, None, _) => return Err(Fault::NoPolicy),
        };
        let fingerprint = key.fingerprint();
        let Some((handle, member, held)) = policy.holder(key) else {
            return Err(Fault::UnknownSigner { key: fingerprint });
        };
        if member.id != entry.actor {
            return Err(Fault::OtherSigner { holder: handle.clone() });
        }
        if let Some(revoked) = self.revoked.get(&fingerprint) {
            return Err(Fault::RevokedSigner { key: fingerprint, sequence: revoked.sequence });
        }
        if !held.is_valid_at(entry.received_ms) {
            return Err(Fault::InvalidSigner { key: fingerprint });
        }
        // Nobody writes during a dispute whom the first of the rivals has put out.
        let is_out = self.dispute.is_some()
            && self.in_force.as_ref().is_none_or(|in_force| in_force.policy.holder(key).is_none());
        if is_out {
            return Err(Fault::UnknownSigner { key: fingerprint });
        }
        if policy.may_keep_log(handle) {
            Ok(handle.clone())
        } else {
            Err(Fault::NotKeeper { holder: handle.clone() })
        }
    }

    /// While policies are disputed, only what settles it or takes power away counts.
    fn check_dispute(&self, deed: &LogDeed) -> Result<(), Fault> {
        match (&self.dispute, deed) {
            (None, _) | (Some(_), LogDeed::Policy(_) | LogDeed::Revoke(_) | LogDeed::Received(_)) => Ok(()),
            (Some(dispute), _) => Err(Fault::Disputed { rivals: dispute.rivals.clone() }),
        }
    }

    fn move_reference(
        &mut self,
        moved: &RefMoved,
        actor: &Actor,
        received: Received,
        evidence: &dyn Evidence,
    ) -> Result<(), Fault> {
        let found = evidence.of_move(self, received, moved).map_err(Fault::Evidence)?;
        let submission = match moved.why {
            Why::Landing { submission } => Some(submission),
            Why::Direct {} => None,
        };
        judge(
            self,
            &Proposal {
                reference: &moved.reference,
                from: moved.from,
                to: moved.to,
                actor: Some(actor),
                at_ms: received.unix_ms,
                submission,
                evidence: &found,
            },
        )?;
        match moved.to {
            Some(commit) => self.refs.insert(moved.reference.clone(), commit),
            None => self.refs.remove(&moved.reference),
        };
        if let Some(submission) = submission {
            self.landed.insert(submission, received.sequence);
        }
        if !moved.heads.is_empty() {
            self.receive(received, &moved.heads);
        }
        Ok(())
    }

    fn receive(&mut self, received: Received, heads: &[crate::base::id::ActionId]) {
        self.receptions.push(Reception { received, heads: heads.to_vec() });
    }

    fn policy(&self) -> Result<&Policy, Fault> {
        let disputed = self.dispute.as_ref().map(|dispute| &dispute.parent.policy);
        disputed.or(self.in_force.as_ref().map(|in_force| &in_force.policy)).ok_or(Fault::NoPolicy)
    }

    fn change_lock(
        &mut self,
        lock: &LockChanged,
        person: PersonId,
        signer: &Handle,
        received: Received,
    ) -> Result<(), Fault> {
        let asset = lock.asset;
        let policy = self.policy()?;
        let held = self.locks.get(&asset);
        let is_mine = held.is_some_and(|held| held.person == person);
        let lasts = held.is_some_and(|held| held.until_ms.is_none_or(|until| received.unix_ms < until));
        match lock.deed {
            LockDeed::Grant => {
                let may = policy.access.lock.as_ref().is_none_or(|who| policy.is_one_of(signer, who));
                if !may {
                    return Err(Fault::MayNot { holder: signer.clone() });
                }
                if lasts && !is_mine {
                    return Err(Fault::Locked { asset });
                }
                let (until_ms, reason) = (lock.until_ms, lock.reason.clone());
                let (holder, path, commits) = (signer.to_string(), lock.path.clone(), lock.commits.clone());
                self.locks.insert(asset, Lock { holder, person, path, commits, received, until_ms, reason });
            }
            LockDeed::Release if !is_mine => {
                return Err(Fault::NotLocked { asset, holder: signer.clone() });
            }
            LockDeed::Break if !policy.may_administer(signer) => {
                return Err(Fault::MayNot { holder: signer.clone() });
            }
            LockDeed::Release | LockDeed::Break => {
                self.locks.remove(&asset);
            }
        }
        Ok(())
    }

    fn permit_erasing(&mut self, permitted: &ErasePermitted, received: Received) -> Result<(), Fault> {
        let erasure = Erasure::decode(&permitted.erasure.statement)?;
        if erasure.repository != self.repository {
            return Err(Fault::OtherRepository);
        }
        let sealed = permitted.erasure.verified(Namespace::Erase)?;
        let keys: Vec<PublicKey> = sealed.iter().map(|sealed| sealed.key().clone()).collect();
        let policy = self.policy()?;
        check_quorum(policy, &policy.erase, &keys, received.unix_ms, &self.revoked).map_err(Fault::Quorum)?;
        self.erased.insert(erasure.file, received.sequence);
        Ok(())
    }

    /// A person ends their own keys; an administrator ends anybody's. The first time counts.
    ///
    /// During a dispute that is who administrates by the policy before it and by the first of the rivals: else
    /// somebody who was put out could end the keys that are to settle it.
    fn revoke(
        &mut self,
        revoked: &KeyRevoked,
        signer: &Handle,
        person: PersonId,
        received: Received,
    ) -> Result<(), Fault> {
        let policy = self.policy()?;
        let is_own = policy
            .people
            .get(signer)
            .is_some_and(|member| member.keys.iter().any(|held| held.key.fingerprint() == revoked.key));
        let rival =
            self.in_force.as_ref().filter(|_| self.dispute.is_some()).map(|in_force| &in_force.policy);
        let may_by_rival = rival
            .is_none_or(|rival| rival.person(person).is_some_and(|(handle, _)| rival.may_administer(handle)));
        let may = is_own || (policy.may_administer(signer) && may_by_rival);
        if !may {
            return Err(Fault::MayNot { holder: signer.clone() });
        }
        self.revoked.entry(revoked.key).or_insert(received);
        Ok(())
    }
}
