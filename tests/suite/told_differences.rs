//! Differences that are told in words, with a picture or without: the text of documents, scenes, what is missing.

use crate::support::World;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use zip::write::SimpleFileOptions;

fn world() -> World {
    let world = World::new();
    fs::create_dir_all(world.studio()).expect("a folder");
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world
}

fn write(world: &World, path: &str, bytes: &[u8]) {
    let path = world.studio().join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, bytes).expect("written");
}

/// A document of Word with these paragraphs, and a picture of nothing.
fn letter(paragraphs: &[&str]) -> Vec<u8> {
    let body: String =
        paragraphs.iter().map(|text| format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")).collect();
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut member = |name: &str, text: &str| {
        archive.start_file(name, SimpleFileOptions::default()).expect("begun");
        archive.write_all(text.as_bytes()).expect("written");
    };
    let kinds = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml";
    member(
        "[Content_Types].xml",
        &format!(
            "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'>\
             <Override PartName='/word/document.xml' ContentType='{kinds}'/></Types>"
        ),
    );
    let space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    member(
        "word/document.xml",
        &format!("<w:document xmlns:w='{space}'><w:body>{body}</w:body></w:document>"),
    );
    archive.finish().expect("finished").into_inner()
}

/// One file before and after, as `pent diff --visual` tells it.
fn looked(path: &str, before: &[u8], after: &[u8]) -> Value {
    let world = world();
    write(&world, path, before);
    world.ok(&["commit", "-m", "Before"]);
    write(&world, path, after);
    let report = world.json(&["diff", "--visual", path]);
    assert_eq!(report["without_picture"], json!([]), "{report}");
    report["files"][0].clone()
}

fn fact<'f>(file: &'f Value, name: &str) -> &'f Value {
    let facts = file["facts"].as_array().expect("facts");
    facts.iter().find(|fact| fact["name"] == name).unwrap_or_else(|| panic!("{name} in {file}"))
}

#[test]
fn the_text_of_a_document_is_compared_line_by_line() {
    let world = world();
    let before = letter(&["Dear harbour", "We open in May.", "Anna"]);
    let after = letter(&["Dear harbour", "We open in June.", "Anna"]);
    write(&world, "brief.docx", &before);
    world.ok(&["commit", "-m", "Before"]);
    write(&world, "brief.docx", &after);
    let said = world.ok(&["diff"]);
    assert!(said.contains("-We open in May.") && said.contains("+We open in June."), "{said}");
    let report = world.json(&["diff"]);
    let text = &report["files"][0]["text"];
    assert_eq!((&text["lines_added"], &text["lines_removed"]), (&json!(1), &json!(1)), "{report}");
    assert_eq!(report["files"][0]["content"]["medium"], "bytes");
    world.ok(&["commit", "-m", "After"]);
    let report = world.json(&["diff", "brief.docx@1", "brief.docx@2"]);
    assert_eq!(report["files"][0]["text"]["lines_added"], json!(1), "{report}");
    // In numbers only, nothing is read.
    let report = world.json(&["diff", "--summary", "brief.docx@1", "brief.docx@2"]);
    assert_eq!(report["files"][0]["text"], Value::Null);
    let report = world.json(&["diff", "--visual", "brief.docx@1", "brief.docx@2"]);
    assert_eq!(report["files"][0]["text"]["lines_removed"], json!(1), "{report}");
    let said = world.ok(&["diff", "--visual", "brief.docx@1", "brief.docx@2", "--out", "page.html"]);
    assert!(said.contains("+We open in June."), "{said}");
    let page = fs::read_to_string(world.studio().join("page.html")).expect("a page");
    assert!(page.contains(r#""kind":"added","parts":[["We open in ",false],["June",true],[".",false]]"#));
}

#[test]
fn scenes_are_told_by_what_they_hold_and_need() {
    let object = |side: f32, material: &str| {
        format!("mtllib paint.mtl\nv 0 0 0\nv {side} 0 0\nv 0 1 0\nusemtl {material}\nf 1 2 3\n").into_bytes()
    };
    let file = looked("box.obj", &object(1.0, "brass"), &object(5.0, "steel"));
    let extent = fact(&file, "extent");
    assert!(extent["before"].as_str().is_some_and(|it| it.starts_with("1 × 1 × 0")), "{extent}");
    assert!(extent["after"].as_str().is_some_and(|it| it.starts_with("5 × 1 × 0")), "{extent}");
    assert_eq!(fact(&file, "materials")["after"], "steel");
    assert!(file["notes"].as_array().expect("notes").iter().any(|note| {
        note.as_str().is_some_and(|note| note.contains("not there") && note.contains("paint.mtl"))
    }));
}

#[test]
fn files_that_are_needed_and_not_there_are_named() {
    let world = world();
    let scene = |uri: &str| {
        format!(
            r#"{{"asset":{{"version":"2.0"}},"accessors":[],"buffers":[{{"uri":"{uri}","byteLength":9}}],
            "images":[{{"uri":"https://example.org/a.png"}}]}}"#
        )
    };
    write(&world, "model/a.gltf", scene("a%20b.bin").as_bytes());
    let info = world.json(&["info", "model/a.gltf"]);
    assert_eq!(info["missing"], json!(["a%20b.bin"]));
    assert!(world.ok(&["info", "model/a.gltf"]).contains("not there"));
    write(&world, "model/a b.bin", &[7; 9]);
    assert_eq!(world.json(&["info", "model/a.gltf"])["missing"], json!([]));
    world.ok(&["commit", "-m", "Both"]);
    assert_eq!(world.json(&["info", "model/a.gltf", "-r", "@"])["missing"], json!([]));
    fs::remove_file(world.studio().join("model/a b.bin")).expect("removed");
    write(&world, "model/a.gltf", scene("other.bin").as_bytes());
    let report = world.json(&["diff", "--visual", "model/a.gltf"]);
    let file = &report["files"][0];
    assert_eq!(fact(file, "missing files")["after"], "other.bin", "{report}");
    assert_eq!(fact(file, "missing files")["before"], Value::Null);
    assert!(fact(file, "needed files")["after"].as_str().is_some_and(|it| it.contains("other.bin")));
}

