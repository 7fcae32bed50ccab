// All groups at a glance, those in trouble first.

import { html, nothing } from "./lit-html.js";
import { appNow, state, update } from "./poll.js";
import { LABELS, LEVELS, ago, count, duration, judge, nvaOf } from "./words.js";

let order = []; // the groups' names as they are listed

/** Return the page of all groups. */
export function overview() {
  const { groups, canary } = state.overview.data;
  const now = appNow();
  const judged = groups.map((group) => ({ group, ...judge(group) }));
  const listed = sorted(judged);
  const wanted = state.filter.trim().toLowerCase();
  const shown = listed.filter(({ group, troubles }) => matches(wanted, group, troubles));
  return html`<h1 class="unseen" tabindex="-1">All groups</h1>
    ${headline(judged)}
    <div class="tools">
      <label class="unseen" for="filter">Filter groups</label>
      <input id="filter" type="search" placeholder="Filter: a group, an NVA, a word of its trouble" autocomplete="off"
        .value=${state.filter} @input=${(event) => update({ filter: event.target.value })}>
      <span class="quiet" aria-live="polite">${wanted ? `${shown.length} of ${count(groups.length, "group")}` : count(groups.length, "group")}</span>
    </div>
    <ul class="groups">${shown.map((each) => row(each, now))}</ul>
    ${groups.length ? nothing : html`<p class="quiet">No group is configured.</p>`}
    ${canary ? html`<p class="quiet canary">${canaryWords(canary, now)}</p>` : nothing}`;
}

/** Sort the worst first, unless somebody is about to click: rows do not move away under a hand. */
function sorted(judged) {
  const byName = new Map(judged.map((each) => [each.group.name, each]));
  const list = document.querySelector(".groups");
  const held = list?.matches(":hover") || list?.contains(document.activeElement);
  const same = order.length === judged.length && order.every((name) => byName.has(name));
  if (!held || !same) {
    const byTheirName = (a, b) => a.group.name.localeCompare(b.group.name, undefined, { numeric: true });
    order = [...judged].sort((a, b) => rank(a) - rank(b) || byTheirName(a, b)).map((each) => each.group.name);
  }
  return order.map((name) => byName.get(name));
}

/** Return how late a group comes: of those in trouble the ones first whose traffic stands. */
function rank({ group, level }) {
  const flows = nvaOf(group, group.active)?.health === "up";
  return 2 * LEVELS.indexOf(level) + (flows ? 1 : 0);
}

function matches(wanted, group, troubles) {
  const said = [group.name, ...group.nvas.map((nva) => nva.name), ...troubles.map((each) => each.text)];
  return said.some((each) => each.toLowerCase().includes(wanted));
}

function headline(judged) {
  const many = (level) => judged.filter((each) => each.level === level).length;
  const [bad, moving, care] = [many("bad"), many("moving"), many("care")];
  const level = bad ? "bad" : moving ? "moving" : care ? "care" : "ok";
  const parts = [
    bad && `${count(bad, "group")} in trouble`,
    moving && `${count(moving, "group")} being moved`,
    care && `${count(care, "group")} to look at`,
  ].filter(Boolean);
  const rest = judged.length - bad - moving - care;
  const text = parts.length ? parts.join(", ") : judged.length === 1 ? "The group is well" : `All ${judged.length} groups are well`;
  return html`<div class="headline ${level}"><span class="dot" aria-hidden="true"></span>
    <p><b>${text}</b>${parts.length && rest ? html`<span class="quiet">, ${rest} well</span>` : nothing}</p></div>`;
}

function row({ group, level, troubles }, now) {
  const way = group.target ? `${group.active ?? "?"} → ${group.target}` : (group.active ?? "not known");
  const [first, ...others] = troubles;
  return html`<li class="row ${level}">
    <a href="#/${encodeURIComponent(group.name)}">
      <span class="mark ${level}">${LABELS[level]}</span>
      <span class="who"><b>${group.name}</b>
        <span class="quiet">${group.target ? "moving " : "active "}<b>${way}</b>${group.last_switch_at ? `, switched ${ago(group.last_switch_at, now)}` : ""}</span></span>
      <span class="nvas">${group.nvas.map((nva) => chip(nva, nva.name === group.active))}</span>
      ${first ? html`<span class="why">${first.text}${others.length ? html` <span class="quiet">and ${others.length} more</span>` : nothing}</span>` : nothing}
    </a></li>`;
}

const chip = (nva, active) => html`<span class="chip ${nva.health} ${active ? "active" : ""}"><span class="dot" aria-hidden="true"></span>${nva.name} ${nva.health}${nva.latency_ms === null ? "" : html` <span class="quiet">${nva.latency_ms} ms</span>`}</span>`;

function canaryWords(canary, now) {
  const took = canary.seconds.done === undefined ? "" : ` in ${duration(canary.seconds.done)}`;
  const parts = [canary.done_at ? `was switched well ${ago(canary.done_at, now)}${took}` : "has not been switched well yet"];
  if (canary.status === "running") parts.push("a run is under way");
  if (canary.overdue) parts.push("overdue");
  if (canary.paused) parts.push("paused");
  if (canary.error) parts.push(`the last run: ${canary.error}`);
  return html`Canary <a href="#/${encodeURIComponent(canary.name)}">${canary.name}</a> ${parts.join("; ")}`;
}
