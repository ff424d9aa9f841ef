//! Fuzz targets of the decoders of whole families: facts, and a small picture.

use crate::base::fuzz::{Target, Verdict};
use crate::media::decoder::{self, Wanted};
use crate::media::format::{self, Format};
use crate::media::input::Input;
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("media: scene", &["media/mesh/gltf.rs"], scene_seeds, |bytes| look(bytes, &format::GLTF))
        .with_memory(64 << 20),
    Target::new(
        "media: object",
        &["media/mesh/plain.rs"],
        || vec![object_seed()],
        |bytes| look(bytes, &format::STL),
    )
    .with_memory(64 << 20),
    Target::new(
        "media: Blender scene",
        &["media/blend.rs", "media/blend/contents.rs"],
        blender_seeds,
        |bytes| look(bytes, &format::BLEND),
    )
    .with_memory(16 << 20),
    Target::new("media: film", &["media/film.rs", "media/film/timecode.rs"], film_seeds, |bytes| {
        look(bytes, &format::MP4)
    })
    .with_memory(4 << 20),
    Target::new("media: GIMP document", &["media/xcf/read.rs", "media/xcf/tiles.rs"], gimp_seeds, |bytes| {
        look(bytes, &format::XCF)
    })
    .with_memory(64 << 20),
    Target::new("media: drawing", &["media/drawing.rs"], drawing_seeds, |bytes| look(bytes, &format::SVG))
        .with_memory(64 << 20),
    Target::new("media: sound", &["media/sound.rs", "media/sound/listen.rs"], sound_seeds, |bytes| {
        look(bytes, &format::WAV)
    })
    .with_memory(64 << 20),
    Target::new("media: typeface", &["media/typeface.rs"], typeface_seeds, |bytes| {
        look(bytes, &format::WOFF)
    })
    .with_memory(64 << 20),
    Target::new(
        "media: document that is a ZIP file",
        &["media/package.rs", "media/package/office.rs", "media/package/openraster.rs"],
        office_seeds,
        |bytes| look(bytes, &format::ODF),
    )
    .with_memory(64 << 20),
    Target::new(
        "media: Krita document",
        &["media/package/krita.rs", "media/layer_print.rs"],
        krita_seeds,
        |bytes| look(bytes, &format::KRA),
    )
    .with_memory(64 << 20),
    Target::new(
        "media: Photoshop document",
        &["media/psd/layer.rs", "media/psd/channel.rs", "media/psd/planes.rs", "media/psd/resource.rs"],
        || vec![photoshop_seed()],
        |bytes| look(bytes, &format::PSD),
    )
    .with_memory(64 << 20),
];

/// Facts, prints of layers and a small picture, as the closed process makes them.
pub(super) fn look(bytes: &[u8], format: &'static Format) -> Verdict {
    let mut source = Cursor::new(bytes);
    let Ok(mut input) = Input::new(&mut source) else { return Verdict::Refused };
    let Ok(mut facts) = decoder::facts(&mut input, format) else { return Verdict::Refused };
    let Some(decoder) = decoder::decoder(format) else { return Verdict::Refused };
    // What a large document takes is bounded by its process; here only small ones are drawn.
    let area = facts.picture.as_ref().map_or(0, |picture| picture.width.saturating_mul(picture.height));
    let layers = facts.layers.iter().map(|layer| layer.bounds.2.saturating_mul(layer.bounds.3));
    if layers.fold(area, u64::max) > 1 << 16 {
        return Verdict::Understood;
    }
    let _ = decoder.prints(&mut input, format, &mut facts);
    let _ = decoder.picture(&mut input, format, Wanted { edge: 16 });
    Verdict::Understood
}

fn drawing_seeds() -> Vec<Vec<u8>> {
    let body = "<defs><linearGradient id='a'><stop stop-color='red'/></linearGradient></defs><g id='b' opacity='.5'>\
        <path d='M1 1L8 8Z' fill='url(#a)'/></g><use href='#b'/><text x='1' y='5' font-family='x'>a</text>";
    vec![format!("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{body}</svg>").into_bytes()]
}

/// 64 samples at 8 kHz.
fn sound_seeds() -> Vec<Vec<u8>> {
    let mut bytes =
        b"RIFF\xa4\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x80\0\0\0"
            .to_vec();
    bytes.extend((0..64i16).flat_map(|at| (at * 300).to_le_bytes()));
    vec![bytes]
}

