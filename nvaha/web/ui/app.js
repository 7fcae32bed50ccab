// The page as a whole: where one is, what stands above everything, and the key.

import { close, dialog } from "./actions.js";
import { caller, keep, key, name } from "./api.js";
import { groupPage } from "./group.js";
import { html, nothing, render } from "./lit-html.js";
import { overview } from "./overview.js";
import { LIVE_S, ageS, isOld, shown, start, state, update, wake } from "./poll.js";
import { advised, age, clock, judge } from "./words.js";

const root = document.querySelector("#page");
const said = document.querySelector("#said");

const asksForKey = () => state.failures > 0 && state.error.code === "key";

function page() {
  const old = state.overview && !asksForKey() && isOld();
  return html`<header>
      <a class="brand" href="#/">nvaha</a>${watchers()}
      <span class="aside">${contact()}${key() ? html`<button class="link" @click=${forget}>Forget the key</button>` : nothing}</span>
    </header>
    <aside class="notices" aria-label="Notices">${banners()}</aside>
    <main class=${old ? "old" : ""}>${asksForKey() ? keyForm() : body()}</main>
    <dialog aria-label="Confirm" @cancel=${cancel}>${state.dialog ? dialog() : nothing}</dialog>
    <footer class="quiet">Times are UTC. What you ask for is recorded as asked by <b>${caller()}</b>.</footer>`;
}

function body() {
  if (!state.overview) return html`<h1 class="unseen" tabindex="-1">nvaha status</h1><p class="loading">Asking the app.</p>`;
  return state.selected === null ? overview() : groupPage();
}

function watchers() {
  if (!state.overview) return nothing;
  const { leader, standbys } = state.overview.data;
  return html`<span class="quiet watchers">${leader ? html`led by <b>${leader.instance}</b>, ${standbys} standing by` : "nobody leads"}</span>`;
}

function contact() {
  if (!state.overview) return nothing;
  const s = ageS(shown());
  return html`<span class="contact ${isOld() || state.failures ? "lost" : ""}"><span class="dot" aria-hidden="true"></span>${s < LIVE_S && !state.failures ? "live" : `as of ${age(s)} ago`}</span>`;
}

function banners() {
  const { error, failures, flash } = state;
  const seen = shown();
  const waits = Math.max(0, Math.round((state.next - Date.now()) / 1000));
  const again = html`<button class="link" @click=${() => wake()}>Ask now</button>${waits ? html` <span class="quiet">else in ${waits} s</span>` : nothing}`;
  const lost = failures > 0 && error.code !== "key";
  const what = !seen ? "No contact with the app." : `${isOld() ? "What is shown is old" : "The last answer is missing"}: it is from ${clock(seen.at + state.skewMs)}.`;
  // What changes with each second stands beside what is read out, not in it.
  return html`
    ${lost || (seen && isOld() && !asksForKey()) ? html`<div class="banner lost"><p role="alert"><b>${what}</b>
      ${seen ? "Things may stand otherwise now." : nothing} ${error && failures ? `${error.message}. ${error.remedy}` : nothing}</p>
      <p>${seen ? html`<b>${age(ageS(seen))} old. </b>` : nothing}${again}</p></div>` : nothing}
    ${seen && !isOld() ? advised(state.overview.data.advice).map((each) => html`<div class="banner ${each.level}"><p><b>${each.text}</b> ${each.todo}</p></div>`) : nothing}
    ${flash ? html`<div class="banner flash" role="status"><p>${flash}</p><p><button class="link" @click=${() => update({ flash: null })}>Dismiss</button></p></div>` : nothing}`;
}

function keyForm() {
  const submit = (event) => {
    event.preventDefault();
    const [newKey, newName] = ["key", "name"].map((each) => event.target.elements[each].value.trim());
    // A header takes printable ASCII only; whatever else was pasted is no key.
    if (!/^[\x21-\x7e]+$/.test(newKey)) return update({ flash: "That is no function key: it has letters, digits and signs, and no blanks." });
    keep(newKey, newName);
    update({ flash: null, error: null, failures: 0 });
    wake();
  };
  return html`<form class="card key" @submit=${submit}>
    <h1 tabindex="-1">nvaha status</h1>
    <p>${key() ? html`<b class="wrong-text">The app does not accept this key.</b>` : "The app shows nothing without a function key."}</p>
    <label class="field">Function key<input name="key" type="password" autocomplete="off" required spellcheck="false" autofocus></label>
    <label class="field">Your name, for the history (may be empty)<input name="name" maxlength="60" autocomplete="off" value=${name()}></label>
    <button class="main">Show</button>
    <p class="quiet">Both are kept in this tab until it is closed, and sent to this app only.</p></form>`;
}

function forget() {
  keep("", "");
  location.reload(); // nothing of what the key has shown stays in memory
}

function cancel(event) {
  event.preventDefault();
  close();
}

function draw() {
  const before = state.dialog;
  const content = page();
  root.querySelector(":scope > .loading")?.remove(); // the words of the HTML, for who sees nothing else
  render(content, root);
  const box = root.querySelector("dialog");
  if (before && !box.open) box.showModal();
  if (!before && box.open) box.close();
  focusHeading(before ? `${before.requestId} ${before.step === "plan"}` : "", box);
  announce();
  document.title = title();
}

let focused = "";

/** A dialog that has come to its next question begins to be read at its heading. */
function focusHeading(question, box) {
  if (question && question !== focused) box.querySelector("h2")?.focus();
  focused = question;
}

function title() {
  if (!state.overview) return "nvaha status";
  if (isOld() || state.failures > 1) return "No contact: nvaha status";
  const bad = state.overview.data.groups.filter((group) => judge(group).level === "bad").length;
  return `${bad ? `(${bad}) ` : ""}${state.selected === null ? "" : `${state.selected}: `}nvaha status`;
}

let told = null; // what was last announced of each group: { name: words }

/** Say what has changed to whoever does not see it. */
function announce() {
  if (!state.overview) return;
  const now = Object.fromEntries(state.overview.data.groups.map((group) => [group.name, standing(group)]));
  if (told !== null) {
    const news = Object.entries(now).filter(([name, words]) => told[name] !== undefined && told[name] !== words);
    if (news.length) said.textContent = news.slice(0, 5).map(([name, words]) => `${name}: ${words}`).join(". ");
  }
  told = now;
}

function standing(group) {
  const nvas = group.nvas.map((nva) => `${nva.name} ${nva.health}`).join(", ");
  return `${group.target ? `moving to ${group.target}` : `active ${group.active ?? "not known"}`}, ${nvas}${group.paused ? ", paused" : ""}`;
}

function asked() {
  const text = location.hash.replace(/^#\/?/, "");
  try {
    return decodeURIComponent(text) || null;
  } catch {
    return text;
  }
}

function route() {
  update({ selected: asked(), group: null, missing: null, flash: null });
  wake();
  root.querySelector("h1")?.focus();
  scrollTo(0, 0);
}

addEventListener("hashchange", route);
state.selected = asked();
start(draw);
draw();
setInterval(draw, 1000); // ages grow by themselves
