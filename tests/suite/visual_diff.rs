//! Synthetic edits with a known truth: each is found, and nothing else is reported.

use crate::support::World;
use image::{Rgba, RgbaImage};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A layer of a document that is written here.
#[derive(Clone)]
struct Layer {
    name: &'static str,
    id: u32,
    place: (i32, i32),
    picture: RgbaImage,
    opacity: u8,
    visible: bool,
    blend: &'static [u8; 4],
}

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;

fn layer(name: &'static str, id: u32, place: (i32, i32), picture: RgbaImage) -> Layer {
    Layer { name, id, place, picture, opacity: 255, visible: true, blend: b"norm" }
}

fn disc(radius: u32, colour: [u8; 4]) -> RgbaImage {
    RgbaImage::from_fn(2 * radius, 2 * radius, |x, y| {
        let [x, y] = [x, y].map(|value| value as f32 + 0.5 - radius as f32);
        let cover = (radius as f32 - (x * x + y * y).sqrt()).clamp(0.0, 1.0);
        Rgba([colour[0], colour[1], colour[2], (f32::from(colour[3]) * cover) as u8])
    })
}

/// The same picture as another program may write it: with a wider border and other hidden colours.
fn written_anew(layer: &Layer, id: u32) -> Layer {
    let mut wider =
        RgbaImage::from_pixel(layer.picture.width() + 6, layer.picture.height() + 9, Rgba([9, 99, 199, 0]));
    for (x, y, pixel) in layer.picture.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[3] > 0) {
        wider.put_pixel(x + 2, y + 5, *pixel);
    }
    Layer { id, place: (layer.place.0 - 2, layer.place.1 - 5), picture: wider, ..layer.clone() }
}

