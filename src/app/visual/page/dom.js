// Elements of the page. Words become text nodes and nothing else, so that no name is ever markup.

export function el(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// The same for a drawing.
export function svg(tag, properties, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, String(value));
  element.append(...children.flat(9));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(9).filter(Boolean));
}

export const data = JSON.parse(document.getElementById('data').textContent);
export const app = document.getElementById('app');
export const calm = matchMedia('(prefers-reduced-motion: reduce)');

const said = el('div', { class: 'unseen', role: 'status', 'aria-live': 'polite' });

export function voice() {
  return said;
}

// Tells a screen reader what changed.
export function say(text) {
  if (said.textContent !== text) said.textContent = text;
}
