//! The bytes of a signature: SSHSIG as OpenSSH's PROTOCOL.sshsig defines it, version 1.

use crate::object::signature::key::{KEY_BYTES_MAX, KeyMaterial};
use crate::object::signature::wire::{WireError, WireReader, put_string};
use crate::object::signature::{Namespace, PublicKey, SignatureError};
use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256, Sha512};

const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
const OPENING: &str = "-----BEGIN SSH SIGNATURE-----";
const CLOSING: &str = "-----END SSH SIGNATURE-----";
/// Characters of a line of armour, as OpenSSH breaks them.
const LINE_CHARS: usize = 70;
/// Longest signature, in bytes; passkeys carry what the browser showed.
pub const SIGNATURE_BYTES_MAX: usize = 16 << 10;
const NAMESPACE_BYTES_MAX: usize = 255;

/// How the statement is hashed before it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HashKind {
    Sha256,
    Sha512,
}

impl HashKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

/// What the key itself produced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// 64 bytes.
    Ed25519([u8; 64]),
    /// Two numbers, of at most as many bytes as the curve's field.
    Ecdsa { r: Vec<u8>, s: Vec<u8> },
    /// A number as long as the modulus; `sha512` or SHA-256.
    Rsa { sha512: bool, bytes: Vec<u8> },
    /// By a security key, with what it says of itself.
    Sk { inner: Box<Proof>, flags: u8, counter: u32 },
    /// By a passkey through a browser.
    WebAuthn(Box<WebAuthnProof>),
}

/// What a browser adds to a passkey's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WebAuthnProof {
    pub inner: Proof,
    pub flags: u8,
    pub counter: u32,
    pub origin: String,
    pub client_data: Vec<u8>,
    pub extensions: Vec<u8>,
}

/// A signature, with the key that is said to have made it. Says nothing until it is verified.
///
/// A statement can have many signatures by one key that are all good: never count signatures,
/// count keys, or rather the people who hold them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    bytes: Vec<u8>,
    key: PublicKey,
    namespace: String,
    hash: HashKind,
    proof: Proof,
}

impl Signature {
    /// Reads the bytes of a signature; every one of them must be accounted for.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignatureError> {
        if bytes.len() > SIGNATURE_BYTES_MAX {
            return Err(SignatureError::Encoding);
        }
        let mut reader = WireReader::new(bytes);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(SignatureError::Encoding);
        }
        let version = reader.u32()?;
        if version != VERSION {
            return Err(SignatureError::Version { version });
        }
        let key = PublicKey::from_blob(reader.string(KEY_BYTES_MAX)?)?;
        let namespace = reader.text(NAMESPACE_BYTES_MAX)?.to_owned();
        if !reader.string(0)?.is_empty() {
            return Err(SignatureError::Encoding);
        }
        let hash = match reader.text(16)? {
            "sha256" => HashKind::Sha256,
            "sha512" => HashKind::Sha512,
            name => return Err(SignatureError::Hash { name: name.to_owned() }),
        };
        let proof = read_proof(&key, reader.string(SIGNATURE_BYTES_MAX)?)?;
        reader.finish()?;
        Ok(Self { bytes: bytes.to_vec(), key, namespace, hash, proof })
    }

    /// Puts together what a key produced for [`signed_bytes`]: `raw` is the inner signature as the
    /// SSH protocols encode it, which is what an agent answers with.
    pub fn from_raw(key: &PublicKey, namespace: Namespace, raw: &[u8]) -> Result<Self, SignatureError> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        put_string(&mut bytes, key.blob());
        put_string(&mut bytes, namespace.as_str().as_bytes());
        put_string(&mut bytes, b"");
        put_string(&mut bytes, HashKind::Sha512.name().as_bytes());
        put_string(&mut bytes, raw);
        Self::from_bytes(&bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads the text form that `ssh-keygen -Y sign` writes.
    pub fn parse_armored(text: &str) -> Result<Self, SignatureError> {
        if text.len() > 2 * SIGNATURE_BYTES_MAX {
            return Err(SignatureError::Armor);
        }
        let body = text
            .trim()
            .strip_prefix(OPENING)
            .and_then(|rest| rest.strip_suffix(CLOSING))
            .filter(|body| body.starts_with(['\n', '\r']) && body.ends_with('\n'))
            .ok_or(SignatureError::Armor)?;
        let base64: String = body.lines().map(str::trim_ascii_end).collect();
        let bytes = Base64::decode_vec(&base64).map_err(|_| SignatureError::Base64)?;
        Self::from_bytes(&bytes)
    }

    /// The text form, as `ssh-keygen -Y verify` reads it.
    pub fn armored(&self) -> String {
        let base64 = Base64::encode_string(&self.bytes);
        let mut text = format!("{OPENING}\n");
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(LINE_CHARS));
            text.push_str(line);
            text.push('\n');
            rest = after;
        }
        text.push_str(CLOSING);
        text.push('\n');
        text
    }

    /// The key that is said to have signed.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// What the signature was made for, in its own words.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The web page that a passkey was asked on, as the browser wrote it down.
    pub fn origin(&self) -> Option<&str> {
        match &self.proof {
            Proof::WebAuthn(proof) => Some(&proof.origin),
            _ => None,
        }
    }

    pub(super) fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The bytes that the key had to sign for this statement.
    pub(super) fn signed_bytes(&self, statement: &[u8]) -> Vec<u8> {
        blob_to_sign(&self.namespace, self.hash, statement)
    }
}

