//! Labels and fields in exported copies: what exiftool reads there, what else stays, and that pixels do.

use crate::seeing_support::{picture, said, studio};
use crate::support::World;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

fn pictures(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pictures").join(name)).expect("a picture")
}

fn world() -> World {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world
}

fn exiftool(path: &Path, arguments: &[&str]) -> String {
    let path = path.display().to_string();
    said("exiftool", &[arguments, &[path.as_str()]].concat())
}

/// Tags of XMP as exiftool reads them, and whether it finds fault with the file.
fn tags(path: &Path) -> Value {
    let told = exiftool(path, &["-json", "-XMP:all", "-Warning", "-Error", "-struct", "-G0:1"]);
    serde_json::from_str::<Value>(&told).expect("JSON")[0].clone()
}

const FILES: &[&str] = &[
    "rgb.jpg",
    "cmyk.jpg",
    "rgb.png",
    "palette-clear.png",
    "rgb.tif",
    "lab.tif",
    "pages.tif",
    "lossy.webp",
    "lossless.webp",
    "moving.webp",
];

/// A document whose table of objects is a stream, as newer programs write it.
fn newer_pdf() -> Vec<u8> {
    let mut bytes = b"%PDF-1.5\n".to_vec();
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 30 20]>>",
    ];
    let mut rows = vec![0u8, 0, 0, 0];
    for (number, object) in objects.iter().enumerate() {
        rows.extend([&[1][..], &(bytes.len() as u16).to_be_bytes(), &[0]].concat());
        bytes.extend(format!("{} 0 obj\n{object}\nendobj\n", number + 1).as_bytes());
    }
    let table = bytes.len();
    rows.extend([&[1][..], &(table as u16).to_be_bytes(), &[0]].concat());
    bytes.extend(
        format!("4 0 obj\n<</Type/XRef/Size 5/Root 1 0 R/W[1 2 1]/Length {}>>stream\n", rows.len())
            .as_bytes(),
    );
    bytes.extend(rows);
    bytes.extend(format!("\nendstream\nendobj\nstartxref\n{table}\n%%EOF\n").as_bytes());
    bytes
}

fn studio_of_all_kinds() -> World {
    let world = world();
    for name in FILES {
        fs::write(world.studio().join(name), pictures(name)).expect("written");
    }
    fs::copy(studio("v1/brand/logo.pdf"), world.studio().join("logo.pdf")).expect("copied");
    fs::write(world.studio().join("newer.pdf"), newer_pdf()).expect("written");
    fs::copy(studio("v1/brand/logo.svg"), world.studio().join("logo.svg")).expect("copied");
    // A packet of somebody else, of which one property is written anew.
    for name in ["rgb.jpg", "rgb.png", "rgb.tif", "logo.pdf"] {
        let arguments = [
            "-q",
            "-overwrite_original",
            "-XMP-dc:Title=Old",
            "-XMP-photoshop:City=Bergen",
            "-XMP-aux:Lens=50 <mm>",
        ];
        exiftool(&world.studio().join(name), &arguments);
    }
    world.ok(&["commit", "-m", "All kinds"]);
    for name in FILES.iter().chain(&["logo.pdf", "newer.pdf", "logo.svg"]) {
        let fields = [("title", "Quay & <lamps>"), ("rights", "© Harbour 2026"), ("creator", "Anna Lind")];
        for field in fields {
            world.ok(&["meta", "set", field.0, field.1, name]);
        }
        world.ok(&["label", "--add", "approved", name]);
    }
    world.ok(&["commit", "-m", "What they are"]);
    world
}

