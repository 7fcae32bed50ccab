// The app's API: one call at a time, with the key of this tab, and errors that say what to do.

const BASE = new URL("../../", import.meta.url);
const KEY = "nvaha-key";
const NAME = "nvaha-name";
const PATIENCE_MS = 20_000;

/** What to do about an error, by its code; docs/http-api.md has the same. */
const REMEDIES = {
  unknown_group: "It may have been taken out of the configuration: go back to all groups.",
  unknown_nva: "Load the page again: the configuration has changed.",
  other_configuration: "The instance that answered has another configuration than the leader: wait until the deployment has ended, or restart the app.",
  switching: "Wait until it has ended. Once no worker has shown itself for 15 s, force overrides this.",
  already_active: "There is nothing to do. Force writes everything there once more.",
  not_active: "It has been moved since you looked. Close this, look again, and decide anew.",
  not_up: "Wait until its probes succeed, choose another NVA, or use force if you know that it works.",
  stale: "See first why nothing is probed: is a leader there? Force moves without knowing the health.",
  rival: "Agree with whoever else moves this group first. Force takes the marks over.",
  azure_unread: "Try again in a moment. A failover can be asked for without a plan.",
  busy: "Nothing was done. Try again in a moment.",
  storage_unavailable: "It may or may not have been done. Sending it again is harmless: it bears the same request id.",
  state_unreadable: "Mend the row that is named; the other groups go on meanwhile.",
  configuration: "Mend the configuration as it says, and deploy it.",
  settings: "Mend the application settings as it says; the app starts again by itself.",
  bad_request: "Load the page again; it may be of another release than the app.",
};

/** Why a call came to nothing; `maybeDone` tells that what was asked for may have been done all the same. */
export class ApiError extends Error {
  constructor(code, message, { remedy = REMEDIES[code] ?? "", details = [], retryAfterS = 0, maybeDone = false } = {}) {
    super(message);
    Object.assign(this, { code, remedy, details, retryAfterS, maybeDone });
  }
}

export const key = () => sessionStorage.getItem(KEY) ?? "";
export const name = () => sessionStorage.getItem(NAME) ?? "";

/** Keep the key and the name for as long as this tab is open; an empty one is forgotten. */
export function keep(newKey, newName) {
  for (const [where, value] of [[KEY, newKey], [NAME, newName]]) {
    if (value) sessionStorage.setItem(where, value);
    else sessionStorage.removeItem(where);
  }
}

const SIGNED_IN = document.querySelector("meta[name=nvaha-caller]").content;
const CLAIMED = " (claimed)";

const claim = () => (name() ? `${name()}, status page` : "status page");

/** Return who the history will say has asked: by the word of a sign-in before the app, else by one's own. */
export const caller = () => (SIGNED_IN.endsWith(CLAIMED) ? `${claim()}${CLAIMED}` : SIGNED_IN);

/**
 * Ask the API. Returns { data, at, took, skew }: `at` is when it was asked, in this browser's milliseconds, so
 * that what is shown is never younger than it says; `skew` is what to add for the app's clock, or null.
 */
export async function call(path, body) {
  const headers = { accept: "application/json", "x-nvaha-caller": encodeURIComponent(claim()) };
  if (key()) headers["x-functions-key"] = key();
  const at = Date.now();
  let response, text;
  try {
    response = await fetch(new URL(path, BASE), {
      method: body ? "POST" : "GET",
      headers,
      body: body && JSON.stringify(body),
      cache: "no-store",
      redirect: "manual", // where a sign-in has ended, it leads to another site: nothing of ours goes there
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    text = await response.text();
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw new ApiError("no_answer", late ? `No answer within ${PATIENCE_MS / 1000} s` : "No connection to the app", {
      remedy: "Is this device online, and the app running? nvaha status asks it from elsewhere.",
      maybeDone: Boolean(body),
    });
  }
  if (!response.ok) throw refusal(response, text, Boolean(body));
  const date = Date.parse(response.headers.get("date") ?? "");
  try {
    return { data: JSON.parse(text), at, took: Date.now() - at, skew: Number.isNaN(date) ? null : date - Date.now() };
  } catch {
    throw new ApiError("not_json", "The answer is none of the app's own", { maybeDone: Boolean(body) });
  }
}

function refusal(response, text, acting) {
  const retryAfterS = Number(response.headers.get("retry-after")) || 0;
  if (response.type === "opaqueredirect")
    return new ApiError("signed_out", "The sign-in has ended", { remedy: "Load the page again to sign in." });
  try {
    const { code, message, details } = JSON.parse(text).error;
    return new ApiError(code, message, { details, retryAfterS, maybeDone: acting && code === "storage_unavailable" });
  } catch {
    if (response.status === 401 || response.status === 403)
      return new ApiError("key", key() ? "The app does not accept this key" : "The app asks for a key");
    const what = `The Functions host answered ${response.status}`;
    return new ApiError("host", what, { remedy: "The app may be starting, or be of another release. Try again.", retryAfterS, maybeDone: acting });
  }
}
