//! What is known of two files, fact by fact.

use crate::media::facts::{Face, Facts, Field, Layer, LayerKind, Picture};
use serde::Serialize;
use std::collections::BTreeMap;

/// Embedded fields that programs rewrite on every save, without a change of the work itself.
const REWRITTEN: &[&str] = &[
    "CreatorTool",
    "DateTime",
    "DateTimeDigitized",
    "DocumentID",
    "InstanceID",
    "MetadataDate",
    "ModifyDate",
    "OriginalDocumentID",
    "Software",
    "ThumbnailImage",
];

/// A fact that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactChange {
    /// Which: `size in pixels`, `colour space`, `exif Artist`...
    pub name: String,
    /// As it was; `None` when it was not there.
    pub before: Option<String>,
    /// As it is; `None` when it is gone.
    pub after: Option<String>,
}

/// Finds the facts that differ.
pub fn compare_facts(before: &Facts, after: &Facts) -> Vec<FactChange> {
    let (mut old, mut new) = (told(before), told(after));
    let names: Vec<(usize, String)> = old.keys().chain(new.keys()).cloned().collect();
    let mut changes = Vec::new();
    for name in names {
        let (before, after) = (old.remove(&name), new.remove(&name));
        if before != after {
            changes.push((name.0, FactChange { name: name.1, before, after }));
        }
    }
    changes.sort_by(|one, other| (one.0, &one.1.name).cmp(&(other.0, &other.1.name)));
    changes.into_iter().map(|(_, change)| change).collect()
}

/// Facts as texts, by their place in the list and their name.
fn told(facts: &Facts) -> BTreeMap<(usize, String), String> {
    let mut told = Vec::new();
    told.push(("format".to_owned(), Some(facts.format_name.clone())));
    if let Some(picture) = &facts.picture {
        told.extend(picture_facts(picture));
    }
    told.push(("pages".to_owned(), facts.pages.map(|pages| pages.to_string())));
    // Pages and glyphs are counted by themselves.
    let counted = |layer: &Layer| matches!(layer.kind, LayerKind::Page | LayerKind::Glyph);
    let layers = Some(facts.layers.len()).filter(|count| *count > 0 && !facts.layers.iter().any(counted));
    told.push(("layers".to_owned(), layers.map(|count| count.to_string())));
    let timing = facts.timing.as_ref().map(|timing| format!("{:.2} seconds", timing.seconds));
    told.push(("duration".to_owned(), timing));
    let timing = facts.timing.as_ref();
    told.push((
        "frame rate".to_owned(),
        timing.and_then(|it| it.frame_rate).map(|rate| format!("{rate:.3} a second")),
    ));
    told.push(("time code".to_owned(), timing.and_then(|it| it.timecode.clone())));
    told.extend(facts.faces.iter().flat_map(face_facts));
    let fonts: Vec<&str> = facts.fonts_used.iter().map(|font| font.name.as_str()).collect();
    told.push(("fonts used".to_owned(), Some(fonts.join(", ")).filter(|fonts| !fonts.is_empty())));
    if let Some(sound) = &facts.sound {
        let unit = |value: Option<f64>, unit: &str| value.map(|value| format!("{value:.1} {unit}"));
        told.push(("loudness".to_owned(), unit(sound.loudness, "LUFS")));
        told.push(("loudness range".to_owned(), unit(sound.range, "LU")));
        told.push(("peak".to_owned(), unit(sound.peak, "dBFS")));
    }
    for (number, track) in facts.timing.iter().flat_map(|timing| &timing.tracks).enumerate() {
        let rate = track.sample_rate.map(|rate| format!("{rate} Hz"));
        let channels = track.channels.map(|channels| format!("{channels} channels"));
        let all: Vec<String> = [Some(track.codec.clone()), track.profile.clone(), rate, channels]
            .into_iter()
            .flatten()
            .collect();
        told.push((format!("track {}", number + 1), Some(all.join(", "))));
    }
    let credentials = facts.content_credentials.then(|| "present".to_owned());
    told.push(("content credentials".to_owned(), credentials));
    let kept = |field: &&Field| !REWRITTEN.contains(&field.name.as_str());
    for field in facts.embedded.iter().filter(kept) {
        told.push((format!("{} {}", field.group, field.name), Some(field.value.clone())));
    }
    told.into_iter().filter_map(|(name, value)| Some(((order(&name), name), value?))).collect()
}

fn face_facts(face: &Face) -> Vec<(String, Option<String>)> {
    let name = format!("{} {}", face.family, face.style);
    let fact = |what: &str, value: String| (format!("{name}: {what}"), Some(value));
    let axes = face.axes.iter().map(|axis| format!("{} {}..{}", axis.tag, axis.least, axis.greatest));
    vec![
        fact("version", face.version.clone()),
        fact("glyphs", face.glyphs.to_string()),
        fact("characters", face.characters.to_string()),
        fact("units per em", face.units_per_em.to_string()),
        fact("line metrics", format!("{} / {} / {}", face.ascent, face.descent, face.line_gap)),
        fact("features", face.features.join(" ")),
        fact("axes", axes.collect::<Vec<_>>().join(", ")),
    ]
}

/// The plain facts come in the order in which people ask for them, the others by name.
fn order(name: &str) -> usize {
    let first =
        ["format", "size in pixels", "colour space", "colour profile", "bits per channel", "transparency"];
    first.iter().position(|other| *other == name).unwrap_or(first.len())
}

fn picture_facts(picture: &Picture) -> Vec<(String, Option<String>)> {
    let fact = |name: &str, value: Option<String>| (name.to_owned(), value);
    vec![
        fact("size in pixels", Some(format!("{} × {}", picture.width, picture.height))),
        fact("colour space", picture.colour_space.clone()),
        fact("colour profile", picture.profile.clone()),
        fact("bits per channel", picture.depth.map(|depth| depth.to_string())),
        fact("transparency", picture.alpha.map(|alpha| if alpha { "yes" } else { "no" }.to_owned())),
        fact("dots per inch", picture.resolution.map(|(across, _)| across.round().to_string())),
        fact("frames", picture.frames.map(|frames| frames.to_string())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told_and_save_noise_is_not() {
        let picture = |width| Some(Picture { width, height: 10, depth: Some(8), ..Picture::default() });
        let mut before = Facts { picture: picture(10), ..Facts::default() };
        let mut after = Facts { picture: picture(12), ..Facts::default() };
        before.add_field("xmp", "ModifyDate", "2026-01-01");
        after.add_field("xmp", "ModifyDate", "2026-01-02");
        after.add_field("exif", "Artist", "Anna");
        let told: Vec<_> =
            compare_facts(&before, &after).into_iter().map(|it| (it.name, it.before, it.after)).collect();
        assert_eq!(
            told,
            [
                ("size in pixels".into(), Some("10 × 10".into()), Some("12 × 10".into())),
                ("exif Artist".into(), None, Some("Anna".into())),
            ]
        );
        assert_eq!(compare_facts(&before, &before), []);
    }
}
