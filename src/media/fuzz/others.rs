//! Fuzz targets of formats of which only what stands beside the pixels is read, and of what `ffprobe` says.

use super::families::look;
use crate::base::fuzz::{Target, Verdict};
use crate::media::film::probe;
use crate::media::format;
use crate::media::pixels::Pixels;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("media: raw picture", &["media/camera.rs", "media/jpeg_inside.rs"], raw_seeds, |bytes| {
        look(bytes, &format::RAW)
    })
    .with_memory(64 << 20),
    Target::new("media: PostScript drawing", &["media/postscript.rs"], postscript_seeds, |bytes| {
        look(bytes, &format::EPS)
    })
    .with_memory(64 << 20),
    Target::new(
        "media: InDesign document",
        &["media/indesign.rs", "media/xmp_picture.rs"],
        indesign_seeds,
        |bytes| look(bytes, &format::INDD),
    )
    .with_memory(64 << 20),
    Target::new("media: answer of ffprobe", &["media/film/probe.rs"], probe_seeds, |bytes| {
        probe::facts(bytes, &format::MKV).map_or(Verdict::Refused, |_| Verdict::Understood)
    })
    .with_memory(4 << 20),
    Target::new("media: JPEG XL picture", &["media/still/jxl.rs"], jxl_seeds, |bytes| {
        look(bytes, &format::JXL)
    })
    .with_memory(64 << 20),
];

/// Pictures of 64 x 48 pixels, coded in both ways, with opacity, in greys, made of a JPEG file, in wide colours.
fn jxl_seeds() -> Vec<Vec<u8>> {
    let seeds: [&[u8]; 6] = [
        b"\xff\x0a\x45\x00",
        include_bytes!("../../../fixtures/stills/fields.jxl"),
        include_bytes!("../../../fixtures/stills/clear.jxl"),
        include_bytes!("../../../fixtures/stills/gray.jxl"),
        include_bytes!("../../../fixtures/stills/turned.jxl"),
        include_bytes!("../../../fixtures/stills/wide.jxl"),
    ];
    seeds.map(<[u8]>::to_vec).to_vec()
}

fn jpeg() -> Vec<u8> {
    let pixels = Pixels::new(4, 2, [90, 20, 20, 255].repeat(8));
    pixels.and_then(|pixels| pixels.jpeg(80)).unwrap_or_default()
}

/// A structure of one directory with a size and an orientation, and a picture behind it.
fn raw_seeds() -> Vec<Vec<u8>> {
    let mut bytes = b"II*\0\x08\0\0\0\x03\0".to_vec();
    for (tag, value) in [(0x100u16, 8u16), (0x101, 6), (0x112, 6)] {
        bytes.extend([&tag.to_le_bytes()[..], &[3, 0, 1, 0, 0, 0], &value.to_le_bytes(), &[0, 0]].concat());
    }
    bytes.extend([0; 4]);
    bytes.extend(jpeg());
    vec![bytes]
}

fn postscript_seeds() -> Vec<Vec<u8>> {
    let text = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%Title: A\n%%BeginPreview: 4 2 1 2\n% 80\n% 10\n%%EndPreview\n";
    let mut table = b"\xc5\xd0\xd3\xc6".to_vec();
    for number in [30u32, text.len() as u32, 0, 0, 0, 0] {
        table.extend(number.to_le_bytes());
    }
    table.extend([0xff, 0xff]);
    vec![text.to_vec(), [&table[..], text].concat()]
}

fn indesign_seeds() -> Vec<Vec<u8>> {
    vec![packet(&<base64ct::Base64 as base64ct::Encoding>::encode_string(&jpeg())).into_bytes()]
}

/// An XMP packet with a small picture.
pub fn packet(picture: &str) -> String {
    format!(
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         <rdf:Description xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" xmlns:xmpGImg=\"http://ns.adobe.com/xap/1.0/g/img/\">\
         <xmp:Rating>3</xmp:Rating><xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType=\"Resource\">\
         <xmpGImg:image>{picture}</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
}

fn probe_seeds() -> Vec<Vec<u8>> {
    let answer = r#"{"streams": [{"codec_type": "video", "codec_name": "h264", "width": 4, "height": 2,
        "avg_frame_rate": "25/1", "tags": {"language": "eng"}}], "format": {"duration": "1.0", "tags": {"title": "A"}}}"#;
    vec![answer.as_bytes().to_vec()]
}
