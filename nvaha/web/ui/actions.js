// What people do here: a plan first, then a second question, then one request that may be sent again.

import { call, caller } from "./api.js";
import { html, nothing } from "./lit-html.js";
import { appNow, state, update, wake } from "./poll.js";
import { ago, count, nvaOf } from "./words.js";

const FOLLOW_S = 20;

const change = (what) => state.dialog && update({ dialog: { ...state.dialog, ...what } });
export const close = () => state.dialog?.step !== "sending" && update({ dialog: null });

function requestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${[...bytes].map((each) => each.toString(16).padStart(2, "0")).join("")}`;
}

/** Ask for a failover: read the plan and show it. */
export function openFailover(group, to) {
  update({ dialog: { kind: "failover", step: "plan", group, to, reason: "", force: false, plan: null, error: null, requestId: requestId() } });
  readPlan();
}

async function readPlan() {
  const { requestId: mine, group, to } = state.dialog;
  change({ plan: null, error: null });
  const here = () => state.dialog?.requestId === mine;
  try {
    const { data } = await call(`groups/${encodeURIComponent(group.name)}/plan?to=${encodeURIComponent(to)}`);
    if (here()) change({ plan: data });
  } catch (error) {
    if (here()) change({ error });
  }
}

/** Ask to pause a group, or to let it go on. */
export function openPause(group) {
  update({ dialog: { kind: group.paused ? "resume" : "pause", step: "ask", group, reason: "", length: "", error: null, requestId: requestId() } });
}

async function send() {
  const { kind, group, to, reason, force, length, requestId: request_id } = state.dialog;
  const from = group.active && group.active !== to ? { from: group.active } : {};
  const body = kind === "failover" ? { ...from, to, reason, request_id, force } : length ? { reason, for: length } : { reason };
  change({ step: "sending", error: null });
  try {
    const { data } = await call(`groups/${encodeURIComponent(group.name)}/${kind}`, body);
    const said = kind === "failover" ? `Accepted: ${group.name} is being moved to ${data.to}. Operation ${data.id}.` : `${group.name} is ${data.paused ? "paused" : "not paused any more"}.`;
    update({ dialog: null, flash: said });
    wake(FOLLOW_S);
  } catch (error) {
    change({ step: "ask", error });
    wake();
  }
}

/** Return the content of the dialog that is open. */
export function dialog() {
  const { kind, step } = state.dialog;
  if (kind !== "failover") return pauseDialog();
  return step === "plan" ? planDialog() : askDialog();
}

const foot = (...buttons) => html`<div class="foot"><button type="button" @click=${close} ?disabled=${state.dialog.step === "sending"}>Cancel</button>${buttons}</div>`;

function trouble(error) {
  if (!error) return nothing;
  const lost = error.maybeDone && error.code !== "storage_unavailable" ? " It may have been done all the same; sending it again is harmless." : "";
  return html`<div class="refused" role="alert"><p><b>${error.message}</b></p>
    ${error.details.map((each) => html`<p>${each.path}: ${each.message}</p>`)}
    <p>${error.remedy}${lost}</p></div>`;
}

function planDialog() {
  const { group, to, plan, error, force } = state.dialog;
  const forbidden = plan !== null && !plan.allowed;
  return html`<h2 tabindex="-1">Move ${group.name} to ${to}?</h2>
    <p class="quiet">First, what would change. Nothing has been asked for yet.</p>
    ${plan || error ? nothing : html`<p class="loading">Reading Azure, ten seconds at most.</p>`}
    ${error ? html`${trouble(error)}<p>The plan cannot be shown. A failover can be asked for all the same: a switch reads and plans for itself.</p>` : nothing}
    ${plan ? planned(plan) : nothing}
    ${forbidden || error ? forceBox() : nothing}
    ${foot(
      html`<button type="button" @click=${readPlan} ?disabled=${!plan && !error}>Read again</button>`,
      html`<button type="button" class="main" ?disabled=${(!plan && !error) || (forbidden && !force)} @click=${() => change({ step: "ask", error: null })}>Go on…</button>`,
    )}`;
}

function planned(plan) {
  const now = appNow();
  return html`${plan.forbids ? html`<div class="refused"><p><b>Not without force:</b> ${plan.forbids}</p></div>` : nothing}
    ${plan.hold ? html`<p class="note">${plan.hold}. A command is carried out all the same.</p>` : nothing}
    ${plan.steps.length ? html`<p><b>${amount(plan)}</b>, read from Azure ${ago(plan.read_at, now)}:</p>
      <ol class="plan">${plan.steps.map((each) => html`<li><span class="mark grey">${each.kind}</span> ${each.detail}</li>`)}</ol>`
    : html`<p><b>Nothing to write:</b> everything is there already.</p>`}
    ${plan.problems.filter((each) => !plan.forbids?.includes(each)).map((each) => html`<p class="wrong-text">Stays behind: ${each}</p>`)}`;
}

/** Return how much a plan changes, in numbers. */
function amount(plan) {
  const of = (routes) => plan.steps.filter((each) => (each.kind === "routes") === routes);
  const sum = (steps) => steps.reduce((many, each) => many + each.changes, 0);
  const [tables, nics] = [of(true), of(false)];
  const parts = [
    tables.length && `${count(sum(tables), "route")} in ${count(tables.length, "table")}`,
    nics.length && `${count(sum(nics), "public IP")} by ${count(nics.length, "write")} to NICs`,
  ];
  return parts.filter(Boolean).join(", ");
}

function forceBox() {
  const { force } = state.dialog;
  return html`<div class="force"><label><input type="checkbox" .checked=${force} @change=${(event) => change({ force: event.target.checked })}> Use force</label>
    <ul>${consequences().map((each) => html`<li>${each}</li>`)}</ul></div>`;
}

/** Say what force may lead to, so that nobody is surprised by it a minute later. */
function consequences() {
  const { to, plan } = state.dialog;
  const group = state.group?.data ?? state.dialog.group;
  const up = nvaOf(group, to).health === "up";
  const found = [up ? `Nobody checks once more that ${to} is up.` : `${to} is not known to be up. If it is not, traffic stops there.`];
  if (!up && group.automatic && !group.paused) found.push("While its probe fails, nvaha moves on after hold-down, unless the group is paused.");
  if (plan?.problems.length) found.push("What cannot be brought along stays where it is: the group is then on two NVAs.");
  found.push("Marks of another deployment are taken over; that one stops moving the group.");
  return found;
}

function reasonField() {
  return html`<label class="field">Reason, for the history (may be empty)
    <textarea rows="2" maxlength="500" .value=${state.dialog.reason} @input=${(event) => { state.dialog.reason = event.target.value; }}></textarea></label>
    <p class="quiet">The history will say: asked for by <b>${caller()}</b></p>`;
}

function askDialog() {
  const { group, to, plan, error, force, step } = state.dialog;
  const sending = step === "sending";
  return html`<h2 tabindex="-1">${force ? "Force" : "Move"} ${group.name} ${group.active && group.active !== to ? `from ${group.active} ` : ""}to ${to} now?</h2>
    <ul class="plain"><li>${plan ? (plan.steps.length ? html`Changes <b>${amount(plan)}</b>` : "Writes nothing, by what was just read") : html`How much it changes <b>is not known</b>: the plan could not be read`}</li>
      <li>Connections through ${group.active ?? "the NVA that is active"} break, unless the NVAs share their sessions</li>
      ${force ? consequences().map((each) => html`<li class="wrong-text">${each}</li>`) : nothing}</ul>
    ${reasonField()}${trouble(error)}
    ${foot(
      html`<button type="button" ?disabled=${sending} @click=${() => { change({ step: "plan", error: null }); readPlan(); }}>Back to the plan</button>`,
      html`<button type="button" class="danger" ?disabled=${sending} @click=${send}>${sending ? "Asking…" : error?.maybeDone ? "Send it again" : `Move to ${to} now`}</button>`,
    )}`;
}

const LENGTHS = { "": "until somebody resumes it", "1h": "for an hour", "4h": "for four hours", "1d": "for a day", "7d": "for a week" };

function lengthField() {
  const set = (event) => change({ length: event.target.value });
  return html`<label class="field">How long<select @change=${set}>${Object.entries(LENGTHS).map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select></label>`;
}

function pauseDialog() {
  const { kind, group, error, step } = state.dialog;
  const sending = step === "sending";
  const active = group.active && nvaOf(group, group.active);
  const what = kind === "pause"
    ? ["It is probed and shown as before, and can be moved by hand.", "It is never switched by itself, even when its active NVA fails, while it is paused."]
    : ["It is switched by itself again when its active NVA fails.", active?.health === "down" ? `${active.name} is down now: it is switched at once.` : null];
  return html`<h2 tabindex="-1">${kind === "pause" ? "Pause" : "Resume"} ${group.name}?</h2>
    <ul class="plain">${what.filter(Boolean).map((each) => html`<li>${each}</li>`)}</ul>
    ${kind === "pause" ? lengthField() : nothing}${reasonField()}${trouble(error)}
    ${foot(html`<button type="button" class="main" ?disabled=${sending} @click=${send}>${sending ? "Asking…" : kind === "pause" ? "Pause it" : "Resume it"}</button>`)}`;
}
