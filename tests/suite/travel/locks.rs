//! Locks: granted at the log's home, to whoever has the newest version; kept at every push and fetch.

use super::{Nas, clone_of, fetch, log_of, pull, push, refusal, says, seen, share, signing, try_push};
use crate::review_kit::{House, Seconds, path};
use crate::trust_kit::{ANNA, BEN, CLEO, DORA, somebody};
use pentimento::app::common::locks::{LockLine, of_others};
use pentimento::app::common::remotes::Reach;
use pentimento::app::error::AppError;
use pentimento::app::lock::{Locking, Options, Report};
use pentimento::app::push::Options as PushOptions;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::Clock as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Nothing is protected.
const FREE: &str = "";
const HOUR_MS: i64 = 3_600_000;

/// Locks go by the clock of the shared folder, which is this computer's.
fn real_time(mut house: House) -> House {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    house.clock = Seconds::from(i64::try_from(now).expect("a moment"));
    house
}

fn studio<const N: usize>() -> (Nas, House, [House; N]) {
    let nas = Nas::new();
    let house = House::with_policy(FREE);
    share(&house, ANNA, &nas);
    let clones = std::array::from_fn(|_| real_time(clone_of(&nas)));
    (nas, real_time(house), clones)
}

fn change(house: &House, by: u8, options: &Options, unlock: bool) -> Result<Report, AppError> {
    let (reach, sign) = (Reach::default(), || signing(by));
    let locking = Locking {
        repository: &house.repository,
        signing: &sign,
        reach: &reach,
        clock: &house.clock,
        monitor: &SilentMonitor,
    };
    if unlock { locking.unlock(options) } else { locking.lock(options) }
}

fn options(file: &str) -> Options {
    Options {
        paths: vec![path(file)],
        reason: "colours".into(),
        lease_ms: Some(HOUR_MS),
        ..Options::default()
    }
}

fn lock(house: &House, by: u8, file: &str) -> Report {
    change(house, by, &options(file), false).expect("an answer")
}

fn unlock(house: &House, by: u8, file: &str, break_others: bool) -> Report {
    change(house, by, &Options { break_others, ..options(file) }, true).expect("an answer")
}

#[track_caller]
fn why_not(report: &Report) -> &str {
    let [refused] = report.refused.as_slice() else { panic!("{report:?}") };
    assert!(report.locks.is_empty(), "{report:?}");
    &refused.why
}

fn seen_by(house: &House, by: u8) -> Vec<LockLine> {
    let view = house.repository.view().expect("a view");
    of_others(&view, Some(somebody(by).id), house.clock.now()).expect("locks")
}

#[test]
fn a_lock_is_seen_by_others_who_can_neither_take_it_nor_push_a_change() {
    let (_nas, anna, [ben]) = studio();
    let report = lock(&anna, ANNA, "brand/logo.svg");
    assert_eq!((report.locks.len(), report.refused.len()), (1, 0), "{report:?}");
    assert_eq!(report.locks[0].generation, 2);
    says(why_not(&lock(&ben, BEN, "brand/logo.svg")), "anna holds its lock");
    assert_eq!(seen_by(&ben, BEN).len(), 1);
    assert_eq!(seen_by(&anna, ANNA).len(), 0, "one's own is no news");
    ben.write("brand/logo.svg", "<svg>ben</svg>");
    ben.write("poster.txt", "ben");
    ben.commit(BEN, "Both");
    let error = try_push(&ben, BEN, &PushOptions::default()).expect_err("a refusal").to_string();
    says(&error, "brand/logo.svg is locked by anna (colours)");
    // On a draft as well: it is about the work, not about one branch.
    ben.begin("mine");
    let error = try_push(&ben, BEN, &PushOptions::default()).expect_err("a refusal").to_string();
    says(&error, "is locked by anna");
    unlock(&anna, ANNA, "brand/logo.svg", false);
    fetch(&ben);
    push(&ben, BEN);
}

#[test]
fn only_who_has_the_newest_version_on_any_shared_branch_gets_a_lock() {
    let (_nas, anna, [ben, cleo]) = studio();
    anna.begin("poster");
    anna.write("brand/logo.svg", "<svg>draft</svg>");
    anna.commit(ANNA, "A draft");
    push(&anna, ANNA);
    says(why_not(&lock(&ben, BEN, "brand/logo.svg")), "origin/draft/poster has a newer version");
    assert!(lock(&ben, BEN, "poster.txt").refused.is_empty(), "other assets are free");
    assert!(lock(&anna, ANNA, "brand/logo.svg").refused.is_empty());
    // A branch that is merely behind is no obstacle.
    cleo.write("brand/type.txt", "Antiqua\n");
    cleo.commit(CLEO, "Type");
    assert!(lock(&cleo, CLEO, "brand/type.txt").refused.is_empty());
}

#[test]
fn a_push_of_the_new_version_gives_the_lock_back_and_others_may_go_on() {
    let (_nas, anna, [ben]) = studio();
    lock(&anna, ANNA, "brand/logo.svg");
    anna.write("brand/logo.svg", "<svg>anna</svg>");
    anna.commit(ANNA, "Mine");
    let person = Some(somebody(ANNA).id);
    let keep = PushOptions { person, keep_locks: true, ..PushOptions::default() };
    try_push(&anna, ANNA, &keep).expect("a push");
    assert_eq!(log_of(&anna).locks().len(), 1);
    fetch(&ben);
    says(why_not(&lock(&ben, BEN, "brand/logo.svg")), "holds its lock");
    anna.write("brand/logo.svg", "<svg>anna again</svg>");
    anna.commit(ANNA, "Again");
    let options = PushOptions { person, ..PushOptions::default() };
    let report = try_push(&anna, ANNA, &options).expect("a push");
    assert_eq!((report.names.len(), report.logs.entries), (1, 1), "{report:?}");
    assert_eq!(log_of(&anna).locks().len(), 0);
    says(why_not(&lock(&ben, BEN, "brand/logo.svg")), "has a newer version");
    pull(&ben, BEN);
    assert!(lock(&ben, BEN, "brand/logo.svg").refused.is_empty());
}

