//! A security key and a browser's passkey in software, as tests need them: what they produce is put
//! together here byte by byte from OpenSSH's PROTOCOL.u2f and WebAuthn.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::ecdsa::signature::Signer as _;
use pentimento::object::signature::{Namespace, PublicKey, Signature, SignatureError, signed_bytes, wire};
use sha2::{Digest as _, Sha256};

pub const TOUCHED: u8 = 0x01;

/// The key pair of an authenticator.
pub enum Pair {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

/// An authenticator with one key for one application.
pub struct Authenticator {
    pub pair: Pair,
    pub application: String,
    pub flags: u8,
    pub counter: u32,
}

/// What a browser shows and signs.
pub struct Page {
    pub origin: String,
    /// What follows the origin in `clientData`.
    pub rest: String,
    /// The challenge, when it is not the right one.
    pub challenge: Option<Vec<u8>>,
    pub extensions: Vec<u8>,
}

impl Page {
    pub fn of(origin: &str) -> Self {
        let (origin, rest) = (origin.to_owned(), r#","crossOrigin":false}"#.to_owned());
        Self { origin, rest, challenge: None, extensions: Vec::new() }
    }
}

impl Authenticator {
    pub fn ed25519(application: &str) -> Self {
        let pair = Pair::Ed25519(ed25519_dalek::SigningKey::from_bytes(&[5; 32]));
        Self { pair, application: application.to_owned(), flags: TOUCHED, counter: 7 }
    }

    pub fn p256(application: &str) -> Self {
        let pair = Pair::P256(p256::ecdsa::SigningKey::from_slice(&[6; 32]).expect("a scalar"));
        Self { pair, application: application.to_owned(), flags: TOUCHED, counter: 7 }
    }

    pub fn public_key(&self) -> PublicKey {
        let mut blob = Vec::new();
        match &self.pair {
            Pair::Ed25519(key) => {
                wire::put_string(&mut blob, b"sk-ssh-ed25519@openssh.com");
                wire::put_string(&mut blob, key.verifying_key().as_bytes());
            }
            Pair::P256(key) => {
                wire::put_string(&mut blob, b"sk-ecdsa-sha2-nistp256@openssh.com");
                wire::put_string(&mut blob, b"nistp256");
                wire::put_string(&mut blob, key.verifying_key().to_encoded_point(false).as_bytes());
            }
        }
        wire::put_string(&mut blob, self.application.as_bytes());
        PublicKey::from_blob(&blob).expect("a security key")
    }

    /// As `ssh-keygen -Y sign` with a security key.
    pub fn sign(&self, namespace: Namespace, statement: &[u8]) -> Result<Signature, SignatureError> {
        let raw = self.raw(&signed_bytes(namespace, statement));
        Signature::from_raw(&self.public_key(), namespace, &raw)
    }

    /// What an agent answers when it is asked to sign these bytes.
    pub fn raw(&self, data: &[u8]) -> Vec<u8> {
        let message = self.message(&[], data);
        let name: &[u8] = match self.pair {
            Pair::Ed25519(_) => b"sk-ssh-ed25519@openssh.com",
            Pair::P256(_) => b"sk-ecdsa-sha2-nistp256@openssh.com",
        };
        let mut raw = Vec::new();
        wire::put_string(&mut raw, name);
        wire::put_string(&mut raw, &self.inner(&message));
        self.put_facts(&mut raw);
        raw
    }

    /// As a browser with a passkey.
    pub fn sign_on_page(
        &self,
        namespace: Namespace,
        statement: &[u8],
        page: &Page,
    ) -> Result<Signature, SignatureError> {
        let challenge = page.challenge.clone().unwrap_or_else(|| signed_bytes(namespace, statement));
        let client_data = format!(
            r#"{{"type":"webauthn.get","challenge":"{}","origin":"{}"{}"#,
            Base64UrlUnpadded::encode_string(&challenge),
            page.origin,
            page.rest
        );
        let message = self.message(&page.extensions, client_data.as_bytes());
        let mut raw = Vec::new();
        wire::put_string(&mut raw, b"webauthn-sk-ecdsa-sha2-nistp256@openssh.com");
        wire::put_string(&mut raw, &self.inner(&message));
        self.put_facts(&mut raw);
        wire::put_string(&mut raw, page.origin.as_bytes());
        wire::put_string(&mut raw, client_data.as_bytes());
        wire::put_string(&mut raw, &page.extensions);
        Signature::from_raw(&self.public_key(), namespace, &raw)
    }

    fn message(&self, extensions: &[u8], signed: &[u8]) -> Vec<u8> {
        let mut message = Sha256::digest(&self.application).to_vec();
        self.put_facts(&mut message);
        message.extend_from_slice(extensions);
        message.extend_from_slice(&Sha256::digest(signed));
        message
    }

    fn put_facts(&self, out: &mut Vec<u8>) {
        out.push(self.flags);
        out.extend_from_slice(&self.counter.to_be_bytes());
    }

    fn inner(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Pair::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                let (r, s) = signature.split_bytes();
                let mut bytes = Vec::new();
                wire::put_positive(&mut bytes, &r);
                wire::put_positive(&mut bytes, &s);
                bytes
            }
        }
    }
}
