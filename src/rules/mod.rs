//! Decisions, pure: which files are left out, which names other systems cannot have.
//!
//! Nothing here looks at a disk or at the system it runs on, so every rule is tested everywhere.

#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod ignore;
pub mod portable;
