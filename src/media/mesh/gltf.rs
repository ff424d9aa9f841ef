//! glTF 2.0 scenes (ISO/IEC 12113), in one file with their data (GLB) or as text with data in addresses.

use super::plain::CLAY;
use super::{Model, Piece, TRIANGLES_MAX, Triangle};
use crate::media::decoder::DecodeError;
use crate::media::facts::{LIST_MAX, cut};
use base64ct::{Base64, Encoding as _};
use serde_json::Value;

/// How deep nodes may lie in each other.
const DEPTH_MAX: u32 = 100;
/// Most nodes that are walked.
const NODES_MAX: usize = 200_000;

/// Rows of a transformation: what each axis of the result is made of, and where it begins.
type Matrix = [[f32; 4]; 3];
const SAME: Matrix = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];

fn damaged(what: &str) -> DecodeError {
    DecodeError::Damaged(what.to_owned())
}

pub(super) fn read(bytes: &[u8]) -> Result<Model, DecodeError> {
    let (json, chunk) = if bytes.starts_with(b"glTF") { chunks(bytes)? } else { (bytes, &[][..]) };
    let json: Value = serde_json::from_slice(json).map_err(|_| damaged("its list of contents is damaged"))?;
    let mut model = Model::default();
    let buffers = buffers(&json, chunk, &mut model);
    describe(&json, &mut model);
    let mut reader = Reader { json: &json, buffers, model, nodes: 0, triangles: 0 };
    let scene = index(&json["scene"]).unwrap_or(0);
    let roots: Vec<usize> = match json["scenes"][scene]["nodes"].as_array() {
        Some(nodes) => nodes.iter().filter_map(index).collect(),
        None => (0..list(&json, "nodes").len()).collect(),
    };
    for root in roots {
        reader.node(root, SAME, 0);
    }
    Ok(reader.model)
}

/// The two chunks of a GLB file: its text and its data.
fn chunks(bytes: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
    let cut_short = || damaged("the scene ends too early");
    let mut rest = bytes.get(12..).ok_or_else(cut_short)?;
    let mut found: [&[u8]; 2] = [&[], &[]];
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (kind, after) = after.split_first_chunk::<4>().ok_or_else(cut_short)?;
        let (data, after) =
            after.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut_short)?;
        match kind {
            b"JSON" => found[0] = data,
            b"BIN\0" => found[1] = data,
            _ => {}
        }
        rest = after;
    }
    Ok((found[0], found[1]))
}

fn list<'j>(json: &'j Value, name: &str) -> &'j [Value] {
    json[name].as_array().map_or(&[], Vec::as_slice)
}

fn index(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}

/// The data of each buffer; nothing for one that is another file, which is never opened.
fn buffers(json: &Value, chunk: &[u8], model: &mut Model) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for buffer in list(json, "buffers").iter().take(LIST_MAX) {
        let bytes = match buffer["uri"].as_str() {
            None => chunk.to_vec(),
            Some(address) => match address.split_once(";base64,") {
                Some((_, digits)) => Base64::decode_vec(digits).unwrap_or_default(),
                None => {
                    model.needs.push(cut(address));
                    Vec::new()
                }
            },
        };
        found.push(bytes);
    }
    for image in list(json, "images").iter().take(LIST_MAX) {
        let address = image["uri"].as_str().filter(|address| !address.starts_with("data:"));
        model.needs.extend(address.map(cut));
    }
    if !model.needs.is_empty() {
        model.notes.push("it needs other files, which are not read: a decoder opens none".to_owned());
    }
    found
}

