// The runs of a store, and those that are at work.

import type { Run } from "./api";
import { el, number } from "./dom";

const REMEMBERED = 60_000; // milliseconds over which a rate is measured
const history = new Map<string, [number, number][]>(); // by run: times and windows done

/** What a run is called in a line. */
export function title(run: Run): string {
  const detector = run.about.detector as { classes?: unknown } | null | undefined;
  const classes = Array.isArray(detector?.classes) ? detector.classes.map(String) : [];
  const sought = classes.length > 3 ? count(classes.length, "class", "classes") : classes.join(", ");
  return [run.name ?? run.id.slice(0, 8), sought].filter(Boolean).join(" · ");
}

/** Remember how far runs are, so that their rates are known. */
export function remember(runs: Run[]): void {
  const now = performance.now();
  for (const run of runs) {
    const known = history.get(run.id) ?? [];
    if (known.at(-1)?.[1] !== run.windows.done) known.push([now, run.windows.done]);
    history.set(run.id, known.filter(([time], place) => now - time < REMEMBERED || place >= known.length - 2));
  }
}

function rate(run: Run): number {
  const known = history.get(run.id) ?? [];
  const [first, last] = [known[0], known.at(-1)];
  return first && last && last[0] > first[0] ? (1000 * (last[1] - first[1])) / (last[0] - first[0]) : 0;
}

/** Make the entry of a run. */
export function runEntry(run: Run, chosen: boolean, onchoose: () => void): HTMLElement {
  const { complete, pending, failed } = run.scenes;
  const choice = el("input", { type: "radio", name: "run", checked: chosen, onchange: onchoose });
  const state = pending ? `${number.format(complete)} of ${number.format(complete + pending)} scenes` : count(complete, "scene");
  const line = `${state} · ${count(run.detections, "detection")}`;
  const entry = el("div", { class: pending ? "run working" : "run" },
    el("label", {}, choice, el("span", { class: "name" }, title(run))),
    el("p", { class: "note" }, line, " · ", el("time", { datetime: run.updated }, when(run.updated)), failed > 0 && el("strong", { class: "bad" }, ` · ${count(failed, "scene")} failed`)));
  if (pending) {
    const { done, all } = run.windows;
    const speed = rate(run);
    const rest = speed > 0 ? `, ${speed.toFixed(speed < 10 ? 1 : 0)} a second, about ${duration((all - done) / speed)} to go` : "";
    entry.append(el("progress", { max: Math.max(1, all), value: done, "aria-label": "Windows done" }),
      el("p", { class: "note" }, `${number.format(done)} of ${count(all, "window")}${rest}`));
  }
  const facts = flat(run.about);
  const list = el("dl");
  for (const [name, value] of [["run", run.id] as const, ...facts]) list.append(el("dt", {}, name), el("dd", {}, value));
  for (const { scene, reason } of run.failed) list.append(el("dt", { class: "bad" }, scene), el("dd", {}, reason));
  entry.append(el("details", {}, el("summary", {}, "Model and settings"), list));
  return entry;
}

function flat(value: unknown, name = ""): [string, string][] {
  if (typeof value !== "object" || value === null) return [[name, String(value)]];
  if (Array.isArray(value)) return [[name, value.map((one) => (typeof one === "object" ? JSON.stringify(one) : String(one))).join(", ")]];
  return Object.entries(value).flatMap(([key, part]) => flat(part, name ? `${name} ${key}` : key));
}

function when(text: string): string {
  const time = new Date(text);
  return Number.isNaN(time.valueOf()) ? text : time.toISOString().slice(0, 16).replace("T", " ");
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

export function count(amount: number, name: string, several = `${name}s`): string {
  return `${number.format(amount)} ${amount === 1 ? name : several}`;
}
