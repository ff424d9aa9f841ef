use super::{Mutator, Target, judge, targets};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Memory that a decoder may use for each byte of its input.
const MEMORY_FACTOR: usize = 64;
/// CPU time that one input may take.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Counts what each thread has allocated and not freed.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn note(change: isize) {
    // A thread that ends may free after its counters are gone.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call goes on to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: the caller keeps to the contract, which is the system's own.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are held for a moment.
        note(size as isize);
        note(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most memory that `work` held at once.
pub(super) fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before).max(0) as usize)
}

pub(super) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Runs a target on an input; an error says everything about what went wrong.
fn try_input(target: &Target, bytes: &[u8]) -> Result<bool, String> {
    let start = cpu_time();
    let (outcome, peak) = peak_of(|| catch_unwind(AssertUnwindSafe(|| judge(target, bytes))));
    let taken = cpu_time().saturating_sub(start);
    let wrong = match outcome {
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            format!("a panic: {}", text.unwrap_or_default())
        }
        Ok(Err(wrong)) => wrong,
        Ok(Ok(_)) if peak > target.memory + MEMORY_FACTOR * bytes.len() => format!("{peak} bytes of memory"),
        Ok(Ok(_)) if taken > TIME_MAX => format!("{taken:?} of CPU time"),
        Ok(Ok(taken)) => return Ok(taken),
    };
    Err(format!(
        "{} on {} bytes: {wrong}\n{:?}\n{bytes:02x?}",
        target.name,
        bytes.len(),
        String::from_utf8_lossy(bytes)
    ))
}

/// How long all targets are run together, and how often each at least.
fn budget() -> (Duration, u64) {
    match std::env::var("PENT_CI").as_deref() {
        Ok("long") => (Duration::from_secs(600), 100_000),
        _ => (Duration::from_secs(6), 300),
    }
}

