// What changed, in figures and words, beside the picture.
import { el, fill, svg } from './dom.js'
import { version, byline, measure, percent, count, edit, clock, louder, hasGlyphs } from './words.js'
import { state, change, asset, heard, momentOf } from './state.js'
import { showArea } from './viewer.js'

export const panel = el('aside', { class: 'panel', 'aria-label': 'What changed' });

function section(title, ...children) {
  return el('section', {}, title && el('h2', {}, title), children);
}

function figures(found, page) {
  const words = [];
  if (found.changed_pixels === 0) {
    words.push(found.faint_pixels + found.edge_pixels > 0 ? 'Only faint differences that are hard to see.' : 'Every pixel that can be seen is the same.');
  } else {
    words.push(`${count(found.changed_pixels, 'pixel', 'pixels')} in ${count(found.regions.length, 'area', 'areas')}`);
  }
  const likeness = el('dl', {},
    el('dt', {}, 'Likeness'), el('dd', {}, found.similarity.toFixed(found.similarity > 0.999 ? 4 : 3)),
    el('dt', {}, 'Greatest distance'), el('dd', {}, found.greatest_distance.toFixed(2)),
    found.alpha_changed && [el('dt', {}, 'Transparency'), el('dd', {}, 'changed')]);
  // Of what is read, and of typefaces, the picture is that of one page.
  if (page) return section(page, el('p', {}, `${percent(found.changed_percent)} changed. ${words[0]}`), likeness);
  return section(null,
    el('p', { class: 'big' }, percent(found.changed_percent)),
    el('p', {}, `of the picture changed. ${words[0]}`),
    likeness);
}

function worded([added, removed]) {
  return section(null,
    el('p', { class: 'big' }, count(Math.max(added, removed), 'line', 'lines')),
    el('p', {}, `of the text changed: ${added.toLocaleString('en')} new, ${removed.toLocaleString('en')} gone.`));
}

function glyphs(found) {
  const kinds = { added: 'new', removed: 'gone', pixels: 'redrawn' };
  const counts = Object.entries(kinds).map(([kind, words]) => [found.layers.filter((layer) => layer.edits.some((it) => it.edit === kind)).length, words]);
  const told = counts.filter(([number]) => number > 0).map(([number, words]) => `${number.toLocaleString('en')} ${words}`);
  return section(null,
    el('p', { class: 'big' }, count(found.layers.length, 'glyph', 'glyphs')),
    el('p', {}, told.length ? `changed: ${told.join(', ')}.` : 'changed.'));
}

function areas(found) {
  if (!found.regions.length) return null;
  const row = (area, number) => el('li', {}, el('button', { class: 'row', type: 'button', onclick: () => showArea(area) },
    el('span', { class: 'shape', 'aria-hidden': 'true' }, '▢'),
    el('span', {}, `Area ${number + 1}`),
    el('span', { class: 'quiet' }, `${area.width} × ${area.height} at ${area.x}, ${area.y}`)));
  const shown = found.regions.slice(0, 8).map(row);
  const rest = found.regions.slice(8).map((area, number) => row(area, number + 8));
  return section('Where', el('ol', { class: 'rows' }, shown),
    rest.length > 0 && el('details', {}, el('summary', {}, `${rest.length} more`), el('ol', { class: 'rows' }, rest)));
}

function lengths(found) {
  const [before, after] = [clock(found.seconds_before), clock(found.seconds_after)];
  return before === after ? after : `${before} → ${after}`;
}

