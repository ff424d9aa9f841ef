//! What nothing needs goes, in its time; everything else stays, whatever happens meanwhile.

use crate::app_flow::{Lab, anna, noise};
use crate::support::World;
use pentimento::app::{commit, draft, gc, restore, switch, tag, undo};
use pentimento::base::id::{CommitId, FileId};
use pentimento::base::monitor::{Advance, Monitor, Phase, Problem, SilentMonitor};
use pentimento::base::path::AssetPath;
use pentimento::base::time::{Clock, FixedClock, Timestamp};
use pentimento::object::source::ObjectSource;
use pentimento::object::tree::Content;
use pentimento::object::tree_walk::TreeWalk;
use pentimento::repo::extract::Extractor;
use pentimento::repo::reach::{Roots, reach};
use pentimento::repo::refs::{RefName, RefTarget};
use pentimento::repo::{RepoError, Repository};
use pentimento::store::{Access, Space};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::time::Duration;

const DAY_MS: i64 = 86_400_000;

/// Everything that the roots reach can be read: each file of each tree, whole. Gives their number.
pub fn assert_all_reads(repository: &Repository, now: Timestamp) -> usize {
    let view = repository.view().expect("a view");
    let roots = Roots::of(&view, now).expect("roots");
    let reached = reach(&view, &roots, &SilentMonitor).expect("a walk");
    assert_eq!(reached.missing, []);
    assert!(reached.missing_files.is_empty(), "{:?}", reached.missing_files);
    let reader = repository.store().chunk_reader().expect("a reader");
    let extractor = Extractor::new(&reader, &view, &SilentMonitor);
    let mut files: BTreeMap<FileId, u64> = BTreeMap::new();
    let trees = reached.commits.iter().map(|id| view.commit(*id).expect("a commit").tree);
    for tree in trees.chain(roots.trees.iter().copied()) {
        for item in TreeWalk::new(&view, tree, AssetPath::root()) {
            let (_, entry) = item.map_err(RepoError::from).expect("an entry");
            if let Content::File { id, size, .. } = entry.content {
                files.insert(id, size);
            }
        }
    }
    for (id, size) in &files {
        extractor.write_file(*id, *size, &mut std::io::sink()).expect("a file that reads");
    }
    files.len()
}

impl Lab {
    fn gc_at(&self, now: Timestamp, grace_days: u32) -> gc::Report {
        let options = gc::Options { grace_days, ..gc::Options::default() };
        gc::run(&self.repository, &options, &FixedClock(now), &SilentMonitor).expect("a collection")
    }

    fn later(&self, days: i64) -> Timestamp {
        Timestamp::utc(self.clock.now().unix_ms + days * DAY_MS)
    }

    fn pack_bytes(&self) -> u64 {
        self.repository.store().pack_files().expect("packs").iter().map(|file| file.length).sum()
    }

    /// A draft with 3 MB of its own that was removed, and a main line with 1 MB.
    fn with_dropped_draft() -> Self {
        let lab = Self::new();
        lab.write("kept.bin", noise(1, 1_000_000));
        lab.commit("Kept");
        draft::create(&lab.repository, "night", None, &lab.clock).expect("a draft");
        switch::run(&lab.repository, "night", &lab.clock, &SilentMonitor).expect("a switch");
        lab.write("big.bin", noise(2, 3_000_000));
        lab.write("small.txt", "a small thing");
        lab.commit("Night");
        switch::run(&lab.repository, "main", &lab.clock, &SilentMonitor).expect("a switch");
        draft::delete(&lab.repository, "night", true, &lab.clock, &SilentMonitor).expect("a removal");
        lab
    }
}

#[test]
fn what_nothing_needs_waits_for_the_journal_and_its_grace_and_then_goes() {
    let lab = Lab::with_dropped_draft();
    let full = lab.pack_bytes();
    let today = lab.gc_at(lab.later(0), 0);
    assert_eq!((today.plan.due.chunks, lab.pack_bytes()), (0, full), "the journal needs it");
    // The newest entry stays protected, so something else has to be the newest.
    lab.write("more.txt", "more");
    lab.commit("More");
    let preview = gc::Options { dry_run: true, ..gc::Options::default() };
    let later = FixedClock(lab.later(91));
    let plan = gc::run(&lab.repository, &preview, &later, &SilentMonitor).expect("a plan").plan;
    assert_eq!((plan.due.chunks, lab.pack_bytes() >= full), (0, true));
    assert!(plan.waiting.bytes >= 3_000_000, "{plan:?}");
    let listed = lab.gc_at(lab.later(91), 14);
    assert_eq!(listed.done.expect("done").chunks, 0);
    assert_eq!(lab.gc_at(lab.later(104), 14).done.expect("done").chunks, 0);
    let gone = lab.gc_at(lab.later(106), 14).done.expect("done");
    assert!(gone.chunks > 30 && gone.bytes_freed > 2_900_000, "{gone:?}");
    assert!(lab.pack_bytes() < 1_200_000, "{}", lab.pack_bytes());
    assert!(assert_all_reads(&lab.repository, lab.later(106)) >= 2);
    let again = lab.gc_at(lab.later(200), 14).done.expect("done");
    assert_eq!((again.chunks, again.bytes_freed), (0, 0));
    let view = lab.repository.view().expect("a view");
    assert_eq!(view.snapshot().count(Space::Condemned).expect("a count"), 0);
}

