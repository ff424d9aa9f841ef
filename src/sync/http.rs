//! Remotes that are reached over HTTP.
//!
//! Every request is a `POST` that may be made again. What a server answers is frames; anything else comes
//! from somebody in between. Redirects are not followed: what was meant for one host goes to no other.

use crate::object::login::{LoginChallenge, Nonce};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::sign_in::{
    ChallengeAnswer, ChallengeRequest, Secret, SignIn, SignInAnswer, SignInRequest, read_message,
};
use crate::sync::wire::client::{Asked, Carrier, Taker, read_answer};
use crate::sync::wire::frame::{Frame, FrameKind};
use crate::sync::wire::request::Verb;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{BufReader, Read as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy, SendBody, http};

/// Content type of requests and answers.
pub const CONTENT_TYPE: &str = "application/x-pentimento";
/// What parts the name of a repository from what is asked of it, in the paths of addresses.
pub const API: &str = "-";
/// Where a session is asked for.
pub const CHALLENGE: &str = "challenge";
/// Where it is given.
pub const SIGN_IN: &str = "sign-in";
/// How often a request is made.
const ATTEMPTS: u32 = 5;
const CONNECT_TIME_MAX: Duration = Duration::from_secs(15);
/// How long nothing may come or go: a server that works says so every few seconds.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Longest answer that is no frames, in bytes.
const TEXT_BYTES_MAX: u64 = 64 << 10;

/// Where a server is and who asks.
pub struct HttpReach {
    /// The address without a `/` at its end, as a person would write it.
    pub address: String,
    /// Whether TLS is spoken.
    pub secure: bool,
    /// Host and port as they stand in the address.
    pub server: String,
    /// A token for this server.
    pub token: Option<Secret>,
    /// Who signs in when there is no token.
    pub sign_in: Option<Arc<dyn SignIn>>,
    /// The proxy to go through.
    pub proxy: Option<String>,
    /// How long nothing may come or go.
    pub patience: Duration,
}

/// Carries requests over HTTP.
pub struct HttpCarrier {
    reach: HttpReach,
    agent: Agent,
    session: Mutex<Option<Secret>>,
}

