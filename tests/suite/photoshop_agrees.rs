//! Photoshop documents of every mode and depth, read as another reader reads them (PyPI's `psd-tools`): those that it
//! writes - with groups, masks and clipping, in both sizes of numbers and all four ways of packing - and those of
//! Photoshop itself that come with two other readers. Our own composite is held against the picture that is stored.
//!
//! Where the two differ it stands in a list with the reason, and a difference that is in the list and not found is
//! one as well. `PENT_TEST_PHOTOSHOP` names a folder of more documents, as a clone of `psd-tools` has them.

use crate::support::servers::tool;
use pentimento::media::decoder;
use pentimento::media::facts::{Layer, LayerKind};
use pentimento::media::format;
use pentimento::media::input::Input;
use pentimento::media::psd::{self, Canvas, Document, LayerRecord, Section};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = include_str!("photoshop_agrees/psd.py");

/// How far a level of a layer may lie from the other reader's, by mode and depth: what both only copy is the same,
/// what each rounds or turns into other colours by itself is near.
fn tolerance(mode: &str, depth: u64) -> u8 {
    match (mode, depth) {
        ("RGB" | "GRAYSCALE" | "INDEXED" | "BITMAP" | "DUOTONE" | "MULTICHANNEL", 1 | 8) => 0,
        _ => 1,
    }
}

/// How far a level of our own composite may lie from the picture that is stored, where both are opaque; elsewhere as
/// much more as is clear.
const COMPOSITE: u8 = 3;

/// What our own composite does not draw, or draws in another way than Photoshop, in the words of
/// [`psd::Composed::left_out`], and what there is to say of it.
const NOT_DRAWN: &[(&str, &str)] = &[
    ("an adjustment of the layers below", "curves, levels and all the others"),
    ("a fill", "of a colour, a gradient or a pattern that has no pixels in the document"),
    ("a mask of curves", "where it is not in the pixels or the mask of its layer already"),
    ("effects", "shadows, strokes and all the others"),
    ("the feather of a mask", ""),
    ("the density or feather of a mask of curves", ""),
    ("blending by ranges of levels", ""),
    ("a knockout", ""),
    ("clipped layers that blend by themselves", ""),
    ("effects beyond the layer's shape", ""),
    ("channels that it does not blend into", ""),
    ("the ground and edges of an artboard", ""),
    ("the curve by which the edges of text are mixed", "a setting of Photoshop, which no document has"),
    ("dissolving", "its noise is Photoshop's own"),
    ("the fill opacity of its blend mode", "in eight modes it changes the colour before it is mixed"),
    (
        "the fill opacity of a group that lets through",
        "where layers in it have a mode of their own: how Photoshop mixes these is not known, and `psd-tools` differs from it too",
    ),
    ("mixing of inks", "in CMYK, where colours are mixed as those of sRGB instead"),
    ("mixing of L*a*b*", "likewise"),
    ("mixing of light", "of 32 bits, likewise"),
];

/// Documents in which something differs all the same: the end of their path, what, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("cmyk-spot.psd", "stored picture", "its spot colours, which `psd-tools` takes for opacity"),
    (
        "group-clipping.psd",
        "layer clipping",
        "a group that is clipped, of which `psd-tools` does not tell it",
    ),
    (
        "cactus_top.psd",
        "composite",
        "its stored picture, by another program, is not what its layers make; `psd-tools` makes the same of these",
    ),
];

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

/// How far levels are apart at most. What cannot be seen does not count, and of colours as much as is opaque.
fn apart(one: &[u8], other: &[u8]) -> u8 {
    let pairs = one.chunks_exact(4).zip(other.chunks_exact(4));
    let far = pairs.map(|(one, other)| {
        let share = f64::from(one[3].max(other[3])) / 255.0;
        let colours = one[..3].iter().zip(&other[..3]).map(|(one, other)| one.abs_diff(*other)).max();
        let colours = (f64::from(colours.unwrap_or(0)) * share).round() as u8;
        colours.max(one[3].abs_diff(other[3]))
    });
    far.max().unwrap_or(0)
}

fn on_white(pixel: &mut [u8]) {
    let share = u32::from(pixel[3]);
    for value in &mut pixel[..3] {
        *value = ((u32::from(*value) * share + 255 * (255 - share) + 127) / 255) as u8;
    }
    pixel[3] = 255;
}

