//! The immutable model: what content, folders, metadata and commits are, and their exact bytes.
//! Pure; nothing here reads or writes files.
//!
//! Chunks and files are named by the plain BLAKE3 of their bytes. Every other kind hashes under
//! a context of its own ([`hash_object`]), so that a file can never pose as a tree.

pub mod action;
pub mod approval;
pub mod asset;
pub mod chunker;
pub mod commit;
pub mod commit_signature;
pub mod erasure;
pub mod file_hash;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod log_entry;
pub mod login;
pub mod manifest;
pub mod manifest_build;
pub mod manifest_diff;
pub mod manifest_read;
pub mod manifest_values;
pub mod memory;
pub mod metadata;
pub mod path_set;
pub mod policy_link;
pub mod set_node;
pub mod signature;
pub mod source;
pub mod statement;
pub mod transition;
pub mod tree;
pub mod tree_build;
pub mod tree_edit;
pub mod tree_walk;
pub mod words_erasure;

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
    /// What happens to one asset.
    Transition,
    /// A signed action of the review log.
    Action,
    /// The salted body of an action.
    ActionBody,
    /// A link of the chain of policies.
    PolicyLink,
    /// An entry of the shared log.
    LogEntry,
    /// A node of a set.
    SetNode,
    /// A commit's signature.
    CommitSignature,
    /// A policy link that waits for signatures.
    PolicyProposal,
    /// A signed permission to erase the words of an action.
    WordsErasure,
}

impl ObjectKind {
    /// The BLAKE3 key-derivation context, `pentimento <kind> v1`.
    pub const fn context(self) -> &'static str {
        match self {
            Self::Tree => "pentimento tree v1",
            Self::Metadata => "pentimento metadata v1",
            Self::Commit => "pentimento commit v1",
            Self::ManifestNode => "pentimento manifest v1",
            Self::Transition => "pentimento transition v1",
            Self::Action => "pentimento action v1",
            Self::ActionBody => "pentimento action body v1",
            Self::PolicyLink => "pentimento policy link v1",
            Self::LogEntry => "pentimento log entry v1",
            Self::SetNode => "pentimento set node v1",
            Self::CommitSignature => "pentimento commit signature v1",
            Self::PolicyProposal => "pentimento policy proposal v1",
            Self::WordsErasure => "pentimento words erasure v1",
        }
    }
}

/// Hashes the canonical bytes of an object of the given kind.
pub fn hash_object(kind: ObjectKind, bytes: &[u8]) -> [u8; 32] {
    blake3::derive_key(kind.context(), bytes)
}
