use super::*;
use crate::media::fuzz::offices::{compound, letter_file, properties, slides_file, table_file};
use std::io::Cursor;

fn told(bytes: &[u8]) -> Facts {
    let mut source = Cursor::new(bytes);
    let mut input = Input::new(&mut source).expect("measured");
    let mut facts = Facts::default();
    OldOffice.facts(&mut input, &format::OLE, &mut facts).expect("facts");
    facts
}

fn field<'f>(facts: &'f Facts, name: &str) -> Option<&'f str> {
    facts.embedded.iter().find(|field| field.name == name).map(|field| field.value.as_str())
}

#[test]
fn letters_are_put_together_from_their_pieces() {
    let facts = told(&letter_file("Dear\u{13} HYPERLINK x \u{14}harbour\u{15}\rWe open\r"));
    let text = "Dearharbour\nWe open\nDearharbour\nWe open";
    assert_eq!(facts.text.as_deref(), Some(text));
    assert_eq!((field(&facts, "Title"), field(&facts, "Author")), (Some("Quay"), Some("Anna Lind")));
    assert_eq!(facts.format_name, "Word document of the old form");
}

#[test]
fn texts_of_a_workbook_go_on_over_records() {
    let facts = told(&table_file(&["Quay", "Lamps and nets"]));
    assert_eq!(facts.text.as_deref(), Some("Quay\nLamps and nets\nown"));
    assert_eq!(facts.pages, Some(1));
    assert_eq!(facts.format_name, "Excel workbook of the old form");
}

#[test]
fn older_workbooks_are_in_a_code_page() {
    let label = [0, 0, 0, 0, 0, 0, 2, 0, 0xca, 0xe0];
    let records =
        [&[0x09, 0x08, 4, 0, 0, 5, 5, 0][..], &[0x42, 0, 2, 0, 0xe3, 4], &[0x04, 0x02, 10, 0], &label];
    let facts = told(&compound(&[("Book", records.concat())]));
    assert_eq!(facts.text.as_deref(), Some("Ка"));
}

#[test]
fn slides_of_the_last_edit_are_read_and_no_others() {
    let facts = told(&slides_file(&["Spring", "Quay"]));
    assert_eq!(facts.text.as_deref(), Some("Outline\nSpring\nOutline\nQuay"));
    assert_eq!(facts.pages, Some(2));
}

#[test]
fn long_streams_and_many_chains_are_followed() {
    let long: Vec<u8> = (0..10_000u32).flat_map(u32::to_le_bytes).collect();
    let bytes = compound(&[("a", vec![7; 100]), ("b", long.clone()), ("c", vec![9; 4095])]);
    let mut source = Cursor::new(bytes);
    let mut input = Input::new(&mut source).expect("measured");
    let mut file = Compound::open(&mut input).expect("tables");
    assert_eq!(file.stream("a", 1000).expect("read"), Some(vec![7; 100]));
    assert_eq!(file.stream("b", 1 << 20).expect("read"), Some(long.clone()));
    assert_eq!(file.stream("b", 5000).expect("read"), Some(long[..5000].to_vec()));
    assert_eq!(file.stream("c", 5000).expect("read"), Some(vec![9; 4095]));
    assert_eq!(file.stream("d", 5000).expect("read"), None);
}

#[test]
fn what_is_not_read_is_said() {
    let note = |streams: &[(&str, Vec<u8>)]| told(&compound(streams)).notes.join("; ");
    let mut letter = vec![0; 0x400];
    letter[..4].copy_from_slice(&[0xec, 0xa5, 0xc1, 0]);
    letter[11] = 1;
    assert!(note(&[("WordDocument", letter)]).contains("encrypted"));
    let book = [0x2f, 0, 2, 0, 1, 0].to_vec();
    assert!(note(&[("Workbook", book)]).contains("encrypted"));
    let mut user = vec![0; 64];
    user[12..16].copy_from_slice(&0xf3d1_c4dfu32.to_le_bytes());
    assert!(note(&[("PowerPoint Document", vec![0; 9]), ("Current User", user)]).contains("encrypted"));
    assert!(note(&[("something", vec![1])]).contains("none of Word"));
}

#[test]
fn properties_are_read_in_the_code_of_their_set() {
    let mut bytes = properties(&[(2, "ab"), (1, "")]);
    let mut facts = Facts::default();
    properties::tell(&bytes, properties::SUMMARY, &mut facts);
    assert_eq!(field(&facts, "Title"), Some("ab"));
    // The title becomes text of one byte a character, and the second property the code 1251.
    let title = 48 + 8 + 16;
    bytes[title] = 0x1e;
    bytes[title + 4] = 3;
    bytes[title + 8..title + 11].copy_from_slice(b"\xca\xe0\0");
    let page = bytes.len() - 12;
    bytes[page..page + 8].copy_from_slice(&[2, 0, 0, 0, 0xe3, 4, 0, 0]);
    let mut facts = Facts::default();
    properties::tell(&bytes, properties::SUMMARY, &mut facts);
    assert_eq!(field(&facts, "Title"), Some("Ка"));
}

#[test]
fn chains_that_lead_back_to_themselves_end() {
    let mut looped = compound(&[("a", vec![1; 5000])]);
    // The directory's own, which begins in the third sector.
    looped[512 + 8..512 + 12].copy_from_slice(&2u32.to_le_bytes());
    let mut source = Cursor::new(looped);
    let mut input = Input::new(&mut source).expect("measured");
    let mut file = Compound::open(&mut input).expect("tables");
    assert_eq!(file.stream("a", 5000).expect("read"), Some(vec![1; 5000]));
    assert_eq!(file.stream("b", 5000).expect("read"), None);
}