/// What is in the scene, by name.
fn describe(json: &Value, model: &mut Model) {
    let names = |name: &str| -> Vec<String> {
        let all = list(json, name).iter().enumerate().take(LIST_MAX);
        all.map(|(at, it)| it["name"].as_str().map_or_else(|| format!("{name} {at}"), cut)).collect()
    };
    let scene = &mut model.scene;
    scene.meshes = list(json, "meshes").len() as u64;
    scene.nodes = list(json, "nodes").len() as u64;
    scene.materials = names("materials");
    scene.animations = names("animations");
    scene.textures = names("images");
    let accessors = list(json, "accessors");
    let count = |at: &Value| {
        index(at).and_then(|at| accessors.get(at)).and_then(|it| it["count"].as_u64()).unwrap_or(0)
    };
    for primitive in list(json, "meshes").iter().flat_map(|mesh| list(mesh, "primitives")) {
        let points = count(&primitive["attributes"]["POSITION"]);
        let corners = if primitive["indices"].is_null() { points } else { count(&primitive["indices"]) };
        scene.vertices = scene.vertices.saturating_add(points);
        scene.faces = scene.faces.saturating_add(match primitive["mode"].as_u64().unwrap_or(4) {
            4 => corners / 3,
            5 | 6 => corners.saturating_sub(2),
            _ => 0,
        });
    }
    for (material, name) in list(json, "materials").iter().zip(&scene.materials) {
        let surface = &material["pbrMetallicRoughness"];
        let share = |name: &str| surface[name].as_f64().unwrap_or(1.0);
        let [red, green, blue] = colour(material);
        let mut looks = format!(
            "#{red:02x}{green:02x}{blue:02x}, metallic {:.2}, roughness {:.2}",
            share("metallicFactor"),
            share("roughnessFactor")
        );
        if !surface["baseColorTexture"].is_null() {
            looks.push_str(", with a picture");
        }
        model.materials.push((name.clone(), looks));
    }
    let packed = list(json, "extensionsRequired").iter().filter_map(Value::as_str);
    for name in packed.filter(|name| name.contains("compression")) {
        model.notes.push(format!("its meshes are packed in a way that is not read ({})", cut(name)));
    }
}

/// A material's own colour as it is seen: numbers of light become those of sRGB.
fn colour(material: &Value) -> [u8; 3] {
    let factors = material["pbrMetallicRoughness"]["baseColorFactor"].as_array();
    let Some(factors) = factors else { return if material.is_null() { CLAY } else { [255; 3] } };
    std::array::from_fn(|channel| {
        let light = factors.get(channel).and_then(Value::as_f64).unwrap_or(1.0).clamp(0.0, 1.0);
        let seen = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
        (seen * 255.0).round() as u8
    })
}

struct Reader<'j> {
    json: &'j Value,
    buffers: Vec<Vec<u8>>,
    model: Model,
    nodes: usize,
    triangles: usize,
}

