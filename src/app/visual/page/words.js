// What people read: moments, captions, changes.
import { data } from './dom.js'

// Several assets side by side are told apart by their names.
const several = data.kind === 'together';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October',
  'November', 'December'];

// A day with its clock time, in the zone in which it was noted.
export function day(state) {
  if (state.unix_ms === null) return '';
  const there = new Date(state.unix_ms + state.offset_minutes * 60000);
  const clock = [there.getUTCHours(), there.getUTCMinutes()].map((part) => String(part).padStart(2, '0')).join(':');
  return `${DAYS[there.getUTCDay()]}, ${there.getUTCDate()} ${MONTHS[there.getUTCMonth()]} ${there.getUTCFullYear()}, ${clock}`;
}

export function version(state) {
  if (several) return state.version ? `${state.path}, version ${state.version}` : state.path;
  if (state.version) return `Version ${state.version}`;
  return state.commit ? 'As committed' : 'As it is now';
}

// Who did it and when, in one sentence of a caption.
export function byline(state) {
  if (!state.who) return 'in your folder';
  return `${state.who}, ${day(state)}`;
}

export function measure(state) {
  const pixels = state.measure !== undefined ? state.measure : state.width ? `${state.width} × ${state.height}` : '';
  return [pixels, state.format.toUpperCase(), state.size].filter(Boolean).join(' · ');
}

export function percent(value) {
  if (value === 0) return '0%';
  if (value < 0.01) return 'under 0.01%';
  return `${value.toFixed(value < 10 ? 2 : 1).replace(/\.?0+$/, '')}%`;
}

export function count(number, one, many) {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
}

// A moment of something that plays: minutes, seconds and tenths.
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const minutes = Math.floor(tenths / 600);
  return `${minutes}:${String(Math.floor(tenths / 10) % 60).padStart(2, '0')}.${tenths % 10}`;
}

export function louder(value) {
  if (value === 0) return 'as loud as before';
  return `${Math.abs(value).toFixed(1)} LU ${value > 0 ? 'louder' : 'quieter'}`;
}

function heardAs(sound) {
  if (sound.same_samples) return 'sounds the same';
  if (sound.only_loudness) return louder(sound.louder);
  return sound.spans.length ? `${count(sound.spans.length, 'span', 'spans')} changed` : 'sounds the same';
}

// Whether it is a typeface of which glyphs changed.
export function hasGlyphs(change) {
  return change.layers.length > 0 && change.layers[0].kind === 'glyph';
}

// What happened to the asset as a whole.
export function verdict(asset) {
  const change = asset.change;
  if (!change) return several ? count(asset.states.length, 'picture', 'pictures') : count(asset.states.length, 'version', 'versions');
  if (change.kinds.includes('added')) return 'new';
  if (change.kinds.includes('removed')) return 'removed';
  const heard = change.sound && heardAs(change.sound);
  const seen = change.film && (change.film.spans.length ? `${count(change.film.spans.length, 'span', 'spans')} changed` : 'looks the same');
  if (seen && heard) return seen === 'looks the same' && heard === 'sounds the same' ? 'looks and sounds the same' : `${seen}, sound: ${heard}`;
  if (seen || heard) return seen || heard;
  if (change.lines) return `${count(Math.max(...change.lines), 'line', 'lines')} changed`;
  if (hasGlyphs(change)) return `${count(change.layers.length, 'glyph', 'glyphs')} changed`;
  if (!change.picture) return 'changed';
  if (change.picture.changed_pixels === 0) return 'looks the same';
  return `${percent(change.picture.changed_percent)} changed`;
}

const signed = (value) => (value > 0 ? `+${value}` : value < 0 ? `−${-value}` : '0');

// One edit of a layer: a shape for the eye, and words.
export function edit(change) {
  switch (change.edit) {
    case 'added': return ['+', 'added'];
    case 'removed': return ['−', 'removed'];
    case 'renamed': return ['a', `renamed from ${change.before}`];
    case 'moved': return ['↔', `moved ${signed(change.x)}, ${signed(change.y)} px`];
    case 'reordered': return ['↕', 'moved in the stack'];
    case 'regrouped': return ['⊂', change.before.length ? `was in ${change.before.join(' / ')}` : 'was in no group'];
    case 'opacity': return ['◐', `opacity ${Math.round(change.before * 100)}% → ${Math.round(change.after * 100)}%`];
    case 'blend': return ['◍', `${change.before} → ${change.after}`];
    case 'visibility': return change.visible ? ['●', 'shown'] : ['○', 'hidden'];
    case 'text': return ['T', `“${change.before.trim()}” → “${change.after.trim()}”`];
    case 'pixels': return ['▦', change.regions.length ? `redrawn in ${count(change.regions.length, 'area', 'areas')}` : 'redrawn'];
    case 'mask': return ['◧', 'other mask'];
    case 'effects': return ['✦', 'other effects'];
    case 'clipping': return ['⌐', change.clipped ? 'clipped to the layer below' : 'clipped no more'];
    default: return ['·', change.edit];
  }
}
