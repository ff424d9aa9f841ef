//! Public keys: the kinds that may sign, in the one encoding that each has.

use crate::object::signature::KeyError;
use crate::object::signature::wire::{WireError, WireReader};
use base64ct::{Base64, Base64Unpadded, Encoding};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// Longest encoding of a public key, in bytes: RSA of 8,192 bits and room for an application's name.
pub const KEY_BYTES_MAX: usize = 2048;
/// Longest line of a public key, in bytes, comment included.
pub const KEY_LINE_BYTES_MAX: usize = 8192;
/// Fewest and most bits of an RSA key.
pub const RSA_BITS_MIN: usize = 2048;
pub const RSA_BITS_MAX: usize = 8192;
/// What the application of a key made for SSH begins with (OpenSSH, PROTOCOL.u2f).
const SSH_APPLICATION: &str = "ssh:";
const APPLICATION_BYTES_MAX: usize = 255;

/// Where a private key lives, so far as its public key tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyClass {
    /// In a file or an agent.
    File,
    /// In a security key that was touched for this signature.
    Hardware,
    /// In a passkey that a browser asked, on a page that a server made.
    Browser,
}

impl KeyClass {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Hardware => "hardware",
            Self::Browser => "browser",
        }
    }
}

/// The numbers of a key, checked to be a point of its curve or a modulus of the right length.
pub(super) enum KeyMaterial {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    Rsa { exponent: Vec<u8>, modulus: Vec<u8> },
    SkEd25519 { key: ed25519_dalek::VerifyingKey, application: String },
    SkP256 { key: p256::ecdsa::VerifyingKey, application: String },
}

/// A public key.
///
/// Each key has one encoding only, so two keys are the same exactly when their bytes are: a
/// revoked key does not come back in another spelling.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    blob: Vec<u8>,
    material: KeyMaterial,
}

impl PublicKey {
    /// Reads a line as `ssh-keygen` writes it into `.pub` files: kind, base64, and perhaps a comment.
    pub fn parse_openssh(line: &str) -> Result<Self, KeyError> {
        Self::parse_line(line).map(|(key, _)| key)
    }

    /// Reads a line and also returns its comment, which nobody vouches for.
    pub fn parse_line(line: &str) -> Result<(Self, &str), KeyError> {
        let line = line.trim();
        if line.len() > KEY_LINE_BYTES_MAX || line.contains(['\n', '\r']) {
            return Err(KeyError::Line);
        }
        let (kind, rest) = line.split_once([' ', '\t']).ok_or(KeyError::Line)?;
        let rest = rest.trim_start();
        let (base64, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let blob = Base64::decode_vec(base64).map_err(|_| KeyError::Line)?;
        let key = Self::from_blob(&blob)?;
        if key.algorithm() != kind {
            return Err(KeyError::Mixed { outer: kind.to_owned() });
        }
        Ok((key, comment.trim()))
    }

    /// Reads the encoding that stands in signatures and in an agent's answers.
    pub fn from_blob(blob: &[u8]) -> Result<Self, KeyError> {
        if blob.len() > KEY_BYTES_MAX {
            return Err(KeyError::Encoding);
        }
        let mut reader = WireReader::new(blob);
        let algorithm = reader.text(64)?;
        let material = read_material(algorithm, &mut reader)?;
        reader.finish()?;
        Ok(Self(Arc::new(Inner { blob: blob.to_vec(), material })))
    }

    /// The encoding that stands in signatures.
    pub fn blob(&self) -> &[u8] {
        &self.0.blob
    }

    pub(super) fn material(&self) -> &KeyMaterial {
        &self.0.material
    }

    /// The kind of key, for example `ssh-ed25519`.
    pub fn algorithm(&self) -> &'static str {
        match self.0.material {
            KeyMaterial::Ed25519(_) => "ssh-ed25519",
            KeyMaterial::P256(_) => "ecdsa-sha2-nistp256",
            KeyMaterial::P384(_) => "ecdsa-sha2-nistp384",
            KeyMaterial::P521(_) => "ecdsa-sha2-nistp521",
            KeyMaterial::Rsa { .. } => "ssh-rsa",
            KeyMaterial::SkEd25519 { .. } => "sk-ssh-ed25519@openssh.com",
            KeyMaterial::SkP256 { .. } => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// Where the private key lives. A security key whose application is a web site answers to
    /// browsers, one whose application begins with `ssh:` does not.
    pub fn class(&self) -> KeyClass {
        match &self.0.material {
            KeyMaterial::SkEd25519 { application, .. } | KeyMaterial::SkP256 { application, .. } => {
                if application.starts_with(SSH_APPLICATION) {
                    KeyClass::Hardware
                } else {
                    KeyClass::Browser
                }
            }
            _ => KeyClass::File,
        }
    }

    /// The SHA-256 of the encoding, as OpenSSH shows it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(&self.0.blob).into())
    }

    /// The line without a comment.
    pub fn to_openssh(&self) -> String {
        format!("{} {}", self.algorithm(), Base64::encode_string(&self.0.blob))
    }
}

fn read_material(algorithm: &str, reader: &mut WireReader<'_>) -> Result<KeyMaterial, KeyError> {
    Ok(match algorithm {
        "ssh-ed25519" => KeyMaterial::Ed25519(read_ed25519(reader)?),
        "ecdsa-sha2-nistp256" => KeyMaterial::P256(read_p256(reader)?),
        "ecdsa-sha2-nistp384" => {
            let point = read_point(reader, "nistp384", 48)?;
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point);
            KeyMaterial::P384(key.map_err(|_| KeyError::Damaged { algorithm: "ECDSA" })?)
        }
        "ecdsa-sha2-nistp521" => {
            let point = read_point(reader, "nistp521", 66)?;
            let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point);
            KeyMaterial::P521(key.map_err(|_| KeyError::Damaged { algorithm: "ECDSA" })?)
        }
        "ssh-rsa" => read_rsa(reader)?,
        "sk-ssh-ed25519@openssh.com" => {
            let key = read_ed25519(reader)?;
            KeyMaterial::SkEd25519 { key, application: read_application(reader)? }
        }
        "sk-ecdsa-sha2-nistp256@openssh.com" => {
            let key = read_p256(reader)?;
            KeyMaterial::SkP256 { key, application: read_application(reader)? }
        }
        other => return Err(KeyError::Algorithm { algorithm: other.to_owned() }),
    })
}

