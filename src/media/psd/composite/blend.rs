//! Blend modes: the formulas of ISO 32000-2 section 11.3.5 for those that it has, and for the
//! others what Adobe's Photoshop help describes.

/// A blend mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blend {
    Normal,
    Darken,
    Multiply,
    ColourBurn,
    LinearBurn,
    DarkerColour,
    Lighten,
    Screen,
    ColourDodge,
    LinearDodge,
    LighterColour,
    Overlay,
    SoftLight,
    HardLight,
    VividLight,
    LinearLight,
    PinLight,
    HardMix,
    Difference,
    Exclusion,
    Subtract,
    Divide,
    Hue,
    Saturation,
    Colour,
    Luminosity,
}

/// The four letters of the format, the mode, and its name for people and in facts.
const MODES: &[(&[u8; 4], Blend, &str)] = &[
    (b"norm", Blend::Normal, "normal"),
    (b"pass", Blend::Normal, "pass through"),
    (b"diss", Blend::Normal, "dissolve"),
    (b"dark", Blend::Darken, "darken"),
    (b"mul ", Blend::Multiply, "multiply"),
    (b"idiv", Blend::ColourBurn, "color burn"),
    (b"lbrn", Blend::LinearBurn, "linear burn"),
    (b"dkCl", Blend::DarkerColour, "darker color"),
    (b"lite", Blend::Lighten, "lighten"),
    (b"scrn", Blend::Screen, "screen"),
    (b"div ", Blend::ColourDodge, "color dodge"),
    (b"lddg", Blend::LinearDodge, "linear dodge"),
    (b"lgCl", Blend::LighterColour, "lighter color"),
    (b"over", Blend::Overlay, "overlay"),
    (b"sLit", Blend::SoftLight, "soft light"),
    (b"hLit", Blend::HardLight, "hard light"),
    (b"vLit", Blend::VividLight, "vivid light"),
    (b"lLit", Blend::LinearLight, "linear light"),
    (b"pLit", Blend::PinLight, "pin light"),
    (b"hMix", Blend::HardMix, "hard mix"),
    (b"diff", Blend::Difference, "difference"),
    (b"smud", Blend::Exclusion, "exclusion"),
    (b"fsub", Blend::Subtract, "subtract"),
    (b"fdiv", Blend::Divide, "divide"),
    (b"hue ", Blend::Hue, "hue"),
    (b"sat ", Blend::Saturation, "saturation"),
    (b"colr", Blend::Colour, "color"),
    (b"lum ", Blend::Luminosity, "luminosity"),
];

impl Blend {
    /// The mode of four letters; unknown ones draw as normal.
    pub fn of(letters: [u8; 4]) -> Self {
        MODES.iter().find(|row| *row.0 == letters).map_or(Self::Normal, |row| row.1)
    }

    /// Whether the opacity of a layer's fill is another thing than its opacity in this mode: in eight of them it
    /// changes the colour before it is mixed.
    pub fn fills_otherwise(self) -> bool {
        use Blend::{
            ColourBurn, ColourDodge, Difference, HardMix, LinearBurn, LinearDodge, LinearLight, VividLight,
        };
        matches!(
            self,
            ColourBurn
                | LinearBurn
                | ColourDodge
                | LinearDodge
                | VividLight
                | LinearLight
                | HardMix
                | Difference
        )
    }

    /// Mixes two colours, each from 0 to 1.
    pub fn apply(self, back: [f32; 3], front: [f32; 3]) -> [f32; 3] {
        match self {
            Self::Hue => set_luminosity(set_saturation(front, saturation(back)), luminosity(back)),
            Self::Saturation => set_luminosity(set_saturation(back, saturation(front)), luminosity(back)),
            Self::Colour => set_luminosity(front, luminosity(back)),
            Self::Luminosity => set_luminosity(back, luminosity(front)),
            Self::DarkerColour if luminosity(front) < luminosity(back) => front,
            Self::LighterColour if luminosity(front) > luminosity(back) => front,
            Self::DarkerColour | Self::LighterColour => back,
            _ => std::array::from_fn(|channel| self.single(back[channel], front[channel])),
        }
    }

    /// Mixes one channel.
    fn single(self, back: f32, front: f32) -> f32 {
        match self {
            Self::Darken => back.min(front),
            Self::Multiply => back * front,
            Self::ColourBurn => burn(back, front),
            Self::LinearBurn => (back + front - 1.0).max(0.0),
            Self::Lighten => back.max(front),
            Self::Screen => screen(back, front),
            Self::ColourDodge => dodge(back, front),
            Self::LinearDodge => (back + front).min(1.0),
            Self::Overlay => hard(front, back),
            Self::HardLight => hard(back, front),
            Self::SoftLight => soft(back, front),
            // Here the ends of what lies above decide, and in burning and dodging alone those of what lies below.
            Self::VividLight if front <= 0.0 => 0.0,
            Self::VividLight if front >= 1.0 => 1.0,
            Self::VividLight if front <= 0.5 => 1.0 - ((1.0 - back) / (2.0 * front)).min(1.0),
            Self::VividLight => (back / (2.0 * (1.0 - front))).min(1.0),
            Self::LinearLight => (back + 2.0 * front - 1.0).clamp(0.0, 1.0),
            Self::PinLight if front <= 0.5 => back.min(2.0 * front),
            Self::PinLight => back.max(2.0 * front - 1.0),
            // Where both are one white together, the lighter one of them is below or it is black.
            Self::HardMix if (back + front - 1.0).abs() < 1e-4 => f32::from(u8::from(back > 0.5)),
            Self::HardMix => f32::from(u8::from(back + front > 1.0)),
            Self::Difference => (back - front).abs(),
            Self::Exclusion => back + front - 2.0 * back * front,
            Self::Subtract => (back - front).max(0.0),
            Self::Divide => {
                // Photoshop makes 0 of 0 / 0.
                if front > 0.0 { (back / front).min(1.0) } else { f32::from(u8::from(back > 0.0)) }
            }
            Self::Normal
            | Self::DarkerColour
            | Self::LighterColour
            | Self::Hue
            | Self::Saturation
            | Self::Colour
            | Self::Luminosity => front,
        }
    }
}

