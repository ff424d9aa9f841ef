//! What every form must do.

use super::mending::erase;
use super::{Place, assert_sound, branch, clone_of, fetch_from, head, push_to, seen, token};
use crate::app_flow::{Lab, noise, path};
use pentimento::base::id::{ChunkId, FileId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::repo::content::{ContentError, file_chunks};
use pentimento::repo::extract::Extractor;
use pentimento::repo::refs::RefTarget;
use pentimento::repo::tombstone::Tombstone;
use pentimento::store::Space;
use pentimento::sync::SyncError;
use pentimento::sync::remote::{Kind, ObjectKey, Proposal, RefChange};
use std::sync::Mutex;

fn lab_with(files: &[(&str, Vec<u8>)]) -> Lab {
    let lab = Lab::new();
    for (name, bytes) in files {
        lab.write(name, bytes);
    }
    lab.commit("begin");
    lab
}

pub fn what_is_pushed_comes_back_whole(place: &dyn Place) {
    let lab = lab_with(&[("a.txt", b"hello".to_vec()), ("deep/down/b.bin", noise(1, 3_000_000))]);
    push_to(&lab, &*place.open(), "main").expect("a push");
    lab.write("a.txt", "hello again");
    lab.commit("change");
    let moved = push_to(&lab, &*place.open(), "main").expect("a second push");
    assert_eq!((moved.commits, moved.assets), (1, 1));
    assert!(moved.bytes_sent < 10_000, "{moved:?}");
    let other = clone_of(place);
    assert_eq!(seen(&other, "main"), Some(head(&lab)));
    let again = fetch_from(&other, &*place.open()).expect("another fetch");
    assert_eq!((again.commits, again.bytes_received, again.moved.len()), (0, 0, 0));
}

pub fn nothing_shows_before_it_is_published(place: &dyn Place) {
    let lab = lab_with(&[("a.txt", noise(2, 100_000))]);
    let remote = place.open();
    let description = remote.describe().expect("a description");
    let proposal = Proposal {
        epoch: description.epoch,
        token: token(),
        parcels: Vec::new(),
        changes: vec![RefChange {
            name: branch("main"),
            expected: Some(head(&lab)),
            target: Some(RefTarget::plain(head(&lab))),
        }],
        logs: Vec::new(),
    };
    assert!(matches!(remote.publish(&proposal), Err(SyncError::Moved { .. })));
    let key = ObjectKey::new(Kind::Commit, *head(&lab).as_bytes());
    assert_eq!(place.open().have(&[key]).expect("an answer"), [false]);
    assert!(place.open().describe().expect("a description").refs.is_empty());
}

pub fn a_name_moves_only_from_where_it_is(place: &dyn Place) {
    let (first, second) = (lab_with(&[("a", b"one".to_vec())]), lab_with(&[("b", b"two".to_vec())]));
    let (slow, quick) = (place.open(), place.open());
    let before = slow.describe().expect("a description");
    push_to(&first, &*quick, "main").expect("the first push");
    let late = Proposal {
        epoch: before.epoch,
        token: token(),
        parcels: Vec::new(),
        changes: vec![RefChange {
            name: branch("main"),
            expected: None,
            target: Some(RefTarget::plain(head(&second))),
        }],
        logs: Vec::new(),
    };
    let outcome = slow.publish(&late);
    let actual = Some(head(&first));
    assert!(
        matches!(&outcome, Err(SyncError::Moved { actual: found, .. }) if *found == actual),
        "{outcome:?}"
    );
    assert_eq!(seen(&clone_of(place), "main"), actual);
}

pub fn a_publication_counts_once_however_often_it_is_told(place: &dyn Place) {
    let lab = lab_with(&[("a", b"one".to_vec())]);
    push_to(&lab, &*place.open(), "main").expect("a push");
    let remote = place.open();
    let description = remote.describe().expect("a description");
    let change =
        |expected| RefChange { name: branch("side"), expected, target: Some(RefTarget::plain(head(&lab))) };
    let proposal = Proposal {
        epoch: description.epoch,
        token: token(),
        parcels: Vec::new(),
        changes: vec![change(None)],
        logs: Vec::new(),
    };
    let first = remote.publish(&proposal).expect("published");
    let second = place.open().publish(&proposal).expect("told again");
    assert_eq!(first.mark, second.mark);
    let other = Proposal { token: token(), ..proposal };
    assert!(matches!(place.open().publish(&other), Err(SyncError::Moved { .. })));
}

pub fn what_the_remote_has_is_not_sent_again(place: &dyn Place) {
    let big = noise(3, 4_000_000);
    let lab = lab_with(&[("big.bin", big.clone())]);
    push_to(&lab, &*place.open(), "main").expect("a push");
    // Somebody else has the same content under another name, and no common history.
    let other = lab_with(&[("elsewhere/copy.bin", big)]);
    let moved = push_to(&other, &*place.open(), "side").expect("a push");
    assert!(moved.bytes_sent < 5_000, "{moved:?}");
    assert_eq!(moved.bytes_shared, 4_000_000);
    let clone = clone_of(place);
    assert_eq!((seen(&clone, "main"), seen(&clone, "side")), (Some(head(&lab)), Some(head(&other))));
}

pub fn histories_that_parted_come_back_both(place: &dyn Place) {
    let lab = lab_with(&[("a", b"one".to_vec()), ("b", b"one".to_vec())]);
    push_to(&lab, &*place.open(), "main").expect("a push");
    let other = Lab::new();
    fetch_from(&other, &*place.open()).expect("a fetch");
    other.write("c", "three");
    other.commit("apart");
    lab.write("a", "two");
    lab.commit("on");
    push_to(&other, &*place.open(), "side").expect("a push");
    push_to(&lab, &*place.open(), "main").expect("a push");
    fetch_from(&other, &*place.open()).expect("a fetch");
    assert_sound(&other);
    assert_eq!((seen(&other, "main"), seen(&other, "side")), (Some(head(&lab)), Some(head(&other))));
}

pub fn a_question_about_what_is_not_there_is_answered_with_no(place: &dyn Place) {
    let lab = lab_with(&[("a", noise(4, 200_000))]);
    push_to(&lab, &*place.open(), "main").expect("a push");
    let remote = place.open();
    let known = ObjectKey::new(Kind::Commit, *head(&lab).as_bytes());
    let unknown = ObjectKey::new(Kind::Commit, [7; 32]);
    // The id of a commit is no id of a tree.
    let other_kind = ObjectKey::new(Kind::Tree, *head(&lab).as_bytes());
    assert_eq!(remote.have(&[unknown, known, other_kind]).expect("answers"), [false, true, false]);
    let mut bundles = 0;
    let fetched = remote.fetch_objects(&[unknown], &mut |_| {
        bundles += 1;
        Ok(())
    });
    assert!(fetched.is_ok());
    assert_eq!(bundles, 0);
    let blocks = Mutex::new(0);
    let fetched = remote.fetch_chunks(&[ChunkId::of(b"nowhere")], &|_| {
        *blocks.lock().expect("a lock") += 1;
        Ok(())
    });
    assert!(fetched.is_ok());
    assert_eq!(blocks.into_inner().expect("a lock"), 0);
}

pub fn a_push_that_was_stopped_goes_on_where_it_was(place: &dyn Place) {
    let lab = lab_with(&[("big.bin", noise(5, 3_000_000))]);
    let remote = place.open();
    // The parcels arrive; the publication does not, since somebody else has the name.
    let other = lab_with(&[("b", b"x".to_vec())]);
    let stale = remote.describe().expect("a description");
    push_to(&other, &*place.open(), "main").expect("a push");
    let change =
        RefChange { name: branch("main"), expected: None, target: Some(RefTarget::plain(head(&lab))) };
    let mut push = pentimento::sync::push::Push {
        repository: &lab.repository,
        remote: &*remote,
        known: Vec::new(),
        changes: vec![change],
        logs: Vec::new(),
        also: Vec::new(),
        log_objects: Vec::new(),
        notes: lab.repository.pent_dir().join("remotes/test"),
        token: token(),
    };
    let monitor = pentimento::base::monitor::SilentMonitor;
    assert!(matches!(push.run(stale, &monitor), Err(SyncError::Moved { .. })));
    push.changes[0].name = branch("side");
    let (moved, _) = push.run(remote.describe().expect("a description"), &monitor).expect("a push");
    assert_eq!(moved.bytes_sent, 0, "{moved:?}");
    assert!(moved.bytes_resumed > 3_000_000, "{moved:?}");
    let notes = std::fs::read_dir(&push.notes).expect("the folder of notes").count();
    assert_eq!(notes, 0, "notes of what was published are gone");
    assert_eq!(seen(&clone_of(place), "side"), Some(head(&lab)));
}

pub fn many_small_files_and_one_large_one(place: &dyn Place) {
    let lab = Lab::new();
    for number in 0..700 {
        lab.write(&format!("small/{}/{number}.txt", number % 9), format!("number {number}").repeat(number));
    }
    lab.write("large.bin", noise(6, 12_000_000));
    lab.write("empty", "");
    lab.commit("all of it");
    push_to(&lab, &*place.open(), "main").expect("a push");
    // Part of the small ones changes: blocks are shared with chunks that do not come along.
    for number in (0..700).step_by(3) {
        lab.write(
            &format!("small/{}/{number}.txt", number % 9),
            format!("changed {number}").repeat(number + 1),
        );
    }
    lab.commit("some of it");
    push_to(&lab, &*place.open(), "main").expect("a push");
    let clone = clone_of(place);
    let view = clone.repository.view().expect("a view");
    let tree = pentimento::object::source::ObjectSource::commit(&view, head(&lab)).expect("a commit").tree;
    let entry = pentimento::object::tree_walk::entry_at(&view, tree, &path("small/3/3.txt")).expect("a tree");
    assert!(entry.is_some());
}

pub fn whoever_says_what_time_it_is_never_goes_back(place: &dyn Place) {
    let remote = place.open();
    let first = remote.clock_ms().expect("an answer");
    push_to(&lab_with(&[("a", b"one".to_vec())]), &*place.open(), "main").expect("a push");
    let second = place.open().clock_ms().expect("an answer");
    assert!(second >= first, "{first:?} {second:?}");
    assert_eq!(first.is_some(), second.is_some());
}

/// Somebody has files count as erased before anybody else has them; then others bring the files.
pub fn a_tombstone_that_came_first_keeps_no_content_away(place: &dyn Place) {
    let files = [("film.bin", noise(33, 2_000_000)), ("small.txt", b"a line of text".to_vec())];
    let mallory = lab_with(&files);
    erase(&mallory, "film.bin");
    erase(&mallory, "small.txt");
    push_to(&mallory, &*place.open(), "draft/x").expect("a push");
    // Ben sees that first.
    let ben = clone_of(place);
    let excused = ben.repository.view().expect("a view");
    for (_, bytes) in &files {
        let (file, size) = (FileId::of(bytes), bytes.len() as u64);
        assert!(excused.is_excused(file).expect("an answer") && !excused.is_erased(file).expect("an answer"));
        assert!(!excused.has_content(file, size).expect("an answer"));
        let error = file_chunks(&excused, file, size).map(drop).expect_err("nothing came");
        assert!(matches!(error, ContentError::Excused { .. }), "{error}");
    }
    let anna = Lab::new();
    anna.write("work/film.bin", &files[0].1);
    anna.write("work/small.txt", &files[1].1);
    anna.commit("the real ones");
    let sent = push_to(&anna, &*place.open(), "main").expect("a push").bytes_sent;
    assert!(sent > 2_000_000, "{sent} bytes were sent");
    fetch_from(&ben, &*place.open()).expect("a fetch");
    for lab in [&ben, &clone_of(place)] {
        assert_sound(lab);
        let view = lab.repository.view().expect("a view");
        let reader = lab.repository.store().chunk_reader().expect("a reader");
        for (_, bytes) in &files {
            let (file, size) = (FileId::of(bytes), bytes.len() as u64);
            assert!(!view.is_excused(file).expect("an answer"));
            let mut out = Vec::new();
            let extractor = Extractor::new(&reader, &view, &SilentMonitor);
            extractor.write_file(file, size, &mut out).expect("its bytes");
            assert!(out == *bytes);
            let excuse = view.snapshot().contains(Space::Tombstones, &Tombstone::excuse_key(file));
            assert!(!excuse.expect("an answer"), "the excuse is dropped");
        }
    }
}
