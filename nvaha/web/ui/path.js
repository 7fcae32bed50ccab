// The way that traffic takes through a group, drawn: Internet, public IPs, NVAs, route tables, subnets.

import { html, svg } from "./lit-html.js";
import { count, last, nvaOf } from "./words.js";

const SHOWN = 4; // so many public IPs or tables are drawn one by one, the others as one box
const WIDE = { along: 202, across: 76, w: 156, h: 56, upright: false };
const NARROW = { along: 96, across: 118, w: 110, h: 56, upright: true };

/** Return the drawing; `narrow` makes it run downward. */
export function path(group, narrow) {
  const shape = narrow ? NARROW : WIDE;
  const columns = columnsOf(group);
  const widest = Math.max(...columns.map((each) => each.boxes.length));
  const size = { along: (columns.length - 1) * shape.along + (narrow ? shape.h : shape.w), across: (widest - 1) * shape.across + (narrow ? shape.w : shape.h) };
  columns.forEach((column, i) =>
    column.boxes.forEach((box, k) => {
      const along = i * shape.along;
      const across = ((widest - column.boxes.length) / 2 + k) * shape.across;
      Object.assign(box, narrow ? { x: across, y: along } : { x: along, y: across });
    }),
  );
  const at = new Map(columns.flatMap((column) => column.boxes).map((box) => [box.id, box]));
  const [w, h] = narrow ? [size.across, size.along] : [size.along, size.across];
  return html`<svg class="path" width=${w + 8} viewBox="-4 -4 ${w + 8} ${h + 8}" role="img" aria-label=${inWords(group, columns)}>
    ${edgesOf(group, columns).map(({ from, to, how }) => svg`<path class="edge ${how}" d=${curve(at.get(from), at.get(to), shape)}></path>`)}
    ${columns.flatMap((column) => column.boxes).map((box) => draw(box, shape))}
  </svg>`;
}

/** Return the columns from left to right, each with its boxes. */
function columnsOf(group) {
  const ips = few(group.public_ips.map((each) => each.resource_id), "public IP", (id) => placeOfIp(group, id));
  const tables = few(group.route_tables, "route table", (id) => placeOfTable(group, id));
  const nvas = group.nvas.map((nva) => ({ id: `nva ${nva.name}`, title: nva.name, under: underNva(group, nva), how: howOfNva(group, nva), health: nva.health }));
  const inbound = ips.length ? [{ boxes: [{ id: "internet", title: "Internet", under: "", how: "plain" }] }, { boxes: ips, kind: "ip" }] : [];
  const outbound = tables.length
    ? [{ boxes: tables, kind: "table" }, { boxes: [{ id: "subnets", title: "Subnets", under: "of these tables", how: "plain" }] }]
    : [];
  return [...inbound, { boxes: nvas, kind: "nva" }, ...outbound];
}

function few(ids, what, placeOf) {
  const shown = ids.length > SHOWN ? ids.slice(0, SHOWN - 1) : ids;
  const boxes = shown.map((id) => ({ id, title: last(id), under: what, how: "plain", place: placeOf(id) }));
  const rest = ids.slice(shown.length);
  if (rest.length) {
    const places = rest.map(placeOf);
    const place = places.find((each) => each.moving) ?? places[0];
    boxes.push({ id: `rest of ${what}`, title: `${rest.length} more`, under: `${what}s`, how: "plain", place });
  }
  return boxes;
}

function underNva(group, nva) {
  const role = nva.name === group.target ? "moving here" : nva.name === group.active ? "active" : "standby";
  return group.canary ? role : `${nva.health}, ${role}`;
}

function howOfNva(group, nva) {
  if (nva.name === group.active) return nva.health === "down" ? "broken" : "active";
  return nva.name === group.target ? "target" : "standby";
}

/** Where a resource points now: { at: NVA or null, moving: whether it is on its way to the target }. */
function placed(group, steps) {
  const { active, target, operation } = group;
  if (group.phase !== "switching" || !operation) return { at: active, moving: false };
  if (!operation.steps.length) return { at: active, moving: operation.status === "running" };
  if (steps.every((each) => each.status === "done")) return { at: target, moving: false };
  if (steps.some((each) => each.status === "failed")) return { at: active, moving: false };
  return { at: active, moving: true };
}

