// The stage: two pictures by one transform, in all the ways of comparing.
import { el, fill, say, calm, data } from './dom.js'
import { version, byline, percent, hasGlyphs } from './words.js'
import { state, change, asset, heard, film, foundNow, isLight } from './state.js'
import { picture, frameOf, exposed, channel, canvas, colour, hex, distance } from './pictures.js'
import { differ } from './difference.js'

const MARGIN = 20;
// Above a picture its label stands.
const ABOVE = 44;
const GUTTER = 4;
const LENS = 96;
const BLINK_MS = 700;
const PRESS_MS = 350;

const surface = el('canvas', { class: 'surface', 'aria-hidden': 'true' });
const labelA = el('div', { class: 'label' });
const labelB = el('div', { class: 'label' });
const tags = el('div', {});
const missing = el('p', { class: 'missing' });
const readout = el('div', { class: 'readout' });
export const stage = el('div', { class: 'stage', tabindex: '0', role: 'img' }, surface, labelA, labelB, tags, missing);
const context = surface.getContext('2d');

// The pictures at hand: a and b as they are, and in the chosen channel.
let held = { key: '', a: null, b: null, all: [], shownA: null, shownB: null, shownAll: [], width: 1, height: 1, stretched: false };
let difference = { key: '', canvas: null, changed: 0, total: 1 };
let pointer = null;
let through = false;
let second = false;
let timer = 0;
let wish = 0;
let frame = 0;

export function readoutOf() {
  return readout;
}

function statesOf() {
  const there = asset();
  return there ? [there.states[state.a], there.states[state.b]] : [null, null];
}

// All pictures at once, where that is the way of comparing.
function isAll() {
  return state.mode === 'all';
}

function proportional(one, other) {
  const [small, large] = one.width < other.width ? [one, other] : [other, one];
  return small.width < large.width && small.height < large.height
    && Math.abs(large.height * small.width / large.width - small.height) <= 1;
}

// Gets the pictures that the state asks for; an earlier wish gives way to a later one.
async function fetchPictures() {
  const there = asset();
  if (!there) return;
  const played = Boolean(film());
  const stops = isLight() ? state.exposure : 0;
  const key = [state.asset, state.a, state.b, state.layer, played ? state.moment : '', stops, isAll()].join('/');
  const [one, other] = statesOf();
  if (held.key !== key) {
    wish += 1;
    const mine = wish;
    const numbers = isAll() ? there.states.map((_, number) => number) : [state.a, state.b];
    const wanted = played ? [0, 1].map((which) => frameOf(state.asset, which, state.moment))
      : numbers.map(async (number) => (stops && await exposed(state.asset, number, stops)) || picture(state.asset, number, state.layer));
    const found = await Promise.all(wanted.map((promise) => promise.catch(() => null)));
    if (mine !== wish) return;
    const [a, b] = isAll() ? [found[state.a], found[state.b]] : found;
    const stretched = !isAll() && proportional(one, other);
    const size = (part) => Math.max(...(isAll() ? there.states : [one, other]).map((it) => it[part]), 1);
    held = { key, a, b, all: isAll() ? found : [], width: size('width'), height: size('height'), stretched };
  }
  stage.dataset.exposure = String(stops);
  stage.dataset.moment = played ? String(state.moment) : '';
  held.shownA = channel(held.a, state.channel);
  held.shownB = held.b === held.a ? held.shownA : channel(held.b, state.channel);
  held.shownAll = held.all.map((bitmap) => channel(bitmap, state.channel));
  difference.key = '';
  label();
  draw();
}

function sizeOf(which) {
  if (held.stretched) return [held.width, held.height];
  const there = (isAll() ? asset().states : statesOf())[which];
  return [there.width || 1, there.height || 1];
}

