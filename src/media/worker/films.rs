//! The parent's side of films: what `ffprobe` says of one, and frames out of `ffmpeg`, both as closed in
//! as a decoder is (`player`), with bounds on time and on what is read of them.

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::player::{FILM, PROTOCOLS, VERB};
use super::{WorkerError, Workers};
use crate::media::facts::Facts;
use crate::media::film::probe;
use crate::media::film::sheet::{self, SHEET_FRAMES};
use crate::media::format::Format;
use crate::media::pixels::Pixels;

/// Longest answer of `ffprobe`, in bytes.
const PROBED_MAX: u64 = 8 << 20;
/// Frames that are read ahead of who looks at them.
const AHEAD: usize = 3;
/// Most bytes of one frame.
pub(super) const FRAME_BYTES_MAX: u64 = 1 << 30;
/// How frames are made small.
pub(super) const SCALED: &str = "area+accurate_rnd+full_chroma_int";
/// The part of a film that lies before the frame that stands for it, and how long that may be, in seconds.
const POSTER_AT: (f64, f64) = (0.1, 30.0);

/// The programs that films are read with.
#[derive(Debug, Clone)]
pub struct FilmPrograms {
    pub(super) ffmpeg: PathBuf,
    ffprobe: PathBuf,
}

impl FilmPrograms {
    /// Finds both in folders, of which only those with an absolute path count: what lies in the folder that
    /// somebody works in is never started.
    pub fn find(folders: impl Iterator<Item = PathBuf>) -> Option<Self> {
        let folders: Vec<PathBuf> = folders.filter(|folder| folder.is_absolute()).collect();
        let named = |name: &str| {
            let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
            folders.iter().map(|folder| folder.join(&name)).find(|path| path.is_file())
        };
        Some(Self { ffmpeg: named("ffmpeg")?, ffprobe: named("ffprobe")? })
    }
}

/// Frames that are wanted of a film.
#[derive(Debug, Clone)]
pub struct FramePlan {
    /// Pixels across and down of each.
    pub size: (u32, u32),
    /// Frames a second that time is cut into; as the film has them when `None`.
    pub rate: Option<f64>,
    /// Which of them, by their numbers from 0, ascending; all when `None`.
    pub numbers: Option<Vec<u64>>,
    /// Where to begin, in seconds.
    pub start: f64,
    /// At most so many.
    pub most: u64,
    /// At most so many seconds on the clock.
    pub seconds: u64,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    /// Frames that came.
    pub frames: u64,
    /// Whether it ended by itself, neither for want of time nor because nobody wanted more.
    pub whole: bool,
}

impl Workers {
    /// Films are read with these programs; without them they say that they are missing.
    #[must_use]
    pub fn with_films(mut self, programs: Option<FilmPrograms>) -> Self {
        self.films = programs;
        self
    }

    /// Whether the programs are there that films are read with.
    pub fn has_film_programs(&self) -> bool {
        self.films.is_some()
    }

    pub(super) fn film_programs(&self) -> Result<&FilmPrograms, WorkerError> {
        self.films.as_ref().ok_or(WorkerError::NoFilmPrograms)
    }

    /// What `ffprobe` says of a film.
    pub(super) fn probed(&self, file: File, format: &'static Format) -> Result<Facts, WorkerError> {
        let program = &self.film_programs()?.ffprobe;
        let demuxer = demuxer(format)?;
        let mut child = self.player(program, file, self.limits.seconds, |command| {
            command.args(["-v", "quiet", "-of", "json", "-show_format", "-show_streams"]);
            command.args(["-protocol_whitelist", PROTOCOLS]);
            command.args(demuxer).args(["-i", FILM]);
        })?;
        let answer = self.listen(&mut child, PROBED_MAX);
        let _ = child.kill();
        let _ = child.wait();
        probe::facts(&answer?, format).map_err(|reason| WorkerError::File { reason })
    }

