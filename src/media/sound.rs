//! Sound: WAVE, AIFF, FLAC, MP3, Ogg, MPEG-4 and AAC; how long, how loud, what it looks like.

mod listen;
mod waveform;

use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_OPUS, CODEC_ID_SPEEX};
use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track as Stream, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::{MetadataOptions, MetadataRevision};

use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::embedded;
use crate::media::facts::{Facts, Field, Sound, Timing, Track, cut};
use crate::media::format::{self, Format};
use crate::media::input::{Input, Source};
use listen::{Ear, Loudness, Prints, Shape};

/// Longest sound that is measured for its loudness, in seconds.
const MEASURED_SECONDS_MAX: f64 = 1200.0;
/// Longest sound that is listened to at all, in seconds.
const HEARD_SECONDS_MAX: f64 = 4.0 * 3600.0;
/// Most channels of one track.
const CHANNELS_MAX: usize = 32;
/// Most kinds of titles in one file.
const REVISIONS_MAX: usize = 100;
/// Most packets in a row that may be damaged.
const DAMAGED_MAX: usize = 1000;

/// Sound.
pub struct Hearing;

impl Decoder for Hearing {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::WAV, &format::AIFF, &format::FLAC, &format::MP3, &format::OGG, &format::M4A, &format::AAC]
    }

    fn facts(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done {
        let packets = embedded::find(input, format)?;
        let mut reader = open(input, format)?;
        tell(&mut *reader, facts);
        let seconds = facts.timing.as_ref().map_or(0.0, |timing| timing.seconds);
        let mut loudness = Loudness::default();
        if seconds > MEASURED_SECONDS_MAX {
            facts.note("it is too long to measure its loudness for a preview");
        } else {
            match listen(&mut *reader, &mut loudness) {
                Ok(heard) => {
                    if let Some(timing) = facts.timing.as_mut().filter(|timing| timing.seconds == 0.0) {
                        timing.seconds = heard.seconds();
                    }
                    let (loudness, range, peak) = loudness.measured();
                    facts.sound = Some(Sound { loudness, range, peak, print: None });
                }
                Err(Unheard::Codec) => facts.note("nothing here decodes its sound"),
                Err(Unheard::Damaged(why)) => facts.note(format!("its sound is damaged: {why}")),
            }
        }
        embedded::add(packets, facts);
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, format: &'static Format, wanted: Wanted) -> Shown {
        let mut reader = open(input, format)?;
        let mut shape = Shape::default();
        listen(&mut *reader, &mut shape).map_err(DecodeError::from)?;
        waveform::draw(&shape, wanted.edge).map(Some)
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("what is heard")
    }

    fn prints(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done {
        let mut reader = open(input, format)?;
        let mut prints = Prints::default();
        if listen(&mut *reader, &mut prints).is_ok() {
            facts.sound.get_or_insert_default().print = prints.finish();
        }
        Ok(())
    }
}

/// Hears samples that another program decoded: how loud they are, and what their parts sound like.
#[derive(Default)]
pub struct Listener {
    loudness: Loudness,
    prints: Prints,
}

impl Listener {
    /// Takes samples of all channels, one after the other, at so many a second.
    pub fn hear(&mut self, samples: &mut [f32], channels: usize, rate: u32) {
        sane(samples);
        self.loudness.hear(samples, channels, rate);
        self.prints.hear(samples, channels, rate);
    }

    /// What it sounded like; `None` when there was nothing to hear.
    pub fn finish(self) -> Option<Sound> {
        let (loudness, range, peak) = self.loudness.measured();
        self.prints.finish().map(|print| Sound { loudness, range, peak, print: Some(print) })
    }
}

/// What is not a number is silence, and nothing is louder than anything can be.
fn sane(samples: &mut [f32]) {
    for sample in samples {
        *sample = if sample.is_finite() { sample.clamp(-16.0, 16.0) } else { 0.0 };
    }
}

/// Why nothing is heard.
enum Unheard {
    Codec,
    Damaged(String),
}

impl From<Unheard> for DecodeError {
    fn from(unheard: Unheard) -> Self {
        match unheard {
            Unheard::Codec => Self::Unsupported("nothing here decodes its sound".to_owned()),
            Unheard::Damaged(why) => Self::Damaged(why),
        }
    }
}

/// How much was heard.
struct Heard {
    frames: u64,
    rate: u32,
}

impl Heard {
    fn seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.rate.max(1))
    }
}

