//! Raw pictures, PostScript, InDesign, USD and FBX: what they hold, told as exiftool tells it where it can.

use crate::seeing_support::{apart, facts, picture, read_png, said, studio, try_picture};
use pentimento::media::pixels::Pixels;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use zip::write::SimpleFileOptions;

fn jpeg(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    let bytes = [colour[0], colour[1], colour[2], 255].repeat((width * height) as usize);
    Pixels::new(width, height, bytes).expect("pixels").jpeg(95).expect("a file")
}

/// A file as a camera writes it (DNG): the first directory has a small picture and says who made it, one that hangs
/// on it has the raw pixels, and a larger picture to be looked at lies behind.
fn raw(orientation: u16) -> Vec<u8> {
    let (small, large) = (jpeg(16, 12, [200, 40, 40]), jpeg(160, 120, [40, 160, 60]));
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let (first, below) = (8u32, 8 + 2 + 8 * 12 + 4);
    let texts = below + 2 + 3 * 12 + 4;
    let (make, model) = (b"Harbour Optics\0\0", b"Lantern 1\0");
    let pictures = texts + make.len() as u32 + model.len() as u32;
    let mut bytes = [&b"II*\0"[..], &first.to_le_bytes(), &8u16.to_le_bytes()].concat();
    for row in [
        entry(0x100, 4, 1, 16),
        entry(0x101, 4, 1, 12),
        entry(0x10f, 2, 15, texts),
        entry(0x110, 2, 10, texts + make.len() as u32),
        entry(0x112, 3, 1, u32::from(orientation)),
        entry(0x14a, 4, 1, below),
        entry(0x201, 4, 1, pictures),
        entry(0x202, 4, 1, small.len() as u32),
    ] {
        bytes.extend(row);
    }
    bytes.extend([0; 4]);
    bytes.extend(3u16.to_le_bytes());
    for row in [entry(0x100, 4, 1, 640), entry(0x101, 4, 1, 480), entry(0x103, 3, 1, 7)] {
        bytes.extend(row);
    }
    bytes.extend([0; 4]);
    bytes.extend(make);
    bytes.extend(model);
    bytes.extend(small);
    bytes.extend(large);
    bytes
}

#[test]
fn raw_pictures_show_what_the_camera_put_in() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["held.dng", "held.nef", "held.arw"] {
        let path = folder.path().join(name);
        fs::write(&path, raw(6)).expect("written");
        let found = facts(&path);
        assert_eq!(found.format, "raw");
        let size = found.picture.as_ref().map(|it| (it.width, it.height, it.orientation));
        assert_eq!(size, Some((480, 640, Some(6))), "as it is shown");
        let told = said("exiftool", &["-s3", "-Make", "-Model", &path.display().to_string()]);
        let fields = |name: &str| found.embedded.iter().find(|it| it.name == name).map(|it| it.value.clone());
        let ours = [fields("Make"), fields("Model")].map(Option::unwrap_or_default);
        assert_eq!(told.lines().collect::<Vec<_>>(), ours);
        let drawn = picture(&path, 80);
        assert_eq!((drawn.width, drawn.height), (60, 80), "the larger picture, turned");
        assert!(drawn.bytes[1] > 150 && drawn.bytes[0] < 60, "{:?}", &drawn.bytes[..4]);
    }
    let bare = folder.path().join("bare.dng");
    fs::write(&bare, &raw(1)[..200]).expect("written");
    assert!(try_picture(&bare, 80).is_err());
}

#[test]
fn drawings_that_are_programs_show_the_picture_in_them_and_are_not_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 100\n%%Title: Harbour sign\n%%Creator: Ink 1\n\
        %%EndComments\n(/etc/passwd) (r) file closefile { } loop\n%%EOF\n";
    let tiff = folder.path().join("small.tif");
    image::RgbImage::from_pixel(40, 20, image::Rgb([10, 90, 200])).save(&tiff).expect("saved");
    let tiff = fs::read(&tiff).expect("read");
    let mut bytes = b"\xc5\xd0\xd3\xc6".to_vec();
    for number in [30, text.len(), 0, 0, 30 + text.len(), tiff.len()] {
        bytes.extend((number as u32).to_le_bytes());
    }
    bytes.extend([0xff, 0xff]);
    bytes.extend([text.as_bytes(), &tiff].concat());
    let path = folder.path().join("sign.eps");
    fs::write(&path, bytes).expect("written");
    let found = facts(&path);
    let told = said("exiftool", &["-s3", "-Title", "-Creator", &path.display().to_string()]);
    let fields = |name: &str| found.embedded.iter().find(|it| it.name == name).map(|it| it.value.clone());
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [fields("Title"), fields("Creator")].map(Option::unwrap_or_default)
    );
    assert_eq!(found.picture.as_ref().map(|it| (it.width, it.height)), Some((200, 100)));
    let drawn = picture(&path, 20);
    assert_eq!((drawn.width, drawn.height, drawn.bytes[2]), (20, 10, 200));
    fs::write(&path, text).expect("written");
    let none = try_picture(&path, 20).expect_err("no picture in it").to_string();
    assert!(none.contains("put no picture of it in"), "{none}");
}

