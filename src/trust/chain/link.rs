//! Policy links: which may follow which, and whose signatures they need.

use crate::base::id::PolicyId;
use crate::object::log_entry::PolicyTaken;
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::signature::{Namespace, PublicKey};
use crate::rules::approval::{Received, check_quorum};
use crate::rules::policy::{Policy, Requirement, describe_duration};
use crate::trust::chain::error::Fault;
use crate::trust::chain::state::{Announced, Dispute, InForce, VerifiedLog, protects};
use std::sync::Arc;

/// A link that was read, with the keys whose signatures hold.
struct ReadLink {
    id: PolicyId,
    link: PolicyLink,
    policy: Policy,
    keys: Vec<PublicKey>,
}

impl VerifiedLog {
    /// Lets a policy take effect.
    pub(super) fn take_policy(&mut self, taken: &PolicyTaken, received: Received) -> Result<(), Fault> {
        let read = self.read_link(&taken.link)?;
        match (self.in_force.clone(), self.dispute.clone()) {
            (None, _) => self.take_root(read, received),
            (Some(_), Some(dispute)) => self.settle(&dispute, read, received),
            (Some(in_force), None) if read.link.parents == [in_force.id] => {
                check_number(in_force.number + 1, &read.link)?;
                if taken.recovery {
                    self.check_recovery(&in_force.policy, &read, received)?;
                    self.enforce(read, received)?;
                    // Whoever lost the policy by this has had the time to object.
                    self.before = None;
                    return Ok(());
                }
                self.check_signed(&in_force.policy, &in_force.policy.change, &read, received)?;
                self.enforce(read, received)
            }
            (Some(in_force), None) => self.take_rival(&in_force, read, received),
        }
    }

    fn read_link(&self, signed: &Signed) -> Result<ReadLink, Fault> {
        let link = PolicyLink::decode(&signed.statement)?;
        let id = PolicyLink::id_of(&signed.statement);
        if link.repository != self.repository {
            return Err(Fault::OtherRepository);
        }
        if let Some(number) = self.links.get(&id) {
            return Err(Fault::PolicyRollback { number: *number });
        }
        // The whole policy is read and the whole statement is signed: there are no parts of it that
        // could be anybody else's (as in gittuf, CVE-2026-128036).
        let policy = Policy::parse(&link.policy)?;
        let keys = signed.verified(Namespace::Policy)?.iter().map(|sealed| sealed.key().clone()).collect();
        Ok(ReadLink { id, link, policy, keys })
    }

    fn check_signed(
        &self,
        policy: &Policy,
        requirements: &[Requirement],
        read: &ReadLink,
        received: Received,
    ) -> Result<(), Fault> {
        let checked = check_quorum(policy, requirements, &read.keys, received.unix_ms, &self.revoked);
        checked.map(drop).map_err(Fault::Quorum)
    }

    /// The first policy is signed by those who may change it.
    fn take_root(&mut self, read: ReadLink, received: Received) -> Result<(), Fault> {
        if !read.link.parents.is_empty() {
            return Err(Fault::UnknownParent);
        }
        check_number(1, &read.link)?;
        self.check_signed(&read.policy, &read.policy.change, &read, received)?;
        self.root = Some(read.id);
        self.enforce(read, received)
    }

    /// A second link after the same one makes a dispute, if its signatures are as good as the
    /// first's were. Without them it is just wrong, so that nobody else can stop a repository: not
    /// even somebody whom the first of the two has put out since.
    fn take_rival(
        &mut self,
        in_force: &Arc<InForce>,
        mut read: ReadLink,
        received: Received,
    ) -> Result<(), Fault> {
        let [parent] = read.link.parents.as_slice() else {
            return Err(if read.link.parents.is_empty() { Fault::SecondRoot } else { Fault::UnknownParent });
        };
        let Some(number) = self.links.get(parent) else { return Err(Fault::UnknownParent) };
        let Some(before) = self.before.clone().filter(|before| before.id == *parent) else {
            return Err(Fault::Superseded { number: *number });
        };
        check_number(before.number + 1, &read.link)?;
        read.keys.retain(|key| in_force.policy.holder(key).is_some());
        self.check_signed(&before.policy, &before.policy.change, &read, received)?;
        self.links.insert(read.id, read.link.number);
        let mut rivals = vec![in_force.id, read.id];
        rivals.sort_unstable();
        self.dispute =
            Some(Dispute { parent: before, rivals, number: in_force.number.max(read.link.number) });
        Ok(())
    }

