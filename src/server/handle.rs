//! One request: its route, its limits, who asks, its body, its answer.

use crate::app::serve::answer::{answer, as_sync};
use crate::app::serve::begin::begin_at;
use crate::server::admit::{Admitted, admit, hide, identify};
use crate::server::body::{Outgoing, Part, WAIT};
use crate::server::routes::{Act, Route};
use crate::server::sessions::SignInError;
use crate::server::shares::Pace;
use crate::server::state::{State, Who};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::http::CONTENT_TYPE;
use crate::sync::sign_in::{ChallengeAnswer, ChallengeRequest, SignInAnswer, SignInRequest, read_message};
use crate::sync::wire::fault::Fault;
use crate::sync::wire::frame::{self, FrameKind};
use crate::sync::wire::request::{Request as Asked, Verb, verb_of};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long nothing of a body may come, and how slow all of it may be, in bytes a second.
const BODY_SILENCE_MAX: Duration = Duration::from_secs(20);
const BODY_RATE_MIN: u64 = 16 << 10;
/// Bytes of a body from which on it is believed to be as long as it says.
const TRUSTED_BYTES: usize = 1 << 20;
/// How long a request waits for room before it is asked to come back.
const ROOM_TIME_MAX: Duration = Duration::from_secs(20);
/// How long a request waits for a thread; its client is told meanwhile that it waits.
const THREAD_TIME_MAX: Duration = Duration::from_secs(300);
/// Parts of an answer that wait for the client.
const PARTS_WAITING: usize = 4;

type Answer = Response<Outgoing>;

/// Why a request is not answered with what it asks for.
pub(super) struct Rejection {
    pub(super) status: StatusCode,
    pub(super) fault: Fault,
}

impl Rejection {
    pub(super) fn of(fault: Fault) -> Self {
        Self { status: Part::fault(&fault).status, fault }
    }

    pub(super) fn bad(status: StatusCode, what: &str, detail: &str) -> Self {
        Self { status, fault: Fault::TurnedDown { what: what.to_owned(), detail: detail.to_owned() } }
    }
}

/// Answers one request.
pub(super) async fn handle(
    request: Request<Incoming>,
    peer: IpAddr,
    state: Arc<State>,
) -> Result<Answer, Infallible> {
    let (parts, body) = request.into_parts();
    let mut body = Some(body);
    let outcome = match admit(&parts, peer, &state) {
        Ok((route, place)) => {
            let place = place.to_owned();
            go_on(&parts, route, place, &mut body, &state).await
        }
        Err(rejection) => Err(rejection),
    };
    Ok(match outcome {
        Ok(answer) => answer,
        Err(rejection) => {
            // A client that still sends would miss the answer.
            if let Some(body) = body {
                drain(body).await;
            }
            reject(&rejection)
        }
    })
}

