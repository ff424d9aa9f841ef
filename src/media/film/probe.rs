//! What `ffprobe` says of a film, read as strictly as a stranger's bytes: it read some before it spoke.

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::media::facts::{Facts, Field, Picture, Timing, Track, cut};
use crate::media::format::Format;

/// Most tracks that are told.
const TRACKS_MAX: usize = 200;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    streams: Vec<Stream>,
    format: Container,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Container {
    duration: Option<String>,
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Stream {
    codec_type: String,
    codec_name: String,
    profile: Option<String>,
    width: Option<u64>,
    height: Option<u64>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    duration: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u32>,
    bits_per_sample: Option<u32>,
    bits_per_raw_sample: Option<String>,
    disposition: BTreeMap<String, i64>,
    side_data_list: Vec<SideData>,
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SideData {
    rotation: Option<f64>,
}

/// Facts out of an answer in JSON, or why there are none.
pub fn facts(answer: &[u8], format: &'static Format) -> Result<Facts, String> {
    let unread = || "ffprobe cannot read it".to_owned();
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| unread())?;
    if answer.streams.is_empty() {
        return Err(unread());
    }
    let mut facts = Facts {
        format: format.id.to_owned(),
        format_name: format.name.to_owned(),
        family: Some(format.family),
        mime: format.mime.to_owned(),
        ..Facts::default()
    };
    let mut timing = Timing::default();
    let longest = answer.streams.iter().filter_map(|it| seconds(it.duration.as_deref())).fold(0.0, f64::max);
    timing.seconds = seconds(answer.format.duration.as_deref()).unwrap_or(longest);
    for stream in answer.streams.iter().take(TRACKS_MAX) {
        // A picture on the cover is no film.
        let is_cover = stream.disposition.get("attached_pic").is_some_and(|it| *it != 0);
        if stream.codec_type == "video" && !is_cover && timing.frame_rate.is_none() {
            timing.frame_rate =
                rate(stream.avg_frame_rate.as_deref()).or_else(|| rate(stream.r_frame_rate.as_deref()));
            facts.picture = picture(stream);
        }
        timing.timecode = timing.timecode.or_else(|| stream.tags.get("timecode").map(|it| cut(it)));
        timing.tracks.push(track(stream, is_cover));
    }
    timing.timecode = timing.timecode.or_else(|| answer.format.tags.get("timecode").map(|it| cut(it)));
    facts.timing = Some(timing);
    facts.add_fields(titles(&answer.format.tags));
    Ok(facts)
}

fn seconds(text: Option<&str>) -> Option<f64> {
    text?.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
}

/// A fraction as a number, to thousandths.
fn rate(text: Option<&str>) -> Option<f64> {
    let (above, below) = text?.split_once('/')?;
    let (above, below): (f64, f64) = (above.parse().ok()?, below.parse().ok()?);
    let rate = above / below;
    // What is counted in its clock's own ticks has no rate.
    (rate.is_finite() && rate > 0.0 && rate < 10_000.0).then(|| (rate * 1000.0).round() / 1000.0)
}

fn picture(stream: &Stream) -> Option<Picture> {
    let (mut width, mut height) = (stream.width?, stream.height?);
    if is_turned(stream) {
        (width, height) = (height, width);
    }
    let depth = stream.bits_per_raw_sample.as_deref().and_then(|bits| bits.parse().ok());
    Some(Picture { width, height, depth, ..Picture::default() })
}

/// Whether it stands on its side, and is turned before it is shown.
fn is_turned(stream: &Stream) -> bool {
    let turn = stream.side_data_list.iter().find_map(|data| data.rotation).unwrap_or(0.0);
    turn.is_finite() && (turn.abs() as i64 % 180) == 90
}

fn track(stream: &Stream, is_cover: bool) -> Track {
    let kind = match stream.codec_type.as_str() {
        "video" if is_cover => "data",
        "video" => "video",
        "audio" => "audio",
        "subtitle" => "subtitle",
        _ => "data",
    };
    let is_video = kind == "video";
    let profile = stream.profile.as_deref().filter(|text| *text != "unknown" && text.parse::<i64>().is_err());
    Track {
        kind: kind.to_owned(),
        codec: codec(&stream.codec_name),
        profile: profile.filter(|_| is_video).map(cut),
        size: stream.width.zip(stream.height).filter(|_| is_video),
        sample_rate: stream.sample_rate.as_deref().and_then(|rate| rate.parse().ok()).filter(|it| *it > 0),
        channels: stream.channels.filter(|channels| *channels > 0),
        bits: stream.bits_per_sample.filter(|bits| *bits > 0),
        language: stream.tags.get("language").filter(|it| *it != "und").map(|it| cut(it)),
    }
}

/// The name of a codec as people say it, of those that FFmpeg has a short one for.
pub(super) fn codec(name: &str) -> String {
    let known = match name {
        "h264" => "H.264",
        "hevc" => "H.265",
        "vvc" => "H.266",
        "av1" => "AV1",
        "vp8" => "VP8",
        "vp9" => "VP9",
        "prores" => "ProRes",
        "dnxhd" => "DNxHD",
        "mpeg1video" => "MPEG-1",
        "mpeg2video" => "MPEG-2",
        "mpeg4" => "MPEG-4 Visual",
        "mjpeg" => "Motion JPEG",
        "jpeg2000" => "JPEG 2000",
        "ffv1" => "FFV1",
        "cfhd" => "CineForm",
        "rawvideo" | "v210" | "v410" => "uncompressed",
        "qtrle" => "Animation",
        "theora" => "Theora",
        "png" => "PNG",
        "aac" => "AAC",
        "mp2" => "MP2",
        "mp3" => "MP3",
        "opus" => "Opus",
        "vorbis" => "Vorbis",
        "flac" => "FLAC",
        "alac" => "ALAC",
        "ac3" => "AC-3",
        "eac3" => "E-AC-3",
        "dts" => "DTS",
        "mov_text" => "timed text",
        "subrip" => "SubRip",
        "ass" => "ASS",
        "webvtt" => "WebVTT",
        "hdmv_pgs_subtitle" => "PGS",
        "" => "unknown",
        pcm if pcm.starts_with("pcm_") => "PCM",
        other => return cut(other),
    };
    known.to_owned()
}

/// What the container says of the film, by the names that other containers have for it.
fn titles(tags: &BTreeMap<String, String>) -> Vec<Field> {
    const NAMES: &[(&str, &str)] = &[
        ("title", "TrackTitle"),
        ("artist", "Artist"),
        ("album", "Album"),
        ("comment", "Comment"),
        ("date", "ReleaseDate"),
        ("creation_time", "CreateDate"),
        ("encoder", "Encoder"),
        ("copyright", "Copyright"),
        ("description", "Description"),
    ];
    let find = |wanted: &str| tags.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    NAMES
        .iter()
        .filter_map(|(tag, name)| Some(Field::text("film", name, find(tag)?.1.trim())))
        .filter(|field| !field.value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::format;

    #[test]
    fn an_answer_becomes_facts_and_nonsense_does_not() {
        let answer = br#"{"streams": [
            {"codec_type": "video", "codec_name": "mjpeg", "width": 9, "height": 9, "disposition": {"attached_pic": 1}},
            {"codec_type": "video", "codec_name": "prores", "profile": "HQ", "width": 1920, "height": 1080,
             "avg_frame_rate": "24000/1001", "side_data_list": [{"side_data_type": "x"}, {"rotation": -90}],
             "tags": {"timecode": "01:00:00:00"}},
            {"codec_type": "audio", "codec_name": "pcm_s24le", "sample_rate": "48000", "channels": 2,
             "bits_per_sample": 24, "tags": {"language": "eng"}}],
            "format": {"duration": "3.003", "tags": {"TITLE": "Quay"}}}"#;
        let facts = facts(answer, &format::MXF).expect("facts");
        let timing = facts.timing.expect("timing");
        assert_eq!((timing.seconds, timing.frame_rate), (3.003, Some(23.976)));
        assert_eq!(timing.timecode.as_deref(), Some("01:00:00:00"));
        let picture = facts.picture.expect("a picture");
        assert_eq!((picture.width, picture.height), (1080, 1920), "it stands on its side");
        assert_eq!(timing.tracks[0].kind, "data");
        assert_eq!(
            (timing.tracks[1].codec.as_str(), timing.tracks[1].profile.as_deref()),
            ("ProRes", Some("HQ"))
        );
        assert_eq!((timing.tracks[2].codec.as_str(), timing.tracks[2].bits), ("PCM", Some(24)));
        assert_eq!(facts.embedded[0].value, "Quay");
        for nonsense in ["", "{}", "[]", "{\"streams\": 3}", "{\"streams\": [{\"width\": -1}]}"] {
            assert!(super::facts(nonsense.as_bytes(), &format::MXF).is_err(), "{nonsense}");
        }
        assert_eq!(rate(Some("90000/0")), None);
    }
}
