//! Bytes that go for everybody: permitted in the shared log, then removed from the remote and from other clones.

use crate::app_flow::noise;
use crate::support::World;
use std::fs;
use std::path::Path;

fn write(world: &World, name: &str, bytes: impl AsRef<[u8]>) {
    fs::write(world.studio().join(name), bytes).expect("a written file");
}

/// A repository with a policy at a remote, and another clone of it.
fn studio() -> World {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    write(&world, "portrait.raw", noise(1, 400_000));
    write(&world, "kept.raw", noise(2, 400_000));
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["policy", "init"]);
    world.ok(&["remote", "add", "origin", "../nas"]);
    world.ok(&["push"]);
    world.ok(&["clone", "../nas", "../other"]);
    world
}

/// Whether a file's content is given out.
fn can_be_read(world: &World, arguments: &[&str]) -> bool {
    world.command(arguments).output().expect("a program that starts").status.success()
}

/// Whether some bytes lie in a file below a folder.
fn lies_below(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).expect("a folder").flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return lies_below(&path, bytes);
        }
        let found = fs::read(path).expect("a file");
        found.windows(bytes.len()).any(|part| part == bytes)
    })
}

#[test]
fn what_the_shared_log_permits_to_erase_goes_from_the_remote_and_from_other_clones() {
    let world = studio();
    let portrait = noise(1, 400_000);
    let part = &portrait[..64];
    let nas = world.studio().join("../nas");
    // A decision about one's own disk is none about everybody's.
    world.ok(&["-C", "../other", "--yes", "erase", "kept.raw", "--reason", "Mine alone"]);
    let own = world.json(&["-C", "../other", "remote", "gc", "--erased"]);
    assert_eq!(
        (&own["erased"], &own["erased_here_only"], &own["objects"]),
        (&0.into(), &1.into(), &0.into())
    );
    world.ok(&["--yes", "erase", "portrait.raw", "--everywhere", "--reason", "Consent withdrawn"]);
    let before = world.json(&["remote", "gc", "--erased", "--dry-run"]);
    assert_eq!(before["erased"], 1, "{before}");
    let pushed = world.json(&["push"]);
    assert_eq!(pushed["logs"]["entries"], 1, "{pushed}");
    let gone = world.json(&["remote", "gc", "--erased"]);
    assert!(gone["objects"].as_u64().is_some_and(|objects| objects > 0), "{gone}");
    assert!(lies_below(&nas, part), "who reads at this moment is let finish");
    // A clone that is made now is whole but for these bytes, and says who erased them.
    assert_eq!(world.pent(&["clone", "../nas", "../late"]).code, 1, "one file is left out");
    let late = world.pent(&["-C", "../late", "cat", "portrait.raw"]);
    assert_ne!(late.code, 0);
    assert!(late.stderr.contains("Consent withdrawn"), "{}", late.stderr);
    assert!(fs::read(world.studio().join("../late/kept.raw")).expect("a file") == noise(2, 400_000));
    assert_eq!(world.json(&["-C", "../late", "fsck"])["sound"], true);
    // The other clone still has them, until its owner does as was permitted.
    assert!(lies_below(&world.studio().join("../other/.pent/packs"), part));
    world.ok(&["-C", "../other", "fetch"]);
    let done = world.json(&["-C", "../other", "--yes", "erase", "--permitted"]);
    assert_eq!(done["files"].as_array().map(Vec::len), Some(1), "{done}");
    assert!(!lies_below(&world.studio().join("../other/.pent/packs"), part));
    let again = world.json(&["-C", "../other", "--yes", "erase", "--permitted"]);
    assert_eq!(again["files"].as_array().map(Vec::len), Some(0), "{again}");
    let refused = world.pent(&["-C", "../other", "cat", "portrait.raw"]);
    assert!(refused.stderr.contains("Consent withdrawn (entry 2"), "{}", refused.stderr);
    // Two weeks later nobody reads any more, and the pack goes.
    let world = world.with("PENT_DATE", "2026-03-20T10:00:00+01:00");
    let removed = world.json(&["remote", "gc"]);
    assert!(removed["removed"].as_u64().is_some_and(|removed| removed > 0), "{removed}");
    assert!(!lies_below(&nas, part), "the bytes are gone");
    world.ok(&["remote", "verify"]);
}

#[test]
fn without_a_policy_there_is_nobody_to_permit_it_and_with_one_not_everybody_may() {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    write(&world, "portrait.raw", noise(1, 100_000));
    world.ok(&["commit", "-m", "Begin"]);
    let everywhere = ["--yes", "erase", "portrait.raw", "--everywhere", "--reason", "Consent withdrawn"];
    let run = world.pent(&everywhere);
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("no policy"), "{}", run.stderr);
    assert!(can_be_read(&world, &["cat", "portrait.raw"]), "nothing was erased");
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    world.ok(&["policy", "init"]);
    // Somebody else at the same files, of whom the policy does not know.
    let home = world.home().with_file_name("mallory");
    fs::create_dir(&home).expect("a folder");
    let stranger = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env("HOME", &home);
        command.output().expect("a program that starts")
    };
    assert!(stranger(&["config", "user.name", "Mallory"]).status.success());
    assert!(stranger(&["identity", "new", "mallory", "--no-passphrase"]).status.success());
    let refused = stranger(&everywhere);
    assert!(!refused.status.success());
    assert!(can_be_read(&world, &["cat", "portrait.raw"]), "nothing was erased");
    world.ok(&everywhere);
    assert!(!can_be_read(&world, &["cat", "portrait.raw"]));
}
