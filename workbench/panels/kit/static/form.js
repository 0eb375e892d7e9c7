// A form of native controls: fields come from Python, every change goes back as a plain value.
// Native, because labels, hints and keyboard use are then the browser's own.

// Each widget loads this file as a module of its own, so a counter would begin anew in every panel.
const unique = () => Math.random().toString(36).slice(2);

const LIVE_MILLISECONDS = 120; // a live slider tells Python where it is at most so often

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function twoDigits(value) {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(value, 1))) - 1);
  return Math.round(value / unit) * unit;
}

// A slider works in thousandths of its range, so that log and linear ranges look alike.
function fromSlider(field, thousandths) {
  const share = thousandths / 1000;
  let value = field.log
    ? field.low * (field.high / field.low) ** share
    : field.low + (field.high - field.low) * share;
  if (field.integer) value = field.log ? twoDigits(value) : Math.round(value);
  else value = Number(value.toPrecision(2));
  return Math.min(field.high, Math.max(field.low, value));
}

function toSlider(field, value) {
  const share = field.log
    ? Math.log(value / field.low) / Math.log(field.high / field.low)
    : (value - field.low) / (field.high - field.low);
  return Math.round(1000 * Math.min(1, Math.max(0, share)));
}

function choice(field, id, send) {
  const select = element("select", { id });
  field.options.forEach(([, label], i) => select.append(new Option(label, String(i))));
  select.addEventListener("change", () => send(field.options[select.selectedIndex][0]));
  const show = (value) => {
    select.selectedIndex = field.options.findIndex(([one]) => one === value);
  };
  return { controls: [select], main: select, show };
}

function check(field, id, send) {
  const box = element("input", { id, type: "checkbox" });
  box.addEventListener("change", () => send(box.checked));
  return { controls: [box], main: box, show: (value) => { box.checked = Boolean(value); } };
}

function text(field, id, send) {
  const box = element("input", {
    id, type: "text", placeholder: field.placeholder ?? "", autocomplete: "off", spellcheck: false,
  });
  const controls = [box];
  if (field.suggestions?.length) {
    const list = element("datalist", { id: `${id}-list` });
    field.suggestions.forEach((one) => list.append(element("option", { value: one })));
    box.setAttribute("list", list.id);
    controls.push(list);
  }
  const commit = () => send(box.value === "" && field.optional ? null : box.value);
  box.addEventListener("change", commit);
  return { controls, main: box, show: (value) => { box.value = value ?? ""; } };
}

function number(field, id, send) {
  const box = element("input", {
    id, type: "number", step: "any", placeholder: field.optional ? "auto" : "",
  });
  const controls = [];
  let slider = null;
  if (field.slider) {
    slider = element("input", {
      type: "range", min: 0, max: 1000, step: field.log ? 10 : 1, "aria-label": `${field.label}, slider`,
    });
    const follow = () => {
      const value = fromSlider(field, Number(slider.value));
      box.value = String(value);
      slider.setAttribute("aria-valuetext", String(value));
      return value;
    };
    let held = false; // while it is dragged, what comes back is older than where it is
    let waiting = null;
    slider.addEventListener("input", () => {
      follow();
      if (!field.live) return;
      held = true;
      waiting ??= setTimeout(() => { waiting = null; send(Number(box.value)); }, LIVE_MILLISECONDS);
    });
    slider.addEventListener("change", () => {
      held = false;
      clearTimeout(waiting);
      waiting = null;
      send(follow());
    });
    slider.isHeld = () => held;
    controls.push(slider);
  }
  controls.push(box);
  let auto = null;
  if (field.optional) {
    auto = element("input", { type: "checkbox", "aria-label": `${field.label}: choose automatically` });
    auto.addEventListener("change", () => send(auto.checked ? null : Number(box.dataset.last ?? field.low)));
    controls.push(element("label", { class: "wb-auto" }, auto, "auto"));
  }
  box.addEventListener("change", () => send(box.value === "" ? null : Number(box.value)));
  const show = (value) => {
    if (slider?.isHeld()) return;
    box.value = value === null || value === undefined ? "" : String(value);
    if (value !== null && value !== undefined) box.dataset.last = String(value);
    if (auto) auto.checked = value === null || value === undefined;
    if (slider) {
      const at = value ?? field.low;
      slider.value = String(toSlider(field, at));
      slider.setAttribute("aria-valuetext", value === null || value === undefined ? "auto" : String(value));
    }
  };
  return { controls, main: box, show };
}

const KINDS = { choice, check, text, number };

function render({ model, el }) {
  const form = `wb-form-${unique()}`;
  el.classList.add("wb-form");
  const shown = new Map(); // name -> {spec, node, main, show}

  const send = (name, value) => {
    model.set("values", { ...model.get("values"), [name]: value });
    model.save_changes();
  };

  const build = (field) => {
    const id = `${form}-${field.name}`;
    const made = KINDS[field.kind](field, id, (value) => send(field.name, value));
    const label = element("label", { class: "wb-label", htmlFor: id }, field.label);
    const node = element("div", { class: `wb-field wb-is-${field.kind}${field.wide ? " wb-wide" : ""}` }, label,
      element("div", { class: "wb-control" }, ...made.controls));
    if (field.doc) {
      node.append(element("div", { class: "wb-doc", id: `${id}-doc` }, field.doc));
      made.main.setAttribute("aria-describedby", `${id}-doc`);
    }
    return { spec: JSON.stringify(field), node, main: made.main, show: made.show };
  };

  const draw = () => {
    const fields = model.get("fields");
    const values = model.get("values");
    const names = new Set(fields.map((field) => field.name));
    for (const [name, part] of shown) {
      if (!names.has(name)) { part.node.remove(); shown.delete(name); }
    }
    fields.forEach((field, i) => {
      const old = shown.get(field.name);
      let part = old;
      if (!old || old.spec !== JSON.stringify(field)) {
        part = build(field);
        shown.set(field.name, part);
        const focused = old?.node.contains(document.activeElement);
        old?.node.remove();
        el.insertBefore(part.node, el.children[i] ?? null);
        if (focused) part.main.focus({ preventScroll: true });
      } else if (el.children[i] !== part.node) {
        el.insertBefore(part.node, el.children[i] ?? null);
      }
      part.show(values[field.name]);
    });
    if (model.get("label")) { el.setAttribute("role", "group"); el.setAttribute("aria-label", model.get("label")); }
  };

  draw();
  model.on("change:fields", draw);
  model.on("change:values", draw);
  return () => { model.off("change:fields", draw); model.off("change:values", draw); };
}

export default { render };