#[test]
fn a_lock_that_ran_out_is_taken_by_the_next_and_an_administrator_breaks_others() {
    let (_nas, anna, [ben, dora]) = studio();
    let short = Options { lease_ms: Some(1), ..options("poster.txt") };
    change(&anna, ANNA, &short, false).expect("a lock");
    let report = lock(&ben, BEN, "poster.txt");
    assert!(report.refused.is_empty(), "{report:?}");
    assert_eq!(report.locks[0].holder, "ben");
    says(why_not(&unlock(&dora, DORA, "poster.txt", false)), "ben holds its lock");
    says(why_not(&unlock(&dora, DORA, "poster.txt", true)), "may not do that");
    let report = unlock(&anna, ANNA, "poster.txt", true);
    assert!(report.refused.is_empty(), "{report:?}");
    assert_eq!(log_of(&anna).locks().len(), 0);
    let audit = pentimento::app::audit::run(
        &anna.repository,
        &pentimento::app::audit::Options::default(),
        &anna.clock,
        &SilentMonitor,
    )
    .expect("an audit");
    let broke =
        audit.events.iter().filter(|event| event.kind == "lock" && event.why.contains("broke")).count();
    assert_eq!(broke, 1);
}

#[test]
fn of_two_who_lock_at_once_one_gets_it() {
    let (_nas, anna, [ben]) = studio();
    // Ben's lock is written before he hears of Anna's.
    lock(&anna, ANNA, "poster.txt");
    let deed = pentimento::object::log_entry::LogDeed::Lock(pentimento::object::log_entry::LockChanged {
        asset: log_of(&anna).locks().keys().next().copied().expect("a lock"),
        path: Some(path("poster.txt")),
        deed: pentimento::object::log_entry::LockDeed::Grant,
        commit: Some(ben.tip("main")),
        until_ms: None,
        reason: String::new(),
    });
    let person = somebody(BEN);
    let entry = person.writer().entry(&log_of(&ben), deed, ben.clock.now().unix_ms).expect("an entry");
    let mut edit = ben.repository.edit().expect("an edit");
    edit.append_log(&entry).expect("the next");
    edit.commit().expect("a commit");
    let report = push(&ben, BEN);
    let [given_up] = report.anew.given_up.as_slice() else { panic!("{report:?}") };
    says(&given_up.why, "is locked by somebody else");
    assert_eq!(log_of(&ben).locks().values().map(|lock| lock.holder.as_str()).collect::<Vec<_>>(), ["anna"]);
}

#[test]
fn whoever_fetches_refuses_a_move_that_broke_a_lock_and_takes_what_was_there_before() {
    let (nas, anna, [ben, cleo]) = studio();
    // Ben pushes; Anna has that and locks; Cleo hears of both at once.
    ben.write("brand/logo.svg", "<svg>ben</svg>");
    ben.commit(BEN, "Before the lock");
    push(&ben, BEN);
    pull(&anna, ANNA);
    lock(&anna, ANNA, "brand/logo.svg");
    let report = fetch(&cleo);
    assert!(report.fetched.refused.is_empty(), "{report:?}");
    assert_eq!(seen(&cleo, "main"), Some(ben.tip("main")));
    // Now Ben pushes past the lock, with a program that does not look.
    ben.write("brand/logo.svg", "<svg>again</svg>");
    let commit = ben.commit(BEN, "Past the lock");
    let remote = nas.bucket();
    use pentimento::sync::remote::Remote as _;
    let description = remote.describe().expect("a description");
    let main = pentimento::repo::refs::RefName::branch("main").expect("a name");
    let expected = description.refs.get(&main).map(|target| target.commit);
    let change = pentimento::sync::remote::RefChange {
        name: main,
        expected,
        target: Some(pentimento::repo::refs::RefTarget::plain(commit)),
    };
    let forced = pentimento::sync::push::Push {
        repository: &ben.repository,
        remote: &remote,
        known: Vec::new(),
        changes: vec![change],
        logs: Vec::new(),
        log_objects: Vec::new(),
        notes: ben.repository.pent_dir().join("remotes/test"),
        token: crate::remote_contract::token(),
    };
    forced.run(description, &SilentMonitor).expect("a bucket takes everything");
    let report = fetch(&cleo);
    says(&refusal(&report, "main"), "brand/logo.svg is locked by anna");
    assert_eq!(seen(&cleo, "main"), expected);
    // When the lock ends, it is taken over.
    unlock(&anna, ANNA, "brand/logo.svg", false);
    assert!(fetch(&cleo).fetched.refused.is_empty());
    assert_eq!(seen(&cleo, "main"), Some(commit));
}

#[test]
fn without_a_policy_there_are_no_locks_and_the_message_says_so() {
    let house = House::new();
    let error = change(&house, ANNA, &options("poster.txt"), false).expect_err("a refusal").to_string();
    says(&error, "locks need a policy");
}
