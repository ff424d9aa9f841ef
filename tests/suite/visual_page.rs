//! The page that `--visual` writes, in a browser: every way of comparing, keys, the address, and that it
//! asks for nothing.

mod browser;

use crate::support::World;
use browser::{Browser, DESK, PHONE, View};
use image::{Rgba, RgbaImage};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

const RED: [u8; 3] = [200, 20, 20];
const BLUE: [u8; 3] = [20, 20, 200];

fn plain([red, green, blue]: [u8; 3]) -> Vec<u8> {
    let picture = RgbaImage::from_pixel(300, 200, Rgba([red, green, blue, 255]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a PNG file");
    bytes.into_inner()
}

fn studio(version: &str, name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio");
    fs::read(folder.join(version).join(name)).expect("a fixture")
}

fn write(world: &World, name: &str, bytes: &[u8]) {
    let path = world.studio().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, bytes).expect("a written file");
}

fn world() -> World {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world
}

fn page(world: &World, arguments: &[&str]) -> PathBuf {
    let page = world.home().join("page.html");
    let arguments: Vec<&str> = arguments.iter().chain(&["--out", "../home/page.html"]).copied().collect();
    world.ok(&arguments);
    page
}

/// One picture that turned from red to blue.
fn red_and_blue() -> (World, PathBuf) {
    let world = world();
    write(&world, "flag.png", &plain(RED));
    world.ok(&["commit", "-m", "A red flag"]);
    write(&world, "flag.png", &plain(BLUE));
    world.ok(&["commit", "-m", "A blue flag"]);
    let page = page(&world, &["diff", "--visual", "flag.png@1", "flag.png@2"]);
    (world, page)
}

#[test]
fn every_way_of_comparing_shows_what_it_says() {
    let (_world, page) = red_and_blue();
    let mut browser = Browser::start();
    browser.open(&page, "", DESK);
    browser.until("document.querySelector('.stage').hasAttribute('aria-label')");
    let label = browser.value("document.querySelector('.stage').getAttribute('aria-label')");
    let label = label.as_str().expect("a label");
    for words in
        ["flag.png", "A: Version 1, Anna Lind, Tuesday, 3 March 2026", "B: Version 2", "100% of it changed"]
    {
        assert!(label.contains(words), "{label}");
    }
    // Side by side: the earlier on the left.
    browser.shows(0.25, 0.5, RED);
    browser.shows(0.75, 0.5, BLUE);
    browser.key("2");
    browser.shows(0.4, 0.5, RED);
    browser.shows(0.6, 0.5, BLUE);
    // The divider follows the pointer exactly.
    let width = browser.value("document.querySelector('.stage').clientWidth").as_f64().expect("a width");
    browser.drag((width * 0.5, 300.0), (width * 0.7, 300.0));
    browser.shows(0.66, 0.3, RED);
    browser.shows(0.74, 0.3, BLUE);
    browser.until("location.hash.includes('at=0.7')");
    browser.key("3");
    browser.key("[");
    browser.key("[");
    browser.until("location.hash.includes('at=0.6')");
    // Six parts of blue on four of red.
    browser.shows(0.5, 0.5, [92, 20, 128]);
    browser.assert_quiet();
}

/// The places at which keys lead, as the address has them.
#[test]
fn keys_reach_everything_and_the_address_brings_it_back() {
    let (_world, page) = red_and_blue();
    let mut browser = Browser::start();
    browser.open(&page, "", DESK);
    for (key, address) in [
        ("4", "mode=blink"),
        ("5", "mode=difference"),
        ("]", "threshold=0.04"),
        ("a", "amplify=1"),
        ("e", "antialias=false"),
        ("6", "mode=lens"),
        ("c", "channel=red"),
        ("o", "areas=false"),
        ("x", "b=0"),
        ("+", "zoom="),
        ("ArrowLeft", "x="),
        ("f", "panels=false"),
        ("t", "theme=light"),
    ] {
        browser.key(key);
        browser.until(&format!("location.hash.includes('{address}')"));
    }
    let address = browser.value("location.hash").as_str().expect("an address").to_owned();
    browser.open(&page, &address, DESK);
    browser.until("document.querySelector('.stage').dataset.mode === 'lens'");
    assert_eq!(browser.value("document.documentElement.dataset.theme"), json!("light"));
    assert_eq!(browser.value("document.documentElement.classList.contains('bare')"), json!(true));
    // What makes no sense in an address is passed over.
    browser.open(&page, "#mode=<b>&at=nan&asset=77&zoom=-3&b=99&channel=x&theme=y", DESK);
    assert_eq!(browser.value("document.querySelector('.stage').dataset.mode"), json!("side"));
    // The help names every key, the palette finds by words.
    browser.key("?");
    browser.until("document.querySelector('dialog[open] .keys')");
    assert!(browser.value("document.querySelectorAll('.key').length").as_u64().expect("a count") > 20);
    browser.screenshot("keys");
    browser.key("Escape");
    browser.until("!document.querySelector('dialog')");
    browser.key("/");
    browser.until("document.activeElement.className === 'ask'");
    browser.ask("Input.insertText", json!({ "text": "onion" }));
    browser.until("document.querySelectorAll('.found li').length === 1");
    browser.key("Enter");
    browser.until("document.querySelector('.stage').dataset.mode === 'onion'");
    browser.assert_quiet();
}

#[test]
fn the_earlier_version_shows_through_the_lens() {
    let (_world, page) = red_and_blue();
    let mut browser = Browser::start();
    browser.open(&page, "#mode=swipe&at=0", DESK);
    browser.shows(0.5, 0.5, BLUE);
    let stage = browser.value("(() => { const box = document.querySelector('.stage').getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; })()");
    let side = |index: usize| stage[index].as_f64().expect("a side");
    let middle = (side(0) + side(2) / 2.0, side(1) + side(3) / 2.0);
    browser.mouse("mouseMoved", middle.0, middle.1);
    browser.key_down(" ");
    browser.shows(0.5, 0.5, RED);
    browser.shows(0.5 + 120.0 / side(2), 0.5, BLUE);
    browser.screenshot("lens-held");
    browser.key_up(" ");
    browser.shows(0.5, 0.5, BLUE);
    browser.key("6");
    browser.mouse("mouseMoved", middle.0 + 150.0, middle.1);
    browser.shows(0.5 + 150.0 / side(2), 0.5, RED);
    browser.shows(0.5, 0.5, BLUE);
    // Blinking waits for a key where people want no motion.
    browser.key("4");
    browser.shows(0.5, 0.5, RED);
    browser.key("x");
    browser.shows(0.5, 0.5, BLUE);
    // The difference counts what the program counted.
    browser.key("5");
    browser.until("document.querySelector('.stage').dataset.changed === '60000'");
    browser.shows(0.5, 0.5, [255, 60, 140]);
    browser.key("c");
    browser.until("document.querySelector('select').value === 'red'");
    browser.key("2");
    browser.shows(0.5, 0.5, [20, 20, 20]);
    browser.mouse("mouseMoved", middle.0, middle.1);
    browser.until("document.querySelector('.readout').textContent.includes('#c81414')");
    browser.assert_quiet();
}

#[test]
fn names_that_are_markup_stay_text() {
    let world = world();
    let name = "<img src=x onerror=alert(1)><script>document.title='taken'</script>.png";
    let name = name.replace('/', "");
    write(&world, &name, &plain(RED));
    world.ok(&["commit", "-m", "</script><script>document.title='taken'</script>"]);
    write(&world, &name, &plain(BLUE));
    write(&world, "second.png", &plain(RED));
    world.ok(&["commit", "-m", "<b>bold</b>", "--author", "<i>Eve</i> <eve@example.org>"]);
    let page = page(&world, &["diff", "--visual", "@~1", "@"]);
    let mut browser = Browser::start();
    browser.open(&page, "", DESK);
    browser.until("document.querySelectorAll('.tile').length === 2");
    browser.value("document.querySelector('.tile').click()");
    browser.until("document.querySelector('h1').textContent.includes('onerror')");
    let strange = "document.querySelectorAll('h1 img, .tile img[src=x], b, i, .panel script').length";
    assert_eq!(browser.value(strange), json!(0));
    assert!(browser.value("document.title").as_str().is_some_and(|title| title.ends_with("– Pentimento")));
    assert!(
        browser.value("document.querySelector('.panel').innerText.includes('<b>bold</b>')") == json!(true)
    );
    // A script that something smuggled in is refused by the page's own policy.
    browser.value("(() => { const it = document.createElement('script'); it.textContent = 'window.taken = 1'; document.body.append(it); })()");
    assert_eq!(browser.value("typeof window.taken"), json!("undefined"));
    assert!(
        browser.troubles.iter().any(|trouble| trouble.contains("Content Security Policy")),
        "{:?}",
        browser.troubles
    );
    browser.troubles.clear();
    browser.key("Escape");
    browser.until("!document.querySelector('.gallery').hidden");
    browser.assert_quiet();
}

/// The studio's own pictures: a layered document, a photograph, a render.
#[test]
fn a_document_with_layers_and_a_gallery_of_changes() {
    let world = world();
    let names = ["web/banner.psd", "photo/harbour-dusk.jpg", "photo/lantern.png"];
    for version in ["v1", "v2"] {
        names.iter().for_each(|name| write(&world, name, &studio(version, name)));
        world.ok(&[
            "commit",
            "-m",
            if version == "v1" { "First studio" } else { "After the meeting with the client" },
        ]);
    }
    write(&world, "photo/lantern.png", &studio("v1", "photo/lantern.png"));
    world.ok(&["commit", "-m", "The old lantern again"]);
    write(&world, "photo/lantern.png", &studio("v2", "photo/lantern.png"));
    let all = page(&world, &["diff", "--visual", "@~2", "@~1"]);
    let mut browser = Browser::start();
    for (view, name) in [
        (DESK, "desk-dark"),
        (View { dark: false, ..DESK }, "desk-light"),
        (PHONE, "phone-dark"),
        (View { dark: false, ..PHONE }, "phone-light"),
    ] {
        browser.open(&all, "", view);
        browser.until("document.querySelectorAll('.tile').length === 3");
        browser.screenshot(&format!("gallery-{name}"));
        for (number, asset) in ["dusk", "lantern", "banner"].into_iter().enumerate() {
            browser.open(&all, &format!("#asset={number}"), view);
            browser.until("document.querySelector('.panel .big')");
            browser.screenshot(&format!("{asset}-{name}"));
        }
        let wide = browser.value("document.documentElement.scrollWidth <= innerWidth");
        assert_eq!(wide, json!(true), "nothing is wider than the screen");
    }
    browser.open(&all, "#asset=2", DESK);
    let layers = "[...document.querySelectorAll('.panel .row .name')].map((it) => it.textContent)";
    browser.until(&format!("{layers}.length > 0"));
    assert_eq!(browser.value(layers), json!(["Place", "Tide pattern"]));
    let place =
        "[...document.querySelectorAll('button.row')].find((it) => it.textContent.startsWith('Place'))";
    browser.value(&format!("{place}.click()"));
    browser.until("location.hash.includes('layer=0')");
    assert_eq!(browser.value("document.querySelector('.heading .quiet').textContent"), json!("Place alone"));
    browser.screenshot("layer-alone");
    for (number, mode) in ["swipe", "onion", "blink", "difference", "lens"].into_iter().enumerate() {
        browser.open(&all, &format!("#asset=0&mode={mode}"), DESK);
        browser.mouse("mouseMoved", 500.0 + number as f64, 420.0);
        browser.screenshot(&format!("mode-{mode}"));
    }
    let strip = world.home().join("strip.html");
    world.ok(&["log", "--visual", "photo/lantern.png", "--out", "../home/strip.html"]);
    browser.open(&strip, "", DESK);
    assert_eq!(
        browser.value("document.querySelectorAll('.still').length"),
        json!(0),
        "two versions need no strip"
    );
    browser.assert_quiet();
}

/// However many lines a caption has, the pictures of a row begin and end at one height.
#[test]
fn pictures_of_a_row_stand_in_line_in_a_narrow_window() {
    let world = world();
    for version in ["v1", "v2"] {
        for name in ["brand/palette.css", "social/card.kra", "photo/lantern.png"] {
            write(&world, name, &studio(version, name));
        }
        world.ok(&["commit", "-m", version]);
    }
    let all = page(&world, &["diff", "--visual", "@~1", "@"]);
    let mut browser = Browser::start();
    browser.open(&all, "", View { width: 420, ..PHONE });
    browser.until("document.querySelectorAll('.tile').length === 3");
    let places = "[...document.querySelectorAll('.tile')].map((it) => [it, it.querySelector('.frame'), it.querySelector('.caption')]\
        .map((part) => part.getBoundingClientRect()))";
    let heights = format!("new Set({places}.map(([, , caption]) => caption.height)).size > 1");
    assert_eq!(browser.value(&heights), json!(true), "captions of several heights");
    let rows = format!("new Set({places}.map(([tile]) => tile.top)).size");
    assert_eq!(browser.value(&rows), json!(1), "one row");
    let even = format!(
        "{places}.every(([, frame], at, all) => Math.abs(frame.top - all[0][1].top) < 1 && Math.abs(frame.bottom - all[0][1].bottom) < 1)"
    );
    assert_eq!(browser.value(&even), json!(true));
    browser.screenshot("gallery-narrow");
    browser.assert_quiet();
}

#[test]
fn sound_glyphs_pages_and_elements_say_what_changed() {
    let world = world();
    let names = [
        "audio/jingle.wav",
        "brand/harbour-signal.otf",
        "brand/logo.pdf",
        "brand/logo.svg",
        "social/card.kra",
    ];
    for version in ["v1", "v2"] {
        names.iter().for_each(|name| write(&world, name, &studio(version, name)));
        world.ok(&["commit", "-m", version]);
    }
    let all = page(&world, &["diff", "--visual", "--edge", "480", "@~1", "@"]);
    let mut browser = Browser::start();
    let heading = "[...document.querySelectorAll('.panel h2')].map((it) => it.textContent)";
    for (number, (name, told)) in [
        ("sound", "Sound"),
        ("typeface", "Glyphs"),
        ("document", "Pages"),
        ("drawing", "Layers"),
        ("krita", "Layers"),
    ]
    .into_iter()
    .enumerate()
    {
        browser.open(&all, &format!("#asset={number}"), DESK);
        browser.until(&format!("{heading}.includes('{told}')"));
        browser.screenshot(&format!("{name}-desk"));
    }
    browser.open(&all, "#asset=0", PHONE);
    browser.until("document.querySelectorAll('.lane .changed').length === 2");
    let times = "document.querySelector('.panel .rows .quiet').textContent";
    assert_eq!(browser.value(times), json!("0:02.1 to 0:03.0"));
    browser.screenshot("sound-phone");
    browser.open(&all, "", DESK);
    browser.until("document.querySelectorAll('.tile').length === 5");
    browser.screenshot("families-gallery");
    browser.assert_quiet();
}

#[test]
fn a_history_is_a_film_strip() {
    let world = world();
    for (number, colour) in [RED, [20, 200, 20], BLUE, [200, 200, 20]].into_iter().enumerate() {
        write(&world, "flag.png", &plain(colour));
        world.ok(&["commit", "-m", &format!("Colour {number}")]);
    }
    let page = page(&world, &["log", "--visual", "flag.png"]);
    let mut browser = Browser::start();
    browser.open(&page, "", DESK);
    browser.until("document.querySelectorAll('.still').length === 4");
    browser.shows(0.25, 0.5, BLUE);
    browser.shows(0.75, 0.5, [200, 200, 20]);
    browser.key("p");
    browser.shows(0.25, 0.5, [20, 200, 20]);
    browser.shows(0.75, 0.5, BLUE);
    browser.value("document.querySelectorAll('.still')[1].click()");
    browser.shows(0.75, 0.5, [20, 200, 20]);
    assert_eq!(
        browser.value(
            "document.querySelector('.still.chosen').getAttribute('aria-label').includes('Version 1')"
        ),
        json!(true)
    );
    browser.screenshot("strip");
    browser.open(&page, "", PHONE);
    browser.screenshot("strip-phone");
    browser.assert_quiet();
}

/// Several assets stand beside each other in step, and any two of them are compared like two versions.
#[test]
fn several_assets_stand_side_by_side_and_any_two_are_compared() {
    let world = world();
    let green = [20, 200, 20];
    for (name, colour) in [("one.png", RED), ("two.png", green), ("three.png", BLUE), ("four.png", green)] {
        write(&world, name, &plain(colour));
    }
    let names = ["one.png", "two.png", "three.png", "four.png"];
    let page = page(&world, &[&["diff", "--visual", "--together"][..], &names].concat());
    let mut browser = Browser::start();
    browser.open(&page, "", DESK);
    // Two rows of two.
    for (x, y, colour) in [(0.25, 0.25, RED), (0.75, 0.25, green), (0.25, 0.75, BLUE), (0.75, 0.75, green)] {
        browser.shows(x, y, colour);
    }
    let labels =
        "[...document.querySelectorAll('.stage .label:not([hidden]) .title')].map((it) => it.textContent)";
    browser.until(&format!("{labels}.length === 4"));
    assert_eq!(browser.value(labels), json!(names));
    browser.screenshot("together");
    browser.key("+");
    browser.until("location.hash.includes('zoom=')");
    browser.shows(0.25, 0.75, BLUE);
    // The address brings a pair back.
    browser.open(&page, "#mode=swipe&a=0&b=2", DESK);
    browser.shows(0.4, 0.5, RED);
    browser.shows(0.6, 0.5, BLUE);
    browser.until("document.querySelectorAll('.still').length === 4");
    browser.key("7");
    browser.until("location.hash === '' || !location.hash.includes('swipe')");
    browser.shows(0.75, 0.25, green);
    browser.open(&page, "", View { dark: false, ..PHONE });
    browser.screenshot("together-phone");
    browser.assert_quiet();
    // A history has the same, where somebody asks for it, and a pair has not.
    let (_world, page) = red_and_blue();
    browser.open(&page, "#mode=all", DESK);
    browser.shows(0.25, 0.5, RED);
    assert_eq!(browser.value("document.querySelector('[data-mode=all]').hidden"), json!(true));
}

/// Two films of twelve frames: in the second one a box stands in four of them, and two frames are gone.
#[test]
fn films_are_looked_at_in_step_along_a_line_of_time() {
    let world = world().with("PATH", "/usr/local/bin:/usr/bin:/bin");
    let film = |name: &str, filter: &str| {
        let target = world.home().join(name).display().to_string();
        let output = std::process::Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-nostdin",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=s=320x180:r=12:d=1",
                "-vf",
                filter,
            ])
            .args(["-c:v", "libx264", "-preset", "veryfast", "-crf", "12", "-pix_fmt", "yuv420p", &target])
            .output()
            .expect("the program ffmpeg, which tests of films need");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(&target).expect("the film")
    };
    let edit = "drawbox=x=40:y=40:w=80:h=60:color=0xdd2244:t=fill:enable='between(n,2,5)',select='lt(n,9)+gt(n,10)',setpts=N/12/TB";
    write(&world, "teaser.mp4", &film("a.mp4", "null"));
    world.ok(&["commit", "-m", "First cut"]);
    write(&world, "teaser.mp4", &film("b.mp4", edit));
    world.ok(&["commit", "-m", "With a red box, and shorter"]);
    let page = page(&world, &["diff", "--visual", "@~1", "@"]);
    let mut browser = Browser::start();
    browser.open(&page, "", DESK);
    browser.until("!document.querySelector('.timeline').hidden");
    let now = "document.querySelector('.track').getAttribute('aria-valuenow')";
    // It opens where something changed: in the middle of the box.
    browser.until(&format!("{now} === '3'"));
    browser.until("document.querySelector('.stage').dataset.moment === '3'");
    let [red, green, blue] = browser.pixel(0.38, 0.725);
    assert!(red > 190 && green < 70 && blue < 110, "{:?}", [red, green, blue]);
    browser.screenshot("film-desk");
    assert_eq!(browser.value("document.querySelectorAll('.track rect.changed').length"), json!(1));
    assert_eq!(browser.value("document.querySelectorAll('.track rect.removed').length"), json!(1));
    assert_eq!(browser.value("document.querySelectorAll('.panel button.row').length"), json!(2));
    browser.key(".");
    browser.until(&format!("{now} === '4'"));
    browser.key(",");
    browser.key(",");
    browser.until(&format!("{now} === '2'"));
    browser.key("s");
    browser.until(&format!("{now} === '3'"));
    browser.key("s");
    browser.until("document.querySelector('.missing').textContent.includes('this frame is not there')");
    browser.screenshot("film-gone");
    browser.value("document.querySelector('.track').focus()");
    browser.key("Home");
    browser.until(&format!("{now} === '0'"));
    browser.until("location.hash.includes('moment=0')");
    browser.key("l");
    browser.until("document.querySelector('.play').textContent === 'Stop'");
    browser.until(&format!("{now} === '11'"));
    browser.until("document.querySelector('.play').textContent === 'Play'");
    browser.open(&page, "#moment=3&mode=difference", DESK);
    browser.until("Number(document.querySelector('.stage').dataset.changed) > 1000");
    browser.screenshot("film-difference");
    browser.open(&page, "#moment=3", View { dark: false, ..DESK });
    browser.screenshot("film-light");
    browser.open(&page, "#moment=3", PHONE);
    browser.until("!document.querySelector('.timeline').hidden");
    let wide = browser.value("document.documentElement.scrollWidth <= innerWidth");
    assert_eq!(wide, json!(true), "nothing is wider than the screen");
    browser.screenshot("film-phone");
    browser.assert_quiet();
}

