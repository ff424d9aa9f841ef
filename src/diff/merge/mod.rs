//! Joins two lines of work.

pub mod text;
