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
  const setGrad = (view, i, text) => {
    const group = view.part("g", i);
    if (!group) return;
    const node = group.lastElementChild;
    if (text === null) { group.classList.remove("waiting"); return; }
    node.textContent = text;
    const tone = text[0] === "+" ? "plus" : text[0] === "\u2212" ? "minus" : "ink";
    node.setAttribute("class", view.prefix + tone);
  };

  const show = (step, speak = true) => {
    const view = here();
    view.at = Math.max(0, Math.min(step, view.steps.length - 1));
    view.boxes.forEach((box, i) => {
      const known = view.value[i] <= view.at;
      const group = view.part("v", i);
      if (group) group.classList.toggle("waiting", !known);
      box.classList.remove("now");
      const changes = view.grads[i];
      if (changes) {
        let text = "\u00b7";
        for (const [when, after] of changes) if (when <= view.at) text = after;
        setGrad(view, i, text);
      } else if (view.late[i] !== undefined && view.part("g", i)) {
        view.part("g", i).classList.toggle("waiting", view.late[i] > view.at);
      }
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
    slider.setAttribute("aria-valuetext", now ? now.text : "");
    if (speak || !status.textContent) status.textContent = now ? now.text : "";
    element("back").disabled = view.at <= 0;
    element("next").disabled = view.at >= view.steps.length - 1;
  };

  const stop = () => {
    clearInterval(playing);
    playing = 0;
    element("play").textContent = "Play";
    element("play").setAttribute("aria-pressed", "false");
  };
  const play = () => {
    if (playing) { stop(); return; }
    if (here().at >= here().steps.length - 1) show(0);
    element("play").textContent = "Pause";
    element("play").setAttribute("aria-pressed", "true");
    playing = setInterval(() => {
      if (here().at >= here().steps.length - 1) stop();
      else show(here().at + 1);
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
    const words = view.paths[i];
    if (words) say(words[0], words.slice(1));
    else say(view.texts[i].name, [view.texts[i].label]);
  };

  const press = (i) => {
    const opens = here().texts[i].opens;
    if (opens >= 0) open(opens); else light(i);
  };

  // ------------------------------------------------------------ from picture to picture
  const go = (v, back) => {
    stop();
    clear();
    if (!back && v !== current) trail.push(current);
    here().section.hidden = true;
    current = v;
    here().section.hidden = false;
    element("up").disabled = !trail.length;
    element("name").textContent = here().title;
    show(here().at);
    search.dispatchEvent(new Event("input"));
  };
  const open = (v) => { go(v, false); fit(); };
  const up = () => { if (trail.length) { go(trail.pop(), true); fit(); } };

  // ------------------------------------------------------------ pan and zoom
  const apply = () => here().svg.setAttribute("viewBox", here().box.map((x) => x.toFixed(2)).join(" "));
  const fit = () => { here().box = [...here().whole]; apply(); };
  const zoom = (factor, x, y) => {
    const box = here().box, limit = here().whole[2];
    const size = Math.min(Math.max(box[2] * factor, limit / 40), limit * 4) / box[2];
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
  let held = null, moved = false;
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(event.deltaY * 0.0015), ...point(event));
  }, { passive: false });
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    held = point(event); moved = false;
  });
  stage.addEventListener("pointermove", (event) => {
    if (!held || !event.buttons) return;
    const [x, y] = point(event);
    const scale = here().box[2] / stage.clientWidth;
    if (!moved && Math.hypot(x - held[0], y - held[1]) < 5 * scale) return;
    if (!moved) { moved = true; stage.classList.add("held"); stage.setPointerCapture(event.pointerId); }
    here().box[0] -= x - held[0];
    here().box[1] -= y - held[1];
    apply();
  });
  const release = () => { held = null; stage.classList.remove("held"); };
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);

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
      box.setAttribute("aria-label", words.label + (words.opens >= 0 ? ", opens" : ""));
      if (words.opens < 0) box.setAttribute("aria-pressed", "false");
      box.addEventListener("click", () => { if (!moved) press(i); });
      box.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); press(i); }
      });
      box.addEventListener("focus", () => centre(box));
      box.addEventListener("pointermove", (event) => hint(text, event));
      box.addEventListener("pointerleave", () => hint(""));
    });
    view.edges.forEach((edge, i) => {
      const text = named(edge);
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
    if (event.key !== "Enter" || !hits.length) return;
    centre(hits[hit % hits.length]);
    hits[hit % hits.length].focus();
    hit += 1;
  });
  const system = matchMedia("(prefers-color-scheme: dark)");
  let theme = data.theme;
  const paint = () => {
    const dark = theme === "dark" || (theme === "auto" && system.matches);
    document.documentElement.classList.toggle("dark", dark);
    element("theme").setAttribute("aria-pressed", String(dark));
  };
  element("theme").addEventListener("click", () => {
    theme = document.documentElement.classList.contains("dark") ? "light" : "dark";
    paint();
  });
  system.addEventListener("change", paint);
  document.addEventListener("keydown", (event) => {
    if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.target === slider ? null : { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) { event.preventDefault(); stop(); show(here().at + step); }
    else if (event.key === "Home" && event.target !== slider) show(0);
    else if (event.key === "End" && event.target !== slider) show(here().steps.length - 1);
    else if (event.key === "Escape") { if (chosen >= 0) clear(); else up(); }
    else if (event.key === "+") zoom(0.8, ...middle());
    else if (event.key === "-") zoom(1.25, ...middle());
    else if (event.key === "0") fit();
    else if (event.key === "/") { event.preventDefault(); search.focus(); }
  });
  paint();
  go(0, true);
})();
