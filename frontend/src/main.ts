// The page: what the server holds, the map, and the panel, kept together.

import "maplibre-gl/dist/maplibre-gl.css";
import "./style.css";
import { ask, type Changes, type Counts, type Features, isAborted, type Parameters, type Runs, type Scene, type Settings } from "./api";
import { Comparison } from "./compare";
import { fetchDetection, showDetection } from "./details";
import { byId, later, number, toast } from "./dom";
import { boundsOf, fromPixel, type Layout, MapView, toPixel } from "./mapview";
import { Panel } from "./panel";
import { drawPolygon } from "./polygon";
import { remember, title } from "./runs";
import type { Goal } from "./search";
import { change, conditions, period, state, watch } from "./state";

const NARROW = 720; // pixels of the page: below, the panel lies under the map
const MOST_OUTLINES = 5000;

let known: Runs = { version: "", colours: {}, runs: [] };
let scene: Scene | null = null;
let settings: Settings = { version: "", base_map: null };
let drawing = false;
let counting: AbortController | null = null;
let comparison: Comparison | null = null;
const view = new MapView(byId("map"), state.place, true);
const panel = new Panel({ go, leaveScene: () => change({ scene: "" }), polygon: () => void polygon(), dim: (score) => view.dim(score),
  visible: (layer, visible) => view.setVisible(layer, visible), changes: () => void changes(), view: () => view.view().join(",") });
Object.assign(window, { swathe: { map: view.map } }); // for tests and the curious

const names = () => Object.keys(known.colours);
const runs = () => known.runs.map((run) => run.id);
const wanted = (): Parameters => ({ ...conditions(names(), runs()), v: known.version });
const chosenRun = () => known.runs.find((run) => run.id === state.run) ?? known.runs[0];

function room(): { left: number; bottom: number } {
  const box = byId("panel").getBoundingClientRect();
  return window.innerWidth < NARROW ? { left: 0, bottom: window.innerHeight - box.top } : { left: box.right, bottom: 0 };
}

function layout(): Layout {
  return { scene, bounds: scene ? boundsOf(scene) : null, colours: known.colours, baseMap: settings.base_map };
}

/** Show the ground, or the pixels of the chosen scene. */
async function present(move: boolean): Promise<void> {
  scene = state.scene ? await ask<Scene>(`collections/scenes/items/${encodeURIComponent(state.scene)}`).catch(() => null) : null;
  panel.showState(scene?.properties.title);
  const outlines = await ask<Features<Scene>>("collections/scenes/items", { run: chosenRun()?.id, datetime: period(state.from, state.to), limit: MOST_OUTLINES });
  const placed = outlines.features.filter((one) => one.bbox);
  if (!scene && !placed.length && outlines.features[0] && !state.from && !state.to) return change({ scene: outlines.features[0].id });
  await view.draw("outlines", scene ? null : { type: "FeatureCollection", features: placed.map((one) => ({ ...one, properties: { state: one.properties.state } })) as GeoJSON.Feature[] });
  const boxes = scene ? [boundsOf(scene)] : placed.map(boundsOf);
  if (move && boxes.length) {
    const edge = (place: 0 | 1 | 2 | 3, best: (...values: number[]) => number) => boxes.map((box) => box[place]).reduce((one, other) => best(one, other));
    view.fit([edge(0, Math.min), edge(1, Math.min), edge(2, Math.max), edge(3, Math.max)], false, room());
  }
  await view.show(layout(), wanted());
  await outlineArea();
  await compare();
  count();
}

async function outlineArea(): Promise<void> {
  try {
    const area = state.area ? await ask<GeoJSON.Feature>(`areas/${encodeURIComponent(state.area)}`) : null;
    await view.draw("area", area);
    await comparison?.view.draw("area", area);
  } catch (error) {
    toast((error as Error).message);
    change({ area: "" });
  }
}

/** Count what is seen, by class, whether shown or not. */
const count = later(200, async () => {
  counting?.abort();
  counting = new AbortController();
  const given = { ...conditions(names(), runs(), false) };
  try {
    const counts = scene
      ? await ask<Counts>(`scenes/${scene.id}/counts`, { min_score: given.min_score }, counting.signal)
      : await ask<Counts>("counts", { ...given, bbox: view.view().join(",") }, counting.signal);
    const present = names().filter((name) => (chosenRun()?.classes[name] ?? 0) > 0);
    panel.showCounts(counts, present, scene ? "detections in this scene" : "detections in view");
    byId("map").dataset.counted = String(counts.total);
  } catch (error) {
    if (!isAborted(error)) toast((error as Error).message);
  }
});

