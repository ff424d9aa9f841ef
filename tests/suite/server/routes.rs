//! Every route as every kind of caller.

use super::kit::{PLACE, framed, move_in, raw, request, signs};
use crate::remote_contract::http::TestServer;
use crate::review_kit::House;
use crate::trust_kit::{ANNA, BEN, CLEO, DORA, STRANGER, somebody};
use pentimento::base::id::{ChunkId, PackId, RepositoryId};
use pentimento::object::chunker::ChunkerParameters;
use pentimento::rules::access::Permission;
use pentimento::server::routes::{Act, Needs, ROUTES, Route};
use pentimento::sync::remote::{HistoryWants, ParcelKind, Proposal};
use pentimento::sync::sign_in::{ChallengeAnswer, SignIn as _, SignInAnswer};
use pentimento::sync::wire::request::{Request, Verb};
use pentimento::trust::Signer as _;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// Ben and Cleo push, Dora reads, Anna administers and reads.
const RULES: &str = "[[protect]]\nbranch = \"main\"\napprovals = [\"1 editor\"]\n\n[access]\nread = [\"editor\", \"designer\", \"administrator\"]\npush = [\"editor\"]\n";

struct Caller {
    what: &'static str,
    credential: Option<String>,
    may: BTreeSet<Permission>,
    is_known: bool,
}

fn caller(what: &'static str, credential: Option<String>, may: &[Permission]) -> Caller {
    let is_known = credential.is_some();
    Caller { what, credential, may: may.iter().copied().collect(), is_known }
}

/// Signs in by hand and gives the session.
pub fn session(server: &TestServer, number: u8) -> String {
    let asked = format!("{{\"server\":\"{}\"}}", server.address);
    let path = format!("/{PLACE}/-/challenge");
    let (status, answer) = raw(server, &request(server, "POST", &path, None, asked.as_bytes()));
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let given: ChallengeAnswer = json(&answer);
    let nonce = pentimento::sync::http::nonce_of(&given.nonce).expect("a nonce");
    let challenge = pentimento::object::login::LoginChallenge { server: server.address.to_string(), nonce };
    let answer = signs(server, number).answer(&challenge).expect("an answer");
    let statement = String::from_utf8(answer.statement).expect("text");
    let body = serde_json::json!({ "statement": statement, "signature": answer.signature }).to_string();
    let path = format!("/{PLACE}/-/sign-in");
    let (status, answer) = raw(server, &request(server, "POST", &path, None, body.as_bytes()));
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    json::<SignInAnswer>(&answer).session
}

fn json<T: serde::de::DeserializeOwned>(answer: &[u8]) -> T {
    let at = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("a head") + 4;
    serde_json::from_slice(&answer[at..]).expect("JSON")
}

fn callers(server: &TestServer) -> Vec<Caller> {
    use Permission::{Administer, Begin, Lock, Push, Read};
    let token = |may: &[Permission], works_for| server.token(PLACE, may, works_for);
    // What counted once, to the day.
    let (old_token, old_session) = (token(&[Read, Push, Begin], None), session(server, BEN));
    server.clock.0.fetch_add(31 * 86_400_000, Ordering::Relaxed);
    let revoked = token(&[Read, Push], None);
    let id = revoked.split('_').nth(1).expect("an id");
    server.tokens().revoke(id, &*server.clock).expect("revoked");
    let elsewhere = server.token("another", &[Read, Push, Begin], None);
    let mut other_secret = token(&[Read, Push], None);
    let last = if other_secret.pop() == Some('0') { '1' } else { '0' };
    other_secret.push(last);
    // The policy counts for people of the list too: this one is no member.
    server.list_people(&[somebody(STRANGER).key.public_key().to_openssh()]);
    let bad = |text: String| Caller { is_known: false, ..caller("", Some(text), &[]) };
    vec![
        caller("nobody", None, &[]),
        Caller { what: "a made-up token", ..bad("pent_0011223344556677_00".into()) },
        Caller { what: "a made-up session", ..bad("pents_00".into()) },
        Caller { what: "a revoked token", ..bad(revoked) },
        Caller { what: "a token with another secret", ..bad(other_secret) },
        Caller { what: "a token that has ended", ..bad(old_token) },
        Caller { what: "a session that has ended", ..bad(old_session) },
        Caller { what: "half a token", ..bad(token(&[Read, Push], None)[..30].to_owned()) },
        Caller { what: "two credentials in one", ..bad(format!("{0} {0}", token(&[Read, Push], None))) },
        Caller { what: "no word at all", ..bad(String::new()) },
        caller("a token for another repository", Some(elsewhere), &[]),
        caller("a token that reads", Some(token(&[Read], None)), &[Read]),
        caller("a token that pushes only", Some(token(&[Push], None)), &[Push]),
        caller("a token that begins", Some(token(&[Begin], None)), &[Begin]),
        caller("a token that begins and reads", Some(token(&[Begin, Read], None)), &[Begin, Read]),
        caller("a token that works for Dora", Some(token(&[Read, Push], Some("dora"))), &[Read]),
        caller("a token that works for nobody there is", Some(token(&[Read], Some("mallory"))), &[]),
        caller("Ben, an editor", Some(session(server, BEN)), &[Read, Push, Lock]),
        caller("Cleo, an editor", Some(session(server, CLEO)), &[Read, Push, Lock]),
        caller("Dora, a designer", Some(session(server, DORA)), &[Read, Lock]),
        caller("Anna, an administrator", Some(session(server, ANNA)), &[Read, Lock, Administer]),
        caller("a stranger who signed in", Some(session(server, STRANGER)), &[]),
    ]
}