function placeOfTable(group, id) {
  const mine = (step) => step.kind === "routes" && step.resource_id.toLowerCase() === id.toLowerCase();
  return placed(group, (group.operation?.steps ?? []).filter(mine));
}

function placeOfIp(group, id) {
  // A NIC's step says in words which public IPs it takes off or puts on.
  const found = (group.operation?.steps ?? []).filter((step) => step.kind !== "routes");
  const on = found.filter((step) => step.detail.includes(` ${last(id)} onto `));
  const off = found.some((step) => step.detail.includes(` ${last(id)} off `) && step.status === "done");
  const place = placed(group, on);
  return off && place.moving ? { at: null, moving: true } : place;
}

/** Return the lines: a solid one where traffic goes, a broken one where it could, a running one where it is on its way. */
function edgesOf(group, columns) {
  const found = [];
  const down = (name) => nvaOf(group, name)?.health === "down";
  for (const { boxes, kind } of columns) {
    if (kind !== "ip" && kind !== "table") continue;
    for (const box of boxes) {
      const { at, moving } = box.place;
      for (const nva of group.nvas) {
        const live = nva.name === at;
        const how = live ? (down(at) ? "cut" : "live") : moving && nva.name === group.target ? "moving" : "idle";
        const ends = [`nva ${nva.name}`, box.id];
        const [from, to] = kind === "ip" ? ends.reverse() : ends;
        found.push({ from, to, how });
      }
      const how = moving ? "moving" : !at ? "idle" : down(at) ? "cut" : "live";
      found.push(kind === "ip" ? { from: "internet", to: box.id, how } : { from: box.id, to: "subnets", how });
    }
  }
  const order = ["idle", "live", "cut", "moving"];
  return found.sort((a, b) => order.indexOf(a.how) - order.indexOf(b.how));
}

function curve(from, to, { w, h, upright }) {
  if (upright) {
    const [x1, y1, x2, y2] = [from.x + w / 2, from.y + h, to.x + w / 2, to.y];
    const bend = (y2 - y1) / 2;
    return `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
  }
  const [x1, y1, x2, y2] = [from.x + w, from.y + h / 2, to.x, to.y + h / 2];
  const bend = (x2 - x1) / 2;
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

function draw(box, { w, h, upright }) {
  const fits = upright ? 11 : 16;
  const ends = Math.floor(fits / 2);
  const cut = (text) => (text.length > fits ? `${text.slice(0, fits - ends - 1)}…${text.slice(-ends)}` : text); // names differ at their ends
  return svg`<g class="box ${box.how} ${box.health ?? ""}" transform="translate(${box.x} ${box.y})">
    <title>${box.title}</title>
    <rect width=${w} height=${h} rx="10"></rect>
    <text class="name" x=${w / 2} y=${box.under ? 24 : 33}>${cut(box.title)}</text>
    <text class="under" x=${w / 2} y="42">${box.under}</text>
  </g>`;
}

/** Say the drawing in a sentence. */
function inWords(group, columns) {
  const named = (kind) => columns.find((each) => each.kind === kind)?.boxes.map((box) => box.title).join(", ");
  const [ips, tables] = [named("ip"), named("table")];
  const others = group.nvas.filter((nva) => nva.name !== group.active).map((nva) => `${nva.name} ${underNva(group, nva)}`);
  const active = group.active ? `NVA ${group.active} (${nvaOf(group, group.active).health})` : "an NVA that is not known";
  const way = [ips && `Internet, public IP ${ips}`, active, tables && `route tables ${tables}, their subnets`];
  const moving = group.target ? ` Being moved to ${group.target}.` : "";
  return `Traffic goes: ${way.filter(Boolean).join(", ")}.${moving} ${count(others.length, "other NVA")}: ${others.join("; ")}.`;
}
