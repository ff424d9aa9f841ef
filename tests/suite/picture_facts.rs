//! What is told of pictures - size, colour space, depth, frames, length - is what exiftool tells, format by
//! format; where the two differ it stands in a list with the reason.

use crate::seeing_support::{open, picture, workers};
use crate::support::servers::tool;
use pentimento::media::decoder;
use pentimento::media::facts::Facts;
use pentimento::media::input::Input;
use pentimento::media::sniff::sniff;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is compared.
const FIELDS: [&str; 5] = ["size", "colour", "depth", "frames", "seconds"];

/// Where exiftool (12.57) says nothing or something else: the file, the field, what is told here, and why.
const EXCEPTIONS: &[(&str, &str, &str, &str)] = &[
    ("bits.tif", "depth", "1", "the file leaves the depth out, which means 1 (TIFF 6.0, section 8)"),
    ("moving.png", "seconds", "1", "exiftool does not add up the frames of PNG files"),
    ("moving.webp", "frames", "5", "exiftool does not count the frames of WebP files"),
    ("moving.avif", "frames", "5", "exiftool does not count the frames of AVIF files"),
    ("moving.avif", "seconds", "1", "the file says that it is played for ever; this is one time through"),
    ("lossy.webp", "colour", "RGB", "WebP has no other colours, and exiftool does not tell them"),
    ("lossless.webp", "colour", "RGB", "the same"),
    ("moving.webp", "colour", "RGB", "the same"),
    ("lossy.webp", "depth", "8", "WebP has no other depth, and exiftool does not tell it"),
    ("lossless.webp", "depth", "8", "the same"),
    ("moving.webp", "depth", "8", "the same"),
    ("rgb.bmp", "colour", "RGB", "exiftool tells the bits of a pixel and no colours"),
    ("icon.ico", "colour", "RGB", "the same"),
    ("rgb.hdr", "colour", "RGB", "exiftool tells the size of these files only"),
    ("rgb.hdr", "depth", "32", "the same; the decoder makes numbers of 32 bits of them"),
    ("still.avif", "colour", "RGB", "exiftool tells how many channels there are, and not which"),
    ("moving.avif", "colour", "RGB", "the same"),
    ("palette.tga", "size", "24x16", "exiftool does not read Targa files"),
    ("palette.tga", "colour", "indexed", "the same"),
    ("palette.tga", "depth", "8", "the same"),
    ("rgba.tga", "size", "24x16", "the same"),
    ("rgba.tga", "colour", "RGB", "the same"),
    ("rgba.tga", "depth", "8", "the same"),
    ("rgb.dds", "size", "24x16", "exiftool does not read DirectDraw surfaces"),
    ("rgb.dds", "colour", "RGB", "the same"),
    ("rgb.dds", "depth", "8", "the same"),
    ("rgba.dds", "size", "24x16", "the same"),
    ("rgba.dds", "colour", "RGB", "the same"),
    ("rgba.dds", "depth", "8", "the same"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pictures")
}

fn facts(path: &Path) -> Facts {
    let mut file = File::open(path).expect("the file");
    let mut input = Input::new(&mut file).expect("measured");
    let format = sniff(&mut input, path.to_string_lossy().as_bytes()).expect("told");
    decoder::facts(&mut input, format).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the pictures");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub type Told = BTreeMap<&'static str, String>;

fn ours(folder: &Path, name: &str) -> Told {
    let facts = facts(&folder.join(name));
    let picture = facts.picture.expect(name);
    let seconds = facts.timing.map(|timing| rounded(timing.seconds));
    let told = [
        ("size", Some(format!("{}x{}", picture.width, picture.height))),
        ("colour", picture.colour_space),
        ("depth", picture.depth.map(|depth| depth.to_string())),
        ("frames", picture.frames.map(|frames| frames.to_string())),
        ("seconds", seconds),
    ];
    told.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
}

fn rounded(seconds: f64) -> String {
    ((seconds * 1000.0).round() / 1000.0).to_string()
}

/// exiftool's words, as numbers, in the words of this program.
fn theirs(folder: &Path) -> BTreeMap<String, Told> {
    let output = Command::new("exiftool").args(["-n", "-j", "-r", "."]).current_dir(folder).output();
    let output = output.expect("exiftool is installed");
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    all.iter().map(|one| (one["FileName"].as_str().expect("a name").to_owned(), told_by(one))).collect()
}

pub fn told_by(one: &Value) -> Told {
    let number = |key: &str| one[key].as_f64();
    // Of several channels the first.
    let first = |key: &str| match &one[key] {
        Value::String(text) => text.split(' ').next().map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let size = number("ImageWidth").zip(number("ImageHeight")).map(|(w, h)| format!("{w}x{h}"));
    let png = number("ColorType").map(|kind| match kind as u8 {
        0 | 4 => "gray",
        3 => "indexed",
        _ => "RGB",
    });
    let jpeg = number("ColorComponents").map(|count| match count as u8 {
        1 => "gray",
        4 => "CMYK",
        _ => "RGB",
    });
    let tiff = number("PhotometricInterpretation").map(|kind| match kind as u8 {
        0 | 1 => "gray",
        3 => "indexed",
        5 => "CMYK",
        8 => "Lab",
        _ => "RGB",
    });
    let gif = number("HasColorMap").filter(|has| *has > 0.0).map(|_| "indexed");
    // Bits of a whole pixel: of a palette one number, else three or four.
    let bmp = number("BitDepth").filter(|_| one["FileType"] == "BMP");
    let exr = one["Channels"].as_array().map(|channels| channels[0].as_str().unwrap_or_default().to_owned());
    let depth = match one["FileType"].as_str().unwrap_or_default() {
        "BMP" => bmp.map(|bits| if bits > 8.0 { bits / 3.0 } else { bits }.to_string()),
        "ICO" => number("BitsPerPixel").map(|bits| (bits / 4.0).to_string()),
        "EXR" => exr.as_ref().map(|channel| if channel.contains("half") { "16" } else { "32" }.to_owned()),
        _ => {
            ["BitDepth", "BitsPerSample", "BitsPerPixel", "ImagePixelDepth"].iter().find_map(|key| first(key))
        }
    };
    let colour = png
        .or(jpeg)
        .or(tiff)
        .or(gif)
        .or(bmp.filter(|bits| *bits <= 8.0).map(|_| "indexed"))
        .or(exr.map(|_| "RGB"));
    let frames = number("FrameCount").or(number("AnimationFrames")).map(|frames| frames.to_string());
    let told = [
        ("size", size),
        ("colour", colour.map(str::to_owned)),
        ("depth", depth),
        ("frames", frames),
        ("seconds", number("Duration").map(rounded)),
    ];
    told.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
}

#[test]
fn size_colours_depth_frames_and_length_are_what_exiftool_tells() {
    let theirs = theirs(&folder());
    let nothing = Told::new();
    let (mut used, mut compared) = (BTreeSet::new(), 0);
    for name in files() {
        let (ours, theirs) = (ours(&folder(), &name), theirs.get(&name).unwrap_or(&nothing));
        for field in FIELDS {
            let exception = EXCEPTIONS.iter().find(|(file, which, ..)| *file == name && *which == field);
            let (ours, theirs) = (ours.get(field), theirs.get(field));
            match exception {
                Some((.., value, _)) => {
                    assert_eq!(ours.map(String::as_str), Some(*value), "{name}: {field}");
                    assert_ne!(ours, theirs, "{name}: {field} is no exception any more");
                    used.insert((name.clone(), field));
                }
                None => {
                    assert_eq!(ours, theirs, "{name}: {field}, ours and exiftool's");
                    compared += usize::from(ours.is_some());
                }
            }
        }
    }
    assert_eq!(used.len(), EXCEPTIONS.len(), "every exception is of a file that is there");
    assert!(compared > 90, "{compared} values were compared");
}

/// Where exiftool says nothing or something else of public pictures, likewise.
const PUBLIC_EXCEPTIONS: &[(&str, &str, &str, &str)] = &[];

/// Pictures of a public package (PyPI's scikit-image), in all that is compared.
#[test]
fn public_pictures_are_told_as_exiftool_tells_them() {
    let Some(folder) = tool("public-pictures") else { return };
    let folder = PathBuf::from(folder);
    let is_picture = |name: &&String| [".png", ".jpg", ".tif", ".gif"].iter().any(|end| name.ends_with(end));
    let theirs = theirs(&folder);
    let mut compared = 0;
    for name in theirs.keys().filter(is_picture) {
        let (ours, theirs) = (ours(&folder, name), &theirs[name]);
        for field in FIELDS {
            let exception =
                PUBLIC_EXCEPTIONS.iter().find(|(file, which, ..)| file == name && *which == field);
            let expected = exception.map(|(.., value, _)| (*value).to_owned()).or(theirs.get(field).cloned());
            assert_eq!(ours.get(field), expected.as_ref(), "{name}: {field}");
            compared += usize::from(expected.is_some());
        }
    }
    assert!(compared > 75, "{compared} values were compared");
}

#[test]
fn transparency_pages_and_rates_are_told_where_exiftool_has_no_word_for_them() {
    let alpha = |name: &str| facts(&folder().join(name)).picture.and_then(|picture| picture.alpha);
    for name in
        ["opaque.gif", "rgb.png", "palette.png", "rgb.tif", "pages.tif", "lossy.webp", "rgb.dds", "cmyk.jpg"]
    {
        assert_eq!(alpha(name), Some(false), "{name}");
    }
    for name in [
        "palette-clear.png",
        "gray-alpha.png",
        "rgba.png",
        "rgba.tif",
        "lossless.webp",
        "rgba.tga",
        "rgba.dds",
    ] {
        assert_eq!(alpha(name), Some(true), "{name}");
    }
    let told = |name: &str| facts(&folder().join(name));
    assert_eq!((told("pages.tif").pages, told("rgb.tif").pages), (Some(3), None));
    for name in ["moving.gif", "moving.png", "moving.webp", "moving.avif"] {
        let facts = told(name);
        let rate = facts.timing.as_ref().and_then(|timing| timing.frame_rate).expect(name);
        assert!((rate - 5.0).abs() < 0.01, "{name}: {rate} frames per second");
    }
    assert!(told("opaque.gif").timing.is_none() && told("still.avif").timing.is_none());
}

#[test]
fn a_picture_whose_pixels_nobody_decodes_is_told_all_the_same() {
    let place = tempfile::tempdir().expect("a folder");
    for (name, colour, depth) in
        [("lab.tif", "Lab", 8), ("palette.tif", "indexed", 8), ("float.tif", "gray", 32)]
    {
        let path = place.path().join(name);
        fs::copy(folder().join(name), &path).expect("copied");
        let written = Command::new("exiftool")
            .args([
                "-q",
                "-overwrite_original",
                "-IFD0:Artist=Zoe",
                "-XMP-dc:Title=Quay",
                "-IFD0:Orientation#=6",
            ])
            .arg(&path)
            .status();
        assert!(written.expect("exiftool is installed").success());
        let facts = facts(&path);
        let value = |name: &str| {
            facts.embedded.iter().find(|field| field.name == name).map(|field| field.value.clone())
        };
        assert_eq!(value("Artist").as_deref(), Some("Zoe"), "{name}");
        assert_eq!(value("dc:title").as_deref(), Some("Quay"), "{name}");
        let picture = facts.picture.expect(name);
        assert_eq!((picture.width, picture.height), (16, 24), "{name} is turned");
        assert_eq!((picture.colour_space.as_deref(), picture.depth), (Some(colour), Some(depth)), "{name}");
        assert_eq!(picture.orientation, Some(6), "{name}");
    }
    // Surfaces in blocks of light and of colours, and in a form (R9G9B9E5) that nothing here reads.
    for (form, is_drawn) in [(95u32, true), (98, true), (67, false)] {
        let mut surface = fs::read(folder().join("rgb.dds")).expect("a surface");
        surface[80] = 4;
        surface[84..88].copy_from_slice(b"DX10");
        surface[128..132].copy_from_slice(&form.to_le_bytes());
        let path = place.path().join("packed.dds");
        fs::write(&path, surface).expect("written");
        let facts = facts(&path);
        assert_eq!(facts.picture.as_ref().map(|picture| (picture.width, picture.height)), Some((24, 16)));
        let is_told = facts.notes.iter().any(|note| note.starts_with("no picture can be made of it"));
        assert_eq!(is_told, !is_drawn, "{form}: {:?}", facts.notes);
    }
}

/// Forms that the library of pictures does not take, against the same picture in one that it takes.
#[test]
fn palettes_floats_inks_of_light_and_plain_surfaces_are_drawn() {
    let drawn = |name: &str| {
        let facts = facts(&folder().join(name));
        assert!(facts.notes.is_empty(), "{name}: {:?}", facts.notes);
        picture(&folder().join(name), 100)
    };
    for (name, same) in [("palette.tif", "palette.png"), ("rgb.dds", "rgb.png")] {
        assert_eq!(drawn(name), drawn(same), "{name}");
    }
    let (surface, whole) = (drawn("rgba.dds"), drawn("rgba.png"));
    for (one, other) in surface.bytes.chunks_exact(4).zip(whole.bytes.chunks_exact(4)) {
        assert!(one == other || (one[3] == 0 && other[3] == 0), "{one:?} {other:?}");
    }
    // Measures from 0 to far beyond white: the greatest is white.
    let (measured, grey) = (drawn("float.tif"), drawn("gray.png"));
    let greatest = grey.bytes.chunks_exact(4).map(|pixel| pixel[0]).max().expect("pixels");
    for (one, other) in measured.bytes.chunks_exact(4).zip(grey.bytes.chunks_exact(4)) {
        let expected = f64::from(other[0]) / f64::from(greatest) * 255.0;
        assert!((f64::from(one[0]) - expected).abs() <= 1.5, "{one:?} {expected}");
    }
    // Colours in L*a*b* of D50 as a byte holds them (both colours with a sign), and in sRGB as Little CMS 2 turns
    // them without shortening its way.
    let known: [([i16; 3], [u8; 3]); 5] = [
        ([136, 0, 0], [127, 127, 127]),
        ([128, 40, 30], [188, 88, 71]),
        ([180, -40, 40], [110, 191, 95]),
        ([100, 20, -50], [83, 83, 175]),
        ([230, -5, 60], [244, 228, 107]),
    ];
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("known.tif");
    let mut bytes = fs::read(folder().join("lab.tif")).expect("the fixture");
    let strip = bytes.len() - 24 * 16 * 3;
    for (at, (levels, _)) in known.iter().enumerate() {
        bytes[strip + at * 3..][..3].copy_from_slice(&levels.map(|level| level as u8));
    }
    fs::write(&path, bytes).expect("written");
    let pixels = picture(&path, 100);
    for (pixel, (_, expected)) in pixels.bytes.chunks_exact(4).zip(known) {
        let far = pixel.iter().zip(expected).map(|(one, other)| one.abs_diff(other)).max();
        assert!(far <= Some(1), "{pixel:?} {expected:?}");
    }
}

/// Light is drawn as light: half of white is level 188, not 128; and its numbers are handed on.
#[test]
fn pictures_of_light_are_drawn_by_the_curve_of_srgb() {
    let place = tempfile::tempdir().expect("a folder");
    let values = image::Rgb32FImage::from_fn(8, 4, |x, _| image::Rgb([0.5, 0.0, x as f32]));
    for name in ["light.exr", "light.hdr"] {
        let path = place.path().join(name);
        image::DynamicImage::from(values.clone()).save(&path).expect("written");
        let drawn = picture(&path, 100);
        assert!(drawn.bytes[0].abs_diff(188) <= 1, "{name}: {:?}", &drawn.bytes[..4]);
        let (file, format) = open(&path);
        let light = workers().light(file, format, 100).expect("read").expect("light");
        assert_eq!((light.width, light.height), (8, 4), "{name}");
        let blue = u16::from_le_bytes([light.bytes[7 * 8 + 4], light.bytes[7 * 8 + 5]]);
        // 7 in half precision; Radiance rounds to a part of the greatest of three.
        assert!(blue.abs_diff(0x4700) <= 8, "{name}: {blue:04x}");
    }
    let (file, format) = open(&folder().join("rgb.png"));
    assert_eq!(workers().light(file, format, 100).expect("read"), None);
}
