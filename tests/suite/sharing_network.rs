//! Sharing work over ssh and HTTP through the program itself; kills of either side.

use crate::app_flow::noise;
use crate::remote_contract::ssh::Sshd;
use crate::support::World;
use crate::support::line::{Line, Mishap};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn write(world: &World, name: &str, bytes: impl AsRef<[u8]>) {
    let path = world.studio().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, bytes).expect("a written file");
}

fn read(world: &World, name: &str) -> Vec<u8> {
    fs::read(world.studio().join(name)).expect("a file")
}

fn studio(world: World) -> World {
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    world
}

/// Two people go through a day with a remote at an address.
fn a_day(world: &World, address: &str) {
    write(world, "logo.svg", "<svg>one</svg>");
    write(world, "film.bin", noise(1, 3_000_000));
    world.ok(&["commit", "-m", "Begin"]);
    let added = world.json(&["remote", "add", "origin", address]);
    assert_eq!(added["begun"], true, "{added}");
    let pushed = world.json(&["push"]);
    assert!(pushed["bytes_sent"].as_u64().is_some_and(|bytes| bytes > 3_000_000), "{pushed}");
    world.ok(&["clone", address, "../ben"]);
    assert_eq!(read(world, "../ben/film.bin"), noise(1, 3_000_000));
    write(world, "../ben/logo.svg", "<svg>two</svg>");
    world.ok(&["-C", "../ben", "commit", "-m", "Ben's logo"]);
    let pushed = world.json(&["-C", "../ben", "push"]);
    assert!(pushed["bytes_sent"].as_u64().is_some_and(|bytes| bytes < 5_000), "{pushed}");
    write(world, "notes.txt", "mine");
    world.ok(&["commit", "-m", "Notes"]);
    let refused = world.pent(&["push"]);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(refused.stderr.contains("pent pull"), "{}", refused.stderr);
    world.ok(&["pull"]);
    assert_eq!(read(world, "logo.svg"), b"<svg>two</svg>");
    world.ok(&["push"]);
    world.ok(&["-C", "../ben", "fetch"]);
    world.ok(&["-C", "../ben", "pull"]);
    assert_eq!(read(world, "../ben/notes.txt"), b"mine");
    world.ok(&["remote", "check"]);
    assert_eq!(world.json(&["-C", "../ben", "fsck"])["sound"], true);
    let nothing = world.json(&["push"]);
    assert_eq!(nothing["names"].as_array().map(Vec::len), Some(0));
    let cared = world.pent(&["remote", "gc"]);
    assert_eq!(cared.code, 4, "{}", cared.stderr);
}

#[test]
fn two_people_share_work_over_ssh() {
    let sshd = Sshd::start(None);
    // The home of the person at the other end is not the one at this.
    let world = World::new().with("PENT_SSH", &sshd.ssh_words()).with("PATH", "/usr/bin:/bin");
    let world = studio(world);
    let place = sshd.folder().join("brand").display().to_string();
    a_day(&world, &format!("ssh://127.0.0.1:{}{place}", sshd.port));
    assert_eq!(fs::read_dir(&place).expect("a folder").count(), 1, "no files of its own");
}

/// A server as a program of its own.
pub struct Serving {
    child: Child,
    pub said: serde_json::Value,
    pub address: String,
}