/// What was found of one document.
#[derive(Default)]
struct Compared {
    /// Subject, and how the two differ.
    differences: Vec<(String, String)>,
    layers: usize,
    pixels: usize,
    composed: bool,
    left_out: Vec<&'static str>,
}

impl Compared {
    fn differs(&mut self, subject: impl Into<String>, how: impl Into<String>) {
        self.differences.push((subject.into(), how.into()));
    }

    fn same<T: PartialEq + std::fmt::Debug>(&mut self, subject: &str, what: &str, ours: T, theirs: T) {
        if ours != theirs {
            self.differs(subject, format!("{what}: {ours:?}, {theirs:?}"));
        }
    }
}

fn numbers(value: &Value) -> Option<Vec<i64>> {
    Some(value.as_array()?.iter().filter_map(Value::as_i64).collect())
}

fn compare(path: &Path, told: &Value) -> Compared {
    let mut found = Compared::default();
    let mut file = File::open(path).expect("the file");
    let mut input = Input::new(&mut file).expect("measured");
    let document = match Document::read(&mut input) {
        Ok(document) => document,
        Err(error) => {
            if told["refused"].is_null() {
                found.differs("document", format!("refused: {error}"));
            }
            return found;
        }
    };
    if let Some(reason) = told["refused"].as_str() {
        found.differs("document", format!("refused by the other: {reason}"));
        return found;
    }
    let facts = decoder::facts(&mut input, &format::PSD).expect("facts");
    let picture = facts.picture.expect("a picture");
    found.same(
        "document",
        "size",
        Some(vec![picture.width as i64, picture.height as i64]),
        numbers(&told["size"]),
    );
    found.same("document", "depth", picture.depth.map(u64::from), told["depth"].as_u64());
    let mode = told["mode"].as_str().expect("a mode").to_lowercase().replace("grayscale", "gray");
    found.same("document", "mode", document.header.mode.name().to_lowercase(), mode);
    found.same("document", "large", Some(document.header.large), told["large"].as_bool());
    let records: Vec<&LayerRecord> =
        document.layers.iter().rev().filter(|record| record.section != Section::End).collect();
    let layers = told["layers"].as_array().expect("layers");
    found.same("document", "layers", records.len(), layers.len());
    for ((record, layer), theirs) in records.iter().zip(&facts.layers).zip(layers) {
        compare_layer(&mut found, &mut input, &document, (record, layer), theirs, told);
    }
    compare_stored(&mut found, &mut input, &document, told);
    found
}

fn compare_layer(
    found: &mut Compared,
    input: &mut Input<'_>,
    document: &Document,
    (record, layer): (&LayerRecord, &Layer),
    theirs: &Value,
    told: &Value,
) {
    found.layers += 1;
    let subject = format!("layer {}", layer.name);
    found.same(&subject, "name", Some(layer.name.as_str()), theirs["name"].as_str());
    found.same(&subject, "depth", Some(u64::from(layer.depth)), theirs["depth"].as_u64());
    found.same(&subject, "group", Some(layer.kind == LayerKind::Group), theirs["group"].as_bool());
    found.same(&subject, "visible", Some(layer.visible), theirs["visible"].as_bool());
    found.same(&subject, "clipped", Some(layer.clipped), theirs["clipped"].as_bool());
    found.same(&subject, "opacity", Some(u64::from(record.opacity)), theirs["opacity"].as_u64());
    let blend = String::from_utf8_lossy(&record.blend).into_owned();
    found.same(&subject, "blend", Some(blend.as_str()), theirs["blend"].as_str());
    let mask = record.mask.map(|mask| mask.bounds).filter(|it| it.width() > 0 && it.height() > 0);
    let mask = mask.map(|it| vec![it.left.into(), it.top.into(), it.width().into(), it.height().into()]);
    found.same(&subject, "mask", mask, numbers(&theirs["mask"]));
    let Some(pixels) = theirs["pixels"].as_str() else { return };
    match psd::render_layer(input, document, record) {
        Ok(Canvas { left, top, width, height, pixels: ours }) => {
            let bounds = vec![left, top, width.into(), height.into()];
            found.same(&subject, "place", Some(bounds), numbers(&theirs["bounds"]));
            let theirs = fs::read(pixels).expect("pixels");
            let far = if ours.len() == theirs.len() { apart(&ours, &theirs) } else { u8::MAX };
            found.pixels += 1;
            if far > tolerance(told["mode"].as_str().unwrap_or_default(), told["depth"].as_u64().unwrap_or(0))
            {
                found.differs(&subject, format!("{far} levels"));
            }
        }
        Err(error) => found.differs(&subject, error.to_string()),
    }
}