#[test]
fn text_is_told_and_its_first_page_is_drawn() {
    let world = world();
    write(&world, "brief.md", "# Spring\r\nThe quay opens.\r\n".as_bytes());
    let info = world.json(&["info", "brief.md"]);
    let field = |name: &str| {
        let fields = info["facts"]["embedded"].as_array().expect("fields").iter();
        fields.into_iter().find(|it| it["name"] == name).map(|it| it["value"].clone())
    };
    assert_eq!(field("Encoding"), Some(json!("UTF-8")));
    assert_eq!(field("LineEnds"), Some(json!("CR LF")));
    assert_eq!((field("Lines"), field("Words")), (Some(json!("2")), Some(json!("5"))));
    for (name, bytes) in [
        ("brief.md", None),
        ("letter.docx", Some(letter(&["Dear harbour", "We open in May."]))),
        (
            "letter.rtf",
            Some(br"{\rtf1\ansi{\info{\title Quay}}Dear harbour\par We open in May.\par}".to_vec()),
        ),
    ] {
        if let Some(bytes) = bytes {
            write(&world, name, &bytes);
        }
        let to = format!("{name}.png");
        world.ok(&["thumb", name, "--to", &to, "--edge", "400"]);
        let page = image::open(world.studio().join(&to)).expect("a picture").to_luma8();
        assert_eq!(page.height(), 400, "{name}");
        // Letters of some six pixels are thin and grey; paper is white.
        let ink = page.pixels().filter(|pixel| pixel.0[0] < 200).count();
        assert!((20..8000).contains(&ink), "{name}: {ink}");
    }
    let info = world.json(&["info", "letter.rtf"]);
    assert_eq!(info["facts"]["text"], "Dear harbour\nWe open in May.");
    assert_eq!(info["facts"]["embedded"][0], json!({ "group": "office", "name": "Title", "value": "Quay" }));
}

#[test]
fn a_picture_is_put_into_a_pipe_where_somebody_says_how() {
    let world = world();
    write(&world, "brief.md", b"quay");
    let refused = world.pent(&["thumb", "brief.md"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let drawn = world.pent(&["thumb", "brief.md", "--as", "kitty"]);
    assert_eq!(drawn.code, 0, "{drawn:?}");
    assert!(drawn.stdout.contains("\u{1b}_G"), "{:.80}", drawn.stdout);
}
