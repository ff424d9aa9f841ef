//! Content goes in and comes out the same, whatever its size, and what is wrong with it is named.

use pentimento::base::id::{ChunkId, FileId, RepositoryId};
use pentimento::base::monitor::{Advance, CollectingMonitor, Monitor, Phase, Problem, SilentMonitor};
use pentimento::object::chunker::ChunkerParameters;
use pentimento::object::manifest::{ChunkList, Manifest, verified_key};
use pentimento::object::manifest_diff::shared_and_changed;
use pentimento::object::manifest_read;
use pentimento::repo::Repository;
use pentimento::repo::content::{ContentError, file_chunks};
use pentimento::repo::extract::Extractor;
use pentimento::repo::ingest::{Ingested, Ingester};
use pentimento::repo::view::View;
use pentimento::store::{GroupHint, Space, StoreError, StoreSettings};
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn plain(bytes: &[u8]) -> FileId {
    FileId::from_bytes(*blake3::hash(bytes).as_bytes())
}

struct World {
    repository: Repository,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let settings = StoreSettings::new(RepositoryId::from_bytes([7; 16]));
        let repository = Repository::create(folder.path(), &settings).expect("a new repository");
        Self { repository, _folder: folder }
    }

    fn view(&self) -> View {
        self.repository.view().expect("a readable repository")
    }

    fn ingest_with(&self, input: &mut dyn Read, monitor: &dyn Monitor) -> Result<Ingested, ContentError> {
        let writer = self.repository.store().chunk_writer(monitor)?;
        let ingester = Ingester::storing(&writer, &ChunkerParameters::default(), monitor);
        let ingested = ingester.ingest_file(input, GroupHint::NONE)?;
        drop(ingester);
        let staged = writer.finish()?;
        let mut transaction = self.repository.store().begin()?;
        transaction.publish(staged)?;
        transaction.commit()?;
        Ok(ingested)
    }

    fn ingest(&self, bytes: &[u8]) -> Ingested {
        self.ingest_with(&mut &*bytes, &SilentMonitor).expect("content that can be stored")
    }

    fn extract(&self, file: FileId, size: u64) -> Result<Vec<u8>, ContentError> {
        let (reader, view) = (self.repository.store().chunk_reader()?, self.view());
        let mut out = Vec::new();
        Extractor::new(&reader, &view, &SilentMonitor).write_file(file, size, &mut out)?;
        Ok(out)
    }

    fn put(&self, space: Space, key: &[u8], value: &[u8]) {
        let mut transaction = self.repository.store().begin().expect("a transaction");
        transaction.put(space, key, value).expect("a row");
        transaction.commit().expect("durable");
    }
}

/// Sizes around every limit that something depends on.
fn sizes() -> Vec<usize> {
    let limits = [64, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 2 * MIB, 4 * MIB, 8 * MIB];
    let mut sizes: Vec<usize> = limits.iter().flat_map(|limit| [limit - 1, *limit, limit + 1]).collect();
    sizes.extend([0, 1, 13 * MIB + 77, 33 * MIB]);
    sizes
}

#[test]
fn files_of_every_size_come_back_as_they_were() {
    let world = World::new();
    for size in sizes() {
        let bytes = noise("round trip", size);
        let ingested = world.ingest(&bytes);
        assert_eq!((ingested.file, ingested.size), (plain(&bytes), size as u64), "{size} bytes");
        let extracted = world.extract(ingested.file, ingested.size).expect("sound content");
        assert!(extracted == bytes, "{size} bytes");
        assert_eq!(world.ingest(&bytes).new_bytes, 0, "{size} bytes");
    }
}

#[test]
fn files_that_compress_or_repeat_come_back_as_they_were() {
    let world = World::new();
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(300_000).into_bytes();
    for bytes in [vec![0; 20 * MIB + 1], text, noise("a", 5 * MIB).repeat(3)] {
        let ingested = world.ingest(&bytes);
        assert_eq!(ingested.file, plain(&bytes));
        assert!(world.extract(ingested.file, ingested.size).expect("sound content") == bytes);
        assert!(ingested.stored_bytes < bytes.len() as u64 * 2 / 3, "what repeats is stored once");
    }
}

