//! Fuzz targets of documents of offices in their old form, and what makes small ones.

use super::families::look;
use crate::base::fuzz::Target;
use crate::media::format;

/// All of them.
pub const TARGETS: &[Target] = &[Target::new(
    "media: office document of the old form",
    &[
        "media/ole.rs",
        "media/ole/compound.rs",
        "media/ole/properties.rs",
        "media/ole/letter.rs",
        "media/ole/table.rs",
        "media/ole/slides.rs",
    ],
    || vec![letter_file("Dear harbour\r"), table_file(&["Quay", "Lamps"]), slides_file(&["Spring", "Quay"])],
    |bytes| look(bytes, &format::OLE),
)
.with_memory(64 << 20)];

const END: u32 = 0xffff_fffe;
const FREE: u32 = 0xffff_ffff;

/// A compound file with sectors of 512 bytes: short streams share one, as they must.
pub fn compound(streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let sectors = |length: usize| length.div_ceil(512) as u32;
    let is_short = |bytes: &[u8]| bytes.len() < 4096;
    let mut shared = Vec::new();
    let mut short_chains = Vec::new();
    let mut starts = Vec::new();
    for (_, bytes) in streams.iter().filter(|(_, bytes)| is_short(bytes)) {
        starts.push(short_chains.len() as u32);
        shared.extend(bytes);
        shared.resize(shared.len().next_multiple_of(64), 0);
        short_chains.extend(short_chains.len() as u32 + 1..(shared.len() / 64) as u32);
        short_chains.push(END);
    }
    // The sectors of chains, those of short ones, then the directory, the shared stream and the long ones.
    let directory = sectors((streams.len() + 1) * 128);
    let short_sectors = sectors(short_chains.len() * 4).max(1);
    let long = streams.iter().filter(|(_, bytes)| !is_short(bytes)).map(|(_, bytes)| sectors(bytes.len()));
    let others = directory + short_sectors + sectors(shared.len()).max(1) + long.sum::<u32>();
    let own = (1..=109).find(|own| own * 128 >= own + others).unwrap_or(109);
    let mut chains = vec![0xffff_fffd; own as usize];
    let mut chain = |count: u32| {
        let start = chains.len() as u32;
        chains.extend(start + 1..start + count);
        chains.push(END);
        start
    };
    let short_at = chain(short_sectors);
    let directory_at = chain(directory);
    let shared_at = chain(sectors(shared.len()).max(1));
    let mut starts = starts.into_iter();
    let mut entries = vec![entry("Root Entry", 5, (1, FREE), (shared_at, shared.len()))];
    let mut body = Vec::new();
    for (number, (name, bytes)) in (2u32..).zip(streams) {
        let start = if is_short(bytes) {
            starts.next().unwrap_or(END)
        } else {
            body.extend(bytes);
            body.resize(body.len().next_multiple_of(512), 0);
            chain(sectors(bytes.len()))
        };
        // Each is to the right of the one before it.
        let right = if number as usize > streams.len() { FREE } else { number };
        entries.push(entry(name, 2, (FREE, right), (start, bytes.len())));
    }
    let mut head = vec![0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
    head.extend([0; 16]);
    head.extend([0x3e, 0, 3, 0, 0xfe, 0xff, 9, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let counts = [own, directory_at, 0, 4096, short_at, short_sectors, END, 0];
    head.extend(counts.into_iter().chain(0..own).flat_map(u32::to_le_bytes));
    let padded = |mut bytes: Vec<u8>, with: u8, length: usize| {
        bytes.resize(bytes.len().next_multiple_of(length).max(length), with);
        bytes
    };
    let numbers = |list: &[u32]| padded(list.iter().flat_map(|it| it.to_le_bytes()).collect(), 0xff, 512);
    let (chains, short_chains) = (numbers(&chains), numbers(&short_chains));
    let entries = padded(entries.concat(), 0, 512);
    [padded(head, 0xff, 512), chains, short_chains, entries, padded(shared, 0, 512), body].concat()
}

fn entry(name: &str, kind: u8, (child, right): (u32, u32), (start, size): (u32, usize)) -> Vec<u8> {
    let mut bytes: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = bytes.len() as u16 + 2;
    bytes.resize(64, 0);
    bytes.extend(length.to_le_bytes());
    bytes.extend([kind, 1]);
    for number in [FREE, right, child] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.resize(116, 0);
    bytes.extend(start.to_le_bytes());
    bytes.extend((size as u64).to_le_bytes());
    bytes
}

/// A set of properties: texts by their numbers.
pub fn properties(texts: &[(u32, &str)]) -> Vec<u8> {
    let mut values = Vec::new();
    let mut list = Vec::new();
    for (id, text) in texts {
        let at = 8 + texts.len() * 8 + values.len();
        list.extend([id.to_le_bytes(), (at as u32).to_le_bytes()].concat());
        values.extend([0x1f, 0, 0, 0]);
        values.extend((text.encode_utf16().count() as u32 + 1).to_le_bytes());
        values.extend(text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
        values.resize(values.len().next_multiple_of(4), 0);
    }
    let mut bytes = vec![0xfe, 0xff];
    bytes.resize(24, 0);
    bytes.extend([1, 0, 0, 0]);
    bytes.extend([0; 16]);
    bytes.extend([48, 0, 0, 0]);
    bytes.extend(((8 + list.len() + values.len()) as u32).to_le_bytes());
    bytes.extend((texts.len() as u32).to_le_bytes());
    [bytes, list, values].concat()
}

/// A letter whose text is in two pieces, the second with two bytes for each character.
pub fn letter_file(text: &str) -> Vec<u8> {
    let count = text.chars().count() as u32;
    let mut main = vec![0; 0x400];
    main[..4].copy_from_slice(&[0xec, 0xa5, 0xc1, 0]);
    main[11] = 2;
    let narrow = main.len() as u32;
    main.extend(text.bytes());
    let broad = main.len() as u32;
    main.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let mut plan: Vec<u8> = [0, count, count * 2].into_iter().flat_map(u32::to_le_bytes).collect();
    for place in [(narrow * 2) | 0x4000_0000, broad] {
        plan.extend([0, 0]);
        plan.extend(place.to_le_bytes());
        plan.extend([0, 0]);
    }
    let table = [&[1, 2, 0, 7, 7, 2][..], &(plan.len() as u32).to_le_bytes(), &plan].concat();
    main[0x1a6..0x1aa].copy_from_slice(&(table.len() as u32).to_le_bytes());
    let summary = properties(&[(2, "Quay"), (4, "Anna Lind")]);
    compound(&[("WordDocument", main), ("1Table", table), ("\u{5}SummaryInformation", summary)])
}

fn biff(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes(), &(body.len() as u16).to_le_bytes(), body].concat()
}

/// A workbook of one sheet with texts in its table; the last of them goes on in another record.
pub fn table_file(texts: &[&str]) -> Vec<u8> {
    let count = texts.len() as u32;
    let mut shared = [count.to_le_bytes(), count.to_le_bytes()].concat();
    let mut rest = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        shared.extend((text.encode_utf16().count() as u16).to_le_bytes());
        shared.push(0);
        let bytes: Vec<u8> = text.bytes().collect();
        if number + 1 == texts.len() {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            shared.extend(first);
            // From here on two bytes for each character.
            rest.push(1);
            rest.extend(second.iter().flat_map(|byte| [*byte, 0]));
        } else {
            shared.extend(bytes);
        }
    }
    let book = [
        biff(0x0809, &[0, 6, 5, 0, 0, 0, 0, 0]),
        biff(0x0085, &[0, 0, 0, 0, 0, 0, 1, 0, b'A']),
        biff(0x00fc, &shared),
        biff(0x003c, &rest),
        biff(0x0204, &[0, 0, 0, 0, 0, 0, 3, 0, 0, b'o', b'w', b'n']),
        biff(0x000a, &[]),
    ];
    compound(&[("Workbook", book.concat())])
}

fn ppt(kind: u16, head: u16, body: &[u8]) -> Vec<u8> {
    [&head.to_le_bytes()[..], &kind.to_le_bytes(), &(body.len() as u32).to_le_bytes(), body].concat()
}

/// A presentation with a slide for each text, the last of which was written by a later edit in place of another.
pub fn slides_file(texts: &[&str]) -> Vec<u8> {
    let slide = |text: &str| {
        let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        ppt(0x03ee, 15, &ppt(0xf00d, 15, &ppt(0x0fa0, 0, &text)))
    };
    let mut main = Vec::new();
    let mut places = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        places.push(main.len() as u32);
        main.extend(slide(if number + 1 == texts.len() { "what stood here before" } else { text }));
    }
    let list = |number: u32| [number.to_le_bytes().to_vec(), vec![0; 16]].concat();
    let slides = (1u32..=texts.len() as u32)
        .flat_map(|number| [ppt(0x03f3, 0, &list(number)), ppt(0x0fa8, 0, b"Outline")].concat());
    let masters = ppt(0x0ff0, 0x1f, &ppt(0x0fa8, 0, b"Click to edit"));
    places.push(main.len() as u32);
    main.extend(ppt(0x03e8, 15, &[masters, ppt(0x0ff0, 15, &slides.collect::<Vec<u8>>())].concat()));
    let document = places.len() as u32;
    let edit = |main: &mut Vec<u8>, first: u32, places: &[u32], before: u32| {
        let at = main.len() as u32;
        let head = first | ((places.len() as u32) << 20);
        let numbers = [&[head], places].concat();
        main.extend(ppt(0x1772, 0, &numbers.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<u8>>()));
        let end = main.len() as u32;
        let body = [0, 0, before, at, document, 0, 0].into_iter().flat_map(u32::to_le_bytes);
        main.extend(ppt(0x0ff5, 0, &body.collect::<Vec<u8>>()));
        end
    };
    let first = edit(&mut main, 1, &places, 0);
    let newer = main.len() as u32;
    main.extend(slide(texts.last().copied().unwrap_or_default()));
    let last = edit(&mut main, texts.len() as u32, &[newer], first);
    let mut user =
        ppt(0x0ff6, 0, &[&[0x14, 0, 0, 0, 0x5f, 0xc0, 0x91, 0xe3][..], &last.to_le_bytes()].concat());
    user.resize(64, 0);
    compound(&[("PowerPoint Document", main), ("Current User", user)])
}