// Panes in rows, as many beside each other as makes the pictures largest.
function grid(count, width, height) {
  const sizes = Array.from({ length: count }, (_, at) => {
    const [columns, rows] = [at + 1, Math.ceil(count / (at + 1))];
    return { columns, width: (width - (columns - 1) * GUTTER) / columns, height: (height - (rows - 1) * GUTTER) / rows };
  });
  const best = sizes.reduce((one, other) => (fit(other.width, other.height) > fit(one.width, one.height) ? other : one));
  return Array.from({ length: count }, (_, at) => ({
    x: (at % best.columns) * (best.width + GUTTER), y: Math.floor(at / best.columns) * (best.height + GUTTER), width: best.width, height: best.height,
  }));
}

// The panes of the stage in CSS pixels.
function panes() {
  const [width, height] = [stage.clientWidth, stage.clientHeight];
  if (isAll()) return grid(asset().states.length, width, height);
  if (state.mode !== 'side' || state.a === state.b) return [{ x: 0, y: 0, width, height }];
  const across = [(width - GUTTER) / 2, height];
  const down = [width, (height - GUTTER) / 2];
  if (fit(...across) >= fit(...down)) {
    return [0, across[0] + GUTTER].map((x) => ({ x, y: 0, width: across[0], height }));
  }
  return [0, down[1] + GUTTER].map((y) => ({ x: 0, y, width, height: down[1] }));
}

function fit(width, height) {
  return Math.max(0.001, Math.min((width - 2 * MARGIN) / held.width, (height - ABOVE - MARGIN) / held.height, 8));
}

export function scale() {
  const [pane] = panes();
  return state.zoom || fit(pane.width, pane.height);
}

function place(pane) {
  const s = scale();
  const [x, y] = state.zoom ? [state.x, state.y] : [0.5, 0.5];
  const middle = middleOf(pane);
  return { s, left: middle.x - x * held.width * s, top: middle.y - y * held.height * s };
}

function middleOf(pane) {
  return { x: pane.x + pane.width / 2, y: pane.y + (pane.height + (state.zoom ? 0 : ABOVE - MARGIN)) / 2 };
}

let chequers = null;

function ground(left, top, width, height) {
  if (!chequers || chequers.theme !== getComputedStyle(stage).getPropertyValue('--chequer')) {
    const tones = ['--chequer', '--chequer-two'].map((name) => getComputedStyle(stage).getPropertyValue(name));
    const [tile, paint] = canvas(16, 16);
    paint.fillStyle = tones[0];
    paint.fillRect(0, 0, 16, 16);
    paint.fillStyle = tones[1];
    paint.fillRect(0, 0, 8, 8);
    paint.fillRect(8, 8, 8, 8);
    chequers = { theme: tones[0], pattern: context.createPattern(tile, 'repeat') };
  }
  context.fillStyle = chequers.pattern;
  context.fillRect(left, top, width, height);
}

function paint(pane, bitmap, which, alpha) {
  if (!bitmap) return;
  const { s, left, top } = place(pane);
  const [width, height] = sizeOf(which);
  context.save();
  context.beginPath();
  context.rect(pane.x, pane.y, pane.width, pane.height);
  context.clip();
  context.globalAlpha = 1;
  const shown = s * width / bitmap.width * devicePixelRatio;
  context.imageSmoothingEnabled = shown < 2;
  context.imageSmoothingQuality = 'high';
  if (alpha === undefined) ground(left, top, width * s, height * s);
  context.globalAlpha = alpha === undefined ? 1 : alpha;
  context.drawImage(bitmap, left, top, width * s, height * s);
  context.restore();
}

function accent() {
  return getComputedStyle(stage).getPropertyValue('--accent');
}

// Boxes around what changed, in the colour that says: look here.
function outline(pane) {
  const there = asset();
  const found = foundNow();
  // In a specimen all letters behind a wider one stand elsewhere; which glyphs changed is told beside it.
  if (!there || (there.change && hasGlyphs(there.change)) || !state.areas || !found || state.layer >= 0 || state.channel !== 'colour') return;
  const { s, left, top } = place(pane);
  const factor = held.width / found.width * s;
  context.save();
  context.beginPath();
  context.rect(pane.x, pane.y, pane.width, pane.height);
  context.clip();
  context.strokeStyle = accent();
  context.lineWidth = 1.5;
  for (const area of found.regions) {
    const gap = 4;
    context.strokeRect(left + area.x * factor - gap, top + area.y * factor - gap,
      area.width * factor + 2 * gap, area.height * factor + 2 * gap);
  }
  context.restore();
}