    /// Frames of a film, one after the other as red, green and blue in three bytes a pixel, until `each` breaks off.
    pub fn frames(
        &self,
        file: File,
        format: &'static Format,
        plan: &FramePlan,
        each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<Played, WorkerError> {
        let program = &self.film_programs()?.ffmpeg;
        let demuxer = demuxer(format)?;
        let length = u64::from(plan.size.0) * u64::from(plan.size.1) * 3;
        if length == 0 || length > FRAME_BYTES_MAX {
            return Err(WorkerError::File { reason: "the film has no size that can be drawn".to_owned() });
        }
        let mut child = self.player(program, file, plan.seconds, |command| {
            command.args(["-nostdin", "-v", "quiet", "-threads", "2"]);
            command.args(["-protocol_whitelist", PROTOCOLS]);
            command.args(demuxer);
            if plan.start > 0.0 {
                command.args(["-ss", &format!("{:.6}", plan.start)]);
            }
            command.args(["-i", FILM, "-map", "0:V:0", "-an", "-sn", "-dn"]);
            command.args(["-vf", &filters(plan)]);
            let most = plan.most.min(1 << 40).to_string();
            command.args(["-frames:v", &most, "-f", "rawvideo", "pipe:1"]);
        })?;
        let bounds = (plan.seconds, plan.most);
        let played = watch(&mut child, (length as usize, false), bounds, self.stop, each);
        let _ = child.kill();
        let _ = child.wait();
        played
    }

    /// The frame that stands for a film, at most `edge` pixels wide and high.
    pub(super) fn poster(
        &self,
        file: File,
        format: &'static Format,
        edge: u32,
    ) -> Result<Pixels, WorkerError> {
        let (again, fault) =
            (|| file.try_clone().map_err(WorkerError::Start), "no frame of it can be decoded");
        let facts = self.facts(again()?, format)?;
        let at = (seconds_of(&facts) * POSTER_AT.0).min(POSTER_AT.1);
        // What stands on its side in a still picture is turned here, of a film by the program.
        let turn = facts.picture.as_ref().and_then(|picture| picture.orientation).unwrap_or(1);
        let (width, height) = size_of(&facts, edge)?;
        let size = if turn >= 5 { (height, width) } else { (width, height) };
        let starts = if at > 0.0 { &[at, 0.0][..] } else { &[0.0] };
        for start in starts {
            if let Some(frame) = self.frame(again()?, format, size, *start)? {
                return frame.turned(turn).map_err(|error| WorkerError::File { reason: error.to_string() });
            }
        }
        Err(WorkerError::File { reason: fault.to_owned() })
    }

    /// A sheet of frames out of the whole length of a film, at most `edge` pixels wide and high.
    pub fn contact_sheet(
        &self,
        file: File,
        format: &'static Format,
        edge: u32,
    ) -> Result<Pixels, WorkerError> {
        let again = || file.try_clone().map_err(WorkerError::Start);
        let facts = self.facts(again()?, format)?;
        let (width, height) = facts.picture.as_ref().map_or((0, 0), |it| (it.width, it.height));
        let Some(layout) = sheet::Layout::new(width, height, edge) else {
            return Err(WorkerError::File { reason: "the film has no size that can be drawn".to_owned() });
        };
        let seconds = seconds_of(&facts);
        let mut frames = Vec::new();
        for number in 0..SHEET_FRAMES {
            let start = seconds * (number as f64 + 0.5) / SHEET_FRAMES as f64;
            frames.extend(self.frame(again()?, format, layout.frame, start)?);
            if seconds <= 0.0 {
                break;
            }
        }
        layout.sheet(&frames).map_err(|error| WorkerError::File { reason: error.to_string() })
    }

    fn frame(
        &self,
        file: File,
        format: &'static Format,
        size: (u32, u32),
        start: f64,
    ) -> Result<Option<Pixels>, WorkerError> {
        let seconds = self.limits.seconds;
        let plan = FramePlan { size, rate: None, numbers: None, start, most: 1, seconds };
        let mut found = None;
        self.frames(file, format, &plan, &mut |frame| {
            found = sheet::pixels(size, frame).ok();
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// Starts a program in a child that closes itself in first.
    pub(super) fn player(
        &self,
        program: &Path,
        file: File,
        seconds: u64,
        arguments: impl FnOnce(&mut Command),
    ) -> Result<Child, WorkerError> {
        use std::io::Seek as _;
        (&file).rewind().map_err(WorkerError::Start)?;
        self.started(program, file.into(), seconds, arguments)
    }

    /// The same of what is given as its standard input.
    pub(super) fn started(
        &self,
        program: &Path,
        input: Stdio,
        seconds: u64,
        arguments: impl FnOnce(&mut Command),
    ) -> Result<Child, WorkerError> {
        let mut command = Command::new(&self.program);
        command.arg(VERB).arg(self.limits.memory.to_string()).arg(seconds.to_string()).arg(program);
        arguments(&mut command);
        command.env_clear().stdin(input).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map_err(WorkerError::Start)
    }
}

/// The reader of the container, which is told and never guessed: what only says that it is a film is
/// not taken for a list of other files. None of these opens another file unless it is asked to.
pub(super) fn demuxer(format: &Format) -> Result<&'static [&'static str], WorkerError> {
    Ok(match format.id {
        "mp4" | "mov" | "avif" | "heic" => &["-f", "mov", "-enable_drefs", "0"],
        "mkv" | "webm" => &["-f", "matroska"],
        "avi" => &["-f", "avi"],
        "mxf" => &["-f", "mxf"],
        "mpegts" => &["-f", "mpegts"],
        "jxl" => &["-f", "jpegxl_pipe"],
        _ => {
            return Err(WorkerError::File { reason: format!("{} is not read as a film", format.name) });
        }
    })
}

/// What is done to frames: time cut into even steps, some of them taken, made small, their colours as bytes.
fn filters(plan: &FramePlan) -> String {
    let mut filters = Vec::new();
    if let Some(rate) = plan.rate {
        filters.push(format!("fps={rate}"));
        if let Some(numbers) = &plan.numbers {
            let wanted: Vec<String> = numbers.iter().map(|number| format!("eq(n,{number})")).collect();
            filters.push(format!("select='{}'", wanted.join("+")));
            // Without gaps between them, which would be filled.
            filters.push(format!("setpts=N/({rate}*TB)"));
        }
    }
    filters.push(format!("scale={}:{}:flags={SCALED}", plan.size.0, plan.size.1));
    filters.push("format=rgb24".to_owned());
    filters.join(",")
}

fn seconds_of(facts: &Facts) -> f64 {
    facts.timing.as_ref().map_or(0.0, |timing| timing.seconds).clamp(0.0, 1e7)
}

pub(super) fn size_of(facts: &Facts, edge: u32) -> Result<(u32, u32), WorkerError> {
    let picture = facts.picture.as_ref();
    let size = picture.and_then(|it| sheet::size_within((it.width, it.height), edge));
    size.ok_or_else(|| WorkerError::File { reason: "there is no picture in it".to_owned() })
}

/// Takes pieces of one length as they come, until there are enough, time runs out or the program ends. Where
/// `is_cut`, the last may be shorter: else one that is not whole is none.
pub(super) fn watch(
    child: &mut Child,
    (length, is_cut): (usize, bool),
    (seconds, most): (u64, u64),
    stop: fn() -> bool,
    each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Played, WorkerError> {
    let pipe = child.stdout.take().ok_or_else(|| WorkerError::Broke { how: "no pipe".into() })?;
    let (sender, receiver) = crossbeam_channel::bounded(AHEAD);
    let reader = std::thread::spawn(move || read_frames(pipe, length, is_cut, &sender));
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let (mut frames, mut whole) = (0, true);
    loop {
        // What has come already is given out even when time is over.
        let is_over = frames > 0 && Instant::now() >= deadline;
        if stop() {
            drop(receiver);
            let _ = child.kill();
            let _ = reader.join();
            return Err(WorkerError::Stopped);
        }
        match receiver.recv_deadline(deadline.min(Instant::now() + super::STOP_EVERY)) {
            Err(crossbeam_channel::RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
            Ok(_) if is_over => {
                whole = false;
                break;
            }
            Ok(frame) => {
                frames += 1;
                if each(&frame).is_break() || frames >= most {
                    whole = false;
                    break;
                }
            }
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => break,
            Err(crossbeam_channel::RecvTimeoutError::Timeout) if frames == 0 => {
                let _ = child.kill();
                return Err(WorkerError::TooLong { seconds });
            }
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => {
                whole = false;
                break;
            }
        }
    }
    // Whoever still reads finds the pipe closed, or nobody who takes what it read.
    drop(receiver);
    let _ = child.kill();
    let _ = reader.join();
    Ok(Played { frames, whole })
}

fn read_frames(
    mut pipe: ChildStdout,
    length: usize,
    is_cut: bool,
    sender: &crossbeam_channel::Sender<Vec<u8>>,
) {
    loop {
        let mut frame = Vec::with_capacity(length);
        let read = pipe.by_ref().take(length as u64).read_to_end(&mut frame);
        let is_enough = frame.len() == length || (is_cut && !frame.is_empty());
        if read.is_err() || !is_enough || sender.send(frame).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_becomes_one_line_of_filters() {
        let plan = FramePlan {
            size: (96, 54),
            rate: Some(25.0),
            numbers: Some(vec![3, 8]),
            start: 0.0,
            most: 2,
            seconds: 1,
        };
        assert_eq!(
            filters(&plan),
            "fps=25,select='eq(n,3)+eq(n,8)',setpts=N/(25*TB),\
             scale=96:54:flags=area+accurate_rnd+full_chroma_int,format=rgb24"
        );
    }

    #[test]
    fn programs_of_the_folder_at_hand_are_not_started() {
        let home = tempfile::tempdir().expect("a folder");
        for name in ["ffmpeg", "ffprobe"] {
            std::fs::write(home.path().join(name), "").expect("written");
        }
        assert!(FilmPrograms::find([PathBuf::from("."), PathBuf::from("")].into_iter()).is_none());
        assert!(FilmPrograms::find([home.path().to_owned()].into_iter()).is_some());
    }
}
