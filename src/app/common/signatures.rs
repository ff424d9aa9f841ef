//! What is said of a commit's signatures: who signed, with which key, and whether it counts.

use crate::app::common::describe::TimeLine;
use crate::app::common::guard::verified_log;
use crate::app::error::AppError;
use crate::base::id::{CommitId, PersonId, RepositoryId};
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
use crate::object::commit_signature::{CommitSignature, CommitStatement};
use crate::object::log_entry::{LogDeed, LogEntry};
use crate::object::policy_link::PolicyLink;
use crate::object::signature::{Fingerprint, KeyClass, Verified};
use crate::repo::findings::basis;
use crate::repo::{RepoError, Repository, View};
use crate::rules::keyring::{Keyring, KnownKey, Made, Standing};
use crate::rules::policy::Policy;
use crate::trust::chain::VerifiedLog;
use serde::{Deserialize, Serialize};

/// How much a signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureState {
    /// A known person's key, and it counts.
    Good,
    /// It holds, but nobody knows whose key it is.
    Unknown,
    /// It holds, but the key had expired or was not valid yet.
    Expired,
    /// It holds, but the key was revoked.
    Revoked,
    /// It does not hold, or speaks in another's name.
    Bad,
}

/// One signature of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignatureLine {
    /// What it is worth.
    pub state: SignatureState,
    /// The same as a sentence without its full stop.
    pub sentence: String,
    /// In whose name; `None` when the statement cannot be believed.
    pub person: Option<PersonId>,
    /// What that person is called in the list that knows the key.
    pub handle: Option<String>,
    /// The person's name by that list.
    pub name: Option<String>,
    /// The signing key.
    pub key: Fingerprint,
    /// What kind of key it is.
    pub algorithm: &'static str,
    /// Where its private half lives.
    pub class: KeyClass,
    /// What the key's holder calls it.
    pub note: Option<String>,
    /// When it was signed, by the signer's clock.
    pub time: Option<TimeLine>,
}

/// Judges signatures of one repository by what is known of keys.
#[derive(Debug, Clone, Copy)]
pub struct SignatureJudge<'a> {
    repository: RepositoryId,
    keyring: &'a Keyring,
    digest: [u8; 32],
}

/// What was found out about one signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Finding {
    state: SignatureState,
    sentence: String,
    /// In whose name, and when, if the statement can be believed.
    said: Option<(PersonId, Timestamp)>,
}

/// Something that was found out now, and need not be found out again.
pub struct Fresh {
    commit: CommitId,
    key: Fingerprint,
    basis: [u8; 32],
    finding: Vec<u8>,
}

/// Keeps what was found out. Where the repository cannot be written it is found out again.
pub fn keep_findings(repository: &Repository, fresh: &[Fresh]) {
    let keep = || -> Result<(), RepoError> {
        let mut edit = repository.edit()?;
        for Fresh { commit, key, basis, finding } in fresh {
            edit.put_finding(*commit, *key, basis, finding)?;
        }
        edit.commit()
    };
    if !fresh.is_empty() {
        let _ = keep();
    }
}

impl<'a> SignatureJudge<'a> {
    /// Judges signatures of a repository by keys that are known.
    pub fn new(repository: RepositoryId, keyring: &'a Keyring) -> Self {
        Self { repository, keyring, digest: keyring.digest() }
    }

    /// Says of each signature of a commit what it is worth, the best first.
    pub fn lines(&self, view: &View, commit: CommitId) -> Result<Vec<SignatureLine>, AppError> {
        Ok(self.judged(view, commit)?.0)
    }

    /// The same, with what was not known before.
    pub fn judged(
        &self,
        view: &View,
        commit: CommitId,
    ) -> Result<(Vec<SignatureLine>, Vec<Fresh>), AppError> {
        let (mut lines, mut fresh) = (Vec::new(), Vec::new());
        for record in view.commit_signatures_with(commit, &|key| self.keyring.knows(key))? {
            let key = record.fingerprint();
            let basis = basis(&self.digest, &record.encode());
            let kept = view.finding(commit, key, &basis)?;
            let kept = kept.and_then(|bytes| serde_json::from_slice::<Finding>(&bytes).ok());
            let finding = kept.unwrap_or_else(|| {
                let finding = self.find(commit, &record);
                // What has no form in JSON is found out again.
                fresh.extend(serde_json::to_vec(&finding).map(|finding| Fresh {
                    commit,
                    key,
                    basis,
                    finding,
                }));
                finding
            });
            lines.push(self.line(&record, finding));
        }
        lines.sort_by_key(|line| line.state);
        Ok((lines, fresh))
    }

