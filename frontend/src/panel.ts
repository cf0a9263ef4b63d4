// The filters beside the map.

import { address, type Counts, type Run, type Runs } from "./api";
import { el, number } from "./dom";
import { runEntry, title } from "./runs";
import { type Goal, searchField } from "./search";
import { change, conditions, state } from "./state";

export type Actions = {
  go: (goal: Goal) => void;
  leaveScene: () => void;
  polygon: () => void;
  dim: (score: number) => void;
  visible: (layer: "picture" | "boxes", visible: boolean) => void;
  changes: () => void;
  view: () => string;
};

export class Panel {
  private readonly classes = el("ul", { class: "classes" });
  private readonly runs = el("div");
  private readonly found = el("p", { class: "total" });
  private readonly area = el("p", { class: "pill", hidden: true });
  private readonly scene = el("p", { class: "pill", hidden: true });
  private readonly offline = el("p", { class: "note bad", role: "status", hidden: true }, "The server does not answer; trying again…");
  private readonly score = el("input", { type: "range", id: "score", min: 0, max: 1, step: 0.01 });
  private readonly scoreText = el("output", { for: "score" });
  private readonly from = el("input", { type: "date", "aria-label": "From this day" });
  private readonly to = el("input", { type: "date", "aria-label": "To this day" });
  private readonly other = el("select", { id: "other" });
  private readonly otherFrom = el("input", { type: "date", "aria-label": "Other days: from" });
  private readonly otherTo = el("input", { type: "date", "aria-label": "Other days: to" });
  private readonly changes = el("p", { class: "note", id: "changes" });
  readonly drawn = el("p", { class: "note", id: "in-polygon", role: "status" });
  private known: Runs = { version: "", colours: {}, runs: [] };

  constructor(private readonly actions: Actions) {}

  /** Put the sections into an element. */
  build(into: HTMLElement): void {
    this.score.addEventListener("input", () => {
      this.scoreText.value = Number(this.score.value).toFixed(2);
      this.actions.dim(Number(this.score.value));
      change({ score: Number(this.score.value) });
    });
    this.from.addEventListener("change", () => change({ from: this.from.value }));
    this.to.addEventListener("change", () => change({ to: this.to.value }));
    this.other.addEventListener("change", () => change({ other: this.other.value }));
    this.otherFrom.addEventListener("change", () => change({ otherFrom: this.otherFrom.value }));
    this.otherTo.addEventListener("change", () => change({ otherTo: this.otherTo.value }));
    into.replaceChildren(
      searchField(() => this.chosenRun(), this.actions.go),
      this.offline, this.scene, this.area,
      section("Classes", this.found, this.classes),
      section("Score", el("div", { class: "row" }, el("label", { for: "score" }, "At least"), this.score, this.scoreText)),
      section("Taken", el("div", { class: "row" }, this.from, el("span", {}, "to"), this.to)),
      section("Runs", this.runs),
      section("Count in a polygon", el("button", { type: "button", id: "polygon", onclick: this.actions.polygon }, "Draw a polygon"), this.drawn),
      folded("Compare", el("label", { for: "other" }, "With the run"), this.other,
        el("div", { class: "row" }, this.otherFrom, el("span", {}, "to"), this.otherTo),
        el("div", { class: "row" },
          el("button", { type: "button", id: "find-changes", onclick: this.actions.changes }, "What is new, what is gone"),
          el("button", { type: "button", class: "quiet", onclick: () => change({ other: "", otherFrom: "", otherTo: "" }) }, "End")), this.changes),
      folded("Show", this.toggle("picture", "Scenes"), this.toggle("boxes", "Detections")),
      folded("Download", el("p", { class: "note" }, "What is seen on the map now, with these filters."), this.downloads()),
      el("footer", {}, el("a", { href: "./api.html" }, "All requests"), " · ", el("button", { type: "button", class: "link", id: "share", onclick: share }, "Copy the address")));
    this.showState();
  }

  chosenRun(): string[] {
    return state.run ? [state.run] : this.known.runs.slice(0, 1).map((run) => run.id);
  }

  /** Show runs; the latest is chosen unless another one is. */
  showRuns(known: Runs): void {
    this.known = known;
    const open = new Set([...this.runs.querySelectorAll<HTMLElement>("[data-run]")].filter((entry) => entry.querySelector("details")?.open).map((entry) => entry.dataset.run));
    const [chosen] = this.chosenRun();
    this.runs.replaceChildren(...known.runs.map((run) => {
      const entry = runEntry(run, run.id === chosen, () => change({ run: run.id }));
      entry.dataset.run = run.id;
      const details = entry.querySelector("details");
      if (details) details.open = open.has(run.id);
      return entry;
    }));
    if (!known.runs.length) this.runs.append(el("p", { class: "note" }, "This store holds no run yet."));
    const others = known.runs.map((run: Run) => el("option", { value: run.id, selected: run.id === state.other }, title(run)));
    this.other.replaceChildren(el("option", { value: "" }, "none"), ...others);
  }

