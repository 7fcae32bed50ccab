// Health and probe latency of one NVA, as far as this tab has seen them.

import { html, svg } from "./lit-html.js";
import { samplesOf } from "./samples.js";
import { age } from "./words.js";

const WIDTH = 300;
const HEIGHT = 44;
const HOUR_MS = 3_600_000;
const GAP_MS = 75_000; // seen so far apart, nothing is said of what lay between

/** Return the chart of one NVA from when the page was opened, an hour at most. */
export function chart(group, nva, opened, now) {
  const samples = samplesOf(group, nva);
  const from = Math.max(opened, now - HOUR_MS);
  const spanMs = Math.max(now - from, 60_000);
  const x = (t) => (((t - from) / spanMs) * WIDTH).toFixed(1);
  const known = samples.filter((each) => each.t >= from);
  const values = known.map((each) => each.ms).filter((ms) => ms !== null);
  const most = Math.max(...values, 0);
  const y = (ms) => (HEIGHT - 3 - (ms / Math.max(most, 1)) * (HEIGHT - 8)).toFixed(1);
  const lines = runs(known.filter((each) => each.ms !== null), (a, b) => b.t - a.t <= GAP_MS);
  const bands = runs(known, (a, b) => a.health === b.health && b.t - a.t <= GAP_MS);
  const when = now - opened < HOUR_MS ? `${age((now - from) / 1000)}, since this page was opened` : "the last hour";
  return html`<figure class="chart">
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT + 10}" preserveAspectRatio="none" role="img" aria-label=${told(nva, known, values, when)}>
      <line class="floor" x1="0" x2=${WIDTH} y1=${HEIGHT - 3} y2=${HEIGHT - 3}></line>
      ${lines.map((run) => svg`<polyline class="line" points=${run.map((each) => `${x(each.t)},${y(each.ms)}`).join(" ")}></polyline>`)}
      ${bands.map((run, i) => {
        const next = bands[i + 1]?.[0].t ?? now;
        const end = Math.min(next, run.at(-1).t + GAP_MS);
        return svg`<rect class="band ${run[0].health}" x=${x(run[0].t)} y=${HEIGHT + 3} height="6" width=${Math.max(1.5, x(end) - x(run[0].t))}></rect>`;
      })}
    </svg>
    <figcaption>${values.length ? `probes took up to ${most} ms; ` : ""}${when}</figcaption>
  </figure>`;
}

function told(nva, known, values, when) {
  const health = [...new Set(known.map((each) => each.health))].join(", then ");
  if (!known.length) return `${nva}: nothing seen yet`;
  const latency = values.length ? `; latency ${Math.min(...values)} to ${Math.max(...values)} ms` : "";
  return `${nva}, ${when}: ${health}${latency}`;
}

/** Split a list wherever neighbours do not belong together. */
function runs(list, together) {
  const found = [];
  for (const each of list) {
    const run = found.at(-1);
    if (run && together(run.at(-1), each)) run.push(each);
    else found.push([each]);
  }
  return found;
}
