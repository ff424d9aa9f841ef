//! What a bucket says of itself is true, or is put right: damage, loss, index files, the head, what
//! different clones cut or erased.

use super::{
    BucketPlace, Place, REPOSITORY, assert_sound, branch, clone_of, fetch_from, head, push_to, seen, token,
};
use crate::app_flow::{Lab, anna, noise};
use pentimento::app::erase;
use pentimento::base::monitor::SilentMonitor;
use pentimento::object::chunker::ChunkerParameters;
use pentimento::repo::refs::RefName;
use pentimento::store::StoreSettings;
use pentimento::store::bucket::head::Head;
use pentimento::store::bucket::{Bucket, MemoryBucket};
use pentimento::sync::SyncError;
use pentimento::sync::bucket::{BucketRemote, Collect, Collected, Reading, Verified};
use pentimento::sync::remote::{Kind, ObjectKey, Proposal, RefChange};
use std::sync::Arc;
use std::time::Duration;

fn place() -> (Arc<MemoryBucket>, BucketPlace) {
    let bucket = Arc::new(MemoryBucket::new());
    (bucket.clone(), BucketPlace::begin(bucket))
}

fn keys(bucket: &MemoryBucket, prefix: &str) -> Vec<String> {
    bucket.keys().into_iter().filter(|key| key.starts_with(prefix)).collect()
}

/// A lab whose work is on the remote: a large file, a small one, and a second commit.
fn shared(place: &BucketPlace) -> Lab {
    let lab = Lab::new();
    lab.write("big.bin", noise(4, 900_000));
    lab.write("a.txt", "hello");
    lab.commit("begin");
    push_to(&lab, &*place.open(), "main").expect("a push");
    lab.write("a.txt", "more");
    lab.commit("on");
    push_to(&lab, &*place.open(), "main").expect("a push");
    // Where a repair finds the names that this clone saw last.
    fetch_from(&lab, &*place.open()).expect("a fetch");
    lab
}

fn repair(place: &BucketPlace, lab: &Lab) -> Verified {
    place.remote().repair(&lab.repository, "origin", token(), &SilentMonitor).expect("a repair")
}

fn verify(place: &BucketPlace, lab: &Lab) -> Verified {
    let view = lab.repository.view().expect("a view");
    place.remote().verify(Some(&view), &Reading::EVERYTHING, &SilentMonitor).expect("a check")
}

/// Collects at once, with a clone that has everything.
fn collect(place: &BucketPlace, lab: &Lab) -> Collected {
    fetch_from(lab, &*place.open()).expect("a fetch");
    let how = Collect { grace: Duration::ZERO, now_ms: 1_800_000_000_000, token: token(), dry_run: false };
    let view = lab.repository.view().expect("a view");
    place.remote().collect(&view, &how, &SilentMonitor).expect("a collection")
}

/// Pushes something that a collection then takes away again.
fn leave_garbage(place: &BucketPlace, number: u64) {
    let other = Lab::new();
    other.write("gone.bin", noise(7000 + number, 60_000));
    other.commit("goes");
    let name = format!("gone{number}");
    push_to(&other, &*place.open(), &name).expect("a push");
    let epoch = place.open().describe().expect("a description").epoch;
    let change = RefChange { name: branch(&name), expected: Some(head(&other)), target: None };
    let changes = vec![change];
    let proposal = Proposal { epoch, token: token(), parcels: Vec::new(), changes, logs: Vec::new() };
    place.open().publish(&proposal).expect("a name less");
}

fn read_head(bucket: &MemoryBucket) -> Head {
    let (bytes, _) = bucket.read_cell("head", 1 << 24).expect("a read").expect("a head");
    Head::decode(&bytes).expect("a head that can be read")
}

fn change_head(bucket: &MemoryBucket, change: impl FnOnce(&mut Head)) {
    bucket.tamper("head", |bytes| {
        let mut head = Head::decode(bytes).expect("a head");
        change(&mut head);
        *bytes = head.encode().expect("a head within its limits");
    });
}

