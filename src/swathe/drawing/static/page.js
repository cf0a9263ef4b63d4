"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const canvas = element("view"), pen = canvas.getContext("2d");
  const CELL = 128; // picture pixels, of the grid that finds boxes near the pointer
  const CLASS = 0, SCORE = 1, CORNERS = 2, LENGTH = 10, WIDTH = 11, LONGITUDE = 12, LATITUDE = 13;

  // Screen = picture * zoom + (x, y), in CSS pixels.
  const place = { zoom: 1, x: 0, y: 0 };
  const wanted = new Set(data.classes.keys());
  let least = 0, hovered = null, waiting = false;

  // ----- pictures: made when first seen
  const tiles = new Map();
  function tile(level, number) {
    const key = level.factor + "/" + number;
    if (!tiles.has(key)) {
      const image = new Image();
      image.onload = redraw;
      image.src = level.tiles[number];
      tiles.set(key, image);
    }
    return tiles.get(key);
  }

  // ----- boxes: those near a place, by a grid
  const columns = Math.max(1, Math.ceil(data.width / CELL)), rows = Math.max(1, Math.ceil(data.height / CELL));
  const cells = new Map();
  const within = (value, last) => Math.min(Math.max(Math.floor(value / CELL), 0), last);
  for (const box of data.boxes) {
    const x = [0, 2, 4, 6].map((n) => box[CORNERS + n]), y = [1, 3, 5, 7].map((n) => box[CORNERS + n]);
    box.bounds = [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
    for (let row = within(box.bounds[1], rows - 1); row <= within(box.bounds[3], rows - 1); row++)
      for (let column = within(box.bounds[0], columns - 1); column <= within(box.bounds[2], columns - 1); column++) {
        const key = row * columns + column;
        if (!cells.has(key)) cells.set(key, []);
        cells.get(key).push(box);
      }
  }
  const shown = (box) => wanted.has(box[CLASS]) && box[SCORE] >= least;

  function inside(box, x, y) {
    let sign = 0;
    for (let n = 0; n < 4; n++) {
      const ax = box[CORNERS + 2 * n], ay = box[CORNERS + 2 * n + 1];
      const bx = box[CORNERS + (2 * n + 2) % 8], by = box[CORNERS + (2 * n + 3) % 8];
      const side = Math.sign((bx - ax) * (y - ay) - (by - ay) * (x - ax));
      if (side && sign && side !== sign) return false;
      sign = side || sign;
    }
    return true;
  }

  function boxAt(x, y) {
    const near = cells.get(within(y, rows - 1) * columns + within(x, columns - 1)) || [];
    const hits = near.filter((box) => shown(box) && inside(box, x, y));
    const area = (box) => box[LENGTH] * box[WIDTH];
    return hits.sort((one, other) => area(one) - area(other))[0] || null;
  }

  // ----- drawing
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const view = [-place.x / place.zoom, -place.y / place.zoom,
      (width - place.x) / place.zoom, (height - place.y) / place.zoom];
    drawPicture(view, ratio);
    const count = drawBoxes(view);
    drawBar();
    canvas.dataset.drawn = count;
    canvas.dataset.zoom = place.zoom;
  }

  function drawPicture(view, ratio) {
    pen.imageSmoothingEnabled = place.zoom * ratio < 4;
    const fits = data.levels.filter((level) => level.factor * place.zoom * ratio <= 1.01);
    const finest = fits.length ? fits[fits.length - 1] : data.levels[0];
    // The coarsest level stands behind what is not there yet.
    for (const level of new Set([data.levels[data.levels.length - 1], finest])) {
      const size = data.tile * level.factor, last = level.columns - 1;
      const bottom = Math.ceil(level.tiles.length / level.columns) - 1;
      for (let row = Math.max(0, Math.floor(view[1] / size)); row <= Math.min(bottom, view[3] / size); row++)
        for (let column = Math.max(0, Math.floor(view[0] / size)); column <= Math.min(last, view[2] / size); column++) {
          const image = tile(level, row * level.columns + column);
          if (!image.complete || !image.naturalWidth) continue;
          const scale = level.factor * place.zoom;
          pen.drawImage(image, place.x + column * size * place.zoom, place.y + row * size * place.zoom,
            image.naturalWidth * scale, image.naturalHeight * scale);
        }
    }
  }

  function trace(box) {
    for (let n = 0; n < 4; n++) {
      const x = box[CORNERS + 2 * n] * place.zoom + place.x, y = box[CORNERS + 2 * n + 1] * place.zoom + place.y;
      if (n) pen.lineTo(x, y); else pen.moveTo(x, y);
    }
    pen.closePath();
  }

  function drawBoxes(view) {
    const paths = new Map();
    let count = 0;
    for (const box of data.boxes) {
      if (!shown(box)) continue;
      count++;
      const [left, top, right, bottom] = box.bounds;
      if (right < view[0] || left > view[2] || bottom < view[1] || top > view[3]) continue;
      if (!paths.has(box[CLASS])) paths.set(box[CLASS], []);
      paths.get(box[CLASS]).push(box);
    }
    const thick = place.zoom < 0.4 ? 1 : 1.8;
    pen.lineJoin = "round";
    for (const [number, boxes] of paths) {
      pen.beginPath();
      boxes.forEach(trace);
      stroke("rgba(12,12,12,.55)", 2 * thick);
      stroke(data.classes[number].colour, thick);
    }
    if (data.chosen !== null && shown(data.boxes[data.chosen])) {
      pen.beginPath();
      trace(data.boxes[data.chosen]);
      stroke("rgba(12,12,12,.55)", 5);
      stroke("#fff", 3);
    }
    if (hovered && shown(hovered)) {
      pen.beginPath();
      trace(hovered);
      pen.fillStyle = "rgba(255,255,255,.25)";
      pen.fill();
      stroke("#fff", 2.5);
    }
    element("count").textContent = `${count.toLocaleString("en")} of ${data.found.toLocaleString("en")} detections`;
    return count;
  }

  function stroke(colour, width) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke();
  }

  function drawBar() {
    const unit = (data.metres === null ? 1 / data.scale : data.metres) / place.zoom;
    const longest = 140 * unit, power = 10 ** Math.floor(Math.log10(longest));
    const length = [5, 2, 1].map((step) => step * power).find((step) => step <= longest * (1 + 1e-9)) || power;
    const number = (value) => String(Number(value.toPrecision(3)));
    element("length").textContent = data.metres === null ? number(length) + " px"
      : length >= 1000 ? number(length / 1000) + " km"
      : length >= 1 ? number(length) + " m" : number(length * 100) + " cm";
    element("line").style.width = length / unit + "px";
  }

  // ----- moving
  function zoomBy(factor, x, y) {
    const zoom = Math.min(Math.max(place.zoom * factor, smallest() / 2), 32);
    place.x = x - (x - place.x) * zoom / place.zoom;
    place.y = y - (y - place.y) * zoom / place.zoom;
    place.zoom = zoom;
    redraw();
  }
  const smallest = () => Math.min(canvas.clientWidth / data.width, canvas.clientHeight / data.height);
  const middle = () => [canvas.clientWidth / 2, canvas.clientHeight / 2];
  function moveBy(x, y) {
    place.x += x;
    place.y += y;
    redraw();
  }
  function showAll() {
    place.zoom = smallest();
    place.x = (canvas.clientWidth - data.width * place.zoom) / 2;
    place.y = (canvas.clientHeight - data.height * place.zoom) / 2;
    redraw();
  }

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    zoomBy(2 ** (-event.deltaY * lines / 240), event.clientX, event.clientY);
  }, { passive: false });

  // One pointer moves, two pinch.
  const pointers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = [...pointers.values()].map((point) => [...point]);
    if (!pointers.has(event.pointerId)) return hover(event);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    const after = [...pointers.values()];
    const centre = (points) => [0, 1].map((n) => points.reduce((sum, point) => sum + point[n], 0) / points.length);
    const [x, y] = centre(after), [oldX, oldY] = centre(before);
    moveBy(x - oldX, y - oldY);
    if (after.length === 2) {
      const apart = (points) => Math.hypot(points[0][0] - points[1][0], points[0][1] - points[1][1]) || 1;
      zoomBy(apart(after) / apart(before), x, y);
    }
    element("tip").hidden = true;
  });
  for (const name of ["pointerup", "pointercancel"])
    canvas.addEventListener(name, (event) => {
      pointers.delete(event.pointerId);
      hover(event);
    });
  canvas.addEventListener("pointerleave", () => { hovered = null; element("tip").hidden = true; redraw(); });

  // Keys work wherever the focus is, so that nothing has to be focused, and framed, at the start.
  window.addEventListener("keydown", (event) => {
    const step = 80;
    const act = {
      "+": () => zoomBy(1.5, ...middle()), "=": () => zoomBy(1.5, ...middle()), "-": () => zoomBy(1 / 1.5, ...middle()),
      "0": showAll, ArrowLeft: () => moveBy(step, 0), ArrowRight: () => moveBy(-step, 0),
      ArrowUp: () => moveBy(0, step), ArrowDown: () => moveBy(0, -step),
    }[event.key];
    if (!act || event.target === slider || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });

  function hover(event) {
    const box = boxAt((event.clientX - place.x) / place.zoom, (event.clientY - place.y) / place.zoom);
    if (box !== hovered) { hovered = box; redraw(); }
    const tip = element("tip");
    tip.hidden = !box;
    if (!box) return;
    const onGround = box.length > LATITUDE, unit = onGround ? "m" : "px";
    const lines = [`${data.classes[box[CLASS]].name}  ${box[SCORE].toFixed(2)}`,
      `${box[LENGTH].toFixed(1)} x ${box[WIDTH].toFixed(1)} ${unit}`];
    if (onGround) lines.push(`${box[LONGITUDE].toFixed(6)}, ${box[LATITUDE].toFixed(6)}`);
    tip.textContent = lines.join("\n");
    tip.style.left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8) + "px";
  }

  // ----- panel
  element("title").textContent = data.scene;
  const percent = Math.floor(100 * data.scale);
  element("detail").textContent = percent < 100 ? `picture at ${percent} % of the scene's resolution` : "";
  const counts = new Map();
  for (const box of data.boxes) counts.set(box[CLASS], (counts.get(box[CLASS]) || 0) + 1);
  data.classes.forEach((entry, number) => {
    const label = document.createElement("label"), input = document.createElement("input");
    const swatch = document.createElement("i");
    label.className = "class";
    input.type = "checkbox";
    input.checked = true;
    input.addEventListener("change", () => {
      if (input.checked) wanted.add(number); else wanted.delete(number);
      redraw();
    });
    swatch.style.borderColor = entry.colour;
    label.append(input, swatch, `${entry.name}  ${(counts.get(number) || 0).toLocaleString("en")}`);
    element("classes").append(label);
  });
  const lowest = Math.floor(100 * data.boxes.reduce((low, box) => Math.min(low, box[SCORE]), 1)) / 100;
  const slider = element("score");
  slider.min = slider.value = lowest;
  function filter() {
    least = Number(slider.value) <= lowest ? -Infinity : Number(slider.value);
    element("least").textContent = Number(slider.value).toFixed(2);
    redraw();
  }
  slider.addEventListener("input", filter);
  element("panel").addEventListener("submit", (event) => event.preventDefault());
  element("nearer").addEventListener("click", () => zoomBy(1.5, ...middle()));
  element("farther").addEventListener("click", () => zoomBy(1 / 1.5, ...middle()));
  element("whole").addEventListener("click", showAll);
  element("north").toggleAttribute("hidden", data.north === null);
  if (data.north !== null) element("north").firstElementChild.style.transform = `rotate(${data.north}rad)`;
  window.addEventListener("resize", redraw);
  filter();
  showAll();
})();
