//! Typefaces: read as fontTools reads them, in every packing, and compared glyph by glyph.

use crate::seeing_support::{facts, layers, picture, said, studio};
use pentimento::media::compare::layers::{LayerEdit, compare_layers};
use pentimento::media::facts::LayerKind;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What fontTools says of a typeface. It is Debian's, and so is the Python that has it.
const TOLD: &str = "
import json, sys
from fontTools.ttLib import TTFont
font = TTFont(sys.argv[1])
name = lambda number: (font['name'].getDebugName(number) or '').strip()
tags = set()
for table in ('GSUB', 'GPOS'):
    if table in font and font[table].table.FeatureList:
        tags |= {record.FeatureTag for record in font[table].table.FeatureList.FeatureRecord}
axes = [[axis.axisTag, axis.minValue, axis.defaultValue, axis.maxValue] for axis in font['fvar'].axes] if 'fvar' in font else []
print(json.dumps({'family': name(16) or name(1), 'style': name(17) or name(2), 'version': name(5), 'copyright': name(0),
  'glyphs': font['maxp'].numGlyphs, 'characters': len(font.getBestCmap()), 'upem': font['head'].unitsPerEm,
  'features': sorted(tags), 'axes': axes, 'ascent': font['hhea'].ascent, 'weight': font['OS/2'].usWeightClass}))";

/// Saves a typeface in another packing.
const SAVE: &str = "
import sys
from fontTools.ttLib import TTFont
font = TTFont(sys.argv[1])
font.flavor = sys.argv[3]
font.save(sys.argv[2])";

fn python(script: &str, arguments: &[&str]) -> String {
    said("/usr/bin/python3", &[&["-c", script], arguments].concat())
}

fn packed(folder: &Path, flavor: &str) -> PathBuf {
    let to = folder.join(format!("signal.{flavor}"));
    let from = studio("v1/brand/harbour-signal.otf").display().to_string();
    python(SAVE, &[&from, &to.display().to_string(), flavor]);
    to
}

#[test]
fn names_counts_and_metrics_are_those_of_fonttools() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = studio("v1/brand/harbour-signal.otf");
    // A variable typeface with features that is packed with Debian's fonts.
    let files = [
        plain,
        packed(folder.path(), "woff"),
        packed(folder.path(), "woff2"),
        PathBuf::from("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
    ];
    for path in files {
        let told: Value = serde_json::from_str(&python(TOLD, &[&path.display().to_string()])).expect("JSON");
        let ours = facts(&path);
        let face = &ours.faces[0];
        let name = path.display();
        assert_eq!(face.family, told["family"].as_str().expect("text"), "{name}");
        assert_eq!(face.style, told["style"].as_str().expect("text"), "{name}");
        assert_eq!(face.version, told["version"].as_str().expect("text"), "{name}");
        assert_eq!(Some(face.glyphs), told["glyphs"].as_u64(), "{name}");
        assert_eq!(Some(face.characters), told["characters"].as_u64(), "{name}");
        assert_eq!(Some(u64::from(face.units_per_em)), told["upem"].as_u64(), "{name}");
        assert_eq!(face.weight.map(u64::from), told["weight"].as_u64(), "{name}");
        assert_eq!(Value::from(face.features.clone()), told["features"], "{name}");
        assert_eq!(face.axes.len(), told["axes"].as_array().expect("a list").len(), "{name}");
        let copyright =
            ours.embedded.iter().find(|field| field.name == "Copyright").map(|field| field.value.as_str());
        assert_eq!(copyright.unwrap_or_default(), told["copyright"].as_str().expect("text"), "{name}");
    }
}

#[test]
fn a_specimen_is_the_same_in_every_packing() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = picture(&studio("v1/brand/harbour-signal.otf"), 400);
    assert_eq!((plain.width, plain.height), (400, 300));
    let ink = plain.bytes.chunks_exact(4).filter(|pixel| pixel[0] < 80).count();
    assert!(ink > 1000, "{ink}");
    for flavor in ["woff", "woff2"] {
        assert_eq!(picture(&packed(folder.path(), flavor), 400), plain, "{flavor}");
    }
}

#[test]
fn the_studios_typeface_changed_where_its_story_says() {
    let before = layers(&studio("v1/brand/harbour-signal.otf"));
    let after = layers(&studio("v2/brand/harbour-signal.otf"));
    assert!(before.layers.iter().all(|layer| layer.kind == LayerKind::Glyph));
    let changes = compare_layers(&before.layers, &after.layers);
    let of = |wanted: fn(&LayerEdit) -> bool| -> Vec<&str> {
        let found = changes.iter().filter(|change| change.edits.iter().any(wanted));
        found.map(|change| change.name.as_str()).collect()
    };
    let mut redrawn = of(|edit| matches!(edit, LayerEdit::Pixels { .. }));
    redrawn.sort_unstable();
    // Small letters are capitals in this typeface.
    assert_eq!(redrawn, ["G (U+0047)", "R (U+0052)", "g (U+0067)", "r (U+0072)"]);
    let mut added = of(|edit| matches!(edit, LayerEdit::Added));
    added.sort_unstable();
    assert_eq!(added, ["& (U+0026)", "· (U+00B7)"]);
    assert_eq!(of(|edit| matches!(edit, LayerEdit::Removed)), [""; 0]);
}
