"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const [stage, slider, status, told, tip, search] =
    ["stage", "slider", "status", "told", "tip", "search"].map(element);
  const reduced = matchMedia("(prefers-reduced-motion: reduce)");
  let current = 0, chosen = -1, playing = 0;
  const trail = [];

  // ------------------------------------------------------------ the parts of each picture
  const views = data.views.map((view, v) => {
    const section = element("view" + v), svg = section.querySelector("svg");
    const part = (letter, i) => document.getElementById(view.prefix + letter + i);
    const mark = (node, word) => { if (node) node.classList.add(word); return node; };
    const boxes = view.boxes.map((_, i) => mark(part("n", i), "box"));
    const edges = view.edges.map((_, i) => mark(part("e", i), "edge"));
    const pills = view.edges.map((_, i) => mark(part("p", i), "pill"));
    for (const word of ["rim", "line", "tip"])
      for (const node of svg.querySelectorAll("." + view.prefix + word)) node.classList.add(word);
    const whole = svg.getAttribute("viewBox").split(" ").map(Number);
    return { ...view, section, svg, boxes, edges, pills, whole, box: [...whole], part,
             texts: view.boxes, lines: view.edges, at: view.start };
  });
  const here = () => views[current];

  // ------------------------------------------------------------ stepping
  const setGrad = (view, i, texts) => {
    const group = view.part("g", i);
    if (!group) return;
    const nodes = group.querySelectorAll("text[text-anchor=end]");
    nodes.forEach((node, k) => {
      const text = texts[k] || "";
      node.textContent = text;
      const tone = text[0] === "+" ? "plus" : text[0] === "\u2212" ? "minus" : "ink";
      node.setAttribute("class", view.prefix + (nodes.length === 1 ? tone : "ink"));
    });
  };
  const describe = (view, i) => {
    const words = view.texts[i], rows = [];
    for (const letter of ["v", "g"]) {
      const group = view.part(letter, i);
      if (group && !group.classList.contains("waiting"))
        rows.push([...group.querySelectorAll("text")].map((node) => node.textContent).join(" "));
    }
    const label = [words.head, ...rows, words.opens >= 0 ? "opens" : ""].filter(Boolean).join(", ");
    view.boxes[i].setAttribute("aria-label", label);
  };

  const show = (step) => {
    const view = here();
    view.at = Math.max(0, Math.min(step, view.steps.length - 1));
    view.boxes.forEach((box, i) => {
      const known = view.value[i] <= view.at;
      const group = view.part("v", i);
      if (group) group.classList.toggle("waiting", !known);
      box.classList.remove("now");
      const changes = view.grads[i];
      if (changes) {
        let texts = ["\u00b7"];
        for (const [when, after] of changes) if (when <= view.at) texts = after;
        setGrad(view, i, texts);
      } else if (view.late[i] !== undefined && view.part("g", i)) {
        view.part("g", i).classList.toggle("waiting", view.late[i] > view.at);
      }
      describe(view, i);
    });
    for (const edge of view.edges) edge.classList.remove("now");
    const now = view.steps[view.at];
    if (now) {
      for (const i of now.boxes) view.boxes[i].classList.add("now");
      for (const i of now.edges) view.edges[i].classList.add("now");
    }
    slider.max = Math.max(view.steps.length - 1, 0);
    slider.value = view.at;
    slider.disabled = view.steps.length < 2;
    slider.setAttribute("aria-valuetext", `${view.at} of ${slider.max}`);
    status.textContent = now ? now.text : "";
    const ends = { back: view.at <= 0, next: view.at >= view.steps.length - 1 };
    for (const [name, end] of Object.entries(ends)) {
      if (end && document.activeElement === element(name)) slider.focus();
      element(name).disabled = end;
    }
  };

  const stop = () => {
    clearInterval(playing);
    playing = 0;
    element("play").textContent = "Play";
  };
  const play = () => {
    if (playing) { stop(); return; }
    if (here().at >= here().steps.length - 1) show(0);
    element("play").textContent = "Pause";
    playing = setInterval(() => {
      show(here().at + 1);
      if (here().at >= here().steps.length - 1) stop();
    }, reduced.matches ? 2500 : 1100);
  };

  // ------------------------------------------------------------ paths
  const say = (headline, lines) => {
    const strong = document.createElement("strong");
    strong.textContent = headline;
    told.replaceChildren(strong, document.createTextNode(lines.join("\n")));
  };

  const clear = () => {
    chosen = -1;
    stage.classList.remove("chosen");
    const view = here();
    for (const node of [...view.boxes, ...view.edges, ...view.pills])
      if (node) node.classList.remove("faded", view.prefix + "on");
    for (const box of view.boxes) if (box.hasAttribute("aria-pressed")) box.setAttribute("aria-pressed", "false");
    told.replaceChildren();
  };

  const light = (i) => {
    if (chosen === i) { clear(); return; }
    clear();
    chosen = i;
    stage.classList.add("chosen");
    const view = here(), bright = new Set([i]), after = new Map();
    view.lines.forEach(([from, to], e) => after.set(from, [...(after.get(from) || []), [to, e]]));
    const lines = new Set(), pending = [i];
    while (pending.length) for (const [to, e] of after.get(pending.pop()) || []) {
      lines.add(e);
      if (!bright.has(to)) { bright.add(to); pending.push(to); }
    }
    const put = (node, on) => node && node.classList.add(on ? view.prefix + "on" : "faded");
    view.boxes.forEach((box, k) => put(box, bright.has(k)));
    view.edges.forEach((edge, k) => { put(edge, lines.has(k)); put(view.pills[k], lines.has(k)); });
    view.boxes[i].setAttribute("aria-pressed", "true");
    const words = view.paths[i] || [view.texts[i].head], lines2 = words.slice(1);
    if (view.texts[i].closed && view.texts[i].opens < 0)
      lines2.push("There is no room for what is in this group: draw it with expand= or around=.");
    if (view.tips[i]) lines2.push(view.tips[i]);
    view.lines.forEach(([, to], e) => { if (to === i && view.edgeTips[e]) lines2.push(view.edgeTips[e]); });
    say(words[0], lines2);
  };

  const press = (i, event) => {
    const opens = here().texts[i].opens;
    if (opens < 0) light(i);
    else if (!event || event.detail < 2) open(opens);
  };

  // ------------------------------------------------------------ from picture to picture
  const go = (v, back, at) => {
    stop();
    clear();
    hint("");
    const inside = stage.contains(document.activeElement);
    const from = here(), part = from.at / Math.max(from.steps.length - 1, 1);
    if (!back && v !== current) trail.push([current, from.at]);
    from.section.hidden = true;
    current = v;
    here().section.hidden = false;
    element("up").disabled = !trail.length;
    element("name").textContent = document.title = here().title;
    show(at === undefined ? Math.round(part * (here().steps.length - 1)) : at);
    search.dispatchEvent(new Event("input"));
    start();
    const group = here().texts.findIndex((words) => words.opens === views.indexOf(from));
    const first = here().boxes[Math.max(group, 0)];
    if ((inside || back) && from !== here() && first) first.focus({ preventScroll: true });
  };
  const open = (v) => go(v, false);
  const up = () => {
    if (!trail.length) return;
    const [v, at] = trail.pop();
    go(v, true, at);
  };

  // ------------------------------------------------------------ pan and zoom
  const apply = () => {
    const { box, whole } = here();
    for (const k of [0, 1]) {  // the picture stays in sight
      const centre = box[k] + box[k + 2] / 2;
      box[k] += Math.min(Math.max(centre, 0), whole[k + 2]) - centre;
    }
    here().svg.setAttribute("viewBox", box.map((x) => x.toFixed(2)).join(" "));
  };
  const fit = () => { here().box = [...here().whole]; apply(); };
  const start = () => {  // all of it, unless that could not be read: then from the left
    const [, , wide, high] = here().whole;
    const scale = Math.min(stage.clientWidth / wide, stage.clientHeight / high);
    if (scale >= 0.42 || !stage.clientWidth) { fit(); return; }
    const width = stage.clientWidth / 0.7, height = stage.clientHeight / 0.7;
    here().box = [0, Math.max((high - height) / 2, 0), width, height];
    apply();
  };
  const zoom = (factor, x, y) => {
    const box = here().box, limit = here().whole[2];
    const size = Math.min(Math.max(box[2] * factor, Math.min(limit, 150)), limit * 2.5) / box[2];
    here().box = [x - (x - box[0]) * size, y - (y - box[1]) * size, box[2] * size, box[3] * size];
    apply();
  };
  const point = (event) => {
    const matrix = here().svg.getScreenCTM().inverse();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    return [at.x, at.y];
  };
  const middle = () => [here().box[0] + here().box[2] / 2, here().box[1] + here().box[3] / 2];
  const centre = (node) => {
    const at = node.getBBox(), box = here().box;
    const inside = at.x >= box[0] && at.y >= box[1] &&
      at.x + at.width <= box[0] + box[2] && at.y + at.height <= box[1] + box[3];
    if (inside) return;
    here().box = [at.x + at.width / 2 - box[2] / 2, at.y + at.height / 2 - box[3] / 2, box[2], box[3]];
    apply();
  };
  const shift = (x, y) => {
    here().box[0] += x * here().box[2] / 8;
    here().box[1] += y * here().box[3] / 8;
    apply();
  };
  let held = null, moved = false;
  const fingers = new Map();
  const framed = window.self !== window.top;
  stage.addEventListener("wheel", (event) => {
    if (framed && !event.ctrlKey) return;  // the page around scrolls
    event.preventDefault();
    const lines = [1, 33, 400][event.deltaMode];
    zoom(Math.exp(event.deltaY * lines * 0.0015), ...point(event));
  }, { passive: false });
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    fingers.set(event.pointerId, event);
    held = point(event); moved = false;
  });
  stage.addEventListener("pointermove", (event) => {
    if (fingers.size === 2 && fingers.has(event.pointerId)) {
      const apart = () => {
        const [a, b] = [...fingers.values()];
        return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1;
      };
      const before = apart();
      fingers.set(event.pointerId, event);
      const [a, b] = [...fingers.values()];
      const centre = { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 };
      zoom(before / apart(), ...point(centre));
      moved = true;
      return;
    }
    if (!held || !event.buttons) return;
    const [x, y] = point(event);
    const scale = here().box[2] / stage.clientWidth;
    if (!moved && Math.hypot(x - held[0], y - held[1]) < 5 * scale) return;
    if (!moved) { moved = true; stage.classList.add("held"); stage.setPointerCapture(event.pointerId); }
    here().box[0] -= x - held[0];
    here().box[1] -= y - held[1];
    apply();
  });
  const release = (event) => {
    fingers.delete(event.pointerId);
    held = null;
    stage.classList.remove("held");
    setTimeout(() => { moved = false; });  // after the click that a drag ends with
  };
  stage.addEventListener("click", (event) => {
    if (!moved && !event.target.closest(".box, .edge, .pill")) clear();
  });
  addEventListener("pointerup", release);
  addEventListener("pointercancel", release);

  // ------------------------------------------------------------ boxes and edges answer
  const hint = (text, event) => {
    tip.textContent = text;
    tip.hidden = !text;
    if (!text || !event) return;
    const area = stage.getBoundingClientRect();
    const x = event.clientX - area.left, y = event.clientY - area.top;
    tip.style.left = Math.max(4, Math.min(x + 14, area.width - tip.offsetWidth - 6)) + "px";
    tip.style.top = (y + 18 + tip.offsetHeight > area.height ? y - tip.offsetHeight - 10 : y + 18) + "px";
  };
  views.forEach((view) => {
    view.tips = [];
    view.edgeTips = [];
    const named = (node) => {
      const title = node.querySelector("title");
      const text = title ? title.textContent : "";
      if (title) title.remove();
      return text;
    };
    view.boxes.forEach((box, i) => {
      const text = named(box), words = view.texts[i];
      box.setAttribute("tabindex", "0");
      box.setAttribute("role", "button");
      view.tips[i] = text === words.name ? "" : text;
      if (words.opens < 0) box.setAttribute("aria-pressed", "false");
      else box.classList.add("opens");
      box.addEventListener("click", (event) => { if (!moved) press(i, event); });
      box.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        if (!event.repeat) press(i);
      });
      box.addEventListener("focus", () => { if (box.matches(":focus-visible")) centre(box); });
      box.addEventListener("pointermove", (event) => hint(text, event));
      box.addEventListener("pointerleave", () => hint(""));
    });
    view.edges.forEach((edge, i) => {
      const text = named(edge);
      view.edgeTips[i] = text;
      if (view.pills[i]) named(view.pills[i]);
      for (const node of [edge, view.pills[i]]) if (node) {
        node.addEventListener("pointermove", (event) => hint(text, event));
        node.addEventListener("pointerleave", () => hint(""));
      }
    });
    const title = view.svg.querySelector(":scope > title");
    if (title) { view.svg.setAttribute("aria-label", title.textContent); title.remove(); }
    view.svg.setAttribute("role", "group");
    view.svg.removeAttribute("aria-labelledby");
  });

  // ------------------------------------------------------------ controls
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  element("back").addEventListener("click", () => { stop(); show(here().at - 1); });
  element("next").addEventListener("click", () => { stop(); show(here().at + 1); });
  element("play").addEventListener("click", play);
  element("up").addEventListener("click", up);
  element("fit").addEventListener("click", fit);
  element("in").addEventListener("click", () => zoom(0.8, ...middle()));
  element("out").addEventListener("click", () => zoom(1.25, ...middle()));
  let hits = [], hit = 0;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase(), view = here();
    hits = [];
    hit = 0;
    view.boxes.forEach((box, i) => {
      const names = [view.texts[i].name, ...view.texts[i].members].map((name) => name.toLowerCase());
      const found = wanted !== "" && names.some((name) => name.includes(wanted));
      box.classList.toggle("found", found);
      if (found) hits.push(box);
    });
    element("hits").textContent = wanted === "" ? "" : `${hits.length} found`;
    if (hits.length) centre(hits[0]);
  });
  search.addEventListener("keydown", (event) => {
    if (!hits.length) return;
    if (event.key === "Enter") {
      hit += 1;
      centre(hits[hit % hits.length]);
      element("hits").textContent = `${hit % hits.length + 1} of ${hits.length}`;
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      hits[hit % hits.length].focus();
    }
  });
  const system = matchMedia("(prefers-color-scheme: dark)");
  let theme = data.theme;
  const paint = () => {
    const dark = theme === "dark" || (theme === "auto" && system.matches);
    document.documentElement.classList.toggle("dark", dark);
    element("theme").textContent = dark ? "Light" : "Dark";
  };
  element("theme").addEventListener("click", () => {
    theme = document.documentElement.classList.contains("dark") ? "light" : "dark";
    paint();
  });
  system.addEventListener("change", paint);
  document.addEventListener("keydown", (event) => {
    if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (event.shiftKey && way) { event.preventDefault(); shift(...way); return; }
    const step = event.target === slider ? null : { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) { event.preventDefault(); stop(); show(here().at + step); }
    else if (event.key === "Home" && event.target !== slider) { stop(); show(0); }
    else if (event.key === "End" && event.target !== slider) { stop(); show(here().steps.length - 1); }
    else if (event.key === "Escape") {
      hint("");
      if (chosen >= 0) clear();
      else up();
    }
    else if (event.key === "+") zoom(0.8, ...middle());
    else if (event.key === "-") zoom(1.25, ...middle());
    else if (event.key === "0") fit();
    else if (event.key === "/") { event.preventDefault(); search.focus(); }
  });
  addEventListener("resize", apply);
  paint();
  go(0, true, here().at);
  if (data.chosen) {
    light(data.chosen.box);
    say(data.chosen.told[0], data.chosen.told.slice(1));
  }
})();
