//! What a server does not put up with.

use super::kit::{PLACE, framed, raw, request};
use crate::app_flow::{Lab, noise};
use crate::remote_contract::http::TestServer;
use crate::remote_contract::push_to;
use pentimento::base::id::PackId;
use pentimento::rules::access::Permission;
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
        let record = ParcelRecord { id, kind, length: bytes.len() as u64, entries: vec![].into() };
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
fn what_is_sent_and_not_published_has_a_limit_for_each_caller() {
    let server = TestServer::start_with(&|options| options.pending_max = Some(2_000_000));
    let first = server.with_token(PLACE, &server.begin(PLACE));
    let lab = Lab::new();
    // Twice what one may have waiting is no matter as long as it is published in between.
    for round in 0..3 {
        lab.write("film.bin", noise(round, 1_200_000));
        lab.commit("on");
        push_to(&lab, &first, "main").expect("a push");
    }
    lab.write("film.bin", noise(9, 5_000_000));
    lab.commit("too much at a time");
    let refused = push_to(&lab, &first, "main").expect_err("a limit");
    assert!(
        matches!(&refused, SyncError::NoRoom { detail } if detail.contains("not published")),
        "{refused:?}"
    );
    // Others have their own.
    let may = [Permission::Read, Permission::Push];
    let second = server.with_token(PLACE, &server.token(PLACE, &may, None));
    let other = Lab::new();
    other.write("small.bin", noise(20, 1_000_000));
    other.commit("mine");
    push_to(&other, &second, "draft/mine").expect("a push");
}

/// A parcel of bytes that are what they say.
fn parcel(kind: ParcelKind, id: PackId, bytes: Vec<u8>) -> Parcel {
    let record = ParcelRecord { id, kind, length: bytes.len() as u64, entries: vec![].into() };
    Parcel { record, bytes }
}