/** Ask for the detections again, once filters have come to rest. */
const refresh = later(150, () => {
  view.dim(state.score);
  void view.refresh(wanted(), false);
  if (state.other || state.otherFrom || state.otherTo) void comparison?.view.refresh(otherWanted(), false);
  count();
});

async function compare(): Promise<void> {
  const against = known.runs.find((run) => run.id === state.other);
  const dated = !!(state.otherFrom || state.otherTo);
  if ((!against && !dated) || scene) {
    comparison?.close();
    panel.showChanges("");
    return void view.draw("changes", null);
  }
  comparison ??= new Comparison(view);
  const mine = chosenRun();
  const days = (from: string, to: string) => (from || to ? `${from || "…"} to ${to || "…"}` : "");
  const left = [title(against ?? mine!), days(state.otherFrom, state.otherTo)].filter(Boolean).join(", ");
  const right = [title(mine!), days(state.from, state.to)].filter(Boolean).join(", ");
  await comparison.open(layout(), otherWanted(), left, right);
  await outlineArea();
}

function otherWanted(): Parameters {
  const base = wanted();
  return { ...base, run: state.other ? [state.other] : base.run,
    datetime: state.otherFrom || state.otherTo ? period(state.otherFrom, state.otherTo) : base.datetime };
}

/** Mark what is only on one of the two sides. */
async function changes(): Promise<void> {
  const other = otherWanted();
  try {
    const { v: _, ...given } = wanted();
    const found = await ask<Changes>("changes", { ...given, bbox: view.view().join(","), before_run: other.run, before: other.datetime });
    await view.draw("changes", found);
    await comparison?.view.draw("changes", found);
    panel.showChanges(`In view: ${number.format(found.new)} new (green), ${number.format(found.gone)} gone (red), ${number.format(found.same)} on both sides.`);
  } catch (error) {
    toast((error as Error).message);
  }
}

async function polygon(): Promise<void> {
  if (drawing) return;
  drawing = true;
  panel.drawn.textContent = scene
    ? "Only scenes with a georeference can be counted in a polygon."
    : "Click its corners; Enter or a double click ends, Backspace takes a corner back, Escape gives up. Space adds the middle of the map.";
  const corners = scene ? null : await drawPolygon(view);
  drawing = false;
  if (!corners) {
    if (!scene) panel.drawn.textContent = "";
    return;
  }
  try {
    const counts = await ask<Counts>("counts", { ...conditions(names(), runs()), polygon: corners.flat().map((value) => value.toFixed(7)).join(",") });
    const parts = Object.entries(counts.classes).map(([name, amount]) => `${number.format(amount)} ${name}`);
    panel.drawn.textContent = `${number.format(counts.total)} in the polygon${parts.length > 1 ? `: ${parts.join(", ")}` : ""}`;
  } catch (error) {
    toast((error as Error).message);
  }
}

function go(goal: Goal): void {
  if (goal.kind === "place") {
    change({ scene: "" });
    view.map.jumpTo({ center: [goal.longitude, goal.latitude], zoom: Math.max(17, view.map.getZoom()) });
  } else if (goal.kind === "area") {
    change({ scene: "", area: goal.area.name });
    view.fit(goal.area.bbox, false, room());
  } else if (goal.scene.bbox) {
    change({ scene: "" });
    view.fit(goal.scene.bbox, false, room());
  } else change({ scene: goal.scene.id });
}

