//! What can go wrong with keys and signing.

use crate::object::signature::{KeyError, SignatureError};

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
}
