//! XMP sidecars: fields about another file, in a file of their own.

use crate::media::decoder::{DecodeError, Decoder, Done};
use crate::media::embedded::xmp;
use crate::media::facts::Facts;
use crate::media::format::{self, Format};
use crate::media::input::Input;

/// XMP sidecars.
pub struct Sidecar;

impl Decoder for Sidecar {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::XMP]
    }

    fn draws(&self, _: &'static Format) -> bool {
        false
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let bytes = input.read_at(0, xmp::PACKET_MAX + 1)?;
        if bytes.len() > xmp::PACKET_MAX {
            return Err(DecodeError::TooLarge("the sidecar is longer than a sidecar may be".to_owned()));
        }
        let fields = xmp::read(&bytes);
        facts.add_fields(fields.ok_or_else(|| DecodeError::Damaged("it is not well-formed".to_owned()))?);
        Ok(())
    }
}