impl Serving {
    pub fn start(world: &World, arguments: &[&str]) -> Self {
        let mut child = world
            .command(&[&["--json", "serve"], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a server that starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let said: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let address = said["address"].as_str().expect("an address").to_owned();
        Self { child, said, address }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.kill();
    }
}

fn list_anna(world: &World) {
    let key = world.ok(&["identity", "export"]);
    let line = key.lines().find(|line| line.contains("ssh-ed25519")).expect("a key");
    let at = line.find("ssh-ed25519").expect("a key");
    write(world, "../srv/.pent-server/people", &line[at..]);
}

#[test]
fn two_people_share_work_over_http() {
    let world = studio(World::new());
    list_anna(&world);
    let serving = Serving::start(&world, &["--listen", "127.0.0.1:0", "--repos", "../srv"]);
    a_day(&world, &format!("http://{}/studio/brand", serving.address));
    // A machine has a token, and it is for that host only.
    let made = world.json(&["serve", "token", "new", "farm", "--repos", "../srv", "--for", "studio/brand"]);
    let token = made["token"].as_str().expect("a token");
    let address = format!("http://{}/studio/brand", serving.address);
    let machine = |tokens: &str| {
        let farm = World::new().with("PENT_TOKEN", tokens);
        farm.pent(&["clone", &address, "../copy"])
    };
    assert_eq!(machine(&format!("{token}@{}", serving.address)).code, 0);
    let elsewhere = machine(&format!("{token}@elsewhere.example"));
    assert_eq!(elsewhere.code, 4, "{}", elsewhere.stderr);
    assert!(!elsewhere.stderr.contains(token), "{}", elsewhere.stderr);
    world.ok(&["serve", "token", "revoke", made["line"]["id"].as_str().expect("an id"), "--repos", "../srv"]);
    let revoked = machine(&format!("{token}@{}", serving.address));
    assert_eq!(revoked.code, 4, "{}", revoked.stderr);
    assert!(!revoked.stderr.contains(token), "{}", revoked.stderr);
}

#[test]
fn a_server_with_a_certificate_is_believed_by_whoever_believes_its_authority() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls");
    let at = |name: &str| fixtures.join(name).display().to_string();
    let world = studio(World::new().with("SSL_CERT_FILE", &at("ca.pem")));
    list_anna(&world);
    write(&world, "a.txt", "one");
    world.ok(&["commit", "-m", "Begin"]);
    let (chain, key) = (at("chain.pem"), at("key.pem"));
    let tls = ["--listen", "127.0.0.1:0", "--repos", "../srv", "--tls-cert", &chain, "--tls-key", &key];
    let serving = Serving::start(&world, &tls);
    let address = format!("https://{}/brand", serving.address);
    world.ok(&["remote", "add", "origin", &address]);
    world.ok(&["push"]);
    world.ok(&["clone", &address, "../copy"]);
    assert_eq!(read(&world, "../copy/a.txt"), b"one");
    // Somebody else does not know the authority.
    let other = World::new().with("SSL_CERT_FILE", &at("nothing.pem"));
    let refused = other.pent(&["clone", &address, "../copy"]);
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);
    // What is asked in the clear is not answered.
    let clear = world.pent(&["clone", &format!("http://{}/brand", serving.address), "../clear"]);
    assert_ne!(clear.code, 0);
}

#[test]
fn a_branch_that_is_checked_out_there_does_not_move_under_its_files() {
    let sshd = Sshd::start(None);
    let world = World::new().with("PENT_SSH", &sshd.ssh_words()).with("PATH", "/usr/bin:/bin");
    let world = studio(world);
    write(&world, "a.txt", "one");
    world.ok(&["commit", "-m", "Begin"]);
    let place = sshd.folder().join("desk");
    let address = format!("ssh://127.0.0.1:{}{}", sshd.port, place.display());
    // Somebody works there.
    world.ok(&["backup", "../safe"]);
    world.ok(&["clone", "../safe", &place.display().to_string()]);
    world.ok(&["remote", "add", "desk", &address]);
    write(&world, "a.txt", "two");
    world.ok(&["commit", "-m", "On"]);
    let refused = world.pent(&["push", "--to", "desk"]);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(refused.stderr.contains("checked out"), "{}", refused.stderr);
    let there = place.display().to_string();
    assert_eq!(world.json(&["-C", &there, "status"])["changes"].as_array().map(Vec::len), Some(0));
    world.ok(&["draft", "new", "mine"]);
    world.ok(&["push", "mine", "--to", "desk"]);
    world.ok(&["-C", &there, "sparse", "none"]);
    world.ok(&["push", "main", "--to", "desk"]);
    assert_eq!(world.json(&["-C", &there, "status"])["changes"].as_array().map(Vec::len), Some(0));
    world.ok(&["-C", &there, "sparse", "all"]);
    assert_eq!(fs::read_to_string(place.join("a.txt")).expect("a file"), "two");
}

#[test]
fn addresses_that_would_run_something_or_go_in_the_clear_are_refused() {
    let world = studio(World::new());
    for address in ["ssh://-oProxyCommand=touch/x", "-oProxyCommand=touch:x", "host:-path"] {
        let run = world.pent(&["remote", "add", "origin", address]);
        assert_eq!(run.code, 2, "{address}: {}", run.stderr);
    }
    let clear = world.pent(&["remote", "add", "origin", "http://assets.example/brand"]);
    assert_eq!(clear.code, 4, "{}", clear.stderr);
    assert!(clear.stderr.contains("remote.insecure"), "{}", clear.stderr);
    let open = world.pent(&["serve", "--listen", "0.0.0.0:0", "--repos", "."]);
    assert_eq!(open.code, 2, "{}", open.stderr);
}

