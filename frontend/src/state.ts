// What is looked at: place and filters, kept in the address so that it can be shared.

import type { Parameters } from "./api";

export type State = {
  place: string; // zoom/latitude/longitude
  run: string; // id, "" for the latest
  hidden: string[]; // classes that are not shown
  score: number; // lowest, 0 to 1
  from: string; // day, "" for any
  to: string;
  area: string; // name, "" for everywhere
  scene: string; // key of a scene that is looked at in its own pixels, "" for the map
  other: string; // run to compare with
  otherFrom: string; // days to compare with
  otherTo: string;
};

const EMPTY: State = {
  place: "", run: "", hidden: [], score: 0, from: "", to: "", area: "", scene: "", other: "", otherFrom: "", otherTo: "",
};
const listeners: ((state: State, changed: Set<keyof State>) => void)[] = [];
export const state: State = read();

function read(): State {
  const given = new URLSearchParams(location.hash.slice(1));
  const text = (name: string) => given.get(name) ?? "";
  const score = Number(text("score"));
  return {
    ...EMPTY,
    ...Object.fromEntries(
      ["place", "run", "from", "to", "area", "scene", "other", "otherFrom", "otherTo"].map((name) => [name, text(name)]),
    ),
    hidden: given.getAll("hidden"),
    score: score >= 0 && score <= 1 ? score : 0,
  };
}

function write(): void {
  const kept = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (Array.isArray(value)) for (const one of value) kept.append(name, one);
    else if (value) kept.set(name, String(value));
  }
  history.replaceState(null, "", `#${kept.toString().replaceAll("%2F", "/")}`);
}

/** Change some of it; whoever watches is called if something is different. */
export function change(changes: Partial<State>): void {
  const changed = new Set<keyof State>();
  for (const [name, value] of Object.entries(changes) as [keyof State, never][]) {
    if (JSON.stringify(state[name]) !== JSON.stringify(value)) {
      state[name] = value;
      changed.add(name);
    }
  }
  if (!changed.size) return;
  write();
  for (const listener of listeners) listener(state, changed);
}

/** Be called at every change. */
export function watch(listener: (state: State, changed: Set<keyof State>) => void): void {
  listeners.push(listener);
}

window.addEventListener("hashchange", () => change(read()));

/** Return the period of two days, the last included, as the server takes it. */
export function period(from: string, to: string): string {
  if (!from && !to) return "";
  return `${from ? `${from}T00:00:00Z` : ".."}/${to ? `${to}T23:59:59.999999Z` : ".."}`;
}

/** Return the conditions that the server is asked with; classes only if some are hidden. */
export function conditions(known: string[], runs: string[], withClasses = true): Parameters {
  const shown = known.filter((name) => !state.hidden.includes(name));
  return {
    run: state.run ? [state.run] : runs.slice(0, 1),
    min_score: state.score || null,
    datetime: period(state.from, state.to),
    area: state.area ? [state.area] : [],
    class: !withClasses || shown.length === known.length ? [] : shown.length ? shown : [" "], // no class is called so
  };
}
