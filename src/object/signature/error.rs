//! Why text is no key, bytes are no signature, or a signature does not hold.

use crate::object::signature::Namespace;

/// What is wrong with the text or bytes of a public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not `type base64 [comment]`.
    #[error("that is no OpenSSH public key: a line like \"ssh-ed25519 AAAA... comment\" is needed")]
    Line,
    /// The name in front of the key is not the one inside of it.
    #[error("the line says {outer:?}, the key in it is of another kind")]
    Mixed { outer: String },
    /// A kind of key that is not taken.
    #[error("keys of the kind {algorithm:?} cannot sign here")]
    Algorithm { algorithm: String },
    /// An RSA key of a length that is not taken.
    #[error("an RSA key of {bits} bits cannot sign here; between {min} and {max} are needed")]
    RsaLength { bits: usize, min: usize, max: usize },
    /// The bytes are no key of the kind they say they are.
    #[error("the {algorithm} key is damaged")]
    Damaged { algorithm: &'static str },
    /// The bytes end early, go on after the end, or exceed a limit.
    #[error("the bytes of the public key are damaged")]
    Encoding,
    /// The text of a fingerprint is not `SHA256:` and 43 characters.
    #[error("a fingerprint looks like SHA256: and 43 characters of base64")]
    Fingerprint,
}

/// What is wrong with a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The text does not stand between the lines that open and close a signature.
    #[error("that is no signature: it must begin with -----BEGIN SSH SIGNATURE-----")]
    Armor,
    /// The text between the two lines is no base64 as a writer would write it.
    #[error("the base64 of the signature is damaged")]
    Base64,
    /// The bytes are no SSHSIG, end early, go on after the end, or exceed a limit.
    #[error("the bytes of the signature are damaged")]
    Encoding,
    /// A version of the format that is not known.
    #[error("the signature has version {version}; only 1 is known")]
    Version { version: u32 },
    /// The key in the signature is not taken.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The statement was hashed by something weak or unknown.
    #[error("the signature hashes the statement with {name:?}; sha256 or sha512 is needed")]
    Hash { name: String },
    /// A way to sign that is not taken, SHA-1 among them, or that does not fit the key.
    #[error("a signature of the kind {algorithm:?} does not count for a key of the kind {key}")]
    Algorithm { algorithm: String, key: &'static str },
    /// The signature was made for another purpose.
    #[error("the signature was made for {found:?}, not for {expected}")]
    Namespace { expected: Namespace, found: String },
    /// Nobody touched the security key.
    #[error("the security key signed without being touched")]
    NoTouch,
    /// The browser showed something else to be signed, or in a foreign frame.
    #[error("the browser signed something else: {what}")]
    Browser { what: &'static str },
    /// The signature does not fit the statement.
    #[error("the signature does not fit what it is said to sign")]
    Mismatch,
}
