use super::*;
use std::io::Cursor;

fn told(bytes: &[u8], name: &str) -> &'static str {
    let mut source = Cursor::new(bytes.to_vec());
    let mut input = Input::new(&mut source).expect("measured");
    sniff(&mut input, name.as_bytes()).expect("told").id
}

/// A ZIP file's beginning: local headers with these names and contents, uncompressed.
fn zip(members: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in members {
        out.extend(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0");
        out.extend((content.len() as u32).to_le_bytes());
        out.extend((content.len() as u32).to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend(0u16.to_le_bytes());
        out.extend(name.as_bytes());
        out.extend(content.as_bytes());
    }
    out
}

#[test]
fn content_decides_and_not_the_name() {
    assert_eq!(told(b"\x89PNG\r\n\x1a\nrest", "photo.jpg"), "png");
    assert_eq!(told(b"8BPS\0\x01rest", "readme.txt"), "psd");
    assert_eq!(told(b"plain words\n", "picture.png"), "text");
    assert_eq!(told(b"\x01\x02\x03\x04", "picture.png"), "opaque");
    assert_eq!(told(b"", "empty.psd"), "opaque");
}

#[test]
fn containers_tell_what_they_hold() {
    assert_eq!(told(&zip(&[("mimetype", "application/x-krita"), ("maindoc.xml", "")]), "a"), "kra");
    assert_eq!(told(&zip(&[("mimetype", "image/openraster")]), "a"), "ora");
    assert_eq!(told(&zip(&[("[Content_Types].xml", ""), ("word/document.xml", "")]), "a"), "docx");
    assert_eq!(told(&zip(&[("meta.json", ""), ("document.json", "")]), "a"), "sketch");
    assert_eq!(told(&zip(&[("scene.usdc", "")]), "a"), "usdz");
    assert_eq!(told(&zip(&[("textures/scene.usdc", "")]), "a"), "zip");
    assert_eq!(told(b"RIFF\x10\0\0\0WEBPVP8 ", "a"), "webp");
    assert_eq!(told(b"RIFF\x10\0\0\0WAVEfmt ", "a"), "wav");
    assert_eq!(told(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "a"), "avif");
    assert_eq!(told(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a"), "heic");
    assert_eq!(told(b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a"), "mov");
    assert_eq!(told(b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "a"), "webm");
}

#[test]
fn texts_are_told_by_how_they_begin() {
    let svg = "<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    assert_eq!(told(svg.as_bytes(), "a.txt"), "svg");
    assert_eq!(told(b"<svg:svg/>", "a"), "svg");
    assert_eq!(told(b"{\"asset\":{\"version\":\"2.0\"},\"accessors\":[]}", "a"), "gltf");
    assert_eq!(told(b"{\"name\": 1}", "a.json"), "json");
    assert_eq!(told("žluť\n".as_bytes(), "a"), "text");
    assert_eq!(told(b"# object\nv 0 0 0\n", "cube.obj"), "obj");
    assert_eq!(told(b"# object\nv 0 0 0\n", "cube.txt"), "text");
    assert_eq!(told(b"solid x\nfacet normal 0 0 1\n", "a"), "stl");
}

#[test]
fn weak_signatures_need_more() {
    assert_eq!(told(b"BMW drives\n", "a"), "text");
    assert_eq!(told(b"true words", "a"), "text");
    let mut stl = vec![0u8; 84 + 50];
    stl[80] = 1;
    assert_eq!(told(&stl, "a"), "stl");
    stl.push(0);
    assert_eq!(told(&stl, "a"), "opaque");
    let mut targa = vec![0u8; 18 + 3];
    (targa[2], targa[12], targa[14], targa[16]) = (2, 1, 1, 24);
    assert_eq!(told(&targa, "a.tga"), "tga");
    assert_eq!(told(&targa, "a.bin"), "opaque");
}

#[test]
fn any_bytes_are_told_something() {
    let mut state = 7u64;
    for round in 0..4000 {
        let len = round % 300;
        let mut bytes: Vec<u8> = (0..len)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        let starts: [&[u8]; 6] = [b"PK\x03\x04", b"RIFF", b"\0\0\0\x18ftyp", b"<", b"{", b"BM"];
        let start = starts[round % 6];
        bytes.splice(0..0, start.iter().copied());
        assert!(format::by_id(told(&bytes, "x.tga")).is_some());
    }
}

#[test]
fn names_with_the_same_hint_say_the_same_of_the_same_bytes() {
    let mut targa = vec![0u8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 8, 0, 24, 0];
    targa.extend([7; 300]);
    let samples: [&[u8]; 14] = [
        b"{\"k\": 1}",
        b"[1, 2]",
        b"{\"asset\": {\"version\": \"2.0\"}}",
        b"{\"asset\": {}, \"accessors\": []}",
        b"<?xml version=\"1.0\"?><note/>",
        b"<html><body/></html>",
        b"<svg/>",
        b"v 1 2 3\nv 4 5 6\n",
        b"harbour\n",
        b"II*\0\x08\0\0\0",
        b"\x1f\x8b\x08\0",
        b"\x28\xb5\x2f\xfd",
        b"\x89PNG\r\n\x1a\n",
        &targa,
    ];
    let known = format::FORMATS.iter().flat_map(|format| format.extensions).copied();
    let ends: Vec<&str> = known.chain(["", "dat", "xyz"]).collect();
    let mut depends = std::collections::BTreeSet::new();
    for sample in samples {
        let mut by_hint: std::collections::BTreeMap<&str, &str> = std::collections::BTreeMap::new();
        for end in &ends {
            let name = if end.is_empty() { "file".to_owned() } else { format!("file.{end}") };
            let told = told(sample, &name);
            let first = *by_hint.entry(hint(name.as_bytes())).or_insert(told);
            assert_eq!(first, told, "{name} of {:?}", String::from_utf8_lossy(sample));
        }
        let plain = by_hint[""];
        depends.extend(by_hint.into_iter().filter(|(_, told)| *told != plain).map(|(hint, _)| hint));
    }
    let expected = ["blend", "gltf", "json", "none", "obj", "raw", "svgz", "text", "tga"];
    assert_eq!(depends.into_iter().collect::<Vec<_>>(), expected, "every hint is there for a reason");
}
