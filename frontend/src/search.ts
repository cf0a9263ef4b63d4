// One field for areas, scenes and coordinates, with completion.

import { ask, type Area, type Features, type Scene } from "./api";
import { el, later, number } from "./dom";

export type Goal =
  | { kind: "area"; area: Area }
  | { kind: "scene"; scene: Scene }
  | { kind: "place"; longitude: number; latitude: number };
type Offer = { goal: Goal; name: string; hint: string };

/** Read "27.63, 85.52" or "27.63 N 85.52 E" as latitude and longitude. */
export function coordinate(text: string): { longitude: number; latitude: number } | null {
  const parts = /^\s*([-+]?\d+(?:\.\d+)?)\s*°?\s*([NS])?[\s,;]+([-+]?\d+(?:\.\d+)?)\s*°?\s*([EW])?\s*$/i.exec(text);
  if (!parts) return null;
  const latitude = Number(parts[1]) * (parts[2]?.toUpperCase() === "S" ? -1 : 1);
  const longitude = Number(parts[3]) * (parts[4]?.toUpperCase() === "W" ? -1 : 1);
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { longitude, latitude } : null;
}

/** Make the field; what is chosen in it is handed on. */
export function searchField(run: () => string[], go: (goal: Goal) => void): HTMLElement {
  const input = el("input", { type: "search", id: "search", role: "combobox", autocomplete: "off", spellcheck: "false",
    placeholder: "Area, scene, or latitude, longitude", "aria-expanded": "false", "aria-controls": "offers", "aria-autocomplete": "list" });
  const list = el("ul", { id: "offers", role: "listbox", "aria-label": "What fits", hidden: true });
  let offers: Offer[] = [];
  let chosen = -1;

  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    chosen = -1;
  };
  const take = (offer: Offer | undefined) => {
    if (!offer) return;
    input.value = offer.name;
    close();
    go(offer.goal);
  };
  const mark = (place: number) => {
    chosen = offers.length ? (place + offers.length) % offers.length : -1;
    [...list.children].forEach((entry, at) => entry.setAttribute("aria-selected", String(at === chosen)));
    if (chosen >= 0) input.setAttribute("aria-activedescendant", `offer-${chosen}`);
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  };
  const ask_ = later(150, async () => {
    const text = input.value.trim();
    offers = text ? await find(text, run()).catch(() => []) : [];
    if (text !== input.value.trim()) return;
    list.replaceChildren(...offers.map((offer, at) => el("li", { role: "option", id: `offer-${at}`, "aria-selected": "false",
      onmousedown: (event) => event.preventDefault(), onclick: () => take(offer) }, el("span", {}, offer.name), el("small", {}, offer.hint))));
    if (text && !offers.length) list.append(el("li", { class: "note" }, "Nothing of this name"));
    list.hidden = !text;
    input.setAttribute("aria-expanded", String(!!text));
    mark(0);
  });
  input.addEventListener("input", ask_);
  input.addEventListener("blur", () => window.setTimeout(close, 100));
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") mark(chosen + 1);
    else if (event.key === "ArrowUp") mark(chosen - 1);
    else if (event.key === "Enter") take(offers[Math.max(0, chosen)]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
  return el("div", { class: "search" }, el("label", { for: "search", class: "hidden" }, "Search"), input, list);
}

async function find(text: string, run: string[]): Promise<Offer[]> {
  const place = coordinate(text);
  if (place) return [{ goal: { kind: "place", ...place }, name: text, hint: "latitude, longitude" }];
  const [areas, scenes] = await Promise.all([
    ask<{ areas: Area[] }>("areas", { q: text, counts: true, limit: 8, run }),
    ask<Features<Scene>>("collections/scenes/items", { run, limit: 1000 }),
  ]);
  const total = (counts: Record<string, number> = {}) => Object.values(counts).reduce((sum, some) => sum + some, 0);
  const wanted = text.toLowerCase();
  const fitting = scenes.features.filter((scene) => scene.properties.title.toLowerCase().includes(wanted)).slice(0, 8);
  return [
    ...areas.areas.map((area): Offer => ({ goal: { kind: "area", area }, name: area.name, hint: `${number.format(total(area.classes))} found` })),
    ...fitting.map((scene): Offer => ({ goal: { kind: "scene", scene }, name: scene.properties.title, hint: scene.bbox ? "scene" : "scene, pixels only" })),
  ];
}
