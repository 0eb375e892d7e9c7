// A radio list whose impossible items say why. They can be reached by keyboard, so that the reason is
// read out, but not chosen: a native disabled radio is skipped and its reason never heard.

// Each widget loads this file as a module of its own, so a counter would begin anew in every panel.
const unique = () => Math.random().toString(36).slice(2);

function render({ model, el }) {
  const list = `wb-choice-${unique()}`;
  el.classList.add("wb-choice");
  el.setAttribute("role", "radiogroup");
  let items = [];

  const pick = (i) => {
    const option = model.get("options")[i];
    if (option.reason || option.value === model.get("value")) return;
    model.set("value", option.value);
    model.save_changes();
  };

  const focus = (i) => {
    items.forEach((item, j) => { item.tabIndex = j === i ? 0 : -1; });
    items[i].focus();
  };

  const keys = (event, i) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step) {
      const next = (i + step + items.length) % items.length;
      focus(next);
      pick(next);
    } else if (event.key === " " || event.key === "Enter") {
      if (event.shiftKey || event.ctrlKey) return;
      pick(i);
    } else return;
    event.preventDefault();
  };

  const build = () => {
    const held = items.indexOf(document.activeElement);
    items = model.get("options").map((option, i) => {
      const item = document.createElement("div");
      item.className = "wb-option";
      item.setAttribute("role", "radio");
      const name = document.createElement("span");
      name.className = "wb-option-name";
      name.id = `${list}-${i}-name`;
      name.textContent = option.label;
      const more = document.createElement("span");
      more.className = "wb-option-more";
      more.id = `${list}-${i}-more`;
      more.textContent = option.reason || option.detail;
      item.append(name, more);
      item.setAttribute("aria-labelledby", name.id);
      item.setAttribute("aria-describedby", more.id);
      if (option.reason) item.setAttribute("aria-disabled", "true");
      item.addEventListener("click", () => { focus(i); pick(i); });
      item.addEventListener("keydown", (event) => keys(event, i));
      return item;
    });
    el.replaceChildren(...items);
    mark();
    if (held >= 0 && items[held]) items[held].focus({ preventScroll: true });
  };

  const mark = () => {
    const value = model.get("value");
    const options = model.get("options");
    const chosen = options.findIndex((option) => option.value === value);
    const reachable = items.indexOf(document.activeElement);
    items.forEach((item, i) => {
      item.setAttribute("aria-checked", String(i === chosen));
      item.tabIndex = i === (reachable >= 0 ? reachable : Math.max(chosen, 0)) ? 0 : -1;
    });
  };

  el.setAttribute("aria-label", model.get("label"));
  build();
  model.on("change:options", build);
  model.on("change:value", mark);
  return () => { model.off("change:options", build); model.off("change:value", mark); };
}

export default { render };
