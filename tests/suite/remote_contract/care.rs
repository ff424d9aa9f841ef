//! Care of a bucket: garbage goes while others push, and what was lost comes back.

use super::{BucketPlace, Place, REPOSITORY, clone_of, fetch_from, head, push_from, push_to, seen, token};
use crate::app_flow::{Lab, noise};
use pentimento::base::monitor::SilentMonitor;
use pentimento::store::bucket::{Bucket, MemoryBucket};
use pentimento::sync::SyncError;
use pentimento::sync::bucket::{Collect, Collected, Reading};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

fn how(grace: Duration) -> Collect {
    Collect { grace, now_ms: 1_800_000_000_000, token: token(), dry_run: false }
}

/// Collects with a clone that has everything, as often as others are in the way.
pub fn collect(place: &BucketPlace, lab: &Lab, grace: Duration) -> Collected {
    for _ in 0..200 {
        fetch_from(lab, &*place.open()).expect("a fetch");
        let view = lab.repository.view().expect("a view");
        match place.remote().collect(&view, &how(grace), &SilentMonitor) {
            Err(SyncError::Outdated | SyncError::Busy { .. }) => {}
            collected => return collected.expect("a collection"),
        }
    }
    panic!("a collection never gets through");
}

#[test]
fn what_no_name_reaches_goes_after_its_grace_and_the_rest_stays() {
    let bucket = Arc::new(MemoryBucket::new());
    let place = BucketPlace::begin(bucket.clone());
    let (kept, gone) = (Lab::new(), Lab::new());
    kept.write("kept.bin", noise(1, 500_000));
    kept.commit("stays");
    gone.write("gone.bin", noise(2, 500_000));
    gone.commit("goes");
    push_to(&kept, &*place.open(), "main").expect("a push");
    push_to(&gone, &*place.open(), "side").expect("a push");
    let remove = pentimento::sync::remote::Proposal {
        epoch: 0,
        token: token(),
        parcels: Vec::new(),
        changes: vec![pentimento::sync::remote::RefChange {
            name: super::branch("side"),
            expected: Some(head(&gone)),
            target: None,
        }],
        logs: Vec::new(),
    };
    place.open().publish(&remove).expect("a name less");
    let before: u64 = bucket.keys().len() as u64;
    let first = collect(&place, &kept, Duration::from_secs(3600));
    assert!(first.objects > 3 && first.removed == 0 && first.condemned > 2, "{first:?}");
    assert!(bucket.keys().len() as u64 >= before, "nothing is removed before its grace");
    let view = kept.repository.view().expect("a view");
    let later = Collect { now_ms: 1_800_000_000_000 + 7_200_000, ..how(Duration::from_secs(3600)) };
    let second = place.remote().collect(&view, &later, &SilentMonitor).expect("a collection");
    assert!(second.removed > 2 && second.removed_bytes > 500_000, "{second:?}");
    assert_eq!(seen(&clone_of(&place), "main"), Some(head(&kept)));
    // What is gone can be pushed again.
    push_to(&gone, &*place.open(), "side").expect("a push");
    assert_eq!(seen(&clone_of(&place), "side"), Some(head(&gone)));
}

#[test]
fn collections_while_twenty_push_lose_nothing() {
    collections_while_many_push_lose_nothing(&BucketPlace::folder(), 20);
}

pub fn collections_while_many_push_lose_nothing(place: &BucketPlace, people: u64) {
    let first = Lab::new();
    first.write("begin", noise(3, 50_000));
    first.commit("begin");
    push_to(&first, &*place.open(), "main").expect("a push");
    let labs: Vec<Lab> = (0..people).map(|_| Lab::new()).collect();
    let (over, running) = (AtomicBool::new(false), AtomicU64::new(people));
    let collector = Lab::new();
    let mut collections = 0;
    std::thread::scope(|scope| {
        for (number, lab) in labs.iter().enumerate() {
            let (running, over) = (&running, &over);
            scope.spawn(move || {
                for round in 0..3u64 {
                    // Each round takes the place of the one before, which becomes garbage.
                    lab.write("work.bin", noise(number as u64 * 100 + round, 60_000));
                    lab.write("common.bin", noise(7, 80_000));
                    lab.commit("on");
                    push_until_taken(lab, place, &format!("b{number}"));
                    drop_branch(place, &format!("b{}", (number + 7) % people as usize), round);
                }
                if running.fetch_sub(1, Ordering::Relaxed) == 1 {
                    over.store(true, Ordering::Relaxed);
                }
            });
        }
        let began = std::time::Instant::now();
        while !over.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(100) {
            collect(place, &collector, Duration::from_secs(3600));
            collections += 1;
        }
    });
    assert!(collections > 0);
    for (number, lab) in labs.iter().enumerate() {
        push_until_taken(lab, place, &format!("b{number}"));
    }
    collect(place, &collector, Duration::ZERO);
    let clone = clone_of(place);
    for (number, lab) in labs.iter().enumerate() {
        assert_eq!(seen(&clone, &format!("b{number}")), Some(head(lab)));
    }
}

