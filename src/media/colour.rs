//! Colour profiles: what pixels of another space are in sRGB.
//!
//! Profiles (ICC.1:2022) come from the file, so they are read where the file is: in the closed
//! process. A profile that cannot be used leaves the pixels as they are, and a note says so.

use moxcms::{ColorProfile, DataColorSpace, Layout, ProfileText, TransformExecutor, TransformOptions};
use std::sync::{Arc, LazyLock};

/// Longest profile that is read, in bytes; those of printing presses have some MiB.
pub const PROFILE_BYTES_MAX: usize = 16 << 20;
/// Bytes that are turned at a time.
const STEP_BYTES: usize = 256 << 10;
/// How far a profile's colours may lie from those of sRGB, in levels, and still be the same: its
/// numbers are rounded.
const SAME_LEVELS: u8 = 1;

/// A profile that was read.
pub struct Profile {
    /// Its description, as written.
    pub name: Option<String>,
    space: Space,
}

enum Space {
    /// Its pixels are those of sRGB.
    Same,
    /// Its pixels have to be turned.
    Other { grey: bool, transform: Arc<dyn TransformExecutor<u8> + Send + Sync> },
    /// Inks and other spaces, of which pixels come here as red, green and blue already.
    NotApplied,
}

impl Profile {
    /// Reads a profile; `None` when it is damaged or too long.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > PROFILE_BYTES_MAX {
            return None;
        }
        let profile = ColorProfile::new_from_slice(bytes).ok()?;
        let name = profile.description.as_ref().and_then(text).filter(|name| !name.is_empty());
        let name = Some(name.unwrap_or_else(|| "a profile without a name".to_owned()));
        let grey = match profile.color_space {
            DataColorSpace::Rgb => false,
            DataColorSpace::Gray => true,
            _ => return Some(Self { name, space: Space::NotApplied }),
        };
        let from = if grey { Layout::GrayAlpha } else { Layout::Rgba };
        let srgb = ColorProfile::new_srgb();
        let options = TransformOptions::default();
        let transform = profile.create_transform_8bit(from, &srgb, Layout::Rgba, options).ok()?;
        let space = if is_same(&*transform, grey)? { Space::Same } else { Space::Other { grey, transform } };
        Some(Self { name, space })
    }

    /// Whether pixels stay as they are although the profile speaks of another space.
    pub fn is_not_applied(&self) -> bool {
        matches!(self.space, Space::NotApplied)
    }

    /// Turns pixels - red, green, blue, opacity - into those of sRGB. `false` when they stay as they were.
    pub fn apply(&self, pixels: &mut [u8]) -> bool {
        let Space::Other { grey, transform } = &self.space else { return false };
        let mut turned = vec![0; STEP_BYTES];
        let mut greys = Vec::new();
        for part in pixels.chunks_mut(STEP_BYTES) {
            let turned = &mut turned[..part.len()];
            let done = if *grey {
                greys.clear();
                greys.extend(part.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[3]]));
                transform.transform(&greys, turned)
            } else {
                transform.transform(part, turned)
            };
            if done.is_err() {
                return false;
            }
            for (pixel, turned) in part.chunks_exact_mut(4).zip(turned.chunks_exact(4)) {
                pixel[..3].copy_from_slice(&turned[..3]);
            }
        }
        true
    }
}

/// What a profile of four inks says of them.
pub struct Inks {
    transform: Arc<dyn TransformExecutor<u8> + Send + Sync>,
}

impl std::fmt::Debug for Inks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inks")
    }
}

impl Inks {
    /// Reads a profile; `None` when it is damaged, too long, or of something else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > PROFILE_BYTES_MAX {
            return None;
        }
        let profile = ColorProfile::new_from_slice(bytes).ok()?;
        if profile.color_space != DataColorSpace::Cmyk {
            return None;
        }
        let options = TransformOptions::default();
        let srgb = ColorProfile::new_srgb();
        let transform = profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgb, options).ok()?;
        Some(Self { transform })
    }

    /// Cyan, magenta, yellow and black, of which 0 is no ink, as red, green and blue of sRGB.
    pub fn apply(&self, inks: &[u8]) -> Option<Vec<u8>> {
        let mut light = vec![0; inks.len() / 4 * 3];
        self.transform.transform(&inks[..inks.len() / 4 * 4], &mut light).ok()?;
        Some(light)
    }
}

/// Whether a transform leaves a ladder of colours where they are; `None` when it does not work.
fn is_same(transform: &dyn TransformExecutor<u8>, grey: bool) -> Option<bool> {
    let steps: Vec<u8> = (0..=15).map(|step| step * 17).collect();
    let colours: Vec<[u8; 4]> = if grey {
        steps.iter().map(|step| [*step, *step, *step, 255]).collect()
    } else {
        let all = steps.iter().step_by(3);
        all.clone()
            .flat_map(|red| {
                all.clone().flat_map({
                    let all = all.clone();
                    move |green| all.clone().map(move |blue| [*red, *green, *blue, 255])
                })
            })
            .collect()
    };
    let source: Vec<u8> = if grey {
        colours.iter().flat_map(|colour| [colour[0], colour[3]]).collect()
    } else {
        colours.iter().flatten().copied().collect()
    };
    let mut turned = vec![0; colours.len() * 4];
    transform.transform(&source, &mut turned).ok()?;
    let near = |(colour, turned): (&[u8; 4], &[u8])| {
        colour.iter().zip(turned).all(|(one, other)| one.abs_diff(*other) <= SAME_LEVELS)
    };
    Some(colours.iter().zip(turned.chunks_exact(4)).all(near))
}

