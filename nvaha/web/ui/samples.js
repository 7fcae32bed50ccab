// What this tab has seen of each NVA since it was opened, for the charts; nothing is kept anywhere else.

const HOUR_MS = 3_600_000;
const seen = new Map(); // "group/nva" → [{ t, health, ms }], oldest first
const probed = new Map(); // group → when it was probed, as far as that is in `seen`

/** Take in what a poll has shown; a group that nobody has probed since the last one is shown nothing new. */
export function record(groups, at) {
  for (const group of groups) {
    if (!group.probed_at || probed.get(group.name) === group.probed_at) continue;
    probed.set(group.name, group.probed_at);
    for (const nva of group.nvas) {
      const of = `${group.name}/${nva.name}`;
      const samples = seen.get(of) ?? [];
      samples.push({ t: at, health: nva.health, ms: nva.latency_ms });
      while (samples[0].t < at - HOUR_MS) samples.shift();
      seen.set(of, samples);
    }
  }
}

export const samplesOf = (group, nva) => seen.get(`${group}/${nva}`) ?? [];
