//! What a search finds in files: what they are called and what they are, what looks the same, and what is kept
//! of it when somebody stops.

use crate::kills::{studio, write};
use crate::searching::{NOW, fixture, found_set, harbour, set};
use crate::support::terminal::Terminal;
use pentimento::app::search::open::{Upkeep, open};
use pentimento::app::search::read::Budget;
use pentimento::base::monitor::{Advance, Monitor, Phase, Problem, SilentMonitor};
use pentimento::media::worker::{Limits, Workers};
use pentimento::repo::Repository;
use pentimento::store::Access;
use std::fs;
use std::path::Path;
use std::time::Duration;

#[test]
fn a_type_is_told_by_the_content_and_by_the_end_of_ones_own_name() {
    let world = studio();
    let json = "{\"k\": 1}";
    for (path, text) in [("a.txt", "harbour"), ("sheet.csv", "a,b"), ("d1.txt", json), ("d2.json", json)] {
        write(&world, path, text);
    }
    write(&world, "page.PDF", "%PDF-1.4\n%%EOF\n");
    write(&world, "logo.ai", "%PDF-1.4\n%of a drawing\n%%EOF\n");
    write(&world, "lantern.jpg", fixture("v1/photo/lantern.png"));
    write(&world, "poster.dat", fixture("v1/photo/lantern.png"));
    write(&world, "model.psd", "\u{1}\u{2}\u{3}");
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pictures");
    for name in ["cmyk.jpg", "lab.tif", "moving.gif"] {
        write(&world, &format!("kinds/{name}"), fs::read(pictures.join(name)).expect("a picture"));
    }
    world.ok(&["commit", "-m", "Of all kinds"]);
    let cases: &[(&str, &[&str])] = &[
        ("type:csv", &["sheet.csv"]),
        ("type:txt", &["a.txt", "d1.txt"]),
        ("type:json", &["d2.json"]),
        ("type:text", &["a.txt", "sheet.csv", "d1.txt", "d2.json"]),
        ("type:ai", &["logo.ai"]),
        ("type:pdf", &["page.PDF", "logo.ai"]),
        ("type:png", &["lantern.jpg", "poster.dat"]),
        ("type:jpg", &["kinds/cmyk.jpg"]),
        ("type:dat", &["poster.dat"]),
        // Bytes of an unknown kind: the name is all that is known.
        ("type:psd", &["model.psd"]),
        ("type:layered", &[]),
        ("color:cmyk", &["kinds/cmyk.jpg"]),
        ("color:lab width:24", &["kinds/lab.tif"]),
        ("length:1", &["kinds/moving.gif"]),
    ];
    for (query, expected) in cases {
        assert_eq!(found_set(&world, &[query]), set(expected), "{query}");
        assert_eq!(found_set(&world, &[query, "--at", "main"]), set(expected), "{query} without the index");
    }
}

#[test]
fn a_commit_tells_near_copies_when_it_is_asked_to() {
    let world = harbour();
    world.ok(&["index"]);
    write(&world, "copies/lantern.png", fixture("v1/photo/lantern.png"));
    let silent = world.pent(&["commit", "-m", "Copy"]);
    assert!(!silent.stderr.contains("looks like"), "{}", silent.stderr);
    world.ok(&["config", "commit.likeness", "true"]);
    world.ok(&["thumb", "photo/lantern.png", "--to", "small.png", "--edge", "200"]);
    let told = world.pent(&["commit", "-m", "Small"]);
    assert_eq!(told.code, 0);
    assert!(told.stderr.contains("small.png looks like photo/lantern.png"), "{}", told.stderr);
    write(&world, "notes.txt", "no picture");
    assert!(!world.pent(&["commit", "-m", "Notes"]).stderr.contains("looks like"));
    // Copies that come in together are told of each other, also where there is no index; before they are stored.
    world.ok(&["index", "--remove"]);
    world.ok(&["thumb", "photo/HarbourDusk.jpg", "--to", "dusk-a.png", "--edge", "220"]);
    world.ok(&["thumb", "photo/HarbourDusk.jpg", "--to", "dusk-b.png", "--edge", "200"]);
    let told = world.pent(&["commit", "-m", "Both"]);
    assert_eq!(told.code, 0);
    assert!(told.stderr.contains("dusk-b.png looks like dusk-a.png"), "{}", told.stderr);
    // Its own earlier version is no copy.
    world.ok(&["thumb", "photo/HarbourDusk.jpg", "--to", "../dusk.png", "--edge", "210"]);
    world.ok(&["index"]);
    fs::copy(world.studio().join("../dusk.png"), world.studio().join("dusk-a.png")).expect("copied");
    let told = world.pent(&["commit", "-m", "Again"]);
    assert!(!told.stderr.contains("looks like dusk-a.png"), "{}", told.stderr);
}

