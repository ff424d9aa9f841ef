//! What can go wrong with keys and signing.

use crate::object::signature::{Fingerprint, KeyError, SignatureError};
use std::io;
use std::path::PathBuf;

/// Errors of this module family. None of them carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A public key that is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A signature that is none or does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A private key in memory refused to sign.
    #[error("the {algorithm} key cannot sign in this program")]
    CannotSign { algorithm: String },
    /// A file that is no private key, or a damaged one.
    #[error("{} is no private key that can be read", path.display())]
    KeyFile { path: PathBuf },
    /// A private key file of a form that does not tell its public half, with none beside it.
    #[error("the public half of that key is needed too, at {}", path.display())]
    PublicMissing { path: PathBuf },
    /// A private key that others on this machine can read.
    #[error("{} is open to others on this machine (mode {mode:03o})", path.display())]
    OpenToOthers { path: PathBuf, mode: u32 },
    /// The passphrase was mistyped too often.
    #[error("none of these was the passphrase of {}", path.display())]
    WrongPassphrase { path: PathBuf },
    /// A secret is needed and nobody can be asked.
    #[error("nobody is there to answer: {question}")]
    NobodyToAsk { question: String },
    /// The person did not want to answer.
    #[error("no passphrase was given")]
    NoAnswer,
    /// A file holds another key than was expected.
    #[error("{} holds the key {found}, not {expected}", path.display())]
    OtherKey { path: PathBuf, expected: Fingerprint, found: Fingerprint },
    /// The private half of a key is nowhere on this machine.
    #[error("the private half of the key {fingerprint} is not at hand")]
    NotAtHand { fingerprint: Fingerprint },
    /// The agent could not be reached.
    #[error("the ssh-agent at {} does not answer", socket.display())]
    Agent {
        socket: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The agent answered something else than was asked.
    #[error("what listens at {} is no ssh-agent", socket.display())]
    AgentAnswer { socket: PathBuf },
    /// The agent did not sign.
    #[error("the ssh-agent did not sign with the key {fingerprint}")]
    AgentRefused { fingerprint: Fingerprint },
    /// The helper did not sign.
    #[error("{} did not sign", program.display())]
    Helper {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for a new key")]
    Random,
    /// The file of identities cannot be understood.
    #[error("{} cannot be read as a list of identities: {message}", path.display())]
    Identities { path: PathBuf, message: String },
    /// A file could not be read or written.
    #[error("{action} {} failed", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}
