//! The sound of films, out of `ffmpeg` in its closed process: samples that are measured here.

use std::fs::File;
use std::ops::ControlFlow;

use super::films::{demuxer, watch};
use super::player::{FILM, PROTOCOLS};
use super::{WorkerError, Workers};
use crate::media::facts::Sound;
use crate::media::format::Format;
use crate::media::sound::Listener;

/// Samples a second, and channels, that the sound of every film is brought to.
const RATE: u32 = 48_000;
const CHANNELS: usize = 2;
/// Bytes of one sample.
const SAMPLE_BYTES: usize = 4;
/// Frames that are read at once: a fifth of a second.
const FRAMES: usize = RATE as usize / 5;

impl Workers {
    /// What the first sound track of a film sounds like, in at most so many seconds on the clock; `None` when
    /// there is none that can be heard. A film that is not heard to its end is no film to compare by it.
    pub fn film_sound(
        &self,
        file: File,
        format: &'static Format,
        seconds: u64,
    ) -> Result<Option<Sound>, WorkerError> {
        let program = &self.film_programs()?.ffmpeg;
        let demuxer = demuxer(format)?;
        let mut child = self.player(program, file, seconds, |command| {
            command.args(["-nostdin", "-v", "quiet", "-threads", "2", "-protocol_whitelist", PROTOCOLS]);
            command.args(demuxer).args(["-i", FILM, "-map", "0:a:0", "-vn", "-sn", "-dn"]);
            command.args(["-ac", &CHANNELS.to_string(), "-ar", &RATE.to_string(), "-f", "f32le", "pipe:1"]);
        })?;
        let mut listener = Listener::default();
        let mut samples = Vec::with_capacity(FRAMES * CHANNELS);
        let length = FRAMES * CHANNELS * SAMPLE_BYTES;
        let played = watch(&mut child, (length, true), (seconds, u64::MAX), self.stop, &mut |bytes| {
            samples.clear();
            let (frames, _) = bytes.as_chunks::<{ SAMPLE_BYTES * CHANNELS }>();
            let values = frames.iter().flat_map(|frame| frame.as_chunks::<SAMPLE_BYTES>().0);
            samples.extend(values.map(|value| f32::from_le_bytes(*value)));
            listener.hear(&mut samples, CHANNELS, RATE);
            ControlFlow::Continue(())
        });
        let _ = child.kill();
        let _ = child.wait();
        Ok(if played?.whole { listener.finish() } else { None })
    }
}
