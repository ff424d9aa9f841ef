//! What a family of formats is read with, and the registry of all of them.

use crate::media::facts::Facts;
use crate::media::format::Format;
use crate::media::input::Input;
use crate::media::light::Light;
use crate::media::pixels::Pixels;
use crate::media::still::coded::Coded;

/// Why a file could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not what their format asks for.
    #[error("{0}")]
    Damaged(String),
    /// The file is of a form that is not read.
    #[error("{0}")]
    Unsupported(String),
    /// It would take more memory or time than a preview may.
    #[error("{0}")]
    TooLarge(String),
    /// The bytes could not be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl DecodeError {
    /// That the picture is missing which programs put into files of this kind.
    pub fn without_picture() -> Self {
        Self::Unsupported("the program that wrote it put no picture of it in".to_owned())
    }
}

/// That all was told, or why it could not be.
pub type Done = Result<(), DecodeError>;

/// A picture, `None` where there is none to give, or why it cannot be shown.
pub type Shown = Result<Option<Pixels>, DecodeError>;

/// A picture that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The longest side in pixels; a decoder may give a larger picture when it has no cheaper one.
    pub edge: u32,
}

/// Reads the formats of one family. It runs in a process of its own, where bytes may do no harm, and
/// may take its time and memory only within that process's bounds.
pub trait Decoder: Sync {
    /// What it reads.
    fn formats(&self) -> &'static [&'static Format];

    /// Whether it makes pictures of that format, or facts only.
    fn draws(&self, _format: &'static Format) -> bool {
        true
    }

    /// Who tells facts of that format.
    fn way_of_facts(&self, _format: &'static Format) -> Way {
        Way::Decoder
    }

    /// Who makes its pictures.
    fn way_of_pictures(&self, _format: &'static Format) -> Way {
        Way::Decoder
    }

    /// Adds what it finds. What it cannot read of a file that is otherwise sound goes into
    /// `facts.notes`.
    fn facts(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done;

    /// A picture of the file; `None` when the family has none to give.
    fn picture(&self, _input: &mut Input<'_>, _format: &'static Format, _wanted: Wanted) -> Shown {
        Ok(None)
    }

    /// The picture as it is coded in the file, where FFmpeg makes pixels of it.
    fn coded(&self, _input: &mut Input<'_>, _format: &'static Format) -> Result<Option<Coded>, DecodeError> {
        Ok(None)
    }

    /// The picture as numbers of light, where the format has values beyond white.
    fn light(
        &self,
        _input: &mut Input<'_>,
        _format: &'static Format,
        _wanted: Wanted,
    ) -> Result<Option<Light>, DecodeError> {
        Ok(None)
    }

    /// What two files of that format are compared by beyond their pictures, in one word of people.
    fn compares(&self, _format: &'static Format) -> Option<&'static str> {
        None
    }

    /// Adds to each of `facts.layers` what its pixels are. Families without layers do nothing.
    fn prints(&self, _input: &mut Input<'_>, _format: &'static Format, _facts: &mut Facts) -> Done {
        Ok(())
    }

    /// A picture of one layer alone, by its place in `facts.layers`, on a canvas as large as the
    /// document; `None` when it has no pixels.
    fn layer(
        &self,
        _input: &mut Input<'_>,
        _format: &'static Format,
        _layer: usize,
        _wanted: Wanted,
    ) -> Shown {
        Ok(None)
    }
}

/// Who reads a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The decoder itself.
    Decoder,
    /// FFmpeg's programs, where they are installed.
    Player,
}

/// Every decoder.
const DECODERS: &[&dyn Decoder] = &[
    &super::raster::Raster,
    &super::photoshop::Photoshop,
    &super::still::Still,
    &super::drawing::Drawing,
    &super::pdf::Document,
    &super::sound::Hearing,
    &super::typeface::Typeface,
    &super::package::Packages,
    &super::xcf::Gimp,
    &super::mesh::Meshes,
    &super::blend::Blender,
    &super::camera::Camera,
    &super::postscript::PostScript,
    &super::indesign::InDesign,
    &super::fbx::Fbx,
    &super::usd::Usd,
    &super::film::Film,
    &super::film::Played,
    &super::sidecar::Sidecar,
    &super::writing::Writing,
    &super::ole::OldOffice,
];

/// The decoder of a format.
pub fn decoder(format: &'static Format) -> Option<&'static dyn Decoder> {
    DECODERS.iter().copied().find(|decoder| decoder.formats().contains(&format))
}

/// Whether pictures are made of a format.
pub fn draws(format: &'static Format) -> bool {
    decoder(format).is_some_and(|decoder| decoder.draws(format))
}

/// Who tells facts of a format.
pub fn way_of_facts(format: &'static Format) -> Way {
    decoder(format).map_or(Way::Decoder, |decoder| decoder.way_of_facts(format))
}

/// Who makes pictures of a format.
pub fn way_of_pictures(format: &'static Format) -> Way {
    decoder(format).map_or(Way::Decoder, |decoder| decoder.way_of_pictures(format))
}

/// What files of a format are compared by beyond their pictures.
pub fn compared(format: &'static Format) -> Option<&'static str> {
    decoder(format)?.compares(format)
}

/// Everything that is known of a file.
pub fn facts(input: &mut Input<'_>, format: &'static Format) -> Result<Facts, DecodeError> {
    let mut facts = Facts {
        format: format.id.to_owned(),
        format_name: format.name.to_owned(),
        family: Some(format.family),
        mime: format.mime.to_owned(),
        ..Facts::default()
    };
    if let Some(decoder) = decoder(format) {
        decoder.facts(input, format, &mut facts)?;
    }
    Ok(facts)
}
