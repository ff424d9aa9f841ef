// Many assets: small pictures in rows, each as high as the others and as wide as it is. And many
// states of one: a film strip.
import { el, fill, data, calm } from './dom.js'
import { verdict, version, byline } from './words.js'
import { state, change, asset, opened, heard } from './state.js'
import { thumb } from './pictures.js'
import { stage } from './viewer.js'

const GROW_MS = 150;
export const gallery = el('main', { class: 'gallery', 'aria-label': 'Assets that differ' });
export const strip = el('div', { class: 'strip', role: 'group', 'aria-label': 'Versions' });

// Two pictures on each other: the earlier shows through a lens while the key is held.
function layered(now, earlier, label) {
  const frame = el('span', { class: 'frame' }, thumb(now, label));
  const under = thumb(earlier, '');
  if (under) {
    under.className = 'earlier';
    frame.append(under);
    frame.addEventListener('pointermove', (event) => {
      const box = frame.getBoundingClientRect();
      under.style.setProperty('--x', `${event.clientX - box.left}px`);
      under.style.setProperty('--y', `${event.clientY - box.top}px`);
    });
  }
  const shown = now || earlier;
  frame.style.background = `rgb(${shown.colour.join(' ')})`;
  const whole = frame.querySelector('img');
  if (whole) whole.decode().then(() => { frame.style.background = ''; }, () => {});
  frame.style.aspectRatio = `${shown.width || 4} / ${shown.height || 3}`;
  return frame;
}

function ratio(there) {
  const last = there.states[there.states.length - 1];
  return Math.min(4, Math.max(0.3, last && last.height ? last.width / last.height : 1.4));
}

function tile(there, number) {
  const [first, last] = [there.states[0], there.states[there.states.length - 1]];
  const words = verdict(there);
  const picture = last ? layered(last, there.states.length > 1 ? first : null, '') : el('span', { class: 'frame' });
  const caption = el('span', { class: 'caption' }, el('span', { class: 'name' }, there.name), el('span', { class: 'figure' }, words));
  const label = `${there.name}: ${words}`;
  const made = there.href
    ? el('a', { class: 'tile', href: there.href, 'aria-label': label }, picture, caption)
    : el('button', { class: 'tile', type: 'button', 'aria-label': label, onclick: () => open(number, picture) }, picture, caption);
  made.style.setProperty('--ratio', String(ratio(there)));
  return made;
}

// A small picture grows into its place on the stage, so that the eye keeps it.
function open(number, from) {
  const there = from && from.getBoundingClientRect();
  const source = from && from.querySelector('img');
  change(opened(number));
  stage.focus({ preventScroll: true });
  if (!there || !source || calm.matches || !source.animate) return;
  const ghost = source.cloneNode();
  ghost.className = 'ghost';
  document.body.append(ghost);
  const to = stage.getBoundingClientRect();
  const grown = Math.min(to.width / there.width, to.height / there.height) * 0.9;
  const [x, y] = [to.left + to.width / 2 - there.left - there.width / 2, to.top + to.height / 2 - there.top - there.height / 2];
  Object.assign(ghost.style, { left: `${there.left}px`, top: `${there.top}px`, width: `${there.width}px`, height: `${there.height}px` });
  const steps = [{ transform: 'none', opacity: 1 }, { transform: `translate(${x}px, ${y}px) scale(${grown})`, opacity: 0.2 }];
  const played = ghost.animate(steps, { duration: GROW_MS, easing: 'ease-out' });
  played.onfinish = () => ghost.remove();
}

function frames() {
  const there = asset();
  strip.hidden = !there || there.states.length < 3 || state.mode === 'all';
  if (strip.hidden) {
    fill(strip);
    return;
  }
  if (strip.dataset.asset !== String(state.asset)) {
    strip.dataset.asset = String(state.asset);
    fill(strip, there.states.map((it, number) => el('button', {
      class: 'still',
      type: 'button',
      title: `${version(it)}, ${byline(it)}`,
      onclick: (event) => change(event.shiftKey || event.altKey ? { a: number } : { b: number, a: event.ctrlKey ? state.a : Math.max(0, number - 1) }),
    }, layered(it, there.states[number - 1] || null, ''), el('span', { class: 'number' }, it.version && data.kind === 'log' ? String(it.version) : String(number + 1)),
    el('span', { class: 'mark', 'aria-hidden': 'true' }))));
  }
  [...strip.children].forEach((still, number) => {
    const mark = [number === state.a && 'A', number === state.b && 'B'].filter(Boolean).join('');
    still.lastChild.textContent = mark;
    still.classList.toggle('chosen', mark !== '');
    still.setAttribute('aria-label', `${version(there.states[number])}, ${byline(there.states[number])}${mark ? `, shown as ${mark}` : ''}`);
    if (number === state.b) still.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  });
}

export function setUpGallery() {
  fill(gallery, el('div', { class: 'rows' }, data.assets.map(tile), el('span', { class: 'rest' })));
  heard(() => {
    gallery.style.setProperty('--row', `${state.size}px`);
    frames();
  });
}
