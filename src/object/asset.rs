//! Where asset ids come from.

use crate::base::id::{AssetId, CommitId};
use crate::base::path::AssetPath;

/// Context of the BLAKE3 key derivation for asset ids.
const CONTEXT: &str = "pentimento asset v1";

/// Gives the id of an asset that is first added at `path` by a commit with these parents.
///
/// It follows from the parents and the path, so two people who add the same path on top of the
/// same commit get the same id without talking to each other.
pub fn derive_asset_id(parents: &[CommitId], path: &AssetPath) -> AssetId {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(&(parents.len() as u64).to_le_bytes());
    for parent in parents {
        hasher.update(parent.as_bytes());
    }
    hasher.update(path.as_bytes());
    let mut id = [0u8; AssetId::SIZE];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..AssetId::SIZE]);
    AssetId::from_bytes(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asset_ids_follow_from_parents_and_path() {
        let path = AssetPath::from_bytes("brand/logo.svg").expect("a valid path");
        let parent = CommitId::from_bytes([7; 32]);
        assert_eq!(derive_asset_id(&[], &path).to_string(), "11c16c3af3cc3b50fac3388513e23dc3");
        assert_ne!(derive_asset_id(&[], &path), derive_asset_id(&[parent], &path));
    }
}