/// The library wants a type of known size that may be asked for its length.
struct Bytes<'i> {
    source: &'i mut dyn Source,
    len: u64,
}

impl Read for Bytes<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.source.read(out)
    }
}

impl Seek for Bytes<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.source.seek(to)
    }
}

impl MediaSource for Bytes<'_> {
    fn is_seekable(&self) -> bool {
        true
    }
    fn byte_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

fn open<'i>(input: &'i mut Input<'_>, format: &Format) -> Result<Box<dyn FormatReader + 'i>, DecodeError> {
    let len = input.len();
    let source = Bytes { source: input.rewound()?, len };
    let stream = MediaSourceStream::new(Box::new(source), MediaSourceStreamOptions::default());
    let mut hint = Hint::new();
    if let Some(extension) = format.extensions.first() {
        hint.with_extension(extension);
    }
    let (options, metadata) = (FormatOptions::default(), MetadataOptions::default());
    unbroken(|| symphonia::default::get_probe().probe(&hint, stream, options, metadata))
        .map_err(|error| DecodeError::Damaged(error.to_string()))
}

/// What the library answers. Where it breaks on damaged bytes instead, that costs what it was asked for.
fn unbroken<T>(asked: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(asked)).unwrap_or(Err(Error::DecodeError("it cannot be decoded")))
}

/// What the file says of itself: length, tracks, titles.
fn tell(reader: &mut dyn FormatReader, facts: &mut Facts) {
    let tracks: Vec<Track> = reader.tracks().iter().take(100).map(track).collect();
    let seconds = reader.tracks().iter().filter_map(seconds).fold(0.0, f64::max);
    facts.timing = Some(Timing { seconds, tracks, ..Timing::default() });
    let mut fields = Vec::new();
    let mut metadata = reader.metadata();
    // Each kind of titles is one, those of the container after those that stand before it.
    for _ in 0..REVISIONS_MAX {
        if let Some(revision) = metadata.current() {
            titles(revision, &mut fields);
        }
        if metadata.pop().is_none() {
            break;
        }
    }
    facts.add_fields(fields);
}

fn seconds(track: &Stream) -> Option<f64> {
    let rate = match &track.codec_params {
        Some(CodecParameters::Audio(audio)) => audio.sample_rate,
        _ => None,
    };
    let counted = track.num_frames.zip(rate).map(|(frames, rate)| frames as f64 / f64::from(rate.max(1)));
    let timed = || Some(track.time_base?.calc_duration(track.duration?)?.as_secs_f64());
    counted.or_else(timed).filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
}

fn track(stream: &Stream) -> Track {
    let kind = match stream.track_type() {
        Some(TrackType::Audio) => "audio",
        Some(TrackType::Video) => "video",
        Some(TrackType::Subtitle) => "subtitle",
        _ => "data",
    };
    let mut track =
        Track { kind: kind.to_owned(), language: stream.language.as_deref().map(cut), ..Track::default() };
    if let Some(CodecParameters::Audio(audio)) = &stream.codec_params {
        let known = symphonia::default::get_codecs().get_audio_decoder(audio.codec);
        track.codec = known.map_or_else(
            || undecoded_name(audio.codec).to_owned(),
            |decoder| codec_name(decoder.codec.info.long_name),
        );
        track.sample_rate = audio.sample_rate;
        track.channels = audio.channels.as_ref().map(|channels| channels.count() as u32);
        track.bits = audio.bits_per_sample;
    }
    track
}

