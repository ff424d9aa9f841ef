//! Sharing work between people through the program itself.

use crate::support::{Run, World, assert_snapshot};
use std::fs;
use std::time::Duration;

fn write(world: &World, name: &str, text: impl AsRef<[u8]>) {
    let path = world.studio().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, text).expect("a written file");
}

/// A world with a repository of its own and a remote beside it.
fn studio() -> World {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    crate::app_flow::noise(seed, length)
}

/// Ids differ from run to run, since that of the repository is random, and so does how well they pack.
fn without_ids(text: &str) -> String {
    let mut text = text.to_owned();
    for what in [" B sent", " B to send", " B received"] {
        let parts: Vec<&str> = text.split(what).collect();
        let (last, others) = parts.split_last().expect("split gives one part at least");
        let cut = |part: &&str| part.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned() + "<n>" + what;
        text = others.iter().map(cut).collect::<String>() + last;
    }
    let mut shown = String::new();
    for word in text.split_inclusive([' ', '\n', ',', '.']) {
        let core: String = word.chars().take_while(|c| c.is_ascii_hexdigit()).collect();
        let is_id = core.len() == 10 && core.chars().any(|c| c.is_ascii_digit());
        shown.push_str(&if is_id { word.replacen(&core, "<id>", 1) } else { word.to_owned() });
    }
    shown
}

#[test]
fn two_people_share_work_through_a_folder() {
    let world = studio();
    write(&world, "logo.svg", "<svg>one</svg>");
    write(&world, "photo.raw", vec![7u8; 200_000]);
    world.ok(&["commit", "-m", "Begin"]);
    let mut text = world.session(&[
        &["remote", "add", "origin", "../nas"],
        &["remote"],
        &["push", "--dry-run"],
        &["push"],
        &["push"],
        &["clone", "../nas", "../ben"],
    ]);
    write(&world, "../ben/logo.svg", "<svg>two</svg>");
    text.push_str(&world.session(&[
        &["-C", "../ben", "commit", "-m", "Ben's logo"],
        &["-C", "../ben", "push"],
        &["status"],
        &["fetch"],
        &["status"],
    ]));
    write(&world, "logo.svg", "<svg>three</svg>");
    write(&world, "notes.txt", "mine");
    text.push_str(&world.session(&[
        &["status"],
        &["commit", "-m", "Anna's logo"],
        &["push"],
        &["pull"],
        &["resolve", "--ours", "logo.svg"],
        &["commit"],
        &["push"],
        &["-C", "../ben", "pull"],
        &["remote", "check"],
        &["remote", "remove", "origin"],
        &["push"],
    ]));
    assert_snapshot("sharing", &without_ids(&text));
    let theirs = fs::read_to_string(world.studio().join("../ben/logo.svg")).expect("Ben's file");
    assert_eq!(theirs, "<svg>three</svg>");
}

#[test]
fn a_name_is_not_removed_with_work_in_it_that_one_has_never_seen() {
    let world = studio();
    write(&world, "a.txt", "one");
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["remote", "add", "origin", "../nas"]);
    world.ok(&["switch", "-c", "x"]);
    world.ok(&["push", "--all"]);
    world.ok(&["clone", "../nas", "../ben"]);
    world.ok(&["-C", "../ben", "switch", "-c", "x"]);
    write(&world, "../ben/a.txt", "two");
    world.ok(&["-C", "../ben", "commit", "-m", "Ben's work"]);
    world.ok(&["-C", "../ben", "push"]);
    let run = world.pent(&["push", "--delete", "x"]);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("has moved"), "{}", run.stderr);
    world.ok(&["fetch"]);
    world.ok(&["push", "--delete", "x"]);
}

