//! Puts layers together as Photoshop does: groups, masks, clipping, opacity, blend modes.
//!
//! Adjustments, fills and curves that have no pixels in the document, and effects are not drawn, and colours are
//! mixed as red, green and blue are in sRGB; [`Composed::left_out`] names what of a document is other than that.

mod blend;
mod stack;

use super::layer::Bounds;
use super::render::{Canvas, render_layer, render_mask};
use super::{Document, LayerRecord, Mode, PsdError, Section};
use crate::media::input::Input;
use blend::Blend;
pub use blend::name as blend_name;
use stack::{Node, stack};

/// A document's picture, put together from its layers.
#[derive(Debug)]
pub struct Composed {
    /// The picture, as large as the document.
    pub canvas: Canvas,
    /// What was not drawn, or in another way than Photoshop does: the layer's name, empty for the whole document,
    /// and why.
    pub left_out: Vec<(String, &'static str)>,
}

/// Draws all layers that are shown.
pub fn compose(input: &mut Input<'_>, document: &Document) -> Result<Composed, PsdError> {
    let header = &document.header;
    let mut painter = Painter { input, document, left_out: Vec::new() };
    if let Some(why) = mixed_otherwise(document) {
        painter.left_out.push((String::new(), why));
    }
    let mut canvas = Canvas::new(0, 0, header.width, header.height)?;
    painter.draw_all(&stack(&document.layers), &mut canvas)?;
    Ok(Composed { canvas, left_out: painter.left_out })
}

/// Why colours of this document would be mixed in another space.
fn mixed_otherwise(document: &Document) -> Option<&'static str> {
    match document.header.mode {
        _ if document.header.depth == 32 => Some("mixing of light"),
        Mode::Cmyk => Some("mixing of inks"),
        Mode::Lab => Some("mixing of L*a*b*"),
        _ => None,
    }
}

struct Painter<'p, 'i, 'd> {
    input: &'p mut Input<'i>,
    document: &'d Document,
    left_out: Vec<(String, &'static str)>,
}

