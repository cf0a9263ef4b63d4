// A map of one PMTiles file, without a server that knows detections.

import "maplibre-gl/dist/maplibre-gl.css";
import "./style.css";
import type { ExpressionSpecification } from "maplibre-gl";
import { openArchive } from "./archive";
import { byId, el, number, toast } from "./dom";
import { Kinds } from "./kinds";
import { detectionLayers, SCORE } from "./layers";
import { newMap, pickFrom, showLegend } from "./newmap";

type About = { swathe: { classes: Record<string, number>; colours: Record<string, string> } };

const BOXES = ["boxes-fill", "boxes", "points"];
const name = document.querySelector<HTMLMetaElement>("meta[name=tiles]")?.content ?? "";
const hidden = new Set<string>();
let lowest = 0;

async function start(): Promise<void> {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  const { archive, load } = openArchive(new URL(name, document.baseURI).href);
  const [header, about] = await Promise.all([archive.getHeader(), archive.getMetadata() as Promise<About>]);
  const { classes, colours } = about.swathe;
  const map = newMap(byId("map"), "", true);
  Object.assign(window, { swathe: { map } }); // for tests and the curious
  await map.once("load");
  const kinds = new Kinds(map, "pmtiles", load, (kind) => showLegend(kind === "cells"));
  const url = `pmtiles://${archive.source.getKey()}`;
  map.addSource("detections", { type: "vector", url });
  for (const layer of detectionLayers(colours)) map.addLayer(layer, "area");
  kinds.apply();
  const filter = () => {
    const shown = Object.keys(classes).filter((one) => !hidden.has(one));
    const wanted: ExpressionSpecification = ["all", [">=", SCORE, lowest], ["in", ["get", "class"], ["literal", shown]]];
    for (const id of BOXES) map.setFilter(id, wanted);
  };
  byId("title").textContent = decodeURIComponent(name).replace(/\.pmtiles$/, "");
  byId("sections").replaceChildren(classSection(classes, colours, filter), scoreSection(filter),
    el("p", { class: "note" }, "Filters act on boxes; cells count all detections."));
  const panel = byId("panel").getBoundingClientRect();
  const padding = { top: 40, right: 40, bottom: 40, left: 40, ...(window.innerWidth < 720 ? { bottom: window.innerHeight - panel.top + 40 } : { left: panel.right + 40 }) };
  map.fitBounds([[header.minLon, header.minLat], [header.maxLon, header.maxLat]], { padding, animate: false, maxZoom: 18 });
  map.on("click", ({ point }) => {
    const picked = pickFrom(map, point);
    if (picked) return showBox(picked.properties, picked.id, colours);
    byId("details").hidden = true;
    if (map.queryRenderedFeatures(point, { layers: ["cells"] }).length)
      map.easeTo({ center: map.unproject(point), zoom: map.getZoom() + 2 });
  });
  map.on("mousemove", ({ point }) => (map.getCanvas().style.cursor = pickFrom(map, point) ? "pointer" : ""));
  map.on("idle", () => {
    byId("map").dataset.idle = String(Number(byId("map").dataset.idle ?? 0) + 1);
  });
}

function classSection(classes: Record<string, number>, colours: Record<string, string>, filter: () => void): HTMLElement {
  const list = el("ul", { class: "classes" });
  const total = Object.values(classes).reduce((one, other) => one + other, 0);
  for (const [one, count] of Object.entries(classes)) {
    const box = el("input", { type: "checkbox", checked: true, onchange: () => {
      if (box.checked) hidden.delete(one);
      else hidden.add(one);
      filter();
    } });
    const swatch = el("i", { class: "swatch" });
    swatch.style.setProperty("--colour", colours[one] ?? "#33ddff");
    list.append(el("li", {}, el("label", {}, box, swatch, el("span", { class: "name" }, one)), el("span", { class: "count" }, number.format(count))));
  }
  return el("section", {}, el("h2", {}, "Classes"), el("p", { class: "total" }, `${number.format(total)} detections`), list);
}

function scoreSection(filter: () => void): HTMLElement {
  const text = el("output", { for: "score" }, "0.00");
  const score = el("input", { type: "range", id: "score", min: 0, max: 1, step: 0.01, value: 0, oninput: () => {
    lowest = Number(score.value);
    text.value = lowest.toFixed(2);
    filter();
  } });
  return el("section", {}, el("h2", {}, "Score"), el("div", { class: "row" }, el("label", { for: "score" }, "At least"), score, text));
}

function showBox(picked: Record<string, unknown>, id: unknown, colours: Record<string, string>): void {
  const swatch = el("i", { class: "swatch" });
  swatch.style.setProperty("--colour", colours[String(picked.class)] ?? "#33ddff");
  const close = el("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => (byId("details").hidden = true) }, "✕");
  const list = el("dl");
  const rows = { Score: Number(picked.score).toFixed(3), Scene: picked.scene, Run: picked.run, Id: `${picked.run}/${picked.scene}/${id}` };
  for (const [key, value] of Object.entries(rows)) list.append(el("dt", {}, key), el("dd", {}, String(value)));
  byId("details").replaceChildren(el("header", {}, swatch, el("h2", {}, String(picked.class)), close), list);
  byId("details").hidden = false;
}

void start().catch((error: Error) => toast(`The map cannot be read: ${error.message}`));
