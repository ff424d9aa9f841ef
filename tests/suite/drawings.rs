//! SVG drawings: what is told of them, how they look, and what they cannot reach.

use crate::seeing_support::{apart, facts, layers, picture, read_png, studio, try_picture};
use pentimento::media::compare::layers::{LayerEdit, compare_layers};
use pentimento::media::facts::LayerKind;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn drawing(folder: &Path, name: &str, svg: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, svg).expect("written");
    path
}

#[test]
fn elements_and_words_are_told() {
    let facts = facts(&studio("v1/brand/logo.svg"));
    let picture = facts.picture.expect("a size");
    assert_eq!((picture.width, picture.height), (720, 240));
    let find = |name: &str| facts.layers.iter().find(|layer| layer.name == name).expect("an element");
    assert_eq!((find("emblem").kind, find("emblem").depth), (LayerKind::Group, 0));
    assert_eq!((find("lamp").kind, find("lamp").depth), (LayerKind::Shape, 2));
    // What is drawn last comes first.
    assert_eq!(facts.layers[0].name, "name");
    assert_eq!(facts.embedded[0].value, "Harbour Lights");
    assert_eq!(facts.notes, [""; 0]);
}

#[test]
fn a_drawing_looks_as_a_browser_draws_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let svg = fs::read_to_string(studio("v1/brand/logo.svg")).expect("the drawing");
    let page = format!(
        "<!doctype html><style>body{{margin:0}}svg{{display:block}}</style>{}",
        &svg[svg.find("<svg").expect("an element")..]
    );
    let (html, png) = (folder.path().join("page.html"), folder.path().join("page.png"));
    fs::write(&html, page).expect("written");
    let status = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=720,240"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--screenshot={}", png.display()))
        .arg(&html)
        .output()
        .expect("chromium is installed");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let theirs = read_png(&png);
    let mut ours = picture(&studio("v1/brand/logo.svg"), 720);
    // The browser draws on white.
    for pixel in ours.bytes.chunks_exact_mut(4) {
        let alpha = u32::from(pixel[3]);
        for value in &mut pixel[..3] {
            *value = ((u32::from(*value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        }
        pixel[3] = 255;
    }
    assert!(apart(&ours, &theirs) < 1.0, "{}", apart(&ours, &theirs));
}

#[test]
fn the_studios_logo_changed_where_its_story_says() {
    let (before, after) = (layers(&studio("v1/brand/logo.svg")), layers(&studio("v2/brand/logo.svg")));
    let changes = compare_layers(&before.layers, &after.layers);
    let redrawn: Vec<&str> = changes
        .iter()
        .filter(|change| change.edits.iter().any(|edit| matches!(edit, LayerEdit::Pixels { .. })))
        .map(|change| change.name.as_str())
        .collect();
    assert!(redrawn.contains(&"light") && redrawn.contains(&"lights"), "{changes:#?}");
    assert!(
        !redrawn.contains(&"tower") && !redrawn.contains(&"shaft") && !redrawn.contains(&"harbour"),
        "{redrawn:?}"
    );
}

#[test]
fn a_drawing_opens_no_file_and_asks_no_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let red = folder.path().join("red.png");
    image::RgbaImage::from_pixel(8, 8, image::Rgba([255, 0, 0, 255])).save(&red).expect("saved");
    let href = [
        red.display().to_string(),
        format!("file://{}", red.display()),
        "http://127.0.0.1:9/red.png".into(),
        "red.png".into(),
    ];
    let images: String =
        href.iter().map(|href| format!("<image href='{href}' width='100' height='100'/>")).collect();
    let svg = format!("<svg xmlns='http://www.w3.org/2000/svg' width='100' height='100'>{images}</svg>");
    let path = drawing(folder.path(), "local.svg", &svg);
    let drawn = picture(&path, 64);
    assert!(drawn.bytes.chunks_exact(4).all(|pixel| pixel[3] == 0), "something was drawn");
    let facts = facts(&path);
    assert_eq!(facts.needs.len(), 4, "{:?}", facts.needs);
    assert!(facts.notes.iter().any(|note| note.contains("other files")), "{:?}", facts.notes);
    // One that it carries itself is drawn.
    let bytes = fs::read(&red).expect("read");
    let data = <base64ct::Base64 as base64ct::Encoding>::encode_string(&bytes);
    let svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><image href='data:image/png;base64,{data}' width='9' height='9'/></svg>"
    );
    let drawn = picture(&drawing(folder.path(), "own.svg", &svg), 9);
    assert_eq!(drawn.bytes[4 * 40..4 * 40 + 4], [255, 0, 0, 255]);
}

#[test]
fn drawings_without_end_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrap =
        |body: &str| format!("<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'>{body}</svg>");
    let deep = wrap(&format!("{}{}", "<g>".repeat(200_000), "</g>".repeat(200_000)));
    let own = wrap("<g id='a'><use href='#a'/><use href='#b'/></g><g id='b'><use href='#a'/></g>");
    let many: String = (1..30)
        .map(|at| format!("<g id='g{at}'><use href='#g{0}'/><use href='#g{0}'/></g>", at - 1))
        .collect();
    let many = wrap(&format!("<g id='g0'><rect width='1' height='1'/></g>{many}"));
    let entities = format!(
        "<!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'>{}]><svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><text>&e9;</text></svg>",
        (0..10)
            .map(|at| format!(
                "<!ENTITY e{at} '{}'>",
                if at == 0 { "&a;".repeat(10) } else { format!("&e{};", at - 1).repeat(10) }
            ))
            .collect::<String>()
    );
    for (name, svg) in [("deep.svg", deep), ("many.svg", many), ("entities.svg", entities)] {
        let answer = try_picture(&drawing(folder.path(), name, &svg), 32);
        assert!(answer.is_err(), "{name}: {answer:?}");
    }
    // What shows itself is left out by the drawing's own rules.
    assert!(try_picture(&drawing(folder.path(), "own.svg", &own), 32).is_ok());
}

#[test]
fn a_typeface_that_the_drawing_carries_is_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let font = fs::read(studio("v1/brand/harbour-signal.otf")).expect("the typeface");
    let data = <base64ct::Base64 as base64ct::Encoding>::encode_string(&font);
    let text =
        |family: &str| format!("<text x='4' y='70' font-size='64' font-family='{family}'>HARBOUR</text>");
    let svg = |style: &str, family: &str| {
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='420' height='90'><style>{style}</style>{}</svg>",
            text(family)
        )
    };
    let style = format!("@font-face {{ font-family: 'Ours'; src: url(data:font/otf;base64,{data}) }}");
    let carried = drawing(folder.path(), "carried.svg", &svg(&style, "Ours"));
    let without = drawing(folder.path(), "without.svg", &svg("", "Ours"));
    let (one, other) = (picture(&carried, 420), picture(&without, 420));
    assert!(one.bytes.chunks_exact(4).any(|pixel| pixel[3] > 0), "nothing was drawn");
    assert!(apart(&one, &other) > 1.0, "both look the same");
    let facts = facts(&carried);
    assert_eq!(facts.text.as_deref(), Some("HARBOUR"));
    assert!(facts.fonts_used[0].embedded, "{:?}", facts.fonts_used);
}