#[test]
fn what_a_repair_gave_back_stays_through_merging_and_collecting() {
    let (bucket, place) = place();
    let lab = shared(&place);
    let packs = keys(&bucket, "packs/");
    bucket.tamper(&packs[0], |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let repaired = repair(&place, &lab);
    assert!(repaired.repaired > 0 && repaired.repaired == repaired.objects, "{repaired:?}");
    for number in 0..20 {
        leave_garbage(&place, number);
    }
    assert_eq!(seen(&clone_of(&place), "main"), Some(head(&lab)));
    assert!(collect(&place, &lab).objects > 20);
    assert_eq!(seen(&clone_of(&place), "main"), Some(head(&lab)));
    assert!(verify(&place, &lab).is_sound());
}

#[test]
fn what_nobody_can_give_back_is_not_said_to_be_there_and_comes_with_the_next_push() {
    let (bucket, place) = place();
    let lab = shared(&place);
    for key in keys(&bucket, "packs/") {
        bucket.delete(&key).expect("a removal");
    }
    let stranger = Lab::new();
    let epoch = place.open().describe().expect("a description").epoch;
    let repaired = repair(&place, &stranger);
    assert!(repaired.objects > 5 && repaired.repaired == 0 && !repaired.complete, "{repaired:?}");
    assert!(place.open().describe().expect("a description").epoch > epoch);
    // The same files at another place, by somebody who has them.
    let other = Lab::new();
    other.write("copy.bin", noise(4, 900_000));
    other.write("a.txt", "hello");
    other.commit("the same");
    push_to(&other, &*place.open(), "copy").expect("a push");
    let fresh = Lab::new();
    fetch_from(&fresh, &*place.open()).expect_err("main is still not whole");
    fetch_from(&lab, &*place.open()).expect("a fetch");
    let mended = repair(&place, &lab);
    assert!(mended.complete && mended.missing > 0, "{mended:?}");
    assert_eq!(seen(&clone_of(&place), "main"), Some(head(&lab)));
}

#[test]
fn a_lost_or_damaged_index_file_is_made_anew_from_packs_and_bundles() {
    for lose in [true, false] {
        let (bucket, place) = place();
        let lab = shared(&place);
        // Parcels of a push that is under way: its commit is not whole, and nobody may be told that it is there.
        let under_way = Lab::new();
        under_way.write("half.bin", noise(9, 300_000));
        under_way.commit("half");
        let before = keys(&bucket, "");
        push_to(&under_way, &*place.open(), "half").expect("a push");
        change_head(&bucket, |head| {
            head.refs.remove("branch/half");
            head.indexes.pop();
        });
        for key in keys(&bucket, "packs/").iter().filter(|key| !before.contains(key)) {
            bucket.delete(key).expect("a removal");
        }
        for key in keys(&bucket, "indexes/") {
            if lose {
                bucket.delete(&key).expect("a removal");
            } else {
                bucket.tamper(&key, |bytes| bytes[40] ^= 1);
            }
        }
        let error = fetch_from(&Lab::new(), &*place.open()).expect_err("no index");
        assert!(matches!(error, SyncError::Missing { .. } | SyncError::Damaged { .. }), "{error}");
        let found = verify(&place, &lab);
        assert!(!found.is_sound() && !found.indexes_damaged.is_empty(), "{found:?}");
        let repaired = repair(&place, &lab);
        assert_eq!((repaired.missing, repaired.repaired), (0, 0), "all of it is there: {repaired:?}");
        assert_eq!(seen(&clone_of(&place), "main"), Some(head(&lab)));
        let is_there = |lab: &Lab| {
            let remote = place.open();
            remote.describe().expect("a description");
            remote.have(&[ObjectKey::new(Kind::Commit, *head(lab).as_bytes())]).expect("an answer")[0]
        };
        assert!(is_there(&lab) && !is_there(&under_way));
        assert!(verify(&place, &lab).is_sound());
        // And whoever was pushing goes on.
        push_to(&under_way, &*place.open(), "half").expect("a push");
        assert_eq!(seen(&clone_of(&place), "half"), Some(head(&under_way)));
    }
}

#[test]
fn a_remote_that_lacks_what_its_names_need_is_not_called_sound() {
    let (bucket, place) = place();
    let lab = shared(&place);
    assert!(verify(&place, &lab).is_sound());
    // Somebody drops the older index file, as a careless or hostile collection would.
    change_head(&bucket, |head| {
        head.indexes.remove(0);
    });
    let found = verify(&place, &lab);
    assert!(found.complete && found.missing > 5 && !found.is_sound(), "{found:?}");
    let alone = place.remote().verify(None, &Reading::EVERYTHING, &SilentMonitor).expect("a check");
    assert!(!alone.complete, "without a clone nobody knows");
    let repaired = repair(&place, &lab);
    assert_eq!((repaired.missing, repaired.repaired), (found.missing, found.missing), "{repaired:?}");
    assert_eq!(seen(&clone_of(&place), "main"), Some(head(&lab)));
    assert!(verify(&place, &lab).is_sound());
}

#[test]
fn an_index_file_that_leads_to_the_wrong_place_is_found_and_put_right() {
    let (bucket, place) = place();
    let lab = shared(&place);
    // The pack is whole, and another one: everything that is said of it is wrong.
    let packs = keys(&bucket, "packs/");
    let other = bucket.get(&packs[1], 1 << 24).expect("a read").expect("a pack");
    bucket.put(&packs[0], &other).expect("another pack under its name");
    let found = verify(&place, &lab);
    assert_eq!(found.damaged.len(), 1, "{found:?}");
    let repaired = repair(&place, &lab);
    assert!(repaired.repaired > 0 && repaired.repaired == repaired.objects, "{repaired:?}");
    assert_eq!(seen(&clone_of(&place), "main"), Some(head(&lab)));
}

#[test]
fn a_head_that_is_lost_is_made_anew_with_the_names_that_a_clone_saw_last() {
    for lose in [true, false] {
        let (bucket, place) = place();
        let lab = shared(&place);
        let before = read_head(&bucket);
        if lose {
            bucket.delete("head").expect("a removal");
        } else {
            bucket.tamper("head", |bytes| bytes.truncate(bytes.len() / 2));
        }
        fetch_from(&Lab::new(), &*place.open()).expect_err("no head");
        let repaired = repair(&place, &lab);
        assert!(repaired.head_restored && repaired.missing == 0, "{repaired:?}");
        let after = read_head(&bucket);
        assert!(after.epoch > before.epoch && after.generation > before.generation);
        assert_eq!(seen(&clone_of(&place), "main"), Some(head(&lab)));
        assert!(verify(&place, &lab).is_sound());
    }
    // Where nothing ever was, nothing is begun.
    let empty = BucketRemote::new(Arc::new(MemoryBucket::new()), "a disk that is not there".into(), None);
    let nothing = empty.repair(&Lab::new().repository, "origin", token(), &SilentMonitor);
    assert!(matches!(nothing, Err(SyncError::Nothing { .. })), "{nothing:?}");
}

#[test]
fn a_folder_gives_back_the_head_before_the_one_that_cannot_be_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bucket =
        pentimento::store::bucket::FolderBucket::create(&folder.path().join("nas")).expect("a folder");
    let place = BucketPlace::begin(Arc::new(bucket));
    let lab = shared(&place);
    push_to(&lab, &*place.open(), "copy").expect("a push");
    let mut heads: Vec<_> = std::fs::read_dir(folder.path().join("nas"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains("head."))
        .collect();
    heads.sort();
    let newest = heads.pop().expect("a head");
    std::fs::write(&newest, b"rot").expect("a damaged head");
    fetch_from(&Lab::new(), &*place.open()).expect_err("no head");
    let repaired = repair(&place, &lab);
    assert!(repaired.head_restored && repaired.missing == 0, "{repaired:?}");
    let clone = clone_of(&place);
    assert_eq!((seen(&clone, "main"), seen(&clone, "copy")), (Some(head(&lab)), None));
    push_to(&lab, &*place.open(), "copy").expect("a push");
    assert_eq!(seen(&clone_of(&place), "copy"), Some(head(&lab)));
}

#[test]
fn a_collection_keeps_what_the_manifests_of_the_bucket_list() {
    let (_, place) = place();
    let cut_small = StoreSettings {
        repository: REPOSITORY,
        chunker: ChunkerParameters::new(4 << 10, 8 << 10, 16 << 10).expect("parameters"),
    };
    // One of few chunks, and one whose list of chunks lies in nodes.
    for length in [400_000, 6_000_000] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mallory = Lab::with_settings(folder, &cut_small);
        mallory.write("big.mov", noise(5, length));
        mallory.commit("cut in another way");
        push_to(&mallory, &*place.open(), &format!("mallory{length}")).expect("a push");
        let lab = Lab::new();
        lab.write("mine.mov", noise(5, length));
        lab.commit("the same bytes");
        push_to(&lab, &*place.open(), &format!("anna{length}")).expect("a push");
        // Whoever has the file in other parts and never sent them misses nothing there.
        let other = Lab::new();
        other.write("other.mov", noise(5, length));
        other.commit("the same bytes");
        fetch_from(&other, &*place.open()).expect("a fetch");
        leave_garbage(&place, length as u64);
        collect(&place, &other);
        assert!(verify(&place, &other).is_sound());
        let clone = clone_of(&place);
        assert_eq!(seen(&clone, &format!("mallory{length}")), Some(head(&mallory)));
        assert!(verify(&place, &lab).is_sound());
    }
}

