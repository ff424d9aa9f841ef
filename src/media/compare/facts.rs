//! What is known of two files, fact by fact.

use crate::media::facts::{Facts, Field, Picture};
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
    let layers = Some(facts.layers.len()).filter(|count| *count > 0);
    told.push(("layers".to_owned(), layers.map(|count| count.to_string())));
    let timing = facts.timing.as_ref().map(|timing| format!("{:.2} seconds", timing.seconds));
    told.push(("duration".to_owned(), timing));
    for face in &facts.faces {
        told.push((format!("{} {}: version", face.family, face.style), Some(face.version.clone())));
        told.push((format!("{} {}: glyphs", face.family, face.style), Some(face.glyphs.to_string())));
    }
    let credentials = facts.content_credentials.then(|| "present".to_owned());
    told.push(("content credentials".to_owned(), credentials));
    let kept = |field: &&Field| !REWRITTEN.contains(&field.name.as_str());
    for field in facts.embedded.iter().filter(kept) {
        told.push((format!("{} {}", field.group, field.name), Some(field.value.clone())));
    }
    told.into_iter().filter_map(|(name, value)| Some(((order(&name), name), value?))).collect()
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
