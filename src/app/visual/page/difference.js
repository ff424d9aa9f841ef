// Which pixels differ, by the same measure as the program's own: Kotsarenko and Ramos 2010 (YIQ), and
// Vyšniauskas 2009 for edges that were only softened differently.
import { canvas } from './pictures.js'

const MOST = 35215;
const STEP_MS = 14;

function luma(data, at) {
  const alpha = data[at + 3] / 255;
  const on = (value) => 255 + (value - 255) * alpha;
  return 0.2988953 * on(data[at]) + 0.5866225 * on(data[at + 1]) + 0.1144822 * on(data[at + 2]);
}

function apart(one, other, at, ground) {
  const [alpha, beta] = [one[at + 3] / 255, other[at + 3] / 255];
  const on = (value, share) => ground + (value - ground) * share;
  const red = on(one[at], alpha) - on(other[at], beta);
  const green = on(one[at + 1], alpha) - on(other[at + 1], beta);
  const blue = on(one[at + 2], alpha) - on(other[at + 2], beta);
  const y = 0.2988953 * red + 0.5866225 * green + 0.1144822 * blue;
  const i = 0.595978 * red - 0.2741761 * green - 0.3218019 * blue;
  const q = 0.2114702 * red - 0.5226171 * green + 0.3111469 * blue;
  return 0.5053 * y * y + 0.299 * i * i + 0.1957 * q * q;
}

function same(data, one, other) {
  return data[one] === data[other] && data[one + 1] === data[other + 1]
    && data[one + 2] === data[other + 2] && data[one + 3] === data[other + 3];
}

function around(width, height, x, y, each) {
  for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row += 1) {
    for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column += 1) {
      if (column !== x || row !== y) each((row * width + column) * 4, column, row);
    }
  }
}

function even(data, width, height, x, y) {
  const at = (y * width + x) * 4;
  let alike = x === 0 || y === 0 || x === width - 1 || y === height - 1 ? 1 : 0;
  around(width, height, x, y, (other) => { if (same(data, at, other)) alike += 1; });
  return alike > 2;
}

function edge(data, other, width, height, x, y) {
  const centre = luma(data, (y * width + x) * 4);
  let alike = x === 0 || y === 0 || x === width - 1 || y === height - 1 ? 1 : 0;
  let low = [0, x, y];
  let high = [0, x, y];
  around(width, height, x, y, (at, column, row) => {
    const step = luma(data, at) - centre;
    if (step === 0) alike += 1;
    else if (step < low[0]) low = [step, column, row];
    else if (step > high[0]) high = [step, column, row];
  });
  if (alike > 2 || low[0] === 0 || high[0] === 0) return false;
  return [low, high].some(([, column, row]) => even(data, width, height, column, row) && even(other, width, height, column, row));
}

function pixels(bitmap, width, height, stretched) {
  const [, context] = canvas(width, height, { willReadFrequently: true });
  if (bitmap && stretched) context.drawImage(bitmap, 0, 0, width, height);
  else if (bitmap) context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, Math.max(1, width), Math.max(1, height)).data;
}

const tick = () => new Promise((done) => { setTimeout(done); });

// A canvas of the difference and how many pixels changed; null when it was given up for a newer wish.
// `amplify` 0 marks what changed on the faded picture, more shows the distances themselves.
export async function differ(a, b, { width, height, stretched, threshold, amplify, antialias, dark }, wanted) {
  const [one, other] = [pixels(a, width, height, stretched), pixels(b, width, height, stretched)];
  const [made, context] = canvas(width, height);
  const image = context.createImageData(made.width, made.height);
  const out = image.data;
  const least = MOST * threshold * threshold;
  let changed = 0;
  let last = performance.now();
  for (let y = 0; y < height; y += 1) {
    if (performance.now() - last > STEP_MS) {
      await tick();
      last = performance.now();
      if (!wanted()) return null;
    }
    for (let x = 0; x < width; x += 1) {
      const at = (y * width + x) * 4;
      const clear = one[at + 3] < 255 || other[at + 3] < 255;
      const far = same4(one, other, at) ? 0 : Math.max(apart(one, other, at, 255), clear ? apart(one, other, at, 0) : 0);
      let kind = far === 0 ? 0 : far <= least ? 1 : 3;
      if (kind === 3 && antialias && (edge(one, other, width, height, x, y) || edge(other, one, width, height, x, y))) kind = 2;
      if (kind === 3) changed += 1;
      if (amplify > 0) {
        const keep = kind >= 2 && !(kind === 2 && antialias) ? amplify : 0;
        for (let part = 0; part < 3; part += 1) out[at + part] = Math.abs(one[at + part] - other[at + part]) * keep;
      } else {
        const faded = dark ? 40 + luma(other, at) * 0.25 : 255 - (255 - luma(other, at)) * 0.25;
        const mark = kind === 3 ? (dark ? [255, 60, 140] : [222, 0, 96]) : kind === 2 ? (dark ? [150, 115, 40] : [240, 200, 90]) : [faded, faded, faded];
        [out[at], out[at + 1], out[at + 2]] = mark;
      }
      out[at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return { canvas: made, changed, total: width * height };
}

function same4(one, other, at) {
  return one[at] === other[at] && one[at + 1] === other[at + 1] && one[at + 2] === other[at + 2] && one[at + 3] === other[at + 3];
}
