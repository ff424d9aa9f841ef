//! USD scenes in their packed form (USDC, "crate"), told by their tables.
//!
//! Source: OpenUSD, `pxr/usd/sdf/crateFile.cpp` and `crateDataTypes.h`, versions 0.4 to 0.13. A table of contents
//! at the end says where six tables lie: texts, which of them are strings, fields, sets of fields, the names of
//! paths, and what stands at each path. Values of a word or less stand in the fields themselves, others where
//! these say; of arrays only the length is read. Tables have bounds before they are unpacked.

use std::ops::Range;

use super::unpack::{coded_max, numbers, unpack};
use super::{SAID, Stage};
use crate::media::decoder::DecodeError;
use crate::media::facts::LIST_MAX;
use crate::media::input::Input;

/// What a packed scene begins with.
pub(super) const MARK: &[u8; 8] = b"PXR-USDC";

/// The oldest version that is read, major and minor: those before it had their tables in other forms.
const OLDEST: (u8, u8) = (0, 4);
/// Most sections of one file.
const SECTIONS_MAX: u64 = 64;
/// Longest table, packed, and most bytes that all of them may take unpacked.
const TABLE_MAX: u64 = 256 << 20;
const UNPACKED_MAX: usize = 112 << 20;
/// Most fields that are looked at, and most of one thing.
const FIELDS_MAX: usize = 3_000_000;
const FIELDS_EACH_MAX: usize = 4096;
/// Most values that are looked up elsewhere in the file.
const LOOKUPS_MAX: usize = 500_000;
/// Most words of a dictionary that is passed.
const WORDS_MAX: u64 = 10_000;

/// What stands at a path.
const ATTRIBUTE: u32 = 1;
const PRIM: u32 = 6;
const ROOT: u32 = 7;
const VARIANT: u32 = 10;

/// Kinds of values.
mod kind {
    pub const INT: u8 = 3;
    pub const FLOAT: u8 = 8;
    pub const DOUBLE: u8 = 9;
    pub const STRING: u8 = 10;
    pub const TOKEN: u8 = 11;
    pub const ASSET: u8 = 12;
    pub const REFERENCES: u8 = 35;
    pub const SPECIFIER: u8 = 42;
    pub const PAYLOAD: u8 = 47;
    pub const STRINGS: u8 = 50;
    pub const PAYLOADS: u8 = 55;
    pub const TIME: u8 = 56;
}

/// Tells a scene that lies in a part of a file.
pub(super) fn read(input: &mut Input<'_>, part: Range<u64>, stage: &mut Stage) -> Result<(), DecodeError> {
    let mut file = File { input, part, version: (0, 0), lookups: LOOKUPS_MAX };
    let head = file.at(0, 88)?;
    file.version = (head[8], head[9]);
    if head[8] != 0 || file.version < OLDEST {
        return Err(DecodeError::Unsupported(format!(
            "version {}.{} of packed scenes is not read",
            head[8], head[9]
        )));
    }
    let sections = Sections::read(&mut file, Cursor(&head[16..]).long()?)?;
    let tables = Tables::read(&mut file, &sections)?;
    // A name is looked at once, however many things have a field of that name.
    let names: Vec<Role> = (0..tables.starts.len()).map(|text| Role::of(tables.text(text as u32))).collect();
    let role = |(name, _): &(u32, Value)| names.get(*name as usize).copied().unwrap_or(Role::Other);
    let roles = tables.fields.iter().map(role).collect();
    let mut telling = Telling { file, tables: &tables, stage, roles, left: FIELDS_MAX, is_whole: true };
    for (path, set, kind) in &tables.specs {
        match telling.spec(*path, *set, *kind) {
            Ok(()) => {}
            Err(DecodeError::TooLarge(_)) => {
                telling
                    .stage
                    .notes
                    .push("it holds more than is read of a scene: what follows is not counted");
                break;
            }
            // One value that leads nowhere is not the whole scene.
            Err(DecodeError::Damaged(_)) => telling.is_whole = false,
            Err(error) => return Err(error),
        }
    }
    if !telling.is_whole {
        telling.stage.notes.push("some of its values lead nowhere and are not counted");
    }
    Ok(())
}

