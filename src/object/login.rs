//! The statement by which somebody says to a server who is there.
//!
//! Pure: what is asked, what is signed, and whether an answer fits. Who remembers which nonces were
//! given out is the server's business; an answer uses one up.

use crate::base::id::{PersonId, write_hex};
use crate::base::time::Timestamp;
use crate::object::signature::{Namespace, Signature, SignatureError, Verified, verify};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How far a client's clock may be from the server's, in milliseconds, and so how long an answer is
/// good at most.
pub const LOGIN_SKEW_MS_MAX: i64 = 5 * 60 * 1000;
/// Longest statement, in bytes.
pub const LOGIN_BYTES_MAX: usize = 1024;
/// Longest name of a server, in bytes.
pub const SERVER_BYTES_MAX: usize = 255;
const SCHEMA: &str = "pentimento login v1";

/// Random bytes that a server gives out once.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce([u8; 32]);

impl Nonce {
    /// Takes bytes, which must be random.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn hex(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a server asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginChallenge {
    /// The server's name as the client typed it: an answer given to one server is no use at another.
    pub server: String,
    /// Given out for this answer alone.
    pub nonce: Nonce,
}

/// What a client answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginStatement {
    /// The server that is meant.
    pub server: String,
    /// The nonce that it gave.
    pub nonce: String,
    /// Who says to be there.
    pub person: PersonId,
    /// When, by the client's clock.
    pub time: Timestamp,
}

/// Why an answer does not let anybody in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The signature does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The signed bytes are no answer, or not in their one form.
    #[error("that is no login statement")]
    Statement,
    /// It was signed for another server.
    #[error("the answer is meant for {server:?}")]
    Server { server: String },
    /// It answers another question.
    #[error("the answer belongs to another question")]
    Nonce,
    /// The clocks differ too much, or it is old.
    #[error("the answer was made {skew_ms} ms from now; the clocks may differ by {LOGIN_SKEW_MS_MAX} ms")]
    Time { skew_ms: i64 },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    schema: String,
    server: String,
    nonce: String,
    person: PersonId,
    time: Timestamp,
}

impl LoginStatement {
    /// The answer to a challenge.
    pub fn answer(challenge: &LoginChallenge, person: PersonId, time: Timestamp) -> Self {
        Self { server: challenge.server.clone(), nonce: challenge.nonce.hex(), person, time }
    }

    /// The exact bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        let form = Form {
            schema: SCHEMA.to_owned(),
            server: self.server.clone(),
            nonce: self.nonce.clone(),
            person: self.person,
            time: self.time,
        };
        // Texts and numbers always have a form in JSON.
        serde_json::to_vec(&form).unwrap_or_default()
    }

    /// Reads exact bytes; takes only what [`LoginStatement::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, LoginError> {
        if bytes.len() > LOGIN_BYTES_MAX {
            return Err(LoginError::Statement);
        }
        let form: Form = serde_json::from_slice(bytes).map_err(|_| LoginError::Statement)?;
        let statement = Self { server: form.server, nonce: form.nonce, person: form.person, time: form.time };
        let fits = statement.server.len() <= SERVER_BYTES_MAX && statement.encode() == bytes;
        if fits { Ok(statement) } else { Err(LoginError::Statement) }
    }
}

/// Checks an answer: who signed it is let in if that key is the person's, which is for the caller to
/// look up. The nonce must then be struck off, whatever came out.
pub fn check_login(
    challenge: &LoginChallenge,
    statement: &[u8],
    signature: &Signature,
    now: Timestamp,
) -> Result<Verified<LoginStatement>, LoginError> {
    let verified = verify(statement, signature, Namespace::Login)?.try_map(LoginStatement::decode)?;
    let said = verified.value();
    if said.server != challenge.server {
        return Err(LoginError::Server { server: said.server.clone() });
    }
    if said.nonce != challenge.nonce.hex() {
        return Err(LoginError::Nonce);
    }
    let skew_ms = said.time.unix_ms.saturating_sub(now.unix_ms);
    if skew_ms.saturating_abs() > LOGIN_SKEW_MS_MAX {
        return Err(LoginError::Time { skew_ms });
    }
    Ok(verified)
}