/// A well-formed request of each kind that would change nothing.
fn body_of(verb: Verb) -> Vec<u8> {
    let request = match verb {
        Verb::Describe => Request::Describe,
        Verb::Have => Request::Have { keys: vec![] },
        Verb::History => Request::History { wants: HistoryWants::default() },
        Verb::Objects => Request::Objects { keys: vec![] },
        Verb::Chunks => Request::Chunks { files: vec![], ids: vec![ChunkId::of(b"x")] },
        Verb::Put => {
            Request::Put { kind: ParcelKind::Bundle, id: PackId::from_bytes([1; 16]), bytes: vec![1] }
        }
        Verb::Holds => Request::Holds { parcels: vec![] },
        Verb::Publish => {
            let proposal =
                Proposal { epoch: 99, token: [0; 16], parcels: vec![], changes: vec![], logs: vec![] };
            Request::Publish { proposal }
        }
        Verb::Begin => Request::Begin {
            repository: RepositoryId::from_bytes([9; 16]),
            chunker: ChunkerParameters::default(),
        },
        Verb::Clock => Request::Clock,
        Verb::Keep => Request::Keep { clone: [9; 16], commits: vec![] },
    };
    framed(&request.encode())
}

fn status(server: &TestServer, route: &Route, place: &str, caller: &Caller) -> u16 {
    let body = match route.act {
        Act::Repository(verb) => body_of(verb),
        _ => Vec::new(),
    };
    let path = if route.rest.starts_with('/') {
        route.rest.to_owned()
    } else {
        format!("/{place}/-/{}", route.rest)
    };
    raw(server, &request(server, route.method, &path, caller.credential.as_deref(), &body)).0
}

#[test]
fn every_route_asks_every_caller_for_its_permission() {
    let server = TestServer::start();
    move_in(&server, House::with_policy(RULES));
    for caller in callers(&server) {
        for route in ROUTES {
            let status = status(&server, route, PLACE, &caller);
            let told = format!("{} as {}: {status}", route.rest, caller.what);
            match route.needs {
                // What needs nothing says what is wrong with an empty question, whoever asks.
                Needs::Nothing => assert!(matches!(status, 200 | 400), "{told}"),
                Needs::Permission(_) if !caller.is_known => assert_eq!(status, 401, "{told}"),
                // Of what is there already nothing is told to whoever may only begin.
                Needs::Permission(Permission::Begin)
                    if !caller.may.contains(&Permission::Read) && !caller.may.contains(&Permission::Push) =>
                {
                    assert_eq!(status, 403, "{told}");
                }
                Needs::Permission(permission) if caller.may.contains(&permission) => {
                    assert!(matches!(status, 200 | 409 | 422), "{told}");
                }
                Needs::Permission(_) => assert_eq!(status, 403, "{told}"),
            }
        }
        let lines = server.lines.lock().expect("a lock").join("\n");
        let secret = caller.credential.as_ref().and_then(|text| text.rsplit('_').next());
        assert!(
            secret.is_none_or(|secret| secret.len() < 9 || !lines.contains(secret)),
            "{}: {lines}",
            caller.what
        );
    }
}

