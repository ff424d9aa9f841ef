//! FBX scenes in their binary form: what they contain. They are not drawn.
//!
//! Source: "FBX binary file format specification" (A. Gessler, Blender, 2013): records that say where they end, with
//! values and records within.

use flate2::read::ZlibDecoder;
use std::io::Read as _;

use crate::media::boxes::BODY_MAX;
use crate::media::decoder::{DecodeError, Decoder};
use crate::media::facts::{Contained, Facts, LIST_MAX, Scene, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;

/// Most records that are passed.
const RECORDS_MAX: usize = 1_000_000;
/// Longest array that is unpacked, in bytes.
const ARRAY_MAX: u64 = 256 << 20;

/// FBX scenes.
pub struct Fbx;

impl Decoder for Fbx {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::FBX]
    }

    fn draws(&self, _: &'static Format) -> bool {
        false
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Result<(), DecodeError> {
        let head = input.read_at(0, 27)?;
        if !head.starts_with(b"Kaydara FBX Binary  \0") || head.len() < 27 {
            facts.note("this form of the scene (ASCII) is not read");
            return Ok(());
        }
        let version = u32::from_le_bytes([head[23], head[24], head[25], head[26]]);
        facts.add_field("fbx", "Version", &format!("{}.{}", version / 1000, version / 100 % 10));
        let mut reading = Reading { input, wide: version >= 7500, left: RECORDS_MAX };
        let mut scene = Scene::default();
        let end = reading.input.len();
        for record in reading.records(27, end)? {
            match record.name.as_str() {
                "Creator" => facts.add_field("fbx", "Creator", &reading.text(&record, 0)?),
                "Objects" => reading.objects(&record, &mut scene, facts)?,
                _ => {}
            }
        }
        facts.scene = Some(scene);
        Ok(())
    }
}

/// A record: its name, where its values lie, and where the records within it do.
struct Record {
    name: String,
    values: std::ops::Range<u64>,
    within: std::ops::Range<u64>,
}

struct Reading<'r, 'i> {
    input: &'r mut Input<'i>,
    /// Whether places have 64 bits.
    wide: bool,
    /// Records that may still be passed.
    left: usize,
}

impl Reading<'_, '_> {
    /// The records that lie one after the other in a range. One that claims more than there is ends there.
    fn records(&mut self, mut at: u64, end: u64) -> Result<Vec<Record>, DecodeError> {
        let (width, header) = if self.wide { (8, 25) } else { (4, 13) };
        let mut records = Vec::new();
        while at + header <= end && self.left > 0 {
            self.left -= 1;
            let head = self.input.read_at(at, header as usize)?;
            if head.len() < header as usize {
                break;
            }
            let number = |place: usize| {
                let bytes = &head[place * width..][..width];
                bytes.iter().rev().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte))
            };
            let (next, values, name) = (number(0), number(2), u64::from(head[header as usize - 1]));
            // An empty one ends the list.
            if next <= at || next > end {
                break;
            }
            let start = at + header;
            let from = (start + name).min(next);
            let to = from.saturating_add(values).min(next);
            let name = self.input.read_at(start, name as usize)?;
            records.push(Record {
                name: String::from_utf8_lossy(&name).into_owned(),
                values: from..to,
                within: to..next,
            });
            at = next;
        }
        Ok(records)
    }

    fn within(&mut self, record: &Record) -> Result<Vec<Record>, DecodeError> {
        self.records(record.within.start, record.within.end)
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
                let text = self.input.read_at(at + 5, long(1).min(64 << 10) as usize)?;
                // A name and its class, with a mark between.
                let text = String::from_utf8_lossy(&text).into_owned();
                return Ok(cut(text.split('\0').next().unwrap_or_default()));
            }
            at += 1 + length;
        }
        Ok(String::new())
    }

    fn objects(&mut self, objects: &Record, scene: &mut Scene, facts: &mut Facts) -> Result<(), DecodeError> {
        for record in self.within(objects)? {
            match record.name.as_str() {
                "Model" => scene.nodes += 1,
                "Geometry" => self.geometry(&record, scene)?,
                "Material" => push(&mut scene.materials, self.text(&record, 1)?),
                "AnimationStack" => push(&mut scene.animations, self.text(&record, 1)?),
                "Texture" => push(&mut scene.textures, self.text(&record, 1)?),
                "Video" => self.video(&record, facts)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn geometry(&mut self, geometry: &Record, scene: &mut Scene) -> Result<(), DecodeError> {
        scene.meshes += 1;
        for record in self.within(geometry)? {
            let head = self.input.read_at(record.values.start, 13)?;
            let count =
                head.get(1..5).map_or(0, |it| u64::from(u32::from_le_bytes([it[0], it[1], it[2], it[3]])));
            match record.name.as_str() {
                "Vertices" => scene.vertices += count / 3,
                "PolygonVertexIndex" => scene.faces += self.polygons(&record, &head, count)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// How many polygons a list of corners has: the last corner of each is less than 0.
    fn polygons(&mut self, record: &Record, head: &[u8], count: u64) -> Result<u64, DecodeError> {
        let length = record.values.end.saturating_sub(record.values.start + 13);
        if head.first() != Some(&b'i') || count * 4 > ARRAY_MAX || length > BODY_MAX * 4 {
            return Ok(0);
        }
        let packed = self.input.read_at(record.values.start + 13, length as usize)?;
        let mut corners = Vec::new();
        let read = match head.get(5) {
            Some(1) => ZlibDecoder::new(&packed[..]).take(count * 4).read_to_end(&mut corners),
            _ => (&packed[..]).take(count * 4).read_to_end(&mut corners),
        };
        // What is damaged is counted as far as it goes.
        drop(read);
        Ok(corners.chunks_exact(4).filter(|corner| corner[3] & 0x80 != 0).count() as u64)
    }

    /// A picture or film that the scene uses: in it, or beside it.
    fn video(&mut self, video: &Record, facts: &mut Facts) -> Result<(), DecodeError> {
        let (mut name, mut size) = (String::new(), 0);
        for record in self.within(video)? {
            match record.name.as_str() {
                "RelativeFilename" => name = self.text(&record, 0)?,
                "Content" => size = (record.values.end - record.values.start).saturating_sub(5),
                _ => {}
            }
        }
        if name.is_empty() || facts.needs.len() + facts.contains.len() >= LIST_MAX {
            return Ok(());
        }
        match size {
            0 => facts.needs.push(name),
            size => facts.contains.push(Contained { name, size }),
        }
        Ok(())
    }
}

fn push(names: &mut Vec<String>, name: String) {
    if !name.is_empty() && names.len() < LIST_MAX {
        names.push(name);
    }
}
