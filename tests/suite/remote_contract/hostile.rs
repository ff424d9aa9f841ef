//! A remote that lies, is damaged, or lost something: nothing of it is taken over.

use super::{BucketPlace, Place, clone_of, fetch_from, head, push_to, seen};
use crate::app_flow::{Lab, noise};
use pentimento::store::bucket::MemoryBucket;
use pentimento::sync::SyncError;
use std::sync::Arc;

fn filled() -> (Arc<MemoryBucket>, BucketPlace, Lab) {
    let bucket = Arc::new(MemoryBucket::new());
    let place = BucketPlace::begin(bucket.clone());
    let lab = Lab::new();
    lab.write("a.txt", "hello");
    lab.write("big.bin", noise(9, 2_000_000));
    lab.commit("begin");
    push_to(&lab, &*place.open(), "main").expect("a push");
    (bucket, place, lab)
}

fn keys(bucket: &MemoryBucket, prefix: &str) -> Vec<String> {
    bucket.keys().into_iter().filter(|key| key.starts_with(prefix)).collect()
}

/// Fetches into a fresh clone, which must fail and leave no name behind.
fn refused(place: &dyn Place) -> SyncError {
    let lab = Lab::new();
    let error = fetch_from(&lab, &*place.open()).expect_err("a fetch that cannot be right");
    assert_eq!(seen(&lab, "main"), None, "{error}");
    error
}

#[test]
fn every_byte_of_what_is_stored_is_checked() {
    for prefix in ["packs", "bundles", "indexes", "head"] {
        for position in [0usize, 20, 70, 150, 400, 5_000, 1_000_000] {
            let (bucket, place, _) = filled();
            let key = keys(&bucket, prefix).pop().expect("an object");
            let mut changed = false;
            bucket.tamper(&key, |bytes| {
                if let Some(byte) = bytes.get_mut(position) {
                    *byte ^= 0x20;
                    changed = true;
                }
            });
            let lab = Lab::new();
            match fetch_from(&lab, &*place.open()) {
                // The first bytes of a pack or bundle serve repair; a fetch reads blocks and frames by
                // the index.
                Ok(_) => {
                    super::assert_sound(&lab);
                    let spare = match prefix {
                        "packs" => 64,
                        "bundles" => 16,
                        _ => 0,
                    };
                    assert!(!changed || position < spare, "{key} byte {position}");
                }
                Err(error) => {
                    assert!(changed, "{error}");
                    assert_eq!(seen(&lab, "main"), None);
                }
            }
        }
    }
}

#[test]
fn what_is_missing_or_cut_short_is_named() {
    for prefix in ["packs", "bundles", "indexes"] {
        let (bucket, place, _) = filled();
        for key in keys(&bucket, prefix) {
            pentimento::store::bucket::Bucket::delete(&*bucket, &key).expect("a removal");
        }
        let error = refused(&place);
        assert!(matches!(error, SyncError::Missing { .. }), "{prefix}: {error}");
        let (bucket, place, _) = filled();
        for key in keys(&bucket, prefix) {
            bucket.tamper(&key, |bytes| bytes.truncate(bytes.len() / 2));
        }
        refused(&place);
    }
}

#[test]
fn a_fetch_from_a_remote_that_was_mended_goes_on() {
    let (bucket, place, lab) = filled();
    let key = keys(&bucket, "packs").pop().expect("a pack");
    bucket.tamper(&key, |bytes| bytes[100_000] ^= 1);
    let other = Lab::new();
    fetch_from(&other, &*place.open()).expect_err("a damaged pack");
    bucket.tamper(&key, |bytes| bytes[100_000] ^= 1);
    fetch_from(&other, &*place.open()).expect("a fetch");
    assert_eq!(seen(&other, "main"), Some(head(&lab)));
    super::assert_sound(&other);
}

#[test]
fn another_repository_is_not_mixed_in() {
    let bucket = Arc::new(MemoryBucket::new());
    let place = BucketPlace::begin(bucket.clone());
    bucket.tamper("head", |bytes| {
        let mut head = pentimento::store::bucket::head::Head::decode(bytes).expect("a head");
        head.repository = pentimento::base::id::RepositoryId::from_bytes([9; 16]);
        *bytes = head.encode().expect("a head within its limits");
    });
    let lab = Lab::new();
    assert!(matches!(fetch_from(&lab, &*place.open()), Err(SyncError::OtherRepository { .. })));
}

#[test]
fn a_feature_that_is_not_known_is_refused_by_name() {
    let bucket = Arc::new(MemoryBucket::new());
    let place = BucketPlace::begin(bucket.clone());
    bucket.tamper("head", |bytes| {
        let mut head = pentimento::store::bucket::head::Head::decode(bytes).expect("a head");
        head.requires.push("encrypted".into());
        *bytes = head.encode().expect("a head within its limits");
    });
    let outcome = place.open().describe();
    assert!(matches!(&outcome, Err(SyncError::UnknownFeature { feature }) if feature == "encrypted"));
}

#[test]
fn an_epoch_that_changed_has_the_remote_asked_again() {
    let (bucket, place, lab) = filled();
    lab.write("a.txt", "more");
    lab.commit("on");
    let remote = place.open();
    let description = remote.describe().expect("a description");
    // Somebody tidies up in between: every index is dropped, and so all that the push relies on.
    bucket.tamper("head", |bytes| {
        let mut head = pentimento::store::bucket::head::Head::decode(bytes).expect("a head");
        head.epoch += 1;
        head.refs.clear();
        head.indexes.clear();
        *bytes = head.encode().expect("a head within its limits");
    });
    // The cell's version changes with it, as it would for others.
    let (bytes, version) = place.bucket.read_cell("head", 1 << 20).expect("a read").expect("a head");
    place.bucket.write_cell("head", &bytes, Some(&version)).expect("a write");
    let change = pentimento::sync::remote::RefChange {
        name: super::branch("main"),
        expected: None,
        target: Some(pentimento::repo::refs::RefTarget::plain(head(&lab))),
    };
    let push = pentimento::sync::push::Push {
        repository: &lab.repository,
        remote: &*remote,
        known: Vec::new(),
        changes: vec![change],
        logs: Vec::new(),
        also: Vec::new(),
        log_objects: Vec::new(),
        notes: lab.repository.pent_dir().join("remotes/test"),
        token: super::token(),
    };
    let (moved, _) = push.run(description, &pentimento::base::monitor::SilentMonitor).expect("a push");
    assert!(moved.bytes_sent > 2_000_000, "all of it is sent again: {moved:?}");
    assert_eq!(seen(&clone_of(&place), "main"), Some(head(&lab)));
}
