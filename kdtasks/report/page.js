// Comforts of the page: it is whole without them.

// A table's columns sort by a button in their heading: up, down, up again. Unknown values stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    if (!heading.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      headings.forEach((each) => each.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const key = (row) => {
        const cell = row.cells[column];
        return column === 0 ? cell.textContent : parseFloat(cell.dataset.value);
      };
      const rows = [...table.tBodies[0].rows].sort((first, second) => {
        const [a, b] = [key(first), key(second)];
        if (column === 0) return sign * a.localeCompare(b);
        if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b);
        return sign * (a - b);
      });
      table.tBodies[0].append(...rows);
    });
  });
}

// Charts come alive: the specification beside each takes the place of its picture.
const live = (places) =>
  Promise.all([...document.querySelectorAll(places)].map(async (place) => {
    const spec = JSON.parse(place.nextElementSibling.textContent);
    const { view } = await vegaEmbed(place, spec, {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
    });
    return view;
  }));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.getElementById("vg-tooltip-element")?.classList.remove("visible");
});

// A variant stands out in every chart and in its row, from wherever it is gone to.
const limits = await live("#limits .chart");
const tell = (signal, value) => limits.forEach((view) => view.signal(signal, value).runAsync());
const rows = [...document.querySelectorAll("[data-variant]")];
const mark = (variant) => {
  tell("marked", variant);
  rows.forEach((row) => row.classList.toggle("marked", Number(row.dataset.variant) === variant));
};
for (const view of limits) {
  view.addEventListener("pointerover", (event, item) => mark(item?.datum?.variant ?? -1));
  view.addEventListener("pointerout", () => mark(-1));
}
for (const row of rows) {
  row.tabIndex = 0;
  for (const enter of ["mouseenter", "focus"]) {
    row.addEventListener(enter, () => mark(Number(row.dataset.variant)));
  }
  for (const leave of ["mouseleave", "blur"]) row.addEventListener(leave, () => mark(-1));
}

// Variants are filtered by name and by the limits, in the table and in the charts.
for (const tool of document.querySelectorAll("[data-filters]")) {
  const [name, within] = tool.querySelectorAll("input");
  const filter = () => {
    const wanted = name.value.trim().toLowerCase();
    for (const row of rows) {
      const has = row.cells[0].textContent.toLowerCase().includes(wanted);
      row.hidden = !has || (within.checked && !("within" in row.dataset));
    }
    const hidden = rows.filter((row) => row.hidden).map((row) => Number(row.dataset.variant));
    tell("hidden", hidden);
    tool.querySelector("output").value = `${rows.length - hidden.length} of ${rows.length} shown`;
  };
  tool.addEventListener("input", filter);
  tool.hidden = false;
  filter();
}

// The slider, which the chart is bound to, moves along the stored points of the calibration split.
await live(".tradeoff .chart");
const tool = document.getElementById("operating-point");
if (tool) {
  const { points, macs, what, exits, last, leaving } = JSON.parse(tool.querySelector("script").textContent);
  const slider = tool.querySelector("input");
  const images = tool.querySelectorAll(".sample");
  const percent = (fraction) => `${(100 * fraction).toFixed(1)}\u00a0%`;
  const show = () => {
    const [cost, accuracy] = points[slider.value];
    const is = leaving.early && leaving.early.length === points.length;
    const text =
      `${what} ${percent(accuracy)} at ${percent(cost)} of the compute, ` +
      `${Math.round(cost * macs).toLocaleString("en")} MACs an image` +
      (is ? `; ${percent(leaving.early[slider.value])} leave early` : "");
    images.forEach((image, index) => {
      const left = is ? leaving.left_at[slider.value][index] : last;
      image.classList.toggle("late", left === last);
      image.querySelector("figcaption").textContent = exits[left] || `exit ${left + 1}`;
    });
    tool.querySelector("output").value = text;
    slider.setAttribute("aria-valuetext", text);
  };
  slider.addEventListener("input", show);
  tool.hidden = false;
  show();
}
