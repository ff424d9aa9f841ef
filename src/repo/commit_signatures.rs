//! Signatures of commits as they are kept: beside the commit, one for each key.
//!
//! The rows are a grow-only set: of two records by one key for one commit the one with the smaller
//! bytes stays, so that two clones that take each other's rows end up with the same ones.

use crate::base::id::{CommitId, RepositoryId};
use crate::object::commit_signature::{CommitSignature, CommitSignatureError, CommitStatement};
use crate::object::set_node::Member;
use crate::object::signature::{Fingerprint, Verified};
use crate::repo::edit::Edit;
use crate::repo::error::RepoError;
use crate::repo::sets::{LogSet, member_kind, member_of};
use crate::repo::view::View;
use crate::store::Space;

/// Most signatures of keys that nobody asks for that are read of one commit.
pub const SIGNATURES_MAX: usize = 1024;

/// The key of a row: the commit, then the fingerprint of the signing key.
pub fn row_key(commit: CommitId, key: Fingerprint) -> [u8; 64] {
    let mut row = [0u8; 64];
    row[..32].copy_from_slice(commit.as_bytes());
    row[32..].copy_from_slice(key.as_bytes());
    row
}

/// What is wrong with a row; `None` when it is a good signature of the commit by the key that its
/// own key names. Such a row proves itself.
pub fn fault(row: &[u8], value: &[u8]) -> Option<String> {
    let check = || {
        let record = CommitSignature::decode(value)?;
        let claim = record.claim()?;
        record.verify(claim.repository, claim.commit)?;
        Ok(row_key(claim.commit, record.fingerprint()) == row)
    };
    match check() {
        Ok(true) => None,
        Ok(false) => Some("it stands at the wrong place".to_owned()),
        Err::<bool, CommitSignatureError>(error) => Some(error.to_string()),
    }
}

impl View {
    /// The signatures of a commit in the order of their keys' fingerprints, not verified yet.
    ///
    /// At most [`SIGNATURES_MAX`]: whoever looks for those of some keys asks
    /// [`commit_signatures_with`](Self::commit_signatures_with).
    pub fn commit_signatures(&self, commit: CommitId) -> Result<Vec<CommitSignature>, RepoError> {
        self.commit_signatures_with(commit, &|_| false)
    }

    /// The same with all those by keys of which `wanted` is true, however many others there are: anybody can make
    /// any number of keys and sign with each.
    pub fn commit_signatures_with(
        &self,
        commit: CommitId,
        wanted: &dyn Fn(&Fingerprint) -> bool,
    ) -> Result<Vec<CommitSignature>, RepoError> {
        let (mut all, mut others) = (Vec::new(), 0);
        for row in self.snapshot().scan_prefix(Space::CommitSignatures, commit.as_bytes())? {
            let (key, value) = row?;
            let Some(print): Option<[u8; 32]> = key.get(32..).and_then(|print| print.try_into().ok()) else {
                continue;
            };
            let print = Fingerprint::from_bytes(print);
            if !wanted(&print) {
                if others == SIGNATURES_MAX {
                    continue;
                }
                others += 1;
            }
            // One that cannot be read vouches for nothing; `fsck` names it.
            if let Ok(record) = CommitSignature::decode(&value)
                && print == record.fingerprint()
            {
                all.push(record);
            }
        }
        Ok(all)
    }
}

impl View {
    /// All signatures, as other clones want to know of them.
    pub(super) fn signature_members(&self) -> Result<Vec<(Member, Vec<u8>)>, RepoError> {
        let mut members = Vec::new();
        for row in self.snapshot().scan_prefix(Space::CommitSignatures, b"")? {
            let (key, value) = row?;
            members.push((member_of(member_kind::COMMIT_SIGNATURE, &value), key));
        }
        Ok(members)
    }
}

impl Edit {
    /// Stores a signature of a commit after verifying it; says whether that changed anything.
    pub fn put_commit_signature(
        &mut self,
        repository: RepositoryId,
        commit: CommitId,
        record: &CommitSignature,
    ) -> Result<(Verified<CommitStatement>, bool), RepoError> {
        let verified = record
            .verify(repository, commit)
            .map_err(|source| RepoError::CommitSignature { commit, source })?;
        let key = row_key(commit, record.fingerprint());
        let bytes = record.encode();
        let stored = self.transaction().get(Space::CommitSignatures, &key)?;
        let changes = stored.as_ref().is_none_or(|stored| fault(&key, stored).is_some() || bytes < *stored);
        if changes {
            let kind = member_kind::COMMIT_SIGNATURE;
            if let Some(stored) = stored {
                self.note_member(LogSet::Signatures, member_of(kind, &stored), None);
            }
            self.note_member(LogSet::Signatures, member_of(kind, &bytes), Some(key.to_vec()));
            self.transaction().put(Space::CommitSignatures, &key, &bytes)?;
        }
        Ok((verified, changes))
    }
}