fn compare_stored(found: &mut Compared, input: &mut Input<'_>, document: &Document, told: &Value) {
    let merged = match psd::merged(input, document, u32::MAX) {
        Ok(merged) => merged,
        Err(error) => {
            if told["unstored"].is_null() {
                found.differs("stored picture", error.to_string());
            }
            return;
        }
    };
    if let Some(stored) = told["stored"].as_str() {
        let stored = fs::read(stored).expect("pixels");
        let far = if merged.pixels.len() == stored.len() { apart(&merged.pixels, &stored) } else { u8::MAX };
        if far > 1.max(tolerance(told["mode"].as_str().unwrap_or_default(), 8)) {
            found.differs("stored picture", format!("{far} levels"));
        }
    } else {
        found.differs("stored picture", format!("not by the other: {}", told["unstored"]));
    }
    compare_composed(found, input, document, &merged, told);
}

fn compare_composed(
    found: &mut Compared,
    input: &mut Input<'_>,
    document: &Document,
    merged: &Canvas,
    told: &Value,
) {
    if document.layers.is_empty() || document.is_unmerged() {
        return;
    }
    let composed = match psd::compose(input, document) {
        Ok(composed) => composed,
        Err(error) => return found.differs("composite", error.to_string()),
    };
    compare_left_out(found, &composed.left_out, told);
    if !composed.left_out.is_empty() {
        return;
    }
    found.composed = true;
    let mut composed = composed;
    if !document.merged_alpha {
        // A stored picture without opacity stands on white.
        composed.canvas.pixels.chunks_exact_mut(4).for_each(on_white);
    }
    let far = apart(&composed.canvas.pixels, &merged.pixels);
    if far > COMPOSITE {
        let pairs = composed.canvas.pixels.chunks_exact(4).zip(merged.pixels.chunks_exact(4));
        let wrong = pairs.filter(|(ours, theirs)| apart(ours, theirs) > COMPOSITE).count();
        found.differs("composite", format!("{far} levels, {wrong} pixels of {}", merged.pixels.len() / 4));
    }
}