/// The bytes that a key signs for a statement: not the statement itself, but its SHA-512 with the
/// purpose in front (PROTOCOL.sshsig, section 4).
pub fn signed_bytes(namespace: Namespace, statement: &[u8]) -> Vec<u8> {
    blob_to_sign(namespace.as_str(), HashKind::Sha512, statement)
}

fn blob_to_sign(namespace: &str, hash: HashKind, statement: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    put_string(&mut bytes, namespace.as_bytes());
    put_string(&mut bytes, b"");
    put_string(&mut bytes, hash.name().as_bytes());
    put_string(&mut bytes, &hash.digest(statement));
    bytes
}

/// Reads what the key produced, insisting that its kind is one that this key makes.
fn read_proof(key: &PublicKey, raw: &[u8]) -> Result<Proof, SignatureError> {
    let mut reader = WireReader::new(raw);
    let algorithm = reader.text(64)?;
    let body = reader.string(SIGNATURE_BYTES_MAX)?;
    let proof = match (key.material(), algorithm) {
        (KeyMaterial::Ed25519(_), "ssh-ed25519") => read_ed25519(body)?,
        (KeyMaterial::P256(_), "ecdsa-sha2-nistp256") => read_ecdsa(body, 32)?,
        (KeyMaterial::P384(_), "ecdsa-sha2-nistp384") => read_ecdsa(body, 48)?,
        (KeyMaterial::P521(_), "ecdsa-sha2-nistp521") => read_ecdsa(body, 66)?,
        (KeyMaterial::Rsa { modulus, .. }, "rsa-sha2-256" | "rsa-sha2-512") => {
            if body.len() != modulus.len() {
                return Err(SignatureError::Encoding);
            }
            Proof::Rsa { sha512: algorithm == "rsa-sha2-512", bytes: body.to_vec() }
        }
        (KeyMaterial::SkEd25519 { .. }, "sk-ssh-ed25519@openssh.com") => {
            read_sk(read_ed25519(body)?, &mut reader)?
        }
        (KeyMaterial::SkP256 { .. }, "sk-ecdsa-sha2-nistp256@openssh.com") => {
            read_sk(read_ecdsa(body, 32)?, &mut reader)?
        }
        (KeyMaterial::SkP256 { .. }, "webauthn-sk-ecdsa-sha2-nistp256@openssh.com") => {
            read_webauthn(read_ecdsa(body, 32)?, &mut reader)?
        }
        _ => {
            let algorithm = algorithm.to_owned();
            return Err(SignatureError::Algorithm { algorithm, key: key.algorithm() });
        }
    };
    reader.finish()?;
    Ok(proof)
}

fn read_ed25519(body: &[u8]) -> Result<Proof, SignatureError> {
    body.try_into().map(Proof::Ed25519).map_err(|_| SignatureError::Encoding)
}

fn read_ecdsa(body: &[u8], field_bytes: usize) -> Result<Proof, SignatureError> {
    let mut reader = WireReader::new(body);
    let r = reader.positive(field_bytes)?.to_vec();
    let s = reader.positive(field_bytes)?.to_vec();
    reader.finish()?;
    Ok(Proof::Ecdsa { r, s })
}

fn read_sk(inner: Proof, reader: &mut WireReader<'_>) -> Result<Proof, SignatureError> {
    let (flags, counter) = (reader.u8()?, reader.u32()?);
    Ok(Proof::Sk { inner: Box::new(inner), flags, counter })
}

fn read_webauthn(inner: Proof, reader: &mut WireReader<'_>) -> Result<Proof, SignatureError> {
    let (flags, counter) = (reader.u8()?, reader.u32()?);
    let origin = reader.text(1024)?.to_owned();
    let client_data = reader.string(SIGNATURE_BYTES_MAX)?.to_vec();
    let extensions = reader.string(SIGNATURE_BYTES_MAX)?.to_vec();
    let proof = WebAuthnProof { inner, flags, counter, origin, client_data, extensions };
    Ok(Proof::WebAuthn(Box::new(proof)))
}

impl From<WireError> for SignatureError {
    fn from(_: WireError) -> Self {
        Self::Encoding
    }
}