pub fn erase(lab: &Lab, name: &str) {
    let options = erase::Options {
        which: erase::Which::Path { path: crate::app_flow::path(name), revision: None },
        identity: Some(anna()),
        reason: "a contract that ended".into(),
        dry_run: false,
    };
    erase::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("an erasure");
}

#[test]
fn what_one_clone_erased_for_itself_stays_for_the_others() {
    let (_, place) = place();
    let lab = shared(&place);
    erase(&lab, "big.bin");
    erase(&lab, "a.txt");
    leave_garbage(&place, 1);
    assert!(collect(&place, &lab).objects > 0);
    let clone = clone_of(&place);
    assert_eq!(seen(&clone, "main"), Some(head(&lab)));
    let view = clone.repository.view().expect("a view");
    let file = pentimento::base::id::FileId::of(&noise(4, 900_000));
    assert!(view.manifest(file).expect("readable").is_some());
    assert!(verify(&place, &lab).is_sound());
    // Whoever says that it is to go for all has it go, and the rest stays to be had.
    let how = Collect { grace: Duration::ZERO, now_ms: 1_800_000_000_000, token: token(), dry_run: false };
    let ours = lab.repository.view().expect("a view");
    let erased = std::collections::HashSet::from([file]);
    let gone = place.remote().collect_erased(&ours, &how, &erased, &SilentMonitor).expect("a collection");
    assert!(gone.removed_bytes > 900_000, "{gone:?}");
    let later = clone_of(&place);
    assert_eq!(seen(&later, "main"), Some(head(&lab)));
    let theirs = later.repository.view().expect("a view");
    assert!(theirs.is_excused(file).expect("an answer") && !view.is_excused(file).expect("an answer"));
    assert!(verify(&place, &lab).is_sound());
}

