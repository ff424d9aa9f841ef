//! The immutable model: what content, folders, metadata and commits are, and their exact bytes.
//! Pure; nothing here reads or writes files.
//!
//! Chunks and files are named by the plain BLAKE3 of their bytes. Every other kind hashes under
//! a context of its own ([`hash_object`]), so that a file can never pose as a tree.

pub mod asset;
pub mod chunker;
pub mod commit;
pub mod file_hash;
pub mod manifest;
pub mod manifest_build;
pub mod manifest_diff;
pub mod manifest_read;
pub mod memory;
pub mod metadata;
pub mod source;
pub mod tree;
pub mod tree_build;
pub mod tree_edit;
pub mod tree_lookup;
pub mod tree_walk;

/// The kinds of objects that hash under a context of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A directory or a node of a large one.
    Tree,
    /// The metadata of one asset.
    Metadata,
    /// A commit.
    Commit,
    /// A node of a manifest.
    ManifestNode,
}

impl ObjectKind {
    /// The BLAKE3 key-derivation context, `pentimento <kind> v1`.
    pub const fn context(self) -> &'static str {
        match self {
            Self::Tree => "pentimento tree v1",
            Self::Metadata => "pentimento metadata v1",
            Self::Commit => "pentimento commit v1",
            Self::ManifestNode => "pentimento manifest v1",
        }
    }
}

/// Hashes the canonical bytes of an object of the given kind.
pub fn hash_object(kind: ObjectKind, bytes: &[u8]) -> [u8; 32] {
    blake3::derive_key(kind.context(), bytes)
}
