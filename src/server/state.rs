//! What all requests share.

use crate::app::error::AppError;
use crate::app::serve::places::Places;
use crate::app::serve::rights::{self, Rights, SignedIn};
use crate::app::serve::tokens::{Token, Tokens};
use crate::base::time::{Clock, Timestamp};
use crate::repo::Repository;
use crate::server::rate::{Limiter, Rate};
use crate::server::sessions::{SessionId, Sessions};
use crate::server::shares::Shares;
use crate::server::{BRIEF, WORKERS};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Megabytes of bodies that may lie in memory at a time.
const BODIES_MB: usize = 320;
/// Bodies of those who sign in that may lie in memory at a time: 16 KiB each.
const SIGN_IN_BODIES: usize = 256;
/// Requests that are worked on or wait for a thread at a time.
const REQUESTS_MAX: usize = 256;
/// What one address may ask for.
const RATE: Rate = Rate { burst: 2_000.0, each_second: 200.0 };
/// How often one address may try to sign in.
const SIGN_IN_RATE: Rate = Rate { burst: 60.0, each_second: 1.0 };

/// What all requests share.
pub(super) struct State {
    pub places: Places,
    pub tokens: Tokens,
    pub names: Vec<String>,
    pub sessions: Sessions,
    pub rate: Limiter,
    pub sign_in_rate: Limiter,
    pub bodies: Arc<Semaphore>,
    pub sign_in_bodies: Arc<Semaphore>,
    pub workers: Arc<Semaphore>,
    pub brief: Arc<Semaphore>,
    pub shares: Shares,
    pub requests: Arc<Semaphore>,
    pub behind_proxy: bool,
    pub pending_max: Option<u64>,
    clock: Arc<dyn Clock>,
    log: Arc<dyn Fn(&str) + Send + Sync>,
}

/// Who asks.
pub(super) enum Who {
    /// Somebody who signed in with a key.
    Person {
        /// Who.
        person: SignedIn,
        /// Their session.
        session: SessionId,
    },
    /// A machine with a token.
    Machine(Token),
}

impl State {
    pub(super) fn new(
        places: Places,
        tokens: Tokens,
        names: Vec<String>,
        (behind_proxy, pending_max): (bool, Option<u64>),
        clock: Arc<dyn Clock>,
        log: Arc<dyn Fn(&str) + Send + Sync>,
    ) -> Self {
        Self {
            places,
            tokens,
            sessions: Sessions::new(names.clone()),
            names,
            rate: Limiter::new(RATE),
            sign_in_rate: Limiter::new(SIGN_IN_RATE),
            bodies: Arc::new(Semaphore::new(BODIES_MB)),
            sign_in_bodies: Arc::new(Semaphore::new(SIGN_IN_BODIES)),
            workers: Arc::new(Semaphore::new(WORKERS)),
            brief: Arc::new(Semaphore::new(BRIEF)),
            shares: Shares::default(),
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            behind_proxy,
            pending_max,
            clock,
            log,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Notes something that went wrong; never with a secret in it.
    pub(super) fn note(&self, line: &str) {
        (self.log)(&crate::base::escape::terminal(line.as_bytes()));
    }

    /// Who sent this in the header of a request.
    pub(super) fn who(&self, authorization: &str) -> Option<Who> {
        let credential = authorization.strip_prefix("Bearer ")?;
        let now = self.now();
        match self.sessions.find(credential, now) {
            Some((session, person)) => Some(Who::Person { person, session }),
            None => self.tokens.find(credential, now.unix_ms).map(Who::Machine),
        }
    }

    /// What somebody may do with a repository, or where none is yet.
    pub(super) fn rights(
        &self,
        who: &Who,
        place: &str,
        repository: Option<&Repository>,
    ) -> Result<Rights, AppError> {
        let now = self.now();
        let rights = match (who, repository) {
            (Who::Person { person, .. }, Some(repository)) => {
                rights::of_person(repository, person, &self.places.people(), now)
            }
            (Who::Person { person, .. }, None) => Ok(rights::of_listed(person, &self.places.people())),
            (Who::Machine(token), Some(repository)) => rights::of_token(repository, token, place, now),
            (Who::Machine(token), None) => Ok(rights::of_token_alone(token, place)),
        };
        Ok(Rights { pending_max: self.pending_max, ..rights? })
    }
}
