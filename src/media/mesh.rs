//! Scenes and objects in three dimensions: glTF, Wavefront, STL; and the small picture that Blender keeps.

mod gltf;
mod plain;
mod view;

use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::facts::{Facts, Layer, LayerKind, Print, Scene};
use crate::media::format::{self, Format};
use crate::media::input::Input;

/// Longest file that is read, in bytes.
const BYTES_MAX: u64 = 1 << 30;
/// Most triangles of one scene.
const TRIANGLES_MAX: usize = 20_000_000;

/// Scenes and objects.
pub struct Meshes;

/// A triangle where it stands in the scene, in the axes of its file.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Triangle {
    points: [[f32; 3]; 3],
    colour: [u8; 3],
}

/// A part of a scene that has a name.
#[derive(Debug, Default)]
struct Piece {
    name: String,
    triangles: Vec<Triangle>,
}

/// What was read.
#[derive(Debug, Default)]
struct Model {
    scene: Scene,
    pieces: Vec<Piece>,
    /// How materials look, in words.
    materials: Vec<(String, String)>,
    needs: Vec<String>,
    /// Whether up is the third axis, and not the second.
    third_up: bool,
    notes: Vec<String>,
}

impl Decoder for Meshes {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::GLB, &format::GLTF, &format::OBJ, &format::STL]
    }

    fn facts(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done {
        let model = read(input, format)?;
        let mut scene = model.scene;
        scene.bounds = bounds(&model.pieces).map(|(least, most)| (least.map(f64::from), most.map(f64::from)));
        facts.scene = Some(scene);
        facts.needs = model.needs;
        model.notes.into_iter().for_each(|note| facts.note(note));
        for (name, looks) in &model.materials {
            facts.add_field("material", name, looks);
        }
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, format: &'static Format, wanted: Wanted) -> Shown {
        let model = read(input, format)?.upright();
        let Some(bounds) = bounds(&model.pieces) else {
            return Err(DecodeError::Unsupported("there is nothing in it that can be drawn".to_owned()));
        };
        let triangles = model.pieces.iter().flat_map(|piece| &piece.triangles);
        view::draw(triangles, bounds, wanted.edge).map(Some)
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("meshes")
    }

    fn prints(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done {
        let model = read(input, format)?;
        facts.layers = model.pieces.iter().map(layer).collect();
        Ok(())
    }

    fn layer(&self, input: &mut Input<'_>, format: &'static Format, layer: usize, wanted: Wanted) -> Shown {
        let model = read(input, format)?.upright();
        let (Some(piece), Some(bounds)) = (model.pieces.get(layer), bounds(&model.pieces)) else {
            return Ok(None);
        };
        view::draw(piece.triangles.iter(), bounds, wanted.edge).map(Some)
    }
}

impl Model {
    /// The same as it is looked at: up is the second axis.
    fn upright(mut self) -> Self {
        if self.third_up {
            let triangles = self.pieces.iter_mut().flat_map(|piece| &mut piece.triangles);
            for [x, y, z] in triangles.flat_map(|triangle| &mut triangle.points) {
                (*x, *y, *z) = (*x, *z, -*y);
            }
            self.third_up = false;
        }
        self
    }
}

fn read(input: &mut Input<'_>, format: &'static Format) -> Result<Model, DecodeError> {
    if input.len() > BYTES_MAX {
        return Err(DecodeError::TooLarge("the scene is too large for a preview".to_owned()));
    }
    let bytes = input.read_at(0, BYTES_MAX as usize)?;
    match format.id {
        "glb" | "gltf" => gltf::read(&bytes),
        "obj" => Ok(plain::object(&bytes)),
        _ => plain::stl(&bytes),
    }
}

/// The least and the greatest corner of all that is drawn.
type Corners = ([f32; 3], [f32; 3]);

fn bounds(pieces: &[Piece]) -> Option<Corners> {
    let mut corners: Option<Corners> = None;
    for point in pieces.iter().flat_map(|piece| &piece.triangles).flat_map(|triangle| triangle.points) {
        let (least, most) = corners.get_or_insert((point, point));
        for axis in 0..3 {
            least[axis] = least[axis].min(point[axis]);
            most[axis] = most[axis].max(point[axis]);
        }
    }
    corners
}

fn layer(piece: &Piece) -> Layer {
    let mut hasher = blake3::Hasher::new();
    for triangle in &piece.triangles {
        for value in triangle.points.iter().flatten() {
            // Programs round in their own ways.
            hasher.update(&((value * 10_000.0).round() as i64).to_le_bytes());
        }
    }
    Layer {
        name: piece.name.clone(),
        kind: LayerKind::Shape,
        visible: true,
        opacity: 1.0,
        blend: "normal".to_owned(),
        print: Some(Print { hash: hasher.finalize().to_hex().to_string(), bounds: (0, 0, 1, 1), mask: None }),
        ..Layer::default()
    }
}