#[test]
fn what_is_needed_again_is_taken_off_the_list() {
    let lab = Lab::with_dropped_draft();
    lab.write("more.txt", "more");
    lab.commit("More");
    assert!(lab.gc_at(lab.later(91), 14).plan.waiting.chunks > 0);
    // The same bytes are committed again: they are known, and needed from now on.
    lab.write("big-again.bin", noise(2, 3_000_000));
    let report = lab.commit("Again");
    assert_eq!(report.bytes_new, 0);
    let done = lab.gc_at(lab.later(120), 0).done.expect("done");
    assert!(done.bytes_freed < 100_000, "{done:?}");
    assert!(assert_all_reads(&lab.repository, lab.later(120)) >= 3);
}

#[test]
fn nothing_goes_while_records_are_missing() {
    let lab = Lab::with_dropped_draft();
    lab.write("more.txt", "more");
    lab.commit("More");
    let view = lab.repository.view().expect("a view");
    let head = view.head().expect("a head").expect("a commit");
    let tree = view.commit(head).expect("a commit").tree;
    drop(view);
    let mut edit = lab.repository.edit().expect("an edit");
    assert!(edit.transaction().delete(Space::Trees, tree.as_bytes()).expect("a deletion"));
    edit.commit().expect("a change");
    let run = |accept_losses| {
        let options = gc::Options { grace_days: 0, accept_losses, dry_run: false };
        gc::run(&lab.repository, &options, &FixedClock(lab.later(200)), &SilentMonitor)
    };
    let full = lab.pack_bytes();
    assert!(run(false).is_err());
    assert_eq!(lab.pack_bytes(), full);
    assert!(run(true).is_ok());
    assert!(lab.pack_bytes() < full);
}

#[test]
fn commits_and_collections_at_once_lose_nothing() {
    let lab = Lab::new();
    lab.write("first.bin", noise(1, 300_000));
    lab.commit("First");
    let root = lab.folder.path().to_owned();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let repository = Repository::open(&root, Access::ReadWrite).expect("a repository");
            let mut now = lab.later(100);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let options = gc::Options { grace_days: 0, ..gc::Options::default() };
                gc::run(&repository, &options, &FixedClock(now), &SilentMonitor).expect("a collection");
                now.unix_ms += DAY_MS;
            }
        });
        for round in 0..15u64 {
            lab.write("first.bin", noise(round % 4, 300_000));
            lab.write(&format!("{round}.txt"), format!("round {}", round % 3));
            lab.commit(&format!("Round {round}"));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(assert_all_reads(&lab.repository, lab.later(100)) >= 5);
}

/// Does something once, as soon as a phase begins.
struct AtPhase<'a> {
    name: &'static str,
    act: Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>,
}

impl Monitor for AtPhase<'_> {
    fn phase(&self, phase: Phase) {
        let act = if phase.name == self.name { self.act.lock().expect("a lock").take() } else { None };
        if let Some(act) = act {
            act();
        }
    }
    fn advance(&self, _: Advance) {}
    fn problem(&self, _: Problem) {}
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// A fetch stores commits first and moves names in a second step. A collection that began before the
/// first and sweeps before the second must not take what those commits rest on.
#[test]
fn what_a_commit_without_a_name_rests_on_stays_although_it_came_during_the_collection() {
    let lab = Lab::new();
    lab.write("kept.bin", noise(1, 100_000));
    lab.commit("Kept");
    draft::create(&lab.repository, "night", None, &lab.clock).expect("a draft");
    switch::run(&lab.repository, "night", &lab.clock, &SilentMonitor).expect("a switch");
    lab.write("big.bin", noise(2, 3_000_000));
    let night = lab.commit("Night").commit.expect("a commit").id;
    let mut arriving = lab.repository.view().expect("a view").commit(night).expect("a commit");
    arriving.message = "The same files, by somebody else".into();
    switch::run(&lab.repository, "main", &lab.clock, &SilentMonitor).expect("a switch");
    draft::delete(&lab.repository, "night", true, &lab.clock, &SilentMonitor).expect("a removal");
    lab.write("more.txt", "more");
    lab.commit("More");
    assert!(lab.gc_at(lab.later(91), 14).plan.waiting.chunks > 30);
    let store = || {
        let mut edit = lab.repository.edit().expect("an edit");
        edit.put_commit(&arriving).expect("a commit");
        edit.commit().expect("a transaction");
    };
    let monitor = AtPhase { name: "Looking what is not", act: Mutex::new(Some(Box::new(store))) };
    let options = gc::Options { grace_days: 14, ..gc::Options::default() };
    gc::run(&lab.repository, &options, &FixedClock(lab.later(106)), &monitor).expect("a collection");
    assert!(monitor.act.lock().expect("a lock").is_none(), "it came in between");
    let mut edit = lab.repository.edit().expect("an edit");
    let target = RefTarget::plain(arriving.id());
    edit.set_reference(&RefName::branch("draft/arrived").expect("a name"), None, Some(target))
        .expect("a name");
    edit.commit().expect("a transaction");
    assert!(assert_all_reads(&lab.repository, lab.later(106)) >= 3);
}

