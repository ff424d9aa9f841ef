//! Whose keys are whose, for reading a review log: as the policies say it, or where there is none,
//! as the person's own list of identities does.

use crate::app::common::evidence::LogKeys;
use crate::app::common::guard::verified_log;
use crate::app::error::AppError;
use crate::base::id::{ActionId, PersonId, PolicyId};
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
use crate::object::signature::PublicKey;
use crate::repo::Repository;
use crate::review::fold::Keys;
use crate::rules::keyring::{Keyring, KnownKey};
use crate::rules::policy::Policy;
use crate::trust::chain::VerifiedLog;
use std::collections::HashMap;

/// Keys that are known to be somebody's, whether they still count or not.
pub struct ReviewKeys {
    log: VerifiedLog,
    ring: Keyring,
}

impl ReviewKeys {
    /// Reads the policies of a repository; `ring` holds where there are none.
    pub fn of(
        repository: &Repository,
        ring: Keyring,
        now: Timestamp,
        monitor: &dyn Monitor,
    ) -> Result<Self, AppError> {
        let log = verified_log(repository, &repository.view()?, now, monitor)?;
        Ok(Self { log, ring })
    }

    /// The policy in force.
    pub fn policy(&self) -> Option<PolicyId> {
        self.log.in_force().map(|in_force| in_force.id)
    }

    /// The shared log, verified.
    pub const fn log(&self) -> &VerifiedLog {
        &self.log
    }

    /// The keys of everybody who is known: of the policy in force, with its revocations, else of the
    /// person's own list.
    pub fn keyring(&self) -> Keyring {
        let Some(in_force) = self.log.in_force() else { return self.ring.clone() };
        self.keyring_of(&in_force.policy)
    }

    /// The keys of everybody whom a policy names, with the revocations of the shared log.
    pub fn keyring_of(&self, policy: &Policy) -> Keyring {
        let mut ring = Keyring::default();
        for (handle, member) in &policy.people {
            for held in &member.keys {
                let revoked = self.log.revocation(&held.key.fingerprint());
                ring.add(KnownKey {
                    key: held.key.clone(),
                    person: member.id,
                    handle: handle.to_string(),
                    name: member.name.clone(),
                    from: held.from,
                    until: held.until,
                    revoked: revoked.map(|received| received.unix_ms),
                    note: held.note.clone(),
                });
            }
        }
        ring
    }
}

/// A known key speaks only as its own person, and a person whose keys are known only by these. Of
/// strangers nothing is known; their verdicts count under no policy.
impl Keys for ReviewKeys {
    fn belongs(&self, key: &PublicKey, person: PersonId) -> bool {
        if self.log.in_force().is_some() {
            return LogKeys(&self.log).belongs(key, person);
        }
        match self.ring.holder(key) {
            Some(known) => known.person == person,
            None => !self.ring.keys().any(|known| known.person == person),
        }
    }

    fn knows(&self, person: PersonId) -> bool {
        LogKeys(&self.log).knows(person)
    }

    fn landing(&self, submission: ActionId) -> Option<u64> {
        LogKeys(&self.log).landing(submission)
    }

    fn roll(&self) -> Option<HashMap<PersonId, String>> {
        LogKeys(&self.log).roll()
    }
}
