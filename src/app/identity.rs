//! `identity`: whose keys are known, and which of one's own to sign with.

mod change;
mod error;
mod source;

pub use change::{Facts, Validity};
pub use error::IdentityError;
pub use source::KeyName;

use crate::app::common::describe::TimeLine;
use crate::app::error::AppError;
use crate::base::id::PersonId;
use crate::base::time::{Clock, Timestamp};
use crate::object::signature::{Fingerprint, KeyClass};
use crate::repo::config::ConfigPaths;
use crate::rules::keyring::allowed_signers;
use crate::trust::agent;
use crate::trust::identity::{Identity, IdentityBook, IdentityKey};
use crate::trust::secret::AskSecret;
use serde::Serialize;
use std::path::PathBuf;

/// Where identities are kept and keys are found.
pub struct Places<'a> {
    /// The list of identities.
    pub book: PathBuf,
    /// The folder for keys that are made here.
    pub keys: PathBuf,
    /// The settings, which say whom history knows the person by.
    pub config: ConfigPaths,
    /// Where an agent listens.
    pub agent: Option<PathBuf>,
    /// Who is asked for passphrases.
    pub ask: &'a dyn AskSecret,
}

/// What to do with identities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Options {
    /// List the people, and the keys of the agent.
    List,
    /// Make a key, for a new person or one that is known.
    New {
        /// The person.
        facts: Facts,
        /// When the key counts.
        validity: Validity,
        /// Leave the key without a passphrase: whoever can read the file can sign.
        unprotected: bool,
    },
    /// Take a key that exists.
    Add {
        /// The person.
        facts: Facts,
        /// When the key counts.
        validity: Validity,
        /// The key.
        key: KeyName,
    },
    /// Work as a person from now on.
    Use {
        /// The person.
        handle: String,
        /// Always with this key; the first that counts when `None`.
        key: Option<Fingerprint>,
    },
    /// Forget a person, or one of their keys. Key files stay.
    Remove {
        /// The person.
        handle: String,
        /// Only this key.
        key: Option<Fingerprint>,
    },
    /// Take note that a key is in wrong hands.
    Revoke {
        /// The person.
        handle: String,
        /// The key.
        key: Fingerprint,
        /// Since when; now when `None`.
        since: Option<Timestamp>,
    },
    /// Give out the keys in the form that `ssh-keygen -Y verify` reads.
    Export {
        /// Only these people; everybody when empty.
        handles: Vec<String>,
    },
}

/// The people after the deed.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was done: `listed`, `made`, `added`, `used`, `removed`, `revoked` or `exported`.
    pub done: &'static str,
    /// The key that was made, added or revoked.
    pub key: Option<Fingerprint>,
    /// The file that a new key is in.
    pub file: Option<PathBuf>,
    /// The people that are known, or those that the deed was about.
    pub identities: Vec<IdentityLine>,
    /// Keys of the agent that belong to nobody who is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agent: Vec<AgentLine>,
    /// The file of allowed signers, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_signers: Option<String>,
}

/// A person.
#[derive(Debug, Clone, Serialize)]
pub struct IdentityLine {
    /// What the person is called in lists.
    pub handle: String,
    /// The opaque id.
    pub person: PersonId,
    /// The name.
    pub name: String,
    /// The address.
    pub email: Option<String>,
    /// Whether the user works as this person.
    pub in_use: bool,
    /// The keys.
    pub keys: Vec<KeyLine>,
}

/// A key of a person.
#[derive(Debug, Clone, Serialize)]
pub struct KeyLine {
    /// Its fingerprint.
    pub key: Fingerprint,
    /// What kind of key it is.
    pub algorithm: &'static str,
    /// Where its private half lives.
    pub class: KeyClass,
    /// The line that others need to know it.
    pub public: String,
    /// The file of the private half on this machine.
    pub file: Option<PathBuf>,
    /// Whether the agent holds it.
    pub in_agent: bool,
    /// Whether it is the one to sign with now.
    pub signs: bool,
    /// Whether it counts now.
    pub valid: bool,
    /// From when on it counts.
    pub from: Option<TimeLine>,
    /// Until when it counts.
    pub until: Option<TimeLine>,
    /// When it was revoked.
    pub revoked: Option<TimeLine>,
    /// What it is.
    pub note: Option<String>,
}

