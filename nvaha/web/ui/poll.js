// What is known, and keeping it fresh: one poll after another, seldom at rest, more seldom while nobody answers.

import { call, key } from "./api.js";
import { record } from "./samples.js";

const REST_MS = 5000;
const MANY = 50; // groups: their answer is long, so it is asked for half as often
const MOVING_MS = 1000;
const HIDDEN_MS = 30_000;
const LONGEST_MS = 30_000;
const OLD_MS = 20_000;
const SHARE = 10; // so many times as long as an answer takes is waited before asking again, within the limits above
export const LIVE_S = 12;

export const state = {
  opened: Date.now(),
  overview: null, // { data, at }: the last good answer, and when it was asked for
  selected: null, // the group whose page is open
  group: null, // { data, at, history } of that one
  missing: null, // why that one cannot be shown
  failures: 0, // polls in a row that came to nothing
  error: null, // why the last one did
  next: 0, // when the next one is due
  skewMs: 0, // the app's clock less this browser's
  dialog: null,
  filter: "",
  flash: null,
};

let changed = () => {};
let timer = 0;
let polling = false;
let again = false;
let hurryUntil = 0;

export const appNow = () => Date.now() + state.skewMs;
export const ageS = (seen) => (Date.now() - seen.at) / 1000;

/** Return what the page that is open shows: the oldest part of it, or null if there is nothing yet. */
export const shown = () => (state.group && state.group.at < state.overview.at ? state.group : state.overview);

/** Tell whether what is shown may not be taken for how things stand now. */
export const isOld = (seen = shown()) => !seen || Date.now() - seen.at > OLD_MS;

/** Change what is known or shown, and draw it. */
export function update(change) {
  Object.assign(state, change);
  changed();
}

/** Ask at once, and often for so many seconds. */
export function wake(hurryS = 0) {
  hurryUntil = Math.max(hurryUntil, Date.now() + hurryS * 1000);
  clearTimeout(timer);
  if (polling) again = true;
  else poll();
}

/** Begin; `draw` is called whenever something has changed. */
export function start(draw) {
  changed = draw;
  document.addEventListener("visibilitychange", () => document.hidden || wake());
  addEventListener("online", () => wake());
  poll();
}

async function poll() {
  polling = true;
  again = false;
  let took = 0;
  try {
    const name = state.selected;
    const overview = await call("groups");
    took = overview.took;
    if (overview.skew !== null && Math.abs(overview.skew - state.skewMs) > 1500) state.skewMs = overview.skew;
    record(overview.data.groups, overview.at);
    state.overview = overview;
    const group = name === null ? null : await look(name);
    if (name === state.selected) Object.assign(state, { missing: null, ...group });
    Object.assign(state, { failures: 0, error: null });
  } catch (error) {
    state.failures += 1;
    state.error = error;
  }
  polling = false;
  const wait = again ? 0 : waitMs(took);
  state.next = Date.now() + wait;
  if (state.error?.code !== "key" || key()) timer = setTimeout(poll, wait); // without a key nobody need be asked
  changed();
}

/** Return what the group's page shows; its history is asked for only when a switch has begun or ended. */
async function look(name) {
  const path = `groups/${encodeURIComponent(name)}`;
  try {
    const group = await call(path);
    const { operation } = group.data;
    const mark = operation && `${operation.id} ${operation.status}`;
    const known = state.group?.data.name === name && state.group.mark === mark;
    group.mark = mark;
    group.history = known ? state.group.history : (await call(`${path}/history?limit=5`)).data;
    return { group };
  } catch (error) {
    if (error.code !== "unknown_group" && error.code !== "state_unreadable") throw error;
    return { group: null, missing: error };
  }
}

function waitMs(took) {
  if (state.failures) {
    const backOff = Math.min(LONGEST_MS, 1000 * 2 ** state.failures);
    return Math.max(backOff, (state.error.retryAfterS ?? 0) * 1000);
  }
  if (document.hidden) return HIDDEN_MS;
  const { groups } = state.overview.data;
  const moving = Date.now() < hurryUntil || groups.some((group) => group.phase === "switching");
  const longest = groups.length > MANY ? 2 * REST_MS : REST_MS;
  return moving ? Math.min(longest, Math.max(MOVING_MS, SHARE * took)) : longest;
}