fn reject(rejection: &Rejection) -> Answer {
    let part = Part::fault(&rejection.fault);
    let mut answer = framed(rejection.status, Outgoing::whole(part.bytes));
    let headers = answer.headers_mut();
    if rejection.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Fault::Busy { seconds } = rejection.fault {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

fn framed(status: StatusCode, body: Outgoing) -> Answer {
    with_type(status, body, CONTENT_TYPE)
}

fn with_type(status: StatusCode, body: Outgoing, content_type: &'static str) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

async fn go_on(
    parts: &hyper::http::request::Parts,
    route: &'static Route,
    place: String,
    body: &mut Option<Incoming>,
    state: &Arc<State>,
) -> Result<Answer, Rejection> {
    if route.act == Act::Health {
        return Ok(with_type(StatusCode::OK, Outgoing::whole("ok\n"), "text/plain"));
    }
    let length = body_length(parts, route.body_max)?;
    let Act::Repository(verb) = route.act else { return meet(route.act, body, length, state).await };
    // Who asks, and whether they may, is known before a byte of the body is read.
    let who = identify(parts, state)?;
    let at = place.clone();
    let look = move |state: &State| -> SyncResult<(Admitted, Who)> {
        Ok((Admitted::to(state, &who, &at, verb)?, who))
    };
    let (admitted, who) =
        briefly(state, look).await?.map_err(|error| refusal(state, (verb, &place), &error))?;
    let share = state.shares.of(&admitted.rights.name);
    let size = (length >> 20) as u32 + 1;
    let memory = share.room_for_body(&state.bodies, size, ROOM_TIME_MAX).await.ok_or_else(busy)?;
    let bytes = match body.take() {
        Some(body) => read(body, length).await?,
        None => Vec::new(),
    };
    let room = timeout(ROOM_TIME_MAX, state.requests.clone().acquire_owned()).await;
    let room = room.ok().and_then(Result::ok).ok_or_else(busy)?;
    let (sender, mut receiver) = mpsc::channel(PARTS_WAITING);
    let (state, runtime) = (state.clone(), Handle::current());
    tokio::spawn(async move {
        let Some(thread) = share.thread(&state.workers, THREAD_TIME_MAX).await else {
            let _ = sender.send(Part::fault(&Fault::Busy { seconds: 30 })).await;
            return;
        };
        tokio::task::spawn_blocking(move || {
            let _held = (memory, thread);
            let job = Job { state, place, verb, who, sender, runtime, pace: Mutex::default() };
            job.run(admitted, bytes);
        });
    });
    // An answer that is there soon has its status; one that takes long begins with a sign of life.
    let first = match timeout(WAIT, receiver.recv()).await {
        Ok(Some(part)) => part,
        Ok(None) => Part::fault(&Fault::Failed { detail: "the work on it broke off".to_owned() }),
        Err(_) => Part::frame(FrameKind::Wait, &[]),
    };
    Ok(framed(first.status, Outgoing::stream(first.bytes, receiver, room)))
}

fn busy() -> Rejection {
    Rejection::of(Fault::Busy { seconds: 5 })
}

/// Something short on a thread that nothing long ever takes.
async fn briefly<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&State) -> T + Send + 'static,
) -> Result<T, Rejection> {
    let thread = timeout(ROOM_TIME_MAX, state.brief.clone().acquire_owned()).await;
    let thread = thread.ok().and_then(Result::ok).ok_or_else(busy)?;
    let state = state.clone();
    let done = tokio::task::spawn_blocking(move || {
        let _thread = thread;
        work(&state)
    });
    done.await.map_err(|_| Rejection::of(Fault::Failed { detail: "the work on it broke off".to_owned() }))
}

/// Whoever signs in has room of their own: nobody who is in already can take it.
async fn meet(
    act: Act,
    body: &mut Option<Incoming>,
    length: usize,
    state: &Arc<State>,
) -> Result<Answer, Rejection> {
    let room = timeout(ROOM_TIME_MAX, state.sign_in_bodies.clone().acquire_owned()).await;
    let _room = room.ok().and_then(Result::ok).ok_or_else(busy)?;
    let bytes = match body.take() {
        Some(body) => read(body, length).await?,
        None => Vec::new(),
    };
    match act {
        Act::Challenge => challenge(state, &bytes),
        Act::SignIn => briefly(state, move |state| sign_in(state, &bytes)).await?,
        _ => Err(Rejection::of(Fault::Nothing)),
    }
}

/// What whoever asks is told of an error, and whoever runs the server.
fn refusal(state: &State, (verb, place): (Verb, &str), error: &SyncError) -> Rejection {
    let fault = Fault::of(error);
    if matches!(fault, Fault::Failed { .. }) {
        state.note(&format!("{} of {place} failed: {}", verb.word(), chain(error)));
    }
    Rejection::of(fault)
}

/// How long the body is going to be: said beforehand, and within the limit.
fn body_length(parts: &hyper::http::request::Parts, max: usize) -> Result<usize, Rejection> {
    if parts.headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "it is compressed a second time";
        return Err(Rejection::bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the request", detail));
    }
    let length =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match length {
        None => Err(Rejection::bad(StatusCode::LENGTH_REQUIRED, "the request", "it does not say its length")),
        Some(length) if length > max => {
            let detail = format!("it has {length} bytes, and at most {max} are taken");
            Err(Rejection::bad(StatusCode::PAYLOAD_TOO_LARGE, "the request", &detail))
        }
        Some(length) => Ok(length),
    }
}

async fn read(mut body: Incoming, length: usize) -> Result<Vec<u8>, Rejection> {
    let slow = || Rejection::bad(StatusCode::REQUEST_TIMEOUT, "the request", "it came too slowly");
    let broken = || Rejection::bad(StatusCode::BAD_REQUEST, "the request", "it was cut short");
    let until = Instant::now() + BODY_SILENCE_MAX + Duration::from_secs(length as u64 / BODY_RATE_MIN);
    let mut bytes = Vec::with_capacity(length.min(TRUSTED_BYTES));
    while bytes.len() < length {
        let left = until.saturating_duration_since(Instant::now()).min(BODY_SILENCE_MAX);
        match timeout(left, body.frame()).await {
            Err(_) => return Err(slow()),
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    if bytes.len() >= TRUSTED_BYTES {
                        bytes.reserve_exact(length - bytes.len());
                    }
                    bytes.extend_from_slice(&data);
                }
            }
            Ok(None | Some(Err(_))) => return Err(broken()),
        }
    }
    Ok(bytes)
}