fn stored_bytes(folder: &Path) -> u64 {
    let packs = fs::read_dir(folder.join(".pent/packs")).expect("packs").flatten();
    packs.map(|entry| entry.metadata().expect("a pack").len()).sum()
}

#[test]
fn a_clone_that_leaves_content_on_a_server_can_rely_on_it() {
    let world = studio(World::new());
    list_anna(&world);
    let serving = Serving::start(&world, &["--listen", "127.0.0.1:0", "--repos", "../srv"]);
    let address = format!("http://{}/brand", serving.address);
    let there = world.studio().join("../srv/brand").display().to_string();
    write(&world, "film.bin", noise(1, 3_000_000));
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["remote", "add", "origin", &address]);
    world.ok(&["push"]);
    world.ok(&["draft", "new", "kept"]);
    write(&world, "film.bin", noise(2, 3_000_000));
    world.ok(&["commit", "-m", "A cut"]);
    world.ok(&["push"]);
    world.ok(&["clone", "--lazy", &address, "../lazy"]);
    // Another, of which no clone ever heard.
    world.ok(&["draft", "new", "gone"]);
    write(&world, "film.bin", noise(3, 3_000_000));
    world.ok(&["commit", "-m", "Another cut"]);
    world.ok(&["push"]);
    world.ok(&["switch", "main"]);
    world.ok(&["push", "--delete", "kept", "gone"]);
    let before = stored_bytes(Path::new(&there));
    world.ok(&["--yes", "-C", &there, "gc", "--now"]);
    let dropped = before.saturating_sub(stored_bytes(Path::new(&there)));
    assert!((2_500_000..3_500_000).contains(&dropped), "{dropped} bytes were dropped");
    let cut =
        world.command(&["-C", "../lazy", "cat", "film.bin", "--revision", "origin/draft/kept"]).output();
    assert!(cut.expect("a cut").stdout == noise(2, 3_000_000));
    assert_sound_at(&world, Path::new(&there));
    // What is freed is read there first, and comes back.
    let freed = world.json(&["free", "film.bin"]);
    assert_eq!(freed["files"], 1, "{freed}");
    let film = world.command(&["cat", "film.bin"]).output().expect("a film");
    assert!(film.stdout == noise(1, 3_000_000), "{}", String::from_utf8_lossy(&film.stderr));
    let brought = world.json(&["-C", "../lazy", "fetch", "--content", "film.bin"]);
    assert_eq!(brought["files"], 1, "{brought}");
}

#[test]
fn two_servers_over_the_same_repositories_lose_nothing() {
    let world = studio(World::new());
    list_anna(&world);
    let start = || Serving::start(&world, &["--listen", "127.0.0.1:0", "--repos", "../srv"]);
    let servers = [start(), start()];
    let address = |number: usize| format!("http://{}/brand", servers[number].address);
    write(&world, "begin.bin", noise(1, 300_000));
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["remote", "add", "origin", &address(0)]);
    world.ok(&["push"]);
    let homes: Vec<String> = (0..4).map(|number| format!("../clone-{number}")).collect();
    for (number, home) in homes.iter().enumerate() {
        world.ok(&["clone", &address(number % 2), home]);
        world.ok(&["-C", home, "draft", "new", &format!("d{number}")]);
    }
    std::thread::scope(|scope| {
        for (number, home) in homes.iter().enumerate() {
            let world = &world;
            scope.spawn(move || {
                for round in 0..3 {
                    write(world, &format!("{home}/{number}.bin"), noise(number as u64 * 10 + round, 200_000));
                    world.ok(&["-C", home, "commit", "-m", "On"]);
                    world.ok(&["-C", home, "push"]);
                }
            });
        }
    });
    assert_sound_at(&world, &world.studio().join("../srv/brand"));
    // All of it is there, whichever server one asks.
    for server in 0..2 {
        let copy = format!("../copy-{server}");
        world.ok(&["clone", &address(server), &copy]);
        for number in 0..4u64 {
            let (name, revision) = (format!("{number}.bin"), format!("origin/draft/d{number}"));
            let mut command = world.command(&["-C", &copy, "cat", &name, "--revision", &revision]);
            let film = command.output().expect("a file");
            assert!(
                film.stdout == noise(number * 10 + 2, 200_000),
                "{}",
                String::from_utf8_lossy(&film.stderr)
            );
        }
    }
}

