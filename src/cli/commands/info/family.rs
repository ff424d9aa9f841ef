//! What is told of a file beyond its pixels: length and loudness, pages, typefaces, scenes.

use crate::base::size::human_count;
use crate::cli::output::{count, safe};
use crate::media::facts::{Face, Facts, Picture, Scene, Sound, Track};

/// Most names of one list that are shown; `--json` has all of them.
const NAMES_SHOWN: usize = 12;

/// Adds a row for each thing that is known.
pub(super) fn rows(facts: &Facts, row: &mut dyn FnMut(&str, String)) {
    if let Some(timing) = &facts.timing {
        row("length", clock(timing.seconds));
        if let Some(rate) = timing.frame_rate {
            row("frame rate", format!("{rate:.2} a second"));
        }
        if let Some(timecode) = &timing.timecode {
            row("time code", safe(timecode));
        }
        for track in &timing.tracks {
            row(track_kind(track), track_text(track));
        }
    }
    if let Some(sound) = &facts.sound {
        row("loudness", loudness(sound));
    }
    if let Some(pages) = facts.pages {
        row("pages", human_count(pages));
    }
    for face in &facts.faces {
        face_rows(face, row);
    }
    if !facts.fonts_used.is_empty() {
        let names = facts.fonts_used.iter().map(|font| {
            let carried = if font.embedded { "" } else { " (not in it)" };
            format!("{}{carried}", safe(&font.name))
        });
        row("fonts used", several(names));
    }
    if let Some(scene) = &facts.scene {
        scene_rows(scene, row);
    }
    if !facts.contains.is_empty() {
        row("holds", count(facts.contains.len() as u64, "file", "files"));
    }
    if !facts.needs.is_empty() {
        row("needs", several(facts.needs.iter().map(|name| safe(name))));
    }
    if let Some(text) = &facts.text {
        let words = text.split_whitespace().count() as u64;
        row("text", count(words, "word", "words"));
    }
}

/// A picture's size, of pages and drawings in the measures of paper.
pub(super) fn size(picture: &Picture, what: &str) -> String {
    let (width, height) = (picture.width, picture.height);
    match what {
        "page" => {
            let millimetres = |points: u64| (points as f64 * 25.4 / 72.0).round();
            format!("{} × {} mm", millimetres(width), millimetres(height))
        }
        "drawing" => format!("{width} × {height}"),
        _ => format!("{width} × {height} pixels"),
    }
}

/// A length of time: hours only when there are any.
fn clock(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round().max(0.0) as u64;
    let (hours, minutes, rest) = (tenths / 36_000, tenths / 600 % 60, tenths % 600);
    let rest = format!("{:02}.{}", rest / 10, rest % 10);
    if hours > 0 { format!("{hours}:{minutes:02}:{rest}") } else { format!("{minutes}:{rest}") }
}

fn track_kind(track: &Track) -> &'static str {
    match track.kind.as_str() {
        "video" => "video",
        "audio" => "sound",
        "subtitle" => "subtitles",
        _ => "data",
    }
}

fn track_text(track: &Track) -> String {
    let mut words: Vec<String> = vec![safe(&track.codec)];
    if let Some(profile) = &track.profile {
        words[0].push_str(&format!(" {}", safe(profile)));
    }
    words.extend(track.size.map(|(width, height)| format!("{width} × {height} pixels")));
    words.extend(track.sample_rate.map(|rate| format!("{} kHz", f64::from(rate) / 1000.0)));
    words.extend(track.channels.map(|channels| match channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        other => format!("{other} channels"),
    }));
    words.extend(track.bits.map(|bits| format!("{bits} bits")));
    words.extend(track.language.as_deref().filter(|it| *it != "und").map(safe));
    words.join(", ")
}

fn loudness(sound: &Sound) -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(sound.loudness.map(|value| format!("{value:.1} LUFS")));
    words.extend(sound.range.map(|value| format!("range {value:.1} LU")));
    words.extend(sound.peak.map(|value| format!("peak {value:.1} dBFS")));
    if words.is_empty() { "silent".to_owned() } else { words.join(", ") }
}

fn face_rows(face: &Face, row: &mut dyn FnMut(&str, String)) {
    row("typeface", safe(format!("{} {}", face.family, face.style).trim()));
    if !face.version.is_empty() {
        row("version", safe(&face.version));
    }
    let glyphs = count(face.glyphs, "glyph", "glyphs");
    row("glyphs", format!("{glyphs} for {}", count(face.characters, "character", "characters")));
    if !face.axes.is_empty() {
        let axes =
            face.axes.iter().map(|axis| format!("{} {} to {}", safe(&axis.tag), axis.least, axis.greatest));
        row("axes", several(axes));
    }
    if !face.features.is_empty() {
        row("features", several(face.features.iter().map(|tag| safe(tag))));
    }
    row("line", format!("{} up, {} down, of {} units", face.ascent, -face.descent, face.units_per_em));
}

fn scene_rows(scene: &Scene, row: &mut dyn FnMut(&str, String)) {
    let meshes = count(scene.meshes, "mesh", "meshes");
    row(
        "scene",
        format!("{meshes}, {} faces, {} vertices", human_count(scene.faces), human_count(scene.vertices)),
    );
    if let Some((least, greatest)) = scene.bounds {
        let side = |axis: usize| ((greatest[axis] - least[axis]) * 1000.0).round() / 1000.0;
        row("extent", format!("{} × {} × {}", side(0), side(1), side(2)));
    }
    for (what, names) in
        [("materials", &scene.materials), ("textures", &scene.textures), ("animations", &scene.animations)]
    {
        if !names.is_empty() {
            row(what, several(names.iter().map(|name| safe(name))));
        }
    }
}

/// Names in a row, and how many there are beyond.
pub(super) fn several(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMES_SHOWN);
    let mut shown: Vec<String> = names.take(NAMES_SHOWN).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_lists_are_short() {
        assert_eq!(clock(3.04), "0:03.0");
        assert_eq!(clock(3725.26), "1:02:05.3");
        assert_eq!(
            several((0..14).map(|it| it.to_string())),
            "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, and 2 more"
        );
        assert_eq!(several(["a".to_owned()].into_iter()), "a");
    }
}
