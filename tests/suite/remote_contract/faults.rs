//! A remote that fails now and then, in every way.

use super::{BucketPlace, Place, clone_of, fetch_from, head, push_to, seen};
use crate::app_flow::{Lab, noise};
use pentimento::store::bucket::{Bucket, Fault, FaultyBucket, FolderBucket, MemoryBucket};
use pentimento::sync::SyncError;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A bucket of which a share of the operations fails, before or after they are carried out.
fn shaky(inner: impl Bucket + 'static, seed: u64, one_in: u64) -> (Arc<AtomicU64>, BucketPlace) {
    let rate = Arc::new(AtomicU64::new(0));
    let asked = rate.clone();
    let bucket = Arc::new(FaultyBucket::new(inner, move |number, _| {
        let mut random = (number + 1).wrapping_mul(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random ^= random >> 29;
        random = random.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random ^= random >> 32;
        match asked.load(Ordering::Relaxed) {
            0 => Fault::None,
            rate if random % rate == 0 && random & (1 << 40) == 0 => Fault::Before,
            rate if random % rate == 0 => Fault::After,
            _ => Fault::None,
        }
    }));
    let place = BucketPlace::begin(bucket);
    rate.store(one_in, Ordering::Relaxed);
    (rate, place)
}

#[test]
fn work_arrives_once_and_whole_however_shaky_the_line_is() {
    arrives_once_and_whole(1..=12, MemoryBucket::new);
}

#[test]
fn work_arrives_once_and_whole_in_a_folder_that_fails_now_and_then() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut number = 0;
    arrives_once_and_whole(20..=25, || {
        number += 1;
        FolderBucket::create(&folder.path().join(format!("nas-{number}"))).expect("a folder")
    });
}

fn arrives_once_and_whole<B: Bucket + 'static>(seeds: RangeInclusive<u64>, mut begin: impl FnMut() -> B) {
    for seed in seeds {
        let (rate, place) = shaky(begin(), seed, 3);
        let lab = Lab::new();
        for round in 0..4u64 {
            lab.write("big.bin", noise(seed * 100 + round, 400_000));
            lab.write("small.txt", format!("{round}"));
            lab.commit("on");
            let mut attempts = 0;
            while let Err(error) = push_to(&lab, &*place.open(), "main") {
                assert!(matches!(error, SyncError::Bucket(_)), "{error}");
                attempts += 1;
                assert!(attempts < 200, "a push never gets through");
            }
        }
        let other = Lab::new();
        let mut attempts = 0;
        while fetch_from(&other, &*place.open()).is_err() {
            attempts += 1;
            assert!(attempts < 200, "a fetch never gets through");
        }
        assert_eq!(seen(&other, "main"), Some(head(&lab)));
        rate.store(0, Ordering::Relaxed);
        let mark = place.open().describe().expect("a description").mark;
        assert_eq!(mark, 4, "every publication counts once");
        assert_eq!(seen(&clone_of(&place), "main"), Some(head(&lab)));
    }
}

/// Ids of the packs of which something is noted with this ending.
fn noted(lab: &Lab, name_end: &str) -> Vec<String> {
    let notes = std::fs::read_dir(lab.repository.pent_dir().join("remotes/test")).expect("notes");
    let names = notes.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter_map(|name| name.strip_suffix(name_end).map(str::to_owned)).collect()
}

#[test]
fn packs_that_had_set_out_are_made_once_more_and_no_others() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let is_cut = Arc::new(AtomicU64::new(0));
    let cut = is_cut.clone();
    let inner = FolderBucket::create(&folder.path().join("nas")).expect("a folder");
    let fails = move |_, action| {
        if action == "put" && cut.load(Ordering::Relaxed) == 1 { Fault::Before } else { Fault::None }
    };
    let place = BucketPlace::begin(Arc::new(FaultyBucket::new(inner, fails)));
    let lab = Lab::new();
    lab.write("film.bin", noise(1, 3_000_000));
    lab.write("kept.bin", noise(2, 2_000_000));
    lab.commit("begin");
    is_cut.store(1, Ordering::Relaxed);
    push_to(&lab, &*place.open(), "main").expect_err("nothing gets through");
    let begun = noted(&lab, ".begun");
    assert_eq!(begun.len(), 1, "{begun:?}");
    // Something more goes into a pack of its own.
    lab.write("more.bin", noise(3, 1_500_000));
    lab.commit("more");
    is_cut.store(0, Ordering::Relaxed);
    let moved = push_to(&lab, &*place.open(), "main").expect("a push");
    let path = |id: &str| folder.path().join(format!("nas/packs/{}/{id}.pack", &id[..2]));
    assert!(path(&begun[0]).is_file(), "the very pack that had set out");
    assert!((6_500_000..6_700_000).contains(&moved.bytes_sent), "each byte once: {moved:?}");
    assert!(noted(&lab, ".begun").is_empty() && noted(&lab, ".parcel").is_empty());
    assert_eq!(seen(&clone_of(&place), "main"), Some(head(&lab)));
    // What had set out and is not wanted any more does not go.
    lab.write("dropped.bin", noise(4, 2_000_000));
    let before = head(&lab);
    lab.commit("dropped");
    is_cut.store(1, Ordering::Relaxed);
    push_to(&lab, &*place.open(), "draft").expect_err("nothing gets through");
    let begun = noted(&lab, ".begun");
    is_cut.store(0, Ordering::Relaxed);
    let other = clone_of(&place);
    std::fs::create_dir_all(other.repository.pent_dir().join("remotes")).expect("a folder");
    let notes = |lab: &Lab| lab.repository.pent_dir().join("remotes/test");
    std::fs::rename(notes(&lab), notes(&other)).expect("notes of another");
    let checked_out = seen(&other, "main");
    assert_eq!(checked_out, Some(before));
    other.write("small.txt", "on");
    other.commit("on");
    push_to(&other, &*place.open(), "third").expect("a push");
    assert!(!path(&begun[0]).exists());
}
