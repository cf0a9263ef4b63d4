// Two maps side by side: another run or other dates, with a swipe between.

import type { Parameters } from "./api";
import { byId } from "./dom";
import { type Layout, MapView } from "./mapview";

export class Comparison {
  readonly view: MapView;
  private readonly box = byId("other-map");
  private readonly swipe = byId<HTMLInputElement>("swipe");
  private readonly main: MapView;
  private active = false;

  constructor(main: MapView) {
    this.main = main;
    this.box.hidden = false;
    this.view = new MapView(this.box, main.place, false);
    const { map } = this.view;
    main.map.on("move", () => this.active && map.jumpTo({ center: main.map.getCenter(), zoom: main.map.getZoom() }));
    this.swipe.addEventListener("input", () => this.cut());
    window.addEventListener("resize", () => this.cut());
  }

  /** Show the other side; its map takes no part in clicks. */
  async open(layout: Layout, parameters: Parameters, left: string, right: string): Promise<void> {
    this.active = true;
    this.view.kinds.takePart(true);
    for (const id of ["other-map", "swipe", "side-left", "side-right"]) byId(id).hidden = false;
    byId("side-left").textContent = left;
    byId("side-right").textContent = right;
    this.view.map.resize();
    this.view.map.jumpTo({ center: this.main.map.getCenter(), zoom: this.main.map.getZoom() });
    this.cut();
    await this.view.show(layout, parameters);
  }

  close(): void {
    this.active = false;
    this.view.kinds.takePart(false);
    for (const id of ["other-map", "swipe", "side-left", "side-right"]) byId(id).hidden = true;
  }

  /** Show the other map only left of the handle. */
  private cut(): void {
    const share = Number(this.swipe.value);
    this.box.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    byId("stage").style.setProperty("--swipe", `${share}%`);
  }
}
