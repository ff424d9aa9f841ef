//! The user's files: what changed, and how they are brought to another state without losing any.
//!
//! - [`root`] opens the folder and keeps everything inside it; [`stat`] says when a file can be
//!   taken for unchanged.
//! - [`index`] remembers the committed state with what the file system said of each file;
//!   [`seen`] remembers the hashes of files that are not as committed.
//! - [`scan`] compares folders with the index; [`status`] reads what may have changed and says so
//!   in a person's terms.
//! - [`writable`] keeps files from being written that somebody should lock first.
//! - [`checkout`] plans and carries out changes of the files; [`displaced`] keeps what they replace.

pub mod checkout;
pub mod clock;
pub mod displaced;
pub mod durable;
pub mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod index;
pub(crate) mod moving;
pub mod probe;
pub mod root;
pub mod scan;
pub mod seen;
pub mod stat;
pub mod status;
pub mod writable;

pub use error::WorktreeError;
