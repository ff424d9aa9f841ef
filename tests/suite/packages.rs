//! Documents that are ZIP files: Krita and OpenRaster layer by layer, and what offices write.

use crate::seeing_support::{apart, facts, layers, open, picture, said, studio, try_picture, workers};
use image::{Rgba, RgbaImage};
use pentimento::media::compare::layers::{LayerEdit, compare_layers};
use pentimento::media::facts::{Facts, LayerKind};
use pentimento::media::pixels::Pixels;
use std::fs::{self, File};
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;

fn member(path: &Path, name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(File::open(path).expect("the file")).expect("a ZIP file");
    let mut bytes = Vec::new();
    archive.by_name(name).expect("a member").read_to_end(&mut bytes).expect("read");
    bytes
}

fn decoded(bytes: &[u8]) -> Pixels {
    let read = image::load_from_memory(bytes).expect("a picture").into_rgba8();
    Pixels::new(read.width(), read.height(), read.into_raw()).expect("pixels")
}

fn zipped(path: &Path, members: &[(&str, &[u8])]) {
    let mut writer = zip::ZipWriter::new(File::create(path).expect("created"));
    for (name, bytes) in members {
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file(*name, options).expect("begun");
        writer.write_all(bytes).expect("written");
    }
    writer.finish().expect("finished");
}

fn field<'f>(facts: &'f Facts, name: &str) -> Option<&'f str> {
    facts.embedded.iter().find(|field| field.name == name).map(|field| field.value.as_str())
}

/// Lays pixels on others, as Krita does in its usual mode.
fn lay(over: &Pixels, opacity: f64, under: &mut Pixels) {
    for (over, under) in over.bytes.chunks_exact(4).zip(under.bytes.chunks_exact_mut(4)) {
        let (a, b) = (f64::from(over[3]) / 255.0 * opacity, f64::from(under[3]) / 255.0);
        let whole = a + b * (1.0 - a);
        for channel in 0..3 {
            let mixed = f64::from(over[channel]) * a + f64::from(under[channel]) * b * (1.0 - a);
            under[channel] = if whole > 0.0 { (mixed / whole).round() as u8 } else { 0 };
        }
        under[3] = (whole * 255.0).round() as u8;
    }
}

#[test]
fn kritas_own_picture_is_what_its_layers_make() {
    for version in ["v1", "v2"] {
        let path = studio(&format!("{version}/social/card.kra"));
        let facts = facts(&path);
        assert_eq!(facts.picture.as_ref().map(|it| (it.width, it.height)), Some((256, 256)));
        assert_eq!(field(&facts, "Title"), Some("Social card"));
        let names: Vec<(&str, u32)> = facts.layers.iter().map(|it| (it.name.as_str(), it.depth)).collect();
        assert_eq!(
            names,
            [
                ("Words", 0),
                ("Date", 1),
                ("Title", 1),
                ("Lantern", 0),
                ("Glow", 0),
                ("Tide pattern", 0),
                ("Night", 0)
            ]
        );
        assert_eq!(facts.layers[0].kind, LayerKind::Group);
        let merged = decoded(&member(&path, "mergedimage.png"));
        assert_eq!(picture(&path, 256), merged, "{version}");
        let mut ours = Pixels::new(256, 256, vec![0; 256 * 256 * 4]).expect("a canvas");
        for at in (0..facts.layers.len()).rev().filter(|at| facts.layers[*at].kind == LayerKind::Pixels) {
            let (file, format) = open(&path);
            let drawn = workers().layer(file, format, at, 256).expect("drawn").expect("pixels");
            lay(&drawn, facts.layers[at].opacity, &mut ours);
        }
        assert!(apart(&ours, &merged) < 0.7, "{version}: {}", apart(&ours, &merged));
    }
}

