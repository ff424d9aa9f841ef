//! USD scenes in their text form (USDA): what they contain, told by the lines that begin things. The binary form
//! (USDC) is named and not read; neither is drawn.

use std::collections::HashSet;

use crate::media::decoder::{DecodeError, Decoder};
use crate::media::facts::{Facts, LIST_MAX, Scene, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;

/// How much of a scene is read, in bytes.
const READ_MAX: usize = 64 << 20;

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

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Result<(), DecodeError> {
        let bytes = input.read_at(0, READ_MAX)?;
        tell(&bytes, facts);
        Ok(())
    }
}

/// Adds what a scene says of itself.
pub fn tell(bytes: &[u8], facts: &mut Facts) {
    if bytes.starts_with(b"PXR-USDC") {
        facts.note("the binary form of the scene (USDC) is not read");
        return;
    }
    let mut scene = Scene::default();
    let (mut names, mut axis) = (Names::default(), None);
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("def ") {
            let (kind, name) = rest
                .split_once('"')
                .map_or((rest, ""), |(kind, rest)| (kind.trim(), rest.split('"').next().unwrap_or_default()));
            scene.nodes += 1;
            match kind {
                "Mesh" => scene.meshes += 1,
                "Material" if scene.materials.len() < LIST_MAX => scene.materials.push(cut(name)),
                _ => {}
            }
        } else if let Some((array, count)) = counted(line) {
            match array {
                "points" => scene.vertices += count,
                _ => scene.faces += count,
            }
        } else if let Some((_, rest)) = line.split_once("= @") {
            names.add(line, rest);
        } else if let Some((_, value)) = line.split_once("upAxis = ") {
            axis = axis.or_else(|| Some(cut(value.trim_matches('"'))));
        }
    }
    if let Some(axis) = axis {
        facts.add_field("usd", "upAxis", &axis);
    }
    scene.textures = names.textures.list;
    facts.needs = names.all.list;
    facts.scene = Some(scene);
}

/// How many values an array has that tells of vertices or faces.
fn counted(line: &str) -> Option<(&'static str, u64)> {
    if let Some((_, values)) = line.split_once("point3f[] points = [") {
        return Some(("points", values.matches('(').count() as u64));
    }
    let (_, values) = line.split_once("int[] faceVertexCounts = [")?;
    Some((
        "faces",
        values.split(',').filter(|value| !value.trim().trim_matches(']').is_empty()).count() as u64,
    ))
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

/// Files that a scene names.
#[derive(Default)]
struct Names {
    all: Once,
    textures: Once,
}

impl Names {
    /// A file that is named between two signs.
    fn add(&mut self, line: &str, rest: &str) {
        let Some((name, _)) = rest.split_once('@').filter(|(name, _)| !name.is_empty()) else { return };
        let name = cut(name);
        if line.contains("inputs:file") {
            self.textures.add(&name);
        }
        self.all.add(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_scene_begins_is_counted() {
        let text = b"#usda 1.0\n(\n    upAxis = \"Y\"\n)\ndef Xform \"Lantern\"\n{\n    def Mesh \"Glass\"\n    {\n\
            int[] faceVertexCounts = [3, 4]\n        point3f[] points = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (2, 2, 2)]\n\
            def Material \"Brass\" {\n asset inputs:file = @textures/brass.png@\n";
        let mut facts = Facts::default();
        tell(text, &mut facts);
        let scene = facts.scene.expect("a scene");
        assert_eq!((scene.nodes, scene.meshes, scene.faces, scene.vertices), (3, 1, 2, 5));
        assert_eq!(
            (scene.materials, scene.textures),
            (vec!["Brass".to_owned()], vec!["textures/brass.png".to_owned()])
        );
        assert_eq!(facts.needs, ["textures/brass.png"]);
        let mut binary = Facts::default();
        tell(b"PXR-USDC\0\0", &mut binary);
        assert!(binary.scene.is_none() && binary.notes.len() == 1);
    }
}
