// Comforts of the page: it is whole without them. No library, no network.
"use strict";

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

// Variants are filtered by name and by the limits, in the table and in the figures.
for (const tool of document.querySelectorAll("[data-filters]")) {
  const rows = [...document.getElementById(tool.dataset.filters).tBodies[0].rows];
  const [name, within] = tool.querySelectorAll("input");
  const filter = () => {
    const wanted = name.value.trim().toLowerCase();
    for (const row of rows) {
      const has = row.cells[0].textContent.toLowerCase().includes(wanted);
      row.hidden = !has || (within.checked && !("within" in row.dataset));
      const points = `svg [data-variant="${row.dataset.variant}"]`;
      document.querySelectorAll(points).forEach((point) => {
        point.style.display = row.hidden ? "none" : "";
      });
    }
    const shown = rows.filter((row) => !row.hidden).length;
    tool.querySelector("output").value = `${shown} of ${rows.length} shown`;
  };
  tool.addEventListener("input", filter);
  tool.hidden = false;
  filter();
}

// A variant stands out in every figure and in its row; its point tells its figures.
const tip = document.createElement("div");
tip.className = "tip";
tip.setAttribute("aria-hidden", "true"); // the link's own label says the same
tip.hidden = true;
document.body.append(tip);
const mark = (variant, is) =>
  document.querySelectorAll(`[data-variant="${variant}"]`).forEach((each) => {
    each.classList.toggle("marked", is);
  });
for (const each of document.querySelectorAll("[data-variant]")) {
  const enter = () => {
    mark(each.dataset.variant, true);
    if (each.tagName !== "a") return;
    tip.textContent = each.getAttribute("aria-label");
    tip.hidden = false;
    const place = each.getBoundingClientRect();
    const left = place.left + place.width / 2 - tip.offsetWidth / 2;
    const last = document.documentElement.clientWidth - tip.offsetWidth - 4;
    tip.style.left = `${window.scrollX + Math.max(4, Math.min(left, last))}px`;
    tip.style.top = `${window.scrollY + place.top - tip.offsetHeight - 6}px`;
  };
  const leave = () => {
    mark(each.dataset.variant, false);
    tip.hidden = true;
  };
  each.addEventListener("mouseenter", enter);
  each.addEventListener("focus", enter);
  each.addEventListener("mouseleave", leave);
  each.addEventListener("blur", leave);
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") tip.hidden = true;
});

// The slider moves along the stored points of the calibration split, cheapest first.
const tool = document.getElementById("operating-point");
if (tool) {
  const { points, chosen, macs, what, exits, last, leaving } = JSON.parse(tool.querySelector("script").textContent);
  const slider = tool.querySelector("input");
  const images = tool.querySelectorAll(".sample");
  const svg = tool.closest(".images").querySelector("svg");
  const path = svg && svg.querySelector('[id$="-curve"] path');
  const places = path ? [...path.getAttribute("d").matchAll(/[ML] (\S+) (\S+)/g)] : [];
  const dot = svg && document.createElementNS(svg.namespaceURI, "circle");
  if (places.length === points.length) {
    dot.setAttribute("r", 5);
    dot.setAttribute("class", "cursor");
    svg.append(dot);
  }
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
    if (places.length !== points.length) return;
    dot.setAttribute("cx", places[slider.value][1]);
    dot.setAttribute("cy", places[slider.value][2]);
  };
  const near = points.map(([cost]) => Math.abs(cost - chosen));
  slider.value = near.indexOf(Math.min(...near));
  slider.addEventListener("input", show);
  tool.hidden = false;
  show();
}
