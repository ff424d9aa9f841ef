//! Many at once.

use super::care::collect;
use super::http::HttpPlace;
use super::{BucketPlace, Place, assert_sound, clone_of, fetch_from, head, push_from, push_to, seen};
use crate::app_flow::{Lab, noise};
use pentimento::app::merge;
use pentimento::base::monitor::SilentMonitor;
use pentimento::sync::SyncError;
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

pub fn to_branches_of_their_own(place: &dyn Place, people: u64) {
    let labs: Vec<Lab> = (0..people).map(|_| Lab::new()).collect();
    std::thread::scope(|scope| {
        for (number, lab) in labs.iter().enumerate() {
            scope.spawn(move || {
                for round in 0..3 {
                    lab.write(&format!("{number}.bin"), noise(number as u64 * 10 + round, 40_000));
                    lab.commit("on");
                    push_to(lab, &*place.open(), &format!("b{number}")).expect("a push");
                }
            });
        }
    });
    let clone = clone_of(place);
    for (number, lab) in labs.iter().enumerate() {
        assert_eq!(seen(&clone, &format!("b{number}")), Some(head(lab)));
    }
    assert_eq!(place.open().describe().expect("a description").mark, people * 3);
}

#[test]
fn twenty_push_to_branches_of_their_own_in_a_folder() {
    to_branches_of_their_own(&BucketPlace::folder(), 20);
}

#[test]
fn twenty_push_to_branches_of_their_own_in_memory() {
    to_branches_of_their_own(&BucketPlace::memory(), 20);
}

/// Pushes to one branch until it is taken; brings the others' work along in between.
fn push_and_merge(lab: &Lab, place: &dyn Place) {
    for _ in 0..400 {
        match push_from(lab, &*place.open(), "main", seen(lab, "main")) {
            Ok(_) => return,
            Err(SyncError::Moved { .. } | SyncError::Busy { .. }) => bring_along(lab, place),
            Err(error) => panic!("a push failed: {error}"),
        }
    }
    panic!("a push was refused four hundred times");
}

fn bring_along(lab: &Lab, place: &dyn Place) {
    fetch_from(lab, &*place.open()).expect("a fetch");
    let options =
        merge::Options { name: "origin/main".into(), identity: Some(crate::app_flow::anna()), message: None };
    merge::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a merge");
}

pub fn to_one_branch(place: &dyn Place, people: u64) {
    to_one_branch_beside(place, people, &|_| {});
}

/// The same while something else goes on, until it is told that all is over.
pub fn to_one_branch_beside(place: &dyn Place, people: u64, beside: &(dyn Fn(&AtomicBool) + Sync)) {
    let first = Lab::new();
    first.write("begin", "begin");
    first.commit("begin");
    push_to(&first, &*place.open(), "main").expect("a push");
    let labs: Vec<Lab> = (0..people).map(|_| Lab::new()).collect();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| beside(&over));
        let pusher = |(number, lab): (usize, &'_ Lab)| {
            lab.write(&format!("{number}.txt"), format!("by {number}"));
            lab.commit("mine");
            bring_along(lab, place);
            push_and_merge(lab, place);
        };
        let pushers: Vec<_> = labs.iter().enumerate().map(|each| scope.spawn(move || pusher(each))).collect();
        let ends: Vec<_> = pushers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        assert!(ends.iter().all(Result::is_ok), "a pusher failed");
    });
    let clone = clone_of(place);
    let view = clone.repository.view().expect("a view");
    let tip = seen(&clone, "main").expect("a branch");
    let tree = pentimento::object::source::ObjectSource::commit(&view, tip).expect("a commit").tree;
    let names: HashSet<String> =
        pentimento::object::tree_walk::TreeWalk::new(&view, tree, Default::default())
            .map(|item| item.expect("an entry").0.to_string())
            .collect();
    for number in 0..people {
        assert!(names.contains(&format!("{number}.txt")), "the work of {number} is lost: {names:?}");
    }
}

#[test]
fn twenty_push_to_one_branch_in_a_folder_and_no_update_is_lost() {
    to_one_branch(&BucketPlace::folder(), 20);
}

#[test]
fn twenty_push_to_one_branch_while_gc_runs_and_no_update_is_lost() {
    let place = BucketPlace::folder();
    let collections = AtomicU64::new(0);
    to_one_branch_beside(&place, 20, &|over| {
        let collector = Lab::new();
        while !over.load(Ordering::Relaxed) {
            collect(&place, &collector, Duration::from_secs(3600));
            collections.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert!(collections.into_inner() > 0);
    collect(&place, &Lab::new(), Duration::ZERO);
    assert_sound(&clone_of(&place));
}

#[test]
fn twenty_push_to_one_branch_over_http_while_gc_runs_and_no_update_is_lost() {
    let place = HttpPlace::new();
    let collections = AtomicU64::new(0);
    to_one_branch_beside(&place, 20, &|over| {
        while !over.load(Ordering::Relaxed) {
            gc_of(&place.folder());
            collections.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert!(collections.into_inner() > 0);
}

/// The program collects in a repository that is served meanwhile.
fn gc_of(repository: &Path) {
    let gc =
        Command::new(env!("CARGO_BIN_EXE_pent")).args(["--yes", "-C"]).arg(repository).arg("gc").output();
    let gc = gc.expect("gc runs");
    assert!(gc.status.success(), "{}", String::from_utf8_lossy(&gc.stderr));
}

/// Pushes until it is taken: gc may have been there in between.
fn push_until_taken(lab: &Lab, place: &dyn Place, name: &str) {
    for _ in 0..200 {
        match push_to(lab, &*place.open(), name) {
            Ok(_) => return,
            Err(SyncError::Moved { .. } | SyncError::Busy { .. } | SyncError::Unreachable { .. }) => {}
            Err(error) => panic!("a push failed: {error:?}"),
        }
    }
    panic!("a push is never taken");
}

#[test]
fn twenty_push_over_http_while_gc_runs_and_nothing_is_lost() {
    let place = HttpPlace::new();
    let labs: Vec<Lab> = (0..20).map(|_| Lab::new()).collect();
    let over = AtomicBool::new(false);
    let mut collections = 0;
    std::thread::scope(|scope| {
        let pushers: Vec<_> = labs
            .iter()
            .enumerate()
            .map(|(number, lab)| {
                let place = &place;
                scope.spawn(move || {
                    for round in 0..3 {
                        lab.write(&format!("{number}.bin"), noise(number as u64 * 10 + round, 40_000));
                        lab.write("common.bin", noise(round, 80_000));
                        lab.commit("on");
                        push_until_taken(lab, place, &format!("b{number}"));
                    }
                })
            })
            .collect();
        let (over, collections) = (&over, &mut collections);
        let repository = place.folder();
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                gc_of(&repository);
                *collections += 1;
            }
        });
        for pusher in pushers {
            pusher.join().expect("a pusher");
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(collections > 0);
    let clone = clone_of(&place);
    for (number, lab) in labs.iter().enumerate() {
        assert_eq!(seen(&clone, &format!("b{number}")), Some(head(lab)));
    }
}