fn text(text: &ProfileText) -> Option<String> {
    Some(match text {
        ProfileText::PlainString(text) => text.trim().to_owned(),
        ProfileText::Localizable(all) => all.first()?.value.trim().to_owned(),
        ProfileText::Description(text) => {
            let plain = text.ascii_string.trim();
            if plain.is_empty() { text.unicode_string.trim().to_owned() } else { plain.to_owned() }
        }
    })
}

/// CIE L*a*b* with the white of D50, each in a byte with the colours from 128 on, as [`lab_of`] has it.
pub fn lab([lightness, green_red, blue_yellow]: [u8; 3]) -> [u8; 3] {
    lab_of([
        f32::from(lightness) * 100.0 / 255.0,
        f32::from(green_red) - 128.0,
        f32::from(blue_yellow) - 128.0,
    ])
}

/// CIE L*a*b* with the white of D50, lightness from 0 to 100 and the colours around 0, as levels of sRGB by way of
/// XYZ adapted to D65 (Bradford).
pub fn lab_of([lightness, green_red, blue_yellow]: [f32; 3]) -> [u8; 3] {
    let fy = (lightness + 16.0) / 116.0;
    let fx = fy + green_red / 500.0;
    let fz = fy - blue_yellow / 200.0;
    let cube =
        |t: f32| if t > 6.0 / 29.0 { t * t * t } else { 3.0 * (6.0f32 / 29.0).powi(2) * (t - 4.0 / 29.0) };
    let (x, y, z) = (0.964_22 * cube(fx), cube(fy), 0.825_21 * cube(fz));
    let light = [
        3.133_856 * x - 1.616_867 * y - 0.490_615 * z,
        -0.978_768 * x + 1.916_142 * y + 0.033_454 * z,
        0.071_945 * x - 0.228_991 * y + 1.405_243 * z,
    ];
    light.map(curved)
}

/// Light from 0 to 1 as a level of sRGB (IEC 61966-2-1); what is darker or brighter is black or white.
pub fn curved(light: f32) -> u8 {
    LEVELS.of(light.clamp(0.0, 1.0))
}

/// What [`curved`] says of light from 0 to 1, computed.
fn computed(value: f32) -> u8 {
    let curved = if value <= 0.003_130_8 { value * 12.92 } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 };
    (curved * 255.0).round() as u8
}

static LEVELS: LazyLock<Levels> = LazyLock::new(Levels::new);

/// Levels of sRGB by light: a picture has millions of values, and a power for each would be most of the work.
struct Levels {
    /// The least light of each level, and one that nothing reaches.
    from: Vec<f32>,
    /// The level of the least light that begins with so many bits, by the upper half of its bits.
    near: Vec<u8>,
}

impl Levels {
    fn new() -> Self {
        let white = 1f32.to_bits();
        // Of numbers that are not negative the order is that of their bits.
        let least = |level: u8| {
            let (mut low, mut high) = (0, white);
            while low < high {
                let middle = low + (high - low) / 2;
                if computed(f32::from_bits(middle)) < level { low = middle + 1 } else { high = middle }
            }
            f32::from_bits(low)
        };
        let from: Vec<f32> = (0..=u8::MAX).map(least).chain([f32::INFINITY]).collect();
        let near = (0..=white >> 16).map(|upper| {
            let value = f32::from_bits(upper << 16);
            from.partition_point(|least| *least <= value).saturating_sub(1).min(255) as u8
        });
        let near = near.collect();
        Self { from, near }
    }

    /// The level of light from 0 to 1; what is not a number is black.
    fn of(&self, value: f32) -> u8 {
        let mut level = self.near.get((value.to_bits() >> 16) as usize).copied().unwrap_or(0);
        while self.from.get(usize::from(level) + 1).is_some_and(|next| value >= *next) {
            level += 1;
        }
        level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_that_are_computed() {
        let thirds = (0..=1f32.to_bits()).step_by(997).map(f32::from_bits);
        // Also right beside where each level begins.
        let edges = LEVELS.from.iter().filter(|from| from.is_finite()).flat_map(|from| {
            let bits = from.to_bits();
            [bits.saturating_sub(1), bits, bits + 1].map(f32::from_bits)
        });
        for value in thirds.chain(edges).filter(|value| *value <= 1.0) {
            assert_eq!(curved(value), computed(value), "{value:e}");
        }
        assert_eq!([-1.0, -0.0, 0.0, 2.0, f32::NAN].map(curved), [0, 0, 0, 255, 0]);
    }

    #[test]
    fn pixels_of_a_wider_space_are_turned_and_those_of_srgb_stay() {
        let srgb = Profile::read(&ColorProfile::new_srgb().encode().expect("bytes")).expect("a profile");
        let mut pixels = vec![200, 40, 90, 255, 1, 2, 3, 0];
        assert!(!srgb.apply(&mut pixels));
        assert_eq!(pixels, [200, 40, 90, 255, 1, 2, 3, 0]);
        let wide = ColorProfile::new_display_p3().encode().expect("bytes");
        let wide = Profile::read(&wide).expect("a profile");
        let mut pixels = vec![200, 100, 90, 77];
        assert!(wide.apply(&mut pixels));
        // Within what sRGB can show, more of it is needed for the same colour.
        assert!(pixels[0] > 205 && pixels[1] < 100 && pixels[3] == 77, "{pixels:?}");
        assert!(Profile::read(b"no profile").is_none());
    }
}
