//! Frames out of the whole length of a film, by which it is recognised.

use std::fs::File;
use std::ops::ControlFlow;

use super::films::{demuxer, size_of, watch};
use super::player::{FILM, PROTOCOLS};
use super::{WorkerError, Workers};
use crate::media::film::sheet::pixels;
use crate::media::format::Format;
use crate::media::pixels::Pixels;

/// Most frames that are taken of one film.
const MOMENTS_MAX: u64 = 64;
/// Most of them a second.
const A_SECOND: f64 = 2.0;
/// Longest film of which every frame is decoded, in seconds; of a longer one only those from which the others
/// follow, which is where scenes begin.
const WHOLE_SECONDS_MAX: f64 = 60.0;

impl Workers {
    /// Some frames, evenly over the length of a film, at most `edge` pixels wide and high; at least two a second
    /// of a short film. What is not reached in time is left out.
    pub fn moments(
        &self,
        file: File,
        format: &'static Format,
        edge: u32,
    ) -> Result<Vec<Pixels>, WorkerError> {
        let program = &self.film_programs()?.ffmpeg;
        let demuxer = demuxer(format)?;
        let facts = self.facts(file.try_clone().map_err(WorkerError::Start)?, format)?;
        let seconds = facts.timing.as_ref().map_or(0.0, |timing| timing.seconds).clamp(0.0, 1e7);
        let turn = facts.picture.as_ref().and_then(|picture| picture.orientation).unwrap_or(1);
        let (width, height) = size_of(&facts, edge)?;
        let size = if turn >= 5 { (height, width) } else { (width, height) };
        let step = (seconds / MOMENTS_MAX as f64).max(1.0 / A_SECOND);
        let is_whole = seconds <= WHOLE_SECONDS_MAX;
        let mut child = self.player(program, file, self.limits.seconds, |command| {
            command.args(["-nostdin", "-v", "quiet", "-threads", "2", "-protocol_whitelist", PROTOCOLS]);
            command.args(demuxer);
            if !is_whole {
                command.args(["-skip_frame", "nokey"]);
            }
            command.args(["-i", FILM, "-map", "0:V:0", "-an", "-sn", "-dn"]);
            command.args(["-vf", &filters(step, size)]);
            command.args(["-frames:v", &MOMENTS_MAX.to_string(), "-f", "rawvideo", "pipe:1"]);
        })?;
        let mut frames = Vec::new();
        let length = size.0 as usize * size.1 as usize * 3;
        let bounds = (self.limits.seconds, MOMENTS_MAX);
        let played = watch(&mut child, (length, false), bounds, self.stop, &mut |frame| {
            let frame = pixels(size, frame).and_then(|frame| frame.turned(turn));
            frames.extend(frame.ok());
            ControlFlow::Continue(())
        });
        let _ = child.kill();
        let _ = child.wait();
        played.map(|_| frames)
    }
}

/// The first frame, and each that lies a step behind the one that was taken last; made small, and numbered anew
/// so that no gap between them is filled.
fn filters(step: f64, (width, height): (u32, u32)) -> String {
    format!(
        "select='isnan(prev_selected_t)+gte(t-prev_selected_t,{step:.6})',\
         settb=1/25,setpts=N,fps=25,\
         scale={width}:{height}:flags=area+accurate_rnd+full_chroma_int,format=rgb24"
    )
}