/// A typeface of two glyphs and no curves, as it is and packed for the web.
fn typeface_seeds() -> Vec<Vec<u8>> {
    let head =
        [&b"\0\x01\0\0\0\x01\0\0\0\0\0\0\x5f\x0f\x3c\xf5\0\0\x03\xe8"[..], &[0; 16], &[0; 8], &[0; 10]]
            .concat();
    let cmap = b"\0\0\0\x01\0\x03\0\x0a\0\0\0\x0c\0\x0c\0\0\0\0\0\x1c\0\0\0\0\0\0\0\x01\0\0\0\x41\0\0\0\x41\0\0\0\x01".to_vec();
    let hhea = [&b"\0\x01\0\0\x03\x20\xff\x38\0\0\x02\x58"[..], &[0; 22], &[0, 1]].concat();
    let tables: [(&[u8; 4], Vec<u8>); 6] = [
        (b"cmap", cmap),
        (b"head", head),
        (b"hhea", hhea),
        (b"hmtx", vec![2, 88, 0, 0, 0, 0]),
        (b"maxp", b"\0\0\x50\0\0\x02".to_vec()),
        (b"name", b"\0\0\0\x01\0\x12\0\x03\0\x01\x04\x09\0\x01\0\x02\0\0\0A".to_vec()),
    ];
    let directory = |start: u32, each: usize| {
        let mut at = start;
        tables
            .iter()
            .map(|(tag, table)| {
                let entry = (*tag, at, table.len() as u32);
                at += table.len().next_multiple_of(4) as u32;
                entry
            })
            .take(each)
            .collect::<Vec<_>>()
    };
    let padded: Vec<u8> = tables
        .iter()
        .flat_map(|(_, table)| {
            let mut table = table.clone();
            table.resize(table.len().next_multiple_of(4), 0);
            table
        })
        .collect();
    let mut plain = b"\0\x01\0\0\0\x06\0\0\0\0\0\0".to_vec();
    for (tag, at, length) in directory(12 + 6 * 16, 6) {
        plain.extend([&tag[..], &[0; 4], &at.to_be_bytes(), &length.to_be_bytes()].concat());
    }
    plain.extend(&padded);
    let total = (44 + 6 * 20 + padded.len()) as u32;
    let mut packed = [
        &b"wOFF\0\x01\0\0"[..],
        &total.to_be_bytes(),
        &[0, 6, 0, 0],
        &(plain.len() as u32).to_be_bytes(),
        &[0; 24],
    ]
    .concat();
    for (tag, at, length) in directory(44 + 6 * 20, 6) {
        packed.extend(
            [&tag[..], &at.to_be_bytes(), &length.to_be_bytes(), &length.to_be_bytes(), &[0; 4]].concat(),
        );
    }
    packed.extend(&padded);
    vec![plain, packed]
}

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        if writer.start_file(*name, options).is_ok() {
            let _ = writer.write_all(bytes);
        }
    }
    writer.finish().map(Cursor::into_inner).unwrap_or_default()
}

fn office_seeds() -> Vec<Vec<u8>> {
    vec![zipped(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("meta.xml", b"<m><title>A</title><document-statistic page-count='2'/></m>"),
        ("content.xml", b"<c><h>One</h><p>Two <s/>three</p></c>"),
    ])]
}

fn krita_seeds() -> Vec<Vec<u8>> {
    let mut layer = b"VERSION 2\nTILEWIDTH 2\nTILEHEIGHT 2\nPIXELSIZE 4\nDATA 2\n0,0,LZF,17\n\0".to_vec();
    layer.extend(1..=16u8);
    // A run of four bytes, and twelve of what was written.
    layer.extend(b"2,0,LZF,9\n\x01\x03\x07\x07\x07\x07\xe0\x03\x00".to_vec());
    let head = "<DOC><IMAGE name='a' width='4' height='2' colorspacename='RGBA'><layers>\
        <layer name='b' nodetype='paintlayer' filename='l' colorspacename='RGBA' opacity='255' visible='1'/></layers></IMAGE></DOC>";
    vec![zipped(&[
        ("mimetype", b"application/x-krita"),
        ("maindoc.xml", head.as_bytes()),
        ("a/layers/l", &layer),
    ])]
}

