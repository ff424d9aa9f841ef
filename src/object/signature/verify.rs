//! Checking a signature. Only here does a [`Verified`] come into being.

use crate::object::signature::key::KeyMaterial;
use crate::object::signature::sshsig::{Proof, WebAuthnProof};
use crate::object::signature::{KeyClass, Namespace, PublicKey, Signature, SignatureError};
use base64ct::{Base64UrlUnpadded, Encoding};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents};
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

/// Flags of a security key (WebAuthn, section 6.1).
const FLAG_USER_PRESENT: u8 = 0x01;
const FLAG_ATTESTED: u8 = 0x40;
const FLAG_EXTENSIONS: u8 = 0x80;

/// A value that a key's holder vouched for by a good signature.
///
/// That the key is one that counts - known, not expired, not revoked, in the right role - is for
/// the policy to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
    key: PublicKey,
    namespace: Namespace,
}

impl<T> Verified<T> {
    /// Takes up a verification that this clone did before.
    ///
    /// Nothing is verified: whoever calls this knows from a place where only this clone writes that the very bytes
    /// were, with the very signature.
    pub(crate) const fn remembered(value: T, key: PublicKey, namespace: Namespace) -> Self {
        Self { value, key, namespace }
    }

    /// What was signed.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Who signed it.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// What it was signed for.
    pub fn namespace(&self) -> Namespace {
        self.namespace
    }

    /// Another view of the same signed value; the seal stays on. `view` must only read.
    pub fn map<U>(self, view: impl FnOnce(T) -> U) -> Verified<U> {
        Verified { value: view(self.value), key: self.key, namespace: self.namespace }
    }

    /// Another view that may not exist, for example parsed from the signed bytes.
    pub fn try_map<U, E>(self, view: impl FnOnce(T) -> Result<U, E>) -> Result<Verified<U>, E> {
        Ok(Verified { value: view(self.value)?, key: self.key, namespace: self.namespace })
    }

    /// Takes the seal off.
    pub fn into_value(self) -> T {
        self.value
    }
}

/// Checks that the holder of the key in `signature` signed exactly `statement` for this purpose.
pub fn verify<'a>(
    statement: &'a [u8],
    signature: &Signature,
    namespace: Namespace,
) -> Result<Verified<&'a [u8]>, SignatureError> {
    if signature.namespace() != namespace.as_str() {
        let found = signature.namespace().to_owned();
        return Err(SignatureError::Namespace { expected: namespace, found });
    }
    let message = signature.signed_bytes(statement);
    check(signature.public_key(), signature.proof(), &message)?;
    Ok(Verified { value: statement, key: signature.public_key().clone(), namespace })
}

fn check(key: &PublicKey, proof: &Proof, message: &[u8]) -> Result<(), SignatureError> {
    match (key.material(), proof) {
        (KeyMaterial::Ed25519(key), Proof::Ed25519(bytes)) => check_ed25519(key, bytes, message),
        (KeyMaterial::P256(key), Proof::Ecdsa { r, s }) => check_p256(key, r, s, message),
        (KeyMaterial::P384(key), Proof::Ecdsa { r, s }) => check_p384(key, r, s, message),
        (KeyMaterial::P521(key), Proof::Ecdsa { r, s }) => check_p521(key, r, s, message),
        (KeyMaterial::Rsa { exponent, modulus }, Proof::Rsa { sha512, bytes }) => {
            let algorithm = if *sha512 { &RSA_PKCS1_2048_8192_SHA512 } else { &RSA_PKCS1_2048_8192_SHA256 };
            RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(algorithm, message, bytes)
                .map_err(|_| SignatureError::Mismatch)
        }
        (
            KeyMaterial::SkEd25519 { application, .. } | KeyMaterial::SkP256 { application, .. },
            Proof::Sk { inner, flags, counter },
        ) => {
            // A passkey's signature without what the browser showed is no browser's.
            if key.class() != KeyClass::Hardware {
                return Err(SignatureError::Browser { what: "what the page showed is missing" });
            }
            let signed = sk_message(application, *flags, *counter, &[], message)?;
            check_sk(key.material(), inner, &signed)
        }
        (KeyMaterial::SkP256 { application, .. }, Proof::WebAuthn(proof)) => {
            if key.class() != KeyClass::Browser {
                return Err(SignatureError::Browser { what: "the key is not one of a web page" });
            }
            check_client_data(proof, message)?;
            let (flags, counter) = (proof.flags, proof.counter);
            let signed = sk_message(application, flags, counter, &proof.extensions, &proof.client_data)?;
            check_sk(key.material(), &proof.inner, &signed)
        }
        // Reading paired the kinds already.
        _ => Err(SignatureError::Mismatch),
    }
}

