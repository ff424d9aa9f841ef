//! How fast packs are written and read, and the chunk index filled and asked.
//!
//! `cargo bench --bench store`. Folders are made below the system's temporary folder, so the figures
//! are those of its disk.

// A benchmark that cannot go on has failed.
#![allow(clippy::expect_used)]

use std::path::Path;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use pentimento::base::id::{ChunkId, RepositoryId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::store::{Access, ChunkReader, GroupHint, Space, Store, StoreSettings};

fn main() {
    divan::main();
}

/// Bytes that do not pack, the same for the same seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Text that packs about three to one.
fn text(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 64);
    let mut line = seed;
    while bytes.len() < length {
        line = line.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(format!("<path d=\"M{} {}\"/>\n", line >> 54, line >> 44 & 1023).as_bytes());
    }
    bytes.truncate(length);
    bytes
}

type Chunks = Vec<(ChunkId, Vec<u8>)>;

fn with_ids(contents: impl Iterator<Item = Vec<u8>>) -> Chunks {
    contents.map(|bytes| (ChunkId::of(&bytes), bytes)).collect()
}

/// 64 MiB in chunks of the usual size.
fn large_noise() -> Chunks {
    with_ids((0..1024).map(|seed| noise(seed, 64 * 1024)))
}

fn large_text() -> Chunks {
    with_ids((0..256).map(|seed| text(seed, 64 * 1024)))
}

fn small_text() -> Chunks {
    with_ids((0..8192).map(|seed| text(seed, 2048)))
}

fn create(folder: &Path) -> Store {
    let settings = StoreSettings::new(RepositoryId::from_bytes([1; 16]));
    Store::create(&folder.join(".pent"), &settings).expect("a store in a fresh folder")
}

fn put_all(store: &Store, chunks: &Chunks) {
    let writer = store.chunk_writer(&SilentMonitor).expect("a writer");
    for (id, bytes) in chunks {
        writer.put(*id, bytes, GroupHint::of_name(b"a.svg")).expect("room on the disk");
    }
    let staged = writer.finish().expect("room on the disk");
    let mut transaction = store.begin().expect("a transaction");
    transaction.publish(staged).expect("room on the disk");
    transaction.commit().expect("room on the disk");
}

fn bytes_of(chunks: &Chunks) -> BytesCount {
    BytesCount::new(chunks.iter().map(|(_, bytes)| bytes.len()).sum::<usize>())
}

/// Written, synced and published, on one thread.
#[divan::bench(args = ["noise", "text", "small text"], sample_count = 5, sample_size = 1)]
fn write_and_publish(bencher: Bencher, kind: &str) {
    let chunks = match kind {
        "noise" => large_noise(),
        "text" => large_text(),
        _ => small_text(),
    };
    bencher
        .counter(bytes_of(&chunks))
        .with_inputs(|| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            (create(folder.path()), folder)
        })
        .bench_values(|(store, folder)| {
            put_all(&store, &chunks);
            (store, folder)
        });
}

/// Nothing is new: the cost of finding out.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn put_known(bencher: Bencher) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = create(folder.path());
    let chunks = small_text();
    put_all(&store, &chunks);
    bencher.counter(ItemsCount::new(chunks.len())).bench_local(|| {
        let writer = store.chunk_writer(&SilentMonitor).expect("a writer");
        for (id, bytes) in &chunks {
            black_box(writer.put(*id, bytes, GroupHint::NONE)).expect("an index that answers");
        }
    });
}

fn read_all(reader: &ChunkReader, chunks: &Chunks) {
    for (id, _) in chunks {
        reader.with(*id, |bytes| black_box(bytes.len())).expect("a chunk that is there");
    }
}

/// Read and verified, warm, in the order of writing.
#[divan::bench(args = ["noise", "text", "small text"], sample_count = 10, sample_size = 1)]
fn read_and_verify(bencher: Bencher, kind: &str) {
    let chunks = match kind {
        "noise" => large_noise(),
        "text" => large_text(),
        _ => small_text(),
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = create(folder.path());
    put_all(&store, &chunks);
    let reader = store.chunk_reader().expect("a reader");
    bencher.counter(bytes_of(&chunks)).bench_local(|| read_all(&reader, &chunks));
}

/// Rows of 100,000 tiny chunks, from nothing to durable.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn index_insert(bencher: Bencher) {
    let chunks = with_ids((0..100_000u64).map(|seed| seed.to_le_bytes().to_vec()));
    bencher
        .counter(ItemsCount::new(chunks.len()))
        .with_inputs(|| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            (create(folder.path()), folder)
        })
        .bench_values(|(store, folder)| {
            put_all(&store, &chunks);
            (store, folder)
        });
}

/// Questions to an index of 100,000 rows.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn index_lookup(bencher: Bencher) {
    let chunks = with_ids((0..100_000u64).map(|seed| seed.to_le_bytes().to_vec()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = create(folder.path());
    put_all(&store, &chunks);
    let snapshot = store.snapshot().expect("a snapshot");
    bencher.counter(ItemsCount::new(10_000usize)).bench_local(|| {
        for (id, _) in chunks.iter().step_by(10) {
            black_box(snapshot.has_chunk(*id)).expect("an index that answers");
        }
    });
}

/// One ref moved, from begin to durable: the least that any commit costs.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn small_transaction(bencher: Bencher) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = create(folder.path());
    bencher.bench_local(|| {
        let mut transaction = store.begin().expect("a transaction");
        transaction.put(Space::Refs, b"main", b"somewhere").expect("room on the disk");
        transaction.commit().expect("room on the disk");
    });
}

/// Opened for reading, and asked one question.
#[divan::bench(sample_count = 50, sample_size = 1)]
fn open_and_ask(bencher: Bencher) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = create(folder.path());
    put_all(&store, &small_text());
    drop(store);
    let dir = folder.path().join(".pent");
    bencher.bench_local(|| {
        let store = Store::open(&dir, Access::ReadOnly).expect("a store");
        let snapshot = store.snapshot().expect("a snapshot");
        black_box(snapshot.get(Space::Refs, b"main")).expect("a database that answers")
    });
}
