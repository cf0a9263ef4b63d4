// A map with nothing in it yet, and what lies under a place of the screen.

import {
  AttributionControl, type IControl, Map as MapLibre, type MapGeoJSONFeature, NavigationControl, type PointLike, ScaleControl, setWorkerUrl,
} from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { el } from "./dom";
import { emptyStyle, PICKED } from "./layers";

setWorkerUrl(new URL(workerUrl, document.baseURI).href);

/** Make a map at a place, which is written as zoom/latitude/longitude. */
export function newMap(container: HTMLElement, place: string, controls: boolean): MapLibre {
  const [zoom, latitude, longitude] = place.split("/").map(Number);
  const map = new MapLibre({
    container,
    style: emptyStyle(),
    center: [longitude || 0, latitude || 0],
    zoom: zoom || 1,
    maxZoom: 23,
    transformConstrain: (center, zoom) => ({ center, zoom: zoom ?? 0 }), // pixels of a scene fill a corner of the world
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    renderWorldCopies: false,
    fadeDuration: 0,
  });
  map.touchZoomRotate.disableRotation();
  if (controls) {
    map.addControl(new NavigationControl({ showCompass: false }), "bottom-right");
    map.addControl(new ScaleControl({ maxWidth: 120 }), "bottom-right");
    map.addControl(new AttributionControl({ compact: true }), "bottom-right");
    map.addControl(new Fixed(legend()), "bottom-right");
    map.addControl(new Fixed(el("div", { id: "loading", class: "maplibregl-ctrl", role: "status" }, "Loading…")), "bottom-right");
    map.on("dataloading", () => container.classList.add("loading"));
    map.on("idle", () => container.classList.remove("loading"));
  }
  map.getCanvas().setAttribute("aria-label", "Map; arrow keys move it, plus and minus zoom");
  return map;
}

/** An element that stands in a corner of the map, above the controls that are there already. */
class Fixed implements IControl {
  private readonly element: HTMLElement;

  constructor(element: HTMLElement) {
    this.element = element;
  }

  onAdd(): HTMLElement {
    return this.element;
  }

  onRemove(): void {
    this.element.remove();
  }
}

/** What the colours of cells say. */
function legend(): HTMLElement {
  const steps = ["1", "10", "100", "1,000+"].map((step) => el("span", {}, step));
  return el("div", { id: "legend", class: "maplibregl-ctrl", hidden: true }, el("p", {}, "Detections per cell"), el("i"),
    el("div", { class: "steps" }, ...steps), el("p", { class: "hint" }, "Zoom in to see single boxes"));
}

/** Show or hide the legend of cells. */
export function showLegend(visible: boolean): void {
  const legend = document.getElementById("legend");
  if (legend) legend.hidden = !visible;
}

/** Return the box under a place of the screen: the smallest of those that are there. */
export function pickFrom(map: MapLibre, point: { x: number; y: number }): MapGeoJSONFeature | null {
  const around: [PointLike, PointLike] = [[point.x - 3, point.y - 3], [point.x + 3, point.y + 3]];
  const layers = PICKED.filter((id) => map.getLayer(id));
  const found = map.queryRenderedFeatures(around, { layers });
  return found.sort((one, other) => extent(one) - extent(other))[0] ?? null;
}

function extent(feature: MapGeoJSONFeature): number {
  if (feature.geometry.type !== "Polygon") return 0;
  const ring = feature.geometry.coordinates[0] ?? [];
  const [x, y] = [ring.map((corner) => corner[0] ?? 0), ring.map((corner) => corner[1] ?? 0)];
  return (Math.max(...x) - Math.min(...x)) * (Math.max(...y) - Math.min(...y));
}
