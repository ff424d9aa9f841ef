//! What moving work costs: bytes on the wire and round trips.

use super::{BucketPlace, Place, fetch_from, head, push_to, seen};
use crate::app_flow::{Lab, noise};
use pentimento::store::bucket::{Fault, FaultyBucket, MemoryBucket};
use std::sync::Arc;

/// A bucket that counts what it is asked.
fn counting() -> (Arc<FaultyBucket<MemoryBucket>>, BucketPlace) {
    let bucket = Arc::new(FaultyBucket::new(MemoryBucket::new(), |_, _| Fault::None));
    let place = BucketPlace::begin(bucket.clone());
    (bucket, place)
}

#[test]
fn a_byte_within_a_large_file_costs_a_few_requests_and_little_more_than_its_chunk() {
    let (bucket, place) = counting();
    let lab = Lab::new();
    let mut bytes = noise(1, 64 << 20);
    lab.write("large.bin", &bytes);
    lab.commit("begin");
    let first = push_to(&lab, &*place.open(), "main").expect("a push");
    assert!(first.bytes_sent <= (64 << 20) * 103 / 100, "{first:?}");
    let other = Lab::new();
    fetch_from(&other, &*place.open()).expect("a fetch");
    bytes[40_000_000] ^= 1;
    lab.write("large.bin", &bytes);
    lab.commit("one byte");
    let remote = place.open();
    let before = bucket.operations();
    let moved = push_to(&lab, &*remote, "main").expect("a push");
    let requests = bucket.operations() - before;
    assert!(moved.bytes_sent <= 300_000, "{moved:?}");
    assert!(requests <= 10, "{requests} requests");
    let before = bucket.operations();
    let fetched = fetch_from(&other, &*remote).expect("a fetch");
    let requests = bucket.operations() - before;
    assert!(fetched.bytes_received <= 300_000, "{fetched:?}");
    assert!(requests <= 10, "{requests} requests");
    assert_eq!(seen(&other, "main"), Some(head(&lab)));
}

#[test]
fn hundreds_of_pushes_leave_few_index_files() {
    let (_, place) = counting();
    let lab = Lab::new();
    for number in 0..120 {
        lab.write("a.txt", format!("state {number}"));
        lab.commit("on");
        push_to(&lab, &*place.open(), "main").expect("a push");
    }
    let (bytes, _) = place.bucket.read_cell("head", 1 << 20).expect("a read").expect("a head");
    let head_record = pentimento::store::bucket::head::Head::decode(&bytes).expect("a head");
    assert!(head_record.indexes.len() < 24, "{} index files", head_record.indexes.len());
    let other = super::clone_of(&place);
    assert_eq!(seen(&other, "main"), Some(head(&lab)));
}

#[test]
fn a_push_of_nothing_new_sends_nothing() {
    let (bucket, place) = counting();
    let lab = Lab::new();
    lab.write("a.txt", "hello");
    lab.commit("begin");
    push_to(&lab, &*place.open(), "main").expect("a push");
    let before = bucket.operations();
    let moved = push_to(&lab, &*place.open(), "copy").expect("another name for it");
    assert_eq!((moved.bytes_sent, moved.commits), (0, 0));
    assert!(bucket.operations() - before <= 4);
}

#[test]
fn the_tables_of_what_it_costs_at_scale_are_those_of_the_model() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = std::process::Command::new("python3").arg(root.join("benches/scale/remotes.py")).output();
    let run = run.expect("python3 runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let page = std::fs::read_to_string(root.join("docs/scale.md")).expect("the page");
    let text = String::from_utf8(run.stdout).expect("text");
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    assert!(lines.len() > 30, "{text}");
    for line in lines {
        assert!(page.lines().any(|other| other == line), "docs/scale.md does not say {line:?}");
    }
}
