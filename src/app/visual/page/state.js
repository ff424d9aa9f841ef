// What is looked at, and how. It stands in the address after the #, so that a view can be sent on.
import { data } from './dom.js'

export const MODES = ['side', 'swipe', 'onion', 'blink', 'difference', 'lens', 'all'];
// Most pictures that stand beside each other.
const ALL_MAX = 12;
export const CHANNELS = ['colour', 'red', 'green', 'blue', 'alpha', 'luminance'];

export const state = {
  asset: -1, a: 0, b: 1, layer: -1, moment: 0,
  mode: 'side', channel: 'colour', at: 0.5, threshold: 0.03, amplify: 0, antialias: true, areas: true, exposure: 0,
  zoom: 0, x: 0.5, y: 0.5, panels: true, theme: '', size: 240,
};

const SAVED = {
  asset: 'asset', a: 'a', b: 'b', layer: 'layer', moment: 'moment', mode: 'mode', channel: 'channel', at: 'at', threshold: 'threshold',
  amplify: 'amplify', exposure: 'exposure', antialias: 'antialias', areas: 'areas', zoom: 'zoom', x: 'x', y: 'y', panels: 'panels', theme: 'theme',
};
const start = {};
const hearers = [];

// Called after every change of the state.
export function heard(hearer) {
  hearers.push(hearer);
}

export function change(values) {
  Object.assign(state, values);
  normalise();
  hearers.forEach((hearer) => hearer(values));
  write();
}

export function asset() {
  return state.asset >= 0 ? data.assets[state.asset] : null;
}

// The film that is compared, while its first and last state stand side by side.
export function film() {
  const there = asset();
  const found = there && there.change && there.change.film && there.change.moments.length ? there.change : null;
  return found && state.a === 0 && state.b === there.states.length - 1 ? found : null;
}

// Whether there are more than two pictures, and few enough to be seen at once.
export function areMany() {
  const there = asset();
  return Boolean(there) && !there.change && there.states.length > 2 && there.states.length <= ALL_MAX;
}

// Whether what is shown has values beyond white, so that there is an exposure to choose.
export function isLight() {
  const there = asset();
  const shown = there && (state.mode === 'all' ? there.states : [there.states[state.a], there.states[state.b]]);
  return Boolean(there) && state.layer < 0 && shown.some((it) => it.light);
}

// What was found on the pair of pictures that is shown: of a film, on the pair of frames.
export function foundNow() {
  const there = asset();
  const played = film();
  if (played) return played.moments[state.moment] && played.moments[state.moment].picture;
  const whole = there && state.a === 0 && state.b === there.states.length - 1;
  return whole && there.change && there.change.picture;
}

// The moment by which a span of a film is told: the one that is shown of its middle.
export function momentOf(change, span) {
  const middle = (span.entries[0] + span.entries[1] - 1) / 2;
  const far = (moment) => Math.abs(moment.entry - middle);
  return change.moments.reduce((best, moment, number) => (far(moment) < far(change.moments[best]) ? number : best), 0);
}

export function opened(number) {
  const there = data.assets[number];
  const last = there ? there.states.length - 1 : 0;
  const a = Math.max(0, last - 1);
  const spans = there && there.change && there.change.film ? there.change.film.spans : [];
  const moment = spans.length && there.change.moments.length ? momentOf(there.change, spans[0]) : 0;
  return { asset: number, a, b: last, layer: -1, moment, zoom: 0, x: 0.5, y: 0.5 };
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

function normalise() {
  state.asset = data.assets[state.asset] && !data.assets[state.asset].href ? state.asset : -1;
  if (data.assets.length === 1 && !data.assets[0].href) state.asset = 0;
  const states = asset() ? asset().states.length : 1;
  state.a = clamp(state.a, 0, states - 1);
  state.b = clamp(state.b, 0, states - 1);
  state.moment = clamp(Math.round(state.moment), 0, Math.max(0, asset() && asset().change && asset().change.moments ? asset().change.moments.length - 1 : 0));
  state.at = clamp(state.at, 0, 1);
  state.threshold = clamp(state.threshold, 0, 0.5);
  state.amplify = clamp(Math.round(state.amplify), 0, 32);
  state.exposure = clamp(state.exposure, -12, 12);
  state.zoom = state.zoom <= 0 ? 0 : clamp(state.zoom, 0.02, 64);
  state.x = clamp(state.x, -0.2, 1.2);
  state.y = clamp(state.y, -0.2, 1.2);
  if (!MODES.includes(state.mode) || (state.mode === 'all' && !areMany())) state.mode = 'side';
  if (!CHANNELS.includes(state.channel)) state.channel = 'colour';
  if (!['', 'dark', 'light'].includes(state.theme)) state.theme = '';
}

let pending = 0;

function write() {
  clearTimeout(pending);
  pending = setTimeout(() => {
    const words = new URLSearchParams();
    for (const [name, key] of Object.entries(SAVED)) {
      const value = typeof state[key] === 'number' ? Math.round(state[key] * 1e4) / 1e4 : state[key];
      if (value !== start[key]) words.set(name, String(value));
    }
    const text = words.toString();
    if (location.hash.slice(1) !== text) history.replaceState(null, '', text ? `#${text}` : '#');
  }, 120);
}

// Reads the address. What is not there is as at first, and nonsense is passed over.
export function read() {
  const words = new URLSearchParams(location.hash.slice(1));
  const values = { ...start };
  if (words.has('asset')) Object.assign(values, opened(Number(words.get('asset')) || 0));
  for (const [name, key] of Object.entries(SAVED)) {
    if (!words.has(name)) continue;
    const text = words.get(name);
    if (typeof state[key] === 'boolean') values[key] = text === 'true';
    else if (typeof state[key] !== 'number') values[key] = text;
    else if (Number.isFinite(Number(text))) values[key] = Number(text);
  }
  change(values);
}

// What is shown when the address says nothing.
export function begin() {
  Object.assign(state, opened(data.assets.length === 1 ? 0 : -1));
  if (asset() && asset().states.length === 1) state.mode = 'swipe';
  if (data.kind === 'together' && areMany()) state.mode = 'all';
  // The screen is known before the page is laid out.
  if (Math.min(innerWidth, screen.width) < 600) Object.assign(state, { mode: 'swipe', panels: false, size: 150 });
  normalise();
  Object.assign(start, state);
  addEventListener('hashchange', read);
  read();
}
