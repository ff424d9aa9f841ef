//! What was found out about signatures, kept so that it is not found out again: of commits, what one is worth under
//! the same known keys; of actions of the review log, that the very record was verified.
//!
//! Rows are this clone's own and can be dropped at any time.

use crate::base::id::{ActionId, CommitId};
use crate::object::action::Audience;
use crate::object::signature::Fingerprint;
use crate::repo::commit_signatures::row_key;
use crate::repo::error::RepoError;
use crate::repo::{Edit, View};
use crate::store::Space;
use std::collections::HashMap;

const PREFIX: u8 = b'v';
const ACTION_PREFIX: u8 = b'V';

fn key(commit: CommitId, print: Fingerprint) -> Vec<u8> {
    [[PREFIX].as_slice(), &row_key(commit, print)].concat()
}

/// What a finding rests on: the known keys, the very record, and the program that found it.
pub fn basis(keyring: &[u8; 32], record: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("pentimento finding v1");
    hasher.update(keyring).update(env!("CARGO_PKG_VERSION").as_bytes()).update(&[0]).update(record);
    *hasher.finalize().as_bytes()
}

/// What it rests on that an action was verified: the very record, and the program that did so.
pub fn action_basis(record: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("pentimento verified action v1");
    hasher.update(env!("CARGO_PKG_VERSION").as_bytes()).update(&[0]).update(record);
    *hasher.finalize().as_bytes()
}

fn action_key(audience: Audience, id: &[u8]) -> Vec<u8> {
    let letter = match audience {
        Audience::Team => b't',
        Audience::Guests => b'g',
    };
    [[ACTION_PREFIX, letter].as_slice(), id].concat()
}

impl View {
    /// The actions of an audience that were verified, each with what that rests on.
    pub fn verified_actions(&self, audience: Audience) -> Result<HashMap<ActionId, [u8; 32]>, RepoError> {
        let prefix = action_key(audience, &[]);
        let mut found = HashMap::new();
        for row in self.snapshot().scan_prefix(Space::Sets, &prefix)? {
            let (key, basis) = row?;
            let id = ActionId::from_slice(key.get(prefix.len()..).unwrap_or_default());
            // What cannot be read is verified again.
            if let (Some(id), Ok(basis)) = (id, basis.as_slice().try_into()) {
                found.insert(id, basis);
            }
        }
        Ok(found)
    }

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
    /// Keeps that an action was verified.
    pub fn remember_action(
        &mut self,
        audience: Audience,
        id: ActionId,
        basis: &[u8; 32],
    ) -> Result<(), RepoError> {
        Ok(self.transaction().put(Space::Sets, &action_key(audience, id.as_bytes()), basis)?)
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::RepositoryId;
    use crate::repo::Repository;
    use crate::store::StoreSettings;

    #[test]
    fn a_finding_counts_on_its_own_basis_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = StoreSettings::new(RepositoryId::from_bytes([1; 16]));
        let repository = Repository::create(folder.path(), &settings).expect("a repository");
        let (commit, key) = (CommitId::from_bytes([2; 32]), Fingerprint::from_bytes([3; 32]));
        let known = basis(&[4; 32], b"a record");
        let mut edit = repository.edit().expect("an edit");
        edit.put_finding(commit, key, &known, b"good").expect("kept");
        edit.commit().expect("a commit");
        let view = repository.view().expect("a view");
        let found = |basis: &[u8; 32]| view.finding(commit, key, basis).expect("readable");
        assert_eq!(found(&known).as_deref(), Some(&b"good"[..]));
        assert_eq!(found(&basis(&[5; 32], b"a record")), None, "other keys are known");
        assert_eq!(found(&basis(&[4; 32], b"another")), None, "another signature");
    }
}