/// A bundle of one object of a kind that nobody knows, all zeros.
fn zeros(length: usize) -> Parcel {
    let mut object = vec![250];
    let mut left = length;
    while left >= 0x80 {
        object.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    object.push(left as u8);
    object.resize(object.len() + length, 0);
    let packed = zstd::bulk::compress(&object, 3).expect("packed zeros");
    let mut bytes = b"PENTBNDL\x01\0\0\0\0\0\0\0PFRM".to_vec();
    bytes.extend_from_slice(&(packed.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(object.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&blake3::hash(&packed).as_bytes()[..8]);
    bytes.extend_from_slice(&packed);
    parcel(ParcelKind::Bundle, PackId::from_bytes([6; 16]), bytes)
}

/// A pack with chunks that nothing refers to.
fn junk(seed: u64) -> Parcel {
    let mut builder = pentimento::store::parcel::PackBuilder::new(1 << 20);
    for chunk in noise(seed, 1_000_000).chunks(100_000) {
        builder.push_chunk(pentimento::base::id::ChunkId::of(chunk), chunk);
    }
    let pack = builder.finish(&[seed as u8; 16]);
    parcel(ParcelKind::Pack, pack.id, pack.bytes)
}

#[test]
fn what_nothing_needs_counts_on_and_a_bundle_counts_as_what_it_unpacks_to() {
    let server = TestServer::start_with(&|options| options.pending_max = Some(2_500_000));
    let remote = server.with_token(PLACE, &server.begin(PLACE));
    let bomb = zeros(3_000_000);
    assert!(bomb.bytes.len() < 10_000, "{} bytes", bomb.bytes.len());
    let refused = remote.put(&bomb).expect_err("it unpacks to more than may wait");
    assert!(matches!(refused, SyncError::NoRoom { .. }), "{refused}");
    for round in 0..2 {
        let pack = junk(50 + round);
        remote.put(&pack).expect("there is room");
        let epoch = remote.describe().expect("a description").epoch;
        // Published, and nothing leads to it.
        let (parcels, changes, logs) = (vec![pack.record], Vec::new(), Vec::new());
        let token = crate::remote_contract::token();
        let proposal = pentimento::sync::remote::Proposal { epoch, token, parcels, changes, logs };
        remote.publish(&proposal).expect("nothing moves");
    }
    let refused = remote.put(&junk(60)).expect_err("what nothing needs was not forgotten");
    assert!(matches!(refused, SyncError::NoRoom { .. }), "{refused}");
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

/// Connections on which a request was begun whose body never comes.
fn stuck(server: &TestServer, credential: &str, count: usize) -> Vec<TcpStream> {
    let path = format!("/{PLACE}/-/v1/put");
    let head = request(server, "POST", &path, Some(credential), &[]);
    let head =
        String::from_utf8(head).expect("text").replace("content-length: 0", "content-length: 34000000");
    let begin = |_| {
        let mut stream = TcpStream::connect(server.address).expect("a connection");
        stream.write_all(head.as_bytes()).expect("sent");
        stream
    };
    (0..count).map(begin).collect()
}

#[test]
fn bodies_of_strangers_and_of_one_caller_keep_nobody_else_out() {
    let server = TestServer::start();
    let honest = server.with_token(PLACE, &server.begin(PLACE));
    let stranger = super::routes::session(&server, crate::trust_kit::STRANGER);
    let other = server.token(PLACE, &[Permission::Push], None);
    // Twelve of these are more than all bodies together may take.
    let _strangers = stuck(&server, &stranger, 14);
    let _others = stuck(&server, &other, 14);
    std::thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    honest.describe().expect("it is served");
    let lab = Lab::new();
    lab.write("a.bin", noise(40, 3_000_000));
    lab.commit("mine");
    push_to(&lab, &honest, "main").expect("a push");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn whoever_reads_slowly_holds_nobody_else_up() {
    let server = TestServer::start();
    let token = server.begin(PLACE);
    let lab = Lab::new();
    lab.write("film.bin", noise(41, 12_000_000));
    lab.commit("a film");
    push_to(&lab, &server.with_token(PLACE, &token), "main").expect("a push");
    let view = lab.repository.view().expect("a view");
    let file = pentimento::base::id::FileId::of(&noise(41, 12_000_000));
    let manifest = view.manifest(file).expect("readable").expect("a manifest");
    let spans = pentimento::object::manifest_read::ChunkCursor::new(&manifest, &view);
    let ids = spans.map(|span| span.expect("a span").id).collect();
    let body = framed(&Request::Chunks { files: Vec::new(), ids }.encode());
    let reader = server.token(PLACE, &[Permission::Read], None);
    let bytes = request(&server, "POST", &format!("/{PLACE}/-/v1/chunks"), Some(&reader), &body);
    let ask = |_| {
        let mut stream = TcpStream::connect(server.address).expect("a connection");
        stream.write_all(&bytes).expect("sent");
        stream
    };
    // More than there are threads, and nothing of the answers is read.
    let slow: Vec<TcpStream> = (0..48).map(ask).collect();
    std::thread::sleep(Duration::from_secs(2));
    let began = Instant::now();
    server.with_token(PLACE, &token).describe().expect("others are served");
    let _session = super::routes::session(&server, crate::trust_kit::ANNA);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    drop(slow);
}

/// Asks for a question to sign in with, as a proxy hands it on for somebody.
fn challenge_for(server: &TestServer, forwarded: &str) -> u16 {
    let asked = format!("{{\"server\":\"{}\"}}", server.address);
    let bytes = request(server, "POST", &format!("/{PLACE}/-/challenge"), None, asked.as_bytes());
    let text = String::from_utf8(bytes).expect("text");
    let lines: String = forwarded.split('|').map(|line| format!("x-forwarded-for: {line}\r\n")).collect();
    let text = text.replacen("connection: close", &format!("{lines}connection: close"), 1);
    raw(server, text.as_bytes()).0
}

#[test]
fn behind_a_proxy_each_client_has_its_own_limit_and_nobody_can_take_anothers() {
    let server = TestServer::start_with(&|options| options.behind_proxy = true);
    // What the client says of itself stands before what the proxy adds, and does not count.
    let statuses: Vec<u16> =
        (0..80).map(|number| challenge_for(&server, &format!("10.0.0.{number}, 192.0.2.7"))).collect();
    assert_eq!(statuses[..50], [200; 50]);
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(challenge_for(&server, "192.0.2.7, 192.0.2.8"), 200, "another client is served");
    // Some proxies add a line of their own below those of the client.
    let statuses: Vec<u16> =
        (0..80).map(|number| challenge_for(&server, &format!("10.1.0.{number}|192.0.2.9"))).collect();
    assert_eq!(statuses[..50], [200; 50]);
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(challenge_for(&server, "192.0.2.9|unknown"), 400, "nobody else's limit is used up");
    // Without a proxy in front the header is anybody's word.
    let open = TestServer::start();
    let statuses: Vec<u16> =
        (0..80).map(|number| challenge_for(&open, &format!("192.0.2.{number}"))).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
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