fn cut_off() -> DecodeError {
    DecodeError::Damaged("the scene ends before what it says that it holds".to_owned())
}

fn lies(table: &str) -> DecodeError {
    DecodeError::Damaged(format!("its table of {table} is damaged"))
}

fn too_large() -> DecodeError {
    DecodeError::TooLarge("its tables take more than is unpacked of a scene".to_owned())
}

/// The bytes of the scene, by places within it.
struct File<'f, 'i> {
    input: &'f mut Input<'i>,
    part: Range<u64>,
    version: (u8, u8),
    /// Values that may still be looked up.
    lookups: usize,
}

impl File<'_, '_> {
    /// Exactly so many bytes from a place on.
    fn at(&mut self, place: u64, count: u64) -> Result<Vec<u8>, DecodeError> {
        let from = self.part.start.checked_add(place).ok_or_else(cut_off)?;
        let is_there = from.checked_add(count).is_some_and(|end| end <= self.part.end.min(self.input.len()));
        if !is_there || count > TABLE_MAX {
            return Err(cut_off());
        }
        Ok(self.input.exactly_at(from, count as usize)?)
    }

    /// The same of a value; there is an end to these.
    fn value<const N: usize>(&mut self, place: &mut u64) -> Result<[u8; N], DecodeError> {
        self.lookups = self.lookups.checked_sub(1).ok_or_else(too_large)?;
        let bytes = self.at(*place, N as u64)?;
        *place += N as u64;
        bytes.first_chunk().copied().ok_or_else(cut_off)
    }

    fn short(&mut self, place: &mut u64) -> Result<u32, DecodeError> {
        self.value(place).map(u32::from_le_bytes)
    }

    fn long(&mut self, place: &mut u64) -> Result<u64, DecodeError> {
        self.value(place).map(u64::from_le_bytes)
    }

    /// How long an array is that begins at a place, which is moved behind that number.
    fn count(&mut self, place: &mut u64) -> Result<u64, DecodeError> {
        if self.version < (0, 5) {
            // Its rank, which is 1.
            *place += 4;
        }
        let count = if self.version < (0, 7) { u64::from(self.short(place)?) } else { self.long(place)? };
        // However well it is packed, something of each is there.
        if count / 1024 > self.part.end - self.part.start {
            return Err(lies("values"));
        }
        Ok(count)
    }
}

/// Reads a table from its front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], DecodeError> {
        let count = usize::try_from(count).ok().filter(|count| *count <= self.0.len()).ok_or_else(cut_off)?;
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        Ok(taken)
    }

    fn long(&mut self) -> Result<u64, DecodeError> {
        let bytes = self.take(8)?;
        bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)).ok_or_else(cut_off)
    }
}

/// Where the tables lie.
struct Sections(Vec<(Vec<u8>, u64, u64)>);

impl Sections {
    fn read(file: &mut File<'_, '_>, at: u64) -> Result<Self, DecodeError> {
        let count = Cursor(&file.at(at, 8)?).long()?;
        if count > SECTIONS_MAX {
            return Err(lies("contents"));
        }
        let table = file.at(at + 8, count * 32)?;
        let section = |row: &[u8]| {
            let name = row[..16].split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
            let mut places = Cursor(&row[16..]);
            Ok((name, places.long()?, places.long()?))
        };
        table.chunks_exact(32).map(section).collect::<Result<_, DecodeError>>().map(Self)
    }

    fn bytes(&self, file: &mut File<'_, '_>, name: &str) -> Result<Vec<u8>, DecodeError> {
        let section = self.0.iter().find(|section| section.0 == name.as_bytes());
        let (_, start, size) =
            section.ok_or_else(|| DecodeError::Damaged(format!("its table {name} is missing")))?;
        file.at(*start, *size)
    }
}

/// What a value is: its kind, and itself or where it lies.
#[derive(Debug, Clone, Copy)]
struct Value(u64);

impl Value {
    fn kind(self) -> u8 {
        (self.0 >> 48) as u8
    }

