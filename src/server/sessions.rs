//! Who is signed in. Questions and sessions live in memory only: after a restart people's programs sign
//! in again by themselves.

use crate::app::serve::rights::SignedIn;
use crate::app::serve::tokens::hex;
use crate::base::time::Timestamp;
use crate::object::login::{
    LOGIN_SKEW_MS_MAX, LoginChallenge, LoginStatement, Nonce, SERVER_BYTES_MAX, check_login,
};
use crate::object::signature::Signature;
use crate::sync::http::nonce_of;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How long a session lasts, in milliseconds.
pub const SESSION_MS: i64 = 3_600_000;
/// Most questions that wait for an answer, and most sessions.
const WAITING_MAX: usize = 10_000;
const PREFIX: &str = "pents_";

/// Why nobody was signed in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The server has another name.
    #[error("this server is not called {server:?}; whoever runs it names it with --name")]
    Server { server: String },
    /// Too many want to sign in.
    #[error("too many want to sign in at once")]
    Full,
    /// The system gave no random bytes.
    #[error("the server has no random bytes")]
    Random,
    /// The answer does not fit a question that was asked.
    #[error("the answer belongs to no question that waits for one")]
    NoQuestion,
    /// The answer is wrong.
    #[error("{detail}")]
    Wrong { detail: String },
}

/// Names a session here: the hash of what the client has, so that nothing here opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; 32]);

#[derive(Debug)]
struct Session {
    who: SignedIn,
    until: i64,
    // Whether they were found to have a right to something: anybody can make keys and sign in with them.
    is_confirmed: bool,
}

/// Questions that wait for an answer, and sessions.
pub struct Sessions {
    names: Vec<String>,
    waiting: Mutex<HashMap<String, (String, i64)>>,
    open: Mutex<HashMap<SessionId, Session>>,
}

impl Sessions {
    /// The sessions of a server with these names.
    pub fn new(names: Vec<String>) -> Self {
        Self { names, waiting: Mutex::new(HashMap::new()), open: Mutex::new(HashMap::new()) }
    }

    /// Gives out a question to somebody who means this server.
    pub fn challenge(&self, server: &str, now: Timestamp) -> Result<String, SignInError> {
        if server.len() > SERVER_BYTES_MAX || !self.names.iter().any(|name| name == server) {
            let server = server.chars().take(SERVER_BYTES_MAX).collect();
            return Err(SignInError::Server { server });
        }
        let mut random = [0u8; 32];
        getrandom::fill(&mut random).map_err(|_| SignInError::Random)?;
        let nonce = Nonce::from_bytes(random).to_string();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut waiting, now.unix_ms, |(_, until)| *until, |_| true)?;
        waiting.insert(nonce.clone(), (server.to_owned(), now.unix_ms + LOGIN_SKEW_MS_MAX));
        Ok(nonce)
    }

    /// Takes an answer and opens a session; the question is used up, whatever comes out.
    pub fn sign_in(
        &self,
        statement: &str,
        signature: &str,
        now: Timestamp,
    ) -> Result<(String, i64), SignInError> {
        let wrong = |error: &dyn std::fmt::Display| SignInError::Wrong { detail: error.to_string() };
        let said = LoginStatement::decode(statement.as_bytes()).map_err(|error| wrong(&error))?;
        let asked = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&said.nonce);
        let (server, until) = asked.ok_or(SignInError::NoQuestion)?;
        let nonce = nonce_of(&said.nonce).filter(|_| now.unix_ms < until).ok_or(SignInError::NoQuestion)?;
        let signature = Signature::parse_armored(signature).map_err(|error| wrong(&error))?;
        let challenge = LoginChallenge { server, nonce };
        let verified = check_login(&challenge, statement.as_bytes(), &signature, now);
        let verified = verified.map_err(|error| wrong(&error))?;
        let who = SignedIn { key: verified.key().clone(), person: verified.value().person };
        let mut random = [0u8; 32];
        getrandom::fill(&mut random).map_err(|_| SignInError::Random)?;
        let session = format!("{PREFIX}{}", hex(&random));
        let until = now.unix_ms + SESSION_MS;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut open, now.unix_ms, |session| session.until, |session| !session.is_confirmed)?;
        open.insert(id_of(&session), Session { who, until, is_confirmed: false });
        Ok((session, until))
    }

    /// Whose session it is, if it is one and has not ended.
    pub fn find(&self, session: &str, now: Timestamp) -> Option<(SessionId, SignedIn)> {
        let id = id_of(session);
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.get(&id).filter(|session| now.unix_ms < session.until)?;
        Some((id, found.who.clone()))
    }

    /// Notes that somebody has a right to something here. Their session ends when its time is over, and not
    /// because strangers sign in by the thousand.
    pub fn confirm(&self, session: &SessionId) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = open.get_mut(session) {
            found.is_confirmed = true;
        }
    }
}

fn id_of(session: &str) -> SessionId {
    SessionId(*blake3::hash(session.as_bytes()).as_bytes())
}

