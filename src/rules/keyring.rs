//! Which keys speak for whom, and whether one counted at a moment.
//!
//! Pure. The keys come from a policy or from the person's own list of identities.

use crate::base::escape;
use crate::base::id::PersonId;
use crate::base::time::Timestamp;
use crate::object::signature::{Fingerprint, Namespace, PublicKey};
use crate::rules::policy::Policy;
use std::collections::{BTreeMap, BTreeSet};

/// A key of a known person. Moments are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// The key.
    pub key: PublicKey,
    /// Whose it is.
    pub person: PersonId,
    /// What the person is called in lists: short and plain.
    pub handle: String,
    /// The person's name.
    pub name: Option<String>,
    /// From when on it counts; always when `None`.
    pub from: Option<i64>,
    /// Until when it counts, that moment excluded; for ever when `None`.
    pub until: Option<i64>,
    /// When it was revoked, if it was.
    pub revoked: Option<i64>,
    /// What it is: a laptop, a security key.
    pub note: Option<String>,
}

/// When a statement was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// By the signer's own clock, which the signer can set.
    pub claimed: i64,
    /// When the shared log received it, where that is known: no signer can set that.
    pub received: Option<i64>,
}

impl Made {
    /// The moment to go by: the log's before the signer's.
    pub fn moment(&self) -> i64 {
        self.received.unwrap_or(self.claimed)
    }
}

/// Whether a key counts for a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Good,
    /// Nobody knows whose key it is.
    Unknown,
    /// It is another person's key than the statement says.
    Another,
    /// It counts only from a later moment on.
    Early { from: i64 },
    /// It counted until an earlier moment.
    Expired { until: i64 },
    /// It was revoked, and nothing shows that the statement was there before.
    Revoked { since: i64 },
}

/// The keys of everybody who is known.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: BTreeMap<PublicKey, KnownKey>,
    fingerprints: BTreeSet<Fingerprint>,
}

impl Keyring {
    /// Adds a key. One that is there already stays: the first source is the one that counts.
    pub fn add(&mut self, known: KnownKey) {
        self.fingerprints.insert(known.key.fingerprint());
        self.keys.entry(known.key.clone()).or_insert(known);
    }

    /// Adds the keys of a policy's people.
    pub fn add_policy(&mut self, policy: &Policy) {
        self.add_policy_until(policy, None);
    }

    /// Adds the keys of the people of a policy that another one followed at a moment: those that nothing later
    /// names count until then.
    pub fn add_former(&mut self, policy: &Policy, ended_ms: i64) {
        self.add_policy_until(policy, Some(ended_ms));
    }

    fn add_policy_until(&mut self, policy: &Policy, ended_ms: Option<i64>) {
        for (handle, member) in &policy.people {
            for held in &member.keys {
                self.add(KnownKey {
                    key: held.key.clone(),
                    person: member.id,
                    handle: handle.as_str().to_owned(),
                    name: member.name.clone(),
                    from: held.from,
                    until: match (held.until, ended_ms) {
                        (Some(until), Some(ended)) => Some(until.min(ended)),
                        (until, ended) => until.or(ended),
                    },
                    revoked: None,
                    note: held.note.clone(),
                });
            }
        }
    }

    /// Adds all keys of another ring that are not here.
    pub fn add_all(&mut self, other: Self) {
        for known in other.keys.into_values() {
            self.add(known);
        }
    }

    /// Takes note of a revocation, whoever knows the key. The earliest one holds.
    pub fn revoke(&mut self, key: &Fingerprint, since: i64) {
        for known in self.keys.values_mut().filter(|known| known.key.fingerprint() == *key) {
            known.revoked = Some(known.revoked.map_or(since, |earlier| earlier.min(since)));
        }
    }

