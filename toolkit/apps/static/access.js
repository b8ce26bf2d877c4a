// What the page library leaves unnamed for those who cannot see it, and a phone's first view.
(() => {
  const sheet = (rules) => {
    const style = new CSSStyleSheet();
    style.replaceSync(rules);
    return style;
  };
  // On paper the page is as long as it is, without what can only be pressed; every root of the page library gets the rules.
  const sheets = [sheet(`@media print {
    *, :host { overflow: visible !important; max-height: none !important; }
    html, body, main, div:has(> main), div:has(> div > main) { display: block !important; height: auto !important;
      width: auto !important; margin: 0 !important; position: static !important; }
    body { zoom: 0.66; }
    header, nav, .MuiDrawer-root, .MuiAppBar-root, .MuiTabs-root, .MuiButton-root, .MuiButtonBase-root, .MuiToolbar-root,
      .MuiFormControlLabel-root, .MuiToggleButtonGroup-root, .MuiFormControl-root, .MuiSlider-root { display: none !important; }
    canvas { visibility: hidden !important; }
    .card, .bk-Figure, .tile, .box, tr { break-inside: avoid; }
    h1, h2, h3, caption { break-after: avoid; }
    * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  }`)];
  // A slider that glides to its value is laid out and painted again at every frame in which the charts could be.
  sheets.push(sheet(".MuiSlider-root, .MuiSlider-root * { transition: none !important; }"));
  if (matchMedia("(prefers-reduced-motion: reduce)").matches)
    sheets.push(sheet("*, *::before, *::after { transition: none !important; animation: none !important; }"));
  const calm = (root) => {
    const lacking = sheets.filter((one) => !root.adoptedStyleSheets.includes(one));
    if (lacking.length) root.adoptedStyleSheets = [...root.adoptedStyleSheets, ...lacking];
  };
  const each = (root, selector, visit, depth = 0) => {
    if (root.adoptedStyleSheets) calm(root);
    root.querySelectorAll(selector).forEach(visit);
    if (depth < 12) for (const node of root.querySelectorAll("*")) if (node.shadowRoot) each(node.shadowRoot, selector, visit, depth + 1);
  };
  let closed = window.innerWidth >= 900; // on a phone the answer comes first, and the controls on request
  const watch = setInterval(() => { // the live page has its answer: what was read before it makes room
    const lead = document.getElementById("lead");
    if (lead) each(document.body, lead.dataset.until, (live) => { if (!lead.contains(live)) lead.remove(); });
    else if (document.readyState === "complete") clearInterval(watch);
  }, 100);
  const repair = () => {
    document.documentElement.lang = "en-GB";
    each(document, '[role="progressbar"]:not([aria-label])', (bar) => bar.setAttribute("aria-label", "Working"));
    each(document, "h5", (spacer) => { if (!spacer.textContent.trim()) spacer.setAttribute("aria-hidden", "true"); });
    each(document, 'input[type="file"]:not([data-weighed])', (input) => {
      input.dataset.weighed = "";
      input.addEventListener("change", () => heavy(input.files), true);
    });
    if (!closed) each(document, ".MuiBackdrop-root", (shade) => { closed = true; shade.click(); });
  };
  addEventListener("beforeprint", () => each(document, "canvas", (canvas) => { // which the new width empties
    const image = new Image(canvas.offsetWidth, canvas.offsetHeight);
    image.className = "printed";
    image.style.cssText = `position:absolute;left:${canvas.offsetLeft}px;top:${canvas.offsetTop}px`;
    image.src = canvas.toDataURL();
    canvas.after(image);
  }));
  addEventListener("afterprint", () => each(document, "img.printed", (image) => image.remove()));
  const alarm = (id, text) => {
    document.getElementById(id)?.remove();
    const banner = document.createElement("div");
    banner.id = id;
    banner.setAttribute("role", "alert");
    banner.style.cssText = "position:fixed;inset:0 0 auto 0;z-index:3000;padding:16px 24px;background:#fff;color:#0b0c0c;"
      + "border:5px solid #d4351c;font:700 18px/1.4 Arial,Helvetica,sans-serif";
    document.body.prepend(banner);
    banner.textContent = text;
  };
  const lost = () => alarm("lost", "These numbers no longer follow the controls: the connection was lost. Reload the page.");
  const LARGEST = 500000; // bytes: fields.py has the same, and a test compares them
  const heavy = (files) => { // the page library drops a larger file without a word
    const large = [...(files || [])].find((file) => file.size > LARGEST);
    if (!large) return;
    alarm("large", `${large.name} was not loaded: it has ${(large.size / 1e6).toFixed(1)} MB, and a file here may have 0.5 MB.`);
    setTimeout(() => document.getElementById("large")?.remove(), 15000);
  };
  addEventListener("drop", (event) => heavy(event.dataTransfer?.files), true);
  const listen = setInterval(() => { // once the page has its document
    const live = window.Bokeh && Bokeh.documents[0];
    if (!live) return;
    clearInterval(listen);
    live.on_event("connection_lost", lost);
    live.on_event("client_reconnected", () => document.getElementById("lost")?.remove());
  }, 250);
  // A number that is pressed explains itself, in a box beside it that leaves the controls free: what is read there
  // follows them. It is written by the server (``asking.py``); Escape closes it and goes back to the number.
  const box = document.createElement("dialog"), shut = document.createElement("button"), words = document.createElement("div");
  box.id = "explained";
  box.tabIndex = -1;
  box.setAttribute("aria-labelledby", "explained-title");
  shut.type = "button";
  shut.textContent = "Close";
  box.append(shut, words);
  let open = "";
  const number = (event) => event.composedPath().find((node) => node.classList?.contains("explain"));
  const ask = (key) => {
    const source = window.Bokeh?.documents[0]?.get_model_by_name("asked");
    if (source) source.data = { key: [open = key] };
  };
  const at = (key) => {
    let visible;
    each(document, ".explain", (node) => { if (node.dataset.key === key && node.getClientRects().length) visible ??= node; });
    return visible;
  };
  const beside = (node) => { // above or below, where there is more room, so that the number stays in sight
    const { top, bottom } = node.getBoundingClientRect(), under = innerHeight - bottom >= top;
    Object.assign(box.style, under ? { top: `${bottom + 8}px`, bottom: "auto" } : { top: "auto", bottom: `${innerHeight - top + 8}px` });
    box.style.maxHeight = `${Math.max(200, (under ? innerHeight - bottom : top) - 16)}px`;
  };
  const close = () => {
    const key = open;
    box.close();
    ask("");
    at(key)?.focus();
  };
  shut.addEventListener("click", close);
  const explain = (key, node) => {
    if (!box.isConnected) document.body.append(box);
    if (key !== open) words.innerHTML = '<p id="explained-title" role="status">Working it out…</p>';
    beside(node);
    if (!box.open) box.show();
    ask(key);
  };
  addEventListener("click", (event) => {
    const node = number(event);
    if (!node) return;
    node.focus();
    explain(node.dataset.key, node);
  });
  // So does what is drawn: of that which has a key (charts.py), the nearest in its row of bars, or year, then the rest.
  const pressed = ({ origin, sx, sy }) => {
    const { bbox, x_scale, y_scale } = [...Bokeh.index.find_by_id(origin.id)][0].frame;
    let [near, nearest] = [Infinity, ""];
    if (sy < bbox.top || sy > bbox.bottom) return nearest;
    for (const { name, glyph, data_source: { data } } of origin.renderers) {
      const up = data[(glyph.y ?? glyph.top)?.field], along = data[glyph.x?.field];
      if (!name || !up) continue;
      [...up].forEach((height, k) => {
        const x = along ? Math.abs(x_scale.compute(along[k]) - sx) : 0, foot = y_scale.compute(glyph.top ? 0 : height);
        const top = y_scale.compute(height), within = sy >= Math.min(top, foot) && sy <= Math.max(top, foot);
        const y = !glyph.top ? Math.abs(top - sy) : within ? 15 : Infinity; // a line before the bar that it runs over
        const rows = typeof height === "string" || origin.tags.includes("rows");
        const far = rows ? 1000 * y + x : 1000 * x + y;
        const spelled = (value) => typeof value === "number" ? +value.toPrecision(4) : value.replaceAll("\n", " ");
        if (far <= near) [near, nearest] = [far, name.replace(/{(\w+)}/g, (_, column) => spelled(data[column][k]))];
      });
    }
    return nearest;
  };
  let spot;
  addEventListener("pointerup", (event) => { spot = event; }, true);
  addEventListener("tapped", ({ detail }) => {
    const key = pressed(detail), { clientX: x, clientY: y } = spot;
    if (key) explain(key, { getBoundingClientRect: () => ({ left: x, top: y - 12, bottom: y + 12 }) });
  });
  addEventListener("explained", ({ detail }) => {
    if (detail.key === "-") { box.close(); ask(""); } // another page
    if (detail.key !== open || !detail.html) return;
    const first = words.querySelector("[role=status]") || words.contains(document.activeElement);
    words.innerHTML = detail.html;
    if (first) box.focus();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && box.open) close();
    const node = number(event), step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const body = step && node?.closest("tbody");
    if (!body) return;
    event.preventDefault();
    const rows = [...body.rows], [down, along] = step;
    let row = rows.indexOf(node.closest("tr")), cell = node.closest("td").cellIndex, to = null;
    while (!to && rows[row += down]?.cells[cell += along]) to = rows[row].cells[cell].querySelector(".explain");
    if (!to) return;
    body.querySelectorAll('.explain[tabindex="0"]').forEach((one) => { one.tabIndex = -1; });
    to.tabIndex = 0;
    to.focus();
  });
  const SAVED = "outcomes: saved scenarios";
  const meet = setInterval(() => { // once the sources are there by which server and tab meet (tab.py, refresh.py)
    const live = window.Bokeh && Bokeh.documents[0];
    const [sent, kept, back] = ["sent", "kept", "back"].map((name) => live?.get_model_by_name(name));
    if (!sent || !kept || !back) return;
    clearInterval(meet);
    let later, times = 0;
    const write = () => { // one step of the browser's history for each change that has come to rest
      const to = sent.data.address?.[0];
      if (to && history.state !== to) history[history.state === null ? "replaceState" : "pushState"](to, "", to);
    };
    const settle = () => { clearTimeout(later); later = setTimeout(write, 400); };
    sent.properties.data.change.connect(settle);
    settle();
    addEventListener("popstate", (event) => {
      clearTimeout(later);
      if (event.state) back.data = { text: [event.state], times: [++times] }; // else nothing, were it the same again
    });
    try { // a browser may forbid it: then nothing is kept
      const saved = sessionStorage.getItem(SAVED);
      if (saved && !kept.data.text[0]) kept.data = { text: [saved] };
      kept.properties.data.change.connect(() => sessionStorage.setItem(SAVED, kept.data.text[0]));
    } catch { /* kept while the page is open */ }
  }, 250);
  matchMedia("(max-width: 899.95px)").addEventListener("change", (now) => { // as when the page is enlarged
    closed = !now.matches;
    setTimeout(repair, 400);
    setTimeout(() => { closed = true; }, 1500); // what is opened later stays open
  });
  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; repair(); }, 300);
  }).observe(document.documentElement, { childList: true, subtree: true });
  let looks = 0;
  const timer = setInterval(() => { repair(); if (++looks > 40) clearInterval(timer); }, 250);
  addEventListener("click", () => setTimeout(repair, 600));
})();