/// 2 by 1 pixels in one layer, in runs of bytes.
fn gimp_seeds() -> Vec<Vec<u8>> {
    let number = |value: u32| value.to_be_bytes();
    let property = |kind: u32, value: &[u8]| [&number(kind)[..], &number(value.len() as u32), value].concat();
    let mut bytes = [&b"gimp xcf file\0"[..], &number(2), &number(1), &number(0)].concat();
    bytes.extend(property(17, &[1]));
    bytes.extend([0; 8]);
    let pointers = bytes.len();
    bytes.extend([0; 12]);
    let layer = bytes.len() as u32;
    bytes.extend([&number(2)[..], &number(1), &number(1), &number(2), b"a\0"].concat());
    bytes.extend(
        [property(6, &number(200)), property(8, &number(1)), property(15, &[0; 8]), vec![0; 8]].concat(),
    );
    let hierarchy = bytes.len() as u32 + 8;
    bytes.extend([number(hierarchy), [0; 4]].concat());
    bytes.extend([number(2), number(1), number(4), number(hierarchy + 20), [0; 4]].concat());
    bytes.extend([number(2), number(1), number(hierarchy + 36), [0; 4]].concat());
    bytes.extend([1, 9, 254, 1, 2, 0, 5, 0, 6, 127, 0, 2, 255]);
    bytes[pointers..pointers + 4].copy_from_slice(&number(layer));
    vec![bytes]
}

fn object_seed() -> Vec<u8> {
    let mut bytes = vec![0; 80];
    bytes.extend(1u32.to_le_bytes());
    bytes.extend([0; 12]);
    for value in [0f32, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.5] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 2]);
    bytes
}