/// What a history is made of.
#[derive(Debug, Clone)]
enum Step {
    Write { file: u8, seed: u8, size: u32 },
    Remove { file: u8 },
    Commit,
    Draft { number: u8 },
    Switch { number: u8 },
    DropDraft { number: u8 },
    Tag { number: u8 },
    Untag { number: u8 },
    Undo,
    Restore { file: u8 },
    Gc { days: u8, grace: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..6, any::<u8>(), prop_oneof![1u32..3_000, 100_000u32..400_000])
            .prop_map(|(file, seed, size)| Step::Write { file, seed: seed % 5, size }),
        1 => (0u8..6).prop_map(|file| Step::Remove { file }),
        4 => Just(Step::Commit),
        1 => (0u8..3).prop_map(|number| Step::Draft { number }),
        2 => (0u8..4).prop_map(|number| Step::Switch { number }),
        2 => (0u8..3).prop_map(|number| Step::DropDraft { number }),
        1 => (0u8..3).prop_map(|number| Step::Tag { number }),
        1 => (0u8..3).prop_map(|number| Step::Untag { number }),
        2 => Just(Step::Undo),
        1 => (0u8..6).prop_map(|file| Step::Restore { file }),
        3 => (0u8..120, prop_oneof![Just(0u8), Just(14)]).prop_map(|(days, grace)| Step::Gc { days, grace }),
    ]
}

/// A lab whose clock leaps, and what each commit is known to hold.
struct Model {
    lab: Lab,
    now: Timestamp,
    commits: BTreeMap<CommitId, BTreeMap<String, Vec<u8>>>,
}

impl Model {
    fn clock(&self) -> FixedClock {
        FixedClock(self.now)
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let names = (0..6).map(|file| format!("{file}.bin"));
        names.filter_map(|name| self.lab.read(&name).map(|bytes| (name, bytes))).collect()
    }

    /// Does a step. What cannot be done in the present state is left out.
    fn take(&mut self, step: &Step) {
        self.now.unix_ms += 60_000;
        let (repository, clock) = (&self.lab.repository, self.clock());
        match step {
            Step::Write { file, seed, size } => {
                self.lab.write(&format!("{file}.bin"), noise(u64::from(*seed), *size as usize));
            }
            Step::Remove { file } => drop(fs::remove_file(self.lab.at(&format!("{file}.bin")))),
            Step::Commit => self.commit(),
            Step::Draft { number } => drop(draft::create(repository, &format!("d{number}"), None, &clock)),
            Step::Switch { number } => {
                let name = if *number == 3 { "main".to_owned() } else { format!("d{number}") };
                drop(switch::run(repository, &name, &clock, &SilentMonitor));
            }
            Step::DropDraft { number } => {
                drop(draft::delete(repository, &format!("d{number}"), true, &clock, &SilentMonitor));
            }
            Step::Tag { number } => {
                let name = format!("t{number}");
                let set = tag::Options::Set { name, revision: None, message: None, identity: None };
                drop(tag::run(repository, set, &clock));
            }
            Step::Untag { number } => {
                drop(tag::run(repository, tag::Options::Delete { name: format!("t{number}") }, &clock));
            }
            Step::Undo => drop(undo::run(repository, undo::Direction::Undo, &clock, &SilentMonitor)),
            Step::Restore { file } => {
                let paths = vec![crate::app_flow::path(&format!("{file}.bin"))];
                let options = restore::Options { paths, ..restore::Options::default() };
                drop(restore::run(repository, &options, &clock, &SilentMonitor));
            }
            Step::Gc { days, grace } => {
                self.now.unix_ms += i64::from(*days) * DAY_MS;
                self.lab.gc_at(self.now, u32::from(*grace));
                self.check();
            }
        }
    }