// Where two sounds differ: two lines of time, one above the other, with what changed on them, and the list.
function sound(found) {
  const told = { added: ['+', 'new'], removed: ['−', 'gone'], changed: ['▦', 'changed'] };
  const whole = Math.max(found.seconds_before, found.seconds_after, 0.001);
  const words = found.same_samples ? 'Every sample is the same: only the packing changed.'
    : found.only_loudness ? 'The same sound, only its loudness changed.'
      : found.spans.length ? `${count(found.spans.length, 'span', 'spans')} changed.` : 'It sounds the same.';
  const lane = (name, which, seconds) => el('div', { class: 'lane' },
    el('span', { class: 'quiet' }, name),
    svg('svg', { viewBox: '0 0 1000 20', preserveAspectRatio: 'none', role: 'img', 'aria-label': `${name}: ${clock(seconds)}` },
      svg('rect', { class: 'time', x: 0, y: 9, width: 1000 * seconds / whole, height: 2 }),
      found.spans.map((span) => svg('rect', {
        class: span.kind, x: 1000 * span[which][0] / whole, y: 2, width: Math.max(1000 * (span[which][1] - span[which][0]) / whole, 3), height: 16,
      }))));
  const row = (span) => {
    const [shape, kind] = told[span.kind];
    const [from, to] = span.kind === 'removed' ? span.before : span.after;
    const side = span.kind === 'removed' ? ' before' : '';
    return el('li', { class: 'row' }, el('span', { class: 'edit' }, el('span', { class: 'shape', 'aria-hidden': 'true' }, shape), kind),
      el('span', { class: 'quiet' }, `${clock(from)} to ${clock(to)}${side}`));
  };
  return section('Sound',
    el('p', {}, words),
    lane('before', 'before', found.seconds_before), lane('after', 'after', found.seconds_after),
    el('dl', {},
      el('dt', {}, 'Length'), el('dd', {}, lengths(found)),
      found.louder !== null && [el('dt', {}, 'Loudness'), el('dd', {}, louder(found.louder))]),
    found.spans.length > 0 && el('ol', { class: 'rows' }, found.spans.slice(0, 40).map(row)));
}

// Where two films differ: how many frames, and each span with where it is.
function filmed(found) {
  const { film } = found;
  const told = { added: ['+', 'new'], removed: ['−', 'gone'], changed: ['▦', 'changed'] };
  const part = (value) => `${Math.round(value * 100)}%`;
  const row = (span) => {
    const [shape, kind] = told[span.kind];
    const removed = span.kind === 'removed';
    const [from, to] = removed ? span.before : span.after;
    const frames = removed ? span.frames_before : span.frames_after;
    const inside = [el('span', { class: 'edit' }, el('span', { class: 'shape', 'aria-hidden': 'true' }, shape), `${count(frames[1] - frames[0], 'frame', 'frames')} ${kind}`),
      el('span', { class: 'quiet' }, `${clock(from)} to ${clock(to)}${removed ? ' before' : ''}`),
      span.area && el('span', { class: 'quiet' }, `in ${part(span.area[2])} × ${part(span.area[3])} of the picture`)];
    if (!found.moments.length) return el('li', { class: 'row' }, inside);
    return el('li', {}, el('button', { class: 'row', type: 'button', onclick: () => change({ moment: momentOf(found, span) }) }, inside));
  };
  return section(null,
    el('p', { class: 'big' }, film.changed_frames === 0 ? 'The same' : count(film.changed_frames, 'frame', 'frames')),
    el('p', {}, film.changed_frames === 0 ? 'Every frame looks as before.' : `of ${film.frames.length.toLocaleString('en')} changed, in ${count(film.spans.length, 'span', 'spans')}.`),
    film.spans.length > 0 && el('ol', { class: 'rows' }, film.spans.slice(0, 60).map(row)),
    el('dl', {},
      el('dt', {}, 'Length'), el('dd', {}, lengths(film)),
      el('dt', {}, 'Compared at'), el('dd', {}, `${film.rate} frames a second`)));
}

function layers(found) {
  if (!found.layers.length) return null;
  const pictured = new Set(found.layer_pictures.map(([at]) => at));
  const rows = found.layers.map((layer, number) => {
    const edits = layer.edits.map((it) => {
      const [shape, words] = edit(it);
      return el('span', { class: 'edit' }, el('span', { class: 'shape', 'aria-hidden': 'true' }, shape), words);
    });
    const name = el('span', { class: 'name' }, layer.groups.length ? `${layer.groups.join(' / ')} / ` : '', layer.name);
    if (!pictured.has(number)) return el('li', { class: 'row' }, name, edits);
    const shown = state.layer === number;
    return el('li', {}, el('button', {
      class: 'row', type: 'button', 'aria-pressed': String(shown), onclick: () => change({ layer: state.layer === number ? -1 : number }),
    }, name, edits, el('span', { class: 'quiet' }, shown ? 'Shown alone. Press again for the whole.' : 'Show alone')));
  });
  const kinds = { page: 'Pages', glyph: 'Glyphs' };
  return section(kinds[found.layers[0].kind] || 'Layers', el('ul', { class: 'rows' }, rows));
}

