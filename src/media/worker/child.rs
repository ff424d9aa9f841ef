//! The child's side.

use std::io::{self, Write};

use super::jail::{Walls, lock_up};
use super::{Answer, Job};
use crate::media::decoder::{self, DecodeError, Wanted};
use crate::media::format::{self, Format};
use crate::media::input::{Input, Source};

/// The hidden verb by which the program becomes a decoder.
pub(super) const VERB: &str = "decode-for-parent";

/// Whether the program's arguments, without its name, ask it to be a decoder.
pub fn is_request(arguments: &[String]) -> bool {
    arguments.first().is_some_and(|verb| verb == VERB)
}

/// Takes the part of the child when `arguments`, the program's without its name, ask for it: gives
/// up every way out, reads the file from `source`, writes the answer to `out`. Returns `false`
/// when the arguments ask for something else.
pub fn serve(arguments: &[String], source: &mut dyn Source, out: &mut dyn Write) -> io::Result<bool> {
    let Some(request) = Request::parse(arguments) else { return Ok(false) };
    let walls = lock_up(request.memory, request.seconds)?;
    let answer = answer(&request, walls, source);
    out.write_all(&answer.encode())?;
    out.flush()?;
    Ok(true)
}

struct Request {
    format: &'static Format,
    memory: u64,
    seconds: u64,
    job: Job,
}

impl Request {
    fn parse(arguments: &[String]) -> Option<Self> {
        let [verb, format, memory, seconds, job @ ..] = arguments else { return None };
        if verb != VERB {
            return None;
        }
        let job = match job {
            [job] if job == "facts" => Job::Facts,
            [job, edge] if job == "picture" => Job::Picture { edge: edge.parse().ok()? },
            _ => return None,
        };
        Some(Self {
            format: format::by_id(format)?,
            memory: memory.parse().ok()?,
            seconds: seconds.parse().ok()?,
            job,
        })
    }
}

fn answer(request: &Request, walls: Walls, source: &mut dyn Source) -> Answer {
    let mut input = match Input::new(source) {
        Ok(input) => input,
        Err(error) => return Answer::Fault(error.to_string()),
    };
    let result = match request.job {
        Job::Facts => decoder::facts(&mut input, request.format).map(|mut facts| {
            if let Some(missing) = walls.missing() {
                facts.note(missing);
            }
            Answer::Facts(Box::new(facts))
        }),
        Job::Picture { edge } => picture(&mut input, request.format, edge),
    };
    result.unwrap_or_else(|error| Answer::Fault(error.to_string()))
}

fn picture(input: &mut Input<'_>, format: &'static Format, edge: u32) -> Result<Answer, DecodeError> {
    let Some(decoder) = decoder::decoder(format) else { return Ok(Answer::NoPicture) };
    let pixels = decoder.picture(input, format, Wanted { edge })?;
    Ok(match pixels {
        Some(pixels) => Answer::Picture(pixels.within(edge)?),
        None => Answer::NoPicture,
    })
}
