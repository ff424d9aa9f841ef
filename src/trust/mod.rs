//! Keys and what they sign: the part that holds secrets or speaks with those who do.
//!
//! - [`signer`] is anything that can sign; [`local_key`] holds a private key in memory.
//! - [`chain`] verifies the shared log; [`judge`](mod@judge) permits moves of protected names or refuses them.

pub mod chain;
pub mod error;
pub mod judge;
pub mod local_key;
pub mod log_writer;
pub mod signer;

pub use error::TrustError;
pub use local_key::LocalKey;
pub use signer::Signer;
