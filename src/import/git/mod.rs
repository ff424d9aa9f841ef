//! History from Git repositories.

pub mod blobs;
pub mod build;
pub mod changes;
pub mod export;
pub(in crate::import) mod large;
pub mod lfs;
mod merges;
pub mod objects;
pub mod order;
pub mod parse;
pub mod run;
pub mod settings;
pub mod source;
