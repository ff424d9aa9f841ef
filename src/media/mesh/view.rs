//! Draws triangles: from a little above and to one side, each as bright as it faces the light.

use super::{Corners, Triangle};
use crate::media::decoder::DecodeError;
use crate::media::pixels::Pixels;

/// How far the view is turned around the upright axis and then tilted, in radians.
const TURN: f32 = 0.6;
const TILT: f32 = 0.42;
/// Where the light comes from, seen from the viewer: left, above, before.
const LIGHT: [f32; 3] = [-0.40, 0.62, 0.67];
/// The part of its brightness that a surface has without any light.
const AMBIENT: f32 = 0.32;
/// How many pixels are drawn for one, in each direction.
const FINER: u32 = 2;
/// Longest side that is drawn, in pixels, before it is made smaller.
const EDGE_MAX: u32 = 4096;

struct View {
    centre: [f32; 3],
    scale: f32,
    middle: [f32; 2],
}

impl View {
    /// Turns a point so that the third axis points at the viewer.
    fn turned(point: [f32; 3]) -> [f32; 3] {
        let ((sin, cos), (dip, level)) = (TURN.sin_cos(), TILT.sin_cos());
        let (x, z) = (point[0] * cos - point[2] * sin, point[0] * sin + point[2] * cos);
        [x, point[1] * level - z * dip, point[1] * dip + z * level]
    }

    fn place(&self, point: [f32; 3]) -> [f32; 3] {
        let [x, y, z] = Self::turned(std::array::from_fn(|axis| point[axis] - self.centre[axis]));
        [self.middle[0] + x * self.scale, self.middle[1] - y * self.scale, z * self.scale]
    }
}

/// A picture on nothing, with its longest side of `edge` pixels.
pub(super) fn draw<'t>(
    triangles: impl Iterator<Item = &'t Triangle>,
    (least, most): Corners,
    edge: u32,
) -> Result<Pixels, DecodeError> {
    let side = (edge.clamp(8, EDGE_MAX / FINER)) * FINER;
    let centre = std::array::from_fn(|axis| f32::midpoint(least[axis], most[axis]));
    // What the corners reach to, once they are turned.
    let corners = (0..8).map(|corner: usize| {
        View::turned(std::array::from_fn(|axis| {
            (if corner >> axis & 1 == 0 { least[axis] } else { most[axis] }) - centre[axis]
        }))
    });
    let reach = corners
        .fold([1e-12f32; 2], |reach, point| [reach[0].max(point[0].abs()), reach[1].max(point[1].abs())]);
    let scale = side as f32 * 0.46 / reach[0].max(reach[1]);
    if !scale.is_finite() {
        return Err(DecodeError::Damaged("the scene has no size that can be drawn".to_owned()));
    }
    let high = ((side as f32 * (reach[1] / reach[0].max(reach[1])).max(0.5)).round() as u32).max(1);
    let wide = ((side as f32 * (reach[0] / reach[0].max(reach[1])).max(0.5)).round() as u32).max(1);
    let view = View { centre, scale, middle: [wide as f32 / 2.0, high as f32 / 2.0] };
    let mut canvas = Canvas {
        wide,
        high,
        depths: vec![f32::NEG_INFINITY; (wide * high) as usize],
        bytes: vec![0; (wide * high * 4) as usize],
    };
    for triangle in triangles {
        canvas.fill(triangle.points.map(|point| view.place(point)), triangle.colour);
    }
    Pixels::new(wide, high, canvas.bytes)?.resized((wide / FINER).max(1), (high / FINER).max(1))
}

struct Canvas {
    wide: u32,
    high: u32,
    depths: Vec<f32>,
    bytes: Vec<u8>,
}

impl Canvas {
    fn fill(&mut self, corners: [[f32; 3]; 3], colour: [u8; 3]) {
        let [first, second, third] = corners;
        let area =
            (second[0] - first[0]) * (third[1] - first[1]) - (second[1] - first[1]) * (third[0] - first[0]);
        if !area.is_finite() || area == 0.0 {
            return;
        }
        let shade = shade(first, second, third);
        let range = |axis: usize, most: u32| {
            let values = corners.map(|corner| corner[axis]);
            let least = values.iter().copied().fold(f32::INFINITY, f32::min);
            let greatest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            (least.floor().max(0.0) as u32)..(greatest.ceil().max(0.0) as u32).saturating_add(1).min(most)
        };
        for y in range(1, self.high) {
            for x in range(0, self.wide) {
                let (across, down) = (x as f32 + 0.5, y as f32 + 0.5);
                let edge = |from: [f32; 3], to: [f32; 3]| {
                    ((to[0] - from[0]) * (down - from[1]) - (to[1] - from[1]) * (across - from[0])) / area
                };
                // How near the pixel lies to each corner.
                let near = [edge(second, third), edge(third, first), edge(first, second)];
                if near.iter().any(|share| *share < 0.0) {
                    continue;
                }
                let depth: f32 = near.iter().zip(corners).map(|(share, corner)| share * corner[2]).sum();
                let at = (y * self.wide + x) as usize;
                if depth <= self.depths[at] {
                    continue;
                }
                self.depths[at] = depth;
                let lit = colour.map(|value| (f32::from(value) * shade).round().clamp(0.0, 255.0) as u8);
                self.bytes[at * 4..at * 4 + 4].copy_from_slice(&[lit[0], lit[1], lit[2], 255]);
            }
        }
    }
}

/// How bright a triangle is; both of its sides are seen.
fn shade(a: [f32; 3], b: [f32; 3], c: [f32; 3]) -> f32 {
    // On the canvas down is more, in the light's space up is.
    let way = |from: [f32; 3], to: [f32; 3]| [to[0] - from[0], from[1] - to[1], to[2] - from[2]];
    let (one, other) = (way(a, b), way(a, c));
    let normal = [
        one[1] * other[2] - one[2] * other[1],
        one[2] * other[0] - one[0] * other[2],
        one[0] * other[1] - one[1] * other[0],
    ];
    let length = normal.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-20);
    let toward = if normal[2] < 0.0 { -1.0 } else { 1.0 };
    let facing: f32 = normal.iter().zip(LIGHT).map(|(value, light)| value / length * toward * light).sum();
    AMBIENT + (1.0 - AMBIENT) * facing.max(0.0)
}