    fn is_array(self) -> bool {
        self.0 >> 63 == 1
    }

    fn is_here(self) -> bool {
        self.0 >> 62 & 1 == 1
    }

    /// The value where it is here, else its place.
    fn payload(self) -> u64 {
        self.0 & ((1 << 48) - 1)
    }
}

/// The tables, unpacked.
#[derive(Default)]
struct Tables {
    texts: Vec<u8>,
    /// Where each text begins.
    starts: Vec<u32>,
    /// Which text each string is.
    strings: Vec<u32>,
    fields: Vec<(u32, Value)>,
    sets: Vec<u32>,
    /// Which text names the last part of each path.
    names: Vec<u32>,
    /// Path, set of fields and kind.
    specs: Vec<(u32, u32, u32)>,
}

impl Tables {
    fn read(file: &mut File<'_, '_>, sections: &Sections) -> Result<Self, DecodeError> {
        let mut tables = Self::default();
        let mut room = Room(UNPACKED_MAX);
        tables.texts(&sections.bytes(file, "TOKENS")?, &mut room)?;
        let bytes = sections.bytes(file, "STRINGS")?;
        let mut strings = Cursor(&bytes);
        let count = room.count(strings.long()?, 4)?;
        tables.strings = words(strings.take(count as u64 * 4)?);
        tables.fields(&sections.bytes(file, "FIELDS")?, &mut room)?;
        let bytes = sections.bytes(file, "FIELDSETS")?;
        let mut sets = Cursor(&bytes);
        let count = room.count(sets.long()?, 4)?;
        tables.sets = packed_numbers(&mut sets, count, "sets")?;
        tables.names(&sections.bytes(file, "PATHS")?, &mut room)?;
        let bytes = sections.bytes(file, "SPECS")?;
        let mut specs = Cursor(&bytes);
        let count = room.count(specs.long()?, 24)?;
        let paths = packed_numbers(&mut specs, count, "things")?;
        let sets = packed_numbers(&mut specs, count, "things")?;
        let kinds = packed_numbers(&mut specs, count, "things")?;
        tables.specs =
            paths.into_iter().zip(sets).zip(kinds).map(|((path, set), kind)| (path, set, kind)).collect();
        Ok(tables)
    }

    fn texts(&mut self, section: &[u8], room: &mut Room) -> Result<(), DecodeError> {
        let mut section = Cursor(section);
        let count = room.count(section.long()?, 4)?;
        let unpacked = room.count(section.long()?, 1)?;
        let length = section.long()?;
        self.texts = unpack(section.take(length)?, unpacked).ok_or_else(|| lies("texts"))?;
        let mut start = 0;
        for end in memchr::memchr_iter(0, &self.texts).take(count) {
            self.starts.push(start);
            start = end as u32 + 1;
        }
        Ok(())
    }

    fn fields(&mut self, section: &[u8], room: &mut Room) -> Result<(), DecodeError> {
        let mut section = Cursor(section);
        let count = room.count(section.long()?, 32)?;
        let names = packed_numbers(&mut section, count, "fields")?;
        let length = if count == 0 { 0 } else { section.long()? };
        let values = if count == 0 {
            Vec::new()
        } else {
            unpack(section.take(length)?, count * 8).ok_or_else(|| lies("fields"))?
        };
        let values = values.as_chunks::<8>().0.iter().map(|bytes| Value(u64::from_le_bytes(*bytes)));
        self.fields = names.into_iter().zip(values).collect();
        Ok(())
    }

    /// Paths are written as a tree of names; the tree itself is not needed.
    fn names(&mut self, section: &[u8], room: &mut Room) -> Result<(), DecodeError> {
        let mut section = Cursor(section);
        let most = room.count(section.long()?, 4)?;
        let count = room.count(section.long()?, 8)?;
        let paths = packed_numbers(&mut section, count, "paths")?;
        let names = packed_numbers(&mut section, count, "paths")?;
        self.names = vec![u32::MAX; most.min(count)];
        for (path, name) in paths.into_iter().zip(names) {
            if let Some(place) = self.names.get_mut(path as usize) {
                // Names of attributes are written below 0.
                *place = (name as i32).unsigned_abs();
            }
        }
        Ok(())
    }

