//! Fuzz targets of what decodes pixels, format by format, and of PDF documents.

use crate::base::fuzz::{Target, Verdict};
use crate::media::decoder::{self, Wanted};
use crate::media::embedding;
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::sniff::sniff;
use image::{DynamicImage, ImageFormat, Rgb32FImage, Rgba32FImage, RgbaImage};
use std::io::Cursor;

/// What a picture of 2^16 pixels takes, several times over.
const MEMORY: usize = 64 << 20;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("media: PNG picture", &[], || written(&[ImageFormat::Png]), |bytes| draw(bytes, &format::PNG))
        .with_memory(MEMORY),
    Target::new("media: JPEG picture", &[], jpegs, |bytes| draw(bytes, &format::JPEG)).with_memory(MEMORY),
    Target::new("media: GIF picture", &[], || written(&[ImageFormat::Gif]), |bytes| draw(bytes, &format::GIF))
        .with_memory(MEMORY),
    Target::new("media: WebP picture", &[], || written(&[ImageFormat::WebP]), |bytes| draw(bytes, &format::WEBP))
        .with_memory(MEMORY),
    Target::new(
        "media: TIFF picture",
        &["media/raster/tiff.rs", "media/raster/inks.rs"],
        tiffs,
        |bytes| draw(bytes, &format::TIFF),
    )
    .with_memory(MEMORY),
    Target::new("media: BMP picture", &[], || written(&[ImageFormat::Bmp]), |bytes| draw(bytes, &format::BMP))
        .with_memory(MEMORY),
    Target::new("media: Targa picture", &[], || written(&[ImageFormat::Tga]), |bytes| draw(bytes, &format::TGA))
        .with_memory(MEMORY),
    Target::new("media: DirectDraw surface", &["media/raster/dds.rs"], surfaces, |bytes| draw(bytes, &format::DDS))
        .with_memory(MEMORY),
    Target::new("media: icon", &[], || written(&[ImageFormat::Ico]), |bytes| draw(bytes, &format::ICO))
        .with_memory(MEMORY),
    Target::new("media: Radiance picture", &[], || lights(ImageFormat::Hdr), |bytes| draw(bytes, &format::HDR))
        .with_memory(MEMORY),
    Target::new(
        "media: OpenEXR picture",
        &["media/raster.rs", "media/raster/scaled.rs", "media/raster/light.rs"],
        || lights(ImageFormat::OpenExr),
        |bytes| draw(bytes, &format::EXR),
    )
    .with_memory(MEMORY),
    Target::new(
        "media: rich text",
        &["media/writing.rs", "media/writing/rich.rs"],
        || vec![br"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 A;}}{\info{\title A}}\pard Gr\'f6\u223?e\par\bin2 ab}".to_vec()],
        |bytes| draw(bytes, &format::RTF),
    )
    .with_memory(MEMORY),
    Target::new(
        "media: packet put into a file",
        &["media/embedding/tiff.rs", "media/embedding/pictures.rs", "media/embedding/pdf.rs", "media/embedding/merge.rs"],
        embedded,
        embed,
    )
    .with_memory(MEMORY),
    Target::new("media: PDF document", &["media/pdf.rs"], documents, |bytes| draw(bytes, &format::PDF))
        .with_memory(MEMORY),
];

/// Puts a packet into whatever it is taken for; what comes out has it once, as far as the format says so.
fn embed(bytes: &[u8]) -> Verdict {
    let packet = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\
        <rdf:Description rdf:about=''/></rdf:RDF></x:xmpmeta>";
    let mut source = Cursor::new(bytes);
    let Ok(mut input) = Input::new(&mut source) else { return Verdict::Refused };
    let Ok(format) = sniff(&mut input, b"a") else { return Verdict::Refused };
    match embedding::edits(&mut input, format, packet) {
        Err(_) => Verdict::Refused,
        Ok(edits) if embedding::are_sound(&edits, bytes.len() as u64) => Verdict::Understood,
        Ok(edits) => Verdict::Wrong(format!("{edits:?}")),
    }
}

