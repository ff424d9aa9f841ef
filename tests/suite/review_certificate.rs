//! The certificate, checked by a stranger with the stock `b3sum` and `ssh-keygen` and nothing else.

use crate::review_kit::House;
use crate::trust_kit::{BEN, CLEO, DORA, TWO_EDITORS};
use pentimento::app::review::certificate::{self, Options, Report, Subject};
use pentimento::base::monitor::SilentMonitor;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn landed(file: &str) -> House {
    let house = House::with_policy(TWO_EDITORS);
    house.begin("poster");
    house.write("brand/logo.svg", "<svg>new</svg>");
    house.write(file, "Harbour, summer\n");
    house.commit(DORA, "Summer");
    house.submit(DORA, "poster");
    house.approve(BEN, "poster");
    house.approve(CLEO, "poster");
    house.land(DORA, "poster").expect("a landing");
    house
}

fn certify(house: &House, subject: Subject, name: &str) -> Report {
    let folder = house
        .folder
        .path()
        .parent()
        .expect("a parent")
        .join(format!("{}-{name}", house.folder.path().file_name().expect("a name").to_string_lossy()));
    let options = Options { subject, folder, files: true };
    certificate::run(&house.repository, &options, &house.keys(), &house.clock, &SilentMonitor)
        .expect("a certificate")
}

