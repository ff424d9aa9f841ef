//! What differs between two states, and how two states become one.
//!
//! [`tree`] says which assets were added, removed, changed or moved. [`model`] says how the content
//! of one asset changed, in the language of its medium: a [`ContentDiffer`](model::ContentDiffer)
//! for each, of which [`text`] and [`bytes`] are the first. [`metadata`] goes field by field.
//! [`merge`] joins two lines of work.
//!
//! Nothing here reads files or knows a store: objects and content come through traits.

pub mod bytes;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod merge;
pub mod metadata;
pub mod model;
pub mod text;
pub mod tree;

use crate::base::id::{FileId, ManifestNodeId, TreeId};
use crate::base::path::PathError;
use crate::object::tree_walk::WalkError;

/// Why states could not be compared or joined.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// An object - a tree node, metadata - is missing or damaged.
    #[error("an object could not be read")]
    Object(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The content of a file is missing or damaged.
    #[error("the content of a file could not be read or kept")]
    Content(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The content of a file is not in this clone, and could not be brought.
    #[error("the content of file {file} is not here")]
    Elsewhere {
        file: FileId,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A tree node does not fit what the node above says of it.
    #[error("tree node {node} does not fit the node above it")]
    MalformedTree { node: TreeId },
    /// The lengths in a manifest node do not add up to what the node above says.
    #[error("manifest node {node} does not fit the node above it")]
    MalformedManifest { node: ManifestNodeId },
    /// A path in a tree is too long or too deep.
    #[error("a path in a tree cannot be used")]
    Path(#[from] PathError),
    /// The user asked to stop.
    #[error("stopped as asked")]
    Cancelled,
}

impl<E: std::error::Error + Send + Sync + 'static> From<WalkError<E>> for DiffError {
    fn from(error: WalkError<E>) -> Self {
        match error {
            WalkError::Source(source) => Self::Object(Box::new(source)),
            WalkError::Malformed { node } => Self::MalformedTree { node },
            WalkError::Path(source) => Self::Path(source),
        }
    }
}