/// The mode's name.
pub fn name(letters: [u8; 4]) -> String {
    match MODES.iter().find(|row| *row.0 == letters) {
        Some(row) => row.2.to_owned(),
        None => String::from_utf8_lossy(&letters).trim_end().to_owned(),
    }
}

fn burn(back: f32, front: f32) -> f32 {
    if back >= 1.0 {
        1.0
    } else if front <= 0.0 {
        0.0
    } else {
        1.0 - ((1.0 - back) / front).min(1.0)
    }
}

fn dodge(back: f32, front: f32) -> f32 {
    if back <= 0.0 {
        0.0
    } else if front >= 1.0 {
        1.0
    } else {
        (back / (1.0 - front)).min(1.0)
    }
}

fn screen(back: f32, front: f32) -> f32 {
    back + front - back * front
}

fn hard(back: f32, front: f32) -> f32 {
    if front <= 0.5 { back * 2.0 * front } else { screen(back, 2.0 * front - 1.0) }
}

fn soft(back: f32, front: f32) -> f32 {
    if front <= 0.5 {
        return back - (1.0 - 2.0 * front) * back * (1.0 - back);
    }
    let curve = if back <= 0.25 { ((16.0 * back - 12.0) * back + 4.0) * back } else { back.sqrt() };
    back + (2.0 * front - 1.0) * (curve - back)
}

fn luminosity([red, green, blue]: [f32; 3]) -> f32 {
    0.3 * red + 0.59 * green + 0.11 * blue
}

fn saturation(colour: [f32; 3]) -> f32 {
    let (least, greatest) = ends(colour);
    greatest - least
}

fn ends(colour: [f32; 3]) -> (f32, f32) {
    let least = colour[0].min(colour[1]).min(colour[2]);
    (least, colour[0].max(colour[1]).max(colour[2]))
}

fn set_luminosity(colour: [f32; 3], wanted: f32) -> [f32; 3] {
    let shift = wanted - luminosity(colour);
    let shifted = colour.map(|value| value + shift);
    let (least, greatest) = ends(shifted);
    let middle = luminosity(shifted);
    shifted.map(|value| {
        let value = if least < 0.0 { middle + (value - middle) * middle / (middle - least) } else { value };
        if greatest > 1.0 { middle + (value - middle) * (1.0 - middle) / (greatest - middle) } else { value }
    })
}

fn set_saturation(colour: [f32; 3], wanted: f32) -> [f32; 3] {
    let (least, greatest) = ends(colour);
    if greatest <= least {
        return [0.0; 3];
    }
    colour.map(|value| (value - least) * wanted / (greatest - least))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_stay_between_nought_and_one() {
        let steps = [0.0, 0.25, 0.5, 0.75, 1.0];
        for (_, blend, name) in MODES {
            for back in steps {
                for front in steps {
                    for value in blend.apply([back, 1.0 - back, 0.5], [front, 0.2, 1.0 - front]) {
                        assert!((-1e-4..=1.0001).contains(&value), "{name}: {value}");
                    }
                }
            }
        }
    }

    #[test]
    fn known_values() {
        let mixed = |letters, back: f32, front: f32| Blend::of(letters).apply([back; 3], [front; 3])[0];
        assert!((mixed(*b"mul ", 0.5, 0.5) - 0.25).abs() < 1e-6);
        assert!((mixed(*b"scrn", 0.5, 0.5) - 0.75).abs() < 1e-6);
        assert!((mixed(*b"over", 0.25, 0.5) - 0.25).abs() < 1e-6);
        assert!((mixed(*b"lddg", 0.75, 0.5) - 1.0).abs() < 1e-6);
        assert!((mixed(*b"vLit", 0.25, 0.75) - 0.5).abs() < 1e-6);
        assert_eq!((mixed(*b"vLit", 1.0, 0.0), mixed(*b"vLit", 0.0, 1.0)), (0.0, 1.0));
        assert_eq!((mixed(*b"hMix", 0.4, 0.6), mixed(*b"hMix", 0.6, 0.4)), (0.0, 1.0));
        assert_eq!(Blend::of(*b"????"), Blend::Normal);
        assert_eq!(name(*b"mul "), "multiply");
    }
}