#[test]
fn the_studios_card_changed_where_its_story_says() {
    let (before, after) = (layers(&studio("v1/social/card.kra")), layers(&studio("v2/social/card.kra")));
    let changes = compare_layers(&before.layers, &after.layers);
    let of = |name: &str| -> Vec<&LayerEdit> {
        changes.iter().filter(|change| change.name == name).flat_map(|change| &change.edits).collect()
    };
    assert!(of("Lantern").iter().any(|edit| matches!(edit, LayerEdit::Pixels { .. })), "{changes:#?}");
    assert!(of("Date").iter().any(|edit| matches!(edit, LayerEdit::Pixels { .. })), "{changes:#?}");
    assert!(
        matches!(of("Tide pattern")[..], [LayerEdit::Opacity { before, after }] if after < before),
        "{changes:#?}"
    );
    assert!(of("Night").is_empty() && of("Title").is_empty() && of("Glow").is_empty(), "{changes:#?}");
}

fn png(width: u32, height: u32, colour: [u8; 4]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbaImage::from_pixel(width, height, Rgba(colour))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("a PNG file");
    bytes.into_inner()
}

fn raster(folder: &Path, name: &str, place: (i32, i32), opacity: &str) -> PathBuf {
    let stack = format!(
        "<image w='40' h='30'><stack><stack name='Marks' opacity='0.8'><layer name='Dot' src='data/dot.png' x='{}' y='{}' \
         composite-op='svg:multiply' opacity='{opacity}'/></stack><layer name='Ground' src='data/ground.png' visibility='hidden'/></stack></image>",
        place.0, place.1
    );
    let path = folder.join(name);
    let (dot, ground, merged) =
        (png(4, 4, [255, 0, 0, 255]), png(40, 30, [9, 9, 99, 255]), png(40, 30, [1, 2, 3, 255]));
    zipped(
        &path,
        &[
            ("mimetype", b"image/openraster"),
            ("stack.xml", stack.as_bytes()),
            ("data/dot.png", &dot),
            ("data/ground.png", &ground),
            ("mergedimage.png", &merged),
        ],
    );
    path
}

#[test]
fn layers_of_openraster_are_told_drawn_and_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = raster(folder.path(), "a.ora", (10, 5), "1");
    let facts = layers(&path);
    let dot = &facts.layers[1];
    assert_eq!(
        (dot.name.as_str(), dot.depth, dot.blend.as_str(), dot.bounds),
        ("Dot", 1, "multiply", (10, 5, 4, 4))
    );
    assert!(!facts.layers[2].visible && (facts.layers[0].opacity - 0.8).abs() < 1e-9);
    assert_eq!(picture(&path, 40).bytes[..4], [1, 2, 3, 255]);
    let (file, format) = open(&path);
    let drawn = workers().layer(file, format, 1, 40).expect("drawn").expect("pixels");
    assert_eq!(drawn.bytes[(5 * 40 + 10) * 4..][..4], [255, 0, 0, 255]);
    assert_eq!(drawn.bytes[(5 * 40 + 9) * 4..][..4], [0; 4]);
    let after = layers(&raster(folder.path(), "b.ora", (13, 5), "0.5"));
    let changes = compare_layers(&facts.layers, &after.layers);
    assert_eq!(changes.len(), 1, "{changes:#?}");
    assert_eq!(
        changes[0].edits,
        [LayerEdit::Opacity { before: 1.0, after: 0.5 }, LayerEdit::Moved { x: 3, y: 0 }]
    );
}

/// Writes a text document, an OpenDocument text and a table with the libraries that Debian has for each.
const WRITE: &str = r"
import sys, docx, openpyxl
from odf.opendocument import OpenDocumentText
from odf.text import P, H
from odf import dc
folder = sys.argv[1]
document = docx.Document()
document.core_properties.title = 'Harbour Lights'
document.core_properties.author = 'Anna \u017dlu\u0165ov\u00e1'
document.core_properties.keywords = 'quay'
document.add_heading('Programme', 1)
document.add_paragraph('Lanterns at ').add_run('dusk \u591c').bold = True
document.add_table(1, 2).cell(0, 1).text = 'Ticket'
document.save(folder + '/a.docx')
text = OpenDocumentText()
text.meta.addElement(dc.Title(text='Harbour Lights'))
text.text.addElement(H(outlinelevel=1, text='Programme'))
text.text.addElement(P(text='Lanterns at dusk \u591c'))
text.save(folder + '/a.odt')
book = openpyxl.Workbook()
book.properties.title = 'Harbour Lights'
book.active['A1'] = 'Lanterns'
book.create_sheet('Second')['B2'] = 'dusk \u591c'
book.save(folder + '/a.xlsx')";

