//! Decoders as the program runs them: in a process of their own, whatever the file does.

use std::fs::File;
use std::path::{Path, PathBuf};

use pentimento::media::format;
use pentimento::media::input::Input;
use pentimento::media::sniff::sniff;
use pentimento::media::worker::{Limits, WorkerError, Workers};

fn studio(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio").join(path)
}

fn workers(limits: Limits) -> Workers {
    Workers::new(PathBuf::from(env!("CARGO_BIN_EXE_pent")), limits)
}

#[test]
fn every_file_of_the_studio_is_told_for_what_it_is() {
    let expected = [
        ("v1/web/banner.psd", "psd"),
        ("v1/social/card.kra", "kra"),
        ("v1/poster/poster.xcf", "xcf"),
        ("v1/model/lantern.glb", "glb"),
        ("v1/brand/harbour-signal.otf", "otf"),
        ("v1/brand/logo.svg", "svg"),
        ("v1/brand/logo.pdf", "pdf"),
        ("v1/audio/jingle.wav", "wav"),
        ("v1/audio/jingle.ogg", "ogg"),
        ("v1/photo/lantern.png", "png"),
        ("v1/photo/harbour-dusk.jpg", "jpeg"),
        ("v1/video/teaser.mp4", "mp4"),
        ("v1/brief.md", "text"),
    ];
    for (path, id) in expected {
        let mut file = File::open(studio(path)).expect("the fixture");
        let mut input = Input::new(&mut file).expect("measured");
        // A name that lies, for content decides.
        assert_eq!(sniff(&mut input, b"holiday.bmp").expect("told").id, id, "{path}");
    }
}

#[test]
fn facts_and_pictures_come_out_of_a_closed_process() {
    let workers = workers(Limits::default());
    let open = || File::open(studio("v1/photo/lantern.png")).expect("the fixture");
    let facts = workers.facts(open(), &format::PNG).expect("facts");
    let picture = facts.picture.expect("a picture");
    assert_eq!((picture.width, picture.height, picture.alpha), (320, 416, Some(true)));
    let small = workers.picture(open(), &format::PNG, 100).expect("decoded").expect("a picture");
    assert_eq!((small.width, small.height), (77, 100));
    let text = File::open(studio("v1/brief.md")).expect("the fixture");
    assert_eq!(workers.picture(text, &format::OPAQUE, 100).expect("answered"), None);
}

#[test]
fn a_size_that_lies_costs_one_picture_and_says_so() {
    // A PNG file of 400,000 by 250,000 pixels - a hundred thousand millions of them - that holds none.
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x06\x1a\x80\0\x03\xd0\x90\x08\x06\0\0\0".to_vec();
    png.extend(crc32(&png[12..]).to_be_bytes());
    let path = std::env::temp_dir().join(format!("pent-bomb-{}.png", std::process::id()));
    std::fs::write(&path, png).expect("written");
    let fault = workers(Limits::default()).picture(File::open(&path).expect("open"), &format::PNG, 100);
    std::fs::remove_file(&path).expect("removed");
    assert!(matches!(fault, Err(WorkerError::File { .. })), "{fault:?}");
}

#[test]
fn memory_and_answers_are_bounded() {
    let open = || File::open(studio("v1/photo/harbour-dusk.jpg")).expect("the fixture");
    let poor = workers(Limits { memory: 64 << 20, ..Limits::default() });
    let short = workers(Limits { answer: 1000, ..Limits::default() });
    // With too little memory the child may still find its way; it never takes the parent with it.
    let _ = poor.picture(open(), &format::JPEG, 5000);
    assert!(matches!(short.picture(open(), &format::JPEG, 500), Err(WorkerError::Answer(_))));
}

#[test]
fn large_jpeg_pictures_are_made_small_while_they_are_decoded() {
    use image::{ImageFormat, Rgb, RgbImage};
    let large = RgbImage::from_fn(6000, 4000, |x, y| Rgb([(x / 24) as u8, (y / 16) as u8, 90]));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.jpg");
    large.save_with_format(&path, ImageFormat::Jpeg).expect("a picture");
    drop(large);
    // All its pixels take 72 MB, and 96 as they are shown; an eighth of each side takes little.
    let poor = workers(Limits { memory: 128 << 20, ..Limits::default() });
    let open = || File::open(&path).expect("the picture");
    let small = poor.picture(open(), &format::JPEG, 256).expect("an answer").expect("a picture");
    assert_eq!((small.width, small.height), (256, 171));
    assert!(
        poor.picture(open(), &format::JPEG, 6000).is_err(),
        "the bound is not what it takes to have all of it"
    );
}

#[test]
fn large_webp_pictures_are_made_small_while_they_are_decoded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.webp");
    let made = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=6000x4000", "-frames:v", "1"])
        .args(["-c:v", "libwebp", "-quality", "60"])
        .arg(&path)
        .status()
        .expect("ffmpeg");
    assert!(made.success());
    // All its pixels take 36 MB as they are coded, and 96 as they are shown.
    let poor = workers(Limits { memory: 128 << 20, ..Limits::default() });
    let open = || File::open(&path).expect("the picture");
    let small = poor.picture(open(), &format::WEBP, 256).expect("an answer").expect("a picture");
    assert_eq!((small.width, small.height), (256, 171));
    assert!(
        poor.picture(open(), &format::WEBP, 6000).is_err(),
        "the bound is not what it takes to have all of it"
    );
}

/// The checksum of PNG chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (0u32.wrapping_sub(crc & 1))))
    })
}
