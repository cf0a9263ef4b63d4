// One map: a scene's pixels, or the ground with all scenes, and detections above.

import {
  type GeoJSONSource, type LngLatBoundsLike, type Map as MapLibre, type MapGeoJSONFeature, MercatorCoordinate, type VectorTileSource,
} from "maplibre-gl";
import { address, type Box4, fetched, type Parameters, type Scene } from "./api";
import { Kinds } from "./kinds";
import { DETECTIONS, detectionLayers, SCORE } from "./layers";
import { newMap, pickFrom, showLegend } from "./newmap";

const TILE = 512; // pixels
const DEEPEST_PICTURE = 21;
const DEEPEST_BOXES = 18;
const EMPTY: GeoJSON.FeatureCollection = { type: "FeatureCollection", features: [] };

export type Layout = { scene: Scene | null; bounds: Box4 | null; colours: Record<string, string>; baseMap: string | null };

export class MapView {
  readonly map: MapLibre;
  readonly kinds: Kinds;
  private layout: Layout = { scene: null, bounds: null, colours: {}, baseMap: null };
  private ready: Promise<unknown>;
  private readonly protocol: string;

  constructor(container: HTMLElement, place: string, controls: boolean) {
    this.map = newMap(container, place, controls);
    this.protocol = `${container.id}://`;
    this.kinds = new Kinds(this.map, container.id, async ({ url }, { signal }) => {
      const answer = await fetched(url.slice(this.protocol.length), signal);
      return { data: new Uint8Array(await answer.arrayBuffer()) };
    }, (kind) => controls && showLegend(kind === "cells"));
    this.ready = new Promise((done) => this.map.once("load", done));
  }

  /** Put sources and layers in: of the ground, or of one scene's pixels. */
  async show(layout: Layout, parameters: Parameters): Promise<void> {
    await this.ready;
    this.layout = layout;
    this.map.getContainer().classList.toggle("pixels", layout.scene !== null);
    for (const id of [...DETECTIONS, "picture", "base"])
      if (this.map.getLayer(id)) this.map.removeLayer(id);
    for (const id of ["detections", "picture", "base"]) if (this.map.getSource(id)) this.map.removeSource(id);
    const { scene, bounds, baseMap } = layout;
    const limits = bounds ? { bounds } : {};
    if (baseMap && !scene) {
      this.map.addSource("base", { type: "raster", tiles: [baseMap], tileSize: 256, maxzoom: 19 });
      this.map.addLayer({ id: "base", type: "raster", source: "base" }, "outlines");
    }
    this.map.addSource("picture", { type: "raster", tiles: [this.pictures(parameters)], tileSize: TILE, ...limits,
      maxzoom: scene ? scene.properties.pixel_zoom : DEEPEST_PICTURE });
    this.map.addLayer({ id: "picture", type: "raster", source: "picture", paint: { "raster-fade-duration": 0,
      "raster-resampling": scene ? "nearest" : "linear" } }, "outlines");
    this.map.addSource("detections", { type: "vector", tiles: [this.boxes(parameters)], ...limits,
      maxzoom: scene ? scene.properties.pixel_zoom : DEEPEST_BOXES });
    for (const layer of detectionLayers(layout.colours)) this.map.addLayer(layer, "area");
    this.kinds.apply();
  }

  /** Ask for other detections, and pictures if these depend on it. */
  async refresh(parameters: Parameters, pictures: boolean): Promise<void> {
    await this.ready;
    this.map.getSource<VectorTileSource>("detections")?.setTiles([this.boxes(parameters)]);
    if (pictures) this.map.getSource<VectorTileSource>("picture")?.setTiles([this.pictures(parameters)]);
  }

  private boxes(parameters: Parameters): string {
    const { scene } = this.layout;
    const { class: classes, min_score, v } = parameters;
    return this.protocol + (scene
      ? tiles(`scenes/${scene.id}/boxes`, "mvt", { class: classes, min_score, v })
      : tiles("tiles/detections", "mvt", parameters));
  }

  private pictures(parameters: Parameters): string {
    const { scene } = this.layout;
    const { run, datetime } = parameters;
    return scene ? tiles(`scenes/${scene.id}/pixels`, "webp", {}) : tiles("tiles/scenes", "webp", { run, datetime });
  }

  /** Hide boxes of lower scores at once, before the server has been asked. */
  dim(score: number): void {
    for (const id of ["boxes", "boxes-fill", "points"])
      if (this.map.getLayer(id)) this.map.setFilter(id, [">=", SCORE, score]);
  }

  setVisible(layer: "picture" | "boxes", visible: boolean): void {
    if (layer === "boxes") this.kinds.setVisible(visible);
    else if (this.map.getLayer("picture")) this.map.setLayoutProperty("picture", "visibility", visible ? "visible" : "none");
  }

  async draw(source: string, data: GeoJSON.GeoJSON | null): Promise<void> {
    await this.ready;
    this.map.getSource<GeoJSONSource>(source)?.setData(data ?? EMPTY);
  }

  fit(box: Box4, animate: boolean, padding: { left: number; bottom: number }): void {
    const limits: LngLatBoundsLike = [[box[0], box[1]], [box[2], box[3]]];
    this.map.fitBounds(limits, { padding: { top: 40, right: 40, left: padding.left + 40, bottom: padding.bottom + 40 }, animate, maxZoom: 20 });
  }

  /** Return the box under a place of the screen: the smallest of those that are there. */
  pick(point: { x: number; y: number }): MapGeoJSONFeature | null {
    return pickFrom(this.map, point);
  }

  /** What is seen, as west, south, east, north. */
  view(): Box4 {
    const seen = this.map.getBounds();
    return [Math.max(-180, seen.getWest()), Math.max(-90, seen.getSouth()), Math.min(180, seen.getEast()), Math.min(90, seen.getNorth())];
  }

  get place(): string {
    const { lng, lat } = this.map.getCenter();
    return `${this.map.getZoom().toFixed(2)}/${lat.toFixed(6)}/${lng.toFixed(6)}`;
  }
}

function tiles(path: string, suffix: string, parameters: Parameters): string {
  return address(`${path}/{z}/{x}/{y}.${suffix}`, parameters).replaceAll("%7B", "{").replaceAll("%7D", "}");
}

/** Where the pixel of a scene lies on the map that shows its pixels. */
export function fromPixel(scene: Scene, x: number, y: number): [number, number] {
  const side = TILE * 2 ** scene.properties.pixel_zoom;
  const { lng, lat } = new MercatorCoordinate(x / side, y / side).toLngLat();
  return [lng, lat];
}

/** Which pixel of a scene lies at a place of the map that shows its pixels. */
export function toPixel(scene: Scene, longitude: number, latitude: number): [number, number] {
  const { x, y } = MercatorCoordinate.fromLngLat([longitude, latitude]);
  const side = TILE * 2 ** scene.properties.pixel_zoom;
  return [x * side, y * side];
}

/** The box of a scene on the map: on the ground, or where its pixels are shown. */
export function boundsOf(scene: Scene): Box4 {
  if (scene.bbox) return scene.bbox;
  const [west, north] = fromPixel(scene, 0, 0);
  const [east, south] = fromPixel(scene, scene.properties.columns, scene.properties.rows);
  return [west, south, east, north];
}