#[test]
fn a_file_that_was_erased_before_it_was_pushed_keeps_nobody_from_the_rest() {
    let served = super::ServedPlace::new();
    let (_, bucket) = place();
    for place in [&served as &dyn Place, &bucket] {
        let lab = Lab::new();
        lab.write("contract.pdf", noise(8, 700_000));
        lab.write("a.txt", "hello");
        lab.commit("begin");
        erase(&lab, "contract.pdf");
        std::fs::remove_file(lab.at("contract.pdf")).expect("a removal");
        lab.commit("without it");
        push_to(&lab, &*place.open(), "main").expect("a push");
        let clone = Lab::new();
        fetch_from(&clone, &*place.open()).expect("a fetch");
        assert_eq!(seen(&clone, "main"), Some(head(&lab)));
        assert_sound(&clone);
        // From there it goes on to others.
        let third = BucketPlace::memory();
        let name = RefName::remote("origin", &branch("main")).expect("a name");
        let at = clone.repository.view().expect("a view").reference(&name).expect("a ref").expect("a commit");
        let push = pentimento::sync::push::Push {
            also: Vec::new(),
            repository: &clone.repository,
            remote: &*third.open(),
            known: Vec::new(),
            changes: vec![RefChange { name: branch("main"), expected: None, target: Some(at) }],
            logs: Vec::new(),
            log_objects: Vec::new(),
            notes: clone.repository.pent_dir().join("remotes/third"),
            token: token(),
        };
        let description = third.open().describe().expect("a description");
        push.run(description, &SilentMonitor).expect("a push");
        clone_of(&third);
    }
}