/// What is named as not drawn is there, and what the other reader sees of its kind in a layer that is shown is named.
fn compare_left_out(found: &mut Compared, left_out: &[(String, &'static str)], told: &Value) {
    let kinds = [
        ("adjustment", "an adjustment of the layers below"),
        ("fill", "a fill"),
        ("curves", "a mask of curves"),
        ("effects", "effects"),
    ];
    let layers = told["layers"].as_array().expect("layers");
    let of = |layer: &Value, kind: &str| {
        layer["more"].as_array().is_some_and(|more| more.iter().any(|it| it == kind))
    };
    for (kind, why) in kinds {
        for (name, _) in left_out.iter().filter(|(_, named)| *named == why) {
            if !layers.iter().any(|layer| layer["name"] == name.as_str() && of(layer, kind)) {
                found.differs(format!("layer {name}"), format!("{why} is named and not there"));
            }
        }
        // Curves and fills are in the pixels of a layer that has some.
        for layer in layers.iter().filter(|layer| of(layer, kind) && layer["shown"] == true) {
            let name = layer["name"].as_str().unwrap_or_default();
            let in_pixels =
                matches!(kind, "fill" | "curves") && (layer["bounds"].is_array() || layer["mask"].is_array());
            if !in_pixels && !left_out.iter().any(|(named, it)| named == name && *it == why) {
                found.differs(format!("layer {name}"), format!("{why} is there and not named"));
            }
        }
    }
    found.left_out.extend(left_out.iter().map(|(_, why)| why));
}

/// What was compared of all documents of a folder.
#[derive(Default)]
struct All {
    /// By path below the folder and subject: how they differ.
    differences: BTreeMap<(String, String), String>,
    files: BTreeSet<String>,
    layers: usize,
    pixels: usize,
    composites: usize,
    /// What our own composite does not draw of them, and of how many layers.
    left_out: BTreeMap<&'static str, usize>,
}

/// Compares all documents below a folder.
fn compare_all(folder: &Path) -> Option<All> {
    let mut files = Vec::new();
    documents_below(folder, &mut files);
    let mut all = All::default();
    for files in files.chunks(40) {
        let scratch = tempfile::tempdir().expect("a folder");
        for (path, told) in files.iter().zip(&told(scratch.path(), files)?) {
            let name = path.strip_prefix(folder).expect("below it").display().to_string();
            let found = compare(path, told);
            (all.layers, all.pixels) = (all.layers + found.layers, all.pixels + found.pixels);
            all.composites += usize::from(found.composed);
            found.left_out.iter().for_each(|why| *all.left_out.entry(why).or_default() += 1);
            for (subject, how) in found.differences {
                all.differences.insert((name.clone(), subject), how);
            }
            all.files.insert(name);
        }
    }
    Some(all)
}

/// Documents in every mode and depth. The pictures that are stored in them are the other reader's own composites, which
/// Photoshop did not see: they are held against what is read of them, and not against our own composites.
#[test]
fn layers_of_every_mode_and_depth_are_those_of_psd_tools() {
    let folder = tempfile::tempdir().expect("a folder");
    if python(&["make", &folder.path().display().to_string()]).is_none() {
        return;
    }
    let mut all = compare_all(folder.path()).expect("compared");
    all.differences.retain(|(_, subject), _| subject != "composite");
    assert_eq!(all.differences, BTreeMap::new());
    assert_eq!((all.files.len(), all.layers, all.pixels), (28, 160, 140));
}

#[test]
fn documents_of_photoshop_are_those_of_psd_tools() {
    let folders = [tool("public-photoshop"), std::env::var("PENT_TEST_PHOTOSHOP").ok()];
    let mut sum = All::default();
    for folder in folders.into_iter().flatten() {
        let Some(all) = compare_all(Path::new(&folder)) else { return };
        let is_one = |file: &str, subject: &str| {
            EXCEPTIONS.iter().any(|(end, of, _)| file.ends_with(end) && *of == subject)
        };
        let others: Vec<_> =
            all.differences.iter().filter(|((file, subject), _)| !is_one(file, subject)).collect();
        assert_eq!(others, [], "{folder}");
        for (end, of, _) in EXCEPTIONS {
            let there = |file: &&String| file.ends_with(end);
            let needed = |file: &String| all.differences.contains_key(&(file.clone(), (*of).to_owned()));
            assert!(all.files.iter().filter(there).all(needed), "{end}: {of} is no exception any more");
        }
        for why in all.left_out.keys() {
            assert!(NOT_DRAWN.iter().any(|(named, _)| named == why), "{why} stands in no list");
        }
        sum.files.extend(all.files);
        (sum.layers, sum.pixels) = (sum.layers + all.layers, sum.pixels + all.pixels);
        sum.composites += all.composites;
    }
    if !sum.files.is_empty() {
        assert!(sum.files.len() >= 70 && sum.layers >= 150 && sum.pixels >= 100 && sum.composites >= 30);
    }
}

/// What `docs/formats.md` says of these documents.
pub fn page() -> String {
    let mut page = String::from(
        "
## Photoshop documents

Names, order, groups, places, opacity, blend modes, visibility, clipping and masks of layers, and the pixels of each, are what `psd-tools` 1.26 reads: in RGB, \
CMYK, L*a*b*, greys, palettes, duotones, one bit and several channels, of 8, 16 and 32 bits, small and large, in all four ways of packing. Levels are the same in \
RGB, greys and palettes of 8 bits, and within 1 where each of the two rounds or turns colours by itself. 32 bits are light, drawn by the curve of sRGB; opacity and masks are shares in every depth. \
The colours of L*a*b* are in the middle at 128 of 8 bits and at 32,768 of 16.

What is shown of a document is the picture stored in it, with the white taken out that is mixed into it where it is not opaque. A document that was saved without it \
(*maximize compatibility*) is put together from its layers. That composite of our own is within 3 levels of the stored picture where none of the following is in a document, \
which is not drawn, or not as Photoshop does:

",
    );
    for (what, why) in NOT_DRAWN {
        writeln!(page, "- {what}{}{why}", if why.is_empty() { "" } else { ": " }).expect("written");
    }
    page.push_str("\nDocuments of the tests of `pytoshop`, of the crate `psd` and of `psd-tools` in which something else differs:\n\n");
    for (file, subject, why) in EXCEPTIONS {
        writeln!(page, "- `{file}`, {subject}: {why}").expect("written");
    }
    page
}
