// How sources and layers of a map look.

import type { ExpressionSpecification, LayerSpecification, SourceSpecification, StyleSpecification } from "maplibre-gl";

export const SCORE: ExpressionSpecification = ["to-number", ["get", "score"]];
export const PICKED = ["boxes-fill", "points"];
export const DETECTIONS = ["cells", "boxes-fill", "boxes", "points"];
const CHANGE: ExpressionSpecification = ["match", ["get", "change"], "new", "#4ade80", "#fb7185"];
const NOTHING: SourceSpecification = { type: "geojson", data: { type: "FeatureCollection", features: [] } };

/** Colour of a class, by its name. */
export function colourOf(colours: Record<string, string>): ExpressionSpecification | string {
  const pairs = Object.entries(colours).flat();
  return pairs.length ? (["match", ["get", "class"], ...pairs, "#33ddff"] as unknown as ExpressionSpecification) : "#33ddff";
}

/** The style of a map with nothing in it yet. */
export function emptyStyle(): StyleSpecification {
  return {
    version: 8,
    sources: { outlines: NOTHING, area: NOTHING, changes: NOTHING, drawn: NOTHING, chosen: NOTHING },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": "#10161d" } },
      { id: "outlines", type: "line", source: "outlines", paint: {
        "line-color": ["match", ["get", "state"], "pending", "#fbbf24", "failed", "#fb7185", "#5b7083"],
        "line-width": 1.2, "line-dasharray": [3, 2],
      } },
      { id: "area", type: "line", source: "area", paint: { "line-color": "#2dd4bf", "line-width": 2.5 } },
      { id: "changes", type: "line", source: "changes", paint: { "line-color": CHANGE, "line-width": 3 } },
      { id: "drawn-fill", type: "fill", source: "drawn", paint: { "fill-color": "#ffffff", "fill-opacity": 0.12 } },
      { id: "drawn", type: "line", source: "drawn", paint: { "line-color": "#ffffff", "line-width": 2, "line-dasharray": [2, 1.5] } },
      { id: "drawn-points", type: "circle", source: "drawn", filter: ["==", ["geometry-type"], "Point"], paint: {
        "circle-radius": 4, "circle-color": "#ffffff", "circle-stroke-color": "#10161d", "circle-stroke-width": 1.5,
      } },
      { id: "chosen", type: "line", source: "chosen", paint: { "line-color": "#ffffff", "line-width": 4 } },
    ],
  };
}

/** Layers of detections: cells where there are many, boxes and points where there are few. */
export function detectionLayers(colours: Record<string, string>): LayerSpecification[] {
  const colour = colourOf(colours);
  const source = "detections";
  return [
    { id: "cells", type: "fill", source, "source-layer": "cells", paint: {
      "fill-color": ["interpolate", ["linear"], ["log10", ["get", "count"]],
        0, "#1b4f72", 1, "#1f9e89", 2, "#b5de2b", 3, "#fde725"],
      "fill-opacity": 0.55, "fill-antialias": false,
    } },
    { id: "boxes-fill", type: "fill", source, "source-layer": "boxes", paint: {
      "fill-color": colour, "fill-opacity": ["interpolate", ["linear"], SCORE, 0.2, 0.03, 1, 0.18],
      "fill-antialias": false, // it would draw every edge once more, below the lines
    } },
    { id: "boxes", type: "line", source, "source-layer": "boxes", layout: { "line-join": "miter" }, paint: {
      "line-color": colour, "line-width": ["interpolate", ["linear"], ["zoom"], 14, 0.7, 17, 1.3, 20, 2.2],
      "line-opacity": ["interpolate", ["linear"], SCORE, 0.1, 0.4, 0.8, 1],
    } },
    { id: "points", type: "circle", source, "source-layer": "points", paint: {
      "circle-color": colour, "circle-radius": 2, "circle-opacity": ["interpolate", ["linear"], SCORE, 0.1, 0.4, 0.8, 0.95],
    } },
  ];
}
