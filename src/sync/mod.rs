//! Moving history and content between repositories.
//!
//! ```text
//! push:  walk -> have? -> packs and bundles -> put ... put -> publish (names move, last)
//! fetch: describe -> history -> walk -> what is missing -> chunks -> files checked -> names move, last
//! ```
//!
//! [`Remote`] is the contract; every form keeps the same promises and passes the same tests. Nothing
//! that comes from a remote is believed: objects and chunks are hashed, manifests are claims until
//! their content has been checked, names move after everything that they reach is here and sound.

pub mod accept;
pub mod address;
mod allowance;
pub mod bucket;
pub mod bundle;
pub mod content;
pub mod entries;
pub mod error;
pub mod fetch;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod http;
mod incoming;
pub mod keep;
pub mod listed;
pub mod logs;
pub mod origins;
mod parallel;
pub mod paths;
mod possession;
pub mod push;
pub mod read_back;
pub mod readable;
pub mod receive;
pub mod remote;
mod room;
pub mod served;
pub mod sign_in;
mod sorted;
mod spill;
pub mod ssh;
pub mod tracking;
pub mod walk;
pub mod wire;

pub use error::SyncError;
pub use remote::Remote;
