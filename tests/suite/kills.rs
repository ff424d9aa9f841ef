//! The program is killed at random moments. Afterwards the repository opens and is sound, nothing that
//! was reported as saved is missing, uncommitted work is still to be had, and the next command brings
//! an interrupted change to its end.
//!
//! `PENT_KILLS` says how often each command is killed.

use crate::app_flow::noise;
use crate::model::things::{Files, Thing, read_folder};
use crate::model::world::read_tree;
use crate::support::World;
use pentimento::base::id::CommitId;
use pentimento::object::source::ObjectSource as _;
use pentimento::repo::Repository;
use pentimento::repo::refs::RefName;
use pentimento::store::Access;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Numbers that look random and are the same every time.
pub struct Dice(pub u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// How often to kill each command.
pub fn kills() -> u64 {
    std::env::var("PENT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

/// A world with a name to commit under.
pub fn studio() -> World {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world
}

pub fn write(world: &World, name: &str, bytes: impl AsRef<[u8]>) {
    let at = world.studio().join(name);
    fs::create_dir_all(at.parent().expect("a parent")).expect("folders");
    fs::write(at, bytes).expect("a written file");
}

/// Some small files, and two larger ones, which differ by round.
pub fn work(world: &World, round: u64) {
    for number in 0..30 {
        if number % 3 == round % 3 || round < 2 {
            write(world, &format!("set {}/{number}.txt", number % 4), format!("round {round} of {number}\n"));
        }
    }
    write(world, "large.psd", noise(round + 1, 700_000));
    write(world, "poster.tif", [noise(1, 500_000), noise(round + 77, 50_000)].concat());
}

/// Runs a command and kills it after a part of the time that it usually needs; says whether it was
/// faster and succeeded.
pub fn kill(world: &World, arguments: &[&str], usual: Duration, dice: &mut Dice) -> bool {
    let mut command = world.command(arguments);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a program that starts");
    let limit_us = u64::try_from(usual.as_micros()).expect("a short time") * 5 / 4 + 2000;
    std::thread::sleep(Duration::from_micros(dice.roll(limit_us)));
    child.kill().expect("a killed program");
    let output = child.wait_with_output().expect("an end");
    output.status.success() && !output.stdout.is_empty()
}

pub fn open(world: &World) -> Repository {
    Repository::open(&world.studio(), Access::ReadWrite).expect("a repository that opens")
}

/// The files of the commit that a branch points at.
pub fn branch_files(world: &World, branch: &str) -> Option<(CommitId, Files)> {
    let repository = open(world);
    let view = repository.view().expect("a view");
    let name = RefName::branch(branch).expect("a name");
    let id = view.reference(&name).expect("a reference")?.commit;
    let tree = view.commit(id).expect("a commit").tree;
    Some((id, read_tree(&repository, &view, tree)))
}

/// Reads everything again, by the program's own means.
pub fn assert_sound(world: &World) {
    let run = world.pent(&["fsck"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let run = world.pent(&["status"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

/// Contents of everything that stands in the files, is set aside, or is committed.
fn at_hand(world: &World, committed: &Files) -> HashSet<[u8; 32]> {
    let ids = |files: Files| files.values().map(Thing::id).collect::<Vec<_>>();
    let mut found: HashSet<[u8; 32]> = ids(read_folder(&world.studio())).into_iter().collect();
    found.extend(committed.values().map(Thing::id));
    let displaced = world.studio().join(".pent/displaced");
    if displaced.is_dir() {
        found.extend(ids(read_folder(&displaced)));
    }
    found
}

pub fn assert_same(wanted: &Files, found: &Files, what: &str) {
    let different: Vec<_> = crate::model::things::differing(wanted, found).into_iter().collect();
    assert!(different.is_empty(), "{what}: {different:?} differ");
}

pub fn measured(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

#[test]
fn a_folder_in_which_init_was_killed_can_be_made_a_repository() {
    let mut dice = Dice(11);
    let usual = measured(|| {
        World::new().ok(&["init"]);
    });
    for round in 0..kills() {
        let world = World::new();
        write(&world, "logo.svg", "<svg/>");
        let was_done = kill(&world, &["init"], usual, &mut dice);
        let again = world.pent(&["init"]);
        let is_there = world.pent(&["status"]);
        assert_eq!(is_there.code, 0, "round {round}: {}{}", again.stderr, is_there.stderr);
        assert!(!was_done || again.code != 0, "a repository was made twice");
        world.ok(&["config", "user.name", "Anna Lind"]);
        world.ok(&["commit", "-m", "First"]);
        let (_, files) = branch_files(&world, "main").expect("a commit");
        assert_eq!(files["logo.svg"].bytes(), b"<svg/>");
    }
}

#[test]
fn a_commit_that_is_killed_is_there_whole_or_not_at_all() {
    let world = studio();
    let mut dice = Dice(22);
    let mut saved: BTreeMap<CommitId, Files> = BTreeMap::new();
    work(&world, 0);
    let usual = measured(|| drop(world.ok(&["commit", "-m", "First"])));
    let mut last = branch_files(&world, "main").expect("a commit");
    for round in 1..=kills() {
        saved.insert(last.0, last.1.clone());
        work(&world, round);
        let here = read_folder(&world.studio());
        let was_done = kill(&world, &["commit", "-m", "Next"], usual, &mut dice);
        assert_same(&here, &read_folder(&world.studio()), "a commit changes no file");
        let found = branch_files(&world, "main").expect("a commit");
        let is_new = found.0 != last.0;
        assert!(is_new || !was_done, "round {round}: what was reported as saved is missing");
        assert_same(if is_new { &here } else { &last.1 }, &found.1, "the newest commit");
        last = found;
        if round % 4 == 0 {
            assert_sound(&world);
        }
    }
    world.pent(&["commit", "-m", "The rest"]);
    assert!(world.json(&["status"])["changes"].as_array().expect("changes").is_empty());
    assert_sound(&world);
    let repository = open(&world);
    let view = repository.view().expect("a view");
    for (id, files) in saved {
        let tree = view.commit(id).expect("a commit").tree;
        assert_same(&files, &read_tree(&repository, &view, tree), "an old commit");
    }
}

#[test]
fn a_switch_that_is_killed_is_brought_to_its_end_with_all_uncommitted_work() {
    let world = studio();
    let mut dice = Dice(33);
    work(&world, 0);
    world.ok(&["commit", "-m", "First"]);
    world.ok(&["draft", "new", "bold"]);
    work(&world, 1);
    world.ok(&["commit", "-m", "Bold"]);
    let names = ["main", "draft/bold"];
    let usual = measured(|| drop(world.ok(&["switch", "main"])));
    let mut works: BTreeMap<String, Files> = BTreeMap::new();
    for name in names {
        world.pent(&["switch", name]);
        works.insert(name.to_owned(), read_folder(&world.studio()));
    }
    let mut current = names[1];
    for round in 2..2 + kills() {
        work(&world, round);
        write(&world, &format!("never committed {round}.txt"), format!("{current} {round}"));
        if round % 2 == 0 {
            fs::remove_file(world.studio().join("large.psd")).expect("a removed file");
        }
        works.insert(current.to_owned(), read_folder(&world.studio()));
        let target = if current == names[0] { names[1] } else { names[0] };
        let was_done = kill(&world, &["switch", target], usual, &mut dice);
        if round % 3 == 0 {
            let run = world.pent(&["status"]);
            assert_eq!(run.code, 0, "{}", run.stderr);
        }
        // Going where one is changes nothing, yet like any command it ends what was begun.
        let branch = world.json(&["status"])["branch"].as_str().expect("a branch").to_owned();
        world.pent(&["switch", &branch]);
        current = names[usize::from(branch == names[1])];
        assert!(!was_done || current == target, "what was reported is not so");
        let found = read_folder(&world.studio());
        assert_same(&works[current], &found, &format!("round {round}, on {current}"));
        if round % 5 == 0 {
            assert_sound(&world);
        }
    }
    assert_sound(&world);
}

#[test]
fn a_restore_that_is_killed_is_brought_to_its_end_and_can_be_undone() {
    let world = studio();
    let mut dice = Dice(44);
    work(&world, 0);
    world.ok(&["commit", "-m", "First"]);
    let (_, first) = branch_files(&world, "main").expect("a commit");
    work(&world, 1);
    world.ok(&["commit", "-m", "Second"]);
    let (_, committed) = branch_files(&world, "main").expect("a commit");
    let usual = measured(|| drop(world.ok(&["restore", ".", "-r", "@~1"])));
    world.ok(&["undo"]);
    for round in 2..2 + kills() {
        work(&world, round);
        write(&world, &format!("never committed {round}.txt"), format!("{round}"));
        let before = read_folder(&world.studio());
        let was_done = kill(&world, &["restore", ".", "-r", "@~1"], usual, &mut dice);
        let found = at_hand(&world, &committed);
        let lost: Vec<_> = before.iter().filter(|(_, thing)| !found.contains(&thing.id())).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?} are lost");
        // The next command ends what was begun.
        world.pent(&["switch", "main"]);
        let after = read_folder(&world.studio());
        let is_restored = first.iter().all(|(path, thing)| after.get(path) == Some(thing));
        assert!(is_restored || after == before, "round {round}: half restored");
        assert!(is_restored || !was_done, "what was reported is not so");
        if is_restored {
            world.ok(&["undo"]);
            assert_same(&before, &read_folder(&world.studio()), &format!("round {round}, undone"));
        }
    }
    assert_sound(&world);
}

#[test]
fn an_undo_that_is_killed_is_brought_to_its_end() {
    let world = studio();
    let mut dice = Dice(55);
    work(&world, 0);
    world.ok(&["commit", "-m", "First"]);
    work(&world, 1);
    world.ok(&["commit", "-m", "Second"]);
    let (_, committed) = branch_files(&world, "main").expect("a commit");
    world.ok(&["restore", ".", "-r", "@~1"]);
    let usual = measured(|| drop(world.ok(&["undo"])));
    for round in 2..2 + kills() {
        work(&world, round);
        let before = read_folder(&world.studio());
        world.ok(&["restore", ".", "-r", "@~1"]);
        let restored = read_folder(&world.studio());
        let was_done = kill(&world, &["undo"], usual, &mut dice);
        let found = at_hand(&world, &committed);
        let lost: Vec<_> = before.iter().filter(|(_, thing)| !found.contains(&thing.id())).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?} are lost");
        world.pent(&["switch", "main"]);
        let after = read_folder(&world.studio());
        assert!(!was_done || after == before, "what was reported is not so");
        if after != before {
            assert_same(&restored, &after, &format!("round {round}, neither undone nor as it was"));
        }
    }
    assert_sound(&world);
}

#[test]
fn a_merge_that_is_killed_is_brought_to_its_end_and_can_be_undone() {
    let world = studio();
    let mut dice = Dice(66);
    work(&world, 0);
    write(&world, "brief.txt", "one\ntwo\nthree\nfour\nfive\n");
    world.ok(&["commit", "-m", "Base"]);
    let usual = measured(|| {
        world.ok(&["status"]);
    }) * 3;
    for round in 1..=kills() {
        let name = format!("draft {round}").replace(' ', "-");
        world.ok(&["draft", "new", &name]);
        work(&world, round);
        write(&world, "brief.txt", format!("one {round}\ntwo\nthree\nfour\nfive\n"));
        world.ok(&["commit", "-m", "Theirs"]);
        world.ok(&["switch", "main"]);
        write(&world, "brief.txt", format!("one\ntwo\nthree\nfour\nfive {round}\n"));
        // Every other merge has a conflict of two large files.
        if round % 2 == 0 {
            write(&world, "large.psd", noise(1000 + round, 700_000));
        }
        world.ok(&["commit", "-m", "Ours"]);
        write(&world, "not committed.txt", format!("{round}"));
        let before = read_folder(&world.studio());
        let theirs = branch_files(&world, &format!("draft/{name}")).expect("a draft").1;
        let was_done = kill(&world, &["merge", &name], usual, &mut dice);
        // A command of another kind ends what was begun.
        world.pent(&["switch", "main"]);
        let status = world.json(&["status"]);
        let after = read_folder(&world.studio());
        let has_merged = after.get("brief.txt") != before.get("brief.txt");
        assert!(has_merged || !was_done, "round {round}: what was reported is not so");
        if has_merged {
            let there = |path: &&String| path.starts_with("set") && theirs.get(*path) != after.get(*path);
            let missing: Vec<_> = theirs.keys().filter(there).collect();
            assert!(missing.is_empty(), "round {round}: {missing:?} are not merged");
            assert_eq!(status["merge"].is_null(), round % 2 == 1, "{status}");
            world.ok(&["undo"]);
        }
        assert_same(&before, &read_folder(&world.studio()), &format!("round {round}, as before"));
        if round % 4 == 0 {
            assert_sound(&world);
        }
        world.ok(&["draft", "delete", &name, "--force"]);
    }
    assert_sound(&world);
}

#[test]
fn a_collection_that_is_killed_takes_nothing_that_anybody_needs() {
    let world = studio();
    let mut dice = Dice(77);
    let mut saved: BTreeMap<CommitId, Files> = BTreeMap::new();
    work(&world, 0);
    world.ok(&["commit", "-m", "First"]);
    let usual = measured(|| drop(world.ok(&["gc", "--now", "--yes"])));
    for round in 1..=kills() {
        work(&world, round);
        world.ok(&["commit", "-m", "Next"]);
        let (id, files) = branch_files(&world, "main").expect("a commit");
        saved.insert(id, files);
        // A draft that goes leaves something to collect, though the journal holds it for a while.
        world.ok(&["draft", "new", "doomed"]);
        write(&world, "large.psd", noise(5000 + round, 600_000));
        world.ok(&["commit", "-m", "Doomed"]);
        world.ok(&["switch", "main"]);
        world.ok(&["draft", "delete", "doomed", "--force"]);
        kill(&world, &["gc", "--now", "--yes"], usual, &mut dice);
        if round % 4 == 0 {
            assert_sound(&world);
        }
    }
    world.ok(&["gc", "--now", "--yes"]);
    assert_sound(&world);
    let repository = open(&world);
    let view = repository.view().expect("a view");
    for (id, files) in saved {
        let tree = view.commit(id).expect("a commit").tree;
        assert_same(&files, &read_tree(&repository, &view, tree), "a commit");
    }
}
