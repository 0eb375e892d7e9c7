// Progress, what is happening, what went wrong; and the guard that keeps typed keys inside the panel.

function clock(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
}

// JupyterLab's one-letter shortcuts (d d deletes the cell) fire while a widget has focus, and its
// data-lm-suppress-shortcuts looks only at the focused element. So plain keys stop at the panel.
function guard(event) {
  const passes = event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab"
    || event.key === "Escape" || (event.shiftKey && event.key === "Enter");
  if (!passes) event.stopPropagation();
}

function render({ model, el }) {
  el.classList.add("wb-status");
  const notice = document.createElement("div");
  notice.className = "wb-notice";
  notice.setAttribute("aria-live", "polite");
  const row = document.createElement("div");
  row.className = "wb-progress";
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", model.get("label"));
  const time = document.createElement("span");
  time.className = "wb-time";
  row.append(bar, time);
  const live = document.createElement("div");
  live.className = "wb-live";
  live.setAttribute("role", "status");
  const error = document.createElement("pre");
  error.className = "wb-error";
  error.setAttribute("role", "alert");
  el.append(notice, row, live, error);

  let heard = performance.now(); // when Python last told the time, to count on from there
  const tick = () => {
    const busy = model.get("busy");
    const since = busy ? (performance.now() - heard) / 1000 : 0;
    const elapsed = model.get("elapsed") + since;
    const remaining = model.get("remaining");
    let text = elapsed > 0 ? `${clock(elapsed)} elapsed` : "";
    if (busy && remaining !== null) text += `, about ${clock(Math.max(0, remaining - since))} left`;
    time.textContent = text;
  };

  // Text is changed in place and only when it differs: a replaced live region is not read out.
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const draw = () => {
    const [done, total, busy] = [model.get("done"), model.get("total"), model.get("busy")];
    if (total > 0) { bar.max = total; bar.value = done; }
    else if (busy) bar.removeAttribute("value");
    else { bar.max = 1; bar.value = 0; }
    row.classList.toggle("wb-idle", !busy && done === 0);
    put(live, model.get("text"));
    put(notice, model.get("notice"));
    put(error, model.get("error"));
    notice.hidden = !model.get("notice");
    error.hidden = !model.get("error");
    tick();
  };
  const told = () => { heard = performance.now(); tick(); };

  draw();
  model.on("change", draw);
  model.on("change:elapsed", told);
  const ticking = setInterval(() => { if (model.get("busy")) tick(); }, 250);

  // Rendering happens before the element is attached, so the panel is looked for until it is there.
  let panel = null;
  const attach = () => {
    panel = el.closest(".wb-panel");
    if (!panel) return;
    clearInterval(looking);
    panel.setAttribute("role", "group");
    panel.setAttribute("aria-label", `${model.get("title")} panel`);
    if (model.get("guarded")) panel.addEventListener("keydown", guard);
  };
  const looking = setInterval(attach, 50);
  attach();

  return () => {
    clearInterval(ticking);
    clearInterval(looking);
    panel?.removeEventListener("keydown", guard);
    model.off("change", draw);
    model.off("change:elapsed", told);
  };
}

export default { render };
