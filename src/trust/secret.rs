//! Asking a person for a passphrase.

use crate::trust::TrustError;
use zeroize::Zeroizing;

/// Asks somebody for a secret; how is for the program around the library to say.
///
/// The answer never comes from the command line, where others on the machine could read it.
pub trait AskSecret: Send + Sync {
    /// Asks; [`TrustError::NobodyToAsk`] where nobody can answer. The memory is wiped when dropped.
    fn ask(&self, question: &str) -> Result<Zeroizing<String>, TrustError>;
}

/// Nobody answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct NobodyToAsk;

impl AskSecret for NobodyToAsk {
    fn ask(&self, question: &str) -> Result<Zeroizing<String>, TrustError> {
        Err(TrustError::NobodyToAsk { question: question.to_owned() })
    }
}
