//! What users were promised, seen through the program on real folders.

use crate::support::World;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

fn studio() -> World {
    let world = World::new();
    world.ok(&["config", "user.name", "Anna Lind"]);
    world.ok(&["init"]);
    world
}

fn write(world: &World, name: &str, bytes: impl AsRef<[u8]>) {
    let path = world.studio().join(name);
    fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
    fs::write(path, bytes).expect("a written file");
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

#[test]
fn pipes_and_sockets_are_told_once_and_are_no_problem() {
    let world = studio();
    write(&world, "a.txt", "1");
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    let pipe = world.studio().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
    let told = world.ok(&["status"]);
    assert!(told.contains("pipe is a pipe and is left alone.\n"), "{told}");
    let _socket = UnixListener::bind(world.studio().join("sock")).expect("a socket");
    let told = world.ok(&["status"]);
    assert!(told.contains("pipe and sock hold no work and are left alone.\n"), "{told}");
    let report = world.json(&["status"]);
    assert_eq!(report["special"][1]["kind"], "socket");
    assert_eq!(report["problems"], Value::Array(Vec::new()));
    let told = world.ok(&["commit", "-m", "First"]);
    assert!(!told.contains("pipe"), "{told}");
    // Where a file was committed, a pipe hides that it is gone: that is a problem.
    fs::remove_file(world.studio().join("a.txt")).expect("a removed file");
    fs::rename(&pipe, world.studio().join("a.txt")).expect("a pipe in its place");
    let run = world.pent(&["status"]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(run.stdout.contains("a.txt: a pipe, socket or device is in its place"), "{}", run.stdout);
}

#[test]
fn names_that_are_one_on_other_systems_are_told_when_the_second_comes() {
    let world = studio();
    write(&world, "brand/Logo.psd", noise(1, 900));
    write(&world, "brand/other.psd", noise(2, 900));
    let told = world.ok(&["commit", "-m", "First"]);
    assert!(!told.contains("these are one file"), "{told}");
    write(&world, "brand/logo.psd", noise(3, 900));
    write(&world, "cafe\u{301}.txt", "1");
    write(&world, "caf\u{e9}.txt", "2");
    let report = world.json(&["commit", "-m", "Twins"]);
    assert_eq!(report["twins"][0]["kind"], "normalisation", "{report}");
    assert_eq!(report["twins"][1]["kind"], "case");
    assert_eq!(report["twins"][1]["paths"], serde_json::json!(["brand/Logo.psd", "brand/logo.psd"]));
    // What is known already is not told again; a folder counts by its own name.
    write(&world, "brand/third.psd", noise(4, 900));
    write(&world, "Brand/x.txt", "1");
    let told = world.ok(&["commit", "-m", "More"]);
    assert!(told.contains("do not tell upper from lower case, these are one file: Brand, brand\n"), "{told}");
    assert_eq!(told.matches("these are one file").count(), 1, "{told}");
    write(&world, "brand/fourth.psd", noise(5, 900));
    let told = world.ok(&["commit", "-m", "Again"]);
    assert!(!told.contains("these are one file"), "{told}");
}

#[test]
fn status_says_exactly_how_much_would_be_new() {
    let world = studio();
    let mut pixels = noise(1, 1_000_000);
    write(&world, "poster.psd", &pixels);
    assert!(world.ok(&["status"]).contains("1 new; 1.00 MB, all of it new."));
    world.ok(&["commit", "-m", "First"]);
    pixels[500_000..500_100].fill(9);
    write(&world, "poster.psd", &pixels);
    let report = world.json(&["status"]);
    let new = report["bytes_new_at_most"].as_u64().expect("a number");
    assert!(report["measured"] == true && new > 0 && new < 600_000, "{report}");
    assert_eq!(report["changes"][0]["bytes_new"].as_u64(), Some(new));
    let committed = world.json(&["commit", "-m", "Second"]);
    assert_eq!(committed["bytes_new"].as_u64(), Some(new));
}

#[test]
fn a_copy_says_what_it_was_copied_from_by_path() {
    let world = studio();
    write(&world, "logo.svg", "<svg/>\n");
    world.ok(&["commit", "-m", "First"]);
    write(&world, "brand/mark.svg", "<svg/>\n");
    world.ok(&["commit", "-m", "A copy"]);
    assert!(world.ok(&["log", "brand/mark.svg"]).contains("copied from logo.svg"));
    assert!(world.ok(&["show", "brand/mark.svg"]).contains("copy of  logo.svg"));
    assert!(world.ok(&["show"]).contains("copy of logo.svg"));
    assert_eq!(world.json(&["show"])["files"][0]["copied_from"]["path"], "logo.svg");
}

#[test]
fn a_second_restore_finds_everything_so_already() {
    let world = studio();
    write(&world, "brief.md", "one\n");
    write(&world, "logo.svg", "<svg/>\n");
    world.ok(&["commit", "-m", "First"]);
    write(&world, "brief.md", "one and a half\n");
    let preview = world.ok(&["restore", ".", "--dry-run"]);
    assert_eq!(
        preview,
        "Would be written 1, 4 B\n  brief.md\nSet aside first, since not as committed 1, kept for 30 days\n  \
         brief.md\n"
    );
    assert!(world.ok(&["restore", "."]).contains("1 file written"));
    for _ in 0..2 {
        assert_eq!(world.ok(&["restore", "."]), "Everything is so already.\n");
    }
    assert!(world.ok(&["journal"]).contains("restored 1 file from"));
    world.ok(&["undo"]);
    let back = fs::read_to_string(world.studio().join("brief.md"));
    assert_eq!(back.expect("the file"), "one and a half\n");
}

#[test]
fn places_whose_names_are_no_text_reach_programs() {
    let world = studio();
    write(&world, "a.txt", "1");
    world.ok(&["commit", "-m", "First"]);
    for (verb, key, arguments) in
        [("export", "target", ["export", "@"].as_slice()), ("restore", "to", &["restore", "a.txt", "--to"])]
    {
        let mut command = world.command(&["--json"]);
        let place = [b"../out-", verb.as_bytes(), b"-\xff"].concat();
        let output = command.args(arguments).arg(OsStr::from_bytes(&place)).output().expect("a program");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).expect("a result");
        let place = report[key].as_str().expect("a place");
        assert!(place.ends_with(&format!("out-{verb}-%FF")), "{place}");
    }
}

#[test]
fn revisions_are_named_in_every_way_that_was_promised() {
    let world = studio();
    let mut ids = Vec::new();
    for number in 1..=4 {
        write(&world, "logo.psd", noise(number, 5000));
        let mut command = world.command(&["--json", "commit", "-m", &format!("State {number}")]);
        let output = command.env("PENT_DATE", format!("2026-02-0{number}T12:00:00Z")).output();
        let report: Value = serde_json::from_slice(&output.expect("a program").stdout).expect("a result");
        ids.push(report["commit"]["id"].as_str().expect("an id").to_owned());
    }
    let named = |revision: &str| world.json(&["show", revision])["commit"]["id"].clone();
    assert_eq!(named("@"), ids[3].as_str());
    assert_eq!(named("main"), ids[3].as_str());
    assert_eq!(named("main~3"), ids[0].as_str());
    assert_eq!(named(&ids[1][..8]), ids[1].as_str());
    assert_eq!(named("@{2026-02-02}"), ids[1].as_str());
    assert_eq!(named("@{2026-02-03}"), ids[2].as_str());
    for version in 1..=4_u64 {
        let output = world.command(&["cat", &format!("logo.psd@{version}")]).output().expect("a program");
        assert!(output.stdout == noise(version, 5000), "version {version}");
    }
}

#[test]
fn both_sides_of_a_conflict_can_be_looked_at_before_the_decision() {
    let world = studio();
    let file = world.studio().join("logo.psd");
    let versions = [noise(1, 9000), noise(2, 9000), noise(3, 9000)];
    fs::write(&file, &versions[0]).expect("a file");
    world.ok(&["commit", "-m", "Base"]);
    world.ok(&["draft", "new", "night"]);
    fs::write(&file, &versions[1]).expect("a file");
    world.ok(&["commit", "-m", "Theirs"]);
    world.ok(&["switch", "main"]);
    fs::write(&file, &versions[2]).expect("a file");
    world.ok(&["commit", "-m", "Ours"]);
    assert_eq!(world.pent(&["merge", "night"]).code, 1);
    for (side, bytes) in [("base", &versions[0]), ("theirs", &versions[1]), ("ours", &versions[2])] {
        let output = world.command(&["cat", "logo.psd", "--side", side]).output().expect("a program");
        assert!(output.stdout == *bytes, "{side}");
    }
    for (revision, bytes) in [("night", &versions[1]), ("main", &versions[2])] {
        let target = format!("../{revision}");
        world.ok(&["export", revision, &target, "logo.psd"]);
        let exported = fs::read(world.studio().join(target).join("logo.psd")).expect("an exported file");
        assert!(exported == *bytes, "{revision}");
    }
    assert_eq!(world.pent(&["commit"]).code, 4);
    world.ok(&["resolve", "--theirs", "logo.psd"]);
    world.ok(&["commit"]);
    assert!(fs::read(&file).expect("the file") == versions[1]);
}

#[test]
fn every_exit_code_is_met_where_it_was_promised() {
    let world = studio();
    write(&world, "a.txt", "1");
    world.ok(&["commit", "-m", "First"]);
    write(&world, "a.txt", "2");
    let code = |arguments: &[&str]| world.pent(arguments).code;
    assert_eq!(code(&["status"]), 0);
    assert_eq!(code(&["diff", "--exit-code"]), 1);
    assert_eq!(code(&["diff", "@", "@", "--exit-code"]), 0);
    assert_eq!(code(&["commit", "--no-such-option"]), 2);
    assert_eq!(code(&["show", "nothing-of-that-name"]), 3);
    assert_eq!(code(&["init"]), 4);
    fs::rename(world.studio().join(".pent/packs"), world.studio().join("packs")).expect("packs put away");
    assert_eq!(code(&["cat", "a.txt"]), 5);
    fs::rename(world.studio().join("packs"), world.studio().join(".pent/packs")).expect("packs put back");
    assert_eq!(code(&["export", "@", "/proc/no-such-place/x"]), 6);
    let format = world.studio().join(".pent/format");
    let text = fs::read_to_string(&format).expect("the format");
    fs::write(&format, format!("{text}requires teleportation\n")).expect("a written file");
    assert_eq!(code(&["status"]), 7);
}

#[test]
fn every_listing_ends_quietly_when_its_reader_leaves() {
    let world = studio();
    let text = |number: usize| format!("line {number}\n").repeat(20_000);
    write(&world, "long.txt", text(1));
    for number in 0..1500 {
        write(
            &world,
            &format!("files/number {number:05} with a long name so that the list fills any pipe"),
            "1",
        );
    }
    world.ok(&["commit", "-m", "First"]);
    world.ok(&["label", "files", "--add", "many"]);
    write(&world, "long.txt", text(2));
    fs::remove_dir_all(world.studio().join("files")).expect("removed files");
    let listings: &[&[&str]] = &[
        &["status", "-v"],
        &["diff"],
        &["show"],
        &["show", "-v"],
        &["cat", "long.txt"],
        &["restore", ".", "--dry-run", "-v"],
        &["--json", "status"],
        &["--json", "diff"],
        &["--json", "log"],
        &["log"],
        &["journal"],
        &["man"],
        &["completions", "bash"],
        &["--help"],
        &["fsck", "--json"],
    ];
    for listing in listings {
        let mut command = world.command(listing);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a program that starts");
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().expect("its errors").read_to_string(&mut said).expect("text");
        let status = child.wait().expect("an end");
        assert!(status.success(), "{listing:?} ended with {status}: {said}");
        assert!(!said.contains("Broken pipe") && !said.contains("panic"), "{listing:?}: {said}");
    }
}
