//! Typefaces: read as fontTools reads them, in every packing, and compared glyph by glyph.

use crate::seeing_support::{facts, layers, picture, said, studio};
use pentimento::media::compare::facts::compare_facts;
use pentimento::media::compare::layers::{LayerEdit, compare_layers};
use pentimento::media::facts::LayerKind;
use serde_json::{Value, json};
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

/// A typeface with one axis of weight, whose letter grows wider along it by so many units more than usual.
const VARIABLE: &str = "
import sys
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables.TupleVariation import TupleVariation
def box(width):
    pen = TTGlyphPen(None)
    pen.moveTo((50, 0)); pen.lineTo((width, 0)); pen.lineTo((width, 700)); pen.lineTo((50, 700)); pen.closePath()
    return pen.glyph()
font = FontBuilder(1000, isTTF=True)
font.setupGlyphOrder(['.notdef', 'A', 'B'])
font.setupCharacterMap({65: 'A', 66: 'B'})
font.setupGlyf({'.notdef': box(500), 'A': box(450), 'B': box(400)})
font.setupHorizontalMetrics({name: (600, 50) for name in ('.notdef', 'A', 'B')})
font.setupHorizontalHeader(ascent=800, descent=-200)
font.setupNameTable({'familyName': 'Tide', 'styleName': 'Regular', 'version': 'Version 1.0', 'copyright': 'The studio'})
font.setupOS2(usWeightClass=400)
font.setupFvar([('wght', 100, 400, 900, 'Weight')], [])
wider = 60 + int(sys.argv[2])
font.setupGvar({'A': [TupleVariation({'wght': (0, 1, 1)}, [(0, 0), (wider, 0), (wider, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0)])]})
font.setupPost()
font.save(sys.argv[1])";

fn variable(folder: &Path, name: &str, wider: i32) -> PathBuf {
    let to = folder.join(name);
    python(VARIABLE, &[&to.display().to_string(), &wider.to_string()]);
    to
}

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
    // One with features that is packed with Debian's fonts, and one with axes.
    let files = [
        variable(folder.path(), "variable.ttf", 0),
        plain,
        packed(folder.path(), "woff"),
        packed(folder.path(), "woff2"),
        PathBuf::from("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
    ];
    let mut with_axes = 0;
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
        let axes: Vec<Value> =
            face.axes.iter().map(|axis| json!([axis.tag, axis.least, axis.default, axis.greatest])).collect();
        let theirs = told["axes"].as_array().expect("a list");
        let numbers = |axes: &[Value]| -> Vec<(String, Vec<f64>)> {
            let parts = axes.iter().map(|axis| axis.as_array().expect("an axis"));
            let values = |parts: &[Value]| parts.iter().map(|it| it.as_f64().expect("a number")).collect();
            parts.map(|axis| (axis[0].as_str().expect("a tag").to_owned(), values(&axis[1..]))).collect()
        };
        assert_eq!(numbers(&axes), numbers(theirs), "{name}");
        with_axes += usize::from(!theirs.is_empty());
        let copyright =
            ours.embedded.iter().find(|field| field.name == "Copyright").map(|field| field.value.as_str());
        assert_eq!(copyright.unwrap_or_default(), told["copyright"].as_str().expect("text"), "{name}");
    }
    assert_eq!(with_axes, 1);
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

#[test]
fn a_variable_typeface_is_compared_along_its_axes() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = layers(&variable(folder.path(), "a.ttf", 0));
    let after = layers(&variable(folder.path(), "b.ttf", 90));
    let changes = compare_layers(&before.layers, &after.layers);
    // At its usual weight the letter looks as before.
    let told: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(told, ["A (U+0041)"]);
    assert!(matches!(changes[0].edits[..], [LayerEdit::Pixels { .. }]), "{changes:?}");
    let drawn = picture(&variable(folder.path(), "c.ttf", 0), 200);
    assert!(drawn.bytes.chunks_exact(4).any(|pixel| pixel[0] < 80));
}

/// Sets one pair closer, and gives a feature another letter to put in.
const SPACED: &str = "
import sys
from fontTools.ttLib import TTFont
from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
font = TTFont(sys.argv[1])
for table in ('GPOS', 'GSUB'):
    if table in font: del font[table]
