//! What `pent diff` and `pent show` print.

use crate::app_flow::{anna, noise, path};
use crate::support::{World, assert_snapshot};
use pentimento::app::{commit, meta, tag};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::{Clock, Timestamp};
use pentimento::repo::Repository;
use pentimento::repo::revision::Revision;
use pentimento::store::Access;
use std::fs;

/// Always the same moment.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp { unix_ms: 1_772_449_200_000, offset_minutes: 60 }
    }
}

/// A studio with a history of two commits, the second tagged.
fn studio() -> World {
    let world = World::new();
    world.ok(&["init"]);
    write(&world, "notes.txt", "Harbour\n\nThe sky is blue.\nThe sea is green.\n\nDone.\n");
    write(&world, "poster.xcf", noise(1, 700_000));
    write(&world, "sketches/first.kra", noise(2, 40_000));
    write(&world, "old.txt", "No longer needed\n");
    keep(&world, "First state");
    write(&world, "notes.txt", "Harbour\n\nThe sky is red.\nThe sea is green.\n\nDone.\n");
    let mut poster = noise(1, 700_000);
    poster.splice(350_000..350_000, noise(3, 4_000));
    write(&world, "poster.xcf", poster);
    fs::create_dir(world.studio().join("final")).expect("a folder");
    fs::rename(world.studio().join("sketches/first.kra"), world.studio().join("final/cover.kra"))
        .expect("moved");
    fs::remove_file(world.studio().join("old.txt")).expect("removed");
    write(&world, "logo.svg", "<svg>\n</svg>\n");
    write(&world, "na\x1b[31mme.bin", noise(4, 3_000));
    describe(&world, "poster.xcf");
    keep(&world, "A warmer sky\n\nAs the client asked for.");
    let set = tag::Options::Set {
        name: "sent".into(),
        revision: None,
        message: Some("Sent to print".into()),
        identity: Some(anna()),
    };
    tag::run(&open(&world), set, &Noon).expect("a tag");
    world
}

fn write(world: &World, name: &str, bytes: impl AsRef<[u8]>) {
    let at = world.studio().join(name);
    fs::create_dir_all(at.parent().expect("a parent")).expect("folders");
    fs::write(at, bytes).expect("a written file");
}

fn open(world: &World) -> Repository {
    Repository::open(&world.studio(), Access::ReadWrite).expect("a repository")
}

fn keep(world: &World, message: &str) {
    let options = commit::Options {
        message: Some(message.to_owned()),
        paths: Vec::new(),
        identity: Some(anna()),
        author: None,
        date: None,
        signing: None,
    };
    commit::run(&open(world), &options, &Noon, &SilentMonitor).expect("a commit");
}

fn describe(world: &World, name: &str) {
    let change = [
        meta::Change::Labels { add: vec!["approved".into()], remove: vec![] },
        meta::Change::Set { field: "title".into(), text: "Harbour at dawn".into(), kind: None },
    ];
    meta::change(&open(world), &[path(name)], &change, &|_| true, &Noon, &SilentMonitor).expect("edited");
}

#[test]
fn differences_are_shown_in_the_language_of_each_file() {
    let world = studio();
    assert_snapshot(
        "diff",
        &world.session(&[
            &["diff"],
            &["diff", "@~1", "@"],
            &["diff", "@~1", "sent", "--summary"],
            &["diff", "@~1", "sent", "--names", "notes.txt", "final"],
            &["diff", "poster.xcf@1", "poster.xcf@2", "--ranges"],
            &["diff", "notes.txt@1", "-U", "0", "--exit-code"],
        ]),
    );
}

#[test]
fn words_that_name_nothing_are_refused_with_advice() {
    let world = studio();
    assert_snapshot(
        "diff_words",
        &world.session(&[
            &["diff", "nots.txt"],
            &["diff", "@", "@~1", "sent"],
            &["diff", "notes.txt@7"],
            &["diff", "@~1", "@", "old.txt"],
            &["diff", "old.txt"],
            &["diff", "--", "old.txt"],
            &["show", "notes.txt", "poster.xcf"],
        ]),
    );
}

#[test]
fn commits_tags_and_assets_are_shown_closely() {
    let world = studio();
    assert_snapshot(
        "show",
        &world.session(&[
            &["show"],
            &["show", "sent", "--names", "--only", "notes.txt"],
            &["show", "@~1", "--diff", "--only", "old.txt"],
            &["show", "poster.xcf"],
            &["show", "notes.txt@1"],
            &["show", "@~1", "sketches"],
            &["show", "@~1", "old.txt"],
            &["show", "old.txt"],
        ]),
    );
}

#[test]
fn json_has_the_documented_shape() {
    let world = studio();
    let diff = world.json(&["diff", "@~1", "@", "notes.txt"]);
    assert_eq!(diff["schema"], "pent.diff/1");
    assert_eq!(diff["files"][0]["summary"]["lines_added"], 1);
    let line = &diff["files"][0]["content"]["hunks"][0]["lines"][3];
    assert_eq!((&line["kind"], &line["text"]), (&"added".into(), &"The sky is red.".into()));
    assert_eq!(line["emphasis"], serde_json::json!([{"start": 11, "end": 14}]));
    let commit = world.json(&["show", "sent"]);
    assert_eq!((&commit["schema"], &commit["subject"]), (&"pent.show/1".into(), &"commit".into()));
    assert_eq!(commit["tag"]["message"], "Sent to print");
    assert_eq!(commit["totals"]["moved"], 1);
    let asset = world.json(&["show", "poster.xcf@2"]);
    assert_eq!((&asset["subject"], &asset["version"]), (&"asset".into(), &2.into()));
    assert_eq!(asset["fields"]["labels"]["text"], "approved");
}

#[test]
fn a_path_called_like_a_revision_can_be_meant() {
    let world = studio();
    write(&world, "main", "a file\n");
    assert!(Revision::parse("main").is_ok());
    let with = |arguments: &[&str]| world.json(arguments)["files"].as_array().map(Vec::len);
    assert_eq!(with(&["diff", "main"]), Some(1), "the branch, against all files");
    assert_eq!(with(&["diff", "--", "main"]), Some(1));
    assert_eq!(with(&["diff", "--", "notes.txt"]), Some(0));
    assert_eq!(with(&["diff", "./main"]), Some(1));
}
