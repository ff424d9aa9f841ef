//! Small pictures of what was approved, for people who look at the page.

use crate::app::common::locate::Word;
use crate::app::info;
use crate::app::review::certificate::find::Found;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::media::worker::Workers;
use crate::repo::Repository;
use base64ct::{Base64, Encoding as _};
use std::collections::BTreeMap;

/// Most pictures on one page.
const PICTURES_MAX: usize = 24;
/// Their longest side, in pixels.
const EDGE: u32 = 240;

/// Draws what can be drawn, as `data:` addresses by path. A file that cannot be drawn costs its picture and
/// nothing else.
pub fn draw(
    repository: &Repository,
    found: &Found,
    workers: &Workers,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> BTreeMap<AssetPath, String> {
    let mut pictures = BTreeMap::new();
    let after = found.transitions.as_slice().iter().filter_map(|transition| transition.after.as_ref());
    for placed in after.filter(|placed| placed.content.file().is_some()).take(PICTURES_MAX) {
        if monitor.is_cancelled() {
            break;
        }
        let subject = Word::Path(placed.path.clone());
        let options = info::Options { subject, revision: Some(found.landed.commit.to_string()) };
        let Ok(opened) = info::open(repository, &options, clock, monitor) else { continue };
        // What stands there is what was approved, or it is not shown.
        if opened.id != placed.content.file() {
            continue;
        }
        let drawn = workers.picture(opened.file, opened.format, EDGE).ok().flatten();
        if let Some(png) = drawn.and_then(|pixels| pixels.png().ok()) {
            let text = format!("data:image/png;base64,{}", Base64::encode_string(&png));
            pictures.insert(placed.path.clone(), text);
        }
    }
    pictures
}
