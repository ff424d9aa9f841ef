//! Care of a repository: what nothing needs any more goes, damage is found and named, what can be
//! mended is mended, and what has to be forgotten is.
//!
//! - [`fsck`] reads everything again and says what is damaged and whom it concerns.
//! - [`repair`] brings back what the repository still says about itself.
//! - [`erase`] removes the bytes of one file for good.
//! - [`gc`] plans and carries out the removal of what nothing reaches, in two phases.

pub mod condemned;
pub mod erase;
pub mod error;
pub mod fsck;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod gc;
pub mod repair;
mod repair_marker;

pub use error::CareError;