#[test]
fn ranges_and_streams_are_parts_of_the_whole() {
    let world = World::new();
    let bytes = noise("ranges", 6 * MIB + 5);
    let Ingested { file, size, .. } = world.ingest(&bytes);
    let (reader, view) = (world.repository.store().chunk_reader().unwrap(), world.view());
    let extractor = Extractor::new(&reader, &view, &SilentMonitor);
    let mut part = Vec::new();
    for (start, end) in [(0, 0), (0, 1), (5, 300_000), (1_000_000, 5_000_000), (6_291_455, 6_291_461)] {
        extractor.read_range(file, size, start..end, &mut part).expect("sound content");
        assert!(part == bytes[start as usize..end as usize], "{start}..{end}");
    }
    extractor.read_range(file, size, size - 3..size + 9, &mut part).expect("sound content");
    assert_eq!(part, bytes[bytes.len() - 3..]);
    let mut streamed = Vec::new();
    extractor.open_file(file, size).expect("a file").read_to_end(&mut streamed).expect("sound content");
    assert!(streamed == bytes);
}

/// Reads a few bytes at a time, and is interrupted now and then.
struct Halting<'a>(&'a [u8], usize);

impl Read for Halting<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(7) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = into.len().min(1 + self.1 * 7919 % 100_000).min(self.0.len());
        into[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

#[test]
fn short_reads_and_interruptions_change_nothing() {
    let world = World::new();
    for size in [100_000, 4 * MIB, 11 * MIB + 3] {
        let bytes = noise("halting", size);
        let ingested = world.ingest_with(&mut Halting(&bytes, 0), &SilentMonitor).expect("content");
        assert_eq!((ingested.file, ingested.size), (plain(&bytes), size as u64));
    }
}

/// Fails after its bytes.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { Err(io::ErrorKind::PermissionDenied.into()) } else { self.0.read(into) }
    }
}

#[test]
fn an_error_while_reading_ends_the_file_and_nothing_else() {
    let world = World::new();
    let bytes = noise("failing", 30 * MIB);
    for length in [0, 5, 4 * MIB, 30 * MIB] {
        let failed = world.ingest_with(&mut Failing(&bytes[..length]), &SilentMonitor);
        assert!(matches!(failed, Err(ContentError::Read { .. })), "{length} bytes");
    }
    assert_eq!(world.ingest(&bytes).file, plain(&bytes));
}

/// Stops after some bytes.
struct Stopping(AtomicU64);

impl Monitor for Stopping {
    fn phase(&self, _: Phase) {}
    fn advance(&self, advance: Advance) {
        self.0.fetch_add(advance.bytes, Ordering::Relaxed);
    }
    fn problem(&self, _: Problem) {}
    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 2 * MIB as u64
    }
}

#[test]
fn work_on_a_large_file_stops_when_asked() {
    let world = World::new();
    let monitor = Stopping(AtomicU64::new(0));
    let stopped = world.ingest_with(&mut io::repeat(9).take(1 << 36), &monitor);
    assert!(matches!(stopped, Err(ContentError::Cancelled)), "{stopped:?}");
}

#[test]
fn a_monitor_hears_of_every_byte_and_of_what_is_shared() {
    let world = World::new();
    let bytes = noise("monitored", 9 * MIB);
    let monitor = CollectingMonitor::default();
    world.ingest_with(&mut &bytes[..], &monitor).expect("content");
    assert_eq!(monitor.totals().1, bytes.len() as u64);
}

#[test]
fn an_insertion_stores_little_more_than_what_was_inserted() {
    let world = World::new();
    let before = noise("insertion", 40 * MIB);
    let first = world.ingest(&before);
    assert_eq!(first.new_bytes, before.len() as u64);
    let inserted = noise("inserted", MIB);
    let after = [&before[..17 * MIB + 3], &inserted, &before[17 * MIB + 3..]].concat();
    let second = world.ingest(&after);
    assert_eq!(second.file, plain(&after));
    assert!(second.new_bytes < 1_400_000, "{} bytes are new", second.new_bytes);

    let view = world.view();
    let chunks = |ingested: Ingested| file_chunks(&view, ingested.file, ingested.size).expect("a manifest");
    let comparison = shared_and_changed(chunks(first), chunks(second)).expect("sound manifests");
    assert_eq!(comparison.shared_bytes, second.size - second.new_bytes);
    let [change] = &comparison.ranges[..] else { panic!("one change, not {:?}", comparison.ranges) };
    assert!(change.after.start <= 17 * MIB as u64 + 3 && 18 * MIB as u64 + 3 <= change.after.end);
}