async function choose(point: { x: number; y: number }): Promise<void> {
  const picked = view.pick(point);
  if (!picked) {
    if (view.map.queryRenderedFeatures([point.x, point.y], { layers: ["cells"].filter((id) => view.map.getLayer(id)) }).length)
      view.map.easeTo({ center: view.map.unproject([point.x, point.y]), zoom: view.map.getZoom() + 2 });
    return dismiss();
  }
  const corners = [view.map.unproject([point.x - 6, point.y + 6]), view.map.unproject([point.x + 6, point.y - 6])];
  const [low, high] = corners.map(({ lng, lat }) => (scene ? toPixel(scene, lng, lat) : [lng, lat])) as [number[], number[]];
  const box = [0, 1].map((axis) => Math.min(low[axis]!, high[axis]!)).concat([0, 1].map((axis) => Math.max(low[axis]!, high[axis]!)));
  try {
    const found = await fetchDetection(picked, box as [number, number, number, number], scene);
    if (!found) return dismiss();
    if (window.innerWidth < NARROW) fold(true); // else there is no room left for the map
    showDetection(found, known.colours[found.properties.class] ?? "#33ddff", dismiss);
    await view.draw("chosen", scene ? placed(found, scene) : found);
  } catch (error) {
    toast((error as Error).message);
  }
}

function placed(found: GeoJSON.Feature, of: Scene): GeoJSON.Feature {
  const ring = (found.geometry as GeoJSON.Polygon).coordinates[0] ?? [];
  return { ...found, geometry: { type: "Polygon", coordinates: [ring.map(([x = 0, y = 0]) => fromPixel(of, x, y))] } };
}

function dismiss(): void {
  showDetection(null, "", dismiss);
  void view.draw("chosen", null);
}

function listen(): void {
  const events = new EventSource(new URL("api/events", document.baseURI));
  events.addEventListener("open", () => panel.showConnection(true));
  events.addEventListener("error", () => panel.showConnection(false));
  events.addEventListener("runs", (event) => {
    const before = known;
    known = JSON.parse((event as MessageEvent<string>).data) as Runs;
    remember(known.runs);
    panel.showRuns(known);
    if (!before.version || before.version === known.version) return; // boxes and pictures are those that are there
    if (before.runs[0]?.id !== known.runs[0]?.id || JSON.stringify(before.colours) !== JSON.stringify(known.colours)) void present(false);
    else {
      void view.refresh(wanted(), true);
      count();
    }
  });
}

function theme(): void {
  const button = byId("theme");
  const apply = (dark: boolean) => {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = dark ? "☀" : "☾";
  };
  const kept = localStorage.getItem("theme");
  apply(kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  button.addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme !== "dark";
    localStorage.setItem("theme", dark ? "dark" : "light");
    apply(dark);
  });
}

function fold(folded: boolean): void {
  byId("panel").classList.toggle("folded", folded);
  byId("fold").setAttribute("aria-expanded", String(!folded));
  byId("fold").textContent = folded ? "Filters" : "Hide";
}

function keys(): void {
  byId("fold").addEventListener("click", () => fold(!byId("panel").classList.contains("folded")));
  window.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement && ["search", "text", "date"].includes(event.target.type);
    if (event.key === "/" && !typing) {
      event.preventDefault();
      byId("search").focus();
    } else if (event.key === "Escape" && !drawing) dismiss();
  });
}

async function start(): Promise<void> {
  theme();
  keys();
  panel.build(byId("sections"));
  [settings, known] = await Promise.all([ask<Settings>("settings"), ask<Runs>("runs")]);
  remember(known.runs);
  panel.showRuns(known);
  panel.showCounts(null, names(), "");
  await present(!state.place);
  view.map.on("moveend", () => {
    change({ place: view.place });
    count();
  });
  view.map.on("click", (event) => void (drawing || choose(event.point)));
  view.map.on("mousemove", (event) => {
    if (!drawing) view.map.getCanvas().style.cursor = view.pick(event.point) ? "pointer" : "";
  });
  view.map.on("error", ({ error }) => {
    console.error(error);
    toast(`Not everything can be shown: ${error.message}`);
  });
  view.map.on("idle", () => {
    byId("map").dataset.idle = String(Number(byId("map").dataset.idle ?? 0) + 1);
  });
  watch((_, changed) => {
    if (changed.size === 1 && changed.has("place")) return;
    dismiss();
    panel.showState(scene?.properties.title);
    if (changed.has("run")) panel.showRuns(known);
    if (["run", "scene", "from", "to"].some((name) => changed.has(name as keyof typeof state))) void present(changed.has("scene") || changed.has("run"));
    else if (["other", "otherFrom", "otherTo"].some((name) => changed.has(name as keyof typeof state))) void compare();
    else {
      if (changed.has("area")) void outlineArea();
      refresh();
    }
  });
  listen();
}

void start().catch((error: Error) => toast(error.message));
