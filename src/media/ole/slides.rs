//! Words of PowerPoint presentations (\[MS-PPT\]): the slides of the last edit, in their order. What earlier edits left
//! behind in the file is not read.

use super::{ENCRYPTED, OLDER, Told, characters, long, short};
use std::collections::HashMap;

/// Most edits that are followed back.
const EDITS_MAX: usize = 1000;
/// Most objects that are known.
const OBJECTS_MAX: usize = 100_000;
/// Most records that are passed.
const RECORDS_MAX: usize = 1_000_000;
/// Longest text that is kept, in bytes.
const TEXT_MAX: usize = 4 << 20;
/// Most bytes of texts that are looked at: the same one may be on many slides, and may be all blanks.
const LOOKED_MAX: usize = 16 << 20;
/// Most entries in all lists of objects: the same list may be that of many edits.
const ENTRIES_MAX: usize = 4_000_000;

/// Kinds of records.
const USER_EDIT: u16 = 0x0ff5;
const OBJECT_LIST: u16 = 0x1772;
const SLIDE_LIST: u16 = 0x0ff0;
const SLIDE_OF_LIST: u16 = 0x03f3;
const WIDE_TEXT: u16 = 0x0fa0;
const NARROW_TEXT: u16 = 0x0fa8;
/// What says that a file is encrypted.
const ENCRYPTED_MARK: u32 = 0xf3d1_c4df;

/// One record.
#[derive(Clone, Copy)]
struct Record<'b> {
    kind: u16,
    /// Which of several of its kind.
    instance: u16,
    /// Whether it is made of others.
    has_records: bool,
    body: &'b [u8],
}

/// The record at a place, and where the next one begins.
fn record(bytes: &[u8], at: usize) -> Option<(Record<'_>, usize)> {
    let (head, kind, length) = (short(bytes, at)?, short(bytes, at + 2)?, long(bytes, at + 4)? as usize);
    let end = (at + 8).checked_add(length)?;
    let body = bytes.get(at + 8..end)?;
    Some((Record { kind, instance: head >> 4, has_records: head & 15 == 15, body }, end))
}

/// All records in a record, those within others too, in their order; `left` more at most.
fn each<'b>(body: &'b [u8], left: &mut usize, mut seen: impl FnMut(Record<'b>)) {
    let mut open = vec![(body, 0)];
    while let Some((bytes, at)) = open.pop() {
        let Some((found, next)) = record(bytes, at) else { continue };
        if *left == 0 {
            return;
        }
        *left -= 1;
        seen(found);
        open.push((bytes, next));
        if found.has_records {
            open.push((found.body, 0));
        }
    }
}

/// The words of all slides, and how many there are.
pub(super) fn words(main: &[u8], user: &[u8]) -> Told {
    let note = |note| Told { notes: vec![note], ..Told::default() };
    if long(user, 12) == Some(ENCRYPTED_MARK) {
        return note(ENCRYPTED);
    }
    let Some((objects, document)) = long(user, 16).and_then(|edit| objects(main, edit as usize)) else {
        return note(OLDER);
    };
    let Some((document, _)) = objects.get(&document).and_then(|at| record(main, *at)) else {
        return note(OLDER);
    };
    let mut lists = Vec::new();
    let mut left = RECORDS_MAX;
    each(document.body, &mut left, |found| {
        if found.kind == SLIDE_LIST && found.instance == 0 {
            lists.push(found.body);
        }
    });
    let mut deck = Deck { main, objects, text: String::new(), slides: 0, left, looked: LOOKED_MAX };
    for list in lists {
        deck.add_list(list);
    }
    Told { pages: Some(deck.slides).filter(|slides| *slides > 0), text: deck.text, ..Told::default() }
}

/// Slides that are read one by one.
struct Deck<'b> {
    main: &'b [u8],
    objects: HashMap<u32, usize>,
    text: String,
    slides: u64,
    /// How many records may be passed yet.
    left: usize,
    /// How many bytes of texts may be looked at yet.
    looked: usize,
}

impl Deck<'_> {
    /// A slide, the texts of its outline, the next slide.
    fn add_list(&mut self, list: &[u8]) {
        let (mut at, mut last) = (0, None);
        while let Some((found, next)) = record(list, at).filter(|_| self.left > 0) {
            at = next;
            self.left -= 1;
            if found.kind == SLIDE_OF_LIST {
                self.add_slide(last.take());
                last = long(found.body, 0);
                self.slides += 1;
            } else {
                add(found, &mut self.text, &mut self.looked);
            }
        }
        self.add_slide(last);
    }

    /// The texts that stand on a slide itself.
    fn add_slide(&mut self, number: Option<u32>) {
        let place = number.and_then(|number| self.objects.get(&number));
        if let Some((slide, _)) = place.and_then(|at| record(self.main, *at)) {
            let (text, looked) = (&mut self.text, &mut self.looked);
            each(slide.body, &mut self.left, |found| add(found, text, looked));
        }
    }
}

fn add(found: Record<'_>, into: &mut String, looked: &mut usize) {
    let is_text = matches!(found.kind, WIDE_TEXT | NARROW_TEXT);
    if !is_text || into.len() > TEXT_MAX || found.body.len() > *looked {
        return;
    }
    *looked -= found.body.len();
    let text: String = match found.kind {
        WIDE_TEXT => characters(found.body),
        // The lower halves of characters.
        _ => found.body.iter().map(|byte| char::from(*byte)).collect(),
    };
    for line in text.split(['\r', '\u{b}', '\n']).map(str::trim).filter(|line| !line.is_empty()) {
        into.extend(line.chars().filter(|letter| !letter.is_control()));
        into.push('\n');
    }
}

/// Where each object of the last edit lies, and which of them is the document: every edit lists what it wrote.
fn objects(main: &[u8], last_edit: usize) -> Option<(HashMap<u32, usize>, u32)> {
    let (mut objects, mut document, mut at) = (HashMap::new(), None, last_edit);
    let mut left = ENTRIES_MAX;
    for _ in 0..EDITS_MAX {
        let (edit, _) = record(main, at)?;
        if edit.kind != USER_EDIT {
            return None;
        }
        document = document.or(long(edit.body, 16));
        let (list, _) = record(main, long(edit.body, 12)? as usize)?;
        if list.kind != OBJECT_LIST {
            return None;
        }
        left = left.checked_sub(list.body.len() / 4)?;
        let mut numbers =
            list.body.chunks_exact(4).map(|it| u32::from_le_bytes([it[0], it[1], it[2], it[3]]));
        while let Some(head) = numbers.next() {
            let (first, count) = (head & 0x000f_ffff, head >> 20);
            for (number, place) in (first..first + count).zip(numbers.by_ref()) {
                // The newest edit is asked first.
                objects.entry(number).or_insert(place as usize);
            }
            if objects.len() > OBJECTS_MAX {
                return None;
            }
        }
        match long(edit.body, 8)? as usize {
            // Each lies behind the one before it.
            0 => break,
            before if before >= at => break,
            before => at = before,
        }
    }
    Some((objects, document?))
}