#[test]
fn a_repository_that_is_not_there_looks_like_one_that_one_may_not_read() {
    let server = TestServer::start();
    move_in(&server, House::with_policy(RULES));
    let stranger = caller("a stranger", Some(session(&server, STRANGER)), &[]);
    for route in ROUTES.iter().filter(|route| matches!(route.needs, Needs::Permission(_))) {
        let there = status(&server, route, PLACE, &stranger);
        for place in [
            "nowhere",
            "clients",
            "clients/harbour/brand",
            "..",
            "%2e%2e",
            ".pent-server",
            "clients/harbour/.pent",
        ] {
            assert_eq!(status(&server, route, place, &stranger), there, "{} of {place}", route.rest);
        }
    }
}

#[test]
fn a_repository_without_a_policy_is_open_to_the_list_and_to_tokens_only() {
    let server = TestServer::start();
    let token = server.begin(PLACE);
    server.list_people(&["# people".into(), somebody(BEN).key.public_key().to_openssh(), "nonsense".into()]);
    let describe = ROUTES.iter().find(|route| route.act == Act::Repository(Verb::Describe)).expect("a route");
    let of = |credential: String| status(&server, describe, PLACE, &caller("", Some(credential), &[]));
    assert_eq!(of(token), 200);
    assert_eq!(of(session(&server, BEN)), 200);
    assert_eq!(of(session(&server, CLEO)), 403);
    assert_eq!(
        of(server.token(PLACE, &[Permission::Read], Some("ben"))),
        403,
        "there is no Ben without a policy"
    );
}

#[test]
fn what_ends_counts_no_longer() {
    let server = TestServer::start();
    move_in(&server, House::with_policy(RULES));
    let describe = ROUTES.iter().find(|route| route.act == Act::Repository(Verb::Describe)).expect("a route");
    let (token, session) = (server.token(PLACE, &[Permission::Read], None), session(&server, BEN));
    let of =
        |credential: &str| status(&server, describe, PLACE, &caller("", Some(credential.to_owned()), &[]));
    assert_eq!((of(&token), of(&session)), (200, 200));
    server.clock.0.fetch_add(3_600_000, Ordering::Relaxed);
    assert_eq!((of(&token), of(&session)), (200, 401));
    server.clock.0.fetch_add(31 * 86_400_000, Ordering::Relaxed);
    assert_eq!(of(&token), 401);
}

#[test]
fn an_answer_is_good_once_and_for_its_person_only() {
    let server = TestServer::start();
    move_in(&server, House::with_policy(RULES));
    let asked = format!("{{\"server\":\"{}\"}}", server.address);
    let path = format!("/{PLACE}/-/challenge");
    let (_, answer) = raw(&server, &request(&server, "POST", &path, None, asked.as_bytes()));
    let given: ChallengeAnswer = json(&answer);
    let nonce = pentimento::sync::http::nonce_of(&given.nonce).expect("a nonce");
    let challenge = pentimento::object::login::LoginChallenge { server: server.address.to_string(), nonce };
    // Dora signs, and says that she is Ben.
    let now = pentimento::base::time::Clock::now(&*server.clock);
    let statement =
        pentimento::object::login::LoginStatement::answer(&challenge, somebody(BEN).id, now).encode();
    let namespace = pentimento::object::signature::Namespace::Login;
    let signature = somebody(DORA).key.sign(namespace, &statement).expect("a signature").armored();
    let statement = String::from_utf8(statement).expect("text");
    let body = serde_json::json!({ "statement": statement, "signature": signature }).to_string();
    let path = format!("/{PLACE}/-/sign-in");
    let (first, answer) = raw(&server, &request(&server, "POST", &path, None, body.as_bytes()));
    assert_eq!(first, 200, "she holds the key that she signed with");
    let describe = ROUTES.iter().find(|route| route.act == Act::Repository(Verb::Describe)).expect("a route");
    let hers = caller("", Some(json::<SignInAnswer>(&answer).session), &[]);
    assert_eq!(status(&server, describe, PLACE, &hers), 403, "the policy knows that it is not Ben's");
    let (again, _) = raw(&server, &request(&server, "POST", &path, None, body.as_bytes()));
    assert_eq!(again, 401, "an answer is good once");
}