function table(title, facts) {
  if (!facts.length) return null;
  const cell = (text, which) => text === null ? el('td', { class: 'quiet', role: 'cell' }, 'none') : el('td', { class: which, role: 'cell' }, text);
  return section(title, el('table', {},
    el('thead', { class: 'unseen' }, el('tr', {}, ['what', 'before', 'after'].map((text) => el('th', { scope: 'col' }, text)))),
    el('tbody', {}, facts.map((fact) => el('tr', { role: 'row' }, el('th', { scope: 'row', role: 'rowheader' }, fact.name), cell(fact.before, 'was'), cell(fact.after, 'is'))))));
}

// Lines of running text with what changed in them; signs carry the meaning, colour repeats it.
function text(lines) {
  if (!lines.length) return null;
  const signs = { context: ['', ''], removed: ['−', 'gone: '], added: ['+', 'new: '] };
  const row = (line) => {
    if (line.kind === 'gap') return el('li', { class: 'gap', 'aria-hidden': 'true' }, '…');
    const [shape, words] = signs[line.kind];
    return el('li', { class: line.kind }, el('span', { class: 'shape', 'aria-hidden': 'true' }, shape), words && el('span', { class: 'unseen' }, words),
      el('span', {}, line.parts.map(([part, changed]) => (changed ? el('mark', {}, part) : part))));
  };
  return section('Text', el('ol', { class: 'text' }, lines.map(row)));
}

function caption(there, mark) {
  const ids = [there.commit && [el('dt', {}, 'commit'), el('dd', { class: 'id' }, there.commit)],
    there.file && [el('dt', {}, 'b3sum'), el('dd', { class: 'id' }, there.file)], [el('dt', {}, 'path'), el('dd', {}, there.path)]];
  return section(null,
    el('h3', {}, mark && el('span', { class: 'mark', 'aria-hidden': 'true' }, mark), version(there)),
    el('p', {}, byline(there)),
    there.message && el('p', { class: 'message' }, there.message),
    el('p', { class: 'quiet' }, measure(there)),
    el('details', {}, el('summary', {}, 'Details'), el('dl', { class: 'ids' }, ids)));
}

function refreshPanel() {
  const there = asset();
  if (!there) return;
  const found = there.change;
  const whole = found && state.a === 0 && state.b === there.states.length - 1;
  const [one, other] = [there.states[state.a], there.states[state.b]];
  const drawnGlyphs = found && hasGlyphs(found);
  fill(panel,
    whole && found.lines && [worded(found.lines), text(found.text)],
    whole && drawnGlyphs && [glyphs(found), layers(found)],
    whole && found.picture && figures(found.picture, found.lines ? 'First page' : drawnGlyphs ? 'Specimen' : ''),
    whole && found.film && filmed(found),
    whole && found.sound && sound(found.sound),
    whole && !drawnGlyphs && layers(found),
    whole && !found.lines && text(found.text),
    whole && found.picture && !drawnGlyphs && areas(found.picture),
    whole && table('Facts', found.facts),
    whole && table('Metadata', found.fields),
    state.mode === 'all' ? there.states.map((it, number) => caption(it, String(number + 1)))
      : state.a === state.b ? caption(other, '') : [caption(one, 'A'), caption(other, 'B')],
    whole && found.notes.length > 0 && section('Notes', found.notes.map((note) => el('p', {}, note))),
    whole && found.scale < 1 && section(null, el('p', { class: 'quiet' }, `Compared at ${percent(found.scale * 100)} of its size.`)));
}

export function setUpPanel() {
  let before = '';
  heard(() => {
    const now = [state.asset, state.a, state.b, state.layer, state.mode === 'all'].join('/');
    if (now === before) return;
    before = now;
    refreshPanel();
  });
}
