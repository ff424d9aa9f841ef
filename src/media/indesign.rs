//! InDesign documents: what their XMP packet says, and the small picture in it. The document itself is of a form that
//! only its maker knows.

use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::embedded;
use crate::media::facts::{Facts, FontUse};
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::xmp_picture;

/// InDesign documents.
pub struct InDesign;

impl Decoder for InDesign {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::INDD]
    }

    fn facts(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done {
        embedded::add(embedded::find(input, format)?, facts);
        if facts.embedded.is_empty() {
            facts.note("there is no XMP packet in it, which is all that is read of such a document");
        }
        let fonts = facts.embedded.iter().filter(|field| field.name.ends_with("fontName"));
        facts.fonts_used =
            fonts.map(|field| FontUse { name: field.value.clone(), embedded: false }).collect();
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, format: &'static Format, wanted: Wanted) -> Shown {
        match xmp_picture::find(&embedded::find(input, format)?, wanted.edge)? {
            Some(pixels) => Ok(Some(pixels)),
            None => Err(DecodeError::without_picture()),
        }
    }
}
