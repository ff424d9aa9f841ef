use super::format::{Change, Header, PieceHeader, each_change, put};
use super::{LogCheck, SurvivingLog, log_files, log_path};
use crate::base::codec::Encoder;
use crate::base::id::RepositoryId;
use crate::base::monitor::SilentMonitor;
use crate::store::disk::Disk;
use crate::store::fault::FaultDisk;
use crate::store::pack::block::Codec;
use crate::store::{Access, Space, Store, StoreError, StoreOptions, StoreSettings, write_new_file};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const DIR: &str = "/studio/.pent";

/// What is done to the bytes of a file.
type Harm = fn(&mut Vec<u8>);

fn settings() -> StoreSettings {
    StoreSettings::new(RepositoryId::from_bytes([7; 16]))
}

fn create(disk: &FaultDisk) -> Store {
    Store::create_on(Arc::new(disk.clone()), Path::new(DIR), &settings(), StoreOptions::default()).unwrap()
}

fn open(disk: &FaultDisk) -> Store {
    let options = StoreOptions::default();
    Store::open_on(Arc::new(disk.clone()), Path::new(DIR), Access::ReadWrite, options).unwrap()
}

fn set(store: &Store, key: &str, value: &str) {
    let mut transaction = store.begin().unwrap();
    transaction.put(Space::Refs, key.as_bytes(), value.as_bytes()).unwrap();
    transaction.commit().unwrap();
}

fn rows(store: &Store) -> BTreeMap<Vec<u8>, Vec<u8>> {
    store.snapshot().unwrap().scan_prefix(Space::Refs, b"").unwrap().map(|row| row.unwrap()).collect()
}

fn check(store: &Store) -> LogCheck {
    store.check_log(&SilentMonitor).unwrap()
}

fn assert_sound(store: &Store) {
    let check = check(store);
    assert_eq!((check.faults, check.missing), (Vec::new(), 0));
}

/// What a database would be that is made from the log alone.
fn replayed(disk: &FaultDisk) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let fresh = FaultDisk::new();
    let store = create(&fresh);
    let logs = SurvivingLog::all(disk, Path::new(DIR)).unwrap();
    assert!(logs[0].is_whole(None), "{:?}", logs[0]);
    assert_eq!(logs[0].settings(), Some(&settings()));
    let mut transaction = store.begin().unwrap();
    transaction.replace_log();
    logs[0].replay(&mut transaction, false).unwrap();
    transaction.commit().unwrap();
    rows(&store)
}

fn bytes_of(disk: &FaultDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, false).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn the_exact_bytes_of_a_log_are_frozen() {
    let header = Header { generation: 2, settings: settings() };
    let bytes = header.encode();
    assert_eq!(Header::decode(&bytes), Ok(header));
    let mut raw = Encoder::default();
    put(&mut raw, Space::Refs.tag(), b"heads/main", b"value");
    let raw = raw.finish();
    assert_eq!(raw, [&[1, 6, 10][..], b"heads/main", &[5], b"value"].concat());
    let piece = PieceHeader {
        codec: Codec::Raw,
        is_last: true,
        is_base: false,
        transaction: 9,
        number: 1,
        raw_length: raw.len() as u32,
        stored_length: raw.len() as u32,
        changes: 1,
    };
    let head = piece.encode(2, &raw);
    assert_eq!(PieceHeader::decode(&head), Ok(piece));
    let mut seen = 0;
    each_change(&raw, 1, &mut |change| {
        assert_eq!(change, Change::Put { space: Space::Refs, key: b"heads/main", value: b"value" });
        seen += 1;
    })
    .unwrap();
    assert_eq!(seen, 1);
    let all = blake3::hash(&[bytes.as_slice(), &head, &raw].concat()).to_hex();
    assert_eq!(all.as_str(), "4bbf8c362bbf0ba4cbe20617c620e453cbb000077ca153003c1a0eb2b3361b8e");
}

#[test]
fn the_log_says_what_the_database_says_whatever_was_done() {
    let disk = FaultDisk::new();
    let store = create(&disk);
    set(&store, "a", "1");
    set(&store, "b", "2");
    set(&store, "a", "3");
    let mut transaction = store.begin().unwrap();
    assert!(transaction.delete(Space::Refs, b"b").unwrap());
    assert!(!transaction.delete(Space::Refs, b"nothing").unwrap());
    // Larger than a piece, and more than one piece.
    let noise = "x".repeat(3 << 20);
    transaction.put(Space::Refs, b"large", noise.as_bytes()).unwrap();
    transaction.put(Space::Refs, b"small", b"4").unwrap();
    transaction.commit().unwrap();
    // A transaction that is given up leaves nothing.
    let mut dropped = store.begin().unwrap();
    dropped.put(Space::Refs, b"c", noise.as_bytes()).unwrap();
    drop(dropped);
    set(&store, "d", "5");
    assert_sound(&store);
    assert_eq!(check(&store).transactions, 5);
    assert_eq!(rows(&store).len(), 4);
    assert_eq!(replayed(&disk), rows(&store));
}

