//! What a Blender scene contains: how many objects and meshes, the names of materials and actions, pictures and
//! libraries, in it or beside it.
//!
//! Everything in a scene is a block, and the last block but one (`DNA1`) tells the structures of all others, with the
//! names and types of their fields; so scenes of all ages are read the same way.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, SeekFrom};

use super::Head;
use crate::media::decoder::DecodeError;
use crate::media::facts::{Contained, Facts, LIST_MAX, Scene, cut};
use crate::media::input::Source;

/// Most blocks that are passed.
const BLOCKS_MAX: usize = 4_000_000;
/// Most blocks that are looked into, and most bytes of one, which is more than the structures of today have.
const KEPT_MAX: usize = 200_000;
const KEPT_BYTES: usize = 8 << 10;
/// Most bytes of all that are looked into.
const KEPT_ALL: usize = 96 << 20;
/// Longest table of structures, in bytes.
const TABLE_MAX: u64 = 2 << 20;
/// Most bytes of a packed scene that are unpacked.
const UNPACKED_MAX: u64 = 1 << 30;

/// Kinds of blocks that are looked into: objects, meshes, materials, actions, pictures, libraries, sounds, typefaces.
const KINDS: [&[u8; 4]; 8] =
    [b"OB\0\0", b"ME\0\0", b"MA\0\0", b"AC\0\0", b"IM\0\0", b"LI\0\0", b"SO\0\0", b"VF\0\0"];

/// The bytes of a scene, one after the other.
pub(super) enum Stream<'i> {
    /// As it lies there, where bytes are passed over without reading them.
    Plain(&'i mut dyn Source),
    /// Packed as a whole.
    Packed(Box<dyn Read + 'i>),
}

impl Stream<'_> {
    fn read(&mut self, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self {
            Self::Plain(source) => source.take(most).read_to_end(&mut bytes)?,
            Self::Packed(source) => source.take(most).read_to_end(&mut bytes)?,
        };
        Ok(bytes)
    }

    fn skip(&mut self, count: u64) -> io::Result<()> {
        match self {
            Self::Plain(source) => {
                source.seek(SeekFrom::Current(i64::try_from(count).unwrap_or(i64::MAX)))?;
            }
            Self::Packed(source) => {
                io::copy(&mut source.take(count), &mut io::sink())?;
            }
        }
        Ok(())
    }
}

/// The beginning of a block.
struct Kept {
    kind: [u8; 4],
    /// Which of the structures it is.
    structure: u32,
    bytes: Vec<u8>,
}

/// Adds what a scene contains; its head has been read of `stream` already. What is damaged is told as far as it goes.
pub(super) fn tell(head: &Head, stream: &mut Stream<'_>, facts: &mut Facts) {
    match blocks(head, stream) {
        Ok((kept, Some(table))) => match Table::read(head, &table) {
            Some(table) => {
                let name = table.field("ID", "name");
                facts.scene = Some(Reading { head, table: &table, name, facts }.scene(&kept));
            }
            None => facts.note("the table of its structures is damaged: what it contains is not told"),
        },
        Ok((_, None)) | Err(_) => {
            facts.note("it ends before the table of its structures: what it contains is not told");
        }
    }
}

/// The beginnings of all blocks that are looked into, and the table of structures.
fn blocks(head: &Head, stream: &mut Stream<'_>) -> Result<(Vec<Kept>, Option<Vec<u8>>), DecodeError> {
    let (mut kept, mut bytes, mut passed) = (Vec::new(), 0, head.length);
    for _ in 0..BLOCKS_MAX {
        let block = stream.read(head.block as u64)?;
        let Some(length) = head.number(&block, head.length_at).map(u64::from) else { break };
        let Some(structure) = head.number(&block, head.structure_at) else { break };
        let kind = [block[0], block[1], block[2], block[3]];
        passed += head.block as u64 + length;
        if kind == *b"ENDB" || (passed > UNPACKED_MAX && matches!(stream, Stream::Packed(_))) {
            break;
        }
        if kind == *b"DNA1" {
            return Ok((kept, Some(stream.read(length.min(TABLE_MAX))?)));
        }
        let has_room = kept.len() < KEPT_MAX && bytes < KEPT_ALL;
        let wanted = if KINDS.contains(&&kind) && has_room { length.min(KEPT_BYTES as u64) } else { 0 };
        if wanted > 0 {
            let start = stream.read(wanted)?;
            bytes += start.len();
            kept.push(Kept { kind, structure, bytes: start });
        }
        stream.skip(length - wanted)?;
    }
    Ok((kept, None))
}

