//! Puts states of the repository into the worktree: planned first, then done.
//!
//! Nothing that could be missed is ever overwritten. What stands where something is to be written,
//! and is not known to be in the store, is set aside (`displaced`). Files are written under a
//! temporary name in their folder, verified by the content source, and renamed into place; folders
//! are opened so that no link leads out of the worktree (`root`).
//!
//! Written files are not synced one by one: their content is in the store already, so a power loss
//! costs at most a repeated restore. Their modification time is the moment of writing.

mod execute;
mod plan;
#[cfg(test)]
mod tests;

pub use execute::{CheckoutReport, Written, execute};
pub use plan::{CheckoutPlan, PlannedItem, plan};

use crate::base::id::FileId;
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::worktree::stat::Node;
use std::fs::File;

/// Gives out verified content.
pub trait ContentSource: Sync {
    /// Why content could not be had.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Writes exactly the bytes of a file, verified against its id, to the start of an empty file.
    fn write_to(&self, id: FileId, size: u64, out: &mut File) -> Result<(), Self::Error>;

    /// The bytes of a small file, such as a link's target.
    fn read_small(&self, id: FileId, size: u64) -> Result<Vec<u8>, Self::Error>;
}

/// What shall stand at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub path: AssetPath,
    /// What; `None` for nothing.
    pub content: Option<Content>,
}

/// Says whether what stands at a path is known to be in the store, so that replacing it loses nothing.
pub type IsStored<'a> = &'a (dyn Fn(&AssetPath, &Node) -> bool + Sync);