#[test]
fn removing_names_is_no_way_around_asking_whether_work_is_lost() {
    let world = studio();
    write(&world, "a.txt", "one");
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["remote", "add", "origin", "../nas"]);
    world.ok(&["push"]);
    write(&world, "a.txt", "two");
    world.ok(&["commit", "-m", "On"]);
    world.ok(&["push"]);
    world.ok(&["undo"]);
    let before = world.json(&["remote", "check"]);
    for arguments in
        [["push", "--delete", "--all"].as_slice(), &["push", "--delete"], &["push", "--all"], &["push"]]
    {
        let run = world.pent(arguments);
        let code = if arguments.contains(&"--delete") { 2 } else { 4 };
        assert_eq!(run.code, code, "{arguments:?}: {}{}", run.stdout, run.stderr);
        assert_eq!(world.json(&["remote", "check"]), before);
    }
}

#[test]
fn a_share_that_is_not_mounted_is_said_to_be_and_nothing_is_begun_in_its_place() {
    let world = studio();
    write(&world, "a.txt", "one");
    world.ok(&["commit", "-m", "Begin"]);
    fs::create_dir(world.studio().join("../mnt")).expect("a place to mount at");
    world.ok(&["remote", "add", "origin", "../mnt/nas"]);
    world.ok(&["push"]);
    world.ok(&["backup", "../mnt/safe"]);
    world.ok(&["mirror", "../mnt/second"]);
    write(&world, "a.txt", "two");
    world.ok(&["commit", "-m", "On"]);
    fs::rename(world.studio().join("../mnt"), world.studio().join("../away")).expect("unmounted");
    for is_there in [true, false] {
        if is_there {
            fs::create_dir(world.studio().join("../mnt")).expect("an empty folder");
        } else {
            fs::remove_dir(world.studio().join("../mnt")).expect("nothing was put there");
        }
        for arguments in [
            ["push"].as_slice(),
            &["fetch"],
            &["pull"],
            &["remote", "check"],
            &["remote", "verify"],
            &["backup", "../mnt/safe"],
        ] {
            let run = world.pent(arguments);
            assert_eq!(run.code, 7, "{arguments:?}: {}{}", run.stdout, run.stderr);
            assert!(run.stderr.contains("see that it is mounted"), "{arguments:?}: {}", run.stderr);
        }
        assert_eq!(world.json(&["status"])["changes"].as_array().map(Vec::len), Some(0));
    }
    fs::rename(world.studio().join("../away"), world.studio().join("../mnt")).expect("mounted");
    world.ok(&["push"]);
    world.ok(&["backup", "../mnt/safe"]);
    world.ok(&["mirror", "../mnt/second"]);
    // A place that was never any is none now.
    let run = world.pent(&["clone", "../nowhere", "../x"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
}

#[test]
fn a_remote_is_not_begun_where_the_next_commit_would_take_it_in() {
    let world = studio();
    write(&world, "a.txt", "one");
    world.ok(&["commit", "-m", "Begin"]);
    std::os::unix::fs::symlink(world.studio(), world.studio().join("../desk")).expect("a link");
    for address in ["nas", "deep/nas", ".", ".pent/nas", "../desk/nas"] {
        for arguments in [["remote", "add", "origin", address].as_slice(), &["backup", address]] {
            let run = world.pent(arguments);
            assert_eq!(run.code, 4, "{arguments:?}: {}{}", run.stdout, run.stderr);
            assert!(run.stderr.contains("the next commit would take it in"), "{}", run.stderr);
        }
    }
    world.ok(&["remote", "add", "origin", "../nas"]);
    let inside = world.pent(&["clone", "../nas", "../nas/copy"]);
    assert_eq!(inside.code, 4, "{}", inside.stderr);
    assert!(inside.stderr.contains("where the remote keeps its own files"), "{}", inside.stderr);
    assert_eq!(world.pent(&["remote", "set", "origin", "nas"]).code, 4);
    assert_eq!(world.json(&["status"])["changes"].as_array().map(Vec::len), Some(0));
}

#[test]
fn what_is_begun_is_locked_beside_a_look_when_the_settings_ask_for_it() {
    // Locks go by the clock of the shared place.
    let world = World::new().with("PENT_DATE", &jiff::Timestamp::now().to_string());
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    write(&world, "logo.psd", "one");
    write(&world, "notes.txt", "one");
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["policy", "init"]);
    world.ok(&["remote", "add", "origin", "../nas"]);
    world.ok(&["push"]);
    world.ok(&["config", "lock.patterns", "*.psd"]);
    assert_eq!(world.json(&["lock", "--changed"])["locks"], serde_json::json!([]));
    world.ok(&["config", "lock.auto", "true"]);
    write(&world, "notes.txt", "two");
    assert!(!world.pent(&["status"]).stderr.contains("not locked"), "notes need no lock");
    write(&world, "logo.psd", "two");
    let run = world.pent(&["status"]);
    assert!(run.stderr.contains("1 changed file is not locked by you yet"), "{}{}", run.stdout, run.stderr);
    let mut looks = 0;
    while world.json(&["locks"])["locks"].as_array().is_none_or(Vec::is_empty) {
        looks += 1;
        assert!(looks < 2000, "it is never locked");
        std::thread::sleep(Duration::from_millis(30));
    }
    let locks = world.json(&["locks"])["locks"].clone();
    assert_eq!((&locks[0]["path"], &locks[0]["mine"]), (&"logo.psd".into(), &true.into()), "{locks}");
    assert!(!world.pent(&["status"]).stderr.contains("not locked"));
    // Everything may be named at once, and given back.
    assert_eq!(world.json(&["lock", "."])["locks"].as_array().map(Vec::len), Some(2));
    world.ok(&["unlock", "notes.txt"]);
    // The remote has it: others see it.
    world.ok(&["clone", "../nas", "../ben"]);
    assert_eq!(world.json(&["-C", "../ben", "locks"])["locks"].as_array().map(Vec::len), Some(1));
}

#[test]
fn addresses_that_are_none_or_hold_secrets_are_refused() {
    let world = studio();
    for (address, code) in [
        ("ssh://-oProxyCommand=touch/x", 2),
        ("https://anna:hunter2@example.org/x", 2),
        ("gopher://example.org/x", 2),
    ] {
        let run: Run = world.pent(&["remote", "add", "origin", address]);
        assert_eq!(run.code, code, "{address}: {}", run.stderr);
        assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    }
    let run = world.pent(&["remote", "add", "bad name", "../nas"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("cannot be the name of a remote"), "{}", run.stderr);
    assert_eq!(world.json(&["remote"])["remotes"].as_array().map(Vec::len), Some(0));
}

#[test]
fn what_is_not_there_is_said_in_the_words_of_what_was_asked() {
    let world = studio();
    world.ok(&["remote", "add", "origin", "../nas"]);
    let said = world.ok(&["remote", "verify"]);
    assert!(said.contains("There is nothing on origin yet."), "{said}");
    write(&world, "a.txt", "one");
    world.ok(&["commit", "-m", "Begin"]);
    let run = world.pent(&["push", "nosuch"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("there is no branch, draft or tag called"), "{}", run.stderr);
    let run = world.pent(&["push", "--delete", "main"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("origin has no branch, draft or tag called"), "{}", run.stderr);
    assert!(!run.stderr.contains("did you mean"), "{}", run.stderr);
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let world = studio();
    write(&world, "../photos/a.jpg", "a photo");
    let run = world.pent(&["remote", "add", "origin", "../photos"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    let names: Vec<_> = fs::read_dir(world.studio().join("../photos")).expect("a folder").collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn a_remote_without_its_index_and_head_is_put_right_from_a_clone() {
    let world = studio();
    write(&world, "a.txt", "one");
    write(&world, "big.bin", noise(5, 700_000));
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["remote", "add", "origin", "../nas"]);
    world.ok(&["push"]);
    let nas = world.studio().join("../nas");
    fs::remove_dir_all(nas.join("indexes")).expect("index files that go");
    let verified = world.pent(&["remote", "verify"]);
    assert_eq!(verified.code, 5, "{}{}", verified.stdout, verified.stderr);
    assert!(verified.stdout.contains("1 index file on origin is damaged or lost"), "{}", verified.stdout);
    assert_ne!(world.pent(&["clone", "../nas", "../ben"]).code, 0);
    world.ok(&["remote", "repair"]);
    assert!(world.ok(&["remote", "verify"]).contains("Everything on origin is sound"));
    for entry in fs::read_dir(&nas).expect("a folder").flatten() {
        if entry.file_name().to_string_lossy().starts_with("head.") {
            fs::write(entry.path(), "rot").expect("a damaged head");
        }
    }
    let away = world.pent(&["fetch"]);
    assert!(away.stderr.contains("pent remote repair"), "{}", away.stderr);
    assert!(world.ok(&["remote", "repair"]).contains("The head of origin could not be read"));
    world.ok(&["clone", "../nas", "../carla"]);
    assert_eq!(world.json(&["-C", "../carla", "fsck"])["sound"], true);
}

#[test]
fn a_backup_is_checked_and_can_be_cloned() {
    let world = studio();
    write(&world, "a.txt", "one");
    write(&world, "big.bin", noise(3, 1_000_000));
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["tag", "v1"]);
    let first = world.json(&["backup", "../safe"]);
    assert_eq!((&first["begun"], &first["names"]), (&true.into(), &2.into()));
    write(&world, "a.txt", "two");
    world.ok(&["commit", "-m", "On"]);
    let second = world.json(&["backup", "../safe"]);
    assert!(second["moved"]["bytes_sent"].as_u64().is_some_and(|bytes| bytes < 5_000), "{second}");
    assert_eq!(second["verified"]["damaged"].as_array().map(Vec::len), Some(0));
    world.ok(&["clone", "../safe", "../back"]);
    assert_eq!(fs::read_to_string(world.studio().join("../back/a.txt")).expect("a file"), "two");
    assert_eq!(world.json(&["-C", "../back", "fsck"])["sound"], true);
    world.ok(&["-C", "../back", "remote", "gc"]);
    world.ok(&["-C", "../back", "remote", "verify"]);
}

/// Starts a command and kills it after a while, unless it ends before. Tells whether it ended well.
fn kill_after(world: &World, arguments: &[&str], wait: Duration) -> bool {
    let mut command = world.command(arguments);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("a program that starts");
    let began = std::time::Instant::now();
    while began.elapsed() < wait {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("a kill");
    child.wait().expect("an end").success()
}

/// Whether a clone was killed after it had done everything.
fn is_complete(world: &World) -> bool {
    let run = world.pent(&["--json", "-C", "../copy", "status"]);
    let status: serde_json::Value = serde_json::from_str(&run.stdout).unwrap_or_default();
    status["commit"].is_string() && status["changes"].as_array().is_some_and(Vec::is_empty)
}

#[test]
fn kills_of_push_and_clone_at_any_moment_lose_nothing() {
    let world = studio();
    for number in 0..6 {
        write(&world, &format!("{number}.bin"), noise(number + 1, 12_000_000));
    }
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["remote", "add", "origin", "../nas"]);
    let mut kills = 0;
    while !kill_after(&world, &["push"], Duration::from_millis(15 + 23 * kills)) {
        kills += 1;
        assert!(kills < 200, "a push never gets through");
    }
    assert!(kills > 0, "not one push was killed");
    assert_eq!(world.json(&["push"])["names"].as_array().map(Vec::len), Some(0));
    let mut kills = 0;
    while !kill_after(&world, &["clone", "../nas", "../copy"], Duration::from_millis(15 + 23 * kills)) {
        kills += 1;
        if is_complete(&world) {
            break;
        }
        assert!(kills < 200, "a clone never gets through");
    }
    assert!(kills > 0, "not one clone was killed");
    assert_eq!(world.json(&["-C", "../copy", "fsck"])["sound"], true);
    for number in 0..6 {
        let name = format!("{number}.bin");
        let copied = fs::read(world.studio().join("../copy").join(&name)).expect("a file");
        assert!(copied == noise(number + 1, 12_000_000), "{name}");
    }
}

#[test]
fn news_of_others_comes_by_itself_when_the_settings_ask_for_it() {
    let world = studio();
    write(&world, "logo.svg", "<svg>one</svg>");
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["remote", "add", "origin", "../nas"]);
    world.ok(&["push"]);
    world.ok(&["clone", "../nas", "../ben"]);
    write(&world, "../ben/logo.svg", "<svg>two</svg>");
    world.ok(&["-C", "../ben", "commit", "-m", "Ben's logo"]);
    world.ok(&["-C", "../ben", "push"]);
    assert_eq!(world.json(&["status"])["upstream"]["behind"], 0, "nobody asked for it");
    assert_eq!(world.pent(&["config", "fetch.every", "sometimes"]).code, 2);
    world.ok(&["config", "fetch.every", "5m"]);
    let mut looks = 0;
    while world.json(&["status"])["upstream"]["behind"] != 1 {
        looks += 1;
        assert!(looks < 2000, "news never come");
        std::thread::sleep(Duration::from_millis(30));
    }
    let stamp = world.studio().join(".pent/remotes/.fetched");
    let first = fs::metadata(&stamp).expect("a stamp").modified().expect("a moment");
    world.ok(&["status"]);
    assert_eq!(fs::metadata(&stamp).expect("a stamp").modified().expect("a moment"), first);
}

#[test]
fn a_clone_insists_on_the_first_policy_that_it_was_told_to_expect() {
    let world = studio();
    write(&world, "logo.svg", "<svg>one</svg>");
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    world.ok(&["policy", "init"]);
    world.ok(&["remote", "add", "origin", "../nas"]);
    world.ok(&["push"]);
    let clone = world.json(&["clone", "../nas", "../trusting"]);
    assert_eq!(clone["expected"], false);
    let root = clone["root_policy"].as_str().expect("a fingerprint").to_owned();
    let clone = world.json(&["clone", "../nas", "../sure", "--expect", &root]);
    assert_eq!((&clone["expected"], &clone["root_policy"]), (&true.into(), &root.clone().into()));
    let last = if root.ends_with('0') { "1" } else { "0" };
    let other = format!("{}{last}", &root[..root.len() - 1]);
    let run = world.pent(&["clone", "../nas", "../deceived", "--expect", &other]);
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("first policy"), "{}", run.stderr);
    assert!(!world.studio().join("../deceived/logo.svg").exists(), "nothing is checked out");
    let run = world.pent(&["clone", "../nas", "../mistyped", "--expect", "abc"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
}

#[test]
fn words_that_were_erased_are_gone_from_every_clone_and_the_verdict_stays() {
    let world = studio();
    write(&world, "logo.svg", "<svg>one</svg>");
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    world.ok(&["draft", "new", "poster"]);
    write(&world, "logo.svg", "<svg>two</svg>");
    world.ok(&["commit", "-m", "Two"]);
    world.ok(&["submit"]);
    let said = world.json(&["request-changes", "draft/poster", "-m", "As Mrs. Berg of 12 Elm Street said"]);
    let action = said["verdict"]["action"].as_str().expect("an id").to_owned();
    world.ok(&["remote", "add", "origin", "../nas"]);
    world.ok(&["push", "--all"]);
    world.ok(&["clone", "../nas", "../ben"]);
    let run = world.pent(&["erase", "--words", &action[..10]]);
    assert_eq!(run.code, 2, "a reason is asked for: {}", run.stderr);
    let would = world.ok(&["erase", "--words", &action[..10], "--dry-run"]);
    assert!(would.contains("Elm Street"), "{would}");
    world.ok(&["--yes", "erase", "--words", &action[..10], "--reason", "Names a third person"]);
    assert!(!world.ok(&["review", "draft/poster"]).contains("Elm Street"));
    world.ok(&["push"]);
    world.ok(&["-C", "../ben", "fetch"]);
    let review = world.json(&["-C", "../ben", "review", "draft/poster"]);
    assert!(!review.to_string().contains("Elm Street"));
    let verdict = &review["verdicts"][0];
    assert_eq!((&verdict["action"], &verdict["words"]["erased"]), (&action.clone().into(), &true.into()));
    assert!(world.ok(&["erase", "--words", &action, "--dry-run"]).contains("were erased before"));
    assert_eq!(world.pent(&["erase", "--words", "0123456789", "--reason", "x"]).code, 3);
}
