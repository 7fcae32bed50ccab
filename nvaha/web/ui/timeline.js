// The last switches, step by step, each with its seconds.

import { html, nothing, svg } from "./lit-html.js";
import { count, duration, last, sinceS, utc } from "./words.js";

const TRIGGERS = { failover: "the active NVA fell", manual: "by hand", repair: "repair of drift", failback: "failback", canary: "canary" };
const DONE = { done: "good", failed: "wrong", superseded: "grey", running: "moving", requested: "moving" };

/** Return the operations, newest first; the first one is open. */
export function timeline(history, now) {
  if (!history.operations.length) return html`<p class="quiet">This group has not been switched yet.</p>`;
  return html`${history.operations.map((each, i) => html`<details class="switch" ?open=${i === 0}>
      <summary>${heading(each, now)}</summary>${operation(each, now)}
    </details>`)}
    ${history.unreadable.map((each) => html`<p class="quiet">${each}</p>`)}`;
}

function heading(of, now) {
  const took = of.seconds ?? sinceS(of.requested_at, now);
  return html`<span class="mark ${DONE[of.status]}">${of.status}</span>
    <span class="way">${of.from ?? "unknown"} → <b>${of.to}</b></span>
    <span class="took">${duration(took)}</span>
    <span class="quiet">${TRIGGERS[of.trigger] ?? of.trigger}</span>
    <time class="quiet" datetime=${of.requested_at}>${utc(of.requested_at)}</time>`;
}

/** Return one operation: what was asked for, and what came of it when. */
export function operation(of, now) {
  const begun = Date.parse(of.requested_at);
  const until = of.ended_at ? Date.parse(of.ended_at) : Math.max(now, begun);
  const at = (iso) => (Date.parse(iso) - begun) / 1000;
  const total = Math.max((until - begun) / 1000, 0.001);
  return html`<p class="asked">Asked for by <b>${of.requested_by}</b>${of.forced ? ", forced" : ""}: ${of.reason || "no reason given"}</p>
    ${of.error ? html`<p class="wrong-text">${of.error}</p>` : nothing}
    ${of.unfinished.map((each) => html`<p class="wrong-text">${each}</p>`)}
    <ol class="steps">
      ${moment(0, "asked for")}
      ${of.started_at ? moment(at(of.started_at), `taken up by ${of.worker ?? "a worker"}${of.attempts > 1 ? `, attempt ${of.attempts}` : ""}`) : nothing}
      ${of.steps.map((each) => step(each, at, total, now, begun))}
      ${of.ended_at ? moment(total, of.status) : nothing}
    </ol>
    <p class="quiet small">Operation ${of.id}; Azure's activity log has ${of.correlation_id} for its writes</p>`;
}

const moment = (s, text) => html`<li class="moment"><span class="at">+${duration(s)}</span><span>${text}</span></li>`;

function step(each, at, total, now, begun) {
  const from = each.started_at ? at(each.started_at) : null;
  const to = each.ended_at ? at(each.ended_at) : Math.max((now - begun) / 1000, from ?? 0);
  const tries = each.attempts > 1 ? `, ${count(each.attempts, "try", "tries")}` : "";
  return html`<li class="step ${each.status}">
    <span class="at">${from === null ? "" : `+${duration(from)}`}</span>
    <span><span class="mark ${DONE[each.status] ?? "grey"}">${each.status}</span> ${each.detail || last(each.resource_id)}
      <span class="took">${from === null ? "" : duration(to - from)}${tries}</span>
      ${from === null ? nothing : bar(from, to, total, each.status)}
      ${each.error ? html`<span class="wrong-text">${each.error}</span>` : nothing}</span>
  </li>`;
}

function bar(from, to, total, status) {
  const width = Math.max(((Math.min(to, total) - from) / total) * 100, 0.8);
  return html`<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
    <rect class="floor" width="100" height="4"></rect>
    ${svg`<rect class=${status} x=${(from / total) * 100} width=${width} height="4"></rect>`}</svg>`;
}
