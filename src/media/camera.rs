//! Raw pictures of cameras: what the camera wrote beside the raw pixels, and the JPEG picture that it put in to
//! be looked at. The raw pixels themselves are not developed.
//!
//! Most are TIFF structures (CR2, NEF, ARW, DNG, ORF, RW2, PEF, SRW). CR3 is a file of boxes, RAF Fujifilm's own:
//! both hold such structures.

use std::io::{self, Cursor};

use crate::media::boxes::{Part, body, parts};
use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::embedded::{self, Packets};
use crate::media::facts::{Facts, Picture};
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::jpeg_inside;

/// The box in which Canon keeps its structures (CR3).
const CANON: [u8; 16] = *b"\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48";
/// Most directories that are walked for the size of the raw picture, and most entries of one.
const DIRECTORIES_MAX: usize = 32;
const ENTRIES_MAX: u64 = 4096;
/// Longest side that is believed, in pixels.
const SIDE_MAX: u64 = 100_000;

/// Raw pictures.
pub struct Camera;

impl Decoder for Camera {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::RAW]
    }

    fn facts(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done {
        let inside = jpeg_inside::largest(input)?;
        let mut size = sizes(input)?;
        let packets = embedded::find(input, format)?;
        let has_own = packets.exif.is_some();
        embedded::add(packets, facts);
        for structure in canon_structures(input)? {
            let mut packets = Packets::default();
            packets.add_exif(&structure)?;
            embedded::add(packets, facts);
            let mut source = Cursor::new(structure);
            size = larger(size, sizes(&mut Input::new(&mut source)?)?);
        }
        if let (false, Some(inside)) = (has_own, inside) {
            // What such a file has of fields stands in the picture inside.
            let bytes = jpeg_inside::bytes(input, inside)?;
            let mut source = Cursor::new(bytes);
            embedded::add(embedded::find(&mut Input::new(&mut source)?, &format::JPEG)?, facts);
        }
        let orientation = orientation(facts);
        let size = larger(size, inside.map(|it| (u64::from(it.width), u64::from(it.height))));
        facts.picture = size.map(|(width, height)| {
            let (width, height) =
                if orientation.is_some_and(|it| it >= 5) { (height, width) } else { (width, height) };
            Picture { width, height, orientation, ..Picture::default() }
        });
        match inside {
            Some(inside) => {
                facts.add_field("raw", "Preview", &format!("{} × {}", inside.width, inside.height));
            }
            None => facts.note("the camera put no picture in it to be looked at"),
        }
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, format: &'static Format, wanted: Wanted) -> Shown {
        let Some(inside) = jpeg_inside::largest(input)? else {
            return Err(DecodeError::Unsupported(
                "the camera put no picture in it to be looked at".to_owned(),
            ));
        };
        let mut facts = Facts::default();
        self.facts(input, format, &mut facts)?;
        let bytes = jpeg_inside::bytes(input, inside)?;
        jpeg_inside::decode(&bytes, wanted.edge, orientation(&facts)).map(Some)
    }
}

/// How it was held, as the fields say; `None` when it stands as it is.
fn orientation(facts: &Facts) -> Option<u8> {
    let field = facts.embedded.iter().find(|field| field.group == "exif" && field.name == "Orientation")?;
    field.number.map(|number| number as u8).filter(|number| (2..=8).contains(number))
}

type Size = Option<(u64, u64)>;

fn larger(one: Size, other: Size) -> Size {
    let pixels = |size: &(u64, u64)| size.0 * size.1;
    one.into_iter().chain(other).max_by_key(pixels)
}

/// The structures that stand in Canon's box of a CR3 file, within `moov`.
fn canon_structures(input: &mut Input<'_>) -> io::Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    if input.read_at(4, 4)? != b"ftyp" {
        return Ok(found);
    }
    let end = input.len();
    let Some(movie) = parts(input, 0..end)?.into_iter().find(|part| part.kind == *b"moov") else {
        return Ok(found);
    };
    for part in parts(input, movie.body)?.into_iter().filter(|part| part.kind == *b"uuid") {
        if input.read_at(part.body.start, 16)? == CANON {
            let inner = (part.body.start + 16).min(part.body.end)..part.body.end;
            let wanted = |part: &Part| matches!(&part.kind, b"CMT1" | b"CMT2" | b"CMT4");
            for part in parts(input, inner)?.into_iter().filter(wanted) {
                found.push(body(input, &part)?);
            }
        }
    }
    Ok(found)
}

/// The largest picture that the directories of a TIFF structure tell of, and those that hang on them.
fn sizes(input: &mut Input<'_>) -> io::Result<Size> {
    let head = input.read_at(0, 8)?;
    let Some(order) = Order::of(&head) else { return Ok(None) };
    let mut open = vec![order.number(head.get(4..8).unwrap_or_default())];
    let (mut seen, mut largest) = (Vec::new(), None);
    while let Some(at) = open.pop() {
        if at == 0 || seen.contains(&at) || seen.len() >= DIRECTORIES_MAX {
            continue;
        }
        seen.push(at);
        let count = order.number(&input.read_at(at, 2)?).min(ENTRIES_MAX);
        let table = input.read_at(at + 2, count as usize * 12 + 4)?;
        let (mut width, mut height) = (0, 0);
        for entry in table.chunks_exact(12).take(count as usize) {
            let (tag, kind, many) =
                (order.number(&entry[..2]), order.number(&entry[2..4]), order.number(&entry[4..8]));
            let short = kind == 3;
            let value = order.number(if short { &entry[8..10] } else { &entry[8..12] });
            match tag {
                0x100 | 2 if many == 1 => width = value,
                0x101 | 3 if many == 1 => height = value,
                0x14a if many == 1 => open.push(value),
                0x14a => {
                    let list = input.read_at(value, (many.min(16) * 4) as usize)?;
                    open.extend(list.chunks_exact(4).map(|it| order.number(it)));
                }
                // The fields of EXIF say how large the picture is, too.
                0x8769 => open.push(value),
                0xa002 if many == 1 => width = value,
                0xa003 if many == 1 => height = value,
                _ => {}
            }
        }
        if (1..=SIDE_MAX).contains(&width) && (1..=SIDE_MAX).contains(&height) {
            largest = larger(largest, Some((width, height)));
        }
        open.extend(table.get(count as usize * 12..).map(|it| order.number(it)));
    }
    Ok(largest)
}

/// How numbers are written.
#[derive(Clone, Copy)]
struct Order {
    big_endian: bool,
}

impl Order {
    fn of(head: &[u8]) -> Option<Self> {
        match head.get(..2)? {
            b"II" => Some(Self { big_endian: false }),
            b"MM" => Some(Self { big_endian: true }),
            _ => None,
        }
    }

    /// A number of at most eight bytes.
    fn number(self, bytes: &[u8]) -> u64 {
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }
}
