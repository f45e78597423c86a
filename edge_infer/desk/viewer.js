// The film, large, from its own pixels: this script windows them, so nothing is lost on the way.

const MOST_ZOOM = 16;
const SETTLED_MS = 120;

/** Halve a picture by the mean of two by two pixels. */
function halve({ data, width, height, step }) {
  const [w, h] = [width >> 1, height >> 1];
  const half = new data.constructor(w * h);
  for (let y = 0, to = 0; y < h; y += 1) {
    let at = 2 * y * width;
    for (let x = 0; x < w; x += 1, at += 2, to += 1) {
      half[to] = (data[at] + data[at + 1] + data[at + width] + data[at + width + 1] + 2) >> 2;
    }
  }
  return { data: half, width: w, height: h, step: step * 2 };
}

/** Hold a film's pixels and draw what a canvas shows of them. */
class Film {
  constructor(described, bytes) {
    const data = described.bits === 8 ? new Uint8Array(bytes) : new Uint16Array(bytes);
    const { rows, columns, scale } = described;
    this.described = described;
    this.white = described.bits === 8 ? 255 : 65535;
    this.levels = [{ data, width: columns, height: rows, step: scale }];
    while (this.levels.at(-1).width > 600 && this.levels.at(-1).height > 600) {
      this.levels.push(halve(this.levels.at(-1)));
    }
    [this.height, this.width] = described.full;
    this.grey = new Uint32Array(this.white + 1);
    this.strip = new OffscreenCanvas(1, 1);
    this.buffer = new ArrayBuffer(0);
  }

  /** Make the table from a stored grey to the colour shown. */
  setWindow(low, high, isInverted) {
    const share = 255 / Math.max(high - low, 1e-6);
    for (let value = 0; value <= this.white; value += 1) {
      let shown = Math.min(255, Math.max(0, Math.round((value - low) * share)));
      if (isInverted) shown = 255 - shown;
      this.grey[value] = 0xff000000 | (shown << 16) | (shown << 8) | shown;
    }
  }

  /** Choose the picture that has about one pixel for each of the canvas. */
  level(zoom, isMoving) {
    const fine = this.levels.findLast((one) => one.step * zoom <= 1) ?? this.levels[0];
    if (!isMoving) return fine;
    return this.levels.find((one) => one.step * zoom >= 0.8) ?? this.levels.at(-1);
  }

  draw(context, place, isMoving) {
    const { canvas } = context;
    const level = this.level(place.zoom, isMoving);
    const across = level.step * place.zoom;
    const down = across * this.described.aspect;
    const left = Math.max(0, Math.floor(-place.x / across));
    const top = Math.max(0, Math.floor(-place.y / down));
    const right = Math.min(level.width, Math.ceil((canvas.width - place.x) / across));
    const bottom = Math.min(level.height, Math.ceil((canvas.height - place.y) / down));
    const [w, h] = [right - left, bottom - top];
    if (w <= 0 || h <= 0) return;
    if (this.buffer.byteLength < w * h * 4) this.buffer = new ArrayBuffer(w * h * 4);
    const colours = new Uint32Array(this.buffer, 0, w * h);
    const { data } = level;
    const { grey } = this;
    for (let y = 0, to = 0; y < h; y += 1) {
      const end = (top + y) * level.width + right;
      for (let at = end - w; at < end; at += 1, to += 1) colours[to] = grey[data[at]];
    }
    if (this.strip.width !== w || this.strip.height !== h) {
      [this.strip.width, this.strip.height] = [w, h];
    }
    const picture = new ImageData(new Uint8ClampedArray(this.buffer, 0, w * h * 4), w, h);
    this.strip.getContext("2d").putImageData(picture, 0, 0);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = isMoving ? "low" : "medium";
    context.drawImage(
      this.strip, place.x + left * across, place.y + top * down, w * across, h * down,
    );
  }
}