/// Strict: refuses keys and signatures of small order, so that a signature binds one key and one
/// statement (RFC 8032, and "Taming the many EdDSAs").
fn check_ed25519(
    key: &ed25519_dalek::VerifyingKey,
    bytes: &[u8; 64],
    message: &[u8],
) -> Result<(), SignatureError> {
    key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(bytes))
        .map_err(|_| SignatureError::Mismatch)
}

macro_rules! check_ecdsa {
    ($name:ident, $curve:ident, $bytes:literal) => {
        fn $name(
            key: &$curve::ecdsa::VerifyingKey,
            r: &[u8],
            s: &[u8],
            message: &[u8],
        ) -> Result<(), SignatureError> {
            use $curve::ecdsa::signature::Verifier;
            let mut scalars = [0u8; 2 * $bytes];
            scalars[$bytes - r.len()..$bytes].copy_from_slice(r);
            scalars[2 * $bytes - s.len()..].copy_from_slice(s);
            let signature =
                $curve::ecdsa::Signature::from_slice(&scalars).map_err(|_| SignatureError::Encoding)?;
            key.verify(message, &signature).map_err(|_| SignatureError::Mismatch)
        }
    };
}

// Each curve with the hash that RFC 5656 gives it: SHA-256, SHA-384, SHA-512.
check_ecdsa!(check_p256, p256, 32);
check_ecdsa!(check_p384, p384, 48);
check_ecdsa!(check_p521, p521, 66);

fn check_sk(key: &KeyMaterial, inner: &Proof, signed: &[u8]) -> Result<(), SignatureError> {
    match (key, inner) {
        (KeyMaterial::SkEd25519 { key, .. }, Proof::Ed25519(bytes)) => check_ed25519(key, bytes, signed),
        (KeyMaterial::SkP256 { key, .. }, Proof::Ecdsa { r, s }) => check_p256(key, r, s, signed),
        _ => Err(SignatureError::Mismatch),
    }
}

/// What a security key signs: its application, what it saw of the user, and the message, the
/// hashes of both (OpenSSH, PROTOCOL.u2f).
fn sk_message(
    application: &str,
    flags: u8,
    counter: u32,
    extensions: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, SignatureError> {
    if flags & FLAG_USER_PRESENT == 0 {
        return Err(SignatureError::NoTouch);
    }
    let mut signed = Sha256::digest(application).to_vec();
    signed.push(flags);
    signed.extend_from_slice(&counter.to_be_bytes());
    signed.extend_from_slice(extensions);
    signed.extend_from_slice(&Sha256::digest(message));
    Ok(signed)
}

/// What a browser writes into `clientData`. The first three are compared as bytes; they are named
/// here so that none of them stands there twice.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    #[serde(rename = "challenge")]
    _challenge: IgnoredAny,
    #[serde(rename = "origin")]
    _origin: IgnoredAny,
    #[serde(default)]
    cross_origin: bool,
}

/// The browser must have asked for exactly this message, on the page that it names, and not
/// inside the frame of another (OpenSSH, PROTOCOL.u2f; WebAuthn, section 5.8.1).
fn check_client_data(proof: &WebAuthnProof, message: &[u8]) -> Result<(), SignatureError> {
    if proof.origin.contains('"') || proof.flags & FLAG_ATTESTED != 0 {
        return Err(SignatureError::Encoding);
    }
    if (proof.flags & FLAG_EXTENSIONS == 0) != proof.extensions.is_empty() {
        return Err(SignatureError::Encoding);
    }
    let expected = format!(
        r#"{{"type":"webauthn.get","challenge":"{}","origin":"{}""#,
        Base64UrlUnpadded::encode_string(message),
        proof.origin
    );
    if !proof.client_data.starts_with(expected.as_bytes()) {
        return Err(SignatureError::Browser { what: "the page or what it asked for is another" });
    }
    // The readers of JSON in browsers and here take the same text for the same value only if
    // nothing is named twice: serde refuses that.
    let data: ClientData = serde_json::from_slice(&proof.client_data)
        .map_err(|_| SignatureError::Browser { what: "what it showed is no well-formed JSON" })?;
    if data.cross_origin {
        return Err(SignatureError::Browser { what: "the page was in the frame of another site" });
    }
    Ok(())
}