#[test]
fn content_that_somebody_had_count_as_erased_first_is_kept_and_may_be_freed() {
    let world = studio(World::new());
    list_anna(&world);
    let serving = Serving::start(&world, &["--listen", "127.0.0.1:0", "--repos", "../srv"]);
    let address = format!("http://{}/brand", serving.address);
    let there = world.studio().join("../srv/brand").display().to_string();
    write(&world, "notes.txt", "begin");
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["remote", "add", "origin", &address]);
    world.ok(&["push"]);
    world.ok(&["clone", &address, "../mallory"]);
    write(&world, "../mallory/film.bin", noise(36, 2_000_000));
    write(&world, "../mallory/small.txt", "a small one");
    world.ok(&["-C", "../mallory", "draft", "new", "x"]);
    world.ok(&["-C", "../mallory", "commit", "-m", "Theirs"]);
    world.ok(&["-C", "../mallory", "erase", "film.bin", "--yes", "--reason", "x"]);
    world.ok(&["-C", "../mallory", "erase", "small.txt", "--yes", "--reason", "x"]);
    world.ok(&["-C", "../mallory", "push"]);
    write(&world, "film.bin", noise(36, 2_000_000));
    write(&world, "small.txt", "a small one");
    world.ok(&["commit", "-m", "The real ones"]);
    world.ok(&["push"]);
    let film = world.command(&["-C", &there, "cat", "film.bin", "--revision", "main"]).output();
    assert!(film.expect("a film").stdout == noise(36, 2_000_000));
    let freed = world.json(&["free", "film.bin", "small.txt"]);
    assert_eq!(freed["files"], 2, "{freed}");
    world.ok(&["--yes", "-C", &there, "gc", "--now"]);
    let film = world.command(&["cat", "film.bin"]).output().expect("a film");
    assert!(film.stdout == noise(36, 2_000_000), "{}", String::from_utf8_lossy(&film.stderr));
    assert_eq!(world.ok(&["cat", "small.txt"]), "a small one");
    world.ok(&["clone", &address, "../fresh"]);
    assert_eq!(read(&world, "../fresh/film.bin"), noise(36, 2_000_000));
}

/// How often things are killed: `PENT_ROUNDS` says it otherwise.
pub fn rounds() -> u64 {
    if let Some(rounds) = std::env::var("PENT_ROUNDS").ok().and_then(|text| text.parse().ok()) {
        return rounds;
    }
    if std::env::var("PENT_CI").is_ok_and(|mode| mode == "long") { 150 } else { 4 }
}

