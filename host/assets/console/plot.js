// Plots over time by uPlot, with cursors in step.
import { html, signal, useEffect, useLayoutEffect, useRef } from "./lib.js";
import { language, t, time } from "./i18n.js";
import uPlot from "./vendor/uplot.js";

const HEIGHT = 130;
const SYNC = uPlot.sync("console");

// Which sample the cursor is at; null: at none, so that the latest one is shown.
const pointed = signal(null);

// Changes when the colours do.
export const theme = signal(0);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { theme.value += 1; });

// A colour of the style sheet, as the page has it now.
function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const COLOURS = ["accent", "second"];

function options(width, series, format) {
  const muted = colour("muted");
  const grid = { stroke: colour("line"), width: 1 };
  const axis = { stroke: muted, grid, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  return {
    width, height: HEIGHT, legend: { show: false }, padding: [8, 8, 0, 0],
    cursor: { sync: { key: SYNC.key }, drag: { setScale: false, x: false, y: false }, y: false, points: { size: 6 } },
    scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(1, high ?? 1) * 1.1] } },
    axes: [
      { ...axis, size: 22, space: 70, values: (_, stamps) => stamps.map(short) },
      { ...axis, size: 58, space: 26, values: (_, ticks) => ticks.map(format) },
    ],
    series: [{}, ...series.map((_, at) => ({
      stroke: colour(COLOURS[at]), width: 1.5, points: { show: false }, dash: at ? [4, 3] : undefined,
    }))],
    hooks: { setCursor: [plot => { pointed.value = plot.cursor.idx ?? null; }] },
  };
}

function short(seconds) {
  return new Intl.DateTimeFormat(language.value, { hour: "2-digit", minute: "2-digit", hour12: false })
    .format(new Date(seconds * 1000));
}

function columns(samples, series) {
  return [
    samples.map(sample => sample.at_ms / 1000),
    ...series.map(({ read }) => samples.map(sample => read(sample) ?? null)),
  ];
}

// series: [{label, read(sample)}], at most two.
export function Plot({ title, samples, series, format }) {
  const place = useRef(null);
  const plot = useRef(null);
  const scheme = `${theme.value} ${language.value}`;
  useLayoutEffect(() => {
    const width = () => Math.max(120, place.current.clientWidth);
    plot.current = new uPlot(options(width(), series, format), columns(samples, series), place.current);
    const watch = new ResizeObserver(() => plot.current.setSize({ width: width(), height: HEIGHT }));
    watch.observe(place.current);
    return () => {
      watch.disconnect();
      plot.current.destroy();
    };
  }, [scheme]);
  useEffect(() => { plot.current.setData(columns(samples, series)); }, [samples, scheme]);
  const values = series.map(({ read }) => samples.map(read).filter(Number.isFinite));
  const summary = series.map(({ label, read }, at) => values[at].length ? t("plot.summary", {
    label, now: format(read(samples.at(-1))), low: format(Math.min(...values[at])), high: format(Math.max(...values[at])),
  }) : "").filter(Boolean).join("; ");
  return html`<figure class="plot">
    <figcaption><h2>${title}</h2><${Values} samples=${samples} series=${series} format=${format} /></figcaption>
    <div class="canvas" role="img" aria-label=${`${title}: ${summary || t("nothing")}`} ref=${place}></div>
  </figure>`;
}

// The values where the cursor is, or the latest.
function Values({ samples, series, format }) {
  const at = pointed.value;
  const sample = samples[at ?? samples.length - 1];
  return html`<p class="values">
    ${series.map(({ label, read }, place) => html`<span>
      <span class=${`mark ${COLOURS[place]}`} aria-hidden="true"></span>${label}${" "}
      <strong>${sample ? format(read(sample)) : "–"}</strong>
    </span>`)}
    ${at !== null && sample && html`<span class="muted">${time(sample.at_ms)}</span>`}
  </p>`;
}
