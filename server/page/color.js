/* color.js - from values to colors: tables of 256 [red, green, blue], each as light as its value. */

/* Viridis: the polynomials of degree 6 that Matt Zucker fitted to matplotlib's table. */
const viridisTerms = [
  [0.2777273, 0.0054073, 0.3340998], [0.1050930, 1.4046136, 1.3845902], [-0.3308618, 0.2148476, 0.0950952],
  [-4.6342305, -5.7991010, -19.3324410], [6.2282699, 14.1799333, 56.6905526], [4.7763850, -13.7451454, -65.3530326],
  [-5.4354558, 4.6458526, 26.3124352],
];

function viridis(t) {
  return [0, 1, 2].map(channel => viridisTerms.reduceRight((sum, term) => sum * t + term[channel], 0));
}

/* Oklab to sRGB: equal steps look equal. */
function fromOklab(lightness, a, b) {
  const l = (lightness + 0.3963378 * a + 0.2158038 * b) ** 3;
  const m = (lightness - 0.1055613 * a - 0.0638542 * b) ** 3;
  const s = (lightness - 0.0894842 * a - 1.2914855 * b) ** 3;
  return [4.0767417 * l - 3.3077116 * m + 0.2309699 * s, -1.2684380 * l + 2.6097574 * m - 0.3413194 * s,
          -0.0041961 * l - 0.7034186 * m + 1.7076147 * s]
      .map(level => level <= 0.0031308 ? 12.92 * level : 1.055 * level ** (1 / 2.4) - 0.055);
}

/* Blue below the middle, red above it, lighter near it. */
function diverging(t) {
  const away = Math.abs(2 * t - 1), chroma = 0.19 * Math.sin(Math.min(away, 1) * Math.PI * 0.6);
  const hue = t < 0.5 ? 4.4 : 0.5;
  return fromOklab(0.95 - 0.55 * away, chroma * Math.cos(hue), chroma * Math.sin(hue));
}

function tableOf(color) {
  return Array.from({length: 256}, (_, i) =>
    color(i / 255).map(level => Math.round(255 * Math.min(Math.max(level, 0), 1))));
}

const colorTables = {
  viridis: tableOf(viridis),
  diverging: tableOf(diverging),
  gray: tableOf(t => fromOklab(0.15 + 0.83 * t, 0, 0)),
};
const notFinite = [255, 0, 255];

/* Blue to red has 0 in its middle. */
function rangeFor(table, [from, to]) {
  if (table !== "diverging")
    return [from, to];
  const most = Math.max(Math.abs(from), Math.abs(to));
  return [-most, most];
}

function colorOf(table, [from, to], value) {
  if (!Number.isFinite(value))
    return notFinite;
  const t = to > from ? (value - from) / (to - from) : 0.5;
  return colorTables[table][Math.round(255 * Math.min(Math.max(t, 0), 1))];
}

/* Pascal VOC's colors: a label's bits distributed over red, green and blue. */
function vocColor(label) {
  const color = [0, 0, 0];
  for (let i = 0; i < 8; i++)
    for (let channel = 0; channel < 3; channel++)
      color[channel] |= (label >> 3 * i + channel & 1) << 7 - i;
  return color;
}

function labelColor(palette, label) {
  return palette && palette[label] || vocColor(label);
}

function css(color) {
  return `rgb(${color.join(" ")})`;
}
