//! USD scenes, in their text form (USDA) and in their packed form (USDC): what they contain. They are not drawn.
//!
//! Both forms are told by the same words: readers report what they find to a [`Stage`]. What counts is what the
//! file itself has: nothing that it refers to is opened.

mod packed;
mod text;
mod unpack;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use crate::media::decoder::{DecodeError, Decoder, Done};
use crate::media::facts::{Facts, LIST_MAX, Scene, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;

/// How much of a scene in text is read, in bytes.
const READ_MAX: u64 = 64 << 20;

/// What a scene says of itself as a whole, in the order in which it is told.
const SAID: &[&str] = &[
    "defaultPrim",
    "upAxis",
    "metersPerUnit",
    "startTimeCode",
    "endTimeCode",
    "timeCodesPerSecond",
    "framesPerSecond",
];

/// USD scenes that stand alone.
pub struct Usd;

impl Decoder for Usd {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::USD]
    }

    fn draws(&self, _: &'static Format) -> bool {
        false
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("contents")
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let whole = 0..input.len();
        tell(input, whole, facts)
    }
}

/// Adds what a scene says of itself that lies in a part of a file.
pub fn tell(input: &mut Input<'_>, part: Range<u64>, facts: &mut Facts) -> Result<(), DecodeError> {
    let mut stage = Stage::default();
    if input.read_at(part.start, packed::MARK.len())? == packed::MARK {
        packed::read(input, part, &mut stage)?;
    } else {
        let length = part.end.saturating_sub(part.start);
        let bytes = input.read_at(part.start, length.min(READ_MAX) as usize)?;
        text::read(&bytes, &mut stage);
        if length > READ_MAX {
            stage.notes.push("it is longer than what is read of a scene: what follows is not counted");
        }
    }
    stage.told(facts);
    Ok(())
}

/// What is found in a scene.
#[derive(Default)]
struct Stage {
    scene: Scene,
    cameras: u64,
    lights: u64,
    said: BTreeMap<&'static str, String>,
    needs: Once,
    textures: Once,
    notes: Vec<&'static str>,
}

impl Stage {
    /// A thing that the scene defines, by its kind (a schema of USD) and its name.
    fn prim(&mut self, kind: &[u8], name: &[u8]) {
        self.scene.nodes += 1;
        let list = match kind {
            b"Mesh" => {
                self.scene.meshes += 1;
                return;
            }
            b"Camera" => {
                self.cameras += 1;
                return;
            }
            b"Material" => &mut self.scene.materials,
            b"SkelAnimation" => &mut self.scene.animations,
            _ => {
                // `DistantLight`, `DomeLight_1`, and whatever else lights.
                self.lights += u64::from(kind.ends_with(b"Light") || kind.starts_with(b"DomeLight_"));
                return;
            }
        };
        if list.len() < LIST_MAX {
            list.push(cut(&String::from_utf8_lossy(name)));
        }
    }

    fn points(&mut self, count: u64) {
        self.scene.vertices = self.scene.vertices.saturating_add(count);
    }

    fn faces(&mut self, count: u64) {
        self.scene.faces = self.scene.faces.saturating_add(count);
    }

    /// A file that is named, and what names it.
    fn file(&mut self, of: &[u8], name: &[u8]) {
        if name.is_empty() {
            return;
        }
        let name = cut(&String::from_utf8_lossy(name));
        if of.starts_with(b"inputs:") && of.ends_with(b"file") {
            self.textures.add(&name);
        }
        self.needs.add(&name);
    }

    /// What the scene says of itself as a whole; the first holds.
    fn says(&mut self, name: &'static str, value: String) {
        self.said.entry(name).or_insert(value);
    }

    fn told(mut self, facts: &mut Facts) {
        for name in SAID {
            if let Some(value) = self.said.get(name) {
                facts.add_field("usd", name, &cut(value));
            }
        }
        for (name, count) in [("cameras", self.cameras), ("lights", self.lights)] {
            if count > 0 {
                facts.add_field("usd", name, &count.to_string());
            }
        }
        self.notes.into_iter().for_each(|note| facts.note(note));
        self.scene.textures = self.textures.list;
        facts.needs = self.needs.list;
        facts.scene = Some(self.scene);
    }
}

/// Names in the order in which they come, each once.
#[derive(Default)]
struct Once {
    list: Vec<String>,
    known: HashSet<String>,
}

impl Once {
    fn add(&mut self, name: &str) {
        if self.list.len() < LIST_MAX && self.known.insert(name.to_owned()) {
            self.list.push(name.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn told(bytes: &[u8]) -> Facts {
        let mut source = Cursor::new(bytes);
        let mut input = Input::new(&mut source).expect("an input");
        let mut facts = Facts::default();
        tell(&mut input, 0..bytes.len() as u64, &mut facts).expect("a scene");
        facts
    }

    #[test]
    fn what_a_scene_begins_is_counted() {
        let facts = told(
            b"#usda 1.0\n(\n    upAxis = \"Y\"\n)\ndef Xform \"Lantern\"\n{\n    def Mesh \"Glass\"\n    {\n\
            int[] faceVertexCounts = [3, 4]\n        point3f[] points = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (2, 2, 2)]\n}\n\
            def Material \"Brass\" {\n asset inputs:file = @textures/brass.png@\n",
        );
        let scene = facts.scene.expect("a scene");
        assert_eq!((scene.nodes, scene.meshes, scene.faces, scene.vertices), (3, 1, 2, 5));
        assert_eq!(
            (scene.materials, scene.textures),
            (vec!["Brass".to_owned()], vec!["textures/brass.png".to_owned()])
        );
        assert_eq!(facts.needs, ["textures/brass.png"]);
    }

    #[test]
    fn texts_and_remarks_are_no_scene() {
        let facts = told(
            b"#usda 1.0\n# def Mesh \"a\" {\n( doc = \"\"\"\nupAxis = \"Q\" \\\"\"\" def Mesh \"b\" \"\"\" )\n\
            over \"c\" ( delete references = @gone.usd@ ) { string d = 'def Mesh \"e\" @f@' }\n\
            def \"g\" ( references = [@@@h@i.usd@@@</j>, </k{l=m}n>] ) { point3f[] points.timeSamples = { 1: [(1, 2, 3)] } }",
        );
        let scene = facts.scene.expect("a scene");
        assert_eq!((scene.nodes, scene.meshes, scene.vertices), (1, 0, 0));
        assert_eq!(facts.needs, ["h@i.usd"]);
        assert!(facts.embedded.is_empty(), "{:?}", facts.embedded);
    }
}
