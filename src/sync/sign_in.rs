//! How a client says to a server who asks.

use crate::object::login::LoginChallenge;
use crate::sync::error::SyncResult;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The answer to a server's question who is there.
#[derive(Debug, Clone)]
pub struct SignedAnswer {
    /// The exact bytes that were signed.
    pub statement: Vec<u8>,
    /// The signature, armored.
    pub signature: String,
}

/// Somebody who can say who asks: signs with a key of theirs, which may need a passphrase or a touch.
pub trait SignIn: Send + Sync {
    /// Answers a server's question.
    fn answer(&self, challenge: &LoginChallenge) -> SyncResult<SignedAnswer>;
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The token that is meant for a host, in a list such as `pent_1f...@assets.example.org other@host:8443`.
pub fn token_for(list: &str, host: &str) -> Option<Secret> {
    let entries = list.split([' ', ',', '\n']).filter_map(|entry| entry.rsplit_once('@'));
    let mut found = entries.filter(|(token, at)| *at == host && !token.is_empty());
    found.next().map(|(token, _)| Secret::new(token.to_owned()))
}

/// What a client asks a server before it signs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeRequest {
    /// The server as the client knows it: host, and port if there is one in the address.
    pub server: String,
}

/// What the server gives out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChallengeAnswer {
    /// 32 random bytes as hexadecimal, good for one answer.
    pub nonce: String,
}

/// The client's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// The statement (`docs/format/signatures.md`), exactly as it was signed.
    pub statement: String,
    /// The signature, armored.
    pub signature: String,
}

/// What the server gives for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInAnswer {
    /// Goes along with every request from then on.
    pub session: String,
    /// Until when, in milliseconds since 1970 by the server's clock.
    pub until_ms: i64,
}

/// Reads one of these messages.
pub fn read_message<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_its_own_host_and_to_no_other() {
        let list = "pent_a@one.example, pent_b@two.example:8443";
        let of = |host: &str| token_for(list, host).map(|secret| secret.reveal().to_owned());
        assert_eq!(of("one.example").as_deref(), Some("pent_a"));
        assert_eq!(of("two.example:8443").as_deref(), Some("pent_b"));
        assert_eq!((of("two.example"), of("three.example")), (None, None));
        assert_eq!(format!("{:?}", Secret::new("hidden".into())), "Secret");
    }
}
