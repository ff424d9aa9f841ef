//! Pictures on a terminal: as pixels where it says that it shows them, else with coloured characters.

use crate::cli::environment::TerminalWords;
use crate::cli::output::Page;
use crate::media::decoder::DecodeError;
use crate::media::pixels::Pixels;
use base64ct::{Base64, Encoding as _};
use std::fmt::Write as _;
use std::io;

/// Longest side of a picture of pixels.
const PIXELS_EDGE: u32 = 640;
/// Longest side of a picture of characters; two pixels stand above each other in one.
const BLOCKS_EDGE: u32 = 72;
/// Most bytes of one command of kitty's protocol.
const KITTY_CHUNK: usize = 4096;
/// Colours of a sixel picture.
const SIXEL_COLOURS: usize = 256;

/// How a terminal is given a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// Kitty's graphics protocol: kitty, Ghostty, WezTerm, Konsole.
    Kitty,
    /// The inline images of iTerm2.
    Iterm,
    /// Sixel graphics of DEC: foot, mlterm, contour, xterm where it is built so.
    Sixel,
    /// Half blocks in colours: any terminal.
    Blocks,
}

impl Protocol {
    /// What a terminal shows, by what it says of itself. It is not asked: that would need an answer.
    pub fn of(terminal: &TerminalWords) -> Self {
        let term = |part: &str| terminal.term.contains(part);
        let program = |name: &str| terminal.program.eq_ignore_ascii_case(name);
        if terminal.multiplexed {
            Self::Blocks
        } else if terminal.kitty
            || term("kitty")
            || term("ghostty")
            || program("ghostty")
            || program("WezTerm")
        {
            Self::Kitty
        } else if program("iTerm.app") || program("mintty") {
            Self::Iterm
        } else if term("foot") || term("mlterm") || term("contour") || term("sixel") {
            Self::Sixel
        } else {
            Self::Blocks
        }
    }

    /// The longest side that a picture may have there, in pixels.
    pub const fn edge(self) -> u32 {
        match self {
            Self::Blocks => BLOCKS_EDGE,
            Self::Kitty | Self::Iterm | Self::Sixel => PIXELS_EDGE,
        }
    }

    /// Draws a picture.
    pub fn draw(self, page: &mut Page<'_>, pixels: &Pixels) -> io::Result<()> {
        match self {
            Self::Kitty => page.line(kitty(&png(pixels)?)),
            Self::Iterm => page.line(iterm(&png(pixels)?)),
            Self::Sixel => page.line(sixel(pixels)),
            Self::Blocks => blocks(page, pixels),
        }
    }
}

fn png(pixels: &Pixels) -> io::Result<Vec<u8>> {
    pixels.png().map_err(|error: DecodeError| io::Error::other(error.to_string()))
}

/// Source: "Terminal graphics protocol", kitty's documentation: PNG data (`f=100`), sent and shown at
/// once (`a=T`), no answer wanted (`q=2`), in pieces of which all but the last say `m=1`.
fn kitty(png: &[u8]) -> String {
    let data = Base64::encode_string(png);
    let mut text = String::with_capacity(data.len() + data.len() / 64 + 32);
    let count = data.len().div_ceil(KITTY_CHUNK);
    for (number, part) in data.as_bytes().chunks(KITTY_CHUNK).enumerate() {
        let head = if number == 0 { "a=T,f=100,q=2," } else { "" };
        let more = u8::from(number + 1 < count);
        // Writing to a string does not fail; Base64 is text.
        let _ = write!(text, "\x1b_G{head}m={more};{}\x1b\\", String::from_utf8_lossy(part));
    }
    text
}

/// Source: "Inline Images Protocol", iTerm2's documentation.
fn iterm(png: &[u8]) -> String {
    format!("\x1b]1337;File=inline=1;size={}:{}\x07", png.len(), Base64::encode_string(png))
}

/// Source: DEC, "VT330/VT340 Programmer Reference Manual", volume 2, chapter 14: six rows at a time,
/// each colour of its palette after the other, runs shortened with `!`.
fn sixel(pixels: &Pixels) -> String {
    let opaque: Vec<u8> =
        pixels.bytes.chunks_exact(4).filter(|pixel| pixel[3] >= 128).flatten().copied().collect();
    let palette =
        color_quant::NeuQuant::new(10, SIXEL_COLOURS, if opaque.is_empty() { &[0; 4] } else { &opaque });
    let numbers: Vec<Option<usize>> = pixels
        .bytes
        .chunks_exact(4)
        .map(|pixel| (pixel[3] >= 128).then(|| palette.index_of(pixel)))
        .collect();
    let mut text = format!("\x1bP0;1;0q\"1;1;{};{}", pixels.width, pixels.height);
    for (number, colour) in palette.color_map_rgb().chunks_exact(3).enumerate() {
        let [red, green, blue] = [0, 1, 2].map(|channel| u32::from(colour[channel]) * 100 / 255);
        let _ = write!(text, "#{number};2;{red};{green};{blue}");
    }
    let width = pixels.width as usize;
    for band in numbers.chunks(width * 6) {
        let mut used: Vec<usize> = band.iter().flatten().copied().collect();
        used.sort_unstable();
        used.dedup();
        for number in used {
            let _ = write!(text, "#{number}");
            let column = |x: usize| {
                (0..6)
                    .filter(|row| band.get(row * width + x) == Some(&Some(number)))
                    .map(|row| 1u8 << row)
                    .sum::<u8>()
            };
            let mut x = 0;
            while x < width {
                let bits = column(x);
                let run = (x..width).take_while(|next| column(*next) == bits).count();
                let letter = char::from(63 + bits);
                let _ = if run > 3 {
                    write!(text, "!{run}{letter}")
                } else {
                    write!(text, "{}", letter.to_string().repeat(run))
                };
                x += run;
            }
            text.push('$');
        }
        text.push('-');
    }
    text.push_str("\x1b\\");
    text
}

