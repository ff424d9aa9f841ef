//! Tests of the store as a whole.

mod care;

use super::*;
use crate::base::id::{ChunkId, RepositoryId};

fn settings() -> StoreSettings {
    StoreSettings::new(RepositoryId::from_bytes([7; 16]))
}

/// Bytes that look random, the same for the same seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn put_all(store: &Store, contents: &[Vec<u8>]) -> WriterTotals {
    let writer = store.chunk_writer(&SilentMonitor).unwrap();
    for bytes in contents {
        writer.put(ChunkId::of(bytes), bytes, GroupHint::of_name(b"a.svg")).unwrap();
    }
    let staged = writer.finish().unwrap();
    let totals = staged.totals();
    let mut transaction = store.begin().unwrap();
    transaction.publish(staged).unwrap();
    transaction.commit().unwrap();
    totals
}

fn assert_all(store: &Store, contents: &[Vec<u8>]) {
    let reader = store.chunk_reader().unwrap();
    let mut bytes = Vec::new();
    for expected in contents {
        reader.read(ChunkId::of(expected), &mut bytes).unwrap();
        assert_eq!(&bytes, expected);
    }
}

fn mixed() -> Vec<Vec<u8>> {
    let text = "all work and no play makes jack a dull boy\n".repeat(900);
    let mut contents: Vec<Vec<u8>> = (0..200).map(|n| noise(n, 50 + n as usize * 313)).collect();
    contents.extend((1..60).map(|n| text.as_bytes()[..n * 600].to_vec()));
    contents
}

#[test]
fn chunks_come_back_after_closing_and_opening() {
    let folder = tempfile::tempdir().unwrap();
    let contents = mixed();
    let store = Store::create(&folder.path().join(".pent"), &settings()).unwrap();
    let totals = put_all(&store, &contents);
    assert_eq!(totals.chunks, contents.len() as u64);
    assert_all(&store, &contents);
    drop(store);
    let store = Store::open(&folder.path().join(".pent"), Access::ReadOnly).unwrap();
    assert_eq!(store.settings(), &settings());
    assert_all(&store, &contents);
    assert!(matches!(store.begin(), Err(StoreError::ReadOnly)));
}

#[test]
fn what_is_known_is_not_stored_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(&folder.path().join(".pent"), &settings()).unwrap();
    put_all(&store, &mixed());
    assert_eq!(put_all(&store, &mixed()), WriterTotals::default());
}

#[test]
fn many_rows_are_published_on_the_way_and_packs_are_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { pack_seal_bytes: 1 << 20, pending_rows_max: 10, ..StoreOptions::default() };
    let dir = folder.path().join(".pent");
    let store = Store::create_on(Arc::new(RealDisk), &dir, &settings(), options).unwrap();
    let contents = mixed();
    put_all(&store, &contents);
    assert_all(&store, &contents);
    let packs = store.snapshot().unwrap().packs().unwrap();
    assert!(packs.iter().filter(|(_, pack)| pack.sealed).count() >= 3, "{packs:?}");
}

#[test]
fn spaces_keep_keys_in_order_and_transactions_are_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(&folder.path().join(".pent"), &settings()).unwrap();
    let mut transaction = store.begin().unwrap();
    for key in [b"b2", b"a1", b"b1", b"c1"] {
        transaction.put(Space::Refs, key, b"x").unwrap();
    }
    assert_eq!(transaction.scan_prefix(Space::Refs, b"b").unwrap().len(), 2);
    transaction.commit().unwrap();
    let mut dropped = store.begin().unwrap();
    assert!(dropped.delete(Space::Refs, b"a1").unwrap());
    drop(dropped);
    let snapshot = store.snapshot().unwrap();
    let keys: Vec<_> = snapshot.scan_prefix(Space::Refs, b"b").unwrap().map(|row| row.unwrap().0).collect();
    assert_eq!(keys, [b"b1".to_vec(), b"b2".to_vec()]);
    assert_eq!(snapshot.count(Space::Refs).unwrap(), 4);
    assert_eq!(snapshot.get(Space::Refs, b"zz").unwrap(), None);
}
