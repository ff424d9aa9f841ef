//! Fuzz targets of every message between a client and a program at the other end.

use crate::base::fuzz::{Numbers, Target, Verdict, canonical, json_record};
use crate::base::id::{ChunkId, CommitId, FileId, PackId, RepositoryId};
use crate::object::chunker::ChunkerParameters;
use crate::repo::refs::{RefName, RefTarget};
use crate::rules::pattern::Pattern;
use crate::sync::entries::Entries;
use crate::sync::remote::{
    Description, HistoryWants, Limits, LogChange, ParcelKind, ParcelRecord, Proposal, Published, RefChange,
};
use crate::sync::sign_in::{ChallengeAnswer, ChallengeRequest, SignInAnswer, SignInRequest};
use crate::sync::wire::answer::Answer;
use crate::sync::wire::fault::Fault;
use crate::sync::wire::frame::{self, Frame, FrameKind};
use crate::sync::wire::greeting::Greeting;
use crate::sync::wire::request::{Request, WireKey};
use std::collections::BTreeMap;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("sync: wire request", &["sync/wire/request.rs"], request_seeds, |bytes| {
        canonical(Request::decode(bytes), Request::encode)
    }),
    Target::new("sync: wire answer", &["sync/wire/answer.rs"], answer_seeds, |bytes| {
        canonical(Answer::decode(bytes), Answer::encode)
    }),
    Target::new("sync: wire fault", &["sync/wire/fault.rs"], fault_seeds, |bytes| {
        canonical(Fault::decode(bytes), Fault::encode)
    }),
    Target::new("sync: wire greeting", &["sync/wire/greeting.rs"], greeting_seeds, |bytes| {
        canonical(Greeting::decode(bytes), |greeting| greeting.encode().to_vec())
    }),
    Target::new("sync: wire frames", &["sync/wire/frame.rs"], frame_seeds, run_frames).with_memory(256 << 10),
    Target::new("sync: sign-in", &["sync/sign_in.rs"], sign_in_seeds, run_sign_in),
];

fn run_sign_in(bytes: &[u8]) -> Verdict {
    let verdicts = [
        json_record::<ChallengeRequest>(bytes),
        json_record::<ChallengeAnswer>(bytes),
        json_record::<SignInRequest>(bytes),
        json_record::<SignInAnswer>(bytes),
    ];
    let mut taken = Verdict::Refused;
    for verdict in verdicts {
        match verdict {
            Verdict::Refused => {}
            Verdict::Wrong(what) => return Verdict::Wrong(what),
            understood => taken = understood,
        }
    }
    taken
}

fn sign_in_seeds() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"server":"assets.example:8420"}"#,
        r#"{"nonce":"00"}"#,
        r#"{"statement":"{}","signature":"-----BEGIN SSH SIGNATURE-----"}"#,
        r#"{"session":"pents_00","until_ms":1772381999000}"#,
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn run_frames(bytes: &[u8]) -> Verdict {
    let mut input = bytes;
    let mut written = Vec::new();
    loop {
        match frame::read(&mut input) {
            Ok(Some(frame)) if frame.write(&mut written).is_ok() => {}
            Ok(None) if !written.is_empty() => return Verdict::Canonical(written),
            _ => return Verdict::Refused,
        }
    }
}

fn name(text: &str) -> Vec<RefName> {
    RefName::branch(text).into_iter().collect()
}