fn shell(folder: &Path, line: &str) -> Output {
    Command::new("sh").arg("-c").arg(line).current_dir(folder).output().expect("a shell")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Types every command that the bundle tells, and checks by hand what a person would look at.
#[track_caller]
pub fn check_as_a_stranger(folder: &Path) -> Result<usize, String> {
    let commands = fs::read_to_string(folder.join("CHECK.txt")).expect("commands");
    let lines: Vec<&str> =
        commands.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    for line in &lines {
        let output = shell(folder, line);
        let said = format!("{line}\n{}{}", text(&output.stdout), text(&output.stderr));
        if !output.status.success() {
            return Err(said);
        }
        if line.starts_with("b3sum approval-") {
            let statement = format!("{}.json", line.split(['.', ' ']).nth(1).expect("a name"));
            let statement = fs::read_to_string(folder.join(statement)).expect("a statement");
            for printed in text(&output.stdout).lines() {
                let id = printed.split_whitespace().next().expect("an id");
                if !statement.contains(id) {
                    return Err(format!("{id} does not stand in the statement: {said}"));
                }
            }
        }
        if line.starts_with("b3sum --derive-key") && line.ends_with("policy-link.json") {
            let id = text(&output.stdout);
            let id = id.split_whitespace().next().expect("an id").to_owned();
            let statement = fs::read_to_string(folder.join("approval-1.json")).expect("a statement");
            if !statement.contains(&format!("\"policy\":\"{id}\"")) {
                return Err(format!("{id} is not the policy of the approval"));
            }
        }
    }
    for line in fs::read_to_string(folder.join("assets.b3")).expect("a list").lines() {
        let list = fs::read_to_string(folder.join("approval-1.files.b3")).expect("a list");
        if !list.lines().any(|other| other == line) {
            return Err(format!("{line} stands in no approval"));
        }
    }
    Ok(lines.len())
}

#[test]
fn a_stranger_checks_a_certificate_with_b3sum_and_ssh_keygen_alone() {
    let house = landed("poster.txt");
    let report = certify(&house, Subject::Asset(crate::review_kit::path("brand/logo.svg")), "asset");
    // Two approvals of two commands each, the files, the policy, the shared log; the first policy and who signed it.
    assert_eq!(check_as_a_stranger(&report.folder), Ok(9));
    let page = fs::read_to_string(&report.page).expect("a page");
    assert!(page.contains("brand/logo.svg") && page.contains(">ben<") && page.contains(">cleo<"));
    let data: serde_json::Value =
        serde_json::from_slice(&fs::read(report.folder.join("certificate.json")).expect("data"))
            .expect("JSON");
    assert_eq!(data["approvals"].as_array().map(Vec::len), Some(2));
    assert_eq!(data["assets"][0]["path"], "brand/logo.svg");
    if let Some(kept) = std::env::var_os("PENT_KEEP_CERTIFICATE") {
        let copied = shell(&report.folder, &format!("cp -r . '{}'", kept.to_string_lossy()));
        assert!(copied.status.success());
    }
    fs::remove_dir_all(report.folder).expect("removed");
}

#[test]
fn whatever_is_changed_in_a_bundle_a_stranger_notices() {
    let house = landed("poster.txt");
    let report = certify(&house, Subject::Revision("main".into()), "changed");
    assert_eq!(check_as_a_stranger(&report.folder), Ok(9));
    let change = |name: &str, from: &str, to: &str| {
        let at = report.folder.join(name);
        let old = fs::read_to_string(&at).expect("a file");
        assert!(old.contains(from), "{name}");
        fs::write(&at, old.replacen(from, to, 1)).expect("written");
        let found = check_as_a_stranger(&report.folder);
        fs::write(&at, old).expect("written");
        found.expect_err(name)
    };
    change("approval-1.json", "\"kind\":\"approve\"", "\"kind\":\"reject\"");
    change("approval-1.files.b3", "poster.txt", "paster.txt");
    change("approval-1.transitions.jsonl", "poster.txt", "paster.txt");
    change("files/poster.txt", "summer", "winter");
    change("assets.b3", "poster.txt", "brand/logo.svg");
    change("policy-link.json", "2 editor", "1 editor");
    change("policy-entry-1.json", "2 editor", "1 editor");
    change("policy-entry-1.signers", "anna ", "eve ");
    change("log-entry.json", "landing", "leading");
    change("allowed_signers", "ben ", "eve ");
    fs::remove_dir_all(&report.folder).expect("removed");
}

#[test]
fn hostile_names_of_assets_stay_names() {
    let name = "poster\n0000  forged </h1><b>\u{202e}gpj.txt";
    let house = landed(name);
    let report = certify(&house, Subject::Revision("main".into()), "hostile");
    assert_eq!(check_as_a_stranger(&report.folder), Ok(9));
    let page = fs::read_to_string(&report.page).expect("a page");
    assert!(!page.contains('\u{202e}') && !page.contains("</h1><b>"), "spelled out");
    let lines = fs::read_to_string(report.folder.join("assets.b3")).expect("a list");
    assert_eq!(lines.lines().count(), 2, "a name adds no line");
    fs::remove_dir_all(&report.folder).expect("removed");
}

#[test]
fn what_nobody_approved_has_no_certificate() {
    let house = landed("poster.txt");
    let options = Options {
        subject: Subject::Asset(crate::review_kit::path("brand/type.txt")),
        folder: house.folder.path().join("never"),
        files: false,
    };
    let error = certificate::run(&house.repository, &options, &house.keys(), &house.clock, &SilentMonitor)
        .expect_err("a refusal");
    assert_eq!(error.to_string(), "nobody's approval speaks for brand/type.txt as it is");
    assert!(!options.folder.exists());
}

#[test]
fn an_archive_has_all_of_it_and_is_checked_with_stock_tools_alone() {
    let house = landed("poster.txt");
    let there = tempfile::tempdir().expect("a folder");
    let archive = there.path().join("spring.tar");
    let options = Options { subject: Subject::Revision("main".into()), folder: archive.clone(), files: true };
    certificate::run(&house.repository, &options, &house.keys(), &house.clock, &SilentMonitor)
        .expect("a certificate");
    let names: Vec<_> = fs::read_dir(there.path()).expect("a folder").collect();
    assert_eq!(names.len(), 1, "nothing is left beside it");
    let unpacked = shell(there.path(), "tar xf spring.tar");
    assert!(unpacked.status.success(), "{}", text(&unpacked.stderr));
    assert_eq!(check_as_a_stranger(&there.path().join("spring")), Ok(9));
    let error = certificate::run(&house.repository, &options, &house.keys(), &house.clock, &SilentMonitor);
    assert!(error.is_err(), "what is there is not written over");
}

#[test]
fn the_page_shows_small_pictures_of_what_was_approved() {
    let world = crate::support::World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio/v1/photo/lantern.png");
    fs::write(world.studio().join("notes.txt"), "one\n").expect("a file");
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["draft", "new", "photo"]);
    fs::copy(fixtures, world.studio().join("lantern.png")).expect("a picture");
    fs::write(world.studio().join("broken.png"), b"\x89PNG\r\n\x1a\nnothing").expect("a file");
    world.ok(&["commit", "-m", "A photo"]);
    world.ok(&["submit"]);
    world.ok(&["approve", "draft/photo"]);
    world.ok(&["land", "draft/photo"]);
    world.ok(&["switch", "main"]);
    world.ok(&["certificate", "main", "../proof.tar", "--files"]);
    let parent = world.studio().parent().expect("a parent").to_owned();
    assert!(shell(&parent, "tar xf proof.tar").status.success());
    let page = fs::read_to_string(parent.join("proof/certificate.html")).expect("a page");
    assert_eq!(
        page.matches("src=\"data:image/png;base64,").count(),
        1,
        "what cannot be drawn costs nothing else"
    );
    assert!(page.contains("img-src data:") && page.contains("default-src 'none'"));
    assert!(parent.join("proof/files/broken.png").is_file());
}