/// Takes what a client still sends, within limits, and forgets it.
async fn drain(mut body: Incoming) {
    let most = frame::REQUEST_BYTES_MAX as u64 + 1024;
    if body.size_hint().exact().is_none_or(|length| length > most) {
        return;
    }
    let until = Instant::now() + BODY_SILENCE_MAX;
    while let Ok(Some(Ok(_))) = timeout(until.saturating_duration_since(Instant::now()), body.frame()).await {
    }
}

fn json<T: serde::Serialize>(value: &T) -> Answer {
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    with_type(StatusCode::OK, Outgoing::whole(bytes), "application/json")
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Rejection> {
    let wrong =
        |error: serde_json::Error| Rejection::bad(StatusCode::BAD_REQUEST, "the request", &error.to_string());
    read_message(bytes).map_err(wrong)
}

fn not_signed_in(error: &SignInError) -> Rejection {
    match error {
        SignInError::Full | SignInError::Random => Rejection::of(Fault::Busy { seconds: 30 }),
        _ => Rejection::of(Fault::SignIn { detail: error.to_string() }),
    }
}

fn challenge(state: &State, bytes: &[u8]) -> Result<Answer, Rejection> {
    let asked: ChallengeRequest = parse(bytes)?;
    let nonce = state.sessions.challenge(&asked.server, state.now());
    nonce.map(|nonce| json(&ChallengeAnswer { nonce })).map_err(|error| not_signed_in(&error))
}

fn sign_in(state: &State, bytes: &[u8]) -> Result<Answer, Rejection> {
    let asked: SignInRequest = parse(bytes)?;
    match state.sessions.sign_in(&asked.statement, &asked.signature, state.now()) {
        Ok((session, until_ms)) => Ok(json(&SignInAnswer { session, until_ms })),
        Err(error) => {
            state.note(&format!("somebody could not sign in: {error}"));
            Err(not_signed_in(&error))
        }
    }
}

/// The work on one request, on a thread of its own.
struct Job {
    state: Arc<State>,
    place: String,
    verb: Verb,
    who: Who,
    sender: mpsc::Sender<Part>,
    runtime: Handle,
    pace: Mutex<Pace>,
}

impl Job {
    fn run(&self, admitted: Admitted, bytes: Vec<u8>) {
        let last = match self.answer(admitted, bytes) {
            Ok(()) => Part::frame(FrameKind::End, &[]),
            // Nobody is there any more.
            Err(SyncError::Cancelled) => return,
            Err(error) => Part::fault(&refusal(&self.state, (self.verb, &self.place), &error).fault),
        };
        // Whoever is gone needs no end.
        let _ = self.send(last);
    }

    fn send(&self, part: Part) -> SyncResult<()> {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, bytes) = (Instant::now(), part.bytes.len());
        let sent = self.runtime.block_on(timeout(pace.patience(), self.sender.send(part)));
        pace.took(bytes, began.elapsed());
        drop(pace);
        if matches!(sent, Ok(Ok(()))) { Ok(()) } else { Err(SyncError::Cancelled) }
    }

    fn answer(&self, admitted: Admitted, bytes: Vec<u8>) -> SyncResult<()> {
        let request = self.decode(bytes)?;
        let state = &self.state;
        let (mut opened, rights) = admitted.now(state, &self.who, &self.place, self.verb)?;
        if let Asked::Begin { repository: id, chunker } = &request {
            let nothing = || SyncError::Invalid {
                what: "a name of a repository",
                detail: "letters, digits, '-', '_' and '.' make its parts".to_owned(),
            };
            let path = state.places.path(&self.place).ok_or_else(nothing)?;
            begin_at(&path, *id, *chunker).map_err(|error| hide(as_sync(error), &rights))?;
            opened = state.places.open(&self.place).map_err(as_sync)?;
        }
        let nothing = || SyncError::Nothing { address: "that place".to_owned() };
        let opened = opened.ok_or_else(nothing)?;
        let asked = (request, state.now());
        answer(&opened.repository, &rights, &opened.readers, asked, &mut |kind, payload| {
            self.send(Part::frame(kind, payload))
        })
    }

    fn decode(&self, bytes: Vec<u8>) -> SyncResult<Asked> {
        let wrong = |detail: String| SyncError::Invalid { what: "a request", detail };
        let (kind, request) = frame::only(&bytes).map_err(|error| wrong(error.to_string()))?;
        if kind != FrameKind::Request {
            return Err(wrong("it is not one frame".to_owned()));
        }
        // The permission is that of the path; what comes on it must be the same.
        if verb_of(request) != Some(self.verb) {
            return Err(wrong("it is about something else than its path".to_owned()));
        }
        Asked::take(bytes, frame::HEADER_BYTES).map_err(|error| wrong(error.to_string()))
    }
}

/// An error with its causes, for whoever runs the server.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}