/// A document with these layers, the lowest first, by the format's specification.
fn document(layers: &[Layer]) -> Vec<u8> {
    let mut merged = RgbaImage::from_pixel(WIDTH, HEIGHT, Rgba([255, 255, 255, 255]));
    for layer in layers.iter().filter(|layer| layer.visible) {
        for (x, y, pixel) in layer.picture.enumerate_pixels() {
            let (x, y) = (layer.place.0 + x as i32, layer.place.1 + y as i32);
            if x < 0 || y < 0 || x >= WIDTH as i32 || y >= HEIGHT as i32 {
                continue;
            }
            let share = f32::from(pixel.0[3]) / 255.0 * f32::from(layer.opacity) / 255.0;
            let under = merged.get_pixel_mut(x as u32, y as u32);
            for channel in 0..3 {
                let mixed = f32::from(under.0[channel]) * (1.0 - share) + f32::from(pixel.0[channel]) * share;
                under.0[channel] = mixed.round() as u8;
            }
        }
    }
    let mut info = (layers.len() as i16).to_be_bytes().to_vec();
    let mut pixels = Vec::new();
    for layer in layers {
        let (width, height) = (layer.picture.width() as i32, layer.picture.height() as i32);
        let (left, top) = layer.place;
        for side in [top, left, top + height, left + width] {
            info.extend(side.to_be_bytes());
        }
        info.extend(4u16.to_be_bytes());
        for channel in [-1i16, 0, 1, 2] {
            info.extend(channel.to_be_bytes());
            info.extend((2 + (width * height) as u32).to_be_bytes());
            pixels.extend([0, 0]);
            let place = if channel == -1 { 3 } else { channel as usize };
            pixels.extend(layer.picture.pixels().map(|pixel| pixel.0[place]));
        }
        info.extend(b"8BIM");
        info.extend(layer.blend);
        info.extend([layer.opacity, 0, if layer.visible { 8 } else { 10 }, 0]);
        let mut extra = vec![0; 8];
        extra.push(layer.name.len() as u8);
        extra.extend(layer.name.as_bytes());
        extra.resize(extra.len().next_multiple_of(4), 0);
        extra.extend(b"8BIMlyid\0\0\0\x04");
        extra.extend(layer.id.to_be_bytes());
        info.extend((extra.len() as u32).to_be_bytes());
        info.extend(extra);
    }
    info.extend(pixels);
    info.resize(info.len().next_multiple_of(2), 0);
    let mut bytes = b"8BPS\0\x01\0\0\0\0\0\0\0\x03".to_vec();
    bytes.extend(HEIGHT.to_be_bytes());
    bytes.extend(WIDTH.to_be_bytes());
    bytes.extend([0, 8, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend((info.len() as u32 + 8).to_be_bytes());
    bytes.extend((info.len() as u32).to_be_bytes());
    bytes.extend(info);
    bytes.extend([0; 4]);
    bytes.extend([0, 0]);
    for channel in 0..3 {
        bytes.extend(merged.pixels().map(|pixel| pixel.0[channel]));
    }
    bytes
}

fn layers() -> Vec<Layer> {
    vec![
        layer("ground", 1, (0, 0), RgbaImage::from_pixel(WIDTH, HEIGHT, Rgba([230, 225, 210, 255]))),
        layer("sun", 2, (20, 10), disc(14, [230, 120, 40, 255])),
        layer("boat", 3, (90, 70), disc(20, [40, 60, 90, 255])),
        layer("mark", 4, (60, 40), disc(6, [10, 10, 10, 255])),
    ]
}

fn png(picture: &RgbaImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a PNG file");
    bytes.into_inner()
}

fn write(world: &World, name: &str, bytes: &[u8]) {
    fs::write(world.studio().join(name), bytes).expect("a written file");
}

fn world() -> World {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world
}

/// What `diff --visual` says of one file that was `before` and is `after`.
fn looked(name: &str, before: &[u8], after: &[u8]) -> Value {
    let world = world();
    write(&world, name, before);
    world.ok(&["commit", "-m", "Before"]);
    write(&world, name, after);
    let report = world.json(&["diff", "--visual"]);
    assert_eq!(report["without_picture"], json!([]), "{report}");
    report["files"][0].clone()
}

/// The edits of layers as `name: edit, edit`.
fn edits(file: &Value) -> Vec<String> {
    let layers = file["layers"].as_array().expect("layers");
    layers
        .iter()
        .map(|layer| {
            let edits: Vec<&str> = layer["edits"]
                .as_array()
                .expect("edits")
                .iter()
                .filter_map(|edit| edit["edit"].as_str())
                .collect();
            format!("{}: {}", layer["name"].as_str().unwrap_or_default(), edits.join(", "))
        })
        .collect()
}

fn boxes(value: &Value) -> Vec<[u64; 4]> {
    let regions = value.as_array().expect("regions");
    regions
        .iter()
        .map(|it| ["x", "y", "width", "height"].map(|key| it[key].as_u64().expect("a number")))
        .collect()
}

#[test]
fn a_layer_that_moved_is_that_and_nothing_else() {
    let before = layers();
    let mut after = before.clone();
    after[1].place = (32, 7);
    let file = looked("poster.psd", &document(&before), &document(&after));
    assert_eq!(edits(&file), ["sun: moved"]);
    assert_eq!(file["layers"][0]["edits"][0], json!({ "edit": "moved", "x": 12, "y": -3 }));
    let [region] = boxes(&file["picture"]["regions"])[..] else { panic!("{file}") };
    // It left one place and came to the other; no pixel beyond both differs.
    assert!(
        region[0] >= 20 && region[1] >= 7 && region[0] + region[2] <= 60 && region[1] + region[3] <= 38,
        "{region:?}"
    );
}

#[test]
fn what_saving_again_changes_is_not_reported() {
    let before = layers();
    let after: Vec<Layer> =
        before.iter().enumerate().map(|(at, it)| written_anew(it, 40 - at as u32)).collect();
    let file = looked("poster.psd", &document(&before), &document(&after));
    assert_eq!(edits(&file), Vec::<String>::new());
    assert_eq!(file["picture"]["changed_pixels"], json!(0));
    assert_eq!(file["picture"]["similarity"], json!(1.0));
    // The edit is seen through the noise.
    let mut edited = after;
    edited[2].opacity = 128;
    edited[3].blend = b"mul ";
    let file = looked("poster.psd", &document(&before), &document(&edited));
    assert_eq!(edits(&file), ["mark: blend", "boat: opacity"]);
}

#[test]
fn a_glyph_redrawn_in_one_layer_is_found_there() {
    let before = layers();
    let mut after = before.clone();
    for y in 8..12 {
        for x in 4..10 {
            after[3].picture.put_pixel(x, y - 4, Rgba([200, 30, 30, 255]));
        }
    }
    let file = looked("poster.psd", &document(&before), &document(&after));
    assert_eq!(edits(&file), ["mark: pixels"]);
    assert_eq!(boxes(&file["layers"][0]["edits"][0]["regions"]), [[64, 44, 6, 4]]);
    assert_eq!(boxes(&file["picture"]["regions"]), [[64, 44, 6, 4]]);
}

#[test]
fn layers_that_come_go_and_hide_are_told() {
    let before = layers();
    let mut after = before.clone();
    after.remove(3);
    after[1].visible = false;
    after[2].name = "ship";
    after.push(layer("star", 9, (5, 90), disc(5, [250, 220, 90, 255])));
    let file = looked("poster.psd", &document(&before), &document(&after));
    assert_eq!(edits(&file), ["star: added", "ship: renamed", "sun: visibility", "mark: removed"]);
    let mut swapped = before.clone();
    swapped.swap(2, 3);
    let file = looked("poster.psd", &document(&before), &document(&swapped));
    assert_eq!(file["layers"].as_array().map(Vec::len), Some(1), "{file}");
    assert_eq!(file["layers"][0]["edits"], json!([{ "edit": "reordered" }]));
}

#[test]
fn a_recoloured_region_of_a_picture_is_found_where_it_is() {
    let before = RgbaImage::from_fn(400, 300, |x, y| Rgba([(x / 2) as u8, (y / 2) as u8, 90, 255]));
    let mut after = before.clone();
    for y in 120..150 {
        for x in 200..260 {
            after.get_pixel_mut(x, y).0[2] = 190;
        }
    }
    let file = looked("photo.png", &png(&before), &png(&after));
    assert_eq!(boxes(&file["picture"]["regions"]), [[200, 120, 60, 30]]);
    assert_eq!(file["picture"]["changed_pixels"], json!(1800));
    assert_eq!(file["picture"]["changed_percent"], json!(1.5));
    assert_eq!(file["alignment"], json!("same"));
}

/// One colour written in two spaces: the bytes differ and the picture does not.
#[test]
fn colours_are_compared_and_not_their_numbers() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().expect("a profile");
    let wide = moxcms::ColorProfile::new_from_slice(&profile).expect("the same");
    let (srgb, layout) = (moxcms::ColorProfile::new_srgb(), moxcms::Layout::Rgb);
    let transform =
        wide.create_transform_8bit(layout, &srgb, layout, Default::default()).expect("a transform");
    let numbers: Vec<u8> =
        (0..64 * 64u32).flat_map(|at| [100 + (at % 64) as u8 * 2, 60, 90 - (at / 64) as u8]).collect();
    let mut colours = vec![0; numbers.len()];
    transform.transform(&numbers, &mut colours).expect("turned");
    let written = |colours: &[u8], profile: Option<Vec<u8>>| {
        use image::ImageEncoder as _;
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        if let Some(profile) = profile {
            encoder.set_icc_profile(profile).expect("a profile");
        }
        encoder.write_image(colours, 64, 64, image::ExtendedColorType::Rgb8).expect("written");
        bytes
    };
    let tagged = written(&numbers, Some(profile));
    let file = looked("photo.png", &written(&colours, None), &tagged);
    assert_eq!(file["picture"]["changed_pixels"], json!(0), "{file}");
    assert!(
        file["facts"]
            .as_array()
            .is_some_and(|facts| facts.iter().any(|fact| fact["name"] == "colour profile")),
        "{file}"
    );
    let untagged = looked("photo.png", &written(&colours, None), &written(&numbers, None));
    assert!(untagged["picture"]["changed_pixels"].as_u64().is_some_and(|count| count > 100), "{untagged}");
}

#[test]
fn another_size_is_said_and_compared_all_the_same() {
    let large = RgbaImage::from_fn(400, 200, |x, y| Rgba([(x / 2) as u8, y as u8, 90, 255]));
    let small = image::imageops::resize(&large, 200, 100, image::imageops::FilterType::Triangle);
    let file = looked("photo.png", &png(&large), &png(&small));
    assert_eq!(file["alignment"], json!("scaled"));
    assert_eq!(file["picture"]["changed_pixels"], json!(0), "{file}");
    assert_eq!(file["facts"][0]["name"], json!("size in pixels"));
    let mut wider = RgbaImage::from_pixel(440, 200, Rgba([255, 0, 0, 255]));
    image::imageops::replace(&mut wider, &large, 0, 0);
    let file = looked("photo.png", &png(&large), &png(&wider));
    assert_eq!(file["alignment"], json!("top-left"));
    assert_eq!(boxes(&file["picture"]["regions"]), [[400, 0, 40, 200]]);
}

#[test]
fn the_difference_is_saved_and_what_has_no_picture_is_named() {
    let world = world();
    write(&world, "photo.png", &png(&RgbaImage::from_pixel(40, 30, Rgba([10, 10, 10, 255]))));
    write(&world, "notes.bin", b"\0one");
    world.ok(&["commit", "-m", "Before"]);
    write(&world, "photo.png", &png(&RgbaImage::from_pixel(40, 30, Rgba([200, 10, 10, 255]))));
    write(&world, "notes.bin", b"\0two");
    world.ok(&["commit", "-m", "After"]);
    let several = world.pent(&["diff", "--visual", "@~1", "@", "--png", "d.png"]);
    assert_eq!(several.code, 2, "{several:?}");
    world.ok(&["diff", "--visual", "@~1", "@", "photo.png", "--png", "d.png"]);
    let saved = image::open(world.studio().join("d.png")).expect("a picture").to_rgb8();
    assert_eq!((saved.dimensions(), saved.get_pixel(20, 15).0), ((40, 30), [222, 0, 96]));
    let again = world.pent(&["diff", "--visual", "@~1", "@", "photo.png", "--png", "d.png"]);
    assert_ne!(again.code, 0, "nothing is written over");
    let report = world.json(&["diff", "--visual", "@~1", "@"]);
    assert_eq!(report["without_picture"][0]["path"], json!("notes.bin"));
    assert_eq!(report["files"][0]["before"]["version"], json!(1));
    assert_eq!(report["files"][0]["after"]["version"], json!(2));
    assert_eq!(report["written"], Value::Null);
    let said = world.ok(&["diff", "--visual", "@~1", "@"]);
    assert!(
        said.contains("photo.png  100% changed in 1 area") && said.contains("Look at it in a browser: "),
        "{said}"
    );
    let kept = world.studio().join(".pent/visual");
    for _ in 0..14 {
        world.ok(&["diff", "--visual", "@~1", "@", "photo.png"]);
    }
    assert_eq!(fs::read_dir(kept).expect("a folder").count(), 12);
}

/// Whatever the file, the comparison ends with a reason.
#[test]
fn damaged_files_cost_their_own_picture() {
    let world = world();
    let whole = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio/v1/web/banner.psd"))
        .expect("a fixture");
    write(&world, "a.psd", &whole);
    write(&world, "b.png", &png(&RgbaImage::from_pixel(40, 30, Rgba([10, 10, 10, 255]))));
    world.ok(&["commit", "-m", "Before"]);
    write(&world, "a.psd", &whole[..whole.len() / 3]);
    write(&world, "b.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDRnonsense");
    let report = world.json(&["diff", "--visual"]);
    let told =
        [report["files"].as_array(), report["without_picture"].as_array()].into_iter().flatten().flatten();
    assert_eq!(told.count(), 2, "{report}");
}
