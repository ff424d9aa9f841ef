//! What is known of two files, fact by fact.

use crate::media::facts::{Face, Facts, Field, Layer, LayerKind, Picture, Scene, cut};
use crate::media::format::Family;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

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

/// Most pairs of letters of one typeface that are told one by one.
const PAIRS_MAX: usize = 40;
/// Most files inside another that are told one by one.
const CONTAINED_MAX: usize = 100;

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
    let (old, new) = (told(before), told(after));
    let mut changes = differences(old, new);
    changes.sort_by(|one, other| (one.0, &one.1.name).cmp(&(other.0, &other.1.name)));
    let mut changes: Vec<FactChange> = changes.into_iter().map(|(_, change)| change).collect();
    changes.extend(kerning_changes(before, after));
    changes.extend(contained_changes(before, after));
    changes
}

type Told = BTreeMap<(usize, String), String>;

fn differences(mut old: Told, mut new: Told) -> Vec<(usize, FactChange)> {
    let names: Vec<(usize, String)> = old.keys().chain(new.keys()).cloned().collect();
    let mut changes = Vec::new();
    for name in names {
        let (before, after) = (old.remove(&name), new.remove(&name));
        if before != after {
            changes.push((name.0, FactChange { name: name.1, before, after }));
        }
    }
    changes
}

/// Facts as texts, by their place in the list and their name.
fn told(facts: &Facts) -> Told {
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
    told.push(("fonts used".to_owned(), listed(&fonts)));
    let carried: Vec<&str> =
        facts.fonts_used.iter().filter(|font| font.embedded).map(|font| font.name.as_str()).collect();
    told.push(("fonts carried".to_owned(), listed(&carried)));
    told.extend(facts.scene.iter().flat_map(scene_facts));
    told.push(("needed files".to_owned(), listed(&facts.needs)));
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

/// Names in a row; `None` when there are none.
fn listed<T: AsRef<str>>(names: &[T]) -> Option<String> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    Some(cut(&names.join(", "))).filter(|names| !names.is_empty())
}

fn scene_facts(scene: &Scene) -> Vec<(String, Option<String>)> {
    let count = |name: &str, count: u64| (name.to_owned(), Some(count.to_string()));
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    let point = |[x, y, z]: [f64; 3]| format!("{}, {}, {}", rounded(x), rounded(y), rounded(z));
    let bounds = scene.bounds.map(|(least, most)| {
        let side = |axis: usize| rounded(most[axis] - least[axis]);
        let size = format!("{} × {} × {}", side(0), side(1), side(2));
        format!("{size}, from {} to {}", point(least), point(most))
    });
    vec![
        count("meshes", scene.meshes),
        count("faces", scene.faces),
        count("vertices", scene.vertices),
        count("nodes", scene.nodes),
        ("materials".to_owned(), listed(&scene.materials)),
        ("textures".to_owned(), listed(&scene.textures)),
        ("animations".to_owned(), listed(&scene.animations)),
        ("extent".to_owned(), bounds),
    ]
}