    fn commit(&mut self) {
        let options = commit::Options {
            message: Some("A step".into()),
            paths: Vec::new(),
            identity: Some(anna()),
            author: None,
            date: None,
            signing: None,
        };
        let files = self.files();
        let report = commit::run(&self.lab.repository, &options, &self.clock(), &SilentMonitor);
        if let Some(commit) = report.expect("a commit").commit {
            self.commits.insert(commit.id, files);
        }
    }

    /// Everything that names and journal reach reads, and holds what it held when it was committed.
    fn check(&self) {
        assert_all_reads(&self.lab.repository, self.now);
        let view = self.lab.repository.view().expect("a view");
        let roots = Roots::of(&view, self.now).expect("roots");
        let reached = reach(&view, &roots, &SilentMonitor).expect("a walk");
        for id in &reached.commits {
            let Some(expected) = self.commits.get(id) else { continue };
            let tree = view.commit(*id).expect("a commit").tree;
            let found: BTreeMap<String, FileId> = TreeWalk::new(&view, tree, AssetPath::root())
                .map(|item| item.map_err(RepoError::from).expect("an entry"))
                .filter_map(|(path, entry)| Some((path.to_string(), entry.content.file_id()?)))
                .collect();
            let hashed = |bytes: &Vec<u8>| FileId::from_bytes(*blake3::hash(bytes).as_bytes());
            let expected: BTreeMap<String, FileId> =
                expected.iter().map(|(name, bytes)| (name.clone(), hashed(bytes))).collect();
            assert_eq!(found, expected);
        }
    }
}

fn play(steps: &[Step]) {
    let lab = Lab::new();
    let now = lab.clock.now();
    let mut model = Model { lab, now, commits: BTreeMap::new() };
    for step in steps {
        model.take(step);
    }
    model.take(&Step::Gc { days: 100, grace: 0 });
    model.take(&Step::Gc { days: 100, grace: 0 });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happened_a_collection_removes_nothing_that_is_needed(
        steps in proptest::collection::vec(step(), 5..40),
    ) {
        play(&steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "minutes: hundreds of long histories"]
    fn whatever_happened_in_long_histories_a_collection_removes_nothing_that_is_needed(
        steps in proptest::collection::vec(step(), 30..120),
    ) {
        play(&steps);
    }
}

#[test]
fn a_collection_that_is_killed_again_and_again_loses_nothing_and_ends_at_last() {
    let world = World::new();
    let studio = world.studio();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    for round in 0..6u64 {
        for file in 0..20u64 {
            let bytes = noise(round * 100 + file, 40_000 + file as usize * 1000);
            fs::write(studio.join(format!("{file}.bin")), bytes).expect("a file");
        }
        if round == 3 {
            world.ok(&["draft", "new", "other"]);
            world.ok(&["tag", "mark"]);
        }
        world.ok(&["commit", "-m", "A round"]);
    }
    let root = studio.canonicalize().expect("a folder");
    let open = || Repository::open(&root, Access::ReadWrite).expect("a repository that opens");
    {
        // The branch goes back to where the tag is: three rounds are needed by nothing but the journal.
        let repository = open();
        let view = repository.view().expect("a view");
        let (from, to) =
            (view.head().expect("a head"), view.resolve("mark", FixedClock(Timestamp::utc(0)).now()));
        let to = to.expect("the tag").commit;
        let mut edit = repository.edit().expect("an edit");
        let state = edit.state().expect("a state");
        let target = pentimento::repo::refs::RefTarget::plain(to);
        edit.set_reference(&state.branch, from, Some(target)).expect("a move");
        edit.commit().expect("a change");
    }
    let late = world.with("PENT_DATE", "2027-03-03T14:02:00+01:00");
    let mut delay = Duration::from_millis(2);
    for _ in 0..25 {
        let mut child = late.command(&["gc", "--now", "--yes"]).spawn().expect("a program");
        std::thread::sleep(delay);
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().expect("an end");
        delay += Duration::from_millis(3);
        assert!(assert_all_reads(&open(), Timestamp::utc(1_803_000_000_000)) >= 20);
    }
    late.ok(&["gc", "--now", "--yes"]);
    let repository = open();
    assert!(assert_all_reads(&repository, Timestamp::utc(1_803_000_000_000)) >= 20);
    let snapshot = repository.store().snapshot().expect("a snapshot");
    let packs = repository.store().pack_files().expect("packs");
    assert_eq!(packs.len(), snapshot.packs().expect("packs").len());
}
