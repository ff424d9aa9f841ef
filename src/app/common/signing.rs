//! Signing commits: who signs, with what, and the record that follows.

use crate::app::error::AppError;
use crate::app::identity::IdentityError;
use crate::base::id::{CommitId, PersonId, RepositoryId};
use crate::base::time::Timestamp;
use crate::object::commit_signature::{CommitSignature, CommitStatement};
use crate::object::signature::Namespace;
use crate::trust::Signer;
use crate::trust::identity::IdentityBook;
use crate::trust::log_writer::LogWriter;
use crate::trust::open::{KeyAccess, open_signer};
use std::fmt;
use std::path::Path;

/// A person ready to sign: the key is at hand, its passphrase typed.
pub struct SigningAs {
    /// Who signs.
    pub person: PersonId,
    /// With what.
    pub signer: Box<dyn Signer>,
}

impl fmt::Debug for SigningAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningAs({} {:?})", self.person, self.signer.public_key())
    }
}

impl SigningAs {
    /// Makes the person's key ready, asking for a passphrase where it needs one.
    ///
    /// `committer` is whom history will name: the key has to be that person's.
    pub fn open(
        book: &Path,
        access: &KeyAccess<'_>,
        committer: PersonId,
        now: Timestamp,
    ) -> Result<Self, AppError> {
        let book = IdentityBook::read(book)?;
        let (identity, key) = book.signing_key(now.unix_ms).ok_or(IdentityError::NoSigningKey)?;
        if identity.person != committer {
            return Err(IdentityError::SignerIsAnother { handle: identity.handle.clone() }.into());
        }
        let signer = open_signer(&key.public, key.file.as_deref(), access)?;
        Ok(Self { person: identity.person, signer })
    }

    /// The same person as somebody who writes into the shared log.
    pub fn writer(&self) -> LogWriter<'_> {
        LogWriter { person: self.person, signer: &*self.signer }
    }

    /// Signs a commit.
    pub fn sign_commit(
        &self,
        repository: RepositoryId,
        commit: CommitId,
        time: Timestamp,
    ) -> Result<CommitSignature, AppError> {
        sign_commit(self.writer(), repository, commit, time)
    }
}

/// Signs a commit as somebody with a key.
pub fn sign_commit(
    by: LogWriter<'_>,
    repository: RepositoryId,
    commit: CommitId,
    time: Timestamp,
) -> Result<CommitSignature, AppError> {
    let statement = CommitStatement { commit, repository, signer: by.person, time };
    let signature = by.signer.sign(Namespace::Commit, &statement.encode())?;
    Ok(CommitSignature::new(&statement, signature))
}
