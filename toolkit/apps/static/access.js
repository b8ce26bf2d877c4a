// What the page library leaves unnamed for those who cannot see it, and a phone's first view.
(() => {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches && new CSSStyleSheet();
  if (still) still.replaceSync("*, *::before, *::after { transition: none !important; animation: none !important; }");
  const calm = (root) => {
    if (still && !root.adoptedStyleSheets.includes(still)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, still];
  };
  const each = (root, selector, told, depth = 0) => {
    if (root.adoptedStyleSheets) calm(root);
    root.querySelectorAll(selector).forEach(told);
    if (depth < 12) for (const node of root.querySelectorAll("*")) if (node.shadowRoot) each(node.shadowRoot, selector, told, depth + 1);
  };
  let closed = window.innerWidth >= 600; // on a phone the answer comes first, and the controls on request
  const watch = setInterval(() => { // the live page has its answer: what was read before it makes room
    const lead = document.getElementById("lead");
    if (lead) each(document.body, lead.dataset.until, (live) => { if (!lead.contains(live)) lead.remove(); });
    else if (document.readyState === "complete") clearInterval(watch);
  }, 100);
  const mend = () => {
    document.documentElement.lang = "en-GB";
    each(document, '[role="progressbar"]:not([aria-label])', (bar) => bar.setAttribute("aria-label", "Working"));
    each(document, "h5", (spacer) => { if (!spacer.textContent.trim()) spacer.setAttribute("aria-hidden", "true"); });
    if (!closed) each(document, ".MuiBackdrop-root", (shade) => { closed = true; shade.click(); });
  };
  const lost = () => {
    if (document.getElementById("lost")) return;
    const said = document.createElement("div");
    said.id = "lost";
    said.setAttribute("role", "alert");
    said.style.cssText = "position:fixed;inset:0 0 auto 0;z-index:3000;padding:16px 24px;background:#fff;color:#0b0c0c;"
      + "border:5px solid #d4351c;font:700 18px/1.4 Arial,Helvetica,sans-serif";
    document.body.prepend(said);
    said.textContent = "These numbers no longer follow the controls: the connection was lost. Reload the page.";
  };
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
    const asked = window.Bokeh?.documents[0]?.get_model_by_name("asked");
    if (asked) asked.data = { key: [open = key] };
  };
  const at = (key) => {
    let found;
    each(document, ".explain", (node) => { if (node.dataset.key === key && node.getClientRects().length) found ??= node; });
    return found;
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
  addEventListener("click", (event) => {
    const node = number(event);
    if (!node) return;
    if (!box.isConnected) document.body.append(box);
    words.innerHTML = '<p id="explained-title" role="status">Working it out…</p>';
    beside(node);
    if (!box.open) box.show();
    node.focus();
    ask(node.dataset.key);
  });
  addEventListener("explained", ({ detail }) => {
    if (detail.key === "-") { box.close(); ask(""); } // another page
    if (detail.key !== open || !detail.said) return;
    const first = words.querySelector("[role=status]") || words.contains(document.activeElement);
    words.innerHTML = detail.said;
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
  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; mend(); }, 300);
  }).observe(document.documentElement, { childList: true, subtree: true });
  let looks = 0;
  const timer = setInterval(() => { mend(); if (++looks > 40) clearInterval(timer); }, 250);
  addEventListener("click", () => setTimeout(mend, 600));
})();
