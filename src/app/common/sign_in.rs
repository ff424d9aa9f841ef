//! Signing in to a server with the key that one signs with.

use crate::base::time::Clock;
use crate::object::login::{LoginChallenge, LoginStatement};
use crate::object::signature::Namespace;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::sign_in::{SignIn, SignedAnswer};
use crate::trust::TrustError;
use crate::trust::identity::IdentityBook;
use crate::trust::open::{KeyAccess, open_signer};
use crate::trust::secret::AskSecret;
use std::path::PathBuf;

/// The person whose list of identities it is.
pub struct KeySignIn {
    /// The list.
    pub book: PathBuf,
    /// Where an agent listens.
    pub agent: Option<PathBuf>,
    /// The program for keys that only OpenSSH signs with.
    pub helper: PathBuf,
    /// Who is asked for passphrases.
    pub ask: Box<dyn AskSecret + Send + Sync>,
    /// The clock to go by.
    pub clock: Box<dyn Clock>,
}

impl KeySignIn {
    fn sign(&self, challenge: &LoginChallenge) -> Result<Option<SignedAnswer>, TrustError> {
        let book = IdentityBook::read(&self.book)?;
        let now = self.clock.now();
        let Some((identity, key)) = book.signing_key(now.unix_ms) else { return Ok(None) };
        let access = KeyAccess { agent: self.agent.clone(), helper: self.helper.clone(), ask: &*self.ask };
        let signer = open_signer(&key.public, key.file.as_deref(), &access)?;
        let statement = LoginStatement::answer(challenge, identity.person, now).encode();
        let signature = signer.sign(Namespace::Login, &statement)?.armored();
        Ok(Some(SignedAnswer { statement, signature }))
    }
}

impl SignIn for KeySignIn {
    fn answer(&self, challenge: &LoginChallenge) -> SyncResult<SignedAnswer> {
        let told = |detail: String| SyncError::SignIn { address: challenge.server.clone(), detail };
        match self.sign(challenge) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(told("there is no key to sign in with".to_owned())),
            Err(error) => Err(told(error.to_string())),
        }
    }
}
