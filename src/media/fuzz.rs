//! Fuzz targets of what tells formats, reads documents and takes answers of decoders.

pub mod embedded;
pub mod families;
pub mod offices;
pub mod others;
pub mod pictures;
pub mod scenes;

use crate::base::fuzz::{Target, Verdict};
use crate::media::colour::Profile;
use crate::media::decoder::{self, Wanted};
use crate::media::format;
use crate::media::input::Input;
use crate::media::psd::{Document, compose, merged, render_layer};
use crate::media::sniff::sniff;
use crate::media::worker::Answer;
use std::io::Cursor;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new(
        "media: format",
        &["media/sniff/container.rs", "media/sniff/signature.rs", "media/decoder.rs"],
        format_seeds,
        |bytes| {
            let mut source = Cursor::new(bytes);
            let Ok(mut input) = Input::new(&mut source) else { return Verdict::Refused };
            match sniff(&mut input, b"x.tga") {
                Ok(found) if *found == format::OPAQUE => Verdict::Refused,
                Ok(_) => Verdict::Understood,
                Err(error) => Verdict::Wrong(error.to_string()),
            }
        },
    ),
    Target::new(
        "media: Photoshop document",
        &["media/psd/reader.rs", "media/psd/channel.rs", "media/psd/resource.rs", "media/psd/text.rs"],
        document_seeds,
        run_document,
    )
    .with_memory(64 << 20),
    Target::new("media: colour profile", &["media/colour.rs"], profile_seeds, |bytes| {
        match Profile::read(bytes) {
            None => Verdict::Refused,
            Some(profile) => {
                profile.apply(&mut [0, 1, 2, 255, 250, 251, 252, 0]);
                Verdict::Understood
            }
        }
    })
    .with_memory(64 << 20),
    Target::new("media: answer of a decoder", &["media/worker/answer.rs"], answer_seeds, |bytes| {
        match Answer::decode(bytes) {
            Err(_) => Verdict::Refused,
            Ok(answer) => match Answer::decode(&answer.encode()) {
                Ok(again) if again == answer => Verdict::Understood,
                again => Verdict::Wrong(format!("{answer:?} reads back as {again:?}")),
            },
        }
    }),
];

fn format_seeds() -> Vec<Vec<u8>> {
    let heads: [&[u8]; 6] = [
        b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\x14\0\0\0\x14\0\0\0\x08\0\0\0mimetypeapplication/x-krita",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic",
        b"<?xml version=\"1.0\"?><!-- x --><svg/>",
        b"{\"asset\":{\"version\":\"2.0\"},\"accessors\":[]}",
        b"II*\0\x10\0\0\0CR\x02\0",
    ];
    heads.map(<[u8]>::to_vec).to_vec()
}

/// A document of 2 by 2 pixels with a group and one layer in it.
fn document_seeds() -> Vec<Vec<u8>> {
    let small = |packing: [u8; 2], plane: &[u8]| {
        let mut layer = Vec::new();
        layer.extend([0; 8]);
        layer.extend([0, 0, 0, 2, 0, 0, 0, 2, 0, 3]);
        for channel in 0u8..3 {
            layer.extend([0, channel]);
            layer.extend((2 + plane.len() as u32).to_be_bytes());
        }
        layer.extend(b"8BIMnorm\xff\0\0\0\0\0\0\x0c\0\0\0\0\0\0\0\0\x01a\0\0");
        let mut info = vec![0, 1];
        info.extend(layer);
        for _ in 0..3 {
            info.extend(packing);
            info.extend(plane);
        }
        let mut section = (info.len() as u32).to_be_bytes().to_vec();
        section.extend(info);
        section.extend([0; 4]);
        let mut bytes =
            b"8BPS\0\x01\0\0\0\0\0\0\0\x03\0\0\0\x02\0\0\0\x02\0\x08\0\x03\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend((section.len() as u32).to_be_bytes());
        bytes.extend(section);
        bytes.extend([0, 0]);
        bytes.extend([9; 12]);
        bytes
    };
    vec![small([0, 0], &[1, 2, 3, 4]), small([0, 1], &[0, 2, 0, 2, 0xff, 7, 0xff, 8])]
}

fn run_document(bytes: &[u8]) -> Verdict {
    let mut source = Cursor::new(bytes);
    let Ok(mut input) = Input::new(&mut source) else { return Verdict::Refused };
    let Ok(mut document) = Document::read(&mut input) else { return Verdict::Refused };
    document.manage_inks();
    let pixels = u64::from(document.header.width) * u64::from(document.header.height);
    // What a large document takes is bounded by its process; here only small ones are drawn.
    if pixels <= 1 << 16 {
        let _ = (merged(&mut input, &document, 64), compose(&mut input, &document));
        for layer in
            document.layers.iter().filter(|layer| layer.bounds.width() < 256 && layer.bounds.height() < 256)
        {
            let _ = render_layer(&mut input, &document, layer);
        }
        let drawn = decoder::decoder(&format::PSD);
        let _ = drawn.map(|decoder| decoder.picture(&mut input, &format::PSD, Wanted { edge: 16 }));
    }
    Verdict::Understood
}

/// A profile of another space, and one of a single curve.
fn profile_seeds() -> Vec<Vec<u8>> {
    let wide = moxcms::ColorProfile::new_display_p3();
    let grey = moxcms::ColorProfile::new_gray_with_gamma(1.8);
    [wide, grey].iter().filter_map(|profile| profile.encode().ok()).collect()
}

fn answer_seeds() -> Vec<Vec<u8>> {
    vec![
        b"\x01{\"format\":\"png\",\"picture\":{\"width\":3,\"height\":4}}".to_vec(),
        b"\x02\x01\0\0\0\x01\0\0\0abcd".to_vec(),
        b"\x03".to_vec(),
        [&b"\x06"[..], &[7; 16], b"\x02\0\0\0ab"].concat(),
        b"\x05\x01\0\0\0\x01\0\0\0abcdefgh".to_vec(),
        b"\x04it is cut".to_vec(),
    ]
}
