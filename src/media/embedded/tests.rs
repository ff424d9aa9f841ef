use super::*;
use crate::media::format;
use std::io::Cursor;

fn of(bytes: Vec<u8>, format: &Format) -> Facts {
    let mut source = Cursor::new(bytes);
    let mut input = Input::new(&mut source).expect("measured");
    let mut facts = Facts::default();
    add(find(&mut input, format).expect("walked"), &mut facts);
    facts
}

fn value<'f>(facts: &'f Facts, name: &str) -> Option<&'f str> {
    facts.embedded.iter().find(|field| field.name == name).map(|field| field.value.as_str())
}

#[test]
fn structures_and_lists_of_xmp_become_paths() {
    let packet = br#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
        <r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description
          xmlns:d="http://purl.org/dc/elements/1.1/" xmlns:p="http://ns.useplus.org/ldf/xmp/1.0/"
          xmlns:own="https://example.com/schemas/studio#" xmlns:mm="http://ns.adobe.com/xap/1.0/mm/" own:Job="7">
          <d:title><r:Alt><r:li xml:lang="x-default">Quay</r:li><r:li xml:lang="de">Kai</r:li></r:Alt></d:title>
          <d:creator><r:Seq><r:li>Anna</r:li><r:li>Bo</r:li></r:Seq></d:creator>
          <p:Licensor><r:Seq><r:li r:parseType="Resource"><p:LicensorName>Harbour</p:LicensorName></r:li></r:Seq></p:Licensor>
          <mm:DerivedFrom mm:other="x"><r:Description mm:documentID="9"/></mm:DerivedFrom>
          <own:See r:resource="https://example.com/7"/>
        </r:Description></r:RDF></x:xmpmeta><?xpacket end="w"?>"#;
    let fields = xmp::read(packet).expect("well-formed");
    let told: Vec<(&str, &str)> =
        fields.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
    assert_eq!(
        told,
        [
            ("studio:Job", "7"),
            ("dc:title", "Quay"),
            ("dc:title[de]", "Kai"),
            ("dc:creator", "Anna; Bo"),
            ("plus:Licensor[1]/plus:LicensorName", "Harbour"),
            ("xmpMM:DerivedFrom/xmpMM:documentID", "9"),
            ("studio:See", "https://example.com/7"),
        ]
    );
    assert_eq!(fields[0].number, Some(7.0));
    assert_eq!(fields[3].list, ["Anna", "Bo"]);
}

#[test]
fn what_would_grow_without_end_is_refused() {
    let bomb = b"<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;\">]><a>&c;&c;&c;</a>";
    assert_eq!(xmp::read(bomb), None);
    let deep = [&b"<a>".repeat(100_000)[..], &b"</a>".repeat(100_000)].concat();
    let _ = xmp::read(&deep);
}

#[test]
fn parts_of_an_extended_packet_are_put_together() {
    let segment = |name: &[u8], content: &[u8]| {
        let length = (2 + name.len() + content.len()) as u16;
        [&[0xff, 0xe1][..], &length.to_be_bytes(), name, content].concat()
    };
    let packet = b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description \
        xmlns:dc='http://purl.org/dc/elements/1.1/' dc:title='long'/></rdf:RDF>";
    let (first, second) = packet.split_at(90);
    let part = |offset: usize, part: &[u8]| {
        let head =
            [[b'0'; 32].as_slice(), &(packet.len() as u32).to_be_bytes(), &(offset as u32).to_be_bytes()];
        segment(b"http://ns.adobe.com/xmp/extension/\0", &[&head.concat()[..], part].concat())
    };
    // They may stand in any order.
    let bytes = [&b"\xff\xd8"[..], &part(90, second), &part(0, first), b"\xff\xd9"].concat();
    let facts = of(bytes, &format::JPEG);
    assert_eq!(value(&facts, "dc:title"), Some("long"));
}

#[test]
fn content_credentials_are_noticed_and_not_judged() {
    let png = [&b"\x89PNG\r\n\x1a\n"[..], b"\0\0\0\x04caBXjumb\0\0\0\0", b"\0\0\0\0IEND\0\0\0\0"].concat();
    assert!(of(png, &format::PNG).content_credentials);
    let jpeg = b"\xff\xd8\xff\xeb\0\x14JP\0\x01\0\0\0\x01jumb\0c2pa\xff\xd9".to_vec();
    assert!(of(jpeg, &format::JPEG).content_credentials);
    assert!(!of(b"\xff\xd8\xff\xd9".to_vec(), &format::JPEG).content_credentials);
}

#[test]
fn damage_is_noted_and_the_rest_is_read() {
    let chunk = |kind: &[u8], content: &[u8]| {
        [&(content.len() as u32).to_be_bytes()[..], kind, content, &[0; 4]].concat()
    };
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta"));
    png.extend(chunk(b"tEXt", b"Author\0J\xfcrgen"));
    png.extend(chunk(b"IEND", b""));
    let facts = of(png, &format::PNG);
    assert_eq!(facts.notes, ["an XMP packet is damaged and was left out"]);
    assert_eq!(value(&facts, "Author"), Some("Jürgen"));
}

#[test]
fn a_structure_of_any_length_is_read_where_it_lies() {
    // A large TIFF file whose directory stands at its end, with 64-bit offsets.
    let mut big = b"MM\0\x2b\0\x08\0\0\0\0\0\0\0\0\x27\x10".to_vec();
    big.resize(10_000, 7);
    big.extend(2u64.to_be_bytes());
    let entry = |tag: u16, kind: u16, count: u64, value: [u8; 8]| {
        [&tag.to_be_bytes()[..], &kind.to_be_bytes(), &count.to_be_bytes(), &value].concat()
    };
    big.extend(entry(0x010f, 2, 4, *b"Exa\0\0\0\0\0"));
    big.extend(entry(0x0112, 3, 1, [0, 8, 0, 0, 0, 0, 0, 0]));
    big.extend(0u64.to_be_bytes());
    let facts = of(big, &format::TIFF);
    assert_eq!(value(&facts, "Make"), Some("Exa"));
    let orientation = facts.embedded.iter().find(|field| field.name == "Orientation").expect("read");
    assert_eq!(orientation.number, Some(8.0));
}
