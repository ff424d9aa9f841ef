//! Scenes, objects and films: read as Assimp and FFmpeg read them.

use crate::seeing_support::{facts, layers, picture, said, studio};
use pentimento::media::compare::facts::compare_facts;
use pentimento::media::compare::layers::compare_layers;
use pentimento::media::pixels::Pixels;
use serde_json::Value;
use std::fs;

fn row<'t>(told: &'t str, name: &str) -> &'t str {
    let row =
        told.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {told}"));
    row.trim()
}

fn numbers(text: &str) -> Vec<f64> {
    text.trim_matches(['(', ')']).split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// The part of a picture that is not empty.
fn covered(picture: &Pixels) -> f64 {
    let seen = picture.bytes.chunks_exact(4).filter(|pixel| pixel[3] > 127).count();
    seen as f64 / (picture.bytes.len() / 4) as f64
}

#[test]
fn counts_and_bounds_are_those_of_assimp() {
    let path = studio("v1/model/lantern.glb");
    let scene = facts(&path).scene.expect("a scene");
    let told = said("assimp", &["info".as_ref(), path.as_os_str()]);
    assert_eq!(scene.vertices.to_string(), row(&told, "Vertices:"));
    assert_eq!(scene.faces.to_string(), row(&told, "Faces:"));
    assert_eq!(scene.materials.len(), 4, "{:?}", scene.materials);
    let (least, most) = scene.bounds.expect("bounds");
    for (ours, name) in [(least, "Minimum point"), (most, "Maximum point")] {
        let theirs = numbers(row(&told, name));
        for (one, other) in ours.iter().zip(&theirs) {
            assert!((one - other).abs() < 1e-4, "{name}: {ours:?} {theirs:?}");
        }
    }
}

#[test]
fn a_lantern_is_drawn_and_its_paint_is_told() {
    let path = studio("v1/model/lantern.glb");
    let drawn = picture(&path, 400);
    let part = covered(&drawn);
    assert!((0.05..0.9).contains(&part), "{part}");
    let (before, after) = (layers(&path), layers(&studio("v2/model/lantern.glb")));
    assert!(!before.layers.is_empty());
    assert_eq!(compare_layers(&before.layers, &after.layers), [], "no mesh was changed");
    let changes = compare_facts(&before, &after);
    assert!(changes.iter().any(|change| change.name.starts_with("material ")), "{changes:#?}");
}

#[test]
fn the_same_object_in_three_forms_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let glb = studio("v1/model/lantern.glb");
    let whole = facts(&glb).scene.expect("a scene");
    for name in ["a.obj", "a.stl", "b.stl"] {
        let to = folder.path().join(name);
        let format = match name {
            "a.obj" => "-fobj",
            "a.stl" => "-fstl",
            _ => "-fstlb",
        };
        said("assimp", &["export".as_ref(), glb.as_os_str(), to.as_os_str(), format.as_ref()]);
        let told = facts(&to);
        let scene = told.scene.expect("a scene");
        assert_eq!(scene.faces, whole.faces, "{name}");
        let extent = |bounds: Option<([f64; 3], [f64; 3])>| {
            let (least, most) = bounds.expect("bounds");
            let mut sides: Vec<i64> =
                (0..3).map(|axis| ((most[axis] - least[axis]) * 1000.0).round() as i64).collect();
            sides.sort_unstable();
            sides
        };
        assert_eq!(extent(scene.bounds), extent(whole.bounds), "{name}");
        assert!(covered(&picture(&to, 200)) > 0.05, "{name}");
    }
}

#[test]
fn a_scene_opens_no_other_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.gltf");
    let json = r#"{"asset":{"version":"2.0"},"accessors":[],"buffers":[{"uri":"/etc/passwd","byteLength":9}],"images":[{"uri":"../secret.png"}]}"#;
    fs::write(&path, json).expect("written");
    let told = facts(&path);
    assert_eq!(told.needs, ["/etc/passwd", "../secret.png"]);
    assert!(told.notes.iter().any(|note| note.contains("other files")), "{:?}", told.notes);
}

#[test]
fn a_film_is_told_as_ffprobe_tells_it() {
    let path = studio("v1/video/teaser.mp4");
    let ours = facts(&path);
    let told = said(
        "ffprobe",
        &[
            "-v".as_ref(),
            "error".as_ref(),
            "-show_streams".as_ref(),
            "-show_format".as_ref(),
            "-of".as_ref(),
            "json".as_ref(),
            path.as_os_str(),
        ],
    );
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let timing = ours.timing.expect("a length");
    let seconds: f64 = told["format"]["duration"].as_str().and_then(|it| it.parse().ok()).expect("a number");
    assert!((timing.seconds - seconds).abs() < 0.05, "{} {seconds}", timing.seconds);
    let streams = told["streams"].as_array().expect("streams");
    assert_eq!(timing.tracks.len(), streams.len());
    for (track, stream) in timing.tracks.iter().zip(streams) {
        assert_eq!(track.kind, stream["codec_type"].as_str().expect("a kind"));
        if track.kind == "video" {
            assert_eq!(track.size, stream["width"].as_u64().zip(stream["height"].as_u64()));
            let rate: Vec<f64> = stream["avg_frame_rate"]
                .as_str()
                .expect("a rate")
                .split('/')
                .filter_map(|it| it.parse().ok())
                .collect();
            assert!((timing.frame_rate.expect("a rate") - rate[0] / rate[1]).abs() < 0.02);
            assert_eq!(track.codec, "H.264");
        } else {
            assert_eq!(
                track.sample_rate.map(|rate| rate.to_string()).as_deref(),
                stream["sample_rate"].as_str()
            );
        }
    }
}