fn embedded() -> Vec<Vec<u8>> {
    let mut all = documents();
    all.extend([jpegs(), written(&[ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff])].concat());
    all
}

/// Facts, a small picture, and the numbers of one of light.
fn draw(bytes: &[u8], format: &'static Format) -> Verdict {
    let mut source = Cursor::new(bytes);
    let Ok(mut input) = Input::new(&mut source) else { return Verdict::Refused };
    let Ok(facts) = decoder::facts(&mut input, format) else { return Verdict::Refused };
    let Some(decoder) = decoder::decoder(format) else { return Verdict::Refused };
    // What a large picture takes is bounded by its process; here only small ones are drawn.
    let area = facts.picture.as_ref().map_or(0, |picture| picture.width.saturating_mul(picture.height));
    if area > 1 << 16 {
        return Verdict::Understood;
    }
    let wanted = Wanted { edge: 16 };
    let _ = (decoder.picture(&mut input, format, wanted), decoder.light(&mut input, format, wanted));
    Verdict::Understood
}

fn pixels() -> RgbaImage {
    RgbaImage::from_fn(9, 7, |x, y| image::Rgba([x as u8 * 28, y as u8 * 36, (x * y) as u8, 255 - x as u8]))
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Option<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).ok()?;
    Some(bytes.into_inner())
}

/// The same picture with transparency, without, and in greys, as far as the formats have these.
fn written(formats: &[ImageFormat]) -> Vec<Vec<u8>> {
    let whole = DynamicImage::ImageRgba8(pixels());
    let kinds = [whole.clone(), whole.to_rgb8().into(), whole.to_luma8().into(), whole.to_rgb16().into()];
    formats.iter().flat_map(|format| kinds.iter().filter_map(|image| encoded(image, *format))).collect()
}

fn jpegs() -> Vec<Vec<u8>> {
    let whole = DynamicImage::ImageRgba8(pixels());
    let grey = DynamicImage::ImageLuma8(whole.to_luma8());
    [whole.to_rgb8().into(), grey].iter().filter_map(|image| encoded(image, ImageFormat::Jpeg)).collect()
}

fn lights(format: ImageFormat) -> Vec<Vec<u8>> {
    let whole = DynamicImage::ImageRgba8(pixels());
    let (rgb, rgba): (Rgb32FImage, Rgba32FImage) = (whole.to_rgb32f(), whole.to_rgba32f());
    [rgb.into(), rgba.into()].iter().filter_map(|image| encoded(image, format)).collect()
}

/// A TIFF picture of one strip, with the fields that its kind of colour asks for.
fn tiff(photometric: u16, bits: &[u16], float: bool, map: &[u16], strip: &[u8]) -> Vec<u8> {
    let samples = bits.len() as u16;
    let mut beyond: Vec<u8> = Vec::new();
    let mut entries: Vec<(u16, u16, u32, u32)> = Vec::new();
    let count = 9 + u32::from(float) + u32::from(!map.is_empty());
    let start = 8 + 2 + count * 12 + 4;
    let mut short = |tag: u16, values: &[u16]| match values {
        [one] => (tag, 3, 1, u32::from(*one)),
        [one, other] => (tag, 3, 2, u32::from(*one) | u32::from(*other) << 16),
        many => {
            let at = start + beyond.len() as u32;
            beyond.extend(many.iter().flat_map(|value| value.to_le_bytes()));
            (tag, 3, many.len() as u32, at)
        }
    };
    entries.extend([
        short(256, &[4]),
        short(257, &[2]),
        short(258, bits),
        short(259, &[1]),
        short(262, &[photometric]),
    ]);
    let offset = entries.len();
    entries.extend([short(277, &[samples]), short(278, &[2])]);
    entries.push((279, 4, 1, strip.len() as u32));
    if !map.is_empty() {
        entries.push(short(320, map));
    }
    if float {
        entries.push(short(339, &[3]));
    }
    entries.insert(offset, (273, 4, 1, start + beyond.len() as u32));
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        bytes.extend(
            [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()]
                .concat(),
        );
    }
    bytes.extend([0; 4]);
    bytes.extend(beyond);
    bytes.extend(strip);
    bytes
}