  /** Show how many detections of each class are seen. */
  showCounts(counts: Counts | null, names: string[], where: string): void {
    const total = counts ? names.filter((name) => !state.hidden.includes(name)).reduce((sum, name) => sum + (counts.classes[name] ?? 0), 0) : 0;
    this.found.textContent = counts ? `${number.format(total)} ${where}` : "";
    const focused = document.activeElement instanceof HTMLInputElement ? document.activeElement.dataset.name : undefined;
    this.classes.replaceChildren(...names.map((name) => {
      const box = el("input", { type: "checkbox", checked: !state.hidden.includes(name), "data-name": name,
        onchange: () => change({ hidden: box.checked ? state.hidden.filter((one) => one !== name) : [...state.hidden, name] }) });
      const swatch = el("i", { class: "swatch" });
      swatch.style.setProperty("--colour", this.known.colours[name] ?? "#33ddff");
      const only = el("button", { type: "button", class: "link only", "aria-label": `Only ${name}`, onclick: () => change({ hidden: names.filter((one) => one !== name) }) }, "only");
      return el("li", {}, el("label", {}, box, swatch, el("span", { class: "name" }, name)), names.length > 1 && only,
        el("span", { class: "count" }, counts ? number.format(counts.classes[name] ?? 0) : ""));
    }));
    if (state.hidden.length) this.classes.append(el("li", {}, el("button", { type: "button", class: "link", onclick: () => change({ hidden: [] }) }, "Show all classes")));
    if (focused !== undefined) [...this.classes.querySelectorAll("input")].find((box) => box.dataset.name === focused)?.focus();
  }

  /** Bring fields up to the state. */
  showState(sceneTitle = ""): void {
    this.score.value = String(state.score);
    this.scoreText.value = state.score.toFixed(2);
    [this.from.value, this.to.value] = [state.from, state.to];
    [this.other.value, this.otherFrom.value, this.otherTo.value] = [state.other, state.otherFrom, state.otherTo];
    pill(this.area, state.area && `In ${state.area}`, "Leave the area", () => change({ area: "" }));
    pill(this.scene, state.scene && `Pixels of ${sceneTitle}`, "Back to the map", this.actions.leaveScene);
  }

  showConnection(works: boolean): void {
    this.offline.hidden = works;
  }

  showChanges(text: string): void {
    this.changes.textContent = text;
  }

  private toggle(layer: "picture" | "boxes", name: string): HTMLElement {
    const box = el("input", { type: "checkbox", checked: true, id: `show-${layer}`, onchange: () => this.actions.visible(layer, box.checked) });
    return el("label", { class: "row" }, box, name);
  }

  private downloads(): HTMLElement {
    const kinds = [["geojson", "GeoJSON"], ["gpkg", "GeoPackage"], ["csv", "CSV"], ["parquet", "GeoParquet"]];
    const fetchIt = (format: string) => {
      const names = Object.keys(this.known.colours);
      location.assign(address("download", { ...conditions(names, this.chosenRun()), bbox: this.actions.view(), format }));
    };
    return el("div", { class: "row" }, ...kinds.map(([format = "", name = ""]) => el("button", { type: "button", "data-format": format, onclick: () => fetchIt(format) }, name)));
  }
}

function section(name: string, ...children: (Node | false)[]): HTMLElement {
  return el("section", {}, el("h2", {}, name), ...children);
}

function folded(name: string, ...children: Node[]): HTMLElement {
  return el("details", { class: "fold" }, el("summary", {}, name), el("div", {}, ...children));
}

function pill(box: HTMLElement, text: string, label: string, onleave: () => void): void {
  box.hidden = !text;
  box.replaceChildren(el("span", {}, text), el("button", { type: "button", class: "quiet", "aria-label": label, title: label, onclick: onleave }, "✕"));
}

async function share(event: Event): Promise<void> {
  const button = event.target as HTMLButtonElement;
  await navigator.clipboard?.writeText(location.href).catch(() => undefined);
  button.textContent = "Copied";
  window.setTimeout(() => (button.textContent = "Copy the address"), 2000);
}