/// Pairs of letters that stand closer or wider than before: the greatest changes one by one, the rest counted.
fn kerning_changes(before: &Facts, after: &Facts) -> Vec<FactChange> {
    let (Some(old), Some(new)) = (before.faces.first(), after.faces.first()) else { return Vec::new() };
    // Where nobody asked what features do, nothing is known of pairs.
    if old.effects.is_empty() && new.effects.is_empty() {
        return Vec::new();
    }
    let pairs = |face: &Face| -> BTreeMap<String, i32> {
        face.kerning.iter().map(|it| (it.pair.clone(), it.units)).collect()
    };
    let (old, new) = (pairs(old), pairs(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let units = |pairs: &BTreeMap<String, i32>, name: &String| pairs.get(name).copied().unwrap_or(0);
    let mut changed: Vec<(&String, i32, i32)> = names
        .into_iter()
        .map(|name| (name, units(&old, name), units(&new, name)))
        .filter(|(_, old, new)| old != new)
        .collect();
    changed.sort_by_key(|(name, old, new)| (Reverse(old.abs_diff(*new)), *name));
    let change = |name: String, before: String, after: String| FactChange {
        name,
        before: Some(before),
        after: Some(after),
    };
    let mut told: Vec<FactChange> = changed
        .iter()
        .take(PAIRS_MAX)
        .map(|(name, old, new)| change(format!("kerning of {name}"), old.to_string(), new.to_string()))
        .collect();
    if changed.len() > PAIRS_MAX {
        let rest = changed.len() - PAIRS_MAX;
        told.push(FactChange {
            name: "kerning of other pairs".to_owned(),
            before: None,
            after: Some(format!("{rest} more changed")),
        });
    }
    told
}

/// Files inside of scenes and archives that came, went or have another size.
fn contained_changes(before: &Facts, after: &Facts) -> Vec<FactChange> {
    let counted = |facts: &Facts| matches!(facts.family, Some(Family::Mesh | Family::Archive));
    if !counted(before) || !counted(after) {
        return Vec::new();
    }
    let files = |facts: &Facts| -> Told {
        let files = facts.contains.iter().map(|file| (file.name.clone(), file.size));
        files.map(|(name, size)| ((0, name), format!("{size} bytes"))).collect()
    };
    let mut changes = differences(files(before), files(after));
    changes.sort_by(|one, other| one.1.name.cmp(&other.1.name));
    let named = |change: FactChange| FactChange { name: format!("holds {}", change.name), ..change };
    changes.into_iter().take(CONTAINED_MAX).map(|(_, change)| named(change)).collect()
}

fn face_facts(face: &Face) -> Vec<(String, Option<String>)> {
    let name = format!("{} {}", face.family, face.style);
    let fact = |what: &str, value: String| (format!("{name}: {what}"), Some(value));
    let axes = face.axes.iter().map(|axis| format!("{} {}..{}", axis.tag, axis.least, axis.greatest));
    let mut told = vec![
        fact("version", face.version.clone()),
        fact("glyphs", face.glyphs.to_string()),
        fact("characters", face.characters.to_string()),
        fact("units per em", face.units_per_em.to_string()),
        fact("line metrics", format!("{} / {} / {}", face.ascent, face.descent, face.line_gap)),
        fact("features", face.features.join(" ")),
        fact("axes", axes.collect::<Vec<_>>().join(", ")),
    ];
    told.extend(face.effects.iter().map(|effect| {
        let hash = effect.hash.get(..8).unwrap_or_default();
        (format!("{name}: what {} does", effect.tag), Some(format!("{} pairs, {hash}", effect.places)))
    }));
    told
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
    use crate::media::facts::{FeatureEffect, Kerning};

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

    #[test]
    fn scenes_needs_and_pairs_of_letters_are_told() {
        let scene = |least: f64, textures: &[&str]| {
            let textures = textures.iter().map(|name| (*name).to_owned()).collect();
            Scene { meshes: 1, textures, bounds: Some(([least; 3], [1.0; 3])), ..Scene::default() }
        };
        let names = |before: &Facts, after: &Facts| -> Vec<String> {
            let told = compare_facts(before, after).into_iter();
            told.map(|it| format!("{}: {:?} -> {:?}", it.name, it.before, it.after)).collect()
        };
        let mut before = Facts { scene: Some(scene(0.0, &["wood.png"])), ..Facts::default() };
        let mut after = Facts { scene: Some(scene(-4.0, &[])), ..Facts::default() };
        before.needs = vec!["wood.png".to_owned()];
        assert_eq!(
            names(&before, &after),
            [
                r#"extent: Some("1 × 1 × 1, from 0, 0, 0 to 1, 1, 1") -> Some("5 × 5 × 5, from -4, -4, -4 to 1, 1, 1")"#,
                r#"needed files: Some("wood.png") -> None"#,
                r#"textures: Some("wood.png") -> None"#,
            ]
        );
        let face = |units: i32| Face {
            effects: vec![FeatureEffect { tag: "kern".into(), places: 1, hash: format!("{units:08}") }],
            kerning: vec![Kerning { pair: "AV".into(), units }],
            ..Face::default()
        };
        (before, after) = (Facts::default(), Facts::default());
        (before.faces, after.faces) = (vec![face(-50)], vec![face(-250)]);
        let told = names(&before, &after);
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[1], r#"kerning of AV: Some("-50") -> Some("-250")"#);
    }
}