#[test]
fn a_tombstone_takes_nothing_from_whoever_has_the_bytes() {
    let (_, place) = place();
    let (first, second) = (Lab::new(), Lab::new());
    first.write("logo.bin", noise(3, 400_000));
    first.commit("mine");
    second.write("logo.bin", noise(3, 400_000));
    second.commit("theirs");
    erase(&first, "logo.bin");
    push_to(&first, &*place.open(), "first").expect("a push");
    fetch_from(&second, &*place.open()).expect("a fetch");
    let view = second.repository.view().expect("a view");
    let bytes = noise(3, 400_000);
    let file = pentimento::base::id::FileId::of(&bytes);
    assert!(!view.is_erased(file).expect("an answer") && view.has_content(file, 400_000).expect("an answer"));
    // And whoever has them gives them to those who have not.
    push_to(&second, &*place.open(), "second").expect("a push");
    let third = clone_of(&place);
    let view = third.repository.view().expect("a view");
    assert!(!view.is_erased(file).expect("an answer") && view.has_content(file, 400_000).expect("an answer"));
}

#[test]
fn bytes_that_were_erased_at_the_other_end_are_refused_and_not_called_pushed() {
    let served = super::served_lab();
    let files = [("film.bin", noise(34, 900_000)), ("a.txt", b"a line".to_vec())];
    for (name, bytes) in &files {
        served.write(name, bytes);
    }
    served.commit("there");
    erase(&served, "film.bin");
    erase(&served, "a.txt");
    let place = super::ServedPlace::of(served);
    for (name, bytes) in &files {
        let lab = Lab::new();
        lab.write(name, bytes);
        lab.commit("again");
        let error = push_to(&lab, &*place.open(), "again").expect_err("it was erased there");
        assert!(matches!(error, SyncError::TurnedDown { .. }), "{error}");
        assert!(error.to_string().contains("a contract that ended"), "{error}");
        // Whoever erases it too may have it in their history.
        erase(&lab, name);
        push_to(&lab, &*place.open(), name).expect("a push");
    }
}

#[test]
fn a_commit_of_bytes_that_were_erased_elsewhere_keeps_them() {
    let (_, place) = place();
    let lab = Lab::new();
    lab.write("logo.bin", noise(35, 400_000));
    lab.commit("mine");
    erase(&lab, "logo.bin");
    push_to(&lab, &*place.open(), "first").expect("a push");
    let other = clone_of(&place);
    let file = pentimento::base::id::FileId::of(&noise(35, 400_000));
    assert!(other.repository.view().expect("a view").is_excused(file).expect("an answer"));
    other.write("copy.bin", noise(35, 400_000));
    other.commit("copied");
    let view = other.repository.view().expect("a view");
    assert!(
        !view.is_excused(file).expect("an answer") && view.has_content(file, 400_000).expect("an answer")
    );
    let key = pentimento::repo::tombstone::Tombstone::excuse_key(file);
    assert!(!view.snapshot().contains(pentimento::store::Space::Tombstones, &key).expect("an answer"));
    assert_sound(&other);
}