names = font.getBestCmap()
fea = 'feature kern { pos %s %s %d; pos %s %s -30; } kern; feature ss01 { sub %s by %s; } ss01;' % (
    names[65], names[86], int(sys.argv[3]), names[84], names[79], names[72], names[int(sys.argv[4])])
addOpenTypeFeaturesFromString(font, fea)
font.save(sys.argv[2])";

#[test]
fn pairs_and_features_that_changed_are_told_and_others_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = studio("v1/brand/harbour-signal.otf").display().to_string();
    let spaced = |name: &str, units: i32, letter: u32| {
        let to = folder.path().join(name);
        let (units, letter) = (units.to_string(), letter.to_string());
        python(SPACED, &[&from, &to.display().to_string(), &units, &letter]);
        layers(&to)
    };
    let before = spaced("a.otf", -50, 69);
    assert_eq!(before.faces[0].features, ["kern", "ss01"]);
    let pair = |pair: &str| before.faces[0].kerning.iter().find(|it| it.pair == pair).map(|it| it.units);
    assert_eq!((pair("AV"), pair("TO"), pair("VA")), (Some(-50), Some(-30), None));
    let told = |after: &pentimento::media::facts::Facts| -> Vec<String> {
        let changes = compare_facts(&before, after).into_iter();
        changes.filter(|it| it.name != "font Copyright").map(|it| it.name).collect()
    };
    assert_eq!(told(&spaced("same.otf", -50, 69)), [""; 0], "written again it is the same");
    let closer = spaced("b.otf", -250, 69);
    let family = format!("{} {}", before.faces[0].family, before.faces[0].style);
    assert_eq!(told(&closer), [format!("{family}: what kern does"), "kerning of AV".to_owned()]);
    let change = compare_facts(&before, &closer).into_iter().find(|it| it.name == "kerning of AV");
    let change = change.expect("told");
    assert_eq!((change.before.as_deref(), change.after.as_deref()), (Some("-50"), Some("-250")));
    assert_eq!(told(&spaced("c.otf", -50, 70)), [format!("{family}: what ss01 does")]);
    assert_eq!(compare_layers(&before.layers, &closer.layers), [], "no letter was drawn anew");
}

/// Typefaces carry programs: one that never ends, in the letter and before all letters, and curves that call
/// themselves.
const LOOPING: &str = "
import sys
from fontTools.ttLib import TTFont, newTable
from fontTools.ttLib.tables.ttProgram import Program
font = TTFont(sys.argv[1])
program = Program()
program.fromBytecode(bytes([0xb8, 0xff, 0xfd, 0x1c]))
for name in ('fpgm', 'prep'):
    font[name] = newTable(name)
    font[name].program = program
for name in font.getGlyphOrder():
    font['glyf'][name].program = program
font.save(sys.argv[2])";
const CALLING: &str = "
import sys
from fontTools.ttLib import TTFont
from fontTools.misc.psCharStrings import T2CharString
from fontTools.cffLib import SubrsIndex
font = TTFont(sys.argv[1])
top = font['CFF '].cff.topDictIndex[0]
private = top.Private
private.Subrs = SubrsIndex(None) if not hasattr(private, 'Subrs') else private.Subrs
private.Subrs.append(T2CharString(program=[-107, 'callsubr', 'return'], private=private, globalSubrs=font['CFF '].cff.GlobalSubrs))
name = font.getBestCmap()[72]
top.CharStrings[name].program = [-107, 'callsubr', 'endchar']
font.save(sys.argv[2])";

#[test]
fn programs_in_typefaces_that_never_end_cost_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (looping, calling) = (folder.path().join("loop.ttf"), folder.path().join("call.otf"));
    let from = variable(folder.path(), "v.ttf", 0).display().to_string();
    python(LOOPING, &[&from, &looping.display().to_string()]);
    let from = studio("v1/brand/harbour-signal.otf").display().to_string();
    python(CALLING, &[&from, &calling.display().to_string()]);
    for path in [looping, calling] {
        let begun = std::time::Instant::now();
        let told = layers(&path);
        assert!(!told.layers.is_empty() && told.faces.len() == 1);
        let drawn = picture(&path, 200);
        assert!(drawn.bytes.chunks_exact(4).any(|pixel| pixel[0] < 80), "{}", path.display());
        // A program that ran would be ended after 30 seconds.
        assert!(begun.elapsed().as_secs() < 20, "{}: {:?}", path.display(), begun.elapsed());
    }
}