impl HttpCarrier {
    /// Carries requests to a server; asks nothing yet.
    pub fn new(reach: HttpReach) -> SyncResult<Self> {
        let no_way = |detail: String| SyncError::NoWay { address: reach.address.clone(), detail };
        let proxy = reach.proxy.as_deref().map(Proxy::new).transpose();
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .https_only(reach.secure)
            .proxy(proxy.map_err(|error| no_way(error.to_string()))?)
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_per_read(Some(reach.patience))
            .timeout_per_write(Some(reach.patience))
            .user_agent(concat!("pent/", env!("CARGO_PKG_VERSION")));
        if reach.secure {
            let roots = RootCerts::Specific(Arc::new(system_roots()));
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let tls = TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider);
            config = config.tls_config(tls.build());
        }
        let agent = config.build().new_agent();
        Ok(Self { reach, agent, session: Mutex::new(None) })
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/{API}/{rest}", self.reach.address)
    }

    fn post(
        &self,
        rest: &str,
        content_type: &str,
        credential: Option<&Secret>,
        (head, body): (&[u8], &[u8]),
    ) -> SyncResult<http::Response<Body>> {
        let mut request = self.agent.post(self.url(rest)).header("content-type", content_type);
        // What is sent is not copied once more to be one piece.
        request = request.header("content-length", (head.len() + body.len()).to_string());
        if let Some(credential) = credential {
            request = request.header("authorization", format!("Bearer {}", credential.reveal()));
        }
        let mut bytes = head.chain(body);
        request.send(SendBody::from_reader(&mut bytes)).map_err(|error| self.failed(&error))
    }

    /// What may pass is told apart from what will not.
    fn failed(&self, error: &ureq::Error) -> SyncError {
        let (address, detail) = (self.reach.address.clone(), error.to_string());
        let passes = match error {
            ureq::Error::Io(error) => error.kind() != std::io::ErrorKind::InvalidData,
            ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed | ureq::Error::Protocol(_) => true,
            _ => false,
        };
        if passes { SyncError::Unreachable { address, detail } } else { SyncError::NoWay { address, detail } }
    }

    /// An answer that is not from a server of ours.
    fn foreign(&self, status: http::StatusCode) -> SyncError {
        let address = self.reach.address.clone();
        match status.as_u16() {
            300..=399 => SyncError::NoWay {
                address,
                detail: "it leads to another address, and is not followed there; use that address".to_owned(),
            },
            408 | 429 | 502 | 503 | 504 => {
                SyncError::Unreachable { address, detail: format!("something in between says {status}") }
            }
            500..=599 => SyncError::Unreachable { address, detail: format!("it says {status}") },
            _ => SyncError::NotPent { address, detail: format!("it says {status}") },
        }
    }

    fn json<Q: Serialize, A: DeserializeOwned>(&self, rest: &str, question: &Q) -> SyncResult<A> {
        let invalid = |detail: String| SyncError::Invalid { what: "an answer", detail };
        let body = serde_json::to_vec(question).map_err(|error| invalid(error.to_string()))?;
        let mut response = self.post(rest, "application/json", None, (&body, &[]))?;
        if is_frames(&response) {
            return Err(match self.read_frames(response, &mut |_| Ok(()))? {
                Some(told) => told,
                None => invalid("it answers another question".to_owned()),
            });
        }
        if !response.status().is_success() {
            return Err(self.foreign(response.status()));
        }
        let text = response.body_mut().with_config().limit(TEXT_BYTES_MAX).read_to_string();
        let text = text.map_err(|error| self.failed(&error))?;
        read_message(text.as_bytes()).map_err(|error| invalid(error.to_string()))
    }

    fn read_frames(
        &self,
        response: http::Response<Body>,
        take: &mut Taker<'_>,
    ) -> SyncResult<Option<SyncError>> {
        let mut reader = BufReader::with_capacity(1 << 16, response.into_body().into_reader());
        read_answer(&mut reader, &self.reach.address, take)
    }

    /// Signs in, unless somebody else has done so since `used` was taken.
    fn sign_in(&self, used: Option<&Secret>, told: SyncError) -> SyncResult<Secret> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        match session.as_ref() {
            Some(fresh) if Some(fresh) != used => return Ok(fresh.clone()),
            _ => {}
        }
        let Some(person) = &self.reach.sign_in else { return Err(told) };
        let server = self.reach.server.clone();
        let asked: ChallengeAnswer = self.json(CHALLENGE, &ChallengeRequest { server: server.clone() })?;
        let nonce = nonce_of(&asked.nonce)
            .ok_or_else(|| SyncError::Invalid { what: "a question", detail: "it has no nonce".to_owned() })?;
        let answer = person.answer(&LoginChallenge { server, nonce })?;
        let statement = String::from_utf8_lossy(&answer.statement).into_owned();
        let given: SignInAnswer =
            self.json(SIGN_IN, &SignInRequest { statement, signature: answer.signature })?;
        let fresh = Secret::new(given.session);
        *session = Some(fresh.clone());
        Ok(fresh)
    }

    fn ask_once(
        &self,
        verb: Verb,
        request: Asked<'_>,
        credential: Option<&Secret>,
        take: &mut Taker<'_>,
    ) -> SyncResult<Option<SyncError>> {
        let head = [&Frame::header(FrameKind::Request, request.length()), request.head].concat();
        let rest = format!("v1/{}", verb.word());
        let response = self.post(&rest, CONTENT_TYPE, credential, (&head, request.rest))?;
        if is_frames(&response) {
            self.read_frames(response, take)
        } else {
            Err(self.foreign(response.status()))
        }
    }
}

fn is_frames(response: &http::Response<Body>) -> bool {
    response.headers().get("content-type").is_some_and(|found| found.as_bytes() == CONTENT_TYPE.as_bytes())
}

/// 32 bytes from their hexadecimal form.
pub fn nonce_of(text: &str) -> Option<Nonce> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Nonce::from_bytes(bytes))
}

/// The authorities that this system believes; those that cannot be read vouch for nobody.
fn system_roots() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs().certs;
    found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
}

impl Carrier for HttpCarrier {
    fn address(&self) -> &str {
        &self.reach.address
    }

    fn attempts(&self) -> u32 {
        ATTEMPTS
    }

    fn ask(&self, verb: Verb, request: Asked<'_>, take: &mut Taker<'_>) -> SyncResult<()> {
        let session = || self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let used = self.reach.token.clone().or_else(session);
        match self.ask_once(verb, request, used.as_ref(), take)? {
            None => Ok(()),
            Some(told @ SyncError::SignIn { .. }) if self.reach.token.is_none() => {
                let fresh = self.sign_in(used.as_ref(), told)?;
                self.ask_once(verb, request, Some(&fresh), take)?.map_or(Ok(()), Err)
            }
            Some(told) => Err(told),
        }
    }
}
