//! Brings history from elsewhere: Git repositories with their Git LFS content, folders in which people
//! kept versions by name - and takes history back to Git.
//!
//! What comes in is somebody else's data: it is parsed, never trusted, and one bad object costs itself
//! and no more. What this floor does not decide is what becomes of branches and of the worktree; that
//! is for `app`.

mod erased;
pub mod error;
pub mod folder;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod git;
mod nodes;
mod recent;

pub use error::ImportError;