/// A workbook that another program wrote: most of its texts go on over the ends of records.
#[test]
fn a_workbook_of_the_old_form_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/offices/plan.xls");
    let book = facts(&path);
    assert_eq!((book.format.as_str(), book.format_name.as_str()), ("ole", "Excel workbook of the old form"));
    assert_eq!(book.pages, Some(2));
    let mut expected: Vec<String> = Vec::new();
    for row in 0..600 {
        expected.push(format!("Lantern {row} at quay {}", row % 7));
        expected.push(format!("{}Größe {row}", if row % 5 == 0 { "Привет, " } else { "" }));
    }
    expected.push("We open in May.".to_owned());
    assert_eq!(book.text.expect("words").lines().collect::<Vec<_>>(), expected);
    let page = picture(&path, 400);
    assert_eq!(page.width.max(page.height), 400);
    assert!(page.bytes.chunks_exact(4).filter(|pixel| pixel[0] < 200).count() > 200);
}

#[test]
fn titles_and_words_of_office_documents_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    said("/usr/bin/python3", &["-c", WRITE, &folder.path().display().to_string()]);
    let docx = facts(&folder.path().join("a.docx"));
    assert_eq!(docx.format, "docx");
    assert_eq!(
        (field(&docx, "Title"), field(&docx, "Author"), field(&docx, "Keywords")),
        (Some("Harbour Lights"), Some("Anna Žluťová"), Some("quay"))
    );
    assert_eq!(docx.text.as_deref(), Some("Programme\nLanterns at dusk 夜\nTicket"));
    let odt = facts(&folder.path().join("a.odt"));
    assert_eq!((odt.format.as_str(), field(&odt, "Title")), ("odf", Some("Harbour Lights")));
    assert_eq!(odt.text.as_deref(), Some("Programme\nLanterns at dusk 夜"));
    let xlsx = facts(&folder.path().join("a.xlsx"));
    assert_eq!(
        (xlsx.format.as_str(), field(&xlsx, "Title"), xlsx.pages),
        ("xlsx", Some("Harbour Lights"), Some(2))
    );
    assert_eq!(xlsx.text.as_deref(), Some("Lanterns\ndusk 夜"));
    // Without a picture of itself its words stand for it; without either it says so.
    let page = picture(&folder.path().join("a.odt"), 400);
    assert_eq!(page.width.max(page.height), 400);
    assert!(page.bytes.chunks_exact(4).any(|pixel| pixel[0] < 200), "words are drawn");
    let empty = folder.path().join("empty.odt");
    let content =
        b"<office:document-content xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0'/>";
    zipped(&empty, &[("mimetype", b"application/vnd.oasis.opendocument.text"), ("content.xml", content)]);
    let reason = try_picture(&empty, 64).expect_err("no picture").to_string();
    assert!(reason.contains("put no picture"), "{reason}");
}

