//! History from Git repositories.

pub mod blobs;
pub mod build;
pub mod changes;
pub(in crate::import) mod delta;
pub mod export;
mod formed;
pub(in crate::import) mod large;
pub mod lfs;
mod merges;
mod narrow;
pub mod objects;
pub mod order;
mod ordinary;
pub mod parse;
mod quoted;
mod rebuild;
pub mod run;
pub mod settings;
pub mod source;
