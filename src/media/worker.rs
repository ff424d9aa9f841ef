//! Decoders run in a process of their own: one file comes in, one answer goes out.
//!
//! The child is this program, called by a hidden verb. It has the file as its standard input, a
//! pipe as its standard output and nothing else: before it reads a byte it gives up all ways to
//! open files, reach the network or start programs, and takes bounds on memory and time. The parent
//! bounds the time on the clock and the size of the answer, and reads the answer as strictly as a
//! stranger's bytes. A file that breaks its decoder costs its own preview and nothing else.

mod answer;
mod audible;
mod child;
mod films;
mod jail;
mod moments;
mod player;
mod stills;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::media::decoder::Way;
use crate::media::embedding::{Edit, are_sound};
use crate::media::facts::Facts;
use crate::media::format::Format;
use crate::media::light::Light;
use crate::media::pixels::Pixels;
use crate::media::{decoder, film};
pub use answer::{Answer, AnswerError};
pub use child::{is_request, serve};
pub use films::{FilmPrograms, FramePlan, Played};
pub use jail::Walls;

/// What is asked of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Facts.
    Facts,
    /// Facts, and what the pixels of each layer are.
    Layers,
    /// The picture as it is coded in the file.
    Coded,
    /// A picture with this longest side, in pixels.
    Picture { edge: u32 },
    /// The picture as numbers of light, with this longest side, in pixels.
    Light { edge: u32 },
    /// How to put a packet into the file, which has so many bytes of it behind its own end.
    Embed { packet: u64 },
    /// A picture of one layer alone, by its place in the list of facts.
    Layer { layer: usize, edge: u32 },
}

/// What a child may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Seconds on the clock.
    pub seconds: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of the answer.
    pub answer: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { seconds: 30, memory: 3 << 30, answer: 256 << 20 }
    }
}

/// Why a file gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The child could not be started.
    #[error("the decoder cannot be started: {0}")]
    Start(std::io::Error),
    /// It took too long.
    #[error("decoding took longer than {seconds} seconds")]
    TooLong { seconds: u64 },
    /// It ended without an answer: by a fault, or for want of memory.
    #[error("the decoder broke on this file ({how})")]
    Broke { how: String },
    /// It answered nonsense.
    #[error("the decoder's answer is not to be used: {0}")]
    Answer(#[from] AnswerError),
    /// It read the file and found fault with it.
    #[error("{reason}")]
    File { reason: String },
    /// The person asked to stop, and the decoder was ended.
    #[error("it was stopped")]
    Stopped,
    /// The programs that films are read with are missing.
    #[error(
        "this kind of file is looked at with ffmpeg and ffprobe, which are not installed here: install FFmpeg, then \
         ask again"
    )]
    NoFilmPrograms,
}

/// Starts decoders.
#[derive(Debug, Clone)]
pub struct Workers {
    program: PathBuf,
    limits: Limits,
    films: Option<FilmPrograms>,
    stop: fn() -> bool,
}

/// How long a decoder may go on after somebody asked to stop.
const STOP_EVERY: Duration = Duration::from_millis(50);

impl Workers {
    /// Decoders are run by `program`, which must be this program.
    pub fn new(program: PathBuf, limits: Limits) -> Self {
        Self { program, limits, films: None, stop: || false }
    }

    /// The same, ended as soon as `stop` says so: what was asked of them then fails with
    /// [`WorkerError::Stopped`].
    #[must_use]
    pub fn stopped_by(mut self, stop: fn() -> bool) -> Self {
        self.stop = stop;
        self
    }

    /// The same with less time for each file: at most so many seconds.
    #[must_use]
    pub fn within(&self, seconds: u64) -> Self {
        let mut hurried = self.clone();
        hurried.limits.seconds = hurried.limits.seconds.min(seconds);
        hurried
    }

    /// The facts of a file.
    pub fn facts(&self, file: File, format: &'static Format) -> Result<Facts, WorkerError> {
        self.told_somehow(Job::Facts, file, format)
    }

    /// Our own decoder tells where there is one; of films that it cannot make sense of, `ffprobe` does.
    fn told_somehow(&self, job: Job, file: File, format: &'static Format) -> Result<Facts, WorkerError> {
        if decoder::way_of_facts(format) == Way::Player {
            return self.probed(file, format);
        }
        if !film::is_film(format) || self.films.is_none() {
            return self.told(job, file, format);
        }
        let again = file.try_clone().map_err(WorkerError::Start)?;
        match self.told(job, file, format) {
            Ok(facts) if film::is_told(&facts) => Ok(facts),
            found => self.probed(again, format).or(found),
        }
    }

    /// The facts of a file, with what the pixels of each layer are: as dear as decoding all of it.
    pub fn layers(&self, file: File, format: &'static Format) -> Result<Facts, WorkerError> {
        self.told_somehow(Job::Layers, file, format)
    }

    fn told(&self, job: Job, file: File, format: &'static Format) -> Result<Facts, WorkerError> {
        match self.run(job, file, format)? {
            Answer::Facts(facts) => Ok(*facts),
            Answer::Fault(reason) => Err(WorkerError::File { reason }),
            _ => Err(AnswerError::Kind.into()),
        }
    }

    /// A picture of a file; `None` when its format has none to give.
    pub fn picture(
        &self,
        file: File,
        format: &'static Format,
        edge: u32,
    ) -> Result<Option<Pixels>, WorkerError> {
        match decoder::way_of_pictures(format) {
            Way::Player if film::is_film(format) => self.poster(file, format, edge).map(Some),
            Way::Player => self.still(file, format, edge).map(Some),
            Way::Decoder => self.drawn(Job::Picture { edge }, file, format),
        }
    }