#[test]
fn books_and_studio_files_have_their_covers() {
    let folder = tempfile::tempdir().expect("a folder");
    let epub = folder.path().join("a.epub");
    let package = "<package><metadata><title>Harbour</title><creator>Anna</creator></metadata><manifest>\
        <item id='c' href='pic/cover.png' properties='cover-image'/><item id='one' href='one.xhtml'/></manifest>\
        <spine><itemref idref='one'/></spine></package>";
    let chapter = "<!DOCTYPE html><html><head><style>p{}</style></head><body><h1>First</h1><p>Once &amp; again.</p></body></html>";
    let container = "<container><rootfiles><rootfile full-path='OPS/book.opf'/></rootfiles></container>";
    let cover = png(30, 40, [200, 10, 10, 255]);
    zipped(
        &epub,
        &[
            ("mimetype", b"application/epub+zip"),
            ("META-INF/container.xml", container.as_bytes()),
            ("OPS/book.opf", package.as_bytes()),
            ("OPS/one.xhtml", chapter.as_bytes()),
            ("OPS/pic/cover.png", &cover),
        ],
    );
    let book = facts(&epub);
    assert_eq!((field(&book, "Title"), field(&book, "Author")), (Some("Harbour"), Some("Anna")));
    assert_eq!(book.text.as_deref(), Some("First\nOnce & again."));
    let drawn = picture(&epub, 40);
    assert_eq!((drawn.width, drawn.height), (30, 40));
    let sketch = folder.path().join("a.sketch");
    let meta = br#"{"app":"com.bohemiancoding.sketch3","pagesAndArtboards":{"1":{"name":"Page 1","artboards":{"2":{"name":"Home"}}}}}"#;
    zipped(
        &sketch,
        &[
            ("document.json", b"{}"),
            ("meta.json", meta),
            ("previews/preview.png", &png(64, 48, [1, 2, 3, 255])),
        ],
    );
    let told = facts(&sketch);
    assert_eq!(
        (told.format.as_str(), told.pages, told.text.as_deref()),
        ("sketch", Some(1), Some("Page 1\nHome"))
    );
    assert_eq!(picture(&sketch, 64).width, 64);
}

#[test]
fn files_that_unpack_without_end_and_names_that_lead_outside_do_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bomb.odt");
    let mut writer = zip::ZipWriter::new(File::create(&path).expect("created"));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file("mimetype", stored).expect("begun");
    writer.write_all(b"application/vnd.oasis.opendocument.text").expect("written");
    writer.start_file("content.xml", SimpleFileOptions::default()).expect("begun");
    for _ in 0..100 {
        writer.write_all(&vec![b' '; 1 << 20]).expect("written");
    }
    writer.finish().expect("finished");
    assert!(fs::metadata(&path).expect("there").len() < 1 << 20);
    let (file, format) = open(&path);
    let reason = workers().facts(file, format).expect_err("too long").to_string();
    assert!(reason.contains("too long"), "{reason}");
    let outside = folder.path().join("outside.zip");
    zipped(&outside, &[("../../escape.txt", b"x"), ("/etc/escape", b"x")]);
    let told = facts(&outside);
    assert_eq!(told.contains.len(), 2);
    assert!(!folder.path().join("../../escape.txt").exists());
}

#[test]
fn layers_of_gimp_are_told_drawn_and_compared() {
    let path = studio("v1/poster/poster.xcf");
    let before = layers(&path);
    assert_eq!(before.layers.len(), 9, "{:?}", before.layers);
    assert!(before.layers.iter().filter(|layer| layer.kind == LayerKind::Text).count() == 5);
    let after = layers(&studio("v2/poster/poster.xcf"));
    let changes = compare_layers(&before.layers, &after.layers);
    let of = |name: &str| -> Vec<&LayerEdit> {
        changes.iter().filter(|change| change.name == name).flat_map(|change| &change.edits).collect()
    };
    assert_eq!(of("Tender repaint"), [&LayerEdit::Visibility { visible: true }], "{changes:#?}");
    assert!(
        matches!(of("Lamp glow")[..], [LayerEdit::Opacity { before, after }] if (before - 0.35).abs() < 0.01 && (after - 0.9).abs() < 0.01),
        "{changes:#?}"
    );
    for name in ["Date", "Place"] {
        assert_eq!(of(name), [&LayerEdit::Moved { x: 0, y: -20 }], "{changes:#?}");
    }
    assert_eq!(changes.len(), 4, "{changes:#?}");
    let drawn = picture(&path, 4096);
    let told = before.picture.expect("a size");
    assert_eq!((u64::from(drawn.width), u64::from(drawn.height)), (told.width, told.height));
    assert!(drawn.bytes.chunks_exact(4).all(|pixel| pixel[3] == 255), "the ground covers all of it");
}
