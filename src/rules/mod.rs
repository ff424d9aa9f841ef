//! Decisions, pure: which files are left out, which names other systems cannot have, what a policy
//! asks for and whether it is met.
//!
//! Nothing here looks at a disk or at the system it runs on, so every rule is tested everywhere.

pub mod access;
pub mod approval;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod ignore;
pub mod keyring;
pub mod pattern;
pub mod policy;
pub mod portable;
