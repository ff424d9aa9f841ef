// Everything that can be done: each has a name and a key; the help and the palette are made from it.
import { el, fill, data, app, say } from './dom.js'
import { verdict } from './words.js'
import { state, change, asset, opened, film, foundNow, isLight, MODES, CHANNELS } from './state.js'
import { stepMoment, nextSpan, playOrStop } from './timeline.js'
import { zoomBy, panBy, actualPixels, showArea, look, flip, stage, pointAtMiddle } from './viewer.js'

export const MODE_NAMES = { side: 'Side by side', swipe: 'Swipe', onion: 'Onion skin', blink: 'Blink', difference: 'Difference', lens: 'Lens', all: 'All at once' };
export const CHANNEL_NAMES = { colour: 'Colour', red: 'Red', green: 'Green', blue: 'Blue', alpha: 'Opacity', luminance: 'Brightness' };
const PAN = 64;

function go(step) {
  const number = state.asset + step;
  if (state.asset >= 0 && data.assets[number] && !data.assets[number].href) change(opened(number));
}

// Other versions of the same asset, both moving together.
function turn(step) {
  const last = asset() ? asset().states.length - 1 : 0;
  if (state.b + step < 0 || state.b + step > last) return;
  change({ b: state.b + step, a: Math.max(0, Math.min(state.a + step, last)) });
}

let area = -1;

function nextArea(step) {
  if (film()) {
    stepMoment(step);
    return;
  }
  const found = foundNow();
  if (!found || !found.regions.length) return;
  area = (area + step + found.regions.length) % found.regions.length;
  showArea(found.regions[area]);
  say(`Area ${area + 1} of ${found.regions.length}`);
}

function cycle(list, now) {
  return list[(list.indexOf(now) + 1) % list.length];
}

function slide(step) {
  if (state.mode === 'difference') change({ threshold: Math.round((state.threshold + step * 0.01) * 100) / 100 });
  else change({ at: state.at + step * 0.05 });
}

function expose(step) {
  if (!isLight()) return;
  change({ exposure: state.exposure + step });
  say(`Exposure ${state.exposure}`);
}

export function toGallery() {
  if (state.layer >= 0) change({ layer: -1 });
  else if (data.home) location.href = data.home;
  else if (data.assets.length > 1) change({ asset: -1 });
  else change({ zoom: 0 });
}

function scheme() {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const now = state.theme || (dark ? 'dark' : 'light');
  change({ theme: now === 'dark' ? 'light' : 'dark' });
}

export const ACTIONS = [
  ...MODES.map((mode, number) => ({ name: MODE_NAMES[mode], keys: [String(number + 1)], run: () => change({ mode }) })),
  { name: 'Look through the lens, while held', keys: [' '], shown: 'Space', run: () => { pointAtMiddle(); look(true); } },
  { name: 'Exchange A and B', keys: ['x'], run: () => (state.mode === 'blink' ? flip() : change({ a: state.b, b: state.a })) },
  { name: 'Zoom in', keys: ['+', '='], run: () => zoomBy(1.5) },
  { name: 'Zoom out', keys: ['-'], run: () => zoomBy(1 / 1.5) },
  { name: 'Fit the picture', keys: ['0'], run: () => change({ zoom: 0, x: 0.5, y: 0.5 }) },
  { name: 'Actual pixels', keys: ['z'], run: () => (state.zoom ? change({ zoom: 0 }) : actualPixels()) },
  { name: 'Pan', keys: ['ArrowLeft'], shown: '← → ↑ ↓', run: () => panBy(PAN, 0) },
  { name: '', keys: ['ArrowRight'], run: () => panBy(-PAN, 0) },
  { name: '', keys: ['ArrowUp'], run: () => panBy(0, PAN) },
  { name: '', keys: ['ArrowDown'], run: () => panBy(0, -PAN) },
  { name: 'Divider, blend or threshold down', keys: ['['], run: () => slide(-1) },
  { name: 'Divider, blend or threshold up', keys: [']'], run: () => slide(1) },
  { name: 'Amplify the difference', keys: ['a'], run: () => change({ mode: 'difference', amplify: state.amplify >= 32 ? 0 : Math.max(1, state.amplify * 2) }) },
  { name: 'Brighter, of pictures of light', keys: ['b'], run: () => expose(0.5) },
  { name: 'Darker, of pictures of light', keys: ['d'], run: () => expose(-0.5) },
  { name: 'Count softened edges as changes', keys: ['e'], run: () => change({ antialias: !state.antialias }) },
  { name: 'Next channel', keys: ['c'], run: () => { change({ channel: cycle(CHANNELS, state.channel) }); say(CHANNEL_NAMES[state.channel]); } },
  { name: 'Outlines of what changed', keys: ['o'], run: () => change({ areas: !state.areas }) },
  { name: 'Next area of change; of a film the next frame', keys: ['.'], run: () => nextArea(1) },
  { name: 'Area of change before; of a film the frame before', keys: [','], run: () => nextArea(-1) },
  { name: 'Play a film, or stop', keys: ['l'], run: playOrStop },
  { name: 'Next span of a film that changed', keys: ['s'], run: nextSpan },
  { name: 'Next asset', keys: ['j'], run: () => go(1) },
  { name: 'Asset before', keys: ['k'], run: () => go(-1) },
  { name: 'Later version', keys: ['n'], run: () => turn(1) },
  { name: 'Earlier version', keys: ['p'], run: () => turn(-1) },
  { name: 'Only the picture', keys: ['f'], shown: 'F, Tab on the picture', run: () => change({ panels: !state.panels }) },
  { name: 'Light or dark', keys: ['t'], run: scheme },
  { name: 'Back', keys: ['Escape'], shown: 'Esc', run: toGallery },
  { name: 'Find an action or an asset', keys: ['/'], shown: 'Ctrl K, /', run: () => palette() },
  { name: 'All keys', keys: ['?'], run: () => help() },
];

