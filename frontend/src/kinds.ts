// Boxes or cells of detections: the whole view shows one kind, by what the tiles in it hold.

import { addProtocol, type AddProtocolAction, type Map as MapLibre, type VectorTileSource } from "maplibre-gl";

const MOST_BOXES = 4000; // of a view: it can be moved with so many
const ROOM = 250; // square pixels of the screen for each box: with less they cannot be told apart
const MOST_TILES = 1000; // that are remembered
const LAYERS = { boxes: ["boxes-fill", "boxes", "points"], cells: ["cells"] };

export type Kind = keyof typeof LAYERS;
type Held = Record<Kind, number>;

export class Kinds {
  private static readonly all = new Set<Kinds>(); // maps side by side show the same kind
  private static shown: Kind = "boxes";
  private readonly held = new Map<string, Held>(); // by tile
  private wanted: Kind = "boxes";
  private visible = true;
  private readonly map: MapLibre;
  private readonly onchange: (kind: Kind | null) => void;

  /** Load the tiles of a map's detections under a protocol of their own, and look at each. */
  constructor(map: MapLibre, protocol: string, load: AddProtocolAction, onchange: (kind: Kind | null) => void) {
    this.map = map;
    this.onchange = onchange;
    addProtocol(protocol, async (asked, abort) => {
      const answer = await load(asked, abort);
      const place = /\d+\/\d+\/\d+(?=$|\.mvt)/.exec(asked.url)?.[0];
      if (place && ArrayBuffer.isView(answer.data)) this.add(place, answer.data as Uint8Array);
      return answer;
    });
    map.on("moveend", () => this.decide());
    this.takePart(true);
  }

  /** Say whether this map has a say in what is shown. */
  takePart(does: boolean): void {
    if (does) Kinds.all.add(this);
    else Kinds.all.delete(this);
    this.decide();
  }

  /** Show detections at all, or not. */
  setVisible(visible: boolean): void {
    this.visible = visible;
    this.apply();
  }

  /** Bring the layers of the map up to what is shown. */
  apply(): void {
    for (const [kind, ids] of Object.entries(LAYERS))
      for (const id of ids)
        if (this.map.getLayer(id)) this.map.setLayoutProperty(id, "visibility", this.visible && kind === Kinds.shown ? "visible" : "none");
    this.onchange(this.visible ? Kinds.shown : null);
  }

  private add(place: string, tile: Uint8Array): void {
    this.held.delete(place);
    this.held.set(place, census(tile));
    for (const old of this.held.keys()) if (this.held.size > MOST_TILES) this.held.delete(old);
    this.decide();
  }

  private decide(): void {
    const source = this.map.getSource<VectorTileSource>("detections");
    if (!source) return;
    const tiles = this.map.coveringTiles({ tileSize: 512, minzoom: source.minzoom, maxzoom: source.maxzoom })
      .filter((tile) => source.hasTile(tile)).map(({ canonical: { z, x, y } }) => this.held.get(`${z}/${x}/${y}`));
    const known = tiles.filter((one) => one !== undefined);
    const boxes = known.reduce((sum, one) => sum + one.boxes, 0);
    const { width, height } = this.map.getContainer().getBoundingClientRect();
    const many = boxes > Math.min(MOST_BOXES, (width * height) / ROOM) && known.every((one) => one.cells || !one.boxes);
    if (many || known.some((one) => one.cells && !one.boxes)) this.wanted = "cells";
    else if (known.length === tiles.length) this.wanted = "boxes";
    const shown = [...Kinds.all].some((one) => one.wanted === "cells") ? "cells" : "boxes";
    if (shown === Kinds.shown) return;
    Kinds.shown = shown;
    for (const one of Kinds.all) one.apply();
  }
}

/** Count the features of a vector tile by the layers that they are in; a point is a small box. */
export function census(tile: Uint8Array): Held {
  const counts: Held = { boxes: 0, cells: 0 };
  for (const layer of fields(tile)) {
    let [name, features] = ["", 0];
    for (const { number, content } of fields(layer.content)) {
      if (number === 1) name = new TextDecoder().decode(content);
      else if (number === 2) features += 1;
    }
    counts[name === "cells" ? "cells" : "boxes"] += features;
  }
  return counts;
}

/** Go through a message of protocol buffers. */
function* fields(message: Uint8Array): Generator<{ number: number; content: Uint8Array }> {
  let place = 0;
  const integer = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[place++] ?? 0;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (place < message.length) {
    const key = integer();
    const size = integer(); // of a number that stands alone: the number
    const content = key % 8 === 2 ? message.subarray(place, place + size) : message.subarray(0, 0);
    place += content.length;
    yield { number: key >> 3, content };
  }
}
