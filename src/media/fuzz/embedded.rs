//! Fuzz targets of what reads fields that stand in files.

use crate::base::fuzz::{Target, Verdict};
use crate::media::decoder;
use crate::media::embedded::{self, xmp};
use crate::media::facts::Facts;
use crate::media::format;
use crate::media::input::Input;
use crate::media::raster::container;
use crate::media::sniff::sniff;
use crate::media::worker::Answer;
use std::io::Cursor;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new(
        "media: embedded fields",
        &[
            "media/embedded/containers.rs",
            "media/embedded/tiff.rs",
            "media/embedded/exif.rs",
            "media/embedded/iptc.rs",
        ],
        container_seeds,
        |bytes| {
            let mut source = Cursor::new(bytes);
            let Ok(mut input) = Input::new(&mut source) else { return Verdict::Refused };
            let Ok(format) = sniff(&mut input, b"x") else { return Verdict::Refused };
            let mut facts = Facts::default();
            match embedded::find(&mut input, format) {
                Ok(packets) => embedded::add(packets, &mut facts),
                Err(error) => return Verdict::Wrong(error.to_string()),
            }
            if facts.embedded.is_empty() { Verdict::Refused } else { Verdict::Understood }
        },
    )
    .with_memory(64 << 20),
    Target::new("media: containers of pictures", &["media/raster/container.rs"], picture_seeds, |bytes| {
        let mut source = Cursor::new(bytes);
        let Ok(mut input) = Input::new(&mut source) else { return Verdict::Refused };
        let mut known = false;
        for format in ["png", "jpeg", "gif", "webp", "tiff", "bmp", "tga", "dds", "exr"] {
            match container::read(&mut input, format) {
                Ok(found) => known |= found.size.is_some(),
                Err(error) => return Verdict::Wrong(error.to_string()),
            }
        }
        if known { Verdict::Understood } else { Verdict::Refused }
    })
    .with_memory(4 << 20),
    Target::new(
        "media: XMP packet",
        &["media/embedded/xmp.rs"],
        || vec![PACKET.to_vec()],
        |bytes| xmp::read(bytes).map_or(Verdict::Refused, |_| Verdict::Understood),
    )
    .with_memory(4 << 20),
    Target::new(
        "media: boxes of a still picture",
        &["media/boxes.rs", "media/still.rs", "media/still/coded.rs"],
        still_seeds,
        |bytes| {
            let mut source = Cursor::new(bytes);
            let Ok(mut input) = Input::new(&mut source) else { return Verdict::Refused };
            let coded = decoder::decoder(&format::HEIC).map(|it| it.coded(&mut input, &format::HEIC));
            if let Some(Ok(Some(coded))) = coded
                && Answer::decode(&Answer::Coded(coded.clone()).encode()) != Ok(Answer::Coded(coded))
            {
                return Verdict::Wrong("what is coded does not come through".to_owned());
            }
            decoder::facts(&mut input, &format::HEIC).map_or(Verdict::Refused, |_| Verdict::Understood)
        },
    )
    .with_memory(4 << 20),
];

const PACKET: &[u8] = br#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="3">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">A</rdf:li><rdf:li xml:lang="de">B</rdf:li></rdf:Alt></dc:title>
<dc:subject><rdf:Bag><rdf:li>a</rdf:li><rdf:li>b</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta>"#;

/// A structure with the maker and, below it, an exposure time.
fn structure() -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0\x02\0".to_vec();
    bytes.extend(b"\x0f\x01\x02\0\x03\0\0\0Ex\0\0");
    bytes.extend(b"\x69\x87\x04\0\x01\0\0\0\x26\0\0\0\0\0\0\0");
    bytes.extend(b"\x01\0\x9a\x82\x05\0\x01\0\0\0\x38\0\0\0\0\0\0\0\x01\0\0\0\xfa\0\0\0");
    bytes
}

