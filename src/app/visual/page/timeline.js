// A film: a line of time with a figure for every frame, and the way through its pairs of frames in step.
import { el, fill, svg, say } from './dom.js'
import { clock } from './words.js'
import { state, change, heard, film, momentOf } from './state.js'
import { stage } from './viewer.js'

const HEIGHT = 40;
const WIDTH = 1000;
// What lies further apart in time is shown this long.
const STILL_MS = 240;
const KINDS = { added: 'new', removed: 'gone', changed: 'changed' };

const play = el('button', { class: 'plain play', type: 'button', onclick: () => playOrStop() });
const line = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
const track = el('div', { class: 'track', role: 'slider', tabindex: '0', 'aria-label': 'Moment of the film' }, line);
const words = el('span', { class: 'moment' });
export const timeline = el('div', { class: 'timeline', hidden: true }, play, track, words);
let playing = 0;

// Where a frame stands in the film, before and after.
function timesOf(found, entry) {
  const frame = found.film.frames[entry];
  return [frame.before, frame.after].map((number) => (number === null ? null : number / found.film.rate));
}

function saidMoment(found) {
  const [before, after] = timesOf(found, found.moments[state.moment].entry);
  const exact = (seconds) => (seconds === null ? '–' : clock(seconds));
  return before === after ? exact(after) : `${exact(before)} → ${exact(after)}`;
}

export function stepMoment(step) {
  const found = film();
  if (!found) return;
  stop();
  change({ moment: Math.min(found.moments.length - 1, Math.max(0, state.moment + step)) });
}

export function nextSpan() {
  const found = film();
  if (!found || !found.film.spans.length) return;
  stop();
  const marks = found.film.spans.map((span) => momentOf(found, span));
  const next = marks.findIndex((moment) => moment > state.moment);
  const number = next < 0 ? 0 : next;
  change({ moment: marks[number] });
  say(`Span ${number + 1} of ${marks.length}: ${KINDS[found.film.spans[number].kind]}`);
}

function stop() {
  clearTimeout(playing);
  playing = 0;
  refreshTimeline();
}

export function playOrStop() {
  const found = film();
  if (playing || !found) {
    stop();
    return;
  }
  if (state.moment === found.moments.length - 1) change({ moment: 0 });
  playing = setTimeout(advance, STILL_MS);
  refreshTimeline();
}

function advance() {
  const found = film();
  if (!found || state.moment >= found.moments.length - 1) {
    stop();
    return;
  }
  // A frame that is still on its way is waited for.
  if (stage.dataset.moment !== String(state.moment)) {
    playing = setTimeout(advance, 15);
    return;
  }
  const [here, next] = [found.moments[state.moment], found.moments[state.moment + 1]];
  const gap = next.entry - here.entry === 1 ? Math.max(16, 1000 / found.film.rate) : STILL_MS;
  playing = setTimeout(advance, gap);
  change({ moment: state.moment + 1 });
}

// The curve of all frames: the highest of those that share a place.
function curve(frames) {
  const places = Math.min(WIDTH, frames.length);
  const tops = Array.from({ length: places }, () => 0);
  frames.forEach((frame, number) => {
    const place = Math.floor(number * places / frames.length);
    // Small differences are what one looks for: the root makes them seen.
    tops[place] = Math.max(tops[place], Math.sqrt(Math.min(1, frame.difference)));
  });
  const step = WIDTH / places;
  const points = tops.map((top, place) => `L${(place * step).toFixed(1)} ${(HEIGHT - 8 - top * (HEIGHT - 12)).toFixed(1)}H${((place + 1) * step).toFixed(1)}`);
  return `M0 ${HEIGHT - 8}${points.join('')}V${HEIGHT - 8}Z`;
}

function drawLine(found) {
  const count = found.film.frames.length;
  const spans = found.film.spans.map((span) => svg('rect', {
    class: span.kind, x: WIDTH * span.entries[0] / count, y: HEIGHT - 6, height: 5,
    width: Math.max(3, WIDTH * (span.entries[1] - span.entries[0]) / count),
  }));
  fill(line, svg('path', { class: 'curve', d: curve(found.film.frames) }), svg('rect', { class: 'base', x: 0, y: HEIGHT - 8, width: WIDTH, height: 1 }),
    spans, svg('line', { class: 'head', y1: 0, y2: HEIGHT }));
}

function refreshTimeline() {
  const found = film();
  timeline.hidden = !found;
  if (!found) return;
  if (timeline.dataset.asset !== String(state.asset)) {
    timeline.dataset.asset = String(state.asset);
    drawLine(found);
  }
  const { entry } = found.moments[state.moment];
  const x = WIDTH * (entry + 0.5) / found.film.frames.length;
  const head = line.querySelector('.head');
  head.setAttribute('x1', x);
  head.setAttribute('x2', x);
  const inside = found.film.spans.find((span) => entry >= span.entries[0] && entry < span.entries[1]);
  fill(words, saidMoment(found), inside && el('span', { class: 'quiet' }, KINDS[inside.kind]));
  fill(play, playing ? 'Stop' : 'Play');
  track.setAttribute('aria-valuemin', '0');
  track.setAttribute('aria-valuemax', String(found.moments.length - 1));
  track.setAttribute('aria-valuenow', String(state.moment));
  track.setAttribute('aria-valuetext', inside ? `${saidMoment(found)}, ${KINDS[inside.kind]}` : saidMoment(found));
}

function goTo(event) {
  const found = film();
  if (!found) return;
  const box = track.getBoundingClientRect();
  const entry = (event.clientX - box.left) / Math.max(1, box.width) * found.film.frames.length;
  const far = (moment) => Math.abs(moment.entry + 0.5 - entry);
  change({ moment: found.moments.reduce((best, moment, number) => (far(moment) < far(found.moments[best]) ? number : best), 0) });
}

export function setUpTimeline() {
  track.addEventListener('pointerdown', (event) => {
    stop();
    track.setPointerCapture(event.pointerId);
    goTo(event);
  });
  track.addEventListener('pointermove', (event) => { if (track.hasPointerCapture(event.pointerId)) goTo(event); });
  track.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -1e6, End: 1e6 }[event.key];
    if (!step) return;
    stepMoment(step);
    event.preventDefault();
    event.stopPropagation();
  });
  heard((values) => {
    if (playing && !('moment' in values)) stop();
    else refreshTimeline();
  });
}