/// Starts a command and gives it so much time; tells whether it ended well by itself.
pub fn within(world: &World, arguments: &[&str], time: Duration) -> bool {
    let mut command = world.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let began = Instant::now();
    while began.elapsed() < time {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    child.kill().expect("a kill");
    child.wait().expect("an end").success()
}

fn assert_sound_at(world: &World, folder: &Path) {
    assert_eq!(
        world.json(&["-C", &folder.display().to_string(), "fsck"])["sound"],
        true,
        "{}",
        folder.display()
    );
}

/// Mishaps that a client gets over without waiting for a minute.
fn passing(number: u64) -> Mishap {
    let place = [0, 40, 200, 1_000, 20_000, 900_000][(number / 5 % 6) as usize];
    match number % 15 {
        0 => Mishap::Delay(Duration::from_millis(15)),
        3 => Mishap::DropAsking(place),
        6 => Mishap::DropAnswering(place),
        9 => Mishap::EndAnswering(place),
        11 => Mishap::Repeat,
        13 => Mishap::Answer(503),
        _ => Mishap::None,
    }
}

/// Insists that the server has, on its branch, what a push reported as done in some rounds.
fn assert_has(world: &World, repository: &Path, rounds: &[u64]) {
    let there = repository.display().to_string();
    for round in rounds {
        let name = format!("{round}.bin");
        let mut command = world.command(&["-C", &there, "cat", &name, "--revision", "main"]);
        let output = command.output().expect("a program that starts");
        assert!(
            output.stdout == noise(*round, 6_000_000),
            "round {round} was told to be done and is not there: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// What a pack has at most, in bytes.
pub const PACK: u64 = 32 << 20;

/// Starts a command and kills it as soon as a count is there; insists that it was not done by then.
pub fn kill_when(world: &World, arguments: &[&str], count: &AtomicU64, there: u64) {
    let mut command = world.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let began = Instant::now();
    while count.load(Ordering::Relaxed) < there {
        assert!(child.try_wait().expect("a child").is_none(), "{arguments:?} ended too soon");
        assert!(began.elapsed() < Duration::from_secs(300), "{arguments:?} does not get on");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("a kill");
    assert!(!child.wait().expect("an end").success(), "{arguments:?} was done");
}

#[test]
fn whoever_is_killed_sends_and_takes_no_more_than_one_pack_twice() {
    let world = studio(World::new());
    list_anna(&world);
    let total = 84_000_000;
    write(&world, "film.bin", noise(7, total as usize));
    world.ok(&["commit", "-m", "Begin"]);
    let line = Line::new(|_| Mishap::None);
    let name = line.address.to_string();
    let serving = Serving::start(&world, &["--listen", "127.0.0.1:0", "--repos", "../srv", "--name", &name]);
    line.lead_to(serving.address.parse().expect("an address"));
    let address = format!("http://{name}/brand");
    world.ok(&["remote", "add", "origin", &address]);
    let before = line.asked.load(Ordering::Relaxed);
    kill_when(&world, &["push"], &line.asked, before + 56_000_000);
    let pushed = world.json(&["push"]);
    let sent = line.asked.load(Ordering::Relaxed) - before;
    assert!(sent <= total + PACK + 1_000_000, "{sent} bytes were sent in all, {pushed}");
    assert!(pushed["bytes_resumed"].as_u64().is_some_and(|bytes| bytes > 20_000_000), "{pushed}");
    let before = line.answered.load(Ordering::Relaxed);
    kill_when(&world, &["clone", &address, "../copy"], &line.answered, before + 56_000_000);
    world.ok(&["clone", &address, "../copy"]);
    let taken = line.answered.load(Ordering::Relaxed) - before;
    assert!(taken <= total + PACK + 1_000_000, "{taken} bytes were taken in all");
    assert!(read(&world, "../copy/film.bin") == noise(7, total as usize));
}

#[test]
fn kills_of_either_side_at_any_moment_on_a_bad_line_lose_nothing() {
    let world = studio(World::new());
    list_anna(&world);
    let repository = world.studio().join("../srv/brand");
    write(&world, "0.bin", noise(100, 5_000_000));
    world.ok(&["commit", "-m", "Begin"]);
    let calm = Arc::new(AtomicBool::new(true));
    let line = {
        let calm = calm.clone();
        Line::new(move |number| if calm.load(Ordering::Relaxed) { Mishap::None } else { passing(number) })
    };
    // Clients know the line's address only.
    let name = line.address.to_string();
    let start =
        |listen: &str| Serving::start(&world, &["--listen", listen, "--repos", "../srv", "--name", &name]);
    let mut serving = start("127.0.0.1:0");
    let listen = serving.address.clone();
    line.lead_to(listen.parse().expect("an address"));
    let address = format!("http://{name}/brand");
    world.ok(&["remote", "add", "origin", &address]);
    calm.store(false, Ordering::Relaxed);
    let mut told_done = Vec::new();
    for round in 0..rounds() {
        write(&world, &format!("{round}.bin"), noise(round, 6_000_000));
        world.ok(&["commit", "-m", "On"]);
        let time = Duration::from_millis(60 + (round * 137) % 900);
        if round % 2 == 0 {
            // The client goes.
            if within(&world, &["push"], time) {
                told_done.push(round);
            }
        } else {
            // The server goes, and comes back where it was.
            let pushing = std::thread::scope(|scope| {
                let push = scope.spawn(|| world.pent(&["push"]).code == 0);
                std::thread::sleep(time);
                serving.kill();
                assert_sound_at(&world, &repository);
                serving = start(&listen);
                push.join().expect("a push")
            });
            if pushing {
                told_done.push(round);
            }
        }
        assert_sound_at(&world, &repository);
        assert_has(&world, &repository, &told_done);
        let target = world.studio().join("../copy");
        let _ = fs::remove_dir_all(&target);
        within(&world, &["clone", &address, "../copy"], time);
        assert_sound_at(&world, &repository);
    }
    calm.store(true, Ordering::Relaxed);
    world.ok(&["push"]);
    assert_sound_at(&world, &repository);
    let _ = fs::remove_dir_all(world.studio().join("../copy"));
    world.ok(&["clone", &address, "../copy"]);
    assert_sound_at(&world, &world.studio().join("../copy"));
    for round in 0..rounds() {
        assert_eq!(
            read(&world, &format!("../copy/{round}.bin")),
            noise(round, 6_000_000),
            "{told_done:?} were told"
        );
    }
}