/// Drops what has ended, and then the oldest that may go; refuses when everything that is left is needed.
fn make_room<K: std::hash::Hash + Eq + Clone, V>(
    map: &mut HashMap<K, V>,
    now_ms: i64,
    until: impl Fn(&V) -> i64,
    may_go: impl Fn(&V) -> bool,
) -> Result<(), SignInError> {
    if map.len() >= WAITING_MAX {
        map.retain(|_, value| until(value) > now_ms);
    }
    if map.len() >= WAITING_MAX {
        let old = map.iter().filter(|(_, value)| may_go(value)).min_by_key(|(_, value)| until(value));
        let old = old.map(|(key, _)| key.clone()).ok_or(SignInError::Full)?;
        map.remove(&old);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::PersonId;
    use crate::object::signature::Namespace;
    use crate::trust::{LocalKey, Signer as _};

    const NOW: Timestamp = Timestamp::utc(1_772_381_999_000);

    fn answer(server: &str, nonce: &str) -> (String, String) {
        let key = LocalKey::from_seed(&[5; 32]).expect("a key");
        let challenge = LoginChallenge { server: server.into(), nonce: nonce_of(nonce).expect("a nonce") };
        let statement = LoginStatement::answer(&challenge, PersonId::from_bytes([4; 16]), NOW).encode();
        let signature = key.sign(Namespace::Login, &statement).expect("a signature").armored();
        (String::from_utf8(statement).expect("text"), signature)
    }

    #[test]
    fn an_answer_opens_one_session_and_no_second() {
        let sessions = Sessions::new(vec!["studio.example".into()]);
        let nonce = sessions.challenge("studio.example", NOW).expect("a question");
        let (statement, signature) = answer("studio.example", &nonce);
        let (session, until) = sessions.sign_in(&statement, &signature, NOW).expect("a session");
        let (_, who) = sessions.find(&session, NOW).expect("somebody");
        assert_eq!(who.person, PersonId::from_bytes([4; 16]));
        assert_eq!(sessions.find(&session, Timestamp::utc(until)), None, "it has ended");
        assert_eq!(sessions.find("pents_0", NOW), None);
        assert_eq!(sessions.sign_in(&statement, &signature, NOW), Err(SignInError::NoQuestion), "again");
    }

    #[test]
    fn questions_end_and_belong_to_one_name() {
        let sessions = Sessions::new(vec!["studio.example".into(), "other.example".into()]);
        assert!(matches!(sessions.challenge("evil.example", NOW), Err(SignInError::Server { .. })));
        let nonce = sessions.challenge("studio.example", NOW).expect("a question");
        let (statement, signature) = answer("other.example", &nonce);
        assert!(matches!(sessions.sign_in(&statement, &signature, NOW), Err(SignInError::Wrong { .. })));
        let nonce = sessions.challenge("studio.example", NOW).expect("a question");
        let (statement, signature) = answer("studio.example", &nonce);
        let late = Timestamp::utc(NOW.unix_ms + LOGIN_SKEW_MS_MAX);
        assert_eq!(sessions.sign_in(&statement, &signature, late), Err(SignInError::NoQuestion));
    }

    #[test]
    fn questions_that_nobody_answers_cost_no_more_than_so_much_and_keep_nobody_out() {
        let sessions = Sessions::new(vec!["s".into()]);
        let first = sessions.challenge("s", NOW).expect("a question");
        for number in 0..WAITING_MAX as i64 {
            sessions.challenge("s", Timestamp::utc(NOW.unix_ms + 1 + number / 100)).expect("a question");
        }
        let waiting = sessions.waiting.lock().expect("a lock");
        assert!(waiting.len() == WAITING_MAX && !waiting.contains_key(&first), "the oldest makes room");
    }

    #[test]
    fn sessions_of_strangers_make_room_and_those_of_people_with_rights_do_not() {
        let sessions = Sessions::new(vec!["s".into()]);
        let key = LocalKey::from_seed(&[5; 32]).expect("a key");
        let who = SignedIn { key: key.public_key().clone(), person: PersonId::from_bytes([4; 16]) };
        let named = |number: usize| format!("pents_{number}");
        let mut open = sessions.open.lock().expect("a lock");
        for number in 0..WAITING_MAX {
            let until = NOW.unix_ms + SESSION_MS + number as i64;
            open.insert(id_of(&named(number)), Session { who: who.clone(), until, is_confirmed: false });
        }
        drop(open);
        sessions.confirm(&id_of(&named(0)));
        let nonce = sessions.challenge("s", NOW).expect("a question");
        let (statement, signature) = answer("s", &nonce);
        let (session, _) = sessions.sign_in(&statement, &signature, NOW).expect("there is room");
        assert!(sessions.find(&session, NOW).is_some() && sessions.find(&named(0), NOW).is_some());
        assert_eq!(sessions.find(&named(1), NOW), None, "the oldest of those who showed no right");
        let mut open = sessions.open.lock().expect("a lock");
        open.values_mut().for_each(|session| session.is_confirmed = true);
        drop(open);
        let nonce = sessions.challenge("s", NOW).expect("a question");
        let (statement, signature) = answer("s", &nonce);
        assert_eq!(sessions.sign_in(&statement, &signature, NOW), Err(SignInError::Full));
    }
}
