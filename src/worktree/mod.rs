//! The folder that people work in: what stands there, what changed, and how states of the
//! repository are put there.

pub mod checkout;
pub mod displaced;
pub mod error;
pub mod folder;
pub mod stat;

pub use error::WorktreeError;