/// A picture of light of one value everywhere.
fn light(value: f32) -> Vec<u8> {
    let picture = image::Rgb32FImage::from_pixel(60, 40, image::Rgb([value; 3]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::DynamicImage::from(picture).write_to(&mut bytes, image::ImageFormat::OpenExr).expect("a file");
    bytes.into_inner()
}

#[test]
fn the_exposure_of_light_is_chosen_by_slider_key_and_address() {
    let world = world();
    write(&world, "sky.exr", &light(0.25));
    world.ok(&["commit", "-m", "Dusk"]);
    write(&world, "sky.exr", &light(4.0));
    world.ok(&["commit", "-m", "Noon"]);
    let page = page(&world, &["diff", "--visual", "sky.exr@1", "sky.exr@2"]);
    let mut browser = Browser::start();
    browser.open(&page, "", DESK);
    // A quarter of white, and what is beyond white.
    browser.shows(0.25, 0.5, [137; 3]);
    browser.shows(0.75, 0.5, [255; 3]);
    for _ in 0..4 {
        browser.key("b");
    }
    browser.until("location.hash.includes('exposure=2')");
    browser.shows(0.25, 0.5, [255; 3]);
    browser.open(&page, "#exposure=-4", DESK);
    browser.until("document.querySelector('.stage').dataset.exposure === '-4'");
    browser.shows(0.75, 0.5, [137; 3]);
    browser.key("d");
    browser.until("location.hash.includes('exposure=-4.5')");
    let slider = "document.querySelector('input[aria-label=\"Exposure\"]')";
    assert_eq!(browser.value(&format!("{slider}.closest('label').hidden")), json!(false));
    browser.value(&format!("{slider}.value = 1, {slider}.dispatchEvent(new Event('input'))"));
    browser.until("location.hash.includes('exposure=1')");
    browser.screenshot("exposure");
    browser.assert_quiet();
    // Pictures that end at white have none to choose.
    let (_world, page) = red_and_blue();
    browser.open(&page, "#exposure=5", DESK);
    browser.shows(0.25, 0.5, RED);
    assert_eq!(browser.value(&format!("{slider}.closest('label').hidden")), json!(true));
    browser.assert_quiet();
}

/// A surface of 64 by 40 pixels in blocks of BC6H, in the form of one number of ten bits for each end of a colour.
fn surface(number: u128) -> Vec<u8> {
    let mut bytes = b"DDS \x7c\0\0\0\x07\x10\0\0\x28\0\0\0\x40\0\0\0".to_vec();
    bytes.resize(76, 0);
    bytes.extend(b"\x20\0\0\0\x04\0\0\0DX10");
    bytes.resize(128, 0);
    bytes.extend([95u32, 3, 0, 1, 0].into_iter().flat_map(u32::to_le_bytes));
    let block = (0..6).fold(3u128, |block, end| block | number << (5 + 10 * end));
    bytes.extend(block.to_le_bytes().repeat(160));
    bytes
}

#[test]
fn surfaces_in_blocks_of_light_have_an_exposure_too() {
    let world = world();
    // Numbers that stand for a quarter of white and for four times as much as white.
    write(&world, "probe.dds", &surface(429));
    world.ok(&["commit", "-m", "Dusk"]);
    write(&world, "probe.dds", &surface(561));
    world.ok(&["commit", "-m", "Noon"]);
    let page = page(&world, &["diff", "--visual", "probe.dds@1", "probe.dds@2"]);
    let mut browser = Browser::start();
    browser.open(&page, "", DESK);
    browser.shows(0.25, 0.5, [137; 3]);
    browser.shows(0.75, 0.5, [255; 3]);
    browser.open(&page, "#exposure=-4", DESK);
    browser.until("document.querySelector('.stage').dataset.exposure === '-4'");
    browser.shows(0.75, 0.5, [137; 3]);
    browser.assert_quiet();
}

#[test]
fn words_that_changed_stand_on_the_page() {
    let world = world();
    write(&world, "brief.rtf", br"{\rtf1 We open in May.\par Bring <b>lamps</b>.\par}");
    world.ok(&["commit", "-m", "May"]);
    write(&world, "brief.rtf", br"{\rtf1 We open in June.\par Bring <b>lamps</b>.\par}");
    world.ok(&["commit", "-m", "June"]);
    let page = page(&world, &["diff", "--visual", "brief.rtf@1", "brief.rtf@2"]);
    let mut browser = Browser::start();
    browser.open(&page, "", DESK);
    browser.until("document.querySelector('.panel .text')");
    let lines = "[...document.querySelectorAll('.panel .text li')].map((it) => it.className + ': ' + it.lastChild.textContent)";
    assert_eq!(
        browser.value(lines),
        json!(["removed: We open in May.", "added: We open in June.", "context: Bring <b>lamps</b>."])
    );
    assert_eq!(
        browser.value("[...document.querySelectorAll('.text mark')].map((it) => it.textContent).join(' ')"),
        json!("May June")
    );
    // What is read is told in lines.
    assert_eq!(browser.value("document.querySelector('.panel .big').textContent"), json!("1 line"));
    assert_eq!(
        browser.value("document.querySelector('.heading .quiet').textContent"),
        json!("1 line changed")
    );
    browser.screenshot("words");
    browser.assert_quiet();
}