    /// Names everything that is known: two rings with one name judge alike.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("pentimento keyring v1");
        for known in self.keys.values() {
            let text = format!(
                "{}\n{}\n{:?}\n{:?}\n{:?} {:?} {:?}\n{:?}\n",
                known.key.to_openssh(),
                known.person,
                known.handle,
                known.name,
                known.from,
                known.until,
                known.revoked,
                known.note
            );
            hasher.update(text.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// Whose key it is.
    pub fn holder(&self, key: &PublicKey) -> Option<&KnownKey> {
        self.keys.get(key)
    }

    /// Whether a key of this fingerprint is known.
    pub fn knows(&self, fingerprint: &Fingerprint) -> bool {
        self.fingerprints.contains(fingerprint)
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &KnownKey> {
        self.keys.values()
    }

    /// Whether `key` counted for a statement in the name of `person`.
    ///
    /// A revoked key counts only for what the shared log had received before: whoever took the key
    /// can set any date, but not that one.
    pub fn judge(&self, key: &PublicKey, person: PersonId, made: Made) -> Standing {
        let Some(known) = self.keys.get(key) else { return Standing::Unknown };
        if known.person != person {
            return Standing::Another;
        }
        if let Some(since) = known.revoked
            && made.received.is_none_or(|received| received >= since)
        {
            return Standing::Revoked { since };
        }
        let moment = made.moment();
        match (known.from, known.until) {
            (Some(from), _) if moment < from => Standing::Early { from },
            (_, Some(until)) if moment >= until => Standing::Expired { until },
            _ => Standing::Good,
        }
    }
}

/// The keys in the form that `ssh-keygen -Y verify -f` reads (allowed signers, ssh-keygen(1)), one
/// line each, people by their handles.
///
/// A revoked key counts there until it was revoked: who verifies as of the moment at which the
/// shared log received a statement (`-Overify-time`) then hears the same as from [`Keyring::judge`].
pub fn allowed_signers<'a>(keys: impl IntoIterator<Item = &'a KnownKey>) -> String {
    let mut lines: Vec<String> = keys.into_iter().map(allowed_signer).collect();
    lines.sort();
    lines.concat()
}

fn allowed_signer(known: &KnownKey) -> String {
    let purposes: Vec<&str> = Namespace::ALL.iter().map(|namespace| namespace.as_str()).collect();
    let mut options = format!("namespaces=\"{}\"", purposes.join(","));
    if let Some(from) = known.from {
        // Its moments are whole seconds, the last one included.
        options.push_str(&format!(",valid-after=\"{}\"", moment(from.saturating_add(999))));
    }
    if let Some(until) = known.until.into_iter().chain(known.revoked).min() {
        options.push_str(&format!(",valid-before=\"{}\"", moment(until.saturating_sub(1))));
    }
    let note = known.note.as_deref().unwrap_or_default();
    let note = escape::terminal(note.as_bytes());
    format!("{} {options} {} {note}", known.handle, known.key).trim_end().to_owned() + "\n"
}

fn moment(unix_ms: i64) -> String {
    let (year, month, day, hour, minute, second) = Timestamp::utc(unix_ms).civil();
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: PersonId = PersonId::from_bytes([1; 16]);
    const BEN: PersonId = PersonId::from_bytes([2; 16]);

    fn key() -> PublicKey {
        let line =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti anna@laptop";
        PublicKey::parse_openssh(line).unwrap()
    }

    fn ring(from: Option<i64>, until: Option<i64>, revoked: Option<i64>) -> Keyring {
        let mut ring = Keyring::default();
        let (handle, name, note) = ("anna".to_owned(), None, None);
        ring.add(KnownKey { key: key(), person: ANNA, handle, name, from, until, revoked, note });
        ring
    }

    fn at(claimed: i64) -> Made {
        Made { claimed, received: None }
    }

    #[test]
    fn a_key_counts_from_its_first_moment_to_before_its_last() {
        let ring = ring(Some(10), Some(20), None);
        let judge = |moment| ring.judge(&key(), ANNA, at(moment));
        assert_eq!(judge(9), Standing::Early { from: 10 });
        assert_eq!(judge(10), Standing::Good);
        assert_eq!(judge(19), Standing::Good);
        assert_eq!(judge(20), Standing::Expired { until: 20 });
    }

    #[test]
    fn a_revoked_key_that_backdates_counts_only_for_what_the_log_had_before() {
        let ring = ring(None, None, Some(100));
        let judge = |claimed, received| ring.judge(&key(), ANNA, Made { claimed, received });
        assert_eq!(judge(5, None), Standing::Revoked { since: 100 });
        assert_eq!(judge(5, Some(100)), Standing::Revoked { since: 100 });
        assert_eq!(judge(5, Some(99)), Standing::Good);
        assert_eq!(judge(500, Some(99)), Standing::Good, "a clock ahead does no harm");
    }

    #[test]
    fn the_log_s_clock_goes_before_the_signer_s() {
        let ring = ring(None, Some(20), None);
        let judge = |claimed, received| ring.judge(&key(), ANNA, Made { claimed, received });
        assert_eq!(judge(5, Some(25)), Standing::Expired { until: 20 });
        assert_eq!(judge(25, Some(5)), Standing::Good);
    }

    #[test]
    fn the_first_word_on_a_key_holds_and_the_earliest_revocation() {
        let mut policy = ring(None, None, None);
        let mut own = ring(None, Some(20), None);
        own.keys.values_mut().for_each(|known| known.person = BEN);
        policy.add_all(own);
        assert_eq!(policy.judge(&key(), ANNA, at(30)), Standing::Good, "the policy's word goes first");
        for since in [50, 40, 60] {
            policy.revoke(&key().fingerprint(), since);
        }
        assert_eq!(policy.judge(&key(), ANNA, at(30)), Standing::Revoked { since: 40 });
    }

    #[test]
    fn keys_of_strangers_and_of_other_people_do_not_count() {
        assert_eq!(Keyring::default().judge(&key(), ANNA, at(1)), Standing::Unknown);
        assert_eq!(ring(None, None, None).judge(&key(), BEN, at(1)), Standing::Another);
    }
}
