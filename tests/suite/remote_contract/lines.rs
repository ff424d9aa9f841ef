//! HTTP over lines on which everything that can go wrong does, at every class of position.

use super::http::{TestServer, remote};
use super::{assert_sound, fetch_from, head, push_to, seen};
use crate::app_flow::{Lab, noise};
use crate::support::line::{Line, Mishap};
use pentimento::base::id::{ChunkId, PackId};
use pentimento::sync::SyncError;
use pentimento::sync::error::SyncResult;
use pentimento::sync::http::{HttpCarrier, HttpReach};
use pentimento::sync::remote::{
    BlockSink, BundleSink, Description, HistoryWants, ObjectKey, Parcel, ParcelKind, Proposal, Published,
    Remote,
};
use pentimento::sync::sign_in::Secret;
use pentimento::sync::wire::WireRemote;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A server behind a line.
struct Shaky {
    line: Line,
    server: TestServer,
    token: String,
}

impl Shaky {
    fn new(choose: impl Fn(u64) -> Mishap + Send + Sync + 'static) -> Self {
        let line = Line::new(choose);
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The server is called by the line's address, and by its own for what must not go wrong.
        let server = TestServer::start_called(folder, |own| vec![line.address.to_string(), own.to_string()]);
        line.lead_to(server.address);
        let token = server.begin("brand");
        Self { line, server, token }
    }

    fn open(&self) -> WireRemote<HttpCarrier> {
        remote(HttpReach {
            token: Some(Secret::new(self.token.clone())),
            patience: Duration::from_millis(700),
            ..self.server.reach("brand", self.line.address)
        })
    }

    fn straight(&self) -> WireRemote<HttpCarrier> {
        self.server.with_token("brand", &self.token)
    }
}