/// The structures: of each its type and its fields.
struct Table {
    /// Names of types.
    types: Vec<String>,
    /// For each structure the number of its type.
    structures: Vec<usize>,
    /// For each type that has fields: where each begins, by its name, and how long it is.
    fields: HashMap<usize, HashMap<String, (usize, usize)>>,
}

/// Reads a table from its beginning on.
struct Cursor<'b, 'h> {
    bytes: &'b [u8],
    at: usize,
    head: &'h Head,
}

impl Cursor<'_, '_> {
    fn mark(&mut self, mark: &[u8; 4]) -> Option<()> {
        // Each part begins at a multiple of four.
        self.at = self.at.next_multiple_of(4);
        (self.bytes.get(self.at..self.at + 4)? == mark).then_some(())?;
        self.at += 4;
        Some(())
    }

    fn count(&mut self) -> Option<usize> {
        let number = self.head.number(self.bytes, self.at)?;
        self.at += 4;
        // Each is spoken of by a number of two bytes.
        (number <= 1 << 16).then_some(number as usize)
    }

    fn short(&mut self) -> Option<usize> {
        let bytes = *self.bytes.get(self.at..)?.first_chunk::<2>()?;
        self.at += 2;
        let number = if self.head.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        Some(usize::from(number))
    }

    fn words(&mut self) -> Option<Vec<String>> {
        let count = self.count()?;
        let mut words = Vec::new();
        for _ in 0..count {
            let rest = self.bytes.get(self.at..)?;
            let end = rest.iter().position(|byte| *byte == 0)?;
            words.push(String::from_utf8_lossy(&rest[..end]).into_owned());
            self.at += end + 1;
        }
        Some(words)
    }
}

impl Table {
    fn read(head: &Head, bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor { bytes, at: 0, head };
        cursor.mark(b"SDNA")?;
        cursor.mark(b"NAME")?;
        let names = cursor.words()?;
        cursor.mark(b"TYPE")?;
        let types = cursor.words()?;
        cursor.mark(b"TLEN")?;
        let lengths: Vec<usize> = types.iter().map_while(|_| cursor.short()).collect();
        cursor.mark(b"STRC")?;
        let mut table = Self { types, structures: Vec::new(), fields: HashMap::new() };
        for _ in 0..cursor.count()? {
            let (kind, count) = (cursor.short()?, cursor.short()?);
            let mut fields = HashMap::new();
            let mut at = 0usize;
            for _ in 0..count {
                let (kind, name) = (cursor.short()?, names.get(cursor.short()?)?);
                let length = length(name, *lengths.get(kind)?, head.pointer)?;
                fields.insert(plain(name).to_owned(), (at, length));
                at = at.checked_add(length)?;
            }
            table.structures.push(kind);
            table.fields.insert(kind, fields);
        }
        Some(table)
    }

    fn field(&self, kind: &str, name: &str) -> Option<(usize, usize)> {
        let kind = self.types.iter().position(|it| it == kind)?;
        self.fields.get(&kind)?.get(name).copied()
    }
}

/// How many bytes a field takes: a pointer or a value, or several in a row.
fn length(name: &str, of_type: usize, pointer: usize) -> Option<usize> {
    let one = if name.starts_with('*') || name.starts_with("(*") { pointer } else { of_type };
    name.split('[').skip(1).try_fold(one, |sum, part| {
        sum.checked_mul(part.trim_end_matches(']').parse::<usize>().ok()?).filter(|sum| *sum < 1 << 30)
    })
}