/** Turn strengths into a picture from amber to red whose opacity is the strength. */
function paintHeat(described, bytes) {
  const strengths = new Uint8Array(bytes);
  const picture = new ImageData(described.columns, described.rows);
  strengths.forEach((strength, at) => {
    const share = strength / 255;
    picture.data[4 * at] = 255 - 30 * share;
    picture.data[4 * at + 1] = 190 - 150 * share;
    picture.data[4 * at + 2] = 60 - 30 * share;
    picture.data[4 * at + 3] = strength;
  });
  const canvas = new OffscreenCanvas(described.columns, described.rows);
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

async function fetchBinary(address, signal) {
  const answer = await fetch(address, { signal, cache: "no-store" });
  if (!answer.ok) {
    const said = answer.status === 422 ? await answer.json() : {};
    throw Object.assign(new Error(said.reason ?? ""), { why: said.why ?? "" });
  }
  return [JSON.parse(answer.headers.get("X-Described")), await answer.arrayBuffer()];
}

/** Make the viewer; `desk` has `words`, `post`, `mark`, `undo`, `neighbour` and `getReady`. */
export function makeViewer(desk) {
  const { words } = desk;
  const find = (id) => document.getElementById(id);
  const [dialog, stage, canvas, says] = ["viewer", "stage", "film", "says"].map(find);
  const [heatBox, strength, note] = ["heat", "strength", "note"].map(find);
  const context = canvas.getContext("2d", { alpha: false });
  let number = 0;
  let about = null;
  let film = null;
  let heat = null;
  let range = { low: 0, high: 1 };
  let place = { x: 0, y: 0, zoom: 1 };
  let isFitted = true;
  let isInverted = false;
  let loading = new AbortController();
  let frame = 0;
  let settling = 0;

  const ask = (isMoving) => {
    clearTimeout(settling);
    if (isMoving) settling = setTimeout(() => ask(false), SETTLED_MS);
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => draw(isMoving));
  };

  const draw = (isMoving) => {
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    find("levels").textContent = "";
    if (film === null) return;
    film.setWindow(range.low, range.high, isInverted);
    film.draw(context, place, isMoving);
    if (heat !== null && heatBox.checked) {
      context.globalAlpha = strength.value / 100;
      const width = film.width * place.zoom;
      const height = film.height * film.described.aspect * place.zoom;
      context.drawImage(heat, place.x, place.y, width, height);
      context.globalAlpha = 1;
    }
    const percent = (value) => Math.round((100 * value) / film.white);
    find("levels").textContent = words.levels
      .replace("{width}", percent(range.high - range.low))
      .replace("{level}", percent((range.high + range.low) / 2))
      .replace("{zoom}", Math.round((100 * place.zoom) / devicePixelRatio));
    dialog.dataset.drawn = String(number);
  };

  const fit = () => {
    if (film === null) return;
    const height = film.height * film.described.aspect;
    const zoom = Math.min(canvas.width / film.width, canvas.height / height);
    place = { zoom, x: (canvas.width - film.width * zoom) / 2, y: (canvas.height - height * zoom) / 2 };
    isFitted = true;
    ask(false);
  };

  /** Change the zoom, keeping what lies at a point of the canvas there. */
  const zoomTo = (zoom, x = canvas.width / 2, y = canvas.height / 2) => {
    if (film === null) return;
    const least = Math.min(canvas.width / film.width, canvas.height / film.height) / 2;
    const next = Math.min(MOST_ZOOM, Math.max(least, zoom));
    const times = next / place.zoom;
    place = { zoom: next, x: x - (x - place.x) * times, y: y - (y - place.y) * times };
    isFitted = false;
    ask(true);
  };

  const move = (x, y) => {
    place = { ...place, x: place.x + x, y: place.y + y };
    isFitted = false;
    ask(true);
  };

  /** Shift the window by a share of its first width, and widen it by a factor. */
  const changeWindow = (shift, times) => {
    if (film === null) return;
    const first = film.described.high - film.described.low;
    const middle = (range.low + range.high) / 2 + shift * first;
    const half = Math.min(4 * film.white, Math.max(2, (range.high - range.low) * times)) / 2;
    range = { low: middle - half, high: middle + half };
    ask(true);
  };

  const reset = () => {
    if (film === null) return;
    range = { low: film.described.low, high: film.described.high };
    setInverted(false);
    ask(false);
  };

  const setInverted = (value) => {
    isInverted = value;
    find("invert").setAttribute("aria-pressed", String(value));
    ask(false);
  };

  const showSays = (...texts) => {
    says.replaceChildren(...texts.filter(Boolean).flatMap((text, at) => {
      const part = document.createElement(at ? "small" : "strong");
      part.textContent = text;
      return [part, " "];
    }));
    says.hidden = says.textContent.trim() === "";
  };

  const showAbout = () => {
    find("viewer-heading").textContent = about.heading;
    find("facts").innerHTML = about.film;
    find("result").className = about.key;
    find("result").innerHTML = about.result;
    const label = Object.assign(document.createElement("span"), {
      className: "label", textContent: about.label,
    });
    find("result").prepend(label);
    find("folder").hidden = !about.canShow;
    find("heat-choice").hidden = !about.hasHeat;
    find("marks").disabled = !about.canMark;
    for (const field of find("marks").querySelectorAll("[data-kind]")) {
      const said = about.marks[field.dataset.kind];
      if (field.type === "checkbox") {
        field.checked = said !== undefined;
        field.parentElement.querySelector("time").textContent = said?.time ?? "";
      } else {
        field.value = said?.value ?? "";
      }
    }
    if (document.activeElement !== note) note.value = about.marks.note?.value ?? "";
    find("others").hidden = about.films.length < 2;
    find("films").replaceChildren(...about.films.map((one) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-current", String(one.number === number));
      if (one.picture) button.append(Object.assign(new Image(), { src: one.picture, alt: "" }));
      button.append([one.name, one.view].filter(Boolean).join(" · "));
      button.addEventListener("click", () => show(one.number));
      return button;
    }));
    warn();
  };

  const warn = () => {
    const changed = film?.described.isChanged ? words.changed : "";
    const warning = find("film-warning");
    warning.textContent = [about?.warning, changed].filter(Boolean).join(" ");
    warning.hidden = warning.textContent === "";
  };

  const fetchHeat = async (signal) => {
    const [described, bytes] = await fetchBinary(`heat/${number}`, signal);
    heat = described.isEmpty ? null : paintHeat(described, bytes);
    find("heat-says").textContent = described.isEmpty ? words.noHeat : described.says;
    heatBox.disabled = described.isEmpty;
    ask(false);
  };

  const fetchAbout = async (signal) => {
    const answer = await fetch(`about/${number}`, { signal, cache: "no-store" });
    if (!answer.ok) return;
    about = await answer.json();
    showAbout();
    if (about.hasHeat && heat === null) await fetchHeat(signal);
  };

  const fetchFilm = async (signal) => {
    showSays(words.loading);
    film = new Film(...(await fetchBinary(`film/${number}?quick`, signal)));
    reset();
    fit();
    warn();
    showSays(film.described.scale > 1 ? words.sharper : "");
    if (film.described.scale > 1) {
      // A quarter of the pixels was quick; now every one of them, in the same place and window.
      film = new Film(...(await fetchBinary(`film/${number}`, signal)));
      ask(false);
      showSays("");
    }
    const next = desk.neighbour(number, 1);
    if (next !== null) desk.getReady(next);
  };

  const show = async (wanted) => {
    loading.abort();
    loading = new AbortController();
    const { signal } = loading;
    [number, film, heat] = [wanted, null, null];
    heatBox.disabled = true;
    find("heat-says").textContent = "";
    delete dialog.dataset.drawn;
    if (!dialog.open) {
      dialog.showModal();
      resize();
      canvas.focus();
    }
    ask(false);
    const aside = fetchAbout(signal).catch(() => {});
    try {
      await fetchFilm(signal);
    } catch (error) {
      if (signal.aborted) return;
      showSays(words.cannotShow, error.why, error.message);
      dialog.dataset.drawn = `refused ${number}`;
    }
    await aside;
  };

  const step = (by) => {
    const next = desk.neighbour(number, by);
    if (next !== null) show(next);
  };

  const resize = () => {
    const { width, height } = stage.getBoundingClientRect();
    canvas.width = Math.max(1, Math.round(width * devicePixelRatio));
    canvas.height = Math.max(1, Math.round(height * devicePixelRatio));
    if (isFitted) fit();
    ask(false);
  };
  new ResizeObserver(resize).observe(stage);

  // Mouse, pen and finger.
  const fingers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    const [x, y] = [event.clientX - before.clientX, event.clientY - before.clientY];
    if (fingers.size === 2) {
      const other = [...fingers.values()].find((one) => one.pointerId !== event.pointerId);
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      zoomTo((place.zoom * apart(event)) / Math.max(1, apart(before)));
      move((x * devicePixelRatio) / 2, (y * devicePixelRatio) / 2);
    } else if (event.shiftKey || event.buttons & 6) {
      move(x * devicePixelRatio, y * devicePixelRatio);
    } else {
      changeWindow(y / 400, Math.exp(x / 300));
    }
    fingers.set(event.pointerId, event);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => fingers.delete(event.pointerId));
  }
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", fit);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { left, top } = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top].map((one) => one * devicePixelRatio);
    zoomTo(place.zoom * Math.exp(-event.deltaY / 500), x, y);
  }, { passive: false });

  const press = (kind) => find("marks").querySelector(`input[data-kind=${kind}]`).click();
  const showFolder = async () => {
    const answer = await desk.post("folder", { film: number });
    if (!answer.ok) desk.tell(words.notShown);
  };
  const keys = {
    ArrowUp: () => changeWindow(-0.03, 1),
    ArrowDown: () => changeWindow(0.03, 1),
    ArrowLeft: () => changeWindow(0, 0.95),
    ArrowRight: () => changeWindow(0, 1.05),
    "+": () => zoomTo(place.zoom * 1.25),
    "=": () => zoomTo(place.zoom * 1.25),
    "-": () => zoomTo(place.zoom / 1.25),
    0: fit,
    1: () => zoomTo(devicePixelRatio),
    i: () => setInverted(!isInverted),
    r: reset,
    h: () => heatBox.disabled || heatBox.click(),
    n: () => step(1),
    p: () => step(-1),
    o: () => press("test_ordered"),
    d: () => press("test_done"),
    s: () => press("seen"),
    u: desk.undo,
    f: showFolder,
  };
  const shifted = {
    ArrowUp: () => move(0, 60),
    ArrowDown: () => move(0, -60),
    ArrowLeft: () => move(60, 0),
    ArrowRight: () => move(-60, 0),
  };
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const isField = event.target.matches("input[type=text], select, input[type=range]");
    if (isField) {
      if (event.key === "Enter" && event.target === note) keepNote();
      return;
    }
    const act = (event.shiftKey && shifted[event.key]) || keys[event.key] || keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });

  const keepNote = () => desk.mark(number, "note", note.value.trim(), words.note);
  find("keep-note").addEventListener("click", keepNote);
  find("marks").addEventListener("change", (event) => {
    const { kind, what } = event.target.dataset;
    if (!kind) return;
    const { target } = event;
    const value = target.type === "checkbox" ? (target.checked ? "1" : "") : target.value;
    desk.mark(number, kind, value, what);
  });
  const clicks = {
    close: () => dialog.close(),
    before: () => step(-1),
    after: () => step(1),
    smaller: keys["-"],
    larger: keys["+"],
    fit,
    real: keys[1],
    invert: keys.i,
    reset,
    folder: showFolder,
  };
  for (const [id, act] of Object.entries(clicks)) find(id).addEventListener("click", act);
  heatBox.addEventListener("change", () => ask(false));
  strength.addEventListener("input", () => ask(true));
  dialog.addEventListener("close", () => {
    loading.abort();
    // Its row may be another one by now, and another film the one that was looked at last.
    document.querySelector(`main .open[data-film="${number}"]`)?.focus();
    [film, heat, number] = [null, null, 0];
  });

  return {
    open(wanted) {
      isFitted = true;
      show(wanted);
    },
    /** Say again what is said beside the film: somebody may have changed it. */
    renew() {
      if (dialog.open) fetchAbout(loading.signal).catch(() => {});
    },
  };
}