#[test]
fn a_log_that_is_written_anew_has_only_what_there_is() {
    let disk = FaultDisk::new();
    let store = create(&disk);
    set(&store, "kept", "1");
    set(&store, "gone", "confidential");
    let mut transaction = store.begin().unwrap();
    transaction.delete(Space::Refs, b"gone").unwrap();
    transaction.renew_log().unwrap();
    transaction.commit().unwrap();
    let files = log_files(&disk, Path::new(DIR)).unwrap();
    assert_eq!(files.len(), 1);
    let bytes = bytes_of(&disk, &files[0].1);
    assert!(!bytes.windows(12).any(|bytes| bytes == b"confidential"));
    assert_sound(&store);
    // Another handle goes on in the new file.
    set(&open(&disk), "later", "2");
    set(&store, "last", "3");
    assert_sound(&store);
    assert_eq!(replayed(&disk), rows(&store));
}

#[test]
fn a_damaged_log_is_found_and_the_next_change_begins_another() {
    let harms: [(&str, Harm); 4] = [
        ("header", |bytes| bytes[20] ^= 1),
        ("cut", |bytes| bytes.truncate(bytes.len() - 1)),
        ("empty", Vec::clear),
        ("other", |bytes| bytes.fill(3)),
    ];
    for (name, harm) in harms {
        let disk = FaultDisk::new();
        let store = create(&disk);
        set(&store, "a", "1");
        set(&store, "b", "2");
        drop(store);
        disk.damage(&log_path(Path::new(DIR), 1), harm).unwrap();
        let store = open(&disk);
        assert!(!check(&store).faults.is_empty(), "{name}");
        set(&store, "c", "3");
        assert_sound(&store);
        assert_eq!(replayed(&disk), rows(&store), "{name}");
        assert!(disk.files().iter().any(|(path, _)| path.starts_with("/studio/.pent/quarantine")), "{name}");
    }
}

#[test]
fn a_log_with_a_flipped_bit_still_gives_all_but_one_piece() {
    let disk = FaultDisk::new();
    let store = create(&disk);
    for number in 0..9 {
        set(&store, &format!("name {number}"), "value");
    }
    let path = log_path(Path::new(DIR), 1);
    let length = bytes_of(&disk, &path).len();
    for at in (64..length).step_by(7) {
        let copy = disk.restart(crate::store::fault::Loss::Nothing);
        copy.damage(&path, |bytes| bytes[at] ^= 4).unwrap();
        assert!(!check(&open(&copy)).faults.is_empty(), "at {at}");
        let logs = SurvivingLog::all(&copy, Path::new(DIR)).unwrap();
        let mut seen = 0;
        logs[0].each_record(|_, _, _| seen += 1).unwrap();
        assert_eq!(seen, 8, "at {at}");
        assert!(!logs[0].is_whole(None));
    }
}

#[test]
fn an_old_copy_of_the_database_is_refused_before_anything_is_written() {
    let disk = FaultDisk::new();
    let store = create(&disk);
    set(&store, "a", "1");
    drop(store);
    let database = Path::new(DIR).join("db.redb");
    let old = bytes_of(&disk, &database);
    let store = open(&disk);
    set(&store, "b", "2");
    set(&store, "c", "3");
    let newest = rows(&store);
    drop(store);
    disk.remove(&database).unwrap();
    write_new_file(&disk, Path::new(DIR), "db.redb", &old).unwrap();
    let store = open(&disk);
    assert_eq!((check(&store).missing, store.is_behind_log().unwrap()), (2, true));
    let mut transaction = store.begin().unwrap();
    let refused = transaction.put(Space::Refs, b"d", b"4").unwrap_err();
    assert!(matches!(refused, StoreError::DatabaseBehind { transactions: 2 }), "{refused:?}");
    assert_eq!(replayed(&disk), newest);
}

#[test]
fn an_old_copy_of_the_database_is_known_when_the_log_was_written_anew_since() {
    let disk = FaultDisk::new();
    let store = create(&disk);
    set(&store, "a", "1");
    drop(store);
    let database = Path::new(DIR).join("db.redb");
    let old = bytes_of(&disk, &database);
    let store = open(&disk);
    let mut transaction = store.begin().unwrap();
    transaction.put(Space::Refs, b"b", b"2").unwrap();
    transaction.renew_log().unwrap();
    transaction.commit().unwrap();
    drop(store);
    disk.remove(&database).unwrap();
    write_new_file(&disk, Path::new(DIR), "db.redb", &old).unwrap();
    assert!(open(&disk).is_behind_log().unwrap());
}

#[test]
fn a_repository_without_a_log_gets_one_with_its_next_change() {
    let disk = FaultDisk::new();
    let store = create(&disk);
    set(&store, "a", "1");
    // As a program left it that kept no log.
    let begun = store.inner.database.try_begin_write().unwrap().unwrap();
    begun.open_table(super::STORE).unwrap().remove(super::LOG_KEY).unwrap();
    begun.commit().unwrap();
    drop(store);
    disk.remove(&log_path(Path::new(DIR), 1)).unwrap();
    let store = open(&disk);
    assert_sound(&store);
    assert_eq!(check(&store).transactions, 0);
    set(&store, "b", "2");
    assert_sound(&store);
    assert_eq!(replayed(&disk), rows(&store));
}
