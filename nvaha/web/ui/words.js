// How things are said: durations, times, and how a group stands.

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

/** Return what the app says is wrong, each with its level here. */
export const advised = (advice) => advice.map((each) => ({ ...each, level: BY_ADVICE[each.level] ?? "care" }));

/** Return { level, troubles }: how a group stands, and what is wrong with it in the app's words. */
export function judge(group) {
  // That it is being switched, and how that goes, is shown step by step anyway.
  const troubles = advised(group.advice).filter((each) => each.code !== "switching");
  const worst = LEVELS.find((level) => troubles.some((each) => each.level === level)) ?? "ok";
  const moves = group.phase === "switching" && !group.all_down && !group.blocked;
  return { level: moves ? "moving" : worst, troubles };
}