    fn find(&self, commit: CommitId, record: &CommitSignature) -> Finding {
        let known = self.keyring.holder(record.signature().public_key());
        match record.verify(self.repository, commit) {
            Err(error) => {
                let sentence = format!("a signature that does not count: {error}");
                Finding { state: SignatureState::Bad, sentence, said: None }
            }
            Ok(verified) => {
                let (state, sentence) = self.judge(&verified, known);
                let said = verified.into_value();
                Finding { state, sentence, said: Some((said.signer, said.time)) }
            }
        }
    }

    fn line(&self, record: &CommitSignature, finding: Finding) -> SignatureLine {
        let key = record.signature().public_key();
        let known = self.keyring.holder(key);
        let Finding { state, sentence, said } = finding;
        let trusted = known.filter(|known| said.is_some_and(|(signer, _)| signer == known.person));
        SignatureLine {
            state,
            sentence,
            person: said.map(|(signer, _)| signer),
            handle: trusted.map(|known| known.handle.clone()),
            name: trusted.and_then(|known| known.name.clone()),
            key: key.fingerprint(),
            algorithm: key.algorithm(),
            class: key.class(),
            note: trusted.and_then(|known| known.note.clone()),
            time: said.map(|(_, time)| time.into()),
        }
    }

    fn judge(
        &self,
        verified: &Verified<CommitStatement>,
        known: Option<&KnownKey>,
    ) -> (SignatureState, String) {
        let (key, said) = (verified.key(), verified.value());
        let made = Made { claimed: said.time.unix_ms, received: None };
        let print = key.fingerprint();
        let who = known.map_or_else(|| "somebody".to_owned(), name_of);
        match self.keyring.judge(key, said.signer, made) {
            Standing::Good => {
                (SignatureState::Good, format!("signed by {who} with {}", key_words(known, print)))
            }
            Standing::Unknown => {
                (SignatureState::Unknown, format!("signed with the key {print}, which nobody here knows"))
            }
            Standing::Another => {
                (SignatureState::Bad, format!("signed with a key of {who} in the name of somebody else"))
            }
            Standing::Early { from } => {
                let moment = moment(from);
                (
                    SignatureState::Expired,
                    format!("signed by {who} with a key that counts only from {moment}"),
                )
            }
            Standing::Expired { until } => {
                let moment = moment(until);
                (SignatureState::Expired, format!("signed by {who} with a key that counted until {moment}"))
            }
            Standing::Revoked { since } => {
                let moment = moment(since);
                let sentence = format!(
                    "signed with a key of {who} that was revoked on {moment}; nothing shows that it was before"
                );
                (SignatureState::Revoked, sentence)
            }
        }
    }
}

fn moment(unix_ms: i64) -> String {
    let (year, month, day, hour, minute, _) = Timestamp::utc(unix_ms).civil();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// The keys that count in a repository: those of the policy in force; those of policies before it, until the
/// moment at which a policy without them took effect; then those that only the person knows. Whatever the
/// shared log revokes is revoked for all.
pub fn known_keys(
    repository: &Repository,
    own: Keyring,
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<Keyring, AppError> {
    let view = repository.view()?;
    if view.log_head()?.is_none() {
        return Ok(own);
    }
    let log = verified_log(repository, &view, now, monitor)?;
    let mut ring = Keyring::default();
    if let Some(in_force) = log.in_force() {
        ring.add_policy(&in_force.policy);
    }
    add_former(&view, &log, &mut ring)?;
    ring.add_all(own);
    for (key, received) in log.revoked() {
        ring.revoke(key, received.unix_ms);
    }
    Ok(ring)
}

/// Adds the keys of all policies that the log, which was verified, has had: of each key what the last policy
/// says that names it.
fn add_former(view: &View, log: &VerifiedLog, ring: &mut Keyring) -> Result<(), AppError> {
    let mut policies: Vec<(i64, Policy)> = Vec::new();
    for sequence in log.policies() {
        let Some(signed) = view.log_entry(*sequence)? else { continue };
        let Ok(entry) = LogEntry::decode(&signed.statement) else { continue };
        let LogDeed::Policy(taken) = &entry.deed else { continue };
        let text = PolicyLink::decode(&taken.link.statement).map(|link| link.policy);
        if let Some(policy) = text.ok().and_then(|text| Policy::parse(&text).ok()) {
            policies.push((entry.received_ms, policy));
        }
    }
    let mut followed: Option<i64> = None;
    for (received_ms, policy) in policies.iter().rev() {
        if let Some(ended) = followed {
            ring.add_former(policy, ended);
        }
        followed = Some(*received_ms);
    }
    Ok(())
}

/// What a person is called where one name is enough.
fn name_of(known: &KnownKey) -> String {
    known.name.clone().unwrap_or_else(|| known.handle.clone())
}

fn key_words(known: Option<&KnownKey>, print: Fingerprint) -> String {
    match known.and_then(|known| known.note.as_ref()) {
        Some(note) => format!("the key {print} ({note})"),
        None => format!("the key {print}"),
    }
}