/// A codec's name; of samples as they are the rest says no more than their bits.
fn codec_name(name: &str) -> String {
    if name.starts_with("PCM") { "PCM".to_owned() } else { name.to_owned() }
}

/// The name of a codec that a container names and nothing here decodes.
const fn undecoded_name(codec: AudioCodecId) -> &'static str {
    match codec {
        CODEC_ID_OPUS => "Opus",
        CODEC_ID_SPEEX => "Speex",
        _ => "unknown",
    }
}

/// Titles, names and the like, by the names that they have in all containers.
fn titles(revision: &MetadataRevision, fields: &mut Vec<Field>) {
    let per_track = revision.per_track.iter().flat_map(|track| &track.metadata.tags);
    for tag in revision.media.tags.iter().chain(per_track).take(1000) {
        let name = match &tag.std {
            // The names of its kinds, `TrackTitle("Quay")`, without what they hold.
            Some(kind) => format!("{kind:?}").split('(').next().unwrap_or_default().to_owned(),
            None => tag.raw.key.clone(),
        };
        let value = tag.raw.value.to_string();
        match fields.iter_mut().find(|field| field.name == name) {
            Some(field) if field.members().all(|member| member != value) => field.push(value.trim()),
            Some(_) => {}
            None => fields.push(Field::text("sound", &name, value.trim())),
        }
    }
    let pictures = revision.media.visuals.len();
    if pictures > 0 {
        fields.push(Field::number("sound", "Pictures", pictures as f64));
    }
}

/// Decodes the first track of sound and lets an ear hear it.
fn listen(reader: &mut dyn FormatReader, ear: &mut dyn Ear) -> Result<Heard, Unheard> {
    let stream = reader.default_track(TrackType::Audio).ok_or(Unheard::Codec)?;
    let id = stream.id;
    let Some(CodecParameters::Audio(parameters)) = &stream.codec_params else { return Err(Unheard::Codec) };
    let options = AudioDecoderOptions::default();
    let decoder = unbroken(|| symphonia::default::get_codecs().make_audio_decoder(parameters, &options));
    let mut decoder = decoder.map_err(|_| Unheard::Codec)?;
    let mut heard = Heard { frames: 0, rate: 0 };
    let (mut samples, mut damaged, mut why) = (Vec::<f32>::new(), 0usize, String::new());
    loop {
        let packet = match unbroken(|| reader.next_packet()) {
            Ok(Some(packet)) => packet,
            Ok(None) | Err(Error::IoError(_) | Error::ResetRequired) => break,
            Err(error) => {
                why = error.to_string();
                break;
            }
        };
        if packet.track_id != id {
            continue;
        }
        match hear(&mut *decoder, &packet, &mut samples) {
            Ok(Some((channels, rate))) => {
                heard.frames += (samples.len() / channels) as u64;
                heard.rate = rate;
                ear.hear(&samples, channels, rate);
                damaged = 0;
            }
            Ok(None) => {}
            Err(error) => {
                why = error;
                damaged += 1;
            }
        }
        if damaged > DAMAGED_MAX || heard.seconds() > HEARD_SECONDS_MAX {
            break;
        }
    }
    if heard.frames == 0 {
        let why = if why.is_empty() { "there is none in it".to_owned() } else { why };
        return Err(Unheard::Damaged(why));
    }
    Ok(heard)
}

/// Decodes one packet: samples, how many channels they are of, and how many there are a second.
fn hear(
    decoder: &mut dyn AudioDecoder,
    packet: &symphonia::core::packet::Packet,
    samples: &mut Vec<f32>,
) -> Result<Option<(usize, u32)>, String> {
    let buffer = unbroken(|| decoder.decode(packet)).map_err(|error| error.to_string())?;
    let (channels, rate) = (buffer.spec().channels().count(), buffer.spec().rate());
    if channels == 0 || channels > CHANNELS_MAX || rate == 0 || buffer.is_empty() {
        return Ok(None);
    }
    buffer.copy_to_vec_interleaved(samples);
    sane(samples);
    Ok(Some((channels, rate)))
}
