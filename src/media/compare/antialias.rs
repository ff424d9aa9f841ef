//! Whether a pixel is only the softened edge of something.
//!
//! Source: V. Vyšniauskas, "Anti-aliased Pixel and Intensity Slope Detector", Electronics and
//! Electrical Engineering 96 (2009), in the form in which `pixelmatch` (ISC) made it known: a pixel
//! between a darker and a brighter neighbour, of which at least one belongs to an even area in both
//! pictures, is taken for an edge that was drawn a little differently.

use super::picture::Canvas;

/// Fewest like neighbours that make an even area.
const SIBLINGS_MIN: u32 = 3;

/// Whether the pixel at a place of `canvas` is the softened edge of something that is in `other` too.
pub(super) fn is_edge(canvas: &Canvas<'_>, other: &Canvas<'_>, x: u32, y: u32) -> bool {
    let centre = canvas.luma(x, y);
    let (mut darkest, mut brightest) = ((0.0f32, x, y), (0.0f32, x, y));
    let mut alike = u32::from(is_border(canvas, x, y));
    for (column, row) in neighbours(canvas, x, y) {
        let step = canvas.luma(column, row) - centre;
        if step == 0.0 {
            alike += 1;
            if alike > 2 {
                return false;
            }
        } else if step < darkest.0 {
            darkest = (step, column, row);
        } else if step > brightest.0 {
            brightest = (step, column, row);
        }
    }
    if darkest.0 == 0.0 || brightest.0 == 0.0 {
        return false;
    }
    [darkest, brightest]
        .iter()
        .any(|(_, column, row)| is_even(canvas, *column, *row) && is_even(other, *column, *row))
}

fn is_even(canvas: &Canvas<'_>, x: u32, y: u32) -> bool {
    let pixel = canvas.pixel(x, y);
    let alike = neighbours(canvas, x, y).filter(|(column, row)| canvas.pixel(*column, *row) == pixel).count();
    alike as u32 + u32::from(is_border(canvas, x, y)) >= SIBLINGS_MIN
}

fn is_border(canvas: &Canvas<'_>, x: u32, y: u32) -> bool {
    x == 0 || y == 0 || x + 1 == canvas.width || y + 1 == canvas.height
}

/// The up to eight pixels around one.
fn neighbours(canvas: &Canvas<'_>, x: u32, y: u32) -> impl Iterator<Item = (u32, u32)> {
    let columns = x.saturating_sub(1)..=(x + 1).min(canvas.width - 1);
    let rows = y.saturating_sub(1)..=(y + 1).min(canvas.height - 1);
    rows.flat_map(move |row| columns.clone().map(move |column| (column, row)))
        .filter(move |place| *place != (x, y))
}