fn container_seeds() -> Vec<Vec<u8>> {
    let segment = |marker: u8, name: &[u8], content: &[u8]| {
        let length = (2 + name.len() + content.len()) as u16;
        [&[0xff, marker][..], &length.to_be_bytes(), name, content].concat()
    };
    let iptc = b"8BIM\x04\x04\0\0\0\0\0\x0c\x1c\x01\x5a\0\x03\x1b%G\x1c\x02\x19\0\x03sea\0";
    let mut jpeg = b"\xff\xd8".to_vec();
    jpeg.extend(segment(0xe1, b"Exif\0\0", &structure()));
    jpeg.extend(segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0", PACKET));
    jpeg.extend(segment(0xed, b"Photoshop 3.0\0", iptc));
    jpeg.extend(b"\xff\xd9");
    let chunk = |kind: &[u8], content: &[u8]| {
        [&(content.len() as u32).to_be_bytes()[..], kind, content, &[0; 4]].concat()
    };
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(chunk(b"eXIf", &structure()));
    png.extend(chunk(b"tEXt", b"Title\0A"));
    png.extend(chunk(b"iTXt", &[&b"XML:com.adobe.xmp\0\0\0\0\0"[..], PACKET].concat()));
    png.extend(chunk(b"IEND", b""));
    let mut webp = b"RIFF\0\0\0\0WEBPEXIF".to_vec();
    webp.extend((structure().len() as u32).to_le_bytes());
    webp.extend(structure());
    let pdf = [b"%PDF-1.7\n", PACKET].concat();
    vec![jpeg, png, webp, structure(), pdf]
}

/// A picture of 4 by 3 pixels that is turned, with EXIF and XMP beside it.
fn still_seeds() -> Vec<Vec<u8>> {
    let part =
        |kind: &[u8], content: &[u8]| [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat();
    let entry = |id: u8, kind: &[u8], mime: &[u8]| {
        part(b"infe", &[&[2, 0, 0, 0, 0, id, 0, 0][..], kind, &[0], mime].concat())
    };
    let exif = [&[0; 4][..], &structure()].concat();
    let entries = [
        &[0, 0, 0, 0, 0, 3][..],
        &entry(1, b"hvc1", b""),
        &entry(2, b"Exif", b""),
        &entry(3, b"mime", b"application/rdf+xml\0"),
    ]
    .concat();
    let place = |id: u8, at: usize, length: usize| {
        let numbers = [at as u32, length as u32].map(u32::to_be_bytes).concat();
        [&[0, id, 0, 1, 0, 0, 0, 1][..], &numbers].concat()
    };
    let places =
        [&[1, 0, 0, 0, 0x44, 0, 0, 2][..], &place(2, 0, exif.len()), &place(3, exif.len(), PACKET.len())]
            .concat();
    let size = part(b"ispe", &[0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 3]);
    let properties = part(b"ipco", &[size, part(b"irot", &[1])].concat());
    let having = part(b"ipma", &[0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2, 1, 2]);
    let meta = [
        &[0; 4][..],
        &part(b"pitm", &[0, 0, 0, 0, 0, 1]),
        &part(b"iinf", &entries),
        &part(b"iloc", &places),
        &part(b"iprp", &[properties, having].concat()),
        &part(b"idat", &[exif, PACKET.to_vec()].concat()),
    ]
    .concat();
    let mut seeds = vec![[part(b"ftyp", b"heic\0\0\0\0heic"), part(b"meta", &meta)].concat()];
    // Of one piece, and of tiles.
    seeds.push(include_bytes!("../../../fixtures/stills/fields.heic").to_vec());
    seeds.push(include_bytes!("../../../fixtures/stills/tiles.heic").to_vec());
    seeds.push(include_bytes!("../../../fixtures/pictures/still.avif").to_vec());
    seeds
}

/// Small pictures that move, have pages or a palette, each in a container of its own.
fn picture_seeds() -> Vec<Vec<u8>> {
    let seeds: [&[u8]; 9] = [
        include_bytes!("../../../fixtures/pictures/moving.gif"),
        include_bytes!("../../../fixtures/pictures/moving.png"),
        include_bytes!("../../../fixtures/pictures/moving.webp"),
        include_bytes!("../../../fixtures/pictures/pages.tif"),
        include_bytes!("../../../fixtures/pictures/gray.jpg"),
        include_bytes!("../../../fixtures/pictures/palette.bmp"),
        include_bytes!("../../../fixtures/pictures/palette.tga"),
        include_bytes!("../../../fixtures/pictures/rgba.dds"),
        include_bytes!("../../../fixtures/pictures/half.exr"),
    ];
    seeds.map(<[u8]>::to_vec).to_vec()
}
