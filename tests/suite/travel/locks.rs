//! Locks: granted at the log's home, to whoever has the newest version; kept at every push and fetch.

use super::{Form, Nas, clone_of, fetch, log_of, pull, push, refusal, says, seen, share, signing, try_push};
use crate::review_kit::{House, Seconds, path};
use crate::trust_kit::{ANNA, BEN, CLEO, DORA, somebody};
use pentimento::app::auto_lock::before_commit;
use pentimento::app::common::guard::remember;
use pentimento::app::common::locks::{LockLine, of_others, take_back};
use pentimento::app::common::read_only::follow;
use pentimento::app::common::remotes::Reach;
use pentimento::app::error::AppError;
use pentimento::app::lock::{Locking, Options, Report};
use pentimento::app::push::Options as PushOptions;
use pentimento::app::{clone, mv, remote};
use pentimento::base::id::CommitId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::Clock as _;
use pentimento::object::log_entry::{LockChanged, LockDeed, LogDeed};
use pentimento::repo::Repository;
use pentimento::repo::refs::{RefName, RefTarget};
use pentimento::store::Access;
use pentimento::sync::SyncError;
use pentimento::sync::address::Address;
use pentimento::sync::push::Push;
use pentimento::sync::remote::{LogChange, RefChange, Remote as _};
use pentimento::trust::chain::{Trust, VerifiedLog};
use std::time::{SystemTime, UNIX_EPOCH};

/// Nothing is protected.
const FREE: &str = "";
const HOUR_MS: i64 = 3_600_000;

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    i64::try_from(now).expect("a moment")
}

/// Locks go by the clock of the shared folder, which is this computer's.
fn real_time(mut house: House) -> House {
    house.clock = Seconds::from(now_ms());
    house
}

fn studio<const N: usize>() -> (Nas, House, [House; N]) {
    studio_with(FREE)
}

fn studio_with<const N: usize>(rules: &str) -> (Nas, House, [House; N]) {
    let nas = Nas::of(Form::Folder);
    let house = House::with_policy(rules);
    share(&house, ANNA, &nas);
    let clones = std::array::from_fn(|_| real_time(clone_of(&nas)));
    (nas, real_time(house), clones)
}

