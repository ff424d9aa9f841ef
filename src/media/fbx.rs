//! FBX scenes, in their binary form and as text: what they contain. They are not drawn.
//!
//! Source of the binary form: "FBX binary file format specification" (A. Gessler, Blender, 2013): records that say where they end, with
//! values and records within.

mod text;

use flate2::read::ZlibDecoder;
use std::io::Read;

use crate::media::decoder::{DecodeError, Decoder, Done};
use crate::media::facts::{Contained, Facts, LIST_MAX, Scene, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;

/// Most records that are passed.
const RECORDS_MAX: usize = 1_000_000;
/// Longest array that is read, packed, and most bytes that are unpacked of all arrays.
const ARRAY_MAX: u64 = 256 << 20;
const UNPACKED_MAX: u64 = 512 << 20;
/// Longest text that is read, in bytes.
const TEXT_MAX: u64 = 64 << 10;
/// How much of a scene that is text is read, in bytes.
const READ_MAX: u64 = 256 << 20;

/// FBX scenes.
pub struct Fbx;

impl Decoder for Fbx {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::FBX]
    }

    fn draws(&self, _: &'static Format) -> bool {
        false
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("contents")
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let head = input.read_at(0, 27)?;
        if !head.starts_with(b"Kaydara FBX Binary  \0") || head.len() < 27 {
            let bytes = input.read_at(0, READ_MAX as usize)?;
            let scene = text::read(&bytes, facts);
            if input.len() > READ_MAX {
                facts.note("it is longer than what is read of a scene: what follows is not counted");
            }
            facts.scene = Some(scene);
            return Ok(());
        }
        let number = u32::from_le_bytes([head[23], head[24], head[25], head[26]]);
        facts.add_field("fbx", "Version", &version(number));
        let mut reading =
            Reading { input, wide: number >= 7500, left: RECORDS_MAX, unpacked: 0, uncounted: false };
        let mut scene = Scene::default();
        let end = reading.input.len();
        let mut creator = None;
        for record in reading.records(27..end, &["Creator", "Objects"])? {
            match record.name {
                "Creator" if creator.is_none() => creator = Some(reading.text(&record, 0)?),
                "Objects" => reading.objects(&record, &mut scene, facts)?,
                _ => {}
            }
        }
        if let Some(creator) = creator {
            facts.add_field("fbx", "Creator", &creator);
        }
        if reading.left == 0 {
            facts.note("it holds more than is read of a scene: what follows is not counted");
        }
        if reading.uncounted {
            facts.note("its faces take more than is unpacked of a scene: not all of them are counted");
        }
        facts.scene = Some(scene);
        Ok(())
    }
}

/// A version as people write it: 7400 is 7.4.
fn version(number: u32) -> String {
    format!("{}.{}", number / 1000, number / 100 % 10)
}

/// Adds the name of an object.
fn named(names: &mut Vec<String>, name: &str) {
    if names.len() < LIST_MAX && !name.is_empty() {
        names.push(cut(name));
    }
}

/// Adds a picture or film that a scene uses: one that is in it, or one that lies beside it and has no size.
fn beside(name: String, size: u64, facts: &mut Facts) {
    if name.is_empty() || facts.needs.len() + facts.contains.len() >= LIST_MAX {
        return;
    }
    match size {
        0 => facts.needs.push(name),
        size => facts.contains.push(Contained { name, size }),
    }
}

/// A record: its name, where its values lie, and where the records within it do.
struct Record {
    name: &'static str,
    values: std::ops::Range<u64>,
    within: std::ops::Range<u64>,
}

struct Reading<'r, 'i> {
    input: &'r mut Input<'i>,
    /// Whether places have 64 bits.
    wide: bool,
    /// Records that may still be passed.
    left: usize,
    /// Bytes that were unpacked.
    unpacked: u64,
    /// Whether an array was too long to be counted.
    uncounted: bool,
}