// The earlier picture through a soft round glass under the pointer.
function lens(pane, bitmap, which) {
  if (!bitmap || !pointer) return;
  const ratio = devicePixelRatio;
  const [glass, inside] = canvas(2 * LENS * ratio, 2 * LENS * ratio);
  const { s, left, top } = place(pane);
  const [width, height] = sizeOf(which);
  inside.scale(ratio, ratio);
  inside.fillStyle = getComputedStyle(stage).getPropertyValue('--ground');
  inside.fillRect(0, 0, 2 * LENS, 2 * LENS);
  inside.translate(left - pointer.x + LENS, top - pointer.y + LENS);
  inside.fillStyle = getComputedStyle(stage).getPropertyValue('--chequer');
  inside.fillRect(0, 0, width * s, height * s);
  inside.imageSmoothingEnabled = s * width / bitmap.width * ratio < 2;
  inside.drawImage(bitmap, 0, 0, width * s, height * s);
  inside.setTransform(1, 0, 0, 1, 0, 0);
  inside.globalCompositeOperation = 'destination-in';
  const middle = LENS * ratio;
  const soft = inside.createRadialGradient(middle, middle, middle * 0.72, middle, middle, middle);
  soft.addColorStop(0, '#000');
  soft.addColorStop(1, '#0000');
  inside.fillStyle = soft;
  inside.fillRect(0, 0, glass.width, glass.height);
  context.save();
  context.beginPath();
  context.rect(pane.x, pane.y, pane.width, pane.height);
  context.clip();
  context.drawImage(glass, pointer.x - LENS, pointer.y - LENS, 2 * LENS, 2 * LENS);
  context.strokeStyle = '#ffffff40';
  context.lineWidth = 1;
  context.beginPath();
  context.arc(pointer.x, pointer.y, LENS * 0.86, 0, 7);
  context.stroke();
  context.restore();
}

function divider(pane) {
  const x = Math.round(pane.x + state.at * pane.width) + 0.5;
  const middle = pane.y + pane.height / 2;
  for (const [width, tone] of [[3, '#0008'], [1, '#fff']]) {
    context.strokeStyle = tone;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(x, pane.y);
    context.lineTo(x, pane.y + pane.height);
    context.stroke();
  }
  context.fillStyle = '#fff';
  context.strokeStyle = '#0008';
  context.lineWidth = 1;
  context.beginPath();
  context.arc(x, middle, 13, 0, 7);
  context.fill();
  context.stroke();
  context.fillStyle = '#222';
  for (const side of [-1, 1]) {
    context.beginPath();
    context.moveTo(x + side * 8, middle);
    context.lineTo(x + side * 3, middle - 4);
    context.lineTo(x + side * 3, middle + 4);
    context.fill();
  }
}

