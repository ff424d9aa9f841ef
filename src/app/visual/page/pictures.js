// Pictures out of the block of data: decoded when they are asked for, the latest few kept.
import { el, data } from './dom.js'

const KEPT = 12;
const ready = new Map();

function bytes(text) {
  const binary = atob(text);
  const array = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at += 1) array[at] = binary.charCodeAt(at);
  return array;
}

function decode(key, text) {
  if (ready.has(key)) {
    const kept = ready.get(key);
    ready.delete(key);
    ready.set(key, kept);
    return kept;
  }
  const options = { premultiplyAlpha: 'none', colorSpaceConversion: 'none' };
  const type = text.startsWith('/9j/') ? 'image/jpeg' : 'image/png';
  const picture = createImageBitmap(new Blob([bytes(text)], { type }), options);
  ready.set(key, picture);
  if (ready.size > KEPT) ready.delete(ready.keys().next().value);
  return picture;
}

// One frame of a pair of a film: 0 before, 1 after; null when there is none.
export async function frameOf(asset, which, moment) {
  const text = data.assets[asset].change.moments[moment].pictures[which];
  return text ? decode(`${asset}/film/${which}/${moment}`, text) : null;
}

// The picture of one state, or of one layer of it; null when there is none.
export async function picture(asset, number, layer) {
  const there = data.assets[asset];
  if (layer >= 0) {
    const pair = there.change && there.change.layer_pictures.find(([at]) => at === layer);
    const text = pair && pair[1][number === 0 ? 0 : 1];
    return text ? decode(`${asset}/${number}/${layer}`, text) : null;
  }
  const text = there.states[number] && there.states[number].picture;
  return text ? decode(`${asset}/${number}`, text) : null;
}

let halves = null;

// The number that half precision (IEEE 754 binary16) writes as `bits`, for all of them.
function numbers() {
  if (!halves) {
    halves = new Float32Array(65536);
    for (let bits = 0; bits < 65536; bits += 1) {
      const [power, rest] = [(bits >> 10) & 31, bits & 1023];
      const size = power === 0 ? rest * 2 ** -24 : power === 31 ? 65504 : (1 + rest / 1024) * 2 ** (power - 15);
      halves[bits] = bits & 32768 ? -size : size;
    }
  }
  return halves;
}

async function unpack(text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint16Array(await new Response(stream).arrayBuffer());
}

const lights = new Map();

// The picture of one state with light brightened by so many stops; null when it has no numbers of light.
export async function exposed(asset, number, stops) {
  const there = data.assets[asset].states[number];
  if (!there || !there.light) return null;
  const key = `${asset}/${number}`;
  if (!lights.has(key)) {
    lights.set(key, unpack(there.light.halves));
    if (lights.size > 4) lights.delete(lights.keys().next().value);
  }
  const light = await lights.get(key);
  const all = numbers();
  const factor = 2 ** stops;
  const level = new Uint8ClampedArray(65536);
  for (let bits = 0; bits < 65536; bits += 1) {
    const value = Math.min(1, Math.max(0, all[bits] * factor));
    level[bits] = Math.round(255 * (value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055));
  }
  const [made, context] = canvas(there.light.width, there.light.height);
  const image = context.createImageData(made.width, made.height);
  for (let at = 0; at < image.data.length; at += 4) {
    image.data[at] = level[light[at]];
    image.data[at + 1] = level[light[at + 1]];
    image.data[at + 2] = level[light[at + 2]];
    image.data[at + 3] = Math.round(255 * Math.min(1, Math.max(0, all[light[at + 3]])));
  }
  context.putImageData(image, 0, 0);
  return made;
}

export function thumb(state, label) {
  if (!state || !state.thumb) return null;
  return el('img', { src: `data:image/png;base64,${state.thumb}`, alt: label || '', draggable: 'false', decoding: 'async' });
}

// A canvas of that size with its context.
export function canvas(width, height, options) {
  const made = el('canvas', { width: Math.max(1, Math.round(width)), height: Math.max(1, Math.round(height)) });
  return [made, made.getContext('2d', options)];
}

const LUMA = [0.2988953, 0.5866225, 0.1144822];

// One channel of a picture as grey; the picture itself for all of them.
export function channel(bitmap, name) {
  if (name === 'colour' || !bitmap) return bitmap;
  const [made, context] = canvas(bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  const image = context.getImageData(0, 0, made.width, made.height);
  const place = ['red', 'green', 'blue', 'alpha'].indexOf(name);
  for (let at = 0; at < image.data.length; at += 4) {
    const value = place >= 0 ? image.data[at + place]
      : LUMA[0] * image.data[at] + LUMA[1] * image.data[at + 1] + LUMA[2] * image.data[at + 2];
    image.data[at] = image.data[at + 1] = image.data[at + 2] = value;
    if (place === 3) image.data[at + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return made;
}

const [, probe] = canvas(1, 1, { willReadFrequently: true });

// The colour of one pixel; null beyond the edges.
export function colour(bitmap, x, y) {
  if (!bitmap || x < 0 || y < 0 || x >= bitmap.width || y >= bitmap.height) return null;
  probe.clearRect(0, 0, 1, 1);
  probe.drawImage(bitmap, -Math.floor(x), -Math.floor(y));
  return [...probe.getImageData(0, 0, 1, 1).data];
}

export function hex([red, green, blue, alpha]) {
  const digits = (value) => value.toString(16).padStart(2, '0');
  return `#${digits(red)}${digits(green)}${digits(blue)}${alpha === 255 ? '' : digits(alpha)}`;
}

function oklab([red, green, blue]) {
  const [r, g, b] = [red, green, blue].map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s];
}

// The distance of two colours as CSS Color 4 has it (deltaE OK), times 100.
export function distance(one, other) {
  const [a, b] = [oklab(one), oklab(other)];
  return 100 * Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
