//! PDF documents: read as Poppler's tools read them.

use crate::seeing_support::{apart, facts, layers, picture, read_png, said, studio, try_picture};
use pentimento::media::compare::layers::{LayerEdit, compare_layers};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FIRST: &str = "<h1>Harbour Lights</h1><p>Lanterns over the quay, 夜 und Füße.</p>\
    <p style='break-before: page'>Second page: tickets cost 12 €.</p>\
    <p style='break-before: page'>Third page stays as it is.</p>";

/// A document of three pages that a browser printed.
fn printed(folder: &Path, name: &str, body: &str) -> PathBuf {
    let html = folder.join(name).with_extension("html");
    let style =
        "<style>@page { size: 148mm 210mm; margin: 12mm } body { font-family: 'DejaVu Sans' }</style>";
    fs::write(&html, format!("<!doctype html><meta charset=utf-8><title>Harbour</title>{style}{body}"))
        .expect("written");
    let pdf = folder.join(name);
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--print-to-pdf={}", pdf.display()))
        .arg(&html)
        .output()
        .expect("chromium is installed");
    assert!(pdf.is_file(), "{}", String::from_utf8_lossy(&output.stderr));
    pdf
}

fn row<'t>(told: &'t str, name: &str) -> &'t str {
    let row =
        told.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {told}"));
    row.trim()
}

/// The words without the blanks between them: where lines end is a matter of taste.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn pages_fonts_and_text_are_those_of_poppler() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = printed(folder.path(), "programme.pdf", FIRST);
    let ours = facts(&path);
    let told = said("pdfinfo", &[&path]);
    assert_eq!(ours.pages.map(|pages| pages.to_string()).as_deref(), Some(row(&told, "Pages:")));
    let size: Vec<f64> =
        row(&told, "Page size:").split_whitespace().filter_map(|it| it.parse().ok()).collect();
    let page = ours.picture.as_ref().expect("a size");
    assert!(
        (page.width as f64 - size[0]).abs() < 1.0 && (page.height as f64 - size[1]).abs() < 1.0,
        "{page:?} {size:?}"
    );
    let field =
        |name: &str| ours.embedded.iter().find(|field| field.name == name).map(|field| field.value.as_str());
    assert_eq!(field("Title"), Some(row(&told, "Title:")));
    assert_eq!(field("Producer"), Some(row(&told, "Producer:")));
    let text = said("pdftotext", &[path.as_os_str(), "-".as_ref()]);
    assert_eq!(words(ours.text.as_deref().expect("text")), words(&text.replace('\u{c}', " ")));
    let fonts = said("pdffonts", &[&path]);
    for line in fonts.lines().skip(2) {
        let name = line.split_whitespace().next().expect("a name");
        let name = name.split_once('+').map_or(name, |(_, name)| name);
        let found = ours.fonts_used.iter().find(|font| font.name == name);
        assert!(found.is_some_and(|font| font.embedded), "{name} in {:?}", ours.fonts_used);
    }
}

#[test]
fn a_page_looks_as_poppler_draws_it() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, path) in
        [("logo", studio("v1/brand/logo.pdf")), ("printed", printed(folder.path(), "programme.pdf", FIRST))]
    {
        let to = folder.path().join(name);
        said(
            "pdftoppm",
            &[
                "-png".as_ref(),
                "-singlefile".as_ref(),
                "-scale-to".as_ref(),
                "600".as_ref(),
                path.as_os_str(),
                to.as_os_str(),
            ],
        );
        let theirs = read_png(&to.with_extension("png"));
        let ours = picture(&path, 600);
        let ours = ours.resized(theirs.width, theirs.height).expect("of one size");
        assert!(apart(&ours, &theirs) < 2.0, "{name}: {}", apart(&ours, &theirs));
    }
}

#[test]
fn a_change_on_one_page_is_told_of_that_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = layers(&printed(folder.path(), "before.pdf", FIRST));
    let after = layers(&printed(folder.path(), "after.pdf", &FIRST.replace("12 €", "14 €")));
    let changes = compare_layers(&before.layers, &after.layers);
    assert_eq!(changes.len(), 1, "{changes:#?}");
    assert_eq!(changes[0].name, "page 2");
    let texts: Vec<&LayerEdit> =
        changes[0].edits.iter().filter(|edit| matches!(edit, LayerEdit::Text { .. })).collect();
    assert!(matches!(texts[..], [LayerEdit::Text { after, .. }] if after.contains("14 €")), "{changes:#?}");
    let longer = layers(&printed(
        folder.path(),
        "longer.pdf",
        &format!("{FIRST}<p style='break-before: page'>A fourth.</p>"),
    ));
    let changes = compare_layers(&before.layers, &longer.layers);
    assert_eq!(changes.len(), 1, "{changes:#?}");
    assert_eq!((changes[0].name.as_str(), &changes[0].edits[..]), ("page 4", &[LayerEdit::Added][..]));
}

#[test]
fn damaged_and_locked_documents_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = fs::read(studio("v1/brand/logo.pdf")).expect("the document");
    let path = folder.path().join("cut.pdf");
    for part in 1..12 {
        fs::write(&path, &whole[..whole.len() * part / 12]).expect("written");
        // A picture of what is left, or a reason; never more.
        let _ = try_picture(&path, 64);
    }
    fs::write(&path, b"%PDF-1.7\nno document at all\n").expect("written");
    let reason = try_picture(&path, 64).expect_err("no picture").to_string();
    assert!(reason.contains("no PDF document"), "{reason}");
}