function isDark() {
  return state.theme ? state.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

async function refreshDifference() {
  const { width, height, stretched, a, b } = held;
  if (!a || !b) return;
  const shrink = Math.min(1, a.width / sizeOf(0)[0]);
  const [wide, high] = [Math.round(width * shrink), Math.round(height * shrink)];
  const options = { width: wide, height: high, stretched, threshold: state.threshold, amplify: state.amplify, antialias: state.antialias, dark: isDark() };
  const key = JSON.stringify([held.key, options, state.channel]);
  if (difference.key === key) return;
  difference.key = key;
  const wanted = () => difference.key === key;
  const slow = setTimeout(() => { if (wanted()) say('Comparing'); }, 400);
  const found = await differ(held.shownA, held.shownB, options, wanted);
  clearTimeout(slow);
  if (!found || !wanted()) return;
  difference = { key, ...found };
  stage.dataset.changed = String(found.changed);
  label();
  draw();
}

function drawNow() {
  frame = 0;
  if (!asset()) return;
  const ratio = devicePixelRatio;
  const [width, height] = [stage.clientWidth, stage.clientHeight];
  if (surface.width !== Math.round(width * ratio) || surface.height !== Math.round(height * ratio)) {
    surface.width = Math.round(width * ratio);
    surface.height = Math.round(height * ratio);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const all = panes();
  const [first, last] = [all[0], all[all.length - 1]];
  const { shownA, shownB } = held;
  const only = isAll() || state.a === state.b || !shownA || !shownB;
  if (isAll()) {
    all.forEach((pane, number) => paint(pane, held.shownAll[number], number));
  } else if (only) {
    paint(first, shownB || shownA, shownB ? 1 : 0);
  } else if (state.mode === 'side') {
    paint(first, shownA, 0);
    paint(last, shownB, 1);
    outline(last);
  } else if (state.mode === 'swipe') {
    paint(first, shownB, 1);
    const part = { ...first, width: first.width * state.at };
    context.save();
    context.beginPath();
    context.rect(part.x, part.y, part.width, part.height);
    context.clip();
    context.clearRect(part.x, part.y, part.width, part.height);
    paint(first, shownA, 0);
    context.restore();
    outline(first);
    divider(first);
  } else if (state.mode === 'onion') {
    paint(first, shownA, 0);
    paint(first, shownB, 1, state.at);
  } else if (state.mode === 'blink') {
    paint(first, second ? shownB : shownA, second ? 1 : 0);
  } else if (state.mode === 'difference') {
    refreshDifference();
    paint(first, difference.canvas || shownB, 1);
    if (!difference.canvas) paint(first, shownB, 1);
  } else {
    paint(first, shownB, 1);
    if (!through) lens(first, shownA, 0);
  }
  if (through && !only) {
    const under = all.find((pane) => pointer && pointer.x < pane.x + pane.width && pointer.y < pane.y + pane.height) || first;
    const older = state.mode === 'side' && under === first && all.length > 1 ? [shownB, 1] : [shownA, 0];
    lens(under, ...older);
  }
  labels(all);
  stage.dispatchEvent(new Event('drawn'));
}

export function draw() {
  if (!frame) frame = requestAnimationFrame(drawNow);
}

function captionOf(there, mark) {
  const line = el('span', { class: 'by' }, byline(there));
  return [el('span', { class: 'mark', 'aria-hidden': 'true' }, mark), el('span', { class: 'title' }, version(there)), line];
}

// Says on the stage which picture is which, and to screen readers what there is to see.
function label() {
  const there = asset();
  if (!there) return;
  const [one, other] = statesOf();
  fill(labelA, captionOf(one, 'A'));
  fill(labelB, captionOf(other, 'B'));
  fill(tags, isAll() ? there.states.map((it, number) => el('div', { class: 'label' }, captionOf(it, String(number + 1)))) : []);
  const none = isAll() ? held.all.map((bitmap, number) => (bitmap ? null : version(there.states[number]))).filter(Boolean) : [held.a ? null : version(one), held.b || one === other ? null : version(other)].filter(Boolean);
  const absent = held.key !== '' && none.length > 0;
  missing.hidden = !absent;
  missing.textContent = absent ? `${none.join(' and ')}: ${state.layer >= 0 ? 'no pixels of this layer' : film() ? 'this frame is not there' : 'no picture'}` : '';
  const found = foundNow();
  const words = isAll() ? there.states.map(version) : [there.name, `A: ${version(one)}, ${byline(one)}`, `B: ${version(other)}, ${byline(other)}`];
  if (found && !isAll()) words.push(`${percent(found.changed_percent)} of it changed`);
  stage.setAttribute('aria-label', words.join('. '));
}

function labels(all) {
  [...tags.children].forEach((tag, number) => {
    const pane = all[number] || all[0];
    [tag.style.left, tag.style.top, tag.style.maxWidth] = [`${pane.x + 12}px`, `${pane.y + 12}px`, `${pane.width - 24}px`];
  });
  if (isAll()) {
    labelA.hidden = labelB.hidden = true;
    return;
  }
  const split = all.length > 1;
  const only = state.a === state.b;
  labelA.hidden = only || (state.mode === 'blink' && second);
  labelB.hidden = state.mode === 'blink' && !second && !only;
  const last = all[all.length - 1];
  labelA.style.left = '12px';
  labelA.style.top = '12px';
  labelB.style.top = `${(split ? last.y : 0) + 12}px`;
  const beside = state.mode === 'difference' || state.mode === 'swipe' || state.mode === 'onion' || state.mode === 'lens';
  labelB.style.left = beside && !only ? 'auto' : `${(split ? last.x : 0) + 12}px`;
  labelB.style.right = beside && !only ? '12px' : 'auto';
}

// A place of the stage in pixels of the picture, and the pane that it is in.
function spot(x, y) {
  const all = panes();
  const pane = all.find((it) => x < it.x + it.width && y < it.y + it.height) || all[0];
  const { s, left, top } = place(pane);
  return { x: (x - left) / s, y: (y - top) / s };
}

// Zooms so that what is under a point of the stage stays there.
export function zoomBy(factor, at) {
  const all = panes();
  const { x, y } = at || { x: all[0].x + all[0].width / 2, y: all[0].y + all[0].height / 2 };
  const pane = all.find((it) => x < it.x + it.width && y < it.y + it.height) || all[0];
  const under = spot(x, y);
  const half = { x: pane.x + pane.width / 2, y: pane.y + pane.height / 2 };
  const s = Math.min(64, Math.max(0.02, scale() * factor));
  change({
    zoom: s,
    x: (under.x - (x - half.x) / s) / held.width,
    y: (under.y - (y - half.y) / s) / held.height,
  });
}

export function panBy(x, y) {
  const s = scale();
  const [fromX, fromY] = state.zoom ? [state.x, state.y] : [0.5, 0.5 - (ABOVE - MARGIN) / 2 / s / held.height];
  change({ zoom: s, x: fromX - x / s / held.width, y: fromY - y / s / held.height });
}

export function actualPixels(at) {
  zoomBy(1 / devicePixelRatio / scale(), at);
}

// Shows one area of change as large as it makes sense.
export function showArea(area) {
  const found = foundNow();
  const factor = held.width / found.width;
  const [pane] = panes();
  const room = Math.min(pane.width / (area.width * factor + 80), pane.height / (area.height * factor + 80));
  const zoom = Math.min(8, Math.max(0.05, room * 0.8));
  const [x, y] = [(area.x + area.width / 2) / found.width, (area.y + area.height / 2) / found.height];
  change({ zoom, x, y, layer: -1 });
}

export function look(on) {
  if (through === on) return;
  through = on;
  stage.classList.toggle('through', on);
  if (on) say(`Through the lens: ${version(statesOf()[0])}`);
  draw();
}

export function flip() {
  second = !second;
  label();
  draw();
}

function blink() {
  clearInterval(timer);
  timer = 0;
  if (state.mode === 'blink' && asset() && !calm.matches) timer = setInterval(flip, BLINK_MS);
}

function tell(at) {
  const where = spot(at.x, at.y);
  const inside = where.x >= 0 && where.y >= 0 && where.x < held.width && where.y < held.height;
  if (!inside || !asset()) {
    fill(readout);
    return;
  }
  const pick = (bitmap, which) => {
    if (!bitmap) return null;
    const [width, height] = sizeOf(which);
    return colour(bitmap, where.x * bitmap.width / width, where.y * bitmap.height / height);
  };
  const chip = (value, mark) => {
    if (!value) return null;
    const dot = el('span', { class: 'chip', 'aria-hidden': 'true' });
    dot.style.background = `rgb(${value.slice(0, 3).join(' ')} / ${value[3] / 255})`;
    return el('span', { class: 'pick' }, mark, dot, el('span', { class: 'code' }, hex(value)));
  };
  const code = el('span', { class: 'code' }, `${Math.floor(where.x)}, ${Math.floor(where.y)}`);
  if (isAll()) {
    fill(readout, code, held.all.slice(0, 4).map((bitmap, number) => chip(pick(bitmap, number), String(number + 1))));
    return;
  }
  const [one, other] = [pick(held.a, 0), pick(held.b, 1)];
  const far = one && other ? distance(one, other) : 0;
  fill(readout, code,
    state.a === state.b ? chip(other, '') : [chip(one, 'A'), chip(other, 'B'), one && other && el('span', {}, `ΔE ${far.toFixed(1)}`)]);
}

function local(event) {
  const box = stage.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

// Fingers and mice: pan, pinch, the divider, and a long press for the lens.
function gestures() {
  const down = new Map();
  let wiping = false;
  let moved = false;
  let press = 0;
  stage.addEventListener('pointerdown', (event) => {
    const at = local(event);
    pointer = at;
    down.set(event.pointerId, at);
    stage.setPointerCapture(event.pointerId);
    moved = false;
    const near = Math.abs(at.x - state.at * stage.clientWidth) < 28;
    wiping = down.size === 1 && ((state.mode === 'swipe' && (near || !state.zoom)) || (state.mode === 'onion' && !state.zoom));
    clearTimeout(press);
    if (event.pointerType === 'touch' && down.size === 1) press = setTimeout(() => { if (!moved) look(true); }, PRESS_MS);
    if (wiping && !near && state.mode === 'swipe' && event.pointerType !== 'touch') change({ at: at.x / stage.clientWidth });
    tell(at);
  });
  stage.addEventListener('pointermove', (event) => {
    const at = local(event);
    pointer = at;
    const was = down.get(event.pointerId);
    if (!was) {
      tell(at);
      if (through || state.mode === 'lens') draw();
      return;
    }
    if (Math.hypot(at.x - was.x, at.y - was.y) > 3) moved = true;
    if (down.size === 2) {
      const other = [...down.entries()].find(([id]) => id !== event.pointerId)[1];
      const [before, after] = [was, at].map((it) => Math.hypot(it.x - other.x, it.y - other.y));
      if (before > 0) zoomBy(after / before, { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
    } else if (through || state.mode === 'lens') {
      draw();
    } else if (wiping) {
      change({ at: at.x / stage.clientWidth });
    } else if (moved) {
      panBy(at.x - was.x, at.y - was.y);
    }
    if (!(down.size === 1 && !moved)) down.set(event.pointerId, at);
    if (moved) clearTimeout(press);
    tell(at);
  });
  const up = (event) => {
    down.delete(event.pointerId);
    clearTimeout(press);
    if (event.pointerType === 'touch') look(false);
  };
  stage.addEventListener('pointerup', up);
  stage.addEventListener('pointercancel', up);
  stage.addEventListener('pointerleave', () => { fill(readout); if (state.mode === 'lens') { pointer = null; draw(); } });
  stage.addEventListener('dblclick', (event) => { if (state.zoom) change({ zoom: 0 }); else actualPixels(local(event)); });
  stage.addEventListener('wheel', (event) => {
    event.preventDefault();
    const notch = event.deltaMode === 1 || (event.deltaX === 0 && Math.abs(event.deltaY) >= 50);
    if (event.ctrlKey || notch) zoomBy(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.06 : event.ctrlKey ? 0.01 : 0.002)), local(event));
    else panBy(-event.deltaX, -event.deltaY);
  }, { passive: false });
}

const PICTURED = ['asset', 'a', 'b', 'layer', 'moment', 'channel', 'exposure'];
let before = '';

export function setUpViewer() {
  gestures();
  new ResizeObserver(draw).observe(stage);
  calm.addEventListener('change', blink);
  heard(() => {
    const now = [...PICTURED.map((key) => state[key]), isAll()].join('/');
    if (now !== before) {
      before = now;
      fetchPictures();
    }
    if (Boolean(timer) !== (state.mode === 'blink') || !asset()) blink();
    stage.dataset.mode = state.mode;
    if (state.mode !== 'difference') difference.key = '';
    draw();
  });
  return data;
}

// The centre of the stage stands for the pointer where only keys are used.
export function pointAtMiddle() {
  if (!pointer) pointer = { x: stage.clientWidth / 2, y: stage.clientHeight / 2 };
}
