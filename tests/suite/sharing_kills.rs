//! Second copies, and bytes that go for everybody, are killed at random moments: what was there stays there, nobody
//! is told what is not so, and the same command again brings it to its end.
//!
//! `PENT_KILLS` says how often each command is killed; with `PENT_CI=long` work is shared in 150 rounds.

use crate::app_flow::noise;
use crate::kills::{Dice, kill, kills, measured};
use crate::sharing_network::{rounds, within};
use crate::small_disk_sharing::stand_in;
use crate::support::World;
use std::fs;
use std::time::Duration;

fn write(world: &World, name: &str, bytes: impl AsRef<[u8]>) {
    fs::write(world.studio().join(name), bytes).expect("a written file");
}

/// A repository with a policy and one commit at a remote, with so many files besides, and another clone of it.
fn studio(files: u64) -> World {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    write(&world, "kept.raw", noise(1, 2_000_000));
    for number in 0..files {
        write(&world, &format!("{number}.raw"), noise(200 + number, 600_000));
    }
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["policy", "init"]);
    world.ok(&["remote", "add", "origin", "../nas"]);
    world.ok(&["push"]);
    world.ok(&["clone", "../nas", "../other"]);
    world
}

/// What a place has under its names, as somebody sees it who has nothing else; all of it is there and sound.
fn names_at(world: &World, address: &str) -> Vec<String> {
    let copy = world.studio().join("../look");
    let _ = fs::remove_dir_all(&copy);
    world.ok(&["clone", address, "../look"]);
    assert_eq!(world.json(&["-C", "../look", "fsck"])["sound"], true);
    let report = world.json(&["-C", "../look", "remote", "check"]);
    let mut names: Vec<String> =
        report["names"].as_array().expect("names").iter().map(ToString::to_string).collect();
    names.sort();
    names
}

/// A draft more with content of its own, and one less, pushed.
fn a_days_work(world: &World, number: u64, old: Option<u64>) {
    let draft = format!("cut-{number}");
    world.ok(&["switch", "-c", &draft]);
    write(world, "cut.bin", noise(100 + number, 1_500_000));
    world.ok(&["commit", "-m", &draft]);
    world.ok(&["push"]);
    world.ok(&["switch", "main"]);
    if let Some(old) = old {
        let old = format!("cut-{old}");
        world.ok(&["push", "--delete", &old]);
        world.ok(&["--yes", "draft", "delete", "--force", &old]);
    }
}

/// Kills a command that makes a second copy, again and again, while work goes on.
fn kill_copies(world: &World, verb: &[&str], place: &str, first: u64, dice: &mut Dice) {
    let mut usual = measured(|| drop(world.ok(&["mirror", "../measured"])));
    for round in first..first + kills().div_ceil(2) {
        let before = (round > first).then(|| {
            a_days_work(world, round, (round > first + 2).then(|| round - 2));
            names_at(world, place)
        });
        let wanted = names_at(world, "../nas");
        let was_done = kill(world, verb, usual, dice);
        assert_eq!(world.json(&["fsck"])["sound"], true, "round {round}");
        if let Some(before) = before {
            let now = names_at(world, place);
            // All names move at once or none does.
            assert!(now == before || now == wanted, "round {round}: {before:?} {now:?} {wanted:?}");
            assert!(!was_done || now == wanted, "round {round}: it was told to be done");
        }
        if round % 3 == 2 || round == first {
            let mut report = serde_json::Value::Null;
            usual = measured(|| report = world.json(verb));
            assert_eq!(report["kept"], serde_json::json!([]), "round {round}: {report}");
            assert_eq!(report["verified"]["complete"], true, "round {round}: {report}");
            assert_eq!(names_at(world, place), wanted, "round {round}");
        }
    }
    world.ok(verb);
    assert_eq!(names_at(world, place), names_at(world, "../nas"));
    assert_eq!(world.json(verb)["moved"]["bytes_sent"], 0, "there is nothing left to be sent");
}

#[test]
fn a_second_copy_that_is_killed_stays_whole_and_is_finished_by_the_next() {
    let world = studio(0);
    let mut dice = Dice(61);
    kill_copies(&world, &["mirror", "../second"], "../second", 0, &mut dice);
    kill_copies(&world, &["backup", "../safe", "--exact"], "../safe", 1000, &mut dice);
}

/// Whether a clone hands out a file's content.
fn can_be_read(world: &World, folder: &str, name: &str) -> bool {
    let output = world.command(&["-C", folder, "cat", name, "--revision", "main"]).output();
    output.expect("a program that starts").status.success()
}

/// Does it until it is done, as somebody would whose machine fell over: a first time that is killed, and again.
fn killed_then_done(world: &World, arguments: &[&str], dice: &mut Dice) {
    let time = Duration::from_millis(400);
    kill(world, arguments, time, dice);
    let folder = if arguments[0] == "-C" { arguments[1] } else { "." };
    assert_eq!(world.json(&["-C", folder, "fsck"])["sound"], true, "{arguments:?}");
    world.ok(arguments);
}

