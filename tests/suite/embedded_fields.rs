//! Fields that an independent program wrote into files are read as that program reads them itself.

use crate::support::World;
use image::{DynamicImage, ImageFormat, RgbImage};
use pentimento::media::decoder::{self, Wanted};
use pentimento::media::facts::{Facts, Field};
use pentimento::media::input::Input;
use pentimento::media::sniff::sniff;
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// What is written, in the words of exiftool.
const WRITTEN: &[&str] = &[
    "-IFD0:Artist=Anna Žluťová",
    "-IFD0:Copyright=© Harbour Pictures 2026",
    "-IFD0:Make=Example",
    "-IFD0:Model=Example Mark II",
    "-IFD0:Orientation#=6",
    "-IFD0:XResolution=300",
    "-IFD0:YResolution=300",
    "-IFD0:ResolutionUnit#=2",
    "-ExifIFD:ExposureTime=1/250",
    "-ExifIFD:FNumber=2.8",
    "-ExifIFD:ISO=100",
    "-ExifIFD:FocalLength=50",
    "-ExifIFD:LensModel=Example 50 mm",
    "-ExifIFD:DateTimeOriginal=2026:05:01 18:30:05",
    "-ExifIFD:OffsetTimeOriginal=+02:00",
    "-ExifIFD:UserComment=Kvæld ved havnen",
    "-GPS:GPSLatitude=59.32932",
    "-GPS:GPSLatitudeRef=N",
    "-GPS:GPSLongitude=18.06858",
    "-GPS:GPSLongitudeRef=W",
    "-GPS:GPSAltitude=12.5",
    "-GPS:GPSAltitudeRef#=1",
    "-IPTC:CodedCharacterSet=UTF8",
    "-IPTC:Caption-Abstract=Lanterns over the quay – 夜",
    "-IPTC:Keywords=harbour",
    "-IPTC:Keywords=dusk",
    "-IPTC:By-line=Anna Žluťová",
    "-IPTC:City=Göteborg",
    "-IPTC:DateCreated=2026:05:01",
    "-XMP-dc:Title=Harbour at dusk",
    "-XMP-dc:Description=Lanterns over the quay",
    "-XMP-dc:Creator=Anna Žluťová",
    "-XMP-dc:Creator=Second Hand",
    "-XMP-dc:Subject=harbour",
    "-XMP-dc:Subject=dusk",
    "-XMP-dc:Rights=© Harbour Pictures 2026",
    "-XMP-xmp:Rating=4",
    "-XMP-xmpRights:UsageTerms=Editorial use only",
    "-XMP-xmpRights:WebStatement=https://example.com/terms",
    "-XMP-plus:LicensorName=Harbour Pictures",
    "-XMP-plus:LicensorURL=https://example.com/licence",
    "-XMP-plus:CopyrightOwnerName=Harbour Pictures",
    "-XMP-plus:LicenseEndDate=2027:01:31",
    "-XMP-photoshop:Credit=Harbour Pictures",
    "-XMP-iptcCore:Location=Old quay",
];