/// A triangle, as text with its data in an address and in one file with it.
fn scene_seeds() -> Vec<Vec<u8>> {
    let json = |buffer: &str| {
        format!(
            r#"{{"asset":{{"version":"2.0"}},"scene":0,"scenes":[{{"nodes":[0]}}],"nodes":[{{"mesh":0,"rotation":[0,0,0,1]}}],
            "meshes":[{{"name":"a","primitives":[{{"attributes":{{"POSITION":0}},"indices":1,"material":0}}]}}],
            "materials":[{{"pbrMetallicRoughness":{{"baseColorFactor":[1,0.5,0,1]}}}}],
            "accessors":[{{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"}},{{"bufferView":1,"componentType":5121,"count":3,"type":"SCALAR"}}],
            "bufferViews":[{{"buffer":0,"byteLength":36}},{{"buffer":0,"byteOffset":36,"byteLength":3}}],"buffers":[{{"byteLength":40{buffer}}}]}}"#
        )
    };
    let mut data: Vec<u8> =
        [0f32, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0].into_iter().flat_map(f32::to_le_bytes).collect();
    data.extend([0, 1, 2, 0]);
    let digits = <base64ct::Base64 as base64ct::Encoding>::encode_string(&data);
    let text = json(&format!(r#","uri":"data:application/octet-stream;base64,{digits}""#)).into_bytes();
    let mut chunk = json("").into_bytes();
    chunk.resize(chunk.len().next_multiple_of(4), b' ');
    let mut packed = b"glTF\x02\0\0\0\0\0\0\0".to_vec();
    packed.extend([&(chunk.len() as u32).to_le_bytes()[..], b"JSON", &chunk].concat());
    packed.extend([&(data.len() as u32).to_le_bytes()[..], b"BIN\0", &data].concat());
    vec![text, packed]
}

fn blender_seeds() -> Vec<Vec<u8>> {
    let mut bytes = b"BLENDER-v280TEST".to_vec();
    bytes.extend(
        [&24u32.to_le_bytes()[..], &[0; 16], &2u32.to_le_bytes(), &2u32.to_le_bytes(), &[9; 16]].concat(),
    );
    let picture = [&bytes[..], b"ENDB"].concat();
    // A mesh with its name and how many corners it has, and the table that says where these stand.
    let block = |kind: &[u8; 4], structure: u32, content: &[u8]| {
        let length = (content.len() as u32).to_le_bytes();
        [&kind[..], &length, &[0; 8], &structure.to_le_bytes(), &[1, 0, 0, 0], content].concat()
    };
    let padded = |mut part: Vec<u8>| {
        part.resize(part.len().next_multiple_of(4), 0);
        part
    };
    let words = |mark: &[u8], words: &[&str]| {
        let text: Vec<u8> = words.iter().flat_map(|word| word.bytes().chain([0])).collect();
        padded([mark, &(words.len() as u32).to_le_bytes(), &text].concat())
    };
    let numbers = |numbers: &[u16]| padded(numbers.iter().flat_map(|it| it.to_le_bytes()).collect());
    let table = [
        b"SDNA".to_vec(),
        words(b"NAME", &["name[66]", "id", "totvert"]),
        words(b"TYPE", &["char", "int", "ID", "Mesh"]),
        [b"TLEN".to_vec(), numbers(&[1, 4, 66, 70])].concat(),
        [b"STRC".to_vec(), vec![2, 0, 0, 0], numbers(&[2, 1, 0, 0, 3, 2, 2, 1, 1, 2])].concat(),
    ];
    let mut mesh = b"MELantern".to_vec();
    mesh.resize(66, 0);
    mesh.extend([8, 0, 0, 0]);
    bytes.extend([block(b"ME\0\0", 1, &mesh), block(b"DNA1", 0, &table.concat()), b"ENDB".to_vec()].concat());
    vec![picture, bytes]
}

/// A second of pictures at four frames.
fn film_seeds() -> Vec<Vec<u8>> {
    let part =
        |kind: &[u8], content: &[u8]| [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat();
    let times = [&[0; 12][..], &[0, 0, 0, 4, 0, 0, 0, 4]].concat();
    let mut entry = [&[0, 0, 0, 86][..], b"avc1", &[0; 78]].concat();
    entry[33] = 64;
    entry[35] = 48;
    let samples = [
        part(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1][..], &entry].concat()),
        part(b"stts", &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1]),
    ]
    .concat();
    let media = [
        part(b"mdhd", &[times.clone(), vec![0x15, 0xc7, 0, 0]].concat()),
        part(b"hdlr", &[&[0; 8][..], b"vide", &[0; 12]].concat()),
        part(b"minf", &part(b"stbl", &samples)),
    ]
    .concat();
    let movie = [part(b"mvhd", &times), part(b"trak", &part(b"mdia", &media))].concat();
    vec![[part(b"ftyp", b"isom\0\0\0\0isom"), part(b"moov", &movie)].concat()]
}

/// A document of 4 by 4 pixels with one layer, which has a mask with parameters, ranges of levels and a name in
/// Unicode (Adobe Photoshop File Formats Specification, "Layer and Mask Information Section").
fn photoshop_seed() -> Vec<u8> {
    let bounds = [0u32, 0, 4, 4].map(u32::to_be_bytes).concat();
    let mask = [&bounds[..], &[0, 1 << 4, 3, 128], &1.5f64.to_be_bytes(), &[0; 2]].concat();
    let ranges = [0, 0, 255, 255].repeat(8);
    let name = [&2u32.to_be_bytes()[..], &[0, b'A', 0, b'B']].concat();
    let sized = |part: &[u8]| [&(part.len() as u32).to_be_bytes()[..], part].concat();
    let extra =
        [sized(&mask), sized(&ranges), b"\x03Art".to_vec(), b"8BIMluni".to_vec(), sized(&name)].concat();
    let channels = [0i16, 1, 2, -2].map(|id| [&id.to_be_bytes()[..], &18u32.to_be_bytes()].concat()).concat();
    let record = [&bounds[..], &[0, 4], &channels, b"8BIMnorm", &[200, 0, 8, 0], &sized(&extra)].concat();
    let plane = [&[0, 0][..], &[7; 16]].concat();
    let mut layers = [&1i16.to_be_bytes()[..], &record, &plane.repeat(4)].concat();
    layers.resize(layers.len().next_multiple_of(4), 0);
    let head = [&b"8BPS\0\x01\0\0\0\0\0\0\0\x03"[..], &bounds[8..], &[0, 8, 0, 3]].concat();
    let both = [sized(&layers), vec![0; 4]].concat();
    [head, vec![0; 8], sized(&both), vec![0, 0], vec![9; 48]].concat()
}
