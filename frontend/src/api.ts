// Requests to the server, and what it answers.

export type Counts = { total: number; classes: Record<string, number> };
export type Run = {
  id: string;
  name: string | null;
  about: Record<string, unknown>;
  updated: string;
  scenes: { complete: number; pending: number; failed: number };
  windows: { done: number; all: number };
  detections: number;
  classes: Record<string, number>;
  failed: { scene: string; reason: string }[];
};
export type Runs = { version: string; colours: Record<string, string>; runs: Run[] };
export type SceneProperties = {
  datetime: string | null;
  title: string;
  run: string;
  state: string;
  columns: number;
  rows: number;
  pixel_zoom: number;
  detections: number;
};
export type Box4 = [number, number, number, number];
export type Scene = GeoJSON.Feature<GeoJSON.Geometry | null, SceneProperties> & { id: string; bbox?: Box4 };
export type Detection = GeoJSON.Feature<
  GeoJSON.Polygon | GeoJSON.MultiPolygon,
  {
    run: string;
    scene: string;
    class: string;
    score: number;
    length_m: number | null;
    width_m: number | null;
    azimuth_deg: number | null;
    acquired: string | null;
    cx: number;
    cy: number;
    w: number;
    h: number;
    theta_degrees: number;
  }
>;
export type Features<F> = { type: "FeatureCollection"; features: F[]; numberMatched?: number };
export type Changes = GeoJSON.FeatureCollection & { same: number; new: number; gone: number };
export type Area = { name: string; bbox: Box4; classes?: Record<string, number> };
export type Settings = { version: string; base_map: string | null };
export type Parameters = Record<string, string | number | boolean | string[] | null | undefined>;

/** Write parameters as the query of an address. */
export function query(parameters: Parameters): string {
  const written = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (Array.isArray(value)) for (const one of value) written.append(name, one);
    else if (value !== null && value !== undefined && value !== "") written.append(name, String(value));
  }
  const text = written.toString();
  return text ? `?${text}` : "";
}

/** Return the whole address of a request. */
export function address(path: string, parameters: Parameters = {}): string {
  return new URL(`api/${path}`, document.baseURI).href.split("#")[0] + query(parameters);
}

/** Fetch an address; what the server refuses is an error with its own words. */
export async function fetched(url: string, signal?: AbortSignal): Promise<Response> {
  const answer = await fetch(url, { signal: signal ?? null });
  if (!answer.ok) {
    const problem = (await answer.json().catch(() => null)) as { description?: string } | null;
    throw new Error(problem?.description ?? `the server answered ${answer.status}`);
  }
  return answer;
}

/** Ask the server. */
export async function ask<T>(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<T> {
  return (await (await fetched(address(path, parameters), signal)).json()) as T;
}

/** Whether an error only says that a request was given up for a newer one. */
export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
