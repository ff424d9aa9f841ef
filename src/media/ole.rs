//! Documents of offices in their old form (Word, Excel and PowerPoint up to 2003): what they say of themselves, and
//! their words.
//!
//! Each is a compound file: a small file system of its own. Sources: Microsoft, \[MS-CFB\] "Compound File Binary File
//! Format", \[MS-OLEPS\] "Object Linking and Embedding Property Set Data Structures", \[MS-DOC\], \[MS-XLS\] and \[MS-PPT\].

mod compound;
mod letter;
mod properties;
mod slides;
mod table;

use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::facts::Facts;
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::writing::{Hand, first_page};
use compound::Compound;

/// Longest stream that is read, in bytes.
const STREAM_MAX: usize = 32 << 20;

/// Documents of offices in their old form.
pub struct OldOffice;

impl Decoder for OldOffice {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::OLE]
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let mut compound = Compound::open(input)?;
        for (name, named) in [
            ("\u{5}SummaryInformation", properties::SUMMARY),
            ("\u{5}DocumentSummaryInformation", properties::MORE),
        ] {
            if let Some(bytes) = compound.stream(name, properties::BYTES_MAX)? {
                properties::tell(&bytes, named, facts);
            }
        }
        let told = words(&mut compound)?;
        if let Some(kind) = told.kind {
            kind.clone_into(&mut facts.format_name);
        }
        facts.pages = told.pages.or(facts.pages);
        facts.add_text(&told.text);
        for note in told.notes {
            facts.note(note);
        }
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, _: &'static Format, wanted: Wanted) -> Shown {
        let told = words(&mut Compound::open(input)?)?;
        match first_page(&told.text, Hand::Even, wanted.edge)? {
            Some(page) => Ok(Some(page)),
            None => Err(DecodeError::Unsupported("there are no words in it that could be set".to_owned())),
        }
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("text")
    }
}

/// What a document says.
#[derive(Debug, Default, PartialEq)]
struct Told {
    /// What it is, for people.
    kind: Option<&'static str>,
    /// Slides, or sheets; `None` where pages are only known by what the document says of itself.
    pages: Option<u64>,
    /// Its words, a line for each paragraph or cell.
    text: String,
    /// What was not read.
    notes: Vec<&'static str>,
}

const ENCRYPTED: &str = "it is encrypted: its words are not read";
const OLDER: &str = "it is of a form that is older yet: its words are not read";

fn words(compound: &mut Compound<'_, '_>) -> Result<Told, DecodeError> {
    if let Some(main) = compound.stream("WordDocument", STREAM_MAX)? {
        let table = match letter::table(&main) {
            Some(name) => compound.stream(name, STREAM_MAX)?.unwrap_or_default(),
            None => Vec::new(),
        };
        return Ok(Told { kind: Some("Word document of the old form"), ..letter::words(&main, &table) });
    }
    for name in ["Workbook", "Book"] {
        if let Some(book) = compound.stream(name, STREAM_MAX)? {
            return Ok(Told { kind: Some("Excel workbook of the old form"), ..table::words(&book) });
        }
    }
    if let Some(main) = compound.stream("PowerPoint Document", STREAM_MAX)? {
        let user = compound.stream("Current User", 4096)?.unwrap_or_default();
        let kind = Some("PowerPoint presentation of the old form");
        return Ok(Told { kind, ..slides::words(&main, &user) });
    }
    let notes = vec!["it is a file of several streams that is none of Word, Excel or PowerPoint"];
    Ok(Told { notes, ..Told::default() })
}

/// A number of two bytes at a place.
fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A number of four bytes at a place.
fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Characters of two bytes each.
fn characters(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// The same up to the first zero.
fn wide(bytes: &[u8]) -> String {
    let end = bytes.chunks_exact(2).position(|pair| pair == [0, 0]).map_or(bytes.len(), |at| at * 2);
    characters(&bytes[..end])
}

/// The code page of that number, in which texts are that take one byte or two for each character.
fn encoding(page: Option<u16>) -> &'static encoding_rs::Encoding {
    let label = match page {
        Some(65001) => "utf-8".to_owned(),
        Some(10_000) => "macintosh".to_owned(),
        Some(932) => "shift_jis".to_owned(),
        Some(936) => "gbk".to_owned(),
        Some(949) => "euc-kr".to_owned(),
        Some(950) => "big5".to_owned(),
        Some(page) => format!("windows-{page}"),
        None => "windows-1252".to_owned(),
    };
    encoding_rs::Encoding::for_label(label.as_bytes()).unwrap_or(encoding_rs::WINDOWS_1252)
}

#[cfg(test)]
mod tests;