    fn text(&self, number: u32) -> &[u8] {
        let Some(start) = self.starts.get(number as usize) else { return &[] };
        let from = &self.texts[*start as usize..];
        &from[..memchr::memchr(0, from).unwrap_or(from.len())]
    }

    fn string(&self, number: u32) -> &[u8] {
        self.strings.get(number as usize).map_or(&[], |text| self.text(*text))
    }
}

/// How many bytes may still be unpacked.
struct Room(usize);

impl Room {
    /// A count of things that take so many bytes each.
    fn count(&mut self, count: u64, each: usize) -> Result<usize, DecodeError> {
        let bytes = usize::try_from(count).ok().and_then(|count| count.checked_mul(each));
        self.0 = bytes.and_then(|bytes| self.0.checked_sub(bytes)).ok_or_else(too_large)?;
        Ok(count as usize)
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
}

fn packed_numbers(section: &mut Cursor<'_>, count: usize, table: &str) -> Result<Vec<u32>, DecodeError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let length = section.long()?;
    let coded = unpack(section.take(length)?, coded_max(count)).ok_or_else(|| lies(table))?;
    numbers(&coded, count).ok_or_else(|| lies(table))
}

/// What a field means here, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Specifier,
    Kind,
    Layers,
    Default,
    SubLayers,
    /// What the scene says of itself, by its place in [`SAID`].
    Said(u8),
    Other,
}

impl Role {
    fn of(name: &[u8]) -> Self {
        match name {
            b"specifier" => Self::Specifier,
            b"typeName" => Self::Kind,
            b"references" | b"payload" => Self::Layers,
            b"default" => Self::Default,
            b"subLayers" => Self::SubLayers,
            _ => {
                let place = SAID.iter().position(|said| said.as_bytes() == name);
                place.map_or(Self::Other, |place| Self::Said(place as u8))
            }
        }
    }
}

/// Tells thing after thing.
struct Telling<'t, 'f, 'i> {
    file: File<'f, 'i>,
    tables: &'t Tables,
    stage: &'t mut Stage,
    /// What each field means.
    roles: Vec<Role>,
    /// Fields that may still be looked at.
    left: usize,
    /// Whether every value led somewhere.
    is_whole: bool,
}

impl<'t> Telling<'t, '_, '_> {
    fn spec(&mut self, path: u32, set: u32, kind: u32) -> Result<(), DecodeError> {
        let tables = self.tables;
        let name = tables.names.get(path as usize).map_or(&[][..], |name| tables.text(*name));
        let numbers = tables.sets.get(set as usize..).unwrap_or_default();
        let numbers = numbers.iter().take(FIELDS_EACH_MAX).take_while(|number| **number != u32::MAX);
        let (mut defined, mut of) = (false, &[][..]);
        for number in numbers {
            self.left = self.left.checked_sub(1).ok_or_else(too_large)?;
            let number = *number as usize;
            let (Some(role), Some((_, value))) = (self.roles.get(number), tables.fields.get(number)) else {
                continue;
            };
            let told = match (kind, role) {
                (PRIM, Role::Specifier) => {
                    defined = value.kind() == kind::SPECIFIER && value.payload() == 0;
                    Ok(())
                }
                (PRIM, Role::Kind) => {
                    of = self.word(*value).unwrap_or_default();
                    Ok(())
                }
                (PRIM | VARIANT, Role::Layers) => self.layers(*value),
                (ATTRIBUTE, Role::Default) => self.attribute(name, *value),
                (ROOT, Role::SubLayers) if value.kind() == kind::STRINGS => self.sub_layers(*value),
                (ROOT, Role::Said(place)) => self.whole(SAID[usize::from(*place)], *value),
                _ => Ok(()),
            };
            match told {
                Err(DecodeError::Damaged(_)) => self.is_whole = false,
                told => told?,
            }
        }
        if kind == PRIM && defined {
            self.stage.prim(of, name);
        }
        Ok(())
    }

