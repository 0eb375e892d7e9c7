// Code to read and to copy.

function render({ model, el }) {
  el.classList.add("wb-code");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "wb-button";
  button.textContent = "Copy as code";
  const said = document.createElement("span");
  said.className = "wb-doc";
  said.setAttribute("role", "status");
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  pre.setAttribute("aria-label", "The same as code");
  const row = document.createElement("div");
  row.className = "wb-row";
  row.append(button, said);
  el.append(row, pre);

  const draw = () => {
    pre.textContent = model.get("code");
    said.textContent = "";
    el.hidden = !model.get("code");
  };
  const select = () => {
    const range = document.createRange();
    range.selectNodeContents(pre);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };
  button.addEventListener("click", async () => {
    // The clipboard is closed to pages without https or a permission; the selection is then ready for Ctrl+C.
    try {
      await navigator.clipboard.writeText(model.get("code"));
      said.textContent = "Copied.";
    } catch {
      select();
      said.textContent = "Selected: press Ctrl+C.";
    }
  });
  draw();
  model.on("change:code", draw);
  return () => model.off("change:code", draw);
}

export default { render };