#[test]
fn scenes_that_are_packed_say_what_they_contain() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lantern.usdz");
    let mut packed = zip::ZipWriter::new(fs::File::create(&path).expect("created"));
    let plain = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let scene = "#usda 1.0\ndef Mesh \"Glass\"\n{\n int[] faceVertexCounts = [3, 4]\n}\ndef Material \"Brass\"\n{\n\
        asset inputs:file = @brass.png@\n asset inputs:file = @missing.png@\n}\n";
    for (name, content) in [("lantern.usda", scene.as_bytes()), ("brass.png", b"x")] {
        packed.start_file(name, plain).expect("begun");
        packed.write_all(content).expect("written");
    }
    packed.finish().expect("finished");
    let found = facts(&path);
    let scene = found.scene.expect("a scene");
    assert_eq!((found.format.as_str(), scene.meshes, scene.faces), ("usdz", 1, 2));
    assert_eq!((scene.materials, found.contains.len()), (vec!["Brass".to_owned()], 2));
    assert_eq!(found.needs, ["missing.png"]);
}

/// What the installed FFmpeg can do is drawn, what it cannot says so.
#[test]
fn still_pictures_that_are_coded_as_film_are_drawn_by_ffmpeg() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = studio("v1/photo/harbour-dusk.jpg").display().to_string();
    let reference = folder.path().join("reference.png").display().to_string();
    let ffmpeg = |arguments: &[&str]| {
        let output = std::process::Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-y"])
            .args(arguments)
            .output();
        output.expect("ffmpeg is installed").status.success()
    };
    assert!(ffmpeg(&["-i", &source, "-vf", "scale=320:-1", &reference]));
    let expected = read_png(Path::new(&reference));
    let ways: [(&str, &[&str]); 2] = [
        (
            "dusk.avif",
            &[
                "-c:v",
                "libaom-av1",
                "-still-picture",
                "1",
                "-crf",
                "12",
                "-cpu-used",
                "8",
                "-pix_fmt",
                "yuv444p",
            ],
        ),
        ("dusk.jxl", &["-c:v", "libjxl", "-distance", "0.5"]),
    ];
    for (name, how) in ways {
        let path = folder.path().join(name);
        let target = path.display().to_string();
        assert!(ffmpeg(&[&["-i", &reference], how, &[&target]].concat()), "{name} can be made");
        let found = facts(&path).picture.expect("a size");
        assert_eq!(
            (found.width, found.height),
            (u64::from(expected.width), u64::from(expected.height)),
            "{name}"
        );
        let drawn = picture(&path, 320);
        assert!(apart(&drawn, &expected) < 4.0, "{name}: {}", apart(&drawn, &expected));
    }
}

/// Size, frames and length of pictures that move, as exiftool tells them.
#[test]
fn pictures_that_move_are_told_as_exiftool_tells_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let make = |name: &str, how: &[&str]| {
        let path = folder.path().join(name);
        let target = path.display().to_string();
        let source = ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=0.5"];
        let output =
            std::process::Command::new("ffmpeg").args([&source[..], how, &[&target]].concat()).output();
        let output = output.expect("ffmpeg is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path
    };
    let asked = |path: &Path, tag: &str| said("exiftool", &["-s3", "-n", tag, &path.display().to_string()]);
    for (name, how, tag) in [
        ("moves.gif", &[][..], "-FrameCount"),
        ("moves.apng", &["-f", "apng", "-plays", "0"][..], "-AnimationFrames"),
    ] {
        let path = make(name, how);
        let found = facts(&path);
        let picture = found.picture.expect("a size");
        assert_eq!((picture.width, picture.height), (64, 48), "{name}");
        assert_eq!(
            picture.frames.map(|it| it.to_string()).as_deref(),
            Some(asked(&path, tag).trim()),
            "{name}"
        );
        assert!(found.timing.is_some_and(|timing| (timing.seconds - 0.5).abs() < 0.02), "{name}");
    }
    let webp = facts(&make("moves.webp", &["-c:v", "libwebp_anim"]));
    assert_eq!(webp.picture.and_then(|picture| picture.frames), Some(5));
    let still = facts(&make("still.gif", &["-frames:v", "1"]));
    assert_eq!(still.picture.map(|picture| (picture.frames, picture.alpha)), Some((None, Some(false))));
}

/// What blender says of the same scenes stands in `fixtures/README.md`.
#[test]
fn scenes_of_blender_contain_what_blender_counts() {
    let again = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/again").join(name);
    for (name, meshes, vertices, faces) in [
        ("lantern-1.blend", 10, 2604, 2800),
        ("lantern-2.blend", 10, 2604, 2800),
        ("lantern-3.blend", 11, 2612, 2806),
    ] {
        let told = facts(&again(name));
        let scene = told.scene.expect("a scene");
        assert_eq!((scene.meshes, scene.nodes), (meshes, meshes), "{name}");
        assert_eq!((scene.vertices, scene.faces), (vertices, faces), "{name}");
        let mut materials = scene.materials.clone();
        materials.sort_unstable();
        let all = ["Rust", "enamel", "flame", "glass", "wire"];
        assert_eq!(materials, all[usize::from(meshes == 10)..], "{name}");
        let is_edited = meshes == 11;
        assert_eq!(scene.textures, if is_edited { vec!["Salt"] } else { Vec::new() }, "{name}");
        assert_eq!(told.needs, if is_edited { vec!["textures/salt.png"] } else { Vec::new() }, "{name}");
        assert_eq!(told.notes, Vec::<String>::new(), "{name}");
    }
}
