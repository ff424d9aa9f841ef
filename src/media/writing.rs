//! Text: plain, JSON, XML and rich text - how it is written, how much there is, and its first page.

mod page;
mod rich;

use crate::media::decoder::{Decoder, Done, Shown, Wanted};
use crate::media::facts::{Facts, Field};
use crate::media::format::{self, Format};
use crate::media::input::Input;
pub use page::{Hand, first_page};

/// Longest text that is read, in bytes; of a longer one, so much of its beginning.
const BYTES_MAX: usize = 16 << 20;

/// Text.
pub struct Writing;

impl Decoder for Writing {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::TEXT, &format::JSON, &format::XML, &format::RTF]
    }

    fn facts(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done {
        let bytes = input.read_at(0, BYTES_MAX)?;
        if input.len() > BYTES_MAX as u64 {
            facts.note(format!("of it the first {} MiB were read", BYTES_MAX >> 20));
        }
        if *format == format::RTF {
            let document = rich::read(&bytes);
            facts.add_fields(document.fields.iter().map(|(name, value)| Field::text("office", name, value)));
            facts.add_text(&document.text);
            facts.add_fields(counts(&document.text));
            return Ok(());
        }
        let (text, encoding) = decoded(&bytes);
        facts.add_fields([Field::text("text", "Encoding", encoding)]);
        facts.add_fields(ends(&text).map(|ends| Field::text("text", "LineEnds", ends)));
        facts.add_fields(counts(&text));
        facts.add_text(&text);
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, format: &'static Format, wanted: Wanted) -> Shown {
        // A page holds no more.
        let bytes = input.read_at(0, if *format == format::RTF { BYTES_MAX } else { 64 << 10 })?;
        if *format == format::RTF {
            return first_page(&rich::read(&bytes).text, Hand::Even, wanted.edge);
        }
        first_page(&decoded(&bytes).0, Hand::Typewriter, wanted.edge)
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("text")
    }
}

/// The text of bytes, and how it was written: by its mark, else in UTF-8, and where it is none, in the usual code
/// of western Europe (WHATWG Encoding Standard, `windows-1252`).
fn decoded(bytes: &[u8]) -> (String, &'static str) {
    if let Some((encoding, _)) = encoding_rs::Encoding::for_bom(bytes) {
        return (encoding.decode(bytes).0.into_owned(), encoding.name());
    }
    // What was cut off may end within a character.
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), "UTF-8"),
        Err(error) if error.error_len().is_none() => {
            (String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned(), "UTF-8")
        }
        Err(_) => (encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned(), "windows-1252"),
    }
}

/// How lines end, when there are several.
fn ends(text: &str) -> Option<&'static str> {
    let (all, returns) = (text.matches('\n').count(), text.matches("\r\n").count());
    match (all, returns) {
        (0, _) => None,
        (_, 0) => Some("LF"),
        (all, returns) if all == returns => Some("CR LF"),
        _ => Some("LF and CR LF"),
    }
}

fn counts(text: &str) -> [Field; 3] {
    let number = |name: &str, count: usize| Field::number("text", name, count as f64);
    [
        number("Lines", text.lines().count()),
        number("Words", text.split_whitespace().count()),
        number("Characters", text.chars().count()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_in_the_code_that_they_are_written_in() {
        assert_eq!(decoded("Größe".as_bytes()), ("Größe".to_owned(), "UTF-8"));
        assert_eq!(decoded(b"Gr\xf6\xdfe"), ("Größe".to_owned(), "windows-1252"));
        assert_eq!(decoded(b"\xff\xfeG\0r\0"), ("Gr".to_owned(), "UTF-16LE"));
        assert_eq!(decoded(&"ö".as_bytes()[..1]).0, "");
        assert_eq!(
            (ends("a\nb\n"), ends("a\r\nb\r\n"), ends("a\r\nb\n"), ends("a")),
            (Some("LF"), Some("CR LF"), Some("LF and CR LF"), None)
        );
    }
}