impl Painter<'_, '_, '_> {
    /// Draws nodes, lowest first. A node and those that are clipped to it are drawn as one.
    fn draw_all(&mut self, nodes: &[Node], canvas: &mut Canvas) -> Result<(), PsdError> {
        let mut rest = nodes;
        while let Some((base, after)) = rest.split_first() {
            let clipped = after.iter().take_while(|node| self.record(node).clipped).count();
            let (clipped, after) = after.split_at(clipped);
            rest = after;
            if !self.record(base).visible {
                continue;
            }
            self.draw(base, clipped, canvas)?;
        }
        Ok(())
    }

    fn record(&self, node: &Node) -> &LayerRecord {
        &self.document.layers[node.record()]
    }

    fn draw(&mut self, base: &Node, clipped: &[Node], canvas: &mut Canvas) -> Result<(), PsdError> {
        let record = self.record(base).clone();
        let opacity = opacity_of(&record);
        if let Node::Group { children, .. } = base
            && record.blend == *b"pass"
        {
            return self.draw_through(&record, children, clipped, canvas);
        }
        let drawn = self.pixels_of(base, &record)?;
        let uppers = self.clipped_to(clipped)?;
        let Some(mut drawn) = drawn else { return Ok(()) };
        for (upper, record) in &uppers {
            paint(&mut drawn, upper, Blend::of(record.blend), opacity_of(record), true);
        }
        paint(canvas, &drawn, Blend::of(record.blend), opacity, false);
        Ok(())
    }

    /// The pixels of layers that are clipped to another, as far as they are shown.
    fn clipped_to(&mut self, nodes: &[Node]) -> Result<Vec<(Canvas, LayerRecord)>, PsdError> {
        let mut uppers = Vec::new();
        for node in nodes {
            let record = self.record(node).clone();
            if record.visible
                && let Some(upper) = self.pixels_of(node, &record)?
            {
                uppers.push((upper, record));
            }
        }
        Ok(uppers)
    }

    /// A group whose layers blend with what lies below it: drawn on a copy, of which the group's
    /// opacity and mask let through as much as they say. What is clipped to it blends with what came of that, where
    /// the group is.
    fn draw_through(
        &mut self,
        record: &LayerRecord,
        children: &[Node],
        clipped: &[Node],
        canvas: &mut Canvas,
    ) -> Result<(), PsdError> {
        let opacity = opacity_of(record);
        self.note_undrawn(record);
        if record.fill < 255 && self.blends(children) {
            self.left_out.push((record.name.clone(), "the fill opacity of a group that lets through"));
        }
        let mask = render_mask(self.input, self.document, record)?;
        let uppers = self.clipped_to(clipped)?;
        if opacity >= 1.0 && mask.is_none() && uppers.is_empty() {
            return self.draw_all(children, canvas);
        }
        let mut above = canvas.clone();
        self.draw_all(children, &mut above)?;
        if !uppers.is_empty() {
            // Where the group is, and how opaque, it says alone.
            let named = self.left_out.len();
            let mut alone = Canvas::new(0, 0, canvas.width, canvas.height)?;
            self.draw_all(children, &mut alone)?;
            self.left_out.truncate(named);
            clip_through(&mut above, canvas, &alone, &uppers);
        }
        let outside = record.mask.map_or(255, |mask| mask.dense(mask.outside));
        let width = canvas.width as usize;
        let pairs = canvas.pixels.chunks_exact_mut(4).zip(above.pixels.chunks_exact(4));
        for (at, (below, above)) in pairs.enumerate() {
            let (x, y) = ((at % width) as i64, (at / width) as i64);
            let share = opacity * f32::from(mask_at(mask.as_ref(), outside, x, y)) / 255.0;
            mix(below, above, share);
        }
        Ok(())
    }

    /// Whether one of these that are shown, or of what they hold, has another mode than the usual one.
    fn blends(&self, nodes: &[Node]) -> bool {
        nodes.iter().filter(|node| self.record(node).visible).any(|node| {
            let within = matches!(node, Node::Group { children, .. } if self.blends(children));
            within || !matches!(&self.record(node).blend, b"norm" | b"pass")
        })
    }

    /// Takes note of what of a layer or group is not drawn.
    fn note_undrawn(&mut self, record: &LayerRecord) {
        let mut why = record.undrawn.clone();
        if record.effects {
            why.push("effects");
        }
        let is_layer = record.section == Section::Layer;
        // A mask of curves is in the pixels, or in the mask of pixels.
        if record.shape && record.mask.is_none() && !(is_layer && record.has_pixels()) {
            why.push("a mask of curves");
        }
        if record.adjustment.is_some() {
            why.push("an adjustment of the layers below");
        } else if record.fill_of.is_some() && !record.has_pixels() {
            why.push("a fill");
        }
        if record.text.is_some() {
            why.push("the curve by which the edges of text are mixed");
        }
        if record.blend == *b"diss" && (record.opacity < 255 || record.fill < 255 || is_layer) {
            why.push("dissolving");
        }
        if record.fill < 255 && Blend::of(record.blend).fills_otherwise() {
            why.push("the fill opacity of its blend mode");
        }
        self.left_out.extend(why.into_iter().map(|why| (record.name.clone(), why)));
    }

    /// The pixels of a layer or an isolated group, with its mask applied.
    fn pixels_of(&mut self, node: &Node, record: &LayerRecord) -> Result<Option<Canvas>, PsdError> {
        self.note_undrawn(record);
        let mut canvas = match node {
            Node::Group { children, .. } => {
                let header = &self.document.header;
                let mut canvas = Canvas::new(0, 0, header.width, header.height)?;
                self.draw_all(children, &mut canvas)?;
                canvas
            }
            Node::Layer(_) => {
                if record.adjustment.is_some() || !record.has_pixels() {
                    return Ok(None);
                }
                render_layer(self.input, self.document, record)?
            }
        };
        if let Some(mask) = render_mask(self.input, self.document, record)? {
            let outside = record.mask.map_or(255, |mask| mask.dense(mask.outside));
            let (width, left, top) = (canvas.width as usize, canvas.left, canvas.top);
            for (at, pixel) in canvas.pixels.chunks_exact_mut(4).enumerate() {
                let (x, y) = (left + (at % width) as i64, top + (at / width) as i64);
                let share = u32::from(mask_at(Some(&mask), outside, x, y));
                pixel[3] = ((u32::from(pixel[3]) * share + 127) / 255) as u8;
            }
        }
        Ok(Some(canvas))
    }
}

fn opacity_of(record: &LayerRecord) -> f32 {
    f32::from(record.opacity) / 255.0 * f32::from(record.fill) / 255.0
}

