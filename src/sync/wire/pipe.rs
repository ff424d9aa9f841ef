//! Requests through pipes: one after the other on each pair, several pairs side by side.

use crate::base::escape::terminal;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::wire::client::{Asked, Carrier, Taker, read_answer};
use crate::sync::wire::fault::Fault;
use crate::sync::wire::frame::{self, FrameError, FrameKind};
use crate::sync::wire::greeting::{GREETING_BYTES, Greeting, MAGIC};
use crate::sync::wire::request::{Request, Verb};
use crate::sync::wire::serve::FrameSink;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::sync::{Mutex, PoisonError};

/// Most bytes of what is no greeting that an error repeats.
const NOISE_BYTES_MAX: usize = 160;
/// How often a request is made: the first connection may have gone to sleep.
const ATTEMPTS: u32 = 3;

/// Room in a pipe that is asked for, in bytes: what anybody may have. The less fits in, the more often both ends take
/// turns.
#[cfg(target_os = "linux")]
const PIPE_BYTES: libc::c_int = 1 << 20;

/// Asks for more room in a pipe. What is no pipe, or has no more, stays as it is.
#[cfg(target_os = "linux")]
pub fn widen(pipe: &impl std::os::fd::AsRawFd) {
    // SAFETY: the call takes no pointer, and the descriptor is open as long as `pipe` is borrowed.
    unsafe {
        libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE_BYTES);
    }
}

/// Elsewhere pipes have the room that they have.
#[cfg(not(target_os = "linux"))]
pub fn widen<P>(_: &P) {}

/// Two pipes and whatever keeps them open.
pub struct Pipes {
    /// What the other end says.
    pub input: Box<dyn Read + Send>,
    /// What it is told.
    pub output: Box<dyn Write + Send>,
    /// Closed with the pipes.
    pub keeper: Box<dyn Keeper>,
}

/// What stands behind a pair of pipes.
pub trait Keeper: Send {
    /// Why the other end said nothing, when that is known. Waits for it to end.
    fn why_silent(&mut self) -> Option<SyncError>;
}

/// Opens pipes to the other end.
pub trait Dial: Send + Sync {
    /// What is at the other end, as a person would write it.
    fn address(&self) -> &str;

    /// Opens a pair.
    fn dial(&self) -> SyncResult<Pipes>;
}

struct Connection {
    input: BufReader<Box<dyn Read + Send>>,
    output: BufWriter<Box<dyn Write + Send>>,
    // Dropped last.
    keeper: Box<dyn Keeper>,
}

/// Carries requests through as many pipes as there are requests at a time.
pub struct PipeCarrier<D> {
    dial: D,
    idle: Mutex<Vec<Connection>>,
}

impl<D: Dial> PipeCarrier<D> {
    /// Carries requests to where `dial` leads; opens nothing before the first.
    pub const fn new(dial: D) -> Self {
        Self { dial, idle: Mutex::new(Vec::new()) }
    }

    fn connect(&self) -> SyncResult<Connection> {
        let pipes = self.dial.dial()?;
        let mut connection = Connection {
            input: BufReader::with_capacity(1 << 16, pipes.input),
            output: BufWriter::with_capacity(1 << 16, pipes.output),
            keeper: pipes.keeper,
        };
        // Somebody who is not there any more shows when nothing is read.
        let _ = connection.output.write_all(&Greeting::OURS.encode());
        let _ = connection.output.flush();
        let theirs = self.read_greeting(&mut connection)?;
        if Greeting::OURS.common(theirs).is_none() {
            return Err(SyncError::OtherVersion {
                address: self.dial.address().to_owned(),
                theirs: (theirs.oldest, theirs.newest),
                ours: (Greeting::OURS.oldest, Greeting::OURS.newest),
            });
        }
        Ok(connection)
    }