/// The fields that are compared: exiftool's name, our group and our name.
const COMPARED: &[(&str, &str, &str)] = &[
    ("IFD0:Artist", "exif", "Artist"),
    ("IFD0:Copyright", "exif", "Copyright"),
    ("IFD0:Make", "exif", "Make"),
    ("IFD0:Model", "exif", "Model"),
    ("IFD0:Orientation", "exif", "Orientation"),
    ("IFD0:XResolution", "exif", "XResolution"),
    ("ExifIFD:ExposureTime", "exif", "ExposureTime"),
    ("ExifIFD:FNumber", "exif", "FNumber"),
    ("ExifIFD:ISO", "exif", "PhotographicSensitivity"),
    ("ExifIFD:FocalLength", "exif", "FocalLength"),
    ("ExifIFD:LensModel", "exif", "LensModel"),
    ("ExifIFD:DateTimeOriginal", "exif", "DateTimeOriginal"),
    ("ExifIFD:UserComment", "exif", "UserComment"),
    ("Composite:GPSLatitude", "exif", "GPSLatitude"),
    ("Composite:GPSLongitude", "exif", "GPSLongitude"),
    ("Composite:GPSAltitude", "exif", "GPSAltitude"),
    ("IPTC:Caption-Abstract", "iptc", "Caption-Abstract"),
    ("IPTC:Keywords", "iptc", "Keywords"),
    ("IPTC:By-line", "iptc", "By-line"),
    ("IPTC:City", "iptc", "City"),
    ("IPTC:DateCreated", "iptc", "DateCreated"),
    ("XMP-dc:Title", "xmp", "dc:title"),
    ("XMP-dc:Description", "xmp", "dc:description"),
    ("XMP-dc:Creator", "xmp", "dc:creator"),
    ("XMP-dc:Subject", "xmp", "dc:subject"),
    ("XMP-dc:Rights", "xmp", "dc:rights"),
    ("XMP-xmp:Rating", "xmp", "xmp:Rating"),
    ("XMP-xmpRights:UsageTerms", "xmp", "xmpRights:UsageTerms"),
    ("XMP-xmpRights:WebStatement", "xmp", "xmpRights:WebStatement"),
    ("XMP-plus:LicensorName", "xmp", "plus:Licensor[1]/plus:LicensorName"),
    ("XMP-plus:LicensorURL", "xmp", "plus:Licensor[1]/plus:LicensorURL"),
    ("XMP-plus:CopyrightOwnerName", "xmp", "plus:CopyrightOwner[1]/plus:CopyrightOwnerName"),
    ("XMP-plus:LicenseEndDate", "xmp", "plus:LicenseEndDate"),
    ("XMP-photoshop:Credit", "xmp", "photoshop:Credit"),
    ("XMP-iptcCore:Location", "xmp", "Iptc4xmpCore:Location"),
];

fn exiftool(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("exiftool")
        .args(["-charset", "utf8", "-charset", "iptc=utf8"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("exiftool is installed");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn write_into(folder: &Path, name: &str) {
    let mut arguments: Vec<&str> = vec!["-overwrite_original", "-sep", "\u{1}"];
    arguments.extend(WRITTEN);
    arguments.push(name);
    exiftool(folder, &arguments);
}

fn facts(path: &Path) -> Facts {
    let mut file = File::open(path).expect("the file");
    let mut input = Input::new(&mut file).expect("measured");
    let format = sniff(&mut input, path.to_string_lossy().as_bytes()).expect("told");
    decoder::facts(&mut input, format).expect("facts")
}

/// Files of one picture that exiftool can write into.
fn pictures(folder: &Path) -> Vec<&'static str> {
    let studio = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio/v1");
    fs::copy(studio.join("photo/harbour-dusk.jpg"), folder.join("a.jpg")).expect("copied");
    fs::copy(studio.join("web/banner.psd"), folder.join("a.psd")).expect("copied");
    let picture = DynamicImage::from(RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8, y as u8, 90])));
    for (name, format) in
        [("a.png", ImageFormat::Png), ("a.tif", ImageFormat::Tiff), ("a.webp", ImageFormat::WebP)]
    {
        picture.save_with_format(folder.join(name), format).expect("saved");
    }
    vec!["a.jpg", "a.png", "a.tif", "a.webp", "a.psd"]
}

/// The text of a value as both sides write it: dates by ISO 8601.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    };
    let bytes = text.as_bytes();
    let is_date = bytes.len() >= 10 && bytes[4] == b':' && bytes[7] == b':';
    if is_date { format!("{}{}", text[..10].replace(':', "-"), text[10..].replace(' ', "T")) } else { text }
}

fn agrees(field: &Field, value: &Value) -> bool {
    let ours = field.value.strip_suffix("+02:00").unwrap_or(&field.value);
    ours == plain(value)
        || matches!((field.number, value.as_f64()), (Some(ours), Some(theirs)) if (ours - theirs).abs() <= 1e-6)
}

