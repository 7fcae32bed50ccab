// How things are said: durations, times, and how a group stands.

export const STALE_S = 30; // what nobody has written for so long says nothing about now

export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
export const last = (id) => id.slice(id.lastIndexOf("/") + 1);

/** Return seconds in words: 0.35 s, 4.2 s, 58 s, 3 min 5 s, 2 h 10 min, 3 days. */
export function duration(s) {
  if (s < 0) return "0 s";
  if (s < 1) return `${s.toFixed(2)} s`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (s < 172_800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return count(Math.floor(s / 86_400), "day");
}

const about = (s) => (s < 90 ? `${Math.max(0, Math.round(s))} s` : s < 5400 ? `${Math.round(s / 60)} min` : duration(s));
export const sinceS = (iso, now) => (iso ? (now - Date.parse(iso)) / 1000 : Infinity);
export const ago = (iso, now) => (iso ? `${about(sinceS(iso, now))} ago` : "never");
export const since = (iso, now) => (iso ? `for ${about(sinceS(iso, now))}` : "");
export const age = (s) => about(s);

/** Return a time as the log, the command and Azure write it. */
export const utc = (time) => `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;
export const clock = (time) => `${new Date(time).toISOString().slice(11, 19)} UTC`;

export const nvaOf = (group, name) => group.nvas.find((nva) => nva.name === name);

/** Levels from the worst to the best; groups are listed in this order. */
export const LEVELS = ["bad", "moving", "care", "ok"];
export const LABELS = { bad: "Trouble", moving: "Moving", care: "Attention", ok: "Well" };

const BY_ADVICE = { error: "bad", warning: "care", info: "ok" };

/** Return { level, troubles }: how a group stands at the app's time `now`, and what is wrong with it in words. */
export function judge(group, now) {
  const troubles = group.advice ? advised(group.advice) : found(group, now);
  const worst = LEVELS.find((level) => troubles.some((each) => each.level === level)) ?? "ok";
  const moves = group.phase === "switching" && !group.all_down && !group.blocked;
  return { level: moves ? "moving" : worst, troubles };
}

/** Return what the app itself says is wrong, with what to do about it: its words are the ones to show. */
export const advised = (advice) => advice.map((each) => ({ ...each, level: BY_ADVICE[each.level] ?? "care" }));

/** Return what is wrong by what an app shows that gives no advice. */
function found(group, now) {
  const troubles = [];
  const tell = (level, text, todo = "") => troubles.push({ level, text, todo });
  const resume = "Resume it when the work is done.";
  if (group.canary) {
    if (group.canary.error) tell("care", `the last run: ${group.canary.error}`);
    if (group.canary.overdue) tell("care", "no run has ended well for too long", "See why the last ones failed.");
    if (group.paused) tell("care", "paused: it is not switched, so nothing is known of whether switching works", resume);
    return troubles;
  }
  if (group.all_down) tell("bad", "every NVA is down", "Bring one of them back; nvaha moves to it as soon as it is up.");
  if (sinceS(group.probed_at, now) > STALE_S)
    tell("bad", `nobody watches it: probed ${ago(group.probed_at, now)}, so its health is not known`, "See whether a leader is there, and whether the app runs.");
  const active = group.active && nvaOf(group, group.active);
  if (active?.health === "down" && !group.all_down && group.phase !== "switching")
    tell("bad", `${active.name} is active and down`, group.blocked ? "" : "nvaha moves by itself if it may; else move it by hand.");
  if (group.rival) tell("bad", group.rival);
  if (group.wanted) tell("bad", `half moved: ${group.wanted} was asked for and not everything is there`, "It is tried again by itself.");
  if (group.blocked && group.blocked !== group.rival && group.blocked !== group.hold)
    tell("bad", `${group.phase === "switching" ? "the switch waits" : "not switched"}: ${group.blocked}`);
  if (group.phase === "unknown" && !group.wanted && !group.blocked) tell("care", "which NVA is active has not been read from Azure yet");
  for (const nva of group.nvas) {
    if (nva.health === "down" && nva.name !== group.active && !group.all_down)
      tell("care", `${nva.name} is down (${nva.last_error ?? "no answer"}): nothing stands by there`, "Bring it back before the active one fails.");
    if (nva.unsteady) tell("care", `${nva.name} is unsteady: many of its probes fail, never enough in a row`);
    for (const each of nva.not_ready) tell("care", `${nva.name} is not ready for a switch: ${each}`);
  }
  for (const each of group.drift) tell("care", `drift: ${each}`);
  if (group.hold) tell("care", group.hold);
  if (group.paused) tell("care", "paused: probed and reported, never switched by itself", resume);
  return troubles;
}