/// The name of a field without what says that it is a pointer or several.
fn plain(name: &str) -> &str {
    name.split('[').next().unwrap_or_default().trim_start_matches('*')
}

/// Takes in what blocks say.
struct Reading<'a> {
    head: &'a Head,
    table: &'a Table,
    /// Where in a block its name stands.
    name: Option<(usize, usize)>,
    facts: &'a mut Facts,
}

impl Reading<'_> {
    fn scene(self, kept: &[Kept]) -> Scene {
        let mut scene = Scene::default();
        let (mut needs, mut held) = (HashSet::new(), HashSet::new());
        for block in kept {
            let name = self.name(block);
            match &block.kind {
                b"OB\0\0" => scene.nodes += 1,
                b"ME\0\0" => {
                    scene.meshes += 1;
                    scene.vertices += self.count(block, &["totvert"]);
                    scene.faces += self.count(block, &["totpoly", "totface"]);
                }
                b"MA\0\0" => push(&mut scene.materials, name),
                b"AC\0\0" => push(&mut scene.animations, name),
                kind => {
                    let path = self.path(block);
                    if *kind == *b"IM\0\0" && !path.is_empty() {
                        push(&mut scene.textures, name);
                    }
                    if path.is_empty() || path.starts_with('<') {
                        continue;
                    }
                    if self.is_packed(block) {
                        if held.insert(path.clone()) && self.facts.contains.len() < LIST_MAX {
                            self.facts.contains.push(Contained { name: path, size: 0 });
                        }
                    } else if needs.insert(path.clone()) && self.facts.needs.len() < LIST_MAX {
                        self.facts.needs.push(path);
                    }
                }
            }
        }
        scene
    }

    /// The structure of a block and a field of it: where it begins and how long it is.
    fn field(&self, block: &Kept, name: &str) -> Option<(usize, usize)> {
        let kind = *self.table.structures.get(block.structure as usize)?;
        self.table.fields.get(&kind)?.get(name).copied()
    }

    fn text(block: &Kept, (at, length): (usize, usize)) -> String {
        let bytes = block.bytes.get(at..).unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(length)];
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        cut(&String::from_utf8_lossy(&bytes[..end]))
    }

    /// The name of a block, which stands in its first structure behind two letters for its kind.
    fn name(&self, block: &Kept) -> String {
        let Some(place) = self.name else { return String::new() };
        Self::text(block, place).chars().skip(2).collect()
    }

    /// Where a picture, a sound, a typeface or a library lies. Two strokes stand for the folder of the scene.
    fn path(&self, block: &Kept) -> String {
        let place = ["name", "filepath"].iter().find_map(|name| self.field(block, name));
        let path = place.map(|place| Self::text(block, place)).unwrap_or_default();
        path.strip_prefix("//").map_or(path.clone(), str::to_owned).replace('\\', "/")
    }

    /// Whether its file is in the scene.
    fn is_packed(&self, block: &Kept) -> bool {
        let is_set = |name: &&str| {
            let place =
                self.field(block, name).and_then(|(at, _)| block.bytes.get(at..at + self.head.pointer));
            place.is_some_and(|pointer| pointer.iter().any(|byte| *byte != 0))
        };
        ["packedfile", "packedfiles", "newpackedfile"].iter().any(is_set)
    }

    fn count(&self, block: &Kept, names: &[&str]) -> u64 {
        let numbers = names.iter().filter_map(|name| {
            let (at, _) = self.field(block, name)?;
            self.head.number(&block.bytes, at).map(u64::from).filter(|number| *number < 1 << 31)
        });
        numbers.max().unwrap_or(0)
    }
}

fn push(names: &mut Vec<String>, name: String) {
    if !name.is_empty() && names.len() < LIST_MAX {
        names.push(name);
    }
}
