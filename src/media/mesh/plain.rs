//! Wavefront objects and STL: triangles without a scene.

use super::{Model, Piece, TRIANGLES_MAX, Triangle};
use crate::media::decoder::DecodeError;
use crate::media::facts::{LIST_MAX, cut};
use std::collections::BTreeSet;

/// The colour of what has none.
pub(super) const CLAY: [u8; 3] = [196, 196, 196];

/// Reads a Wavefront object (B1 of its specification): points, faces of any number of corners, groups.
pub(super) fn object(bytes: &[u8]) -> Model {
    let text = String::from_utf8_lossy(bytes);
    let mut model = Model::default();
    let mut points: Vec<[f32; 3]> = Vec::new();
    let mut materials = BTreeSet::new();
    let mut count = 0;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("v") => {
                let mut next =
                    || words.next().and_then(|word| word.parse::<f32>().ok()).filter(|it| it.is_finite());
                if let (Some(x), Some(y), Some(z)) = (next(), next(), next()) {
                    points.push([x, y, z]);
                }
            }
            Some("f") => {
                model.scene.faces += 1;
                let corners: Vec<[f32; 3]> = words.filter_map(|word| corner(word, &points)).collect();
                if model.pieces.is_empty() {
                    model.pieces.push(Piece { name: "object".to_owned(), ..Piece::default() });
                }
                let piece = model.pieces.last_mut();
                if let (Some(piece), [first, rest @ ..]) = (piece, corners.as_slice()) {
                    for pair in rest.windows(2) {
                        if count < TRIANGLES_MAX {
                            count += 1;
                            piece
                                .triangles
                                .push(Triangle { points: [*first, pair[0], pair[1]], colour: CLAY });
                        }
                    }
                }
            }
            Some("o" | "g") if model.pieces.len() < LIST_MAX => {
                let name = cut(&words.collect::<Vec<_>>().join(" "));
                model.pieces.push(Piece { name, ..Piece::default() });
            }
            Some("usemtl") if materials.len() < LIST_MAX => {
                materials.insert(cut(&words.collect::<Vec<_>>().join(" ")));
            }
            Some("mtllib") if model.needs.len() < LIST_MAX => {
                model.needs.push(cut(&words.collect::<Vec<_>>().join(" ")));
            }
            _ => {}
        }
    }
    model.pieces.retain(|piece| !piece.triangles.is_empty());
    model.scene.meshes = model.pieces.len() as u64;
    model.scene.vertices = points.len() as u64;
    model.scene.materials = materials.into_iter().collect();
    model
}

/// A corner of a face: the number of a point from 1 on, or from the last one back.
fn corner(word: &str, points: &[[f32; 3]]) -> Option<[f32; 3]> {
    let number: i64 = word.split('/').next()?.parse().ok()?;
    let at = if number < 0 { points.len() as i64 + number } else { number - 1 };
    points.get(usize::try_from(at).ok()?).copied()
}

/// Reads STL in both forms. Up is its third axis.
pub(super) fn stl(bytes: &[u8]) -> Result<Model, DecodeError> {
    let count =
        bytes.get(80..84).and_then(|count| count.first_chunk::<4>()).map(|count| u32::from_le_bytes(*count));
    let is_binary = count.is_some_and(|count| bytes.len() as u64 == 84 + 50 * u64::from(count));
    let points: Vec<[f32; 3]> = if is_binary {
        bytes[84..].chunks_exact(50).take(TRIANGLES_MAX).flat_map(facet).collect()
    } else {
        let text = String::from_utf8_lossy(bytes);
        let vertices = text.lines().filter_map(|line| line.trim_start().strip_prefix("vertex"));
        let point = |line: &str| {
            let mut words = line.split_whitespace().map(str::parse::<f32>);
            Some([words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?])
        };
        vertices.take(TRIANGLES_MAX * 3).filter_map(point).collect()
    };
    let mut piece = Piece { name: "object".to_owned(), ..Piece::default() };
    for corners in points.chunks_exact(3).filter(|corners| corners.iter().flatten().all(|it| it.is_finite()))
    {
        piece.triangles.push(Triangle { points: [corners[0], corners[1], corners[2]], colour: CLAY });
    }
    if piece.triangles.is_empty() {
        return Err(DecodeError::Damaged("there is no triangle in it".to_owned()));
    }
    let mut model = Model { third_up: true, ..Model::default() };
    let distinct: BTreeSet<[u32; 3]> = points.iter().map(|point| point.map(f32::to_bits)).collect();
    model.scene.meshes = 1;
    model.scene.faces = piece.triangles.len() as u64;
    model.scene.vertices = distinct.len() as u64;
    model.pieces.push(piece);
    Ok(model)
}

/// The corners of a triangle of the binary form, which come after its normal.
fn facet(bytes: &[u8]) -> [[f32; 3]; 3] {
    let number = |at: usize| {
        bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk::<4>())
            .map_or(0.0, |number| f32::from_le_bytes(*number))
    };
    std::array::from_fn(|corner| std::array::from_fn(|axis| number(12 + corner * 12 + axis * 4)))
}
