//! The studio's files in two revisions, saved one from the other by the programs that people use - gimp, inkscape,
//! krita and blender here, others in the tests of their formats - with edits that are known
//! (`fixtures/README.md`), or without any: edits are found, and nothing else is
//! reported, although each program writes much anew.

use crate::support::World;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// What a visual comparison says of both revisions of a file of the studio.
fn looked(path: &str) -> Value {
    let studio = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio");
    looked_at(path, &studio.join("v1").join(path), &studio.join("v2").join(path))
}

/// What it says of two files that are versions of the same asset.
fn looked_at(path: &str, before: &Path, after: &Path) -> Value {
    let world = World::new().with("PATH", "/usr/local/bin:/usr/bin:/bin");
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    let place = world.studio().join(path);
    fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
    for (file, message) in [(before, "First"), (after, "Second")] {
        fs::copy(file, &place).expect("copied");
        world.ok(&["commit", "-m", message]);
    }
    let report = world.json(&["diff", "--visual", "@~1", "@", path]);
    report["files"][0].clone()
}

/// Layers that changed, each with the kinds of its edits.
fn edits(file: &Value) -> Vec<String> {
    let layers = file["layers"].as_array().expect("layers").iter();
    let of = |layer: &Value| {
        let edits = layer["edits"].as_array().expect("edits").iter();
        let kinds: Vec<&str> = edits.filter_map(|edit| edit["edit"].as_str()).collect();
        format!("{}: {}", layer["name"].as_str().unwrap_or_default(), kinds.join(", "))
    };
    layers.map(of).collect()
}

/// Areas of change, each as left, top, right, bottom and the pixels in it that changed.
fn regions(file: &Value) -> Vec<[u64; 5]> {
    let all = file["picture"]["regions"].as_array().expect("regions").iter();
    let of = |it: &Value| {
        let [x, y, width, height, changed] =
            ["x", "y", "width", "height", "changed_pixels"].map(|key| it[key].as_u64().expect("a number"));
        [x, y, x + width, y + height, changed]
    };
    all.map(of).collect()
}

/// Pixels that changed beyond these areas (left, top, right, bottom).
fn beyond(file: &Value, areas: &[[u64; 4]]) -> u64 {
    let is_within = |it: &[u64; 5]| {
        areas.iter().any(|area| area[0] <= it[0] && area[1] <= it[1] && it[2] <= area[2] && it[3] <= area[3])
    };
    regions(file).iter().filter(|region| !is_within(region)).map(|region| region[4]).sum()
}

fn assert_nothing_else(file: &Value) {
    for key in ["facts", "fields", "notes"] {
        assert_eq!(file[key], json!([]), "{key}");
    }
    assert_eq!(file["alignment"], "same");
}

#[test]
fn a_layer_that_gimp_moved_and_one_that_it_made_fainter_are_found() {
    let file = looked("web/banner.psd");
    assert_eq!(edits(&file), ["Place: moved", "Tide pattern: opacity"]);
    let layers = &file["layers"];
    assert_eq!(layers[0]["edits"], json!([{ "edit": "moved", "x": -216, "y": 0 }]));
    // 55 and 30 in a hundred, as a byte holds them.
    assert_eq!(layers[1]["edits"], json!([{ "edit": "opacity", "before": 0.549, "after": 0.302 }]));
    // The pattern fills the lower part from the 96th row on, and the words stand in one line above it.
    assert_eq!(beyond(&file, &[[0, 96, 480, 150], [0, 60, 480, 96]]), 0, "{file}");
    assert_nothing_else(&file);
}

/// The whole JPEG file is packed anew and poorer by it, which is no edit.
#[test]
fn a_region_that_gimp_recoloured_in_a_photograph_is_found() {
    let file = looked("photo/harbour-dusk.jpg");
    let [x, y, right, bottom, changed] = regions(&file)[0];
    assert!(700 <= x && right <= 880 && 430 <= y && bottom <= 480, "the hull: {file}");
    let elsewhere = beyond(&file, &[[700, 430, 880, 480]]);
    assert!(changed > 4000 && elsewhere * 200 < changed, "{elsewhere} pixels elsewhere: {file}");
    assert_nothing_else(&file);
}

#[test]
fn what_inkscape_recoloured_and_moved_is_found_in_the_drawing_and_in_the_document() {
    let drawing = looked("brand/logo.svg");
    let mut changed = edits(&drawing);
    changed.sort_unstable();
    assert_eq!(changed, ["light: pixels", "lights: pixels", "wave-3: pixels"]);
    assert_nothing_else(&drawing);
    let document = looked("brand/logo.pdf");
    assert_eq!(edits(&document), ["page 1: pixels"]);
    // The same areas in both, to the width of an antialiased edge.
    let near = |one: &[u64; 5], other: &[u64; 5]| (0..4).all(|at| one[at].abs_diff(other[at]) <= 2);
    let (drawn, printed) = (regions(&drawing), regions(&document));
    assert_eq!(drawn.len(), printed.len());
    for region in &drawn {
        assert!(printed.iter().any(|other| near(region, other)), "{region:?} in {printed:?}");
    }
    assert_nothing_else(&document);
}

#[test]
fn what_gimp_moved_showed_and_lit_in_a_poster_is_found() {
    let file = looked("poster/poster.xcf");
    let changed = edits(&file);
    assert_eq!(changed, ["Date: moved", "Place: moved", "Lamp glow: opacity", "Tender repaint: visibility"]);
    // The lamp, the boat, and the line of date and place.
    let areas = [[480, 150, 580, 250], [400, 430, 580, 480], [36, 812, 650, 862]];
    assert_eq!(beyond(&file, &areas), 0, "{file}");
    assert_nothing_else(&file);
}

/// A file that a program saved again, or with an edit.
fn again(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/again").join(name)
}

/// Krita packs all layers anew, renames their files and writes when it was.
#[test]
fn a_document_that_krita_only_saved_again_has_not_changed() {
    let before = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio/v1/social/card.kra");
    assert_ne!(fs::read(&before).expect("read"), fs::read(again("card.kra")).expect("read"));
    let file = looked_at("card.kra", &before, &again("card.kra"));
    assert_eq!(edits(&file), Vec::<String>::new(), "{file}");
    assert_eq!(regions(&file), Vec::<[u64; 5]>::new());
    assert_nothing_else(&file);
}

/// Blender writes the whole scene as it lies in memory, with other places in every save.
#[test]
fn a_scene_that_blender_only_saved_again_has_not_changed_and_an_edited_one_has() {
    let file = looked_at("lantern.blend", &again("lantern-1.blend"), &again("lantern-2.blend"));
    assert_eq!((&file["facts"], &file["fields"]), (&json!([]), &json!([])), "{file}");
    let file = looked_at("lantern.blend", &again("lantern-1.blend"), &again("lantern-3.blend"));
    let facts = file["facts"].as_array().expect("facts").iter();
    let mut names: Vec<&str> = facts.filter_map(|fact| fact["name"].as_str()).collect();
    names.sort_unstable();
    let changed =
        ["faces", "materials", "meshes", "missing files", "needed files", "nodes", "textures", "vertices"];
    assert_eq!(names, changed, "{file}");
}