#[test]
fn fields_are_read_as_exiftool_reads_them() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in pictures(folder.path()) {
        write_into(folder.path(), name);
        let told = exiftool(folder.path(), &["-j", "-n", "-G1", name]);
        let told: Value = serde_json::from_slice(&told).expect("JSON");
        let ours = facts(&folder.path().join(name));
        let mut compared = 0;
        for (theirs, group, field) in COMPARED {
            let Some(value) = told[0].get(theirs) else { continue };
            let found = ours.embedded.iter().find(|it| it.group == *group && it.name == *field);
            let found = found.unwrap_or_else(|| panic!("{name}: {theirs} is not read: {:#?}", ours.embedded));
            assert!(agrees(found, value), "{name}: {theirs} is {value}, here {found:?}");
            compared += 1;
        }
        // WebP has no place for IPTC.
        let expected = COMPARED.len() - if name == "a.webp" { 5 } else { 0 };
        assert_eq!(compared, expected, "{name}: {told:#}");
        let taken = ours.embedded.iter().find(|it| it.name == "DateTimeOriginal").expect("a date");
        assert_eq!(taken.value, "2026-05-01T18:30:05+02:00", "{name}");
        let resolution = ours.picture.as_ref().and_then(|picture| picture.resolution).expect("a resolution");
        assert!(resolution.0 > 1.0, "{name}: {resolution:?}");
        assert_eq!(ours.notes, [""; 0], "{name}");
    }
}

#[test]
fn pictures_are_turned_as_their_orientation_says() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in pictures(folder.path()).into_iter().filter(|name| *name != "a.psd") {
        let path = folder.path().join(name);
        let upright = facts(&path).picture.expect("a picture");
        exiftool(folder.path(), &["-overwrite_original", "-IFD0:Orientation#=6", name]);
        let turned = facts(&path).picture.expect("a picture");
        assert_eq!((turned.width, turned.height), (upright.height, upright.width), "{name}");
        assert_eq!(turned.orientation, Some(6), "{name}");
        let mut file = File::open(&path).expect("the file");
        let mut input = Input::new(&mut file).expect("measured");
        let format = sniff(&mut input, name.as_bytes()).expect("told");
        let decoder = decoder::decoder(format).expect("a decoder");
        let drawn =
            decoder.picture(&mut input, format, Wanted { edge: 32 }).expect("decoded").expect("drawn");
        assert_eq!(drawn.width > drawn.height, turned.width > turned.height, "{name}");
    }
}

#[test]
fn what_is_cut_is_left_out_and_never_more() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in pictures(folder.path()) {
        write_into(folder.path(), name);
        let path = folder.path().join(name);
        let whole = fs::read(&path).expect("read");
        let format =
            sniff(&mut Input::new(&mut std::io::Cursor::new(&whole)).expect("measured"), b"").expect("told");
        for part in 0..64 {
            let mut bytes = whole.clone();
            bytes.truncate(whole.len() * part / 64);
            let mut source = std::io::Cursor::new(bytes);
            let mut input = Input::new(&mut source).expect("measured");
            // An error or fewer fields; what matters is that it comes back.
            let _ = decoder::facts(&mut input, format);
        }
    }
}

#[test]
fn sidecars_are_read_beside_the_file_now_and_as_committed() {
    let world = World::new();
    let studio = world.studio();
    let folder = studio.to_path_buf();
    pictures(&folder);
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    exiftool(&folder, &["-o", "a.xmp", "-XMP-dc:Title=First", "-XMP-xmp:Rating=2"]);
    exiftool(&folder, &["-o", "a.jpg.xmp", "-XMP-plus:LicensorName=Harbour Pictures"]);
    world.ok(&["commit", "-m", "Pictures"]);
    exiftool(&folder, &["-overwrite_original", "-XMP-dc:Title=Second", "a.xmp"]);
    let title = |arguments: &[&str]| -> String {
        let report = world.json(arguments);
        let sidecars = report["sidecars"].as_array().expect("a list").clone();
        assert_eq!(sidecars.len(), 2, "{report:#}");
        assert_eq!((&sidecars[0]["path"], &sidecars[1]["path"]), (&"a.xmp".into(), &"a.jpg.xmp".into()));
        let fields = sidecars[0]["fields"].as_array().expect("fields").clone();
        let title = fields.iter().find(|field| field["name"] == "dc:title").expect("a title");
        title["value"].as_str().expect("text").to_owned()
    };
    assert_eq!(title(&["info", "a.jpg"]), "Second");
    assert_eq!(title(&["info", "a.jpg@1"]), "First");
    let shown = world.ok(&["info", "a.jpg"]);
    assert!(shown.contains("Beside it, in a.xmp") && shown.contains("Harbour Pictures"), "{shown}");
}