fn locking<T>(house: &House, by: u8, reach: &Reach, deed: impl FnOnce(&Locking<'_>) -> T) -> T {
    let sign = || signing(by);
    deed(&Locking {
        repository: &house.repository,
        signing: &sign,
        reach,
        clock: &house.clock,
        monitor: &SilentMonitor,
    })
}

fn change(house: &House, by: u8, options: &Options, unlock: bool) -> Result<Report, AppError> {
    locking(house, by, &Reach::default(), |locking| {
        if unlock { locking.unlock(options) } else { locking.lock(options) }
    })
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

fn unlock(house: &House, by: u8, file: &str, force: bool) -> Report {
    change(house, by, &Options { force, ..options(file) }, true).expect("an answer")
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

/// Writes the grant of the lock that `other` holds into a clone's own log, as if nobody had it.
fn grant_here(house: &House, by: u8, other: &House) {
    let deed = LogDeed::Lock(LockChanged {
        asset: log_of(other).locks().keys().next().copied().expect("a lock"),
        path: Some(path("poster.txt")),
        deed: LockDeed::Grant,
        commits: vec![house.tip("main")],
        until_ms: None,
        reason: String::new(),
    });
    let person = somebody(by);
    let log = log_of(house);
    let entry = person.writer().entry(&log, deed, house.clock.now().unix_ms).expect("an entry");
    let mut edit = house.repository.edit().expect("an edit");
    edit.append_log(&entry).expect("the next");
    edit.commit().expect("a commit");
    let after = log_of(house);
    let mut edit = house.repository.edit().expect("an edit");
    remember(&mut edit, &after).expect("a checkpoint");
    edit.commit().expect("a commit");
}

/// Moves `main` in the shared folder with a program that asks nobody. Says where it stood.
fn push_past_the_rules(house: &House, nas: &Nas, commit: CommitId) -> Option<CommitId> {
    let remote = nas.bucket();
    let description = remote.describe().expect("a description");
    let main = RefName::branch("main").expect("a name");
    let expected = description.refs.get(&main).map(|target| target.commit);
    let change = RefChange { name: main, expected, target: Some(RefTarget::plain(commit)) };
    let forced = Push {
        repository: &house.repository,
        remote: &remote,
        known: Vec::new(),
        also: Vec::new(),
        changes: vec![change],
        logs: Vec::new(),
        log_objects: Vec::new(),
        notes: house.repository.pent_dir().join("remotes/test"),
        token: crate::remote_contract::token(),
    };
    forced.run(description, &SilentMonitor).expect("a bucket takes everything");
    expected
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
    grant_here(&ben, BEN, &anna);
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
    let expected = push_past_the_rules(&ben, &nas, commit);
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

#[test]
fn of_many_who_lock_at_the_same_moment_one_gets_it() {
    let (_nas, anna, clones) = studio::<3>();
    let houses: Vec<(&House, u8)> =
        std::iter::once(&anna).chain(&clones).zip([ANNA, BEN, CLEO, DORA]).collect();
    for round in ["brand/logo.svg", "brand/type.txt", "poster.txt"] {
        let reports: Vec<Report> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                houses.iter().map(|(house, by)| scope.spawn(|| lock(house, *by, round))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a report")).collect()
        });
        let winners: Vec<&Report> = reports.iter().filter(|report| !report.locks.is_empty()).collect();
        assert_eq!(winners.len(), 1, "{reports:?}");
        let holder = &winners[0].locks[0].holder;
        for (house, _) in &houses {
            fetch(house);
            let log = log_of(house);
            let held = log.locks().values().find(|lock| lock.path == Some(path(round))).expect("a lock");
            assert_eq!(&held.holder, holder, "everybody sees the same");
        }
        for report in reports.iter().filter(|report| report.locks.is_empty()) {
            assert!(why_not(report).contains("holds its lock") || why_not(report).contains("quicker"));
        }
    }
}

#[test]
fn a_lease_ends_by_the_clock_of_the_place_and_not_by_that_of_a_person() {
    let (_nas, anna, [mut ben, mut dora]) = studio();
    lock(&anna, ANNA, "brand/logo.svg");
    // Two hours ahead, the hour seems over.
    fetch(&ben);
    ben.clock = Seconds::from(now_ms() + 2 * HOUR_MS);
    says(why_not(&lock(&ben, BEN, "brand/logo.svg")), "anna holds its lock (colours) until 20");
    ben.write("brand/logo.svg", "<svg>ben</svg>");
    ben.commit(BEN, "Early");
    let error = try_push(&ben, BEN, &PushOptions::default()).expect_err("a refusal").to_string();
    says(&error, "is locked by anna");
    // Two hours behind, it seems to have begun just now.
    let short = Options { lease_ms: Some(1), ..options("poster.txt") };
    change(&anna, ANNA, &short, false).expect("a lock");
    std::thread::sleep(std::time::Duration::from_millis(20));
    dora.clock = Seconds::from(now_ms() - 2 * HOUR_MS);
    let report = lock(&dora, DORA, "poster.txt");
    assert!(report.refused.is_empty(), "{report:?}");
    let until =
        log_of(&dora).locks().values().find(|lock| lock.holder == "dora").and_then(|lock| lock.until_ms);
    assert!(
        until.is_some_and(|until| until > now_ms() + HOUR_MS / 2),
        "an hour from the time there: {until:?}"
    );
}

#[test]
fn a_lock_follows_its_asset_to_another_place_and_lets_labels_pass() {
    let (_nas, anna, [ben]) = studio();
    ben.begin("moved");
    let (from, to) = (path("brand/logo.svg"), path("mark.svg"));
    mv::run(&ben.repository, &from, &to, &ben.clock, &SilentMonitor).expect("a move");
    ben.commit(BEN, "Moved");
    push(&ben, BEN);
    assert!(lock(&anna, ANNA, "brand/logo.svg").refused.is_empty());
    ben.label("mark.svg", "green");
    ben.commit(BEN, "A label");
    push(&ben, BEN);
    ben.write("mark.svg", "<svg>ben</svg>");
    ben.commit(BEN, "Pixels");
    let error = try_push(&ben, BEN, &PushOptions::default()).expect_err("a refusal").to_string();
    says(&error, "brand/logo.svg is locked by anna");
    // A merge of the holder's own version is no change of Ben's.
    unlock(&anna, ANNA, "brand/logo.svg", false);
    push(&ben, BEN);
}

#[test]
fn what_others_pushed_before_a_lock_does_not_break_it_although_the_holder_has_work_of_their_own() {
    let (_nas, anna, [ben, cleo]) = studio();
    ben.write("brand/logo.svg", "<svg>ben</svg>");
    ben.commit(BEN, "Before");
    push(&ben, BEN);
    pull(&anna, ANNA);
    anna.write("notes.txt", "not pushed");
    anna.commit(ANNA, "Nobody has this yet");
    let report = lock(&anna, ANNA, "brand/logo.svg");
    assert!(report.refused.is_empty(), "{report:?}");
    let log = log_of(&anna);
    let commits = log.locks().values().map(|lock| lock.commits.clone()).next();
    assert_eq!(commits, Some(vec![ben.tip("main")]), "the newest commit that others have too");
    let report = fetch(&cleo);
    assert!(report.fetched.refused.is_empty(), "{report:?}");
    // A merge by somebody else that brings the holder's version is no change of theirs.
    anna.write("brand/logo.svg", "<svg>anna</svg>");
    anna.commit(ANNA, "Mine");
    let keep = PushOptions { person: Some(somebody(ANNA).id), keep_locks: true, ..PushOptions::default() };
    try_push(&anna, ANNA, &keep).expect("a push");
    cleo.write("poster.txt", "cleo");
    cleo.commit(CLEO, "Beside");
    pull(&cleo, CLEO);
    push(&cleo, CLEO);
}

#[test]
fn a_lock_that_did_not_get_to_its_home_is_taken_back() {
    let (_nas, anna, [ben]) = studio();
    lock(&anna, ANNA, "poster.txt");
    let before = log_of(&ben);
    grant_here(&ben, BEN, &anna);
    assert_eq!(log_of(&ben).locks().len(), 1);
    take_back(&ben.repository, &before, ben.clock.now(), &SilentMonitor).expect("nothing to stay");
    assert_eq!(log_of(&ben).head(), before.head());
    assert!(log_of(&ben).locks().is_empty());
    // Nothing is left of it, and what others have comes as ever.
    fetch(&ben);
    assert_eq!(log_of(&ben).locks().values().map(|lock| lock.holder.clone()).collect::<Vec<_>>(), ["anna"]);
    let known = log_of(&ben);
    take_back(&ben.repository, &before, ben.clock.now(), &SilentMonitor).expect("nothing to take back");
    assert_eq!(log_of(&ben).head(), known.head(), "what the home has stays");
    let trust = Trust { repository: ben.repository.id(), pinned: None, now_ms: now_ms() };
    let view = ben.repository.view().expect("a view");
    let kept = view.log_checkpoint().expect("readable").expect("a checkpoint");
    let kept = VerifiedLog::restore(&kept).expect("readable").expect("of this version");
    assert_eq!((kept.head(), trust.repository), (known.head(), kept.repository()));
}

/// The bits of a file's mode that let somebody write it.
fn write_bits(house: &House, file: &str) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(house.folder.path().join(file)).expect("a file").permissions().mode() & 0o222
}

const LOCKABLE: &str = "[access]\nlockable = [\"**/*.svg\"]\n";

#[test]
fn lockable_files_are_read_only_until_they_are_locked_and_again_when_they_are_given_back() {
    let (_nas, anna, [ben]) = studio_with(LOCKABLE);
    assert_eq!(write_bits(&ben, "brand/logo.svg"), 0, "from the very clone on");
    assert_ne!(write_bits(&ben, "poster.txt"), 0);
    lock(&ben, BEN, "brand/logo.svg");
    assert_ne!(write_bits(&ben, "brand/logo.svg"), 0);
    ben.write("brand/logo.svg", "<svg>ben</svg>");
    ben.write("brand/mark.svg", "<svg>new</svg>");
    ben.commit(BEN, "Mine");
    assert_ne!(write_bits(&ben, "brand/logo.svg"), 0, "still locked");
    assert_eq!(write_bits(&ben, "brand/mark.svg"), 0, "committed, and nobody locked it");
    let options = PushOptions { person: Some(somebody(BEN).id), ..PushOptions::default() };
    try_push(&ben, BEN, &options).expect("a push");
    assert_eq!(write_bits(&ben, "brand/logo.svg"), 0, "the push gave it back");
    // Somebody who ends the lock elsewhere ends it here, once that is heard of.
    lock(&ben, BEN, "brand/logo.svg");
    fetch(&anna);
    unlock(&anna, ANNA, "brand/logo.svg", true);
    assert_ne!(write_bits(&ben, "brand/logo.svg"), 0);
    fetch(&ben);
    assert_eq!(write_bits(&ben, "brand/logo.svg"), 0);
    // A switch and a restore write files as they should be.
    ben.begin("draft");
    ben.go("main");
    assert_eq!(write_bits(&ben, "brand/mark.svg"), 0);
    let report = ben.try_commit(BEN, "Nothing").expect("a look");
    assert!(report.commit.is_none(), "modes are no change: {report:?}");
}

#[test]
fn the_clones_own_patterns_count_too_and_lock_auto_leaves_files_writable_and_locks_what_is_committed() {
    let (_nas, anna, [ben, cleo]) = studio_with(LOCKABLE);
    let set = |house: &House, text: &str| {
        std::fs::write(house.repository.pent_dir().join("config.toml"), text).expect("settings");
        follow(&house.repository, &SilentMonitor).expect("modes");
    };
    set(&ben, "[lock]\npatterns = \"*.txt !logo.svg\"\n");
    assert_eq!(write_bits(&ben, "poster.txt"), 0);
    assert_ne!(write_bits(&ben, "brand/logo.svg"), 0);
    set(&ben, "[lock]\nauto = true\n");
    assert_ne!(write_bits(&ben, "poster.txt") & write_bits(&ben, "brand/logo.svg"), 0);
    let reach = Reach::default();
    let first = |house: &House, by: u8| {
        locking(house, by, &reach, |locking| before_commit(locking, &[], somebody(by).id, HOUR_MS))
    };
    assert!(first(&ben, BEN).expect("nothing to lock").is_none());
    ben.write("brand/logo.svg", "<svg>ben</svg>");
    ben.write("poster.txt", "not lockable any more");
    let report = first(&ben, BEN).expect("a lock").expect("one");
    assert_eq!(report.locks.iter().map(|lock| lock.path.to_string()).collect::<Vec<_>>(), ["brand/logo.svg"]);
    assert!(first(&ben, BEN).expect("it is locked").is_none());
    set(&cleo, "[lock]\nauto = true\n");
    cleo.write("brand/logo.svg", "<svg>cleo</svg>");
    let error = first(&cleo, CLEO).expect_err("a refusal").to_string();
    says(&error, "brand/logo.svg cannot be locked: ben holds its lock");
    // Whoever commits all the same is told.
    let report = cleo.try_commit(CLEO, "All the same").expect("a commit");
    assert_eq!(report.locked.iter().map(|lock| lock.holder.as_str()).collect::<Vec<_>>(), ["ben"]);
    drop(anna);
}

/// The same story wherever the shared place is: who locks, who is refused, and by whose clock.
pub fn locks_hold_at(address: &Address, reach: &Reach) {
    let anna = real_time(House::with_policy(FREE));
    remote::add(&anna.repository, "origin", address, reach).expect("a remote");
    let push = |house: &House, by: u8, options: &PushOptions| {
        pentimento::app::push::run(
            &house.repository,
            options,
            &|| signing(by),
            reach,
            &mut |_| {},
            &house.clock,
            &SilentMonitor,
        )
    };
    push(&anna, ANNA, &PushOptions { all: true, ..PushOptions::default() }).expect("a push");
    let folder = tempfile::tempdir().expect("a folder");
    let how = clone::Options {
        address: address.clone(),
        folder: folder.path().to_owned(),
        branch: None,
        expected: None,
        lazy: false,
        sparse: Vec::new(),
    };
    let clock = Seconds::from(now_ms() + 2 * HOUR_MS);
    clone::run(&how, reach, &clock, &SilentMonitor).expect("a clone");
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a clone");
    let ben = House { folder, repository, clock, signs: Default::default() };
    let lock = |house: &House, by: u8, options: &Options| {
        locking(house, by, reach, |locking| locking.lock(options)).expect("an answer")
    };
    assert!(lock(&anna, ANNA, &options("brand/logo.svg")).refused.is_empty());
    says(why_not(&lock(&ben, BEN, &options("brand/logo.svg"))), "anna holds its lock");
    ben.write("brand/logo.svg", "<svg>ben</svg>");
    ben.commit(BEN, "Against the lock");
    let error = push(&ben, BEN, &PushOptions::default()).expect_err("a refusal").to_string();
    says(&error, "is locked by anna");
    anna.write("brand/logo.svg", "<svg>anna</svg>");
    anna.commit(ANNA, "Mine");
    let person = Some(somebody(ANNA).id);
    push(&anna, ANNA, &PushOptions { person, ..PushOptions::default() }).expect("a push");
    assert!(log_of(&anna).locks().is_empty(), "given back");
}

#[test]
fn locks_hold_in_a_shared_folder() {
    let nas = Nas::of(Form::Folder);
    locks_hold_at(&nas.address(), &Reach::default());
}

#[test]
fn locks_hold_over_http() {
    let nas = Nas::of_time(Form::Http, now_ms());
    locks_hold_at(&nas.address(), &super::reach());
}

#[test]
fn locks_hold_over_ssh() {
    let nas = Nas::of(Form::Ssh);
    locks_hold_at(&nas.address(), &super::reach_now());
}

/// Three people at a server whose clock is in our hands.
fn at_a_server() -> (Nas, House, [House; 2]) {
    let nas = Nas::of_time(Form::Http, now_ms());
    let house = real_time(House::with_policy(FREE));
    share(&house, ANNA, &nas);
    let clones = std::array::from_fn(|_| real_time(clone_of(&nas)));
    (nas, house, clones)
}

fn change_there(house: &House, by: u8, options: &Options, unlock: bool) -> Report {
    let reach = super::reach();
    locking(house, by, &reach, |locking| if unlock { locking.unlock(options) } else { locking.lock(options) })
        .expect("an answer")
}

#[test]
fn a_server_refuses_what_breaks_a_lock_from_a_program_that_does_not_look() {
    let (nas, anna, [ben, cleo]) = at_a_server();
    assert!(change_there(&anna, ANNA, &options("brand/logo.svg"), false).refused.is_empty());
    ben.write("brand/logo.svg", "<svg>ben</svg>");
    let commit = ben.commit(BEN, "Past the lock");
    let remote = nas.open();
    let description = remote.describe().expect("a description");
    let main = RefName::branch("main").expect("a name");
    let before = description.refs.get(&main).map(|target| target.commit);
    let forced = |logs: Vec<LogChange>| {
        let change =
            RefChange { name: main.clone(), expected: before, target: Some(RefTarget::plain(commit)) };
        let push = Push {
            repository: &ben.repository,
            remote: &*remote,
            known: Vec::new(),
            also: Vec::new(),
            changes: vec![change],
            logs,
            log_objects: Vec::new(),
            notes: ben.repository.pent_dir().join("remotes/test"),
            token: crate::remote_contract::token(),
        };
        push.run(remote.describe().expect("a description"), &SilentMonitor)
    };
    let error = forced(Vec::new()).expect_err("a refusal");
    assert!(matches!(error, SyncError::Refused { .. }), "{error:?}");
    says(&error.to_string(), "brand/logo.svg is locked by anna");
    fetch(&cleo);
    assert_eq!(seen(&cleo, "main"), before, "nothing moved there");
    // A push presents the generation by which it was judged: the log as it was. With another it does not count.
    change_there(&anna, ANNA, &options("brand/logo.svg"), true);
    let old = description.logs.get("shared").cloned();
    let kept = LogChange { name: "shared".into(), expected: old.clone(), target: old.expect("a log") };
    let error = forced(vec![kept]).expect_err("a refusal");
    assert!(matches!(error, SyncError::LogMoved { .. }), "{error:?}");
    forced(Vec::new()).expect("the lock was given back");
    fetch(&cleo);
    assert_eq!(seen(&cleo, "main"), Some(commit));
}

#[test]
fn a_lease_ends_by_the_servers_clock() {
    let (nas, anna, [ben, mut dora]) = at_a_server();
    change_there(&anna, ANNA, &options("poster.txt"), false);
    // By Dora's clock the hour is long over; by the server's it is not.
    dora.clock = Seconds::from(now_ms() + 3 * HOUR_MS);
    says(why_not(&change_there(&dora, DORA, &options("poster.txt"), false)), "anna holds its lock");
    ben.write("poster.txt", "ben");
    ben.commit(BEN, "Mine");
    let error = try_push(&ben, BEN, &PushOptions::default()).expect_err("a refusal").to_string();
    says(&error, "poster.txt is locked by anna");
    // Now it is over there, and by nobody else's clock.
    nas.set_clock(now_ms() + 2 * HOUR_MS);
    push(&ben, BEN);
    pull(&dora, DORA);
    let report = change_there(&dora, DORA, &options("poster.txt"), false);
    assert!(report.refused.is_empty(), "{report:?}");
    assert_eq!(report.locks[0].holder, "dora");
}

#[test]
fn a_lock_that_an_administrator_breaks_at_a_server_is_in_everybodys_audit() {
    let (_nas, anna, [ben, cleo]) = at_a_server();
    change_there(&ben, BEN, &options("poster.txt"), false);
    let force = Options { force: true, reason: "on leave".into(), ..options("poster.txt") };
    says(why_not(&change_there(&cleo, CLEO, &force, true)), "may not do that");
    assert!(change_there(&anna, ANNA, &force, true).refused.is_empty());
    fetch(&cleo);
    assert!(log_of(&cleo).locks().is_empty());
    let audit = pentimento::app::audit::run(
        &cleo.repository,
        &pentimento::app::audit::Options::default(),
        &cleo.clock,
        &SilentMonitor,
    )
    .expect("an audit");
    let broke = audit.events.iter().find(|event| event.kind == "lock" && event.why.contains("broke"));
    says(&broke.expect("it stands in the audit").why, "on leave");
}
