//! Signatures over exact bytes by the keys that people already have.
//!
//! The format is SSHSIG: what `ssh-keygen -Y sign` writes and `ssh-keygen -Y verify` checks. A
//! signature is bound to a purpose, its [`Namespace`]. Everything here is pure; private keys are
//! the business of floor 4. `docs/format/signatures.md` says what is accepted and why.
//!
//! - [`PublicKey`], [`Fingerprint`], [`KeyClass`]: who signs;
//! - [`Signature`]: what was said to be signed, read from hostile bytes;
//! - [`verify`] and [`Verified`]: that it holds.

mod error;
mod key;
mod namespace;
mod sshsig;
mod verify;
pub mod wire;

pub use error::{KeyError, SignatureError};
pub use key::{
    Fingerprint, KEY_BYTES_MAX, KEY_LINE_BYTES_MAX, KeyClass, PublicKey, RSA_BITS_MAX, RSA_BITS_MIN,
};
pub use namespace::Namespace;
pub use sshsig::{SIGNATURE_BYTES_MAX, Signature, signed_bytes};
pub use verify::{Verified, verify};
