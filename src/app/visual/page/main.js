// Puts the page together.
import { el, fill, data, app, voice } from './dom.js'
import { verdict } from './words.js'
import { state, change, asset, heard, begin, areMany, isLight, MODES, CHANNELS } from './state.js'
import { stage, readoutOf, scale, setUpViewer } from './viewer.js'
import { timeline, setUpTimeline } from './timeline.js'
import { gallery, strip, setUpGallery } from './gallery.js'
import { panel, setUpPanel } from './panel.js'
import { MODE_NAMES, CHANNEL_NAMES, help, palette, toGallery, setUpKeys } from './actions.js'

function button(label, run, properties) {
  return el('button', { class: 'plain', type: 'button', onclick: run, ...properties }, label);
}

function slider(label, key, low, high, step, shown) {
  const value = el('output', {});
  const input = el('input', { type: 'range', min: low, max: high, step, 'aria-label': label, oninput: () => change({ [key]: Number(input.value) }) });
  const made = el('label', { class: 'slider' }, el('span', {}, label), input, value);
  const refresh = () => { input.value = state[key]; value.textContent = shown(state[key]); };
  heard(refresh);
  return made;
}

const modes = el('div', { class: 'modes', role: 'toolbar', 'aria-label': 'Ways of comparing' },
  MODES.map((mode) => button(MODE_NAMES[mode], () => change({ mode }), { 'data-mode': mode })));
const channels = el('select', { 'aria-label': 'Channel', onchange: () => change({ channel: channels.value }) },
  CHANNELS.map((channel) => el('option', { value: channel }, CHANNEL_NAMES[channel])));
const edges = el('input', { type: 'checkbox', onchange: () => change({ antialias: !edges.checked }) });
const part = (value) => `${Math.round(value * 100)}%`;
const wipe = slider('Divider', 'at', 0, 1, 0.01, part);
const blend = slider('Blend', 'at', 0, 1, 0.01, part);
wipe.classList.add('lone');
blend.classList.add('lone');
const threshold = slider('Threshold', 'threshold', 0, 0.3, 0.005, (value) => value.toFixed(3));
const amplify = slider('Amplify', 'amplify', 0, 32, 1, (value) => (value ? `× ${value}` : 'marks'));
const stops = (value) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value)}`;
const exposure = slider('Exposure', 'exposure', -12, 12, 0.25, stops);
const counted = el('label', { class: 'check' }, edges, 'Softened edges');
const rows = slider('Size', 'size', 80, 480, 10, () => '');

const title = el('h1', {});
const figure = el('span', { class: 'quiet' });
const back = button('‹ All', toGallery, { 'aria-label': 'Back to all assets' });
const what = button('What changed', () => change({ panels: !state.panels }), { class: 'plain sheet-button' });
const zoomed = button('', () => change({ zoom: 0 }), { title: 'Fit the picture' });
const head = el('header', { class: 'head' }, back, el('div', { class: 'heading' }, title, figure), el('span', { class: 'space' }), rows,
  what, button('Find', palette, { class: 'plain wide', title: 'Ctrl K' }), button('Keys', help, { class: 'plain wide', title: '?' }));
const foot = el('footer', { class: 'foot' }, modes, el('div', { class: 'settings' }, wipe, blend, threshold, amplify, counted, exposure),
  el('span', { class: 'space' }), readoutOf(), channels, zoomed);
const work = el('main', { class: 'work' }, stage, panel);

function heading() {
  const there = asset();
  const kinds = { diff: 'What changed', log: 'History', together: 'Side by side' };
  const name = there && data.kind !== 'together' ? there.name : '';
  title.textContent = name || kinds[data.kind];
  // The panel that says so may be closed.
  const alone = there && there.change && there.change.layers[state.layer];
  figure.textContent = alone ? `${alone.name} alone` : there ? verdict(there) : data.title;
  document.title = `${name || data.title || kinds[data.kind]} – Pentimento`;
}

function refresh() {
  const there = asset();
  const pair = there && there.states.length > 1 && state.a !== state.b;
  document.documentElement.dataset.theme = state.theme;
  document.documentElement.classList.toggle('bare', !state.panels);
  gallery.hidden = Boolean(there);
  work.hidden = foot.hidden = !there;
  back.hidden = !there || (data.assets.length === 1 && !data.home);
  what.hidden = !there;
  rows.hidden = Boolean(there);
  modes.hidden = !pair;
  foot.dataset.mode = pair ? state.mode : '';
  [...modes.children].forEach((it) => {
    it.hidden = it.dataset.mode === 'all' && !areMany();
    it.setAttribute('aria-pressed', String(it.dataset.mode === state.mode));
  });
  wipe.hidden = !pair || state.mode !== 'swipe';
  blend.hidden = !pair || state.mode !== 'onion';
  threshold.hidden = amplify.hidden = counted.hidden = !pair || state.mode !== 'difference';
  exposure.hidden = !isLight();
  edges.checked = !state.antialias;
  channels.value = state.channel;
  heading();
}

stage.addEventListener('drawn', () => {
  const text = `${Math.round(scale() * devicePixelRatio * 100)}%`;
  if (zoomed.textContent !== text) zoomed.textContent = text;
});
setUpViewer();
setUpTimeline();
setUpGallery();
setUpPanel();
setUpKeys();
heard(refresh);
fill(app, head, gallery, work, timeline, strip, foot, voice());
begin();
document.documentElement.dataset.ready = 'yes';
