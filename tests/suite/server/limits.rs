//! What a server does not put up with.

use super::kit::{PLACE, framed, raw, request};
use crate::remote_contract::http::TestServer;
use pentimento::base::id::PackId;
use pentimento::sync::SyncError;
use pentimento::sync::remote::{Kind, ObjectKey, Parcel, ParcelKind, ParcelRecord, Remote as _};
use pentimento::sync::wire::request::{KEYS_MAX, Request, WireKey};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn describe_path() -> String {
    format!("/{PLACE}/-/v1/describe")
}

#[test]
fn what_is_too_long_too_odd_or_for_somebody_else_is_refused_and_said() {
    let server = TestServer::start();
    let token = server.begin(PLACE);
    let describe = framed(&Request::Describe.encode());
    let good = request(&server, "POST", &describe_path(), Some(&token), &describe);
    assert_eq!(raw(&server, &good).0, 200);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let head = text(&good[..good.len() - describe.len()]);
    let with = |from: &str, to: &str| [head.replace(from, to).as_bytes(), &describe].concat();
    for (what, bytes, status) in [
        ("another host", with(&format!("host: {}", server.address), "host: evil.example"), 421),
        ("no host", with(&format!("host: {}\r\n", server.address), ""), 421),
        ("no length", with("content-length: 7\r\n", ""), 411),
        ("a length that is none", with("content-length: 7", "content-length: -7"), 400),
        ("two lengths", with("content-length: 7", "content-length: 7\r\ncontent-length: 8"), 400),
        ("a question mark", with("/describe", "/describe?token=x"), 400),
        ("another method", with("POST", "GET"), 405),
        ("another path", with("/v1/", "/v9/"), 404),
        ("compressed twice", with("content-length", "content-encoding: gzip\r\ncontent-length"), 415),
        ("a long path", with("/describe", &format!("/{}", "x".repeat(20_000))), 431),
        ("many headers", with("connection", &format!("{}connection", "x-a: b\r\n".repeat(200))), 431),
        ("too long a body", with("content-length: 7", "content-length: 70000000"), 413),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01".to_vec(), 400),
    ] {
        let (found, answer) = raw(&server, &bytes);
        assert_eq!(found, status, "{what}: {}", text(&answer));
    }
    for (what, body) in [
        ("no frame", b"hello!!".to_vec()),
        ("two frames", [describe.clone(), describe.clone()].concat()),
        ("another request than the path's", framed(&Request::Holds { parcels: vec![] }.encode())),
        ("bytes after the end", framed(&[1, 1, 0])),
        ("an unknown version", framed(&[9, 1])),
        ("a frame that is cut short", describe[..5].to_vec()),
    ] {
        let (found, answer) = raw(&server, &request(&server, "POST", &describe_path(), Some(&token), &body));
        assert_eq!(found, 422, "{what}: {}", text(&answer));
    }
}

#[test]
fn batches_that_are_too_large_are_refused_whole() {
    let server = TestServer::start();
    let token = server.begin(PLACE);
    let key = WireKey { kind: 1, id: [0; 32] };
    let body = framed(&Request::Have { keys: vec![key; KEYS_MAX + 1] }.encode());
    let path = format!("/{PLACE}/-/v1/have");
    let status = raw(&server, &request(&server, "POST", &path, Some(&token), &body)).0;
    assert!(matches!(status, 413 | 422), "{status}");
    let most = framed(&Request::Have { keys: vec![key; KEYS_MAX] }.encode());
    assert_eq!(raw(&server, &request(&server, "POST", &path, Some(&token), &most)).0, 200);
}

#[test]
fn parcels_that_lie_or_burst_are_not_taken() {
    let server = TestServer::start();
    let remote = server.with_token(PLACE, &server.begin(PLACE));
    let put = |kind, bytes: Vec<u8>| {
        let id = PackId::from_bytes([5; 16]);
        let record = ParcelRecord { id, kind, length: bytes.len() as u64, entries: vec![] };
        remote.put(&Parcel { record, bytes })
    };
    // A frame of a bundle that unpacks to more than it says.
    let packed = zstd::bulk::compress(&vec![0u8; 50 << 20], 19).expect("packed zeros");
    let mut bomb = b"PENTBNDL\x01\0\0\0\0\0\0\0PFRM".to_vec();
    bomb.extend_from_slice(&(packed.len() as u32).to_le_bytes());
    bomb.extend_from_slice(&1000u32.to_le_bytes());
    bomb.extend_from_slice(&blake3::hash(&packed).as_bytes()[..8]);
    bomb.extend_from_slice(&packed);
    for (kind, bytes) in [
        (ParcelKind::Bundle, bomb),
        (ParcelKind::Bundle, b"PENTBNDL".to_vec()),
        (ParcelKind::Pack, vec![0; 5000]),
        (ParcelKind::Pack, Vec::new()),
    ] {
        let outcome = put(kind, bytes);
        assert!(
            matches!(outcome, Err(SyncError::TurnedDown { .. } | SyncError::Failed { .. })),
            "{outcome:?}"
        );
    }
    assert!(put(ParcelKind::Pack, vec![0; 34 << 20]).is_err());
    assert_eq!(remote.holds(&[(PackId::from_bytes([5; 16]), ParcelKind::Bundle)]).expect("answers"), [false]);
    let key = ObjectKey::new(Kind::Commit, [1; 32]);
    assert_eq!(remote.have(&[key]).expect("it answers still"), [false]);
}

#[test]
fn whoever_sends_slowly_holds_nobody_up_and_is_let_go() {
    let server = TestServer::start();
    let token = server.begin(PLACE);
    // A head that never ends, on many connections.
    let mut slow: Vec<TcpStream> =
        (0..60).map(|_| TcpStream::connect(server.address).expect("a connection")).collect();
    for stream in &mut slow {
        stream.write_all(b"POST /x HTTP/1.1\r\nhost: a\r\nx-a: ").expect("sent");
    }
    let began = Instant::now();
    let remote = server.with_token(PLACE, &token);
    remote.describe().expect("others are served");
    // A body that never comes, of somebody who may send one.
    let mut body = TcpStream::connect(server.address).expect("a connection");
    let head = request(&server, "POST", &format!("/{PLACE}/-/v1/put"), Some(&token), &vec![0; 1 << 20]);
    body.write_all(&head[..head.len() - (1 << 20) + 10]).expect("sent");
    body.set_read_timeout(Some(Duration::from_secs(50))).expect("a timeout");
    let mut answer = Vec::new();
    let _ = body.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    for stream in &mut slow {
        stream.set_read_timeout(Some(Duration::from_secs(50))).expect("a timeout");
        // It ends, with a word or without one.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(began.elapsed() < Duration::from_secs(100));
    remote.describe().expect("it serves still");
}

#[test]
fn a_server_that_is_told_to_stop_finishes_what_was_begun() {
    let mut server = TestServer::start();
    let token = server.begin(PLACE);
    let body = framed(&Request::Describe.encode());
    let bytes = request(&server, "POST", &describe_path(), Some(&token), &body);
    let mut begun = TcpStream::connect(server.address).expect("a connection");
    begun.write_all(&bytes[..bytes.len() - 3]).expect("sent");
    std::thread::sleep(Duration::from_millis(300));
    let address = server.address;
    let finisher = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        begun.write_all(&bytes[bytes.len() - 3..]).expect("sent");
        let mut answer = Vec::new();
        begun.read_to_end(&mut answer).expect("an answer");
        answer
    });
    server.stop();
    let answer = finisher.join().expect("a thread");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}
