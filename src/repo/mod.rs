//! One repository.

pub mod config;
