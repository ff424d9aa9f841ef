//! The child's side.

use std::io::{self, Write};

use super::jail::{Walls, lock_up};
use super::{Answer, Job, player};
use crate::media::decoder::{self, DecodeError, Wanted};
use crate::media::embedding;
use crate::media::format::{self, Family, Format};
use crate::media::input::{Input, Source};
use crate::media::stand_in_fonts;

/// The hidden verb by which the program becomes a decoder.
pub(super) const VERB: &str = "decode-for-parent";

/// Whether the program's arguments, without its name, ask it to be a decoder.
pub fn is_request(arguments: &[String]) -> bool {
    arguments.first().is_some_and(|verb| verb == VERB || verb == player::VERB)
}

/// Takes the part of the child when `arguments`, the program's without its name, ask for it: gives
/// up every way out, reads the file from `source`, writes the answer to `out`. Returns `false`
/// when the arguments ask for something else.
pub fn serve(arguments: &[String], source: &mut dyn Source, out: &mut dyn Write) -> io::Result<bool> {
    if arguments.first().is_some_and(|verb| verb == player::VERB) {
        return player::become_program(arguments).map(|()| true);
    }
    let Some(request) = Request::parse(arguments) else { return Ok(false) };
    let is_set = matches!(request.format.family, Family::Text | Family::Document)
        && matches!(request.job, Job::Picture { .. });
    if *request.format == format::SVG || is_set {
        stand_in_fonts::take_in();
    }
    stay_alone();
    let walls = lock_up(request.memory, request.seconds)?;
    let answer = answer(&request, walls, source);
    out.write_all(&answer.encode())?;
    out.flush()?;
    Ok(true)
}

/// Lets libraries that share their work out among threads do it on this one: behind the walls no thread can
/// be begun, and they would fail.
fn stay_alone() {
    // Where it cannot be set, only those libraries fail.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
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
            [job] if job == "layers" => Job::Layers,
            [job] if job == "coded" => Job::Coded,
            [job, edge] if job == "picture" => Job::Picture { edge: edge.parse().ok()? },
            [job, packet] if job == "embed" => Job::Embed { packet: packet.parse().ok()? },
            [job, edge] if job == "light" => Job::Light { edge: edge.parse().ok()? },
            [job, layer, edge] if job == "layer" => {
                Job::Layer { layer: layer.parse().ok()?, edge: edge.parse().ok()? }
            }
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
        Job::Facts | Job::Layers => facts(&mut input, request, walls),
        Job::Coded => coded(&mut input, request.format),
        Job::Picture { edge } => picture(&mut input, request.format, None, edge),
        Job::Embed { packet } => embed(input, request.format, packet),
        Job::Light { edge } => light(&mut input, request.format, edge),
        Job::Layer { layer, edge } => picture(&mut input, request.format, Some(layer), edge),
    };
    result.unwrap_or_else(|error| Answer::Fault(error.to_string()))
}

fn facts(input: &mut Input<'_>, request: &Request, walls: Walls) -> Result<Answer, DecodeError> {
    let mut facts = decoder::facts(input, request.format)?;
    if let (Job::Layers, Some(decoder)) = (request.job, decoder::decoder(request.format)) {
        decoder.prints(input, request.format, &mut facts)?;
    }
    if let Some(missing) = walls.missing() {
        facts.note(missing);
    }
    Ok(Answer::Facts(Box::new(facts)))
}

fn embed(mut input: Input<'_>, format: &'static Format, packet: u64) -> Result<Answer, DecodeError> {
    let start = input.len().saturating_sub(packet);
    let packet = input.exactly_at(start, usize::try_from(packet).unwrap_or(0).min(embedding::PACKET_MAX))?;
    let text =
        std::str::from_utf8(&packet).map_err(|_| DecodeError::Damaged("the packet is no text".to_owned()))?;
    let mut input = input.shortened(packet.len() as u64);
    embedding::edits(&mut input, format, text).map(Answer::Edits)
}

fn light(input: &mut Input<'_>, format: &'static Format, edge: u32) -> Result<Answer, DecodeError> {
    let Some(decoder) = decoder::decoder(format) else { return Ok(Answer::NoPicture) };
    Ok(decoder.light(input, format, Wanted { edge })?.map_or(Answer::NoPicture, Answer::Light))
}

fn coded(input: &mut Input<'_>, format: &'static Format) -> Result<Answer, DecodeError> {
    let Some(decoder) = decoder::decoder(format) else { return Ok(Answer::NoPicture) };
    Ok(decoder.coded(input, format)?.map_or(Answer::NoPicture, Answer::Coded))
}

fn picture(
    input: &mut Input<'_>,
    format: &'static Format,
    layer: Option<usize>,
    edge: u32,
) -> Result<Answer, DecodeError> {
    let Some(decoder) = decoder::decoder(format) else { return Ok(Answer::NoPicture) };
    let wanted = Wanted { edge };
    let pixels = match layer {
        Some(layer) => decoder.layer(input, format, layer, wanted)?,
        None => decoder.picture(input, format, wanted)?,
    };
    Ok(match pixels {
        Some(pixels) => Answer::Picture(pixels.within(edge)?),
        None => Answer::NoPicture,
    })
}
