//! `serve`: a repository as others reach it, whatever carries their requests.
//!
//! [`answer()`] is the one place where a request meets a permission. Who asks comes as [`Rights`]: a
//! person by their key, a machine by its token, or whoever reaches the folder anyway.

pub mod answer;
pub mod begin;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod places;
pub mod rights;
pub mod stdio;
pub mod tokens;

pub use answer::{Readers, answer, needed};
pub use rights::Rights;