/// Mishaps of every kind at positions in the head, at its end, in a frame's header, and far inside.
fn mishap(number: u64, one_in: u64) -> Mishap {
    let mut random = number.wrapping_add(7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    random ^= random >> 29;
    random = random.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    random ^= random >> 32;
    if !random.is_multiple_of(one_in) {
        return Mishap::None;
    }
    let places = [0, 1, 40, 170, 200, 300, 1_000, 20_000, 300_000, 900_000];
    let place = places[(random >> 8) as usize % places.len()] + (random >> 40) as usize % 7;
    match (random >> 16) % 10 {
        0 => Mishap::Delay(Duration::from_millis(20)),
        1 | 2 => Mishap::DropAsking(place),
        3 | 4 => Mishap::DropAnswering(place),
        5 => Mishap::EndAnswering(place),
        6 => Mishap::StallAnswering(place),
        7 => Mishap::StallAsking(place),
        8 => Mishap::Repeat,
        _ => Mishap::Answer([500, 502, 503][(random >> 20) as usize % 3]),
    }
}

fn rounds() -> u64 {
    if std::env::var("PENT_CI").is_ok_and(|mode| mode == "long") { 60 } else { 3 }
}

#[test]
fn work_arrives_once_and_whole_whatever_the_line_does() {
    let shaky = Shaky::new(|number| mishap(number, 2));
    let lab = Lab::new();
    let mut attempts = 0;
    for round in 0..rounds() {
        lab.write("big.bin", noise(round + 1, 1_500_000));
        lab.write("small.txt", format!("{round}"));
        lab.commit("on");
        while let Err(error) = push_to(&lab, &shaky.open(), "main") {
            let passing = matches!(
                error,
                SyncError::Unreachable { .. } | SyncError::Moved { .. } | SyncError::NoWay { .. }
            );
            assert!(passing, "{error:?}");
            // A publication whose answer was lost has happened all the same.
            if shaky
                .straight()
                .describe()
                .expect("a description")
                .refs
                .values()
                .any(|at| at.commit == head(&lab))
            {
                break;
            }
            attempts += 1;
            assert!(attempts < 400, "a push never gets through");
        }
        let other = Lab::new();
        while let Err(error) = fetch_from(&other, &shaky.open()) {
            assert!(matches!(error, SyncError::Unreachable { .. } | SyncError::NoWay { .. }), "{error:?}");
            attempts += 1;
            assert!(attempts < 400, "a fetch never gets through");
        }
        assert_eq!(seen(&other, "main"), Some(head(&lab)));
        assert_sound(&other);
    }
    let mark = shaky.straight().describe().expect("a description").mark;
    assert_eq!(mark, rounds(), "every publication counts once");
}

/// The same remote, asked for one small parcel at a time.
struct OneByOne(WireRemote<HttpCarrier>);

const PARCEL: u64 = 4 << 20;

impl Remote for OneByOne {
    fn describe(&self) -> SyncResult<Description> {
        let mut description = self.0.describe()?;
        description.limits.connections = 1;
        description.limits.parcel_bytes_max = PARCEL;
        Ok(description)
    }

    fn have(&self, keys: &[ObjectKey]) -> SyncResult<Vec<bool>> {
        self.0.have(keys)
    }

    fn fetch_history(&self, wants: &HistoryWants, sink: &mut BundleSink<'_>) -> SyncResult<()> {
        self.0.fetch_history(wants, sink)
    }

    fn fetch_objects(&self, keys: &[ObjectKey], sink: &mut BundleSink<'_>) -> SyncResult<()> {
        self.0.fetch_objects(keys, sink)
    }

    fn fetch_chunks(&self, chunks: &[ChunkId], sink: &BlockSink<'_>) -> SyncResult<()> {
        self.0.fetch_chunks(chunks, sink)
    }

    fn put(&self, parcel: &Parcel) -> SyncResult<()> {
        self.0.put(parcel)
    }

    fn holds(&self, parcels: &[(PackId, ParcelKind)]) -> SyncResult<Vec<bool>> {
        self.0.holds(parcels)
    }

    fn publish(&self, proposal: &Proposal) -> SyncResult<Published> {
        self.0.publish(proposal)
    }
}

#[test]
fn a_push_that_broke_sends_no_more_than_one_parcel_twice() {
    let shaky = Shaky::new(|_| Mishap::None);
    let lab = Lab::new();
    let total = 20_000_000;
    lab.write("big.bin", noise(5, total as usize));
    lab.commit("begin");
    shaky.line.cut_after.store(12_000_000, Ordering::Relaxed);
    let broke = push_to(&lab, &OneByOne(shaky.open()), "main").expect_err("a line that was cut");
    assert!(matches!(broke, SyncError::Unreachable { .. }), "{broke:?}");
    let first = shaky.line.asked.load(Ordering::Relaxed);
    shaky.line.cut_after.store(u64::MAX, Ordering::Relaxed);
    let moved = push_to(&lab, &OneByOne(shaky.open()), "main").expect("a push");
    let all = shaky.line.asked.load(Ordering::Relaxed);
    assert!(moved.bytes_resumed > 12_000_000 - 2 * PARCEL, "{moved:?}");
    assert!(all <= total + PARCEL + 1_000_000, "{first}, then {} bytes for {moved:?}", all - first);
    let other = Lab::new();
    fetch_from(&other, &shaky.open()).expect("a fetch");
    assert_eq!(seen(&other, "main"), Some(head(&lab)));
}

#[test]
fn a_redirect_is_not_followed_and_no_token_goes_elsewhere() {
    let shaky = Shaky::new(|_| Mishap::Answer(302));
    let error = shaky.open().describe().expect_err("a redirect");
    assert!(
        matches!(&error, SyncError::NoWay { detail, .. } if detail.contains("another address")),
        "{error:?}"
    );
    assert!(!error.to_string().contains(&shaky.token));
    let other = Shaky::new(|_| Mishap::Answer(200));
    let error = other.open().describe().expect_err("another server");
    assert!(matches!(error, SyncError::NotPent { .. }), "{error:?}");
}
