//! What a verified log said before one of its entries, for telling how something was judged then.

use crate::base::id::PersonId;
use crate::object::log_entry::{LogDeed, LogEntry};
use crate::object::policy_link::PolicyLink;
use crate::object::signature::Fingerprint;
use crate::repo::shared_log::LogHead;
use crate::rules::approval::Received;
use crate::rules::policy::Policy;
use crate::trust::chain::LogSource;
use crate::trust::chain::error::{ChainError, Fault};
use crate::trust::chain::state::{InForce, VerifiedLog};
use std::collections::BTreeMap;
use std::sync::Arc;

impl VerifiedLog {
    /// The policy, the revocations and what had been received before an entry; `None` when there was no policy.
    ///
    /// Nothing is judged again: the log was verified. Where names stood, and locks, are left out.
    pub fn before<S: LogSource + ?Sized>(
        &self,
        source: &S,
        sequence: u64,
    ) -> Result<Option<Self>, ChainError> {
        let earlier = |received: &Received| received.sequence < sequence;
        let Some(id) = source.id_at(sequence.saturating_sub(1))? else { return Ok(None) };
        let head = LogHead { sequence: sequence - 1, id };
        let mut owners: BTreeMap<Fingerprint, PersonId> = BTreeMap::new();
        let mut in_force = None;
        for number in self.policies.iter().copied().filter(|number| *number < sequence) {
            let Some(signed) = source.entries(number)?.next().transpose()? else { return Ok(None) };
            let at = |fault: Fault| fault.at(number);
            let entry = LogEntry::decode(&signed.statement).map_err(|error| at(error.into()))?;
            let LogDeed::Policy(taken) = &entry.deed else { return Ok(None) };
            let statement = &taken.link.statement;
            let link = PolicyLink::decode(statement).map_err(|error| at(error.into()))?;
            let policy = Policy::parse(&link.policy).map_err(|error| at(error.into()))?;
            for member in policy.people.values() {
                owners.extend(member.keys.iter().map(|held| (held.key.fingerprint(), member.id)));
            }
            let id = PolicyLink::id_of(statement);
            let received = Received { sequence: number, unix_ms: entry.received_ms };
            let PolicyLink { number, parents, policy: text, .. } = link;
            in_force = Some(Arc::new(InForce { id, number, parents, policy, text, received }));
        }
        let Some(in_force) = in_force else { return Ok(None) };
        let mut receptions = self.receptions.clone();
        receptions.retain(|reception| earlier(&reception.received));
        let mut revoked = self.revoked.clone();
        revoked.retain(|_, received| earlier(received));
        let mut landed = self.landed.clone();
        landed.retain(|_, number| *number < sequence);
        let mut policies = self.policies.clone();
        policies.retain(|number| *number < sequence);
        Ok(Some(Self {
            head: Some(head),
            received_ms: in_force.received.unix_ms,
            root: self.root,
            in_force: Some(in_force),
            revoked,
            landed,
            receptions,
            owners,
            policies,
            ..Self::empty(self.repository)
        }))
    }
}