/// A document of these objects, numbered from 1, the first of which is its catalogue.
fn written(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        places.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n", number + 1).bytes());
        bytes.extend(object);
        bytes.extend(b"\nendobj\n");
    }
    let table = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    places.iter().for_each(|place| bytes.extend(format!("{place:010} 00000 n \n").bytes()));
    let size = objects.len() + 1;
    bytes.extend(format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n").bytes());
    bytes
}

fn stream(dictionary: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("<< {dictionary} /Length {} >>\nstream\n", content.len());
    [head.as_bytes(), content, b"\nendstream"].concat()
}

/// A page that draws `content`, with more objects from number 5 on.
fn page_with(content: Vec<u8>, resources: &str, more: Vec<Vec<u8>>) -> Vec<u8> {
    let page = format!(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R /Resources << {resources} >> >>"
    );
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        page.into_bytes(),
        content,
    ];
    objects.extend(more);
    written(&objects)
}

/// Zeros, packed so often that a few bytes become very many.
fn bomb(times: usize) -> Vec<u8> {
    use std::io::Write as _;
    let mut bytes = vec![b' '; 64 << 20];
    for _ in 0..times {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&bytes).expect("packed");
        bytes = packer.finish().expect("packed");
    }
    bytes
}

/// Loops, bombs and nesting without end cost their own picture at most: an answer comes in time, whatever it is,
/// and the process that gives it stays within its bounds.
#[test]
fn hostile_documents_keep_within_their_bounds() {
    use pentimento::media::format;
    use pentimento::media::worker::{Limits, Workers};
    let deep = [b"[".repeat(200_000), b"]".repeat(200_000)].concat();
    let form =
        "/Type /XObject /Subtype /Form /BBox [0 0 100 100] /Resources << /XObject << /A 5 0 R /B 6 0 R >> >>";
    let cases: Vec<(&str, Vec<u8>)> = vec![
        (
            "pages that are each other's children",
            written(&[
                b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
                b"<< /Type /Pages /Kids [3 0 R 2 0 R] /Count 99 >>".to_vec(),
                b"<< /Type /Pages /Kids [2 0 R] /Parent 2 0 R /Count 99 >>".to_vec(),
            ]),
        ),
        (
            "forms that draw each other",
            page_with(
                stream("", b"/A Do"),
                "/XObject << /A 5 0 R >>",
                vec![stream(form, b"/B Do /B Do"), stream(form, b"/A Do /A Do")],
            ),
        ),
        (
            "a stream that is its own length",
            page_with(b"<< /Length 4 0 R >>\nstream\n0 0 m\nendstream".to_vec(), "", Vec::new()),
        ),
        ("a bomb", page_with(stream("/Filter [/FlateDecode /FlateDecode]", &bomb(2)), "", Vec::new())),
        (
            "a picture without end",
            page_with(
                stream("", b"100 0 0 100 0 0 cm /I Do"),
                "/XObject << /I 5 0 R >>",
                vec![stream(
                    "/Type /XObject /Subtype /Image /Width 2000000 /Height 2000000 /BitsPerComponent 8 /ColorSpace /DeviceRGB /Filter /FlateDecode",
                    &bomb(1),
                )],
            ),
        ),
        ("lists in lists", page_with(stream("", &deep), "", vec![deep.clone()])),
        ("states on states", page_with(stream("", &b"q ".repeat(3_000_000)), "", Vec::new())),
        (
            "curves without end",
            page_with(
                stream("", &[&b"0 0 m "[..], &b"9 9 8 8 7 7 c ".repeat(400_000), b"S"].concat()),
                "",
                Vec::new(),
            ),
        ),
        (
            "a pattern of itself",
            page_with(
                stream("", b"/Pattern cs /P scn 0 0 100 100 re f"),
                "/Pattern << /P 5 0 R >>",
                vec![stream(
                    "/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 0.001 /YStep 0.001 /Resources << /Pattern << /P 5 0 R >> >>",
                    b"/Pattern cs /P scn 0 0 1 1 re f",
                )],
            ),
        ),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let limits = Limits { seconds: 10, memory: 1 << 30, answer: 16 << 20 };
    let workers = Workers::new(PathBuf::from(env!("CARGO_BIN_EXE_pent")), limits);
    for (name, bytes) in cases {
        let path = folder.path().join("hostile.pdf");
        fs::write(&path, bytes).expect("written");
        let open = || fs::File::open(&path).expect("open");
        let begun = std::time::Instant::now();
        let told = workers.facts(open(), &format::PDF).map(|facts| facts.pages);
        let drawn = workers
            .picture(open(), &format::PDF, 64)
            .map(|it| it.map(|pixels| (pixels.width, pixels.height)));
        assert!(begun.elapsed().as_secs() < 30, "{name} takes {:?}: {told:?}, {drawn:?}", begun.elapsed());
        assert!(
            !matches!(drawn, Ok(Some((width, height))) if width > 64 || height > 64),
            "{name}: {drawn:?}"
        );
    }
    // The one that is sound is drawn as ever.
    fs::write(
        folder.path().join("sound.pdf"),
        page_with(stream("", b"1 0 0 rg 0 0 100 100 re f"), "", Vec::new()),
    )
    .expect("written");
    let sound = picture(&folder.path().join("sound.pdf"), 64);
    assert_eq!(sound.bytes[..3], [255, 0, 0]);
}