    /// A link that names all rivals settles which policy holds; another rival joins the dispute.
    fn settle(&mut self, dispute: &Dispute, mut read: ReadLink, received: Received) -> Result<(), Fault> {
        let parent = &dispute.parent;
        let in_force = self.in_force.clone().ok_or(Fault::NoPolicy)?;
        read.keys.retain(|key| in_force.policy.holder(key).is_some());
        if read.link.parents == [parent.id] {
            check_number(parent.number + 1, &read.link)?;
            self.check_signed(&parent.policy, &parent.policy.change, &read, received)?;
            self.links.insert(read.id, read.link.number);
            let mut rivals = dispute.rivals.clone();
            rivals.push(read.id);
            rivals.sort_unstable();
            self.dispute = Some(Dispute { rivals, ..dispute.clone() });
            return Ok(());
        }
        if read.link.parents != dispute.rivals {
            return Err(Fault::Disputed { rivals: dispute.rivals.clone() });
        }
        check_number(dispute.number + 1, &read.link)?;
        self.check_signed(&parent.policy, &parent.policy.change, &read, received)?;
        self.dispute = None;
        self.enforce(read, received)?;
        // What is settled is settled: no further rival joins, and the loser's people have no say.
        self.before = None;
        Ok(())
    }

    /// Announces a policy by the recovery rule of the one in force.
    pub(super) fn announce(&mut self, signed: &Signed, received: Received) -> Result<(), Fault> {
        let read = self.read_link(signed)?;
        let in_force = self.in_force.clone().ok_or(Fault::NoPolicy)?;
        let recovery = in_force.policy.recovery.as_ref().ok_or(Fault::NoRecovery)?;
        if read.link.parents != [in_force.id] {
            return Err(Fault::UnknownParent);
        }
        check_number(in_force.number + 1, &read.link)?;
        self.check_signed(&in_force.policy, &recovery.by, &read, received)?;
        // Announcing the same again does not shorten or prolong the wait.
        if self.announced.as_ref().is_none_or(|announced| announced.link != read.id) {
            self.announced = Some(Announced { link: read.id, received });
        }
        Ok(())
    }

    fn check_recovery(&self, policy: &Policy, read: &ReadLink, received: Received) -> Result<(), Fault> {
        let recovery = policy.recovery.as_ref().ok_or(Fault::NoRecovery)?;
        let announced = self.announced.as_ref().filter(|announced| announced.link == read.id);
        let announced = announced.ok_or(Fault::NotAnnounced)?;
        let left = announced.received.unix_ms.saturating_add(recovery.after_ms) - received.unix_ms;
        if left > 0 {
            let minutes = (left + 59_999) / 60_000 * 60_000;
            return Err(Fault::TooSoon { left: describe_duration(minutes) });
        }
        self.check_signed(policy, &recovery.by, read, received)
    }

    /// From here on this policy holds. Names that it protects newly start where the link says; of
    /// those that were protected before, nothing but a move changes where they stand.
    fn enforce(&mut self, read: ReadLink, received: Received) -> Result<(), Fault> {
        let ReadLink { id, link, policy, .. } = read;
        let was_protected =
            |name: &str| self.in_force.as_ref().is_some_and(|before| protects(&before.policy, name));
        for (name, commit) in &link.starts {
            let fits = if was_protected(name) { self.refs.get(name) == Some(commit) } else { true };
            if !fits || !protects(&policy, name) {
                return Err(Fault::Start { name: name.clone() });
            }
        }
        self.refs.retain(|name, _| protects(&policy, name));
        self.refs.extend(link.starts.iter().map(|(name, commit)| (name.clone(), *commit)));
        for member in policy.people.values() {
            for held in &member.keys {
                self.owners.insert(held.key.fingerprint(), member.id);
            }
        }
        self.links.insert(id, link.number);
        self.announced = None;
        self.before = self.in_force.take();
        let (number, parents, text) = (link.number, link.parents, link.policy);
        self.in_force = Some(Arc::new(InForce { id, number, parents, policy, text, received }));
        Ok(())
    }
}

fn check_number(expected: u64, link: &PolicyLink) -> Result<(), Fault> {
    let found = link.number;
    if found == expected { Ok(()) } else { Err(Fault::PolicyNumber { expected, found }) }
}
