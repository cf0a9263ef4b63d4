// A polygon drawn on the map, and what lies in it.

import type { MapMouseEvent } from "maplibre-gl";
import type { MapView } from "./mapview";

type Corner = [number, number];

/** Let the user draw: clicks add corners, a double click or Enter ends, Backspace takes one back, Escape gives up. */
export function drawPolygon(view: MapView): Promise<Corner[] | null> {
  const { map } = view;
  const corners: Corner[] = [];
  const canvas = map.getCanvas();
  map.doubleClickZoom.disable();
  canvas.style.cursor = "crosshair";
  canvas.focus();

  return new Promise((done) => {
    const redraw = (pointer?: Corner) => void view.draw("drawn", outline(corners, pointer));
    const move = (event: MapMouseEvent) => redraw([event.lngLat.lng, event.lngLat.lat]);
    const add = (event: MapMouseEvent) => {
      corners.push([event.lngLat.lng, event.lngLat.lat]);
      redraw();
    };
    const finish = (result: Corner[] | null) => {
      map.off("click", add);
      map.off("mousemove", move);
      map.off("dblclick", end);
      window.removeEventListener("keydown", key, true);
      canvas.style.cursor = "";
      window.setTimeout(() => map.doubleClickZoom.enable(), 300);
      void view.draw("drawn", result && outline(result));
      done(result);
    };
    const end = (event?: MapMouseEvent) => {
      event?.preventDefault();
      const apart = corners.filter((corner, number) => number === 0 || String(corner) !== String(corners[number - 1]));
      finish(apart.length >= 3 ? apart : null);
    };
    const key = (event: KeyboardEvent) => {
      if (event.key === "Escape") finish(null);
      else if (event.key === "Enter") end();
      else if (event.key === "Backspace") redraw((corners.pop(), undefined));
      else if (event.key === " ") {
        const { lng, lat } = map.getCenter();
        corners.push([lng, lat]);
        redraw();
      } else return;
      event.preventDefault();
      event.stopPropagation();
    };
    map.on("click", add);
    map.on("mousemove", move);
    map.on("dblclick", end);
    window.addEventListener("keydown", key, true);
  });
}

function outline(corners: Corner[], pointer?: Corner): GeoJSON.FeatureCollection {
  const ring = pointer ? [...corners, pointer] : corners;
  const features: GeoJSON.Feature[] = corners.map((corner) => feature({ type: "Point", coordinates: corner }));
  if (ring.length > 2) features.push(feature({ type: "Polygon", coordinates: [[...ring, ring[0] as Corner]] }));
  else if (ring.length === 2) features.push(feature({ type: "LineString", coordinates: ring }));
  return { type: "FeatureCollection", features };
}

function feature(geometry: GeoJSON.Geometry): GeoJSON.Feature {
  return { type: "Feature", properties: {}, geometry };
}
