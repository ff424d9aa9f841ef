//! Photoshop documents of our own studio, made with a stock program: what is read of them.

use std::fs::File;
use std::path::{Path, PathBuf};

use pentimento::media::decoder::{self, Wanted};
use pentimento::media::facts::LayerKind;
use pentimento::media::format;
use pentimento::media::input::Input;
use pentimento::media::psd::{self, Document};

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio").join(path)
}

#[test]
fn layers_and_the_whole_are_told() {
    let mut file = File::open(fixture("v2/web/banner.psd")).expect("the fixture");
    let mut input = Input::new(&mut file).expect("measured");
    let facts = decoder::facts(&mut input, &format::PSD).expect("facts");
    let picture = facts.picture.expect("a picture");
    assert!(picture.width > 100 && picture.height > 50, "{picture:?}");
    assert_eq!(picture.colour_space.as_deref(), Some("RGB"));
    assert!(facts.layers.len() >= 2, "{:?}", facts.layers);
    assert!(facts.layers.iter().all(|layer| !layer.name.is_empty()));
    assert!(facts.layers.iter().any(|layer| layer.kind == LayerKind::Pixels));
}

/// The program that made the fixture blends in linear light, which the format does not say and no
/// other reader does; so only what nothing blends must be the same.
#[test]
fn our_own_composite_is_the_merged_picture_where_nothing_blends() {
    for version in ["v1", "v2"] {
        let mut file = File::open(fixture(version).join("web/banner.psd")).expect("the fixture");
        let mut input = Input::new(&mut file).expect("measured");
        let document = Document::read(&mut input).expect("a document");
        let ours = psd::compose(&mut input, &document).expect("composed");
        let merged = psd::merged(&mut input, &document, u32::MAX).expect("merged");
        assert_eq!(ours.left_out, []);
        assert_eq!((ours.canvas.width, ours.canvas.height), (merged.width, merged.height));
        let layers: Vec<_> = document
            .layers
            .iter()
            .filter(|layer| layer.visible)
            .map(|layer| (layer.opacity, psd::render_layer(&mut input, &document, layer).expect("pixels")))
            .collect();
        let mut compared = 0;
        for y in 0..i64::from(merged.height) {
            for x in 0..i64::from(merged.width) {
                let blends = |(opacity, layer): &(u8, psd::Canvas)| {
                    let alpha = layer.at(x, y)[3];
                    alpha != 0 && (alpha != 255 || *opacity != 255)
                };
                if !layers.iter().any(blends) {
                    assert_eq!(ours.canvas.at(x, y), merged.at(x, y), "{version} at {x}, {y}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 10_000, "{version}: {compared}");
    }
}

/// Photoshop writes white where a picture would stand, and says so, unless it is told to keep one.
#[test]
fn a_document_without_its_picture_is_put_together_from_its_layers() {
    let mut bytes = std::fs::read(fixture("v1/web/banner.psd")).expect("the fixture");
    let mut source = std::io::Cursor::new(bytes.clone());
    let document = Document::read(&mut Input::new(&mut source).expect("measured")).expect("a document");
    let merged_at = document.merged_at as usize;
    let (width, height) = (document.header.width as usize, document.header.height as usize);
    bytes.truncate(merged_at);
    bytes.extend([0, 0]);
    bytes.resize(bytes.len() + width * height * usize::from(document.header.channels), 255);
    // The resource of the version, without a picture, before all others.
    let length_at = 26 + 4;
    let length = u32::from_be_bytes([
        bytes[length_at],
        bytes[length_at + 1],
        bytes[length_at + 2],
        bytes[length_at + 3],
    ]);
    let version = b"8BIM\x04\x21\0\0\0\0\0\x06\0\0\0\x01\0\0";
    bytes.splice(length_at + 4..length_at + 4, version.iter().copied());
    bytes[length_at..length_at + 4].copy_from_slice(&(length + version.len() as u32).to_be_bytes());
    let shown = |bytes: &[u8]| {
        let mut source = std::io::Cursor::new(bytes.to_vec());
        let mut input = Input::new(&mut source).expect("measured");
        let decoder = decoder::decoder(&format::PSD).expect("known");
        let picture = decoder.picture(&mut input, &format::PSD, Wanted { edge: 4096 });
        let notes = decoder::facts(&mut input, &format::PSD).expect("facts").notes;
        (picture.expect("decoded").expect("a picture"), notes)
    };
    let (picture, notes) = shown(&bytes);
    assert!(notes[0].contains("without its merged picture"), "{notes:?}");
    let mut source = std::io::Cursor::new(bytes.clone());
    let mut input = Input::new(&mut source).expect("measured");
    let document = Document::read(&mut input).expect("a document");
    let composed = psd::compose(&mut input, &document).expect("composed");
    assert_eq!(picture.bytes, composed.canvas.pixels);
    assert!(picture.bytes.chunks_exact(4).any(|pixel| pixel[0] < 100), "it is not white");
}

#[test]
fn a_smaller_picture_costs_no_more_than_itself() {
    let mut file = File::open(fixture("v1/web/banner.psd")).expect("the fixture");
    let mut input = Input::new(&mut file).expect("measured");
    let decoder = decoder::decoder(&format::PSD).expect("known");
    let picture =
        decoder.picture(&mut input, &format::PSD, Wanted { edge: 64 }).expect("decoded").expect("a picture");
    assert_eq!(picture.width.max(picture.height), 64);
}

#[test]
fn cut_and_flipped_documents_are_errors_and_never_more() {
    let whole = std::fs::read(fixture("v1/web/banner.psd")).expect("the fixture");
    let mut state = 1u64;
    for round in 0..300 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let mut bytes = whole.clone();
        let at = (state >> 33) as usize % bytes.len().min(if round % 2 == 0 { 4096 } else { usize::MAX });
        if round % 3 == 0 {
            bytes.truncate(at)
        } else {
            bytes[at] ^= (state >> 20) as u8 | 1
        }
        let mut source = std::io::Cursor::new(bytes);
        let mut input = Input::new(&mut source).expect("measured");
        if let Ok(document) = Document::read(&mut input) {
            let _ = psd::merged(&mut input, &document, 64);
            for layer in document.layers.iter().take(4) {
                let _ = psd::render_layer(&mut input, &document, layer);
            }
        }
    }
}
