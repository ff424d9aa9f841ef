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