#[test]
fn bytes_that_go_for_everybody_go_though_every_step_is_killed() {
    let rounds = kills().div_ceil(2);
    let world = studio(rounds);
    let mut dice = Dice(67);
    for round in 0..rounds {
        let name = format!("{round}.raw");
        let erase = ["--yes", "erase", &name, "--everywhere", "--reason", "Consent withdrawn"];
        let was_done = kill(&world, &erase, Duration::from_millis(500), &mut dice);
        assert_eq!(world.json(&["fsck"])["sound"], true, "round {round}");
        assert!(!was_done || !can_be_read(&world, ".", &name), "round {round}: it was told to be erased");
        if can_be_read(&world, ".", &name) {
            world.ok(&erase);
        }
        assert!(!can_be_read(&world, ".", &name), "round {round}");
        // It is permitted once, however often it was asked for.
        let log = world.ok(&["audit"]);
        let permitted = log.lines().filter(|line| line.contains("erase")).count() as u64;
        assert_eq!(permitted, round + 1, "round {round}: {log}");
        killed_then_done(&world, &["push"], &mut dice);
        killed_then_done(&world, &["remote", "gc", "--erased"], &mut dice);
        killed_then_done(&world, &["-C", "../other", "fetch"], &mut dice);
        killed_then_done(&world, &["-C", "../other", "--yes", "erase", "--permitted"], &mut dice);
        assert!(!can_be_read(&world, "../other", &name), "round {round}");
        assert!(can_be_read(&world, "../other", "kept.raw") && can_be_read(&world, ".", "kept.raw"));
    }
    assert_eq!(world.json(&["remote", "verify"])["damaged"], serde_json::json!([]));
    // Whoever comes now gets everything but these bytes.
    let late = world.pent(&["clone", "../nas", "../late"]);
    assert_eq!(late.code, 1, "{}", late.stderr);
    assert!(fs::read(world.studio().join("../late/kept.raw")).expect("a file") == noise(1, 2_000_000));
    for round in 0..rounds {
        assert!(!world.studio().join(format!("../late/{round}.raw")).exists());
    }
}

/// Ends whatever answers at the other end at this moment.
type EndOther<'a> = &'a (dyn Fn() + Sync);

/// Work is shared at an address while either side is killed at any moment. `is_sound` looks at the other end.
fn kill_while_sharing(world: &World, address: &str, end_other: Option<EndOther<'_>>, is_sound: &dyn Fn()) {
    let content = |round: u64| noise(3000 + round, 1_500_000);
    write(world, "0.bin", content(0));
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["remote", "add", "origin", address]);
    world.ok(&["push"]);
    world.ok(&["clone", address, "../copy"]);
    let mut told_done = vec![0];
    for round in 1..rounds() {
        write(world, &format!("{round}.bin"), content(round));
        world.ok(&["commit", "-m", "On"]);
        let time = Duration::from_millis(20 + (round * 137) % 500);
        let is_done = match end_other {
            Some(end_other) if round % 2 == 1 => std::thread::scope(|scope| {
                let push = scope.spawn(|| world.pent(&["push"]).code == 0);
                std::thread::sleep(time);
                end_other();
                push.join().expect("a push")
            }),
            _ => within(world, &["push"], time),
        };
        told_done.extend(is_done.then_some(round));
        assert_eq!(world.json(&["fsck"])["sound"], true, "round {round}");
        is_sound();
        within(world, &["-C", "../copy", "pull"], time);
        assert_eq!(world.json(&["-C", "../copy", "fsck"])["sound"], true, "round {round}");
        if round % 10 == 3 {
            let _ = fs::remove_dir_all(world.studio().join("../fresh"));
            world.ok(&["clone", address, "../fresh"]);
            for told in &told_done {
                let there = fs::read(world.studio().join(format!("../fresh/{told}.bin")));
                assert!(there.ok() == Some(content(*told)), "{told} was told to be done, and is not there");
            }
        }
    }
    world.ok(&["push"]);
    is_sound();
    let _ = fs::remove_dir_all(world.studio().join("../fresh"));
    world.ok(&["clone", address, "../fresh"]);
    world.ok(&["-C", "../copy", "pull"]);
    for home in ["../fresh", "../copy"] {
        assert_eq!(world.json(&["-C", home, "fsck"])["sound"], true);
        for round in 0..rounds() {
            let there = fs::read(world.studio().join(home).join(format!("{round}.bin")));
            assert!(there.ok() == Some(content(round)), "{home} {round}");
        }
    }
}

#[test]
fn kills_at_any_moment_lose_nothing_in_a_folder() {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    kill_while_sharing(&world, "../nas", None, &|| {
        let verified = world.json(&["remote", "verify"]);
        assert_eq!((&verified["damaged"], &verified["complete"]), (&serde_json::json!([]), &true.into()));
    });
}

#[test]
fn kills_of_either_side_at_any_moment_lose_nothing_over_ssh() {
    let world = World::new();
    let running = world.home().join("running");
    fs::create_dir(&running).expect("a folder");
    let ssh = stand_in(&world, &format!("echo $$ > '{}'/$$\n", running.display()));
    let world = world.with("PENT_SSH", &ssh).with("PATH", "/usr/bin:/bin");
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    let there = world.home().join("brand");
    let end_other = || {
        for note in fs::read_dir(&running).expect("a folder").flatten() {
            let pid =
                note.file_name().to_string_lossy().parse().ok().and_then(rustix::process::Pid::from_raw);
            // Of those that have ended by themselves nothing is there any more.
            let is_ours = pid.is_some_and(|pid| {
                let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero()));
                line.is_ok_and(|line| line.windows(7).any(|part| part == b"--stdio"))
            });
            if let (Some(pid), true) = (pid, is_ours) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            let _ = fs::remove_file(note.path());
        }
    };
    let address = format!("ssh://nas{}", there.display());
    kill_while_sharing(&world, &address, Some(&end_other), &|| {
        assert_eq!(world.json(&["-C", &there.display().to_string(), "fsck"])["sound"], true);
    });
}
