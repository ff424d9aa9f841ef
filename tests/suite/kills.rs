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
    pub fn roll(&mut self, below: u64) -> u64 {
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

/// What the program says is shown of the repository.
fn shown(world: &World) -> serde_json::Value {
    world.json(&["sparse", "list"])["shown"].clone()
}

#[test]
fn a_sparse_change_that_is_killed_is_brought_to_its_end_with_all_uncommitted_work() {
    let world = studio();
    let mut dice = Dice(88);
    work(&world, 0);
    world.ok(&["commit", "-m", "First"]);
    let whole = read_folder(&world.studio());
    let usual = measured(|| drop(world.ok(&["sparse", "add", "set 0", "set 1"])));
    world.ok(&["sparse", "all"]);
    assert_same(&whole, &read_folder(&world.studio()), "everything is shown again");
    for round in 0..kills() {
        write(&world, "set 2/1.txt", format!("not committed {round}\n"));
        write(&world, "set 3/new.txt", format!("new {round}\n"));
        let before = read_folder(&world.studio());
        let was_done = kill(&world, &["sparse", "add", "set 0", "set 1"], usual, &mut dice);
        // The next command ends what was begun.
        world.pent(&["switch", "main"]);
        let after = read_folder(&world.studio());
        let is_sparse = !shown(&world).is_null();
        assert!(is_sparse || !was_done, "round {round}: what was reported is not so");
        assert!(is_sparse || before == after, "round {round}: half put away");
        assert!(!is_sparse || !after.contains_key("large.psd"), "round {round}: half shown");
        for kept in ["set 2/1.txt", "set 3/new.txt"] {
            assert_eq!(after.get(kept), before.get(kept), "round {round}: uncommitted work is hidden");
        }
        kill(&world, &["sparse", "all"], usual, &mut dice);
        world.pent(&["switch", "main"]);
        world.ok(&["sparse", "all"]);
        assert_same(&before, &read_folder(&world.studio()), &format!("round {round}, all again"));
        if round % 4 == 0 {
            assert_sound(&world);
        }
    }
    assert_sound(&world);
}

#[test]
fn a_move_that_is_killed_moved_everything_or_nothing_and_loses_no_asset() {
    let world = studio();
    let mut dice = Dice(99);
    work(&world, 0);
    world.ok(&["commit", "-m", "First"]);
    let usual = measured(|| drop(world.ok(&["mv", "set 0", "other set"])));
    world.ok(&["undo"]);
    let mut names = ["set 0".to_owned(), "other set".to_owned()];
    for round in 0..kills() {
        write(&world, &format!("{}/0.txt", names[0]), format!("not committed {round}\n"));
        let before = read_folder(&world.studio());
        let was_done = kill(&world, &["mv", &names[0], &names[1]], usual, &mut dice);
        // A move that was noted and cut off is brought to its end by the next command, or dropped.
        world.ok(&["commit", "-m", "What came of it"]);
        let after = read_folder(&world.studio());
        let has_moved = !world.studio().join(&names[0]).exists();
        assert!(has_moved || !was_done, "round {round}: what was reported is not so");
        let renamed: Files = before
            .iter()
            .map(|(path, thing)| {
                let below = path.strip_prefix(&names[0]).filter(|_| has_moved);
                (below.map_or(path.clone(), |below| format!("{}{below}", names[1])), thing.clone())
            })
            .collect();
        assert_same(&renamed, &after, &format!("round {round}"));
        let (_, files) = branch_files(&world, "main").expect("a commit");
        assert_same(&after, &files, "the commit");
        if has_moved {
            names.swap(0, 1);
        }
        // Whatever was cut off, every file that did not change is the asset that it was.
        let log = world.json(&["log", &format!("{}/4.txt", names[0])]);
        let first = log["commits"].as_array().expect("commits").last().expect("a commit");
        assert_eq!(first["message"], "First", "round {round}: {log}");
    }
    assert_sound(&world);
}

#[test]
fn a_repair_that_is_killed_is_brought_to_its_end_by_the_next() {
    let world = studio();
    let mut dice = Dice(111);
    work(&world, 0);
    world.ok(&["commit", "-m", "First"]);
    let usual = measured(|| drop(world.ok(&["repair"]))) * 3;
    for round in 1..=kills() {
        work(&world, round);
        world.ok(&["commit", "-m", "Next"]);
        let saved = branch_files(&world, "main").expect("a commit");
        let place = world.studio().join(".pent/db.redb");
        match round % 3 {
            0 => fs::remove_file(&place).expect("a removed file"),
            1 => {
                let length = fs::metadata(&place).expect("a file").len();
                let file = fs::OpenOptions::new().write(true).open(&place).expect("a file");
                file.set_len(length / 2).expect("a cut file");
            }
            _ => fs::write(&place, noise(round, 60_000)).expect("a written file"),
        }
        let was_done = kill(&world, &["repair"], usual, &mut dice);
        if was_done {
            assert_eq!(branch_files(&world, "main"), Some(saved.clone()), "round {round}");
        }
        // Nobody changes a repository that is half repaired.
        let meanwhile = world.pent(&["tag", &format!("round-{round}")]);
        let mended = world.pent(&["repair"]);
        assert_eq!(mended.code, 0, "round {round}: {}{}", mended.stdout, mended.stderr);
        assert_eq!(branch_files(&world, "main"), Some(saved), "round {round}");
        let tags = world.ok(&["tag"]);
        assert_eq!(tags.contains(&format!("round-{round}")), meanwhile.code == 0, "round {round}: {tags}");
        assert_sound(&world);
    }
}

#[test]
fn commits_beside_collections_that_are_killed_lose_nothing() {
    let world = studio();
    let mut dice = Dice(122);
    work(&world, 0);
    world.ok(&["commit", "-m", "First"]);
    let usual = measured(|| drop(world.ok(&["gc", "--now", "--yes"])));
    let mut saved: BTreeMap<CommitId, Files> = BTreeMap::new();
    for round in 1..=kills() {
        work(&world, round);
        let mut command = world.command(&["commit", "-m", "Beside a collection"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a program");
        kill(&world, &["gc", "--now", "--yes"], usual, &mut dice);
        let output = child.wait_with_output().expect("an end");
        assert!(output.status.success(), "round {round}: {}", String::from_utf8_lossy(&output.stderr));
        let (id, files) = branch_files(&world, "main").expect("a commit");
        assert_same(&read_folder(&world.studio()), &files, "the commit");
        saved.insert(id, files);
    }
    assert_sound(&world);
    let repository = open(&world);
    let view = repository.view().expect("a view");
    for (id, files) in saved {
        let tree = view.commit(id).expect("a commit").tree;
        assert_same(&files, &read_tree(&repository, &view, tree), "a commit");
    }
}

#[test]
fn a_commit_succeeds_while_others_beside_it_are_killed() {
    let world = studio();
    let mut dice = Dice(133);
    write(&world, "left/0.psd", noise(1, 300_000));
    let usual = measured(|| drop(world.ok(&["commit", "-m", "First"])));
    for round in 1..=kills() {
        write(&world, "left/0.psd", noise(round * 2, 300_000));
        write(&world, "right/0.psd", noise(round * 2 + 1, 300_000));
        let mut command = world.command(&["commit", "-m", "Left", "left"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a program");
        let was_done = kill(&world, &["commit", "-m", "Right", "right"], usual, &mut dice);
        let output = child.wait_with_output().expect("an end");
        if !output.status.success() {
            // The other was killed at the very end: that it counts is known to whoever writes next.
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("moved meanwhile"), "round {round}: {said}");
            world.ok(&["commit", "-m", "Left, again", "left"]);
        }
        let (_, files) = branch_files(&world, "main").expect("a commit");
        assert_eq!(files["left/0.psd"].bytes(), noise(round * 2, 300_000), "round {round}");
        let right = files.get("right/0.psd").map(|thing| thing.bytes().to_vec());
        let is_there = right == Some(noise(round * 2 + 1, 300_000));
        assert!(is_there || !was_done, "round {round}: what was reported as saved is missing");
        world.pent(&["commit", "-m", "The rest"]);
    }
    assert_sound(&world);
}

#[test]
fn a_move_that_is_killed_never_parts_an_asset_from_its_history() {
    let world = studio();
    let mut dice = Dice(77);
    write(&world, "a.psd", noise(1, 30_000));
    world.ok(&["commit", "-m", "First"]);
    let asset_of = |name: &str| world.json(&["meta", "get", name])["assets"][0]["asset"].clone();
    let asset = asset_of("a.psd");
    assert!(asset.is_string(), "{asset}");
    let (mut from, mut to) = ("a.psd", "deep/c.psd");
    let usual = measured(|| drop(world.ok(&["mv", from, to])));
    world.ok(&["undo"]);
    for round in 0..kills() {
        // Edited as well, so that nothing but the record says that it is the same.
        write(&world, from, noise(round + 50, 30_000));
        let was_done = kill(&world, &["mv", from, to], usual, &mut dice);
        if round % 3 == 1 {
            // Taking it back is killed too, whatever there was to take back.
            kill(&world, &["undo"], usual, &mut dice);
        }
        let stands = |name: &str| world.studio().join(name).exists();
        assert!(stands(from) != stands(to), "round {round}");
        world.ok(&["commit", "-m", "Next"]);
        let is_moved = stands(to);
        assert!(is_moved || !was_done || round % 3 == 1, "round {round}: what was reported is not so");
        if is_moved {
            (from, to) = (to, from);
        }
        assert_eq!(asset_of(from), asset, "round {round}");
    }
    assert_sound(&world);
}