    /// Reads a greeting, and of anything else as much as it takes to say what it is.
    fn read_greeting(&self, connection: &mut Connection) -> SyncResult<Greeting> {
        let mut bytes = Vec::new();
        while bytes.len() < NOISE_BYTES_MAX {
            let mut byte = [0];
            match connection.input.read(&mut byte) {
                Ok(0) => break,
                Ok(_) => bytes.push(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            let is_greeting = MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]);
            if is_greeting && bytes.len() == GREETING_BYTES {
                return Greeting::decode(&bytes)
                    .map_err(|error| self.not_pent(&format!("its greeting is wrong: {error}")));
            }
            let noise_ends = byte[0] == b'\n' || bytes.ends_with(MAGIC);
            if !is_greeting && noise_ends && bytes.len() > 1 {
                break;
            }
        }
        if bytes.is_empty() {
            let known = connection.keeper.why_silent();
            return Err(known.unwrap_or_else(|| self.not_pent("it ended without a word")));
        }
        let bytes = bytes.strip_suffix(MAGIC.as_slice()).unwrap_or(&bytes);
        let said = terminal(bytes.trim_ascii());
        Err(self.not_pent(&format!("it begins with {said:?}")))
    }

    fn not_pent(&self, detail: &str) -> SyncError {
        SyncError::NotPent { address: self.dial.address().to_owned(), detail: detail.to_owned() }
    }

    fn unreachable(&self, detail: &dyn std::fmt::Display) -> SyncError {
        SyncError::Unreachable { address: self.dial.address().to_owned(), detail: detail.to_string() }
    }

    /// Makes one request; gives the error that the other end told, if it did. After an error of its own
    /// nobody knows what the pipes still hold.
    fn run(
        &self,
        connection: &mut Connection,
        request: Asked<'_>,
        take: &mut Taker<'_>,
    ) -> SyncResult<Option<SyncError>> {
        let sent = frame::write_parts(&mut connection.output, FrameKind::Request, request.head, request.rest);
        sent.and_then(|()| connection.output.flush()).map_err(|error| self.unreachable(&error))?;
        read_answer(&mut connection.input, self.dial.address(), take)
    }
}

impl<D: Dial> Carrier for PipeCarrier<D> {
    fn address(&self) -> &str {
        self.dial.address()
    }

    fn attempts(&self) -> u32 {
        ATTEMPTS
    }

    fn ask(&self, _: Verb, request: Asked<'_>, take: &mut Taker<'_>) -> SyncResult<()> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        // Pipes in which part of an answer may still lie are closed.
        let told = self.run(&mut connection, request, take)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        told.map_or(Ok(()), Err)
    }
}

/// Who answers at the other end of pipes.
pub trait PipeHost {
    /// Answers one request.
    fn answer(&self, request: Request, out: &mut FrameSink<'_>) -> SyncResult<()>;
}

/// Answers what comes through a pipe until that ends.
pub fn serve(
    input: &mut dyn Read,
    output: &mut (dyn Write + Send),
    host: &dyn PipeHost,
) -> Result<(), FrameError> {
    output.write_all(&Greeting::OURS.encode())?;
    output.flush()?;
    let mut greeting = [0; GREETING_BYTES];
    match input.read_exact(&mut greeting) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
        read => read?,
    }
    let common = Greeting::decode(&greeting).ok().and_then(|theirs| Greeting::OURS.common(theirs));
    if common.is_none() {
        // What is spoken here the other end has read in our greeting.
        return Ok(());
    }
    loop {
        let request = match frame::read(input) {
            Ok(None) => return Ok(()),
            Ok(Some(frame)) if frame.kind == FrameKind::Request => frame.payload,
            Ok(Some(_)) => return refuse(output, "something that is no request"),
            Err(error @ FrameError::Header { .. }) => return refuse(output, &error.to_string()),
            Err(error) => return Err(error),
        };
        let outcome = match Request::take(request, 0) {
            Ok(request) => host.answer(request, &mut |kind, payload| write_part(output, kind, payload)),
            Err(error) => Err(SyncError::Invalid { what: "a request", detail: error.to_string() }),
        };
        match outcome {
            Ok(()) => frame::write(output, FrameKind::End, &[])?,
            Err(error) => frame::write(output, FrameKind::Fault, &Fault::of(&error).encode())?,
        }
        output.flush()?;
    }
}

fn write_part(output: &mut dyn Write, kind: FrameKind, payload: &[u8]) -> SyncResult<()> {
    frame::write(output, kind, payload).map_err(|source| SyncError::Io {
        action: "answering through",
        path: "the pipe".into(),
        source,
    })
}

fn refuse(output: &mut dyn Write, detail: &str) -> Result<(), FrameError> {
    let fault = Fault::TurnedDown { what: "a request".to_owned(), detail: detail.to_owned() };
    frame::write(output, FrameKind::Fault, &fault.encode())?;
    Ok(output.flush()?)
}
