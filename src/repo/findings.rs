//! What was found out about signatures of commits, kept so that it is not found out again: under the same
//! known keys the same signature is worth the same.
//!
//! Rows are this clone's own and can be dropped at any time.

use crate::base::id::CommitId;
use crate::object::signature::Fingerprint;
use crate::repo::commit_signatures::row_key;
use crate::repo::error::RepoError;
use crate::repo::{Edit, View};
use crate::store::Space;

const PREFIX: u8 = b'v';

fn key(commit: CommitId, print: Fingerprint) -> Vec<u8> {
    [[PREFIX].as_slice(), &row_key(commit, print)].concat()
}

/// What a finding rests on: the known keys, and the very record.
pub fn basis(keyring: &[u8; 32], record: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("pentimento finding v1");
    hasher.update(keyring).update(record);
    *hasher.finalize().as_bytes()
}

impl View {
    /// What was found about a signature, if it was found on this basis.
    pub fn finding(
        &self,
        commit: CommitId,
        print: Fingerprint,
        basis: &[u8; 32],
    ) -> Result<Option<Vec<u8>>, RepoError> {
        let row: Option<Vec<u8>> = self.snapshot().get(Space::Sets, &key(commit, print))?;
        Ok(row.and_then(|row| Some(row.strip_prefix(basis)?.to_vec())))
    }
}

impl Edit {
    /// Keeps what was found about a signature.
    pub fn put_finding(
        &mut self,
        commit: CommitId,
        print: Fingerprint,
        basis: &[u8; 32],
        finding: &[u8],
    ) -> Result<(), RepoError> {
        let row = [basis.as_slice(), finding].concat();
        Ok(self.transaction().put(Space::Sets, &key(commit, print), &row)?)
    }
}