#[test]
fn a_commit_on_a_terminal_tells_near_copies_by_itself() {
    let world = studio();
    let commit = |message: &str| {
        let (code, shown) = Terminal::pent(&world, 120, &["commit", "-m", message]).end();
        assert_eq!(code, 0, "{shown}");
        shown
    };
    write(&world, "photo/lantern.png", fixture("v1/photo/lantern.png"));
    assert!(!commit("A lantern").contains("looks like"));
    // Nobody has searched: what was looked at for the first commit is remembered.
    world.ok(&["thumb", "photo/lantern.png", "--to", "small.png", "--edge", "200"]);
    let shown = commit("A small one");
    assert!(shown.contains("small.png looks like photo/lantern.png"), "{shown}");
    world.ok(&["thumb", "photo/lantern.png", "--to", "smaller.png", "--edge", "180"]);
    world.ok(&["config", "commit.likeness", "false"]);
    assert!(!commit("Another").contains("looks like"));
}

/// Asks to stop when so many files were looked into.
struct StopsAfter {
    files: u64,
    seen: std::sync::atomic::AtomicU64,
}

impl Monitor for StopsAfter {
    fn phase(&self, _: Phase) {}
    fn advance(&self, advance: Advance) {
        self.seen.fetch_add(advance.files, std::sync::atomic::Ordering::SeqCst);
    }
    fn problem(&self, _: Problem) {}
    fn is_cancelled(&self) -> bool {
        self.seen.load(std::sync::atomic::Ordering::SeqCst) >= self.files
    }
}

#[cfg(unix)]
#[test]
fn a_search_that_is_stopped_or_runs_out_of_time_goes_on_where_it_was() {
    use std::os::unix::fs::PermissionsExt as _;
    const FILES: usize = 30;
    let world = studio();
    for number in 0..FILES {
        write(&world, &format!("{number}.png"), [b"\x89PNG\r\n\x1a\n".as_slice(), &[number as u8]].concat());
    }
    world.ok(&["commit", "-m", "Pictures"]);
    // A decoder that takes its time, says nothing and counts how often it was called.
    let (program, calls) = (world.studio().join("../slow.sh"), world.studio().join("../calls"));
    fs::write(&program, format!("#!/bin/sh\nsleep 0.1\necho x >> '{}'\n", calls.display())).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("may be run");
    let called = || fs::read_to_string(&calls).map_or(0, |text| text.lines().count());
    let slow = Workers::new(program, Limits::default());
    let repository = Repository::open(&world.studio(), Access::ReadOnly).expect("a repository");
    let look = |budget: Budget, monitor: &dyn Monitor| {
        let upkeep = Upkeep { workers: &slow, budget, anew: false, now: NOW, monitor };
        open(&repository, upkeep).map(|opened| (opened.read.read, opened.unread().expect("counted")))
    };
    // The index itself tells its files too: it is made first.
    let no_time = Budget { time: Some(Duration::ZERO), ..Budget::SEARCH };
    assert_eq!(look(no_time, &SilentMonitor).expect("an index"), (0, FILES as u64));
    // Out of time: what was looked into is kept, and the rest waits.
    let little = Budget { time: Some(Duration::from_millis(150)), ..Budget::SEARCH };
    let (read, unread) = look(little, &SilentMonitor).expect("an index");
    assert!(read > 0 && read < FILES as u64, "{read} files in little time");
    assert_eq!((unread, called() as u64), (FILES as u64 - read, read));
    // Stopped: the same.
    let stops = StopsAfter { files: 4, seen: std::sync::atomic::AtomicU64::new(0) };
    assert!(look(Budget::SEARCH, &stops).is_err(), "it was stopped");
    let (_, unread) = look(Budget::ALL, &SilentMonitor).expect("an index");
    assert_eq!(unread, 0);
    // Only what was being looked into when the stop came is looked into again.
    let again = called() - FILES;
    assert!(again <= std::thread::available_parallelism().map_or(64, usize::from), "{again} files twice");
}
