//! How long searches take among a million assets, and looks for alike pictures among a million fingerprints.
//!
//! `cargo bench --bench search`; `PENT_BENCH_RECORDS` sets another number. The figures and what they were
//! measured on are in `docs/benchmarks.md`. What is indexed is made up, like the names of a studio: 2,000
//! folders, names of three words out of 5,000 that are as uneven as words are, labels, fields, people, sizes.

// A benchmark says what it measured, and ends when it cannot.
#![allow(clippy::expect_used, clippy::print_stdout)]

use pentimento::base::id::{CommitId, FileId};
use pentimento::base::path::AssetPath;
use pentimento::base::time::Timestamp;
use pentimento::catalog::index::{Catalog, INDEX_VERSION, Ranking, Request, State};
use pentimento::catalog::likeness::{ALIKE_BITS, Fingerprint, NEAR_BITS, Prints};
use pentimento::catalog::query::{Known, Place, parse};
use pentimento::catalog::record::{Facet, Record};
use std::time::{Duration, Instant};

const QUERIES: &[&str] = &[
    "w17",
    "w17 w3",
    "\"w5 w2\"",
    "w4*",
    "w1 label:approved type:psd width:>3000 by:anna since:2026-01",
    "label:approved",
    "in:folder-17",
    "in:folder-1*/**",
    "width:>3000 height:<2000",
    "w1 OR w2 OR w3",
    "w2 -label:old",
    "price:10..20",
    "title:w9",
    "",
];
const ROUNDS: usize = 60;

struct Any;

impl Known for Any {
    fn has_field(&self, _: &str) -> bool {
        true
    }

    fn fields(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Numbers that look random and are the same every time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Small numbers far more often than large ones, as words are.
    fn word(&mut self) -> String {
        let unit = self.below(1 << 32) as f64 / (1u64 << 32) as f64;
        format!("w{}", (5000f64.powf(unit)) as u64)
    }
}

fn record(number: u64, numbers: &mut Numbers) -> Record {
    let folder = numbers.below(2_000);
    let name = format!("{}_{}_{}_{number}", numbers.word(), numbers.word(), numbers.word());
    let extension = ["psd", "jpg", "png", "tif", "mov", "svg"][numbers.below(6) as usize];
    let path = AssetPath::from_bytes(format!("folder-{}/set-{folder}/{name}.{extension}", folder % 100));
    let changed = 1_600_000_000_000 + numbers.below(172_000_000_000) as i64;
    let mut record = Record::new(path.expect("a path"), "", CommitId::from_bytes([7; 32]), changed);
    record.tag("on", "main");
    record.count(Facet::On, "main");
    record.tag("type", extension);
    record.count(Facet::Type, extension);
    let person = ["Anna Lind", "Ben Okafor", "Cleo Marsh", "Dov Stern"][numbers.below(4) as usize];
    person.split(' ').for_each(|word| record.tag("by", word));
    record.count(Facet::By, person);
    for label in ["approved", "old", "spring", "print"] {
        if numbers.below(5) == 0 {
            record.tag("label", label);
            record.count(Facet::Label, label);
            record.say_field("label", label);
        }
    }
    record.say_field("title", &format!("{} {} {}", numbers.word(), numbers.word(), numbers.word()));
    if numbers.below(4) == 0 {
        let text: Vec<String> = (0..60).map(|_| numbers.word()).collect();
        record.say(Place::Text, &text.join(" "));
    }
    record.number("price", numbers.below(10_000) as f64 / 100.0);
    record.number("width", numbers.below(8_000) as f64);
    record.number("height", numbers.below(8_000) as f64);
    record.number("size", numbers.below(1 << 30) as f64);
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_le_bytes());
    record.tag("file", &FileId::from_bytes(id).to_string());
    record.tag("asset", &format!("{number:032x}"));
    record
}

fn figures(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    format!("p50 {:8.2} ms   p99 {:8.2} ms   most {:8.2} ms", at(0.5), at(0.99), at(1.0))
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("unknown").to_owned()
}

fn main() {
    if std::env::args().any(|word| word == "--test" || word == "--list") {
        return;
    }
    let count: u64 =
        std::env::var("PENT_BENCH_RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let place = tempfile::tempdir().expect("a folder");
    search(&place.path().join("index"), count);
    look(&place.path().join("prints"), count);
}

fn search(folder: &std::path::Path, count: u64) {
    let mut numbers = Numbers(1);
    let begun = Instant::now();
    let mut catalog = Catalog::create(folder).expect("an index");
    let mut writer = catalog.write().expect("a writer");
    for number in 0..count {
        writer.add(&record(number, &mut numbers)).expect("added");
    }
    writer.commit(State { version: INDEX_VERSION, ..State::default() }).expect("committed");
    println!(
        "{count} records indexed in {:.1} s, {} MB on disk, {}",
        begun.elapsed().as_secs_f64(),
        catalog.size() / 1_000_000,
        peak_memory()
    );
    let begun = Instant::now();
    let changed = record(count, &mut numbers);
    let mut writer = catalog.write().expect("a writer");
    writer.put(&changed).expect("put");
    writer.commit(State { version: INDEX_VERSION, ..State::default() }).expect("committed");
    println!("one record changed in {:.1} ms", begun.elapsed().as_secs_f64() * 1000.0);
    let begun = Instant::now();
    drop(catalog);
    let catalog = Catalog::open(folder).expect("readable").expect("an index");
    println!("opened in {:.1} ms", begun.elapsed().as_secs_f64() * 1000.0);
    let now = Timestamp::utc(1_772_542_920_000);
    let mut all = Vec::new();
    for text in QUERIES {
        let query = parse(text, &Any, now).expect("a query");
        for facets in [false, true] {
            let ranking = if query.node.has_words() {
                Ranking::Score
            } else {
                Ranking::Number { column: "changed", least_first: false }
            };
            let request = Request { limit: 50, ranking, facets };
            let mut times = Vec::new();
            let mut total = 0;
            for _ in 0..ROUNDS {
                let begun = Instant::now();
                total = catalog.search(&query.node, &request).expect("an answer").total;
                times.push(begun.elapsed());
            }
            if !facets {
                all.extend(times.iter().copied());
            }
            let what = if facets { "with facets" } else { "" };
            println!("{text:60} {what:12} {total:8} finds   {}", figures(times));
        }
    }
    println!("all queries without facets: {}", figures(all));
}

fn look(path: &std::path::Path, count: u64) {
    let mut numbers = Numbers(2);
    let prints = Prints::at(path);
    let mut batch = Vec::new();
    let mut wanted = Fingerprint([0; 4]);
    for number in 0..count {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_le_bytes());
        let print = Fingerprint(std::array::from_fn(|_| numbers.next()));
        if number == count / 2 {
            wanted = print;
        }
        batch.push((FileId::from_bytes(id), print));
        if batch.len() == 100_000 || number + 1 == count {
            prints.add(&batch).expect("added");
            batch.clear();
        }
    }
    for most in [NEAR_BITS, ALIKE_BITS] {
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            found = prints.alike(&wanted, most).expect("compared").len();
            times.push(begun.elapsed());
        }
        println!("{count} fingerprints, within {most} bits: {found} found   {}", figures(times));
    }
    let begun = Instant::now();
    let groups = prints.groups(&|_| true).expect("compared").len();
    println!("pairs among all: {groups} groups in {:.1} s, {}", begun.elapsed().as_secs_f64(), peak_memory());
}