/// Paints what is clipped to a group that lets through: on the colour that the group makes of what is below, as much
/// as the group is opaque.
fn clip_through(above: &mut Canvas, below: &Canvas, alone: &Canvas, uppers: &[(Canvas, LayerRecord)]) {
    let mut colours = above.clone();
    // What of a pixel is not the group, in multiplied colours, and the group's own share.
    let under = |below: &[u8], alone: &[u8], channel: usize| {
        f32::from(below[channel]) * f32::from(below[3]) * (1.0 - f32::from(alone[3]) / 255.0)
    };
    let share = |alone: &[u8]| f32::from(alone[3]);
    let below_and_alone = || below.pixels.chunks_exact(4).zip(alone.pixels.chunks_exact(4));
    for (colour, (below, alone)) in colours.pixels.chunks_exact_mut(4).zip(below_and_alone()) {
        if alone[3] > 0 {
            for channel in 0..3 {
                let all = f32::from(colour[channel]) * f32::from(colour[3]);
                let value = (all - under(below, alone, channel)) / share(alone);
                colour[channel] = value.round().clamp(0.0, 255.0) as u8;
            }
            colour[3] = 255;
        }
    }
    for (upper, record) in uppers {
        paint(&mut colours, upper, Blend::of(record.blend), opacity_of(record), true);
    }
    let pixels = above.pixels.chunks_exact_mut(4).zip(colours.pixels.chunks_exact(4));
    for ((above, colour), (below, alone)) in pixels.zip(below_and_alone()) {
        if alone[3] > 0 && above[3] > 0 {
            for channel in 0..3 {
                let all = under(below, alone, channel) + f32::from(colour[channel]) * share(alone);
                above[channel] = (all / f32::from(above[3])).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
}

fn mask_at(mask: Option<&(Bounds, Vec<u8>)>, outside: u8, x: i64, y: i64) -> u8 {
    let Some((bounds, opacity)) = mask else { return 255 };
    let (column, row) = (x - i64::from(bounds.left), y - i64::from(bounds.top));
    let (width, height) = (i64::from(bounds.width()), i64::from(bounds.height()));
    if column < 0 || row < 0 || column >= width || row >= height {
        return outside;
    }
    opacity[(row * width + column) as usize]
}

/// Paints `upper` on `below`. When `within`, only where `below` is, whose opacity stays.
fn paint(below: &mut Canvas, upper: &Canvas, blend: Blend, opacity: f32, within: bool) {
    let left = upper.left.max(below.left);
    let right = (upper.left + i64::from(upper.width)).min(below.left + i64::from(below.width));
    let top = upper.top.max(below.top);
    let bottom = (upper.top + i64::from(upper.height)).min(below.top + i64::from(below.height));
    for y in top..bottom {
        for x in left..right {
            let source = upper.at(x, y);
            if source[3] == 0 {
                continue;
            }
            let at = ((y - below.top) as usize * below.width as usize + (x - below.left) as usize) * 4;
            over(&mut below.pixels[at..at + 4], source, blend, opacity, within);
        }
    }
}

/// Source over backdrop with a blend mode (W3C "Compositing and Blending Level 1", section 5).
fn over(backdrop: &mut [u8], source: [u8; 4], blend: Blend, opacity: f32, within: bool) {
    let unit = |value: u8| f32::from(value) / 255.0;
    let back = [unit(backdrop[0]), unit(backdrop[1]), unit(backdrop[2])];
    let front = [unit(source[0]), unit(source[1]), unit(source[2])];
    let (back_alpha, front_alpha) = (unit(backdrop[3]), unit(source[3]) * opacity);
    let mixed = blend.apply(back, front);
    let alpha = if within { back_alpha } else { front_alpha + back_alpha * (1.0 - front_alpha) };
    if alpha <= 0.0 {
        return;
    }
    for channel in 0..3 {
        let colour = (1.0 - back_alpha) * front[channel] + back_alpha * mixed[channel];
        let value = if within {
            back[channel] * (1.0 - front_alpha) + mixed[channel] * front_alpha
        } else {
            (front_alpha * colour + back_alpha * back[channel] * (1.0 - front_alpha)) / alpha
        };
        backdrop[channel] = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    }
    backdrop[3] = (alpha.clamp(0.0, 1.0) * 255.0).round() as u8;
}

/// Goes from `below` to `above` by `share`, in multiplied colours.
fn mix(below: &mut [u8], above: &[u8], share: f32) {
    let (back, front) = (f32::from(below[3]) * (1.0 - share), f32::from(above[3]) * share);
    let alpha = back + front;
    if alpha <= 0.0 {
        below[3] = 0;
        return;
    }
    for channel in 0..3 {
        let value = (f32::from(below[channel]) * back + f32::from(above[channel]) * front) / alpha;
        below[channel] = value.round() as u8;
    }
    below[3] = alpha.round() as u8;
}