fn read_ed25519(reader: &mut WireReader<'_>) -> Result<ed25519_dalek::VerifyingKey, KeyError> {
    let damaged = KeyError::Damaged { algorithm: "Ed25519" };
    let bytes: &[u8; 32] = reader.string(32)?.try_into().map_err(|_| damaged.clone())?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| damaged.clone())?;
    // A point of small order accepts one signature for every statement; a point that was not
    // written in its shortest form would be a second spelling of a key.
    let canonical = key.to_edwards().compress().as_bytes() == bytes;
    if key.is_weak() || !canonical { Err(damaged) } else { Ok(key) }
}

fn read_p256(reader: &mut WireReader<'_>) -> Result<p256::ecdsa::VerifyingKey, KeyError> {
    let point = read_point(reader, "nistp256", 32)?;
    p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| KeyError::Damaged { algorithm: "ECDSA" })
}

/// An uncompressed point, the only form that OpenSSH writes.
fn read_point<'a>(
    reader: &mut WireReader<'a>,
    curve: &'static str,
    field_bytes: usize,
) -> Result<&'a [u8], KeyError> {
    let named = reader.string(16)?;
    let point = reader.string(2 * field_bytes + 1)?;
    if named != curve.as_bytes() || point.len() != 2 * field_bytes + 1 || point[0] != 4 {
        return Err(KeyError::Damaged { algorithm: "ECDSA" });
    }
    Ok(point)
}

fn read_rsa(reader: &mut WireReader<'_>) -> Result<KeyMaterial, KeyError> {
    let exponent = reader.positive(8)?;
    let modulus = reader.positive(KEY_BYTES_MAX)?;
    let bits = modulus.len() * 8 - modulus[0].leading_zeros() as usize;
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(KeyError::RsaLength { bits, min: RSA_BITS_MIN, max: RSA_BITS_MAX });
    }
    // With exponent 1 anybody can sign, an even one is no key.
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    if !odd(exponent) || !odd(modulus) || exponent == [1] {
        return Err(KeyError::Damaged { algorithm: "RSA" });
    }
    Ok(KeyMaterial::Rsa { exponent: exponent.to_vec(), modulus: modulus.to_vec() })
}

fn read_application(reader: &mut WireReader<'_>) -> Result<String, KeyError> {
    let application = reader.text(APPLICATION_BYTES_MAX)?;
    if application.is_empty() || !application.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(KeyError::Damaged { algorithm: "security" });
    }
    Ok(application.to_owned())
}

impl From<WireError> for KeyError {
    fn from(_: WireError) -> Self {
        Self::Encoding
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.blob == other.0.blob
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.blob.cmp(&other.0.blob)
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.blob.hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.fingerprint())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_openssh())
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(line: &str) -> Result<Self, KeyError> {
        Self::parse_openssh(line)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The SHA-256 of a public key's encoding: prints as `SHA256:` and unpadded base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Takes the bytes as they are; the caller vouches that they are the SHA-256 of a key.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", Base64Unpadded::encode_string(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let base64 = text.strip_prefix("SHA256:").ok_or(KeyError::Fingerprint)?;
        let bytes = Base64Unpadded::decode_vec(base64).map_err(|_| KeyError::Fingerprint)?;
        bytes.try_into().map(Self).map_err(|_| KeyError::Fingerprint)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
