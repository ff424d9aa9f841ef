//! The parent's side of still pictures that are coded as film is: one closed child reads the container and says what
//! is coded in it, another one becomes `ffmpeg`, which is given that through a pipe and nothing else.
//!
//! So what the program decodes does not depend on which containers its version knows. It is not asked to guess first:
//! for that it decodes a picture once to learn what it is, and then once more.

use std::fs::File;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::process::Stdio;

use super::films::{FRAME_BYTES_MAX, SCALED, watch};
use super::{Answer, AnswerError, Job, WorkerError, Workers};
use crate::media::film::sheet::{pixels, size_within};
use crate::media::format::Format;
use crate::media::pixels::Pixels;
use crate::media::still::coded::{Codec, Coded};

/// How much larger than wanted a picture is at least made, where it is so large: what is left is done by the filter
/// that all pictures are made smaller with, so that they look alike.
const SPARE: u32 = 2;
/// Tiles are made smaller by 2 to this power at most, each for itself.
const HALVED_MAX: u32 = 6;

impl Workers {
    /// A still picture, at most `edge` pixels wide and high.
    pub(super) fn still(
        &self,
        file: File,
        format: &'static Format,
        edge: u32,
    ) -> Result<Pixels, WorkerError> {
        self.film_programs()?;
        let again = file.try_clone().map_err(WorkerError::Start)?;
        match self.run(Job::Coded, again, format)? {
            Answer::Coded(coded) => {
                // A version of the program that is too old for that is asked in the slower way.
                let shown = match self.shown(&coded, edge, &["-nofind_stream_info"])? {
                    None => self.shown(&coded, edge, &[])?,
                    shown => shown,
                };
                let fault = || WorkerError::File { reason: "its picture cannot be decoded".to_owned() };
                shown.ok_or_else(fault)
            }
            // Of a form that only moves, or of one that is not taken apart here.
            Answer::NoPicture => self.poster(file, format, edge),
            Answer::Fault(reason) => Err(WorkerError::File { reason }),
            _ => Err(AnswerError::Kind.into()),
        }
    }

    /// `None` when nothing comes of it.
    fn shown(&self, coded: &Coded, edge: u32, hurry: &[&str]) -> Result<Option<Pixels>, WorkerError> {
        let program = &self.film_programs()?.ffmpeg;
        let fault = |reason: String| WorkerError::File { reason };
        let Some((filters, size)) = plan(coded, edge) else {
            return Err(fault("the picture has no size that can be drawn".to_owned()));
        };
        let seconds = self.limits.seconds;
        let mut child = self.started(program, Stdio::piped(), seconds, |command| {
            command.args(["-nostdin", "-v", "quiet", "-threads", "2", "-protocol_whitelist", "pipe"]);
            command.args(["-f", if coded.codec == Codec::Av1 { "ivf" } else { "hevc" }]);
            command.args(hurry).args(["-i", "pipe:0", "-map", "0:v:0", "-vf", &filters]);
            command.args(["-frames:v", "1", "-f", "rawvideo", "pipe:1"]);
        })?;
        let pipe = child.stdin.take();
        let mut found = None;
        let played = std::thread::scope(|scope| {
            // Who needs no more of it closes the pipe, and who is ended does.
            scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(&coded.stream)));
            let length = size.0 as usize * size.1 as usize * 3;
            let played = watch(&mut child, (length, false), (seconds, 1), self.stop, &mut |frame| {
                found = pixels(size, frame).ok();
                ControlFlow::Break(())
            });
            let _ = child.kill();
            played
        });
        let _ = child.wait();
        played?;
        let Some(pixels) = found else { return Ok(None) };
        let (width, height) = size_within(wide(coded.size), edge)
            .ok_or_else(|| fault("the picture has no size that can be drawn".to_owned()))?;
        let small = pixels.resized(width, height).and_then(|small| small.turned(coded.orientation));
        small.map(Some).map_err(|error| fault(error.to_string()))
    }
}

fn wide((width, height): (u32, u32)) -> (u64, u64) {
    (width.into(), height.into())
}

/// What is done to the tiles, and the size of what comes of it: larger than what is wanted, where there is more.
fn plan(coded: &Coded, edge: u32) -> Option<(String, (u32, u32))> {
    let wanted = edge.saturating_mul(SPARE);
    // What is said beside the picture holds; what nothing is said of is taken as the frames say.
    let (mut scale, mut end) = (String::from("scale="), format!(":flags={SCALED}"));
    if let Some(colours) = coded.colours {
        end.push_str(if colours.is_full { ":in_range=pc" } else { ":in_range=tv" });
        match colours.matrix {
            1 => end.push_str(":in_color_matrix=bt709"),
            5 | 6 => end.push_str(":in_color_matrix=bt601"),
            9 | 10 => end.push_str(":in_color_matrix=bt2020"),
            _ => {}
        }
    }
    end.push_str(",format=rgb24");
    let size = if coded.grid == (1, 1) && coded.tile == coded.size {
        let size = size_within(wide(coded.size), wanted)?;
        scale.push_str(&format!("{}:{}", size.0, size.1));
        size
    } else {
        let longest = coded.size.0.max(coded.size.1);
        let halved = (0..=HALVED_MAX).rev().find(|halved| {
            let part = 1u32 << halved;
            coded.tile.0.is_multiple_of(part) && coded.tile.1.is_multiple_of(part) && longest / part >= wanted
        });
        // Each tile for itself, so that nothing of it reaches into another.
        let part = 1u32 << halved.unwrap_or(0);
        let size = (coded.size.0.div_ceil(part), coded.size.1.div_ceil(part));
        scale.push_str(&format!("{}:{}", coded.tile.0 / part, coded.tile.1 / part));
        let (columns, rows) = coded.grid;
        end.push_str(&format!(
            ",tile={columns}x{rows}:nb_frames={},crop={}:{}:0:0",
            columns * rows,
            size.0,
            size.1
        ));
        size
    };
    let bytes = u64::from(size.0) * u64::from(size.1) * 3;
    (bytes <= FRAME_BYTES_MAX).then(|| (scale + &end, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tile: (u32, u32), grid: (u32, u32), size: (u32, u32)) -> Coded {
        Coded { codec: Codec::H265, tile, grid, size, orientation: 1, colours: None, stream: vec![1] }
    }

    #[test]
    fn tiles_are_halved_as_often_as_they_can_be() {
        let (filters, size) = plan(&of((512, 512), (8, 6), (4032, 3024)), 256).expect("a plan");
        assert_eq!(size, (1008, 756));
        assert_eq!(
            filters,
            "scale=128:128:flags=area+accurate_rnd+full_chroma_int,format=rgb24,\
             tile=8x6:nb_frames=48,crop=1008:756:0:0"
        );
        let (_, size) = plan(&of((512, 512), (8, 6), (4032, 3024)), 4096).expect("a plan");
        assert_eq!(size, (4032, 3024));
        let (filters, size) = plan(&of((500, 334), (2, 2), (999, 667)), 64).expect("a plan");
        assert_eq!(size, (500, 334));
        assert!(filters.contains("scale=250:167:"), "{filters}");
        let (filters, size) = plan(&of((3000, 2000), (1, 1), (3000, 2000)), 256).expect("a plan");
        assert!(filters.starts_with("scale=512:341:") && size == (512, 341), "{filters}");
    }
}