/// Those that the library of pictures takes, and those that it does not.
fn tiffs() -> Vec<Vec<u8>> {
    let mut all = written(&[ImageFormat::Tiff]);
    let map: Vec<u16> = (0..48).map(|at| at * 1300).collect();
    all.push(tiff(3, &[4], false, &map, &[0x01, 0x23, 0x45, 0x67]));
    all.push(tiff(8, &[8, 8, 8], false, &[], &[100, 200, 30].repeat(8)));
    let values: Vec<u8> = (0..8u8).flat_map(|at| (f32::from(at) / 4.0).to_le_bytes()).collect();
    all.push(tiff(1, &[32], true, &[], &values));
    all.push(tiff(5, &[8, 8, 8, 8], false, &[], &[100, 200, 30, 9].repeat(8)));
    all
}

/// Surfaces without packing, in blocks of colours, and in blocks of two channels.
fn surfaces() -> Vec<Vec<u8>> {
    let surface = |flags: u32, code: &[u8; 4], bits: u32, masks: [u32; 4], content: &[u8]| {
        let mut bytes = b"DDS \x7c\0\0\0\x07\x10\0\0\x04\0\0\0\x04\0\0\0".to_vec();
        bytes.resize(76, 0);
        bytes.extend([32u32, flags].into_iter().flat_map(u32::to_le_bytes));
        bytes.extend(code);
        bytes.extend([bits].into_iter().chain(masks).flat_map(u32::to_le_bytes));
        bytes.resize(128, 0);
        bytes[109] = 0x10;
        bytes.extend(content);
        bytes
    };
    // The second header tells how blocks are packed.
    let second = |packing: u32, block: [u8; 16]| {
        let head: Vec<u8> = [packing, 3, 0, 1, 0].into_iter().flat_map(u32::to_le_bytes).collect();
        [&head[..], &block].concat()
    };
    let masks = [0x00ff_0000, 0xff00, 0xff, 0xff00_0000];
    vec![
        surface(0x41, &[0; 4], 32, masks, &[7; 64]),
        surface(0x4, b"DXT1", 0, [0; 4], &[1, 2, 3, 4, 5, 6, 7, 8]),
        surface(0x4, b"ATI2", 0, [0; 4], &[9, 2, 3, 4, 5, 6, 7, 8, 1, 200, 3, 4, 5, 6, 7, 8]),
        surface(0x4, b"DX10", 0, [0; 4], &second(95, [3, 2, 3, 4, 5, 6, 7, 8, 1, 200, 3, 4, 5, 6, 7, 8])),
        surface(0x4, b"DX10", 0, [0; 4], &second(98, [32, 2, 3, 4, 5, 6, 7, 8, 1, 200, 3, 4, 5, 6, 7, 8])),
    ]
}

/// A page with text, a drawing, a picture and a title.
fn documents() -> Vec<Vec<u8>> {
    let content = "BT /F 9 Tf 2 4 Td (Quay) Tj ET 1 0 0 rg 1 1 4 4 re f q 4 0 0 4 9 9 cm /I Do Q";
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 30 20]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>/XObject<</I 6 0 R>>>>>>"
            .to_owned(),
        format!("<</Length {}>>stream\n{content}\nendstream", content.len()),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
        "<</Subtype/Image/Width 2/Height 1/BitsPerComponent 8/ColorSpace/DeviceRGB/Length 6>>stream\nabcdef\nendstream"
            .to_owned(),
        "<</Title(A)/CreationDate(D:20260101120000Z)>>".to_owned(),
    ];
    let mut text = "%PDF-1.4\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", text.len()));
        text.push_str(&format!("{} 0 obj\n{object}\nendobj\n", number + 1));
    }
    let at = text.len();
    let end =
        format!("trailer<</Size {}/Root 1 0 R/Info 7 0 R>>\nstartxref\n{at}\n%%EOF\n", objects.len() + 1);
    vec![[text, table, end].concat().into_bytes()]
}