#[test]
fn copies_carry_what_is_said_of_them_and_exiftool_reads_it() {
    let world = studio_of_all_kinds();
    let to = world.home().join("press");
    let report = world.json(&["export", "@", "../home/press", "--embed"]);
    assert_eq!(report["problems"], json!([]), "{report}");
    assert_eq!((&report["embedded"], &report["not_embedded"]), (&json!(12), &json!(1)), "{report}");
    for name in FILES.iter().chain(&["logo.pdf", "newer.pdf"]) {
        let copy = to.join(name);
        let tags = tags(&copy);
        assert_eq!(tags["XMP:XMP-dc:Title"], "Quay & <lamps>", "{name}: {tags}");
        assert_eq!(tags["XMP:XMP-dc:Rights"], "© Harbour 2026", "{name}: {tags}");
        assert_eq!(tags["XMP:XMP-dc:Creator"], json!(["Anna Lind"]), "{name}: {tags}");
        assert_eq!(tags["XMP:XMP-dc:Subject"], json!(["approved"]), "{name}: {tags}");
        let faults: Vec<&String> = tags
            .as_object()
            .expect("tags")
            .keys()
            .filter(|it| it.contains("Warning") || it.contains("Error"))
            .collect();
        assert!(faults.is_empty(), "{name}: {tags}");
        // Not a pixel is another, and the committed file is as it was.
        let own = world.studio().join(name);
        if *name != "newer.pdf" {
            assert_eq!(picture(&copy, 400), picture(&own, 400), "{name}");
        }
        assert_ne!(fs::read(&copy).expect("read"), fs::read(&own).expect("read"), "{name}");
    }
    assert_eq!(
        fs::read(to.join("logo.svg")).expect("read"),
        fs::read(world.studio().join("logo.svg")).expect("read")
    );
    for name in ["rgb.jpg", "rgb.png", "rgb.tif", "logo.pdf"] {
        let tags = tags(&to.join(name));
        assert_eq!(tags["XMP:XMP-photoshop:City"], "Bergen", "{name}: {tags}");
        assert_eq!(tags["XMP:XMP-aux:Lens"], "50 <mm>", "{name}: {tags}");
    }
    assert!(world.ok(&["status"]).contains("Nothing"), "the committed files are as they were");
    // Nothing beside the copies is left behind.
    let names: Vec<String> = fs::read_dir(&to)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names.iter().filter(|name| name.starts_with('.')).count(), 0, "{names:?}");
    // What was written comes back into another repository, field by field.
    let other = self::world();
    fs::copy(to.join("rgb.jpg"), other.studio().join("photo.jpg")).expect("copied");
    other.ok(&["commit", "-m", "From the press"]);
    other.ok(&["meta", "import", "--embedded"]);
    let shown = other.ok(&["meta", "get", "photo.jpg"]);
    assert!(shown.contains("Quay & <lamps>") && shown.contains("approved"), "{shown}");
}

#[test]
fn files_that_cannot_be_edited_stay_as_they_are_and_are_named() {
    let world = world();
    let whole = pictures("rgb.png");
    fs::write(world.studio().join("cut.png"), &whole[..whole.len() - 30]).expect("written");
    fs::write(world.studio().join("cut.pdf"), b"%PDF-1.4\nnothing of it\n%%EOF\n").expect("written");
    world.ok(&["commit", "-m", "Damaged"]);
    for name in ["cut.png", "cut.pdf"] {
        world.ok(&["meta", "set", "title", "Quay", name]);
    }
    world.ok(&["commit", "-m", "Titles"]);
    let run = world.pent(&["--json", "export", "@", "../home/press", "--embed"]);
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let told =
        report["problems"].as_array().or_else(|| report["result"]["problems"].as_array()).expect("problems");
    assert_eq!(told.len(), 2, "{report}");
    for name in ["cut.png", "cut.pdf"] {
        let copy = fs::read(world.home().join("press").join(name)).expect("a copy");
        assert_eq!(copy, fs::read(world.studio().join(name)).expect("read"), "{name}");
    }
    let archive = world.pent(&["export", "@", "../home/press.tar", "--embed"]);
    assert_eq!(archive.code, 2, "{archive:?}");
}

/// A program of Debian's that reads PDF documents finds nothing to mend in the copy.
#[test]
fn other_readers_take_the_documents() {
    let world = studio_of_all_kinds();
    world.ok(&["export", "@", "../home/press", "logo.pdf", "newer.pdf", "--embed"]);
    for name in ["logo.pdf", "newer.pdf"] {
        let copy = world.home().join("press").join(name);
        let output =
            Command::new("pdfinfo").arg("-meta").arg(&copy).output().expect("pdfinfo, of poppler-utils");
        assert!(output.status.success() && output.stderr.is_empty(), "{name}: {output:?}");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("Quay &amp; &lt;lamps&gt;"),
            "{name}: {output:?}"
        );
        // An update on top of an update.
        world.ok(&["meta", "set", "title", "Second", name]);
    }
    for name in ["logo.pdf", "newer.pdf"] {
        fs::copy(world.home().join("press").join(name), world.studio().join(name)).expect("copied");
    }
    world.ok(&["commit", "-m", "With fields inside"]);
    world.ok(&["export", "@", "../home/again", "logo.pdf", "newer.pdf", "--embed"]);
    for name in ["logo.pdf", "newer.pdf"] {
        assert_eq!(tags(&world.home().join("again").join(name))["XMP:XMP-dc:Title"], "Second", "{name}");
    }
}
