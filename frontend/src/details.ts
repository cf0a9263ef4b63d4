// The chosen detection: what is known of it, and its pixels.

import { address, ask, type Box4, type Detection, type Features, type Scene } from "./api";
import { byId, el, svg, toast } from "./dom";

const LARGEST = 1024; // pixels of a piece
const MARGIN = 1.7; // of the diagonal around a box
const DIRECTIONS = ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"];

/** Find a detection again: by its id among those at a place. */
export async function fetchDetection(
  picked: { id?: unknown; properties: Record<string, unknown> }, box: Box4, scene: Scene | null,
): Promise<Detection | null> {
  const { run, scene: name } = picked.properties;
  const id = `${run}/${name}/${picked.id}`;
  const there = { bbox: box.join(","), limit: 500 };
  const found = scene
    ? await ask<Features<Detection>>(`scenes/${scene.id}/items`, there)
    : await ask<Features<Detection>>("collections/detections/items", {
        ...there, run: [String(run)], scene: [String(name)],
      });
  return found.features.find((feature) => feature.id === id) ?? null;
}

/** Show what is known of a detection; null closes. */
export function showDetection(detection: Detection | null, colour: string, onclose: () => void): void {
  const box = byId("details");
  box.hidden = detection === null;
  if (!detection) {
    box.replaceChildren();
    return;
  }
  const { properties: p } = detection;
  const swatch = el("i", { class: "swatch" });
  swatch.style.setProperty("--colour", colour);
  const rows: [string, string][] = [["Score", p.score.toFixed(3)]];
  if (p.length_m !== null && p.width_m !== null) {
    rows.push(["Size", `${metres(p.length_m)} × ${metres(p.width_m)} m`]);
    rows.push(["Direction", direction(p.azimuth_deg ?? 0)]);
  } else rows.push(["Size", `${p.w.toFixed(1)} × ${p.h.toFixed(1)} pixels`], ["Direction", `${p.theta_degrees.toFixed(0)}° from right, clockwise`]);
  rows.push(["Scene", p.scene], ["Pixel", `${p.cx.toFixed(1)}, ${p.cy.toFixed(1)}`]);
  if (p.acquired) rows.push(["Taken", p.acquired.replace("T", " ").replace("Z", " UTC")]);
  rows.push(["Run", p.run], ["Id", String(detection.id)]);
  const close = el("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: onclose }, "✕");
  const list = el("dl");
  for (const [name, value] of rows) list.append(el("dt", {}, name), el("dd", { title: value }, value));
  const chip = el("figure", { class: "chip" });
  box.replaceChildren(el("header", {}, swatch, el("h2", {}, p.class), close), chip, list);
  void fillChip(chip, detection);
}

async function fillChip(chip: HTMLElement, detection: Detection): Promise<void> {
  const { run, scene, cx, cy, w, h, theta_degrees } = detection.properties;
  try {
    const found = await ask<Features<Scene>>("collections/scenes/items", { run: [run], scene: [scene], limit: 1 });
    const item = found.features[0];
    if (!item) return;
    const { columns, rows } = item.properties;
    const side = Math.round(Math.min(LARGEST, Math.max(48, MARGIN * Math.hypot(w, h))));
    const [width, height] = [Math.min(side, columns), Math.min(side, rows)];
    const left = Math.round(Math.min(Math.max(cx - width / 2, 0), columns - width));
    const top = Math.round(Math.min(Math.max(cy - height / 2, 0), rows - height));
    const image = el("img", {
      src: address(`scenes/${item.id}/piece.webp`, { left, top, width, height }),
      alt: `The pixels around this ${detection.properties.class}`, width, height,
      onerror: () => chip.replaceChildren(el("p", { class: "note" }, "The image of this scene cannot be read.")),
    });
    const outline = svg("rect", { x: -w / 2, y: -h / 2, width: w, height: h,
      transform: `translate(${cx - left} ${cy - top}) rotate(${theta_degrees})`, "vector-effect": "non-scaling-stroke" });
    chip.replaceChildren(image, svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, outline));
  } catch (error) {
    toast(`No picture: ${(error as Error).message}`);
  }
}

function metres(value: number): string {
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}

function direction(azimuth: number): string {
  const place = Math.round(azimuth / 45) % 4;
  return `${azimuth.toFixed(0)}° (${DIRECTIONS[place]} – ${DIRECTIONS[place + 4]})`;
}