impl Reading<'_, '_> {
    /// Those of some names among the records that lie one after the other in a range. One that claims more than
    /// there is, or less than itself, ends them.
    fn records(
        &mut self,
        range: std::ops::Range<u64>,
        wanted: &'static [&'static str],
    ) -> Result<Vec<Record>, DecodeError> {
        let (width, header) = if self.wide { (8, 25) } else { (4, 13) };
        let (mut at, end) = (range.start, range.end);
        let mut records = Vec::new();
        while at + header <= end && self.left > 0 {
            self.left -= 1;
            let head = self.input.read_at(at, header as usize + usize::from(u8::MAX))?;
            if head.len() < header as usize {
                break;
            }
            let number = |place: usize| {
                let bytes = &head[place * width..][..width];
                bytes.iter().rev().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte))
            };
            let (next, values, name) = (number(0), number(2), usize::from(head[header as usize - 1]));
            let from = at + header + name as u64;
            // An empty one ends the list.
            if next < from || next > end {
                break;
            }
            let name = head.get(header as usize..header as usize + name).unwrap_or_default();
            if let Some(name) = wanted.iter().find(|wanted| wanted.as_bytes() == name) {
                let to = from.saturating_add(values).min(next);
                records.push(Record { name, values: from..to, within: to..next });
            }
            at = next;
        }
        Ok(records)
    }

    fn within(
        &mut self,
        record: &Record,
        wanted: &'static [&'static str],
    ) -> Result<Vec<Record>, DecodeError> {
        self.records(record.within.clone(), wanted)
    }

    /// The text at a place among a record's values; empty when there is none.
    fn text(&mut self, record: &Record, wanted: usize) -> Result<String, DecodeError> {
        let mut at = record.values.start;
        for place in 0..=wanted {
            let head = self.input.read_at(at, 13)?;
            let Some(kind) = head.first().filter(|_| at < record.values.end) else { break };
            let long = |from: usize| {
                head.get(from..from + 4)
                    .map_or(0, |it| u64::from(u32::from_le_bytes([it[0], it[1], it[2], it[3]])))
            };
            let length = match kind {
                b'Y' => 2,
                b'C' => 1,
                b'I' | b'F' => 4,
                b'D' | b'L' => 8,
                b'S' | b'R' => 4 + long(1),
                b'f' | b'd' | b'l' | b'i' | b'b' => 12 + long(9),
                _ => break,
            };
            if place == wanted {
                if *kind != b'S' {
                    break;
                }
                let room = record.values.end.saturating_sub(at + 5);
                let text = self.input.read_at(at + 5, long(1).min(TEXT_MAX).min(room) as usize)?;
                // A name and its class, with a mark between.
                let text = String::from_utf8_lossy(&text).into_owned();
                return Ok(cut(text.split('\0').next().unwrap_or_default()));
            }
            at += 1 + length;
        }
        Ok(String::new())
    }

    fn objects(&mut self, objects: &Record, scene: &mut Scene, facts: &mut Facts) -> Result<(), DecodeError> {
        const KINDS: &[&str] = &["Model", "Geometry", "Material", "AnimationStack", "Texture", "Video"];
        for record in self.within(objects, KINDS)? {
            match record.name {
                "Model" => scene.nodes += 1,
                "Geometry" => self.geometry(&record, scene)?,
                "Material" => self.name(&record, &mut scene.materials)?,
                "AnimationStack" => self.name(&record, &mut scene.animations)?,
                "Texture" => self.name(&record, &mut scene.textures)?,
                _ => self.video(&record, facts)?,
            }
        }
        Ok(())
    }

    /// Adds the name of an object, which is its second value.
    fn name(&mut self, record: &Record, names: &mut Vec<String>) -> Result<(), DecodeError> {
        let name = if names.len() < LIST_MAX { self.text(record, 1)? } else { String::new() };
        named(names, &name);
        Ok(())
    }

    fn geometry(&mut self, geometry: &Record, scene: &mut Scene) -> Result<(), DecodeError> {
        scene.meshes += 1;
        for record in self.within(geometry, &["Vertices", "PolygonVertexIndex"])? {
            let room = record.values.end - record.values.start;
            let head = self.input.read_at(record.values.start, room.min(13) as usize)?;
            let count =
                head.get(1..5).map_or(0, |it| u64::from(u32::from_le_bytes([it[0], it[1], it[2], it[3]])));
            match record.name {
                "Vertices" => scene.vertices += count / 3,
                _ => scene.faces += self.polygons(&record, &head, count)?,
            }
        }
        Ok(())
    }

    /// How many polygons a list of corners has: the last corner of each is less than 0.
    fn polygons(&mut self, record: &Record, head: &[u8], count: u64) -> Result<u64, DecodeError> {
        let length = record.values.end.saturating_sub(record.values.start + 13);
        if head.first() != Some(&b'i') {
            return Ok(0);
        }
        if self.unpacked + count * 4 > UNPACKED_MAX || length > ARRAY_MAX {
            self.uncounted = true;
            return Ok(0);
        }
        let packed = self.input.read_at(record.values.start + 13, length as usize)?;
        let corners: &mut dyn Read = match head.get(5) {
            Some(1) => &mut ZlibDecoder::new(&packed[..]),
            _ => &mut &packed[..],
        };
        let (faces, unpacked) = below_zero(&mut corners.take(count * 4));
        self.unpacked += unpacked;
        Ok(faces)
    }

    /// A picture or film that the scene uses: in it, or beside it.
    fn video(&mut self, video: &Record, facts: &mut Facts) -> Result<(), DecodeError> {
        let (mut name, mut size) = (String::new(), 0);
        for record in self.within(video, &["RelativeFilename", "Content"])? {
            match record.name {
                "RelativeFilename" => name = self.text(&record, 0)?,
                _ => size = (record.values.end - record.values.start).saturating_sub(5),
            }
        }
        beside(name, size, facts);
        Ok(())
    }
}

/// How many numbers of four bytes are less than 0, and how many bytes there were. What is damaged is counted as far
/// as it goes.
fn below_zero(numbers: &mut dyn Read) -> (u64, u64) {
    let mut part = vec![0; 64 << 10];
    let (mut below, mut bytes) = (0, 0u64);
    while let Ok(length @ 1..) = numbers.read(&mut part) {
        // The last byte of each has its sign.
        let first = (3 - bytes % 4) as usize;
        below +=
            part[..length].iter().skip(first).step_by(4).filter(|byte| **byte & 0x80 != 0).count() as u64;
        bytes += length as u64;
    }
    (below, bytes)
}
