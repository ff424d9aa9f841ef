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
    Target::new("media: WebP picture", &["media/raster/webp.rs"], webps, |bytes| draw(bytes, &format::WEBP))
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

/// Two WebP pictures that something is lost of: a card of tests, 32 x 24 pixels, and one of 16 x 12 with opacity.
/// The library that the seeds are written with makes only those that nothing is lost of.
pub(in crate::media) const LOSSY: [&[u8]; 2] = [
    b"RIFFp\x01\0\0WEBPVP8 d\x01\0\x000\x09\0\x9d\x01* \0\x18\0?\x0dl\xafP,%\xa4\"\xb7\xf5X\x01\x80!\x89l\0\
      \x9d2\x84p7\xb7oA\xb6\x19\xc0\x9cS\xf3\x01\xbf\x8d\xe2\x01\xca\x01\xef\xb3\xbag\xfeC\xd8\x03yw\xf6\
      \x03\xd1\xd8\xa6\x0c\x10\xdd8+C\xed\x07\x0d\x9e,\xfc\xf1\x9c\xe2\x80\x1d\0\0\xfe\xf0\xde\x7f\xd4\x1b\
      \xc3\xef\x8f\x9dr\x19\xa2b\x05BE\xd9\xa2|\x05gX\x81\xd6\xfdO\xa1w\xf5\xc4\x9d\xb8\xe7\xd6(\xcc\xa5(4\
      \xa1\xcf<\x82r\xfb\xffj4\xf8\xbe\x17\xd2\x80T\x9a\xfe?\xfd\x0a\x83hb\x87.;\xde\xbc\xa8e\xb7O\x9b\xfd\
      ?\xeb\xd5\x1cv4^,\x94\xfe\x11d~\xf0?\xf3[\x94x\xbe\x99\x9b7\xe9\xf6\xcdD|'}D\xe4up\x8f\x14\xf1Z\xed\
      \xfa\x16\xc3x(i\x8fZk=\xf2X\xb7\xd7\xe5\xd8\xabW\x88\x0e\xc7ld\x97\x8bM\xa1w\x9a\xbe\xebj\xd1\x8b\
      \xcb\xa9\xed\xe9<\x91\x7f\xe1\xbb=\xec\xce\xd2\xc2\x08\0\xbf\xcaO4\xc9\xd8\xfe[\x9c6jt\xde\xe2z\xde\
      \x8b\x05\xab\xddZ\xe4\xba\x19V\x0bw\xb6<h+\xb8h\xa6\xa7\x01\x88{\xff\xd5#\x80\xfd0\xc8\x1cu\xbfm}\
      \xfe'\x0f\x8b\x01%J\x010\x99c{ub\xf1\xe0\x91\xb1\xdfEn\x9b\xfc\xd8|\xca\x15\xbf;\xfd\xfc\x95\xbfhH\
      \xbf\xe0\x9d3\xff\xb6\xbfuoL\xb1\x92k\xffr\xc5\x85/\xf8\x9d\xfd\0\0\0\0",
    b"RIFF\xda\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\x0f\0\0\x0b\0\0ALPH$\0\0\0\x01\x7f \x10HB\xd8_x\x85\x88H\
      \x1d\x0c\x02@\xa2\x10K,\xb1\xc4\x12K,\xb1L0@D\xff\x03\x94\xd3\xdd_VP8 \x90\0\0\0\x10\x03\0\x9d\x01*\
      \x10\0\x0c\0\x04\0h%\xb0\x02t8\x807\x91<\x99\x81\xbeJ6\xc8\xcbgI-\x80\0\xfe\xd2\x92L\x9b\xe1\xec\x9c\
      \x97\xb3\xf4]G\xa1\xf1s[1\x0b<\x1d\xbc/\xa1=L7\xc4r\xff\xaah'Am\x8c9\xc2\x91\xd7\x0c\x9f\xa8FN\xef\
      \x8b\xf1\xc9\xb7\xd7]\xea\xaba\xd4X\xbf\xf2\xce\xac\xde\xb2\x7f\xd7\xef\x9fswd\"\"@\x89\xf1fW~\xcf\
      \xff\xc3\xbc\xf7\xffx'\xea>\x09\xee\xda\xb4\xff\xf9l\xd4\xce\xb6,\xd5\x9e\xc6\xb4\x7f\xe8\xa5\xdf\
      \xd0\0\0",
];

fn webps() -> Vec<Vec<u8>> {
    let mut all = written(&[ImageFormat::WebP]);
    all.extend(LOSSY.map(<[u8]>::to_vec));
    all
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