    /// A picture of one layer alone, by its place in the list of facts, on a canvas as large as the
    /// document; `None` when it has no pixels.
    pub fn layer(
        &self,
        file: File,
        format: &'static Format,
        layer: usize,
        edge: u32,
    ) -> Result<Option<Pixels>, WorkerError> {
        self.drawn(Job::Layer { layer, edge }, file, format)
    }

    fn drawn(&self, job: Job, file: File, format: &'static Format) -> Result<Option<Pixels>, WorkerError> {
        match self.run(job, file, format)? {
            Answer::Picture(pixels) => Ok(Some(pixels)),
            Answer::NoPicture => Ok(None),
            Answer::Fault(reason) => Err(WorkerError::File { reason }),
            _ => Err(AnswerError::Kind.into()),
        }
    }

    /// A picture as numbers of light; `None` when its values do not go beyond white.
    pub fn light(
        &self,
        file: File,
        format: &'static Format,
        edge: u32,
    ) -> Result<Option<Light>, WorkerError> {
        match self.run(Job::Light { edge }, file, format)? {
            Answer::Light(light) => Ok(Some(light)),
            Answer::NoPicture => Ok(None),
            Answer::Fault(reason) => Err(WorkerError::File { reason }),
            _ => Err(AnswerError::Kind.into()),
        }
    }

    /// How to put an XMP packet into a file: `file` has so many bytes of the packet behind its own end, and the
    /// edits are of the file without them.
    pub fn embedding(
        &self,
        file: File,
        format: &'static Format,
        packet: u64,
    ) -> Result<Vec<Edit>, WorkerError> {
        let len = file.metadata().map_err(WorkerError::Start)?.len().saturating_sub(packet);
        match self.run(Job::Embed { packet }, file, format)? {
            Answer::Edits(edits) if are_sound(&edits, len) => Ok(edits),
            Answer::Fault(reason) => Err(WorkerError::File { reason }),
            _ => Err(AnswerError::Kind.into()),
        }
    }

    fn run(&self, job: Job, file: File, format: &'static Format) -> Result<Answer, WorkerError> {
        let mut command = Command::new(&self.program);
        command.arg(child::VERB).arg(format.id).arg(self.limits.memory.to_string());
        command.arg(self.limits.seconds.to_string());
        match job {
            Job::Facts => command.arg("facts"),
            Job::Layers => command.arg("layers"),
            Job::Coded => command.arg("coded"),
            Job::Picture { edge } => command.arg("picture").arg(edge.to_string()),
            Job::Embed { packet } => command.arg("embed").arg(packet.to_string()),
            Job::Light { edge } => command.arg("light").arg(edge.to_string()),
            Job::Layer { layer, edge } => command.arg("layer").arg(layer.to_string()).arg(edge.to_string()),
        };
        // No variable of the environment reaches it, so that nothing secret does.
        command.env_clear().stdin(file).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(WorkerError::Start)?;
        let answer = self.listen(&mut child, self.limits.answer);
        if answer.is_err() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(WorkerError::Start)?;
        let bytes = answer?;
        if bytes.is_empty() {
            if (self.stop)() {
                return Err(WorkerError::Stopped);
            }
            return Err(WorkerError::Broke { how: status.to_string() });
        }
        Ok(Answer::decode(&bytes)?)
    }

    /// Reads what the child says until it ends, time runs out or it says too much.
    fn listen(&self, child: &mut Child, most: u64) -> Result<Vec<u8>, WorkerError> {
        let pipe = child.stdout.take().ok_or_else(|| WorkerError::Broke { how: "no pipe".into() })?;
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = pipe.take(most + 1).read_to_end(&mut bytes);
            // The listener may have gone away for lack of time.
            let _ = sender.send(read.map(|_| bytes));
        });
        let deadline = Instant::now() + Duration::from_secs(self.limits.seconds);
        let end = |child: &mut Child, reader: std::thread::JoinHandle<()>, why| {
            let _ = child.kill();
            let _ = reader.join();
            Err(why)
        };
        let bytes = loop {
            if (self.stop)() {
                return end(child, reader, WorkerError::Stopped);
            }
            match receiver.recv_deadline(deadline.min(Instant::now() + STOP_EVERY)) {
                Ok(Ok(bytes)) => break bytes,
                // A key that ends this program ends its decoders with it.
                Ok(Err(error)) => return Err(WorkerError::Broke { how: error.to_string() }),
                Err(_) if Instant::now() < deadline => {}
                Err(_) => {
                    return end(child, reader, WorkerError::TooLong { seconds: self.limits.seconds });
                }
            }
        };
        let _ = reader.join();
        if bytes.len() as u64 > most { Err(AnswerError::TooLong.into()) } else { Ok(bytes) }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::atomic::{AtomicBool, Ordering};

    static STOP: AtomicBool = AtomicBool::new(false);

    #[test]
    fn who_asks_to_stop_does_not_wait_for_a_decoder() {
        let folder = tempfile::tempdir().expect("a folder");
        let slow = folder.path().join("slow");
        std::fs::write(&slow, "#!/bin/sh\nexec sleep 20\n").expect("written");
        std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o755)).expect("made executable");
        let workers =
            Workers::new(slow.clone(), Limits::default()).stopped_by(|| STOP.load(Ordering::Relaxed));
        let begun = Instant::now();
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            STOP.store(true, Ordering::Relaxed);
        });
        let answer = workers.facts(File::open(&slow).expect("a file"), &crate::media::format::PNG);
        assert!(matches!(answer, Err(WorkerError::Stopped)), "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}
