// One group: what is wrong, the way of its traffic, its NVAs, and its last switches.

import { openFailover, openPause } from "./actions.js";
import { chart } from "./chart.js";
import { html, nothing } from "./lit-html.js";
import { path } from "./path.js";
import { appNow, isOld, state } from "./poll.js";
import { timeline } from "./timeline.js";
import { LABELS, ago, judge, since, utc } from "./words.js";

const narrow = matchMedia("(max-width: 700px)");

/** Return the page of the group that is open. */
export function groupPage() {
  const { group, missing, selected } = state;
  const back = html`<p class="back"><a href="#/">← All groups</a></p>`;
  if (missing) return html`${back}<h1 tabindex="-1">${selected}</h1>
    <p class="wrong-text">${missing.message}</p><p class="quiet">${missing.remedy}</p>`;
  if (group?.data.name !== selected) return html`${back}<h1 tabindex="-1">${selected}</h1><p class="loading">Asking the app.</p>`;
  const now = appNow();
  const view = group.data;
  const { level, troubles } = judge(view);
  const shut = isOld(group);
  return html`${back}
    <div class="title"><h1 tabindex="-1">${view.name}</h1><span class="mark ${level}">${LABELS[level]}</span>
      <span class="quiet">active <b>${view.active ?? "not known"}</b>${view.target ? html`, moving to <b>${view.target}</b>` : nothing}${view.canary ? "; it carries no traffic, and nobody probes it" : `; probed ${ago(view.probed_at, now)}`}</span>
      <button class="aside" ?disabled=${shut} @click=${() => openPause(view)}>${view.paused ? "Resume…" : "Pause…"}</button></div>
    ${view.automatic || view.canary ? nothing : html`<p class="quiet">Nothing is switched by itself here: policy.automatic is off.</p>`}
    ${view.scheduled ? html`<p class="note">A failover to <b>${view.scheduled.to}</b> is scheduled for ${utc(view.scheduled.at)}, by ${view.scheduled.requested_by}. To let it be: nvaha cancel ${view.name}</p>` : nothing}
    ${troubles.length ? html`<section aria-labelledby="wrong"><h2 id="wrong">What is wrong</h2>
      <ul class="troubles">${troubles.map(trouble)}</ul></section>` : nothing}
    <section aria-labelledby="way"><h2 id="way">The way of traffic</h2><div class="card scroll">${path(view, narrow.matches)}</div></section>
    <section aria-labelledby="nvas"><h2 id="nvas">NVAs</h2>
      <div class="cards">${view.nvas.map((nva) => nvaCard(view, nva, now, shut))}</div></section>
    <section aria-labelledby="switches"><h2 id="switches">Last switches</h2>
      <div class="card">${timeline(live(group), now)}</div></section>`;
}

/** Return the history with the operation that is under way as it stands now. */
function live({ data, history }) {
  const others = history.operations.filter((each) => each.id !== data.operation?.id);
  const known = data.operation ? [data.operation, ...others] : others;
  return { ...history, operations: known.slice(0, 5) };
}

function trouble({ level, text, todo, runbook }) {
  const page = /^https:\/\//.test(runbook ?? "");
  return html`<li class=${level}><b>${text}</b>${todo ? html`<span>${todo}</span>` : nothing}
    ${page ? html`<a href=${runbook} target="_blank" rel="noopener noreferrer">What to do, step by step</a>` : runbook ? html`<span class="quiet">${runbook}</span>` : nothing}</li>`;
}

function nvaCard(group, nva, now, shut) {
  const active = nva.name === group.active;
  const again = active && (group.drift.length > 0 || group.wanted !== null);
  return html`<article class="card nva ${nva.health}">
    <h3>${nva.name} ${group.canary ? nothing : html`<span class="mark ${nva.health}">${nva.health}</span>`}${active ? html`<span class="mark ${nva.health === "down" ? "bad" : "ok"}">active</span>` : html`<span class="mark grey">standby</span>`}</h3>
    ${group.canary ? nothing : seen(group, nva, now)}
    ${active && !again ? nothing : html`<button ?disabled=${shut} @click=${() => openFailover(group, nva.name)}>${active ? `Bring everything to ${nva.name}…` : `Move to ${nva.name}…`}</button>`}
  </article>`;
}

/** Return what the probes of an NVA have shown. */
function seen(group, nva, now) {
  const last = nva.failures || nva.health !== "up" ? nva.last_error : null;
  return html`<p class="quiet"><span title=${nva.since ? utc(nva.since) : ""}>${nva.health} ${since(nva.since, now)}</span>; ${nva.address ?? "address not known"}:${nva.port}${nva.latency_ms === null ? "" : `; ${nva.latency_ms} ms`}</p>
    ${last ? html`<p class="wrong-text">${nva.failures} failed in a row: ${last}</p>` : nothing}
    ${chart(group.name, nva.name, state.opened, Date.now())}`;
}