    /// A value that is one word.
    fn word(&self, value: Value) -> Option<&'t [u8]> {
        let number = value.payload() as u32;
        match value.kind() {
            _ if value.is_array() || !value.is_here() => None,
            kind::TOKEN | kind::ASSET => Some(self.tables.text(number)),
            kind::STRING => Some(self.tables.string(number)),
            _ => None,
        }
    }

    /// What the scene says of itself as a whole.
    fn whole(&mut self, name: &'static str, value: Value) -> Result<(), DecodeError> {
        let bits = value.payload() as u32;
        let said = match value.kind() {
            kind::INT => (bits as i32).to_string(),
            kind::FLOAT => f32::from_bits(bits).to_string(),
            kind::DOUBLE | kind::TIME if value.is_here() => f32::from_bits(bits).to_string(),
            kind::DOUBLE | kind::TIME => f64::from_bits(self.file.long(&mut value.payload())?).to_string(),
            _ => match self.word(value) {
                Some(word) => String::from_utf8_lossy(word).into_owned(),
                None => return Ok(()),
            },
        };
        self.stage.says(name, said);
        Ok(())
    }

    fn attribute(&mut self, name: &[u8], value: Value) -> Result<(), DecodeError> {
        if value.kind() == kind::ASSET && !value.is_array() {
            if let Some(file) = self.word(value).map(<[u8]>::to_vec) {
                self.stage.file(name, &file);
            }
            return Ok(());
        }
        let is_counted = matches!(name, b"points" | b"faceVertexCounts");
        // An array without a place is empty.
        if !value.is_array()
            || value.is_here()
            || value.payload() == 0
            || !(is_counted || value.kind() == kind::ASSET)
        {
            return Ok(());
        }
        let mut place = value.payload();
        let count = self.file.count(&mut place)?;
        match name {
            b"points" => self.stage.points(count),
            b"faceVertexCounts" => self.stage.faces(count),
            _ => {
                for _ in 0..count.min(LIST_MAX as u64) {
                    let file = self.file.short(&mut place)?;
                    self.stage.file(name, self.tables.string(file));
                }
            }
        }
        Ok(())
    }

    fn sub_layers(&mut self, value: Value) -> Result<(), DecodeError> {
        let mut place = value.payload();
        for _ in 0..self.file.long(&mut place)?.min(LIST_MAX as u64) {
            let layer = self.file.short(&mut place)?;
            self.stage.file(b"subLayers", self.tables.string(layer));
        }
        Ok(())
    }

    /// Files that something is taken from: one, or lists of what is set, added, put before and put behind. What is taken
    /// out again comes after these and is not read.
    fn layers(&mut self, value: Value) -> Result<(), DecodeError> {
        let mut place = value.payload();
        match value.kind() {
            kind::PAYLOAD if !value.is_here() => self.layer(false, &mut place),
            kind::REFERENCES | kind::PAYLOADS => {
                let [lists] = self.file.value(&mut place)?;
                for list in [1u8 << 1, 1 << 2, 1 << 5, 1 << 6] {
                    if lists & list == 0 {
                        continue;
                    }
                    for _ in 0..self.file.long(&mut place)?.min(LIST_MAX as u64) {
                        self.layer(value.kind() == kind::REFERENCES, &mut place)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// One file that something is taken from: its name, a path within it, how its times are moved, and more words.
    fn layer(&mut self, is_reference: bool, place: &mut u64) -> Result<(), DecodeError> {
        let file = self.file.short(place)?;
        self.stage.file(b"references", self.tables.string(file));
        *place = place.saturating_add(4);
        if is_reference || self.file.version >= (0, 8) {
            *place = place.saturating_add(16);
        }
        if is_reference {
            let words = self.file.long(place)?;
            if words > WORDS_MAX {
                return Err(lies("values"));
            }
            for _ in 0..words {
                // A word, how far its value is away, and behind that what kind of value it is.
                *place = place.saturating_add(4);
                let from = *place;
                let away = i64::from_le_bytes(self.file.value(place)?);
                *place = from.checked_add_signed(away).ok_or_else(cut_off)?.saturating_add(8);
            }
        }
        Ok(())
    }
}