/// Half blocks: the upper pixel in the colour of the text, the lower one behind it.
fn blocks(page: &mut Page<'_>, pixels: &Pixels) -> io::Result<()> {
    let at = |x: u32, y: u32| -> Option<[u8; 3]> {
        let from = (y as usize * pixels.width as usize + x as usize) * 4;
        let pixel = pixels.bytes.get(from..from + 4)?;
        (pixel[3] >= 128).then_some([pixel[0], pixel[1], pixel[2]])
    };
    for y in (0..pixels.height).step_by(2) {
        let mut line = String::new();
        for x in 0..pixels.width {
            let lower = if y + 1 < pixels.height { at(x, y + 1) } else { None };
            // Writing to a string does not fail.
            let _ = match (at(x, y), lower) {
                (Some([r, g, b]), Some([lr, lg, lb])) => {
                    write!(line, "\x1b[38;2;{r};{g};{b};48;2;{lr};{lg};{lb}m▀")
                }
                (Some([r, g, b]), None) => write!(line, "\x1b[0;38;2;{r};{g};{b}m▀"),
                (None, Some([r, g, b])) => write!(line, "\x1b[0;38;2;{r};{g};{b}m▄"),
                (None, None) => write!(line, "\x1b[0m "),
            };
        }
        page.line(format_args!("{line}\x1b[0m"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(term: &str, program: &str) -> TerminalWords {
        TerminalWords { term: term.into(), program: program.into(), ..TerminalWords::default() }
    }

    #[test]
    fn terminals_are_known_by_what_they_say() {
        for (term, program, wanted) in [
            ("xterm-kitty", "", Protocol::Kitty),
            ("xterm-256color", "WezTerm", Protocol::Kitty),
            ("xterm-ghostty", "ghostty", Protocol::Kitty),
            ("xterm-256color", "iTerm.app", Protocol::Iterm),
            ("foot", "", Protocol::Sixel),
            ("xterm-256color", "", Protocol::Blocks),
        ] {
            assert_eq!(Protocol::of(&words(term, program)), wanted, "{term} {program}");
        }
        let inside = TerminalWords { multiplexed: true, ..words("xterm-kitty", "") };
        assert_eq!(Protocol::of(&inside), Protocol::Blocks);
    }

    /// What a sixel text draws, by a reader of its own.
    fn read_sixel(text: &str, width: usize, height: usize) -> Vec<Option<usize>> {
        let body = text.split_once('q').expect("the beginning").1;
        let body = body.strip_suffix("\x1b\\").expect("the end");
        let body = body.split_once('#').expect("colours").1;
        let (mut pixels, mut x, mut y, mut colour) = (vec![None; width * height], 0, 0, 0);
        let mut rest = format!("#{body}");
        while let Some(first) = rest.chars().next() {
            rest.remove(0);
            let number = |rest: &mut String| -> usize {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                rest.drain(..end).collect::<String>().parse().expect("a number")
            };
            let mut run = 1;
            let mut letter = first;
            match first {
                '#' => {
                    colour = number(&mut rest);
                    if rest.starts_with(';') {
                        let end = rest.find(['#', '!', '?']).unwrap_or(rest.len());
                        rest.drain(..end);
                    }
                    continue;
                }
                '$' => x = 0,
                '-' => (x, y) = (0, y + 6),
                '!' => {
                    run = number(&mut rest);
                    letter = rest.remove(0);
                }
                _ => {}
            }
            if !matches!(first, '$' | '-') {
                let bits = letter as u8 - 63;
                for _ in 0..run {
                    for row in (0..6).filter(|row| bits >> row & 1 == 1) {
                        pixels[(y + row) * width + x] = Some(colour);
                    }
                    x += 1;
                }
            }
        }
        pixels
    }

    #[test]
    fn a_sixel_picture_has_every_pixel_once() {
        let (width, height) = (9u32, 14u32);
        let bytes: Vec<u8> = (0..width * height)
            .flat_map(|at| {
                if at % 5 == 0 { [0, 0, 0, 0] } else { [(at % 3 * 100) as u8, 50, (at % 2 * 200) as u8, 255] }
            })
            .collect();
        let pixels = Pixels::new(width, height, bytes).expect("pixels");
        let read = read_sixel(&sixel(&pixels), width as usize, height as usize);
        for (at, (read, pixel)) in read.iter().zip(pixels.bytes.chunks_exact(4)).enumerate() {
            assert_eq!(read.is_some(), pixel[3] >= 128, "{at}");
        }
    }

    #[test]
    fn the_protocols_of_pixels_carry_the_whole_file() {
        let pixels =
            Pixels::new(90, 90, (0..90 * 90 * 4u32).map(|at| ((at * 7919) >> 3) as u8 | 3).collect())
                .expect("pixels");
        let file = pixels.png().expect("a file");
        let text = kitty(&file);
        let data: String = text
            .split("\x1b_G")
            .skip(1)
            .filter_map(|part| Some(part.split_once(';')?.1.trim_end_matches("\x1b\\")))
            .collect();
        assert_eq!(Base64::decode_vec(&data).expect("Base64"), file);
        assert!(text.matches("\x1b_G").count() > 1 && text.matches("m=0").count() == 1, "in pieces");
        let text = iterm(&file);
        let data = text.split_once(':').expect("data").1.trim_end_matches('\x07');
        assert_eq!(Base64::decode_vec(data).expect("Base64"), file);
    }
}