#[test]
fn seeds_are_taken() {
    for target in targets() {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for mut seed in seeds {
            assert_eq!(try_input(target, &seed), Ok(true), "{}", target.name);
            // What is right already is not made wrong by mending it.
            if let Some(mend) = target.mend {
                let right = seed.clone();
                mend(&mut seed);
                assert_eq!(seed, right, "{}", target.name);
            }
        }
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "how far each decoder got is worth seeing")]
fn every_decoder_stands_what_is_thrown_at_it() {
    let only = std::env::var("PENT_FUZZ").ok();
    let chosen: Vec<&Target> = targets()
        .filter(|target| only.as_ref().is_none_or(|only| target.name.contains(only.as_str())))
        .collect();
    assert!(!chosen.is_empty(), "no target is called {only:?}");
    let (time, least) = budget();
    let share = time / chosen.len() as u32;
    let mut wrong = Vec::new();
    // A panic is reported with its input; the usual words about it would hide that among thousands.
    std::panic::set_hook(Box::new(|_| {}));
    for target in chosen {
        let (start, mut runs, mut taken) = (Instant::now(), 0u64, 0u64);
        let mut mutator = Mutator::new(target);
        while runs < least || start.elapsed() < share {
            let bytes = mutator.next_input();
            match try_input(target, &bytes) {
                Ok(true) => {
                    taken += 1;
                    mutator.keep(bytes);
                }
                Ok(false) => {}
                Err(what) => {
                    wrong.push(what);
                    break;
                }
            }
            runs += 1;
        }
        eprintln!("{}: {runs} inputs, {taken} taken", target.name);
    }
    let _ = std::panic::take_hook();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Marks of code that makes sense of bytes from outside.
const SIGNS: &[&str] = &[
    "Decoder::new(",
    "serde_json::from_",
    "fn decode",
    "DocumentMut>()",
    "from_le_bytes(",
    "gix::date::parse",
    "gix::ignore::parse",
    "gix::actor",
    "from_be_bytes(",
    "Mmap::map",
];

/// Files with such marks that no target needs to run, and why.
const OTHERWISE: &[(&str, &str)] = &[
    ("object/statement.rs", "the reader of policy links and permissions to erase, which are targets"),
    ("server/handle.rs", "unpacks requests for their reader, which is a target"),
    ("app/erase_for_all.rs", "permissions and entries, which are targets"),
    ("sync/spill.rs", "takes back what it wrote itself"),
    ("sync/listed.rs", "takes back what it wrote itself, from a file that has no name"),
    ("sync/sorted.rs", "takes back what it wrote itself, from a file that has no name"),
    ("sync/allowance.rs", "takes back what it wrote itself, from a file that has no name"),
    ("sync/push/candidates.rs", "takes back what it wrote itself, from a file that has no name"),
    ("store/bucket/cloud/uploads.rs", "a random number"),
    ("app/diff/access.rs", "decodes nothing itself: manifest nodes"),
    ("app/common/seekable.rs", "a random number"),
    ("media/worker/audible.rs", "takes any four bytes for a sample"),
    ("app/visual/shelf.rs", "a random number"),
    ("app/common/signatures.rs", "what this clone found out, or nothing"),
    ("repo/log_memory.rs", "a number of fixed length, or nothing"),
    ("app/common/locks.rs", "what this clone noted of the log, or nothing"),
    ("app/common/read_only.rs", "what this clone did last, or nothing"),
    ("app/import_git/settings.rs", "what the last import set, or nothing"),
    ("care/fsck/objects.rs", "asks whether records decode"),
    ("care/fsck/packs.rs", "takes the first bytes of an id for a number"),
    ("care/fsck/progress.rs", "numbers of fixed length, or 0"),
    ("care/gc/sweep.rs", "a number of fixed length, or 0"),
    ("care/repair/records.rs", "asks whether records decode"),
    ("care/repair/rows.rs", "asks whether records decode"),
    ("import/git/export/pack.rs", "reads back what it has just written itself"),
    ("repo/ingest.rs", "takes the first bytes of an id for a number"),
    ("repo/reach.rs", "takes the first bytes of an id for a number"),
    ("store/chunk_writer.rs", "takes the first bytes of an id for a number"),
    ("store/disk.rs", "maps packs, which `store: pack` reads"),
    ("store/txlog/check.rs", "takes the first bytes of a hash for a number"),
    ("sync/bucket/mod.rs", "decodes nothing itself: targets of names"),
    ("sync/parallel.rs", "a random number"),
    ("trust/key_file.rs", "a person's own private key; damaged ones are in its own tests"),
    ("store/transaction.rs", "a number of fixed length, or 0"),
    ("diff/merge/text.rs", "decodes nothing itself: texts"),
    ("app/search/describe.rs", "a mark of comments, made here"),
];

fn source_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable source folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            source_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn every_file_that_decodes_has_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&root, &mut files);
    let named: BTreeSet<&str> = targets().flat_map(|target| target.sources.iter().copied()).collect();
    let mut forgotten = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&root).expect("a file below src").to_string_lossy().into_owned();
        let text = fs::read_to_string(file).expect("readable source");
        let body = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let decodes = SIGNS.iter().any(|sign| body.contains(sign));
        let excused = OTHERWISE.iter().any(|(other, _)| *other == name);
        let own = name.contains("fuzz") || name.contains("/tests");
        if decodes && !own && !excused && !named.contains(name.as_str()) {
            forgotten.push(name);
        }
    }
    assert!(forgotten.is_empty(), "files that decode and have no fuzz target: {forgotten:?}");
    for name in named.iter().copied().chain(OTHERWISE.iter().map(|(name, _)| *name)) {
        assert!(root.join(name).is_file(), "src/{name} is named by a fuzz target and not there");
    }
}

#[test]
fn memory_is_counted() {
    let ((), peak) = peak_of(|| drop(vec![0u8; 1 << 20]));
    assert!((1 << 20..1 << 21).contains(&peak), "{peak}");
}
