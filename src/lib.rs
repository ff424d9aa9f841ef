//! Pentimento: version control for creative work.
//!
//! The modules form floors; each imports only from floors below its own (`tests/suite/floors.rs`
//! holds that true). `docs/architecture.md` draws the way the data takes through them.

pub mod app;
pub mod base;
pub mod care;
pub mod cli;
pub mod diff;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod import;
pub mod media;
pub mod object;
pub mod repo;
pub mod review;
pub mod rules;
pub mod server;
pub mod store;
pub mod sync;
pub mod trust;
pub mod worktree;
