//! Why identities could not be changed or used.

use crate::object::signature::Fingerprint;

/// What is wrong, in terms that a person can act on.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Text that is no handle.
    #[error("{text:?} cannot be what somebody is called in lists")]
    Handle { text: String },
    /// Another person is called so.
    #[error("somebody else is called {handle} already")]
    HandleTaken { handle: String },
    /// The person is in the list under another handle.
    #[error("that person is in the list already, as {handle}")]
    PersonTaken { handle: String },
    /// Nobody is called so.
    #[error("nobody is called {handle} in your list of identities")]
    Unknown { handle: String },
    /// The person does not have that key.
    #[error("{handle} has no key {key}")]
    KeyUnknown { handle: String, key: Fingerprint },
    /// The key is somebody's already.
    #[error("the key {key} is {handle}'s already")]
    KeyTaken { key: Fingerprint, handle: String },
    /// It is not clear whom history knows by which id.
    #[error("which person is {handle}? Only you know the names in your own settings")]
    WhichPerson { handle: String },
    /// An empty passphrase.
    #[error("an empty passphrase protects nothing")]
    EmptyPassphrase,
    /// The second passphrase was another.
    #[error("the two passphrases differ")]
    PassphrasesDiffer,
    /// There is no agent.
    #[error("no ssh-agent is running")]
    NoAgent,
    /// The agent has none, or several that could be meant.
    #[error("the ssh-agent holds {} that could be meant", count_keys(keys.len()))]
    AgentKeys { keys: Vec<Fingerprint> },
    /// A signature was asked for, and there is no key to make it with.
    #[error("you have no key to sign with")]
    NoSigningKey,
    /// The key is one person's, the commit another's.
    #[error("commits here stand under another id than {handle}, whose key would sign")]
    SignerIsAnother { handle: String },
}

fn count_keys(count: usize) -> String {
    match count {
        0 => "no key".to_owned(),
        count => format!("{count} keys"),
    }
}
