//! Keys and what they sign: the part that holds secrets or speaks with those who do.
//!
//! - [`signer`] is anything that can sign: [`local_key`] in memory, [`agent`] over its socket,
//!   [`helper`] through `ssh-keygen`; [`open`] finds the one for a key, [`key_file`] reads files,
//!   [`secret`] asks for passphrases;
//! - [`identity`] is the person's own list of people and their keys;
//! - [`chain`] verifies the shared log; [`judge`](mod@judge) permits moves of protected names or refuses them.

pub mod agent;
pub mod chain;
pub mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod helper;
pub mod identity;
pub mod judge;
pub mod key_file;
pub mod local_key;
pub mod log_writer;
pub mod open;
pub mod secret;
pub mod signer;

pub use error::TrustError;
pub use local_key::LocalKey;
pub use signer::Signer;
