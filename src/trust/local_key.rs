//! A private key in this process's memory.

use crate::object::signature::{Namespace, PublicKey, Signature, signed_bytes, verify, wire};
use crate::trust::{Signer, TrustError};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::public::KeyData;
use std::fmt;

/// An Ed25519 or ECDSA key pair. Its secret half is wiped when this is dropped.
///
/// RSA keys never get here: no implementation at hand signs with them in constant time, so they
/// sign through an agent or `ssh-keygen`.
pub struct LocalKey {
    private: ssh_key::PrivateKey,
    public: PublicKey,
}

impl LocalKey {
    /// The Ed25519 key that follows from 32 secret bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, TrustError> {
        Self::new(ssh_key::PrivateKey::from(Ed25519Keypair::from_seed(seed)))
    }

    /// Takes a decrypted key.
    pub(crate) fn new(private: ssh_key::PrivateKey) -> Result<Self, TrustError> {
        let public = PublicKey::parse_openssh(&public_line(private.public_key().key_data())?)?;
        Ok(Self { private, public })
    }

    /// The public half, without the secret one.
    pub(crate) fn into_public(self) -> PublicKey {
        self.public
    }
}

fn public_line(data: &KeyData) -> Result<String, TrustError> {
    ssh_key::PublicKey::from(data.clone())
        .to_openssh()
        .map_err(|_| TrustError::CannotSign { algorithm: data.algorithm().to_string() })
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKey({})", self.public.fingerprint())
    }
}

impl Signer for LocalKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, namespace: Namespace, statement: &[u8]) -> Result<Signature, TrustError> {
        let refused = || TrustError::CannotSign { algorithm: self.public.algorithm().to_owned() };
        let message = signed_bytes(namespace, statement);
        let made = match self.private.key_data() {
            KeypairData::Ed25519(pair) => ssh_signature(pair, &message),
            KeypairData::Ecdsa(pair) => ssh_signature(pair, &message),
            _ => None,
        };
        let (algorithm, bytes) = made.ok_or_else(refused)?;
        let mut raw = Vec::new();
        wire::put_string(&mut raw, algorithm.as_bytes());
        wire::put_string(&mut raw, &bytes);
        let signature = Signature::from_raw(&self.public, namespace, &raw)?;
        verify(statement, &signature, namespace)?;
        Ok(signature)
    }
}

fn ssh_signature<K>(pair: &K, message: &[u8]) -> Option<(String, Vec<u8>)>
where
    K: p256::ecdsa::signature::Signer<ssh_key::Signature>,
{
    let signature = pair.try_sign(message).ok()?;
    Some((signature.algorithm().as_str().to_owned(), signature.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::signature::SignatureError;

    #[test]
    fn what_a_key_signs_holds_for_that_statement_and_purpose_alone() {
        let key = LocalKey::from_seed(&[7; 32]).unwrap();
        let signature = key.sign(Namespace::Action, b"approved").unwrap();
        let verified = verify(b"approved", &signature, Namespace::Action).unwrap();
        assert_eq!(verified.key(), key.public_key());
        assert_eq!(verify(b"approvee", &signature, Namespace::Action), Err(SignatureError::Mismatch));
        assert!(matches!(
            verify(b"approved", &signature, Namespace::Commit),
            Err(SignatureError::Namespace { expected: Namespace::Commit, .. })
        ));
    }
}