impl Reader<'_> {
    fn node(&mut self, at: usize, above: Matrix, depth: u32) {
        self.nodes += 1;
        if depth > DEPTH_MAX || self.nodes > NODES_MAX {
            return;
        }
        let json = self.json;
        let Some(node) = list(json, "nodes").get(at) else { return };
        let place = times(&above, &placed(node));
        if let Some(mesh) = index(&node["mesh"]).and_then(|mesh| list(json, "meshes").get(mesh)) {
            let name =
                node["name"].as_str().or(mesh["name"].as_str()).map_or_else(|| format!("node {at}"), cut);
            let mut piece = Piece { name, ..Piece::default() };
            for primitive in list(mesh, "primitives") {
                self.primitive(primitive, &place, &mut piece);
            }
            if !piece.triangles.is_empty() && self.model.pieces.len() < LIST_MAX {
                self.model.pieces.push(piece);
            }
        }
        for child in list(node, "children").iter().filter_map(index) {
            self.node(child, place, depth + 1);
        }
    }

    fn primitive(&mut self, primitive: &Value, place: &Matrix, piece: &mut Piece) {
        let Some(points) = self.points(&primitive["attributes"]["POSITION"]) else { return };
        let corners = match &primitive["indices"] {
            Value::Null => (0..points.len()).collect(),
            at => match self.indices(at) {
                Some(corners) => corners,
                None => return,
            },
        };
        let colour = index(&primitive["material"]).and_then(|at| list(self.json, "materials").get(at));
        let colour = self::colour(colour.unwrap_or(&Value::Null));
        let triples: Vec<[usize; 3]> = match primitive["mode"].as_u64().unwrap_or(4) {
            4 => corners.chunks_exact(3).map(|it| [it[0], it[1], it[2]]).collect(),
            5 => corners.windows(3).map(|it| [it[0], it[1], it[2]]).collect(),
            6 => corners.windows(2).skip(1).map(|it| [corners[0], it[0], it[1]]).collect(),
            _ => Vec::new(),
        };
        for triple in triples {
            let corner = |at: usize| points.get(at).map(|point| moved(place, *point));
            let (Some(a), Some(b), Some(c)) = (corner(triple[0]), corner(triple[1]), corner(triple[2]))
            else {
                continue;
            };
            if self.triangles < TRIANGLES_MAX && [a, b, c].iter().flatten().all(|value| value.is_finite()) {
                self.triangles += 1;
                piece.triangles.push(Triangle { points: [a, b, c], colour });
            }
        }
    }

    /// The bytes of an accessor's elements, of `size` bytes each.
    fn elements(&self, at: &Value, size: usize) -> Option<Vec<&[u8]>> {
        let accessor = list(self.json, "accessors").get(index(at)?)?;
        let view = list(self.json, "bufferViews").get(index(&accessor["bufferView"])?)?;
        let start = index(&view["byteOffset"]).unwrap_or(0);
        let end = start.checked_add(index(&view["byteLength"])?)?;
        let bytes = self.buffers.get(index(&view["buffer"])?)?.get(start..end)?;
        let bytes = bytes.get(index(&accessor["byteOffset"]).unwrap_or(0)..)?;
        let step = index(&view["byteStride"]).unwrap_or(size).max(1);
        let count = index(&accessor["count"])?.min(bytes.len() / step + 1);
        Some((0..count).map_while(|number| bytes.get(number * step..number * step + size)).collect())
    }

    fn points(&self, at: &Value) -> Option<Vec<[f32; 3]>> {
        let accessor = list(self.json, "accessors").get(index(at)?)?;
        if accessor["componentType"].as_u64() != Some(5126) {
            return None;
        }
        let number = |bytes: &[u8], axis: usize| {
            bytes[axis * 4..].first_chunk::<4>().map_or(0.0, |number| f32::from_le_bytes(*number))
        };
        let elements = self.elements(at, 12)?;
        Some(elements.into_iter().map(|bytes| std::array::from_fn(|axis| number(bytes, axis))).collect())
    }

    fn indices(&self, at: &Value) -> Option<Vec<usize>> {
        let accessor = list(self.json, "accessors").get(index(at)?)?;
        let size = match accessor["componentType"].as_u64()? {
            5121 => 1,
            5123 => 2,
            5125 => 4,
            _ => return None,
        };
        let number =
            |bytes: &[u8]| bytes.iter().rev().fold(0usize, |sum, byte| (sum << 8) | usize::from(*byte));
        Some(self.elements(at, size)?.into_iter().map(number).collect())
    }
}

/// Where a node stands: a matrix, or move, turn and scale.
fn placed(node: &Value) -> Matrix {
    let numbers = |name: &str, count: usize| -> Option<Vec<f32>> {
        let all: Vec<f32> =
            list(node, name).iter().filter_map(Value::as_f64).map(|value| value as f32).collect();
        (all.len() == count).then_some(all)
    };
    if let Some(matrix) = numbers("matrix", 16) {
        return std::array::from_fn(|row| std::array::from_fn(|column| matrix[column * 4 + row]));
    }
    let scale = numbers("scale", 3).unwrap_or_else(|| vec![1.0; 3]);
    let shift = numbers("translation", 3).unwrap_or_else(|| vec![0.0; 3]);
    let turn = numbers("rotation", 4).unwrap_or_else(|| vec![0.0, 0.0, 0.0, 1.0]);
    let (x, y, z, w) = (turn[0], turn[1], turn[2], turn[3]);
    let turned = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
        [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
        [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
    ];
    std::array::from_fn(|row| {
        [turned[row][0] * scale[0], turned[row][1] * scale[1], turned[row][2] * scale[2], shift[row]]
    })
}

fn times(outer: &Matrix, inner: &Matrix) -> Matrix {
    std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            let sum: f32 = (0..3).map(|middle| outer[row][middle] * inner[middle][column]).sum();
            if column == 3 { sum + outer[row][3] } else { sum }
        })
    })
}

fn moved(place: &Matrix, point: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|row| {
        place[row][0] * point[0] + place[row][1] * point[1] + place[row][2] * point[2] + place[row][3]
    })
}