#[test]
fn measuring_and_hashing_say_what_storing_would() {
    let world = World::new();
    world.ingest(&noise("known", 7 * MIB));
    for size in [0, 5000, 200_000, 3 * MIB, 12 * MIB] {
        let bytes = [noise("known", 7 * MIB), noise("unknown", size)].concat();
        let view = world.view();
        let parameters = ChunkerParameters::default();
        let measured = Ingester::measuring(&view, &parameters, &SilentMonitor)
            .ingest_file(&mut &bytes[..], GroupHint::NONE)
            .expect("content");
        let hashed =
            Ingester::hashing(&SilentMonitor).ingest_file(&mut &bytes[..], GroupHint::NONE).expect("content");
        let stored = world.ingest(&bytes);
        assert_eq!((measured.file, measured.new_bytes), (stored.file, stored.new_bytes), "{size} bytes");
        assert_eq!((hashed.file, hashed.size), (stored.file, stored.size), "{size} bytes");
    }
}

#[test]
fn stored_manifests_hold_together() {
    let world = World::new();
    let bytes = noise("manifests", 80 * MIB);
    let Ingested { file, .. } = world.ingest(&bytes);
    let view = world.view();
    let manifest = view.manifest(file).expect("a sound manifest").expect("a manifest");
    assert!(matches!(manifest.chunks, ChunkList::InNodes { .. }));
    manifest_read::check(&manifest, &view).expect("a sound manifest");
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let world = World::new();
    let bytes = noise("damage", 300_000);
    let Ingested { file, size, .. } = world.ingest(&bytes);
    let stranger = FileId::from_bytes([1; 32]);
    assert!(
        matches!(world.extract(stranger, 1 << 30), Err(ContentError::Missing { file }) if file == stranger)
    );
    assert!(matches!(world.extract(file, size + 1), Err(ContentError::Size { found, .. }) if found == size));

    let view = world.view();
    let mut manifest = view.manifest(file).unwrap().expect("a manifest");
    let ChunkList::Here(entries) = &mut manifest.chunks else { panic!("a short list") };
    let missing = ChunkId::from_bytes([3; 32]);
    let first = std::mem::replace(&mut entries[0].id, missing);
    world.put(Space::Manifests, &verified_key(file), &manifest.encode());
    let failed = world.extract(file, size);
    assert!(
        matches!(&failed, Err(ContentError::Chunk { chunk, offset: 0, source, .. })
            if *chunk == missing && matches!(**source, StoreError::MissingChunk { .. })),
        "{failed:?}"
    );

    let ChunkList::Here(entries) = &mut manifest.chunks else { panic!("a short list") };
    entries[0].id = first;
    entries.swap(0, 1);
    world.put(Space::Manifests, &verified_key(file), &manifest.encode());
    assert!(
        matches!(world.extract(file, size), Err(ContentError::Content { .. })),
        "chunks in another order"
    );

    world.put(Space::Manifests, &verified_key(file), b"noise");
    assert!(matches!(world.extract(file, size), Err(ContentError::Repository { .. })));
}

#[test]
fn a_large_file_put_together_wrongly_is_found_out() {
    let world = World::new();
    let good = world.ingest(&noise("large one", 9 * MIB));
    let other = world.ingest(&noise("large two", 9 * MIB));
    let view = world.view();
    let manifest = view.manifest(other.file).unwrap().expect("a manifest");
    let swapped = Manifest { file: good.file, ..manifest };
    world.put(Space::Manifests, &verified_key(good.file), &swapped.encode());
    let failed = world.extract(good.file, good.size);
    assert!(matches!(failed, Err(ContentError::Content { found, .. }) if found == other.file));
}

#[test]
fn the_table_in_the_format_document_is_the_one_in_use() {
    let document = include_str!("../../docs/format/chunks-and-manifests.md");
    let (_, table) = document.rsplit_once("## The table").expect("a table");
    let words = table.split_whitespace().filter(|word| word.len() == 16);
    let numbers: Vec<u64> = words.filter_map(|word| u64::from_str_radix(word, 16).ok()).collect();
    assert_eq!(numbers, gearhash::DEFAULT_TABLE);
}