/// A key of the agent that nobody is known to have.
#[derive(Debug, Clone, Serialize)]
pub struct AgentLine {
    /// Its fingerprint.
    pub key: Fingerprint,
    /// What kind of key it is.
    pub algorithm: &'static str,
    /// What the agent calls it.
    pub comment: String,
}

/// Lists or changes identities.
pub fn run(places: &Places<'_>, options: &Options, clock: &dyn Clock) -> Result<Report, AppError> {
    let mut book = IdentityBook::read(&places.book)?;
    let now = clock.now();
    let (done, handles, key, file) = match options {
        Options::List => ("listed", None, None, None),
        Options::Export { handles } => return export(&book, handles),
        Options::New { facts, validity, unprotected } => {
            let (key, file) = change::make(places, &mut book, facts, validity, *unprotected)?;
            ("made", Some(facts.handle.clone()), Some(key), Some(file))
        }
        Options::Add { facts, validity, key } => {
            let key = change::add(places, &mut book, facts, validity, key)?;
            ("added", Some(facts.handle.clone()), Some(key), None)
        }
        Options::Use { handle, key } => {
            change::work_as(places, &mut book, handle, *key)?;
            ("used", Some(handle.clone()), *key, None)
        }
        Options::Remove { handle, key } => {
            change::remove(&mut book, handle, *key)?;
            ("removed", Some(handle.clone()), *key, None)
        }
        Options::Revoke { handle, key, since } => {
            change::revoke(&mut book, handle, *key, since.unwrap_or(now))?;
            ("revoked", Some(handle.clone()), Some(*key), None)
        }
    };
    let held = agent_keys(places);
    let signing = book.signing_key(now.unix_ms).map(|(_, key)| key.public.fingerprint());
    let wanted = |identity: &&Identity| handles.as_ref().is_none_or(|handle| identity.handle == *handle);
    let line = |identity: &Identity| {
        let in_use = book.in_use().is_some_and(|in_use| in_use.handle == identity.handle);
        identity_line(identity, in_use, signing, &held, now)
    };
    let identities = book.identities().iter().filter(wanted).map(line).collect();
    let strangers = held.iter().filter(|held| done == "listed" && book.holder(&held.key).is_none());
    let agent = strangers.map(|held| AgentLine {
        key: held.key.fingerprint(),
        algorithm: held.key.algorithm(),
        comment: held.comment.clone(),
    });
    Ok(Report { done, key, file, identities, agent: agent.collect(), allowed_signers: None })
}

/// What the agent holds; one that does not answer holds nothing to list.
fn agent_keys(places: &Places<'_>) -> Vec<agent::AgentKey> {
    places.agent.as_ref().and_then(|socket| agent::list(socket).ok()).unwrap_or_default()
}

fn identity_line(
    identity: &Identity,
    in_use: bool,
    signing: Option<Fingerprint>,
    held: &[agent::AgentKey],
    now: Timestamp,
) -> IdentityLine {
    let time = |moment: Option<i64>| moment.map(|unix_ms| TimeLine::from(Timestamp::utc(unix_ms)));
    let line = |key: &IdentityKey| KeyLine {
        key: key.public.fingerprint(),
        algorithm: key.public.algorithm(),
        class: key.public.class(),
        public: key.public.to_openssh(),
        file: key.file.clone(),
        in_agent: held.iter().any(|held| held.key == key.public),
        signs: in_use && signing == Some(key.public.fingerprint()),
        valid: key.is_valid_at(now.unix_ms),
        from: time(key.from),
        until: time(key.until),
        revoked: time(key.revoked),
        note: key.note.clone(),
    };
    IdentityLine {
        handle: identity.handle.clone(),
        person: identity.person,
        name: identity.name.clone(),
        email: identity.email.clone(),
        in_use,
        keys: identity.keys.iter().map(line).collect(),
    }
}

fn export(book: &IdentityBook, handles: &[String]) -> Result<Report, AppError> {
    for handle in handles {
        if book.find(handle).is_none() {
            return Err(IdentityError::Unknown { handle: handle.clone() }.into());
        }
    }
    let ring = book.keyring();
    let chosen = ring.keys().filter(|known| handles.is_empty() || handles.contains(&known.handle));
    let text = allowed_signers(chosen);
    Ok(Report {
        done: "exported",
        key: None,
        file: None,
        identities: Vec::new(),
        agent: Vec::new(),
        allowed_signers: Some(text),
    })
}
