//! Photoshop documents of every mode and depth, read as another reader reads them (PyPI's `psd-tools`), which also
//! writes them: with groups, masks and clipping, in both sizes of numbers and all four ways of packing.

use crate::support::servers::tool;
use pentimento::media::decoder;
use pentimento::media::facts::LayerKind;
use pentimento::media::format;
use pentimento::media::input::Input;
use pentimento::media::psd::{self, Canvas, Document, LayerRecord, Section};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = include_str!("photoshop_agrees/psd.py");

/// How far a level of a layer may lie from the other reader's, by mode and depth: what both only copy is the same,
/// what each rounds or turns into other colours by itself is near. L*a*b* of 16 bits is rounded to 8 here before it
/// becomes other colours: at the edge of sRGB, where a step of its own is many of a dark colour, that came to 17 levels
/// in the pictures of this test.
fn layer_tolerance(mode: &str, depth: u64) -> u8 {
    match (mode, depth) {
        ("RGB" | "GRAYSCALE", 8) => 0,
        ("LAB", 8) => 2,
        ("LAB", _) => 17,
        _ => 1,
    }
}

fn python(arguments: &[&str]) -> Option<String> {
    let python = tool("psd-tools")?;
    let output = Command::new(python).args([&["-c", SCRIPT], arguments].concat()).output().expect("a Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn documents_below(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            documents_below(&path, into);
        } else if path.extension().is_some_and(|it| it == "psd" || it == "psb") {
            into.push(path);
        }
    }
    into.sort();
}

/// What the other reader says of each.
fn told(folder: &Path, files: &[PathBuf]) -> Option<Vec<Value>> {
    let to = folder.display().to_string();
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let arguments: Vec<&str> = ["read", &to].into_iter().chain(names.iter().map(String::as_str)).collect();
    let told: Vec<Value> = serde_json::from_str(&python(&arguments)?).expect("JSON");
    assert_eq!(told.len(), files.len());
    Some(told)
}

struct Read {
    file: File,
    document: Document,
}

fn read(path: &Path) -> Read {
    let mut file = File::open(path).expect("the file");
    let document = Document::read(&mut Input::new(&mut file).expect("measured"));
    Read { document: document.unwrap_or_else(|error| panic!("{}: {error}", path.display())), file }
}

/// The greatest distance of two pictures' levels, and the mean one. Colours of what cannot be seen do not count.
fn apart(one: &[u8], other: &[u8]) -> (u8, f64) {
    assert_eq!(one.len(), other.len());
    let (mut greatest, mut sum) = (0, 0u64);
    for (one, other) in one.chunks_exact(4).zip(other.chunks_exact(4)) {
        let hidden = one[3] == 0 && other[3] == 0;
        for (one, other) in one.iter().zip(other).filter(|_| !hidden) {
            greatest = greatest.max(one.abs_diff(*other));
            sum += u64::from(one.abs_diff(*other));
        }
    }
    (greatest, sum as f64 / one.len().max(1) as f64)
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

/// Compares every layer, and the stored picture.
fn assert_agrees(path: &Path, told: &Value) {
    let Read { mut file, document } = read(path);
    let mut input = Input::new(&mut file).expect("measured");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let facts = decoder::facts(&mut input, &format::PSD).expect("facts");
    let (mode, depth) = (told["mode"].as_str().expect("a mode"), told["depth"].as_u64().expect("a depth"));
    let records: Vec<&LayerRecord> =
        document.layers.iter().rev().filter(|record| record.section != Section::End).collect();
    let layers = told["layers"].as_array().expect("layers");
    assert_eq!(records.len(), layers.len(), "{name}");
    for ((record, layer), theirs) in records.iter().zip(&facts.layers).zip(layers) {
        let what = format!("{name}: {}", layer.name);
        assert_eq!(layer.name, theirs["name"].as_str().expect("a name"), "{what}");
        assert_eq!(i64::from(layer.depth), number(&theirs["depth"]), "{what}");
        assert_eq!(layer.kind == LayerKind::Group, theirs["group"] == true, "{what}");
        assert_eq!(layer.visible, theirs["visible"] == true, "{what}");
        assert_eq!(layer.clipped, theirs["clipped"] == true, "{what}");
        assert_eq!(i64::from(record.opacity), number(&theirs["opacity"]), "{what}");
        assert_eq!(record.blend, theirs["blend"].as_str().expect("it").as_bytes(), "{what}");
        if let Some(mask) = theirs["mask"].as_array() {
            let bounds = record.mask.unwrap_or_else(|| panic!("{what}: no mask")).bounds;
            let ours: [i64; 4] =
                [bounds.left.into(), bounds.top.into(), bounds.width().into(), bounds.height().into()];
            assert_eq!(ours.as_slice(), mask.iter().map(number).collect::<Vec<i64>>(), "{what}");
        }
        let Some(pixels) = theirs["pixels"].as_str() else { continue };
        let Canvas { left, top, width, height, pixels: ours } =
            psd::render_layer(&mut input, &document, record)
                .unwrap_or_else(|error| panic!("{what}: {error}"));
        let bounds: [i64; 4] = [left, top, width.into(), height.into()];
        let theirs: Vec<i64> = theirs["bounds"].as_array().expect("bounds").iter().map(number).collect();
        assert_eq!(bounds.as_slice(), theirs, "{what}");
        let (greatest, _) = apart(&ours, &fs::read(pixels).expect("pixels"));
        assert!(greatest <= layer_tolerance(mode, depth), "{what}: {greatest} levels");
    }
    // The other writer's own pictures in floating point have numbers that are none.
    if depth < 32 {
        let merged = psd::merged(&mut input, &document, u32::MAX).expect("merged");
        let stored = fs::read(told["stored"]["pixels"].as_str().expect("a place")).expect("pixels");
        let (greatest, _) = apart(&merged.pixels, &stored);
        assert!(greatest <= layer_tolerance(mode, depth), "{name}: {greatest} levels of the stored picture");
    }
}

#[test]
fn layers_of_every_mode_and_depth_are_those_of_psd_tools() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = folder.path().join("made");
    fs::create_dir(&made).expect("a folder");
    if python(&["make", &made.display().to_string()]).is_none() {
        return;
    }
    let mut files = Vec::new();
    documents_below(&made, &mut files);
    assert_eq!(files.len(), 20, "each mode and depth, small and large");
    let told = told(folder.path(), &files).expect("told");
    for (path, told) in files.iter().zip(&told) {
        assert_eq!(told["layers"].as_array().map(Vec::len), Some(8), "{}", path.display());
        assert_agrees(path, told);
    }
}