fn request_seeds() -> Vec<Vec<u8>> {
    let numbers = &mut Numbers::new(1);
    let keys: Vec<WireKey> = (0..5).map(|kind| WireKey { kind: kind * 50, id: numbers.array() }).collect();
    let commits = vec![CommitId::from_bytes(numbers.array()), CommitId::from_bytes(numbers.array())];
    let change = |name: RefName| RefChange {
        name,
        expected: Some(commits[0]),
        target: Some(RefTarget::plain(commits[1])),
    };
    let pack = PackId::from_bytes(numbers.array());
    let parcel = ParcelRecord { id: pack, kind: ParcelKind::Pack, length: 300, entries: Entries::default() };
    let proposal = Proposal {
        epoch: 3,
        token: numbers.array(),
        parcels: vec![parcel],
        changes: name("main").into_iter().map(change).collect(),
        logs: vec![LogChange { name: "shared".to_owned(), expected: Some(vec![1]), target: vec![2, 3] }],
    };
    let logs = BTreeMap::from([("review/team".to_owned(), vec![1, 2])]);
    let wants = HistoryWants { wants: commits.clone(), haves: commits.clone(), since: Some(9), logs };
    let requests = [
        Request::Describe,
        Request::Have { keys: keys.clone() },
        Request::Objects { keys },
        Request::History { wants },
        Request::Chunks {
            files: vec![FileId::from_bytes(numbers.array())],
            ids: vec![ChunkId::from_bytes(numbers.array())],
        },
        Request::Put { kind: ParcelKind::Bundle, id: pack, bytes: numbers.bytes(40) },
        Request::Holds { parcels: vec![(pack, ParcelKind::Pack), (pack, ParcelKind::Bundle)] },
        Request::Publish { proposal },
        Request::Begin {
            repository: RepositoryId::from_bytes(numbers.array()),
            chunker: ChunkerParameters::default(),
        },
        Request::Keep { clone: numbers.array(), commits },
        Request::Clock,
    ];
    requests.iter().map(Request::encode).collect()
}

fn answer_seeds() -> Vec<Vec<u8>> {
    let target = RefTarget::plain(CommitId::from_bytes([3; 32]));
    let description = Description {
        repository: RepositoryId::from_bytes([1; 16]),
        chunker: ChunkerParameters::default(),
        epoch: 2,
        mark: 300,
        refs: name("main").into_iter().chain(name("x")).map(|name| (name, target.clone())).collect(),
        logs: BTreeMap::from([("shared".to_owned(), vec![1, 2, 3])]),
        limits: Limits { keys_max: 1 << 16, chunks_max: 4096, parcel_bytes_max: 32 << 20, connections: 4 },
        hidden: Pattern::new("contracts/**").into_iter().collect(),
    };
    let answers = [
        Answer::Description(description),
        Answer::Flags(vec![true, false, true, true, false, false, true, false, true]),
        Answer::Published(Published { mark: 7, follows: Some(6) }),
    ];
    answers.iter().map(Answer::encode).collect()
}

fn fault_seeds() -> Vec<Vec<u8>> {
    let text = || "some text".to_owned();
    let mut faults = vec![
        Fault::Outdated,
        Fault::Missing { kind: "tree".to_owned(), id: text() },
        Fault::NotAllowed { what: text() },
        Fault::Nothing,
        Fault::TurnedDown { what: text(), detail: text() },
        Fault::Busy { seconds: 300 },
        Fault::Failed { detail: text() },
        Fault::OtherRepository { found: RepositoryId::from_bytes([5; 16]) },
        Fault::SignIn { detail: text() },
        Fault::LogMoved { name: text() },
        Fault::LogRefused { reason: text() },
        Fault::NoRoom { detail: text() },
    ];
    for name in name("main") {
        let actual = Some(CommitId::from_bytes([3; 32]));
        faults.push(Fault::Moved { name: name.clone(), expected: None, actual });
        faults.push(Fault::Refused { name, reasons: vec![text(), text()] });
    }
    faults.iter().map(Fault::encode).collect()
}

fn greeting_seeds() -> Vec<Vec<u8>> {
    vec![Greeting::OURS.encode().to_vec(), Greeting { oldest: 3, newest: 300 }.encode().to_vec()]
}

fn frame_seeds() -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    for frame in
        [Frame::new(FrameKind::Value, vec![1; 40]), Frame::new(FrameKind::Wait, vec![]), Frame::end()]
    {
        // Memory takes everything.
        let _ = frame.write(&mut bytes);
    }
    vec![bytes]
}
