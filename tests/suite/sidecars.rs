//! What is said about assets, to and from the XMP sidecars of other programs; `exiftool` is the stranger
//! that reads and writes them.

use crate::kills::{studio, write};
use crate::support::World;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

fn fixture(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio").join(path)).expect("a fixture")
}

fn exiftool(world: &World, arguments: &[&str]) -> String {
    let output =
        Command::new("exiftool").args(arguments).current_dir(world.studio()).output().expect("exiftool");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

const SCHEMA: &str = r#"version = 1
[fields.subject]
type = "terms"
vocabulary = "subjects"
[vocabularies.subjects]
terms = [{ key = "places", name = "Places" }, { key = "harbour", name = "Harbour", under = "places" }]
"#;

fn described() -> World {
    let world = studio();
    write(&world, ".pentschema.toml", SCHEMA);
    write(&world, "photo/dusk.jpg", fixture("v1/photo/harbour-dusk.jpg"));
    write(&world, "photo/lantern.png", fixture("v1/photo/lantern.png"));
    world.ok(&["commit", "-m", "Pictures"]);
    world.ok(&["meta", "set", "title", "Dusk & <dawn> \"at\" the harbour", "photo/dusk.jpg"]);
    world.ok(&["meta", "set", "creator", "Anna Lind", "photo/dusk.jpg"]);
    world.ok(&["meta", "set", "rights.until", "2027-03-01", "photo/dusk.jpg", "--type", "date"]);
    world.ok(&["meta", "set", "price", "19.90", "photo/dusk.jpg", "--type", "decimal"]);
    world.ok(&["meta", "set", "subject", "harbour", "photo/dusk.jpg"]);
    world.ok(&["label", "photo/dusk.jpg", "--add", "spring,night"]);
    world
}

fn fields(world: &World, path: &str) -> Value {
    world.json(&["meta", "get", path])["assets"][0]["fields"].clone()
}

#[test]
fn a_stranger_reads_what_is_exported() {
    let world = described();
    let report = world.json(&["meta", "export"]);
    assert_eq!((report["written"].as_array().map(Vec::len), &report["silent"]), (Some(1), &2.into()));
    let told = exiftool(&world, &["-j", "-struct", "-G1", "-XMP:all", "photo/dusk.jpg.xmp"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let field = |name: &str| told[0][name].clone();
    assert_eq!(field("XMP-dc:Title"), "Dusk & <dawn> \"at\" the harbour");
    assert_eq!(field("XMP-dc:Creator"), serde_json::json!(["Anna Lind"]));
    assert_eq!(field("XMP-dc:Subject"), serde_json::json!(["night", "spring"]));
    assert_eq!(field("XMP-lr:HierarchicalSubject"), serde_json::json!(["Places|Harbour"]));
    assert!(field("XMP-plus:LicenseEndDate").to_string().contains("2027:03:01"), "{told}");
    // Ours is written again; a stranger's is not.
    world.ok(&["meta", "export", "photo"]);
    fs::write(world.studio().join("photo/dusk.jpg.xmp"), "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
        .expect("written");
    let refused = world.pent(&["--json", "meta", "export", "photo/dusk.jpg"]);
    assert_eq!(refused.code, 1);
    let refused: Value = serde_json::from_str(&refused.stdout).expect("JSON");
    assert_eq!(refused["written"].as_array().map(Vec::len), Some(0));
    assert!(refused["problems"][0]["message"].as_str().is_some_and(|text| text.contains("another program")));
    // Beside copies that go out.
    world.ok(&["export", "@", "../out"]);
    world.ok(&["meta", "export", "--to", "../out"]);
    assert!(world.studio().join("../out/photo/dusk.jpg.xmp").exists());
}

#[test]
fn what_is_exported_comes_back_as_it_was() {
    let world = described();
    world.ok(&["meta", "export"]);
    let before = fields(&world, "photo/dusk.jpg");
    world.ok(&["commit", "-m", "Described"]);
    for field in ["title", "creator", "rights.until", "price", "subject", "labels"] {
        world.ok(&["meta", "unset", field, "photo/dusk.jpg"]);
    }
    assert_eq!(fields(&world, "photo/dusk.jpg"), serde_json::json!({}));
    let report = world.json(&["meta", "import"]);
    assert_eq!(report["assets"].as_array().map(Vec::len), Some(1));
    assert_eq!(fields(&world, "photo/dusk.jpg"), before);
    assert_eq!(world.json(&["meta", "import"])["assets"].as_array().map(Vec::len), Some(0));
}

#[test]
fn what_a_stranger_writes_is_taken_over_and_what_is_there_is_kept() {
    let world = described();
    world.ok(&["meta", "export"]);
    // Somebody changes the title and adds a keyword in another program.
    exiftool(
        &world,
        &["-overwrite_original", "-XMP-dc:Title=Night", "-XMP-dc:Subject+=lantern", "photo/dusk.jpg.xmp"],
    );
    let shown = |field: &str| fields(&world, "photo/dusk.jpg")[field]["text"].clone();
    world.ok(&["meta", "import"]);
    assert_eq!(shown("labels"), "lantern, night, spring");
    assert_eq!(shown("title"), "Dusk & <dawn> \"at\" the harbour", "what is there is kept");
    world.ok(&["meta", "import", "--replace"]);
    assert_eq!((shown("title"), shown("price")), ("Night".into(), "19.9".into()));
    // A sidecar that was never ours, by the other name.
    let tags =
        ["-XMP-dc:Title=Lantern", "-XMP-dc:Subject=glass", "-XMP-lr:HierarchicalSubject=Places|Harbour"];
    exiftool(&world, &[&["-o", "photo/lantern.xmp"], &tags[..]].concat());
    world.ok(&["meta", "import", "photo/lantern.png"]);
    let lantern = fields(&world, "photo/lantern.png");
    assert_eq!(
        (&lantern["title"]["text"], &lantern["labels"]["text"], &lantern["subject"]["text"]),
        (&"Lantern".into(), &"glass".into(), &"Harbour".into())
    );
}

#[test]
fn a_sidecar_that_is_broken_costs_itself() {
    let world = described();
    write(&world, "photo/lantern.png.xmp", "<x:xmpmeta xmlns:x='adobe:ns:meta/'><broken");
    exiftool(&world, &["-o", "photo/dusk.jpg.xmp", "-XMP-dc:Description=Evening"]);
    let run = world.pent(&["--json", "meta", "import"]);
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(report["assets"][0]["set"]["description"], "Evening", "{report}");
}

#[test]
fn an_export_has_sidecars_of_its_own_revision_beside_its_files() {
    let world = described();
    world.ok(&["commit", "-m", "Described"]);
    world.ok(&["meta", "set", "title", "Another title", "photo/dusk.jpg"]);
    world.ok(&["commit", "-m", "Called otherwise"]);
    let report = world.json(&["export", "@~1", "../print", "photo", "--sidecars"]);
    assert_eq!((&report["files"], &report["sidecars"]), (&2.into(), &1.into()));
    let told = exiftool(&world, &["-s3", "-XMP-dc:Title", "../print/photo/dusk.jpg.xmp"]);
    assert_eq!(told.trim(), "Dusk & <dawn> \"at\" the harbour");
    assert!(!world.studio().join("photo/dusk.jpg.xmp").exists(), "nothing is written beside the work itself");
    let refused = world.pent(&["export", "@", "../print.tar", "--sidecars"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(!world.studio().join("../print.tar").exists());
}