/// Pushes to a branch that others remove now and then.
fn push_until_taken(lab: &Lab, place: &BucketPlace, name: &str) {
    for _ in 0..200 {
        match push_to(lab, &*place.open(), name) {
            Ok(_) => return,
            Err(SyncError::Moved { .. } | SyncError::Busy { .. }) => {}
            Err(error) => panic!("a push failed: {error}"),
        }
    }
    panic!("a push is never taken");
}

/// Removes a branch now and then, so that there is garbage.
fn drop_branch(place: &BucketPlace, name: &str, round: u64) {
    if round.is_multiple_of(2) {
        return;
    }
    let remote = place.open();
    let description = remote.describe().expect("a description");
    let Some(target) = description.refs.get(&super::branch(name)) else { return };
    let change = pentimento::sync::remote::RefChange {
        name: super::branch(name),
        expected: Some(target.commit),
        target: None,
    };
    let proposal = pentimento::sync::remote::Proposal {
        epoch: description.epoch,
        token: token(),
        parcels: Vec::new(),
        changes: vec![change],
        logs: Vec::new(),
    };
    match remote.publish(&proposal) {
        Ok(_) | Err(SyncError::Moved { .. } | SyncError::Outdated) => {}
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_clone_gives_back_what_a_remote_lost() {
    let bucket = Arc::new(MemoryBucket::new());
    let place = BucketPlace::begin(bucket.clone());
    let lab = Lab::new();
    assert_eq!(lab.repository.id(), REPOSITORY);
    lab.write("a.txt", "hello");
    lab.write("big.bin", noise(4, 3_000_000));
    lab.commit("begin");
    push_to(&lab, &*place.open(), "main").expect("a push");
    lab.write("b.txt", "more");
    lab.commit("on");
    push_from(&lab, &*place.open(), "main", seen_there(&place)).expect("a push");
    assert_eq!(
        place.remote().verify(None, &Reading::EVERYTHING, &SilentMonitor).expect("a check").damaged,
        []
    );
    for (position, key) in bucket.keys().iter().filter(|key| key.contains("s/")).enumerate() {
        match (key.starts_with("indexes"), position % 2) {
            (true, _) => {}
            (false, 0) => bucket.delete(key).expect("a removal"),
            (false, _) => bucket.tamper(key, |bytes| bytes[90] ^= 1),
        }
    }
    let found = place.remote().verify(None, &Reading::EVERYTHING, &SilentMonitor).expect("a check");
    assert_eq!(found.damaged.len(), 4, "{found:?}");
    let empty = Lab::new();
    let helpless =
        place.remote().repair(&empty.repository, "origin", token(), &SilentMonitor).expect("an attempt");
    assert_eq!(helpless.repaired, 0);
    let repaired =
        place.remote().repair(&lab.repository, "origin", token(), &SilentMonitor).expect("a repair");
    assert!(repaired.repaired > 0 && repaired.repaired == repaired.objects, "{repaired:?}");
    assert_eq!(seen(&clone_of(&place), "main"), Some(head(&lab)));
}

fn seen_there(place: &BucketPlace) -> Option<pentimento::base::id::CommitId> {
    let refs = place.open().describe().expect("a description").refs;
    refs.get(&super::branch("main")).map(|target| target.commit)
}

#[test]
fn what_a_clone_relies_on_stays_although_no_name_leads_to_it() {
    let bucket = Arc::new(MemoryBucket::new());
    let place = BucketPlace::begin(bucket.clone());
    let (main, side) = (Lab::new(), Lab::new());
    main.write("main.bin", noise(1, 300_000));
    main.commit("stays");
    side.write("side.bin", noise(2, 300_000));
    side.commit("relied on");
    push_to(&main, &*place.open(), "main").expect("a push");
    push_to(&side, &*place.open(), "side").expect("a push");
    let relied_on = head(&side);
    place.open().keep(&[7; 16], &[relied_on]).expect("a word");
    let remove = pentimento::sync::remote::Proposal {
        epoch: 0,
        token: token(),
        parcels: Vec::new(),
        changes: vec![pentimento::sync::remote::RefChange {
            name: super::branch("side"),
            expected: Some(relied_on),
            target: None,
        }],
        logs: Vec::new(),
    };
    place.open().publish(&remove).expect("a name less");
    // Whoever collects and does not know what the other relies on brings it first.
    let view = main.repository.view().expect("a view");
    let without = place.remote().collect(&view, &how(Duration::ZERO), &SilentMonitor);
    assert!(matches!(without, Err(SyncError::Outdated)), "{without:?}");
    assert_eq!(place.remote().kept_commits().expect("words"), [relied_on]);
    fetch_also(&main, &place, relied_on);
    assert_eq!(collect(&place, &main, Duration::ZERO).objects, 0);
    let kept = Lab::new();
    fetch_also(&kept, &place, relied_on);
    // When the clone no longer says so, it goes.
    place.open().keep(&[7; 16], &[]).expect("another word");
    assert!(collect(&place, &main, Duration::ZERO).objects > 3);
    let gone = pentimento::sync::remote::ObjectKey::new(
        pentimento::sync::remote::Kind::Commit,
        *relied_on.as_bytes(),
    );
    assert_eq!(place.open().have(&[gone]).expect("an answer"), [false]);
    // A word that cannot be read stops the collection: nobody knows what it asked for.
    bucket.put("keeps/07070707070707070707070707070707.keep", b"damaged").expect("a blob");
    let stopped = place.remote().collect(&view, &how(Duration::ZERO), &SilentMonitor);
    assert!(matches!(stopped, Err(SyncError::Invalid { .. })), "{stopped:?}");
}

/// Fetches everything, and a commit that no name leads to.
fn fetch_also(lab: &Lab, place: &BucketPlace, commit: pentimento::base::id::CommitId) {
    let fetch = pentimento::sync::fetch::Fetch {
        repository: &lab.repository,
        remote: &*place.open(),
        name: "origin",
        content: true,
        judge: &pentimento::sync::accept::NoRules,
        also: vec![commit],
        now: pentimento::base::time::Timestamp { unix_ms: 1_772_382_000_000, offset_minutes: 0 },
    };
    fetch.run(&SilentMonitor).expect("a fetch");
    let view = lab.repository.view().expect("a view");
    assert!(pentimento::object::source::ObjectSource::commit(&view, commit).is_ok());
}

#[test]
fn a_sample_reads_a_part_and_always_what_is_new() {
    let place = BucketPlace::memory();
    let lab = Lab::new();
    for round in 0..40u64 {
        lab.write("a.bin", noise(round, 20_000));
        lab.commit("on");
        push_from(&lab, &*place.open(), "main", seen_there(&place)).expect("a push");
    }
    let mark = place.open().describe().expect("a description").mark;
    let read = |percent: f64, since: u64, nonce: u8| {
        let reading = Reading { percent, since, nonce: [nonce; 16] };
        place.remote().verify(None, &reading, &SilentMonitor).expect("a check")
    };
    let half = read(50.0, u64::MAX, 1);
    assert_eq!(half.parcels + half.parcels_left_out, 80);
    assert!((15..65).contains(&half.parcels), "{half:?}");
    assert_ne!(half.bytes, read(50.0, u64::MAX, 2).bytes, "another choice each time");
    assert_eq!(read(0.000_001, mark - 3, 1).parcels, 6, "a pack and a bundle of each of the last three");
}

#[test]
fn a_sample_of_however_little_reads_something() {
    let place = BucketPlace::memory();
    let lab = Lab::new();
    lab.write("a.bin", noise(1, 200_000));
    lab.commit("begin");
    push_to(&lab, &*place.open(), "main").expect("a push");
    let mut drawn = std::collections::HashSet::new();
    for nonce in 0..40 {
        let reading = Reading { percent: 0.000_001, since: u64::MAX, nonce: [nonce; 16] };
        let verified = place.remote().verify(None, &reading, &SilentMonitor).expect("a reading");
        assert_eq!((verified.parcels, verified.parcels_left_out), (1, 1), "{verified:?}");
        drawn.insert(verified.bytes);
    }
    assert_eq!(drawn.len(), 2, "the pack and the bundle both have their turn");
}

#[test]
fn the_word_of_a_clone_that_cannot_be_read_stops_collections_and_is_named() {
    let place = BucketPlace::folder();
    let lab = Lab::new();
    lab.write("a.bin", noise(1, 100_000));
    lab.commit("begin");
    push_to(&lab, &*place.open(), "main").expect("a push");
    // Whoever may write there may write this too; nothing goes that somebody may rely on.
    place.bucket.put("keeps/0123.keep", b"not a word").expect("written");
    let view = lab.repository.view().expect("a view");
    let refused = place.remote().collect(&view, &how(Duration::ZERO), &SilentMonitor).expect_err("a refusal");
    assert!(refused.to_string().contains("keeps/0123.keep"), "{refused}");
    assert!(clone_of(&place).repository.view().is_ok());
    place.bucket.delete("keeps/0123.keep").expect("removed");
    assert!(place.remote().collect(&view, &how(Duration::ZERO), &SilentMonitor).is_ok());
}
