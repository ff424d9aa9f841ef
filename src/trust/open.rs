//! From a public key to something that signs with it: the agent if it holds the key, else its file.

use crate::object::signature::PublicKey;
use crate::trust::agent::{self, AgentSigner};
use crate::trust::helper::HelperSigner;
use crate::trust::key_file::{self, KeyFile, LockedKey};
use crate::trust::secret::AskSecret;
use crate::trust::{LocalKey, Signer, TrustError};
use std::path::{Path, PathBuf};

/// How often a passphrase may be mistyped.
const TRIES: u32 = 3;

/// What there is on this machine to sign with.
pub struct KeyAccess<'a> {
    /// Where an agent listens.
    pub agent: Option<PathBuf>,
    /// The program for keys that only OpenSSH signs with.
    pub helper: PathBuf,
    /// Who is asked for passphrases.
    pub ask: &'a dyn AskSecret,
}

/// Gives a signer for a key, asking for a passphrase where one is needed.
pub fn open_signer(
    key: &PublicKey,
    file: Option<&Path>,
    access: &KeyAccess<'_>,
) -> Result<Box<dyn Signer>, TrustError> {
    let mut agent_error = None;
    if let Some(socket) = &access.agent {
        match agent::list(socket) {
            Ok(keys) if keys.iter().any(|held| held.key == *key) => {
                return Ok(Box::new(AgentSigner::new(socket, key)));
            }
            Ok(_) => {}
            Err(error) => agent_error = Some(error),
        }
    }
    match file {
        Some(path) => open_file(key, path, access),
        // With no file the agent was the only hope, so why it did not answer is the reason.
        None => Err(agent_error.unwrap_or(TrustError::NotAtHand { fingerprint: key.fingerprint() })),
    }
}

fn open_file(key: &PublicKey, path: &Path, access: &KeyAccess<'_>) -> Result<Box<dyn Signer>, TrustError> {
    let signer: Box<dyn Signer> = match key_file::read(path)? {
        KeyFile::Ready(local) => Box::new(local),
        KeyFile::Locked(locked) => {
            same_key(key, locked.public_key(), path)?;
            Box::new(unlock(&locked, path, access.ask)?)
        }
        KeyFile::Foreign(found) => {
            if let Some(found) = found {
                same_key(key, &found, path)?;
            }
            Box::new(HelperSigner::new(&access.helper, path, key))
        }
    };
    same_key(key, signer.public_key(), path)?;
    Ok(signer)
}

fn same_key(expected: &PublicKey, found: &PublicKey, path: &Path) -> Result<(), TrustError> {
    if expected == found {
        return Ok(());
    }
    let (expected, found) = (expected.fingerprint(), found.fingerprint());
    Err(TrustError::OtherKey { path: path.to_owned(), expected, found })
}

fn unlock(locked: &LockedKey, path: &Path, ask: &dyn AskSecret) -> Result<LocalKey, TrustError> {
    let name = crate::base::escape::terminal(path.as_os_str().as_encoded_bytes());
    for attempt in 0..TRIES {
        let again = if attempt == 0 { "" } else { "That was another passphrase. " };
        let passphrase = ask.ask(&format!("{again}Passphrase for {name}: "))?;
        if let Some(key) = locked.unlock(&passphrase)? {
            return Ok(key);
        }
    }
    Err(TrustError::WrongPassphrase { path: path.to_owned() })
}
