//! Damage to single records of the review log and the shared log: fsck names it, repair brings back what
//! the transaction log has and says what is lost.

use crate::review_kit::House;
use crate::trust_kit::{BEN, DORA, ONE_EDITOR};
use pentimento::app::{fsck, repair};
use pentimento::base::id::RepositoryId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::{FixedClock, Timestamp};
use pentimento::object::action::Audience;
use pentimento::repo::Repository;
use pentimento::store::{Access, Space};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn now() -> FixedClock {
    FixedClock(Timestamp::utc(1_772_500_000_000))
}

/// A policy, a submission with words, an approval and a landing.
fn house() -> House {
    let house = House::with_policy(ONE_EDITOR);
    house.begin("poster");
    house.write("poster.txt", "Harbour, summer\n");
    house.commit(DORA, "Summer");
    house.submit(DORA, "poster");
    house.approve(BEN, "poster");
    house.go("main");
    house.land(DORA, "poster").expect("a landing");
    house
}

fn rows(repository: &Repository, space: Space) -> Rows {
    let snapshot = repository.store().snapshot().expect("a snapshot");
    snapshot.scan_prefix(space, b"").expect("rows").map(|row| row.expect("a row")).collect()
}

fn set(repository: &Repository, space: Space, key: &[u8], value: Option<&[u8]>) {
    let mut edit = repository.edit().expect("an edit");
    match value {
        Some(value) => edit.transaction().put(space, key, value).expect("a write"),
        None => drop(edit.transaction().delete(space, key).expect("a removal")),
    }
    edit.commit().expect("a change");
}

fn check(root: &Path) -> fsck::Report {
    let repository = Repository::open(root, Access::ReadWrite).expect("a repository");
    fsck::run(&repository, &fsck::Options::default(), &now(), &SilentMonitor).expect("a report")
}

fn mend(root: &Path) -> repair::Report {
    let new_id = RepositoryId::from_bytes([9; 16]);
    let options = repair::Options { root: root.to_owned(), search: vec![], new_id };
    repair::run(&options, &now(), &SilentMonitor).expect("a report")
}

#[test]
fn every_altered_record_of_both_logs_is_named_and_found_again() {
    let house = house();
    let root = house.folder.path();
    assert!(check(root).sound, "{:?}", check(root).findings);
    let mut tried = 0;
    for space in [Space::ReviewLog, Space::SharedLog] {
        let before = rows(&house.repository, space);
        for (key, value) in &before {
            for at in [0, value.len() / 2, value.len().saturating_sub(1)] {
                let mut altered = value.clone();
                match altered.get_mut(at) {
                    Some(byte) => *byte ^= 1,
                    None => continue,
                }
                set(&house.repository, space, key, Some(&altered));
                let report = check(root);
                assert!(!report.sound, "{:?} at {at} was not found", String::from_utf8_lossy(key));
                let report = mend(root);
                assert!(report.sound, "{report:?}");
                assert_eq!(&rows(&house.repository, space), &before);
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "{tried}");
    assert!(house.review("poster").submission.assets > 0);
}

#[test]
fn a_chain_with_a_gap_and_a_head_that_is_none_are_named() {
    let house = house();
    let root = house.folder.path();
    let before = rows(&house.repository, Space::SharedLog);
    let first = before.keys().find(|key| key.starts_with(b"e/")).expect("an entry").clone();
    set(&house.repository, Space::SharedLog, &first, None);
    let report = check(root);
    let says = |words: &str| report.findings.iter().any(|line| line.message.contains(words));
    assert!(says("entry 1 of the shared log is missing"), "{:?}", report.findings);
    set(&house.repository, Space::SharedLog, &first, Some(&before[&first]));
    set(&house.repository, Space::SharedLog, b"head", None);
    set(&house.repository, Space::SharedLog, b"protected", Some(br#"{"branches":[],"tags":[]}"#));
    let report = check(root);
    assert_eq!(report.findings_total, 2, "{:?}", report.findings);
    assert!(mend(root).sound);
    assert_eq!(rows(&house.repository, Space::SharedLog), before);
}

#[test]
fn both_logs_survive_the_loss_of_the_database() {
    let house = house();
    let before = [Space::ReviewLog, Space::SharedLog].map(|space| rows(&house.repository, space));
    let House { folder, repository, .. } = house;
    drop(repository);
    fs::remove_file(folder.path().join(".pent/db.redb")).expect("a removal");
    let report = mend(folder.path());
    assert!(report.sound, "{report:?}");
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a repository");
    assert_eq!([Space::ReviewLog, Space::SharedLog].map(|space| rows(&repository, space)), before);
    assert!(!repository.view().expect("a view").review_actions(Audience::Team).expect("actions").is_empty());
}

#[test]
fn erased_words_are_in_no_file_of_the_transaction_log() {
    let house = house();
    let bodies: Vec<_> =
        rows(&house.repository, Space::ReviewLog).into_iter().filter(|(key, _)| key[0] == b'b').collect();
    let (key, _) = bodies.first().expect("words");
    let salt = |bytes: &[u8]| bytes[52..84].to_vec();
    let needle = salt(&bodies[0].1);
    let id = pentimento::base::id::BodyId::from_slice(&key[1..]).expect("an id");
    let mut edit = house.repository.edit().expect("an edit");
    edit.erase_review_body(id, None).expect("erased");
    edit.commit().expect("a commit");
    let logs = house.repository.store().dir().join("transactions");
    let mut files = 0;
    let all = pentimento::store::SurvivingLog::all(
        &pentimento::store::disk::RealDisk,
        house.repository.store().dir(),
    );
    for log in all.expect("logs") {
        log.each_record(|_, _, value| {
            assert!(!value.windows(needle.len()).any(|bytes| bytes == needle), "the words are still there");
        })
        .expect("readable");
        files += 1;
    }
    assert_eq!((files, fs::read_dir(logs).expect("a folder").count()), (1, 1));
    assert!(check(house.folder.path()).sound);
}
