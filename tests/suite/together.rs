//! Several processes work on one repository at once: each succeeds, or waits for the other and says
//! so; none of them loses what another did.

use crate::app_flow::noise;
use crate::kills::{assert_same, assert_sound, branch_files, studio, work, write};
use crate::model::things::read_folder;
use crate::model::world::read_tree;
use crate::support::World;
use pentimento::object::source::ObjectSource as _;
use pentimento::repo::Repository;
use pentimento::store::Access;
use std::process::{Child, Stdio};

/// Starts the program beside others.
fn start(world: &World, arguments: &[&str]) -> Child {
    let mut command = world.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a program that starts")
}

/// Waits for a program, which must succeed.
fn succeed(child: Child, what: &str) -> String {
    let output = child.wait_with_output().expect("an end");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{what}: {text}");
    text
}

/// Work for a commit that takes a while.
fn large_work(world: &World, round: u64) {
    for number in 0..6 {
        write(world, &format!("film/{number}.mov"), noise(round * 10 + number, 2_000_000));
    }
}

#[test]
fn two_commits_at_once_are_both_made() {
    let world = studio();
    for round in 0..5 {
        for side in ["left", "right"] {
            write(&world, &format!("{side}/{round}.psd"), noise(round + u64::from(side == "left"), 400_000));
        }
        let commit = |side: &str| {
            let mut command = world.command(&["commit", "-m", side, side]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a program that starts")
        };
        for child in [commit("left"), commit("right")] {
            let output = child.wait_with_output().expect("an end");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert!(world.json(&["status"])["changes"].as_array().expect("changes").is_empty());
        let commits = world.json(&["log"])["commits"].as_array().expect("commits").len();
        assert_eq!(commits as u64, 2 * (round + 1));
    }
    assert_sound(&world);
}

#[test]
fn status_works_while_a_commit_runs() {
    let world = studio();
    write(&world, "film.mov", noise(1, 30_000_000));
    let mut commit = world.command(&["commit", "-m", "A film"]);
    let mut child =
        commit.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a program that starts");
    let mut looks = 0;
    while child.try_wait().expect("a running program").is_none() {
        let run = world.pent(&["status"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        looks += 1;
    }
    assert!(child.wait().expect("an end").success());
    assert!(looks > 0, "the commit was too fast to look at");
    assert!(world.json(&["status"])["changes"].as_array().expect("changes").is_empty());
}

#[test]
fn a_reader_keeps_seeing_what_it_saw_while_others_write() {
    let world = studio();
    work(&world, 0);
    world.ok(&["commit", "-m", "First"]);
    let repository = Repository::open(&world.studio(), Access::ReadOnly).expect("a reader");
    let view = repository.view().expect("a view");
    let head = view.head().expect("a head").expect("a commit");
    let tree = view.commit(head).expect("a commit").tree;
    let before = read_tree(&repository, &view, tree);
    for round in 1..4 {
        work(&world, round);
        world.ok(&["commit", "-m", "Next"]);
        assert_eq!(view.head().expect("a head"), Some(head), "a view does not move");
        assert_same(&before, &read_tree(&repository, &view, tree), "what a reader sees");
        let newer = repository.view().expect("a view").head().expect("a head");
        assert_ne!(newer, Some(head), "a new view sees what was committed");
    }
}

#[test]
fn a_commit_and_a_collection_at_once_both_succeed() {
    let world = studio();
    for round in 0..5 {
        large_work(&world, round);
        work(&world, round);
        let commit = start(&world, &["commit", "-m", "While it is collected"]);
        let collection = start(&world, &["gc", "--now", "--yes"]);
        succeed(commit, "the commit");
        succeed(collection, "the collection");
        let (_, files) = branch_files(&world, "main").expect("a commit");
        assert_same(&read_folder(&world.studio()), &files, "the commit");
    }
    assert_sound(&world);
}

#[test]
fn a_commit_and_a_check_at_once_both_succeed() {
    let world = studio();
    for round in 0..4 {
        large_work(&world, round);
        let commit = start(&world, &["commit", "-m", "While it is checked"]);
        let checks = [start(&world, &["fsck"]), start(&world, &["fsck", "--sample", "50"])];
        succeed(commit, "the commit");
        for check in checks {
            succeed(check, "a check");
        }
    }
    assert_sound(&world);
}

#[test]
fn a_restore_during_a_commit_waits_and_both_are_done() {
    let world = studio();
    work(&world, 0);
    world.ok(&["commit", "-m", "Base"]);
    let (id, base) = branch_files(&world, "main").expect("a commit");
    work(&world, 1);
    world.ok(&["commit", "-m", "Another"]);
    for round in 2..6 {
        large_work(&world, round);
        work(&world, round);
        let commit = start(&world, &["commit", "-m", "While something is restored"]);
        std::thread::sleep(std::time::Duration::from_millis(15 * round));
        let restore = start(&world, &["restore", "poster.tif", "-r", "@~1"]);
        succeed(commit, "the commit");
        succeed(restore, "the restore");
        let run = world.pent(&["fsck", "--sample", "10"]);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        world.ok(&["undo"]);
    }
    assert_sound(&world);
    world.ok(&["restore", ".", "-r", &id.to_string()]);
    let found = read_folder(&world.studio());
    assert!(base.iter().all(|(path, thing)| found.get(path) == Some(thing)));
}

#[test]
fn whoever_waits_for_another_command_is_told_so() {
    let world = studio();
    write(&world, "logo.svg", "<svg/>");
    let root = world.studio().canonicalize().expect("a folder");
    let repository = Repository::open(&root, Access::ReadWrite).expect("a repository");
    let monitor = pentimento::base::monitor::SilentMonitor;
    let lock = repository.store().lock_worktree(&monitor).expect("a lock");
    let waiting = start(&world, &["commit", "-m", "Patience"]);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    drop(lock);
    let told = succeed(waiting, "the commit");
    assert!(told.to_lowercase().contains("wait"), "{told:?}");
    assert_sound(&world);
}

#[test]
fn two_commands_that_change_files_take_turns() {
    let world = studio();
    work(&world, 0);
    world.ok(&["commit", "-m", "First"]);
    work(&world, 1);
    world.ok(&["commit", "-m", "Second"]);
    world.ok(&["draft", "new", "bold"]);
    for _ in 0..6 {
        let children = [
            start(&world, &["restore", ".", "-r", "@~1"]),
            start(&world, &["switch", "main"]),
            start(&world, &["restore", "large.psd"]),
        ];
        for child in children {
            succeed(child, "a change of files");
        }
        world.ok(&["switch", "bold"]);
    }
    assert_sound(&world);
}

#[test]
fn a_label_that_is_given_during_a_commit_is_not_forgotten() {
    let world = studio();
    for round in 0..4 {
        large_work(&world, round);
        let commit = start(&world, &["commit", "-m", "A film"]);
        std::thread::sleep(std::time::Duration::from_millis(10 * round));
        let word = format!("round-{round}");
        let label = start(&world, &["label", "film/0.mov", "--add", &word]);
        succeed(commit, "the commit");
        succeed(label, "the label");
        let told = world.ok(&["label", "film/0.mov"]);
        assert!(told.contains(&word), "{told}");
    }
    assert_sound(&world);
}
