//! Anything that signs: a key file, an agent, a security key, a key made for a test.

use crate::object::signature::{Namespace, PublicKey, Signature};
use crate::trust::TrustError;

/// Signs statements with one key.
///
/// An implementation returns only signatures that it has verified itself: a broken or hostile
/// agent is noticed when it answers, not when somebody else reads the history.
pub trait Signer: Send + Sync {
    /// The key that others will see.
    fn public_key(&self) -> &PublicKey;

    /// Signs exactly these bytes for this purpose. May wait for a person to type or touch.
    fn sign(&self, namespace: Namespace, statement: &[u8]) -> Result<Signature, TrustError>;
}