let dialog = null;

function close() {
  if (!dialog) return;
  dialog.close();
  dialog.remove();
  dialog = null;
  stage.focus({ preventScroll: true });
}

function show(label, ...children) {
  close();
  dialog = el('dialog', { class: 'sheet', 'aria-label': label, oncancel: (event) => { event.preventDefault(); close(); }, onclick: (event) => { if (event.target === dialog) close(); } }, children);
  app.append(dialog);
  dialog.showModal();
}

const keyOf = (action) => action.shown || action.keys[0].toUpperCase();

export function help() {
  const rows = ACTIONS.filter((action) => action.name).map((action) => el('div', { class: 'key' }, el('span', {}, action.name), el('kbd', {}, keyOf(action))));
  show('All keys', el('h2', {}, 'Keys'), el('div', { class: 'keys' }, rows),
    el('p', { class: 'quiet' }, 'On a touch screen, hold a finger still to look through the lens. In the film strip, Shift and a click choose A.'),
    el('button', { class: 'plain', type: 'button', onclick: close }, 'Close'));
}

export function palette() {
  const found = [
    ...ACTIONS.filter((action) => action.name && !action.name.includes('while held')).map((action) => ({ name: action.name, note: keyOf(action), run: action.run })),
    ...CHANNELS.map((channel) => ({ name: `Channel: ${CHANNEL_NAMES[channel]}`, note: '', run: () => change({ channel }) })),
    ...(data.assets.length > 1 ? data.assets.map((it, number) => ({
      name: it.name, note: verdict(it), run: () => (it.href ? location.assign(it.href) : change(opened(number))),
    })) : []),
  ];
  let shown = [];
  let at = 0;
  const list = el('ul', { class: 'found', role: 'listbox', id: 'found', 'aria-label': 'Found' });
  const input = el('input', { class: 'ask', type: 'text', placeholder: 'Find an action or an asset', 'aria-label': 'Find an action or an asset', role: 'combobox', 'aria-expanded': 'true', 'aria-controls': 'found', autocomplete: 'off', spellcheck: 'false' });
  const run = (item) => { close(); if (item) item.run(); };
  const refresh = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = found.filter((item) => words.every((word) => item.name.toLowerCase().includes(word))).slice(0, 12);
    at = Math.min(at, Math.max(0, shown.length - 1));
    fill(list, shown.map((item, number) => el('li', { role: 'option', id: `found-${number}`, 'aria-selected': String(number === at), onclick: () => run(item) },
      el('span', {}, item.name), el('span', { class: 'quiet' }, item.note))));
    input.setAttribute('aria-activedescendant', shown.length ? `found-${at}` : '');
  };
  input.addEventListener('input', () => { at = 0; refresh(); });
  input.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      at = (at + (event.key === 'ArrowDown' ? 1 : shown.length - 1)) % Math.max(1, shown.length);
      refresh();
      event.preventDefault();
    } else if (event.key === 'Enter') {
      run(shown[at]);
      event.preventDefault();
    }
  });
  show('Find an action or an asset', input, list);
  refresh();
  input.focus();
}

export function setUpKeys() {
  let pointed = false;
  addEventListener('pointerdown', (event) => { pointed = stage.contains(event.target); }, true);
  addEventListener('keydown', (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      palette();
      event.preventDefault();
      return;
    }
    if (dialog && event.key === 'Escape') {
      close();
      event.preventDefault();
      return;
    }
    if (dialog || event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest && event.target.closest('input, select, textarea');
    if (typing && event.key !== 'Escape' && event.target.type !== 'checkbox') return;
    if (event.key === 'Tab') {
      // Who points and then presses Tab wants the panels gone; who walks by keys wants the next control.
      if (pointed && !event.shiftKey) {
        change({ panels: !state.panels });
        event.preventDefault();
      }
      return;
    }
    const button = event.target.closest && event.target.closest('button, a, summary');
    if (button && (event.key === ' ' || event.key === 'Enter') && !button.matches('.tile, .still')) return;
    const held = event.key === ' ';
    if (held) document.documentElement.classList.add('through');
    const action = ACTIONS.find((it) => it.keys.includes(event.key.length === 1 ? event.key.toLowerCase() : event.key));
    if (!action || (event.repeat && held)) {
      if (held) event.preventDefault();
      return;
    }
    if (asset() || ['Escape', '/', '?', 't', ' '].includes(event.key)) {
      event.preventDefault();
      action.run();
    }
  });
  const release = () => { document.documentElement.classList.remove('through'); look(false); };
  addEventListener('keyup', (event) => { if (event.key === ' ') release(); });
  addEventListener('blur', release);
}
